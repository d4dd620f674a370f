//! RFC 6241, section 4: rpc, rpc-reply, rpc-error, and what happens to messages that are none of these.

use crate::support::agent::Agent;
use crate::support::session::{END_OF_MESSAGE, Session};
use crate::support::xml::BASE;

const GET: &str = "<get-config><source><running/></source></get-config>";

/// 4.1: a request without message-id is an error of type rpc, and the reply has none either.
#[test]
fn an_rpc_without_message_id_is_missing_an_attribute() {
    let agent = Agent::start();
    for mut session in [agent.session(), agent.session_10()] {
        session.send_message(&format!("<rpc xmlns=\"{BASE}\">{GET}</rpc>"));
        let reply = session.reply();
        let fault = reply.error();
        assert_eq!(fault.error_type, "rpc");
        assert_eq!(
            fault.to_string(),
            "missing-attribute (bad-attribute=message-id bad-element=rpc)"
        );
        assert_eq!(reply.element.attribute("message-id"), None);
        session.close();
    }
}

/// 4.1 and 4.2: every attribute of the request comes back, unchanged.
#[test]
fn every_attribute_of_the_request_is_echoed() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.send_message(&format!(
        "<rpc message-id=\"urn:uuid:4f2 &lt;&amp;&quot;'&#233;\" xmlns=\"{BASE}\" \
         xmlns:ex=\"http://example.net/content/1.0\" ex:user-id=\"fred\" plain='a\"b'>{GET}</rpc>"
    ));
    let reply = session.reply();
    reply.data();
    assert_eq!(reply.element.attribute("message-id"), Some("urn:uuid:4f2 <&\"'é"));
    assert_eq!(reply.element.attribute("plain"), Some("a\"b"));
    let user = ("http://example.net/content/1.0".to_owned(), "user-id".to_owned());
    assert_eq!(reply.element.attributes.get(&user).map(String::as_str), Some("fred"));
    assert_eq!(reply.element.attributes.len(), 3);
    session
        .send_message(&format!("<rpc message-id=\"\" xmlns=\"{BASE}\" a=\"1\"><nonsense/></rpc>"));
    let reply = session.reply();
    reply.error();
    assert_eq!(reply.element.attribute("message-id"), Some(""), "errors echo as well");
    assert_eq!(reply.element.attribute("a"), Some("1"));
}

/// Clients write prefixes, declarations, comments and white space; replies stay in the default namespace.
#[test]
fn requests_of_real_clients_are_understood() {
    let agent = Agent::start();
    let mut session = agent.session();
    let prefixed = format!(
        "<nc:rpc xmlns:nc=\"{BASE}\" nc:message-id=\"no\" message-id=\"1\"><nc:get-config><nc:source>\
         <nc:running/></nc:source></nc:get-config></nc:rpc>"
    );
    let plain = format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}</rpc>");
    for message in [
        prefixed.clone(),
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{prefixed}"),
        format!("<?xml version='1.0' encoding='utf-8'?>{plain}"),
        format!("\n<?xml version='1.0' encoding='utf-8'?>\n{plain}\n"),
        format!("  \r\n{plain}"),
        format!("<!-- before -->{plain}<!-- after -->"),
        format!(
            "<rpc xmlns=\"{BASE}\" message-id=\"1\">\n  <!-- in -->\n  <get-config >\n <source\n>\
             <running></running ></source>\t</get-config>\n</rpc>\n\n"
        ),
    ] {
        session.send_message(&message);
        let reply = session.reply_to("1");
        assert_eq!(reply.data().canonical(), crate::support::session::data(""), "{message}");
    }
    session.close();
}

/// 4.5: requests need not wait for replies, and are answered in the order in which they came.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let agent = Agent::start();
    let mut session = agent.session();
    let ids: Vec<String> = (0..300)
        .map(|n| match n % 3 {
            0 => session.send(GET),
            1 => session.send(&format!(
                "<edit-config><target><running/></target><config><tag xmlns=\"urn:quorate:test\">\
                 {n:03}</tag></config></edit-config>"
            )),
            _ => session.send("<discard-changes/>"),
        })
        .collect();
    for (n, id) in ids.iter().enumerate() {
        let reply = session.reply_to(id);
        match n % 3 {
            // Each read shows what was answered before it: one more entry every three requests.
            0 => assert_eq!(reply.data().children.len(), n / 3),
            _ => reply.ok(),
        }
    }
    session.close();
}

