//! What goes wrong, drawn from the seed; and the end of it.

use super::node::{Boundary, Death, Doom, Node};
use super::oracle::Violation;
use super::world::{Event, MS, Phase, World};
use crate::base::limits::SESSION_LEASE_S;
use crate::storage::simulated_disk::Unsynced;

/// Microseconds that a node is away for which the others must take it for lost.
const OUTAGE_US: u64 = (SESSION_LEASE_S + 2) * 1000 * MS;

/// What can go wrong in a world. Not each world has everything, so that rare faults are seen alone too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) crashes: bool,
    pub(super) power_cuts: bool,
    pub(super) partitions: bool,
    pub(super) breaks: bool,
    pub(super) pauses: bool,
    pub(super) slow_disks: bool,
    pub(super) wall_jumps: bool,
    pub(super) sync_errors: bool,
    pub(super) full_disks: bool,
    /// A node is away for long, and not much else happens.
    pub(super) outage: bool,
    /// Half of them are aimed at whoever leads.
    pub(super) hunts_leader: bool,
    /// Microseconds between two faults, on average.
    pub(super) every_us: u64,
}

impl World {
    /// The next fault.
    pub(super) fn fault(&mut self) -> Result<(), Violation> {
        if self.phase != Phase::Faults {
            return Ok(());
        }
        let wait = self.chance.below(2 * self.faults.every_us) + MS;
        self.after(wait, Event::Fault);
        let n = self.victim_of_fault();
        let faults = self.faults;
        match self.chance.below(17) {
            0..5 if faults.crashes => self.doom(n),
            5 if faults.power_cuts => self.power_cut()?,
            6..9 if faults.partitions => self.partition(n),
            9..11 if faults.breaks => {
                let other = (n + 1) % self.nodes.len();
                let silently = self.chance.below(2) == 0;
                if other != n {
                    self.disconnect(n, other, silently);
                }
            }
            11..13 if faults.pauses => {
                let takes = 20 * MS + self.chance.below(1_500 * MS);
                self.nodes[n].paused_until = self.time + takes;
                self.say(format_args!("{n} pauses for {} ms", takes / MS));
            }
            13 if faults.slow_disks => {
                let flush_us = MS + self.chance.below(300 * MS);
                self.nodes[n].flush_us = flush_us;
                let takes = self.chance.below(2_000 * MS);
                self.say(format_args!("{n} has a slow disk: {flush_us} us"));
                self.after(takes, Event::FastDisk(n));
            }
            14 if faults.wall_jumps => {
                self.nodes[n].clock.wall_ms = self.chance.below(4_000_000_000_000);
            }
            15 if faults.sync_errors && self.nodes[n].life.is_some() => {
                self.say(format_args!("{n} has a disk that does not sync"));
                self.nodes[n].disk.fail_syncs();
            }
            16 if faults.full_disks => {
                let disk = &self.nodes[n].disk;
                disk.limit(Some(disk.used() + self.chance.below(10_000)));
                let takes = self.chance.below(2_000 * MS);
                self.say(format_args!("{n} has a full disk"));
                self.after(takes, Event::LargeDisk(n));
            }
            _ => {}
        }
        Ok(())
    }

    fn victim_of_fault(&mut self) -> usize {
        let any = self.chance.place(self.nodes.len());
        if !self.faults.hunts_leader || self.chance.below(2) == 0 {
            return any;
        }
        self.nodes.iter().position(Node::decides).unwrap_or(any)
    }

    /// A node dies at one of the boundaries that it passes, or where it is after a while.
    pub(super) fn doom(&mut self, n: usize) {
        let at = match self.chance.below(8) {
            0 => Boundary::Decided,
            1 => Boundary::EarlySent,
            2 | 3 => Boundary::Writing(self.chance.below(5)),
            4 => Boundary::Written,
            5 => Boundary::Shown,
            6 => Boundary::Sent,
            _ => Boundary::Snapshot(self.chance.below(6)),
        };
        let death = self.draw_death();
        if let Some(life) = &mut self.nodes[n].life {
            life.doom = Some(Doom { at, death });
            self.for_life(n, 400 * MS, |node, life| Event::Doom { node, life });
        }
    }

