//! Clients: each keeps to a plan of a few requests in one session, and knows what it was told.

use super::history::Effective;
use super::model::{SPOTS, Spot};
use super::node::Input;
use super::oracle::{Fate, Violation};
use super::world::{Event, MS, Phase, World};
use crate::agent::event::{Answer, Client as Opening, ReplyTo, SessionEvent};
use crate::base::ids::{LogIndex, Revision, SessionKey};
use crate::base::rules::Rule;
use crate::base::time::WallTime;
use crate::datastore::store::Datastore;
use crate::netconf::operation::{Commit, Confirmed, Request, TestOption};
use crate::netconf::state::{Counters, Transport};
use std::collections::VecDeque;
use std::sync::Arc;

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Edit(Spot),
    Remove(Spot),
    /// What validation refuses.
    Invalid,
    Stage(Spot),
    Discard,
    Commit,
    CommitConfirmed {
        timeout_s: u32,
        persist: Option<String>,
    },
    Confirm {
        persist_id: Option<String>,
    },
    Cancel {
        persist_id: Option<String>,
    },
    Lock(Datastore),
    Unlock(Datastore),
    Kill,
    Read,
    Sleep(u64),
    Close,
    /// The transport goes away, whatever is on its way.
    Vanish,
}

/// What was asked and is not answered.
#[derive(Debug, Clone)]
struct Asked {
    reply: ReplyTo,
    action: Option<Action>,
    value: Option<String>,
    since: u64,
    /// What had been acknowledged, to anybody, when it was asked.
    floor: Revision,
}

/// A client.
pub(super) struct Client {
    /// Where its session is, in which life.
    node: usize,
    life: u64,
    session: Option<SessionKey>,
    plan: VecDeque<Action>,
    asked: Option<Asked>,
    /// It holds the candidate's lock, as far as it knows.
    candidate: bool,
    /// The value that it has staged under that lock.
    staged: Option<String>,
    /// The fence of running's lock, as far as it knows.
    fence: Option<LogIndex>,
    /// The highest revision that its session has seen.
    seen: Revision,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            node: 0,
            life: 0,
            session: None,
            plan: VecDeque::new(),
            asked: None,
            candidate: false,
            staged: None,
            fence: None,
            seen: Revision(0),
        }
    }

    fn forget(&mut self) {
        *self = Self::new();
    }

    /// Where its session is: the node, and its life.
    pub(super) fn place(&self) -> (usize, u64) {
        (self.node, self.life)
    }

    /// It has no session and waits for nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.session.is_none() && self.asked.is_none()
    }

    /// It waits for an answer, since when.
    pub(super) fn waits(&self) -> Option<(usize, u64)> {
        self.asked.as_ref().map(|asked| (self.node, asked.since))
    }
}

impl World {
    /// A client's turn: it opens a session, or does the next thing of its plan.
    pub(super) fn act(&mut self, c: usize) -> Result<(), Violation> {
        if self.clients[c].asked.is_some() {
            return Ok(());
        }
        if self.clients[c].session.is_none() {
            if self.phase < Phase::Quiet {
                self.open(c);
            }
            return Ok(());
        }
        if self.clients[c].plan.is_empty() {
            let plan = if self.phase < Phase::Quiet { self.plan(c) } else { vec![Action::Close] };
            self.clients[c].plan = plan.into();
        }
        match self.clients[c].plan.pop_front() {
            Some(action) => self.perform(c, action),
            None => Ok(()),
        }
    }

    /// A client writes and reads at a node, in a session of its own.
    pub(super) fn probe(&mut self, c: usize, n: usize) {
        self.clients[c].plan = vec![Action::Edit(Spot::Leaf(0)), Action::Read].into();
        self.open_at(c, n);
    }

    pub(super) fn act_soon(&mut self, c: usize, wait: u64) {
        self.after(wait, Event::Client(c));
    }

    fn open(&mut self, c: usize) {
        let any = self.chance.place(self.nodes.len());
        self.open_at(c, if self.is_watcher(c) { c } else { any });
    }

