//! The other members: who is heard, who may read, who has applied what (PROTOCOL M2, ACK, F20).
//!
//! A member asks the leader for a read lease each `KEEPALIVE_MS`. The leader knows a moment Q of its own clock such
//! that a majority has, in this term, answered something that it sent at or after Q; so no other leader was elected
//! before Q, and each leader waits `LEASE_MS` after its election before it takes a member that is silent for one that
//! answers no reads.

use super::effects::{Lease, PeerAddress, ToPeer};
use super::{Agent, Phase};
use crate::base::ids::{Boot, Incarnation, LogIndex, Term};
use crate::base::limits::{KEEPALIVE_MS, LEASE_MS, TICK_MS};
use crate::base::rules::Rule;
use crate::base::time::{Now, Timestamp};
use crate::raft::{Delivery, LogPosition, MessageKind, Outgoing};
use crate::replication::message::{Keepalive, KeepaliveOk, Lane, PeerMessage};
use std::collections::{BTreeMap, BTreeSet};

/// Ticks that are made up for at once: a pause is no reason to stand for election without having listened.
const TICKS_AT_ONCE: u64 = 5;

/// What is known of the other members.
pub(super) struct Peers {
    /// There is no other member: nothing is sent, and no time passes.
    pub(super) alone: bool,
    ticked: Timestamp,
    connected: BTreeSet<Incarnation>,
    /// When the next keepalive leaves.
    keepalive_at: Timestamp,
    /// The newest moment of the leader's clock that was heard, and in which term.
    heard: Option<(Term, Timestamp)>,
    lease_end: Timestamp,
    /// The term of the leader that gave it.
    leased_in: Term,
    /// After a gap between leases: what must be applied before the next one counts.
    catch_up: Option<LogIndex>,
    /// As leader.
    contacts: BTreeMap<Incarnation, Contact>,
    /// Members whose removal was applied here lately, and when that was: they may hold a lease until it is over.
    removed: BTreeMap<Incarnation, Timestamp>,
    /// What readers were last told.
    shown_lease: Option<Lease>,
    /// What the other members were when the transport was last told.
    shown_peers: Vec<PeerAddress>,
    /// The transport knows the authority.
    shown_authority: bool,
    /// What the leader was last told to be applied here.
    said_applied: LogIndex,
}

/// A member as the leader knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Contact {
    /// When its last keepalive came; at first the time of the election.
    heard: Timestamp,
    /// When it was last given a lease; at first the time of the election (PROTOCOL F20).
    leased: Timestamp,
    /// It has answered, in this term, something that was sent at this moment.
    answered: Option<Timestamp>,
    applied: LogIndex,
    confirmed: Option<(LogIndex, u64)>,
    /// Its disk or thread is too slow to lead.
    strained: bool,
}

impl Peers {
    pub(super) fn new(alone: bool) -> Self {
        Self {
            alone,
            ticked: Timestamp::default(),
            connected: BTreeSet::new(),
            keepalive_at: Timestamp::default(),
            heard: None,
            lease_end: Timestamp::default(),
            leased_in: Term(0),
            catch_up: None,
            contacts: BTreeMap::new(),
            removed: BTreeMap::new(),
            shown_lease: None,
            shown_peers: Vec::new(),
            shown_authority: false,
            said_applied: LogIndex(0),
        }
    }

    /// Time has passed, without a meaning for consensus.
    pub(super) fn ticked_to(&mut self, now: Now) {
        self.ticked = now.monotonic;
    }

    /// The member is connected, and this leader knows it.
    pub(super) fn contact_is_fresh(&self, member: Incarnation) -> bool {
        self.connected.contains(&member) && self.contacts.contains_key(&member)
    }

    /// The member is connected, was heard since then, and is fast enough.
    pub(super) fn is_fit_to_lead(&self, member: Incarnation, since: Timestamp) -> bool {
        let fit = |contact: &Contact| contact.heard >= since && !contact.strained;
        self.connected.contains(&member) && self.contacts.get(&member).is_some_and(fit)
    }

    /// The members to which a connection is there.
    pub(super) fn connected(&self) -> &BTreeSet<Incarnation> {
        &self.connected
    }

