//! Frames that are larger than anything that is due.

use std::net::TcpStream;

use liverysync_core::wire::{
    frame::{self, SMALL_BYTES_MAX, STRANGER_BYTES_MAX},
    messages::{PROTOCOL_2, RequestManifest},
};

use super::{
    builds::{read_to_end, send},
    *,
};

/// Sends the header of a frame.
fn announce(link: &mut TcpStream, bytes: usize) {
    link.write_all(&u32::try_from(bytes).unwrap().to_be_bytes()).unwrap();
}

/// Returns true if a server still answers PING after `said` and a frame of `bytes`.
async fn answers(server: &Server, said: Vec<Message>, bytes: usize) -> bool {
    let address = server.address();
    let talk = tokio::task::spawn_blocking(move || {
        let mut link = TcpStream::connect(address).unwrap();
        let mut all = BytesMut::new();
        said.iter().for_each(|message| message.write_frame(&mut all));
        frame::write(&mut all, |out| {
            out.extend_from_slice(br#"{"type":"LATER"}"#);
            out.extend_from_slice(&vec![b' '; bytes - 16]);
        });
        Message::Ping.write_frame(&mut all);
        // A server that refuses it closes the link at any point of this.
        let _refused = link.write_all(&all);
        let _closed = link.shutdown(std::net::Shutdown::Write);
        link.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answers = Vec::new();
        let _reset = link.read_to_end(&mut answers);
        answers.windows(6).any(|part| part == br#""PONG""#)
    });
    talk.await.unwrap()
}

fn hello(manifest_hash: &str, liverysync: Option<u32>) -> Message {
    Message::Hello(Hello {
        client_name: "Aoi".to_owned(),
        manifest_hash: manifest_hash.to_owned(),
        liverysync,
        build: liverysync.map(|_| BUILD),
        ..Hello::default()
    })
}

#[tokio::test]
async fn a_client_may_send_a_large_frame_once_its_list_is_due() {
    let server = server(0).start().await.unwrap();
    let old = hello("", None);
    let (looks, has_files) = (hello("", Some(PROTOCOL_2)), hello("x", Some(PROTOCOL_2)));
    let asks = Message::RequestManifest(RequestManifest::default());
    let cases = [
        (vec![], STRANGER_BYTES_MAX),
        (vec![asks.clone()], STRANGER_BYTES_MAX),
        (vec![looks.clone()], SMALL_BYTES_MAX),
        // Another HELLO takes nothing back.
        (vec![looks.clone(), asks, looks.clone()], Message::BYTES_MAX),
        (vec![has_files, looks], Message::BYTES_MAX),
        (vec![old], Message::BYTES_MAX),
    ];
    for (before, limit) in cases {
        let greets = before.iter().any(|message| matches!(message, Message::Hello(_)));
        assert_eq!(answers(&server, before.clone(), limit).await, greets, "{limit}");
        assert!(!answers(&server, before, limit + 1).await, "{limit}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_may_send_a_large_frame_after_welcome() {
    let root = tempfile::tempdir().unwrap();
    for greets in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut link, _) = listener.accept().unwrap();
            if greets {
                send(&mut link, &Message::Welcome(Welcome::default()));
            }
            announce(&mut link, if greets { Message::BYTES_MAX } else { SMALL_BYTES_MAX } + 1);
            read_to_end(&mut link)
        });
        let builder = Client::builder("127.0.0.1").liveries(root.path()).port(port);
        let (client, mut events) = builder.start_with_events().await.unwrap();
        let reason = loop {
            if let Event::Disconnected { reason, .. } = events.next().await.unwrap() {
                break reason;
            }
        };
        let limit = if greets { "16777216" } else { "65536" };
        assert!(reason.contains(&format!("only {limit} are allowed")), "{reason}");
        client.stop().await;
    }
}
