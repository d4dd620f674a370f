//! The simulator: whole nodes, network, disks, clocks and clients of one seed, in virtual time.
//!
//! Things go wrong for a while; then everything is healed, and must come to rest. At every step the properties of
//! `ha.md` are checked that can be seen from outside and from the agents' states. `src/ARCHITECTURE.md` says more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a simulation ends where something is wrong, and is never shipped"
)]

mod clients;
mod engine;
mod faults;
mod history;
mod journal;
mod members;
mod model;
mod network;
mod node;
mod oracle;
mod participants;
mod plans;
mod reads;
mod trace;
mod world;

#[cfg(test)]
mod tests;

pub use model::Model;
pub use oracle::{Counts, Violation};
pub use trace::Sink;

use crate::base::rules::{Rule, Rules};
use node::Node;
use oracle::ensure;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{Event, MS, Phase, World};

/// From here on things go wrong.
const CALM_US: u64 = 1_500 * MS;
/// So long a node is away that is taken for lost, and some more.
const LONG_US: u64 = 38_000 * MS;
/// Ten election timeouts. Clients go on for so long when nothing goes wrong any more; then there is a leader (L1).
const HEALED_US: u64 = 5_000 * MS;
/// After this time without faults every request has an outcome (L2, L7).
const QUIET_US: u64 = 20_000 * MS;
/// After this time a write and a read succeed on a node (L4): the longest that a vote can wait for an answer that was
/// lost (`PREPARE_TIMEOUT_MS`), and some more.
const PROBE_US: u64 = 15_000 * MS;

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many nodes.
    pub nodes: usize,
    rules: Rules,
}

impl Options {
    /// So many nodes, and all rules in force.
    pub fn new(nodes: usize) -> Self {
        Self { nodes, rules: Rules::default() }
    }

    /// With a bug: without the rule of this name, or several of them, as `ONE+OTHER`; none if there is no such rule.
    pub fn planted(self, names: &str) -> Option<Self> {
        let rule = |name| Rule::ALL.iter().find(|(_, known)| *known == name).map(|(rule, _)| *rule);
        let mut without = names.split('+').map(rule);
        let rules = without.try_fold(self.rules, |rules, rule| Some(rules.without(rule?)))?;
        Some(Self { rules, ..self })
    }
}

/// The names of the rules that can be taken away.
pub fn planted_names() -> impl Iterator<Item = &'static str> {
    Rule::ALL.iter().map(|(_, name)| *name)
}

/// How a simulation ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// The same for the same seed.
    pub trace: String,
    /// When it ended, in milliseconds of virtual time.
    pub time_ms: u64,
    /// How much happened.
    pub counts: Counts,
    /// What went wrong.
    pub violation: Option<Violation>,
}

/// Simulates the world of a seed. A panic of a node is a violation too.
pub fn simulate(seed: u64, options: Options, model: &Model, sink: Option<Sink>) -> Report {
    let mut world = World::new(seed, options.nodes, (model, options.rules), sink);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.live()));
    let violation = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Some(Violation::new("panic", text.unwrap_or_default()))
        }
    };
    if let Some(violation) = &violation {
        world.say(format_args!("{}: {}", violation.property, violation.what));
    }
    Report {
        trace: world.digest().to_string(),
        time_ms: world.time / MS,
        counts: world.oracle.counts,
        violation,
    }
}

impl World {
    /// From the first start to the last read.
    fn live(&mut self) -> Result<(), Violation> {
        for n in 0..self.nodes.len() {
            let wait = self.chance.below(100 * MS);
            self.after(wait, Event::Start(n));
        }
        for c in 0..self.clients.len() {
            let wait = self.chance.below(CALM_US);
            self.act_soon(c, wait);
        }
        self.after(CALM_US, Event::Fault);
        if self.habits.is_growing {
            self.after(CALM_US, Event::Join);
        }
        let mut trouble = 4_000 * MS + self.chance.below(6_000 * MS);
        if self.faults.outage {
            self.after(CALM_US + 500 * MS, Event::Outage);
            trouble = LONG_US;
        }
        self.run_until(CALM_US + trouble)?;
        self.phase = Phase::Healed;
        self.heal()?;
        self.run_until(self.time + HEALED_US)?;
        if !self.nodes.iter().any(Node::decides) {
            self.say_standing();
            return Err(Violation::new("L1", "nobody leads"));
        }
        self.come_to_rest()?;
        self.probe_all()?;
        self.converge()?;
        self.oracle.conclude()
    }

