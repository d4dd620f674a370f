//! What is to be done, in the order in which it must be done: persist, publish, hooks, answers, ends.

use super::event::{Answer, End, ReplyTo};
use crate::api::hook::HookCall;
use crate::netconf::state::View;
use crate::raft::{LogWrite, ReadyNumber, WaitForSync};
use std::sync::Arc;

/// The effects of the events since the last ones were taken.
///
/// Invariant: an answer in it promises only what was durable before; what `persist` holds is promised by the effects
/// that follow `Agent::persisted`.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// To be made durable first, in one write, and then reported by `Agent::persisted` with the last number.
    pub(crate) persist: Vec<Persist>,
    /// What readers see from now on.
    pub(crate) view: Option<Arc<View>>,
    /// Calls of participants, in order for each of them.
    pub(crate) hooks: Vec<HookCall>,
    pub(crate) answers: Vec<(ReplyTo, Answer)>,
    /// Sessions to close.
    pub(crate) ends: Vec<End>,
    /// NETCONF may open.
    pub(crate) ready: bool,
    /// The agent cannot go on: what to tell the operator.
    pub(crate) fatal: Option<String>,
}

/// A durable write and its number.
#[derive(Debug)]
pub(crate) struct Persist {
    pub(crate) number: ReadyNumber,
    pub(crate) sync: WaitForSync,
    pub(crate) write: LogWrite,
}
