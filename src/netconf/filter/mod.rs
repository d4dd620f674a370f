//! `<filter>` (RFC 6241, 6 and 8.9).

pub(crate) mod subtree;
pub(crate) mod xpath;

use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::Tree;
use crate::yang::xpath::EvaluationError;

/// What is wanted of a datastore. It belongs to the schema that it was read with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    Subtree(subtree::Subtree),
    Xpath(xpath::Xpath),
}

impl Filter {
    /// False if nothing of the top-level node `node` can be selected, whatever it holds, nor read for it.
    pub(crate) fn can_select(&self, node: NodeId) -> bool {
        match self {
            Self::Subtree(filter) => filter.can_select(node),
            Self::Xpath(filter) => filter.can_select(node),
        }
    }

    /// What the filter selects of a tree. What is selected whole is shared with it.
    ///
    /// # Errors
    /// An XPath expression reaches a limit.
    pub(crate) fn select(&self, schema: &Schema, tree: &Tree) -> Result<Tree, EvaluationError> {
        match self {
            Self::Subtree(filter) => Ok(filter.select(schema, tree)),
            Self::Xpath(filter) => filter.select(schema, tree),
        }
    }
}
