//! Our cluster module, `yang/quorate-cluster.yang`, and `quorate cluster`, on a node alone.

use crate::ssh::{Keys, netconf};
use crate::support::agent::{Agent, Settings, Ssh, root};
use crate::support::session::{BASE_10, Session, Speaks, edit_config, hello};
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

/// A node alone leads itself, and has all that it has committed.
#[test]
fn a_node_alone_is_a_cluster_of_one() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&named("a"));
    let all = state(&mut session, "");
    for (name, expected) in [
        ("phase", "ready"),
        ("in-sync", "true"),
        ("role", "leader"),
        ("voting", "true"),
        ("revision", "1"),
        ("boot", "1"),
    ] {
        assert_eq!(all.value(name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(all.find("cluster-name").map(|name| &*name.text), None, "it was not initialised");
    let name = all.value("member-name").expect("its name");
    assert_eq!(all.value("leader").as_ref(), Some(&name));
    let members: Vec<&Element> = all.all("member").collect();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].value("name"), Some(name));
    assert_eq!(members[0].value("voting").as_deref(), Some("true"));
    let log = all.child("log");
    for index in ["commit-index", "applied-index", "replicated-to-all"] {
        assert_eq!(log.value(index), log.value("last-index"), "{index}");
    }
    assert_eq!(all.child("transactions").value("committed").as_deref(), Some("1"));
    let library = session.request(
        "<get><filter><yang-library xmlns=\"urn:ietf:params:xml:ns:yang:ietf-yang-library\">\
         <content-id/></yang-library></filter></get>",
    );
    let content_id = library.data().child("yang-library").value("content-id");
    assert_eq!(all.value("schema-id"), content_id);
    let digest = all.value("digest");
    session.set_running(&named("b"));
    assert_ne!(state(&mut session, "").value("digest"), digest);
    session.set_running(&named("a"));
    assert_eq!(state(&mut session, "").value("digest"), digest, "it is that of the content");
}

fn named(name: &str) -> String {
    format!("<top xmlns=\"urn:quorate:test\"><name>{name}</name></top>")
}

fn history(session: &mut Session, filter: &str) -> Vec<Element> {
    let operation = format!(
        "<get><filter><commit-history xmlns=\"{NS}\">{filter}</commit-history></filter></get>"
    );
    let reply = session.request(&operation);
    let history = reply.data().find("commit-history");
    history.map(|history| history.all("commit").cloned().collect()).unwrap_or_default()
}

#[test]
fn the_history_names_every_commit() {
    let mut agent = Agent::start();
    let mut session = agent.session();
    assert!(history(&mut session, "").is_empty());
    for name in ["a", "b", "b"] {
        session.set_running(&named(name));
    }
    let commits = history(&mut session, "");
    let revisions: Vec<_> = commits.iter().filter_map(|commit| commit.value("revision")).collect();
    assert_eq!(revisions, ["1", "2"], "what changes nothing is no commit");
    let account = Command::new("id").arg("-un").output().expect("id");
    let account = String::from_utf8_lossy(&account.stdout).trim().to_owned();
    for commit in &commits {
        assert_eq!(commit.value("user").as_ref(), Some(&account));
        assert_eq!(commit.value("session-id"), Some(session.id.to_string()));
        assert!(commit.value("time").is_some_and(|time| time.ends_with('Z')));
        assert_eq!(commit.value("origin"), state(&mut session, "").value("member-name"));
    }
    assert_ne!(commits[0].value("transaction-id"), commits[1].value("transaction-id"));
    let one = history(&mut session, "<commit><number>2</number></commit>");
    assert_eq!(one, commits[1..], "found by its key");
    // What makes no revision has a line beside that of the revision in force.
    printed(&agent, &["policy", "majority"]);
    let commits = history(&mut session, "");
    let told = |name| commits.iter().map(|line| line.value(name)).collect::<Vec<_>>();
    assert_eq!(told("number"), ["1", "2", "3"].map(|text| Some(text.to_owned())));
    assert_eq!(told("revision"), ["1", "2", "2"].map(|text| Some(text.to_owned())));
    assert_eq!(told("comment"), [None, None, Some("policy majority".to_owned())]);
    agent.crash();
    assert_eq!(history(&mut agent.session(), ""), commits, "it is in the log");
}

