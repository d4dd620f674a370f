//! Expressions of models: those of the standard modules, what expressions read, and how deep they can go.

use super::evaluate::Value;
use super::tests::tree_of;
use super::{Compiled, Defaults, Evaluation, EvaluationError, Names, Prefixes, Unprefixed};
use crate::yang::libyang::{CompileOptions, compile, compile_for_test};
use crate::yang::schema::{ModuleId, NodeId, PrefixMap, Schema, Type};
use std::path::PathBuf;

/// The expressions of a schema's models that cannot be parsed, and how many can.
fn parse_all(schema: &Schema) -> (Vec<String>, usize) {
    let (mut wrong, mut count) = (Vec::new(), 0);
    let mut parse = |text: &str, module: ModuleId, prefixes: &PrefixMap, at: Option<NodeId>| {
        let names =
            Names { prefixes: Prefixes::Modules(prefixes), unprefixed: Unprefixed::Of(module) };
        match Compiled::parse(schema, text, names) {
            Ok(compiled) => {
                count += 1;
                // Whatever it reads, finding it out comes to an end.
                let _reads = at.and_then(|at| compiled.reads(schema, Some(at)));
            }
            Err(error) => wrong.push(format!("{text}: {error}")),
        }
    };
    for (number, node) in (0..).zip(&schema.nodes) {
        for must in &node.musts {
            parse(&must.expression, must.module, &must.prefixes, Some(NodeId(number)));
        }
        for when in &node.whens {
            parse(&when.expression, when.module, &when.prefixes, node.parent);
        }
    }
    for facts in &schema.types {
        if let Type::Leafref { path, module, prefixes, .. } = facts {
            parse(path, *module, prefixes, None);
        }
    }
    (wrong, count)
}

#[test]
fn every_expression_of_the_standard_modules_is_parsed() {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/yang/standard"));
    let (mut expressions, mut modules) = (0, 0);
    let mut files: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    for file in files {
        let Some(stem) = file.strip_suffix(".yang") else { continue };
        let name = stem.split('@').next().unwrap().to_owned();
        let options = CompileOptions {
            dirs: vec![dir.clone()],
            modules: vec![(name.clone(), None)],
            features: vec![(name.clone(), "*".to_owned())],
            sources: Vec::new(),
        };
        // Submodules, and modules whose imports are not there, are no models by themselves.
        let Ok(schema) = compile(&options) else { continue };
        let (wrong, count) = parse_all(&schema);
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        expressions += count;
        modules += 1;
    }
    assert!(modules > 50 && expressions > 500, "{expressions} in {modules} modules");
}

const MODEL: &str = r#"module r { yang-version 1.1; namespace "urn:r"; prefix r;
  container c { leaf a { type string; } leaf b { type string; default x; when "../a"; }
    choice way { case one { leaf d { type string; default y; } } case two { leaf e { type string; } } }
    list l { key k; leaf k { type string; } leaf v { type string; } container in { leaf w { type string; } } } }
  leaf ref { type leafref { path "/r:c/r:l[r:k=current()/../k2]/r:v"; } }
  leaf k2 { type string; }
  leaf any { type instance-identifier; } }"#;

