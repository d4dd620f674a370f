//! Rules that the simulator can take away, to see that it notices (`src/sim`).

/// A rule without which something goes wrong sooner or later. The letters are those of PROTOCOL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// The agent is told that a write is durable when it is.
    DurableBeforePersisted,
    /// What promises a write leaves when it is durable.
    DurableBeforeSends,
    /// A reader looks at the lease once more when it has the view (M2).
    LeaseAfterView,
}

/// The rules in force: all, in every program that is shipped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    #[cfg(any(test, feature = "sim"))]
    without: Option<Rule>,
}

impl Rules {
    /// All but one: a planted bug.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) const fn without(rule: Rule) -> Self {
        Self { without: Some(rule) }
    }

    /// Whether the rule is in force.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn hold(self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

#[cfg(any(test, feature = "sim"))]
impl Rule {
    /// All of them.
    pub(crate) const ALL: &'static [Rule] =
        &[Rule::DurableBeforePersisted, Rule::DurableBeforeSends, Rule::LeaseAfterView];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Rule::DurableBeforePersisted => "durable-before-persisted",
            Rule::DurableBeforeSends => "durable-before-sends",
            Rule::LeaseAfterView => "lease-after-view",
        }
    }
}
