//! Members that are cut off from each other. Each runs in a network namespace of its own, and nftables takes away what is
//! between them. That needs root and `nft`; without them nothing is tested here.

use super::load::{judge, under_load};
use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::routes::{read_routes, routes, shown};
use crate::support::session::edit_config;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Namespaces with a cable between any two: node `n` has the address 10.77.0.(n + 1).
struct Network {
    name: String,
    nodes: usize,
}

impl Network {
    /// `None` where there can be none.
    fn new(nodes: usize) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let is_there = |program: &str| succeeds(program, &["-V"]);
        if !rustix::process::geteuid().is_root() || !is_there("nft") || !is_there("ip") {
            eprintln!("not tested: partitions need root, `ip` and `nft`");
            return None;
        }
        let name = format!("q{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network = Self { name, nodes };
        for node in 0..nodes {
            ip(&format!("netns add {}", network.of(node)));
            ip(&format!("-n {} link set lo up", network.of(node)));
            for other in 0..node {
                network.connect(node, other);
            }
        }
        Some(network)
    }

    /// A cable between two.
    fn connect(&self, one: usize, other: usize) {
        let (a, b) = (self.of(one), self.of(other));
        ip(&format!("link add e{other} netns {a} type veth peer e{one} netns {b}"));
        for (from, to) in [(one, other), (other, one)] {
            let (namespace, own, peer) = (self.of(from), host(from), host(to));
            ip(&format!("-n {namespace} addr add {own} peer {peer} dev e{to}"));
            ip(&format!("-n {namespace} link set e{to} up"));
        }
    }

    fn of(&self, node: usize) -> String {
        format!("{}-{node}", self.name)
    }

    /// A cluster of all nodes.
    fn cluster(&self) -> Cluster {
        let place = |node: usize| {
            let runner = ["ip", "netns", "exec", &self.of(node)].map(str::to_owned).to_vec();
            (format!("{}:8830", host(node)), runner)
        };
        Cluster::start_at((0..self.nodes).map(place))
    }

    /// Nothing that `from` sends reaches `to` any more.
    fn cut(&self, from: usize, to: usize) {
        let rules = format!(
            "add table inet cut\n\
             add chain inet cut input {{ type filter hook input priority 0; }}\n\
             add rule inet cut input ip saddr {} drop",
            host(from)
        );
        assert!(succeeds("ip", &["netns", "exec", &self.of(to), "nft", &rules]), "nft {rules}");
    }

    /// Both directions between these and all others.
    fn isolate(&self, isolated: &[usize]) {
        for one in isolated {
            for other in (0..self.nodes).filter(|other| !isolated.contains(other)) {
                self.cut(*one, other);
                self.cut(other, *one);
            }
        }
    }

    fn heal(&self) {
        for node in 0..self.nodes {
            let command = ["netns", "exec", &self.of(node), "nft", "flush", "ruleset"];
            assert!(succeeds("ip", &command));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in (0..self.nodes).map(|node| self.of(node)) {
            succeeds("ip", &["netns", "del", &namespace]);
        }
    }
}

fn host(node: usize) -> String {
    format!("10.77.0.{}", node + 1)
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[track_caller]
fn ip(arguments: &str) {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    assert!(succeeds("ip", &words), "ip {arguments}");
}

/// The members that are none of these.
fn others(cluster: &Cluster, cut_off: &[usize]) -> Vec<usize> {
    (0..cluster.nodes.len()).filter(|node| !cut_off.contains(node)).collect()
}

#[test]
fn the_majority_goes_on_and_the_minority_refuses() {
    let Some(network) = Network::new(3) else { return };
    let cluster = network.cluster();
    let mut expected = BTreeSet::new();
    for (id, alone) in [cluster.leader(), cluster.follower()].into_iter().enumerate() {
        let mut lonely = cluster.session(alone);
        network.isolate(&[alone]);
        let cut = Instant::now();
        let majority = others(&cluster, &[alone]);
        eventually("a leader of the majority", || cluster.leader_among(&majority));
        eprintln!("the majority had a leader after {:?}", cut.elapsed());
        for &node in &majority {
            let id = (id * 10 + node) as u32;
            cluster.session(node).edit("running", &routes([id])).ok();
            expected.insert(id);
        }
        for &node in &majority {
            assert_eq!(shown(&mut cluster.session(node)), expected);
        }
        eventually("it sees that it is alone", || {
            cluster.nodes[alone].status()["leader"].is_null().then_some(())
        });
        let read = lonely.request(&read_routes()).fails_with("resource-denied");
        assert_eq!(read.app_tag.as_deref(), Some("quorate:no-quorum"), "{}", read.message);
        // Once: it waits for a leader first.
        if id == 0 {
            let write = lonely.edit("running", &routes([999])).fails_with("resource-denied");
            assert_eq!(write.app_tag.as_deref(), Some("quorate:no-leader"), "{}", write.message);
        }
        network.heal();
        let healed = Instant::now();
        eventually("it is back", || {
            let reply = lonely.request(&read_routes());
            reply.element.find("data").is_some().then_some(())
        });
        eprintln!("it served again after {:?}", healed.elapsed());
        assert_eq!(shown(&mut lonely), expected, "it shows nothing old");
        cluster.settled();
    }
}

#[test]
fn partitions_under_load_lose_nothing() {
    let Some(network) = Network::new(3) else { return };
    let mut cluster = network.cluster();
    let ledgers = under_load(&mut cluster, |cluster| {
        for round in 0..6 {
            std::thread::sleep(Duration::from_millis(300));
            let (leader, follower) = (cluster.leader(), cluster.follower());
            match round % 3 {
                0 => network.isolate(&[leader]),
                1 => network.isolate(&[follower]),
                // In one direction alone.
                _ => network.cut(leader, follower),
            }
            std::thread::sleep(Duration::from_millis(900));
            network.heal();
        }
    });
    judge(&cluster, &ledgers);
}

/// Without any two that hear each other nobody leads; with them again there is one leader.
#[test]
fn when_all_are_alone_nobody_takes_writes() {
    let Some(network) = Network::new(3) else { return };
    let cluster = network.cluster();
    let mut sessions: Vec<_> = (0..3).map(|node| cluster.session(node)).collect();
    sessions[0].edit("running", &routes([1])).ok();
    network.isolate(&[0]);
    network.isolate(&[1]);
    let sent: Vec<String> = (0..3)
        .map(|node| {
            eventually("it sees that it is alone", || {
                cluster.nodes[node].status()["leader"].is_null().then_some(())
            });
            let edit = edit_config("running", "", &routes([2]));
            sessions[node].send(&edit)
        })
        .collect();
    for (session, id) in sessions.iter_mut().zip(sent) {
        session.reply_to(&id).fails_with("resource-denied");
    }
    network.heal();
    cluster.leader();
    sessions[2].edit("running", &routes([3])).ok();
    assert_eq!(shown(&mut sessions[1]), BTreeSet::from([1, 3]));
}
