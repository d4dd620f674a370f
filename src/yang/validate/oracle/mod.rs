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

mod random_data;
mod random_expressions;
mod random_models;
mod random_statements;
mod real_models;

use self::random_data::RandomData;
use self::random_models::Model;
use super::Before;
use super::tests::settle_indexed;
use crate::base::limits::VALIDATION_STEPS_MAX;
use crate::datastore::apply::apply_edit;
use crate::netconf::document::read_fragment;
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::libyang::{CompileOptions, compile};
use crate::yang::path::{InstancePath, Selector, Step};
use crate::yang::path_text;
use crate::yang::print::print_all;
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{ChildRef, Container, Seed, Tree};
use crate::yang::xpath::{Defaults, Evaluation, EvaluationError, Node};
use std::collections::BTreeSet;
use std::sync::Arc;

const STEPS_OF_A_MODEL: u32 = 25;
/// Steps after which a model is given up of which no valid data is found.
const STEPS_WITHOUT_VALIDITY: u32 = 4;
/// Changes among which the best one is taken.
const TRIES: usize = 5;
/// Edits on the way to what is valid.
const EDITS_AT_FIRST: usize = 20;

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

/// All nodes but keys, with those that are there by default, in no order.
fn report_all(schema: &Schema, tree: &Tree) -> BTreeSet<String> {
    fn below<'a>(
        schema: &'a Schema,
        evaluation: &mut Evaluation<'a>,
        (id, node): (Option<NodeId>, Node),
        lines: &mut BTreeSet<String>,
    ) -> Result<(), EvaluationError> {
        let is_shown = |child: &&NodeId| {
            let node = schema.node(**child);
            node.config && !matches!(&node.kind, NodeKind::Leaf(leaf) if leaf.key.is_some())
        };
        for child in schema.children(id).iter().filter(is_shown) {
            evaluation.each_instance(node, *child, &mut |evaluation, node| {
                let path = path_text::print(schema, &evaluation.path_of(node));
                lines.insert(match evaluation.value(node) {
                    // libyang writes instance-identifiers in another form.
                    Some(value) if !value.starts_with('/') => format!("{path} = {value}"),
                    Some(_) | None => path,
                });
                below(schema, evaluation, (Some(*child), node), lines)?;
                Ok(true)
            })?;
        }
        Ok(())
    }
    let mut evaluation = Evaluation::new(schema, &tree.root, Defaults::OfConfiguration);
    evaluation.grant(VALIDATION_STEPS_MAX);
    let (root, mut lines) = (evaluation.root(), BTreeSet::new());
    below(schema, &mut evaluation, (None, root), &mut lines).unwrap();
    lines
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
        DataErrorKind::OperationFailed => {
            // libyang's come in one line.
            let words: Vec<&str> = error.message.split_whitespace().collect();
            format!("failed: {}", words.join(" "))
        }
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

/// What happened in the steps.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) models: u32,
    pub(super) valid: u32,
    pub(super) invalid: u32,
    pub(super) incremental: u32,
    pub(super) removed: u32,
}

/// Random edits of one random model. False if libyang does not take the model.
fn run(seed: u64, counts: &mut Counts) -> bool {
    let modules = Model::new(seed).modules();
    let options = CompileOptions {
        modules: modules.iter().map(|(name, _)| (name.clone(), None)).collect(),
        features: vec![("m".into(), "on".into()), ("a".into(), "on".into())],
        sources: modules.clone(),
        ..CompileOptions::default()
    };
    let Ok(schema) = compile(&options) else { return false };
    if schema.top.is_empty() {
        // A deviation or a feature took everything away.
        return false;
    }
    counts.models += 1;
    let texts: String = modules.into_iter().map(|(_, text)| text).collect();
    walk((&Arc::new(schema), &texts), (seed, STEPS_OF_A_MODEL), counts);
    true
}

