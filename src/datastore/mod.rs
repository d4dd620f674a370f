//! Datastores (RFC 8342) and what an edit does to a tree (RFC 6241, 7.2; RFC 7950, 7 and 8.3).

pub(crate) mod edit;
