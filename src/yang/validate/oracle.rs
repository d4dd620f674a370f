//! Random edits of random models: libyang's full validation says the same as ours of the whole tree, and as ours of
//! what the edits touch.
//!
//! What is not compared:
//! - messages, of rules for which RFC 7950 has none;
//! - what libyang does not say because it stops at an instance that is required and absent;
//! - which entries stand in the errors of `unique`, where there are more than two with the same values;
//! - what is inside of a node under a false `when`, and other errors beside: here the tree has to be settled before
//!   constraints are checked;
//! - defaults under a `when`, or in cases that are in use because of one: see `random_models`;
//! - `mod`, of whose zeros libyang dies.

use super::Before;
use super::random_models::Model;
use super::tests::settle_indexed;
use crate::datastore::apply::apply_edit;
use crate::netconf::document::read_fragment;
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::libyang::{CompileOptions, compile};
use crate::yang::path::{InstancePath, Selector, Step};
use crate::yang::path_text;
use crate::yang::print::print_all;
use crate::yang::schema::Schema;
use crate::yang::tree::{ChildRef, Container, Seed, Tree};
use std::collections::BTreeSet;
use std::sync::Arc;

const STEPS_OF_A_MODEL: u32 = 25;

/// Whether the node is stored.
fn exists(schema: &Schema, container: &Container, steps: &[Step]) -> bool {
    let Some((step, below)) = steps.split_first() else { return true };
    match (container.get(step.node), &step.selector) {
        (Some(ChildRef::Container(inner)), _) => exists(schema, inner, below),
        (Some(ChildRef::List(list)), Selector::Keys(values)) => list
            .get(&schema.list_key(step.node, values))
            .is_some_and(|entry| exists(schema, entry, below)),
        (Some(ChildRef::LeafList(list)), Selector::Value(value)) => {
            list.get(&schema.leaf_list_key(step.node, value)).is_some()
        }
        (Some(_), _) => below.is_empty(),
        (None, _) => false,
    }
}

/// Takes a node out, as `super::remove` does.
fn remove(schema: &Schema, root: &mut Container, path: &InstancePath) -> bool {
    let place = |step: &Step| match &step.selector {
        Selector::Keys(values) => (step.node, Some(schema.list_key(step.node, values))),
        Selector::Value(value) => (step.node, Some(schema.leaf_list_key(step.node, value))),
        Selector::None | Selector::Position(_) => (step.node, None),
    };
    super::remove(schema, root, &path.0.iter().map(place).collect::<Vec<_>>())
}

/// The same as `settle` with libyang for the judge.
fn judged(schema: &Arc<Schema>, before: &Tree, after: &Tree) -> Result<Tree, Vec<DataError>> {
    let mut settled = after.clone();
    loop {
        let Err(faults) = schema.validate(&print_all(schema, &settled)) else { return Ok(settled) };
        let mut removed = false;
        for fault in &faults {
            if let (DataErrorKind::UnknownElement { .. }, Some(path)) = (&fault.kind, &fault.path)
                && exists(schema, &before.root, &path.0)
            {
                removed |= remove(schema, &mut settled.root, path);
            }
        }
        if !removed {
            return Err(faults);
        }
    }
}

/// What is compared of errors.
fn shown(schema: &Schema, errors: &[DataError]) -> BTreeSet<Shown> {
    let by_when = |error: &DataError| matches!(error.kind, DataErrorKind::UnknownElement { .. });
    let outer: Vec<&DataError> = errors.iter().filter(|error| by_when(error)).collect();
    let steps = |error: &DataError| error.path.clone().unwrap_or_default().0;
    let is_inside = |error: &DataError| {
        let at = steps(error);
        outer.iter().any(|above| steps(above).len() < at.len() && at.starts_with(&steps(above)))
    };
    errors
        .iter()
        .filter(|error| outer.is_empty() || by_when(error) && !is_inside(error))
        .map(|error| show(schema, error))
        .collect()
}

fn show(schema: &Schema, error: &DataError) -> Shown {
    let steps = error.path.as_ref().map_or(&[][..], |path| &path.0);
    let above = steps.split_last().map_or(&[][..], |(_, above)| above);
    let is_inside = above.iter().any(|step| !schema.node(step.node).whens.is_empty());
    Shown { text: text_of(schema, error), is_inside }
}

fn text_of(schema: &Schema, error: &DataError) -> String {
    let path = error.path.as_ref().map(|path| path_text::print(schema, path));
    let tag = error.app_tag.as_deref().unwrap_or("-");
    let few = error.app_tag.as_deref() == Some("too-few-elements");
    // libyang does not tell the entries on the way, where there are several candidates.
    let path = path.map(|path| if few { without_predicates(&path) } else { path });
    let kind = match &error.kind {
        DataErrorKind::NotUnique { non_unique } => {
            let nodes = |path: &InstancePath| {
                path.0.iter().map(|step| step.node.0.to_string()).collect::<Vec<_>>()
            };
            let half = &non_unique[..non_unique.len() / 2];
            format!("unique {:?}", half.iter().map(nodes).collect::<Vec<_>>())
        }
        DataErrorKind::OperationFailed => format!("failed: {}", error.message),
        DataErrorKind::DataMissing => MISSING.to_owned(),
        other => format!("{other:?}"),
    };
    format!("{kind} at {} with {tag}", path.unwrap_or_default())
}

