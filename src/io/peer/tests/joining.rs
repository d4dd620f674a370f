//! Snapshots on their way, and who gets a seat.

use super::*;

fn meta(index: u64) -> SnapshotMeta {
    let position = LogPosition { index: LogIndex(index), term: Term(1) };
    SnapshotMeta { position, conf_state: ConfState::default() }
}

fn write_snapshot(directory: &TempDir, disk: Arc<dyn Disk>, index: u64) -> State {
    let _in_use = directory;
    let state = State::new(Tree::empty(Seed(5)));
    let mut writer = SnapshotWriter::begin(disk, meta(index)).unwrap();
    crate::replication::snapshot::encode(&state, &schema(), &mut |piece| {
        writer.write(piece).unwrap();
    })
    .unwrap();
    writer.finish().unwrap();
    state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_arrives_durable_and_decoded_and_both_sides_learn_it() {
    let authority = create("lab").unwrap();
    let name = own(1).name;
    let directory = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(directory.path()).unwrap());
    let state = write_snapshot(&directory, Arc::clone(&disk), 7);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = listener.local_addr().unwrap();
    let (handle, mut events, server) = open(PeerSettings {
        own: own(1),
        tree_seed: [5; 16],
        credentials: Some(Credentials::issue(&authority, &name).unwrap()),
        listener: Some(listener),
        listen,
        peers: Vec::new(),
        disk,
        schema: schema(),
    });
    let (asking, _questions) = mpsc::channel(8);
    let (_, views) = watch::channel(Arc::new(view()));
    let (ends, _) = broadcast::channel(8);
    let (_stop, word) = shutdown::channel();
    tokio::spawn(server.serve(AgentHandle::new(asking, views, ends), word));
    let mut second = Member::start(&authority, own(2)).await;
    handle.set_peers(vec![second.here()]);
    second.connected().await;

    for (index, expected) in [(7, Delivery::Arrived), (8, Delivery::Failed)] {
        let (to, frame) = (Incarnation(2), vec![9; 9]);
        handle.send_snapshot(SendSnapshot { to, index: LogIndex(index), frame }).unwrap();
        let sent = loop {
            let event = timeout(PATIENCE, events.prompt.recv()).await.unwrap().unwrap();
            if let PeerEvent::SnapshotSent { to, delivery } = event {
                break (to, delivery);
            }
            assert!(matches!(event, PeerEvent::Connected(_)), "{event:?}");
        };
        assert_eq!(sent, (Incarnation(2), expected), "snapshot {index}");
        assert!(!handle.is_sending_snapshots());
    }
    let arrived = loop {
        let event = second.event().await;
        if let PeerEvent::SnapshotArrived(arrived) = event {
            break arrived;
        }
        assert!(matches!(event, PeerEvent::SnapshotProgress { .. }), "{event:?}");
    };
    let Arrived { from, meta: stated, state: read, frame } = *arrived;
    assert_eq!((from, stated, frame), (Incarnation(1), meta(7), vec![9; 9]));
    assert_eq!((read.revision, read.shared), (state.revision, state.shared));
    second.stop.request();
    second.serving.await.unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(second.directory.path()).unwrap());
    let mut reader = SnapshotReader::open(disk, LogIndex(7)).unwrap();
    while reader.read().unwrap().is_some() {}
}

fn applicant(member: &Member, authority: &Authority) -> Applicant {
    Applicant {
        member: member.address.clone(),
        token: JoinToken { secret: [7; 16], authority: fingerprint(&authority.certificate) },
        name: "new".to_owned(),
        address: "192.0.2.7:8830".to_owned(),
        version: "1".to_owned(),
        schema_id: schema().schema_id,
    }
}

#[tokio::test]
async fn a_node_with_a_token_gets_a_seat_with_which_it_is_let_in() {
    let authority = create("lab").unwrap();
    let mut first = Member::start(&authority, own(1)).await;
    let applicant = applicant(&first, &authority);
    let asked = tokio::spawn(async move { join(&applicant).await });
    let (event, reply) = timeout(PATIENCE, first.questions.recv()).await.unwrap().unwrap();
    let SessionEvent::Join(request) = event else { panic!("{event:?}") };
    let expected = JoinRequest {
        secret: [7; 16],
        name: "new".to_owned(),
        address: "192.0.2.7:8830".to_owned(),
        version: "1".to_owned(),
        schema_id: schema().schema_id,
    };
    assert_eq!(request, expected);
    let incarnation = Incarnation(4);
    let members = vec![first.here()];
    let admission = Admission { incarnation, authority: authority.clone(), members };
    reply.send(Answer::Admitted(Box::new(admission))).unwrap();
    let joined = asked.await.unwrap().unwrap();
    assert_eq!(joined.identity.incarnation, incarnation);
    assert_eq!((joined.identity.cluster, joined.identity.tree_seed), (ClusterId(1), [5; 16]));
    assert_eq!(joined.members, [first.here()]);

    let mut fourth = Member::start_with(Some(joined.credentials), own(4)).await;
    fourth.handle.set_peers(joined.members);
    assert_eq!(first.connected().await, incarnation);
    assert_eq!(fourth.connected().await, Incarnation(1));
    exchange(&mut first, &mut fourth).await;
}

#[tokio::test]
async fn a_node_that_may_not_join_is_told_why() {
    let (authority, other) = (create("lab").unwrap(), create("lab").unwrap());
    let mut first = Member::start(&authority, own(1)).await;

    let wrong_cluster = join(&applicant(&first, &other)).await.unwrap_err();
    assert!(matches!(wrong_cluster, JoinError::OtherCluster { .. }), "{wrong_cluster}");

    let models = Applicant { schema_id: Digest([1; 32]), ..applicant(&first, &authority) };
    let refused = join(&models).await.unwrap_err().to_string();
    assert!(refused.contains("other YANG models"), "{refused}");
    assert!(first.questions.try_recv().is_err(), "the agent was not asked");

    let applicant = applicant(&first, &authority);
    let asked = tokio::spawn(async move { join(&applicant).await });
    let (_, reply) = first.questions.recv().await.unwrap();
    reply.send(Answer::Refused("the token is not valid any more".to_owned())).unwrap();
    let refused = asked.await.unwrap().unwrap_err();
    let JoinError::Refused { reason, .. } = refused else { panic!("{refused}") };
    assert_eq!(reason, "the token is not valid any more");
}

#[tokio::test]
async fn a_node_that_makes_a_cluster_of_itself_is_certified_by_it() {
    let mut first = Member::start_with(None, own(1)).await;
    let authority = create("lab").unwrap();
    first.handle.set_authority(authority.clone());
    let mut second = Member::start(&authority, own(2)).await;
    second.handle.set_peers(vec![first.here()]);
    assert_eq!(first.connected().await, Incarnation(2));
    second.connected().await;
    first.stop.request();
    first.serving.await.unwrap();
    let disk = RealDisk::open(first.directory.path()).unwrap();
    let kept = super::super::read_credentials(&disk).unwrap().expect("it is in the file");
    assert_eq!(kept.authority_fingerprint(), fingerprint(&authority.certificate));
}
