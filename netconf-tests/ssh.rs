//! RFC 6242 over SSH (RFC 4252 to 4254), with OpenSSH's client where what it does matters.

use crate::support::agent::{Agent, PASSWORD, PASSWORD_HASH, Settings, Ssh};
use crate::support::session::{Session, Speaks};
use crate::support::ssh::Client;
use crate::support::wire::Wire;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Keys of a user, made for one test.
pub(crate) struct Keys {
    directory: tempfile::TempDir,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, kind) in
            [("ed25519", "ed25519"), ("rsa", "rsa"), ("ecdsa", "ecdsa"), ("stranger", "ed25519")]
        {
            let status = Command::new("ssh-keygen")
                .args(["-q", "-N", "", "-t", kind, "-f"])
                .arg(directory.path().join(name))
                .status()
                .expect("ssh-keygen");
            assert!(status.success());
        }
        Self { directory }
    }

    pub(crate) fn private(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn public(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.private(name).with_extension("pub"));
        text.expect("a public key").trim().to_owned()
    }
}

/// An agent with one user `keys`, who has three keys, and one user `pass`, who has a password.
fn agent(keys: &Keys, more: &str) -> Agent {
    let file = format!(
        "{more}\n[[users]]\nname = \"keys\"\nauthorized-keys = [{:?}, {:?}, {:?}]\n\
         [[users]]\nname = \"pass\"\npassword-hash = {PASSWORD_HASH:?}\n",
        keys.public("ed25519"),
        keys.public("rsa"),
        keys.public("ecdsa"),
    );
    Agent::start_with(Settings { file, ssh: Ssh::On, ..Settings::default() })
}

/// OpenSSH's client for one user with one key, and nothing of the machine's configuration.
fn ssh(agent: &Agent, user: &str, key: &Path) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    command.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]);
    command.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
    command.arg("-i").arg(key).arg("-p").arg(agent.ssh_port().to_string());
    command.arg("-l").arg(user);
    command
}

pub(crate) fn netconf(agent: &Agent, user: &str, key: &Path) -> Wire {
    let mut command = ssh(agent, user, key);
    command.args(["-s", "127.0.0.1", "netconf"]);
    Wire::command(&mut command).expect("ssh")
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("a process")
}

/// RFC 4252, 7: keys of every common kind; RFC 6242, 3: the subsystem `netconf`; both framings.
#[test]
fn a_user_logs_in_with_a_key() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    for key in ["ed25519", "rsa", "ecdsa"] {
        for speaks in [Speaks::Base10, Speaks::Base11] {
            let mut session = Session::open(netconf(&agent, "keys", &keys.private(key)), speaks);
            session.request("<get-config><source><running/></source></get-config>").data();
            session.ok("<close-session/>");
            session.wire.closes();
            assert_eq!(session.wire.exit_code(), Some(0), "ssh ends well");
        }
    }
}

/// RFC 4252: a key that is not configured, a user that is not, a user without keys.
#[test]
fn strangers_are_refused() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    for (user, key) in
        [("keys", "stranger"), ("nobody", "ed25519"), ("pass", "ed25519"), ("", "ed25519")]
    {
        let output =
            run(ssh(&agent, user, &keys.private(key)).args(["-s", "127.0.0.1", "netconf"]));
        assert_eq!(output.status.code(), Some(255), "{user} with {key}");
        assert!(output.stdout.is_empty());
    }
}

/// RFC 4252, 8, and RFC 4256: a password, by both methods.
#[test]
fn a_user_logs_in_with_a_password() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    let helper = agent.path("askpass");
    for (password, method, good) in [
        (PASSWORD, "password", true),
        (PASSWORD, "keyboard-interactive", true),
        ("wrong", "password", false),
        ("wrong", "keyboard-interactive", false),
        ("", "password", false),
    ] {
        std::fs::write(&helper, format!("#!/bin/sh\necho '{password}'\n")).expect("a file");
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o700)).expect("a mode");
        let mut command = Command::new("ssh");
        // Of an option given twice, OpenSSH takes the first.
        command.args(["-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1"]);
        command.args(["-o", "PubkeyAuthentication=no", "-o"]);
        command.arg(format!("PreferredAuthentications={method}"));
        command.args(ssh(&agent, "pass", Path::new("/dev/null")).get_args());
        command.args(["-s", "127.0.0.1", "netconf"]);
        command.env("SSH_ASKPASS", &helper).env("SSH_ASKPASS_REQUIRE", "force");
        if good {
            let mut session =
                Session::open(Wire::command(&mut command).expect("ssh"), Speaks::Base11);
            session.request("<get-config><source><running/></source></get-config>").data();
            session.ok("<close-session/>");
        } else {
            assert_eq!(run(&mut command).status.code(), Some(255), "{method} with {password:?}");
        }
    }
}

