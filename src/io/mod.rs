//! The doors to the world: one file, one door.

pub(crate) mod clock;
pub(crate) mod handle;
pub(crate) mod password;
pub(crate) mod random;
pub(crate) mod service;
pub(crate) mod shutdown;
pub(crate) mod ssh;
pub(crate) mod tasks;
