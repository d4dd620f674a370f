use super::*;
use crate::netconf::error::{ErrorInfo, ErrorTag, ErrorType, RpcError};
use crate::netconf::rpc::{Operation, Rpc, parse};
use crate::netconf::test_server::{ALL_FEATURES, schema};

fn read(operation: &str) -> Result<Operation, RpcError> {
    let message = format!("<rpc message-id='1'>{operation}</rpc>");
    let Rpc { operation, .. } = parse(message.as_bytes(), &schema(), ALL_FEATURES).unwrap();
    operation
}

fn element(name: &str, inner: &str) -> String {
    format!("<{name} xmlns='{NAMESPACE}'>{inner}</{name}>")
}

#[track_caller]
fn check(name: &str, inner: &str, expected: ClusterRequest) {
    assert_eq!(read(&element(name, inner)), Ok(Operation::Cluster(expected)), "{inner}");
}

#[track_caller]
fn check_error(name: &str, inner: &str, tag: ErrorTag, bad_element: Option<&str>) {
    let error = read(&element(name, inner)).expect_err(inner);
    assert_eq!((error.error_type, error.tag), (ErrorType::Protocol, tag), "{inner}: {error:?}");
    let info: Vec<_> =
        bad_element.map(|it| ErrorInfo::BadElement(it.to_owned())).into_iter().collect();
    assert_eq!(error.info, info, "{inner}");
}

#[test]
fn every_operation_is_read() {
    let text = str::to_owned;
    check(
        "cluster-init",
        "<name>lab-1</name><address>[2001:db8::1]:8830</address>",
        ClusterRequest::Init { name: text("lab-1"), address: text("[2001:db8::1]:8830") },
    );
    check(
        "cluster-init",
        "<name>x</name>",
        ClusterRequest::Init { name: text("x"), address: String::new() },
    );
    check("create-join-token", "", ClusterRequest::Token { valid_for_s: 600 });
    check(
        "create-join-token",
        "<valid-for> 86400 </valid-for>",
        ClusterRequest::Token { valid_for_s: 86_400 },
    );
    check("remove-member", "", ClusterRequest::Remove { member: None });
    check("remove-member", "<name>n2</name>", ClusterRequest::Remove { member: Some(text("n2")) });
    check("transfer-leadership", "", ClusterRequest::TransferLeadership { to: None });
    check(
        "transfer-leadership",
        "<to>n2</to>",
        ClusterRequest::TransferLeadership { to: Some(text("n2")) },
    );
    for policy in Policy::ALL {
        let inner = format!("<policy>{}</policy>", policy.name());
        check("set-policy", &inner, ClusterRequest::SetPolicy { policy });
    }
    check(
        "rollback-to-revision",
        "<revision>18446744073709551615</revision>",
        ClusterRequest::Rollback { revision: u64::MAX },
    );
    check(
        "rollback-to-revision",
        "<revision>0</revision>",
        ClusterRequest::Rollback { revision: 0 },
    );
}

#[test]
fn a_transaction_is_named_in_three_ways() {
    let outcome = |transaction| ClusterRequest::Outcome { transaction };
    check(
        "get-outcome",
        "<transaction-id>1.2.3</transaction-id>",
        outcome(TransactionName::Id("1.2.3".to_owned())),
    );
    check(
        "get-outcome",
        "<client-transaction-id> é </client-transaction-id>",
        outcome(TransactionName::Client(" é ".to_owned())),
    );
    for inner in [
        "<session-id>4294967295</session-id><message-id/>",
        "<message-id></message-id> <session-id>4294967295</session-id>",
    ] {
        let message_id = String::new();
        let session = SessionId(u32::MAX);
        check("get-outcome", inner, outcome(TransactionName::Message { session, message_id }));
    }
    for (inner, bad) in [
        ("", "transaction-id"),
        ("<session-id>1</session-id>", "message-id"),
        ("<message-id>1</message-id>", "session-id"),
    ] {
        check_error("get-outcome", inner, ErrorTag::MissingElement, Some(bad));
    }
    for (inner, bad) in [
        ("<transaction-id>1</transaction-id><session-id>1</session-id>", "session-id"),
        ("<message-id>1</message-id><transaction-id>1</transaction-id>", "transaction-id"),
        (
            "<transaction-id>1</transaction-id><client-transaction-id>1</client-transaction-id>",
            "client-transaction-id",
        ),
    ] {
        check_error("get-outcome", inner, ErrorTag::BadElement, Some(bad));
    }
}

