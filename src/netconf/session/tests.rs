use super::*;
use crate::base::limits::DEPTH_MAX;
use crate::netconf::reply::Fill;
use crate::netconf::test_server::{ALL_FEATURES, server, view};
use std::sync::atomic::Ordering;

const HELLO_1_0: &str = "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>\
    <capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>";
const HELLO_1_1: &str = "\n<?xml version=\"1.0\"?>\n<hello \
    xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>\
    <capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>\n]]>]]>\n";

fn session() -> Session {
    Session::new(server(ALL_FEATURES), Arc::new(Counters::default()))
}

fn rpc(inner: &str) -> String {
    format!("<rpc message-id=\"7\" xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{inner}</rpc>")
}

fn chunked(message: &str) -> String {
    format!("\n#{}\n{message}\n##\n", message.len())
}

/// The reply to message 7, without framing.
fn reply(inner: &str) -> String {
    format!(
        "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"7\">{inner}\
         </rpc-reply>"
    )
}

/// What a shell would have done, with an agent that answers everything with ok.
#[derive(Debug, Default, PartialEq)]
struct Done {
    asked: Vec<Request>,
    asked_of_cluster: Vec<ClusterRequest>,
    sent: String,
    closed: Option<Closing>,
}

/// Carries out what the machine says until it waits or closes.
fn run(session: &mut Session, done: &mut Done) {
    let mut sent = Vec::new();
    loop {
        match session.next_step() {
            Step::Ask { request, .. } => {
                done.asked.push(request);
                sent.extend(session.answered(Ok(())));
            }
            Step::AskCluster { request, .. } => {
                done.asked_of_cluster.push(request);
                sent.extend(session.output(&[("token", "a<b".to_owned())]));
            }
            Step::Read(read) => {
                let mut reply = session.read(&read, &view());
                while reply.fill(&mut sent) == Fill::More {}
            }
            Step::Send(bytes) => sent.extend(bytes),
            Step::Close(closing) => {
                done.closed = Some(closing);
                break;
            }
            Step::Wait => break,
        }
    }
    done.sent.push_str(std::str::from_utf8(&sent).unwrap());
}

/// What comes of `pushes`; our hello is left out of what is sent.
fn talk(pushes: &[&[u8]]) -> Done {
    let (mut session, mut done) = (session(), Done::default());
    session.opened(SessionId(3));
    for push in pushes {
        session.received(push);
        run(&mut session, &mut done);
    }
    done
}

#[test]
fn the_framing_follows_both_hellos() {
    let lock = rpc("<lock><target><running/></target></lock>");
    let asked = vec![Request::Lock { target: crate::netconf::operation::Datastore::Running }];
    for (wire, sent) in [
        (format!("{HELLO_1_0}{lock}]]>]]>"), format!("{}]]>]]>", reply("<ok/>"))),
        (format!("{HELLO_1_1}{}\n", chunked(&lock)), chunked(&reply("<ok/>"))),
    ] {
        let expected = Done { asked: asked.clone(), sent, ..Done::default() };
        assert_eq!(talk(&[wire.as_bytes()]), expected);
        // However the bytes are cut.
        for at in 0..wire.len() {
            let (first, second) = wire.as_bytes().split_at(at);
            assert_eq!(talk(&[first, second]), expected, "{at}");
        }
    }
}

#[test]
fn the_hellos_may_cross() {
    let mut session = session();
    session.received(HELLO_1_1.as_bytes());
    session.received(chunked(&rpc("<close-session/>")).as_bytes());
    assert!(!session.hello_done());
    assert!(matches!(session.next_step(), Step::Wait));
    let hello = String::from_utf8(session.opened(SessionId(3))).unwrap();
    assert!(hello.ends_with("<session-id>3</session-id></hello>]]>]]>"), "{hello}");
    assert!(session.hello_done());
    let mut done = Done::default();
    run(&mut session, &mut done);
    assert_eq!(done.asked, [Request::CloseSession]);
    assert_eq!(done.sent, chunked(&reply("<ok/>")));
    assert_eq!(done.closed, Some(Closing::CloseSession));
}

#[test]
fn requests_are_asked_one_after_the_other() {
    let mut session = session();
    session.opened(SessionId(3));
    let (lock, close) = (rpc("<discard-changes/>"), rpc("<close-session/>"));
    session.received(format!("{HELLO_1_1}{}{}", chunked(&lock), chunked(&close)).as_bytes());
    assert!(matches!(session.next_step(), Step::Ask { request: Request::DiscardChanges, .. }));
    assert!(matches!(session.next_step(), Step::Wait), "the first is not answered");
    let error = RpcError::new(ErrorType::Protocol, ErrorTag::InUse, "not now");
    let sent = String::from_utf8(session.answered(Err(vec![error]))).unwrap();
    assert!(sent.contains("<error-tag>in-use</error-tag>"), "{sent}");
    assert!(matches!(session.next_step(), Step::Ask { request: Request::CloseSession, .. }));
    session.answered(Ok(()));
    assert!(matches!(session.next_step(), Step::Close(Closing::CloseSession)));
    assert!(!session.wants_input());
}

