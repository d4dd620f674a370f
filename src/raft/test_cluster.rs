//! Nodes with disks that are written when the test says so, and a network that the test delivers.
//!
//! The safety properties of Raft are asserted all the time: one leader a term, and one entry an index for everybody
//! who applies it.

use super::{
    Committed, CommittedEntry, Delivery, HardState, LogEntry, LogWrite, MessageKind, Node,
    NodeConfig, Outgoing, Payload, ReadState, ReadyNumber, RecoveredLog, SnapshotMeta, SplitMix64,
    StepError,
};
use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::base::limits::RAFT_LARGE_BYTES;
use std::collections::{BTreeMap, VecDeque};

/// What a member has handed out to be written.
pub(super) struct Unwritten {
    pub(super) number: ReadyNumber,
    pub(super) persist: LogWrite,
    pub(super) messages: Vec<Outgoing>,
}

pub(super) struct Member {
    pub(super) node: Node,
    pub(super) config: NodeConfig,
    pub(super) disk: RecoveredLog,
    pub(super) unwritten: VecDeque<Unwritten>,
    pub(super) applied: LogIndex,
    pub(super) read_states: Vec<ReadState>,
}

#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) from: Incarnation,
    pub(super) message: Outgoing,
}

pub(super) struct Cluster {
    pub(super) members: BTreeMap<Incarnation, Member>,
    pub(super) network: VecDeque<Packet>,
    /// Members whose packets are lost.
    pub(super) cut: Vec<Incarnation>,
    /// What is committed, by index: the same for all.
    pub(super) log: BTreeMap<LogIndex, Committed>,
    pub(super) leaders: BTreeMap<Term, Incarnation>,
}

pub(super) fn config(id: u64, voters: &[u64]) -> NodeConfig {
    NodeConfig {
        id: Incarnation(id),
        voters: voters.iter().copied().map(Incarnation).collect(),
        seed: id * 77,
        election_ticks: 10,
        heartbeat_ticks: 2,
    }
}

impl Cluster {
    pub(super) fn new(voters: &[u64]) -> Cluster {
        let mut cluster = Cluster {
            members: BTreeMap::new(),
            network: VecDeque::new(),
            cut: Vec::new(),
            log: BTreeMap::new(),
            leaders: BTreeMap::new(),
        };
        for id in voters {
            cluster.add(config(*id, voters));
        }
        cluster
    }

    /// A cluster in which member 1 was elected.
    pub(super) fn led_by_one(voters: &[u64]) -> Cluster {
        let mut cluster = Cluster::new(voters);
        cluster.node(1).campaign();
        cluster.settle();
        assert!(cluster.node(1).is_leader());
        cluster
    }

    pub(super) fn add(&mut self, config: NodeConfig) {
        let disk = RecoveredLog::default();
        let node = Node::new(&config, disk.clone()).unwrap();
        let member = Member {
            node,
            disk,
            unwritten: VecDeque::new(),
            applied: LogIndex(0),
            read_states: Vec::new(),
            config,
        };
        self.members.insert(member.config.id, member);
    }

    pub(super) fn member(&mut self, id: u64) -> &mut Member {
        self.members.get_mut(&Incarnation(id)).unwrap()
    }

    pub(super) fn node(&mut self, id: u64) -> &mut Node {
        &mut self.member(id).node
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.members.keys().map(|id| id.0).collect()
    }

    pub(super) fn leader(&mut self) -> Option<u64> {
        let term = self.members.values().map(|member| member.node.term()).max();
        let leads = |member: &&Member| member.node.is_leader() && Some(member.node.term()) == term;
        self.members.values().find(leads).map(|member| member.config.id.0)
    }

    /// Proposes on member `id`, in its term.
    pub(super) fn propose(&mut self, id: u64, data: &[u8]) -> LogIndex {
        let term = self.node(id).term();
        self.node(id).propose(term, data.to_vec()).unwrap()
    }

