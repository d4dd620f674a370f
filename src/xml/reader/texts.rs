//! Character data: parts of a text are joined, line ends normalised, references resolved (XML 1.0, 2.4, 2.7, 2.11, 4.1).

use super::{Reader, XmlError};
use crate::xml::characters;

impl<'a> Reader<'a> {
    /// The text is complete: an element starts or ends here, or nothing follows.
    pub(super) fn text_ends(&self) -> bool {
        match self.source.as_bytes().get(self.at..) {
            Some([b'<', b'!' | b'?', ..]) => false,
            Some([b'<', ..] | []) | None => true,
            Some([..]) => false,
        }
    }

    /// Adds the character data that was read. Whether there was any.
    pub(super) fn add_text(&mut self, from: usize, pending: bool) -> Result<bool, XmlError> {
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
            return if crate::xml::is_white_space(piece) {
                Ok(false)
            } else {
                Err(self.malformed_at(from, "there is text outside the root element"))
            };
        }
        Ok(self.add_lines(piece, pending))
    }

    /// Adds the CDATA section that was read. Whether there was anything in it.
    pub(super) fn add_section(&mut self, from: usize, pending: bool) -> Result<bool, XmlError> {
        if self.depth == 0 {
            return Err(self.malformed_at(from, "there is text outside the root element"));
        }
        let piece = self.markup(from, "<![CDATA[".len(), "]]>".len());
        Ok(self.add_lines(piece, pending))
    }

    pub(super) fn add_reference(&mut self, from: usize, pending: bool) -> Result<(), XmlError> {
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
}
