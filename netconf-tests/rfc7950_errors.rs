//! RFC 7950, sections 8.2, 8.3.3 and 15: each constraint, its errors, and that nothing changes.

use crate::support::agent::Agent;
use crate::support::reply::{Fault, Reply};
use crate::support::session::{Session, edit_config};
use crate::support::xml::with_prefixes as content;

/// Each error of a reply, in its order.
#[track_caller]
fn shown(reply: &Reply) -> Vec<String> {
    reply.errors().iter().map(Fault::to_string).collect()
}

/// Refused on running at once, on the candidate when it is validated or committed, with these errors and no others,
/// and running stays what it was.
#[track_caller]
fn refused(session: &mut Session, before: &str, edit: &str, expected: &[&str]) {
    session.ok("<discard-changes/>");
    session.set_running(&content(before));
    let running = session.read("running");
    let reply = session.request(&edit_config("running", "", &content(edit)));
    assert_eq!(shown(&reply), expected, "{edit}");
    session.edit("candidate", &content(edit)).ok();
    let candidate = session.read("candidate");
    for operation in ["<validate><source><candidate/></source></validate>", "<commit/>"] {
        let reply = session.request(operation);
        assert_eq!(shown(&reply), expected, "{edit}");
        assert_eq!(session.read("candidate"), candidate, "{edit}");
    }
    assert_eq!(session.read("running"), running, "{edit}");
}

/// Taken on running, and on the candidate with a commit; running is this then.
#[track_caller]
fn taken(session: &mut Session, before: &str, edit: &str, after: &str) {
    for target in ["running", "candidate"] {
        session.ok("<discard-changes/>");
        session.set_running(&content(before));
        session.edit(target, &content(edit)).ok();
        if target == "candidate" {
            session.ok("<commit/>");
            session.holds("candidate", &content(after));
        }
        session.holds("running", &content(after));
    }
}

