//! Several agents over a perfect network and disks that are durable at once: what each node's clients see.
//!
//! Faults are the simulator's; here stands what every operation means in a cluster.

mod confirmed;
mod divergence;
mod kill;
mod late;
mod membership;
mod outcomes;
mod quarantine;
mod reads;
mod votes;

use super::*;
use crate::agent::effects::{DivergedData, Lease, Rejoin, ToPeer};
use crate::agent::event::{Admission, EndCause, Fresh, JoinRequest};
use crate::base::ids::LogIndex;
use crate::base::limits::LOG_ENTRY_BYTES_MAX;
use crate::base::policy::Policy;
use crate::base::token::JoinToken;
use crate::netconf::operation::{ClusterRequest, TransactionName};
use crate::raft::{Delivery, SnapshotMeta};
use crate::replication::entry::Body;
use crate::replication::message::PeerMessage;
use crate::replication::state::{Authority, Charter};
use std::collections::VecDeque;

struct Node {
    agent: Agent,
    answers: BTreeMap<ReplyTo, Answer>,
    view: Option<Arc<View>>,
    lease: Lease,
    ends: Vec<(SessionId, EndCause)>,
    hooks: Vec<HookCall>,
    snapshots: BTreeMap<LogIndex, (SnapshotMeta, State)>,
    ready: bool,
    diverged: Option<DivergedData>,
    rejoin: Option<Rejoin>,
    fatal: Option<String>,
}

struct Cluster {
    schema: Arc<Schema>,
    nodes: BTreeMap<u64, Node>,
    network: VecDeque<(u64, ToPeer)>,
    clock_ms: u64,
    next_reply: u64,
    /// The client's name for the next request.
    named: Option<String>,
}

/// A session and the node that it is on.
type At = (u64, SessionKey);

fn agent(schema: &Arc<Schema>, id: u64, voters: &[u64], participants: Vec<Registration>) -> Agent {
    let config = NodeConfig {
        id: Incarnation(id),
        voters: voters.iter().copied().map(Incarnation).collect(),
        seed: id * 7919,
        election_ticks: 25,
        heartbeat_ticks: 5,
    };
    let node = crate::raft::Node::new(&config, RecoveredLog::default()).unwrap();
    let parameters = Parameters {
        schema: Arc::clone(schema),
        rules: crate::base::rules::Rules::default(),
        incarnation: Incarnation(id),
        boot: Boot { counter: 1, nonce: id },
        name: format!("node-{id}"),
        address: format!("192.0.2.{id}:4000"),
        cluster: ClusterId(1),
        lineage: Lineage(1),
        rejoin_secret: [9; 16],
        datastores: Datastores::new(RunningAccess::ReadWrite, Presence::On, Presence::Off).unwrap(),
        sessions_max: 8,
        session_lease_ms: 30_000,
        initial: None,
        participants,
    };
    let start = crate::raft::LogPosition::default();
    Agent::new(parameters, node, State::new(Tree::empty(Seed(1))), start)
}

impl Cluster {
    fn new(count: u64) -> Self {
        Self::with(count, |_| Vec::new())
    }

    fn with(count: u64, participants: impl Fn(u64) -> Vec<Registration>) -> Self {
        let schema = crate::yang::libyang::compile_for_test(&[("m", MODEL)]);
        let mut cluster = Self {
            schema,
            nodes: BTreeMap::new(),
            network: VecDeque::new(),
            clock_ms: 1000,
            next_reply: 1,
            named: None,
        };
        let voters: Vec<u64> = (1..=count).collect();
        for id in 1..=count {
            cluster.add(id, &voters, participants(id));
        }
        cluster.connect_all();
        cluster.wait(2000);
        assert!(cluster.nodes.values().all(|node| node.ready), "not all nodes are ready");
        cluster
    }

    fn add(&mut self, id: u64, voters: &[u64], participants: Vec<Registration>) {
        let mut agent = agent(&self.schema, id, voters, participants);
        agent.start(self.now());
        let node = Node {
            agent,
            answers: BTreeMap::new(),
            view: None,
            lease: Lease::Until(Timestamp(0)),
            ends: Vec::new(),
            hooks: Vec::new(),
            snapshots: BTreeMap::new(),
            ready: false,
            diverged: None,
            rejoin: None,
            fatal: None,
        };
        self.nodes.insert(id, node);
    }

