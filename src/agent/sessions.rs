//! Sessions of this node: opening, ending, what an end releases.

use super::event::{Answer, Client, End, EndCause, ReplyTo};
use super::{Agent, Phase, fault};
use crate::base::ids::{SessionId, SessionKey};
use crate::base::limits::SESSION_ID_BLOCK;
use crate::base::time::Now;
use crate::netconf::state::SessionState;
use crate::replication::entry::Body;

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
        let (next, end) = self.session_ids;
        if next >= end {
            let why = "no session-id is at hand; try again".to_owned();
            return self.answer(reply, Answer::Refused(why));
        }
        self.session_ids.0 = next.saturating_add(1);
        self.refill_session_ids();
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

    /// Asks for the next block when half of this one is given.
    fn refill_session_ids(&mut self) {
        let (next, end) = self.session_ids;
        let left = end.saturating_sub(next);
        if left == SESSION_ID_BLOCK / 2 || left == 0 {
            let incarnation = self.parameters.incarnation;
            let boot = self.parameters.boot.counter;
            if let Err(error) = self.propose(Body::SessionIds { incarnation, boot }) {
                tracing::warn!(%error, "no new session-ids");
            }
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
        let logged = self.head.state().is_some_and(|head| {
            head.locks.iter().any(|lock| lock.session == session)
                || head.confirmed.as_ref().is_some_and(|pending| pending.ends_with(session))
        });
        if logged {
            let (user, at) = (ended.client.user, now.wall);
            if let Err(error) = self.propose(Body::SessionEnd { session, user, at }) {
                tracing::error!(%error, session = session.id.0, "the end of a session is not in the log");
            }
        }
        self.release_candidate(session);
        if let Some(reply) = reply {
            self.answer_on_head(reply, Answer::Ok);
        }
    }
}
