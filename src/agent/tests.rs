//! The agent driven by hand: every write is durable at once, unless a test says otherwise.

use super::effects::Effects;
use super::event::{Answer, Client, EndCause, ReplyTo, SessionEvent};
use super::slot::Registration;
use super::{Agent, Parameters};
use crate::datastore::store::{Datastores, Presence, RunningAccess};
use crate::api::hook::{Call, CallId, HookAnswer, HookCall, ParticipantId};
use crate::base::ids::{Boot, Incarnation, SessionId, SessionKey};
use crate::base::time::{Now, Timestamp, WallTime};
use crate::datastore::edit::{DefaultOperation, Edit, EditNode, EditValue, Operation};
use crate::netconf::error::{ErrorInfo, ErrorTag};
use crate::datastore::store::Datastore;
use crate::netconf::operation::{Commit, ConfigSource, Confirmed, Request, TestOption};
use crate::netconf::state::{Counters, Transport, View};
use crate::raft::{HardState, LogWrite, Node, NodeConfig, RecoveredLog};
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
    view: Option<Arc<View>>,
    ready: bool,
    fatal: Option<String>,
    participants: Vec<Registration>,
}

fn new_agent(schema: &Arc<Schema>, boot: u64, log: RecoveredLog, participants: Vec<Registration>) -> Agent {
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
        datastores: Datastores::new(RunningAccess::ReadWrite, Presence::On, Presence::Off).unwrap(),
        sessions_max: 8,
        initial: None,
        participants,
    };
    let state = State::new(schema.schema_id, Tree::empty(Seed(1)));
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
            view: None,
            ready: false,
            fatal: None,
            participants,
        };
        world.agent.start();
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
        self.hooks.extend(effects.hooks);
        if effects.view.is_some() {
            self.view = effects.view;
        }
        self.ready |= effects.ready;
        if effects.fatal.is_some() {
            self.fatal = effects.fatal;
        }
    }

    /// kill -9 and a new start on what was durable.
    fn restart(&mut self) {
        self.boot += 1;
        self.ready = false;
        self.answers.clear();
        self.agent = new_agent(&self.schema, self.boot, self.log.clone(), self.participants.clone());
        self.agent.start();
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

    #[track_caller]
    fn ask(&mut self, session: SessionKey, request: Request) -> Answer {
        let reply = self.send(SessionEvent::Request {
            session,
            message_id: "1".to_owned(),
            request,
        });
        self.answers.remove(&reply).expect("an answer")
    }

    #[track_caller]
    fn ok(&mut self, session: SessionKey, request: Request) {
        assert_eq!(self.ask(session, request), Answer::Ok);
    }

    #[track_caller]
    fn error(&mut self, session: SessionKey, request: Request) -> (ErrorTag, Vec<ErrorInfo>) {
        match self.ask(session, request) {
            Answer::Errors(errors) => (errors[0].tag, errors[0].info.clone()),
            other => panic!("{other:?} is no error"),
        }
    }

    fn open(&mut self) -> SessionKey {
        let reply = self.send(SessionEvent::Open(Client {
            user: "admin".to_owned(),
            transport: Transport::Unix,
            source_host: None,
            login_time: WallTime(0),
            counters: Arc::new(Counters::default()),
        }));
        match self.answers.remove(&reply) {
            Some(Answer::Opened(key)) => key,
            other => panic!("{other:?} opens no session"),
        }
    }

    fn end(&mut self, session: SessionKey) {
        let reply = self.send(SessionEvent::Ended { session, cause: EndCause::Dropped });
        assert_eq!(self.answers.remove(&reply), Some(Answer::Ok));
    }

    fn set(&self, target: Datastore, leaf: &str, value: Option<&str>) -> Request {
        let child = |parent, name| match self.schema.child(parent, Some("urn:m"), name) {
            Lookup::Found(node) => node,
            Lookup::UnknownNamespace | Lookup::UnknownElement => panic!("no {name}"),
        };
        let container = child(None, "c");
        let node = child(Some(container), leaf);
        let leaf = EditNode {
            node,
            operation: if value.is_some() { Operation::Merge } else { Operation::Remove },
            value: value.map_or(EditValue::Absent, |value| EditValue::Leaf(Text::new(value))),
            children: Vec::new(),
            insert: None,
        };
        let top = EditNode {
            node: container,
            operation: Operation::Merge,
            value: EditValue::None,
            children: vec![leaf],
            insert: None,
        };
        let edit = Edit { default_operation: DefaultOperation::Merge, nodes: vec![top] };
        Request::EditConfig { target, test_option: TestOption::Unstated, edit }
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
            Call::Abort { .. } => "abort".to_owned(),
        };
        self.hooks.iter().map(|hook| (hook.participant.0, name(&hook.call))).collect()
    }

    /// Answers the open call.
    fn hook_says(&mut self, answer: HookAnswer) {
        let id = self.hooks.iter().rev().find_map(|hook| match &hook.call {
            Call::Rewrite { id, .. } | Call::Validate { id, .. } | Call::Prepare { id, .. } => Some(*id),
            Call::Start { .. } | Call::Commit { .. } | Call::Abort { .. } => None,
        });
        self.agent.hook_answered(self.now(), id.expect("a call"), answer);
        self.settle();
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

#[test]
fn a_commit_moves_the_candidate_to_running_and_survives_a_restart() {
    let mut world = World::new();
    assert!(world.ready);
    let session = world.open();
    world.stage(session, "a", "one");
    assert_eq!((world.running(), world.candidate()), (String::new(), "a=one".to_owned()));
    world.ok(session, commit(None));
    assert_eq!(world.running(), "a=one");
    world.stage(session, "a", "two");
    world.restart();
    assert_eq!((world.running(), world.candidate()), ("a=one".to_owned(), "a=one".to_owned()));
}

#[test]
fn session_ids_are_never_used_again() {
    let mut world = World::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        for _ in 0..1500 {
            let session = world.open();
            assert!(seen.insert(session.id), "{} again", session.id);
            world.end(session);
        }
        world.restart();
    }
    assert!(!seen.contains(&SessionId(0)));
}

