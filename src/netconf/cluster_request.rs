//! The operations of our cluster module (`yang/quorate-cluster.yang`) to typed requests.
//!
//! The parameters' errors are those of `parameters.rs`. The ways of naming a transaction are a choice: parts of two of
//! them are `bad-element`, and none is `missing-element` for the first (RFC 7950, 7.14.2 and 8.3.1).

use super::cluster::NAMESPACE;
use super::operation::{ClusterRequest, TransactionName};
use super::parameters::{bad_element, invalid_value, required, unknown_element};
use super::rpc::{Fault, Input};
use crate::base::ids::SessionId;
use crate::base::limits::{
    JOIN_TOKEN_DEFAULT_S, JOIN_TOKEN_MAX_S, MESSAGE_ID_CHARS_MAX, NODE_NAME_BYTES_MAX,
    PEER_ADDRESS_CHARS_MAX, TRANSACTION_ID_CHARS_MAX,
};
use crate::base::policy::Policy;
use crate::xml::trim;
use std::ops::RangeInclusive;
use std::str::FromStr;

impl Input<'_, '_> {
    /// The operation that the element `name` of the module is, read up to its end; `None` if it has no such one.
    pub(super) fn cluster(&mut self, name: &str) -> Result<Option<ClusterRequest>, Fault> {
        Ok(Some(match name {
            "cluster-init" => self.cluster_init()?,
            "create-join-token" => self.create_join_token()?,
            "remove-member" => ClusterRequest::Remove { member: self.only_member(name, "name")? },
            "transfer-leadership" => {
                ClusterRequest::TransferLeadership { to: self.only_member(name, "to")? }
            }
            "set-policy" => self.set_policy()?,
            "get-outcome" => self.get_outcome()?,
            "rollback-to-revision" => self.rollback_to_revision()?,
            _ => return Ok(None),
        }))
    }

    fn cluster_init(&mut self) -> Result<ClusterRequest, Fault> {
        let (mut cluster, mut address) = (None, None);
        self.parameters("cluster-init", NAMESPACE, &mut |input, name| {
            match name {
                "name" => cluster = Some(input.cluster_name(name)?),
                "address" => address = Some(input.peer_address(name)?),
                _ => return Err(unknown_element(name).into()),
            }
            Ok(())
        })?;
        let name = required(cluster, "name")?;
        Ok(ClusterRequest::Init { name, address: address.unwrap_or_default() })
    }

    fn create_join_token(&mut self) -> Result<ClusterRequest, Fault> {
        let mut valid_for_s = JOIN_TOKEN_DEFAULT_S;
        self.parameters("create-join-token", NAMESPACE, &mut |input, name| match name {
            "valid-for" => {
                valid_for_s = input.number(name, 1..=JOIN_TOKEN_MAX_S)?;
                Ok(())
            }
            _ => Err(unknown_element(name).into()),
        })?;
        Ok(ClusterRequest::Token { valid_for_s })
    }

    /// An operation whose only parameter is the name of a member, which may be left out.
    fn only_member(&mut self, operation: &str, leaf: &str) -> Result<Option<String>, Fault> {
        let mut member = None;
        self.parameters(operation, NAMESPACE, &mut |input, name| {
            if name != leaf {
                return Err(unknown_element(name).into());
            }
            member = Some(input.chars(name, 1..=NODE_NAME_BYTES_MAX)?);
            Ok(())
        })?;
        Ok(member)
    }

    fn set_policy(&mut self) -> Result<ClusterRequest, Fault> {
        let mut policy = None;
        self.parameters("set-policy", NAMESPACE, &mut |input, name| match name {
            "policy" => {
                policy = Some(input.one_of(name, &Policy::ALL.map(|one| (one.name(), one)))?);
                Ok(())
            }
            _ => Err(unknown_element(name).into()),
        })?;
        Ok(ClusterRequest::SetPolicy { policy: required(policy, "policy")? })
    }

