//! A world: virtual time, what is to happen, and who it happens to.

use super::clients::Client;
use super::faults::Faults;
use super::members::{Applicant, first_state};
use super::model::{Model, SPOTS};
use super::network::{Network, Packet, Stray, Weather};
use super::node::{Clock, Input, Node, Shown};
use super::oracle::{Oracle, Violation};
use super::trace::{Sink, Trace};
use crate::agent::event::ReplyTo;
use crate::api::hook::{CallId, HookAnswer};
use crate::base::ids::{Incarnation, LogIndex, Revision};
use crate::base::rules::Rules;
use crate::raft::{LogEntry, SplitMix64};
use crate::storage::simulated_disk::SimulatedDisk;
use crate::yang::tree::Seed;
use std::collections::BTreeMap;
use std::fmt;

/// Microseconds of a millisecond: the time of a world is in microseconds.
pub(super) const MS: u64 = 1000;

/// How far a world has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Anything goes wrong.
    Faults,
    /// Nothing does, and clients go on.
    Healed,
    /// Clients end what they do.
    Quiet,
    /// Each node writes and reads.
    Probe,
}

/// What is to happen.
pub(super) enum Event {
    /// A node's thread looks at what has come, or its time has come.
    Turn {
        node: usize,
        life: u64,
    },
    /// The disk has what a node writes.
    Flushed {
        node: usize,
        life: u64,
    },
    SnapshotTaken {
        node: usize,
        life: u64,
    },
    Hook {
        node: usize,
        life: u64,
        call: CallId,
        answer: HookAnswer,
    },
    /// Who was to die and has not yet dies now.
    Doom {
        node: usize,
        life: u64,
    },
    Start(usize),
    FastDisk(usize),
    LargeDisk(usize),
    Deliver(Packet),
    Stray(Stray),
    /// What a node has made is shown to its readers.
    Publish {
        node: usize,
        life: u64,
        shown: Shown,
    },
    Connect(usize, usize),
    Broken(usize, usize, u64),
    Silent(usize, usize, u64),
    Free(usize, usize),
    Client(usize),
    Read {
        client: usize,
        required: Revision,
        tries: u32,
    },
    Show {
        client: usize,
        shown: Shown,
        required: Revision,
    },
    Fault,
    Outage,
    /// A node wants to join.
    Join,
}

/// What people do in a world, drawn once for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Clients edit and read, and do nothing else: so more of that happens.
    pub(super) is_simple: bool,
    /// Members join and are removed.
    pub(super) is_growing: bool,
    /// Those that join come by twos.
    pub(super) by_twos: bool,
    /// How many times slower clients are than usual.
    pub(super) pace: u64,
    /// Places that values are written to: the fewer, the more requests get into each other's way.
    pub(super) spots: usize,
    /// Of a hundred pieces of a client's plan, those that are for operators: leadership, policy.
    pub(super) operations: u64,
    /// Of a hundred pieces of a client's plan, those that remove what may not be there.
    pub(super) removals: u64,
    /// Of a hundred questions to participants, those that they say no to.
    pub(super) refusals: u64,
    /// A confirmation with a persist-id comes from several sessions at once.
    pub(super) echoes: bool,
}

/// The world of one seed.
pub(super) struct World {
    pub(super) time: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub(super) chance: SplitMix64,
    trace: Trace,
    pub(super) model: Model,
    pub(super) rules: Rules,
    pub(super) faults: Faults,
    pub(super) nodes: Vec<Node>,
    /// How many of them have been there from the beginning.
    pub(super) founders: usize,
    pub(super) applicants: BTreeMap<ReplyTo, Applicant>,
    pub(super) tokens_used: u8,
    pub(super) network: Network,
    pub(super) clients: Vec<Client>,
    /// Strays that come when another leader has begun.
    pub(super) ambush: Vec<Stray>,
    /// What the last leader has proposed last, where that does not stay in its term.
    pub(super) proposals: Vec<LogEntry>,
    pub(super) replies: BTreeMap<ReplyTo, usize>,
    pub(super) next_reply: u64,
    values: u64,
    pub(super) habits: Habits,
    /// Persist-ids that were given out.
    pub(super) tokens: Vec<String>,
    /// Participants of each node.
    pub(super) participants: u32,
    pub(super) oracle: Oracle,
    pub(super) phase: Phase,
}

