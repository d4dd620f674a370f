//! kill -9 at random moments under a load of commits, on the real file system: every commit that was answered ok is
//! there after the restart, none that was refused, and a pending confirmed commit is rolled back.
//!
//! A failing run prints its seed; `QUORATE_SEED` repeats the choices (the kernel's scheduling it cannot repeat).

use crate::support::Chance;
use crate::support::agent::{Agent, Settings};
use crate::support::eventually;
use crate::support::reply::Reply;
use crate::support::session::{Session, edit_config};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Crashes of one agent, and agents that run beside each other.
const CRASHES: u32 = 55;
const LANES: u64 = 2;

/// Snapshots as often as can be.
const SNAPSHOTS: &str = "[storage]\nsnapshot-log-mib = 1\n";

/// Sessions that edit running; one more commits the candidate, one more makes confirmed commits.
const EDITORS: usize = 4;

const NS: &str = "xmlns=\"urn:quorate:test\"";

/// What one writer knows of its value: it only ever grows.
#[derive(Debug, Default)]
struct Ledger {
    /// The highest number whose commit was answered ok.
    acknowledged: u64,
    /// How many were, in this life of the agent.
    answered: u64,
    /// The highest number that was sent.
    sent: u64,
    /// Numbers that were answered with an error.
    refused: BTreeSet<u64>,
}

impl Ledger {
    fn acknowledge(&mut self, number: u64) {
        self.acknowledged = number;
        self.answered += 1;
    }

    /// Judges what is there after a restart.
    fn judge(&mut self, who: &str, found: u64) -> Result<(), String> {
        if found < self.acknowledged {
            return Err(format!("{who}: {} was answered ok, {found} is there", self.acknowledged));
        }
        if found > self.sent || self.refused.contains(&found) {
            return Err(format!("{who}: {found} is there, and was never accepted: {self:?}"));
        }
        // What was on its way may have been committed.
        self.acknowledged = found;
        self.answered = 0;
        self.refused.retain(|number| *number > found);
        Ok(())
    }
}

/// What the session with confirmed commits knows.
#[derive(Debug, Default)]
struct Confirmations {
    ledger: Ledger,
    /// The confirming commit of this number was sent and not answered.
    in_doubt: Option<u64>,
    /// How many were pending at a crash.
    left: u64,
}

#[test]
fn what_was_answered_ok_survives_kill_9() {
    let seed = std::env::var("QUORATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        time.as_nanos() as u64
    });
    eprintln!("QUORATE_SEED={seed}");
    let commits = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let commits = &commits;
            scope.spawn(move || {
                let chance = Chance::new(seed.wrapping_add(lane.wrapping_mul(0x9E37_79B9)));
                if let Err(error) = crash_again_and_again(chance, commits) {
                    panic!("QUORATE_SEED={seed}, lane {lane}: {error}");
                }
            });
        }
    });
    let commits = commits.into_inner();
    eprintln!("{} crashes, {commits} commits answered ok", u64::from(CRASHES) * LANES);
    assert!(commits > 10 * u64::from(CRASHES) * LANES, "the load was no load: {commits} commits");
}

fn crash_again_and_again(mut chance: Chance, commits: &AtomicU64) -> Result<(), String> {
    // Half of them take a snapshot at every start and at every new segment of the log.
    let file = if chance.below(2) == 0 { SNAPSHOTS.to_owned() } else { String::new() };
    let mut agent = Agent::start_with(Settings { file, ..Settings::default() });
    let mut editors: Vec<Ledger> = (0..EDITORS).map(|_| Ledger::default()).collect();
    let mut committer = Ledger::default();
    let mut confirmer = Confirmations::default();
    for crash in 0..CRASHES {
        let moment = Duration::from_micros(chance.below(300_000));
        let kinds = chance.below(8);
        std::thread::scope(|scope| {
            for (n, ledger) in editors.iter_mut().enumerate() {
                let session = agent.session();
                scope.spawn(move || edit_running(session, n, ledger));
            }
            let session = agent.session();
            let ledger = &mut committer;
            scope.spawn(move || commit_candidate(session, ledger));
            // A pending confirmed commit keeps the others out: not in every round.
            if kinds < 4 {
                let session = agent.session();
                let confirmer = &mut confirmer;
                scope.spawn(move || confirm(session, confirmer, kinds));
            }
            std::thread::sleep(moment);
            agent.kill();
        });
        agent.run();
        let found = Found::read(&mut agent.session());
        for (n, ledger) in editors.iter_mut().enumerate() {
            let value = found.number(&format!("editor-{n}"));
            commits.fetch_add(ledger.answered, Ordering::Relaxed);
            ledger.judge(&format!("crash {crash}, editor {n}"), value)?;
        }
        commits.fetch_add(committer.answered, Ordering::Relaxed);
        committer.judge(&format!("crash {crash}, committer"), found.number("committer"))?;
        judge_confirmed(&mut confirmer, found.number("confirmer"), crash)?;
    }
    if confirmer.left == 0 || confirmer.ledger.acknowledged == 0 {
        return Err(format!("confirmed commits were not tried: {confirmer:?}"));
    }
    Ok(())
}

/// The numbers that running holds.
struct Found(Reply);

impl Found {
    fn read(session: &mut Session) -> Self {
        Self(session.request("<get-config><source><running/></source></get-config>"))
    }

    fn number(&self, name: &str) -> u64 {
        let servers = &mut self.0.data().all("server");
        let entry = servers.find(|server| server.value("name").as_deref() == Some(name));
        let number = entry.and_then(|server| server.find("tuning")?.value("delay"));
        number.map_or(0, |number| number.parse().expect("a number"))
    }
}

