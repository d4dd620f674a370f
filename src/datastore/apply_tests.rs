//! Operation tables and the examples of the RFCs.

use super::apply::{apply_edit, tree_of};
use super::candidate::Candidate;
use super::edit::{EditEntry, EditNode, EditValue, Operation};
use super::testing::{edit, edit_of, fault, outcome, schema, show, tree};
use crate::base::ids::Revision;
use crate::yang::error::DataErrorKind;
use crate::yang::libyang::compile_for_test;
use crate::yang::tree::{Seed, Tree};

/// Every operation, in the order of the columns of the tables below.
const OPERATIONS: [&str; 6] = ["merge", "replace", "create", "delete", "remove", "none"];

/// `rows`: what was there, the edit with `OP` where the operation stands, and what each operation makes of it.
#[track_caller]
fn check_table(rows: &[(&str, &str, [&str; 6])]) {
    for (before, text, expected) in rows {
        for (operation, expected) in OPERATIONS.iter().zip(expected) {
            let text = text.replace("OP", operation);
            assert_eq!(outcome(before, &text), *expected, "{text} on {before}");
        }
    }
}

#[track_caller]
fn check(rows: &[(&str, &str, &str)]) {
    for (before, text, expected) in rows {
        assert_eq!(outcome(before, text), *expected, "{text} on {before}");
    }
}

#[test]
fn a_leaf_meets_every_operation_as_7_6_7_says() {
    let (exists, missing) = ("data-exists /c/x", "data-missing /c/x");
    check_table(&[
        ("", "c{x=1:OP}", ["c{x=1}", "c{x=1}", "c{x=1}", missing, "", missing]),
        ("c{x=0}", "c{x=1:OP}", ["c{x=1}", "c{x=1}", exists, "", "", "c{x=0}"]),
        ("c{x=1}", "c{x=1:OP}", ["c{x=1}", "c{x=1}", exists, "", "", "c{x=1}"]),
    ]);
}

#[test]
fn a_leaf_without_value_can_only_be_deleted() {
    let (invalid, missing) = ("invalid-value /c/x", "data-missing /c/x");
    check_table(&[
        ("", "c{x:OP}", [invalid, invalid, invalid, missing, "", missing]),
        ("c{x=0}", "c{x:OP}", [invalid, invalid, "data-exists /c/x", "", "", "c{x=0}"]),
    ]);
}

#[test]
fn a_leaf_that_has_only_its_default_does_not_exist() {
    check(&[
        ("c{x=1}", "c{d=7:delete}", "data-missing /c/d"),
        ("c{x=1}", "c{d=7:create}", "c{x=1 d=7}"),
        ("c{d=7}", "c{d=7:create}", "data-exists /c/d"),
        ("c{d=7}", "c{d:delete}", ""),
    ]);
}

#[test]
fn a_leaf_list_entry_meets_every_operation_as_7_7_9_says() {
    let (exists, missing) = ("data-exists /c/ll=2", "data-missing /c/ll=2");
    let both = "c{ll=1 ll=2}";
    check_table(&[
        ("", "c{ll=2:OP}", ["c{ll=2}", "c{ll=2}", "c{ll=2}", missing, "", missing]),
        ("c{ll=1}", "c{ll=2:OP}", [both, both, both, missing, "c{ll=1}", missing]),
        (both, "c{ll=2:OP}", [both, both, exists, "c{ll=1}", "c{ll=1}", both]),
    ]);
}

#[test]
fn a_leaf_list_without_value_is_all_of_it() {
    let (invalid, missing) = ("invalid-value /c/ll", "data-missing /c/ll");
    check_table(&[
        ("", "c{ll:OP}", [invalid, invalid, invalid, missing, "", missing]),
        (
            "c{ll=1 ll=2}",
            "c{ll:OP}",
            [invalid, invalid, "data-exists /c/ll", "", "", "c{ll=1 ll=2}"],
        ),
        ("c{ll=1 ll=2}", "c{ll:remove ll=2 ll=3}", ["c{ll=2 ll=3}"; 6]),
        ("c{ll=1 ll=2}", "c{ll=2 x=1 ll=3 ll:delete}", ["c{x=1 ll=2 ll=3}"; 6]),
    ]);
}

