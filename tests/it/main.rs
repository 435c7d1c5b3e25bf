//! Clients and a server inside one program, through the doors that an embedding program has.
//!
//! Real sockets and real folders. Whole leagues are the business of the simulator and of the program's tests.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use liverysync::{
    Limits,
    client::{Client, ClientError, ClientOptions, Step},
    core::{
        client::{Event, SyncError, SyncReport},
        league::MemberKey,
        path::Extensions,
        server,
        wire::{
            frame,
            messages::{Hello, Message, Welcome},
        },
    },
    server::{Server, ServerError, ServerOptions},
};
use tempfile::TempDir;

/// Longer than anything here takes, so that a test fails and does not hang.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// A server, and folders for its drivers.
struct League {
    root: TempDir,
    server: Server,
    port: u16,
}

impl League {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = Server::new(ServerOptions::new("127.0.0.1", 0));
        let port = server.start().unwrap().port();
        Self { root, server, port }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn client(&self, name: &str) -> Client {
        let mut options = ClientOptions::new("127.0.0.1", self.port, self.folder(name));
        options.core.name = name.to_owned();
        Client::new(options)
    }

    /// A client that runs, with these files in its folder.
    fn driver(&self, name: &str, files: &[(&str, &str)]) -> Client {
        for (path, content) in files {
            write(&self.folder(name).join(path), content);
        }
        let client = self.client(name);
        client.start().unwrap();
        client
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.path().join(path)).ok()
    }
}

/// Writes a file that has kept still for long, always with the same date.
fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    let date = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
}

/// A port at which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn two_clients_and_a_server_in_one_program() {
    let league = League::start();
    let aoi = league.driver("Aoi", &[("Iris/decals.png", "iris"), ("Safety/decals.png", "hers")]);
    aoi.sync(PATIENCE).await.unwrap();
    let bruno = league.driver("Bruno", &[("Safety/decals.png", "his")]);
    let report = bruno.sync(PATIENCE).await.unwrap();

    let rival = report.conflicts[0].to_string();
    assert!(rival.starts_with("Safety/decals__CONFLICT__"), "{rival}");
    assert_eq!((report.files, report.bytes), (3, 11));
    assert_eq!((report.received_files, report.received_bytes), (2, 8));
    assert!(report.certain && report.withheld == 0 && report.took > Duration::ZERO);
    assert_eq!(league.read("Bruno/Iris/decals.png").as_deref(), Some("iris"));
    assert_eq!(league.read("Bruno/Safety/decals.png").as_deref(), Some("hers"));

    let report = aoi.sync(PATIENCE).await.unwrap();
    assert_eq!((report.files, report.conflicts.len()), (3, 1));
    assert_eq!(league.read(&format!("Aoi/{rival}")).as_deref(), Some("his"));

    let status = league.server.status();
    assert_eq!((status.files, status.bytes, status.conflicts.len()), (3, 11, 1));
    let names: Vec<_> = status.peers.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["Aoi", "Bruno"]);
    assert!(status.peers.iter().all(|member| member.missing.is_empty() && member.is_in_sync()));
}

#[tokio::test]
async fn what_was_just_dropped_into_the_folder_is_part_of_a_sync() {
    let league = League::start();
    let aoi = league.driver("Aoi", &[]);
    let bruno = league.driver("Bruno", &[]);
    bruno.sync(PATIENCE).await.unwrap();
    for round in 0..3 {
        let path = format!("New/{round}.png");
        let paint = format!("paint {round}");
        write(&league.folder("Aoi").join(&path), &paint);
        let report = aoi.sync(PATIENCE).await.unwrap();
        assert_eq!(report.files, round + 1);
        // Nobody needs anything more from this PC: the other one has it.
        assert_eq!(league.read(&format!("Bruno/{path}")), Some(paint));
    }
}

/// What a client says first of all to a server of ours.
fn hello_to(listener: &TcpListener) -> Hello {
    let (mut link, _) = listener.accept().unwrap();
    let welcome = Welcome { client_id: "00c0ffee".to_owned(), liverysync: Some(2) };
    let mut sent = BytesMut::new();
    frame::write(&mut sent, |out| Message::Welcome(welcome).encode(out));
    link.write_all(&sent).unwrap();
    let mut length = [0; 4];
    link.read_exact(&mut length).unwrap();
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    link.read_exact(&mut payload).unwrap();
    match Message::read(&payload.into()).unwrap() {
        Message::Hello(hello) => hello,
        other => panic!("{other:?}"),
    }
}

