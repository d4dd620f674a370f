//! The rules of `Ready`, and what the doors of `Node` promise.

use super::test_cluster::{Chaos, Cluster, config};
use super::{
    CommittedEntry, ConfState, Delivery, EntryKind, HardState, LogEntry, LogPosition,
    MembershipChange, MembershipError, MessageKind, Node, NodeError, Payload, PeerState,
    ProposeError, ReadIndexError, RecoveredLog, Role, SeatChange, SnapshotMeta, SplitMix64,
    TransferError, WaitForSync,
};
use crate::base::ids::{Incarnation, LogIndex, Term};

mod members;

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
