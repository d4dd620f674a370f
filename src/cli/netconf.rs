//! `quorate netconf`: standard input and output joined to the agent's local socket.

use crate::daemon::configuration::DEFAULT_SOCKET;
use anyhow::Context;
use clap::Args;
use rustix::pipe::fcntl_setpipe_size;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

/// Bytes that are moved at a time, and that a pipe is asked to hold.
const COPY_BYTES: usize = 256 << 10;

const AFTER_HELP: &str = "\
The NETCONF user is the account that the command runs as. At the end of standard input what was sent
is still answered; the command ends when the agent has closed the session.

Examples:
  As a subsystem of OpenSSH's server, in sshd_config:
    Subsystem netconf /usr/bin/quorate netconf

  From a script, with a hello and one request:
    quorate netconf --socket ./netconf.sock < requests.xml > replies.xml";

/// Join standard input and output to the agent's local socket.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(super) struct NetconfArguments {
    /// The agent's local socket.
    #[arg(long, value_name = "PATH", env = "QUORATE_UNIX", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
}

impl NetconfArguments {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.socket.display();
        let socket = UnixStream::connect(&self.socket)
            .with_context(|| format!("cannot reach an agent at {path}"))?;
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        // Whoever reads it is woken less often. It need not be a pipe, and the system may allow less.
        fcntl_setpipe_size(&output, COPY_BYTES).ok();
        // A session begins with the agent's hello.
        let served = join(socket, input, output)? > 0;
        anyhow::ensure!(served, "the agent at {path} refused a session; its log says why");
        Ok(ExitCode::SUCCESS)
    }
}

/// Moves bytes both ways until the agent closes; the end of `input` is passed on. Gives the number of the agent's bytes.
///
/// # Errors
/// If `output` cannot be written. The rest of the agent's bytes is lost then.
fn join<I, O>(socket: UnixStream, mut input: I, mut output: O) -> anyhow::Result<usize>
where
    I: Read + Send + 'static,
    O: Write,
{
    let mut to_agent = socket.try_clone()?;
    // It may wait for input for ever: it is not joined, but ends with the process.
    drop(thread::spawn(move || {
        // An error means that the agent closed; what it said last is still being read.
        drop(copy(&mut input, &mut to_agent));
        drop(to_agent.shutdown(Shutdown::Write));
    }));
    let mut from_agent = socket;
    copy(&mut from_agent, &mut output).context("cannot write to standard output")
}

/// Copies until the end of `from`; a connection that is reset is at its end. Gives the number of bytes.
///
/// # Errors
/// If `to` cannot be written.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<usize> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut copied = 0_usize;
    loop {
        let len = match from.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return Ok(copied),
            Ok(len) => len,
        };
        to.write_all(buffer.get(..len).unwrap_or_default())?;
        to.flush()?;
        copied = copied.saturating_add(len);
    }
}

#[cfg(test)]
mod tests {
    use super::{COPY_BYTES, join};
    use std::io::{self, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    #[test]
    fn the_end_of_input_is_passed_on_and_the_answer_still_comes() {
        let (ours, mut agent) = UnixStream::pair().unwrap();
        let agent = thread::spawn(move || {
            let mut request = String::new();
            agent.read_to_string(&mut request).unwrap();
            agent.write_all(request.to_uppercase().as_bytes()).unwrap();
        });
        let mut output = Vec::new();
        assert_eq!(join(ours, &b"hello"[..], &mut output).unwrap(), 5);
        agent.join().unwrap();
        assert_eq!(output, b"HELLO");
    }

    #[test]
    fn much_goes_both_ways_at_the_same_time() {
        let (ours, mut agent) = UnixStream::pair().unwrap();
        let agent = thread::spawn(move || {
            let mut reader = agent.try_clone().unwrap();
            io::copy(&mut reader, &mut agent).unwrap();
        });
        let input = vec![b'x'; 20 * COPY_BYTES + 1];
        let mut output = Vec::new();
        join(ours, io::Cursor::new(input.clone()), &mut output).unwrap();
        agent.join().unwrap();
        assert!(output == input);
    }

    #[test]
    fn the_end_of_the_agent_ends_it_while_input_stays_open() {
        let (ours, agent) = UnixStream::pair().unwrap();
        let (input, _kept_open) = UnixStream::pair().unwrap();
        drop(agent);
        assert_eq!(join(ours, input, Vec::new()).unwrap(), 0);
    }

    #[test]
    fn an_output_that_is_closed_is_an_error() {
        let (ours, mut agent) = UnixStream::pair().unwrap();
        let (output, reader) = UnixStream::pair().unwrap();
        drop(reader);
        agent.write_all(b"hello").unwrap();
        assert!(join(ours, io::empty(), output).is_err());
    }
}
