//! `quorate verify`: what a data directory holds, and whether a node could go on from it. Nothing is changed.

use super::configuration::{Configuration, Overrides};
use super::member::name_of;
use super::models;
use super::replay::{recovered_state, replay};
use super::start::{datastores, is_alone, without_credentials};
use crate::agent::start::{WAY_OUT, misfits};
use crate::base::ids::{Digest, Incarnation, Revision};
use crate::io::disk::read_only::ReadOnlyDisk;
use crate::io::peer::read_credentials;
use crate::replication::apply::data_digest;
use crate::replication::state::State;
use crate::storage::{Disk, Identity, SnapshotReader, Verified, verify as verify_storage};
use crate::yang::schema::Schema;
use crate::yang::tree::{ChildRef, Container, Tree};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// What is in a data directory. A part that cannot be read is absent, and a finding says why.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    pub(crate) directory: String,
    pub(crate) sound: bool,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    pub(crate) member: Option<MemberReport>,
    pub(crate) schema: SchemaReport,
    pub(crate) snapshot: Option<SnapshotReport>,
    pub(crate) log: Option<LogReport>,
    /// How often running was changed.
    pub(crate) revision: Option<u64>,
    pub(crate) datastores: Vec<DatastoreReport>,
    /// What is remarkable and as it should be.
    pub(crate) notes: Vec<String>,
    /// What is not as it should be, each with what to do.
    pub(crate) findings: Vec<String>,
}

/// Whose directory it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MemberReport {
    pub(crate) cluster: String,
    pub(crate) cluster_name: Option<String>,
    pub(crate) lineage: String,
    pub(crate) incarnation: u64,
    /// How often it started.
    pub(crate) boots: u64,
}

/// The digests of the models.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SchemaReport {
    /// Those that the data were valid under last.
    pub(crate) stored: Option<String>,
    /// Those that the data are held against now.
    pub(crate) given: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SnapshotReport {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) bytes: u64,
    pub(crate) voters: Vec<u64>,
    /// Not empty in a joint configuration.
    pub(crate) outgoing_voters: Vec<u64>,
    pub(crate) learners: Vec<u64>,
}

/// Entries behind the snapshot.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LogReport {
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    /// So much is known to be committed; it may be more.
    pub(crate) committed: u64,
    pub(crate) segments: usize,
    pub(crate) bytes: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DatastoreReport {
    pub(crate) name: &'static str,
    pub(crate) instances: u64,
    pub(crate) digest: String,
}

/// Checks the directory against the models that these settings name.
///
/// # Errors
/// If nothing could be checked: the settings or the models are wrong, or the directory is in use or not there.
pub(crate) fn verify(directory: &Path, settings: Overrides) -> anyhow::Result<Report> {
    let configuration = Configuration::load(settings)?;
    let schema = models::load(&configuration, datastores(&configuration)?)?;
    let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk::open(directory)?);
    let mut check = Check { directory, disk, schema, report: Report::default() };
    check.all()?;
    let mut report = check.report;
    report.sound = report.findings.is_empty();
    Ok(report)
}

struct Check<'a> {
    directory: &'a Path,
    disk: Arc<dyn Disk>,
    schema: Arc<Schema>,
    report: Report,
}

