//! XML 1.0 with namespaces: bytes to events and back. No document type, no entities but the five.

mod attributes;
mod characters;
mod copy;
pub(crate) mod reader;
mod scope;
pub(crate) mod writer;

pub(crate) use reader::{Attribute, Content, Event, Reader, XmlError};
pub(crate) use scope::Scope;
pub(crate) use writer::Writer;

/// What the prefix `xml` stands for.
pub(crate) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// What the prefix `xmlns` stands for; it cannot be declared.
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// XML's white space (XML 1.0, 2.3).
pub(crate) fn is_white_space(text: &str) -> bool {
    text.bytes().all(characters::is_space)
}

/// The text without XML white space around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// The text is a name without a colon (Namespaces in XML, 3).
pub(crate) fn is_ncname(text: &str) -> bool {
    characters::is_ncname(text)
}
