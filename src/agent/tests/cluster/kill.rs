//! kill-session of a session of another node.

use super::*;
use crate::base::limits::SESSION_QUERY_MS;

#[test]
fn a_session_is_killed_from_another_node() {
    let mut cluster = Cluster::new(3);
    let (one, two) = (cluster.open(1), cluster.open(2));
    cluster.ok(one, Request::Lock { target: Datastore::Running });
    cluster.ok(two, Request::KillSession { session: one.1.id });
    assert_eq!(cluster.nodes[&1].ends, [(one.1.id, EndCause::Killed)]);
    cluster.ok(two, Request::Lock { target: Datastore::Running });
    // It is over; it was never opened; the id belongs to nobody.
    for id in [one.1.id, SessionId(one.1.id.0 + 1), SessionId(1 << 30)] {
        let unknown = Request::KillSession { session: id };
        assert_eq!(cluster.error(two, unknown).tag, ErrorTag::InvalidValue, "{id}");
    }
}

/// It cannot say which sessions it has, and must not be in the way.
#[test]
fn a_session_of_a_node_that_is_silent_or_gone_is_killed_by_the_log() {
    for is_lost in [false, true] {
        let mut cluster = Cluster::new(3);
        let (victim, killer) = {
            let (leader, follower) = (cluster.leader(), cluster.follower());
            (cluster.open(follower), cluster.open(leader))
        };
        cluster.ok(victim, Request::Lock { target: Datastore::Running });
        let away = cluster.nodes.remove(&victim.0).unwrap();
        let kill = Request::KillSession { session: victim.1.id };
        let reply = cluster.begin(killer, kill.clone());
        assert_eq!(cluster.answer(killer.0, reply), None, "it is asked first");
        if is_lost {
            cluster.lose(victim.0);
        } else {
            cluster.wait(SESSION_QUERY_MS + 10);
        }
        assert_eq!(cluster.answer(killer.0, reply), Some(Answer::Ok));
        cluster.ok(killer, Request::Lock { target: Datastore::Running });
        assert_eq!(cluster.error(killer, kill).tag, ErrorTag::InvalidValue, "the log knows");
        cluster.nodes.insert(victim.0, away);
        cluster.connect_all();
        cluster.wait(1_000);
        assert_eq!(cluster.nodes[&victim.0].ends, [(victim.1.id, EndCause::Killed)]);
    }
}

#[test]
fn an_id_that_was_killed_before_it_was_given_is_not_given_any_more() {
    let mut cluster = Cluster::new(3);
    let (leader, away) = (cluster.leader(), cluster.follower());
    let (open, killer) = (cluster.open(away), cluster.open(leader));
    let node = cluster.nodes.remove(&away).unwrap();
    cluster.lose(away);
    let next = SessionId(open.1.id.0 + 1);
    cluster.ok(killer, Request::KillSession { session: next });
    cluster.nodes.insert(away, node);
    cluster.connect_all();
    cluster.wait(100);
    let session = cluster.open(away);
    assert_eq!(session.1.id.0, next.0 + 1);
    cluster.ok(session, Request::Lock { target: Datastore::Running });
}
