//! A server and a view for the tests of requests.

use super::hello::Features;
use super::operation::Datastore;
use super::server::Server;
use super::state::{Counters, LockState, SessionState, Transport, View};
use crate::base::ids::SessionId;
use crate::base::time::WallTime;
use crate::yang::libyang::{CompileOptions, compile};
use crate::yang::schema::{Lookup, NodeId, Schema};
use crate::yang::tree::{Seed, Tree};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub(crate) const ALL_FEATURES: Features =
    Features { candidate: true, startup: true, writable_running: true };
pub(crate) const NO_FEATURES: Features =
    Features { candidate: false, startup: false, writable_running: false };

const OLD: &str = "module t { namespace urn:t; prefix t; revision 2026-01-01; feature f; feature g;
    identity local { base kind; } identity kind;
    container top { leaf name { type string; } leaf unused { type string; }
        list item { key id; unique value; leaf id { type uint8; } leaf value { type string; } } } }";
const NEW: &str = "module u { yang-version 1.1; namespace urn:u; prefix u; include u-sub;
    container other { leaf name { type string; } } }";
const SUBMODULE: &str = "submodule u-sub { yang-version 1.1; belongs-to u { prefix u; }
    revision 2026-02-02; leaf hash { type string; description \"a line\n##\nb\"; } }";

const DEVIATIONS: &str = "module t-deviations { namespace urn:t-deviations; prefix d;
    import t { prefix t; } deviation /t:top/t:unused { deviate not-supported; } }";

/// The standard modules that this room serves, and two of our own.
pub(crate) fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    let compile = || {
        let implemented = [
            "ietf-netconf",
            "ietf-netconf-monitoring",
            "ietf-yang-library",
            "ietf-datastores",
            "quorate-netconf",
            "quorate-cluster",
            "t",
            "t-deviations",
            "u",
        ];
        let features = ["candidate", "confirmed-commit", "rollback-on-error", "validate", "xpath"];
        let netconf = features.map(|name| ("ietf-netconf".to_owned(), name.to_owned()));
        let of_t = ["f", "g"].map(|name| ("t".to_owned(), name.to_owned()));
        let own = include_str!("../../yang/quorate-netconf.yang");
        let cluster = include_str!("../../yang/quorate-cluster.yang");
        let sources = [
            ("quorate-netconf", own),
            ("quorate-cluster", cluster),
            ("t", OLD),
            ("t-deviations", DEVIATIONS),
            ("u", NEW),
            ("u-sub", SUBMODULE),
        ];
        let options = CompileOptions {
            dirs: vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/yang/standard"))],
            modules: implemented.map(|name| (name.to_owned(), None)).to_vec(),
            features: netconf.into_iter().chain(of_t).collect(),
            sources: sources.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec(),
        };
        Arc::new(compile(&options).unwrap_or_else(|error| panic!("{error}")))
    };
    Arc::clone(SCHEMA.get_or_init(compile))
}

pub(crate) fn server(features: Features) -> Arc<Server> {
    Server::new(schema(), features, WallTime(1_795_269_599_000))
}

/// One session over SSH that has locked running.
pub(crate) fn view() -> View {
    let session = SessionState {
        id: SessionId(7),
        transport: Transport::Ssh,
        user: "admin".to_owned(),
        source_host: Some("192.0.2.1".to_owned()),
        login_time: WallTime(0),
        counters: Arc::new(Counters::default()),
    };
    let lock = LockState {
        datastore: Datastore::Running,
        session: SessionId(7),
        locked_time: WallTime(951_782_400_000),
    };
    View {
        running: Tree::empty(Seed::default()),
        candidate: Some(Tree::empty(Seed::default())),
        startup: None,
        sessions: Arc::new(vec![session]),
        locks: vec![lock],
        cluster: Arc::default(),
    }
}

/// The node of module `t` that these names lead to.
pub(crate) fn node(names: &[&str]) -> NodeId {
    let schema = schema();
    let mut node = None;
    for name in names {
        match schema.child(node, Some("urn:t"), name) {
            Lookup::Found(id) => node = Some(id),
            Lookup::UnknownNamespace | Lookup::UnknownElement => panic!("{name}"),
        }
    }
    node.unwrap()
}
