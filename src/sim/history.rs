//! The committed log, once for the whole world: applied to a reference state, and judged entry by entry by rules that
//! are written here a second time.

use super::model::{Model, Spot};
use super::oracle::{Violation, ensure};
use crate::base::ids::{
    Digest, Incarnation, LogIndex, Revision, SessionId, SessionKey, Term, TxId,
};
use crate::base::policy::Policy;
use crate::base::rules::Rules;
use crate::raft::{EntryKind, LogEntry, LogPosition, MembershipChange, SeatChange};
use crate::replication::apply::{Applied, Knowledge, Position, apply};
use crate::replication::entry::{Body, Decision, Entry, RequestHead, Seat};
use crate::replication::state::{LockTarget, State};
use crate::transaction::confirmed::{RollbackCause, Step};
use crate::yang::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Who decides: a majority of those that vote, and in a joint configuration of those that voted before, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Electorate {
    pub(super) voters: BTreeSet<Incarnation>,
    /// Empty unless it is joint.
    pub(super) before: BTreeSet<Incarnation>,
}

impl Electorate {
    /// Whether those of which this holds decide.
    pub(super) fn decides(&self, holds: impl Fn(Incarnation) -> bool) -> bool {
        let sets = [&self.voters, &self.before].into_iter().filter(|set| !set.is_empty());
        let most = |set: &BTreeSet<Incarnation>| {
            2 * set.iter().filter(|member| holds(**member)).count() > set.len()
        };
        sets.into_iter().all(most)
    }
}

/// A committed entry, and the state behind it.
struct Done {
    entry: LogEntry,
    state: State,
    seats: Rc<Electorate>,
    /// The term of the node that applied it first: it was committed in this one or before.
    known_in: Term,
}

/// What of a session's requests takes effect without leaving a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effective {
    Lock,
    Unlock,
    /// With a persist-id: without one it may be a commit like any other.
    Confirm,
    Cancel,
}

/// A confirmed commit that is pending.
struct Watched {
    generation: LogIndex,
    /// When any node applied it first.
    since: u64,
    timeout_s: u32,
    owner: SessionKey,
    persistent: bool,
    before: Tree,
}

/// A lock of running, from its grant to its release.
struct Span {
    session: SessionKey,
    from: LogIndex,
    to: Option<LogIndex>,
}

/// The committed log.
pub(super) struct History {
    model: Model,
    /// As in all agents: what no rule of apply keeps out is for those that are written here.
    rules: Rules,
    initial: State,
    entries: Vec<Done>,
    values: BTreeMap<String, Vec<LogPosition>>,
    outcomes: BTreeSet<TxId>,
    over: BTreeSet<SessionKey>,
    pending: Option<Watched>,
    locks: Vec<Span>,
    effective: BTreeMap<(SessionKey, Effective), u64>,
    founders: Rc<Electorate>,
    /// What participants have refused, in which term, and on which members.
    pub(super) vetoes: BTreeSet<(Term, Digest, Incarnation)>,
    /// Every incarnation that ever had a seat.
    incarnations: BTreeSet<Incarnation>,
    /// How often a member was taken for lost, joined, and was removed, and how often several got their votes at once.
    pub(super) lost: u64,
    pub(super) joined: u64,
    pub(super) removed: u64,
    pub(super) joint: u64,
}

impl History {
    pub(super) fn new(
        (model, rules): (Model, Rules),
        initial: State,
        founders: BTreeSet<Incarnation>,
    ) -> Self {
        Self {
            rules,
            incarnations: founders.clone(),
            founders: Rc::new(Electorate { voters: founders, before: BTreeSet::new() }),
            vetoes: BTreeSet::new(),
            model,
            initial,
            entries: Vec::new(),
            values: BTreeMap::new(),
            outcomes: BTreeSet::new(),
            over: BTreeSet::new(),
            pending: None,
            locks: Vec::new(),
            effective: BTreeMap::new(),
            lost: 0,
            joined: 0,
            removed: 0,
            joint: 0,
        }
    }

    /// The state before the first entry.
    pub(super) fn initial(&self) -> &State {
        &self.initial
    }

