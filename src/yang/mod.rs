//! YANG: compiled models, typed data, their encodings.

pub(crate) mod error;
pub(crate) mod libyang;
pub(crate) mod path;
pub(crate) mod schema;
pub(crate) mod tree;
