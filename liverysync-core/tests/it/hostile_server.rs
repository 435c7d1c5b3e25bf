//! A client and a server that offers what it may not.

use std::collections::VecDeque;

use liverysync_core::{
    client::{
        ClientConfig, ClientMachine, DiskOutcome, DiskRequest, Event, Input, Now, Output, Role,
    },
    hash::ContentHash,
    league::HoldReason,
    wire::{
        data::TransferId,
        messages::{
            BUILD, ErrorReport, FileInfo, FileRequest, HeldNotice, Message, Notices, OfferedFile,
            OwnerNews, OwnerNotice, Resume, SendFiles, ServerState, SyncId, SyncOffer, SyncStatus,
            Welcome,
        },
    },
};

/// A client with an empty folder and a disk that takes everything.
struct Client {
    machine: ClientMachine,
    now: Now,
    outcomes: VecDeque<Input>,
    sent: Vec<Message>,
    events: Vec<Event>,
}

impl Client {
    /// Returns a client that has introduced itself to a server of protocol 2.
    fn connected() -> Self {
        let now = Now::default();
        let mut config = ClientConfig::default();
        "Aoi".clone_into(&mut config.name);
        let machine = ClientMachine::new(config, 1, now);
        let (outcomes, sent, events) = (VecDeque::new(), Vec::new(), Vec::new());
        let mut client = Self { machine, now, outcomes, sent, events };
        while !client.settle() {
            client.feed(Input::Timeout);
        }
        client.feed(Input::LinkUp);
        let welcome =
            Welcome { client_id: "00000001".to_owned(), liverysync: Some(2), build: Some(BUILD) };
        client.feed(Input::Received(Message::Welcome(welcome)));
        client
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle_input(self.now, input);
        self.settle();
    }

    /// Carries out what the machine asks for. Returns true if it wants to connect.
    fn settle(&mut self) -> bool {
        let mut connects = false;
        loop {
            match self.machine.poll_output() {
                Output::Connect => connects = true,
                Output::Transmit(message) => self.sent.push(message),
                Output::Event(event) => self.events.push(event),
                Output::Disk(op, request) => {
                    self.outcomes.push_back(Input::Disk(op, outcome(&request)));
                }
                Output::Timeout(wake) => match self.outcomes.pop_front() {
                    Some(outcome) => self.machine.handle_input(self.now, outcome),
                    None => {
                        self.now.time = wake.map_or(self.now.time, |wake| wake.at);
                        return connects;
                    }
                },
                _ => {}
            }
        }
    }
}

fn outcome(request: &DiskRequest) -> DiskOutcome {
    match request {
        DiskRequest::List { .. } => DiskOutcome::Listed(Ok(Vec::new())),
        DiskRequest::Check(files) => DiskOutcome::Checked(vec![Ok(()); files.len()]),
        _ => DiskOutcome::Done(Ok(())),
    }
}

#[test]
fn of_two_spellings_of_one_name_in_an_offer_one_is_taken() {
    let mut client = Client::connected();
    let file = |transfer, name: &str| OfferedFile {
        info: FileInfo {
            rel_path: name.to_owned(),
            size: 3,
            sha256: ContentHash::of(name.as_bytes()).to_string(),
            ..FileInfo::default()
        },
        transfer: Some(transfer),
        ..OfferedFile::default()
    };
    // One file on a Windows PC, two on Linux; and a folder that has the name of a file.
    let names = ["T/decals.png", "T/DECALS.png", "t/decals.png", "T/decals.png/x.png", "U/a.png"];
    let files =
        names.iter().zip(0..).map(|(name, number)| file(TransferId(number), name)).collect();
    client.feed(Input::Received(Message::SyncOffer(SyncOffer {
        sync_id: SyncId::new("s").unwrap(),
        role: Role::Target,
        current_hash: String::new(),
        source_client_id: String::new(),
        target_client_id: String::new(),
        files: Some(files),
    })));
    let accepted = client.sent.iter().find_map(|message| match message {
        Message::Accept(accept) => Some(accept.files.iter().map(|file| file.transfer)),
        _ => None,
    });
    assert_eq!(accepted.unwrap().collect::<Vec<_>>(), [0, 4].map(TransferId), "{:?}", client.sent);
    let refused = client.events.iter().filter_map(|event| match event {
        Event::ReceiveFailed { path, .. } => Some(path.as_str()),
        _ => None,
    });
    assert_eq!(refused.collect::<Vec<_>>(), names[1..4]);
}

#[test]
fn an_event_has_at_most_300_characters_of_a_servers_text() {
    let mut client = Client::connected();
    let long = "é".repeat(1_000_000);
    let offered = OfferedFile {
        info: FileInfo { rel_path: long.clone(), ..FileInfo::default() },
        transfer: Some(TransferId(0)),
        ..OfferedFile::default()
    };
    let request = FileRequest {
        info: FileInfo { rel_path: long.clone(), ..FileInfo::default() },
        resume: Resume { transfer: TransferId(1), offset: 0 },
    };
    let offer = |sync_id: &str, role, files| {
        Message::SyncOffer(SyncOffer {
            sync_id: SyncId::new(sync_id).unwrap(),
            role,
            current_hash: String::new(),
            source_client_id: String::new(),
            target_client_id: String::new(),
            files,
        })
    };
    let held = HeldNotice {
        livery: long.clone(),
        cause: HoldReason::Lint,
        until: Some(long.clone()),
        limit: None,
        finding: Some(long.clone()),
    };
    let status =
        SyncStatus { revision: 0, missing: 0, missing_bytes: 0, needed_by_others: 0, withheld: 1 };
    let notice =
        OwnerNotice { livery: long.clone(), news: OwnerNews::Changed, by: Some(long.clone()) };
    let state = ServerState {
        sync_status: Some(status),
        blocked: vec![long.clone()],
        held: vec![held],
        ..ServerState::default()
    };
    for message in [
        Message::Error(ErrorReport { message: long.clone(), ..ErrorReport::default() }),
        Message::ServerState(state),
        offer("down", Role::Target, Some(vec![offered])),
        offer("up", Role::Source, None),
        Message::SendFiles(SendFiles {
            sync_id: SyncId::new("up").unwrap(),
            paths: Vec::new(),
            files: Some(vec![request]),
        }),
        Message::Notices(Notices { notices: vec![notice] }),
    ] {
        client.feed(Input::Received(message));
    }
    client.feed(Input::LinkDown(long));
    let texts: String = client.events.iter().map(|event| format!("{event:?}\n")).collect();
    for kind in [
        "ServerError",
        "ReceiveFailed",
        "SendFailed",
        "Held",
        "OwnerNews",
        "InSync",
        "Disconnected",
    ] {
        assert!(texts.lines().any(|text| text.starts_with(kind)), "{kind}");
    }
    let cut = format!("{}…", "é".repeat(299));
    assert!(texts.contains(&cut));
    assert!(!texts.contains(&"é".repeat(300)));
}
