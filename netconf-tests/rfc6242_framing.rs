//! RFC 6242, section 4: end-of-message and chunked framing, byte by byte.

use crate::support::agent::Agent;
use crate::support::session::{END_OF_MESSAGE, Session};
use crate::support::wire::Wire;
use crate::support::xml::BASE;

const GET: &str = "<get-config><source><running/></source></get-config>";

fn rpc(id: &str) -> String {
    format!("<rpc xmlns=\"{BASE}\" message-id=\"{id}\">{GET}</rpc>")
}

/// A message in chunks of these sizes, the rest in one.
fn chunks(message: &str, sizes: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut bytes = message.as_bytes();
    let mut framed = Vec::new();
    for size in sizes {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at(size.min(bytes.len()));
        framed.extend(format!("\n#{}\n", chunk.len()).bytes());
        framed.extend(chunk);
        bytes = rest;
    }
    if !bytes.is_empty() {
        framed.extend(format!("\n#{}\n", bytes.len()).bytes());
        framed.extend(bytes);
    }
    framed.extend(b"\n##\n");
    framed
}

/// 4.2: the size of chunks is the sender's choice, even in the middle of a character.
#[test]
fn chunks_of_any_size_make_one_message() {
    let agent = Agent::start();
    let mut session = agent.session();
    let edit = |text: &str| {
        format!(
            "<rpc xmlns=\"{BASE}\" message-id=\"1\"><edit-config><target><running/></target><config>\
             <order xmlns=\"urn:quorate:test\">{text}</order></config></edit-config></rpc>"
        )
    };
    for (size, text) in
        [(1, "é漢🦀"), (2, "漢é🦀"), (3, "🦀é"), (7, "]]&gt;]]&gt;"), (64, "x"), (4096, "y")]
    {
        session.wire.send(&chunks(&edit(text), std::iter::repeat_n(size, 1 << 20)));
        session.reply_to("1").ok();
    }
    let reply = session.request(GET);
    let texts: Vec<&str> = reply.data().all("order").map(|order| order.text.as_str()).collect();
    assert_eq!(texts, ["é漢🦀", "漢é🦀", "🦀é", "]]>]]>", "x", "y"]);
}

/// 4.2: every way to cut a framed message into two writes.
#[test]
fn a_framed_message_may_be_cut_anywhere() {
    let agent = Agent::start();
    let mut session = agent.session();
    let framed = chunks(&rpc("1"), [1, 20]);
    for at in 0..=framed.len() {
        session.wire.send(&framed[..at]);
        session.wire.send(&framed[at..]);
        session.reply_to("1").data();
    }
    let mut old = agent.session_10();
    let framed = format!("{}{END_OF_MESSAGE}", rpc("1")).into_bytes();
    for at in 0..=framed.len() {
        old.wire.send(&framed[..at]);
        old.wire.send(&framed[at..]);
        old.reply_to("1").data();
    }
}

/// 4.2: what is no chunk closes the session, without an answer.
#[test]
fn a_framing_error_closes_the_session() {
    let agent = Agent::start();
    for bytes in [
        "\n#0\n",
        "\n#01\nx",
        "\n#4294967296\n",
        "\n#99999999999999999999\n",
        "\n#-1\n",
        "\n#+5\n<rpc/",
        "\n# 5\n<rpc/",
        "\n#5 \n<rpc/",
        "\n#5\r\n<rpc/",
        "\n#x\n",
        "\n#\n",
        "\n##\n",
        "\n#5\n<rpc/\n#0\n",
        "\n#5\n<rpc/##\n",
        "\n#5\n<rpc/>\n##\n",
        "\n#6\n<rpc/>#1\n",
        "#5\n<rpc/",
        "x\n#5\n<rpc/",
        "<rpc/>]]>]]>",
    ] {
        let mut session = agent.session();
        session.wire.send(bytes.as_bytes());
        // A server may need to know that nothing follows before `\n#` can be told from noise.
        session.wire.end_of_input();
        let rest = String::from_utf8(session.wire.rest()).unwrap();
        assert!(!rest.contains("<data") && !rest.contains("<ok"), "{bytes:?}: {rest}");
    }
    agent.session().close();
}

/// The same without the end of input: the server closes on its own.
#[test]
fn a_framing_error_is_noticed_at_once() {
    let agent = Agent::start();
    for bytes in [
        "\n#0\n",
        "\n#01\n",
        "\n#4294967296\n",
        "\n#-1\n",
        "\n#x\n",
        "x\n#5\n<rpc/",
        "\n#5\n<rpc/>",
        "\n#5\n<rpc/\n#0\n",
    ] {
        let mut session = agent.session();
        session.wire.send(bytes.as_bytes());
        let rest = String::from_utf8(session.wire.rest()).unwrap();
        assert!(!rest.contains("<data") && !rest.contains("<ok"), "{bytes:?}: {rest}");
    }
}