#[test]
fn more_sessions_than_the_limit_are_refused() {
    let mut world = World::new();
    for _ in 0..8 {
        world.open();
    }
    let reply = world.send(SessionEvent::Open(Client {
        user: "admin".to_owned(),
        transport: Transport::Unix,
        source_host: None,
        login_time: WallTime(0),
        counters: Arc::new(Counters::default()),
    }));
    assert!(matches!(world.answers.get(&reply), Some(Answer::Refused(_))));
}

#[test]
fn an_invalid_candidate_is_not_committed_and_stays() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "b", "13");
    assert_eq!(world.error(session, commit(None)).0, ErrorTag::OperationFailed);
    assert_eq!((world.running(), world.candidate()), (String::new(), "b=13".to_owned()));
    world.ok(session, Request::DiscardChanges);
    assert_eq!(world.candidate(), "");
}

#[test]
fn disjoint_changes_are_rebased_and_overlapping_ones_conflict() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "mine");
    let edit = world.set(Datastore::Running, "b", Some("5"));
    world.ok(session, edit);
    world.ok(session, commit(None));
    assert_eq!(world.running(), "a=mine b=5");
    world.stage(session, "a", "again");
    let edit = world.set(Datastore::Running, "a", Some("theirs"));
    world.ok(session, edit);
    match world.ask(session, commit(None)) {
        Answer::Errors(errors) => {
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].app_tag.as_deref(), Some("quorate:conflict"));
            assert!(errors[0].path.is_some());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((world.running(), world.candidate()), ("a=theirs b=5".to_owned(), "a=again b=5".to_owned()));
}

#[test]
fn an_unconfirmed_commit_is_rolled_back_at_its_timeout_and_not_before() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "kept");
    world.ok(session, commit(None));
    world.stage(session, "a", "tried");
    world.ok(session, confirmed(10, None, None));
    world.wait(9_999);
    assert_eq!(world.running(), "a=tried");
    assert_eq!(world.agent.wake_at(), Some(Timestamp(world.clock_ms + 1)));
    world.wait(1);
    assert_eq!(world.running(), "a=kept");
}

#[test]
fn a_follow_up_restarts_the_timer_and_rolls_back_to_before_the_first() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "first");
    world.ok(session, confirmed(10, None, None));
    world.wait(8_000);
    world.stage(session, "b", "7");
    world.ok(session, confirmed(10, None, None));
    world.wait(8_000);
    assert_eq!(world.running(), "a=first b=7");
    world.wait(2_000);
    assert_eq!(world.running(), "");
}

#[test]
fn a_failed_follow_up_leaves_timer_and_token() {
    let mut world = World::new();
    let (session, other) = (world.open(), world.open());
    world.stage(session, "a", "tried");
    world.ok(session, confirmed(10, Some("t"), None));
    world.wait(6_000);
    world.stage(session, "b", "13");
    assert_eq!(world.error(session, confirmed(10, Some("u"), Some("t"))).0, ErrorTag::OperationFailed);
    assert_eq!(world.error(other, commit(Some("u"))).0, ErrorTag::InvalidValue);
    world.ok(session, Request::DiscardChanges);
    world.wait(4_000);
    assert_eq!(world.running(), "");
}

