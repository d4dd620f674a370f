//! A small NETCONF client. It is strict: what real clients stumble over fails the test.

use super::reply::Reply;
use super::wire::Wire;
use super::xml::{BASE, Element};
use std::path::Path;

/// The end of a message in the framing of base:1.0.
pub(crate) const END_OF_MESSAGE: &str = "]]>]]>";

/// What the client says in its hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// base:1.0 alone: end-of-message framing.
    Base10,
    /// Both: chunked framing.
    Base11,
}

/// An open session.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) id: u32,
    pub(crate) capabilities: Vec<String>,
    chunked: bool,
    next_message: u64,
}

/// A client's hello with these capabilities, without its end.
pub(crate) fn hello(capabilities: &[&str]) -> String {
    let list: String = capabilities
        .iter()
        .map(|capability| format!("<capability>{capability}</capability>"))
        .collect();
    format!("<hello xmlns=\"{BASE}\"><capabilities>{list}</capabilities></hello>")
}

pub(crate) const BASE_10: &str = "urn:ietf:params:netconf:base:1.0";
pub(crate) const BASE_11: &str = "urn:ietf:params:netconf:base:1.1";

impl Session {
    /// Exchanges hellos.
    #[track_caller]
    pub(crate) fn open(wire: Wire, speaks: Speaks) -> Self {
        let hello = match speaks {
            Speaks::Base10 => hello(&[BASE_10]),
            Speaks::Base11 => hello(&[BASE_10, BASE_11]),
        };
        Self::open_with(wire, &format!("{hello}{END_OF_MESSAGE}"), speaks)
    }

    /// Exchanges hellos, with the client's own as bytes.
    #[track_caller]
    pub(crate) fn open_with(mut wire: Wire, hello: &str, speaks: Speaks) -> Self {
        wire.send(hello.as_bytes());
        let (id, capabilities) = Self::read_hello(&mut wire);
        let chunked = speaks == Speaks::Base11;
        Self { wire, id, capabilities, chunked, next_message: 1 }
    }

    /// A session on the socket at `path`, or `None` if nobody answers.
    #[track_caller]
    pub(crate) fn try_unix(path: &Path) -> Option<Self> {
        let mut wire = Wire::unix(path).ok()?;
        wire.send(format!("{}{END_OF_MESSAGE}", hello(&[BASE_10, BASE_11])).as_bytes());
        let bytes = wire.until(END_OF_MESSAGE.as_bytes())?;
        let (id, capabilities) = Self::parse_hello(bytes);
        Some(Self { wire, id, capabilities, chunked: true, next_message: 1 })
    }

    /// Reads the server's hello: session-id and capabilities (RFC 6241, 8.1).
    #[track_caller]
    pub(crate) fn read_hello(wire: &mut Wire) -> (u32, Vec<String>) {
        Self::parse_hello(wire.until(END_OF_MESSAGE.as_bytes()).expect("a hello"))
    }

    #[track_caller]
    fn parse_hello(bytes: Vec<u8>) -> (u32, Vec<String>) {
        let text = String::from_utf8(bytes).expect("UTF-8");
        let hello = Element::parse(&text).expect("a well-formed hello");
        assert_eq!((hello.namespace.as_str(), hello.name.as_str()), (BASE, "hello"));
        let id = hello.value("session-id").expect("a session-id").parse().expect("a number");
        assert_ne!(id, 0, "session-ids begin at 1");
        let capabilities = hello.child("capabilities").all("capability");
        (id, capabilities.map(|capability| capability.text.trim().to_owned()).collect())
    }

