//! Words that every room uses: identities, time, limits.

pub(crate) mod ids;
pub(crate) mod limits;
pub(crate) mod policy;
pub(crate) mod rules;
pub(crate) mod time;
pub(crate) mod token;