#[test]
fn what_is_missing_unknown_or_there_twice_is_named() {
    for (name, missing) in
        [("cluster-init", "name"), ("set-policy", "policy"), ("rollback-to-revision", "revision")]
    {
        check_error(name, "", ErrorTag::MissingElement, Some(missing));
    }
    for name in [
        "cluster-init",
        "create-join-token",
        "remove-member",
        "transfer-leadership",
        "set-policy",
        "get-outcome",
        "rollback-to-revision",
    ] {
        check_error(name, "<force/>", ErrorTag::UnknownElement, Some("force"));
    }
    let twice = "<name>a</name><name>a</name>";
    check_error("cluster-init", twice, ErrorTag::BadElement, Some("name"));
    check_error("remove-member", "n2", ErrorTag::BadElement, Some("remove-member"));
    check_error("remove-member", "<name><b/></name>", ErrorTag::UnknownElement, Some("b"));
    let error = read(&element("remove-member", "<name xmlns='urn:nowhere'>a</name>")).unwrap_err();
    assert_eq!(error.tag, ErrorTag::UnknownNamespace);
    let error = read(&element("leave", "")).unwrap_err();
    assert_eq!(error.tag, ErrorTag::OperationNotSupported);
    let error = read("<remove-member/>").unwrap_err();
    assert_eq!(error.tag, ErrorTag::OperationNotSupported, "it is not one of RFC 6241");
}

#[test]
fn values_are_those_of_the_model() {
    let long = "a".repeat(NODE_NAME_BYTES_MAX + 1);
    for name in ["", "-a", "a b", "é", "a/b", &long] {
        let inner = format!("<name>{name}</name>");
        check_error("cluster-init", &inner, ErrorTag::InvalidValue, None);
    }
    for address in ["", "n1", "n1:", ":1", "n1:0", "n1:65536", "n1:+1", "a b:1", "::1:8830", "[]:1"]
    {
        let inner = format!("<name>a</name><address>{address}</address>");
        check_error("cluster-init", &inner, ErrorTag::InvalidValue, None);
    }
    for address in ["192.0.2.1:1", "n-1.example:65535", "[::1]:8830"] {
        assert!(is_peer_address(address), "{address}");
    }
    let many = "é".repeat(TRANSACTION_ID_CHARS_MAX);
    let inner = format!("<client-transaction-id>{many}</client-transaction-id>");
    check(
        "get-outcome",
        &inner,
        ClusterRequest::Outcome { transaction: TransactionName::Client(many.clone()) },
    );
    let (member, message) =
        ("n".repeat(NODE_NAME_BYTES_MAX + 1), "m".repeat(MESSAGE_ID_CHARS_MAX + 1));
    for (name, inner) in [
        ("create-join-token", "<valid-for>0</valid-for>"),
        ("create-join-token", "<valid-for>86401</valid-for>"),
        ("create-join-token", "<valid-for>10m</valid-for>"),
        ("remove-member", "<name/>"),
        ("remove-member", &*format!("<name>{member}</name>")),
        ("set-policy", "<policy>all</policy>"),
        ("rollback-to-revision", "<revision>-1</revision>"),
        ("rollback-to-revision", "<revision>18446744073709551616</revision>"),
        ("get-outcome", "<transaction-id/>"),
        ("get-outcome", "<session-id>0</session-id>"),
        ("get-outcome", &*format!("<client-transaction-id>{many}x</client-transaction-id>")),
        ("get-outcome", &*format!("<message-id>{message}</message-id>")),
    ] {
        check_error(name, inner, ErrorTag::InvalidValue, None);
    }
}
