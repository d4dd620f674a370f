//! `cluster-state` and `commit-history` of our cluster module (`yang/quorate-cluster.yang`).
//!
//! A value that there is none of is left out: zero for identities and log positions (the first of each is 1), nothing
//! for names.

use super::grow::Grow;
use super::state::{AckDegraded, ClusterState, HistoryLine, MemberState, NodePhase};
use crate::yang::schema::{Lookup, NodeId, Schema};
use crate::yang::tree::Container;

/// The module.
pub(super) const MODULE: &str = "quorate-cluster";
/// Its namespace.
pub(crate) const NAMESPACE: &str = "urn:quorate:cluster";
/// Its top-level containers. They are two, so that watching the state costs nothing for the history.
const STATE: &str = "cluster-state";
const HISTORY: &str = "commit-history";
/// `role` of the member that leads.
const LEADER: &str = "leader";

/// Puts the cluster's state into `root`, as far as the schema has it and `wanted` says so.
pub(super) fn add_current(
    schema: &Schema,
    cluster: &ClusterState,
    wanted: impl Fn(NodeId) -> bool,
    root: &mut Container,
) {
    let grow = |name| match schema.child_in_module(None, MODULE, name) {
        Lookup::Found(node) if wanted(node) => Grow::top(schema, MODULE, name),
        Lookup::Found(_) | Lookup::UnknownNamespace | Lookup::UnknownElement => None,
    };
    if let Some(mut top) = grow(STATE) {
        state(&mut top, cluster);
        top.finish(root);
    }
    if let Some(mut top) = grow(HISTORY) {
        top.list("commit", &cluster.history, commit);
        top.finish(root);
    }
}

fn state(top: &mut Grow<'_>, cluster: &ClusterState) {
    top.leaf_if("cluster-name", stated(&cluster.cluster_name));
    top.leaf_if("cluster-id", identifier(cluster.cluster_id));
    top.leaf_if("lineage", identifier(cluster.lineage));
    top.leaf("policy", cluster.policy.name());
    top.leaf_if("member-name", stated(&cluster.node_name));
    top.leaf_if("incarnation", number(cluster.incarnation));
    top.leaf_if("boot", number(cluster.boot));
    top.leaf("phase", phase(cluster.phase));
    top.leaf("in-sync", truth(is_in_sync(cluster)));
    if let Some((received, size)) = cluster.join_progress {
        top.container("join", |join| {
            join.leaf("received", received.to_string()).leaf("size", size.to_string());
        });
    }
    top.leaf_if("role", stated(cluster.role));
    let own = cluster.members.iter().find(|member| member.incarnation == cluster.incarnation);
    top.leaf_if("voting", own.map(|own| truth(own.voter)));
    top.leaf_if("leader", cluster.leader.as_deref());
    top.leaf_if("term", number(cluster.term));
    top.leaf_if("voted-for", cluster.voted_for.as_deref());
    top.leaf("leadership-changes", cluster.leadership_changes.to_string());
    let changed = cluster.last_leadership_change;
    top.leaf_if("last-leadership-change", changed.map(|at| at.date_and_time()));
    top.container("log", |entry| log(entry, cluster));
    top.container("snapshot", |entry| {
        entry.leaf("index", cluster.snapshot_index.to_string());
    });
    top.leaf("revision", cluster.revision.to_string());
    top.leaf_if("digest", stated(&cluster.digest));
    top.leaf_if("schema-id", stated(&cluster.schema_id));
    top.container("transactions", |entry| {
        entry.leaf("committed", cluster.committed.to_string());
        entry.leaf("failed", cluster.failed.to_string());
        entry.leaf("queue-depth", cluster.queue.to_string());
        entry.leaf_if("last-commit", cluster.last_commit.map(|at| at.date_and_time()));
    });
    top.container("ack-degraded", |entry| {
        let AckDegraded { count, last, missing } = &cluster.ack_degraded;
        entry.leaf("count", count.to_string());
        entry.leaf_if("last", last.map(|at| at.date_and_time()));
        entry.leaf_list("missing", missing.iter().map(String::as_str));
    });
    top.leaf_list("outgoing-voter", cluster.outgoing_voters.iter().map(String::as_str));
    top.list("member", &cluster.members, member);
}

fn log(entry: &mut Grow<'_>, cluster: &ClusterState) {
    let &ClusterState { first_index: first, last_index: last, commit_index: committed, .. } =
        cluster;
    entry.leaf_if("first-index", number(first));
    entry.leaf("last-index", last.to_string());
    entry.leaf_if("last-term", number(cluster.last_term));
    entry.leaf("commit-index", committed.to_string());
    entry.leaf("applied-index", cluster.applied_index.to_string());
    let kept = (first > 0).then(|| last.saturating_add(1).saturating_sub(first));
    entry.leaf_if("entries", kept.map(|count| count.to_string()));
    entry.leaf_if("replicated-to-all", replicated_to_all(cluster).map(|index| index.to_string()));
}

/// What every member has, as far as the one that leads knows. Alone it is what is committed: the end of its log may not
/// be on the disk yet.
fn replicated_to_all(cluster: &ClusterState) -> Option<u64> {
    if cluster.role != LEADER {
        return None;
    }
    let others = cluster.members.iter().filter(|member| member.incarnation != cluster.incarnation);
    let matched = others.map(|member| member.progress.as_ref().map_or(0, |it| it.matched)).min();
    Some(matched.map_or(cluster.commit_index, |matched| matched.min(cluster.commit_index)))
}

fn is_in_sync(cluster: &ClusterState) -> bool {
    cluster.phase == NodePhase::Ready && cluster.applied_index >= cluster.commit_index
}

fn member(entry: &mut Grow<'_>, member: &MemberState) {
    entry.leaf("name", &member.name);
    entry.leaf_if("incarnation", number(member.incarnation));
    entry.leaf_if("address", stated(&member.address));
    entry.leaf("voting", truth(member.voter)).leaf("active", truth(member.active));
    entry.leaf_if("last-contact", member.last_contact_ms.map(|ms| ms.to_string()));
    if let Some(progress) = &member.progress {
        entry.container("progress", |entry| {
            entry.leaf("match-index", progress.matched.to_string());
            entry.leaf("lag", progress.lag.to_string());
            entry.leaf_if("state", stated(progress.state));
        });
    }
}

fn commit(entry: &mut Grow<'_>, line: &HistoryLine) {
    entry.leaf("number", line.number.to_string());
    entry.leaf("revision", line.revision.to_string());
    entry.leaf_if("transaction-id", stated(&line.transaction));
    entry.leaf_if("user", stated(&line.user));
    entry.leaf_if("session-id", line.session.map(|session| session.to_string()));
    entry.leaf("time", line.at.date_and_time());
    entry.leaf_if("origin", stated(&line.origin));
    entry.leaf_if("comment", line.comment.as_deref());
}

fn phase(phase: NodePhase) -> &'static str {
    match phase {
        NodePhase::Recovering => "recovering",
        NodePhase::Joining => "joining",
        NodePhase::Syncing => "syncing",
        NodePhase::Subscribers => "subscribers",
        NodePhase::Ready => "ready",
        NodePhase::Stale => "stale",
        NodePhase::Diverged => "diverged",
        NodePhase::Quarantined => "quarantined",
        NodePhase::Stopped => "stopped",
    }
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn stated(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn number(number: u64) -> Option<String> {
    (number > 0).then(|| number.to_string())
}

fn identifier(number: u128) -> Option<String> {
    (number > 0).then(|| format!("{number:032x}"))
}

#[cfg(test)]
mod tests;
