//! Values that only libyang's type code knows.

use super::context::Fault;
use super::judge::Judge;
use super::{TypeHandle, plugin, view};
use crate::yang::types::ValueError;
use std::ffi::{CString, c_void};
use std::ptr;
use yang2::ffi;

unsafe extern "C" {
    /// Of plugins_types.h, which the bindings leave out: frees an error item and those behind it.
    fn ly_err_free(item: *mut c_void);
}

impl Judge {
    /// The canonical form of `text` as a value of the type; names in it must have module names as prefixes.
    ///
    /// # Errors
    /// The text is no value of the type.
    pub(crate) fn canonical(&self, handle: TypeHandle, text: &str) -> Result<String, ValueError> {
        let refused = |message: String, app_tag| Err(ValueError { message, app_tag });
        let Some((type_, node)) = self.type_of_handle(handle) else {
            return refused("the type is of another schema".to_owned(), None);
        };
        let Ok(c_text) = CString::new(text) else {
            return refused("a NUL character is not allowed".to_owned(), None);
        };
        // SAFETY: the handle's pointer leads into the compiled context that the judge owns.
        let plugin = plugin::of(unsafe { &*type_ });
        let Some((store, free)) = plugin.and_then(|plugin| Some((plugin.store?, plugin.free?)))
        else {
            return refused("the type has no code".to_owned(), None);
        };
        let context = self.context().as_ptr();
        let mut value = ffi::lyd_value::default();
        let mut error: *mut ffi::ly_err_item = ptr::null_mut();
        // SAFETY: context, type and node belong together. The text has `len` bytes, ends with NUL, is only read (no
        // option says that it may be kept) and outlives the call. JSON's prefixes are module names and need no data.
        // Nothing is implemented on demand, so there is nothing unresolved to collect.
        let code = unsafe {
            store(
                context,
                type_,
                c_text.as_ptr().cast(),
                c_text.as_bytes().len(),
                0,
                ffi::LY_VALUE_FORMAT::LY_VALUE_JSON,
                ptr::null_mut(),
                ffi::LYD_HINT_DATA,
                node,
                &raw mut value,
                ptr::null_mut(),
                &raw mut error,
            )
        };
        // Incomplete is a value whose target is to be found in data, which is not the matter here.
        if code == ffi::LY_ERR::LY_SUCCESS || code == ffi::LY_ERR::LY_EINCOMPLETE {
            // SAFETY: the value was stored, so it can be printed, and must be freed once: the text is copied before.
            let canonical = unsafe {
                let printed = ffi::lyd_value_get_canonical(context, &raw const value);
                let canonical = view::text(self.context(), printed).into_owned();
                free(context, &raw mut value);
                canonical
            };
            return Ok(canonical);
        }
        let fault = self.take_store_error(error);
        refused(one_line(&fault.message, text), fault.app_tag)
    }

    /// What `store` said is wrong: as an item that is now ours, or in the thread's list of errors.
    fn take_store_error(&self, error: *mut ffi::ly_err_item) -> Fault {
        // SAFETY: null, or an item that `store` allocated for us.
        let own = unsafe { error.as_ref() }.map(|item| self.context().fault(item));
        // SAFETY: as above; nothing leads to it any more. Null is allowed.
        unsafe { ly_err_free(error.cast()) };
        let listed = self.context().take_faults().into_iter().next();
        own.or(listed).unwrap_or_default()
    }
}

/// libyang's messages can have several lines and end with a full stop.
fn one_line(message: &str, text: &str) -> String {
    let first = message.lines().next().unwrap_or_default().trim_end_matches(['.', ':']).trim();
    if first.is_empty() { format!("\"{text}\" is no value of the type") } else { first.to_owned() }
}

/// The oracle: what libyang itself makes of a value of the node at `path` (`/module:a/b`).
#[cfg(test)]
impl Judge {
    pub(crate) fn oracle(&self, path: &str, text: &str) -> Result<String, String> {
        let (path, text) = (CString::new(path).unwrap(), CString::new(text).unwrap());
        let context = self.context().as_ptr();
        let mut canonical = ptr::null();
        // SAFETY: the context is valid, and so are the strings, the node that is found, and the place for the answer,
        // which is a text of the dictionary that is given back.
        unsafe {
            let node = ffi::lys_find_path(context, ptr::null(), path.as_ptr(), 0);
            assert!(!node.is_null(), "{path:?}");
            let code = ffi::lyd_value_validate(
                context,
                node,
                text.as_ptr(),
                text.as_bytes().len(),
                ptr::null(),
                ptr::null_mut(),
                &raw mut canonical,
            );
            if code != ffi::LY_ERR::LY_SUCCESS && code != ffi::LY_ERR::LY_EINCOMPLETE {
                let faults = self.context().take_faults();
                return Err(faults.into_iter().next().unwrap_or_default().message);
            }
            let copy = view::text(self.context(), canonical).into_owned();
            ffi::lydict_remove(context, canonical);
            Ok(copy)
        }
    }
}
