//! Seeds that must pass.

use super::{Model, Options, planted_names, simulate};

#[track_caller]
fn check(nodes: usize, seeds: std::ops::Range<u64>) {
    let model = Model::new();
    for seed in seeds {
        let report = simulate(seed, Options::new(nodes), &model, None);
        assert!(report.violation.is_none(), "seed {seed}, nodes {nodes}: {report:?}");
    }
}

#[test]
fn a_node_alone_keeps_what_it_has_promised() {
    check(1, 0..40);
}

#[test]
fn three_nodes_keep_what_they_have_promised() {
    check(3, 0..15);
}

#[test]
fn three_more_nodes_keep_what_they_have_promised() {
    check(3, 15..30);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let model = Model::new();
    let run = |seed| simulate(seed, Options::new(3), &model, None).trace;
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// Takes a rule away: one of these seeds, with three nodes, must notice it by a property.
#[track_caller]
fn notices(rule: &str, seeds: std::ops::Range<u64>, property: &str) {
    let model = Model::new();
    let options = Options::new(3).planted(rule).expect("a rule");
    let found = seeds.clone().find_map(|seed| simulate(seed, options, &model, None).violation);
    let found = found.map(|violation| violation.property);
    assert_eq!(found, Some(property), "{rule}, seeds {seeds:?}");
}

#[test]
fn planted_bugs_are_found() {
    for (rule, seeds, property) in [
        ("durable-before-persisted", 1..2, "S20"),
        ("no-op-first", 0..1, "S14"),
        ("sessions-stay-ended", 2..3, "S14"),
        ("members-before-ok", 1..2, "S8"),
        ("lease-before-view", 0..1, "S8"),
    ] {
        notices(rule, seeds, property);
    }
}

#[test]
fn each_rule_has_a_name_of_its_own() {
    let names: Vec<&str> = planted_names().collect();
    for name in &names {
        assert!(Options::new(1).planted(name).is_some());
        assert_eq!(names.iter().filter(|other| other == &name).count(), 1, "{name}");
    }
    assert!(Options::new(1).planted("no rule").is_none());
}
