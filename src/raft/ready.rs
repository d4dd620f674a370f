//! What is to be done after the state machine moved.

use crate::base::ids::{LogIndex, Term};
use crate::raft::store::{entry_from_crate, hard_state_from_crate};
use crate::raft::{
    ConfState, EntryKind, HardState, LogEntry, LogPosition, LogWrite, MembershipChange, Node,
    Outgoing, Payload, SnapshotMeta,
};
use crate::raft::{batch, large, message};
use raft::eraftpb::{Entry, EntryType, Message};

/// The number of a `Ready`; rises by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct ReadyNumber(pub(crate) u64);

/// Whether a `Ready` waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitForSync {
    /// `persist` must be durable, and `Node::persisted` be told so.
    Yes,
    /// `persist` is to be appended to the log and becomes durable with a later write; nothing waits for it.
    No,
}

/// What is to be done, in this order: append `persist` to the log; send `messages`; apply `committed`. Once the log
/// is durable up to here, tell `Node::persisted` and send `persisted_messages`.
///
/// Not one may be dropped, and they are carried out in the order of their numbers. One flush may serve many.
#[derive(Debug)]
pub(crate) struct Ready {
    /// To be given to `Node::persisted`.
    pub(crate) number: ReadyNumber,
    /// Whether anything waits until `persist` is durable.
    pub(crate) sync: WaitForSync,
    /// What goes to the log.
    pub(crate) persist: LogWrite,
    /// May leave at once.
    pub(crate) messages: Vec<Outgoing>,
    /// Promise what is in this or an earlier `persist`: they leave when this number is persisted.
    pub(crate) persisted_messages: Vec<Outgoing>,
    /// The state is to be replaced by this snapshot, before anything else is applied. Its file must be durable
    /// before its message is given to `Node::step`, because `persist` cuts the log behind it.
    pub(crate) snapshot: Option<SnapshotMeta>,
    /// Committed and durable here; each index comes once, in order.
    pub(crate) committed: Vec<Committed>,
    /// Answers to `Node::read_index`.
    pub(crate) read_states: Vec<ReadState>,
}

/// An entry to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Its position.
    pub(crate) index: LogIndex,
    /// The term of the leader that proposed it (PROTOCOL A1: another term in the entry makes it void).
    pub(crate) term: Term,
    /// What it says.
    pub(crate) entry: CommittedEntry,
}

/// What a committed entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommittedEntry {
    /// Nothing: the first entry of a leader.
    Empty,
    /// What was given to `Node::propose`.
    Data(Payload),
    /// What was given to `Node::propose_membership`; to be given to `Node::apply_membership`.
    Membership(MembershipChange),
}

/// The answer to `Node::read_index`: who has applied `index` may answer what was asked before (Raft thesis, 6.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadState {
    /// To be applied first.
    pub(crate) index: LogIndex,
    /// The context of the question.
    pub(crate) context: Vec<u8>,
}

/// What was handed out and is not durable yet.
pub(super) struct Outstanding {
    number: ReadyNumber,
    sync: WaitForSync,
}

/// The way of a `Ready`.
impl Node {
    /// What is to be done now, if anything. To be called until it gives none.
    pub(crate) fn ready(&mut self) -> Option<Ready> {
        if !self.raw.has_ready() {
            return None;
        }
        let mut ready = self.raw.ready();
        let number = ReadyNumber(ready.number());
        let hard_state = ready.hs().map(hard_state_from_crate);
        let snapshot = snapshot_meta(&ready);
        let persist = LogWrite {
            hard_state,
            reset: snapshot.as_ref().map(|snapshot| snapshot.position),
            entries: self.whole(ready.take_entries()),
        };
        let at_once = batch::join_appends(ready.take_messages());
        let after_persist = batch::join_appends(ready.take_persisted_messages());
        let committed = ready.take_committed_entries();
        let read_states = ready.take_read_states().into_iter();
        // Who has lost its seat is gone when it hears of that, and can not help to commit it once more.
        let changes_members = self.is_leader() && committed.iter().any(is_membership);
        if changes_members || hard_state.is_some_and(|state| self.makes_a_promise(state)) {
            self.promise = number;
        }
        let waits = changes_members || ready.must_sync();
        let sync = if waits { WaitForSync::Yes } else { WaitForSync::No };

        self.take_into_store(&persist, snapshot.clone());
        self.raw.advance_append_async(ready);
        let committed: Vec<Committed> =
            self.whole(committed).into_iter().map(committed_entry).collect();
        let outgoing =
            |messages: Vec<Message>| messages.iter().filter_map(|it| self.outgoing(it)).collect();
        let (at_once, after_persist) = (outgoing(at_once), outgoing(after_persist));
        self.large.clear();
        self.note_handed_out(snapshot.as_ref(), &committed);
        self.outstanding.push_back(Outstanding { number, sync });
        self.skip_what_need_not_wait();

        let mut out = Ready {
            number,
            sync,
            persist,
            messages: at_once,
            persisted_messages: after_persist,
            snapshot,
            committed,
            read_states: read_states
                .map(|state| ReadState { index: LogIndex(state.index), context: state.request_ctx })
                .collect(),
        };
        self.place_messages(&mut out);
        Some(out)
    }

