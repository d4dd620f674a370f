//! The `<hello>` of both sides (RFC 6241, 8.1): which capabilities there are, and how they are written.

use super::operation::Datastore;
use crate::yang::schema::{Module, Schema};

/// What can be switched on and off. The rest is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features {
    /// :candidate, and with it :confirmed-commit.
    pub(crate) candidate: bool,
    /// :startup.
    pub(crate) startup: bool,
    /// :writable-running.
    pub(crate) writable_running: bool,
}

impl Features {
    /// The datastores that there are, with their elements' names.
    pub(crate) fn datastores(self) -> impl Iterator<Item = (Datastore, &'static str)> {
        let all = [
            (true, Datastore::Running, "running"),
            (self.candidate, Datastore::Candidate, "candidate"),
            (self.startup, Datastore::Startup, "startup"),
        ];
        all.into_iter().filter_map(|(there, datastore, name)| there.then_some((datastore, name)))
    }
}

/// The capability of NETCONF 1.0, in other words of `]]>]]>`.
const BASE_1_0: &str = "urn:ietf:params:netconf:base:1.0";
/// The capability of NETCONF 1.1, in other words of chunked framing.
const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";

/// Every capability in the order in which a `<hello>` lists them: the protocol's, the YANG library (RFC 7950, 5.6.4;
/// RFC 8526, 2), then the modules of YANG version 1 (RFC 6020, 5.6.4).
pub(crate) fn capabilities(schema: &Schema, features: Features) -> Vec<String> {
    let standard = [
        (features.writable_running, "writable-running:1.0"),
        (features.candidate, "candidate:1.0"),
        (features.candidate, "confirmed-commit:1.0"),
        (features.candidate, "confirmed-commit:1.1"),
        (true, "rollback-on-error:1.0"),
        (true, "validate:1.0"),
        (true, "validate:1.1"),
        (features.startup, "startup:1.0"),
    ];
    let standard = standard.into_iter().filter(|(there, _)| *there);
    let standard = standard.map(|(_, name)| format!("urn:ietf:params:netconf:capability:{name}"));
    let implemented = || schema.modules.iter().filter(|module| module.implemented);
    let library = implemented().find(|module| *module.name == *super::library::MODULE);
    [BASE_1_0.to_owned(), BASE_1_1.to_owned()]
        .into_iter()
        .chain(standard)
        .chain(library.into_iter().flat_map(|module| yang_library(schema, module)))
        .chain(implemented().filter(|module| !module.yang_1_1).map(module_uri))
        .collect()
}

/// Both capabilities of the YANG library, as far as the module's revision has their trees.
fn yang_library(schema: &Schema, module: &Module) -> impl Iterator<Item = String> {
    let (revision, id) = (module.revision.to_string(), schema.schema_id);
    let rfc_8525 = *revision >= *"2019-01-04";
    let base = "urn:ietf:params:netconf:capability:yang-library";
    let old = format!("{base}:1.0?revision={revision}&module-set-id={id}");
    let new = rfc_8525.then(|| format!("{base}:1.1?revision={revision}&content-id={id}"));
    std::iter::once(old).chain(new)
}

/// A module's capability (RFC 6020, 5.6.4).
fn module_uri(module: &Module) -> String {
    let mut uri = format!("{}?module={}", module.namespace, module.name);
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            uri.extend(["&", name, "=", value]);
        }
    };
    add("revision", &module.revision);
    add("features", &module.features.join(","));
    add("deviations", &module.deviated_by.join(","));
    uri
}
