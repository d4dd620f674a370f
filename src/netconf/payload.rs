//! A placeholder: it reads nothing.

use crate::datastore::edit::{DefaultOperation, Edit};
use crate::xml::{Reader, XmlError};
use crate::yang::error::DataError;
use crate::yang::schema::Schema;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operations {
    Allowed(DefaultOperation),
    Forbidden,
}
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PayloadError {
    Xml(XmlError),
    Data(Box<DataError>),
}
pub(crate) fn read_config(
    reader: &mut Reader<'_>,
    _schema: &Schema,
    operations: Operations,
) -> Result<Edit, PayloadError> {
    let default_operation = match operations {
        Operations::Allowed(default) => default,
        Operations::Forbidden => DefaultOperation::Merge,
    };
    reader.skip().map_err(PayloadError::Xml)?;
    Ok(Edit { default_operation, nodes: vec![] })
}
