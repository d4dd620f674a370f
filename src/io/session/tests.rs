//! Sessions over an in-memory transport, with an agent that does what a test tells it.

use super::{MinorityReads, Reads, SessionLimits, Sessions, caught};
use crate::agent::effects::Lease;
use crate::agent::event::{Answer, End, EndCause, SessionEvent};
use crate::base::ids::{Incarnation, SessionId, SessionKey};
use crate::base::time::Timestamp;
use crate::io::clock;
use crate::io::handle::{AgentHandle, Question, ReadLease};
use crate::io::service::{Peer, Refusal, Service};
use crate::io::shutdown::{self, ShutdownSender};
use crate::netconf::error::{ErrorTag, ErrorType, RpcError};
use crate::netconf::operation::{ClusterRequest, Request};
use crate::netconf::rpc::Consistency;
use crate::netconf::state::Transport;
use crate::netconf::test_server::{ALL_FEATURES, server, view};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

const HELLO: &str = "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>\
    <capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>";
const KEY: SessionKey = SessionKey { incarnation: Incarnation(1), boot: 1, id: SessionId(7) };

/// Both ends of one session: the client's and the agent's.
struct World {
    client: DuplexStream,
    questions: mpsc::Receiver<Question>,
    ends: broadcast::Sender<End>,
    gone: Option<oneshot::Sender<()>>,
    stop: ShutdownSender,
    lease: Arc<ReadLease>,
    session: JoinHandle<Result<EndCause, Refusal>>,
}

fn limits() -> SessionLimits {
    SessionLimits {
        hello_timeout: Duration::from_secs(60),
        idle_timeout: None,
        write_stall_timeout: Duration::from_secs(600),
        reads: Reads {
            wait: Duration::from_secs(1),
            without_lease: MinorityReads::Deny,
            consistency: Consistency::Leased,
        },
    }
}

fn start(limits: SessionLimits) -> World {
    let (client, ours) = duplex(512);
    let (asking, questions) = mpsc::channel(8);
    let (_, views) = watch::channel(Arc::new(view()));
    let (ends, _) = broadcast::channel(8);
    let (stop, shutdown) = shutdown::channel();
    let agent = AgentHandle::new(asking, views, ends.clone());
    let lease = agent.lease();
    lease.publish(Lease::Unlimited);
    let sessions = Sessions::new(agent, server(ALL_FEATURES), limits, shutdown);
    let (gone, is_gone) = oneshot::channel::<()>();
    let peer = Peer {
        user: "admin".to_owned(),
        transport: Transport::Unix,
        source_host: None,
        admin: true,
    };
    let session = tokio::spawn(async move {
        let (reader, writer) = tokio::io::split(ours);
        let gone = async move {
            if is_gone.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        sessions.serve(peer, reader, writer, gone).await
    });
    World { client, questions, ends, gone: Some(gone), stop, lease, session }
}

impl World {
    /// The next question, answered.
    async fn answer(&mut self, answer: Answer) -> SessionEvent {
        let (event, reply) = self.questions.recv().await.unwrap();
        reply.send(answer).unwrap();
        event
    }

    /// Opens the session and takes the server's hello.
    async fn open(&mut self) -> String {
        let opened = self.answer(Answer::Opened(KEY)).await;
        let SessionEvent::Open(client) = opened else { panic!("{opened:?}") };
        assert_eq!((&*client.user, client.transport), ("admin", Transport::Unix));
        self.heard().await
    }

    /// What the server says until the next end of message.
    async fn heard(&mut self) -> String {
        let mut message = Vec::new();
        while !message.ends_with(b"]]>]]>") {
            message.push(self.client.read_u8().await.unwrap());
        }
        String::from_utf8(message).unwrap()
    }

    async fn say(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).await.unwrap();
    }

    /// The session tells the agent once that it is over, and is gone, with this cause.
    async fn check_ended(mut self, expected: EndCause) {
        let ended = self.answer(Answer::Ok).await;
        let SessionEvent::Ended(session) = ended else { panic!("{ended:?}") };
        assert_eq!(session, KEY);
        assert_eq!(self.session.await.unwrap(), Ok(expected));
        assert!(self.questions.recv().await.is_none(), "nothing more is asked");
    }
}

fn rpc(inner: &str) -> String {
    format!(
        "<rpc message-id=\"1\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{inner}</rpc>]]>]]>"
    )
}