/// Two requests in one write, and one request in many.
#[test]
fn message_boundaries_do_not_depend_on_writes() {
    let agent = Agent::start();
    for mut session in [agent.session(), agent.session_10()] {
        let message = |id| format!("<rpc xmlns=\"{BASE}\" message-id=\"{id}\">{GET}</rpc>");
        let both = format!("{}{}", session.framed(&message(1)), session.framed(&message(2)));
        session.wire.send(both.as_bytes());
        session.reply_to("1").data();
        session.reply_to("2").data();
        for byte in session.framed(&message(3)).into_bytes() {
            session.wire.send(&[byte]);
        }
        session.reply_to("3").data();
        session.close();
    }
}

/// Appendix A and 4.1: what is no operation of ours, in known and unknown namespaces.
#[test]
fn unknown_operations_are_not_supported() {
    let agent = Agent::start();
    let mut session = agent.session();
    for operation in [
        "<frobnicate/>",
        "<get-data/>",
        "<frobnicate xmlns=\"urn:other\"><x/></frobnicate>",
        "<ping xmlns=\"urn:quorate:test\"><count>1</count></ping>",
    ] {
        let fault = session.request(operation).error();
        let tags = ["operation-not-supported", "unknown-element", "unknown-namespace"];
        assert!(tags.contains(&fault.tag.as_str()), "{operation}: {fault}");
    }
    session.request("<frobnicate/>").fails_with("operation-not-supported");
    let fault = session.request("").error();
    assert!(["missing-element", "operation-failed"].contains(&fault.tag.as_str()), "{fault}");
    session.request(GET).data();
}

/// Appendix A: parameters that an operation needs, has not, or cannot take.
#[test]
fn parameters_are_checked() {
    let agent = Agent::start();
    let mut session = agent.session();
    let source = |inner: &str| format!("<get-config><source>{inner}</source></get-config>");
    for (operation, expected) in [
        ("<get-config/>", "missing-element (bad-element=source)"),
        ("<edit-config><config/></edit-config>", "missing-element (bad-element=target)"),
        ("<lock/>", "missing-element (bad-element=target)"),
        ("<kill-session/>", "missing-element (bad-element=session-id)"),
        ("<validate/>", "missing-element (bad-element=source)"),
        (
            "<copy-config><target><candidate/></target></copy-config>",
            "missing-element (bad-element=source)",
        ),
    ] {
        assert_eq!(session.request(operation).error().to_string(), expected, "{operation}");
    }
    for (operation, tags) in [
        (source(""), "missing-element bad-element"),
        (source("<nowhere/>"), "unknown-element bad-element invalid-value"),
        (
            "<get-config><source><running/></source><color/></get-config>".to_owned(),
            "unknown-element bad-element",
        ),
        ("<edit-config><target><candidate/></target></edit-config>".to_owned(), "missing-element"),
        (
            "<edit-config><target><candidate/></target>\
             <default-operation>create</default-operation><config/></edit-config>"
                .to_owned(),
            "invalid-value bad-element",
        ),
        (
            "<edit-config><target><candidate/></target><test-option>maybe</test-option><config/>\
             </edit-config>"
                .to_owned(),
            "invalid-value bad-element",
        ),
        (
            "<edit-config><target><candidate/></target><error-option>give-up</error-option>\
             <config/></edit-config>"
                .to_owned(),
            "invalid-value bad-element",
        ),
        ("<kill-session><session-id>x</session-id></kill-session>".to_owned(), "invalid-value"),
        ("<kill-session><session-id>0</session-id></kill-session>".to_owned(), "invalid-value"),
        (
            "<kill-session><session-id>4294967296</session-id></kill-session>".to_owned(),
            "invalid-value",
        ),
    ] {
        let fault = session.request(&operation).error();
        assert!(tags.split(' ').any(|tag| tag == fault.tag), "{operation}: {fault}");
    }
}

