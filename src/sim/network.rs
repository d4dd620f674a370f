//! Connections between nodes: two lanes each, in order, until they break. Some worlds have a worse network.

use super::node::Input;
use super::oracle::Violation;
use super::world::{Event, MS, World};
use crate::agent::effects::SendSnapshot;
use crate::base::ids::{Incarnation, LogIndex};
use crate::raft::{Delivery, Payload, SplitMix64};
use crate::replication::message::{Lane, PeerMessage};
use crate::storage::{SnapshotReader, SnapshotWriter};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Silence after which a connection is given up.
const SILENCE_US: u64 = 2_000 * MS;

/// Strays that wait for another leader.
const AMBUSH_MAX: usize = 64;

/// From one node to another.
#[derive(Default)]
struct Direction {
    blocked: bool,
    /// What waits for the way to be free, as TCP would send it again.
    held: Vec<Packet>,
    /// When the last packet of each lane arrives.
    arrives: BTreeMap<Lane, u64>,
}

/// Between two nodes.
#[derive(Default)]
struct Pair {
    connected: bool,
    /// Rises with each connection.
    epoch: u64,
    /// An attempt to connect is in the queue.
    connecting: bool,
    /// Who has not heard yet that the last connection broke.
    unaware: Vec<usize>,
}

/// A message on its way.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    from: usize,
    to: usize,
    epoch: u64,
    what: Cargo,
}

#[derive(Debug, Clone)]
enum Cargo {
    /// A message and what travels beside it.
    Message(Lane, Vec<u8>, Vec<Payload>),
    /// A snapshot with the frame that follows it.
    Snapshot(LogIndex, Vec<u8>, Vec<u8>),
}

/// A message of the agents that has lost its way: it comes in its own time, whatever becomes of its connection.
#[derive(Debug, Clone)]
pub(super) struct Stray {
    from: Incarnation,
    to: usize,
    life: u64,
    bytes: Vec<u8>,
    is_request: bool,
}

/// How bad the network is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    pub(super) latency_us: (u64, u64),
    /// What the bulk lane takes longer than the prompt one, at most.
    bulk_us: u64,
    /// In a thousand.
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) late: u64,
    /// Messages of the agents, in a thousand, that go astray, and copies that do.
    pub(super) stray: u64,
    /// Microseconds that a stray takes, at most.
    stray_us: u64,
}

impl Weather {
    /// That of a world.
    pub(super) fn draw(chance: &mut SplitMix64, is_hostile: bool) -> Self {
        let wild = if chance.below(4) == 0 { 8 } else { 0 };
        Self {
            latency_us: (50, 200 + chance.below(5) * chance.below(4 * MS)),
            bulk_us: if chance.below(4) == 0 { 60 * MS } else { 0 },
            lost: wild,
            twice: wild,
            late: wild,
            stray: if is_hostile { 150 } else { 0 },
            stray_us: if chance.below(2) == 0 { 300 * MS } else { 3_000 * MS },
        }
    }

    /// Nothing is lost any more.
    pub(super) fn clear(&mut self) {
        (self.lost, self.stray) = (0, 0);
    }
}

/// All connections.
pub(super) struct Network {
    directions: BTreeMap<(usize, usize), Direction>,
    pairs: BTreeMap<(usize, usize), Pair>,
    pub(super) weather: Weather,
}

