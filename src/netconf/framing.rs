//! Message framing (RFC 6242): bytes of a transport to messages, and back. Pure machines: they hold no transport.

use memchr::{memchr, memchr_iter};

/// How messages are delimited. Each direction switches on its own, after its `<hello>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `]]>]]>` ends a message (RFC 6242, 4.3). Every `<hello>` is sent like this.
    EndOfMessage,
    /// Chunks with stated sizes (RFC 6242, 4.2), once both sides have said base:1.1.
    Chunked,
}

/// Why the bytes of a peer are no messages. Nothing more can be read: the session is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    /// RFC 6242, 4.2: "the peer MUST terminate the NETCONF session".
    #[error("invalid chunk framing: {0}")]
    Invalid(&'static str),
    /// A message is longer than `MESSAGE_BYTES_MAX`.
    #[error("a message is longer than {limit} bytes")]
    TooBig { limit: usize },
}

const DELIMITER: &[u8] = b"]]>]]>";

/// RFC 6242, 4.2: "chunk-size ... the maximum allowed chunk-size value is 4294967295".
const CHUNK_SIZE_MAX: u64 = 4_294_967_295;

/// Bytes of one of our chunks. Clients exist that read nine digits of a size at most.
const CHUNK_BYTES_MAX: usize = 999_999_999;

/// Room for the header of a chunk of 10 000 to 99 999 bytes.
const USUAL_HEADER: &[u8] = b"\n#00000\n";

/// What has been seen of `]]>]]>`, byte by byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct DelimiterMatch(u8);

impl DelimiterMatch {
    /// The match after one more byte; 6 is the whole delimiter.
    fn step(self, byte: u8) -> Self {
        Self(match (self.0, byte) {
            (0, b']') => 1,
            (1 | 2 | 5, b']') => 2,
            (2, b'>') => 3,
            (3, b']') => 4,
            (4, b']') => 5,
            (5, b'>') => 6,
            _ => 0,
        })
    }

    fn is_whole(self) -> bool {
        self.0 == 6
    }

    /// How many bytes of `bytes` belong to the message, its delimiter included; `None` if it does not end here.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        // Most blocks hold no bracket at all.
        if *self == Self::default() && memchr(b']', bytes).is_none() {
            return None;
        }
        for (at, byte) in bytes.iter().enumerate() {
            *self = self.step(*byte);
            if self.is_whole() {
                *self = Self::default();
                return Some(at + 1);
            }
        }
        None
    }
}

/// Takes bytes as they come and gives whole messages.
///
/// Invariant: memory is bounded by the message limit and the largest push; each byte is looked at once.
#[derive(Debug)]
pub(crate) struct Decoder {
    framing: Framing,
    limit: usize,
    /// Bytes that were pushed; those before `at` are used up.
    input: Vec<u8>,
    at: usize,
    /// Payload of the message that is being received.
    message: Vec<u8>,
    delimiter: DelimiterMatch,
    chunk: ChunkState,
    failed: Option<FramingError>,
}

/// Where in the grammar of RFC 6242, 4.2 the next byte stands.
#[derive(Debug, Clone, Copy)]
enum ChunkState {
    /// Between messages. Stray white space is skipped, `line_start` tells that the last byte was a line feed.
    Gap { line_start: bool },
    /// Behind a chunk: a line feed must come.
    ChunkEnd,
    /// Behind that line feed: `#` must come.
    Hash,
    /// Behind `#`: a size or, unless the message is still empty, the second `#` of its end.
    SizeStart { first: bool },
    /// Within a size, which is this so far.
    Size(u64),
    /// Within a chunk of which so many bytes are missing.
    Data(u64),
    /// Behind `##`: a line feed must come.
    End,
}

