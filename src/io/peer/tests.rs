//! Transports of several members in one process, over loopback.

use super::authority::{Credentials, MemberKey, MemberName, create, fingerprint, sign};
use super::frame;
use super::greeting::{Opening, Own, Purpose};
use super::join::{Applicant, JoinError, join};
use super::tls::{PEER_PROTOCOL, Tls, join_client};
use super::{Arrived, PeerEvent, PeerEvents, PeerHandle, PeerSettings, open};
use crate::agent::effects::{PeerAddress, SendSnapshot, ToPeer};
use crate::agent::event::{Admission, Answer, JoinRequest, SessionEvent};
use crate::base::ids::{Boot, ClusterId, Digest, Incarnation, Lineage, LogIndex, Term};
use crate::base::limits::PEER_LARGE_BYTES_MAX;
use crate::base::token::JoinToken;
use crate::io::disk::RealDisk;
use crate::io::handle::{AgentHandle, Question};
use crate::io::shutdown::{self, ShutdownSender};
use crate::netconf::test_server::{schema, view};
use crate::raft::{ConfState, Delivery, LogPosition, Payload, SnapshotMeta};
use crate::replication::message::{Lane, PeerMessage};
use crate::replication::state::{Authority, State};
use crate::storage::{Disk, SnapshotReader, SnapshotWriter};
use crate::yang::tree::{Seed, Tree};
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

mod door;
mod joining;

const PATIENCE: Duration = Duration::from_secs(20);

/// One member's transport.
struct Member {
    incarnation: Incarnation,
    handle: PeerHandle,
    events: PeerEvents,
    questions: mpsc::Receiver<Question>,
    address: String,
    directory: TempDir,
    stop: ShutdownSender,
    serving: JoinHandle<()>,
}

fn own(incarnation: u64) -> Own {
    Own {
        name: MemberName {
            cluster: ClusterId(1),
            lineage: Lineage(2),
            incarnation: Incarnation(incarnation),
        },
        boot: Boot { counter: 1, nonce: incarnation },
        version: "1".to_owned(),
        schema_id: schema().schema_id,
    }
}

impl Member {
    async fn start(authority: &Authority, own: Own) -> Self {
        let credentials = Credentials::issue(authority, &own.name).unwrap();
        Self::start_with(Some(credentials), own).await
    }

    async fn start_with(credentials: Option<Credentials>, own: Own) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incarnation = own.name.incarnation;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(directory.path()).unwrap());
        let settings = PeerSettings {
            own,
            tree_seed: [5; 16],
            credentials,
            listener: Some(listener),
            listen: address,
            peers: Vec::new(),
            disk,
            schema: schema(),
        };
        let (handle, events, server) = open(settings);
        let (asking, questions) = mpsc::channel(8);
        let (_, views) = watch::channel(Arc::new(view()));
        let (ends, _) = broadcast::channel(8);
        let (stop, word) = shutdown::channel();
        let agent = AgentHandle::new(asking, views, ends);
        let serving = tokio::spawn(server.serve(agent, word));
        let address = address.to_string();
        Self { incarnation, handle, events, questions, address, directory, stop, serving }
    }

    fn at(&self, address: &str) -> PeerAddress {
        let incarnation = self.incarnation;
        PeerAddress { incarnation, name: incarnation.to_string(), address: address.to_owned() }
    }

    fn here(&self) -> PeerAddress {
        self.at(&self.address)
    }

    async fn event(&mut self) -> PeerEvent {
        timeout(PATIENCE, self.events.prompt.recv()).await.expect("an event in time").unwrap()
    }

    async fn connected(&mut self) -> Incarnation {
        let event = self.event().await;
        let PeerEvent::Connected(peer) = event else { panic!("{event:?}") };
        peer
    }

    async fn lost(&mut self) -> Incarnation {
        loop {
            let event = self.event().await;
            if let PeerEvent::Lost(peer) = event {
                return peer;
            }
            assert!(matches!(event, PeerEvent::Message { .. }), "{event:?}");
        }
    }

    fn send(&self, to: &Member, lane: Lane, frame: Vec<u8>) {
        self.send_with(to, (lane, frame), Vec::new());
    }

    fn send_with(&self, to: &Member, (lane, frame): (Lane, Vec<u8>), large: Vec<Payload>) {
        let message = PeerMessage::Consensus { frame, lane, large };
        self.handle.send(&ToPeer { to: to.incarnation, message });
    }

    async fn heard(&mut self, lane: Lane) -> (Incarnation, Vec<u8>) {
        let events = match lane {
            Lane::Prompt => &mut self.events.prompt,
            Lane::Bulk => &mut self.events.bulk,
        };
        let event = timeout(PATIENCE, events.recv()).await.expect("a message in time").unwrap();
        let PeerEvent::Message { from, message, .. } = event else { panic!("{event:?}") };
        let PeerMessage::Consensus { frame, lane: stated, .. } = message else {
            panic!("{message:?}")
        };
        assert_eq!(stated, lane);
        (from, frame)
    }

    async fn end(self) {
        self.stop.request();
        timeout(PATIENCE, self.serving).await.expect("it ends in time").unwrap();
    }
}

