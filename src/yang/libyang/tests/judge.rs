//! Every row of RFC 7950 section 15, by the real library.

use crate::base::limits::DEPTH_MAX;
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::libyang::compile_for_test;
use crate::yang::path::{InstancePath, Selector};
use crate::yang::schema::Schema;
use std::sync::{Arc, OnceLock};

const MODEL: &str = r#"module t { yang-version 1.1; namespace "urn:t"; prefix t;
  container top {
    list server { key name; unique "ip port/number"; unique alias; max-elements 4;
      leaf name { type string; }
      leaf ip { type string; }
      leaf alias { type string; }
      container port { leaf number { type uint16; } }
      list hop { key id; min-elements 2; leaf id { type string; }
        leaf-list tag { type string; max-elements 1; } }
    }
    leaf-list few { type int8; min-elements 1; when "../want-few"; }
    leaf want-few { type empty; }
    leaf plain-must { type int8; must ". > 3"; }
    leaf told-must { type int8; must ". > 3" { error-message "too small"; error-app-tag "size"; } }
    leaf message-must { type int8; must ". > 3" { error-message "also too small"; } }
    leaf ref { type leafref { path "../server/name"; } }
    leaf inst { type instance-identifier; }
    leaf either { type union { type leafref { path "../server/name"; } type int8; } }
    container choosing { presence "p";
      choice way { mandatory true; case a { leaf a { type string; } } case b { leaf b { type string; } } }
      choice other { leaf c { type string; } case deep { leaf d { type string; } leaf e { type string; } } }
    }
    container must-have { presence "p"; leaf m { type string; mandatory true; }
      anydata any { mandatory true; } container in { leaf deep { type string; mandatory true; } } }
    leaf conditional { when "../want-few"; type string; }
    leaf state { config false; type string; }
    anyxml blob;
  }
}"#;

const REQUIRED: &str = r#"module r { namespace "urn:r"; prefix r;
  leaf needed { type string; mandatory true; }
  list some { key k; min-elements 1; leaf k { type string; } }
  choice pick { mandatory true; leaf x { type string; } } }"#;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| compile_for_test(&[("t", MODEL)])))
}

fn errors(content: &str) -> Vec<DataError> {
    let xml = format!("<top xmlns=\"urn:t\">{content}</top>");
    schema().validate(xml.as_bytes()).err().unwrap_or_default()
}

/// A path as people write it.
fn show(schema: &Schema, path: &InstancePath) -> String {
    let mut text = String::new();
    for step in &path.0 {
        text += &format!("/{}", schema.node(step.node).name);
        match &step.selector {
            Selector::None => {}
            Selector::Keys(keys) => text += &format!("{:?}", keys),
            Selector::Value(value) => text += &format!("[.={value:?}]"),
            Selector::Position(position) => text += &format!("[{position}]"),
        }
    }
    text
}

fn show_error(schema: &Schema, error: &DataError) -> String {
    let kind = if let DataErrorKind::NotUnique { non_unique } = &error.kind {
        let paths: Vec<String> = non_unique.iter().map(|path| show(schema, path)).collect();
        format!("NotUnique {}", paths.join(" "))
    } else {
        format!("{:?}", error.kind)
    };
    let path = error.path.as_ref().map_or("-".to_owned(), |path| show(schema, path));
    let app_tag = error.app_tag.as_deref().unwrap_or("-");
    format!("{kind} | {path} | {app_tag}")
}

#[track_caller]
fn check(content: &str, expected: &[&str]) {
    let schema = schema();
    let shown: Vec<String> =
        errors(content).iter().map(|error| show_error(&schema, error)).collect();
    assert_eq!(shown, expected, "{content}");
}

#[test]
fn valid_data_is_valid() {
    check("", &[]);
    check(
        "<ref>a</ref><server><name>a</name><hop><id>1</id></hop><hop><id>2</id></hop></server>",
        &[],
    );
    check("<blob><any xmlns=\"urn:x\">thing</any></blob>", &[]);
    check("<want-few/><few>1</few><conditional>x</conditional>", &[]);
    check("<either>5</either>", &[]);
    assert_eq!(schema().validate(b""), Ok(()));
    assert_eq!(schema().validate(b"\n "), Ok(()));
}

