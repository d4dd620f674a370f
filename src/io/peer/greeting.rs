//! The first frame in each direction: who is here, whom it wants, and whether the two can work together.

use super::authority::MemberName;
use crate::base::ids::{Boot, ClusterId, Digest, Incarnation, Lineage};
use crate::replication::message::Lane;
use serde::{Deserialize, Serialize};

/// The newest form of messages, entries and snapshots that this program knows.
pub(super) const FEATURE_LEVEL: u32 = 2;
/// The oldest that it can still use.
pub(super) const FEATURE_LEVEL_MIN: u32 = 2;

/// The first frame. Postcard: fields and variants are only added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Opening {
    Greeting(Greeting),
    /// The other does not go on: why, in one line.
    Refused(String),
    /// The other keeps the connection that it has.
    Connected,
    /// The log of the other says that this member has no seat any more: the same in one line.
    Removed(String),
}

/// Who is here, in this life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Greeting {
    pub(super) cluster: ClusterId,
    pub(super) lineage: Lineage,
    pub(super) from: Incarnation,
    /// Whom the connection is meant for.
    pub(super) to: Incarnation,
    pub(super) boot: Boot,
    pub(super) version: String,
    pub(super) feature_level: u32,
    pub(super) feature_level_min: u32,
    pub(super) schema_id: Digest,
    pub(super) purpose: Purpose,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// One lane of a pair. Both lanes of a pair state the number that the dialling side drew for it.
    Lane { lane: Lane, pair: u64 },
    /// One snapshot, from the dialling side.
    Snapshot,
}

/// This node, as it greets.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) name: MemberName,
    pub(crate) boot: Boot,
    pub(crate) version: String,
    pub(crate) schema_id: Digest,
}

/// Why two do not work together. Each is one line with both sides and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error(
        "member {from} belongs to cluster {theirs:032x}, member {to} to cluster {ours:032x}: correct the addresses; a \
         node changes its cluster by `--join` with `--discard-local-data` only"
    )]
    Cluster { from: Incarnation, to: Incarnation, theirs: u128, ours: u128 },
    #[error(
        "member {from} goes on from another takeover (lineage {theirs:032x}) than member {to} (lineage {ours:032x}): \
         the one that is to give way joins again with `--discard-local-data`"
    )]
    Lineage { from: Incarnation, to: Incarnation, theirs: u128, ours: u128 },
    #[error(
        "member {from} wants member {wanted}, and this is member {to}: an address was given to another node; correct \
         the peer address of member {wanted}, or remove it if it is gone"
    )]
    Receiver { from: Incarnation, to: Incarnation, wanted: Incarnation },
    #[error(
        "the certificate is not that of member {from}, as which it greets member {to}: restore its file member.pem, or \
         let it join again"
    )]
    Certificate { from: Incarnation, to: Incarnation },
    #[error(
        "member {from} speaks feature levels {theirs_min} to {theirs} (version {their_version}), member {to} \
         {FEATURE_LEVEL_MIN} to {FEATURE_LEVEL} (version {our_version}): upgrade the older one"
    )]
    FeatureLevel {
        from: Incarnation,
        to: Incarnation,
        theirs: u32,
        theirs_min: u32,
        their_version: String,
        our_version: String,
    },
    #[error(
        "member {from} serves other YANG models (schema-id {theirs}, version {their_version}) than member {to} \
         (schema-id {ours}, version {our_version}): start both with the same modules, features and deviations"
    )]
    Schema {
        from: Incarnation,
        to: Incarnation,
        theirs: Digest,
        ours: Digest,
        their_version: String,
        our_version: String,
    },
    #[error(
        "member {from} has no seat any more, says member {to}: it was removed; it joins again, as a new member, with a \
         token and `--discard-local-data`"
    )]
    Removed { from: Incarnation, to: Incarnation },
}

impl Own {
    /// The greeting for `to`.
    pub(super) fn greeting(&self, to: Incarnation, purpose: Purpose) -> Greeting {
        Greeting {
            cluster: self.name.cluster,
            lineage: self.name.lineage,
            from: self.name.incarnation,
            to,
            boot: self.boot,
            version: self.version.clone(),
            feature_level: FEATURE_LEVEL,
            feature_level_min: FEATURE_LEVEL_MIN,
            schema_id: self.schema_id,
            purpose,
        }
    }

