//! The way to `Ready`: models that fit, this boot's `NodeUp`, what a restart ends, initial content (PROTOCOL M3).

use super::asked::{self, Content};
use super::origin::Order;
use super::{Agent, Phase};
use crate::api::change::{Change, Configuration};
use crate::base::ids::{LogIndex, Revision};
use crate::base::limits::VALIDATION_ERRORS_MAX;
use crate::base::time::Now;
use crate::netconf::error::RpcError;
use crate::replication::entry::Body;
use crate::replication::message::Control;
use crate::yang::error::DataError;
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;
use crate::yang::validate::{Before, Index, settle};
use std::sync::Arc;

/// Misfits that the word of a node that does not start names; `quorate verify` names all.
const MISFITS_SHOWN: usize = 8;

/// What an operator does who has given a node models that its data does not fit.
pub(crate) const WAY_OUT: &str =
    "start with the earlier models, change what is named, and start with these models again";

/// What is said of a log entry, or of a snapshot, that names what the models do not have.
pub(crate) fn unreadable(index: LogIndex, reason: &str) -> String {
    format!(
        "log entry {index} does not fit the models: {reason}. To keep what is stored, {WAY_OUT}"
    )
}

/// Why a tree that was made under other models is not what these make of the same content: its values, keys or order
/// have another canonical form, or it is invalid. One line each, with the path; none if it is the same.
pub(crate) fn misfits(schema: &Arc<Schema>, tree: &Tree) -> Vec<String> {
    let mut misfits = differences(schema, tree);
    let (nothing, index) = (Tree::empty(tree.seed), Index::empty(tree.seed));
    if let Err(faults) = settle(schema, (&nothing, Before::Unknown, &index), tree) {
        misfits.extend(faults.iter().map(|fault| located(schema, fault)));
    }
    misfits
}

/// What becomes another when a tree is written and read again.
fn differences(schema: &Arc<Schema>, tree: &Tree) -> Vec<String> {
    let xml = crate::yang::print::print_all(schema, tree);
    let Ok(text) = String::from_utf8(xml) else { return Vec::new() };
    let read = crate::netconf::document::read_fragment(&text, schema)
        .map_err(|error| error.to_string())
        .and_then(|edit| {
            crate::datastore::apply::tree_of(schema, tree.seed, &edit)
                .map_err(|fault| located(schema, &fault))
        });
    let read = match read {
        Ok(read) if read == *tree => return Vec::new(),
        Ok(read) => read,
        Err(error) => return vec![error],
    };
    let of = |tree: Tree| Configuration { schema: Arc::clone(schema), tree, revision: Revision(0) };
    let (before, after) = (of(tree.clone()), of(read));
    let change = Change { before, after, user: String::new(), session: None };
    let items = change.items().into_iter().take(VALIDATION_ERRORS_MAX);
    let why = "the type of its value, or the keys or order of its list, has changed";
    let found: Vec<String> = items.map(|item| format!("{}: {why}", item.path)).collect();
    // What is no change of an item is none the less not the same.
    if found.is_empty() { vec!["the order of a list has changed".to_owned()] } else { found }
}

fn located(schema: &Schema, fault: &DataError) -> String {
    let path = fault.path.as_ref().map(|path| crate::yang::path_text::print(schema, path));
    path.map_or_else(|| fault.message.clone(), |path| format!("{path}: {}", fault.message))
}

/// What keeps a node from starting, in one line.
fn misfit_text(misfits: &[String]) -> String {
    let shown: Vec<&str> = misfits.iter().take(MISFITS_SHOWN).map(String::as_str).collect();
    let more = match misfits.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more (`quorate verify` lists them)"),
    };
    let shown = shown.join("; ");
    format!(
        "the stored configuration does not fit the models: {shown}{more}. To keep it, {WAY_OUT}"
    )
}

impl Agent {
    /// This node leads and has applied everything before: from here on it decides (PROTOCOL L1).
    pub(super) fn begin_to_lead(&mut self, now: Now) {
        self.head.begin(self.state.clone());
        self.follow_with_index();
        self.begin_contacts(now);
        let schema_id = self.parameters.schema.schema_id;
        if self.state.schema_id != schema_id {
            let restored = self.state.confirmed.as_ref().map(|pending| &pending.base);
            let misfits: Vec<String> = [Some(&self.state.shared), restored]
                .into_iter()
                .flatten()
                .flat_map(|tree| misfits(&self.parameters.schema, tree))
                .collect();
            if !misfits.is_empty() {
                return self.give_up(misfit_text(&misfits));
            }
            self.propose_own(Body::Schema { schema_id });
        }
        // Whoever learns may have nothing yet, and begins with a snapshot: the leader that it joined under may be gone.
        if !self.node.conf_state().learners.is_empty() {
            self.effects.snapshot_wanted = true;
        }
        self.give_all(now);
        self.take_early_requests(now);
        self.duties(now);
    }

