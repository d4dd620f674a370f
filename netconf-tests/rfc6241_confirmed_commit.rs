//! RFC 6241, section 8.4: confirmed commit, its follow-ups, its end by timeout, session or restart, cancel-commit.

use crate::support::agent::Agent;
use crate::support::eventually;
use crate::support::session::Session;
use std::time::{Duration, Instant};

const NS: &str = "xmlns=\"urn:quorate:test\"";

fn name(value: &str) -> String {
    format!("<top {NS}><name>{value}</name></top>")
}

fn commit(parameters: &str) -> String {
    format!("<commit>{parameters}</commit>")
}

fn confirmed(parameters: &str) -> String {
    commit(&format!("<confirmed/>{parameters}"))
}

fn cancel(persist_id: &str) -> String {
    match persist_id {
        "" => "<cancel-commit/>".to_owned(),
        id => format!("<cancel-commit><persist-id>{id}</persist-id></cancel-commit>"),
    }
}

/// An agent whose running holds the name `before`, and a session of it.
fn prepared() -> (Agent, Session) {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&name("before"));
    (agent, session)
}

/// Commits the name `during` so.
#[track_caller]
fn commit_during(session: &mut Session, parameters: &str) {
    session.edit("candidate", &name("during")).ok();
    session.ok(&confirmed(parameters));
    session.holds("running", &name("during"));
}

#[track_caller]
fn becomes(session: &mut Session, content: &str) {
    let expected = crate::support::session::data(content);
    eventually("running is what it should be", || {
        (session.read("running") == expected).then_some(())
    });
}

/// Nothing is pending any more: anybody may edit, and nothing is left to cancel.
#[track_caller]
fn nothing_is_pending(session: &mut Session) {
    session.request(&cancel("")).fails_with("operation-failed");
    session.edit("running", &format!("<tag {NS}>free</tag>")).ok();
}

/// 8.4.1: a confirming commit makes it permanent.
#[test]
fn a_confirmed_commit_stays_when_it_is_confirmed() {
    let (agent, mut session) = prepared();
    commit_during(&mut session, "<confirm-timeout>1</confirm-timeout>");
    session.ok("<commit/>");
    nothing_is_pending(&mut session);
    let began = Instant::now();
    eventually("two timeouts have passed", || {
        (began.elapsed() > Duration::from_secs(2)).then_some(())
    });
    let expected = format!("{}<tag {NS}>free</tag>", name("during"));
    session.holds("running", &expected);
    drop(session);
    agent.session().holds("running", &expected);
}

/// 8.4.1: without confirmation, running reverts when the timeout is over, and not before.
#[test]
fn a_confirmed_commit_reverts_at_its_timeout() {
    let (_agent, mut session) = prepared();
    let began = Instant::now();
    commit_during(&mut session, "<confirm-timeout>1</confirm-timeout>");
    becomes(&mut session, &name("before"));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    nothing_is_pending(&mut session);
}

/// 8.4.1: the default timeout is 600 seconds.
#[test]
fn the_default_timeout_is_long() {
    let (_agent, mut session) = prepared();
    commit_during(&mut session, "");
    let began = Instant::now();
    eventually("some time has passed", || {
        (began.elapsed() > Duration::from_millis(1500)).then_some(())
    });
    session.holds("running", &name("during"));
    session.ok("<commit/>");
}

/// 8.4.5.1: the timeout is 1 to 4294967295.
#[test]
fn a_timeout_out_of_range_is_an_invalid_value() {
    let (_agent, mut session) = prepared();
    session.edit("candidate", &name("during")).ok();
    for timeout in ["0", "-1", "4294967296", "soon", ""] {
        session
            .request(&confirmed(&format!("<confirm-timeout>{timeout}</confirm-timeout>")))
            .fails_with("invalid-value");
    }
    session.holds("running", &name("before"));
    session.ok(&confirmed("<confirm-timeout>4294967295</confirm-timeout>"));
    session.ok("<commit/>");
    nothing_is_pending(&mut session);
}

/// 8.4.4.1: cancel-commit restores what was.
#[test]
fn cancel_commit_reverts_at_once() {
    let (agent, mut session) = prepared();
    commit_during(&mut session, "");
    let mut other = agent.session();
    other.request(&cancel("")).fails_with("in-use");
    other.request(&cancel("guess")).fails_with("invalid-value");
    session.request(&cancel("guess")).fails_with("invalid-value");
    session.ok(&cancel(""));
    session.holds("running", &name("before"));
    nothing_is_pending(&mut session);
}

