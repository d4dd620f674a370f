//! RFC 6241, section 6: subtree filters. The examples of 6.4 are filters and answers as they stand in the RFC.

use crate::support::agent::Agent;
use crate::support::session::{Session, data};

const EX: &str = "xmlns=\"http://example.com/schema/1.2/config\"";

/// In key order, as they come out.
const USERS: &str = "\
    <users>\
    <user><name>barney</name><type>admin</type><full-name>Barney Rubble</full-name>\
    <company-info><dept>2</dept><id>3</id></company-info></user>\
    <user><name>fred</name><type>admin</type><full-name>Fred Flintstone</full-name>\
    <company-info><dept>2</dept><id>2</id></company-info></user>\
    <user><name>root</name><type>superuser</type><full-name>Charlie Root</full-name>\
    <company-info><dept>1</dept><id>1</id></company-info></user>\
    </users>";

const FRED: &str = "<user><name>fred</name><type>admin</type><full-name>Fred Flintstone</full-name>\
    <company-info><dept>2</dept><id>2</id></company-info></user>";
const BARNEY: &str = "<user><name>barney</name><type>admin</type><full-name>Barney Rubble</full-name>\
    <company-info><dept>2</dept><id>3</id></company-info></user>";
const ROOT: &str = "<user><name>root</name><type>superuser</type><full-name>Charlie Root</full-name>\
    <company-info><dept>1</dept><id>1</id></company-info></user>";

const INTERFACES: &str = "<interfaces>\
    <interface><ifName>eth0</ifName><ifInErrors>45621</ifInErrors></interface>\
    <interface><ifName>eth1</ifName><ifInErrors>0</ifInErrors></interface></interfaces>";

fn top(inner: &str) -> String {
    format!("<top {EX}>{inner}</top>")
}

fn users(inner: &str) -> String {
    top(&format!("<users>{inner}</users>"))
}

/// An agent with the configuration that the examples filter.
fn example() -> (Agent, Session) {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&format!(
        "{}<server xmlns=\"urn:quorate:test\"><name>fred</name></server>",
        top(&format!("{USERS}{INTERFACES}"))
    ));
    (agent, session)
}

#[track_caller]
fn check(session: &mut Session, filter: &str, selected: &str) {
    for get in ["get", "get-config"] {
        let source = if get == "get" { "" } else { "<source><running/></source>" };
        for kind in ["", " type=\"subtree\""] {
            let operation = format!("<{get}>{source}<filter{kind}>{filter}</filter></{get}>");
            let reply = session.request(&operation);
            assert_eq!(reply.data().canonical(), data(selected), "{operation}");
        }
    }
}

/// 6.4.1: without a filter, everything.
#[test]
fn no_filter_selects_everything() {
    let (_agent, mut session) = example();
    let reply = session.request("<get-config><source><running/></source></get-config>");
    let data = reply.data();
    assert_eq!(data.child("top").child("users").all("user").count(), 3);
    assert_eq!(data.all("server").count(), 1);
}

/// 6.4.2: an empty filter selects nothing.
#[test]
fn an_empty_filter_selects_nothing() {
    let (_agent, mut session) = example();
    check(&mut session, "", "");
    check(&mut session, " \n ", "");
    let operation = "<get-config><source><running/></source><filter/></get-config>";
    assert_eq!(session.request(operation).data().canonical(), data(""));
}

/// 6.4.3: a selection node selects its whole subtree.
#[test]
fn a_selection_node_selects_its_subtree() {
    let (_agent, mut session) = example();
    check(&mut session, &top("<users/>"), &top(USERS));
    check(&mut session, &top(" <users> </users> "), &top(USERS));
    check(&mut session, &top("<users><user/></users>"), &top(USERS));
    check(&mut session, &format!("<top {EX}/>"), &top(&format!("{USERS}{INTERFACES}")));
}

/// 6.4.4: selected leafs; keys come with their entries.
#[test]
fn selected_leafs_come_with_the_keys_of_their_entry() {
    let (_agent, mut session) = example();
    let names = "<user><name>barney</name></user><user><name>fred</name></user><user><name>root</name></user>";
    check(&mut session, &users("<user><name/></user>"), &users(names));
    let types = "<user><name>barney</name><type>admin</type></user>\
        <user><name>fred</name><type>admin</type></user>\
        <user><name>root</name><type>superuser</type></user>";
    check(&mut session, &users("<user><type/></user>"), &users(types));
    check(&mut session, &users("<user><name/><type/></user>"), &users(types));
}

