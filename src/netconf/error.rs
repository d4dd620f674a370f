//! `rpc-error` (RFC 6241, 4.3 and appendix A).

use crate::xml::Writer;
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::InstancePath;
use crate::yang::prefixes::Declarations;
use crate::yang::print::instance_identifier;
use crate::yang::schema::Schema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The namespace of RFC 7950's elements in `error-info`.
const YANG_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:1";
/// The namespace of our own elements in `error-info`.
pub(crate) const QUORATE_NAMESPACE: &str = "urn:quorate:netconf";

/// One `rpc-error` of severity error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RpcError {
    pub(crate) error_type: ErrorType,
    pub(crate) tag: ErrorTag,
    pub(crate) app_tag: Option<String>,
    pub(crate) path: Option<InstancePath>,
    /// Never empty.
    pub(crate) message: String,
    pub(crate) info: Vec<ErrorInfo>,
}

/// The layer that found the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ErrorType {
    Transport,
    Rpc,
    Protocol,
    Application,
}

/// `error-tag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ErrorTag {
    InUse,
    InvalidValue,
    TooBig,
    MissingAttribute,
    BadAttribute,
    UnknownAttribute,
    MissingElement,
    BadElement,
    UnknownElement,
    UnknownNamespace,
    AccessDenied,
    LockDenied,
    ResourceDenied,
    RollbackFailed,
    DataExists,
    DataMissing,
    OperationNotSupported,
    OperationFailed,
    MalformedMessage,
}

/// One element of `error-info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ErrorInfo {
    BadAttribute(String),
    BadElement(String),
    BadNamespace(String),
    /// 0 stands for something that is not a NETCONF session.
    SessionId(u32),
    /// RFC 7950, 15.1: `non-unique` in the YANG namespace.
    NonUnique(InstancePath),
    /// RFC 7950, 15.6: `missing-choice` in the YANG namespace.
    MissingChoice(String),
    /// An element of our own namespace.
    Quorate {
        element: Cow<'static, str>,
        text: String,
    },
}

impl RpcError {
    /// An error without app-tag, path and info.
    pub(crate) fn new(error_type: ErrorType, tag: ErrorTag, message: impl Into<String>) -> Self {
        Self {
            error_type,
            tag,
            app_tag: None,
            path: None,
            message: message.into(),
            info: Vec::new(),
        }
    }

    /// The same error with one more element of `error-info`.
    pub(crate) fn with(mut self, info: ErrorInfo) -> Self {
        self.info.push(info);
        self
    }

    /// The same error with an app-tag.
    pub(crate) fn tagged(mut self, app_tag: impl Into<String>) -> Self {
        self.app_tag = Some(app_tag.into());
        self
    }

    /// The same error with a path.
    pub(crate) fn at(mut self, path: InstancePath) -> Self {
        self.path = Some(path);
        self
    }
}

impl ErrorType {
    /// As `error-type` has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Rpc => "rpc",
            Self::Protocol => "protocol",
            Self::Application => "application",
        }
    }
}

impl ErrorTag {
    /// As `error-tag` has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in-use",
            Self::InvalidValue => "invalid-value",
            Self::TooBig => "too-big",
            Self::MissingAttribute => "missing-attribute",
            Self::BadAttribute => "bad-attribute",
            Self::UnknownAttribute => "unknown-attribute",
            Self::MissingElement => "missing-element",
            Self::BadElement => "bad-element",
            Self::UnknownElement => "unknown-element",
            Self::UnknownNamespace => "unknown-namespace",
            Self::AccessDenied => "access-denied",
            Self::LockDenied => "lock-denied",
            Self::ResourceDenied => "resource-denied",
            Self::RollbackFailed => "rollback-failed",
            Self::DataExists => "data-exists",
            Self::DataMissing => "data-missing",
            Self::OperationNotSupported => "operation-not-supported",
            Self::OperationFailed => "operation-failed",
            Self::MalformedMessage => "malformed-message",
        }
    }
}

