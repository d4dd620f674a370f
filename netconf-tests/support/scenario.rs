//! The reference scenario: what a cluster is for, from the first node to the last entry, step by step.

use super::cluster::Cluster;
use super::routes::{ids, no_routes, read_routes, routes, shown};
use super::session::{Session, edit_config, get_config};
use super::wire::PATIENCE;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// How entries come into running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `<edit-config>` of running.
    Running,
    /// Through the candidate, with a confirmed commit, which a second session confirms.
    Candidate(Confirmed),
}

/// Where a confirmed commit is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmed {
    OnItsMember,
    OnAnother,
}

/// Every way through the scenario.
pub(crate) const WAYS: [Way; 3] =
    [Way::Running, Way::Candidate(Confirmed::OnItsMember), Way::Candidate(Confirmed::OnAnother)];

impl Way {
    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Candidate(Confirmed::OnItsMember) => "candidate, confirmed by a second session",
            Self::Candidate(Confirmed::OnAnother) => "candidate, confirmed on another node",
        }
    }
}

/// One step that was tried.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) took: Duration,
    /// What it had to show, or what went wrong.
    pub(crate) result: Result<String, String>,
}

/// A line of a table.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, said) = match &self.result {
            Ok(said) => ("ok", said),
            Err(said) => ("WRONG", said),
        };
        let ms = self.took.as_secs_f64() * 1000.0;
        write!(f, "  {:<58} {ms:>9.1} ms  {word:<5}  {said}", self.name)
    }
}

/// A run through the scenario.
struct Run<'a> {
    size: u32,
    way: Way,
    cluster: Option<Cluster>,
    report: &'a mut dyn FnMut(&Step),
}

/// Goes through the scenario with so many entries, and reports each step. Whether all went well: the first that does
/// not is the last one.
pub(crate) fn run(size: u32, way: Way, report: &mut dyn FnMut(&Step)) -> bool {
    let mut run = Run { size, way, cluster: None, report };
    let persist = Way::Running != way;
    run.step("node-0 starts with the entries", Run::found)
        && run.step("node-1 and node-2 join, and have them before they serve", Run::join_two)
        && run.step("node-3 joins through node-0, the others serve", Run::join_fourth)
        && run.step("all entries are deleted through node-3", |run| run.delete(3))
        && run.step("they are gone on node-2", |run| run.holds(2, 0))
        && run.step("node-3 leaves", Run::leave)
        && run.step("the entries are written through node-1", |run| run.write(1))
        && (!persist || run.step("the commit is confirmed", Run::confirm))
        && run.step("they are read on node-2", |run| run.holds(2, run.size))
        && run.step("all have the same", Run::agree)
}