#[test]
fn a_list_entry_meets_every_operation_as_7_8_6_says() {
    let (exists, missing) = ("data-exists /c/l[a]", "data-missing /c/l[a]");
    let new = "c{l[a]{v=1}}";
    check_table(&[
        ("", "c{l[a]:OP{v=1}}", [new, new, new, missing, "", missing]),
        (
            "c{l[a]{in{a=0}} l[b]}",
            "c{l[a]:OP{v=1}}",
            [
                "c{l[a]{v=1 in{a=0}} l[b]}",
                "c{l[a]{v=1} l[b]}",
                exists,
                "c{l[b]}",
                "c{l[b]}",
                "data-missing /c/l[a]/v",
            ],
        ),
        ("c{l[a]{v=0}}", "c{l[a]:OP}", ["c{l[a]{v=0}}", "c{l[a]}", exists, "", "", "c{l[a]{v=0}}"]),
    ]);
}

#[test]
fn a_non_presence_container_exists_if_and_only_if_it_has_content() {
    let (exists, missing) = ("data-exists /c/deep", "data-missing /c/deep");
    let new = "c{x=1 deep{z=1}}";
    check_table(&[
        ("", "c{deep:OP}", ["", "", "", missing, "", ""]),
        // `none` finds the level there, and below it no leaf.
        ("c{x=1}", "c{deep:OP{z=1}}", [new, new, new, missing, "c{x=1}", "data-missing /c/deep/z"]),
        ("c{deep{z=0}}", "c{deep:OP}", ["c{deep{z=0}}", "", exists, "", "", "c{deep{z=0}}"]),
        (
            "c{deep{z=0}}",
            "c{deep:OP{z=1}}",
            ["c{deep{z=1}}", "c{deep{z=1}}", exists, "", "", "c{deep{z=0}}"],
        ),
    ]);
}

#[test]
fn a_presence_container_exists_by_itself() {
    let (exists, missing) = ("data-exists /c/p", "data-missing /c/p");
    check_table(&[
        ("", "c{p:OP}", ["c{p{}}", "c{p{}}", "c{p{}}", missing, "", missing]),
        ("c{p{}}", "c{p:OP}", ["c{p{}}", "c{p{}}", exists, "", "", "c{p{}}"]),
        ("c{p{y=0}}", "c{p:OP}", ["c{p{y=0}}", "c{p{}}", exists, "", "", "c{p{y=0}}"]),
        (
            "c{p{}}",
            "c{p:OP{y=1}}",
            ["c{p{y=1}}", "c{p{y=1}}", exists, "", "", "data-missing /c/p/y"],
        ),
    ]);
}

#[test]
fn anydata_and_anyxml_are_modified_in_their_entirety() {
    for name in ["any", "raw"] {
        let of = |value: &str| format!("c{{{name}='{value}'}}");
        let (old, new) = (of("<old/>"), of("<new/>"));
        let (exists, missing) =
            (format!("data-exists /c/{name}"), format!("data-missing /c/{name}"));
        let text = format!("c{{{name}='<new/>':OP}}");
        check_table(&[
            ("", &text, [&new, &new, &new, &missing, "", &missing]),
            (&old, &text, [&new, &new, &exists, "", "", &old]),
        ]);
    }
}

#[test]
fn a_key_leaf_lives_as_long_as_its_entry() {
    let cannot = "bad-element k /c/l[a]/k";
    let exists = "data-exists /c/l[a]/k";
    let of = |kept, created| [kept, kept, created, cannot, cannot, kept];
    check_table(&[
        ("", "c{l[a]:merge{k=a:OP}}", of("c{l[a]}", "c{l[a]}")),
        ("", "c{l[a]:create{k=a:OP}}", of("c{l[a]}", "c{l[a]}")),
        ("", "c{l[a]:replace{k=a:OP}}", of("c{l[a]}", "c{l[a]}")),
        ("c{l[a]{v=1}}", "c{l[a]:merge{k=a:OP}}", of("c{l[a]{v=1}}", exists)),
        ("c{l[a]{v=1}}", "c{l[a]:replace{k=a:OP}}", of("c{l[a]}", exists)),
        ("c{l[a]{v=1}}", "c{l[a]:none{k=a:OP}}", of("c{l[a]{v=1}}", exists)),
    ]);
}