/// Whoever guesses passwords waits, on whatever connection; a key, and everybody else, does not. The right password
/// ends the waiting.
#[test]
fn a_source_that_guesses_passwords_waits() {
    const GUESSES: u32 = 6;
    // Two failures are free, then it is a quarter of a second, and twice as long with each one more.
    const DELAY: Duration = Duration::from_millis(250 << (GUESSES - 3));
    let keys = Keys::new();
    let agent = agent(&keys, "");
    let port = agent.ssh_port();
    let source = Ipv4Addr::LOCALHOST;
    let other_source = Ipv4Addr::new(127, 0, 0, 2);
    let guess = || Client::connect(port, source).password("pass", "wrong");
    let began = Instant::now();
    // All at once, so that few of them wait.
    std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..GUESSES).map(|_| scope.spawn(guess)).collect();
        assert!(guesses.into_iter().all(|guess| !guess.join().expect("a guess")));
    });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Client::connect(port, source).password("pass", PASSWORD));
        let mut other = Client::connect(port, other_source);
        assert!(other.password("pass", PASSWORD));
        Session::open(other.netconf(), Speaks::Base11).close();
        assert!(Client::connect(port, source).key("keys", &keys.private("ed25519")));
        assert!(!waiting.is_finished(), "others logged in while it waits");
        assert!(waiting.join().expect("an attempt"), "it waits, and is not locked out");
    });
    assert!(began.elapsed() >= DELAY, "{:?}", began.elapsed());
    let again = Instant::now();
    assert!(!guess());
    assert!(Client::connect(port, source).password("pass", PASSWORD));
    // With what was before the delay would be twice as long.
    assert!(again.elapsed() < 2 * DELAY, "forgotten, but it took {:?}", again.elapsed());
}

