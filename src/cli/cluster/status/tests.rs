use super::*;
use crate::cli::client::Element;
use crate::cli::cluster::state::Progress;

fn member(name: &str) -> Member {
    Member {
        name: name.to_owned(),
        address: Some(format!("{name}.example:8830")),
        voting: true,
        active: true,
        last_contact: Some(12),
        progress: Some(Progress { match_index: 90, lag: 3, state: Some("replicate".to_owned()) }),
        ..Member::default()
    }
}

fn silent(name: &str) -> Member {
    Member { active: false, last_contact: Some(125_000), ..member(name) }
}

/// The leader's own line says nothing of contact and progress.
fn own(name: &str) -> Member {
    Member { last_contact: None, progress: None, ..member(name) }
}

/// The first member leads, and is asked.
fn state(members: Vec<Member>) -> State {
    let name = members.first().map(|first| first.name.clone());
    State {
        cluster_name: Some("lab".to_owned()),
        policy: "synchronous".to_owned(),
        member_name: name.clone(),
        phase: "ready".to_owned(),
        in_sync: true,
        role: Some("leader".to_owned()),
        leader: name,
        term: Some(3),
        revision: 42,
        members,
        ..State::default()
    }
}

#[test]
fn a_page_tells_who_leads_who_lags_and_what_to_do() {
    let mut slow = member("n3");
    slow.progress =
        Some(Progress { lag: 5000, state: Some("snapshot".to_owned()), ..Progress::default() });
    let state = State {
        last_leadership_change: Some("2026-11-21T13:59:59Z".to_owned()),
        ..state(vec![own("n1"), silent("n2"), slow])
    };
    assert_eq!(
        page(&state),
        "\
Cluster    lab, policy synchronous
Leader     n1, term 3, since 2026-11-21T13:59:59Z
Revision   42
This node  n1, leader, ready, in sync

MEMBER  ADDRESS          ROLE    HEARD             BEHIND
n1      n1.example:8830  leader  this node         -
n2      n2.example:8830  voter   silent for 2 min  3
n3      n3.example:8830  voter   12 ms ago         5000, receives a snapshot

! n2 is silent for 2 min. Does it run, and can it be reached at n2.example:8830?
  If it is gone for good: quorate cluster remove n2
! 2 of 3 voters are there and 2 are needed: if one more fails, nothing can be written.
- n3 is 5000 entries behind. If that grows, its disk or network is slow.
"
    );
}

#[test]
fn a_node_that_was_never_initialised_says_how_to_begin() {
    let alone = Member { address: None, ..own("n1") };
    let state = State { cluster_name: None, ..state(vec![alone]) };
    assert_eq!(
        page(&state),
        "\
Cluster    a node alone, policy synchronous
Leader     n1, term 3
Revision   42
This node  n1, leader, ready, in sync

MEMBER  ADDRESS  ROLE    HEARD      BEHIND
n1               leader  this node  -

- To let other nodes join: quorate cluster init --name NAME
"
    );
}

#[track_caller]
fn check_advice(state: &State, expected: &[&str]) {
    let advice = advice(state);
    assert_eq!(advice.len(), expected.len(), "{advice:#?}");
    for (line, part) in advice.iter().zip(expected) {
        assert!(line.contains(part), "{line}: {part}");
    }
}

