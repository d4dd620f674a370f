//! `quorate cluster`: what an operator asks of a cluster and has it do. Thin clients of `yang/quorate-cluster.yang`.

mod history;
mod state;
mod status;

use self::state::State;
use super::client::{Client, Element};
use crate::base::limits::JOIN_TOKEN_MAX_S;
use crate::base::policy::Policy;
use crate::daemon::configuration::DEFAULT_SOCKET;
use crate::netconf::cluster::NAMESPACE;
use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Every command asks the agent at the local socket. Any member can be asked; only `leave`, and what
`status` tells of the node itself, depend on which. What changes the cluster is for root and for the
account that the agent runs as.

Examples:
  Who leads, who lags, what to do:
    quorate cluster status

  From one node to three: on the first
    quorate cluster init --name lab
    quorate cluster token
  and what that prints on each of the others.

  Before this node is stopped for a while:
    quorate cluster transfer-leadership

  A member is gone for good:
    quorate cluster remove n3

  What was changed lately, and back to before it:
    quorate cluster history
    quorate cluster rollback 41";

/// See and change the cluster.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct ClusterArguments {
    /// The agent's local socket.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "QUORATE_UNIX",
        hide_env_values = true,
        display_order = 100,
        default_value = DEFAULT_SOCKET
    )]
    socket: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a cluster that others can join out of this node.
    ///
    /// Once, on the first node, which keeps its configuration. The others join with a token.
    Init {
        /// What the cluster is called: letters, digits, `.`, `_` and `-`.
        #[arg(long)]
        name: String,
        /// Where the other members reach this node; by default what its configuration file says.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// Print a token with which one node can join.
    ///
    /// The token goes to standard output, what to do with it to standard error. Whoever has it can become a member and
    /// read everything: it is a secret until it is used or too old.
    Token {
        /// How long it can be used: seconds, or a number with s, m or h.
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = seconds)]
        valid_for: u32,
    },
    /// Tell who leads, who lags, and what to do.
    Status {
        /// As JSON, with everything that the agent tells.
        #[arg(long)]
        json: bool,
    },
    /// Take a member's seat away.
    ///
    /// It need not be there: a majority of the others is enough. It cannot come back without a new token.
    Remove {
        /// The member, as `status` calls it.
        #[arg(value_name = "NAME")]
        member: String,
    },
    /// Take this node's seat away.
    Leave,
    /// Let another member lead, before this one is stopped for example.
    TransferLeadership {
        /// Who is to lead; by default who has most of the log.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
    },
    /// Choose when a change is decided, for the whole cluster.
    ///
    /// synchronous: after ok every member that can be read has the change. majority: a majority has it, the others
    /// follow. fully-synchronous: every member must be there and agree, or nothing can be written.
    Policy {
        /// The preset.
        #[arg(value_parser = PossibleValuesParser::new(Policy::ALL.map(Policy::name)))]
        preset: String,
    },
    Outcome(OutcomeArguments),
    /// Tell what was committed, newest first.
    History {
        /// How many commits.
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the configuration what it was at an earlier revision.
    ///
    /// This is a commit like others: it is validated, and makes a new revision.
    Rollback {
        /// From the history.
        revision: u64,
    },
}

/// Tell what became of a transaction whose reply was lost.
///
/// It is named by the id that the error or the history has, by session and message-id, or by the transaction-id that
/// the client gave it.
#[derive(Debug, Args)]
struct OutcomeArguments {
    /// As the cluster called it.
    #[arg(
        value_name = "ID",
        required_unless_present_any = ["session_id", "client_transaction_id"],
        conflicts_with_all = ["session_id", "client_transaction_id"]
    )]
    transaction_id: Option<String>,
    /// The session that asked for it.
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "message_id",
        conflicts_with = "client_transaction_id"
    )]
    session_id: Option<u32>,
    /// The message-id of its request.
    #[arg(long, value_name = "TEXT", requires = "session_id")]
    message_id: Option<String>,
    /// As the client called it.
    #[arg(long, value_name = "TEXT")]
    client_transaction_id: Option<String>,
}

/// Leafs of a request, by name.
type Leafs<'a> = Vec<(&'static str, &'a str)>;

/// What a command says.
#[derive(Default)]
struct Said {
    /// On standard output.
    result: String,
    /// On standard error: what a script is not interested in.
    note: String,
}

impl From<String> for Said {
    fn from(result: String) -> Self {
        Self { result, note: String::new() }
    }
}

impl ClusterArguments {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut client = Client::connect(&self.socket)?;
        let Said { result, note } = carry_out(&mut client, self.command)?;
        io::stdout().write_all(result.as_bytes())?;
        io::stderr().write_all(note.as_bytes())?;
        // The result is here. A node that has left ends before it answers this.
        drop(client.close());
        Ok(ExitCode::SUCCESS)
    }
}

