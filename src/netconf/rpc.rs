//! `<rpc>` messages (RFC 6241, 4.1) to typed operations.

use super::error::{ErrorInfo, ErrorTag, ErrorType, RpcError};
use super::filter::Filter;
use super::hello::Features;
use super::operation::{ClusterRequest, Datastore, Request};
use super::payload::PayloadError;
use super::{BASE_NAMESPACE, cluster, is_base_element, monitoring, parameters};
use crate::base::limits::TRANSACTION_ID_CHARS_MAX;
use crate::datastore::edit::DefaultOperation;
use crate::xml::{Event, Reader, XML_NAMESPACE, XmlError, is_white_space};
use crate::yang::schema::Schema;

/// One `<rpc>`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rpc {
    pub(crate) attributes: Attributes,
    /// What to do, or the error to answer with. Nothing of a faulty request is to be done.
    pub(crate) operation: Result<Operation, RpcError>,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// For the agent.
    Request(Request),
    /// For the agent, of our cluster module.
    Cluster(ClusterRequest),
    /// To be answered from a view.
    Read(Read),
}

/// An operation that changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Read {
    /// RFC 6241, 7.7.
    Get { filter: Option<Filter> },
    /// RFC 6241, 7.1.
    GetConfig { source: Datastore, filter: Option<Filter> },
    /// RFC 6022, 3.1.
    GetSchema { identifier: String, version: Option<String>, format: SchemaFormat },
}

/// In which language a schema is wanted (RFC 6022, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaFormat {
    Yang,
    /// One that RFC 6022 knows and we have no schema in.
    Other,
}

/// A message that is no `<rpc>`: not well-formed, with a DTD, or something else altogether.
///
/// A peer of base:1.1 is answered with `malformed-message`; for others that tag does not exist (RFC 6241, appendix A),
/// so the session is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotRpc {
    /// Those of the `<rpc>`, if it could be read that far.
    pub(crate) attributes: Attributes,
    pub(crate) reason: String,
}

/// The attributes of an `<rpc>`, which its reply repeats (RFC 6241, 4.1), with the declarations that they need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Prefixes and namespaces.
    pub(crate) declarations: Vec<(String, String)>,
    /// Names as they were written, and values.
    pub(crate) attributes: Vec<(String, String)>,
    /// The client's own name for what it asks for: `transaction-id` of our cluster module.
    pub(crate) transaction: Option<String>,
    /// How new a read has to be, as it was written: `consistency` of our cluster module.
    consistency: Option<String>,
}

/// What a read of running may miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Consistency {
    /// What the member that is asked did not have under its read lease (PROTOCOL M2).
    Leased,
    /// Nothing that was acknowledged anywhere before the read came.
    Linearizable,
}

impl Attributes {
    /// Those of the reader's element.
    fn of(reader: &Reader<'_>) -> Self {
        let mut all = Self::default();
        for attribute in reader.attributes() {
            if attribute.prefix.is_empty() {
                all.attributes.push((attribute.name.to_owned(), attribute.value.to_owned()));
                continue;
            }
            let name = format!("{}:{}", attribute.prefix, attribute.name);
            all.attributes.push((name, attribute.value.to_owned()));
            let namespace = attribute.namespace.unwrap_or_default();
            match (namespace, attribute.name) {
                (cluster::NAMESPACE, TRANSACTION_ID) => {
                    all.transaction = Some(attribute.value.to_owned());
                }
                (cluster::NAMESPACE, CONSISTENCY) => {
                    all.consistency = Some(attribute.value.to_owned());
                }
                _ => {}
            }
            let known = |(prefix, _): &(String, String)| prefix == attribute.prefix;
            if namespace != XML_NAMESPACE && !all.declarations.iter().any(known) {
                all.declarations.push((attribute.prefix.to_owned(), namespace.to_owned()));
            }
        }
        all
    }

    /// How new a read has to be, if the client says so.
    pub(crate) fn consistency(&self) -> Option<Consistency> {
        match self.consistency.as_deref()? {
            "leased" => Some(Consistency::Leased),
            "linearizable" => Some(Consistency::Linearizable),
            _ => None,
        }
    }

    /// The `message-id`, if there is one.
    pub(crate) fn message_id(&self) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| name == "message-id");
        found.map(|(_, value)| value.as_str())
    }
}

/// Why an operation could not be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The message is broken, or beyond a limit.
    Xml(XmlError),
    /// The message is well-formed, but no `<rpc>`.
    NotRpc,
    /// The message is a request that is refused.
    Rpc(RpcError),
    /// `default-operation` came behind `config`, and is not what that was read with: once more, with this one.
    Again(DefaultOperation),
}

impl From<XmlError> for Fault {
    fn from(error: XmlError) -> Self {
        Self::Xml(error)
    }
}

impl From<RpcError> for Fault {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<PayloadError> for Fault {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Xml(error) => Self::Xml(error),
            PayloadError::Data(error) => Self::Rpc((*error).into()),
        }
    }
}

/// A request that is being read.
pub(super) struct Input<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    pub(super) schema: &'r Schema,
    pub(super) features: Features,
    /// What `config` is read with if `default-operation` has not been seen.
    pub(super) default_operation: DefaultOperation,
}

