//! RFC 6241, section 8.3: candidate, commit, discard-changes; rebase and conflict where running has moved.

use crate::support::agent::Agent;
use crate::support::session::{REPLACE, Session, edit_config};

const NS: &str = "xmlns=\"urn:quorate:test\"";

fn top(inner: &str) -> String {
    format!("<top {NS}>{inner}</top>")
}

fn server(name: &str, inner: &str) -> String {
    format!("<server {NS}><name>{name}</name>{inner}</server>")
}

/// 8.3.1: the candidate is worked on without effect on running, until it is committed.
#[test]
fn a_commit_makes_running_what_the_candidate_is() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.edit("candidate", &top("<name>a</name>")).ok();
    session.edit("candidate", &server("s1", "<port>1</port>")).ok();
    session.holds("running", "");
    session.ok("<commit/>");
    let both = format!("{}{}", top("<name>a</name>"), server("s1", "<port>1</port>"));
    session.holds("running", &both);
    session.holds("candidate", &both);
    session.ok("<commit/>");
    session.holds("running", &both);
}

/// 8.3.4.2: discard-changes makes the candidate what running is.
#[test]
fn discard_changes_reverts_the_candidate() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&top("<name>a</name>"));
    session.edit("candidate", &top("<name>b</name>")).ok();
    session.ok("<discard-changes/>");
    session.holds("candidate", &top("<name>a</name>"));
    session.ok("<discard-changes/>");
}

/// 8.3: the candidate may be shared; each session sees the changes of the others.
#[test]
fn the_candidate_is_shared_by_sessions() {
    let agent = Agent::start();
    let mut one = agent.session();
    let mut two = agent.session();
    one.edit("candidate", &top("<name>a</name>")).ok();
    two.holds("candidate", &top("<name>a</name>"));
    two.edit("candidate", &top("<size>5</size>")).ok();
    one.ok("<commit/>");
    two.holds("running", &top("<name>a</name><size>5</size>"));
}

/// 8.3.4.1: a commit of an invalid candidate changes nothing and keeps the candidate.
#[test]
fn a_refused_commit_leaves_both_datastores_as_they_were() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&top("<name>a</name>"));
    let bounds = format!("<bounds {NS}><low>2</low><high>1</high></bounds>");
    session.edit("candidate", &bounds).ok();
    session.request("<commit/>").fails("operation-failed [bounds-order] at /t:bounds/t:high");
    session.holds("running", &top("<name>a</name>"));
    session.holds("candidate", &format!("{}{bounds}", top("<name>a</name>")));
    session.edit("candidate", &format!("<bounds {NS}><high>3</high></bounds>")).ok();
    session.ok("<commit/>");
}

/// A candidate without changes follows running.
#[test]
fn an_unmodified_candidate_follows_running() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&top("<name>a</name>"));
    session.holds("candidate", &top("<name>a</name>"));
    session.edit("running", &top("<size>2</size>")).ok();
    session.holds("candidate", &top("<name>a</name><size>2</size>"));
}

/// A restart empties the candidate of changes.
#[test]
fn a_restart_discards_the_candidates_changes() {
    let mut agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&top("<name>a</name>"));
    session.edit("candidate", &top("<size>2</size>")).ok();
    agent.crash();
    let mut session = agent.session();
    session.holds("candidate", &top("<name>a</name>"));
    session.holds("running", &top("<name>a</name>"));
}

/// What running gained elsewhere stays: the candidate's changes are put on top of it.
#[track_caller]
fn rebases(before: &str, candidate: &str, running: &str, after: &str) {
    let agent = Agent::start();
    let mut editor = agent.session();
    let mut other = agent.session();
    editor.set_running(before);
    editor.request(&edit_config("candidate", "", candidate)).ok();
    let seen = editor.read("candidate");
    other.request(&edit_config("running", "", running)).ok();
    assert_eq!(editor.read("candidate"), seen, "the candidate is its base with its edits");
    editor.ok("<commit/>");
    editor.holds("running", after);
    editor.holds("candidate", after);
}

#[test]
fn changes_of_different_leafs_are_rebased() {
    rebases(
        "",
        &top("<name>a</name>"),
        &top("<size>1</size>"),
        &top("<name>a</name><size>1</size>"),
    );
}

#[test]
fn changes_of_different_leafs_of_one_entry_are_rebased() {
    rebases(
        &server("s", "<port>1</port>"),
        &server("s", "<weight>5</weight>"),
        &server("s", "<port>2</port>"),
        &server("s", "<port>2</port><weight>5</weight>"),
    );
}

#[test]
fn new_entries_of_one_list_are_rebased() {
    rebases(
        &server("m", ""),
        &server("z", ""),
        &server("a", ""),
        &format!("{}{}{}", server("a", ""), server("m", ""), server("z", "")),
    );
}

#[test]
fn deletion_and_change_of_different_entries_are_rebased() {
    rebases(
        &format!("{}{}", server("a", ""), server("b", "")),
        &format!(
            "<server {NS} xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" \
                  nc:operation=\"delete\"><name>a</name></server>"
        ),
        &server("b", "<port>2</port>"),
        &server("b", "<port>2</port>"),
    );
}