fn pair_of(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Network {
    pub(super) fn new(weather: Weather) -> Self {
        Self { directions: BTreeMap::new(), pairs: BTreeMap::new(), weather }
    }

    fn direction(&mut self, from: usize, to: usize) -> &mut Direction {
        self.directions.entry((from, to)).or_default()
    }

    fn pair(&mut self, a: usize, b: usize) -> &mut Pair {
        self.pairs.entry(pair_of(a, b)).or_default()
    }

    fn is_free(&self, a: usize, b: usize) -> bool {
        [(a, b), (b, a)].iter().all(|way| self.directions.get(way).is_none_or(|way| !way.blocked))
    }
}

impl World {
    pub(super) fn node_of(&self, incarnation: Incarnation) -> Option<usize> {
        self.nodes.iter().position(|node| node.incarnation == incarnation)
    }

    /// Sends a message as its bytes, if there is a connection.
    pub(super) fn send(&mut self, from: usize, to: Incarnation, message: &PeerMessage) {
        let Some(to) = self.node_of(to).filter(|to| *to != from) else { return };
        let bytes = message.encode().expect("a message has bytes");
        // Consensus is another's work, and what is said as soon as there is a connection belongs to that.
        let may_stray = !matches!(
            message,
            PeerMessage::Consensus { .. } | PeerMessage::Hello { .. } | PeerMessage::Removed
        );
        let is_request = matches!(message, PeerMessage::Request(_));
        if may_stray
            && self.network.pair(from, to).connected
            && self.strays((from, to), &bytes, is_request)
        {
            return;
        }
        self.dispatch(from, to, Cargo::Message(message.lane(), bytes, message.beside().to_vec()));
    }

    /// Whether it goes astray instead of going its way. A copy of it may do that too.
    fn strays(&mut self, (from, to): (usize, usize), bytes: &[u8], is_request: bool) -> bool {
        let Weather { stray, stray_us, .. } = self.network.weather;
        let draw = if stray > 0 { self.chance.below(1000) } else { u64::MAX };
        if draw < 2 * stray {
            let wait = MS + self.chance.below(stray_us);
            let (from, bytes) = (self.nodes[from].incarnation, bytes.to_vec());
            let life = self.nodes[to].life.as_ref().map(|life| life.number);
            let stray = life.map(|life| Stray { from, to, life, bytes, is_request });
            match stray {
                Some(stray) if self.chance.below(2) == 0 => {
                    let full = self.ambush.len() >= AMBUSH_MAX;
                    self.ambush.drain(..usize::from(full));
                    self.ambush.push(stray);
                }
                Some(stray) => self.after(wait, Event::Stray(stray)),
                None => {}
            }
        }
        draw < stray
    }

    /// Another leader has begun: the worst moment for what was meant for the one before. What it was asked itself, in
    /// an earlier term, comes to it.
    pub(super) fn spring_ambush(&mut self, leader: usize) {
        let ambush = std::mem::take(&mut self.ambush);
        let comes = |stray: &Stray| !stray.is_request || stray.to == leader;
        let (come, stay): (Vec<_>, _) = ambush.into_iter().partition(comes);
        self.ambush = stay;
        for stray in come {
            let wait = self.chance.below(10 * MS);
            self.after(wait, Event::Stray(stray));
        }
    }

    pub(super) fn deliver_stray(&mut self, stray: Stray) {
        let Stray { from, to, life, bytes, .. } = stray;
        if self.lives(to, life) {
            let message = PeerMessage::decode(&bytes, Vec::new()).expect("what was encoded");
            self.say(format_args!("{from}->{to} late: {}", brief(&message)));
            self.give(to, Input::Peer(from, message));
        }
    }

    /// Streams a snapshot of the sender's disk.
    pub(super) fn send_snapshot(&mut self, from: usize, snapshot: SendSnapshot) {
        let Some(to) = self.node_of(snapshot.to) else {
            return self.give(from, Input::SnapshotSent(snapshot.to, Delivery::Failed));
        };
        let disk = Arc::new(self.nodes[from].disk.clone());
        let mut bytes = Vec::new();
        if let Ok(mut reader) = SnapshotReader::open(disk, snapshot.index) {
            while let Ok(Some(piece)) = reader.read() {
                bytes.extend_from_slice(&piece);
            }
        }
        if bytes.is_empty() || !self.network.pair(from, to).connected {
            return self.snapshot_failed(from, to);
        }
        self.dispatch(from, to, Cargo::Snapshot(snapshot.index, bytes, snapshot.frame));
    }

    fn snapshot_failed(&mut self, from: usize, to: usize) {
        let to = self.nodes[to].incarnation;
        self.give(from, Input::SnapshotSent(to, Delivery::Failed));
    }

    fn dispatch(&mut self, from: usize, to: usize, what: Cargo) {
        let pair = self.network.pair(from, to);
        if !pair.connected {
            return;
        }
        let packet = Packet { from, to, epoch: pair.epoch, what };
        let weather = self.network.weather;
        if self.chance.below(1000) < weather.lost && matches!(packet.what, Cargo::Message(..)) {
            return;
        }
        if self.chance.below(1000) < weather.twice {
            self.carry(packet.clone());
        }
        self.carry(packet);
    }

    fn carry(&mut self, packet: Packet) {
        let (low, high) = self.network.weather.latency_us;
        let late = self.chance.below(1000) < self.network.weather.late;
        let mut takes = low + self.chance.below(high - low + 1);
        let bulk_us = self.network.weather.bulk_us;
        let lane = match &packet.what {
            Cargo::Message(Lane::Prompt, ..) => Lane::Prompt,
            Cargo::Message(Lane::Bulk, ..) => {
                takes += if bulk_us > 0 { self.chance.below(bulk_us) } else { 0 };
                Lane::Bulk
            }
            Cargo::Snapshot(_, bytes, _) => {
                takes += 10 * MS + u64::try_from(bytes.len()).unwrap_or(0);
                Lane::Bulk
            }
        };
        let time = self.time;
        let way = self.network.direction(packet.from, packet.to);
        if way.blocked {
            way.held.push(packet);
            return;
        }
        let last = way.arrives.entry(lane).or_default();
        let at = if late { time + takes * 20 } else { (time + takes).max(*last + 1) };
        if !late {
            *last = at;
        }
        self.at(at, Event::Deliver(packet));
    }

    /// A packet arrives, if the connection that it was sent by is still there.
    pub(super) fn deliver(&mut self, packet: Packet) -> Result<(), Violation> {
        let Packet { from, to, epoch, what } = packet;
        let pair = self.network.pair(from, to);
        if !pair.connected || pair.epoch != epoch {
            if matches!(what, Cargo::Snapshot(..)) {
                self.snapshot_failed(from, to);
            }
            return Ok(());
        }
        if self.network.direction(from, to).blocked {
            let packet = Packet { from, to, epoch, what };
            self.network.direction(from, to).held.push(packet);
            return Ok(());
        }
        let sender = self.nodes[from].incarnation;
        match what {
            Cargo::Message(_, bytes, beside) => {
                let message = PeerMessage::decode(&bytes, beside).expect("what was encoded");
                self.say(format_args!("{from}->{to} {}", brief(&message)));
                self.give(to, Input::Peer(sender, message));
            }
            Cargo::Snapshot(index, bytes, frame) => {
                self.say(format_args!("{from}->{to} snapshot {index}"));
                self.take_snapshot_in(from, to, (index, &bytes, frame))?;
            }
        }
        Ok(())
    }

    fn take_snapshot_in(
        &mut self,
        from: usize,
        to: usize,
        (index, bytes, frame): (LogIndex, &[u8], Vec<u8>),
    ) -> Result<(), Violation> {
        let meta = self.nodes[from].snapshots.get(&index).cloned();
        let (Some(meta), true) = (meta, self.nodes[to].life.is_some()) else {
            self.snapshot_failed(from, to);
            return Ok(());
        };
        let state = self
            .model
            .state_of(bytes)
            .map_err(|error| Violation::new("S14", format!("a snapshot of {from}: {error}")))?;
        let disk = Arc::new(self.nodes[to].disk.clone());
        let written = SnapshotWriter::begin(disk, meta.clone()).and_then(|mut writer| {
            writer.write(bytes)?;
            writer.finish()
        });
        let (sender, receiver) = (self.nodes[from].incarnation, self.nodes[to].incarnation);
        if written.is_ok() {
            self.nodes[to].snapshots.insert(index, meta.clone());
            let state = Box::new(state);
            self.give(to, Input::SnapshotArrived { from: sender, meta, state, frame });
            self.give(from, Input::SnapshotSent(receiver, Delivery::Arrived));
        } else {
            self.snapshot_failed(from, to);
        }
        Ok(())
    }

    /// Tries to connect two nodes in a while.
    pub(super) fn connect_soon(&mut self, a: usize, b: usize) {
        let pair = self.network.pair(a, b);
        if !pair.connected && !pair.connecting {
            pair.connecting = true;
            let wait = 5 * MS + self.chance.below(100 * MS);
            self.after(wait, Event::Connect(a, b));
        }
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) {
        self.network.pair(a, b).connecting = false;
        if self.network.pair(a, b).connected {
            return;
        }
        let alive = [a, b].iter().all(|node| self.nodes[*node].life.is_some());
        if !alive {
            // Whoever starts tries again.
            return;
        }
        if !self.network.is_free(a, b) {
            return self.connect_soon(a, b);
        }
        self.tell_lost(a, b);
        let pair = self.network.pair(a, b);
        pair.connected = true;
        pair.epoch += 1;
        self.say(format_args!("{a}={b} connected"));
        for (node, peer) in [(a, b), (b, a)] {
            let peer = self.nodes[peer].incarnation;
            self.give(node, Input::Connected(peer));
        }
    }

    /// The connection breaks. Both ends hear of it at once, or with the next one, or after a long silence.
    pub(super) fn disconnect(&mut self, a: usize, b: usize, silently: bool) {
        let pair = self.network.pair(a, b);
        if !pair.connected {
            return;
        }
        pair.connected = false;
        pair.unaware = vec![a, b];
        let epoch = pair.epoch;
        let mut failed = Vec::new();
        for (from, to) in [(a, b), (b, a)] {
            let held = std::mem::take(&mut self.network.direction(from, to).held);
            if held.iter().any(|packet| matches!(packet.what, Cargo::Snapshot(..))) {
                failed.push((from, to));
            }
        }
        for (from, to) in failed {
            self.snapshot_failed(from, to);
        }
        self.say(format_args!("{a}={b} broken, silently: {silently}"));
        let wait = if silently { SILENCE_US } else { self.chance.below(2 * MS) };
        self.after(wait, Event::Broken(a, b, epoch));
        self.connect_soon(a, b);
    }

    pub(super) fn broken(&mut self, a: usize, b: usize, epoch: u64) {
        if self.network.pair(a, b).epoch == epoch {
            self.tell_lost(a, b);
        }
    }

    fn tell_lost(&mut self, a: usize, b: usize) {
        for node in std::mem::take(&mut self.network.pair(a, b).unaware) {
            let peer = self.nodes[if node == a { b } else { a }].incarnation;
            self.give(node, Input::Lost(peer));
        }
    }

    /// A node died: a process is heard to end, a machine without power is not.
    pub(super) fn disconnect_all(&mut self, node: usize, silently: bool) {
        for other in 0..self.nodes.len() {
            if other != node {
                self.disconnect(node, other, silently);
                // The dead one hears nothing.
                self.network.pair(node, other).unaware.retain(|end| *end != node);
            }
        }
    }

    /// Nothing comes through from one node to another until `free`.
    pub(super) fn block(&mut self, from: usize, to: usize) {
        let way = self.network.direction(from, to);
        if !way.blocked {
            way.blocked = true;
            let epoch = self.network.pair(from, to).epoch;
            self.after(SILENCE_US, Event::Silent(from, to, epoch));
        }
    }

    /// A way that has been blocked for long costs the connection.
    pub(super) fn silent(&mut self, from: usize, to: usize, epoch: u64) {
        let same = self.network.pair(from, to).epoch == epoch;
        if same && self.network.direction(from, to).blocked {
            self.disconnect(from, to, false);
        }
    }

    /// What was held comes through, in order.
    pub(super) fn free(&mut self, from: usize, to: usize) {
        let way = self.network.direction(from, to);
        way.blocked = false;
        for packet in std::mem::take(&mut way.held) {
            self.carry(packet);
        }
    }

    /// Nothing is blocked.
    pub(super) fn free_all(&mut self) {
        let ways: Vec<(usize, usize)> = self.network.directions.keys().copied().collect();
        for (from, to) in ways {
            self.free(from, to);
            self.connect_soon(from, to);
        }
    }
}

/// A message in a few words.
fn brief(message: &PeerMessage) -> String {
    match message {
        PeerMessage::Consensus { frame, lane, .. } => {
            format!("{lane:?} frame {:08x}", crc32fast::hash(frame))
        }
        other => format!("{other:?}").chars().take(200).collect(),
    }
}
