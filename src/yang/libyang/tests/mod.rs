//! What compiled schemas hold.

mod judge;

use super::{CompileOptions, compile, compile_for_test};
use crate::yang::schema::{NodeKind, Schema};
use std::path::PathBuf;

fn standard(modules: &[&str]) -> Schema {
    let options = CompileOptions {
        dirs: vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/yang/standard"))],
        modules: modules.iter().map(|name| ((*name).to_owned(), None)).collect(),
        features: modules.iter().map(|name| ((*name).to_owned(), "*".to_owned())).collect(),
        sources: Vec::new(),
    };
    compile(&options).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn standard_modules_compile() {
    let schema = standard(&[
        "iana-if-type",
        "ietf-interfaces",
        "ietf-ip",
        "ietf-netconf",
        "ietf-netconf-acm",
        "ietf-netconf-monitoring",
        "ietf-routing",
        "ietf-system",
        "ietf-yang-library",
    ]);
    eprintln!(
        "{} modules {} nodes {} types {} identities",
        schema.modules.len(),
        schema.nodes.len(),
        schema.types.len(),
        schema.identities.len()
    );
    for m in &schema.modules {
        eprintln!(
            "{}@{} {} {:?} {}",
            m.name,
            m.revision,
            m.implemented,
            m.features,
            m.source.len()
        );
    }
}
#[test]
fn bad() {
    for text in [
        "module a { namespace 'urn:a'; prefix a;\n leaf b { type strin; }\n}",
        "module a { namespace 'urn:a'; prefix a;\n lef b { type string; }\n}",
        "module a { namespace 'urn:a'; prefix a; import nono { prefix n; }}",
        "module a { namespace 'urn:a'; prefix a; import bb { prefix n; }}",
        "module a { namespace 'urn:a'; prefix a; include sub;}",
        "module a { namespace 'urn:a'; prefix a; leaf x {type leafref {path '../y';}}}",
        "module b { namespace 'urn:a'; prefix a; leaf x {type leafref {path '../y';}}}",
        "module a { yang-version 1.1; namespace 'urn:a'; prefix a; leaf x {type string; must \"foo(\";}}",
        "module a { namespace 'urn:a'; prefix a; augment /a:x { leaf t {type string;} }}",
        "",
    ] {
        let o = CompileOptions {
            dirs: vec![],
            modules: vec![("a".into(), None)],
            features: vec![("a".into(), "*".into())],
            sources: vec![
                ("a".into(), text.into()),
                ("bb".into(), "module bb { prefix b;\n namespace c;\n leaf }".into()),
            ],
        };
        match compile(&o) {
            Ok(_) => eprintln!("OK?? {text}"),
            Err(e) => eprintln!("{e}"),
        }
    }
}
