//! The server against the client of the same library, over a loopback connection.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "most of what a channel can say is of no interest here"
)]

use super::accounts::{Account, Accounts};
use super::{SshError, SshServer, SshSettings};
use crate::agent::event::EndCause;
use crate::io::password::PasswordHash;
use crate::io::service::{Peer, Refusal, Service};
use crate::io::shutdown::{self, ShutdownSender};
use crate::netconf::state::Transport;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse, Msg};
use russh::keys::ssh_key::private::{Ed25519Keypair, RsaKeypair};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, MethodKind, client};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;

const PASSWORD: &str = "correct horse";
/// More than all windows and buffers on the way.
const MUCH: usize = 12 << 20;

/// Echoes a client's bytes until it says nothing more.
#[derive(Clone, Default)]
struct Echo {
    peers: Arc<Mutex<Vec<Peer>>>,
    /// Written before anything is read.
    prelude: usize,
    killed: bool,
}

impl Service for Echo {
    async fn serve<R, W, G>(
        &self,
        peer: Peer,
        mut reader: R,
        mut writer: W,
        gone: G,
    ) -> Result<EndCause, Refusal>
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin + Send,
        G: Future<Output = ()> + Send,
    {
        self.peers.lock().unwrap().push(peer);
        let echo = async {
            writer.write_all(&vec![b'p'; self.prelude]).await?;
            tokio::io::copy(&mut reader, &mut writer).await
        };
        tokio::select! {
            copied = echo => { copied.unwrap(); }
            () = gone => return Ok(EndCause::Dropped),
        }
        Ok(if self.killed { EndCause::Killed } else { EndCause::Closed })
    }
}

struct Server {
    settings: SshSettings,
    service: Echo,
    stop: ShutdownSender,
    task: JoinHandle<()>,
    _directory: TempDir,
}

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

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn settings(directory: &TempDir) -> SshSettings {
    SshSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        host_keys: vec![directory.path().join("host_key")],
        auth_attempts_max: 2,
        auth_timeout: Duration::from_secs(60),
        unauthenticated_max: 8,
        connections_max: 64,
    }
}

async fn start(service: Echo, adapt: impl FnOnce(&mut SshSettings)) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(&directory);
    adapt(&mut settings);
    let accounts = Accounts::new(vec![Account {
        name: "admin".to_owned(),
        password: Some(PasswordHash::of(PASSWORD).unwrap()),
        keys: vec![key(1).public_key().clone(), rsa_key().public_key().clone()],
        keys_file: None,
        admin: true,
    }]);
    let server = SshServer::open(&settings, accounts, service.clone()).await.unwrap();
    settings.listen = server.address();
    let (stop, shutdown) = shutdown::channel();
    let task = tokio::spawn(server.serve(shutdown));
    Server { settings, service, stop, task, _directory: directory }
}

impl Server {
    async fn connect(&self) -> Handle<AnyHostKey> {
        // Holds all that a test is sent before it reads.
        let config = client::Config { channel_buffer_size: 8192, ..client::Config::default() };
        let config = Arc::new(config);
        client::connect(config, self.settings.listen, AnyHostKey).await.unwrap()
    }

    async fn login(&self) -> Handle<AnyHostKey> {
        let mut client = self.connect().await;
        assert!(client.authenticate_password("admin", PASSWORD).await.unwrap().success());
        client
    }
}

/// An RSA key of 2048 bits that protects nothing.
fn rsa_key() -> PrivateKey {
    static KEY: std::sync::OnceLock<PrivateKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| {
        let made = RsaKeypair::random(&mut TestRng(7), 2048).unwrap();
        PrivateKey::from(made)
    })
    .clone()
}

async fn subsystem(client: &Handle<AnyHostKey>, name: &str) -> (Channel<Msg>, bool) {
    let mut channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, name).await.unwrap();
    let granted = granted(&mut channel).await;
    (channel, granted)
}

async fn granted(channel: &mut Channel<Msg>) -> bool {
    loop {
        match channel.wait().await.unwrap() {
            ChannelMsg::Success => return true,
            ChannelMsg::Failure => return false,
            _ => {}
        }
    }
}

/// What comes until the channel is closed: bytes, and the exit status if it came before end of file.
async fn rest(channel: &mut Channel<Msg>) -> (usize, Option<u32>) {
    let (mut len, mut status, mut ended) = (0, None, false);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => len += data.len(),
            ChannelMsg::Eof => ended = true,
            ChannelMsg::ExitStatus { exit_status } if !ended => status = Some(exit_status),
            _ => {}
        }
    }
    (len, status)
}

#[tokio::test]
async fn a_mistyped_password_can_be_corrected() {
    let server = start(Echo::default(), |_| {}).await;
    let mut client = server.connect().await;
    for (user, password, expected) in [("admin", "wrong", false), ("admin", PASSWORD, true)] {
        let result = client.authenticate_password(user, password).await.unwrap();
        assert_eq!(result.success(), expected);
    }
}

