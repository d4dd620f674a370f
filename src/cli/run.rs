//! `quorate run`: the agent.

use super::{one_line, with_causes};
use crate::base::token::JoinToken;
use crate::daemon;
use crate::daemon::configuration::value::{
    FeatureChoice, HostPort, LogFormat, LogLevel, ModuleChoice, NodeName, PeerListen, SshListen,
    UnixListen,
};
use crate::daemon::configuration::{Configuration, Overrides};
use crate::daemon::embed::Agent;
use clap::{Args, Command, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Every flag can be given in the configuration file and as an environment variable, too: a flag counts
before the variable, the variable before the file, the file before the default. In variables, the
items of a list are separated by commas. The sample conf/quorate.toml explains every setting.

Readiness is announced by a line in the log and to a supervisor (sd_notify). SIGTERM and SIGINT end
the agent: it answers what it was asked, ends its sessions and exits with status 0. A node that is
removed from its cluster exits with status 3, which a supervisor should not answer with a new start. If it cannot
start, because of an address in use, a key that cannot be read, a model or a log that is damaged,
one line on standard error says so, and the exit status is not 0.

Files:
  /etc/quorate/quorate.toml     read where --config names no other file, if it exists
  /var/lib/quorate              the datastores, unless --data-dir says otherwise
  /run/quorate/netconf.sock     the local socket, unless --unix says otherwise

Examples:
  Serve the interfaces model on the usual port, with the users of the configuration file:
    quorate run --config /etc/quorate/quorate.toml --module ietf-interfaces --module iana-if-type

  Without a configuration file, for local programs only, with all features of one module:
    quorate run --data-dir ./data --ssh off --unix ./netconf.sock \\
        --yang-dir ./models --module my-device@2026-01-15 --feature 'my-device:*'

  A new device, with what it is to have from the beginning:
    QUORATE_DATA_DIR=./data quorate run --initial-config factory.xml

  A second node of a cluster, with a token that a member gave:
    quorate run --peer 192.0.2.2:8830 --join 192.0.2.1:8830 --token Q1-...";

/// Which models there are.
#[derive(Debug, Args)]
pub(super) struct ModelArguments {
    /// The configuration file.
    ///
    /// Without it /etc/quorate/quorate.toml is read, if it exists.
    #[arg(long, value_name = "FILE", env = "QUORATE_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,

    /// A directory with YANG modules; again for each.
    #[arg(
        long,
        value_name = "DIR",
        env = "QUORATE_YANG_DIR",
        hide_env_values = true,
        value_delimiter = ','
    )]
    yang_dir: Vec<PathBuf>,

    /// A module to implement, of this or of its newest revision; again for each.
    #[arg(
        long,
        value_name = "NAME[@REVISION]",
        env = "QUORATE_MODULE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    module: Vec<ModuleChoice>,

    /// A feature to support, or all of a module; again for each.
    #[arg(
        long,
        value_name = "MODULE:NAME|MODULE:*",
        env = "QUORATE_FEATURE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    feature: Vec<FeatureChoice>,
}

impl ModelArguments {
    /// These settings, beside others.
    pub(super) fn overrides(self, others: Overrides) -> Overrides {
        Overrides {
            file: self.config,
            yang_dirs: self.yang_dir,
            modules: self.module,
            features: self.feature,
            ..others
        }
    }
}

/// Run the agent until SIGTERM or SIGINT.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct RunArguments {
    #[command(flatten)]
    models: ModelArguments,

    /// Where the datastores live.
    ///
    /// The directory belongs to one running agent at a time, and is made if it does not exist. By default
    /// /var/lib/quorate.
    #[arg(long, value_name = "DIR", env = "QUORATE_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,

    /// Where to listen for SSH, or off.
    ///
    /// By default 0.0.0.0:830.
    #[arg(long, value_name = "ADDR:PORT", env = "QUORATE_SSH", hide_env_values = true)]
    ssh: Option<SshListen>,

    /// The local socket, or off.
    ///
    /// By default /run/quorate/netconf.sock.
    #[arg(long, value_name = "PATH", env = "QUORATE_UNIX", hide_env_values = true)]
    unix: Option<UnixListen>,

    /// The name of this node in its cluster.
    ///
    /// By default the name of the machine.
    #[arg(long, value_name = "NAME", env = "QUORATE_NODE_NAME", hide_env_values = true)]
    node_name: Option<NodeName>,

    /// Where to listen for other members of the cluster.
    ///
    /// By default 0.0.0.0:8830, as soon as the node is a member of a cluster that others can join; with this, at once.
    #[arg(long, value_name = "ADDR:PORT", env = "QUORATE_PEER", hide_env_values = true)]
    peer: Option<PeerListen>,

    /// Where other members find this one.
    ///
    /// By default what --peer says, or, if that is every address of the machine, its host name.
    #[arg(long, value_name = "HOST:PORT", env = "QUORATE_ADVERTISE", hide_env_values = true)]
    advertise: Option<HostPort>,

    /// Join the cluster of the member that listens for members there; any of them.
    ///
    /// With --token. The node takes over the configuration of the cluster. A node that is a member of that cluster
    /// already goes on as such.
    #[arg(long, value_name = "HOST:PORT", env = "QUORATE_JOIN", hide_env_values = true)]
    join: Option<HostPort>,

    /// The token to join with, which `quorate cluster token` makes at a member.
    #[arg(long, value_name = "TOKEN", env = "QUORATE_TOKEN", hide_env_values = true)]
    token: Option<JoinToken>,

    /// Join with a data directory that has a configuration of its own, which is given up.
    ///
    /// It is written to the file discarded-REVISION.xml in the data directory first.
    #[arg(long, env = "QUORATE_DISCARD_LOCAL_DATA", hide_env_values = true)]
    discard_local_data: bool,

    /// Configuration for an empty datastore.
    ///
    /// An XML file: a <config> element, or the content of one. It is validated, and refused with the reason if it is
    /// not valid. Once something is in the datastore it is ignored.
    #[arg(long, value_name = "FILE.xml", env = "QUORATE_INITIAL_CONFIG", hide_env_values = true)]
    initial_config: Option<PathBuf>,

    /// How much to log: error, warn, info, debug or trace.
    ///
    /// By default info.
    #[arg(long, value_name = "LEVEL", env = "QUORATE_LOG", hide_env_values = true)]
    log: Option<LogLevel>,

    /// What a line of the log is: text, untimed (without the time) or json.
    ///
    /// By default text.
    #[arg(long, value_name = "FORMAT", env = "QUORATE_LOG_FORMAT", hide_env_values = true)]
    log_format: Option<LogFormat>,
}

