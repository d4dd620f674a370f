//! How a node becomes a member: `--join`, `--token`, what becomes of what it had, and how it comes back.

use crate::support::agent::{Agent, Settings};
use crate::support::session::Session;
use std::fs;

const NS: &str = "urn:quorate:cluster";

/// The first node of a cluster.
fn first() -> Agent {
    let mut agent = Agent::stopped(Settings::default()).with_arguments(&[
        "--peer",
        "127.0.0.1:0",
        "--node-name",
        "n1",
    ]);
    agent.run();
    agent.session().ok(&format!("<cluster-init xmlns=\"{NS}\"><name>lab</name></cluster-init>"));
    agent
}

fn address(session: &mut Session) -> String {
    let filter =
        format!("<cluster-state xmlns=\"{NS}\"><member><address/></member></cluster-state>");
    let reply = session.request(&format!("<get><filter>{filter}</filter></get>"));
    reply.data().child("cluster-state").child("member").value("address").expect("an address")
}

/// What a node is to be started with that joins the cluster.
fn wish(member: &Agent) -> Vec<String> {
    let mut session = member.session();
    let address = address(&mut session);
    let reply = session.request(&format!("<create-join-token xmlns=\"{NS}\"/>"));
    let token = reply.element.value("token").expect("a token");
    let peer = "127.0.0.1:0".to_owned();
    let words = ["--peer", &peer, "--node-name", "n2", "--join", &address, "--token", &token];
    words.map(str::to_owned).to_vec()
}

fn joining(wish: &[String]) -> Agent {
    let words: Vec<&str> = wish.iter().map(String::as_str).collect();
    Agent::stopped(Settings::default()).with_arguments(&words)
}

#[test]
fn a_node_that_joins_has_what_the_cluster_has_and_comes_back_as_a_member() {
    let first = first();
    first.session().set_running("<order xmlns=\"urn:quorate:test\">kept</order>");
    let mut second = joining(&wish(&first));
    second.run();
    let before = first.session().read("running");
    assert_eq!(second.session().read("running"), before);
    assert_eq!(second.terminate().code(), Some(0));
    second.run();
    assert!(second.log().contains("--join is ignored"), "{}", second.log());
    assert_eq!(second.session().read("running"), before);
}

#[test]
fn a_token_is_for_one_node() {
    let first = first();
    let wish = wish(&first);
    let mut second = joining(&wish);
    second.run();
    let again: Vec<String> =
        wish.iter().map(|word| if word == "n2" { "n3".to_owned() } else { word.clone() }).collect();
    let refused = joining(&again).try_run().unwrap_err();
    assert!(refused.log.contains("refuses"), "{}", refused.log);
}

#[test]
fn what_a_node_has_is_not_given_up_by_chance() {
    let first = first();
    let wish = wish(&first);
    let mut alone = Agent::start();
    alone.session().set_running("<order xmlns=\"urn:quorate:test\">kept</order>");
    let had = alone.session().read("running");
    assert_eq!(alone.terminate().code(), Some(0));
    let words: Vec<&str> = wish.iter().map(String::as_str).collect();
    let mut alone = alone.with_arguments(&words);
    let refused = alone.try_run().unwrap_err();
    assert!(refused.log.contains("--discard-local-data"), "{}", refused.log);
    let mut alone = alone.with_arguments(&["--discard-local-data"]);
    alone.run();
    assert_eq!(alone.session().read("running"), first.session().read("running"));
    let exported = fs::read_to_string(alone.path("data").join("discarded-1.xml")).unwrap();
    assert!(had.contains("kept") && exported.contains("kept"), "{exported}");
}

#[test]
fn a_member_without_its_key_says_so() {
    let first = first();
    let mut second = joining(&wish(&first));
    second.run();
    assert_eq!(second.terminate().code(), Some(0));
    let key = second.path("data").join("member.pem");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let refused = second.try_run().unwrap_err();
    assert!(refused.log.contains("member.pem"), "{}", refused.log);
    fs::write(&key, kept).unwrap();
    second.run();
}
