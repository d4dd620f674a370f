//! Frames of consensus from a member that is not what it should be: they are refused or taken, and nobody falls over it.

use super::test_cluster::Cluster;
use super::{CommittedEntry, Node, Payload};
use crate::base::ids::Incarnation;
use crate::fuzz::{Chance, Target, run};

/// Three members, of which the first leads and has written something; nothing is on the way.
fn cluster() -> Cluster {
    let mut cluster = Cluster::led_by_one(&[1, 2, 3]);
    for data in [b"one", b"two"] {
        cluster.propose(1, data);
        cluster.settle();
    }
    cluster
}

/// The first byte says who sends it to whom.
fn check(input: &[u8], chance: &mut Chance) -> bool {
    let Some((way, frame)) = input.split_first() else { return false };
    let (from, to) = (u64::from(way >> 4), u64::from(way & 15));
    if !(1..=3).contains(&to) {
        return false;
    }
    let mut cluster = cluster();
    let large = match chance.below(8) {
        0 => vec![Payload::from(vec![7; 40])],
        _ => Vec::new(),
    };
    let taken = cluster.node(to).step(Incarnation(from), frame, large).is_ok();
    do_all(cluster.node(to));
    taken
}

/// What a member does about it harms it neither. That it believes a liar is no fault: members are authenticated.
fn do_all(node: &mut Node) {
    while let Some(ready) = node.ready() {
        node.persisted(ready.number);
        if let Some(snapshot) = ready.snapshot {
            node.advance_applied(snapshot.position.index);
        }
        for committed in ready.committed {
            if let CommittedEntry::Membership(change) = &committed.entry {
                node.apply_membership(change).ok();
            }
            node.advance_applied(committed.index);
        }
    }
}

#[test]
fn raft() {
    let mut cluster = cluster();
    cluster.propose(1, b"three");
    let mut corpus = Vec::new();
    for round in 0..12_u64 {
        if round == 3 {
            cluster.node(1).tick();
            cluster.node(1).tick();
        }
        if round == 6 {
            cluster.node(2).campaign();
        }
        for id in 1..=3 {
            cluster.finish(id);
        }
        for packet in std::mem::take(&mut cluster.network) {
            let (from, to) = (packet.from, packet.message.to);
            let way = u8::try_from(from.0 << 4 | to.0).unwrap();
            corpus.push([vec![way], packet.message.frame.clone()].concat());
            // Those that it is too late for are errors, as they are in life.
            cluster.node(to.0).step(from, &packet.message.frame, packet.message.large).ok();
        }
    }
    corpus.retain(|input| check(input, &mut Chance(2)));
    assert!(corpus.len() > 5, "{} frames", corpus.len());
    let tokens = ["\u{8}", "\u{1}", "\u{7f}", "\0", "\u{12}", "\u{80}\u{80}\u{80}\u{80}\u{1}"];
    run(&Target { name: "raft", corpus, tokens: &tokens, cpu_ms_max: 2_000, check: &check });
}
