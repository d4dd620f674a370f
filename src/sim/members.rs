//! Members come and go: nodes join with a token, operators remove members, and whoever was removed is told so.

use super::node::{Death, Input, Node};
use super::oracle::{Violation, ensure};
use super::plans::Action;
use super::world::{Event, MS, Phase, World, new_node};
use crate::agent::effects::PeerAddress;
use crate::agent::event::{Answer, JoinRequest, ReplyTo, SessionEvent};
use crate::base::ids::{Digest, Incarnation, LogIndex, Term};
use crate::base::time::WallTime;
use crate::replication::state::{Authority, Charter, Member, State, Token};
use crate::storage::simulated_disk::Unsynced;
use crate::yang::tree::{Seed, Tree};
use sha2::Digest as _;
use std::collections::BTreeSet;

/// Seats of a world in which members come and go, at most and at least.
const SEATS_MAX: usize = 5;
const SEATS_MIN: usize = 2;
/// Tokens that a cluster begins with.
const TOKENS: u8 = 32;

/// A node that has asked for a seat.
pub(super) struct Applicant {
    name: String,
    /// Whom it has asked, in which life.
    asked: (usize, u64),
}

/// What the nodes begin with. Of several each has a seat, and more can join.
pub(super) fn first_state(size: usize, seed: Seed) -> State {
    let mut state = State::new(Tree::empty(seed));
    if size > 1 {
        let seat = |(n, id)| Member::joining(Incarnation(id), &format!("node-{n}"), "");
        state.members = (0..size).zip(1..).map(seat).collect();
        state.next_incarnation = u64::try_from(size + 1).expect("a small number");
        let authority = Authority { certificate: vec![1], key: vec![2] };
        state.charter = Some(std::sync::Arc::new(Charter { name: "world".to_owned(), authority }));
        let token = |number| Token {
            digest: Digest(sha2::Sha256::digest(secret(number)).into()),
            expires: WallTime(u64::MAX),
        };
        state.tokens = (0..TOKENS).map(token).collect();
    }
    state
}

fn secret(number: u8) -> [u8; 16] {
    [number; 16]
}

impl World {
    /// A node without a seat asks a member for one.
    pub(super) fn want_seat(&mut self) {
        if self.phase != Phase::Faults {
            return;
        }
        let is_first = self.habits.by_twos && self.tokens_used.is_multiple_of(2);
        let wait = if is_first { 0 } else { 300 * MS };
        let wait = wait + self.chance.below(if is_first { 200 * MS } else { 2_000 * MS });
        self.after(wait, Event::Join);
        let n = self.chance.place(self.nodes.len());
        let seats = self.oracle.history.last_state().members.len();
        let Some(life) = self.nodes[n].life.as_ref().filter(|life| life.ready) else { return };
        if seats >= SEATS_MAX || self.tokens_used >= TOKENS {
            return;
        }
        let asked = (n, life.number);
        let name = format!("node-{}", self.founders + usize::from(self.tokens_used));
        self.next_reply += 1;
        let reply = ReplyTo(self.next_reply);
        self.say(format_args!("{name} wants to join and asks {n}"));
        let request = JoinRequest {
            secret: secret(self.tokens_used),
            name: name.clone(),
            address: String::new(),
            version: String::new(),
            schema_id: self.model.schema.schema_id,
        };
        self.tokens_used += 1;
        self.applicants.insert(reply, Applicant { name, asked });
        self.give(n, Input::Question(reply, SessionEvent::Join(request)));
    }

    /// The answer, if it is one to a node that wants to join.
    pub(super) fn join_answered(
        &mut self,
        reply: ReplyTo,
        answer: &Answer,
    ) -> Result<bool, Violation> {
        let Some(Applicant { name, .. }) = self.applicants.remove(&reply) else {
            return Ok(false);
        };
        if let Answer::Admitted(admission) = answer {
            let incarnation = admission.incarnation;
            ensure("S12", self.oracle.history.has_had_seat(incarnation), || {
                format!("{name} is told that it is {incarnation}, which nobody knows")
            })?;
            let n = self.nodes.len();
            self.say(format_args!("{n} is {name}, incarnation {incarnation}"));
            let node = new_node(incarnation, name, &mut self.chance);
            self.nodes.push(node);
            let wait = self.chance.below(300 * MS);
            self.after(wait, Event::Start(n));
        }
        Ok(true)
    }