impl World {
    /// The world of a seed, with so many nodes, before anything has started.
    pub(super) fn new(
        seed: u64,
        size: usize,
        (model, rules): (&Model, Rules),
        sink: Option<Sink>,
    ) -> Self {
        let mut chance = SplitMix64::new(seed);
        let mut sometimes = |of: u64| chance.below(of) != 0;
        let faults = Faults {
            crashes: sometimes(8),
            power_cuts: !sometimes(3),
            partitions: size > 1 && sometimes(4),
            breaks: size > 1 && sometimes(4),
            pauses: sometimes(3),
            slow_disks: sometimes(3),
            wall_jumps: sometimes(2),
            sync_errors: !sometimes(4),
            full_disks: !sometimes(3),
            hunts_leader: false,
            outage: false,
            every_us: 0,
        };
        let outage = size > 1 && chance.below(8) == 0;
        let every_us = if outage { 20_000 * MS } else { 150 * MS + chance.below(1_500 * MS) };
        let faults =
            Faults { every_us, outage, hunts_leader: size > 1 && chance.below(2) == 0, ..faults };
        // Messages of agents go astray, leaders change, participants refuse: what is said in one term is heard in the
        // next.
        let is_hostile = size > 1 && !outage && chance.below(4) == 0;
        let weather = Weather::draw(&mut chance, is_hostile);
        let state = first_state(size, Seed(u128::from(chance.next())));
        let nodes = (0..size)
            .zip(1..)
            .map(|(n, id)| new_node(Incarnation(id), format!("node-{n}"), &mut chance));
        let nodes: Vec<Node> = nodes.collect();
        let founders = nodes.iter().map(|node| node.incarnation).collect();
        let clients = (0..2 + 2 * size).map(|_| Client::new()).collect();
        let participants = u32::try_from(chance.below(6).saturating_sub(3)).unwrap_or(0);
        let participants = participants.max(u32::from(is_hostile));
        let habits = Habits {
            is_simple: chance.below(3) == 0,
            is_growing: size > 1 && !outage && chance.below(4) == 0,
            // Not drawn: the worlds of other seeds are what they were before there were these.
            by_twos: matches!(seed % 5, 0 | 3),
            pace: if outage { 20 } else { 1 },
            spots: if chance.below(2) == 0 { 2 } else { SPOTS },
            operations: if is_hostile { 25 } else { [0, 2, 10][chance.place(3)] },
            removals: [0, 0, 40][chance.place(3)],
            refusals: if is_hostile { 40 } else { 5 },
            // Drawn beside the others, which stay as they were.
            echoes: SplitMix64::new(!seed).below(4) == 0,
        };
        Self {
            time: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            trace: Trace::new(sink),
            model: model.clone(),
            rules,
            faults,
            nodes,
            founders: size,
            applicants: BTreeMap::new(),
            tokens_used: 0,
            network: Network::new(weather),
            clients,
            ambush: Vec::new(),
            proposals: Vec::new(),
            replies: BTreeMap::new(),
            next_reply: 0,
            values: 0,
            tokens: Vec::new(),
            habits,
            participants,
            oracle: Oracle::new((model.clone(), rules), state, founders),
            phase: Phase::Faults,
            chance,
        }
    }

    /// Adds a line to the trace.
    pub(super) fn say(&mut self, what: fmt::Arguments<'_>) {
        self.trace.say(self.time, what);
    }

    /// What tells this run from every other one, so far.
    pub(super) fn digest(&self) -> crate::base::ids::Digest {
        self.trace.digest()
    }

