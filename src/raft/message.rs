//! What members say to each other, and what is checked before the crate hears it.
//!
//! The crate trusts its peers: a frame that no correct peer sends can make it panic. A member that was wiped or
//! restored is a peer that is not correct, so whatever the crate would not survive is refused here.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::raft::{ConfState, MembershipChange, Payload, large};
use prost::Message as _;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

/// No index and no term reaches this: counting on from a value in a frame never overflows.
const NUMBER_MAX: u64 = 1 << 60;

/// A message to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// For whom it is.
    pub(crate) to: Incarnation,
    /// What it is about; the transport treats some kinds differently.
    pub(crate) kind: MessageKind,
    /// What the peer gives to `Node::step`.
    pub(crate) frame: Vec<u8>,
    /// The bytes of its long entries, in their order: they travel beside the frame, and are given to `step` with it.
    pub(crate) large: Vec<Payload>,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// Entries, or how far the sender has committed.
    Append,
    /// The receiver needs the snapshot of this index first; the outcome goes to `Node::snapshot_sent`.
    Snapshot(LogIndex),
    /// A sign of life.
    Heartbeat,
    /// Elections and transfers.
    Election,
    /// An answer, or a question for a read index.
    Other,
}

/// Why a frame was not taken. The state machine is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StepError {
    /// No correct peer sends this.
    #[error("a frame of member {from} is not valid: {reason}")]
    Malformed {
        /// The sender.
        from: Incarnation,
        /// What is wrong.
        reason: &'static str,
    },
    /// A kind that never crosses the network (PROTOCOL F7: a proposal is not forwarded).
    #[error("a frame of member {from} is of a kind that is not taken from peers")]
    NotForPeers {
        /// The sender.
        from: Incarnation,
    },
    /// An answer of somebody who has no seat.
    #[error("a frame of member {from} answers, but it has no seat")]
    NoSeat {
        /// The sender.
        from: Incarnation,
    },
    /// The leader knows that this member had more than it has: its disk was wiped or restored. It must stop taking
    /// part under this incarnation (PROTOCOL F39, M3).
    #[error("the leader says that entry {needed} is on this member, whose log ends at {last}")]
    LogLost {
        /// What the leader counts on.
        needed: LogIndex,
        /// What is there.
        last: LogIndex,
    },
    /// The leader's log contradicts an entry that is committed here. One of the two lost or forged its log; this
    /// member must stop taking part.
    #[error("the leader's entry {index} contradicts a committed one")]
    CommittedConflict {
        /// The entry.
        index: LogIndex,
    },
}

/// What the checks have to know about the node.
pub(super) struct View<'a> {
    pub(super) id: Incarnation,
    pub(super) term: Term,
    pub(super) is_leader: bool,
    pub(super) last: LogIndex,
    pub(super) committed: LogIndex,
    /// The term at an index, 0 where it is not known.
    pub(super) term_at: &'a dyn Fn(u64) -> u64,
}

/// The message in a frame, if the crate can be trusted with it.
pub(super) fn decode(
    from: Incarnation,
    (frame, large): (&[u8], &[Payload]),
    view: &View<'_>,
) -> Result<Message, StepError> {
    let malformed = |reason| StepError::Malformed { from, reason };
    let Ok(message) = Message::decode(frame) else { return Err(malformed("it cannot be read")) };
    if message.from != from.0 || message.to != view.id.0 || from.0 == 0 {
        return Err(malformed("its sender or receiver is not that of the connection"));
    }
    let Some(kind) = MessageType::from_i32(message.msg_type) else {
        return Err(malformed("its kind is unknown"));
    };
    check_range(&message).map_err(malformed)?;
    match kind {
        MessageType::MsgAppend => check_append(from, &message, view)?,
        MessageType::MsgAppendResponse => {
            check_append_response(&message, view).map_err(malformed)?;
        }
        MessageType::MsgHeartbeat => check_heartbeat(&message, view)?,
        MessageType::MsgSnapshot => check_snapshot(&message).map_err(malformed)?,
        MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => {
            check_read_index(&message).map_err(malformed)?;
        }
        MessageType::MsgHeartbeatResponse
        | MessageType::MsgRequestVote
        | MessageType::MsgRequestVoteResponse
        | MessageType::MsgRequestPreVote
        | MessageType::MsgRequestPreVoteResponse
        | MessageType::MsgTimeoutNow => {}
        // For the node itself, or they would move a decision to another node.
        MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgPropose
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum
        | MessageType::MsgTransferLeader => return Err(StepError::NotForPeers { from }),
    }
    check_term(kind, &message).map_err(malformed)?;
    let entries_belong = matches!(
        kind,
        MessageType::MsgAppend | MessageType::MsgReadIndex | MessageType::MsgReadIndexResp
    );
    if !entries_belong && !message.entries.is_empty() {
        return Err(malformed("its kind has no entries"));
    }
    check_large(&message, large).map_err(malformed)?;
    Ok(message)
}