/// The key with which a client introduces itself.
async fn key_said_by(mut options: ClientOptions) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    options.port = listener.local_addr().unwrap().port();
    let client = Client::new(options);
    client.start().unwrap();
    let hello = tokio::task::spawn_blocking(move || hello_to(&listener)).await.unwrap();
    client.stop().await;
    hello.member_key
}

#[tokio::test]
async fn a_client_is_the_same_member_at_every_start() {
    let root = tempfile::tempdir().unwrap();
    let options = |name: &str, state: Option<&str>| {
        let folder = root.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut options = ClientOptions::new("127.0.0.1", 0, folder);
        options.state = state.map(|state| root.path().join(state));
        options
    };
    let key = key_said_by(options("Aoi", Some("state"))).await;
    assert!(key.as_ref().unwrap().parse::<MemberKey>().is_ok());
    assert_eq!(key_said_by(options("Aoi", Some("state"))).await, key);
    // Another folder is another member; without a place for its key one is nobody in particular.
    assert_ne!(key_said_by(options("Bruno", Some("state"))).await, key);
    assert_eq!(key_said_by(options("Aoi", None)).await, None);
    // The host's own key goes before.
    let mut options = options("Aoi", Some("state"));
    let own = MemberKey::from_bytes([7; 32]);
    options.core.member_key = Some(own.clone());
    assert_eq!(key_said_by(options.clone()).await, Some(own.to_hex()));
    // Who only looks makes no key and says none.
    options.core.member_key = None;
    options.core.dry_run = true;
    options.state = Some(root.path().join("another"));
    assert_eq!(key_said_by(options).await, None);
    assert!(!root.path().join("another").exists());
}

#[tokio::test]
async fn a_sync_hands_out_what_happens_on_its_way() {
    let league = League::start();
    let aoi = league.driver("Aoi", &[("Iris/decals.png", "iris")]);
    aoi.sync(PATIENCE).await.unwrap();
    let bruno = league.client("Bruno");
    // Asked for before the start, nothing is missed.
    let (mut events, mut syncing) = (bruno.events(), bruno.begin_sync(PATIENCE));
    bruno.start().unwrap();
    let mut happened = Vec::new();
    let report = loop {
        match syncing.next().await {
            Step::Event(event) => happened.push(event),
            Step::Done(report) => break report,
            Step::Failed(error) => panic!("{error}"),
        }
    };
    assert_eq!(report.files, 1);
    assert!(
        matches!(happened.first(), Some(Event::SyncBegan { connected: false })),
        "{happened:?}"
    );
    assert!(happened.iter().any(|event| matches!(event, Event::Installed { .. })));
    assert!(matches!(happened.last(), Some(Event::InSync { .. })), "{happened:?}");
    bruno.stop().await;
    for event in happened {
        assert_eq!(events.next().await, Some(event));
    }
    while events.next().await.is_some() {}
}

#[tokio::test]
async fn a_server_that_leaves_files_out_keeps_nobody_waiting() {
    let mut league = League::start();
    let mut options = ServerOptions::new("127.0.0.1", 0);
    options.core.rules.extensions = Extensions::from_list(["png"]).unwrap();
    league.server = Server::new(options);
    league.port = league.server.start().unwrap().port();
    let aoi = league.driver("Aoi", &[("Iris/decals.png", "iris"), ("Iris/preview.jpg", "photo")]);
    let bruno = league.driver("Bruno", &[("904/decals.png", "904"), ("904/read.txt", "me")]);
    for client in [&aoi, &bruno, &aoi] {
        client.sync(PATIENCE).await.unwrap();
    }
    assert_eq!(league.read("Bruno/Iris/decals.png").as_deref(), Some("iris"));
    assert_eq!(league.read("Aoi/904/decals.png").as_deref(), Some("904"));
    assert_eq!(league.read("Bruno/Iris/preview.jpg"), None);
}

