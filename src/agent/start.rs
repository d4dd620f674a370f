//! The way to `Ready`: models that fit, this boot's `NodeUp`, what a restart ends, initial content (PROTOCOL M3).

use super::transactions::{Content, Decided, Transaction};
use super::{Agent, Phase};
use crate::base::ids::Revision;
use crate::base::time::Now;
use crate::netconf::error::RpcError;
use crate::replication::entry::Body;
use crate::yang::tree::Tree;

impl Agent {
    /// This node leads and has applied everything before: from here on it decides (PROTOCOL L1).
    pub(super) fn lead(&mut self, now: Now) {
        self.head.begin(self.state.clone());
        if self.phase != Phase::Recovering {
            return;
        }
        self.phase = Phase::Starting;
        let schema_id = self.parameters.schema.schema_id;
        if self.state.schema_id != schema_id {
            let restored = self.state.confirmed.as_ref().map(|pending| &pending.base);
            let misfit = [Some(&self.state.shared), restored]
                .into_iter()
                .flatten()
                .find_map(|tree| self.misfit(tree));
            if let Some(why) = misfit {
                return self
                    .give_up(format!("the stored configuration does not fit the models: {why}"));
            }
            self.propose_own(Body::Schema { schema_id });
        }
        let parameters = &self.parameters;
        let (incarnation, boot) = (parameters.incarnation, parameters.boot);
        let name = parameters.name.clone();
        self.propose_own(Body::NodeUp { incarnation, boot, name });
        self.duties(now);
        self.propose_initial(now);
    }

    /// Nothing is decided any more: the shell is told why, and ends.
    pub(super) fn give_up(&mut self, why: String) {
        self.phase = Phase::Stopped;
        self.effects.fatal.get_or_insert(why);
    }

    /// Why a tree that was made under other models is not what these make of the same content: it is invalid, or its
    /// values, keys or order have another canonical form.
    fn misfit(&self, tree: &Tree) -> Option<String> {
        if let Err(errors) = self.settle((&Tree::empty(tree.seed), Revision(0)), tree) {
            return Some(self.first(&errors));
        }
        let schema = &self.parameters.schema;
        let text = String::from_utf8(crate::yang::print::print_all(schema, tree)).ok()?;
        let read = crate::netconf::document::read_fragment(&text, schema)
            .map_err(|error| error.to_string())
            .and_then(|edit| {
                crate::datastore::apply::tree_of(schema, tree.seed, &edit)
                    .map_err(|error| error.message)
            });
        match read {
            Ok(read) if read == *tree => None,
            Ok(_) => {
                Some("the type of a value, or the keys or order of a list, has changed".to_owned())
            }
            Err(error) => Some(error),
        }
    }

    fn first(&self, errors: &[RpcError]) -> String {
        let Some(first) = errors.first() else { return String::new() };
        let path = first.path.as_ref();
        let path = path.map(|path| crate::yang::path_text::print(&self.parameters.schema, path));
        path.map_or_else(|| first.message.clone(), |path| format!("{path}: {}", first.message))
    }

    fn propose_own(&mut self, body: Body) {
        if let Err(error) = self.propose(body) {
            self.give_up(format!("the node cannot start: {error}"));
        }
    }

    /// The initial content of an empty datastore.
    fn propose_initial(&mut self, now: Now) {
        let Some(edit) = self.parameters.initial.take() else { return };
        if self.state.revision.0 != 0 {
            tracing::info!("running has content: the initial configuration is left aside");
            return;
        }
        let transaction = Transaction {
            reply: None,
            session: None,
            user: String::new(),
            at: now.wall,
            content: Content::Edit(edit),
            ask: None,
            confirms: false,
            test_only: false,
            comment: Some("initial configuration".to_owned()),
        };
        match self.evaluate(&transaction) {
            Ok(evaluated) => match self.decide(&transaction, evaluated) {
                Decided::Proposed | Decided::Unchanged | Decided::HeadMoved => {}
                Decided::Refused(error) => {
                    self.give_up(format!(
                        "the initial configuration is refused: {}",
                        error.message
                    ));
                }
            },
            Err(errors) => {
                self.give_up(format!(
                    "the initial configuration is refused: {}",
                    self.first(&errors)
                ));
            }
        }
    }

    /// After each entry of this boot: session-ids, and `Ready` when nothing of the start is on the way.
    pub(super) fn progress(&mut self, now: Now, body: &Body) {
        let own = self.parameters.incarnation;
        let boot = self.parameters.boot.counter;
        let given = match body {
            Body::NodeUp { incarnation, boot: up, .. } => *incarnation == own && up.counter == boot,
            Body::SessionIds { incarnation, boot: up } => *incarnation == own && *up == boot,
            Body::Schema { .. }
            | Body::Decision(_)
            | Body::Lock { .. }
            | Body::Unlock { .. }
            | Body::SessionEnd { .. } => false,
        };
        if given {
            self.take_session_ids();
        }
        let started = self.phase == Phase::Starting
            && self.head.last_index().is_none()
            && self.session_ids.1 != 0;
        if started {
            self.phase = Phase::Ready;
            self.effects.ready = true;
            self.start_participants();
            self.duties(now);
        }
    }

    /// Blocks follow each other without a gap while nobody else asks for one; otherwise the rest of the old is left.
    fn take_session_ids(&mut self) {
        self.session_ids_asked = false;
        let Some(member) = self.state.member(self.parameters.incarnation) else { return };
        let (first, end) = member.session_ids;
        let (next, current_end) = self.session_ids;
        self.session_ids =
            if current_end == first && next != 0 { (next, end) } else { (first, end) };
    }
}
