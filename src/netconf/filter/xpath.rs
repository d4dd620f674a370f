//! XPath filters (RFC 6241, 8.9).
//!
//! Prefixes are those in scope at `<filter>`. Beyond the RFC, so that clients of other servers are understood, a name
//! without prefix is that of any module, and a prefix that is not declared is the name of a module. Defaults that are not
//! reported are not seen either, so that the filter selects what a client would find with it in the whole.

use crate::xml::Scope;
use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::Tree;
use crate::yang::xpath::{
    Compiled, EvaluationError, Names, Prefixes, SyntaxError, Unprefixed, ValueType, select,
};
use std::collections::BTreeSet;

/// An XPath filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Xpath {
    expression: Compiled,
    /// The top-level nodes in which it reads; `None` if that may be all.
    tops: Option<BTreeSet<NodeId>>,
}

impl Xpath {
    /// Reads the value of `select`.
    ///
    /// # Errors
    /// It is no expression, or not one of a node-set, which RFC 6241 wants (8.9.1).
    pub(crate) fn parse(
        text: &str,
        scope: &Scope<'_>,
        schema: &Schema,
    ) -> Result<Self, SyntaxError> {
        let names = Names { prefixes: Prefixes::Declared(scope), unprefixed: Unprefixed::OfAny };
        let expression = Compiled::parse(schema, text, names)?;
        if expression.value_type() != ValueType::Nodes {
            let message = "the expression is not one of a node-set".to_owned();
            return Err(SyntaxError { position: 0, message });
        }
        let tops = expression.reads(schema, None).filter(|reads| !reads.is_root).map(|reads| {
            let top = |id: &NodeId| schema.ancestors(*id).last().unwrap_or(*id);
            reads.nodes.keys().map(top).collect()
        });
        Ok(Self { expression, tops })
    }

    /// False if it reads nothing in the top-level node `node`.
    pub(crate) fn can_select(&self, node: NodeId) -> bool {
        self.tops.as_ref().is_none_or(|tops| tops.contains(&node))
    }

    /// The nodes that it selects of a tree, those above them, and the keys of entries on the way.
    ///
    /// # Errors
    /// A limit is reached.
    pub(crate) fn select(&self, schema: &Schema, tree: &Tree) -> Result<Tree, EvaluationError> {
        select(schema, tree, &self.expression)
    }
}
