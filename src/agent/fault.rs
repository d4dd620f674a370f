//! Errors of operations as the agent decides them (RFC 6241, 7 and appendix A).

use super::head::NotProposed;
use crate::base::ids::{SessionId, TxId};
use crate::netconf::error::{ErrorInfo, ErrorTag, ErrorType, RpcError};
use crate::transaction::confirmed::NotYours;
use crate::yang::error::DataError;
use crate::yang::path::InstancePath;

fn protocol(tag: ErrorTag, message: impl Into<String>) -> RpcError {
    RpcError::new(ErrorType::Protocol, tag, message)
}

pub(super) fn invalid_value(message: impl Into<String>) -> RpcError {
    protocol(ErrorTag::InvalidValue, message)
}

/// RFC 6241, 7.9.
pub(super) fn no_session(session: SessionId) -> RpcError {
    invalid_value(format!("there is no session {session}"))
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

pub(super) fn no_leader() -> RpcError {
    let message = "no member leads: a majority of the voters must be up and reach each other";
    resource_denied("quorate:no-leader", message)
}

/// It may be committed, now or later: to be looked up (PROTOCOL O1).
pub(super) fn outcome_unknown(txid: TxId) -> RpcError {
    let message = format!(
        "no member leads any more, and transaction {txid} may or may not be committed: ask for its outcome later"
    );
    operation_failed(message)
        .tagged("quorate:outcome-unknown")
        .with(ErrorInfo::Quorate { element: "transaction".into(), text: txid.to_string() })
}

/// The request is from before its origin's floor: nothing of it comes into the log (PROTOCOL F3).
pub(super) fn expired(txid: TxId) -> RpcError {
    operation_failed(format!("transaction {txid} has expired"))
}

/// The session does not hold the lock any more that it held when it asked (PROTOCOL F24).
pub(super) fn lock_lost() -> RpcError {
    protocol(ErrorTag::LockDenied, "the lock of this session was released meanwhile")
        .tagged("quorate:lock-lost")
        .with(ErrorInfo::SessionId(0))
}

pub(super) fn member_unreachable(name: &str) -> RpcError {
    let message = format!("member {name} cannot be reached, and the policy asks for every member");
    resource_denied("quorate:member-unreachable", message)
}

pub(super) fn access_denied() -> RpcError {
    let message = "operations on the cluster are for users with `admin = true` and for root on the local socket";
    RpcError::new(ErrorType::Application, ErrorTag::AccessDenied, message)
}

pub(super) fn not_founded() -> RpcError {
    operation_failed("this node belongs to no cluster yet: `quorate cluster init` makes one")
}

pub(super) fn not_ready() -> RpcError {
    resource_denied("quorate:not-ready", "the node is starting")
}

/// Running was changed on the same paths.
pub(super) fn conflicts(paths: Vec<InstancePath>) -> Vec<RpcError> {
    let conflict = |path| {
        operation_failed("running was changed here since the candidate's edits began")
            .tagged("quorate:conflict")
            .at(path)
    };
    paths.into_iter().map(conflict).collect()
}

/// Errors as they travel between members.
pub(super) fn encode(errors: &[RpcError]) -> Vec<u8> {
    // Postcard fails on what has no length only; there is nothing of the kind in it.
    postcard::to_stdvec(errors).unwrap_or_default()
}

/// Errors as another member sent them.
pub(super) fn decode(bytes: &[u8]) -> Vec<RpcError> {
    let errors: Vec<RpcError> = postcard::from_bytes(bytes).unwrap_or_default();
    if errors.is_empty() {
        vec![operation_failed("the leader refused the request")]
    } else {
        errors
    }
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
    let quorate = |element: &'static str, text: &str| ErrorInfo::Quorate {
        element: element.into(),
        text: text.to_owned(),
    };
    let message = format!("participant {participant} on {member} refused the change: {reason}");
    RpcError::new(ErrorType::Application, ErrorTag::OperationFailed, message)
        .tagged("quorate:refused")
        .with(quorate("member", member))
        .with(quorate("participant", participant))
        .with(quorate("reason", reason))
}