#[test]
fn default_operation_none_touches_only_what_has_an_operation_of_its_own() {
    check(&[
        // RFC 6241, 7.2: no level is created on the way to what is deleted.
        ("", "none:c{l[a]{v:delete}}", "data-missing /c/l[a]"),
        ("", "none:c{l[a]{v:remove}}", "data-missing /c/l[a]"),
        ("", "none:q{x=1:create}", "data-missing /q"),
        ("", "none:top=1", "data-missing /top"),
        ("c{x=1}", "none:c{l[a]}", "data-missing /c/l[a]"),
        ("c{x=1}", "none:c{x=2}", "c{x=1}"),
        ("c{l[a]{v=1}}", "none:c{l[a]{v:delete}}", "c{l[a]}"),
        ("c{l[a] l[b]}", "none:c{l[a]:delete}", "c{l[b]}"),
        ("c{l[a]}", "none:c{l[a]{in{a=1:merge}}}", "c{l[a]{in{a=1}}}"),
        // A non-presence container is a level that is always there.
        ("", "none:c{l[a]:merge}", "c{l[a]}"),
        ("", "none:c{deep{z=1:create}}", "c{deep{z=1}}"),
        ("", "none:c{x:remove}", ""),
        ("", "none:c{}", ""),
    ]);
}

#[test]
fn default_operation_replace_replaces_the_whole_datastore() {
    check(&[
        ("c{x=1} top=1", "replace:", ""),
        ("c{x=1 l[a]{v=1}} top=1", "replace:c{l[a]}", "c{l[a]}"),
        ("c{u[a] u[b]}", "replace:c{u[b] u[a]}", "c{u[b] u[a]}"),
        // An operation of its own looks at the datastore as it was.
        ("c{x=1 d=3}", "replace:c{x=2:merge}", "c{x=2}"),
        ("c{x=1 l[a]{v=1}}", "replace:c{l[a]:merge{in{a=1}}}", "c{l[a]{v=1 in{a=1}}}"),
        ("c{x=1}", "replace:c{x=2:create}", "data-exists /c/x"),
        ("c{x=1}", "replace:c{x:delete}", ""),
        ("c{d=1}", "replace:c{x:delete}", "data-missing /c/x"),
    ]);
}

#[test]
fn an_operation_inside_a_replaced_node_looks_at_the_datastore_before_the_request() {
    check(&[
        ("c{deep{z=1}}", "c:replace{deep{z=2:create}}", "data-exists /c/deep/z"),
        ("c{x=1 deep{z=1}}", "c:replace{deep:merge}", "c{deep{z=1}}"),
        ("c{x=1}", "c:replace{x:delete}", ""),
        ("", "c:replace{x:delete}", "data-missing /c/x"),
        ("c{ul=a ul=b ul=c}", "c:replace{ul=c ul=a}", "c{ul=c ul=a}"),
        (
            "c{ul=a ul=b}",
            "c:replace{ul=c@first ul=b@after=a}",
            "bad-attribute value ul (missing-instance) /c/ul=b",
        ),
        ("c{ul=a ul=b}", "c:replace{ul=a ul=b@first}", "c{ul=b ul=a}"),
    ]);
}

#[test]
fn below_what_is_created_nothing_exists_yet() {
    check(&[
        ("", "q:create{x=1 l[a]{v=1}}", "q{x=1 l[a]{v=1}}"),
        ("", "q:create{x:delete}", "data-missing /q/x"),
        ("", "q:create{x:remove p{}}", "q{p{}}"),
        ("", "c{l[a]:create{in{a:delete}}}", "data-missing /c/l[a]/in/a"),
    ]);
}

#[test]
fn below_what_is_deleted_nothing_can_be_stated() {
    let refused = "bad-attribute operation v /c/l[a]/v";
    for operation in ["merge", "replace", "create"] {
        let text = format!("c{{l[a]:delete{{v=1:{operation}}}}}");
        assert_eq!(outcome("c{l[a]}", &text), refused);
        assert_eq!(outcome("", &text.replace("delete", "remove")), refused);
    }
    check(&[
        ("q{x=1}", "q:delete{x:remove d:delete}", ""),
        ("c{l[a]{v=1}}", "c{l[a]:delete{v=5 in{a:delete b:remove}}}", ""),
        ("c{l[a]}", "c:delete{l[a]{in{a=1:create}}}", "bad-attribute operation a /c/l[a]/in/a"),
    ]);
}

