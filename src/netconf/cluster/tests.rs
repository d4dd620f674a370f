use super::*;
use crate::base::ids::SessionId;
use crate::base::policy::Policy;
use crate::base::time::WallTime;
use crate::netconf::state::MemberProgress;
use crate::netconf::test_server::schema;
use crate::yang::print::print_all;
use crate::yang::tree::{Seed, Tree};

/// Both containers, printed.
fn xml(cluster: &ClusterState) -> String {
    let (schema, mut tree) = (schema(), Tree::empty(Seed::default()));
    add_current(&schema, cluster, |_| true, &mut tree.root);
    String::from_utf8(print_all(&schema, &tree)).unwrap()
}

fn member(name: &str, incarnation: u64, progress: Option<MemberProgress>) -> MemberState {
    MemberState {
        name: name.to_owned(),
        incarnation,
        address: format!("{name}:8830"),
        voter: true,
        active: true,
        last_contact_ms: progress.is_some().then_some(12),
        progress,
    }
}

fn progress(matched: u64, lag: u64, state: &'static str) -> Option<MemberProgress> {
    Some(MemberProgress { matched, lag, state })
}

/// The last two are of one revision.
fn line(number: u64) -> HistoryLine {
    HistoryLine {
        number,
        revision: number.min(9),
        transaction: format!("1.2.{number}"),
        user: "fred".to_owned(),
        session: Some(SessionId(7)),
        at: WallTime(951_782_400_000),
        origin: "n1".to_owned(),
        comment: None,
    }
}

/// A leader with two followers, the second of which is behind.
fn leader() -> ClusterState {
    ClusterState {
        cluster_name: "lab".to_owned(),
        cluster_id: 0xC1,
        lineage: 0x11,
        node_name: "n1".to_owned(),
        incarnation: 1,
        boot: 4,
        ack_degraded: AckDegraded {
            count: 2,
            last: Some(WallTime(951_782_400_000)),
            missing: vec!["n3".to_owned()],
        },
        phase: NodePhase::Ready,
        role: "leader",
        term: 3,
        leader: Some("n1".to_owned()),
        voted_for: Some("n1".to_owned()),
        policy: Policy::Majority,
        first_index: 11,
        last_index: 20,
        last_term: 3,
        commit_index: 19,
        applied_index: 19,
        snapshot_index: 10,
        revision: 9,
        digest: "d".repeat(64),
        schema_id: "5".repeat(64),
        outgoing_voters: vec!["n1".to_owned()],
        members: vec![
            member("n1", 1, None),
            member("n2", 2, progress(20, 0, "replicate")),
            MemberState {
                active: false,
                voter: false,
                ..member("n3", 3, progress(7, 13, "snapshot"))
            },
        ],
        committed: 9,
        failed: 2,
        queue: 1,
        leadership_changes: 1,
        last_leadership_change: Some(WallTime(0)),
        last_commit: Some(WallTime(951_782_400_000)),
        join_progress: None,
        history: vec![line(8), line(10), line(9)],
    }
}

#[test]
fn a_leader_shows_everything() {
    assert_eq!(
        xml(&leader()),
        "<cluster-state xmlns=\"urn:quorate:cluster\"><cluster-name>lab</cluster-name>\
         <cluster-id>000000000000000000000000000000c1</cluster-id>\
         <lineage>00000000000000000000000000000011</lineage><policy>majority</policy>\
         <member-name>n1</member-name><incarnation>1</incarnation><boot>4</boot>\
         <phase>ready</phase><in-sync>true</in-sync><role>leader</role><voting>true</voting>\
         <leader>n1</leader><term>3</term><voted-for>n1</voted-for>\
         <leadership-changes>1</leadership-changes>\
         <last-leadership-change>1970-01-01T00:00:00Z</last-leadership-change>\
         <log><first-index>11</first-index><last-index>20</last-index><last-term>3</last-term>\
         <commit-index>19</commit-index><applied-index>19</applied-index><entries>10</entries>\
         <replicated-to-all>7</replicated-to-all></log><snapshot><index>10</index></snapshot>\
         <revision>9</revision>"
            .to_owned()
            + &format!(
                "<digest>{}</digest><schema-id>{}</schema-id>",
                "d".repeat(64),
                "5".repeat(64)
            )
            + "<transactions><committed>9</committed><failed>2</failed>\
         <queue-depth>1</queue-depth><last-commit>2000-02-29T00:00:00Z</last-commit></transactions>\
         <ack-degraded><count>2</count><last>2000-02-29T00:00:00Z</last><missing>n3</missing>\
         </ack-degraded><outgoing-voter>n1</outgoing-voter>\
         <member><name>n1</name><incarnation>1</incarnation><address>n1:8830</address>\
         <voting>true</voting><active>true</active></member>\
         <member><name>n2</name><incarnation>2</incarnation><address>n2:8830</address>\
         <voting>true</voting><active>true</active><last-contact>12</last-contact>\
         <progress><match-index>20</match-index><lag>0</lag><state>replicate</state></progress>\
         </member><member><name>n3</name><incarnation>3</incarnation><address>n3:8830</address>\
         <voting>false</voting><active>false</active><last-contact>12</last-contact>\
         <progress><match-index>7</match-index><lag>13</lag><state>snapshot</state></progress>\
         </member></cluster-state><commit-history xmlns=\"urn:quorate:cluster\">"
            + &[(8, 8), (9, 9), (10, 9)]
                .map(|(number, revision)| format!(
                    "<commit><number>{number}</number><revision>{revision}</revision>\
                 <transaction-id>1.2.{number}</transaction-id><user>fred</user>\
                 <session-id>7</session-id><time>2000-02-29T00:00:00Z</time><origin>n1</origin>\
                 </commit>"
                ))
                .concat()
            + "</commit-history>"
    );
}

