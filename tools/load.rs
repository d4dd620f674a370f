//! Loads a NETCONF server with the `bench-routes` module and measures it. `tools/bench` runs this program; its own
//! work is small (no XML is parsed, only framing, `<ok/>` and `<rpc-error>` are looked for), so that the server's
//! dominates what is measured.
//!
//! `load (--unix PATH | --exec COMMAND) [--wait] TASK [--entries N] [--reps N] [--sessions N] [--seconds N] [--port N]
//! [--bytes N]` prints one JSON object. Times are milliseconds, sizes bytes.
//!
//! Tasks: `fill-running`, `fill-candidate` (one edit-config with N entries), `get` (one entry by its key), `all` (the
//! whole list), `edit` (one entry of running), `commit` (one entry of the candidate, and commit), `connect` (from
//! connect to close), `read`, `write` (operations a second in some sessions), `clear`, `floor` (what the machine does),
//! `alone` (a reply of N bytes from a bare SSH server on port N, which is started for it and is the target).
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

mod russh_alone;

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
const NS: &str = "urn:bench:routes";
/// Some servers refuse larger chunks.
const CHUNK: usize = 1 << 20;
const END_OF_MESSAGE: &[u8] = b"]]>]]>";
/// When repetitions have taken long enough.
const LONG: Duration = Duration::from_secs(15);

/// What the command line asks for.
#[derive(Clone)]
struct Options {
    target: Target,
    /// Connects again and again until somebody listens.
    wait: bool,
    task: String,
    entries: usize,
    reps: usize,
    sessions: usize,
    seconds: f64,
    port: u16,
    bytes: usize,
}

#[derive(Clone)]
enum Target {
    Unix(String),
    Exec(String),
    None,
}

fn main() {
    let options = options();
    let result = match options.task.as_str() {
        "fill-running" => fill(&options, "running"),
        "fill-candidate" => fill(&options, "candidate"),
        "get" => get(&options),
        "all" => all(&options),
        "edit" => edit_one(&options),
        "commit" => commit_one(&options),
        "connect" => connect(&options),
        "read" => throughput(&options, read_step),
        "write" => throughput(&options, write_step),
        "clear" => clear(&options),
        "floor" => floor(&options),
        "alone" => alone(&options),
        other => panic!("no task {other}"),
    };
    let fields: Vec<String> =
        result.iter().map(|(name, value)| format!("\"{name}\": {value:.4}")).collect();
    println!("{{{}}}", fields.join(", "));
}

fn options() -> Options {
    let mut options = Options {
        target: Target::None,
        wait: false,
        task: String::new(),
        entries: 1000,
        reps: 100,
        sessions: 1,
        seconds: 3.0,
        port: 0,
        bytes: 0,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--unix" => options.target = Target::Unix(value()),
            "--exec" => options.target = Target::Exec(value()),
            "--wait" => options.wait = true,
            "--entries" => options.entries = value().parse().expect("a number"),
            "--reps" => options.reps = value().parse().expect("a number"),
            "--sessions" => options.sessions = value().parse().expect("a number"),
            "--seconds" => options.seconds = value().parse().expect("a number"),
            "--port" => options.port = value().parse().expect("a port"),
            "--bytes" => options.bytes = value().parse().expect("a number"),
            task => options.task = task.to_owned(),
        }
    }
    options
}

/// One NETCONF session.
struct Session {
    input: Box<dyn Read + Send>,
    output: Option<Box<dyn Write + Send>>,
    child: Option<Child>,
    buffer: Vec<u8>,
    /// How much of `buffer` was consumed.
    at: usize,
    chunked: bool,
    next_id: u64,
    /// The last reply.
    reply: Vec<u8>,
}