    /// How many ms ago each member was heard, as far as this leader knows.
    pub(super) fn heard_all(&self, now: Now) -> BTreeMap<Incarnation, u64> {
        let ago = |contact: &Contact| now.monotonic.ms_since(contact.heard);
        self.contacts.iter().map(|(member, contact)| (*member, ago(contact))).collect()
    }

    /// What it was last known to have applied, as far as this leader knows.
    pub(super) fn applied_by(&self, member: Incarnation) -> LogIndex {
        self.contacts.get(&member).map(|contact| contact.applied).unwrap_or_default()
    }

    /// When its last keepalive came, as far as this leader knows.
    pub(super) fn heard_at(&self, member: Incarnation) -> Option<Timestamp> {
        self.contacts.get(&member).map(|contact| contact.heard)
    }
}

/// When a leader stops waiting for a member that it last gave a lease at `leased`: clocks may differ by a hundredth.
fn out_of_reach(leased: Timestamp) -> Timestamp {
    leased.plus_ms(LEASE_MS.saturating_add(LEASE_MS / 100 + 1))
}

impl Agent {
    /// Sends a message of consensus.
    pub(super) fn consensus(&mut self, outgoing: Outgoing, early: bool) {
        let Outgoing { to, kind, frame, large } = outgoing;
        let lane = match kind {
            MessageKind::Snapshot(index) => {
                let send = super::effects::SendSnapshot { to, index, frame };
                return self.effects.snapshots.push(send);
            }
            // An answer does not wait behind what this member has to send.
            MessageKind::Heartbeat | MessageKind::Election | MessageKind::Other => Lane::Prompt,
            MessageKind::Append => Lane::Bulk,
        };
        let message = PeerMessage::Consensus { frame, lane, large };
        let queue = if early { &mut self.effects.early } else { &mut self.effects.sends };
        queue.push(ToPeer { to, message });
    }

    /// Lets consensus know how much time has passed.
    pub(super) fn pass_time(&mut self, now: Now) {
        if self.peers.alone {
            self.peers.ticked = now.monotonic;
            return;
        }
        let passed = now.monotonic.ms_since(self.peers.ticked) / TICK_MS;
        if passed > TICKS_AT_ONCE {
            self.peers.ticked = now.monotonic;
        } else {
            self.peers.ticked = self.peers.ticked.plus_ms(passed.saturating_mul(TICK_MS));
        }
        for _ in 0..passed.min(TICKS_AT_ONCE) {
            self.node.tick();
        }
    }

    /// When time has to pass again.
    pub(super) fn tick_due(&self) -> Option<Timestamp> {
        (!self.peers.alone).then(|| self.peers.ticked.plus_ms(TICK_MS))
    }

    /// A connection is there: both say who they are, and what was on its way is given again.
    pub(super) fn greet(&mut self, now: Now, peer: Incarnation) {
        self.peers.connected.insert(peer);
        self.view_is_stale = true;
        let you_acked = LogPosition {
            index: self.node.matched(peer).unwrap_or_default(),
            term: self.node.term(),
        };
        let last = self.node.last_position();
        let message = PeerMessage::Hello { boot: self.parameters.boot, last, you_acked };
        self.effects.sends.push(ToPeer { to: peer, message });
        self.ask_again_without(now, peer);
        if self.node.leader() == Some(peer) {
            self.peers.keepalive_at = now.monotonic;
            self.give_all(now);
        }
    }

    /// The connection broke: a hint that a leader is gone, never a proof (ha.md).
    pub(super) fn lose(&mut self, now: Now, peer: Incarnation) {
        self.peers.connected.remove(&peer);
        self.view_is_stale = true;
        self.node.unreachable(peer);
        if self.node.leader() == Some(peer) && !self.node.is_leader() {
            self.node.forget_leader();
            self.node.hurry();
        }
        self.ask_again_without(now, peer);
        self.kill_without(now, peer);
    }

    pub(super) fn heard_hello(&mut self, peer: Incarnation, boot: Boot, you_acked: LogPosition) {
        let known = self.state.member(peer).map(|member| member.boot);
        let restored = known.is_some_and(|known| {
            boot.counter < known.counter || boot.counter == known.counter && boot != known
        });
        if restored {
            tracing::error!(peer = peer.0, "a member runs from an older copy of its disk");
            self.effects.sends.push(ToPeer { to: peer, message: PeerMessage::Restored });
        }
        // What only a deposed leader believes was cut off by the next one.
        let is_current = you_acked.term >= self.node.term();
        if is_current && you_acked.index > self.node.last_index() {
            let (acked, last) = (you_acked.index, self.node.last_index());
            self.quarantine(&format!(
                "this member acknowledged log entry {acked} and has only {last}: its disk was replaced or restored"
            ));
        }
    }

