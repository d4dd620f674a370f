//! What the cluster promises with each policy, and what it does without a member.

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::routes::{routes, shown};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[test]
fn fully_synchronous_takes_a_change_from_all_members_or_not_at_all() {
    let mut cluster = Cluster::start(3);
    cluster.nodes[0].order(&["policy", "fully-synchronous"]);
    let gone = cluster.follower();
    for writer in 0..3 {
        cluster.session(writer).edit("running", &routes([writer as u32])).ok();
        for node in 0..3 {
            assert_eq!(shown(&mut cluster.session(node)).len(), writer + 1, "on {node}");
        }
    }
    let name = cluster.nodes[gone].name.clone();
    cluster.nodes[gone].agent.kill();
    for node in cluster.running() {
        let mut session = cluster.session(node);
        session.edit("candidate", &routes([7])).ok();
        let refused = session.request("<commit/>").fails_with("resource-denied");
        assert_eq!(refused.app_tag.as_deref(), Some("quorate:member-unreachable"));
        assert!(refused.message.contains(&name), "{}", refused.message);
        session.ok("<discard-changes/>");
        assert_eq!(shown(&mut session), BTreeSet::from([0, 1, 2]));
    }
    cluster.nodes[gone].agent.run();
    let mut session = cluster.session(gone);
    eventually("all are there again", || {
        session.edit("running", &routes([7])).is_ok().then_some(())
    });
}

const LEASE: Duration = Duration::from_secs(1);

#[test]
fn what_the_sessions_of_a_lost_member_hold_is_released_after_the_session_lease() {
    let file = format!("[cluster]\nsession-lease-s = {}\n", LEASE.as_secs());
    let mut cluster = Cluster::start_with(3, &file);
    let lock = "<lock><target><running/></target></lock>";
    for killed in [true, false] {
        let (leader, lost) = (cluster.leader(), cluster.follower());
        let mut holder = cluster.session(lost);
        let mut idle = cluster.session(lost);
        holder.ok(lock);
        let mut other = cluster.session(leader);
        let since = Instant::now();
        if killed {
            cluster.nodes[lost].agent.kill();
        } else {
            cluster.nodes[lost].pause();
        }
        let denied = other.request(lock).fails_with("lock-denied");
        assert_eq!(denied.info("session-id"), Some(holder.id.to_string()));
        eventually("its lock is free", || other.request(lock).is_ok().then_some(()));
        // Its last sign of life is some 50 ms older than its end.
        assert!(since.elapsed() >= LEASE - Duration::from_millis(100), "{:?}", since.elapsed());
        other.ok("<unlock><target><running/></target></unlock>");
        if killed {
            cluster.nodes[lost].agent.run();
        } else {
            cluster.nodes[lost].resume();
            holder.wire.closes();
            // It held nothing.
            eventually("it serves again", || {
                idle.edit("running", &routes([1])).is_ok().then_some(())
            });
        }
    }
}
