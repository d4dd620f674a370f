//! Nodes that are late: acknowledgements without them, leadership that goes to others.

use super::*;
use crate::agent::strain::Measured;
use crate::base::limits::{
    ACK_REPORT_MS, ACK_TIMEOUT_MS, LEAD_AT_LEAST_MS, SLOW_DISK_MS, SLOW_THREAD_MS,
};

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

impl Cluster {
    /// The node's writes take so long, or it is late by so much, for a while.
    fn measure(&mut self, id: u64, measured: Measured) {
        let agent = &mut self.nodes.get_mut(&id).unwrap().agent;
        (0..30).for_each(|_| agent.measured(measured));
    }

    fn leadership_changes(&self, id: u64) -> u64 {
        self.nodes[&id].agent.facts.leadership_changes
    }
}

const SLOW: Measured = Measured::Write(SLOW_DISK_MS * 3 / 2);
const FAST: Measured = Measured::Write(1);

#[test]
fn a_leader_with_a_slow_disk_or_thread_hands_over_and_is_not_chosen_again_while_it_is_slow() {
    for slow in [SLOW, Measured::Lateness(SLOW_THREAD_MS * 3 / 2)] {
        let mut cluster = Cluster::new(3);
        let first = cluster.leader();
        cluster.measure(first, slow);
        cluster.wait(LEAD_AT_LEAST_MS);
        let second = cluster.leader();
        assert_ne!(second, first);
        // Between limit and half of it nothing changes: no ping-pong.
        cluster.measure(first, Measured::Write(SLOW_DISK_MS * 3 / 4));
        cluster.measure(second, slow);
        cluster.wait(LEAD_AT_LEAST_MS);
        let third = cluster.leader();
        assert!(![first, second].contains(&third), "{third} leads after {first} and {second}");
        let at = cluster.open(first);
        let edit = cluster.set(Datastore::Running, "a", Some("x"));
        cluster.ok(at, edit);
        cluster.everywhere("a=x");
    }
}

#[test]
fn where_all_are_slow_the_leader_stays_until_one_is_fast() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    (1..=3).for_each(|id| cluster.measure(id, SLOW));
    let before = cluster.leadership_changes(leader);
    cluster.wait(3 * LEAD_AT_LEAST_MS);
    assert_eq!((cluster.leader(), cluster.leadership_changes(leader)), (leader, before));
    let fast = cluster.follower();
    cluster.measure(fast, FAST);
    cluster.wait(1_000);
    assert_eq!(cluster.leader(), fast);
}

#[test]
fn one_pause_is_no_reason_to_hand_over_and_neither_is_a_slow_start() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.nodes.get_mut(&leader).unwrap().agent.measured(Measured::Lateness(u64::MAX));
    cluster.nodes.get_mut(&leader).unwrap().agent.measured(Measured::Write(u64::MAX));
    cluster.wait(2 * LEAD_AT_LEAST_MS);
    assert_eq!(cluster.leader(), leader);
    let to = cluster.follower();
    let at = cluster.open(leader);
    let request = ClusterRequest::TransferLeadership { to: Some(format!("node-{to}")) };
    cluster.cluster(at, request);
    cluster.wait(500);
    cluster.measure(to, SLOW);
    cluster.wait(LEAD_AT_LEAST_MS - 1_000);
    assert_eq!(cluster.leader(), to, "it has only just begun to lead");
    cluster.wait(2_000);
    assert_ne!(cluster.leader(), to);
}

/// The disk is no use to a leader when it takes nothing more.
#[test]
fn a_leader_with_a_full_disk_hands_over() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.nodes.get_mut(&leader).unwrap().agent.set_storage(StorageSpace::Full);
    cluster.wait(LEAD_AT_LEAST_MS);
    assert_ne!(cluster.leader(), leader);
    let at = cluster.open(leader);
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    cluster.ok(at, edit);
}

#[test]
fn a_slow_leader_whose_successor_does_not_take_over_steps_down() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let at = cluster.open(leader);
    cluster.wait(LEAD_AT_LEAST_MS);
    let (other, gone) = {
        let mut followers = (1..=3).filter(|id| *id != leader);
        (followers.next().unwrap(), followers.next().unwrap())
    };
    cluster.measure(other, SLOW);
    cluster.wait(100);
    // It is heard no more from here on, and the others do not know that yet.
    cluster.nodes.remove(&gone);
    cluster.measure(leader, SLOW);
    let before = cluster.leadership_changes(other);
    cluster.wait(400);
    assert!(cluster.nodes.values().all(|node| node.agent.leading_term().is_none()));
    cluster.wait(1_500);
    assert!(cluster.leadership_changes(other) > before);
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    let reply = cluster.begin(at, edit);
    cluster.wait(500);
    assert_eq!(cluster.answer(at.0, reply), Some(Answer::Ok));
}

/// A planned restart costs writers no election, however short this node has led.
#[test]
fn a_leader_that_is_asked_to_end_hands_over_first() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let changes = cluster.leadership_changes(leader);
    cluster.nodes.get_mut(&leader).unwrap().agent.prepare_to_end();
    assert!(!cluster.nodes[&leader].agent.may_end());
    cluster.wait(100);
    assert!(cluster.nodes[&leader].agent.may_end());
    let next = cluster.leader();
    assert_ne!(next, leader);
    assert_eq!(cluster.leadership_changes(next), changes + 1, "there was an interregnum");
    let mut alone = Cluster::new(1);
    alone.nodes.get_mut(&1).unwrap().agent.prepare_to_end();
    assert!(alone.nodes[&1].agent.may_end());
}

#[test]
fn a_leader_whom_nobody_can_follow_may_end_at_once() {
    let mut cluster = Cluster::new(2);
    let leader = cluster.leader();
    cluster.kill(cluster.follower());
    cluster.nodes.get_mut(&leader).unwrap().agent.prepare_to_end();
    cluster.wait(20);
    assert!(cluster.nodes[&leader].agent.may_end());
}

/// That nobody was fit is what was so then.
#[test]
fn a_leader_that_stayed_for_want_of_a_better_one_hands_over_too_when_it_ends() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    (1..=3).for_each(|id| cluster.measure(id, SLOW));
    cluster.wait(2 * LEAD_AT_LEAST_MS);
    assert_eq!(cluster.leader(), leader);
    let next = cluster.follower();
    cluster.measure(next, FAST);
    cluster.nodes.get_mut(&leader).unwrap().agent.prepare_to_end();
    assert!(!cluster.nodes[&leader].agent.may_end());
    cluster.wait(1_000);
    assert!(cluster.nodes[&leader].agent.may_end());
    assert_eq!(cluster.leader(), next);
}
