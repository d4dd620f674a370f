//! RFC 6241, section 8.1: capabilities exchange.

use crate::support::agent::{Agent, Settings};
use crate::support::session::{
    BASE_10, BASE_11, END_OF_MESSAGE, Session, Speaks, edit_config, get_config, hello,
};
use crate::support::xml::BASE;

const CAPABILITY: &str = "urn:ietf:params:netconf:capability:";

/// 8.1, 8.2 to 8.6: what is advertised, in the exact strings that clients compare.
#[test]
fn hello_lists_bases_and_capabilities_exactly() {
    let agent = Agent::start();
    let session = agent.session();
    for name in [
        "writable-running:1.0",
        "candidate:1.0",
        "confirmed-commit:1.0",
        "confirmed-commit:1.1",
        "rollback-on-error:1.0",
        "validate:1.0",
        "validate:1.1",
        "xpath:1.0",
    ] {
        let wanted = format!("{CAPABILITY}{name}");
        assert!(session.capabilities.contains(&wanted), "{wanted}: {:?}", session.capabilities);
    }
    for base in [BASE_10, BASE_11] {
        assert!(session.capabilities.iter().any(|own| own == base), "{base}");
    }
    for absent in ["startup", "url"] {
        assert!(!session.has(&format!("{CAPABILITY}{absent}")), "{absent} is not there");
    }
    let mut sorted = session.capabilities.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), session.capabilities.len(), "no capability is listed twice");
}

/// RFC 6020, 5.6.4, and RFC 7950, 5.6.4: modules of YANG 1.0 are listed with revision, features and deviations,
/// those of YANG 1.1 are not.
#[test]
fn hello_lists_yang_1_0_modules_and_no_others() {
    let agent = Agent::start();
    let session = agent.session();
    let old = session
        .capabilities
        .iter()
        .find(|own| own.starts_with("urn:quorate:test:old?"))
        .expect("the YANG 1.0 module");
    let mut parameters: Vec<&str> = old.split_once('?').expect("a query").1.split('&').collect();
    parameters.sort_unstable();
    assert_eq!(
        parameters,
        [
            "deviations=quorate-test-deviation",
            "features=first",
            "module=quorate-test-old",
            "revision=2026-11-20",
        ]
    );
    assert!(session.has("urn:quorate:test:deviation?module=quorate-test-deviation&"));
    // libnetconf2 looks for exactly this prefix before it uses get-schema.
    assert!(session.has(
        "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring?module=ietf-netconf-monitoring\
         &revision=2010-10-04"
    ));
    for newer in ["urn:quorate:test?", "urn:quorate:test:augment", "urn:bench:routes"] {
        assert!(!session.has(newer), "{newer} is YANG 1.1");
    }
}

/// RFC 8525, 2 (and RFC 7895, 2.1): the capability of yang-library names the content.
#[test]
fn hello_names_the_yang_library() {
    let agent = Agent::start();
    let session = agent.session();
    let prefix = format!("{CAPABILITY}yang-library:1.1?revision=2019-01-04&content-id=");
    let capability = session.capabilities.iter().find_map(|own| own.strip_prefix(&prefix));
    let content_id = capability.expect("the capability of RFC 8525");
    assert!(!content_id.is_empty());
}

/// 8.1: session-ids differ, and are not used again by the next life of the agent.
#[test]
fn session_ids_are_never_reused() {
    let mut agent = Agent::start();
    let mut seen = Vec::new();
    for _ in 0..3 {
        for _ in 0..3 {
            let session = agent.session();
            assert!(!seen.contains(&session.id), "{} came again after {seen:?}", session.id);
            seen.push(session.id);
        }
        agent.crash();
    }
}

/// 8.1: a peer without a common base capability cannot be served.
#[test]
fn a_client_without_a_common_base_is_closed() {
    let agent = Agent::start();
    for capabilities in [
        &[][..],
        &["urn:ietf:params:netconf:base:2.0"],
        &["urn:ietf:params:netconf:capability:candidate:1.0"],
    ] {
        let mut wire = agent.connect();
        wire.send(format!("{}{END_OF_MESSAGE}", hello(capabilities)).as_bytes());
        Session::read_hello(&mut wire);
        wire.closes();
    }
}

/// 8.1: "a server that receives a <hello> with a <session-id> MUST terminate the session".
#[test]
fn a_client_that_sends_a_session_id_is_closed() {
    let agent = Agent::start();
    let mut wire = agent.connect();
    let hello =
        hello(&[BASE_10, BASE_11]).replace("</hello>", "<session-id>4</session-id></hello>");
    wire.send(format!("{hello}{END_OF_MESSAGE}").as_bytes());
    Session::read_hello(&mut wire);
    wire.closes();
}