#[test]
fn reading_stops_at_the_limit_of_requests_in_flight() {
    let mut session = session();
    session.opened(SessionId(3));
    session.received(HELLO_1_1.as_bytes());
    let one = chunked(&rpc("<discard-changes/>"));
    for _ in 0..REQUESTS_IN_FLIGHT_MAX {
        assert!(session.wants_input());
        session.received(one.as_bytes());
    }
    assert!(!session.wants_input());
    // What was read already beyond the limit is not lost.
    session.received(one.repeat(10).as_bytes());
    let mut done = Done::default();
    run(&mut session, &mut done);
    assert_eq!(done.asked.len(), REQUESTS_IN_FLIGHT_MAX + 10);
    assert!(session.wants_input());
    // A large message that waits stops it too.
    let large = rpc(&format!("<!--{}-->", "x".repeat(READ_AHEAD_BYTES)));
    session.received(chunked(&large).as_bytes());
    assert!(!session.wants_input());
    run(&mut session, &mut done);
    assert!(session.wants_input());
}

#[test]
fn bad_hellos_close_without_an_answer() {
    let with_id = HELLO_1_1.replace("</hello>", "<session-id>4</session-id></hello>");
    for (wire, closing) in [
        (with_id.as_str(), Closing::Hello(HelloError::SessionId)),
        ("<hello/>]]>]]>", Closing::Hello(HelloError::NoCommonBase)),
        ("<rpc/>]]>]]>", Closing::Hello(HelloError::NotHello)),
    ] {
        let done = talk(&[wire.as_bytes()]);
        assert_eq!(done, Done { closed: Some(closing), ..Done::default() });
    }
    let mut session = session();
    session.opened(SessionId(3));
    session.received(with_id.as_bytes());
    let statistics = &session.server.statistics;
    assert_eq!(statistics.in_bad_hellos.load(Ordering::Relaxed), 1);
    assert_eq!(statistics.in_sessions.load(Ordering::Relaxed), 1);
}

#[test]
fn broken_messages_are_answered_in_base_1_1_and_end_base_1_0() {
    let message = "<rpc message-id=\"7\"><get></rpc>";
    let mut wire = format!("{HELLO_1_1}{}", chunked(message));
    wire.push_str(&chunked(&rpc("<discard-changes/>")));
    let done = talk(&[wire.as_bytes()]);
    assert!(done.sent.contains("<error-tag>malformed-message</error-tag>"), "{}", done.sent);
    assert!(done.sent.contains("message-id=\"7\""), "{}", done.sent);
    assert_eq!(done.asked, [Request::DiscardChanges]);
    assert_eq!(done.closed, None);
    let wire = format!("{HELLO_1_0}{message}]]>]]>{}]]>]]>", rpc("<discard-changes/>"));
    let done = talk(&[wire.as_bytes()]);
    assert_eq!((done.sent.as_str(), done.asked.len()), ("", 0));
    assert!(matches!(done.closed, Some(Closing::Malformed(_))));
}

#[test]
fn a_framing_error_closes_after_what_came_before_it() {
    let wire = format!("{HELLO_1_1}{}\n#0\n", chunked(&rpc("<discard-changes/>")));
    let done = talk(&[wire.as_bytes()]);
    assert_eq!(done.asked, [Request::DiscardChanges]);
    assert_eq!(done.sent, chunked(&reply("<ok/>")));
    assert!(matches!(done.closed, Some(Closing::Framing(FramingError::Invalid(_)))));
}

#[test]
fn a_message_that_is_too_big_is_answered_and_closes() {
    let wire = format!("{HELLO_1_1}\n#4294967295\n");
    let done = talk(&[wire.as_bytes()]);
    assert!(done.sent.contains("<error-type>transport</error-type><error-tag>too-big<"));
    assert!(matches!(done.closed, Some(Closing::Framing(FramingError::TooBig { .. }))));
}

#[test]
fn errors_are_written_as_clients_need_them() {
    let wire = format!("{HELLO_1_0}{}]]>]]>", rpc("<lock/>"));
    let expected = reply(
        "<rpc-error><error-type>protocol</error-type><error-tag>missing-element</error-tag>\
         <error-severity>error</error-severity><error-message xml:lang=\"en\">target is missing\
         </error-message><error-info><bad-element>target</bad-element></error-info></rpc-error>",
    );
    assert_eq!(talk(&[wire.as_bytes()]).sent, format!("{expected}]]>]]>"));
}

#[test]
fn attributes_are_echoed() {
    let request = "<nc:rpc xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' xmlns:e='urn:e' \
                   e:user='\"fred\"' message-id='urn:uuid:1'><nc:discard-changes/></nc:rpc>";
    let wire = format!("{HELLO_1_0}{request}]]>]]>");
    assert_eq!(
        talk(&[wire.as_bytes()]).sent,
        "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" xmlns:e=\"urn:e\" \
         e:user=\"&quot;fred&quot;\" message-id=\"urn:uuid:1\"><ok/></rpc-reply>]]>]]>"
    );
}