#[tokio::test]
async fn the_probe_learns_exactly_our_methods_and_costs_no_attempt() {
    let server = start(Echo::default(), |_| {}).await;
    let mut client = server.connect().await;
    let AuthResult::Failure { remaining_methods, .. } =
        client.authenticate_none("admin").await.unwrap()
    else {
        panic!("none was accepted")
    };
    use MethodKind::{KeyboardInteractive, Password, PublicKey};
    assert_eq!(*remaining_methods, [PublicKey, Password, KeyboardInteractive]);
    assert!(!client.authenticate_password("admin", "wrong").await.unwrap().success());
    assert!(client.authenticate_password("admin", PASSWORD).await.unwrap().success());
}

#[tokio::test]
async fn after_the_last_attempt_even_the_right_password_is_refused() {
    let server = start(Echo::default(), |_| {}).await;
    let mut client = server.connect().await;
    for user in ["admin", "nobody"] {
        assert!(!client.authenticate_password(user, "wrong").await.unwrap().success());
    }
    let last = client.authenticate_password("admin", PASSWORD).await;
    assert!(!last.is_ok_and(|result| result.success()));
    let after = client.authenticate_password("admin", PASSWORD).await;
    assert!(!after.is_ok_and(|result| result.success()));
    assert!(client.is_closed());
}

#[tokio::test]
async fn keyboard_interactive_asks_for_the_password() {
    use KeyboardInteractiveAuthResponse::{Failure, InfoRequest, Success};
    let server = start(Echo::default(), |_| {}).await;
    let mut client = server.connect().await;
    for (answer, right) in [("wrong", false), (PASSWORD, true)] {
        let asked = client.authenticate_keyboard_interactive_start("admin", None).await.unwrap();
        let InfoRequest { prompts, .. } = asked else { panic!("{asked:?}") };
        assert_eq!(prompts.len(), 1);
        assert!(!prompts[0].echo);
        let answers = vec![answer.to_owned()];
        match client.authenticate_keyboard_interactive_respond(answers).await.unwrap() {
            Success => assert!(right),
            Failure { .. } => assert!(!right),
            InfoRequest { .. } => panic!("asked twice"),
        }
    }
}

#[tokio::test]
async fn only_known_keys_of_the_user_let_in() {
    let server = start(Echo::default(), |settings| settings.auth_attempts_max = 9).await;
    let mut client = server.connect().await;
    for (user, key, hash, expected) in [
        ("admin", key(2), None, false),
        ("nobody", key(1), None, false),
        ("admin", rsa_key(), None, false),
        ("admin", rsa_key(), Some(HashAlg::Sha256), true),
    ] {
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        let result = client.authenticate_publickey(user, key).await.unwrap();
        assert_eq!(result.success(), expected, "{user} {hash:?}");
    }
    let mut client = server.connect().await;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key(1)), None);
    assert!(client.authenticate_publickey("admin", key).await.unwrap().success());
}

#[tokio::test]
async fn a_session_gets_the_user_and_its_end_has_a_status() {
    for (killed, status) in [(false, 0), (true, 1)] {
        let server = start(Echo { killed, ..Echo::default() }, |_| {}).await;
        let client = server.login().await;
        let (mut channel, granted) = subsystem(&client, "netconf").await;
        assert!(granted);
        channel.data(&b"hello"[..]).await.unwrap();
        channel.eof().await.unwrap();
        assert_eq!(rest(&mut channel).await, (5, Some(status)));
        let expected = Peer {
            user: "admin".to_owned(),
            transport: Transport::Ssh,
            admin: true,
            source_host: Some("127.0.0.1".to_owned()),
        };
        assert_eq!(*server.service.peers.lock().unwrap(), [expected]);
    }
}

