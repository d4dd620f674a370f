//! Who becomes a member, who does not, and who ceases to be one.

use super::load::{judge, under_load};
use super::warns_of_a_loss;
use crate::support::cluster::{Cluster, free_address};
use crate::support::eventually;
use crate::support::routes::{routes, shown};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// The exit status of a node that was removed: `RestartPreventExitStatus` in conf/quorate.service.
const REMOVED: i32 = 3;

impl Cluster {
    /// Lets one more node try to join a member with a token: what it says as it ends.
    #[track_caller]
    fn refused(&mut self, member: usize, token: &str) -> String {
        let member = self.nodes[member].address.clone();
        let node = self.add();
        self.nodes[node].spawn_with(&["--join", &member, "--token", token]);
        let refused = self.nodes[node].agent.await_ready().expect_err("it must not join");
        assert!(!refused.status.success());
        let last = refused.log.lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("quorate: this node cannot join: "), "{}", refused.log);
        last
    }

    /// The names of the members, as a node knows them.
    fn members(&self, node: usize) -> BTreeSet<String> {
        let status = self.nodes[node].status();
        let members = status["member"].as_array().expect("members").iter();
        members.map(|member| member["name"].as_str().expect("a name").to_owned()).collect()
    }
}

fn names(nodes: &[usize]) -> BTreeSet<String> {
    nodes.iter().map(|node| format!("node-{node}")).collect()
}

#[test]
fn a_node_joins_while_others_write() {
    let mut cluster = Cluster::start(3);
    let ledgers = under_load(&mut cluster, |cluster| {
        std::thread::sleep(Duration::from_millis(500));
        let node = cluster.join(2);
        // It has everything before it serves anybody.
        assert!(!shown(&mut cluster.session(node)).is_empty());
        eventually("its vote", || {
            cluster.nodes[node].status()["voting"].as_bool().filter(|voting| *voting)
        });
        std::thread::sleep(Duration::from_millis(500));
    });
    judge(&cluster, &ledgers);
    assert_eq!(cluster.members(3), names(&[0, 1, 2, 3]));
}

/// As a rule by one change: the agent's tests hold that.
#[test]
fn two_nodes_that_join_at_once_get_their_votes() {
    let mut cluster = Cluster::start(1);
    cluster.session(0).edit("running", &routes([1])).ok();
    let joining = [cluster.spawn_join(0), cluster.spawn_join(0)];
    for node in joining {
        cluster.ready(node);
    }
    for node in 0..3 {
        eventually("three voters", || {
            let status = cluster.nodes[node].status();
            let members = status["member"].as_array().expect("members").iter();
            let voting = members.filter(|member| member["voting"].as_bool() == Some(true)).count();
            let settled = status["outgoing-voter"].as_array().expect("names").is_empty();
            (voting == 3 && settled).then_some(())
        });
    }
    // One of them may fail.
    let leader = cluster.leader();
    cluster.nodes[leader].agent.kill();
    let other = cluster.leader();
    let mut session = cluster.session(other);
    session.edit("running", &routes([2])).ok();
    assert_eq!(shown(&mut session), BTreeSet::from([1, 2]));
}

#[test]
fn a_member_that_leaves_says_so_and_ends() {
    let mut cluster = Cluster::start(4);
    cluster.session(3).edit("running", &routes([1])).ok();
    // Two that connect to each other at the same moment may have lost a connection before.
    let said: Vec<usize> = (0..3).map(|node| cluster.nodes[node].agent.log().len()).collect();
    cluster.nodes[3].order(&["leave"]);
    let log = cluster.nodes[3].agent.await_end();
    assert!(log.contains("this node was removed from its cluster"), "{log}");
    for node in 0..3 {
        eventually("three members", || (cluster.members(node) == names(&[0, 1, 2])).then_some(()));
        let log = cluster.nodes[node].agent.log();
        assert!(!warns_of_a_loss(&log[said[node]..]), "it was wanted: {log}");
        cluster.session(node).edit("running", &routes([node as u32])).ok();
    }
    // The leader can leave, too.
    let leader = cluster.leader();
    cluster.nodes[leader].order(&["leave"]);
    cluster.nodes[leader].agent.await_end();
    let mut session = cluster.session(cluster.follower());
    session.edit("running", &routes([7])).ok();
    assert_eq!(shown(&mut session), BTreeSet::from([0, 1, 2, 7]));
}

#[test]
fn a_removed_member_says_so_and_ends_and_comes_back_with_a_token_alone() {
    let mut cluster = Cluster::start(3);
    cluster.nodes[0].order(&["remove", "node-2"]);
    let log = cluster.nodes[2].agent.await_end();
    assert!(log.contains("this node was removed from its cluster"), "{log}");
    assert_eq!(cluster.members(0), names(&[0, 1]));
    let mut session = cluster.session(1);
    session.edit("running", &routes([1])).ok();
    // Without a token it does not come back.
    cluster.nodes[2].spawn_with(&[]);
    let refused = cluster.nodes[2].agent.await_ready().expect_err("it has no seat");
    assert_eq!(refused.status.code(), Some(REMOVED), "{}", refused.log);
    assert!(refused.log.contains("--token"), "it says how it can come back: {}", refused.log);
    // With one it does; it had no configuration that the cluster does not have, but it was told to give up what it has.
    let (token, member) = (cluster.nodes[0].token(), cluster.nodes[0].address.clone());
    let arguments = ["--join", &member, "--token", &token, "--discard-local-data"];
    cluster.nodes[2].spawn_with(&arguments);
    cluster.ready(2);
    assert_eq!(shown(&mut cluster.session(2)), BTreeSet::from([1]));
    assert_eq!(cluster.members(2), names(&[0, 1, 2]));
}

