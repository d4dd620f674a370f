//! A streaming reader: well-formedness and namespaces are checked on the way, nothing is kept but what is open.

mod texts;

use super::attributes;
use super::characters;
use super::scope::{Binding, Scope};
use crate::base::limits::{ATTRIBUTES_MAX, DECLARATIONS_MAX, DEPTH_MAX};
use memchr::memchr;
use quick_xml::events::Event as Raw;
use std::borrow::Cow;
use std::io::BufRead;

/// Reads one document from a slice, event by event. After an error every call gives that error again.
///
/// What `prefix`, `name`, `namespace` and `attributes` tell is that of the last `Event::Start`; `text` is that of the
/// last `Event::Text`. `scope` is that of the open element; after `Event::End` still that of the element which ended,
/// until the next call.
pub(crate) struct Reader<'a> {
    /// The document without a byte order mark and white space before it.
    source: &'a str,
    /// Bytes before `source`.
    skipped: usize,
    inner: quick_xml::Reader<&'a [u8]>,
    /// Bytes of `source` that are read.
    at: usize,
    depth: usize,
    /// The root element has ended.
    after_root: bool,
    /// What comes next of an element that has been looked at as a whole.
    due: Due<'a>,
    /// `inner` stands behind a tag.
    behind_tag: bool,
    /// There is no carriage return, so that all texts stand for themselves.
    no_returns: bool,
    /// The last event was an end; its declarations are still in scope.
    leaving: bool,
    prefix: &'a str,
    name: &'a str,
    binding: Binding,
    attributes: Vec<RawAttribute<'a>>,
    scope: Scope<'a>,
    text: &'a str,
    /// The text, if it is not a part of the document as it stands.
    joined: Option<String>,
    failure: Option<XmlError>,
}

/// What is known of an element behind its start.
#[derive(Debug, Clone, Copy)]
enum Due<'a> {
    Nothing,
    /// A text that stands for itself, and then the end.
    Text(&'a str),
    /// The end, whose tag has so many bytes.
    End(usize),
}

/// What `Reader::next` has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Start,
    /// Not empty; adjacent parts, references and CDATA sections are joined.
    Text,
    End,
    /// The document is over, and was well-formed.
    Eof,
}

/// What an element turned out to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing but a text, which may be empty. The element has ended.
    Text,
    /// A child element; the reader stands behind its start.
    Element,
}

/// An attribute that is not a namespace declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'r> {
    /// Empty if it has none.
    pub(crate) prefix: &'r str,
    pub(crate) name: &'r str,
    /// An attribute without a prefix has none.
    pub(crate) namespace: Option<&'r str>,
    pub(crate) value: &'r str,
}

#[derive(Debug)]
struct RawAttribute<'a> {
    prefix: &'a str,
    name: &'a str,
    binding: Binding,
    value: Cow<'a, str>,
}

/// Why a document cannot be read further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    /// It is not well-formed, or it is no XML that NETCONF allows (RFC 6241, 3): other than UTF-8, or with a DTD.
    #[error("not well-formed at byte {position}: {reason}")]
    Malformed { position: usize, reason: String },
    /// It is deeper or wider than `base/limits.rs` allows.
    #[error("more than {max} {what} at byte {position}")]
    Limit { position: usize, what: &'static str, max: usize },
}