fn carry_out(client: &mut Client, command: Command) -> anyhow::Result<Said> {
    let line = match command {
        Command::Status { json } => return Ok(status::text(client, json)?.into()),
        Command::History { limit, json } => {
            return Ok(history::text(client, limit, json)?.into());
        }
        Command::Token { valid_for } => return token(client, valid_for),
        Command::Init { name, address } => {
            let mut leafs = vec![("name", name.as_str())];
            leafs.extend(address.as_deref().map(|address| ("address", address)));
            call(client, "cluster-init", leafs)?;
            format!("The cluster {name} is there. To let a node join: quorate cluster token")
        }
        Command::Remove { member } => {
            call(client, "remove-member", vec![("name", &member)])?;
            format!("{member} has no seat any more.")
        }
        Command::Leave => {
            call(client, "remove-member", Vec::new())?;
            "This node has no seat any more. To come back it needs a token.".to_owned()
        }
        Command::TransferLeadership { to } => {
            let to = to.as_deref().map(|to| ("to", to));
            call(client, "transfer-leadership", to.into_iter().collect())?;
            let leader = state::read(client, "leader")?;
            let leader = leader.as_ref().and_then(|state| state.value("leader"));
            format!("{} leads.", leader.unwrap_or("Another member"))
        }
        Command::Policy { preset } => {
            call(client, "set-policy", vec![("policy", &preset)])?;
            format!("The policy is {preset}.")
        }
        Command::Outcome(arguments) => arguments.ask(client)?,
        Command::Rollback { revision } => {
            let text = revision.to_string();
            call(client, "rollback-to-revision", vec![("revision", &text)])?;
            format!("The configuration is that of revision {revision} again.")
        }
    };
    Ok((line + "\n").into())
}

impl OutcomeArguments {
    fn ask(&self, client: &mut Client) -> anyhow::Result<String> {
        let session_id = self.session_id.map(|id| id.to_string());
        let leafs = [
            ("transaction-id", &self.transaction_id),
            ("session-id", &session_id),
            ("message-id", &self.message_id),
            ("client-transaction-id", &self.client_transaction_id),
        ];
        let given = |(name, value): (&'static str, &'_ Option<String>)| {
            value.clone().map(|value| (name, value))
        };
        let leafs: Vec<_> = leafs.into_iter().filter_map(given).collect();
        let leafs = leafs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = call(client, "get-outcome", leafs)?;
        Ok(outcome(reply.value("outcome").unwrap_or_default(), reply.get("revision")))
    }
}

fn outcome(outcome: &str, revision: Option<u64>) -> String {
    match (outcome, revision) {
        ("committed", Some(revision)) => format!("committed as revision {revision}"),
        ("open", _) => "open: it is not decided yet; ask again".to_owned(),
        ("never-or-forgotten", _) => {
            "never or forgotten: it had no effect, or is too old for anybody to know".to_owned()
        }
        ("open-or-never", _) => {
            "open or never: nothing of that name is committed here; ask again, or on the leader"
                .to_owned()
        }
        (other, _) => other.to_owned(),
    }
}

/// A token, and what to do with it.
fn token(client: &mut Client, valid_for_s: u32) -> anyhow::Result<Said> {
    let text = valid_for_s.to_string();
    let reply = call(client, "create-join-token", vec![("valid-for", &text)])?;
    let token = reply.value("token").context("the agent gave no token")?;
    let state = state::read(client, "")?.map(|state| State::of(&state));
    let member = state.as_ref().and_then(State::own_address).unwrap_or("HOST:PORT");
    let note = format!(
        "One node can join with it within {}. There, with the same models:\n  \
         quorate run --config /etc/quorate/quorate.toml --join {member} --token {token}\n",
        time(valid_for_s)
    );
    Ok(Said { result: format!("{token}\n"), note })
}

/// Asks for an operation of the module.
fn call(client: &mut Client, operation: &str, leafs: Leafs<'_>) -> anyhow::Result<Element> {
    client.request(|writer| {
        writer.start(operation).default_namespace(NAMESPACE);
        for (name, value) in leafs {
            writer.leaf(name, value);
        }
        writer.end(operation);
    })
}

/// Units of time, the longest first.
const UNITS: [(u32, &str, &str); 3] =
    [(3600, "h", "hour"), (60, "m", "minute"), (1, "s", "second")];

/// A time that a token can be used.
fn seconds(text: &str) -> Result<u32, String> {
    let unit = UNITS.iter().find_map(|(unit, sign, _)| Some((text.strip_suffix(sign)?, *unit)));
    let (count, unit) = unit.unwrap_or((text, 1));
    let seconds = count.parse().ok().and_then(|count: u32| count.checked_mul(unit));
    let allowed = seconds.filter(|seconds| (1..=JOIN_TOKEN_MAX_S).contains(seconds));
    allowed.ok_or_else(|| {
        format!("not a time from 1s to {}h, like 90s, 10m or 2h", JOIN_TOKEN_MAX_S / 3600)
    })
}

/// A time in the longest unit that it is a multiple of.
fn time(seconds: u32) -> String {
    let unit = UNITS.iter().find(|(unit, ..)| seconds.is_multiple_of(*unit));
    let (unit, _, name) = unit.unwrap_or(&(1, "s", "second"));
    match seconds / unit {
        1 => format!("one {name}"),
        count => format!("{count} {name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{outcome, seconds, time};
    use crate::base::limits::JOIN_TOKEN_DEFAULT_S;

    #[test]
    fn times_are_read_and_said() {
        for (text, expected, said) in [
            ("10m", JOIN_TOKEN_DEFAULT_S, "10 minutes"),
            ("600", 600, "10 minutes"),
            ("90s", 90, "90 seconds"),
            ("1h", 3600, "one hour"),
            ("24h", 86_400, "24 hours"),
            ("1", 1, "one second"),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
            assert_eq!(time(expected), said);
        }
        for text in ["", "0", "m", "-1m", "1d", "10 m", "1441m", "99999999h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn outcomes_are_said_in_words() {
        assert_eq!(outcome("committed", Some(7)), "committed as revision 7");
        for word in ["open", "never-or-forgotten", "open-or-never"] {
            let said = format!("{}: ", word.replace('-', " "));
            assert!(outcome(word, None).starts_with(&said), "{word}");
        }
    }
}
