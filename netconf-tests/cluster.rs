//! Clusters of real processes, over the wire: what one member does holds on all, whoever of them dies.

mod bulk;
mod joining;
mod load;
mod participants;
mod partition;
mod policies;
mod reads;
mod restarts;
mod restored;

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::routes::{read_routes, routes, shown};
use crate::support::scenario::{self, WAYS};
use crate::support::session::{Session, edit_config};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn lock(target: &str) -> String {
    format!("<lock><target><{target}/></target></lock>")
}

fn unlock(target: &str) -> String {
    format!("<unlock><target><{target}/></target></unlock>")
}

/// Puts these entries into running through the candidate, to be confirmed.
#[track_caller]
fn commit_to_be_confirmed(session: &mut Session, entries: &[u32], parameters: &str) {
    session.edit("candidate", &routes(entries.iter().copied())).ok();
    session.ok(&format!("<commit><confirmed/>{parameters}</commit>"));
}

#[test]
fn every_member_takes_writes_and_all_show_them_after_ok() {
    let cluster = Cluster::start(3);
    let mut sessions: Vec<Session> = (0..3).map(|node| cluster.session(node)).collect();
    let mut expected = BTreeSet::new();
    for (round, writer) in (0..30).zip([0, 1, 2].into_iter().cycle()) {
        let edit = edit_config("running", "", &routes([round]));
        sessions[writer].ok(&edit);
        expected.insert(round);
        for (node, session) in sessions.iter_mut().enumerate() {
            assert_eq!(shown(session), expected, "written on {writer}, read on {node}");
        }
    }
    cluster.settled();
}

#[test]
fn a_candidate_is_the_members_own_until_its_commit() {
    let cluster = Cluster::start(3);
    let (mut one, mut other) = (cluster.session(1), cluster.session(2));
    one.edit("candidate", &routes([1])).ok();
    other.edit("candidate", &routes([2])).ok();
    one.ok("<commit/>");
    assert_eq!(shown(&mut other), BTreeSet::from([1]));
    // What it has is added to what was committed meanwhile.
    other.ok("<commit/>");
    assert_eq!(shown(&mut one), BTreeSet::from([1, 2]));
}

#[test]
fn a_lock_on_one_member_holds_on_all_and_ends_with_its_session() {
    let cluster = Cluster::start(3);
    let mut sessions: Vec<Session> = (0..3).map(|node| cluster.session(node)).collect();
    for owner in 0..3 {
        sessions[owner].ok(&lock("running"));
        let id = sessions[owner].id.to_string();
        for (node, session) in sessions.iter_mut().enumerate() {
            if node == owner {
                continue;
            }
            let denied = session.request(&lock("running")).fails_with("lock-denied");
            assert_eq!(denied.info("session-id").as_ref(), Some(&id), "{}", denied.message);
            session.edit("running", &routes([1])).fails_with("in-use");
            session.request("<commit/>").fails_with("in-use");
        }
        sessions[owner].edit("running", &routes([owner as u32])).ok();
        sessions[owner].ok(&unlock("running"));
    }
    sessions[1].ok(&lock("running"));
    drop(sessions.remove(1));
    eventually("the lock ends with its session", || {
        sessions[0].request(&lock("running")).is_ok().then_some(())
    });
}

#[test]
fn a_lock_ends_with_the_life_of_its_member() {
    let mut cluster = Cluster::start(3);
    let mut owner = cluster.session(1);
    owner.ok(&lock("running"));
    let mut other = cluster.session(2);
    other.request(&lock("running")).fails_with("lock-denied");
    cluster.nodes[1].agent.crash();
    other.ok(&lock("running"));
}

#[test]
fn a_session_is_killed_from_another_member() {
    let cluster = Cluster::start(3);
    for (victim, killer) in [(0, 1), (1, 0), (1, 2)] {
        let mut victim = cluster.session(victim);
        victim.ok(&lock("running"));
        let mut killer = cluster.session(killer);
        let kill = |id| format!("<kill-session><session-id>{id}</session-id></kill-session>");
        killer.ok(&kill(victim.id));
        victim.wire.closes();
        killer.ok(&lock("running"));
        killer.ok(&unlock("running"));
        // RFC 6241, 7.9: it is over, it was never opened, there can be none, it is one's own.
        for id in [victim.id, victim.id + 1, u32::MAX, killer.id] {
            killer.request(&kill(id)).fails_with("invalid-value");
        }
    }
}

