//! The file against the code, and what is said about mistakes.

use super::file::{self, File};
use super::value::{
    HashValue, KeyValue, LogFormat, LogLevel, Mode, RunningAccess, SshListen, UnixListen,
};
use super::{Cluster, Configuration, ConfigurationError, Join, LocalData, Overrides};
use crate::base::ids::Digest;
use crate::base::token::JoinToken;
use crate::io::password::PasswordHash;
use crate::io::session::MinorityReads;
use crate::netconf::rpc::Consistency;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const SAMPLE: &str = include_str!("../../../conf/quorate.toml");
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

/// The keys of a file in which everything is set. A new setting does not compile without being added here.
fn all_keys() -> BTreeSet<String> {
    let File {
        data_dir: _,
        yang_dirs: _,
        modules: _,
        features: _,
        initial_config: _,
        ssh,
        unix,
        users: _,
        datastores,
        sessions,
        cluster,
        storage: file::Storage { snapshot_log_mib: _ },
        log,
    } = File::default();
    let file::Ssh {
        listen: _,
        host_keys: _,
        auth_attempts_max: _,
        auth_timeout_s: _,
        unauthenticated_max: _,
    } = ssh;
    let file::Unix { path: _, mode: _ } = unix;
    let file::Datastores { running_access: _, candidate: _ } = datastores;
    let file::Sessions { max: _, hello_timeout_s: _, idle_timeout_s: _ } = sessions;
    let file::Log { level: _, format: _ } = log;
    let file::User {
        name: _,
        password_hash: _,
        authorized_keys: _,
        authorized_keys_file: _,
        admin: _,
    } = user();
    [
        "data-dir",
        "yang-dirs",
        "modules",
        "features",
        "initial-config",
        "ssh.listen",
        "ssh.host-keys",
        "ssh.auth-attempts-max",
        "ssh.auth-timeout-s",
        "ssh.unauthenticated-max",
        "unix.path",
        "unix.mode",
        "users.name",
        "users.password-hash",
        "users.authorized-keys",
        "users.authorized-keys-file",
        "users.admin",
        "datastores.running-access",
        "datastores.candidate",
        "sessions.max",
        "sessions.hello-timeout-s",
        "sessions.idle-timeout-s",
        "storage.snapshot-log-mib",
        "log.level",
        "log.format",
    ]
    .into_iter()
    .chain(cluster_keys(&cluster))
    .map(str::to_owned)
    .collect()
}

fn cluster_keys(cluster: &file::Cluster) -> [&'static str; 7] {
    let file::Cluster {
        node_name: _,
        listen: _,
        advertise: _,
        reads: _,
        minority_reads: _,
        read_wait_ms: _,
        session_lease_s: _,
    } = cluster;
    [
        "cluster.node-name",
        "cluster.listen",
        "cluster.advertise",
        "cluster.reads",
        "cluster.minority-reads",
        "cluster.read-wait-ms",
        "cluster.session-lease-s",
    ]
}

fn user() -> file::User {
    file::User {
        name: "admin".to_owned(),
        password_hash: Some(HashValue(PasswordHash::decoy())),
        authorized_keys: vec![KeyValue::try_from(KEY.to_owned()).unwrap()],
        authorized_keys_file: None,
        admin: Some(true),
    }
}

/// The sample with the settings that it has commented out.
fn sample_with_all() -> String {
    let lines = SAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting)
            if setting.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') =>
        {
            setting
        }
        Some(_) | None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn keys(table: &Table, prefix: &str, into: &mut BTreeSet<String>) {
    for (key, value) in table {
        let items = value.as_array().filter(|items| items.first().is_some_and(Value::is_table));
        if let Some(inner) = value.as_table() {
            keys(inner, &format!("{prefix}{key}."), into);
        } else if let Some(items) = items {
            for item in items {
                keys(item.as_table().unwrap(), &format!("{prefix}{key}."), into);
            }
        } else {
            into.insert(format!("{prefix}{key}"));
        }
    }
}

fn load(text: &str, flags: Overrides) -> Result<Configuration, String> {
    let file = file::parse(Path::new("/etc/q/q.toml"), text)?;
    Configuration::merge(flags, file)
}

#[test]
fn the_sample_has_every_setting_and_no_other() {
    let mut found = BTreeSet::new();
    keys(&sample_with_all().parse::<Table>().unwrap(), "", &mut found);
    assert_eq!(found, all_keys());
}

#[test]
fn the_sample_says_what_the_defaults_are() {
    let defaults = load("", Overrides::default()).unwrap();
    assert_eq!(load(SAMPLE, Overrides::default()).unwrap(), defaults);
    let all = load(&sample_with_all(), Overrides::default()).unwrap();
    assert_eq!(all.ssh, defaults.ssh, "the commented host key is where the default is");
    let [user] = &*all.users else { panic!("{:?}", all.users) };
    assert!(!user.admin, "the commented admin is the default");
}

