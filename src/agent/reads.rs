//! Linearizable reads: what the leader had committed when it proved that it leads, after the read came, is applied here
//! before the read is answered (PROTOCOL M2, F43).
//!
//! One question for a read index is on its way at a time, and serves all reads that came before it left.

use super::event::{Answer, ReplyTo};
use super::{Agent, Phase};
use crate::base::ids::LogIndex;
use crate::base::limits::READ_INDEX_AGAIN_MS;
use crate::base::time::{Now, Timestamp};

/// A read that is not answered yet.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    reply: ReplyTo,
    until: Timestamp,
}

/// Reads whose read index was asked for.
#[derive(Debug)]
struct Round {
    number: u64,
    at: Timestamp,
    reads: Vec<Waiting>,
}

/// The reads of this node's sessions.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// They came after the last question.
    new: Vec<Waiting>,
    asked: Option<Round>,
    /// They are answered when this is applied.
    indexed: Vec<(LogIndex, Waiting)>,
    rounds: u64,
}

/// In front of the context of a read index, so that it is no other one's.
const CONTEXT: &[u8] = b"read";

impl Agent {
    /// Answered with ok as soon as the published view has everything that was acknowledged before.
    pub(super) fn read(&mut self, now: Now, reply: ReplyTo, wait_ms: u64) {
        if self.phase != Phase::Ready {
            return self.answer(reply, Answer::Refused("the node is starting".to_owned()));
        }
        if self.peers.alone {
            return self.answer(reply, Answer::Ok);
        }
        self.reads.new.push(Waiting { reply, until: now.monotonic.plus_ms(wait_ms) });
    }

    /// Asks for a read index, and again with a fresh context for one that does not come.
    pub(super) fn ask_for_reads(&mut self, now: Now) {
        let Reads { new, asked, rounds, .. } = &mut self.reads;
        let due = match asked {
            Some(round) => now.monotonic.ms_since(round.at) >= READ_INDEX_AGAIN_MS,
            None => !new.is_empty(),
        };
        if !due {
            return;
        }
        *rounds = rounds.saturating_add(1);
        let mut reads = asked.take().map_or_else(Vec::new, |round| round.reads);
        reads.append(new);
        let number = *rounds;
        *asked = Some(Round { number, at: now.monotonic, reads });
        let context = self.read_context(number);
        if let Err(error) = self.node.read_index(context) {
            tracing::debug!(%error, "no read index");
        }
    }

    fn read_context(&self, round: u64) -> Vec<u8> {
        let (incarnation, boot) = (self.parameters.incarnation, self.parameters.boot);
        let numbers = [incarnation.0, boot.counter, round].map(u64::to_le_bytes);
        [CONTEXT, numbers.as_flattened()].concat()
    }

    /// A read index came. False if it is none for reads.
    pub(super) fn read_round_came(&mut self, context: &[u8], index: LogIndex) -> bool {
        if !context.starts_with(CONTEXT) {
            return false;
        }
        let number = self.reads.asked.as_ref().map(|round| round.number);
        if number.is_some_and(|number| self.read_context(number) == context)
            && let Some(round) = self.reads.asked.take()
        {
            self.reads.indexed.extend(round.reads.into_iter().map(|read| (index, read)));
            self.finish_reads();
        }
        true
    }

    /// More is applied: reads that have waited for it are answered.
    pub(super) fn finish_reads(&mut self) {
        let applied = self.applied;
        let done: Vec<_> =
            self.reads.indexed.extract_if(.., |(index, _)| *index <= applied).collect();
        for (_, read) in done {
            self.answer(read.reply, Answer::Ok);
        }
    }

    /// Reads that nobody can prove to be new are refused when their time is over.
    pub(super) fn look_after_reads(&mut self, now: Now) {
        let is_over = |read: &Waiting| read.until <= now.monotonic;
        let Reads { new, asked, indexed, .. } = &mut self.reads;
        let mut over: Vec<Waiting> = new.extract_if(.., |read| is_over(read)).collect();
        if let Some(round) = asked {
            over.extend(round.reads.extract_if(.., |read| is_over(read)));
        }
        over.extend(indexed.extract_if(.., |(_, read)| is_over(read)).map(|(_, read)| read));
        asked.take_if(|round| round.reads.is_empty());
        for read in over {
            let why = "no leader has said in time what is committed".to_owned();
            self.answer(read.reply, Answer::Refused(why));
        }
    }

    /// When one of these has something to do.
    pub(super) fn reads_due(&self) -> Option<Timestamp> {
        let Reads { new, asked, indexed, .. } = &self.reads;
        let again = asked.iter().map(|round| round.at.plus_ms(READ_INDEX_AGAIN_MS));
        let open = asked.iter().flat_map(|round| &round.reads).chain(new);
        let open = open.chain(indexed.iter().map(|(_, read)| read));
        open.map(|read| read.until).chain(again).min()
    }
}