/// 15.1: the leafs of both entries are named, of all entries with the values of the first.
#[test]
fn unique_names_the_leafs() {
    let agent = Agent::start();
    let mut session = agent.session();
    let entry = |name: &str, port: &str| {
        format!("<server><name>{name}</name><address>a</address><port>{port}</port></server>")
    };
    let clash = |one: &str, other: &str, leafs: &[&str]| {
        let leaf = |entry| move |leaf: &&str| format!("non-unique=/t:{entry}/t:{leaf}");
        let all: Vec<String> =
            leafs.iter().map(leaf(one)).chain(leafs.iter().map(leaf(other))).collect();
        format!("operation-failed [data-not-unique] ({})", all.join(" "))
    };
    let server = |other: &str| {
        clash("server[t:name='one']", &format!("server[t:name='{other}']"), &["address", "port"])
    };
    let one = entry("one", "1");
    refused(&mut session, &one, &entry("two", "1"), &[&server("two")]);
    let three = format!("{one}{}{}", entry("two", "1"), entry("zed", "1"));
    refused(&mut session, "", &three, &[&server("two"), &server("zed")]);
    let differ = "<server><name>two</name><address>a</address><port>2</port></server>";
    let equal = "<server><name>two</name><port>1</port></server>";
    refused(&mut session, &format!("{one}{differ}"), equal, &[&server("two")]);
    // 7.8.3: entries that have not all of the leafs are not compared.
    let part = |name: &str| format!("<server><name>{name}</name><address>a</address></server>");
    let parts = format!("{one}{}{}", part("three"), part("two"));
    taken(&mut session, &one, &format!("{}{}", part("two"), part("three")), &parts);
    // A default is a value; leafs may be in containers, and absent there.
    let slot = |id: u8, inner: &str| format!("<slot><id>{id}</id>{inner}</slot>");
    let by_speed = clash("slot[t:id='1']", "slot[t:id='2']", &["speed"]);
    let (ten, nine) = ("<speed>10</speed>", "<speed>9</speed>");
    refused(&mut session, &slot(1, ""), &slot(2, ""), &[&by_speed]);
    refused(&mut session, &slot(1, ""), &slot(2, ten), &[&by_speed]);
    let apart = format!("{}{}", slot(1, ""), slot(2, nine));
    taken(&mut session, &slot(1, ""), &slot(2, nine), &apart);
    let delete = slot(2, "<speed nc:operation=\"delete\"/>");
    refused(&mut session, &apart, &delete, &[&by_speed]);
    let placed = |id, speed: &str, row: &str| {
        slot(id, &format!("{speed}<place><rack>1</rack>{row}</place>"))
    };
    let by_place = clash("slot[t:id='1']", "slot[t:id='2']", &["place/t:rack", "place/t:row"]);
    let row = "<row>1</row>";
    refused(&mut session, &placed(1, ten, row), &placed(2, nine, row), &[&by_place]);
    let both = format!("{}{}", placed(1, ten, ""), placed(2, nine, ""));
    taken(&mut session, &placed(1, ten, ""), &placed(2, nine, ""), &both);
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
        refused(&mut session, "", &counted(items, few), &[expected]);
    }
    refused(
        &mut session,
        "<server><name>s</name><alias>a</alias><alias>b</alias></server>",
        "<server><name>s</name><alias>c</alias><alias>d</alias></server>",
        &["operation-failed [too-many-elements] at /t:server[t:name='s']/t:alias"],
    );
    refused(
        &mut session,
        &counted("a", "ab"),
        "<counted><item nc:operation=\"delete\"><name>a</name></item></counted>",
        &["operation-failed [too-few-elements] at /t:counted/t:item"],
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
        &["operation-failed [bounds-order] at /t:bounds/t:high"],
    );
    refused(
        &mut session,
        "<bounds><low>5</low><high>6</high></bounds>",
        "<bounds><low>7</low></bounds>",
        &["operation-failed [bounds-order] at /t:bounds/t:high"],
    );
    refused(
        &mut session,
        "",
        "<bounds><even>3</even></bounds>",
        &["operation-failed [must-violation] at /t:bounds/t:even"],
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
    refused(&mut session, "", refs, &["data-missing [instance-required] at /t:refs/t:server"]);
    refused(
        &mut session,
        &format!("{server}{refs}"),
        "<server nc:operation=\"delete\"><name>s</name></server>",
        &["data-missing [instance-required] at /t:refs/t:server"],
    );
    refused(
        &mut session,
        "",
        "<top><target>/t:server[t:name='s']</target></top>",
        &["data-missing [instance-required] at /t:top/t:target"],
    );
    let target = "<top><target>/t:server[t:name='s']</target></top>";
    refused(
        &mut session,
        &format!("{target}{server}"),
        "<server nc:operation=\"delete\"><name>s</name></server>",
        &["data-missing [instance-required] at /t:top/t:target"],
    );
    refused(
        &mut session,
        server,
        "<top><target>/t:server[t:name='s']/t:alias[.='a']</target></top>",
        &["data-missing [instance-required] at /t:top/t:target"],
    );
    // Of a union whose other members do not take the value either.
    let any = "<refs><any>none</any><any>s</any></refs>";
    let no_member = "invalid-value at /t:refs/t:any[.='s']";
    refused(&mut session, "", any, &[no_member]);
    taken(&mut session, server, any, &format!("{any}{server}"));
    let away = "<server nc:operation=\"delete\"><name>s</name></server>";
    refused(&mut session, &format!("{server}{any}"), away, &[no_member]);
    let with_it = format!("{away}<refs><server nc:operation=\"delete\"/></refs>");
    taken(&mut session, &format!("{server}{refs}"), &with_it, "");
    session.ok("<discard-changes/>");
    session.set_running("");
    session.edit("running", &content("<refs><loose>nobody</loose></refs>")).ok();
    session.edit("running", &content(&format!("{refs}{server}"))).ok();
    session.edit("running", &content("<top><target>/t:server[t:name='s']</target></top>")).ok();
}

/// 15.6: a mandatory choice without data. RFC 7950 has no rule for other nodes: missing-element, at the parent.
#[test]
fn what_is_mandatory_must_be_there() {
    let agent = Agent::start();
    let mut session = agent.session();
    let choice = "data-missing [missing-choice] at /t:required (missing-choice=selection)";
    let leaf = "missing-element at /t:required (bad-element=must-have)";
    let whole = "<required><must-have>x</must-have><right>y</right></required>";
    refused(&mut session, "", "<required><must-have>x</must-have></required>", &[choice]);
    refused(&mut session, "", "<required><left>x</left></required>", &[leaf]);
    refused(&mut session, "", "<required/>", &[leaf, choice]);
    taken(&mut session, "", whole, whole);
    for (name, expected) in [("must-have", leaf), ("right", choice)] {
        let delete = format!("<required><{name} nc:operation=\"delete\"/></required>");
        refused(&mut session, whole, &delete, &[expected]);
    }
    taken(&mut session, whole, "<required nc:operation=\"delete\"/>", "");
}