/// What became of a transaction: its outcome, and its revision.
fn outcome(session: &mut Session, name: &str) -> (String, Option<String>) {
    let reply = session.request(&operation("get-outcome", name)).element;
    assert!(reply.children.iter().all(|leaf| leaf.namespace == NS), "{}", reply.canonical());
    (reply.value("outcome").expect("an outcome"), reply.value("revision"))
}

#[test]
fn an_outcome_is_found_by_each_name() {
    let mut agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&named("a"));
    let id = session.id;
    session.send_message(&format!(
        "<rpc xmlns=\"{BASE}\" message-id=\"m&lt;2\" xmlns:q=\"{NS}\" \
         q:transaction-id=\"order 7\">{}</rpc>",
        edit_config("running", "", &named("b"))
    ));
    session.reply().ok();
    let commits = history(&mut session, "");
    let transaction = commits[1].value("transaction-id").expect("an id");
    // Who lost its session asks in another one, of another life.
    agent.crash();
    let mut session = agent.session();
    let second = ("committed".to_owned(), Some("2".to_owned()));
    for name in [
        format!("<transaction-id>{transaction}</transaction-id>"),
        format!("<session-id>{id}</session-id><message-id>m&lt;2</message-id>"),
        "<client-transaction-id>order 7</client-transaction-id>".to_owned(),
    ] {
        assert_eq!(outcome(&mut session, &name), second, "{name}");
    }
    for name in [
        "<transaction-id>9.9.9</transaction-id>".to_owned(),
        format!("<session-id>{id}</session-id><message-id>m2</message-id>"),
        "<client-transaction-id>order 8</client-transaction-id>".to_owned(),
    ] {
        assert_ne!(outcome(&mut session, &name).0, "committed", "{name}");
    }
    let error =
        session.request(&operation("get-outcome", "<transaction-id>last</transaction-id>")).error();
    assert!(error.is("invalid-value"), "{error}");
}

/// A change can be asked for again until there is an answer.
#[test]
fn a_named_change_takes_place_once() {
    let mut agent = Agent::start();
    let ask = |session: &mut Session, name: &str| {
        session.send_message(&format!(
            "<rpc xmlns=\"{BASE}\" message-id=\"1\" xmlns:q=\"{NS}\" \
             q:transaction-id=\"{name}\">{}</rpc>",
            edit_config("running", "", &named("a"))
        ));
        session.reply().ok();
    };
    let mut session = agent.session();
    ask(&mut session, "change 1");
    session.set_running(&named("b"));
    ask(&mut session, "change 1");
    session.holds("running", &named("b"));
    agent.crash();
    let mut session = agent.session();
    ask(&mut session, "change 1");
    session.holds("running", &named("b"));
    ask(&mut session, "change 2");
    session.holds("running", &named("a"));
}

#[test]
fn a_rollback_is_a_commit_of_its_own() {
    let agent = Agent::start();
    let mut session = agent.session();
    for name in ["a", "b", "c"] {
        session.set_running(&named(name));
    }
    session.ok(&operation("rollback-to-revision", "<revision>1</revision>"));
    session.holds("running", &named("a"));
    let commits = history(&mut session, "");
    assert_eq!(commits.len(), 4);
    assert_eq!(commits[3].value("comment").as_deref(), Some("rollback to revision 1"));
    session.ok(&operation("rollback-to-revision", "<revision>3</revision>"));
    session.holds("running", &named("c"));
    session.ok(&operation("rollback-to-revision", "<revision>0</revision>"));
    session.holds("running", "");
    let to_come = operation("rollback-to-revision", "<revision>99</revision>");
    session.request(&to_come).error();
    assert_eq!(history(&mut session, "").len(), 6, "a rollback that is refused changes nothing");
}

#[test]
fn a_rollback_has_the_names_of_its_own_request() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&named("a"));
    for (message, transaction, request) in [
        ("m1", "change", edit_config("running", "", &named("b"))),
        ("m2", "back", operation("rollback-to-revision", "<revision>1</revision>")),
    ] {
        session.send_message(&format!(
            "<rpc xmlns=\"{BASE}\" message-id=\"{message}\" xmlns:q=\"{NS}\" \
             q:transaction-id=\"{transaction}\">{request}</rpc>"
        ));
        session.reply().ok();
    }
    for (message, transaction, revision) in [("m1", "change", "2"), ("m2", "back", "3")] {
        let expected = ("committed".to_owned(), Some(revision.to_owned()));
        let id = session.id;
        for name in [
            format!("<session-id>{id}</session-id><message-id>{message}</message-id>"),
            format!("<client-transaction-id>{transaction}</client-transaction-id>"),
        ] {
            assert_eq!(outcome(&mut session, &name), expected, "{name}");
        }
    }
}

