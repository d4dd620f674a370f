//! The agent inside another program.

use super::configuration::{Configuration, Overrides};
use super::node::Node;
use super::start::Registered;
use crate::api::participant::{Participant, Registration};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// An agent that is about to start in this process, with the participants of the application.
///
/// ```no_run
/// # struct Interfaces;
/// # impl quorate::Participant for Interfaces {
/// #     fn commit(&mut self, _: &quorate::Change) -> Result<(), quorate::Alarm> { Ok(()) }
/// # }
/// let registration = quorate::Registration::new("interfaces").path("/ietf-interfaces:interfaces");
/// quorate::Agent::from_file("/etc/device/quorate.toml")?
///     .participant(registration, Interfaces)
///     .run()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct Agent {
    configuration: Configuration,
    participants: Vec<Registered>,
}

/// An agent that serves.
pub struct RunningAgent(Node);

impl Agent {
    /// An agent with the settings of a configuration file.
    ///
    /// # Errors
    /// If the file cannot be read or a setting is wrong.
    pub fn from_file(file: impl AsRef<Path>) -> anyhow::Result<Self> {
        let overrides =
            Overrides { file: Some(PathBuf::from(file.as_ref())), ..Overrides::default() };
        Ok(Self::of(Configuration::load(overrides)?))
    }

    pub(crate) fn of(configuration: Configuration) -> Self {
        Self { configuration, participants: Vec::new() }
    }

    /// The same agent with one more participant.
    #[must_use]
    pub fn participant(
        mut self,
        registration: Registration,
        participant: impl Participant,
    ) -> Self {
        self.participants.push((registration, Box::new(participant)));
        self
    }

    /// Serves until SIGTERM or SIGINT, logging to standard error.
    ///
    /// # Errors
    /// If it cannot start (nothing serves then), or its log cannot be written any more.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::run(&self.configuration, self.participants)
    }

    /// Starts to serve, and returns when NETCONF is open. Signals and the `tracing` subscriber are the application's.
    ///
    /// # Errors
    /// If it cannot start: nothing serves then.
    pub fn start(self) -> anyhow::Result<RunningAgent> {
        let mut node = Node::start(&self.configuration, self.participants)?;
        match node.open(std::future::pending::<std::convert::Infallible>())? {
            Some(never) => match never {},
            None => Ok(RunningAgent(node)),
        }
    }
}

impl RunningAgent {
    /// Where SSH listens.
    #[must_use]
    pub fn ssh_address(&self) -> Option<SocketAddr> {
        self.0.addresses().ssh
    }

    /// Where the local socket is.
    #[must_use]
    pub fn unix_path(&self) -> Option<&Path> {
        self.0.addresses().unix.as_deref()
    }

    /// Answers what was asked, ends all sessions, closes the log, and returns when that is done.
    ///
    /// # Errors
    /// If the agent failed in the meantime; the text says why.
    pub fn stop(self) -> anyhow::Result<()> {
        self.0.stop()
    }
}