    /// Whether the server advertised a capability that begins so.
    pub(crate) fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|own| own.starts_with(capability))
    }

    /// Sends one message in the session's framing.
    pub(crate) fn send_message(&mut self, message: &str) {
        let framed = self.framed(message);
        self.wire.send(framed.as_bytes());
    }

    /// A message in the session's framing.
    pub(crate) fn framed(&self, message: &str) -> String {
        match self.chunked {
            true => format!("\n#{}\n{message}\n##\n", message.len()),
            false => format!("{message}{END_OF_MESSAGE}"),
        }
    }

    /// Reads one message, or `None` if the server closed instead of beginning one.
    #[track_caller]
    pub(crate) fn read_message(&mut self) -> Option<String> {
        match self.take_message() {
            Ok(message) => message,
            Err(cut) => panic!("the server closed in a message: {cut}"),
        }
    }

    /// Reads one message, or `None` if the server closed, even in the middle of it.
    #[track_caller]
    pub(crate) fn read_message_unless_closed(&mut self) -> Option<String> {
        self.take_message().ok().flatten()
    }

    /// The message, `None` at the end, or what came of a message that was cut off.
    #[track_caller]
    fn take_message(&mut self) -> Result<Option<String>, String> {
        if !self.chunked {
            let bytes = self.wire.until(END_OF_MESSAGE.as_bytes());
            return Ok(bytes.map(|bytes| String::from_utf8(bytes).expect("UTF-8")));
        }
        let mut message = String::new();
        loop {
            let Some(start) = self.wire.exactly(2) else {
                return if message.is_empty() { Ok(None) } else { Err(message) };
            };
            assert_eq!(start, b"\n#", "a chunk begins so, after {message:?}");
            let Some(header) = self.wire.until(b"\n") else { return Err(message) };
            if header == b"#" {
                assert!(!message.is_empty(), "a message has at least one chunk");
                return Ok(Some(message));
            }
            let header = String::from_utf8(header).expect("digits");
            let plain = !header.starts_with('0') && header.len() <= 9;
            assert!(plain && header.bytes().all(|b| b.is_ascii_digit()), "size {header:?}");
            let size = header.parse().expect("a number");
            let Some(chunk) = self.wire.exactly(size) else { return Err(message) };
            message.push_str(std::str::from_utf8(&chunk).expect("each chunk alone is UTF-8"));
        }
    }

    /// Sends an operation and does not wait. Gives its message-id.
    pub(crate) fn send(&mut self, operation: &str) -> String {
        self.send_with("", operation)
    }

    /// The same, with more attributes of `<rpc>`.
    pub(crate) fn send_with(&mut self, attributes: &str, operation: &str) -> String {
        let id = self.next_message.to_string();
        self.next_message += 1;
        self.send_message(&format!(
            "<rpc xmlns=\"{BASE}\" message-id=\"{id}\" {attributes}>{operation}</rpc>"
        ));
        id
    }

    /// Reads the reply to the request with this message-id: replies come in order.
    #[track_caller]
    pub(crate) fn reply_to(&mut self, message_id: &str) -> Reply {
        let reply = self.reply();
        assert_eq!(reply.element.attribute("message-id"), Some(message_id), "{}", reply.raw);
        reply
    }

    /// Reads the next reply.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        Reply::parse(self.read_message().expect("a reply; the server closed"))
    }

    /// Sends an operation and gives its reply.
    #[track_caller]
    pub(crate) fn request(&mut self, operation: &str) -> Reply {
        let id = self.send(operation);
        self.reply_to(&id)
    }

    /// Sends an operation that must be answered with ok.
    #[track_caller]
    pub(crate) fn ok(&mut self, operation: &str) {
        self.request(operation).ok();
    }

    /// Sends an operation and gives its reply; `None` if the server closed, even in the middle of it.
    #[track_caller]
    pub(crate) fn try_request(&mut self, operation: &str) -> Option<Reply> {
        self.send(operation);
        self.read_message_unless_closed().map(Reply::parse)
    }

    /// Sends `<edit-config>` with this content.
    #[track_caller]
    pub(crate) fn edit(&mut self, target: &str, config: &str) -> Reply {
        self.request(&edit_config(target, "", config))
    }

    /// The content of a datastore, in canonical form.
    #[track_caller]
    pub(crate) fn read(&mut self, datastore: &str) -> String {
        let operation = format!("<get-config><source><{datastore}/></source></get-config>");
        self.request(&operation).data().canonical()
    }

    /// Asserts that a datastore holds exactly this.
    #[track_caller]
    pub(crate) fn holds(&mut self, datastore: &str, content: &str) {
        assert_eq!(self.read(datastore), data(content));
    }

    /// Makes running hold exactly this, as plain content.
    #[track_caller]
    pub(crate) fn set_running(&mut self, content: &str) {
        self.request(&edit_config("running", REPLACE, content)).ok();
    }

    /// `<close-session>`, its ok, and the end of the connection.
    #[track_caller]
    pub(crate) fn close(mut self) {
        self.ok("<close-session/>");
        self.wire.closes();
    }
}

/// For `edit_config`: the content replaces the datastore.
pub(crate) const REPLACE: &str = "<default-operation>replace</default-operation>";

/// `<edit-config>` with options between target and config.
pub(crate) fn edit_config(target: &str, options: &str, config: &str) -> String {
    format!(
        "<edit-config><target><{target}/></target>{options}<config>{config}</config></edit-config>"
    )
}

/// `<get-config>` with a subtree filter.
pub(crate) fn get_config(source: &str, filter: &str) -> String {
    format!(
        "<get-config><source><{source}/></source>\
         <filter type=\"subtree\">{filter}</filter></get-config>"
    )
}

/// What `<data>` with this content is in canonical form.
#[track_caller]
pub(crate) fn data(content: &str) -> String {
    let document = format!("<data xmlns=\"{BASE}\">{content}</data>");
    Element::parse(&document).expect("well-formed expected content").canonical()
}
