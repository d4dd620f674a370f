//! Random edits of a model with every kind of constraint: what is called harmless must be valid to the judge, and what
//! the judge lets through must be what it was asked about, but for nodes under a false `when`.

use super::impact::Impact;
use super::{Before, settle};
use crate::datastore::apply::apply_edit;
use crate::netconf::document::read_fragment;
use crate::yang::libyang::compile_for_test;
use crate::yang::print::print_all;
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree};
use std::sync::Arc;

const MODEL: &str = r#"module o { yang-version 1.1; namespace "urn:o"; prefix o;
    leaf mode { type enumeration { enum on; enum off; } default on; }
    leaf plain { type string; }
    leaf-list tags { type string; max-elements 2; ordered-by user; }
    leaf-list least { type uint8; min-elements 1; }
    container limits { leaf low { type uint8; } leaf high { type uint8; }
        must "not(low) or not(high) or low <= high"; }
    container free { leaf x { type string; } leaf y { type string; } }
    container strict { presence p; leaf need { type string; mandatory true; } leaf extra { type string; }
        choice how { mandatory true; leaf fast { type empty; } leaf slow { type string; } } }
    container np { container deeper { leaf must-be { when "/o:mode = 'on'"; type string; } } }
    choice way { default d; case d { leaf dflt { type uint8; default 3; } } case e { leaf e1 { type string; mandatory true; }
        leaf e2 { type string; } } }
    leaf follows { must "../dflt = 3 or ../plain"; type string; }
    list item { key id; max-elements 4; unique "serial"; leaf id { type uint8; } leaf serial { type uint8; }
        leaf note { type string; } leaf enabled { type boolean; default true; }
        list sub { key k; leaf k { type uint8; } leaf v { type string; mandatory true; } } }
    leaf favourite { type leafref { path "/o:item/o:id"; } }
    leaf wish { type leafref { path "/o:item/o:id"; require-instance false; } }
    leaf pointer { type instance-identifier; }
    leaf count { type uint8; must "count(../item[enabled = 'true']) >= ."; }
    list ordered { key k; ordered-by user; leaf k { type uint8; } leaf w { when "../k > 2"; type string; } }
    }"#;

/// The same without what refers to anything, so that deletions can be harmless.
fn model(pointer: bool) -> String {
    if pointer {
        MODEL.to_owned()
    } else {
        MODEL.replace("leaf pointer { type instance-identifier; }", "")
    }
}

