//! The rules of `Ready`, and what the doors of `Node` promise.

use super::test_cluster::{Chaos, Cluster, config};
use super::{
    CommittedEntry, ConfState, Delivery, EntryKind, HardState, LogEntry, LogPosition,
    MembershipChange, MembershipError, MessageKind, Node, NodeError, Payload, PeerState,
    ProposeError, ReadIndexError, RecoveredLog, Role, SeatChange, SnapshotMeta, SplitMix64,
    TransferError, WaitForSync,
};
use crate::base::ids::{Incarnation, LogIndex, Term};

fn simple(seat: SeatChange) -> MembershipChange {
    MembershipChange::Simple { seat, context: b"who".to_vec() }
}

fn propose_seat(
    cluster: &mut Cluster,
    id: u64,
    seat: SeatChange,
) -> Result<LogIndex, MembershipError> {
    let term = cluster.node(id).term();
    cluster.node(id).propose_membership(term, &simple(seat))
}

#[test]
fn a_lone_voter_leads_and_commits_what_is_on_its_disk() {
    let mut node = Node::new(&config(1, &[1]), RecoveredLog::default()).unwrap();
    node.campaign();
    assert!(node.is_leader());
    let first = node.ready().unwrap();
    assert_eq!(first.sync, WaitForSync::Yes);
    assert_eq!(first.persist.hard_state.map(|state| state.vote), Some(Some(Incarnation(1))));
    node.persisted(first.number);
    let second = node.ready().unwrap();
    assert_eq!(second.sync, WaitForSync::No, "that something is committed is no promise");
    assert_eq!(second.committed.len(), 1);
    assert_eq!(second.committed[0].entry, CommittedEntry::Empty);
    assert!(!node.has_applied_in_term());
    node.advance_applied(LogIndex(1));
    assert!(node.has_applied_in_term());

    assert_eq!(node.propose(Term(1), b"data".to_vec()), Ok(LogIndex(2)));
    let third = node.ready().unwrap();
    assert_eq!(third.persist.entries.len(), 1);
    assert!(third.committed.is_empty(), "nothing is committed before it is durable");
    assert!(node.ready().is_none());
    node.persisted(third.number);
    let fourth = node.ready().unwrap();
    assert_eq!(fourth.committed[0].entry, CommittedEntry::Data(Payload::from(b"data".to_vec())));
    assert_eq!((fourth.committed[0].index, fourth.committed[0].term), (LogIndex(2), Term(1)));
    assert!(node.ready().is_none());
}

#[test]
fn what_one_proposes_all_apply() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.propose(1, b"one");
    cluster.propose(1, b"two");
    cluster.settle();
    cluster.tick_all(3);
    for id in 1..=3 {
        assert_eq!(cluster.data(id).iter().map(|data| data.len()).sum::<usize>(), 6);
        assert_eq!(cluster.node(id).leader(), Some(Incarnation(1)));
        assert_eq!(cluster.node(id).committed(), LogIndex(3));
    }
}

#[test]
fn what_a_peer_says_of_the_log_can_be_held_against_it() {
    let mut cluster = Cluster::led_by_one(&[1]);
    let index = cluster.propose(1, b"data");
    cluster.settle();
    let (node, term) = (cluster.node(1), Term(1));
    assert_eq!(node.last_position(), LogPosition { index, term });
    assert_eq!((node.term_at(index), node.term_at(LogIndex(index.0 + 1))), (Some(term), None));
    cluster.compact(1);
    let node = cluster.node(1);
    assert_eq!((node.term_at(index), node.term_at(LogIndex(index.0 - 1))), (Some(term), None));
}

#[test]
fn a_member_that_is_not_reached_is_probed() {
    let mut cluster = Cluster::led_by_one(&[1, 2]);
    cluster.settle();
    assert_eq!(cluster.node(1).status().peers[1].state, PeerState::Replicate);
    cluster.node(1).unreachable(Incarnation(2));
    assert_eq!(cluster.node(1).status().peers[1].state, PeerState::Probe);
}

