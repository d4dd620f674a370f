//! Commits, edits and copies.

use super::*;

#[test]
fn a_commit_moves_the_candidate_to_running_and_survives_a_restart() {
    let mut world = World::new();
    assert!(world.ready);
    let session = world.open();
    world.stage(session, "a", "one");
    assert_eq!((world.running(), world.candidate()), (String::new(), "a=one".to_owned()));
    world.ok(session, commit(None));
    assert_eq!(world.running(), "a=one");
    world.stage(session, "a", "two");
    world.restart();
    assert_eq!((world.running(), world.candidate()), ("a=one".to_owned(), "a=one".to_owned()));
}

#[test]
fn an_invalid_candidate_is_not_committed_and_stays() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "b", "13");
    assert_eq!(world.error(session, commit(None)).0, ErrorTag::OperationFailed);
    assert_eq!((world.running(), world.candidate()), (String::new(), "b=13".to_owned()));
    world.ok(session, Request::DiscardChanges);
    assert_eq!(world.candidate(), "");
}

#[test]
fn disjoint_changes_are_rebased_and_overlapping_ones_conflict() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "mine");
    let edit = world.set(Datastore::Running, "b", Some("5"));
    world.ok(session, edit);
    world.ok(session, commit(None));
    assert_eq!(world.running(), "a=mine b=5");
    world.stage(session, "a", "again");
    let edit = world.set(Datastore::Running, "a", Some("theirs"));
    world.ok(session, edit);
    match world.ask(session, commit(None)) {
        Answer::Errors(errors) => {
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].app_tag.as_deref(), Some("quorate:conflict"));
            assert!(errors[0].path.is_some());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        (world.running(), world.candidate()),
        ("a=theirs b=5".to_owned(), "a=again b=5".to_owned())
    );
}

#[test]
fn copies_replace_the_whole_target() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "x");
    world.ok(session, commit(None));
    world.stage(session, "b", "1");
    let copy =
        |source, target| Request::CopyConfig { source: ConfigSource::Datastore(source), target };
    world.ok(session, copy(Datastore::Candidate, Datastore::Running));
    assert_eq!(world.running(), "a=x b=1");
    world.ok(session, copy(Datastore::Running, Datastore::Candidate));
    assert_eq!(world.candidate(), "a=x b=1");
    let same = copy(Datastore::Running, Datastore::Running);
    assert_eq!(world.error(session, same).0, ErrorTag::InvalidValue);
}

#[test]
fn no_answer_leaves_before_what_it_promises_is_durable() {
    let mut world = World::new();
    let session = world.open();
    let edit = world.set(Datastore::Running, "a", Some("x"));
    let reply = ReplyTo(9_999);
    let now = world.now();
    world.agent.step(
        now,
        reply,
        SessionEvent::Request { session, message_id: "1".into(), request: edit.clone() },
    );
    let effects = world.agent.take_effects(now);
    assert!(effects.answers.is_empty() && !effects.persist.is_empty());
    // The same edit again changes nothing, but what it is compared with is not durable yet.
    let other = ReplyTo(10_000);
    let repeated = SessionEvent::Request { session, message_id: "2".into(), request: edit };
    world.agent.step(now, other, repeated);
    assert!(world.agent.take_effects(now).answers.is_empty());
    world.agent.persisted(effects.persist.last().expect("a write").number);
    let after = world.agent.take_effects(now);
    let answered: Vec<ReplyTo> = after.answers.iter().map(|(reply, _)| *reply).collect();
    assert_eq!(answered, [reply, other]);
}
