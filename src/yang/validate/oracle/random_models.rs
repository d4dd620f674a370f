//! Random models with every kind of constraint, in three modules: the second augments the first, the third deviates
//! both.
//! Their texts are written by `random_statements`.

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

    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Number,
    Word,
    Switch,
    /// Of a type of `RICH`, by number.
    Rich(usize),
    Numbers,
    Words,
    RichList(usize),
    Container,
    Presence,
    List,
    Choice,
    Case,
    /// A leafref or instance-identifier.
    Reference,
    /// A union with one of these.
    ReferenceOrWord,
}

/// Types, with values that they have; the first is a default.
pub(super) const RICH: [(&str, &[&str]); 8] = [
    ("identityref { base m:base; }", &["m:one", "m:two"]),
    ("bits { bit x; bit y; bit z; }", &["x z", "y", ""]),
    ("decimal64 { fraction-digits 1; range \"-1..1\"; }", &["0.5", "-1.0"]),
    ("string { length 0..2; pattern '[ab]*'; }", &["a", "bb", ""]),
    ("binary { length 0..2; }", &["YQ==", ""]),
    (
        "union { type uint8 { range 0..2; } type enumeration { enum u; enum v; } type string { pattern 'x[ab]'; } }",
        &["u", "1", "xa"],
    ),
    ("int8 { range \"-1..1\"; }", &["-1", "0"]),
    ("empty", &[]),
];

impl Kind {
    pub(super) fn is_leaf(self) -> bool {
        matches!(self, Self::Number | Self::Word | Self::Switch | Self::Rich(_))
    }

    pub(super) fn is_leaf_list(self) -> bool {
        matches!(self, Self::Numbers | Self::Words | Self::RichList(_))
    }

    pub(super) fn is_data(self) -> bool {
        !matches!(self, Self::Choice | Self::Case)
    }

    /// The values of a leaf or leaf-list; the first is its default.
    pub(super) fn values(self) -> &'static [&'static str] {
        match self {
            Self::Number | Self::Numbers => &["3", "0", "1", "2", "4"],
            Self::Word | Self::Words => &["b", "a", "c"],
            Self::Switch => &["true", "false"],
            Self::Rich(number) | Self::RichList(number) => RICH[number].1,
            _ => &[],
        }
    }
}

/// What the keys of a list are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Keys {
    Number,
    NumberAndWord,
    Text,
    Identity,
}

pub(super) struct Spec {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) children: Vec<Spec>,
    pub(super) when: bool,
    pub(super) keys: Keys,
    /// What `if-feature` says.
    pub(super) feature: Option<&'static str>,
    /// It is not there by default.
    pub(super) plain: bool,
}

impl Spec {
    /// libyang takes what is there by default for there until its `when` is false, also where others read it, and does
    /// not put it into a case of which only an inner choice has nodes. It also does not wait for the `when` of what
    /// decides which case is in use. So none of these are to be found here.
    pub(super) fn make_plain(&mut self, plain: bool) {
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

    fn without_whens(&mut self) {
        self.when = false;
        self.children.iter_mut().for_each(Self::without_whens);
    }

    /// Its feature is not there.
    pub(super) fn is_off(&self) -> bool {
        self.feature.is_some_and(|feature| matches!(feature, "off" | "not on"))
    }
}

/// A node by its way from the top, choices and cases left out.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) way: Vec<String>,
    /// Lists on the way.
    pub(super) lists: Vec<Option<Keys>>,
    pub(super) kind: Kind,
}

/// What is added to a node of the first module by the second.
pub(super) struct Augment {
    /// With choices and cases.
    pub(super) path: Vec<String>,
    /// The data nodes of it.
    pub(super) way: Vec<String>,
    pub(super) is_choice: bool,
    pub(super) when: bool,
    pub(super) children: Vec<Spec>,
}

/// A random model.
pub(super) struct Model {
    pub(super) random: Random,
    pub(super) count: usize,
    pub(super) top: Vec<Spec>,
    pub(super) augments: Vec<Augment>,
    /// Names with this number or a higher one are of the second module.
    pub(super) first_augmented: usize,
    /// The first module is being written.
    pub(super) is_first: bool,
    pub(super) targets: Vec<Target>,
    /// The way to the statement that is written, with choices and cases.
    pub(super) path: Vec<String>,
    pub(super) written: Vec<super::random_statements::Written>,
    pub(super) groupings: String,
    /// Names of groupings that may be used once more.
    pub(super) reused: Vec<String>,
}

/// Where something can be augmented.
struct Place {
    path: Vec<String>,
    way: Vec<String>,
    lists: Vec<Option<Keys>>,
    is_choice: bool,
    /// It is a choice or in one.
    in_choice: bool,
}

