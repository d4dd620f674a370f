//! Seeds that must pass.

use super::{Counts, Model, Options, planted_names, simulate};

#[track_caller]
fn check(nodes: usize, seeds: std::ops::Range<u64>) -> Counts {
    let model = Model::new();
    let mut sum = Counts::default();
    for seed in seeds {
        let report = simulate(seed, Options::new(nodes), &model, None);
        assert!(report.violation.is_none(), "seed {seed}, nodes {nodes}: {report:?}");
        sum += report.counts;
    }
    sum
}

#[test]
fn a_node_alone_keeps_what_it_has_promised() {
    let sum = check(1, 0..40);
    assert!(sum.acknowledged > 0 && sum.reads > 0 && sum.crashes > 0, "{sum}");
}

#[test]
fn three_nodes_keep_what_they_have_promised() {
    let sum = check(3, 0..25);
    let Counts { acknowledged, refused, unknown, reads, crashes, leaders, .. } = sum;
    let seen = [acknowledged, refused, unknown, reads, crashes, leaders];
    assert!(seen.iter().all(|count| *count > 0), "{sum}");
}

#[test]
fn three_more_nodes_keep_what_they_have_promised() {
    let sum = check(3, 25..50);
    let Counts { lost, joined, removed, transfers, policies, snapshots_sent, .. } = sum;
    // What happens in no world is held by none.
    let seen = [lost, joined, removed, transfers, policies, snapshots_sent];
    assert!(seen.iter().all(|count| *count > 0), "{sum}");
}

#[test]
fn five_nodes_keep_what_they_have_promised() {
    check(5, 0..10);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let model = Model::new();
    let run = |seed| simulate(seed, Options::new(3), &model, None).trace;
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// Takes rules away: the world of this seed must notice it by a property, and with all rules it notices nothing.
#[track_caller]
fn notices(rules: &str, nodes: usize, seed: u64, property: &str) {
    let model = Model::new();
    let options = Options::new(nodes).planted(rules).expect("rules");
    let found = simulate(seed, options, &model, None).violation;
    let found = found.map(|violation| violation.property);
    assert_eq!(found, Some(property), "{rules}, seed {seed}");
    let found = simulate(seed, Options::new(nodes), &model, None).violation;
    assert!(found.is_none(), "{rules}, seed {seed}: {found:?}");
}

#[test]
fn planted_bugs_of_the_engine_are_found() {
    for (rule, seed, property) in [
        ("durable-before-persisted", 1, "S20"),
        ("durable-before-sends", 2, "S20"),
        ("view-before-sends", 0, "S8"),
        ("failed-write-ends", 0, "S6"),
        ("lease-before-view", 7, "S8"),
    ] {
        notices(rule, 3, seed, property);
    }
    notices("snapshot-before-prune", 1, 0, "S6");
}

#[test]
fn planted_bugs_of_leaders_are_found() {
    for (rules, seed, property) in [
        ("no-op-first", 0, "S14"),
        ("head-ends", 1, "L2"),
        ("to-one-term", 74, "S13"),
        ("requests-known", 12, "S13"),
        ("requests-known+first-outcome-stands", 12, "S14"),
        ("members-before-ok", 0, "S8"),
        ("old-leases-count", 43, "S8"),
        ("age-of-generation", 14, "S11"),
    ] {
        notices(rules, 3, seed, property);
    }
}

#[test]
fn planted_bugs_of_members_are_found() {
    for (rule, seed, property) in [
        ("sessions-stay-ended", 0, "S14"),
        ("catch-up-first", 39, "S8"),
        ("prepared-ends", 0, "S5"),
    ] {
        notices(rule, 3, seed, property);
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
    assert!(Options::new(1).planted("no-op-first+no rule").is_none());
}