#[test]
fn what_there_is_not_is_left_out() {
    let state = xml(&ClusterState {
        phase: NodePhase::Joining,
        join_progress: Some((5, 10)),
        ..ClusterState::default()
    });
    assert_eq!(
        state,
        "<cluster-state xmlns=\"urn:quorate:cluster\"><policy>synchronous</policy>\
         <phase>joining</phase><in-sync>false</in-sync>\
         <join><received>5</received><size>10</size></join>\
         <leadership-changes>0</leadership-changes><log><last-index>0</last-index>\
         <commit-index>0</commit-index><applied-index>0</applied-index></log>\
         <snapshot><index>0</index></snapshot><revision>0</revision>\
         <transactions><committed>0</committed><failed>0</failed><queue-depth>0</queue-depth>\
         </transactions><ack-degraded><count>0</count></ack-degraded></cluster-state>"
    );
}

#[test]
fn all_have_what_the_slowest_has_and_what_is_committed() {
    let (leader, alone) = (leader(), vec![member("n1", 1, None)]);
    for (members, expected) in [
        (leader.members.clone(), Some(7)),
        (vec![member("n1", 1, None), member("n2", 2, progress(20, 0, "replicate"))], Some(19)),
        // Nothing is known of it yet.
        (vec![member("n1", 1, None), member("n2", 2, None)], Some(0)),
        (alone, Some(19)),
    ] {
        assert_eq!(replicated_to_all(&ClusterState { members, ..leader.clone() }), expected);
    }
    assert_eq!(replicated_to_all(&ClusterState { role: "follower", ..leader }), None);
}

#[test]
fn in_sync_is_who_serves_all_that_is_committed() {
    for (phase, applied_index, expected) in [
        (NodePhase::Ready, 19, true),
        (NodePhase::Ready, 18, false),
        (NodePhase::Stale, 19, false),
        (NodePhase::Diverged, 19, false),
        (NodePhase::Syncing, 19, false),
    ] {
        let state = ClusterState { phase, applied_index, ..leader() };
        assert_eq!(is_in_sync(&state), expected, "{phase:?} {applied_index}");
    }
}

/// What the code can say is what the model allows: each value is one of its enumeration.
#[test]
fn the_model_knows_every_word() {
    let model = include_str!("../../../yang/quorate-cluster.yang");
    let phases = [
        NodePhase::Recovering,
        NodePhase::Joining,
        NodePhase::Syncing,
        NodePhase::Subscribers,
        NodePhase::Ready,
        NodePhase::Stale,
        NodePhase::Diverged,
        NodePhase::Quarantined,
        NodePhase::Stopped,
    ];
    for word in phases.map(phase).into_iter().chain(Policy::ALL.map(Policy::name)) {
        assert!(model.contains(&format!("enum {word} {{")), "{word}");
    }
}

#[test]
fn only_what_is_wanted_is_made() {
    let schema = schema();
    let Lookup::Found(history) = schema.child_in_module(None, MODULE, HISTORY) else {
        panic!("not implemented");
    };
    let mut tree = Tree::empty(Seed::default());
    add_current(&schema, &leader(), |node| node == history, &mut tree.root);
    assert_eq!(tree.root.iter().map(|(node, _)| node).collect::<Vec<_>>(), [history]);
}
