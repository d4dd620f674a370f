//! The judge: libyang's type code and full validation.

use super::context::Context;
use super::view::NodeView;
use super::view_types::TypeView;
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

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// The type behind a handle, and a node that has it.
    pub(super) fn type_of_handle(
        &self,
        handle: super::TypeHandle,
    ) -> Option<(*const ffi::lysc_type, *const ffi::lysc_node)> {
        let handle = self.handles.get(usize::try_from(handle.0).ok()?)?;
        Some((handle.type_, handle.node))
    }
}
