//! Long transactions: they are replicated beside what is prompt, so that nobody takes a member at work for a dead one.

use crate::support::cluster::Cluster;
use crate::support::reply::Reply;
use crate::support::routes::{routes, shown};
use crate::support::session::{Session, edit_config};
use std::fmt::Write as _;
use std::time::Duration;

/// Entries of a long transaction.
const ENTRIES: u32 = 20_000;
/// Characters of each entry's description.
const LENGTH: usize = 1_000;

/// 21 MB.
fn long_edit() -> String {
    let description = "x".repeat(LENGTH);
    let mut content = String::from("<routes xmlns=\"urn:bench:routes\">");
    for id in 0..ENTRIES {
        write!(
            content,
            "<route><id>{id:07}</id><next-hop>192.0.2.1</next-hop>\
             <description>{description}</description></route>"
        )
        .expect("memory");
    }
    content.push_str("</routes>");
    edit_config("running", "", &content)
}

/// How often each node has seen another leader.
fn leaderships(cluster: &Cluster) -> Vec<u64> {
    let count = |&node: &usize| {
        let state = cluster.nodes[node].status();
        state["leadership-changes"].as_u64().expect("a number")
    };
    cluster.running().iter().map(count).collect()
}

/// Sends the long edit to a node while something happens in the cluster.
fn meanwhile(
    cluster: &mut Cluster,
    node: usize,
    action: impl FnOnce(&mut Cluster),
) -> Option<Reply> {
    let mut session = cluster.session(node);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || session.try_request(&long_edit()));
        action(cluster);
        writer.join().expect("the writer")
    })
}

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn a_long_transaction_costs_no_election_and_others_write_meanwhile() {
    let mut cluster = Cluster::start(3);
    let (leader, origin) = (cluster.leader(), cluster.follower());
    let before = leaderships(&cluster);
    let mut written = 0;
    let reply = meanwhile(&mut cluster, origin, |cluster| {
        let other = (0..3).find(|node| ![leader, origin].contains(node)).expect("a third");
        let mut session: Session = cluster.session(other);
        for id in 0..10 {
            session.edit("running", &routes([9_000_000 + id])).ok();
            written += 1;
        }
    });
    reply.expect("an answer").ok();
    cluster.settled();
    assert_eq!(leaderships(&cluster), before, "a member at work was taken for a dead one");
    for node in 0..3 {
        let found = shown(&mut cluster.session(node)).len();
        assert_eq!(found, ENTRIES as usize + written, "on node-{node}");
    }
}

#[test]
fn members_that_die_or_stand_still_in_a_long_transaction_have_it_afterwards() {
    let mut cluster = Cluster::start(3);
    let (leader, origin) = (cluster.leader(), cluster.follower());
    let other = (0..3).find(|node| ![leader, origin].contains(node)).expect("a third");
    cluster.nodes[other].pause();
    meanwhile(&mut cluster, origin, |_| {}).expect("an answer").ok();
    cluster.nodes[other].resume();
    cluster.settled();
    cluster.session(origin).set_running("");
    meanwhile(&mut cluster, origin, |cluster| {
        pause(1_000);
        cluster.nodes[other].agent.kill();
    })
    .expect("an answer")
    .ok();
    cluster.nodes[other].agent.run();
    cluster.settled();
    for node in 0..3 {
        assert_eq!(shown(&mut cluster.session(node)).len(), ENTRIES as usize, "on node-{node}");
    }
}

#[test]
fn the_death_of_the_leader_in_a_long_transaction_leaves_all_of_it_or_nothing() {
    let mut cluster = Cluster::start(3);
    let (leader, origin) = (cluster.leader(), cluster.follower());
    let reply = meanwhile(&mut cluster, origin, |cluster| {
        pause(1_500);
        cluster.nodes[leader].agent.kill();
    })
    .expect("an answer");
    let is_there = match &reply {
        reply if reply.is_ok() => Some(true),
        reply => {
            assert_eq!(reply.error().app_tag.as_deref(), Some("quorate:outcome-unknown"));
            None
        }
    };
    cluster.nodes[leader].agent.run();
    cluster.leader();
    cluster.session(leader).edit("running", &routes([9_000_000])).ok();
    cluster.settled();
    let found = shown(&mut cluster.session(origin)).len() - 1;
    assert!(found == ENTRIES as usize || found == 0 && is_there.is_none(), "{found} entries");
}
