//! The transport as a whole: who is let in, who is connected to.

use super::authority::{Credentials, MemberName};
use super::connect::{HANDSHAKE, heard, keep_connected, say, send_snapshot, set_options};
use super::credentials::write_credentials;
use super::greeting::{Greeting, Mismatch, Opening, Own, Purpose};
use super::link::{Identity, Link, Links};
use super::tls::{JOIN_PROTOCOL, PEER_PROTOCOL, Tls, is_of};
use super::{Events, PeerEvents, PeerHandle, join, snapshot};
use crate::agent::effects::{PeerAddress, SendSnapshot};
use crate::base::ids::Incarnation;
use crate::base::limits::{
    PEER_BULK_EVENTS_MAX, PEER_HANDSHAKES_MAX, PEER_PROMPT_EVENTS_MAX, PEER_SNAPSHOTS_MAX,
};
use crate::io::handle::AgentHandle;
use crate::io::shutdown::{self, Shutdown, ShutdownSender};
use crate::io::tasks::{self, Tasks};
use crate::replication::message::Lane;
use crate::replication::state::Authority;
use crate::storage::Disk;
use crate::yang::schema::Schema;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream};

/// Pause after the system refused to hand out a connection, for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the transport is made of.
pub(crate) struct PeerSettings {
    pub(crate) own: Own,
    /// The secret seed of the trees' shape, for nodes that join.
    pub(crate) tree_seed: [u8; 16],
    /// Without them this node is not certified yet, and waits for the authority.
    pub(crate) credentials: Option<Credentials>,
    /// Where others connect, if it listens already.
    pub(crate) listener: Option<TcpListener>,
    /// Where to listen once there is somebody who could connect, if it does not yet.
    pub(crate) listen: SocketAddr,
    /// Members that are known before the agent knows any.
    pub(crate) peers: Vec<PeerAddress>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) schema: Arc<Schema>,
}

/// The transport, to be served.
pub(crate) struct PeerServer {
    settings: PeerSettings,
    links: Arc<Links>,
    events: Events,
    peers: watch::Receiver<Vec<PeerAddress>>,
    authority: watch::Receiver<Option<Authority>>,
    snapshots: mpsc::Receiver<SendSnapshot>,
    sending: Arc<AtomicUsize>,
}

/// What all tasks of the transport share.
pub(super) struct Shared {
    pub(super) own: Own,
    pub(super) tree_seed: [u8; 16],
    pub(super) tls: Tls,
    pub(super) links: Arc<Links>,
    pub(super) events: Events,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) schema: Arc<Schema>,
    pub(super) tasks: Tasks,
    pub(super) sending: Arc<AtomicUsize>,
    agent: AgentHandle,
    /// One snapshot comes at a time.
    receiving: Semaphore,
    seats: Mutex<Seats>,
    /// The last trouble with each member, so that it is reported once and not with each attempt.
    notes: Mutex<BTreeMap<Incarnation, String>>,
}

/// Who the members are, as the agent said it last.
#[derive(Debug, Default)]
struct Seats {
    members: BTreeMap<Incarnation, PeerAddress>,
    /// The youngest member that was ever heard of. A younger one can be new: this node may lag.
    youngest: Incarnation,
}

/// The three sides of a transport: what the agent does with it, what it hears of it, and what is to be served.
pub(crate) fn open(settings: PeerSettings) -> (PeerHandle, PeerEvents, PeerServer) {
    let (prompt, prompt_events) = mpsc::channel(PEER_PROMPT_EVENTS_MAX);
    let (bulk, bulk_events) = mpsc::channel(PEER_BULK_EVENTS_MAX);
    let events = Events { prompt, bulk };
    let links = Arc::new(Links::new(events.clone()));
    let (peers, peers_receiver) = watch::channel(settings.peers.clone());
    let (authority, authority_receiver) = watch::channel(None);
    let (snapshots, snapshots_receiver) = mpsc::channel(PEER_SNAPSHOTS_MAX);
    let sending = Arc::new(AtomicUsize::new(0));
    let server = PeerServer {
        settings,
        links: Arc::clone(&links),
        events,
        peers: peers_receiver,
        authority: authority_receiver,
        snapshots: snapshots_receiver,
        sending: Arc::clone(&sending),
    };
    let handle = PeerHandle { links, peers, authority, snapshots, sending };
    (handle, PeerEvents { prompt: prompt_events, bulk: bulk_events }, server)
}

