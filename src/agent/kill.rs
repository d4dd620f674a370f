//! `<kill-session>` (RFC 6241, 7.9).
//!
//! Which of its session-ids are open knows a member alone: the log knows blocks of ids, and of sessions only what they
//! hold. So the member is asked, and the log ends the session if there is one. A member that cannot be asked, or does
//! not answer, does not stand in the way: the log ends whatever session has the id (PROTOCOL F26).

use super::asked::Content;
use super::effects::ToPeer;
use super::event::{Answer, End, EndCause};
use super::origin::Order;
use super::requests::From;
use super::{Agent, fault};
use crate::base::ids::{Incarnation, SessionId, SessionKey};
use crate::base::limits::SESSION_QUERY_MS;
use crate::base::time::{Now, Timestamp};
use crate::netconf::error::RpcError;
use crate::replication::message::PeerMessage;

/// A session of another member that is to be ended, while that member is asked for it.
#[derive(Debug)]
pub(super) struct Kill {
    session: SessionKey,
    by: From,
    /// Its member is not waited for any longer.
    until: Timestamp,
}

impl Agent {
    pub(super) fn kill_session(&mut self, now: Now, by: From, target: SessionId) {
        if let Err(error) = self.try_kill_session(now, by, target) {
            self.answer(by.0, Answer::Errors(vec![error]));
        }
    }

    fn try_kill_session(&mut self, now: Now, by: From, target: SessionId) -> Result<(), RpcError> {
        if target == by.1.id {
            return Err(fault::invalid_value("a session cannot kill itself; use close-session"));
        }
        if self.sessions.contains_key(&target) {
            self.effects.ends.push(End { session: target, cause: EndCause::Killed });
            self.end_session(now, self.session_key(target), Some(by.0));
            return Ok(());
        }
        let known = self.state.session(target).filter(|session| self.state.is_alive(*session));
        let of_another = |session: &SessionKey| session.incarnation != self.parameters.incarnation;
        let session = known.filter(of_another).ok_or_else(|| fault::no_session(target))?;
        let until = now.monotonic.plus_ms(SESSION_QUERY_MS);
        let kill = Kill { session, by, until };
        let to = session.incarnation;
        if self.peers.connected().contains(&to) {
            let message = PeerMessage::SessionQuery { session };
            self.effects.sends.push(ToPeer { to, message });
            self.kills.push(kill);
        } else {
            self.order_kill(now, &kill);
        }
        Ok(())
    }

    fn order_kill(&mut self, now: Now, kill: &Kill) {
        let order = Order::of_session(self, now, kill.by, Content::SessionEnd(kill.session));
        self.order(now, order);
    }

    /// Another member wants to know whether a session of this one is open.
    pub(super) fn session_queried(&mut self, from: Incarnation, session: SessionKey) {
        let is_open =
            self.session_key(session.id) == session && self.sessions.contains_key(&session.id);
        let message = PeerMessage::SessionIs { session, open: is_open };
        self.effects.sends.push(ToPeer { to: from, message });
    }

    /// The member `from` says whether a session of its own is open.
    pub(super) fn session_is(
        &mut self,
        now: Now,
        from: Incarnation,
        session: SessionKey,
        open: bool,
    ) {
        if session.incarnation != from {
            return;
        }
        let answered: Vec<Kill> =
            self.kills.extract_if(.., |kill| kill.session == session).collect();
        for kill in answered {
            if open {
                self.order_kill(now, &kill);
            } else {
                let error = fault::no_session(session.id);
                self.answer(kill.by.0, Answer::Errors(vec![error]));
            }
        }
    }

    /// The connection to the member is gone, and with it the question or the answer.
    pub(super) fn kill_without(&mut self, now: Now, member: Incarnation) {
        let silent: Vec<Kill> =
            self.kills.extract_if(.., |kill| kill.session.incarnation == member).collect();
        silent.iter().for_each(|kill| self.order_kill(now, kill));
    }

    /// Members that do not answer.
    pub(super) fn look_after_kills(&mut self, now: Now) {
        let silent: Vec<Kill> =
            self.kills.extract_if(.., |kill| kill.until <= now.monotonic).collect();
        silent.iter().for_each(|kill| self.order_kill(now, kill));
    }

    /// When `look_after_kills` has something to do.
    pub(super) fn kill_due(&self) -> Option<Timestamp> {
        self.kills.iter().map(|kill| kill.until).min()
    }
}
