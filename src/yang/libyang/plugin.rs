//! libyang's type plugins: the table of functions behind each type.

use std::ffi::{c_char, c_int, c_void};
use yang2::ffi;

/// `struct lyplg_type` of plugins_types.h, which the bindings leave opaque. `libyang2-sys` is pinned to the bundled
/// libyang 2.2.8; the tests of `yang/types` call store and free of many types, which a wrong layout would not survive.
#[repr(C)]
pub(super) struct TypePlugin {
    pub(super) id: *const c_char,
    pub(super) store: Option<Store>,
    validate: *const c_void,
    compare: *const c_void,
    sort: *const c_void,
    print: *const c_void,
    duplicate: *const c_void,
    pub(super) free: Option<Free>,
    lyb_data_len: c_int,
}

/// `lyplg_type_store_clb`. `unres` may be null.
pub(super) type Store = unsafe extern "C" fn(
    context: *const ffi::ly_ctx,
    type_: *const ffi::lysc_type,
    value: *const c_void,
    value_len: usize,
    options: u32,
    format: ffi::LY_VALUE_FORMAT::Type,
    prefix_data: *mut c_void,
    hints: u32,
    context_node: *const ffi::lysc_node,
    storage: *mut ffi::lyd_value,
    unres: *mut c_void,
    error: *mut *mut ffi::ly_err_item,
) -> ffi::LY_ERR::Type;

/// `lyplg_type_free_clb`.
pub(super) type Free =
    unsafe extern "C" fn(context: *const ffi::ly_ctx, value: *mut ffi::lyd_value);

/// The plugin of a type.
pub(super) fn of(type_: &ffi::lysc_type) -> Option<&TypePlugin> {
    // SAFETY: types are only looked at in a compiled context, where `plugin` points to a static table whose layout
    // is that of `TypePlugin`.
    unsafe { type_.plugin.cast::<TypePlugin>().as_ref() }
}
