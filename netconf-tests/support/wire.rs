//! Bytes to and from a server, with a deadline on every wait.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One connection, whatever carries it.
pub(crate) struct Wire {
    out: Option<Box<dyn Write + Send>>,
    incoming: Receiver<Vec<u8>>,
    /// Read and not yet asked for.
    buffer: Vec<u8>,
    closed: bool,
    child: Option<Child>,
    socket: Option<UnixStream>,
}

impl Wire {
    /// Connects to the Unix socket at `path`.
    pub(crate) fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        let mut wire = Self::reading(stream.try_clone()?, Box::new(stream.try_clone()?));
        wire.socket = Some(stream);
        Ok(wire)
    }

    /// Runs a command that speaks NETCONF on its standard input and output.
    pub(crate) fn command(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let input = child.stdin.take().expect("piped");
        let output = child.stdout.take().expect("piped");
        let mut wire = Self::reading(output, Box::new(input));
        wire.child = Some(child);
        Ok(wire)
    }

    /// Reads `input` in a thread.
    fn reading(mut input: impl Read + Send + 'static, out: Box<dyn Write + Send>) -> Self {
        let (sender, incoming) = channel();
        std::thread::spawn(move || {
            let mut block = vec![0; 1 << 16];
            while let Ok(count @ 1..) = input.read(&mut block) {
                if sender.send(block[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self::new(incoming, out)
    }

    /// A connection whose bytes come through `incoming`, until the server closes.
    pub(super) fn new(incoming: Receiver<Vec<u8>>, out: Box<dyn Write + Send>) -> Self {
        Self {
            out: Some(out),
            incoming,
            buffer: Vec::new(),
            closed: false,
            child: None,
            socket: None,
        }
    }

    /// Sends bytes as they are. A server that has closed is no error here: reading tells.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Some(out) = &mut self.out {
            let sent = out.write_all(bytes).and_then(|()| out.flush());
            if let Err(error) = sent {
                let closed = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
                assert!(closed.contains(&error.kind()), "{error}");
            }
        }
    }

    /// Says that nothing more will be sent, and still listens.
    pub(crate) fn end_of_input(&mut self) {
        self.out = None;
        if let Some(socket) = &self.socket {
            socket.shutdown(std::net::Shutdown::Write).expect("a connected socket");
        }
    }

    /// Reads up to and including `end`; what came before it, or `None` if the server closed first.
    pub(crate) fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        let mut from = 0;
        loop {
            if let Some(at) = find(&self.buffer[from..], end) {
                let rest = self.buffer.split_off(from + at + end.len());
                let mut before = std::mem::replace(&mut self.buffer, rest);
                before.truncate(from + at);
                return Some(before);
            }
            from = self.buffer.len().saturating_sub(end.len());
            if !self.more() {
                return None;
            }
        }
    }

    /// Reads exactly `count` bytes, or `None` if the server closed first.
    pub(crate) fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.more() {
                return None;
            }
        }
        let rest = self.buffer.split_off(count);
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// Reads until the server closes: all that it still sent.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.buffer)
    }

    /// Waits until the server closes; it must not send anything before.
    #[track_caller]
    pub(crate) fn closes(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "before its close: {}", String::from_utf8_lossy(&rest));
    }

    /// Whether the server has closed; takes in what has arrived, without waiting.
    pub(crate) fn is_closed(&mut self) -> bool {
        while let Ok(block) = self.incoming.recv_timeout(Duration::ZERO) {
            self.buffer.extend(block);
        }
        let gone = self.incoming.recv_timeout(Duration::ZERO);
        self.closed |= gone == Err(RecvTimeoutError::Disconnected);
        self.closed
    }

    fn more(&mut self) -> bool {
        if self.closed {
            return false;
        }
        match self.incoming.recv_timeout(PATIENCE) {
            Ok(block) => self.buffer.extend(block),
            Err(RecvTimeoutError::Disconnected) => self.closed = true,
            Err(RecvTimeoutError::Timeout) => {
                let seen = String::from_utf8_lossy(&self.buffer);
                let seen: String = seen.chars().take(2000).collect();
                panic!("nothing from the server for {PATIENCE:?}; unread so far: {seen:?}");
            }
        }
        !self.closed
    }

    /// The exit code of the command, after its end.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        self.end_of_input();
        let mut child = self.child.take().expect("a command");
        let status = super::eventually("the command ends", || child.try_wait().expect("a child"));
        status.code()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.out = None;
        if let Some(socket) = &self.socket {
            // Ends the reading thread; an error says that the server has closed already.
            drop(socket.shutdown(std::net::Shutdown::Both));
        }
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
