//! A libyang context: owning it, filling it, and what it says when something is wrong.

use super::sources::Sources;
use super::view::{self, ModuleView};
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::Once;
use yang2::context::{Context as YangContext, ContextFlags};
use yang2::ffi;

/// libyang's context, owned.
///
/// Invariant: once `compile` of the room has made a `Schema` of it, nothing changes it any more.
pub(super) struct Context {
    raw: *mut ffi::ly_ctx,
}

// SAFETY: a context belongs to no thread; what libyang keeps per thread (the list of errors) is keyed by thread in it.
unsafe impl Send for Context {}
// SAFETY: libyang allows the use of a context from several threads while its modules do not change (howtoContext in
// context.h), which the invariant of `Context` says. Its dictionary and its table of errors have locks of their own.
// The one thing that is computed late in shared memory, canonical texts of default values, is computed by the
// compiling thread (`NodeView::defaults`).
unsafe impl Sync for Context {}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

/// An entry of libyang's list of errors.
#[derive(Debug, Clone, Default)]
pub(super) struct Fault {
    pub(super) message: String,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the judge's faults are read by tests alone")
    )]
    pub(super) data_path: Option<String>,
    pub(super) schema_path: Option<String>,
    pub(super) line: u64,
    pub(super) app_tag: Option<String>,
}

/// Modules are found by `Sources` alone and compiled together; yang-library is a module like others; modules that
/// `must`, `when` and defaults refer to are implemented too (RFC 7950, 5.6.5).
const OPTIONS: u32 = ffi::LY_CTX_NO_YANGLIBRARY
    | ffi::LY_CTX_DISABLE_SEARCHDIRS
    | ffi::LY_CTX_REF_IMPLEMENTED
    | ffi::LY_CTX_EXPLICIT_COMPILE;

impl Context {
    /// A context without modules but libyang's own.
    pub(super) fn new() -> Option<Self> {
        static LOGGING: Once = Once::new();
        let options = u16::try_from(OPTIONS).ok()?;
        let context = YangContext::new(ContextFlags::from_bits_retain(options)).ok()?;
        // After `new`, which sets logging options of its own the first time.
        LOGGING.call_once(|| {
            // SAFETY: both set a number. Errors are kept in lists and printed nowhere; warnings are not made.
            unsafe {
                ffi::ly_log_options(ffi::LY_LOSTORE);
                ffi::ly_log_level(ffi::LY_LOG_LEVEL::LY_LLERR);
            }
        });
        Some(Self { raw: context.into_raw() })
    }

    pub(super) fn as_ptr(&self) -> *mut ffi::ly_ctx {
        self.raw
    }

    /// Reads and implements a module with the given features (`*` is all) from `sources`, with all that it imports.
    pub(super) fn load(
        &mut self,
        sources: &mut Sources,
        name: &str,
        revision: Option<&str>,
        features: &[&str],
    ) -> Result<(), Vec<Fault>> {
        let name = c_string(name)?;
        let revision = revision.map(c_string).transpose()?;
        let features = FeatureNames::new(features)?;
        self.with_sources(sources, |raw| {
            let revision = revision.as_ref().map_or(ptr::null(), |revision| revision.as_ptr());
            // SAFETY: the context is valid and borrowed mutably; the strings and the array, which ends with null,
            // outlive the call.
            let module =
                unsafe { ffi::ly_ctx_load_module(raw, name.as_ptr(), revision, features.as_ptr()) };
            !module.is_null()
        })
    }

    /// Compiles all that was loaded and not compiled yet.
    pub(super) fn compile(&mut self, sources: &mut Sources) -> Result<(), Vec<Fault>> {
        self.with_sources(sources, |raw| {
            // SAFETY: the context is valid and borrowed mutably.
            unsafe { ffi::ly_ctx_compile(raw) == ffi::LY_ERR::LY_SUCCESS }
        })
    }

    /// Does `step` while libyang can ask `sources` for modules; the errors that it left if it was not done.
    fn with_sources(
        &mut self,
        sources: &mut Sources,
        step: impl FnOnce(*mut ffi::ly_ctx) -> bool,
    ) -> Result<(), Vec<Fault>> {
        self.clear_faults();
        let user_data = ptr::from_mut(sources).cast();
        // SAFETY: the callback gets `sources` back, which is borrowed mutably and not used by anyone else until the
        // callback is taken away again below.
        unsafe { ffi::ly_ctx_set_module_imp_clb(self.raw, Some(import), user_data) };
        let done = step(self.raw);
        // SAFETY: as above.
        unsafe { ffi::ly_ctx_set_module_imp_clb(self.raw, None, ptr::null_mut()) };
        let faults = self.take_faults();
        if done { Ok(()) } else { Err(faults) }
    }