/// 8.4.4.1 and errors.md: with nothing pending, there is nothing to cancel.
#[test]
fn cancel_commit_without_a_pending_commit_fails() {
    let (_agent, mut session) = prepared();
    session.request(&cancel("")).fails_with("operation-failed");
    let fault = session.request(&cancel("p")).error();
    assert!(["operation-failed", "invalid-value"].contains(&fault.tag.as_str()), "{fault}");
}

/// 8.4.1: "if the session issuing the confirmed commit is terminated for any reason" it is rolled back.
#[test]
fn the_end_of_the_session_reverts() {
    let (agent, mut observer) = prepared();
    let ends: [fn(Session, &mut Session); 3] = [
        |session, _| session.close(),
        |session, _| drop(session),
        |session, killer| {
            let id = session.id;
            killer.ok(&format!("<kill-session><session-id>{id}</session-id></kill-session>"));
        },
    ];
    for end in ends {
        let mut session = agent.session();
        commit_during(&mut session, "");
        end(session, &mut observer);
        becomes(&mut observer, &name("before"));
    }
    nothing_is_pending(&mut observer);
}

/// 8.4.1: with persist it survives its session, and anybody with the token may confirm it.
#[test]
fn a_persistent_one_survives_its_session() {
    let (agent, mut other) = prepared();
    let ends: [fn(Session, &mut Session); 3] = [
        |session, _| session.close(),
        |session, _| drop(session),
        |session, killer| {
            let id = session.id;
            killer.ok(&format!("<kill-session><session-id>{id}</session-id></kill-session>"));
        },
    ];
    for end in ends {
        let mut session = agent.session();
        commit_during(&mut session, "<persist>token</persist>");
        end(session, &mut other);
        other.request("<commit/>").fails_with("in-use");
        other.request(&commit("<persist-id>wrong</persist-id>")).fails_with("invalid-value");
        other.request(&cancel("wrong")).fails_with("invalid-value");
        other.holds("running", &name("during"));
        other.ok(&commit("<persist-id>token</persist-id>"));
        other.holds("running", &name("during"));
        other.set_running(&name("before"));
    }
    nothing_is_pending(&mut other);
}

/// 8.4.1: a persistent one still has its timeout.
#[test]
fn a_persistent_one_reverts_at_its_timeout() {
    let (agent, mut observer) = prepared();
    let mut session = agent.session();
    commit_during(&mut session, "<persist>p</persist><confirm-timeout>1</confirm-timeout>");
    session.close();
    becomes(&mut observer, &name("before"));
    observer.request(&commit("<persist-id>p</persist-id>")).fails_with("invalid-value");
    nothing_is_pending(&mut observer);
}

/// 8.4.1: another session cancels with the token.
#[test]
fn a_persistent_one_is_cancelled_with_its_token() {
    let (agent, mut other) = prepared();
    let mut session = agent.session();
    commit_during(&mut session, "<persist>p</persist>");
    session.request(&cancel("")).fails_with("in-use");
    other.ok(&cancel("p"));
    other.holds("running", &name("before"));
    nothing_is_pending(&mut session);
}

/// 8.4.1: the token is asked of its own session as well.
#[test]
fn the_owner_of_a_persistent_one_needs_the_token_too() {
    let (_agent, mut session) = prepared();
    commit_during(&mut session, "<persist>p</persist>");
    session.request("<commit/>").fails_with("in-use");
    session.request(&confirmed("")).fails_with("in-use");
    session.ok(&commit("<persist-id>p</persist-id>"));
    nothing_is_pending(&mut session);
}

/// 8.4.1: a follow-up resets the timer, may carry edits, and what it restores is what was before the first.
#[test]
fn a_follow_up_extends_and_restores_what_was_before_the_first() {
    let (_agent, mut session) = prepared();
    commit_during(&mut session, "<confirm-timeout>1</confirm-timeout>");
    session.edit("candidate", &format!("<tag {NS}>second</tag>")).ok();
    session.ok(&confirmed("<confirm-timeout>600</confirm-timeout>"));
    let both = format!("{}<tag {NS}>second</tag>", name("during"));
    let began = Instant::now();
    eventually("the first timeout has passed", || {
        (began.elapsed() > Duration::from_millis(1500)).then_some(())
    });
    session.holds("running", &both);
    session.ok(&confirmed("<confirm-timeout>1</confirm-timeout>"));
    session.holds("running", &both);
    becomes(&mut session, &name("before"));
    nothing_is_pending(&mut session);
}

