use super::*;
use crate::base::ids::SessionId;
use crate::base::limits::{DEPTH_MAX, PERSIST_ID_BYTES_MAX};
use crate::datastore::edit::Edit;
use crate::netconf::operation::{Commit, ConfigSource, Confirmed, TestOption};
use crate::netconf::test_server::{ALL_FEATURES, NO_FEATURES, schema};

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

fn rpc(inner: &str) -> String {
    format!("<rpc message-id=\"1\" xmlns=\"{BASE}\">{inner}</rpc>")
}

fn read(message: &str, features: Features) -> Result<Rpc, NotRpc> {
    parse(message.as_bytes(), &schema(), features)
}

#[track_caller]
fn check(inner: &str, expected: &Operation) {
    let rpc = read(&rpc(inner), ALL_FEATURES).unwrap();
    assert_eq!(rpc.operation.as_ref(), Ok(expected), "{inner}");
}

#[track_caller]
fn check_request(inner: &str, expected: Request) {
    check(inner, &Operation::Request(expected));
}

/// The operation is refused with this tag, and with this `error-info` in short: names of its elements.
#[track_caller]
fn check_error(inner: &str, features: Features, tag: ErrorTag, info: &[ErrorInfo]) {
    let error = read(&rpc(inner), features).unwrap().operation.expect_err(inner);
    assert_eq!((error.error_type, error.tag), (ErrorType::Protocol, tag), "{inner}: {error:?}");
    assert_eq!(error.info, info, "{inner}");
    assert!(!error.message.is_empty());
}

fn element(name: &str) -> Vec<ErrorInfo> {
    vec![ErrorInfo::BadElement(name.to_owned())]
}

#[test]
fn every_operation_of_rfc_6241_is_read() {
    use Datastore::{Candidate, Running, Startup};
    let edit = |default_operation| Edit { default_operation, nodes: Vec::new() };
    for (xml, request) in [
        ("<lock><target><running/></target></lock>", Request::Lock { target: Running }),
        ("<unlock><target><candidate/></target></unlock>", Request::Unlock { target: Candidate }),
        (
            "<delete-config><target><startup/></target></delete-config>",
            Request::DeleteConfig { target: Startup },
        ),
        ("<close-session/>", Request::CloseSession),
        (
            "<kill-session> <session-id> 4294967295 </session-id> </kill-session>",
            Request::KillSession { session: SessionId(u32::MAX) },
        ),
        ("<discard-changes/>", Request::DiscardChanges),
        ("<cancel-commit/>", Request::CancelCommit { persist_id: None }),
        (
            "<cancel-commit><persist-id> a </persist-id></cancel-commit>",
            Request::CancelCommit { persist_id: Some(" a ".to_owned()) },
        ),
        (
            "<validate><source><candidate/></source></validate>",
            Request::Validate { source: ConfigSource::Datastore(Candidate) },
        ),
        (
            "<validate><source><config/></source></validate>",
            Request::Validate { source: ConfigSource::Inline(edit(DefaultOperation::Merge)) },
        ),
        (
            "<copy-config><source><running/></source><target><startup/></target></copy-config>",
            Request::CopyConfig { source: ConfigSource::Datastore(Running), target: Startup },
        ),
        (
            "<copy-config><target><running/></target><source><config/></source></copy-config>",
            Request::CopyConfig {
                source: ConfigSource::Inline(edit(DefaultOperation::Merge)),
                target: Running,
            },
        ),
        (
            "<edit-config><target><candidate/></target><config/></edit-config>",
            Request::EditConfig {
                target: Candidate,
                test_option: TestOption::Unstated,
                edit: edit(DefaultOperation::Merge),
            },
        ),
        (
            "<edit-config><target><running/></target><default-operation>none</default-operation>\
             <test-option>test-only</test-option><error-option>rollback-on-error</error-option>\
             <config/></edit-config>",
            Request::EditConfig {
                target: Running,
                test_option: TestOption::TestOnly,
                edit: edit(DefaultOperation::None),
            },
        ),
    ] {
        check_request(xml, request);
    }
}

