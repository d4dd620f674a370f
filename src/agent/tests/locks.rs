//! Locks (RFC 6241, 7.5 and 7.6).

use super::*;

#[test]
fn a_lock_keeps_others_out_and_ends_with_its_session() {
    let mut world = World::new();
    let (holder, other) = (world.open(), world.open());
    let lock = || Request::Lock { target: Datastore::Running };
    world.ok(holder, lock());
    let denied = (ErrorTag::LockDenied, vec![ErrorInfo::SessionId(holder.id.0)]);
    assert_eq!(world.error(other, lock()), denied);
    assert_eq!(world.error(holder, lock()), denied);
    let edit = world.set(Datastore::Running, "a", Some("x"));
    assert_eq!(world.error(other, edit.clone()).0, ErrorTag::InUse);
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    let unlock = Request::Unlock { target: Datastore::Running };
    assert_eq!(world.error(other, unlock).0, ErrorTag::OperationFailed);
    world.ok(holder, edit.clone());
    world.end(holder);
    world.ok(other, edit);
    world.ok(other, lock());
}

#[test]
fn the_candidate_cannot_be_locked_while_it_is_modified_and_unlock_discards() {
    let mut world = World::new();
    let (holder, other) = (world.open(), world.open());
    let lock = || Request::Lock { target: Datastore::Candidate };
    world.stage(other, "a", "x");
    assert_eq!(world.error(holder, lock()), (ErrorTag::LockDenied, vec![ErrorInfo::SessionId(0)]));
    world.ok(other, Request::DiscardChanges);
    world.ok(holder, lock());
    assert_eq!(world.error(other, Request::DiscardChanges).0, ErrorTag::InUse);
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    world.stage(holder, "a", "y");
    world.ok(holder, Request::Unlock { target: Datastore::Candidate });
    assert_eq!(world.candidate(), "");
    world.ok(holder, lock());
    world.stage(holder, "a", "z");
    world.end(holder);
    assert_eq!(world.candidate(), "");
    world.ok(other, lock());
}