    /// Asks the leader for a lease, and tells it how far this member is.
    fn keep_alive(&mut self, now: Now) {
        if self.peers.alone
            || self.phase != Phase::Ready
            || self.divergence.is_some()
            || now.monotonic < self.peers.keepalive_at
        {
            return;
        }
        self.peers.keepalive_at = now.monotonic.plus_ms(KEEPALIVE_MS);
        if self.node.is_leader() {
            return;
        }
        let Some(to) = self.node.leader() else { return };
        let term = self.node.term();
        let keepalive = Keepalive {
            sent: now.monotonic,
            applied: self.applied,
            confirmed: self.confirmed_age(now),
            strained: self.is_strained(),
            heard: self.peers.heard.filter(|(of, _)| *of == term),
        };
        self.effects.sends.push(ToPeer { to, message: PeerMessage::Keepalive(keepalive) });
    }

    /// The generation of the pending confirmed commit, and since when this node has it.
    fn confirmed_age(&self, now: Now) -> Option<(LogIndex, u64)> {
        let (generation, since) = self.confirmed_since?;
        Some((generation, now.monotonic.ms_since(since)))
    }

    /// A member lives and wants a lease.
    pub(super) fn heard_keepalive(&mut self, now: Now, from: Incarnation, keepalive: &Keepalive) {
        // One whose data diverged says nothing of the kind.
        if let Some(heard) = self.claims.get_mut(&from)
            && std::mem::take(&mut heard.stands)
        {
            self.may_give_leadership_away(now);
        }
        if self.leading_term().is_none() || self.state.member(from).is_none() {
            return;
        }
        let term = self.node.term();
        let contact = self.peers.contacts.entry(from).or_default();
        contact.heard = now.monotonic;
        contact.applied = contact.applied.max(keepalive.applied);
        contact.confirmed = keepalive.confirmed;
        contact.strained = keepalive.strained;
        if let Some((of, at)) = keepalive.heard
            && of == term
        {
            contact.answered = contact.answered.max(Some(at));
        }
        let until = self.proven().map_or(Timestamp::default(), |proven| proven.plus_ms(LEASE_MS));
        let valid_for_ms = if self.parameters.rules.hold(Rule::LeaseIsProven) {
            until.ms_since(now.monotonic)
        } else {
            LEASE_MS
        };
        if valid_for_ms > 0
            && let Some(contact) = self.peers.contacts.get_mut(&from)
        {
            contact.leased = now.monotonic;
        }
        let answer = KeepaliveOk {
            sent: keepalive.sent,
            term,
            commit: self.node.committed(),
            valid_for_ms,
            at: now.monotonic,
        };
        self.effects.sends.push(ToPeer { to: from, message: PeerMessage::KeepaliveOk(answer) });
        self.look_after_acks(now);
    }

    /// The leader has answered.
    pub(super) fn heard_keepalive_ok(&mut self, now: Now, ok: &KeepaliveOk) {
        if ok.term != self.node.term() || self.node.is_leader() {
            return;
        }
        self.peers.heard =
            self.peers.heard.filter(|(of, _)| *of == ok.term).max(Some((ok.term, ok.at)));
        if ok.valid_for_ms == 0 {
            // It has not heard enough members yet; the sooner it hears this one again, the better.
            self.peers.keepalive_at = self.peers.keepalive_at.min(now.monotonic.plus_ms(TICK_MS));
            return;
        }
        // The leader before may have gone on without this member, after the lease that it had given.
        let is_new = self.peers.leased_in != ok.term || now.monotonic >= self.peers.lease_end;
        if is_new && self.parameters.rules.hold(Rule::CatchUpFirst) {
            self.peers.catch_up = Some(ok.commit);
        }
        self.peers.leased_in = ok.term;
        let end = ok.sent.plus_ms(ok.valid_for_ms.min(LEASE_MS));
        self.peers.lease_end = self.peers.lease_end.max(end);
    }