#[test]
fn commits_are_read_with_all_their_parameters() {
    let commit = |confirmed, persist_id: Option<&str>| {
        Request::Commit(Commit { confirmed, persist_id: persist_id.map(str::to_owned) })
    };
    let confirmed = |timeout_s, persist: Option<&str>| {
        Some(Confirmed { timeout_s, persist: persist.map(str::to_owned) })
    };
    for (xml, request) in [
        ("<commit/>", commit(None, None)),
        ("<commit><confirmed/></commit>", commit(confirmed(600, None), None)),
        ("<commit><persist-id>x</persist-id></commit>", commit(None, Some("x"))),
        (
            "<commit><confirm-timeout>1</confirm-timeout><confirmed/></commit>",
            commit(confirmed(1, None), None),
        ),
        (
            "<commit><confirmed/><confirm-timeout>+30</confirm-timeout><persist>p</persist>\
             <persist-id>q</persist-id></commit>",
            commit(confirmed(30, Some("p")), Some("q")),
        ),
        ("<commit><confirmed/><persist/></commit>", commit(confirmed(600, Some("")), None)),
    ] {
        check_request(xml, request);
    }
}

#[test]
fn reads_are_read() {
    let monitoring = format!("xmlns=\"{}\"", monitoring::NAMESPACE);
    let get_schema = |version: Option<&str>, format| {
        Operation::Read(Read::GetSchema {
            identifier: "t".to_owned(),
            version: version.map(str::to_owned),
            format,
        })
    };
    let none = Operation::Read(Read::Get { filter: None });
    check("<get/>", &none);
    check("<get></get>", &none);
    let running = Datastore::Running;
    check(
        "<get-config><source><running/></source></get-config>",
        &Operation::Read(Read::GetConfig { source: running, filter: None }),
    );
    for filter in ["<filter/>", "<filter type='subtree'/>", "<nc:filter nc:type=\"subtree\"/>"] {
        let xml = format!("<get xmlns:nc='{BASE}'>{filter}</get>");
        let found = read(&rpc(&xml), ALL_FEATURES).unwrap().operation.unwrap();
        assert!(matches!(found, Operation::Read(Read::Get { filter: Some(_) })), "{xml}");
    }
    for (inner, expected) in [
        ("<identifier>t</identifier>", get_schema(None, SchemaFormat::Yang)),
        (
            "<identifier> t </identifier><version/><format>yang</format>",
            get_schema(Some(""), SchemaFormat::Yang),
        ),
        (
            "<version>2026-01-01</version><identifier>t</identifier>\
             <format xmlns:m='urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring'>m:yin</format>",
            get_schema(Some("2026-01-01"), SchemaFormat::Other),
        ),
    ] {
        check(&format!("<get-schema {monitoring}>{inner}</get-schema>"), &expected);
    }
}

#[test]
fn the_content_of_config_is_read_with_its_operations() {
    use crate::datastore::edit::Operation as EditOperation;
    for (order, expected) in [
        ("<default-operation>none</default-operation>{}", EditOperation::None),
        ("{}<default-operation>none</default-operation>", EditOperation::None),
        ("{}", EditOperation::Merge),
    ] {
        let config = "<config><top xmlns='urn:t'><name>a</name></top></config>";
        let parameters = order.replace("{}", config);
        let xml = format!("<edit-config><target><running/></target>{parameters}</edit-config>");
        let operation = read(&rpc(&xml), ALL_FEATURES).unwrap().operation;
        let Ok(Operation::Request(Request::EditConfig { edit, .. })) = operation else {
            panic!("{operation:?}");
        };
        assert_eq!(edit.nodes[0].operation, expected, "{xml}");
        assert_eq!(edit.nodes[0].children()[0].operation, expected, "{xml}");
    }
}

