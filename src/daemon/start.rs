//! From configuration to a running engine: models, data directory, log, agent. Any fault here is one line and no start.

use super::configuration::{Configuration, value};
use super::engine::{self, Parts, Running};
use super::member::{self, Place, look, name_of};
use super::participants::Participants;
use super::replay::recovered_state;
use crate::agent::effects::{Lease, PeerAddress};
use crate::agent::slot::Registration as SlotRegistration;
use crate::agent::{Agent, Parameters, StorageSpace};
use crate::api::hook::{CallId, HookAnswer, ParticipantId};
use crate::api::participant::{Participant, Registration};
use crate::base::ids::{Incarnation, LogIndex};
use crate::base::limits::PARTICIPANTS_MAX;
use crate::base::rules::Rules;
use crate::base::time::Timestamp;
use crate::datastore::edit::Edit;
use crate::datastore::store::{Datastores, Presence, RunningAccess};
use crate::io::disk::RealDisk;
use crate::io::peer::{self, Own, PeerServer, PeerSettings};
use crate::io::random;
use crate::netconf::state::View;
use crate::raft::{EntryKind, Node, NodeConfig, RecoveredLog};
use crate::replication::state::{Member, State};
use crate::storage::{Disk, Identity, LogOptions, Recovered, Reserve, recover};
use crate::yang::schema::Schema;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// The first member of every cluster. Its log begins with nothing but itself; all others begin with a snapshot.
pub(super) const FOUNDER: Incarnation = Incarnation(1);
/// Ticks of 10 ms: 250 to 500 ms without a leader, a heartbeat each 50 ms.
const ELECTION_TICKS: usize = 25;
const HEARTBEAT_TICKS: usize = 5;

/// A participant with its registration.
pub(crate) type Registered = (Registration, Box<dyn Participant>);

/// A node whose agent runs.
pub(crate) struct Started {
    pub(crate) running: Running,
    /// To be served.
    pub(crate) peers: PeerServer,
    /// It is a new member that has no state yet.
    pub(crate) joining: bool,
}

/// Opens the data directory, joins a cluster if that is asked for, and starts the agent's thread.
pub(crate) fn start(
    configuration: &Configuration,
    schema: &Arc<Schema>,
    participants: Vec<Registered>,
    runtime: &Runtime,
) -> anyhow::Result<Started> {
    let initial = read_initial(configuration, schema)?;
    let registrations = register(schema, &participants)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(&configuration.data_dir)?);
    let listener = runtime.block_on(listen(configuration, &*disk))?;
    let address = address(configuration, listener.as_ref());
    let place = Place { configuration, disk: &disk, schema, runtime, address: address.clone() };
    let member::Member { identity, credentials, others, rejoin_secret } = place.begin()?;
    let Recovered { log, raft, .. } = recovered(configuration, &disk)?;
    anyhow::ensure!(
        credentials.is_some() || is_alone(&identity, &raft),
        "{}",
        without_credentials(&configuration.data_dir, &identity)
    );
    let storage = hold_reserve(&*disk)?;
    let state = recovered_state(&disk, &raft, schema, &identity)?;
    let others = if others.is_empty() { others_in(&state, &identity) } else { others };
    let base = raft.base();
    let joining = raft.last().index == LogIndex(0) && identity.incarnation != FOUNDER;
    let node = Node::new(&node_config(&identity)?, raft)?;
    let datastores = datastores(configuration)?;
    let view = Arc::new(view_of(&state, datastores));
    let parameters = Parameters {
        schema: Arc::clone(schema),
        incarnation: identity.incarnation,
        boot: identity.boot,
        name: configuration.cluster.name_or_default(),
        address,
        rejoin_secret,
        cluster: identity.cluster,
        lineage: identity.lineage,
        datastores,
        sessions_max: configuration.sessions.max,
        session_lease_ms: configuration.cluster.session_lease_s.saturating_mul(1000),
        initial,
        participants: registrations,
        rules: Rules::default(),
    };
    let mut agent = Agent::new(parameters, node, state, base);
    agent.set_storage(storage);
    // Who has others must hear them before he knows that what he has is not old.
    let lease = if credentials.is_some() { Lease::Until(Timestamp(0)) } else { Lease::Unlimited };
    let (handle, peer_events, peers) = peer::open(PeerSettings {
        own: own(&identity, schema),
        tree_seed: identity.tree_seed,
        credentials,
        listener,
        listen: configuration.cluster.listen_or_default(),
        peers: others,
        disk: Arc::clone(&disk),
        schema: Arc::clone(schema),
    });
    let (participants, hook_answers) = start_participants(participants, schema)?;
    let running = engine::start(Parts {
        agent,
        disk,
        log,
        schema: Arc::clone(schema),
        participants,
        hook_answers,
        peers: handle,
        peer_events,
        view,
        lease,
        snapshot_log_bytes: configuration.storage.snapshot_log_bytes,
    })?;
    Ok(Started { running, peers, joining })
}