    /// Q: the latest moment at which nobody else can have led. `None` until a majority has answered in this term.
    fn proven(&self) -> Option<Timestamp> {
        let conf = self.node.conf_state();
        let own = self.parameters.incarnation;
        let of = |voters: &[Incarnation]| {
            let mut answered: Vec<Option<Timestamp>> = voters
                .iter()
                .map(|voter| {
                    if *voter == own {
                        return Some(Timestamp(u64::MAX));
                    }
                    self.peers.contacts.get(voter).and_then(|contact| contact.answered)
                })
                .collect();
            answered.sort_unstable_by(|a, b| b.cmp(a));
            answered.get(voters.len() / 2).copied().flatten()
        };
        let current = of(&conf.voters)?;
        if conf.is_joint() { Some(current.min(of(&conf.voters_outgoing)?)) } else { Some(current) }
    }

    /// Until when this node's view may be read.
    fn lease(&self, now: Now) -> Lease {
        if self.phase != Phase::Ready || self.divergence.is_some() || self.is_departing() {
            return Lease::Until(Timestamp::default());
        }
        if self.peers.alone {
            return Lease::Unlimited;
        }
        if self.leading_term().is_some() {
            let proven = self.proven().map(|proven| proven.min(now.monotonic));
            let end = proven.map_or(Timestamp::default(), |proven| proven.plus_ms(LEASE_MS));
            return Lease::Until(end.max(self.peers.lease_end));
        }
        match self.peers.catch_up {
            Some(index) if self.applied < index => Lease::Until(Timestamp::default()),
            Some(_) | None => Lease::Until(self.peers.lease_end),
        }
    }

    /// What members and readers are to know after this step: applied entries, leases, whom to be connected to.
    pub(super) fn keep_up_peers(&mut self, now: Now) {
        self.keep_alive(now);
        let lease = self.lease(now);
        if self.peers.shown_lease != Some(lease) {
            self.peers.shown_lease = Some(lease);
            self.effects.lease = Some(lease);
        }
        if !self.peers.shown_authority
            && let Some(charter) = &self.state.charter
        {
            self.peers.shown_authority = true;
            self.effects.authority = Some(charter.authority.clone());
        }
        if self.peers.alone {
            return;
        }
        if self.applied > self.peers.said_applied
            && self.phase == Phase::Ready
            && !self.node.is_leader()
            && let Some(to) = self.node.leader()
        {
            self.peers.said_applied = self.applied;
            let message = PeerMessage::Applied { index: self.applied };
            self.effects.sends.push(ToPeer { to, message });
        }
    }

    /// The members have changed: the transport is told, and whether there are others at all.
    pub(super) fn seats_changed(&mut self) {
        let conf = self.node.conf_state();
        let own = self.parameters.incarnation;
        self.peers.alone = conf.voters == [own] && conf.learners.is_empty() && !conf.is_joint();
        let members = self.state.members.iter().filter(|member| member.incarnation != own);
        let peers: Vec<PeerAddress> = members
            .map(|member| PeerAddress {
                incarnation: member.incarnation,
                name: member.name.to_string(),
                address: member.address.to_string(),
            })
            .collect();
        if peers != self.peers.shown_peers {
            self.peers.shown_peers.clone_from(&peers);
            self.effects.peers = Some(peers);
        }
    }

    /// A member shows everything up to `index` to its readers.
    pub(super) fn heard_applied(&mut self, now: Now, from: Incarnation, index: LogIndex) {
        if !self.node.is_leader() || self.state.member(from).is_none() {
            return;
        }
        let contact = self.peers.contacts.entry(from).or_default();
        contact.applied = contact.applied.max(index);
        self.look_after_acks(now);
    }

    /// The other members that the policy counts: those that may answer reads, or all.
    fn counted(&self, now: Now) -> impl Iterator<Item = (Incarnation, &Contact)> {
        let strict = self.state.policy == crate::base::policy::Policy::FullySynchronous;
        let counts = move |(member, contact): &(&Incarnation, &Contact)| {
            // One that was removed may still hold a lease.
            strict && self.state.member(**member).is_some()
                || now.monotonic < out_of_reach(contact.leased)
        };
        self.peers.contacts.iter().filter(counts).map(|(member, contact)| (*member, contact))
    }

