use super::*;
use crate::netconf::testing::{print, schema, tree};
use crate::yang::libyang::compile_for_test;
use crate::yang::print::print_all;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

fn parse(schema: &Schema, content: &str) -> Subtree {
    let document =
        format!("<filter type='subtree' xmlns:m='urn:m' xmlns:n='urn:n'>{content}</filter>");
    let mut reader = Reader::new(document.as_bytes()).unwrap();
    reader.next().unwrap();
    let filter = Subtree::parse(&mut reader, schema).unwrap();
    assert_eq!(reader.next(), Ok(Event::Eof));
    filter
}

/// RFC 6241, 6.4: users of the examples, in their namespace. Keys are names.
fn users() -> Arc<Schema> {
    const MODULE: &str = r#"
module config {
  namespace "http://example.com/schema/1.2/config"; prefix c;
  container top {
    container users { list user {
      key name;
      leaf name { type string; }
      leaf type { type string; }
      leaf full-name { type string; }
      container company-info { leaf dept { type uint8; } leaf id { type uint8; } }
    } }
    container interfaces { list interface { key ifName; leaf ifName { type string; } } }
  }
}"#;
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| compile_for_test(&[("config", MODULE)])))
}

fn user(name: &str, kind: &str, full: &str, dept: u8, id: u8) -> String {
    format!(
        "<user><name>{name}</name><type>{kind}</type><full-name>{full}</full-name>\
         <company-info><dept>{dept}</dept><id>{id}</id></company-info></user>"
    )
}

fn top(content: &str) -> String {
    format!("<top xmlns=\"http://example.com/schema/1.2/config\">{content}</top>")
}

/// The example's data, in the order of its keys.
fn all_users() -> [String; 3] {
    [
        user("barney", "admin", "Barney Rubble", 2, 3),
        user("fred", "admin", "Fred Flintstone", 2, 2),
        user("root", "superuser", "Charlie Root", 1, 1),
    ]
}

#[track_caller]
fn selects_users(filter: &str, expected: &str) {
    let schema = users();
    let interfaces = "<interfaces><interface><ifName>eth0</ifName></interface></interfaces>";
    let users = format!("<users>{}</users>", all_users().concat());
    let data = tree(&schema, &top(&format!("{users}{interfaces}")));
    let selected = parse(&schema, filter).select(&schema, &data);
    let text = String::from_utf8(print_all(&schema, &selected)).unwrap();
    assert_eq!(text, expected, "{filter}");
}

#[test]
fn rfc_6241_6_4_2_an_empty_filter_selects_nothing() {
    selects_users("", "");
    selects_users(" \n ", "");
    selects_users("<!-- nothing -->", "");
}

#[test]
fn rfc_6241_6_4_3_a_whole_subtree() {
    let expected = top(&format!("<users>{}</users>", all_users().concat()));
    selects_users(&top("<users/>"), &expected);
    selects_users(&top("<users><user/></users>"), &expected);
    selects_users(&top("<users>\n <user></user>\n</users>"), &expected);
}

#[test]
fn rfc_6241_6_4_4_one_leaf_of_all_entries() {
    let names = "<users><user><name>barney</name></user><user><name>fred</name></user>\
        <user><name>root</name></user></users>";
    selects_users(&top("<users><user><name/></user></users>"), &top(names));
}

#[test]
fn rfc_6241_6_4_5_one_entry() {
    let [_, fred, _] = all_users();
    let filter = top("<users><user><name>fred</name></user></users>");
    selects_users(&filter, &top(&format!("<users>{fred}</users>")));
    selects_users(
        &top("<users><user><name> fred\n</name></user></users>"),
        &top(&format!("<users>{fred}</users>")),
    );
}

#[test]
fn rfc_6241_6_4_6_elements_of_one_entry() {
    let filter = "<users><user><name>fred</name><type/><full-name/></user></users>";
    let expected = "<users><user><name>fred</name><type>admin</type>\
        <full-name>Fred Flintstone</full-name></user></users>";
    selects_users(&top(filter), &top(expected));
}

