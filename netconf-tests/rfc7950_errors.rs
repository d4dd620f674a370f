//! RFC 7950, sections 8.3 and 15: each constraint, its error, and that nothing changes.

use crate::support::agent::Agent;
use crate::support::session::{Session, edit_config};
use crate::support::xml::with_prefixes as content;

/// Refused on running at once, and on the candidate at its commit or before it.
#[track_caller]
fn refused(session: &mut Session, before: &str, edit: &str, expected: &str) {
    session.ok("<discard-changes/>");
    session.set_running(&content(before));
    let running = session.read("running");
    let reply = session.request(&edit_config("running", "", &content(edit)));
    reply.fails(expected);
    assert_eq!(session.read("running"), running, "{edit}");
    let reply = session.request(&edit_config("candidate", "", &content(edit)));
    if reply.is_ok() {
        session.request("<validate><source><candidate/></source></validate>").fails(expected);
        session.request("<commit/>").fails(expected);
        assert_eq!(session.read("running"), running, "{edit}");
    } else {
        reply.fails(expected);
    }
}

/// 8.3.1: invalid-value, with the app-tag and message of the statement that is violated.
#[test]
fn values_of_the_wrong_type_are_invalid_values() {
    let agent = Agent::start();
    let mut session = agent.session();
    for (leaf, value, app_tag) in [
        ("name", "A", "[name-pattern] "),
        ("name", "", "[name-length] "),
        ("name", "aaaaaaaaaaaaaaaaaaaaaaaaa", "[name-length] "),
        ("size", "0", "[size-range] "),
        ("size", "101", "[size-range] "),
        ("size", "256", "[size-range] "),
        ("size", "x", ""),
        ("size", "", ""),
        ("size", "1.5", ""),
        ("speed", "1.234", ""),
        ("speed", "99999999999999999999", ""),
        ("mode", "medium", ""),
        ("enabled", "TRUE", ""),
        ("flags", "low middle", ""),
        ("flags", "low low", ""),
        ("blob", "!", ""),
        ("marker", "x", ""),
        ("kind", "triangle", ""),
        ("kind", "none:round", ""),
        ("either", "limited", ""),
        ("target", "server", ""),
    ] {
        let edit = content(&format!("<top><{leaf}>{value}</{leaf}></top>"));
        for target in ["running", "candidate"] {
            let fault = session.edit(target, &edit).fails_with("invalid-value");
            let expected = format!("invalid-value {app_tag}at /t:top/t:{leaf}");
            assert_eq!(fault.to_string(), expected, "{value:?}");
            if app_tag.contains("size-range") {
                assert_eq!(fault.message, "a size is 1 to 100");
            }
        }
    }
    session.holds("running", "");
    session.holds("candidate", "");
}

/// 8.3.1: a value of a key is a value.
#[test]
fn values_of_keys_are_checked_too() {
    let agent = Agent::start();
    let mut session = agent.session();
    let edit = content("<pair><first>a</first><second>256</second></pair>");
    session.edit("running", &edit).fails_with("invalid-value");
}

/// 15.1: all entries whose `unique` leafs are equal are named.
#[test]
fn unique_names_the_entries() {
    let agent = Agent::start();
    let mut session = agent.session();
    let entry = |name: &str, port: &str| {
        format!("<server><name>{name}</name><address>a</address><port>{port}</port></server>")
    };
    session.set_running(&content(&entry("one", "1")));
    let fault = session.edit("running", &content(&entry("two", "1"))).error();
    assert_eq!(
        (fault.tag.as_str(), fault.app_tag.as_deref()),
        ("operation-failed", Some("data-not-unique"))
    );
    let info = fault.info.expect("error-info");
    let mut named: Vec<String> = info
        .all("non-unique")
        .map(|own| {
            assert_eq!(own.namespace, "urn:ietf:params:xml:ns:yang:1");
            own.canonical_text().replace('"', "'")
        })
        .collect();
    named.sort();
    assert_eq!(
        named,
        [
            "/t:server[t:name='one']/t:address",
            "/t:server[t:name='one']/t:port",
            "/t:server[t:name='two']/t:address",
            "/t:server[t:name='two']/t:port",
        ]
    );
    // 7.8.3: entries that have not all of the leafs are not compared.
    session.edit("running", &content("<server><name>two</name><address>a</address></server>")).ok();
    session
        .edit("running", &content("<server><name>three</name><address>a</address></server>"))
        .ok();
    session.edit("running", &content(&entry("four", "2"))).ok();
}

/// 15.2 and 15.3.
#[test]
fn numbers_of_elements_are_counted() {
    let agent = Agent::start();
    let mut session = agent.session();
    let counted = |items: &str, few: &str| {
        let items: String =
            items.chars().map(|c| format!("<item><name>{c}</name></item>")).collect();
        let few: String = few.chars().map(|c| format!("<few>{c}</few>")).collect();
        format!("<counted>{items}{few}</counted>")
    };
    for (items, few, expected) in [
        ("", "ab", "operation-failed [too-few-elements] at /t:counted/t:item"),
        ("abc", "ab", "operation-failed [too-many-elements] at /t:counted/t:item"),
        ("a", "a", "operation-failed [too-few-elements] at /t:counted/t:few"),
    ] {
        refused(&mut session, "", &counted(items, few), expected);
    }
    refused(
        &mut session,
        "<server><name>s</name><alias>a</alias><alias>b</alias></server>",
        "<server><name>s</name><alias>c</alias><alias>d</alias></server>",
        "operation-failed [too-many-elements] at /t:server[t:name='s']/t:alias",
    );
    refused(
        &mut session,
        &counted("a", "ab"),
        "<counted><item nc:operation=\"delete\"><name>a</name></item></counted>",
        "operation-failed [too-few-elements] at /t:counted/t:item",
    );
    session.edit("running", &content(&counted("b", "c"))).ok();
}

