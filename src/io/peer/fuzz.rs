//! Bytes of a member that is not what it should be: frames are the same however they come, and a message that was read is
//! the same when it is written and read again.

use super::frame::{Announced, FrameError, announced, body, header, header_beside};
use super::greeting::{Opening, Purpose};
use crate::base::ids::{Boot, Digest, Incarnation, LogIndex, SessionId, SessionKey, Term, TxId};
use crate::fuzz::{Chance, Target, run};
use crate::raft::{LogPosition, MembershipChange};
use crate::replication::entry::Entry;
use crate::replication::message::{Lane, PeerMessage};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

/// Bytes of a frame.
const LIMIT: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(60);

/// What comes of a connection: its frames, each with whether it belongs beside the next, and how it ended.
async fn frames(input: &[u8], first: usize) -> (Vec<(bool, Vec<u8>)>, String) {
    let (before, after) = input.split_at(first);
    let mut reader = before.chain(after);
    let mut frames = Vec::new();
    let mut next = async || -> Result<(bool, Vec<u8>), FrameError> {
        let (beside, length) = match announced(&mut reader, PATIENCE).await? {
            Announced::Message(length) => (false, length),
            Announced::Beside(length) => (true, length),
        };
        Ok((beside, body(&mut reader, length, LIMIT, PATIENCE).await?))
    };
    loop {
        match next().await {
            Ok(frame) => frames.push(frame),
            Err(end) => return (frames, end.to_string()),
        }
    }
}

fn check(runtime: &Runtime, input: &[u8], chance: &mut Chance) -> bool {
    let at = chance.below(input.len() + 1);
    let whole = runtime.block_on(frames(input, 0));
    assert_eq!(runtime.block_on(frames(input, at)), whole, "divided at {at}");
    let mut good = false;
    for (_, frame) in &whole.0 {
        assert!(frame.len() <= LIMIT);
        if let Ok(message) = PeerMessage::decode(frame, Vec::new()) {
            let bytes = message.encode().unwrap();
            assert_eq!(PeerMessage::decode(&bytes, Vec::new()).unwrap(), message);
            good = true;
        }
        if let Ok(opening) = postcard::from_bytes::<Opening>(frame) {
            let bytes = postcard::to_stdvec(&opening).unwrap();
            assert_eq!(postcard::from_bytes::<Opening>(&bytes).unwrap(), opening);
        }
        if let Ok(entry) = Entry::decode(frame) {
            assert_eq!(Entry::decode(&entry.encode().unwrap()).unwrap(), entry);
        }
        // Whatever it is, it is an answer.
        drop(MembershipChange::decode(frame));
    }
    good
}

fn corpus() -> Vec<Vec<u8>> {
    let boot = Boot { counter: 3, nonce: 77 };
    let position = LogPosition { index: LogIndex(300), term: Term(4) };
    let txid = TxId { incarnation: Incarnation(2), boot: 3, seq: 400 };
    let session = SessionKey { incarnation: Incarnation(2), boot: 3, id: SessionId(9) };
    let consensus = PeerMessage::Consensus {
        frame: vec![8, 3, 16, 1, 24, 2],
        lane: Lane::Prompt,
        large: Vec::new(),
    };
    let messages = [
        PeerMessage::Hello { boot, last: position, you_acked: position },
        PeerMessage::Applied { index: LogIndex(5) },
        PeerMessage::Abort { txid, term: Term(4), errors: vec![1, 2, 3] },
        PeerMessage::AckDone { txid, missing: vec![Incarnation(1), Incarnation(3)] },
        PeerMessage::AwaitAck { txid, index: LogIndex(5), within_ms: 1000 },
        PeerMessage::SessionQuery { session },
        PeerMessage::Working,
        PeerMessage::Diverged { index: LogIndex(5), found: Digest([7; 32]) },
        consensus,
    ];
    let framed = |bytes: &[u8]| [header(bytes).as_slice(), bytes].concat();
    let mut corpus: Vec<Vec<u8>> =
        messages.iter().map(|message| framed(&message.encode().unwrap())).collect();
    let several = corpus.concat();
    corpus.push(several);
    let beside = [header_beside(b"long").as_slice(), b"long", &corpus[8]].concat();
    corpus.push(beside);
    corpus
}

#[test]
fn peer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let own = super::greeting::Own {
        name: super::authority::MemberName {
            cluster: crate::base::ids::ClusterId(1),
            lineage: crate::base::ids::Lineage(2),
            incarnation: Incarnation(3),
        },
        boot: Boot { counter: 3, nonce: 77 },
        version: "1".to_owned(),
        schema_id: Digest([7; 32]),
    };
    let greeting = Opening::Greeting(own.greeting(Incarnation(1), Purpose::Snapshot));
    let greeting = postcard::to_stdvec(&greeting).unwrap();
    let mut corpus = corpus();
    corpus.push([header(&greeting).as_slice(), &greeting, &corpus[0]].concat());
    let check = |input: &[u8], chance: &mut Chance| check(&runtime, input, chance);
    let tokens = ["\0\0\0\0", "\0\0\0\u{1}", "\u{7f}", "\0\0\u{10}\0", "\u{0}\u{0}\u{10}\u{1}"];
    run(&Target { name: "peer", corpus, tokens: &tokens, cpu_ms_max: 2_000, check: &check });
}
