//! RFC 6241, section 7: get, get-config, copy-config, delete-config, close-session, kill-session, validate.
//! Locks have a file of their own.

use crate::support::agent::Agent;
use crate::support::eventually;
use crate::support::session::{Session, data, edit_config, get_config};

const NAMED: &str = "<top xmlns=\"urn:quorate:test\"><name>a</name></top>";
const OTHER: &str = "<top xmlns=\"urn:quorate:test\"><name>b</name><size>7</size></top>";
/// high is below low: refused by a `must`.
const INVALID: &str = "<bounds xmlns=\"urn:quorate:test\"><low>2</low><high>1</high></bounds>";

fn copy(target: &str, source: &str) -> String {
    format!("<copy-config><target><{target}/></target><source>{source}</source></copy-config>")
}

/// 7.7: configuration and state, without a filter and with one.
#[test]
fn get_gives_configuration_and_state() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(NAMED);
    let all = session.request("<get/>");
    assert_eq!(all.data().child("top").value("name").as_deref(), Some("a"));
    assert!(all.data().find("netconf-state").is_some(), "RFC 6022");
    assert!(all.data().find("yang-library").is_some(), "RFC 8525");
    assert!(all.data().find("modules-state").is_some(), "RFC 7895, for older clients");
    let top = "<get><filter><top xmlns=\"urn:quorate:test\"/></filter></get>";
    assert_eq!(session.request(top).data().canonical(), data(NAMED));
    let state = "<get-config><source><running/></source><filter>\
        <netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"/></filter></get-config>";
    assert_eq!(session.request(state).data().canonical(), data(""), "7.1: configuration only");
}

/// 7.1 and 8.3: the whole of a datastore; the candidate with its changes.
#[test]
fn get_config_reads_each_datastore() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.holds("running", "");
    session.holds("candidate", "");
    session.edit("candidate", NAMED).ok();
    session.holds("candidate", NAMED);
    session.holds("running", "");
    session.ok("<commit/>");
    session.holds("running", NAMED);
    let startup = "<get-config><source><startup/></source></get-config>";
    session.request(startup).error();
}

/// 7.1 and 6.1: an unknown filter type.
#[test]
fn an_unknown_filter_type_is_a_bad_attribute() {
    let agent = Agent::start();
    let mut session = agent.session();
    let operation = "<get-config><source><running/></source><filter type=\"magic\"/></get-config>";
    session.request(operation).fails("bad-attribute (bad-attribute=type bad-element=filter)");
}

/// 7.3: the target becomes what the source is.
#[test]
fn copy_config_replaces_its_target() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(NAMED);
    session.edit("candidate", "<tag xmlns=\"urn:quorate:test\">x</tag>").ok();
    session.ok(&copy("candidate", "<running/>"));
    session.holds("candidate", NAMED);
    session.ok(&copy("candidate", &format!("<config>{OTHER}</config>")));
    session.holds("candidate", OTHER);
    session.holds("running", NAMED);
    session.ok(&copy("running", "<candidate/>"));
    session.holds("running", OTHER);
    session.ok(&copy("running", &format!("<config>{NAMED}</config>")));
    session.holds("running", NAMED);
    session.ok(&copy("running", "<config/>"));
    session.holds("running", "");
}

/// 7.3 and RFC 7950, 8.3: a copy to running is validated, a copy to the candidate waits for its commit.
#[test]
fn a_copy_to_running_is_validated() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(NAMED);
    let invalid = format!("<config>{INVALID}</config>");
    session
        .request(&copy("running", &invalid))
        .fails("operation-failed [bounds-order] at /t:bounds/t:high");
    session.holds("running", NAMED);
    session.ok(&copy("candidate", &invalid));
    session
        .request(&copy("running", "<candidate/>"))
        .fails("operation-failed [bounds-order] at /t:bounds/t:high");
    session.request("<commit/>").fails("operation-failed [bounds-order] at /t:bounds/t:high");
    session.holds("running", NAMED);
}

/// 7.3: a copy onto itself, and inline content that is no content.
#[test]
fn copies_that_make_no_sense_are_refused() {
    let agent = Agent::start();
    let mut session = agent.session();
    for (operation, tags) in [
        (copy("running", "<running/>"), "invalid-value operation-not-supported"),
        (copy("candidate", "<candidate/>"), "invalid-value operation-not-supported"),
        (copy("startup", "<running/>"), "operation-not-supported invalid-value unknown-element"),
        (
            copy("candidate", "<config><nowhere xmlns=\"urn:quorate:test\"/></config>"),
            "unknown-element",
        ),
        (copy("candidate", "<config><nowhere xmlns=\"urn:none\"/></config>"), "unknown-namespace"),
        (
            copy(
                "running",
                "<config><top xmlns=\"urn:quorate:test\"><size>0</size></top></config>",
            ),
            "invalid-value",
        ),
    ] {
        let fault = session.request(&operation).error();
        assert!(tags.split(' ').any(|tag| tag == fault.tag), "{operation}: {fault}");
    }
    session.holds("candidate", "");
    session.holds("running", "");
}