impl Session {
    fn open(options: &Options) -> Self {
        let (input, output, child): (Box<dyn Read + Send>, Box<dyn Write + Send>, _) =
            match &options.target {
                Target::Unix(path) => {
                    let stream = connect_unix(path, options.wait);
                    (Box::new(stream.try_clone().expect("a socket")), Box::new(stream), None)
                }
                Target::Exec(command) => {
                    let mut child = Command::new("sh")
                        .args(["-c", &format!("exec {command}")])
                        .stdin(Stdio::piped())
                        .stdout(Stdio::piped())
                        .spawn()
                        .expect("a process");
                    let output = child.stdin.take().expect("piped");
                    let input = child.stdout.take().expect("piped");
                    (Box::new(input), Box::new(output), Some(child))
                }
                Target::None => panic!("--unix or --exec says where the server is"),
            };
        let mut session = Self {
            input,
            output: Some(output),
            child,
            buffer: Vec::new(),
            at: 0,
            chunked: false,
            next_id: 0,
            reply: Vec::new(),
        };
        session.write(hello().as_bytes());
        session.read_to_end_of_message();
        let hello = String::from_utf8_lossy(&session.reply);
        session.chunked = hello.contains("urn:ietf:params:netconf:base:1.1");
        session
    }

    fn write(&mut self, bytes: &[u8]) {
        let output = self.output.as_mut().expect("an open session");
        output.write_all(bytes).and_then(|()| output.flush()).expect("the server takes it");
    }

    /// Reads more. False if the server has closed.
    fn fill(&mut self) -> bool {
        if self.at > 0 && self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + (256 << 10), 0);
        let count = self.input.read(&mut self.buffer[length..]).expect("a connection");
        self.buffer.truncate(length + count);
        count > 0
    }

    fn read_to_end_of_message(&mut self) {
        self.reply.clear();
        let mut from = self.at;
        loop {
            let found = self.buffer[from..]
                .windows(END_OF_MESSAGE.len())
                .position(|window| window == END_OF_MESSAGE);
            if let Some(found) = found {
                self.reply.extend_from_slice(&self.buffer[self.at..from + found]);
                self.at = from + found + END_OF_MESSAGE.len();
                return;
            }
            let seen = (self.buffer.len() - self.at).saturating_sub(END_OF_MESSAGE.len());
            assert!(self.fill(), "the server closed the session");
            from = self.at + seen;
        }
    }

    fn read_chunks(&mut self) {
        self.reply.clear();
        loop {
            let header = loop {
                let rest = &self.buffer[self.at..];
                if rest.len() > 2
                    && let Some(end) = rest[2..].iter().position(|byte| *byte == b'\n')
                {
                    break &rest[..end + 3];
                }
                assert!(self.fill(), "the server closed the session");
            };
            assert!(header.starts_with(b"\n#"), "no chunk: {header:?}");
            let digits = &header[2..header.len() - 1];
            let length = header.len();
            let is_end = digits == b"#";
            let size = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
            self.at += length;
            if is_end {
                return;
            }
            let mut left: usize = size.expect("a chunk size");
            while left > 0 {
                let have = left.min(self.buffer.len() - self.at);
                self.reply.extend_from_slice(&self.buffer[self.at..self.at + have]);
                self.at += have;
                left -= have;
                if left > 0 {
                    assert!(self.fill(), "the server closed the session");
                }
            }
        }
    }

    /// Sends one operation and reads its reply.
    fn rpc(&mut self, operation: &str) {
        self.next_id += 1;
        let id = self.next_id;
        let message = format!("<rpc xmlns=\"{BASE}\" message-id=\"{id}\">{operation}</rpc>");
        if self.chunked {
            let mut framed = Vec::with_capacity(message.len() + 64);
            for chunk in message.as_bytes().chunks(CHUNK) {
                framed.extend_from_slice(format!("\n#{}\n", chunk.len()).as_bytes());
                framed.extend_from_slice(chunk);
            }
            framed.extend_from_slice(b"\n##\n");
            self.write(&framed);
            self.read_chunks();
        } else {
            self.write(format!("{message}]]>]]>").as_bytes());
            self.read_to_end_of_message();
        }
    }

    fn says(&self, what: &str) -> bool {
        self.reply.windows(what.len()).any(|window| window == what.as_bytes())
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.reply[..self.reply.len().min(1500)]).into_owned()
    }

    fn ok(&mut self, operation: &str) {
        self.rpc(operation);
        assert!(self.says("ok/>") && !self.says("rpc-error"), "{}", self.told());
    }

    /// `<close-session/>`, and the end of the connection or command.
    fn close(mut self) {
        self.rpc("<close-session/>");
        self.output = None;
        while self.fill() {}
        if let Some(mut child) = self.child.take() {
            child.wait().expect("its end");
        }
    }
}

