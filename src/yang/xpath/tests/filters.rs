//! Expressions of filters: names of a document, and what they select with what is around it.

use super::*;

#[test]
fn names_of_documents_are_of_any_module_where_they_have_no_prefix() {
    let document =
        "<filter xmlns='urn:none' xmlns:x='urn:m' xmlns:y='urn:o' xmlns:z='urn:unknown'/>";
    let mut reader = crate::xml::Reader::new(document.as_bytes()).unwrap();
    reader.next().unwrap();
    let names =
        Names { prefixes: Prefixes::Declared(reader.scope()), unprefixed: Unprefixed::OfAny };
    for (expression, expected) in [
        ("/x:top/x:name", "/top/name"),
        ("/top/name", "/top/name"),
        ("//name", "/top/name /box/name"),
        (
            "/top/item/text",
            "/top/item[1]/text /top/item[2]/text /top/item[3]/text /top/item[3]/text /top/item[10]/text",
        ),
        ("/y:*", "/box"),
        ("/z:top", ""),
        // Modules' own names, where no prefix is declared.
        ("/m:top/m:name", "/top/name"),
        ("/top[kind='puppy' and far='tool' and far='y:tool']/name", "/top/name"),
        ("/top/item[id='2']/text", "/top/item[2]/text"),
    ] {
        let compiled = Compiled::parse(schema(), expression, names).unwrap();
        let mut evaluation = Evaluation::new(schema(), &tree().root, Defaults::Hidden);
        let root = evaluation.root();
        let value = evaluation.evaluate(&compiled, root).unwrap();
        assert_eq!(show(&evaluation, &value), expected, "{expression}");
    }
    let error = Compiled::parse(schema(), "/w:top", names).unwrap_err();
    assert_eq!(error.to_string(), "prefix \"w\" is not declared at position 1 of the expression");
}

#[test]
fn what_is_selected_comes_with_what_is_above_it_and_with_keys() {
    for (expression, expected) in [
        ("/after", "<after xmlns=\"urn:m\">end</after>"),
        ("/top/nowhere", ""),
        (
            "/top/item[id='2']/deep/sub[k='r']",
            "<top xmlns=\"urn:m\"><item><id>2</id><deep><sub><k>r</k></sub></deep></item></top>",
        ),
        ("/top/item/on", "<top xmlns=\"urn:m\"><item><id>2</id><on>false</on></item></top>"),
        (
            "/top/seq[n=2 or n=3]/v",
            "<top xmlns=\"urn:m\"><seq><n>3</n><v>c</v></seq><seq><n>2</n><v>b</v></seq></top>",
        ),
        ("/top/word[. = 'a']", "<top xmlns=\"urn:m\"><word>a</word></top>"),
        ("/top/word", "<top xmlns=\"urn:m\"><word>z</word><word>a</word></top>"),
        ("/top/word[1] | /top/word", "<top xmlns=\"urn:m\"><word>z</word><word>a</word></top>"),
        ("/top/name/text()", "<top xmlns=\"urn:m\"><name>Ann</name></top>"),
        (
            "/top/pair[v=3] | /top/pair[v=1]/v",
            "<top xmlns=\"urn:m\"><pair><a>Ann</a><b>y</b><v>1</v></pair><pair><a>x</a><b>z</b><v>3</v></pair></top>",
        ),
        (
            "/top/item[id=1]/id | /top/there",
            "<top xmlns=\"urn:m\"><item><id>1</id></item><there></there></top>",
        ),
        (
            "//k[. = 'p']/..",
            "<top xmlns=\"urn:m\"><item><id>2</id><deep><sub><k>p</k><v>q</v></sub></deep></item></top>",
        ),
        ("/top/any", "<top xmlns=\"urn:m\"><any><thing xmlns=\"urn:x\">hidden</thing></any></top>"),
    ] {
        let selected = select(schema(), tree(), &parse(expression).unwrap()).unwrap();
        let printed = String::from_utf8(print_all(schema(), &selected)).unwrap();
        assert_eq!(printed, expected, "{expression}");
    }
    let whole = select(schema(), tree(), &parse("/ | /top/name").unwrap()).unwrap();
    assert!(whole.root.same(&tree().root));
    let all = select(schema(), tree(), &parse("/* | /o:box").unwrap()).unwrap();
    assert_eq!(print_all(schema(), &all), print_all(schema(), tree()));
}
