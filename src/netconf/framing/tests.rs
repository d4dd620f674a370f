//! Framing (RFC 6242, 4.2 and 4.3) of whatever comes, however it is divided.

use super::{Decoder, Encoder, Framing, FramingError};

const LIMIT: usize = 64;

/// What a decoder gives for `pushes`: its messages, then its error if there is one.
fn decode(framing: Framing, pushes: &[&[u8]]) -> (Vec<String>, Option<FramingError>) {
    let mut decoder = Decoder::new(LIMIT);
    decoder.set_framing(framing);
    let mut messages = Vec::new();
    for push in pushes {
        decoder.push(push);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(String::from_utf8(message).unwrap()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next_message(), Err(error), "an error is final");
                    return (messages, Some(error));
                }
            }
        }
    }
    (messages, None)
}

/// The same messages come out however the bytes are cut.
#[track_caller]
fn check_cuts(framing: Framing, wire: &str, expected: &[&str]) {
    let wire = wire.as_bytes();
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(decode(framing, &bytes), (own(expected), None), "byte by byte");
    for first in 0..=wire.len() {
        for second in first..=wire.len() {
            let cuts = [&wire[..first], &wire[first..second], &wire[second..]];
            assert_eq!(decode(framing, &cuts), (own(expected), None), "{first} {second}");
        }
    }
}