#[test]
fn deleting_the_last_child_prunes_the_containers_above() {
    check(&[
        ("c{deep{z=1}}", "c{deep{z:delete}}", ""),
        ("c{deep{z=1} x=1}", "c{deep{z:remove}}", "c{x=1}"),
        ("c{l[a]{in{a=1}}}", "c{l[a]{in{a:delete}}}", "c{l[a]}"),
        ("c{p{y=1}}", "c{p{y:delete}}", "c{p{}}"),
        ("c{l[a]}", "c{l[a]:delete}", ""),
        ("c{ll=1}", "c{ll=1:delete}", ""),
        ("c{ul=1 u[a]}", "c{ul=1:delete u[a]:delete}", ""),
        ("", "c{deep}", ""),
    ]);
}

#[test]
fn user_ordered_entries_go_where_insert_says() {
    let lists = [("u[", "]", "key u", "/c/u[", "]"), ("ul=", "", "value ul", "/c/ul=", "")];
    for (open, close, attribute, path, path_close) in lists {
        let list = |order: &str| {
            let each = order.chars().map(|name| format!("{open}{name}{close}"));
            each.collect::<Vec<_>>().join(" ")
        };
        for (before, name, insert, expected) in [
            ("abc", "d", "", Ok("abcd")),
            ("abc", "d", "@first", Ok("dabc")),
            ("abc", "d", "@last", Ok("abcd")),
            ("abc", "d", "@before=b", Ok("adbc")),
            ("abc", "d", "@after=b", Ok("abdc")),
            ("abc", "d", "@after=c", Ok("abcd")),
            ("abc", "c", "", Ok("abc")),
            ("abc", "c", "@first", Ok("cab")),
            ("abc", "a", "@last", Ok("bca")),
            ("abc", "a", "@before=c", Ok("bac")),
            ("abc", "a", "@after=b", Ok("bac")),
            ("abc", "b", "@after=a", Ok("abc")),
            ("abc", "b", "@before=b", Ok("abc")),
            ("", "b", "", Ok("b")),
            ("", "b", "@first", Ok("b")),
            ("abc", "d", "@before=x", Err("missing-instance")),
            ("abc", "a", "@after=x", Err("missing-instance")),
            ("abc", "d", "@after=d", Err("missing-instance")),
        ] {
            for operation in ["merge", "replace", "create"] {
                let present = before.contains(name);
                let text = format!("c{{{open}{name}{close}:{operation}{insert}}}");
                let expected = match expected {
                    _ if operation == "create" && present => {
                        format!("data-exists {path}{name}{path_close}")
                    }
                    Ok(order) => format!("c{{{}}}", list(order)),
                    Err(tag) => {
                        format!("bad-attribute {attribute} ({tag}) {path}{name}{path_close}")
                    }
                };
                let before = format!("c{{{}}}", list(before));
                assert_eq!(outcome(&before, &text), expected, "{text} on {before}");
            }
            for operation in ["delete", "remove", "none"] {
                if before.contains(name) && !insert.is_empty() {
                    let text = format!("c{{{open}{name}{close}:{operation}{insert}}}");
                    let attribute = attribute.replace("key", "insert").replace("value", "insert");
                    let expected = format!("bad-attribute {attribute} {path}{name}{path_close}");
                    assert_eq!(outcome(&format!("c{{{}}}", list(before)), &text), expected);
                }
            }
        }
    }
}

#[test]
fn user_ordered_entries_are_modified_one_at_a_time_in_the_order_of_the_request() {
    check(&[
        ("", "c{u[b] u[a]}", "c{u[b] u[a]}"),
        ("", "c{u[b] u[a]@before=b}", "c{u[a] u[b]}"),
        ("", "c{u[a]@before=b u[b]}", "bad-attribute key u (missing-instance) /c/u[a]"),
        ("c{u[x]}", "c{u[a]@after=x u[x]:delete}", "c{u[a]}"),
        (
            "c{u[x]}",
            "c{u[x]:delete u[a]@after=x}",
            "bad-attribute key u (missing-instance) /c/u[a]",
        ),
        ("c{u[a] u[b] u[c]}", "c{u[c]@first x=1 u[b]@first}", "c{x=1 u[b] u[c] u[a]}"),
        // What is in the entry does not move it.
        ("c{u[a] u[b]}", "c{u[a]{v=1}}", "c{u[a]{v=1} u[b]}"),
        ("c{u[a]{v=1} u[b]}", "c{u[a]:replace}", "c{u[a] u[b]}"),
    ]);
}

