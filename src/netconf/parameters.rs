//! The parameters of operations (RFC 6241, 7 and 8; RFC 6022, 3.1).
//!
//! The RFC fixes neither what a missing or repeated choice is nor what goes without `confirmed`; here:
//! - a parameter, or the datastore inside `source` or `target`, that is missing is `missing-element`;
//! - one that comes twice, or a second datastore beside the first, is `bad-element` (RFC 7950, 8.3.1);
//! - a datastore or parameter whose capability is not advertised is `unknown-element` (RFC 7950, 8.3.1), and a whole
//!   operation `operation-not-supported`, as is writing to running without :writable-running;
//! - `persist` and `confirm-timeout` without `confirmed` are `missing-element`: the commit that would be carried out
//!   is not the one that was meant. `persist-id` goes with or without `confirmed`.
//! - `error-option` is checked and otherwise without effect: an edit is done wholly or not at all, which each of its
//!   values allows.

use super::error::{ErrorInfo, ErrorTag, ErrorType, RpcError};
use super::filter::Filter;
use super::filter::subtree::Subtree;
use super::filter::xpath::Xpath;
use super::operation::{Commit, ConfigSource, Confirmed, Datastore, Request, TestOption};
use super::payload::{self, Operations};
use super::rpc::{Fault, Input, Read, SchemaFormat, not_supported};
use super::{BASE_NAMESPACE, monitoring};
use crate::base::ids::SessionId;
use crate::base::limits::PERSIST_ID_BYTES_MAX;
use crate::datastore::edit::{DefaultOperation, Edit};
use crate::xml::{Content, is_white_space, trim};

/// `confirm-timeout` where it is not given (RFC 6241, 8.4.5.1).
const CONFIRM_TIMEOUT_DEFAULT_S: u32 = 600;

/// What `source` and `target` of an operation can hold.
#[derive(Debug, Clone, Copy)]
struct Stores {
    /// Element names of the model's choice.
    names: &'static [&'static str],
    /// Datastores that exist, but on which the operation is not possible.
    refused: &'static [&'static str],
}

const ALL: Stores = Stores { names: &["running", "candidate", "startup"], refused: &[] };
const ALL_AND_CONFIG: Stores =
    Stores { names: &["running", "candidate", "startup", "config"], refused: &[] };
const DELETED: Stores = Stores { names: &["startup"], refused: &["running", "candidate"] };

impl Input<'_, '_> {
    /// The request that the element `name` is, read up to its end; `None` if there is no such operation.
    pub(super) fn request(&mut self, name: &str) -> Result<Option<Request>, Fault> {
        let candidate = self.features.candidate;
        Ok(Some(match name {
            "edit-config" => self.edit_config()?,
            "copy-config" => self.copy_config()?,
            "delete-config" => {
                Request::DeleteConfig { target: self.only_store(name, "target", DELETED)? }
            }
            "lock" => Request::Lock { target: self.only_store(name, "target", ALL)? },
            "unlock" => Request::Unlock { target: self.only_store(name, "target", ALL)? },
            "close-session" => {
                self.no_parameters(name)?;
                Request::CloseSession
            }
            "kill-session" => self.kill_session()?,
            "commit" if candidate => self.commit()?,
            "discard-changes" if candidate => {
                self.no_parameters(name)?;
                Request::DiscardChanges
            }
            "cancel-commit" if candidate => self.cancel_commit()?,
            "validate" => self.validate()?,
            _ => return Ok(None),
        }))
    }

    pub(super) fn get(&mut self) -> Result<Read, Fault> {
        let mut filter = None;
        self.parameters("get", BASE_NAMESPACE, &mut |input, name| match name {
            "filter" => {
                filter = Some(input.filter()?);
                Ok(())
            }
            _ => Err(unknown_element(name).into()),
        })?;
        Ok(Read::Get { filter })
    }

    pub(super) fn get_config(&mut self) -> Result<Read, Fault> {
        let (mut source, mut filter) = (None, None);
        self.parameters("get-config", BASE_NAMESPACE, &mut |input, name| {
            match name {
                "source" => source = Some(input.datastore(name, ALL)?),
                "filter" => filter = Some(input.filter()?),
                _ => return Err(unknown_element(name).into()),
            }
            Ok(())
        })?;
        Ok(Read::GetConfig { source: required(source, "source")?, filter })
    }

    pub(super) fn get_schema(&mut self) -> Result<Read, Fault> {
        let (mut identifier, mut version, mut format) = (None, None, SchemaFormat::Yang);
        self.parameters("get-schema", monitoring::NAMESPACE, &mut |input, name| {
            match name {
                "identifier" => identifier = Some(trim(&input.text(name)?).to_owned()),
                "version" => version = Some(trim(&input.text(name)?).to_owned()),
                "format" => format = input.schema_format()?,
                _ => return Err(unknown_element(name).into()),
            }
            Ok(())
        })?;
        Ok(Read::GetSchema { identifier: required(identifier, "identifier")?, version, format })
    }

