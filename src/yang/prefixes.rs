//! Prefixes of values in XML: what they mean where a value is read, and their declarations where one is written.

use super::types::{PrefixSink, Prefixes};
use crate::xml::{Scope, Writer};

impl Prefixes for Scope<'_> {
    fn namespace(&self, prefix: &str) -> Option<&str> {
        Scope::namespace(self, prefix)
    }
}

/// Prefixes that were asked for, to be declared on the element around. Each namespace has the preferred one, unless
/// that is taken.
#[derive(Debug, Default)]
pub(crate) struct Declarations(Vec<Declaration>);

#[derive(Debug)]
struct Declaration {
    prefix: String,
    namespace: String,
}

impl Declarations {
    /// Appends ` xmlns:prefix="namespace"` for each prefix that was given out.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.declare(&mut Writer::new(out));
    }

    /// The same in the start tag that is open.
    pub(crate) fn declare(&self, writer: &mut Writer<'_>) {
        for Declaration { prefix, namespace } in &self.0 {
            writer.declare(prefix, namespace);
        }
    }
}

impl PrefixSink for Declarations {
    fn prefix(&mut self, namespace: &str, preferred: &str) -> String {
        if let Some(known) = self.0.iter().find(|known| known.namespace == namespace) {
            return known.prefix.clone();
        }
        let taken = |prefix: &str| self.0.iter().any(|known| known.prefix == prefix);
        let numbered = (1u32..).map(|number| format!("{preferred}{number}"));
        let mut wanted = std::iter::once(preferred.to_owned()).chain(numbered);
        let prefix = wanted.find(|prefix| !taken(prefix)).unwrap_or_default();
        let namespace = namespace.to_owned();
        self.0.push(Declaration { prefix: prefix.clone(), namespace });
        prefix
    }
}
