//! A node of this process, from start to end.

use super::configuration::Configuration;
use super::engine::{self, EngineError};
use super::listeners::{self, Addresses};
use super::readiness::Signals;
use super::start::{Registered, Started};
use super::{models, start};
use crate::io::session::Sessions;
use crate::io::shutdown::{Shutdown, ShutdownSender};
use crate::io::{clock, shutdown};
use crate::netconf::hello::Features;
use crate::netconf::server::Server;
use anyhow::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A node that has just started lets clients of the local socket wait so long for it, before it refuses them.
const LOCAL_PATIENCE: Duration = Duration::from_secs(1);
/// A node whose agent has ended by itself gives its sessions so long to send the answers that they have.
const FAREWELL: Duration = Duration::from_secs(1);

/// A node whose agent runs.
pub(crate) struct Node {
    configuration: Configuration,
    runtime: Runtime,
    /// That of the members' connections.
    transport: Runtime,
    addresses: Addresses,
    sessions: Sessions,
    /// Resolves when NETCONF may open.
    ready: Option<oneshot::Receiver<()>>,
    /// Said when it does.
    opened: ShutdownSender,
    joining: bool,
    shutdown: ShutdownSender,
    word: Shutdown,
    serving: Vec<JoinHandle<()>>,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<(), EngineError>>,
    /// Members are talked to until the agent has ended.
    hang_up: ShutdownSender,
    peers: JoinHandle<()>,
}

impl Node {
    /// Starts a node, and opens its local socket.
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
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let Started { running, peers, joining } =
            start::start(configuration, &schema, participants, &runtime)?;
        let engine::Running { handle, ready, stop, ended } = running;
        let (hang_up, word) = shutdown::channel();
        // A thread of its own: members are not to wait until a session has read or printed something long.
        let transport = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("members")
            .enable_all()
            .build()?;
        let peers = transport.spawn(peers.serve(handle.clone(), word));
        let (shutdown, word) = shutdown::channel();
        let (opened, is_open) = shutdown::channel();
        let sessions = listeners::sessions(configuration, handle, server, word.clone());
        let mut addresses = Addresses { ssh: None, unix: None };
        let mut serving = Vec::new();
        let local = runtime.block_on(listeners::open_unix(configuration, sessions.clone()))?;
        if let Some((unix, path)) = local {
            addresses.unix = Some(path);
            let mut is_open = is_open;
            let word = word.clone();
            serving.push(runtime.spawn(async move {
                // Who comes early may wait a moment; what comes of it, the agent decides.
                timeout(LOCAL_PATIENCE, is_open.requested()).await.unwrap_or_default();
                unix.serve(word).await;
            }));
        }
        Ok(Self {
            configuration: configuration.clone(),
            runtime,
            transport,
            addresses,
            sessions,
            ready: Some(ready),
            opened,
            joining,
            shutdown,
            word,
            serving,
            stop,
            ended,
            hang_up,
            peers,
        })
    }

    /// Waits until the node is ready, and opens NETCONF; or until `asked` is ready, and gives what it says.
    ///
    /// # Errors
    /// If the node cannot serve.
    pub(crate) fn open<T>(&mut self, asked: impl Future<Output = T>) -> anyhow::Result<Option<T>> {
        let Some(ready) = self.ready.take() else { return Ok(None) };
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                ready = ready => Ok(ready),
                asked = asked => Err(asked),
            }
        });
        match outcome {
            Err(asked) => return Ok(Some(asked)),
            Ok(Ok(())) => {}
            Ok(Err(_)) => {
                let ended = self.runtime.block_on(&mut self.ended);
                return Err(self.ended_by_itself(ended));
            }
        }
        if self.joining {
            tracing::info!("this node is caught up with its cluster");
        }
        let sessions = self.sessions.clone();
        let ssh = listeners::open_ssh(&self.configuration, sessions);
        if let Some(ssh) = self.runtime.block_on(ssh)? {
            self.addresses.ssh = Some(ssh.address());
            self.serving.push(self.runtime.spawn(ssh.serve(self.word.clone())));
        }
        self.opened.request();
        Ok(None)
    }

    /// From now on the process does not die of the signals that ask it to end.
    ///
    /// # Errors
    /// If they cannot be caught.
    pub(crate) fn catch_signals(&self) -> std::io::Result<Signals> {
        let _in_runtime = self.runtime.enter();
        Signals::catch()
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
        let ended = runtime.block_on(async {
            tokio::select! {
                asked = asked => Ok(asked),
                ended = ended => Err(ended),
            }
        });
        ended.map_err(|ended| self.ended_by_itself(ended))
    }

    /// Why the agent ended, after a farewell.
    fn ended_by_itself(
        &mut self,
        ended: Result<Result<(), EngineError>, oneshot::error::RecvError>,
    ) -> anyhow::Error {
        self.farewell();
        match ended {
            Ok(Ok(())) => anyhow::anyhow!("the agent ended by itself"),
            Ok(Err(error)) => {
                if let EngineError::Removed(_) = error {
                    self.hang_up();
                }
                error.into()
            }
            Err(gone) => anyhow::Error::new(gone).context("the agent's thread is gone"),
        }
    }

    /// Closes the connections to other members in order. Those to one that fails break, which says more.
    fn hang_up(&mut self) {
        self.hang_up.request();
        let peers = &mut self.peers;
        let ended = self.runtime.block_on(async { timeout(FAREWELL, peers).await });
        if !matches!(ended, Ok(Ok(()))) {
            tracing::debug!("connections to members are left as they are");
        }
    }

    /// Lets the sessions send the answers that they have.
    fn farewell(&mut self) {
        self.shutdown.request();
        let serving = std::mem::take(&mut self.serving);
        let all = async {
            for task in serving {
                // What a task has to say of its end helps nobody any more.
                drop(task.await);
            }
        };
        self.runtime.block_on(async { timeout(FAREWELL, all).await.unwrap_or_default() });
    }

    /// Answers what was asked, ends all sessions, closes the log, and hangs up.
    ///
    /// # Errors
    /// If a task or the agent failed meanwhile.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let Self {
            runtime, transport, opened, shutdown, serving, stop, ended, hang_up, peers, ..
        } = self;
        shutdown.request();
        opened.request();
        for task in serving {
            runtime.block_on(task)?;
        }
        // The agent may have ended in the meantime; its result tells.
        stop.send(()).ok();
        runtime.block_on(ended).context("the agent's thread is gone")??;
        hang_up.request();
        runtime.block_on(peers)?;
        drop(transport);
        Ok(())
    }
}
