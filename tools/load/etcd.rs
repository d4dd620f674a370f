//! As much of gRPC as a put to etcd needs: HTTP/2 with one stream at a time.
//!
//! etcd's own way is gRPC. Its gateway for JSON would make it work twice for each put, so it is not used. Headers that are
//! sent are always the same, so that they are two constants; those that come are not decoded: an answer with a message is
//! a success, an error has only trailers (the gRPC protocol over HTTP/2, "Responses").

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The start of a connection (RFC 9113, 3.4), and settings that leave all at their defaults.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Frame types (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// Flags. The last is of DATA and HEADERS, `ACK` of SETTINGS and PING.
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
/// Answers are some 30 bytes: with all that the window of the connection can hold, it never has to be opened again.
const WINDOW: u32 = (1 << 31) - 1 - 65_535;

/// `:method POST`, `:scheme http` (RFC 7541, appendix A).
const STATIC_HEADERS: &[u8] = &[0x83, 0x86];
/// Those of the first request that the server keeps in its table (RFC 7541, 6.2.1): the index of the name in the static
/// table, 0 if it is not there, and the value.
const KEPT_HEADERS: [(u8, &str, &str); 4] = [
    (4, "", "/etcdserverpb.KV/Put"),
    (1, "", "etcd"),
    (31, "", "application/grpc"),
    (0, "te", "trailers"),
];
/// The same in each further request: by their places in that table, the oldest first.
const KEPT_INDICES: &[u8] = &[0xc1, 0xc0, 0xbf, 0xbe];

pub(crate) struct Connection {
    stream: TcpStream,
    next_stream: u32,
    buffer: Vec<u8>,
}

impl Connection {
    /// # Errors
    /// If nobody listens.
    pub(crate) fn open(address: &str, timeout: Option<Duration>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(timeout)?;
        let mut connection = Self { stream, next_stream: 1, buffer: Vec::new() };
        let mut message = PREFACE.to_vec();
        frame(&mut message, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        connection.stream.write_all(&message)?;
        Ok(connection)
    }

    /// Puts a value: true if it is durable on a majority, false if etcd refused.
    ///
    /// # Errors
    /// If there is no answer: the connection is of no use any more.
    pub(crate) fn put(&mut self, key: &str, value: &str) -> io::Result<bool> {
        let id = self.next_stream;
        self.next_stream += 2;
        let mut message = Vec::with_capacity(512);
        frame(&mut message, HEADERS, END_HEADERS, id, &headers(id == 1));
        frame(&mut message, DATA, END_STREAM, id, &put_request(key, value));
        self.stream.write_all(&message)?;
        let mut done = false;
        loop {
            let (kind, flags, stream) = self.read_frame()?;
            let about = stream == id;
            match kind {
                DATA if about => done = true,
                RST_STREAM if about => return Ok(false),
                SETTINGS if flags & ACK == 0 => self.answer(SETTINGS, &[])?,
                PING if flags & ACK == 0 => {
                    let payload = self.buffer.clone();
                    self.answer(PING, &payload)?;
                }
                GOAWAY => {
                    return Err(io::Error::new(ErrorKind::ConnectionAborted, "etcd goes away"));
                }
                _ => {}
            }
            if about && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                return Ok(done);
            }
        }
    }

    fn answer(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut message = Vec::new();
        frame(&mut message, kind, ACK, 0, payload);
        self.stream.write_all(&message)
    }

    /// Reads the next frame's payload into the buffer and gives type, flags and stream.
    fn read_frame(&mut self) -> io::Result<(u8, u8, u32)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        self.buffer.resize(u32::from_be_bytes([0, a, b, c]) as usize, 0);
        self.stream.read_exact(&mut self.buffer)?;
        Ok((kind, flags, u32::from_be_bytes(stream)))
    }
}

/// A frame (RFC 9113, 4.1).
fn frame(message: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    message.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    message.extend_from_slice(&[kind, flags]);
    message.extend_from_slice(&stream.to_be_bytes());
    message.extend_from_slice(payload);
}

fn headers(first: bool) -> Vec<u8> {
    let mut block = STATIC_HEADERS.to_vec();
    if !first {
        block.extend_from_slice(KEPT_INDICES);
        return block;
    }
    for (index, name, value) in KEPT_HEADERS {
        block.push(0x40 | index);
        for text in [name, value].into_iter().filter(|text| !text.is_empty()) {
            // No string here is as long as 127 bytes, which would need a longer length.
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// `etcdserverpb.PutRequest` with its fields `key = 1` and `value = 2`, as a gRPC message: not compressed, its length.
fn put_request(key: &str, value: &str) -> Vec<u8> {
    let mut request = Vec::with_capacity(key.len() + value.len() + 8);
    for (number, bytes) in [(1_u8, key.as_bytes()), (2, value.as_bytes())] {
        // Wire type 2 is bytes with a length before them.
        request.push(number << 3 | 2);
        let mut length = bytes.len();
        while length > 127 {
            request.push(length as u8 | 128);
            length >>= 7;
        }
        request.push(length as u8);
        request.extend_from_slice(bytes);
    }
    let mut message = vec![0];
    message.extend_from_slice(&(request.len() as u32).to_be_bytes());
    message.extend_from_slice(&request);
    message
}
