//! Quorate: a NETCONF/YANG management agent with active-active high availability built in.
#![allow(dead_code, unused_imports, reason = "the rooms are being furnished")]

pub(crate) mod base;
pub(crate) mod datastore;
pub(crate) mod io;
pub(crate) mod raft;
pub(crate) mod storage;
pub(crate) mod yang;
