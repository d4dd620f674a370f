//! Which datastores there are, and what each lets a client do (RFC 6241, 8.2, 8.3 and 8.7).

/// A conventional configuration datastore (RFC 8342, 5.1).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(crate) enum Datastore {
    Running,
    Candidate,
    Startup,
}

/// `running-access`: how running is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RunningAccess {
    /// By edits of its own (:writable-running), and by commits where there is a candidate.
    #[default]
    ReadWrite,
    /// By commits of the candidate alone.
    ThroughCandidate,
}

/// Whether an optional datastore is there (:candidate, :startup).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Presence {
    #[default]
    On,
    Off,
}

/// Running could never be changed: it is written through a candidate that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("running is written through the candidate, so the candidate must be enabled")]
pub(crate) struct NoWayToRunning;

/// The datastores of an agent.
///
/// Invariant: running can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datastores {
    running: RunningAccess,
    candidate: Presence,
    startup: Presence,
}

impl Datastores {
    /// Those that the configuration asks for.
    pub(crate) fn new(
        running: RunningAccess,
        candidate: Presence,
        startup: Presence,
    ) -> Result<Self, NoWayToRunning> {
        if running == RunningAccess::ThroughCandidate && candidate == Presence::Off {
            return Err(NoWayToRunning);
        }
        Ok(Self { running, candidate, startup })
    }

    /// The datastore is there: it can be read, validated, copied from and locked.
    pub(crate) fn has(self, datastore: Datastore) -> bool {
        match datastore {
            Datastore::Running => true,
            Datastore::Candidate => self.candidate == Presence::On,
            Datastore::Startup => self.startup == Presence::On,
        }
    }

    /// :writable-running is advertised (8.2).
    pub(crate) fn writable_running(self) -> bool {
        self.running == RunningAccess::ReadWrite
    }

    /// commit and discard-changes are there (8.3.4).
    pub(crate) fn may_commit(self) -> bool {
        self.has(Datastore::Candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::{Datastore, Datastores, NoWayToRunning, Presence, RunningAccess};

    #[test]
    fn each_configuration_has_what_its_capabilities_say() {
        use Datastore::{Candidate, Running, Startup};
        use Presence::{Off, On};
        use RunningAccess::{ReadWrite, ThroughCandidate};
        for (running, candidate, startup, there) in [
            (ReadWrite, Off, Off, &[Running][..]),
            (ReadWrite, Off, On, &[Running, Startup]),
            (ReadWrite, On, Off, &[Running, Candidate]),
            (ThroughCandidate, On, Off, &[Running, Candidate]),
            (ThroughCandidate, On, On, &[Running, Candidate, Startup]),
        ] {
            let stores = Datastores::new(running, candidate, startup).unwrap();
            let had: Vec<Datastore> =
                [Running, Candidate, Startup].into_iter().filter(|ds| stores.has(*ds)).collect();
            assert_eq!(had, there);
            assert_eq!(stores.may_commit(), candidate == On);
            assert_eq!(stores.writable_running(), running == ReadWrite);
        }
    }

    #[test]
    fn running_through_a_candidate_that_is_off_is_refused() {
        let refused = Datastores::new(RunningAccess::ThroughCandidate, Presence::Off, Presence::On);
        assert_eq!(refused, Err(NoWayToRunning));
    }
}