#[test]
fn faults_of_config_are_of_the_application_layer() {
    let edit = |content: &str| {
        format!("<edit-config><target><running/></target><config>{content}</config></edit-config>")
    };
    let validate =
        |content: &str| format!("<validate><source><config>{content}</config></source></validate>");
    for (xml, tag) in [
        (edit("<nowhere xmlns='urn:t'/>"), ErrorTag::UnknownElement),
        (edit("<top xmlns='urn:nowhere'/>"), ErrorTag::UnknownNamespace),
        (edit("<top xmlns='urn:t'><item><id>256</id></item></top>"), ErrorTag::InvalidValue),
        (edit("<top xmlns='urn:t'><item/></top>"), ErrorTag::MissingElement),
        (
            validate(&format!("<top xmlns='urn:t' xmlns:nc='{BASE}' nc:operation='merge'/>")),
            ErrorTag::UnknownAttribute,
        ),
    ] {
        let error = read(&rpc(&xml), ALL_FEATURES).unwrap().operation.expect_err(&xml);
        assert_eq!((error.error_type, error.tag), (ErrorType::Application, tag), "{xml}");
    }
    let broken = rpc(&edit("<nowhere xmlns='urn:t'/></wrong>"));
    assert!(read(&broken, ALL_FEATURES).is_err(), "being broken comes first");
}

#[test]
fn default_operation_counts_wherever_it_stands() {
    check_request(
        "<edit-config><config/><target><running/></target>\
         <default-operation>replace</default-operation></edit-config>",
        Request::EditConfig {
            target: Datastore::Running,
            test_option: TestOption::Unstated,
            edit: Edit { default_operation: DefaultOperation::Replace, nodes: Vec::new() },
        },
    );
}

#[test]
fn missing_parameters_are_missing_elements() {
    let monitoring = format!("<get-schema xmlns=\"{}\"/>", monitoring::NAMESPACE);
    for (xml, missing) in [
        ("", "rpcOperation"),
        ("<get-config/>", "source"),
        ("<get-config><source/></get-config>", "source"),
        ("<lock/>", "target"),
        ("<lock><target/></lock>", "target"),
        ("<kill-session/>", "session-id"),
        ("<validate/>", "source"),
        ("<copy-config><target><running/></target></copy-config>", "source"),
        ("<copy-config><source><running/></source></copy-config>", "target"),
        ("<delete-config/>", "target"),
        ("<edit-config><config/></edit-config>", "target"),
        ("<edit-config><target><running/></target></edit-config>", "config"),
        ("<commit><confirm-timeout>5</confirm-timeout></commit>", "confirmed"),
        ("<commit><persist>x</persist></commit>", "confirmed"),
        (&monitoring, "identifier"),
    ] {
        check_error(xml, ALL_FEATURES, ErrorTag::MissingElement, &element(missing));
    }
}

#[test]
fn what_is_not_expected_is_unknown() {
    for (xml, unknown) in [
        ("<get/><get/>", "get"),
        ("<get><source/></get>", "source"),
        ("<commit><foo/></commit>", "foo"),
        ("<discard-changes><foo/></discard-changes>", "foo"),
        ("<close-session><x><y/></x></close-session>", "x"),
        ("<lock><source><running/></source></lock>", "source"),
        ("<lock><target><intended/></target></lock>", "intended"),
        ("<lock><target><url>file:///x</url></target></lock>", "url"),
        ("<get-config><source><config/></source></get-config>", "config"),
        ("<edit-config><target><startup/></target><config/></edit-config>", "startup"),
        ("<edit-config><target><running/></target><url>x</url></edit-config>", "url"),
        ("<kill-session><session-id><x/></session-id></kill-session>", "x"),
        ("<commit><confirmed xmlns='urn:t'/></commit>", "confirmed"),
    ] {
        check_error(xml, ALL_FEATURES, ErrorTag::UnknownElement, &element(unknown));
    }
    let mut info = element("confirmed");
    info.push(ErrorInfo::BadNamespace("urn:nowhere".to_owned()));
    let xml = "<commit><confirmed xmlns='urn:nowhere'/></commit>";
    check_error(xml, ALL_FEATURES, ErrorTag::UnknownNamespace, &info);
}

#[test]
fn what_comes_twice_is_a_bad_element() {
    for (xml, bad) in [
        ("<lock><target><running/></target><target><running/></target></lock>", "target"),
        ("<lock><target><running/><candidate/></target></lock>", "candidate"),
        ("<lock><target><running/><running/></target></lock>", "running"),
        ("<commit><confirmed/><confirmed/></commit>", "confirmed"),
        ("<get><filter/><filter/></get>", "filter"),
        ("<lock>text<target><running/></target></lock>", "lock"),
        ("text<get/>", "rpc"),
        ("<get/>text", "rpc"),
    ] {
        check_error(xml, ALL_FEATURES, ErrorTag::BadElement, &element(bad));
    }
}

