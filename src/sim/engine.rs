//! What `daemon/engine.rs` does, in virtual time: effects are carried out in their order, and the node can die
//! between any two of them.

use super::node::{Boundary, Death, Input, Life, Node, Shown};
use super::oracle::{Counts, Violation, ensure};
use super::participants::Scripted;
use super::world::{Event, MS, World};
use crate::agent::effects::{Effects, Lease};
use crate::agent::{Agent, Parameters, StorageSpace};
use crate::base::ids::{Boot, ClusterId, Incarnation, Lineage, LogIndex};
use crate::base::rules::Rule;
use crate::base::time::Timestamp;
use crate::datastore::store::{Datastores, Presence, RunningAccess};
use crate::raft::{EntryKind, LogEntry, NodeConfig, SnapshotMeta, WaitForSync};
use crate::replication::state::State;
use crate::storage::simulated_disk::{SimulatedDisk, Unsynced};
use crate::storage::{
    Disk, Identity, LogError, LogOptions, Recovered, RecoveryError, Reserve, SnapshotError,
    SnapshotReader, SnapshotWriter, prepare_spare, prune_snapshots, recover,
};
use crate::yang::schema::Schema;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Small, so that a short life sees many segments and snapshots.
const LOG: LogOptions = LogOptions { segment_bytes: 8 << 10, record_bytes_max: 1 << 20 };
const SNAPSHOT_LOG_BYTES: u64 = 32 << 10;
const RESERVE: Reserve = Reserve { bytes: 32 << 10 };
/// Proposals that come to the next leader, where they do not stay in their term.
const PROPOSALS_MAX: usize = 4;
const ELECTION_TICKS: usize = 25;
const HEARTBEAT_TICKS: usize = 5;

impl World {
    /// A node starts from its disk.
    pub(super) fn start(&mut self, n: usize) -> Result<(), Violation> {
        if self.nodes[n].life.is_some() || self.nodes[n].is_gone {
            return Ok(());
        }
        let disk = Arc::new(self.nodes[n].disk.clone());
        let Some(Identity { boot, .. }) = self.identity(n, &disk) else {
            return self.start_later(n);
        };
        let Recovered { log, raft, .. } = match recover(disk.clone(), LOG) {
            Ok(recovered) => recovered,
            Err(RecoveryError::Disk(_)) => return self.start_later(n),
            Err(error) => {
                return Err(Violation::new("S6", format!("{n} cannot recover: {error}")));
            }
        };
        self.nodes[n].journal.recovered(&raft)?;
        let base = raft.base();
        if let Some(meta) = &raft.snapshot {
            self.nodes[n].snapshots.insert(meta.position.index, meta.clone());
        }
        self.say(format_args!(
            "{n} starts, boot {}, behind {base:?} to {:?}",
            boot.counter,
            raft.last()
        ));
        let storage = match RESERVE.hold(&*disk) {
            Ok(()) => StorageSpace::Enough,
            Err(_) => StorageSpace::Full,
        };
        let state = self.recovered_state(disk, base.index)?;
        let node = self.raft_node(n, raft)?;
        let participants = Scripted::all(self.participants);
        let parameters = self.parameters(n, boot, &participants);
        let mut agent = Agent::new(parameters, node, state, base);
        agent.set_storage(storage);
        agent.start(self.nodes[n].clock.now(self.time));
        let single = self.founders == 1;
        let node = &mut self.nodes[n];
        node.lives += 1;
        node.life = Some(Life {
            number: node.lives,
            agent,
            log,
            peers: BTreeSet::new(),
            inbox: Vec::new(),
            turn_due: false,
            writing: None,
            wake_at: None,
            shown: None,
            lease: if single { Lease::Unlimited } else { Lease::Until(Timestamp(0)) },
            ready: false,
            snapshot_at: SNAPSHOT_LOG_BYTES,
            snapshot: None,
            doom: None,
            participants,
            restless: 0,
            compared: base.index,
        });
        for other in 0..self.nodes.len() {
            if other != n {
                self.connect_soon(n, other);
            }
        }
        self.carry_out(n)
    }

