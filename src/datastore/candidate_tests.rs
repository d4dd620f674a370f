//! The candidate's life, its rebase and its conflicts.

use super::apply::apply_edit;
use super::candidate::Candidate;
use super::testing::{edit, schema, show, show_path, tree};
use crate::base::ids::Revision;
use crate::base::limits::VALIDATION_ERRORS_MAX;
use crate::yang::tree::Tree;

fn candidate(base: &Tree, edits: &[&str]) -> Candidate {
    let mut candidate = Candidate::new(Revision(1), base);
    for text in edits {
        candidate.edit(&schema(), &edit(text)).unwrap();
    }
    candidate
}

fn rebased(candidate: &Candidate, head: &Tree) -> String {
    let schema = schema();
    match candidate.rebase(&schema, Revision(2), head) {
        Ok(tree) => show(&schema, &tree),
        Err(paths) => {
            let paths: Vec<String> = paths.iter().map(|path| show_path(&schema, path)).collect();
            format!("conflict {}", paths.join(" "))
        }
    }
}

/// On `base`, the candidate did `ours` and running `theirs`.
#[track_caller]
fn check(base: &str, ours: &str, theirs: &str, expected: &str) {
    let base = tree(base);
    let head = apply_edit(&schema(), &base, &edit(theirs)).unwrap().tree;
    let result = rebased(&candidate(&base, &[ours]), &head);
    assert_eq!(result, expected, "{ours} against {theirs}");
}

#[test]
fn changes_of_different_places_are_both_kept() {
    check("", "c{x=1}", "c{d=1}", "c{x=1 d=1}");
    check("c{x=1}", "c{x:delete}", "c{d=1}", "c{d=1}");
    check("c{x=1 d=1}", "c{x:delete}", "c{d:delete}", "");
    check("c{deep{z=1} x=1}", "c{deep{z:delete}}", "c{x=2}", "c{x=2}");
    check("c{l[a]{v=1}}", "c{l[a]{v=2}}", "c{l[a]{in{a=1}}}", "c{l[a]{v=2 in{a=1}}}");
    check("", "c{l[a]{v=1}}", "c{l[b]{v=1}}", "c{l[a]{v=1} l[b]{v=1}}");
    check("c{l[a] l[b]}", "c{l[a]:delete}", "c{l[b]:delete}", "");
    check("c{ll=1 ll=2}", "c{ll=1:delete}", "c{ll=3}", "c{ll=2 ll=3}");
    check("c{u[a] u[b] u[c]}", "c{u[b]{v=1}}", "c{u[a]:delete}", "c{u[b]{v=1} u[c]}");
    check("c{ul=a ul=b ul=c}", "c{ul=a:delete}", "c{ul=b:delete}", "c{ul=c}");
    check("c{a1=1}", "c{a2=1}", "c{a1=2}", "c{a1=2 a2=1}");
    check("c{a1=1 a2=1}", "c{a1:delete}", "c{a2=2}", "c{a2=2}");
    check("", "q{x=1}", "c{p{}}", "c{p{}} q{x=1}");
    check("c{x=1}", "none:c{x=5}", "c{x=2}", "c{x=2}");
    check("c{x=1}", "c{any='<a/>'}", "c:remove{x:delete}", "c{any='<a/>'}");
}

#[test]
fn the_same_place_is_a_conflict() {
    check("c{x=1}", "c{x=2}", "c{x=3}", "conflict /c/x");
    check("c{x=1}", "c{x=2}", "c{x=2}", "conflict /c/x");
    // What was stated counts, changed or not.
    check("c{x=1}", "c{x=1}", "c{x=2}", "conflict /c/x");
    check("", "c{x:remove}", "c{x=2}", "conflict /c/x");
    check("c{x=1 d=1}", "c{x=2 d=2}", "c{x=3 d=3}", "conflict /c/x /c/d");
}

#[test]
fn what_is_deleted_here_and_edited_there_is_a_conflict() {
    check("c{l[a]{v=1}}", "c{l[a]:delete}", "c{l[a]{v=2}}", "conflict /c/l[a]/v");
    check("c{l[a]{v=1}}", "c{l[a]{v=2}}", "c{l[a]:delete}", "conflict /c/l[a]/v");
    check("c{l[a]}", "c{l[a]}", "c{l[a]:delete}", "conflict /c/l[a]");
    check("q{p{}}", "q{p}", "q{p:delete}", "conflict /q/p");
    check("c{l[a]}", "c{l[a]:delete}", "c{l[a]:delete}", "conflict /c/l[a]");
    check("", "c{l[a]{v=1}}", "c{l[a]{in{b=1}}}", "conflict /c/l[a]");
    check("", "q{x=1}", "q{d=1}", "conflict /q");
}

#[test]
fn what_is_replaced_here_and_extended_there_is_a_conflict() {
    check("c{deep{z=1}}", "c:replace{x=1}", "c{d=1}", "conflict /c/d");
    check("c{x=1}", "c:delete", "c{d=1}", "conflict /c/d");
    check("c{x=1}", "replace:top=1", "c{d=1}", "conflict /c/d");
}

