//! The configuration file as it is written. A key that is not here is an error.

use super::value::{
    Bounded, FeatureChoice, HashValue, HostPort, KeyValue, LogFormat, LogLevel, Mode, ModuleChoice,
    NodeName, PeerListen, RunningAccess, SshListen, UnixListen,
};
use crate::io::session::MinorityReads;
use crate::netconf::rpc::Consistency;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) yang_dirs: Option<Vec<PathBuf>>,
    pub(super) modules: Option<Vec<ModuleChoice>>,
    pub(super) features: Option<Vec<FeatureChoice>>,
    pub(super) initial_config: Option<PathBuf>,
    #[serde(default)]
    pub(super) ssh: Ssh,
    #[serde(default)]
    pub(super) unix: Unix,
    #[serde(default)]
    pub(super) users: Vec<User>,
    #[serde(default)]
    pub(super) datastores: Datastores,
    #[serde(default)]
    pub(super) sessions: Sessions,
    #[serde(default)]
    pub(super) cluster: Cluster,
    #[serde(default)]
    pub(super) storage: Storage,
    #[serde(default)]
    pub(super) log: Log,
}

/// `[ssh]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Ssh {
    pub(super) listen: Option<SshListen>,
    pub(super) host_keys: Option<Vec<PathBuf>>,
    pub(super) auth_attempts_max: Option<Bounded<1, 100>>,
    pub(super) auth_timeout_s: Option<Bounded<1, DAY_S>>,
    pub(super) unauthenticated_max: Option<Bounded<1, 65_535>>,
}

/// `[unix]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Unix {
    pub(super) path: Option<UnixListen>,
    pub(super) mode: Option<Mode>,
}

/// `[[users]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password_hash: Option<HashValue>,
    #[serde(default)]
    pub(super) authorized_keys: Vec<KeyValue>,
    pub(super) authorized_keys_file: Option<PathBuf>,
    pub(super) admin: Option<bool>,
}

/// `[datastores]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Datastores {
    pub(super) running_access: Option<RunningAccess>,
    pub(super) candidate: Option<bool>,
}

/// `[sessions]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Sessions {
    pub(super) max: Option<Bounded<1, 65_536>>,
    pub(super) hello_timeout_s: Option<Bounded<1, DAY_S>>,
    pub(super) idle_timeout_s: Option<Bounded<0, 31_536_000>>,
}

/// `[cluster]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Cluster {
    pub(super) node_name: Option<NodeName>,
    pub(super) listen: Option<PeerListen>,
    pub(super) advertise: Option<HostPort>,
    pub(super) reads: Option<Consistency>,
    pub(super) minority_reads: Option<MinorityReads>,
    pub(super) read_wait_ms: Option<Bounded<0, 60_000>>,
    pub(super) session_lease_s: Option<Bounded<1, DAY_S>>,
}

/// `[storage]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Storage {
    pub(super) snapshot_log_mib: Option<Bounded<1, 65_536>>,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Log {
    pub(super) level: Option<LogLevel>,
    pub(super) format: Option<LogFormat>,
}

/// Reads the file's text. Paths in it that are not absolute begin where the file is.
///
/// # Errors
/// One line: the file, the line in it, the key, and what is allowed there.
pub(super) fn parse(path: &Path, text: &str) -> Result<File, String> {
    let mut file: File = toml::from_str(text).map_err(|error| describe(path, text, &error))?;
    let base = path.parent().unwrap_or(Path::new(""));
    let rebase = |path: &mut PathBuf| *path = base.join(&*path);
    file.data_dir.iter_mut().for_each(rebase);
    file.yang_dirs.iter_mut().flatten().for_each(rebase);
    file.initial_config.iter_mut().for_each(rebase);
    file.ssh.host_keys.iter_mut().flatten().for_each(rebase);
    if let Some(UnixListen::At(path)) = &mut file.unix.path {
        rebase(path);
    }
    file.users.iter_mut().filter_map(|user| user.authorized_keys_file.as_mut()).for_each(rebase);
    Ok(file)
}

fn describe(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let mut place = path.display().to_string();
    if let Some(before) = error.span().and_then(|span| text.get(..span.start)) {
        let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
        let line = if before.is_empty() { 1 } else { line };
        place.push_str(&format!(":{line}"));
        let lines: Vec<_> = text.lines().take(line).collect();
        if let Some(key) = key_at(&lines) {
            place.push_str(&format!(": {key}"));
        }
    }
    let message: Vec<_> = error.message().lines().map(str::trim).collect();
    format!("{place}: {}", message.join("; "))
}

/// The key that the last of the lines belongs to, with its table.
fn key_at(lines: &[&str]) -> Option<String> {
    let table = lines.iter().rev().find_map(|line| {
        let inner = line.trim().strip_prefix('[')?;
        let name = inner.trim_start_matches('[').split(']').next()?;
        Some(name.trim().to_owned()).filter(|name| !name.contains(['"', ',']))
    });
    let last = lines.last()?.trim();
    let key = match last.split_once('=') {
        Some((key, _)) if !last.starts_with(['[', '#', '"']) => Some(key.trim()),
        Some(_) | None => None,
    };
    match (table, key) {
        (Some(table), Some(key)) => Some(format!("{table}.{key}")),
        (Some(table), None) => Some(table),
        (None, key) => key.map(str::to_owned),
    }
}
