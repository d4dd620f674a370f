//! Seeds that must pass.

use super::{Model, Options, simulate};

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
    check(3, 0..30);
}

#[test]
fn three_more_nodes_keep_what_they_have_promised() {
    check(3, 30..60);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let model = Model::new();
    let run = |seed| simulate(seed, Options::new(3), &model, None).trace;
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