#[test]
fn two_cases_of_a_choice_are_one_conflict() {
    check("", "c{a1=1}", "c{bc{b1=1}}", "conflict /c/a1");
    check("c{a1=1}", "c{a2=1}", "c{bc{b1=1}}", "conflict /c/bc");
    check("c{a1=1}", "c{n0=1}", "c{a1=2}", "conflict /c/n0");
    check("c{n0=1 n1=1}", "c{n2=1}", "c{n0=2}", "c{n2=1 n0=2}");
}

#[test]
fn neighbours_in_a_user_ordered_list_are_a_conflict() {
    check("c{u[a]}", "c{u[b]}", "c{u[d]}", "conflict /c/u");
    check("c{u[a] u[b]}", "c{u[b]@first}", "c{u[a]:delete}", "conflict /c/u[a]");
    check("c{u[a] u[b]}", "c{u[b]@first}", "c{u[a]{v=1}}", "conflict /c/u[a]/v");
}

#[test]
fn a_conflict_at_an_entry_that_is_nowhere_names_its_list() {
    let base = tree("c{l[a]}");
    let ours = candidate(&base, &["c{l[b]:remove l[z]:remove}"]);
    let head = apply_edit(&schema(), &base, &edit("c{l[b]}")).unwrap().tree;
    assert_eq!(rebased(&ours, &head), "conflict /c/l[b]");
    let ours = candidate(&base, &["c{l[a]{l2[x,1]:remove} l[a]{v:remove}}"]);
    assert_eq!(rebased(&ours, &tree("top=1")), "conflict /c/l[a]/v /c/l[a]/l2");
}

#[test]
fn at_its_base_revision_the_candidate_is_what_is_committed() {
    let base = tree("c{x=1}");
    let ours = candidate(&base, &["c{x=2}", "c{x:delete} top=1"]);
    let same = ours.rebase(&schema(), Revision(1), &base).unwrap();
    assert!(same.root.same(&ours.tree().root));
    assert_eq!(rebased(&ours, &base), "top=1");
}

#[test]
fn an_untouched_candidate_follows_running_and_an_edited_one_does_not() {
    let (base, head) = (tree("c{x=1}"), tree("c{x=2}"));
    let mut ours = candidate(&base, &[]);
    assert!(!ours.is_modified());
    assert_eq!(rebased(&ours, &head), "c{x=2}");
    ours.follow(Revision(2), &head);
    assert_eq!((ours.tree(), ours.base_revision), (&head, Revision(2)));
    ours.edit(&schema(), &edit("c{x=3}")).unwrap();
    ours.follow(Revision(3), &base);
    assert_eq!((show(&schema(), ours.tree()), ours.base_revision), ("c{x=3}".into(), Revision(2)));
}

#[test]
fn it_is_modified_while_it_differs_from_its_base() {
    let base = tree("c{x=1}");
    let mut ours = candidate(&base, &["c{x=2}"]);
    assert!(ours.is_modified());
    ours.edit(&schema(), &edit("c{x=1}")).unwrap();
    assert!(!ours.is_modified());
    ours.replace_whole(tree("top=1"));
    assert!(ours.is_modified());
    ours.discard(Revision(5), &base);
    assert!(!ours.is_modified() && ours.footprint.is_empty());
    assert_eq!((ours.tree(), ours.base_revision), (&base, Revision(5)));
}

#[test]
fn a_refused_edit_leaves_the_candidate_as_it_was() {
    let base = tree("c{x=1}");
    let mut ours = candidate(&base, &["top=1"]);
    let footprint = ours.footprint.clone();
    assert!(ours.edit(&schema(), &edit("c{x=2 d:delete}")).is_err());
    assert_eq!(show(&schema(), ours.tree()), "c{x=1} top=1");
    assert_eq!(ours.footprint, footprint);
}

#[test]
fn after_copy_config_every_change_of_running_is_a_conflict() {
    let base = tree("c{x=1}");
    let mut ours = candidate(&base, &[]);
    ours.replace_whole(tree("top=1"));
    assert_eq!(rebased(&ours, &base), "top=1");
    assert_eq!(rebased(&ours, &tree("c{x=1 d=1}")), "conflict /c/d");
    assert_eq!(rebased(&ours, &tree("c{x=1} q{}")), "conflict /q");
}

#[test]
fn no_more_conflicts_are_reported_than_the_limit_says() {
    let entries = |value: usize| {
        let entry = |number| format!("l[n{number}]{{v={value}}}");
        format!("c{{{}}}", (0..2 * VALIDATION_ERRORS_MAX).map(entry).collect::<Vec<_>>().join(" "))
    };
    let base = tree(&entries(0));
    let ours = candidate(&base, &[&entries(1)]);
    let conflicts = ours.rebase(&schema(), Revision(2), &tree(&entries(2))).unwrap_err();
    assert_eq!(conflicts.len(), VALIDATION_ERRORS_MAX);
}
