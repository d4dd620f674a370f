//! Bytes of a record as numbers, texts and keys.

use super::decode::DecodeError;

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A LEB128 number of at most 64 bits.
    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Malformed)
    }

    pub(super) fn blob(&mut self) -> Result<&'a [u8], DecodeError> {
        // A length beyond what can be addressed is beyond the end, too.
        let len = usize::try_from(self.number()?).ok().ok_or(DecodeError::Malformed)?;
        let (blob, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(blob)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.blob()?).ok().ok_or(DecodeError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Input};

    #[test]
    fn numbers_have_at_most_64_bits() {
        for (bytes, expected) in [
            (&[0x00][..], Ok(0)),
            (&[0xac, 0x02], Ok(300)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(u64::MAX)),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                Err(DecodeError::Malformed),
            ),
            (&[0x80; 11], Err(DecodeError::Malformed)),
            (&[0x80], Err(DecodeError::Truncated)),
            (&[], Err(DecodeError::Truncated)),
        ] {
            assert_eq!(Input(bytes).number(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_reads_nothing() {
        assert_eq!(Input(&[0x7f, b'a']).blob(), Err(DecodeError::Truncated));
        assert_eq!(Input(&[0x02, 0xc3, 0x28]).text(), Err(DecodeError::Malformed));
        assert_eq!(Input(&[0x02, 0xc3, 0xa4]).text(), Ok("ä"));
    }
}
