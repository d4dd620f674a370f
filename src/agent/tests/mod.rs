//! The agent driven by hand: every write is durable at once, unless a test says otherwise.

mod cluster;
mod confirmed;
mod locks;
mod participants;
mod running;
mod sessions;
mod start;

use super::effects::Effects;
use super::event::{Answer, Client, ReplyTo, SessionEvent};
use super::slot::Registration;
use super::{Agent, Parameters, StorageSpace};
use crate::api::hook::{Call, CallId, HookAnswer, HookCall, ParticipantId};
use crate::base::ids::{Boot, ClusterId, Incarnation, Lineage, SessionId, SessionKey};
use crate::base::rules::Rules;
use crate::base::time::{Now, Timestamp, WallTime};
use crate::datastore::edit::{DefaultOperation, Edit, EditNode, EditValue, Operation};
use crate::datastore::store::Datastore;
use crate::datastore::store::{Datastores, Presence, RunningAccess};
use crate::netconf::error::{ErrorInfo, ErrorTag};
use crate::netconf::operation::{Commit, ConfigSource, Confirmed, Request, TestOption};
use crate::netconf::state::{Counters, Transport, View};
use crate::raft::{LogWrite, Node, NodeConfig, RecoveredLog};
use crate::replication::state::State;
use crate::yang::schema::{Lookup, Schema};
use crate::yang::tree::{Seed, Text, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

const MODEL: &str = r#"module m { namespace "urn:m"; prefix m; yang-version 1.1;
    container c {
        leaf a { type string; }
        leaf b { type int32 { range "0..100"; } must ". != 13"; }
        leaf twin { type string; }
    } }"#;

struct World {
    schema: Arc<Schema>,
    agent: Agent,
    log: RecoveredLog,
    boot: u64,
    clock_ms: u64,
    next_reply: u64,
    answers: BTreeMap<ReplyTo, Answer>,
    hooks: Vec<HookCall>,
    /// The newest call that is to be answered.
    question: Option<CallId>,
    view: Option<Arc<View>>,
    ready: bool,
    fatal: Option<String>,
    participants: Vec<Registration>,
}

fn new_agent(
    schema: &Arc<Schema>,
    boot: u64,
    log: RecoveredLog,
    participants: Vec<Registration>,
) -> Agent {
    let config = NodeConfig {
        id: Incarnation(1),
        voters: vec![Incarnation(1)],
        seed: 7,
        election_ticks: 25,
        heartbeat_ticks: 5,
    };
    let base = log.base();
    let node = Node::new(&config, log).unwrap();
    let parameters = Parameters {
        schema: Arc::clone(schema),
        incarnation: Incarnation(1),
        boot: Boot { counter: boot, nonce: boot },
        name: "node-1".to_owned(),
        address: "192.0.2.1:4000".to_owned(),
        cluster: ClusterId(1),
        lineage: Lineage(1),
        rejoin_secret: [9; 16],
        datastores: Datastores::new(RunningAccess::ReadWrite, Presence::On, Presence::Off).unwrap(),
        sessions_max: 8,
        session_lease_ms: 30_000,
        initial: None,
        participants,
        rules: Rules::default(),
    };
    let state = State::new(Tree::empty(Seed(1)));
    Agent::new(parameters, node, state, base)
}

impl World {
    fn new() -> Self {
        Self::with(Vec::new())
    }

    fn with(participants: Vec<Registration>) -> Self {
        let schema = crate::yang::libyang::compile_for_test(&[("m", MODEL)]);
        let log = RecoveredLog::default();
        let agent = new_agent(&schema, 1, log.clone(), participants.clone());
        let mut world = Self {
            schema,
            agent,
            log,
            boot: 1,
            clock_ms: 1000,
            next_reply: 1,
            answers: BTreeMap::new(),
            hooks: Vec::new(),
            question: None,
            view: None,
            ready: false,
            fatal: None,
            participants,
        };
        world.agent.start(world.now());
        world.settle();
        world
    }

    fn now(&self) -> Now {
        Now { monotonic: Timestamp(self.clock_ms), wall: WallTime(self.clock_ms) }
    }

