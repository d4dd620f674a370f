//! Loading the modules that are asked for, and saying what is wrong with them.

use super::context::{Context, Fault};
use super::sources::Sources;
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
    for (name, revision) in asked(options) {
        let features = features_of(options, name);
        context
            .load(sources, name, revision, &features)
            .map_err(|faults| error(&faults, sources, Some(name)))?;
    }
    context.compile(sources).map_err(|faults| error(&faults, sources, None))?;
    Ok(context)
}

/// The modules to implement: those that are named, and those of which features are enabled.
///
/// Sorted, so that what comes out does not depend on the order of the configuration.
pub(super) fn asked(options: &CompileOptions) -> BTreeMap<&str, Option<&str>> {
    let with_features = options.features.iter().map(|(name, _)| (name.as_str(), None));
    let named = options.modules.iter().map(|(name, rev)| (name.as_str(), rev.as_deref()));
    with_features.chain(named).collect()
}

/// The features to enable in `module`.
fn features_of<'a>(options: &'a CompileOptions, module: &str) -> Vec<&'a str> {
    let named = options.features.iter().filter(|(name, _)| name == module);
    let features: BTreeSet<&str> = named.map(|(_, feature)| feature.as_str()).collect();
    if features.contains("*") { vec!["*"] } else { features.into_iter().collect() }
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
    let name = in_module.or(asked).filter(|name| sources.origin(name).is_some());
    let file = name.and_then(|name| sources.origin(name)).or_else(|| sources.last_origin());
    let line = name
        .zip(first.schema_path.as_deref())
        .and_then(|(name, path)| line_of(sources.latest_text(name)?, path));
    let reason = match first.schema_path.as_deref() {
        Some(path) => format!("{} (at {path})", one_line(message)),
        None => one_line(message),
    };
    CompileError { file: file.map(str::to_owned), line, reason }
}

/// The line of the statement that a schema path ends with, if the text has only one statement like it.
///
/// The last step is a name, or like `{augment='/m:a'}` a statement with its argument.
fn line_of(text: &str, path: &str) -> Option<u64> {
    let (keyword, argument) = match path.strip_suffix("'}").and_then(|path| path.rsplit_once('{')) {
        Some((_, statement)) => {
            let (keyword, argument) = statement.split_once("='")?;
            (Some(keyword), argument)
        }
        None => {
            let name = path.rsplit('/').next()?;
            (None, name.split_once(':').map_or(name, |(_, name)| name))
        }
    };
    let is_statement = |line: &str| {
        let is_between = |c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}' | '"' | '\'');
        let words: Vec<&str> = line.split(is_between).filter(|word| !word.is_empty()).collect();
        words.windows(2).any(|pair| match pair {
            [first, second] => *second == argument && is_keyword(first, keyword),
            _ => false,
        })
    };
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| is_statement(line));
    let (number, _) = lines.next()?;
    lines.next().is_none().then_some(number)
}

/// The word begins a statement: `keyword`, or if that is not known, one that defines a schema node.
fn is_keyword(word: &str, keyword: Option<&str>) -> bool {
    const NODES: [&str; 11] = [
        "container",
        "leaf",
        "leaf-list",
        "list",
        "choice",
        "case",
        "anydata",
        "anyxml",
        "rpc",
        "action",
        "notification",
    ];
    keyword.map_or_else(|| NODES.contains(&word), |keyword| keyword == word)
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