#[test]
fn a_session_of_a_member_that_does_not_answer_is_killed_all_the_same() {
    let cluster = Cluster::start(3);
    let (leader, silent) = (cluster.leader(), cluster.follower());
    let mut victim = cluster.session(silent);
    victim.ok(&lock("running"));
    let mut killer = cluster.session(leader);
    cluster.nodes[silent].pause();
    let kill = format!("<kill-session><session-id>{}</session-id></kill-session>", victim.id);
    killer.ok(&kill);
    killer.ok(&lock("running"));
    cluster.nodes[silent].resume();
    victim.wire.closes();
    killer.request(&kill).fails_with("invalid-value");
}

#[test]
fn session_ids_are_unique_in_the_cluster() {
    let mut cluster = Cluster::start(3);
    let mut seen = BTreeSet::new();
    let mut open = |cluster: &Cluster| {
        for node in (0..3).cycle().take(30) {
            let id = cluster.session(node).id;
            assert!(seen.insert(id), "{id} was given twice");
        }
    };
    open(&cluster);
    for node in 0..3 {
        cluster.nodes[node].agent.crash();
        open(&cluster);
    }
}

const PERSIST: &str = "<persist>IQ,d4668</persist>";
const CONFIRM: &str = "<commit><persist-id>IQ,d4668</persist-id></commit>";

#[test]
fn a_confirmed_commit_is_confirmed_on_another_member() {
    let cluster = Cluster::start(3);
    let (mut one, mut other) = (cluster.session(1), cluster.session(2));
    commit_to_be_confirmed(&mut one, &[1], PERSIST);
    assert_eq!(shown(&mut other), BTreeSet::from([1]), "in force while it waits");
    other.edit("running", &routes([2])).fails_with("in-use");
    other.request("<commit><persist-id>other</persist-id></commit>").fails_with("invalid-value");
    one.close();
    other.ok(CONFIRM);
    for node in 0..3 {
        assert_eq!(shown(&mut cluster.session(node)), BTreeSet::from([1]));
    }
    // And cancelled on another one (RFC 6241, 8.4.4.1).
    let mut one = cluster.session(1);
    commit_to_be_confirmed(&mut one, &[2], PERSIST);
    other.ok("<cancel-commit><persist-id>IQ,d4668</persist-id></cancel-commit>");
    for node in 0..3 {
        assert_eq!(shown(&mut cluster.session(node)), BTreeSet::from([1]));
    }
}

#[test]
fn a_commit_that_nobody_confirms_is_rolled_back_on_all_members() {
    let cluster = Cluster::start(3);
    let mut sessions: Vec<Session> = (0..3).map(|node| cluster.session(node)).collect();
    sessions[0].edit("running", &routes([7])).ok();
    sessions[1].edit("candidate", &routes([1])).ok();
    let start = Instant::now();
    let timeout = format!("<confirm-timeout>1</confirm-timeout>{PERSIST}");
    sessions[1].ok(&format!("<commit><confirmed/>{timeout}</commit>"));
    for session in &mut sessions {
        eventually("its rollback", || (shown(session) == BTreeSet::from([7])).then_some(()));
    }
    assert!(start.elapsed().as_secs_f64() >= 1.0, "not before its time");
    sessions[2].request(CONFIRM).fails_with("invalid-value");
    // Without persist, with the end of its session.
    commit_to_be_confirmed(&mut sessions[1], &[2], "");
    assert_eq!(shown(&mut sessions[2]), BTreeSet::from([2, 7]));
    drop(sessions.remove(1));
    for session in &mut sessions {
        eventually("its rollback", || (shown(session) == BTreeSet::from([7])).then_some(()));
    }
}

