//! Confirmed commit (RFC 6241, 8.4): one object of the replicated state, ended by exactly one log entry.

use crate::base::ids::{Incarnation, LogIndex, Revision, SessionKey};
use crate::yang::tree::Tree;
use serde::{Deserialize, Serialize};

/// A commit that waits for its confirmation.
///
/// Invariant: at most one in the cluster. `base` is running as it was before the *first* confirmed commit of the
/// sequence; extensions never change it.
#[derive(Debug, Clone)]
pub(crate) struct ConfirmedCommit {
    /// The log index of the entry that started or last extended it. What ends it names it.
    pub(crate) generation: LogIndex,
    /// With one, any session that knows it may confirm, and the owner's end does not roll back.
    pub(crate) persist_id: Option<String>,
    pub(crate) owner: SessionKey,
    pub(crate) base: Tree,
    pub(crate) base_revision: Revision,
    pub(crate) timeout_s: u32,
    /// The boots of voters that have run since `generation` was applied. Empty: nobody can know how much of the
    /// timeout has passed, so it is rolled back (RFC 6241, 8.4.1: a reboot).
    pub(crate) alive: Vec<(Incarnation, u64)>,
}

/// What a decision does to the confirmed commit. Each but `Start` is void unless its generation is the pending one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Void if one is pending.
    Start {
        timeout_s: u32,
        persist_id: Option<String>,
    },
    /// The token stays unless a new one is given.
    Extend {
        generation: LogIndex,
        timeout_s: u32,
        persist_id: Option<String>,
    },
    Confirm {
        generation: LogIndex,
    },
    Cancel {
        generation: LogIndex,
    },
    Rollback {
        generation: LogIndex,
        cause: RollbackCause,
    },
}

/// Why nobody confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RollbackCause {
    Timeout,
    /// No member is left that has run since the confirmed commit.
    Restart,
    /// The session that made it ended, and it was not persistent.
    SessionEnd,
}

/// What a `<commit>` asks of confirmed commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// `<confirmed/>`: timeout in seconds and `<persist>`.
    pub(crate) confirmed: Option<(u32, Option<String>)>,
    pub(crate) persist_id: Option<String>,
}

/// Why a commit or cancel-commit is not for this session. Nothing is changed: timer and token stay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotYours {
    #[error("a confirmed commit is pending: confirm it with its persist-id, or wait until it ends")]
    Persistent,
    #[error("session {0} has a confirmed commit pending")]
    OtherSession(crate::base::ids::SessionId),
    #[error("persist-id names no pending confirmed commit")]
    UnknownPersistId,
    #[error("no confirmed commit is pending")]
    NonePending,
}

/// What a commit by `session` means for the confirmed commit; `None` for a plain commit while none is pending.
///
/// A pending one with a token is open to whoever names the token, and to nobody else (RFC 6241, 8.4.1); one without
/// to its session.
pub(crate) fn commit_step(
    pending: Option<&ConfirmedCommit>,
    session: SessionKey,
    ask: &Ask,
) -> Result<Option<Step>, NotYours> {
    let Some(pending) = pending else {
        if ask.persist_id.is_some() {
            return Err(NotYours::UnknownPersistId);
        }
        let start = ask.confirmed.as_ref().map(|(timeout_s, persist)| Step::Start {
            timeout_s: *timeout_s,
            persist_id: persist.clone(),
        });
        return Ok(start);
    };
    admit(pending, session, ask.persist_id.as_deref())?;
    let generation = pending.generation;
    Ok(Some(match &ask.confirmed {
        Some((timeout_s, persist)) => {
            Step::Extend { generation, timeout_s: *timeout_s, persist_id: persist.clone() }
        }
        None => Step::Confirm { generation },
    }))
}

/// What a cancel-commit by `session` means (RFC 6241, 8.4.4.1).
pub(crate) fn cancel_step(
    pending: Option<&ConfirmedCommit>,
    session: SessionKey,
    persist_id: Option<&str>,
) -> Result<Step, NotYours> {
    let pending = pending.ok_or(NotYours::NonePending)?;
    admit(pending, session, persist_id)?;
    Ok(Step::Cancel { generation: pending.generation })
}

