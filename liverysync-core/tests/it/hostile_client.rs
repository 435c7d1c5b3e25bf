//! A server and a client that says what it may not.

use liverysync_core::{
    server::{Event, Input, Output, ServerConfig, ServerMachine},
    time::Time,
    union::PeerId,
    wire::messages::{BUILD, FileInfo, Hello, ManifestFull, Message},
};

/// A server without files.
struct Server {
    machine: ServerMachine,
    now: Time,
    events: Vec<Event>,
}

impl Server {
    fn new() -> Self {
        let now = Time::default();
        Self {
            machine: ServerMachine::new(ServerConfig::default(), 1, now),
            now,
            events: Vec::new(),
        }
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle_input(self.now, input);
        loop {
            match self.machine.poll_output() {
                Output::Timeout(_) => return,
                Output::Event(event) => self.events.push(event),
                _ => {}
            }
        }
    }
}

#[test]
fn an_event_has_at_most_300_characters_of_a_clients_text() {
    let (mut server, peer) = (Server::new(), PeerId(1));
    let long = "é".repeat(1_000_000);
    server.feed(Input::Accepted(peer, "192.0.2.1:7".to_owned()));
    let hello = Hello {
        client_name: long.clone(),
        manifest_hash: "x".to_owned(),
        liverysync: Some(2),
        build: Some(BUILD),
        ..Hello::default()
    };
    let file = FileInfo { rel_path: long.clone(), sha256: long.clone(), ..FileInfo::default() };
    let bad_hash = FileInfo { rel_path: "T/decals.png".to_owned(), ..file.clone() };
    let manifest = vec![file, bad_hash];
    let full = ManifestFull { revision: Some(1), manifest, ..ManifestFull::default() };
    server.feed(Input::Received(peer, Message::Hello(hello)));
    server.feed(Input::Received(peer, Message::ManifestFull(full)));
    server.feed(Input::Lost(peer, long));
    let texts: String = server.events.iter().map(|event| format!("{event:?}\n")).collect();
    for kind in ["Joined", "Manifest", "Left"] {
        assert!(texts.lines().any(|text| text.starts_with(kind)), "{kind}: {texts}");
    }
    assert!(texts.contains(&format!("{}…", "é".repeat(299))));
    assert!(!texts.contains(&"é".repeat(300)));
    let left_out = server.events.iter().find_map(|event| match event {
        Event::Manifest { left_out, .. } => Some(left_out.len()),
        _ => None,
    });
    assert_eq!(left_out, Some(2));
}
