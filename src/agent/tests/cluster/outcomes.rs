//! What became of a transaction, and that it takes place once.

use super::*;

#[test]
fn the_outcome_of_a_commit_is_found_on_every_node() {
    let mut cluster = Cluster::new(3);
    let at = {
        let id = cluster.follower();
        cluster.open(id)
    };
    let edit = cluster.set(Datastore::Running, "a", Some("x"));
    cluster.ok(at, edit);
    let line = cluster.nodes[&at.0].view.as_ref().unwrap().cluster.history[0].clone();
    let by_message = TransactionName::Message { session: at.1.id, message_id: "1".to_owned() };
    for id in 1..=3 {
        let asking = cluster.open(id);
        for transaction in [TransactionName::Id(line.transaction.clone()), by_message.clone()] {
            let reply = cluster.cluster(asking, ClusterRequest::Outcome { transaction });
            let Some(Answer::Output(output)) = cluster.answer(id, reply) else { panic!("none") };
            let expected = [("outcome", "committed".to_owned()), ("revision", "1".to_owned())];
            assert_eq!(output, expected);
        }
    }
}

#[test]
fn a_named_transaction_takes_place_once_whichever_node_hears_of_it_again() {
    let mut cluster = Cluster::new(3);
    let (one, two) = (cluster.open(1), cluster.open(2));
    let add = |value: &str| set(&cluster.schema, Datastore::Running, "a", Some(value));
    let (first, between) = (add("first"), add("between"));
    cluster.named = Some("change-7".to_owned());
    cluster.ok(one, first.clone());
    cluster.ok(one, between);
    cluster.named = Some("change-7".to_owned());
    cluster.ok(two, first);
    cluster.everywhere("a=between");
}
