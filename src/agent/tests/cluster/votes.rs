//! Learners get their votes: one by a simple change, two by a joint one, which is left at once.

use super::*;
use crate::base::limits::SECOND_LEARNER_WAIT_MS;
use crate::raft::ConfState;

impl Cluster {
    fn seats(&self, id: u64) -> ConfState {
        self.nodes[&id].agent.node.conf_state()
    }

    #[track_caller]
    fn check_voters(&self, id: u64, voters: &[u64]) {
        let seats = self.seats(id);
        let numbers: Vec<u64> = seats.voters.iter().map(|voter| voter.0).collect();
        assert_eq!((&*numbers, seats.is_joint()), (voters, false), "as node {id} knows");
    }

    /// What the history says of votes, the oldest first.
    fn votes_given(&self, id: u64) -> Vec<String> {
        let lines = self.nodes[&id].agent.state.history.iter();
        let lines = lines.filter_map(|line| line.comment.clone());
        lines.filter(|line| line.contains("vote")).collect()
    }

    /// Makes these nodes learners, by a session, and starts them. They are not connected yet.
    fn add_learners(&mut self, ids: impl IntoIterator<Item = u64>, at: At) {
        for id in ids {
            self.admit(id, at);
            self.add(id, &[], Vec::new());
        }
    }

    /// Of so many voters, with a session at the leader.
    fn of_voters(count: u64) -> (Self, At) {
        let (mut cluster, at) = Self::of_one();
        for id in 2..=count {
            cluster.add_learners([id], at);
            cluster.connect_all();
            cluster.wait(1000);
            cluster.check_voters(1, &(1..=id).collect::<Vec<u64>>());
        }
        (cluster, at)
    }

    /// Until the leader has applied a joint change. Nobody else knows of that, and what it has said is on its way.
    fn wait_until_joint(&mut self) {
        for _ in 0..500 {
            self.clock_ms += 10;
            let now = self.now();
            for node in self.nodes.values_mut() {
                node.agent.tick(now);
            }
            loop {
                for id in self.nodes.keys().copied().collect::<Vec<_>>() {
                    self.carry_out(id);
                }
                if self.seats(1).is_joint() {
                    return;
                }
                if !self.deliver() {
                    break;
                }
            }
        }
        panic!("nobody makes a joint change: {:?}, {:?}", self.seats(1), self.votes_given(1));
    }

    fn writes(&mut self, id: u64) {
        let at = self.open(id);
        let value = self.clock_ms.to_string();
        let edit = self.set(Datastore::Running, "a", Some(&value));
        let reply = self.begin(at, edit);
        self.wait(1000);
        assert_eq!(self.answer(id, reply), Some(Answer::Ok), "node {id} writes");
    }
}

#[test]
fn two_nodes_that_join_a_cluster_of_one_get_their_votes_at_once() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.add_learners([2, 3], at);
    cluster.connect_all();
    cluster.wait_until_joint();
    let state = |cluster: &mut Cluster| {
        let now = cluster.now();
        let view = cluster.nodes.get_mut(&1).unwrap().agent.view(now);
        let voting = view.cluster.members.iter().filter(|member| member.voter).count();
        (view.cluster.outgoing_voters.clone(), voting)
    };
    assert_eq!(state(&mut cluster), (vec!["node-1".to_owned()], 3), "it is told while it lasts");
    cluster.wait(500);
    assert_eq!(state(&mut cluster), (Vec::new(), 3));
    for id in 1..=3 {
        cluster.check_voters(id, &[1, 2, 3]);
        assert_eq!(cluster.votes_given(id), ["members node-2, node-3 vote"]);
    }
    cluster.writes(2);
    cluster.kill(1);
    cluster.wait(1000);
    cluster.writes(3);
}

/// One of the two does not outlive it: the other one and the first are enough to leave it.
#[test]
fn a_new_voter_that_dies_in_a_joint_configuration_stops_nobody() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.add_learners([2, 3], at);
    cluster.connect_all();
    cluster.wait_until_joint();
    cluster.kill(3);
    cluster.wait(1000);
    cluster.check_voters(1, &[1, 2, 3]);
    cluster.check_voters(2, &[1, 2, 3]);
    cluster.writes(2);
}

/// Both are away: nothing can be committed, but nothing is lost either, and it ends when one is back.
#[test]
fn a_joint_configuration_that_nobody_can_leave_is_left_when_one_is_back() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.add_learners([2, 3], at);
    cluster.connect_all();
    cluster.wait_until_joint();
    cluster.network.clear();
    let mut away = std::mem::take(&mut cluster.nodes);
    cluster.nodes.extend(away.remove_entry(&1));
    cluster.lose(2);
    cluster.lose(3);
    cluster.wait(3000);
    assert!(cluster.seats(1).is_joint());
    assert!(!cluster.may_read(1), "the others might lead, as far as it knows");
    cluster.nodes.extend(away.remove_entry(&2));
    cluster.connect_all();
    cluster.wait(3000);
    cluster.check_voters(1, &[1, 2, 3]);
    cluster.check_voters(2, &[1, 2, 3]);
    let leader = cluster.leader();
    cluster.writes(leader);
}