    /// All that was asked has an outcome (L2), and neither a joint configuration (L5) nor a confirmed commit (L7) is left.
    fn come_to_rest(&mut self) -> Result<(), Violation> {
        self.phase = Phase::Quiet;
        let end = self.time + QUIET_US;
        while let Some(what) = self.unrest() {
            if self.time >= end {
                self.say_standing();
                let is_joint = !self.oracle.history.last_seats().before.is_empty();
                return Err(Violation::new(if is_joint { "L5" } else { "L2" }, what));
            }
            self.lay_ghosts();
            self.run_until(self.time + 50 * MS)?;
        }
        Ok(())
    }

    fn say_standing(&mut self) {
        for n in self.members() {
            if let Some(life) = &self.nodes[n].life {
                let standing = life.agent.standing();
                self.say(format_args!("{n}: {standing}"));
            }
        }
    }

    fn unrest(&self) -> Option<String> {
        let client = self.clients.iter().position(|client| !client.is_idle());
        if let Some(c) = client {
            return Some(format!("client {c} waits: {:?}", self.clients[c].waits()));
        }
        if self.oracle.history.is_pending() {
            return Some("a confirmed commit is still pending".to_owned());
        }
        let electorate = self.oracle.history.last_seats();
        let (seats, votes) =
            (self.oracle.history.last_state().members.len(), electorate.voters.len());
        if seats != votes {
            return Some(format!("{seats} members have {votes} votes"));
        }
        if !electorate.before.is_empty() {
            return Some(format!("the joint configuration {electorate:?} is not left"));
        }
        self.nodes.iter().enumerate().filter(|(_, node)| !node.is_gone).find_map(|(n, node)| {
            if !self.has_seat(n) {
                return Some(format!("{n} does not know that it was removed"));
            }
            let Some(life) = &node.life else { return Some(format!("{n} is down")) };
            let pending = life.agent.inspect().pending;
            (pending > 0 || !life.ready)
                .then(|| format!("{n} has {pending} requests open, is ready: {}", life.ready))
        })
    }

    /// A fresh write and a read succeed on each node (L1, L4).
    fn probe_all(&mut self) -> Result<(), Violation> {
        self.phase = Phase::Probe;
        for n in self.members() {
            let (before, end) = (self.oracle.counts, self.time + PROBE_US);
            let done = |counts: Counts| {
                // The edit and the close.
                counts.acknowledged >= before.acknowledged + 2 && counts.reads > before.reads
            };
            while !done(self.oracle.counts) {
                ensure("L4", self.time < end, || format!("no write and read at {n}"))?;
                if self.clients[0].is_idle() {
                    self.probe(0, n);
                }
                self.run_until(self.time + 20 * MS)?;
            }
        }
        Ok(())
    }

    fn members(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|n| !self.nodes[*n].is_gone).collect()
    }

    /// Everybody has everything (L3). That it is the same was seen with each entry.
    fn converge(&mut self) -> Result<(), Violation> {
        let end = self.time + PROBE_US;
        loop {
            let last = self.oracle.history.len();
            let applied = |n: usize| {
                let life = self.nodes[n].life.as_ref();
                life.map_or(0, |life| life.agent.inspect().applied.index.0)
            };
            let behind = self.members().into_iter().find(|n| applied(*n) != last);
            let Some(n) = behind else { return Ok(()) };
            ensure("L3", self.time < end, || format!("{n} has applied {} of {last}", applied(n)))?;
            self.run_until(self.time + 50 * MS)?;
        }
    }
}