/// 6.4.5: one entry by its key.
#[test]
fn a_content_match_selects_the_entry() {
    let (_agent, mut session) = example();
    check(&mut session, &users("<user><name>fred</name></user>"), &users(FRED));
    check(&mut session, &users("<user><name>\n  fred </name></user>"), &users(FRED));
    check(&mut session, &users("<user><name>wilma</name></user>"), "");
    let both = "<user><name>fred</name></user><user><name>root</name></user>";
    check(&mut session, &users(both), &users(&format!("{FRED}{ROOT}")));
    check(
        &mut session,
        &users("<user><type>admin</type></user>"),
        &users(&format!("{BARNEY}{FRED}")),
    );
}

/// 6.4.6: parts of one entry.
#[test]
fn a_content_match_and_selections_select_parts_of_the_entry() {
    let (_agent, mut session) = example();
    check(
        &mut session,
        &users("<user><name>fred</name><type/><full-name/></user>"),
        &users(
            "<user><name>fred</name><type>admin</type><full-name>Fred Flintstone</full-name></user>",
        ),
    );
    check(
        &mut session,
        &users("<user><type>superuser</type><full-name/></user>"),
        &users(
            "<user><name>root</name><type>superuser</type><full-name>Charlie Root</full-name></user>",
        ),
    );
}

/// 6.4.7: several subtrees.
#[test]
fn several_subtrees_select_their_union() {
    let (_agent, mut session) = example();
    let filter = "<user><name>root</name><company-info/></user>\
        <user><name>fred</name><company-info><id/></company-info></user>\
        <user><name>barney</name><type>superuser</type><company-info><dept/></company-info></user>";
    let selected = "<user><name>root</name><company-info><dept>1</dept><id>1</id></company-info></user>\
        <user><name>fred</name><company-info><id>2</id></company-info></user>";
    check(&mut session, &users(filter), &users(&sorted(selected)));
}

/// The entries in key order: `fred` before `root`.
fn sorted(users: &str) -> String {
    let mut entries: Vec<&str> = users.split_inclusive("</user>").collect();
    entries.sort_unstable();
    entries.concat()
}

/// 6.4.8: an attribute that the data has not selects nothing.
#[test]
fn an_attribute_match_selects_only_what_has_the_attribute() {
    let (_agent, mut session) = example();
    check(&mut session, &format!("<top {EX} xmlns:a=\"urn:a\" a:x=\"1\"/>"), "");
    check(&mut session, &users("<user xmlns:a=\"urn:a\" a:x=\"1\"><name>fred</name></user>"), "");
    check(
        &mut session,
        &top("<interfaces><interface xmlns:a=\"urn:a\" a:ifName=\"eth0\"/></interfaces>"),
        "",
    );
}

/// 6.2.5: all content matches of one level must hold.
#[test]
fn content_matches_are_joined_by_and() {
    let (_agent, mut session) = example();
    check(&mut session, &users("<user><name>fred</name><type>admin</type></user>"), &users(FRED));
    check(&mut session, &users("<user><name>fred</name><type>superuser</type></user>"), "");
    check(
        &mut session,
        &users("<user><company-info><dept>2</dept><id>3</id></company-info></user>"),
        &users(
            "<user><name>barney</name><company-info><dept>2</dept><id>3</id></company-info></user>",
        ),
    );
}

/// 6.2.5 and RFC 7950, 9: values are compared in canonical form.
#[test]
fn content_matches_compare_canonical_values() {
    let (_agent, mut session) = example();
    check(
        &mut session,
        &top("<interfaces><interface><ifInErrors>+000</ifInErrors></interface></interfaces>"),
        &top(
            "<interfaces><interface><ifName>eth1</ifName><ifInErrors>0</ifInErrors></interface></interfaces>",
        ),
    );
    // What is no value of the type equals nothing.
    check(
        &mut session,
        &top("<interfaces><interface><ifInErrors>many</ifInErrors></interface></interfaces>"),
        "",
    );
    session.edit("running", "<top xmlns=\"urn:quorate:test\"><kind>round</kind></top>").ok();
    let kind =
        "<top xmlns=\"urn:quorate:test\"><kind xmlns:q=\"urn:quorate:test\">q:round</kind></top>";
    check(&mut session, kind, kind);
}

