//! The replicated state: the same on every member at the same log index.

use crate::base::ids::{
    Boot, Digest, Incarnation, LogIndex, Revision, SessionId, SessionKey, TxId,
};
use crate::base::limits::{HISTORY_MAX, KEPT_BYTES_MAX, SESSION_ID_BLOCK};
use crate::base::policy::Policy;
use crate::base::time::WallTime;
use crate::transaction::confirmed::ConfirmedCommit;
use crate::yang::tree::Tree;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::sync::Arc;

/// The certificate authority of the cluster. The key is secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authority {
    /// DER.
    pub(crate) certificate: Vec<u8>,
    /// PKCS #8, DER.
    pub(crate) key: Vec<u8>,
}

/// Without the key.
impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// What can be locked in the log. The candidate and its lock are the node's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum LockTarget {
    Running,
    Startup,
}

/// A held lock.
///
/// Invariant: `fence` is the log index of the grant; a request under another fence is void (PROTOCOL F24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    pub(crate) target: LockTarget,
    pub(crate) session: SessionKey,
    pub(crate) fence: LogIndex,
    pub(crate) at: WallTime,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) incarnation: Incarnation,
    pub(crate) name: SmolStr,
    /// `host:port` of its peer listener; empty in a cluster of one without any.
    pub(crate) address: SmolStr,
    /// The newest boot that the log knows; its counter is 0 before the first.
    pub(crate) boot: Boot,
    /// No `NodeDown` came since that boot's `NodeUp`.
    pub(crate) up: bool,
    /// Requests below this number are closed (PROTOCOL F3).
    pub(crate) floor: u64,
    /// Ended sessions of the newest boot, with the number of the member's request that says so: a session is
    /// forgotten once the floor has passed that, because all that it ever asked for is closed then. `None` until the
    /// member itself has said so of a session that another one ended.
    pub(crate) ended: imbl::OrdMap<SessionId, Option<u64>>,
    /// Wire session-ids of the newest boot, from the first to below the second; the last block given.
    pub(crate) session_ids: (u32, u32),
    /// Blocks of the newest boot, by their first id, in which sessions may be open.
    pub(crate) blocks: Arc<Vec<u32>>,
    /// Who is asked about changes on this member.
    pub(crate) participants: Arc<[RegisteredParticipant]>,
}

/// A participant as every member knows it (PROTOCOL F13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RegisteredParticipant {
    /// Its number on its member.
    pub(crate) number: u32,
    pub(crate) name: String,
    /// Schema paths. Empty: every change.
    pub(crate) paths: Vec<String>,
    /// Lower ones are called first.
    pub(crate) priority: i32,
    pub(crate) deadline_ms: u64,
    pub(crate) rewrites: bool,
}

/// What `cluster-init` gave the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charter {
    pub(crate) name: String,
    pub(crate) authority: Authority,
}

/// A token with which one node may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    /// SHA-256 of its secret.
    pub(crate) digest: Digest,
    /// The leader refuses it from then on, by its own clock.
    pub(crate) expires: WallTime,
}

/// One line of the commit history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    /// Counts the lines from 1; `State::record` gives it. Several lines can be of one revision.
    pub(crate) number: u64,
    /// What it made, or what was in force.
    pub(crate) revision: Revision,
    pub(crate) txid: Option<TxId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) user: SmolStr,
    pub(crate) at: WallTime,
    pub(crate) origin: SmolStr,
    pub(crate) comment: Option<String>,
    /// As in the `RequestHead`.
    pub(crate) message_id: Option<SmolStr>,
    pub(crate) transaction: Option<SmolStr>,
}

/// Running as it was before a commit, so that it can be had again, and changes of it can be rebased.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) revision: Revision,
    pub(crate) tree: Tree,
    /// Bytes of the change that replaced it: about what it holds in memory that later ones do not.
    pub(crate) cost: u64,
}

/// The state.
///
/// Invariant: it is changed by `apply` alone, and by nothing outside the entry. A copy costs next to nothing: each entry
/// makes one. `revision` rises by one with each
/// committed decision or rollback. `outcomes` holds commits only.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) schema_id: Digest,
    pub(crate) revision: Revision,
    /// Running.
    pub(crate) shared: Tree,
    pub(crate) members: Vec<Member>,
    pub(crate) locks: Vec<Lock>,
    pub(crate) confirmed: Option<ConfirmedCommit>,
    pub(crate) outcomes: imbl::OrdMap<TxId, Revision>,
    /// Locks taken and released by requests that their origin has not closed yet.
    pub(crate) control: imbl::OrdSet<TxId>,
    /// The revisions before this one, oldest first: at most `HISTORY_MAX`, and of `KEPT_BYTES_MAX` bytes together.
    pub(crate) kept: imbl::Vector<Kept>,
    /// The sum of their costs.
    pub(crate) kept_bytes: u64,
    /// The newest `HISTORY_MAX` commits, oldest first.
    pub(crate) history: imbl::Vector<Arc<Committed>>,
    /// The first wire session-id that no boot has received.
    pub(crate) next_session_id: u32,
    /// The first incarnation that no member has received.
    pub(crate) next_incarnation: u64,
    pub(crate) charter: Option<Arc<Charter>>,
    /// Unused ones, oldest first.
    pub(crate) tokens: Vec<Token>,
    pub(crate) policy: Policy,
}