const CONTENTS: [&str; 40] = [
    "<mode>on</mode>",
    "<mode>off</mode>",
    "<mode nc:operation='remove'/>",
    "<plain>x</plain>",
    "<plain nc:operation='remove'/>",
    "<tags>a</tags>",
    "<tags>b</tags>",
    "<tags>c</tags>",
    "<tags nc:operation='remove'>a</tags>",
    "<least>1</least>",
    "<least nc:operation='remove'>1</least>",
    "<least>2</least>",
    "<limits><low>3</low></limits>",
    "<limits><high>2</high></limits>",
    "<limits nc:operation='remove'/>",
    "<free><x>1</x></free>",
    "<free><y>2</y></free>",
    "<free nc:operation='remove'/>",
    "<strict><need>n</need></strict>",
    "<strict><fast/></strict>",
    "<strict><slow>s</slow></strict>",
    "<strict><extra>s</extra></strict>",
    "<strict nc:operation='remove'/>",
    "<np><deeper><must-be>1</must-be></deeper></np>",
    "<dflt>3</dflt>",
    "<dflt>4</dflt>",
    "<e1>1</e1>",
    "<e2>1</e2>",
    "<e1 nc:operation='remove'/>",
    "<follows>1</follows>",
    "<follows nc:operation='remove'/>",
    "<favourite>1</favourite>",
    "<favourite nc:operation='remove'/>",
    "<wish>9</wish>",
    "<pointer xmlns:o='urn:o'>/o:item[o:id='1']</pointer>",
    "<pointer nc:operation='remove'/>",
    "<count>1</count>",
    "<count>2</count>",
    "<count nc:operation='remove'/>",
    "<ordered><k>3</k><w>1</w></ordered>",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn edit(random: &mut Random) -> String {
    if random.below(2) == 0 {
        return CONTENTS[usize::try_from(random.below(40)).unwrap()].to_owned();
    }
    let id = random.below(6);
    let inner = match random.below(9) {
        0 => "<serial>7</serial>".to_owned(),
        1 => format!("<serial>{id}</serial>"),
        2 => "<note>n</note>".to_owned(),
        3 => "<enabled>false</enabled>".to_owned(),
        4 => "<enabled nc:operation='remove'/>".to_owned(),
        5 => "<sub><k>1</k><v>v</v></sub>".to_owned(),
        6 => "<sub><k>2</k></sub>".to_owned(),
        7 => "<sub nc:operation='remove'><k>1</k></sub>".to_owned(),
        _ => String::new(),
    };
    match random.below(5) {
        0 => format!("<item nc:operation='remove'><id>{id}</id></item>"),
        1 => format!(
            "<ordered xmlns:y='urn:ietf:params:xml:ns:yang:1' y:insert='first'><k>{id}</k></ordered>"
        ),
        _ => format!("<item><id>{id}</id>{inner}</item>"),
    }
}

fn apply(schema: &Schema, tree: &Tree, content: &str) -> Option<Tree> {
    let open = "xmlns='urn:o' xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0'";
    let at = content.find(['>', ' ', '/'])?;
    let (name, rest) = content.split_at(at);
    let content = format!("{name} {open}{rest}");
    let edit = read_fragment(&content, schema).ok()?;
    Some(apply_edit(schema, tree, &edit).ok()?.tree)
}

/// Runs `steps` random edits. How many were taken without the judge.
fn run(pointer: bool, seed: u64, steps: u32) -> u32 {
    let schema = compile_for_test(&[("o", &model(pointer))]);
    let judge = |tree: &Tree| schema.validate(&print_all(&schema, tree));
    let mut random = Random(seed);
    let first = "<least>1</least>";
    let mut running = apply(&schema, &Tree::empty(Seed(3)), first).expect("an edit");
    let mut harmless = 0;
    for step in 0..steps {
        let mut after = running.clone();
        let mut edits = Vec::new();
        for _ in 0..=random.below(3) {
            let content = edit(&mut random);
            if let Some(tree) = apply(&schema, &after, &content) {
                after = tree;
                edits.push(content);
            }
        }
        let verdict = judge(&after);
        if Impact::of(&schema).is_harmless(&running, &after) {
            harmless += 1;
            assert!(verdict.is_ok(), "seed {seed}, step {step}, {edits:?}: {verdict:?}");
        }
        match settle(&schema, (&running, Before::Valid), &after) {
            Ok(settled) => {
                assert!(judge(&settled).is_ok());
                assert!(verdict.is_err() || settled == after);
                running = settled;
            }
            Err(_) => assert!(verdict.is_err()),
        }
    }
    harmless
}

#[test]
fn what_is_taken_without_the_judge_is_what_the_judge_would_take() {
    let steps = if std::env::var_os("QUORATE_TEST_LONG").is_some() { 100_000 } else { 2_000 };
    let without = run(false, 11, steps);
    let with = run(true, 12, steps);
    assert!(without > steps / 10 && with > steps / 20, "{without} and {with} of {steps}");
}

#[test]
fn a_plain_list_never_needs_the_judge() {
    let model = "module p { namespace urn:p; prefix p; container routes { list route { key id;
        leaf id { type string; } leaf hop { type string; mandatory true; } leaf metric { type uint8; } } } }";
    let schema: Arc<Schema> = compile_for_test(&[("p", model)]);
    let edit = |tree: &Tree, content: &str| {
        let content = format!(
            "<routes xmlns='urn:p' xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0'>{content}</routes>"
        );
        apply_edit(&schema, tree, &read_fragment(&content, &schema).unwrap()).unwrap().tree
    };
    let check = |before: &Tree, after: &Tree, expected: bool| {
        assert_eq!(Impact::of(&schema).is_harmless(before, after), expected);
    };
    let empty = Tree::empty(Seed(1));
    let one = edit(&empty, "<route><id>1</id><hop>h</hop></route>");
    check(&empty, &one, true);
    check(&one, &edit(&one, "<route><id>1</id><metric>3</metric></route>"), true);
    check(&one, &edit(&one, "<route nc:operation='remove'><id>1</id></route>"), true);
    check(&one, &edit(&one, "<route><id>2</id></route>"), false);
    check(&one, &edit(&one, "<route><id>1</id><hop nc:operation='remove'/></route>"), false);
}