impl PeerServer {
    /// Serves until the word, then closes all connections. `agent` is asked about nodes that want to join.
    pub(crate) async fn serve(mut self, agent: AgentHandle, shutdown: Shutdown) {
        let mut word = shutdown.clone();
        let tls = tokio::select! {
            () = word.requested() => return,
            tls = self.certified() => tls,
        };
        let Some(tls) = tls else { return };
        let (tasks, running) = tasks::channel();
        let Self { settings, links, events, peers, snapshots, sending, .. } = self;
        let PeerSettings { own, tree_seed, disk, schema, listener, listen, .. } = settings;
        let youngest = own.name.incarnation;
        let shared = Arc::new(Shared {
            own,
            tree_seed,
            tls,
            links,
            events,
            disk,
            schema,
            tasks,
            sending,
            agent,
            receiving: Semaphore::new(1),
            seats: Mutex::new(Seats { members: BTreeMap::new(), youngest }),
            notes: Mutex::default(),
        });
        let listener = match listener {
            Some(listener) => Some(listener),
            None => TcpListener::bind(listen)
                .await
                .inspect_err(|error| {
                    tracing::error!(%listen, %error, "other members cannot connect to this one");
                })
                .ok(),
        };
        if let Some(address) = listener.as_ref().and_then(|it| it.local_addr().ok()) {
            tracing::info!(%address, "open for members");
        }
        tokio::join!(
            accept(&shared, listener, shutdown.clone()),
            connect(&shared, peers, shutdown.clone()),
            stream_snapshots(&shared, snapshots, shutdown),
        );
        shared.links.close_all();
        drop(shared);
        running.ended().await;
    }

    /// Waits until this node is certified.
    async fn certified(&mut self) -> Option<Tls> {
        let own = self.settings.own.name;
        let credentials = match self.settings.credentials.take() {
            Some(credentials) => Ok(credentials),
            None => {
                let authority = self.authority.wait_for(Option::is_some).await;
                // Without a sender the agent is gone.
                let authority = authority.ok().and_then(|authority| authority.clone())?;
                certify(authority, own, Arc::clone(&self.settings.disk)).await
            }
        };
        let tls = credentials.and_then(|credentials| Ok(Tls::new(&credentials, &own)?));
        tls.inspect_err(|error| {
            tracing::error!(%error, "this node cannot prove to other members who it is");
        })
        .ok()
    }
}

/// A certificate for this node, in its file.
async fn certify(
    authority: Authority,
    own: MemberName,
    disk: Arc<dyn Disk>,
) -> anyhow::Result<Credentials> {
    let made = tokio::task::spawn_blocking(move || {
        let credentials = Credentials::issue(&authority, &own)?;
        write_credentials(&*disk, &credentials)?;
        Ok(credentials)
    });
    made.await?
}