impl Decoder {
    /// A decoder for a new session: it expects `]]>]]>` behind the `<hello>`. No message is longer than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            framing: Framing::EndOfMessage,
            limit,
            input: Vec::new(),
            at: 0,
            message: Vec::new(),
            delimiter: DelimiterMatch::default(),
            chunk: ChunkState::Gap { line_start: false },
            failed: None,
        }
    }

    /// The framing of the next message. To be called between messages only: behind the peer's `<hello>`.
    pub(crate) fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Takes bytes from the transport.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.at > 0 {
            self.input.drain(..self.at);
            self.at = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// The next whole message, without its framing; `None` if more bytes are needed. After an error, always the error.
    pub(crate) fn next_message(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = match self.framing {
            Framing::EndOfMessage => self.until_delimiter(),
            Framing::Chunked => self.chunks(),
        };
        if self.at >= self.input.len() {
            self.input.clear();
            self.at = 0;
        }
        if let Err(error) = result {
            self.failed = Some(error);
            self.input = Vec::new();
            self.at = 0;
            self.message = Vec::new();
        }
        result.map(|whole| whole.then(|| std::mem::take(&mut self.message)))
    }

    fn until_delimiter(&mut self) -> Result<bool, FramingError> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let end = self.delimiter.find_end(rest);
        let taken = end.unwrap_or(rest.len());
        self.message.extend_from_slice(rest.get(..taken).unwrap_or_default());
        self.at += taken;
        let length = self.message.len();
        let payload = length.saturating_sub(DELIMITER.len());
        if payload > self.limit {
            return Err(FramingError::TooBig { limit: self.limit });
        }
        if end.is_some() {
            self.message.truncate(payload);
        }
        Ok(end.is_some())
    }

    fn chunks(&mut self) -> Result<bool, FramingError> {
        while let Some(rest) = self.input.get(self.at..) {
            if let ChunkState::Data(missing) = self.chunk {
                let taken = usize::try_from(missing).unwrap_or(usize::MAX).min(rest.len());
                self.message.extend_from_slice(rest.get(..taken).unwrap_or_default());
                self.at += taken;
                let missing = missing.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                if missing > 0 {
                    self.chunk = ChunkState::Data(missing);
                    return Ok(false);
                }
                self.chunk = ChunkState::ChunkEnd;
                continue;
            }
            let Some(byte) = rest.first() else { return Ok(false) };
            self.at += 1;
            match self.header_byte(*byte)? {
                Some(next) => self.chunk = next,
                None => {
                    self.chunk = ChunkState::Gap { line_start: false };
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The state behind one byte that is not payload; `None` behind the end of a message.
    fn header_byte(&self, byte: u8) -> Result<Option<ChunkState>, FramingError> {
        let next = match (self.chunk, byte) {
            (ChunkState::Gap { .. }, b'\n') => ChunkState::Gap { line_start: true },
            (ChunkState::Gap { .. }, b'\r' | b' ' | b'\t') => ChunkState::Gap { line_start: false },
            (ChunkState::Gap { line_start: true }, b'#') => ChunkState::SizeStart { first: true },
            (ChunkState::ChunkEnd, b'\n') => ChunkState::Hash,
            (ChunkState::Hash, b'#') => ChunkState::SizeStart { first: false },
            (ChunkState::SizeStart { first: false }, b'#') => ChunkState::End,
            (ChunkState::SizeStart { .. }, b'1'..=b'9') => ChunkState::Size(u64::from(byte - b'0')),
            (ChunkState::Size(size), b'0'..=b'9') => {
                let size = size.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                if size > CHUNK_SIZE_MAX {
                    return Err(FramingError::Invalid("a chunk size above 4294967295"));
                }
                ChunkState::Size(size)
            }
            (ChunkState::Size(size), b'\n') => self.data(size)?,
            (ChunkState::End, b'\n') => return Ok(None),
            (ChunkState::Gap { .. }, _) => {
                return Err(FramingError::Invalid("no line feed and # before a message"));
            }
            (ChunkState::ChunkEnd | ChunkState::Hash, _) => {
                return Err(FramingError::Invalid("no line feed and # behind a chunk"));
            }
            (ChunkState::SizeStart { .. }, b'0') => {
                return Err(FramingError::Invalid("a chunk size that begins with 0"));
            }
            (ChunkState::SizeStart { .. }, _) => {
                return Err(FramingError::Invalid("no chunk size behind #"));
            }
            (ChunkState::Size(_), _) => {
                return Err(FramingError::Invalid("a chunk size that is no number"));
            }
            (ChunkState::End | ChunkState::Data(_), _) => {
                return Err(FramingError::Invalid("no line feed behind ##"));
            }
        };
        Ok(Some(next))
    }

    /// The state behind the header of a chunk of `size` bytes, if the message may grow by it.
    fn data(&self, size: u64) -> Result<ChunkState, FramingError> {
        let room = self.limit.saturating_sub(self.message.len());
        if usize::try_from(size).is_ok_and(|size| size <= room) {
            Ok(ChunkState::Data(size))
        } else {
            Err(FramingError::TooBig { limit: self.limit })
        }
    }
}

/// Puts messages into frames, piece by piece.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    framing: Framing,
    delimiter: DelimiterMatch,
    chunk_bytes_max: usize,
}

impl Encoder {
    /// An encoder for one direction of one session.
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, delimiter: DelimiterMatch::default(), chunk_bytes_max: CHUNK_BYTES_MAX }
    }

    /// A whole message.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 32);
        self.piece(payload, &mut out);
        self.end(&mut out);
        out
    }

    /// Appends the next piece of the message: UTF-8 text that ends with a whole character. So does each chunk, because
    /// clients decode each on its own.
    pub(crate) fn piece(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        match self.framing {
            Framing::EndOfMessage => self.escaped(payload, out),
            Framing::Chunked => {
                let mut rest = payload;
                while !rest.is_empty() {
                    let end = self.chunk_end(rest);
                    let (chunk, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                    out.extend_from_slice(format!("\n#{}\n", chunk.len()).as_bytes());
                    out.extend_from_slice(chunk);
                    rest = behind;
                }
            }
        }
    }

    /// Appends what `write` appends as the next piece, which is text as for `piece`. Pieces of the usual size stay where
    /// they are written.
    pub(crate) fn write<T>(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        let header = out.len();
        if self.framing == Framing::Chunked {
            out.extend_from_slice(USUAL_HEADER);
        }
        let begin = out.len();
        let written = write(out);
        if !self.frame_in_place(out, header, begin) {
            let piece = out.split_off(begin);
            out.truncate(header);
            self.piece(&piece, out);
        }
        written
    }

    /// Frames the piece from `begin` on with the room from `header` on. False if that needs another room.
    fn frame_in_place(&mut self, out: &mut [u8], header: usize, begin: usize) -> bool {
        let Some((before, piece)) = out.split_at_mut_checked(begin) else { return false };
        if self.framing == Framing::EndOfMessage {
            let mut delimiter = self.delimiter;
            let free = delimiter.find_end(piece).is_none();
            if free {
                self.delimiter = delimiter;
            }
            return free;
        }
        let size = format!("\n#{}\n", piece.len());
        match before.get_mut(header..) {
            Some(room) if room.len() == size.len() && self.chunk_end(piece) == piece.len() => {
                room.copy_from_slice(size.as_bytes());
                true
            }
            Some(_) | None => false,
        }
    }

    /// Ends the message.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        self.delimiter = DelimiterMatch::default();
        out.extend_from_slice(match self.framing {
            Framing::EndOfMessage => DELIMITER,
            Framing::Chunked => b"\n##\n",
        });
    }

    /// Where the chunk that `text` (which is not empty) begins with must end: before a character and, because clients
    /// exist that take a line `##` for the end of the message, within such a line. Never 0.
    fn chunk_end(&self, text: &[u8]) -> usize {
        let mut end = text.len().min(self.chunk_bytes_max);
        // No character is longer than four bytes.
        let shortest = end.saturating_sub(3).max(1);
        while end > shortest && text.get(end).is_some_and(|byte| is_continuation(*byte)) {
            end -= 1;
        }
        let chunk = text.get(..end).unwrap_or(text);
        hashes_alone(chunk).map_or(end, |at| at + 1)
    }

    /// Appends text so that the delimiter is nowhere in it. The `>` that would complete it is escaped.
    fn escaped(&mut self, mut text: &[u8], out: &mut Vec<u8>) {
        loop {
            let Some(end) = self.delimiter.find_end(text) else {
                break out.extend_from_slice(text);
            };
            let (before, behind) = text.split_at_checked(end).unwrap_or((text, &[]));
            out.extend_from_slice(before.split_last().map_or(before, |(_, rest)| rest));
            out.extend_from_slice(b"&gt;");
            text = behind;
        }
    }
}

/// The byte is not the first of its character (RFC 3629, 3).
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// Where in a chunk the first line that is just `##` begins.
fn hashes_alone(chunk: &[u8]) -> Option<usize> {
    let starts = |at: usize| at == 0 || chunk.get(at.saturating_sub(1)) == Some(&b'\n');
    let ends = |at: usize| matches!(chunk.get(at..), Some([b'#', b'#'] | [b'#', b'#', b'\n', ..]));
    memchr_iter(b'#', chunk).find(|at| starts(*at) && ends(*at))
}

#[cfg(test)]
mod tests;