/// Reads one message.
///
/// The whole message is read before anything is done, so a broken one has no effect. Where several things are wrong
/// with a request, the first is reported; being no well-formed XML comes before all others.
pub(crate) fn parse(message: &[u8], schema: &Schema, features: Features) -> Result<Rpc, NotRpc> {
    let mut attributes = Attributes::default();
    let mut attempt = |default_operation| {
        let mut reader = Reader::new(message)?;
        let mut input = Input { reader: &mut reader, schema, features, default_operation };
        let operation = input.rpc(&mut attributes);
        match operation {
            Err(Fault::Rpc(_)) => input.rest_of_message().and(operation),
            Ok(_) | Err(Fault::Xml(_) | Fault::NotRpc | Fault::Again(_)) => operation,
        }
    };
    let operation = match attempt(DefaultOperation::Merge) {
        Err(Fault::Again(default_operation)) => attempt(default_operation),
        other => other,
    };
    let reason = match operation {
        Ok(operation) => return Ok(Rpc { attributes, operation: Ok(operation) }),
        Err(Fault::Rpc(error)) => return Ok(Rpc { attributes, operation: Err(error) }),
        Err(Fault::Xml(error @ XmlError::Limit { .. })) => {
            let error = RpcError::new(ErrorType::Rpc, ErrorTag::TooBig, error.to_string());
            return Ok(Rpc { attributes, operation: Err(error) });
        }
        Err(Fault::Xml(error)) => error.to_string(),
        Err(Fault::NotRpc | Fault::Again(_)) => "the message is not an rpc".to_owned(),
    };
    Err(NotRpc { attributes, reason })
}

impl Input<'_, '_> {
    /// The whole document.
    fn rpc(&mut self, attributes: &mut Attributes) -> Result<Operation, Fault> {
        if self.reader.next()? != Event::Start || !is_base_element(self.reader, "rpc") {
            return Err(Fault::NotRpc);
        }
        *attributes = Attributes::of(self.reader);
        if attributes.message_id().is_none() {
            let error = RpcError::new(
                ErrorType::Rpc,
                ErrorTag::MissingAttribute,
                "the rpc has no message-id",
            );
            let error = error.with(ErrorInfo::BadAttribute("message-id".to_owned()));
            return Err(error.with(ErrorInfo::BadElement("rpc".to_owned())).into());
        }
        if let Some(transaction) = &attributes.transaction
            && !(1..=TRANSACTION_ID_CHARS_MAX).contains(&transaction.chars().count())
        {
            let limit = TRANSACTION_ID_CHARS_MAX;
            let message = format!("{TRANSACTION_ID} has not from 1 to {limit} characters");
            return Err(bad_attribute(TRANSACTION_ID, message).into());
        }
        if attributes.consistency.is_some() && attributes.consistency().is_none() {
            let message = format!("{CONSISTENCY} is neither linearizable nor leased");
            return Err(bad_attribute(CONSISTENCY, message).into());
        }
        let operation = match self.next_child("rpc")? {
            true => self.operation()?,
            // The name of the substitution group that operations belong to (RFC 6241, appendix B).
            false => return Err(parameters::missing_element("rpcOperation").into()),
        };
        if self.next_child("rpc")? {
            return Err(parameters::unknown_element(self.reader.name()).into());
        }
        self.rest_of_message()?;
        Ok(operation)
    }

    /// Checks what is left of the document for being well-formed.
    fn rest_of_message(&mut self) -> Result<(), Fault> {
        while self.reader.next()? != Event::Eof {}
        Ok(())
    }

    /// Goes on to the next child of the element `parent`. False at that element's end.
    pub(super) fn next_child(&mut self, parent: &str) -> Result<bool, Fault> {
        loop {
            match self.reader.next()? {
                Event::Start => return Ok(true),
                Event::Text if is_white_space(self.reader.text()) => {}
                Event::Text => {
                    let message = format!("there is text between the elements of {parent}");
                    return Err(parameters::bad_element(parent, message).into());
                }
                Event::End | Event::Eof => return Ok(false),
            }
        }
    }

    /// The operation whose start the reader stands behind, up to its end.
    fn operation(&mut self) -> Result<Operation, Fault> {
        let name = self.reader.name();
        let operation = match (self.reader.namespace(), name) {
            (Some(monitoring::NAMESPACE), "get-schema") if self.has_monitoring() => {
                return self.get_schema().map(Operation::Read);
            }
            (None | Some(BASE_NAMESPACE), "get") => return self.get().map(Operation::Read),
            (None | Some(BASE_NAMESPACE), "get-config") => {
                return self.get_config().map(Operation::Read);
            }
            (None | Some(BASE_NAMESPACE), _) => self.request(name)?.map(Operation::Request),
            (Some(cluster::NAMESPACE), _) if self.has_cluster() => {
                self.cluster(name)?.map(Operation::Cluster)
            }
            (Some(_), _) => None,
        };
        let message = || format!("there is no operation {name} here");
        operation.ok_or_else(|| not_supported(message()).into())
    }

    /// RFC 6022 is implemented.
    fn has_monitoring(&self) -> bool {
        self.schema.module_by_name(monitoring::MODULE).is_some()
    }

    /// Our cluster module is implemented.
    fn has_cluster(&self) -> bool {
        self.schema.module_by_name(cluster::MODULE).is_some()
    }
}

/// The attribute by which a client names what it asks for.
const TRANSACTION_ID: &str = "transaction-id";

/// The attribute by which a client says how new a read has to be.
const CONSISTENCY: &str = "consistency";

fn bad_attribute(name: &str, message: String) -> RpcError {
    RpcError::new(ErrorType::Rpc, ErrorTag::BadAttribute, message)
        .with(ErrorInfo::BadAttribute(name.to_owned()))
        .with(ErrorInfo::BadElement("rpc".to_owned()))
}

/// `operation-not-supported` of the protocol layer.
pub(super) fn not_supported(message: impl Into<String>) -> RpcError {
    RpcError::new(ErrorType::Protocol, ErrorTag::OperationNotSupported, message)
}

#[cfg(test)]
mod tests;