    fn open_at(&mut self, c: usize, n: usize) {
        let Some(life) = &self.nodes[n].life else { return self.act_soon(c, 50 * MS) };
        (self.clients[c].node, self.clients[c].life) = (n, life.number);
        let client = Opening {
            user: format!("user-{c}"),
            transport: Transport::Unix,
            source_host: None,
            login_time: WallTime(0),
            admin: true,
            counters: Arc::new(Counters::default()),
        };
        self.ask(c, None, None, SessionEvent::Open(client));
    }

    fn ask(
        &mut self,
        c: usize,
        action: Option<Action>,
        value: Option<String>,
        event: SessionEvent,
    ) {
        self.next_reply += 1;
        let reply = ReplyTo(self.next_reply);
        self.say_ask(c, reply, action.as_ref(), value.as_ref());
        let floor = self.oracle.acknowledged;
        let client = &mut self.clients[c];
        client.asked = Some(Asked { reply, action, value, since: self.time, floor });
        let n = client.node;
        self.replies.insert(reply, c);
        self.give(n, Input::Question(reply, event));
    }

    /// Of several nodes each has a client that does nothing but read.
    fn is_watcher(&self, c: usize) -> bool {
        self.nodes.len() > 1 && c < self.nodes.len()
    }

    /// What a client does next, of one piece.
    fn plan(&mut self, c: usize) -> Vec<Action> {
        use Action::{
            Cancel, Commit, CommitConfirmed, Confirm, Discard, Edit, Invalid, Kill, Lock, Read,
            Remove, Sleep, Stage, Unlock,
        };
        use Datastore::{Candidate, Running};
        let mut spot = || {
            let number = self.chance.place(SPOTS);
            self.model.spot(number)
        };
        let (a, b) = (spot(), spot());
        if self.is_watcher(c) {
            return vec![Read];
        }
        let pause = Sleep(self.chance.below(if self.is_simple { 50 * MS } else { 300 * MS }));
        let draw = self.chance.below(if self.is_simple { 34 } else { 100 });
        let mut plan = match draw {
            0..28 => vec![Edit(a), Read],
            28..34 => vec![Remove(a)],
            34..37 => vec![Invalid],
            37..47 => vec![Lock(Running), Edit(a), pause.clone(), Edit(b), Unlock(Running)],
            47..60 => vec![Lock(Candidate), Stage(a), Commit, Unlock(Candidate)],
            60..65 => vec![Stage(a), pause.clone(), Commit],
            65..67 => vec![Discard],
            67..76 => {
                let named = self.chance.below(2) == 0;
                let persist = named.then(|| self.next_value(c));
                if let Some(token) = &persist {
                    self.tokens.push(token.clone());
                }
                let timeout_s = 1 + u32::try_from(self.chance.below(3)).unwrap_or(0);
                let mut plan = vec![
                    Lock(Candidate),
                    Stage(a),
                    CommitConfirmed { timeout_s, persist: persist.clone() },
                    Sleep(self.chance.below(1_200 * MS)),
                ];
                match self.chance.below(4) {
                    0 => plan.push(Cancel { persist_id: persist }),
                    1 => {}
                    _ => plan.push(Confirm { persist_id: persist }),
                }
                plan.push(Unlock(Candidate));
                plan
            }
            76..80 => match self.tokens.last().cloned() {
                Some(token) => vec![Confirm { persist_id: Some(token) }],
                None => vec![Read],
            },
            80..82 => vec![Kill],
            82..92 => vec![Read, pause.clone(), Read],
            92..96 => vec![Action::Close],
            _ => vec![Lock(Running), Edit(a), Action::Vanish],
        };
        plan.push(pause);
        plan
    }