    fn raft_node(
        &mut self,
        n: usize,
        raft: crate::raft::RecoveredLog,
    ) -> Result<crate::raft::Node, Violation> {
        let config = NodeConfig {
            id: self.nodes[n].incarnation,
            // Whoever joined is sent a snapshot that says who votes.
            voters: if n < self.founders { self.founders().collect() } else { Vec::new() },
            seed: self.chance.next(),
            election_ticks: ELECTION_TICKS,
            heartbeat_ticks: HEARTBEAT_TICKS,
        };
        crate::raft::Node::new(&config, raft)
            .map_err(|error| Violation::new("S6", format!("{n} cannot start: {error}")))
    }

    fn founders(&self) -> impl Iterator<Item = Incarnation> {
        self.nodes.iter().take(self.founders).map(|node| node.incarnation)
    }

    /// A disk without space, or without power: somebody looks after it.
    fn start_later(&mut self, n: usize) -> Result<(), Violation> {
        self.say(format_args!("{n} cannot start from its disk"));
        self.nodes[n].disk.restart(Unsynced::Kept);
        self.after(200 * MS, Event::Start(n));
        Ok(())
    }

    /// A new life of the node, or its first; none if the disk does not take it.
    fn identity(&mut self, n: usize, disk: &SimulatedDisk) -> Option<Identity> {
        let nonce = self.chance.next();
        let started = match Identity::start(disk, nonce) {
            Err(_) if RESERVE.release(disk).ok()? => Identity::start(disk, nonce),
            started => started,
        };
        if let Some(identity) = started.ok()? {
            return Some(identity);
        }
        let identity = Identity {
            cluster: ClusterId(1),
            lineage: Lineage(1),
            incarnation: self.nodes[n].incarnation,
            boot: Boot { counter: 1, nonce },
            tree_seed: [0; 16],
        };
        identity.create(disk).ok().map(|()| identity)
    }

    fn recovered_state(
        &self,
        disk: Arc<SimulatedDisk>,
        base: LogIndex,
    ) -> Result<State, Violation> {
        if base == LogIndex(0) {
            return Ok(self.oracle.history.initial().clone());
        }
        let bad = |what: String| Violation::new("S6", format!("snapshot {base}: {what}"));
        let mut reader =
            SnapshotReader::open(disk, base).map_err(|error| bad(error.to_string()))?;
        let mut bytes = Vec::new();
        while let Some(piece) = reader.read().map_err(|error| bad(error.to_string()))? {
            bytes.extend_from_slice(&piece);
        }
        self.model.state_of(&bytes).map_err(|error| bad(error.to_string()))
    }

    fn parameters(&self, n: usize, boot: Boot, participants: &[Scripted]) -> Parameters {
        let datastores = Datastores::new(RunningAccess::ReadWrite, Presence::On, Presence::Off);
        Parameters {
            schema: Arc::clone(&self.model.schema),
            incarnation: self.nodes[n].incarnation,
            boot,
            name: self.nodes[n].name.clone(),
            address: format!("node-{n}:1"),
            cluster: ClusterId(1),
            lineage: Lineage(1),
            rejoin_secret: [9; 16],
            datastores: datastores.expect("a way to running"),
            sessions_max: 64,
            session_lease_ms: crate::base::limits::SESSION_LEASE_S * 1000,
            initial: None,
            participants: participants.iter().map(Scripted::registration).collect(),
            rules: self.rules,
        }
    }

    /// The thread takes in what has come.
    pub(super) fn turn(&mut self, n: usize) -> Result<(), Violation> {
        let Node { clock, disk, life, .. } = &mut self.nodes[n];
        let now = clock.now(self.time);
        let Some(life) = life else { return Ok(()) };
        if life.writing.is_some() {
            // It waits for the disk, and looks at its inbox then.
            return Ok(());
        }
        life.turn_due = false;
        let free = disk.free_bytes();
        if life.agent.storage() == StorageSpace::Full
            && free.is_ok_and(|free| free > 2 * RESERVE.bytes)
            && RESERVE.hold(disk).is_ok()
        {
            life.agent.set_storage(StorageSpace::Enough);
        }
        for input in std::mem::take(&mut life.inbox) {
            life.take_in(now, input);
        }
        life.agent.tick(now);
        self.carry_out(n)
    }

