//! identityref (RFC 7950, 9.10).

use super::{Scope, ValueError};
use crate::yang::schema::{IdentityId, ModuleId, Schema};
use crate::yang::tree::Text;

impl Schema {
    /// `module-name:identity` of a value, which must be derived from each of `bases`.
    pub(super) fn identity_value(
        &self,
        text: &str,
        bases: &[IdentityId],
        scope: Scope<'_>,
    ) -> Result<Text, ValueError> {
        let (prefix, name) = text.split_once(':').unwrap_or(("", text));
        let module = self.module_of_prefix(prefix, scope)?;
        let Some(identity) = self.find_identity(module, name) else {
            let module = &self.module(module).name;
            return Err(ValueError::new(format!("module {module} has no identity \"{name}\"")));
        };
        let is_derived =
            |base: &IdentityId| self.identity(*base).derived.binary_search(&identity).is_ok();
        if !bases.iter().all(is_derived) {
            let error = format!("identity \"{text}\" is not derived from the bases of the type");
            return Err(ValueError::new(error));
        }
        Ok(smol_str::format_smolstr!("{}:{name}", self.module(module).name))
    }

    /// The implemented module that a prefix, or the lack of one, means.
    pub(super) fn module_of_prefix(
        &self,
        prefix: &str,
        scope: Scope<'_>,
    ) -> Result<ModuleId, ValueError> {
        match scope.prefixes.namespace(prefix) {
            Some(namespace) => self
                .module_by_namespace(namespace)
                .ok_or_else(|| ValueError::new(format!("no module has namespace \"{namespace}\""))),
            None if prefix.is_empty() => Ok(scope.module),
            None => Err(ValueError::new(format!("prefix \"{prefix}\" is not declared"))),
        }
    }

    /// The identity with this name in `module`.
    pub(crate) fn find_identity(&self, module: ModuleId, name: &str) -> Option<IdentityId> {
        let key = (module, name);
        let at = self
            .identities
            .binary_search_by(|identity| (identity.module, &*identity.name).cmp(&key))
            .ok()?;
        u32::try_from(at).ok().map(IdentityId)
    }
}
