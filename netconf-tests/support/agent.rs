//! An agent of one test: its own process, data directory, models and sockets.

use super::session::{Session, Speaks};
use super::wire::{PATIENCE, Wire};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// A password and its SHA-crypt hash, for users of the configuration file.
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const PASSWORD_HASH: &str = "$6$quoratetests$d2PIGkWJiJCg9vRBIhoPhsUUvObatr/1c.cDwtOZ2jBVkjpZEF7o3CUiZPtcLbpztL.zF.w/BybTvi/St9ERR0";

/// What differs from agent to agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// More of the configuration file: whole tables.
    pub(crate) file: String,
    /// More arguments.
    pub(crate) arguments: Vec<String>,
    /// Environment variables.
    pub(crate) variables: Vec<(String, String)>,
    /// What it is told without these.
    pub(crate) given: Given,
    /// A program and its arguments that run the agent in their own place, like `prlimit`.
    pub(crate) runner: Vec<String>,
    /// In place of all test modules.
    pub(crate) modules: Option<Vec<String>>,
    /// Whether it listens for SSH as well, on a port of its choice.
    pub(crate) ssh: Ssh,
}

/// What every agent is told, unless its test wants it otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Given {
    /// By flags, where its file, data, socket and models are.
    #[default]
    Flags,
    /// Nothing: the test tells everything.
    Nothing,
}

/// Whether an agent listens for SSH.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ssh {
    #[default]
    Off,
    On,
}

/// Why an agent did not start.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) status: ExitStatus,
    pub(crate) log: String,
}

/// A running agent, or one that was stopped and can be started again on the same data.
pub(crate) struct Agent {
    directory: tempfile::TempDir,
    settings: Settings,
    process: Option<Child>,
    /// Where it says that it is ready (sd_notify).
    notify: Option<UnixDatagram>,
    log: Arc<Log>,
}

/// What the agent wrote to its standard error so far.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grown: Condvar,
}

impl Log {
    fn text(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_more_than(&self, length: usize) {
        let waiting = self.grown.wait_timeout_while(self.text(), PATIENCE, |t| t.len() <= length);
        drop(waiting);
    }
}

impl Agent {
    /// Starts an agent with all test modules and waits until it is ready.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_with(Settings::default())
    }

    /// The same, with settings.
    #[track_caller]
    pub(crate) fn start_with(settings: Settings) -> Self {
        match Self::try_start(settings) {
            Ok(agent) => agent,
            Err(error) => panic!("the agent ended with {}:\n{}", error.status, error.log),
        }
    }

    /// The same, where it may refuse to start.
    pub(crate) fn try_start(settings: Settings) -> Result<Self, NotStarted> {
        let plain = settings == Settings::default();
        let mut agent = Self::stopped(settings);
        if let Some(subject) = subject() {
            assert!(plain, "this test needs an agent of its own, not {subject}");
            let mut session = agent.session();
            // What the test before left; a server without a candidate refuses it.
            session.request("<discard-changes/>");
            session.set_running("");
            return Ok(agent);
        }
        agent.try_run()?;
        Ok(agent)
    }

    /// An agent that was never started: its directory can be prepared.
    pub(crate) fn stopped(settings: Settings) -> Self {
        Self {
            directory: tempfile::Builder::new().prefix("quorate-").tempdir().expect("a directory"),
            settings,
            process: None,
            notify: None,
            log: Arc::default(),
        }
    }

    /// The same agent with more arguments.
    pub(crate) fn with_arguments(mut self, arguments: &[&str]) -> Self {
        self.settings.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// What it is told at its next start.
    pub(crate) fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The same agent with environment variables.
    pub(crate) fn with_variables(mut self, variables: &[(&str, String)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.settings.variables.extend(variables);
        self
    }

    /// Starts the process and waits until it says that it is ready.
    pub(crate) fn try_run(&mut self) -> Result<(), NotStarted> {
        self.spawn();
        self.await_ready()
    }

    /// Starts the process.
    pub(crate) fn spawn(&mut self) {
        standard_modules();
        let notify_path = self.path("notify");
        drop(std::fs::remove_file(&notify_path));
        let notify = UnixDatagram::bind(&notify_path).expect("a socket");
        notify.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        self.notify = Some(notify);
        self.log = Arc::default();
        let mut process = self.command().spawn().expect("the agent's program");
        follow(process.stderr.take().expect("piped"), Arc::clone(&self.log));
        self.process = Some(process);
    }

    /// Waits until the process says that it is ready.
    pub(crate) fn await_ready(&mut self) -> Result<(), NotStarted> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut message = [0; 4096];
            let notify = self.notify.as_ref().expect("a running agent");
            if let Ok(count) = notify.recv(&mut message)
                && String::from_utf8_lossy(&message[..count]).lines().any(|line| line == "READY=1")
            {
                return Ok(());
            }
            let ended = self.process.as_mut().and_then(|process| process.try_wait().expect("mine"));
            if let Some(status) = ended {
                self.process = None;
                return Err(NotStarted { status, log: self.whole_log() });
            }
            assert!(Instant::now() < deadline, "not ready in time:\n{}", self.log());
        }
    }

    /// Waits until the process ends by itself: what it logged in its life.
    #[track_caller]
    pub(crate) fn await_end(&mut self) -> String {
        let mut process = self.process.take().expect("a running agent");
        super::eventually("the agent ends by itself", || process.try_wait().expect("mine"));
        self.whole_log()
    }

