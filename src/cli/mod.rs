//! The `quorate` command.

mod client;
mod cluster;
mod hash_password;
mod netconf;
mod run;
mod table;
mod verify;

use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Exit status:
  0  it did what it was asked to
  1  it could not; one line on standard error says why (`verify`: the directory is not sound)
  2  the command line is wrong
     (`verify`: nothing was checked)
  3  `run`: the node was removed from its cluster, and a new start would not change that

Examples:
  quorate run --config /etc/quorate/quorate.toml
  quorate cluster status
  quorate verify --config /etc/quorate/quorate.toml /var/lib/quorate
  quorate netconf --socket /run/quorate/netconf.sock
  quorate hash-password

`quorate COMMAND --help` tells everything about a command.";

/// A NETCONF/YANG management agent.
///
/// Quorate serves the configuration of a device or a service by NETCONF (RFC 6241), described by YANG models
/// (RFC 7950). What it answers with ok is on disk.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArguments>),
    Cluster(cluster::ClusterArguments),
    Netconf(netconf::NetconfArguments),
    Verify(verify::VerifyArguments),
    HashPassword(hash_password::HashPasswordArguments),
}

/// The whole command: reads the process's arguments, does what they say, and gives the exit status.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run(arguments) => arguments.run(),
        Command::Cluster(arguments) => arguments.run(),
        Command::Netconf(arguments) => arguments.run(),
        Command::Verify(arguments) => arguments.run(),
        Command::HashPassword(arguments) => arguments.run(),
    };
    done.unwrap_or_else(|error| {
        report(&error);
        ExitCode::FAILURE
    })
}

/// Says in one line why something was not done.
fn report(error: &anyhow::Error) {
    let line = format!("quorate: {}\n", one_line(&with_causes(error)));
    // There is nobody left to tell if standard error is closed.
    drop(io::stderr().write_all(line.as_bytes()));
}

/// The error with its causes, but for those that it names itself.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::{Arguments, one_line, with_causes};
    use anyhow::Context;
    use clap::CommandFactory;
    use std::io;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_of_a_daemon_has_its_variable() {
        let command = Arguments::command();
        let run = command.find_subcommand("run").unwrap();
        for argument in run.get_arguments().filter(|argument| argument.get_id() != "help") {
            let flag = argument.get_long().unwrap();
            let variable = format!("QUORATE_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().unwrap(), &*variable, "--{flag}");
        }
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(one_line("a\n  b\n\nc\n"), "a; b; c");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read it: {source}")]
    struct Named {
        source: io::Error,
    }

    #[test]
    fn causes_are_named_once() {
        let source = io::Error::other("no disk");
        let error = Err::<(), _>(Named { source }).context("cannot start").unwrap_err();
        assert_eq!(with_causes(&error), "cannot start: cannot read it: no disk");
        let error = Err::<(), _>(io::Error::other("no disk")).context("cannot start").unwrap_err();
        assert_eq!(with_causes(&error), "cannot start: no disk");
    }
}
