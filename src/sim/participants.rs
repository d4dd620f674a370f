//! Scripted participants: they agree, refuse, amend, or are late, and check what they are told (S15).

use super::node::Life;
use super::oracle::{Violation, ensure};
use super::world::{Event, MS, World};
use crate::agent::slot::Registration;
use crate::api::hook::{Call, HookAnswer, HookCall, ParticipantId, Proposed};
use crate::base::ids::{Revision, Term};
use crate::raft::SplitMix64;
use crate::replication::apply::data_digest;
use crate::yang::tree::Tree;

/// Milliseconds that one has to answer.
const DEADLINE_MS: u64 = 200;

/// A participant of one life of a node.
pub(super) struct Scripted {
    registration: Registration,
    /// What it has been told last.
    knows: Option<(Revision, Tree)>,
    /// The term in which it agreed to prepare a change.
    prepared: Option<Term>,
}

impl Scripted {
    /// The participants of this number of a node.
    pub(super) fn all(count: u32) -> Vec<Scripted> {
        (0..count).map(Scripted::new).collect()
    }

    fn new(number: u32) -> Self {
        let registration = Registration {
            id: ParticipantId(number),
            name: format!("p{number}"),
            paths: Vec::new(),
            priority: i32::try_from(number).unwrap_or(0),
            deadline_ms: DEADLINE_MS,
            rewrites: number == 1,
        };
        Self { registration, knows: None, prepared: None }
    }

    pub(super) fn registration(&self) -> Registration {
        self.registration.clone()
    }

    /// It is told the whole configuration, at first or anew.
    fn started(&mut self, revision: Revision, tree: Tree) {
        self.knows = Some((revision, tree));
        self.prepared = None;
    }

    /// Each revision comes once, in order, and goes on from what was told before.
    fn committed(&mut self, revision: Revision, change: &Proposed) -> Result<(), Violation> {
        let name = &self.registration.name;
        let Some((last, tree)) = &self.knows else {
            return Err(Violation::new("S15", format!("{name} hears of {revision} before start")));
        };
        let follows = revision > *last && *tree == change.before;
        ensure("S15", follows, || format!("{name} knows {last} and is told {revision}"))?;
        self.started(revision, change.after.clone());
        Ok(())
    }
}

impl World {
    /// Whether the participant says no. It does not change its mind about a change within a term, and what all must
    /// agree to does not take place then (S2).
    fn refuses(&mut self, n: usize, call: &HookCall) -> bool {
        let (stage, change) = match &call.call {
            Call::Validate { change, .. } => (1, change),
            Call::Prepare { change, .. } => (2, change),
            Call::Rewrite { .. } => return self.chance.below(100) < self.habits.refusals,
            Call::Start { .. } | Call::Commit { .. } | Call::Abort => return false,
        };
        let Some(life) = &self.nodes[n].life else { return false };
        let seen = life.agent.inspect();
        let term = seen.asked_in.unwrap_or(seen.term);
        let result = data_digest(&change.after, &self.model.schema);
        let who = format!("{n} {} {stage} {term} {result}", call.participant.0);
        let mut chance = SplitMix64::new(u64::from(crc32fast::hash(who.as_bytes())));
        let refuses = chance.below(100) < self.habits.refusals;
        if refuses {
            let member = self.nodes[n].incarnation;
            self.oracle.history.vetoes.insert((term, result, member));
        }
        refuses
    }

    /// A node calls one of its participants.
    pub(super) fn call(&mut self, n: usize, call: HookCall) -> Result<(), Violation> {
        let draw = self.chance.below(100);
        let refuses = self.refuses(n, &call);
        self.say(format_args!("{n} calls p{}: {}", call.participant.0, brief(&call.call)));
        let Some(life) = &mut self.nodes[n].life else { return Ok(()) };
        let number = usize::try_from(call.participant.0).expect("a small number");
        let (id, answer) = match call.call {
            Call::Start { revision, tree } => {
                life.participants[number].started(revision, tree);
                return Ok(());
            }
            Call::Commit { revision, change } => {
                return life.participants[number].committed(revision, &change);
            }
            Call::Abort => {
                life.participants[number].prepared = None;
                return Ok(());
            }
            Call::Rewrite { id, .. } if draw >= 85 => {
                let stamp = self.next_value(n);
                let edit = self.model.set(super::model::Spot::Stamp, &stamp);
                (id, HookAnswer::Amend(edit))
            }
            Call::Rewrite { id, .. } | Call::Validate { id, .. } if !refuses => {
                (id, HookAnswer::Yes)
            }
            Call::Prepare { id, .. } if !refuses => {
                let participant = &mut life.participants[number];
                let seen = life.agent.inspect();
                let before = participant.prepared.replace(seen.asked_in.unwrap_or(seen.term));
                ensure("S5", before.is_none(), || format!("{n}: asked to prepare while prepared"))?;
                (id, HookAnswer::Yes)
            }
            Call::Rewrite { id, .. } | Call::Validate { id, .. } | Call::Prepare { id, .. } => {
                (id, HookAnswer::No("by the script".to_owned()))
            }
        };
        let late = self.chance.below(100) < 4;
        let takes = if late { 2 * DEADLINE_MS * MS } else { self.chance.below(20 * MS) };
        self.for_life(n, takes, |node, life| Event::Hook { node, life, call: id, answer });
        Ok(())
    }
}

/// A call in a few words.
fn brief(call: &Call) -> String {
    match call {
        Call::Start { revision, .. } => format!("start at {revision}"),
        Call::Rewrite { id, .. } => format!("rewrite, call {}", id.0),
        Call::Validate { id, .. } => format!("validate, call {}", id.0),
        Call::Prepare { id, .. } => format!("prepare, call {}", id.0),
        Call::Commit { revision, .. } => format!("commit {revision}"),
        Call::Abort => "abort".to_owned(),
    }
}

impl Life {
    /// Nothing is prepared that an entry of a later term has made void.
    pub(super) fn check_prepared(&self) -> Result<(), Violation> {
        let applied = self.agent.inspect().applied;
        let held = self
            .participants
            .iter()
            .find_map(|participant| participant.prepared.filter(|term| *term < applied.term));
        ensure("S5", held.is_none(), || format!("prepared in {held:?} at {applied:?}"))
    }
}
