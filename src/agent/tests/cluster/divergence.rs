//! Members whose data are not what the log states: who is wrong, and how it gets the data of the others.

use super::*;
use crate::base::limits::{LEASE_MS, REBUILD_PAUSE_MS};
use crate::netconf::state::NodePhase;

impl Cluster {
    /// Damages the data of a member, in memory: the leaf `b` is there.
    fn corrupt(&mut self, id: u64) {
        let Request::EditConfig { edit, .. } = self.set(Datastore::Running, "b", Some("wrong"))
        else {
            panic!("an edit")
        };
        let agent = &mut self.nodes.get_mut(&id).unwrap().agent;
        let edited = crate::datastore::apply::apply_edit(&self.schema, &agent.state.shared, &edit);
        agent.state.shared = edited.unwrap().tree;
        if agent.head.state().is_some() {
            agent.head.begin(agent.state.clone());
        }
    }

    /// A change that is acknowledged when the lease of who does not apply it is over.
    #[track_caller]
    fn ok_in_time(&mut self, at: At, value: &str) {
        let reply = self.begin(at, self.set(Datastore::Running, "a", Some(value)));
        self.wait(LEASE_MS * 2);
        assert_eq!(self.answer(at.0, reply), Some(Answer::Ok));
    }

    fn phase(&self, id: u64) -> NodePhase {
        self.nodes[&id].view.as_ref().unwrap().cluster.phase
    }
}

#[test]
fn a_member_with_other_data_than_the_log_states_takes_those_of_the_others() {
    let mut cluster = Cluster::new(3);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let at = cluster.open(leader);
    cluster.ok(at, cluster.set(Datastore::Running, "a", Some("1")));
    cluster.corrupt(follower);
    let reply = cluster.begin(at, cluster.set(Datastore::Running, "a", Some("2")));
    assert_eq!(cluster.phase(follower), NodePhase::Diverged);
    assert!(!cluster.may_read(follower), "it shows what it should not have");
    let kept = cluster.nodes.get_mut(&follower).unwrap().diverged.take().expect("it is kept");
    assert_eq!(text(&cluster.schema, &kept.running), "a=1 b=wrong");
    cluster.wait(300);
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    cluster.everywhere("a=2");
    assert_eq!(cluster.phase(follower), NodePhase::Ready);
    assert!(cluster.may_read(follower));
    assert_eq!(cluster.leader(), leader);
    let there = cluster.open(follower);
    cluster.ok(there, cluster.set(Datastore::Running, "a", Some("3")));
    cluster.everywhere("a=3");
}

#[test]
fn one_whose_data_diverge_again_waits_before_it_takes_them_again() {
    let mut cluster = Cluster::new(3);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let at = cluster.open(leader);
    for (value, soon) in [("1", NodePhase::Ready), ("2", NodePhase::Diverged)] {
        cluster.corrupt(follower);
        cluster.ok_in_time(at, value);
        cluster.wait(REBUILD_PAUSE_MS / 3);
        assert_eq!(cluster.phase(follower), soon);
    }
    cluster.wait(REBUILD_PAUSE_MS);
    cluster.everywhere("a=2");
}

#[test]
fn a_leader_alone_with_its_data_gives_leadership_away_and_takes_those_of_the_others() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let at = cluster.open(leader);
    cluster.ok(at, cluster.set(Datastore::Running, "a", Some("1")));
    cluster.corrupt(leader);
    let reply = cluster.begin(at, cluster.set(Datastore::Running, "a", Some("2")));
    cluster.wait(5_000);
    assert_ne!(cluster.leader(), leader);
    assert!(!cluster.running(leader).contains("a=2"), "nobody has it");
    assert!(matches!(cluster.answer(leader, reply), Some(Answer::Errors(_))), "and it is not ok");
    for id in cluster.nodes.keys() {
        assert_eq!(cluster.phase(*id), NodePhase::Ready, "node {id}");
    }
    // What stood on the wrong data has no effect, or was decided again on the right ones.
    assert!(!cluster.running(leader).contains("wrong"));
    // It has the data of the others: that they say again what they went on with is no news for it.
    let follower = *cluster.nodes.keys().find(|id| **id != leader).unwrap();
    let DivergedData { index, found, .. } =
        cluster.nodes.get_mut(&follower).unwrap().diverged.take().expect("it is kept");
    let now = cluster.now();
    for id in cluster.nodes.keys().copied().filter(|id| *id != leader).collect::<Vec<_>>() {
        let agent = &mut cluster.nodes.get_mut(&leader).unwrap().agent;
        agent.peer(now, Incarnation(id), PeerMessage::Diverged { index, found });
    }
    assert_eq!(cluster.phase(leader), NodePhase::Ready);
    let at = cluster.open(leader);
    cluster.ok(at, cluster.set(Datastore::Running, "a", Some("3")));
    cluster.everywhere("a=3");
}

#[test]
fn of_two_members_the_one_that_agrees_with_the_log_is_right() {
    let mut cluster = Cluster::new(2);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.corrupt(follower);
    let at = cluster.open(leader);
    cluster.ok_in_time(at, "1");
    cluster.wait(300);
    cluster.everywhere("a=1");
}

#[test]
fn without_the_word_of_a_majority_nobody_is_taken_for_wrong() {
    let mut cluster = Cluster::new(3);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let third = *cluster.nodes.keys().find(|id| ![leader, follower].contains(id)).unwrap();
    let at = cluster.open(leader);
    cluster.kill(third);
    cluster.corrupt(follower);
    cluster.ok_in_time(at, "1");
    cluster.wait(5_000);
    assert_eq!(cluster.phase(follower), NodePhase::Diverged);
    assert_eq!(cluster.running(leader), "a=1");
    // It votes and acknowledges, so that the leader goes on.
    cluster.ok_in_time(at, "2");
}

