//! Loads a server and measures it: a NETCONF server with the `bench-routes` module, or etcd beside it. `tools/bench`
//! runs this program; its own work is small (no XML is parsed, only framing, `<ok/>` and `<rpc-error>` are looked for;
//! of gRPC there is as much as a put needs), so that the server's dominates what is measured.
//!
//! `load (--unix PATH | --exec COMMAND | --etcd ADDRESS:PORT)… [--wait] TASK [--entries N] [--reps N] [--sessions N]
//! [--seconds N] [--port N] [--bytes N] [--from N] [--timeout-ms N] [--pids N,N…]` prints one JSON object. Times are
//! milliseconds, sizes bytes. Changes of runs with another `--from` are others.
//!
//! Tasks: `fill-running`, `fill-candidate` (one edit-config with N entries), `get`, `get-some`, `get-xpath` (one entry
//! by its key, leafs of it by a subtree filter, or it by an XPath filter), `all` (the whole list), `edit` (one entry
//! of running), `commit` (one entry of the candidate, and commit), `connect` (from connect to close), `read`, `write`
//! (operations a second in some sessions, and the processor time that the processes `--pids` take for them), `clear`,
//! `floor` (what the machine does), `alone` (a reply of N bytes from a bare SSH server on port N, which is started for
//! it and is the target), `trace` (see `trace.rs`).
//!
//! With the module `bench-rules` (see `services.rs`): `fill-services`, `change-service`, `add-service`,
//! `remove-server`, `remove-referred`, `validate`, and `print-services`, which prints the document.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool ends where something is wrong, and measures by the clock"
)]

mod etcd;
mod floor;
mod russh_alone;
mod services;
mod session;
mod tasks;
mod throughput;
mod times;
mod trace;

use std::io;
use std::time::Duration;

/// What the command line asks for.
struct Options {
    /// Where the servers are. Only `trace` takes more than one.
    targets: Vec<Target>,
    /// Connects again and again until somebody listens.
    wait: bool,
    task: String,
    entries: usize,
    reps: usize,
    sessions: usize,
    seconds: f64,
    port: u16,
    bytes: usize,
    /// The number of the first change.
    from: usize,
    /// How long an answer may take; no limit if there is none.
    timeout: Option<Duration>,
    /// Processes whose work is counted.
    pids: Vec<u32>,
}

enum Target {
    Unix(String),
    Exec(String),
    Etcd(String),
}

fn main() {
    let options = options();
    let result = match options.task.as_str() {
        "fill-running" => tasks::fill(&options, "running"),
        "fill-candidate" => tasks::fill(&options, "candidate"),
        "get" => tasks::get(&options, session::get_one),
        "get-some" => tasks::get(&options, session::get_some),
        "get-xpath" => tasks::get(&options, session::get_by_xpath),
        "all" => tasks::all(&options),
        "edit" => tasks::edit_one(&options),
        "commit" => tasks::commit_one(&options),
        "connect" => tasks::connect(&options),
        "read" => throughput::throughput(&options, Client::read),
        "write" => throughput::throughput(&options, Client::write),
        "clear" => tasks::clear(&options),
        "floor" => floor::floor(&options),
        "alone" => tasks::alone(&options),
        "trace" => return trace::trace(&options),
        "fill-services" => services::fill(&options),
        "change-service" => services::change(&options),
        "add-service" => services::add(&options),
        "remove-server" => services::remove(&options),
        "remove-referred" => services::remove_referred(&options),
        "validate" => services::validate(&options),
        "print-services" => return services::print(&options),
        other => panic!("no task {other}"),
    };
    let fields: Vec<String> =
        result.iter().map(|(name, value)| format!("\"{name}\": {value:.4}")).collect();
    println!("{{{}}}", fields.join(", "));
}

fn options() -> Options {
    let mut options = Options {
        targets: Vec::new(),
        wait: false,
        task: String::new(),
        entries: 1000,
        reps: 100,
        sessions: 1,
        seconds: 3.0,
        port: 0,
        bytes: 0,
        from: 0,
        timeout: None,
        pids: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--unix" => options.targets.push(Target::Unix(value())),
            "--exec" => options.targets.push(Target::Exec(value())),
            "--etcd" => options.targets.push(Target::Etcd(value())),
            "--wait" => options.wait = true,
            "--entries" => options.entries = value().parse().expect("a number"),
            "--reps" => options.reps = value().parse().expect("a number"),
            "--sessions" => options.sessions = value().parse().expect("a number"),
            "--seconds" => options.seconds = value().parse().expect("a number"),
            "--port" => options.port = value().parse().expect("a port"),
            "--bytes" => options.bytes = value().parse().expect("a number"),
            "--from" => options.from = value().parse().expect("a number"),
            "--timeout-ms" => {
                options.timeout = Some(Duration::from_millis(value().parse().expect("a number")));
            }
            "--pids" => {
                options.pids =
                    value().split(',').map(|pid| pid.parse().expect("a process")).collect();
            }
            task => options.task = task.to_owned(),
        }
    }
    options
}

impl Options {
    fn target(&self) -> &Target {
        self.targets.first().expect("--unix, --exec or --etcd says where the server is")
    }
}

/// A connection to a server that keeps entries.
enum Client {
    Netconf(session::Session),
    Etcd(etcd::Connection),
}

impl Client {
    /// # Errors
    /// If the server does not answer within the timeout.
    fn open(target: &Target, options: &Options) -> io::Result<Self> {
        Ok(match target {
            Target::Etcd(address) => Self::Etcd(etcd::Connection::open(address, options.timeout)?),
            Target::Unix(_) | Target::Exec(_) => {
                Self::Netconf(session::Session::try_open(target, options.wait, options.timeout)?)
            }
        })
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// As `write`.
    fn read(&mut self, number: usize, _metric: usize) -> io::Result<bool> {
        match self {
            Self::Netconf(session) => {
                session.try_rpc(&session::get_one(number))?;
                Ok(session.says("<id>"))
            }
            Self::Etcd(_) => panic!("etcd is only written to"),
        }
    }

    /// Writes an entry. False if the server refused.
    ///
    /// # Errors
    /// If the connection is of no use any more, by a timeout for example: the outcome is unknown.
    fn write(&mut self, number: usize, metric: usize) -> io::Result<bool> {
        let entry = session::entry(number, metric);
        match self {
            Self::Netconf(session) => {
                session.try_rpc(&session::edit("running", &entry))?;
                Ok(session.says("ok/>"))
            }
            Self::Etcd(connection) => connection.put(&format!("route/{number:07}"), &entry),
        }
    }

    fn close(self) {
        if let Self::Netconf(session) = self {
            session.close();
        }
    }
}