/// 7.4: running cannot be deleted; nor is the candidate, which discard-changes empties.
#[test]
fn delete_config_is_refused() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(NAMED);
    for target in ["running", "candidate"] {
        let operation = format!("<delete-config><target><{target}/></target></delete-config>");
        session.request(&operation).fails_with("operation-not-supported");
    }
    session.holds("running", NAMED);
}

/// 7.8: ok comes first, then the end. What was sent after close-session is not carried out.
#[test]
fn close_session_answers_and_ends() {
    let agent = Agent::start();
    for mut session in [agent.session(), agent.session_10()] {
        let close = session.send("<close-session/>");
        session.send(&edit_config("running", "", NAMED));
        session.reply_to(&close).ok();
        session.wire.closes();
    }
    agent.session().holds("running", "");
}

/// 7.9: the killed session is closed; its locks and what it did to a candidate that it locked are gone.
#[test]
fn kill_session_ends_another() {
    let agent = Agent::start();
    let mut victim = agent.session();
    let mut killer = agent.session();
    victim.ok("<lock><target><running/></target></lock>");
    victim.ok("<lock><target><candidate/></target></lock>");
    victim.edit("candidate", NAMED).ok();
    killer.request(&edit_config("running", "", NAMED)).fails_with("in-use");
    killer.ok(&format!("<kill-session><session-id>{}</session-id></kill-session>", victim.id));
    victim.wire.closes();
    killer.holds("candidate", "");
    killer.ok("<lock><target><running/></target></lock>");
    killer.ok("<lock><target><candidate/></target></lock>");
}

/// 7.9: a session cannot kill itself, nor one that is not there.
#[test]
fn kill_session_of_oneself_or_nobody_is_an_invalid_value() {
    let agent = Agent::start();
    let mut session = agent.session();
    let kill = |id: u32| format!("<kill-session><session-id>{id}</session-id></kill-session>");
    session.request(&kill(session.id)).fails_with("invalid-value");
    session.request(&kill(4_000_000_000)).fails_with("invalid-value");
    let gone = agent.session();
    let id = gone.id;
    gone.close();
    session.request(&kill(id)).fails_with("invalid-value");
}

/// 7.9: the victim may be in the middle of a request.
#[test]
fn kill_session_does_not_wait_for_its_victim() {
    let agent = Agent::start();
    let mut killer = agent.session();
    let mut victim = agent.session();
    // Half a request: the victim's session waits for the rest.
    victim.wire.send(b"\n#1000\n<rpc");
    killer.ok(&format!("<kill-session><session-id>{}</session-id></kill-session>", victim.id));
    victim.wire.closes();
}

/// 8.6.4.1: validate tells what a commit would.
#[test]
fn validate_checks_datastores_and_content() {
    let agent = Agent::start();
    let mut session = agent.session();
    let validate = |source: &str| format!("<validate><source>{source}</source></validate>");
    let bounds = "operation-failed [bounds-order] at /t:bounds/t:high";
    session.ok(&validate("<running/>"));
    session.ok(&validate("<candidate/>"));
    session.edit("candidate", INVALID).ok();
    session.request(&validate("<candidate/>")).fails(bounds);
    session.ok(&validate("<running/>"));
    session.ok(&validate(&format!("<config>{NAMED}</config>")));
    session.request(&validate(&format!("<config>{INVALID}</config>"))).fails(bounds);
    let wrong = "<config><top xmlns=\"urn:quorate:test\"><size>0</size></top></config>";
    session.request(&validate(wrong)).fails_with("invalid-value");
    session.holds("candidate", INVALID);
    session.holds("running", "");
}

/// 7.5 and 7.8: a session that is cut off is ended as if it had closed.
#[test]
fn a_lost_connection_ends_its_session() {
    let agent = Agent::start();
    let mut other = agent.session();
    let mut lost = agent.session();
    lost.ok("<lock><target><candidate/></target></lock>");
    lost.edit("candidate", NAMED).ok();
    drop(lost);
    eventually("the lock of the lost session is released", || {
        other.request("<lock><target><candidate/></target></lock>").is_ok().then_some(())
    });
    other.holds("candidate", "");
}

/// A client may stop sending and still read its answers.
#[test]
fn a_half_closed_connection_gets_its_answers() {
    let agent = Agent::start();
    let mut session: Session = agent.session();
    session.set_running(NAMED);
    let ids: Vec<String> = (0..10).map(|_| session.send(&get_config("running", ""))).collect();
    session.wire.end_of_input();
    for id in &ids {
        session.reply_to(id).data();
    }
    session.wire.closes();
}