    fn connect_all(&mut self) {
        let now = self.now();
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        for (id, node) in &mut self.nodes {
            for other in ids.iter().filter(|other| *other != id) {
                node.agent.peer_connected(now, Incarnation(*other));
            }
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: Timestamp(self.clock_ms), wall: WallTime(self.clock_ms) }
    }

    /// Carries out effects and delivers messages until nothing more happens.
    fn settle(&mut self) {
        for delivered in 0.. {
            assert!(delivered < 100_000, "there is no end to it");
            for id in self.nodes.keys().copied().collect::<Vec<_>>() {
                self.carry_out(id);
            }
            if !self.deliver() {
                return;
            }
        }
    }

    /// Delivers the oldest message; false if there is none.
    fn deliver(&mut self) -> bool {
        let now = self.now();
        let Some((from, ToPeer { to, message })) = self.network.pop_front() else { return false };
        // Through bytes, as between processes.
        let bytes = message.encode().unwrap();
        let message = PeerMessage::decode(&bytes, message.beside().to_vec());
        if let Some(node) = self.nodes.get_mut(&to.0) {
            node.agent.peer(now, Incarnation(from), message.unwrap());
        }
        true
    }

    fn carry_out(&mut self, id: u64) {
        let now = self.now();
        loop {
            let node = self.nodes.get_mut(&id).unwrap();
            let effects = node.agent.take_effects(now);
            let last = effects.persist.last().map(|persist| persist.number);
            self.network.extend(effects.early.into_iter().map(|message| (id, message)));
            self.network.extend(effects.sends.into_iter().map(|message| (id, message)));
            node.answers.extend(effects.answers);
            node.hooks.extend(effects.hooks);
            node.ends.extend(effects.ends.iter().map(|end| (end.session, end.cause)));
            node.ready |= effects.ready;
            node.view = effects.view.or(node.view.take());
            node.lease = effects.lease.unwrap_or(node.lease);
            node.diverged = effects.diverged.or(node.diverged.take());
            node.rejoin = effects.rejoin.or(node.rejoin.take());
            node.fatal = effects.fatal.or(node.fatal.take());
            if let Some(number) = last {
                node.agent.persisted(number);
            }
            if effects.snapshot_wanted {
                let (meta, state) = node.agent.snapshot();
                node.snapshots.insert(meta.position.index, (meta.clone(), state));
                node.agent.snapshot_written(meta);
            }
            let mut arrived = Vec::new();
            for send in effects.snapshots {
                let snapshot = node.snapshots[&send.index].clone();
                arrived.push((send.to, snapshot, send.frame));
            }
            for (to, snapshot, frame) in arrived {
                let receiver = &mut self.nodes.get_mut(&to.0).unwrap().agent;
                receiver.snapshot_arrived(now, Incarnation(id), snapshot, &frame);
                let sender = &mut self.nodes.get_mut(&id).unwrap().agent;
                sender.snapshot_sent(now, to, Delivery::Arrived);
                self.carry_out(to.0);
            }
            if last.is_none() {
                return;
            }
        }
    }

