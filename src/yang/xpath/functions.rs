//! The function library: XPath 1.0, 4, and RFC 7950, 10. Names, arguments and results.

use super::ast::Function as F;
use super::ast::ValueType::{self, Boolean, Nodes, Number, Text};

/// What a function takes and gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    /// Arguments that must be there.
    pub(super) least: usize,
    /// Arguments that can be there.
    pub(super) most: usize,
    /// The first argument must be a node-set; all others are converted.
    pub(super) takes_nodes: bool,
    /// Without an argument, the context node is the argument.
    pub(super) of_context: bool,
    pub(super) result: ValueType,
}

const fn plain(name: &'static str, least: usize, most: usize, result: ValueType) -> Signature {
    Signature { name, least, most, takes_nodes: false, of_context: false, result }
}

const fn nodes(name: &'static str, count: usize, result: ValueType) -> Signature {
    Signature { name, least: count, most: count, takes_nodes: true, of_context: false, result }
}

/// One argument, which can be left out.
const fn context(name: &'static str, takes_nodes: bool, result: ValueType) -> Signature {
    Signature { name, least: 0, most: 1, takes_nodes, of_context: true, result }
}

/// Arguments of `concat()` that are more than an expression can hold.
const MANY: usize = usize::MAX;

const ALL: [(F, Signature); 34] = [
    (F::BitIsSet, nodes("bit-is-set", 2, Boolean)),
    (F::Boolean, plain("boolean", 1, 1, Boolean)),
    (F::Ceiling, plain("ceiling", 1, 1, Number)),
    (F::Concat, plain("concat", 2, MANY, Text)),
    (F::Contains, plain("contains", 2, 2, Boolean)),
    (F::Count, nodes("count", 1, Number)),
    (F::Current, plain("current", 0, 0, Nodes)),
    (F::Deref, nodes("deref", 1, Nodes)),
    (F::DerivedFrom, nodes("derived-from", 2, Boolean)),
    (F::DerivedFromOrSelf, nodes("derived-from-or-self", 2, Boolean)),
    (F::EnumValue, nodes("enum-value", 1, Number)),
    (F::False, plain("false", 0, 0, Boolean)),
    (F::Floor, plain("floor", 1, 1, Number)),
    (F::Id, plain("id", 1, 1, Nodes)),
    (F::Lang, plain("lang", 1, 1, Boolean)),
    (F::Last, plain("last", 0, 0, Number)),
    (F::LocalName, context("local-name", true, Text)),
    (F::LocalName, context("name", true, Text)),
    (F::NamespaceUri, context("namespace-uri", true, Text)),
    (F::NormalizeSpace, context("normalize-space", false, Text)),
    (F::Not, plain("not", 1, 1, Boolean)),
    (F::Number, context("number", false, Number)),
    (F::Position, plain("position", 0, 0, Number)),
    (F::ReMatch, plain("re-match", 2, 2, Boolean)),
    (F::Round, plain("round", 1, 1, Number)),
    (F::StartsWith, plain("starts-with", 2, 2, Boolean)),
    (F::String, context("string", false, Text)),
    (F::StringLength, context("string-length", false, Number)),
    (F::Substring, plain("substring", 2, 3, Text)),
    (F::SubstringAfter, plain("substring-after", 2, 2, Text)),
    (F::SubstringBefore, plain("substring-before", 2, 2, Text)),
    (F::Sum, nodes("sum", 1, Number)),
    (F::Translate, plain("translate", 3, 3, Text)),
    (F::True, TRUE),
];

const TRUE: Signature = plain("true", 0, 0, Boolean);

impl F {
    /// The function with this name, and what it takes.
    pub(super) fn named(name: &str) -> Option<(Self, Signature)> {
        ALL.into_iter().find(|(_, signature)| signature.name == name)
    }

    pub(super) fn signature(self) -> Signature {
        ALL.into_iter().find(|(one, _)| *one == self).map_or(TRUE, |(_, signature)| signature)
    }
}
