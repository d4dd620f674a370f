//! The texts of random models.

use super::random_models::{Augment, Keys, Kind, Model, RICH, Spec, Target};
use std::fmt::Write as _;

/// What was written of a node, for refinements and deviations.
pub(super) struct Written {
    target: Target,
    /// With choices and cases.
    path: Vec<String>,
    plain: bool,
    /// Names of leafs in it.
    leafs: Vec<String>,
    default: bool,
    mandatory: bool,
    counted: bool,
    musts: Vec<String>,
    uniques: Vec<String>,
}

const HEAD: &str = "yang-version 1.1;";

/// Whether a node may be mandatory (RFC 7950, 7.17).
#[derive(Clone, Copy, PartialEq)]
enum Mandatory {
    Allowed,
    Forbidden,
}

impl Model {
    /// The modules' texts by name, those that augment and deviate behind the one that they do it to.
    pub(super) fn modules(&mut self) -> Vec<(String, String)> {
        let mut first = format!(
            "module m {{ {HEAD} namespace \"urn:m\"; prefix m;\n\
             feature on; feature off; identity base; identity one {{ base base; }} identity two {{ base one; }}\n"
        );
        let top = std::mem::take(&mut self.top);
        for spec in &top {
            self.statement(&mut first, (spec, Mandatory::Allowed), &mut Vec::new());
        }
        self.top = top;
        for (number, name) in self.reused.iter().enumerate() {
            writeln!(first, "container again{number} {{ uses {name}; }}").unwrap();
        }
        writeln!(first, "{}}}", self.groupings).unwrap();
        self.is_first = false;
        let mut second = format!(
            "module a {{ {HEAD} namespace \"urn:a\"; prefix a; import m {{ prefix m; }}\n\
             feature on; feature off; identity three {{ base m:base; }}\n"
        );
        for augment in std::mem::take(&mut self.augments) {
            self.augment_statement(&mut second, &augment);
        }
        second += "}\n";
        let mut third = format!(
            "module d {{ {HEAD} namespace \"urn:d\"; prefix d; import m {{ prefix m; }} import a {{ prefix a; }}\n"
        );
        for _ in 0..self.random.below(4).min(self.written.len()) {
            let at = self.random.below(self.written.len());
            let node = self.written.swap_remove(at);
            self.deviation(&mut third, &node);
        }
        third += "}\n";
        [("m", first), ("a", second), ("d", third)].map(|(name, text)| (name.into(), text)).into()
    }

    fn augment_statement(&mut self, out: &mut String, augment: &Augment) {
        let Augment { path, way, is_choice, when, children } = augment;
        self.path.clone_from(path);
        let path: Vec<String> = path.iter().map(|name| self.qualified(name)).collect();
        write!(out, "augment \"/{}\" {{ ", path.join("/")).unwrap();
        let mandatory = match when {
            true => {
                let expression = self.expression(way, number(&children[0].name));
                write!(out, "when \"{expression}\"; ").unwrap();
                Mandatory::Allowed
            }
            false => Mandatory::Forbidden,
        };
        for child in children {
            if *is_choice {
                // The case around a node that has none.
                self.path.push(child.name.clone());
            }
            self.statement(out, (child, mandatory), &mut way.clone());
            if *is_choice {
                self.path.pop();
            }
        }
        out.push_str("}\n");
        self.path.clear();
    }

    fn statement(
        &mut self,
        out: &mut String,
        (spec, mandatory): (&Spec, Mandatory),
        way: &mut Vec<String>,
    ) {
        let Spec { name, kind, children, .. } = spec;
        let word = match kind {
            Kind::Number | Kind::Word | Kind::Switch | Kind::Rich(_) => "leaf",
            Kind::Reference | Kind::ReferenceOrWord => "leaf",
            Kind::Numbers | Kind::Words | Kind::RichList(_) => "leaf-list",
            Kind::Container | Kind::Presence => "container",
            Kind::List => "list",
            Kind::Choice => "choice",
            Kind::Case => "case",
        };
        write!(out, "{word} {name} {{ ").unwrap();
        self.path.push(name.clone());
        if kind.is_data() {
            way.push(name.clone());
        }
        if spec.when {
            // Of what stands before it alone, so that conditions do not go in circles.
            let expression = self.expression(way, number(name));
            write!(out, "when \"{expression}\"; ").unwrap();
        }
        if let Some(feature) = spec.feature {
            write!(out, "if-feature \"{feature}\"; ").unwrap();
        }
        let mut musts = Vec::new();
        if kind.is_data() && self.random.one_in(7) {
            let expression = self.expression(way, usize::MAX);
            match self.random.one_in(4) {
                true => write!(
                    out,
                    "must \"{expression}\" {{ error-message \"told {name}\"; error-app-tag tag-{name}; }} "
                ),
                false => write!(out, "must \"{expression}\"; "),
            }
            .unwrap();
            musts.push(expression);
        }
        let mut written = self.facts(out, (spec, mandatory), way);
        written.musts = musts;
        let below = match kind {
            Kind::Container | Kind::Case | Kind::Choice => mandatory,
            _ => Mandatory::Allowed,
        };
        let is_inner = matches!(kind, Kind::Container | Kind::Presence | Kind::List);
        // Names without prefix are those of the module that uses a grouping, so one of another would be another.
        let is_first = number(name) < self.first_augmented;
        if is_inner && is_first && !spec.is_off() && self.random.one_in(4) {
            self.grouped(out, spec, way);
        } else {
            for child in children {
                self.statement(out, (child, below), way);
            }
        }
        if !spec.is_off() && kind.is_data() && self.targets.iter().any(|t| t.way == *way) {
            written.target = self.targets.iter().find(|t| t.way == *way).cloned().unwrap();
            self.written.push(written);
        }
        if kind.is_data() {
            way.pop();
        }
        self.path.pop();
        out.push_str("}\n");
    }

