//! The YANG library: `yang-library` (RFC 8525) and the deprecated `modules-state` (RFC 7895), which clients still read.

use super::grow::Grow;
use super::hello::Features;
use crate::yang::schema::{Schema, Submodule};
use crate::yang::tree::Container;

/// The module of both trees.
pub(super) const MODULE: &str = "ietf-yang-library";

/// The name of our one module set and of our one datastore schema.
const COMPLETE: &str = "complete";

/// Puts both trees into `root`, as far as the schema has them.
pub(super) fn build(schema: &Schema, features: Features, root: &mut Container) {
    if let Some(mut library) = Grow::top(schema, MODULE, "yang-library") {
        yang_library(schema, features, &mut library);
        library.finish(root);
    }
    if let Some(mut state) = Grow::top(schema, MODULE, "modules-state") {
        modules_state(schema, &mut state);
        state.finish(root);
    }
}

fn yang_library(schema: &Schema, features: Features, library: &mut Grow<'_>) {
    library.list("module-set", [COMPLETE], |set, name| {
        set.leaf("name", name);
        let implemented = schema.modules.iter().filter(|module| module.implemented);
        set.list("module", implemented, |entry, module| {
            entry.leaf("name", &module.name);
            entry.leaf_if("revision", stated(&module.revision));
            entry.leaf("namespace", &module.namespace);
            entry.list("submodule", &module.submodules, |entry, submodule| {
                submodule_leafs(entry, submodule);
            });
            entry.leaf_list("feature", texts(&module.features));
            entry.leaf_list("deviation", texts(&module.deviated_by));
        });
        let imported = schema.modules.iter().filter(|module| !module.implemented);
        set.list("import-only-module", imported, |entry, module| {
            entry.leaf("name", &module.name);
            entry.leaf("revision", &module.revision);
            entry.leaf("namespace", &module.namespace);
            entry.list("submodule", &module.submodules, |entry, submodule| {
                submodule_leafs(entry, submodule);
            });
        });
    });
    library.list("schema", [COMPLETE], |entry, name| {
        entry.leaf("name", name).leaf_list("module-set", [COMPLETE]);
    });
    library.list("datastore", datastores(schema, features), |entry, name| {
        entry.leaf("name", name).leaf("schema", COMPLETE);
    });
    library.leaf("content-id", schema.schema_id.to_string());
}

fn submodule_leafs(entry: &mut Grow<'_>, submodule: &Submodule) {
    entry.leaf("name", &submodule.name);
    entry.leaf_if("revision", stated(&submodule.revision));
}

/// The datastores that can be named in requests (RFC 8342). `operational` can be, where RFC 8526 is implemented.
fn datastores(schema: &Schema, features: Features) -> Vec<&'static str> {
    let nmda = schema.module_by_name("ietf-netconf-nmda").is_some();
    [
        (true, "ietf-datastores:running"),
        (features.candidate, "ietf-datastores:candidate"),
        (features.startup, "ietf-datastores:startup"),
        (nmda, "ietf-datastores:operational"),
    ]
    .into_iter()
    .filter_map(|(there, name)| there.then_some(name))
    .collect()
}

fn modules_state(schema: &Schema, state: &mut Grow<'_>) {
    state.leaf("module-set-id", schema.schema_id.to_string());
    state.list("module", &schema.modules, |entry, module| {
        entry.leaf("name", &module.name);
        entry.leaf("revision", &module.revision);
        entry.leaf("namespace", &module.namespace);
        entry.leaf_list("feature", texts(&module.features));
        entry.list("deviation", &module.deviated_by, |entry, name| {
            entry.leaf("name", name);
            entry.leaf("revision", implemented_revision(schema, name));
        });
        entry.leaf("conformance-type", if module.implemented { "implement" } else { "import" });
        entry.list("submodule", &module.submodules, |entry, submodule| {
            entry.leaf("name", &submodule.name).leaf("revision", &submodule.revision);
        });
    });
}

/// The revision of the implemented module `name`; empty if it states none.
fn implemented_revision<'s>(schema: &'s Schema, name: &str) -> &'s str {
    schema.module_by_name(name).map_or("", |id| &schema.module(id).revision)
}

fn stated(revision: &str) -> Option<&str> {
    (!revision.is_empty()).then_some(revision)
}

fn texts(values: &[Box<str>]) -> impl Iterator<Item = &str> {
    values.iter().map(|value| &**value)
}
