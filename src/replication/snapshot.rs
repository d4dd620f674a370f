//! The replicated state as the bytes of a snapshot.
//!
//! `"QRS1"`, the length of the head, the head (everything but trees), running, and the tree that a pending confirmed
//! commit restores, and what is kept of earlier revisions, each as its difference to the next. All by names, so that a
//! snapshot can be read under another numbering of the schema.

use super::state::{Charter, Committed, Kept, Lock, Member, State, Token};
use crate::base::ids::{Digest, Incarnation, LogIndex, Revision, SessionKey, TxId};
use crate::base::policy::Policy;
use crate::transaction::confirmed::ConfirmedCommit;
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree, TreeDecoder, decode_diff, diff, encode_diff, encode_tree};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"QRS1";
/// Bytes of one piece of a tree.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// The magic and the length of the head.
const START_BYTES: usize = 12;
/// The length of a piece.
const LENGTH_BYTES: usize = 4;

#[derive(Serialize, Deserialize)]
struct Head {
    schema_id: Digest,
    seed: Seed,
    revision: Revision,
    members: Vec<Member>,
    locks: Vec<Lock>,
    confirmed: Option<ConfirmedHead>,
    outcomes: Vec<(TxId, Revision)>,
    control: Vec<TxId>,
    /// Revisions and costs of what is kept, oldest first.
    kept: Vec<(Revision, u64)>,
    history: Vec<Arc<Committed>>,
    next_session_id: u32,
    next_incarnation: u64,
    charter: Option<Arc<Charter>>,
    tokens: Vec<Token>,
    policy: Policy,
}

#[derive(Serialize, Deserialize)]
struct ConfirmedHead {
    generation: LogIndex,
    persist_id: Option<String>,
    owner: SessionKey,
    base_revision: Revision,
    timeout_s: u32,
    alive: Vec<(Incarnation, u64)>,
}

/// Why bytes are no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a snapshot cannot be read: {0}")]
pub(crate) struct SnapshotError(String);

fn error(reason: impl ToString) -> SnapshotError {
    SnapshotError(reason.to_string())
}

/// Gives the snapshot of `state` to `write` in bounded pieces.
pub(crate) fn encode(
    state: &State,
    schema: &Schema,
    write: &mut dyn FnMut(&[u8]),
) -> Result<(), SnapshotError> {
    let confirmed = state.confirmed.as_ref().map(|pending| ConfirmedHead {
        generation: pending.generation,
        persist_id: pending.persist_id.clone(),
        owner: pending.owner,
        base_revision: pending.base_revision,
        timeout_s: pending.timeout_s,
        alive: pending.alive.clone(),
    });
    let head = Head {
        schema_id: state.schema_id,
        seed: state.shared.seed,
        revision: state.revision,
        members: state.members.clone(),
        locks: state.locks.clone(),
        confirmed,
        outcomes: state.outcomes.iter().map(|(txid, revision)| (*txid, *revision)).collect(),
        control: state.control.iter().copied().collect(),
        kept: state.kept.iter().map(|kept| (kept.revision, kept.cost)).collect(),
        history: state.history.iter().cloned().collect(),
        next_session_id: state.next_session_id,
        next_incarnation: state.next_incarnation,
        charter: state.charter.clone(),
        tokens: state.tokens.clone(),
        policy: state.policy,
    };
    let head = postcard::to_stdvec(&head).map_err(error)?;
    write(MAGIC);
    write(&u64::try_from(head.len()).map_err(error)?.to_le_bytes());
    write(&head);
    write_tree(&state.shared, schema, write);
    if let Some(pending) = &state.confirmed {
        write_tree(&pending.base, schema, write);
    }
    let mut newer = &state.shared;
    for kept in state.kept.iter().rev() {
        write_pieces(&encode_diff(&diff(newer, &kept.tree), schema), write);
        write(&0_u32.to_le_bytes());
        newer = &kept.tree;
    }
    Ok(())
}

fn write_pieces(bytes: &[u8], write: &mut dyn FnMut(&[u8])) {
    for piece in bytes.chunks(PIECE_BYTES_MAX) {
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        write(&length.to_le_bytes());
        write(piece);
    }
}

/// A tree as pieces with their lengths; an empty piece ends it.
fn write_tree(tree: &Tree, schema: &Schema, write: &mut dyn FnMut(&[u8])) {
    encode_tree(tree, schema, &mut |piece| write_pieces(piece, write));
    write(&0_u32.to_le_bytes());
}

/// The state that `bytes` hold.
#[cfg(test)]
pub(crate) fn decode(bytes: &[u8], schema: &Schema) -> Result<State, SnapshotError> {
    let mut decoder = Decoder::new(schema);
    decoder.push(bytes)?;
    decoder.finish()
}

/// Reads a snapshot as its bytes come, however they are divided. No more than a piece of it is in memory beside what
/// is made of it.
pub(crate) struct Decoder<'a> {
    schema: &'a Schema,
    /// What has come and is not a whole part yet.
    buffer: Vec<u8>,
    expected: Expected,
    head: Option<Head>,
    part: Part<'a>,
    /// Running, then the tree that a pending confirmed commit restores.
    trees: Vec<Tree>,
    /// The newest first.
    kept: Vec<Tree>,
}

