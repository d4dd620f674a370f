//! The agent as a process: its configuration, its log, its listeners, how it starts and ends.

pub(crate) mod configuration;
pub(crate) mod engine;
pub(crate) mod listeners;
pub(crate) mod logging;
pub(crate) mod participants;
pub(crate) mod readiness;
pub(crate) mod start;
pub(crate) mod users;

use self::configuration::Configuration;
use std::process::ExitCode;

/// Runs the agent until it is asked to end.
///
/// # Errors
/// If it cannot start. Nothing serves then.
pub(crate) fn run(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    logging::start(configuration.log)?;
    anyhow::bail!("the engine is not wired")
}
