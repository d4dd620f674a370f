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
    let Answer::Errors(errors) = world.ask(session, commit(None)) else { panic!("no errors") };
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].app_tag.as_deref(), Some("quorate:conflict"));
    assert!(errors[0].path.is_some());
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
        SessionEvent::Request {
            session,
            message_id: "1".into(),
            transaction: None,
            request: edit.clone(),
        },
    );
    let effects = world.agent.take_effects(now);
    assert!(effects.answers.is_empty() && !effects.persist.is_empty());
    // The same edit again changes nothing, but what it is compared with is not durable yet.
    let other = ReplyTo(10_000);
    let repeated =
        SessionEvent::Request { session, message_id: "2".into(), transaction: None, request: edit };
    world.agent.step(now, other, repeated);
    assert!(world.agent.take_effects(now).answers.is_empty());
    world.agent.persisted(effects.persist.last().expect("a write").number);
    let after = world.agent.take_effects(now);
    let answered: Vec<ReplyTo> = after.answers.iter().map(|(reply, _)| *reply).collect();
    assert_eq!(answered, [reply, other]);
}

#[test]
fn a_commit_that_changes_nothing_leaves_the_candidate_as_running_is() {
    let mut world = World::new();
    let (session, other) = (world.open(), world.open());
    world.stage(session, "a", "x");
    let undo = world.set(Datastore::Candidate, "a", None);
    world.ok(session, undo);
    // The change of running is not durable yet when the commit comes.
    let edit = world.set(Datastore::Running, "b", Some("5"));
    let replies = [world.post(other, edit), world.post(session, commit(None))];
    assert!(world.answers.is_empty());
    world.settle();
    replies.into_iter().for_each(|reply| world.granted(reply));
    assert_eq!((world.running(), world.candidate()), ("b=5".to_owned(), "b=5".to_owned()));
}

#[test]
fn a_candidate_that_was_copied_to_running_has_nothing_to_commit() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "x");
    let copy = Request::CopyConfig {
        source: ConfigSource::Datastore(Datastore::Candidate),
        target: Datastore::Running,
    };
    world.ok(session, copy);
    world.ok(session, commit(None));
    world.ok(session, Request::Lock { target: Datastore::Candidate });
    assert_eq!((world.running(), world.candidate()), ("a=x".to_owned(), "a=x".to_owned()));
}

#[test]
fn changes_that_arrive_together_each_see_those_before() {
    let mut world = World::new();
    let sessions: Vec<SessionKey> = (0..4).map(|_| world.open()).collect();
    world.stage(sessions[0], "a", "staged");
    let requests = [
        commit(None),
        world.set(Datastore::Running, "b", Some("13")),
        world.set(Datastore::Candidate, "b", Some("6")),
        world.set(Datastore::Running, "twin", Some("t")),
    ];
    let replies: Vec<ReplyTo> = sessions
        .iter()
        .zip(requests)
        .map(|(session, request)| world.post(*session, request))
        .collect();
    world.settle();
    world.granted(replies[0]);
    assert_eq!(world.refused(replies[1]), ErrorTag::OperationFailed);
    world.granted(replies[2]);
    world.granted(replies[3]);
    assert_eq!(world.running(), "a=staged twin=t");
    world.ok(sessions[0], commit(None));
    assert_eq!(world.running(), "a=staged b=6 twin=t");
}

#[test]
fn a_full_disk_refuses_what_grows_and_lets_go_what_undoes() {
    let mut world = World::new();
    let session = world.open();
    let lock = |target| Request::Lock { target };
    world.stage(session, "a", "tried");
    world.ok(session, confirmed(10, None, None));
    world.ok(session, lock(Datastore::Running));
    world.agent.set_storage(StorageSpace::Full);
    assert_eq!(world.error(session, confirmed(10, None, None)).0, ErrorTag::ResourceDenied);
    world.ok(session, Request::Unlock { target: Datastore::Running });
    assert_eq!(world.error(session, lock(Datastore::Running)).0, ErrorTag::ResourceDenied);
    world.wait(10_000);
    assert_eq!(world.running(), "");
    let edit = world.set(Datastore::Running, "a", Some("x"));
    assert_eq!(world.error(session, edit.clone()).0, ErrorTag::ResourceDenied);
    world.agent.set_storage(StorageSpace::Enough);
    world.ok(session, edit);
}