/// 15.4: must-violation, or the app-tag and message of the statement.
#[test]
fn must_is_obeyed() {
    let agent = Agent::start();
    let mut session = agent.session();
    refused(
        &mut session,
        "<bounds><low>5</low></bounds>",
        "<bounds><high>4</high></bounds>",
        "operation-failed [bounds-order] at /t:bounds/t:high",
    );
    refused(
        &mut session,
        "<bounds><low>5</low><high>6</high></bounds>",
        "<bounds><low>7</low></bounds>",
        "operation-failed [bounds-order] at /t:bounds/t:high",
    );
    refused(
        &mut session,
        "",
        "<bounds><even>3</even></bounds>",
        "operation-failed [must-violation] at /t:bounds/t:even",
    );
    session.ok("<discard-changes/>");
    session.set_running("");
    let fault =
        session.edit("running", &content("<bounds><low>2</low><high>1</high></bounds>")).error();
    assert_eq!(fault.message, "high is below low");
    session
        .edit("running", &content("<bounds><low>2</low><high>2</high><even>4</even></bounds>"))
        .ok();
}

/// 15.5: a leafref or instance-identifier that points nowhere.
#[test]
fn references_need_their_instance() {
    let agent = Agent::start();
    let mut session = agent.session();
    let server = "<server><name>s</name></server>";
    let refs = "<refs><server>s</server></refs>";
    refused(&mut session, "", refs, "data-missing [instance-required] at /t:refs/t:server");
    refused(
        &mut session,
        &format!("{server}{refs}"),
        "<server nc:operation=\"delete\"><name>s</name></server>",
        "data-missing [instance-required] at /t:refs/t:server",
    );
    refused(
        &mut session,
        "",
        "<top><target>/t:server[t:name='s']</target></top>",
        "data-missing [instance-required] at /t:top/t:target",
    );
    session.ok("<discard-changes/>");
    session.set_running("");
    session.edit("running", &content("<refs><loose>nobody</loose></refs>")).ok();
    session.edit("running", &content(&format!("{refs}{server}"))).ok();
    session.edit("running", &content("<top><target>/t:server[t:name='s']</target></top>")).ok();
}

/// 15.6: a mandatory choice without data; a mandatory leaf.
#[test]
fn what_is_mandatory_must_be_there() {
    let agent = Agent::start();
    let mut session = agent.session();
    refused(
        &mut session,
        "",
        "<required><must-have>x</must-have></required>",
        "data-missing [missing-choice] at /t:required (missing-choice=selection)",
    );
    session.ok("<discard-changes/>");
    // RFC 7950 has no rule for the tag; the path is that of the leaf or of its parent.
    let edit = content("<required><left>x</left></required>");
    let fault = session.edit("running", &edit).error();
    assert!(["data-missing", "missing-element"].contains(&fault.tag.as_str()), "{fault}");
    let path = fault.path.clone().expect("a path");
    assert!(["/t:required", "/t:required/t:must-have"].contains(&path.as_str()), "{fault}");
    let both = content("<required/>");
    assert!(!session.edit("running", &both).errors().is_empty());
    session
        .edit("running", &content("<required><must-have>x</must-have><right>y</right></required>"))
        .ok();
    for leaf in ["must-have", "right"] {
        let delete = format!("<required><{leaf} nc:operation=\"delete\"/></required>");
        session.edit("running", &content(&delete)).error();
    }
    session.edit("running", &content("<required nc:operation=\"delete\"/>")).ok();
}

/// 7.21.5 and 8.2: nodes whose `when` is or becomes false are not there.
#[test]
fn when_is_obeyed() {
    let agent = Agent::start();
    let mut session = agent.session();
    let note = content("<refs><server-note>n</server-note></refs>");
    session.edit("running", &note).fails("unknown-element (bad-element=server-note)");
    session.holds("running", "");
    let whole = content(
        "<server><name>s</name></server><refs><server>s</server><server-note>n</server-note></refs>",
    );
    session.edit("running", &whole).ok();
    session.edit("running", &content("<refs><server nc:operation=\"delete\"/></refs>")).ok();
    session.holds("running", &content("<server><name>s</name></server>"));
}

/// 8.3: several faults may be reported at once; each is complete.
#[test]
fn each_reported_fault_is_complete() {
    let agent = Agent::start();
    let mut session = agent.session();
    let edit = content(
        "<bounds><low>2</low><high>1</high><even>3</even></bounds><refs><server>x</server></refs>",
    );
    let faults = session.edit("running", &edit).errors();
    let known = [
        "operation-failed [bounds-order] at /t:bounds/t:high",
        "operation-failed [must-violation] at /t:bounds/t:even",
        "data-missing [instance-required] at /t:refs/t:server",
    ];
    for fault in &faults {
        assert!(known.contains(&fault.to_string().as_str()), "{fault}");
    }
}