/// scrapli sends a newline after each message, and one alone when idle.
#[test]
fn stray_newlines_between_messages_are_tolerated() {
    let agent = Agent::start();
    let mut session = agent.session();
    for id in ["1", "2", "3"] {
        session.wire.send(b"\n");
        session.wire.send(&chunks(&rpc(id), []));
        session.wire.send(b"\n");
        session.reply_to(id).data();
    }
    session.wire.send(b"\n\n\n");
    session.ok("<discard-changes/>");
    session.close();
    let mut old = agent.session_10();
    for id in ["1", "2"] {
        old.wire.send(format!("\r\n{}\n{END_OF_MESSAGE}\n", rpc(id)).as_bytes());
        old.reply_to(id).data();
    }
    old.close();
}

/// 4.1: in replies of end-of-message framing, the delimiter never stands in data.
#[test]
fn the_delimiter_never_stands_in_data() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.set_running("<order xmlns=\"urn:quorate:test\">a]]&gt;]]&gt;b</order>");
    let mut old = agent.session_10();
    let reply = old.request(GET);
    assert_eq!(reply.data().child("order").text, "a]]>]]>b");
    old.send_message(&format!(
        "<rpc xmlns=\"{BASE}\" message-id=\"9\" a=\"]]&gt;]]&gt;\">{GET}</rpc>"
    ));
    let reply = old.reply_to("9");
    assert_eq!(reply.element.attribute("a"), Some("]]>]]>"));
}

/// 4.2: after the hellos nothing but chunks is on the wire, from the first byte.
#[test]
fn replies_are_chunks_from_the_first_byte() {
    let agent = Agent::start();
    let mut session = agent.session();
    session.send(GET);
    session.send("<close-session/>");
    let bytes = session.wire.rest();
    assert!(bytes.starts_with(b"\n#"), "{:?}", String::from_utf8_lossy(&bytes));
    assert!(bytes.ends_with(b"\n##\n"), "{:?}", String::from_utf8_lossy(&bytes));
}

/// Large replies: every chunk is UTF-8 on its own (the client checks that), and line by line no text is a delimiter.
#[test]
fn large_replies_are_cut_between_characters() {
    let agent = Agent::start();
    let mut session = agent.session();
    let text = "é漢🦀x\n##\n".repeat(20_000);
    session.set_running(&format!("<order xmlns=\"urn:quorate:test\">{text}</order>"));
    let reply = session.request(GET);
    assert_eq!(reply.data().child("order").text, text);
    let mut old = agent.session_10();
    assert_eq!(old.request(GET).data().child("order").text, text);
}

/// A large request in chunks, while replies to earlier ones are still read.
#[test]
fn a_large_request_comes_through() {
    let agent = Agent::start();
    let mut session = agent.session();
    let first = session.send(GET);
    let entries: String = (0..20_000)
        .map(|n| format!("<server><name>server-{n:05}</name><comment>漢字 {n}</comment></server>"))
        .collect();
    let entries = entries.replace("<server>", "<server xmlns=\"urn:quorate:test\">");
    let edit = format!(
        "<rpc xmlns=\"{BASE}\" message-id=\"big\"><edit-config><target><candidate/></target><config>\
         {entries}</config></edit-config></rpc>"
    );
    session.wire.send(&chunks(&edit, std::iter::repeat_n(1000, 1 << 20)));
    session.reply_to(&first).data();
    session.reply_to("big").ok();
    session.ok("<commit/>");
    let reply = session.request(GET);
    assert_eq!(reply.data().all("server").count(), 20_000);
    session.close();
}

/// A connection that ends in the middle of anything leaves nothing behind.
#[test]
fn a_connection_may_end_anywhere() {
    let agent = Agent::start();
    let framed = chunks(&rpc("1"), [30]);
    for at in 0..framed.len() {
        let mut session = agent.session();
        session.wire.send(&framed[..at]);
        session.wire.end_of_input();
        session.wire.closes();
    }
    let hello = format!("{}{END_OF_MESSAGE}", crate::support::session::hello(&[]));
    for at in (0..hello.len()).step_by(7) {
        let mut wire: Wire = agent.connect();
        wire.send(&hello.as_bytes()[..at]);
        wire.end_of_input();
        Session::read_hello(&mut wire);
        wire.closes();
    }
    agent.session().close();
}
