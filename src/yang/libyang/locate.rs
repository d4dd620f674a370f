//! A data tree of libyang: parsed, validated, and looked into for where a fault is.

use super::context::Context;
use super::view;
use std::ffi::{CStr, CString};
use std::ptr;
use yang2::ffi;

/// A data tree, owned.
pub(super) struct DataTree<'c> {
    context: &'c Context,
    /// The first top-level node, or null.
    root: *mut ffi::lyd_node,
}

impl<'c> DataTree<'c> {
    pub(super) fn empty(context: &'c Context) -> Self {
        Self { context, root: ptr::null_mut() }
    }

    #[cfg(test)]
    pub(super) fn context(&self) -> &'c Context {
        self.context
    }

    /// The first top-level node, or null.
    #[cfg(test)]
    pub(super) fn root(&self) -> *const ffi::lyd_node {
        self.root
    }

    /// Parses top-level elements. False if they are wrong; the faults are in the context's list.
    pub(super) fn parse(&mut self, xml: &CStr) -> bool {
        self.free();
        // SAFETY: the context is valid, the text ends with NUL and outlives the call, and what is put in place of
        // the root, which is null, is owned from then on.
        let code = unsafe {
            ffi::lyd_parse_data_mem(
                self.context.as_ptr(),
                xml.as_ptr(),
                ffi::LYD_FORMAT::LYD_XML,
                ffi::LYD_PARSE_ONLY | ffi::LYD_PARSE_STRICT,
                0,
                &raw mut self.root,
            )
        };
        code == ffi::LY_ERR::LY_SUCCESS
    }

    /// Validates the tree; implicit nodes are added to it. False if it is invalid; the faults are in the context's
    /// list.
    ///
    /// Each module by itself: all at once, `when` conditions that are left over from one stop libyang at the next.
    pub(super) fn validate(&mut self) -> bool {
        let (mut valid, mut index) = (true, 0);
        loop {
            // SAFETY: the context is valid; the index is where libyang keeps the place in its list.
            let module =
                unsafe { ffi::ly_ctx_get_module_iter(self.context.as_ptr(), &raw mut index) };
            // SAFETY: null at the end, or a module of the context.
            let Some(found) = (unsafe { module.as_ref() }) else { return valid };
            if found.implemented == 0 {
                continue;
            }
            // SAFETY: the tree is owned and of this context; no difference is asked for.
            let code = unsafe {
                ffi::lyd_validate_module(
                    &raw mut self.root,
                    module,
                    ffi::LYD_VALIDATE_NO_STATE | ffi::LYD_VALIDATE_MULTI_ERROR,
                    ptr::null_mut(),
                )
            };
            valid &= code == ffi::LY_ERR::LY_SUCCESS;
        }
    }

    /// Paths of the instances of the node at schema path `parent` (`/module:a/b`) that have fewer than `least`
    /// instances of the node at `child` below, in document order; at most `count`.
    pub(super) fn with_few(
        &self,
        parent: &str,
        child: &str,
        least: u32,
        count: usize,
    ) -> Vec<String> {
        let (Some(parent), Some(child)) = (self.schema_node(parent), self.schema_node(child))
        else {
            return Vec::new();
        };
        let mut paths = Vec::new();
        let mut open: Vec<*const ffi::lyd_node> = vec![self.root];
        while let Some(at) = open.pop() {
            // SAFETY: null, or a node of the tree, which nothing changes meanwhile.
            let Some(node) = (unsafe { at.as_ref() }) else { continue };
            open.push(node.next);
            // SAFETY: a node of the tree.
            let first = unsafe { ffi::lyd_child_no_keys(at) };
            if !ptr::eq(node.schema, parent) {
                open.push(first);
            } else if instances(first, child) < least {
                paths.push(self.path(at));
                if paths.len() == count {
                    break;
                }
            }
        }
        paths
    }

    /// All nodes but keys, each as `path` or `path = value`.
    #[cfg(test)]
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut open: Vec<*const ffi::lyd_node> = vec![self.root];
        while let Some(at) = open.pop() {
            // SAFETY: null, or a node of the tree, which nothing changes meanwhile.
            let Some(node) = (unsafe { at.as_ref() }) else { continue };
            let path = self.path(at);
            // SAFETY: a node of the tree has a schema node, because it was parsed strictly.
            let kind = unsafe { (*node.schema).nodetype };
            if matches!(u32::from(kind), ffi::LYS_LEAF | ffi::LYS_LEAFLIST) {
                // SAFETY: instances of leafs and leaf-lists are such nodes; the text belongs to the value.
                let value = unsafe {
                    let term = &raw const (*at.cast::<ffi::lyd_node_term>()).value;
                    ffi::lyd_value_get_canonical(self.context.as_ptr(), term)
                };
                lines.push(format!("{path} = {}", view::text(self.context, value)));
            } else {
                lines.push(path);
            }
            open.push(node.next);
            // SAFETY: a node of the tree.
            open.push(unsafe { ffi::lyd_child_no_keys(at) });
        }
        lines
    }

    fn schema_node(&self, path: &str) -> Option<*const ffi::lysc_node> {
        let path = CString::new(path).ok()?;
        // SAFETY: the context is valid, and so is the text.
        let node =
            unsafe { ffi::lys_find_path(self.context.as_ptr(), ptr::null(), path.as_ptr(), 0) };
        (!node.is_null()).then_some(node)
    }

    /// The data path of a node of the tree.
    pub(super) fn path(&self, node: *const ffi::lyd_node) -> String {
        // SAFETY: a node of the tree; with no buffer given, the text is allocated.
        let path =
            unsafe { ffi::lyd_path(node, ffi::LYD_PATH_TYPE::LYD_PATH_STD, ptr::null_mut(), 0) };
        let copy = view::text(self.context, path).into_owned();
        // SAFETY: allocated with malloc, or null, and nobody else has it.
        unsafe { ffi::free(path.cast()) };
        copy
    }

    fn free(&mut self) {
        // SAFETY: the tree is owned; null is allowed. Nothing leads to it any more.
        unsafe { ffi::lyd_free_all(self.root) };
        self.root = ptr::null_mut();
    }
}

impl Drop for DataTree<'_> {
    fn drop(&mut self) {
        self.free();
    }
}

/// How many of `first` and its siblings behind it are instances of `schema`.
fn instances(first: *const ffi::lyd_node, schema: *const ffi::lysc_node) -> u32 {
    let mut count = 0_u32;
    let mut at = first;
    // SAFETY: null, or a node of a tree that the caller borrows.
    while let Some(node) = unsafe { at.as_ref() } {
        count = count.saturating_add(u32::from(ptr::eq(node.schema, schema)));
        at = node.next;
    }
    count
}
