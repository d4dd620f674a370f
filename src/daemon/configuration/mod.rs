//! What the operator chose: flag before environment before file before default.

mod file;
#[cfg(test)]
mod tests;
pub(crate) mod value;

use self::value::{
    FeatureChoice, HostPort, LogFormat, LogLevel, Mode, ModuleChoice, NodeName, PeerListen,
    RunningAccess, SshListen, UnixListen,
};
use crate::base::limits::{
    HELLO_TIMEOUT_S, OPERATOR_FILE_BYTES_MAX, READ_WAIT_MS, SESSION_LEASE_S, SESSIONS_MAX,
    SNAPSHOT_LOG_BYTES, SSH_AUTH_ATTEMPTS_MAX, SSH_AUTH_TIMEOUT_S, SSH_UNAUTHENTICATED_MAX,
};
use crate::base::token::JoinToken;
use crate::io::password::PasswordHash;
use crate::io::session::MinorityReads;
use crate::netconf::rpc::Consistency;
use russh::keys::PublicKey;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The file that is read where none is named, if it exists.
pub(crate) const DEFAULT_FILE: &str = "/etc/quorate/quorate.toml";
/// Where the datastores live.
const DEFAULT_DATA_DIR: &str = "/var/lib/quorate";
/// Where `quorate netconf` finds the agent.
pub(crate) const DEFAULT_SOCKET: &str = "/run/quorate/netconf.sock";
/// RFC 6242, 4.
const DEFAULT_SSH_PORT: u16 = 830;
/// Where members listen for each other. Not registered with anybody.
const DEFAULT_PEER_PORT: u16 = 8830;
/// The name of the host key in the data directory.
const HOST_KEY_NAME: &str = "ssh_host_key";

/// Everything that can be set, with a value for each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Configuration {
    pub(crate) data_dir: PathBuf,
    pub(crate) yang_dirs: Vec<PathBuf>,
    pub(crate) modules: Vec<ModuleChoice>,
    pub(crate) features: Vec<FeatureChoice>,
    /// Content for an empty datastore.
    pub(crate) initial_config: Option<PathBuf>,
    pub(crate) ssh: Ssh,
    pub(crate) unix: Unix,
    pub(crate) users: Vec<User>,
    pub(crate) datastores: Datastores,
    pub(crate) sessions: Sessions,
    pub(crate) cluster: Cluster,
    pub(crate) storage: Storage,
    pub(crate) log: Log,
}

/// SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ssh {
    pub(crate) listen: SshListen,
    // Invariant: at least one.
    pub(crate) host_keys: Vec<PathBuf>,
    pub(crate) auth_attempts_max: usize,
    pub(crate) auth_timeout_s: u64,
    pub(crate) unauthenticated_max: usize,
}

/// The local socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unix {
    pub(crate) path: UnixListen,
    pub(crate) mode: Mode,
}

/// One who may come in by SSH.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password_hash: Option<PasswordHash>,
    pub(crate) authorized_keys: Vec<PublicKey>,
    pub(crate) authorized_keys_file: Option<PathBuf>,
    /// May use the operations of the cluster.
    pub(crate) admin: bool,
}

/// What clients may do with which datastore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datastores {
    // Invariant: not `ThroughCandidate` without a candidate.
    pub(crate) running_access: RunningAccess,
    pub(crate) candidate: bool,
}

/// Limits of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) max: usize,
    pub(crate) hello_timeout_s: u64,
    /// 0: never.
    pub(crate) idle_timeout_s: u64,
}

/// The cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// `None` for the name of the machine.
    pub(crate) node_name: Option<String>,
    /// Where members connect to this one. `None` for the usual place, once there are any.
    pub(crate) listen: Option<SocketAddr>,
    /// `host:port` under which they find it. `None` for what follows from the rest.
    pub(crate) advertise: Option<String>,
    /// For clients that do not say what they want.
    pub(crate) reads: Consistency,
    pub(crate) minority_reads: MinorityReads,
    pub(crate) read_wait_ms: u64,
    pub(crate) session_lease_s: u64,
    /// To become a member of an existing cluster.
    pub(crate) join: Option<Join>,
}

/// How to become a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Join {
    /// `host:port` of the peer listener of any member.
    pub(crate) member: String,
    /// Needed by a node that is no member yet.
    pub(crate) token: Option<JoinToken>,
    pub(crate) local_data: LocalData,
}

/// What becomes of configuration that a node has and its new cluster does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalData {
    /// The node does not join.
    Keep,
    /// It is exported to a file, and replaced.
    Discard,
}

