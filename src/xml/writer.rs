//! Writing XML: what comes out is well-formed whatever the texts contain.

use super::characters;

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Content,
    Attribute,
}

/// Appends elements to a buffer. Names come from schemas and constants, so they are taken as they are; texts and
/// values are escaped.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// A start tag is written up to its `>`.
    open: bool,
}

impl<'o> Writer<'o> {
    /// Appends to `out`.
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, open: false }
    }

    /// `<name`. Declarations and attributes may follow.
    pub(crate) fn start(&mut self, name: &str) -> &mut Self {
        self.close_tag();
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        self.open = true;
        self
    }

    /// `xmlns="namespace"` in the start tag that is open.
    pub(crate) fn default_namespace(&mut self, namespace: &str) -> &mut Self {
        self.attribute("xmlns", namespace)
    }

    /// `xmlns:prefix="namespace"` in the start tag that is open.
    pub(crate) fn declare(&mut self, prefix: &str, namespace: &str) -> &mut Self {
        self.out.extend_from_slice(b" xmlns:");
        self.out.extend_from_slice(prefix.as_bytes());
        self.value(namespace)
    }

    /// `name="value"` in the start tag that is open. The name may have a prefix.
    pub(crate) fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        self.out.push(b' ');
        self.out.extend_from_slice(name.as_bytes());
        self.value(value)
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.close_tag();
        push_text(self.out, text);
        self
    }

    /// Ends the element `name`, which was started last: `</name>`, or `/>` if nothing came since.
    pub(crate) fn end(&mut self, name: &str) -> &mut Self {
        if self.open {
            self.open = false;
            self.out.extend_from_slice(b"/>");
        } else {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_slice(name.as_bytes());
            self.out.push(b'>');
        }
        self
    }

    /// A whole element that holds a text only.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) -> &mut Self {
        self.start(name).text(text).end(name)
    }

    /// A whole element that holds nothing.
    pub(crate) fn empty(&mut self, name: &str) -> &mut Self {
        self.start(name).end(name)
    }

    /// Closes the start tag that is open, if there is one, and gives the buffer for what others append.
    pub(crate) fn content(&mut self) -> &mut Vec<u8> {
        self.close_tag();
        self.out
    }

    fn value(&mut self, value: &str) -> &mut Self {
        self.out.extend_from_slice(b"=\"");
        escape(value, Place::Attribute, |part| self.out.extend_from_slice(part.as_bytes()));
        self.out.push(b'"');
        self
    }

    fn close_tag(&mut self) {
        if self.open {
            self.open = false;
            self.out.push(b'>');
        }
    }
}

/// Appends a text, escaped: no markup, no `]]>`, and a carriage return that survives the way.
#[inline]
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    escape(text, Place::Content, |part| out.extend_from_slice(part.as_bytes()));
}

/// Hands a text to `push` in pieces, escaped. A character that XML forbids becomes U+FFFD.
#[inline]
pub(super) fn escape(text: &str, place: Place, push: impl FnMut(&str)) {
    let special = |byte: u8| {
        (byte < b' ')
            | (byte == b'<')
            | (byte == b'>')
            | (byte == b'&')
            | (byte == b'"')
            | (byte == 0xEF)
    };
    let mut push = push;
    if characters::any(text.as_bytes(), special) {
        escape_parts(text, place, &mut push);
    } else {
        push(text);
    }
}

fn escape_parts(text: &str, place: Place, push: &mut dyn FnMut(&str)) {
    let mut rest = text;
    let find = |rest: &str| {
        rest.char_indices().find_map(|(at, character)| {
            replacement(character, place).map(|other| (at, character, other))
        })
    };
    while let Some((at, character, other)) = find(rest) {
        push(rest.get(..at).unwrap_or_default());
        push(other);
        rest = rest.get(at.saturating_add(character.len_utf8())..).unwrap_or_default();
    }
    push(rest);
}

/// What is written for a character that cannot stand as itself.
fn replacement(character: char, place: Place) -> Option<&'static str> {
    match (character, place) {
        ('<', _) => Some("&lt;"),
        ('>', _) => Some("&gt;"),
        ('&', _) => Some("&amp;"),
        ('\r', _) => Some("&#13;"),
        ('\n', Place::Attribute) => Some("&#10;"),
        ('\t', Place::Attribute) => Some("&#9;"),
        ('"', Place::Attribute) => Some("&quot;"),
        (_, _) => (!characters::is_char(character)).then_some("\u{FFFD}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> String {
        let mut out = Vec::new();
        push_text(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_escaped_wherever_the_special_character_stands() {
        for (special, expected) in [
            ("<", "&lt;"),
            (">", "&gt;"),
            ("&", "&amp;"),
            ("]]>", "]]&gt;"),
            ("]]>]]>", "]]&gt;]]&gt;"),
            ("\r\n", "&#13;\n"),
            ("\t\n", "\t\n"),
            ("\"'", "\"'"),
            ("\0", "\u{FFFD}"),
            ("\u{1B}", "\u{FFFD}"),
            ("\u{FFFE}", "\u{FFFD}"),
            ("\u{FFFF}", "\u{FFFD}"),
            ("\u{FF01}é\u{1F600}", "\u{FF01}é\u{1F600}"),
        ] {
            for (before, after) in [(0, 0), (1, 1), (31, 40), (32, 32), (33, 0), (100, 3)] {
                let (before, after) = ("b".repeat(before), "a".repeat(after));
                let expected = format!("{before}{expected}{after}");
                assert_eq!(text(&format!("{before}{special}{after}")), expected);
            }
        }
    }

    #[test]
    fn elements_nest_and_attributes_are_escaped() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.start("a").default_namespace("urn:a&b").declare("p", "urn:\"p\"");
        writer.attribute("p:x", "1 < 2\t\"&\"\n");
        writer.leaf("b", "<").leaf("c", "").empty("d");
        writer.start("g").content().extend_from_slice(b"<h/>");
        writer.end("g").end("a");
        let expected = "<a xmlns=\"urn:a&amp;b\" xmlns:p=\"urn:&quot;p&quot;\" \
            p:x=\"1 &lt; 2&#9;&quot;&amp;&quot;&#10;\"><b>&lt;</b><c></c><d/>\
            <g><h/></g></a>";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
