//! Applying what sessions hold, and their ends (PROTOCOL A4, A5).

use super::apply::{Applied, Effect, Position, is_closed};
use super::entry::RequestHead;
use super::state::{Committed, Lock, LockTarget, State};
use crate::base::ids::{SessionKey, TxId};
use crate::base::time::WallTime;
use smol_str::SmolStr;

/// A4: free, the session alive, no confirmed commit of another session (RFC 6241, 7.5).
pub(super) fn lock(
    state: &mut State,
    position: Position,
    request: &RequestHead,
    target: LockTarget,
) -> Applied {
    if is_closed(state, request) {
        return Applied::Known;
    }
    let Some(session) = request.session.filter(|session| state.is_alive(*session)) else {
        return Applied::Void;
    };
    let foreign = state.confirmed.as_ref().is_some_and(|pending| pending.owner != session);
    if state.lock(target).is_some() || (foreign && target == LockTarget::Running) {
        return Applied::Void;
    }
    state.locks.push(Lock { target, session, fence: position.index, at: request.at });
    state.control.insert(request.txid);
    Applied::Done(Effect::default())
}

pub(super) fn unlock(state: &mut State, request: &RequestHead, target: LockTarget) -> Applied {
    if is_closed(state, request) {
        return Applied::Known;
    }
    let held = state.lock(target).is_some_and(|lock| Some(lock.session) == request.session);
    if !held {
        return Applied::Void;
    }
    state.locks.retain(|lock| lock.target != target);
    state.control.insert(request.txid);
    Applied::Done(Effect::default())
}

/// A5: rolls back the session's unconfirmed commit, then releases its locks.
pub(super) fn session_end(
    state: &mut State,
    request: &RequestHead,
    session: SessionKey,
) -> Applied {
    if is_closed(state, request) {
        return Applied::Known;
    }
    if !end(state, request.txid, session) {
        return Applied::Void;
    }
    let mut effect = Effect::default();
    release(state, session, (&request.user, request.at), &mut effect);
    state.control.insert(request.txid);
    Applied::Done(effect)
}

/// What a session that is over leaves: its unconfirmed commit is rolled back, its locks are free.
pub(super) fn release(
    state: &mut State,
    session: SessionKey,
    (user, at): (&str, WallTime),
    effect: &mut Effect,
) {
    if let Some(pending) = state.confirmed.take_if(|pending| pending.ends_with(session)) {
        let before = std::mem::replace(&mut state.shared, pending.base);
        state.next_revision(before.clone(), 0);
        effect.revision = Some((state.revision, before));
        state.record(Committed {
            number: 0,
            revision: state.revision,
            txid: None,
            session: Some(session.id),
            user: user.into(),
            at,
            origin: SmolStr::default(),
            comment: Some("rollback: the session of the confirmed commit ended".to_owned()),
            message_id: None,
            transaction: None,
        });
    }
    state.locks.retain(|lock| lock.session != session);
}

/// Remembers that the session is over, and that its member said so if it did. Whether there was anything to remember.
fn end(state: &mut State, by: TxId, session: SessionKey) -> bool {
    let Some(member) = state.members.iter_mut().find(|member| {
        member.incarnation == session.incarnation && member.boot.counter == session.boot
    }) else {
        return false;
    };
    let closed_by = (by.incarnation == session.incarnation).then_some(by.seq);
    match member.ended.get(&session.id) {
        Some(known) if known.is_some() || closed_by.is_none() => false,
        Some(_) | None => {
            member.ended.insert(session.id, closed_by);
            true
        }
    }
}