    fn wait(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.clock_ms += 10;
            let now = self.now();
            for node in self.nodes.values_mut() {
                node.agent.tick(now);
            }
            self.settle();
        }
    }

    fn leader(&self) -> u64 {
        let leads = |(_, node): &(&u64, &Node)| node.agent.leading_term().is_some();
        *self.nodes.iter().find(leads).expect("a leader").0
    }

    /// A node that does not lead.
    fn follower(&self) -> u64 {
        let leader = self.leader();
        *self.nodes.keys().find(|id| **id != leader).expect("a follower")
    }

    fn send(&mut self, id: u64, event: SessionEvent) -> ReplyTo {
        let reply = ReplyTo(self.next_reply);
        self.next_reply += 1;
        let now = self.now();
        self.nodes.get_mut(&id).unwrap().agent.step(now, reply, event);
        self.settle();
        reply
    }

    fn answer(&mut self, id: u64, reply: ReplyTo) -> Option<Answer> {
        self.nodes.get_mut(&id).unwrap().answers.remove(&reply)
    }

    fn open(&mut self, id: u64) -> At {
        let reply = self.send(id, SessionEvent::Open(client()));
        match self.answer(id, reply) {
            Some(Answer::Opened(key)) => (id, key),
            other => panic!("{other:?} opens no session"),
        }
    }

    fn begin(&mut self, (id, session): At, request: Request) -> ReplyTo {
        let transaction = self.named.take();
        self.send(
            id,
            SessionEvent::Request { session, message_id: "1".to_owned(), transaction, request },
        )
    }

    #[track_caller]
    fn ok(&mut self, at: At, request: Request) {
        let reply = self.begin(at, request);
        let answer = self.answer(at.0, reply);
        assert_eq!(answer, Some(Answer::Ok));
    }

    #[track_caller]
    fn error(&mut self, at: At, request: Request) -> crate::netconf::error::RpcError {
        let reply = self.begin(at, request);
        match self.answer(at.0, reply) {
            Some(Answer::Errors(errors)) => errors[0].clone(),
            other => panic!("{other:?} is no error"),
        }
    }

    fn cluster(&mut self, (id, session): At, request: ClusterRequest) -> ReplyTo {
        let authority = Authority { certificate: vec![1], key: vec![2] };
        let fresh = Fresh { random: [7; 16], authority: Some(authority) };
        self.send(
            id,
            SessionEvent::Cluster {
                session,
                message_id: "1".to_owned(),
                transaction: None,
                request,
                fresh,
            },
        )
    }

    fn set(&self, target: Datastore, leaf: &str, value: Option<&str>) -> Request {
        set(&self.schema, target, leaf, value)
    }

    fn running(&self, id: u64) -> String {
        text(&self.schema, &self.nodes[&id].view.as_ref().unwrap().running)
    }

    #[track_caller]
    fn everywhere(&self, expected: &str) {
        for id in self.nodes.keys() {
            assert_eq!(self.running(*id), expected, "on node {id}");
        }
    }

    /// The node is gone for good; the others notice when its connection breaks.
    fn kill(&mut self, id: u64) {
        self.nodes.remove(&id);
        self.lose(id);
    }

    /// The others have no connection to the node any more.
    fn lose(&mut self, id: u64) {
        let now = self.now();
        for node in self.nodes.values_mut() {
            node.agent.peer_lost(now, Incarnation(id));
        }
        self.settle();
    }

    fn may_read(&self, id: u64) -> bool {
        match self.nodes[&id].lease {
            Lease::Unlimited => true,
            Lease::Until(end) => end > Timestamp(self.clock_ms),
        }
    }
}

#[test]
fn every_node_takes_writes_and_shows_them_when_they_are_acknowledged() {
    let mut cluster = Cluster::new(3);
    for id in 1..=3 {
        let at = cluster.open(id);
        let edit = cluster.set(Datastore::Running, "a", Some(&format!("by-{id}")));
        cluster.ok(at, edit);
        let edit = cluster.set(Datastore::Candidate, "b", Some(&id.to_string()));
        cluster.ok(at, edit);
        cluster.ok(at, commit(None));
        cluster.everywhere(&format!("a=by-{id} b={id}"));
    }
    assert!((1..=3).all(|id| cluster.may_read(id)));
}

#[test]
fn errors_come_back_to_the_node_that_asked() {
    let mut cluster = Cluster::new(3);
    let at = {
        let id = cluster.follower();
        cluster.open(id)
    };
    let edit = cluster.set(Datastore::Running, "b", Some("13"));
    let error = cluster.error(at, edit);
    assert_eq!(error.tag, ErrorTag::OperationFailed);
    assert!(error.path.is_some());
    cluster.everywhere("");
    assert_eq!(cluster.nodes[&at.0].view.as_ref().unwrap().cluster.failed, 1);
}