impl Member {
    /// One that has a seat and has not been up yet.
    pub(crate) fn joining(incarnation: Incarnation, name: &str, address: &str) -> Self {
        Self {
            incarnation,
            name: name.into(),
            address: address.into(),
            boot: Boot::default(),
            up: false,
            floor: 0,
            ended: imbl::OrdMap::new(),
            session_ids: (0, 0),
            blocks: Arc::default(),
            participants: Arc::default(),
        }
    }
}

impl State {
    /// The state before the first entry. Its schema is none: which one the data are valid under is said by the log.
    pub(crate) fn new(shared: Tree) -> Self {
        Self {
            schema_id: Digest::default(),
            revision: Revision(0),
            shared,
            members: Vec::new(),
            locks: Vec::new(),
            confirmed: None,
            outcomes: imbl::OrdMap::new(),
            control: imbl::OrdSet::new(),
            kept: imbl::Vector::new(),
            kept_bytes: 0,
            history: imbl::Vector::new(),
            next_session_id: 1,
            next_incarnation: 2,
            charter: None,
            tokens: Vec::new(),
            policy: Policy::default(),
        }
    }

    /// The member `incarnation`.
    pub(crate) fn member(&self, incarnation: Incarnation) -> Option<&Member> {
        self.members.iter().find(|member| member.incarnation == incarnation)
    }

    /// The session belongs to a boot that is the newest of its member, and it has not ended.
    pub(crate) fn is_alive(&self, session: SessionKey) -> bool {
        self.member(session.incarnation).is_some_and(|member| {
            member.boot.counter == session.boot && !member.ended.contains_key(&session.id)
        })
    }

    /// The sessions whose end changes the state: holders of locks and of an unconfirmed commit; some twice.
    pub(crate) fn holders(&self) -> impl Iterator<Item = SessionKey> + '_ {
        let owner = self.confirmed.as_ref().filter(|pending| pending.ends_with(pending.owner));
        self.locks.iter().map(|lock| lock.session).chain(owner.map(|pending| pending.owner))
    }

    /// Running at a revision, if it is kept.
    pub(crate) fn tree_at(&self, revision: Revision) -> Option<&Tree> {
        if revision == self.revision {
            return Some(&self.shared);
        }
        let oldest = self.kept.front()?.revision.0;
        let place = usize::try_from(revision.0.checked_sub(oldest)?).ok()?;
        self.kept.get(place).filter(|kept| kept.revision == revision).map(|kept| &kept.tree)
    }

    /// The next revision of running, in the place of `before`. `cost` is in bytes of the change.
    pub(crate) fn next_revision(&mut self, before: Tree, cost: u64) {
        self.kept.push_back(Kept { revision: self.revision, tree: before, cost });
        self.kept_bytes = self.kept_bytes.saturating_add(cost);
        while (self.kept.len() > HISTORY_MAX || self.kept_bytes > KEPT_BYTES_MAX)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.kept_bytes = self.kept_bytes.saturating_sub(oldest.cost);
        }
        self.revision = Revision(self.revision.0.saturating_add(1));
    }

    /// The commit that `user` gave this name.
    pub(crate) fn named(&self, user: &str, transaction: &str) -> Option<&Committed> {
        let is_it = |line: &&Arc<Committed>| {
            line.user == user && line.transaction.as_deref() == Some(transaction)
        };
        self.history.iter().rev().find(is_it).map(|line| &**line)
    }

    /// The member of that name.
    pub(crate) fn member_named(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The session with a wire id that a boot that is not over has received.
    pub(crate) fn session(&self, id: SessionId) -> Option<SessionKey> {
        let has = |member: &&Member| {
            member.blocks.iter().any(|first| id.0 >= *first && id.0 - first < SESSION_ID_BLOCK)
        };
        let member = self.members.iter().find(has)?;
        let (incarnation, boot) = (member.incarnation, member.boot.counter);
        Some(SessionKey { incarnation, boot, id })
    }

    /// The session's node is not taken for lost: what the session holds is released when it is.
    pub(crate) fn is_up(&self, session: SessionKey) -> bool {
        self.member(session.incarnation).is_some_and(|member| member.up)
    }

    /// The lock on `target`.
    pub(crate) fn lock(&self, target: LockTarget) -> Option<&Lock> {
        self.locks.iter().find(|lock| lock.target == target)
    }

    /// Adds a line to the history and forgets the oldest beyond the limit, with its outcome.
    pub(crate) fn record(&mut self, mut line: Committed) {
        line.number = self.history.back().map_or(1, |last| last.number.saturating_add(1));
        if let Some(txid) = line.txid {
            self.outcomes.insert(txid, line.revision);
        }
        self.history.push_back(Arc::new(line));
        while self.history.len() > HISTORY_MAX {
            if let Some(txid) = self.history.pop_front().and_then(|oldest| oldest.txid) {
                self.outcomes.remove(&txid);
            }
        }
    }
}
