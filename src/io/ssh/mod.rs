//! NETCONF over SSH (RFC 6242): the server, its users, its host keys.

pub(crate) mod accounts;
pub(crate) mod authorized_keys;
pub(crate) mod backoff;
mod channel;
mod connection;
pub(crate) mod host_key;
mod stream;
#[cfg(test)]
mod tests;

use self::accounts::Accounts;
use self::backoff::Backoff;
use self::connection::{Connection, METHODS, SharedBackoff};
use self::host_key::HostKeyError;
use self::stream::{READ_AHEAD_BYTES, Stream};
use super::service::Service;
use super::shutdown::Shutdown;
use super::tasks::{self, Tasks};
use crate::base::limits::{
    SESSION_END_TIMEOUT_S, SSH_INACTIVITY_TIMEOUT_S, SSH_KEEPALIVE_S, SSH_KEEPALIVES_MAX,
};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::{Disconnect, MethodSet, Preferred, SshId, cipher, kex, mac, server};
use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;

/// Pause after the system refused to hand out a connection, for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the server is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshSettings {
    pub(crate) listen: SocketAddr,
    /// At least one; the first is made if it does not exist.
    pub(crate) host_keys: Vec<PathBuf>,
    /// Attempts of one connection, at least 1.
    pub(crate) auth_attempts_max: usize,
    pub(crate) auth_timeout: Duration,
    /// Connections without a user, at least 1.
    pub(crate) unauthenticated_max: usize,
    /// Connections of all kinds, at least 1.
    pub(crate) connections_max: usize,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SshError {
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    #[error("cannot listen for SSH on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
}

/// A server that listens.
pub(crate) struct SshServer<S> {
    listener: TcpListener,
    address: SocketAddr,
    auth_timeout: Duration,
    shared: Arc<Shared<S>>,
}

/// What all connections share.
struct Shared<S> {
    config: Arc<server::Config>,
    accounts: Arc<Accounts>,
    backoff: SharedBackoff,
    attempts_max: usize,
    unauthenticated: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    service: S,
}

impl<S: Service> SshServer<S> {
    /// Loads or makes the host keys and begins to listen.
    ///
    /// # Errors
    /// If a host key cannot be used or the address is taken. A new host key stays.
    pub(crate) async fn open(
        settings: &SshSettings,
        accounts: Accounts,
        service: S,
    ) -> Result<Self, SshError> {
        let host_keys = host_key::load_all(&settings.host_keys)?;
        let fail = |source| SshError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let shared = Shared {
            config: Arc::new(config(host_keys, settings.auth_attempts_max)),
            accounts: Arc::new(accounts),
            backoff: SharedBackoff::new(Backoff::default()),
            attempts_max: settings.auth_attempts_max,
            unauthenticated: Arc::new(Semaphore::new(settings.unauthenticated_max)),
            connections: Arc::new(Semaphore::new(settings.connections_max)),
            service,
        };
        let auth_timeout = settings.auth_timeout;
        Ok(Self { listener, address, auth_timeout, shared: Arc::new(shared) })
    }

    /// Where it listens; the port that the system chose if 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the word, then waits for the sessions to end and closes the connections.
    pub(crate) async fn serve(self, mut shutdown: Shutdown) {
        let (tasks, running) = tasks::channel();
        loop {
            let accepted = tokio::select! {
                () = shutdown.requested() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, source)) => self.accept(stream, source, &tasks, &shutdown),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an SSH connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self);
        drop(tasks);
        running.ended().await;
    }

    fn accept(&self, stream: TcpStream, source: SocketAddr, tasks: &Tasks, shutdown: &Shutdown) {
        let Ok(connection) = Arc::clone(&self.shared.connections).try_acquire_owned() else {
            tracing::warn!(%source, "refused: there are too many SSH connections");
            return;
        };
        let unauthenticated = Arc::clone(&self.shared.unauthenticated);
        let Ok(permit) = unauthenticated.try_acquire_owned() else {
            tracing::debug!(%source, "refused: too many connections are not authenticated");
            return;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%source, %error, "cannot switch Nagle's algorithm off");
        }
        let accepted = Accepted {
            shared: Arc::clone(&self.shared),
            tasks: tasks.clone(),
            stream: Stream::new(stream),
            source,
            auth_timeout: self.auth_timeout,
        };
        let serving = accepted.serve(permit, shutdown.clone());
        tasks.spawn(async move {
            serving.await;
            drop(connection);
        });
    }
}

/// A connection before anything was said.
struct Accepted<S> {
    shared: Arc<Shared<S>>,
    tasks: Tasks,
    stream: Stream,
    source: SocketAddr,
    auth_timeout: Duration,
}

