//! `netconf-state` (RFC 6022): what the server can do, who is connected, who holds locks.

use super::grow::Grow;
use super::operation::Datastore;
use super::server::Server;
use super::state::{Counters, LockState, SessionState, Transport, View};
use crate::yang::schema::{Lookup, NodeId, Schema};
use crate::yang::tree::Container;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The module of `netconf-state` and `get-schema`.
pub(super) const MODULE: &str = "ietf-netconf-monitoring";
/// Its namespace.
pub(super) const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
/// Its top-level container.
const STATE: &str = "netconf-state";
/// The one format of schemas that we give.
const FORMAT_YANG: &str = "ietf-netconf-monitoring:yang";
/// The identity of the local socket, which RFC 6022 does not know: of our own module, where that is implemented.
const LOCAL_MODULE: &str = "quorate-netconf";
const LOCAL_IDENTITY: &str = "local-socket";

/// Puts the part of `netconf-state` that never changes into `root`, as far as the schema has it.
pub(super) fn build_static(schema: &Schema, capabilities: &[String], root: &mut Container) {
    if let Some(mut state) = Grow::top(schema, MODULE, STATE) {
        state.container("capabilities", |entry| {
            entry.leaf_list("capability", capabilities.iter().map(String::as_str));
        });
        state.container("schemas", |schemas| {
            schemas.list("schema", all_schemas(schema), |entry, one| {
                entry.leaf("identifier", one.name).leaf("version", one.revision);
                entry.leaf("format", FORMAT_YANG).leaf("namespace", one.namespace);
                entry.leaf_list("location", ["NETCONF"]);
            });
        });
        state.finish(root);
    }
}

/// A module or submodule that can be fetched.
#[derive(Clone, Copy)]
pub(super) struct OneSchema<'s> {
    pub(super) name: &'s str,
    /// Empty if it states none.
    pub(super) revision: &'s str,
    namespace: &'s str,
    pub(super) source: &'s Arc<str>,
}

/// Every module and submodule, imported ones included: clients fetch whatever an import names.
pub(super) fn all_schemas(schema: &Schema) -> impl Iterator<Item = OneSchema<'_>> {
    schema.modules.iter().flat_map(|module| {
        let one = |name, revision, source| OneSchema {
            name,
            revision,
            namespace: &module.namespace,
            source,
        };
        let submodules = module.submodules.iter();
        let submodules = submodules.map(move |part| one(&part.name, &part.revision, &part.source));
        std::iter::once(one(&module.name, &module.revision, &module.source)).chain(submodules)
    })
}

/// The number of `netconf-state`, if it is implemented.
pub(super) fn node(schema: &Schema) -> Option<NodeId> {
    match schema.child_in_module(None, MODULE, STATE) {
        Lookup::Found(node) => Some(node),
        Lookup::UnknownNamespace | Lookup::UnknownElement => None,
    }
}

/// Adds what changes (locks, sessions, statistics) to the `netconf-state` that `build_static` made in `root`.
pub(super) fn add_current(server: &Server, view: &View, root: &mut Container) {
    let schema = &*server.schema;
    let Some(mut state) = Grow::top_of(schema, MODULE, STATE, root) else { return };
    state.container("datastores", |datastores| {
        datastores.list("datastore", server.features.datastores(), |entry, (datastore, name)| {
            entry.leaf("name", name);
            entry.container("locks", |locks| {
                locks.container("global-lock", |lock| global_lock(lock, datastore, &view.locks));
            });
        });
    });
    state.container("sessions", |sessions| {
        sessions.list("session", view.sessions.iter(), |entry, one| session(schema, entry, one));
    });
    state.container("statistics", |entry| {
        let statistics = &server.statistics;
        entry.leaf("netconf-start-time", statistics.start_time.date_and_time());
        entry.leaf("in-bad-hellos", text(&statistics.in_bad_hellos));
        entry.leaf("in-sessions", text(&statistics.in_sessions));
        entry.leaf("dropped-sessions", text(&statistics.dropped_sessions));
        counters(entry, &statistics.counters);
    });
    state.finish(root);
}

fn global_lock(entry: &mut Grow<'_>, datastore: Datastore, locks: &[LockState]) {
    if let Some(lock) = locks.iter().find(|lock| lock.datastore == datastore) {
        entry.leaf("locked-by-session", lock.session.to_string());
        entry.leaf("locked-time", lock.locked_time.date_and_time());
    }
}

fn session(schema: &Schema, entry: &mut Grow<'_>, session: &SessionState) {
    entry.leaf("session-id", session.id.to_string());
    entry.leaf_if("transport", transport(schema, session.transport));
    entry.leaf("username", &session.user);
    entry.leaf_if("source-host", session.source_host.as_deref());
    entry.leaf("login-time", session.login_time.date_and_time());
    counters(entry, &session.counters);
}

/// The identity of a transport; `None` if no module that is implemented has it.
fn transport(schema: &Schema, transport: Transport) -> Option<String> {
    let (module, name) = match transport {
        Transport::Ssh => (MODULE, "netconf-ssh"),
        Transport::Unix => (LOCAL_MODULE, LOCAL_IDENTITY),
    };
    let there = schema
        .identities
        .iter()
        .any(|identity| *identity.name == *name && *schema.module(identity.module).name == *module);
    there.then(|| format!("{module}:{name}"))
}

fn counters(entry: &mut Grow<'_>, counters: &Counters) {
    entry.leaf("in-rpcs", text(&counters.in_rpcs));
    entry.leaf("in-bad-rpcs", text(&counters.in_bad_rpcs));
    entry.leaf("out-rpc-errors", text(&counters.out_rpc_errors));
    entry.leaf("out-notifications", text(&counters.out_notifications));
}

fn text(counter: &AtomicU32) -> String {
    counter.load(Ordering::Relaxed).to_string()
}