/// The table of RFC 7950 8.3 and 15. Faults of data are of the application layer.
impl From<DataError> for RpcError {
    fn from(error: DataError) -> Self {
        use DataErrorKind as Kind;
        use ErrorInfo::{BadAttribute, BadElement, BadNamespace};
        let (tag, info) = match error.kind {
            Kind::InvalidValue => (ErrorTag::InvalidValue, vec![]),
            Kind::MissingKey { key } => (ErrorTag::MissingElement, vec![BadElement(key)]),
            Kind::MissingElement { element } => {
                (ErrorTag::MissingElement, vec![BadElement(element)])
            }
            Kind::BadElement { element } => (ErrorTag::BadElement, vec![BadElement(element)]),
            Kind::UnknownElement { element } => {
                (ErrorTag::UnknownElement, vec![BadElement(element)])
            }
            Kind::UnknownNamespace { element, namespace } => {
                (ErrorTag::UnknownNamespace, vec![BadElement(element), BadNamespace(namespace)])
            }
            Kind::BadAttribute { attribute, element } => {
                (ErrorTag::BadAttribute, vec![BadAttribute(attribute), BadElement(element)])
            }
            Kind::MissingAttribute { attribute, element } => {
                (ErrorTag::MissingAttribute, vec![BadAttribute(attribute), BadElement(element)])
            }
            Kind::UnknownAttribute { attribute, element } => {
                (ErrorTag::UnknownAttribute, vec![BadAttribute(attribute), BadElement(element)])
            }
            Kind::DataExists => (ErrorTag::DataExists, vec![]),
            Kind::DataMissing => (ErrorTag::DataMissing, vec![]),
            Kind::NotUnique { non_unique } => (
                ErrorTag::OperationFailed,
                non_unique.into_iter().map(ErrorInfo::NonUnique).collect(),
            ),
            Kind::OperationFailed => (ErrorTag::OperationFailed, vec![]),
            Kind::MissingChoice { choice } => {
                (ErrorTag::DataMissing, vec![ErrorInfo::MissingChoice(choice)])
            }
        };
        Self {
            error_type: ErrorType::Application,
            tag,
            app_tag: error.app_tag,
            path: error.path,
            message: error.message,
            info,
        }
    }
}

/// Writes one `<rpc-error>` into a `<rpc-reply>`, whose default namespace is the protocol's.
pub(crate) fn write_error(writer: &mut Writer<'_>, error: &RpcError, schema: &Schema) {
    writer.start("rpc-error");
    writer.leaf("error-type", error.error_type.as_str());
    writer.leaf("error-tag", error.tag.as_str());
    writer.leaf("error-severity", "error");
    if let Some(app_tag) = &error.app_tag {
        writer.leaf("error-app-tag", app_tag);
    }
    if let Some(path) = &error.path {
        write_path(writer, "error-path", None, path, schema);
    }
    // Clients exist that fail on an empty message.
    let message = if error.message.is_empty() { error.tag.as_str() } else { &error.message };
    writer.start("error-message").attribute("xml:lang", "en").text(message).end("error-message");
    if !error.info.is_empty() {
        writer.start("error-info");
        for info in &error.info {
            write_info(writer, info, schema);
        }
        writer.end("error-info");
    }
    writer.end("rpc-error");
}

fn write_info(writer: &mut Writer<'_>, info: &ErrorInfo, schema: &Schema) {
    let mut leaf = |name: &str, namespace: Option<&str>, text: &str| {
        writer.start(name);
        if let Some(namespace) = namespace {
            writer.default_namespace(namespace);
        }
        writer.text(text).end(name);
    };
    match info {
        ErrorInfo::BadAttribute(name) => leaf("bad-attribute", None, name),
        ErrorInfo::BadElement(name) => leaf("bad-element", None, name),
        ErrorInfo::BadNamespace(namespace) => leaf("bad-namespace", None, namespace),
        ErrorInfo::SessionId(session) => leaf("session-id", None, &session.to_string()),
        ErrorInfo::MissingChoice(choice) => leaf("missing-choice", Some(YANG_NAMESPACE), choice),
        ErrorInfo::Quorate { element, text } => leaf(element, Some(QUORATE_NAMESPACE), text),
        ErrorInfo::NonUnique(path) => {
            write_path(writer, "non-unique", Some(YANG_NAMESPACE), path, schema);
        }
    }
}

