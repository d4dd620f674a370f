//! Expressions of the models that evaluations need.

use super::ast::{Axis, Comparison, Compiled, Expr, Function, Path, Predicate, Start, Step, Test};
use super::{Names, Prefixes, Unprefixed};
use crate::yang::schema::{NodeId, Schema, Type, TypeId};
use std::collections::BTreeMap;

/// Parsed expressions of a schema's models.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    /// With how many levels above the node the context node lies.
    whens: BTreeMap<NodeId, Vec<(u16, Compiled)>>,
    /// What leads from a leafref to the leafs with its value.
    leafrefs: BTreeMap<TypeId, Compiled>,
}

impl Expressions {
    /// The `when` expressions of a node.
    pub(super) fn whens(&self, node: NodeId) -> &[(u16, Compiled)] {
        self.whens.get(&node).map_or(&[], Vec::as_slice)
    }

    /// From a leaf of this type to those that it refers to.
    pub(super) fn leafref(&self, type_id: TypeId) -> Option<&Compiled> {
        self.leafrefs.get(&type_id)
    }
}

impl Schema {
    /// The models' expressions, parsed when they are first asked for. What libyang has compiled can be parsed, unless
    /// it goes beyond a limit: then it is not there.
    pub(crate) fn expressions(&self) -> &Expressions {
        self.expressions.get_or_init(|| {
            let mut all = Expressions::default();
            for (number, node) in (0..).zip(&self.nodes) {
                let whens = node.whens.iter().filter_map(|when| {
                    let names = Names {
                        prefixes: Prefixes::Modules(&when.prefixes),
                        unprefixed: Unprefixed::Of(when.module),
                    };
                    let compiled = Compiled::parse(self, &when.expression, names).ok()?;
                    Some((when.context_up, compiled))
                });
                let whens: Vec<_> = whens.collect();
                if !whens.is_empty() {
                    all.whens.insert(NodeId(number), whens);
                }
            }
            for (number, facts) in (0..).zip(&self.types) {
                if let Type::Leafref { path, module, prefixes, .. } = facts {
                    let names = Names {
                        prefixes: Prefixes::Modules(prefixes),
                        unprefixed: Unprefixed::Of(*module),
                    };
                    if let Ok(path) = Compiled::parse(self, path, names) {
                        all.leafrefs.insert(TypeId(number), equal_to_current(path));
                    }
                }
            }
            all
        })
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
    if let [.., parent, leaf] = path.steps.as_mut_slice() {
        if leaf.axis == Axis::Child && leaf.predicates.is_empty() {
            let named = Step { number: compiled.steps, ..leaf.clone() };
            compiled.steps += 1;
            parent.predicates.push(equal(named));
        }
        leaf.predicates.push(equal(here));
    }
    compiled
}
