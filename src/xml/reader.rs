//! A streaming reader: well-formedness and namespaces are checked on the way, nothing is kept but what is open.

use super::attributes;
use super::characters;
use super::scope::{Binding, Scope};
use crate::base::limits::{ATTRIBUTES_MAX, DECLARATIONS_MAX, DEPTH_MAX};
use quick_xml::events::Event as Raw;
use std::borrow::Cow;

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
    /// The last start tag was an empty-element tag, whose end is due.
    end_due: bool,
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
            end_due: false,
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
        if self.end_due {
            self.end_due = false;
            self.text = "";
            self.joined = None;
            return Ok(self.end());
        }
        let mut pending = false;
        loop {
            let from = self.at;
            let raw = self.inner.read_event().map_err(|error| self.malformed(error.to_string()))?;
            self.at = usize::try_from(self.inner.buffer_position()).unwrap_or(usize::MAX);
            match raw {
                Raw::Start(_) => return self.start(from, 1),
                Raw::Empty(_) => {
                    self.end_due = true;
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

    /// The text is complete: an element starts or ends here, or nothing follows.
    fn text_ends(&self) -> bool {
        match self.source.as_bytes().get(self.at..) {
            Some([b'<', b'!' | b'?', ..]) => false,
            Some([b'<', ..] | []) | None => true,
            Some([..]) => false,
        }
    }

    /// Adds the character data that was read. Whether there was any.
    fn add_text(&mut self, from: usize, pending: bool) -> Result<bool, XmlError> {
        let piece = self.markup(from, 0, 0);
        let special = |byte: u8| (byte == b'>') | (byte == b'\r');
        let special = characters::any(piece.as_bytes(), special);
        if self.depth > 0 && !special {
            return Ok(self.add_piece(piece, pending));
        }
        if piece.contains("]]>") {
            return Err(self.malformed_at(from, "there is ]]> in a text"));
        }
        if self.depth == 0 {
            return if super::is_white_space(piece) {
                Ok(false)
            } else {
                Err(self.malformed_at(from, "there is text outside the root element"))
            };
        }
        Ok(self.add_lines(piece, pending))
    }

    /// Adds the CDATA section that was read. Whether there was anything in it.
    fn add_section(&mut self, from: usize, pending: bool) -> Result<bool, XmlError> {
        if self.depth == 0 {
            return Err(self.malformed_at(from, "there is text outside the root element"));
        }
        let piece = self.markup(from, "<![CDATA[".len(), "]]>".len());
        Ok(self.add_lines(piece, pending))
    }

    fn add_reference(&mut self, from: usize, pending: bool) -> Result<(), XmlError> {
        let name = self.markup(from, 1, 1);
        let Some(character) = characters::reference(name) else {
            return Err(self.malformed_at(from, "a reference to an unknown entity"));
        };
        if self.depth == 0 {
            return Err(self.malformed_at(from, "there is text outside the root element"));
        }
        self.join(pending).push(character);
        Ok(())
    }

    /// Adds a piece of text without carriage returns. Whether it holds anything.
    fn add_piece(&mut self, piece: &'a str, pending: bool) -> bool {
        if pending {
            self.join(pending).push_str(piece);
        } else {
            self.text = piece;
            self.joined = None;
        }
        !piece.is_empty()
    }

    /// Adds a piece of text with its line ends normalised (XML 1.0, 2.11). Whether it holds anything.
    fn add_lines(&mut self, piece: &'a str, pending: bool) -> bool {
        if !piece.contains('\r') {
            return self.add_piece(piece, pending);
        }
        let joined = self.join(pending);
        let mut parts = piece.split('\r');
        joined.push_str(parts.next().unwrap_or_default());
        for part in parts {
            joined.push('\n');
            joined.push_str(part.strip_prefix('\n').unwrap_or(part));
        }
        true
    }

    /// The joined text, with what is there of it.
    fn join(&mut self, pending: bool) -> &mut String {
        if !pending {
            self.text = "";
            self.joined = None;
        }
        let text = self.text;
        self.joined.get_or_insert_with(|| text.to_owned())
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
        let malformed = |reason: &str| self.malformed_at(from, reason);
        if from != 0 {
            return Err(malformed("an XML declaration that is not at the beginning"));
        }
        let (_, mut rest) = attributes::split_name(self.markup(from, 2, 2));
        let mut expected = ["version", "encoding", "standalone"].iter();
        let mut first = true;
        while let Some((name, value)) = attributes::next_attribute(&mut rest).map_err(malformed)? {
            if !expected.any(|expected| *expected == name) || first != (name == "version") {
                return Err(malformed("an XML declaration that is not well-formed"));
            }
            first = false;
            match name {
                "version" if value.strip_prefix("1.").is_some_and(is_number) => {}
                "encoding" if value.eq_ignore_ascii_case("utf-8") => {}
                "encoding" => return Err(malformed("an encoding that is not UTF-8")),
                "standalone" if matches!(value, "yes" | "no") => {}
                _ => return Err(malformed("an XML declaration that is not well-formed")),
            }
        }
        if first { Err(malformed("an XML declaration without a version")) } else { Ok(()) }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole document as one line: `{namespace}name[attributes]`, quoted texts, `/` for ends.
    fn read(bytes: &[u8]) -> Result<String, XmlError> {
        let mut reader = Reader::new(bytes)?;
        let mut line = Vec::new();
        loop {
            line.push(match reader.next()? {
                Event::Start => {
                    let attributes: Vec<_> = reader
                        .attributes()
                        .map(|a| format!("{}{}={:?}", brace(a.namespace), a.name, a.value))
                        .collect();
                    let name = format!("{}{}", brace(reader.namespace()), reader.name());
                    if attributes.is_empty() { name } else { format!("{name}{attributes:?}") }
                }
                Event::Text => format!("{:?}", reader.text()),
                Event::End => "/".to_owned(),
                Event::Eof => return Ok(line.join(" ")),
            });
        }
    }

    fn brace(namespace: Option<&str>) -> String {
        namespace.map(|namespace| format!("{{{namespace}}}")).unwrap_or_default()
    }

    #[track_caller]
    fn accepts(document: &str, expected: &str) {
        assert_eq!(read(document.as_bytes()).as_deref(), Ok(expected), "{document}");
    }

    #[track_caller]
    fn refuses(document: &str, part_of_reason: &str) {
        match read(document.as_bytes()) {
            Err(error @ XmlError::Malformed { .. }) => {
                assert!(error.to_string().contains(part_of_reason), "{document}: {error}");
            }
            other => panic!("{document}: {other:?}"),
        }
    }

    #[test]
    fn elements_texts_and_attributes_are_read() {
        accepts("<a/>", "a /");
        accepts("<a></a>", "a /");
        accepts("<a ></a >", "a /");
        accepts("<a><b>x</b> <c/></a>", r#"a b "x" / " " c / /"#);
        accepts("<a x='1' y=\"2\"/>", r#"a["x=\"1\"", "y=\"2\""] /"#);
        accepts("<a x = '>' />", r#"a["x=\">\""] /"#);
        accepts("<größe>é</größe>", r#"größe "é" /"#);
    }

    #[test]
    fn parts_of_a_text_are_joined() {
        accepts("<a>1 &lt; 2 &amp;&#38; <![CDATA[<b>]]>&#x41;</a>", r#"a "1 < 2 && <b>A" /"#);
        accepts("<a>x<!-- no -->y<?pi z?>z</a>", r#"a "xyz" /"#);
        accepts("<a>&gt;</a>", r#"a ">" /"#);
        accepts("<a>x&gt;<b/>&apos;y</a>", r#"a "x>" b / "'y" /"#);
        accepts("<a><![CDATA[]]></a>", "a /");
        accepts("<a><![CDATA[]]]]><![CDATA[>]]></a>", r#"a "]]>" /"#);
        accepts("<a>]]&gt;</a>", r#"a "]]>" /"#);
        accepts("<a><!----></a>", "a /");
    }

    #[test]
    fn line_ends_and_white_space_in_values_are_normalised() {
        accepts("<a>1\r\n2\r3\n4&#13;</a>", r#"a "1\n2\n3\n4\r" /"#);
        accepts("<a><![CDATA[1\r\n\r2]]></a>", r#"a "1\n\n2" /"#);
        accepts("<a x='1\r\n2\t3&#10;&#9;'/>", r#"a["x=\"1 2 3\\n\\t\""] /"#);
    }

    #[test]
    fn what_stands_before_and_after_the_root_is_ignored() {
        let declarations = [
            "",
            "<?xml version='1.0'?>",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
            "<?xml version='1.1' encoding='UTF-8' standalone='yes' ?>",
            "\u{FEFF}<?xml version='1.0' standalone=\"no\"?>",
            "\n \r\n<?xml version='1.0' encoding='UTF-8'?>",
        ];
        for declaration in declarations {
            let document = format!("{declaration}\n<!-- c --><?pi?> <a/>\n<?pi x?><!----> ");
            accepts(&document, "a /");
        }
    }

    #[test]
    fn namespaces_follow_their_declarations() {
        accepts("<a xmlns='u'><b/></a>", "{u}a {u}b / /");
        accepts("<a xmlns='u'><b xmlns=''/><c/></a>", "{u}a b / {u}c / /");
        accepts("<p:a xmlns:p='u' p:x='1' x='2'/>", r#"{u}a["{u}x=\"1\"", "x=\"2\""] /"#);
        accepts("<a xmlns='u' x='1'/>", r#"{u}a["x=\"1\""] /"#);
        accepts("<p:a p:x='' xmlns:p='u&amp;v'/>", r#"{u&v}a["{u&v}x=\"\""] /"#);
        let nested = "<p:a xmlns:p='1'><p:b xmlns:p='2'><p:c/></p:b><p:d/></p:a>";
        accepts(nested, "{1}a {2}b {2}c / / {1}d / /");
        let xml = r#"a["{http://www.w3.org/XML/1998/namespace}lang=\"en\""] /"#;
        accepts("<a xml:lang='en'/>", xml);
        accepts("<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>", xml);
    }

    #[test]
    fn the_scope_outlives_the_end_until_the_next_event() {
        let mut reader = Reader::new(b"<a><p:b xmlns:p='u'>p:x</p:b></a>").unwrap();
        assert_eq!(reader.next(), Ok(Event::Start));
        assert_eq!(reader.next(), Ok(Event::Start));
        assert_eq!(reader.declarations().collect::<Vec<_>>(), [("p", "u")]);
        assert_eq!(reader.content(), Ok(Content::Text));
        assert_eq!((reader.text(), reader.scope().namespace("p")), ("p:x", Some("u")));
        assert_eq!(reader.next(), Ok(Event::End));
        assert_eq!(reader.scope().namespace("p"), None);
        assert_eq!(reader.next(), Ok(Event::Eof));
    }

    #[test]
    fn documents_that_are_not_well_formed_are_refused() {
        for (document, reason) in [
            ("", "no root"),
            (" ", "no root"),
            ("<?xml version='1.0'?>", "no root"),
            ("<!-- -->", "no root"),
            ("<a>", "ends before"),
            ("<a><b></a></b>", "expected"),
            ("</a>", "a"),
            ("<a></b>", "b"),
            ("<a></a x='1'>", "a"),
            ("<a", "not closed"),
            ("<a x='1", "not closed"),
            ("<a/><b/>", "second root"),
            ("<a></a><b></b>", "second root"),
            ("x<a/>", "outside"),
            ("<a/>x", "outside"),
            ("<a/>&#32;", "outside"),
            ("<![CDATA[ ]]><a/>", "outside"),
            ("<a>]]></a>", "]]>"),
            ("<a><!-- a--b --></a>", "--"),
            ("<a><!-- </a>", "not closed"),
            ("<a><![CDATA[ </a>", "not closed"),
            ("<a><? </a>", "not closed"),
            ("<a><??></a>", "target"),
            ("<a><?xml version='1.0'?></a>", "beginning"),
            ("<a><?XML x?></a>", "target"),
            ("<a>&nbsp;</a>", "unknown entity"),
            ("<a>&</a>", "not closed"),
            ("<a>& b</a>", "not closed"),
            ("<a>&#0;</a>", "unknown entity"),
            ("<a>&#xFFFE;</a>", "unknown entity"),
            ("<1a/>", "not a name"),
            ("< a/>", "not a name"),
            ("<>", "not a name"),
            ("<a:b:c xmlns:a='u'/>", "not a name"),
            ("<:a/>", "not a name"),
            ("<a:/>", "not a name"),
            ("<a x/>", "no value"),
            ("<a x=1/>", "not quoted"),
            ("<a x='1'y='2'/>", "white space"),
            ("<a x='<'/>", "<"),
            ("<a x='&'/>", "reference"),
            ("<a x='&y;'/>", "unknown entity"),
            ("<a x='1' x='2'/>", "repeated"),
            ("<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>", "repeated"),
            ("<a xmlns='u' xmlns='v'/>", "repeated"),
            ("<a xmlns:p='u' xmlns:p='u'/>", "repeated"),
            ("<a 1='x'/>", "not a name"),
            ("<a / >", "no value"),
            ("<a\0/>", "forbids"),
            ("<a>\u{B}</a>", "forbids"),
            ("<a>\u{FFFF}</a>", "forbids"),
        ] {
            refuses(document, reason);
        }
        assert!(matches!(read(b"<a>\xFF</a>"), Err(XmlError::Malformed { position: 3, .. })));
        assert!(matches!(read(b"\xFE\xFF\0<\0a\0/\0>"), Err(XmlError::Malformed { .. })));
    }

    #[test]
    fn wrong_declarations_are_refused() {
        for (document, reason) in [
            ("<p:a/>", "not declared"),
            ("<a p:x='1'/>", "not declared"),
            ("<a><b xmlns:p='u'/><p:c/></a>", "not declared"),
            ("<xmlns:a/>", "not declared"),
            ("<a xmlns:p=''/>", "without a namespace"),
            ("<a xmlns:xml='u'/>", "xml"),
            ("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "reserved"),
            ("<a xmlns='http://www.w3.org/2000/xmlns/'/>", "reserved"),
            ("<a xmlns:xmlns='u'/>", "xmlns"),
            ("<?xml version='2.0'?><a/>", "declaration"),
            ("<?xml version='1.'?><a/>", "declaration"),
            ("<?xml?><a/>", "version"),
            ("<?xml encoding='UTF-8'?><a/>", "declaration"),
            ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "UTF-8"),
            ("<?xml version='1.0' encoding='UTF-16'?><a/>", "UTF-8"),
            ("<?xml version='1.0' standalone='maybe'?><a/>", "declaration"),
            ("<?xml version='1.0' x='y'?><a/>", "declaration"),
            ("<?xml version='1.0' standalone='no' encoding='UTF-8'?><a/>", "declaration"),
            ("<?xml version='1.0' version='1.0'?><a/>", "declaration"),
            ("<!-- --><?xml version='1.0'?><a/>", "beginning"),
        ] {
            refuses(document, reason);
        }
    }

    #[test]
    fn a_document_type_is_refused_and_no_entity_is_expanded() {
        for document in [
            "<!DOCTYPE a><a/>",
            "<!doctype a><a/>",
            "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
            "<!DOCTYPE a [<!ENTITY x 'xxxxxxxxxx'><!ENTITY y '&x;&x;&x;'>]><a>&y;</a>",
            "<a><!DOCTYPE a></a>",
        ] {
            refuses(document, "");
        }
        refuses("<a>&y;</a>", "unknown entity");
    }

    #[test]
    fn limits_are_reached_and_named() {
        let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(read(deep(DEPTH_MAX).as_bytes()).is_ok());
        let error = read(deep(DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert!(matches!(error, XmlError::Limit { max: DEPTH_MAX, .. }), "{error}");

        let wide = |count: usize| {
            let attributes: String = (0..count).map(|i| format!(" x{i}=''")).collect();
            format!("<a{attributes}/>")
        };
        assert!(read(wide(ATTRIBUTES_MAX).as_bytes()).is_ok());
        for count in [ATTRIBUTES_MAX + 1, ATTRIBUTES_MAX * 10] {
            let error = read(wide(count).as_bytes()).unwrap_err();
            assert!(matches!(error, XmlError::Limit { max: ATTRIBUTES_MAX, .. }), "{error}");
        }

        let scoped = |count: usize| {
            let starts: String = (0..count).map(|i| format!("<a xmlns:p{i}='u'>")).collect();
            starts + &"</a>".repeat(count)
        };
        assert!(read(scoped(DECLARATIONS_MAX).as_bytes()).is_ok());
        let error = read(scoped(DECLARATIONS_MAX + 1).as_bytes()).unwrap_err();
        assert!(matches!(error, XmlError::Limit { max: DECLARATIONS_MAX, .. }), "{error}");
    }

    #[test]
    fn an_error_is_given_again_by_every_later_call() {
        let mut reader = Reader::new(b"<a><b></a>").unwrap();
        assert_eq!((reader.next(), reader.next()), (Ok(Event::Start), Ok(Event::Start)));
        let error = reader.next().unwrap_err();
        assert_eq!(reader.next(), Err(error.clone()));
        assert_eq!(reader.skip(), Err(error));
    }

    #[test]
    fn skip_reads_past_the_element() {
        let mut reader = Reader::new(b"<a><b x=''><b/>t<c><d/></c></b><e/></a>").unwrap();
        assert_eq!((reader.next(), reader.next()), (Ok(Event::Start), Ok(Event::Start)));
        assert_eq!(reader.skip(), Ok(()));
        assert_eq!((reader.next(), reader.name()), (Ok(Event::Start), "e"));
    }

    #[test]
    fn every_truncation_of_a_document_is_an_error() {
        let document = "\n<?xml version='1.0' encoding='UTF-8'?><!-- é --><p:a xmlns:p='u' x='&lt;1'>\
            <b>é &amp; <![CDATA[<]]></b><?pi x?><c/>&#65;</p:a>";
        assert!(read(document.as_bytes()).is_ok());
        for end in 0..document.len() {
            assert!(read(&document.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