/// An element whose text is an instance-identifier (RFC 7950, 9.13). It declares the prefixes that this uses.
fn write_path(
    writer: &mut Writer<'_>,
    element: &str,
    namespace: Option<&str>,
    path: &InstancePath,
    schema: &Schema,
) {
    let mut declarations = Declarations::default();
    let text = instance_identifier(schema, path, &mut declarations);
    writer.start(element);
    if let Some(namespace) = namespace {
        writer.default_namespace(namespace);
    }
    declarations.declare(writer);
    writer.text(&text).end(element);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netconf::test_server::{node, schema};
    use crate::yang::path::Selector;

    fn xml(error: &RpcError) -> String {
        let mut out = Vec::new();
        write_error(&mut Writer::new(&mut out), error, &schema());
        String::from_utf8(out).unwrap()
    }

    /// What is between `<error-info>` and `</error-info>`.
    fn info(error: &RpcError) -> String {
        let xml = xml(error);
        let inside = xml.split_once("<error-info>").map_or("", |(_, rest)| rest);
        inside.split_once("</error-info>").map_or("", |(inside, _)| inside).to_owned()
    }

    /// `/t:top/t:item[t:id='1']/t:value`.
    fn path() -> InstancePath {
        let (top, item) = (node(&["top"]), node(&["top", "item"]));
        InstancePath::default()
            .child(top, Selector::None)
            .child(item, Selector::Keys(vec!["1".into()]))
            .child(node(&["top", "item", "value"]), Selector::None)
    }

    #[test]
    fn faults_of_data_have_the_tags_of_rfc_7950() {
        use DataErrorKind as Kind;
        let (element, attribute) = ("e".to_owned(), "a".to_owned());
        let bad_element = "<bad-element>e</bad-element>";
        let both = "<bad-attribute>a</bad-attribute><bad-element>e</bad-element>";
        let identifier = "<non-unique xmlns=\"urn:ietf:params:xml:ns:yang:1\" xmlns:t=\"urn:t\">\
                          /t:top/t:item[t:id='1']/t:value</non-unique>";
        let choice = "<missing-choice xmlns=\"urn:ietf:params:xml:ns:yang:1\">c</missing-choice>";
        for (kind, tag, expected) in [
            (Kind::InvalidValue, "invalid-value", ""),
            (Kind::MissingKey { key: element.clone() }, "missing-element", bad_element),
            (Kind::MissingElement { element: element.clone() }, "missing-element", bad_element),
            (Kind::BadElement { element: element.clone() }, "bad-element", bad_element),
            (Kind::UnknownElement { element: element.clone() }, "unknown-element", bad_element),
            (
                Kind::UnknownNamespace { element: element.clone(), namespace: "urn:x".to_owned() },
                "unknown-namespace",
                "<bad-element>e</bad-element><bad-namespace>urn:x</bad-namespace>",
            ),
            (
                Kind::BadAttribute { attribute: attribute.clone(), element: element.clone() },
                "bad-attribute",
                both,
            ),
            (
                Kind::MissingAttribute { attribute: attribute.clone(), element: element.clone() },
                "missing-attribute",
                both,
            ),
            (Kind::UnknownAttribute { attribute, element }, "unknown-attribute", both),
            (Kind::DataExists, "data-exists", ""),
            (Kind::DataMissing, "data-missing", ""),
            (Kind::NotUnique { non_unique: vec![path()] }, "operation-failed", identifier),
            (Kind::OperationFailed, "operation-failed", ""),
            (Kind::MissingChoice { choice: "c".to_owned() }, "data-missing", choice),
        ] {
            let error = RpcError::from(DataError::new(kind, "message"));
            assert_eq!((error.error_type, error.tag.as_str()), (ErrorType::Application, tag));
            assert_eq!(info(&error), expected);
        }
    }

    #[test]
    fn an_error_has_its_elements_in_the_order_of_rfc_6241() {
        let error = DataError::new(DataErrorKind::OperationFailed, "a < b")
            .at(path())
            .tagged("must-violation");
        let error = RpcError::from(error)
            .with(ErrorInfo::SessionId(0))
            .with(ErrorInfo::Quorate { element: "member".into(), text: "n1".to_owned() });
        assert_eq!(
            xml(&error),
            "<rpc-error><error-type>application</error-type>\
             <error-tag>operation-failed</error-tag><error-severity>error</error-severity>\
             <error-app-tag>must-violation</error-app-tag>\
             <error-path xmlns:t=\"urn:t\">/t:top/t:item[t:id='1']/t:value</error-path>\
             <error-message xml:lang=\"en\">a &lt; b</error-message>\
             <error-info><session-id>0</session-id>\
             <member xmlns=\"urn:quorate:netconf\">n1</member></error-info></rpc-error>"
        );
    }

    #[test]
    fn a_message_is_never_empty() {
        let error = RpcError::new(ErrorType::Rpc, ErrorTag::TooBig, "");
        assert!(xml(&error).contains("<error-message xml:lang=\"en\">too-big</error-message>"));
    }
}