    /// The children of a node as a grouping that it uses and refines.
    fn grouped(&mut self, out: &mut String, spec: &Spec, way: &mut Vec<String>) {
        let mut text = format!("grouping g{} {{ ", spec.name);
        for child in &spec.children {
            self.statement(&mut text, (child, Mandatory::Allowed), way);
        }
        self.groupings += &(text + "}\n");
        write!(out, "uses g{} {{ ", spec.name).unwrap();
        let child = self.random.one_of(&spec.children);
        let known = self.written.iter().find(|w| w.target.way.last() == Some(&child.name));
        if child.kind.is_data()
            && let Some(known) = known.filter(|_| !child.is_off())
        {
            let has_default = known.default && !child.plain;
            way.push(child.name.clone());
            let value = child.kind.values().get(1);
            match (child.kind, value) {
                (Kind::Container, _) if self.random.one_in(2) => {
                    write!(out, "refine {} {{ presence refined; }} ", child.name).unwrap();
                }
                (_, Some(value)) if has_default => {
                    write!(out, "refine {} {{ default \"{value}\"; }} ", child.name).unwrap();
                }
                _ => {
                    let must = self.expression(way, usize::MAX);
                    write!(out, "refine {} {{ must \"{must}\"; }} ", child.name).unwrap();
                }
            }
            way.pop();
        }
        out.push_str("} ");
        if self.random.one_in(3) {
            self.reused.push(format!("g{}", spec.name));
        }
    }

    /// What only this kind of node has.
    fn facts(
        &mut self,
        out: &mut String,
        (spec, mandatory): (&Spec, Mandatory),
        way: &[String],
    ) -> Written {
        let Spec { kind, children, plain, .. } = spec;
        let leafs = children.iter().filter(|c| c.kind.is_leaf() && !c.is_off());
        let mut written = Written {
            target: Target { way: Vec::new(), lists: Vec::new(), kind: *kind },
            path: self.path.clone(),
            plain: *plain,
            leafs: leafs.map(|leaf| leaf.name.clone()).collect(),
            default: false,
            mandatory: false,
            counted: false,
            musts: Vec::new(),
            uniques: Vec::new(),
        };
        let allowed = mandatory == Mandatory::Allowed;
        match kind {
            Kind::Number | Kind::Numbers => out.push_str("type uint8 { range 0..4; } "),
            Kind::Word | Kind::Words => {
                out.push_str("type enumeration { enum a; enum b; enum c; } ");
            }
            Kind::Switch => out.push_str("type boolean; "),
            Kind::Rich(number) | Kind::RichList(number) => {
                let end = if RICH[*number].0.ends_with('}') { "" } else { ";" };
                write!(out, "type {}{end} ", RICH[*number].0).unwrap();
            }
            Kind::Presence => out.push_str("presence p; "),
            Kind::List => {
                out.push_str(match spec.keys {
                    Keys::Number => "key k; leaf k { type uint8; } ",
                    Keys::NumberAndWord => {
                        "key \"k j\"; leaf j { type enumeration { enum a; enum b; } } leaf k { type uint8; } "
                    }
                    Keys::Text => "key k; leaf k { type string { pattern '[ab]*'; } } ",
                    Keys::Identity => "key k; leaf k { type identityref { base m:base; } } ",
                });
                if let Some(unique) = self.unique(&written).filter(|_| self.random.one_in(2)) {
                    write!(out, "unique \"{unique}\"; ").unwrap();
                    written.uniques.push(unique);
                }
            }
            Kind::Choice => match self.random.below(4) {
                0 if allowed => out.push_str("mandatory true; "),
                1 if !children[0].is_off() => {
                    write!(out, "default {}; ", children[0].name).unwrap();
                }
                _ => {}
            },
            Kind::Reference => {
                let type_ = self.reference(way);
                write!(out, "type {type_} ").unwrap();
            }
            Kind::ReferenceOrWord => {
                let type_ = self.reference(way);
                write!(out, "type union {{ type {type_} type enumeration {{ enum u; }} }} ")
                    .unwrap();
            }
            Kind::Container | Kind::Case => {}
        }
        if kind.is_leaf() || kind.is_leaf_list() || *kind == Kind::List {
            self.presence(out, (*kind, *plain, allowed), &mut written);
        }
        written
    }