    /// The index is of the running configuration here.
    pub(super) fn follow_with_index(&mut self) {
        self.index = self.index.at(&self.parameters.schema, &self.state.shared);
    }

    /// Nothing is decided any more: the shell is told why, and ends.
    pub(super) fn give_up(&mut self, why: String) {
        self.phase = Phase::Stopped;
        self.effects.fatal.get_or_insert(why);
    }

    pub(super) fn first(&self, errors: &[RpcError]) -> String {
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
    fn order_initial(&mut self, now: Now) {
        let Some(edit) = self.parameters.initial.take() else { return };
        if self.state.revision.0 != 0 {
            tracing::info!("running has content: the initial configuration is left aside");
            return;
        }
        let mut order = Order::of_node(now, Content::of(asked::Change::Initial(edit)));
        order.comment = Some("initial configuration".to_owned());
        self.order(now, order);
    }

    /// After each entry: session-ids, and `Ready` when nothing of the start is on the way.
    pub(super) fn progress(&mut self, now: Now, body: &Body) {
        let own = self.parameters.incarnation;
        let boot = self.parameters.boot.counter;
        match body {
            Body::NodeUp { incarnation, boot: up, .. }
                if *incarnation == own && up.counter == boot =>
            {
                self.is_up(now);
            }
            Body::SessionIds { incarnation, boot: up, .. }
                if *incarnation == own && *up == boot =>
            {
                self.has_session_ids();
            }
            Body::NodeUp { .. }
            | Body::NodeDown { .. }
            | Body::SessionIds { .. }
            | Body::Schema { .. }
            | Body::Decision(_)
            | Body::Lock { .. }
            | Body::Unlock { .. }
            | Body::SessionEnd { .. }
            | Body::Init { .. }
            | Body::Token { .. }
            | Body::Policy { .. }
            | Body::Seat { .. } => {}
        }
        self.open_when_started(now);
    }

    /// This boot is up: everything that was in the log before it is applied here.
    pub(super) fn is_up(&mut self, now: Now) {
        self.pending.retain(|_, pending| !announces(&pending.asked.content));
        if self.phase == Phase::Recovering {
            self.phase = Phase::Starting;
            self.take_session_ids();
            self.order_initial(now);
        }
    }

    /// The log has given this boot more session-ids.
    pub(super) fn has_session_ids(&mut self) {
        self.pending.retain(|_, pending| !asks_session_ids(&pending.asked.content));
        self.take_session_ids();
    }

    /// NETCONF opens when this boot is up, what a restart ends is ended, and the initial content is there.
    pub(super) fn open_when_started(&mut self, now: Now) {
        let undecided =
            self.state.confirmed.as_ref().is_some_and(|pending| pending.alive.is_empty());
        let initial = |pending: &super::Pending| {
            matches!(pending.asked.content.change(), Some(asked::Change::Initial(_)))
        };
        if self.phase != Phase::Starting
            || undecided
            || self.peers.alone && self.head.last_index().is_some()
            || self.pending.values().any(initial)
        {
            return;
        }
        self.phase = Phase::Ready;
        self.effects.ready = true;
        self.view_is_stale = true;
        self.start_participants();
        self.take_held_question(now);
        self.duties(now);
    }

    /// Blocks follow each other without a gap while nobody else asks for one; otherwise the rest of the old is left.
    fn take_session_ids(&mut self) {
        self.session_ids_asked = false;
        let Some(member) = self.state.member(self.parameters.incarnation) else { return };
        let (first, end) = member.session_ids;
        let (next, current_end) = self.session_ids;
        if end != current_end {
            let follows = current_end == first && next != 0;
            self.session_ids = if follows { (next, end) } else { (first, end) };
        }
    }
}

fn announces(content: &Content) -> bool {
    matches!(content, Content::Control(body) if matches!(**body, Control::NodeUp { .. }))
}

fn asks_session_ids(content: &Content) -> bool {
    matches!(content, Content::Control(body) if matches!(**body, Control::SessionIds { .. }))
}
