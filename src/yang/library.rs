//! The schema as it describes itself: what yang-library (RFC 8525, RFC 7895), netconf-state/schemas and get-schema
//! (RFC 6022) tell of it.

use super::schema::{Module, Schema};
use std::sync::Arc;

/// A module or submodule as a text that can be fetched.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) name: &'a str,
    /// Empty if it states none: that is its `version` in netconf-state too.
    pub(crate) revision: &'a str,
    /// A submodule's is that of its module.
    pub(crate) namespace: &'a str,
    pub(crate) source: &'a Arc<str>,
}

impl Schema {
    /// Every module and submodule, import-only ones too: managers fetch each import by get-schema.
    ///
    /// Each (name, revision) comes once.
    pub(crate) fn documents(&self) -> impl Iterator<Item = Document<'_>> {
        self.modules.iter().flat_map(|module| {
            let namespace = &*module.namespace;
            let own = Document {
                name: &module.name,
                revision: &module.revision,
                namespace,
                source: &module.source,
            };
            let parts = module.submodules.iter().map(move |submodule| Document {
                name: &submodule.name,
                revision: &submodule.revision,
                namespace,
                source: &submodule.source,
            });
            std::iter::once(own).chain(parts)
        })
    }

    /// The documents that get-schema's `identifier` and `version` name (RFC 6022, 3.1): none is `invalid-value`,
    /// several are `operation-failed` with `data-not-unique`. Without a version, any revision; an empty one names
    /// the document that states no revision.
    pub(crate) fn documents_named<'a>(
        &'a self,
        identifier: &str,
        version: Option<&str>,
    ) -> Vec<Document<'a>> {
        self.documents()
            .filter(|document| document.name == identifier)
            .filter(|document| version.is_none_or(|version| document.revision == version))
            .collect()
    }

    /// yang-library's `content-id` and `module-set-id`, and what the nodes of a cluster must agree on.
    pub(crate) fn content_id(&self) -> String {
        self.schema_id.to_string()
    }

    /// The modules whose capability a hello lists (RFC 7950, 5.6.4): implemented and of YANG 1.
    pub(crate) fn hello_modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().filter(|module| module.implemented && !module.yang_1_1)
    }
}

#[cfg(test)]
mod tests {
    use crate::yang::libyang::compile_for_test;

    #[test]
    fn every_text_can_be_fetched_by_name_and_version() {
        let schema = compile_for_test(&[
            (
                "a",
                "module a { yang-version 1.1; namespace 'urn:a'; prefix a; include s; \
                 import ietf-inet-types { prefix inet; } revision 2026-01-01; }",
            ),
            ("s", "submodule s { yang-version 1.1; belongs-to a { prefix a; } }"),
            ("b", "module b { namespace 'urn:b'; prefix b; }"),
        ]);
        let found = |identifier, version| -> Vec<(String, String)> {
            schema
                .documents_named(identifier, version)
                .into_iter()
                .map(|document| (document.namespace.to_owned(), document.revision.to_owned()))
                .collect()
        };
        let a = ("urn:a".to_owned(), "2026-01-01".to_owned());
        let unversioned = |namespace: &str| (namespace.to_owned(), String::new());
        assert_eq!(found("a", None), vec![a.clone()]);
        assert_eq!(found("a", Some("2026-01-01")), [a]);
        assert_eq!(found("a", Some("")), []);
        assert_eq!(found("s", Some("")), [unversioned("urn:a")]);
        assert_eq!(found("b", None), [unversioned("urn:b")]);
        assert_eq!(found("nothing", None), []);
        let import = schema.documents_named("ietf-inet-types", None);
        assert!(import[0].source.contains("module ietf-inet-types"));
        let hello: Vec<&str> = schema.hello_modules().map(|module| &*module.name).collect();
        assert_eq!(hello, ["b"]);
        assert_eq!(schema.content_id().len(), 64);
    }
}
