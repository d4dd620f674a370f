//! What is valid, in cases that can be named: the oracle beside draws the others.

use super::check::check;
use super::rules::Rules;
use super::touched::Touched;
use super::{Before, Index, Lazy, check_constraints, settle};
use crate::base::limits::{AGENT_STACK_BYTES, DEPTH_MAX, VALIDATION_ERRORS_MAX};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::libyang::compile_for_test;
use crate::yang::path_text;
use crate::yang::print::print_all;
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree};
use std::sync::Arc;

const MODEL: &str = r#"module w { yang-version 1.1; namespace "urn:w"; prefix w;
    leaf on { type empty; }
    leaf a { when "../on"; type string; }
    container np { container inner { leaf b { when "/a"; type string; } } }
    list l { key k; leaf k { type string; } leaf-list x { when "/on"; type string; } }
    leaf must { type string; must "/on"; }
    leaf mode { type enumeration { enum fast; enum slow; } default slow; }
    container tuned { when "../mode = 'fast'"; leaf level { type uint8; default 7; } leaf need { type string; mandatory true; } }
    leaf reader { type string; must "not(/tuned/level)"; }
    list port { key id; unique "speed"; leaf id { type uint8; }
      leaf speed { when "/mode = 'fast'"; type uint8; default 1; } leaf peer { type leafref { path "/port/id"; } } }
    choice way { case outer { container path { leaf cost { type uint8; default 3; } }
      choice inner { leaf deep { type string; } leaf other { type string; } } } leaf none { type empty; } }
    leaf wants { type string; must "/path/cost = 3"; }
    leaf both { type string; must "../on" { error-message "switch it on"; error-app-tag off; } must "../a"; }
    }"#;

/// `settle` with the index that belongs to `before`. What it leaves is that of the tree, whatever the way there.
pub(super) fn settle_indexed(
    schema: &Schema,
    (before, known): (&Tree, Before),
    after: &Tree,
) -> Result<Tree, Vec<DataError>> {
    let new = Index::empty(before.seed);
    let before_that = (before, known, &new.at(schema, before));
    let (tree, index) = settle(schema, before_that, after)?;
    assert_eq!(index.rows_for_test(), new.at(schema, &tree).rows_for_test());
    Ok(tree)
}

fn schema() -> Arc<Schema> {
    compile_for_test(&[("w", MODEL)])
}

fn tree(schema: &Schema, content: &str) -> Tree {
    let text = format!("<data>{content}</data>").replace("><", " ><").replace(" >", ">");
    let text = text.replace("<data>", "<data xmlns=\"urn:w\">");
    let edit = crate::netconf::document::read_document(text.as_bytes(), schema).unwrap();
    crate::datastore::apply::tree_of(schema, Seed(1), &edit).unwrap()
}

/// `expected` is what is left, or nothing if the change is refused.
#[track_caller]
fn check_change(before: &str, after: &str, expected: Option<&str>) {
    let schema = schema();
    let print = |tree: &Tree| String::from_utf8(print_all(&schema, tree)).unwrap();
    let expected = expected.map(|content| print(&tree(&schema, content)));
    for known in [Before::Valid, Before::Unknown] {
        let settled =
            settle_indexed(&schema, (&tree(&schema, before), known), &tree(&schema, after));
        assert_eq!(settled.as_ref().ok().map(print), expected, "{known:?}: {settled:?}");
    }
}

/// Kind, app-tag, path and message of each fault.
#[track_caller]
fn check_faults(before: &str, after: &str, expected: &[(DataErrorKind, &str, &str, &str)]) {
    let schema = schema();
    let before = (&tree(&schema, before), Before::Valid);
    let faults = settle_indexed(&schema, before, &tree(&schema, after)).err().unwrap_or_default();
    let show = |fault: &DataError| {
        let path = fault.path.as_ref().map(|path| path_text::print(&schema, path));
        let tag = fault.app_tag.clone().unwrap_or_default();
        (fault.kind.clone(), tag, path.unwrap_or_default(), fault.message.clone())
    };
    let faults: Vec<_> = faults.iter().map(show).collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(kind, tag, path, message)| {
            (kind.clone(), (*tag).to_owned(), (*path).to_owned(), (*message).to_owned())
        })
        .collect();
    assert_eq!(faults, expected);
}

#[test]
fn nodes_whose_when_turns_false_are_removed_until_nothing_changes() {
    let chain = "<a>1</a><np><inner><b>2</b></inner></np>";
    check_change(&format!("<on/>{chain}"), chain, Some(""));
}