#[test]
fn everything_can_be_set_in_the_file() {
    let text = format!(
        "data-dir = 'd'\nyang-dirs = ['y', '/z']\nmodules = ['a', 'b@2020-01-01']\n\
         features = ['a:*']\ninitial-config = 'i.xml'\n\
         [ssh]\nlisten = 'off'\nhost-keys = ['k', '/l']\nauth-attempts-max = 3\nauth-timeout-s = 5\n\
         unauthenticated-max = 7\n[unix]\npath = 's'\nmode = '0600'\n\
         [[users]]\nname = 'u'\nauthorized-keys = ['{KEY}']\nauthorized-keys-file = 'f'\nadmin = true\n\
         [datastores]\nrunning-access = 'through-candidate'\ncandidate = true\n\
         [sessions]\nmax = 1\nhello-timeout-s = 2\nidle-timeout-s = 3\n[storage]\nsnapshot-log-mib = 5\n\
         [cluster]\nnode-name = 'n1'\nlisten = '[::1]:1'\nadvertise = 'n1.example:2'\n\
         reads = 'linearizable'\nminority-reads = 'allow'\nread-wait-ms = 7\nsession-lease-s = 8\n\
         [log]\nlevel = 'debug'\nformat = 'untimed'\n"
    );
    let all = load(&text, Overrides::default()).unwrap();
    assert_eq!(all.data_dir, Path::new("/etc/q/d"));
    assert_eq!(all.yang_dirs, [PathBuf::from("/etc/q/y"), PathBuf::from("/z")]);
    assert_eq!(all.modules, ["a".parse().unwrap(), "b@2020-01-01".parse().unwrap()]);
    assert_eq!(all.features, ["a:*".parse().unwrap()]);
    assert_eq!(all.initial_config.as_deref(), Some(Path::new("/etc/q/i.xml")));
    assert_eq!((all.ssh.listen, all.ssh.auth_attempts_max), (SshListen::Off, 3));
    assert_eq!((all.ssh.auth_timeout_s, all.ssh.unauthenticated_max), (5, 7));
    assert_eq!(all.ssh.host_keys, [Path::new("/etc/q/k"), Path::new("/l")]);
    assert_eq!((all.unix.path, all.unix.mode), (UnixListen::from("/etc/q/s"), Mode(0o600)));
    let [user] = &*all.users else { panic!("{:?}", all.users) };
    assert_eq!((user.authorized_keys.len(), user.admin), (1, true));
    assert_eq!(user.authorized_keys_file.as_deref(), Some(Path::new("/etc/q/f")));
    assert_eq!(all.datastores.running_access, RunningAccess::ThroughCandidate);
    assert_eq!((all.sessions.max, all.sessions.hello_timeout_s), (1, 2));
    assert_eq!(all.sessions.idle_timeout_s, 3);
    assert_eq!(all.storage.snapshot_log_bytes, 5 << 20);
    let expected = Cluster {
        node_name: Some("n1".to_owned()),
        listen: Some("[::1]:1".parse().unwrap()),
        advertise: Some("n1.example:2".to_owned()),
        reads: Consistency::Linearizable,
        minority_reads: MinorityReads::Allow,
        read_wait_ms: 7,
        session_lease_s: 8,
        join: None,
    };
    assert_eq!(all.cluster, expected);
    assert_eq!((all.log.level, all.log.format), (LogLevel::Debug, LogFormat::Untimed));
}

#[test]
fn a_flag_counts_before_the_file() {
    let text = "data-dir = 'd'\nmodules = ['a', 'b']\nfeatures = ['a:x']\n[ssh]\nlisten = 'off'\n\
                [unix]\npath = 'off'\n[log]\nlevel = 'debug'\nformat = 'untimed'\n";
    let flags = Overrides {
        data_dir: Some("relative".into()),
        modules: vec!["c".parse().unwrap()],
        ssh: Some("127.0.0.1:1".parse().unwrap()),
        unix: Some("sock".into()),
        log: Some(LogLevel::Error),
        log_format: Some(LogFormat::Json),
        ..Overrides::default()
    };
    let merged = load(text, flags).unwrap();
    assert_eq!(merged.data_dir, Path::new("relative"), "flags begin at the working directory");
    assert_eq!(merged.ssh.host_keys, [Path::new("relative/ssh_host_key")]);
    assert_eq!(merged.modules, ["c".parse().unwrap()]);
    assert_eq!(merged.features, ["a:x".parse().unwrap()]);
    assert_eq!(merged.ssh.listen, SshListen::At("127.0.0.1:1".parse().unwrap()));
    assert_eq!(merged.unix.path, UnixListen::from("sock"));
    assert_eq!((merged.log.level, merged.log.format), (LogLevel::Error, LogFormat::Json));
}