    fn perform(&mut self, c: usize, action: Action) -> Result<(), Violation> {
        let Some(session) = self.clients[c].session else { return Ok(()) };
        let value = match action {
            Action::Edit(_) | Action::Stage(_) => Some(self.next_value(c)),
            _ => None,
        };
        let written = value.clone().unwrap_or_default();
        let edit =
            |target, edit| Request::EditConfig { target, test_option: TestOption::Unstated, edit };
        let commit = |confirmed, persist_id| Request::Commit(Commit { confirmed, persist_id });
        let request = match action.clone() {
            Action::Edit(spot) => edit(Datastore::Running, self.model.set(spot, &written)),
            Action::Stage(spot) => edit(Datastore::Candidate, self.model.set(spot, &written)),
            Action::Remove(spot) => edit(Datastore::Running, self.model.remove(spot)),
            Action::Invalid => edit(Datastore::Running, self.model.invalid()),
            Action::Discard => Request::DiscardChanges,
            Action::Commit => commit(None, None),
            Action::CommitConfirmed { timeout_s, persist } => {
                commit(Some(Confirmed { timeout_s, persist }), None)
            }
            Action::Confirm { persist_id } => commit(None, persist_id),
            Action::Cancel { persist_id } => Request::CancelCommit { persist_id },
            Action::Lock(target) => Request::Lock { target },
            Action::Unlock(target) => Request::Unlock { target },
            Action::Kill => match self.victim(c) {
                Some(session) => Request::KillSession { session },
                None => return self.next(c),
            },
            Action::Read => {
                self.read(c);
                return Ok(());
            }
            Action::Sleep(wait) => {
                self.act_soon(c, wait);
                return Ok(());
            }
            Action::Close => Request::CloseSession,
            Action::Vanish => return self.vanish(c),
        };
        if let Some(value) = &value {
            self.oracle.fates.insert(value.clone(), Fate::Maybe);
        }
        let message_id = format!("{}", self.next_reply);
        let event = SessionEvent::Request { session, message_id, transaction: None, request };
        self.ask(c, Some(action), value, event);
        Ok(())
    }

    fn next(&mut self, c: usize) -> Result<(), Violation> {
        let wait = self.chance.below(20 * MS);
        self.act_soon(c, wait);
        Ok(())
    }

    /// The session of another client of the same node, or of another one.
    fn victim(&mut self, c: usize) -> Option<crate::base::ids::SessionId> {
        let other = self.chance.place(self.clients.len());
        self.clients.get(other).filter(|_| other != c)?.session.map(|session| session.id)
    }

    /// The client's transport ends while something may be on its way.
    fn vanish(&mut self, c: usize) -> Result<(), Violation> {
        let Client { node, session: Some(session), .. } = self.clients[c] else { return Ok(()) };
        self.next_reply += 1;
        let reply = ReplyTo(self.next_reply);
        self.say(format_args!("client {c} vanishes"));
        self.give(node, Input::Question(reply, SessionEvent::Ended(session)));
        self.lost_session(c)
    }

    /// Nothing more is heard in this session.
    fn lost_session(&mut self, c: usize) -> Result<(), Violation> {
        let asked = self.clients[c].asked.take();
        if let Some(asked) = asked {
            self.replies.remove(&asked.reply);
            self.oracle.counts.unknown += 1;
            if let (Some(session), Some(what)) = (self.clients[c].session, effective(&asked.action))
            {
                self.oracle.told(session, what, false)?;
            }
        }
        self.clients[c].forget();
        let wait = 20 * MS + self.chance.below(300 * MS);
        self.act_soon(c, wait);
        Ok(())
    }

    /// A node died, and its sessions with it.
    pub(super) fn sessions_lost(&mut self, n: usize, life: u64) -> Result<(), Violation> {
        for c in 0..self.clients.len() {
            let client = &self.clients[c];
            let there = client.session.is_some() || client.asked.is_some();
            if there && (client.node, client.life) == (n, life) {
                self.lost_session(c)?;
            }
        }
        Ok(())
    }

