//! How the agent starts, refuses to start, and ends.

use crate::support::agent::{Agent, NotStarted, Settings};
use crate::support::session::edit_config;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

const NAMED: &str = "<top xmlns=\"urn:quorate:test\"><name>a</name></top>";

fn arguments(arguments: &[&str]) -> Settings {
    Settings {
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        ..Settings::default()
    }
}

/// The agent ends with a code that is not 0, and one line names the cause.
#[track_caller]
fn refuses(started: Result<Agent, NotStarted>, names: &[&str]) {
    let Err(refused) = started else { panic!("the agent has started") };
    assert!(refused.status.code().is_some_and(|code| code != 0), "{}", refused.status);
    let told = refused.log.lines().any(|line| names.iter().all(|name| line.contains(name)));
    assert!(told, "no line names {names:?} in\n{}", refused.log);
    assert!(!refused.log.contains("panicked"), "{}", refused.log);
}

/// `--initial-config`: the content of an empty datastore.
#[test]
fn initial_configuration_fills_an_empty_datastore() {
    for document in [
        format!("<config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{NAMED}</config>"),
        format!("<?xml version=\"1.0\"?>\n{NAMED}\n"),
    ] {
        let agent = Agent::stopped(Settings::default());
        let path = agent.path("initial.xml");
        std::fs::write(&path, document).expect("a file");
        let mut agent = agent.with_arguments(&["--initial-config", &path.to_string_lossy()]);
        agent.run();
        let mut session = agent.session();
        session.holds("running", NAMED);
        // It is ignored when there is something.
        session.edit("running", "<top xmlns=\"urn:quorate:test\"><name>b</name></top>").ok();
        agent.crash();
        agent.session().holds("running", "<top xmlns=\"urn:quorate:test\"><name>b</name></top>");
    }
}

/// `--initial-config` that is not valid: refused with the reason, and nothing is kept of it.
#[test]
fn an_invalid_initial_configuration_is_refused() {
    for (document, reason) in [
        (
            "<bounds xmlns=\"urn:quorate:test\"><low>2</low><high>1</high></bounds>",
            "high is below low",
        ),
        ("<nowhere xmlns=\"urn:quorate:test\"/>", "nowhere"),
        ("<top xmlns=\"urn:quorate:test\">", "initial.xml"),
    ] {
        let agent = Agent::stopped(Settings::default());
        let path = agent.path("initial.xml");
        std::fs::write(&path, document).expect("a file");
        let mut agent = agent.with_arguments(&["--initial-config", &path.to_string_lossy()]);
        let started = agent.try_run();
        let Err(refused) = started else { panic!("{document} was accepted") };
        assert!(refused.log.contains(reason), "{reason} is not in\n{}", refused.log);
        assert!(!refused.status.success());
        std::fs::write(&path, NAMED).expect("a file");
        agent.run();
        agent.session().holds("running", NAMED);
    }
}

/// A model that is not well-formed: one error that names file, line and reason.
#[test]
fn a_malformed_model_is_named_with_its_line() {
    let broken =
        "module broken {\n  namespace \"urn:broken\";\n  prefix b;\n  leaf x { tipe string; }\n}\n";
    bad_model(broken, "tipe");
}

/// A model that means nothing: one error that names file, line and reason.
#[test]
fn a_meaningless_model_is_named_with_its_line() {
    let broken = "module broken {\n  namespace \"urn:broken\";\n  prefix b;\n  leaf x { type nonsense; }\n}\n";
    bad_model(broken, "nonsense");
}

/// The fault stands in line 4.
#[track_caller]
fn bad_model(model: &str, reason: &str) {
    let agent = Agent::stopped(Settings::default());
    let directory = agent.path("models");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join("broken.yang"), model).expect("a file");
    let directory = directory.to_string_lossy().into_owned();
    let mut agent = agent.with_arguments(&["--yang-dir", &directory, "--module", "broken"]);
    let Err(refused) = agent.try_run() else { panic!("the agent has started") };
    assert!(!refused.status.success());
    for part in ["broken.yang", reason] {
        assert!(refused.log.contains(part), "{part} is not in\n{}", refused.log);
    }
    assert!(
        refused.log.contains("broken.yang:4") || refused.log.contains("line 4"),
        "no line in\n{}",
        refused.log
    );
}

