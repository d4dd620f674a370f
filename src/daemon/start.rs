//! From configuration to a running engine: models, data directory, log, agent. Any fault here is one line and no start.

use super::configuration::{Configuration, value};
use super::engine::{self, Parts, Running};
use super::participants::Participants;
use crate::agent::slot::Registration as SlotRegistration;
use crate::agent::{Agent, Parameters, StorageSpace};
use crate::api::hook::ParticipantId;
use crate::api::participant::{Participant, Registration};
use crate::base::ids::{Boot, ClusterId, Incarnation, Lineage};
use crate::base::limits::PARTICIPANTS_MAX;
use crate::base::rules::Rules;
use crate::datastore::edit::Edit;
use crate::datastore::store::{Datastores, Presence, RunningAccess};
use crate::io::disk::RealDisk;
use crate::io::random;
use crate::netconf::state::View;
use crate::raft::{Node, NodeConfig, RecoveredLog};
use crate::replication::state::State;
use crate::storage::{
    Disk, Identity, IdentityError, LogOptions, Recovered, Reserve, SnapshotReader, recover,
};
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree};
use anyhow::Context;
use std::sync::Arc;

/// Ticks of 10 ms: 250 to 500 ms without a leader, a heartbeat each 50 ms.
const ELECTION_TICKS: usize = 25;
const HEARTBEAT_TICKS: usize = 5;

/// A participant with its registration.
pub(crate) type Registered = (Registration, Box<dyn Participant>);

/// Opens the data directory and starts the agent's thread.
pub(crate) fn start(
    configuration: &Configuration,
    schema: &Arc<Schema>,
    participants: Vec<Registered>,
) -> anyhow::Result<Running> {
    let initial = read_initial(configuration, schema)?;
    let registrations = register(schema, &participants)?;
    let directory = &configuration.data_dir;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(directory)?);
    let identity = identity(&*disk)?;
    let Recovered { log, raft, cut, damaged_snapshots } =
        recover(Arc::clone(&disk), LogOptions::default())
            .with_context(|| format!("the log in {} cannot be used", directory.display()))?;
    if let Some(cut) = cut {
        tracing::info!(file = cut.file, offset = cut.offset, "an unfinished write was cut off");
    }
    for file in damaged_snapshots {
        tracing::warn!(file, "a damaged snapshot was passed over; the log makes up for it");
    }
    let storage = hold_reserve(&*disk)?;
    let state = recovered_state(&disk, &raft, schema, &identity)?;
    let base = raft.base();
    let node = Node::new(&node_config(&identity)?, raft)?;
    let datastores = datastores(configuration)?;
    let view = Arc::new(view_of(&state, datastores));
    let parameters = Parameters {
        schema: Arc::clone(schema),
        incarnation: identity.incarnation,
        boot: identity.boot,
        name: crate::io::host::name(),
        address: String::new(),
        cluster: identity.cluster,
        lineage: identity.lineage,
        datastores,
        sessions_max: configuration.sessions.max,
        initial,
        participants: registrations,
        rules: Rules::default(),
    };
    let mut agent = Agent::new(parameters, node, state, base);
    agent.set_storage(storage);
    let (answers, hook_answers) = tokio::sync::mpsc::channel(PARTICIPANTS_MAX);
    let numbered =
        participants.into_iter().zip(0..).map(|((registration, participant), number)| {
            (ParticipantId(number), registration.name, participant)
        });
    let participants = Participants::start(numbered.collect(), schema, &answers)?;
    let schema = Arc::clone(schema);
    let snapshot_log_bytes = configuration.storage.snapshot_log_bytes;
    Ok(engine::start(Parts {
        agent,
        disk,
        log,
        schema,
        participants,
        hook_answers,
        view,
        snapshot_log_bytes,
    })?)
}

/// What the configuration asks for; there is no startup datastore.
pub(crate) fn datastores(configuration: &Configuration) -> anyhow::Result<Datastores> {
    let running = match configuration.datastores.running_access {
        value::RunningAccess::ReadWrite => RunningAccess::ReadWrite,
        value::RunningAccess::ThroughCandidate => RunningAccess::ThroughCandidate,
    };
    let candidate = if configuration.datastores.candidate { Presence::On } else { Presence::Off };
    Ok(Datastores::new(running, candidate, Presence::Off)?)
}

