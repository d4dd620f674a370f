//! RFC 6241, section 8.9: `<filter type="xpath" select="..."/>`.

use crate::support::agent::Agent;
use crate::support::session::{Session, data};

const EX: &str = "http://example.com/schema/1.2/config";
const FRED: &str = "<user><name>fred</name><type>admin</type><full-name>Fred Flintstone</full-name>\
    <company-info><dept>2</dept><id>2</id></company-info></user>";
const ROOT: &str = "<user><name>root</name><type>superuser</type><full-name>Charlie Root</full-name>\
    <company-info><dept>1</dept><id>1</id></company-info></user>";
const INTERFACES: &str = "<interfaces>\
    <interface><ifName>eth0</ifName><ifInErrors>45621</ifInErrors></interface>\
    <interface><ifName>eth1</ifName><ifInErrors>0</ifInErrors></interface></interfaces>";
const SERVER: &str = "<server xmlns=\"urn:quorate:test\"><name>fred</name></server>";

fn top(inner: &str) -> String {
    format!("<top xmlns=\"{EX}\">{inner}</top>")
}

fn example() -> (Agent, Session) {
    let agent = Agent::start();
    let mut session = agent.session();
    let users = format!("<users>{FRED}{ROOT}</users>");
    session.set_running(&format!("{}{SERVER}", top(&format!("{users}{INTERFACES}"))));
    (agent, session)
}

fn filtered(get: &str, select: &str) -> String {
    let source = if get == "get" { "" } else { "<source><running/></source>" };
    format!(
        "<{get}>{source}<filter type=\"xpath\" xmlns:t=\"{EX}\" xmlns:q=\"urn:quorate:test\" \
         select=\"{select}\"/></{get}>"
    )
}

#[track_caller]
fn check(session: &mut Session, select: &str, selected: &str) {
    for get in ["get", "get-config"] {
        let reply = session.request(&filtered(get, select));
        assert_eq!(reply.data().canonical(), data(selected), "{get} {select}");
    }
}

/// 8.9.5: the RFC's example. The nodes that are selected come with those above them, and entries with their keys.
#[test]
fn nodes_are_selected_with_what_is_above_them_and_with_keys() {
    let (_agent, mut session) = example();
    let fred = top(&format!("<users>{FRED}</users>"));
    check(&mut session, "/t:top/t:users/t:user[t:name='fred']", &fred);
    let name = top("<users><user><name>fred</name></user></users>");
    check(&mut session, "/t:top/t:users/t:user[t:name='fred']/t:name", &name);
    let departments =
        top("<users><user><name>fred</name><company-info><dept>2</dept></company-info></user>\
         <user><name>root</name><company-info><dept>1</dept></company-info></user></users>");
    check(&mut session, "//t:dept", &departments);
    let errors = top(
        "<interfaces><interface><ifName>eth0</ifName><ifInErrors>45621</ifInErrors></interface></interfaces>",
    );
    check(&mut session, "/t:top/t:interfaces/t:interface[t:ifInErrors > 0]", &errors);
    check(&mut session, "/t:top/t:users/t:user[t:name='nobody']", "");
    check(&mut session, "/t:top/t:nowhere | /q:top", "");
}

/// 8.9: several paths give one tree in the order of the data.
#[test]
fn a_union_is_merged() {
    let (_agent, mut session) = example();
    let expected = format!(
        "{}{SERVER}",
        top(&format!(
            "<users>{FRED}<user><name>root</name><type>superuser</type></user></users>{INTERFACES}"
        ))
    );
    let select = "/q:server | //t:type | /t:top/t:interfaces | //t:user[1]";
    check(&mut session, select, &expected);
    check(
        &mut session,
        "/t:top/t:users/t:user[t:type = 'admin' or t:company-info/t:dept = 3]",
        &top(&format!("<users>{FRED}</users>")),
    );
    check(
        &mut session,
        "//t:name[. = /q:server/q:name]",
        &top("<users><user><name>fred</name></user></users>"),
    );
}

/// 8.9: the context node is the root, relative paths begin there. The content of the element means nothing.
#[test]
fn the_context_node_is_the_root() {
    let (_agent, mut session) = example();
    check(&mut session, "q:server", SERVER);
    check(&mut session, "current()/q:server", SERVER);
    let operation = format!(
        "<get-config><source><running/></source><filter type=\"xpath\" select=\"/x:server\" \
         xmlns:x=\"urn:quorate:test\"><top xmlns=\"{EX}\"/></filter></get-config>"
    );
    assert_eq!(session.request(&operation).data().canonical(), data(SERVER));
    let all = session.request("<get-config><source><running/></source></get-config>");
    let whole = session.request(&filtered("get-config", "/"));
    assert_eq!(all.data().canonical(), whole.data().canonical());
}

/// State is selected by `get`, and not by `get-config` (7.1, 7.7). Some clients send modules' names for prefixes, or none.
#[test]
fn state_is_selected_by_get() {
    let agent = Agent::start();
    let mut session = agent.session();
    for select in [
        "/ietf-netconf-monitoring:netconf-state/capabilities",
        "/netconf-state/capabilities",
        "/ietf-netconf-monitoring:netconf-state/ietf-netconf-monitoring:capabilities",
    ] {
        let found = session.request(&filtered("get", select));
        let state = found.data().child("netconf-state");
        assert!(state.child("capabilities").all("capability").count() > 5, "{select}");
        assert!(state.find("schemas").is_none(), "{select}");
        let none = session.request(&filtered("get-config", select));
        assert_eq!(none.data().canonical(), data(""), "{select}");
    }
    let sessions = session.request(&filtered("get", "//session[session-id]/transport"));
    assert!(sessions.data().child("netconf-state").find("sessions").is_some());
    // As libnetconf2 asks for the library.
    let library = session.request(&filtered("get", "/ietf-yang-library:*"));
    for name in ["yang-library", "modules-state"] {
        assert!(library.data().find(name).is_some(), "{name}");
    }
}

/// 8.9.1 and 8.9.4: what is wrong with a filter, and where.
#[test]
fn what_is_no_node_set_expression_is_refused() {
    let (_agent, mut session) = example();
    for select in [
        "",
        "/t:top[",
        "/t:top/",
        "/undeclared:top",
        "count(/t:top)",
        "'text'",
        "1 + 1",
        "/t:top = 'x'",
        "nothing(/t:top)",
        "/t:top/$x",
    ] {
        for get in ["get", "get-config"] {
            session.request(&filtered(get, select)).fails("invalid-value");
        }
    }
    let deep = format!("{}/t:top{}", "(".repeat(5_000), ")".repeat(5_000));
    session.request(&filtered("get", &deep)).fails("invalid-value");
    session
        .request("<get><filter type=\"xpath\"/></get>")
        .fails("missing-attribute (bad-attribute=select bad-element=filter)");
    check(&mut session, "/q:server", SERVER);
}

/// An expression that would take for ever is given up, and the session lives on.
#[test]
fn an_endless_expression_is_given_up() {
    let (_agent, mut session) = example();
    let mut endless = "//*[. = 'none']".to_owned();
    for _ in 0..12 {
        endless = format!("//*[{endless}]");
    }
    session.request(&filtered("get-config", &endless)).fails("resource-denied");
    check(&mut session, "/q:server", SERVER);
}