#[test]
fn insert_is_unknown_where_the_server_orders() {
    let schema = schema();
    let mut edit = edit("c{l[a]}");
    let EditValue::Entry(entry) = &mut edit.nodes[0].children_mut().unwrap()[0].value else {
        panic!()
    };
    entry.insert = Some(Box::new(super::edit::Insert::First));
    let error = apply_edit(&schema, &tree(""), &edit).unwrap_err();
    assert_eq!(fault(&schema, &error), "unknown-attribute insert l /c/l[a]");
}

#[test]
fn data_of_one_case_removes_that_of_the_others() {
    check(&[
        ("c{a1=1 a2=1}", "c{bc{b1=1}}", "c{bc{b1=1}}"),
        ("c{a1=1}", "c{a2=1}", "c{a1=1 a2=1}"),
        ("c{x=1 bc{b1=1 b2=1}}", "c{n0=1}", "c{x=1 n0=1}"),
        ("c{n0=1 n1=1}", "c{a1=1}", "c{a1=1}"),
        // A nested choice.
        ("c{n0=1 n1=1}", "c{n2=1}", "c{n2=1 n0=1}"),
        ("c{n0=1 n2=1 n2x=1}", "c{n3[k]}", "c{n3[k] n0=1}"),
        ("c{a1=1}", "c{n3[k]}", "c{n3[k]}"),
        // An empty non-presence container is nothing.
        ("c{a1=1}", "c{bc{}}", "c{a1=1}"),
        ("c{a1=1}", "c{bc{b1:remove}}", "c{a1=1}"),
        ("c{a1=1}", "none:c{bc{b1=1:create}}", "c{bc{b1=1}}"),
        // What is deleted is no data of its case.
        ("c{a1=1 a2=1}", "c{a1:delete bc{b1=1}}", "c{bc{b1=1}}"),
        ("c{a1=1 a2=1}", "c{bc{b1=1} a1:delete}", "c{bc{b1=1}}"),
        ("c{a2=1}", "c{bc{b1=1} a1:delete}", "data-missing /c/a1"),
        ("c{bc{b1=1 b2=1}}", "c{bc{b1:delete} a1=1}", "c{a1=1}"),
        ("c{a1=1}", "c{a1:delete}", ""),
        ("c{a1=1}", "c:replace{n1=1}", "c{n1=1}"),
    ]);
}

#[test]
fn data_of_two_cases_is_refused() {
    check(&[
        ("", "c{a1=1 bc{b1=1}}", "bad-element a1 /c/a1"),
        ("", "c{n1=1 n2=1}", "bad-element n1 /c/n1"),
        ("c{a1=1}", "c{a1=2 bc{b1=1}}", "bad-element bc /c/bc"),
        ("c{a1=1}", "replace:c{bc{b1=1} a1=2}", "bad-element bc /c/bc"),
        ("c{bc{b1=1}}", "c{bc{b2=1} a1=1}", "bad-element a1 /c/a1"),
    ]);
}

#[test]
fn the_first_fault_of_the_request_is_reported() {
    check(&[
        ("", "c{x:delete d:delete}", "data-missing /c/x"),
        ("", "c{d:delete x:delete}", "data-missing /c/d"),
        ("c{l[a]}", "c{l[b]{v:delete} l[a]:create}", "data-missing /c/l[b]/v"),
        ("c{l[a]}", "c{l[a]:create l[b]{v:delete}}", "data-exists /c/l[a]"),
        ("", "c{l[a]{l2[x,3]:delete}}", "data-missing /c/l[a]/l2[x,3]"),
    ]);
}

#[test]
fn a_fault_leaves_the_tree_as_it_was() {
    let before = tree("c{l[a]{v=1}}");
    assert!(apply_edit(&schema(), &before, &edit("c{l[a]{v=2} x:delete}")).is_err());
    assert_eq!(show(&schema(), &before), "c{l[a]{v=1}}");
}