fn admit(
    pending: &ConfirmedCommit,
    session: SessionKey,
    persist_id: Option<&str>,
) -> Result<(), NotYours> {
    match (&pending.persist_id, persist_id) {
        (Some(token), Some(given)) if token == given => Ok(()),
        (Some(_) | None, Some(_)) => Err(NotYours::UnknownPersistId),
        (Some(_), None) => Err(NotYours::Persistent),
        (None, None) if pending.owner == session => Ok(()),
        (None, None) => Err(NotYours::OtherSession(pending.owner.id)),
    }
}

impl ConfirmedCommit {
    /// Whether `session`'s end rolls it back.
    pub(crate) fn ends_with(&self, session: SessionKey) -> bool {
        self.persist_id.is_none() && self.owner == session
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::SessionId;

    const OWNER: SessionKey = SessionKey { incarnation: Incarnation(1), boot: 1, id: SessionId(7) };
    const OTHER: SessionKey = SessionKey { incarnation: Incarnation(1), boot: 1, id: SessionId(8) };
    const GENERATION: LogIndex = LogIndex(40);

    fn pending(persist_id: Option<&str>) -> ConfirmedCommit {
        ConfirmedCommit {
            generation: GENERATION,
            persist_id: persist_id.map(str::to_owned),
            owner: OWNER,
            base: Tree::default(),
            base_revision: Revision(3),
            timeout_s: 600,
            alive: vec![(Incarnation(1), 1)],
        }
    }

    fn ask(confirmed: bool, persist_id: Option<&str>) -> Ask {
        Ask {
            confirmed: confirmed.then_some((30, None)),
            persist_id: persist_id.map(str::to_owned),
        }
    }

    #[track_caller]
    fn check(
        token: Option<Option<&str>>,
        session: SessionKey,
        ask: &Ask,
        expected: Result<Option<Step>, NotYours>,
    ) {
        let pending = token.map(pending);
        assert_eq!(commit_step(pending.as_ref(), session, ask), expected);
    }

    #[test]
    fn a_commit_with_none_pending_starts_one_only_if_it_is_confirmed() {
        check(None, OWNER, &ask(false, None), Ok(None));
        check(
            None,
            OWNER,
            &ask(true, None),
            Ok(Some(Step::Start { timeout_s: 30, persist_id: None })),
        );
        check(None, OWNER, &ask(false, Some("t")), Err(NotYours::UnknownPersistId));
    }

    #[test]
    fn one_without_a_token_belongs_to_its_session() {
        let confirm = Step::Confirm { generation: GENERATION };
        let extend = Step::Extend { generation: GENERATION, timeout_s: 30, persist_id: None };
        check(Some(None), OWNER, &ask(false, None), Ok(Some(confirm)));
        check(Some(None), OWNER, &ask(true, None), Ok(Some(extend)));
        check(Some(None), OWNER, &ask(false, Some("t")), Err(NotYours::UnknownPersistId));
        check(Some(None), OTHER, &ask(false, None), Err(NotYours::OtherSession(SessionId(7))));
    }

    #[test]
    fn one_with_a_token_belongs_to_whoever_names_it() {
        let confirm = Step::Confirm { generation: GENERATION };
        check(Some(Some("t")), OTHER, &ask(false, Some("t")), Ok(Some(confirm)));
        check(Some(Some("t")), OWNER, &ask(false, None), Err(NotYours::Persistent));
        check(Some(Some("t")), OTHER, &ask(false, Some("u")), Err(NotYours::UnknownPersistId));
    }

    #[test]
    fn cancel_needs_a_pending_one_and_the_same_right() {
        let pending = pending(Some("t"));
        assert_eq!(cancel_step(None, OWNER, None), Err(NotYours::NonePending));
        assert_eq!(cancel_step(Some(&pending), OWNER, None), Err(NotYours::Persistent));
        assert_eq!(
            cancel_step(Some(&pending), OTHER, Some("t")),
            Ok(Step::Cancel { generation: GENERATION })
        );
    }
}
