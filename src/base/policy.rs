//! What operators choose for the whole cluster.

/// The policy presets (PROTOCOL, Terms).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) enum Policy {
    /// After ok every member that answers reads has the change.
    #[default]
    Synchronous,
    /// After ok a majority has it.
    Majority,
    /// Every member must be there, agree, and have it.
    FullySynchronous,
}

impl Policy {
    /// All of them, the default first.
    pub(crate) const ALL: [Self; 3] = [Self::Synchronous, Self::Majority, Self::FullySynchronous];

    /// Its name, as the cluster module and commands have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Synchronous => "synchronous",
            Self::Majority => "majority",
            Self::FullySynchronous => "fully-synchronous",
        }
    }
}
