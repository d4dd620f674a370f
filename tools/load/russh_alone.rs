//! The floor of a reply over SSH: the library that the agent uses, with the same settings, and nothing behind it.

use bytes::Bytes;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId, ChannelMsg, server};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// As in `src/base/limits.rs`: the bytes of a chunk.
const CHUNK: usize = 64 << 10;

/// Listens on this port of the loopback for the rest of the process's life. Whoever comes is let in, gets this hello, and
/// a message of that many bytes for each message of his.
pub(crate) fn listen(port: u16, hello: String, bytes: usize) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).expect("a port");
    let config = Arc::new(Config {
        keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]))],
        nodelay: true,
        ..Config::default()
    });
    let answers = Answers { hello: hello.into(), message: message(bytes) };
    std::thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&config), stream, answers.clone()));
            }
        });
    });
}

/// A message in chunked framing (RFC 6242, 4.2).
fn message(bytes: usize) -> Bytes {
    let mut message = Vec::with_capacity(bytes + bytes / 1024 + 64);
    for chunk in vec![b'x'; bytes].chunks(CHUNK) {
        message.extend_from_slice(format!("\n#{}\n", chunk.len()).as_bytes());
        message.extend_from_slice(chunk);
    }
    message.extend_from_slice(b"\n##\n");
    message.into()
}

async fn serve(config: Arc<Config>, stream: TcpStream, answers: Answers) {
    let connection = Connection { answers, channel: None };
    stream.set_nodelay(true).expect("a connection");
    let session = server::run_stream(config, stream, connection).await.expect("an SSH client");
    // The client ends as it likes.
    drop(session.await);
}

/// What every client gets.
#[derive(Clone)]
struct Answers {
    hello: Bytes,
    /// For each message of his.
    message: Bytes,
}

/// One client.
struct Connection {
    answers: Answers,
    /// Open, without subsystem.
    channel: Option<Channel<Msg>>,
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(id)?;
        let channel = self.channel.take().expect("an open channel");
        tokio::spawn(answer(channel, self.answers.clone()));
        Ok(())
    }
}

/// Says hello, and answers each message whose end comes.
async fn answer(mut channel: Channel<Msg>, answers: Answers) -> Result<(), russh::Error> {
    channel.data_bytes(answers.hello).await?;
    while let Some(event) = channel.wait().await {
        if let ChannelMsg::Data { data } = event
            && data.ends_with(b"\n##\n")
        {
            channel.data_bytes(answers.message.clone()).await?;
        }
    }
    Ok(())
}
