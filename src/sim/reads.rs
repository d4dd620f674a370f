//! Readers: each looks at its node's view, and at the lease before and after.

use super::clients::Client;
use super::oracle::{Violation, ensure};
use super::world::{Event, MS, World};
use crate::base::ids::Revision;
use crate::base::rules::Rule;

impl World {
    /// A reader takes the view of its node, while the lease holds, and looks at the lease again before it answers.
    pub(super) fn read(&mut self, c: usize) {
        let required = self.oracle.shown.max(self.clients[c].seen);
        let takes = self.chance.below(2 * MS);
        self.after(takes, Event::Read { client: c, required, tries: 0 });
    }

    /// The reader has a turn on its node's processor.
    pub(super) fn reading(
        &mut self,
        c: usize,
        required: Revision,
        tries: u32,
    ) -> Result<(), Violation> {
        let Client { node, life, session, .. } = self.clients[c];
        let Some(own) = self.nodes[node].life.as_ref().filter(|own| own.number == life) else {
            return Ok(());
        };
        if session.is_none() {
            return Ok(());
        }
        let now = self.nodes[node].clock.now(self.time);
        let may_read = own.may_read(now) || !self.rules.hold(Rule::LeaseBeforeView);
        let Some(shown) = own.shown.clone().filter(|_| may_read) else {
            // At most a second (PROTOCOL M2), then it is told so.
            if tries < 20 {
                self.after(50 * MS, Event::Read { client: c, required, tries: tries + 1 });
                return Ok(());
            }
            self.say(format_args!("client {c} may not read"));
            return self.next(c);
        };
        let slow = self.chance.below(20) == 0;
        let takes = self.chance.below(if slow { 500 * MS } else { 3 * MS });
        self.for_life(node, takes, |_, _| Event::Show { client: c, shown, required });
        Ok(())
    }

    /// The reader is about to answer.
    pub(super) fn show_read(
        &mut self,
        c: usize,
        shown: super::node::Shown,
        required: Revision,
    ) -> Result<(), Violation> {
        let Client { node, life, session, .. } = self.clients[c];
        let Some(own) = self.nodes[node].life.as_ref().filter(|own| own.number == life) else {
            return Ok(());
        };
        if session.is_none() {
            return Ok(());
        }
        let now = self.nodes[node].clock.now(self.time);
        if !own.may_read(now) {
            return self.next(c);
        }
        let revision = shown.revision;
        self.say(format_args!("client {c} at {node} reads revision {revision}"));
        ensure("S8", revision >= required, || {
            format!("client {c} at {node} reads revision {revision} after {required} was ok")
        })?;
        self.clients[c].seen = revision;
        self.oracle.read(node, revision, &shown.view.running)?;
        self.next(c)
    }
}
