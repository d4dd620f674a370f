//! The replicated state as the bytes of a snapshot.
//!
//! `"QRS1"`, the length of the head, the head (everything but trees), running, and the tree that a pending confirmed
//! commit restores. All trees by names, so that a snapshot can be read under another numbering of the schema.

use super::state::{Charter, Committed, Lock, Member, State, Token};
use crate::base::ids::{Digest, Incarnation, LogIndex, Revision, SessionKey, TxId};
use crate::base::policy::Policy;
use crate::transaction::confirmed::ConfirmedCommit;
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree, TreeDecoder, encode_tree};
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

fn read_tree(input: &mut &[u8], seed: Seed, schema: &Schema) -> Result<Tree, SnapshotError> {
    let mut decoder = TreeDecoder::new(schema, seed);
    loop {
        let short = || error("it ends too early");
        let (length, rest) = input.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(error)?;
        let (piece, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        *input = rest;
        if piece.is_empty() {
            return decoder.finish().map_err(error);
        }
        decoder.push(piece).map_err(error)?;
    }
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
        history: head.history.into_iter().collect(),
        next_session_id: head.next_session_id,
        next_incarnation: head.next_incarnation,
        charter: head.charter,
        tokens: head.tokens,
        policy: head.policy,
    })
}
