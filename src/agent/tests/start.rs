//! Starts: other models, replay, what a restart ends.

use super::*;

const OTHER: &str =
    r#"module n { namespace "urn:n"; prefix n; container d { leaf x { type string; } } }"#;
/// The nodes of `MODEL` in another order.
const REORDERED: &str = r#"module m { namespace "urn:m"; prefix m; yang-version 1.1;
    container aa { leaf z { type string; } }
    container c {
        leaf twin { type string; }
        leaf b { type int32 { range "0..100"; } must ". != 13"; }
        leaf a { type string; }
    } }"#;
const NARROWED: &str = r#"module m { namespace "urn:m"; prefix m; yang-version 1.1;
    container c {
        leaf a { type string { length "0..2"; } }
        leaf b { type int32; }
        leaf twin { type string; }
    } }"#;
const WITHOUT_A: &str = r#"module m { namespace "urn:m"; prefix m; yang-version 1.1;
    container c { leaf b { type int32; } } }"#;

fn with_content() -> World {
    let mut world = World::new();
    let session = world.open();
    for (leaf, value) in [("a", "one"), ("b", "5"), ("a", "other")] {
        let edit = world.set(Datastore::Running, leaf, Some(value));
        world.ok(session, edit);
    }
    world
}

#[test]
fn configuration_survives_other_models_that_it_fits() {
    let mut world = with_content();
    for models in [
        &[("m", MODEL), ("n", OTHER)][..],
        &[("n", OTHER), ("m", MODEL)],
        &[("m", REORDERED)],
        &[("m", MODEL)],
    ] {
        world.restart_with(models);
        assert_eq!(world.fatal, None);
        let mut leafs: Vec<String> = world.running().split(' ').map(str::to_owned).collect();
        leafs.sort();
        assert_eq!(leafs, ["a=other", "b=5"]);
        let session = world.open();
        for value in ["7", "5"] {
            let edit = world.set(Datastore::Running, "b", Some(value));
            world.ok(session, edit);
        }
    }
}

#[test]
fn models_that_do_not_fit_are_refused_and_cost_nothing() {
    for (models, reason) in
        [(&[("m", NARROWED)][..], "length"), (&[("m", WITHOUT_A)], "a"), (&[("n", OTHER)], "m")]
    {
        let mut world = with_content();
        let log = world.log.entries.len();
        world.restart_with(models);
        let fatal = world.fatal.clone().expect("a reason");
        assert!(fatal.contains(reason) && !fatal.contains('\n'), "{fatal}");
        assert!(!world.ready && world.log.entries.len() <= log + 1, "only the no-op of its term");
        world.restart_with(&[("m", MODEL)]);
        assert_eq!((world.fatal.clone(), world.running()), (None, "a=other b=5".to_owned()));
    }
}
