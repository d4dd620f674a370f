#![expect(clippy::wildcard_enum_match_arm, reason = "a test fails on all that it does not expect")]

use super::*;
use crate::netconf::testing::{config, path, print, read, schema, tree};
use crate::yang::print::{Printer, Progress};
use crate::yang::tree::Key;
use std::sync::Arc;

const ALLOWED: Operations = Operations::Allowed(DefaultOperation::Merge);

/// An edit on one line: `name!operation@insert=value{children}`; merge is not shown.
fn show(schema: &Schema, nodes: &[EditNode]) -> String {
    let parts: Vec<String> = nodes
        .iter()
        .map(|edit| {
            let mut text = schema.node(edit.node).name.to_string();
            if &*schema.module_of(edit.node).name != "m" {
                text = format!("{}:{text}", schema.module_of(edit.node).name);
            }
            if edit.operation != Operation::Merge {
                text += &format!("!{:?}", edit.operation).to_lowercase();
            }
            if let Some(insert) = edit.insert() {
                let of = |key: &Key| {
                    format!("({})", String::from_utf8_lossy(key.as_bytes()).replace('\0', ";"))
                };
                text += &match insert {
                    Insert::First => "@first".to_owned(),
                    Insert::Last => "@last".to_owned(),
                    Insert::Before(key) => "@before".to_owned() + &of(key),
                    Insert::After(key) => "@after".to_owned() + &of(key),
                };
            }
            match &edit.value {
                EditValue::Container(_) => {}
                EditValue::Leaf(value) => text += &format!("={value}"),
                EditValue::Absent => text += "=?",
                EditValue::Entry(entry) => text += &format!("[{}]", entry.values.join(",")),
                EditValue::Item(item) => text += &format!("=[{}]", item.value),
                EditValue::Any(xml) => text += &format!("=({xml})"),
            }
            if !edit.children().is_empty() {
                text += &format!("{{{}}}", show(schema, edit.children()));
            }
            text
        })
        .collect();
    parts.join(" ")
}

/// Reads `content` inside of `<m:box>`.
#[track_caller]
fn accepts(content: &str, expected: &str) {
    let schema = schema();
    let document = config(&format!("<box xmlns='urn:m'>{content}</box>"));
    match read(&schema, document.as_bytes(), ALLOWED) {
        Ok(edit) => {
            assert_eq!(show(&schema, &edit.nodes), format!("box{{{expected}}}"), "{content}")
        }
        Err(error) => panic!("{content}: {error:?}"),
    }
}

/// A fault on one line: tag, details, app-tag and path.
fn show_error(schema: &Schema, error: &PayloadError) -> String {
    let PayloadError::Data(error) = error else { return format!("{error:?}") };
    assert!(!error.message.is_empty());
    let kind = match &error.kind {
        DataErrorKind::InvalidValue => "invalid-value".to_owned(),
        DataErrorKind::MissingKey { key } => format!("missing-element {key}"),
        DataErrorKind::BadElement { element } => format!("bad-element {element}"),
        DataErrorKind::UnknownElement { element } => format!("unknown-element {element}"),
        DataErrorKind::UnknownNamespace { element, namespace } => {
            format!("unknown-namespace {element} {namespace}")
        }
        DataErrorKind::BadAttribute { attribute, element } => {
            format!("bad-attribute {attribute} {element}")
        }
        DataErrorKind::MissingAttribute { attribute, element } => {
            format!("missing-attribute {attribute} {element}")
        }
        DataErrorKind::UnknownAttribute { attribute, element } => {
            format!("unknown-attribute {attribute} {element}")
        }
        DataErrorKind::NotUnique { .. } => "not-unique".to_owned(),
        other => format!("{other:?}"),
    };
    let app_tag = error.app_tag.as_ref().map(|tag| format!(" ({tag})")).unwrap_or_default();
    let at = error.path.as_ref().map(|at| " ".to_owned() + &path(schema, at)).unwrap_or_default();
    kind + &app_tag + &at
}

