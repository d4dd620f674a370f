//! One message in the place of many: the crate makes one for each entry that is proposed.
//!
//! Its own `batch_append` is of no use: it puts entries into a message without any that is still waiting, also where
//! they do not follow the position which that message states.

use crate::base::limits::RAFT_MESSAGE_BYTES;
use crate::raft::large;
use raft::eraftpb::{Entry, Message, MessageType};
use std::collections::BTreeMap;

/// The messages in their order, with entries that follow each other in one message, as long as that is no longer than
/// one may be.
pub(super) fn join_appends(messages: Vec<Message>) -> Vec<Message> {
    let mut joined: Vec<Message> = Vec::with_capacity(messages.len());
    // By receiver: the place of its last message, and the bytes of the entries in there.
    let mut last: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
    for message in messages {
        let bytes = entry_bytes(&message);
        let before = last.get_mut(&message.to);
        if let Some((place, sum)) = before
            && let Some(earlier) = joined.get_mut(*place)
            && sum.saturating_add(bytes) <= RAFT_MESSAGE_BYTES
            && follows(earlier, &message)
        {
            earlier.entries.extend(message.entries);
            earlier.commit = message.commit;
            *sum = sum.saturating_add(bytes);
        } else {
            last.insert(message.to, (joined.len(), bytes));
            joined.push(message);
        }
    }
    joined
}

/// Whether both have entries for one log, and the second goes on where the first ends.
fn follows(first: &Message, second: &Message) -> bool {
    let are_appends = [first, second].iter().all(|message| {
        message.get_msg_type() == MessageType::MsgAppend && message.term == first.term
    });
    let end = first
        .entries
        .last()
        .map_or((first.index, first.log_term), |entry| (entry.index, entry.term));
    are_appends && end == (second.index, second.log_term) && first.commit <= second.commit
}

fn entry_bytes(message: &Message) -> u64 {
    let bytes = |entry: &Entry| large::length(entry).unwrap_or(entry.data.len());
    u64::try_from(message.entries.iter().map(bytes).sum::<usize>()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::join_appends;
    use crate::base::limits::RAFT_MESSAGE_BYTES;
    use raft::eraftpb::{Entry, Message, MessageType};

    /// Entries of term 1 behind `index`, of `bytes` each.
    fn append(to: u64, index: u64, count: u64, bytes: usize) -> Message {
        let entry = |index| Entry { index, term: 1, data: vec![0; bytes], ..Entry::default() };
        Message {
            msg_type: i32::from(MessageType::MsgAppend),
            to,
            term: 2,
            index,
            log_term: 1,
            commit: index,
            entries: (index + 1..=index + count).map(entry).collect(),
            ..Message::default()
        }
    }

    fn heartbeat(to: u64) -> Message {
        Message {
            msg_type: i32::from(MessageType::MsgHeartbeat),
            to,
            term: 2,
            ..Message::default()
        }
    }

    /// Receiver, position and entries of each.
    fn joined(messages: Vec<Message>) -> Vec<(u64, u64, usize)> {
        let joined = join_appends(messages).into_iter();
        joined.map(|message| (message.to, message.index, message.entries.len())).collect()
    }

    #[test]
    fn entries_that_follow_each_other_go_in_one_message_to_each_member() {
        let messages =
            vec![append(2, 5, 1, 9), append(3, 5, 1, 9), append(2, 6, 2, 9), append(3, 6, 1, 9)];
        assert_eq!(joined(messages), [(2, 5, 3), (3, 5, 2)]);
        let commit = vec![append(2, 5, 1, 9), append(2, 6, 0, 9)];
        let [message] = &join_appends(commit)[..] else { panic!("two messages") };
        assert_eq!((message.commit, message.entries.len()), (6, 1));
    }

    #[test]
    fn what_does_not_follow_stays_apart_and_nothing_is_overtaken() {
        // A member that refused an entry is asked again from further back.
        let back = vec![append(2, 6, 0, 9), append(2, 3, 2, 9), append(2, 5, 1, 9)];
        assert_eq!(joined(back), [(2, 6, 0), (2, 3, 3)]);
        let gap = vec![append(2, 5, 1, 9), append(2, 7, 1, 9)];
        assert_eq!(joined(gap), [(2, 5, 1), (2, 7, 1)]);
        let between = vec![append(2, 5, 1, 9), heartbeat(2), append(2, 6, 1, 9)];
        assert_eq!(joined(between), [(2, 5, 1), (2, 0, 0), (2, 6, 1)]);
        let mut later = append(2, 6, 1, 9);
        later.term = 3;
        assert_eq!(joined(vec![append(2, 5, 1, 9), later]).len(), 2);
    }

    #[test]
    fn a_message_grows_to_its_limit() {
        let bytes = usize::try_from(RAFT_MESSAGE_BYTES / 2).unwrap();
        let messages = (0..5).map(|index| append(2, index, 1, bytes)).collect();
        assert_eq!(joined(messages), [(2, 0, 2), (2, 2, 2), (2, 4, 1)]);
    }
}
