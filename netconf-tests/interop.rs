//! Other people's clients: ncclient and netconf-console2, from the virtual environment `.venv` of the repository, and
//! OpenSSH with bytes made by hand.
//!
//! The environment is made by `tools/check`, or by hand:
//! `python3 -m venv .venv && .venv/bin/pip install -r netconf-tests/requirements.txt`.
//! Where there is no Python, `QUORATE_INTEROP=skip` leaves these tests out, loudly.

use crate::support::agent::{Agent, PASSWORD, PASSWORD_HASH, Settings, Ssh, root};
use crate::support::wire::Wire;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const USER: &str = "admin";

/// A program of the virtual environment, or `None` where interop is left out.
fn program(name: &str) -> Option<PathBuf> {
    if std::env::var("QUORATE_INTEROP").is_ok_and(|value| value == "skip") {
        eprintln!("QUORATE_INTEROP=skip: NOT TESTED with {name}");
        return None;
    }
    let path = root().join(".venv/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: python3 -m venv .venv && .venv/bin/pip install -r \
         netconf-tests/requirements.txt (or set QUORATE_INTEROP=skip)",
        path.display()
    );
    Some(path)
}

fn agent() -> Agent {
    let file = format!("[[users]]\nname = {USER:?}\npassword-hash = {PASSWORD_HASH:?}\n");
    Agent::start_with(Settings { file, ssh: Ssh::On, ..Settings::default() })
}

#[test]
fn ncclient_works() {
    let Some(python) = program("python") else { return };
    let agent = agent();
    let output = Command::new(python)
        .arg(root().join("netconf-tests/interop/with_ncclient.py"))
        .args([&agent.ssh_port().to_string(), USER, PASSWORD])
        .output()
        .expect("python");
    assert!(output.status.success(), "{}", told(&output));
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// `netconf-console2` with some commands; what it prints, if it ends well.
#[track_caller]
fn console(agent: &Agent, arguments: &[&str]) -> Result<String, String> {
    let program = program("netconf-console2").expect("asked before");
    let output = Command::new(program)
        .args(["--host", "127.0.0.1", "--port", &agent.ssh_port().to_string()])
        .args(["-u", USER, "-p", PASSWORD])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("netconf-console2");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).expect("UTF-8")),
        false => Err(told(&output)),
    }
}

#[test]
fn netconf_console2_works() {
    if program("netconf-console2").is_none() {
        return;
    }
    let agent = agent();
    let write = |name: &str, content: &str| -> String {
        let path = agent.path(name);
        std::fs::write(&path, content).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let edit = write("edit.xml", "<top xmlns=\"urn:quorate:test\"><name>console</name></top>");
    let wrong = write("wrong.xml", "<top xmlns=\"urn:quorate:test\"><size>0</size></top>");
    let ok = |arguments: &[&str], contains: &str| {
        let printed = console(&agent, arguments);
        let good = printed.as_ref().is_ok_and(|text| text.contains(contains));
        assert!(good, "{arguments:?}: {printed:?}");
    };
    for version in ["1.0", "1.1"] {
        ok(&["-v", version, "--hello"], "urn:ietf:params:netconf:capability:candidate:1.0");
        ok(&["-v", version, "--get"], "netconf-state");
        ok(&["-v", version, "--edit-config", &edit, "--db", "candidate"], "ok");
        ok(&["-v", version, "--validate", "candidate"], "ok");
        ok(&["-v", version, "--commit"], "ok");
        let filter = ["-v", version, "--ns", "t=urn:quorate:test", "--filter", "/t:top"];
        ok(&[&filter[..], &["--get-config"]].concat(), "<name>console</name>");
        ok(&["-v", version, "--get-schema", "quorate-test"], "module quorate-test");
    }
    ok(&["--lock", "--db", "candidate", "--edit-config", &edit, "--unlock"], "ok");
    ok(&["--edit-config", &edit, "--db", "running"], "ok");
    let refused = console(&agent, &["--edit-config", &wrong, "--db", "candidate"]);
    let told = refused.expect_err("an invalid value");
    assert!(told.contains("invalid-value"), "{told}");
}

/// OpenSSH's client and bytes as a person types them, in both framings.
#[test]
fn openssh_with_bytes_made_by_hand() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = directory.path().join("key");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-t", "ed25519", "-f"])
        .arg(&key)
        .status()
        .expect("ssh-keygen");
    assert!(status.success());
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
    let file = format!("[[users]]\nname = {USER:?}\nauthorized-keys = [{:?}]\n", public.trim());
    let agent = Agent::start_with(Settings { file, ssh: Ssh::On, ..Settings::default() });
    let connect = || {
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-s", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]);
        command.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        command.args(["-o", "IdentityAgent=none", "-i"]).arg(&key);
        command.args(["-p", &agent.ssh_port().to_string()]);
        command.args([&format!("{USER}@127.0.0.1"), "netconf"]);
        Wire::command(&mut command).expect("ssh")
    };
    let hello = |base: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n <capabilities>\n  \
             <capability>urn:ietf:params:netconf:base:{base}</capability>\n \
             </capabilities>\n</hello>\n]]>]]>\n"
        )
    };
    let request = "<rpc message-id=\"101\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  \
                   <close-session/>\n</rpc>\n";
    let mut old = connect();
    old.send(hello("1.0").as_bytes());
    assert!(old.until(b"]]>]]>").is_some());
    old.send(format!("{request}]]>]]>\n").as_bytes());
    let reply = old.until(b"]]>]]>").expect("a reply");
    assert!(String::from_utf8_lossy(&reply).contains("<ok/>"));
    old.closes();
    assert_eq!(old.exit_code(), Some(0));
    let mut new = connect();
    new.send(hello("1.1").as_bytes());
    assert!(new.until(b"]]>]]>").is_some());
    new.send(
        format!("\n#4\n{}\n#{}\n{}\n##\n", &request[..4], request.len() - 4, &request[4..])
            .as_bytes(),
    );
    let reply = new.until(b"\n##\n").expect("a reply");
    assert!(String::from_utf8_lossy(&reply).contains("<ok/>"));
    new.closes();
    assert_eq!(new.exit_code(), Some(0));
}
