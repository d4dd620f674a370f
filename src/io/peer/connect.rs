//! Connecting to other members, and staying connected.

use super::frame::{self, FrameError};
use super::greeting::{Mismatch, Opening, Purpose, one_line};
use super::link::{Identity, Stage};
use super::server::Shared;
use super::{PeerEvent, snapshot};
use crate::agent::effects::{PeerAddress, SendSnapshot};
use crate::base::ids::Boot;
use crate::base::limits::{
    PEER_HANDSHAKE_MS, PEER_OPENING_BYTES_MAX, PEER_RETRY_MS_MAX, PEER_RETRY_MS_MIN, PEER_YIELD_MS,
};
use crate::io::random;
use crate::io::shutdown::Shutdown;
use crate::raft::Delivery;
use crate::replication::message::{Lane, PeerMessage};
use rustix::net::sockopt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsConnector, TlsStream};

/// How long a step of the opening may take.
pub(super) const HANDSHAKE: Duration = Duration::from_millis(PEER_HANDSHAKE_MS);
/// When TCP begins to ask whether the other end lives, and how often. Ours are the pings; this is for what is between
/// a kernel and another, like a connection that carries a snapshot and waits for a slow disk.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("it does not prove that it is that member of this cluster: {0}")]
    Tls(io::Error),
    #[error("it does not answer in time")]
    TimedOut,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it says something else than a greeting")]
    NoGreeting,
    #[error("it refuses: {0}")]
    Refused(String),
    /// This node was removed: the other's log says so, and it is a member of this cluster.
    #[error("it refuses: {0}")]
    Removed(String),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error("it is connected already")]
    Connected,
    #[error("the operating system gives no chance: {0}")]
    Chance(io::Error),
}

impl DialError {
    /// The connection may have broken meanwhile, or the other end is not who it should be.
    fn of_handshake(error: io::Error) -> Self {
        let is_proof = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
        if is_proof { Self::Tls(error) } else { Self::Unreachable(error) }
    }

    /// Whether trying again soon can help.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Removed(_)
            | Self::Mismatch(_)
            | Self::Tls(_)
            | Self::NoGreeting => true,
            Self::Unreachable(_)
            | Self::TimedOut
            | Self::Frame(_)
            | Self::Connected
            | Self::Chance(_) => false,
        }
    }
}

/// Pauses between attempts.
#[derive(Debug, Clone, Copy)]
struct Backoff(u64);

impl Backoff {
    const START: Self = Self(PEER_RETRY_MS_MIN);

    /// The next pause; each is twice the one before, from half to one and a half of it by chance.
    fn next(&mut self) -> Duration {
        let ms = self.0;
        self.0 = ms.saturating_mul(2).min(PEER_RETRY_MS_MAX);
        let chance = random::number().unwrap_or_default() % ms.max(1);
        Duration::from_millis((ms / 2).saturating_add(chance).min(PEER_RETRY_MS_MAX))
    }

    fn longest(&mut self) {
        self.0 = PEER_RETRY_MS_MAX;
    }
}

/// Connects to a member whenever it is not connected, until the word.
pub(super) async fn keep_connected(shared: Arc<Shared>, peer: PeerAddress, mut stop: Shutdown) {
    tokio::select! {
        () = stop.requested() => {}
        () = keep_trying(&shared, &peer) => {}
    }
}

async fn keep_trying(shared: &Arc<Shared>, peer: &PeerAddress) {
    let mut backoff = Backoff::START;
    let mut was_connected = false;
    // It has ended in order, and need not be there.
    let mut is_away = false;
    loop {
        if let Some(link) = shared.links.current(peer.incarnation) {
            if link.reached(Stage::Announced).await == Stage::Announced {
                backoff = Backoff::START;
                shared.forget_note(peer.incarnation);
            }
            link.reached(Stage::Over).await;
            (was_connected, is_away) = (true, link.was_ended());
        }
        if shared.own.name.incarnation < peer.incarnation && std::mem::take(&mut was_connected) {
            // Both know that the connection is lost, and the younger one connects first.
            sleep(Duration::from_millis(PEER_YIELD_MS)).await;
            if shared.links.current(peer.incarnation).is_some() {
                continue;
            }
        }
        match Box::pin(connect(shared, peer)).await {
            Ok(()) | Err(DialError::Connected) => {}
            Err(error) => {
                let (member, name) = (peer.incarnation, &peer.name);
                let text = format!("member {member} ({name}) at {}: {error}", peer.address);
                let is_expected = match error {
                    DialError::Removed(_) => true,
                    DialError::Unreachable(_) => is_away,
                    DialError::TimedOut
                    | DialError::Tls(_)
                    | DialError::Frame(_)
                    | DialError::Refused(_)
                    | DialError::Mismatch(_)
                    | DialError::NoGreeting
                    | DialError::Connected
                    | DialError::Chance(_) => false,
                };
                shared.note(member, text, is_expected);
                if error.is_lasting() {
                    backoff.longest();
                }
                if let DialError::Removed(_) = error {
                    let (from, message) = (member, PeerMessage::Removed);
                    shared.events.tell(PeerEvent::Message { from, message, room: None }).await;
                }
            }
        }
        if shared.links.current(peer.incarnation).is_none() {
            sleep(backoff.next()).await;
        }
    }
}

