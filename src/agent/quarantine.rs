//! A member whose disk is older than what it has promised (PROTOCOL M3, F39): it neither votes nor acknowledges any more,
//! since what it forgot may be what a majority rests on.
//!
//! It asks the leader, as whom its certificate proves it to be, to give up its seat, and names the digest of a token with
//! which it takes a new one: the file `rejoin` remembers the token, and the next start joins with it.

use super::asked::Content;
use super::control::token_digest;
use super::effects::{Rejoin, ToPeer};
use super::event::{Answer, ReplyTo, SessionEvent};
use super::origin::Order;
use super::{Agent, Phase, fault};
use crate::base::ids::{Digest, Incarnation};
use crate::base::limits::{JOIN_TOKEN_DEFAULT_S, QUARANTINED_AGAIN_MS};
use crate::base::time::{Now, WallTime};
use crate::base::token::JoinToken;
use crate::replication::message::{Control, PeerMessage};
use crate::replication::state::Token;
use sha2::Digest as _;

impl Agent {
    /// Whether this member takes part in what the others do.
    pub(super) fn takes_part(&self) -> bool {
        !matches!(self.phase, Phase::Stopped | Phase::Quarantined)
    }

    /// This member has forgotten something. Alone it could only end.
    pub(super) fn quarantine(&mut self, why: &str) {
        if !self.takes_part() {
            return;
        }
        let others =
            self.state.members.iter().filter(|it| it.incarnation != self.parameters.incarnation);
        let members: Vec<String> = others.map(|member| member.address.to_string()).collect();
        let Some(charter) = self.state.charter.as_ref().filter(|_| !members.is_empty()) else {
            return self.give_up(format!(
                "{why}. Remove this member at another one with `quorate cluster remove`, and start it again with --join, \
                 --token and --discard-local-data"
            ));
        };
        let name = &self.parameters.name;
        tracing::error!(
            "quarantined: {why}. This node gives up its seat and joins again by itself, as soon as a majority of the \
             other voters takes note of it. If they cannot: `quorate cluster remove {name}` and `quorate cluster token` at \
             a member, then start this node with --join, --token and --discard-local-data"
        );
        let authority = Digest(sha2::Sha256::digest(&charter.authority.certificate).into());
        let token = JoinToken { secret: self.parameters.rejoin_secret, authority };
        self.effects.rejoin = Some(Rejoin { token, members });
        self.abort_prepared();
        self.head.end();
        self.phase = Phase::Quarantined;
        self.view_is_stale = true;
    }

    /// Says so to the others, again and again.
    pub(super) fn say_quarantined(&mut self, now: Now) {
        if self.phase != Phase::Quarantined || now.monotonic < self.say_quarantined_at {
            return;
        }
        self.say_quarantined_at = now.monotonic.plus_ms(QUARANTINED_AGAIN_MS);
        let token = token_digest(&self.parameters.rejoin_secret);
        for to in self.peers.connected().clone() {
            self.effects.sends.push(ToPeer { to, message: PeerMessage::Quarantined { token } });
        }
    }

    /// The member gives up its seat for one that it takes with this token. Where this node leads, both are done: the token
    /// first, so that the word of the removal finds it in the log.
    pub(super) fn replace_member(&mut self, now: Now, from: Incarnation, token: Digest) {
        let Some(head) = self.head.state() else { return };
        if head.member(from).is_none() || from == self.parameters.incarnation {
            return;
        }
        if !head.tokens.iter().any(|known| known.digest == token) {
            tracing::warn!(member = %from, "a member has an older disk than it should have: it is replaced");
            let ms = u64::from(JOIN_TOKEN_DEFAULT_S).saturating_mul(1000);
            let expires = WallTime(now.wall.0.saturating_add(ms));
            let body = Control::Token(Token { digest: token, expires });
            self.order(now, Order::of_node(now, Content::Control(Box::new(body))));
        }
        let body = Control::Remove(from);
        let is_asked = self.pending.values().any(
            |pending| matches!(&pending.asked.content, Content::Control(asked) if **asked == body),
        );
        if !is_asked {
            self.order(now, Order::of_node(now, Content::Control(Box::new(body))));
        }
    }

    /// Sessions get answers, and nothing else.
    pub(super) fn step_quarantined(&mut self, now: Now, reply: ReplyTo, event: SessionEvent) {
        let answer = match event {
            SessionEvent::Open(client) => return self.open_session(now, reply, client),
            SessionEvent::Ended(session) => {
                self.sessions.remove(&session.id);
                self.sessions_changed = true;
                self.view_is_stale = true;
                Answer::Ok
            }
            SessionEvent::Request { .. } | SessionEvent::Cluster { .. } => {
                Answer::Errors(vec![fault::not_ready()])
            }
            SessionEvent::Read { .. } | SessionEvent::Join(_) => {
                Answer::Refused("this member is quarantined".to_owned())
            }
        };
        self.answer(reply, answer);
    }
}
