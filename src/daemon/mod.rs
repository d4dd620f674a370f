//! The agent as a process: its configuration, its log, its listeners, how it starts and ends.

pub(crate) mod configuration;
pub(crate) mod embed;
pub(crate) mod engine;
pub(crate) mod listeners;
pub(crate) mod logging;
mod models;
mod node;
pub(crate) mod participants;
pub(crate) mod readiness;
mod spare;
pub(crate) mod start;
pub(crate) mod users;

use self::configuration::Configuration;
use self::node::Node;
use self::readiness::{Signals, Supervisor};
use self::start::Registered;
use crate::io::descriptors;
use std::io;
use std::process::ExitCode;

/// Runs the agent until it is asked to end.
///
/// # Errors
/// If it cannot start: nothing serves then. If its log cannot be written any more: what was not answered before may or
/// may not be in it.
pub(crate) fn run(
    configuration: &Configuration,
    participants: Vec<Registered>,
) -> anyhow::Result<ExitCode> {
    logging::start(configuration.log)?;
    match descriptors::raise_limit() {
        Ok(open_files_max) => tracing::debug!(open_files_max, "limit of open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays low"),
    }
    let supervisor = Supervisor::from_environment();
    supervisor.status("starting: models, log and configuration are read");
    let mut node = Node::start(configuration, participants)?;
    let status = format!("NETCONF is open: {}", node.addresses());
    let stopped = async {
        // Whoever hears that we are ready may ask us to end at once.
        let signals = Signals::catch()?;
        tracing::info!("{status}");
        supervisor.ready(&status);
        Ok::<_, io::Error>(signals.asked_to_stop().await)
    };
    let signal = node.wait(stopped)??;
    tracing::info!(signal, "asked to end; sessions are finished");
    supervisor.stopping();
    node.stop()?;
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}