#[track_caller]
fn refuses_at_top(content: &str, operations: Operations, expected: &str) {
    let schema = schema();
    match read(&schema, config(content).as_bytes(), operations) {
        Ok(edit) => panic!("{content}: {}", show(&schema, &edit.nodes)),
        Err(error) => assert_eq!(show_error(&schema, &error), expected, "{content}"),
    }
}

#[track_caller]
fn refuses(content: &str, expected: &str) {
    refuses_at_top(&format!("<box xmlns='urn:m'>{content}</box>"), ALLOWED, expected);
}

#[test]
fn data_of_every_kind_is_read() {
    accepts("<name>x</name><size> 7 </size>", "name=x size=7");
    accepts("<name> x\n</name>", "name= x\n");
    accepts("<name/>", "name=");
    accepts("<name>a &lt; <![CDATA[b]]></name>", "name=a < b");
    accepts("<flag/>", "flag=");
    accepts("<kind>m:big</kind>", "kind=m:big");
    accepts("<kind>big</kind>", "kind=m:big");
    accepts("<kind xmlns:q='urn:n'>q:huge</kind>", "kind=n:huge");
    accepts("<m:name xmlns=''>x</m:name>", "name=x");
    accepts("<n:name>y</n:name><name>x</name>", "n:name=y name=x");
    accepts("<label xmlns='urn:n'><text>t</text></label>", "n:label{n:text=t}");
    accepts("<lid/>", "lid");
    accepts("<tag>b</tag><tag>a</tag>", "tag=[b] tag=[a]");
    accepts(
        "<line><name>1</name></line><line><name>0</name></line>",
        "line[1]{name=1} line[0]{name=0}",
    );
    accepts("\n <!-- c --> <lid>\n<color>red</color> </lid><?pi?>", "lid{color=red}");
}

#[test]
fn keys_may_stand_anywhere_and_values_follow_the_key_statement() {
    let expected = "pair[a,1]{x=a y=1 v=z}";
    accepts("<pair><x>a</x><y>1</y><v>z</v></pair>", expected);
    accepts("<pair><v>z</v><y>1</y><x>a</x></pair>", "pair[a,1]{v=z y=1 x=a}");
    accepts(
        "<pair><inner><id>i</id></inner><y>01</y><x>a</x></pair>",
        "pair[a,1]{inner[i]{id=i} y=1 x=a}",
    );
}

#[test]
fn content_of_anydata_stands_on_its_own() {
    accepts(
        "<blob><q:a xmlns:q='urn:q' z='1'>m:big<b/></q:a></blob>",
        "blob=(<q:a xmlns=\"urn:m\" xmlns:m=\"urn:m\" xmlns:q=\"urn:q\" z=\"1\">m:big<b/></q:a>)",
    );
    accepts("<raw>a<b xmlns=''/>&amp;</raw>", "raw=(a<b xmlns=\"\"/>&amp;)");
    accepts("<blob/>", "blob=()");
    accepts("<blob nc:operation='remove'/>", "blob!remove=()");
}

#[test]
fn operations_are_inherited() {
    accepts(
        "<lid nc:operation='replace'><color>red</color></lid><name>x</name>",
        "lid!replace{color!replace=red} name=x",
    );
    accepts(
        "<pair nc:operation='delete'><x>a</x><y>1</y><v/></pair>",
        "pair!delete[a,1]{x!delete=a y!delete=1 v!delete=?}",
    );
    accepts(
        "<pair nc:operation='create'><x>a</x><y>1</y><v nc:operation='remove'>z</v></pair>",
        "pair!create[a,1]{x!create=a y!create=1 v!remove=z}",
    );
    accepts("<name nc:operation='delete'/>", "name!delete=?");
    accepts("<size nc:operation='remove'/>", "size!remove=?");
    accepts("<tag nc:operation='delete'/>", "tag!delete=?");
    accepts("<word nc:operation='delete'/>", "word!delete=[]");
    accepts("<tag nc:operation='delete'>x</tag>", "tag!delete=[x]");
    let schema = schema();
    for (default, expected) in [
        (DefaultOperation::Merge, "top=x"),
        (DefaultOperation::Replace, "top!replace=x"),
        (DefaultOperation::None, "top!none=x"),
    ] {
        let document = config("<m:top>x</m:top>");
        let edit = read(&schema, document.as_bytes(), Operations::Allowed(default)).unwrap();
        assert_eq!(edit.default_operation, default);
        assert_eq!(show(&schema, &edit.nodes), expected);
    }
}