    /// Something happens at a moment.
    pub(super) fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((time.max(self.time), self.sequence), event);
    }

    /// Something happens in so many microseconds.
    pub(super) fn after(&mut self, wait: u64, event: Event) {
        self.at(self.time + wait, event);
    }

    /// Something happens to the present life of a node, in so many microseconds.
    pub(super) fn for_life(
        &mut self,
        n: usize,
        wait: u64,
        event: impl FnOnce(usize, u64) -> Event,
    ) {
        if let Some(life) = &self.nodes[n].life {
            let number = life.number;
            self.after(wait, event(n, number));
        }
    }

    /// A value that nobody has written.
    pub(super) fn next_value(&mut self, by: usize) -> String {
        self.values += 1;
        format!("{by}.{}", self.values)
    }

    /// Something comes to a node's thread, if it lives.
    pub(super) fn give(&mut self, n: usize, input: Input) {
        let takes = self.chance.below(100);
        let Some(life) = &mut self.nodes[n].life else { return };
        life.inbox.push(input);
        if !std::mem::replace(&mut life.turn_due, true) {
            self.for_life(n, takes, |node, life| Event::Turn { node, life });
        }
    }

    pub(super) fn lives(&self, n: usize, number: u64) -> bool {
        self.nodes[n].life.as_ref().is_some_and(|life| life.number == number)
    }

    /// The node that an event needs the processor of, with its life.
    fn runs_on(event: &Event) -> Option<(usize, u64)> {
        match event {
            Event::Turn { node, life }
            | Event::Flushed { node, life }
            | Event::SnapshotTaken { node, life }
            | Event::Hook { node, life, .. }
            | Event::Publish { node, life, .. } => Some((*node, *life)),
            _ => None,
        }
    }

    /// Lets everything happen that is to happen until a moment, or until nothing is left.
    pub(super) fn run_until(&mut self, end: u64) -> Result<(), Violation> {
        while let Some(next) = self.queue.first_entry() {
            if next.key().0 > end {
                break;
            }
            let ((time, _), event) = next.remove_entry();
            self.time = time;
            self.happen(event)?;
        }
        self.time = end;
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        let reader = match &event {
            Event::Read { client, .. } | Event::Show { client, .. } => {
                Some(self.clients[*client].place())
            }
            _ => None,
        };
        if let Some((n, number)) = Self::runs_on(&event).or(reader) {
            if !self.lives(n, number) {
                return Ok(());
            }
            let wake = self.nodes[n].paused_until;
            if wake > self.time {
                self.at(wake, event);
                return Ok(());
            }
        }
        self.take_place(event)
    }

    fn take_place(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Turn { node, .. } => self.turn(node),
            Event::Flushed { node, .. } => self.flushed(node),
            Event::SnapshotTaken { node, .. } => self.snapshot_taken(node),
            Event::Hook { node, call, answer, .. } => {
                self.give(node, Input::Hook(call, answer));
                Ok(())
            }
            Event::Doom { node, life } => self.doom_is_due(node, life),
            Event::Start(node) => self.start(node),
            Event::FastDisk(node) => {
                self.nodes[node].flush_us = 2 * MS;
                Ok(())
            }
            Event::LargeDisk(node) => {
                self.nodes[node].disk.limit(None);
                Ok(())
            }
            Event::Deliver(packet) => self.deliver(packet),
            Event::Stray(stray) => {
                self.deliver_stray(stray);
                Ok(())
            }
            Event::Publish { node, shown, .. } => {
                if let Some(life) = &mut self.nodes[node].life {
                    life.shown = Some(shown);
                }
                Ok(())
            }
            Event::Connect(a, b) => {
                self.connect(a, b);
                Ok(())
            }
            Event::Broken(a, b, epoch) => {
                self.broken(a, b, epoch);
                Ok(())
            }
            Event::Silent(from, to, epoch) => {
                self.silent(from, to, epoch);
                Ok(())
            }
            Event::Free(from, to) => {
                self.free(from, to);
                self.connect_soon(from, to);
                Ok(())
            }
            Event::Client(client) => self.act(client),
            Event::Read { client, required, tries } => self.reading(client, required, tries),
            Event::Show { client, shown, required } => self.show_read(client, shown, required),
            Event::Fault => self.fault(),
            Event::Outage => self.outage(),
            Event::Join => {
                self.want_seat();
                Ok(())
            }
        }
    }
}

pub(super) fn new_node(incarnation: Incarnation, name: String, chance: &mut SplitMix64) -> Node {
    let clock = Clock {
        offset_us: chance.below(1_000_000_000_000),
        rate: 996_000 + chance.below(8_001),
        wall_ms: chance.below(4_000_000_000_000),
    };
    Node {
        incarnation,
        name,
        is_gone: false,
        disk: SimulatedDisk::new(),
        clock,
        journal: super::journal::Journal::default(),
        life: None,
        lives: 0,
        applied: LogIndex(0),
        snapshots: BTreeMap::new(),
        paused_until: 0,
        flush_us: 2 * MS,
    }
}