#[test]
fn a_persistent_one_survives_its_session_and_is_confirmed_by_another() {
    let mut world = World::new();
    let (owner, other) = (world.open(), world.open());
    world.stage(owner, "a", "tried");
    world.ok(owner, confirmed(10, Some("t"), None));
    world.end(owner);
    assert_eq!(world.running(), "a=tried");
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    let edit = world.set(Datastore::Running, "b", Some("1"));
    assert_eq!(world.error(other, edit).0, ErrorTag::InUse);
    let lock = Request::Lock { target: Datastore::Running };
    assert_eq!(world.error(other, lock), (ErrorTag::LockDenied, vec![ErrorInfo::SessionId(0)]));
    world.ok(other, commit(Some("t")));
    world.wait(20_000);
    assert_eq!(world.running(), "a=tried");
}

#[test]
fn one_that_is_not_persistent_ends_with_its_session() {
    let mut world = World::new();
    let owner = world.open();
    world.stage(owner, "a", "tried");
    world.ok(owner, confirmed(600, None, None));
    world.end(owner);
    assert_eq!(world.running(), "");
}

#[test]
fn one_without_changes_is_armed_all_the_same() {
    let mut world = World::new();
    let (owner, other) = (world.open(), world.open());
    world.ok(owner, confirmed(600, None, None));
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    world.ok(owner, Request::CancelCommit { persist_id: None });
    let cancel = Request::CancelCommit { persist_id: None };
    assert_eq!(world.error(owner, cancel).0, ErrorTag::OperationFailed);
}

#[test]
fn a_restart_rolls_back_a_pending_commit_before_netconf_opens() {
    for persist in [None, Some("t")] {
        let mut world = World::new();
        let session = world.open();
        world.stage(session, "a", "kept");
        world.ok(session, commit(None));
        world.stage(session, "a", "tried");
        world.ok(session, confirmed(600, persist, None));
        world.restart();
        assert!(world.ready);
        assert_eq!(world.running(), "a=kept");
        let session = world.open();
        assert_eq!(world.error(session, commit(Some("t"))).0, ErrorTag::InvalidValue);
    }
}

#[test]
fn a_lock_keeps_others_out_and_ends_with_its_session() {
    let mut world = World::new();
    let (holder, other) = (world.open(), world.open());
    let lock = || Request::Lock { target: Datastore::Running };
    world.ok(holder, lock());
    let denied = (ErrorTag::LockDenied, vec![ErrorInfo::SessionId(holder.id.0)]);
    assert_eq!(world.error(other, lock()), denied);
    assert_eq!(world.error(holder, lock()), denied);
    let edit = world.set(Datastore::Running, "a", Some("x"));
    assert_eq!(world.error(other, edit.clone()).0, ErrorTag::InUse);
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    let unlock = Request::Unlock { target: Datastore::Running };
    assert_eq!(world.error(other, unlock).0, ErrorTag::OperationFailed);
    world.ok(holder, edit.clone());
    world.end(holder);
    world.ok(other, edit);
    world.ok(other, lock());
}

#[test]
fn the_candidate_cannot_be_locked_while_it_is_modified_and_unlock_discards() {
    let mut world = World::new();
    let (holder, other) = (world.open(), world.open());
    let lock = || Request::Lock { target: Datastore::Candidate };
    world.stage(other, "a", "x");
    assert_eq!(
        world.error(holder, lock()),
        (ErrorTag::LockDenied, vec![ErrorInfo::SessionId(0)])
    );
    world.ok(other, Request::DiscardChanges);
    world.ok(holder, lock());
    assert_eq!(world.error(other, Request::DiscardChanges).0, ErrorTag::InUse);
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    world.stage(holder, "a", "y");
    world.ok(holder, Request::Unlock { target: Datastore::Candidate });
    assert_eq!(world.candidate(), "");
    world.ok(holder, lock());
    world.stage(holder, "a", "z");
    world.end(holder);
    assert_eq!(world.candidate(), "");
    world.ok(other, lock());
}

#[test]
fn kill_session_ends_another_and_not_oneself() {
    let mut world = World::new();
    let (victim, killer) = (world.open(), world.open());
    world.ok(victim, Request::Lock { target: Datastore::Running });
    let kill = |session| Request::KillSession { session };
    assert_eq!(world.error(killer, kill(killer.id)).0, ErrorTag::InvalidValue);
    assert_eq!(world.error(killer, kill(SessionId(4_000_000))).0, ErrorTag::InvalidValue);
    world.ok(killer, kill(victim.id));
    world.ok(killer, Request::Lock { target: Datastore::Running });
}

#[test]
fn copies_replace_the_whole_target() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "x");
    world.ok(session, commit(None));
    world.stage(session, "b", "1");
    let copy = |source, target| Request::CopyConfig { source: ConfigSource::Datastore(source), target };
    world.ok(session, copy(Datastore::Candidate, Datastore::Running));
    assert_eq!(world.running(), "a=x b=1");
    world.ok(session, copy(Datastore::Running, Datastore::Candidate));
    assert_eq!(world.candidate(), "a=x b=1");
    let same = copy(Datastore::Running, Datastore::Running);
    assert_eq!(world.error(session, same).0, ErrorTag::InvalidValue);
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

