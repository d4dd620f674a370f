//! The replicated state as the bytes of a snapshot.
//!
//! `"QRS1"`, the length of the head, the head (everything but trees), running, and the tree that a pending confirmed
//! commit restores. All trees by names, so that a snapshot can be read under another numbering of the schema.

use super::state::{Committed, Lock, Member, State};
use crate::base::ids::{Digest, Incarnation, LogIndex, Revision, SessionKey, TxId};
use crate::transaction::confirmed::ConfirmedCommit;
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree, TreeDecoder, encode_tree};
use serde::{Deserialize, Serialize};

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
    history: Vec<Committed>,
    next_session_id: u32,
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
        history: state.history.iter().cloned().collect(),
        next_session_id: state.next_session_id,
    };
    let head = postcard::to_stdvec(&head).map_err(error)?;
    write(MAGIC);
    write(&u64::try_from(head.len()).map_err(error)?.to_le_bytes());
    write(&head);
    write_tree(&state.shared, schema, write);
    if let Some(pending) = &state.confirmed {
        write_tree(&pending.base, schema, write);
    }
    Ok(())
}

/// A tree as pieces with their lengths; an empty piece ends it.
fn write_tree(tree: &Tree, schema: &Schema, write: &mut dyn FnMut(&[u8])) {
    encode_tree(tree, schema, &mut |piece| {
        for piece in piece.chunks(PIECE_BYTES_MAX) {
            let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            write(&length.to_le_bytes());
            write(piece);
        }
    });
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
    tree: Option<TreeDecoder<'a>>,
    /// Running, then the tree that a pending confirmed commit restores.
    trees: Vec<Tree>,
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
        let (buffer, trees) = (Vec::new(), Vec::new());
        Self { schema, buffer, expected: Expected::Start, head: None, tree: None, trees }
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
        Ok(State {
            schema_id: head.schema_id,
            revision: head.revision,
            shared,
            members: head.members,
            locks: head.locks,
            confirmed,
            outcomes: head.outcomes.into_iter().collect(),
            control: head.control.into_iter().collect(),
            history: head.history.into_iter().collect(),
            next_session_id: head.next_session_id,
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
                self.tree = Some(TreeDecoder::new(self.schema, head.seed));
                self.head = Some(head);
                Expected::Length
            }
            Expected::Length => {
                let length = part.first_chunk::<LENGTH_BYTES>().copied().unwrap_or_default();
                match usize::try_from(u32::from_le_bytes(length)).map_err(error)? {
                    0 => self.end_tree()?,
                    length if length > PIECE_BYTES_MAX => return Err(error("a piece is too long")),
                    length => Expected::Piece(length),
                }
            }
            Expected::Piece(_) => {
                if let Some(tree) = &mut self.tree {
                    tree.push(part).map_err(error)?;
                }
                Expected::Length
            }
            Expected::End => Expected::End,
        };
        Ok(())
    }

    fn end_tree(&mut self) -> Result<Expected, SnapshotError> {
        if let Some(tree) = self.tree.take() {
            self.trees.push(tree.finish().map_err(error)?);
        }
        match &self.head {
            Some(head) if head.confirmed.is_some() && self.trees.len() == 1 => {
                self.tree = Some(TreeDecoder::new(self.schema, head.seed));
                Ok(Expected::Length)
            }
            Some(_) | None => Ok(Expected::End),
        }
    }
}
