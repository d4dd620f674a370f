//! The replicated state and the log entries that change it (PROTOCOL Part 1).

pub(crate) mod apply;
mod apply_sessions;
pub(crate) mod entry;
pub(crate) mod message;
pub(crate) mod snapshot;
pub(crate) mod state;

#[cfg(test)]
mod tests;