    fn command(&self) -> Command {
        let program = [program().display().to_string()];
        let mut words = self.settings.runner.iter().chain(&program);
        let mut command = Command::new(words.next().expect("the agent's program"));
        command.args(words);
        std::fs::write(self.path("quorate.toml"), &self.settings.file).expect("a file");
        command.arg("run");
        if self.settings.given == Given::Flags {
            self.give_flags(&mut command);
        }
        command.args(&self.settings.arguments);
        // The settings of whoever runs the tests are not those of an agent.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("QUORATE_") {
                command.env_remove(name);
            }
        }
        command.envs(self.settings.variables.iter().map(|(name, value)| (name, value)));
        command.env("NOTIFY_SOCKET", self.path("notify"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// `quorate verify` of this directory, with the models of this agent.
    pub(crate) fn verify(&self, directory: &Path, more: &[&str]) -> Output {
        std::fs::write(self.path("quorate.toml"), &self.settings.file).expect("a file");
        let mut command = Command::new(program());
        command.arg("verify").arg("--config").arg(self.path("quorate.toml"));
        self.give_models(&mut command);
        command.args(more).arg(directory).output().expect("a process")
    }

    fn give_flags(&self, command: &mut Command) {
        let mut flag = |name: &str, value: &OsStr| {
            if !self.settings.arguments.iter().any(|given| given == name) {
                command.arg(name).arg(value);
            }
        };
        flag("--config", self.path("quorate.toml").as_os_str());
        flag("--data-dir", self.path("data").as_os_str());
        flag("--unix", self.socket().as_os_str());
        match self.settings.ssh {
            Ssh::Off => flag("--ssh", OsStr::new("off")),
            Ssh::On => flag("--ssh", OsStr::new("127.0.0.1:0")),
        }
        self.give_models(command);
    }

    /// The flags that say which models there are.
    fn give_models(&self, command: &mut Command) {
        command.arg("--yang-dir").arg(root().join("netconf-tests/yang"));
        command.arg("--yang-dir").arg(root().join("yang/standard"));
        for module in self.modules() {
            command.arg("--module").arg(module);
        }
        if self.settings.modules.is_none() {
            command.args([
                "--feature",
                "quorate-test:extra",
                "--feature",
                "quorate-test-old:first",
            ]);
        }
    }

    fn modules(&self) -> Vec<String> {
        self.settings.modules.clone().unwrap_or_else(|| {
            [
                "quorate-test",
                "quorate-test-augment",
                "quorate-test-old",
                "quorate-test-deviation",
                "example-config",
                "bench-routes",
            ]
            .map(str::to_owned)
            .to_vec()
        })
    }

    /// A file of this agent's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("netconf.sock")
    }

    /// A connection on which nothing was said yet.
    #[track_caller]
    pub(crate) fn connect(&self) -> Wire {
        match subject() {
            Some(subject) => Wire::command(Command::new("sh").args(["-c", &subject])),
            None => Wire::unix(&self.socket()),
        }
        .expect("the agent's socket")
    }

    /// A session with chunked framing.
    #[track_caller]
    pub(crate) fn session(&self) -> Session {
        Session::open(self.connect(), Speaks::Base11)
    }

    /// A session with end-of-message framing.
    #[track_caller]
    pub(crate) fn session_10(&self) -> Session {
        Session::open(self.connect(), Speaks::Base10)
    }

    /// The port that SSH got.
    #[track_caller]
    pub(crate) fn ssh_port(&self) -> u16 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.log();
            if let Some(port) = ssh_port_in(&text) {
                return port;
            }
            assert!(Instant::now() < deadline, "no SSH address in the log:\n{text}");
            self.log.wait_for_more_than(text.len());
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running agent").id()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.text().clone()
    }

    /// What it logged in its life, after its end.
    fn whole_log(&self) -> String {
        super::eventually("the log ends", || (Arc::strong_count(&self.log) == 1).then_some(()));
        self.log()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("a running agent");
        process.kill().expect("a signal");
        process.wait().expect("its end");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.process.as_ref().expect("a running agent"));
        kill_process(pid, signal).expect("a signal");
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// SIGTERM, and its end.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut process = self.process.take().expect("a running agent");
        let status =
            super::eventually("the agent ends after SIGTERM", || process.try_wait().expect("mine"));
        self.whole_log();
        status
    }

    /// Starts it again on the same data.
    #[track_caller]
    pub(crate) fn run(&mut self) {
        if let Err(error) = self.try_run() {
            panic!("the agent ended with {}:\n{}", error.status, error.log);
        }
    }

    /// kill -9 and start again.
    #[track_caller]
    pub(crate) fn crash(&mut self) {
        self.kill();
        self.run();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
    }
}

/// The command that speaks NETCONF with another server, if that is to be tested.
fn subject() -> Option<String> {
    std::env::var("QUORATE_TEST_SUBJECT").ok().filter(|subject| !subject.is_empty())
}

/// The agent's program: what cargo built for these tests; for an example, what lies beside it.
pub(crate) fn program() -> PathBuf {
    option_env!("CARGO_BIN_EXE_quorate").map_or_else(
        || {
            let own = std::env::current_exe().expect("this program's path");
            own.ancestors().nth(2).expect("target/PROFILE/examples").join("quorate")
        },
        PathBuf::from,
    )
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn follow(stderr: std::process::ChildStderr, log: Arc<Log>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            writeln!(log.text(), "{line}").expect("memory");
            log.grown.notify_all();
        }
    });
}

/// The port in the line that says where SSH listens.
fn ssh_port_in(log: &str) -> Option<u16> {
    let line = log.lines().find(|line| line.contains("NETCONF is open"))?;
    let after = line.split("127.0.0.1:").nth(1)?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|port| *port != 0)
}

/// The standard YANG modules are fetched once.
pub(crate) fn standard_modules() {
    static FETCHED: Once = Once::new();
    FETCHED.call_once(|| {
        let status = Command::new(root().join("tools/yang-modules")).status();
        assert!(status.is_ok_and(|status| status.success()), "tools/yang-modules failed");
    });
}
