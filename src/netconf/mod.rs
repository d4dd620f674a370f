//! NETCONF (RFC 6241, 6242, 6022): framing, sessions, operations, errors, filters.

pub(crate) mod cluster;
mod cluster_request;
pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod filter;
pub(crate) mod framing;
mod grow;
pub(crate) mod hello;
mod library;
mod monitoring;
pub(crate) mod operation;
mod parameters;
pub(crate) mod payload;
mod read;
pub(crate) mod reply;
pub(crate) mod rpc;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod testing;

/// The namespace of every element of the protocol (RFC 6241, 3.1).
pub(crate) const BASE_NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// The reader's element is `name` of the protocol. Clients exist that leave the namespace out, so none is taken for it.
fn is_base_element(reader: &crate::xml::Reader<'_>, name: &str) -> bool {
    reader.name() == name && reader.namespace().is_none_or(|other| other == BASE_NAMESPACE)
}
