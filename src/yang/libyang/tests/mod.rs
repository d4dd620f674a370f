//! What compiled schemas hold.

mod judge;

use super::{CompileError, CompileOptions, compile, compile_for_test};
use crate::yang::schema::{
    Choice, Lookup, NacmExtension, Node, NodeId, NodeKind, Order, Schema, Type,
};
use crate::yang::types::ModuleNames;
use std::path::PathBuf;
use std::sync::Arc;

fn options(modules: &[(&str, &str)], features: &[(&str, &str)]) -> CompileOptions {
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
    };
    let is_module = |text: &str| text.starts_with("module");
    CompileOptions {
        dirs: Vec::new(),
        modules: modules
            .iter()
            .filter(|(_, text)| is_module(text))
            .map(|(name, _)| ((*name).to_owned(), None))
            .collect(),
        features: owned(features),
        sources: owned(modules),
    }
}

/// The node at `path` (`module:a/b`), actions and notifications among them.
fn find<'a>(schema: &'a Schema, path: &str) -> (NodeId, &'a Node) {
    let (module, rest) = path.split_once(':').unwrap();
    let mut at = None;
    for name in rest.split('/') {
        let (module, name) = name.split_once('.').unwrap_or((module, name));
        let namespace = schema.module_by_name(module).map(|id| &*schema.module(id).namespace);
        let lookups = match at {
            None => vec![
                schema.child(None, namespace, name),
                schema.rpc(namespace, name),
                schema.notification(namespace, name),
            ],
            Some(parent) => vec![
                schema.child(at, namespace, name),
                schema.action(parent, namespace, name),
                schema.nested_notification(parent, namespace, name),
            ],
        };
        let found = lookups.into_iter().find_map(|lookup| match lookup {
            Lookup::Found(node) => Some(node),
            Lookup::UnknownNamespace | Lookup::UnknownElement => None,
        });
        at = Some(found.unwrap_or_else(|| panic!("{path} has no {name}")));
    }
    (at.unwrap(), schema.node(at.unwrap()))
}

fn names<'a>(schema: &'a Schema, ids: &[NodeId]) -> Vec<&'a str> {
    ids.iter().map(|id| &*schema.node(*id).name).collect()
}

#[test]
fn standard_modules_compile() {
    let modules = [
        "iana-if-type",
        "ietf-interfaces",
        "ietf-ip",
        "ietf-netconf",
        "ietf-netconf-acm",
        "ietf-netconf-monitoring",
        "ietf-routing",
        "ietf-system",
        "ietf-yang-library",
    ];
    let options = CompileOptions {
        dirs: vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/yang/standard"))],
        modules: modules.iter().map(|name| ((*name).to_owned(), None)).collect(),
        features: modules.iter().map(|name| ((*name).to_owned(), "*".to_owned())).collect(),
        sources: Vec::new(),
    };
    let schema = compile(&options).unwrap_or_else(|error| panic!("{error}"));
    for name in modules {
        let module = schema.module(schema.module_by_name(name).unwrap());
        assert!(module.implemented && module.source.contains(&format!("module {name}")));
        assert_eq!(schema.module_by_namespace(&module.namespace), schema.module_by_name(name));
    }
    let modules = schema.modules.iter();
    assert!(
        modules.clone().any(|module| &*module.name == "ietf-inet-types" && !module.implemented)
    );
    // libyang has modules of its own in every context; nobody asked for these.
    assert!(
        modules
            .clone()
            .all(|module| &*module.name != "yang" && &*module.name != "ietf-yang-schema-mount")
    );
    let (_, config) = find(&schema, "ietf-netconf:edit-config/config");
    assert!(matches!(config.kind, NodeKind::Anyxml { .. }));
    let (_, server) = find(&schema, "ietf-system:system/dns-resolver/server");
    assert!(matches!(&server.kind, NodeKind::List(list) if list.order == Order::User));
    let (_, groups) = find(&schema, "ietf-netconf-acm:nacm");
    assert_eq!(groups.nacm, NacmExtension::DefaultDenyAll);
    let (_, restart) = find(&schema, "ietf-system:system-restart");
    assert_eq!(restart.nacm, NacmExtension::DefaultDenyAll);
    let (_, ipv4) = find(&schema, "ietf-interfaces:interfaces/interface/ietf-ip.ipv4");
    assert_eq!(&*schema.module(ipv4.module).name, "ietf-ip");
    let again = compile(&options).unwrap();
    assert_eq!(again.schema_id, schema.schema_id);
}