    /// All of `persist` up to this `Ready` is durable.
    pub(crate) fn persisted(&mut self, number: ReadyNumber) {
        if number <= self.persisted {
            return;
        }
        let known = self.outstanding.back().is_some_and(|last| number <= last.number);
        assert!(known, "a ready is durable that was never given out");
        while self.outstanding.front().is_some_and(|first| first.number <= number) {
            self.outstanding.pop_front();
        }
        self.persisted = number;
        self.raw.on_persist_ready(number.0);
        self.skip_what_need_not_wait();
        self.report_applied();
    }

    /// The caller has applied all up to `index`.
    pub(crate) fn advance_applied(&mut self, index: LogIndex) {
        assert!(index <= self.handed_out, "an entry is applied that was never given out");
        self.applied = self.applied.max(index);
        self.report_applied();
    }

    /// Entries of the crate with all their bytes.
    fn whole(&self, entries: Vec<Entry>) -> Vec<LogEntry> {
        let whole = |entry: Entry| {
            let payload = large::length(&entry).map(|_| self.payload_of(&entry));
            // Invariant: what the crate took was kept in `large`, or has come to the store from there.
            assert!(payload != Some(None), "the bytes of entry {} are missing", entry.index);
            entry_from_crate(entry, payload.flatten())
        };
        entries.into_iter().map(whole).collect()
    }

    /// A message with the bytes of its long entries; none if the log has replaced one of them meanwhile.
    fn outgoing(&self, message: &Message) -> Option<Outgoing> {
        let entries = message.entries.iter().filter(|entry| large::length(entry).is_some());
        let large = entries.map(|entry| self.payload_of(entry)).collect::<Option<_>>()?;
        Some(message::encode(message, large))
    }

    fn payload_of(&self, entry: &Entry) -> Option<Payload> {
        let place = (LogIndex(entry.index), Term(entry.term));
        self.large.get(place).or_else(|| self.raw.store().payload(place))
    }

    /// Whether `state` has a term or vote that the disk does not have yet.
    fn makes_a_promise(&self, state: HardState) -> bool {
        let before = self.raw.store().hard_state();
        (before.term, before.vote) != (state.term, state.vote)
    }

    /// Puts into memory what was handed out to be written: the crate reads it there from now on.
    fn take_into_store(&mut self, persist: &LogWrite, snapshot: Option<SnapshotMeta>) {
        let store = self.raw.mut_store();
        if let Some(snapshot) = snapshot {
            store.reset_to(snapshot);
        }
        store.append(&persist.entries);
        if let Some(hard_state) = persist.hard_state {
            store.set_hard_state(hard_state);
        }
    }

    /// A `Ready` that waits for nothing counts as durable once all before it are.
    fn skip_what_need_not_wait(&mut self) {
        let mut through = None;
        while let Some(first) = self.outstanding.front()
            && first.sync == WaitForSync::No
        {
            through = Some(first.number);
            self.outstanding.pop_front();
        }
        if let Some(number) = through {
            self.persisted = number;
            self.raw.on_persist_ready(number.0);
        }
    }

    /// Decides which messages wait for the disk.
    ///
    /// A leader's may leave at once (Raft thesis, 10.2.1), but not before its term and vote are durable. The crate
    /// misses this for a voter that is alone and elects itself: its learners could hear two different leaders of
    /// one term, if it died and did not remember.
    fn place_messages(&self, ready: &mut Ready) {
        if self.persisted < self.promise {
            ready.persisted_messages.append(&mut ready.messages);
        } else if self.persisted >= ready.number {
            ready.messages.append(&mut ready.persisted_messages);
        }
    }

    fn note_handed_out(&mut self, snapshot: Option<&SnapshotMeta>, committed: &[Committed]) {
        if let Some(snapshot) = snapshot {
            self.handed_out = snapshot.position.index;
        }
        for entry in committed {
            assert!(entry.index.0 == self.handed_out.0 + 1, "a committed entry is missing");
            self.handed_out = entry.index;
        }
    }

    /// Tells the crate what is applied, as far as it is durable: a snapshot can be applied before that.
    fn report_applied(&mut self) {
        let log = &self.raw.raft.raft_log;
        let applied = self.applied.0.min(log.committed).min(log.persisted);
        if applied > log.applied {
            self.raw.advance_apply_to(applied);
        }
    }
}

fn snapshot_meta(ready: &raft::Ready) -> Option<SnapshotMeta> {
    let meta = ready.snapshot().get_metadata();
    (meta.index != 0).then(|| SnapshotMeta {
        position: LogPosition { index: LogIndex(meta.index), term: Term(meta.term) },
        conf_state: ConfState::from_crate(meta.get_conf_state()),
    })
}

fn is_membership(entry: &Entry) -> bool {
    entry.get_entry_type() == EntryType::EntryConfChangeV2
}

fn committed_entry(entry: LogEntry) -> Committed {
    let LogEntry { index, term, kind, data } = entry;
    let entry = match kind {
        EntryKind::Normal if data.is_empty() => CommittedEntry::Empty,
        EntryKind::Normal => CommittedEntry::Data(data),
        EntryKind::Membership => match MembershipChange::decode(&data) {
            Ok(change) => CommittedEntry::Membership(change),
            // Invariant: `message::decode`, `check_recovered` and `propose_membership` let nothing else in.
            Err(_) => CommittedEntry::Empty,
        },
    };
    Committed { index, term, entry }
}