#[test]
fn rfc_6241_6_4_7_several_subtrees() {
    let filter = "<users><user><name>root</name><company-info/></user>\
        <user><name>fred</name><company-info><id/></company-info></user>\
        <user><name>barney</name><type>superuser</type><company-info><dept/></company-info></user></users>";
    let expected = "<users><user><name>fred</name><company-info><id>2</id></company-info></user>\
        <user><name>root</name><company-info><dept>1</dept><id>1</id></company-info></user></users>";
    selects_users(&top(filter), &top(expected));
}

#[test]
fn rfc_6241_6_2_2_an_attribute_is_never_matched() {
    selects_users(&top("<interfaces><interface ifName='eth0'/></interfaces>"), "");
    selects_users(&top("<users><user><name x='1'>fred</name></user></users>"), "");
    selects_users(
        &top("<users x='1'/><interfaces/>"),
        &top("<interfaces><interface><ifName>eth0</ifName></interface></interfaces>"),
    );
}

#[test]
fn rfc_6241_6_2_1_elements_without_a_namespace_match_any() {
    let expected = top("<interfaces><interface><ifName>eth0</ifName></interface></interfaces>");
    selects_users("<top><interfaces/></top>", &expected);
    let netconf = "<top xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'><interfaces/></top>";
    selects_users(netconf, &expected);
    selects_users("<top xmlns='http://example.com/schema/1.2/other'><interfaces/></top>", "");
}

#[test]
fn content_matches_are_all_to_hold() {
    let [barney, fred, _] = all_users();
    let admins = top(&format!("<users>{barney}{fred}</users>"));
    selects_users(&top("<users><user><type>admin</type></user></users>"), &admins);
    let one = "<users><user><type>admin</type><name>barney</name></user></users>";
    selects_users(&top(one), &top(&format!("<users>{barney}</users>")));
    for none in [
        "<users><user><type>superuser</type><name>barney</name></user></users>",
        "<users><user><name>barney</name><name>fred</name></user></users>",
        "<users><user><name>nobody</name></user></users>",
        "<users><user><name>fred</name><nothing>x</nothing></user></users>",
        "<users><user>fred</user></users>",
        "<users><user><name>fred</name>x</user></users>",
        "<users><user><name>fred<x/></name></user></users>",
        "<users><user><company-info><dept>two</dept></company-info></user></users>",
    ] {
        selects_users(&top(none), "");
    }
}

#[test]
fn values_are_compared_in_canonical_form() {
    let filter = "<users><user><company-info><dept> 002 </dept><id/></company-info></user></users>";
    let entry = |name: &str, id: u8| {
        format!(
            "<user><name>{name}</name><company-info><dept>2</dept><id>{id}</id></company-info></user>"
        )
    };
    let expected = format!("<users>{}{}</users>", entry("barney", 3), entry("fred", 2));
    selects_users(&top(filter), &top(&expected));
}

#[test]
fn unknown_names_select_nothing_and_leave_their_siblings_alone() {
    let interfaces = top("<interfaces><interface><ifName>eth0</ifName></interface></interfaces>");
    selects_users("<nothing/>", "");
    selects_users("<q:nothing xmlns:q='urn:q'><x/></q:nothing>", "");
    selects_users(&top("<interfaces/><nothing/><no><thing>x</thing></no>"), &interfaces);
    // An unknown selection node keeps the content match from selecting the whole entry.
    let filter = "<users><user><name>fred</name><nothing/></user></users>";
    selects_users(&top(filter), &top("<users><user><name>fred</name></user></users>"));
}

