//! Whether the agent's thread is at work, so that a long piece of it is not taken for its death.
//!
//! A transport that lives says nothing of an agent that hangs. So there is an end to it, and only what is known to take
//! long counts: computing, and the writing of much. A disk that does not answer to little is a reason to elect another.

use crate::base::limits::{AGENT_WORK_MS_MAX, DISK_MS_PER_MIB};
use crate::io::clock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Until when the agent counts as alive, in ms of the clock; 0: it waits for something to do, and speaks for itself.
#[derive(Debug, Default)]
pub(crate) struct Work(AtomicU64);

impl Work {
    /// The agent computes.
    pub(crate) fn computes(&self) {
        self.lasts(AGENT_WORK_MS_MAX);
    }

    /// The agent waits for the disk to take so many bytes.
    pub(crate) fn writes(&self, bytes: u64) {
        self.lasts((bytes >> 20).saturating_mul(DISK_MS_PER_MIB));
    }

    /// The agent waits for something to do.
    pub(crate) fn rests(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether the agent is at work, and not for too long.
    pub(super) fn goes_on(&self) -> bool {
        clock::now().0 < self.0.load(Ordering::Relaxed)
    }

    fn lasts(&self, ms: u64) {
        self.0.store(clock::now().plus_ms(ms).0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Work;

    #[test]
    fn computing_and_writing_much_are_work_and_a_disk_that_hangs_is_none() {
        let work = Work::default();
        assert!(!work.goes_on());
        work.computes();
        assert!(work.goes_on());
        work.writes((1 << 20) - 1);
        assert!(!work.goes_on());
        work.writes(100 << 20);
        assert!(work.goes_on());
        work.rests();
        assert!(!work.goes_on());
    }
}
