//! Applying a log entry: total, deterministic, on nothing but the state and the entry (PROTOCOL A1 to A7).

use super::apply_sessions::{lock, release, session_end, unlock};
use super::entry::{Body, Decision, Entry, RequestHead, Seat};
use super::state::{Charter, Committed, LockTarget, Member, RegisteredParticipant, State, Token};
use crate::base::ids::{
    Boot, Digest, Incarnation, LogIndex, Revision, SessionId, SessionKey, Term, TxId,
};
use crate::base::limits::{SESSION_ID_BLOCK, TOKENS_MAX};
use crate::base::policy::Policy;
use crate::base::rules::{Rule, Rules};
use crate::base::time::WallTime;
use crate::transaction::confirmed::{ConfirmedCommit, Step};
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;
use sha2::Digest as _;
use smol_str::SmolStr;
use std::sync::Arc;

/// Where an entry stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) index: LogIndex,
    pub(crate) term: Term,
}

/// What an entry did.
#[derive(Debug)]
pub(crate) enum Applied {
    /// What it stated does not hold: no effect, nothing recorded, another copy may be decided later.
    Void,
    /// Its transaction has an outcome already, or is closed: no effect, the first outcome stands.
    Known,
    /// It took effect.
    Done(Effect),
    /// The data that it was evaluated on, or that it makes, are not those that it states: this member must not serve
    /// any more.
    Diverged { stated: Digest, found: Digest },
    /// It changes what the schema in use does not have.
    Unreadable(String),
}

/// What changed.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    /// The new revision, if running has one, with running as it was before.
    pub(crate) revision: Option<(Revision, Tree)>,
}

/// What apply needs beside state and entry; it never decides anything.
#[derive(Clone, Copy)]
pub(crate) struct Knowledge<'a> {
    pub(crate) schema: &'a Schema,
    /// Running as the decision makes it, where the leader has just made it: spares decoding its diff.
    pub(crate) result: Option<&'a Tree>,
    /// What a majority has found where an entry states other data: with that it goes on (PROTOCOL F36).
    pub(crate) settled: Option<Digest>,
    pub(crate) rules: Rules,
}

/// H: the digest of all configuration (PROTOCOL, REPLICATED STATE).
pub(crate) fn data_digest(shared: &Tree, schema: &Schema) -> Digest {
    let mut hash = sha2::Sha256::new();
    hash.update(b"quorate-root");
    hash.update(shared.digest(schema).0);
    Digest(hash.finalize().into())
}

/// The state after `entry`, and what it did. Where it did nothing the state is the same.
pub(crate) fn apply(
    state: &State,
    position: Position,
    entry: &Entry,
    knowledge: Knowledge<'_>,
) -> (State, Applied) {
    let mut next = state.clone();
    let rules = knowledge.rules;
    if !rules.hold(Rule::FirstOutcomeStands)
        && let Some(request) = entry.body.request()
    {
        next.outcomes.remove(&request.txid);
        next.control.remove(&request.txid);
    }
    let applied = if entry.term == position.term || !rules.hold(Rule::OwnTerm) {
        apply_body(&mut next, position, &entry.body, knowledge)
    } else {
        Applied::Void
    };
    if !rules.hold(Rule::SessionsStayEnded) {
        next.members.iter_mut().for_each(|member| member.ended.clear());
    }
    match applied {
        Applied::Done(_) => (next, applied),
        Applied::Void | Applied::Known | Applied::Diverged { .. } | Applied::Unreadable(_) => {
            (state.clone(), applied)
        }
    }
}

fn apply_body(
    state: &mut State,
    position: Position,
    body: &Body,
    knowledge: Knowledge<'_>,
) -> Applied {
    match body {
        Body::NodeUp { incarnation, boot, name, address, participants } => {
            node_up(state, (*incarnation, *boot), (name, address), participants)
        }
        Body::NodeDown { incarnation, boot, at } => node_down(state, *incarnation, *boot, *at),
        Body::SessionIds { incarnation, boot, lowest } => {
            session_ids(state, *incarnation, *boot, *lowest)
        }
        Body::Schema { schema_id } => {
            state.schema_id = *schema_id;
            Applied::Done(Effect::default())
        }
        Body::Decision(decision) => decide(state, position, decision, knowledge),
        Body::Lock { request, target } => lock(state, position, request, *target),
        Body::Unlock { request, target } => unlock(state, request, *target),
        Body::SessionEnd { request, session } => session_end(state, request, *session),
        Body::Init { request, charter, address } => init(state, request, charter, address),
        Body::Token { request, token } => add_token(state, request, token),
        Body::Policy { request, policy } => set_policy(state, request, *policy),
        Body::Seat { request, change } => seat(state, request, change),
    }
}