#[test]
fn values_outside_their_types_are_invalid() {
    let long = format!("<persist>{}</persist>", "x".repeat(PERSIST_ID_BYTES_MAX + 1));
    let long = format!("<commit><confirmed/>{long}</commit>");
    let monitoring = format!(
        "<get-schema xmlns=\"{}\"><format>foo</format></get-schema>",
        monitoring::NAMESPACE
    );
    for xml in [
        "<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>",
        "<commit><confirmed/><confirm-timeout>-1</confirm-timeout></commit>",
        "<commit><confirmed/><confirm-timeout>4294967296</confirm-timeout></commit>",
        "<commit><confirmed/><confirm-timeout/></commit>",
        "<commit><confirmed>true</confirmed></commit>",
        "<kill-session><session-id>0</session-id></kill-session>",
        "<kill-session><session-id>x</session-id></kill-session>",
        "<lock><target><running>x</running></target></lock>",
        "<edit-config><target><running/></target><default-operation>delete</default-operation>\
         <config/></edit-config>",
        "<edit-config><target><running/></target><test-option/><config/></edit-config>",
        "<edit-config><target><running/></target><error-option>x</error-option></edit-config>",
        "<copy-config><source><running/></source><target><running/></target></copy-config>",
        &long,
        &monitoring,
    ] {
        check_error(xml, ALL_FEATURES, ErrorTag::InvalidValue, &[]);
    }
}

#[test]
fn filters_of_other_types_are_bad_attributes() {
    for kind in ["XPath", "regex", "", "Subtree"] {
        let info = [
            ErrorInfo::BadAttribute("type".to_owned()),
            ErrorInfo::BadElement("filter".to_owned()),
        ];
        let xml = format!("<get><filter type=\"{kind}\" select=\"/\"/></get>");
        check_error(&xml, ALL_FEATURES, ErrorTag::BadAttribute, &info);
    }
}

#[test]
fn what_is_wrong_with_an_xpath_filter() {
    let check = |filter: &str, tag, message: &str| {
        let message_of = rpc(&format!("<get>{filter}</get>"));
        let error = read(&message_of, ALL_FEATURES).unwrap().operation.expect_err(filter);
        assert_eq!((error.tag, &*error.message), (tag, message), "{filter}");
    };
    check(
        "<filter type='xpath'/>",
        ErrorTag::MissingAttribute,
        "an xpath filter needs the attribute select",
    );
    for (select, message) in [
        ("/q:top", "prefix \"q\" is not declared at position 1 of the expression"),
        ("/top[", "an expression is expected at position 5 of the expression"),
        ("count(/top)", "the expression is not one of a node-set at position 0 of the expression"),
        ("", "an expression is expected at position 0 of the expression"),
    ] {
        check(
            &format!("<filter type='xpath' select='{select}'/>"),
            ErrorTag::InvalidValue,
            message,
        );
    }
}

#[test]
fn operations_that_are_not_there_are_not_supported() {
    for (xml, features) in [
        ("<foo/>", ALL_FEATURES),
        ("<get-schema/>", ALL_FEATURES),
        ("<get xmlns='urn:t'/>", ALL_FEATURES),
        ("<get xmlns='urn:nowhere'/>", ALL_FEATURES),
        (
            "<action xmlns='urn:ietf:params:xml:ns:yang:1'><top xmlns='urn:t'/></action>",
            ALL_FEATURES,
        ),
        ("<commit/>", NO_FEATURES),
        ("<discard-changes/>", NO_FEATURES),
        ("<cancel-commit/>", NO_FEATURES),
        ("<delete-config><target><running/></target></delete-config>", ALL_FEATURES),
        ("<delete-config><target><candidate/></target></delete-config>", ALL_FEATURES),
        ("<edit-config><target><running/></target><config/></edit-config>", NO_FEATURES),
        (
            "<copy-config><target><running/></target><source><config/></source></copy-config>",
            NO_FEATURES,
        ),
    ] {
        check_error(xml, features, ErrorTag::OperationNotSupported, &[]);
    }
}