    /// Whether this node can work with who greets it so.
    pub(super) fn check(&self, greeting: &Greeting) -> Result<(), Mismatch> {
        let Greeting { from, cluster, lineage, .. } = *greeting;
        let to = self.name.incarnation;
        let their_version = || one_line(&greeting.version);
        if cluster != self.name.cluster {
            let (theirs, ours) = (cluster.0, self.name.cluster.0);
            return Err(Mismatch::Cluster { from, to, theirs, ours });
        }
        if lineage != self.name.lineage {
            let (theirs, ours) = (lineage.0, self.name.lineage.0);
            return Err(Mismatch::Lineage { from, to, theirs, ours });
        }
        if greeting.to != to {
            return Err(Mismatch::Receiver { from, to, wanted: greeting.to });
        }
        if greeting.feature_level < FEATURE_LEVEL_MIN || greeting.feature_level_min > FEATURE_LEVEL
        {
            return Err(Mismatch::FeatureLevel {
                from,
                to,
                theirs: greeting.feature_level,
                theirs_min: greeting.feature_level_min,
                their_version: their_version(),
                our_version: self.version.clone(),
            });
        }
        if greeting.schema_id != self.schema_id {
            return Err(Mismatch::Schema {
                from,
                to,
                theirs: greeting.schema_id,
                ours: self.schema_id,
                their_version: their_version(),
                our_version: self.version.clone(),
            });
        }
        Ok(())
    }
}

/// What another said, for the log: one line of bounded length without control characters.
pub(super) fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::{Greeting, Mismatch, Own, Purpose, one_line};
    use crate::base::ids::{Boot, ClusterId, Digest, Incarnation, Lineage};
    use crate::io::peer::authority::MemberName;

    fn own(incarnation: u64) -> Own {
        Own {
            name: MemberName {
                cluster: ClusterId(1),
                lineage: Lineage(2),
                incarnation: Incarnation(incarnation),
            },
            boot: Boot { counter: 1, nonce: 2 },
            version: "1.0".to_owned(),
            schema_id: Digest([3; 32]),
        }
    }

    #[test]
    fn members_of_one_cluster_work_together() {
        let greeting = own(1).greeting(Incarnation(2), Purpose::Snapshot);
        assert_eq!(own(2).check(&greeting), Ok(()));
    }

    #[test]
    fn a_newer_program_that_can_still_speak_our_level_is_welcome() {
        let greeting = own(1).greeting(Incarnation(2), Purpose::Snapshot);
        assert_eq!(own(2).check(&Greeting { feature_level: 9, ..greeting }), Ok(()));
    }

    #[test]
    fn every_difference_is_one_line_with_both_sides_and_what_to_do() {
        let good = || own(11).greeting(Incarnation(22), Purpose::Snapshot);
        type Expected = fn(&Mismatch) -> bool;
        let cases: [(Greeting, Expected, &str); 6] = [
            (
                Greeting { cluster: ClusterId(9), ..good() },
                |it| matches!(it, Mismatch::Cluster { .. }),
                "addresses",
            ),
            (
                Greeting { lineage: Lineage(9), ..good() },
                |it| matches!(it, Mismatch::Lineage { .. }),
                "joins again",
            ),
            (
                Greeting { to: Incarnation(23), ..good() },
                |it| matches!(it, Mismatch::Receiver { .. }),
                "address",
            ),
            (
                Greeting { feature_level: 0, feature_level_min: 0, ..good() },
                |it| matches!(it, Mismatch::FeatureLevel { .. }),
                "upgrade",
            ),
            (
                Greeting { feature_level: 9, feature_level_min: 8, ..good() },
                |it| matches!(it, Mismatch::FeatureLevel { .. }),
                "upgrade",
            ),
            (
                Greeting { schema_id: Digest([4; 32]), ..good() },
                |it| matches!(it, Mismatch::Schema { .. }),
                "same modules",
            ),
        ];
        for (greeting, expected, remedy) in cases {
            let mismatch = own(22).check(&greeting).unwrap_err();
            assert!(expected(&mismatch), "{mismatch:?}");
            let line = mismatch.to_string();
            assert!(line.contains("member 11") && line.contains("member 22"), "{line}");
            assert!(line.contains(remedy) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn what_others_say_stays_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m"), "ab[31m");
        assert_eq!(one_line(&"x".repeat(1000)).len(), 500);
    }
}
