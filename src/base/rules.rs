//! Rules that the simulator can take away, to see that it notices (`src/sim`).

/// A rule without which something goes wrong sooner or later, by itself or together with those that stand behind it.
/// Letters and numbers are those of PROTOCOL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The agent is told that a write is durable when it is.
    #[cfg(any(test, feature = "sim"))]
    DurableBeforePersisted,
    /// What promises a write leaves when it is durable.
    #[cfg(any(test, feature = "sim"))]
    DurableBeforeSends,
    /// Readers see what an entry made before anybody is told of it.
    #[cfg(any(test, feature = "sim"))]
    ViewBeforeSends,
    /// The log before a snapshot goes when the snapshot is durable.
    #[cfg(any(test, feature = "sim"))]
    SnapshotBeforePrune,
    /// A node whose disk did not do a write ends.
    #[cfg(any(test, feature = "sim"))]
    FailedWriteEnds,
    /// A reader looks at the lease before it takes the view, not only after: in between the lease can have ended and
    /// begun again (M2).
    #[cfg(any(test, feature = "sim"))]
    LeaseBeforeView,
    /// A new leader decides nothing before the first entry of its term is applied (L1).
    NoOpFirst,
    /// What a leader had in mind goes with its leadership (L1).
    HeadEnds,
    /// A change or a lock is decided on the state behind all that is proposed, and not proposed if it has no effect there
    /// (L3, L7).
    DecidesOnHead,
    /// What is proposed in a term comes into the log of that term, and is not forwarded to the next leader (L7).
    #[cfg(any(test, feature = "sim"))]
    ProposalsStay,
    /// A request is for the leader of one term (L2).
    ToOneTerm,
    /// A request that a leader works on is not taken again (L2).
    RequestsKnown,
    /// What is not in the log is said when it is proven that this node still leads (F5).
    ProvenConclusions,
    /// Only the leader that a request was last given to is believed (O2).
    LastLeaderBelieved,
    /// An entry of another term than its proposer's has no effect (A1).
    OwnTerm,
    /// A transaction takes effect once (A2).
    FirstOutcomeStands,
    /// A decision stands on the revision that it was evaluated on (A3).
    BaseRevision,
    /// A decision states the data that it was evaluated on (A3).
    BaseDigest,
    /// A decision states the data that it makes (A7).
    ResultDigest,
    /// Who believes to hold a lock holds that one, by its fence, and nobody passes that of another (A3).
    LockFences,
    /// A confirmation, extension or rollback is for one confirmed commit (A3).
    GenerationNamed,
    /// A session that ended stays so (A5).
    SessionsStayEnded,
    /// Ok is said when all members that may answer reads have the change (ACK).
    MembersBeforeOk,
    /// A new leader counts on the leases that the one before has given (F20).
    OldLeasesCount,
    /// A lease is given for as long as nobody else can have been elected (M2).
    LeaseIsProven,
    /// After a gap between leases a member catches up before it answers reads (M2).
    CatchUpFirst,
    /// What an earlier leader had prepared is let go (M1).
    PreparedEnds,
    /// The age that counts is that of the confirmed commit as it was last extended (F28).
    AgeOfGeneration,
}

/// The rules in force: all, in every program that is shipped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    #[cfg(any(test, feature = "sim"))]
    without: u64,
}

impl Rules {
    /// Whether the rule is in force.
    #[cfg(not(any(test, feature = "sim")))]
    pub(crate) const fn hold(self, _: Rule) -> bool {
        true
    }

    /// Whether the rule is in force.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn hold(self, rule: Rule) -> bool {
        self.without & rule.bit() == 0
    }

    /// These without one more: a planted bug.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn without(self, rule: Rule) -> Self {
        Self { without: self.without | rule.bit() }
    }
}

#[cfg(any(test, feature = "sim"))]
impl Rule {
    #[allow(clippy::as_conversions, reason = "the number of a variant")]
    const fn bit(self) -> u64 {
        1 << (self as u32)
    }

    /// All of them, with their names on the command line.
    pub(crate) const ALL: &'static [(Rule, &'static str)] = &[
        (Rule::DurableBeforePersisted, "durable-before-persisted"),
        (Rule::DurableBeforeSends, "durable-before-sends"),
        (Rule::ViewBeforeSends, "view-before-sends"),
        (Rule::SnapshotBeforePrune, "snapshot-before-prune"),
        (Rule::FailedWriteEnds, "failed-write-ends"),
        (Rule::LeaseBeforeView, "lease-before-view"),
        (Rule::NoOpFirst, "no-op-first"),
        (Rule::HeadEnds, "head-ends"),
        (Rule::DecidesOnHead, "decides-on-head"),
        (Rule::ProposalsStay, "proposals-stay"),
        (Rule::ToOneTerm, "to-one-term"),
        (Rule::RequestsKnown, "requests-known"),
        (Rule::ProvenConclusions, "proven-conclusions"),
        (Rule::LastLeaderBelieved, "last-leader-believed"),
        (Rule::OwnTerm, "own-term"),
        (Rule::FirstOutcomeStands, "first-outcome-stands"),
        (Rule::BaseRevision, "base-revision"),
        (Rule::BaseDigest, "base-digest"),
        (Rule::ResultDigest, "result-digest"),
        (Rule::LockFences, "lock-fences"),
        (Rule::GenerationNamed, "generation-named"),
        (Rule::SessionsStayEnded, "sessions-stay-ended"),
        (Rule::MembersBeforeOk, "members-before-ok"),
        (Rule::OldLeasesCount, "old-leases-count"),
        (Rule::LeaseIsProven, "lease-is-proven"),
        (Rule::CatchUpFirst, "catch-up-first"),
        (Rule::PreparedEnds, "prepared-ends"),
        (Rule::AgeOfGeneration, "age-of-generation"),
    ];
}
