//! XPath 1.0 with the functions of YANG 1.1 (RFC 7950, 6.4 and 10), over the persistent tree.
//!
//! An expression is parsed once: names become modules of the schema, and since there are no variables, every type is
//! known then, so that an evaluation can fail at a limit only. Where XPath's document and ours differ:
//! - There are no attributes, comments, processing instructions and ids. What is inside anydata and anyxml is not seen.
//! - A leaf has one text node, unless its value is empty. No white space stands between elements.
//! - Values are canonical, names in them have modules for prefixes. Compared with a literal of the expression, they are
//!   compared as names: `type = 'ianaift:tunnel'` has the prefixes of the expression.
//! - `name()` is `local-name()`: our documents have default namespaces only.
//! - Entries that the system orders stand in the order of their keys.

mod analysis;
mod ast;
mod axes;
mod compare;
mod defaults;
mod evaluate;
mod functions;
pub(crate) mod instances;
mod keys;
mod lexer;
mod nodes;
mod numbers;
mod parser;
mod select;
pub(crate) mod stored;
mod strings;
mod yang_functions;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use super::schema::{ModuleId, PrefixMap, Schema};
use crate::xml;

pub(crate) use analysis::Reads;
pub(crate) use ast::{Compiled, ValueType};
#[cfg(test)]
pub(crate) use evaluate::Value;
pub(crate) use evaluate::{Evaluation, EvaluationError};
pub(crate) use nodes::Node;
pub(crate) use select::select;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Bytes before the place.
    pub(crate) position: usize,
    /// What is wrong there. Never empty.
    pub(crate) message: String,
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at position {} of the expression", self.message, self.position)
    }
}

/// What names in an expression mean.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) prefixes: Prefixes<'a>,
    pub(crate) unprefixed: Unprefixed,
}

/// What prefixes mean.
#[derive(Clone, Copy)]
pub(crate) enum Prefixes<'a> {
    /// Those of a module's imports.
    Modules(&'a PrefixMap),
    /// Those that are declared in a document. One that is not declared is taken for the name of a module, which some
    /// clients send.
    Declared(&'a xml::Scope<'a>),
}

/// What names without a prefix mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unprefixed {
    /// Names of this module (RFC 7950, 6.4.1).
    Of(ModuleId),
    /// Names of any module. RFC 6241 has them in no namespace (8.9.5), where there is no data of ours, so that they
    /// would be of no use to anyone.
    OfAny,
}

impl Prefixes<'_> {
    /// The module behind a prefix: `None` if it is not bound, `Some(None)` if its namespace is of no module.
    fn module(self, schema: &Schema, prefix: &str) -> Option<Option<ModuleId>> {
        match self {
            Self::Modules(map) => {
                let found = map.binary_search_by(|(known, _)| (**known).cmp(prefix)).ok()?;
                map.get(found).map(|(_, module)| Some(*module))
            }
            Self::Declared(scope) => match scope.namespace(prefix) {
                Some(namespace) => Some(schema.module_by_namespace(namespace)),
                None => schema.module_by_name(prefix).map(Some),
            },
        }
    }
}

/// What an evaluation takes to be there beside what is stored (RFC 7950, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defaults {
    /// Nothing.
    Hidden,
    /// Defaults in use and non-presence containers, of configuration only.
    OfConfiguration,
    /// Those of state, too.
    #[cfg_attr(not(test), expect(dead_code, reason = "nobody asks for state yet"))]
    All,
}