    /// An identity of `schema-format`. A name without prefix is taken for one of RFC 6022.
    fn schema_format(&mut self) -> Result<SchemaFormat, Fault> {
        let text = self.text("format")?;
        let text = trim(&text);
        let (prefix, name) = text.split_once(':').unwrap_or(("", text));
        let of_rfc_6022 = prefix.is_empty()
            || self.reader.scope().namespace(prefix) == Some(monitoring::NAMESPACE);
        match name {
            "yang" if of_rfc_6022 => Ok(SchemaFormat::Yang),
            "yin" | "xsd" | "rng" | "rnc" if of_rfc_6022 => Ok(SchemaFormat::Other),
            _ => Err(invalid_value(format!("{text} is no schema-format")).into()),
        }
    }

    fn edit_config(&mut self) -> Result<Request, Fault> {
        let (mut target, mut edit) = (None, None);
        let (mut default_operation, mut test_option) = (None, TestOption::default());
        let stores = self.written(Stores { names: &["candidate", "running"], refused: &[] });
        self.parameters("edit-config", BASE_NAMESPACE, &mut |input, name| {
            match name {
                "target" => target = Some(input.datastore(name, stores)?),
                "default-operation" => {
                    default_operation = Some(input.one_of(
                        name,
                        &[
                            ("merge", DefaultOperation::Merge),
                            ("replace", DefaultOperation::Replace),
                            ("none", DefaultOperation::None),
                        ],
                    )?);
                }
                "test-option" => {
                    test_option = input.one_of(
                        name,
                        &[
                            ("test-then-set", TestOption::TestThenSet),
                            ("set", TestOption::Set),
                            ("test-only", TestOption::TestOnly),
                        ],
                    )?;
                }
                "error-option" => {
                    let names = ["stop-on-error", "continue-on-error", "rollback-on-error"];
                    input.one_of(name, &names.map(|name| (name, ())))?;
                }
                "config" => {
                    let default_operation = default_operation.unwrap_or(input.default_operation);
                    edit = Some(input.config(Operations::Allowed(default_operation))?);
                }
                _ => return Err(unknown_element(name).into()),
            }
            Ok(())
        })?;
        let (target, edit) = (required(target, "target")?, required(edit, "config")?);
        match default_operation {
            Some(other) if other != edit.default_operation => Err(Fault::Again(other)),
            Some(_) | None => Ok(Request::EditConfig { target, test_option, edit }),
        }
    }

    fn copy_config(&mut self) -> Result<Request, Fault> {
        let (mut source, mut target) = (None, None);
        let stores = self.written(ALL);
        self.parameters("copy-config", BASE_NAMESPACE, &mut |input, name| {
            match name {
                "target" => target = Some(input.datastore(name, stores)?),
                "source" => source = Some(input.source(name, ALL_AND_CONFIG)?),
                _ => return Err(unknown_element(name).into()),
            }
            Ok(())
        })?;
        let (source, target) = (required(source, "source")?, required(target, "target")?);
        if source == ConfigSource::Datastore(target) {
            // RFC 6241, 7.3.
            return Err(invalid_value("source and target are the same datastore").into());
        }
        Ok(Request::CopyConfig { source, target })
    }

    fn validate(&mut self) -> Result<Request, Fault> {
        let mut source = None;
        self.parameters("validate", BASE_NAMESPACE, &mut |input, name| match name {
            "source" => {
                source = Some(input.source(name, ALL_AND_CONFIG)?);
                Ok(())
            }
            _ => Err(unknown_element(name).into()),
        })?;
        Ok(Request::Validate { source: required(source, "source")? })
    }

    fn kill_session(&mut self) -> Result<Request, Fault> {
        let mut session = None;
        self.parameters("kill-session", BASE_NAMESPACE, &mut |input, name| match name {
            "session-id" => {
                session = Some(SessionId(input.positive(name)?));
                Ok(())
            }
            _ => Err(unknown_element(name).into()),
        })?;
        Ok(Request::KillSession { session: required(session, "session-id")? })
    }

    fn commit(&mut self) -> Result<Request, Fault> {
        let (mut confirmed, mut timeout_s, mut persist, mut persist_id) = (false, None, None, None);
        self.parameters("commit", BASE_NAMESPACE, &mut |input, name| {
            match name {
                "confirmed" => {
                    input.empty(name)?;
                    confirmed = true;
                }
                "confirm-timeout" => timeout_s = Some(input.positive(name)?),
                "persist" => persist = Some(input.token(name)?),
                "persist-id" => persist_id = Some(input.token(name)?),
                _ => return Err(unknown_element(name).into()),
            }
            Ok(())
        })?;
        if !confirmed && (timeout_s.is_some() || persist.is_some()) {
            return Err(missing_element("confirmed").into());
        }
        let timeout_s = timeout_s.unwrap_or(CONFIRM_TIMEOUT_DEFAULT_S);
        let confirmed = confirmed.then_some(Confirmed { timeout_s, persist });
        Ok(Request::Commit(Commit { confirmed, persist_id }))
    }