/// With persist it outlives the member that it was made on (RFC 6241, 8.4.1); without, it ends with that.
#[test]
fn a_confirmed_commit_outlives_its_member_with_persist_alone() {
    for (parameters, outlives) in [(PERSIST, true), ("", false)] {
        let mut cluster = Cluster::start(3);
        let origin = cluster.follower();
        let mut session = cluster.session(origin);
        commit_to_be_confirmed(&mut session, &[1], parameters);
        cluster.nodes[origin].agent.kill();
        let other = cluster.follower();
        let mut session = cluster.session(other);
        match outlives {
            true => {
                assert_eq!(shown(&mut session), BTreeSet::from([1]));
                session.ok(CONFIRM);
                assert_eq!(shown(&mut session), BTreeSet::from([1]));
            }
            // Its member says so itself as soon as it is back.
            false => {
                cluster.nodes[origin].agent.run();
                eventually("its rollback", || shown(&mut session).is_empty().then_some(()));
            }
        }
    }
}

#[test]
fn a_confirmed_commit_outlives_the_leader() {
    let mut cluster = Cluster::start(3);
    let (leader, origin) = (cluster.leader(), cluster.follower());
    let mut session = cluster.session(origin);
    let timeout = format!("<confirm-timeout>3</confirm-timeout>{PERSIST}");
    commit_to_be_confirmed(&mut session, &[1], &timeout);
    cluster.nodes[leader].agent.kill();
    cluster.leader();
    session.ok(CONFIRM);
    assert_eq!(shown(&mut session), BTreeSet::from([1]));
    cluster.nodes[leader].agent.run();
    // The same again, and nobody confirms.
    let leader = cluster.leader();
    commit_to_be_confirmed(&mut session, &[2], &timeout);
    if leader == origin {
        cluster.nodes[leader].agent.kill();
        session = cluster.session(cluster.follower());
    } else {
        cluster.nodes[leader].agent.kill();
    }
    eventually("its rollback by the next leader", || {
        (shown(&mut session) == BTreeSet::from([1])).then_some(())
    });
    cluster.nodes[leader].agent.run();
    assert_eq!(shown(&mut cluster.session(leader)), BTreeSet::from([1]));
    cluster.settled();
}

#[test]
fn a_cluster_that_was_stopped_has_everything_again() {
    let mut cluster = Cluster::start(3);
    cluster.session(0).edit("running", &routes(0..50)).ok();
    cluster.session(1).edit("running", &routes(50..99)).ok();
    let digest = cluster.settled();
    // Once killed all together, once stopped one after the other.
    for round in 0..2 {
        for node in &mut cluster.nodes {
            match round {
                0 => node.agent.kill(),
                _ => assert!(node.agent.terminate().success(), "{}", node.agent.log()),
            }
        }
        for node in &mut cluster.nodes {
            node.spawn_with(&[]);
        }
        for node in 0..3 {
            cluster.ready(node);
        }
        assert_eq!(cluster.settled(), digest);
        for node in 0..3 {
            assert_eq!(shown(&mut cluster.session(node)), (0..99).collect());
        }
        cluster.session(2).edit("running", &routes([98])).ok();
    }
}

/// Whether a log says that a member is lost, as trouble.
fn warns_of_a_loss(log: &str) -> bool {
    let of_loss = |line: &str| line.contains("is lost") || line.contains("cannot be reached");
    log.lines().any(|line| line.contains(" WARN ") && of_loss(line))
}

#[test]
fn a_planned_end_is_no_warning_and_a_sudden_one_is() {
    let mut cluster = Cluster::start(3);
    cluster.leader();
    for planned in [true, false] {
        let (stays, ends) = (cluster.leader(), cluster.follower());
        let before = cluster.nodes[stays].agent.log().len();
        match planned {
            true => assert!(cluster.nodes[ends].agent.terminate().success()),
            false => cluster.nodes[ends].agent.kill(),
        }
        let log = || cluster.nodes[stays].agent.log()[before..].to_owned();
        // Then it has tried in vain to connect again.
        let log = eventually("it is missed", || {
            Some(log()).filter(|log| log.contains("Connection refused"))
        });
        assert_eq!(warns_of_a_loss(&log), !planned, "{log}");
        cluster.nodes[ends].agent.run();
    }
}