/// A module or feature that is not there.
#[test]
fn unknown_modules_and_features_are_named() {
    refuses(Agent::try_start(arguments(&["--module", "not-there"])), &["not-there"]);
    refuses(
        Agent::try_start(arguments(&["--module", "quorate-test@1999-01-01"])),
        &["quorate-test"],
    );
    refuses(Agent::try_start(arguments(&["--feature", "quorate-test:none"])), &["none"]);
    refuses(Agent::try_start(arguments(&["--yang-dir", "/does/not/exist"])), &["/does/not/exist"]);
}

/// `--feature MODULE:*` switches all of a module on.
#[test]
fn a_star_means_all_features() {
    let agent = Agent::start_with(arguments(&["--feature", "quorate-test:*"]));
    let mut session = agent.session();
    let both = "<top xmlns=\"urn:quorate:test\"><hidden>x</hidden><shown>y</shown></top>";
    session.edit("running", both).ok();
}

/// A misspelt key of the file, a file that is no TOML, a file that is not there.
#[test]
fn a_bad_configuration_file_is_named() {
    for file in ["data-dirr = \"/tmp\"\n", "[sessions\n", "[sessions]\nmax = -1\n"] {
        let settings = Settings { file: file.to_owned(), ..Settings::default() };
        let Err(refused) = Agent::try_start(settings) else { panic!("{file} was accepted") };
        assert!(!refused.status.success());
        assert!(refused.log.contains("quorate.toml"), "{}", refused.log);
    }
    refuses(Agent::try_start(arguments(&["--ssh", "nonsense"])), &["nonsense"]);
}

/// An address in use is told before anything is half open.
#[test]
fn an_address_in_use_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    refuses(Agent::try_start(arguments(&["--ssh", &address])), &[&address]);
}

/// The data directory belongs to one agent at a time.
#[test]
fn a_data_directory_in_use_is_refused() {
    let agent = Agent::start();
    let data = agent.path("data").to_string_lossy().into_owned();
    let Err(refused) = Agent::try_start(arguments(&["--data-dir", &data])) else {
        panic!("two agents on one directory");
    };
    assert!(!refused.status.success());
    assert!(refused.log.contains(&data), "{}", refused.log);
    agent.session().edit("running", NAMED).ok();
}