impl Model {
    pub(super) fn new(seed: u64) -> Self {
        let mut model = Self {
            random: Random(seed),
            count: 0,
            top: Vec::new(),
            augments: Vec::new(),
            first_augmented: usize::MAX,
            is_first: true,
            targets: Vec::new(),
            path: Vec::new(),
            written: Vec::new(),
            groupings: String::new(),
            reused: Vec::new(),
        };
        for _ in 0..3 + model.random.below(4) {
            let mut spec = model.spec(0);
            spec.make_plain(false);
            model.top.push(spec);
        }
        let top = std::mem::take(&mut model.top);
        let mut places = Vec::new();
        for spec in &top {
            model.find_targets(spec, &mut Vec::new(), &mut Vec::new());
            find_places(spec, Way::default(), false, &mut places);
        }
        model.top = top;
        model.first_augmented = model.count + 1;
        for _ in 0..model.random.below(3).min(places.len()) {
            let place = places.swap_remove(model.random.below(places.len()));
            model.augment(place);
        }
        model
    }

    /// In a choice without `when`, for the reason that `make_plain` tells.
    fn augment(&mut self, place: Place) {
        let when = !place.in_choice && self.random.one_in(2);
        let count = 1 + self.random.below(2);
        let mut children: Vec<Spec> = (0..count).map(|_| self.spec(2)).collect();
        for child in &mut children {
            if place.in_choice {
                child.without_whens();
            }
            child.make_plain(when || place.is_choice);
        }
        if place.is_choice {
            children.retain(|child| child.kind != Kind::Choice);
        }
        for child in &children {
            self.find_targets(child, &mut place.way.clone(), &mut place.lists.clone());
        }
        let Place { path, way, is_choice, .. } = place;
        if !children.is_empty() {
            self.augments.push(Augment { path, way, is_choice, when, children });
        }
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("n{}", self.count)
    }

    fn kind(&mut self, depth: usize) -> Kind {
        use Kind::{
            Choice, Container, List, Number, Numbers, Presence, Reference, Rich, RichList, Switch,
            Word, Words,
        };
        let leafs = [Number, Word, Switch, Number, Numbers, Words, Reference, Rich(0), Rich(0)];
        let inner = [Container, Container, Presence, List, List, List, Choice, Choice];
        match depth < 3 && self.random.one_in(2) {
            true => *self.random.one_of(&inner),
            false => match *self.random.one_of(&leafs) {
                Reference if self.random.one_in(5) => Kind::ReferenceOrWord,
                Rich(_) if self.random.one_in(4) => RichList(self.random.below(RICH.len() - 1)),
                Rich(_) => Rich(self.random.below(RICH.len())),
                other => other,
            },
        }
    }

    fn spec(&mut self, depth: usize) -> Spec {
        let kind = self.kind(depth);
        let name = self.name();
        let mut children = Vec::new();
        match kind {
            Kind::Choice => {
                for _ in 0..2 + self.random.below(2) {
                    let name = self.name();
                    let count = 1 + self.random.below(2);
                    let of_case = (0..count).map(|_| self.spec(depth + 1)).collect();
                    let case = self.of((name, Kind::Case, of_case));
                    children.push(case);
                }
            }
            Kind::Container | Kind::Presence | Kind::List => {
                children.extend((0..1 + self.random.below(4)).map(|_| self.spec(depth + 1)));
            }
            _ => {}
        }
        self.of((name, kind, children))
    }

    fn of(&mut self, (name, kind, children): (String, Kind, Vec<Spec>)) -> Spec {
        let keys = [Keys::Number, Keys::Number, Keys::NumberAndWord, Keys::Text, Keys::Identity];
        let features = ["on", "off", "on and not off", "not on"];
        Spec {
            name,
            kind,
            children,
            when: self.random.one_in(7),
            keys: *self.random.one_of(&keys),
            feature: self.random.one_in(12).then(|| *self.random.one_of(&features)),
            plain: false,
        }
    }

    fn find_targets(&mut self, spec: &Spec, way: &mut Vec<String>, lists: &mut Vec<Option<Keys>>) {
        if spec.is_off() {
            return;
        }
        if spec.kind.is_data() {
            way.push(spec.name.clone());
            lists.push((spec.kind == Kind::List).then_some(spec.keys));
            let target = Target { way: way.clone(), lists: lists.clone(), kind: spec.kind };
            self.targets.push(target);
        }
        for child in &spec.children {
            self.find_targets(child, way, lists);
        }
        if spec.kind.is_data() {
            way.pop();
            lists.pop();
        }
    }
}

type Way = (Vec<String>, Vec<String>, Vec<Option<Keys>>);

fn find_places(
    spec: &Spec,
    (mut path, mut way, mut lists): Way,
    mut in_choice: bool,
    places: &mut Vec<Place>,
) {
    if spec.is_off() {
        return;
    }
    path.push(spec.name.clone());
    if spec.kind.is_data() {
        way.push(spec.name.clone());
        lists.push((spec.kind == Kind::List).then_some(spec.keys));
    }
    let is_choice = spec.kind == Kind::Choice;
    in_choice |= is_choice;
    // libyang 2.2.8 dies of an augmented choice at the top.
    let is_place = match spec.kind {
        Kind::Choice => !way.is_empty(),
        kind => matches!(kind, Kind::Container | Kind::Presence | Kind::List),
    };
    if is_place {
        let (path, way, lists) = (path.clone(), way.clone(), lists.clone());
        places.push(Place { path, way, lists, is_choice, in_choice });
    }
    for child in &spec.children {
        find_places(child, (path.clone(), way.clone(), lists.clone()), in_choice, places);
    }
}
