//! What `apply` takes and what it leaves alone, and that snapshots and entries keep all of it.

use super::apply::{Applied, Knowledge, Position, apply, data_digest};
use super::entry::{Body, Decision, Entry, RequestHead, Seat};
use super::snapshot;
use super::state::{LockTarget, Member, State};
use crate::base::ids::{
    Boot, Digest, Incarnation, LogIndex, Revision, SessionId, SessionKey, Term, TxId,
};
use crate::base::limits::{HISTORY_MAX, SESSION_ID_BLOCK};
use crate::base::rules::Rules;
use crate::base::time::WallTime;
use crate::datastore::testing::{Dice, schema, tree};
use crate::transaction::confirmed::{RollbackCause, Step};
use crate::yang::tree::{Seed, Tree, diff, encode_diff};
use std::mem::discriminant;

const NODE: Incarnation = Incarnation(1);
const TERM: Term = Term(3);
const SCHEMA: Digest = Digest([7; 32]);

fn session(boot: u64, id: u32) -> SessionKey {
    SessionKey { incarnation: NODE, boot, id: SessionId(id) }
}

/// A member's log as it grows.
struct Log {
    state: State,
    index: u64,
    boot: u64,
    seq: u64,
}

impl Log {
    fn new() -> Self {
        let mut log =
            Self { state: State::new(Tree::empty(Seed::default())), index: 0, boot: 0, seq: 0 };
        log.done(Body::Schema { schema_id: SCHEMA });
        log.start();
        log
    }

    fn start(&mut self) {
        self.boot += 1;
        self.seq = 0;
        let boot = Boot { counter: self.boot, nonce: 5 };
        self.done(node_up(boot, "node"));
    }

    /// The next entry, by its bytes.
    fn apply_in(&mut self, term: Term, body: Body) -> Applied {
        self.index += 1;
        let entry = Entry { term: TERM, body };
        let entry = Entry::decode(&entry.encode().unwrap()).unwrap();
        let position = Position { index: LogIndex(self.index), term };
        let knowledge =
            Knowledge { schema: &schema(), result: None, settled: None, rules: Rules::default() };
        let before = self.state.clone();
        let revision = self.state.revision;
        let (state, applied) = apply(&self.state, position, &entry, knowledge);
        self.state = state;
        match &applied {
            Applied::Done(effect) => {
                let new = effect.revision.as_ref().map(|(revision, _)| *revision);
                let expected = new.map(|_| Revision(revision.0 + 1));
                assert_eq!((new, self.state.revision), (expected, new.unwrap_or(revision)));
            }
            Applied::Void | Applied::Known | Applied::Diverged { .. } | Applied::Unreadable(_) => {
                assert_eq!(
                    bytes(&self.state),
                    bytes(&before),
                    "what has no effect leaves no trace"
                );
            }
        }
        applied
    }

    fn apply(&mut self, body: Body) -> Applied {
        self.apply_in(TERM, body)
    }

    #[track_caller]
    fn done(&mut self, body: Body) {
        let applied = self.apply(body);
        assert!(matches!(applied, Applied::Done(_)), "{applied:?}");
    }

    #[track_caller]
    fn void(&mut self, body: Body) {
        let applied = self.apply(body);
        assert!(matches!(applied, Applied::Void), "{applied:?}");
    }

    #[track_caller]
    fn known(&mut self, body: Body) {
        let applied = self.apply(body);
        assert!(matches!(applied, Applied::Known), "{applied:?}");
    }

    fn request(&mut self, session: Option<SessionKey>) -> RequestHead {
        self.seq += 1;
        let txid = TxId { incarnation: NODE, boot: self.boot, seq: self.seq };
        RequestHead {
            txid,
            low: self.seq,
            session,
            user: "admin".into(),
            at: WallTime(9),
            message_id: Some("7".into()),
            transaction: None,
        }
    }

    fn decision(
        &mut self,
        by: Option<SessionKey>,
        content: &str,
        confirmed: Option<Step>,
    ) -> Decision {
        let schema = schema();
        let restores = matches!(confirmed, Some(Step::Cancel { .. } | Step::Rollback { .. }));
        let pending = self.state.confirmed.as_ref().filter(|_| restores);
        let after = pending.map_or_else(|| tree(content), |pending| pending.base.clone());
        let change = diff(&self.state.shared, &after);
        Decision {
            request: self.request(by),
            base: self.state.revision,
            base_digest: data_digest(&self.state.shared, &schema),
            result_digest: data_digest(&after, &schema),
            schema_id: SCHEMA,
            held: Vec::new(),
            confirmed,
            origin: "node".into(),
            comment: Some("why".to_owned()),
            diff: if restores { Vec::new() } else { encode_diff(&change, &*schema) },
        }
    }

