//! The agent as a process: its configuration, its log, its listeners, how it starts and ends.

pub(crate) mod configuration;
pub(crate) mod engine;
pub(crate) mod logging;
pub(crate) mod participants;
pub(crate) mod readiness;
pub(crate) mod start;
pub(crate) mod users;