/// `[storage]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Storage {
    /// Bytes by which the log grows from one snapshot to the next.
    pub(crate) snapshot_log_bytes: u64,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) level: LogLevel,
    pub(crate) format: LogFormat,
}

/// What flags and environment say. An empty list says nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// The file, which then has to exist.
    pub(crate) file: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) yang_dirs: Vec<PathBuf>,
    pub(crate) modules: Vec<ModuleChoice>,
    pub(crate) features: Vec<FeatureChoice>,
    pub(crate) initial_config: Option<PathBuf>,
    pub(crate) ssh: Option<SshListen>,
    pub(crate) unix: Option<UnixListen>,
    pub(crate) node_name: Option<NodeName>,
    pub(crate) peer: Option<PeerListen>,
    pub(crate) advertise: Option<HostPort>,
    pub(crate) join: Option<HostPort>,
    pub(crate) token: Option<JoinToken>,
    pub(crate) discard_local_data: bool,
    pub(crate) log: Option<LogLevel>,
    pub(crate) log_format: Option<LogFormat>,
}

/// Why there is no configuration: one line that names the place and what is allowed there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Invalid(String),
}

impl Configuration {
    /// Reads the file, if there is one, and puts everything together.
    ///
    /// # Errors
    /// If a named file cannot be read, or something in it is unknown or not allowed.
    pub(crate) fn load(overrides: Overrides) -> Result<Self, ConfigurationError> {
        let path = overrides.file.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = match read(&path) {
            Ok(text) => file::parse(&path, &text).map_err(ConfigurationError::Invalid)?,
            Err(error) if overrides.file.is_none() && error.kind() == io::ErrorKind::NotFound => {
                file::File::default()
            }
            Err(source) => return Err(ConfigurationError::Unreadable { path, source }),
        };
        let name = path.display().to_string();
        Self::merge(overrides, file)
            .map_err(|reason| ConfigurationError::Invalid(format!("{name}: {reason}")))
    }

    fn merge(flags: Overrides, file: file::File) -> Result<Self, String> {
        let cluster = Cluster::merge(&flags, file.cluster)?;
        let data_dir =
            flags.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
        Ok(Self {
            yang_dirs: list(flags.yang_dirs, file.yang_dirs),
            modules: list(flags.modules, file.modules),
            features: list(flags.features, file.features),
            initial_config: flags.initial_config.or(file.initial_config),
            ssh: Ssh::merge(flags.ssh, file.ssh, &data_dir)?,
            unix: Unix::merge(flags.unix, &file.unix),
            users: users(file.users)?,
            datastores: Datastores::merge(&file.datastores)?,
            sessions: Sessions::merge(&file.sessions),
            cluster,
            storage: Storage::merge(&file.storage),
            log: Log::merge((flags.log, flags.log_format), &file.log),
            data_dir,
        })
    }
}

impl Ssh {
    fn merge(flag: Option<SshListen>, file: file::Ssh, data_dir: &Path) -> Result<Self, String> {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_SSH_PORT);
        let host_keys = file.host_keys.unwrap_or_else(|| vec![data_dir.join(HOST_KEY_NAME)]);
        if host_keys.is_empty() {
            return Err("ssh: host-keys is empty; without it there is one key".to_owned());
        }
        Ok(Self {
            listen: flag.or(file.listen).unwrap_or(SshListen::At(any)),
            host_keys,
            auth_attempts_max: file
                .auth_attempts_max
                .map_or(SSH_AUTH_ATTEMPTS_MAX, |max| max.count()),
            auth_timeout_s: file.auth_timeout_s.map_or(SSH_AUTH_TIMEOUT_S, |s| s.get()),
            unauthenticated_max: file
                .unauthenticated_max
                .map_or(SSH_UNAUTHENTICATED_MAX, |max| max.count()),
        })
    }
}

impl Unix {
    fn merge(flag: Option<UnixListen>, file: &file::Unix) -> Self {
        Self {
            path: flag.or_else(|| file.path.clone()).unwrap_or_else(|| DEFAULT_SOCKET.into()),
            mode: file.mode.unwrap_or(Mode(0o660)),
        }
    }
}

impl Datastores {
    fn merge(file: &file::Datastores) -> Result<Self, String> {
        let running_access = file.running_access.unwrap_or(RunningAccess::ReadWrite);
        let candidate = file.candidate.unwrap_or(true);
        if running_access == RunningAccess::ThroughCandidate && !candidate {
            return Err(
                "datastores: running-access \"through-candidate\" needs candidate = true, \
                        or nothing could change running"
                    .to_owned(),
            );
        }
        Ok(Self { running_access, candidate })
    }
}