#[test]
fn an_entry_stays_when_its_last_leaf_list_goes() {
    let list = "<l><k>1</k><x>y</x></l>";
    check_change(&format!("<on/>{list}"), list, Some("<l><k>1</k></l>"));
}

#[test]
fn what_a_change_brings_under_a_false_when_is_refused() {
    check_change("", "<a>1</a>", None);
    check_change("<on/><l><k>1</k></l>", "<l><k>1</k><x>y</x></l>", None);
    let unknown = DataErrorKind::UnknownElement { element: "a".into() };
    let message = "When condition \"../on\" not satisfied.";
    check_faults("", "<a>1</a>", &[(unknown, "", "/w:a", message)]);
}

#[test]
fn other_faults_are_not_forgiven() {
    check_change("<on/><must>1</must>", "<must>1</must>", None);
    check_change("<on/><a>1</a><must>1</must>", "<a>1</a><must>1</must>", None);
}

#[test]
fn what_is_under_a_false_when_is_not_there_by_default_either() {
    check_change("", "<reader>r</reader>", Some("<reader>r</reader>"));
    let fast = "<mode>fast</mode><tuned><need>n</need></tuned>";
    check_change("", fast, Some(fast));
    check_change(fast, &format!("{fast}<reader>r</reader>"), None);
    // A container that is there without being stored has needs, too.
    check_change("", "<mode>fast</mode>", None);
    let missing = DataErrorKind::MissingElement { element: "need".into() };
    let message = "Mandatory node \"need\" instance does not exist.";
    check_faults("", "<mode>fast</mode>", &[(missing, "", "/w:tuned", message)]);
    check_change(fast, "<tuned><need>n</need></tuned>", Some(""));
}

#[test]
fn unique_sees_defaults_that_are_there_and_no_others() {
    let two = "<port><id>1</id></port><port><id>2</id></port>";
    check_change("", two, Some(two));
    let fast = "<mode>fast</mode><tuned><need>n</need></tuned>";
    check_change(two, &format!("{fast}{two}"), None);
    let different = format!("{fast}<port><id>1</id></port><port><id>2</id><speed>2</speed></port>");
    check_change(two, &different, Some(&different));
    check_change(&different, &format!("{fast}{two}"), None);
}

#[test]
fn a_target_goes_with_those_that_refer_to_it_or_stays() {
    let pair = "<port><id>1</id></port><port><id>2</id><peer>1</peer></port>";
    check_change("", pair, Some(pair));
    check_change(pair, "", Some(""));
    let left = "<port><id>2</id><peer>1</peer></port>";
    check_change(pair, left, None);
    let message = "there is no instance of what \"1\" refers to";
    let path = "/w:port[id='2']/peer";
    let fault = (DataErrorKind::DataMissing, "instance-required", path, message);
    check_faults(pair, left, &[fault]);
}

#[test]
fn a_case_is_in_use_with_all_that_is_in_it_by_default() {
    check_change("", "<wants>w</wants>", None);
    let deep = "<deep>d</deep><wants>w</wants>";
    check_change("", deep, Some(deep));
    check_change(deep, "<wants>w</wants>", None);
    check_change(
        deep,
        "<other>o</other><wants>w</wants>",
        Some("<other>o</other><wants>w</wants>"),
    );
}

