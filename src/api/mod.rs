//! What applications say to us, and we to them.

pub(crate) mod hook;