#[test]
fn overlapping_subtrees_select_each_node_once() {
    let filter = "<users><user><name>fred</name><type/></user><user><company-info><id>2</id></company-info></user>\
        <user><name>fred</name><full-name/></user></users><users><user><name>root</name><type/></user></users>";
    let expected = "<users><user><name>fred</name><type>admin</type><full-name>Fred Flintstone</full-name>\
        <company-info><dept>2</dept><id>2</id></company-info></user>\
        <user><name>root</name><type>superuser</type></user></users>";
    selects_users(&top(filter), &top(expected));
    let whole = top(&format!("<users>{}</users>", all_users().concat()));
    selects_users(&top("<users><user><name>fred</name></user><user/></users>"), &whole);
    selects_users(&(top("<users/>") + &top("<users><user><name/></user></users>")), &whole);
}

#[track_caller]
fn selects(data: &str, filter: &str, expected: &str) {
    let schema = schema();
    let selected = parse(&schema, filter).select(&schema, &tree(&schema, data));
    assert_eq!(print(&schema, &selected), expected, "{filter}");
}

fn boxed(content: &str) -> String {
    format!("<box xmlns=\"urn:m\">{content}</box>")
}

#[test]
fn names_of_several_modules_are_told_apart_by_their_namespaces() {
    let (of_m, of_n) = ("<name>1</name>", "<name xmlns=\"urn:n\">2</name>");
    let data = boxed(&format!("{of_m}{of_n}"));
    selects(&data, "<m:box><m:name/></m:box>", &boxed(of_m));
    selects(&data, "<m:box><n:name/></m:box>", &boxed(of_n));
    selects(&data, "<box><name/></box>", &data);
    selects(&data, "<box><name>2</name></box>", &data);
    selects(&data, "<box><name>3</name></box>", "");
    selects(&data, "<box><name>2</name><kind/></box>", &boxed(of_n));
    let tops = "<top xmlns=\"urn:m\">1</top><top xmlns=\"urn:n\">1</top>";
    selects(tops, "<top/>", tops);
    selects(tops, "<n:top/>", "<top xmlns=\"urn:n\">1</top>");
}

#[test]
fn leaf_list_entries_are_matched_one_by_one() {
    let data =
        boxed("<tag>a</tag><tag>b</tag><tag>c</tag><word>z</word><word>a</word><word>k</word>");
    selects(&data, "<m:box><m:tag/></m:box>", &boxed("<tag>a</tag><tag>b</tag><tag>c</tag>"));
    selects(&data, "<m:box><m:tag>b</m:tag><m:name/></m:box>", &boxed("<tag>b</tag>"));
    let both = "<m:box><m:tag>c</m:tag><m:tag>a</m:tag><m:name/></m:box>";
    selects(&data, both, &boxed("<tag>a</tag><tag>c</tag>"));
    selects(&data, "<m:box><m:tag>a</m:tag><m:tag>x</m:tag><m:name/></m:box>", "");
    let words = "<m:box><m:word>a</m:word><m:word>z</m:word><m:name/></m:box>";
    selects(&data, words, &boxed("<word>z</word><word>a</word>"));
    selects(&data, "<m:box><m:tag>b</m:tag></m:box>", &data);
}

#[test]
fn user_ordered_entries_keep_their_order() {
    let lines = "<line><name>2</name></line><line><name>3</name><text>t</text></line><line><name>1</name></line>";
    let filter =
        "<m:box><m:line><m:name>1</m:name></m:line><m:line><m:name>3</m:name></m:line></m:box>";
    let expected = "<line><name>3</name><text>t</text></line><line><name>1</name></line>";
    selects(&boxed(lines), filter, &boxed(expected));
    let texts = "<m:box><m:line><m:text/></m:line></m:box>";
    selects(&boxed(lines), texts, &boxed("<line><name>3</name><text>t</text></line>"));
}

