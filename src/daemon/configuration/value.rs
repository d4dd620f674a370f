//! Single values of the configuration, checked where they are read.

use crate::base::limits::NODE_NAME_BYTES_MAX;
use crate::io::password::{PasswordHash, PasswordHashError};
use crate::io::ssh::authorized_keys;
use russh::keys::PublicKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A module to implement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ModuleChoice {
    pub(crate) name: String,
    /// `None`: the newest in the directories.
    pub(crate) revision: Option<String>,
}

/// Features of a module to support.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct FeatureChoice {
    pub(crate) module: String,
    /// `None`: all of them.
    pub(crate) feature: Option<String>,
}

/// Where to listen for SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum SshListen {
    Off,
    At(SocketAddr),
}

/// Where to listen for other members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PeerListen(pub(crate) SocketAddr);

/// Where something can be reached: a name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct HostPort(String);

/// The name of a node in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct NodeName(String);

/// Where to listen for local programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum UnixListen {
    Off,
    At(PathBuf),
}

/// Permissions of the local socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Mode(pub(crate) u32);

/// Whether clients may change running itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunningAccess {
    /// The capability `:writable-running`.
    ReadWrite,
    /// Only commit changes running.
    ThroughCandidate,
}

/// How much is written to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What a line of the log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum LogFormat {
    /// Time, level, place, message and fields.
    Text,
    /// The same without the time, for a supervisor that notes it itself.
    Untimed,
    /// An object of JSON.
    Json,
}

/// A number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Bounded<const MIN: u64, const MAX: u64>(u64);

/// A password hash.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HashValue(pub(crate) PasswordHash);

/// A public key in one line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct KeyValue(pub(crate) PublicKey);

impl FromStr for ModuleChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        if !is_identifier(name) || !revision.is_none_or(is_date) {
            return Err(format!("`{text}` is not NAME or NAME@YYYY-MM-DD"));
        }
        Ok(Self { name: name.to_owned(), revision: revision.map(str::to_owned) })
    }
}

impl fmt::Display for ModuleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.revision.as_ref().map_or(Ok(()), |revision| write!(f, "@{revision}"))
    }
}

impl FromStr for FeatureChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((module, "*")) if is_identifier(module) => {
                Ok(Self { module: module.to_owned(), feature: None })
            }
            Some((module, feature)) if is_identifier(module) && is_identifier(feature) => {
                Ok(Self { module: module.to_owned(), feature: Some(feature.to_owned()) })
            }
            Some(_) | None => Err(format!("`{text}` is not MODULE:NAME or MODULE:*")),
        }
    }
}

impl fmt::Display for FeatureChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.module, self.feature.as_deref().unwrap_or("*"))
    }
}

impl FromStr for SshListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().ok().map(Self::At).ok_or_else(|| {
            format!("`{text}` is not ADDRESS:PORT (192.0.2.1:830, [2001:db8::1]:830) or off")
        })
    }
}

impl fmt::Display for SshListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for PeerListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().ok().map(Self).ok_or_else(|| {
            format!("`{text}` is not ADDRESS:PORT (192.0.2.1:8830, [2001:db8::1]:8830)")
        })
    }
}

impl fmt::Display for PeerListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_name = |host: &str| !host.is_empty() && host.chars().all(of_name);
        let is_port = |port: &str| port.parse().is_ok_and(|port: u16| port > 0);
        let named =
            text.rsplit_once(':').is_some_and(|(host, port)| is_name(host) && is_port(port));
        let numbered = text.parse().is_ok_and(|address: SocketAddr| address.port() > 0);
        if named || numbered {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not HOST:PORT (node-1.example.net:8830, [2001:db8::1]:8830)"))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if (1..=NODE_NAME_BYTES_MAX).contains(&text.len())
            && text.chars().all(|c| !c.is_control() && !c.is_whitespace())
        {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a name of 1 to {NODE_NAME_BYTES_MAX} bytes without blanks"))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for UnixListen {
    fn from(text: String) -> Self {
        if text == "off" { Self::Off } else { Self::At(PathBuf::from(text)) }
    }
}

impl From<&str> for UnixListen {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl fmt::Display for UnixListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o777 && text.starts_with('0'))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not an octal mode like 0660"))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl LogLevel {
    /// Its name, as the file and the log's filter have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not error, warn, info, debug or trace"))
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl LogFormat {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Untimed => "untimed",
            Self::Json => "json",
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Text, Self::Untimed, Self::Json]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not text, untimed or json"))
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// The number.
    pub(crate) fn get(self) -> u64 {
        self.0
    }

    /// The number as a count of things in memory.
    pub(crate) fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<i64> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        u64::try_from(number)
            .ok()
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| format!("{number} is not from {MIN} to {MAX}"))
    }
}

