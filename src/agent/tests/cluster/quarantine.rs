//! Members that run from an older copy of their disk.

use super::*;
use crate::netconf::state::NodePhase;
use crate::raft::HardState;

impl Cluster {
    /// Three members of a cluster that others can join.
    fn founded() -> Self {
        let mut cluster = Self::new(1);
        let at = cluster.open(1);
        let address = "192.0.2.1:4000".to_owned();
        let init = ClusterRequest::Init { name: "lab".to_owned(), address };
        let reply = cluster.cluster(at, init);
        assert_eq!(cluster.answer(1, reply), Some(Answer::Ok));
        for id in 2..=3 {
            cluster.admit(id, at);
            cluster.add(id, &[], Vec::new());
            cluster.connect_all();
            cluster.wait(3000);
        }
        cluster
    }

    /// The member dies, and lives again in this boot with what it had then.
    fn restore(&mut self, id: u64, (meta, state): (SnapshotMeta, State), boot: Boot) {
        let parameters = Parameters { boot, ..self.nodes[&id].agent.parameters.clone() };
        self.kill(id);
        let config = NodeConfig {
            id: Incarnation(id),
            voters: Vec::new(),
            seed: 1,
            election_ticks: 25,
            heartbeat_ticks: 5,
        };
        let position = meta.position;
        let committed = position.index;
        let hard_state = HardState { term: position.term, vote: None, committed };
        let log = RecoveredLog { snapshot: Some(meta), hard_state, entries: Vec::new() };
        let node = crate::raft::Node::new(&config, log).unwrap();
        self.add(id, &[], Vec::new());
        let mut agent = Agent::new(parameters, node, state, position);
        agent.start(self.now());
        self.nodes.get_mut(&id).unwrap().agent = agent;
        self.connect_all();
    }

    fn has_member(&self, id: u64, name: &str) -> bool {
        self.nodes[&id].agent.state.member_named(name).is_some()
    }
}

#[test]
fn a_member_that_forgot_what_it_had_acknowledged_gives_up_its_seat() {
    let mut cluster = Cluster::founded();
    let (leader, id) = (cluster.leader(), cluster.follower());
    let name = format!("node-{id}");
    let old = cluster.nodes[&id].agent.snapshot();
    let at = cluster.open(leader);
    cluster.ok(at, cluster.set(Datastore::Running, "a", Some("1")));
    cluster.restore(id, old, Boot { counter: 2, nonce: 77 });
    // It has heard of the others, and they not yet of it.
    cluster.carry_out(id);
    let network = std::mem::take(&mut cluster.network);
    let to_it = |(_, to): &(u64, ToPeer)| to.to == Incarnation(id);
    let (to_it, to_others): (Vec<_>, Vec<_>) = network.into_iter().partition(to_it);
    drop(to_others);
    let now = cluster.now();
    for other in cluster.nodes.keys().copied().filter(|other| *other != id).collect::<Vec<_>>() {
        cluster.carry_out(other);
    }
    for (from, ToPeer { message, .. }) in
        to_it.into_iter().chain(std::mem::take(&mut cluster.network))
    {
        let member = cluster.nodes.get_mut(&id).unwrap();
        member.agent.peer(now, Incarnation(from), message);
    }
    cluster.carry_out(id);
    let member = &cluster.nodes[&id];
    assert_eq!(member.view.as_ref().unwrap().cluster.phase, NodePhase::Quarantined);
    assert!(!cluster.may_read(id));
    let rejoin = cluster.nodes[&id].rejoin.clone().expect("it is remembered before it is said");
    assert_eq!(rejoin.token.secret, [9; 16]);
    assert_eq!(rejoin.members.len(), 2);
    // It takes part in nothing.
    let said = std::mem::take(&mut cluster.network);
    let only = |message: &PeerMessage| matches!(message, PeerMessage::Quarantined { .. });
    let own = said.iter().filter(|(from, _)| *from == id);
    assert!(own.clone().all(|(_, to)| only(&to.message)), "{said:?}");
    cluster.wait(2_000);
    assert!(!cluster.has_member(leader, &name), "its seat is given up");
    let fatal = cluster.nodes[&id].fatal.as_deref().unwrap_or_default();
    assert!(fatal.contains("joins by itself"), "{fatal}");
    cluster.nodes.remove(&id);
    // The token that it remembers is good for the new seat, under the same name.
    let joining = JoinRequest {
        secret: rejoin.token.secret,
        name: name.clone(),
        address: "192.0.2.9:4000".to_owned(),
        version: String::new(),
        schema_id: cluster.schema.schema_id,
    };
    let reply = cluster.send(leader, SessionEvent::Join(joining));
    let Some(Answer::Admitted(admission)) = cluster.answer(leader, reply) else { panic!("a seat") };
    assert_eq!(admission.incarnation, Incarnation(4));
    assert!(cluster.has_member(leader, &name));
}

/// Its log is as long as it should be, but the others know a later life of it.
#[test]
fn a_member_in_an_earlier_life_than_the_log_knows_is_told_so() {
    let mut cluster = Cluster::founded();
    let id = cluster.follower();
    let now = cluster.nodes[&id].agent.snapshot();
    cluster.restore(id, now, Boot { counter: 1, nonce: 77 });
    cluster.wait(2_000);
    assert!(cluster.nodes[&id].rejoin.is_some());
    assert!(!cluster.has_member(cluster.leader(), &format!("node-{id}")));
}
