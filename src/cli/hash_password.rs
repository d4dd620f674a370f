//! `quorate hash-password`: a hash for the configuration file.

use crate::io::password::PasswordHash;
use anyhow::{Context, bail, ensure};
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

/// Ctrl-C where it is a character as others.
const INTERRUPT: char = '\u{3}';

const AFTER_HELP: &str = "\
The password is asked for twice on a terminal; otherwise it is the first line of standard input. It
is never an argument, for arguments can be seen by every user of the machine.

Examples:
  quorate hash-password
  printf '%s\\n' \"$PASSWORD\" | quorate hash-password";

/// Print the hash of a password, for password-hash in the configuration file.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct HashPasswordArguments {}

impl HashPasswordArguments {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self {} = self;
        let password = if io::stdin().is_terminal() {
            let password = ask("Password: ")?;
            ensure!(ask("Again: ")? == password, "the two passwords differ");
            password
        } else {
            read_line(&mut io::stdin().lock())?
        };
        ensure!(!password.is_empty(), "the password is empty");
        let hash = PasswordHash::of(&password)?;
        writeln!(io::stdout(), "{}", hash.as_str())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A terminal that does not show what is typed; it does again when this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        // Without signals nothing ends the process while the terminal is like this.
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // If this fails the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

fn ask(prompt: &str) -> anyhow::Result<String> {
    let hidden = Hidden::new().context("cannot hide the password on this terminal")?;
    io::stderr().write_all(prompt.as_bytes())?;
    let line = read_line(&mut io::stdin().lock());
    drop(hidden);
    io::stderr().write_all(b"\n")?;
    let line = line?;
    if line.contains(INTERRUPT) {
        bail!("interrupted");
    }
    Ok(line)
}

/// The next line without its end.
fn read_line(input: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line).context("cannot read the password")?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::read_line;

    #[test]
    fn a_password_is_a_line_without_its_end() {
        for (text, password) in [
            ("secret", "secret"),
            ("se cret \n", "se cret "),
            ("secret\r\nmore\n", "secret"),
            ("", ""),
        ] {
            assert_eq!(read_line(&mut text.as_bytes()).unwrap(), password);
        }
        assert!(read_line(&mut &b"\xff\n"[..]).is_err());
    }
}
