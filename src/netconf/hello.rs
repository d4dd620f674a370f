//! The `<hello>` of both sides (RFC 6241, 8.1): which capabilities there are, and how they are written.

use super::framing::Framing;
use super::operation::Datastore;
use super::{BASE_NAMESPACE, is_base_element};
use crate::base::ids::SessionId;
use crate::xml::{Content, Event, Reader, Writer, XmlError};
use crate::yang::schema::{Module, Schema};

/// What can be switched on and off. The rest is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features {
    /// :candidate, and with it :confirmed-commit.
    pub(crate) candidate: bool,
    /// :startup.
    pub(crate) startup: bool,
    /// :writable-running.
    pub(crate) writable_running: bool,
}

impl Features {
    /// The datastores that there are, with their elements' names.
    pub(crate) fn datastores(self) -> impl Iterator<Item = (Datastore, &'static str)> {
        let all = [
            (true, Datastore::Running, "running"),
            (self.candidate, Datastore::Candidate, "candidate"),
            (self.startup, Datastore::Startup, "startup"),
        ];
        all.into_iter().filter_map(|(there, datastore, name)| there.then_some((datastore, name)))
    }
}

/// The capability of NETCONF 1.0, in other words of `]]>]]>`.
const BASE_1_0: &str = "urn:ietf:params:netconf:base:1.0";
/// The capability of NETCONF 1.1, in other words of chunked framing.
pub(crate) const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";

/// Every capability in the order in which a `<hello>` lists them: the protocol's, the YANG library (RFC 7950, 5.6.4;
/// RFC 8526, 2), then the modules of YANG version 1 (RFC 6020, 5.6.4).
pub(crate) fn capabilities(schema: &Schema, features: Features) -> Vec<String> {
    let standard = [
        (features.writable_running, "writable-running:1.0"),
        (features.candidate, "candidate:1.0"),
        (features.candidate, "confirmed-commit:1.0"),
        (features.candidate, "confirmed-commit:1.1"),
        (true, "rollback-on-error:1.0"),
        (true, "validate:1.0"),
        (true, "validate:1.1"),
        (features.startup, "startup:1.0"),
        (true, "xpath:1.0"),
    ];
    let standard = standard.into_iter().filter(|(there, _)| *there);
    let standard = standard.map(|(_, name)| format!("urn:ietf:params:netconf:capability:{name}"));
    let implemented = || schema.modules.iter().filter(|module| module.implemented);
    let library = implemented().find(|module| *module.name == *super::library::MODULE);
    [BASE_1_0.to_owned(), BASE_1_1.to_owned()]
        .into_iter()
        .chain(standard)
        .chain(library.into_iter().flat_map(|module| yang_library(schema, module)))
        .chain(implemented().filter(|module| !module.yang_1_1).map(module_uri))
        .collect()
}

/// Both capabilities of the YANG library, as far as the module's revision has their trees.
fn yang_library(schema: &Schema, module: &Module) -> impl Iterator<Item = String> {
    let (revision, id) = (module.revision.to_string(), schema.schema_id);
    let rfc_8525 = *revision >= *"2019-01-04";
    let base = "urn:ietf:params:netconf:capability:yang-library";
    let old = format!("{base}:1.0?revision={revision}&module-set-id={id}");
    let new = rfc_8525.then(|| format!("{base}:1.1?revision={revision}&content-id={id}"));
    std::iter::once(old).chain(new)
}

/// A module's capability (RFC 6020, 5.6.4).
fn module_uri(module: &Module) -> String {
    let mut uri = format!("{}?module={}", module.namespace, module.name);
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            uri.extend(["&", name, "=", value]);
        }
    };
    add("revision", &module.revision);
    add("features", &module.features.join(","));
    add("deviations", &module.deviated_by.join(","));
    uri
}

/// Our `<hello>`, without framing.
pub(crate) fn server_hello(capabilities: &[String], session: SessionId) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut writer = Writer::new(&mut out);
    writer.start("hello").default_namespace(BASE_NAMESPACE).start("capabilities");
    for capability in capabilities {
        writer.leaf("capability", capability);
    }
    writer.end("capabilities").leaf("session-id", &session.to_string()).end("hello");
    out
}

/// Why a client's first message is no `<hello>` for us. The session is to be closed (RFC 6241, 8.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HelloError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("the first message is not a hello")]
    NotHello,
    #[error("the client's hello has a session-id")]
    SessionId,
    #[error("the client's hello has neither base:1.0 nor base:1.1")]
    NoCommonBase,
}

