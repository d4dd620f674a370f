//! NETCONF over a local socket: who is at the other end is known from the operating system.

use super::service::{Peer, Service};
use super::shutdown::Shutdown;
use super::tasks;
use crate::netconf::state::Transport;
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// Where the names of users are.
const PASSWD: &str = "/etc/passwd";
/// Bytes of replies that the system is asked to hold for a client: it and we work at the same time, and wake each other
/// less often.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// Pause after the system refused to hand out a connection, for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no socket. What was at its path is still there, but for a socket that nobody listened on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnixError {
    #[error("another process listens on {}", path.display())]
    InUse { path: PathBuf },
    #[error("{} exists and is no socket", path.display())]
    NotASocket { path: PathBuf },
    #[error("cannot listen on the socket {}: {source}", path.display())]
    Listen { path: PathBuf, source: io::Error },
}

/// A local socket that listens.
pub(crate) struct UnixServer<S> {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of our socket: the path may come to belong to another agent.
    identity: (u64, u64),
    service: S,
}

impl<S: Service> UnixServer<S> {
    /// Makes the socket, open to `mode`. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// If somebody listens there, or something else than a socket is there, or it cannot be made.
    pub(crate) async fn open(path: &Path, mode: u32, service: S) -> Result<Self, UnixError> {
        let fail = |source| UnixError::Listen { path: path.to_owned(), source };
        match fs::symlink_metadata(path) {
            Ok(metadata) => is_stale(path, &metadata).await?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(fail(source)),
        }
        if let Some(parent) = path.parent()
            && !parent.as_os_str().is_empty()
        {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        // Made beside its place and moved there when its mode is right: there is no moment with a wrong one.
        let temporary = temporary_beside(path);
        remove(&temporary).map_err(fail)?;
        let listener = UnixListener::bind(&temporary).map_err(fail)?;
        fs::set_permissions(&temporary, Permissions::from_mode(mode)).map_err(fail)?;
        let identity = fs::symlink_metadata(&temporary).map(|it| identity(&it)).map_err(fail)?;
        fs::rename(&temporary, path).map_err(fail)?;
        Ok(Self { listener, path: path.to_owned(), identity, service })
    }

    /// Serves until the word, waits for the sessions to end and removes the socket.
    pub(crate) async fn serve(self, mut shutdown: Shutdown) {
        let (tasks, running) = tasks::channel();
        loop {
            let accepted = tokio::select! {
                () = shutdown.requested() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => tasks.spawn(serve_one(self.service.clone(), stream)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a local connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.close();
        drop(tasks);
        running.ended().await;
    }

    fn close(self) {
        let Self { listener, path, identity: ours, service } = self;
        if fs::symlink_metadata(&path).is_ok_and(|metadata| identity(&metadata) == ours)
            && let Err(error) = remove(&path)
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove the socket");
        }
        drop((listener, service));
    }
}

async fn serve_one<S: Service>(service: S, stream: UnixStream) {
    let (user, admin) = match stream.peer_cred() {
        Ok(credentials) => (user_of(credentials.uid()), is_admin(credentials.uid())),
        Err(error) => {
            tracing::warn!(%error, "cannot tell who opened a local connection");
            return;
        }
    };
    if let Err(error) = set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES) {
        tracing::debug!(%error, "a local connection keeps its small buffer");
    }
    let peer = Peer { user, transport: Transport::Unix, source_host: None, admin };
    let (reader, writer) = stream.into_split();
    let served = service.serve(peer, reader, writer, std::future::pending()).await;
    tracing::debug!(?served, "local connection closed");
}

/// Root, and the account that the agent runs as: both can do with its data what they like anyway.
fn is_admin(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Refuses a path at which there is something else than a socket without listener.
async fn is_stale(path: &Path, metadata: &Metadata) -> Result<(), UnixError> {
    let path = path.to_owned();
    if !metadata.file_type().is_socket() {
        return Err(UnixError::NotASocket { path });
    }
    let error = match UnixStream::connect(&path).await {
        Ok(_) => return Err(UnixError::InUse { path }),
        Err(error) => error,
    };
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) {
        return Ok(());
    }
    // A listener whose queue is full listens.
    if kind == io::ErrorKind::WouldBlock {
        return Err(UnixError::InUse { path });
    }
    Err(UnixError::Listen { path, source: error })
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn temporary_beside(path: &Path) -> PathBuf {
    // Short, for the path of a socket has at most 107 bytes.
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The name of a user of this machine; the number where there is none in the local file.
fn user_of(uid: u32) -> String {
    let name = match fs::read_to_string(PASSWD) {
        Ok(passwd) => name_in(&passwd, uid),
        Err(error) => {
            tracing::warn!(%error, "cannot read {PASSWD}");
            None
        }
    };
    name.unwrap_or_else(|| uid.to_string())
}

/// The first name of `uid` in a file in the form of passwd(5).
fn name_in(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let number = fields.nth(1)?;
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{UnixError, UnixServer, is_admin, name_in, user_of};
    use crate::agent::event::EndCause;
    use crate::io::service::{Peer, Refusal, Service};
    use crate::io::shutdown;
    use crate::netconf::state::Transport;
    use std::fs;
    use std::future::Future;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::UnixStream;

    /// Echoes a client's bytes until it says nothing more.
    #[derive(Clone, Default)]
    struct Echo(Arc<Mutex<Vec<Peer>>>);

    impl Service for Echo {
        async fn serve<R, W, G>(
            &self,
            peer: Peer,
            mut reader: R,
            mut writer: W,
            _: G,
        ) -> Result<EndCause, Refusal>
        where
            R: AsyncRead + Unpin + Send,
            W: AsyncWrite + Unpin + Send,
            G: Future<Output = ()> + Send,
        {
            self.0.lock().unwrap().push(peer);
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
            Ok(EndCause::Closed)
        }
    }

    #[tokio::test]
    async fn the_user_is_the_one_of_the_other_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run").join("netconf.sock");
        let echo = Echo::default();
        let server = UnixServer::open(&path, 0o660, echo.clone()).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
        let (stop, shutdown) = shutdown::channel();
        let task = tokio::spawn(server.serve(shutdown));

        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "hello");
        let uid = rustix::process::getuid().as_raw();
        let (user, admin) = (user_of(uid), true);
        let expected = Peer { user, transport: Transport::Unix, source_host: None, admin };
        assert_eq!(*echo.0.lock().unwrap(), [expected]);

        stop.request();
        task.await.unwrap();
        assert!(!path.exists(), "the socket is removed");
    }

    #[tokio::test]
    async fn only_a_socket_without_listener_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a stale socket");
        let first = UnixServer::open(&path, 0o600, Echo::default()).await.unwrap();
        let again = UnixServer::open(&path, 0o600, Echo::default()).await;
        assert!(matches!(again, Err(UnixError::InUse { .. })));
        drop(first);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        let again = UnixServer::open(&path, 0o600, Echo::default()).await;
        assert!(matches!(again, Err(UnixError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_socket_that_another_agent_put_there_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let server = UnixServer::open(&path, 0o600, Echo::default()).await.unwrap();
        fs::remove_file(&path).unwrap();
        let other = UnixServer::open(&path, 0o600, Echo::default()).await.unwrap();
        server.close();
        assert!(path.exists());
        drop(other);
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_is_a_clear_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x".repeat(200));
        let Err(error) = UnixServer::open(&path, 0o600, Echo::default()).await else {
            panic!("too long a path")
        };
        assert!(matches!(error, UnixError::Listen { .. }));
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn root_and_the_agents_own_account_are_administrators() {
        assert!(is_admin(0) && is_admin(rustix::process::geteuid().as_raw()));
        assert!(!is_admin(4_000_000_000));
    }

    #[test]
    fn names_are_those_of_the_file() {
        let passwd = "# comment\nroot:x:0:0:root:/root:/bin/sh\n\nbad\n:x:7:7::/:\nfred:x:1000:1000::/home:/bin/sh\nalso:x:1000:1:::\n";
        for (uid, name) in [(0, Some("root")), (1000, Some("fred")), (7, None), (1, None)] {
            assert_eq!(name_in(passwd, uid).as_deref(), name, "{uid}");
        }
        assert_eq!(user_of(4_000_000_000), "4000000000");
    }
}
