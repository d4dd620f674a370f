//! `<rpc-reply>` (RFC 6241, 4.2 to 4.4).

use super::error::RpcError;
use super::framing::Encoder;
use super::rpc::Attributes;
use super::{BASE_NAMESPACE, error, monitoring};
use crate::base::limits::REPLY_CHUNK_BYTES;
use crate::xml::Writer;
use crate::yang::print::{Printer, Progress};
use crate::yang::schema::Schema;
use std::sync::Arc;

const ELEMENT: &str = "rpc-reply";

/// `<ok/>`, without framing.
pub(super) fn ok(attributes: &Attributes) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    start(&mut writer, attributes);
    writer.empty("ok").end(ELEMENT);
    out
}

/// The output of an operation: its elements, by name, each with its text. Without framing.
pub(super) fn output(
    attributes: &Attributes,
    namespace: &str,
    elements: &[(&'static str, String)],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    start(&mut writer, attributes);
    for (name, text) in elements {
        writer.start(name).default_namespace(namespace).text(text).end(name);
    }
    writer.end(ELEMENT);
    out
}

/// Errors in the order in which they are given, without framing.
pub(super) fn errors(attributes: &Attributes, errors: &[RpcError], schema: &Schema) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    start(&mut writer, attributes);
    for one in errors {
        error::write_error(&mut writer, one, schema);
    }
    writer.end(ELEMENT);
    out
}

/// The start tag. The protocol's namespace is the default one, because clients exist that know no other spelling.
fn start(writer: &mut Writer<'_>, attributes: &Attributes) {
    writer.start(ELEMENT).default_namespace(BASE_NAMESPACE);
    for (prefix, namespace) in &attributes.declarations {
        writer.declare(prefix, namespace);
    }
    for (name, value) in &attributes.attributes {
        writer.attribute(name, value);
    }
}

/// What `<data>` holds.
pub(super) enum Body {
    /// Of `get` and `get-config`.
    Tree(Printer),
    /// A schema's text (RFC 6022, 3.1).
    Schema(Arc<str>),
}

/// A reply with `<data>`, written as fast as the transport takes it. It holds a view of the data, never a copy.
pub(crate) struct DataReply {
    encoder: Encoder,
    /// Bytes without framing that come next: the start tags.
    piece: Vec<u8>,
    rest: Rest,
}

/// What is left to write behind `piece`.
enum Rest {
    Tree(Printer),
    /// The text from this byte on.
    Schema(Arc<str>, usize),
    /// The end tags and the end of the message.
    End,
    /// Nothing; and `piece` holds its framing already.
    Nothing,
}

/// Whether there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    More,
    Done,
}

impl DataReply {
    pub(super) fn new(encoder: Encoder, attributes: &Attributes, body: Body) -> Self {
        let mut piece = Vec::new();
        let mut writer = Writer::new(&mut piece);
        start(&mut writer, attributes);
        writer.start("data");
        let rest = match body {
            Body::Tree(printer) => Rest::Tree(printer),
            Body::Schema(text) => {
                writer.default_namespace(monitoring::NAMESPACE);
                Rest::Schema(text, 0)
            }
        };
        writer.content();
        Self { encoder, piece, rest }
    }

    /// A reply that is written and framed already.
    pub(super) fn whole(message: Vec<u8>) -> Self {
        let encoder = Encoder::new(super::framing::Framing::EndOfMessage);
        Self { encoder, piece: message, rest: Rest::Nothing }
    }

    /// Appends the next piece, of about `REPLY_CHUNK_BYTES`, framed.
    pub(crate) fn fill(&mut self, out: &mut Vec<u8>) -> Fill {
        let Self { encoder, piece, rest } = self;
        if let Rest::Nothing = rest {
            out.append(piece);
            return Fill::Done;
        }
        encoder.write(out, |out| {
            let until = out.len().saturating_add(REPLY_CHUNK_BYTES);
            out.append(piece);
            rest.write(out, until);
        });
        if !matches!(rest, Rest::End) {
            return Fill::More;
        }
        encoder.end(out);
        *rest = Rest::Nothing;
        Fill::Done
    }
}

impl Rest {
    /// Appends until `out` holds about `until` bytes, or all is written and this is `End`.
    fn write(&mut self, out: &mut Vec<u8>, until: usize) {
        match self {
            Self::Tree(printer) => {
                if printer.fill(out, until) == Progress::Done {
                    *self = Self::End;
                }
            }
            Self::Schema(text, at) => {
                let piece = slice_from(text, *at);
                crate::xml::writer::push_text(out, piece);
                *at = at.saturating_add(piece.len());
                if *at >= text.len() {
                    *self = Self::End;
                }
            }
            Self::End | Self::Nothing => {}
        }
        if let Self::End = self {
            out.extend_from_slice(b"</data></rpc-reply>");
        }
    }
}

/// About `REPLY_CHUNK_BYTES` of `text` from byte `at` on, whole characters.
fn slice_from(text: &str, at: usize) -> &str {
    let mut end = at.saturating_add(REPLY_CHUNK_BYTES).min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_add(1);
    }
    text.get(at..end).unwrap_or_default()
}
