//! The judge: libyang's type code, and its validation of whole configurations.

use super::context::Context;
use super::view::NodeView;
use super::view_types::TypeView;
use yang2::ffi;
#[cfg(test)]
use {
    super::faults,
    super::locate::DataTree,
    crate::base::limits::VALIDATION_ERRORS_MAX,
    crate::yang::error::{DataError, DataErrorKind},
    crate::yang::schema::Schema,
    std::ffi::CString,
};

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

#[cfg(test)]
impl Schema {
    /// Validates the whole content of a datastore by libyang (RFC 7950, 8.3.3): `xml` is a sequence of top-level
    /// elements, keys first among a list entry's children. Any number of threads may do so at a time.
    ///
    /// anydata and anyxml should be written as empty elements: no rule reads their content, while libyang refuses
    /// mixed content in it and more than 500 levels.
    ///
    /// # Errors
    /// What is wrong, as section 15 has it: everything that libyang finds, up to `VALIDATION_ERRORS_MAX`, in its
    /// order. Never empty.
    pub(crate) fn validate(&self, xml: &[u8]) -> Result<(), Vec<DataError>> {
        let general = |message: &str| vec![DataError::new(DataErrorKind::OperationFailed, message)];
        let Ok(text) = CString::new(xml) else {
            return Err(general("a NUL character is not allowed"));
        };
        let context = self.judge.context();
        context.clear_faults();
        let mut tree = DataTree::empty(context);
        let parsed = xml.iter().all(u8::is_ascii_whitespace) || tree.parse(&text);
        let valid = parsed && tree.validate();
        let faults = context.take_faults();
        if valid {
            return Ok(());
        }
        let mut errors = if parsed {
            faults::of_validation(self, &tree, &faults)
        } else {
            faults.iter().map(|fault| faults::of_parsing(self, fault)).collect()
        };
        errors.truncate(VALIDATION_ERRORS_MAX);
        Err(if errors.is_empty() { general("libyang gave no reason") } else { errors })
    }

    /// All nodes but keys of valid content, with what is there by default (RFC 6243, report-all), each as `path` or
    /// `path = value`. Panics if it is not valid.
    pub(crate) fn report_all(&self, xml: &[u8]) -> Vec<String> {
        let mut tree = DataTree::empty(self.judge.context());
        let text = CString::new(xml).unwrap_or_default();
        let parsed = xml.iter().all(u8::is_ascii_whitespace) || tree.parse(&text);
        assert!(parsed && tree.validate(), "valid content");
        tree.lines()
    }
}
