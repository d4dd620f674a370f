//! `rpc-error` (RFC 6241, 4.3 and appendix A).

use crate::yang::path::InstancePath;

/// One `rpc-error` of severity error.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorType {
    Transport,
    Rpc,
    Protocol,
    Application,
}

/// `error-tag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
        element: &'static str,
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
