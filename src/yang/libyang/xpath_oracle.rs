//! The oracle for XPath: what libyang makes of an expression.

use super::judge::Judge;
use super::locate::DataTree;
use std::ffi::{CStr, CString};
use std::ptr;
use yang2::ffi;

/// What an expression evaluates to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OracleValue {
    /// Paths in document order.
    Nodes(Vec<String>),
    Text(String),
    Number(f64),
    Boolean(bool),
}

/// A data tree of libyang.
pub(crate) struct XpathOracle<'c>(DataTree<'c>);

impl Judge {
    /// The tree of top-level elements, with implicit nodes if `implicit` says so. Panics if they are not valid.
    pub(crate) fn xpath_oracle(&self, xml: &str, implicit: bool) -> XpathOracle<'_> {
        let mut tree = DataTree::empty(self.context());
        assert!(tree.parse(&CString::new(xml).unwrap()), "{xml}");
        if implicit {
            assert!(tree.validate(), "{xml}: {:?}", self.context().take_faults());
        }
        XpathOracle(tree)
    }
}

impl XpathOracle<'_> {
    /// The value of `expression`, in which prefixes are names of modules, at the node that `context` selects.
    pub(crate) fn evaluate(&self, context: &str, expression: &str) -> Result<OracleValue, String> {
        let nodes = self.eval(ptr::null(), context)?.0;
        let context = nodes.first().copied().ok_or("there is no context node")?;
        let (nodes, value) = self.eval(context, expression)?;
        Ok(value.unwrap_or_else(|| {
            OracleValue::Nodes(nodes.into_iter().map(|node| self.0.path(node)).collect())
        }))
    }

    /// Nodes, or a value.
    fn eval(
        &self,
        context: *const ffi::lyd_node,
        expression: &str,
    ) -> Result<(Vec<*const ffi::lyd_node>, Option<OracleValue>), String> {
        let expression = CString::new(expression).unwrap();
        let mut kind = ffi::LY_XPATH_TYPE::LY_XPATH_NODE_SET;
        let mut set = ptr::null_mut();
        let mut text = ptr::null_mut();
        let (mut number, mut boolean) = (0_u128, 0);
        let yang = self.0.context();
        yang.clear_faults();
        // SAFETY: the context node is null or of the tree, which is not null; the expression outlives the call, and all
        // places for answers are there. A `long double` has the size and alignment of the number.
        let code = unsafe {
            ffi::lyd_eval_xpath4(
                context,
                self.0.root(),
                ptr::null(),
                expression.as_ptr(),
                ffi::LY_VALUE_FORMAT::LY_VALUE_JSON,
                ptr::null_mut(),
                ptr::null(),
                &raw mut kind,
                &raw mut set,
                &raw mut text,
                &raw mut number,
                &raw mut boolean,
            )
        };
        if code != ffi::LY_ERR::LY_SUCCESS {
            let fault = yang.take_faults().into_iter().next().unwrap_or_default();
            return Err(fault.message);
        }
        let mut nodes = Vec::new();
        let value = match kind {
            ffi::LY_XPATH_TYPE::LY_XPATH_NODE_SET => {
                // SAFETY: the set was made for us, with as many nodes as it says; it is freed once.
                unsafe {
                    for at in 0..usize::try_from((*set).count).unwrap() {
                        nodes.push((*set).__bindgen_anon_1.dnodes.add(at).read().cast_const());
                    }
                    ffi::ly_set_free(set, None);
                }
                None
            }
            ffi::LY_XPATH_TYPE::LY_XPATH_STRING => {
                // SAFETY: a text with NUL that was allocated for us; it is freed once.
                let copy = unsafe {
                    let copy = CStr::from_ptr(text).to_str().unwrap().to_owned();
                    ffi::free(text.cast());
                    copy
                };
                Some(OracleValue::Text(copy))
            }
            ffi::LY_XPATH_TYPE::LY_XPATH_NUMBER => Some(OracleValue::Number(double(number))),
            _ => Some(OracleValue::Boolean(boolean != 0)),
        };
        Ok((nodes, value))
    }
}

/// The number of an x87 extended double.
#[expect(clippy::as_conversions, reason = "rounding is what is wanted")]
fn double(bits: u128) -> f64 {
    let mantissa = (bits & u128::from(u64::MAX)) as u64;
    let exponent = i32::try_from((bits >> 64) & 0x7fff).unwrap();
    let sign = if bits >> 79 & 1 == 1 { -1.0 } else { 1.0 };
    if exponent == 0x7fff {
        return if mantissa << 1 == 0 { sign * f64::INFINITY } else { f64::NAN };
    }
    sign * (mantissa as f64) * 2_f64.powi(exponent - 16_383 - 63)
}
