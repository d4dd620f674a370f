//! Random models with every kind of constraint, and random edits of their data.

use std::fmt::Write as _;

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Word,
    Switch,
    Numbers,
    Words,
    Container,
    Presence,
    List,
    Choice,
    Case,
    /// A leafref or instance-identifier.
    Reference,
}

impl Kind {
    fn is_leaf(self) -> bool {
        matches!(self, Self::Number | Self::Word | Self::Switch)
    }

    fn is_leaf_list(self) -> bool {
        matches!(self, Self::Numbers | Self::Words)
    }
}

struct Spec {
    name: String,
    kind: Kind,
    children: Vec<Spec>,
    when: bool,
    /// It is not there by default.
    plain: bool,
}

impl Spec {
    /// libyang takes what is there by default for there until its `when` is false, also where others read it, and does
    /// not put it into a case of which only an inner choice has nodes. It also does not wait for the `when` of what
    /// decides which case is in use. So none of these are to be found here.
    fn make_plain(&mut self, plain: bool) {
        self.plain = plain || self.when;
        let below = match self.kind {
            Kind::Choice => self.plain || self.depends_on_when(),
            Kind::Case => self.plain || self.children.iter().any(|c| c.kind == Kind::Choice),
            _ => false,
        };
        if self.plain && self.kind == Kind::Container {
            self.kind = Kind::Presence;
        }
        self.children.iter_mut().for_each(|child| child.make_plain(below));
    }

    /// Whether nodes of it are stored depends on a `when`.
    fn depends_on_when(&self) -> bool {
        let goes_on = matches!(self.kind, Kind::Choice | Kind::Case | Kind::Container);
        self.when || goes_on && self.children.iter().any(Self::depends_on_when)
    }
}

/// A data node by its way from the top.
#[derive(Clone)]
struct Target {
    way: Vec<String>,
    /// Lists on the way have key `k`.
    lists: Vec<bool>,
    kind: Kind,
}

/// A random model.
pub(super) struct Model {
    random: Random,
    count: usize,
    top: Vec<Spec>,
    targets: Vec<Target>,
}

impl Model {
    pub(super) fn new(seed: u64) -> Self {
        let mut model =
            Self { random: Random(seed), count: 0, top: Vec::new(), targets: Vec::new() };
        for _ in 0..3 + model.random.below(4) {
            let mut spec = model.spec(0);
            spec.make_plain(false);
            model.top.push(spec);
        }
        let top = std::mem::take(&mut model.top);
        for spec in &top {
            model.find_targets(spec, &mut Vec::new(), &mut Vec::new());
        }
        model.top = top;
        model
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("n{}", self.count)
    }

    fn spec(&mut self, depth: usize) -> Spec {
        use Kind::{
            Case, Choice, Container, List, Number, Numbers, Presence, Reference, Switch, Word,
            Words,
        };
        let leafs = [Number, Word, Switch, Number, Word, Numbers, Words, Reference];
        let inner = [Container, Container, Presence, List, List, List, Choice, Choice];
        let kind = match depth < 3 && self.random.one_in(2) {
            true => *self.random.one_of(&inner),
            false => *self.random.one_of(&leafs),
        };
        let name = self.name();
        let mut children = Vec::new();
        match kind {
            Choice => {
                for _ in 0..2 + self.random.below(2) {
                    let name = self.name();
                    let cases = (0..1 + self.random.below(2)).map(|_| self.spec(depth + 1));
                    let children_of = cases.collect();
                    let when = self.random.one_in(7);
                    let case = Spec { name, kind: Case, children: children_of, when, plain: false };
                    children.push(case);
                }
            }
            Container | Presence | List => {
                children.extend((0..1 + self.random.below(4)).map(|_| self.spec(depth + 1)));
            }
            Number | Word | Switch | Numbers | Words | Case | Reference => {}
        }
        let when = self.random.one_in(7);
        Spec { name, kind, children, when, plain: false }
    }

    fn find_targets(&mut self, spec: &Spec, way: &mut Vec<String>, lists: &mut Vec<bool>) {
        let is_data = !matches!(spec.kind, Kind::Choice | Kind::Case);
        if is_data {
            way.push(spec.name.clone());
            lists.push(spec.kind == Kind::List);
            let target = Target { way: way.clone(), lists: lists.clone(), kind: spec.kind };
            self.targets.push(target);
        }
        for child in &spec.children {
            self.find_targets(child, way, lists);
        }
        if is_data {
            way.pop();
            lists.pop();
        }
    }

    /// The module's text.
    pub(super) fn yang(&mut self) -> String {
        let mut out = "module m { yang-version 1.1; namespace \"urn:m\"; prefix m;\n".to_owned();
        let top = std::mem::take(&mut self.top);
        for spec in &top {
            self.statement(&mut out, spec, &mut Vec::new());
        }
        self.top = top;
        out + "}\n"
    }

