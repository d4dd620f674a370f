//! What clients do next.

use super::model::{SPOTS, Spot};
use super::world::{MS, Phase, World};
use crate::base::policy::Policy;
use crate::datastore::store::Datastore;

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Edit(Spot),
    Remove(Spot),
    /// What validation refuses.
    Invalid,
    Stage(Spot),
    Discard,
    Commit,
    CommitConfirmed {
        timeout_s: u32,
        persist: Option<String>,
    },
    Confirm {
        persist_id: Option<String>,
    },
    Cancel {
        persist_id: Option<String>,
    },
    Lock(Datastore),
    Unlock(Datastore),
    /// Leadership to this node, or to the best one.
    Transfer(Option<usize>),
    Policy(Policy),
    /// A member is removed.
    Expel(String),
    Kill,
    Read,
    Sleep(u64),
    Close,
    /// The transport goes away, whatever is on its way.
    Vanish,
}

impl World {
    /// What a client does next, of one piece.
    pub(super) fn plan(&mut self, c: usize) -> Vec<Action> {
        use Action::{
            Cancel, Commit, CommitConfirmed, Confirm, Discard, Edit, Invalid, Kill, Lock, Read,
            Remove, Sleep, Stage, Unlock,
        };
        use Datastore::{Candidate, Running};
        let mut spot = || {
            let spots = self.habits.spots;
            // With few of them, leafs and entries both.
            let number = (SPOTS - spots) / 2 + self.chance.place(spots);
            self.model.spot(number)
        };
        let (a, b) = (spot(), spot());
        if self.is_watcher(c) {
            return vec![Read, Sleep(self.chance.below((self.habits.pace - 1) * 20 * MS))];
        }
        if self.phase == Phase::Faults && self.chance.below(100) < self.habits.operations {
            return vec![self.operation()];
        }
        let longest = if self.habits.is_simple { 50 * MS } else { 300 * MS };
        let pause = Sleep(self.chance.below(longest * self.habits.pace));
        if self.chance.below(100) < self.habits.removals {
            return vec![Remove(a), pause];
        }
        let draw = self.chance.below(if self.habits.is_simple { 34 } else { 100 });
        let mut plan = match draw {
            0..28 => vec![Edit(a), Read],
            28..34 => vec![Remove(a)],
            34..37 => vec![Invalid],
            37..47 => vec![Lock(Running), Edit(a), pause.clone(), Edit(b), Unlock(Running)],
            47..60 => vec![Lock(Candidate), Stage(a), Commit, Unlock(Candidate)],
            60..65 => vec![Stage(a), pause.clone(), Commit],
            65..67 => vec![Discard],
            67..76 => {
                let named = self.chance.below(2) == 0;
                let persist = named.then(|| self.next_value(c));
                if let Some(token) = &persist {
                    self.tokens.push(token.clone());
                }
                let timeout_s = 1 + u32::try_from(self.chance.below(3)).unwrap_or(0);
                let mut plan = vec![
                    Lock(Candidate),
                    Stage(a),
                    CommitConfirmed { timeout_s, persist: persist.clone() },
                    Sleep(self.chance.below(1_200 * MS)),
                ];
                match self.chance.below(4) {
                    0 => plan.push(Cancel { persist_id: persist }),
                    1 => {}
                    _ => plan.push(Confirm { persist_id: persist }),
                }
                plan.push(Unlock(Candidate));
                plan
            }
            76..80 => match self.tokens.last().cloned() {
                Some(token) => vec![Confirm { persist_id: Some(token) }],
                None => vec![Read],
            },
            80..82 => vec![Kill],
            82..92 => vec![Read, pause.clone(), Read],
            92..96 => vec![Action::Close],
            _ => vec![Lock(Running), Edit(a), Action::Vanish],
        };
        plan.push(pause);
        plan
    }

    /// What an operator does.
    fn operation(&mut self) -> Action {
        if self.habits.is_growing
            && self.chance.below(2) == 0
            && let Some(name) = self.any_member()
        {
            return Action::Expel(name);
        }
        match self.chance.below(8) {
            0..3 => Action::Transfer(None),
            3..6 => Action::Transfer(Some(self.chance.place(self.nodes.len()))),
            _ => Action::Policy(Policy::ALL[self.chance.place(Policy::ALL.len())]),
        }
    }
}
