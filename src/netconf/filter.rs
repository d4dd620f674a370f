//! A placeholder: it selects everything.

use crate::xml::{Reader, XmlError};
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter;
impl Filter {
    pub(crate) fn parse(reader: &mut Reader<'_>, _schema: &Schema) -> Result<Self, XmlError> {
        reader.skip()?;
        Ok(Self)
    }
    pub(crate) fn select(&self, _schema: &Schema, tree: &Tree) -> Tree {
        tree.clone()
    }
}