    /// Effects, until nothing more follows or the disk is waited for.
    fn carry_out(&mut self, n: usize) -> Result<(), Violation> {
        loop {
            let now = self.nodes[n].clock.now(self.time);
            let Some(life) = &mut self.nodes[n].life else { return Ok(()) };
            let mut effects = life.agent.take_effects(now);
            self.look(n, &effects)?;
            if self.dies_at(n, Boundary::Decided)? {
                return Ok(());
            }
            for early in std::mem::take(&mut effects.early) {
                self.send(n, early.to, &early.message);
            }
            if self.dies_at(n, Boundary::EarlySent)? {
                return Ok(());
            }
            let Some(life) = &mut self.nodes[n].life else { return Ok(()) };
            for persist in &effects.persist {
                life.log
                    .append(&persist.write)
                    .map_err(|error| Violation::new("S6", format!("{n} cannot append: {error}")))?;
            }
            let wrote = effects.persist.last().map(|persist| persist.number);
            let sync = effects.persist.iter().any(|persist| persist.sync == WaitForSync::Yes);
            if sync {
                let takes = 50 + self.chance.below(self.nodes[n].flush_us);
                self.for_life(n, takes, |node, life| Event::Flushed { node, life });
                if self.rules.hold(Rule::DurableBeforePersisted) {
                    if !self.rules.hold(Rule::DurableBeforeSends) {
                        self.send_all(n, &mut effects);
                    }
                    if let Some(life) = &mut self.nodes[n].life {
                        life.writing = Some(effects);
                    }
                    return Ok(());
                }
            }
            if let (Some(number), Some(life)) = (wrote, &mut self.nodes[n].life) {
                life.agent.persisted(number);
            }
            self.show(n, effects)?;
            if wrote.is_none() {
                return self.rest(n);
            }
        }
    }

    /// Nothing follows: the thread sleeps until something comes or its agent has something to do.
    fn rest(&mut self, n: usize) -> Result<(), Violation> {
        let Some(life) = &mut self.nodes[n].life else { return Ok(()) };
        if life.snapshot.is_none()
            && life.agent.has_sound_data()
            && life.log.bytes() >= life.snapshot_at
        {
            let (meta, state) = life.agent.snapshot();
            life.snapshot = Some((meta, Box::new(state)));
            let takes = self.chance.below(60 * MS);
            self.for_life(n, takes, |node, life| Event::SnapshotTaken { node, life });
        }
        let Node { clock, disk, life, .. } = &mut self.nodes[n];
        let Some(life) = life else { return Ok(()) };
        if life.log.take_spare_wanted() {
            // It is made beside the agent's thread; without it the next segment takes longer.
            prepare_spare(disk, LOG).unwrap_or_default();
        }
        let now = clock.now(self.time);
        if let Some(at) = life.agent.wake_at(now) {
            // Once may be; a thread that never sleeps is a fault.
            life.restless = if at > now.monotonic { 0 } else { life.restless + 1 };
            let spins = life.restless > 20;
            ensure("L8", !spins, || format!("{n} does not sleep: {}", life.agent.why_awake(now)))?;
            let at = clock.when(at).max(self.time + 1);
            if life.wake_at.is_none_or(|wake| wake > at || wake <= self.time) {
                life.wake_at = Some(at);
                let number = life.number;
                self.at(at, Event::Turn { node: n, life: number });
            }
        }
        Ok(())
    }

    /// What a node hands out is noted before any of it is done.
    fn look(&mut self, n: usize, effects: &Effects) -> Result<(), Violation> {
        for persist in &effects.persist {
            for entry in &persist.write.entries {
                self.oracle.wrote(n, entry)?;
            }
            if !self.rules.hold(Rule::ProposalsStay) {
                self.keep_proposals(n, &persist.write.entries);
            }
            self.nodes[n].journal.append(&persist.write)?;
        }
        if effects.removed {
            self.has_left(n)?;
        }
        let Counts { leaders, joint, .. } = self.oracle.counts;
        self.oracle.look(self.time, n, &mut self.nodes)?;
        if self.oracle.counts.joint > joint {
            self.strike_while_joint(n);
        }
        if self.oracle.counts.leaders > leaders {
            self.spring_ambush(n);
            for proposal in std::mem::take(&mut self.proposals) {
                self.give(n, Input::Forwarded(proposal.data.to_vec()));
            }
        }
        Ok(())
    }