#[test]
fn the_next_leader_leaves_a_joint_configuration() {
    let (mut cluster, at) = Cluster::of_voters(3);
    cluster.add_learners([4, 5], at);
    cluster.connect_all();
    cluster.wait_until_joint();
    // Nobody hears that it is committed: the next leader finds it in its log.
    cluster.network.clear();
    cluster.kill(1);
    assert!(cluster.nodes.keys().all(|id| !cluster.seats(*id).is_joint()));
    cluster.wait(3000);
    for id in 2..=5 {
        cluster.check_voters(id, &[1, 2, 3, 4, 5]);
    }
    cluster.writes(4);
    // One fails more than three voters would bear.
    let leader = cluster.leader();
    cluster.kill(leader);
    cluster.wait(1000);
    let follower = cluster.follower();
    cluster.writes(follower);
}

/// The leader goes after it has said that the joint configuration is left, before that is committed.
#[test]
fn a_joint_configuration_that_is_being_left_is_left_once() {
    for heard in 0..40 {
        let (mut cluster, at) = Cluster::of_voters(3);
        cluster.add_learners([4, 5], at);
        cluster.connect_all();
        cluster.wait_until_joint();
        for _ in 0..heard {
            cluster.deliver();
            for id in cluster.nodes.keys().copied().collect::<Vec<_>>() {
                cluster.carry_out(id);
            }
        }
        cluster.network.clear();
        cluster.kill(1);
        cluster.wait(3000);
        for id in 2..=5 {
            cluster.check_voters(id, &[1, 2, 3, 4, 5]);
        }
        let leader = cluster.leader();
        cluster.writes(leader);
        assert_eq!(cluster.votes_given(leader).last().unwrap(), "members node-4, node-5 vote");
    }
}

/// Who wants to join or to be removed meanwhile waits, and is answered.
#[test]
fn other_changes_of_members_wait_until_a_joint_configuration_is_left() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.add_learners([2, 3], at);
    cluster.connect_all();
    cluster.wait_until_joint();
    let now = cluster.now();
    let member = Some("node-3".to_owned());
    let fresh = Fresh { random: [7; 16], authority: None };
    let remove = SessionEvent::Cluster {
        session: at.1,
        message_id: "1".to_owned(),
        transaction: None,
        request: ClusterRequest::Remove { member },
        fresh,
    };
    let reply = ReplyTo(1_000_000);
    cluster.nodes.get_mut(&1).unwrap().agent.step(now, reply, remove);
    assert!(cluster.seats(1).is_joint());
    cluster.settle();
    cluster.check_voters(1, &[1, 2, 3]);
    assert_eq!(cluster.answer(1, reply), None, "it was not taken while it was joint");
    cluster.wait(2000);
    assert_eq!(cluster.answer(1, reply), Some(Answer::Ok));
    cluster.check_voters(1, &[1, 2]);
}

/// Three bear a failure where two bear none, so the first of two that join two does not wait for the second.
#[test]
fn from_an_even_number_of_voters_one_more_votes() {
    let (mut cluster, at) = Cluster::of_voters(2);
    cluster.add_learners([3, 4], at);
    cluster.connect_all();
    cluster.wait(SECOND_LEARNER_WAIT_MS / 2);
    cluster.check_voters(1, &[1, 2, 3, 4]);
    let given = cluster.votes_given(1);
    assert_eq!(given[1..], ["member node-3 votes", "member node-4 votes"]);
}

#[test]
fn three_that_join_one_make_an_odd_number_first() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.add_learners([2, 3, 4], at);
    cluster.connect_all();
    cluster.wait(1000 + SECOND_LEARNER_WAIT_MS);
    cluster.check_voters(1, &[1, 2, 3, 4]);
    let given = cluster.votes_given(1);
    assert!(given[0].starts_with("members") && given[1].starts_with("member "), "{given:?}");
    assert_eq!(given.len(), 2);
}

/// The second one has its seat, and does not come.
#[test]
fn a_learner_waits_a_moment_for_another_one() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.add_learners([2], at);
    cluster.admit(3, at);
    cluster.connect_all();
    cluster.wait(SECOND_LEARNER_WAIT_MS - 500);
    assert!(cluster.nodes[&2].ready);
    cluster.check_voters(1, &[1]);
    cluster.wait(1500);
    cluster.check_voters(1, &[1, 2]);
}

/// Its record says for long that it is up, and the log of a quiet cluster does not outgrow it.
#[test]
fn a_silent_learner_gets_no_vote() {
    let (mut cluster, at) = Cluster::of_one();
    cluster.add_learners([2], at);
    cluster.admit(3, at);
    cluster.connect_all();
    cluster.wait(1000);
    assert!(cluster.nodes[&2].ready && cluster.seats(1).learners.len() == 2);
    // It is frozen: nobody notices by its connection.
    let frozen = cluster.nodes.remove(&2).unwrap();
    cluster.wait(2 * SECOND_LEARNER_WAIT_MS);
    cluster.check_voters(1, &[1]);
    cluster.writes(1);
    cluster.nodes.insert(2, frozen);
    cluster.wait(1000);
    cluster.check_voters(1, &[1, 2]);
}