    fn get_outcome(&mut self) -> Result<ClusterRequest, Fault> {
        let (mut id, mut client) = (None, None);
        let (mut session, mut message_id) = (None, None);
        // The first leaf of the case that was begun.
        let mut begun: Option<&str> = None;
        self.parameters("get-outcome", NAMESPACE, &mut |input, name| {
            let case = match name {
                "transaction-id" => "transaction-id",
                "session-id" | "message-id" => "session-id",
                "client-transaction-id" => "client-transaction-id",
                _ => return Err(unknown_element(name).into()),
            };
            if begun.is_some_and(|other| other != case) {
                let message = "a transaction is named in one way only".to_owned();
                return Err(bad_element(name, message).into());
            }
            begun = Some(case);
            match name {
                "session-id" => session = Some(SessionId(input.number(name, 1..=u32::MAX)?)),
                "message-id" => message_id = Some(input.chars(name, 0..=MESSAGE_ID_CHARS_MAX)?),
                "transaction-id" => id = Some(input.chars(name, 1..=TRANSACTION_ID_CHARS_MAX)?),
                _ => client = Some(input.chars(name, 1..=TRANSACTION_ID_CHARS_MAX)?),
            }
            Ok(())
        })?;
        let transaction = match (begun, client) {
            (Some("session-id"), _) => TransactionName::Message {
                session: required(session, "session-id")?,
                message_id: required(message_id, "message-id")?,
            },
            (_, Some(client)) => TransactionName::Client(client),
            (_, None) => TransactionName::Id(required(id, "transaction-id")?),
        };
        Ok(ClusterRequest::Outcome { transaction })
    }

    fn rollback_to_revision(&mut self) -> Result<ClusterRequest, Fault> {
        let mut revision = None;
        self.parameters("rollback-to-revision", NAMESPACE, &mut |input, name| match name {
            "revision" => {
                revision = Some(input.number(name, 0..=u64::MAX)?);
                Ok(())
            }
            _ => Err(unknown_element(name).into()),
        })?;
        Ok(ClusterRequest::Rollback { revision: required(revision, "revision")? })
    }

    fn cluster_name(&mut self, leaf: &str) -> Result<String, Fault> {
        let name = self.chars(leaf, 1..=NODE_NAME_BYTES_MAX)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let begins = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if begins && name.bytes().all(fits) {
            return Ok(name);
        }
        let message = format!(
            "{leaf} is made of letters, digits, ., _ and -, and begins with one of the first two"
        );
        Err(invalid_value(message).into())
    }

    fn peer_address(&mut self, leaf: &str) -> Result<String, Fault> {
        let address = self.chars(leaf, 1..=PEER_ADDRESS_CHARS_MAX)?;
        if is_peer_address(&address) {
            return Ok(address);
        }
        let message = format!("{leaf} is not HOST:PORT (n1.example.net:8830, [2001:db8::1]:8830)");
        Err(invalid_value(message).into())
    }

    /// A string with so many characters.
    fn chars(&mut self, leaf: &str, length: RangeInclusive<usize>) -> Result<String, Fault> {
        let text = self.text(leaf)?;
        if length.contains(&text.chars().count()) {
            return Ok(text);
        }
        let message =
            format!("{leaf} has not from {} to {} characters", length.start(), length.end());
        Err(invalid_value(message).into())
    }

    /// An unsigned integer.
    fn number<N>(&mut self, leaf: &str, range: RangeInclusive<N>) -> Result<N, Fault>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        let text = self.text(leaf)?;
        let number = trim(&text).parse().ok().filter(|number| range.contains(number));
        let message =
            || format!("{leaf} is not a number from {} to {}", range.start(), range.end());
        number.ok_or_else(|| invalid_value(message()).into())
    }
}

/// `HOST:PORT`: a host name or IPv4 address, or an IPv6 address in brackets.
fn is_peer_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let of_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.contains(':') && inner.bytes().all(of_address),
        None => !host.is_empty() && host.bytes().all(of_name),
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    is_host && digits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests;
