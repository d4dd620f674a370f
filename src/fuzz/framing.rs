//! Bytes of a client, framed (RFC 6242, 4): how they are divided among reads changes nothing, and what is a message is one
//! again when we have framed it.

use super::{Chance, Target, run};
use crate::netconf::framing::{Decoder, Encoder, Framing, FramingError};

const LIMIT: usize = 4096;

type Decoded = (Vec<Vec<u8>>, Option<FramingError>);

/// What comes out of bytes that come in these pieces.
fn decode<'b>(framing: Framing, pieces: impl Iterator<Item = &'b [u8]>) -> Decoded {
    let mut decoder = Decoder::new(LIMIT);
    decoder.set_framing(framing);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn check(input: &[u8], chance: &mut Chance) -> bool {
    let mut good = false;
    for framing in [Framing::Chunked, Framing::EndOfMessage] {
        let whole = decode(framing, [input].into_iter());
        let size = 1 + chance.below(40);
        assert_eq!(decode(framing, input.chunks(size)), whole, "{framing:?} by {size} bytes");
        let (messages, _) = whole;
        for message in &messages {
            assert!(message.len() <= LIMIT);
            let framed = match framing {
                Framing::Chunked => Encoder::new(framing).message(message),
                Framing::EndOfMessage => [message, b"]]>]]>".as_slice()].concat(),
            };
            let again = decode(framing, [framed.as_slice()].into_iter());
            assert_eq!(again, (vec![message.clone()], None));
        }
        good |= !messages.is_empty();
    }
    good
}

#[test]
fn framing() {
    let corpus = [
        "\n#4\n<rpc\n#18\n message-id=\"102\"\n\n#79\n     xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  \
         <close-session/>\n</rpc>\n##\n",
        "\n#1\na\n##\n\n#2\nbc\n#1\nd\n##\n",
        "<hello/>]]>]]><rpc>]]</rpc>]]>]]>]]]]>]]>",
        "<hello/>]]>]]>\n#6\n<rpc/>\n##\n",
    ];
    let tokens = [
        "\n#",
        "\n##\n",
        "]]>]]>",
        "]]>",
        "\n#4294967295\n",
        "\n#4294967296\n",
        "\n#0",
        "\n#4096\n",
    ];
    let corpus = corpus.map(|text| text.as_bytes().to_vec()).to_vec();
    run(&Target { name: "framing", corpus, tokens: &tokens, cpu_ms_max: 1_000, check: &check });
}