#[tokio::test]
async fn a_session_opens_asks_answers_and_closes() {
    let mut world = start(limits());
    let hello = world.open().await;
    assert!(hello.contains("<session-id>7</session-id>"), "{hello}");
    world.say(HELLO).await;

    world.say(&rpc("<discard-changes/>")).await;
    let asked = world.answer(Answer::Ok).await;
    let SessionEvent::Request { session, message_id, request, .. } = asked else {
        panic!("{asked:?}")
    };
    assert_eq!((session, &*message_id, request), (KEY, "1", Request::DiscardChanges));
    assert!(world.heard().await.contains("<ok/>"));

    world.say(&rpc("<remove-member xmlns=\"urn:quorate:cluster\"/>")).await;
    let asked = world.answer(Answer::Ok).await;
    let SessionEvent::Cluster { session, message_id, request, fresh, .. } = asked else {
        panic!("{asked:?}")
    };
    let expected = ClusterRequest::Remove { member: None };
    assert_eq!((session, &*message_id, request), (KEY, "1", expected));
    assert_ne!(fresh.random, [0; 16], "chance is drawn");
    assert!(world.heard().await.contains("<ok/>"));

    let token = rpc("<create-join-token xmlns=\"urn:quorate:cluster\"/>");
    world.say(&token).await;
    world.answer(Answer::Output(vec![("token", "t".to_owned())])).await;
    assert!(world.heard().await.contains(">t</token>"));
    world.say(&token).await;
    world.answer(Answer::Refused("it is joining".to_owned())).await;
    let heard = world.heard().await;
    for part in ["resource-denied", "quorate:not-ready", "it is joining"] {
        assert!(heard.contains(part), "{part} in {heard}");
    }

    world.say(&rpc("<discard-changes/>")).await;
    let error = RpcError::new(ErrorType::Protocol, ErrorTag::InUse, "not now");
    world.answer(Answer::Errors(vec![error])).await;
    assert!(world.heard().await.contains("<error-tag>in-use</error-tag>"));

    world.say(&rpc("<close-session/>")).await;
    world.answer(Answer::Ok).await;
    assert!(world.heard().await.contains("<ok/>"));
    world.check_ended(EndCause::Closed).await;
}

#[tokio::test]
async fn a_read_is_answered_from_the_view_without_the_agent() {
    let mut world = start(limits());
    world.open().await;
    world.say(HELLO).await;
    let identifier = "<identifier>t</identifier></get-schema>";
    let namespace = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
    world.say(&rpc(&format!("<get-schema xmlns=\"{namespace}\">{identifier}"))).await;
    let reply = world.heard().await;
    assert!(reply.contains("module t {"));
    drop(world.client.shutdown().await);
    world.check_ended(EndCause::Dropped).await;
}

#[tokio::test]
async fn what_came_before_the_end_of_input_is_answered() {
    let mut world = start(limits());
    world.open().await;
    let text = format!("{HELLO}{}{}", rpc("<discard-changes/>"), rpc("<discard-changes/>"));
    world.say(&text).await;
    world.client.shutdown().await.unwrap();
    for _ in 0..2 {
        world.answer(Answer::Ok).await;
        assert!(world.heard().await.contains("<ok/>"));
    }
    world.check_ended(EndCause::Dropped).await;
}

