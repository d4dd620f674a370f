//! The YANG compiler and the judge (libyang).
/// Full validation and foreign types.
#[derive(Debug)]
pub(crate) struct Judge;
/// A type of the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeHandle(pub(crate) u32);