    /// The last committed index.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    fn done(&self, index: LogIndex) -> Option<&Done> {
        self.entries.get(usize::try_from(index.0.checked_sub(1)?).ok()?)
    }

    /// The state behind the entry of this index.
    pub(super) fn state(&self, index: LogIndex) -> Option<&State> {
        if index == LogIndex(0) {
            return Some(&self.initial);
        }
        self.done(index).map(|done| &done.state)
    }

    pub(super) fn last_state(&self) -> &State {
        self.entries.last().map_or(&self.initial, |done| &done.state)
    }

    /// Whether this incarnation has a seat, or had one.
    pub(super) fn has_had_seat(&self, incarnation: Incarnation) -> bool {
        self.incarnations.contains(&incarnation)
    }

    /// Who decides behind the entry of this index.
    pub(super) fn seats(&self, index: LogIndex) -> &Electorate {
        self.done(index).map_or(&self.founders, |done| &done.seats)
    }

    /// Who decided before the last change up to this index. A leader counts by a change from where it has applied it,
    /// and entries that follow it in the log may be committed until then; there is never a second change on the way.
    pub(super) fn seats_before(&self, index: LogIndex) -> &Electorate {
        let current = self.seats(index);
        let count = usize::try_from(index.0).unwrap_or(usize::MAX);
        let earlier = self.entries.iter().take(count).rev().map(|done| &*done.seats);
        earlier.chain([&*self.founders]).find(|seats| *seats != current).unwrap_or(current)
    }

    /// Who decides now.
    pub(super) fn last_seats(&self) -> &Electorate {
        self.entries.last().map_or(&self.founders, |done| &done.seats)
    }

    /// The last entry that was committed in an earlier term: a leader of this one has it. What an even later leader has
    /// committed of an earlier term's entries it need not have.
    pub(super) fn last_before(&self, term: Term) -> Option<LogPosition> {
        let last = self.entries.iter().rev().find(|done| done.known_in < term)?;
        Some(LogPosition { index: last.entry.index, term: last.entry.term })
    }

    pub(super) fn revision_at(&self, index: LogIndex) -> Revision {
        self.state(index).map_or(Revision(0), |state| state.revision)
    }

    /// The policy behind the entry of this index.
    pub(super) fn policy_at(&self, index: LogIndex) -> Policy {
        self.state(index).map_or(Policy::default(), |state| state.policy)
    }

    /// The policies behind this entry and each one after it.
    pub(super) fn policies_since(&self, index: LogIndex) -> impl Iterator<Item = Policy> {
        let before = usize::try_from(index.0.saturating_sub(1)).unwrap_or(usize::MAX);
        self.entries.iter().skip(before).map(|done| done.state.policy)
    }

    /// Where a value was committed first.
    pub(super) fn position_of(&self, value: &str) -> Option<LogPosition> {
        self.values.get(value)?.first().copied()
    }

    /// How often a value was committed.
    pub(super) fn times(&self, value: &str) -> usize {
        self.values.get(value).map_or(0, Vec::len)
    }

    /// How many of such requests of a session took effect.
    pub(super) fn effective(&self, session: SessionKey, what: Effective) -> u64 {
        self.effective.get(&(session, what)).copied().unwrap_or(0)
    }

    /// A node applies an entry: the first one decides what it is (S17).
    pub(super) fn applied(
        &mut self,
        time: u64,
        (n, term): (usize, Term),
        entry: &LogEntry,
    ) -> Result<(), Violation> {
        if let Some(done) = self.done(entry.index) {
            return ensure("S17", done.entry == *entry, || {
                format!("{n} applies another entry at {}", entry.index)
            });
        }
        ensure("S17", entry.index.0 == self.len() + 1, || format!("a gap before {}", entry.index))?;
        let before = self.last_state().clone();
        let mut seats = Rc::clone(self.entries.last().map_or(&self.founders, |done| &done.seats));
        let state = match entry.kind {
            EntryKind::Normal if entry.data.is_empty() => before,
            EntryKind::Normal => self.commit(time, entry, (&entry.data, &before))?,
            EntryKind::Membership => {
                let change = MembershipChange::decode(&entry.data)
                    .map_err(|what| Violation::new("S18", format!("{}: {what}", entry.index)))?;
                self.seats_change(&change, Rc::make_mut(&mut seats))?;
                self.commit(time, entry, (change.context(), &before))?
            }
        };
        self.entries.push(Done { entry: entry.clone(), state, seats, known_in: term });
        Ok(())
    }

    /// Seats change hands: one at a time, or the votes of several learners by a joint change, which is left before the
    /// next change; and an incarnation never comes again (S18).
    fn seats_change(
        &mut self,
        change: &MembershipChange,
        seats: &mut Electorate,
    ) -> Result<(), Violation> {
        let is_joint = !seats.before.is_empty();
        let leaves = matches!(change, MembershipChange::LeaveJoint { .. });
        ensure("S18", is_joint == leaves, || format!("{change:?} after {seats:?}"))?;
        match change {
            MembershipChange::Simple { seat, .. } => self.seat_given(*seat, &mut seats.voters)?,
            MembershipChange::EnterJoint { seats: given, .. } => {
                seats.before.clone_from(&seats.voters);
                for seat in given {
                    let is_vote = matches!(seat, SeatChange::Voter(_));
                    ensure("S18", is_vote, || format!("nobody makes {change:?}"))?;
                    self.seat_given(*seat, &mut seats.voters)?;
                }
                // For one more no joint change is needed.
                let several = seats.voters.len() >= seats.before.len() + 2;
                ensure("S18", several, || format!("{change:?} makes {seats:?}"))?;
                self.joint += 1;
            }
            MembershipChange::LeaveJoint { .. } => seats.before.clear(),
        }
        Ok(())
    }

    fn seat_given(
        &mut self,
        seat: SeatChange,
        voters: &mut BTreeSet<Incarnation>,
    ) -> Result<(), Violation> {
        match seat {
            SeatChange::Learner(new) => {
                let first = self.incarnations.insert(new);
                ensure("S18", first, || format!("incarnation {new} was there before"))?;
                self.joined += 1;
            }
            SeatChange::Voter(member) => drop(voters.insert(member)),
            SeatChange::Removed(member) => {
                voters.remove(&member);
                self.removed += 1;
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        time: u64,
        raw: &LogEntry,
        (data, before): (&[u8], &State),
    ) -> Result<State, Violation> {
        let entry = Entry::decode(data)
            .map_err(|error| Violation::new("S14", format!("entry {}: {error}", raw.index)))?;
        let position = Position { index: raw.index, term: raw.term };
        let knowledge = Knowledge {
            schema: &self.model.schema,
            result: None,
            settled: None,
            rules: self.rules,
        };
        let (after, applied) = apply(before, position, &entry, knowledge);
        match applied {
            Applied::Done(_) => {}
            Applied::Void | Applied::Known => return Ok(after),
            Applied::Diverged { .. } | Applied::Unreadable(_) => {
                return Err(Violation::new("S14", format!("entry {}: {applied:?}", raw.index)));
            }
        }
        ensure("S9", entry.term == raw.term, || format!("entry {} of another term", raw.index))?;
        if let Some(request) = entry.body.request() {
            self.took_effect(raw.index, request, &entry.body)?;
        }
        self.locks_after(raw.index, &entry.body, &after)?;
        self.confirmed_after(time, raw.index, &entry.body, (before, &after))?;
        self.sessions_after(&entry.body, &after);
        if let Body::Decision(decision) = &entry.body {
            self.decided(position, decision, before, &after)?;
        }
        Ok(after)
    }

    /// A transaction takes effect once (S13). Changes and locks are closed by the end of their session.
    fn took_effect(
        &mut self,
        index: LogIndex,
        request: &RequestHead,
        body: &Body,
    ) -> Result<(), Violation> {
        let first = self.outcomes.insert(request.txid);
        ensure("S13", first, || format!("{} takes effect again at {index}", request.txid))?;
        let closed = matches!(body, Body::Decision(_) | Body::Lock { .. } | Body::Unlock { .. });
        let over = request.session.is_some_and(|session| self.over.contains(&session));
        ensure("S12", !(closed && over), || {
            format!("{index} is by a session that was over: {request:?}")
        })
    }

    /// The chain of revisions has no gap (S7), and what was written is remembered.
    fn decided(
        &mut self,
        position: Position,
        decision: &Decision,
        before: &State,
        after: &State,
    ) -> Result<(), Violation> {
        let chained = decision.base == before.revision && after.revision.0 == before.revision.0 + 1;
        ensure("S7", chained, || format!("{} makes {}", decision.base, after.revision))?;
        if restores(decision) {
            return Ok(());
        }
        let (term, result) = (position.term, decision.result_digest);
        let mut members = before.members.iter().map(|member| member.incarnation);
        let vetoed = members.any(|member| self.vetoes.contains(&(term, result, member)));
        ensure("S2", !vetoed || before.policy != Policy::FullySynchronous, || {
            format!("{} was refused by a participant", position.index)
        })?;
        let old = self.model.values(&before.shared);
        for (spot, value) in self.model.values(&after.shared) {
            if old.get(&spot) != Some(&value) {
                let Position { index, term } = position;
                self.values.entry(value).or_default().push(LogPosition { index, term });
            }
        }
        Ok(())
    }

    /// Nobody writes past the lock of another (S10).
    fn locks_after(
        &mut self,
        index: LogIndex,
        body: &Body,
        after: &State,
    ) -> Result<(), Violation> {
        let held = self.locks.last_mut().filter(|span| span.to.is_none());
        let ends = |session: SessionKey| match body {
            Body::Unlock { request, .. } => request.session == Some(session),
            Body::SessionEnd { session: over, .. } => *over == session,
            Body::NodeUp { incarnation, boot, .. } => {
                session.incarnation == *incarnation && session.boot < boot.counter
            }
            Body::NodeDown { incarnation, boot, .. } => is_of(session, *incarnation, *boot),
            Body::Seat { change: Seat::Removed { incarnation }, .. } => {
                session.incarnation == *incarnation
            }
            _ => false,
        };
        if let (Some(span), Body::Decision(decision)) = (&held, body) {
            let own = decision.request.session.is_none_or(|session| session == span.session);
            ensure("S10", own || restores(decision), || {
                format!("{index} writes past the lock of {:?}", span.session)
            })?;
        }
        match (held, body) {
            (Some(span), Body::Lock { .. }) => {
                return Err(Violation::new("S10", format!("{index} locks what {} has", span.from)));
            }
            (None, Body::Lock { request, .. }) => {
                let session = request.session.expect("a session locks");
                self.locks.push(Span { session, from: index, to: None });
            }
            (Some(span), _) if ends(span.session) => span.to = Some(index),
            _ => {}
        }
        let held = self.locks.last().filter(|span| span.to.is_none());
        let stated = after.lock(LockTarget::Running).map(|lock| (lock.session, lock.fence));
        ensure("S10", held.map(|span| (span.session, span.from)) == stated, || {
            format!("after {index} the lock is {stated:?}")
        })
    }

    /// A confirmed commit ends once, by what names it, and a rollback restores what was before, not too early (S11).
    fn confirmed_after(
        &mut self,
        time: u64,
        index: LogIndex,
        body: &Body,
        (before, after): (&State, &State),
    ) -> Result<(), Violation> {
        let pending = self.pending.take();
        let generation = pending.as_ref().map(|pending| pending.generation);
        let bad = |what: &str| Err(Violation::new("S11", format!("{index} {what}: {body:?}")));
        self.pending = match body {
            Body::Decision(decision) => match (&decision.confirmed, pending) {
                (None, None) => None,
                (None, Some(_)) => return bad("writes while a confirmed commit is pending"),
                (Some(Step::Start { timeout_s, persist_id }), None) => Some(Watched {
                    generation: index,
                    since: time,
                    timeout_s: *timeout_s,
                    owner: decision.request.session.expect("a session commits"),
                    persistent: persist_id.is_some(),
                    before: before.shared.clone(),
                }),
                (Some(Step::Extend { generation: named, timeout_s, persist_id }), Some(old))
                    if Some(*named) == generation =>
                {
                    Some(Watched {
                        generation: index,
                        since: time,
                        timeout_s: *timeout_s,
                        owner: decision.request.session.expect("a session commits"),
                        persistent: old.persistent || persist_id.is_some(),
                        before: old.before,
                    })
                }
                (Some(Step::Confirm { generation: named }), Some(_))
                    if Some(*named) == generation =>
                {
                    None
                }
                (
                    Some(
                        step @ (Step::Cancel { generation: named }
                        | Step::Rollback { generation: named, .. }),
                    ),
                    Some(old),
                ) if Some(*named) == generation => {
                    restored(time, index, step, &old, after)?;
                    None
                }
                (Some(_), _) => return bad("does not fit what is pending"),
            },
            Body::SessionEnd { session, .. } => match pending {
                Some(old) if !old.persistent && old.owner == *session => {
                    ensure("S11", after.shared == old.before, || format!("{index}: not restored"))?;
                    None
                }
                other => other,
            },
            Body::NodeDown { incarnation, boot, .. } => match pending {
                Some(old) if !old.persistent && is_of(old.owner, *incarnation, *boot) => {
                    ensure("S11", after.shared == old.before, || format!("{index}: not restored"))?;
                    None
                }
                other => other,
            },
            Body::Seat { change: Seat::Removed { incarnation }, .. } => match pending {
                Some(old) if !old.persistent && old.owner.incarnation == *incarnation => {
                    ensure("S11", after.shared == old.before, || format!("{index}: not restored"))?;
                    None
                }
                other => other,
            },
            _ => pending,
        };
        let stated = after.confirmed.as_ref().map(|pending| pending.generation);
        let known = self.pending.as_ref().map(|pending| pending.generation);
        ensure("S11", stated == known, || format!("after {index} {stated:?} is pending"))
    }

    fn sessions_after(&mut self, body: &Body, after: &State) {
        let mut count = |request: &RequestHead, what| {
            if let Some(session) = request.session {
                *self.effective.entry((session, what)).or_default() += 1;
            }
        };
        match body {
            Body::Lock { request, .. } => count(request, Effective::Lock),
            Body::Unlock { request, .. } => count(request, Effective::Unlock),
            Body::Decision(decision) => match decision.confirmed {
                Some(Step::Confirm { .. }) => count(&decision.request, Effective::Confirm),
                Some(Step::Cancel { .. }) => count(&decision.request, Effective::Cancel),
                _ => {}
            },
            Body::SessionEnd { session, .. } => {
                self.over.insert(*session);
            }
            Body::NodeDown { incarnation, boot, .. } => {
                self.lost += 1;
                let ended = after.member(*incarnation).into_iter().flat_map(|member| &member.ended);
                let key = |id: &SessionId| (*incarnation, *boot, *id);
                self.over.extend(
                    ended.map(|(id, _)| key(id)).map(|(incarnation, boot, id)| SessionKey {
                        incarnation,
                        boot,
                        id,
                    }),
                );
            }
            _ => {}
        }
    }

    /// The fence of the last lock of a session.
    pub(super) fn fence_of(&self, session: SessionKey) -> Option<LogIndex> {
        self.locks.iter().rev().find(|span| span.session == session).map(|span| span.from)
    }

    /// A session wrote at `index` what it took for protected by the lock of `fence`: it was (S10, PROTOCOL F24).
    pub(super) fn was_protected(&self, fence: LogIndex, index: LogIndex) -> Result<(), Violation> {
        let span = self.locks.iter().find(|span| span.from == fence);
        let held = span.is_some_and(|span| span.to.is_none_or(|to| to > index));
        ensure("S10", held, || {
            format!("{index} was written under the lock {fence}, which was lost")
        })
    }

    /// A removal was ok: between its question and now there was a moment without the value (S7).
    pub(super) fn was_absent(&self, spot: Spot, floor: Revision) -> Result<(), Violation> {
        let since = self.entries.iter().rev().map(|done| &done.state);
        let mut since = since.chain([&self.initial]).take_while(|state| state.revision >= floor);
        let absent = since.any(|state| !self.model.values(&state.shared).contains_key(&spot));
        ensure("S7", absent, || format!("{spot:?} was removed, and always there since {floor}"))
    }

    /// Whether a confirmed commit waits.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }
}

fn restored(
    time: u64,
    index: LogIndex,
    step: &Step,
    old: &Watched,
    after: &State,
) -> Result<(), Violation> {
    ensure("S11", after.shared == old.before, || format!("{index}: not what was before"))?;
    let timed_out = matches!(step, Step::Rollback { cause: RollbackCause::Timeout, .. });
    // Clocks drift by less than a hundredth.
    let due = old.since + u64::from(old.timeout_s) * 990_000;
    ensure("S11", !timed_out || time >= due, || format!("{index}: rolled back too early"))
}

fn is_of(session: SessionKey, incarnation: Incarnation, boot: u64) -> bool {
    session.incarnation == incarnation && session.boot == boot
}

fn restores(decision: &Decision) -> bool {
    matches!(decision.confirmed, Some(Step::Cancel { .. } | Step::Rollback { .. }))
}
