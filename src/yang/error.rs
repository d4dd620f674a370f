//! What is wrong with data, in the terms of RFC 7950 (8.3 and 15). `netconf/error.rs` makes an `rpc-error` of it.

use super::path::InstancePath;

/// One fault of data. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataError {
    pub(crate) kind: DataErrorKind,
    /// Where, as `error-path`; `None` where the RFC wants none or it is not known.
    pub(crate) path: Option<InstancePath>,
    /// The statement's error-app-tag, or the one that RFC 7950 section 15 gives.
    pub(crate) app_tag: Option<String>,
    /// Never empty.
    pub(crate) message: String,
}

/// The kinds, each with what its `error-info` needs. Names are (name, namespace).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DataErrorKind {
    /// `invalid-value`: type, range, length, pattern (8.3.1).
    InvalidValue,
    /// `missing-element`: a list entry without this key (8.3.1).
    MissingKey { key: String },
    /// `missing-element`: a mandatory node is absent.
    MissingElement { element: String },
    /// `bad-element`: data of two cases of a choice (8.3.1).
    BadElement { element: String },
    /// `unknown-element` (8.3.1): no such node, or its if-feature or when is false.
    UnknownElement { element: String },
    /// `unknown-namespace` (8.3.1).
    UnknownNamespace { element: String, namespace: String },
    /// `bad-attribute`: a value that the attribute cannot have (8.3.1).
    BadAttribute { attribute: String, element: String },
    /// `missing-attribute`.
    MissingAttribute { attribute: String, element: String },
    /// `unknown-attribute`.
    UnknownAttribute { attribute: String, element: String },
    /// `data-exists` (8.3.2).
    DataExists,
    /// `data-missing` (8.3.2, 15.5).
    DataMissing,
    /// `operation-failed` with `data-not-unique` (15.1): instance-identifiers of the entries' leafs.
    NotUnique { non_unique: Vec<InstancePath> },
    /// `operation-failed`: 15.2, 15.3, 15.4 and the like; the app-tag tells which.
    OperationFailed,
    /// `data-missing` with `missing-choice` (15.6): the choice's name.
    MissingChoice { choice: String },
}

impl DataError {
    /// A fault without path and app-tag.
    pub(crate) fn new(kind: DataErrorKind, message: impl Into<String>) -> Self {
        Self { kind, path: None, app_tag: None, message: message.into() }
    }

    /// The same fault, at `path`.
    pub(crate) fn at(mut self, path: InstancePath) -> Self {
        self.path = Some(path);
        self
    }

    /// The same fault with an app-tag.
    pub(crate) fn tagged(mut self, app_tag: impl Into<String>) -> Self {
        self.app_tag = Some(app_tag.into());
        self
    }
}
