//! The agent as a process: its configuration, its log, its listeners, how it starts and ends.

pub(crate) mod configuration;
pub(crate) mod engine;
pub(crate) mod listeners;
pub(crate) mod logging;
mod models;
pub(crate) mod participants;
pub(crate) mod readiness;
pub(crate) mod start;
pub(crate) mod users;

use self::configuration::Configuration;
use self::listeners::Listeners;
use self::readiness::Supervisor;
use self::start::Registered;
use crate::io::{clock, shutdown};
use crate::netconf::hello::Features;
use crate::netconf::server::Server;
use anyhow::Context;
use std::process::ExitCode;
use std::sync::Arc;

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
    let datastores = start::datastores(configuration)?;
    let schema = models::load(configuration, datastores)?;
    let features = Features {
        candidate: datastores.may_commit(),
        startup: false,
        writable_running: datastores.writable_running(),
    };
    let server = Server::new(Arc::clone(&schema), features, clock::wall());
    let engine = start::start(configuration, &schema, participants)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(configuration, engine, server))
}

async fn serve(
    configuration: &Configuration,
    engine: engine::Running,
    server: Arc<Server>,
) -> anyhow::Result<ExitCode> {
    let engine::Running { handle, ready, stop, mut ended } = engine;
    if ready.await.is_err() {
        ended.await.context("the agent's thread is gone")??;
        anyhow::bail!("the agent ended before it was ready");
    }
    let (shutdown_sender, shutdown) = shutdown::channel();
    let listeners = Listeners::open(configuration, handle, server, shutdown).await?;
    let supervisor = Supervisor::from_environment();
    let status = format!("NETCONF is open: {}", listeners.addresses());
    tracing::info!("{status}");
    supervisor.ready(&status);
    let serving = tokio::spawn(listeners.serve());
    tokio::select! {
        signal = readiness::asked_to_stop() => {
            tracing::info!(signal = signal?, "asked to end; sessions are finished");
        }
        result = &mut ended => {
            result.context("the agent's thread is gone")??;
            anyhow::bail!("the agent ended by itself");
        }
    }
    supervisor.stopping();
    shutdown_sender.request();
    serving.await?;
    // The engine may have ended in the meantime; its result tells.
    stop.send(()).ok();
    ended.await.context("the agent's thread is gone")??;
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}
