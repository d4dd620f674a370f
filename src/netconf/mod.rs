//! NETCONF (RFC 6241, 6242, 6022): framing, sessions, operations, errors, filters.

pub(crate) mod error;
pub(crate) mod framing;
mod grow;
pub(crate) mod hello;
mod library;
mod monitoring;
pub(crate) mod operation;
pub(crate) mod state;

/// The namespace of every element of the protocol (RFC 6241, 3.1).
pub(crate) const BASE_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
