//! Linearizable reads.

use super::*;
use crate::base::limits::LEASE_MS;

const READ: SessionEvent = SessionEvent::Read { wait_ms: 1_000 };

/// Ok of the policy `majority` does not say that this node has it, and its lease says no more than that the leader led.
#[test]
fn a_linearizable_read_shows_what_was_acknowledged_where_a_leased_one_does_not() {
    let mut cluster = Cluster::new(3);
    let (leader, behind) = (cluster.leader(), cluster.follower());
    let at = cluster.open(leader);
    let reply = cluster.cluster(at, ClusterRequest::SetPolicy { policy: Policy::Majority });
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    // For a moment nothing reaches it.
    let node = cluster.nodes.remove(&behind).unwrap();
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    cluster.ok(at, edit);
    cluster.nodes.insert(behind, node);
    assert!(cluster.may_read(behind));
    assert_eq!(cluster.running(behind), "");
    let reply = cluster.send(behind, READ);
    cluster.wait(300);
    assert_eq!(cluster.answer(behind, reply), Some(Answer::Ok));
    assert_eq!(cluster.running(behind), "a=x");
}

/// It is not answered before what it has to show is applied here, though the leader has long said what that is.
#[test]
fn every_node_answers_when_it_has_what_was_committed() {
    let mut cluster = Cluster::new(3);
    for id in 1..=3 {
        let reply = cluster.send(id, READ);
        assert_eq!(cluster.answer(id, reply), Some(Answer::Ok), "in one round trip");
    }
    let mut alone = Cluster::new(1);
    let reply = alone.send(1, READ);
    assert_eq!(alone.answer(1, reply), Some(Answer::Ok));
}

#[test]
fn a_minority_refuses_it_in_time_and_a_new_leader_answers() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let (one, other) = {
        let mut followers = (1..=3).filter(|id| *id != leader);
        (followers.next().unwrap(), followers.next().unwrap())
    };
    cluster.kill(leader);
    let reply = cluster.send(one, READ);
    assert_eq!(cluster.answer(one, reply), None);
    cluster.wait(990);
    assert_eq!(cluster.answer(one, reply), Some(Answer::Ok), "by the next leader");
    cluster.nodes.remove(&other);
    for _ in 0..2 {
        let reply = cluster.send(one, READ);
        cluster.wait(990);
        assert_eq!(cluster.answer(one, reply), None);
        cluster.wait(10);
        assert!(matches!(cluster.answer(one, reply), Some(Answer::Refused(_))));
    }
}

/// It may not have heard of its removal: until its lease is over it shows what was before.
#[test]
fn the_lease_of_a_removed_member_is_waited_for_also_by_who_is_alone_then() {
    let mut cluster = Cluster::new(2);
    let (leader, removed) = (cluster.leader(), cluster.follower());
    let at = cluster.open(leader);
    cluster.wait(200);
    let member = Some(format!("node-{removed}"));
    let reply = cluster.cluster(at, ClusterRequest::Remove { member });
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    let reply = cluster.begin(at, edit);
    assert_eq!(cluster.answer(leader, reply), None);
    cluster.wait(LEASE_MS + LEASE_MS / 100 + 10);
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
}
