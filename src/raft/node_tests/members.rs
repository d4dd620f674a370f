//! Members come, vote and go, one by one and several at once.

use super::*;

/// Nodes that learn from the first one, which leads.
fn add_learners(cluster: &mut Cluster, ids: [u64; 2]) {
    for id in ids {
        propose_seat(cluster, 1, SeatChange::Learner(Incarnation(id))).unwrap();
        cluster.settle();
        cluster.compact(1);
        cluster.add(config(id, &[]));
        cluster.tick_all(20);
    }
}

/// The first node proposes votes for both at once.
fn enter_joint(cluster: &mut Cluster, ids: [u64; 2]) {
    let term = cluster.node(1).term();
    let seats = ids.map(|id| SeatChange::Voter(Incarnation(id))).to_vec();
    let enter = MembershipChange::EnterJoint { seats, context: Vec::new() };
    cluster.node(1).propose_membership(term, &enter).unwrap();
}

#[test]
fn members_come_learn_vote_and_go() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.compact(1);
    cluster.add(config(4, &[]));
    let index = propose_seat(&mut cluster, 1, SeatChange::Learner(Incarnation(4))).unwrap();
    let pending = propose_seat(&mut cluster, 1, SeatChange::Removed(Incarnation(3)));
    assert_eq!(pending, Err(MembershipError::Pending));
    cluster.settle();
    let CommittedEntry::Membership(change) = &cluster.log[&index].entry else { panic!() };
    assert_eq!(change.context(), b"who");
    // The snapshot at hand is from before it came, so it waits for one in which it has a seat.
    cluster.tick_all(20);
    assert_eq!(cluster.node(4).last_index(), LogIndex(0));
    assert!(cluster.node(1).take_snapshot_wanted());
    cluster.compact(1);
    cluster.tick_all(20);
    assert_eq!(cluster.node(4).conf_state(), cluster.node(1).conf_state());
    assert_eq!(cluster.node(4).conf_state().learners, [Incarnation(4)]);
    assert!(!cluster.node(4).is_voter());
    assert_eq!(cluster.node(1).matched(Incarnation(4)), Some(cluster.node(1).last_index()));

    propose_seat(&mut cluster, 1, SeatChange::Voter(Incarnation(4))).unwrap();
    cluster.settle();
    cluster.tick_all(4);
    assert!(cluster.node(4).is_voter());
    let term = cluster.node(1).term();
    let replace = MembershipChange::EnterJoint {
        seats: vec![
            SeatChange::Removed(Incarnation(2)),
            SeatChange::Learner(Incarnation(3)),
            SeatChange::Learner(Incarnation(5)),
        ],
        context: Vec::new(),
    };
    cluster.node(1).propose_membership(term, &replace).unwrap();
    cluster.settle();
    let state = cluster.node(1).conf_state();
    assert!(state.is_joint());
    assert_eq!(state.learners_next, [Incarnation(3)]);
    let second = cluster.node(1).propose_membership(term, &replace);
    assert!(matches!(second, Err(MembershipError::Impossible(_))));
    cluster.tick_all(50);
    assert!(cluster.node(1).conf_state().is_joint(), "it is left when it is asked for");
    let leave = MembershipChange::LeaveJoint { context: Vec::new() };
    cluster.node(1).propose_membership(term, &leave).unwrap();
    cluster.settle();
    let state = cluster.node(1).conf_state();
    assert_eq!(state.voters, [Incarnation(1), Incarnation(4)]);
    assert_eq!(state.learners, [Incarnation(3), Incarnation(5)]);
    let again = cluster.node(1).propose_membership(term, &leave);
    assert!(matches!(again, Err(MembershipError::Impossible(_))));
}

/// Two nodes get their votes at once, and the process of one member after the other dies before that is over; meanwhile
/// another one is sent a snapshot.
#[test]
fn a_joint_configuration_outlives_restarts_and_snapshots() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    let joint = |cluster: &mut Cluster, id: u64| cluster.node(id).conf_state().voters_outgoing;
    add_learners(&mut cluster, [4, 5]);
    // A member that does not hear of it is behind the leader's log.
    cluster.cut.push(Incarnation(5));
    enter_joint(&mut cluster, [4, 5]);
    cluster.settle();
    cluster.propose(1, b"while it is joint");
    cluster.settle();
    let before = [1, 2, 3].map(Incarnation).to_vec();
    assert_eq!(joint(&mut cluster, 1), before);
    cluster.compact(1);
    cluster.cut.clear();
    cluster.tick_all(30);
    assert_eq!(joint(&mut cluster, 5), before, "it came with the snapshot");
    for id in [1, 2, 5] {
        cluster.restart(id);
        cluster.tick_all(60);
        assert_eq!(joint(&mut cluster, id), before, "after a restart of {id}");
    }
    let leader = cluster.leader().unwrap();
    let term = cluster.node(leader).term();
    let leave = MembershipChange::LeaveJoint { context: Vec::new() };
    cluster.node(leader).propose_membership(term, &leave).unwrap();
    cluster.tick_all(20);
    for id in 1..=5 {
        let state = cluster.node(id).conf_state();
        assert_eq!((state.voters.len(), state.is_joint()), (5, false), "{id}");
    }
}