/// Random edits, of which those stay that give what is valid.
pub(super) fn walk(
    (schema, texts): (&Arc<Schema>, &str),
    (seed, steps): (u64, u32),
    counts: &mut Counts,
) {
    let mut data = RandomData::new(schema, seed);
    let (mut running, mut known) = (Tree::empty(Seed(3)), Before::Unknown);
    let (mut after, mut edits) = nearly_valid(schema, &mut data);
    for step in 0..steps {
        let tell = || {
            let before = String::from_utf8(print_all(schema, &running)).unwrap();
            format!("seed {seed}, step {step}\n{texts}\nbefore: {before}\nedits: {edits:#?}")
        };
        let settled = compare(schema, (&running, known), &after, &tell);
        counts.incremental += u32::from(known == Before::Valid);
        match settled {
            Some(tree) => {
                counts.valid += 1;
                counts.removed += u32::from(tree != after);
                (running, known) = (tree, Before::Valid);
            }
            None => {
                counts.invalid += 1;
                if known == Before::Unknown {
                    running = after;
                }
            }
        }
        if known == Before::Unknown && step == STEPS_WITHOUT_VALIDITY {
            break;
        }
        // Every other step is the best of some: most changes break something.
        let tries = if step % 2 == 0 { TRIES } else { 1 };
        let drawn = (0..tries).map(|_| drawn(schema, &mut data, &running));
        let best =
            drawn.max_by_key(|(after, _)| match settle_indexed(schema, (&running, known), after) {
                Ok(settled) if settled != *after => 2,
                Ok(_) => 1,
                Err(_) => 0,
            });
        (after, edits) = best.unwrap();
    }
}

/// A tree with some edits, and these.
fn drawn(schema: &Schema, data: &mut RandomData<'_>, tree: &Tree) -> (Tree, Vec<String>) {
    let (mut after, mut edits) = (tree.clone(), Vec::new());
    for _ in 0..data.count() {
        let content = data.edit();
        let edit = read_fragment(&content, schema);
        let edit = edit.unwrap_or_else(|error| panic!("{error}: {content}"));
        if let Ok(edited) = apply_edit(schema, &after, &edit) {
            after = edited.tree;
            edits.push(content);
        }
    }
    (after, edits)
}

/// A tree with few faults, and the edits that made it.
fn nearly_valid(schema: &Schema, data: &mut RandomData<'_>) -> (Tree, Vec<String>) {
    let empty = Tree::empty(Seed(3));
    let faults = |tree: &Tree| match settle_indexed(schema, (&empty, Before::Unknown), tree) {
        Ok(_) => 0,
        Err(faults) => faults.len(),
    };
    let (mut best, mut edits, mut least) = (empty.clone(), Vec::new(), faults(&empty));
    for _ in 0..EDITS_AT_FIRST {
        let (after, more) = drawn(schema, data, &best);
        let count = faults(&after);
        if count <= least {
            (best, least) = (after, count);
            edits.extend(more);
        }
    }
    (best, edits)
}

/// What becomes of a change, which is the same for all who judge it.
fn compare(
    schema: &Arc<Schema>,
    (before, known): (&Tree, Before),
    after: &Tree,
    tell: &dyn Fn() -> String,
) -> Option<Tree> {
    let reference = outcome(schema, &judged(schema, before, after));
    let whole = settle_indexed(schema, (before, Before::Unknown), after);
    let ours = outcome(schema, &whole);
    assert!(is_as_judged(&ours, &reference), "whole: {ours:#?}\nnot {reference:#?}\n{}", tell());
    if known == Before::Valid {
        let ours = outcome(schema, &settle_indexed(schema, (before, known), after));
        assert!(
            is_as_judged(&ours, &reference),
            "touched: {ours:#?}\nnot {reference:#?}\n{}",
            tell()
        );
    }
    let tree = whole.ok()?;
    let reported = schema.report_all(&print_all(schema, &tree)).into_iter();
    let reported: BTreeSet<String> =
        reported.map(|line| line.split(" = /").next().unwrap_or_default().to_owned()).collect();
    assert_eq!(report_all(schema, &tree), reported, "{}", tell());
    Some(tree)
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
        "seeds {first} to {seed}: {models} models, {valid} valid, {invalid} invalid, \
         {removed} with removals"
    );
    assert!(valid > steps / 5 && invalid > steps / 10 && incremental > steps / 5 && removed > 0);
}