    fn lock(&mut self, by: SessionKey) -> Body {
        Body::Lock { request: self.request(Some(by)), target: LockTarget::Running }
    }

    fn end(&mut self, session: SessionKey) -> Body {
        Body::SessionEnd { request: self.request(None), session }
    }

    /// The same, while the request `low` is on its way.
    fn end_while_open(&mut self, session: SessionKey, low: u64) -> Body {
        let mut request = self.request(None);
        request.low = low;
        Body::SessionEnd { request, session }
    }

    fn unlock(&mut self, by: SessionKey) -> Body {
        Body::Unlock { request: self.request(Some(by)), target: LockTarget::Running }
    }

    fn generation(&self) -> LogIndex {
        self.state.confirmed.as_ref().map_or(LogIndex(0), |pending| pending.generation)
    }
}

fn node_up(boot: Boot, name: &str) -> Body {
    let (name, address, participants) = (name.to_owned(), String::new(), Vec::new());
    Body::NodeUp { incarnation: NODE, boot, name, address, participants }
}

fn decide(decision: Decision) -> Body {
    Body::Decision(Box::new(decision))
}

fn start(persist_id: Option<&str>) -> Option<Step> {
    Some(Step::Start { timeout_s: 60, persist_id: persist_id.map(str::to_owned) })
}

fn bytes(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    snapshot::encode(state, &schema(), &mut |piece| bytes.extend_from_slice(piece)).unwrap();
    bytes
}

#[test]
fn an_entry_of_another_term_is_void() {
    let mut log = Log::new();
    let decision = log.decision(None, "top=x", None);
    let applied = log.apply_in(Term(4), decide(decision.clone()));
    assert!(matches!(applied, Applied::Void));
    log.done(decide(decision));
}

#[test]
fn a_decision_takes_effect_once() {
    let mut log = Log::new();
    let first = log.decision(None, "top=x", None);
    log.done(decide(first.clone()));
    log.known(decide(first.clone()));
    let second = log.decision(None, "top=y", None);
    log.done(decide(second));
    log.known(decide(first));
    // What never came and is below the floor does not come any more (PROTOCOL F3).
    let mut late = log.decision(None, "top=z", None);
    late.request.txid.seq = 0;
    log.known(decide(late));
    let mut earlier_boot = log.decision(None, "top=z", None);
    log.start();
    log.known(decide(earlier_boot.clone()));
    earlier_boot.request.txid.boot = log.boot + 1;
    log.known(decide(earlier_boot));
    assert_eq!(log.state.revision, Revision(2));
}

#[test]
fn a_decision_holds_only_where_it_was_evaluated() {
    let mut log = Log::new();
    let (one, two) = (session(1, 1), session(1, 2));
    let good = |log: &mut Log| log.decision(Some(one), "top=x", None);
    let mut decision = good(&mut log);
    decision.base = Revision(1);
    log.void(decide(decision));
    let mut decision = good(&mut log);
    decision.schema_id = Digest::default();
    log.void(decide(decision));
    let decision = log.decision(Some(session(9, 1)), "top=x", None);
    log.void(decide(decision));
    let lock = log.lock(two);
    log.done(lock);
    let fence = log.state.locks[0].fence;
    let decision = good(&mut log);
    log.void(decide(decision));
    for (holder, fence, holds) in
        [(two, LogIndex(fence.0 + 1), false), (one, fence, false), (two, fence, true)]
    {
        let mut decision = log.decision(Some(holder), "top=x", None);
        decision.held = vec![(LockTarget::Running, fence)];
        if holds { log.done(decide(decision)) } else { log.void(decide(decision)) }
    }
    let crossing = log.decision(Some(two), "top=y", None);
    let end = log.end_while_open(two, crossing.request.txid.seq);
    log.done(end);
    log.void(decide(crossing));
}