/// A server with what it must have.
fn server(name: &str, rest: &str) -> String {
    format!("<server><name>{name}</name>{rest}<hop><id>1</id></hop><hop><id>2</id></hop></server>")
}

#[test]
fn rfc_7950_15_1_unique() {
    let one = server("o'ne", "<ip>i</ip><port><number>1</number></port>");
    let two = server("t\"w'o", "<ip>i</ip><port><number>1</number></port>");
    check(
        &format!("{one}{two}"),
        &[concat!(
            "NotUnique /top/server[\"o'ne\"]/ip /top/server[\"o'ne\"]/port/number ",
            "/top/server[\"t\\\"w'o\"]/ip /top/server[\"t\\\"w'o\"]/port/number | - | data-not-unique"
        )],
    );
    let aliases: String = ["a", "b", "c"]
        .map(|name| server(name, &format!("<alias>{}</alias>", name == "b")))
        .concat();
    check(
        &aliases,
        &["NotUnique /top/server[\"c\"]/alias /top/server[\"a\"]/alias | - | data-not-unique"],
    );
    let tricky = ["\" and \"", "x"].map(|name| server(name, "<alias>z</alias>")).concat();
    check(
        &tricky,
        &[
            "NotUnique /top/server[\"\\\" and \\\"\"]/alias /top/server[\"x\"]/alias | - | data-not-unique",
        ],
    );
}

#[test]
fn rfc_7950_15_2_max_elements() {
    let many: String = (0..6).map(|at| server(&at.to_string(), "")).collect();
    check(&many, &["OperationFailed | /top/server | too-many-elements"]);
    check(
        "<server><name>a</name><hop><id>1</id><tag>x</tag><tag>y</tag></hop><hop><id>2</id></hop></server>",
        &["OperationFailed | /top/server[\"a\"]/hop[\"1\"]/tag | too-many-elements"],
    );
}

#[test]
fn rfc_7950_15_3_min_elements() {
    check("<want-few/>", &["OperationFailed | /top/few | too-few-elements"]);
    let short = "<server><name>a</name><hop><id>1</id></hop></server>";
    let none = "<server><name>c</name></server>";
    check(
        &format!("{short}{}{none}", server("b", "")),
        &[
            "OperationFailed | /top/server[\"a\"]/hop | too-few-elements",
            "OperationFailed | /top/server[\"c\"]/hop | too-few-elements",
        ],
    );
}

#[test]
fn rfc_7950_15_4_must() {
    check(
        "<plain-must>1</plain-must><told-must>2</told-must><message-must>3</message-must>",
        &[
            "OperationFailed | /top/plain-must | must-violation",
            "OperationFailed | /top/told-must | size",
            "OperationFailed | /top/message-must | must-violation",
        ],
    );
    let errors = errors("<told-must>2</told-must><message-must>3</message-must>");
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages, ["too small", "also too small"]);
}

#[test]
fn rfc_7950_15_5_instance_required() {
    check("<ref>nobody</ref>", &["DataMissing | /top/ref | instance-required"]);
    check(
        "<inst xmlns:t=\"urn:t\">/t:top/t:server[t:name='x']</inst>",
        &["DataMissing | /top/inst | instance-required"],
    );
    check("<either>nobody</either>", &["InvalidValue | /top/either | -"]);
}

#[test]
fn rfc_7950_15_6_missing_choice() {
    check("<choosing/>", &["MissingChoice { choice: \"way\" } | /top/choosing | missing-choice"]);
}

#[test]
fn mandatory_nodes_are_missing_elements_of_their_parent() {
    check(
        "<must-have/>",
        &[
            "MissingElement { element: \"m\" } | /top/must-have | -",
            "MissingElement { element: \"any\" } | /top/must-have | -",
            "MissingElement { element: \"deep\" } | /top/must-have/in | -",
        ],
    );
}