#[test]
fn entries_of_a_user_ordered_list_say_where_they_go() {
    accepts("<line y:insert='first'><name>a</name></line>", "line@first[a]{name=a}");
    accepts("<line y:insert='last'><name>a</name></line>", "line@last[a]{name=a}");
    for key in ["[m:name='b']", " [ m:name = \"b\" ] ", "[name='b']", "[q:name='b']"] {
        accepts(
            &format!(
                "<line xmlns:q='urn:m' y:insert='before' y:key='{}'><name>a</name></line>",
                key.replace('\'', "&apos;")
            ),
            "line@before(b;)[a]{name=a}",
        );
    }
    let typed = "<name>a</name><kind>big</kind>";
    for key in ["[m:kind='m:big'][m:name='c]d']", "[m:name='c]d'] [m:kind='big']"] {
        accepts(
            &format!("<typed y:key=\"{key}\" y:insert='after'>{typed}</typed>"),
            "typed@after(m:big;c]d;)[m:big,a]{name=a kind=m:big}",
        );
    }
    accepts("<word y:insert='after' y:value='w'>v</word>", "word@after(w;)=[v]");
    accepts(
        "<ref xmlns:q='urn:n' y:insert='before' y:value='q:huge'>big</ref>",
        "ref@before(n:huge;)=[m:big]",
    );
}

#[test]
fn wrong_placement_is_refused() {
    let line = "<name>a</name></line>";
    for (start, expected) in [
        ("<line y:insert='before'>", "missing-attribute key line /m:box/m:line"),
        ("<line y:insert='between'>", "bad-attribute insert line /m:box/m:line"),
        ("<line y:key=\"[m:name='b']\">", "unknown-attribute key line /m:box/m:line"),
        (
            "<line y:insert='first' y:key=\"[m:name='b']\">",
            "unknown-attribute key line /m:box/m:line",
        ),
        ("<line y:insert='before' y:value='b'>", "unknown-attribute value line /m:box/m:line"),
        ("<line y:other='b'>", "unknown-attribute other line /m:box/m:line"),
    ] {
        refuses(&format!("{start}{line}"), expected);
    }
    for key in [
        "",
        "b",
        "[m:name='b'",
        "m:name='b']",
        "[m:name=b]",
        "[m:name='b'][m:name='b']",
        "[n:name='b']",
        "[z:name='b']",
        "[:name='b']",
        "[m:text='b']",
        "[m:name='b']x",
        "[m:name='b', ]",
        "[='b']",
        "[m:name",
    ] {
        refuses(
            &format!("<line y:insert='before' y:key=\"{key}\">{line}"),
            "bad-attribute key line /m:box/m:line",
        );
    }
    refuses(
        "<typed y:insert='after' y:key=\"[m:kind='m:small'][m:name='x']\"/>",
        "bad-attribute key typed /m:box/m:typed",
    );
    refuses(
        "<typed y:insert='after' y:key=\"[m:kind='m:big']\"/>",
        "bad-attribute key typed /m:box/m:typed",
    );
    refuses(
        "<ref y:insert='after' y:value='m:no'>big</ref>",
        "bad-attribute value ref /m:box/m:ref",
    );
    refuses("<word y:insert='after'>w</word>", "missing-attribute value word /m:box/m:word");
    refuses(
        "<ref y:insert='first' nc:operation='delete'/>",
        "bad-attribute insert ref /m:box/m:ref",
    );
    for (name, content) in [("tag", "x"), ("name", "x"), ("pair", ""), ("lid", ""), ("blob", "")] {
        let content = format!("<{name} y:insert='first'>{content}</{name}>");
        refuses(&content, &format!("unknown-attribute insert {name} /m:box/m:{name}"));
    }
}