    /// A member that may be removed.
    pub(super) fn any_member(&mut self) -> Option<String> {
        let members = &self.oracle.history.last_state().members;
        let place = self.chance.place(members.len());
        members
            .get(place)
            .filter(|_| members.len() > SEATS_MIN)
            .map(|member| member.name.to_string())
    }

    /// An operator takes a seat away of which its node does not know, because nobody told it.
    pub(super) fn lay_ghosts(&mut self) {
        let free = self.clients[0].is_idle();
        let ready = |node: &Node| node.life.as_ref().is_some_and(|life| life.ready);
        if let Some(n) = self.nodes.iter().position(ready)
            && let Some(ghost) = self.ghost().filter(|_| free)
        {
            self.send_client(0, n, vec![Action::Expel(ghost)]);
        }
    }

    fn ghost(&self) -> Option<String> {
        let waits = |name: &str| {
            let mut applicants = self.applicants.values();
            applicants.any(|one| one.name == name && self.lives(one.asked.0, one.asked.1))
        };
        let has_node = |member: &&Member| self.node_of(member.incarnation).is_some();
        let mut members = self.oracle.history.last_state().members.iter();
        let ghost = members.find(|member| !has_node(member) && !waits(&member.name))?;
        Some(ghost.name.to_string())
    }

    /// A joint change has begun, as `n` knows first: it, another node or both may die in the middle of it.
    pub(super) fn strike_while_joint(&mut self, n: usize) {
        if self.phase != Phase::Faults || !self.faults.crashes {
            return;
        }
        let other = self.chance.place(self.nodes.len());
        let dice = self.chance.below(4);
        if dice & 1 != 0 {
            self.doom(n);
        }
        if dice & 2 != 0 {
            self.doom(other);
        }
    }

    /// Whether a node has a seat.
    pub(super) fn has_seat(&self, n: usize) -> bool {
        self.oracle.history.last_state().member(self.nodes[n].incarnation).is_some()
    }

    /// A node has applied its own removal. One that leads does so before anybody else: its predecessor proposed it.
    pub(super) fn has_left(&mut self, n: usize) -> Result<(), Violation> {
        let term =
            self.nodes[n].life.as_ref().map_or(Term(u64::MAX), |life| life.agent.inspect().term);
        while self.has_seat(n) {
            let next = LogIndex(self.oracle.history.len() + 1);
            let Some(entry) = self.nodes[n].journal.entry(next) else { break };
            self.oracle.history.applied(self.time, (n, term), entry)?;
        }
        Ok(())
    }

    /// An agent cannot go on: only because it was removed.
    pub(super) fn ends(&mut self, n: usize, why: &str) -> Result<(), Violation> {
        ensure("fatal", !self.has_seat(n), || format!("{n}: {why}"))?;
        self.nodes[n].is_gone = true;
        self.kill(n, Death { unsynced: Unsynced::Kept, power: false, down_us: 0 })
    }

    /// The agent says whom it wants to be connected to: the connection to whoever has no seat any more is closed.
    pub(super) fn wants_peers(&mut self, n: usize, peers: &[PeerAddress]) {
        let Some(life) = &mut self.nodes[n].life else { return };
        let wanted: BTreeSet<Incarnation> = peers.iter().map(|peer| peer.incarnation).collect();
        let before = std::mem::replace(&mut life.peers, wanted.clone());
        for gone in before.difference(&wanted) {
            if let Some(other) = self.node_of(*gone) {
                self.disconnect(n, other, false);
            }
        }
    }
}
