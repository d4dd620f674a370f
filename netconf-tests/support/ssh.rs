//! An SSH client in the test's own process: it can come from any loopback address, and a thousand of it cost little.

use super::wire::{PATIENCE, Wire};
use russh::client::{self, AuthResult, Handle, Msg};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, ChannelMsg};
use std::future::Future;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc as bounded;

/// Carries the bytes of all clients.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
});

/// One SSH connection.
pub(crate) struct Client(Handle<AnyHostKey>);

impl Client {
    /// Connects to this port of 127.0.0.1 from an address of the loopback network.
    #[track_caller]
    pub(crate) fn connect(port: u16, source: Ipv4Addr) -> Self {
        let connecting = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((source, 0).into())?;
            let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
            stream.set_nodelay(true)?;
            client::connect_stream(Arc::default(), stream, AnyHostKey).await
        };
        Self(in_time(connecting).expect("an SSH connection"))
    }

    /// Whether this password lets the user in.
    #[track_caller]
    pub(crate) fn password(&mut self, user: &str, password: &str) -> bool {
        in_time(self.0.authenticate_password(user, password)).is_ok_and(|result| result.success())
    }

    /// Whether the key of this file, which is not RSA, lets the user in.
    #[track_caller]
    pub(crate) fn key(&mut self, user: &str, file: &Path) -> bool {
        let key = load_secret_key(file, None).expect("a private key");
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        in_time(self.0.authenticate_publickey(user, key))
            .is_ok_and(|result: AuthResult| result.success())
    }

    /// A new channel with the subsystem `netconf` (RFC 6242, 3).
    #[track_caller]
    pub(crate) fn netconf(&self) -> Wire {
        let opening = async {
            let channel = self.0.channel_open_session().await?;
            channel.request_subsystem(false, "netconf").await?;
            Ok::<_, russh::Error>(channel)
        };
        let opened = in_time(opening).expect("a channel");
        let (from_server, incoming) = channel();
        let (out, to_server) = bounded::channel(16);
        RUNTIME.spawn(carry(opened, to_server, from_server));
        Wire::new(incoming, Box::new(Out(out)))
    }
}

/// Moves bytes between a channel and a wire until the server closes it; the end of the wire's output is passed on.
async fn carry(
    channel: Channel<Msg>,
    mut out: bounded::Receiver<Vec<u8>>,
    incoming: Sender<Vec<u8>>,
) {
    let (mut from_server, to_server) = channel.split();
    let reading = async {
        while let Some(message) = from_server.wait().await {
            if let ChannelMsg::Data { data } = message {
                // Nobody listens any more; the server is still to end by itself.
                drop(incoming.send(data.to_vec()));
            }
        }
    };
    let writing = async {
        while let Some(bytes) = out.recv().await {
            if to_server.data_bytes(bytes).await.is_err() {
                return;
            }
        }
        drop(to_server.eof().await);
        std::future::pending().await
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

/// Where a wire writes.
struct Out(bounded::Sender<Vec<u8>>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(bytes.to_vec());
        sent.map_err(|_closed| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the future gives; the test fails if that takes too long.
#[track_caller]
fn in_time<T>(future: impl Future<Output = T>) -> T {
    let limited = RUNTIME.block_on(async { tokio::time::timeout(PATIENCE, future).await });
    limited.expect("an answer in time")
}

/// Tests trust the agent that they have started.
struct AnyHostKey;

impl client::Handler for AnyHostKey {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(true)
    }
}
