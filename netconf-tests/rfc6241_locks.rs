//! RFC 6241, sections 7.5, 7.6 and 8.3.5.2: locks of running and candidate.

use crate::support::agent::Agent;
use crate::support::eventually;
use crate::support::session::{Session, edit_config};

const NAMED: &str = "<top xmlns=\"urn:quorate:test\"><name>a</name></top>";

fn lock(target: &str) -> String {
    format!("<lock><target><{target}/></target></lock>")
}

fn unlock(target: &str) -> String {
    format!("<unlock><target><{target}/></target></unlock>")
}

/// 7.5: only one session holds a lock, and the refusal names it.
#[test]
fn a_held_lock_is_denied_with_its_holder() {
    let agent = Agent::start();
    let mut holder = agent.session();
    let mut other = agent.session();
    for target in ["running", "candidate"] {
        holder.ok(&lock(target));
        let expected = format!("lock-denied (session-id={})", holder.id);
        other.request(&lock(target)).fails(&expected);
        holder.request(&lock(target)).fails(&expected);
        holder.ok(&unlock(target));
        other.ok(&lock(target));
        other.ok(&unlock(target));
    }
}

/// 7.6: a session unlocks what it locked, nothing else.
#[test]
fn unlock_needs_the_own_lock() {
    let agent = Agent::start();
    let mut holder = agent.session();
    let mut other = agent.session();
    for target in ["running", "candidate"] {
        other.request(&unlock(target)).fails_with("operation-failed");
        holder.ok(&lock(target));
        other.request(&unlock(target)).fails_with("operation-failed");
        holder.ok(&unlock(target));
        holder.request(&unlock(target)).fails_with("operation-failed");
    }
    for operation in [lock("startup"), unlock("startup")] {
        other.request(&operation).error();
    }
}

/// 7.5: a lock keeps other sessions from changing the datastore, and reading stays free.
#[test]
fn a_lock_of_running_keeps_others_from_changing_it() {
    let agent = Agent::start();
    let mut holder = agent.session();
    let mut other = agent.session();
    holder.ok(&lock("running"));
    for operation in [
        edit_config("running", "", NAMED),
        "<copy-config><target><running/></target><source><config/></source></copy-config>".into(),
        "<commit/>".into(),
    ] {
        other.edit("candidate", NAMED).ok();
        other.request(&operation).fails_with("in-use");
    }
    other.holds("running", "");
    other.holds("candidate", NAMED);
    other.ok("<validate><source><running/></source></validate>");
    other.ok("<discard-changes/>");
    holder.edit("running", NAMED).ok();
    holder.ok(&unlock("running"));
    other.edit("running", "<tag xmlns=\"urn:quorate:test\">x</tag>").ok();
}

/// 8.3.5.2: a lock of the candidate keeps others from changing, discarding and committing it.
#[test]
fn a_lock_of_the_candidate_keeps_others_from_it() {
    let agent = Agent::start();
    let mut holder = agent.session();
    let mut other = agent.session();
    holder.ok(&lock("candidate"));
    holder.edit("candidate", NAMED).ok();
    for operation in [
        edit_config("candidate", "", NAMED),
        "<copy-config><target><candidate/></target><source><running/></source></copy-config>"
            .into(),
        "<discard-changes/>".into(),
        "<commit/>".into(),
        "<commit><confirmed/></commit>".into(),
    ] {
        other.request(&operation).fails_with("in-use");
    }
    other.holds("candidate", NAMED);
    other.edit("running", "<tag xmlns=\"urn:quorate:test\">x</tag>").ok();
    holder.ok("<commit/>");
    holder.ok(&unlock("candidate"));
    other.holds("running", &format!("{NAMED}<tag xmlns=\"urn:quorate:test\">x</tag>"));
}

