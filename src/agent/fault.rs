//! Errors of operations as the agent decides them (RFC 6241, 7 and appendix A).

use super::head::NotProposed;
use crate::base::ids::SessionId;
use crate::netconf::error::{ErrorInfo, ErrorTag, ErrorType, RpcError};
use crate::transaction::confirmed::NotYours;
use crate::yang::error::DataError;

fn protocol(tag: ErrorTag, message: impl Into<String>) -> RpcError {
    RpcError::new(ErrorType::Protocol, tag, message)
}

pub(super) fn invalid_value(message: impl Into<String>) -> RpcError {
    protocol(ErrorTag::InvalidValue, message)
}

pub(super) fn not_supported(message: impl Into<String>) -> RpcError {
    protocol(ErrorTag::OperationNotSupported, message)
}

pub(super) fn in_use(message: impl Into<String>) -> RpcError {
    protocol(ErrorTag::InUse, message)
}

pub(super) fn locked_by(what: &str, session: SessionId) -> RpcError {
    in_use(format!("{what} is locked by session {session}"))
}

/// RFC 6241, 7.5: 0 stands for what is not a NETCONF session.
pub(super) fn lock_denied(session: u32, message: impl Into<String>) -> RpcError {
    protocol(ErrorTag::LockDenied, message).with(ErrorInfo::SessionId(session))
}

pub(super) fn operation_failed(message: impl Into<String>) -> RpcError {
    protocol(ErrorTag::OperationFailed, message)
}

pub(super) fn resource_denied(app_tag: &str, message: impl Into<String>) -> RpcError {
    protocol(ErrorTag::ResourceDenied, message).tagged(app_tag)
}

pub(super) fn storage_full() -> RpcError {
    let message = "the disk is full: free some space, then try again";
    resource_denied("quorate:storage-full", message)
}

/// Nothing was changed.
pub(super) fn not_proposed(error: &NotProposed) -> RpcError {
    match error {
        NotProposed::NoLeader => resource_denied("quorate:no-leader", error.to_string()),
        NotProposed::Refused(_) => resource_denied("quorate:queue-full", error.to_string()),
        NotProposed::TooBig => protocol(ErrorTag::TooBig, error.to_string()),
        NotProposed::Void => operation_failed(error.to_string()),
    }
}

pub(super) fn not_yours(error: &NotYours) -> RpcError {
    match error {
        NotYours::UnknownPersistId => invalid_value(error.to_string()),
        NotYours::Persistent | NotYours::OtherSession(_) => {
            in_use(error.to_string()).tagged("quorate:confirmed-commit-pending")
        }
        NotYours::NonePending => operation_failed(error.to_string()),
    }
}

pub(super) fn of_data(errors: Vec<DataError>) -> Vec<RpcError> {
    errors.into_iter().map(RpcError::from).collect()
}

/// A participant's no (`errors.md`, Cluster).
pub(super) fn refused(member: &str, participant: &str, reason: &str) -> RpcError {
    let quorate = |element, text: &str| ErrorInfo::Quorate { element, text: text.to_owned() };
    let message = format!("participant {participant} on {member} refused the change: {reason}");
    RpcError::new(ErrorType::Application, ErrorTag::OperationFailed, message)
        .tagged("quorate:refused")
        .with(quorate("member", member))
        .with(quorate("participant", participant))
        .with(quorate("reason", reason))
}