impl Run<'_> {
    fn step(&mut self, name: &str, action: impl FnOnce(&mut Self) -> String) -> bool {
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| action(self)));
        let took = start.elapsed();
        let result = result.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
                .unwrap_or_default()
        });
        let step = Step { name: name.to_owned(), took, result };
        (self.report)(&step);
        step.result.is_ok()
    }

    fn cluster(&mut self) -> &mut Cluster {
        self.cluster.as_mut().expect("the first step has made it")
    }

    fn session(&mut self, node: usize) -> Session {
        self.cluster().session(node)
    }

    fn found(&mut self) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("initial.xml");
        std::fs::write(&file, routes(0..self.size)).expect("a file");
        let file = file.display().to_string();
        self.cluster = Some(Cluster::founded(&["--initial-config", &file]));
        self.holds(0, self.size)
    }

    fn join_two(&mut self) -> String {
        let size = self.size;
        let first = self.cluster().spawn_join(0);
        let second = self.cluster().spawn_join(0);
        for node in [first, second] {
            let found = self.first_shown(node);
            assert_eq!(found, size as usize, "what node-{node} showed first");
            self.cluster().ready(node);
        }
        String::new()
    }

    /// How many entries there are in the first answer to a node's first client, who knocks from the beginning.
    fn first_shown(&mut self, node: usize) -> usize {
        let socket = self.cluster().nodes[node].agent.socket();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = Session::try_unix(&socket)
                .and_then(|mut session| session.try_request(&read_routes()));
            if let Some(reply) = reply.filter(|reply| reply.element.find("data").is_some()) {
                return ids(&reply).len();
            }
            assert!(Instant::now() < deadline, "node-{node} answers nobody");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn join_fourth(&mut self) -> String {
        let (mut reader, mut writer) = (self.session(2), self.session(1));
        let joined = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reads = scope.spawn(|| {
                let mut read = || {
                    reader.request(&read_first()).data();
                };
                repeat(&joined, &mut read)
            });
            let writes = scope.spawn(|| {
                let mut metric = 0;
                let mut write = || {
                    metric += 1;
                    writer.edit("running", &metric_of_first(metric)).ok();
                };
                repeat(&joined, &mut write)
            });
            let over = Over(&joined);
            let node = self.cluster().join(0);
            let size = self.size;
            self.holds(node, size);
            drop(over);
            let served = |thread: ScopedJoinHandle<'_, Served>| match thread.join() {
                Ok(Served { times, longest }) => format!("{times} in at most {longest:.1?}"),
                Err(panic) => resume_unwind(panic),
            };
            format!("meanwhile reads: {}, writes: {}", served(reads), served(writes))
        })
    }

    fn delete(&mut self, node: usize) -> String {
        let mut session = self.session(node);
        match self.way {
            Way::Running => session.edit("running", &no_routes()).ok(),
            Way::Candidate(_) => {
                session.edit("candidate", &no_routes()).ok();
                session.ok("<commit/>");
            }
        }
        String::new()
    }

    fn holds(&mut self, node: usize, entries: u32) -> String {
        let found = shown(&mut self.session(node));
        assert!(found.iter().copied().eq(0..entries), "node-{node} has {} entries", found.len());
        String::new()
    }

    fn leave(&mut self) -> String {
        let node = &mut self.cluster().nodes[3];
        node.order(&["leave"]);
        node.agent.await_end();
        String::new()
    }

    fn write(&mut self, node: usize) -> String {
        let mut session = self.session(node);
        let entries = routes(0..self.size);
        if self.way == Way::Running {
            session.ok(&edit_config("running", "", &entries));
            return String::new();
        }
        session.ok("<lock><target><running/></target></lock>");
        session.ok("<lock><target><candidate/></target></lock>");
        session.ok(&edit_config("candidate", "", &entries));
        session.ok("<commit><confirmed/><persist>IQ,d4668</persist></commit>");
        session.ok("<unlock><target><candidate/></target></unlock>");
        session.ok("<unlock><target><running/></target></unlock>");
        session.close();
        String::new()
    }

    fn confirm(&mut self) -> String {
        let on = if self.way == Way::Candidate(Confirmed::OnAnother) { 2 } else { 1 };
        self.session(on).ok("<commit><persist-id>IQ,d4668</persist-id></commit>");
        format!("on node-{on}")
    }

    fn agree(&mut self) -> String {
        let digest = self.cluster().settled();
        format!("digest {}", &digest[..16])
    }
}

/// Asks for the first entry.
fn read_first() -> String {
    let first = "<routes xmlns=\"urn:bench:routes\"><route><id>0000000</id></route></routes>";
    get_config("running", first)
}

/// A change of the first entry.
fn metric_of_first(metric: u16) -> String {
    format!(
        "<routes xmlns=\"urn:bench:routes\"><route><id>0000000</id><metric>{metric}</metric>\
         </route></routes>"
    )
}

/// Tells the threads that wait for it, also if there is a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How often something was done, and how long it took at most.
struct Served {
    times: u32,
    longest: Duration,
}

/// Does something until it is over, with a moment between.
fn repeat(over: &AtomicBool, action: &mut dyn FnMut()) -> Served {
    let mut served = Served { times: 0, longest: Duration::ZERO };
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        action();
        served.longest = served.longest.max(start.elapsed());
        served.times += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    served
}
