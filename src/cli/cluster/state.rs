//! `cluster-state` as the agent tells it.

use crate::cli::client::{Client, Element};
use crate::netconf::cluster::NAMESPACE;
use serde::Serialize;

/// What the commands show, and print as JSON.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct State {
    pub(super) cluster_name: Option<String>,
    pub(super) cluster_id: Option<String>,
    pub(super) lineage: Option<String>,
    pub(super) policy: String,
    pub(super) member_name: Option<String>,
    pub(super) incarnation: Option<u64>,
    pub(super) boot: Option<u64>,
    pub(super) phase: String,
    pub(super) in_sync: bool,
    pub(super) join: Option<Join>,
    pub(super) role: Option<String>,
    pub(super) voting: Option<bool>,
    pub(super) leader: Option<String>,
    pub(super) term: Option<u64>,
    pub(super) voted_for: Option<String>,
    pub(super) leadership_changes: u64,
    pub(super) last_leadership_change: Option<String>,
    pub(super) log: Log,
    pub(super) snapshot: Snapshot,
    pub(super) revision: u64,
    pub(super) digest: Option<String>,
    pub(super) schema_id: Option<String>,
    pub(super) transactions: Transactions,
    pub(super) ack_degraded: AckDegraded,
    #[serde(rename = "outgoing-voter")]
    pub(super) outgoing_voters: Vec<String>,
    #[serde(rename = "member")]
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Join {
    pub(super) received: u64,
    pub(super) size: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Log {
    pub(super) first_index: Option<u64>,
    pub(super) last_index: u64,
    pub(super) last_term: Option<u64>,
    pub(super) commit_index: u64,
    pub(super) applied_index: u64,
    pub(super) entries: Option<u64>,
    pub(super) replicated_to_all: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Snapshot {
    pub(super) index: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Transactions {
    pub(super) committed: u64,
    pub(super) failed: u64,
    pub(super) queue_depth: u64,
    pub(super) last_commit: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct AckDegraded {
    pub(super) count: u64,
    pub(super) last: Option<String>,
    pub(super) missing: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) incarnation: Option<u64>,
    pub(super) address: Option<String>,
    pub(super) voting: bool,
    pub(super) active: bool,
    /// Milliseconds ago.
    pub(super) last_contact: Option<u64>,
    pub(super) progress: Option<Progress>,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Progress {
    pub(super) match_index: u64,
    pub(super) lag: u64,
    pub(super) state: Option<String>,
}

/// `cluster-state`, or the part of it with this name if one is given; `None` if there is nothing of it.
pub(super) fn read(client: &mut Client, part: &str) -> anyhow::Result<Option<Element>> {
    let reply = get(client, "cluster-state", part)?;
    Ok(reply.child("data").and_then(|data| data.all("cluster-state").next()).cloned())
}

/// The reply to a `<get>` of one of the module's containers.
pub(super) fn get(client: &mut Client, container: &str, part: &str) -> anyhow::Result<Element> {
    client.request(|writer| {
        writer.start("get").start("filter").attribute("type", "subtree");
        writer.start(container).default_namespace(NAMESPACE);
        if !part.is_empty() {
            writer.empty(part);
        }
        writer.end(container).end("filter").end("get");
    })
}

impl State {
    /// Where the other members reach this node.
    pub(super) fn own_address(&self) -> Option<&str> {
        let own =
            self.members.iter().find(|member| Some(&member.name) == self.member_name.as_ref());
        own.and_then(|own| own.address.as_deref())
    }

    pub(super) fn of(state: &Element) -> Self {
        let text = |name| state.value(name).map(str::to_owned);
        let counted = |name| state.get(name).unwrap_or(0);
        Self {
            cluster_name: text("cluster-name"),
            cluster_id: text("cluster-id"),
            lineage: text("lineage"),
            policy: text("policy").unwrap_or_default(),
            member_name: text("member-name"),
            incarnation: state.get("incarnation"),
            boot: state.get("boot"),
            phase: text("phase").unwrap_or_default(),
            in_sync: state.get("in-sync").unwrap_or(false),
            join: state.child("join").map(Join::of),
            role: text("role"),
            voting: state.get("voting"),
            leader: text("leader"),
            term: state.get("term"),
            voted_for: text("voted-for"),
            leadership_changes: counted("leadership-changes"),
            last_leadership_change: text("last-leadership-change"),
            log: state.child("log").map(Log::of).unwrap_or_default(),
            snapshot: state.child("snapshot").map(Snapshot::of).unwrap_or_default(),
            revision: counted("revision"),
            digest: text("digest"),
            schema_id: text("schema-id"),
            transactions: state.child("transactions").map(Transactions::of).unwrap_or_default(),
            ack_degraded: state.child("ack-degraded").map(AckDegraded::of).unwrap_or_default(),
            outgoing_voters: (state.all("outgoing-voter"))
                .map(|name| name.text().to_owned())
                .collect(),
            members: state.all("member").map(Member::of).collect(),
        }
    }
}

impl Join {
    fn of(join: &Element) -> Self {
        Self { received: number(join, "received"), size: number(join, "size") }
    }
}

impl Log {
    fn of(log: &Element) -> Self {
        Self {
            first_index: log.get("first-index"),
            last_index: number(log, "last-index"),
            last_term: log.get("last-term"),
            commit_index: number(log, "commit-index"),
            applied_index: number(log, "applied-index"),
            entries: log.get("entries"),
            replicated_to_all: log.get("replicated-to-all"),
        }
    }
}

impl Snapshot {
    fn of(snapshot: &Element) -> Self {
        Self { index: number(snapshot, "index") }
    }
}

impl Transactions {
    fn of(transactions: &Element) -> Self {
        Self {
            committed: number(transactions, "committed"),
            failed: number(transactions, "failed"),
            queue_depth: number(transactions, "queue-depth"),
            last_commit: transactions.value("last-commit").map(str::to_owned),
        }
    }
}

impl AckDegraded {
    fn of(degraded: &Element) -> Self {
        let missing = degraded.all("missing").map(|name| name.text().to_owned());
        Self {
            count: number(degraded, "count"),
            last: degraded.value("last").map(str::to_owned),
            missing: missing.collect(),
        }
    }
}

impl Member {
    fn of(member: &Element) -> Self {
        Self {
            name: member.value("name").unwrap_or_default().to_owned(),
            incarnation: member.get("incarnation"),
            address: member.value("address").map(str::to_owned),
            voting: member.get("voting").unwrap_or(false),
            active: member.get("active").unwrap_or(false),
            last_contact: member.get("last-contact"),
            progress: member.child("progress").map(|progress| Progress {
                match_index: number(progress, "match-index"),
                lag: number(progress, "lag"),
                state: progress.value("state").map(str::to_owned),
            }),
        }
    }
}

fn number(parent: &Element, name: &str) -> u64 {
    parent.get(name).unwrap_or(0)
}
