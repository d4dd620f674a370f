//! The judge: libyang's type code and full validation.

use super::context::Context;
use super::view::{NodeView, TypeView};
use yang2::ffi;

/// Full validation and foreign types.
#[derive(Debug)]
pub(crate) struct Judge {
    context: Context,
    handles: Vec<Handle>,
}

/// A type that only libyang's code knows, and a node that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle {
    type_: *const ffi::lysc_type,
    node: *const ffi::lysc_node,
}

// SAFETY: the pointers lead into the context that the judge owns beside them; see `Context` for why that may be
// sent and shared.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(super) fn new(type_: TypeView<'_>, node: NodeView<'_>) -> Self {
        Self { type_: type_.as_ptr(), node: node.as_ptr() }
    }
}

impl Judge {
    /// `handles` are of `context`.
    pub(super) fn new(context: Context, handles: Vec<Handle>) -> Self {
        Self { context, handles }
    }
}