#[test]
fn unknown_attributes_are_refused_and_metadata_is_left_alone() {
    refuses("<name nc:operation='none'>x</name>", "bad-attribute operation name /m:box/m:name");
    refuses("<name nc:operation='DELETE'>x</name>", "bad-attribute operation name /m:box/m:name");
    refuses("<name nc:operation=''>x</name>", "bad-attribute operation name /m:box/m:name");
    refuses("<name nc:other='x'>x</name>", "unknown-attribute other name /m:box/m:name");
    refuses("<name operation='delete'>x</name>", "unknown-attribute operation name /m:box/m:name");
    refuses("<lid x=''/>", "unknown-attribute x lid /m:box/m:lid");
    accepts("<name xmlns:q='urn:q' q:operation='delete' xml:lang='en'>x</name>", "name=x");
}

#[test]
fn plain_configuration_has_no_operations() {
    for (content, expected) in [
        ("<m:top nc:operation='merge'>x</m:top>", "unknown-attribute operation top /m:top"),
        (
            "<box xmlns='urn:m'><line y:insert='first'><name>a</name></line></box>",
            "unknown-attribute insert line /m:box/m:line",
        ),
        (
            "<box xmlns='urn:m'><word y:value='first'>w</word></box>",
            "unknown-attribute value word /m:box/m:word",
        ),
    ] {
        refuses_at_top(content, Operations::Forbidden, expected);
    }
    let schema = schema();
    let document = config("<m:top>x</m:top>");
    let edit = read(&schema, document.as_bytes(), Operations::Forbidden).unwrap();
    assert_eq!(show(&schema, &edit.nodes), "top=x");
}

#[test]
fn a_value_that_is_tagged_as_the_default_is_removed() {
    accepts("<size wd:default='true'>5</size>", "size!remove=5");
    accepts("<size wd:default='1' nc:operation='delete'>5</size>", "size!delete=5");
    accepts("<size wd:default='false'>5</size>", "size=5");
    accepts("<tag wd:default='true'>small</tag>", "tag!remove=[small]");
    refuses("<size wd:default='true'>6</size>", "invalid-value /m:box/m:size");
    refuses("<name wd:default='true'>6</name>", "invalid-value /m:box/m:name");
    refuses("<size wd:default='yes'>5</size>", "bad-attribute default size /m:box/m:size");
    refuses("<lid wd:default='true'/>", "unknown-attribute default lid /m:box/m:lid");
}

#[test]
fn unknown_names_are_refused_where_they_stand() {
    refuses_at_top("<q:a xmlns:q='urn:q'/>", ALLOWED, "unknown-namespace a urn:q");
    refuses_at_top("<a xmlns=''/>", ALLOWED, "unknown-namespace a ");
    refuses_at_top("<m:a/>", ALLOWED, "unknown-element a");
    refuses_at_top(
        "<top/>",
        ALLOWED,
        "unknown-namespace top urn:ietf:params:xml:ns:netconf:base:1.0",
    );
    refuses("<zz/>", "unknown-element zz /m:box");
    refuses("<q:a xmlns:q='urn:q'/>", "unknown-namespace a urn:q /m:box");
    refuses("<pair><x>a</x><a/></pair>", "unknown-element a /m:box/m:pair");
    refuses(
        "<pair><x>'</x><y>1</y><a/></pair>",
        "unknown-element a /m:box/m:pair[m:x=\"'\"][m:y='1']",
    );
    refuses("<name>x<a/></name>", "unknown-element a /m:box/m:name");
    refuses("<tag><a/>x</tag>", "unknown-element a /m:box/m:tag");
    refuses("<state>x</state>", "unknown-element state /m:box");
}

