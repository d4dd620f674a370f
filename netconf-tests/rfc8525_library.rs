//! RFC 8525: yang-library, and the deprecated modules-state of RFC 7895 that clients still read.

use crate::support::agent::{Agent, Settings};
use crate::support::session::Session;
use crate::support::xml::Element;
use std::collections::BTreeSet;

const NS: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-library";

fn read(session: &mut Session, top: &str) -> Element {
    let operation = format!("<get><filter><{top} xmlns=\"{NS}\"/></filter></get>");
    session.request(&operation).data().child(top).clone()
}

fn find<'a>(parent: &'a Element, list: &'a str, name: &str) -> &'a Element {
    parent
        .all(list)
        .find(|entry| entry.value("name").as_deref() == Some(name))
        .unwrap_or_else(|| panic!("no {list} {name} in\n{}", parent.canonical()))
}

fn texts(parent: &Element, name: &str) -> Vec<String> {
    let mut texts: Vec<String> = parent.all(name).map(|own| own.text.trim().to_owned()).collect();
    texts.sort();
    texts
}

/// Section 3: modules with revision, namespace, features, deviations and submodules.
#[test]
fn module_sets_tell_what_is_implemented() {
    let agent = Agent::start();
    let mut session = agent.session();
    let library = read(&mut session, "yang-library");
    let set = library.child("module-set");
    let test = find(set, "module", "quorate-test");
    assert_eq!(test.value("revision").as_deref(), Some("2026-11-21"));
    assert_eq!(test.value("namespace").as_deref(), Some("urn:quorate:test"));
    assert_eq!(texts(test, "feature"), ["extra"]);
    let old = find(set, "module", "quorate-test-old");
    assert_eq!(texts(old, "feature"), ["first"]);
    assert_eq!(texts(old, "deviation"), ["quorate-test-deviation"]);
    assert_eq!(
        find(old, "submodule", "quorate-test-old-part").value("revision").as_deref(),
        Some("2026-11-20")
    );
    let implemented: BTreeSet<String> =
        set.all("module").filter_map(|module| module.value("name")).collect();
    for name in ["ietf-netconf", "ietf-netconf-monitoring", "ietf-yang-library"] {
        assert!(implemented.contains(name), "{name}");
    }
    let imports: BTreeSet<String> =
        set.all("import-only-module").filter_map(|module| module.value("name")).collect();
    assert!(imports.contains("ietf-inet-types"), "{imports:?}");
    assert!(imports.is_disjoint(&implemented));
}

/// Section 3: the features of ietf-netconf are those of hello: libnetconf2 compares them.
#[test]
fn features_of_ietf_netconf_agree_with_hello() {
    for (file, features) in [
        (
            "",
            &["candidate", "confirmed-commit", "rollback-on-error", "writable-running", "xpath"][..],
        ),
        (
            "[datastores]\nrunning-access = \"through-candidate\"\n",
            &["candidate", "confirmed-commit", "rollback-on-error", "xpath"],
        ),
        (
            "[datastores]\ncandidate = false\n",
            &["rollback-on-error", "validate", "writable-running", "xpath"],
        ),
    ] {
        let settings = Settings { file: file.to_owned(), ..Settings::default() };
        let agent = Agent::start_with(settings);
        let mut session = agent.session();
        let library = read(&mut session, "yang-library");
        let netconf = find(library.child("module-set"), "module", "ietf-netconf").clone();
        let found = texts(&netconf, "feature");
        for feature in
            ["candidate", "writable-running", "confirmed-commit", "xpath", "startup", "url"]
        {
            let advertised = session.has(&format!("urn:ietf:params:netconf:capability:{feature}:"));
            assert_eq!(found.iter().any(|own| own == feature), advertised, "{file} {feature}");
        }
        for feature in features {
            assert!(found.iter().any(|own| own == feature), "{file}: {feature} in {found:?}");
        }
    }
}

/// Section 3: datastores with their schema.
#[test]
fn datastores_name_their_schema() {
    let agent = Agent::start();
    let mut session = agent.session();
    let library = read(&mut session, "yang-library");
    let schemas: BTreeSet<String> =
        library.all("schema").filter_map(|schema| schema.value("name")).collect();
    let names: BTreeSet<String> = library
        .all("datastore")
        .map(|datastore| {
            assert!(schemas.contains(&datastore.value("schema").expect("a schema")));
            datastore.child("name").canonical_text()
        })
        .collect();
    for name in ["ds:running", "ds:candidate"] {
        assert!(names.contains(name), "{names:?}");
    }
}

/// Section 2: the content-id is that of hello, stable over restarts, and changes with the modules.
#[test]
fn the_content_id_follows_the_content() {
    let id_of = |session: &mut Session| -> String {
        let library = read(session, "yang-library");
        let id = library.value("content-id").expect("a content-id");
        let parameter = format!("content-id={id}");
        assert!(session.capabilities.iter().any(|own| {
            own.contains(":yang-library:1.1?")
                && own.split(['?', '&']).any(|part| part == parameter)
        }));
        id
    };
    let mut agent = Agent::start();
    let first = id_of(&mut agent.session());
    agent.crash();
    assert_eq!(id_of(&mut agent.session()), first);
    let fewer = Settings { modules: Some(vec!["quorate-test".to_owned()]), ..Settings::default() };
    assert_ne!(id_of(&mut Agent::start_with(fewer).session()), first);
}

/// RFC 7895: modules-state lists the same modules.
#[test]
fn modules_state_lists_the_same_modules() {
    let agent = Agent::start();
    let mut session = agent.session();
    let library = read(&mut session, "yang-library");
    let state = read(&mut session, "modules-state");
    assert!(state.value("module-set-id").is_some_and(|id| !id.is_empty()));
    for (list, conformance) in [("module", "implement"), ("import-only-module", "import")] {
        let names: BTreeSet<(Option<String>, Option<String>)> = library
            .child("module-set")
            .all(list)
            .map(|module| (module.value("name"), module.value("revision")))
            .collect();
        let listed: BTreeSet<(Option<String>, Option<String>)> = state
            .all("module")
            .filter(|module| module.value("conformance-type").as_deref() == Some(conformance))
            .map(|module| {
                (module.value("name"), module.value("revision").filter(|r| !r.is_empty()))
            })
            .collect();
        assert_eq!(names, listed, "{conformance}");
    }
    let old = find(&state, "module", "quorate-test-old");
    assert_eq!(
        find(old, "submodule", "quorate-test-old-part").value("name").as_deref(),
        Some("quorate-test-old-part")
    );
    assert_eq!(old.child("deviation").value("name").as_deref(), Some("quorate-test-deviation"));
}