#[test]
fn what_is_too_much_for_one_transaction_is_refused_and_long_ones_below_are_everywhere() {
    let mut cluster = Cluster::new(3);
    let (follower, leader) = (cluster.follower(), cluster.leader());
    let long = "x".repeat(LOG_ENTRY_BYTES_MAX / 2);
    let much = "x".repeat(LOG_ENTRY_BYTES_MAX);
    for id in [follower, leader] {
        let at = cluster.open(id);
        cluster.ok(at, cluster.set(Datastore::Running, "a", Some(&long)));
        cluster.everywhere(&format!("a={long}"));
        let error = cluster.error(at, cluster.set(Datastore::Running, "a", Some(&much)));
        assert_eq!(error.tag, ErrorTag::TooBig, "{error:?}");
        cluster.ok(at, cluster.set(Datastore::Candidate, "a", Some(&much)));
        let error = cluster.error(at, commit(None));
        assert_eq!(error.tag, ErrorTag::TooBig, "{error:?}");
        cluster.ok(at, Request::DiscardChanges);
        cluster.ok(at, cluster.set(Datastore::Running, "a", None));
        cluster.everywhere("");
    }
}

#[test]
fn what_a_dead_leader_had_acknowledged_is_there_and_writes_go_on() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let at = cluster.open(leader);
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    cluster.ok(at, edit);
    let at = {
        let id = cluster.follower();
        cluster.open(id)
    };
    cluster.kill(leader);
    let edit = cluster.set(Datastore::Running, "b", Some("1"));
    let reply = cluster.begin(at, edit);
    assert_eq!(cluster.answer(at.0, reply), None);
    cluster.wait(600);
    assert_eq!(cluster.answer(at.0, reply), Some(Answer::Ok));
    cluster.everywhere("a=x b=1");
}

#[test]
fn a_minority_neither_writes_nor_reads() {
    let mut cluster = Cluster::new(3);
    let id = cluster.follower();
    let at = cluster.open(id);
    for other in (1..=3).filter(|other| *other != id) {
        cluster.kill(other);
    }
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    let reply = cluster.begin(at, edit);
    cluster.wait(1_000);
    assert!(!cluster.may_read(id));
    assert_eq!(cluster.answer(id, reply), None);
    cluster.wait(6_000);
    let Some(Answer::Errors(errors)) = cluster.answer(id, reply) else { panic!("no errors") };
    assert_eq!(errors[0].app_tag.as_deref(), Some("quorate:no-leader"));
}

