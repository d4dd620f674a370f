//! What an origin asks the leader to decide, and its form between members.

use super::Agent;
use crate::base::ids::{LogIndex, Revision, SessionKey, TxId};
use crate::base::limits::LOG_ENTRY_BYTES_MAX;
use crate::datastore::candidate::Candidate;
use crate::datastore::edit::Edit;
use crate::replication::entry::RequestHead;
use crate::replication::message::{CandidateChange, Control, RequestBody, TxRequest};
use crate::replication::state::LockTarget;
use crate::transaction::confirmed::{Ask, Step};
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree, TreeDecoder, decode_diff, diff, encode_diff, encode_tree};
use std::sync::Arc;

/// One request, as the leader evaluates it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) head: RequestHead,
    /// The locks that the origin believes the session to hold (PROTOCOL O3).
    pub(super) held: Vec<(LockTarget, LogIndex)>,
    /// Everything but the decision.
    pub(super) test_only: bool,
    pub(super) comment: Option<String>,
    pub(super) content: Content,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Shared between who asks and who decides: it may be large.
    Change(Arc<Change>),
    Lock(LockTarget),
    Unlock(LockTarget),
    SessionEnd(SessionKey),
    /// What needs no evaluation of data.
    Control(Box<Control>),
    /// In the log of a cluster of one: nobody is going to be given it again.
    Logged,
}

impl Content {
    /// What running becomes by it.
    pub(super) fn change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            Self::Lock(_)
            | Self::Unlock(_)
            | Self::SessionEnd(_)
            | Self::Control(_)
            | Self::Logged => None,
        }
    }

    /// A change.
    pub(super) fn of(change: Change) -> Self {
        Self::Change(Arc::new(change))
    }
}

/// Whether a request is certain to be more than one transaction may change: the leader need not be asked.
pub(super) fn is_too_big(request: &TxRequest) -> bool {
    matches!(&request.body, RequestBody::Candidate(change) if change.diff.len() > LOG_ENTRY_BYTES_MAX)
}

/// What running becomes.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Edit(Edit),
    /// If running is still empty.
    Initial(Edit),
    Replace(Tree),
    /// A commit of the candidate as it was then.
    Candidate {
        candidate: Box<Candidate>,
        ask: Ask,
        /// It came while a confirmed commit was pending which it may confirm. It must not become a plain commit if
        /// that is rolled back before its turn: its client would take the change for confirmed.
        confirms: bool,
    },
    Cancel {
        persist_id: Option<String>,
    },
    /// What it was at this revision.
    Restore(Revision),
    /// The leader's own decision.
    Rollback(Step),
    /// Nothing: would this content be valid?
    Validate(Tree),
}

impl Change {
    /// A rollback undoes; it passes locks and cannot be refused (PROTOCOL F17).
    pub(super) fn undoes(&self) -> bool {
        matches!(self, Self::Cancel { .. } | Self::Rollback(_))
    }
}

impl Asked {
    pub(super) fn txid(&self) -> TxId {
        self.head.txid
    }

    pub(super) fn session(&self) -> Option<SessionKey> {
        self.head.session
    }

    /// As it is sent; `None` for what only a leader itself asks.
    pub(super) fn to_wire(&self, agent: &Agent) -> Option<TxRequest> {
        let schema = &*agent.parameters.schema;
        let body = match &self.content {
            Content::Change(change) => change_to_wire(change, schema)?,
            Content::Lock(target) => RequestBody::Lock(*target),
            Content::Unlock(target) => RequestBody::Unlock(*target),
            Content::SessionEnd(session) => RequestBody::SessionEnd(*session),
            Content::Control(control) => RequestBody::Control(control.clone()),
            Content::Logged => return None,
        };
        Some(TxRequest {
            to_term: agent.node.term(),
            head: self.head.clone(),
            held: self.held.clone(),
            test_only: self.test_only,
            comment: self.comment.clone(),
            body,
        })
    }

    /// What a member asks; none if this node does not know the revision that it stands on (yet, or any more).
    ///
    /// # Errors
    /// If it cannot be read, or does not fit the data here: one of the two has other data than the log makes.
    pub(super) fn from_wire(agent: &Agent, request: TxRequest) -> Result<Option<Self>, String> {
        let schema = &*agent.parameters.schema;
        let seed = agent.state.shared.seed;
        let content = match request.body {
            RequestBody::Edit(edit) => Content::of(Change::Edit(edit)),
            RequestBody::Initial(edit) => Content::of(Change::Initial(edit)),
            RequestBody::Replace(bytes) => {
                Content::of(Change::Replace(decode_tree(&bytes, schema, seed)?))
            }
            RequestBody::Validate(bytes) => {
                Content::of(Change::Validate(decode_tree(&bytes, schema, seed)?))
            }
            RequestBody::Candidate(change) => {
                let CandidateChange { base, diff, footprint, ask, confirms } = *change;
                let Some(tree) = agent.tree_at(base) else { return Ok(None) };
                let diff = decode_diff(&diff, schema, seed).map_err(|error| error.to_string())?;
                let changed = diff.apply(&tree).map_err(|error| error.to_string())?;
                let candidate = Box::new(Candidate::from_parts(base, tree, changed, footprint));
                Content::of(Change::Candidate { candidate, ask, confirms })
            }
            RequestBody::Cancel { persist_id } => Content::of(Change::Cancel { persist_id }),
            RequestBody::Restore(revision) => Content::of(Change::Restore(revision)),
            RequestBody::Lock(target) => Content::Lock(target),
            RequestBody::Unlock(target) => Content::Unlock(target),
            RequestBody::SessionEnd(session) => Content::SessionEnd(session),
            RequestBody::Control(control) => Content::Control(control),
        };
        let TxRequest { head, held, test_only, comment, .. } = request;
        Ok(Some(Self { head, held, test_only, comment, content }))
    }
}

fn change_to_wire(change: &Change, schema: &Schema) -> Option<RequestBody> {
    Some(match change {
        Change::Edit(edit) => RequestBody::Edit(edit.clone()),
        Change::Initial(edit) => RequestBody::Initial(edit.clone()),
        Change::Replace(tree) => RequestBody::Replace(tree_bytes(tree, schema)),
        Change::Validate(tree) => RequestBody::Validate(tree_bytes(tree, schema)),
        Change::Candidate { candidate, ask, confirms } => {
            let (base, base_tree, footprint) = candidate.base();
            RequestBody::Candidate(Box::new(CandidateChange {
                base,
                diff: encode_diff(&diff(base_tree, candidate.tree()), schema),
                footprint: footprint.clone(),
                ask: ask.clone(),
                confirms: *confirms,
            }))
        }
        Change::Cancel { persist_id } => RequestBody::Cancel { persist_id: persist_id.clone() },
        Change::Restore(revision) => RequestBody::Restore(*revision),
        Change::Rollback(_) => return None,
    })
}

fn tree_bytes(tree: &Tree, schema: &Schema) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_tree(tree, schema, &mut |piece| bytes.extend_from_slice(piece));
    bytes
}

fn decode_tree(bytes: &[u8], schema: &Schema, seed: Seed) -> Result<Tree, String> {
    let mut decoder = TreeDecoder::new(schema, seed);
    let pushed = decoder.push(bytes);
    pushed.and_then(|()| decoder.finish()).map_err(|error| error.to_string())
}
