//! Traps of the crate, each of which once ended a process or lost a write, and frames that no correct peer sends.

use super::test_cluster::{Cluster, config};
use super::{
    EntryKind, HardState, LogEntry, MembershipChange, Node, Payload, ProposeError, RecoveredLog,
    Role, SeatChange, SplitMix64, StepError,
};
use crate::base::ids::{Incarnation, LogIndex, Term};
use prost::Message as _;
use raft::eraftpb::{ConfState, Entry, EntryType, Message, MessageType, Snapshot};

/// Member 2 leads, with the change of its own seat in its log, not yet committed.
fn led_by_a_member_about_to_lose(seat: SeatChange) -> Cluster {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    let change = MembershipChange::Simple { seat, context: Vec::new() };
    cluster.node(1).propose_membership(Term(1), &change).unwrap();
    cluster.finish(1);
    // 2 and 3 take the entry, their answers never arrive.
    for packet in std::mem::take(&mut cluster.network) {
        cluster.deliver(&packet).unwrap();
    }
    cluster.finish(2);
    cluster.finish(3);
    cluster.network.clear();
    cluster.cut = vec![Incarnation(1)];
    cluster.node(2).forget_leader();
    cluster.node(3).forget_leader();
    cluster.node(2).campaign();
    while !cluster.node(2).is_leader() {
        cluster.finish(2);
        cluster.finish(3);
        let packet = cluster.network.pop_front().expect("2 does not win");
        cluster.deliver(&packet).unwrap();
    }
    cluster
}

#[test]
fn a_leader_that_loses_its_seat_with_entries_on_their_way_to_the_disk_goes_on_living() {
    for seat in [SeatChange::Removed(Incarnation(2)), SeatChange::Learner(Incarnation(2))] {
        let mut cluster = led_by_a_member_about_to_lose(seat);
        cluster.finish(2);
        for packet in std::mem::take(&mut cluster.network) {
            cluster.deliver(&packet).unwrap();
        }
        cluster.finish(3);
        // Proposed and not durable, when the acknowledgement of the change arrives.
        let term = cluster.node(2).term();
        cluster.node(2).propose(term, b"pipelined".to_vec()).unwrap();
        let acknowledgements = std::mem::take(&mut cluster.network);
        for packet in &acknowledgements {
            cluster.deliver(packet).unwrap();
        }
        cluster.drive(2);
        assert!(!cluster.node(2).is_voter());
        assert!(!cluster.node(2).is_leader(), "it leads on without a vote");
        assert_eq!(
            cluster.node(2).propose(term, b"more".to_vec()),
            Err(ProposeError::NotLeader { term })
        );
        while cluster.write_one(2) {
            cluster.drive(2);
        }
        // It asked 3 to take over, and 3 needs the vote of 1.
        cluster.cut.clear();
        cluster.settle();
        cluster.tick_all(60);
        let leader = cluster.leader().unwrap();
        assert_ne!(leader, 2);
        cluster.propose(leader, b"on we go");
        cluster.settle();
        assert_eq!(cluster.data(leader).last().map(|data| data.len()), Some(8));
    }
}

#[test]
fn a_proposal_of_a_stale_leader_reaches_nobody() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.node(1).transfer_leader(Incarnation(2)).unwrap();
    cluster.settle();
    let last = cluster.node(2).last_index();
    assert!(cluster.node(1).propose(Term(1), b"of term 1".to_vec()).is_err());
    cluster.settle();
    assert_eq!(cluster.node(2).last_index(), last);
}

#[test]
fn a_wiped_member_is_told_so_and_does_not_die() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.propose(1, b"data");
    cluster.settle();
    cluster.add(config(3, &[1, 2, 3]));
    cluster.node(1).tick();
    cluster.node(1).tick();
    cluster.finish(1);
    let outcomes: Vec<_> = std::mem::take(&mut cluster.network)
        .iter()
        .filter(|packet| packet.message.to == Incarnation(3))
        .map(|packet| cluster.deliver(packet))
        .collect();
    let lost = StepError::LogLost { needed: LogIndex(2), last: LogIndex(0) };
    assert_eq!(outcomes, [Err(lost)]);
}