impl<S: Service> Accepted<S> {
    async fn serve(self, permit: OwnedSemaphorePermit, mut shutdown: Shutdown) {
        let Self { shared, tasks, stream, source, auth_timeout } = self;
        let (tell_authenticated, authenticated) = oneshot::channel();
        let running = Arc::new(watch::Sender::new(0));
        let mut sessions = running.subscribe();
        let config = Arc::clone(&shared.config);
        let handler = Connection::new(shared, tasks, source, (permit, tell_authenticated), running);
        let in_russh = BufReader::with_capacity(READ_AHEAD_BYTES, stream.clone());
        let connection = async move {
            match server::run_stream(config, in_russh, handler).await {
                Ok(session) => session.await,
                Err(error) => Err(error),
            }
        };
        tokio::pin!(connection);
        let handle = tokio::select! {
            result = &mut connection => return report(source, result),
            handle = timeout(auth_timeout, authenticated) => handle,
            () = shutdown.requested() => return stream.close(),
        };
        let Ok(Ok(handle)) = handle else {
            tracing::debug!(%source, "not authenticated in time");
            return stream.close();
        };
        tokio::select! {
            result = &mut connection => return report(source, result),
            () = shutdown.requested() => {}
        }
        let farewell = async {
            // The sessions hear the word themselves.
            let ended = sessions.wait_for(|count| *count == 0).await.is_ok();
            let (reason, language) = ("shutting down".to_owned(), String::new());
            let told = handle.disconnect(Disconnect::ByApplication, reason, language).await.is_ok();
            (ended && told).then_some(connection.await)
        };
        if timeout(Duration::from_secs(SESSION_END_TIMEOUT_S), farewell).await.is_err() {
            tracing::debug!(%source, "the client does not take the end of its connection");
        }
        stream.close();
    }
}

/// Writes down how a connection ended.
fn report(source: SocketAddr, result: Result<(), russh::Error>) {
    match result {
        Ok(()) => tracing::debug!(%source, "SSH connection closed"),
        Err(error) => tracing::debug!(%source, %error, "SSH connection ended"),
    }
}

/// The library's settings; each that differs from its default has its reason.
fn config(host_keys: Vec<PrivateKey>, attempts_max: usize) -> server::Config {
    let id = concat!("SSH-2.0-Quorate_", env!("CARGO_PKG_VERSION"));
    server::Config {
        server_id: SshId::Standard(Cow::Borrowed(id)),
        // The default offers hostbased, too.
        methods: MethodSet::from(METHODS.as_slice()),
        // Delays are those of `Backoff`; here they would be paid for each key that a client offers.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        // The library counts the probe with method none, we do not.
        max_auth_attempts: attempts_max.saturating_add(1),
        keys: host_keys,
        preferred: preferred(),
        // An idle session lives as long as its client answers.
        inactivity_timeout: Some(Duration::from_secs(SSH_INACTIVITY_TIMEOUT_S)),
        keepalive_interval: Some(Duration::from_secs(SSH_KEEPALIVE_S)),
        keepalive_max: SSH_KEEPALIVES_MAX,
        nodelay: true,
        ..server::Config::default()
    }
}

/// Host keys that we offer if there are such files, and with which users may log in (RFC 8308): never RSA with SHA-1.
/// Which one it is, the order of the client decides.
fn host_algorithms() -> [Algorithm; 6] {
    [
        Algorithm::Ed25519,
        // RFC 5656, 3.
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        // RFC 8332, 3.
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ]
}

/// What we offer. The client's order decides, so that this is what we are ready to do.
fn preferred() -> Preferred {
    Preferred {
        kex: Cow::Borrowed(&[
            kex::MLKEM768X25519_SHA256,
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::ECDH_SHA2_NISTP256,
            kex::ECDH_SHA2_NISTP384,
            kex::ECDH_SHA2_NISTP521,
            kex::DH_G16_SHA512,
            kex::DH_G14_SHA256,
            kex::EXTENSION_SUPPORT_AS_SERVER,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
        ]),
        key: Cow::Owned(host_algorithms().to_vec()),
        cipher: Cow::Borrowed(&[
            cipher::CHACHA20_POLY1305,
            cipher::AES_128_GCM,
            cipher::AES_256_GCM,
            cipher::AES_128_CTR,
            cipher::AES_192_CTR,
            cipher::AES_256_CTR,
        ]),
        mac: Cow::Borrowed(&[
            mac::HMAC_SHA256_ETM,
            mac::HMAC_SHA512_ETM,
            mac::HMAC_SHA256,
            mac::HMAC_SHA512,
        ]),
        ..Preferred::DEFAULT
    }
}