/// The next block of wire session-ids; empty when all 2^32-1 are given.
fn next_block(state: &mut State) -> (u32, u32) {
    let first = state.next_session_id;
    state.next_session_id = first.saturating_add(SESSION_ID_BLOCK);
    (first, state.next_session_id)
}

/// A5: what the member's earlier boots left is over. A member that was only taken for lost is back.
fn node_up(
    state: &mut State,
    (incarnation, boot): (Incarnation, Boot),
    (name, address): (&str, &str),
    participants: &[RegisteredParticipant],
) -> Applied {
    if let Some(member) = member_mut(state, incarnation) {
        if member.boot == boot && !member.up {
            member.up = true;
            return Applied::Done(Effect::default());
        }
        if member.boot.counter >= boot.counter {
            return Applied::Void;
        }
    }
    let session_ids = next_block(state);
    let known = state.member(incarnation).map(|member| member.address.clone());
    let address = if address.is_empty() { known.unwrap_or_default() } else { address.into() };
    let member = Member {
        incarnation,
        name: name.into(),
        address,
        boot,
        up: true,
        floor: 0,
        ended: imbl::OrdMap::new(),
        session_ids,
        blocks: Arc::new(vec![session_ids.0]),
        participants: participants.into(),
    };
    let earlier =
        |session: &SessionKey| session.incarnation == incarnation && session.boot < boot.counter;
    state.locks.retain(|lock| !earlier(&lock.session));
    if let Some(pending) = &mut state.confirmed {
        pending.alive.retain(|(alive, counter)| *alive != incarnation || *counter >= boot.counter);
    }
    forget_control(state, incarnation, (boot.counter, 0));
    match member_mut(state, incarnation) {
        Some(slot) => *slot = member,
        None => state.members.push(member),
    }
    state.next_incarnation = state.next_incarnation.max(incarnation.0.saturating_add(1));
    Applied::Done(Effect::default())
}

/// A5: the sessions of the boot that hold something are over. The boot itself goes on, if it is heard again.
fn node_down(state: &mut State, incarnation: Incarnation, boot: u64, at: WallTime) -> Applied {
    let Some(member) = member_mut(state, incarnation).filter(|member| member.boot.counter == boot)
    else {
        return Applied::Void;
    };
    if !member.up {
        return Applied::Void;
    }
    member.up = false;
    let lost: Vec<SessionKey> = state
        .holders()
        .filter(|session| session.incarnation == incarnation && session.boot == boot)
        .collect();
    let mut effect = Effect::default();
    for session in lost {
        if let Some(member) = member_mut(state, incarnation) {
            member.ended.entry(session.id).or_insert(None);
        }
        release(state, session, ("", at), &mut effect);
    }
    Applied::Done(effect)
}

fn member_mut(state: &mut State, incarnation: Incarnation) -> Option<&mut Member> {
    state.members.iter_mut().find(|member| member.incarnation == incarnation)
}

fn session_ids(
    state: &mut State,
    incarnation: Incarnation,
    boot: u64,
    lowest: SessionId,
) -> Applied {
    let block = next_block(state);
    match member_mut(state, incarnation) {
        Some(member) if member.boot.counter == boot => {
            let blocks = Arc::make_mut(&mut member.blocks);
            blocks.retain(|first| first.saturating_add(SESSION_ID_BLOCK) > lowest.0);
            blocks.push(block.0);
            member.session_ids = block;
            Applied::Done(Effect::default())
        }
        Some(_) | None => Applied::Void,
    }
}

/// The only member's cluster becomes one that others can join.
fn init(state: &mut State, request: &RequestHead, charter: &Charter, address: &str) -> Applied {
    if is_closed(state, request) {
        return Applied::Known;
    }
    let [member] = state.members.as_mut_slice() else { return Applied::Void };
    if state.charter.is_some() {
        return Applied::Void;
    }
    member.address = address.into();
    state.charter = Some(Arc::new(charter.clone()));
    state.control.insert(request.txid);
    note(state, request, format!("cluster {} was founded", charter.name));
    Applied::Done(Effect::default())
}

fn add_token(state: &mut State, request: &RequestHead, token: &Token) -> Applied {
    if is_closed(state, request) {
        return Applied::Known;
    }
    if state.charter.is_none() {
        return Applied::Void;
    }
    if state.tokens.len() >= TOKENS_MAX {
        state.tokens.remove(0);
    }
    state.tokens.push(token.clone());
    state.control.insert(request.txid);
    Applied::Done(Effect::default())
}

fn set_policy(state: &mut State, request: &RequestHead, policy: Policy) -> Applied {
    if is_closed(state, request) {
        return Applied::Known;
    }
    state.policy = policy;
    state.control.insert(request.txid);
    note(state, request, format!("policy {}", policy.name()));
    Applied::Done(Effect::default())
}