/// What pieces make.
enum Part<'a> {
    Nothing,
    Tree(TreeDecoder<'a>),
    /// The difference of a kept revision to the next newer one.
    Diff(Vec<u8>),
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The magic, and the length of the head.
    Start,
    Head(usize),
    /// The length of a piece of a tree.
    Length,
    Piece(usize),
    End,
}

impl<'a> Decoder<'a> {
    /// Nothing has come yet. Trees get the numbers of `schema`.
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let (buffer, trees, kept) = (Vec::new(), Vec::new(), Vec::new());
        let (expected, part) = (Expected::Start, Part::Nothing);
        Self { schema, buffer, expected, head: None, part, trees, kept }
    }

    /// Takes in the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        while let Some((part, after)) = rest.split_at_checked(self.wanted()) {
            if self.expected == Expected::End {
                break;
            }
            self.take(part)?;
            rest = after;
        }
        if self.expected == Expected::End && !rest.is_empty() {
            return Err(error("something follows its end"));
        }
        self.buffer = rest.to_vec();
        Ok(())
    }

    /// All has come: the state.
    pub(crate) fn finish(self) -> Result<State, SnapshotError> {
        let short = || error("it ends too early");
        let head = self.head.filter(|_| self.expected == Expected::End).ok_or_else(short)?;
        let mut trees = self.trees.into_iter();
        let shared = trees.next().ok_or_else(short)?;
        let confirmed = match head.confirmed {
            Some(pending) => Some(ConfirmedCommit {
                generation: pending.generation,
                persist_id: pending.persist_id,
                owner: pending.owner,
                base: trees.next().ok_or_else(short)?,
                base_revision: pending.base_revision,
                timeout_s: pending.timeout_s,
                alive: pending.alive,
            }),
            None => None,
        };
        let lines = head.kept.into_iter().zip(self.kept.into_iter().rev());
        let kept: imbl::Vector<Kept> =
            lines.map(|((revision, cost), tree)| Kept { revision, tree, cost }).collect();
        let kept_bytes = kept.iter().map(|kept| kept.cost).fold(0, u64::saturating_add);
        Ok(State {
            schema_id: head.schema_id,
            revision: head.revision,
            shared,
            members: head.members,
            locks: head.locks,
            confirmed,
            outcomes: head.outcomes.into_iter().collect(),
            control: head.control.into_iter().collect(),
            kept,
            kept_bytes,
            history: head.history.into_iter().collect(),
            next_session_id: head.next_session_id,
            next_incarnation: head.next_incarnation,
            charter: head.charter,
            tokens: head.tokens,
            policy: head.policy,
        })
    }

    /// Bytes of what comes next.
    fn wanted(&self) -> usize {
        match self.expected {
            Expected::Start => START_BYTES,
            Expected::Length => LENGTH_BYTES,
            Expected::Head(length) | Expected::Piece(length) => length,
            Expected::End => 0,
        }
    }

    fn take(&mut self, part: &[u8]) -> Result<(), SnapshotError> {
        self.expected = match self.expected {
            Expected::Start => {
                let length = part
                    .strip_prefix(MAGIC)
                    .and_then(|length| length.first_chunk::<8>())
                    .ok_or_else(|| error("it does not begin like one"))?;
                Expected::Head(usize::try_from(u64::from_le_bytes(*length)).map_err(error)?)
            }
            Expected::Head(_) => {
                let head: Head = postcard::from_bytes(part).map_err(error)?;
                self.part = Part::Tree(TreeDecoder::new(self.schema, head.seed));
                self.head = Some(head);
                Expected::Length
            }
            Expected::Length => {
                let length = part.first_chunk::<LENGTH_BYTES>().copied().unwrap_or_default();
                match usize::try_from(u32::from_le_bytes(length)).map_err(error)? {
                    0 => self.end_part()?,
                    length if length > PIECE_BYTES_MAX => return Err(error("a piece is too long")),
                    length => Expected::Piece(length),
                }
            }
            Expected::Piece(_) => {
                match &mut self.part {
                    Part::Nothing => {}
                    Part::Tree(tree) => tree.push(part).map_err(error)?,
                    Part::Diff(bytes) => bytes.extend_from_slice(part),
                }
                Expected::Length
            }
            Expected::End => Expected::End,
        };
        Ok(())
    }

    /// A tree or a difference is there as a whole: what comes after it.
    fn end_part(&mut self) -> Result<Expected, SnapshotError> {
        match std::mem::replace(&mut self.part, Part::Nothing) {
            Part::Nothing => {}
            Part::Tree(tree) => self.trees.push(tree.finish().map_err(error)?),
            Part::Diff(bytes) => {
                if let Some(newer) = self.kept.last().or(self.trees.first()) {
                    let older = decode_diff(&bytes, self.schema, newer.seed).map_err(error)?;
                    let older = older.apply(newer).map_err(error)?;
                    self.kept.push(older);
                }
            }
        }
        let Some(head) = &self.head else { return Ok(Expected::End) };
        if head.confirmed.is_some() && self.trees.len() == 1 {
            self.part = Part::Tree(TreeDecoder::new(self.schema, head.seed));
        } else if self.kept.len() < head.kept.len() {
            self.part = Part::Diff(Vec::new());
        } else {
            return Ok(Expected::End);
        }
        Ok(Expected::Length)
    }
}
