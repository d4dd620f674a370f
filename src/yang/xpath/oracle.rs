//! Random expressions on random trees: libyang evaluates them to the same.
//!
//! What is not compared, because libyang differs from the sentences that stand there:
//! - the string-value of containers and entries: libyang puts white space between elements (XPath 1.0, 5.2: "the
//!   concatenation of the string-values of all text node descendants");
//! - literals that are no canonical values: libyang compares values where XPath compares strings (3.4);
//! - strings of numbers with a fraction: libyang writes one digit behind the point (4.2: "as many digits as are needed to
//!   uniquely distinguish the number from all other IEEE 754 numeric values");
//! - positions in steps that lead on from several nodes: libyang counts through (2.4: "the proximity position of the node
//!   with respect to the axis" for each context node);
//! - `ancestor::*`, `self::*` and their like: libyang counts the root among elements (2.3: "any element node");
//! - `following`, where libyang misses what is behind the parent, and `preceding`, where it finds ancestors (2.2); a test
//!   below holds them against the other axes;
//! - the number of an empty string, which is 0 to libyang, or of one with white space around, which is NaN to it (4.4);
//! - roundings of negative numbers and of NaN: libyang truncates by a cast to an integer (4.4);
//! - `mod`: libyang truncates both operands to integers, and dies of a zero (3.5: "the % operator in Java").

use super::evaluate::Value;
use super::tests::tree_of;
use super::{Compiled, Defaults, Evaluation, Names, Node, Prefixes, Unprefixed};
use crate::yang::libyang::compile_for_test;
use crate::yang::libyang::xpath_oracle::OracleValue;
use crate::yang::path::{InstancePath, Selector};
use crate::yang::path_text;
use crate::yang::print::print_all;
use crate::yang::schema::{NodeId, NodeKind, PrefixMap, Schema};
use crate::yang::tree::Text;
use std::fmt::Write as _;
use std::sync::Arc;

const MODEL: &str = r#"module m { yang-version 1.1; namespace "urn:m"; prefix m;
  identity animal; identity dog { base animal; } identity puppy { base dog; } identity cat { base animal; }
  container top {
    leaf name { type string; }
    leaf size { type uint8; }
    leaf level { type enumeration { enum low { value 3; } enum high { value 9; } } }
    leaf flags { type bits { bit up; bit down; } }
    leaf kind { type identityref { base animal; } }
    leaf chosen { type leafref { path "../item/id"; require-instance false; } }
    leaf colour { type string; default red; }
    leaf shade { when "../colour = 'red'"; type string; default dark; }
    leaf-list digit { type uint8; default 1; default 2; }
    leaf-list word { type string; ordered-by user; }
    list item { key id; leaf id { type uint8; } leaf name { type string; } leaf on { type boolean; default true; }
      container deep { leaf x { type string; } list sub { key k; leaf k { type string; } leaf v { type uint8; } } } }
    list pair { key "a b"; leaf a { type string; } leaf b { type string; } leaf v { type uint8; } }
    list seq { key n; ordered-by user; leaf n { type uint8; } leaf v { type string; } }
    container np { leaf inner { type string; default deep; } container in { leaf x { type string; } } }
    container there { presence p; leaf x { type string; } }
    choice way { default road; case road { leaf road { type string; default paved; } }
      case rail { leaf rail { type string; } leaf gauge { type uint8; default 7; } } }
  }
  container after { presence p; leaf name { type string; } }
}"#;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

const STRINGS: [&str; 5] = ["a", "b", "ab", "x y", "3"];
const DIGITS: [&str; 6] = ["0", "1", "2", "3", "7", "10"];

/// A canonical value of a leaf, by name.
fn value(random: &mut Random, leaf: &str) -> &'static str {
    match leaf {
        "size" | "digit" | "id" | "v" | "n" | "chosen" | "gauge" => random.one_of(&DIGITS),
        "level" => random.one_of(&["low", "high"]),
        "flags" => random.one_of(&["", "up", "down", "up down"]),
        "kind" => random.one_of(&["m:animal", "m:dog", "m:puppy", "m:cat"]),
        "on" => random.one_of(&["true", "false"]),
        "colour" => random.one_of(&["red", "blue"]),
        _ => random.one_of(&STRINGS),
    }
}

fn leaf(random: &mut Random, out: &mut String, name: &str) {
    if random.one_in(2) {
        let value = match name {
            "kind" => random.one_of(&["m:dog", "m:puppy", "m:cat"]),
            // The leafs of this name are of two types.
            other => value(random, other),
        };
        write!(out, "<{name}>{value}</{name}>").unwrap();
    }
}