#[test]
fn promises_wait_for_the_disk() {
    let mut cluster = Cluster::new(&[1, 2, 3]);
    cluster.node(1).campaign();
    // A pre-vote promises nothing new, and still is sent by a node whose log is durable.
    for id in [1, 2, 3, 1, 2, 3] {
        cluster.drive(id);
        while let Some(packet) = cluster.network.pop_front() {
            cluster.deliver(&packet).unwrap();
        }
    }
    // By now 1 stands for election: its vote for itself is not durable, so nobody has heard.
    cluster.drive(1);
    assert_eq!(cluster.node(1).status().role, Role::Candidate);
    assert!(cluster.network.is_empty());
    assert_eq!(cluster.node(2).term(), Term(0));
    while cluster.write_one(1) {}
    assert_eq!(cluster.network.len(), 2);
    let packet = cluster.network.pop_front().unwrap();
    cluster.deliver(&packet).unwrap();
    let voter = packet.message.to.0;
    // The vote is given, and leaves when it is durable.
    cluster.drive(voter);
    assert_eq!(cluster.network.len(), 1);
    assert_eq!(cluster.node(voter).status().vote, Some(Incarnation(1)));
    while cluster.write_one(voter) {}
    assert_eq!(cluster.network.len(), 2);
    cluster.settle();
    // The leader's entries leave before they are durable there; acknowledgements do not.
    cluster.propose(1, b"data");
    cluster.drive(1);
    let sent = cluster.network.len();
    assert_eq!(sent, 2);
    let packet = cluster.network.pop_front().unwrap();
    cluster.deliver(&packet).unwrap();
    cluster.drive(packet.message.to.0);
    assert_eq!(cluster.network.len(), sent - 1);
    cluster.write_one(packet.message.to.0);
    assert_eq!(cluster.network.len(), sent);
}

#[test]
fn a_lone_voter_is_silent_until_its_own_vote_is_durable() {
    let mut cluster = Cluster::led_by_one(&[1]);
    cluster.compact(1);
    cluster.add(config(2, &[]));
    propose_seat(&mut cluster, 1, SeatChange::Learner(Incarnation(2))).unwrap();
    cluster.settle();
    cluster.compact(1);
    cluster.tick_all(20);
    let applied = cluster.member(1).applied;
    assert_eq!(cluster.member(2).applied, applied);
    cluster.restart(1);
    cluster.drive(1);
    cluster.node(1).campaign();
    cluster.drive(1);
    cluster.propose(1, b"in a term that is not durable");
    cluster.drive(1);
    assert!(cluster.node(1).is_leader());
    assert!(cluster.network.is_empty(), "the learner would believe a leader that may be forgotten");
    cluster.settle();
    assert_eq!(cluster.data(2).len(), 1);
}

#[test]
fn chaos_breaks_no_promise_and_quiet_brings_agreement() {
    for seed in 0..40 {
        let mut cluster = Cluster::new(&[1, 2, 3]);
        let mut chaos = Chaos { random: SplitMix64::new(seed), crashes: true };
        for _ in 0..2500 {
            chaos.step(&mut cluster);
        }
        for packet in std::mem::take(&mut cluster.network) {
            cluster.lose(&packet);
        }
        cluster.tick_all(150);
        let leader = cluster.leader().unwrap_or_else(|| panic!("seed {seed}: nobody leads"));
        cluster.propose(leader, b"the end");
        cluster.settle();
        cluster.tick_all(10);
        let ends: Vec<_> = (1..=3).map(|id| cluster.data(id).last().cloned()).collect();
        let end = Some(Payload::from(b"the end".to_vec()));
        assert!(ends.iter().all(|data| *data == end), "seed {seed}: {ends:?}");
        assert!(cluster.log.len() > 5, "seed {seed}: nothing happened");
    }
}

#[test]
fn one_seed_gives_one_history() {
    let history = |seed: u64| {
        let mut cluster = Cluster::new(&[1, 2, 3]);
        let mut chaos = Chaos { random: SplitMix64::new(seed), crashes: true };
        let mut history = Vec::new();
        for _ in 0..1500 {
            chaos.step(&mut cluster);
            history.push(cluster.network.back().map(|packet| packet.message.clone()));
        }
        (history, cluster.log)
    };
    for seed in 0..5 {
        assert_eq!(history(seed), history(seed));
    }
}

#[test]
fn election_timeouts_follow_from_the_seed_alone() {
    let elections = |seed: u64| {
        let mut config = config(1, &[1, 2, 3]);
        config.seed = seed;
        let mut node = Node::new(&config, RecoveredLog::default()).unwrap();
        let mut at = Vec::new();
        for tick in 0..2000 {
            node.tick();
            while let Some(ready) = node.ready() {
                node.persisted(ready.number);
                if !ready.messages.is_empty() || !ready.persisted_messages.is_empty() {
                    at.push(tick);
                }
            }
        }
        at
    };
    assert_eq!(elections(1), elections(1));
    assert_ne!(elections(1), elections(2));
    let at = elections(3);
    assert!(at.len() > 50);
    assert!(at.windows(2).all(|pair| (10..=19).contains(&(pair[1] - pair[0]))), "{at:?}");
}

