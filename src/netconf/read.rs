//! Answers to requests that change nothing, from a view.

use super::error::{ErrorTag, ErrorType, RpcError};
use super::filter::Filter;
use super::operation::Datastore;
use super::reply::Body;
use super::rpc::{Read, SchemaFormat};
use super::server::Server;
use super::state::View;
use super::{cluster, monitoring};
use crate::yang::print::Printer;
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;
use std::sync::Arc;

/// What `<data>` is to hold, or the error.
pub(super) fn answer(read: &Read, server: &Server, view: &View) -> Result<Body, RpcError> {
    match read {
        Read::Get { filter } => {
            let filter = filter.as_ref();
            tree(server, filter, &operational(server, view, filter))
        }
        Read::GetConfig { source, filter } => {
            let datastore = match source {
                Datastore::Running => Some(&view.running),
                Datastore::Candidate => view.candidate.as_ref(),
                Datastore::Startup => view.startup.as_ref(),
            };
            match datastore {
                Some(datastore) => tree(server, filter.as_ref(), datastore),
                None => Err(super::rpc::not_supported("there is no such datastore")),
            }
        }
        Read::GetSchema { identifier, version, format } => {
            let version = version.as_deref();
            schema_text(&server.schema, identifier, version, *format).map(Body::Schema)
        }
    }
}

fn tree(server: &Server, filter: Option<&Filter>, tree: &Tree) -> Result<Body, RpcError> {
    let schema = &server.schema;
    let selected =
        filter.map(|filter| filter.select(schema, tree)).transpose().map_err(|error| {
            RpcError::new(ErrorType::Protocol, ErrorTag::ResourceDenied, error.to_string())
        })?;
    Ok(Body::Tree(Printer::new(Arc::clone(schema), selected.as_ref().unwrap_or(tree))))
}

/// Running and state (RFC 6241, 7.7), without state that the filter cannot select: its making can take a while.
fn operational(server: &Server, view: &View, filter: Option<&Filter>) -> Tree {
    let wanted = |node| filter.is_none_or(|filter| filter.can_select(node));
    let mut tree = view.running.clone();
    for (node, child) in server.fixed_state.iter().filter(|(node, _)| wanted(*node)) {
        tree.root.set(node, child.to_owned());
    }
    if monitoring::node(&server.schema).is_some_and(wanted) {
        monitoring::add_current(server, view, &mut tree.root);
    }
    cluster::add_current(&server.schema, &view.cluster, wanted, &mut tree.root);
    tree
}

/// The text of a module or submodule (RFC 6022, 3.1).
///
/// Without a version the name must be that of one schema only. An empty version is that of a schema which states no
/// revision; where there is none such, it is taken for no version at all.
fn schema_text(
    schema: &Schema,
    identifier: &str,
    version: Option<&str>,
    format: SchemaFormat,
) -> Result<Arc<str>, RpcError> {
    let named = || {
        monitoring::all_schemas(schema)
            .filter(|one| format == SchemaFormat::Yang && one.name == identifier)
    };
    let exact = version.and_then(|version| named().find(|one| one.revision == version));
    let any = || {
        let mut all = named();
        let first = all.next();
        // One submodule can belong to several revisions of its module.
        let other = first.and_then(|first| all.find(|one| one.revision != first.revision));
        (first, other)
    };
    let found = match (exact, version) {
        (Some(exact), _) => Some(exact),
        (None, None | Some("")) => match any() {
            (_, Some(_)) => return Err(several(identifier)),
            (first, None) => first,
        },
        (None, Some(_)) => None,
    };
    found.map(|one| Arc::clone(one.source)).ok_or_else(|| {
        let message = format!("there is no such schema as {identifier}");
        RpcError::new(ErrorType::Application, ErrorTag::InvalidValue, message)
    })
}

fn several(identifier: &str) -> RpcError {
    let message = format!("there are several revisions of {identifier}");
    RpcError::new(ErrorType::Application, ErrorTag::OperationFailed, message)
        .tagged("data-not-unique")
}

#[cfg(test)]
mod tests;
