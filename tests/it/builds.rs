//! Programs of different builds of protocol 2.

use std::net::TcpStream;

use bytes::Bytes;
use liverysync::league::League;
use liverysync_core::wire::messages::PROTOCOL_2;

use super::*;

/// Sends a message over a link.
pub(super) fn send(link: &mut TcpStream, message: &Message) {
    let mut sent = BytesMut::new();
    message.write_frame(&mut sent);
    link.write_all(&sent).unwrap();
}

/// Returns the messages that arrive until the other side closes the link.
pub(super) fn read_to_end(link: &mut TcpStream) -> Vec<Message> {
    link.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut bytes, mut messages) = (Vec::new(), Vec::new());
    link.read_to_end(&mut bytes).unwrap();
    let mut rest = Bytes::from(bytes);
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest.split_to(4).as_ref().try_into().unwrap()) as usize;
        messages.push(Message::read(&rest.split_to(length)).unwrap());
    }
    messages
}

/// Starts a server that only greets, with a build, and returns its port.
fn greet_as(build: Option<u32>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut link, _)) = listener.accept() {
            let client_id = "00c0ffee".to_owned();
            let welcome = Welcome { client_id, liverysync: Some(PROTOCOL_2), build };
            send(&mut link, &Message::Welcome(welcome));
            assert_eq!(read_to_end(&mut link), [], "the client said something all the same");
        }
    });
    port
}

#[tokio::test]
async fn a_client_says_which_side_has_to_be_updated() {
    let root = tempfile::tempdir().unwrap();
    let cases = [
        (
            Some(BUILD + 1),
            "the server has a newer build of liverysync; update liverysync on this PC",
        ),
        (None, "the server has an older build of liverysync; its admin has to update it"),
    ];
    for (build, advice) in cases {
        let builder = Client::builder("127.0.0.1").liveries(root.path()).port(greet_as(build));
        let client = builder.start().await.unwrap();
        let error = client.sync().await.unwrap_err();
        assert!(error.to_string().contains(advice), "{error}");
        client.stop().await;
    }
}

#[tokio::test]
async fn a_server_tells_a_client_of_another_build_and_takes_nothing_from_it() {
    let (server, mut events) = server(0).start_with_events().await.unwrap();
    let address = server.address();
    for build in [None, Some(BUILD + 1)] {
        let messages = tokio::task::spawn_blocking(move || {
            let mut link = TcpStream::connect(address).unwrap();
            let client_name = "Aoi".to_owned();
            let hello =
                Hello { client_name, liverysync: Some(PROTOCOL_2), build, ..Hello::default() };
            send(&mut link, &Message::Hello(hello));
            read_to_end(&mut link)
        });
        let messages = messages.await.unwrap();
        let Some(Message::Error(report)) = messages.last() else { panic!("{messages:?}") };
        assert!(report.message.contains("update liverysync"), "{}", report.message);
        let reason = loop {
            match events.next().await.unwrap() {
                ServerEvent::Left { name, reason, .. } if name == "Aoi" => break reason,
                _ => {}
            }
        };
        let side = if build.is_none() { "its driver" } else { "on the server" };
        assert!(reason.contains(side), "{reason}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_is_one_member_to_its_end() {
    let data = tempfile::tempdir().unwrap();
    let server = server(0).data(data.path()).start().await.unwrap();
    let address = server.address();
    let key = |byte| MemberKey::from_bytes([byte; 32]);
    let greet = tokio::task::spawn_blocking(move || {
        let mut link = TcpStream::connect(address).unwrap();
        for byte in [1, 2] {
            let hello = Hello {
                client_name: format!("driver {byte}"),
                liverysync: Some(PROTOCOL_2),
                build: Some(BUILD),
                member_key: Some(key(byte).to_hex()),
                former_keys: vec![key(byte + 2).to_hex()],
                ..Hello::default()
            };
            send(&mut link, &Message::Hello(hello));
        }
        link.shutdown(std::net::Shutdown::Write).unwrap();
        read_to_end(&mut link)
    });
    greet.await.unwrap();
    server.stop().await;
    let members = League::open(data.path()).unwrap().members().unwrap();
    let members: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(members, ["driver 2"], "the name may change, the member may not");
}
