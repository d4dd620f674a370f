//! What is an expression, and of which type.

use super::*;

#[test]
fn what_is_no_expression_is_refused_where_it_goes_wrong() {
    for (expression, expected) in [
        ("", "an expression is expected at position 0"),
        ("  ", "an expression is expected at position 2"),
        ("a b", "an operator is expected, not \"b\" at position 2"),
        ("a[", "an expression is expected at position 2"),
        ("a[1", "\"]\" is expected at position 3"),
        ("a]", "an operator or the end is expected at position 1"),
        ("/a/", "a step is expected at position 3"),
        ("a//", "a step is expected at position 3"),
        ("//", "a step is expected at position 2"),
        ("..[1]", "an operator or the end is expected at position 2"),
        ("(a", "\")\" is expected at position 2"),
        ("'a", "the literal has no closing ' at position 0"),
        ("a = ", "an expression is expected at position 4"),
        ("a & b", "'&' is not expected at position 2"),
        ("$x", "'$' is not expected at position 0"),
        ("q:a", "prefix \"q\" is not declared at position 0"),
        ("a/q:*", "prefix \"q\" is not declared at position 2"),
        ("up::a", "there is no axis up at position 0"),
        ("nothing()", "there is no function nothing at position 0"),
        ("count()", "count() does not take 0 arguments at position 0"),
        ("count(a, b)", "count() does not take 2 arguments at position 0"),
        ("true(1)", "true() does not take 1 arguments at position 0"),
        ("concat('a')", "concat() does not take 1 arguments at position 0"),
        ("count('a')", "count() takes a node-set here at position 6"),
        ("sum(1)", "sum() takes a node-set here at position 4"),
        ("deref('a')", "deref() takes a node-set here at position 6"),
        ("'a' | b", "only node-sets have a union at position 4"),
        ("a | 1", "only node-sets have a union at position 2"),
        ("'a'[1]", "what a path or predicate follows must be a node-set at position 0"),
        ("string(a)/b", "what a path or predicate follows must be a node-set at position 0"),
        ("re-match(a, '(')", "\"(\" is no pattern that is supported at position 0"),
        ("a::", "there is no axis a at position 0"),
        ("child::", "a step is expected at position 7"),
        ("1 2", "an operator or the end is expected at position 2"),
        ("text(1)", "\")\" is expected at position 5"),
    ] {
        let expected = format!("{expected} of the expression");
        assert_eq!(parse(expression).err().as_deref(), Some(&*expected), "{expression}");
    }
}

#[test]
fn operators_are_names_where_no_operand_stands_before_them() {
    for expression in [
        "div",
        "mod div mod",
        "and and or",
        "* * *",
        "or/and",
        "//*[* = 'x']",
        "a-b",
        "count(//*) * 2",
        "processing-instruction('x')",
        "processing-instruction()",
        "child :: a",
        "a [ 1 ] / b",
        "self::node ()",
    ] {
        assert!(parse(expression).is_ok(), "{expression}: {:?}", parse(expression));
    }
    check(&[("2 * 3 mod 4", "2"), ("count(*) * 1 > 0", "true")]);
}

#[test]
fn types_are_known_when_an_expression_is_parsed() {
    for (expression, expected) in [
        ("a | b", ValueType::Nodes),
        ("deref(a)/b", ValueType::Nodes),
        ("a = b", ValueType::Boolean),
        ("-a", ValueType::Number),
        ("string(a)", ValueType::Text),
        ("'a'", ValueType::Text),
        ("bit-is-set(a, 'b')", ValueType::Boolean),
    ] {
        assert_eq!(parse(expression).unwrap().value_type(), expected, "{expression}");
    }
}
