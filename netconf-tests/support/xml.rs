//! A small document tree, so that tests compare what XML says and not how it is written.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The base namespace of NETCONF.
pub(crate) const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// Prefixes that canonical forms use, whatever prefix was on the wire.
const PREFIXES: [(&str, &str); 12] = [
    ("nc", BASE),
    ("t", "urn:quorate:test"),
    ("ta", "urn:quorate:test:augment"),
    ("to", "urn:quorate:test:old"),
    ("ex", "http://example.com/schema/1.2/config"),
    ("br", "urn:bench:routes"),
    ("yang", "urn:ietf:params:xml:ns:yang:1"),
    ("ncm", "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"),
    ("yanglib", "urn:ietf:params:xml:ns:yang:ietf-yang-library"),
    ("if", "urn:ietf:params:xml:ns:yang:ietf-interfaces"),
    ("ds", "urn:ietf:params:xml:ns:yang:ietf-datastores"),
    ("xml", "http://www.w3.org/XML/1998/namespace"),
];

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    /// Empty where the element is in no namespace.
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The prefix on the wire, empty for the default namespace.
    pub(crate) prefix: String,
    /// Everything but namespace declarations, by (namespace, name).
    pub(crate) attributes: BTreeMap<(String, String), String>,
    /// All text directly inside, as it stands.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    /// The declarations in scope, by prefix.
    scope: BTreeMap<String, String>,
}

impl Element {
    /// Parses one document.
    pub(crate) fn parse(document: &str) -> Result<Self, String> {
        let mut reader = NsReader::from_str(document);
        let mut open: Vec<Element> = Vec::new();
        let mut scopes = vec![BTreeMap::new()];
        let mut root = None;
        loop {
            let event = reader.read_event().map_err(|error| error.to_string())?;
            match event {
                Event::Start(start) => {
                    let element = Self::opened(&reader, &start, &mut scopes)?;
                    open.push(element);
                }
                Event::Empty(start) => {
                    let element = Self::opened(&reader, &start, &mut scopes)?;
                    scopes.pop();
                    Self::close(element, &mut open, &mut root)?;
                }
                Event::End(_) => {
                    scopes.pop();
                    let element = open.pop().ok_or("an end without a start")?;
                    Self::close(element, &mut open, &mut root)?;
                }
                Event::Text(text) => {
                    Self::add_text(&mut open, &text)?;
                }
                Event::CData(data) => {
                    Self::add_text(&mut open, &data)?;
                }
                Event::GeneralRef(reference) => {
                    let text = match reference.resolve_char_ref().map_err(|e| e.to_string())? {
                        Some(character) => character.to_string(),
                        None => {
                            let known = quick_xml::escape::resolve_predefined_entity(&reference);
                            known.ok_or("an unknown entity")?.to_owned()
                        }
                    };
                    Self::add_text(&mut open, &text)?;
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err("a DTD".to_owned()),
            }
        }
        if !open.is_empty() {
            return Err("an element is not closed".to_owned());
        }
        root.ok_or_else(|| "no element".to_owned())
    }

    fn opened(
        reader: &NsReader<&[u8]>,
        start: &BytesStart<'_>,
        scopes: &mut Vec<BTreeMap<String, String>>,
    ) -> Result<Self, String> {
        let mut scope = scopes.last().cloned().unwrap_or_default();
        let mut attributes = BTreeMap::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let key: &str = attribute.key.as_ref();
            let value =
                quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?;
            if key == "xmlns" {
                scope.insert(String::new(), value.into_owned());
            } else if let Some(prefix) = key.strip_prefix("xmlns:") {
                scope.insert(prefix.to_owned(), value.into_owned());
            } else {
                let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
                let key = (bound(namespace)?, name.as_ref().to_owned());
                attributes.insert(key, value.into_owned());
            }
        }
        let (namespace, name) = reader.resolver().resolve_element(start.name());
        let prefix = start.name().prefix().map(|prefix| prefix.as_ref().to_owned());
        let element = Self {
            namespace: bound(namespace)?,
            name: name.as_ref().to_owned(),
            prefix: prefix.unwrap_or_default(),
            attributes,
            text: String::new(),
            children: Vec::new(),
            scope: scope.clone(),
        };
        scopes.push(scope);
        Ok(element)
    }

    fn close(element: Self, open: &mut [Self], root: &mut Option<Self>) -> Result<(), String> {
        match open.last_mut() {
            Some(parent) => parent.children.push(element),
            None if root.is_none() => *root = Some(element),
            None => return Err("two documents in one message".to_owned()),
        }
        Ok(())
    }

    fn add_text(open: &mut [Self], text: &str) -> Result<(), String> {
        match open.last_mut() {
            Some(parent) => parent.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err("text outside of the document".to_owned()),
        }
        Ok(())
    }