#[test]
fn participants_are_asked_in_order_and_told_after_the_change_is_durable() {
    let mut world = World::with(vec![registration(1, 9), registration(2, 3)]);
    let session = world.open();
    world.hooks.clear();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply =
        world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
    for _ in 0..4 {
        assert!(!world.answers.contains_key(&reply));
        assert_eq!(world.running(), "");
        world.hook_says(HookAnswer::Yes);
    }
    assert_eq!(world.answers.get(&reply), Some(&Answer::Ok));
    let expected = [
        (2, "validate"),
        (1, "validate"),
        (2, "prepare"),
        (1, "prepare"),
        (2, "commit 1"),
        (1, "commit 1"),
    ];
    assert_eq!(world.calls(), expected.map(|(id, call)| (id, call.to_owned())));
}

#[test]
fn one_no_aborts_everybody_who_prepared() {
    let mut world = World::with(vec![registration(1, 1), registration(2, 2)]);
    let session = world.open();
    world.hooks.clear();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply =
        world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
    for _ in 0..3 {
        world.hook_says(HookAnswer::Yes);
    }
    world.hook_says(HookAnswer::No("no room".to_owned()));
    let Some(Answer::Errors(errors)) = world.answers.get(&reply) else { panic!("no errors") };
    assert_eq!(errors[0].app_tag.as_deref(), Some("quorate:refused"));
    assert!(errors[0].message.contains("p2") && errors[0].message.contains("no room"));
    assert_eq!(world.running(), "");
    let calls = world.calls();
    assert_eq!(calls[4..], [(1, "abort".to_owned()), (2, "abort".to_owned())]);
}

#[test]
fn a_silent_participant_refuses_at_its_deadline_and_the_next_change_goes_on() {
    let mut world = World::with(vec![registration(1, 1)]);
    let session = world.open();
    let other = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let first = world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        request: edit.clone(),
    });
    let second = world.send(SessionEvent::Request { session: other, message_id: "1".into(), request: edit });
    world.wait(99);
    assert!(!world.answers.contains_key(&first));
    world.wait(1);
    assert!(matches!(world.answers.get(&first), Some(Answer::Errors(_))));
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.answers.get(&second), Some(&Answer::Ok));
}

#[test]
fn a_rewriting_participant_amends_the_change_before_it_is_validated() {
    let mut registered = registration(1, 1);
    registered.rewrites = true;
    let mut world = World::with(vec![registered]);
    let session = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply =
        world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
    let Request::EditConfig { edit: twin, .. } = world.set(Datastore::Running, "twin", Some("x"))
    else {
        panic!("no edit")
    };
    world.hook_says(HookAnswer::Amend(twin));
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.answers.get(&reply), Some(&Answer::Ok));
    assert_eq!(world.running(), "a=x twin=x");
}

#[test]
fn the_end_of_a_session_aborts_what_it_has_not_decided() {
    let mut world = World::with(vec![registration(1, 1)]);
    let session = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
    world.hook_says(HookAnswer::Yes);
    world.end(session);
    assert_eq!(world.calls().last(), Some(&(1, "abort".to_owned())));
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.running(), "");
}

#[test]
fn a_rollback_asks_nobody_and_tells_everybody() {
    let mut world = World::with(vec![registration(1, 1)]);
    let session = world.open();
    world.stage(session, "a", "x");
    world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        request: confirmed(10, None, None),
    });
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    world.hooks.clear();
    world.wait(10_000);
    assert_eq!(world.running(), "");
    assert_eq!(world.calls(), [(1, "commit 2".to_owned())]);
}

#[test]
fn no_answer_leaves_before_what_it_promises_is_durable() {
    let mut world = World::new();
    let session = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply = ReplyTo(9_999);
    let now = world.now();
    world.agent.step(
        now,
        reply,
        SessionEvent::Request { session, message_id: "1".into(), request: edit.clone() },
    );
    let effects = world.agent.take_effects(now);
    assert!(effects.answers.is_empty() && !effects.persist.is_empty());
    // The same edit again changes nothing, but what it is compared with is not durable yet.
    let other = ReplyTo(10_000);
    let repeated = SessionEvent::Request { session, message_id: "2".into(), request: edit };
    world.agent.step(now, other, repeated);
    assert!(world.agent.take_effects(now).answers.is_empty());
    world.agent.persisted(effects.persist.last().expect("a write").number);
    let after = world.agent.take_effects(now);
    let answered: Vec<ReplyTo> = after.answers.iter().map(|(reply, _)| *reply).collect();
    assert_eq!(answered, [reply, other]);
}
