//! Values: what the types of RFC 7950 section 9 accept, and their canonical form.

pub(crate) mod decimal;