    /// The first child of this name, in any namespace.
    pub(crate) fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The child of this name; the test ends without it.
    #[track_caller]
    pub(crate) fn child(&self, name: &str) -> &Element {
        self.find(name).unwrap_or_else(|| panic!("no <{name}> in\n{}", self.canonical()))
    }

    /// All children of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The trimmed text of the child of this name, if there is one.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.find(name).map(|child| child.text.trim().to_owned())
    }

    /// An attribute in no namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(&(String::new(), name.to_owned())).map(String::as_str)
    }

    /// Its text with every prefix replaced by that of the canonical forms.
    pub(crate) fn canonical_text(&self) -> String {
        let mut canonical = String::new();
        let mut rest = self.text.trim();
        while let Some(at) = rest.find(':') {
            let (before, after) = rest.split_at(at);
            let start = before
                .rfind(|c: char| !c.is_alphanumeric() && !"-_.".contains(c))
                .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
            let (kept, prefix) = before.split_at(start);
            canonical.push_str(kept);
            match self.scope.get(prefix) {
                Some(namespace) if !prefix.is_empty() => {
                    canonical.push_str(&canonical_prefix(namespace));
                }
                Some(_) | None => canonical.push_str(prefix),
            }
            canonical.push(':');
            rest = &after[1..];
        }
        canonical.push_str(rest);
        canonical
    }

    /// Asserts that its text is an instance-identifier as XML has it: each name has a prefix, which is declared here
    /// (RFC 7950, 9.13.2).
    #[track_caller]
    pub(crate) fn is_instance_identifier(&self) {
        let text = self.text.as_str();
        assert!(text.starts_with('/') && text.trim() == text, "{text:?}");
        let outside_quotes: String = text.split(['\'', '"']).step_by(2).collect();
        for name in outside_quotes.split(['/', '[', ']', '=']).filter(|name| !name.is_empty()) {
            let prefix = name.split_once(':').map(|(prefix, _)| prefix);
            let is_declared = prefix.is_some_and(|prefix| self.scope.contains_key(prefix));
            let is_position = name == "." || name.bytes().all(|byte| byte.is_ascii_digit());
            assert!(is_declared || is_position, "{name} of {text}: {:?}", self.scope);
        }
    }

    /// One line an element: siblings by name, in their order where they have the same name.
    pub(crate) fn canonical(&self) -> String {
        let mut text = String::new();
        self.write_canonical(&mut text, 0);
        text
    }

    fn write_canonical(&self, out: &mut String, depth: usize) {
        let name = |namespace: &str, name: &str| match namespace {
            "" => name.to_owned(),
            namespace => format!("{}:{name}", canonical_prefix(namespace)),
        };
        write!(out, "{:indent$}{}", "", name(&self.namespace, &self.name), indent = depth * 2)
            .expect("memory");
        for ((namespace, attribute), value) in &self.attributes {
            write!(out, " {}={value:?}", name(namespace, attribute)).expect("memory");
        }
        if self.children.is_empty() {
            let text = self.canonical_text();
            if !text.is_empty() {
                write!(out, " = {text}").expect("memory");
            }
        }
        out.push('\n');
        let mut children: Vec<&Element> = self.children.iter().collect();
        children.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        for child in children {
            child.write_canonical(out, depth + 1);
        }
    }
}

fn bound(namespace: ResolveResult<'_>) -> Result<String, String> {
    match namespace {
        ResolveResult::Bound(namespace) => Ok(namespace.as_ref().to_owned()),
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Unknown(prefix) => Err(format!("prefix {prefix:?} is not declared")),
    }
}

fn canonical_prefix(namespace: &str) -> String {
    PREFIXES
        .iter()
        .find(|(_, known)| *known == namespace)
        .map_or_else(|| format!("{{{namespace}}}"), |(prefix, _)| (*prefix).to_owned())
}

/// Escapes text for use between tags.
pub(crate) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// Puts the namespaces of the test models on the outermost elements of some content.
pub(crate) fn with_prefixes(content: &str) -> String {
    let declarations = "xmlns=\"urn:quorate:test\" xmlns:t=\"urn:quorate:test\" \
        xmlns:ta=\"urn:quorate:test:augment\" xmlns:yang=\"urn:ietf:params:xml:ns:yang:1\" \
        xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\"";
    let mut out = String::new();
    let mut depth = 0;
    let mut rest = content;
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>').expect("a tag ends");
        let (before, tag) = (&rest[..open], &rest[open..=close]);
        out.push_str(before);
        rest = &rest[close + 1..];
        if tag.starts_with("</") {
            depth -= 1;
        } else if depth == 0 {
            let name_end = tag.find([' ', '/', '>']).expect("a name ends");
            write!(out, "{} {declarations}{}", &tag[..name_end], &tag[name_end..]).expect("memory");
            depth += i32::from(!tag.ends_with("/>"));
            continue;
        } else if !tag.starts_with("<!") && !tag.ends_with("/>") {
            depth += 1;
        }
        out.push_str(tag);
    }
    out.push_str(rest);
    out
}