#[test]
fn other_data_than_stated_are_divergence_and_change_nothing() {
    let mut log = Log::new();
    let mut decision = log.decision(None, "top=x", None);
    decision.base_digest = Digest([1; 32]);
    assert!(matches!(log.apply(decide(decision)), Applied::Diverged { .. }));
    let mut decision = log.decision(None, "top=x", None);
    decision.result_digest = Digest([1; 32]);
    assert!(matches!(log.apply(decide(decision)), Applied::Diverged { .. }));
    let mut decision = log.decision(None, "top=x", None);
    decision.diff = vec![255];
    assert!(matches!(log.apply(decide(decision)), Applied::Unreadable(_)));
}

#[test]
fn one_entry_ends_a_confirmed_commit() {
    let steps: [fn(LogIndex) -> Step; 4] = [
        |generation| Step::Confirm { generation },
        |generation| Step::Cancel { generation },
        |generation| Step::Rollback { generation, cause: RollbackCause::Timeout },
        |generation| Step::Extend { generation, timeout_s: 5, persist_id: Some("new".to_owned()) },
    ];
    for (at, step) in steps.into_iter().enumerate() {
        let mut log = Log::new();
        let owner = session(1, 1);
        let none = log.decision(Some(owner), "top=x", Some(step(LogIndex(0))));
        log.void(decide(none));
        let decision = log.decision(Some(owner), "top=kept", None);
        log.done(decide(decision));
        let decision = log.decision(Some(owner), "top=tried", start(Some("old")));
        log.done(decide(decision));
        let decision = log.decision(Some(owner), "top=again", start(None));
        log.void(decide(decision));
        let generation = log.generation();
        let wrong = log.decision(Some(owner), "top=x", Some(step(LogIndex(generation.0 - 1))));
        log.void(decide(wrong));
        let right = log.decision(Some(owner), "top=done", Some(step(generation)));
        log.done(decide(right));
        let expected = if at == 1 || at == 2 { "top=kept" } else { "top=done" };
        assert_eq!(log.state.shared, tree(expected));
        match &log.state.confirmed {
            Some(pending) => {
                assert_eq!((at, pending.base.clone()), (3, tree("top=kept")));
                assert_eq!(pending.persist_id.as_deref(), Some("new"));
                assert_eq!((pending.timeout_s, pending.generation.0), (5, log.index));
            }
            None => assert_ne!(at, 3),
        }
        let again = log.decision(Some(owner), "top=x", Some(step(generation)));
        log.void(decide(again));
    }
}

#[test]
fn a_rollback_passes_the_lock_of_another_session() {
    let mut log = Log::new();
    let (owner, other) = (session(1, 1), session(1, 2));
    let lock = log.lock(owner);
    log.done(lock);
    let decision = log.decision(Some(owner), "top=tried", start(Some("t")));
    log.done(decide(decision));
    let generation = log.generation();
    let cancel = log.decision(Some(other), "", Some(Step::Cancel { generation }));
    log.void(decide(cancel));
    let step = Step::Rollback { generation, cause: RollbackCause::Timeout };
    let rollback = log.decision(None, "", Some(step));
    log.done(decide(rollback));
    assert_eq!((log.state.shared.clone(), log.state.revision), (tree(""), Revision(2)));
}

#[test]
fn locks_are_granted_as_rfc_6241_says() {
    let mut log = Log::new();
    let (one, two) = (session(1, 1), session(1, 2));
    for (body, holds) in [
        (log.unlock(one), false),
        (log.lock(one), true),
        (log.lock(one), false),
        (log.lock(two), false),
        (log.unlock(two), false),
        (log.unlock(one), true),
        (log.lock(session(2, 1)), false),
    ] {
        if holds { log.done(body) } else { log.void(body) }
    }
    let decision = log.decision(Some(one), "top=x", start(None));
    log.done(decide(decision));
    let lock = log.lock(two);
    log.void(lock);
    let lock = log.lock(one);
    log.done(lock.clone());
    assert_eq!(log.state.locks[0].fence, LogIndex(log.index));
    log.known(lock);
    let crossing = log.lock(one);
    let Body::Lock { request, .. } = &crossing else { panic!("no lock") };
    let end = log.end_while_open(one, request.txid.seq);
    log.done(end.clone());
    log.known(end);
    let again = log.end_while_open(one, request.txid.seq);
    log.void(again);
    assert!(log.state.locks.is_empty() && log.state.confirmed.is_none());
    assert_eq!(log.state.shared, tree(""));
    log.void(crossing);
}