    /// A node closes a session.
    pub(super) fn session_ended(
        &mut self,
        n: usize,
        session: crate::base::ids::SessionId,
    ) -> Result<(), Violation> {
        for c in 0..self.clients.len() {
            let client = &self.clients[c];
            let ours = client.session.is_some_and(|key| key.id == session);
            if ours && client.node == n {
                let Some(key) = client.session else { continue };
                // The shell reports the end of what it was told to close.
                self.next_reply += 1;
                let reply = ReplyTo(self.next_reply);
                self.give(n, Input::Question(reply, SessionEvent::Ended(key)));
                self.lost_session(c)?;
            }
        }
        Ok(())
    }

    /// An answer leaves a node.
    pub(super) fn answered(
        &mut self,
        n: usize,
        reply: ReplyTo,
        answer: Answer,
    ) -> Result<(), Violation> {
        let Some(c) = self.replies.remove(&reply) else { return Ok(()) };
        let Some(asked) = self.clients[c].asked.take_if(|asked| asked.reply == reply) else {
            return Ok(());
        };
        self.say(format_args!("client {c} at {n} hears {}", brief(&answer)));
        let known = match &answer {
            Answer::Errors(errors) => !errors
                .iter()
                .any(|error| error.app_tag.as_deref() == Some("quorate:outcome-unknown")),
            _ => true,
        };
        match (&answer, &asked.action) {
            (Answer::Opened(session), None) => self.clients[c].session = Some(*session),
            (_, None) => {
                self.clients[c].forget();
                self.act_soon(c, 100 * MS);
                return Ok(());
            }
            (Answer::Ok, Some(action)) => {
                if let Action::Remove(spot) = action {
                    self.oracle.history.was_absent(*spot, asked.floor)?;
                }
                self.granted(c, n, action, asked.value.as_deref())?;
            }
            (_, Some(action)) if known => self.refused(c, action, asked.value.as_deref())?,
            (_, Some(_)) => self.unknown(c, &asked)?,
        }
        self.next(c)
    }

    fn granted(
        &mut self,
        c: usize,
        n: usize,
        action: &Action,
        value: Option<&str>,
    ) -> Result<(), Violation> {
        self.oracle.counts.acknowledged += 1;
        let Some(session) = self.clients[c].session else { return Ok(()) };
        if let Some(what) = effective(&Some(action.clone())) {
            self.oracle.told(session, what, true)?;
        }
        let client = &mut self.clients[c];
        let fence = client.fence;
        match action {
            Action::Edit(_) => {
                let value = value.unwrap_or_default();
                self.oracle.acknowledged(n, &self.nodes, (value, fence))?;
            }
            Action::Stage(_) if client.candidate => client.staged = value.map(str::to_owned),
            Action::Commit | Action::CommitConfirmed { .. } => {
                if let Some(value) = client.staged.take() {
                    self.oracle.acknowledged(n, &self.nodes, (&value, fence))?;
                }
            }
            Action::Discard => {
                if let Some(value) = client.staged.take() {
                    self.oracle.denied(&value)?;
                }
            }
            Action::Lock(Datastore::Running) => {
                client.fence = self.oracle.history.fence_of(session);
            }
            Action::Lock(_) => client.candidate = true,
            Action::Unlock(Datastore::Running) => client.fence = None,
            Action::Unlock(_) => {
                client.candidate = false;
                client.staged = None;
            }
            Action::Close => {
                self.clients[c].forget();
            }
            _ => {}
        }
        Ok(())
    }

    fn refused(&mut self, c: usize, action: &Action, value: Option<&str>) -> Result<(), Violation> {
        self.oracle.counts.refused += 1;
        if let Some(value) = value {
            self.oracle.denied(value)?;
        }
        let client = &mut self.clients[c];
        match action {
            Action::Lock(_) => client.plan.clear(),
            Action::Stage(_) | Action::Commit | Action::CommitConfirmed { .. } => {
                let mut rest = vec![Action::Discard];
                if client.candidate {
                    rest.push(Action::Unlock(Datastore::Candidate));
                }
                client.plan = rest.into();
            }
            // Without the candidate there is nothing to go on from.
            Action::Discard => client.plan.clear(),
            _ => {}
        }
        Ok(())
    }