    /// Takes what the node has to do, sends what may leave and applies what is committed.
    pub(super) fn drive(&mut self, id: u64) {
        while let Some(ready) = self.node(id).ready() {
            if self.node(id).is_leader() {
                let term = self.node(id).term();
                let leader = *self.leaders.entry(term).or_insert(Incarnation(id));
                assert_eq!(leader, Incarnation(id), "two leaders in term {term}");
            }
            self.send(id, ready.messages);
            let member = self.member(id);
            member.unwritten.push_back(Unwritten {
                number: ready.number,
                persist: ready.persist,
                messages: ready.persisted_messages,
            });
            member.read_states.extend(ready.read_states);
            if let Some(snapshot) = ready.snapshot {
                // The file was durable before the message was stepped.
                member.disk.snapshot = Some(snapshot.clone());
                member.applied = snapshot.position.index;
                member.node.advance_applied(snapshot.position.index);
            }
            for committed in ready.committed {
                self.apply(id, committed);
            }
        }
    }

    fn apply(&mut self, id: u64, committed: Committed) {
        let known = self.log.entry(committed.index).or_insert_with(|| committed.clone());
        assert_eq!(*known, committed, "member {id} applies another entry");
        let member = self.member(id);
        assert_eq!(committed.index.0, member.applied.0 + 1, "member {id} leaves an entry out");
        if let CommittedEntry::Membership(change) = &committed.entry {
            member.node.apply_membership(change).unwrap();
        }
        member.applied = committed.index;
        member.node.advance_applied(committed.index);
    }

    fn send(&mut self, from: u64, messages: Vec<Outgoing>) {
        let from = Incarnation(from);
        self.network.extend(messages.into_iter().map(|message| Packet { from, message }));
    }

    /// Makes the oldest write of a member durable, and sends what waited for it.
    pub(super) fn write_one(&mut self, id: u64) -> bool {
        let member = self.member(id);
        let Some(unwritten) = member.unwritten.pop_front() else { return false };
        write(&mut member.disk, &unwritten.persist);
        member.node.persisted(unwritten.number);
        self.send(id, unwritten.messages);
        true
    }

    /// Carries out everything that one member has to do.
    pub(super) fn finish(&mut self, id: u64) {
        self.drive(id);
        while self.write_one(id) {
            self.drive(id);
        }
    }

    pub(super) fn deliver(&mut self, packet: &Packet) -> Result<(), StepError> {
        let to = packet.message.to;
        if self.cut.contains(&to) || self.cut.contains(&packet.from) {
            self.lose(packet);
            return Ok(());
        }
        let Some(member) = self.members.get_mut(&to) else { return Ok(()) };
        let Outgoing { frame, large, .. } = &packet.message;
        member.node.step(packet.from, frame, large.clone())?;
        self.report(packet, Delivery::Arrived);
        Ok(())
    }

    /// The packet never arrives. Whoever sends a snapshot is told, as by a connection that breaks.
    pub(super) fn lose(&mut self, packet: &Packet) {
        self.report(packet, Delivery::Failed);
    }

    fn report(&mut self, packet: &Packet, delivery: Delivery) {
        if let MessageKind::Snapshot(_) = packet.message.kind
            && let Some(sender) = self.members.get_mut(&packet.from)
        {
            sender.node.snapshot_sent(packet.message.to, delivery);
        }
    }