/// The origin may not have heard of it yet, and asks again (PROTOCOL F1, F3).
#[test]
fn an_open_transaction_takes_effect_once_even_if_the_history_has_forgotten_it() {
    let mut log = Log::new();
    let mut first = log.decision(None, "top=first", None);
    let open = first.request.txid.seq;
    first.request.low = open;
    log.done(decide(first.clone()));
    for number in 0..=HISTORY_MAX {
        let mut decision = log.decision(None, &format!("top=x{number}"), None);
        decision.request.low = open;
        log.done(decide(decision));
    }
    assert!(!log.state.outcomes.contains_key(&first.request.txid));
    let mut again = log.decision(None, "top=first", None);
    again.request.txid = first.request.txid;
    again.request.low = open;
    log.known(decide(again));
}

/// What a session left in flight is refused: first because it has ended, then because the floor has passed it.
#[test]
fn an_ended_session_is_remembered_only_while_something_of_it_can_come() {
    let mut log = Log::new();
    for id in 1..=50 {
        let holder = session(1, id);
        let lock = log.lock(holder);
        log.done(lock);
        let crossing = log.lock(holder);
        let end = log.end(holder);
        log.done(end);
        log.known(crossing);
        let remembered = log.state.member(NODE).map_or(0, |member| member.ended.len());
        assert!(remembered <= 1, "{remembered} sessions are remembered");
    }
}

#[test]
fn a_new_boot_ends_the_sessions_of_the_one_before_and_no_other_change() {
    let mut log = Log::new();
    let owner = session(1, 1);
    let lock = log.lock(owner);
    log.done(lock);
    let decision = log.decision(Some(owner), "top=tried", start(None));
    log.done(decide(decision));
    log.start();
    let pending = log.state.confirmed.as_ref().expect("rolled back by an entry of its own");
    assert!(pending.alive.is_empty() && log.state.locks.is_empty());
    assert_eq!(log.state.shared, tree("top=tried"));
    let end = log.end(owner);
    log.void(end);
    let old = Boot { counter: 2, nonce: 8 };
    log.void(node_up(old, ""));
    log.void(Body::SessionIds { incarnation: NODE, boot: 1, lowest: SessionId(0) });
}

#[test]
fn members_that_get_votes_have_one_line_in_the_history() {
    let mut log = Log::new();
    log.state.members.push(Member::joining(Incarnation(2), "n2", ""));
    log.state.members.push(Member::joining(Incarnation(3), "n3", ""));
    let seat = |log: &mut Log, change| Body::Seat { request: log.request(None), change };
    let promoted =
        |ids: &[u64]| Seat::Promoted { members: ids.iter().copied().map(Incarnation).collect() };
    for nobody in [promoted(&[]), promoted(&[2, 4])] {
        let nobody = seat(&mut log, nobody);
        log.void(nobody);
    }
    for (ids, line) in [(&[2, 3][..], "members n2, n3 vote"), (&[3], "member n3 votes")] {
        let votes = seat(&mut log, promoted(ids));
        log.done(votes.clone());
        log.known(votes);
        let last = log.state.history.iter().next_back().unwrap();
        assert_eq!(last.comment.as_deref(), Some(line));
    }
    let lines = log.state.history.len();
    let settled = seat(&mut log, Seat::Settled);
    log.done(settled.clone());
    log.known(settled);
    assert_eq!(log.state.history.len(), lines, "they have their line");
}

#[test]
fn session_ids_end_where_the_numbers_end() {
    let mut log = Log::new();
    let more = Body::SessionIds { incarnation: NODE, boot: 1, lowest: SessionId(0) };
    log.done(more.clone());
    let blocks = |log: &Log| log.state.members[0].session_ids;
    assert_eq!(blocks(&log), (1 + SESSION_ID_BLOCK, 1 + 2 * SESSION_ID_BLOCK));
    log.state.next_session_id = u32::MAX - 1;
    log.done(more.clone());
    assert_eq!(blocks(&log), (u32::MAX - 1, u32::MAX));
    log.done(more);
    assert_eq!(blocks(&log), (u32::MAX, u32::MAX));
}

