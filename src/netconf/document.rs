//! Configuration that comes as a document instead of a request.

use super::BASE_NAMESPACE;
use super::payload::{Operations, PayloadError, read_config};
use crate::datastore::edit::{DefaultOperation, Edit};
use crate::xml::{Event, Reader};
use crate::yang::schema::Schema;

/// Why a document is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DocumentError(String);

/// A file with plain configuration: its top-level elements, or a `<config>` or `<data>` element around them.
pub(crate) fn read_document(text: &[u8], schema: &Schema) -> Result<Edit, DocumentError> {
    let is_wrapped = Reader::new(text).is_ok_and(|mut reader| {
        matches!(reader.next(), Ok(Event::Start)) && matches!(reader.name(), "config" | "data")
    });
    if is_wrapped {
        return read(text, schema, Operations::Forbidden);
    }
    let text = std::str::from_utf8(text).map_err(|error| DocumentError(error.to_string()))?;
    let content = match text.trim_start().strip_prefix("<?xml") {
        Some(declared) => declared.split_once("?>").map_or("", |(_, content)| content),
        None => text,
    };
    read(wrapped(content).as_bytes(), schema, Operations::Forbidden)
}

/// The content of a `<config>` element, with operation attributes if there are any.
pub(crate) fn read_fragment(xml: &str, schema: &Schema) -> Result<Edit, DocumentError> {
    read(wrapped(xml).as_bytes(), schema, Operations::Allowed(DefaultOperation::Merge))
}

fn wrapped(content: &str) -> String {
    format!("<config xmlns=\"{BASE_NAMESPACE}\">{content}</config>")
}

fn read(text: &[u8], schema: &Schema, operations: Operations) -> Result<Edit, DocumentError> {
    let malformed = |error: crate::xml::XmlError| DocumentError(error.to_string());
    let other = |reason: &str| DocumentError(reason.to_owned());
    let mut reader = Reader::new(text).map_err(malformed)?;
    match reader.next().map_err(malformed)? {
        Event::Start if matches!(reader.name(), "config" | "data") => {}
        Event::Start | Event::Text | Event::End | Event::Eof => {
            return Err(other("its root element is not <config> or <data>"));
        }
    }
    let edit = read_config(&mut reader, schema, operations).map_err(|error| match error {
        PayloadError::Xml(error) => malformed(error),
        PayloadError::Data(error) => {
            let place = error.path.as_ref().map(|path| crate::yang::path_text::print(schema, path));
            let place = place.map_or_else(String::new, |place| format!("{place}: "));
            DocumentError(format!("{place}{}", error.message))
        }
    })?;
    match reader.next().map_err(malformed)? {
        Event::Eof => Ok(edit),
        Event::Start | Event::Text | Event::End => Err(other("something follows its root element")),
    }
}
