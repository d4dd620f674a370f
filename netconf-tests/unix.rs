//! The local socket, and `quorate netconf`, which joins standard input and output to it.

use crate::support::agent::{Agent, Settings};
use crate::support::session::{Session, Speaks};
use crate::support::wire::Wire;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::Command;

fn quorate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_quorate"))
}

fn join(agent: &Agent) -> Wire {
    Wire::command(quorate().arg("netconf").arg("--socket").arg(agent.socket())).expect("a process")
}

/// The peer's account is the user of the session.
#[test]
fn the_peers_account_is_the_user() {
    let agent = Agent::start();
    let mut session = agent.session();
    let reply = session.request(
        "<get><filter><netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\">\
         <sessions/></netconf-state></filter></get>",
    );
    let sessions = reply.data().child("netconf-state").child("sessions");
    let user = sessions.child("session").value("username").expect("a user");
    let account = Command::new("id").arg("-un").output().expect("id");
    assert_eq!(user, String::from_utf8_lossy(&account.stdout).trim());
}

/// The variable that tells the agent its socket tells `quorate netconf`, too.
#[test]
fn the_socket_can_be_told_by_a_variable() {
    let agent = Agent::start();
    let mut command = quorate();
    command.arg("netconf").env("QUORATE_UNIX", agent.socket());
    Session::open(Wire::command(&mut command).expect("a process"), Speaks::Base11).close();
}

/// Only who may open the socket is a user: its mode is the configured one.
#[test]
fn the_socket_has_the_configured_mode() {
    for (file, mode) in [("", 0o660), ("[unix]\nmode = \"0600\"\n", 0o600)] {
        let agent = Agent::start_with(Settings { file: file.to_owned(), ..Settings::default() });
        let metadata = std::fs::metadata(agent.socket()).expect("the socket");
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
    }
}

/// A socket that a killed agent left is replaced; the socket of a living one is not.
#[test]
fn a_stale_socket_is_replaced() {
    let mut agent = Agent::start();
    agent.kill();
    assert!(agent.socket().exists());
    agent.run();
    agent.session().close();
    let second = Settings {
        arguments: vec!["--unix".into(), agent.socket().to_string_lossy().into_owned()],
        ..Settings::default()
    };
    let Err(refused) = Agent::try_start(second) else {
        panic!("two agents on one socket");
    };
    assert!(!refused.status.success());
    agent.session().close();
}

/// A clean end takes the socket away.
#[test]
fn a_clean_end_removes_the_socket() {
    let mut agent = Agent::start();
    assert!(agent.terminate().success());
    assert!(!agent.socket().exists());
}

/// `quorate netconf` is a pipe to the agent: all that a client does works through it.
#[test]
fn quorate_netconf_joins_a_script_to_the_agent() {
    let agent = Agent::start();
    for speaks in [Speaks::Base10, Speaks::Base11] {
        let mut session = Session::open(join(&agent), speaks);
        let text = "é漢🦀".repeat(100_000);
        session.set_running(&format!("<order xmlns=\"urn:quorate:test\">{text}</order>"));
        let reply = session.request("<get-config><source><running/></source></get-config>");
        assert_eq!(reply.data().child("order").text, text);
        session.ok("<close-session/>");
        session.wire.closes();
        assert_eq!(session.wire.exit_code(), Some(0));
    }
}

/// At the end of its input it lets the agent finish and ends well.
#[test]
fn quorate_netconf_ends_with_its_input() {
    let agent = Agent::start();
    let mut session = Session::open(join(&agent), Speaks::Base11);
    let id = session.send("<get-config><source><running/></source></get-config>");
    session.wire.end_of_input();
    session.reply_to(&id).data();
    session.wire.closes();
    assert_eq!(session.wire.exit_code(), Some(0));
}

/// Without an agent there is one line that says so, and a code that scripts see.
#[test]
fn quorate_netconf_without_an_agent_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = quorate()
        .arg("netconf")
        .arg("--socket")
        .arg(directory.path().join("nobody"))
        .output()
        .expect("a process");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let message = String::from_utf8(output.stderr).expect("text");
    assert!(message.contains("nobody"), "{message}");
    assert_eq!(message.trim().lines().count(), 1, "{message}");
}

/// A session that the agent refuses is an error, not an empty one.
#[test]
fn quorate_netconf_tells_that_it_is_refused() {
    let file = "[sessions]\nmax = 1\n".to_owned();
    let agent = Agent::start_with(Settings { file, ..Settings::default() });
    let first = agent.session();
    let mut command = quorate();
    command.arg("netconf").arg("--socket").arg(agent.socket());
    let output = command.output().expect("a process");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let message = String::from_utf8(output.stderr).expect("text");
    assert!(message.contains("refused"), "{message}");
    assert_eq!(message.trim().lines().count(), 1, "{message}");
    first.close();
}

/// The agent's death ends the pipe.
#[test]
fn quorate_netconf_ends_with_the_agent() {
    let mut agent = Agent::start();
    let mut session = Session::open(join(&agent), Speaks::Base11);
    agent.kill();
    session.wire.rest();
    session.wire.exit_code();
}
