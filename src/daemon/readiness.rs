//! What a supervisor hears from us (sd_notify(3)), and what it says (signals).

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The variable that names the supervisor's socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The supervisor, if there is one that wants to hear.
#[derive(Debug, Clone, Default)]
pub(crate) struct Supervisor {
    socket: Option<OsString>,
}

impl Supervisor {
    /// The one that the environment names.
    pub(crate) fn from_environment() -> Self {
        Self { socket: env::var_os(VARIABLE).filter(|name| !name.is_empty()) }
    }

    /// The agent serves.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// What the agent does at the moment, for people.
    pub(crate) fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}", one_line(status)));
    }

    /// The agent ends.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = send(socket, message) {
            tracing::warn!(socket = ?socket, %error, "cannot tell the supervisor");
        }
    }
}

fn send(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    // A supervisor that does not listen must not hold the agent up.
    sender.set_nonblocking(true)?;
    sender.send_to_addr(message.as_bytes(), &address).map(drop)
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The signals that ask the process to end.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the process does not die of them. In an async runtime.
    ///
    /// # Errors
    /// If they cannot be caught.
    pub(crate) fn catch() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt })
    }

    /// Waits until the process is asked to end, and tells by which signal.
    pub(crate) async fn asked_to_stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Supervisor;
    use std::ffi::OsString;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn heard(receiver: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let len = receiver.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    #[test]
    fn the_supervisor_hears_all_three_words() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor { socket: Some(path.into()) };
        supervisor.status("recovering");
        supervisor.ready("serving\non 830");
        supervisor.stopping();
        assert_eq!(heard(&receiver), "STATUS=recovering");
        assert_eq!(heard(&receiver), "READY=1\nSTATUS=serving on 830");
        assert_eq!(heard(&receiver), "STOPPING=1\nSTATUS=stopping");
    }

    #[test]
    fn a_supervisor_in_the_abstract_namespace_hears_us() {
        let name = format!("quorate-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        Supervisor { socket: Some(OsString::from(format!("@{name}"))) }.stopping();
        assert_eq!(heard(&receiver), "STOPPING=1\nSTATUS=stopping");
    }

    #[test]
    fn without_a_supervisor_nothing_happens() {
        Supervisor::default().ready("serving");
        Supervisor { socket: Some("/does/not/exist".into()) }.ready("serving");
    }
}