#[tokio::test]
async fn channels_of_one_connection_are_sessions_of_their_own() {
    let server = start(Echo::default(), |_| {}).await;
    let client = server.login().await;
    let (mut one, _) = subsystem(&client, "netconf").await;
    let (mut two, _) = subsystem(&client, "netconf").await;
    one.data(&b"1"[..]).await.unwrap();
    one.eof().await.unwrap();
    assert_eq!(rest(&mut one).await, (1, Some(0)));
    two.data(&b"22"[..]).await.unwrap();
    two.eof().await.unwrap();
    assert_eq!(rest(&mut two).await, (2, Some(0)));
    assert_eq!(server.service.peers.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn everything_but_the_subsystem_is_refused() {
    let server = start(Echo::default(), |_| {}).await;
    let client = server.login().await;
    let mut channel = client.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    assert!(!granted(&mut channel).await);
    channel.set_env(true, "LANG", "C").await.unwrap();
    assert!(!granted(&mut channel).await);
    channel.request_shell(true).await.unwrap();
    assert!(!granted(&mut channel).await);
    channel.exec(true, "id").await.unwrap();
    assert!(!granted(&mut channel).await);
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(!granted(&mut channel).await);
    channel.request_subsystem(true, "netconf").await.unwrap();
    assert!(granted(&mut channel).await, "what was refused does no harm");
    channel.request_subsystem(true, "netconf").await.unwrap();
    assert!(!granted(&mut channel).await, "one channel is one session");
    assert!(client.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.is_err());
    assert_eq!(server.service.peers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn data_without_a_session_closes_the_channel() {
    let server = start(Echo::default(), |_| {}).await;
    let client = server.login().await;
    let mut channel = client.channel_open_session().await.unwrap();
    channel.data(&b"hello"[..]).await.unwrap();
    assert_eq!(rest(&mut channel).await, (0, None));
    let (_, granted) = subsystem(&client, "netconf").await;
    assert!(granted, "the connection lives");
}

#[tokio::test]
async fn one_connection_has_a_limited_number_of_channels() {
    let server = start(Echo::default(), |_| {}).await;
    let client = server.login().await;
    let mut channels = Vec::new();
    for number in 0..crate::base::limits::SSH_CHANNELS_MAX {
        let channel = client.channel_open_session().await.unwrap();
        if number % 2 == 0 {
            channel.request_subsystem(false, "netconf").await.unwrap();
        }
        channels.push(channel);
    }
    assert!(client.channel_open_session().await.is_err());
    channels.pop().unwrap().close().await.unwrap();
    assert!(client.channel_open_session().await.is_ok(), "a closed channel makes room");
}

/// The session does not read, for it waits until the client takes what it writes; the client takes nothing until it
/// has said everything.
#[tokio::test]
async fn a_client_may_say_all_before_it_listens() {
    let server = start(Echo { prelude: MUCH, ..Echo::default() }, |_| {}).await;
    let client = server.login().await;
    let (mut channel, _) = subsystem(&client, "netconf").await;
    channel.data(&vec![b'x'; MUCH][..]).await.unwrap();
    channel.eof().await.unwrap();
    assert_eq!(rest(&mut channel).await, (2 * MUCH, Some(0)));
}

#[tokio::test]
async fn a_client_that_goes_away_ends_a_session_that_writes() {
    let server = start(Echo { prelude: MUCH, ..Echo::default() }, |_| {}).await;
    let client = server.login().await;
    let (channel, _) = subsystem(&client, "netconf").await;
    channel.close().await.unwrap();
    drop(client);
    server.stop.request();
    server.task.await.unwrap();
}

#[tokio::test]
async fn who_does_not_authenticate_in_time_is_dropped() {
    let server =
        start(Echo::default(), |settings| settings.auth_timeout = Duration::from_millis(20)).await;
    let mut silent = tokio::net::TcpStream::connect(server.settings.listen).await.unwrap();
    let mut received = Vec::new();
    silent.read_to_end(&mut received).await.unwrap();
    assert!(received.starts_with(b"SSH-2.0-Quorate_"));
}

#[tokio::test]
async fn connections_without_a_user_are_limited_and_others_are_not() {
    let server = start(Echo::default(), |settings| settings.unauthenticated_max = 1).await;
    let logged_in = server.login().await;
    let mut silent = tokio::net::TcpStream::connect(server.settings.listen).await.unwrap();
    silent.read_u8().await.unwrap();
    let mut refused = tokio::net::TcpStream::connect(server.settings.listen).await.unwrap();
    assert!(refused.read_u8().await.is_err());
    let (_, granted) = subsystem(&logged_in, "netconf").await;
    assert!(granted);
}

#[tokio::test]
async fn connections_are_bounded_also_where_they_have_authenticated() {
    let server = start(Echo::default(), |settings| settings.connections_max = 2).await;
    let (one, _other) = (server.login().await, server.login().await);
    let mut refused = tokio::net::TcpStream::connect(server.settings.listen).await.unwrap();
    assert!(refused.read_u8().await.is_err());
    one.disconnect(russh::Disconnect::ByApplication, "", "").await.unwrap();
    drop(one);
    let taken = async {
        loop {
            let mut next = tokio::net::TcpStream::connect(server.settings.listen).await.unwrap();
            if next.read_u8().await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), taken).await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_a_clear_error() {
    let server = start(Echo::default(), |_| {}).await;
    let again = SshServer::open(&server.settings, Accounts::new(Vec::new()), Echo::default()).await;
    let Err(error @ SshError::Listen { .. }) = again else { panic!("two servers on one port") };
    assert!(error.to_string().contains(&server.settings.listen.to_string()), "{error}");
}

#[tokio::test]
async fn the_word_ends_connections_in_every_state() {
    let server = start(Echo::default(), |_| {}).await;
    let mut silent = tokio::net::TcpStream::connect(server.settings.listen).await.unwrap();
    silent.read_u8().await.unwrap();
    let connected = server.connect().await;
    let authenticated = server.login().await;
    server.stop.request();
    server.task.await.unwrap();
    assert!(authenticated.channel_open_session().await.is_err());
    drop(connected);
}

/// Numbers for a key that protects nothing.
pub(super) struct TestRng(pub(super) u64);

impl russh::keys::ssh_key::rand_core::TryRng for TestRng {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| u32::try_from(number >> 32).unwrap())
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl russh::keys::ssh_key::rand_core::TryCryptoRng for TestRng {}