#[test]
fn advice_fits_the_trouble() {
    let three = || vec![own("n1"), member("n2"), member("n3")];
    check_advice(&state(three()), &["All 3 voters are there: one may fail."]);
    let five = three().into_iter().chain([member("n4"), member("n5")]).collect();
    check_advice(&state(five), &["All 5 voters are there: 2 may fail."]);
    check_advice(&state(vec![own("n1"), member("n2")]), &["With two voters", "none may fail"]);
    let four = three().into_iter().chain([member("n4")]).collect();
    check_advice(&state(four), &["4 voters bear no more failures than 3.", "one may fail"]);

    let two_silent = vec![own("n1"), silent("n2"), silent("n3")];
    let lost = State { leader: None, phase: "stale".to_owned(), ..state(two_silent) };
    check_advice(
        &lost,
        &[
            "2 of 3 voters must reach each other; this node hears 1,",
            "n2 is silent",
            "n3 is silent",
        ],
    );
    let missing = vec![own("n1"), member("n2"), Member { last_contact: None, ..silent("n3") }];
    let strict = State { policy: "fully-synchronous".to_owned(), ..state(missing) };
    check_advice(
        &strict,
        &["n3 is not heard", "2 of 3 voters", "quorate cluster policy synchronous"],
    );
    let stopped = State { phase: "stopped".to_owned(), ..state(three()) };
    check_advice(&stopped, &["its log says why"]);
    let learner = Member { voting: false, ..member("n4") };
    let joined = state(three().into_iter().chain([learner]).collect());
    check_advice(&joined, &["n4 has no vote yet", "All 3 voters"]);
    let outgoing_voters = vec!["n1".to_owned()];
    let growing = State { outgoing_voters, ..state(three()) };
    check_advice(&growing, &["a majority of n1 is needed, too", "All 3 voters"]);
    let follower = State { member_name: Some("n2".to_owned()), ..state(three()) };
    check_advice(&follower, &["ask on n1", "one may fail"]);
    let joining = State { leader: None, phase: "joining".to_owned(), ..state(Vec::new()) };
    check_advice(&joining, &[]);
}

#[test]
fn this_node_says_how_far_it_is() {
    let mut state = state(vec![own("n1")]);
    state.in_sync = false;
    state.log.commit_index = 30;
    state.log.applied_index = 18;
    state.transactions.queue_depth = 2;
    assert_eq!(this_node(&state), "n1, leader, ready, 12 entries to apply, 2 changes waiting");
    let join = Some(super::state::Join { received: 5 << 20, size: (10 << 20) + (1 << 19) });
    let joining = State { phase: "syncing".to_owned(), role: None, join, ..State::default() };
    assert_eq!(this_node(&joining), "syncing, 5.0 of 10.5 MiB received");
}

#[test]
fn times_are_said_in_a_fitting_unit() {
    for (ms, text) in
        [(0, "0 ms"), (999, "999 ms"), (1000, "1 s"), (119_999, "119 s"), (7_200_000, "2 h")]
    {
        assert_eq!(ago(ms), text);
    }
}

/// Every leaf of the model is read under its name, and printed under it.
#[test]
fn json_has_the_names_of_the_model() {
    let xml = "<cluster-state><cluster-name>lab</cluster-name><in-sync>true</in-sync>\
        <voted-for>n1</voted-for><log><last-index>20</last-index>\
        <replicated-to-all>7</replicated-to-all></log><snapshot><index>10</index></snapshot>\
        <transactions><queue-depth>1</queue-depth></transactions>\
        <ack-degraded><count>3</count><last>2026-11-21T13:59:59Z</last><missing>n2</missing>\
        <missing>n3</missing></ack-degraded>\
        <member><name>n1</name><voting>true</voting></member>\
        <member><name>n2</name><last-contact>12</last-contact><progress>\
        <match-index>7</match-index><lag>13</lag><state>probe</state></progress></member>\
        </cluster-state>";
    let state = State::of(&Element::parse(xml.as_bytes()).unwrap());
    let json = serde_json::to_value(&state).unwrap();
    let hint = "- Answered with ok before every member had it: 3 since the start, the last one without n2, n3 at \
                2026-11-21T13:59:59Z.";
    assert!(hints(&state).iter().any(|line| line == hint), "{:?}", hints(&state));
    for (pointer, expected) in [
        ("/cluster-name", serde_json::json!("lab")),
        ("/in-sync", true.into()),
        ("/voted-for", "n1".into()),
        ("/log/last-index", 20.into()),
        ("/log/replicated-to-all", 7.into()),
        ("/snapshot/index", 10.into()),
        ("/transactions/queue-depth", 1.into()),
        ("/ack-degraded/count", 3.into()),
        ("/ack-degraded/missing/1", "n3".into()),
        ("/member/0/voting", true.into()),
        ("/member/1/last-contact", 12.into()),
        ("/member/1/progress/match-index", 7.into()),
        ("/member/1/progress/state", "probe".into()),
        ("/leader", serde_json::Value::Null),
    ] {
        assert_eq!(json.pointer(pointer), Some(&expected), "{pointer}");
    }
}