#[test]
fn a_default_is_checked_when_it_takes_the_place_of_a_value() {
    for leaf in ["leaf cap { default 3; type uint8;", "leaf-list cap { default 3; type uint8;"] {
        let model = format!(
            "module s {{ yang-version 1.1; namespace \"urn:s\"; prefix s; {leaf} must \". < 3\"; }} }}"
        );
        let schema = compile_for_test(&[("s", &model)]);
        let edit =
            crate::netconf::document::read_fragment("<cap xmlns='urn:s'>2</cap>", &schema).unwrap();
        let two = crate::datastore::apply::tree_of(&schema, Seed(1), &edit).unwrap();
        let none = Tree::empty(Seed(1));
        assert!(settle_indexed(&schema, (&none, Before::Unknown), &two).is_ok());
        let faults = settle_indexed(&schema, (&two, Before::Valid), &none).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}

#[test]
fn each_must_speaks_for_itself() {
    let kind = DataErrorKind::OperationFailed;
    let own = (kind.clone(), "off", "/w:both", "switch it on");
    let general = (kind, "must-violation", "/w:both", "Must condition \"../a\" not satisfied.");
    check_faults("", "<both>b</both>", &[own, general.clone()]);
    check_faults("<on/>", "<on/><both>b</both>", &[general]);
}

#[test]
fn an_expression_that_takes_too_long_is_a_fault_and_ends_the_check() {
    let model = r#"module s { namespace "urn:s"; prefix s; list e { key k; leaf k { type uint16; }
        must "count(/e[k > current()/k]) >= 0"; } }"#;
    let schema = compile_for_test(&[("s", model)]);
    let entries: String = (0..300).map(|k| format!("<e xmlns='urn:s'><k>{k}</k></e>")).collect();
    let edit = crate::netconf::document::read_fragment(&entries, &schema).unwrap();
    let tree = crate::datastore::apply::tree_of(&schema, Seed(1), &edit).unwrap();
    let set = &Rules::of(&schema).constraints;
    let index = Index::empty(Seed(1));
    let found = check((&schema, set), (&tree, &index), &Touched::everything(), 50_000);
    let messages: Vec<&str> = found.errors.iter().map(|error| error.message.as_str()).collect();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert!(
        message.starts_with("must \"count(/e[k > current()/k]) >= 0\" of /s:e cannot be checked")
    );
    assert!(
        check((&schema, set), (&tree, &index), &Touched::everything(), 5_000_000).errors.is_empty()
    );
}

/// What is looked at does not grow with what is configured.
#[test]
fn a_change_of_one_entry_is_checked_in_one_entry() {
    const ENTRIES: u16 = 500;
    const STEPS: u64 = 60;
    let model = r#"module s { namespace "urn:s"; prefix s;
        list e { key k; unique "box/name"; leaf k { type uint16; }
          leaf low { type uint8; must "not(. > ../high)"; } leaf high { type uint8; must ". >= 1"; }
          container box { leaf name { type uint16; } }
          leaf by-key { type leafref { path "/t/k"; } } leaf by-value { type leafref { path "/t/v"; } } }
        list t { key k; leaf k { type uint16; } leaf v { type uint16; } } }"#;
    let schema = compile_for_test(&[("s", model)]);
    // The entry with this number is made otherwise.
    let tree = |(other, text): (u16, &str), targets: std::ops::Range<u16>| {
        let entry = |k: u16| {
            let usual = format!(
                "<low>3</low><high>9</high><box><name>{k}</name></box><by-key>{k}</by-key><by-value>{k}</by-value>"
            );
            let content = if k == other { text } else { &usual };
            format!("<e xmlns='urn:s'><k>{k}</k>{content}</e>")
        };
        let target = |k| format!("<t xmlns='urn:s'><k>{k}</k><v>{k}</v></t>");
        let xml: String = (0..ENTRIES).map(entry).chain(targets.map(target)).collect();
        let edit = crate::netconf::document::read_fragment(&xml, &schema).unwrap();
        crate::datastore::apply::tree_of(&schema, Seed(1), &edit).unwrap()
    };
    let before = tree((100, "<low>3</low>"), 0..ENTRIES);
    let index = Index::empty(Seed(1)).at(&schema, &before);
    let errors = |after: &Tree| {
        let known = (&before, Before::Valid, &index);
        let found = check_constraints(&schema, known, (after, &mut Lazy::default()), STEPS);
        found.err().map_or(0, |errors| errors.len())
    };
    for (content, count) in [
        ("<low>3</low><high>5</high>", 0),
        ("<low>3</low><high>2</high>", 1),
        ("<box><name>600</name></box>", 0),
        ("<box><name>7</name></box>", 1),
        ("<by-key>7</by-key><by-value>7</by-value>", 0),
        ("<by-key>600</by-key>", 1),
        ("<by-value>600</by-value>", 1),
    ] {
        assert_eq!(errors(&tree((100, content), 0..ENTRIES)), count, "{content}");
    }
    // More targets cannot do harm, nor can fewer that nobody refers to.
    let usual = (100, "<low>3</low>");
    assert_eq!(errors(&tree(usual, 0..ENTRIES + 1)), 0);
    assert_eq!(errors(&tree((ENTRIES - 1, ""), 0..ENTRIES - 1)), 0);
    // Both of the last one.
    assert_eq!(errors(&tree(usual, 0..ENTRIES - 1)), 2);
}