/// A6: the records of members, together with their seats.
fn seat(state: &mut State, request: &RequestHead, change: &Seat) -> Applied {
    if is_closed(state, request) {
        return Applied::Known;
    }
    let mut effect = Effect::default();
    let comment = match change {
        Seat::Joined { incarnation, name, address, token } => {
            let is_free = state.member_named(name).is_none()
                && incarnation.0 == state.next_incarnation
                && state.tokens.iter().any(|known| known.digest == *token);
            if !is_free {
                return Applied::Void;
            }
            state.tokens.retain(|known| known.digest != *token);
            state.next_incarnation = incarnation.0.saturating_add(1);
            state.members.push(Member::joining(*incarnation, name, address));
            format!("member {name} joined")
        }
        Seat::Promoted { members } => {
            let name = |id: &Incarnation| state.member(*id).map(|member| member.name.as_str());
            match members.iter().map(name).collect::<Option<Vec<&str>>>().as_deref() {
                None | Some([]) => return Applied::Void,
                Some([name]) => format!("member {name} votes"),
                Some(names) => format!("members {} vote", names.join(", ")),
            }
        }
        // Its members have their line in the history already.
        Seat::Settled => {
            state.control.insert(request.txid);
            return Applied::Done(effect);
        }
        Seat::Removed { incarnation } => {
            let Some(member) = state.member(*incarnation).cloned() else { return Applied::Void };
            let of_it = |session: &SessionKey| session.incarnation == *incarnation;
            let lost: Vec<SessionKey> = state.holders().filter(of_it).collect();
            for session in lost {
                release(state, session, (&request.user, request.at), &mut effect);
            }
            state.members.retain(|other| other.incarnation != *incarnation);
            if let Some(pending) = &mut state.confirmed {
                pending.alive.retain(|(alive, _)| alive != incarnation);
            }
            forget_control(state, *incarnation, (u64::MAX, u64::MAX));
            format!("member {} was removed", member.name)
        }
    };
    state.control.insert(request.txid);
    note(state, request, comment);
    Applied::Done(effect)
}

/// A line of the history for what makes no revision.
fn note(state: &mut State, request: &RequestHead, comment: String) {
    let line = Committed {
        number: 0,
        revision: state.revision,
        txid: None,
        session: request.session.map(|session| session.id),
        user: request.user.clone(),
        at: request.at,
        origin: state
            .member(request.txid.incarnation)
            .map_or_else(SmolStr::default, |member| member.name.clone()),
        comment: Some(comment),
        message_id: None,
        transaction: None,
    };
    state.record(line);
}

/// A2: a known or closed transaction has no further effect. Raises the origin's floor.
pub(super) fn is_closed(state: &mut State, request: &RequestHead) -> bool {
    let txid = request.txid;
    if state.outcomes.contains_key(&txid) || state.control.contains(&txid) {
        return true;
    }
    let Some(member) =
        state.members.iter_mut().find(|member| member.incarnation == txid.incarnation)
    else {
        return true;
    };
    if member.boot.counter != txid.boot || txid.seq < member.floor {
        return true;
    }
    if member.floor < request.low {
        member.floor = request.low;
        if !member.ended.is_empty() {
            let is_open =
                |(_, closed_by): &(_, Option<u64>)| closed_by.is_none_or(|seq| seq >= request.low);
            member.ended = std::mem::take(&mut member.ended).into_iter().filter(is_open).collect();
        }
        forget_control(state, txid.incarnation, (txid.boot, request.low));
    }
    false
}

/// Drops the outcomes of lock requests of `incarnation` before `(boot, seq)`: floor and boot refuse them from now on.
fn forget_control(state: &mut State, incarnation: Incarnation, before: (u64, u64)) {
    let first = TxId { incarnation, boot: 0, seq: 0 };
    let end = TxId { incarnation, boot: before.0, seq: before.1 };
    let closed: Vec<TxId> = state.control.range(first..end).copied().collect();
    for txid in closed {
        state.control.remove(&txid);
    }
}