/// 7.5: "the candidate has already been modified, and the changes have not been committed or rolled back".
#[test]
fn a_modified_candidate_cannot_be_locked() {
    let agent = Agent::start();
    let mut editor = agent.session();
    let mut other = agent.session();
    editor.edit("candidate", NAMED).ok();
    for session in [&mut editor, &mut other] {
        session.request(&lock("candidate")).fails("lock-denied (session-id=0)");
    }
    other.ok("<discard-changes/>");
    other.ok(&lock("candidate"));
    other.ok(&unlock("candidate"));
    editor.edit("candidate", NAMED).ok();
    editor.ok("<commit/>");
    other.ok(&lock("candidate"));
}

/// 8.3.5.2: unlocking the candidate discards what was not committed.
#[test]
fn unlock_of_the_candidate_discards_its_changes() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.ok(&lock("candidate"));
    session.edit("candidate", NAMED).ok();
    session.ok(&unlock("candidate"));
    session.holds("candidate", "");
}

/// 7.5: "the lock is held until it is released or the session closes", and changes go with it.
#[test]
fn the_end_of_a_session_releases_its_locks() {
    let agent = Agent::start();
    let mut other = agent.session();
    let ends: [fn(Session); 2] = [Session::close, drop];
    for end in ends {
        let mut holder = agent.session();
        holder.ok(&lock("running"));
        holder.ok(&lock("candidate"));
        holder.edit("candidate", NAMED).ok();
        end(holder);
        for target in ["running", "candidate"] {
            eventually("the lock is free", || other.request(&lock(target)).is_ok().then_some(()));
            other.ok(&unlock(target));
        }
        other.holds("candidate", "");
    }
}

/// 7.5: the end of a session leaves a candidate that it had not locked alone: it is shared.
#[test]
fn the_end_of_a_session_keeps_a_candidate_that_it_did_not_lock() {
    let agent = Agent::start();
    let mut editor = agent.session();
    editor.edit("candidate", NAMED).ok();
    editor.close();
    agent.session().holds("candidate", NAMED);
}

/// 7.5: while a confirmed commit of another session is pending, running cannot be locked.
#[test]
fn a_pending_confirmed_commit_denies_the_lock_of_running() {
    let agent = Agent::start();
    let mut owner = agent.session();
    let mut other = agent.session();
    owner.edit("candidate", NAMED).ok();
    owner.ok("<commit><confirmed/></commit>");
    other.request(&lock("running")).fails(&format!("lock-denied (session-id={})", owner.id));
    owner.ok("<commit/>");
    other.ok(&lock("running"));
    other.ok(&unlock("running"));
    owner.edit("candidate", "<tag xmlns=\"urn:quorate:test\">x</tag>").ok();
    owner.ok("<commit><confirmed/><persist>p</persist></commit>");
    owner.close();
    other.request(&lock("running")).fails("lock-denied (session-id=0)");
    other.ok("<commit><persist-id>p</persist-id></commit>");
    other.ok(&lock("running"));
}

/// A lock of running is in the log; a restart ends the session that held it.
#[test]
fn a_restart_releases_all_locks() {
    let mut agent = Agent::start();
    let mut holder = agent.session();
    holder.ok(&lock("running"));
    holder.ok(&lock("candidate"));
    holder.edit("candidate", NAMED).ok();
    agent.crash();
    let mut next = agent.session();
    next.ok(&lock("running"));
    next.ok(&lock("candidate"));
    next.holds("candidate", "");
}

/// Many sessions ask at once: exactly one gets the lock.
#[test]
fn a_contested_lock_goes_to_one() {
    let agent = Agent::start();
    for target in ["running", "candidate"] {
        let mut sessions: Vec<Session> = (0..8).map(|_| agent.session()).collect();
        let ids: Vec<String> =
            sessions.iter_mut().map(|session| session.send(&lock(target))).collect();
        let mut granted = 0;
        for (session, id) in sessions.iter_mut().zip(&ids) {
            let reply = session.reply_to(id);
            if reply.is_ok() {
                granted += 1;
            } else {
                reply.fails_with("lock-denied");
            }
        }
        assert_eq!(granted, 1, "{target}");
        sessions.into_iter().for_each(Session::close);
    }
}
