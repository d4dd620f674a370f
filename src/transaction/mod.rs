//! The transaction engine: phases, participants, confirmed commit.

pub(crate) mod confirmed;