#[test]
fn messages_are_counted() {
    let mut session = session();
    session.opened(SessionId(3));
    let deep = format!("{}{}", "<a>".repeat(DEPTH_MAX), "</a>".repeat(DEPTH_MAX));
    let mut wire = HELLO_1_1.to_owned();
    for message in
        [rpc("<discard-changes/>"), rpc("<foo/>"), rpc(&deep), "<rpc/>".into(), "<x".into()]
    {
        wire.push_str(&chunked(&message));
    }
    session.received(wire.as_bytes());
    run(&mut session, &mut Done::default());
    for counters in [&*session.counters, &session.server.statistics.counters] {
        assert_eq!(counters.in_rpcs.load(Ordering::Relaxed), 3);
        assert_eq!(counters.in_bad_rpcs.load(Ordering::Relaxed), 2);
        assert_eq!(counters.out_rpc_errors.load(Ordering::Relaxed), 4);
    }
}

#[test]
fn schemas_are_given_as_text() {
    let get = |inner: &str| {
        let inner = format!(
            "<get-schema xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\">{inner}\
             </get-schema>"
        );
        talk(&[format!("{HELLO_1_1}{}", chunked(&rpc(&inner))).as_bytes()]).sent
    };
    let hash = get("<identifier>u-sub</identifier><version>2026-02-02</version>");
    let lines = hash.lines().filter(|line| *line == "##").count();
    assert_eq!(lines, 1, "only the end of the message: {hash}");
    for (inner, start) in [
        ("<identifier>t</identifier>", "module t {"),
        ("<identifier>t</identifier><version/>", "module t {"),
        ("<identifier>ietf-inet-types</identifier>", "module ietf-inet-types {"),
    ] {
        let sent = get(inner);
        let data = "<data xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\">";
        let text = sent.split_once(data).map(|(_, text)| text.trim_start().to_owned());
        assert!(text.is_some_and(|text| text.starts_with(start)), "{sent}");
        assert!(sent.contains("</data></rpc-reply>\n##\n"), "{sent}");
    }
    for inner in [
        "<identifier>nowhere</identifier>",
        "<identifier>t</identifier><version>2020-01-01</version>",
        "<identifier>t</identifier><format>yin</format>",
    ] {
        assert!(get(inner).contains("<error-tag>invalid-value</error-tag>"), "{inner}");
    }
}

#[test]
fn no_damaged_conversation_panics() {
    let server = server(ALL_FEATURES);
    let messages = [
        "<edit-config><target><candidate/></target><config><top xmlns='urn:t'><item><id>1</id>\
         </item></top></config></edit-config>",
        "<get><filter type='subtree'><top xmlns='urn:t'><name>x</name></top></filter></get>",
        "<commit><confirmed/><confirm-timeout>30</confirm-timeout></commit>",
    ];
    let wire = HELLO_1_1.to_owned() + &messages.map(|inner| chunked(&rpc(inner))).concat();
    for at in 0..wire.len() {
        for other in *b"\n#0]<>&\"\xFF" {
            let mut damaged = wire.clone().into_bytes();
            damaged[at] = other;
            let counters = Arc::new(Counters::default());
            let mut session = Session::new(Arc::clone(&server), counters);
            session.opened(SessionId(3));
            session.received(&damaged);
            run(&mut session, &mut Done::default());
        }
    }
}

#[test]
fn output_is_in_the_namespace_of_its_module() {
    let token = rpc("<create-join-token xmlns=\"urn:quorate:cluster\"/>");
    let done = talk(&[format!("{HELLO_1_0}{token}]]>]]>").as_bytes()]);
    assert_eq!(done.asked_of_cluster, [ClusterRequest::Token { valid_for_s: 600 }]);
    let output = reply("<token xmlns=\"urn:quorate:cluster\">a&lt;b</token>");
    assert_eq!(done.sent, format!("{output}]]>]]>"));
}

#[test]
fn the_clients_name_for_a_request_goes_with_it_and_comes_back() {
    let mut session = session();
    session.opened(SessionId(3));
    let message = "<rpc message-id=\"7\" q:transaction-id=\"a b\" xmlns:q=\"urn:quorate:cluster\" \
         xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><discard-changes/></rpc>";
    session.received(format!("{HELLO_1_0}{message}]]>]]>").as_bytes());
    let Step::Ask { transaction, .. } = session.next_step() else { panic!("nothing is asked") };
    assert_eq!(transaction.as_deref(), Some("a b"));
    let sent = String::from_utf8(session.answered(Ok(()))).unwrap();
    assert!(sent.contains("xmlns:q=\"urn:quorate:cluster\""), "{sent}");
    assert!(sent.contains("q:transaction-id=\"a b\""), "{sent}");
}