/// 8.4.1: a follow-up keeps the token unless it gives a new one.
#[test]
fn a_follow_up_keeps_the_token() {
    let (agent, mut other) = prepared();
    let mut session = agent.session();
    commit_during(&mut session, "<persist>one</persist>");
    other.ok(&confirmed("<persist-id>one</persist-id>"));
    other.ok(&confirmed("<persist-id>one</persist-id><confirm-timeout>500</confirm-timeout>"));
    session.close();
    other.request("<commit/>").fails_with("in-use");
    other.ok(&confirmed("<persist-id>one</persist-id><persist>two</persist>"));
    other.request(&commit("<persist-id>one</persist-id>")).fails_with("invalid-value");
    other.ok(&commit("<persist-id>two</persist-id>"));
    other.holds("running", &name("during"));
    nothing_is_pending(&mut other);
}

/// 8.4.1: a follow-up may make a session's commit persistent.
#[test]
fn a_follow_up_may_give_a_token() {
    let (agent, mut other) = prepared();
    let mut session = agent.session();
    commit_during(&mut session, "");
    session.ok(&confirmed("<persist>late</persist>"));
    session.close();
    other.holds("running", &name("during"));
    other.ok(&commit("<persist-id>late</persist-id>"));
    nothing_is_pending(&mut other);
}

/// 8.4.1: a confirmed commit without changes still arms, and so does its confirmation end it.
#[test]
fn one_without_changes_still_arms() {
    let (agent, mut session) = prepared();
    session.ok(&confirmed("<confirm-timeout>600</confirm-timeout>"));
    agent.session().edit("running", &name("x")).fails_with("in-use");
    session.ok("<commit/>");
    nothing_is_pending(&mut session);
    session.ok(&confirmed("<confirm-timeout>1</confirm-timeout>"));
    let mut other = agent.session();
    eventually("it times out", || {
        let lock = other.request("<lock><target><running/></target></lock>");
        lock.is_ok().then_some(())
    });
    session.holds("running", &format!("{}<tag {NS}>free</tag>", name("before")));
}

/// A failed follow-up leaves timer and token as they were.
#[test]
fn a_failed_follow_up_changes_nothing() {
    let (agent, mut other) = prepared();
    let mut session = agent.session();
    commit_during(&mut session, "<persist>p</persist><confirm-timeout>2</confirm-timeout>");
    let bounds = format!("<bounds {NS}><low>2</low><high>1</high></bounds>");
    session.edit("candidate", &bounds).ok();
    let began = Instant::now();
    session
        .request(&confirmed(
            "<persist-id>p</persist-id><persist>q</persist><confirm-timeout>600</confirm-timeout>",
        ))
        .fails("operation-failed [bounds-order] at /t:bounds/t:high");
    session.request(&commit("<persist-id>q</persist-id>")).fails_with("invalid-value");
    becomes(&mut other, &name("before"));
    assert!(began.elapsed() < Duration::from_secs(60));
    nothing_is_pending(&mut other);
}

/// A failed first confirmed commit arms nothing.
#[test]
fn a_failed_confirmed_commit_arms_nothing() {
    let (_agent, mut session) = prepared();
    session.edit("candidate", &format!("<bounds {NS}><low>2</low><high>1</high></bounds>")).ok();
    session
        .request(&confirmed("<persist>p</persist>"))
        .fails("operation-failed [bounds-order] at /t:bounds/t:high");
    session.ok("<discard-changes/>");
    nothing_is_pending(&mut session);
}

