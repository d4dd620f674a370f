//! The YANG compiler and the judge: libyang, reached through `yang2`, is named in this room only.
//!
//! What leaves the room is ours: a `Schema`, and a `Judge` that knows values and, for tests, validates whole
//! configurations.
#![allow(unsafe_code, reason = "libyang is C; every block says why it is sound")]

mod compile;
mod compile_types;
mod context;
mod derived;
#[cfg(test)]
mod faults;
mod judge;
#[cfg(test)]
mod locate;
mod modules;
mod plugin;
mod sources;
mod value;
mod view;
mod view_types;
#[cfg(test)]
pub(crate) mod xpath_oracle;

use super::schema::Schema;
use std::path::PathBuf;

pub(crate) use judge::Judge;

/// What to compile.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompileOptions {
    /// Where files `name.yang` and `name@revision.yang` lie.
    pub(crate) dirs: Vec<PathBuf>,
    /// The modules to implement: name, and revision if it must be a certain one. What they import is found by itself.
    pub(crate) modules: Vec<(String, Option<String>)>,
    /// The features to enable: module, and the feature's name or `*` for all of the module's. That a module has
    /// features implies that it is implemented.
    pub(crate) features: Vec<(String, String)>,
    /// Texts of modules and submodules, by name. They precede files.
    pub(crate) sources: Vec<(String, String)>,
}

/// Why models cannot be served. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompileError {
    /// A file, or the name of a text in memory.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
    pub(crate) reason: String,
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for CompileError {}

/// A type of the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeHandle(pub(crate) u32);

/// The schema of the modules that `options` name.
///
/// # Errors
/// The first thing that is wrong with them. Nothing is kept.
pub(crate) fn compile(options: &CompileOptions) -> Result<Schema, CompileError> {
    let mut sources = sources::Sources::new(options);
    let context = modules::load(options, &mut sources)?;
    let schema = compile::schema(context, &sources, options)?;
    match schema.expressions().refused().first() {
        None => Ok(schema),
        Some((expression, error)) => {
            let reason = format!("the expression \"{expression}\" cannot be served: {error}");
            Err(CompileError { file: None, line: None, reason })
        }
    }
}

/// The schema of the given modules (name, text), all of them implemented with all of their features.
#[cfg(test)]
pub(crate) fn compile_for_test(modules: &[(&str, &str)]) -> std::sync::Arc<Schema> {
    let is_module = |text: &str| text.trim_start().starts_with("module");
    let implemented = modules.iter().filter(|(_, text)| is_module(text));
    let options = CompileOptions {
        dirs: vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/yang/standard"))],
        modules: implemented.clone().map(|(name, _)| ((*name).to_owned(), None)).collect(),
        features: implemented.map(|(name, _)| ((*name).to_owned(), "*".to_owned())).collect(),
        sources: modules.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect(),
    };
    match compile(&options) {
        Ok(schema) => std::sync::Arc::new(schema),
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests;
