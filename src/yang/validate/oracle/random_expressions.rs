//! Random expressions on the nodes of random models.

use super::random_models::{Keys, Kind, Model, Target};
use super::random_statements::number;

impl Model {
    /// The name with the prefix of its module.
    pub(super) fn qualified(&self, name: &str) -> String {
        match number(name) < self.first_augmented {
            true => format!("m:{name}"),
            false => format!("a:{name}"),
        }
    }

    /// The nodes that the module which is written now knows: the first module knows nothing of the second.
    pub(super) fn known(&self) -> &[Target] {
        let is_first =
            |target: &&Target| number(&target.way[target.way.len() - 1]) < self.first_augmented;
        match self.is_first {
            true => &self.targets[..self.targets.iter().take_while(is_first).count()],
            false => &self.targets,
        }
    }

    /// Names with prefixes; a key has that of the list before it.
    fn steps(&self, way: &[String]) -> Vec<String> {
        let mut steps: Vec<String> = Vec::new();
        for name in way {
            let step = match (name.as_str(), steps.last()) {
                ("k", Some(list)) => format!("{}:k", &list[..1]),
                (name, _) => self.qualified(name),
            };
            steps.push(step);
        }
        steps
    }

    pub(super) fn absolute(&self, target: &Target) -> String {
        format!("/{}", self.steps(&target.way).join("/"))
    }

    /// From the node at `way`.
    pub(super) fn relative(&self, way: &[String], target: &Target) -> String {
        let common = way.iter().zip(&target.way).take_while(|(a, b)| a == b).count();
        let up = vec!["..".to_owned(); way.len() - common];
        let down = self.steps(&target.way).split_off(common);
        let path = up.into_iter().chain(down).collect::<Vec<_>>().join("/");
        if path.is_empty() { ".".to_owned() } else { path }
    }

    /// A path to some node whose number is below `end`.
    fn path(&mut self, way: &[String], end: usize) -> (String, Kind) {
        let is_before = |t: &&Target| number(&t.way[t.way.len() - 1]) < end;
        let count = self.known().iter().take_while(is_before).count();
        if count == 0 {
            return ("/m:none".into(), Kind::Container);
        }
        let target = self.targets[self.random.below(count)].clone();
        let path = match self.random.below(3) {
            0 => self.absolute(&target),
            _ => self.relative(way, &target),
        };
        // Of one entry of the last list on the way.
        let list = target.lists.iter().rposition(Option::is_some);
        let Some(list) = list.filter(|_| self.random.one_in(3)) else { return (path, target.kind) };
        let keys = target.lists[list].unwrap_or(Keys::Number);
        let name = self.qualified(&target.way[list]);
        let key = format!("{}:k", &name[..1]);
        // libyang compares decimal64 with other numbers as numbers, where node-sets are compared as strings (XPath
        // 1.0, 3.4), and the string-value of an inner node is another to it.
        let is_value = |t: &Target| {
            let is_decimal = matches!(t.kind, Kind::Rich(2) | Kind::RichList(2));
            t.way == way && (t.kind.is_leaf() || t.kind.is_leaf_list()) && !is_decimal
        };
        let is_value = self.targets.iter().any(is_value);
        let predicate = match keys {
            _ if is_value && self.random.one_in(3) => format!("{name}[{key} = current()]"),
            Keys::Number | Keys::NumberAndWord => {
                format!("{name}[{key} = {}]", self.random.below(3))
            }
            Keys::Text => format!("{name}[{key} = '{}']", self.random.one_of(&["a", "b"])),
            Keys::Identity => {
                format!("{name}[{key} = '{}']", self.random.one_of(&["m:one", "m:two"]))
            }
        };
        let one = |part: &str| if part == name { predicate.clone() } else { part.to_owned() };
        (path.split('/').map(one).collect::<Vec<_>>().join("/"), target.kind)
    }

    /// An expression on a node, or on a choice or case in it, about nodes whose number is below `end`.
    pub(super) fn expression(&mut self, way: &[String], end: usize) -> String {
        let (path, kind) = self.path(way, end);
        let value = match kind {
            Kind::Number | Kind::Numbers => self.random.below(5).to_string(),
            _ if kind.values().is_empty() => return self.of_nodes(way, &path, end),
            _ => format!("'{}'", self.random.one_of(kind.values())),
        };
        match self.random.below(6) {
            0 => format!("{path} = {value}"),
            1 => format!("{path} != {value}"),
            2 => format!("not({path}) or {path} = {value}"),
            3 if matches!(kind, Kind::Number | Kind::Numbers) => format!("not({path} > {value})"),
            3 => Self::of_type(&path, kind),
            4 => format!("not({path} = {value})"),
            _ => self.of_nodes(way, &path, end),
        }
    }

    /// What only values of this type can be asked. Of each alone: which entry comes first where the system orders, an
    /// implementation may choose.
    fn of_type(path: &str, kind: Kind) -> String {
        match kind {
            Kind::Rich(0) | Kind::RichList(0) => format!("derived-from-or-self({path}, 'm:one')"),
            Kind::Rich(1) | Kind::RichList(1) => format!("{path}[bit-is-set(., 'x')]"),
            Kind::Rich(3) | Kind::RichList(3) => format!("not({path}[re-match(., 'a*')])"),
            Kind::Rich(2 | 6) => format!("not({path} > 0)"),
            Kind::Word | Kind::Words => format!("{path}[enum-value(.) > 0]"),
            _ => format!("{path}[string-length(.) < 2]"),
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
}
