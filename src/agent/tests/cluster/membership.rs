//! Nodes join, leave, are removed, and get their first state.

use super::*;

impl Cluster {
    /// Of one, to which others can be admitted, with a session.
    pub(super) fn of_one() -> (Self, At) {
        let mut cluster = Self::new(1);
        let at = cluster.open(1);
        let init =
            ClusterRequest::Init { name: "lab".to_owned(), address: "192.0.2.1:4000".to_owned() };
        let reply = cluster.cluster(at, init);
        assert_eq!(cluster.answer(1, reply), Some(Answer::Ok));
        (cluster, at)
    }
}

#[test]
fn a_cluster_grows_by_joining_and_shrinks_by_leaving() {
    let (mut cluster, at) = Cluster::of_one();
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    cluster.ok(at, edit);
    for id in 2..=3 {
        let admission = cluster.admit(id, at);
        assert_eq!(admission.incarnation, Incarnation(id));
        cluster.add(id, &[], Vec::new());
        cluster.connect_all();
        cluster.wait(3000);
        assert!(cluster.nodes[&id].ready, "node {id} is not ready");
        assert_eq!(
            cluster.nodes[&1].agent.node.conf_state().voters.len(),
            usize::try_from(id).unwrap()
        );
        cluster.everywhere("a=x");
    }
    cluster.kill(1);
    cluster.wait(1000);
    let at = cluster.open(3);
    let edit = cluster.set(Datastore::Running, "a", Some("y"));
    cluster.ok(at, edit);
    cluster.everywhere("a=y");
    let reply = cluster.cluster(at, ClusterRequest::Remove { member: Some("node-1".to_owned()) });
    assert_eq!(cluster.answer(3, reply), Some(Answer::Ok));
    let leader = cluster.leader();
    let at = cluster.open(leader);
    let reply = cluster.cluster(at, ClusterRequest::Remove { member: None });
    cluster.wait(2000);
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    assert!(cluster.nodes[&leader].fatal.is_some());
    cluster.nodes.remove(&leader);
    let last = cluster.leader();
    let at = cluster.open(last);
    let edit = cluster.set(Datastore::Running, "a", Some("z"));
    cluster.ok(at, edit);
    assert_eq!(cluster.running(last), "a=z");
}

/// It may have been away, or its goodbye may have been lost.
#[test]
fn a_removed_member_that_connects_again_is_told_so() {
    let mut cluster = Cluster::new(3);
    let (leader, away) = (cluster.leader(), cluster.follower());
    cluster.kill(away);
    let at = cluster.open(leader);
    let member = Some(format!("node-{away}"));
    let reply = cluster.cluster(at, ClusterRequest::Remove { member });
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    cluster.add(away, &[1, 2, 3], Vec::new());
    cluster.connect_all();
    cluster.settle();
    let fatal = cluster.nodes[&away].fatal.as_deref().unwrap_or_default();
    assert!(fatal.contains("this node was removed"), "{fatal}");
}

/// It may ask before it has a state, and the snapshot may be taken after its answer.
#[test]
fn a_node_whose_boot_stands_in_its_first_snapshot_becomes_ready() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.admit(2, at);
    let up = Body::NodeUp {
        incarnation: Incarnation(2),
        boot: Boot { counter: 1, nonce: 2 },
        name: "node-2".to_owned(),
        address: "192.0.2.2:4000".to_owned(),
        participants: Vec::new(),
    };
    cluster.nodes.get_mut(&1).unwrap().agent.propose(up).unwrap();
    cluster.wait(100);
    let voters = cluster.nodes[&1].agent.node.conf_state().voters;
    assert_eq!(voters, [Incarnation(1)], "who has nothing of the log does not vote");
    let node = cluster.nodes.get_mut(&1).unwrap();
    let (meta, state) = node.agent.snapshot();
    node.snapshots.insert(meta.position.index, (meta.clone(), state));
    node.agent.snapshot_written(meta);
    cluster.add(2, &[], Vec::new());
    cluster.connect_all();
    cluster.wait(3000);
    assert!(cluster.nodes[&2].ready);
    let at = cluster.open(2);
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    cluster.ok(at, edit);
    cluster.everywhere("a=x");
}

/// The leader that it joined under is gone before it had anything, and the next one's log begins with the first entry.
#[test]
fn a_node_that_joined_is_sent_a_snapshot_by_the_next_leader_too() {
    let mut cluster = Cluster::new(3);
    let authority = Authority { certificate: vec![1], key: vec![2] };
    for node in cluster.nodes.values_mut() {
        let authority = authority.clone();
        node.agent.state.charter = Some(Arc::new(Charter { name: "lab".to_owned(), authority }));
    }
    let to = cluster.follower();
    let at = cluster.open(to);
    cluster.cluster(at, ClusterRequest::TransferLeadership { to: None });
    cluster.wait(500);
    assert_eq!(cluster.leader(), to);
    cluster.admit(4, at);
    cluster.kill(to);
    cluster.add(4, &[], Vec::new());
    cluster.connect_all();
    cluster.wait(3000);
    assert!(cluster.nodes[&4].ready);
}
