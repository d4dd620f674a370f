//! Quorate: a NETCONF/YANG management agent with active-active high availability built in.
#![allow(dead_code, unused_imports, reason = "the rooms are being furnished")]

pub(crate) mod base;
pub(crate) mod datastore;
pub(crate) mod io;
pub(crate) mod netconf;
pub(crate) mod raft;
pub(crate) mod transaction;
pub(crate) mod xml;
pub(crate) mod yang;

// Wired as the rooms that they name arrive.
pub(crate) mod agent {
    pub(crate) mod event;
}