#[test]
fn datastores_without_their_capability_are_unknown() {
    for (xml, unknown) in [
        ("<lock><target><candidate/></target></lock>", "candidate"),
        ("<get-config><source><startup/></source></get-config>", "startup"),
        ("<validate><source><candidate/></source></validate>", "candidate"),
    ] {
        check_error(xml, NO_FEATURES, ErrorTag::UnknownElement, &element(unknown));
    }
    let xml = "<lock><target><running/></target></lock>";
    assert!(read(&rpc(xml), NO_FEATURES).unwrap().operation.is_ok());
}

#[test]
fn an_rpc_without_message_id_is_refused() {
    for start in ["", "xmlns:x='urn:x' x:message-id='1'"] {
        let message = format!("<rpc {start} xmlns=\"{BASE}\"><close-session/></rpc>");
        let rpc = read(&message, ALL_FEATURES).unwrap();
        let error = rpc.operation.unwrap_err();
        assert_eq!((error.error_type, error.tag), (ErrorType::Rpc, ErrorTag::MissingAttribute));
        let info = [
            ErrorInfo::BadAttribute("message-id".to_owned()),
            ErrorInfo::BadElement("rpc".to_owned()),
        ];
        assert_eq!(error.info, info);
    }
}

#[test]
fn prefixes_declarations_and_missing_namespaces_are_accepted() {
    let lock = Ok(Operation::Request(Request::Lock { target: Datastore::Running }));
    for message in [
        format!(
            "<?xml version='1.0' encoding='utf-8'?><nc:rpc xmlns:nc='{BASE}' message-id='1'><nc:lock>\
             <nc:target><nc:running/></nc:target></nc:lock></nc:rpc>"
        ),
        format!("\n<?xml version=\"1.0\"?>\n{}\n", rpc("<lock><target><running/></target></lock>")),
        "<rpc message-id='1'><lock><target><running/></target></lock></rpc>".to_owned(),
        format!(
            "<nc:rpc xmlns:nc='{BASE}' message-id='1'><lock><target><running/></target></lock></nc:rpc>"
        ),
        rpc("<!-- c --><lock><?p i?><target><![CDATA[ ]]><running> </running></target></lock>"),
    ] {
        assert_eq!(read(&message, ALL_FEATURES).unwrap().operation, lock, "{message}");
    }
}

#[test]
fn attributes_are_kept_as_they_came() {
    let message = format!(
        "<nc:rpc a='&lt;\"&#10;' xmlns:nc='{BASE}' xmlns:e='urn:e' xmlns:unused='urn:x' e:user='fred' \
         message-id='urn:uuid:1' xml:lang='en' nc:x=''><nc:get/></nc:rpc>"
    );
    let attributes = read(&message, ALL_FEATURES).unwrap().attributes;
    assert_eq!(attributes.message_id(), Some("urn:uuid:1"));
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    assert_eq!(attributes.declarations, pairs(&[("e", "urn:e"), ("nc", BASE)]));
    assert_eq!(
        attributes.attributes,
        pairs(&[
            ("a", "<\"\n"),
            ("e:user", "fred"),
            ("message-id", "urn:uuid:1"),
            ("xml:lang", "en"),
            ("nc:x", ""),
        ])
    );
}

#[test]
fn messages_that_are_no_rpc_are_told_apart() {
    for message in [
        "",
        " ",
        "hello",
        "<rpc",
        "<hello/>",
        "<rpc xmlns='urn:other' message-id='1'><get/></rpc>",
        "<rpc-reply message-id='1'/>",
        "<!DOCTYPE rpc [<!ENTITY a 'b'>]><rpc message-id='1'><get/></rpc>",
        "<rpc message-id='1'>&a;</rpc>",
        "<rpc message-id='1'><get/></rpc><rpc message-id='2'><get/></rpc>",
        "<rpc message-id='1'><close-session/></rpc>x",
        "<rpc message-id='1'><get></rpc></get>",
        "<rpc message-id='1' message-id='2'><get/></rpc>",
        "<rpc><get/>",
        // Wrong in two ways: the broken message counts.
        "<rpc message-id='1'><foo/></rp>",
    ] {
        assert!(read(message, ALL_FEATURES).is_err(), "{message}");
    }
    let bad_utf_8 = b"<rpc message-id='\xFF'><get/></rpc>";
    assert!(parse(bad_utf_8, &schema(), ALL_FEATURES).is_err());
    let partial = read("<rpc message-id='1'><get></rpc>", ALL_FEATURES).unwrap_err();
    assert_eq!(partial.attributes.message_id(), Some("1"));
}