#[test]
fn the_policy_is_kept() {
    let mut agent = Agent::start();
    for policy in ["majority", "fully-synchronous", "synchronous", "majority"] {
        let set = operation("set-policy", &format!("<policy>{policy}</policy>"));
        agent.session().ok(&set);
        assert_eq!(state(&mut agent.session(), "").value("policy").as_deref(), Some(policy));
    }
    agent.crash();
    assert_eq!(state(&mut agent.session(), "").value("policy").as_deref(), Some("majority"));
}

/// A node alone has nobody to lead in its place, and gives no seats before it is initialised.
#[test]
fn what_needs_a_cluster_is_refused_by_a_node_alone() {
    let agent = Agent::start();
    let mut session = agent.session();
    for (name, inner, expected) in [
        ("create-join-token", "", "operation-failed"),
        ("transfer-leadership", "", "operation-failed"),
        ("transfer-leadership", "<to>nobody</to>", "invalid-value"),
        ("remove-member", "<name>nobody</name>", "invalid-value"),
    ] {
        let error = session.request(&operation(name, inner)).error();
        assert!(error.is(expected), "{name}: {error}");
    }
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
        for (name, inner) in OPERATIONS.into_iter().filter(|(name, _)| *name != "get-outcome") {
            let error = session.request(&operation(name, inner)).error();
            assert!(error.is("access-denied"), "{user} {name}: {error}");
        }
        assert!(state(&mut session, "").value("phase").is_some(), "{user} may read");
    }
    // The account of the agent on the local socket, too.
    for session in [&mut login("boss"), &mut agent.session()] {
        let error = session.request(&operation("remove-member", "<name>nobody</name>")).error();
        assert_eq!(error.tag, "invalid-value", "{error}");
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
    for part in [
        "Cluster    a node alone, policy synchronous\n",
        "\nLeader     ",
        "\nRevision   ",
        "\nThis node  ",
    ] {
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

#[test]
fn quorate_cluster_shows_the_history_and_goes_back() {
    let agent = Agent::start();
    let mut session = agent.session();
    assert_eq!(printed(&agent, &["history"]), "Nothing was committed yet.\n");
    for name in ["a", "b", "c"] {
        session.set_running(&named(name));
    }
    let said = printed(&agent, &["rollback", "1"]);
    assert_eq!(said, "The configuration is that of revision 1 again.\n");
    session.holds("running", &named("a"));
    let page = printed(&agent, &["history", "--limit", "2"]);
    let lines: Vec<&str> = page.lines().collect();
    assert_eq!(lines.len(), 3, "{page}");
    assert!(lines[0].starts_with("REVISION  TIME"), "{page}");
    assert!(lines[1].starts_with("4 ") && lines[1].ends_with("rollback to revision 1"), "{page}");
    assert!(lines[2].starts_with("3 "), "{page}");
    let json: serde_json::Value =
        serde_json::from_str(&printed(&agent, &["history", "--json"])).expect("JSON");
    let transaction = json[1]["transaction-id"].as_str().expect("an id");
    let said = printed(&agent, &["outcome", transaction]);
    assert_eq!(said, "committed as revision 3\n");
    assert_eq!(printed(&agent, &["policy", "majority"]), "The policy is majority.\n");
    assert!(printed(&agent, &["status"]).contains("policy majority\n"));
}

/// The agent's words in one line on standard error, and exit status 1; 2 for a wrong command line.
#[test]
fn quorate_cluster_says_what_is_refused() {
    let agent = Agent::start();
    for (arguments, code, says) in [
        (&["init", "--name", "a b"][..], 1, "name is made of letters"),
        (&["init", "--name", "a", "--address", "n1"], 1, "address is not HOST:PORT"),
        (&["rollback", "7"], 1, "7"),
        (&["remove", "nobody"], 1, "there is no member nobody"),
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