/// As long as it does not know better it elects itself. It dies after each step on the way, and the others go on.
#[test]
fn who_was_alone_does_not_decide_alone_behind_a_joint_change() {
    let mut outcomes = [0, 0];
    for steps in 0..16 {
        let mut cluster = Cluster::led_by_one(&[1]);
        add_learners(&mut cluster, [2, 3]);
        enter_joint(&mut cluster, [2, 3]);
        for _ in 0..steps {
            cluster.drive(1);
            leave_joint(&mut cluster, 1);
            if !cluster.write_one(1)
                && let Some(packet) = cluster.network.pop_front()
            {
                cluster.deliver(&packet).unwrap();
                cluster.finish(2);
                cluster.finish(3);
            }
        }
        cluster.network.clear();
        cluster.restart(1);
        for _ in 0..8 {
            cluster.tick_all(20);
            if let Some(leader) = cluster.leader() {
                leave_joint(&mut cluster, leader);
            }
        }
        let state = cluster.node(1).conf_state();
        assert!(!state.is_joint(), "after {steps} steps: {state:?}");
        assert!([2, 3].iter().all(|id| cluster.node(*id).conf_state() == state));
        outcomes[usize::from(state.voters.len() == 3)] += 1;
    }
    assert!(outcomes.iter().all(|times| *times > 0), "forgotten and done: {outcomes:?}");
}

fn leave_joint(cluster: &mut Cluster, id: u64) {
    let node = cluster.node(id);
    if node.conf_state().is_joint() && !node.has_pending_membership() {
        let leave = MembershipChange::LeaveJoint { context: Vec::new() };
        // If it does not lead any more, another one does it.
        drop(node.propose_membership(node.term(), &leave));
    }
}

/// Of two members one goes. The other one dies with what it had not written yet: without the first it could never again
/// commit that it is alone.
#[test]
fn a_change_of_members_is_on_the_leaders_disk_before_anybody_hears_that_it_is_committed() {
    let mut cluster = Cluster::led_by_one(&[1, 2]);
    propose_seat(&mut cluster, 1, SeatChange::Removed(Incarnation(2))).unwrap();
    let term = cluster.node(1).term();
    let written = cluster.node(1).ready().unwrap();
    let leader = cluster.node(1);
    leader.persisted(written.number);
    let frames: Vec<_> = written.messages.into_iter().map(|message| message.frame).collect();
    let follower = cluster.node(2);
    frames.iter().for_each(|frame| follower.step(Incarnation(1), frame, Vec::new()).unwrap());
    let ready = follower.ready().unwrap();
    follower.persisted(ready.number);
    let mut answers = ready.persisted_messages;
    while let Some(ready) = follower.ready() {
        answers.extend(ready.messages);
    }
    let leader = cluster.node(1);
    for answer in &answers {
        leader.step(Incarnation(2), &answer.frame, Vec::new()).unwrap();
    }
    let ready = leader.ready().unwrap();
    assert!(matches!(ready.committed[0].entry, CommittedEntry::Membership(_)), "{ready:?}");
    assert_eq!((ready.sync, ready.messages.len()), (WaitForSync::Yes, 0));
    assert!(!ready.persisted_messages.is_empty(), "the follower hears of it then");
    assert_eq!(leader.term(), term);
}

#[test]
fn changes_that_could_not_be_applied_are_not_proposed() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    let last = cluster.node(1).last_index();
    for seat in [SeatChange::Removed(Incarnation(1)), SeatChange::Learner(Incarnation(1))] {
        assert_eq!(propose_seat(&mut cluster, 1, seat), Err(MembershipError::OwnSeat));
    }
    let nobody = propose_seat(&mut cluster, 1, SeatChange::Voter(Incarnation(0)));
    assert!(matches!(nobody, Err(MembershipError::Impossible(_))));
    let elsewhere = propose_seat(&mut cluster, 2, SeatChange::Removed(Incarnation(3)));
    assert_eq!(elsewhere, Err(MembershipError::NotLeader));
    let change = simple(SeatChange::Removed(Incarnation(3)));
    let other_term = cluster.node(1).propose_membership(Term(9), &change);
    assert_eq!(other_term, Err(MembershipError::NotLeader));
    assert_eq!(cluster.node(1).last_index(), last);
}
