//! Our cluster module, `yang/quorate-cluster.yang`, and `quorate cluster`, on a node alone.

use crate::ssh::{Keys, netconf};
use crate::support::agent::{Agent, Settings, Ssh, root};
use crate::support::session::{BASE_10, Session, Speaks, hello};
use crate::support::xml::{BASE, Element};
use std::process::{Command, Output, Stdio};

const NS: &str = "urn:quorate:cluster";

/// Every operation, with what it needs.
const OPERATIONS: [(&str, &str); 7] = [
    ("cluster-init", "<name>lab</name>"),
    ("create-join-token", ""),
    ("remove-member", "<name>nobody</name>"),
    ("transfer-leadership", "<to>nobody</to>"),
    ("set-policy", "<policy>majority</policy>"),
    ("get-outcome", "<transaction-id>1.1.1</transaction-id>"),
    ("rollback-to-revision", "<revision>0</revision>"),
];

fn operation(name: &str, inner: &str) -> String {
    format!("<{name} xmlns=\"{NS}\">{inner}</{name}>")
}

fn state(session: &mut Session, inner: &str) -> Element {
    let operation = format!(
        "<get><filter type=\"subtree\"><cluster-state xmlns=\"{NS}\">{inner}</cluster-state>\
         </filter></get>"
    );
    session.request(&operation).data().child("cluster-state").clone()
}

#[test]
fn the_state_is_read_with_subtree_filters() {
    let agent = Agent::start();
    let mut session = agent.session();
    let all = state(&mut session, "");
    assert_eq!(all.namespace, NS);
    assert_eq!(all.value("policy").as_deref(), Some("synchronous"));
    for name in ["phase", "in-sync", "revision", "leadership-changes"] {
        assert!(all.value(name).is_some_and(|value| !value.is_empty()), "{name}");
    }
    for name in ["last-index", "commit-index", "applied-index"] {
        let index = all.child("log").value(name).expect("an index");
        assert!(index.parse::<u64>().is_ok(), "{name} {index}");
    }
    let part = state(&mut session, "<policy/><log><last-index/></log>");
    let names: Vec<&str> = part.children.iter().map(|child| &*child.name).collect();
    assert_eq!(names, ["policy", "log"]);
    assert_eq!(part.child("log").children.len(), 1);
    // What the filter says of its value counts.
    let matched = state(&mut session, "<policy>synchronous</policy><revision/>");
    assert_eq!(matched.children.len(), 2);
    let other = format!(
        "<get><filter><cluster-state xmlns=\"{NS}\"><policy>majority</policy></cluster-state>\
         </filter></get>"
    );
    assert!(session.request(&other).data().children.is_empty());
}

#[test]
fn the_state_is_no_configuration() {
    let agent = Agent::start();
    let mut session = agent.session();
    assert!(session.request("<get/>").data().find("cluster-state").is_some());
    let running = session.request("<get-config><source><running/></source></get-config>");
    assert!(running.data().children.is_empty());
    let config = format!("<cluster-state xmlns=\"{NS}\"><policy>majority</policy></cluster-state>");
    session.edit("running", &config).error();
}

#[test]
fn the_module_is_listed_and_can_be_fetched() {
    let agent = Agent::start();
    let mut session = agent.session();
    let library = session.request(
        "<get><filter><yang-library xmlns=\"urn:ietf:params:xml:ns:yang:ietf-yang-library\"/>\
         </filter></get>",
    );
    let set = library.data().child("yang-library").child("module-set").clone();
    let module = set
        .all("module")
        .find(|module| module.value("name").as_deref() == Some("quorate-cluster"))
        .expect("implemented");
    assert_eq!(module.value("namespace").as_deref(), Some(NS));
    let reply = session.request(
        "<get-schema xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\">\
         <identifier>quorate-cluster</identifier></get-schema>",
    );
    let text = std::fs::read_to_string(root().join("yang/quorate-cluster.yang")).expect("a model");
    assert_eq!(reply.element.child("data").text.trim(), text.trim());
}

#[test]
fn malformed_requests_are_refused_exactly() {
    let agent = Agent::start();
    let mut session = agent.session();
    for (name, inner, expected) in [
        ("cluster-init", "", "missing-element (bad-element=name)"),
        ("cluster-init", "<name>a b</name>", "invalid-value"),
        ("cluster-init", "<name>a</name><address>n1</address>", "invalid-value"),
        ("create-join-token", "<valid-for>0</valid-for>", "invalid-value"),
        ("create-join-token", "<secret/>", "unknown-element (bad-element=secret)"),
        ("remove-member", "<name>a</name><name>b</name>", "bad-element (bad-element=name)"),
        ("remove-member", "<name><x/></name>", "unknown-element (bad-element=x)"),
        (
            "transfer-leadership",
            "<to xmlns=\"urn:nowhere\">a</to>",
            "unknown-namespace (bad-element=to bad-namespace=urn:nowhere)",
        ),
        ("set-policy", "", "missing-element (bad-element=policy)"),
        ("set-policy", "<policy>anarchy</policy>", "invalid-value"),
        ("get-outcome", "", "missing-element (bad-element=transaction-id)"),
        ("get-outcome", "<session-id>1</session-id>", "missing-element (bad-element=message-id)"),
        (
            "get-outcome",
            "<transaction-id>1</transaction-id><message-id>1</message-id>",
            "bad-element (bad-element=message-id)",
        ),
        ("rollback-to-revision", "<revision>x</revision>", "invalid-value"),
        ("split-the-brain", "", "operation-not-supported"),
    ] {
        let error = session.request(&operation(name, inner)).error();
        assert!(error.is(expected), "{name} {inner}: {error}, expected {expected}");
    }
}

