//! A NETCONF session, and the messages of the `bench-routes` module.

use crate::{Options, Target};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
pub(crate) const NS: &str = "urn:bench:routes";
/// Some servers refuse larger chunks.
const CHUNK: usize = 1 << 20;
const END_OF_MESSAGE: &[u8] = b"]]>]]>";

/// One NETCONF session.
pub(crate) struct Session {
    input: Box<dyn Read + Send>,
    output: Option<Box<dyn Write + Send>>,
    child: Option<Child>,
    buffer: Vec<u8>,
    /// How much of `buffer` was consumed.
    at: usize,
    chunked: bool,
    next_id: u64,
    /// The last reply.
    pub(crate) reply: Vec<u8>,
}

impl Session {
    pub(crate) fn open(options: &Options) -> Self {
        Self::try_open(options.target(), options.wait, options.timeout).expect("a session")
    }

    /// # Errors
    /// If nobody listens, or does not say hello within the timeout.
    pub(crate) fn try_open(
        target: &Target,
        wait: bool,
        timeout: Option<Duration>,
    ) -> io::Result<Self> {
        let (input, output, child): (Box<dyn Read + Send>, Box<dyn Write + Send>, _) = match target
        {
            Target::Unix(path) => {
                let stream = connect_unix(path, wait)?;
                stream.set_read_timeout(timeout)?;
                (Box::new(stream.try_clone()?), Box::new(stream), None)
            }
            Target::Exec(command) => {
                let mut child = Command::new("sh")
                    .args(["-c", &format!("exec {command}")])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let output = child.stdin.take().expect("piped");
                let input = child.stdout.take().expect("piped");
                (Box::new(input), Box::new(output), Some(child))
            }
            Target::Etcd(_) => panic!("etcd does not speak NETCONF"),
        };
        let mut session = Self {
            input,
            output: Some(output),
            child,
            buffer: Vec::new(),
            at: 0,
            chunked: false,
            next_id: 0,
            reply: Vec::new(),
        };
        session.write(hello().as_bytes())?;
        session.read_to_end_of_message()?;
        let hello = String::from_utf8_lossy(&session.reply);
        session.chunked = hello.contains("urn:ietf:params:netconf:base:1.1");
        Ok(session)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let output = self.output.as_mut().expect("an open session");
        output.write_all(bytes)?;
        output.flush()
    }