/// This node, as it greets others.
fn own(identity: &Identity, schema: &Schema) -> Own {
    Own {
        name: name_of(identity),
        boot: identity.boot,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_id: schema.schema_id,
    }
}

/// Listens for members, if there are any, or it is asked for.
async fn listen(
    configuration: &Configuration,
    disk: &dyn Disk,
) -> anyhow::Result<Option<TcpListener>> {
    let cluster = &configuration.cluster;
    let is_member = look(disk)?.is_some_and(|(_, credentials)| credentials.is_some());
    if !is_member && cluster.listen.is_none() && cluster.join.is_none() {
        return Ok(None);
    }
    let address = cluster.listen_or_default();
    let listener = TcpListener::bind(address).await;
    Ok(Some(listener.with_context(|| format!("cannot listen for members on {address}"))?))
}

/// Where members find this one; empty if the configuration says nothing of it, so that what they know stays.
fn address(configuration: &Configuration, listener: Option<&TcpListener>) -> String {
    let cluster = &configuration.cluster;
    if cluster.advertise.is_none() && cluster.listen.is_none() && cluster.join.is_none() {
        return String::new();
    }
    let listening = listener.and_then(|listener| listener.local_addr().ok());
    cluster.advertise_or_default(listening.unwrap_or_else(|| cluster.listen_or_default()))
}

fn recovered(configuration: &Configuration, disk: &Arc<dyn Disk>) -> anyhow::Result<Recovered> {
    let directory = &configuration.data_dir;
    let recovered = recover(Arc::clone(disk), LogOptions::default())
        .with_context(|| format!("the log in {} cannot be used", directory.display()))?;
    if let Some(cut) = &recovered.cut {
        tracing::info!(file = cut.file, offset = cut.offset, "an unfinished write was cut off");
    }
    for file in &recovered.damaged_snapshots {
        tracing::warn!(file, "a damaged snapshot was passed over; the log makes up for it");
    }
    Ok(recovered)
}

/// Whom to be connected to while the log is applied.
fn others_in(state: &State, identity: &Identity) -> Vec<PeerAddress> {
    let others = state.members.iter().filter(|it| it.incarnation != identity.incarnation);
    let address = |member: &Member| PeerAddress {
        incarnation: member.incarnation,
        name: member.name.to_string(),
        address: member.address.to_string(),
    };
    others.map(address).collect()
}

/// Whether the node is, as far as its log tells, a cluster of one.
pub(super) fn is_alone(identity: &Identity, raft: &RecoveredLog) -> bool {
    let others = raft.snapshot.as_ref().is_some_and(|snapshot| {
        snapshot.conf_state.voters.len().saturating_add(snapshot.conf_state.learners.len()) > 1
    });
    let changes = raft.entries.iter().any(|entry| entry.kind == EntryKind::Membership);
    identity.incarnation == FOUNDER && !others && !changes
}

/// What is said of a member that has lost its key.
pub(super) fn without_credentials(directory: &Path, identity: &Identity) -> String {
    format!(
        "the data directory {} belongs to member {} of a cluster, but its key and certificate, the file member.pem, are \
         missing: restore that file, or join again with --join, --token and --discard-local-data",
        directory.display(),
        identity.incarnation
    )
}

type HookAnswers = mpsc::Receiver<(CallId, HookAnswer)>;

fn start_participants(
    participants: Vec<Registered>,
    schema: &Arc<Schema>,
) -> anyhow::Result<(Participants, HookAnswers)> {
    let (answers, hook_answers) = mpsc::channel(PARTICIPANTS_MAX);
    let numbered =
        participants.into_iter().zip(0..).map(|((registration, participant), number)| {
            (ParticipantId(number), registration.name, participant)
        });
    Ok((Participants::start(numbered.collect(), schema, &answers)?, hook_answers))
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

fn node_config(identity: &Identity) -> anyhow::Result<NodeConfig> {
    Ok(NodeConfig {
        id: identity.incarnation,
        // Whoever joined is sent a snapshot that says who they are.
        voters: Some(identity.incarnation).filter(|own| *own == FOUNDER).into_iter().collect(),
        seed: random::number()?,
        election_ticks: ELECTION_TICKS,
        heartbeat_ticks: HEARTBEAT_TICKS,
    })
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