/// A member that was removed while it was away learns of it when it is back.
#[test]
fn a_member_that_was_removed_while_it_was_away_ends_when_it_is_back() {
    let mut cluster = Cluster::start(3);
    cluster.nodes[2].agent.kill();
    cluster.nodes[0].order(&["remove", "node-2"]);
    cluster.nodes[2].spawn_with(&[]);
    let refused = cluster.nodes[2].agent.await_ready().expect_err("it has no seat");
    assert!(refused.log.contains("removed"), "{}", refused.log);
    assert_eq!(refused.status.code(), Some(REMOVED), "{}", refused.log);
}

#[test]
fn a_token_is_good_for_one_node_of_its_cluster_and_for_its_time() {
    let mut cluster = Cluster::start(1);
    let used = cluster.nodes[0].token();
    let member = cluster.nodes[0].address.clone();
    let node = cluster.add();
    cluster.nodes[node].spawn_with(&["--join", &member, "--token", &used]);
    cluster.ready(node);
    for through in [0, node] {
        let said = cluster.refused(through, &used);
        assert!(said.contains("token"), "{said}");
    }
    let old = cluster.nodes[0].order(&["token", "--valid-for", "1s"]);
    std::thread::sleep(Duration::from_millis(1100));
    let said = cluster.refused(0, &old);
    assert!(said.contains("token") && said.contains("old"), "{said}");
    let other = Cluster::start(1).nodes[0].token();
    let said = cluster.refused(0, &other);
    assert!(said.contains("take a token of that cluster"), "{said}");
    let token = cluster.nodes[0].token();
    let broken = &token[..token.len() - 1];
    let node = cluster.add();
    cluster.nodes[node].spawn_with(&["--join", &member, "--token", broken]);
    let refused = cluster.nodes[node].agent.await_ready().expect_err("it must not join");
    assert!(refused.log.contains("copy it again"), "{}", refused.log);
    assert_eq!(cluster.members(0), names(&[0, 1]));
}

#[test]
fn a_name_is_a_members_alone() {
    let mut cluster = Cluster::start(2);
    let token = cluster.nodes[0].token();
    let member = cluster.nodes[0].address.clone();
    let node = cluster.add();
    cluster.nodes[node].agent.settings().arguments =
        ["--node-name", "node-1", "--peer", &free_address()].map(str::to_owned).to_vec();
    cluster.nodes[node].spawn_with(&["--join", &member, "--token", &token]);
    let refused = cluster.nodes[node].agent.await_ready().expect_err("it must not join");
    assert!(refused.log.contains("node-1"), "{}", refused.log);
}

#[test]
fn other_models_are_no_members() {
    let mut cluster = Cluster::start(1);
    let token = cluster.nodes[0].token();
    let member = cluster.nodes[0].address.clone();
    let node = cluster.add();
    cluster.nodes[node].agent.settings().modules = Some(vec!["bench-routes".to_owned()]);
    cluster.nodes[node].spawn_with(&["--join", &member, "--token", &token]);
    let refused = cluster.nodes[node].agent.await_ready().expect_err("it must not join");
    assert!(refused.log.contains("serves other YANG models"), "{}", refused.log);
}

/// A node that has a configuration of its own gives it up only if it is told so, and keeps it in a file.
#[test]
fn local_data_is_exported_before_it_is_given_up() {
    let mut cluster = Cluster::start(1);
    cluster.session(0).edit("running", &routes([1])).ok();
    let member = cluster.nodes[0].address.clone();
    let node = cluster.add();
    cluster.nodes[node].spawn_with(&[]);
    cluster.ready(node);
    cluster.session(node).edit("running", &routes([7, 8])).ok();
    assert!(cluster.nodes[node].agent.terminate().success());
    let token = cluster.nodes[0].token();
    let join = ["--join", &member, "--token", &token];
    cluster.nodes[node].spawn_with(&join);
    let refused = cluster.nodes[node].agent.await_ready().expect_err("it must not join");
    assert!(refused.log.contains("--discard-local-data"), "{}", refused.log);
    assert!(exports(&cluster, node).is_empty());
    // Nothing of it is lost: it still is what it was.
    cluster.nodes[node].agent.run();
    assert_eq!(shown(&mut cluster.session(node)), BTreeSet::from([7, 8]));
    assert!(cluster.nodes[node].agent.terminate().success());
    // The token was not used up.
    cluster.nodes[node].spawn_with(&[&join[..], &["--discard-local-data"]].concat());
    cluster.ready(node);
    assert_eq!(shown(&mut cluster.session(node)), BTreeSet::from([1]));
    let [export] = exports(&cluster, node).try_into().expect("one file");
    // It is what another node can begin with.
    let file = export.display().to_string();
    let again = Cluster::founded(&["--initial-config", &file]);
    assert_eq!(shown(&mut again.session(0)), BTreeSet::from([7, 8]));
}

fn exports(cluster: &Cluster, node: usize) -> Vec<PathBuf> {
    let files = std::fs::read_dir(cluster.nodes[node].agent.path("data")).expect("its data");
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "xml")).collect()
}

/// What its log began with were two members: it must not wait for the other one.
#[test]
fn the_last_member_of_a_cluster_serves_again_after_a_restart() {
    let mut cluster = Cluster::start(2);
    cluster.session(0).edit("running", &routes([1])).ok();
    cluster.nodes[1].order(&["leave"]);
    cluster.nodes[1].agent.await_end();
    cluster.session(0).edit("running", &routes([2])).ok();
    cluster.nodes[0].agent.kill();
    cluster.nodes[0].spawn_with(&[]);
    cluster.nodes[0].ready();
    let mut session = cluster.session(0);
    session.edit("running", &routes([3])).ok();
    assert_eq!(shown(&mut session), BTreeSet::from([1, 2, 3]));
}
