//! Loading the modules that are asked for, and saying what is wrong with them.

use super::context::{Context, Fault};
use super::sources::Sources;
use super::view::ModuleView;
use super::{CompileError, CompileOptions};
use std::collections::{BTreeMap, BTreeSet};

/// A compiled context of the modules that `options` name.
pub(super) fn load(
    options: &CompileOptions,
    sources: &mut Sources,
) -> Result<Context, CompileError> {
    let mut context = Context::new().ok_or_else(|| CompileError {
        file: None,
        line: None,
        reason: "libyang made no context".to_owned(),
    })?;
    // Sorted, so that what comes out does not depend on the order of the configuration.
    let modules: BTreeMap<&str, Option<&str>> = options
        .modules
        .iter()
        .map(|(name, revision)| (name.as_str(), revision.as_deref()))
        .collect();
    for (name, revision) in &modules {
        let features = features_of(options, name);
        context
            .load(sources, name, *revision, &features)
            .map_err(|faults| error(&faults, sources, Some(name)))?;
    }
    context.compile(sources).map_err(|faults| error(&faults, sources, None))?;
    set_other_features(&mut context, options, sources)?;
    Ok(context)
}

/// The features to enable in `module`.
fn features_of<'a>(options: &'a CompileOptions, module: &str) -> Vec<&'a str> {
    let named = options.features.iter().filter(|(name, _)| name == module);
    let features: BTreeSet<&str> = named.map(|(_, feature)| feature.as_str()).collect();
    if features.contains("*") { vec!["*"] } else { features.into_iter().collect() }
}

/// Enables features of modules that nobody asked to implement, but that are implemented because others need them.
fn set_other_features(
    context: &mut Context,
    options: &CompileOptions,
    sources: &mut Sources,
) -> Result<(), CompileError> {
    let asked: BTreeSet<&str> = options.modules.iter().map(|(name, _)| name.as_str()).collect();
    let named: BTreeSet<&str> = options.features.iter().map(|(name, _)| name.as_str()).collect();
    for name in named.difference(&asked) {
        let module = context
            .modules()
            .find(|module| module.implemented() && &*module.name() == *name)
            .map(ModuleView::as_ptr);
        let Some(module) = module else {
            return Err(CompileError {
                file: None,
                line: None,
                reason: format!("features of module \"{name}\" are enabled, but it is not served"),
            });
        };
        let features = features_of(options, name);
        context
            .set_features(sources, module, &features)
            .map_err(|faults| error(&faults, sources, Some(name)))?;
    }
    context.compile(sources).map_err(|faults| error(&faults, sources, None))
}

/// The one line that tells what is wrong first.
///
/// libyang names a line for a fault of syntax, in the text that it read last; a schema path, beginning with the
/// module, for a fault of meaning; and says of a module that cannot be found only that loading it failed, followed by
/// which module's parsing failed for that.
fn error(faults: &[Fault], sources: &Sources, asked: Option<&str>) -> CompileError {
    let Some(first) = faults.first() else {
        let reason = match asked {
            Some(name) => format!("module \"{name}\" was not found"),
            None => "the compiler gave no reason".to_owned(),
        };
        return CompileError { file: None, line: None, reason };
    };
    let message = first.message.trim_end_matches('.');
    let failed_parsing = faults.iter().find_map(|fault| {
        let rest = fault.message.strip_prefix("Parsing module \"")?;
        rest.split_once('"').map(|(name, _)| name)
    });
    if let Some(missing) = missing_module(message).filter(|name| sources.is_missing(name)) {
        let file = failed_parsing.and_then(|name| sources.origin(name)).map(str::to_owned);
        let reason = format!("module \"{missing}\" was not found");
        return CompileError { file, line: None, reason };
    }
    if first.line > 0 {
        let file = sources.last_origin().map(str::to_owned);
        return CompileError { file, line: Some(first.line), reason: one_line(message) };
    }
    let in_module = first.schema_path.as_deref().and_then(module_of_path).or(failed_parsing);
    let file = in_module.or(asked).and_then(|name| sources.origin(name));
    let file = file.or_else(|| sources.last_origin()).map(str::to_owned);
    let reason = match first.schema_path.as_deref() {
        Some(path) => format!("{} (at {path})", one_line(message)),
        None => one_line(message),
    };
    CompileError { file, line: None, reason }
}

/// `x` of `Loading "x" module failed` and of `... "x" submodule ...`.
fn missing_module(message: &str) -> Option<&str> {
    if !(message.contains("failed") || message.contains("not found")) {
        return None;
    }
    message.split('"').nth(1)
}

/// The module that a schema path begins with: `m` of `/m:a/b`.
fn module_of_path(path: &str) -> Option<&str> {
    path.trim_start_matches('/').split_once(':').map(|(module, _)| module)
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
