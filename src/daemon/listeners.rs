//! The transports: opened before anything is announced.

use super::configuration::value::{SshListen, UnixListen};
use super::configuration::{Configuration, Sessions as SessionSettings};
use super::users;
use crate::base::limits::SSH_CONNECTIONS_MAX;
use crate::io::handle::AgentHandle;
use crate::io::session::{Reads, SessionLimits, Sessions};
use crate::io::shutdown::Shutdown;
use crate::io::ssh::{SshServer, SshSettings};
use crate::io::unix::UnixServer;
use crate::netconf::server::Server;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the node can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) ssh: Option<SocketAddr>,
    pub(crate) unix: Option<PathBuf>,
}

/// What every transport runs.
pub(crate) fn sessions(
    configuration: &Configuration,
    agent: AgentHandle,
    server: Arc<Server>,
    shutdown: Shutdown,
) -> Sessions {
    let SessionSettings { hello_timeout_s, idle_timeout_s, .. } = configuration.sessions;
    let reads = Reads {
        wait: Duration::from_millis(configuration.cluster.read_wait_ms),
        without_lease: configuration.cluster.minority_reads,
        consistency: configuration.cluster.reads,
    };
    let limits = SessionLimits::new(hello_timeout_s, idle_timeout_s, reads);
    Sessions::new(agent, server, limits, shutdown)
}

/// Opens SSH, if it is configured. Who knocks before it serves waits.
///
/// # Errors
/// If the address is in use, a key or a file of keys cannot be read.
pub(crate) async fn open_ssh(
    configuration: &Configuration,
    sessions: Sessions,
) -> anyhow::Result<Option<SshServer<Sessions>>> {
    let Some(settings) = ssh_settings(configuration) else { return Ok(None) };
    let accounts = users::accounts(&configuration.users)?;
    let ssh = SshServer::open(&settings, accounts, sessions).await?;
    if configuration.users.is_empty() {
        tracing::warn!("no users are configured: nobody can log in by SSH");
    }
    Ok(Some(ssh))
}

/// Opens the local socket, if it is configured. Who knocks before it serves waits.
///
/// # Errors
/// If somebody listens there, or it cannot be made.
pub(crate) async fn open_unix(
    configuration: &Configuration,
    sessions: Sessions,
) -> anyhow::Result<Option<(UnixServer<Sessions>, PathBuf)>> {
    let UnixListen::At(path) = &configuration.unix.path else { return Ok(None) };
    let unix = UnixServer::open(path, configuration.unix.mode.0, sessions).await?;
    Ok(Some((unix, path.clone())))
}

fn ssh_settings(configuration: &Configuration) -> Option<SshSettings> {
    let ssh = &configuration.ssh;
    let SshListen::At(listen) = ssh.listen else { return None };
    Some(SshSettings {
        listen,
        host_keys: ssh.host_keys.clone(),
        auth_attempts_max: ssh.auth_attempts_max,
        auth_timeout: Duration::from_secs(ssh.auth_timeout_s),
        unauthenticated_max: ssh.unauthenticated_max,
        connections_max: SSH_CONNECTIONS_MAX,
    })
}

impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.ssh, &self.unix) {
            (Some(ssh), Some(unix)) => write!(f, "SSH on {ssh} and {}", unix.display()),
            (Some(ssh), None) => write!(f, "SSH on {ssh}"),
            (None, Some(unix)) => write!(f, "{}", unix.display()),
            (None, None) => f.write_str("no transport"),
        }
    }
}
