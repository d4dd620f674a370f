//! `quorate verify`: checks a data directory while no agent uses it.

use super::run::ModelArguments;
use crate::daemon::configuration::Overrides;
use crate::daemon::verify::{Report, verify};
use clap::Args;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit status if nothing was checked.
const NOT_CHECKED: u8 = 2;

const AFTER_HELP: &str = "\
Reads identity, snapshots and log byte by byte, applies the log and holds each change against the digests in it, and
validates the configuration against the models: those of the configuration file and the flags, as `quorate run` has them.
Nothing in the directory is changed, and no agent starts on it meanwhile. A write that was unfinished when the agent ended
is no fault: it was never answered, and is cut off at the next start.

Exit status:
  0  a node can go on from the directory, and has all that was answered with ok
  1  it is not sound; each line that begins with ! says what is wrong and what to do
  2  nothing was checked: the command line, the configuration file or the models are wrong, or the directory is in use
     or not there

Examples:
  quorate verify --config /etc/quorate/quorate.toml /var/lib/quorate
  quorate verify --yang-dir ./models --module my-device --json /mnt/backup/quorate";

/// Check a data directory, offline.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    models: ModelArguments,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,

    /// The data directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl VerifyArguments {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let report = match verify(&self.directory, self.models.overrides(Overrides::default())) {
            Ok(report) => report,
            Err(error) => {
                super::report(&error);
                return Ok(ExitCode::from(NOT_CHECKED));
            }
        };
        let text = match self.json {
            true => serde_json::to_string_pretty(&report)? + "\n",
            false => page(&report),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(if report.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn page(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a text does not fail.
        writeln!(text, "{name:<10} {value}").unwrap_or_default();
    };
    line("Directory", format!("{}, {} bytes", report.directory, report.bytes));
    if let Some(member) = &report.member {
        let name =
            member.cluster_name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        line("Cluster", format!("{}{name}, lineage {}", member.cluster, member.lineage));
        line(
            "Member",
            format!("incarnation {}, started {} times", member.incarnation, member.boots),
        );
    }
    match &report.schema.stored {
        Some(stored) if *stored == report.schema.given => {
            line("Models", format!("{stored}, as given"))
        }
        Some(stored) => line("Models", format!("{stored}; given are {}", report.schema.given)),
        None => line("Models", format!("none stored; given are {}", report.schema.given)),
    }
    if let Some(log) = &report.log {
        line(
            "Snapshot",
            report.snapshot.as_ref().map_or_else(
                || "none".to_owned(),
                |snapshot| {
                    let (index, term, bytes) = (snapshot.index, snapshot.term, snapshot.bytes);
                    let (voters, learners) = (snapshot.voters.len(), snapshot.learners.len());
                    let joint = match snapshot.outgoing_voters.len() {
                        0 => String::new(),
                        before => format!(" with {before} before"),
                    };
                    format!("at entry {index} of term {term}, {voters} voters{joint}, {learners} learners, {bytes} bytes")
                },
            ),
        );
        let entries = match (log.first, log.last) {
            (Some(first), Some(last)) => format!("entries {first} to {last}"),
            _ => "no entries behind the snapshot".to_owned(),
        };
        let (committed, segments, bytes) = (log.committed, log.segments, log.bytes);
        line(
            "Log",
            format!(
                "{entries}, committed up to {committed} at least, {segments} segments, {bytes} bytes"
            ),
        );
    }
    if let Some(revision) = report.revision {
        line("Revision", revision.to_string());
    }
    for datastore in &report.datastores {
        let (name, instances, digest) = (datastore.name, datastore.instances, &datastore.digest);
        line("Datastore", format!("{name}, {instances} instances, digest {digest}"));
    }
    for note in &report.notes {
        line("Note", note.clone());
    }
    for finding in &report.findings {
        writeln!(text, "! {}", super::one_line(finding)).unwrap_or_default();
    }
    let verdict = match report.findings.len() {
        0 => "It is sound.".to_owned(),
        1 => "It is not sound.".to_owned(),
        findings => format!("It is not sound: {findings} findings."),
    };
    text + &verdict + "\n"
}
