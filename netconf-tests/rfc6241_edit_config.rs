//! RFC 6241, section 7.2, and RFC 7950, sections 7.5.8, 7.6.7, 7.7.9, 7.8.6, 7.9.4: what an edit does to each kind of
//! node.

use crate::support::agent::Agent;
use crate::support::session::{REPLACE, Session, data, edit_config};
use crate::support::xml::with_prefixes;

/// One row: running before, options and content of the edit, running after or the error.
struct Row {
    before: &'static str,
    options: &'static str,
    edit: &'static str,
    after: Result<&'static str, &'static str>,
}

const fn row(
    before: &'static str,
    edit: &'static str,
    after: Result<&'static str, &'static str>,
) -> Row {
    Row { before, options: "", edit, after }
}

const NONE: &str = "<default-operation>none</default-operation>";

/// Every row on running and on the candidate: both give the same tree and verdict.
#[track_caller]
fn check(rows: &[Row]) {
    let agent = Agent::start();
    let mut session = agent.session();
    let mut wrong = Vec::new();
    for row in rows {
        for target in ["running", "candidate"] {
            if let Err(what) = try_row(&mut session, row, target) {
                wrong.push(format!("{target}: {} + {}: {what}", row.before, row.edit));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

fn try_row(session: &mut Session, row: &Row, target: &str) -> Result<(), String> {
    session.ok("<discard-changes/>");
    session.set_running(&with_prefixes(row.before));
    let before = session.read("running");
    if before != data(&with_prefixes(row.before)) {
        return Err(format!("before is\n{before}"));
    }
    let edit = edit_config(target, row.options, &with_prefixes(row.edit));
    let reply = session.request(&edit);
    let found = session.read(target);
    match (row.after, reply.is_ok()) {
        (Ok(after), true) => {
            let after = data(&with_prefixes(after));
            (found == after).then_some(()).ok_or(format!("gives\n{found}instead of\n{after}"))
        }
        (Err(error), false) => {
            let fault = reply.error();
            if !fault.is(error) {
                return Err(format!("{fault} instead of {error}"));
            }
            (found == before).then_some(()).ok_or(format!("refused, and leaves\n{found}"))
        }
        (Ok(_), false) => Err(format!("is refused: {}", reply.raw)),
        (Err(error), true) => Err(format!("is accepted instead of {error}, and gives\n{found}")),
    }
}

/// 7.2, RFC 7950 7.6.7.
#[test]
fn operations_on_leafs() {
    const A: &str = "<top><name>a</name></top>";
    const EXISTS: Result<&str, &str> = Err("data-exists at /t:top/t:name");
    const MISSING: Result<&str, &str> = Err("data-missing at /t:top/t:name");
    check(&[
        row("", "<top><name>b</name></top>", Ok("<top><name>b</name></top>")),
        row(A, "<top><name>b</name></top>", Ok("<top><name>b</name></top>")),
        row(A, "<top><size>3</size></top>", Ok("<top><name>a</name><size>3</size></top>")),
        row(
            "",
            "<top><name nc:operation=\"merge\">b</name></top>",
            Ok("<top><name>b</name></top>"),
        ),
        row(
            A,
            "<top><name nc:operation=\"replace\">b</name></top>",
            Ok("<top><name>b</name></top>"),
        ),
        row(
            "",
            "<top><name nc:operation=\"replace\">b</name></top>",
            Ok("<top><name>b</name></top>"),
        ),
        row(
            "",
            "<top><name nc:operation=\"create\">b</name></top>",
            Ok("<top><name>b</name></top>"),
        ),
        row(A, "<top><name nc:operation=\"create\">b</name></top>", EXISTS),
        row(A, "<top><name nc:operation=\"create\">a</name></top>", EXISTS),
        row(A, "<top><name nc:operation=\"delete\"/></top>", Ok("")),
        row(A, "<top><name nc:operation=\"delete\">a</name></top>", Ok("")),
        row("", "<top><name nc:operation=\"delete\"/></top>", MISSING),
        row("<top><size>1</size></top>", "<top><name nc:operation=\"delete\"/></top>", MISSING),
        row(A, "<top><name nc:operation=\"remove\"/></top>", Ok("")),
        row("", "<top><name nc:operation=\"remove\"/></top>", Ok("")),
    ]);
}

/// 7.2: the operation of an element is that of its nearest ancestor that has one.
#[test]
fn operations_are_inherited() {
    const FULL: &str = "<top><name>a</name><size>1</size><flag><note>n</note></flag></top>";
    check(&[
        row(
            FULL,
            "<top nc:operation=\"replace\"><name>b</name></top>",
            Ok("<top><name>b</name></top>"),
        ),
        row(
            FULL,
            "<top><flag nc:operation=\"replace\"/></top>",
            Ok("<top><name>a</name><size>1</size><flag/></top>"),
        ),
        row(FULL, "<top nc:operation=\"delete\"/>", Ok("")),
        row(FULL, "<top nc:operation=\"remove\"><name>a</name></top>", Ok("")),
        row("", "<top nc:operation=\"remove\"/>", Ok("")),
        row(
            "<top><size>1</size></top>",
            "<top nc:operation=\"create\"><name>b</name></top>",
            Err("data-exists at /t:top"),
        ),
        row(
            "",
            "<top nc:operation=\"create\"><name>b</name></top>",
            Ok("<top><name>b</name></top>"),
        ),
        row(
            "<server><name>s</name><port>1</port><weight>2</weight></server>",
            "<server nc:operation=\"replace\"><name>s</name><port nc:operation=\"merge\">3</port></server>",
            Ok("<server><name>s</name><port>3</port></server>"),
        ),
    ]);
}

/// RFC 7950, 7.5.8: a container with presence is data.
#[test]
fn operations_on_containers_with_presence() {
    const FLAG: &str = "<top><flag/></top>";
    check(&[
        row("", FLAG, Ok(FLAG)),
        row("", "<top><flag nc:operation=\"create\"/></top>", Ok(FLAG)),
        row(
            FLAG,
            "<top><flag nc:operation=\"create\"/></top>",
            Err("data-exists at /t:top/t:flag"),
        ),
        row(FLAG, "<top><flag nc:operation=\"delete\"/></top>", Ok("")),
        row("", "<top><flag nc:operation=\"delete\"/></top>", Err("data-missing at /t:top/t:flag")),
        row("", "<top><flag nc:operation=\"remove\"/></top>", Ok("")),
        row(
            FLAG,
            "<top><flag><note nc:operation=\"delete\"/></flag></top>",
            Err("data-missing at /t:top/t:flag/t:note"),
        ),
        row(
            "<top><flag><note>n</note></flag></top>",
            "<top><flag><note nc:operation=\"delete\"/></flag></top>",
            Ok(FLAG),
        ),
    ]);
}

/// RFC 7950, 7.5.1 and 7.5.8: a container without presence holds data and is none.
#[test]
fn operations_on_containers_without_presence() {
    const NOTE: &str = "<top><plain><note>n</note></plain></top>";
    check(&[
        row("", "<top><plain/></top>", Ok("")),
        row("", "<top/>", Ok("")),
        row("", NOTE, Ok(NOTE)),
        row(NOTE, "<top><plain nc:operation=\"delete\"/></top>", Ok("")),
        row(NOTE, "<top><plain nc:operation=\"remove\"/></top>", Ok("")),
        row("", "<top><plain nc:operation=\"remove\"/></top>", Ok("")),
        row(NOTE, "<top><plain nc:operation=\"replace\"/></top>", Ok("")),
        row(
            NOTE,
            "<top><plain nc:operation=\"create\"><note>m</note></plain></top>",
            Err("data-exists at /t:top/t:plain"),
        ),
        row("", "<top><plain nc:operation=\"create\"><note>n</note></plain></top>", Ok(NOTE)),
    ]);
}

/// RFC 7950, 7.8.6: entries of a list by their keys.
#[test]
fn operations_on_list_entries() {
    const S: &str = "<server><name>s</name><port>1</port></server>";
    const TWO: &str =
        "<server><name>a</name></server><server><name>s</name><port>1</port></server>";
    check(&[
        row("", S, Ok(S)),
        row(S, "<server><name>a</name></server>", Ok(TWO)),
        row(
            S,
            "<server><name>s</name><weight>3</weight></server>",
            Ok("<server><name>s</name><port>1</port><weight>3</weight></server>"),
        ),
        row(
            S,
            "<server nc:operation=\"create\"><name>s</name></server>",
            Err("data-exists at /t:server[t:name='s']"),
        ),
        row(S, "<server nc:operation=\"create\"><name>a</name></server>", Ok(TWO)),
        row(TWO, "<server nc:operation=\"delete\"><name>a</name></server>", Ok(S)),
        row(
            S,
            "<server nc:operation=\"delete\"><name>a</name></server>",
            Err("data-missing at /t:server[t:name='a']"),
        ),
        row(S, "<server nc:operation=\"remove\"><name>a</name></server>", Ok(S)),
        row(
            S,
            "<server nc:operation=\"replace\"><name>s</name><weight>3</weight></server>",
            Ok("<server><name>s</name><weight>3</weight></server>"),
        ),
        // 7.8.1: an entry without all keys.
        row("", "<server><port>1</port></server>", Err("missing-element (bad-element=name)")),
        row(
            "",
            "<server><name>s</name><route><destination>d</destination></route></server>",
            Err("missing-element (bad-element=length)"),
        ),
        // Two keys, in any order, and values that are equal when canonical.
        row(
            "<server><name>s</name><route><destination>d</destination><length>8</length></route></server>",
            "<server><name>s</name><route><metric>1</metric><length>+08</length>\
             <destination>d</destination></route></server>",
            Ok("<server><name>s</name><route><destination>d</destination><length>8</length>\
                <metric>1</metric></route></server>"),
        ),
    ]);
}

/// 7.2: sibling order means nothing for system-ordered nodes: output is in key order.
#[test]
fn entries_come_out_in_key_order() {
    check(&[
        row(
            "",
            "<server><name>c</name></server><server><name>a</name></server><server><name>b</name></server>",
            Ok(
                "<server><name>a</name></server><server><name>b</name></server><server><name>c</name></server>",
            ),
        ),
        row("", "<tag>z</tag><tag>m</tag><tag>a</tag>", Ok("<tag>a</tag><tag>m</tag><tag>z</tag>")),
    ]);
}

/// RFC 7950, 7.7.9.
#[test]
fn operations_on_leaf_lists() {
    const AB: &str = "<tag>a</tag><tag>b</tag>";
    check(&[
        row("", "<tag>b</tag><tag>a</tag>", Ok(AB)),
        row(AB, "<tag>a</tag>", Ok(AB)),
        row(AB, "<tag nc:operation=\"create\">a</tag>", Err("data-exists at /t:tag[.='a']")),
        row(AB, "<tag nc:operation=\"delete\">b</tag>", Ok("<tag>a</tag>")),
        row(AB, "<tag nc:operation=\"delete\">c</tag>", Err("data-missing at /t:tag[.='c']")),
        row(AB, "<tag nc:operation=\"remove\">c</tag>", Ok(AB)),
        row(AB, "<tag nc:operation=\"remove\">a</tag><tag>z</tag>", Ok("<tag>b</tag><tag>z</tag>")),
    ]);
}

/// RFC 7950, 7.8.6: insert and key on entries of a list that the user orders.
#[test]
fn user_ordered_entries_go_where_insert_says() {
    const AB: &str = "<hop><id>a</id></hop><hop><id>b</id></hop>";
    const ABX: &str = "<hop><id>a</id></hop><hop><id>b</id></hop><hop><id>x</id></hop>";
    const AXB: &str = "<hop><id>a</id></hop><hop><id>x</id></hop><hop><id>b</id></hop>";
    const XAB: &str = "<hop><id>x</id></hop><hop><id>a</id></hop><hop><id>b</id></hop>";
    check(&[
        row(
            "",
            "<hop><id>b</id></hop><hop><id>a</id></hop>",
            Ok("<hop><id>b</id></hop><hop><id>a</id></hop>"),
        ),
        row(AB, "<hop><id>x</id></hop>", Ok(ABX)),
        row(AB, "<hop yang:insert=\"last\"><id>x</id></hop>", Ok(ABX)),
        row(AB, "<hop yang:insert=\"first\"><id>x</id></hop>", Ok(XAB)),
        row(AB, "<hop yang:insert=\"after\" yang:key=\"[t:id='a']\"><id>x</id></hop>", Ok(AXB)),
        row(AB, "<hop yang:insert=\"before\" yang:key=\"[t:id='b']\"><id>x</id></hop>", Ok(AXB)),
        row(AB, "<hop yang:insert=\"before\" yang:key='[t:id=\"a\"]'><id>x</id></hop>", Ok(XAB)),
        // An entry that is there moves; without insert it stays.
        row(ABX, "<hop yang:insert=\"first\"><id>x</id></hop>", Ok(XAB)),
        row(XAB, "<hop yang:insert=\"after\" yang:key=\"[t:id='a']\"><id>x</id></hop>", Ok(AXB)),
        row(ABX, "<hop><id>a</id></hop>", Ok(ABX)),
        row(
            ABX,
            "<hop nc:operation=\"replace\" yang:insert=\"after\" yang:key=\"[t:id='a']\"><id>x</id></hop>",
            Ok(AXB),
        ),
        row(AB, "<hop nc:operation=\"create\" yang:insert=\"first\"><id>x</id></hop>", Ok(XAB)),
        // In the order of the request.
        row(
            AB,
            "<hop yang:insert=\"first\"><id>y</id></hop><hop yang:insert=\"first\"><id>x</id></hop>",
            Ok(
                "<hop><id>x</id></hop><hop><id>y</id></hop><hop><id>a</id></hop><hop><id>b</id></hop>",
            ),
        ),
        // RFC 7950, 15.7.
        row(
            AB,
            "<hop yang:insert=\"after\" yang:key=\"[t:id='z']\"><id>x</id></hop>",
            Err(
                "bad-attribute [missing-instance] at /t:hop[t:id='x'] (bad-attribute=key bad-element=hop)",
            ),
        ),
    ]);
}

/// RFC 7950, 7.7.9: insert and value on a leaf-list that the user orders; two keys.
#[test]
fn user_ordered_leaf_lists_and_keys_of_two_leafs() {
    const AB: &str = "<order>a</order><order>b</order>";
    const PAIRS: &str = "<pair><first>p</first><second>2</second></pair><pair><first>p</first><second>1</second></pair>";
    check(&[
        row(AB, "<order>x</order>", Ok("<order>a</order><order>b</order><order>x</order>")),
        row(
            AB,
            "<order yang:insert=\"first\">x</order>",
            Ok("<order>x</order><order>a</order><order>b</order>"),
        ),
        row(
            AB,
            "<order yang:insert=\"after\" yang:value=\"a\">x</order>",
            Ok("<order>a</order><order>x</order><order>b</order>"),
        ),
        row(
            AB,
            "<order yang:insert=\"before\" yang:value=\"a\">b</order>",
            Ok("<order>b</order><order>a</order>"),
        ),
        row(AB, "<order nc:operation=\"delete\">a</order>", Ok("<order>b</order>")),
        row(
            AB,
            "<order yang:insert=\"after\" yang:value=\"z\">x</order>",
            Err(
                "bad-attribute [missing-instance] at /t:order[.='x'] (bad-attribute=value bad-element=order)",
            ),
        ),
        row(PAIRS, "", Ok(PAIRS)),
        row(
            PAIRS,
            "<pair yang:insert=\"before\" yang:key=\"[t:first='p'][t:second='1']\"><first>q</first><second>0</second></pair>",
            Ok(
                "<pair><first>p</first><second>2</second></pair><pair><first>q</first><second>0</second></pair>\
                <pair><first>p</first><second>1</second></pair>",
            ),
        ),
    ]);
}

/// RFC 7950, 7.9.4: nodes of one case remove those of the others.
#[test]
fn a_case_replaces_the_other_cases() {
    const TCP: &str = "<link><tcp-port>1</tcp-port><keepalive>2</keepalive></link>";
    check(&[
        row(TCP, "<link><udp-port>3</udp-port></link>", Ok("<link><udp-port>3</udp-port></link>")),
        row(
            TCP,
            "<link><keepalive>5</keepalive></link>",
            Ok("<link><tcp-port>1</tcp-port><keepalive>5</keepalive></link>"),
        ),
        row(
            TCP,
            "<link><raw><protocol>6</protocol></raw></link>",
            Ok("<link><raw><protocol>6</protocol></raw></link>"),
        ),
        row(
            TCP,
            "<link><ta:quic-port>9</ta:quic-port></link>",
            Ok("<link><ta:quic-port>9</ta:quic-port></link>"),
        ),
        row(
            "<link><ta:quic-port>9</ta:quic-port></link>",
            "<link><tcp-port>1</tcp-port></link>",
            Ok("<link><tcp-port>1</tcp-port></link>"),
        ),
        row(TCP, "<link><udp-port nc:operation=\"remove\"/></link>", Ok(TCP)),
        row(
            TCP,
            "<link><tcp-port nc:operation=\"delete\"/></link>",
            Ok("<link><keepalive>2</keepalive></link>"),
        ),
    ]);
}

/// 7.2: default-operation.
#[test]
fn default_operations() {
    let none = |before, edit, after| Row { before, options: NONE, edit, after };
    let replace = |before, edit, after| Row { before, options: REPLACE, edit, after };
    let merge = |before, edit, after| Row {
        before,
        options: "<default-operation>merge</default-operation>",
        edit,
        after,
    };
    const A: &str = "<top><name>a</name></top><tag>x</tag>";
    check(&[
        merge(
            A,
            "<top><size>1</size></top>",
            Ok("<top><name>a</name><size>1</size></top><tag>x</tag>"),
        ),
        replace(A, "<top><size>1</size></top>", Ok("<top><size>1</size></top>")),
        replace(A, "", Ok("")),
        replace(A, "<order>b</order><order>a</order>", Ok("<order>b</order><order>a</order>")),
        none(
            A,
            "<top><name nc:operation=\"replace\">b</name></top>",
            Ok("<top><name>b</name></top><tag>x</tag>"),
        ),
        none(A, "<top><name nc:operation=\"delete\"/></top>", Ok("<tag>x</tag>")),
        none(
            "",
            "<top><name nc:operation=\"create\">b</name></top>",
            Ok("<top><name>b</name></top>"),
        ),
        none(
            A,
            "<tag nc:operation=\"create\">y</tag>",
            Ok("<top><name>a</name></top><tag>x</tag><tag>y</tag>"),
        ),
        none(
            "",
            "<server><name>s</name><port nc:operation=\"merge\">1</port></server>",
            Err("data-missing at /t:server[t:name='s']"),
        ),
        none(
            "",
            "<top><flag><note nc:operation=\"merge\">n</note></flag></top>",
            Err("data-missing at /t:top/t:flag"),
        ),
    ]);
}

/// 7.2: an error anywhere leaves everything as it was, whatever the error-option says.
#[test]
fn an_edit_is_applied_wholly_or_not_at_all() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running(&with_prefixes("<top><name>a</name></top>"));
    let edit = with_prefixes(
        "<tag>new</tag><top><name>b</name><size nc:operation=\"delete\"/></top><order>new</order>",
    );
    for option in ["", "stop-on-error", "continue-on-error", "rollback-on-error"] {
        let options = match option {
            "" => String::new(),
            option => format!("<error-option>{option}</error-option>"),
        };
        for target in ["running", "candidate"] {
            session
                .request(&edit_config(target, &options, &edit))
                .fails("data-missing at /t:top/t:size");
            session.holds(target, &with_prefixes("<top><name>a</name></top>"));
        }
        let good = edit_config("candidate", &options, &with_prefixes("<tag>t</tag>"));
        session.ok(&good);
        session.ok("<discard-changes/>");
    }
}

/// 7.2, 8.6: test-option, on the candidate and on running.
#[test]
fn test_options() {
    let agent = Agent::start();
    let mut session = agent.session();
    let invalid = with_prefixes("<bounds><low>2</low><high>1</high></bounds>");
    let valid = with_prefixes("<top><name>a</name></top>");
    let error = "operation-failed [bounds-order] at /t:bounds/t:high";
    let options = |test: &str| format!("<test-option>{test}</test-option>");
    let edit = |target, test, content: &str| edit_config(target, &options(test), content);
    session.request(&edit("candidate", "test-then-set", &invalid)).fails(error);
    session.holds("candidate", "");
    session.request(&edit("candidate", "test-only", &invalid)).fails(error);
    session.ok(&edit("candidate", "test-only", &valid));
    session.holds("candidate", "");
    session.ok(&edit("candidate", "set", &invalid));
    session.holds("candidate", &invalid);
    session.ok("<discard-changes/>");
    session.ok(&edit("candidate", "test-then-set", &valid));
    session.holds("candidate", &valid);
    session.ok("<discard-changes/>");
    session.request(&edit("running", "test-then-set", &invalid)).fails(error);
    session.request(&edit("running", "test-only", &invalid)).fails(error);
    session.ok(&edit("running", "test-only", &valid));
    session.holds("running", "");
    // RFC 7950, 8.1: running is always valid.
    session.request(&edit("running", "set", &invalid)).fails(error);
    session.holds("running", "");
    session.ok(&edit("running", "set", &valid));
    session.holds("running", &valid);
}

/// RFC 7950, 8.3.1 and 8.3.2: the candidate refuses what is no data, and takes what is not valid yet.
#[test]
fn the_candidate_may_be_invalid_for_a_while() {
    let agent = Agent::start();
    let mut session = agent.session();
    for content in [
        "<required/>",
        "<refs><server>nobody</server></refs>",
        "<counted/>",
        "<bounds><even>3</even></bounds>",
    ] {
        session.edit("candidate", &with_prefixes(content)).ok();
        session.holds("candidate", &with_prefixes(content));
        session.request("<commit/>").errors();
        session.edit("running", &with_prefixes(content)).errors();
        session.ok("<discard-changes/>");
    }
    session
        .edit("candidate", &with_prefixes("<top><size>0</size></top>"))
        .fails_with("invalid-value");
}

/// RFC 6243, 2.3 (basic mode explicit): a default is not data until it is set.
#[test]
fn defaults_are_not_data() {
    const S: &str = "<server><name>s</name></server>";
    check(&[
        row(
            S,
            "<server><name>s</name><weight nc:operation=\"delete\"/></server>",
            Err("data-missing at /t:server[t:name='s']/t:weight"),
        ),
        row(S, "<server><name>s</name><weight nc:operation=\"remove\"/></server>", Ok(S)),
        row(
            S,
            "<server><name>s</name><weight nc:operation=\"create\">10</weight></server>",
            Ok("<server><name>s</name><weight>10</weight></server>"),
        ),
        row(
            "<server><name>s</name><weight>10</weight></server>",
            "<server><name>s</name><weight nc:operation=\"create\">11</weight></server>",
            Err("data-exists at /t:server[t:name='s']/t:weight"),
        ),
        row(
            "<server><name>s</name><weight>10</weight></server>",
            "<server><name>s</name><weight nc:operation=\"delete\"/></server>",
            Ok(S),
        ),
    ]);
}

/// RFC 7950, 9: values come back canonical, and prefixes in values are declared where they stand.
#[test]
fn values_are_canonical() {
    check(&[
        row("", "<top><size>+007</size></top>", Ok("<top><size>7</size></top>")),
        row("", "<top><speed>1.50</speed></top>", Ok("<top><speed>1.5</speed></top>")),
        row("", "<top><speed>-0</speed></top>", Ok("<top><speed>0.0</speed></top>")),
        row("", "<top><flags>high low</flags></top>", Ok("<top><flags>low high</flags></top>")),
        row("", "<top><marker/></top>", Ok("<top><marker/></top>")),
        row(
            "",
            "<top><either>unlimited</either></top>",
            Ok("<top><either>unlimited</either></top>"),
        ),
        row("", "<top><kind>round</kind></top>", Ok("<top><kind>t:round</kind></top>")),
        row("", "<top><kind>ta:square</kind></top>", Ok("<top><kind>ta:square</kind></top>")),
        row(
            "",
            "<top><kind xmlns:q=\"urn:quorate:test:augment\">q:square</kind></top>",
            Ok("<top><kind>ta:square</kind></top>"),
        ),
        row(
            "<server><name>s</name></server>",
            "<top><target xmlns:q=\"urn:quorate:test\">/q:server[q:name=\"s\"]/q:name</target></top>",
            Ok(
                "<top><target>/t:server[t:name='s']/t:name</target></top><server><name>s</name></server>",
            ),
        ),
    ]);
}

/// Text keeps its white space, its entities and its characters.
#[test]
fn text_comes_back_as_it_was() {
    let agent = Agent::start();
    let mut session = agent.session();
    for text in [
        "a b",
        "  two  spaces  ",
        "line\nline",
        "tab\t",
        "<&>\"'",
        "]]>",
        "]]>]]>",
        "é漢🦀",
        "\u{85}\u{a0}",
    ] {
        let escaped = crate::support::xml::escape(text);
        let edit = with_prefixes(&format!("<order>{escaped}</order>"));
        session.set_running(&edit);
        let reply = session.request("<get-config><source><running/></source></get-config>");
        assert_eq!(reply.data().child("order").text, text, "{}", reply.raw);
        let mut old = agent.session_10();
        let reply = old.request("<get-config><source><running/></source></get-config>");
        assert_eq!(reply.data().child("order").text, text, "{}", reply.raw);
    }
    let data = "<order><![CDATA[<&>]]></order><order>&#x41;&#66;</order>";
    session.set_running(&with_prefixes(data));
    let reply = session.request("<get-config><source><running/></source></get-config>");
    let texts: Vec<&str> = reply.data().all("order").map(|order| order.text.as_str()).collect();
    assert_eq!(texts, ["<&>", "AB"]);
}

/// RFC 7950, 7.10 and 7.11: anydata and anyxml hold XML, with its namespaces.
#[test]
fn anydata_and_anyxml_keep_their_content() {
    const ANY: &str =
        "<payload><x xmlns=\"urn:x\" xmlns:y=\"urn:y\" y:a=\"1\"><y:z>t</y:z></x></payload>";
    const MARKUP: &str = "<markup><b xmlns=\"urn:html\">bold</b></markup>";
    check(&[
        row("", ANY, Ok(ANY)),
        row("", MARKUP, Ok(MARKUP)),
        row(ANY, "<payload nc:operation=\"delete\"/>", Ok("")),
        row("", "<payload nc:operation=\"delete\"/>", Err("data-missing at /t:payload")),
        row(
            ANY,
            "<payload nc:operation=\"replace\"><n xmlns=\"urn:n\"/></payload>",
            Ok("<payload><n xmlns=\"urn:n\"/></payload>"),
        ),
    ]);
}

/// Sibling edits in any order give the same tree and the same verdict.
#[test]
fn the_order_of_siblings_does_not_matter() {
    let agent = Agent::start();
    let mut session = agent.session();
    let before = with_prefixes("<server><name>s</name><port>1</port><alias>x</alias></server>");
    let parts = [
        "<server><name>s</name><port nc:operation=\"delete\"/></server>",
        "<tag>b</tag>",
        "<top><name>a</name></top>",
        "<server nc:operation=\"create\"><name>n</name></server>",
    ];
    let mut results = Vec::new();
    for first in 0..parts.len() {
        let mut order = parts.to_vec();
        order.rotate_left(first);
        for _ in 0..2 {
            session.set_running(&before);
            session.edit("running", &with_prefixes(&order.concat())).ok();
            results.push(session.read("running"));
            order.reverse();
        }
    }
    results.dedup();
    assert_eq!(results.len(), 1, "{results:?}");
}