impl TryFrom<String> for HashValue {
    type Error = PasswordHashError;

    fn try_from(text: String) -> Result<Self, PasswordHashError> {
        PasswordHash::parse(&text).map(Self)
    }
}

impl TryFrom<String> for KeyValue {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        authorized_keys::key(text.trim()).map(Self)
    }
}

macro_rules! text_form {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

macro_rules! from_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

text_form!(
    ModuleChoice,
    FeatureChoice,
    SshListen,
    PeerListen,
    HostPort,
    NodeName,
    UnixListen,
    Mode,
    LogLevel,
    LogFormat
);
from_text!(
    ModuleChoice,
    FeatureChoice,
    SshListen,
    PeerListen,
    HostPort,
    NodeName,
    Mode,
    LogLevel,
    LogFormat
);

/// A YANG identifier (RFC 7950, 6.2).
fn is_identifier(text: &str) -> bool {
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && text.bytes().all(of_word)
}

/// The form of a revision date (RFC 7950, 7.1.9).
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::{
        Bounded, FeatureChoice, HostPort, LogFormat, LogLevel, Mode, ModuleChoice, NodeName,
        PeerListen, SshListen, UnixListen,
    };
    use std::fmt::Display;
    use std::str::FromStr;

    #[track_caller]
    fn check<T: FromStr<Err = String> + Display>(accepted: &[&str], refused: &[&str]) {
        for text in accepted {
            assert_eq!(text.parse::<T>().map(|value| value.to_string()).as_deref(), Ok(*text));
        }
        for text in refused {
            let error = text.parse::<T>().map(|value| value.to_string()).unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn modules_are_names_with_or_without_revision() {
        check::<ModuleChoice>(
            &["ietf-interfaces", "a@2018-02-20", "_a.b-c"],
            &["", "1a", "a b", "a@", "a@2018-2-20", "a@2018-02-20x", "@2018-02-20", "../a"],
        );
    }

    #[test]
    fn features_are_one_or_all_of_a_module() {
        check::<FeatureChoice>(
            &["m:f", "ietf-netconf:*"],
            &["m", "m:", ":f", "m:f:g", "*:*", "m:**"],
        );
    }

    #[test]
    fn ssh_addresses_have_a_port() {
        check::<SshListen>(
            &["off", "0.0.0.0:830", "[::1]:8300"],
            &["", "0.0.0.0", "localhost:830", "::1:830", "1.2.3.4:99999", "Off"],
        );
    }

    #[test]
    fn members_listen_at_an_address_and_are_reached_by_name_or_address() {
        check::<PeerListen>(
            &["0.0.0.0:8830", "[::1]:0"],
            &["", "off", "localhost:8830", "0.0.0.0", "::1:8830"],
        );
        check::<HostPort>(
            &["node-1.example.net:8830", "192.0.2.1:1", "[2001:db8::1]:8830", "n_1:65535"],
            &[
                "",
                "node",
                "node:",
                ":8830",
                "node:0",
                "node:65536",
                "2001:db8::1",
                "a b:1",
                "[::1]:0",
            ],
        );
    }

    #[test]
    fn names_of_nodes_are_words() {
        let long = "x".repeat(64);
        check::<NodeName>(&["n1", "Knoten-ä", &long], &["", "a b", "a\nb", &format!("{long}x")]);
    }

    #[test]
    fn modes_are_octal() {
        check::<Mode>(&["0660", "0600", "0000", "0777"], &["660", "", "0888", "01777", "rw"]);
    }

    #[test]
    fn levels_are_five() {
        check::<LogLevel>(&["error", "warn", "info", "debug", "trace"], &["", "INFO", "all"]);
    }

    #[test]
    fn formats_of_the_log_are_three() {
        check::<LogFormat>(&["text", "untimed", "json"], &["", "JSON", "xml"]);
    }

    #[test]
    fn a_socket_is_a_path_or_off() {
        assert_eq!(UnixListen::from("off"), UnixListen::Off);
        assert_eq!(UnixListen::from("/run/x"), UnixListen::At("/run/x".into()));
    }

    #[test]
    fn numbers_have_bounds() {
        for (number, accepted) in [(-1, false), (1, false), (2, true), (9, true), (10, false)] {
            assert_eq!(Bounded::<2, 9>::try_from(number).is_ok(), accepted, "{number}");
        }
    }
}