/// Two members that have heard of each other, in whatever order.
async fn pair() -> (Member, Member, Authority) {
    let authority = create("lab").unwrap();
    let mut first = Member::start(&authority, own(1)).await;
    let mut second = Member::start(&authority, own(2)).await;
    first.handle.set_peers(vec![second.here()]);
    second.handle.set_peers(vec![first.here()]);
    assert_eq!(first.connected().await, Incarnation(2));
    assert_eq!(second.connected().await, Incarnation(1));
    (first, second, authority)
}

async fn exchange(first: &mut Member, second: &mut Member) {
    for lane in [Lane::Prompt, Lane::Bulk] {
        for length in [0, 1, 100_000] {
            first.send(second, lane, vec![1; length]);
            assert_eq!(second.heard(lane).await, (first.incarnation, vec![1; length]));
            second.send(first, lane, vec![2; length]);
            assert_eq!(first.heard(lane).await, (second.incarnation, vec![2; length]));
        }
    }
}

#[tokio::test]
async fn messages_go_both_ways_in_both_lanes() {
    let (mut first, mut second, _) = pair().await;
    exchange(&mut first, &mut second).await;
    first.send(&second, Lane::Bulk, vec![7; 20 << 20]);
    assert_eq!(second.heard(Lane::Bulk).await.1.len(), 20 << 20);
    first.end().await;
    assert_eq!(second.lost().await, Incarnation(1));
    second.end().await;
}

#[tokio::test]
async fn long_entries_travel_beside_their_message_and_the_other_lane_goes_on() {
    let (first, mut second, _) = pair().await;
    let entries = [vec![3; 30 << 20], vec![4; 1]].map(Payload::from);
    first.send_with(&second, (Lane::Bulk, vec![1; 10]), entries.to_vec());
    // It is on its way, and not sent twice.
    first.send_with(&second, (Lane::Bulk, vec![1; 10]), entries.to_vec());
    first.send(&second, Lane::Bulk, vec![2; 10]);
    first.send(&second, Lane::Prompt, vec![5]);
    assert_eq!(second.heard(Lane::Prompt).await.1, [5]);
    let event = timeout(PATIENCE, second.events.bulk.recv()).await.unwrap().unwrap();
    let PeerEvent::Message { message, room, .. } = event else { panic!("{event:?}") };
    assert_eq!(message.beside(), entries);
    assert!(room.is_some());
    assert_eq!(second.heard(Lane::Bulk).await.1, [2; 10]);
    first.end().await;
    second.end().await;
}

/// What a member holds for its agent is bounded: what follows waits on the other side, and other members do not.
#[tokio::test]
async fn an_agent_that_does_not_take_long_entries_is_not_given_more_than_there_is_room_for() {
    let (first, mut second, _) = pair().await;
    let half = PEER_LARGE_BYTES_MAX / 2 + 1;
    let entry = |number: u8| vec![Payload::from(vec![number; half])];
    first.send_with(&second, (Lane::Bulk, vec![0]), entry(0));
    let event = timeout(PATIENCE, second.events.bulk.recv()).await.unwrap().unwrap();
    // The first has left the queue of its sender, so this one is taken.
    first.send_with(&second, (Lane::Bulk, vec![1]), entry(1));
    let early = timeout(Duration::from_millis(200), second.events.bulk.recv()).await;
    assert!(early.is_err(), "the second came while the first was held");
    drop(event);
    let event = timeout(PATIENCE, second.events.bulk.recv()).await.unwrap().unwrap();
    let PeerEvent::Message { message, .. } = event else { panic!("{event:?}") };
    assert_eq!(message.beside().first().map(|entry| entry.len()), Some(half));
    first.end().await;
    second.end().await;
}

/// A wire that can be cut: connections through it end, or stand still.
struct Wire {
    address: String,
    cut: watch::Sender<u64>,
}

impl Wire {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cut = watch::Sender::new(0);
        let cuts = cut.subscribe();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut cuts = cuts.clone();
                let target = target.clone();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    cuts.mark_unchanged();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { address, cut }
    }

    fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_again_and_again_is_connected_again_each_time() {
    let authority = create("lab").unwrap();
    let mut first = Member::start(&authority, own(1)).await;
    let mut second = Member::start(&authority, own(2)).await;
    // One side connects: of two pairs that are made at the same time one is given up, which may be heard of late.
    let to_second = Wire::to(second.address.clone()).await;
    first.handle.set_peers(vec![second.at(&to_second.address)]);
    for _ in 0..10 {
        first.connected().await;
        second.connected().await;
        exchange(&mut first, &mut second).await;
        first.send(&second, Lane::Bulk, vec![7; 8 << 20]);
        to_second.cut();
        assert_eq!(first.lost().await, Incarnation(2));
        assert_eq!(second.lost().await, Incarnation(1));
        while second.events.bulk.try_recv().is_ok() {}
    }
    first.end().await;
    second.end().await;
}

