//! An agent with a participant in every change: what a device vendor's program looks like. It takes the flags of
//! `quorate run`; `tools/bench --cluster` measures a cluster of them.

use quorate::{Agent, Alarm, Change, Participant, Refusal, Registration};
use std::process::ExitCode;

/// Agrees to everything, after a look at what is to be changed.
struct Witness;

impl Participant for Witness {
    fn prepare(&mut self, change: &Change) -> Result<(), Refusal> {
        if change.items().is_empty() {
            return Err(Refusal("there is nothing to be changed".to_owned()));
        }
        Ok(())
    }

    fn commit(&mut self, _: &Change) -> Result<(), Alarm> {
        Ok(())
    }
}

fn main() -> anyhow::Result<ExitCode> {
    Agent::from_arguments(std::env::args_os().skip(1))?
        .participant(Registration::new("witness"), Witness)
        .run()
}
