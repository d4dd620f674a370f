//! Sessions of this node: opening, ending, what an end releases.

use super::asked::Content;
use super::event::{Answer, Client, End, EndCause, ReplyTo};
use super::origin::Order;
use super::{Agent, Phase};
use crate::base::ids::{SessionId, SessionKey};
use crate::base::limits::{EARLY_SESSIONS_MAX, SESSION_ID_BLOCK};
use crate::base::time::Now;
use crate::netconf::state::{SessionState, Transport};
use crate::replication::message::Control;
use smol_str::SmolStr;

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    /// Of the request that it has asked last: by them its outcome can be found.
    pub(super) message_id: Option<SmolStr>,
    pub(super) transaction: Option<SmolStr>,
}

impl Session {
    /// What readers see of it.
    pub(super) fn state(&self, id: SessionId) -> SessionState {
        SessionState {
            id,
            transport: self.client.transport,
            user: self.client.user.clone(),
            source_host: self.client.source_host.clone(),
            login_time: self.client.login_time,
            counters: std::sync::Arc::clone(&self.client.counters),
        }
    }
}

impl Agent {
    pub(super) fn open_session(&mut self, now: Now, reply: ReplyTo, client: Client) {
        if self.phase != Phase::Ready {
            return self.open_before_ready(reply, client);
        }
        if self.sessions.len() >= self.parameters.sessions_max {
            let most = self.parameters.sessions_max;
            return self
                .answer(reply, Answer::Refused(format!("{most} sessions are open already")));
        }
        self.refill_session_ids(now);
        let Some(id) = self.next_session_id() else {
            let why = "no session-id is at hand; try again".to_owned();
            return self.answer(reply, Answer::Refused(why));
        };
        self.enter(reply, id, client);
    }

    /// An id that the log does not hold for that of a session which is over: while this member could not be asked,
    /// another one may have ended what it took for a session.
    fn next_session_id(&mut self) -> Option<SessionId> {
        let (next, end) = self.session_ids;
        let is_free = |id: &SessionId| self.state.is_alive(self.session_key(*id));
        let id = (next..end).map(SessionId).find(is_free)?;
        self.session_ids.0 = id.0.saturating_add(1);
        Some(id)
    }

    /// The local socket is open from the beginning, for the state and the operations of the cluster (PROTOCOL M3). No
    /// boot receives these ids from the log.
    fn open_before_ready(&mut self, reply: ReplyTo, client: Client) {
        let first = u32::MAX - EARLY_SESSIONS_MAX + 1;
        let free = (first..=u32::MAX).map(SessionId).find(|id| !self.sessions.contains_key(id));
        match free {
            Some(id) if client.transport == Transport::Unix && client.admin => {
                self.enter(reply, id, client);
            }
            Some(_) | None => {
                self.answer(reply, Answer::Refused("the node is starting".to_owned()));
            }
        }
    }

    fn enter(&mut self, reply: ReplyTo, id: SessionId, client: Client) {
        self.sessions.insert(id, Session { client, message_id: None, transaction: None });
        self.sessions_changed = true;
        self.view_is_stale = true;
        let key = self.session_key(id);
        self.answer(reply, Answer::Opened(key));
    }

    /// What the request that the session asks now is known by.
    pub(super) fn note_request(
        &mut self,
        session: SessionKey,
        message_id: String,
        transaction: Option<String>,
    ) {
        if let Some(open) = self.sessions.get_mut(&session.id) {
            open.message_id = Some(message_id.into());
            open.transaction = transaction.map(SmolStr::from);
        }
    }

    pub(super) fn session_key(&self, id: SessionId) -> SessionKey {
        let Self { parameters, .. } = self;
        SessionKey { incarnation: parameters.incarnation, boot: parameters.boot.counter, id }
    }

    /// Asks for the next block when half of this one is given, unless it is on its way.
    fn refill_session_ids(&mut self, now: Now) {
        let (next, end) = self.session_ids;
        if self.session_ids_asked || end.saturating_sub(next) > SESSION_ID_BLOCK / 2 {
            return;
        }
        self.session_ids_asked = true;
        let body = Control::SessionIds { lowest: self.lowest_session() };
        self.order(now, Order::of_node(now, Content::Control(Box::new(body))));
    }

    /// The user of a session, for history and participants.
    pub(super) fn user_of(&self, session: SessionKey) -> SmolStr {
        let open = self.sessions.get(&session.id);
        open.map_or_else(SmolStr::default, |open| SmolStr::from(open.client.user.as_str()))
    }

    /// Ends a session: what it has not decided yet is dropped, its unconfirmed commit rolled back, the candidate that
    /// it locked discarded, its locks released. Answers when that is durable; at once if the session is over already.
    pub(super) fn end_session(&mut self, now: Now, session: SessionKey, reply: Option<ReplyTo>) {
        let Some(ended) = self.sessions.remove(&session.id) else {
            if let Some(reply) = reply {
                self.answer(reply, Answer::Ok);
            }
            return;
        };
        self.sessions_changed = true;
        self.view_is_stale = true;
        if self.leading_term().is_some() {
            self.drop_undecided(now, session);
        }
        let holds = self.state.holders().any(|holder| holder == session);
        if holds || self.has_pending(session) {
            let mut order = Order::of_node(now, Content::SessionEnd(session));
            order.user = ended.client.user.into();
            order.reply = reply;
            self.order(now, order);
            return self.release_candidate(session);
        }
        self.release_candidate(session);
        if let Some(reply) = reply {
            self.answer(reply, Answer::Ok);
        }
    }

    /// The log says that a session of this node is over: another member ended it (PROTOCOL N2).
    pub(super) fn ended_by_log(&mut self, now: Now, session: SessionKey) {
        self.end_pending_of(now, session);
        if self.sessions.remove(&session.id).is_some() {
            self.sessions_changed = true;
            self.view_is_stale = true;
            self.effects.ends.push(End { session: session.id, cause: EndCause::Killed });
            self.release_candidate(session);
        }
    }
}
