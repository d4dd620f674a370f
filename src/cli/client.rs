//! A NETCONF client on the agent's local socket: what the commands speak.

use crate::base::limits::MESSAGE_BYTES_MAX;
use crate::netconf::BASE_NAMESPACE;
use crate::netconf::framing::{Decoder, Encoder, Framing};
use crate::netconf::hello::BASE_1_1;
use crate::xml::{Event, Reader, Writer, XmlError};
use anyhow::{Context, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// How long an answer may take. What the agent is asked for ends much earlier, one way or the other.
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// An open session.
pub(super) struct Client {
    stream: UnixStream,
    decoder: Decoder,
    encoder: Encoder,
    requests: u64,
}

impl Client {
    /// Connects to the agent and exchanges hellos.
    pub(super) fn connect(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("cannot reach an agent at {}", socket.display()))?;
        Self::open(stream)
    }

    fn open(stream: UnixStream) -> anyhow::Result<Self> {
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        let decoder = Decoder::new(MESSAGE_BYTES_MAX);
        let encoder = Encoder::new(Framing::EndOfMessage);
        let mut client = Self { stream, decoder, encoder, requests: 0 };
        let mut hello = Vec::new();
        let mut writer = Writer::new(&mut hello);
        writer.start("hello").default_namespace(BASE_NAMESPACE).start("capabilities");
        writer.leaf("capability", BASE_1_1).end("capabilities").end("hello");
        client.send(&hello)?;
        let hello = client.receive()?;
        let capabilities = hello.child("capabilities");
        let speaks = |one: &Element| one.text.trim() == BASE_1_1;
        ensure!(
            capabilities.is_some_and(|all| all.all("capability").any(speaks)),
            "what listens there does not speak NETCONF 1.1"
        );
        client.decoder.set_framing(Framing::Chunked);
        client.encoder = Encoder::new(Framing::Chunked);
        Ok(client)
    }

    /// Asks for an operation and gives its `<rpc-reply>`.
    ///
    /// # Errors
    /// If the agent refuses it, in its words; if it cannot be heard.
    pub(super) fn request(
        &mut self,
        operation: impl FnOnce(&mut Writer<'_>),
    ) -> anyhow::Result<Element> {
        self.requests = self.requests.saturating_add(1);
        let mut message = Vec::new();
        let mut writer = Writer::new(&mut message);
        writer.start("rpc").default_namespace(BASE_NAMESPACE);
        writer.attribute("message-id", &self.requests.to_string());
        operation(&mut writer);
        writer.end("rpc");
        self.send(&message)?;
        let reply = self.receive()?;
        let errors: Vec<String> = reply.all("rpc-error").map(refusal).collect();
        if errors.is_empty() { Ok(reply) } else { bail!(errors.join("; ")) }
    }

    /// Ends the session as the protocol has it.
    pub(super) fn close(mut self) -> anyhow::Result<()> {
        self.request(|writer| {
            writer.empty("close-session");
        })?;
        Ok(())
    }

    fn send(&mut self, message: &[u8]) -> anyhow::Result<()> {
        let bytes = self.encoder.message(message);
        self.stream.write_all(&bytes).context("the agent takes no request")
    }

    fn receive(&mut self) -> anyhow::Result<Element> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Element::parse(&message).context("the agent's answer cannot be read");
            }
            let read = match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    bail!("the agent has not answered within {} s", REPLY_TIMEOUT.as_secs())
                }
                read => read.context("the agent cannot be heard any more")?,
            };
            ensure!(read > 0, "the agent closed the session; its log says why");
            self.decoder.push(buffer.get(..read).unwrap_or_default());
        }
    }
}

/// What an `<rpc-error>` says: the message, and in brackets what a program would go by.
fn refusal(error: &Element) -> String {
    let message = error.value("error-message").unwrap_or("it cannot be done");
    let tag = error.value("error-app-tag").or_else(|| error.value("error-tag"));
    let path = error.value("error-path").map_or_else(String::new, |path| format!(" at {path}"));
    format!("{message}{path} ({})", tag.unwrap_or("no error-tag"))
}

