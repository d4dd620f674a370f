//! Participants: order of calls, refusals, deadlines.

use super::*;

#[test]
fn participants_are_asked_in_order_and_told_after_the_change_is_durable() {
    let mut world = World::with(vec![registration(1, 9), registration(2, 3)]);
    let session = world.open();
    world.hooks.clear();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply =
        world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
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
    let reply =
        world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
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
        request: edit.clone(),
    });
    let second =
        world.send(SessionEvent::Request { session: other, message_id: "1".into(), request: edit });
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
    let reply =
        world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
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
    world.send(SessionEvent::Request { session, message_id: "1".into(), request: edit });
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
        request: confirmed(10, None, None),
    });
    world.hook_says(HookAnswer::Yes);
    world.hook_says(HookAnswer::Yes);
    world.hooks.clear();
    world.wait(10_000);
    assert_eq!(world.running(), "");
    assert_eq!(world.calls(), [(1, "commit 2".to_owned())]);
}