/// 8.3.1: what a change brings under a false `when` is an unknown element.
#[test]
fn nodes_under_a_false_when_are_refused() {
    let agent = Agent::start();
    let mut session = agent.session();
    let note = "unknown-element at /t:refs/t:server-note (bad-element=server-note)";
    refused(&mut session, "", "<refs><server-note>n</server-note></refs>", &[note]);
    let hand = "unknown-element at /t:tuned/t:hand (bad-element=hand)";
    let inner = "<hand><level>1</level></hand>";
    refused(&mut session, "", &format!("<tuned>{inner}</tuned>"), &[hand]);
    let by_rule = format!("<tuned><by>rule</by>{inner}</tuned>");
    refused(&mut session, "<tuned><by>hand</by></tuned>", &by_rule, &[hand]);
    refused(
        &mut session,
        "",
        "<tuned><by>hand</by><rule>a</rule><rule>b</rule></tuned>",
        &[
            "unknown-element at /t:tuned/t:rule[.='a'] (bad-element=rule)",
            "unknown-element at /t:tuned/t:rule[.='b'] (bad-element=rule)",
        ],
    );
    let own = "unknown-element at /t:tuned/t:own (bad-element=own)";
    refused(&mut session, "", "<tuned><own>o</own></tuned>", &[own]);
    let low = "<tuned><by>hand</by><hand><level>5</level></hand><note>n</note></tuned>";
    let note = "unknown-element at /t:tuned/t:note (bad-element=note)";
    refused(&mut session, "", low, &[note]);
    let high = low.replace('5', "6");
    taken(&mut session, "", &high, &high);
}

/// 8.2: what a change puts under a false `when` goes with it, and with that what depends on it.
#[test]
fn nodes_whose_when_becomes_false_go() {
    let agent = Agent::start();
    let mut session = agent.session();
    let server = "<server><name>s</name></server>";
    let refs = "<refs><server>s</server><server-note>n</server-note></refs>";
    let delete = "<refs><server nc:operation=\"delete\"/></refs>";
    taken(&mut session, &format!("{server}{refs}"), delete, server);
    let hand =
        "<tuned><by>hand</by><hand><level>6</level></hand><note>n</note><own>o</own></tuned>";
    let to_rule = "<tuned><by>rule</by></tuned>";
    taken(&mut session, hand, to_rule, to_rule);
    taken(&mut session, hand, "<tuned><by nc:operation=\"delete\"/></tuned>", "");
    let low = "<tuned><hand><level>5</level></hand></tuned>";
    let left = "<tuned><by>hand</by><hand><level>5</level></hand><own>o</own></tuned>";
    taken(&mut session, hand, low, left);
    // 7.9.4: another case takes the place of one, with or without a `when`.
    let plain = "<tuned><by>rule</by><rule>r</rule><plain>p</plain></tuned>";
    taken(&mut session, hand, plain, plain);
    let own = "<tuned><by>hand</by><own>o</own></tuned>";
    taken(&mut session, plain, own, own);
    // Removal forgives nothing: who refers to what goes is as wrong as ever.
    let target = format!("{hand}<top><target>/t:tuned/t:note</target></top>");
    refused(
        &mut session,
        &target,
        to_rule,
        &["data-missing [instance-required] at /t:top/t:target"],
    );
}

/// 8.3: all faults of one change are told, in the order of the document.
#[test]
fn all_faults_are_told() {
    let agent = Agent::start();
    let mut session = agent.session();
    refused(
        &mut session,
        "",
        "<bounds><low>2</low><high>1</high><even>3</even></bounds><refs><server>x</server></refs>\
         <counted/>",
        &[
            "operation-failed [too-few-elements] at /t:counted/t:item",
            "operation-failed [too-few-elements] at /t:counted/t:few",
            "operation-failed [bounds-order] at /t:bounds/t:high",
            "operation-failed [must-violation] at /t:bounds/t:even",
            "data-missing [instance-required] at /t:refs/t:server",
        ],
    );
}

/// So many errors are told at most, and the session goes on.
#[test]
fn errors_are_told_up_to_a_limit() {
    const VALIDATION_ERRORS_MAX: usize = 100;
    let agent = Agent::start();
    let mut session = agent.session();
    let any = |count: usize| {
        let values: String = (0..count).map(|value| format!("<any>v{value:03}</any>")).collect();
        content(&format!("<refs>{values}</refs>"))
    };
    let path = |value| format!("invalid-value at /t:refs/t:any[.='v{value:03}']");
    for count in [VALIDATION_ERRORS_MAX - 1, VALIDATION_ERRORS_MAX, VALIDATION_ERRORS_MAX + 1, 5000]
    {
        let reply = session.edit("running", &any(count));
        let told = count.min(VALIDATION_ERRORS_MAX);
        assert_eq!(shown(&reply), (0..told).map(path).collect::<Vec<_>>());
        session.holds("running", "");
    }
    session.edit("candidate", &any(5000)).ok();
    assert_eq!(session.request("<commit/>").errors().len(), VALIDATION_ERRORS_MAX);
    session.holds("running", "");
    taken(&mut session, "", "<tag>t</tag>", "<tag>t</tag>");
}
