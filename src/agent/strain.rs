//! A leader whose own disk or thread is too slow gives leadership away (PROTOCOL L10).
//!
//! The shell measures, and averages that forget are held against limits: one pause is no reason, and who was too slow is
//! so until it is clearly fast again. A follower says in its keepalives that it is strained, and is not chosen then.
//! Where all are, whoever leads goes on: to hand leadership around would only add to it.
//!
//! A node that is about to end is no leader either: a planned restart costs writers no election.

use super::{Agent, StorageSpace};
use crate::base::limits::{KEEPALIVE_MS, LEAD_AT_LEAST_MS, SLOW_DISK_MS, SLOW_THREAD_MS};
use crate::base::time::{Now, Timestamp};

/// What the shell has measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measured {
    /// Milliseconds that a durable write took.
    Write(u64),
    /// Milliseconds by which the agent's thread was late when time had to pass.
    Lateness(u64),
}

/// How many times its limit a single measurement counts at most: then two in a row are over the limit, and one is not.
const MEASURED_LIMITS_MAX: u64 = 5;
/// Of an average, this part is that of the newest measurement.
const NEWEST_PART: u64 = 8;

/// Milliseconds, on average.
#[derive(Debug)]
struct Average {
    limit: u64,
    /// `NEWEST_PART` times the average.
    sum: u64,
    /// It was over its limit, and has not been under half of that since.
    is_over: bool,
}

impl Average {
    fn new(limit: u64) -> Self {
        Self { limit, sum: 0, is_over: false }
    }

    fn take(&mut self, measured: u64) {
        let measured = measured.min(self.limit.saturating_mul(MEASURED_LIMITS_MAX));
        let forgotten = self.sum.div_ceil(NEWEST_PART);
        self.sum = self.sum.saturating_sub(forgotten).saturating_add(measured);
        let average = self.sum / NEWEST_PART;
        self.is_over = average > if self.is_over { self.limit / 2 } else { self.limit };
    }
}

/// How hard it is for this node to do its part.
#[derive(Debug)]
pub(super) struct Strain {
    disk: Average,
    thread: Average,
    /// Leadership was offered to another voter, in this term.
    offered: bool,
    /// That there is nobody to offer it to was said.
    stays: bool,
    /// The process was asked to end.
    ends: bool,
}

impl Strain {
    pub(super) fn new() -> Self {
        let (disk, thread) = (Average::new(SLOW_DISK_MS), Average::new(SLOW_THREAD_MS));
        Self { disk, thread, offered: false, stays: false, ends: false }
    }

    /// This node does not lead any more.
    pub(super) fn has_handed_over(&mut self) {
        (self.offered, self.stays) = (false, false);
    }
}

impl Agent {
    /// Takes in what the shell has measured.
    pub(crate) fn measured(&mut self, measured: Measured) {
        let was = self.is_strained();
        match measured {
            Measured::Write(ms) => self.strain.disk.take(ms),
            Measured::Lateness(ms) => self.strain.thread.take(ms),
        }
        match self.why_strained() {
            _ if self.peers.alone => {}
            Some(why) if !was => tracing::warn!("this node is {why}"),
            None if was => tracing::info!("this node is fast enough to lead again"),
            Some(_) | None => {}
        }
    }

    /// The process was asked to end: from now on this node does not want to lead.
    pub(crate) fn prepare_to_end(&mut self) {
        // Whoever was not fit before may be so now.
        self.strain.has_handed_over();
        self.strain.ends = true;
    }

    /// Nobody waits for this node to hand over leadership: it does not lead, or nobody could take over.
    pub(crate) fn may_end(&self) -> bool {
        self.peers.alone || !self.node.is_leader() || self.strain.stays
    }

    /// This node should not lead.
    pub(super) fn is_strained(&self) -> bool {
        self.why_strained().is_some()
    }

    fn why_strained(&self) -> Option<&'static str> {
        if self.strain.ends {
            Some("about to end")
        } else if self.storage == StorageSpace::Full {
            Some("out of disk space")
        } else if self.strain.disk.is_over {
            Some("slow in writing to its disk")
        } else if self.strain.thread.is_over {
            Some("slow: its thread gets too little of a processor")
        } else {
            None
        }
    }

    /// L10: offers leadership to the best voter that is not strained itself. If it does not take over, everybody may
    /// stand for election.
    pub(super) fn hand_over_if_strained(&mut self, now: Now) {
        let led_ms = now.monotonic.ms_since(self.leading_since);
        let is_new = led_ms < LEAD_AT_LEAST_MS && !self.strain.ends;
        let idle = self.peers.alone || !self.is_strained() || is_new;
        if idle || self.node.transferring_to().is_some() {
            return;
        }
        if self.strain.offered {
            tracing::warn!("nobody has taken over from this node, which stops leading");
            self.node.step_down();
            return self.look_around(now);
        }
        let since = Timestamp(now.monotonic.0.saturating_sub(2 * KEEPALIVE_MS));
        let is_fit = |voter| self.peers.is_fit_to_lead(voter, since) && !self.has_diverged(voter);
        let best = self.node.best_voter_of(is_fit);
        let why = self.why_strained().unwrap_or_default();
        if let Some(best) = best
            && self.node.transfer_leader(best).is_ok()
        {
            if self.strain.ends {
                tracing::info!(to = best.0, "this node is {why}: leadership is handed over");
            } else {
                tracing::warn!(to = best.0, "this node is {why}: leadership is handed over");
            }
            self.strain.offered = true;
        } else if !std::mem::replace(&mut self.strain.stays, true) {
            tracing::warn!("this node is {why}, and no other voter is fit to lead");
        }
    }
}
