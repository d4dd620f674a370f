//! Writers on all members while members die, stop for a while and come back: what was answered ok is on every member
//! afterwards, what was answered with an error is on none.
//!
//! `QUORATE_TEST_SECONDS` makes the long one longer; a failing run prints its seed, and `QUORATE_SEED` repeats its choices.

use crate::support::Chance;
use crate::support::cluster::Cluster;
use crate::support::reply::Reply;
use crate::support::routes::{ids, read_routes, routes};
use crate::support::session::{Session, edit_config};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long no writer of a member that lives may be without an ok after the leader's death.
const UNAVAILABLE_MAX: Duration = Duration::from_secs(5);
/// Entries that one writer can make.
const STEP: usize = 500_000;

/// What one writer knows of its entries.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Answered ok.
    pub(super) acknowledged: BTreeSet<u32>,
    /// Answered with an error that says that nothing was changed.
    refused: BTreeSet<u32>,
    /// Not answered, or answered with an error that says that nobody knows.
    unknown: BTreeSet<u32>,
    /// When the answers came.
    answered: Vec<Instant>,
}

impl Ledger {
    fn note(&mut self, id: u32, reply: Option<&Reply>) {
        match reply {
            Some(reply) if reply.is_ok() => {
                self.acknowledged.insert(id);
                self.answered.push(Instant::now());
            }
            Some(reply) => {
                let fault = reply.error();
                match fault.app_tag.as_deref() {
                    Some("quorate:outcome-unknown") => self.unknown.insert(id),
                    Some("quorate:no-leader" | "quorate:not-ready") => self.refused.insert(id),
                    _ => panic!("entry {id}: {fault}\n{}", reply.raw),
                };
            }
            None => {
                self.unknown.insert(id);
            }
        }
    }

    /// Whether `found` is what the answers promised.
    fn judge(&self, writer: usize, found: &BTreeSet<u32>) {
        let own = (writer * STEP) as u32..((writer + 1) * STEP) as u32;
        let own: BTreeSet<u32> = found.range(own).copied().collect();
        let lost: Vec<&u32> = self.acknowledged.difference(&own).collect();
        assert!(lost.is_empty(), "writer {writer}: answered ok and lost: {lost:?}");
        let refused: Vec<&u32> = self.refused.intersection(&own).collect();
        assert!(refused.is_empty(), "writer {writer}: answered with an error: {refused:?}");
        let strange: Vec<&u32> = own
            .iter()
            .filter(|id| !self.acknowledged.contains(id) && !self.unknown.contains(id))
            .collect();
        assert!(strange.is_empty(), "writer {writer}: never sent: {strange:?}");
    }

    /// The longest time without an ok that began after `since`, or contained it.
    fn longest_gap(&self, since: Instant) -> Duration {
        let pairs = self.answered.iter().zip(self.answered.iter().skip(1));
        let gaps =
            pairs.filter(|(_, after)| **after > since).map(|(before, after)| *after - *before);
        gaps.max().unwrap_or(Duration::MAX)
    }
}

/// Writes one entry after the other on a member, through whatever session it gets, until it is told to stop.
fn write(socket: &Path, first: u32, ledger: &mut Ledger, stop: &AtomicBool) {
    let mut session: Option<Session> = None;
    let mut id = first;
    while !stop.load(Ordering::Relaxed) {
        let Some(open) = &mut session else {
            session = Session::try_unix(socket);
            if session.is_none() {
                std::thread::sleep(Duration::from_millis(10));
            }
            continue;
        };
        let reply = open.try_request(&edit_config("running", "", &routes([id])));
        ledger.note(id, reply.as_ref());
        id += 1;
        if reply.is_none() {
            session = None;
        }
    }
}

/// Lets one writer on each member write while `trouble` goes on.
pub(super) fn under_load(cluster: &mut Cluster, trouble: impl FnOnce(&mut Cluster)) -> Vec<Ledger> {
    let sockets: Vec<PathBuf> = cluster.nodes.iter().map(|node| node.agent.socket()).collect();
    let mut ledgers: Vec<Ledger> = sockets.iter().map(|_| Ledger::default()).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for ((socket, ledger), first) in sockets.iter().zip(&mut ledgers).zip((0..).step_by(STEP)) {
            let stop = &stop;
            scope.spawn(move || write(socket, first, ledger, stop));
        }
        // Writers must end even if the trouble does with a panic.
        let stopped = StopAtEnd(&stop);
        trouble(cluster);
        drop(stopped);
    });
    ledgers
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All members run: they hold the same, and it is what the answers promised.
#[track_caller]
pub(super) fn judge(cluster: &Cluster, ledgers: &[Ledger]) {
    cluster.leader();
    // A last write brings everybody to the end of the log.
    for node in 0..cluster.nodes.len() {
        cluster.session(node).edit("running", &routes([9_000_000 + node as u32])).ok();
    }
    cluster.settled();
    for node in cluster.running() {
        let found = ids(&cluster.session(node).request(&read_routes()));
        for (writer, ledger) in ledgers.iter().enumerate() {
            ledger.judge(writer, &found);
        }
    }
    let count = |which: fn(&Ledger) -> usize| ledgers.iter().map(which).sum::<usize>();
    let ok = count(|ledger| ledger.acknowledged.len());
    eprintln!(
        "{ok} entries answered ok, {} refused, {} unknown",
        count(|ledger| ledger.refused.len()),
        count(|ledger| ledger.unknown.len())
    );
    assert!(ok > 100, "the load was no load: {ok}");
}

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn the_death_of_the_leader_costs_nothing_that_was_answered_and_little_time() {
    let mut killed = None;
    let mut cluster = Cluster::start(3);
    let ledgers = under_load(&mut cluster, |cluster| {
        pause(1000);
        let leader = cluster.leader();
        let moment = Instant::now();
        cluster.nodes[leader].agent.kill();
        killed = Some((leader, moment));
        pause(3000);
    });
    let (leader, moment) = killed.expect("a leader");
    for (writer, ledger) in ledgers.iter().enumerate().filter(|(writer, _)| *writer != leader) {
        let gap = ledger.longest_gap(moment);
        eprintln!("after the leader's death the writer on member {writer} had no ok for {gap:?}");
        assert!(gap < UNAVAILABLE_MAX, "{gap:?}");
    }
    cluster.nodes[leader].agent.run();
    judge(&cluster, &ledgers);
}

#[test]
fn members_die_and_stand_still_again_and_again_and_nothing_is_lost() {
    let variable = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = variable("QUORATE_SEED").unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
    });
    let long = Duration::from_secs(variable("QUORATE_TEST_SECONDS").unwrap_or(20));
    eprintln!("QUORATE_SEED={seed}");
    let mut chance = Chance::new(seed);
    let mut rounds = 0;
    let mut cluster = Cluster::start(3);
    let ledgers = under_load(&mut cluster, |cluster| {
        let start = Instant::now();
        while start.elapsed() < long {
            pause(chance.below(500));
            let victim = match chance.below(2) {
                0 => cluster.leader(),
                _ => cluster.follower(),
            };
            let node = &mut cluster.nodes[victim];
            if chance.below(2) == 0 {
                node.agent.kill();
                pause(chance.below(1500));
                node.spawn_with(&[]);
                // Sometimes the next one follows before this one is ready.
                if chance.below(2) == 0 {
                    node.ready();
                }
            } else {
                node.pause();
                pause(chance.below(1500));
                node.resume();
            }
            rounds += 1;
        }
    });
    eprintln!("{rounds} rounds");
    judge(&cluster, &ledgers);
}