    fn unknown(&mut self, c: usize, asked: &Asked) -> Result<(), Violation> {
        self.oracle.counts.unknown += 1;
        if let (Some(session), Some(what)) = (self.clients[c].session, effective(&asked.action)) {
            self.oracle.told(session, what, false)?;
        }
        self.clients[c].staged = None;
        Ok(())
    }

    fn say_ask(
        &mut self,
        c: usize,
        reply: ReplyTo,
        action: Option<&Action>,
        value: Option<&String>,
    ) {
        let (n, session) = (self.clients[c].node, self.clients[c].session);
        let session = session.map(|session| session.id.0);
        self.say(format_args!(
            "client {c} session {session:?} asks {n} as {}: {action:?} {value:?}",
            reply.0
        ));
    }
}

/// Reads.
impl World {
    /// A reader takes the view of its node, while the lease holds, and looks at the lease again before it answers.
    fn read(&mut self, c: usize) {
        let required = self.oracle.acknowledged.max(self.clients[c].seen);
        let takes = self.chance.below(2 * MS);
        self.after(takes, Event::Read { client: c, required, tries: 0 });
    }

    /// The reader has a turn on its node's processor.
    pub(super) fn reading(
        &mut self,
        c: usize,
        required: Revision,
        tries: u32,
    ) -> Result<(), Violation> {
        let Client { node, life, session, .. } = self.clients[c];
        let Some(own) = self.nodes[node].life.as_ref().filter(|own| own.number == life) else {
            return Ok(());
        };
        if session.is_none() {
            return Ok(());
        }
        let now = self.nodes[node].clock.now(self.time);
        let may_read = own.may_read(now) || !self.rules.hold(Rule::LeaseBeforeView);
        let Some(shown) = own.shown.clone().filter(|_| may_read) else {
            // At most a second (PROTOCOL M2), then it is told so.
            if tries < 20 {
                self.after(50 * MS, Event::Read { client: c, required, tries: tries + 1 });
                return Ok(());
            }
            self.say(format_args!("client {c} may not read"));
            return self.next(c);
        };
        let slow = self.chance.below(20) == 0;
        let takes = self.chance.below(if slow { 500 * MS } else { 3 * MS });
        self.for_life(node, takes, |_, _| Event::Show { client: c, shown, required });
        Ok(())
    }

    /// The reader is about to answer.
    pub(super) fn show_read(
        &mut self,
        c: usize,
        shown: super::node::Shown,
        required: Revision,
    ) -> Result<(), Violation> {
        let Client { node, life, session, .. } = self.clients[c];
        let Some(own) = self.nodes[node].life.as_ref().filter(|own| own.number == life) else {
            return Ok(());
        };
        if session.is_none() {
            return Ok(());
        }
        let now = self.nodes[node].clock.now(self.time);
        if !own.may_read(now) {
            return self.next(c);
        }
        let revision = shown.revision;
        self.say(format_args!("client {c} at {node} reads revision {revision}"));
        super::oracle::ensure("S8", revision >= required, || {
            format!("client {c} at {node} reads revision {revision} after {required} was ok")
        })?;
        self.clients[c].seen = revision;
        self.oracle.read(node, revision, &shown.view.running)?;
        self.next(c)
    }
}

fn effective(action: &Option<Action>) -> Option<Effective> {
    match action {
        Some(Action::Lock(Datastore::Running)) => Some(Effective::Lock),
        Some(Action::Unlock(Datastore::Running)) => Some(Effective::Unlock),
        Some(Action::Cancel { .. }) => Some(Effective::Cancel),
        Some(Action::Confirm { persist_id: Some(_) }) => Some(Effective::Confirm),
        _ => None,
    }
}

fn brief(answer: &Answer) -> String {
    match answer {
        Answer::Errors(errors) => {
            let texts: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            format!("error: {}", texts.join("; "))
        }
        other => format!("{other:?}"),
    }
}