/// 1.1 and appendix A: malformed-message tells a base:1.1 peer; a base:1.0 peer does not know it and is closed.
#[test]
fn malformed_messages_are_told_to_new_peers_and_close_old_ones() {
    let agent = Agent::start();
    for message in [
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\"><get></rpc>"),
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">"),
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}</rpc>tail"),
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\" message-id=\"2\">{GET}</rpc>"),
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\"><x:get-config/></rpc>"),
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}&nbsp;</rpc>"),
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}</rpc><rpc/>"),
        "no XML at all".to_owned(),
        format!("<!DOCTYPE rpc><rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}</rpc>"),
        format!(
            "<!DOCTYPE rpc [<!ENTITY a \"aaaa\">]><rpc xmlns=\"{BASE}\" message-id=\"1\">&a;</rpc>"
        ),
    ] {
        let mut session = agent.session();
        session.send_message(&message);
        let fault = session.reply().error();
        assert_eq!((fault.tag.as_str(), fault.error_type.as_str()), ("malformed-message", "rpc"));
        drop(session);
        let mut old = agent.session_10();
        old.send_message(&message);
        let rest = String::from_utf8(old.wire.rest()).unwrap();
        assert!(!rest.contains("malformed-message"), "{message}: {rest}");
    }
    agent.session().close();
}

/// Bytes that are no UTF-8 or no XML characters are malformed as well.
#[test]
fn bytes_that_are_no_text_are_malformed() {
    let agent = Agent::start();
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\x00", b"\x01", b"&#0;", b"&#xFFFE;"] {
        let mut message =
            format!("<rpc xmlns=\"{BASE}\" message-id=\"1\"><get><filter>").into_bytes();
        message.extend(bad);
        message.extend(b"</filter></get></rpc>");
        let mut session = agent.session();
        let mut framed = format!("\n#{}\n", message.len()).into_bytes();
        framed.extend(&message);
        framed.extend(b"\n##\n");
        session.wire.send(&framed);
        assert_eq!(session.reply().error().tag, "malformed-message", "{bad:?}");
        let mut old = agent.session_10();
        message.extend(END_OF_MESSAGE.as_bytes());
        old.wire.send(&message);
        old.wire.closes();
    }
    agent.session().close();
}

/// 4.1: messages that are well-formed and no rpc get an error or a close, and never silence.
#[test]
fn other_documents_get_an_error_or_a_close() {
    let agent = Agent::start();
    for message in [
        format!("<hello xmlns=\"{BASE}\"><capabilities/></hello>"),
        format!("<rpc-reply xmlns=\"{BASE}\" message-id=\"1\"><ok/></rpc-reply>"),
        format!("<get xmlns=\"{BASE}\"/>"),
        format!("<rpc xmlns=\"urn:other\" message-id=\"1\">{GET}</rpc>"),
        format!("<rpc xmlns=\"{BASE}\" message-id=\"1\">{GET}{GET}</rpc>"),
    ] {
        for mut session in [agent.session(), agent.session_10()] {
            session.send_message(&message);
            if let Some(answer) = session.read_message() {
                let reply = crate::support::reply::Reply::parse(answer);
                assert!(!reply.errors().is_empty(), "{message}");
            }
        }
    }
    agent.session().close();
}

/// ncclient sends filters and whole operations without a namespace: an answer, not a crash.
#[test]
fn requests_without_a_namespace_are_answered() {
    let agent = Agent::start();
    let mut session: Session = agent.session();
    session.send_message(
        "<rpc message-id=\"1\"><get-config><source><running/></source></get-config></rpc>",
    );
    if let Some(answer) = session.read_message() {
        let reply = crate::support::reply::Reply::parse(answer);
        let _: bool = reply.element.find("data").is_some() || !reply.errors().is_empty();
    }
    let mut session = agent.session();
    session.send_message(&format!(
        "<nc:rpc xmlns:nc=\"{BASE}\" message-id=\"2\"><nc:get-config><nc:source><nc:running/>\
         </nc:source><filter type=\"subtree\"><top xmlns=\"urn:quorate:test\"/></filter>\
         </nc:get-config></nc:rpc>"
    ));
    session.reply_to("2").data();
}
