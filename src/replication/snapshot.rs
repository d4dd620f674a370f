//! The replicated state as the bytes of a snapshot.
//!
//! `"QRS1"`, the length of the head, the head (everything but trees), running, and the tree that a pending confirmed
//! commit restores, and what is kept of earlier revisions, each as its difference to the next. All by names, so that a snapshot can be read under another numbering of the schema.

use super::state::{Charter, Committed, Kept, Lock, Member, State, Token};
use crate::base::ids::{Digest, Incarnation, LogIndex, Revision, SessionKey, TxId};
use crate::base::policy::Policy;
use crate::transaction::confirmed::ConfirmedCommit;
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree, TreeDecoder, decode_diff, diff, encode_diff, encode_tree};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 4] = b"QRS1";
/// Bytes of one piece of a tree.
const PIECE_BYTES_MAX: usize = 1 << 20;

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
    history: Vec<Committed>,
    next_session_id: u32,
    next_incarnation: u64,
    charter: Option<Charter>,
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

/// What is kept, from the newest to the oldest: each by its difference to the one after it.
fn read_kept(
    input: &mut &[u8],
    shared: &Tree,
    lines: &[(Revision, u64)],
    schema: &Schema,
) -> Result<imbl::Vector<Kept>, SnapshotError> {
    let mut kept = imbl::Vector::new();
    let mut tree = shared.clone();
    for (revision, cost) in lines.iter().rev() {
        let mut bytes = Vec::new();
        while let Some(piece) = read_piece(input)? {
            bytes.extend_from_slice(piece);
        }
        tree =
            decode_diff(&bytes, schema, shared.seed).map_err(error)?.apply(&tree).map_err(error)?;
        kept.push_front(Kept { revision: *revision, tree: tree.clone(), cost: *cost });
    }
    Ok(kept)
}

/// A tree as pieces with their lengths; an empty piece ends it.
fn write_tree(tree: &Tree, schema: &Schema, write: &mut dyn FnMut(&[u8])) {
    encode_tree(tree, schema, &mut |piece| write_pieces(piece, write));
    write(&0_u32.to_le_bytes());
}

fn read_tree(input: &mut &[u8], seed: Seed, schema: &Schema) -> Result<Tree, SnapshotError> {
    let mut decoder = TreeDecoder::new(schema, seed);
    while let Some(piece) = read_piece(input)? {
        decoder.push(piece).map_err(error)?;
    }
    decoder.finish().map_err(error)
}

/// The next piece; none at the end of a tree or a difference.
fn read_piece<'a>(input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, SnapshotError> {
    let short = || error("it ends too early");
    let (length, rest) = input.split_first_chunk::<4>().ok_or_else(short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(error)?;
    let (piece, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    *input = rest;
    Ok((!piece.is_empty()).then_some(piece))
}

/// The state that `bytes` hold.
pub(crate) fn decode(bytes: &[u8], schema: &Schema) -> Result<State, SnapshotError> {
    let short = || error("it ends too early");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| error("it does not begin like one"))?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(error)?;
    let (head, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    let head: Head = postcard::from_bytes(head).map_err(error)?;
    let mut rest = rest;
    let shared = read_tree(&mut rest, head.seed, schema)?;
    let confirmed = match head.confirmed {
        Some(pending) => Some(ConfirmedCommit {
            generation: pending.generation,
            persist_id: pending.persist_id,
            owner: pending.owner,
            base: read_tree(&mut rest, head.seed, schema)?,
            base_revision: pending.base_revision,
            timeout_s: pending.timeout_s,
            alive: pending.alive,
        }),
        None => None,
    };
    let kept = read_kept(&mut rest, &shared, &head.kept, schema)?;
    if !rest.is_empty() {
        return Err(error("something follows its end"));
    }
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
        history: head.history.into_iter().collect(),
        next_session_id: head.next_session_id,
        next_incarnation: head.next_incarnation,
        charter: head.charter,
        tokens: head.tokens,
        policy: head.policy,
    })
}