fn data(random: &mut Random) -> String {
    let mut out = "<top xmlns='urn:m' xmlns:m='urn:m'><name>a</name>".to_owned();
    for name in ["size", "level", "flags", "kind", "chosen", "colour"] {
        leaf(random, &mut out, name);
    }
    let mut taken = Vec::new();
    for _ in 0..random.below(6) {
        let kind = random.one_of(&["digit", "word"]);
        let entry = (kind, value(random, kind));
        if !taken.contains(&entry) {
            taken.push(entry);
            write!(out, "<{kind}>{}</{kind}>", entry.1).unwrap();
        }
    }
    for _ in 0..random.below(8) {
        let (list, id, other) = (random.below(3), random.one_of(&DIGITS), random.one_of(&STRINGS));
        let entry = (["item", "pair", "seq"][list], if list == 1 { other } else { id });
        if taken.contains(&entry) {
            continue;
        }
        taken.push(entry);
        match list {
            0 => {
                write!(out, "<item><id>{id}</id>").unwrap();
                leaf(random, &mut out, "name");
                leaf(random, &mut out, "on");
                out.push_str("<deep>");
                leaf(random, &mut out, "x");
                for k in STRINGS.iter().take(random.below(3)) {
                    write!(out, "<sub><k>{k}</k><v>{}</v></sub>", random.one_of(&DIGITS)).unwrap();
                }
                out.push_str("</deep></item>");
            }
            1 => {
                let b = random.one_of(&STRINGS);
                write!(out, "<pair><a>{other}</a><b>{b}</b><v>{id}</v></pair>").unwrap();
            }
            _ => write!(out, "<seq><n>{id}</n><v>{other}</v></seq>").unwrap(),
        }
    }
    out += random.one_of(&["", "<np><inner>i</inner></np>", "<np><in><x>a</x></in></np>"]);
    out += random.one_of(&["", "<there/>", "<there><x>b</x></there>"]);
    out += random.one_of(&["", "<road>a</road>", "<rail>b</rail>", "<gauge>3</gauge>"]);
    out + "</top>" + random.one_of(&["", "<after xmlns='urn:m'><name>b</name></after>"])
}

/// How many nodes a step leads on from.
#[derive(Clone, Copy, PartialEq)]
enum From {
    One,
    Several,
}

/// Makes expressions.
struct Generator<'a> {
    schema: &'a Schema,
    random: Random,
}

/// Names of leafs and leaf-lists.
const LEAFS: [&str; 14] = [
    "name", "size", "level", "flags", "kind", "chosen", "colour", "shade", "digit", "word", "id",
    "v", "x", "road",
];