#[test]
fn invalid_values_carry_what_the_type_says() {
    refuses("<size>x</size>", "invalid-value /m:box/m:size");
    refuses("<size/>", "invalid-value /m:box/m:size");
    refuses("<size>101</size>", "invalid-value (size-range) /m:box/m:size");
    refuses("<tag>12345678901</tag>", "invalid-value /m:box/m:tag");
    refuses("<kind>small</kind>", "invalid-value /m:box/m:kind");
    refuses("<kind>z:big</kind>", "invalid-value /m:box/m:kind");
    refuses("<flag>x</flag>", "invalid-value /m:box/m:flag");
    refuses("<size nc:operation='delete'>x</size>", "invalid-value /m:box/m:size");
    refuses("<pair><x>a</x><y>300</y></pair>", "invalid-value /m:box/m:pair/m:y");
    let schema = schema();
    let document = config("<m:box><m:size>101</m:size></m:box>");
    match read(&schema, document.as_bytes(), ALLOWED) {
        Err(PayloadError::Data(error)) => assert_eq!(error.message, "too much"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_need_all_their_keys() {
    refuses("<pair/>", "missing-element x /m:box/m:pair");
    refuses("<pair><x>a</x><v>z</v></pair>", "missing-element y /m:box/m:pair");
    refuses("<pair><y>1</y></pair>", "missing-element x /m:box/m:pair");
    refuses("<pair nc:operation='delete'><x>a</x><y/></pair>", "invalid-value /m:box/m:pair/m:y");
    refuses(
        "<pair><x>a</x><y>1</y><inner/></pair>",
        "missing-element id /m:box/m:pair[m:x='a'][m:y='1']/m:inner",
    );
}

#[test]
fn nothing_is_given_twice() {
    refuses("<name>x</name><name>x</name>", "bad-element name /m:box/m:name");
    refuses("<size>1</size><name/><size>1</size>", "bad-element size /m:box/m:size");
    refuses("<lid/><name/><lid/>", "bad-element lid /m:box/m:lid");
    refuses("<blob/><blob/>", "bad-element blob /m:box/m:blob");
    refuses_at_top("<m:top>x</m:top><m:box/><m:top>y</m:top>", ALLOWED, "bad-element top /m:top");
    refuses(
        "<line><name>a</name></line><line><name>b</name></line><line><name>a</name></line>",
        "not-unique (data-not-unique) /m:box/m:line[m:name='a']",
    );
    refuses(
        "<pair><x>a</x><y>1</y></pair><pair><y>01</y><x>a</x></pair>",
        "not-unique (data-not-unique) /m:box/m:pair[m:x='a'][m:y='1']",
    );
    refuses(
        "<tag>b</tag><tag>a</tag><tag>b</tag>",
        "not-unique (data-not-unique) /m:box/m:tag[.='b']",
    );
    refuses(
        "<pair><x>a</x><y>1</y><x>a</x></pair>",
        "bad-element x /m:box/m:pair[m:x='a'][m:y='1']/m:x",
    );
    accepts("<n:name/><name/>", "n:name= name=");
}

#[test]
fn one_case_of_a_choice_is_given() {
    accepts("<a>1</a><b>2</b>", "a=1 b=2");
    refuses("<a>1</a><c/>", "bad-element c /m:box/m:c");
    refuses("<c/><b/>", "bad-element b /m:box/m:b");
    refuses("<a/><e/>", "bad-element e /m:box/m:e");
    refuses("<e/><f/>", "bad-element f /m:box/m:f");
    accepts("<a nc:operation='remove'/><e>1</e>", "a!remove=? e=1");
}

#[test]
fn mixed_content_is_refused() {
    refuses("x", "bad-element box /m:box");
    refuses("<name/>x", "bad-element box /m:box");
    refuses("<lid>x</lid>", "bad-element lid /m:box/m:lid");
    refuses_at_top("x", ALLOWED, "bad-element config");
}

#[test]
fn what_is_no_xml_is_told_apart() {
    let schema = schema();
    for content in ["<m:top>", "<m:top>&x;</m:top>", "<z:top/>", "<m:box><m:lid></m:box>"] {
        let document = config(content);
        let error = read(&schema, document.as_bytes(), ALLOWED).unwrap_err();
        assert!(matches!(error, PayloadError::Xml(XmlError::Malformed { .. })), "{error:?}");
    }
    let deep = config(&("<m:box><m:blob>".to_owned() + &"<a>".repeat(2000)));
    let error = read(&schema, deep.as_bytes(), ALLOWED).unwrap_err();
    assert!(matches!(error, PayloadError::Xml(XmlError::Limit { .. })), "{error:?}");
}

/// Something of everything, as it is printed.
const EVERYTHING: &str = "<box xmlns=\"urn:m\"><name>a &lt;&amp;&gt; ]]&gt; é</name><size>5</size><flag></flag>\
    <kind xmlns:n=\"urn:n\">n:huge</kind><a>&#13;\n</a>\
    <pair><x>a</x><y>9</y><v></v><inner><id>1</id><tag>x</tag><tag>y</tag></inner></pair>\
    <pair><x>a</x><y>10</y></pair><pair><x>b</x><y>0</y><v>v</v></pair>\
    <line><name>2</name><mark xmlns=\"urn:n\">!</mark></line><line><name>1</name><text>t</text></line>\
    <typed><kind xmlns:m=\"urn:m\">m:big</kind><name>\"'</name></typed>\
    <tag>a</tag><tag>b</tag><word>z</word><word>a</word><ref xmlns:n=\"urn:n\">n:huge</ref>\
    <blob><q:a xmlns:q=\"urn:q\">t<q:b/></q:a></blob><raw>x</raw><lid></lid>\
    <name xmlns=\"urn:n\">other</name><label xmlns=\"urn:n\"><text>l</text></label></box>\
    <top xmlns=\"urn:m\">1</top><top xmlns=\"urn:n\">2</top>";

#[test]
fn what_is_printed_reads_back_as_the_same_tree() {
    let schema = schema();
    let once = print(&schema, &tree(&schema, EVERYTHING));
    assert_eq!(once, EVERYTHING);
}

#[test]
fn pieces_of_any_size_make_the_same_text() {
    let schema = schema();
    let lines: String = (0..300).map(|i| format!("<line><name>{i}</name></line>")).collect();
    let words: String = (0..300).map(|i| format!("<word>{i}</word>")).collect();
    let inner: String = (0..500).map(|i| format!("<inner><id>{i:03}</id></inner>")).collect();
    let pairs = format!("<pair><x>a</x><y>1</y>{inner}</pair><pair><x>b</x><y>1</y></pair>");
    let large = format!("<box xmlns=\"urn:m\">{pairs}{lines}{words}<lid></lid></box>");
    for content in [EVERYTHING, &large, ""] {
        let tree = tree(&schema, content);
        for step in [1, 2, 7, 100, 1000, 100_000] {
            let mut printer = Printer::new(Arc::clone(&schema), &tree);
            let (mut all, mut piece) = (Vec::new(), Vec::new());
            loop {
                let progress = printer.fill(&mut piece, step);
                assert!(piece.len() >= step || progress == Progress::Done);
                assert!(piece.len() < step + 8300, "{} of {step}", piece.len());
                all.append(&mut piece);
                if progress == Progress::Done {
                    break;
                }
            }
            assert_eq!(String::from_utf8(all).unwrap(), content, "{step}");
            assert_eq!(printer.fill(&mut piece, step), Progress::Done);
            assert!(piece.is_empty());
        }
    }
}

#[test]
fn every_truncation_of_a_payload_is_an_error() {
    let schema = schema();
    let document = config(EVERYTHING);
    assert!(read(&schema, document.as_bytes(), ALLOWED).is_ok());
    for end in 0..document.len() {
        let error = read(&schema, &document.as_bytes()[..end], ALLOWED).unwrap_err();
        // A number that lost its end can be wrong before the end of the document is.
        assert!(matches!(error, PayloadError::Xml(_)), "{end} {error:?}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let schema = schema();
    let document = config(EVERYTHING).into_bytes();
    for at in 0..document.len() {
        for byte in [b'<', b'>', b'&', b'"', b'/', b'x', b' ', 0, 0xFF] {
            let mut changed = document.clone();
            changed[at] = byte;
            if let Ok(edit) = read(&schema, &changed, ALLOWED) {
                assert!(!show(&schema, &edit.nodes).is_empty());
            }
        }
    }
}

#[test]
fn paths_are_instance_identifiers() {
    let schema = schema();
    let child = |parent, name: &str| match schema.child(parent, Some("urn:m"), name) {
        Lookup::Found(id) => id,
        other => panic!("{name}: {other:?}"),
    };
    let bx = child(None, "box");
    let at = InstancePath::default().child(bx, Selector::None);
    let keys = |x: &str| Selector::Keys(vec![x.into(), "1".into()]);
    let pair = child(Some(bx), "pair");
    for (step, expected) in [
        ((pair, keys("a")), "/m:box/m:pair[m:x='a'][m:y='1']"),
        ((pair, keys("it's")), "/m:box/m:pair[m:x=\"it's\"][m:y='1']"),
        ((pair, keys("\"")), "/m:box/m:pair[m:x='\"'][m:y='1']"),
        ((pair, keys("'\"'")), "/m:box/m:pair[m:x=concat(\"'\",'\"',\"'\")][m:y='1']"),
        ((pair, keys("a'b\"c")), "/m:box/m:pair[m:x=concat('a',\"'\",'b\"c')][m:y='1']"),
        ((pair, Selector::None), "/m:box/m:pair"),
        ((pair, Selector::Position(3)), "/m:box/m:pair[3]"),
        ((child(Some(bx), "tag"), Selector::Value("t".into())), "/m:box/m:tag[.='t']"),
        ((child(Some(bx), "ref"), Selector::Value("n:huge".into())), "/m:box/m:ref[.='n:huge']"),
    ] {
        assert_eq!(path(&schema, &at.child(step.0, step.1)), expected);
    }
    assert_eq!(path(&schema, &InstancePath::default()), "");
}

mod round_trip {
    use super::{ALLOWED, config, print, read, schema, show, tree};
    use crate::xml::writer::push_text;
    use proptest::prelude::*;

    fn element(name: &str, text: &str) -> String {
        let mut escaped = Vec::new();
        push_text(&mut escaped, text);
        format!("<{name}>{}</{name}>", String::from_utf8(escaped).unwrap())
    }

    /// A string that YANG allows (RFC 7950, 9.4), markup and line ends among its characters.
    fn text() -> impl Strategy<Value = String> {
        let marks = "<>&]\"' \n\r\t\u{FFFD}\u{10FFFD}é".chars().collect::<Vec<_>>();
        let character =
            prop_oneof![proptest::sample::select(marks), proptest::char::range('a', 'z')];
        proptest::collection::vec(character, 0..40).prop_map(|c| c.into_iter().collect())
    }

    fn content() -> impl Strategy<Value = String> {
        let leaf = |name: &'static str| {
            proptest::option::of(text())
                .prop_map(move |value| value.map(|value| element(name, &value)).unwrap_or_default())
        };
        let entries = |name: &'static str| {
            proptest::collection::btree_map(text(), text(), 0..6).prop_map(move |entries| {
                let entry = |(key, value): (&String, &String)| {
                    format!("<{name}>{}{}</{name}>", element("name", key), element("text", value))
                };
                entries.iter().map(entry).collect::<String>()
            })
        };
        let words = proptest::collection::btree_set(text(), 0..6)
            .prop_map(|words| words.iter().map(|word| element("word", word)).collect::<String>());
        (leaf("name"), leaf("a"), leaf("b"), entries("line"), words, leaf("n:name")).prop_map(
            |(name, a, b, lines, words, other)| {
                format!("<box xmlns=\"urn:m\">{name}{words}{b}{lines}{other}{a}</box>")
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn printing_and_reading_gives_the_same_tree(content in content()) {
            let schema = schema();
            let once = print(&schema, &tree(&schema, &content));
            let twice = print(&schema, &tree(&schema, &once));
            prop_assert_eq!(&once, &twice);
            let sorted = |content: &str| {
                let mut edit = read(&schema, config(content).as_bytes(), ALLOWED).unwrap();
                for top in &mut edit.nodes {
                    if let Some(children) = top.children_mut() {
                        children.sort_by_key(|child| child.node);
                    }
                }
                show(&schema, &edit.nodes)
            };
            prop_assert_eq!(sorted(&content), sorted(&once));
        }
    }
}
