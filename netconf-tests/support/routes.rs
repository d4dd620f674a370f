//! A list to fill, of the module `bench-routes`.

use super::reply::Reply;
use super::session::{Session, get_config};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const NS: &str = "urn:bench:routes";

/// Entries, as the content of an edit.
pub(crate) fn routes(ids: impl IntoIterator<Item = u32>) -> String {
    let mut content = format!("<routes xmlns=\"{NS}\">");
    for id in ids {
        write!(content, "<route><id>{id:07}</id><next-hop>192.0.2.1</next-hop></route>")
            .expect("memory");
    }
    content.push_str("</routes>");
    content
}

/// The deletion of all of them, which must be there.
pub(crate) fn no_routes() -> String {
    format!(
        "<routes xmlns=\"{NS}\" xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" \
         nc:operation=\"delete\"/>"
    )
}

/// Asks for all of them.
pub(crate) fn read_routes() -> String {
    get_config("running", &format!("<routes xmlns=\"{NS}\"/>"))
}

/// The entries that a reply holds.
#[track_caller]
pub(crate) fn ids(reply: &Reply) -> BTreeSet<u32> {
    let routes = reply.data().find("routes");
    let ids = routes.into_iter().flat_map(|routes| routes.all("route"));
    ids.map(|route| route.value("id").expect("a key").parse().expect("digits")).collect()
}

/// The entries that a session shows.
#[track_caller]
pub(crate) fn shown(session: &mut Session) -> BTreeSet<u32> {
    ids(&session.request(&read_routes()))
}