#[tokio::test]
async fn who_lacks_what_can_be_asked() {
    let league = League::start();
    let mut events = league.server.events();
    let aoi = league.driver("Aoi", &[("Iris/decals.png", "iris")]);
    aoi.sync(PATIENCE).await.unwrap();
    // He has a folder where the others have a file, so he cannot take it.
    let bruno = league.driver("Bruno", &[("Iris/decals.png/x.png", "in the way")]);
    bruno.sync(PATIENCE).await.unwrap();
    while !matches!(events.next().await, Some(server::Event::Withheld { .. })) {}
    let status = league.server.status();
    let bruno = &status.peers[1];
    assert!(bruno.is_in_sync());
    assert_eq!(bruno.missing[0].path.as_str(), "Iris/decals.png");
    assert_eq!(bruno.missing[0].bytes, 4);
    check_documented(&status, "A status");
    check_documented(&status.peers[1], "- `peers`");
    check_documented(&bruno.missing[0], "- `missing`");
    check_documented(&SyncReport::default(), "A report");
}

/// Compares the fields of an object with the braces in the line of `docs/json.md` that begins so.
#[track_caller]
fn check_documented(object: &impl serde::Serialize, line: &str) {
    let json = serde_json::to_string(object).unwrap();
    let object: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut fields: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
    fields.sort_by_key(|field| json.find(&format!("\"{field}\":")));
    let documentation = include_str!("../../docs/json.md");
    let told = documentation.lines().find(|told| told.starts_with(line)).unwrap();
    let told = told.split_once('{').unwrap().1.split_once('}').unwrap().0;
    let told: Vec<_> = told.split('"').skip(1).step_by(2).collect();
    assert_eq!(fields, told);
}

#[tokio::test]
async fn without_a_server_a_sync_fails_at_once_or_when_its_time_is_up() {
    let root = tempfile::tempdir().unwrap();
    let client = Client::new(ClientOptions::new("127.0.0.1", closed_port(), root.path()));
    assert_eq!(client.sync(None).await, Err(SyncError::NotRunning));
    client.start().unwrap();
    let error = client.sync(None).await.unwrap_err();
    assert!(matches!(error, SyncError::Unreachable { .. }), "{error}");
    let for_ever = tokio::time::timeout(Duration::ZERO, client.sync(Some(Duration::MAX))).await;
    assert!(for_ever.is_err(), "it waits");
    let error = client.sync(Some(Duration::from_millis(50))).await.unwrap_err();
    assert!(matches!(error, SyncError::TimedOut { .. }), "{error}");
    client.stop().await;
    client.stop().await;
    assert!(matches!(client.start(), Err(ClientError::RanBefore)));
    assert_eq!(client.sync(None).await, Err(SyncError::NotRunning));
    assert_eq!(client.events().next().await, None);
}

/// Counts how often a picture below a folder is opened.
fn count_opened(folder: &Path) -> (impl notify::Watcher, Arc<AtomicUsize>) {
    use notify::{EventKind, RecursiveMode, Watcher as _, event::AccessKind};
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let event = event.unwrap();
        let pictures =
            event.paths.iter().filter(|path| path.extension().is_some_and(|e| e == "png"));
        if matches!(event.kind, EventKind::Access(AccessKind::Open(_))) {
            count.fetch_add(pictures.count(), Ordering::Relaxed);
        }
    })
    .unwrap();
    watcher.watch(folder, RecursiveMode::Recursive).unwrap();
    (watcher, opened)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_start_opens_only_what_has_changed_since_the_last_one() {
    let league = League::start();
    let folder = league.folder("Aoi");
    for number in 0..20 {
        write(&folder.join(format!("Iris/{number}.png")), "iris");
    }
    let run = async || {
        let (watcher, opened) = count_opened(&folder);
        let mut options = ClientOptions::new("127.0.0.1", league.port, &folder);
        options.state = Some(league.root.path().join("state"));
        let client = Client::new(options);
        client.start().unwrap();
        let report = client.sync(PATIENCE).await.unwrap();
        client.stop().await;
        // The last event of the watcher is that of a file of ours.
        let last = opened.load(Ordering::Relaxed);
        fs::File::open(folder.join("Iris/0.png")).unwrap();
        while opened.load(Ordering::Relaxed) == last {
            tokio::task::yield_now().await;
        }
        drop(watcher);
        (report.files, opened.load(Ordering::Relaxed) - 1)
    };
    assert_eq!(run().await, (20, 20));
    assert_eq!(run().await, (20, 0));
    // The same size and the same date: only the system's own change tag tells.
    write(&folder.join("Iris/7.png"), "sire");
    assert_eq!(run().await, (20, 1));
    fs::remove_dir_all(league.root.path().join("state")).unwrap();
    assert_eq!(run().await, (20, 20));
}