/// Keeps space back for a full disk. A disk that is full already is served from, but takes no changes.
fn hold_reserve(disk: &dyn Disk) -> anyhow::Result<StorageSpace> {
    match Reserve::default().hold(disk) {
        Ok(()) => Ok(StorageSpace::Enough),
        Err(error) if error.is_no_space() => {
            tracing::error!("the disk is full; changes are refused until there is space");
            Ok(StorageSpace::Full)
        }
        Err(error) => Err(error.into()),
    }
}

/// The identity of this directory: a new life of it, or a new cluster of one in an empty directory.
fn identity(disk: &dyn Disk) -> anyhow::Result<Identity> {
    let nonce = random::number()?;
    let started = match Identity::start(disk, nonce) {
        // The reserve is what a full disk is started with.
        Err(IdentityError::Disk(error))
            if error.is_no_space() && Reserve::default().release(disk)? =>
        {
            Identity::start(disk, nonce)
        }
        started => started,
    };
    if let Some(identity) = started? {
        return Ok(identity);
    }
    let wide = || -> anyhow::Result<u128> {
        Ok(u128::from(random::number()?) << 64 | u128::from(random::number()?))
    };
    let identity = Identity {
        cluster: ClusterId(wide()?),
        lineage: Lineage(wide()?),
        incarnation: Incarnation(1),
        boot: Boot { counter: 1, nonce: random::number()? },
        tree_seed: wide()?.to_le_bytes(),
    };
    identity.create(disk)?;
    Ok(identity)
}

fn node_config(identity: &Identity) -> anyhow::Result<NodeConfig> {
    Ok(NodeConfig {
        id: identity.incarnation,
        voters: vec![identity.incarnation],
        seed: random::number()?,
        election_ticks: ELECTION_TICKS,
        heartbeat_ticks: HEARTBEAT_TICKS,
    })
}

fn recovered_state(
    disk: &Arc<dyn Disk>,
    raft: &RecoveredLog,
    schema: &Schema,
    identity: &Identity,
) -> anyhow::Result<State> {
    let Some(snapshot) = &raft.snapshot else {
        let seed = Seed(u128::from_le_bytes(identity.tree_seed));
        return Ok(State::new(Tree::empty(seed)));
    };
    let mut reader = SnapshotReader::open(Arc::clone(disk), snapshot.position.index)?;
    let mut bytes = Vec::new();
    while let Some(piece) = reader.read()? {
        bytes.extend_from_slice(&piece);
    }
    crate::replication::snapshot::decode(&bytes, schema)
        .context("the stored configuration does not fit the models")
}

fn view_of(state: &State, datastores: Datastores) -> View {
    View {
        running: state.shared.clone(),
        candidate: datastores.may_commit().then(|| state.shared.clone()),
        startup: None,
        sessions: Arc::default(),
        locks: Vec::new(),
        cluster: Arc::default(),
    }
}

/// The content of `--initial-config`.
fn read_initial(configuration: &Configuration, schema: &Schema) -> anyhow::Result<Option<Edit>> {
    let Some(path) = &configuration.initial_config else { return Ok(None) };
    let text = std::fs::read(path)
        .with_context(|| format!("the initial configuration {} cannot be read", path.display()))?;
    let edit = crate::netconf::document::read_document(&text, schema).map_err(|error| {
        anyhow::anyhow!("the initial configuration {} is refused: {error}", path.display())
    })?;
    Ok(Some(edit))
}

fn register(schema: &Schema, participants: &[Registered]) -> anyhow::Result<Vec<SlotRegistration>> {
    anyhow::ensure!(
        participants.len() <= PARTICIPANTS_MAX,
        "{} participants are registered, at most {PARTICIPANTS_MAX} can be",
        participants.len()
    );
    let numbered = participants.iter().zip(0..);
    numbered
        .map(|((registration, _), number)| {
            let path = |text: &String| {
                crate::yang::path_text::parse_schema_path(schema, text).with_context(|| {
                    let name = &registration.name;
                    format!("participant {name} is registered for {text}, which is no data node")
                })
            };
            Ok(SlotRegistration {
                id: ParticipantId(number),
                name: registration.name.clone(),
                paths: registration.paths.iter().map(path).collect::<anyhow::Result<_>>()?,
                priority: registration.priority,
                deadline_ms: u64::try_from(registration.deadline.as_millis()).unwrap_or(u64::MAX),
                rewrites: registration.rewrites,
            })
        })
        .collect()
}
