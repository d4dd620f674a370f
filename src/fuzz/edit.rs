//! What a client writes in `<edit-config>`: what was read and applied is the same again when it is printed and read, and a
//! change is what its difference says.

use super::{Chance, Target, run};
use crate::datastore::apply::{apply_edit, tree_of};
use crate::netconf::document::{read_document, read_fragment};
use crate::netconf::rpc;
use crate::netconf::test_server::ALL_FEATURES;
use crate::yang::libyang::compile_for_test;
use crate::yang::print::print_all;
use crate::yang::schema::Schema;
use crate::yang::tree::{Seed, Tree, TreeDecoder, decode_diff, diff, encode_diff, encode_tree};
use std::sync::Arc;

const CORPUS: [&str; 8] = [
    "<top xmlns=\"urn:quorate:test\"><name>a</name><size>5</size><speed>1.5</speed></top>",
    "<server xmlns=\"urn:quorate:test\"><name>s1</name></server><server xmlns=\"urn:quorate:test\"><name>s2</name></server>",
    "<order xmlns=\"urn:quorate:test\">b</order><order xmlns=\"urn:quorate:test\">a</order>",
    "<bounds xmlns=\"urn:quorate:test\"><low>1</low><high>2</high></bounds>",
    "<x:top xmlns:x=\"urn:quorate:test\" xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" \
     nc:operation=\"replace\"><x:name>b</x:name><x:size nc:operation=\"merge\">7</x:size></x:top>",
    "<top xmlns=\"urn:quorate:test\"><!-- a --><name><![CDATA[abc]]></name>\n<size>&#49;&#x30;</size></top>",
    "<server xmlns=\"urn:quorate:test\" xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" \
     nc:operation=\"create\"><name>s3</name></server>",
    "<top xmlns=\"urn:quorate:test\"><name>a</name></top><order xmlns=\"urn:quorate:test\" \
     xmlns:y=\"urn:ietf:params:xml:ns:yang:1\" y:insert=\"first\">c</order>",
];
const TOKENS: [&str; 26] = [
    "<",
    ">",
    "/>",
    "</",
    "&amp;",
    "&#0;",
    "&#x10ffff;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?x?>",
    "xmlns=\"\"",
    "xmlns:nc=\"",
    "urn:quorate:test",
    " nc:operation=\"delete\"",
    " nc:operation=\"none\"",
    " y:insert=\"before\" y:value=\"a\"",
    "<name>",
    "</name>",
    "<top>",
    "</top>",
    "\u{feff}",
    "\u{fffe}",
    "99999999999999999999",
    "-0.0",
];

fn check(schema: &Arc<Schema>, base: &Tree, input: &[u8]) -> bool {
    let message = [
        b"<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"1\"><edit-config><target><running/></target><config>",
        input,
        b"</config></edit-config></rpc>",
    ]
    .concat();
    // Whatever it is, it is an answer.
    drop(rpc::parse(&message, schema, ALL_FEATURES));
    drop(read_document(input, schema));
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let Ok(edit) = read_fragment(text, schema) else { return false };
    if let Ok(edited) = apply_edit(schema, base, &edit) {
        let change = diff(base, &edited.tree);
        assert!(change.apply(base).unwrap() == edited.tree, "the difference makes another tree");
        let bytes = encode_diff(&change, &**schema);
        let decoded = decode_diff(&bytes, &**schema, base.seed).unwrap();
        assert!(decoded.apply(base).unwrap() == edited.tree, "the decoded one does");
    }
    let Ok(tree) = tree_of(schema, Seed(1), &edit) else { return false };
    let printed = String::from_utf8(print_all(schema, &tree)).unwrap();
    let edit = read_fragment(&printed, schema).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let read =
        tree_of(schema, Seed(1), &edit).unwrap_or_else(|fault| panic!("{fault:?}: {printed}"));
    assert!(read == tree, "{printed}");
    let mut decoder = TreeDecoder::new(&**schema, Seed(1));
    encode_tree(&tree, &**schema, &mut |piece| decoder.push(piece).unwrap());
    assert!(decoder.finish().unwrap() == tree, "encoded and decoded it is another tree");
    true
}

#[test]
fn edit() {
    let model = include_str!("../../netconf-tests/yang/quorate-test.yang");
    let schema = compile_for_test(&[("quorate-test", model)]);
    let base =
        tree_of(&schema, Seed(1), &read_fragment(CORPUS[..4].concat().as_str(), &schema).unwrap())
            .unwrap();
    let corpus = CORPUS.map(|text| text.as_bytes().to_vec()).to_vec();
    let check = |input: &[u8], _: &mut Chance| check(&schema, &base, input);
    run(&Target { name: "edit", corpus, tokens: &TOKENS, cpu_ms_max: 2_000, check: &check });
}