/// 8.1: the first message is hello.
#[test]
fn what_is_not_a_hello_closes_the_session() {
    let agent = Agent::start();
    for first in [
        &format!("<rpc xmlns=\"{BASE}\" message-id=\"1\"><get/></rpc>"),
        "<hello xmlns=\"urn:other\"><capabilities/></hello>",
        "<hello",
        "GET / HTTP/1.1\r\n\r\n",
        "",
    ] {
        let mut wire = agent.connect();
        wire.send(format!("{first}{END_OF_MESSAGE}").as_bytes());
        Session::read_hello(&mut wire);
        wire.closes();
    }
    agent.session().close();
}

/// RFC 6242, 4.1: chunked framing needs base:1.1 on both sides; one alone selects by what is common.
#[test]
fn each_base_selects_its_framing() {
    let agent = Agent::start();
    let mut old = agent.session_10();
    old.request("<get-config><source><running/></source></get-config>").data();
    old.close();
    let only_new = format!("{}{END_OF_MESSAGE}", hello(&[BASE_11]));
    let mut new = Session::open_with(agent.connect(), &only_new, Speaks::Base11);
    new.request("<get-config><source><running/></source></get-config>").data();
    new.close();
}

/// What scrapli, libnetconf2 and others send as hello: declarations, prefixes, white space around.
#[test]
fn hellos_of_real_clients_are_understood() {
    let agent = Agent::start();
    let capabilities = format!(
        "<nc:capabilities><nc:capability>\n  {BASE_10}\n </nc:capability>\
         <nc:capability>{BASE_11}</nc:capability></nc:capabilities>"
    );
    let prefixed = format!("<nc:hello xmlns:nc=\"{BASE}\">{capabilities}</nc:hello>");
    let plain = hello(&[BASE_10, BASE_11]);
    for hello in [
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{plain}"),
        format!("<?xml version='1.0' encoding='utf-8'?>\n{plain}\n"),
        format!("\n<?xml version=\"1.0\" encoding=\"utf-8\"?>\n  {plain}"),
        format!("<?xml version=\"1.0\"?><!-- a comment -->{prefixed}\r\n"),
        prefixed,
    ] {
        // scrapli sends a newline after the end of its hello.
        for after in ["", "\n"] {
            let bytes = format!("{hello}{END_OF_MESSAGE}{after}");
            let mut session = Session::open_with(agent.connect(), &bytes, Speaks::Base11);
            session.request("<get-config><source><running/></source></get-config>").data();
            session.close();
        }
    }
}

/// The server does not wait for the client's hello (8.1: both send theirs simultaneously).
#[test]
fn the_servers_hello_does_not_wait_for_the_clients() {
    let agent = Agent::start();
    let mut wire = agent.connect();
    let (id, capabilities) = Session::read_hello(&mut wire);
    assert!(id > 0 && !capabilities.is_empty());
}

/// 8.2 and 8.3: without writable-running, running changes by commit only.
#[test]
fn through_candidate_refuses_edits_of_running() {
    let agent = Agent::start_with(Settings {
        file: "[datastores]\nrunning-access = \"through-candidate\"\n".to_owned(),
        ..Settings::default()
    });
    let mut session = agent.session();
    assert!(!session.has(&format!("{CAPABILITY}writable-running")));
    assert!(session.has(&format!("{CAPABILITY}candidate:1.0")));
    let top = "<top xmlns=\"urn:quorate:test\"><name>a</name></top>";
    session.edit("running", top).fails_with("operation-not-supported");
    let copy = format!(
        "<copy-config><target><running/></target><source><config>{top}</config></source></copy-config>"
    );
    session.request(&copy).fails_with("operation-not-supported");
    session.edit("candidate", top).ok();
    session.ok("<commit/>");
    session.holds("running", top);
}

/// 8.3: without the candidate, there is no commit.
#[test]
fn without_the_candidate_its_operations_are_not_supported() {
    let agent = Agent::start_with(Settings {
        file: "[datastores]\ncandidate = false\n".to_owned(),
        ..Settings::default()
    });
    let mut session = agent.session();
    assert!(session.has(&format!("{CAPABILITY}writable-running:1.0")));
    for absent in ["candidate", "confirmed-commit"] {
        assert!(!session.has(&format!("{CAPABILITY}{absent}")), "{absent}");
    }
    for operation in [
        "<commit/>",
        "<discard-changes/>",
        "<lock><target><candidate/></target></lock>",
        &edit_config("candidate", "", ""),
        &get_config("candidate", ""),
    ] {
        let fault = session.request(operation).error();
        let tags = ["operation-not-supported", "invalid-value", "unknown-element", "bad-element"];
        assert!(tags.contains(&fault.tag.as_str()), "{operation}: {fault}");
    }
    session.edit("running", "<top xmlns=\"urn:quorate:test\"><name>a</name></top>").ok();
}
