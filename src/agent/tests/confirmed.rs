//! Confirmed commit (RFC 6241, 8.4).

use super::*;

#[test]
fn an_unconfirmed_commit_is_rolled_back_at_its_timeout_and_not_before() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "kept");
    world.ok(session, commit(None));
    world.stage(session, "a", "tried");
    world.ok(session, confirmed(10, None, None));
    world.wait(9_999);
    assert_eq!(world.running(), "a=tried");
    assert_eq!(world.agent.wake_at(world.now()), Some(Timestamp(world.clock_ms + 1)));
    world.wait(1);
    assert_eq!(world.running(), "a=kept");
}

#[test]
fn a_follow_up_restarts_the_timer_and_rolls_back_to_before_the_first() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "first");
    world.ok(session, confirmed(10, None, None));
    world.wait(8_000);
    world.stage(session, "b", "7");
    world.ok(session, confirmed(10, None, None));
    world.wait(8_000);
    assert_eq!(world.running(), "a=first b=7");
    world.wait(2_000);
    assert_eq!(world.running(), "");
}

#[test]
fn a_failed_follow_up_leaves_timer_and_token() {
    let mut world = World::new();
    let (session, other) = (world.open(), world.open());
    world.stage(session, "a", "tried");
    world.ok(session, confirmed(10, Some("t"), None));
    world.wait(6_000);
    world.stage(session, "b", "13");
    assert_eq!(
        world.error(session, confirmed(10, Some("u"), Some("t"))).0,
        ErrorTag::OperationFailed
    );
    assert_eq!(world.error(other, commit(Some("u"))).0, ErrorTag::InvalidValue);
    world.ok(session, Request::DiscardChanges);
    world.wait(4_000);
    assert_eq!(world.running(), "");
}

#[test]
fn a_persistent_one_survives_its_session_and_is_confirmed_by_another() {
    let mut world = World::new();
    let (owner, other) = (world.open(), world.open());
    world.stage(owner, "a", "tried");
    world.ok(owner, confirmed(10, Some("t"), None));
    world.end(owner);
    assert_eq!(world.running(), "a=tried");
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    let edit = world.set(Datastore::Running, "b", Some("1"));
    assert_eq!(world.error(other, edit).0, ErrorTag::InUse);
    let lock = Request::Lock { target: Datastore::Running };
    assert_eq!(world.error(other, lock), (ErrorTag::LockDenied, vec![ErrorInfo::SessionId(0)]));
    world.ok(other, commit(Some("t")));
    world.wait(20_000);
    assert_eq!(world.running(), "a=tried");
}

#[test]
fn one_that_is_not_persistent_ends_with_its_session() {
    let mut world = World::new();
    let owner = world.open();
    world.stage(owner, "a", "tried");
    world.ok(owner, confirmed(600, None, None));
    world.end(owner);
    assert_eq!(world.running(), "");
}

#[test]
fn one_without_changes_is_armed_all_the_same() {
    let mut world = World::new();
    let (owner, other) = (world.open(), world.open());
    world.ok(owner, confirmed(600, None, None));
    assert_eq!(world.error(other, commit(None)).0, ErrorTag::InUse);
    world.ok(owner, Request::CancelCommit { persist_id: None });
    let cancel = Request::CancelCommit { persist_id: None };
    assert_eq!(world.error(owner, cancel).0, ErrorTag::OperationFailed);
}

#[test]
fn a_restart_rolls_back_a_pending_commit_before_netconf_opens() {
    for persist in [None, Some("t")] {
        let mut world = World::new();
        let session = world.open();
        world.stage(session, "a", "kept");
        world.ok(session, commit(None));
        world.stage(session, "a", "tried");
        world.ok(session, confirmed(600, persist, None));
        world.restart();
        assert!(world.ready);
        assert_eq!(world.running(), "a=kept");
        let session = world.open();
        assert_eq!(world.error(session, commit(Some("t"))).0, ErrorTag::InvalidValue);
    }
}
