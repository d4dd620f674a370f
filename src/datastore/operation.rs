//! What each operation does to a node, by whether the node exists (RFC 6241, 7.2; RFC 7950, 7.5.8, 7.6.7, 7.7.9,
//! 7.8.6, 7.10.3, 7.11.3 and 8.3.2).

use super::edit::Operation;

/// Whether a node is in the datastore as it was before the request. A leaf that only has its default is not
/// (RFC 6243, 2.3: what is explicit counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    Absent,
    Present,
    /// A non-presence container without content. It has no meaning of its own (RFC 7950, 7.5.1): as a node that is
    /// created or deleted it does not exist, as a level on the way to others it always does.
    Implied,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The node becomes what the request states, and nothing else.
    Fresh,
    /// What is there stays; the request's children are applied to it.
    Keep,
    /// The node goes, with all that is below it.
    Delete,
    /// Nothing is there and nothing is to be.
    Skip,
}

/// What is wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// `data-exists`.
    Exists,
    /// `data-missing`.
    Missing,
}

/// The table. A node is a leaf, a list or leaf-list entry, a container, anydata or anyxml.
///
/// | operation | absent       | present     | implied |
/// |-----------|--------------|-------------|---------|
/// | merge     | fresh        | keep        | keep    |
/// | replace   | fresh        | fresh       | fresh   |
/// | create    | fresh        | data-exists | fresh   |
/// | delete    | data-missing | delete      | data-missing |
/// | remove    | skip         | delete      | skip    |
/// | none      | data-missing | keep        | keep    |
///
/// `none` over an absent node is "data for which there is not a corresponding level" (RFC 6241, 7.2,
/// default-operation). A leaf, leaf-list entry, anydata or anyxml that is kept by `merge` gets the stated value, since
/// it can only be modified in its entirety; by `none` it keeps its own.
pub(super) fn decide(operation: Operation, existence: Existence) -> Result<Step, Refusal> {
    use Existence::{Absent, Implied, Present};
    match (operation, existence) {
        (Operation::Merge | Operation::None, Present | Implied) => Ok(Step::Keep),
        (Operation::Merge, Absent) => Ok(Step::Fresh),
        (Operation::None, Absent) => Err(Refusal::Missing),
        (Operation::Replace, Absent | Present | Implied) => Ok(Step::Fresh),
        (Operation::Create, Present) => Err(Refusal::Exists),
        (Operation::Create, Absent | Implied) => Ok(Step::Fresh),
        (Operation::Delete | Operation::Remove, Present) => Ok(Step::Delete),
        (Operation::Delete, Absent | Implied) => Err(Refusal::Missing),
        (Operation::Remove, Absent | Implied) => Ok(Step::Skip),
    }
}

/// The operation states data: its node is to be there afterwards.
pub(super) fn states_data(operation: Operation) -> bool {
    match operation {
        Operation::Merge | Operation::Replace | Operation::Create => true,
        Operation::Delete | Operation::Remove | Operation::None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Existence, Refusal, Step, decide};
    use crate::datastore::edit::Operation;

    #[test]
    fn every_operation_meets_every_existence_as_the_table_says() {
        let existences = [Existence::Absent, Existence::Present, Existence::Implied];
        for (operation, expected) in [
            (Operation::Merge, [Ok(Step::Fresh), Ok(Step::Keep), Ok(Step::Keep)]),
            (Operation::Replace, [Ok(Step::Fresh), Ok(Step::Fresh), Ok(Step::Fresh)]),
            (Operation::Create, [Ok(Step::Fresh), Err(Refusal::Exists), Ok(Step::Fresh)]),
            (Operation::Delete, [Err(Refusal::Missing), Ok(Step::Delete), Err(Refusal::Missing)]),
            (Operation::Remove, [Ok(Step::Skip), Ok(Step::Delete), Ok(Step::Skip)]),
            (Operation::None, [Err(Refusal::Missing), Ok(Step::Keep), Ok(Step::Keep)]),
        ] {
            assert_eq!(existences.map(|existence| decide(operation, existence)), expected);
        }
    }
}