#[tokio::test]
async fn a_refused_session_gets_no_hello() {
    let mut world = start(limits());
    world.answer(Answer::Refused("too many".to_owned())).await;
    assert_eq!(world.client.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(world.session.await.unwrap(), Err(Refusal("too many".to_owned())));
    assert!(world.questions.recv().await.is_none());
}

#[tokio::test]
async fn the_word_of_the_agent_ends_a_session_that_nobody_reads_at_once() {
    let mut world = start(limits());
    world.answer(Answer::Opened(KEY)).await;
    // The hello does not fit into the transport, so that the session is in the middle of a write.
    world.client.read_u8().await.unwrap();
    world.ends.send(End { session: SessionId(8), cause: EndCause::Killed }).unwrap();
    world.ends.send(End { session: SessionId(7), cause: EndCause::Killed }).unwrap();
    world.check_ended(EndCause::Killed).await;
}

#[tokio::test]
async fn a_client_that_is_gone_ends_a_session_in_the_middle_of_a_write() {
    let mut world = start(limits());
    world.answer(Answer::Opened(KEY)).await;
    world.client.read_u8().await.unwrap();
    world.gone.take().unwrap().send(()).unwrap();
    world.check_ended(EndCause::Dropped).await;
}

#[tokio::test(start_paused = true)]
async fn a_hello_in_pieces_does_not_put_the_deadline_off() {
    let mut world = start(limits());
    world.open().await;
    for piece in HELLO.as_bytes().chunks(16).take(4) {
        world.client.write_all(piece).await.unwrap();
        tokio::time::advance(Duration::from_secs(14)).await;
    }
    world.check_ended(EndCause::Dropped).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_lives_unless_there_is_a_limit() {
    for (idle_timeout, lives) in [(None, true), (Some(Duration::from_secs(5)), false)] {
        let mut world = start(SessionLimits { idle_timeout, ..limits() });
        world.open().await;
        world.say(HELLO).await;
        world.say(&rpc("<discard-changes/>")).await;
        world.answer(Answer::Ok).await;
        world.heard().await;
        tokio::time::advance(Duration::from_secs(100_000)).await;
        if lives {
            world.say(&rpc("<discard-changes/>")).await;
            world.answer(Answer::Ok).await;
            world.heard().await;
            drop(world.client.shutdown().await);
        }
        world.check_ended(EndCause::Dropped).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_take_its_time_but_not_stop() {
    let mut world = start(limits());
    world.answer(Answer::Opened(KEY)).await;
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(500)).await;
        assert!(!world.session.is_finished());
        world.client.read_exact(&mut [0; 64]).await.unwrap();
        // The session's task takes notice of the room.
        tokio::task::yield_now().await;
    }
    world.check_ended(EndCause::Dropped).await;
}

#[tokio::test]
async fn at_the_word_a_session_answers_what_it_was_asked_and_ends() {
    let mut world = start(limits());
    world.open().await;
    world.say(HELLO).await;
    world.say(&rpc("<discard-changes/>")).await;
    let (_, reply) = world.questions.recv().await.unwrap();
    world.stop.request();
    reply.send(Answer::Ok).unwrap();
    assert!(world.heard().await.contains("<ok/>"));
    world.check_ended(EndCause::Shutdown).await;
}

#[tokio::test(start_paused = true)]
async fn at_the_word_a_client_that_takes_nothing_does_not_hold_the_node_up() {
    let mut world = start(limits());
    world.answer(Answer::Opened(KEY)).await;
    world.client.read_u8().await.unwrap();
    world.stop.request();
    let before = tokio::time::Instant::now();
    world.check_ended(EndCause::Shutdown).await;
    assert!(before.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn an_agent_that_is_gone_ends_the_session() {
    let mut world = start(limits());
    world.open().await;
    world.say(HELLO).await;
    world.say(&rpc("<discard-changes/>")).await;
    let (_, reply) = world.questions.recv().await.unwrap();
    drop(reply);
    drop(world.questions);
    assert_eq!(world.session.await.unwrap(), Ok(EndCause::Dropped));
}

#[tokio::test]
async fn a_panic_is_caught() {
    assert_eq!(caught(async { 1 }).await, Some(1));
    let panics = async {
        tokio::task::yield_now().await;
        panic!("on purpose")
    };
    assert_eq!(caught::<()>(panics).await, None);
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_running_is_not_shown_unless_that_is_allowed() {
    let get_config =
        |source: &str| rpc(&format!("<get-config><source><{source}/></source></get-config>"));
    let state = "<get><filter><netconf-state \
                 xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"/></filter></get>";
    for (without_lease, request, refused) in [
        (MinorityReads::Deny, get_config("running"), true),
        (MinorityReads::Deny, rpc("<get/>"), true),
        (MinorityReads::Deny, get_config("candidate"), false),
        (MinorityReads::Deny, rpc(state), false),
        (MinorityReads::Allow, get_config("running"), false),
    ] {
        let reads = Reads { without_lease, ..limits().reads };
        let mut world = start(SessionLimits { reads, ..limits() });
        world.lease.publish(Lease::Until(Timestamp(0)));
        world.open().await;
        world.say(HELLO).await;
        world.say(&request).await;
        let reply = world.heard().await;
        let says_so = reply.contains("resource-denied") && reply.contains("quorate:no-quorum");
        assert_eq!(says_so, refused, "{request}: {reply}");
        assert_eq!(reply.contains("<data"), !refused, "{reply}");
    }
}

/// The agent proves it, whatever lease there is; without a proof nothing old is shown, though that be allowed.
#[tokio::test(start_paused = true)]
async fn a_linearizable_read_asks_the_agent() {
    let attribute = |value: &str| {
        let get = "<get-config><source><running/></source></get-config>";
        rpc(get).replace(
            "<rpc ",
            &format!("<rpc xmlns:q='urn:quorate:cluster' q:consistency='{value}' "),
        )
    };
    for (default, request, asked) in [
        (Consistency::Leased, attribute("linearizable"), true),
        (Consistency::Leased, attribute("leased"), false),
        (Consistency::Linearizable, attribute("leased"), false),
        (Consistency::Linearizable, rpc("<get/>"), true),
        (
            Consistency::Linearizable,
            rpc("<get-config><source><candidate/></source></get-config>"),
            false,
        ),
    ] {
        for proven in [Answer::Ok, Answer::Refused("nobody leads".to_owned())] {
            let reads = Reads {
                without_lease: MinorityReads::Allow,
                consistency: default,
                ..limits().reads
            };
            let mut world = start(SessionLimits { reads, ..limits() });
            world.lease.publish(Lease::Until(clock::now().plus_ms(1_000_000)));
            world.open().await;
            world.say(HELLO).await;
            world.say(&request).await;
            let shown = !asked || proven == Answer::Ok;
            if asked {
                let (event, reply) = world.questions.recv().await.unwrap();
                let SessionEvent::Read { wait_ms: 1_000 } = event else { panic!("{event:?}") };
                reply.send(proven).unwrap();
            }
            let reply = world.heard().await;
            assert_eq!(reply.contains("<data"), shown, "{request}: {reply}");
            assert_eq!(reply.contains("quorate:no-quorum"), !shown, "{reply}");
        }
    }
}