fn hello() -> String {
    format!(
        "<hello xmlns=\"{BASE}\"><capabilities>\
         <capability>urn:ietf:params:netconf:base:1.0</capability>\
         <capability>urn:ietf:params:netconf:base:1.1</capability>\
         </capabilities></hello>]]>]]>"
    )
}

fn connect_unix(path: &str, wait: bool) -> UnixStream {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(error) => assert!(wait && Instant::now() < deadline, "{path}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn entry(number: usize, metric: usize) -> String {
    let (a, b, c) = (number >> 16 & 255, number >> 8 & 255, number & 255);
    format!(
        "<route><id>{number:07}</id><next-hop>10.{a}.{b}.{c}</next-hop><metric>{metric}</metric>\
         <description>static route number {number}</description></route>"
    )
}

fn edit(target: &str, routes: &str) -> String {
    format!(
        "<edit-config><target><{target}/></target><config><routes xmlns=\"{NS}\">{routes}</routes>\
         </config></edit-config>"
    )
}

fn get_one(number: usize) -> String {
    format!(
        "<get-config><source><running/></source><filter type=\"subtree\"><routes xmlns=\"{NS}\">\
         <route><id>{number:07}</id></route></routes></filter></get-config>"
    )
}

/// Entries that are spread over the list.
fn spread(entries: usize, step: usize) -> usize {
    entries.saturating_sub(1) * (step % 97) / 97
}

type Numbers = Vec<(&'static str, f64)>;

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn percentiles(mut times: Vec<f64>) -> Numbers {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    vec![("n", times.len() as f64), ("p50", at(50)), ("p99", at(99)), ("max", at(100))]
}

/// Times of some repetitions; of fewer if they take long, but of five at least.
fn timed(reps: usize, mut step: impl FnMut(usize)) -> Numbers {
    let start = Instant::now();
    let mut times = Vec::new();
    for rep in 0..reps {
        let began = Instant::now();
        step(rep);
        times.push(milliseconds(began));
        if times.len() >= 5 && start.elapsed() > LONG {
            break;
        }
    }
    percentiles(times)
}

fn fill(options: &Options, target: &str) -> Numbers {
    let routes: String = (0..options.entries).map(|n| entry(n, 1 + n % 100)).collect();
    let operation = edit(target, &routes);
    let mut session = Session::open(options);
    let began = Instant::now();
    session.ok(&operation);
    let edit_ms = milliseconds(began);
    let committing = Instant::now();
    if target == "candidate" {
        session.ok("<commit/>");
    }
    vec![
        ("bytes", operation.len() as f64),
        ("edit_ms", edit_ms),
        ("commit_ms", milliseconds(committing)),
        ("total_ms", milliseconds(began)),
    ]
}

fn get(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        let number = spread(options.entries, rep);
        session.rpc(&get_one(number));
        assert!(session.says(&format!(">{number:07}<")), "{}", session.told());
    })
}

fn all(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    let operation = format!(
        "<get-config><source><running/></source><filter type=\"subtree\"><routes xmlns=\"{NS}\"/>\
         </filter></get-config>"
    );
    let numbers = streamed(options, &mut session, &operation);
    let found = session.reply.windows(4).filter(|window| window == b"<id>").count();
    assert_eq!(found, options.entries, "{}", session.told());
    numbers
}

/// The same from a server that has nothing to do for it.
fn alone(options: &Options) -> Numbers {
    russh_alone::listen(options.port, hello(), options.bytes);
    let mut session = Session::open(options);
    let numbers = streamed(options, &mut session, "");
    assert_eq!(session.reply.len(), options.bytes);
    numbers
}

/// How fast the replies to an operation come.
fn streamed(options: &Options, session: &mut Session, operation: &str) -> Numbers {
    let mut numbers = timed(options.reps, |_| session.rpc(operation));
    let bytes = session.reply.len() as f64;
    numbers.push(("bytes", bytes));
    numbers.push(("mb_per_s", bytes / numbers[1].1 / 1e3));
    numbers
}

fn edit_one(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        let number = spread(options.entries, rep);
        session.ok(&edit("running", &entry(number, 200 + rep % 60_000)));
    })
}

fn commit_one(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    timed(options.reps, |rep| {
        let number = spread(options.entries, rep);
        session.ok(&edit("candidate", &entry(number, 300 + rep % 60_000)));
        session.ok("<commit/>");
    })
}