#[test]
fn after_a_restart_what_is_applied_is_committed_and_what_is_committed_is_there() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    for number in 0..10_u8 {
        cluster.propose(1, &[number]);
        cluster.settle();
    }
    cluster.compact(2);
    cluster.propose(1, b"after the snapshot");
    cluster.settle();
    let log = cluster.log.clone();
    for id in 1..=3 {
        cluster.restart(id);
        let status = cluster.node(id).status();
        assert!(status.applied <= status.committed && status.committed <= status.last_index);
        assert_eq!(status.applied, if id == 2 { LogIndex(11) } else { LogIndex(0) });
        assert_eq!(status.persisted, status.last_index);
        assert_eq!(status.role, Role::Follower);
    }
    cluster.tick_all(60);
    for id in 1..=3 {
        assert_eq!(cluster.data(id).len(), 11);
    }
    assert!(log.iter().all(|(index, committed)| cluster.log.get(index) == Some(committed)));
}

#[test]
fn a_log_that_contradicts_itself_is_refused() {
    let entry = |index, term| LogEntry {
        index: LogIndex(index),
        term: Term(term),
        kind: EntryKind::Normal,
        data: Payload::default(),
    };
    let state = |term, committed| HardState {
        term: Term(term),
        vote: None,
        committed: LogIndex(committed),
    };
    let check = |recovered: RecoveredLog| match Node::new(&config(1, &[1]), recovered) {
        Ok(_) => true,
        Err(NodeError::Inconsistent(_)) => false,
        Err(NodeError::Configuration(what)) => panic!("{what}"),
    };
    let log = |entries, hard_state| RecoveredLog { snapshot: None, hard_state, entries };
    assert!(check(log(vec![entry(1, 1), entry(2, 3)], state(3, 2))));
    assert!(!check(log(vec![entry(2, 1)], state(1, 0))), "a gap");
    assert!(!check(log(vec![entry(1, 1), entry(3, 1)], state(1, 0))), "a gap");
    assert!(!check(log(vec![entry(1, 2), entry(2, 1)], state(2, 0))), "a term goes back");
    assert!(!check(log(vec![entry(1, 0)], state(2, 0))), "no term");
    assert!(!check(log(vec![entry(1, 1)], state(1, 2))), "committed and not there");
    assert!(!check(log(vec![entry(1, 2)], state(1, 0))), "a term that was never heard of");
    let odd = LogEntry { kind: EntryKind::Membership, data: vec![255].into(), ..entry(1, 1) };
    assert!(!check(log(vec![odd], state(1, 0))));
    let position = LogPosition { index: LogIndex(4), term: Term(1) };
    let snapshot = SnapshotMeta { position, conf_state: ConfState::default() };
    let nobody = RecoveredLog { snapshot: Some(snapshot), ..RecoveredLog::default() };
    assert!(!check(nobody), "no voter");
    let mut twice = config(1, &[1, 1]);
    assert!(matches!(Node::new(&twice, RecoveredLog::default()), Err(NodeError::Configuration(_))));
    twice.voters = vec![Incarnation(1)];
    twice.heartbeat_ticks = twice.election_ticks;
    assert!(matches!(Node::new(&twice, RecoveredLog::default()), Err(NodeError::Configuration(_))));
}

#[test]
fn a_member_that_lags_too_far_is_sent_the_snapshot_and_goes_on_from_it() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.cut = vec![Incarnation(3)];
    for number in 0..10_u8 {
        cluster.propose(1, &[number]);
        cluster.settle();
    }
    cluster.compact(1);
    assert_eq!(cluster.node(1).status().first_index, LogIndex(12));
    cluster.propose(1, b"behind it");
    cluster.settle();
    cluster.cut.clear();
    cluster.tick_all(20);
    assert_eq!(cluster.data(3), cluster.data(1));
    assert_eq!(cluster.member(3).disk.base().index, LogIndex(11));
    cluster.restart(3);
    cluster.tick_all(20);
    assert_eq!(cluster.data(3), cluster.data(1));
}

#[test]
fn a_snapshot_that_did_not_arrive_is_sent_again() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.cut = vec![Incarnation(3)];
    cluster.propose(1, b"data");
    cluster.settle();
    cluster.compact(1);
    cluster.cut.clear();
    let mut lost = 0;
    for _ in 0..40 {
        for id in 1..=3 {
            cluster.node(id).tick();
        }
        loop {
            for id in 1..=3 {
                cluster.finish(id);
            }
            let Some(packet) = cluster.network.pop_front() else { break };
            let is_snapshot = matches!(packet.message.kind, MessageKind::Snapshot(LogIndex(2)));
            if is_snapshot && lost < 3 {
                let peers = cluster.node(1).status().peers;
                assert_eq!(peers[2].state, PeerState::Snapshot);
                cluster.node(1).snapshot_sent(Incarnation(3), Delivery::Failed);
                lost += 1;
            } else {
                cluster.deliver(&packet).unwrap();
            }
        }
    }
    assert_eq!(lost, 3);
    assert_eq!(cluster.data(3), cluster.data(1));
}

