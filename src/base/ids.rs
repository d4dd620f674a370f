//! Identities. Two integers that could be swapped are two types.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub(crate) struct $name(pub(crate) $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number!(
    /// The number of a committed configuration: gapless, 0 is the empty one.
    Revision, u64
);
number!(
    /// A Raft term.
    Term, u64
);
number!(
    /// A position in the replicated log. The fence of a lock and the generation of a confirmed commit are log
    /// indexes too.
    LogIndex, u64
);
number!(
    /// A member's Raft id: given by the log, never reused in a lineage.
    Incarnation, u64
);
number!(
    /// The NETCONF session-id on the wire (RFC 6241, 8.1): 1 to 2^32-1, never reused while the log lives.
    SessionId, u32
);

number!(
    /// What tells one cluster from all others; drawn by `init`.
    ClusterId, u128
);
number!(
    /// A history of a cluster. A forced takeover begins a new one.
    Lineage, u128
);

/// One start of one member. The counter rises with each start of an incarnation; the nonce tells a restored disk.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub(crate) struct Boot {
    /// Rises by one with each start.
    pub(crate) counter: u64,
    /// Drawn at each start.
    pub(crate) nonce: u64,
}

/// The identity of a transaction: who asked, in which life, as which of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct TxId {
    /// The origin.
    pub(crate) incarnation: Incarnation,
    /// The origin's boot counter.
    pub(crate) boot: u64,
    /// The origin's number of the request; rises by one.
    pub(crate) seq: u64,
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.incarnation, self.boot, self.seq)
    }
}

impl std::str::FromStr for TxId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.split('.').map(|number| number.parse().map_err(|_e| ()));
        let mut next = || numbers.next().unwrap_or(Err(()));
        let txid = Self { incarnation: Incarnation(next()?), boot: next()?, seq: next()? };
        numbers.next().map_or(Ok(txid), |_| Err(()))
    }
}

/// The identity of a session in the replicated state. Its wire form is a `SessionId` from the boot's block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct SessionKey {
    /// The member that the session is connected to.
    pub(crate) incarnation: Incarnation,
    /// That member's boot counter.
    pub(crate) boot: u64,
    /// The wire id, unique in the cluster.
    pub(crate) id: SessionId,
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
