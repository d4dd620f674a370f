//! Validity of a whole configuration (RFC 7950, 8.3.3).

use super::error::DataError;
use super::libyang::ValidateWhat;
use super::schema::Schema;
use super::tree::Tree;
use std::sync::Arc;

/// Whether `tree` is a valid content of running: the compiler's full validation is the judge. All faults, up to
/// `VALIDATION_ERRORS_MAX`.
pub(crate) fn validate(schema: &Arc<Schema>, tree: &Tree) -> Result<(), Vec<DataError>> {
    let xml = super::print::print_all(schema, tree);
    schema.validate(&xml, ValidateWhat::Configuration)
}