/// The framing of what follows a client's `<hello>`.
///
/// Elements without a namespace are taken for those of the protocol, and elements that are unknown are passed over.
pub(crate) fn read_client_hello(message: &[u8]) -> Result<Framing, HelloError> {
    let mut reader = Reader::new(message)?;
    if reader.next()? != Event::Start || !is_base_element(&reader, "hello") {
        return Err(HelloError::NotHello);
    }
    let (mut base_1_0, mut base_1_1) = (false, false);
    loop {
        match reader.next()? {
            Event::Start if is_base_element(&reader, "session-id") => {
                return Err(HelloError::SessionId);
            }
            // Its children are looked at next.
            Event::Start if is_base_element(&reader, "capabilities") && reader.depth() == 2 => {}
            Event::Start if is_base_element(&reader, "capability") && reader.depth() == 3 => {
                if reader.content()? == Content::Element {
                    reader.skip()?;
                    continue;
                }
                let capability = crate::xml::trim(reader.text());
                base_1_0 |= capability == BASE_1_0;
                base_1_1 |= capability == BASE_1_1;
            }
            Event::Start => reader.skip()?,
            Event::Text | Event::End => {}
            Event::Eof => break,
        }
    }
    match (base_1_0, base_1_1) {
        (_, true) => Ok(Framing::Chunked),
        (true, false) => Ok(Framing::EndOfMessage),
        (false, false) => Err(HelloError::NoCommonBase),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netconf::test_server::{ALL_FEATURES, NO_FEATURES, schema};

    #[test]
    fn capabilities_are_exactly_these() {
        let schema = schema();
        let id = schema.schema_id;
        let capability = |name: &str| format!("urn:ietf:params:netconf:capability:{name}");
        let tail = [
            capability(&format!("yang-library:1.0?revision=2019-01-04&module-set-id={id}")),
            capability(&format!("yang-library:1.1?revision=2019-01-04&content-id={id}")),
            "urn:ietf:params:xml:ns:netconf:base:1.0?module=ietf-netconf&revision=2011-06-01\
             &features=candidate,confirmed-commit,rollback-on-error,validate,xpath"
                .to_owned(),
            "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring?module=ietf-netconf-monitoring\
             &revision=2010-10-04"
                .to_owned(),
            "urn:t?module=t&revision=2026-01-01&features=f,g&deviations=t-deviations".to_owned(),
            "urn:t-deviations?module=t-deviations".to_owned(),
        ];
        let all = [
            "writable-running:1.0",
            "candidate:1.0",
            "confirmed-commit:1.0",
            "confirmed-commit:1.1",
            "rollback-on-error:1.0",
            "validate:1.0",
            "validate:1.1",
            "startup:1.0",
            "xpath:1.0",
        ];
        let least = ["rollback-on-error:1.0", "validate:1.0", "validate:1.1", "xpath:1.0"];
        for (features, names) in [(ALL_FEATURES, &all[..]), (NO_FEATURES, &least)] {
            let base = [BASE_1_0.to_owned(), BASE_1_1.to_owned()].into_iter();
            let middle = names.iter().map(|name| capability(name));
            let expected: Vec<String> = base.chain(middle).chain(tail.clone()).collect();
            assert_eq!(capabilities(&schema, features), expected);
        }
    }

    #[track_caller]
    fn check(hello: &str, expected: Result<Framing, HelloError>) {
        assert_eq!(read_client_hello(hello.as_bytes()), expected, "{hello}");
    }

    #[test]
    fn hellos_of_real_clients_are_understood() {
        let base = "xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'";
        let (one, both) = (
            format!("<capability>{BASE_1_0}</capability>"),
            format!("<capability>{BASE_1_0}</capability><capability>{BASE_1_1}</capability>"),
        );
        for (hello, expected) in [
            (
                format!("<hello {base}><capabilities>{one}</capabilities></hello>"),
                Framing::EndOfMessage,
            ),
            (
                format!("<hello {base}><capabilities>{both}</capabilities></hello>"),
                Framing::Chunked,
            ),
            (
                format!(
                    "<hello {base}><capabilities><capability>\n {BASE_1_1}\n</capability></capabilities></hello>"
                ),
                Framing::Chunked,
            ),
            (format!("<hello><capabilities>{both}</capabilities></hello>"), Framing::Chunked),
            (
                format!(
                    "\n<?xml version='1.0' encoding='utf-8'?>\n<hello {base}>\n <capabilities>\n  {both}\n\
                     </capabilities>\n</hello>\n"
                ),
                Framing::Chunked,
            ),
            (
                format!(
                    "<nc:hello xmlns:nc='{BASE_NAMESPACE}'><nc:capabilities><nc:capability>{BASE_1_1}\
                     </nc:capability></nc:capabilities><x xmlns='urn:x'><y/></x></nc:hello>"
                ),
                Framing::Chunked,
            ),
        ] {
            check(&hello, Ok(expected));
        }
    }

    #[test]
    fn hellos_that_rfc_6241_forbids_are_refused() {
        let capabilities =
            format!("<capabilities><capability>{BASE_1_1}</capability></capabilities>");
        let session = format!("<hello>{capabilities}<session-id>4</session-id></hello>");
        check(&session, Err(HelloError::SessionId));
        check("<hello/>", Err(HelloError::NoCommonBase));
        check("<hello><capabilities/></hello>", Err(HelloError::NoCommonBase));
        let other = "<hello><capabilities><capability>urn:ietf:params:netconf:base:2.0</capability>\
                     <capability><b>urn:ietf:params:netconf:base:1.0</b></capability>\
                     </capabilities></hello>";
        check(other, Err(HelloError::NoCommonBase));
        check("<rpc/>", Err(HelloError::NotHello));
        check("<hello xmlns='urn:other'/>", Err(HelloError::NotHello));
        for hello in ["", "hello", "<hello>", "<!DOCTYPE hello><hello/>", "<hello/><hello/>"] {
            let result = read_client_hello(hello.as_bytes());
            assert!(matches!(result, Err(HelloError::Xml(_))), "{hello}: {result:?}");
        }
    }

    #[test]
    fn our_hello_escapes_what_capabilities_hold() {
        let hello = server_hello(&["urn:a?module=b&revision=c".to_owned()], SessionId(7));
        assert_eq!(
            String::from_utf8(hello).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>\
             <capability>urn:a?module=b&amp;revision=c</capability></capabilities>\
             <session-id>7</session-id></hello>"
        );
    }
}