#[test]
fn what_a_when_forbids_is_unknown() {
    check(
        "<conditional>x</conditional>",
        &["UnknownElement { element: \"conditional\" } | /top/conditional | -"],
    );
}

#[test]
fn data_of_two_cases_is_a_bad_element() {
    let both = "<choosing><a>1</a><c>x</c><d>y</d></choosing>";
    check(both, &["BadElement { element: \"deep\" } | - | -"]);
}

#[test]
fn state_is_no_configuration() {
    check("<state>x</state>", &["UnknownElement { element: \"state\" } | /top/state | -"]);
}

#[test]
fn at_the_top_a_parent_has_no_path() {
    let schema = compile_for_test(&[("r", REQUIRED)]);
    let errors = schema.validate(b"").unwrap_err();
    let shown: Vec<String> = errors.iter().map(|error| show_error(&schema, error)).collect();
    assert_eq!(
        shown,
        [
            "MissingElement { element: \"needed\" } | - | -",
            "OperationFailed | /some | too-few-elements",
            "MissingChoice { choice: \"pick\" } | - | missing-choice",
        ]
    );
}

#[test]
fn text_that_is_not_data_is_refused() {
    check("<plain-must>x</plain-must>", &["InvalidValue | /top/plain-must | -"]);
    check("<nothing/>", &["UnknownElement { element: \"nothing\" } | /top | -"]);
    check("<server><ip>1</ip></server>", &["MissingKey { key: \"name\" } | /top/server | -"]);
    for xml in
        ["<", "<a", "text", "<top xmlns=\"urn:nothing\"/>", "<top xmlns=\"urn:t\">", "<top/>\0"]
    {
        let errors = schema().validate(xml.as_bytes()).unwrap_err();
        assert!(errors.iter().all(|error| !error.message.is_empty()), "{xml}");
    }
}

#[test]
fn depth_is_limited_before_the_stack_is() {
    let nested = |depth: usize| {
        let (open, close) = ("<a xmlns=\"urn:x\">".repeat(depth), "</a>".repeat(depth));
        errors(&format!("<blob>{open}{close}</blob>"))
    };
    assert_eq!(nested(100), []);
    for depth in [DEPTH_MAX, 100_000] {
        assert_eq!(nested(depth).len(), 1);
    }
}

#[test]
fn threads_do_not_see_each_other() {
    let schema = schema();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let schema = &schema;
            scope.spawn(move || {
                for round in 0..200 {
                    let valid = (thread + round) % 2 == 0;
                    let value = if valid { 5 } else { 1 };
                    let xml = format!(
                        "<top xmlns=\"urn:t\"><plain-must>{value}</plain-must>{}</top>",
                        server("a", "")
                    );
                    let result = schema.validate(xml.as_bytes());
                    assert_eq!(result.is_ok(), valid);
                    if let Err(errors) = result {
                        assert_eq!(errors.len(), 1);
                    }
                }
            });
        }
    });
}

/// Kilobytes of memory in use by this process.
fn resident_kb() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

#[test]
fn nothing_leaks() {
    let valid = format!("<top xmlns=\"urn:t\">{}</top>", server("a", ""));
    let invalid = "<top xmlns=\"urn:t\"><plain-must>1</plain-must><conditional>x</conditional><want-few/></top>";
    let broken = "<top xmlns=\"urn:t\"><plain-must>x</plain-must></top>";
    let schema = schema();
    let round = || {
        for xml in [valid.as_str(), invalid, broken] {
            drop(schema.validate(xml.as_bytes()));
        }
    };
    (0..2_000).for_each(|_| round());
    let before = resident_kb();
    (0..20_000).for_each(|_| round());
    let grown = resident_kb().saturating_sub(before);
    // A leak of one small allocation a round would be near 1 MB; other tests run beside this one.
    assert!(grown < 20_000, "{grown} kB");
}