/// A value that stands twice is there until both are gone, and in other entries it is another one.
#[test]
fn a_value_is_there_while_one_node_has_it() {
    let model = r#"module s { namespace "urn:s"; prefix s; list net { key n; leaf n { type string; }
        list t { key k; leaf k { type uint8; } leaf v { type string; } }
        leaf-list to { type leafref { path "../t/v"; } } } }"#;
    let schema = compile_for_test(&[("s", model)]);
    let tree = |nets: &[(&str, &str)]| {
        let net =
            |(n, content): &(&str, &str)| format!("<net xmlns='urn:s'><n>{n}</n>{content}</net>");
        let xml: String = nets.iter().map(net).collect();
        let edit = crate::netconf::document::read_fragment(&xml, &schema).unwrap();
        crate::datastore::apply::tree_of(&schema, Seed(1), &edit).unwrap()
    };
    let t = |k: u8| format!("<t><k>{k}</k><v>x</v></t>");
    let (one, two, none) = (t(1) + "<to>x</to>", t(1) + &t(2) + "<to>x</to>", "<to>x</to>");
    let both = tree(&[("a", &two), ("b", &one)]);
    let faults = |after: &Tree| {
        settle_indexed(&schema, (&both, Before::Valid), after).err().map_or(0, |f| f.len())
    };
    assert_eq!(faults(&tree(&[("a", &one), ("b", &one)])), 0);
    assert_eq!(faults(&tree(&[("a", none), ("b", &one)])), 1);
    assert_eq!(faults(&tree(&[("a", none), ("b", none)])), 2);
    assert_eq!(faults(&tree(&[("b", &one)])), 0);
}

/// However many refer: another member of the union is right for all but the last.
#[test]
fn each_referrer_by_a_union_is_looked_at() {
    let model = r#"module s { namespace "urn:s"; prefix s; leaf t { type string; }
        list e { key k; leaf k { type uint16; } leaf own { type string; } leaf to { type union {
            type leafref { path "/t"; } type leafref { path "../own"; } } } } }"#;
    let schema = compile_for_test(&[("s", model)]);
    let last = u16::try_from(2 * VALIDATION_ERRORS_MAX).unwrap();
    let tree = |top: &str| {
        let entry = |k: u16| {
            let own = if k == last { "y" } else { "x" };
            format!("<e xmlns='urn:s'><k>{k}</k><own>{own}</own><to>x</to></e>")
        };
        let xml: String = std::iter::once(top.to_owned()).chain((0..=last).map(entry)).collect();
        let edit = crate::netconf::document::read_fragment(&xml, &schema).unwrap();
        crate::datastore::apply::tree_of(&schema, Seed(1), &edit).unwrap()
    };
    let with = tree("<t xmlns='urn:s'>x</t>");
    let faults = settle_indexed(&schema, (&with, Before::Valid), &tree("")).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn models_as_deep_as_data_may_be_are_checked_on_the_stack_that_there_is() {
    // A text may nest 500 blocks; groupings go on where it ends.
    const PART: usize = 300;
    // With a leaf below and the element around a fragment.
    let depth = DEPTH_MAX - 2;
    let mut model = String::from("grouping g0 { leaf x { type string; must \"/c\"; } }");
    for part in 1..=depth.div_ceil(PART) {
        let levels = PART.min(depth - PART * (part - 1));
        let inner = (0..levels)
            .fold(format!("uses g{};", part - 1), |inner, _| format!("container c {{ {inner} }}"));
        model = format!("{model} grouping g{part} {{ {inner} }}");
    }
    let parts = depth.div_ceil(PART);
    let model = format!("module d {{ namespace 'urn:d'; prefix d; {model} uses g{parts}; }}");
    let compiled = std::thread::Builder::new().stack_size(256 << 20).spawn(move || {
        let schema = compile_for_test(&[("d", &model)]);
        let text = format!("{}<x>1</x>{}", "<c>".repeat(depth), "</c>".repeat(depth));
        let text = text.replacen("<c>", "<c xmlns='urn:d'>", 1);
        let edit = crate::netconf::document::read_fragment(&text, &schema).unwrap();
        let tree = crate::datastore::apply::tree_of(&schema, Seed(1), &edit).unwrap();
        (schema, tree)
    });
    let (schema, tree) = compiled.unwrap().join().unwrap();
    let checked = std::thread::Builder::new().stack_size(AGENT_STACK_BYTES).spawn(move || {
        let empty = Tree::empty(Seed(1));
        for (before, after) in [(&empty, &tree), (&tree, &empty)] {
            for known in [Before::Valid, Before::Unknown] {
                assert!(settle_indexed(&schema, (before, known), after).is_ok());
            }
        }
    });
    checked.unwrap().join().unwrap();
}
