//! Linearizable reads: the attribute `consistency`, and the setting `reads`.

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::reply::Reply;
use crate::support::routes::{ids, read_routes, routes};
use crate::support::session::Session;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Reads all entries, with this value of the attribute.
#[track_caller]
fn read(session: &mut Session, consistency: &str) -> Reply {
    let attribute = format!("xmlns:q=\"urn:quorate:cluster\" q:consistency=\"{consistency}\"");
    let id = session.send_with(&attribute, &read_routes());
    session.reply_to(&id)
}

#[test]
fn a_linearizable_read_shows_on_every_member_what_any_has_acknowledged() {
    let cluster = Cluster::start(3);
    cluster.nodes[0].order(&["policy", "majority"]);
    let mut sessions: Vec<Session> = (0..3).map(|node| cluster.session(node)).collect();
    let mut expected = BTreeSet::new();
    for round in 0..60 {
        let (writer, reader) = (round % 3, (round + 1 + round % 2) % 3);
        sessions[writer].edit("running", &routes([round as u32])).ok();
        expected.insert(round as u32);
        let shown = ids(&read(&mut sessions[reader], "linearizable"));
        assert_eq!(shown, expected, "written on {writer}, read on {reader}");
    }
}

#[test]
fn a_minority_shows_nothing_that_may_be_old_to_who_does_not_want_it() {
    let file = "[cluster]\nreads = \"linearizable\"\nminority-reads = \"allow\"\n";
    let mut cluster = Cluster::start_with(3, file);
    let mut session = cluster.session(0);
    session.edit("running", &routes([1])).ok();
    assert_eq!(ids(&session.request(&read_routes())), BTreeSet::from([1]));
    cluster.nodes[1].agent.kill();
    cluster.nodes[2].agent.kill();
    eventually("it sees that it is alone", || {
        cluster.nodes[0].status()["leader"].is_null().then_some(())
    });
    let asked = Instant::now();
    let refused = session.request(&read_routes()).fails_with("resource-denied");
    assert_eq!(refused.app_tag.as_deref(), Some("quorate:no-quorum"), "{}", refused.message);
    assert!(asked.elapsed() < Duration::from_secs(5), "after {:?}", asked.elapsed());
    assert_eq!(ids(&read(&mut session, "leased")), BTreeSet::from([1]), "what it has is allowed");
    cluster.nodes[1].agent.run();
    eventually("it can ask a majority again", || {
        session.request(&read_routes()).element.find("data").is_some().then_some(())
    });
}
