//! RFC 6022: netconf-state and get-schema.

use crate::support::agent::Agent;
use crate::support::session::Session;
use crate::support::xml::Element;
use std::collections::BTreeSet;

const NS: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";

fn state(session: &mut Session, inner: &str) -> Element {
    let operation = format!(
        "<get><filter type=\"subtree\"><netconf-state xmlns=\"{NS}\">{inner}</netconf-state></filter></get>"
    );
    session.request(&operation).data().child("netconf-state").clone()
}

fn get_schema(identifier: &str, more: &str) -> String {
    format!("<get-schema xmlns=\"{NS}\"><identifier>{identifier}</identifier>{more}</get-schema>")
}

/// 2.1.1: the capabilities of hello.
#[test]
fn capabilities_are_those_of_hello() {
    let agent = Agent::start();
    let mut session = agent.session();
    let state = state(&mut session, "<capabilities/>");
    let listed: BTreeSet<String> =
        state.child("capabilities").all("capability").map(|own| own.text.clone()).collect();
    assert_eq!(listed, session.capabilities.iter().cloned().collect());
}

/// 2.1.2: the datastores, and who locks them.
#[test]
fn datastores_show_their_locks() {
    let agent = Agent::start();
    let mut session = agent.session();
    let mut holder = agent.session();
    let names = |state: &Element| -> BTreeSet<String> {
        let datastores = state.child("datastores").all("datastore");
        datastores.map(|datastore| datastore.value("name").expect("a name")).collect()
    };
    let all = state(&mut session, "<datastores/>");
    assert_eq!(names(&all), BTreeSet::from(["candidate".into(), "running".into()]));
    assert!(!all.canonical().contains("global-lock"));
    for target in ["running", "candidate"] {
        holder.ok(&format!("<lock><target><{target}/></target></lock>"));
        let locked = state(&mut session, "<datastores/>");
        let datastore = locked
            .child("datastores")
            .all("datastore")
            .find(|datastore| datastore.value("name").as_deref() == Some(target))
            .expect("the datastore")
            .clone();
        let lock = datastore.child("locks").child("global-lock");
        assert_eq!(lock.value("locked-by-session"), Some(holder.id.to_string()));
        assert!(is_date_and_time(&lock.value("locked-time").expect("a time")));
    }
    holder.close();
    assert!(!state(&mut session, "<datastores/>").canonical().contains("global-lock"));
}

fn is_date_and_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':'
}

/// 2.1.4: the open sessions.
#[test]
fn sessions_are_listed_while_they_are_open() {
    let agent = Agent::start();
    let mut session = agent.session();
    let other = agent.session();
    let all = state(&mut session, "<sessions/>");
    let own = all
        .child("sessions")
        .all("session")
        .find(|own| own.value("session-id") == Some(session.id.to_string()))
        .expect("this session")
        .clone();
    assert!(own.value("username").is_some_and(|user| !user.is_empty()));
    assert!(is_date_and_time(&own.value("login-time").expect("a time")));
    assert!(own.value("transport").is_some());
    assert_eq!(all.child("sessions").all("session").count(), 2);
    other.close();
    let fewer = state(&mut session, "<sessions/>");
    assert_eq!(fewer.child("sessions").all("session").count(), 1);
}

/// 2.1.4 and 2.1.5: what sessions have done is counted.
#[test]
fn requests_and_errors_are_counted() {
    let agent = Agent::start();
    let mut session = agent.session();
    let counters = |session: &mut Session| -> (u32, u32) {
        let all = state(session, "<sessions/>");
        let own = all.child("sessions").child("session");
        let number = |name| own.value(name).expect("a counter").parse().expect("a number");
        (number("in-rpcs"), number("out-rpc-errors"))
    };
    let (rpcs, errors) = counters(&mut session);
    session.ok("<discard-changes/>");
    session.request("<frobnicate/>").error();
    assert_eq!(counters(&mut session), (rpcs + 3, errors + 1));
}