/// A3.
fn decide(
    state: &mut State,
    position: Position,
    decision: &Decision,
    knowledge: Knowledge<'_>,
) -> Applied {
    let schema = knowledge.schema;
    let request = &decision.request;
    let rules = knowledge.rules;
    if is_closed(state, request) {
        return Applied::Known;
    }
    let holds = (state.revision == decision.base || !rules.hold(Rule::BaseRevision))
        && state.schema_id == decision.schema_id
        && request.session.is_none_or(|session| state.is_alive(session))
        && locks_allow(state, decision, rules)
        && step_holds(state, decision.confirmed.as_ref(), rules);
    if !holds {
        return Applied::Void;
    }
    // The proposer was in this term and had applied the same entries: other data here are no conflict, but a fault.
    let found = data_digest(&state.shared, schema);
    if found != decision.base_digest && rules.hold(Rule::BaseDigest) {
        if knowledge.settled == Some(found) {
            return Applied::Void;
        }
        return Applied::Diverged { stated: decision.base_digest, found };
    }
    let before = state.shared.clone();
    match result(state, decision, knowledge) {
        Ok(tree) => state.shared = tree,
        Err(reason) => return Applied::Unreadable(reason),
    }
    let found = data_digest(&state.shared, schema);
    if found != decision.result_digest
        && rules.hold(Rule::ResultDigest)
        && knowledge.settled != Some(found)
    {
        return Applied::Diverged { stated: decision.result_digest, found };
    }
    let base_revision = state.revision;
    state.next_revision(before.clone(), u64::try_from(decision.diff.len()).unwrap_or(u64::MAX));
    take_step(state, position, decision, (before.clone(), base_revision));
    // The history forgets its oldest lines, whatever their origins have closed; this is dropped by the floor alone.
    state.control.insert(request.txid);
    state.record(Committed {
        number: 0,
        revision: state.revision,
        txid: Some(request.txid),
        session: request.session.map(|session| session.id),
        user: request.user.clone(),
        at: request.at,
        origin: decision.origin.clone(),
        comment: decision.comment.clone(),
        message_id: request.message_id.clone(),
        transaction: request.transaction.clone(),
    });
    Applied::Done(Effect { revision: Some((state.revision, before)) })
}

/// Each lock that the session believes to hold is its own, with that fence; nobody else's covers running. What the
/// agent decides itself passes all locks.
fn locks_allow(state: &State, decision: &Decision, rules: Rules) -> bool {
    let Some(session) = decision.request.session else {
        return true;
    };
    let own = decision.held.iter().all(|(target, fence)| {
        state.lock(*target).is_some_and(|lock| lock.session == session && lock.fence == *fence)
    });
    let allowed = own && state.lock(LockTarget::Running).is_none_or(|lock| lock.session == session);
    allowed || !rules.hold(Rule::LockFences)
}

fn step_holds(state: &State, step: Option<&Step>, rules: Rules) -> bool {
    let pending = state.confirmed.as_ref().map(|pending| pending.generation);
    match step {
        None => true,
        Some(Step::Start { .. }) => pending.is_none(),
        Some(
            Step::Extend { generation, .. }
            | Step::Confirm { generation }
            | Step::Cancel { generation }
            | Step::Rollback { generation, .. },
        ) => pending == Some(*generation) || !rules.hold(Rule::GenerationNamed),
    }
}

/// Running after the decision. A rollback restores what the state holds; everything else applies its diff.
fn result(state: &State, decision: &Decision, knowledge: Knowledge<'_>) -> Result<Tree, String> {
    match (&decision.confirmed, &state.confirmed) {
        (Some(Step::Cancel { .. } | Step::Rollback { .. }), Some(pending)) => {
            Ok(pending.base.clone())
        }
        _ => {
            if let Some(tree) = knowledge.result {
                return Ok(tree.clone());
            }
            let diff =
                crate::yang::tree::decode_diff(&decision.diff, knowledge.schema, state.shared.seed)
                    .map_err(|error| error.to_string())?;
            diff.apply(&state.shared).map_err(|error| error.to_string())
        }
    }
}

fn take_step(
    state: &mut State,
    position: Position,
    decision: &Decision,
    (base, base_revision): (Tree, Revision),
) {
    let generation = position.index;
    let alive: Vec<_> = state
        .members
        .iter()
        .filter(|member| member.up)
        .map(|member| (member.incarnation, member.boot.counter))
        .collect();
    match (&decision.confirmed, decision.request.session) {
        (Some(Step::Start { timeout_s, persist_id }), Some(owner)) => {
            let (timeout_s, persist_id) = (*timeout_s, persist_id.clone());
            state.confirmed = Some(ConfirmedCommit {
                generation,
                persist_id,
                owner,
                base,
                base_revision,
                timeout_s,
                alive,
            });
        }
        (Some(Step::Extend { timeout_s, persist_id, .. }), Some(owner)) => {
            if let Some(pending) = &mut state.confirmed {
                pending.generation = generation;
                pending.timeout_s = *timeout_s;
                pending.owner = owner;
                pending.alive = alive;
                if persist_id.is_some() {
                    pending.persist_id.clone_from(persist_id);
                }
            }
        }
        (Some(Step::Confirm { .. } | Step::Cancel { .. } | Step::Rollback { .. }), _) => {
            state.confirmed = None;
        }
        (Some(Step::Start { .. } | Step::Extend { .. }) | None, _) => {}
    }
}
