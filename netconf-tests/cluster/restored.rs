//! A member whose disk was put back from an older copy.

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::routes::{routes, shown};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for file in fs::read_dir(from).expect("its data") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

/// It has forgotten what it had acknowledged, which may be what a majority rests on: it must not vote as who it was.
#[test]
fn it_gives_up_its_seat_and_joins_again_by_itself() {
    let mut cluster = Cluster::start(3);
    cluster.session(0).edit("running", &routes([1])).ok();
    let restored = cluster.follower();
    let node = &mut cluster.nodes[restored];
    let incarnation = node.status()["incarnation"].as_u64().expect("a number");
    let (data, backup) = (node.agent.path("data"), node.agent.path("backup"));
    assert!(node.agent.terminate().success());
    copy(&data, &backup);
    node.spawn_with(&[]);
    node.ready();
    for id in 2..50 {
        cluster.session(restored).edit("running", &routes([id])).ok();
    }
    let expected: BTreeSet<u32> = (1..50).collect();
    let node = &mut cluster.nodes[restored];
    node.agent.kill();
    fs::remove_dir_all(&data).expect("the new data are lost");
    fs::rename(&backup, &data).expect("the old ones are put back");
    node.spawn_with(&[]);
    let ended = node.agent.await_ready().expect_err("it must not serve");
    assert!(ended.log.contains("quarantined: "), "{}", ended.log);
    assert!(ended.log.contains("start it again, and it joins by itself"), "{}", ended.log);
    // What restarts a service that failed does the rest.
    node.spawn_with(&[]);
    node.ready();
    assert!(node.status()["incarnation"].as_u64() > Some(incarnation), "as who it was");
    assert!(!data.join("rejoin").exists());
    assert_eq!(shown(&mut cluster.session(restored)), expected);
    eventually("its vote", || {
        cluster.nodes[restored].status()["voting"].as_bool().filter(|it| *it)
    });
    for node in 0..3 {
        let members = cluster.nodes[node].status();
        assert_eq!(members["member"].as_array().map(Vec::len), Some(3), "{members}");
        cluster.session(node).edit("running", &routes([100 + node as u32])).ok();
    }
    cluster.settled();
    // A restart is a restart.
    let node = &mut cluster.nodes[restored];
    assert!(node.agent.terminate().success());
    node.spawn_with(&[]);
    node.ready();
}