#[tokio::test]
async fn events_end_with_a_client_that_never_ran() {
    let client = Client::new(ClientOptions::new("127.0.0.1", 1, "nowhere"));
    let mut events = client.events();
    client.stop().await;
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_by_the_next_sync() {
    let mut league = League::start();
    let aoi = league.driver("Aoi", &[]);
    aoi.sync(PATIENCE).await.unwrap();
    let mut events = aoi.events();
    league.server.stop().await;
    while !matches!(events.next().await, Some(Event::Disconnected { .. })) {}
    league.server = Server::new(ServerOptions::new("127.0.0.1", league.port));
    league.server.start().unwrap();
    // Without a time of its own it fails if the first attempt does, so it does not wait for the next one.
    aoi.sync(None).await.unwrap();
}

#[tokio::test]
async fn a_start_that_failed_may_be_tried_again_and_one_that_did_not_may_not() {
    let league = League::start();
    let options = ClientOptions::new("127.0.0.1", league.port, league.root.path().join("later"));
    let client = Client::new(options);
    assert!(matches!(client.start(), Err(ClientError::Folder { .. })));
    league.folder("later");
    client.start().unwrap();
    assert!(matches!(client.start(), Err(ClientError::RanBefore)));
    client.stop().await;
    assert!(matches!(client.start(), Err(ClientError::RanBefore)));

    let taken = Server::new(ServerOptions::new("127.0.0.1", league.port));
    assert!(matches!(taken.start(), Err(ServerError::Bind { .. })));
    assert_eq!(taken.local_addr(), None);
    league.server.stop().await;
    taken.start().unwrap();
    assert!(matches!(taken.start(), Err(ServerError::RanBefore)));
}

#[tokio::test]
async fn the_last_handle_that_goes_stops_the_client() {
    let league = League::start();
    let client = league.driver("Aoi", &[]);
    let mut events = client.events();
    let other = client.clone();
    drop(client);
    other.sync(PATIENCE).await.unwrap();
    // Given up half-way, a sync changes nothing.
    drop(tokio::time::timeout(Duration::ZERO, other.sync(PATIENCE)).await);
    assert!(matches!(league.client("Aoi").start(), Err(ClientError::Busy { .. })));
    drop(other);
    while events.next().await.is_some() {}
}

/// Too much to arrive within anybody's patience at the lowest speed there is.
const MUCH: usize = 6_000_000;

/// Whom a limit is set for.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Source,
    Server,
    Target,
}

async fn check_limit(whose: Whose, limits: Limits) {
    let league = League::start();
    let source = league.driver("Source", &[("Iris/decals.png", &"x".repeat(MUCH))]);
    source.sync(PATIENCE).await.unwrap();
    let target = league.client("Target");
    let set = |limits| match whose {
        Whose::Source => source.set_limits(limits),
        Whose::Server => league.server.set_limits(limits),
        Whose::Target => target.set_limits(limits),
    };
    set(limits);
    target.start().unwrap();
    let early = tokio::time::timeout(Duration::from_secs(3), target.sync(PATIENCE)).await;
    assert!(early.is_err(), "{limits:?} of {whose:?} held nothing back");
    set(Limits::default());
    let report = target.sync(PATIENCE).await.unwrap();
    assert_eq!(report.bytes, MUCH as u64, "{limits:?} of {whose:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_in_both_directions_and_change_at_once() {
    let up = Limits { up: Some(Limits::LEAST), down: None };
    let down = Limits { up: None, down: Some(Limits::LEAST) };
    tokio::join!(
        check_limit(Whose::Source, up),
        check_limit(Whose::Server, down),
        check_limit(Whose::Server, up),
        check_limit(Whose::Target, down),
    );
}