#[test]
fn a_read_index_is_answered_by_the_leader_alone_and_asked_for_by_all() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.propose(1, b"data");
    cluster.settle();
    for id in 1..=3_u64 {
        cluster.node(id).read_index(id.to_le_bytes().to_vec()).unwrap();
        cluster.settle();
        let answers = &cluster.member(id).read_states;
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].index, LogIndex(2));
        assert_eq!(answers[0].context, id.to_le_bytes());
    }
    assert_eq!(cluster.node(1).read_index(Vec::new()), Err(ReadIndexError::NoContext));
    cluster.cut = vec![Incarnation(1)];
    cluster.node(1).read_index(b"cut off".to_vec()).unwrap();
    cluster.settle();
    assert_eq!(cluster.member(1).read_states.len(), 1, "nobody confirmed that it leads");
    let mut alone = Node::new(&config(1, &[1, 2]), RecoveredLog::default()).unwrap();
    assert_eq!(alone.read_index(b"?".to_vec()), Err(ReadIndexError::NoLeader));
}

#[test]
fn leadership_is_given_to_a_voter_that_is_up_to_date() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    assert_eq!(cluster.node(2).transfer_leader(Incarnation(3)), Err(TransferError::NotLeader));
    for wrong in [1, 9] {
        let to = Incarnation(wrong);
        assert_eq!(cluster.node(1).transfer_leader(to), Err(TransferError::NotAVoter(to)));
    }
    let best = cluster.node(1).best_other_voter().unwrap();
    cluster.node(1).transfer_leader(best).unwrap();
    assert_eq!(cluster.node(1).transferring_to(), Some(best));
    let dropped = cluster.node(1).propose(Term(1), b"data".to_vec());
    assert_eq!(dropped, Err(ProposeError::Dropped));
    cluster.settle();
    assert_eq!(cluster.leader(), Some(best.0));
    let stale = cluster.node(1).propose(Term(1), b"data".to_vec());
    assert_eq!(stale, Err(ProposeError::NotLeader { term: Term(1) }));
}

#[test]
fn a_leader_that_nobody_hears_steps_down() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.cut = vec![Incarnation(1)];
    cluster.tick_all(60);
    assert_ne!(cluster.leader(), Some(1));
    assert!(!cluster.node(1).is_leader());
    assert_eq!(cluster.node(1).term(), Term(1), "pre-votes do not raise the term");
}

#[test]
fn voters_that_forget_a_dead_leader_elect_another_at_once() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.tick_all(4);
    cluster.cut = vec![Incarnation(1)];
    cluster.node(2).campaign();
    cluster.settle();
    assert!(!cluster.node(2).is_leader(), "the others still believe in the leader");
    for id in [2, 3] {
        cluster.node(id).forget_leader();
    }
    cluster.node(2).campaign();
    cluster.settle();
    assert!(cluster.node(2).is_leader());
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
    for id in [4, 5] {
        propose_seat(&mut cluster, 1, SeatChange::Learner(Incarnation(id))).unwrap();
        cluster.settle();
        cluster.compact(1);
        cluster.add(config(id, &[]));
        cluster.tick_all(20);
    }
    let term = cluster.node(1).term();
    let seats = [4, 5].map(|id| SeatChange::Voter(Incarnation(id))).to_vec();
    let enter = MembershipChange::EnterJoint { seats, context: Vec::new() };
    // A member that does not hear of it is behind the leader's log.
    cluster.cut.push(Incarnation(5));
    cluster.node(1).propose_membership(term, &enter).unwrap();
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
        for id in [2, 3] {
            propose_seat(&mut cluster, 1, SeatChange::Learner(Incarnation(id))).unwrap();
            cluster.settle();
            cluster.compact(1);
            cluster.add(config(id, &[]));
            cluster.tick_all(20);
        }
        let term = cluster.node(1).term();
        let seats = [2, 3].map(|id| SeatChange::Voter(Incarnation(id))).to_vec();
        let enter = MembershipChange::EnterJoint { seats, context: Vec::new() };
        cluster.node(1).propose_membership(term, &enter).unwrap();
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

#[test]
fn a_leader_proposes_in_its_own_term_only() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    for term in [0, 2] {
        let refused = cluster.node(1).propose(Term(term), b"data".to_vec());
        assert_eq!(refused, Err(ProposeError::NotLeader { term: Term(term) }));
    }
    let follower = cluster.node(2).propose(Term(1), b"data".to_vec());
    assert_eq!(follower, Err(ProposeError::NotLeader { term: Term(1) }));
    cluster.drive(2);
    assert!(cluster.network.is_empty(), "a proposal is not forwarded");
}