/// Nothing but the subsystem is there: no shell, no command, no terminal, no other subsystem, no forwarding.
#[test]
fn nothing_but_the_subsystem_is_offered() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    let key = keys.private("ed25519");
    let mut shell = ssh(&agent, "keys", &key);
    shell.arg("127.0.0.1");
    let mut execute = ssh(&agent, "keys", &key);
    execute.args(["127.0.0.1", "id"]);
    let mut sftp = ssh(&agent, "keys", &key);
    sftp.args(["-s", "127.0.0.1", "sftp"]);
    let mut forward = ssh(&agent, "keys", &key);
    forward.args(["-W", "127.0.0.1:1", "127.0.0.1"]);
    for command in [&mut shell, &mut execute, &mut sftp, &mut forward] {
        let output = run(command);
        assert!(!output.status.success(), "{command:?}");
        assert!(
            output.stdout.is_empty(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    // An environment that is sent is ignored.
    let mut command = ssh(&agent, "keys", &key);
    command.env("LC_ALL", "C").args(["-o", "SendEnv=LC_ALL", "-s", "127.0.0.1", "netconf"]);
    let mut session = Session::open(Wire::command(&mut command).expect("ssh"), Speaks::Base11);
    session.ok("<close-session/>");
}

/// RFC 6242, 3: several channels of one connection are several sessions.
#[test]
fn channels_of_one_connection_are_sessions() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    let control = agent.path("control");
    let key = keys.private("ed25519");
    let share = |command: &mut Command| {
        command.arg("-o").arg(format!("ControlPath={}", control.display()));
        command.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=no"]);
        command.args(["-s", "127.0.0.1", "netconf"]);
    };
    let mut first = ssh(&agent, "keys", &key);
    share(&mut first);
    let mut first = Session::open(Wire::command(&mut first).expect("ssh"), Speaks::Base11);
    let mut others: Vec<Session> = (0..3)
        .map(|_| {
            let mut command = ssh(&agent, "keys", &key);
            share(&mut command);
            Session::open(Wire::command(&mut command).expect("ssh"), Speaks::Base11)
        })
        .collect();
    let mut ids: Vec<u32> = others.iter().map(|session| session.id).collect();
    ids.push(first.id);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    first.ok("<lock><target><candidate/></target></lock>");
    others[0].request("<lock><target><candidate/></target></lock>").fails_with("lock-denied");
    let last = others.pop().expect("a session");
    last.close();
    others[0].request("<get-config><source><running/></source></get-config>").data();
    first.request("<get-config><source><running/></source></get-config>").data();
}

/// The host key is made at the first start, for its owner alone, and stays.
#[test]
fn the_host_key_stays() {
    let keys = Keys::new();
    let mut agent = agent(&keys, "");
    let scan = |agent: &Agent| -> String {
        let output = Command::new("ssh-keyscan")
            .args(["-t", "ed25519", "-p", &agent.ssh_port().to_string(), "127.0.0.1"])
            .output()
            .expect("ssh-keyscan");
        let text = String::from_utf8(output.stdout).expect("text");
        text.split_whitespace().last().expect("a key").to_owned()
    };
    let key = scan(&agent);
    let file = agent.path("data/ssh_host_key");
    let mode = std::fs::metadata(&file).expect("the host key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    agent.crash();
    assert_eq!(scan(&agent), key);
}

/// RFC 5656 and RFC 8332: every kind of host key that is configured is offered and proven, RSA with SHA-2 alone, and no
/// other kind.
#[test]
fn host_keys_of_every_kind_are_offered() {
    let keys = Keys::new();
    let directory = tempfile::tempdir().expect("a directory");
    let host_key = |name: &str, arguments: &[&str]| {
        let path = directory.path().join(name);
        let mut command = Command::new("ssh-keygen");
        let status = command.args(arguments).args(["-q", "-N", "", "-f"]).arg(&path).status();
        assert!(status.expect("ssh-keygen").success());
        path
    };
    let ed25519 = host_key("ed25519", &["-t", "ed25519"]);
    let p256 = host_key("p256", &["-t", "ecdsa", "-b", "256"]);
    let p384 = host_key("p384", &["-t", "ecdsa", "-b", "384"]);
    let p521 = host_key("p521", &["-t", "ecdsa", "-b", "521"]);
    let rsa = host_key("rsa", &["-t", "rsa", "-b", "2048"]);
    let all = [&ed25519, &p256, &p384, &p521, &rsa];
    let agent = agent(&keys, &format!("[ssh]\nhost-keys = {all:?}\n"));
    let choose = |algorithm: &str, known: &Path| {
        let public = std::fs::read_to_string(known.with_extension("pub")).expect("a public key");
        let hosts = directory.path().join("known_hosts");
        let line = format!("[127.0.0.1]:{} {public}", agent.ssh_port());
        std::fs::write(&hosts, line).expect("a file");
        let mut command = Command::new("ssh");
        // Of an option given twice, OpenSSH takes the first.
        command.args(["-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=INFO", "-o"]);
        command.arg(format!("UserKnownHostsFile={}", hosts.display()));
        command.arg("-o").arg(format!("HostKeyAlgorithms={algorithm}"));
        command.args(ssh(&agent, "keys", &keys.private("ed25519")).get_args());
        command.args(["-s", "127.0.0.1", "netconf"]);
        command
    };
    for (algorithm, known) in [
        ("ssh-ed25519", &ed25519),
        ("ecdsa-sha2-nistp256", &p256),
        ("ecdsa-sha2-nistp384", &p384),
        ("ecdsa-sha2-nistp521", &p521),
        ("rsa-sha2-256", &rsa),
        ("rsa-sha2-512", &rsa),
    ] {
        let wire = Wire::command(&mut choose(algorithm, known)).expect("ssh");
        Session::open(wire, Speaks::Base11).close();
    }
    let refused = |algorithm: &str, known: &Path, why: &str| {
        let output = run(&mut choose(algorithm, known));
        assert_eq!(output.status.code(), Some(255), "{algorithm}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(why), "{algorithm}: {said}");
    };
    refused("ssh-rsa", &rsa, "no matching host key type");
    refused("ssh-ed25519", &p256, "Host key verification failed");
}

/// A file of authorized keys is read at each login.
#[test]
fn a_file_of_authorized_keys_is_read_at_each_login() {
    let keys = Keys::new();
    let path = keys.private("authorized");
    std::fs::write(&path, format!("# a comment\n\n{}\n", keys.public("rsa"))).expect("a file");
    let file = format!("[[users]]\nname = \"file\"\nauthorized-keys-file = {:?}\n", path);
    let agent = Agent::start_with(Settings { file, ssh: Ssh::On, ..Settings::default() });
    Session::open(netconf(&agent, "file", &keys.private("rsa")), Speaks::Base11).close();
    let refused =
        run(ssh(&agent, "file", &keys.private("ecdsa")).args(["-s", "127.0.0.1", "netconf"]));
    assert_eq!(refused.status.code(), Some(255));
    std::fs::write(&path, format!("restrict {}\n", keys.public("ecdsa"))).expect("a file");
    Session::open(netconf(&agent, "file", &keys.private("ecdsa")), Speaks::Base11).close();
    let refused =
        run(ssh(&agent, "file", &keys.private("rsa")).args(["-s", "127.0.0.1", "netconf"]));
    assert_eq!(refused.status.code(), Some(255));
}

/// RFC 6022, 2.1.4: where a session comes from.
#[test]
fn sessions_over_ssh_are_listed_with_their_source() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    let mut session =
        Session::open(netconf(&agent, "keys", &keys.private("ed25519")), Speaks::Base11);
    let reply = session.request(
        "<get><filter><netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\">\
         <sessions/></netconf-state></filter></get>",
    );
    let own = reply.data().child("netconf-state").child("sessions").child("session").clone();
    assert_eq!(own.value("username").as_deref(), Some("keys"));
    assert_eq!(own.value("source-host").as_deref(), Some("127.0.0.1"));
    assert_eq!(own.child("transport").canonical_text(), "ncm:netconf-ssh");
}

/// A large reply, with characters of several bytes, through the window of SSH.
#[test]
fn large_replies_pass_through_ssh() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    let text = "é漢🦀x".repeat(500_000);
    agent.session().set_running(&format!("<order xmlns=\"urn:quorate:test\">{text}</order>"));
    for speaks in [Speaks::Base10, Speaks::Base11] {
        let mut session = Session::open(netconf(&agent, "keys", &keys.private("ed25519")), speaks);
        let reply = session.request("<get-config><source><running/></source></get-config>");
        assert_eq!(reply.data().child("order").text.len(), text.len());
        session.ok("<close-session/>");
        session.wire.closes();
        assert_eq!(session.wire.exit_code(), Some(0));
    }
}

/// RFC 4254, 5.2: a session that is refused says why where people see it, and is no success.
#[test]
fn a_refused_session_says_why() {
    let keys = Keys::new();
    let agent = agent(&keys, "[sessions]\nmax = 2\n");
    let open = [agent.session(), agent.session()];
    let key = keys.private("ed25519");
    let output = run(ssh(&agent, "keys", &key).args(["-s", "127.0.0.1", "netconf"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "quorate: 2 sessions are open already\n");
    open.into_iter().for_each(Session::close);
}

/// A client that vanishes leaves no lock; a killed session ends its ssh.
#[test]
fn lost_and_killed_ssh_sessions_end() {
    let keys = Keys::new();
    let agent = agent(&keys, "");
    let key = keys.private("ed25519");
    let mut observer = agent.session();
    let mut lost = Session::open(netconf(&agent, "keys", &key), Speaks::Base11);
    lost.ok("<lock><target><running/></target></lock>");
    drop(lost);
    crate::support::eventually("the lock is free", || {
        observer.request("<lock><target><running/></target></lock>").is_ok().then_some(())
    });
    let mut victim = Session::open(netconf(&agent, "keys", &key), Speaks::Base11);
    let id = victim.id;
    observer.ok(&format!("<kill-session><session-id>{id}</session-id></kill-session>"));
    victim.wire.closes();
}

/// Something that is no SSH client: it is closed, and nobody else notices.
#[test]
fn what_is_no_ssh_is_closed() {
    use std::io::{Read, Write};
    let keys = Keys::new();
    let agent = agent(&keys, "[ssh]\nauth-timeout-s = 1\n");
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"SSH-1.0-old\r\n", &[0xff; 100], b""] {
        let mut stream =
            std::net::TcpStream::connect(("127.0.0.1", agent.ssh_port())).expect("a port");
        stream.set_read_timeout(Some(crate::support::wire::PATIENCE)).expect("a timeout");
        stream.write_all(bytes).expect("sent");
        let mut rest = Vec::new();
        // Its end, by close or by reset.
        drop(stream.read_to_end(&mut rest));
        assert!(rest.is_empty() || rest.starts_with(b"SSH-2.0-"));
    }
    let key = keys.private("ed25519");
    Session::open(netconf(&agent, "keys", &key), Speaks::Base11).close();
}
