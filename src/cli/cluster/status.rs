//! `quorate cluster status`: who leads, who lags, what to do.

use super::state::{self, AckDegraded, Member, State};
use crate::cli::client::Client;
use crate::cli::table::Table;
use anyhow::Context;

/// Entries that a member may be behind without a word about it: what is on its way at full load.
const LAG_NOTED: u64 = 1000;

/// For people, or as JSON.
pub(super) fn text(client: &mut Client, json: bool) -> anyhow::Result<String> {
    let state = state::read(client, "")?.context("the agent has no cluster-state")?;
    let state = State::of(&state);
    if json {
        return Ok(serde_json::to_string_pretty(&state)? + "\n");
    }
    Ok(page(&state))
}

fn page(state: &State) -> String {
    let mut text = heading(state);
    if !state.members.is_empty() {
        text.push('\n');
        text.push_str(&members(state).to_string());
    }
    let advice = advice(state);
    if !advice.is_empty() {
        text.push('\n');
    }
    for line in advice {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn heading(state: &State) -> String {
    let cluster = state.cluster_name.as_deref().unwrap_or("a node alone");
    let policy = &state.policy;
    let term = state.term.map_or_else(String::new, |term| format!(", term {term}"));
    let leader = match &state.leader {
        Some(leader) => {
            let since = state.last_leadership_change.as_ref();
            let since = since.map_or_else(String::new, |since| format!(", since {since}"));
            format!("{leader}{term}{since}")
        }
        None => format!("none known here{term}"),
    };
    let revision = match &state.transactions.last_commit {
        Some(last) => format!("{}, of {last}", state.revision),
        None => state.revision.to_string(),
    };
    format!(
        "Cluster    {cluster}, policy {policy}\nLeader     {leader}\nRevision   {revision}\nThis node  {}\n",
        this_node(state)
    )
}

fn this_node(state: &State) -> String {
    let mut parts: Vec<String> =
        state.member_name.iter().chain(&state.role).chain(Some(&state.phase)).cloned().collect();
    if let Some(join) = &state.join {
        let mib = |bytes: u64| format!("{}.{}", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20);
        parts.push(format!("{} of {} MiB received", mib(join.received), mib(join.size)));
    }
    match state.log.commit_index.saturating_sub(state.log.applied_index) {
        0 if state.in_sync => parts.push("in sync".to_owned()),
        0 => {}
        behind => parts.push(format!("{behind} entries to apply")),
    }
    if state.transactions.queue_depth > 0 {
        parts.push(format!("{} changes waiting", state.transactions.queue_depth));
    }
    parts.join(", ")
}

fn members(state: &State) -> Table {
    let mut table = Table::new(&["MEMBER", "ADDRESS", "ROLE", "HEARD", "BEHIND"]);
    for member in &state.members {
        let address = member.address.clone().unwrap_or_default();
        let (heard, behind) = (heard(state, member), behind(state, member));
        table.line([member.name.clone(), address, role(state, member).to_owned(), heard, behind]);
    }
    table
}

fn role(state: &State, member: &Member) -> &'static str {
    if state.leader.as_ref() == Some(&member.name) {
        "leader"
    } else if member.voting {
        "voter"
    } else {
        "learner"
    }
}

fn heard(state: &State, member: &Member) -> String {
    match member.last_contact {
        _ if is_here(state, member) => "this node".to_owned(),
        Some(ms) if member.active => format!("{} ago", ago(ms)),
        Some(ms) => format!("silent for {}", ago(ms)),
        None if member.active => "yes".to_owned(),
        None => "never".to_owned(),
    }
}

/// How far it is behind the leader; nothing where that is not known.
fn behind(state: &State, member: &Member) -> String {
    if role(state, member) == "leader" {
        return "-".to_owned();
    }
    let Some(progress) = &member.progress else { return String::new() };
    match progress.state.as_deref() {
        Some("snapshot") => format!("{}, receives a snapshot", progress.lag),
        Some("probe") if member.active => format!("{}, being compared", progress.lag),
        Some(_) | None => progress.lag.to_string(),
    }
}

fn ago(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

fn is_here(state: &State, member: &Member) -> bool {
    state.member_name.as_ref() == Some(&member.name)
}

/// What an operator should know and do: what is wrong begins with `!`, what could be better with `-`.
fn advice(state: &State) -> Vec<String> {
    let mut lines = trouble(state);
    let is_well = lines.is_empty();
    lines.extend(hints(state));
    let voters = state.members.iter().filter(|member| member.voting).count();
    if is_well && voters > 1 && state.leader.is_some() {
        let bears = match (voters - 1) / 2 {
            0 => "none may fail".to_owned(),
            1 => "one may fail".to_owned(),
            more => format!("{more} may fail"),
        };
        lines.push(format!("All {voters} voters are there: {bears}."));
    }
    lines
}

fn trouble(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(format!("! {line}"));
    let voters = state.members.iter().filter(|member| member.voting);
    let there = voters.clone().filter(|one| one.active || is_here(state, one)).count();
    let voters = voters.count();
    let majority = voters / 2 + 1;
    if state.phase == "stopped" {
        say("This node cannot go on: its log says why.".to_owned());
    }
    if state.leader.is_none() && matches!(&*state.phase, "ready" | "stale" | "stopped") {
        say(format!(
            "No leader is known here, so nothing can be written through this node. {majority} of \
             {voters} voters must reach each other; this node hears {there}, itself included."
        ));
    }
    let silent = |member: &&Member| !member.active && !is_here(state, member);
    for member in state.members.iter().filter(silent) {
        let (name, heard) = (&member.name, heard(state, member));
        let at = member.address.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
        say(format!(
            "{name} is {}. Does it run, and can it be reached{at}?\n  If it is gone for good: \
             quorate cluster remove {name}",
            if member.last_contact.is_some() { heard } else { "not heard".to_owned() }
        ));
    }
    if state.leader.is_some() && voters > 1 && there == majority && there < voters {
        say(format!(
            "{there} of {voters} voters are there and {majority} are needed: if one more fails, \
             nothing can be written."
        ));
    }
    if state.policy == "fully-synchronous" && state.members.iter().any(|one| silent(&one)) {
        say("The policy is fully-synchronous: nothing can be written while a member is missing.\n  \
             To go on without it: quorate cluster policy synchronous"
            .to_owned());
    }
    lines
}

fn hints(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(format!("- {line}"));
    for member in &state.members {
        let (name, lag) = (&member.name, member.progress.as_ref().map_or(0, |it| it.lag));
        if member.active && lag >= LAG_NOTED {
            say(format!(
                "{name} is {lag} entries behind. If that grows, its disk or network is slow."
            ));
        }
        if member.active && !member.voting {
            say(format!("{name} has no vote yet. It gets one when it has caught up."));
        }
    }
    if !state.outgoing_voters.is_empty() {
        let names = state.outgoing_voters.join(", ");
        say(format!(
            "Several members get votes at once. Until that is done a majority of {names} is needed, too."
        ));
    }
    if let AckDegraded { count, last: Some(last), missing } = &state.ack_degraded {
        let without = if missing.is_empty() {
            String::new()
        } else {
            format!(" without {}", missing.join(", "))
        };
        say(format!(
            "Answered with ok before every member had it: {count} since the start, the last one{without} at {last}."
        ));
    }
    if state.cluster_name.is_none() {
        say("To let other nodes join: quorate cluster init --name NAME".to_owned());
    }
    match state.members.iter().filter(|member| member.voting).count() {
        2 => say("With two voters nothing can be written when either fails. A third one helps: \
             quorate cluster token"
            .to_owned()),
        even if even > 2 && even % 2 == 0 => {
            say(format!("{even} voters bear no more failures than {}.", even - 1));
        }
        _ => {}
    }
    if let Some(leader) = &state.leader
        && state.members.len() > 1
        && state.member_name.as_ref() != Some(leader)
    {
        say(format!("How far the others are is known to the leader: ask on {leader}."));
    }
    lines
}

#[cfg(test)]
mod tests;