#[test]
fn what_an_expression_reads_is_known_from_the_schema() {
    let schema = compile_for_test(&[("r", MODEL)]);
    let module = schema.module_by_name("r").unwrap();
    let prefixes: PrefixMap = [("r".into(), module)].into();
    let names =
        Names { prefixes: Prefixes::Modules(&prefixes), unprefixed: Unprefixed::Of(module) };
    let shown = |ids: &std::collections::BTreeSet<NodeId>| {
        let names: Vec<String> =
            ids.iter().map(|id| schema.path_names(*id).replace("/r:", "")).collect();
        names.join(" ")
    };
    let context = schema.child(None, Some("urn:r"), "c").found();
    for (expression, reads, results) in [
        ("a", "c/a", "c/a"),
        ("a = 'x'", "c/a", ""),
        ("../ref", "ref", "ref"),
        ("l/v", "c/l c/l/v", "c/l/v"),
        ("l[k = current()/../k2]/v", "c/l c/l/k c/l/v k2", "c/l/v"),
        ("count(l)", "c/l", ""),
        ("not(l)", "c/l", ""),
        // The value of an entry is that of all in it.
        ("l = 'x'", "c/l c/l/k c/l/v c/l/in c/l/in/w", ""),
        ("string(l[1])", "c/l c/l/k c/l/v c/l/in c/l/in/w", ""),
        // A default depends on its `when`, and on the other cases.
        ("b", "c c/a c/b", "c/b"),
        ("d", "c/d c/e", "c/d"),
        ("//w", "c c/a c/b c/d c/e c/l c/l/k c/l/v c/l/in c/l/in/w ref k2 any", "c/l/in/w"),
        ("descendant::w", "c/l/in/w", "c/l/in/w"),
        ("l/in/ancestor::l", "c/l c/l/in", "c/l"),
        ("l/following-sibling::*", "c c/a c/b c/d c/e c/l", "c/a c/b c/d c/e c/l"),
        ("deref(/ref)/../k", "c c/l c/l/k c/l/v ref k2", "c/l/k"),
        ("a/text()", "c/a", "c/a"),
        ("true()", "", ""),
    ] {
        let compiled = Compiled::parse(&schema, expression, names).unwrap();
        let found = compiled.reads(&schema, context).unwrap();
        assert_eq!(
            (shown(&found.nodes.keys().copied().collect()), shown(&found.results)),
            (reads.to_owned(), results.to_owned()),
            "{expression}"
        );
        assert!(!found.is_root);
    }
    let compiled = |expression| Compiled::parse(&schema, expression, names).unwrap();
    assert!(compiled("/ | a").reads(&schema, context).unwrap().is_root);
    assert_eq!(compiled("deref(/any) = 1").reads(&schema, context), None);
    let nested = format!("{}a", "descendant::*[.. | ".repeat(30)) + &"]".repeat(30);
    assert!(compiled(&nested).reads(&schema, context).is_some());
    let endless = "//node()/..".repeat(5_000);
    assert_eq!(compiled(&endless).reads(&schema, context), None, "that would take too long");
}

/// The stack of a thread holds the deepest evaluation that limits let through, also in a deep tree.
#[test]
fn the_deepest_evaluation_fits_on_a_stack() {
    const LEVELS: usize = 40;
    let open: String = (0..LEVELS).map(|level| format!("container c{level} {{ ")).collect();
    let model = format!(
        "module d {{ namespace urn:d; prefix d; {open} leaf x {{ type string; default y; }} {} }}",
        "}".repeat(LEVELS)
    );
    let schema = compile_for_test(&[("d", &model)]);
    let start: String = (0..LEVELS).map(|level| format!("<c{level}>")).collect();
    let end: String = (0..LEVELS).rev().map(|level| format!("</c{level}>")).collect();
    let xml = format!("{}<x>1</x>{end}", start.replacen("<c0>", "<c0 xmlns='urn:d'>", 1));
    let tree = tree_of(&schema, &xml);
    let module = schema.module_by_name("d").unwrap();
    let names =
        Names { prefixes: Prefixes::Modules(&[].into()), unprefixed: Unprefixed::Of(module) };
    // Each predicate is reached at the deepest node, and begins again at the root.
    for (step, count) in
        [("/descendant::*[self::c39 and ", 20), ("/descendant::*[self::c39][", 31), ("//*[", 31)]
    {
        let expression = format!("{}x{}", step.repeat(count), "]".repeat(count));
        let compiled = Compiled::parse(&schema, &expression, names).unwrap();
        for defaults in [Defaults::Hidden, Defaults::All] {
            let mut evaluation = Evaluation::new(&schema, &tree.root, defaults);
            evaluation.leave_steps(2_000_000);
            let root = evaluation.root();
            let result = evaluation.evaluate(&compiled, root);
            let finds = |result: &Result<_, _>| matches!(result, Ok(Value::Nodes(nodes)) if nodes.len() == 1);
            assert!(
                finds(&result) || result == Err(EvaluationError::Steps),
                "{expression}: {result:?}"
            );
        }
    }
}
