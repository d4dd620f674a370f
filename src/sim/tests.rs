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
fn nodes_that_join_by_twos_get_their_votes_at_once() {
    let sum = check(3, 155..166);
    assert!(sum.joint > 0, "{sum}");
}

#[test]
fn five_nodes_keep_what_they_have_promised() {
    check(5, 0..10);
}

/// What they have found is in `src/ARCHITECTURE.md`.
#[test]
fn worlds_that_once_found_something_find_nothing() {
    for seed in [59, 2044, 2494, 4312, 8061, 8726, 9976, 14792] {
        check(3, seed..seed + 1);
    }
    check(5, 11315..11316);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let model = Model::new();
    let run = |seed| simulate(seed, Options::new(3), &model, None).trace;
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// Takes rules away: one of the worlds of `nodes` nodes with these seeds must notice it by one of the properties, and
/// with all rules that world notices nothing. `hint` is the seed that noticed last: it is tried first. Gives that world.
#[track_caller]
fn notices(rules: &str, nodes: usize, (hint, within): (u64, u64), by: &[&str]) -> u64 {
    let model = Model::new();
    let options = Options::new(nodes).planted(rules).expect("rules");
    let found = |seed, options| simulate(seed, options, &model, None).violation;
    let mut seeds = std::iter::once(hint).chain(0..within);
    let notices =
        |seed: &u64| found(*seed, options).is_some_and(|found| by.contains(&found.property));
    let seed = seeds.find(notices);
    let seed = seed.unwrap_or_else(|| panic!("{rules}: not noticed by {by:?} in {within} worlds"));
    let found = found(seed, Options::new(nodes));
    assert!(found.is_none(), "{rules}, seed {seed}: {found:?}");
    seed
}

/// Takes a rule away together with those that hold before it: one of the worlds notices by the property, and does not
/// as long as the rule is there.
#[track_caller]
fn holds_behind(first: &str, rule: &str, seeds: (u64, u64), by: &str) {
    let seed = notices(&format!("{first}+{rule}"), 3, seeds, &[by]);
    let options = Options::new(3).planted(first).expect("rules");
    let found = simulate(seed, options, &Model::new(), None).violation;
    assert!(found.is_none_or(|found| found.property != by), "{first}, seed {seed}");
}

#[test]
fn planted_bugs_of_the_engine_are_found() {
    for (rule, seeds, by) in [
        ("durable-before-persisted", (1, 20), &["S20"][..]),
        ("durable-before-sends", (2, 20), &["S20"][..]),
        ("view-before-sends", (0, 20), &["S8"][..]),
        ("failed-write-ends", (0, 60), &["S6"][..]),
        ("lease-before-view", (0, 20), &["S8"][..]),
    ] {
        notices(rule, 3, seeds, by);
    }
    notices("snapshot-before-prune", 1, (0, 20), &["S6"]);
}

/// What no decision of this leader can have made wrong, and what comes from another term, has no effect.
#[test]
fn planted_bugs_of_leaders_harm_nobody_while_apply_holds() {
    let model = Model::new();
    for first in ["decides-on-head", "proposals-stay"] {
        let options = Options::new(3).planted(first).expect("a rule");
        for seed in [0, 1, 2, 5, 11, 75] {
            let found = simulate(seed, options, &model, None).violation;
            assert!(found.is_none(), "{first}, seed {seed}: {found:?}");
        }
    }
}

#[test]
fn planted_bugs_of_apply_are_found() {
    let stale = "decides-on-head+base-revision";
    for (first, rule, seeds, by) in [
        ("proposals-stay", "own-term", (1, 20), "S9"),
        ("decides-on-head", "lock-fences", (0, 20), "S10"),
        ("decides-on-head", "base-revision", (5, 20), "S14"),
        (stale, "base-digest", (75, 100), "S7"),
        (stale, "generation-named", (0, 20), "S11"),
        ("decides-on-head+base-revision+base-digest", "result-digest", (11, 20), "S7"),
        ("requests-known", "first-outcome-stands", (32, 120), "S13"),
    ] {
        holds_behind(first, rule, seeds, by);
    }
}

#[test]
fn planted_bugs_of_leaders_are_found() {
    for (rules, seeds, by) in [
        ("no-op-first", (0, 20), &["S14"][..]),
        ("head-ends", (0, 40), &["S12", "L2"][..]),
        ("to-one-term", (929, 1000), &["S12"][..]),
        ("requests-known", (32, 120), &["S12"][..]),
        ("members-before-ok", (0, 20), &["S2", "S8"][..]),
        ("old-leases-count", (76, 120), &["S8"][..]),
        ("age-of-generation", (5, 60), &["S11"][..]),
    ] {
        notices(rules, 3, seeds, by);
    }
}

#[test]
fn planted_bugs_of_members_are_found() {
    for (rule, seeds, by) in [
        ("sessions-stay-ended", (9, 20), &["S12"][..]),
        ("catch-up-first", (21, 100), &["S8"][..]),
        ("prepared-ends", (1, 20), &["S5"][..]),
    ] {
        notices(rule, 3, seeds, by);
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
