//! `quorate cluster history`: the commits, newest first.

use super::state;
use crate::cli::client::{Client, Element};
use crate::cli::table::Table;
use serde::Serialize;

/// One line of `commit-history`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Commit {
    number: u64,
    revision: u64,
    transaction_id: Option<String>,
    user: Option<String>,
    session_id: Option<u32>,
    time: String,
    origin: Option<String>,
    comment: Option<String>,
}

/// The newest `limit` commits, as a table or as JSON.
pub(super) fn text(client: &mut Client, limit: usize, json: bool) -> anyhow::Result<String> {
    let reply = state::get(client, "commit-history", "")?;
    let history = reply.child("data").and_then(|data| data.child("commit-history"));
    let commits = history.map(|history| newest(history, limit)).unwrap_or_default();
    if json {
        return Ok(serde_json::to_string_pretty(&commits)? + "\n");
    }
    Ok(table(&commits))
}

fn newest(history: &Element, limit: usize) -> Vec<Commit> {
    let mut commits: Vec<Commit> = history.all("commit").map(Commit::of).collect();
    commits.sort_by_key(|commit| std::cmp::Reverse(commit.number));
    commits.truncate(limit);
    commits
}

fn table(commits: &[Commit]) -> String {
    if commits.is_empty() {
        return "Nothing was committed yet.\n".to_owned();
    }
    let heading = ["REVISION", "TIME", "USER", "SESSION", "AT", "TRANSACTION", "COMMENT"];
    let mut table = Table::new(&heading);
    for commit in commits {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let session = commit.session_id.map_or_else(String::new, |id| id.to_string());
        let (revision, time) = (commit.revision.to_string(), commit.time.clone());
        let (user, origin) = (text(&commit.user), text(&commit.origin));
        let (transaction, comment) = (text(&commit.transaction_id), text(&commit.comment));
        table.line([revision, time, user, session, origin, transaction, comment]);
    }
    table.to_string()
}

impl Commit {
    fn of(commit: &Element) -> Self {
        let text = |name| commit.value(name).map(str::to_owned);
        Self {
            number: commit.get("number").unwrap_or(0),
            revision: commit.get("revision").unwrap_or(0),
            transaction_id: text("transaction-id"),
            user: text("user"),
            session_id: commit.get("session-id"),
            time: text("time").unwrap_or_default(),
            origin: text("origin"),
            comment: text("comment"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{newest, table};
    use crate::cli::client::Element;

    #[test]
    fn the_newest_come_first() {
        let commit = |number: u64, revision: u64, more: &str| {
            let time = "<time>2026-11-21T13:59:59Z</time>";
            let number = format!("<number>{number}</number>");
            format!("<commit>{number}<revision>{revision}</revision>{time}{more}</commit>")
        };
        let client = "<user>fred</user><session-id>7</session-id><origin>n1</origin>\
                      <transaction-id>1.2.3</transaction-id>";
        let history = format!(
            "<commit-history>{}{}{}</commit-history>",
            commit(9, 8, ""),
            commit(10, 9, client),
            commit(11, 9, "<comment>policy majority</comment>"),
        );
        let commits = newest(&Element::parse(history.as_bytes()).unwrap(), 2);
        assert_eq!(
            table(&commits),
            "\
REVISION  TIME                  USER  SESSION  AT  TRANSACTION  COMMENT
9         2026-11-21T13:59:59Z                                  policy majority
9         2026-11-21T13:59:59Z  fred  7        n1  1.2.3
"
        );
        assert_eq!(table(&[]), "Nothing was committed yet.\n");
        let json = serde_json::to_value(&commits).unwrap();
        assert_eq!(json[1]["transaction-id"], "1.2.3");
        assert_eq!(json[0]["session-id"], serde_json::Value::Null);
    }
}
