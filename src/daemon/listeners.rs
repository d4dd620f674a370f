//! The transports: opened before anything is announced, served until the word.

use super::configuration::value::{SshListen, UnixListen};
use super::configuration::{Configuration, Sessions as SessionSettings};
use super::users;
use crate::io::handle::AgentHandle;
use crate::io::session::{SessionLimits, Sessions};
use crate::io::shutdown::Shutdown;
use crate::io::ssh::{SshServer, SshSettings};
use crate::io::unix::UnixServer;
use crate::netconf::server::Server;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Sockets on which clients can knock. Who knocks before `serve` waits.
pub(crate) struct Listeners {
    ssh: Option<SshServer<Sessions>>,
    unix: Option<UnixServer<Sessions>>,
    shutdown: Shutdown,
    addresses: Addresses,
}

/// Where the node can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) ssh: Option<SocketAddr>,
    pub(crate) unix: Option<PathBuf>,
}

impl Listeners {
    /// Opens what is configured.
    ///
    /// # Errors
    /// If an address is in use, a key or a file of keys cannot be read. Nothing listens then.
    pub(crate) async fn open(
        configuration: &Configuration,
        agent: AgentHandle,
        server: Arc<Server>,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        let SessionSettings { hello_timeout_s, idle_timeout_s, .. } = configuration.sessions;
        let limits = SessionLimits::new(hello_timeout_s, idle_timeout_s);
        let sessions = Sessions::new(agent, server, limits, shutdown.clone());
        let mut addresses = Addresses { ssh: None, unix: None };
        let ssh = match ssh_settings(configuration) {
            None => None,
            Some(settings) => {
                let accounts = users::accounts(&configuration.users)?;
                let ssh = SshServer::open(&settings, accounts, sessions.clone()).await?;
                addresses.ssh = Some(ssh.address());
                Some(ssh)
            }
        };
        let unix = match &configuration.unix.path {
            UnixListen::Off => None,
            UnixListen::At(path) => {
                addresses.unix = Some(path.clone());
                Some(UnixServer::open(path, configuration.unix.mode.0, sessions).await?)
            }
        };
        if ssh.is_some() && configuration.users.is_empty() {
            tracing::warn!("no users are configured: nobody can log in by SSH");
        }
        Ok(Self { ssh, unix, shutdown, addresses })
    }

    /// Where clients can knock.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Serves clients until the word, and then until the last session has ended.
    pub(crate) async fn serve(self) {
        let Self { ssh, unix, shutdown, .. } = self;
        let ssh = async {
            if let Some(ssh) = ssh {
                ssh.serve(shutdown.clone()).await;
            }
        };
        let unix = async {
            if let Some(unix) = unix {
                unix.serve(shutdown.clone()).await;
            }
        };
        tokio::join!(ssh, unix);
    }
}

fn ssh_settings(configuration: &Configuration) -> Option<SshSettings> {
    let ssh = &configuration.ssh;
    let SshListen::At(listen) = ssh.listen else { return None };
    Some(SshSettings {
        listen,
        host_key: ssh.host_key.clone(),
        auth_attempts_max: ssh.auth_attempts_max,
        auth_timeout: Duration::from_secs(ssh.auth_timeout_s),
        unauthenticated_max: ssh.unauthenticated_max,
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
