//! How deep, long and costly an expression may be.

use super::*;

#[test]
fn an_expression_cannot_be_deep_or_long_without_end() {
    use crate::base::limits::{XPATH_BYTES_MAX, XPATH_DEPTH_MAX};
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(XPATH_DEPTH_MAX - 1)).is_ok());
    assert!(
        parse(&nested(XPATH_DEPTH_MAX)).unwrap_err().starts_with("there are more than 64 levels")
    );
    for many in ["1 + ", "a[b = ", "count(", "a[", "not(a or ", "- (", "1 = "] {
        let text = format!("{}1", many.repeat(5_000));
        assert!(parse(&text).unwrap_err().contains("levels"), "{many}");
    }
    for many in ["a or ", "a and ", "a | ", "a/", "a//", "-", "a[1]/", "'x' = a or "] {
        let text = format!("{}b", many.repeat(XPATH_BYTES_MAX / many.len() - 1));
        assert!(parse(&text).is_ok(), "{many}: {:?}", parse(&text).err());
    }
    let long = " ".repeat(XPATH_BYTES_MAX) + "1";
    assert!(parse(&long).unwrap_err().starts_with("there are more than 65536 bytes"));
}

#[test]
fn an_evaluation_comes_to_an_end() {
    let cross = "/descendant::*[/descendant::*[/descendant::*[/descendant::*[/descendant::*[. = 'none']]]]]";
    let cross = parse(cross).unwrap();
    let mut evaluation = Evaluation::new(schema(), &tree().root, Defaults::Hidden);
    evaluation.leave_steps(100_000);
    let root = evaluation.root();
    assert_eq!(evaluation.evaluate(&cross, root), Err(EvaluationError::Steps));
    let doubled = (0..14).fold("string(/)".to_owned(), |text, _| format!("concat({text}, {text})"));
    assert!(parse(&doubled).unwrap_err().contains("bytes"));
    let many = format!("concat({})", ["string(/)"; 5000].join(","));
    assert!(evaluate(&many, Defaults::Hidden).len() > 100_000);
}

#[test]
fn one_of_many_entries_costs_the_same_as_one_of_few() {
    let schema = compile_for_test(&[(
        "b",
        "module b { namespace urn:b; prefix b; container l { list e { key k; leaf k { type uint32; } leaf v { type string; } } } }",
    )]);
    let entries: String = (0..20_000).map(|k| format!("<e><k>{k}</k><v>v{k}</v></e>")).collect();
    let tree = tree_of(&schema, &format!("<l xmlns='urn:b'>{entries}</l>"));
    let module = schema.module_by_name("b").unwrap();
    let names =
        Names { prefixes: Prefixes::Modules(&[].into()), unprefixed: Unprefixed::Of(module) };
    for (expression, steps_max) in [
        ("/l/e[k='12345']/v", 40),
        ("/l/e[k=12345]/v", 40),
        ("//e[k='12345']", 40),
        ("/l/e[k=/l/e[k='7']/k + 5]/v", 60),
        ("/l/e[1]", 30),
    ] {
        let compiled = Compiled::parse(&schema, expression, names).unwrap();
        let mut evaluation = Evaluation::new(&schema, &tree.root, Defaults::Hidden);
        let root = evaluation.root();
        let Ok(Value::Nodes(nodes)) = evaluation.evaluate(&compiled, root) else { panic!() };
        assert_eq!(nodes.len(), 1, "{expression}");
        assert!(evaluation.steps_taken() < steps_max, "{expression}: {}", evaluation.steps_taken());
    }
}
