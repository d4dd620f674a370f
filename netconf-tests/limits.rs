//! Everything that can grow has a bound (RFC 6241, appendix A: too-big, resource-denied), and hostile input costs
//! the session that sends it, nobody else.

use crate::support::agent::{Agent, PASSWORD, PASSWORD_HASH, Settings, Ssh};
use crate::support::eventually;
use crate::support::session::{END_OF_MESSAGE, Session, Speaks};
use crate::support::ssh::Client;
use crate::support::wire::Wire;
use crate::support::xml::BASE;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const GET: &str = "<get-config><source><running/></source></get-config>";

fn with_sessions(settings: &str) -> Agent {
    Agent::start_with(Settings { file: format!("[sessions]\n{settings}\n"), ..Settings::default() })
}

/// Resident memory of a process in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kilobytes: u64 =
        line.trim().trim_end_matches("kB").trim().parse().expect("a number of kilobytes");
    kilobytes * 1024
}

/// Descriptors that a process has open.
fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process").count()
}

/// Sessions beyond the limit are refused, and a place that becomes free is given again.
#[test]
fn sessions_beyond_the_limit_are_refused() {
    let agent = with_sessions("max = 3");
    let mut open: Vec<Session> = (0..3).map(|_| agent.session()).collect();
    for _ in 0..3 {
        let rest = agent.connect().rest();
        let text = String::from_utf8(rest).unwrap();
        assert!(!text.contains("session-id"), "{text}");
    }
    open[0].request(GET).data();
    open.pop().expect("a session").close();
    let replacement = eventually("a place is free", || {
        let mut wire = agent.connect();
        wire.send(
            format!(
                "{}{END_OF_MESSAGE}",
                crate::support::session::hello(&[crate::support::session::BASE_10])
            )
            .as_bytes(),
        );
        wire.until(END_OF_MESSAGE.as_bytes()).map(|_| wire)
    });
    drop(replacement);
}

/// The sessions of the default are open at once over SSH, with more connections than the usual soft limit of descriptors
/// allows. Each is served, in little memory; one more is refused; when they have ended there is room again.
#[test]
fn a_thousand_ssh_sessions_are_served_at_once() {
    const CONNECTIONS: usize = 512;
    const SESSIONS: usize = 2 * CONNECTIONS;
    const SESSION_BYTES: u64 = 150_000;
    let agent = Agent::start_with(Settings {
        file: format!("[[users]]\nname = \"admin\"\npassword-hash = {PASSWORD_HASH:?}\n"),
        ssh: Ssh::On,
        runner: ["prlimit", "--nofile=256:4096"].map(str::to_owned).to_vec(),
        ..Settings::default()
    });
    let port = agent.ssh_port();
    let connect = || {
        let mut client = Client::connect(port, Ipv4Addr::LOCALHOST);
        assert!(client.password("admin", PASSWORD));
        client
    };
    let late = connect();
    Session::open(late.netconf(), Speaks::Base11).close();
    let (files, memory) = (open_files(agent.pid()), resident(agent.pid()));
    let clients: Vec<Client> = (0..CONNECTIONS).map(|_| connect()).collect();
    let mut sessions: Vec<Session> = (clients.iter().chain(&clients))
        .map(|client| Session::open(client.netconf(), Speaks::Base11))
        .collect();
    assert_eq!(sessions.len(), SESSIONS);
    for session in &mut sessions {
        session.request(GET).data();
    }
    let grown = resident(agent.pid()).saturating_sub(memory);
    assert!(grown < SESSIONS as u64 * SESSION_BYTES, "{grown} bytes for {SESSIONS} sessions");
    late.netconf().closes();
    agent.connect().closes();
    let lost = sessions.split_off(CONNECTIONS);
    sessions.into_iter().for_each(Session::close);
    let mut sessions: Vec<Session> =
        clients.iter().map(|client| Session::open(client.netconf(), Speaks::Base10)).collect();
    late.netconf().closes();
    sessions.iter_mut().for_each(|session| session.ok("<close-session/>"));
    drop((lost, clients));
    eventually("all connections are closed", || (open_files(agent.pid()) <= files).then_some(()));
    Session::open(late.netconf(), Speaks::Base11).close();
}

/// A connection that says nothing is closed when the time for its hello is over.
#[test]
fn a_client_without_a_hello_is_closed_in_time() {
    let agent = with_sessions("hello-timeout-s = 1");
    let began = Instant::now();
    let mut silent = agent.connect();
    let mut slow = agent.connect();
    slow.send(b"<hello xmlns=");
    let mut working = agent.session();
    Session::read_hello(&mut silent);
    silent.closes();
    Session::read_hello(&mut slow);
    slow.closes();
    assert!(began.elapsed() >= Duration::from_secs(1));
    working.request(GET).data();
}