#[test]
fn joining_needs_whom_to_ask() {
    let token = JoinToken { secret: [1; 16], authority: Digest([2; 32]) };
    let flags = Overrides { token: Some(token), discard_local_data: true, ..Overrides::default() };
    let error = load("", flags.clone()).unwrap_err();
    assert_eq!(error, "--token and --discard-local-data need --join");
    let join = Some("n1:8830".parse().unwrap());
    let join = load("", Overrides { join, ..flags }).unwrap().cluster.join.unwrap();
    let member = "n1:8830".to_owned();
    assert_eq!(join, Join { member, token: Some(token), local_data: LocalData::Discard });
}

#[test]
fn members_find_a_node_where_it_listens_or_under_its_name() {
    let name = crate::io::host::name();
    for (text, listen, advertised) in [
        ("", "0.0.0.0:8830", format!("{name}:8830")),
        ("", "[::]:7", format!("{name}:7")),
        ("", "192.0.2.1:7", "192.0.2.1:7".to_owned()),
        ("[cluster]\nadvertise = 'x:9'", "192.0.2.1:7", "x:9".to_owned()),
    ] {
        let cluster = load(text, Overrides::default()).unwrap().cluster;
        assert_eq!(cluster.advertise_or_default(listen.parse().unwrap()), advertised);
    }
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let error = load(text, Overrides::default()).map(|_| ()).unwrap_err();
    assert_eq!(error, expected);
}

#[test]
fn mistakes_are_named_in_one_line() {
    check_refused(
        "data-dri = 'x'",
        "/etc/q/q.toml:1: data-dri: unknown field `data-dri`, expected one of `data-dir`, \
         `yang-dirs`, `modules`, `features`, `initial-config`, `ssh`, `unix`, `users`, \
         `datastores`, `sessions`, `cluster`, `storage`, `log`",
    );
    check_refused(
        "[ssh]\n\nlisten = 'localhost'\n",
        "/etc/q/q.toml:3: ssh.listen: `localhost` is not ADDRESS:PORT (192.0.2.1:830, \
         [2001:db8::1]:830) or off",
    );
    check_refused(
        "[sessions]\nmax = 1\nhello-timeout-s = 0",
        "/etc/q/q.toml:3: sessions.hello-timeout-s: 0 is not from 1 to 86400",
    );
    check_refused(
        "[log]\nlevel = 3\n",
        "/etc/q/q.toml:2: log.level: invalid type: integer `3`, expected a string",
    );
    check_refused(
        "modules = [\n  'a',\n  'b c',\n]\n",
        "/etc/q/q.toml:1: modules: `b c` is not NAME or NAME@YYYY-MM-DD",
    );
    check_refused(
        "[[users]]\npassword-hash = 'secret'",
        "/etc/q/q.toml:2: users.password-hash: a password hash begins with `$6$` (SHA-512 crypt; \
         `quorate hash-password` makes one)",
    );
    check_refused(
        "[datastores]\nrunning-access = 'read-only'",
        "/etc/q/q.toml:2: datastores.running-access: unknown variant `read-only`, expected \
         `read-write` or `through-candidate`",
    );
    check_refused(
        "[datastores]\nrunning-access = 'through-candidate'\ncandidate = false",
        "datastores: running-access \"through-candidate\" needs candidate = true, or nothing could \
         change running",
    );
    check_refused("[ssh]\nhost-keys = []", "ssh: host-keys is empty; without it there is one key");
    check_refused(
        "[[users]]\nname = 'a'\n",
        "users: `a` needs password-hash, authorized-keys or authorized-keys-file",
    );
    let twice = format!("[[users]]\nname = 'a'\nauthorized-keys = ['{KEY}']\n").repeat(2);
    check_refused(&twice, "users: `a` is there twice");
    check_refused(
        "[[users]]\nname = ''\n",
        "users: a name is not empty and has no control characters",
    );
}

#[test]
fn a_text_that_is_no_toml_is_one_line_too() {
    for text in ["[", "a = ", "= 1", "a = 'x\n", "\u{0}", "a = 1\na = 2", "[ssh]\n[ssh]\n"] {
        let error = load(text, Overrides::default()).map(|_| ()).unwrap_err();
        assert!(error.starts_with("/etc/q/q.toml:") && !error.contains('\n'), "{error:?}");
    }
}

#[test]
fn a_named_file_has_to_exist() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("q.toml");
    let flags = Overrides { file: Some(path.clone()), ..Overrides::default() };
    let error = Configuration::load(flags.clone()).unwrap_err();
    assert!(matches!(error, ConfigurationError::Unreadable { .. }), "{error}");
    std::fs::write(&path, "data-dir = 'here'").unwrap();
    assert_eq!(Configuration::load(flags).unwrap().data_dir, directory.path().join("here"));
}
