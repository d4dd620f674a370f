//! Somebody else at the door.

use super::*;

/// What member 1 says to somebody with these credentials who greets so.
async fn refusal(authority: &Authority, shown: MemberName, greets: Own, to: u64) -> String {
    let first = Member::start(authority, own(1)).await;
    let credentials = Credentials::issue(authority, &shown).unwrap();
    let mut stream = dial(&first, &Tls::new(&credentials, &shown).unwrap()).await;
    let purpose = Purpose::Lane { lane: Lane::Prompt, pair: 1 };
    match greet(&mut stream, greets, Incarnation(to), purpose).await {
        Some(Opening::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_is_not_what_he_says_is_refused_with_a_reason() {
    let authority = create("lab").unwrap();
    let name = own(2).name;
    let named = |name| Own { name, ..own(2) };
    let cluster = MemberName { cluster: ClusterId(9), ..name };
    let lineage = MemberName { lineage: Lineage(9), ..name };
    let schema = Own { schema_id: Digest([1; 32]), ..own(2) };
    for (shown, greets, to, why) in [
        (name, own(3), 1, "the certificate is not that of member 3"),
        (name, named(cluster), 1, "the certificate is not that of member 2"),
        (name, named(lineage), 1, "the certificate is not that of member 2"),
        (cluster, named(cluster), 1, "belongs to cluster"),
        (lineage, named(lineage), 1, "another takeover"),
        (name, own(2), 7, "wants member 7, and this is member 1"),
        (name, schema, 1, "other YANG models"),
    ] {
        let said = refusal(&authority, shown, greets, to).await;
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn a_removed_member_is_told_so_and_a_new_one_is_let_in() {
    let authority = create("lab").unwrap();
    let mut third = Member::start(&authority, own(3)).await;
    let here = |incarnation: u64| PeerAddress {
        incarnation: Incarnation(incarnation),
        name: String::new(),
        address: "127.0.0.1:1".to_owned(),
    };
    third.handle.set_peers(vec![here(1), here(4)]);
    let mut fifth = Member::start(&authority, own(5)).await;
    fifth.handle.set_peers(vec![third.here()]);
    assert_eq!(third.connected().await, Incarnation(5));
    assert_eq!(fifth.connected().await, Incarnation(3));
    let name = own(2).name;
    let credentials = Credentials::issue(&authority, &name).unwrap();
    let mut stream = dial(&third, &Tls::new(&credentials, &name).unwrap()).await;
    let answer = greet(&mut stream, own(2), Incarnation(3), Purpose::Snapshot).await;
    let Some(Opening::Removed(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains("has no seat any more"), "{why}");
    // Its agent is told so too.
    let mut second = Member::start(&authority, own(2)).await;
    second.handle.set_peers(vec![third.here()]);
    let told = second.event().await;
    let PeerEvent::Message { from: Incarnation(3), message: PeerMessage::Removed, .. } = told
    else {
        panic!("{told:?}")
    };
}

#[tokio::test]
async fn a_stranger_with_an_authority_of_his_own_is_nobody_to_either_side() {
    let (authority, strange) = (create("lab").unwrap(), create("lab").unwrap());
    let mut first = Member::start(&authority, own(1)).await;
    let mut second = Member::start(&strange, own(2)).await;
    first.handle.set_peers(vec![second.here()]);
    second.handle.set_peers(vec![first.here()]);
    let name = own(2).name;
    let mixed = {
        let key = MemberKey::generate().unwrap();
        let certificate = sign(&strange, &name, key.public_key()).unwrap();
        key.certified(certificate, authority.certificate.clone())
    };
    let mut stream = dial(&first, &Tls::new(&mixed, &name).unwrap()).await;
    let answer = greet(&mut stream, own(2), Incarnation(1), Purpose::Snapshot).await;
    assert_eq!(answer, None, "the handshake fails at the certificate");
    for member in [&mut first, &mut second] {
        let heard = timeout(Duration::from_millis(500), member.events.prompt.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

#[tokio::test]
async fn a_member_without_a_certificate_is_refused() {
    let authority = create("lab").unwrap();
    let first = Member::start(&authority, own(1)).await;
    let mut config = join_client(fingerprint(&authority.certificate)).unwrap();
    config.alpn_protocols = vec![PEER_PROTOCOL.to_vec()];
    let stream = TcpStream::connect(&first.address).await.unwrap();
    let name = ServerName::try_from("any.example").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let mut stream = TlsStream::from(stream);
    let answer = greet(&mut stream, own(2), Incarnation(1), Purpose::Snapshot).await;
    let Some(Opening::Refused(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains("the certificate is not that of member 2"), "{why}");
}

#[tokio::test]
async fn garbage_is_shown_the_door_and_the_door_stays_open() {
    let (mut first, mut second, authority) = pair().await;
    let mut noise = TcpStream::connect(&first.address).await.unwrap();
    noise.write_all(&[0x16, 3, 1, 0xff, 0xff, 7, 7]).await.unwrap();
    let mut plain = TcpStream::connect(&first.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    drop(timeout(PATIENCE, plain.read_to_end(&mut rest)).await.expect("closed"));
    let name = own(3).name;
    let tls = Tls::new(&Credentials::issue(&authority, &name).unwrap(), &name).unwrap();
    for bytes in [&[0xff, 0xff, 0xff, 0xff][..], &[0, 0, 0, 3, 9, 9, 9], &[0, 0, 0, 0]] {
        let mut stream = dial(&first, &tls).await;
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        drop(timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed"));
        assert!(rest.is_empty(), "{rest:?}");
    }
    exchange(&mut first, &mut second).await;
}

#[tokio::test]
async fn a_frame_beyond_the_limit_of_its_lane_ends_the_pair() {
    for (length, ends) in [(1_u32 << 20, false), ((1 << 20) + 1, true)] {
        let authority = create("lab").unwrap();
        let mut first = Member::start(&authority, own(1)).await;
        let name = own(2).name;
        let tls = Tls::new(&Credentials::issue(&authority, &name).unwrap(), &name).unwrap();
        let mut prompt = dial(&first, &tls).await;
        let mut bulk = dial(&first, &tls).await;
        for (stream, lane) in [(&mut prompt, Lane::Prompt), (&mut bulk, Lane::Bulk)] {
            let purpose = Purpose::Lane { lane, pair: 1 };
            greet(stream, own(2), Incarnation(1), purpose).await.unwrap();
        }
        first.connected().await;
        prompt.write_all(&length.to_be_bytes()).await.unwrap();
        let lost = timeout(Duration::from_millis(700), first.lost()).await;
        assert_eq!(lost.is_ok(), ends, "{length}: a frame within the limit is waited for");
    }
}
