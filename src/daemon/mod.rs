//! The agent as a process: its configuration, its log, its listeners, how it starts and ends.

pub(crate) mod configuration;
mod diverged;
pub(crate) mod embed;
pub(crate) mod engine;
pub(crate) mod listeners;
pub(crate) mod logging;
mod member;
mod models;
mod node;
pub(crate) mod participants;
pub(crate) mod readiness;
mod rejoin;
mod replay;
mod snapshots;
mod spare;
pub(crate) mod start;
pub(crate) mod users;
pub(crate) mod verify;

use self::configuration::Configuration;
use self::engine::EngineError;
use self::node::Node;
use self::readiness::Supervisor;
use self::start::Registered;
use crate::io::descriptors;
use std::process::ExitCode;

/// The exit status of a node that was removed from its cluster: a supervisor should not start it again.
const REMOVED: u8 = 3;

/// Runs the agent until it is asked to end, or is removed from its cluster.
///
/// # Errors
/// If it cannot start: nothing serves then. If its log cannot be written any more: what was not answered before may or
/// may not be in it.
pub(crate) fn run(
    configuration: &Configuration,
    participants: Vec<Registered>,
) -> anyhow::Result<ExitCode> {
    logging::start(configuration.log)?;
    let Err(error) = serve(configuration, participants) else { return Ok(ExitCode::SUCCESS) };
    match error.downcast_ref() {
        Some(EngineError::Removed(why)) => {
            tracing::warn!("{why}");
            Ok(ExitCode::from(REMOVED))
        }
        Some(_) | None => Err(error),
    }
}

fn serve(configuration: &Configuration, participants: Vec<Registered>) -> anyhow::Result<()> {
    match descriptors::raise_limit() {
        Ok(open_files_max) => tracing::debug!(open_files_max, "limit of open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays low"),
    }
    let supervisor = Supervisor::from_environment();
    supervisor.status("starting: models, log and configuration are read");
    let mut node = Node::start(configuration, participants)?;
    let mut signals = node.catch_signals()?;
    let signal = match node.open(signals.asked_to_stop())? {
        Some(signal) => signal,
        None => {
            let status = format!("NETCONF is open: {}", node.addresses());
            tracing::info!("{status}");
            supervisor.ready(&status);
            node.wait(signals.asked_to_stop())?
        }
    };
    tracing::info!(signal, "asked to end; sessions are finished");
    supervisor.stopping();
    node.stop()?;
    tracing::info!("ended");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_service_does_not_start_a_removed_node_again() {
        let unit = include_str!("../../conf/quorate.service");
        let line = format!("RestartPreventExitStatus={}", super::REMOVED);
        assert!(unit.lines().any(|one| one == line), "{line}");
    }
}