/// The examples of RFC 6241, 7.2.
#[test]
fn the_examples_of_edit_config_give_what_the_rfc_says() {
    let schema = compile_for_test(&[(
        "ex",
        "module ex { namespace 'http://example.com/schema/1.2/config'; prefix e;
           container top {
             list interface { key name; leaf name { type string; } leaf mtu { type uint16; } }
             container protocols { container ospf { list area { key name; leaf name { type string; }
               container interfaces { list interface { key name; leaf name { type string; } } } } } }
           } }",
    )]);
    for (before, text, after) in [
        ("", "top{interface['Ethernet0/0']{mtu=1500}}", "top{interface[Ethernet0/0]{mtu=1500}}"),
        (
            "top{interface['Ethernet0/0']{mtu=1400}}",
            "top{interface['Ethernet0/0']:replace{mtu=1500}}",
            "top{interface[Ethernet0/0]{mtu=1500}}",
        ),
        (
            "top{interface['Ethernet0/0']{mtu=1400} interface['192.0.2.4']}",
            "none:top{interface['Ethernet0/0']:delete}",
            "top{interface[192.0.2.4]}",
        ),
        (
            "top{protocols{ospf{area['0.0.0.0']{interfaces{interface['192.0.2.1'] interface['192.0.2.4']}}}}}",
            "none:top{protocols{ospf{area['0.0.0.0']{interfaces{interface['192.0.2.4']:delete}}}}}",
            "top{protocols{ospf{area[0.0.0.0]{interfaces{interface[192.0.2.1]}}}}}",
        ),
    ] {
        let empty = Tree::empty(Seed::default());
        let before = apply_edit(&schema, &empty, &edit_of(&schema, before)).unwrap().tree;
        let edited = apply_edit(&schema, &before, &edit_of(&schema, text)).unwrap();
        assert_eq!(show(&schema, &edited.tree), after);
    }
}

/// The examples of RFC 7950, 7.7.10 and 7.8.7.
#[test]
fn the_examples_of_user_ordered_inserts_give_what_the_rfc_says() {
    let schema = compile_for_test(&[(
        "sys",
        "module sys { namespace 'urn:example:system'; prefix sys;
           container ssh { leaf-list cipher { type string; ordered-by user; } }
           list user { key 'first-name surname'; ordered-by user;
             leaf first-name { type string; } leaf surname { type string; } leaf type { type string; } } }",
    )]);
    let empty = Tree::empty(Seed::default());
    let before =
        "ssh{cipher=aes cipher=blowfish} user[fred,flintstone]{type=admin} user[barney,rubble]";
    let before = apply_edit(&schema, &empty, &edit_of(&schema, before)).unwrap().tree;
    let mut edit = edit_of(
        &schema,
        "ssh{cipher='3des'@after=aes} user[barney,rubble]{type=admin} user[betty,rubble]",
    );
    let rubble = edit.nodes[1].key().unwrap().clone();
    let EditValue::Entry(betty) = &mut edit.nodes[2].value else { panic!() };
    betty.insert = Some(Box::new(super::edit::Insert::Before(rubble)));
    let edited = apply_edit(&schema, &before, &edit).unwrap();
    assert_eq!(
        show(&schema, &edited.tree),
        "ssh{cipher=aes cipher=3des cipher=blowfish} user[fred,flintstone]{type=admin} \
         user[betty,rubble] user[barney,rubble]{type=admin}",
    );
}

#[test]
fn plain_content_becomes_its_tree() {
    let text = "c{x=1 ll=1 ll=2 ul=b ul=a l[a]{l2[x,1] l2[x,10]} u[z] u[y] p{}} top=1";
    let content = tree_of(&schema(), Seed(3), &edit(text)).unwrap();
    assert_eq!(show(&schema(), &content), text);
    assert_eq!(content.seed, Seed(3));
    assert!(tree_of(&schema(), Seed(3), &edit("c{a1=1 bc{b1=1}}")).is_err());
}

#[test]
fn an_edit_of_another_schema_is_an_error_and_no_panic() {
    let schema = schema();
    let good = edit("c{x=1 l[a] ll=1}");
    for value in [
        EditValue::Container(Box::default()),
        EditValue::Absent,
        EditValue::Any("".into()),
        EditValue::Leaf("".into()),
    ] {
        for at in 0..3 {
            let mut edit = good.clone();
            let fits = matches!((at, &value), (0, EditValue::Any(_) | EditValue::Leaf(_)));
            edit.nodes[0].children_mut().unwrap()[at].value = value.clone();
            assert_eq!(apply_edit(&schema, &tree(""), &edit).is_ok(), fits, "{at} {value:?}");
        }
    }
    let mut edit = good;
    edit.nodes[0].node.0 = u32::MAX;
    let error = apply_edit(&schema, &tree(""), &edit).unwrap_err();
    assert_eq!(error.kind, DataErrorKind::OperationFailed);
}