/// What it measures decides who leads (PROTOCOL L10).
#[test]
fn a_member_that_gets_no_processor_notices_it() {
    let cluster = Cluster::start(2);
    let slow = &cluster.nodes[cluster.follower()];
    eventually("it says so", || {
        slow.pause();
        std::thread::sleep(Duration::from_millis(300));
        slow.resume();
        std::thread::sleep(Duration::from_millis(3));
        slow.agent.log().contains("its thread gets too little of a processor").then_some(())
    });
    eventually("it is well again", || {
        slow.agent.log().contains("fast enough to lead again").then_some(())
    });
}

#[test]
fn leadership_is_handed_over() {
    let cluster = Cluster::start(3);
    for to in [1, 2, 0] {
        let name = cluster.nodes[to].name.clone();
        cluster.nodes[1].order(&["transfer-leadership", "--to", &name]);
        assert_eq!(cluster.leader(), to);
        cluster.session(1).edit("running", &routes([to as u32])).ok();
    }
    assert_eq!(shown(&mut cluster.session(0)), (0..3).collect());
}

#[test]
fn a_minority_refuses_reads_and_writes_and_says_its_status() {
    let mut cluster = Cluster::start(3);
    let mut session = cluster.session(0);
    session.edit("running", &routes([1])).ok();
    cluster.nodes[1].agent.kill();
    cluster.nodes[2].agent.kill();
    eventually("it sees that it is alone", || {
        cluster.nodes[0].status()["leader"].is_null().then_some(())
    });
    let read = session.request(&read_routes()).fails_with("resource-denied");
    assert_eq!(read.app_tag.as_deref(), Some("quorate:no-quorum"), "{}", read.message);
    let mut other = cluster.session(0);
    let write = session.send(&edit_config("running", "", &routes([2])));
    let locked = other.send(&lock("running"));
    for denied in [session.reply_to(&write), other.reply_to(&locked)] {
        let denied = denied.fails_with("resource-denied");
        assert_eq!(denied.app_tag.as_deref(), Some("quorate:no-leader"), "{}", denied.message);
    }
    let status = cluster.nodes[0].status();
    assert_eq!(status["phase"], "stale");
    let page = cluster.nodes[0].order(&["status"]);
    assert!(page.contains("2 of 3 voters must reach each other"), "{page}");
    // With one more it goes on, and nothing of what was refused is there.
    cluster.nodes[1].agent.run();
    cluster.leader();
    session.edit("running", &routes([3])).ok();
    assert_eq!(shown(&mut session), BTreeSet::from([1, 3]));
}

#[test]
fn who_was_missing_when_ok_was_said_is_told() {
    let cluster = Cluster::start(3);
    let (leader, silent) = (cluster.leader(), cluster.follower());
    cluster.nodes[leader].order(&["policy", "fully-synchronous"]);
    let origin = (0..3).find(|&node| node != leader && node != silent).expect("a third");
    let mut session = cluster.session(origin);
    cluster.nodes[silent].pause();
    session.edit("running", &routes([1])).ok();
    let status = cluster.nodes[origin].status();
    let name = &cluster.nodes[silent].name;
    assert_eq!(status["ack-degraded"]["count"], 1);
    assert_eq!(status["ack-degraded"]["missing"], serde_json::json!([name]));
    let log = cluster.nodes[origin].agent.log();
    let told = |line: &&str| line.contains("not all members confirmed it") && line.contains(name);
    assert!(log.lines().any(|line| told(&line)), "{log}");
    cluster.nodes[silent].resume();
    eventually("it has caught up", || {
        cluster.nodes[silent].status()["revision"].eq(&status["revision"]).then_some(())
    });
}

#[test]
fn the_reference_scenario_works_in_every_way() {
    for (size, way) in [10, 100].into_iter().flat_map(|size| WAYS.map(|way| (size, way))) {
        let mut steps = Vec::new();
        let is_well = scenario::run(size, way, &mut |step| steps.push(step.to_string()));
        assert!(is_well, "{size} entries, {}:\n{}", way.name(), steps.join("\n"));
    }
}
