//! The replicated state that a data directory holds.

use crate::agent::start::{WAY_OUT, unreadable};
use crate::base::rules::Rules;
use crate::raft::{EntryKind, LogEntry, MembershipChange, RecoveredLog};
use crate::replication::apply::{Applied, Knowledge, Position, apply};
use crate::replication::entry::Entry;
use crate::replication::snapshot::Decoder;
use crate::replication::state::State;
use crate::storage::{Disk, Identity, SnapshotReader};
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree};
use std::sync::Arc;

/// The state that the log goes on from.
///
/// # Errors
/// If the snapshot cannot be read, or names what the models do not have.
pub(super) fn recovered_state(
    disk: &Arc<dyn Disk>,
    raft: &RecoveredLog,
    schema: &Schema,
    identity: &Identity,
) -> anyhow::Result<State> {
    let Some(snapshot) = &raft.snapshot else {
        let seed = Seed(u128::from_le_bytes(identity.tree_seed));
        return Ok(State::new(Tree::empty(seed)));
    };
    let index = snapshot.position.index;
    let mut reader = SnapshotReader::open(Arc::clone(disk), index)?;
    let misfit = |why| {
        anyhow::anyhow!(
            "the configuration in the snapshot of entry {index} does not fit the models: {why}. To keep it, {WAY_OUT}"
        )
    };
    let mut decoder = Decoder::new(schema);
    while let Some(piece) = reader.read()? {
        decoder.push(&piece).map_err(misfit)?;
    }
    decoder.finish().map_err(misfit)
}

/// The state after all that is in the log. Each change is held against the digests that its entry states.
///
/// # Errors
/// If an entry cannot be read, names what the models do not have, or makes other data than it states.
pub(super) fn replay(
    mut state: State,
    entries: &[LogEntry],
    schema: &Schema,
) -> anyhow::Result<State> {
    for entry in entries {
        let index = entry.index;
        let no_entry = |why: String| anyhow::anyhow!("log entry {index} cannot be read: {why}");
        let bytes = match entry.kind {
            EntryKind::Normal if entry.data.is_empty() => continue,
            EntryKind::Normal => entry.data.to_vec(),
            EntryKind::Membership => {
                let change = MembershipChange::decode(&entry.data);
                change.map_err(|why| no_entry(why.to_owned()))?.context().to_vec()
            }
        };
        if bytes.is_empty() {
            continue;
        }
        let decoded = Entry::decode(&bytes).map_err(|error| no_entry(error.to_string()))?;
        let position = Position { index, term: entry.term };
        let knowledge = Knowledge { schema, result: None, settled: None, rules: Rules::default() };
        let (next, applied) = apply(&state, position, &decoded, knowledge);
        match applied {
            Applied::Void | Applied::Known | Applied::Done(_) => state = next,
            Applied::Unreadable(reason) => anyhow::bail!("{}", unreadable(index, &reason)),
            Applied::Diverged { stated, found } => anyhow::bail!(
                "log entry {index} states data with the digest {stated}, and there are others with {found}"
            ),
        }
    }
    Ok(state)
}