impl Sessions {
    fn merge(file: &file::Sessions) -> Self {
        Self {
            max: file.max.map_or(SESSIONS_MAX, |max| max.count()),
            hello_timeout_s: file.hello_timeout_s.map_or(HELLO_TIMEOUT_S, |s| s.get()),
            idle_timeout_s: file.idle_timeout_s.map_or(0, |s| s.get()),
        }
    }
}

impl Cluster {
    fn merge(flags: &Overrides, file: file::Cluster) -> Result<Self, String> {
        let local_data =
            if flags.discard_local_data { LocalData::Discard } else { LocalData::Keep };
        let join = flags.join.as_ref().map(|member| Join {
            member: member.to_string(),
            token: flags.token,
            local_data,
        });
        if join.is_none() && (flags.token.is_some() || flags.discard_local_data) {
            return Err("--token and --discard-local-data need --join".to_owned());
        }
        let text = |value: &dyn std::fmt::Display| value.to_string();
        let node_name = flags.node_name.as_ref().or(file.node_name.as_ref());
        let advertise = flags.advertise.as_ref().or(file.advertise.as_ref());
        Ok(Self {
            node_name: node_name.map(|name| text(name)),
            listen: flags.peer.or(file.listen).map(|listen| listen.0),
            advertise: advertise.map(|address| text(address)),
            reads: file.reads.unwrap_or(Consistency::Leased),
            minority_reads: file.minority_reads.unwrap_or(MinorityReads::Deny),
            read_wait_ms: file.read_wait_ms.map_or(READ_WAIT_MS, |ms| ms.get()),
            session_lease_s: file.session_lease_s.map_or(SESSION_LEASE_S, |s| s.get()),
            join,
        })
    }

    /// Where members connect to this one, or will.
    pub(crate) fn listen_or_default(&self) -> SocketAddr {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PEER_PORT);
        self.listen.unwrap_or(any)
    }

    /// The name of this node.
    pub(crate) fn name_or_default(&self) -> String {
        self.node_name.clone().unwrap_or_else(crate::io::host::name)
    }

    /// `host:port` under which other members find this one, which listens on `listen`.
    pub(crate) fn advertise_or_default(&self, listen: SocketAddr) -> String {
        match &self.advertise {
            Some(address) => address.clone(),
            None if listen.ip().is_unspecified() => {
                format!("{}:{}", crate::io::host::name(), listen.port())
            }
            None => listen.to_string(),
        }
    }
}

impl Storage {
    fn merge(file: &file::Storage) -> Self {
        let mib = file.snapshot_log_mib.map(|mib| mib.get().saturating_mul(1 << 20));
        Self { snapshot_log_bytes: mib.unwrap_or(SNAPSHOT_LOG_BYTES) }
    }
}

impl Log {
    fn merge((level, format): (Option<LogLevel>, Option<LogFormat>), file: &file::Log) -> Self {
        Self {
            level: level.or(file.level).unwrap_or(LogLevel::Info),
            format: format.or(file.format).unwrap_or(LogFormat::Text),
        }
    }
}

fn users(file: Vec<file::User>) -> Result<Vec<User>, String> {
    let mut names = BTreeSet::new();
    for user in &file {
        let name = &user.name;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err("users: a name is not empty and has no control characters".to_owned());
        }
        if !names.insert(name.clone()) {
            return Err(format!("users: `{name}` is there twice"));
        }
        if user.password_hash.is_none()
            && user.authorized_keys.is_empty()
            && user.authorized_keys_file.is_none()
        {
            return Err(format!(
                "users: `{name}` needs password-hash, authorized-keys or authorized-keys-file"
            ));
        }
    }
    let user = |user: file::User| User {
        name: user.name,
        password_hash: user.password_hash.map(|hash| hash.0),
        authorized_keys: user.authorized_keys.into_iter().map(|key| key.0).collect(),
        authorized_keys_file: user.authorized_keys_file,
        admin: user.admin.unwrap_or(false),
    };
    Ok(file.into_iter().map(user).collect())
}

/// A list of flags in place of the file's.
fn list<T>(flags: Vec<T>, file: Option<Vec<T>>) -> Vec<T> {
    if flags.is_empty() { file.unwrap_or_default() } else { flags }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(OPERATOR_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > OPERATOR_FILE_BYTES_MAX) {
        let message = format!("longer than {OPERATOR_FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}
