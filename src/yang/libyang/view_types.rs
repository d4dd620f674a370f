//! Looking at the types and identities of a compiled context.

use super::context::Context;
use super::view::{Prefixes, array, expression, optional, prefixes, text};
use std::marker::PhantomData;
use std::ptr;
use yang2::ffi;

/// A type.
#[derive(Clone, Copy)]
pub(super) struct TypeView<'c> {
    context: &'c Context,
    raw: *const ffi::lysc_type,
    life: PhantomData<&'c ffi::lysc_type>,
}

/// What a type is, with its parts.
pub(super) enum TypeFacts<'c> {
    Boolean,
    Empty,
    Signed { bits: u32, range: Option<RangeView<'c>> },
    Unsigned { bits: u32, range: Option<RangeView<'c>> },
    Decimal64 { digits: u8, range: Option<RangeView<'c>> },
    String { length: Option<RangeView<'c>>, patterns: Vec<PatternView<'c>> },
    Binary { length: Option<RangeView<'c>> },
    Enumeration(Vec<(Box<str>, i32)>),
    Bits(Vec<(Box<str>, u32)>),
    Identityref(Vec<IdentityView<'c>>),
    InstanceIdentifier { require_instance: bool },
    Leafref { path: Box<str>, prefixes: Prefixes<'c>, require_instance: bool, target: TypeView<'c> },
    Union(Vec<TypeView<'c>>),
    Unknown,
}

/// A range or length.
#[derive(Clone, Copy)]
pub(super) struct RangeView<'c> {
    context: &'c Context,
    raw: &'c ffi::lysc_range,
}

/// A pattern.
#[derive(Clone, Copy)]
pub(super) struct PatternView<'c> {
    context: &'c Context,
    raw: &'c ffi::lysc_pattern,
}

/// A compiled identity.
#[derive(Clone, Copy)]
pub(super) struct IdentityView<'c> {
    context: &'c Context,
    raw: &'c ffi::lysc_ident,
}

impl<'c> TypeView<'c> {
    pub(super) fn new(context: &'c Context, raw: *const ffi::lysc_type) -> Option<Self> {
        (!raw.is_null()).then_some(Self { context, raw, life: PhantomData })
    }

    fn header(self) -> &'c ffi::lysc_type {
        // SAFETY: a non-null type pointer of a compiled context; every kind of type begins with these fields.
        unsafe { &*self.raw }
    }

    /// Its address: equal for equal types.
    pub(super) fn address(self) -> usize {
        self.raw.addr()
    }

    pub(super) fn as_ptr(self) -> *const ffi::lysc_type {
        self.raw
    }

    /// The name of its type plugin: `string`, `ipv4-address`.
    pub(super) fn plugin(self) -> Box<str> {
        let Some(plugin) = super::plugin::of(self.header()) else { return Box::default() };
        // The identification reads "libyang 2 - NAME, version 1".
        let id = text(self.context, plugin.id);
        let name = id.split(" - ").nth(1).and_then(|rest| rest.split(',').next());
        name.unwrap_or_default().into()
    }

    /// What the type is.
    pub(super) fn facts(self) -> TypeFacts<'c> {
        use ffi::LY_DATA_TYPE as base;
        match self.header().basetype {
            base::LY_TYPE_BOOL => TypeFacts::Boolean,
            base::LY_TYPE_EMPTY => TypeFacts::Empty,
            base::LY_TYPE_INT8 => TypeFacts::Signed { bits: 8, range: self.number_range() },
            base::LY_TYPE_INT16 => TypeFacts::Signed { bits: 16, range: self.number_range() },
            base::LY_TYPE_INT32 => TypeFacts::Signed { bits: 32, range: self.number_range() },
            base::LY_TYPE_INT64 => TypeFacts::Signed { bits: 64, range: self.number_range() },
            base::LY_TYPE_UINT8 => TypeFacts::Unsigned { bits: 8, range: self.number_range() },
            base::LY_TYPE_UINT16 => TypeFacts::Unsigned { bits: 16, range: self.number_range() },
            base::LY_TYPE_UINT32 => TypeFacts::Unsigned { bits: 32, range: self.number_range() },
            base::LY_TYPE_UINT64 => TypeFacts::Unsigned { bits: 64, range: self.number_range() },
            base::LY_TYPE_DEC64 => {
                // SAFETY: types of this base are `lysc_type_dec`.
                let decimal = unsafe { &*self.raw.cast::<ffi::lysc_type_dec>() };
                let range = RangeView::new(self.context, decimal.range);
                TypeFacts::Decimal64 { digits: decimal.fraction_digits, range }
            }
            base::LY_TYPE_STRING => self.string_facts(),
            base::LY_TYPE_BINARY => {
                // SAFETY: types of this base are `lysc_type_bin`.
                let binary = unsafe { &*self.raw.cast::<ffi::lysc_type_bin>() };
                TypeFacts::Binary { length: RangeView::new(self.context, binary.length) }
            }
            base::LY_TYPE_ENUM | base::LY_TYPE_BITS => self.named_facts(),
            _ => self.reference_facts(),
        }
    }

    fn number_range(self) -> Option<RangeView<'c>> {
        // SAFETY: the integer types, from which alone this is called, are `lysc_type_num`.
        let number = unsafe { &*self.raw.cast::<ffi::lysc_type_num>() };
        RangeView::new(self.context, number.range)
    }

    fn string_facts(self) -> TypeFacts<'c> {
        // SAFETY: called for base type string alone, whose types are `lysc_type_str`.
        let string = unsafe { &*self.raw.cast::<ffi::lysc_type_str>() };
        let patterns = array(self.context, string.patterns.cast_const())
            .iter()
            // SAFETY: the elements are pointers to the patterns of a compiled context.
            .filter_map(|pattern| unsafe { pattern.as_ref() })
            .map(|raw| PatternView { context: self.context, raw })
            .collect();
        TypeFacts::String { length: RangeView::new(self.context, string.length), patterns }
    }

    /// Enumerations and bits: both are arrays of the same items.
    fn named_facts(self) -> TypeFacts<'c> {
        let is_enumeration = self.header().basetype == ffi::LY_DATA_TYPE::LY_TYPE_ENUM;
        // SAFETY: `lysc_type_enum` and `lysc_type_bits` have the same fields in the same order.
        let items = unsafe { &*self.raw.cast::<ffi::lysc_type_enum>() }.enums;
        let items = array(self.context, items.cast_const());
        let named = items.iter().map(|item| {
            let name: Box<str> = text(self.context, item.name).into();
            // SAFETY: both fields of the union are 32 bits wide and any bits are a number.
            let (value, position) =
                unsafe { (item.__bindgen_anon_1.value, item.__bindgen_anon_1.position) };
            (name, value, position)
        });
        if is_enumeration {
            TypeFacts::Enumeration(named.map(|(name, value, _)| (name, value)).collect())
        } else {
            TypeFacts::Bits(named.map(|(name, _, position)| (name, position)).collect())
        }
    }

    fn reference_facts(self) -> TypeFacts<'c> {
        match self.header().basetype {
            ffi::LY_DATA_TYPE::LY_TYPE_IDENT => {
                // SAFETY: types of this base are `lysc_type_identityref`.
                let reference = unsafe { &*self.raw.cast::<ffi::lysc_type_identityref>() };
                let bases = array(self.context, reference.bases.cast_const())
                    .iter()
                    .filter_map(|base| IdentityView::new(self.context, *base));
                TypeFacts::Identityref(bases.collect())
            }
            ffi::LY_DATA_TYPE::LY_TYPE_INST => {
                // SAFETY: types of this base are `lysc_type_instanceid`.
                let instance = unsafe { &*self.raw.cast::<ffi::lysc_type_instanceid>() };
                TypeFacts::InstanceIdentifier { require_instance: instance.require_instance != 0 }
            }
            ffi::LY_DATA_TYPE::LY_TYPE_LEAFREF => {
                // SAFETY: types of this base are `lysc_type_leafref`.
                let leafref = unsafe { &*self.raw.cast::<ffi::lysc_type_leafref>() };
                let Some(target) = TypeView::new(self.context, leafref.realtype) else {
                    return TypeFacts::Unknown;
                };
                TypeFacts::Leafref {
                    path: expression(self.context, leafref.path),
                    prefixes: prefixes(self.context, leafref.prefixes),
                    require_instance: leafref.require_instance != 0,
                    target,
                }
            }
            ffi::LY_DATA_TYPE::LY_TYPE_UNION => {
                // SAFETY: types of this base are `lysc_type_union`.
                let union = unsafe { &*self.raw.cast::<ffi::lysc_type_union>() };
                let members = array(self.context, union.types.cast_const())
                    .iter()
                    .filter_map(|member| TypeView::new(self.context, *member));
                TypeFacts::Union(members.collect())
            }
            _ => TypeFacts::Unknown,
        }
    }
}

