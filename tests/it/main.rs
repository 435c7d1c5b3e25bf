//! Clients and a server inside one program, through the doors that an embedding program has.
//!
//! Real sockets and real folders. Whole leagues are the business of the simulator and of the program's tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed test may panic")]

mod bans;
mod builds;
mod crowds;
mod damage;
mod earlier;
mod frames;
mod identity;
mod store;

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
    Client, ClientBuilder, ClientError, ClientEvent as Event, Extensions, Limits, MemberKey, Rules,
    Server, ServerBuilder, ServerError, ServerEvent, SyncError, SyncReport, SyncStep,
};
use liverysync_core::wire::messages::{BUILD, Hello, Message, Welcome};
use tempfile::TempDir;

/// Longer than anything here takes, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

fn server(port: u16) -> ServerBuilder {
    Server::builder().host("127.0.0.1").port(port)
}

/// A server, and folders for its drivers.
struct League {
    root: TempDir,
    server: Server,
    port: u16,
}

impl League {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = server(0).start().await.unwrap();
        let port = server.address().port();
        Self { root, server, port }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn client(&self, name: &str) -> ClientBuilder {
        let builder = Client::builder("127.0.0.1").port(self.port);
        builder.liveries(self.folder(name)).name(name)
    }

    /// A client that runs, with these files in its folder.
    async fn driver(&self, name: &str, files: &[(&str, &str)]) -> Client {
        for (path, content) in files {
            write(&self.folder(name).join(path), content);
        }
        self.client(name).start().await.unwrap()
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
async fn two_clients_and_a_server_run_in_one_program() {
    let league = League::start().await;
    let aoi =
        league.driver("Aoi", &[("Iris/decals.png", "iris"), ("Safety/decals.png", "hers")]).await;
    aoi.sync().timeout(PATIENCE).await.unwrap();
    let bruno = league.driver("Bruno", &[("Safety/decals.png", "his")]).await;
    let report = bruno.sync().timeout(PATIENCE).await.unwrap();

    let rival = report.conflicts[0].to_string();
    assert!(rival.starts_with("Safety/decals__CONFLICT__"), "{rival}");
    assert_eq!((report.files, report.bytes), (3, 11));
    assert_eq!((report.received_files, report.received_bytes), (2, 8));
    assert!(report.certain && report.withheld == 0 && report.took > Duration::ZERO);
    assert_eq!(league.read("Bruno/Iris/decals.png").as_deref(), Some("iris"));
    assert_eq!(league.read("Bruno/Safety/decals.png").as_deref(), Some("hers"));

    let report = aoi.sync().timeout(PATIENCE).await.unwrap();
    assert_eq!((report.files, report.conflicts.len()), (3, 1));
    assert_eq!(league.read(&format!("Aoi/{rival}")).as_deref(), Some("his"));

    let status = league.server.status();
    assert_eq!((status.files, status.bytes, status.conflicts.len()), (3, 11, 1));
    let names: Vec<_> = status.peers.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["Aoi", "Bruno"]);
    assert!(status.peers.iter().all(|member| member.missing.is_empty() && member.is_in_sync()));
}

#[tokio::test]
async fn a_file_that_was_just_added_is_part_of_a_sync() {
    let league = League::start().await;
    let aoi = league.driver("Aoi", &[]).await;
    let bruno = league.driver("Bruno", &[]).await;
    bruno.sync().timeout(PATIENCE).await.unwrap();
    for round in 0..3 {
        let path = format!("New/{round}.png");
        let paint = format!("paint {round}");
        write(&league.folder("Aoi").join(&path), &paint);
        let report = aoi.sync().timeout(PATIENCE).await.unwrap();
        assert_eq!(report.files, round + 1);
        // Nobody needs anything more from this PC: the other one has it.
        assert_eq!(league.read(&format!("Bruno/{path}")), Some(paint));
    }
}

/// Returns the first message of a client to a server of protocol 2.
fn hello_to(listener: &TcpListener) -> Hello {
    let (mut link, _) = listener.accept().unwrap();
    let welcome =
        Welcome { client_id: "00c0ffee".to_owned(), liverysync: Some(2), build: Some(BUILD) };
    let mut sent = BytesMut::new();
    Message::Welcome(welcome).write_frame(&mut sent);
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

#[tokio::test]
async fn the_steps_of_a_sync_are_its_events_and_its_report() {
    let league = League::start().await;
    let aoi = league.driver("Aoi", &[("Iris/decals.png", "iris")]).await;
    aoi.sync().timeout(PATIENCE).await.unwrap();
    let (bruno, events) = league.client("Bruno").start_with_events().await.unwrap();
    let mut late = bruno.events();
    let mut steps = bruno.sync().timeout(PATIENCE).steps_of(events);
    let mut happened = Vec::new();
    let report = loop {
        match steps.next().await.unwrap() {
            SyncStep::Event(event) => happened.push(event),
            SyncStep::Done(report) => break report,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(report.files, 1);
    assert!(steps.next().await.is_none());
    let began = happened.iter().position(|event| matches!(event, Event::SyncBegan { .. }));
    assert!(began.is_some(), "{happened:?}");
    assert!(happened.iter().any(|event| matches!(event, Event::Connected { .. })));
    assert!(happened.iter().any(|event| matches!(event, Event::Installed { .. })));
    assert!(matches!(happened.last(), Some(Event::InSync { .. })), "{happened:?}");
    bruno.stop().await;
    // Another stream has the same events from the moment on at which it was made.
    let mut told = Vec::new();
    while let Some(event) = late.next().await {
        told.push(event);
    }
    let same = (0..happened.len()).any(|from| told.starts_with(&happened[from..]));
    assert!(same, "{told:?}\n{happened:?}");
}

#[tokio::test]
async fn events_and_steps_are_streams() {
    use tokio_stream::StreamExt as _;
    let league = League::start().await;
    let (aoi, events) = league.client("Aoi").start_with_events().await.unwrap();
    let mut connected = events.filter(|event| matches!(event, Event::Connected { .. }));
    assert!(connected.next().await.is_some());
    let steps: Vec<_> = aoi.sync().timeout(PATIENCE).steps().collect().await;
    assert!(matches!(steps.last(), Some(SyncStep::Done(_))), "{steps:?}");
}

#[tokio::test]
async fn a_server_that_leaves_files_out_keeps_nobody_waiting() {
    let mut league = League::start().await;
    let extensions = Extensions::from_list(["png"]).unwrap();
    let mut rules = Rules::default();
    rules.extensions = extensions;
    league.server = server(0).rules(rules).start().await.unwrap();
    league.port = league.server.address().port();
    let aoi =
        league.driver("Aoi", &[("Iris/decals.png", "iris"), ("Iris/preview.jpg", "photo")]).await;
    let bruno = league.driver("Bruno", &[("904/decals.png", "904"), ("904/read.txt", "me")]).await;
    for client in [&aoi, &bruno, &aoi] {
        client.sync().timeout(PATIENCE).await.unwrap();
    }
    assert_eq!(league.read("Bruno/Iris/decals.png").as_deref(), Some("iris"));
    assert_eq!(league.read("Aoi/904/decals.png").as_deref(), Some("904"));
    assert_eq!(league.read("Bruno/Iris/preview.jpg"), None);
}

#[tokio::test]
async fn the_status_says_who_lacks_what() {
    let league = League::start().await;
    let mut events = league.server.events();
    let aoi = league.driver("Aoi", &[("Iris/decals.png", "iris")]).await;
    aoi.sync().timeout(PATIENCE).await.unwrap();
    // Bruno has a folder where the others have a file, so the file does not fit there.
    let bruno = league.driver("Bruno", &[("Iris/decals.png/x.png", "in the way")]).await;
    bruno.sync().timeout(PATIENCE).await.unwrap();
    while !matches!(events.next().await, Some(ServerEvent::Withheld { .. })) {}
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
async fn without_a_server_a_sync_fails_at_once_or_at_its_timeout() {
    let root = tempfile::tempdir().unwrap();
    let builder = Client::builder("127.0.0.1").port(closed_port()).liveries(root.path());
    let client = builder.start().await.unwrap();
    let error = client.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Unreachable { .. }), "{error}");
    let error = client.sync().timeout(PATIENCE).patient(false).await.unwrap_err();
    assert!(matches!(error, SyncError::Unreachable { .. }), "{error}");
    let for_ever = client.sync().timeout(Duration::MAX).into_future();
    assert!(tokio::time::timeout(Duration::ZERO, for_ever).await.is_err(), "it waits");
    let error = client.sync().timeout(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, SyncError::TimedOut { .. }), "{error}");
    client.stop().await;
    client.stop().await;
    assert_eq!(client.sync().await, Err(SyncError::Stopped));
    assert_eq!(client.events().next().await, None);
}

#[test]
fn a_start_outside_of_a_runtime_is_an_error() {
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    let client = std::pin::pin!(Client::builder("127.0.0.1").liveries(".").start());
    let client = client.poll(&mut context);
    assert!(matches!(client, std::task::Poll::Ready(Err(ClientError::NoRuntime))));
    let server = std::pin::pin!(server(0).start()).poll(&mut context);
    assert!(matches!(server, std::task::Poll::Ready(Err(ServerError::NoRuntime))));
}

#[tokio::test]
async fn a_sync_can_be_awaited_outside_of_the_runtime() {
    let root = tempfile::tempdir().unwrap();
    let builder = Client::builder("127.0.0.1").port(closed_port()).liveries(root.path());
    let client = builder.start().await.unwrap();
    let sync = client.sync().timeout(Duration::from_millis(50)).into_future();
    let outside = std::thread::spawn(move || {
        let mut sync = std::pin::pin!(sync);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            if let std::task::Poll::Ready(result) = sync.as_mut().poll(&mut context) {
                return result;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    while !outside.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = outside.join().unwrap().unwrap_err();
    assert!(matches!(error, SyncError::TimedOut { .. }), "{error}");
}

/// Counts how often a picture below a folder is opened.
fn count_opened(folder: &Path) -> (impl notify::Watcher + use<>, Arc<AtomicUsize>) {
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
    let league = League::start().await;
    let folder = league.folder("Aoi");
    for number in 0..20 {
        write(&folder.join(format!("Iris/{number}.png")), "iris");
    }
    let run = async || {
        let (watcher, opened) = count_opened(&folder);
        let builder = league.client("Aoi").state(league.root.path().join("state"));
        let builder = builder.identity(league.root.path().join("aoi.json"));
        let client = builder.start().await.unwrap();
        let report = client.sync().timeout(PATIENCE).await.unwrap();
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
async fn a_server_that_comes_back_is_found_by_the_next_sync() {
    let mut league = League::start().await;
    let aoi = league.driver("Aoi", &[]).await;
    aoi.sync().timeout(PATIENCE).await.unwrap();
    let mut events = aoi.events();
    league.server.stop().await;
    while !matches!(events.next().await, Some(Event::Disconnected { .. })) {}
    league.server = server(league.port).start().await.unwrap();
    // Without a timeout it fails if the first attempt does, so it does not wait for the next one.
    aoi.sync().await.unwrap();
}

#[tokio::test]
async fn a_failed_start_can_be_repeated() {
    use std::error::Error as _;
    let league = League::start().await;
    let builder =
        Client::builder("127.0.0.1").port(league.port).liveries(league.root.path().join("later"));
    let error = builder.clone().start().await.unwrap_err();
    assert!(matches!(error, ClientError::Folder { .. }), "{error}");
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
    league.folder("later");
    let first = builder.clone().start().await.unwrap();
    assert!(matches!(builder.clone().start().await, Err(ClientError::Busy { .. })));
    first.stop().await;
    builder.start().await.unwrap().stop().await;

    let taken = server(league.port);
    let error = taken.clone().start().await.unwrap_err();
    assert!(matches!(error, ServerError::Bind { .. }), "{error}");
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::AddrInUse));
    league.server.stop().await;
    taken.start().await.unwrap();
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_client() {
    let league = League::start().await;
    let client = league.driver("Aoi", &[]).await;
    let mut events = client.events();
    let other = client.clone();
    drop(client);
    other.sync().timeout(PATIENCE).await.unwrap();
    // Given up half-way, a sync changes nothing.
    let half_way = other.sync().timeout(PATIENCE).into_future();
    drop(tokio::time::timeout(Duration::ZERO, half_way).await);
    assert!(matches!(league.client("Aoi").start().await, Err(ClientError::Busy { .. })));
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
    let league = League::start().await;
    let source = league.driver("Source", &[("Iris/decals.png", &"x".repeat(MUCH))]).await;
    source.sync().timeout(PATIENCE).await.unwrap();
    let target = league.client("Target");
    let target = match whose {
        Whose::Target => target.limits(limits),
        Whose::Source | Whose::Server => target,
    };
    match whose {
        Whose::Source => source.set_limits(limits),
        Whose::Server => league.server.set_limits(limits),
        Whose::Target => {}
    }
    let target = target.start().await.unwrap();
    let early = target.sync().timeout(Duration::from_secs(3)).await;
    assert!(early.is_err(), "{limits:?} of {whose:?} held nothing back");
    source.set_limits(Limits::default());
    league.server.set_limits(Limits::default());
    target.set_limits(Limits::default());
    let report = target.sync().timeout(PATIENCE).await.unwrap();
    assert_eq!(report.bytes, MUCH as u64, "{limits:?} of {whose:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_in_both_directions_and_change_at_once() {
    let up = Limits::new(Some(Limits::MIN), None);
    let down = Limits::new(None, Some(Limits::MIN));
    tokio::join!(
        check_limit(Whose::Source, up),
        check_limit(Whose::Server, down),
        check_limit(Whose::Server, up),
        check_limit(Whose::Target, down),
    );
}