#[test]
fn participants_of_every_node_vote() {
    let mut cluster = Cluster::with(3, |id| vec![registration(u32::try_from(id).unwrap(), 1)]);
    for verdict in [HookAnswer::No("no room".to_owned()), HookAnswer::Yes] {
        let at = {
            let id = cluster.follower();
            cluster.open(id)
        };
        let edit = cluster.set(Datastore::Running, "a", Some("x"));
        let reply = cluster.begin(at, edit);
        for round in ["validate", "prepare"] {
            for id in 1..=3 {
                let last = round == "prepare" && id == 3;
                let answer = if last { verdict.clone() } else { HookAnswer::Yes };
                cluster.hook_says(id, answer);
            }
        }
        match (verdict, cluster.answer(at.0, reply)) {
            (HookAnswer::Yes, Some(Answer::Ok)) => cluster.everywhere("a=x"),
            (HookAnswer::No(_), Some(Answer::Errors(errors))) => {
                assert_eq!(errors[0].app_tag.as_deref(), Some("quorate:refused"));
                let message = &errors[0].message;
                assert!(message.contains("node-3") && message.contains("p3"), "{message}");
                cluster.everywhere("");
                let aborted = |node: &Node| {
                    matches!(node.hooks.last(), Some(HookCall { call: Call::Abort, .. }))
                };
                assert!(cluster.nodes.values().all(aborted));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn running_becomes_again_what_it_was_at_a_revision() {
    let mut cluster = Cluster::new(3);
    let at = {
        let id = cluster.follower();
        cluster.open(id)
    };
    for value in ["one", "two", "three"] {
        let edit = cluster.set(Datastore::Running, "a", Some(value));
        cluster.ok(at, edit);
    }
    let reply = cluster.cluster(at, ClusterRequest::Rollback { revision: 1 });
    assert_eq!(cluster.answer(at.0, reply), Some(Answer::Ok));
    cluster.everywhere("a=one");
    let history = &cluster.nodes[&1].view.as_ref().unwrap().cluster.history;
    assert_eq!(history[0].comment.as_deref(), Some("rollback to revision 1"));
    assert_eq!((history[0].revision, &*history[0].user), (4, "admin"));
    let reply = cluster.cluster(at, ClusterRequest::Rollback { revision: 99 });
    let Some(Answer::Errors(errors)) = cluster.answer(at.0, reply) else { panic!("no errors") };
    assert_eq!(errors[0].tag, ErrorTag::InvalidValue);
}

#[test]
fn leadership_goes_where_it_is_wanted() {
    let mut cluster = Cluster::new(3);
    let to = cluster.follower();
    let at = {
        let leader = cluster.leader();
        cluster.open(leader)
    };
    let request = ClusterRequest::TransferLeadership { to: Some(format!("node-{to}")) };
    let reply = cluster.cluster(at, request);
    cluster.wait(500);
    assert_eq!(cluster.answer(at.0, reply), Some(Answer::Ok));
    assert_eq!(cluster.leader(), to);
}

#[test]
fn two_wishes_for_different_leaders_are_both_heard() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let others: Vec<u64> = cluster.nodes.keys().copied().filter(|id| *id != leader).collect();
    let wish = |cluster: &mut Cluster, at: u64, to: u64| {
        let (at, session) = cluster.open(at);
        let reply = ReplyTo(1000 + at);
        let event = SessionEvent::Cluster {
            session,
            message_id: "1".to_owned(),
            transaction: None,
            request: ClusterRequest::TransferLeadership { to: Some(format!("node-{to}")) },
            fresh: Fresh { random: [7; 16], authority: None },
        };
        (at, reply, event)
    };
    let wishes =
        [wish(&mut cluster, others[0], others[1]), wish(&mut cluster, others[1], others[0])];
    let now = cluster.now();
    for (at, reply, event) in wishes.clone() {
        cluster.nodes.get_mut(&at).unwrap().agent.step(now, reply, event);
    }
    cluster.wait(5000);
    for (at, reply, _) in wishes {
        assert_eq!(cluster.answer(at, reply), Some(Answer::Ok));
    }
}

#[test]
fn only_an_administrator_changes_the_cluster() {
    let mut cluster = Cluster::new(1);
    let reply = cluster.send(1, SessionEvent::Open(Client { admin: false, ..client() }));
    let Some(Answer::Opened(session)) = cluster.answer(1, reply) else { panic!("no session") };
    let reply = cluster.cluster((1, session), ClusterRequest::Token { valid_for_s: 600 });
    let Some(Answer::Errors(errors)) = cluster.answer(1, reply) else { panic!("no errors") };
    assert_eq!(errors[0].tag, ErrorTag::AccessDenied);
}

impl Cluster {
    /// Answers the newest question of a node.
    fn hook_says(&mut self, id: u64, answer: HookAnswer) {
        let node = self.nodes.get_mut(&id).unwrap();
        let asked = node.hooks.iter().rev().find_map(|hook| match &hook.call {
            Call::Rewrite { id, .. } | Call::Validate { id, .. } | Call::Prepare { id, .. } => {
                Some(*id)
            }
            Call::Start { .. } | Call::Commit { .. } | Call::Abort => None,
        });
        let now = Now { monotonic: Timestamp(self.clock_ms), wall: WallTime(self.clock_ms) };
        node.agent.hook_answered(now, asked.expect("a question"), answer);
        self.settle();
    }

    /// Makes a token and has the node `id` admitted with it, once.
    fn admit(&mut self, id: u64, at: At) -> Admission {
        let reply = self.cluster(at, ClusterRequest::Token { valid_for_s: 600 });
        let Some(Answer::Output(output)) = self.answer(at.0, reply) else { panic!("no token") };
        let [("token", token)] = &*output else { panic!("{output:?}") };
        let token: JoinToken = token.parse().unwrap();
        assert_eq!(token.secret, [7; 16]);
        let join = JoinRequest {
            secret: [7; 16],
            name: format!("node-{id}"),
            address: format!("192.0.2.{id}:4000"),
            version: "1".to_owned(),
            schema_id: self.schema.schema_id,
        };
        let reply = self.send(at.0, SessionEvent::Join(join.clone()));
        let Some(Answer::Admitted(admission)) = self.answer(at.0, reply) else {
            panic!("not admitted")
        };
        let reply =
            self.send(at.0, SessionEvent::Join(JoinRequest { name: "again".to_owned(), ..join }));
        assert!(
            matches!(self.answer(at.0, reply), Some(Answer::Errors(_))),
            "a token is used once"
        );
        *admission
    }
}