/// 6.2.1: an element in no namespace matches in every namespace.
#[test]
fn an_unqualified_element_matches_every_namespace() {
    let (_agent, mut session) = example();
    session.edit("running", "<top xmlns=\"urn:quorate:test\"><name>a</name></top>").ok();
    let both = format!("{}<top xmlns=\"urn:quorate:test\"><name>a</name></top>", top(USERS))
        .replace("</users>", &format!("</users>{INTERFACES}"));
    let operation =
        "<get-config><source><running/></source><filter><top xmlns=\"\"/></filter></get-config>";
    assert_eq!(session.request(operation).data().canonical(), data(&both));
    let operation = "<get-config><source><running/></source><filter><top xmlns=\"\"><users><user>\
        <name>fred</name></user></users></top></filter></get-config>";
    assert_eq!(session.request(operation).data().canonical(), data(&users(FRED)));
}

/// 6.2: what is in another namespace, or nowhere, selects nothing, and is no error.
#[test]
fn an_unknown_element_selects_nothing() {
    let (_agent, mut session) = example();
    for filter in [
        "<nothing xmlns=\"urn:quorate:test\"/>".to_owned(),
        "<top xmlns=\"urn:none\"/>".to_owned(),
        top("<nothing/>"),
        top("<users xmlns=\"urn:none\"/>"),
        users("<user><nothing/></user>"),
        users("<user><nothing>x</nothing></user>"),
        "<users xmlns=\"http://example.com/schema/1.2/config\"/>".to_owned(),
    ] {
        check(&mut session, &filter, "");
    }
}

/// 6.3: overlapping subtrees select each node once.
#[test]
fn overlapping_subtrees_give_no_duplicates() {
    let (_agent, mut session) = example();
    let fred = "<user><name>fred</name></user>";
    check(&mut session, &users(&format!("{fred}{fred}")), &users(FRED));
    check(&mut session, &format!("{}{}", users(fred), users(fred)), &users(FRED));
    check(&mut session, &format!("{}{}", users(fred), top("<users/>")), &top(USERS));
    check(
        &mut session,
        &users(&format!("<user><name>fred</name><type/></user>{fred}")),
        &users(FRED),
    );
    check(
        &mut session,
        &users("<user><name>fred</name><type/></user><user><name>fred</name><full-name/></user>"),
        &users(
            "<user><name>fred</name><type>admin</type><full-name>Fred Flintstone</full-name></user>",
        ),
    );
}

/// Several keys, nested lists, user order: what a filter selects keeps keys and order.
#[test]
fn nested_lists_come_with_all_their_keys() {
    let agent = Agent::start();
    let mut session = agent.session();
    let ns = "xmlns=\"urn:quorate:test\"";
    let routes = "<route><destination>d</destination><length>8</length><metric>1</metric></route>\
        <route><destination>d</destination><length>16</length><metric>2</metric></route>";
    session.set_running(&format!(
        "<server {ns}><name>s</name><port>1</port><alias>x</alias><alias>y</alias>{routes}</server>\
         <hop {ns}><id>z</id></hop><hop {ns}><id>a</id><metric>4</metric></hop>\
         <order {ns}>b</order><order {ns}>a</order>"
    ));
    check(
        &mut session,
        &format!("<server {ns}><route><metric>2</metric></route></server>"),
        &format!(
            "<server {ns}><name>s</name><route><destination>d</destination><length>16</length>\
             <metric>2</metric></route></server>"
        ),
    );
    check(
        &mut session,
        &format!("<server {ns}><route><metric/></route></server>"),
        &format!("<server {ns}><name>s</name>{routes}</server>"),
    );
    // A leaf-list matches if one of its values does, and then comes with that value.
    check(
        &mut session,
        &format!("<server {ns}><alias>y</alias><port/></server>"),
        &format!("<server {ns}><name>s</name><port>1</port><alias>y</alias></server>"),
    );
    check(&mut session, &format!("<server {ns}><alias>z</alias><port/></server>"), "");
    check(
        &mut session,
        &format!("<hop {ns}><id/></hop>"),
        &format!("<hop {ns}><id>z</id></hop><hop {ns}><id>a</id></hop>"),
    );
    check(
        &mut session,
        &format!("<order {ns}/>"),
        &format!("<order {ns}>b</order><order {ns}>a</order>"),
    );
}

/// RFC 6022: state is filtered like configuration.
#[test]
fn state_is_filtered_too() {
    let agent = Agent::start();
    let mut session = agent.session();
    let monitoring = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
    let operation = format!(
        "<get><filter><netconf-state xmlns=\"{monitoring}\"><sessions><session><session-id>{}\
         </session-id><username/></session></sessions></netconf-state></filter></get>",
        session.id
    );
    let reply = session.request(&operation);
    let sessions = reply.data().child("netconf-state").child("sessions");
    assert_eq!(sessions.all("session").count(), 1);
    assert_eq!(sessions.child("session").children.len(), 2, "{}", reply.raw);
}
