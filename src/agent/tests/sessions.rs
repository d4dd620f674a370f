//! Sessions: ids, limits, ends.

use super::*;

#[test]
fn session_ids_are_never_used_again() {
    let mut world = World::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        for _ in 0..1500 {
            let session = world.open();
            assert!(seen.insert(session.id), "{} again", session.id);
            world.end(session);
        }
        world.restart();
    }
    assert!(!seen.contains(&SessionId(0)));
}

#[test]
fn more_sessions_than_the_limit_are_refused() {
    let mut world = World::new();
    for _ in 0..8 {
        world.open();
    }
    let reply = world.send(SessionEvent::Open(client()));
    assert!(matches!(world.answers.get(&reply), Some(Answer::Refused(_))));
}

#[test]
fn kill_session_ends_another_and_not_oneself() {
    let mut world = World::new();
    let (victim, killer) = (world.open(), world.open());
    world.ok(victim, Request::Lock { target: Datastore::Running });
    let kill = |session| Request::KillSession { session };
    assert_eq!(world.error(killer, kill(killer.id)).0, ErrorTag::InvalidValue);
    assert_eq!(world.error(killer, kill(SessionId(4_000_000))).0, ErrorTag::InvalidValue);
    world.ok(killer, kill(victim.id));
    world.ok(killer, Request::Lock { target: Datastore::Running });
}

#[test]
fn session_ids_last_while_the_disk_is_slow() {
    let mut world = World::new();
    world.agent.parameters.sessions_max = 4096;
    let mut replies = Vec::new();
    for _ in 0..1024 {
        let reply = ReplyTo(world.next_reply);
        world.next_reply += 1;
        world.agent.step(world.now(), reply, SessionEvent::Open(client()));
        replies.push(reply);
    }
    assert_eq!(world.agent.head.state().map(|head| head.next_session_id), Some(2049));
    world.settle();
    let opened = |reply| matches!(world.answers.get(reply), Some(Answer::Opened(_)));
    assert!(replies.iter().all(opened));
    world.open();
}
