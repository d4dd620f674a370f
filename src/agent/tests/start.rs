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

/// What was validated under these models is not validated again: data that these would refuse start, because they say
/// that they are the models of before.
#[test]
fn data_of_the_same_models_are_trusted() {
    let mut world = with_content();
    let stricter = r#"module m { namespace "urn:m"; prefix m; yang-version 1.1;
        container c { leaf a { type string; } leaf b { type int32; must ". > 90"; }
            leaf twin { type string; } } }"#;
    world.restart_with(&[("m", stricter)]);
    assert!(world.fatal.is_some(), "others are validated");
    let mut world = with_content();
    let same = world.schema.schema_id;
    world.schema = crate::yang::libyang::compile_for_test(&[("m", stricter)]);
    std::sync::Arc::get_mut(&mut world.schema).expect("nobody else has it").schema_id = same;
    world.restart();
    assert_eq!((world.fatal.clone(), world.ready), (None, true));
}

/// Such models have no valid empty configuration, and one has to begin somewhere.
#[test]
fn a_node_without_configuration_starts_with_models_that_want_some() {
    let mut world = World::new();
    let wants_a = r#"module m { namespace "urn:m"; prefix m;
        container c { leaf a { type string; mandatory true; } leaf b { type int32; } } }"#;
    world.restart_with(&[("m", wants_a)]);
    assert_eq!((world.fatal.clone(), world.ready), (None, true));
    let session = world.open();
    let alone = world.set(Datastore::Running, "b", Some("5"));
    assert_eq!(world.error(session, alone).0, ErrorTag::MissingElement);
    let edit = world.set(Datastore::Running, "a", Some("x"));
    world.ok(session, edit);
    let removed = world.set(Datastore::Running, "a", None);
    assert_eq!(world.error(session, removed).0, ErrorTag::MissingElement);
    assert_eq!(world.running(), "a=x");
}

#[test]
fn a_snapshot_is_read_under_other_models_or_refused() {
    let world = with_content();
    let (_, state) = world.agent.snapshot();
    let mut bytes = Vec::new();
    let mut keep = |piece: &[u8]| bytes.extend_from_slice(piece);
    crate::replication::snapshot::encode(&state, &world.schema, &mut keep).unwrap();
    for (models, fits) in
        [(&[("n", OTHER), ("m", REORDERED)][..], true), (&[("m", WITHOUT_A)], false)]
    {
        let schema = crate::yang::libyang::compile_for_test(models);
        let read = crate::replication::snapshot::decode(&bytes, &schema);
        assert_eq!(read.as_ref().err().map(ToString::to_string).is_none(), fits);
        if let Ok(read) = read {
            let mut leafs: Vec<String> =
                text(&schema, &read.shared).split(' ').map(str::to_owned).collect();
            leafs.sort();
            assert_eq!(
                (leafs.join(" "), read.schema_id),
                ("a=other b=5".to_owned(), state.schema_id)
            );
            assert_eq!(read.shared.digest(&*schema), state.shared.digest(&*world.schema));
        }
    }
}

fn started_with(initial: &Request, log: RecoveredLog) -> World {
    let Request::EditConfig { edit, .. } = initial else { panic!("no edit") };
    let mut world = World::new();
    // Higher than any boot of the log.
    world.boot = 2 + u64::try_from(log.entries.len()).unwrap();
    world.log = log;
    world.ready = false;
    world.view = None;
    world.agent = new_agent(&world.schema, world.boot, world.log.clone(), Vec::new());
    world.agent.parameters.initial = Some(edit.clone());
    world.agent.start(world.now());
    world.settle();
    world
}

#[test]
fn initial_content_is_for_an_empty_datastore_and_has_to_be_valid() {
    let world = World::new();
    let good = world.set(Datastore::Running, "a", Some("first"));
    let bad = world.set(Datastore::Running, "b", Some("13"));
    let started = started_with(&good, RecoveredLog::default());
    assert_eq!((started.ready, started.running()), (true, "a=first".to_owned()));
    let again = started_with(&bad, started.log.clone());
    assert_eq!((again.ready, again.running()), (true, "a=first".to_owned()));
    let refused = started_with(&bad, RecoveredLog::default());
    assert!(!refused.ready);
    assert!(
        refused.fatal.as_ref().is_some_and(|why| why.contains("/m:c/b")),
        "{:?}",
        refused.fatal
    );
    let later = started_with(&good, refused.log.clone());
    assert_eq!((later.ready, later.running()), (true, "a=first".to_owned()));
}
