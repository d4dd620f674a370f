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
fn plain_elements_are_read_as_all_others() {
    accepts("<r><a>x</a><b></b><c>y</c></r>", r#"r a "x" / b / c "y" / /"#);
    accepts("<r><a>x</a> <b>y</b>z</r>", r#"r a "x" / " " b "y" / "z" /"#);
    accepts(
        "<r xmlns='u'><a>x</a><b xmlns=''><c>y</c></b></r>",
        r#"{u}r {u}a "x" / b c "y" / / /"#,
    );
    accepts("<r><a x='1'/><b>y</b></r>", r#"r a["x=\"1\""] / b "y" / /"#);
    accepts("<r><a>1\r\n2</a><a>]] ></a></r>", r#"r a "1\n2" / a "]] >" / /"#);
    accepts("<r><a>x<!----></a><a>x</a ></r>", r#"r a "x" / a "x" / /"#);
    for (content, part_of_reason) in [
        ("<a>]]></a>", "]]>"),
        ("<a>x</b>", "a"),
        ("<a>x</aa>", "a"),
        ("<1a>x</1a>", "not a name"),
        ("<>x</>", "not a name"),
        ("<p:a>x</p:a>", "not declared"),
        ("<a>x</a", "expected `</a>`"),
        ("<a>&y;</a>", "unknown entity"),
    ] {
        refuses(&format!("<r><b>y</b>{content}</r>"), part_of_reason);
    }
    refuses("<r><a>x</a></r><a>x</a>", "second root");
}

#[test]
fn the_position_follows_the_events_of_a_plain_element() {
    let mut reader = Reader::new(b"<r><a>xyz</a><b></b></r>").unwrap();
    let positions = [3, 6, 9, 13, 16, 20, 24, 24].map(|_| {
        reader.next().unwrap();
        reader.position()
    });
    assert_eq!(positions, [3, 6, 9, 13, 16, 20, 24, 24]);
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
    for text in ["", "x", "<!---->"] {
        let deep = |depth: usize| "<a>".repeat(depth) + text + &"</a>".repeat(depth);
        assert!(read(deep(DEPTH_MAX).as_bytes()).is_ok());
        let error = read(deep(DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert!(matches!(error, XmlError::Limit { max: DEPTH_MAX, .. }), "{error}");
    }

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
