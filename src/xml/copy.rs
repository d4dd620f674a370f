//! Copies of parts of a document that stand on their own.

use super::reader::{Event, Reader, XmlError};
use super::writer::{Place, escape};
use super::{characters, is_white_space};
use std::collections::BTreeMap;

/// A copy in the making.
///
/// Prefixes stay what they were. Declarations from outside the copy that its elements, attributes or texts use are
/// repeated on its outermost elements.
struct Copy<'a> {
    out: String,
    /// A start tag is written up to its `>`.
    open: bool,
    /// Prefixes and names of the elements that are open in the copy.
    names: Vec<(&'a str, &'a str)>,
    /// How many declarations lie outside the copy.
    outside: usize,
    /// Prefixes and places of those of them that the outermost element uses.
    used: BTreeMap<&'a str, usize>,
    /// An element inside has no namespace because no default is declared at all.
    unnamed: bool,
    /// Where the outermost element's declarations belong.
    declarations_at: usize,
}

impl Reader<'_> {
    /// Behind an `Event::Start`: the element's content as XML that declares every prefix it uses, read up to the
    /// element's end. Comments and processing instructions are left out, and white space around its child elements.
    pub(crate) fn copy_content(&mut self) -> Result<String, XmlError> {
        let mut copy = Copy::new(self.scope().len());
        copy.read_to_end(self)?;
        Ok(copy.out)
    }
}

impl<'a> Copy<'a> {
    fn new(outside: usize) -> Self {
        Self {
            out: String::new(),
            open: false,
            names: Vec::new(),
            outside,
            used: BTreeMap::new(),
            unnamed: false,
            declarations_at: 0,
        }
    }

    /// Copies until the element ends that was started before.
    fn read_to_end(&mut self, reader: &mut Reader<'a>) -> Result<(), XmlError> {
        let level = self.names.len();
        loop {
            match reader.next()? {
                Event::Start => self.start(reader),
                Event::Text if self.names.is_empty() && is_white_space(reader.text()) => {}
                Event::Text => self.text(reader),
                Event::End | Event::Eof if self.names.len() == level => return Ok(()),
                Event::End | Event::Eof => self.end(reader),
            }
        }
    }

    fn start(&mut self, reader: &Reader<'a>) {
        self.close_tag();
        let (prefix, name) = (reader.prefix(), reader.name());
        self.out.push('<');
        self.push_name(prefix, name);
        if self.names.is_empty() {
            self.declarations_at = self.out.len();
            self.used.clear();
            self.unnamed = false;
        }
        self.names.push((prefix, name));
        for (prefix, namespace) in reader.declarations() {
            self.declare(prefix, namespace);
        }
        self.note(reader, prefix);
        for attribute in reader.attributes() {
            self.out.push(' ');
            self.push_name(attribute.prefix, attribute.name);
            self.push_value(attribute.value);
            if !attribute.prefix.is_empty() {
                self.note(reader, attribute.prefix);
            }
            self.note_in_text(reader, attribute.value);
        }
        self.open = true;
    }

    fn text(&mut self, reader: &Reader<'a>) {
        self.close_tag();
        self.note_in_text(reader, reader.text());
        escape(reader.text(), Place::Content, |part| self.out.push_str(part));
    }

    fn end(&mut self, reader: &Reader<'a>) {
        let Some((prefix, name)) = self.names.pop() else { return };
        if self.open {
            self.open = false;
            self.out.push_str("/>");
        } else {
            self.out.push_str("</");
            self.push_name(prefix, name);
            self.out.push('>');
        }
        if self.names.is_empty() {
            let rest = self.out.split_off(self.declarations_at);
            if self.unnamed {
                self.declare("", "");
            }
            for at in std::mem::take(&mut self.used).into_values() {
                if let Some((prefix, namespace)) = reader.scope().declaration(at) {
                    self.declare(prefix, namespace);
                }
            }
            self.out.push_str(&rest);
        }
    }

    fn close_tag(&mut self) {
        if self.open {
            self.open = false;
            self.out.push('>');
        }
    }

    fn push_name(&mut self, prefix: &str, name: &str) {
        if !prefix.is_empty() {
            self.out.push_str(prefix);
            self.out.push(':');
        }
        self.out.push_str(name);
    }

    fn push_value(&mut self, value: &str) {
        self.out.push_str("=\"");
        escape(value, Place::Attribute, |part| self.out.push_str(part));
        self.out.push('"');
    }

    fn declare(&mut self, prefix: &str, namespace: &str) {
        self.out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
        self.out.push_str(prefix);
        self.push_value(namespace);
    }

    /// A name with this prefix is used here.
    fn note(&mut self, reader: &Reader<'a>, prefix: &str) {
        match reader.scope().find(prefix) {
            Some(at) if at < self.outside => {
                if let Some((prefix, _)) = reader.scope().declaration(at) {
                    self.used.insert(prefix, at);
                }
            }
            None if prefix.is_empty() => self.unnamed = true,
            Some(_) | None => {}
        }
    }

    /// Notes every name before a colon, because the text may hold qualified names.
    fn note_in_text(&mut self, reader: &Reader<'a>, text: &str) {
        let mut pieces = text.split(':');
        pieces.next_back();
        for piece in pieces {
            let word = piece.rsplit(|character| !characters::is_in_name(character)).next();
            if let Some(word) = word.filter(|word| !word.is_empty()) {
                self.note(reader, word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_declare_what_they_use_from_outside() {
        for (document, expected) in [
            ("<a><b/></a>", "<b xmlns=\"\"/>"),
            ("<a xmlns='u'><b/> <c/></a>", "<b xmlns=\"u\"/><c xmlns=\"u\"/>"),
            ("<a xmlns='u'><b xmlns='v'><c/></b></a>", "<b xmlns=\"v\"><c/></b>"),
            ("<a xmlns='u'><b xmlns=''><c/></b></a>", "<b xmlns=\"\"><c/></b>"),
            (
                "<x xmlns:p='1' xmlns:q='2' xmlns:r='3'><p:b q:y='z'/><b>v r:w</b></x>",
                "<p:b xmlns:p=\"1\" xmlns:q=\"2\" q:y=\"z\"/><b xmlns=\"\" xmlns:r=\"3\">v r:w</b>",
            ),
            ("<a xmlns:p='1'><p:b xmlns:p='2'/></a>", "<p:b xmlns:p=\"2\"/>"),
            (
                "<a xmlns:p='1' xmlns='u'><b><p:c/><p:d xmlns:p='3'/></b></a>",
                "<b xmlns=\"u\" xmlns:p=\"1\"><p:c/><p:d xmlns:p=\"3\"/></b>",
            ),
            (
                "<a xmlns='u'><p:b xmlns:p='1'><c xmlns=''/></p:b></a>",
                "<p:b xmlns:p=\"1\"><c xmlns=\"\"/></p:b>",
            ),
            ("<a>1 &lt; <![CDATA[2]]>]]&gt;</a>", "1 &lt; 2]]&gt;"),
            (
                "<a xmlns='u'><b x='&quot;&#10;]]>'> t<!-- c --><c></c>\n</b></a>",
                "<b xmlns=\"u\" x=\"&quot;&#10;]]&gt;\"> t<c/>\n</b>",
            ),
            ("<a/>", ""),
        ] {
            let mut reader = Reader::new(document.as_bytes()).unwrap();
            reader.next().unwrap();
            assert_eq!(reader.copy_content().as_deref(), Ok(expected), "{document}");
            assert_eq!(reader.next(), Ok(Event::Eof));
        }
    }
}