/// It takes less space than the rollback that would come without it.
#[test]
fn a_full_disk_lets_a_confirmation_pass_that_changes_nothing() {
    let mut world = World::new();
    let session = world.open();
    world.stage(session, "a", "tried");
    world.ok(session, confirmed(10, None, None));
    world.agent.set_storage(StorageSpace::Full);
    world.stage(session, "b", "7");
    assert_eq!(world.error(session, commit(None)).0, ErrorTag::ResourceDenied);
    world.ok(session, Request::DiscardChanges);
    world.ok(session, commit(None));
    world.wait(20_000);
    assert_eq!(world.running(), "a=tried");
}

#[test]
fn sources_of_copies_and_validation_are_looked_at_as_a_whole() {
    let mut world = World::new();
    let session = world.open();
    let inline = |world: &World, leaf: &str, value: &str| {
        let Request::EditConfig { edit, .. } = world.set(Datastore::Running, leaf, Some(value))
        else {
            panic!("no edit")
        };
        ConfigSource::Inline(edit)
    };
    world.stage(session, "b", "13");
    let (bad, good) = (inline(&world, "b", "13"), inline(&world, "a", "x"));
    for source in [ConfigSource::Datastore(Datastore::Candidate), bad.clone()] {
        let validate = Request::Validate { source: source.clone() };
        assert_eq!(world.error(session, validate).0, ErrorTag::OperationFailed);
        let copy = Request::CopyConfig { source, target: Datastore::Running };
        assert_eq!(world.error(session, copy).0, ErrorTag::OperationFailed);
    }
    world.ok(session, Request::Validate { source: good.clone() });
    assert_eq!(world.running(), "");
    world.ok(session, Request::CopyConfig { source: good.clone(), target: Datastore::Candidate });
    assert_eq!(world.candidate(), "a=x");
    world.ok(session, Request::CopyConfig { source: bad, target: Datastore::Candidate });
    assert_eq!(world.error(session, commit(None)).0, ErrorTag::OperationFailed);
    world.ok(session, Request::CopyConfig { source: good, target: Datastore::Running });
    assert_eq!(world.running(), "a=x");
}

#[test]
fn a_test_of_an_edit_sets_nothing() {
    let mut world = World::new();
    let session = world.open();
    let with = |world: &World, target, value: &str, test_option| {
        let Request::EditConfig { edit, .. } = world.set(target, "b", Some(value)) else {
            panic!("no edit")
        };
        Request::EditConfig { target, edit, test_option }
    };
    for target in [Datastore::Candidate, Datastore::Running] {
        let request = with(&world, target, "5", TestOption::TestOnly);
        world.ok(session, request);
        for option in [TestOption::TestOnly, TestOption::TestThenSet] {
            let request = with(&world, target, "13", option);
            assert_eq!(world.error(session, request).0, ErrorTag::OperationFailed);
        }
        assert_eq!((world.running(), world.candidate()), (String::new(), String::new()));
    }
}

#[test]
fn a_copy_of_a_candidate_that_another_session_holds_leaves_it_modified() {
    let mut world = World::new();
    let (holder, other) = (world.open(), world.open());
    world.ok(holder, Request::Lock { target: Datastore::Candidate });
    world.stage(holder, "a", "x");
    let copy = Request::CopyConfig {
        source: ConfigSource::Datastore(Datastore::Candidate),
        target: Datastore::Running,
    };
    world.ok(other, copy.clone());
    world.stage(holder, "b", "13");
    assert_eq!(world.error(other, copy.clone()).0, ErrorTag::OperationFailed);
    world.ok(holder, Request::Unlock { target: Datastore::Candidate });
    assert_eq!((world.running(), world.candidate()), ("a=x".to_owned(), "a=x".to_owned()));
    // One that is refused leaves the candidate as it is, and to whom it belongs.
    world.stage(holder, "b", "13");
    assert_eq!(world.error(other, copy).0, ErrorTag::OperationFailed);
    world.stage(holder, "b", "12");
    assert_eq!(world.candidate(), "a=x b=12");
}