/// A host key that is none, that others may read, that is encrypted, too short, of a kind that is not offered or there
/// twice.
#[test]
fn a_bad_host_key_is_named() {
    let agent = Agent::stopped(Settings::default());
    let key = |name: &str, arguments: &[&str]| {
        let path = agent.path(name);
        let mut command = std::process::Command::new("ssh-keygen");
        let status = command.args(arguments).arg("-q").arg("-f").arg(&path).status();
        assert!(status.expect("ssh-keygen").success());
        path.to_string_lossy().into_owned()
    };
    let none = agent.path("none");
    std::fs::write(&none, "no key").expect("a file");
    std::fs::set_permissions(&none, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let none = none.to_string_lossy().into_owned();
    let open = key("open", &["-t", "ecdsa", "-N", ""]);
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let encrypted = key("encrypted", &["-t", "ecdsa", "-N", "secret"]);
    let short = key("short", &["-t", "rsa", "-b", "1024", "-N", ""]);
    let good = key("good", &["-t", "ecdsa", "-N", ""]);
    let twin = key("twin", &["-t", "ecdsa", "-N", ""]);
    let missing = agent.path("missing").to_string_lossy().into_owned();
    for (keys, why) in [
        (vec![&none], "no private key"),
        (vec![&open], "can be read by others"),
        (vec![&encrypted], "encrypted"),
        (vec![&short], "1024 bits"),
        (vec![&good, &short], "1024 bits"),
        (vec![&good, &twin], "both ecdsa-sha2-nistp256"),
        (vec![&good, &missing], "cannot read"),
    ] {
        let named = (*keys.last().expect("a key")).clone();
        let file = format!("[ssh]\nhost-keys = {keys:?}\n");
        let settings =
            Settings { file, ssh: crate::support::agent::Ssh::On, ..Settings::default() };
        refuses(Agent::try_start(settings), &[&named, why]);
    }
}

/// A log that is damaged in its middle is not cut: the agent refuses to start.
#[test]
fn a_damaged_log_is_refused() {
    let mut agent = Agent::start();
    let mut session = agent.session();
    for n in 0..50 {
        let server = format!("<server xmlns=\"urn:quorate:test\"><name>s{n:03}</name></server>");
        session.ok(&edit_config("running", "", &server));
    }
    agent.kill();
    let mut damaged = 0;
    for file in files_below(&agent.path("data")) {
        let mut bytes = std::fs::read(&file).expect("a file");
        // The bytes of an early entry, while later ones stay as they are.
        if let Some(at) = bytes.windows(4).position(|window| window == b"s010") {
            bytes[at] ^= 1;
            std::fs::write(&file, bytes).expect("a file");
            damaged += 1;
        }
    }
    assert!(damaged > 0, "the entry is nowhere in the data directory");
    let Err(refused) = agent.try_run() else { panic!("a damaged log was accepted") };
    assert!(!refused.status.success());
    assert!(!refused.log.contains("panicked"), "{}", refused.log);
}

fn files_below(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files
}

/// SIGTERM: requests that were sent are answered, then sessions are closed, the code is 0, and all is there.
#[test]
fn sigterm_ends_cleanly() {
    let mut agent = Agent::start();
    let mut session = agent.session();
    session.ok(&edit_config("running", "", NAMED));
    let status = agent.terminate();
    assert!(status.success(), "{status}\n{}", agent.log());
    session.wire.closes();
    agent.run();
    agent.session().holds("running", NAMED);
}

/// SIGTERM does not wait for a client that does nothing, nor for half a request.
#[test]
fn sigterm_does_not_wait_for_idle_clients() {
    let mut agent = Agent::start();
    let idle = agent.session();
    let mut half = agent.session();
    half.wire.send(b"\n#1000\n<rpc");
    let silent = agent.connect();
    assert!(agent.terminate().success());
    drop((idle, half, silent));
}

/// Each line of the log is a JSON object with `--log-format json`, from the first to why the agent ended.
#[test]
fn a_log_in_json_is_one_object_a_line() {
    let mut agent = Agent::start_with(arguments(&["--log-format", "json"]));
    let pid = agent.pid();
    let data = agent.path("data").to_string_lossy().into_owned();
    let second = arguments(&["--log-format", "json", "--data-dir", &data]);
    let Err(refused) = Agent::try_start(second) else { panic!("two agents on one directory") };
    assert_eq!(refused.status.code(), Some(1));
    assert!(agent.terminate().success());
    let ended = json_lines(&agent.log());
    let stopped = ended.iter().find(|line| line["fields"]["signal"] == "SIGTERM");
    let stopped = stopped.expect("the line of the signal");
    assert_eq!(stopped["level"], "INFO");
    assert_eq!(stopped["target"], "quorate::daemon");
    assert_eq!(stopped["fields"]["message"], "asked to end; sessions are finished");
    let why = json_lines(&refused.log).pop().expect("a line");
    assert_eq!(why["level"], "ERROR");
    let message = why["fields"]["message"].as_str().expect("a text");
    assert!(message.contains(&format!("is used by process {pid}")), "{message}");
}

/// The lines of a log, each of them an object with the members that all have.
#[track_caller]
fn json_lines(log: &str) -> Vec<serde_json::Value> {
    let line = |line: &str| -> serde_json::Value {
        let object: serde_json::Value = serde_json::from_str(line).expect(line);
        let timestamp = object["timestamp"].as_str().expect("a timestamp");
        assert!(timestamp.contains('T') && timestamp.ends_with('Z'), "RFC 3339: {timestamp}");
        for member in ["level", "target"] {
            assert!(object[member].is_string(), "{line} has no {member}");
        }
        assert!(object["fields"].is_object(), "{line} has no fields");
        object
    };
    let lines: Vec<_> = log.lines().map(line).collect();
    assert!(!lines.is_empty());
    lines
}

/// Every subcommand explains itself.
#[test]
fn help_explains_the_flags() {
    let help = |arguments: &[&str]| -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_quorate"));
        let output = command.args(arguments).output().expect("a process");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let text = help(&["run", "--help"]);
    for flag in [
        "--config",
        "--data-dir",
        "--yang-dir",
        "--module",
        "--feature",
        "--ssh",
        "--unix",
        "--initial-config",
    ] {
        assert!(text.contains(flag), "{flag}: {text}");
        assert!(text.contains(&format!("QUORATE_{}", flag[2..].replace('-', "_").to_uppercase())));
    }
    assert!(help(&["netconf", "--help"]).contains("--socket"));
    assert!(help(&["--version"]).contains("quorate"));
}
