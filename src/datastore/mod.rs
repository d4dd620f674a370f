//! Datastores (RFC 8342) and what an edit does to a tree (RFC 6241, 7.2; RFC 7950, 7 and 8.3).

pub(crate) mod apply;
mod apply_at;
mod apply_entries;
pub(crate) mod candidate;
mod choices;
pub(crate) mod edit;
pub(crate) mod footprint;
mod footprint_of_diff;
mod graft;
mod operation;
pub(crate) mod store;

#[cfg(test)]
mod apply_tests;
#[cfg(test)]
mod candidate_tests;
#[cfg(test)]
mod footprint_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod testing;
