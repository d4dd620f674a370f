//! What all sessions of a server share.

use super::hello::{self, Features};
use super::state::Statistics;
use super::{library, monitoring};
use crate::base::time::WallTime;
use crate::yang::schema::Schema;
use crate::yang::tree::Container;
use std::sync::Arc;

/// The facts that a session speaks from; they stay the same as long as the schema does.
pub(crate) struct Server {
    pub(crate) schema: Arc<Schema>,
    pub(crate) features: Features,
    /// What a `<hello>` lists.
    pub(crate) capabilities: Vec<String>,
    pub(crate) statistics: Statistics,
    /// Operational state that never changes: the YANG library, and what of `netconf-state` follows from the schema.
    pub(super) fixed_state: Container,
}

impl Server {
    /// A server of these models that is started now. It makes what follows from the schema once for all sessions.
    pub(crate) fn new(schema: Arc<Schema>, features: Features, start_time: WallTime) -> Arc<Self> {
        let capabilities = hello::capabilities(&schema, features);
        let mut fixed_state = Container::default();
        library::build(&schema, features, &mut fixed_state);
        monitoring::build_static(&schema, &capabilities, &mut fixed_state);
        let statistics = Statistics::new(start_time);
        Arc::new(Self { schema, features, capabilities, statistics, fixed_state })
    }
}