/// While one is pending, running belongs to it: anything else would not be restored exactly.
#[test]
fn others_wait_while_one_is_pending() {
    let (agent, mut other) = prepared();
    for persist in ["", "<persist>p</persist>"] {
        let mut session = agent.session();
        commit_during(&mut session, persist);
        let seen = other.read("running");
        for operation in [
            "<commit/>".to_owned(),
            confirmed(""),
            confirmed("<persist>mine</persist>"),
            "<copy-config><target><running/></target><source><config/></source></copy-config>"
                .into(),
        ] {
            other.request(&operation).fails_with("in-use");
        }
        other.edit("running", &name("x")).fails_with("in-use");
        session.edit("running", &name("x")).fails_with("in-use");
        other.request(&commit("<persist-id>guess</persist-id>")).fails_with("invalid-value");
        assert_eq!(other.read("running"), seen);
        // The candidate is free, and so is validation.
        other.edit("candidate", &format!("<tag {NS}>later</tag>")).ok();
        other.ok("<validate><source><candidate/></source></validate>");
        other.ok("<discard-changes/>");
        session.ok(&match persist {
            "" => cancel(""),
            _ => cancel("p"),
        });
        other.holds("running", &name("before"));
    }
}

/// 8.4.1: persist-id without a pending commit.
#[test]
fn a_persist_id_of_nothing_is_an_invalid_value() {
    let (_agent, mut session) = prepared();
    session.edit("candidate", &name("during")).ok();
    session.request(&commit("<persist-id>p</persist-id>")).fails_with("invalid-value");
    session.request(&confirmed("<persist-id>p</persist-id>")).fails_with("invalid-value");
    session.holds("running", &name("before"));
    session.ok("<commit/>");
}

/// 8.4.5.1: persist and timeout belong to a confirmed commit.
#[test]
fn parameters_of_a_confirmed_commit_need_confirmed() {
    let (_agent, mut session) = prepared();
    session.edit("candidate", &name("during")).ok();
    for parameters in ["<persist>p</persist>", "<confirm-timeout>5</confirm-timeout>"] {
        let reply = session.request(&commit(parameters));
        // ietf-netconf has no `when` on them: they are refused or without effect.
        if reply.is_ok() {
            session.request(&cancel("")).fails_with("operation-failed");
            session.set_running(&name("before"));
            session.edit("candidate", &name("during")).ok();
        } else {
            reply.errors();
        }
    }
}

/// 8.4.1: "if the device reboots for any reason before the confirm timeout expires, the server MUST restore".
#[test]
fn a_restart_reverts_a_pending_one() {
    for persist in ["", "<persist>p</persist>"] {
        let (mut agent, mut session) = prepared();
        commit_during(&mut session, persist);
        session.edit("candidate", &format!("<tag {NS}>second</tag>")).ok();
        session.ok(&match persist {
            "" => confirmed(""),
            _ => confirmed("<persist-id>p</persist-id>"),
        });
        agent.crash();
        let mut session = agent.session();
        session.holds("running", &name("before"));
        session.request(&commit("<persist-id>p</persist-id>")).fails_with("invalid-value");
        nothing_is_pending(&mut session);
        agent.crash();
        agent.session().holds("running", &format!("{}<tag {NS}>free</tag>", name("before")));
    }
}

/// A clean stop is a restart too.
#[test]
fn a_clean_restart_reverts_a_pending_one() {
    let (mut agent, mut session) = prepared();
    commit_during(&mut session, "<persist>p</persist>");
    assert!(agent.terminate().success());
    agent.run();
    agent.session().holds("running", &name("before"));
}

/// What was confirmed is not touched by a restart, nor is what came after a rollback.
#[test]
fn a_restart_keeps_what_was_confirmed() {
    let (mut agent, mut session) = prepared();
    commit_during(&mut session, "<persist>p</persist>");
    session.ok(&commit("<persist-id>p</persist-id>"));
    agent.crash();
    agent.session().holds("running", &name("during"));
}

/// 8.4.1: the confirming commit carries the candidate's edits.
#[test]
fn a_confirming_commit_may_carry_edits() {
    let (agent, mut session) = prepared();
    commit_during(&mut session, "");
    session.edit("candidate", &format!("<tag {NS}>more</tag>")).ok();
    session.ok("<commit/>");
    session.close();
    let mut next = agent.session();
    next.holds("running", &format!("{}<tag {NS}>more</tag>", name("during")));
    nothing_is_pending(&mut next);
}

/// A rollback leaves a candidate that was edited since for its editor.
#[test]
fn a_rollback_passes_locks() {
    let (agent, mut session) = prepared();
    session.ok("<lock><target><running/></target></lock>");
    commit_during(&mut session, "<persist>p</persist><confirm-timeout>1</confirm-timeout>");
    becomes(&mut session, &name("before"));
    agent.session().edit("running", &name("x")).fails_with("in-use");
    session.ok("<unlock><target><running/></target></unlock>");
}
