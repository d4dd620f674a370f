//! The shell: one file for each thing outside.

pub(crate) mod disk;