#[test]
fn all_standard_modules_that_stand_alone_compile() {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/yang/standard"));
    let mut compiled = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let text = std::fs::read_to_string(dir.join(&file)).unwrap();
        if text.lines().any(|line| line.starts_with("submodule")) {
            continue;
        }
        let name = file.trim_end_matches(".yang").to_owned();
        let options = CompileOptions {
            dirs: vec![dir.clone()],
            // ietf-dslite augments ietf-nat, of which an enumeration is empty without features.
            features: [name.as_str(), "ietf-nat"]
                .into_iter()
                .filter(|module| *module == name || name == "ietf-dslite")
                .map(|module| (module.to_owned(), "*".to_owned()))
                .collect(),
            modules: vec![(name, None)],
            sources: Vec::new(),
        };
        compile(&options).unwrap_or_else(|error| panic!("{file}: {error}"));
        compiled += 1;
    }
    assert!(compiled > 50);
}

#[test]
fn nodes_are_numbered_parents_first_and_keys_before_other_children() {
    let schema = compile_for_test(&[(
        "a",
        r#"module a { yang-version 1.1; namespace "urn:a"; prefix a;
        container first { leaf x { type string; }
          list l { key "k2 k1"; leaf v { type string; } leaf k1 { type string; } leaf k2 { type int8; }
            unique "v c/d"; container c { leaf d { type string; } } min-elements 1; max-elements 7; ordered-by user; } }
        leaf-list second { type string; default b; default a; ordered-by user; }
        list keyless { config false; leaf v { type string; } }
        rpc r { input { leaf i { type string; } } output { leaf o { type string; } } }
        notification n { leaf m { type string; } } }"#,
    )]);
    for (at, node) in schema.nodes.iter().enumerate() {
        assert!(node.parent.is_none_or(|parent| usize::try_from(parent.0).unwrap() < at));
        assert!(node.children.is_sorted());
    }
    let (list_id, list) = find(&schema, "a:first/l");
    assert_eq!(names(&schema, &list.children), ["k2", "k1", "v", "c"]);
    let NodeKind::List(facts) = &list.kind else { panic!() };
    assert_eq!(names(&schema, &facts.keys), ["k2", "k1"]);
    assert_eq!(facts.uniques.iter().map(|u| names(&schema, u)).collect::<Vec<_>>(), [["v", "d"]]);
    assert_eq!((facts.min_elements, facts.max_elements, facts.order), (1, Some(7), Order::User));
    let (_, k1) = find(&schema, "a:first/l/k1");
    assert!(matches!(&k1.kind, NodeKind::Leaf(leaf) if leaf.key == Some(1)));
    let (_, keyless) = find(&schema, "a:keyless");
    assert!(matches!(&keyless.kind, NodeKind::List(list) if list.keys.is_empty()));
    let (_, second) = find(&schema, "a:second");
    assert!(
        matches!(&second.kind, NodeKind::LeafList(l) if l.defaults == ["b".into(), "a".into()])
    );
    let (rpc_id, rpc) = find(&schema, "a:r");
    assert_eq!(names(&schema, &rpc.children), ["i"]);
    let NodeKind::Rpc { output } = &rpc.kind else { panic!() };
    assert_eq!(names(&schema, output), ["o"]);
    assert_eq!(schema.node(output[0]).parent, Some(rpc_id));
    assert!(!schema.node(output[0]).config && !schema.node(rpc.children[0]).config);
    assert_eq!(schema.names.notifications.len(), 1);
    assert_eq!(names(&schema, &schema.top), ["first", "second", "keyless"]);
    assert_eq!(schema.path_names(list_id), "/a:first/l");
    assert_eq!(schema.child(None, Some("urn:nothing"), "first"), Lookup::UnknownNamespace);
    assert_eq!(schema.child(None, Some("urn:a"), "r"), Lookup::UnknownElement);
    assert_eq!(schema.child(Some(list_id), None, "k"), Lookup::UnknownElement);
}