    /// How many there are, and what is there if there are none.
    fn presence(
        &mut self,
        out: &mut String,
        (kind, plain, allowed): (Kind, bool, bool),
        written: &mut Written,
    ) {
        if kind.is_leaf() || kind.is_leaf_list() {
            match self.random.below(9) {
                0 if kind.is_leaf() && allowed => {
                    written.mandatory = true;
                    out.push_str("mandatory true; ");
                }
                1 | 2 if !plain => {
                    if let Some(default) = kind.values().first() {
                        written.default = true;
                        write!(out, "default \"{default}\"; ").unwrap();
                    }
                }
                _ => {}
            }
        }
        if kind == Kind::List || kind.is_leaf_list() {
            match self.random.below(6) {
                0 => out.push_str("max-elements 2; "),
                1 if allowed && !written.default => out.push_str("min-elements 1; "),
                2 => out.push_str("ordered-by user; "),
                _ => {}
            }
            written.counted = out.ends_with("-elements 2; ") || out.ends_with("-elements 1; ");
        }
    }

    fn unique(&mut self, list: &Written) -> Option<String> {
        if list.leafs.is_empty() {
            return None;
        }
        let mut unique = self.random.one_of(&list.leafs).clone();
        let other = self.random.one_of(&list.leafs);
        if *other != unique && self.random.one_in(2) {
            write!(unique, " {other}").unwrap();
        }
        Some(unique)
    }

    /// What another module changes of a node.
    fn deviation(&mut self, out: &mut String, node: &Written) {
        let way = &node.target.way;
        let kind = node.target.kind;
        let path: Vec<String> = node.path.iter().map(|name| self.qualified(name)).collect();
        let is_list = kind == Kind::List || kind.is_leaf_list();
        let other = kind.values().get(1);
        let deviate = match (self.random.below(8), node.musts.first(), other) {
            (0, _, _) => "deviate not-supported;".to_owned(),
            (1 | 2, Some(must), _) => format!("deviate delete {{ must \"{must}\"; }}"),
            (1, _, _) if is_list && !node.counted => "deviate add { max-elements 3; }".to_owned(),
            (2, _, _) if kind == Kind::List && !node.uniques.is_empty() => {
                format!("deviate delete {{ unique \"{}\"; }}", self.leafs_of(&node.uniques[0]))
            }
            (3, _, _) if kind == Kind::List && node.uniques.is_empty() => {
                let Some(unique) = self.unique(node) else { return };
                format!("deviate add {{ unique \"{}\"; }}", self.leafs_of(&unique))
            }
            (3, _, Some(other)) if node.default => {
                format!("deviate replace {{ default \"{other}\"; }}")
            }
            (4, _, Some(_)) if node.default && kind.is_leaf() => {
                format!("deviate delete {{ default \"{}\"; }}", kind.values()[0])
            }
            (5, _, Some(other))
                if !node.default && !node.plain && !node.mandatory && !node.counted =>
            {
                format!("deviate add {{ default \"{other}\"; }}")
            }
            (6, _, _) if node.mandatory => "deviate replace { mandatory false; }".to_owned(),
            (6, _, _) if kind.is_leaf() && !node.default => {
                "deviate add { mandatory true; }".to_owned()
            }
            (7, _, _) if matches!(kind, Kind::Number | Kind::Numbers) => {
                "deviate replace { type uint8 { range 1..3; } }".to_owned()
            }
            _ => format!("deviate add {{ must \"{}\"; }}", self.expression(way, usize::MAX)),
        };
        writeln!(out, "deviation \"/{}\" {{ {deviate} }}", path.join("/")).unwrap();
    }

    /// The leafs of a `unique` as the third module has to name them.
    fn leafs_of(&self, unique: &str) -> String {
        unique.split(' ').map(|leaf| self.qualified(leaf)).collect::<Vec<_>>().join(" ")
    }

    fn reference(&mut self, way: &[String]) -> String {
        let is_value = |kind: Kind| kind.is_leaf() || kind.is_leaf_list();
        let mut targets: Vec<Target> =
            self.known().iter().filter(|target| is_value(target.kind)).cloned().collect();
        let lists = self.known().iter().filter(|target| target.kind == Kind::List);
        targets.extend(lists.cloned().map(|mut list| {
            list.way.push("k".into());
            list
        }));
        let require = if self.random.one_in(5) { "require-instance false; " } else { "" };
        if targets.is_empty() || self.random.one_in(4) {
            return format!("instance-identifier {{ {require}}} ");
        }
        let target = self.random.one_of(&targets).clone();
        let path = match self.random.one_in(2) {
            true => self.absolute(&target),
            false => self.relative(way, &target),
        };
        format!("leafref {{ path \"{path}\"; {require}}} ")
    }
}

/// The number of a name.
pub(super) fn number(name: &str) -> usize {
    name[1..].parse().unwrap()
}