/// What was changed on both sides is a conflict: one error for each path, and nothing changes.
#[track_caller]
fn conflicts(before: &str, candidate: &str, running: &str, paths: &[&str]) {
    let agent = Agent::start();
    let mut editor = agent.session();
    let mut other = agent.session();
    editor.set_running(before);
    editor.request(&edit_config("candidate", "", candidate)).ok();
    let seen = editor.read("candidate");
    other.request(&edit_config("running", "", running)).ok();
    let moved = other.read("running");
    for _ in 0..2 {
        let faults = editor.request("<commit/>").errors();
        let mut found = Vec::new();
        for fault in &faults {
            assert_eq!(fault.tag, "operation-failed", "{fault}");
            assert_eq!(fault.app_tag.as_deref(), Some("quorate:conflict"), "{fault}");
            found.push(fault.path.clone().expect("a path"));
        }
        found.sort();
        assert_eq!(found, paths);
        assert_eq!(other.read("running"), moved, "running is unchanged");
        assert_eq!(editor.read("candidate"), seen, "the candidate is kept");
    }
    editor.ok("<discard-changes/>");
    assert_eq!(editor.read("candidate"), moved);
    editor.ok("<commit/>");
}

/// An edit with `operation="delete"` on one server.
fn delete_server(name: &str) -> String {
    format!(
        "<server {NS} xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" nc:operation=\"delete\">\
         <name>{name}</name></server>"
    )
}

#[test]
fn two_values_of_one_leaf_conflict() {
    conflicts("", &top("<name>a</name>"), &top("<name>b</name>"), &["/t:top/t:name"]);
}

#[test]
fn each_conflicting_path_has_its_error() {
    conflicts(
        &server("s", "<port>1</port>"),
        &format!(
            "{}{}",
            top("<name>a</name><size>1</size><mode>fast</mode>"),
            server("s", "<port>2</port>")
        ),
        &format!(
            "{}{}",
            top("<name>b</name><size>2</size><speed>1.5</speed>"),
            server("s", "<port>3</port>")
        ),
        &["/t:server[t:name='s']/t:port", "/t:top/t:name", "/t:top/t:size"],
    );
}

#[test]
fn an_entry_that_is_gone_conflicts_with_a_change_in_it() {
    conflicts(
        &server("s", "<port>1</port>"),
        &server("s", "<port>2</port>"),
        &delete_server("s"),
        &["/t:server[t:name='s']/t:port"],
    );
}

#[test]
fn a_deletion_conflicts_with_a_change_in_the_entry() {
    conflicts(
        &server("s", "<port>1</port>"),
        &delete_server("s"),
        &server("s", "<port>2</port>"),
        &["/t:server[t:name='s']/t:port"],
    );
}

/// Both sides are valid and disjoint, and together they are not: the rebased whole is judged.
#[test]
fn a_rebase_that_breaks_a_constraint_is_refused() {
    let agent = Agent::start();
    let mut editor = agent.session();
    let mut other = agent.session();
    editor.set_running(&server("s", ""));
    editor.edit("candidate", &format!("<refs {NS}><server>s</server></refs>")).ok();
    other.edit("running", &delete_server("s")).ok();
    editor.request("<commit/>").fails("data-missing [instance-required] at /t:refs/t:server");
    editor.holds("running", "");
}

/// The same value set on both sides is no loss to anybody; either verdict keeps running whole.
#[test]
fn the_same_change_on_both_sides_does_no_harm() {
    let agent = Agent::start();
    let mut editor = agent.session();
    let mut other = agent.session();
    editor.edit("candidate", &top("<name>a</name>")).ok();
    other.edit("running", &top("<name>a</name>")).ok();
    let reply = editor.request("<commit/>");
    if !reply.is_ok() {
        assert_eq!(reply.error().app_tag.as_deref(), Some("quorate:conflict"));
    }
    editor.holds("running", &top("<name>a</name>"));
}

/// A candidate that replaces everything keeps nothing that running gained, or says that it cannot.
#[test]
fn a_replaced_candidate_is_rebased_or_refused_as_a_whole() {
    let agent = Agent::start();
    let mut editor = agent.session();
    let mut other = agent.session();
    editor.set_running(&top("<name>a</name>"));
    editor.request(&edit_config("candidate", REPLACE, &top("<name>c</name>"))).ok();
    other.edit("running", &top("<name>b</name>")).ok();
    let reply = editor.request("<commit/>");
    assert_eq!(reply.error().app_tag.as_deref(), Some("quorate:conflict"));
    other.holds("running", &top("<name>b</name>"));
}

/// Commits of many sessions at once: each is answered, none is lost.
#[test]
fn concurrent_edits_of_running_are_all_there() {
    let agent = Agent::start();
    let mut sessions: Vec<Session> = (0..8).map(|_| agent.session()).collect();
    for round in 0..20 {
        let ids: Vec<String> = sessions
            .iter_mut()
            .enumerate()
            .map(|(n, session)| {
                session.send(&edit_config(
                    "running",
                    "",
                    &server(&format!("s{n}-{round:02}"), "<weight>1</weight>"),
                ))
            })
            .collect();
        for (session, id) in sessions.iter_mut().zip(&ids) {
            session.reply_to(id).ok();
        }
    }
    let reply = sessions[0].request("<get-config><source><running/></source></get-config>");
    assert_eq!(reply.data().all("server").count(), 160);
}
