//! One node: its disk and clock, which stay, and its lives, which end.

use super::journal::Journal;
use super::participants::Scripted;
use crate::agent::Agent;
use crate::agent::effects::{Effects, Lease};
use crate::agent::event::{ReplyTo, SessionEvent};
use crate::api::hook::{CallId, HookAnswer};
use crate::base::ids::{Incarnation, LogIndex, Revision};
use crate::base::time::{Now, Timestamp, WallTime};
use crate::netconf::state::View;
use crate::raft::{Delivery, SnapshotMeta};
use crate::replication::message::PeerMessage;
use crate::replication::state::State;
use crate::storage::Log;
use crate::storage::simulated_disk::{SimulatedDisk, Unsynced};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where in the order of effects a node can die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boundary {
    /// Something was decided, nothing of it is done.
    Decided,
    /// The early messages have left, nothing is written.
    EarlySent,
    /// At the disk operation of this number, counted from the first of the write.
    Writing(u64),
    /// The write is durable, the agent does not know it.
    Written,
    /// The view is shown, nobody was told.
    Shown,
    /// The messages have left, the answers have not.
    Sent,
    /// At the disk operation of this number of a snapshot.
    Snapshot(u64),
}

/// How a node dies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Death {
    pub(super) unsynced: Unsynced,
    /// The machine is off, so that nobody hears of it at once; otherwise only the process ended.
    pub(super) power: bool,
    /// Microseconds until it starts again.
    pub(super) down_us: u64,
}

/// A death that is on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doom {
    pub(super) at: Boundary,
    pub(super) death: Death,
}

/// The clocks of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// What its boot time clock showed when the world began.
    pub(super) offset_us: u64,
    /// Its microseconds in a million true ones.
    pub(super) rate: u64,
    pub(super) wall_ms: u64,
}

impl Clock {
    /// What it shows at a moment of the world.
    pub(super) fn now(&self, time: u64) -> Now {
        let local = self.offset_us + time * self.rate / 1_000_000;
        let wall = WallTime(self.wall_ms + local / 1000);
        Now { monotonic: Timestamp(local / 1000), wall }
    }

    /// The first moment of the world at which it shows `at`.
    pub(super) fn when(&self, at: Timestamp) -> u64 {
        let local = (at.0.saturating_mul(1000)).saturating_sub(self.offset_us);
        (local.saturating_mul(1_000_000) / self.rate).saturating_add(1)
    }
}

/// What comes to a node's thread.
pub(super) enum Input {
    Question(ReplyTo, SessionEvent),
    Peer(Incarnation, PeerMessage),
    Connected(Incarnation),
    Lost(Incarnation),
    Hook(CallId, HookAnswer),
    SnapshotArrived {
        from: Incarnation,
        meta: SnapshotMeta,
        state: Box<State>,
        frame: Vec<u8>,
    },
    SnapshotSent(Incarnation, Delivery),
    SnapshotWritten(SnapshotMeta),
    /// What a leader of an earlier term has proposed.
    Forwarded(Vec<u8>),
}

/// What readers of a node see.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) view: Arc<View>,
    pub(super) revision: Revision,
}

/// A node.
pub(super) struct Node {
    pub(super) incarnation: Incarnation,
    pub(super) name: String,
    /// It was removed, and knows it.
    pub(super) is_gone: bool,
    pub(super) disk: SimulatedDisk,
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) life: Option<Life>,
    /// How many lives it has had.
    pub(super) lives: u64,
    /// How far it has ever applied.
    pub(super) applied: LogIndex,
    /// The snapshots that its disk has had.
    pub(super) snapshots: BTreeMap<LogIndex, SnapshotMeta>,
    /// Nothing of it runs before.
    pub(super) paused_until: u64,
    /// Microseconds of a flush, at most.
    pub(super) flush_us: u64,
}

impl Node {
    /// Whether it leads and may decide.
    pub(super) fn decides(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.agent.inspect().decides)
    }
}

/// From start to death.
pub(super) struct Life {
    pub(super) number: u64,
    pub(super) agent: Agent,
    pub(super) log: Log,
    /// Whom it wants to be connected to.
    pub(super) peers: BTreeSet<Incarnation>,
    pub(super) inbox: Vec<Input>,
    /// Its thread will look at the inbox.
    pub(super) turn_due: bool,
    /// What waits for the disk.
    pub(super) writing: Option<Effects>,
    /// The earliest wake that is in the queue.
    pub(super) wake_at: Option<u64>,
    pub(super) shown: Option<Shown>,
    pub(super) lease: Lease,
    pub(super) ready: bool,
    /// The length of the log at which the next snapshot is taken.
    pub(super) snapshot_at: u64,
    /// The snapshot that is being taken.
    pub(super) snapshot: Option<(SnapshotMeta, Box<State>)>,
    pub(super) doom: Option<Doom>,
    pub(super) participants: Vec<Scripted>,
    /// How often in a row its thread wanted to be woken at once.
    pub(super) restless: u32,
    /// Up to where its applied entries were compared.
    pub(super) compared: LogIndex,
}

impl Life {
    /// The agent's thread takes one thing in.
    pub(super) fn take_in(&mut self, now: Now, input: Input) {
        let agent = &mut self.agent;
        match input {
            Input::Question(reply, event) => agent.step(now, reply, event),
            Input::Peer(from, message) => agent.peer(now, from, message),
            Input::Connected(peer) => agent.peer_connected(now, peer),
            Input::Lost(peer) => agent.peer_lost(now, peer),
            Input::Hook(call, answer) => agent.hook_answered(now, call, answer),
            Input::SnapshotArrived { from, meta, state, frame } => {
                agent.snapshot_arrived(now, from, (meta, *state), &frame);
            }
            Input::SnapshotSent(to, delivery) => agent.snapshot_sent(now, to, delivery),
            Input::SnapshotWritten(meta) => agent.snapshot_written(meta),
            Input::Forwarded(entry) => agent.forwarded(entry),
        }
    }

    /// Whether it may show its view to a reader at this moment.
    pub(super) fn may_read(&self, now: Now) -> bool {
        match self.lease {
            Lease::Unlimited => true,
            Lease::Until(end) => now.monotonic < end,
        }
    }
}
