//! Sessions of this node: opening, ending, what an end releases.

use super::event::{Answer, Client, End, EndCause, ReplyTo};
use super::{Agent, Pending, Phase, fault};
use crate::base::ids::{SessionId, SessionKey};
use crate::base::limits::SESSION_ID_BLOCK;
use crate::base::time::Now;
use crate::netconf::state::SessionState;
use crate::replication::entry::Body;
use crate::replication::state::State;

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
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
    pub(super) fn open_session(&mut self, reply: ReplyTo, client: Client) {
        if self.phase != Phase::Ready {
            return self.answer(reply, Answer::Refused("the node is starting".to_owned()));
        }
        if self.sessions.len() >= self.parameters.sessions_max {
            let most = self.parameters.sessions_max;
            return self
                .answer(reply, Answer::Refused(format!("{most} sessions are open already")));
        }
        self.refill_session_ids();
        let (next, end) = self.session_ids;
        if next >= end {
            let why = "no session-id is at hand; try again".to_owned();
            return self.answer(reply, Answer::Refused(why));
        }
        self.session_ids.0 = next.saturating_add(1);
        let id = SessionId(next);
        self.sessions.insert(id, Session { client });
        self.sessions_changed = true;
        self.view_is_stale = true;
        let key = self.session_key(id);
        self.answer(reply, Answer::Opened(key));
    }

    fn session_key(&self, id: SessionId) -> SessionKey {
        let Self { parameters, .. } = self;
        SessionKey { incarnation: parameters.incarnation, boot: parameters.boot.counter, id }
    }

    /// Asks for the next block when half of this one is given, unless it is on its way.
    fn refill_session_ids(&mut self) {
        let (next, end) = self.session_ids;
        if self.session_ids_asked || end.saturating_sub(next) > SESSION_ID_BLOCK / 2 {
            return;
        }
        let (incarnation, boot) = (self.parameters.incarnation, self.parameters.boot.counter);
        match self.propose(Body::SessionIds { incarnation, boot }) {
            Ok(_) => self.session_ids_asked = true,
            Err(error) => tracing::warn!(%error, "no new session-ids"),
        }
    }

    /// The user of a session, for history and participants.
    pub(super) fn user_of(&self, session: SessionKey) -> String {
        self.sessions.get(&session.id).map_or_else(String::new, |open| open.client.user.clone())
    }

    /// RFC 6241, 7.9.
    pub(super) fn kill_session(
        &mut self,
        now: Now,
        (reply, by): (ReplyTo, SessionKey),
        target: SessionId,
    ) {
        if target == by.id {
            let error = fault::invalid_value("a session cannot kill itself; use close-session");
            return self.answer(reply, Answer::Errors(vec![error]));
        }
        if !self.sessions.contains_key(&target) {
            let error = fault::invalid_value(format!("there is no session {target}"));
            return self.answer(reply, Answer::Errors(vec![error]));
        }
        self.effects.ends.push(End { session: target, cause: EndCause::Killed });
        let key = self.session_key(target);
        self.end_session(now, key, Some(reply));
    }

    /// Ends a session: what it has not decided yet is dropped, its unconfirmed commit rolled back, the candidate that
    /// it locked discarded, its locks released. Answers when that is durable; at once if the session is over already.
    pub(super) fn end_session(&mut self, now: Now, session: SessionKey, reply: Option<ReplyTo>) {
        let Some(ended) = self.sessions.remove(&session.id) else {
            if let Some(reply) = reply {
                self.answer_on_head(reply, Answer::Ok);
            }
            return;
        };
        self.sessions_changed = true;
        self.view_is_stale = true;
        self.drop_undecided(now, session);
        self.end_in_log(now, session, &ended.client.user);
        self.release_candidate(session);
        if let Some(reply) = reply {
            self.answer_on_head(reply, Answer::Ok);
        }
    }

    /// If the session has something in the log: its unconfirmed commit is rolled back, its locks are released.
    fn end_in_log(&mut self, now: Now, session: SessionKey, user: &str) {
        let logged =
            self.head.state().is_some_and(|head| sessions_of(head).any(|own| own == session));
        if !logged {
            return;
        }
        let request = self.request_head(None, user, now.wall);
        let body = Body::SessionEnd { request, session };
        let pending = Pending { reply: None, candidate: false };
        if let Err(error) = self.propose_request(body, pending, None) {
            tracing::warn!(%error, session = session.id.0, "the end of a session waits for the log");
        }
    }

    /// The log did not take the end of a session when it came: again (PROTOCOL N2).
    pub(super) fn end_leftovers(&mut self, now: Now) {
        let Some(head) = self.head.state() else { return };
        let is_left = |session: &SessionKey| {
            *session == self.session_key(session.id) && !self.sessions.contains_key(&session.id)
        };
        let leftovers: Vec<SessionKey> = sessions_of(head).filter(is_left).collect();
        for session in leftovers {
            self.end_in_log(now, session, "");
        }
    }
}

/// The sessions whose end changes the replicated state; some twice.
fn sessions_of(state: &State) -> impl Iterator<Item = SessionKey> + '_ {
    let owner = state.confirmed.as_ref().filter(|pending| pending.ends_with(pending.owner));
    state.locks.iter().map(|lock| lock.session).chain(owner.map(|pending| pending.owner))
}
