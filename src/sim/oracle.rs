//! What must hold at every moment, for every node (the numbers are those of the properties in `ha.md`).

use super::history::{Effective, Electorate, History};
use super::model::Model;
use super::node::Node;
use crate::agent::inspect::Inspection;
use crate::base::ids::{Digest, Incarnation, LogIndex, Revision, SessionKey, Term};
use crate::base::limits::ACK_TIMEOUT_MS;
use crate::base::policy::Policy;
use crate::base::rules::Rules;
use crate::raft::{LogEntry, LogPosition};
use crate::replication::apply::data_digest;
use crate::replication::state::State;
use crate::yang::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A property that did not hold.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which one: `S1` to `S21`, `L1` to `L7`, or `panic`.
    pub property: &'static str,
    /// What was seen.
    pub what: String,
}

impl Violation {
    pub(super) fn new(property: &'static str, what: impl Into<String>) -> Self {
        Self { property, what: what.into() }
    }
}

/// An error with this text unless it holds.
pub(super) fn ensure(
    property: &'static str,
    holds: bool,
    what: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::new(property, what())) }
}

/// What a request that wrote a value was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may be committed.
    Maybe,
    /// It was answered ok.
    Must,
    /// It was answered with an error.
    Never,
}

/// What has been seen so far.
pub(super) struct Oracle {
    pub(super) history: History,
    model: Model,
    leaders: BTreeMap<Term, usize>,
    /// The bytes of every entry that any node ever wrote: log matching.
    written: BTreeMap<LogPosition, u32>,
    revisions: BTreeMap<Revision, Digest>,
    /// What became of each value, as its client knows.
    pub(super) fates: BTreeMap<String, Fate>,
    /// The highest revision that a client was told of.
    pub(super) acknowledged: Revision,
    /// The same, of those that all readers have been promised (PROTOCOL, Terms: not with the policy `majority`).
    pub(super) shown: Revision,
    told: BTreeMap<(SessionKey, Effective), Told>,
    pub(super) counts: Counts,
}

/// What a session was told of requests of one kind, how often.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    ok: u64,
    unknown: u64,
}

/// How much happened: a world in which nothing happens proves nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Requests that were answered ok.
    pub acknowledged: u64,
    /// Requests that were answered with an error.
    pub refused: u64,
    /// Requests that nobody answered.
    pub unknown: u64,
    /// Reads.
    pub reads: u64,
    /// Deaths of nodes.
    pub crashes: u64,
    /// Terms with a leader.
    pub leaders: u64,
    /// Members that were taken for lost.
    pub lost: u64,
    /// Nodes that joined.
    pub joined: u64,
    /// Members that were removed.
    pub removed: u64,
    /// Joint changes, by which several learners get their votes at once.
    pub joint: u64,
    /// Transfers of leadership that were ok.
    pub transfers: u64,
    /// Changes of policy.
    pub policies: u64,
    /// Snapshots that one node sent another.
    pub snapshots_sent: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.leaders += other.leaders;
        self.lost += other.lost;
        self.joined += other.joined;
        self.removed += other.removed;
        self.joint += other.joint;
        self.transfers += other.transfers;
        self.policies += other.policies;
        self.snapshots_sent += other.snapshots_sent;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ok, {} refused, {} unknown, {} reads, {} crashes, {} leaders, {} lost, {} joined, {} removed, {} joint changes, \
             {} transfers, {} policies, {} snapshots sent",
            self.acknowledged,
            self.refused,
            self.unknown,
            self.reads,
            self.crashes,
            self.leaders,
            self.lost,
            self.joined,
            self.removed,
            self.joint,
            self.transfers,
            self.policies,
            self.snapshots_sent
        )
    }
}