#[test]
fn choices_are_facts_about_their_nodes() {
    let schema = compile_for_test(&[(
        "a",
        r#"module a { yang-version 1.1; namespace "urn:a"; prefix a; import ietf-netconf-acm { prefix nacm; }
        container c {
          choice outer { default two; when "../on";
            case one { when "a"; leaf a { type string; when "../b"; }
              choice inner { mandatory true; leaf b { type string; } leaf e { type string; } } }
            case two { nacm:default-deny-all; leaf d { type string; } leaf f { nacm:default-deny-write; type string; } } }
          leaf on { type empty; } } }"#,
    )]);
    let (_, container) = find(&schema, "a:c");
    assert_eq!(names(&schema, &container.children), ["a", "b", "e", "d", "f", "on"]);
    let place = |leaf: &str| -> Vec<(&str, &str)> {
        let (_, node) = find(&schema, &format!("a:c/{leaf}"));
        let choice = |number: u32| -> &Choice { &schema.choices[usize::try_from(number).unwrap()] };
        node.cases
            .iter()
            .map(|of| (choice(of.choice.0), usize::from(of.case)))
            .map(|(choice, case)| (&*choice.name, &*choice.cases[case]))
            .collect()
    };
    assert_eq!(place("a"), [("outer", "one")]);
    assert_eq!(place("b"), [("outer", "one"), ("inner", "b")]);
    assert_eq!(place("on"), []);
    assert_eq!(schema.choices[0].default_case, Some(1));
    assert!(schema.choices[1].mandatory && !schema.choices[0].mandatory);
    let whens = |leaf: &str| -> Vec<(String, u16)> {
        let (_, node) = find(&schema, &format!("a:c/{leaf}"));
        node.whens.iter().map(|when| (when.expression.to_string(), when.context_up)).collect()
    };
    let when = |text: &str, up: u16| (text.to_owned(), up);
    assert_eq!(whens("a"), [when("../b", 0), when("../on", 1), when("a", 1)]);
    assert_eq!(whens("d"), [when("../on", 1)]);
    assert_eq!(whens("on"), []);
    let nacm = |leaf: &str| find(&schema, &format!("a:c/{leaf}")).1.nacm;
    assert_eq!(nacm("d"), NacmExtension::DefaultDenyAll);
    assert_eq!(nacm("f"), NacmExtension::DefaultDenyWrite);
    assert_eq!(nacm("a"), NacmExtension::None);
}

/// A module with a submodule, one that augments it and one that deviates it.
fn family() -> Arc<Schema> {
    compile_for_test(&[
        (
            "base",
            r#"module base { yang-version 1.1; namespace "urn:base"; prefix b; include part;
            feature f; identity root; identity child { base root; }
            grouping g { leaf in-g { type string; must "../b:x = '1'" { error-message "m"; error-app-tag "t"; } } }
            container c { must "x"; leaf x { type string; }
              leaf gone { type string; } leaf changed { type string; default old; }
              leaf featured { if-feature f; type string; } leaf no-feature { if-feature "not f"; type string; }
              action act { input { leaf i { type string; } } } notification note { leaf n { type string; } }
              anydata ad; anyxml ax { mandatory true; } } }"#,
        ),
        (
            "part",
            r#"submodule part { yang-version 1.1; belongs-to base { prefix b; } container from-part { presence "p"; } }"#,
        ),
        (
            "more",
            r#"module more { namespace "urn:more"; prefix m; import base { prefix bb; }
            identity grandchild { base bb:child; }
            augment "/bb:c" { when "bb:x = 'y'"; leaf x { type identityref { base bb:root; } }
              uses bb:g { when "m:x"; } leaf ref { type leafref { path "/bb:c/bb:x"; } } } }"#,
        ),
        (
            "dev",
            r#"module dev { namespace "urn:dev"; prefix d; import base { prefix bb; }
            deviation /bb:c/bb:gone { deviate not-supported; }
            deviation /bb:c/bb:changed { deviate replace { default new; } } }"#,
        ),
    ])
}

