//! Namespace declarations in force at one place of a document (Namespaces in XML 1.0).

use super::{XML_NAMESPACE, XMLNS_NAMESPACE};
use std::borrow::Cow;

/// The declarations in scope, outermost first.
///
/// Invariant: `marks` rises in both fields, and `marks[i].len` is how many declarations there were before element
/// `marks[i].depth` added its own. Elements without declarations have no mark. `default` is the last declaration with
/// an empty prefix.
#[derive(Debug, Default)]
pub(crate) struct Scope<'a> {
    declarations: Vec<Declaration<'a>>,
    marks: Vec<Mark>,
    /// Where the default namespace's declaration stands: most elements have no prefix.
    default: Option<usize>,
}

#[derive(Debug)]
struct Declaration<'a> {
    /// Empty for the default namespace.
    prefix: &'a str,
    /// Empty if the default namespace is taken back.
    namespace: Cow<'a, str>,
}

#[derive(Debug)]
struct Mark {
    depth: usize,
    len: usize,
}

/// What a prefix was resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// No namespace: no prefix, and no default.
    None,
    /// The prefix `xml`, which needs no declaration.
    Xml,
    /// The declaration at this place.
    Declared(usize),
}

impl<'a> Scope<'a> {
    /// The namespace that `prefix` stands for here, if it is declared. The empty prefix asks for the default.
    pub(crate) fn namespace(&self, prefix: &str) -> Option<&str> {
        self.name(self.resolve(prefix)?)
    }

    /// The namespace behind a binding of this scope.
    pub(super) fn name(&self, binding: Binding) -> Option<&str> {
        match binding {
            Binding::None => None,
            Binding::Xml => Some(XML_NAMESPACE),
            Binding::Declared(at) => {
                self.declarations.get(at).map(|declaration| &*declaration.namespace)
            }
        }
    }

    /// Where the declaration of `prefix` stands that is in force.
    pub(super) fn find(&self, prefix: &str) -> Option<usize> {
        if prefix.is_empty() { self.default } else { self.last(prefix) }
    }

    fn last(&self, prefix: &str) -> Option<usize> {
        self.declarations.iter().rposition(|declared| declared.prefix == prefix)
    }

    /// What an element's prefix stands for; `None` if it is not declared.
    pub(super) fn resolve(&self, prefix: &str) -> Option<Binding> {
        match self.find(prefix).and_then(|at| Some((at, self.declarations.get(at)?))) {
            Some((_, declaration)) if declaration.namespace.is_empty() => Some(Binding::None),
            Some((at, _)) => Some(Binding::Declared(at)),
            None if prefix.is_empty() => Some(Binding::None),
            None if prefix == "xml" => Some(Binding::Xml),
            None => None,
        }
    }

    /// How many declarations are in force.
    pub(super) fn len(&self) -> usize {
        self.declarations.len()
    }

    /// Prefix and namespace of the declaration at a place.
    pub(super) fn declaration(&self, at: usize) -> Option<(&'a str, &str)> {
        self.declarations.get(at).map(|declared| (declared.prefix, &*declared.namespace))
    }

    /// Where the declarations of the element at `depth` begin, which is the innermost one.
    pub(super) fn own(&self, depth: usize) -> usize {
        match self.marks.last() {
            Some(mark) if mark.depth == depth => mark.len,
            Some(_) | None => self.declarations.len(),
        }
    }

    /// Adds a declaration of the element at `depth`. The error says why it is none.
    pub(super) fn declare(
        &mut self,
        depth: usize,
        prefix: &'a str,
        namespace: Cow<'a, str>,
    ) -> Result<(), &'static str> {
        match (prefix, &*namespace) {
            ("xmlns", _) => return Err("the prefix xmlns is declared"),
            ("xml", XML_NAMESPACE) => {}
            ("xml", _) => return Err("the prefix xml is declared as something else"),
            (_, XML_NAMESPACE | XMLNS_NAMESPACE) => {
                return Err("a reserved namespace is declared");
            }
            ("", "") => {}
            (_, "") => return Err("a prefix is declared without a namespace"),
            (_, _) => {}
        }
        let own = self.own(depth);
        if self.declarations.iter().skip(own).any(|declared| declared.prefix == prefix) {
            return Err("an attribute is repeated");
        }
        if own == self.declarations.len() {
            self.marks.push(Mark { depth, len: own });
        }
        if prefix.is_empty() {
            self.default = Some(self.declarations.len());
        }
        self.declarations.push(Declaration { prefix, namespace });
        Ok(())
    }

    /// Forgets the declarations of the element at `depth`, which is the innermost one.
    pub(super) fn leave(&mut self, depth: usize) {
        if let Some(mark) = self.marks.pop_if(|mark| mark.depth == depth) {
            self.declarations.truncate(mark.len);
            self.default = self.last("");
        }
    }
}
