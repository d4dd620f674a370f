//! What edits and differences touch, and which of them meet.

use super::apply::apply_edit;
use super::footprint::{Footprint, instance_path};
use super::testing::{edit, schema, show_path, tree};
use crate::base::limits::FOOTPRINT_ROOTS_MAX;
use crate::yang::schema::NodeId;
use crate::yang::tree::{Key, KeyPath, Tree, diff};

fn show(footprint: &Footprint, trees: &[&Tree]) -> String {
    let schema = schema();
    let path = |path: KeyPath| show_path(&schema, &instance_path(&schema, &path, trees));
    footprint.roots().map(path).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(before: &str, text: &str, of_edit: &str, of_diff: &str) {
    let (schema, before) = (schema(), tree(before));
    let edited = apply_edit(&schema, &before, &edit(text)).unwrap();
    let trees = [&edited.tree, &before];
    assert_eq!(show(&edited.footprint, &trees), of_edit, "the edit {text}");
    let footprint = Footprint::of_diff(&schema, &before, &diff(&before, &edited.tree));
    assert_eq!(show(&footprint, &trees), of_diff, "the difference that {text} makes");
}

#[test]
fn leafs_that_are_set_or_deleted_are_roots_also_where_nothing_changes() {
    check("", "c{x=1} top=2", "/c/x /top", "/c/x /top");
    check("c{x=1}", "c{x=1}", "/c/x", "");
    check("c{x=1}", "c{x=2}", "/c/x", "/c/x");
    check("c{x=1}", "c{x:delete d:remove}", "/c/x /c/d", "/c/x");
    check("c{x=1}", "none:c{x=2}", "", "");
    check("c{any='<a/>'}", "c{any='<b/>'}", "/c/any", "/c/any");
    check("c{ll=1 ll=2}", "c{ll=1:delete ll=3}", "/c/ll=1 /c/ll=3", "/c/ll=1 /c/ll=3");
    check("c{ll=1}", "c{ll:delete}", "/c/ll", "/c/ll=1");
}

#[test]
fn what_is_created_or_deleted_is_a_root_with_all_below_it() {
    check("", "c{l[a]{v=1 in{a=1}}}", "/c/l[a]", "/c/l[a]");
    check("c{l[a]}", "c{l[a]{v=1 in{a=1}}}", "/c/l[a]/v /c/l[a]/in/a", "/c/l[a]/v /c/l[a]/in/a");
    check("c{l[a]}", "c{l[a]{v=1} l[b]{v=1}}", "/c/l[a]/v /c/l[b]", "/c/l[a]/v /c/l[b]");
    check("c{l[a]{v=1} x=1}", "c{l[a]:delete}", "/c/l[a]", "/c/l[a]");
    check("", "q{x=1}", "/q", "/q");
    check("q{x=1}", "q{x=2 p{y=1}}", "/q/x /q/p", "/q/x /q/p");
    check("q{p{}}", "q:delete", "/q", "/q");
    // That it is there is all that was stated.
    check("q{x=1 l[a]{v=1}}", "q{l[a]}", "/q/l[a]", "");
    check("q{x=1}", "q", "/q", "");
}

#[test]
fn what_is_replaced_is_a_root_and_a_non_presence_container_else_is_not() {
    check("c{deep{z=1}}", "c{deep:replace{z=2}}", "/c/deep", "/c/deep/z");
    check("c{l[a]{v=1}}", "c{l[a]:replace{v=2}}", "/c/l[a]", "/c/l[a]/v");
    check("", "c{deep{z=1}}", "/c/deep/z", "/c/deep/z");
    check("", "c{deep:create{z=1}}", "/c/deep", "/c/deep/z");
    check("c{deep{z=1}}", "c{deep{z:delete}}", "/c/deep/z", "/c/deep/z");
    check("c{x=1}", "replace:c{d=1}", "", "/c/x /c/d");
    let schema = schema();
    let whole = apply_edit(&schema, &tree(""), &edit("replace:c{d=1}")).unwrap().footprint;
    assert_eq!(whole, Footprint::whole());
}

#[test]
fn an_insert_or_move_touches_all_of_a_user_ordered_list() {
    check("c{u[a]}", "c{u[b]}", "/c/u", "/c/u");
    check("c{u[a] u[b]}", "c{u[b]@first}", "/c/u", "/c/u");
    check("c{u[a] u[b]}", "c{u[b]{v=1}}", "/c/u[b]/v", "/c/u[b]/v");
    check("c{u[a] u[b]}", "c{u[b]:delete}", "/c/u[b]", "/c/u[b]");
    check("c{ul=a ul=b}", "c{ul=b@first}", "/c/ul", "/c/ul");
    check("c{ul=a}", "c{ul=a:delete}", "/c/ul=a", "/c/ul=a");
    check("", "c{ul=a}", "/c/ul", "/c/ul");
}

#[test]
fn another_case_touches_all_of_the_choice() {
    let all = "/c/a1 /c/a2 /c/bc /c/n1 /c/n2 /c/n2x /c/n3 /c/n0";
    check("", "c{a1=1}", all, all);
    check("c{bc{b1=1}}", "c{a1=1}", all, all);
    check("c{a1=1}", "c{a2=1}", "/c/a2", "/c/a2");
    check("c{a1=1}", "c{a1:delete}", "/c/a1", "/c/a1");
    check("c{bc{b1=1}}", "c{bc{b2=1}}", "/c/bc/b2", "/c/bc/b2");
    let inner = "/c/n1 /c/n2 /c/n2x /c/n3";
    check("c{n0=1 n1=1}", "c{n3[k]}", inner, inner);
    check("c{n0=1}", "c{n1=1}", inner, inner);
    check("c{n2=1}", "c{n2x=1}", "/c/n2x", "/c/n2x");
}

#[test]
fn beyond_the_limit_the_deepest_roots_are_widened_to_their_parents() {
    let (top, list) = (NodeId(1), NodeId(2));
    let key = |number: usize| Key::from(number.to_be_bytes().as_slice());
    let mut footprint = Footprint::default();
    footprint.add(vec![(NodeId(9), None)]);
    for number in 0..FOOTPRINT_ROOTS_MAX - 1 {
        footprint.add(vec![(top, None), (list, Some(key(number)))]);
    }
    assert_eq!(footprint.roots().count(), FOOTPRINT_ROOTS_MAX);
    footprint.add(vec![(top, None), (list, Some(key(FOOTPRINT_ROOTS_MAX)))]);
    let all = KeyPath(vec![(top, None), (list, None)]);
    assert_eq!(footprint.roots().collect::<Vec<_>>(), [all, KeyPath(vec![(NodeId(9), None)])]);

    // Where even the top has too many, everything is touched.
    let mut footprint = Footprint::default();
    for number in 0..=u32::try_from(FOOTPRINT_ROOTS_MAX).unwrap() {
        footprint.add(vec![(NodeId(number), None)]);
    }
    assert_eq!(footprint, Footprint::whole());
}

#[test]
fn no_root_lies_in_another() {
    let (top, list, leaf) = (NodeId(1), NodeId(2), NodeId(3));
    let key = |name: &str| Some(Key::from(name.as_bytes()));
    let mut footprint = Footprint::default();
    footprint.add(vec![(top, None), (list, key("b")), (leaf, None)]);
    footprint.add(vec![(top, None), (list, key("a"))]);
    footprint.add(vec![(top, None), (list, key("a")), (leaf, None)]);
    assert_eq!(footprint.roots().count(), 2);
    assert!(footprint.overlaps(&KeyPath(vec![(top, None)])));
    assert!(footprint.overlaps(&KeyPath(vec![(top, None), (list, key("b"))])));
    assert!(!footprint.overlaps(&KeyPath(vec![(top, None), (list, key("c"))])));
    footprint.add(vec![(top, None), (list, None)]);
    assert_eq!(footprint.roots().collect::<Vec<_>>(), [KeyPath(vec![(top, None), (list, None)])]);
    footprint.add(vec![(top, None), (list, key("c"))]);
    assert_eq!(footprint.roots().count(), 1);
    footprint.union(&Footprint::whole());
    assert_eq!(footprint, Footprint::whole());
}