impl Agent {
    /// An agent with the flags of `quorate run`, which do not begin with the name of a program, and with its `QUORATE_…`
    /// variables and configuration file: all that a member of a cluster needs.
    ///
    /// # Errors
    /// If a flag or a setting is unknown or wrong, or the file cannot be read.
    pub fn from_arguments(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Self> {
        let command = RunArguments::augment_args(Command::new("run").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments)?;
        let arguments = RunArguments::from_arg_matches(&matches)?;
        Ok(Self::of(Configuration::load(arguments.overrides())?))
    }
}

impl RunArguments {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let configuration = Configuration::load(self.overrides())?;
        let done = daemon::run(&configuration, Vec::new());
        match done {
            // Whoever reads objects is to find no other line among them.
            Err(error) if configuration.log.format == LogFormat::Json => {
                tracing::error!("{}", one_line(&with_causes(&error)));
                Ok(ExitCode::FAILURE)
            }
            done => done,
        }
    }

    fn overrides(self) -> Overrides {
        self.models.overrides(Overrides {
            data_dir: self.data_dir,
            initial_config: self.initial_config,
            ssh: self.ssh,
            unix: self.unix,
            node_name: self.node_name,
            peer: self.peer,
            advertise: self.advertise,
            join: self.join,
            token: self.token,
            discard_local_data: self.discard_local_data,
            log: self.log,
            log_format: self.log_format,
            ..Overrides::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, Command, FromArgMatches, LogFormat, LogLevel, Overrides, RunArguments};
    use std::path::Path;

    fn parse(arguments: &str) -> Result<Overrides, String> {
        let command = RunArguments::augment_args(Command::new("run").no_binary_name(true));
        let matches = command
            .try_get_matches_from(arguments.split_whitespace())
            .map_err(|error| error.to_string())?;
        RunArguments::from_arg_matches(&matches)
            .map(RunArguments::overrides)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_settings() {
        let flags = parse(
            "--config c.toml --data-dir d --yang-dir y --yang-dir z --module a@2020-01-01 --module b \
             --feature a:* --ssh 127.0.0.1:830 --unix off --initial-config i.xml --log debug --log-format json \
             --node-name n2 --peer 192.0.2.2:8830 --advertise n2:8830 --join n1:8830 \
             --discard-local-data",
        )
        .unwrap();
        assert_eq!(flags.file.as_deref(), Some(Path::new("c.toml")));
        assert_eq!(flags.data_dir.as_deref(), Some(Path::new("d")));
        assert_eq!(flags.yang_dirs, [Path::new("y"), Path::new("z")]);
        assert_eq!(
            flags.modules.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["a@2020-01-01", "b"]
        );
        assert_eq!(flags.features.len(), 1);
        assert_eq!(flags.ssh.map(|ssh| ssh.to_string()).as_deref(), Some("127.0.0.1:830"));
        assert_eq!(flags.unix.map(|unix| unix.to_string()).as_deref(), Some("off"));
        assert_eq!(flags.initial_config.as_deref(), Some(Path::new("i.xml")));
        assert_eq!(flags.log, Some(LogLevel::Debug));
        assert_eq!(flags.log_format, Some(LogFormat::Json));
        assert_eq!(flags.node_name.map(|name| name.to_string()).as_deref(), Some("n2"));
        assert_eq!(flags.peer.map(|it| it.to_string()).as_deref(), Some("192.0.2.2:8830"));
        assert_eq!(flags.advertise.map(|it| it.to_string()).as_deref(), Some("n2:8830"));
        assert_eq!(flags.join.map(|it| it.to_string()).as_deref(), Some("n1:8830"));
        assert!(flags.discard_local_data);
    }

    #[test]
    fn lists_can_be_separated_by_commas() {
        let flags = parse("--module a,b,c@2020-01-01").unwrap();
        assert_eq!(flags.modules.len(), 3);
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        for (arguments, named) in [
            ("--module a@b", "NAME@YYYY-MM-DD"),
            ("--feature a", "MODULE:NAME"),
            ("--ssh localhost:830", "ADDRESS:PORT"),
            ("--log loud", "error, warn, info, debug or trace"),
            ("--log-format xml", "text, untimed or json"),
            ("--peer n1:8830", "ADDRESS:PORT"),
            ("--join n1", "HOST:PORT"),
            ("--token Q1-abc", "copy it again, as a whole"),
            ("--lock", "--lock"),
            ("extra", "extra"),
        ] {
            let error = parse(arguments).map(|_| ()).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