/// A client that drips its hello byte by byte gains no time by it.
#[test]
fn a_dripping_hello_is_closed_in_time() {
    let agent = with_sessions("hello-timeout-s = 1");
    let began = Instant::now();
    let mut wire = agent.connect();
    Session::read_hello(&mut wire);
    eventually("the dripping client is closed", || {
        wire.send(b" ");
        wire.is_closed().then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// An idle session is closed where that is configured, and one that works is not.
#[test]
fn an_idle_session_is_closed_in_time() {
    let agent = with_sessions("idle-timeout-s = 1");
    let mut idle = agent.session();
    let mut working = agent.session();
    eventually("the idle session is closed", || {
        working.request(GET).data();
        idle.wire.is_closed().then_some(())
    });
    working.request(GET).data();
}

/// base/limits.rs: depth. Beyond it there is an error, and no stack that overflows.
#[test]
fn depth_is_limited() {
    let agent = Agent::start();
    for depth in [1_000_usize, 1_100, 100_000, 1_000_000] {
        let nested = format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        let filter = format!(
            "<get-config><source><running/></source><filter>{nested}</filter></get-config>"
        );
        let payload = format!(
            "<edit-config><target><candidate/></target><config>\
             <payload xmlns=\"urn:quorate:test\">{nested}</payload></config></edit-config>"
        );
        for operation in [filter, payload] {
            let mut session = agent.session();
            session.send(&operation);
            if let Some(answer) = session.read_message() {
                let reply = crate::support::reply::Reply::parse(answer);
                let answered = reply.is_ok() || reply.element.find("data").is_some();
                if depth > 1024 {
                    assert!(!answered, "{depth} levels are too many");
                }
                if !answered {
                    let tag = &reply.error().tag;
                    assert!(
                        ["too-big", "malformed-message", "operation-failed"]
                            .contains(&tag.as_str())
                    );
                }
            }
        }
    }
    agent.session().ok("<discard-changes/>");
}

/// base/limits.rs: attributes of one element.
#[test]
fn attributes_are_limited() {
    let agent = Agent::start();
    let attributes =
        |count: usize| -> String { (0..count).map(|n| format!(" a{n}=\"x\"")).collect() };
    let mut session = agent.session();
    session.send_message(&format!(
        "<rpc xmlns=\"{BASE}\" message-id=\"1\"{}>{GET}</rpc>",
        attributes(60)
    ));
    assert_eq!(session.reply_to("1").element.attributes.len(), 61);
    for count in [65, 10_000] {
        let mut session = agent.session();
        session.send_message(&format!(
            "<rpc xmlns=\"{BASE}\" message-id=\"1\"{}>{GET}</rpc>",
            attributes(count)
        ));
        if let Some(answer) = session.read_message() {
            let tag = crate::support::reply::Reply::parse(answer).error().tag;
            assert!(["too-big", "malformed-message", "unknown-attribute"].contains(&tag.as_str()));
        }
    }
    agent.session().close();
}

/// Long names, values and prefixes are only long.
#[test]
fn long_names_and_values_are_answered() {
    let agent = Agent::start();
    let long = "x".repeat(1 << 20);
    let mut session = agent.session();
    for operation in [
        format!("<{long}/>"),
        format!("<get xmlns:{long}=\"urn:x\"><filter/></get>"),
        format!("<get><filter type=\"{long}\"/></get>"),
        format!("<get><filter><top xmlns=\"urn:{long}\"/></filter></get>"),
        format!("<kill-session><session-id>{long}</session-id></kill-session>"),
        format!("<commit><persist-id>{long}</persist-id></commit>"),
        format!("<commit><confirmed/><persist>{long}</persist></commit>"),
    ] {
        session.request(&operation);
    }
    session.request(GET);
}

/// Announced sizes cost nothing until the bytes come.
#[test]
fn an_announced_chunk_takes_no_memory() {
    let agent = Agent::start();
    let mut first = agent.session();
    first.request(GET).data();
    let before = resident(agent.pid());
    let mut sessions: Vec<Session> = (0..16).map(|_| agent.session()).collect();
    for session in &mut sessions {
        session.wire.send(b"\n#999999999\n<rpc");
    }
    first.request(GET).data();
    let after = resident(agent.pid());
    assert!(after < before + (64 << 20), "{before} bytes before, {after} after");
}

/// A client that does not read holds its own answers, not the agent's memory.
#[test]
fn a_client_that_does_not_read_is_held_back() {
    let agent = Agent::start();
    let mut session = agent.session();
    let text = "x".repeat(1 << 20);
    session.set_running(&format!("<order xmlns=\"urn:quorate:test\">{text}</order>"));
    let before = resident(agent.pid());
    let mut stream = UnixStream::connect(agent.socket()).expect("the agent's socket");
    stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let hello = crate::support::session::hello(&[crate::support::session::BASE_10]);
    stream.write_all(format!("{hello}{END_OF_MESSAGE}").as_bytes()).expect("a hello");
    let request = format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}</rpc>{END_OF_MESSAGE}");
    // 64 requests may be in flight; then the agent stops reading and the socket fills.
    let mut sent = 0;
    while sent < 100_000 && stream.write_all(request.as_bytes()).is_ok() {
        sent += 1;
    }
    assert!(sent < 100_000, "the agent reads on without end");
    session.request(GET).data();
    let after = resident(agent.pid());
    assert!(after < before + (128 << 20), "{before} bytes before, {after} after");
}

/// Sessions that come and go leave nothing behind.
#[test]
fn sessions_leave_nothing_behind() {
    let agent = Agent::start();
    let round = || {
        for n in 0..100 {
            let mut session = agent.session();
            session.request(GET).data();
            match n % 3 {
                0 => session.close(),
                1 => drop(session),
                _ => session.wire.send(b"\n#5\n<rp"),
            }
        }
    };
    round();
    let (files, memory) = (open_files(agent.pid()), resident(agent.pid()));
    for _ in 0..5 {
        round();
    }
    eventually("all connections are closed", || {
        (open_files(agent.pid()) <= files + 2).then_some(())
    });
    let after = resident(agent.pid());
    assert!(after < memory + (32 << 20), "{memory} bytes before, {after} after");
}

/// Random bytes at every stage of a session: an error or a close, and the agent goes on.
#[test]
fn noise_ends_its_session_only() {
    let agent = Agent::start();
    let mut chance = crate::support::Chance::new(20_261_121);
    let mut observer = agent.session();
    let good = format!(
        "<rpc xmlns=\"{BASE}\" message-id=\"1\"><get-config><source><running/>\
        </source><filter type=\"subtree\"><top xmlns=\"urn:quorate:test\"/></filter></get-config></rpc>"
    );
    for round in 0..300 {
        let mut message = good.clone().into_bytes();
        for _ in 0..=chance.below(4) {
            let at = chance.below(message.len() as u64) as usize;
            match chance.below(3) {
                0 => message[at] = chance.below(256) as u8,
                1 => drop(message.remove(at)),
                _ => message.insert(at, b"<>&'\"/]#\n\0"[chance.below(10) as usize]),
            }
        }
        let speaks = if round % 2 == 0 { Speaks::Base10 } else { Speaks::Base11 };
        let mut session = Session::open(agent.connect(), speaks);
        match speaks {
            Speaks::Base10 => message.extend(END_OF_MESSAGE.bytes()),
            Speaks::Base11 => {
                let mut framed = format!("\n#{}\n", message.len()).into_bytes();
                framed.extend(&message);
                framed.extend(b"\n##\n");
                message = framed;
            }
        }
        session.wire.send(&message);
        session.wire.end_of_input();
        session.wire.rest();
        if round % 50 == 0 {
            observer.request(GET).data();
        }
    }
    observer.request(GET).data();
}

/// Connections that open and vanish at once.
#[test]
fn connections_may_vanish_at_once() {
    let agent = Agent::start();
    for _ in 0..200 {
        drop(UnixStream::connect(agent.socket()).expect("the agent's socket"));
    }
    let mut wire: Wire = agent.connect();
    Session::read_hello(&mut wire);
}

/// base/limits.rs: one message of more than 1 GiB is too big, or ends its session; nobody else notices.
#[test]
fn a_message_beyond_the_limit_is_refused() {
    let agent = Agent::start();
    let mut observer = agent.session();
    let mut session = agent.session();
    let block = " ".repeat(16 << 20);
    session.wire.send(format!("\n#{}\n{block}", 65 * block.len()).as_bytes());
    for _ in 0..64 {
        session.wire.send(block.as_bytes());
    }
    let rest = format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}</rpc>");
    session.wire.send(format!("\n#{}\n{rest}\n##\n", rest.len()).as_bytes());
    session.wire.end_of_input();
    let answer = String::from_utf8(session.wire.rest()).unwrap();
    assert!(!answer.contains("<data"), "{answer}");
    assert!(answer.is_empty() || answer.contains("too-big"), "{answer}");
    observer.request(GET).data();
}
