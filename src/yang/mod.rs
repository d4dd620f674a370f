//! YANG: compiled models, typed data, their encodings.

pub(crate) mod error;
pub(crate) mod libyang;
mod lookup;
pub(crate) mod path;
pub(crate) mod path_text;
pub(crate) mod prefixes;
pub(crate) mod print;
pub(crate) mod schema;
pub(crate) mod tree;
pub(crate) mod types;
pub(crate) mod validate;
pub(crate) mod xpath;
pub(crate) mod xsd_regex;
