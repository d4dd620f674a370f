//! Participants: order of calls, refusals, deadlines.

use super::*;

#[test]
fn participants_are_asked_in_order_and_told_after_the_change_is_durable() {
    let mut world = World::with(vec![registration(1, 9), registration(2, 3)]);
    let session = world.open();
    world.hooks.clear();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply = world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        transaction: None,
        request: edit,
    });
    for _ in 0..4 {
        assert!(!world.answers.contains_key(&reply));
        assert_eq!(world.running(), "");
        world.hook_says(HookAnswer::Yes);
    }
    assert_eq!(world.answers.get(&reply), Some(&Answer::Ok));
    let expected = [
        (2, "validate"),
        (1, "validate"),
        (2, "prepare"),
        (1, "prepare"),
        (2, "commit 1"),
        (1, "commit 1"),
    ];
    assert_eq!(world.calls(), expected.map(|(id, call)| (id, call.to_owned())));
}

#[test]
fn one_no_aborts_everybody_who_prepared() {
    let mut world = World::with(vec![registration(1, 1), registration(2, 2)]);
    let session = world.open();
    world.hooks.clear();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply = world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        transaction: None,
        request: edit,
    });
    for _ in 0..3 {
        world.hook_says(HookAnswer::Yes);
    }
    world.hook_says(HookAnswer::No("no room".to_owned()));
    let Some(Answer::Errors(errors)) = world.answers.get(&reply) else { panic!("no errors") };
    assert_eq!(errors[0].app_tag.as_deref(), Some("quorate:refused"));
    assert!(errors[0].message.contains("p2") && errors[0].message.contains("no room"));
    assert_eq!(world.running(), "");
    let calls = world.calls();
    assert_eq!(calls[4..], [(1, "abort".to_owned()), (2, "abort".to_owned())]);
}

#[test]
fn a_silent_participant_refuses_at_its_deadline_and_the_next_change_goes_on() {
    let mut world = World::with(vec![registration(1, 1)]);
    let session = world.open();
    let other = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let first = world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        transaction: None,
        request: edit.clone(),
    });
    let second = world.send(SessionEvent::Request {
        session: other,
        message_id: "1".into(),
        transaction: None,
        request: edit,
    });
    world.wait(99);
    assert!(!world.answers.contains_key(&first));
    world.wait(1);
    assert!(matches!(world.answers.get(&first), Some(Answer::Errors(_))));
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.answers.get(&second), Some(&Answer::Ok));
}

#[test]
fn a_rewriting_participant_amends_the_change_before_it_is_validated() {
    let mut registered = registration(1, 1);
    registered.rewrites = true;
    let mut world = World::with(vec![registered]);
    let session = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply = world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        transaction: None,
        request: edit,
    });
    let Request::EditConfig { edit: twin, .. } = world.set(Datastore::Running, "twin", Some("x"))
    else {
        panic!("no edit")
    };
    world.hook_says(HookAnswer::Amend(twin));
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.answers.get(&reply), Some(&Answer::Ok));
    assert_eq!(world.running(), "a=x twin=x");
}

#[test]
fn the_end_of_a_session_aborts_what_it_has_not_decided() {
    let mut world = World::with(vec![registration(1, 1)]);
    let session = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        transaction: None,
        request: edit,
    });
    world.hook_says(HookAnswer::Yes);
    world.end(session);
    assert_eq!(world.calls().last(), Some(&(1, "abort".to_owned())));
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.running(), "");
}

#[test]
fn a_rollback_asks_nobody_and_tells_everybody() {
    let mut world = World::with(vec![registration(1, 1)]);
    let session = world.open();
    world.stage(session, "a", "x");
    world.send(SessionEvent::Request {
        session,
        message_id: "1".into(),
        transaction: None,
        request: confirmed(10, None, None),
    });
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    world.hooks.clear();
    world.wait(10_000);
    assert_eq!(world.running(), "");
    assert_eq!(world.calls(), [(1, "commit 2".to_owned())]);
}

fn one_participant() -> World {
    let mut world = World::with(vec![registration(1, 1)]);
    assert_eq!(world.heard(), "start");
    world
}

fn lock_running() -> Request {
    Request::Lock { target: Datastore::Running }
}

fn validate(source: Datastore) -> Request {
    Request::Validate { source: ConfigSource::Datastore(source) }
}

/// A confirmed commit of `a`, which times out in 10 s.
fn with_confirmed(world: &mut World, persist: Option<&str>) -> SessionKey {
    let session = world.open();
    world.stage(session, "a", "tried");
    let reply = world.begin(session, confirmed(10, persist, None));
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    world.granted(reply);
    assert_eq!(world.heard(), "validate, prepare, commit 1");
    session
}

#[test]
fn nobody_is_asked_about_a_change_before_it_has_heard_of_the_one_before() {
    let mut world = one_participant();
    let (first, second) = (world.open(), world.open());
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let one = world.begin(first, edit);
    world.hook_says(HookAnswer::Yes);
    let edit = world.set(Datastore::Running, "b", Some("1"));
    let two = world.begin(second, edit);
    world.hook_says(HookAnswer::Yes);
    world.granted(one);
    assert_eq!(world.heard(), "validate, prepare, commit 1, validate");
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    world.granted(two);
    assert_eq!(world.heard(), "prepare, commit 2");
}