    pub(super) fn draw_death(&mut self) -> Death {
        let power = self.chance.below(2) == 0;
        let unsynced = match self.chance.below(4) {
            _ if !power => Unsynced::Kept,
            0 => Unsynced::Lost,
            1 => Unsynced::Prefix(self.chance.place(600)),
            _ => Unsynced::Torn(self.chance.next()),
        };
        Death { unsynced, power, down_us: 10 * MS + self.chance.below(2_500 * MS) }
    }

    /// All machines at once.
    fn power_cut(&mut self) -> Result<(), Violation> {
        for n in 0..self.nodes.len() {
            let death = self.draw_death();
            self.kill(n, Death { power: true, ..death })?;
        }
        Ok(())
    }

    /// Some ways are blocked for a while: around one node, to or from it, or between two.
    fn partition(&mut self, n: usize) {
        let others: Vec<usize> = (0..self.nodes.len()).filter(|other| *other != n).collect();
        let mut ways = Vec::new();
        // Both sides hear at once that the others are gone; otherwise only silence tells them.
        let mut reset = false;
        match self.chance.below(8) {
            0 | 1 => ways.extend(others.iter().flat_map(|other| [(n, *other), (*other, n)])),
            5 | 6 => {
                ways.extend(others.iter().flat_map(|other| [(n, *other), (*other, n)]));
                reset = true;
            }
            7 if others.len() > 2 => {
                let first = self.chance.place(others.len());
                let near = self.chance.place(others.len() / 2) + 1;
                let side = others.iter().cycle().skip(first).take(near).copied();
                let side: Vec<usize> = side.chain([n]).collect();
                for far in others.iter().copied().filter(|other| !side.contains(other)) {
                    ways.extend(side.iter().flat_map(|near| [(*near, far), (far, *near)]));
                }
                reset = self.chance.below(2) == 0;
            }
            2 => ways.extend(others.iter().map(|other| (n, *other))),
            3 => ways.extend(others.iter().map(|other| (*other, n))),
            _ => {
                let place = self.chance.place(others.len());
                ways.extend(others.get(place).map(|other| (n, *other)));
                ways.extend(others.get(place).map(|other| (*other, n)));
            }
        }
        let takes = 50 * MS + self.chance.below(3_000 * MS);
        self.say(format_args!("blocked for {} ms: {ways:?}", takes / MS));
        self.cut(&ways, takes, reset);
    }

    fn cut(&mut self, ways: &[(usize, usize)], takes: u64, reset: bool) {
        for (from, to) in ways {
            self.block(*from, *to);
            self.after(takes, Event::Free(*from, *to));
            if reset {
                self.disconnect(*from, *to, false);
            }
        }
    }

    /// A node is away for so long that the others take it for lost (`SESSION_LEASE_S`).
    pub(super) fn outage(&mut self) -> Result<(), Violation> {
        let n = self.chance.place(self.nodes.len());
        let takes = OUTAGE_US + self.chance.below(3_000 * MS);
        if self.chance.below(2) == 0 {
            let death = self.draw_death();
            return self.kill(n, Death { down_us: takes, ..death });
        }
        let others = (0..self.nodes.len()).filter(|other| *other != n);
        let ways: Vec<(usize, usize)> = others.flat_map(|other| [(n, other), (other, n)]).collect();
        self.say(format_args!("{n} is away for {} ms", takes / MS));
        self.cut(&ways, takes, false);
        Ok(())
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        self.say(format_args!("healed"));
        self.free_all();
        self.network.weather.clear();
        self.ambush.clear();
        for n in 0..self.nodes.len() {
            self.nodes[n].paused_until = self.time;
            self.nodes[n].flush_us = 2 * MS;
            self.nodes[n].disk.limit(None);
            // Faults that were to come at an operation of it are over; what is not durable yet stays so.
            self.nodes[n].disk.restart(Unsynced::Kept);
            if let Some(life) = &mut self.nodes[n].life {
                life.doom = None;
            }
            if self.nodes[n].life.is_none() {
                self.start(n)?;
            }
        }
        Ok(())
    }
}
