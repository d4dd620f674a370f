//! What applications say to us, and we to them.

pub(crate) mod change;
pub(crate) mod hook;
pub(crate) mod participant;