#[test]
fn a_transaction_id_has_1_to_64_characters() {
    let agent = Agent::start();
    let greeting = format!("{}]]>]]>", hello(&[BASE_10]));
    let mut session = Session::open_with(agent.connect(), &greeting, Speaks::Base10);
    let mut ask = |name: &str| {
        session.send_message(&format!(
            "<rpc xmlns=\"{BASE}\" message-id=\"1\" xmlns:q=\"{NS}\" q:transaction-id=\"{name}\">\
             <discard-changes/></rpc>"
        ));
        session.reply()
    };
    let most = "é".repeat(64);
    let reply = ask(&most);
    reply.ok();
    let echoed = reply.element.attributes.get(&(NS.to_owned(), "transaction-id".to_owned()));
    assert_eq!(echoed, Some(&most));
    for name in ["", &format!("{most}x")] {
        let error = ask(name).error();
        assert!(
            error.is("bad-attribute (bad-attribute=transaction-id bad-element=rpc)"),
            "{error}"
        );
        assert_eq!(error.error_type, "rpc");
    }
}

#[test]
fn administrators_alone_may_change_the_cluster() {
    let keys = Keys::new();
    let user = |name: &str, admin: &str| {
        let key = keys.public("ed25519");
        format!("[[users]]\nname = \"{name}\"\nauthorized-keys = [{key:?}]\n{admin}\n")
    };
    let file = user("boss", "admin = true") + &user("plain", "") + &user("other", "admin = false");
    let agent = Agent::start_with(Settings { file, ssh: Ssh::On, ..Settings::default() });
    let login =
        |user: &str| Session::open(netconf(&agent, user, &keys.private("ed25519")), Speaks::Base11);
    for user in ["plain", "other"] {
        let mut session = login(user);
        for (name, inner) in OPERATIONS {
            let error = session.request(&operation(name, inner)).error();
            assert!(error.is("access-denied"), "{user} {name}: {error}");
        }
        assert!(state(&mut session, "").value("phase").is_some(), "{user} may read");
    }
    // The account of the agent on the local socket, too.
    for session in [&mut login("boss"), &mut agent.session()] {
        for (name, inner) in [("remove-member", "<name>nobody</name>")] {
            let error = session.request(&operation(name, inner)).error();
            assert_ne!(error.tag, "access-denied", "{name}");
        }
    }
}

fn quorate_cluster(agent: &Agent, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate"))
        .arg("cluster")
        .args(arguments)
        .arg("--socket")
        .arg(agent.socket())
        .stdin(Stdio::null())
        .output()
        .expect("a process")
}

/// What a command that must succeed prints.
#[track_caller]
fn printed(agent: &Agent, arguments: &[&str]) -> String {
    let output = quorate_cluster(agent, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn quorate_cluster_status_is_for_people_and_for_scripts() {
    let agent = Agent::start();
    let page = printed(&agent, &["status"]);
    for part in ["Cluster    a node alone\n", "\nLeader     ", "\nRevision   ", "\nThis node  "] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
    assert!(page.contains("quorate cluster init --name"), "what to do next:\n{page}");
    let json: serde_json::Value =
        serde_json::from_str(&printed(&agent, &["status", "--json"])).expect("JSON");
    let all = state(&mut agent.session(), "");
    for (pointer, path) in [
        ("/phase", &["phase"][..]),
        ("/policy", &["policy"]),
        ("/log/commit-index", &["log", "commit-index"]),
        ("/revision", &["revision"]),
    ] {
        let of_model = path.iter().fold(&all, |parent, name| parent.child(name)).text.clone();
        let printed = json.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {json}"));
        assert_eq!(printed.to_string().trim_matches('"'), of_model, "{pointer}");
    }
    let history = printed(&agent, &["history", "--json"]);
    assert!(serde_json::from_str::<Vec<serde_json::Value>>(&history).is_ok(), "{history}");
    printed(&agent, &["history"]);
}

/// The agent's words in one line on standard error, and exit status 1; 2 for a wrong command line.
#[test]
fn quorate_cluster_says_what_is_refused() {
    let agent = Agent::start();
    for (arguments, code, says) in [
        (&["init", "--name", "a b"][..], 1, "name is made of letters"),
        (&["init", "--name", "a", "--address", "n1"], 1, "address is not HOST:PORT"),
        (&["outcome", ""], 1, "transaction-id has not from 1 to 64 characters"),
        (&["init"], 2, "--name"),
        (&["token", "--valid-for", "soon"], 2, "not a time from 1s to 24h"),
        (&["policy", "anarchy"], 2, "fully-synchronous"),
        (&["outcome"], 2, "TRANSACTION_ID|--session-id|--client-transaction-id|required"),
        (&["outcome", "--session-id", "4"], 2, "--message-id"),
        (&["outcome", "1.2.3", "--session-id", "4"], 2, "cannot be used with"),
    ] {
        let output = quorate_cluster(&agent, arguments);
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(says.split('|').any(|part| error.contains(part)), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
        assert!(code == 2 || error.trim().lines().count() == 1, "{error}");
    }
    let mut gone = agent;
    gone.terminate();
    let output = quorate_cluster(&gone, &["status"]);
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("cannot reach an agent at"), "{error}");
}
