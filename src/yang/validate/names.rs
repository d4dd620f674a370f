//! The names that an XPath expression can read (RFC 7950, 6.4), without understanding it: more is safe, fewer is not.

use std::collections::BTreeSet;

/// What expressions read, by local name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Whether such a node is there, and its value if it is a leaf.
    pub(super) names: BTreeSet<String>,
    /// Where a path ends, so that the value of the node with all below may be taken.
    pub(super) values: BTreeSet<String>,
    /// Anything: the expression has no names for what it reads.
    pub(super) everything: bool,
}

/// Adds what `expression` reads beside its context node. Words of literals, functions and axes count as names, too.
pub(super) fn names_read(expression: &str, reads: &mut Reads) {
    // A star may be a product; that is not frequent enough to look closer.
    let nameless = ["*", "node(", "deref(", "text("];
    if nameless.iter().any(|part| expression.contains(part)) || ends_nameless(expression) {
        reads.everything = true;
    }
    let mut rest = expression;
    while let Some(start) = rest.find(is_name_start) {
        let Some(from) = rest.get(start..) else { return };
        let end = from.find(|c: char| !is_name_char(c)).unwrap_or(from.len());
        let Some((name, behind)) = from.split_at_checked(end) else { return };
        let next = behind.trim_start();
        if !next.starts_with('/') && !next.starts_with(':') {
            reads.values.insert(name.to_owned());
        }
        reads.names.insert(name.to_owned());
        rest = behind;
    }
}

/// Whether the value of the context node itself may be taken: a dot or `current()` that no path follows.
pub(super) fn takes_context(expression: &str) -> bool {
    let follows = |rest: &str| rest.trim_start().starts_with('/');
    let current = expression.split("current()").skip(1).any(|rest| !follows(rest));
    current
        || steps(expression).any(|(before, step, rest)| {
            step == "."
                && !before.ends_with(|c: char| is_name_char(c) || c == '/')
                && !follows(rest)
        })
}

/// A path ends with a step that has no name: `..`, `a/.`, or the root.
fn ends_nameless(expression: &str) -> bool {
    let no_step = |rest: &str| {
        !rest.trim_start().starts_with(|c: char| is_name_start(c) || matches!(c, '.' | '/' | '@'))
    };
    let slash =
        expression.match_indices('/').any(|(at, _)| expression.get(at + 1..).is_none_or(no_step));
    slash
        || steps(expression).any(|(before, step, rest)| {
            let followed = rest.trim_start().starts_with('/');
            !followed && (step == ".." || before.trim_end().ends_with('/'))
        })
}

/// Every `.` and `..` that is no part of a name or number, with what is before and behind it.
fn steps(expression: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + expression.get(at..)?.find('.')?;
            let dots = expression.get(start..)?.bytes().take_while(|byte| *byte == b'.').count();
            at = start + dots;
            let (before, rest) = (expression.get(..start)?, expression.get(at..)?);
            let in_word = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'))
                || rest.starts_with(|c: char| c.is_ascii_digit());
            if !in_word {
                return Some((before, expression.get(start..at)?, rest));
            }
        }
    })
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::{Reads, names_read, takes_context};

    #[track_caller]
    fn check(expression: &str, names: &str, values: &str, everything: bool) {
        let mut reads = Reads::default();
        names_read(expression, &mut reads);
        let joined =
            |set: std::collections::BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(
            (joined(reads.names), joined(reads.values), reads.everything),
            (names.to_owned(), values.to_owned(), everything),
            "{expression}"
        );
    }

    #[test]
    fn every_name_is_read_and_the_last_of_a_path_for_its_value() {
        check("../a/b = 1", "a b", "b", false);
        check("/m:c/m:l[m:k = current()/../x]/v", "c current k l m v x", "current k l v x", false);
        check("count(../l) < 3.5", "count l", "count l", false);
        check("a.b-c/d", "a.b-c d", "d", false);
        check(". != 13", "", "", false);
        check("../../a", "a", "a", false);
    }

    #[test]
    fn what_has_no_name_may_be_anything() {
        for expression in
            ["../*", "count(..)", "../a/.", "/", "self::node()", "deref(.)/../x", "a/.."]
        {
            let mut reads = Reads::default();
            names_read(expression, &mut reads);
            assert!(reads.everything, "{expression}");
        }
    }

    #[test]
    fn the_context_counts_where_no_path_leads_away_from_it() {
        for (expression, taken) in [
            (". = 1", true),
            ("string(.)", true),
            ("current() > 3", true),
            ("./a = 1", false),
            ("../a = 1.5", false),
            ("current()/../a", false),
            ("a.b", false),
        ] {
            assert_eq!(takes_context(expression), taken, "{expression}");
        }
    }
}