impl Oracle {
    pub(super) fn new(
        (model, rules): (Model, Rules),
        state: State,
        founders: BTreeSet<Incarnation>,
    ) -> Self {
        Self {
            history: History::new((model.clone(), rules), state, founders),
            model,
            leaders: BTreeMap::new(),
            written: BTreeMap::new(),
            revisions: BTreeMap::new(),
            fates: BTreeMap::new(),
            acknowledged: Revision(0),
            shown: Revision(0),
            told: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// A node hands out an entry to be written: an index and a term name one entry (S17).
    pub(super) fn wrote(&mut self, n: usize, entry: &LogEntry) -> Result<(), Violation> {
        let position = LogPosition { index: entry.index, term: entry.term };
        let bytes = crc32fast::hash(&entry.data);
        let first = *self.written.entry(position).or_insert(bytes);
        ensure("S17", first == bytes, || format!("{n} has another entry at {position:?}"))
    }

    /// Looks at a node after it moved.
    pub(super) fn look(
        &mut self,
        time: u64,
        n: usize,
        nodes: &mut [Node],
    ) -> Result<(), Violation> {
        let node = &nodes[n];
        let Some(life) = &node.life else { return Ok(()) };
        let seen = life.agent.inspect();
        if seen.applied.index > life.compared {
            self.follow(time, n, &seen, nodes)?;
            // What grows is compared each few entries: a difference in it stays.
            let whole = seen.applied.index.0 / 16 != life.compared.0 / 16;
            let own = node.incarnation;
            self.compare((n, own), &seen, whole)?;
        }
        self.counts.lost = self.history.lost;
        self.counts.joined = self.history.joined;
        self.counts.removed = self.history.removed;
        self.counts.joint = self.history.joint;
        if let Some(term) = seen.leads {
            self.leads(n, term, nodes)?;
        }
        let applied = seen.applied.index;
        nodes[n].applied = nodes[n].applied.max(applied);
        if let Some(life) = &mut nodes[n].life {
            life.compared = applied;
        }
        Ok(())
    }

    /// What the node has applied since last time is what everybody else applies (S17).
    fn follow(
        &mut self,
        time: u64,
        n: usize,
        seen: &Inspection<'_>,
        nodes: &[Node],
    ) -> Result<(), Violation> {
        let Some(life) = &nodes[n].life else { return Ok(()) };
        let mut index = LogIndex(life.compared.0 + 1);
        while index <= seen.applied.index {
            match nodes[n].journal.entry(index) {
                Some(entry) => self.history.applied(time, (n, seen.term), entry)?,
                // It came with a snapshot.
                None => ensure("S17", self.history.len() >= index.0, || {
                    format!("{n} has applied {index}, which nobody knows")
                })?,
            }
            index = LogIndex(index.0 + 1);
        }
        Ok(())
    }

    /// At the same index the state is the same (S14, S1).
    fn compare(
        &mut self,
        (n, own): (usize, Incarnation),
        seen: &Inspection<'_>,
        whole: bool,
    ) -> Result<(), Violation> {
        let state = seen.state;
        let digest = data_digest(&state.shared, &self.model.schema);
        let first = *self.revisions.entry(state.revision).or_insert(digest);
        ensure("S7", first == digest, || format!("{n}: another revision {}", state.revision))?;
        if !seen.seats.contains(own) {
            // Who is removed stops in the middle of that entry.
            return Ok(());
        }
        let Some(reference) = self.history.state(seen.applied.index) else { return Ok(()) };
        let seats = self.history.seats(seen.applied.index);
        let same = seen.seats.voters.iter().eq(&seats.voters)
            && seen.seats.voters_outgoing.iter().eq(&seats.before);
        ensure("S18", same, || {
            format!("{n} at {} counts the votes of {:?}", seen.applied.index, seen.seats)
        })?;
        let difference = difference(reference, state, whole);
        ensure("S14", difference.is_none(), || {
            let what = difference.unwrap_or_default();
            format!("{n} at {} has other {what}", seen.applied.index)
        })
    }

    /// One leader a term, with everything that was committed before (S17).
    fn leads(&mut self, n: usize, term: Term, nodes: &[Node]) -> Result<(), Violation> {
        let leader = *self.leaders.entry(term).or_insert(n);
        ensure("S17", leader == n, || format!("{leader} and {n} lead in term {term}"))?;
        self.counts.leaders = u64::try_from(self.leaders.len()).unwrap_or(u64::MAX);
        match self.history.last_before(term) {
            Some(last) => ensure("S17", nodes[n].journal.has(last), || {
                format!("{n} leads in term {term} without {last:?}, which is committed")
            }),
            None => Ok(()),
        }
    }

    /// A client is told ok for a value: it is decided, on the disks of a majority, and applied where it was asked (S6,
    /// S12, S20).
    pub(super) fn acknowledged(
        &mut self,
        n: usize,
        nodes: &[Node],
        (value, fence, waited_us): (&str, Option<LogIndex>, u64),
    ) -> Result<Revision, Violation> {
        self.fates.insert(value.to_owned(), Fate::Must);
        let Some(position) = self.history.position_of(value) else {
            return Err(Violation::new("S12", format!("{value} is ok and not committed")));
        };
        let applied = nodes[n].life.as_ref().map(|life| life.agent.inspect().applied.index);
        ensure("S8", applied.is_some_and(|applied| applied >= position.index), || {
            format!("{n} answers ok for {position:?} and has applied {applied:?}")
        })?;
        let holds = |node: &Node| node.journal.is_durable(position);
        let holders: BTreeSet<Incarnation> =
            nodes.iter().filter(|node| holds(node)).map(|node| node.incarnation).collect();
        let on_majority = |seats: &Electorate| seats.decides(|member| holders.contains(&member));
        // A change of members may have come in between.
        let durable = on_majority(self.history.seats(position.index))
            || on_majority(self.history.seats_before(position.index))
            || on_majority(self.history.last_seats());
        ensure("S20", durable, || {
            format!("{value} is ok while {holders:?} of {} have {position:?}", nodes.len())
        })?;
        let revision = self.history.revision_at(position.index);
        self.acknowledged = self.acknowledged.max(revision);
        if self.history.policy_at(position.index) != Policy::Majority {
            self.shown = self.shown.max(revision);
        }
        // Under another one, if only for a moment, nobody waited for those that are away.
        if self.history.policies_since(position.index).all(|it| it == Policy::FullySynchronous)
            && waited_us < ACK_TIMEOUT_MS * 900
        {
            let voters = &self.history.last_seats().voters;
            let counts = |node: &&Node| voters.contains(&node.incarnation);
            let behind = nodes.iter().filter(counts).find(|node| node.applied < position.index);
            ensure("S2", behind.is_none(), || {
                let name = behind.map(|node| &node.name);
                format!("{value} is ok while {name:?} has not applied {position:?}")
            })?;
        }
        if let Some(fence) = fence {
            self.history.was_protected(fence, position.index)?;
        }
        Ok(revision)
    }

    /// The newest term that anybody has led in.
    pub(super) fn last_term(&self) -> Term {
        self.leaders.keys().next_back().copied().unwrap_or(Term(0))
    }

    /// A client is told that `n` leads: it has, in the term that was the newest when the client asked, or later.
    pub(super) fn took_over(&self, n: usize, asked: Term) -> Result<(), Violation> {
        let led = self.leaders.range(asked..).any(|(_, leader)| *leader == n);
        ensure("S12", led, || format!("leadership went to {n}, it is said, and did not"))
    }

    /// A session is told ok (S12), or nothing, for a request that leaves no value.
    pub(super) fn told(
        &mut self,
        session: SessionKey,
        what: Effective,
        ok: bool,
    ) -> Result<(), Violation> {
        let told = self.told.entry((session, what)).or_default();
        if !ok {
            told.unknown += 1;
            return Ok(());
        }
        told.ok += 1;
        let (least, times) = (told.ok, self.history.effective(session, what));
        ensure("S12", times >= least, || format!("{session:?}: {what:?} is ok, and is not"))
    }

    /// A client is told that its value will never be.
    pub(super) fn denied(&mut self, value: &str) -> Result<(), Violation> {
        self.fates.insert(value.to_owned(), Fate::Never);
        let position = self.history.position_of(value);
        ensure("S12", position.is_none(), || format!("{value} was refused, and is {position:?}"))
    }

    /// A reader is shown a tree: it is a revision (S8).
    pub(super) fn read(
        &mut self,
        n: usize,
        revision: Revision,
        tree: &Tree,
    ) -> Result<(), Violation> {
        self.counts.reads += 1;
        let digest = data_digest(tree, &self.model.schema);
        let known = self.revisions.get(&revision);
        ensure("S8", known == Some(&digest), || format!("{n} shows something as {revision}"))
    }

    /// After everything: each value is where its client was told (S6, S12, S13).
    pub(super) fn conclude(&self) -> Result<(), Violation> {
        for (value, fate) in &self.fates {
            let times = self.history.times(value);
            let (property, fits) = match fate {
                Fate::Never => ("S12", times == 0),
                Fate::Must if times == 0 => ("S6", false),
                Fate::Must | Fate::Maybe => ("S13", times <= 1),
            };
            ensure(property, fits, || format!("{value}: {fate:?}, and committed {times} times"))?;
        }
        for ((session, what), told) in &self.told {
            let times = self.history.effective(*session, *what);
            // An owner's plain commit confirms too.
            let most = told.ok + told.unknown;
            let fits = times >= told.ok && (times <= most || *what == Effective::Confirm);
            ensure("S13", fits, || format!("{session:?} {what:?}: {told:?}, and {times} times"))?;
        }
        Ok(())
    }
}

/// The first part in which two states differ; without `whole` of those that are quickly compared.
fn difference(a: &State, b: &State, whole: bool) -> Option<&'static str> {
    let confirmed = |state: &State| {
        state.confirmed.as_ref().map(|pending| {
            let base = pending.base.clone();
            let head = (pending.generation, pending.persist_id.clone(), pending.owner);
            (head, base, pending.base_revision, pending.timeout_s, pending.alive.clone())
        })
    };
    let parts = [
        ("revision", a.revision == b.revision),
        ("configuration", a.shared == b.shared),
        ("members", a.members == b.members),
        ("locks", a.locks == b.locks),
        ("confirmed commit", confirmed(a) == confirmed(b)),
        ("outcomes", a.outcomes.len() == b.outcomes.len()),
        ("outcomes of locks", a.control.len() == b.control.len()),
        ("history", a.history.len() == b.history.len()),
        ("session-ids", a.next_session_id == b.next_session_id),
        ("schema", a.schema_id == b.schema_id),
        ("incarnations", a.next_incarnation == b.next_incarnation),
        ("policy", a.policy == b.policy),
        ("tokens", a.tokens == b.tokens),
        ("charter", a.charter == b.charter),
    ];
    let large = || {
        [
            ("outcomes", a.outcomes == b.outcomes),
            ("outcomes of locks", a.control == b.control),
            ("history", a.history == b.history),
        ]
    };
    let large = whole.then(large).into_iter().flatten();
    parts.into_iter().chain(large).find(|(_, same)| !same).map(|(what, _)| what)
}