/// Opens both lanes.
async fn connect(shared: &Arc<Shared>, peer: &PeerAddress) -> Result<(), DialError> {
    let pair = random::number().map_err(DialError::Chance)?;
    let purpose = |lane| Purpose::Lane { lane, pair };
    let (stream, boot) = open_in_time(shared, peer, purpose(Lane::Prompt)).await?;
    let dialler = shared.own.name.incarnation;
    let identity = Identity { peer: peer.incarnation, boot, dialler, pair };
    let link = shared.links.begin(identity, &shared.tasks).ok_or(DialError::Connected)?;
    shared.run(&link, Lane::Prompt, stream);
    let bulk = open_in_time(shared, peer, purpose(Lane::Bulk)).await;
    match bulk {
        Ok((stream, _)) => {
            if let Some(link) = shared.links.complete(peer.incarnation, pair) {
                shared.run(&link, Lane::Bulk, stream);
            }
            Ok(())
        }
        Err(error) => {
            link.close();
            Err(error)
        }
    }
}

async fn open_in_time(
    shared: &Shared,
    peer: &PeerAddress,
    purpose: Purpose,
) -> Result<(TlsStream<TcpStream>, Boot), DialError> {
    timeout(HANDSHAKE, open(shared, peer, purpose)).await.map_err(|_elapsed| DialError::TimedOut)?
}

/// A connection to a member that has greeted us, and the life that it is in.
async fn open(
    shared: &Shared,
    peer: &PeerAddress,
    purpose: Purpose,
) -> Result<(TlsStream<TcpStream>, Boot), DialError> {
    let stream = TcpStream::connect(&peer.address).await.map_err(DialError::Unreachable)?;
    set_options(&stream);
    let name = shared.own.name.of(peer.incarnation).server_name();
    let name = name.ok_or(DialError::NoGreeting)?;
    let connector = TlsConnector::from(Arc::clone(&shared.tls.client));
    let stream = connector.connect(name, stream).await.map_err(DialError::of_handshake)?;
    let mut stream = TlsStream::from(stream);
    let greeting = Opening::Greeting(shared.own.greeting(peer.incarnation, purpose));
    say(&mut stream, &greeting).await?;
    match heard(&mut stream).await? {
        Some(Opening::Greeting(greeting)) => {
            shared.own.check(&greeting)?;
            if greeting.from != peer.incarnation {
                return Err(DialError::NoGreeting);
            }
            Ok((stream, greeting.boot))
        }
        Some(Opening::Refused(why)) => Err(DialError::Refused(one_line(&why))),
        Some(Opening::Removed(why)) => Err(DialError::Removed(one_line(&why))),
        Some(Opening::Connected) => Err(DialError::Connected),
        None => Err(DialError::NoGreeting),
    }
}

/// Sends the first frame.
pub(super) async fn say(
    stream: &mut TlsStream<TcpStream>,
    opening: &Opening,
) -> Result<(), FrameError> {
    // Postcard fails on what has no length only; there is nothing of the kind in it.
    let frame = postcard::to_stdvec(opening).unwrap_or_default();
    frame::write(stream, &frame, HANDSHAKE).await
}

/// The first frame; `None` if it is something else.
pub(super) async fn heard(
    stream: &mut TlsStream<TcpStream>,
) -> Result<Option<Opening>, FrameError> {
    let frame = frame::read(stream, PEER_OPENING_BYTES_MAX, HANDSHAKE).await?;
    Ok(postcard::from_bytes(&frame).ok())
}

/// Small messages leave at once; a dead end is noticed. A kernel that does not know an option is none the worse.
pub(super) fn set_options(stream: &TcpStream) {
    let options = stream.set_nodelay(true).and_then(|()| {
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
        sockopt::set_tcp_keepintvl(stream, KEEPALIVE)?;
        Ok(())
    });
    if let Err(error) = options {
        tracing::debug!(%error, "an option of a connection is not set");
    }
}

/// Sends a snapshot and tells the agent how it went.
pub(super) async fn send_snapshot(shared: Arc<Shared>, wanted: SendSnapshot, mut stop: Shutdown) {
    let SendSnapshot { to, index, frame } = wanted;
    let sent = tokio::select! {
        () = stop.requested() => None,
        sent = Box::pin(try_snapshot(&shared, to, index, frame)) => Some(sent),
    };
    shared.sending.fetch_sub(1, Ordering::Relaxed);
    let delivery = match sent {
        Some(Ok(())) => {
            tracing::info!(member = to.0, index = index.0, "snapshot delivered");
            Delivery::Arrived
        }
        Some(Err(error)) => {
            tracing::warn!(member = to.0, index = index.0, error, "a snapshot was not delivered");
            Delivery::Failed
        }
        None => Delivery::Failed,
    };
    shared.events.tell(PeerEvent::SnapshotSent { to, delivery }).await;
}

async fn try_snapshot(
    shared: &Shared,
    to: crate::base::ids::Incarnation,
    index: crate::base::ids::LogIndex,
    frame: Vec<u8>,
) -> Result<(), String> {
    let peer = shared.address_of(to).ok_or("its address is not known")?;
    let opened = open_in_time(shared, &peer, Purpose::Snapshot).await;
    let (mut stream, _) = opened.map_err(|error| error.to_string())?;
    let disk = Arc::clone(&shared.disk);
    snapshot::send(&mut stream, disk, index, frame).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use crate::base::limits::{PEER_RETRY_MS_MAX, PEER_RETRY_MS_MIN};
    use std::time::Duration;

    #[test]
    fn pauses_grow_to_a_second() {
        let mut backoff = Backoff::START;
        assert!(backoff.next() <= Duration::from_millis(PEER_RETRY_MS_MIN * 3 / 2));
        for _ in 0..20 {
            let pause = backoff.next();
            assert!(pause <= Duration::from_millis(PEER_RETRY_MS_MAX), "{pause:?}");
        }
        assert!(backoff.next() >= Duration::from_millis(PEER_RETRY_MS_MAX / 2));
    }
}