/// 2.1.3: every module, import and submodule can be fetched, with the namespace that it says.
#[test]
fn every_listed_schema_can_be_fetched() {
    let agent = Agent::start();
    let mut session = agent.session();
    let all = state(&mut session, "<schemas/>");
    let mut found = BTreeSet::new();
    for schema in all.child("schemas").all("schema") {
        let value = |name| schema.value(name).unwrap_or_else(|| panic!("no {name}"));
        let (identifier, version) = (value("identifier"), value("version"));
        assert_eq!(schema.child("format").canonical_text(), "ncm:yang", "{identifier}");
        assert_eq!(value("location"), "NETCONF", "{identifier}");
        let more = format!("<version>{version}</version><format>yang</format>");
        let reply = session.request(&get_schema(&identifier, &more));
        let data = reply.element.child("data");
        assert_eq!((data.namespace.as_str(), data.children.len()), (NS, 0));
        assert!(data.text.contains(&format!("module {identifier}")), "{identifier}");
        assert!(version.is_empty() || data.text.contains(&version), "{identifier}");
        // Every import and include is listed as well: clients fetch them all.
        found.insert(identifier);
        for statement in ["import ", "include "] {
            for line in data.text.lines().filter_map(|line| line.trim().strip_prefix(statement)) {
                let name: String = line
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || "-_.".contains(*c))
                    .collect();
                let listed = all
                    .child("schemas")
                    .all("schema")
                    .any(|schema| schema.value("identifier").as_deref() == Some(&name));
                assert!(listed || name.is_empty() || !line.contains(['{', ';']), "{name}");
            }
        }
    }
    for name in [
        "quorate-test",
        "quorate-test-augment",
        "quorate-test-old",
        "quorate-test-old-part",
        "quorate-test-deviation",
        "ietf-netconf",
        "ietf-netconf-monitoring",
        "ietf-yang-library",
        "ietf-yang-types",
        "ietf-inet-types",
    ] {
        assert!(found.contains(name), "{name} is not in {found:?}");
    }
}

/// 2.1.3: a submodule has the namespace of its module.
#[test]
fn a_submodule_has_the_namespace_of_its_module() {
    let agent = Agent::start();
    let mut session = agent.session();
    let all = state(&mut session, "<schemas/>");
    for (name, namespace) in [
        ("quorate-test-old", "urn:quorate:test:old"),
        ("quorate-test-old-part", "urn:quorate:test:old"),
        ("quorate-test", "urn:quorate:test"),
    ] {
        let schema = all
            .child("schemas")
            .all("schema")
            .find(|schema| schema.value("identifier").as_deref() == Some(name))
            .expect("listed")
            .clone();
        assert_eq!(schema.value("namespace").as_deref(), Some(namespace));
    }
}

/// 3.1: the text is the file's, byte by byte, and comes without version and format too.
#[test]
fn get_schema_gives_the_file() {
    let agent = Agent::start();
    let mut session = agent.session();
    for name in ["quorate-test", "quorate-test-old-part"] {
        let file = crate::support::agent::root().join(format!("netconf-tests/yang/{name}.yang"));
        let text = std::fs::read_to_string(file).expect("the model");
        for more in [
            "",
            "<format>yang</format>",
            "<format xmlns:m=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\">m:yang</format>",
        ] {
            let reply = session.request(&get_schema(name, more));
            assert_eq!(reply.element.child("data").text.trim(), text.trim());
        }
    }
    let mut old = agent.session_10();
    let reply = old.request(&get_schema("quorate-test", ""));
    assert!(reply.element.child("data").text.contains("module quorate-test"));
}

/// 3.1: no such schema is an invalid value.
#[test]
fn get_schema_of_what_is_not_there_is_an_invalid_value() {
    let agent = Agent::start();
    let mut session = agent.session();
    for request in [
        get_schema("nothing", ""),
        get_schema("quorate-test", "<version>1999-01-01</version>"),
        get_schema("quorate-test", "<format>yin</format>"),
        get_schema("quorate-test", "<format>rng</format>"),
    ] {
        session.request(&request).fails_with("invalid-value");
    }
    session
        .request(&format!("<get-schema xmlns=\"{NS}\"/>"))
        .fails("missing-element (bad-element=identifier)");
}

/// 2.1.5: the statistics of the server.
#[test]
fn statistics_count_sessions() {
    let agent = Agent::start();
    let mut session = agent.session();
    agent.session().close();
    let statistics = state(&mut session, "<statistics/>").child("statistics").clone();
    let number =
        |name| statistics.value(name).and_then(|text| text.parse::<u32>().ok()).expect("a counter");
    assert!(is_date_and_time(&statistics.value("netconf-start-time").expect("a time")));
    assert_eq!(number("in-sessions"), 2);
    assert!(number("in-rpcs") >= 1);
}