impl Generator<'_> {
    fn children(&self, of: Option<NodeId>) -> Vec<NodeId> {
        let children = of.map_or(&self.schema.top, |id| &self.schema.node(id).children);
        children.clone()
    }

    fn name(&self, id: NodeId) -> String {
        format!("m:{}", self.schema.node(id).name)
    }

    /// A path from a node, and where it leads if that is known. `Some(None)` is the root.
    fn path(
        &mut self,
        from: Option<Option<NodeId>>,
        depth: usize,
    ) -> (String, Option<Option<NodeId>>) {
        let (mut out, mut at) = match self.random.below(5) {
            0 => ("/".to_owned(), Some(None)),
            1 => ("current()/".to_owned(), None),
            _ => (String::new(), from),
        };
        for number in 0..=self.random.below(3) {
            if number > 0 {
                out.push('/');
            }
            let from = if number == 0 { From::One } else { From::Several };
            at = self.step(&mut out, (at, from), depth);
        }
        (out, at)
    }

    fn step(
        &mut self,
        out: &mut String,
        (at, from): (Option<Option<NodeId>>, From),
        depth: usize,
    ) -> Option<Option<NodeId>> {
        let children = at.map_or_else(Vec::new, |at| self.children(at));
        if !children.is_empty() && !self.random.one_in(6) {
            let child = children[self.random.below(children.len())];
            out.push_str(&self.name(child));
            self.predicates(out, (Some(Some(child)), from), depth);
            return Some(Some(child));
        }
        let leaf = format!("m:{}", self.random.one_of(&LEAFS));
        let inner = self
            .random
            .one_of(&["m:item", "m:sub", "m:pair", "m:seq", "m:deep", "m:top", "m:np"])
            .to_owned();
        let axis = self.random.one_of(&[
            "child",
            "descendant",
            "descendant-or-self",
            "parent",
            "ancestor",
            "ancestor-or-self",
            "self",
            "following-sibling",
            "preceding-sibling",
        ]);
        let name = if self.random.one_in(2) { leaf } else { inner };
        match self.random.below(8) {
            0 => {
                out.push_str("..");
                let up = at.flatten().map(|id| self.schema.node(id).parent);
                return up;
            }
            1 => out.push('.'),
            2 => out.push('*'),
            3 => out.push_str(&name),
            4 if matches!(axis, "descendant" | "following-sibling" | "preceding-sibling") => {
                write!(out, "{axis}::*").unwrap();
            }
            _ => write!(out, "{axis}::{name}").unwrap(),
        }
        if !out.ends_with('.') {
            self.predicates(out, (None, from), depth);
        }
        None
    }

    fn predicates(
        &mut self,
        out: &mut String,
        (at, from): (Option<Option<NodeId>>, From),
        depth: usize,
    ) {
        if depth == 0 {
            return;
        }
        let list =
            at.flatten().and_then(|id| self.schema.node(id).list().map(|list| list.keys.clone()));
        if let Some(keys) = list
            && self.random.one_in(2)
        {
            for key in keys {
                let name = self.name(key);
                let wanted = match self.random.below(4) {
                    0 => self.leafs(at, 0).0,
                    _ => format!("'{}'", value(&mut self.random, name.trim_start_matches("m:"))),
                };
                // An absolute or a current path does not depend on the entry, others do.
                write!(out, "[{name}={wanted}]").unwrap();
            }
            return;
        }
        if self.random.one_in(3) {
            let inner = match self.random.below(6) {
                0 | 1 if from == From::Several => self.boolean(at, depth - 1),
                0 => {
                    self.random.one_of(&["1", "2", "last()", "last() - 1", "position()"]).to_owned()
                }
                1 => format!("position() {} {}", self.comparison(), self.random.one_of(&DIGITS)),
                _ => self.boolean(at, depth - 1),
            };
            write!(out, "[{inner}]").unwrap();
        }
    }

    fn comparison(&mut self) -> &'static str {
        self.random.one_of(&["=", "!=", "<", "<=", ">", ">="])
    }

    /// A path that ends at leafs.
    fn leafs(&mut self, at: Option<Option<NodeId>>, depth: usize) -> (String, &'static str) {
        let name = self.random.one_of(&LEAFS);
        if self.random.one_in(4) {
            return (format!("//m:{name}"), name);
        }
        let (path, _) = self.path(at, depth);
        (format!("{path}/m:{name}"), name)
    }

    fn boolean(&mut self, at: Option<Option<NodeId>>, depth: usize) -> String {
        if depth == 0 {
            return self.path(at, 0).0;
        }
        match self.random.below(12) {
            0 => format!("not({})", self.boolean(at, depth - 1)),
            1 => format!("{} and {}", self.boolean(at, depth - 1), self.boolean(at, depth - 1)),
            2 => format!("({} or {})", self.boolean(at, depth - 1), self.boolean(at, depth - 1)),
            3 => format!(
                "{} {} {}",
                self.number(at, depth - 1),
                self.comparison(),
                self.number(at, depth - 1)
            ),
            4 => {
                let (one, other) = (self.leafs(at, depth - 1).0, self.leafs(at, depth - 1).0);
                format!("{one} {} {other}", self.comparison())
            }
            5 | 6 => {
                let (path, name) = self.leafs(at, depth - 1);
                let wanted = value(&mut self.random, name);
                format!("{path} {} '{wanted}'", self.random.one_of(&["=", "!="]))
            }
            7 => {
                let function = self.random.one_of(&["starts-with", "contains"]);
                format!(
                    "{function}({}, '{}')",
                    self.text(at, depth - 1),
                    self.random.one_of(&STRINGS)
                )
            }
            8 => {
                let function = self.random.one_of(&["derived-from", "derived-from-or-self"]);
                let base = self.random.one_of(&["m:animal", "m:dog", "m:puppy", "m:cat"]);
                format!("{function}(/m:top/m:kind, '{base}')")
            }
            9 => format!("bit-is-set(/m:top/m:flags, '{}')", self.random.one_of(&["up", "down"])),
            10 => format!("re-match({}, '[a-c]+')", self.text(at, depth - 1)),
            _ => format!("boolean({})", self.path(at, depth - 1).0),
        }
    }

    fn number(&mut self, at: Option<Option<NodeId>>, depth: usize) -> String {
        if depth == 0 {
            return self.random.one_of(&["0", "1", "2", "-3", "1.5", "7"]).to_owned();
        }
        match self.random.below(9) {
            0 => format!("count({})", self.path(at, depth - 1).0),
            1 => {
                let (path, _) = self.path(at, depth - 1);
                format!("sum({path}/m:{})", self.random.one_of(&["size", "digit", "id", "word"]))
            }
            2 => format!(
                "number({})",
                self.random.one_of(&["'3.5'", "'x'", "true()", "/m:top/m:name"])
            ),
            3 => format!("string-length({})", self.text(at, depth - 1)),
            4 => {
                let function = self.random.one_of(&["floor", "ceiling", "round"]);
                format!("{function}(1.5 + count({}))", self.path(at, depth - 1).0)
            }
            5 => "enum-value(/m:top/m:level)".to_owned(),
            6 => format!("-({})", self.number(at, depth - 1)),
            _ => {
                let operator = self.random.one_of(&["+", "-", "*", "div"]);
                format!(
                    "({} {operator} {})",
                    self.number(at, depth - 1),
                    self.number(at, depth - 1)
                )
            }
        }
    }

    fn text(&mut self, at: Option<Option<NodeId>>, depth: usize) -> String {
        if depth == 0 {
            return format!("'{}'", self.random.one_of(&STRINGS));
        }
        match self.random.below(9) {
            0 => format!("concat({}, {})", self.text(at, depth - 1), self.text(at, depth - 1)),
            1 => format!(
                "substring({}, {}, {})",
                self.text(at, depth - 1),
                self.below_three(),
                self.below_three()
            ),
            2 => format!("substring-before({}, 'b')", self.text(at, depth - 1)),
            3 => format!("substring-after({}, 'a')", self.text(at, depth - 1)),
            4 => format!("normalize-space({})", self.text(at, depth - 1)),
            5 => format!("translate({}, 'ab ', 'xy')", self.text(at, depth - 1)),
            6 => format!("local-name({})", self.path(at, depth - 1).0),
            7 => format!("string({})", self.boolean_value(at, depth - 1)),
            _ => format!("string({})", self.leafs(at, depth - 1).0),
        }
    }

    fn boolean_value(&mut self, at: Option<Option<NodeId>>, depth: usize) -> String {
        format!("not({})", self.boolean(at, depth))
    }

    fn below_three(&mut self) -> &'static str {
        self.random.one_of(&["0", "1", "2", "1.5", "3"])
    }

    fn expression(&mut self, at: Option<Option<NodeId>>) -> String {
        let depth = 1 + self.random.below(3);
        match self.random.below(10) {
            0 => self.boolean(at, depth),
            1 => self.number(at, depth),
            2 => self.text(at, depth),
            3 => format!("{} | {}", self.path(at, depth).0, self.path(at, depth).0),
            4 => format!(
                "({})[{}]",
                self.path(at, depth).0,
                self.random.one_of(&["1", "2", "last()"])
            ),
            5 => "deref(/m:top/m:chosen)/..".to_owned(),
            _ => self.path(at, depth).0,
        }
    }
}

