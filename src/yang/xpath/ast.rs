//! Expressions as they are after parsing.

use crate::yang::schema::ModuleId;

/// A parsed expression. It belongs to the schema that it was parsed with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compiled {
    pub(super) root: Expr,
    /// How many steps there are: each has a number below.
    pub(super) steps: usize,
    /// The module of names without prefix, if there is one.
    pub(super) module: Option<ModuleId>,
}

impl Compiled {
    /// The type of what it evaluates to.
    pub(crate) fn value_type(&self) -> ValueType {
        self.root.value_type()
    }
}

/// The four types of XPath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    Nodes,
    Boolean,
    Number,
    Text,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// Two or more.
    Or(Vec<Expr>),
    /// Two or more.
    And(Vec<Expr>),
    Compare(Comparison, Box<(Expr, Expr)>),
    Arithmetic(Arithmetic, Box<(Expr, Expr)>),
    Negate(Box<Expr>),
    /// Two or more, of node-sets.
    Union(Vec<Expr>),
    Path(Path),
    Literal(Literal),
    Number(f64),
    Call(Function, Vec<Expr>),
}

/// A string literal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) text: Box<str>,
    /// The text with the names of modules for prefixes, if there are any: what values of types with names hold.
    pub(super) with_modules: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A location path, or a filter expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) start: Start,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Start {
    Root,
    Context,
    /// A node-set and the predicates on it.
    Expr(Box<Expr>, Vec<Predicate>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) axis: Axis,
    pub(super) test: Test,
    pub(super) predicates: Vec<Predicate>,
    /// Different for each step of an expression.
    pub(super) number: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Parent,
    Ancestor,
    AncestorOrSelf,
    Itself,
    FollowingSibling,
    PrecedingSibling,
    Following,
    Preceding,
    /// Attributes and namespaces, of which there are none.
    None,
}

/// A node test.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// `node()`.
    Node,
    /// `text()`.
    Text,
    /// `*`.
    Any,
    /// `prefix:*`.
    AnyOf(ModuleId),
    Name(ModuleId, Box<str>),
    /// A name of any module.
    NameOfAny(Box<str>),
    /// Nothing that there is: comments, processing instructions, namespaces that no module has.
    Nothing,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Predicate {
    pub(super) expr: Expr,
    /// What the expression depends on.
    pub(super) depends: Depends,
}

/// What of its context an expression depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Depends {
    pub(super) node: bool,
    pub(super) position: bool,
    pub(super) size: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    BitIsSet,
    Boolean,
    Ceiling,
    Concat,
    Contains,
    Count,
    Current,
    Deref,
    DerivedFrom,
    DerivedFromOrSelf,
    EnumValue,
    False,
    Floor,
    Id,
    Lang,
    Last,
    LocalName,
    NamespaceUri,
    NormalizeSpace,
    Not,
    Number,
    Position,
    ReMatch,
    Round,
    StartsWith,
    String,
    StringLength,
    Substring,
    SubstringAfter,
    SubstringBefore,
    Sum,
    Translate,
    True,
}

impl Expr {
    pub(super) fn value_type(&self) -> ValueType {
        match self {
            Self::Or(_) | Self::And(_) | Self::Compare(..) => ValueType::Boolean,
            Self::Arithmetic(..) | Self::Negate(_) | Self::Number(_) => ValueType::Number,
            Self::Union(_) | Self::Path(_) => ValueType::Nodes,
            Self::Literal(_) => ValueType::Text,
            Self::Call(function, _) => function.signature().result,
        }
    }

    /// The context node itself: `.` without predicates.
    pub(super) fn is_context(&self) -> bool {
        let Self::Path(Path { start: Start::Context, steps }) = self else { return false };
        matches!(steps.as_slice(), [step]
            if step.axis == Axis::Itself && step.test == Test::Node && step.predicates.is_empty())
    }

    pub(super) fn depends(&self) -> Depends {
        match self {
            Self::Or(parts) | Self::And(parts) | Self::Union(parts) => Depends::of_all(parts),
            Self::Compare(_, sides) | Self::Arithmetic(_, sides) => {
                sides.0.depends().and(sides.1.depends())
            }
            Self::Negate(inner) => inner.depends(),
            Self::Path(path) => match &path.start {
                Start::Root => Depends::default(),
                Start::Context => Depends { node: true, ..Depends::default() },
                // Predicates have contexts of their own.
                Start::Expr(inner, _) => inner.depends(),
            },
            Self::Literal(_) | Self::Number(_) => Depends::default(),
            Self::Call(Function::Position, _) => Depends { position: true, ..Depends::default() },
            Self::Call(Function::Last, _) => Depends { size: true, ..Depends::default() },
            Self::Call(_, arguments) => Depends::of_all(arguments),
        }
    }
}

impl Depends {
    fn and(self, other: Self) -> Self {
        Self {
            node: self.node || other.node,
            position: self.position || other.position,
            size: self.size || other.size,
        }
    }

    fn of_all(parts: &[Expr]) -> Self {
        parts.iter().fold(Self::default(), |all, part| all.and(part.depends()))
    }
}

impl Predicate {
    pub(super) fn new(expr: Expr) -> Self {
        let mut depends = expr.depends();
        // A number is compared with the position (XPath 1.0, 2.4).
        depends.position |= expr.value_type() == ValueType::Number;
        Self { expr, depends }
    }

    /// Whether it holds for a node depends on that node alone.
    pub(super) fn is_by_node(&self) -> bool {
        !self.depends.position && !self.depends.size
    }
}

impl Axis {
    /// The axis with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "child" => Self::Child,
            "descendant" => Self::Descendant,
            "descendant-or-self" => Self::DescendantOrSelf,
            "parent" => Self::Parent,
            "ancestor" => Self::Ancestor,
            "ancestor-or-self" => Self::AncestorOrSelf,
            "self" => Self::Itself,
            "following-sibling" => Self::FollowingSibling,
            "preceding-sibling" => Self::PrecedingSibling,
            "following" => Self::Following,
            "preceding" => Self::Preceding,
            "attribute" | "namespace" => Self::None,
            _ => return None,
        })
    }
}