    fn statement(&mut self, out: &mut String, spec: &Spec, way: &mut Vec<String>) {
        let Spec { name, kind, children, .. } = spec;
        let word = match kind {
            Kind::Number | Kind::Word | Kind::Switch | Kind::Reference => "leaf",
            Kind::Numbers | Kind::Words => "leaf-list",
            Kind::Container | Kind::Presence => "container",
            Kind::List => "list",
            Kind::Choice => "choice",
            Kind::Case => "case",
        };
        let is_data = !matches!(kind, Kind::Choice | Kind::Case);
        write!(out, "{word} {name} {{ ").unwrap();
        if is_data {
            way.push(name.clone());
        }
        if spec.when {
            // Of what stands before it alone, so that conditions do not go in circles.
            let expression = self.expression(way, number(name));
            write!(out, "when \"{expression}\"; ").unwrap();
        }
        if is_data && self.random.one_in(6) {
            let expression = self.expression(way, usize::MAX);
            match self.random.one_in(4) {
                true => write!(
                    out,
                    "must \"{expression}\" {{ error-message \"told {name}\"; error-app-tag tag-{name}; }} "
                ),
                false => write!(out, "must \"{expression}\"; "),
            }
            .unwrap();
        }
        self.facts(out, spec, way);
        for child in children {
            self.statement(out, child, way);
        }
        if is_data {
            way.pop();
        }
        out.push_str("}\n");
    }

    /// What only this kind of node has.
    fn facts(&mut self, out: &mut String, spec: &Spec, way: &[String]) {
        let Spec { kind, children, plain, .. } = spec;
        let leafs: Vec<&str> =
            children.iter().filter(|c| c.kind.is_leaf()).map(|c| c.name.as_str()).collect();
        match kind {
            Kind::Number | Kind::Numbers => out.push_str("type uint8 { range 0..4; } "),
            Kind::Word | Kind::Words => {
                out.push_str("type enumeration { enum a; enum b; enum c; } ");
            }
            Kind::Switch => out.push_str("type boolean; "),
            Kind::Presence => out.push_str("presence p; "),
            Kind::List => {
                out.push_str("key k; leaf k { type uint8; } ");
                if !leafs.is_empty() && self.random.one_in(2) {
                    let mut unique = self.random.one_of(&leafs).to_string();
                    let other = self.random.one_of(&leafs);
                    if *other != unique && self.random.one_in(2) {
                        write!(unique, " {other}").unwrap();
                    }
                    write!(out, "unique \"{unique}\"; ").unwrap();
                }
            }
            Kind::Choice => match self.random.below(4) {
                0 => out.push_str("mandatory true; "),
                1 => write!(out, "default {}; ", children[0].name).unwrap(),
                _ => {}
            },
            Kind::Reference => self.reference(out, way),
            Kind::Container | Kind::Case => {}
        }
        let default = match kind {
            Kind::Number | Kind::Numbers => "3",
            Kind::Word | Kind::Words => "b",
            _ => "true",
        };
        if kind.is_leaf() || kind.is_leaf_list() {
            match self.random.below(9) {
                0 if kind.is_leaf() => out.push_str("mandatory true; "),
                1 | 2 if !plain => write!(out, "default {default}; ").unwrap(),
                _ => {}
            }
        }
        if *kind == Kind::List || kind.is_leaf_list() {
            match self.random.below(6) {
                0 => out.push_str("max-elements 2; "),
                1 => out.push_str("min-elements 1; "),
                2 => out.push_str("ordered-by user; "),
                _ => {}
            }
        }
    }

    fn reference(&mut self, out: &mut String, way: &[String]) {
        let is_value = |kind: Kind| kind.is_leaf() || kind.is_leaf_list();
        let mut targets: Vec<Target> =
            self.targets.iter().filter(|target| is_value(target.kind)).cloned().collect();
        let lists = self.targets.iter().filter(|target| target.kind == Kind::List);
        targets.extend(lists.cloned().map(|mut list| {
            list.way.push("k".into());
            list
        }));
        let require = if self.random.one_in(5) { "require-instance false; " } else { "" };
        if targets.is_empty() || self.random.one_in(4) {
            write!(out, "type instance-identifier {{ {require}}} ").unwrap();
            return;
        }
        let target = self.random.one_of(&targets).clone();
        let path = match self.random.one_in(2) {
            true => absolute(&target),
            false => relative(way, &target),
        };
        let leafref = format!("type leafref {{ path \"{path}\"; {require}}} ");
        match self.random.one_in(5) {
            true => write!(out, "type union {{ {leafref} type enumeration {{ enum u; }} }} "),
            false => write!(out, "{leafref} "),
        }
        .unwrap();
    }