fn entry(name: &str, number: u64) -> String {
    format!("<server {NS}><name>{name}</name><tuning><delay>{number}</delay></tuning></server>")
}

/// One request; `None` if the agent died before its answer.
fn ask(session: &mut Session, operation: &str) -> Option<Reply> {
    session.send(operation);
    session.read_message_unless_closed().map(Reply::parse)
}

/// Edits running, one number after the other; every seventh breaks a constraint and must be refused.
fn edit_running(mut session: Session, n: usize, ledger: &mut Ledger) {
    let name = format!("editor-{n}");
    loop {
        ledger.sent += 1;
        let number = ledger.sent;
        let broken = match number % 7 {
            0 => format!("<bounds {NS}><low>2</low><high>1</high></bounds>"),
            _ => String::new(),
        };
        let edit = edit_config("running", "", &format!("{}{broken}", entry(&name, number)));
        match ask(&mut session, &edit) {
            Some(reply) if reply.is_ok() => {
                assert!(broken.is_empty(), "{}", reply.raw);
                ledger.acknowledge(number);
            }
            Some(reply) => {
                assert!(["in-use", "operation-failed"].contains(&reply.error().tag.as_str()));
                ledger.refused.insert(number);
            }
            None => return,
        }
    }
}

const LOCK: &str = "<lock><target><candidate/></target></lock>";
const UNLOCK: &str = "<unlock><target><candidate/></target></unlock>";

/// Takes the lock of the candidate, whoever else wants it. False if the agent died.
fn lock_candidate(session: &mut Session) -> bool {
    loop {
        match ask(session, LOCK) {
            Some(reply) if reply.is_ok() => return true,
            Some(reply) => assert_eq!(reply.error().tag, "lock-denied"),
            None => return false,
        }
    }
}

/// Edits the candidate and commits it, under its lock.
fn commit_candidate(mut session: Session, ledger: &mut Ledger) {
    while lock_candidate(&mut session) {
        ledger.sent += 1;
        let number = ledger.sent;
        let Some(edited) =
            ask(&mut session, &edit_config("candidate", "", &entry("committer", number)))
        else {
            return;
        };
        edited.ok();
        match ask(&mut session, "<commit/>") {
            Some(reply) if reply.is_ok() => ledger.acknowledge(number),
            Some(reply) => {
                assert_eq!(reply.error().tag, "in-use", "{}", reply.raw);
                ledger.refused.insert(number);
            }
            None => return,
        }
        let Some(unlocked) = ask(&mut session, UNLOCK) else { return };
        unlocked.ok();
    }
}

/// Makes confirmed commits, with its own lock of the candidate; some are confirmed, some are left pending.
fn confirm(mut session: Session, confirmer: &mut Confirmations, kinds: u64) {
    let persist = kinds.is_multiple_of(2);
    let leave = kinds / 2 == 0;
    let (start, end) = match persist {
        true => (
            "<commit><confirmed/><persist>token</persist></commit>",
            "<commit><persist-id>token</persist-id></commit>",
        ),
        false => ("<commit><confirmed/></commit>", "<commit/>"),
    };
    while lock_candidate(&mut session) {
        confirmer.ledger.sent += 1;
        let number = confirmer.ledger.sent;
        let edit = edit_config("candidate", "", &entry("confirmer", number));
        let Some(edited) = ask(&mut session, &edit) else { return };
        edited.ok();
        let Some(started) = ask(&mut session, start) else { return };
        started.ok();
        if leave {
            // Pending until the crash; the others are refused meanwhile.
            confirmer.left += 1;
            session.wire.rest();
            return;
        }
        confirmer.in_doubt = Some(number);
        let Some(ended) = ask(&mut session, end) else { return };
        ended.ok();
        confirmer.in_doubt = None;
        confirmer.ledger.acknowledged = number;
        let Some(unlocked) = ask(&mut session, UNLOCK) else { return };
        unlocked.ok();
    }
}

/// A number is there only if its confirming commit was sent: what was pending at the crash is rolled back.
fn judge_confirmed(confirmer: &mut Confirmations, found: u64, crash: u32) -> Result<(), String> {
    let in_doubt = confirmer.in_doubt.take();
    if found != confirmer.ledger.acknowledged && Some(found) != in_doubt {
        return Err(format!(
            "crash {crash}, confirmer: {found} is there, {:?} was pending: {:?}",
            in_doubt, confirmer.ledger
        ));
    }
    confirmer.ledger.acknowledged = found;
    Ok(())
}

/// A start from a snapshot and the log behind it gives what a start from the whole log gives.
#[test]
fn a_snapshot_and_the_log_behind_it_make_the_same_state() {
    let mut agent =
        Agent::start_with(Settings { file: SNAPSHOTS.to_owned(), ..Settings::default() });
    let mut session = agent.session();
    let entries = |from: u32, to: u32| -> String {
        let entry = |n: u32| format!("<server><name>s{n}</name></server>");
        (from..to).map(entry).collect::<String>().replace("<server>", &format!("<server {NS}>"))
    };
    session.edit("running", &entries(0, 20)).ok();
    session.ok("<commit><confirmed/><persist>t</persist></commit>");
    eventually("a snapshot", || {
        let files = std::fs::read_dir(agent.path("data")).ok()?;
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        names
            .into_iter()
            .any(|name| name.starts_with("snapshot") && !name.ends_with("tmp"))
            .then_some(())
    });
    session.ok("<commit><persist-id>t</persist-id></commit>");
    session.edit("running", &entries(20, 40)).ok();
    let before = session.read("running");
    agent.crash();
    let mut session = agent.session();
    assert_eq!(session.read("running"), before);
    // Nothing of it is new: what is written again changes nothing.
    session.edit("running", &entries(0, 40)).ok();
    assert_eq!(session.read("running"), before);
}