/// Takes connections until the word.
async fn accept(shared: &Arc<Shared>, listener: Option<TcpListener>, mut shutdown: Shutdown) {
    let Some(listener) = listener else { return };
    let handshakes = Arc::new(Semaphore::new(PEER_HANDSHAKES_MAX));
    loop {
        // The semaphore is never closed.
        let permit = Arc::clone(&handshakes).acquire_owned().await;
        let accepted = tokio::select! {
            () = shutdown.requested() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, source)) => {
                let shared = Arc::clone(shared);
                let stop = shutdown.clone();
                shared.tasks.clone().spawn(async move {
                    let mut word = stop.clone();
                    tokio::select! {
                        () = word.requested() => {}
                        () = Box::pin(shared.take_in(stream, source)) => {}
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of a member");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Keeps up connections to whom the agent names, until the word.
async fn connect(
    shared: &Arc<Shared>,
    mut peers: watch::Receiver<Vec<PeerAddress>>,
    mut shutdown: Shutdown,
) {
    let mut dialling: BTreeMap<Incarnation, (PeerAddress, ShutdownSender)> = BTreeMap::new();
    loop {
        let own = shared.own.name.incarnation;
        let mut wanted = peers.borrow_and_update().clone();
        wanted.retain(|peer| peer.incarnation != own);
        for gone in shared.seat(&wanted) {
            shared.links.close(gone);
        }
        dialling.retain(|_, (peer, _)| wanted.contains(peer));
        for peer in wanted {
            if dialling.contains_key(&peer.incarnation) {
                continue;
            }
            let (stop, word) = shutdown::channel();
            shared.tasks.spawn(keep_connected(Arc::clone(shared), peer.clone(), word));
            dialling.insert(peer.incarnation, (peer, stop));
        }
        tokio::select! {
            () = shutdown.requested() => return,
            changed = peers.changed() => if changed.is_err() { return },
        }
    }
}

/// Sends what the agent wants to be sent, until the word.
async fn stream_snapshots(
    shared: &Arc<Shared>,
    mut snapshots: mpsc::Receiver<SendSnapshot>,
    mut shutdown: Shutdown,
) {
    loop {
        let wanted = tokio::select! {
            () = shutdown.requested() => return,
            wanted = snapshots.recv() => wanted,
        };
        let Some(wanted) = wanted else { return };
        shared.tasks.spawn(send_snapshot(Arc::clone(shared), wanted, shutdown.clone()));
    }
}

impl Shared {
    /// Runs one lane of a pair beside the caller.
    pub(super) fn run(&self, link: &Arc<Link>, lane: Lane, stream: TlsStream<TcpStream>) {
        let (links, link) = (Arc::clone(&self.links), Arc::clone(link));
        self.tasks.spawn(async move { links.run(&link, lane, stream).await });
    }

    /// Reports trouble with a member, once as long as it is the same.
    pub(super) fn note(&self, member: Incarnation, text: String, is_expected: bool) {
        let mut notes = lock(&self.notes);
        if notes.get(&member) == Some(&text) {
            return tracing::debug!("{text}");
        }
        if is_expected {
            tracing::info!("{text}");
        } else {
            tracing::warn!("{text}");
        }
        notes.insert(member, text);
    }

    /// The trouble with a member is over.
    pub(super) fn forget_note(&self, member: Incarnation) {
        lock(&self.notes).remove(&member);
    }

    /// Where a member listens.
    pub(super) fn address_of(&self, member: Incarnation) -> Option<PeerAddress> {
        lock(&self.seats).members.get(&member).cloned()
    }

    /// Takes in who the members are, and gives who is none any more.
    fn seat(&self, members: &[PeerAddress]) -> Vec<Incarnation> {
        let mut seats = lock(&self.seats);
        let now: BTreeMap<_, _> =
            members.iter().map(|peer| (peer.incarnation, peer.clone())).collect();
        let gone = seats.members.keys().filter(|peer| !now.contains_key(peer)).copied().collect();
        let youngest = now.keys().next_back().copied().unwrap_or_default();
        seats.youngest = seats.youngest.max(youngest);
        seats.members = now;
        gone
    }

    /// Whether the member can have a seat, as far as this node knows: one that has no state yet knows of nobody.
    fn may_have_a_seat(&self, member: Incarnation) -> bool {
        let Seats { members, youngest } = &*lock(&self.seats);
        members.is_empty() || members.contains_key(&member) || member > *youngest
    }

    /// A connection from somebody.
    async fn take_in(&self, stream: TcpStream, source: SocketAddr) {
        set_options(&stream);
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls.server));
        let stream = match timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => TlsStream::from(stream),
            Ok(Err(error)) => {
                return tracing::debug!(%source, %error, "a connection is none of this cluster");
            }
            Err(_) => return tracing::debug!(%source, "a connection says nothing"),
        };
        let protocol = stream.get_ref().1.alpn_protocol();
        if protocol == Some(PEER_PROTOCOL) {
            if let Err(reason) = self.take_in_member(stream).await {
                tracing::debug!(%source, %reason, "a connection of a member ended early");
            }
        } else if protocol == Some(JOIN_PROTOCOL) {
            let request = join::Request { own: &self.own, tree_seed: self.tree_seed, source };
            join::admit(stream, request, &self.agent).await;
        } else {
            tracing::debug!(%source, "a connection speaks neither of our protocols");
        }
    }

    async fn take_in_member(&self, mut stream: TlsStream<TcpStream>) -> anyhow::Result<()> {
        let Some(Opening::Greeting(greeting)) = heard(&mut stream).await? else {
            anyhow::bail!("it does not greet");
        };
        let from = greeting.from;
        if let Err(mismatch) = self.check(&greeting, &stream) {
            let text = mismatch.to_string();
            // What a greeting says of itself is not believed: only a known number gets a note of its own.
            let known = if self.may_have_a_seat(from) { from } else { Incarnation(0) };
            self.note(known, text.clone(), matches!(mismatch, Mismatch::Removed { .. }));
            let refusal = if let Mismatch::Removed { .. } = mismatch {
                Opening::Removed(text)
            } else {
                Opening::Refused(text)
            };
            return Ok(say(&mut stream, &refusal).await?);
        }
        let answer = Opening::Greeting(self.own.greeting(from, greeting.purpose));
        match greeting.purpose {
            Purpose::Lane { lane, pair } => {
                let link = match lane {
                    Lane::Prompt => {
                        let boot = greeting.boot;
                        let identity = Identity { peer: from, boot, dialler: from, pair };
                        self.links.begin(identity, &self.tasks)
                    }
                    Lane::Bulk => self.links.complete(from, pair),
                };
                let Some(link) = link else {
                    return Ok(say(&mut stream, &Opening::Connected).await?);
                };
                if let Err(error) = say(&mut stream, &answer).await {
                    link.close();
                    return Err(error.into());
                }
                self.forget_note(from);
                self.run(&link, lane, stream);
            }
            Purpose::Snapshot => {
                let Ok(_one) = self.receiving.try_acquire() else {
                    let why = "another snapshot is coming already".to_owned();
                    return Ok(say(&mut stream, &Opening::Refused(why)).await?);
                };
                say(&mut stream, &answer).await?;
                let place = (Arc::clone(&self.disk), Arc::clone(&self.schema));
                let received = snapshot::receive(&mut stream, from, place, &self.events).await;
                if let Err(error) = received {
                    tracing::warn!(member = from.0, %error, "a snapshot did not arrive");
                }
            }
        }
        Ok(())
    }

    /// Whether the connection is what its greeting says, and can be worked with.
    fn check(&self, greeting: &Greeting, stream: &TlsStream<TcpStream>) -> Result<(), Mismatch> {
        let (from, to) = (greeting.from, self.own.name.incarnation);
        // The certificate is one of this cluster's authority, or the handshake would have failed; if there is one.
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let name = MemberName {
            cluster: greeting.cluster,
            lineage: greeting.lineage,
            incarnation: greeting.from,
        };
        if !certificate.is_some_and(|certificate| is_of(certificate, &name)) {
            return Err(Mismatch::Certificate { from, to });
        }
        self.own.check(greeting)?;
        if !self.may_have_a_seat(from) {
            return Err(Mismatch::Removed { from, to });
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while one of them is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