/// The path of a node as libyang prints it; `None` of the root and of texts, which libyang does not give.
fn path_of(evaluation: &Evaluation<'_>, node: Node) -> Option<String> {
    use super::nodes::Data;
    let mut steps = Vec::new();
    for up in evaluation.arena.ancestors_or_self(node) {
        let facts = evaluation.arena.get(up);
        let Some(id) = facts.schema else { break };
        let selector = match (&evaluation.schema.node(id).kind, facts.data) {
            (_, Data::Text(_)) => return None,
            (NodeKind::List(_), Data::Inner(entry)) => {
                let keys = evaluation.schema.keys(id).iter();
                Selector::Keys(keys.map(|key| Text::new(entry.leaf(*key).unwrap())).collect())
            }
            (NodeKind::LeafList(_), Data::Value(value)) => Selector::Value(Text::new(value)),
            _ => Selector::None,
        };
        steps.push(crate::yang::path::Step { node: id, selector });
    }
    steps.reverse();
    let path = path_text::print(evaluation.schema, &InstancePath(steps));
    (!path.is_empty()).then_some(path)
}

fn ours(
    schema: &Schema,
    names: Names<'_>,
    root: &crate::yang::tree::Container,
    (defaults, context, expression): (Defaults, &str, &str),
) -> OracleValue {
    let parse = |text: &str| {
        Compiled::parse(schema, text, names).unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    let (context, expression) = (parse(context), parse(expression));
    let mut evaluation = Evaluation::new(schema, root, defaults);
    let document = evaluation.root();
    let Ok(Value::Nodes(nodes)) = evaluation.evaluate(&context, document) else { panic!() };
    match evaluation.evaluate(&expression, nodes[0]).unwrap() {
        Value::Nodes(nodes) => OracleValue::Nodes(
            nodes.into_iter().filter_map(|node| path_of(&evaluation, node)).collect(),
        ),
        Value::Boolean(boolean) => OracleValue::Boolean(boolean),
        Value::Number(number) => OracleValue::Number(number),
        Value::Text(text) => OracleValue::Text(text.into_owned()),
    }
}

fn is_same(one: &OracleValue, other: &OracleValue) -> bool {
    match (one, other) {
        (OracleValue::Number(one), OracleValue::Number(other)) => {
            one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() < 1e-9
        }
        _ => one == other,
    }
}

/// The share of results that hold something, in percent.
fn run(defaults: Defaults, seed: u64, expressions: usize) -> usize {
    let schema: Arc<Schema> = compile_for_test(&[("m", MODEL)]);
    let module = schema.module_by_name("m").unwrap();
    let prefixes: PrefixMap = [("m".into(), module)].into();
    let names =
        Names { prefixes: Prefixes::Modules(&prefixes), unprefixed: Unprefixed::Of(module) };
    let mut generator = Generator { schema: &schema, random: Random(seed) };
    let top = schema.top[0];
    let (mut full, mut wrong) = (0, Vec::new());
    for number in 0..expressions {
        let tree = tree_of(&schema, &data(&mut generator.random));
        let xml = String::from_utf8(print_all(&schema, &tree)).unwrap();
        let oracle = schema.judge.xpath_oracle(&xml, defaults != Defaults::Hidden);
        for _ in 0..4 {
            let context = generator.random.one_of(&["/m:top", "/m:top/m:name"]);
            let at = if context == "/m:top" { Some(Some(top)) } else { None };
            let expression = generator.expression(at);
            let found = ours(&schema, names, &tree.root, (defaults, context, &expression));
            let mut expected = oracle.evaluate(context, &expression);
            if expected.as_ref().is_err_and(|error| error.contains("no target instance")) {
                // RFC 7950, 10.3.1: "If the first node in document order ... does not exist, an empty node set".
                expected = Ok(OracleValue::Nodes(Vec::new()));
            }
            full += usize::from(found != OracleValue::Nodes(Vec::new()));
            if !expected.as_ref().is_ok_and(|expected| is_same(&found, expected)) {
                wrong.push(format!("{number}: at {context}: {expression}\n  ours {found:?}\n  theirs {expected:?}\n  {xml}"));
            }
        }
    }
    assert!(wrong.is_empty(), "seed {seed}: {} differ\n{}", wrong.len(), wrong.join("\n"));
    full * 100 / (expressions * 4)
}

#[test]
fn libyang_finds_the_same() {
    let trees = if std::env::var_os("QUORATE_TEST_LONG").is_some() { 20_000 } else { 250 };
    for (defaults, seed) in [(Defaults::Hidden, 1), (Defaults::OfConfiguration, 2)] {
        let full = run(defaults, seed, trees);
        println!("seed {seed}: {full} % of the results hold something");
        assert!(full > 40, "seed {seed}: {full} %");
    }
}

/// XPath 1.0, 2.2: "The ancestor, descendant, following, preceding and self axes partition a document".
#[test]
fn five_axes_partition_a_document() {
    let schema: Arc<Schema> = compile_for_test(&[("m", MODEL)]);
    let module = schema.module_by_name("m").unwrap();
    let prefixes: PrefixMap = [("m".into(), module)].into();
    let names =
        Names { prefixes: Prefixes::Modules(&prefixes), unprefixed: Unprefixed::Of(module) };
    let parse = |text: &str| Compiled::parse(&schema, text, names).unwrap();
    let all = parse("/descendant-or-self::node()");
    let axes = ["ancestor", "descendant", "following", "preceding", "self"];
    let parts: Vec<Compiled> = axes.iter().map(|axis| parse(&format!("{axis}::node()"))).collect();
    let union = parse(&axes.map(|axis| format!("{axis}::node()")).join(" | "));
    let mut random = Random(3);
    for defaults in [Defaults::Hidden, Defaults::All] {
        for _ in 0..20 {
            let tree = tree_of(&schema, &data(&mut random));
            let mut evaluation = Evaluation::new(&schema, &tree.root, defaults);
            let mut nodes = |compiled, context| match evaluation.evaluate(compiled, context) {
                Ok(Value::Nodes(nodes)) => nodes,
                other => panic!("{other:?}"),
            };
            let whole = nodes(&all, super::nodes::ROOT);
            for node in &whole {
                let count: usize = parts.iter().map(|part| nodes(part, *node).len()).sum();
                assert_eq!(count, whole.len());
                assert_eq!(nodes(&union, *node).len(), whole.len());
            }
        }
    }
}