    /// Nobody but this node can answer reads: there is no other member, and none that was one a moment ago.
    pub(super) fn reads_alone(&self, now: Now) -> bool {
        self.peers.alone && self.counted(now).next().is_none()
    }

    /// How far all members have applied that count.
    pub(super) fn shown_by_all(&self, now: Now) -> LogIndex {
        let applied = self.counted(now).map(|(_, contact)| contact.applied);
        applied.min().unwrap_or(LogIndex(u64::MAX))
    }

    /// Members that count and have not applied what is at `index`.
    pub(super) fn not_shown_by(&self, now: Now, index: LogIndex) -> Vec<Incarnation> {
        let behind = self.counted(now).filter(|(_, contact)| contact.applied < index);
        behind.map(|(member, _)| member).collect()
    }

    /// When the next member falls out of reach for which somebody waits, or waiting is over.
    pub(super) fn ack_due(&self, now: Now) -> Option<Timestamp> {
        self.leading_term()?;
        let last = self.last_ack_due()?;
        let due = self.peers.contacts.values().map(|contact| out_of_reach(contact.leased));
        due.filter(|due| *due > now.monotonic).min().map_or(Some(last), |due| Some(due.min(last)))
    }

    /// This node leads from now on: every member may still hold a lease of the leader before.
    pub(super) fn begin_contacts(&mut self, now: Now) {
        let own = self.parameters.incarnation;
        let leased = if self.parameters.rules.hold(Rule::OldLeasesCount) {
            now.monotonic
        } else {
            Timestamp::default()
        };
        let others = self.state.members.iter().filter(|member| member.incarnation != own);
        for member in others {
            // What it has said since the election stays.
            let contact = self.peers.contacts.entry(member.incarnation).or_default();
            (contact.heard, contact.leased) = (self.leading_since, leased);
        }
        for (member, at) in &self.peers.removed {
            if now.monotonic < out_of_reach(*at) {
                self.peers.contacts.entry(*member).or_default().leased = leased;
            }
        }
        self.peers.keepalive_at = now.monotonic;
    }

    /// A member has begun a boot.
    pub(super) fn begin_contact(&mut self, now: Now, member: Incarnation) {
        if self.node.is_leader() && member != self.parameters.incarnation {
            self.peers.contacts.entry(member).or_default().heard = now.monotonic;
        }
    }

    /// Another leader, or none.
    pub(super) fn end_contacts(&mut self, now: Now) {
        self.peers.contacts.clear();
        self.peers.keepalive_at = now.monotonic;
        self.peers.said_applied = LogIndex(0);
    }

    /// The member has no seat any more.
    pub(super) fn forget_peer(&mut self, now: Now, peer: Incarnation) {
        self.peers.connected.remove(&peer);
        self.peers.removed.retain(|_, at| now.monotonic < out_of_reach(*at));
        self.peers.removed.insert(peer, now.monotonic);
    }

    /// How long ago `generation` was applied, by the member that has had it longest (PROTOCOL F30).
    pub(super) fn age_of_confirmed(&self, now: Now, generation: LogIndex) -> u64 {
        let reported = self.peers.contacts.values().filter_map(|contact| contact.confirmed);
        let own = self.confirmed_age(now);
        let any = !self.parameters.rules.hold(Rule::AgeOfGeneration);
        let ages = reported.chain(own).filter(|(of, _)| *of == generation || any);
        ages.map(|(_, elapsed)| elapsed).max().unwrap_or(0)
    }

    /// Members of which nothing was heard for the session lease (PROTOCOL F26).
    pub(super) fn lost_members(&self, now: Now) -> Vec<(Incarnation, u64)> {
        let lease_ms = self.parameters.session_lease_ms;
        let lost = |heard: Timestamp| now.monotonic.ms_since(heard) >= lease_ms;
        let own = self.parameters.incarnation;
        self.state
            .members
            .iter()
            .filter(|member| member.incarnation != own && member.up)
            .filter(|member| self.peers.heard_at(member.incarnation).is_some_and(lost))
            .map(|member| (member.incarnation, member.boot.counter))
            .collect()
    }

    /// How the sending of a snapshot ended.
    pub(super) fn delivered(&mut self, to: Incarnation, delivery: Delivery) {
        self.node.snapshot_sent(to, delivery);
    }
}