    /// A path to some node whose number is below `end`.
    fn path(&mut self, way: &[String], end: usize) -> (String, Kind) {
        let known = self.targets.iter().take_while(|t| number(&t.way[t.way.len() - 1]) < end);
        let known = known.count();
        if known == 0 {
            return ("/none".into(), Kind::Container);
        }
        let target = self.targets[self.random.below(known)].clone();
        let mut path = match self.random.below(3) {
            0 => absolute(&target),
            _ => relative(way, &target),
        };
        // Of one entry of the last list on the way.
        let list = target.lists.iter().rposition(|is_list| *is_list);
        if let Some(list) = list.filter(|_| self.random.one_in(3)) {
            let name = &target.way[list];
            let predicate = format!("{name}[k = {}]", self.random.below(3));
            if path.split('/').any(|part| part == name) {
                let parts: Vec<&str> = path
                    .split('/')
                    .map(|part| if part == name { predicate.as_str() } else { part })
                    .collect();
                path = parts.join("/");
            }
        }
        (path, target.kind)
    }

    /// An expression on a node, or on a choice or case in it, about nodes whose number is below `end`.
    fn expression(&mut self, way: &[String], end: usize) -> String {
        let (path, kind) = self.path(way, end);
        let value = match kind {
            Kind::Number | Kind::Numbers => self.random.below(5).to_string(),
            Kind::Word | Kind::Words => format!("'{}'", self.random.one_of(&["a", "b", "c"])),
            Kind::Switch => "'true'".to_owned(),
            _ => return self.of_nodes(way, &path, end),
        };
        match self.random.below(6) {
            0 => format!("{path} = {value}"),
            1 => format!("{path} != {value}"),
            2 => format!("not({path}) or {path} = {value}"),
            3 if matches!(kind, Kind::Number | Kind::Numbers) => format!("not({path} > {value})"),
            4 => format!("not({path} = {value})"),
            _ => self.of_nodes(way, &path, end),
        }
    }

    fn of_nodes(&mut self, way: &[String], path: &str, end: usize) -> String {
        match self.random.below(6) {
            0 => path.to_owned(),
            1 => format!("not({path})"),
            2 => format!("count({path}) < {}", 1 + self.random.below(3)),
            3 => {
                let other = self.path(way, end).0;
                format!("not({path}) or {other}")
            }
            4 => {
                let other = self.path(way, end).0;
                format!("count({path}) <= count({other})")
            }
            _ => format!("boolean({path}) or true()"),
        }
    }

    /// An edit of one place.
    pub(super) fn edit(&mut self) -> String {
        let at = self.random.below(self.targets.len());
        let target = self.targets[at].clone();
        let remove = if self.random.one_in(4) { " nc:operation='remove'" } else { "" };
        let value = match target.kind {
            Kind::Number | Kind::Numbers => self.random.below(5).to_string(),
            Kind::Word | Kind::Words => self.random.one_of(&["a", "b", "c"]).to_string(),
            Kind::Switch => self.random.one_of(&["true", "false"]).to_string(),
            Kind::Reference if self.random.one_in(3) => self.instance(),
            Kind::Reference => {
                self.random.one_of(&["a", "b", "true", "0", "1", "2", "3", "u"]).to_string()
            }
            _ => String::new(),
        };
        let last = target.way.len() - 1;
        let (mut open, mut close) = (String::new(), String::new());
        for (at, name) in target.way.iter().enumerate() {
            let namespaces =
                " xmlns='urn:m' xmlns:m='urn:m' xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0'";
            let namespaces = if at == 0 { namespaces } else { "" };
            let operation = if at == last { remove } else { "" };
            write!(open, "<{name}{namespaces}{operation}>").unwrap();
            if target.lists[at] {
                write!(open, "<k>{}</k>", self.random.below(3)).unwrap();
            }
            close.insert_str(0, &format!("</{name}>"));
        }
        let is_removed_leaf = !remove.is_empty() && !target.kind.is_leaf_list();
        if is_removed_leaf { format!("{open}{close}") } else { format!("{open}{value}{close}") }
    }

    /// An instance-identifier.
    fn instance(&mut self) -> String {
        let at = self.random.below(self.targets.len());
        let target = self.targets[at].clone();
        let mut out = String::new();
        for (at, name) in target.way.iter().enumerate() {
            write!(out, "/m:{name}").unwrap();
            if target.lists[at] {
                write!(out, "[m:k='{}']", self.random.below(3)).unwrap();
            }
        }
        if target.kind == Kind::Numbers {
            write!(out, "[.='{}']", self.random.below(5)).unwrap();
        } else if target.kind == Kind::Words {
            write!(out, "[.='{}']", self.random.one_of(&["a", "b"])).unwrap();
        }
        out
    }
}

/// The number of a name.
fn number(name: &str) -> usize {
    name[1..].parse().unwrap()
}

fn absolute(target: &Target) -> String {
    format!("/{}", target.way.join("/"))
}

/// From the node at `way`.
fn relative(way: &[String], target: &Target) -> String {
    let common = way.iter().zip(&target.way).take_while(|(a, b)| a == b).count();
    let up = vec![".."; way.len() - common];
    let down = target.way[common..].iter().map(String::as_str);
    let path = up.into_iter().chain(down).collect::<Vec<_>>().join("/");
    if path.is_empty() { ".".to_owned() } else { path }
}