#[test]
fn a_member_with_other_data_is_not_asked_what_its_participants_say_and_the_log_tells_who_is_wrong()
{
    let mut cluster = Cluster::with(3, |id| vec![registration(u32::try_from(id).unwrap(), 1)]);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let at = cluster.open(leader);
    cluster.corrupt(follower);
    let asked = cluster.nodes[&follower].hooks.len();
    let reply = cluster.begin(at, cluster.set(Datastore::Running, "a", Some("1")));
    for _ in ["validate", "prepare"] {
        for id in (1..=3).filter(|id| *id != follower) {
            cluster.hook_says(id, HookAnswer::Yes);
        }
    }
    assert_eq!(cluster.phase(follower), NodePhase::Diverged);
    assert_eq!(cluster.nodes[&follower].hooks.len(), asked);
    cluster.wait(300);
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    cluster.everywhere("a=1");
    assert_eq!(cluster.phase(follower), NodePhase::Ready);
}

#[test]
fn under_fully_synchronous_nothing_is_decided_without_a_member_that_cannot_be_asked() {
    let mut cluster = Cluster::with(3, |id| vec![registration(u32::try_from(id).unwrap(), 1)]);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let at = cluster.open(leader);
    let policy = ClusterRequest::SetPolicy { policy: Policy::FullySynchronous };
    let reply = cluster.cluster(at, policy);
    cluster.wait(300);
    assert_eq!(cluster.answer(leader, reply), Some(Answer::Ok));
    cluster.corrupt(follower);
    let reply = cluster.begin(at, cluster.set(Datastore::Running, "a", Some("1")));
    cluster.wait(300);
    let Some(Answer::Errors(errors)) = cluster.answer(leader, reply) else { panic!("not refused") };
    assert!(errors[0].message.contains("other data than those of this member"), "{errors:?}");
}

/// The candidate changes what only this member has.
#[test]
fn a_candidate_on_other_data_than_the_leaders_is_refused() {
    let mut cluster = Cluster::new(3);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let at = cluster.open(leader);
    cluster.ok(at, cluster.set(Datastore::Running, "b", Some("right")));
    cluster.corrupt(follower);
    let at = cluster.open(follower);
    cluster.ok(at, Request::DiscardChanges);
    cluster.ok(at, cluster.set(Datastore::Candidate, "b", Some("new")));
    let reply = cluster.begin(at, commit(None));
    cluster.wait(1_000);
    let Some(Answer::Errors(errors)) = cluster.answer(follower, reply) else { panic!("no answer") };
    assert!(errors[0].message.contains("does not fit the data of the leader"), "{errors:?}");
}

#[test]
fn who_has_heard_of_a_majority_before_it_finds_out_is_a_part_of_that_majority() {
    let mut cluster = Cluster::new(3);
    let (leader, first) = (cluster.leader(), cluster.follower());
    let second = *cluster.nodes.keys().find(|id| ![leader, first].contains(id)).unwrap();
    let at = cluster.open(leader);
    cluster.ok(at, cluster.set(Datastore::Running, "a", Some("1")));
    cluster.corrupt(leader);
    let late = cluster.nodes.remove(&second).unwrap();
    cluster.begin(at, cluster.set(Datastore::Running, "a", Some("2")));
    cluster.wait(20);
    assert_eq!(cluster.phase(first), NodePhase::Diverged);
    let DivergedData { index, found, .. } =
        cluster.nodes.get_mut(&first).unwrap().diverged.take().expect("it is kept");
    cluster.nodes.insert(second, late);
    let now = cluster.now();
    let hears = |cluster: &mut Cluster, now| {
        let agent = &mut cluster.nodes.get_mut(&second).unwrap().agent;
        agent.peer(now, Incarnation(first), PeerMessage::Diverged { index, found });
    };
    hears(&mut cluster, now);
    cluster.wait(2_000);
    assert_ne!(cluster.leader(), leader, "two have found that it is wrong");
    // Nobody who goes on meets the entry again when it starts again.
    for id in [first, second] {
        let kept = cluster.nodes[&id].snapshots.keys().next_back();
        assert!(kept.is_some_and(|kept| *kept >= index), "{id} has a snapshot at {kept:?}");
    }
    // One that has not heard it is told again.
    cluster.wait(1_000);
    let now = cluster.now();
    hears(&mut cluster, now);
    cluster.carry_out(second);
    let tells = |sent: &(u64, ToPeer)| {
        sent.0 == second && sent.1.message == PeerMessage::Diverged { index, found }
    };
    assert!(cluster.network.iter().any(tells));
    cluster.wait(4_000);
    cluster.everywhere("a=1");
}

#[test]
fn nobody_is_given_leadership_whose_data_are_not_those_of_the_log() {
    let mut cluster = Cluster::new(3);
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let third = *cluster.nodes.keys().find(|id| ![leader, follower].contains(id)).unwrap();
    let at = cluster.open(leader);
    cluster.kill(third);
    cluster.corrupt(follower);
    cluster.ok_in_time(at, "1");
    cluster.wait(1_000);
    for to in [Some(format!("node-{follower}")), None] {
        let reply = cluster.cluster(at, ClusterRequest::TransferLeadership { to });
        cluster.wait(1_000);
        assert!(matches!(cluster.answer(leader, reply), Some(Answer::Errors(_))));
        assert_eq!(cluster.leader(), leader);
    }
}