    /// Carries effects out until nothing more follows.
    fn settle(&mut self) {
        loop {
            let effects = self.agent.take_effects(self.now());
            let last = effects.persist.last().map(|persist| persist.number);
            for persist in &effects.persist {
                write(&mut self.log, &persist.write);
            }
            self.show(effects);
            match last {
                Some(number) => self.agent.persisted(number),
                None => return,
            }
        }
    }

    fn show(&mut self, effects: Effects) {
        for (reply, answer) in effects.answers {
            assert!(self.answers.insert(reply, answer).is_none(), "one answer each");
        }
        for hook in effects.hooks {
            match &hook.call {
                Call::Rewrite { id, .. } | Call::Validate { id, .. } | Call::Prepare { id, .. } => {
                    self.question = Some(*id);
                }
                Call::Start { .. } | Call::Commit { .. } | Call::Abort => {}
            }
            self.hooks.push(hook);
        }
        if effects.view.is_some() {
            self.view = effects.view;
        }
        self.ready |= effects.ready;
        if effects.fatal.is_some() {
            self.fatal = effects.fatal;
        }
    }

    /// A restart with other models, and modules named `m` and `n`.
    fn restart_with(&mut self, modules: &[(&str, &str)]) {
        self.schema = crate::yang::libyang::compile_for_test(modules);
        self.restart();
    }

    /// kill -9 and a new start on what was durable.
    fn restart(&mut self) {
        self.boot += 1;
        self.ready = false;
        self.fatal = None;
        self.view = None;
        self.answers.clear();
        self.agent =
            new_agent(&self.schema, self.boot, self.log.clone(), self.participants.clone());
        self.agent.start(self.now());
        self.settle();
    }

    fn wait(&mut self, ms: u64) {
        self.clock_ms += ms;
        self.agent.tick(self.now());
        self.settle();
    }

    fn send(&mut self, event: SessionEvent) -> ReplyTo {
        let reply = ReplyTo(self.next_reply);
        self.next_reply += 1;
        self.agent.step(self.now(), reply, event);
        self.settle();
        reply
    }

    /// A step whose effects nobody carries out yet: the disk is at work.
    fn post(&mut self, session: SessionKey, request: Request) -> ReplyTo {
        let reply = ReplyTo(self.next_reply);
        self.next_reply += 1;
        let event = SessionEvent::Request {
            session,
            message_id: "1".to_owned(),
            transaction: None,
            request,
        };
        self.agent.step(self.now(), reply, event);
        reply
    }

    /// The request is on its way; its answer may come later.
    fn begin(&mut self, session: SessionKey, request: Request) -> ReplyTo {
        let reply = self.post(session, request);
        self.settle();
        reply
    }

    #[track_caller]
    fn ask(&mut self, session: SessionKey, request: Request) -> Answer {
        let reply = self.begin(session, request);
        self.answers.remove(&reply).expect("an answer")
    }

    /// The tag of the error that answers `reply`.
    #[track_caller]
    fn refused(&self, reply: ReplyTo) -> ErrorTag {
        let answer = self.answers.get(&reply);
        let Some(Answer::Errors(errors)) = answer else { panic!("{answer:?} is no error") };
        errors[0].tag
    }

    #[track_caller]
    fn granted(&self, reply: ReplyTo) {
        assert_eq!(self.answers.get(&reply), Some(&Answer::Ok));
    }

    #[track_caller]
    fn ok(&mut self, session: SessionKey, request: Request) {
        assert_eq!(self.ask(session, request), Answer::Ok);
    }

    #[track_caller]
    fn error(&mut self, session: SessionKey, request: Request) -> (ErrorTag, Vec<ErrorInfo>) {
        let answer = self.ask(session, request);
        let Answer::Errors(errors) = answer else { panic!("{answer:?} is no error") };
        (errors[0].tag, errors[0].info.clone())
    }

    fn open(&mut self) -> SessionKey {
        let reply = self.send(SessionEvent::Open(client()));
        match self.answers.remove(&reply) {
            Some(Answer::Opened(key)) => key,
            other => panic!("{other:?} opens no session"),
        }
    }

    fn end(&mut self, session: SessionKey) {
        let reply = self.send(SessionEvent::Ended(session));
        assert_eq!(self.answers.remove(&reply), Some(Answer::Ok));
    }

    fn set(&self, target: Datastore, leaf: &str, value: Option<&str>) -> Request {
        set(&self.schema, target, leaf, value)
    }