fn connect(options: &Options) -> Numbers {
    timed(options.reps, |_| Session::open(options).close())
}

fn clear(options: &Options) -> Numbers {
    let mut session = Session::open(options);
    let began = Instant::now();
    session.ok(
        "<edit-config><target><running/></target><default-operation>replace</default-operation>\
         <config/></edit-config>",
    );
    vec![("total_ms", milliseconds(began))]
}

/// One operation of worker `worker`; false if it was refused.
type Step = fn(&mut Session, usize, usize, usize) -> bool;

fn read_step(session: &mut Session, entries: usize, worker: usize, step: usize) -> bool {
    session.rpc(&get_one(spread(entries, worker * 31 + step)));
    session.says("<id>")
}

fn write_step(session: &mut Session, entries: usize, worker: usize, step: usize) -> bool {
    let number = spread(entries, worker * 3);
    session.rpc(&edit("running", &entry(number, step % 60_000)));
    session.says("ok/>")
}

/// Operations a second of some sessions, each one after the other.
fn throughput(options: &Options, step: Step) -> Numbers {
    let stop = AtomicBool::new(false);
    let (done, errors) = (AtomicU64::new(0), AtomicU64::new(0));
    let sessions: Vec<Session> = (0..options.sessions).map(|_| Session::open(options)).collect();
    let began = Instant::now();
    let took = std::thread::scope(|scope| {
        for (worker, mut session) in sessions.into_iter().enumerate() {
            let (stop, done, errors) = (&stop, &done, &errors);
            scope.spawn(move || {
                for count in 0.. {
                    let good = step(&mut session, options.entries, worker, count);
                    // What ends after the time does not count.
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let counter = if good { done } else { errors };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                session.close();
            });
        }
        std::thread::sleep(Duration::from_secs_f64(options.seconds));
        stop.store(true, Ordering::Relaxed);
        began.elapsed().as_secs_f64()
    });
    vec![
        ("per_s", done.into_inner() as f64 / took),
        ("errors", errors.into_inner() as f64),
        ("sessions", options.sessions as f64),
    ]
}

/// What the machine does at best: durable writes of 512 bytes in the current directory, copies, a local socket.
fn floor(options: &Options) -> Numbers {
    let path = "bench-fdatasync";
    let file =
        OpenOptions::new().create(true).truncate(true).write(true).open(path).expect("a file");
    file.write_all_at(&vec![0; 16 << 20], 0).expect("space");
    file.sync_all().expect("a disk");
    let sync = timed(options.reps, |rep| {
        file.write_all_at(&[1; 512], rep as u64 % 32_768 * 512).expect("a write");
        file.sync_data().expect("a disk");
    });
    std::fs::remove_file(path).expect("the file");
    let source = vec![1_u8; 64 << 20];
    let mut copy = vec![0_u8; source.len()];
    copy.copy_from_slice(&source);
    let copying = timed(10, |_| {
        copy.copy_from_slice(std::hint::black_box(&source));
        std::hint::black_box(&copy);
    });
    let (mut near, far) = UnixStream::pair().expect("a socket");
    let echo = std::thread::spawn(move || echo_then_drain(far));
    let round_trip = timed(2000, |_| {
        near.write_all(&[1; 64]).expect("a socket");
        near.read_exact(&mut [0; 64]).expect("a socket");
    });
    let began = Instant::now();
    near.write_all(&source).expect("a socket");
    near.shutdown(std::net::Shutdown::Write).expect("a socket");
    echo.join().expect("the other end");
    let moved = source.len() as f64 / milliseconds(began) / 1e3;
    vec![
        ("fdatasync_p50", sync[1].1),
        ("fdatasync_p99", sync[2].1),
        ("memcpy_mb_per_s", source.len() as f64 / copying[1].1 / 1e3),
        ("socket_mb_per_s", moved),
        ("round_trip_p50", round_trip[1].1),
    ]
}

fn echo_then_drain(mut far: UnixStream) {
    let mut bytes = [0; 64];
    for _ in 0..2000 {
        far.read_exact(&mut bytes).expect("a socket");
        far.write_all(&bytes).expect("a socket");
    }
    let mut block = vec![0; 256 << 10];
    while far.read(&mut block).is_ok_and(|count| count > 0) {}
}
