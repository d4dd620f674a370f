//! Which models are served: those of the configuration, and those that the agent itself needs.

use super::configuration::Configuration;
use crate::datastore::store::Datastores;
use crate::yang::libyang::{CompileOptions, compile};
use crate::yang::schema::Schema;
use crate::yang::validate::rules::Rules;
use std::path::PathBuf;
use std::sync::Arc;

/// What NETCONF itself is made of: its operations, RFC 6022, RFC 8525 and the deprecated RFC 7895 with it, what their
/// state names, and the cluster.
const OWN_MODULES: [&str; 6] = [
    "ietf-datastores",
    "ietf-netconf",
    "ietf-netconf-monitoring",
    "ietf-yang-library",
    "quorate-netconf",
    "quorate-cluster",
];

/// Modules that are a part of the program.
const SOURCES: [(&str, &str); 2] = [
    ("quorate-netconf", include_str!("../../yang/quorate-netconf.yang")),
    ("quorate-cluster", include_str!("../../yang/quorate-cluster.yang")),
];

/// Where a package puts the standard modules.
const STANDARD_DIR: &str = "/usr/share/quorate/yang";

/// Compiles the models.
///
/// # Errors
/// The first fault, as one line with file, line and reason.
pub(crate) fn load(
    configuration: &Configuration,
    datastores: Datastores,
) -> anyhow::Result<Arc<Schema>> {
    let own = OWN_MODULES.iter().map(|name| ((*name).to_owned(), None));
    let chosen =
        configuration.modules.iter().map(|module| (module.name.clone(), module.revision.clone()));
    let asked = configuration.features.iter().map(|choice| {
        let feature = choice.feature.clone().unwrap_or_else(|| "*".to_owned());
        (choice.module.clone(), feature)
    });
    let features = netconf_features(datastores)
        .into_iter()
        .map(|feature| ("ietf-netconf".to_owned(), feature.to_owned()))
        .chain(asked)
        .collect();
    let mut dirs = configuration.yang_dirs.clone();
    if let Some(missing) = dirs.iter().find(|dir| !dir.is_dir()) {
        anyhow::bail!("the directory for models {} does not exist", missing.display());
    }
    dirs.extend(Some(PathBuf::from(STANDARD_DIR)).filter(|dir| dir.is_dir()));
    let sources = SOURCES.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    let options = CompileOptions { dirs, modules: own.chain(chosen).collect(), features, sources };
    // The last line where libyang itself dies of them.
    let names: Vec<&str> = configuration.modules.iter().map(|module| &*module.name).collect();
    tracing::info!(modules = names.join(" "), "compiling the models");
    let schema = compile(&options)?;
    for constraint in Rules::of(&schema).unbounded(&schema) {
        tracing::debug!(constraint, "what it reads is not known: it is checked with every change");
    }
    Ok(Arc::new(schema))
}

/// The features of ietf-netconf that stand for advertised capabilities: clients compare the two.
fn netconf_features(datastores: Datastores) -> Vec<&'static str> {
    let mut features = vec!["rollback-on-error", "validate", "xpath"];
    if datastores.may_commit() {
        features.extend(["candidate", "confirmed-commit"]);
    }
    if datastores.writable_running() {
        features.push("writable-running");
    }
    features
}