#[test]
fn a_model_as_deep_as_data_may_be_is_no_trouble() {
    // A text may nest 500 blocks; groupings go on where it ends.
    const PART: usize = 400;
    let depth = crate::base::limits::DEPTH_MAX - 1;
    let parts = depth.div_ceil(PART);
    let mut model = String::from("grouping g0 { leaf x { type string; } }");
    for part in 1..=parts {
        let levels = if part == parts { depth - PART * (parts - 1) } else { PART };
        let inner = format!("uses g{};", part - 1);
        let inner = (0..levels).fold(inner, |inner, _| format!("container c {{ {inner} }}"));
        model = format!("{model} grouping g{part} {{ {inner} }}");
    }
    let model = format!("module deep {{ namespace 'urn:deep'; prefix d; {model} uses g{parts}; }}");
    let text = (0..depth).fold(String::from("x=1"), |inner, _| format!("c{{{inner}}}"));
    // The compiler and the notation need more stack than the thread of a test has, an edit does not.
    let compiled = std::thread::Builder::new().stack_size(256 << 20).spawn(move || {
        let schema = compile_for_test(&[("deep", &model)]);
        let edit = edit_of(&schema, &text);
        (schema, edit)
    });
    let (schema, edit) = compiled.unwrap().join().unwrap();
    let edited = apply_edit(&schema, &Tree::empty(Seed::default()), &edit).unwrap();
    let mut remove = edit.clone();
    let mut node: &mut EditNode = &mut remove.nodes[0];
    while !node.children().is_empty() {
        node = &mut node.children_mut().unwrap()[0];
    }
    node.operation = Operation::Delete;
    let mut candidate = Candidate::new(Revision(1), &edited.tree);
    candidate.edit(&schema, &remove).unwrap();
    assert!(candidate.tree().root.is_empty());
    let rebased = candidate.rebase(&schema, Revision(2), &edited.tree).unwrap();
    assert!(rebased.root.is_empty());
    let conflicts = candidate.rebase(&schema, Revision(2), &rebased).unwrap_err();
    assert_eq!(conflicts[0].0.len(), crate::base::limits::DEPTH_MAX);
}

/// New entries and as many that change, in the order of the keys and against it.
#[test]
fn a_large_load_gives_every_entry() {
    use crate::yang::schema::{Lookup, NodeKind};
    const COUNT: u32 = 20_000;
    let schema = compile_for_test(&[(
        "big",
        "module big { namespace 'urn:big'; prefix b; container top {
           list e { key n; leaf n { type uint32; } leaf v { type string; } } } }",
    )]);
    let found = |parent, name: &str| {
        let Lookup::Found(node) = schema.child(parent, None, name) else { panic!("no {name}") };
        node
    };
    let top = found(None, "top");
    let list = found(Some(top), "e");
    let leaf = found(Some(list), "v");
    assert!(matches!(schema.node(list).kind, NodeKind::List(_)));
    let load = |numbers: &mut dyn Iterator<Item = u32>, value: &str| {
        let node = |node, value| EditNode { node, operation: Operation::Merge, value };
        let entry = |number: u32| {
            let values: Box<[crate::yang::tree::Text]> = [number.to_string().into()].into();
            let key = schema.list_key(list, &values);
            let children = [node(leaf, EditValue::Leaf(value.into()))].into();
            let entry = EditEntry { key, values, children, insert: None };
            node(list, EditValue::Entry(Box::new(entry)))
        };
        let entries = numbers.map(entry).collect();
        super::edit::Edit {
            nodes: vec![node(top, EditValue::Container(entries))],
            ..Default::default()
        }
    };
    let empty = Tree::empty(Seed::default());
    let loaded = apply_edit(&schema, &empty, &load(&mut (0..COUNT), "a")).unwrap();
    assert_eq!(loaded.footprint.roots().count(), 1);
    let reversed = apply_edit(&schema, &empty, &load(&mut (0..COUNT).rev(), "a")).unwrap();
    assert_eq!(loaded.tree, reversed.tree);
    let changed = apply_edit(&schema, &loaded.tree, &load(&mut (0..COUNT).rev(), "b")).unwrap();
    assert_eq!(
        changed.tree,
        apply_edit(&schema, &empty, &load(&mut (0..COUNT), "b")).unwrap().tree
    );
}