fn without_predicates(path: &str) -> String {
    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}

/// An instance that is required and absent.
const MISSING: &str = "missing instance";

/// A node under a false `when`.
const UNKNOWN: &str = "UnknownElement";

/// What is compared of an error.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    text: String,
    /// A node above it has a `when`.
    is_inside: bool,
}

/// At a missing instance libyang stops, and behind a node under a false `when` it does not look at those whose `when`
/// depends on it: what it has found until then is to be found, unless it can be in what was removed or refused whole.
fn is_as_judged(ours: &Outcome, judged: &Outcome) -> bool {
    let starts = |error: &Shown, kind: &str| error.text.starts_with(kind);
    let stops = |error: &Shown| starts(error, MISSING) || starts(error, UNKNOWN);
    let is_left_out = |error: &Shown| starts(error, UNKNOWN) && error.is_inside;
    match (ours, judged) {
        (Err(ours), Err(judged)) if judged.iter().any(stops) => {
            judged.iter().all(|error| ours.contains(error) || is_left_out(error))
        }
        (ours, judged) => ours == judged,
    }
}

type Outcome = Result<String, BTreeSet<Shown>>;

fn outcome(schema: &Arc<Schema>, result: &Result<Tree, Vec<DataError>>) -> Outcome {
    match result {
        Ok(tree) => Ok(String::from_utf8(print_all(schema, tree)).unwrap()),
        Err(errors) => Err(shown(schema, errors)),
    }
}

#[derive(Default)]
struct Counts {
    models: u32,
    valid: u32,
    invalid: u32,
    incremental: u32,
    removed: u32,
}

/// Random edits of one random model. False if libyang does not take the model.
fn run(seed: u64, counts: &mut Counts) -> bool {
    let mut model = Model::new(seed);
    let yang = model.yang();
    let options = CompileOptions {
        modules: vec![("m".into(), None)],
        sources: vec![("m".into(), yang.clone())],
        ..CompileOptions::default()
    };
    let Ok(schema) = compile(&options) else { return false };
    let schema = Arc::new(schema);
    counts.models += 1;
    let (mut running, mut known) = (Tree::empty(Seed(3)), Before::Unknown);
    for step in 0..STEPS_OF_A_MODEL {
        let (mut after, mut edits) = (running.clone(), Vec::new());
        for _ in 0..1 + seed % 4 {
            let content = model.edit();
            let edit = read_fragment(&content, &schema);
            if let Some(edited) = edit.ok().and_then(|edit| apply_edit(&schema, &after, &edit).ok())
            {
                after = edited.tree;
                edits.push(content);
            }
        }
        let reference = outcome(&schema, &judged(&schema, &running, &after));
        let whole = settle_indexed(&schema, (&running, Before::Unknown), &after);
        let tell = || {
            let before = String::from_utf8(print_all(&schema, &running)).unwrap();
            format!("seed {seed}, step {step}\n{yang}\nbefore: {before}\nedits: {edits:#?}")
        };
        let ours = outcome(&schema, &whole);
        assert!(
            is_as_judged(&ours, &reference),
            "whole: {ours:#?}\nnot {reference:#?}\n{}",
            tell()
        );
        if known == Before::Valid {
            let some = settle_indexed(&schema, (&running, known), &after);
            let ours = outcome(&schema, &some);
            assert!(
                is_as_judged(&ours, &reference),
                "touched: {ours:#?}\nnot {reference:#?}\n{}",
                tell()
            );
            counts.incremental += 1;
        }
        match whole {
            Ok(tree) => {
                counts.valid += 1;
                counts.removed += u32::from(tree != after);
                (running, known) = (tree, Before::Valid);
            }
            Err(_) => {
                counts.invalid += 1;
                if known == Before::Unknown && step % 2 == 0 {
                    running = after;
                }
            }
        }
    }
    true
}

#[test]
fn libyang_says_the_same_of_random_models() {
    let long = std::env::var_os("QUORATE_TEST_LONG").is_some();
    let steps = if long { 100_000 } else { 1_500 };
    let first: u64 = std::env::var("QUORATE_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut counts = Counts::default();
    let mut seed = first;
    while counts.valid + counts.invalid < steps {
        run(seed, &mut counts);
        seed += 1;
    }
    let Counts { models, valid, invalid, incremental, removed } = counts;
    println!(
        "seeds {first} to {seed}: {models} models, {valid} valid, {invalid} invalid, {removed} with removals"
    );
    assert!(valid > steps / 5 && invalid > steps / 10 && incremental > steps / 5 && removed > 0);
}