#[test]
fn modules_augment_and_deviate_each_other() {
    let schema = family();
    let module = |name: &str| schema.module(schema.module_by_name(name).unwrap());
    let base = module("base");
    assert_eq!(base.deviated_by, ["dev".into()]);
    assert_eq!(base.features, ["f".into()]);
    assert_eq!(base.submodules.len(), 1);
    assert!(base.submodules[0].source.starts_with("submodule part"));
    assert!(base.yang_1_1 && !module("more").yang_1_1);
    let (c_id, c) = find(&schema, "base:c");
    assert_eq!(
        names(&schema, &c.children),
        ["x", "changed", "featured", "ad", "ax", "x", "in-g", "ref"]
    );
    assert_eq!(names(&schema, &c.actions), ["act"]);
    assert_eq!(names(&schema, &c.notifications), ["note"]);
    assert_eq!(c.musts.len(), 1);
    assert!(matches!(
        find(&schema, "base:from-part").1.kind,
        NodeKind::Container { presence: true }
    ));
    let (own, _) = find(&schema, "base:c/x");
    assert_eq!(schema.child(Some(c_id), None, "x"), Lookup::Found(own));
    let (foreign, _) = find(&schema, "base:c/more.x");
    assert_ne!(own, foreign);
    assert_eq!(schema.child_in_module(Some(c_id), "more", "x"), Lookup::Found(foreign));
    assert_eq!(schema.child_in_module(Some(c_id), "more", "y"), Lookup::UnknownElement);
    assert_eq!(schema.child_in_module(Some(c_id), "less", "x"), Lookup::UnknownNamespace);
    let (_, changed) = find(&schema, "base:c/changed");
    assert!(
        matches!(&changed.kind, NodeKind::Leaf(leaf) if leaf.default.as_deref() == Some("new"))
    );
    // One rank for one name in one module, wherever it stands.
    assert_ne!(schema.node(own).digest_rank, schema.node(foreign).digest_rank);
}

#[test]
fn expressions_keep_the_prefixes_of_where_they_were_written() {
    let schema = family();
    let (_, in_g) = find(&schema, "base:c/more.in-g");
    let whens: Vec<_> =
        in_g.whens.iter().map(|when| (&*when.expression, when.context_up)).collect();
    assert_eq!(whens.len(), 2);
    assert!(whens.contains(&("bb:x = 'y'", 1)) && whens.contains(&("m:x", 1)));
    let must = &in_g.musts[0];
    assert_eq!(
        (must.error_message.as_deref(), must.error_app_tag.as_deref()),
        (Some("m"), Some("t"))
    );
    assert_eq!(&*schema.module(must.module).name, "more");
    let prefixes: Vec<_> =
        must.prefixes.iter().map(|(p, id)| (&**p, &*schema.module(*id).name)).collect();
    assert_eq!(prefixes, [("b", "base")]);
    let (reference, _) = find(&schema, "base:c/more.ref");
    let Type::Leafref { path, prefixes, require_instance: true, .. } =
        schema.type_facts(schema.type_of(reference).unwrap())
    else {
        panic!()
    };
    assert_eq!((&**path, prefixes.len()), ("/bb:c/bb:x", 1));
}

#[test]
fn identities_know_all_that_is_derived_from_them() {
    let schema = family();
    let root = schema.find_identity(schema.module_by_name("base").unwrap(), "root").unwrap();
    let derived: Vec<&str> =
        schema.identity(root).derived.iter().map(|id| &*schema.identity(*id).name).collect();
    assert_eq!(derived, ["child", "grandchild"]);
}

#[test]
fn features_are_off_unless_asked_for() {
    let module = r#"module a { namespace "urn:a"; prefix a; feature f; feature g;
        leaf x { if-feature f; type string; } leaf y { if-feature g; type string; }
        leaf e { type enumeration { enum one; } } }"#;
    let top = |features: &[(&str, &str)]| {
        let schema = compile(&options(&[("a", module)], features)).unwrap();
        let shown = names(&schema, &schema.top).join(" ");
        (shown, schema.schema_id)
    };
    let (none, none_id) = top(&[]);
    let (one, one_id) = top(&[("a", "f")]);
    let (all, all_id) = top(&[("a", "*")]);
    assert_eq!([none.as_str(), &one, &all], ["e", "x e", "x y e"]);
    assert!(none_id != one_id && one_id != all_id && none_id != all_id);
}

#[test]
fn what_a_feature_turns_off_is_no_value() {
    let module = r#"module a { yang-version 1.1; namespace "urn:a"; prefix a; feature f;
        identity base; identity off { if-feature f; base base; } identity on { base base; }
        leaf i { type identityref { base base; } }
        leaf e { type enumeration { enum one; enum two { if-feature f; } } }
        leaf b { type bits { bit one; bit two { if-feature f; } } } }"#;
    for (features, accepted) in [(&[][..], false), (&[("a", "f")][..], true)] {
        let schema = compile(&options(&[("a", module)], features)).unwrap();
        for (leaf, value) in [("i", "off"), ("e", "two"), ("b", "two")] {
            let (id, node) = find(&schema, &format!("a:{leaf}"));
            let names = ModuleNames { schema: &schema, default: node.module };
            assert_eq!(schema.canonical(id, value, &names).is_ok(), accepted, "{leaf}");
            assert_eq!(schema.judge.oracle(&format!("/a:{leaf}"), value).is_ok(), accepted);
        }
    }
}

