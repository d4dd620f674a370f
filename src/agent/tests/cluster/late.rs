//! Nodes that are late: acknowledgements without them.

use super::*;
use crate::base::limits::{ACK_REPORT_MS, ACK_TIMEOUT_MS};
use crate::base::policy::Policy;

/// It is committed, and nobody promises that it is everywhere: the reply is ok, and operators are told who is missing.
#[test]
fn a_late_acknowledgement_names_the_members_that_it_lacked() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let at = cluster.open(leader);
    let reply = cluster.cluster(at, ClusterRequest::SetPolicy { policy: Policy::FullySynchronous });
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    let (other, silent) = {
        let mut followers = (1..=3).filter(|id| *id != leader);
        (followers.next().unwrap(), followers.next().unwrap())
    };
    let origins = [cluster.open(leader), cluster.open(other)];
    let silent_name = format!("node-{silent}");
    cluster.nodes.remove(&silent);
    for (at, value) in origins.into_iter().zip(["1", "2"]) {
        let edit = cluster.set(Datastore::Running, "b", Some(value));
        let reply = cluster.begin(at, edit);
        cluster.wait(ACK_TIMEOUT_MS - 10);
        assert_eq!(cluster.answer(at.0, reply), None);
        cluster.wait(20);
        assert_eq!(cluster.answer(at.0, reply), Some(Answer::Ok));
        let degraded = &cluster.nodes[&at.0].view.as_ref().unwrap().cluster.ack_degraded;
        assert_eq!((degraded.count, &*degraded.missing), (1, &[silent_name.clone()][..]));
    }
    // With the last leader gone nobody can say who has it.
    let edit = cluster.set(Datastore::Running, "b", Some("3"));
    let reply = cluster.begin(origins[1], edit);
    cluster.nodes.remove(&leader);
    cluster.wait(ACK_TIMEOUT_MS + ACK_REPORT_MS);
    assert_eq!(cluster.answer(other, reply), Some(Answer::Ok));
    let degraded = &cluster.nodes[&other].view.as_ref().unwrap().cluster.ack_degraded;
    assert_eq!((degraded.count, degraded.missing.len()), (2, 0));
}