/// The outgoing form of the crate's message, with the bytes of its long entries.
pub(super) fn encode(message: &Message, large: Vec<Payload>) -> Outgoing {
    let kind = match message.get_msg_type() {
        MessageType::MsgAppend => MessageKind::Append,
        MessageType::MsgSnapshot => {
            MessageKind::Snapshot(LogIndex(message.get_snapshot().get_metadata().index))
        }
        MessageType::MsgHeartbeat | MessageType::MsgHeartbeatResponse => MessageKind::Heartbeat,
        MessageType::MsgRequestVote
        | MessageType::MsgRequestVoteResponse
        | MessageType::MsgRequestPreVote
        | MessageType::MsgRequestPreVoteResponse
        | MessageType::MsgTimeoutNow => MessageKind::Election,
        MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgPropose
        | MessageType::MsgAppendResponse
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum
        | MessageType::MsgTransferLeader
        | MessageType::MsgReadIndex
        | MessageType::MsgReadIndexResp => MessageKind::Other,
    };
    Outgoing { to: Incarnation(message.to), kind, frame: message.encode_to_vec(), large }
}

fn check_range(message: &Message) -> Result<(), &'static str> {
    let numbers = [
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.request_snapshot,
        message.reject_hint,
    ];
    if numbers.iter().any(|number| *number >= NUMBER_MAX) {
        return Err("a number in it is out of range");
    }
    Ok(())
}

/// The crate takes a message without a term for one of its own.
fn check_term(kind: MessageType, message: &Message) -> Result<(), &'static str> {
    match (kind == MessageType::MsgReadIndex, message.term) {
        (true, 0) => Ok(()),
        (true, _) => Err("a question for a read index has no term"),
        (false, 0) => Err("its term is missing"),
        (false, _) => Ok(()),
    }
}

fn check_append(from: Incarnation, message: &Message, view: &View<'_>) -> Result<(), StepError> {
    let malformed = |reason| StepError::Malformed { from, reason };
    // Index 0 has the term 0, and no other index has: the crate takes 0 for "whatever is there".
    if (message.index == 0) != (message.log_term == 0) || message.log_term > message.term {
        return Err(malformed("the position that its entries follow does not exist"));
    }
    let mut before = (message.index, message.log_term);
    for entry in &message.entries {
        let follows = entry.index == before.0 + 1
            && entry.term >= before.1.max(1)
            && entry.term <= message.term;
        if !follows {
            return Err(malformed("its entries do not follow each other"));
        }
        check_entry(entry).map_err(malformed)?;
        before = (entry.index, entry.term);
    }
    if message.term < view.term.0 {
        return Ok(());
    }
    let stated = message.entries.iter().map(|entry| (entry.index, entry.term));
    let conflict = stated.chain([(message.index, message.log_term)]).find(|(index, term)| {
        let known = (view.term_at)(*index);
        *index <= view.committed.0 && known != 0 && known != *term
    });
    match conflict {
        Some((index, _)) => Err(StepError::CommittedConflict { index: LogIndex(index) }),
        None => Ok(()),
    }
}

fn check_append_response(message: &Message, view: &View<'_>) -> Result<(), &'static str> {
    if view.is_leader && message.term == view.term.0 && message.index > view.last.0 {
        return Err("it acknowledges what was never sent");
    }
    Ok(())
}

fn check_entry(entry: &Entry) -> Result<(), &'static str> {
    let is_plain = entry.context.is_empty() || large::length(entry).is_some();
    if !is_plain || entry.sync_log {
        return Err("an entry has fields that are not used");
    }
    match EntryType::from_i32(entry.entry_type) {
        Some(EntryType::EntryNormal) => Ok(()),
        Some(EntryType::EntryConfChangeV2) => MembershipChange::decode(&entry.data).map(drop),
        Some(EntryType::EntryConfChange) | None => Err("an entry is of a kind that is not used"),
    }
}

/// Each long entry has its bytes beside the frame.
fn check_large(message: &Message, large: &[Payload]) -> Result<(), &'static str> {
    let stated = message.entries.iter().filter_map(large::length);
    if !stated.eq(large.iter().map(|payload| payload.len())) {
        return Err("the bytes beside it are not those of its entries");
    }
    Ok(())
}

fn check_heartbeat(message: &Message, view: &View<'_>) -> Result<(), StepError> {
    if message.term >= view.term.0 && message.commit > view.last.0 {
        return Err(StepError::LogLost { needed: LogIndex(message.commit), last: view.last });
    }
    Ok(())
}

fn check_snapshot(message: &Message) -> Result<(), &'static str> {
    let snapshot = message.get_snapshot();
    let meta = snapshot.get_metadata();
    if meta.index == 0 || meta.term == 0 || meta.index >= NUMBER_MAX || meta.term > message.term {
        return Err("its snapshot has no place in the log");
    }
    if !snapshot.data.is_empty() {
        return Err("its snapshot has data, which travels elsewhere");
    }
    if meta.get_conf_state().auto_leave {
        return Err("its snapshot has a kind of configuration that is not used");
    }
    ConfState::from_crate(meta.get_conf_state()).flaw().map_or(Ok(()), Err)
}

fn check_read_index(message: &Message) -> Result<(), &'static str> {
    match message.entries.as_slice() {
        [entry] if !entry.data.is_empty() => Ok(()),
        _ => Err("a read index has one context"),
    }
}
