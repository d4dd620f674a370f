//! Clients: each keeps to a plan of a few requests in one session, and knows what it was told.

use super::history::Effective;
use super::model::Spot;
use super::node::Input;
use super::oracle::{Fate, Violation, ensure};
use super::plans::Action;
use super::world::{Event, MS, Phase, World};
use crate::agent::event::{Answer, Client as Opening, Fresh, ReplyTo, SessionEvent};
use crate::base::ids::{LogIndex, Revision, SessionKey, Term};
use crate::base::time::WallTime;
use crate::datastore::store::Datastore;
use crate::netconf::operation::{ClusterRequest, Commit, Confirmed, Request, TestOption};
use crate::netconf::state::{Counters, Transport};
use std::collections::VecDeque;
use std::sync::Arc;

/// What was asked and is not answered.
#[derive(Debug, Clone)]
struct Asked {
    reply: ReplyTo,
    action: Option<Action>,
    value: Option<String>,
    since: u64,
    /// What had been acknowledged, to anybody, when it was asked.
    floor: Revision,
    /// Who had led so far.
    term: Term,
}

/// A client.
pub(super) struct Client {
    /// Where its session is, in which life.
    pub(super) node: usize,
    pub(super) life: u64,
    pub(super) session: Option<SessionKey>,
    plan: VecDeque<Action>,
    asked: Option<Asked>,
    /// It holds the candidate's lock, as far as it knows.
    candidate: bool,
    /// The value that it has staged under that lock.
    staged: Option<String>,
    /// The fence of running's lock, as far as it knows.
    fence: Option<LogIndex>,
    /// The highest revision that its session has seen.
    pub(super) seen: Revision,
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
        self.send_client(c, n, vec![Action::Edit(Spot::Leaf(0)), Action::Read]);
    }

    /// A client without a session does this at a node, and goes.
    pub(super) fn send_client(&mut self, c: usize, n: usize, plan: Vec<Action>) {
        self.clients[c].plan = plan.into();
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
        let (floor, term) = (self.oracle.acknowledged, self.oracle.last_term());
        let client = &mut self.clients[c];
        client.asked = Some(Asked { reply, action, value, since: self.time, floor, term });
        let n = client.node;
        self.replies.insert(reply, c);
        self.give(n, Input::Question(reply, event));
    }

    /// Of several nodes each has a client that does nothing but read.
    pub(super) fn is_watcher(&self, c: usize) -> bool {
        self.founders > 1 && c < self.founders
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
            Action::Transfer(to) => {
                let to = to.map(|n| self.nodes[n].name.clone());
                return self.operate(c, action, ClusterRequest::TransferLeadership { to });
            }
            Action::Expel(ref name) => {
                let member = Some(name.clone());
                return self.operate(c, action, ClusterRequest::Remove { member });
            }
            Action::Policy(policy) => {
                return self.operate(c, action, ClusterRequest::SetPolicy { policy });
            }
            Action::Kill => match self.victim(c) {
                Some(session) => Request::KillSession { session },
                None => return self.next(c),
            },
            Action::Read => {
                self.read(c);
                return Ok(());
            }
            Action::Sleep(wait) => {
                let hurries = self.phase >= Phase::Quiet;
                self.act_soon(c, if hurries { wait.min(100 * MS) } else { wait });
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
        let echoes =
            self.habits.echoes && matches!(action, Action::Confirm { persist_id: Some(_) });
        let again = echoes.then(|| action.clone());
        self.ask(c, Some(action), value, event);
        again.map_or(Ok(()), |action| self.echo(action))
    }

    /// Others who have nothing of their own on the way ask for the same.
    fn echo(&mut self, action: Action) -> Result<(), Violation> {
        let is_free = |client: &Client| {
            client.session.is_some() && client.asked.is_none() && !client.candidate
        };
        let mut others = (0..self.clients.len()).filter(|other| !self.is_watcher(*other));
        match others.find(|other| is_free(&self.clients[*other])) {
            Some(other) => self.perform(other, action),
            None => Ok(()),
        }
    }

    fn operate(
        &mut self,
        c: usize,
        action: Action,
        request: ClusterRequest,
    ) -> Result<(), Violation> {
        let Some(session) = self.clients[c].session else { return Ok(()) };
        let message_id = format!("{}", self.next_reply);
        let fresh = Fresh { random: [0; 16], authority: None };
        let event =
            SessionEvent::Cluster { session, message_id, request, transaction: None, fresh };
        self.ask(c, Some(action), None, event);
        Ok(())
    }

    pub(super) fn next(&mut self, c: usize) -> Result<(), Violation> {
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
        if self.join_answered(reply, &answer)? {
            return Ok(());
        }
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
            (Answer::Ok, Some(_)) => {
                self.granted(c, n, &asked)?;
            }
            (_, Some(action)) if known => self.refused(c, action, asked.value.as_deref())?,
            (_, Some(_)) => self.unknown(c, &asked)?,
        }
        self.next(c)
    }

    fn granted(&mut self, c: usize, n: usize, asked: &Asked) -> Result<(), Violation> {
        let Some(action) = &asked.action else { return Ok(()) };
        self.oracle.counts.acknowledged += 1;
        let Some(session) = self.clients[c].session else { return Ok(()) };
        if let Some(what) = effective(&Some(action.clone())) {
            self.oracle.told(session, what, true)?;
        }
        let client = &mut self.clients[c];
        let (fence, waited_us) = (client.fence, self.time - asked.since);
        match action {
            Action::Edit(_) => {
                let value = asked.value.as_deref().unwrap_or_default();
                let revision =
                    self.oracle.acknowledged(n, &self.nodes, (value, fence, waited_us))?;
                client.seen = client.seen.max(revision);
            }
            Action::Remove(spot) => self.oracle.history.was_absent(*spot, asked.floor)?,
            Action::Transfer(to) => {
                self.oracle.counts.transfers += 1;
                to.map_or(Ok(()), |to| self.oracle.took_over(to, asked.term))?;
            }
            Action::Expel(name) => {
                let seat = self.oracle.history.last_state().member_named(name);
                ensure("S18", seat.is_none(), || format!("{name} is removed, and is not"))?;
            }
            Action::Policy(_) => self.oracle.counts.policies += 1,
            Action::Stage(_) if client.candidate => client.staged.clone_from(&asked.value),
            Action::Commit | Action::CommitConfirmed { .. } => {
                if let Some(value) = client.staged.take() {
                    let revision =
                        self.oracle.acknowledged(n, &self.nodes, (&value, fence, waited_us))?;
                    client.seen = client.seen.max(revision);
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
            // The node has ended it, and only cannot say what becomes of what it held.
            Action::Close => client.forget(),
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
        if asked.action == Some(Action::Close) {
            self.clients[c].forget();
        }
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
