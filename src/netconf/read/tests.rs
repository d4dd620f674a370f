use super::*;
use crate::netconf::framing::{Encoder, Framing};
use crate::netconf::hello::Features;
use crate::netconf::reply::{DataReply, Fill};
use crate::netconf::rpc::{Attributes, Operation, Rpc, parse};
use crate::netconf::state::Transport;
use crate::netconf::test_server::{ALL_FEATURES, NO_FEATURES, node, server, view};
use crate::yang::tree::{Child, Container};

const MONITORING: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
const LIBRARY: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-library";

/// What `<data>` holds for a request.
fn data(server: &Arc<Server>, view: &View, inner: &str) -> Result<String, RpcError> {
    let message = format!("<rpc message-id='1'>{inner}</rpc>");
    let Rpc { operation, .. } = parse(message.as_bytes(), &server.schema, server.features).unwrap();
    let Ok(Operation::Read(read)) = operation else { panic!("{inner}: {operation:?}") };
    let body = answer(&read, server, view)?;
    let encoder = Encoder::new(Framing::EndOfMessage);
    let mut reply = DataReply::new(encoder, &Attributes::default(), body);
    let mut out = Vec::new();
    while reply.fill(&mut out) == Fill::More {}
    let xml = String::from_utf8(out).unwrap();
    let start = "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><data>";
    let inside = xml.strip_prefix(start).unwrap_or_else(|| panic!("{xml}"));
    Ok(inside.strip_suffix("</data></rpc-reply>]]>]]>").unwrap().to_owned())
}

/// What a `get` with a filter gives.
fn get(features: Features, filter: &str) -> String {
    let inner = format!("<get><filter>{filter}</filter></get>");
    data(&server(features), &view(), &inner).unwrap()
}

/// A view whose running holds `/t:top/t:name`.
fn with_name(name: &str) -> View {
    let mut top = Container::default();
    top.set(node(&["top", "name"]), Child::Leaf(name.into()));
    let mut view = view();
    view.running.root.set(node(&["top"]), Child::Container(top));
    view
}

#[test]
fn get_config_gives_the_named_datastore_only() {
    let (server, view) = (server(ALL_FEATURES), with_name("a"));
    let top = "<top xmlns=\"urn:t\"><name>a</name></top>";
    for (inner, expected) in [
        ("<get-config><source><running/></source></get-config>", top),
        ("<get-config><source><candidate/></source></get-config>", ""),
        ("<get-config><source><running/></source><filter/></get-config>", ""),
        (
            "<get-config><source><running/></source><filter><top xmlns='urn:t'/></filter></get-config>",
            top,
        ),
        (
            "<get-config><source><running/></source><filter><x xmlns='urn:x'/></filter></get-config>",
            "",
        ),
    ] {
        assert_eq!(data(&server, &view, inner).as_deref(), Ok(expected), "{inner}");
    }
    let startup = "<get-config><source><startup/></source></get-config>";
    let error = data(&server, &view, startup).unwrap_err();
    assert_eq!(error.tag, ErrorTag::OperationNotSupported);
}

#[test]
fn get_gives_running_and_state() {
    let all = data(&server(ALL_FEATURES), &with_name("a"), "<get/>").unwrap();
    for part in [
        "<top xmlns=\"urn:t\"><name>a</name></top>".to_owned(),
        format!("<netconf-state xmlns=\"{MONITORING}\"><capabilities><capability>"),
        format!("<yang-library xmlns=\"{LIBRARY}\"><module-set><name>complete</name>"),
        format!("<modules-state xmlns=\"{LIBRARY}\"><module-set-id>"),
    ] {
        assert!(all.contains(&part), "{part} in {all}");
    }
    let only = data(
        &server(ALL_FEATURES),
        &with_name("a"),
        "<get><filter><top xmlns='urn:t'/></filter></get>",
    );
    assert_eq!(only.as_deref(), Ok("<top xmlns=\"urn:t\"><name>a</name></top>"));
}

#[test]
fn state_that_a_filter_cannot_select_is_not_made() {
    let server = server(ALL_FEATURES);
    for (filter, expected) in [
        ("", 0),
        ("<top xmlns='urn:t'/>", 0),
        ("<x xmlns='urn:x'/>", 0),
        ("<netconf-state/>", 1),
        ("<netconf-state><x/></netconf-state><modules-state/>", 2),
        ("<cluster-state xmlns='urn:quorate:cluster'><leader/></cluster-state>", 1),
        ("<commit-history/>", 0),
    ] {
        let message = format!("<rpc message-id='1'><get><filter>{filter}</filter></get></rpc>");
        let rpc = parse(message.as_bytes(), &server.schema, server.features).unwrap();
        let Ok(Operation::Read(Read::Get { filter: Some(filter) })) = rpc.operation else {
            panic!("{message}");
        };
        let made = operational(&server, &view(), Some(&filter));
        assert_eq!(made.root.iter().count(), expected, "{message}");
    }
    assert_eq!(operational(&server, &view(), None).root.iter().count(), 4);
}

