//! Expressions of the models that evaluations need.

use super::ast::{Axis, Comparison, Compiled, Expr, Function, Path, Predicate, Start, Step, Test};
use super::{Names, Prefixes, SyntaxError, Unprefixed};
use crate::yang::schema::{ChoiceId, ModuleId, NodeId, PrefixMap, Schema, Type, TypeId};
use std::collections::{BTreeMap, BTreeSet};

/// Parsed expressions of a schema's models.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    /// With how many levels above the node the context node lies.
    whens: BTreeMap<NodeId, Vec<(u16, Compiled)>>,
    /// Those of choices: the context node is the parent.
    choice_whens: BTreeMap<ChoiceId, Vec<Compiled>>,
    musts: BTreeMap<NodeId, Vec<Compiled>>,
    /// What leads from a leafref to the leafs with its value.
    leafrefs: BTreeMap<TypeId, Compiled>,
    /// Those whose paths have no predicates.
    plain_leafrefs: BTreeSet<TypeId>,
    /// Expressions that the compiler takes and that go beyond a limit here.
    refused: Vec<(Box<str>, SyntaxError)>,
}

impl Expressions {
    /// The `when` expressions of a node.
    pub(super) fn whens(&self, node: NodeId) -> &[(u16, Compiled)] {
        self.whens.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The `when` expressions of a choice.
    pub(super) fn choice_whens(&self, choice: ChoiceId) -> &[Compiled] {
        self.choice_whens.get(&choice).map_or(&[], Vec::as_slice)
    }

    /// The `must` expressions of a node, in order.
    pub(crate) fn musts(&self, node: NodeId) -> &[Compiled] {
        self.musts.get(&node).map_or(&[], Vec::as_slice)
    }

    /// From a leaf of this type to those that it refers to.
    pub(crate) fn leafref(&self, type_id: TypeId) -> Option<&Compiled> {
        self.leafrefs.get(&type_id)
    }

    /// The path of a leafref has no predicates.
    pub(crate) fn is_plain_leafref(&self, type_id: TypeId) -> bool {
        self.plain_leafrefs.contains(&type_id)
    }

    /// The expressions that cannot be evaluated. A schema that has some is not to be served.
    pub(crate) fn refused(&self) -> &[(Box<str>, SyntaxError)] {
        &self.refused
    }

    fn of(schema: &Schema) -> Self {
        let mut all = Self::default();
        for (number, node) in (0..).zip(&schema.nodes) {
            let whens = node.whens.iter().filter_map(|when| {
                let text = (&*when.expression, when.module, &when.prefixes);
                Some((when.context_up, all.parse(schema, text)?))
            });
            let whens: Vec<_> = whens.collect();
            let musts = node.musts.iter().filter_map(|must| {
                all.parse(schema, (&*must.expression, must.module, &must.prefixes))
            });
            let musts: Vec<_> = musts.collect();
            if !whens.is_empty() {
                all.whens.insert(NodeId(number), whens);
            }
            if !musts.is_empty() {
                all.musts.insert(NodeId(number), musts);
            }
        }
        for (number, choice) in (0..).zip(&schema.choices) {
            let whens = choice.whens.iter().filter_map(|when| {
                all.parse(schema, (&*when.expression, when.module, &when.prefixes))
            });
            let whens: Vec<_> = whens.collect();
            if !whens.is_empty() {
                all.choice_whens.insert(ChoiceId(number), whens);
            }
        }
        for (number, facts) in (0..).zip(&schema.types) {
            if let Type::Leafref { path, module, prefixes, .. } = facts
                && let Some(path) = all.parse(schema, (&**path, *module, prefixes))
            {
                let is_plain = |path: &Path| path.steps.iter().all(|s| s.predicates.is_empty());
                if matches!(&path.root, Expr::Path(path) if is_plain(path)) {
                    all.plain_leafrefs.insert(TypeId(number));
                }
                all.leafrefs.insert(TypeId(number), equal_to_current(path));
            }
        }
        all
    }

    fn parse(
        &mut self,
        schema: &Schema,
        (text, module, prefixes): (&str, ModuleId, &PrefixMap),
    ) -> Option<Compiled> {
        let unprefixed = Unprefixed::Of(module);
        let names = Names { prefixes: Prefixes::Modules(prefixes), unprefixed };
        match Compiled::parse(schema, text, names) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                self.refused.push((text.into(), error));
                None
            }
        }
    }
}

impl Schema {
    /// The models' expressions, parsed when they are first asked for.
    pub(crate) fn expressions(&self) -> &Expressions {
        self.expressions.get_or_init(|| Expressions::of(self))
    }
}

/// Of the leafs that a path leads to, those whose value is that of the current node: `path[. = current()]`.
///
/// Also said of the parents, `a[b = current()]/b`, so that a list's entries are found by their key.
fn equal_to_current(mut compiled: Compiled) -> Compiled {
    let Expr::Path(path) = &mut compiled.root else { return compiled };
    let equal = |step: Step| {
        let here = Path { start: Start::Context, steps: vec![step] };
        let sides = (Expr::Path(here), Expr::Call(Function::Current, Vec::new()));
        Predicate::new(Expr::Compare(Comparison::Equal, Box::new(sides)))
    };
    let here = Step {
        axis: Axis::Itself,
        test: Test::Node,
        predicates: Vec::new(),
        number: compiled.steps,
    };
    compiled.steps += 1;
    if let [above @ .., leaf] = path.steps.as_mut_slice() {
        if let Some(parent) = above.last_mut()
            && leaf.axis == Axis::Child
            && leaf.predicates.is_empty()
        {
            let named = Step { number: compiled.steps, ..leaf.clone() };
            compiled.steps += 1;
            parent.predicates.push(equal(named));
        }
        leaf.predicates.push(equal(here));
    }
    compiled
}