    fn stage(&mut self, session: SessionKey, leaf: &str, value: &str) {
        let edit = self.set(Datastore::Candidate, leaf, Some(value));
        self.ok(session, edit);
    }

    /// Running as text: `leaf=value` in schema order.
    fn running(&self) -> String {
        text(&self.schema, &self.view.as_ref().expect("a view").running)
    }

    fn candidate(&self) -> String {
        let view = self.view.as_ref().expect("a view");
        text(&self.schema, view.candidate.as_ref().expect("a candidate"))
    }

    fn calls(&mut self) -> Vec<(u32, String)> {
        let name = |call: &Call| match call {
            Call::Start { .. } => "start".to_owned(),
            Call::Rewrite { .. } => "rewrite".to_owned(),
            Call::Validate { .. } => "validate".to_owned(),
            Call::Prepare { .. } => "prepare".to_owned(),
            Call::Commit { revision, .. } => format!("commit {revision}"),
            Call::Abort => "abort".to_owned(),
        };
        self.hooks.iter().map(|hook| (hook.participant.0, name(&hook.call))).collect()
    }

    /// What the only participant has heard since the last time.
    fn heard(&mut self) -> String {
        let calls: Vec<String> = self.calls().into_iter().map(|(_, call)| call).collect();
        self.hooks.clear();
        calls.join(", ")
    }

    /// Answers the newest question.
    fn hook_says(&mut self, answer: HookAnswer) {
        self.agent.hook_answered(self.now(), self.question.expect("a question"), answer);
        self.settle();
    }
}

/// An edit of one leaf of `c`; without a value it is removed.
fn set(schema: &Schema, target: Datastore, leaf: &str, value: Option<&str>) -> Request {
    let child = |parent, name| match schema.child(parent, Some("urn:m"), name) {
        Lookup::Found(node) => node,
        Lookup::UnknownNamespace | Lookup::UnknownElement => panic!("no {name}"),
    };
    let container = child(None, "c");
    let node = child(Some(container), leaf);
    let leaf = EditNode {
        node,
        operation: if value.is_some() { Operation::Merge } else { Operation::Remove },
        value: value.map_or(EditValue::Absent, |value| EditValue::Leaf(Text::new(value))),
    };
    let top = EditNode {
        node: container,
        operation: Operation::Merge,
        value: EditValue::Container([leaf].into()),
    };
    let edit = Edit { default_operation: DefaultOperation::Merge, nodes: vec![top] };
    Request::EditConfig { target, test_option: TestOption::Unstated, edit }
}

fn client() -> Client {
    Client {
        user: "admin".to_owned(),
        transport: Transport::Unix,
        source_host: None,
        admin: true,
        login_time: WallTime(0),
        counters: Arc::new(Counters::default()),
    }
}

fn write(log: &mut RecoveredLog, write: &LogWrite) {
    if let Some(hard_state) = write.hard_state {
        log.hard_state = hard_state;
    }
    for entry in &write.entries {
        log.entries.retain(|old| old.index < entry.index);
        log.entries.push(entry.clone());
    }
}

fn text(schema: &Arc<Schema>, tree: &Tree) -> String {
    let xml = String::from_utf8(crate::yang::print::print_all(schema, tree)).unwrap();
    let mut found = Vec::new();
    for piece in xml.split('<').filter(|piece| !piece.starts_with('/')) {
        if let Some((tag, value)) = piece.split_once('>')
            && !value.is_empty()
        {
            found.push(format!("{tag}={value}"));
        }
    }
    found.join(" ")
}

fn confirmed(timeout_s: u32, persist: Option<&str>, persist_id: Option<&str>) -> Request {
    Request::Commit(Commit {
        confirmed: Some(Confirmed { timeout_s, persist: persist.map(str::to_owned) }),
        persist_id: persist_id.map(str::to_owned),
    })
}

fn commit(persist_id: Option<&str>) -> Request {
    Request::Commit(Commit { confirmed: None, persist_id: persist_id.map(str::to_owned) })
}

fn registration(id: u32, priority: i32) -> Registration {
    Registration {
        id: ParticipantId(id),
        name: format!("p{id}"),
        paths: Vec::new(),
        priority,
        deadline_ms: 100,
        rewrites: false,
    }
}