#[test]
fn sessions_and_locks_are_those_of_the_view() {
    let state = |part: &str| {
        get(ALL_FEATURES, &format!("<netconf-state xmlns='{MONITORING}'><{part}/></netconf-state>"))
    };
    let whole =
        |inside: &str| format!("<netconf-state xmlns=\"{MONITORING}\">{inside}</netconf-state>");
    assert_eq!(
        state("datastores"),
        whole(
            "<datastores><datastore><name>candidate</name></datastore><datastore>\
             <name>running</name><locks><global-lock><locked-by-session>7</locked-by-session>\
             <locked-time>2000-02-29T00:00:00Z</locked-time></global-lock></locks></datastore>\
             <datastore><name>startup</name></datastore></datastores>"
        )
    );
    let counters = "<in-rpcs>0</in-rpcs><in-bad-rpcs>0</in-bad-rpcs>\
                    <out-rpc-errors>0</out-rpc-errors><out-notifications>0</out-notifications>";
    let sessions = state("sessions");
    for part in [
        "<sessions><session><session-id>7</session-id><transport",
        ":netconf-ssh</transport>",
        "<username>admin</username><source-host>192.0.2.1</source-host>",
        "<login-time>1970-01-01T00:00:00Z</login-time>",
        counters,
    ] {
        assert!(sessions.contains(part), "{part} in {sessions}");
    }
    assert_eq!(
        state("statistics"),
        whole(&format!(
            "<statistics><netconf-start-time>2026-11-21T13:59:59Z</netconf-start-time>\
             <in-bad-hellos>0</in-bad-hellos><in-sessions>0</in-sessions>\
             <dropped-sessions>0</dropped-sessions>{counters}</statistics>"
        ))
    );
    let none = get(
        NO_FEATURES,
        &format!(
            "<netconf-state xmlns='{MONITORING}'><datastores><datastore><name/></datastore></datastores></netconf-state>"
        ),
    );
    assert_eq!(none, whole("<datastores><datastore><name>running</name></datastore></datastores>"));
}

#[test]
fn the_local_socket_is_a_transport_of_our_own() {
    let mut view = view();
    let mut sessions = (*view.sessions).clone();
    sessions[0].transport = Transport::Unix;
    sessions[0].source_host = None;
    view.sessions = Arc::new(sessions);
    let filter = format!(
        "<get><filter><netconf-state xmlns='{MONITORING}'><sessions><session><transport/>\
         <source-host/></session></sessions></netconf-state></filter></get>"
    );
    assert_eq!(
        data(&server(ALL_FEATURES), &view, &filter).unwrap(),
        format!(
            "<netconf-state xmlns=\"{MONITORING}\"><sessions><session><session-id>7</session-id>\
             <transport xmlns:qnc=\"urn:quorate:netconf\">qnc:local-socket</transport>\
             </session></sessions></netconf-state>"
        )
    );
}

#[test]
fn every_module_and_submodule_can_be_fetched() {
    let one = |name: &str| {
        get(
            ALL_FEATURES,
            &format!(
                "<netconf-state xmlns='{MONITORING}'><schemas><schema><identifier>{name}</identifier>\
             </schema></schemas></netconf-state>"
            ),
        )
    };
    for (name, version, namespace) in [
        ("t", "2026-01-01", "urn:t"),
        ("u-sub", "2026-02-02", "urn:u"),
        ("ietf-inet-types", "2013-07-15", "urn:ietf:params:xml:ns:yang:ietf-inet-types"),
    ] {
        let found = one(name);
        for part in [
            format!("<identifier>{name}</identifier><version>{version}</version><format"),
            format!(":yang</format><namespace>{namespace}</namespace><location>NETCONF</location>"),
        ] {
            assert!(found.contains(&part), "{part} in {found}");
        }
    }
    let found = one("u");
    assert!(found.contains("<identifier>u</identifier><version></version>"), "{found}");
}

#[test]
fn the_library_lists_modules_as_rfc_8525_and_rfc_7895_want_it() {
    let server = server(ALL_FEATURES);
    let id = server.schema.schema_id;
    let new = |name: &str| {
        get(
            ALL_FEATURES,
            &format!(
                "<yang-library xmlns='{LIBRARY}'><module-set><module><name>{name}</name></module>\
             </module-set></yang-library>"
            ),
        )
    };
    let t = new("t");
    let expected = "<module><name>t</name><revision>2026-01-01</revision><namespace>urn:t</namespace>\
                    <feature>f</feature><feature>g</feature><deviation>t-deviations</deviation>\
                    </module>";
    assert!(t.contains(expected), "{t}");
    let expected = "<module><name>u</name><namespace>urn:u</namespace><submodule><name>u-sub</name>\
                    <revision>2026-02-02</revision></submodule></module>";
    assert!(new("u").contains(expected), "{}", new("u"));
    let rest = get(
        ALL_FEATURES,
        &format!(
            "<yang-library xmlns='{LIBRARY}'><schema/><datastore/><content-id/></yang-library>"
        ),
    );
    for part in [
        "<schema><name>complete</name><module-set>complete</module-set></schema>".to_owned(),
        "running</name><schema>complete</schema></datastore>".to_owned(),
        "startup</name><schema>complete</schema></datastore>".to_owned(),
        format!("<content-id>{id}</content-id>"),
    ] {
        assert!(rest.contains(&part), "{part} in {rest}");
    }
    let old = get(
        ALL_FEATURES,
        &format!(
            "<modules-state xmlns='{LIBRARY}'><module><name>t</name></module></modules-state>"
        ),
    );
    let expected = "<module><name>t</name><revision>2026-01-01</revision><namespace>urn:t</namespace>\
                    <feature>f</feature><feature>g</feature><deviation><name>t-deviations</name>\
                    <revision></revision></deviation><conformance-type>implement</conformance-type>\
                    </module>";
    assert!(old.contains(expected), "{old}");
    let imported = get(
        ALL_FEATURES,
        &format!(
            "<modules-state xmlns='{LIBRARY}'><module><conformance-type>import</conformance-type>\
             <name/></module></modules-state>"
        ),
    );
    assert!(imported.contains("<name>ietf-inet-types</name>"), "{imported}");
}