    /// Lets everybody do everything until nothing is left.
    pub(super) fn settle(&mut self) {
        loop {
            for id in self.ids() {
                self.finish(id);
            }
            let Some(packet) = self.network.pop_front() else { return };
            match self.deliver(&packet) {
                Ok(()) | Err(StepError::NoSeat { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(super) fn tick_all(&mut self, ticks: usize) {
        for _ in 0..ticks {
            for id in self.ids() {
                self.node(id).tick();
            }
            self.settle();
        }
    }

    /// The process of a member dies and starts again with what is on its disk.
    pub(super) fn restart(&mut self, id: u64) {
        let member = self.member(id);
        member.unwritten.clear();
        recover(&mut member.disk);
        member.applied = member.disk.base().index;
        member.node = Node::new(&member.config, member.disk.clone()).unwrap();
    }

    /// The snapshot of a member's state as it is.
    pub(super) fn snapshot(&mut self, id: u64) -> SnapshotMeta {
        let index = self.member(id).applied;
        let term = self.log.get(&index).unwrap().term;
        let position = super::LogPosition { index, term };
        SnapshotMeta { position, conf_state: self.node(id).conf_state() }
    }

    /// Takes a snapshot on a member, and forgets the log before it.
    pub(super) fn compact(&mut self, id: u64) {
        let member = self.member(id);
        if member.applied == member.disk.base().index {
            return;
        }
        let snapshot = self.snapshot(id);
        let index = snapshot.position.index;
        let member = self.member(id);
        member.disk.entries.retain(|entry| entry.index > index);
        member.disk.hard_state.committed = member.disk.hard_state.committed.max(index);
        member.disk.snapshot = Some(snapshot.clone());
        member.node.offer_snapshot(snapshot);
        member.node.compact(index);
    }

    /// The data that a member has applied.
    pub(super) fn data(&mut self, id: u64) -> Vec<Payload> {
        let applied = self.member(id).applied;
        let data = self.log.range(..=applied).filter_map(|(_, committed)| match &committed.entry {
            CommittedEntry::Data(data) => Some(data.clone()),
            CommittedEntry::Empty | CommittedEntry::Membership(_) => None,
        });
        data.collect()
    }
}

/// What recovery makes of a snapshot that was installed while the write that says so was lost.
fn recover(disk: &mut RecoveredLog) {
    let base = disk.base();
    let begins_behind = disk.entries.first().is_none_or(|entry| entry.index > base.index);
    let agrees = |entry: &LogEntry| (entry.index, entry.term) == (base.index, base.term);
    let goes_on = begins_behind || disk.entries.iter().any(agrees);
    disk.entries.retain(|entry| goes_on && entry.index > base.index);
    disk.hard_state.committed = disk.hard_state.committed.max(base.index);
    disk.hard_state.term = disk.hard_state.term.max(base.term);
}

/// What a durable write leaves on the disk.
fn write(disk: &mut RecoveredLog, write: &LogWrite) {
    if let Some(reset) = write.reset {
        // A newer one may have come before this is written.
        assert!(disk.base().index >= reset.index, "the snapshot is not durable");
        disk.entries.clear();
    }
    if let Some(hard_state) = write.hard_state {
        let HardState { term, committed, .. } = hard_state;
        assert!(term >= disk.hard_state.term, "the term goes back");
        let known = disk.hard_state.committed;
        assert!(committed >= known || known <= disk.base().index, "the commit goes back");
        disk.hard_state = HardState { committed: committed.max(known), ..hard_state };
    }
    let base = disk.base().index;
    for entry in write.entries.iter().filter(|entry| entry.index > base) {
        assert!(entry.index.0 <= disk.last().index.0 + 1, "a gap in the log");
        disk.entries.retain(|known| known.index < entry.index);
        disk.entries.push(entry.clone());
    }
}

/// Packets in a random order, lost, doubled; disks that write when they like; processes that die.
pub(super) struct Chaos {
    pub(super) random: SplitMix64,
    pub(super) crashes: bool,
}

impl Chaos {
    pub(super) fn step(&mut self, cluster: &mut Cluster) {
        let ids = cluster.ids();
        let id = ids[self.random.place(ids.len())];
        match self.random.below(100) {
            0..30 => cluster.node(id).tick(),
            30..35 => {
                let term = cluster.node(id).term();
                let mut data = self.random.next().to_le_bytes().to_vec();
                if self.random.below(3) == 0 {
                    data.resize(RAFT_LARGE_BYTES + 1, 7);
                }
                // Not led, or dropped: nothing to check here.
                cluster.node(id).propose(term, data).ok();
            }
            35..60 => {
                cluster.write_one(id);
            }
            60..61 if self.crashes => {
                for _ in 0..self.random.below(3) {
                    cluster.write_one(id);
                }
                cluster.restart(id);
            }
            61..63 => cluster.compact(id),
            _ => self.deliver(cluster),
        }
        for id in cluster.ids() {
            if self.random.below(3) > 0 {
                cluster.drive(id);
            }
        }
    }

    fn deliver(&mut self, cluster: &mut Cluster) {
        let chosen = self.random.place(cluster.network.len());
        let packet = match self.random.below(10) {
            0 => cluster.network.remove(chosen),
            1 => cluster.network.get(chosen).cloned(),
            _ => cluster.network.pop_front(),
        };
        let Some(packet) = packet else { return };
        if self.random.below(20) == 0 {
            cluster.lose(&packet);
        } else {
            cluster.deliver(&packet).unwrap();
        }
        while cluster.network.len() > 200
            && let Some(packet) = cluster.network.pop_back()
        {
            cluster.lose(&packet);
        }
    }
}