#[test]
fn a_voter_that_is_left_alone_does_not_elect_itself_over_entries_that_are_not_durable() {
    let removal =
        MembershipChange::Simple { seat: SeatChange::Removed(Incarnation(1)), context: Vec::new() };
    let entry = |index, kind, data: Vec<u8>| LogEntry {
        index: LogIndex(index),
        term: Term(1),
        kind,
        data: Payload::from(data),
    };
    let change = removal.to_crate().encode_to_vec();
    let recovered = RecoveredLog {
        snapshot: None,
        hard_state: HardState { term: Term(1), vote: None, committed: LogIndex(1) },
        entries: vec![
            entry(1, EntryKind::Normal, Vec::new()),
            entry(2, EntryKind::Membership, change),
        ],
    };
    let mut node = Node::new(&config(2, &[1, 2]), recovered).unwrap();
    let last_words = Message { commit: 2, ..append(2, 1, &[(3, 1)]) };
    node.step(Incarnation(1), &last_words.encode_to_vec(), Vec::new()).unwrap();
    let ready = node.ready().unwrap();
    assert_eq!(ready.persist.entries.len(), 1);
    assert_eq!(ready.committed.len(), 2);
    node.apply_membership(&removal).unwrap();
    node.advance_applied(LogIndex(2));
    for _ in 0..50 {
        node.tick();
    }
    node.campaign();
    assert_eq!(node.status().role, Role::Follower);
    node.persisted(ready.number);
    node.tick();
    assert_eq!(node.status().role, Role::Leader);
}

fn message(kind: MessageType) -> Message {
    let mut message = Message { from: 1, to: 2, term: 1, ..Message::default() };
    message.set_msg_type(kind);
    message
}

fn step(message: &Message) -> Result<(), StepError> {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.tick_all(2);
    let outcome = cluster.node(2).step(Incarnation(1), &message.encode_to_vec(), Vec::new());
    cluster.settle();
    outcome
}

#[track_caller]
fn check_malformed(message: &Message) {
    let outcome = step(message);
    assert!(matches!(outcome, Err(StepError::Malformed { .. })), "{outcome:?}");
}

fn append(index: u64, log_term: u64, entries: &[(u64, u64)]) -> Message {
    let entries = entries.iter().map(|(index, term)| Entry {
        index: *index,
        term: *term,
        ..Entry::default()
    });
    Message { index, log_term, entries: entries.collect(), ..message(MessageType::MsgAppend) }
}

#[test]
fn frames_that_only_the_node_itself_may_step_are_refused() {
    for kind in [
        MessageType::MsgPropose,
        MessageType::MsgTransferLeader,
        MessageType::MsgHup,
        MessageType::MsgBeat,
        MessageType::MsgUnreachable,
        MessageType::MsgSnapStatus,
        MessageType::MsgCheckQuorum,
    ] {
        for term in [0, 1] {
            let refused = step(&Message { term, ..message(kind) });
            assert_eq!(refused, Err(StepError::NotForPeers { from: Incarnation(1) }));
        }
    }
}

#[test]
fn frames_that_the_crate_would_not_survive_are_refused() {
    let vote = message(MessageType::MsgRequestVote);
    check_malformed(&Message { term: 0, ..vote.clone() });
    check_malformed(&Message { from: 3, ..vote.clone() });
    check_malformed(&Message { to: 1, ..vote.clone() });
    check_malformed(&Message { msg_type: 77, ..vote.clone() });
    check_malformed(&Message { term: u64::MAX, ..vote.clone() });
    check_malformed(&Message { entries: vec![Entry::default()], ..vote });
    check_malformed(&append(9, 0, &[]));
    check_malformed(&append(0, 1, &[]));
    check_malformed(&append(1, 2, &[]));
    check_malformed(&append(1, 1, &[(3, 1)]));
    check_malformed(&append(1, 1, &[(2, 1), (2, 1)]));
    check_malformed(&append(1, 1, &[(2, 0)]));
    check_malformed(&append(1, 1, &[(2, 2)]));
    let mut old_kind = append(1, 1, &[(2, 1)]);
    old_kind.entries[0].set_entry_type(EntryType::EntryConfChange);
    check_malformed(&old_kind);
    let mut odd_change = append(1, 1, &[(2, 1)]);
    odd_change.entries[0].set_entry_type(EntryType::EntryConfChangeV2);
    odd_change.entries[0].data = vec![255];
    check_malformed(&odd_change);
    let mut context = append(1, 1, &[(2, 1)]);
    context.entries[0].context = vec![1];
    check_malformed(&context);
    let read = Message { term: 0, ..message(MessageType::MsgReadIndex) };
    check_malformed(&read);
    check_malformed(&Message { entries: vec![Entry::default()], ..read });
}

