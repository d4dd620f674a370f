//! The doors to the world: one file, one door.

pub(crate) mod handle;