impl<'a> Reader<'a> {
    /// Stands at the beginning of the document `bytes`, whose characters are checked at once.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|error| XmlError::Malformed {
            position: error.valid_up_to(),
            reason: "not UTF-8".to_owned(),
        })?;
        if let Some(position) = characters::first_forbidden(text) {
            let reason = "a character that XML forbids".to_owned();
            return Err(XmlError::Malformed { position, reason });
        }
        let source = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let source = source.trim_start_matches([' ', '\t', '\n', '\r']);
        let mut inner = quick_xml::Reader::from_str(source);
        inner.config_mut().check_comments = true;
        Ok(Self {
            source,
            skipped: text.len().saturating_sub(source.len()),
            inner,
            at: 0,
            depth: 0,
            after_root: false,
            due: Due::Nothing,
            behind_tag: false,
            no_returns: memchr(b'\r', source.as_bytes()).is_none(),
            leaving: false,
            prefix: "",
            name: "",
            binding: Binding::None,
            attributes: Vec::new(),
            scope: Scope::default(),
            text: "",
            joined: None,
            failure: None,
        })
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Result<Event, XmlError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let event = self.advance();
        if let Err(failure) = &event {
            self.failure = Some(failure.clone());
        }
        event
    }

    /// Bytes of the input that are read.
    pub(crate) fn position(&self) -> usize {
        self.skipped.saturating_add(self.at)
    }

    /// How many elements are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The element's prefix, or nothing.
    pub(crate) fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// The element's local name.
    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// The element's namespace.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.scope.name(self.binding)
    }

    /// The element has attributes that are not namespace declarations.
    pub(crate) fn has_attributes(&self) -> bool {
        !self.attributes.is_empty()
    }

    /// The element's attributes in the order of the document, without namespace declarations.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.attributes.iter().map(|attribute| Attribute {
            prefix: attribute.prefix,
            name: attribute.name,
            namespace: self.scope.name(attribute.binding),
            value: &attribute.value,
        })
    }

    /// Prefix and namespace of each declaration that the element itself makes; the default one has an empty prefix.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = (&'a str, &str)> {
        let own = self.scope.own(self.depth);
        (own..self.scope.len()).filter_map(|at| self.scope.declaration(at))
    }

    /// The declarations in force.
    pub(crate) fn scope(&self) -> &Scope<'a> {
        &self.scope
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        self.joined.as_deref().unwrap_or(self.text)
    }

    /// Behind an `Event::Start`: reads on to the element's end.
    pub(crate) fn skip(&mut self) -> Result<(), XmlError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }

    /// Behind an `Event::Start`: reads the element's text, which `text` then gives, and its end; or the start of its
    /// first child element, if it has one.
    pub(crate) fn content(&mut self) -> Result<Content, XmlError> {
        loop {
            match self.next()? {
                Event::Start => return Ok(Content::Element),
                Event::Text => {}
                Event::End | Event::Eof => return Ok(Content::Text),
            }
        }
    }

    fn advance(&mut self) -> Result<Event, XmlError> {
        if self.leaving {
            self.leaving = false;
            self.scope.leave(self.depth.saturating_add(1));
        }
        match std::mem::replace(&mut self.due, Due::Nothing) {
            Due::Nothing => {}
            Due::Text(text) => {
                self.text = text;
                self.at = self.at.saturating_add(text.len());
                self.due = Due::End(self.name.len().saturating_add("</>".len()));
                return Ok(Event::Text);
            }
            Due::End(tag_len) => {
                self.at = self.at.saturating_add(tag_len);
                return Ok(self.end());
            }
        }
        if self.behind_tag
            && self.no_returns
            && (1..DEPTH_MAX).contains(&self.depth)
            && let Some((name, text)) =
                self.source.get(self.at..).and_then(attributes::plain_element)
        {
            return Ok(self.plain_start(name, text));
        }
        let mut pending = false;
        loop {
            let from = self.at;
            let raw = self.inner.read_event().map_err(|error| self.malformed(error.to_string()))?;
            self.at = usize::try_from(self.inner.buffer_position()).unwrap_or(usize::MAX);
            self.behind_tag = matches!(raw, Raw::Start(_) | Raw::Empty(_) | Raw::End(_));
            match raw {
                Raw::Start(_) => return self.start(from, 1),
                Raw::Empty(_) => {
                    self.due = Due::End(0);
                    return self.start(from, 2);
                }
                Raw::End(_) => return Ok(self.end()),
                Raw::Text(_) => pending |= self.add_text(from, pending)?,
                Raw::CData(_) => pending |= self.add_section(from, pending)?,
                Raw::GeneralRef(_) => {
                    self.add_reference(from, pending)?;
                    pending = true;
                }
                Raw::Comment(_) => {}
                Raw::PI(_) => self.instruction(from)?,
                Raw::Decl(_) => self.declaration(from)?,
                Raw::DocType(_) => return Err(self.malformed_at(from, "a document type")),
                Raw::Eof => return self.eof(),
            }
            if pending && self.text_ends() {
                return Ok(Event::Text);
            }
        }
    }

    fn malformed(&self, reason: impl Into<String>) -> XmlError {
        self.malformed_at(self.at, reason)
    }

    fn malformed_at(&self, at: usize, reason: impl Into<String>) -> XmlError {
        XmlError::Malformed { position: self.skipped.saturating_add(at), reason: reason.into() }
    }

    fn limit(&self, what: &'static str, max: usize) -> XmlError {
        XmlError::Limit { position: self.position(), what, max }
    }

    /// The markup that was read last, without `before` bytes at its beginning and `after` at its end.
    fn markup(&self, from: usize, before: usize, after: usize) -> &'a str {
        let (begin, end) = (from.saturating_add(before), self.at.saturating_sub(after));
        self.source.get(begin..end).unwrap_or_default()
    }

    fn start(&mut self, from: usize, tail: usize) -> Result<Event, XmlError> {
        if self.after_root {
            return Err(self.malformed_at(from, "a second root element"));
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            return Err(self.limit("nested elements", DEPTH_MAX));
        }
        self.text = "";
        self.joined = None;
        let (prefix, name, rest) = attributes::split_tag(self.markup(from, 1, tail))
            .ok_or_else(|| self.malformed_at(from, "an element's name is not a name"))?;
        self.attributes.clear();
        if !rest.is_empty() {
            self.read_attributes(rest).map_err(|reason| self.malformed_at(from, reason))?;
            if self.attributes.len() > ATTRIBUTES_MAX {
                return Err(self.limit("attributes of an element", ATTRIBUTES_MAX));
            }
            if self.scope.len() > DECLARATIONS_MAX {
                return Err(self.limit("namespace declarations in scope", DECLARATIONS_MAX));
            }
            self.bind_attributes().map_err(|reason| self.malformed_at(from, reason))?;
        }
        (self.prefix, self.name) = (prefix, name);
        self.binding = self
            .scope
            .resolve(prefix)
            .ok_or_else(|| self.malformed_at(from, "an element's prefix is not declared"))?;
        Ok(Event::Start)
    }

    /// As `start`, of a plain element; `inner` is led past all of it.
    fn plain_start(&mut self, name: &'a str, text: &'a str) -> Event {
        let (start_len, end_len) = (name.len().saturating_add(2), name.len().saturating_add(3));
        let whole_len = start_len.saturating_add(text.len()).saturating_add(end_len);
        self.inner.stream().consume(whole_len);
        self.at = self.at.saturating_add(start_len);
        self.depth = self.depth.saturating_add(1);
        self.due = if text.is_empty() { Due::End(end_len) } else { Due::Text(text) };
        self.text = "";
        self.joined = None;
        self.attributes.clear();
        (self.prefix, self.name) = ("", name);
        self.binding = self.scope.resolve("").unwrap_or(Binding::None);
        Event::Start
    }

    /// Takes the attributes and declarations of a start tag apart, up to one attribute more than is allowed.
    fn read_attributes(&mut self, tag: &'a str) -> Result<(), &'static str> {
        let mut rest = tag;
        for _ in 0..=ATTRIBUTES_MAX {
            let Some((name, written)) = attributes::next_attribute(&mut rest)? else {
                return Ok(());
            };
            let value = attributes::value(written)?;
            let (prefix, name) =
                attributes::split_qname(name).ok_or("an attribute's name is not a name")?;
            match (prefix, name) {
                ("", "xmlns") => self.scope.declare(self.depth, "", value)?,
                ("xmlns", _) => self.scope.declare(self.depth, name, value)?,
                (_, _) => {
                    let binding = Binding::None;
                    self.attributes.push(RawAttribute { prefix, name, binding, value });
                }
            }
        }
        self.attributes.resize_with(ATTRIBUTES_MAX.saturating_add(1), || RawAttribute {
            prefix: "",
            name: "",
            binding: Binding::None,
            value: Cow::Borrowed(""),
        });
        Ok(())
    }

    fn bind_attributes(&mut self) -> Result<(), &'static str> {
        for attribute in &mut self.attributes {
            if !attribute.prefix.is_empty() {
                attribute.binding = self
                    .scope
                    .resolve(attribute.prefix)
                    .ok_or("an attribute's prefix is not declared")?;
            }
        }
        let mut rest = self.attributes.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let namespace = self.scope.name(first.binding);
            let repeated = |other: &RawAttribute<'_>| {
                other.name == first.name && self.scope.name(other.binding) == namespace
            };
            if others.iter().any(repeated) {
                return Err("an attribute is repeated");
            }
            rest = others;
        }
        Ok(())
    }

    fn end(&mut self) -> Event {
        self.leaving = true;
        self.depth = self.depth.saturating_sub(1);
        self.after_root = self.depth == 0;
        Event::End
    }

    fn eof(&mut self) -> Result<Event, XmlError> {
        match (self.depth, self.after_root) {
            (0, true) => Ok(Event::Eof),
            (0, false) => Err(self.malformed("there is no root element")),
            (_, _) => Err(self.malformed("the document ends before its root element")),
        }
    }

    fn instruction(&self, from: usize) -> Result<(), XmlError> {
        let (target, _) = attributes::split_name(self.markup(from, 2, 2));
        if !characters::is_ncname(target) || target.eq_ignore_ascii_case("xml") {
            return Err(self.malformed_at(from, "a processing instruction's target is not a name"));
        }
        Ok(())
    }

    /// Checks the XML declaration (XML 1.0, 2.8), which stands at the beginning only.
    fn declaration(&self, from: usize) -> Result<(), XmlError> {
        if from != 0 {
            return Err(self.malformed_at(from, "an XML declaration that is not at the beginning"));
        }
        attributes::check_declaration(self.markup(from, 2, 2))
            .map_err(|reason| self.malformed_at(from, reason))
    }
}

#[cfg(test)]
mod tests;