#[test]
fn snapshots_with_members_that_cannot_be_are_refused() {
    let snapshot = |voters: &[u64], index| {
        let mut snapshot = Snapshot::default();
        snapshot.mut_metadata().index = index;
        snapshot.mut_metadata().term = 1;
        let conf_state = ConfState { voters: voters.to_vec(), ..ConfState::default() };
        snapshot.mut_metadata().set_conf_state(conf_state);
        snapshot
    };
    let stepped =
        |snapshot| step(&Message { snapshot: Some(snapshot), ..message(MessageType::MsgSnapshot) });
    let malformed = |outcome| matches!(outcome, Err(StepError::Malformed { .. }));
    assert!(malformed(stepped(snapshot(&[], 9))));
    assert!(malformed(stepped(snapshot(&[1, 1], 9))));
    assert!(malformed(stepped(snapshot(&[1, 2], 0))));
    let mut data = snapshot(&[1, 2], 9);
    data.data = vec![1];
    assert!(malformed(stepped(data)));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    let mut claim = Message { from: 2, to: 1, index: 9, ..message(MessageType::MsgAppendResponse) };
    claim.term = 1;
    let outcome = cluster.node(1).step(Incarnation(2), &claim.encode_to_vec(), Vec::new());
    assert!(matches!(outcome, Err(StepError::Malformed { .. })));
    let stranger = Message { from: 9, index: 1, ..claim };
    let outcome = cluster.node(1).step(Incarnation(9), &stranger.encode_to_vec(), Vec::new());
    assert_eq!(outcome, Err(StepError::NoSeat { from: Incarnation(9) }));
}

#[test]
fn a_leader_that_contradicts_what_is_committed_is_found_out() {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    cluster.propose(1, b"data");
    cluster.settle();
    cluster.tick_all(3);
    let other = Message { term: 2, ..append(1, 1, &[(2, 2)]) };
    let outcome = cluster.node(2).step(Incarnation(1), &other.encode_to_vec(), Vec::new());
    assert_eq!(outcome, Err(StepError::CommittedConflict { index: LogIndex(2) }));
}

#[test]
fn no_damaged_frame_ends_a_node() {
    let mut random = SplitMix64::new(5);
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    let mut frames = Vec::new();
    cluster.node(2).read_index(b"context".to_vec()).unwrap();
    for round in 0..30_u8 {
        cluster.propose(1, &[round; 20]);
        cluster.node(1).tick();
        for id in 1..=3 {
            cluster.finish(id);
        }
        frames.extend(cluster.network.iter().cloned());
        cluster.settle();
    }
    cluster.node(1).transfer_leader(Incarnation(2)).unwrap();
    cluster.finish(1);
    frames.extend(cluster.network.iter().cloned());
    cluster.settle();
    let mut refused = 0;
    for round in 0..6000 {
        let mut packet = frames[random.place(frames.len())].clone();
        for _ in 0..=random.below(3) {
            let place = random.place(packet.message.frame.len());
            packet.message.frame[place] ^= 1 << random.below(8);
        }
        // Each on a fresh node: what a changed frame makes it believe is not the matter here.
        let id = packet.message.to.0;
        let member = cluster.member(id);
        let mut node = Node::new(&member.config, member.disk.clone()).unwrap();
        if round % 2 == 0 {
            node.campaign();
        }
        refused += u32::from(
            node.step(packet.from, &packet.message.frame, packet.message.large.clone()).is_err(),
        );
        while let Some(ready) = node.ready() {
            node.persisted(ready.number);
        }
    }
    assert!(refused > 1000);
}

#[test]
fn an_empty_log_with_no_voters_waits() {
    let mut node = Node::new(&config(4, &[]), RecoveredLog::default()).unwrap();
    for _ in 0..100 {
        node.tick();
    }
    node.campaign();
    assert!(node.ready().is_none());
    assert_eq!(node.term(), Term(0));
}