    /// A module or its submodule `name`, printed by libyang.
    pub(super) fn print_module(&self, module: ModuleView<'_>, name: &str) -> Option<String> {
        if *module.name() != *name {
            return None;
        }
        let mut printed: *mut c_char = ptr::null_mut();
        // SAFETY: the module is of this context; libyang allocates the text and puts it where it is told to.
        let code = unsafe {
            ffi::lys_print_mem(
                &raw mut printed,
                module.as_ptr(),
                ffi::LYS_OUTFORMAT::LYS_OUT_YANG,
                0,
            )
        };
        if code != ffi::LY_ERR::LY_SUCCESS || printed.is_null() {
            return None;
        }
        let text = view::text(self, printed).into_owned();
        // SAFETY: the text was allocated with malloc and nobody else has it.
        unsafe { ffi::free(printed.cast()) };
        Some(text)
    }

    /// Forgets this thread's errors.
    pub(super) fn clear_faults(&self) {
        // SAFETY: the context is valid; null is all errors of this thread.
        unsafe { ffi::ly_err_clean(self.raw, ptr::null_mut()) };
    }

    /// This thread's errors, oldest first. They are forgotten.
    pub(super) fn take_faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // SAFETY: the context is valid.
        let mut item = unsafe { ffi::ly_err_first(self.raw) };
        // SAFETY: null, or an item of this thread's list, which nobody else changes.
        while let Some(found) = unsafe { item.as_ref() } {
            if found.level == ffi::LY_LOG_LEVEL::LY_LLERR {
                faults.push(self.fault(found));
            }
            item = found.next;
        }
        self.clear_faults();
        faults
    }

    /// An error item in our terms.
    pub(super) fn fault(&self, item: &ffi::ly_err_item) -> Fault {
        let optional = |pointer: *const c_char| {
            (!pointer.is_null()).then(|| view::text(self, pointer).into_owned())
        };
        Fault {
            message: view::text(self, item.msg).into_owned(),
            data_path: optional(item.data_path),
            schema_path: optional(item.schema_path),
            line: item.line,
            app_tag: optional(item.apptag),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is owned, and whoever looked into it borrowed it.
        unsafe { ffi::ly_ctx_destroy(self.raw) };
    }
}

/// A C string, or the fault that it cannot be one.
fn c_string(text: &str) -> Result<CString, Vec<Fault>> {
    CString::new(text).map_err(|error| {
        vec![Fault { message: format!("invalid name: {error}"), ..Fault::default() }]
    })
}

/// Names of features as libyang takes them: an array of strings that ends with null.
struct FeatureNames {
    /// What `pointers` lead to.
    _names: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl FeatureNames {
    fn new(features: &[&str]) -> Result<Self, Vec<Fault>> {
        let names: Vec<CString> =
            features.iter().copied().map(c_string).collect::<Result<_, _>>()?;
        let pointers =
            names.iter().map(|name| name.as_ptr()).chain(std::iter::once(ptr::null())).collect();
        Ok(Self { _names: names, pointers })
    }

    /// libyang only reads the array.
    fn as_ptr(&self) -> *mut *const c_char {
        self.pointers.as_ptr().cast_mut()
    }
}

/// libyang asks for the text of a module or, if `submodule_name` is not null, a submodule.
unsafe extern "C" fn import(
    module_name: *const c_char,
    module_revision: *const c_char,
    submodule_name: *const c_char,
    submodule_revision: *const c_char,
    user_data: *mut c_void,
    format: *mut ffi::LYS_INFORMAT::Type,
    module_data: *mut *const c_char,
    free_module_data: *mut ffi::ly_module_imp_data_free_clb,
) -> ffi::LY_ERR::Type {
    let (name, revision) = if submodule_name.is_null() {
        (module_name, module_revision)
    } else {
        (submodule_name, submodule_revision)
    };
    // SAFETY: `user_data` is the `Sources` that `with_sources` set, borrowed mutably for as long as the callback is.
    let Some(sources) = (unsafe { user_data.cast::<Sources>().as_mut() }) else {
        return ffi::LY_ERR::LY_ENOTFOUND;
    };
    // SAFETY: libyang passes NUL-terminated strings, or null for what is not asked for.
    let (name, revision) = unsafe {
        if name.is_null() {
            return ffi::LY_ERR::LY_ENOTFOUND;
        }
        let revision = (!revision.is_null()).then(|| CStr::from_ptr(revision));
        (CStr::from_ptr(name), revision)
    };
    let (Ok(name), Ok(revision)) = (name.to_str(), revision.map(CStr::to_str).transpose()) else {
        return ffi::LY_ERR::LY_ENOTFOUND;
    };
    let Some(text) = sources.serve(name, revision) else { return ffi::LY_ERR::LY_ENOTFOUND };
    // SAFETY: libyang passes valid places for the answers. The text lives as long as the sources, longer than the
    // call that asks; nothing is to be freed.
    unsafe {
        *format = ffi::LYS_INFORMAT::LYS_IN_YANG;
        *module_data = text.as_ptr();
        *free_module_data = None;
    }
    ffi::LY_ERR::LY_SUCCESS
}