fn own(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn chunked_messages_survive_every_cut() {
    let wire = "\n#4\n<rpc\n#18\n message-id=\"102\"\n\n#3\n/>é\n##\n\n#1\na\n##\n";
    let wire = wire.replace("#3\n/>é", "#4\n/>é");
    check_cuts(Framing::Chunked, &wire, &["<rpc message-id=\"102\"\n/>é", "a"]);
}

#[test]
fn newlines_between_messages_are_tolerated() {
    let wire = "\n\n#1\na\n##\n\n\n#2\nbc\n##\n\n\r\n \n#1\nd\n##\n\n";
    check_cuts(Framing::Chunked, wire, &["a", "bc", "d"]);
}

#[test]
fn the_delimiter_is_found_at_every_cut() {
    check_cuts(Framing::EndOfMessage, "a]]>]]>\n]]>b]]]>]]>]]>]]>", &["a", "\n]]>b]", ""]);
}

#[test]
fn one_byte_chunks_are_one_message() {
    let wire: String = "<rpc/>".chars().map(|c| format!("\n#1\n{c}")).collect();
    check_cuts(Framing::Chunked, &(wire + "\n##\n"), &["<rpc/>"]);
}

#[test]
fn the_framing_changes_behind_the_hello_within_one_push() {
    let mut decoder = Decoder::new(LIMIT);
    decoder.push(b"<hello/>]]>]]>\n#2\nab\n##\n");
    assert_eq!(decoder.next_message(), Ok(Some(b"<hello/>".to_vec())));
    decoder.set_framing(Framing::Chunked);
    assert_eq!(decoder.next_message(), Ok(Some(b"ab".to_vec())));
    assert_eq!(decoder.next_message(), Ok(None));
}

#[test]
fn bad_chunks_are_refused() {
    for wire in [
        "\n#0\n",
        "\n#01\na\n##\n",
        "\n#4294967296\n",
        "\n#99999999999999999999999\n",
        "\n#-1\n",
        "\n#+1\n",
        "\n#a\n",
        "\n#\n",
        "\n# 1\n",
        "\n#1 \n",
        "\n#1\r\na",
        "#1\na\n##\n",
        "x\n#1\na\n##\n",
        "\n##\n",
        "\n#1\na##\n",
        "\n#1\nab\n##\n",
        "\n#1\na\n\n##\n",
        "\n#1\na\n##\r\n",
        "\n#1\na\n##x",
        "\n#1\na\n###",
        "<rpc/>]]>]]>",
    ] {
        let (_, error) = decode(Framing::Chunked, &[wire.as_bytes()]);
        assert!(matches!(error, Some(FramingError::Invalid(_))), "{wire:?}: {error:?}");
    }
}

#[test]
fn messages_before_a_fault_are_given() {
    let (messages, error) = decode(Framing::Chunked, &[b"\n#1\na\n##\n\n#0\n"]);
    assert_eq!(messages, ["a"]);
    assert!(error.is_some());
}

#[test]
fn a_message_at_the_limit_is_taken_and_a_longer_one_is_too_big() {
    let too_big = Some(FramingError::TooBig { limit: LIMIT });
    for (bytes, expected) in [(LIMIT, None), (LIMIT + 1, too_big)] {
        let text = "x".repeat(bytes);
        let delimited = format!("{text}]]>]]>");
        assert_eq!(decode(Framing::EndOfMessage, &[delimited.as_bytes()]).1, expected);
        let one = format!("\n#{bytes}\n{text}\n##\n");
        assert_eq!(decode(Framing::Chunked, &[one.as_bytes()]).1, expected);
        let two = format!("\n#1\nx\n#{}\n{}\n##\n", bytes - 1, "x".repeat(bytes - 1));
        assert_eq!(decode(Framing::Chunked, &[two.as_bytes()]).1, expected);
    }
    // The announced size is enough; the largest that the grammar allows included.
    assert_eq!(decode(Framing::Chunked, &[b"\n#4294967295\n"]).1, too_big);
    // A message without an end is given up, not collected.
    assert_eq!(decode(Framing::EndOfMessage, &[&[b'x'; LIMIT + 7]]).1, too_big);
}

fn encode(framing: Framing, pieces: &[&str]) -> String {
    let mut encoder = Encoder::new(framing);
    encoder.chunk_bytes_max = 16;
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| encoder.piece(piece.as_bytes(), &mut out));
    encoder.end(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn pieces_become_chunks() {
    for (pieces, wire) in [
        (&["<ok/>"][..], "\n#5\n<ok/>\n##\n"),
        (&["<a>", "", "</a>"], "\n#3\n<a>\n#4\n</a>\n##\n"),
        (&["0123456789abcdef0"], "\n#16\n0123456789abcdef\n#1\n0\n##\n"),
        // "€" has three bytes: it is not cut.
        (&["0123456789abcd€x"], "\n#14\n0123456789abcd\n#4\n€x\n##\n"),
    ] {
        assert_eq!(encode(Framing::Chunked, pieces), wire);
    }
}

#[test]
fn no_line_of_a_payload_is_two_hashes() {
    for pieces in [
        &["##"][..],
        &["a\n##\nb"],
        &["a\n##"],
        &["a\n", "##", "\nb"],
        &["a\n#", "#\nb"],
        &["##\n##\n##"],
        &["a ##\n### b\n## c"],
    ] {
        let wire = encode(Framing::Chunked, pieces);
        let ends = wire.lines().filter(|line| *line == "##").count();
        assert_eq!(ends, 1, "{wire:?}");
        assert_eq!(decode(Framing::Chunked, &[wire.as_bytes()]), (vec![pieces.concat()], None));
    }
    assert_eq!(encode(Framing::Chunked, &["a ##\n### b"]), "\n#10\na ##\n### b\n##\n");
}

#[test]
fn what_is_framed_where_it_is_written_is_the_same() {
    let usual = "x".repeat(10_000);
    let texts = [
        "x".repeat(9_999),
        usual.clone(),
        "x".repeat(99_999),
        "x".repeat(100_000),
        format!("{usual}\n##\n{usual}"),
        format!("{usual}]]>]]>{usual}"),
        format!("{usual}]]>"),
        "]]>".to_owned(),
        String::new(),
    ];
    for framing in [Framing::Chunked, Framing::EndOfMessage] {
        let (mut one, mut other) = (Encoder::new(framing), Encoder::new(framing));
        let (mut written, mut pieces) = (Vec::new(), Vec::new());
        for text in &texts {
            one.write(&mut written, |out| out.extend_from_slice(text.as_bytes()));
            other.piece(text.as_bytes(), &mut pieces);
        }
        one.end(&mut written);
        other.end(&mut pieces);
        assert!(written == pieces, "{framing:?}");
    }
}

#[test]
fn the_delimiter_in_data_is_escaped_wherever_pieces_end() {
    let text = "<a>]]>]]>x]]]>]]]>]]>]]></a>";
    let escaped = "<a>]]>]]&gt;x]]]>]]]>]]&gt;]]></a>]]>]]>";
    for at in 0..=text.len() {
        let (first, second) = text.split_at(at);
        assert_eq!(encode(Framing::EndOfMessage, &[first, second]), escaped, "{at}");
    }
}