#[test]
fn a_rollback_releases_who_prepared_before_it_is_told() {
    let mut world = one_participant();
    let session = with_confirmed(&mut world, None);
    world.stage(session, "b", "7");
    world.wait(9_950);
    let reply = world.begin(session, confirmed(10, None, None));
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.heard(), "validate, prepare");
    world.wait(50);
    assert_eq!((world.running(), world.heard()), (String::new(), "abort, commit 2".to_owned()));
    assert_eq!(world.refused(reply), ErrorTag::OperationFailed);
    // The answer to what is over changes nothing.
    world.hook_says(HookAnswer::Yes);
    assert_eq!(world.running(), "");
}

#[test]
fn a_change_that_a_rollback_overtakes_is_asked_about_again() {
    let mut world = one_participant();
    let owner = with_confirmed(&mut world, None);
    let other = world.open();
    world.stage(owner, "b", "7");
    let reply = world.begin(other, validate(Datastore::Candidate));
    assert_eq!(world.heard(), "validate");
    world.end(owner);
    assert_eq!(world.heard(), "commit 2, validate");
    world.hook_says(HookAnswer::Yes);
    world.granted(reply);
}

#[test]
fn a_confirmation_whose_turn_comes_after_the_rollback_fails() {
    for persist in [None, Some("t")] {
        let mut world = one_participant();
        let session = with_confirmed(&mut world, persist);
        let other = world.open();
        world.stage(session, "twin", "t");
        world.wait(9_950);
        let slow = world.begin(other, validate(Datastore::Candidate));
        let late = world.begin(session, commit(persist));
        world.wait(50);
        assert_eq!(world.running(), "");
        assert!(!world.answers.contains_key(&slow) && !world.answers.contains_key(&late));
        world.hook_says(HookAnswer::Yes);
        world.granted(slow);
        assert_eq!(world.refused(late), ErrorTag::OperationFailed);
        assert_eq!(world.running(), "");
    }
}

#[test]
fn requests_behind_a_slot_keep_their_order() {
    let mut world = one_participant();
    let sessions: Vec<SessionKey> = (0..5).map(|_| world.open()).collect();
    world.stage(sessions[0], "a", "x");
    let first = world.begin(sessions[0], commit(None));
    let edit = world.set(Datastore::Candidate, "a", Some("y"));
    let waiting = [world.begin(sessions[2], commit(None)), world.begin(sessions[3], edit)];
    let locked = world.begin(sessions[1], lock_running());
    let lock = world.begin(sessions[4], Request::Lock { target: Datastore::Candidate });
    assert!(world.answers.is_empty());
    world.hook_says(HookAnswer::No("no".to_owned()));
    assert_eq!(world.refused(first), ErrorTag::OperationFailed);
    world.granted(locked);
    // The lock of running came to the slot before this commit did.
    assert_eq!(world.refused(waiting[0]), ErrorTag::InUse);
    world.granted(waiting[1]);
    assert_eq!(world.refused(lock), ErrorTag::LockDenied);
}

#[test]
fn the_end_of_a_session_answers_all_that_it_has_asked() {
    let mut world = one_participant();
    let (owner, waiter, queued, killer) = (world.open(), world.open(), world.open(), world.open());
    world.stage(owner, "a", "x");
    let replies = [
        world.begin(owner, commit(None)),
        world.begin(waiter, commit(None)),
        world.begin(queued, lock_running()),
    ];
    for (session, reply) in [waiter, queued, owner].into_iter().zip([1, 2, 0]) {
        world.ok(killer, Request::KillSession { session: session.id });
        assert_eq!(world.refused(replies[reply]), ErrorTag::OperationFailed);
    }
    assert_eq!(world.heard(), "validate");
    world.ok(killer, lock_running());
    assert_eq!((world.running(), world.candidate()), (String::new(), "a=x".to_owned()));
}

#[test]
fn a_rewrite_that_is_invalid_or_undoes_the_change_is_no_commit() {
    let mut registered = registration(1, 1);
    registered.rewrites = true;
    let mut world = World::with(vec![registered]);
    let session = world.open();
    for (leaf, value, expected) in [("b", Some("13"), false), ("a", None, true)] {
        world.hooks.clear();
        let edit = world.set(Datastore::Running, "a", Some("x"));
        let reply = world.begin(session, edit);
        let Request::EditConfig { edit, .. } = world.set(Datastore::Running, leaf, value) else {
            panic!("no edit")
        };
        world.hook_says(HookAnswer::Amend(edit));
        let answer = world.answers.get(&reply).expect("an answer");
        assert_eq!(*answer == Answer::Ok, expected, "{answer:?}");
        assert_eq!((world.running(), world.heard()), (String::new(), "rewrite".to_owned()));
    }
}