    fn cancel_commit(&mut self) -> Result<Request, Fault> {
        let mut persist_id = None;
        self.parameters("cancel-commit", BASE_NAMESPACE, &mut |input, name| match name {
            "persist-id" => {
                persist_id = Some(input.token(name)?);
                Ok(())
            }
            _ => Err(unknown_element(name).into()),
        })?;
        Ok(Request::CancelCommit { persist_id })
    }

    fn no_parameters(&mut self, operation: &str) -> Result<(), Fault> {
        self.parameters(operation, BASE_NAMESPACE, &mut |_, name| Err(unknown_element(name).into()))
    }

    /// An operation whose only parameter is a datastore.
    fn only_store(
        &mut self,
        operation: &str,
        parameter: &'static str,
        stores: Stores,
    ) -> Result<Datastore, Fault> {
        let mut store = None;
        self.parameters(operation, BASE_NAMESPACE, &mut |input, name| {
            if name != parameter {
                return Err(unknown_element(name).into());
            }
            store = Some(input.datastore(name, stores)?);
            Ok(())
        })?;
        Ok(required(store, parameter)?)
    }

    /// Reads the children of `element`, up to its end. `take` reads each of them up to its end.
    pub(super) fn parameters(
        &mut self,
        element: &str,
        namespace: &str,
        take: &mut dyn FnMut(&mut Self, &str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        // It stays short: a name that is unknown is an error.
        let mut seen = Vec::new();
        while self.next_child(element)? {
            let name = self.reader.name();
            if let Some(other) = self.reader.namespace().filter(|other| *other != namespace) {
                let other = other.to_owned();
                return Err(self.foreign(name, other).into());
            }
            if seen.contains(&name) {
                return Err(bad_element(name, format!("{name} is given twice")).into());
            }
            seen.push(name);
            take(self, name)?;
        }
        Ok(())
    }

    /// The error for a parameter of another namespace.
    fn foreign(&self, name: &str, namespace: String) -> RpcError {
        if namespace == BASE_NAMESPACE || self.schema.module_by_namespace(&namespace).is_some() {
            return unknown_element(name);
        }
        let message = format!("the namespace of {name} is unknown");
        RpcError::new(ErrorType::Protocol, ErrorTag::UnknownNamespace, message)
            .with(ErrorInfo::BadElement(name.to_owned()))
            .with(ErrorInfo::BadNamespace(namespace))
    }

    /// `stores`, of which running cannot be written to without :writable-running.
    fn written(&self, stores: Stores) -> Stores {
        if self.features.writable_running {
            stores
        } else {
            Stores { refused: &["running"], ..stores }
        }
    }

    fn datastore(&mut self, element: &str, stores: Stores) -> Result<Datastore, Fault> {
        match self.source(element, stores)? {
            ConfigSource::Datastore(datastore) => Ok(datastore),
            // `stores` names no `config`.
            ConfigSource::Inline(_) => Err(unknown_element("config").into()),
        }
    }

    /// The one child of `source` or `target`.
    fn source(&mut self, element: &str, stores: Stores) -> Result<ConfigSource, Fault> {
        let mut source = None;
        self.parameters(element, BASE_NAMESPACE, &mut |input, name| {
            if source.is_some() {
                return Err(bad_element(name, format!("{element} holds more than one")).into());
            }
            source = Some(input.store(name, stores)?);
            Ok(())
        })?;
        Ok(required(source, element)?)
    }

    fn store(&mut self, name: &str, stores: Stores) -> Result<ConfigSource, Fault> {
        if stores.refused.contains(&name) {
            return Err(not_supported(format!("the operation is not possible on {name}")).into());
        }
        if !stores.names.contains(&name) {
            return Err(unknown_element(name).into());
        }
        if name == "config" {
            return self.config(Operations::Forbidden).map(ConfigSource::Inline);
        }
        let mut there = self.features.datastores();
        let (datastore, _) =
            there.find(|(_, other)| *other == name).ok_or_else(|| unknown_element(name))?;
        self.empty(name)?;
        Ok(ConfigSource::Datastore(datastore))
    }

    fn config(&mut self, operations: Operations) -> Result<Edit, Fault> {
        Ok(payload::read_config(self.reader, self.schema, operations)?)
    }

    /// `<filter>` (RFC 6241, 6 and 8.9). Its type is subtree if it is not given.
    fn filter(&mut self) -> Result<Filter, Fault> {
        match self.filter_attribute("type").as_deref() {
            None | Some("subtree") => {
                Ok(Filter::Subtree(Subtree::parse(self.reader, self.schema)?))
            }
            Some("xpath") => self.xpath_filter(),
            Some(kind) => {
                let message = format!("filters of type {kind} are not supported");
                Err(filter_error(ErrorTag::BadAttribute, message, "type").into())
            }
        }
    }

    /// A filter of type xpath: its content is of no meaning.
    fn xpath_filter(&mut self) -> Result<Filter, Fault> {
        let Some(select) = self.filter_attribute("select") else {
            let message = "an xpath filter needs the attribute select".to_owned();
            return Err(filter_error(ErrorTag::MissingAttribute, message, "select").into());
        };
        let filter = Xpath::parse(&select, self.reader.scope(), self.schema)
            .map_err(|error| invalid_value(error.to_string()))?;
        self.reader.skip()?;
        Ok(Filter::Xpath(filter))
    }

    /// An attribute of the filter that was started last. The RFC's example has it in no namespace; some clients leave it
    /// in NETCONF's.
    fn filter_attribute(&self, name: &str) -> Option<String> {
        let found = self.reader.attributes().find(|attribute| {
            attribute.name == name
                && attribute.namespace.is_none_or(|namespace| namespace == BASE_NAMESPACE)
        });
        found.map(|attribute| attribute.value.to_owned())
    }

    /// The text of the leaf `name`, read up to its end.
    pub(super) fn text(&mut self, name: &str) -> Result<String, Fault> {
        if self.reader.content()? == Content::Element {
            let child = self.reader.name();
            let message = format!("there is an element {child} in {name}, which holds a text");
            return Err(unknown(child, message).into());
        }
        Ok(self.reader.text().to_owned())
    }

    /// A leaf of type empty.
    fn empty(&mut self, name: &str) -> Result<(), Fault> {
        if is_white_space(&self.text(name)?) {
            return Ok(());
        }
        Err(invalid_value(format!("{name} has no value")).into())
    }

    /// One of the values of an enumeration.
    pub(super) fn one_of<T: Copy>(&mut self, name: &str, values: &[(&str, T)]) -> Result<T, Fault> {
        let text = self.text(name)?;
        let found = values.iter().find(|(value, _)| *value == trim(&text));
        let message = || format!("{name} cannot be {}", trim(&text));
        found.map(|(_, value)| *value).ok_or_else(|| invalid_value(message()).into())
    }

    /// A uint32 of which 0 is excluded.
    fn positive(&mut self, name: &str) -> Result<u32, Fault> {
        let text = self.text(name)?;
        let number = trim(&text).parse().ok().filter(|number| *number > 0);
        let message = || format!("{name} is not a number from 1 to {}", u32::MAX);
        number.ok_or_else(|| invalid_value(message()).into())
    }

    /// `persist` and `persist-id`.
    fn token(&mut self, name: &str) -> Result<String, Fault> {
        let token = self.text(name)?;
        if token.len() <= PERSIST_ID_BYTES_MAX {
            return Ok(token);
        }
        Err(invalid_value(format!("{name} is longer than {PERSIST_ID_BYTES_MAX} bytes")).into())
    }
}

/// The parameter, which must have been there.
pub(super) fn required<T>(parameter: Option<T>, name: &str) -> Result<T, RpcError> {
    parameter.ok_or_else(|| missing_element(name))
}

/// `missing-element` of the protocol layer.
pub(super) fn missing_element(name: &str) -> RpcError {
    RpcError::new(ErrorType::Protocol, ErrorTag::MissingElement, format!("{name} is missing"))
        .with(ErrorInfo::BadElement(name.to_owned()))
}

fn filter_error(tag: ErrorTag, message: String, attribute: &str) -> RpcError {
    RpcError::new(ErrorType::Protocol, tag, message)
        .with(ErrorInfo::BadAttribute(attribute.to_owned()))
        .with(ErrorInfo::BadElement("filter".to_owned()))
}

/// `unknown-element` of the protocol layer.
pub(super) fn unknown_element(name: &str) -> RpcError {
    unknown(name, format!("{name} is not expected here"))
}

fn unknown(name: &str, message: String) -> RpcError {
    RpcError::new(ErrorType::Protocol, ErrorTag::UnknownElement, message)
        .with(ErrorInfo::BadElement(name.to_owned()))
}

/// `bad-element` of the protocol layer.
pub(super) fn bad_element(name: &str, message: String) -> RpcError {
    RpcError::new(ErrorType::Protocol, ErrorTag::BadElement, message)
        .with(ErrorInfo::BadElement(name.to_owned()))
}

pub(super) fn invalid_value(message: impl Into<String>) -> RpcError {
    RpcError::new(ErrorType::Protocol, ErrorTag::InvalidValue, message)
}