impl Check<'_> {
    fn all(&mut self) -> anyhow::Result<()> {
        self.report.directory = self.directory.display().to_string();
        self.report.schema.given = self.schema.schema_id.to_string();
        for file in self.disk.list()? {
            self.report.bytes = self.report.bytes.saturating_add(self.disk.size(&file)?);
        }
        let identity = self.identity();
        let Some(stored) = self.storage() else { return Ok(()) };
        let Some(identity) = identity else { return Ok(()) };
        self.credentials(&identity, &stored);
        let state = recovered_state(&self.disk, &stored.raft, &self.schema, &identity)
            .and_then(|state| replay(state, &stored.raft.entries, &self.schema));
        match state {
            Ok(state) => self.state(&state),
            Err(error) => self.find(error),
        }
        Ok(())
    }

    fn find(&mut self, finding: impl ToString) {
        self.report.findings.push(finding.to_string());
    }

    fn identity(&mut self) -> Option<Identity> {
        match Identity::read(&*self.disk) {
            Ok(Some(identity)) => {
                self.report.member = Some(MemberReport {
                    cluster: format!("{:032x}", identity.cluster.0),
                    cluster_name: None,
                    lineage: format!("{:032x}", identity.lineage.0),
                    incarnation: identity.incarnation.0,
                    boots: identity.boot.counter,
                });
                Some(identity)
            }
            Ok(None) => {
                self.find(
                    "the file identity is missing, so that no node goes on from this directory: restore a backup of all \
                     of it, or start with an empty one",
                );
                None
            }
            Err(error) => {
                self.find(error);
                None
            }
        }
    }

    /// Log and snapshots, byte by byte.
    fn storage(&mut self) -> Option<Verified> {
        let stored = match verify_storage(&*self.disk) {
            Ok(stored) => stored,
            Err(error) => {
                self.find(error);
                return None;
            }
        };
        if stored.segments == 0 && stored.raft.snapshot.is_some() {
            self.find(
                "there is a snapshot and no file of the log, so that what was committed behind it is lost: restore a \
                 backup of the whole directory, or join again as a new member",
            );
        }
        for file in &stored.damaged_snapshots {
            self.find(format!(
                "{file} is damaged; the log makes up for it at the next start. What else is on this disk may be damaged, \
                 too: look after it"
            ));
        }
        if let Some(cut) = &stored.cut {
            self.report.notes.push(format!(
                "{} has an unfinished write at byte {}: it was never answered, and is cut off at the next start",
                cut.file, cut.offset
            ));
        }
        if let Some(meta) = &stored.raft.snapshot {
            let reader = SnapshotReader::open(Arc::clone(&self.disk), meta.position.index);
            let numbers = |members: &[Incarnation]| members.iter().map(|it| it.0).collect();
            self.report.snapshot = Some(SnapshotReport {
                index: meta.position.index.0,
                term: meta.position.term.0,
                bytes: reader.map_or(0, |reader| reader.file_bytes()),
                voters: numbers(&meta.conf_state.voters),
                outgoing_voters: numbers(&meta.conf_state.voters_outgoing),
                learners: numbers(&meta.conf_state.learners),
            });
        }
        let raft = &stored.raft;
        self.report.log = Some(LogReport {
            first: raft.entries.first().map(|entry| entry.index.0),
            last: raft.entries.last().map(|entry| entry.index.0),
            committed: raft.hard_state.committed.0,
            segments: stored.segments,
            bytes: stored.log_bytes,
        });
        Some(stored)
    }

    fn credentials(&mut self, identity: &Identity, stored: &Verified) {
        match read_credentials(&*self.disk) {
            Ok(Some(credentials)) if credentials.are_of(&name_of(identity)) => {}
            Ok(_) if is_alone(identity, &stored.raft) => {}
            Ok(_) => self.find(without_credentials(self.directory, identity)),
            Err(error) => self.find(format!(
                "{error}: restore that file, or join again with --join, --token and --discard-local-data"
            )),
        }
    }

    /// What log and snapshot amount to, held against the models.
    fn state(&mut self, state: &State) {
        self.report.revision = Some(state.revision.0);
        if let (Some(member), Some(charter)) = (&mut self.report.member, &state.charter) {
            member.cluster_name = Some(charter.name.clone());
        }
        let is_known = state.schema_id != Digest::default();
        self.report.schema.stored = is_known.then(|| state.schema_id.to_string());
        let same = state.schema_id == self.schema.schema_id;
        // The empty revision at the beginning is nobody's, and need not be valid.
        if state.revision != Revision(0) {
            self.datastore("running", &state.shared, same);
        }
        if let Some(pending) = &state.confirmed {
            let revision = pending.base_revision;
            self.report.notes.push(format!(
                "a confirmed commit waits: unless it is confirmed, revision {revision} comes back"
            ));
            self.datastore("running before the confirmed commit", &pending.base, same);
        }
        if is_known && !same && self.report.findings.is_empty() {
            self.report.notes.push(
                "the models are others than at the last start, and the stored configuration fits them".to_owned(),
            );
        }
    }

    fn datastore(&mut self, name: &'static str, tree: &Tree, same_models: bool) {
        self.report.datastores.push(DatastoreReport {
            name,
            instances: instances(&tree.root),
            digest: data_digest(tree, &self.schema).to_string(),
        });
        let what_to_do = match same_models {
            true => "It was valid when it was committed: restore a backup, or join again as a new member".to_owned(),
            false => format!("To keep it, {WAY_OUT}"),
        };
        for misfit in misfits(&self.schema, tree) {
            self.find(format!("{name} does not fit the models: {misfit}. {what_to_do}"));
        }
    }
}

/// Data nodes below the container. The depth is that of the schema.
fn instances(container: &Container) -> u64 {
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let below = |(_, child): (_, ChildRef<'_>)| match child {
        ChildRef::Leaf(_) | ChildRef::Any(_) => 1,
        ChildRef::Container(inner) => instances(inner).saturating_add(1),
        ChildRef::LeafList(items) => count(items.len()),
        ChildRef::List(entries) => {
            entries.iter().map(|(_, entry)| instances(entry).saturating_add(1)).sum()
        }
    };
    container.iter().map(below).sum()
}
