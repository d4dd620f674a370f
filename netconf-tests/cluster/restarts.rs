//! Planned restarts: writers notice nothing but the end of their own session.

use crate::support::cluster::Cluster;
use crate::support::routes::routes;

/// SIGTERM makes no interregnum: when the process has ended, the others have long had another leader.
#[test]
fn a_leader_that_is_terminated_has_handed_over_before() {
    let mut cluster = Cluster::start(3);
    for round in 0..3 {
        let leader = cluster.leader();
        let others: Vec<usize> = (0..3).filter(|node| *node != leader).collect();
        let writer = others[0];
        let term =
            |cluster: &Cluster| cluster.nodes[writer].status()["term"].as_u64().expect("a term");
        let before = term(&cluster);
        let mut session = cluster.session(writer);
        assert!(cluster.nodes[leader].agent.terminate().success());
        cluster.leader();
        assert_eq!(term(&cluster), before + 1, "more than one election");
        let log = cluster.nodes[leader].agent.log();
        assert!(log.contains("this node is about to end: leadership is handed over"), "{log}");
        session.edit("running", &routes([round])).ok();
        cluster.nodes[leader].agent.run();
        cluster.settled();
    }
}

/// Nobody is there to hand over to: it does not wait for anybody.
#[test]
fn who_was_left_alone_by_the_others_ends_all_the_same() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader();
    for node in (0..3).filter(|node| *node != leader) {
        cluster.nodes[node].agent.kill();
    }
    assert!(cluster.nodes[leader].agent.terminate().success());
}
