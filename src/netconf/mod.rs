//! NETCONF (RFC 6241, 6242, 6022): framing, sessions, operations, errors, filters.

pub(crate) mod error;
pub(crate) mod framing;
pub(crate) mod operation;
pub(crate) mod state;