    /// Reads more: how much, nothing if the server has closed.
    fn fill(&mut self) -> io::Result<usize> {
        if self.at > 0 && self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + (256 << 10), 0);
        let count = self.input.read(&mut self.buffer[length..]);
        self.buffer.truncate(length + *count.as_ref().unwrap_or(&0));
        count
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        match self.fill()? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the session")),
            _ => Ok(()),
        }
    }

    fn read_to_end_of_message(&mut self) -> io::Result<()> {
        self.reply.clear();
        let mut from = self.at;
        loop {
            let found = self.buffer[from..]
                .windows(END_OF_MESSAGE.len())
                .position(|window| window == END_OF_MESSAGE);
            if let Some(found) = found {
                self.reply.extend_from_slice(&self.buffer[self.at..from + found]);
                self.at = from + found + END_OF_MESSAGE.len();
                return Ok(());
            }
            let seen = (self.buffer.len() - self.at).saturating_sub(END_OF_MESSAGE.len());
            self.fill_or_fail()?;
            from = self.at + seen;
        }
    }

    fn read_chunks(&mut self) -> io::Result<()> {
        self.reply.clear();
        loop {
            let header = loop {
                let rest = &self.buffer[self.at..];
                if rest.len() > 2
                    && let Some(end) = rest[2..].iter().position(|byte| *byte == b'\n')
                {
                    break &rest[..end + 3];
                }
                self.fill_or_fail()?;
            };
            assert!(header.starts_with(b"\n#"), "no chunk: {header:?}");
            let digits = &header[2..header.len() - 1];
            let length = header.len();
            let is_end = digits == b"#";
            let size = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
            self.at += length;
            if is_end {
                return Ok(());
            }
            let mut left: usize = size.expect("a chunk size");
            while left > 0 {
                let have = left.min(self.buffer.len() - self.at);
                self.reply.extend_from_slice(&self.buffer[self.at..self.at + have]);
                self.at += have;
                left -= have;
                if left > 0 {
                    self.fill_or_fail()?;
                }
            }
        }
    }

    /// Sends one operation and reads its reply.
    pub(crate) fn rpc(&mut self, operation: &str) {
        self.try_rpc(operation).expect("an answer");
    }

    /// The same.
    ///
    /// # Errors
    /// If the session is of no use any more.
    pub(crate) fn try_rpc(&mut self, operation: &str) -> io::Result<()> {
        self.next_id += 1;
        let id = self.next_id;
        let message = format!("<rpc xmlns=\"{BASE}\" message-id=\"{id}\">{operation}</rpc>");
        if self.chunked {
            let mut framed = Vec::with_capacity(message.len() + 64);
            for chunk in message.as_bytes().chunks(CHUNK) {
                framed.extend_from_slice(format!("\n#{}\n", chunk.len()).as_bytes());
                framed.extend_from_slice(chunk);
            }
            framed.extend_from_slice(b"\n##\n");
            self.write(&framed)?;
            self.read_chunks()
        } else {
            self.write(format!("{message}]]>]]>").as_bytes())?;
            self.read_to_end_of_message()
        }
    }

    pub(crate) fn says(&self, what: &str) -> bool {
        self.reply.windows(what.len()).any(|window| window == what.as_bytes())
    }

    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&self.reply[..self.reply.len().min(1500)]).into_owned()
    }

    pub(crate) fn ok(&mut self, operation: &str) {
        self.rpc(operation);
        assert!(self.says("ok/>") && !self.says("rpc-error"), "{}", self.told());
    }

    /// `<close-session/>`, and the end of the connection or command.
    pub(crate) fn close(mut self) {
        self.rpc("<close-session/>");
        self.output = None;
        while self.fill().is_ok_and(|count| count > 0) {}
        if let Some(mut child) = self.child.take() {
            child.wait().expect("its end");
        }
    }
}

pub(crate) fn hello() -> String {
    format!(
        "<hello xmlns=\"{BASE}\"><capabilities>\
         <capability>urn:ietf:params:netconf:base:1.0</capability>\
         <capability>urn:ietf:params:netconf:base:1.1</capability>\
         </capabilities></hello>]]>]]>"
    )
}

fn connect_unix(path: &str, wait: bool) -> io::Result<UnixStream> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match UnixStream::connect(path) {
            Err(_) if wait && Instant::now() < deadline => {}
            result => return result,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
pub(crate) fn entry(number: usize, metric: usize) -> String {
    let (a, b, c) = (number >> 16 & 255, number >> 8 & 255, number & 255);
    format!(
        "<route><id>{number:07}</id><next-hop>10.{a}.{b}.{c}</next-hop><metric>{metric}</metric>\
         <description>static route number {number}</description></route>"
    )
}

pub(crate) fn edit(target: &str, routes: &str) -> String {
    edit_config(target, &format!("<routes xmlns=\"{NS}\">{routes}</routes>"))
}

pub(crate) fn edit_config(target: &str, config: &str) -> String {
    format!("<edit-config><target><{target}/></target><config>{config}</config></edit-config>")
}

/// By its key.
pub(crate) fn get_one(number: usize) -> String {
    get_subtree(&format!("<id>{number:07}</id>"))
}

/// Two leafs of what has a key.
pub(crate) fn get_some(number: usize) -> String {
    get_subtree(&format!("<id>{number:07}</id><next-hop/><metric/>"))
}

fn get_subtree(route: &str) -> String {
    format!(
        "<get-config><source><running/></source><filter type=\"subtree\"><routes xmlns=\"{NS}\">\
         <route>{route}</route></routes></filter></get-config>"
    )
}

pub(crate) fn get_by_xpath(number: usize) -> String {
    format!(
        "<get-config><source><running/></source><filter type=\"xpath\" xmlns:br=\"{NS}\" \
         select=\"/br:routes/br:route[br:id='{number:07}']\"/></get-config>"
    )
}

/// Entries that are spread over the list.
pub(crate) fn spread(entries: usize, step: usize) -> usize {
    entries.saturating_sub(1) * (step % 97) / 97
}