    /// Copies of what a leader appends go to the next one.
    fn keep_proposals(&mut self, n: usize, entries: &[LogEntry]) {
        let leads = self.nodes[n].life.as_ref().and_then(|life| life.agent.inspect().leads);
        let is_own = |entry: &&LogEntry| {
            leads == Some(entry.term) && entry.kind == EntryKind::Normal && !entry.data.is_empty()
        };
        self.proposals.extend(entries.iter().filter(is_own).cloned());
        let full = self.proposals.len().saturating_sub(PROPOSALS_MAX);
        self.proposals.drain(..full);
    }

    /// The disk has done it, or the node dies of it.
    pub(super) fn flushed(&mut self, n: usize) -> Result<(), Violation> {
        let node = &mut self.nodes[n];
        let Some(life) = &mut node.life else { return Ok(()) };
        if let Some(doom) = life.doom
            && let Boundary::Writing(operation) = doom.at
        {
            node.disk.crash_at(node.disk.operations() + operation);
            // Whether it came to the disk or not.
            drop(life.log.flush());
            return self.kill(n, doom.death);
        }
        let mut outcome = life.log.flush();
        if matches!(outcome, Err(LogError::NoSpace)) && RESERVE.release(&node.disk).is_ok() {
            life.agent.set_storage(StorageSpace::Full);
            outcome = life.log.flush();
        }
        if let Err(error) = outcome
            && self.rules.hold(Rule::FailedWriteEnds)
        {
            self.say(format_args!("{n} ends: {error}"));
            let death = self.draw_death();
            return self.kill(n, death);
        }
        node.journal.flushed();
        let Some(effects) = life.writing.take() else { return Ok(()) };
        if self.dies_at(n, Boundary::Written)? {
            return Ok(());
        }
        let last = effects.persist.last().map(|persist| persist.number);
        if let (Some(number), Some(life)) = (last, &mut self.nodes[n].life) {
            life.agent.persisted(number);
        }
        self.show(n, effects)?;
        self.carry_out(n)?;
        if let Some(life) = &mut self.nodes[n].life
            && life.writing.is_none()
            && !life.inbox.is_empty()
        {
            self.for_life(n, 0, |node, life| Event::Turn { node, life });
        }
        Ok(())
    }

    /// View and lease, hooks, messages, answers, ends.
    fn show(&mut self, n: usize, mut effects: Effects) -> Result<(), Violation> {
        let Some(life) = &mut self.nodes[n].life else { return Ok(()) };
        if let Some(view) = effects.view.take() {
            let revision = life.agent.inspect().state.revision;
            let shown = Shown { view, revision };
            if self.rules.hold(Rule::ViewBeforeSends) {
                life.shown = Some(shown);
            } else {
                let takes = self.chance.below(5 * MS);
                self.for_life(n, takes, |node, life| Event::Publish { node, life, shown });
            }
        }
        let Some(life) = &mut self.nodes[n].life else { return Ok(()) };
        if let Some(lease) = effects.lease {
            life.lease = lease;
        }
        if let Some(peers) = effects.peers.take() {
            self.wants_peers(n, &peers);
        }
        for call in std::mem::take(&mut effects.hooks) {
            self.call(n, call)?;
        }
        self.nodes[n].life.as_ref().map_or(Ok(()), Life::check_prepared)?;
        if self.dies_at(n, Boundary::Shown)? {
            return Ok(());
        }
        self.send_all(n, &mut effects);
        if self.dies_at(n, Boundary::Sent)? {
            return Ok(());
        }
        for (reply, answer) in effects.answers {
            self.answered(n, reply, answer)?;
        }
        for end in effects.ends {
            self.session_ended(n, end.session)?;
        }
        if effects.ready {
            self.say(format_args!("{n} is ready"));
            if let Some(life) = &mut self.nodes[n].life {
                life.ready = true;
            }
        }
        effects.fatal.map_or(Ok(()), |why| self.ends(n, &why))
    }