#[test]
fn prefixes_in_values_are_those_of_the_filter() {
    let huge = "<kind xmlns:n=\"urn:n\">n:huge</kind>";
    let data = boxed(huge);
    selects(&data, "<m:box><m:kind xmlns:q='urn:n'>q:huge</m:kind></m:box>", &data);
    selects(&data, "<m:box><m:kind>m:big</m:kind></m:box>", "");
    selects(&data, "<m:box><m:kind>z:huge</m:kind></m:box>", "");
    let typed = "<typed><kind xmlns:m=\"urn:m\">m:big</kind><name>a</name></typed>";
    let filter = "<m:box><m:typed><m:kind>m:big</m:kind><m:name>a</m:name></m:typed></m:box>";
    selects(&boxed(typed), filter, &boxed(typed));
}

#[test]
fn anydata_is_selected_whole_or_not_at_all() {
    let data = boxed("<blob><a xmlns=\"urn:q\"><b/></a></blob><raw>x</raw><lid></lid>");
    selects(&data, "<m:box><m:blob/></m:box>", &boxed("<blob><a xmlns=\"urn:q\"><b/></a></blob>"));
    selects(&data, "<m:box><m:blob><a xmlns='urn:q'/></m:blob></m:box>", "");
    selects(&data, "<m:box><m:raw>x</m:raw></m:box>", "");
    selects(&data, "<m:box><m:lid/></m:box>", &boxed("<lid></lid>"));
    selects(&data, "<m:box><m:lid><m:color/></m:lid></m:box>", "");
}

#[test]
fn a_top_level_node_that_no_element_names_cannot_be_selected() {
    let schema = schema();
    let [bx, top, other] = schema.top.as_slice() else { panic!("{:?}", schema.top) };
    for (filter, expected) in [
        ("", [false, false, false]),
        ("<box/>", [true, false, false]),
        ("<box><name>x</name></box>", [true, false, false]),
        ("<m:top>x</m:top><box/>", [true, true, false]),
        ("<top/>", [false, true, true]),
        ("<m:top>x</m:top>", [true, true, true]),
    ] {
        let filter_read = parse(&schema, filter);
        assert_eq!([bx, top, other].map(|id| filter_read.can_select(*id)), expected, "{filter}");
    }
}

#[test]
fn a_selected_subtree_is_shared() {
    let schema = schema();
    let data = tree(&schema, &boxed("<name>x</name><lid><color>red</color></lid>"));
    let all = parse(&schema, "<box/><top/>").select(&schema, &data);
    let (Some((_, ChildRef::Container(mine))), Some((_, ChildRef::Container(all)))) =
        (data.root.iter().next(), all.root.iter().next())
    else {
        panic!("no container");
    };
    assert!(mine.same(all));
}

#[test]
fn many_entries_are_found_by_their_keys() {
    let schema = users();
    let mut entries = String::new();
    for number in 0..2000 {
        write!(entries, "<user><name>{number:05}</name><type>t</type></user>").unwrap();
    }
    let data = tree(&schema, &top(&format!("<users>{entries}</users>")));
    let filter = top(&format!("<users>{entries}</users>").replace("<type>t</type>", ""));
    let selected = parse(&schema, &filter).select(&schema, &data);
    assert_eq!(print(&schema, &selected), print(&schema, &data));
}

#[test]
fn a_filter_that_is_no_xml_is_an_error() {
    let schema = schema();
    let document =
        format!("<filter>{}<name>x</name></filter>", boxed("<name>a</name><q><r>s</r></q>"));
    for end in "<filter>".len()..document.len() - 1 {
        let mut reader = Reader::new(&document.as_bytes()[..end]).unwrap();
        reader.next().unwrap();
        let filter = Subtree::parse(&mut reader, &schema);
        assert!(matches!(filter, Err(XmlError::Malformed { .. })), "{end}");
    }
    let deep = "<filter>".to_owned() + &"<box>".repeat(5000);
    let mut reader = Reader::new(deep.as_bytes()).unwrap();
    reader.next().unwrap();
    assert!(matches!(Subtree::parse(&mut reader, &schema), Err(XmlError::Limit { .. })));
}
