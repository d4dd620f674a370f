//! A cluster of one test: real agents that talk to each other over loopback.

use super::agent::{Agent, Settings, program};
use super::session::Session;
use rustix::process::Signal;
use serde_json::Value;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};

/// Agents that are, were or will be members of one cluster. They are called node-0, node-1 and so on.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    /// More of each node's configuration file.
    file: String,
}

/// One agent of a cluster.
pub(crate) struct Node {
    pub(crate) name: String,
    /// Where the others find it.
    pub(crate) address: String,
    pub(crate) agent: Agent,
}

impl Cluster {
    /// A cluster of so many members with all test modules; all are ready.
    #[track_caller]
    pub(crate) fn start(members: usize) -> Self {
        Self::start_with(members, "")
    }

    /// The same, with more of the configuration file of each.
    #[track_caller]
    pub(crate) fn start_with(members: usize, file: &str) -> Self {
        let mut cluster = Self { nodes: Vec::new(), file: file.to_owned() };
        cluster.add();
        cluster.found(&[]);
        for _ in 1..members {
            cluster.join(0);
        }
        cluster
    }

    /// The first node alone, with more arguments at its first start; others can join it.
    #[track_caller]
    pub(crate) fn founded(arguments: &[&str]) -> Self {
        let mut cluster = Self { nodes: Vec::new(), file: String::new() };
        cluster.add();
        cluster.found(arguments);
        cluster
    }

    /// Members at these addresses, each run by a program and its arguments; all are ready.
    #[track_caller]
    pub(crate) fn start_at(places: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        let mut cluster = Self { nodes: Vec::new(), file: String::new() };
        for (address, runner) in places {
            match cluster.add_at(address, runner) {
                0 => cluster.found(&[]),
                node => {
                    cluster.knock(node, 0);
                    cluster.ready(node);
                }
            }
        }
        cluster
    }

    /// Makes a cluster out of the first node.
    #[track_caller]
    fn found(&mut self, arguments: &[&str]) {
        self.nodes[0].spawn_with(arguments);
        self.ready(0);
        self.nodes[0].order(&["init", "--name", "lab"]);
    }

    /// One more node, which was not started yet.
    pub(crate) fn add(&mut self) -> usize {
        self.add_at(free_address(), Vec::new())
    }

    fn add_at(&mut self, address: String, runner: Vec<String>) -> usize {
        let name = format!("node-{}", self.nodes.len());
        let arguments = ["--node-name", &name, "--peer", &address].map(str::to_owned).to_vec();
        let file = self.file.clone();
        let settings = Settings { runner, arguments, file, ..Settings::default() };
        self.nodes.push(Node { name, address, agent: Agent::stopped(settings) });
        self.nodes.len() - 1
    }

    /// One more member, by a token of member `through`; it is ready.
    #[track_caller]
    pub(crate) fn join(&mut self, through: usize) -> usize {
        let node = self.spawn_join(through);
        self.ready(node);
        node
    }

    /// One more member, which need not be ready yet.
    #[track_caller]
    pub(crate) fn spawn_join(&mut self, through: usize) -> usize {
        let node = self.add();
        self.knock(node, through);
        node
    }

    /// Starts a node that joins by a token of member `through`.
    #[track_caller]
    fn knock(&mut self, node: usize, through: usize) {
        let token = self.nodes[through].token();
        let member = self.nodes[through].address.clone();
        self.nodes[node].spawn_with(&["--join", &member, "--token", &token]);
    }

    /// Waits until a node that was started is ready.
    #[track_caller]
    pub(crate) fn ready(&mut self, node: usize) {
        self.nodes[node].ready();
    }

    /// A session with a node.
    #[track_caller]
    pub(crate) fn session(&self, node: usize) -> Session {
        self.nodes[node].agent.session()
    }

    /// The nodes whose processes run.
    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].agent.is_running()).collect()
    }

    /// Who leads, as soon as all nodes that run say the same and the leader is one of them.
    #[track_caller]
    pub(crate) fn leader(&self) -> usize {
        let running = self.running();
        super::eventually("one leader", || self.leader_among(&running))
    }

    /// Who leads, if these nodes agree on one of themselves.
    #[track_caller]
    pub(crate) fn leader_among(&self, nodes: &[usize]) -> Option<usize> {
        // One that has only just been started says nothing yet.
        let said = |&node: &usize| {
            let state = self.nodes[node].try_status()?;
            state["leader"].as_str().map(str::to_owned)
        };
        let said: Vec<Option<String>> = nodes.iter().map(said).collect();
        let leader = said.first()?.clone()?;
        let agreed = said.iter().all(|other| other.as_ref() == Some(&leader));
        nodes.iter().copied().find(|&node| agreed && self.nodes[node].name == leader)
    }

    /// A member that runs and does not lead.
    #[track_caller]
    pub(crate) fn follower(&self) -> usize {
        let leader = self.leader();
        let follower = self.running().into_iter().find(|&node| node != leader);
        follower.expect("another member")
    }

    /// Waits until all nodes that run have the same revision, and gives its digest, which must be the same, too.
    #[track_caller]
    pub(crate) fn settled(&self) -> String {
        let running = self.running();
        super::eventually("the same revision everywhere", || {
            let states: Vec<Value> =
                running.iter().map(|&n| self.nodes[n].try_status()).collect::<Option<_>>()?;
            let same = |name: &str| states.iter().all(|state| state[name] == states[0][name]);
            if !same("revision") {
                return None;
            }
            assert!(same("digest"), "one revision, different content: {states:#?}");
            Some(states[0]["digest"].as_str().expect("a digest").to_owned())
        })
    }
}

impl Node {
    /// Starts its process with these arguments beside those that it always has.
    pub(crate) fn spawn_with(&mut self, arguments: &[&str]) {
        let own = self.agent.settings().arguments.len();
        let more = arguments.iter().map(|&argument| argument.to_owned());
        self.agent.settings().arguments.extend(more);
        self.agent.spawn();
        self.agent.settings().arguments.truncate(own);
    }

    /// Waits until it is ready.
    #[track_caller]
    pub(crate) fn ready(&mut self) {
        if let Err(error) = self.agent.await_ready() {
            panic!("{} ended with {}:\n{}", self.name, error.status, error.log);
        }
    }

    /// Runs `quorate cluster` on its socket.
    pub(crate) fn ask(&self, words: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("cluster").args(words).arg("--socket").arg(self.agent.socket());
        command.output().expect("the agent's program")
    }

    /// The same, where it must succeed: what it prints.
    #[track_caller]
    pub(crate) fn order(&self, words: &[&str]) -> String {
        let output = self.ask(words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?} on {}: {error}", self.name);
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    }

    /// Its view of the cluster, if its socket is open.
    pub(crate) fn try_status(&self) -> Option<Value> {
        let output = self.ask(&["status", "--json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// A token with which one node can join.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        self.order(&["token"])
    }

    /// `cluster-state`, as `quorate cluster status --json` tells it.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.order(&["status", "--json"])).expect("JSON")
    }

    /// SIGSTOP: the process does nothing and loses nothing.
    pub(crate) fn pause(&self) {
        self.agent.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) {
        self.agent.signal(Signal::CONT);
    }
}

/// An address on loopback that no other test has. Each process has a network of its own in 127.0.0.0/8, and ports below
/// those that the kernel gives to connections.
pub(crate) fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{middle}.{low}:{port}", 64 + high)
}