#[test]
fn the_history_and_what_belongs_to_it_are_bounded() {
    let mut log = Log::new();
    let contents = [tree("top=a"), tree("top=b")];
    let schema = schema();
    for turn in 0..HISTORY_MAX + 20 {
        let lock = log.lock(session(1, 1));
        log.done(lock);
        let mut decision = log.decision(Some(session(1, 1)), "", None);
        let after = &contents[turn % 2];
        decision.diff = encode_diff(&diff(&log.state.shared, after), &*schema);
        decision.result_digest = data_digest(after, &schema);
        log.index += 1;
        let position = Position { index: LogIndex(log.index), term: TERM };
        let entry = Entry { term: TERM, body: decide(decision) };
        let knowledge = Knowledge {
            schema: &schema,
            result: Some(after),
            settled: None,
            rules: Rules::default(),
        };
        log.state = apply(&log.state, position, &entry, knowledge).0;
        let unlock = log.unlock(session(1, 1));
        log.done(unlock);
    }
    let state = &log.state;
    assert_eq!((state.history.len(), state.outcomes.len()), (HISTORY_MAX, HISTORY_MAX));
    assert!(state.control.len() <= 2, "{} lock requests are remembered", state.control.len());
}

/// One random entry; most of them are right.
fn random_entry(log: &mut Log, dice: &mut Dice) -> Body {
    const CONTENTS: &[&str] =
        &["", "top=a", "top=b c{ x=1 ll=3 ll=1 }", "c{ l[k]{ v=1 } u[z] u[a] any='<a/>' } q{ }"];
    let by = session(log.boot, u32::try_from(dice.below(4)).unwrap() + 1);
    let content = *dice.pick(CONTENTS);
    let generation = log.generation();
    match dice.below(13) {
        12 => {
            let votes = Seat::Promoted { members: vec![NODE, NODE] };
            let change = [votes, Seat::Settled][dice.below(2)].clone();
            Body::Seat { request: log.request(None), change }
        }
        0 => log.lock(by),
        1 => log.unlock(by),
        2 => log.end(by),
        3 => Body::SessionIds { incarnation: NODE, boot: log.boot, lowest: SessionId(0) },
        4 if dice.below(4) == 0 => {
            log.boot += 1;
            log.seq = 0;
            let boot = Boot { counter: log.boot, nonce: 1 };
            node_up(boot, "again")
        }
        5 | 6 => decide(log.decision(Some(by), content, start([None, Some("t")][dice.below(2)]))),
        7 => {
            let step = Step::Extend { generation, timeout_s: 9, persist_id: None };
            decide(log.decision(Some(by), content, Some(step)))
        }
        8 => decide(log.decision(Some(by), content, Some(Step::Confirm { generation }))),
        9 => decide(log.decision(Some(by), content, Some(Step::Cancel { generation }))),
        _ => decide(log.decision([None, Some(by)][dice.below(2)], content, None)),
    }
}

#[test]
fn a_snapshot_holds_all_that_later_entries_need() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut log = Log::new();
        for _ in 0..40 {
            let body = random_entry(&mut log, &mut dice);
            let restored = snapshot::decode(&bytes(&log.state), &schema()).unwrap();
            assert_eq!(bytes(&restored), bytes(&log.state), "seed {seed}");
            assert_eq!(restored.shared, log.state.shared);
            let mut other = Log { state: restored, index: log.index, boot: log.boot, seq: log.seq };
            let (one, two) = (log.apply(body.clone()), other.apply(body));
            assert_eq!(discriminant(&one), discriminant(&two), "seed {seed}");
            assert_eq!(bytes(&log.state), bytes(&other.state), "seed {seed}");
            let state = &log.state;
            assert!(state.locks.iter().all(|lock| state.is_alive(lock.session)), "seed {seed}");
        }
    }
}

#[test]
fn damaged_snapshots_and_entries_are_errors_and_never_a_panic() {
    let mut log = Log::new();
    let decision = log.decision(Some(session(1, 1)), "top=b c{ x=1 l[k]{ v=1 } }", start(None));
    let entry = Entry { term: TERM, body: decide(decision.clone()) }.encode().unwrap();
    log.done(decide(decision));
    let whole = bytes(&log.state);
    for end in 0..whole.len() {
        assert!(snapshot::decode(&whole[..end], &schema()).is_err(), "cut at {end}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(snapshot::decode(&longer, &schema()).is_err());
    for at in 0..whole.len() {
        for bit in [1, 16, 128] {
            let mut damaged = whole.clone();
            damaged[at] ^= bit;
            drop(snapshot::decode(&damaged, &schema()));
        }
    }
    for at in 0..entry.len() {
        drop(Entry::decode(&entry[..at]));
        for bit in [1, 16, 128] {
            let mut damaged = entry.clone();
            damaged[at] ^= bit;
            if let Ok(Entry { term, body }) = Entry::decode(&damaged)
                && term == TERM
            {
                let mut log = Log::new();
                drop(log.apply(body));
            }
        }
    }
}