#[test]
fn a_message_beyond_the_limits_of_xml_is_too_big() {
    let deep = rpc(&format!("{}{}", "<a>".repeat(DEPTH_MAX), "</a>".repeat(DEPTH_MAX)));
    let error = read(&deep, ALL_FEATURES).unwrap().operation.unwrap_err();
    assert_eq!((error.error_type, error.tag), (ErrorType::Rpc, ErrorTag::TooBig));
}

#[test]
fn no_prefix_of_a_request_is_a_request() {
    let schema = schema();
    for inner in [
        "<edit-config><target><candidate/></target><error-option>stop-on-error</error-option>\
         <config><top xmlns='urn:t'><name>é</name></top></config></edit-config>",
        "<commit><confirmed/><confirm-timeout>30</confirm-timeout><persist>x</persist></commit>",
        "<get><filter type='subtree'><top xmlns='urn:t'/></filter></get>",
    ] {
        let message = rpc(inner);
        for end in 0..message.len() {
            let prefix = message.as_bytes().get(..end).unwrap_or_default();
            assert!(parse(prefix, &schema, ALL_FEATURES).is_err(), "{end} of {message}");
        }
        assert!(parse(message.as_bytes(), &schema, ALL_FEATURES).is_ok());
    }
}

#[test]
fn the_clients_name_for_a_request_has_1_to_64_characters() {
    let message = |name: &str| {
        format!(
            "<rpc message-id='1' xmlns='{BASE}' xmlns:q='urn:quorate:cluster' \
             q:transaction-id='{name}'><commit/></rpc>"
        )
    };
    let most = "é".repeat(TRANSACTION_ID_CHARS_MAX);
    for name in ["a", &most] {
        let rpc = read(&message(name), ALL_FEATURES).unwrap();
        assert!(rpc.operation.is_ok());
        assert_eq!(rpc.attributes.transaction.as_deref(), Some(name));
    }
    for name in ["", &format!("{most}a")] {
        let error = read(&message(name), ALL_FEATURES).unwrap().operation.unwrap_err();
        assert_eq!((error.error_type, error.tag), (ErrorType::Rpc, ErrorTag::BadAttribute));
        let attribute = ErrorInfo::BadAttribute("transaction-id".to_owned());
        assert_eq!(error.info, [attribute, ErrorInfo::BadElement("rpc".to_owned())]);
    }
    // One without a namespace, or of another one, is echoed like others.
    for attribute in ["transaction-id=''", "xmlns:o='urn:o' o:transaction-id=''"] {
        let message = format!("<rpc message-id='1' {attribute}><commit/></rpc>");
        let rpc = read(&message, ALL_FEATURES).unwrap();
        assert!(rpc.operation.is_ok() && rpc.attributes.transaction.is_none(), "{attribute}");
    }
}

#[test]
fn how_new_a_read_has_to_be_is_one_of_two_words() {
    let message = |word: &str| {
        format!(
            "<rpc message-id='1' xmlns='{BASE}' xmlns:q='urn:quorate:cluster' \
             q:consistency='{word}'><get/></rpc>"
        )
    };
    for (word, meant) in
        [("leased", Consistency::Leased), ("linearizable", Consistency::Linearizable)]
    {
        let rpc = read(&message(word), ALL_FEATURES).unwrap();
        assert!(rpc.operation.is_ok());
        assert_eq!(rpc.attributes.consistency(), Some(meant));
    }
    for word in ["", "Leased", "stale"] {
        let error = read(&message(word), ALL_FEATURES).unwrap().operation.unwrap_err();
        assert_eq!((error.error_type, error.tag), (ErrorType::Rpc, ErrorTag::BadAttribute));
        let attribute = ErrorInfo::BadAttribute("consistency".to_owned());
        assert_eq!(error.info, [attribute, ErrorInfo::BadElement("rpc".to_owned())]);
    }
}
