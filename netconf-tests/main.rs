//! Black-box tests over the wire: one file per RFC area, each test naming its section.
//!
//! Every test starts an agent of its own in a directory of its own, with the models of `netconf-tests/yang`.
//! With `QUORATE_TEST_SUBJECT` set to a command that speaks NETCONF on its standard input and output, tests that need
//! nothing but a session talk to that server instead; it must serve the same models, and tests must run one at a
//! time (`--test-threads=1`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "tests end where something is wrong, and wait by the clock"
)]

mod support;

mod cluster;
mod cluster_module;
mod durability;
mod interop;
mod joining;
mod large_models;
mod limits;
mod participants;
mod rfc6022_monitoring;
mod rfc6241_candidate_commit;
mod rfc6241_confirmed_commit;
mod rfc6241_edit_config;
mod rfc6241_filters;
mod rfc6241_hello;
mod rfc6241_locks;
mod rfc6241_messages;
mod rfc6241_operations;
mod rfc6241_xpath;
mod rfc6242_framing;
mod rfc7950_errors;
mod rfc7950_payloads;
mod rfc8525_library;
mod settings;
mod ssh;
mod starting;
mod unix;
mod verify;
