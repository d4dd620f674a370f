//! Locks and confirmed commits, of one cluster whichever node they come through.

use super::*;

#[test]
fn a_lock_on_one_node_holds_on_all_and_ends_with_its_session() {
    let mut cluster = Cluster::new(3);
    let (one, two) = (cluster.open(1), cluster.open(2));
    let lock = || Request::Lock { target: Datastore::Running };
    cluster.ok(one, lock());
    let denied = cluster.error(two, lock());
    assert_eq!(
        (denied.tag, denied.info),
        (ErrorTag::LockDenied, vec![ErrorInfo::SessionId(one.1.id.0)])
    );
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    assert_eq!(cluster.error(two, edit.clone()).tag, ErrorTag::InUse);
    cluster.ok(one, edit.clone());
    cluster.send(1, SessionEvent::Ended(one.1));
    cluster.ok(two, edit);
    cluster.ok(two, lock());
}

#[test]
fn a_confirmed_commit_is_confirmed_on_another_node_or_rolled_back_everywhere() {
    let mut cluster = Cluster::new(3);
    let (one, two) = (cluster.open(1), cluster.open(2));
    for confirm in [true, false] {
        let edit =
            cluster.set(Datastore::Candidate, "a", Some(if confirm { "kept" } else { "tried" }));
        cluster.ok(one, edit);
        cluster.ok(one, confirmed(10, Some("IQ,d4668"), None));
        if confirm {
            cluster.ok(two, commit(Some("IQ,d4668")));
        }
        cluster.wait(12_000);
        cluster.everywhere("a=kept");
    }
}

#[test]
fn a_confirmed_commit_survives_its_node_and_the_leader() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let at = cluster.open(leader);
    let edit = cluster.set(Datastore::Candidate, "a", Some("tried"));
    cluster.ok(at, edit);
    cluster.ok(at, confirmed(20, Some("t"), None));
    cluster.wait(5_000);
    cluster.kill(leader);
    cluster.wait(3_000);
    let other = {
        let id = cluster.follower();
        cluster.open(id)
    };
    cluster.ok(other, commit(Some("t")));
    cluster.wait(20_000);
    cluster.everywhere("a=tried");
}

#[test]
fn an_unconfirmed_commit_is_rolled_back_by_the_next_leader_and_not_before_its_time() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let at = cluster.open(leader);
    let edit = cluster.set(Datastore::Candidate, "a", Some("tried"));
    cluster.ok(at, edit);
    cluster.ok(at, confirmed(20, Some("t"), None));
    cluster.kill(leader);
    cluster.wait(19_900);
    cluster.everywhere("a=tried");
    cluster.wait(500);
    cluster.everywhere("");
}

#[test]
fn an_unconfirmed_commit_without_a_token_ends_when_its_node_starts_again() {
    for (persist, left) in [(Some("t"), "a=tried"), (None, "")] {
        let mut cluster = Cluster::new(3);
        let (leader, origin) = (cluster.leader(), cluster.follower());
        let at = cluster.open(origin);
        let edit = cluster.set(Datastore::Candidate, "a", Some("tried"));
        cluster.ok(at, edit);
        cluster.ok(at, confirmed(600, persist, None));
        cluster.kill(origin);
        cluster.everywhere("a=tried");
        let up = Body::NodeUp {
            incarnation: Incarnation(origin),
            boot: Boot { counter: 2, nonce: 9 },
            name: format!("node-{origin}"),
            address: String::new(),
            participants: Vec::new(),
        };
        cluster.nodes.get_mut(&leader).unwrap().agent.propose(up).unwrap();
        cluster.wait(100);
        cluster.everywhere(left);
    }
}
