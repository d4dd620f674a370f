//! The doors to the world: one file, one door.

pub(crate) mod clock;
pub(crate) mod descriptors;
pub(crate) mod disk;
pub(crate) mod handle;
pub(crate) mod host;
pub(crate) mod password;
pub(crate) mod peer;
pub(crate) mod random;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod shutdown;
pub(crate) mod ssh;
pub(crate) mod tasks;
pub(crate) mod unix;