    fn send_all(&mut self, n: usize, effects: &mut Effects) {
        for send in std::mem::take(&mut effects.sends) {
            self.send(n, send.to, &send.message);
        }
        for snapshot in std::mem::take(&mut effects.snapshots) {
            self.oracle.counts.snapshots_sent += 1;
            self.send_snapshot(n, snapshot);
        }
        if std::mem::take(&mut effects.snapshot_wanted)
            && let Some(life) = &mut self.nodes[n].life
        {
            life.snapshot_at = 0;
        }
    }

    /// The thread beside the agent has written a snapshot.
    pub(super) fn snapshot_taken(&mut self, n: usize) -> Result<(), Violation> {
        let node = &mut self.nodes[n];
        let Some(life) = &mut node.life else { return Ok(()) };
        let Some((meta, state)) = life.snapshot.take() else { return Ok(()) };
        let doom = life.doom;
        if let Some(doom) = doom
            && let Boundary::Snapshot(operation) = doom.at
        {
            node.disk.crash_at(node.disk.operations() + operation);
        }
        let index = meta.position.index;
        if !self.rules.hold(Rule::SnapshotBeforePrune) {
            life.log.prune(index).unwrap_or_default();
        }
        let written = write_snapshot(&node.disk, &meta, &state, &self.model.schema);
        if let Some(doom) = doom
            && let Boundary::Snapshot(_) = doom.at
        {
            return self.kill(n, doom.death);
        }
        if written.is_err() {
            // Who waits for it waits for the next one.
            if life.snapshot_at > 0 {
                life.snapshot_at = life.log.bytes() + SNAPSHOT_LOG_BYTES;
            }
            self.say(format_args!("{n} has no snapshot at {index}; its log keeps growing"));
            return Ok(());
        }
        if life.log.prune(index).is_err() {
            let death = self.draw_death();
            return self.kill(n, death);
        }
        life.snapshot_at = life.log.bytes() + SNAPSHOT_LOG_BYTES;
        node.snapshots.insert(index, meta.clone());
        self.say(format_args!("{n} has a snapshot at {index}"));
        self.give(n, Input::SnapshotWritten(meta));
        Ok(())
    }

    /// A node dies where it was to die.
    fn dies_at(&mut self, n: usize, boundary: Boundary) -> Result<bool, Violation> {
        let Some(life) = &self.nodes[n].life else { return Ok(true) };
        match life.doom {
            Some(doom) if doom.at == boundary => {
                self.say(format_args!("{n} dies: {boundary:?}"));
                self.kill(n, doom.death)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn doom_is_due(&mut self, n: usize, number: u64) -> Result<(), Violation> {
        let Some(life) = self.nodes[n].life.as_ref().filter(|life| life.number == number) else {
            return Ok(());
        };
        match life.doom {
            Some(doom) => self.kill(n, doom.death),
            None => Ok(()),
        }
    }

    /// A node dies.
    pub(super) fn kill(&mut self, n: usize, death: Death) -> Result<(), Violation> {
        let Some(life) = self.nodes[n].life.take() else { return Ok(()) };
        self.oracle.counts.crashes += 1;
        let number = life.number;
        drop(life);
        self.say(format_args!("{n} is dead, {death:?}"));
        let node = &mut self.nodes[n];
        node.disk.restart(death.unsynced);
        node.paused_until = 0;
        if death.power {
            node.clock.offset_us = self.chance.below(1_000_000_000_000);
        }
        self.disconnect_all(n, death.power);
        self.sessions_lost(n, number)?;
        self.after(death.down_us, Event::Start(n));
        Ok(())
    }
}

fn write_snapshot(
    disk: &SimulatedDisk,
    meta: &SnapshotMeta,
    state: &State,
    schema: &Schema,
) -> Result<(), SnapshotError> {
    let disk = Arc::new(disk.clone());
    let mut bytes = Vec::new();
    let encoded = crate::replication::snapshot::encode(state, schema, &mut |piece| {
        bytes.extend_from_slice(piece);
    });
    encoded.expect("a state has bytes");
    let mut writer = SnapshotWriter::begin(disk.clone(), meta.clone())?;
    writer.write(&bytes)?;
    writer.finish()?;
    prune_snapshots(&*disk, meta.position.index).map(drop)
}
