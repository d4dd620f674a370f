//! RFC 7950, section 8.3.1: what is found while a payload is read, in any datastore, and that nothing changes.

use crate::support::agent::Agent;
use crate::support::session::edit_config;
use crate::support::xml::with_prefixes as content;

/// Each edit is refused with this error and no other, on running and on the candidate.
#[track_caller]
fn check(rows: &[(&str, &str)]) {
    let agent = Agent::start();
    let mut session = agent.session();
    let before = content(
        "<server><name>s</name></server><hop><id>a</id></hop><order>a</order>\
         <pair><first>p</first><second>1</second></pair>",
    );
    session.set_running(&before);
    let mut wrong = Vec::new();
    for (edit, expected) in rows {
        for target in ["running", "candidate"] {
            let reply = session.request(&edit_config(target, "", &content(edit)));
            let found = if reply.is_ok() { "ok".to_owned() } else { reply.error().to_string() };
            if found != *expected {
                wrong.push(format!("{target}: {edit}: {found} instead of {expected}"));
            }
            session.holds(target, &before);
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// invalid-value, with the app-tag and message of the statement that is violated.
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
        ("target", "/t:nowhere", ""),
        ("target", "/t:server[t:port='1']", ""),
    ] {
        let edit = content(&format!("<top><{leaf}>{value}</{leaf}></top>"));
        for target in ["running", "candidate"] {
            let fault = session.edit(target, &edit).fails_with("invalid-value");
            let expected = format!("invalid-value {app_tag}at /t:top/t:{leaf}");
            assert_eq!(fault.to_string(), expected, "{value:?}");
            let message = match app_tag.trim() {
                "[size-range]" => "a size is 1 to 100",
                "[name-length]" => "a name has 1 to 20 characters",
                "[name-pattern]" => "a name is lower case",
                _ => continue,
            };
            assert_eq!(fault.message, message);
        }
    }
    session.holds("running", "");
    session.holds("candidate", "");
}

#[test]
fn values_of_keys_are_checked_too() {
    check(&[
        ("<pair><first>a</first><second>256</second></pair>", "invalid-value at /t:pair/t:second"),
        (
            "<server><name>s</name><route><destination>d</destination><length>x</length></route></server>",
            "invalid-value at /t:server[t:name='s']/t:route/t:length",
        ),
    ]);
}

#[test]
fn an_entry_needs_all_keys() {
    check(&[
        ("<server><port>1</port></server>", "missing-element at /t:server (bad-element=name)"),
        ("<server nc:operation=\"delete\"/>", "missing-element at /t:server (bad-element=name)"),
        (
            "<server><name>s</name><route><destination>d</destination></route></server>",
            "missing-element at /t:server[t:name='s']/t:route (bad-element=length)",
        ),
    ]);
}

#[test]
fn data_of_two_cases_are_a_bad_element() {
    check(&[
        (
            "<link><tcp-port>1</tcp-port><udp-port>2</udp-port></link>",
            "bad-element at /t:link/t:udp-port (bad-element=udp-port)",
        ),
        (
            "<link><ta:quic-port>1</ta:quic-port><raw><protocol>2</protocol></raw></link>",
            "bad-element at /t:link/t:raw (bad-element=raw)",
        ),
    ]);
}

/// One leaf twice is a bad-element; the same entry twice has no rule: data-not-unique, at the entry.
#[test]
fn a_node_given_twice_is_refused() {
    let name_in_s = "bad-element at /t:server[t:name='s']/t:name (bad-element=name)";
    let pair = "<pair><second>1</second><first>p</first></pair>";
    check(&[
        (
            "<top><name>a</name><name>b</name></top>",
            "bad-element at /t:top/t:name (bad-element=name)",
        ),
        ("<top><name>a</name></top><top/>", "bad-element at /t:top (bad-element=top)"),
        ("<server><name>s</name><name>s</name></server>", name_in_s),
        (
            "<server><name>s</name><port>1</port></server><server><name>s</name><port>2</port></server>",
            "operation-failed [data-not-unique] at /t:server[t:name='s'] (non-unique=/t:server[t:name='s'])",
        ),
        (
            &format!("{pair}{}", pair.replace(">1<", ">+01<")),
            "operation-failed [data-not-unique] at /t:pair[t:first='p'][t:second='1'] \
             (non-unique=/t:pair[t:first='p'][t:second='1'])",
        ),
        (
            "<tag>a</tag><tag>a</tag>",
            "operation-failed [data-not-unique] at /t:tag[.='a'] (non-unique=/t:tag[.='a'])",
        ),
        (
            "<order>b</order><order>b</order>",
            "operation-failed [data-not-unique] at /t:order[.='b'] (non-unique=/t:order[.='b'])",
        ),
    ]);
}

#[test]
fn insert_attributes_are_those_of_the_node() {
    check(&[
        // Where the system orders, and where nothing is ordered.
        (
            "<server yang:insert=\"first\"><name>s</name></server>",
            "unknown-attribute at /t:server (bad-attribute=insert bad-element=server)",
        ),
        (
            "<tag yang:insert=\"first\">s</tag>",
            "unknown-attribute at /t:tag (bad-attribute=insert bad-element=tag)",
        ),
        (
            "<top yang:insert=\"first\"><name>s</name></top>",
            "unknown-attribute at /t:top (bad-attribute=insert bad-element=top)",
        ),
        (
            "<server yang:key=\"[t:name='s']\"><name>s</name></server>",
            "unknown-attribute at /t:server (bad-attribute=key bad-element=server)",
        ),
        // The anchor of another kind of node, or of none.
        (
            "<hop yang:insert=\"after\" yang:value=\"a\"><id>x</id></hop>",
            "unknown-attribute at /t:hop (bad-attribute=value bad-element=hop)",
        ),
        (
            "<order yang:insert=\"after\" yang:key=\"[.='a']\">x</order>",
            "unknown-attribute at /t:order (bad-attribute=key bad-element=order)",
        ),
        (
            "<hop yang:insert=\"first\" yang:key=\"[t:id='a']\"><id>x</id></hop>",
            "unknown-attribute at /t:hop (bad-attribute=key bad-element=hop)",
        ),
        (
            "<hop nc:insert=\"first\"><id>x</id></hop>",
            "unknown-attribute at /t:hop (bad-attribute=insert bad-element=hop)",
        ),
    ]);
}

#[test]
fn insert_attributes_have_values_that_they_can_have() {
    let bad_key = "bad-attribute at /t:hop (bad-attribute=key bad-element=hop)";
    check(&[
        (
            "<hop yang:insert=\"middle\"><id>x</id></hop>",
            "bad-attribute at /t:hop (bad-attribute=insert bad-element=hop)",
        ),
        (
            "<hop yang:insert=\"after\"><id>x</id></hop>",
            "missing-attribute at /t:hop (bad-attribute=key bad-element=hop)",
        ),
        (
            "<order yang:insert=\"before\">x</order>",
            "missing-attribute at /t:order (bad-attribute=value bad-element=order)",
        ),
        ("<hop yang:insert=\"after\" yang:key=\"nonsense\"><id>x</id></hop>", bad_key),
        ("<hop yang:insert=\"after\" yang:key=\"[t:metric='1']\"><id>x</id></hop>", bad_key),
        ("<hop yang:insert=\"after\" yang:key=\"[none:id='a']\"><id>x</id></hop>", bad_key),
        (
            "<pair yang:insert=\"after\" yang:key=\"[t:first='p']\"><first>q</first><second>1</second></pair>",
            "bad-attribute at /t:pair (bad-attribute=key bad-element=pair)",
        ),
        // Not valid for the type of the key.
        (
            "<pair yang:insert=\"after\" yang:key=\"[t:first='p'][t:second='x']\"><first>q</first><second>1</second></pair>",
            "bad-attribute at /t:pair (bad-attribute=key bad-element=pair)",
        ),
        (
            "<hop nc:operation=\"destroy\"><id>x</id></hop>",
            "bad-attribute at /t:hop (bad-attribute=operation bad-element=hop)",
        ),
        (
            "<hop nc:operation=\"delete\" yang:insert=\"first\"><id>a</id></hop>",
            "bad-attribute at /t:hop[t:id='a'] (bad-attribute=insert bad-element=hop)",
        ),
        // 15.7: what it names is not there.
        (
            "<hop yang:insert=\"after\" yang:key=\"[t:id='z']\"><id>x</id></hop>",
            "bad-attribute [missing-instance] at /t:hop[t:id='x'] (bad-attribute=key bad-element=hop)",
        ),
        (
            "<order yang:insert=\"before\" yang:value=\"z\">x</order>",
            "bad-attribute [missing-instance] at /t:order[.='x'] (bad-attribute=value bad-element=order)",
        ),
    ]);
}

/// The path is that of the parent: the node itself has none. So state is not configuration, a node of a feature that
/// is off is not there, nor is one that a deviation takes away.
#[test]
fn what_cannot_be_configured_is_named() {
    check(&[
        ("<nowhere/>", "unknown-element (bad-element=nowhere)"),
        ("<top><nowhere/></top>", "unknown-element at /t:top (bad-element=nowhere)"),
        ("<top><ta:name>a</ta:name></top>", "unknown-element at /t:top (bad-element=name)"),
        (
            "<server><name>s</name><note/></server>",
            "unknown-element at /t:server[t:name='s'] (bad-element=note)",
        ),
        (
            "<n:top xmlns:n=\"urn:none\"/>",
            "unknown-namespace (bad-element=top bad-namespace=urn:none)",
        ),
        (
            "<top><n:name xmlns:n=\"urn:none\">a</n:name></top>",
            "unknown-namespace at /t:top (bad-element=name bad-namespace=urn:none)",
        ),
        ("<top><hidden>x</hidden></top>", "unknown-element at /t:top (bad-element=hidden)"),
        ("<state><uptime>1</uptime></state>", "unknown-element (bad-element=state)"),
        (
            "<to:old xmlns:to=\"urn:quorate:test:old\"><to:gone>x</to:gone></to:old>",
            "unknown-element at /to:old (bad-element=gone)",
        ),
    ]);
}

#[test]
fn nodes_of_features_that_are_on_are_there() {
    let agent = Agent::start();
    let mut session = agent.session();
    let old = "<old xmlns=\"urn:quorate:test:old\"><first>x</first><value>1</value></old>";
    let shown = format!("{}{old}", content("<top><shown>x</shown></top>"));
    session.edit("running", &shown).ok();
    session.holds("running", &shown);
}

/// 8.3.2: what an operation expects to be there or not.
#[test]
fn operations_find_what_they_expect() {
    check(&[
        (
            "<server nc:operation=\"create\"><name>s</name></server>",
            "data-exists at /t:server[t:name='s']",
        ),
        (
            "<pair nc:operation=\"create\"><first>p</first><second>01</second></pair>",
            "data-exists at /t:pair[t:first='p'][t:second='1']",
        ),
        (
            "<server><name>s</name><alias nc:operation=\"delete\">a</alias></server>",
            "data-missing at /t:server[t:name='s']/t:alias[.='a']",
        ),
        (
            "<server><name>s</name><ta:location nc:operation=\"delete\"/></server>",
            "data-missing at /t:server[t:name='s']/ta:location",
        ),
    ]);
}
