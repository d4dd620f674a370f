//! XPath expressions of clients: parentheses around an expression change nothing, nor does the union of a node-set with
//! itself.

use super::{Chance, Target, run};
use crate::datastore::apply::tree_of;
use crate::netconf::document::read_fragment;
use crate::yang::libyang::compile_for_test;

use crate::yang::schema::{PrefixMap, Schema};
use crate::yang::tree::{Seed, Tree};
use crate::yang::xpath::{
    Compiled, Defaults, Evaluation, EvaluationError, Names, Prefixes, Unprefixed, Value, ValueType,
};

const MODEL: &str = r#"module m { yang-version 1.1; namespace "urn:m"; prefix m;
    container c { leaf a { type string; } leaf n { type int32; default 7; }
        leaf r { type leafref { path "/m:c/m:l/m:k"; } } leaf-list many { type string; }
        list l { key k; leaf k { type string; } leaf v { type string; }
            container in { leaf w { type enumeration { enum x; enum y; } } } } } }"#;
const DATA: &str = "<c xmlns='urn:m'><a>1</a><r>k2</r><many>x</many><many>y</many>\
    <l><k>k1</k><v>1</v></l><l><k>k2</k><v>2</v><in><w>y</w></in></l><l><k>k 3</k></l></c>";
const CORPUS: [&str; 16] = [
    "/m:c/m:l[m:k='k2']/m:v",
    "//m:l[position()=last()]/ancestor-or-self::*",
    "count(/m:c/m:many) * 2 - -1 div 3 mod 4",
    "/c/l[v > 1 and not(in/w = 'y')] | /c/a",
    "deref(/c/r)/../v",
    "concat(substring-before('a-b','-'), string(/c/n), translate('abc','b',''))",
    "re-match(/c/a, '[0-9]+')",
    "enum-value(/c/l/in/w) >= 0",
    "/c/many[. = current()/c/many][1]",
    "normalize-space('  a  b ') = 'a b' or boolean(//*)",
    "following-sibling::node()/preceding::text()",
    "sum(/c/l/v) = 3",
    "substring('12345', 1.5, 2.6)",
    "/descendant-or-self::node()/child::m:l[2]/@x",
    "starts-with(name(/c/*[3]), 'm') != true()",
    "string-length(string(/)) + number('1e5') + floor(-1.5) + round(0.5) + ceiling(2)",
];
const TOKENS: [&str; 35] = [
    "/",
    "//",
    "..",
    ".",
    "*",
    "[",
    "]",
    "(",
    ")",
    "|",
    "or",
    " and ",
    " div ",
    " mod ",
    "-",
    "=",
    "!=",
    "<=",
    "@",
    "::",
    ",",
    "'",
    "\"",
    "m:",
    "x:",
    "last()",
    "position()",
    "current()",
    "ancestor::",
    "preceding::*",
    "descendant::node()",
    "1e999",
    ".5",
    "99999999999999999999999",
    "\u{e9}",
];

/// A value with what can be compared of it.
fn shown(value: Result<Value<'_>, EvaluationError>) -> Result<String, EvaluationError> {
    Ok(match value? {
        Value::Nodes(nodes) => format!("{} nodes", nodes.len()),
        Value::Boolean(value) => format!("{value}"),
        Value::Number(value) => format!("{value}"),
        Value::Text(value) => format!("{value:?}"),
    })
}

fn check(schema: &Schema, tree: &Tree, names: Names<'_>, input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let Ok(compiled) = Compiled::parse(schema, text, names) else { return false };
    drop(compiled.reads(schema, None));
    let evaluate = |expression: &Compiled, defaults| {
        let mut evaluation = Evaluation::new(schema, &tree.root, defaults);
        let root = evaluation.root();
        shown(evaluation.evaluate(expression, root))
    };
    let mut same = vec![format!("({text})")];
    if compiled.value_type() == ValueType::Nodes {
        same.push(format!("{text} | {text}"));
    }
    for defaults in [Defaults::Hidden, Defaults::All] {
        let Ok(value) = evaluate(&compiled, defaults) else { continue };
        for other in &same {
            // It may be too deep, or take too long, by as little as there is more of it.
            let Ok(compiled) = Compiled::parse(schema, other, names) else { continue };
            if let Ok(other_value) = evaluate(&compiled, defaults) {
                assert_eq!(other_value, value, "{text:?} and {other:?}");
            }
        }
    }
    true
}

#[test]
fn xpath() {
    let schema = compile_for_test(&[("m", MODEL)]);
    let tree = tree_of(&schema, Seed(1), &read_fragment(DATA, &schema).unwrap()).unwrap();
    let module = schema.module_by_name("m").unwrap();
    let prefixes: PrefixMap = [("m".into(), module)].into();
    let names =
        Names { prefixes: Prefixes::Modules(&prefixes), unprefixed: Unprefixed::Of(module) };
    let corpus = CORPUS.map(|text| text.as_bytes().to_vec()).to_vec();
    let check = |input: &[u8], _: &mut Chance| check(&schema, &tree, names, input);
    // `XPATH_STEPS_MAX` for each of five evaluations.
    run(&Target { name: "xpath", corpus, tokens: &TOKENS, cpu_ms_max: 60_000, check: &check });
}