#[test]
fn modules_that_others_need_are_implemented_and_can_have_features() {
    let modules = [
        (
            "user",
            r#"module user { namespace "urn:user"; prefix u; import used { prefix x; }
            augment "/x:c" { leaf own { type string; } } }"#,
        ),
        (
            "used",
            r#"module used { namespace "urn:used"; prefix x; feature f;
            container c { leaf l { if-feature f; type string; } } }"#,
        ),
    ];
    let mut options = options(&modules, &[("used", "f")]);
    options.modules = vec![("user".to_owned(), None)];
    let schema = compile(&options).unwrap();
    let (_, c) = find(&schema, "used:c");
    assert_eq!(names(&schema, &c.children), ["l", "own"]);
    options.features = vec![("absent".to_owned(), "f".to_owned())];
    assert!(compile(&options).is_err());
    options.features = vec![("used".to_owned(), "absent".to_owned())];
    assert!(compile(&options).is_err());
}

#[test]
fn modules_that_libyang_brings_along_have_a_text_too() {
    let module = "module a { namespace 'urn:a'; prefix a; import ietf-inet-types { prefix i; } }";
    let schema = compile(&options(&[("a", module)], &[])).unwrap();
    let names: Vec<&str> = schema.modules.iter().map(|module| &*module.name).collect();
    assert_eq!(names, ["a", "ietf-inet-types"]);
    assert_eq!(&*schema.modules[0].source, module);
    assert!(schema.modules[1].source.starts_with("module ietf-inet-types"));
}

#[test]
fn the_newest_revision_is_taken_unless_one_is_named() {
    let text = |date: &str| {
        format!(
            "module a {{ namespace 'urn:a'; prefix a; revision {date}; leaf l {{ type string; }} }}"
        )
    };
    let (old, new) = (text("2020-01-01"), text("2021-01-01"));
    let mut options = options(&[("a", &old), ("a", &new)], &[]);
    let revision =
        |options: &CompileOptions| compile(options).unwrap().modules[0].revision.to_string();
    assert_eq!(revision(&options), "2021-01-01");
    options.modules = vec![("a".to_owned(), Some("2020-01-01".to_owned()))];
    assert_eq!(revision(&options), "2020-01-01");
    options.modules = vec![("a".to_owned(), Some("2019-01-01".to_owned()))];
    assert!(compile(&options).is_err());
}

#[test]
fn a_bad_model_is_told_in_one_line() {
    let in_a = |body: &str| format!("module a {{\n  namespace 'urn:a';\n  prefix a;\n{body}\n}}");
    for (body, expected) in [
        ("  lef b { type string; }", "a:4: Invalid character sequence \"lef\", expected a keyword"),
        ("  leaf b { type strin; }", "a:4: Referenced type \"strin\" not found (at /a:b)"),
        (
            "  container c { leaf b { type strin; } } list l { key b;\n  leaf b { type string; } }",
            "a: Referenced type \"strin\" not found (at /a:c/b)",
        ),
        ("  import absent { prefix x; }", "a: module \"absent\" was not found"),
        ("  include absent;", "a: module \"absent\" was not found"),
        ("  import broken { prefix x; }", "broken:2: Invalid character sequence \"}\", expected"),
        (
            "  leaf b { type leafref { path '../c'; } }",
            "a:4: Not found node \"c\" in path (at /a:b)",
        ),
        (
            "  leaf b { type string; must 'nothing('; }",
            "a:4: Unknown XPath function \"nothing\" (at /a:b)",
        ),
        (
            "  augment /a:x { leaf y { type string; } }",
            "a:4: Augment target node \"/a:x\" from module \"a\" was not found",
        ),
    ] {
        let (text, broken) = (in_a(body), "module broken {\n leaf }");
        let mut options = options(&[("a", &text), ("broken", broken)], &[]);
        options.modules = vec![("a".to_owned(), None)];
        let error = compile(&options).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(expected), "{body}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let none = CompileOptions { modules: vec![("no-such".to_owned(), None)], ..Default::default() };
    assert_eq!(compile(&none).err().unwrap().to_string(), "module \"no-such\" was not found");
    let nul = CompileOptions { modules: vec![("a\0b".to_owned(), None)], ..Default::default() };
    assert!(matches!(compile(&nul), Err(CompileError { .. })));
}