impl<'c> RangeView<'c> {
    fn new(context: &'c Context, raw: *const ffi::lysc_range) -> Option<Self> {
        // SAFETY: null, or a range of a compiled context.
        unsafe { raw.as_ref() }.map(|raw| Self { context, raw })
    }

    /// The parts of a signed range.
    pub(super) fn signed(self) -> Vec<(i64, i64)> {
        array(self.context, self.raw.parts.cast_const())
            .iter()
            // SAFETY: both fields of the unions are 64 bits wide and any bits are a number.
            .map(|part| unsafe { (part.__bindgen_anon_1.min_64, part.__bindgen_anon_2.max_64) })
            .collect()
    }

    /// The parts of an unsigned range or a length.
    pub(super) fn unsigned(self) -> Vec<(u64, u64)> {
        self.signed()
            .into_iter()
            .map(|(min, max)| (min.cast_unsigned(), max.cast_unsigned()))
            .collect()
    }

    pub(super) fn error_message(self) -> Option<Box<str>> {
        optional(self.context, self.raw.emsg)
    }

    pub(super) fn error_app_tag(self) -> Option<Box<str>> {
        optional(self.context, self.raw.eapptag)
    }
}

impl PatternView<'_> {
    pub(super) fn source(self) -> Box<str> {
        text(self.context, self.raw.expr).into()
    }

    pub(super) fn inverted(self) -> bool {
        self.raw.inverted() != 0
    }

    pub(super) fn error_message(self) -> Option<Box<str>> {
        optional(self.context, self.raw.emsg)
    }

    pub(super) fn error_app_tag(self) -> Option<Box<str>> {
        optional(self.context, self.raw.eapptag)
    }
}

impl<'c> IdentityView<'c> {
    pub(super) fn new(context: &'c Context, raw: *const ffi::lysc_ident) -> Option<Self> {
        // SAFETY: null, or an identity of a compiled context.
        unsafe { raw.as_ref() }.map(|raw| Self { context, raw })
    }

    /// Its address: equal for equal identities.
    pub(super) fn address(self) -> usize {
        ptr::from_ref(self.raw).addr()
    }

    pub(super) fn name(self) -> Box<str> {
        text(self.context, self.raw.name).into()
    }

    /// Identities derived directly.
    pub(super) fn derived(self) -> Vec<IdentityView<'c>> {
        array(self.context, self.raw.derived.cast_const())
            .iter()
            .filter_map(|derived| IdentityView::new(self.context, *derived))
            .collect()
    }

    /// Its if-features are true.
    pub(super) fn enabled(self) -> bool {
        // SAFETY: an identity of a compiled context.
        let value = unsafe { ffi::lys_identity_iffeature_value(self.raw) };
        value != ffi::LY_ERR::LY_ENOT
    }
}
