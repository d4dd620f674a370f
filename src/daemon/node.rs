//! A node of this process, from start to end.

use super::configuration::Configuration;
use super::engine::{self, EngineError};
use super::listeners::{Addresses, Listeners};
use super::start::Registered;
use super::{models, start};
use crate::io::shutdown::ShutdownSender;
use crate::io::{clock, shutdown};
use crate::netconf::hello::Features;
use crate::netconf::server::Server;
use anyhow::Context;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A node that serves.
pub(crate) struct Node {
    runtime: Runtime,
    addresses: Addresses,
    shutdown: ShutdownSender,
    serving: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<(), EngineError>>,
}

impl Node {
    /// Starts a node and waits until NETCONF is open.
    ///
    /// # Errors
    /// If it cannot start: nothing serves then.
    pub(crate) fn start(
        configuration: &Configuration,
        participants: Vec<Registered>,
    ) -> anyhow::Result<Self> {
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
        let engine::Running { handle, ready, stop, ended } = engine;
        if runtime.block_on(ready).is_err() {
            runtime.block_on(ended).context("the agent's thread is gone")??;
            anyhow::bail!("the agent ended before it was ready");
        }
        let (shutdown, word) = shutdown::channel();
        let listeners = runtime.block_on(Listeners::open(configuration, handle, server, word))?;
        let addresses = listeners.addresses().clone();
        let serving = runtime.spawn(listeners.serve());
        Ok(Self { runtime, addresses, shutdown, serving, stop, ended })
    }

    /// Where clients can knock.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Waits until `asked` is ready, or the agent cannot go on.
    ///
    /// # Errors
    /// If the agent ended by itself. What was not answered before may or may not be in the log.
    pub(crate) fn wait<T>(&mut self, asked: impl Future<Output = T>) -> anyhow::Result<T> {
        let Self { runtime, ended, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                asked = asked => Ok(asked),
                result = ended => {
                    result.context("the agent's thread is gone")??;
                    anyhow::bail!("the agent ended by itself");
                }
            }
        })
    }

    /// Answers what was asked, ends all sessions, and closes the log.
    ///
    /// # Errors
    /// If a task or the agent failed meanwhile.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let Self { runtime, shutdown, serving, stop, ended, .. } = self;
        shutdown.request();
        runtime.block_on(serving)?;
        // The agent may have ended in the meantime; its result tells.
        stop.send(()).ok();
        runtime.block_on(ended).context("the agent's thread is gone")??;
        Ok(())
    }
}