/// An element of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    pub(super) fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let mut reader = Reader::new(document)?;
        // Begun, each inside the one before; the first is the document.
        let (mut open, mut top) = (Vec::new(), Self::default());
        loop {
            match reader.next()? {
                Event::Start => {
                    let name = reader.name().to_owned();
                    open.push(std::mem::replace(&mut top, Self { name, ..Self::default() }));
                }
                Event::Text => top.text.push_str(reader.text()),
                Event::End => {
                    let outer = open.pop().unwrap_or_default();
                    let ended = std::mem::replace(&mut top, outer);
                    top.children.push(ended);
                }
                Event::Eof => return Ok(top.children.pop().unwrap_or_default()),
            }
        }
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    /// All children of this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a leaf.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text)
    }

    /// The text between its tags.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The value of a leaf; `None` if it is not there, or no such thing.
    pub(super) fn get<T: FromStr>(&self, name: &str) -> Option<T> {
        self.value(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{BASE_1_1, Client, Element};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread::{self, JoinHandle};

    const HELLO: &str = "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>\
        <capability>urn:ietf:params:netconf:base:1.1</capability></capabilities>\
        <session-id>4</session-id></hello>]]>]]>";

    /// An agent that says this and closes; what it heard.
    fn agent(says: String) -> (UnixStream, JoinHandle<String>) {
        let (ours, mut agent) = UnixStream::pair().unwrap();
        let heard = thread::spawn(move || {
            agent.write_all(says.as_bytes()).unwrap();
            agent.shutdown(std::net::Shutdown::Write).unwrap();
            let mut heard = String::new();
            agent.read_to_string(&mut heard).unwrap();
            heard
        });
        (ours, heard)
    }

    fn get(client: &mut Client) -> anyhow::Result<Element> {
        client.request(|writer| {
            writer.empty("get");
        })
    }

    fn chunked(message: &str) -> String {
        format!("\n#{}\n{message}\n##\n", message.len())
    }

    #[test]
    fn a_request_is_asked_and_its_reply_is_read() {
        let reply = "<rpc-reply><q:token xmlns:q=\"urn:q\"> a&lt;b </q:token></rpc-reply>";
        let ok = "<rpc-reply><ok/></rpc-reply>";
        let (stream, heard) = agent(format!("{HELLO}{}{}", chunked(reply), chunked(ok)));
        let mut client = Client::open(stream).unwrap();
        let reply = get(&mut client).unwrap();
        assert_eq!(reply.value("token"), Some("a<b"));
        client.close().unwrap();
        let heard = heard.join().unwrap();
        assert!(heard.contains(BASE_1_1), "{heard}");
        let rpc = "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"";
        for request in
            [format!("{rpc}1\"><get/></rpc>"), format!("{rpc}2\"><close-session/></rpc>")]
        {
            assert!(heard.contains(&chunked(&request)), "{heard}");
        }
    }

    #[track_caller]
    fn check_refused(says: String, expected: &str) {
        let (stream, heard) = agent(says);
        let error = Client::open(stream).and_then(|mut client| get(&mut client)).unwrap_err();
        assert_eq!(format!("{error:#}"), expected);
        drop(heard.join());
    }

    #[test]
    fn errors_are_the_agents_words() {
        let error = |tags: &str, message: &str| {
            format!("<rpc-error>{tags}<error-message>{message}</error-message></rpc-error>")
        };
        let denied = error("<error-tag>access-denied</error-tag>", "not you");
        let tags = "<error-tag>resource-denied</error-tag>\
                    <error-app-tag>quorate:no-leader</error-app-tag><error-path>/a</error-path>";
        let errors = format!("<rpc-reply>{denied}{}</rpc-reply>", error(tags, "no leader"));
        let expected = "not you (access-denied); no leader at /a (quorate:no-leader)";
        check_refused(format!("{HELLO}{}", chunked(&errors)), expected);
    }

    #[test]
    fn an_agent_that_cannot_be_understood_is_told_apart() {
        let closed = "the agent closed the session; its log says why";
        check_refused(String::new(), closed);
        check_refused(HELLO.to_owned(), closed);
        let old = HELLO.replace("base:1.1", "base:1.0");
        check_refused(old, "what listens there does not speak NETCONF 1.1");
        check_refused(
            format!("{HELLO}{}", chunked("<rpc-reply>")),
            "the agent's answer cannot be read: not well-formed at byte 11: \
             the document ends before its root element",
        );
    }

    #[test]
    fn values_are_found_by_name() {
        let xml = b"<a><b>1</b> <c><b>2</b></c><b>x</b></a>";
        let element = Element::parse(xml).unwrap();
        assert_eq!((element.get::<u8>("b"), element.get::<u8>("d")), (Some(1), None));
        let texts: Vec<&str> = element.all("b").map(|one| &*one.text).collect();
        assert_eq!(texts, ["1", "x"]);
        assert_eq!(element.child("c").and_then(|c| c.value("b")), Some("2"));
    }
}
