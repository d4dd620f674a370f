//! Replies and their errors, with the checks that hold for every one of them.

use super::xml::{BASE, Element};
use std::fmt;

/// The namespace of what RFC 7950, section 15, puts into `error-info`.
const YANG: &str = "urn:ietf:params:xml:ns:yang:1";

/// A `<rpc-reply>`.
pub(crate) struct Reply {
    pub(crate) element: Element,
    pub(crate) raw: String,
}

/// One `<rpc-error>` (RFC 6241, 4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) error_type: String,
    pub(crate) tag: String,
    pub(crate) app_tag: Option<String>,
    /// With the prefixes of the canonical forms and single quotes.
    pub(crate) path: Option<String>,
    pub(crate) message: String,
    pub(crate) info: Option<Element>,
}

impl Reply {
    /// Parses a reply and checks its shape: clients judge by raw bytes, namespaces and prefixes.
    #[track_caller]
    pub(crate) fn parse(raw: String) -> Self {
        let element = Element::parse(&raw).unwrap_or_else(|error| panic!("{error} in\n{raw}"));
        assert_eq!((element.namespace.as_str(), element.name.as_str()), (BASE, "rpc-reply"));
        assert_eq!(element.prefix, "", "rpc-reply has no prefix: {raw}");
        let own: Vec<&Element> =
            element.children.iter().filter(|child| child.namespace == BASE).collect();
        for child in &own {
            assert_eq!(child.prefix, "", "<{}> has no prefix: {raw}", child.name);
        }
        let count = |name| own.iter().filter(|child| child.name == name).count();
        let ok = count("ok");
        assert!(ok <= 1 && (ok == 0 || element.children.len() == 1), "ok stands alone: {raw}");
        assert!(!element.children.is_empty(), "a reply says something: {raw}");
        Self { element, raw }
    }

    /// Asserts `<ok/>`.
    #[track_caller]
    pub(crate) fn ok(&self) {
        assert!(self.is_ok(), "expected ok, got\n{}", self.raw);
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.element.find("ok").is_some_and(|ok| ok.namespace == BASE)
    }

    /// The `<data>` of the reply.
    #[track_caller]
    pub(crate) fn data(&self) -> &Element {
        match self.element.find("data") {
            Some(data) if self.element.children.len() == 1 => data,
            Some(_) | None => panic!("expected data, got\n{}", self.raw),
        }
    }

    /// All errors; there must be one.
    #[track_caller]
    pub(crate) fn errors(&self) -> Vec<Fault> {
        let faults: Vec<Fault> = self.element.all("rpc-error").map(Fault::parse).collect();
        assert!(!faults.is_empty(), "expected an error, got\n{}", self.raw);
        assert_eq!(faults.len(), self.element.children.len(), "errors alone: {}", self.raw);
        faults
    }

    /// The only error.
    #[track_caller]
    pub(crate) fn error(&self) -> Fault {
        let mut faults = self.errors();
        assert_eq!(faults.len(), 1, "{}", self.raw);
        faults.remove(0)
    }

    /// Asserts one error, as `Fault` is displayed.
    #[track_caller]
    pub(crate) fn fails(&self, expected: &str) {
        let fault = self.error();
        assert!(fault.is(expected), "expected {expected}, got {fault}:\n{}", self.raw);
    }

    /// Asserts one error with this tag, whatever else it says.
    #[track_caller]
    pub(crate) fn fails_with(&self, tag: &str) -> Fault {
        let fault = self.error();
        assert_eq!(fault.tag, tag, "\n{}", self.raw);
        fault
    }
}

impl Fault {
    #[track_caller]
    fn parse(element: &Element) -> Self {
        assert_eq!(element.namespace, BASE);
        let message = element.value("error-message").unwrap_or_default();
        let fault = Self {
            error_type: element.value("error-type").expect("error-type"),
            tag: element.value("error-tag").expect("error-tag"),
            app_tag: element.value("error-app-tag"),
            path: element.find("error-path").map(|path| path.canonical_text().replace('"', "'")),
            message,
            info: element.find("error-info").cloned(),
        };
        element.find("error-path").into_iter().for_each(Element::is_instance_identifier);
        fault
            .info
            .iter()
            .flat_map(|info| info.all("non-unique"))
            .for_each(Element::is_instance_identifier);
        assert_eq!(element.value("error-severity").as_deref(), Some("error"));
        assert!(!fault.message.is_empty(), "clients read the message: {}", element.canonical());
        fault.check_against_appendix_a();
        fault
    }

    /// RFC 6241, appendix A: the types and the error-info of each tag.
    #[track_caller]
    fn check_against_appendix_a(&self) {
        let (types, info): (&str, &[&str]) = match self.tag.as_str() {
            "in-use"
            | "invalid-value"
            | "access-denied"
            | "rollback-failed"
            | "operation-not-supported" => ("protocol application", &[]),
            "too-big" | "resource-denied" => ("transport rpc protocol application", &[]),
            "missing-attribute" | "bad-attribute" | "unknown-attribute" => {
                ("rpc protocol application", &["bad-attribute", "bad-element"])
            }
            "missing-element" | "bad-element" | "unknown-element" => {
                ("protocol application", &["bad-element"])
            }
            "unknown-namespace" => ("protocol application", &["bad-element", "bad-namespace"]),
            "lock-denied" => ("protocol", &["session-id"]),
            "data-exists" | "data-missing" => ("application", &[]),
            "operation-failed" => ("rpc protocol application", &[]),
            "malformed-message" => ("rpc", &[]),
            other => panic!("error-tag {other} is not one to send"),
        };
        let known = types.split(' ').any(|known| known == self.error_type);
        assert!(known, "{self}: type {} is none of {types}", self.error_type);
        for name in info {
            let value = self.info(name);
            assert!(value.is_some_and(|value| !value.is_empty()), "{self}: no {name}");
        }
    }

    /// Whether it is displayed so. An expectation without a path leaves the path open.
    pub(crate) fn is(&self, expected: &str) -> bool {
        match expected.contains(" at ") {
            true => self.to_string() == expected,
            false => Self { path: None, ..self.clone() }.to_string() == expected,
        }
    }

    /// The text of an element of error-info.
    pub(crate) fn info(&self, name: &str) -> Option<String> {
        Some(self.info.as_ref()?.find(name)?.canonical_text())
    }
}

/// `tag [app-tag] at path (info=…)`: what tables of tests compare. Names in the info are local.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag)?;
        if let Some(app_tag) = &self.app_tag {
            write!(f, " [{app_tag}]")?;
        }
        if let Some(path) = &self.path {
            write!(f, " at {path}")?;
        }
        let Some(info) = &self.info else { return Ok(()) };
        let mut parts = Vec::new();
        for name in ["bad-attribute", "bad-element"] {
            if let Some(value) = self.info(name) {
                let local = value.rsplit_once(':').map_or(value.as_str(), |(_, local)| local);
                parts.push(format!("{name}={local}"));
            }
        }
        for name in ["bad-namespace", "session-id"] {
            if let Some(value) = self.info(name) {
                parts.push(format!("{name}={value}"));
            }
        }
        for own in info.children.iter().filter(|child| child.namespace == YANG) {
            parts.push(format!("{}={}", own.name, own.canonical_text().replace('"', "'")));
        }
        write!(f, " ({})", parts.join(" "))
    }
}