#[tokio::test]
async fn the_older_one_connects_when_the_younger_one_does_not_know_it() {
    let authority = create("lab").unwrap();
    let mut first = Member::start(&authority, own(1)).await;
    let mut second = Member::start(&authority, own(2)).await;
    first.handle.set_peers(vec![second.here()]);
    assert_eq!(second.connected().await, Incarnation(1));
    first.connected().await;
    exchange(&mut first, &mut second).await;
}

/// Both lanes of a pair that says nothing.
async fn silent_pair(to: &Member, authority: &Authority, from: Own) -> Vec<TlsStream<TcpStream>> {
    let credentials = Credentials::issue(authority, &from.name).unwrap();
    let tls = Tls::new(&credentials, &from.name).unwrap();
    let mut lanes = Vec::new();
    for lane in [Lane::Prompt, Lane::Bulk] {
        let mut stream = dial(to, &tls).await;
        let purpose = Purpose::Lane { lane, pair: from.boot.nonce };
        let answer = greet(&mut stream, from.clone(), to.incarnation, purpose).await;
        assert!(matches!(answer, Some(Opening::Greeting(_))), "{answer:?}");
        lanes.push(stream);
    }
    lanes
}

#[tokio::test]
async fn a_new_life_of_a_member_takes_the_place_of_the_old_one() {
    let authority = create("lab").unwrap();
    let mut first = Member::start(&authority, own(2)).await;
    // The old one's connections stay as they are, as those of a machine that lost its power do.
    let _old = silent_pair(&first, &authority, own(1)).await;
    assert_eq!(first.connected().await, Incarnation(1));
    let again = Own { boot: Boot { counter: 2, nonce: 9 }, ..own(1) };
    let _new = silent_pair(&first, &authority, again).await;
    let before = tokio::time::Instant::now();
    assert_eq!(first.lost().await, Incarnation(1));
    assert_eq!(first.connected().await, Incarnation(1));
    assert!(before.elapsed() < Duration::from_secs(1), "not only when the old one is silent");
}

#[tokio::test]
async fn who_falls_silent_is_lost() {
    let authority = create("lab").unwrap();
    let mut first = Member::start(&authority, own(1)).await;
    let _silent = silent_pair(&first, &authority, own(2)).await;
    assert_eq!(first.connected().await, Incarnation(2));
    let before = tokio::time::Instant::now();
    assert_eq!(first.lost().await, Incarnation(2));
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn half_a_pair_is_nobody() {
    let authority = create("lab").unwrap();
    let mut first = Member::start(&authority, own(1)).await;
    let name = own(2).name;
    let credentials = Credentials::issue(&authority, &name).unwrap();
    let tls = Tls::new(&credentials, &name).unwrap();
    let mut bulk = dial(&first, &tls).await;
    let purpose = |lane, pair| Purpose::Lane { lane, pair };
    let answer = greet(&mut bulk, own(2), Incarnation(1), purpose(Lane::Bulk, 1)).await;
    assert_eq!(answer, Some(Opening::Connected), "without the prompt lane");
    let mut prompt = dial(&first, &tls).await;
    let answer = greet(&mut prompt, own(2), Incarnation(1), purpose(Lane::Prompt, 1)).await;
    assert!(matches!(answer, Some(Opening::Greeting(_))), "{answer:?}");
    let mut other = dial(&first, &tls).await;
    let answer = greet(&mut other, own(2), Incarnation(1), purpose(Lane::Bulk, 2)).await;
    assert_eq!(answer, Some(Opening::Connected), "of another pair");
    // The half that is there is given up.
    let mut rest = Vec::new();
    drop(timeout(PATIENCE, prompt.read_to_end(&mut rest)).await.expect("it is closed"));
    assert!(first.events.prompt.try_recv().is_err(), "the agent never heard of it");
}

async fn dial(member: &Member, tls: &Tls) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(&member.address).await.unwrap();
    let name = own(1).name.of(member.incarnation).server_name().unwrap();
    let connector = TlsConnector::from(Arc::clone(&tls.client));
    TlsStream::from(connector.connect(name, stream).await.unwrap())
}

async fn greet(
    stream: &mut TlsStream<TcpStream>,
    from: Own,
    to: Incarnation,
    purpose: Purpose,
) -> Option<Opening> {
    let greeting = Opening::Greeting(from.greeting(to, purpose));
    let bytes = postcard::to_stdvec(&greeting).unwrap();
    frame::write(stream, &bytes, PATIENCE).await.ok()?;
    let answer = frame::read(stream, 1 << 16, PATIENCE).await.ok()?;
    postcard::from_bytes(&answer).ok()
}
