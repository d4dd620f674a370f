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
    let reply = world.send(SessionEvent::Open(Client {
        user: "admin".to_owned(),
        transport: Transport::Unix,
        source_host: None,
        login_time: WallTime(0),
        counters: Arc::new(Counters::default()),
    }));
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
