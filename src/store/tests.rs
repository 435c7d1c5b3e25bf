//! Tests of the store with real files.

use std::{
    fs,
    sync::mpsc::{Receiver, channel},
};

use bytes::Bytes;
use liverysync_core::wire::data::Encoder;
use tokio::sync::Notify;

use super::*;
use crate::byte_source::{Availability, ByteSource as _, read_at};

const LIVERY: &[u8] = b"a livery in red and white";

fn livery() -> Content {
    Content::of(LIVERY)
}

/// A pace at which a test sees one pass.
const ONCE: CheckPace =
    CheckPace { bytes_per_second: u64::MAX, pause: Duration::from_secs(24 * 3600) };

type Ended = Receiver<Result<(), StoreFault>>;

fn receive(store: &Store, content: Content, resume: bool) -> (BlobWriter, Ended) {
    let (sender, ended) = channel();
    (store.receive(content, resume, Box::new(move |end| drop(sender.send(end.map(drop))))), ended)
}

fn put(store: &Store, bytes: &[u8]) -> Content {
    let content = Content::of(bytes);
    let (writer, ended) = receive(store, content, false);
    writer.write(0, Bytes::copy_from_slice(bytes), ());
    writer.finish();
    assert_eq!(ended.recv().unwrap(), Ok(()));
    content
}

fn text(blob: &Blob, bytes: usize) -> String {
    let mut out = vec![0; bytes];
    read_at(&blob.open(true).unwrap(), 0, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Returns the names of all files below the folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => names.extend(self::names(&entry.path())),
            false => names.push(entry.file_name().into_string().unwrap()),
        }
    }
    names.sort();
    names
}

/// Waits until `blob` has this availability.
async fn wait_for(blob: &Arc<Blob>, availability: Availability) {
    let wake = Arc::new(Notify::new());
    blob.notify_changes(&wake);
    while blob.availability() != availability {
        wake.notified().await;
    }
}

#[test]
fn contents_survive_a_restart_in_the_order_in_which_they_were_needed() {
    let data = tempfile::tempdir().unwrap();
    let contents: Vec<_> = {
        let store = Store::open(Some(data.path())).unwrap();
        let contents = [&b"one"[..], b"", &[7; 300_000]].map(|bytes| put(&store, bytes));
        assert_eq!(store.contents(), contents);
        assert!(store.blob(contents[0].hash).is_some());
        assert_eq!(store.contents(), [contents[1], contents[2], contents[0]]);
        contents.into()
    };
    let name = contents[0].hash.to_string();
    let path = data.path().join("blobs").join(&name[..2]).join(&name);
    assert_eq!(fs::read(path).unwrap(), b"one");
    assert_eq!(names(&data.path().join("incoming")), [""; 0]);

    let store = Store::open(Some(data.path())).unwrap();
    let mut stored = store.contents();
    stored.sort();
    let mut put = contents;
    put.sort();
    assert_eq!(stored, put);
    let blob = store.blob(put[0].hash).unwrap();
    assert_eq!((blob.content(), blob.availability()), (put[0], Availability::Complete));
}

#[test]
fn small_contents_are_in_memory_up_to_a_limit_while_somebody_waits() {
    let store = Store::open(None).unwrap();
    let put_small = |number: u32| {
        let bytes = number.to_be_bytes().repeat(16 * 1024);
        let content = Content::of(&bytes);
        let (writer, ended) = receive(&store, content, false);
        let waits = store.blob(content.hash).unwrap();
        writer.write_last(0, Bytes::from(bytes), ());
        assert_eq!(ended.recv().unwrap(), Ok(()));
        waits
    };
    let waiting: Vec<_> = (0..65).map(put_small).collect();
    assert_eq!(waiting[0].bytes_in_memory().unwrap(), 0_u32.to_be_bytes().repeat(16 * 1024));
    let memory_use = waiting.iter().filter(|blob| blob.bytes_in_memory().is_some()).count();
    assert_eq!(memory_use, 64, "4 MiB");
    let hash = waiting[0].content().hash;
    drop(waiting);
    assert!(store.blob(hash).unwrap().bytes_in_memory().is_none());
    assert!(put_small(65).bytes_in_memory().is_some());
}

#[test]
fn the_time_of_the_last_need_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    let contents = [put(&store, b"one"), put(&store, b"two")];
    drop(store);
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let folder = Folder::open(Some(data.path())).unwrap().0;
    for (content, age) in contents.iter().zip([1, 0]) {
        let file = fs::File::options().write(true).open(folder.blob_path(content.hash)).unwrap();
        file.set_modified(long_ago - Duration::from_secs(age)).unwrap();
    }
    drop(folder);
    let store = Store::open(Some(data.path())).unwrap();
    assert_eq!(store.contents(), contents);
    drop(store.blob(contents[0].hash));
    drop(store);
    let store = Store::open(Some(data.path())).unwrap();
    assert_eq!(store.contents(), [contents[1], contents[0]]);
}

#[tokio::test]
async fn a_content_can_be_read_while_it_is_received_and_is_complete_once_checked() {
    let store = Store::open(None).unwrap();
    let (writer, ended) = receive(&store, livery(), false);
    let blob = store.blob(livery().hash).unwrap();
    assert_eq!(blob.availability(), Availability::Partial(0));
    let room = Arc::new(());
    writer.write(0, Bytes::from_static(&LIVERY[..8]), Arc::clone(&room));
    wait_for(&blob, Availability::Partial(8)).await;
    assert_eq!(text(&blob, 8), "a livery");
    writer.write(8, Bytes::from_static(&LIVERY[8..]), Arc::clone(&room));
    wait_for(&blob, Availability::Partial(livery().size)).await;
    assert!(store.contents().is_empty());
    writer.finish();
    assert_eq!(ended.recv().unwrap(), Ok(()));
    assert_eq!(blob.availability(), Availability::Complete);
    assert_eq!(store.contents(), [livery()]);
    assert_eq!(text(&blob, LIVERY.len()).as_bytes(), LIVERY);
    assert_eq!(Arc::strong_count(&room), 1, "the room of what is written is free");
}

#[track_caller]
fn check_fault(pieces: &[(u64, &'static [u8])], fault: impl Into<StoreFault>) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    let (writer, ended) = receive(&store, livery(), false);
    let blob = store.blob(livery().hash).unwrap();
    for (offset, bytes) in pieces {
        writer.write(*offset, Bytes::from_static(bytes), ());
    }
    writer.finish();
    let fault = fault.into();
    assert_eq!(ended.recv().unwrap(), Err(fault.clone()));
    assert_eq!(blob.availability(), Availability::Broken(fault.to_string().into()));
    assert!(store.contents().is_empty() && store.blob(livery().hash).is_none());
    assert_eq!(names(data.path()), ["lock"]);
    put(&store, LIVERY);
    assert_eq!(store.contents(), [livery()], "the next attempt is not harmed");
}

#[test]
fn wrong_bytes_never_become_a_content() {
    use TransferFault::{Gap, TooMany, TooShort, WrongBytes};
    let declared = livery().size;
    check_fault(&[(0, b"a"), (2, b"l")], Gap { expected: 1, got: 2 });
    check_fault(&[(0, LIVERY), (declared, b"!")], TooMany { declared });
    check_fault(&[(0, b"a")], TooShort { declared, got: 1 });
    let wrong = b"a livery in red and black";
    let got = ContentHash::of(wrong);
    check_fault(&[(0, wrong)], WrongBytes { declared: livery().hash, got });
}

/// Writes a content in one piece.
fn put_at_once(store: &Store, content: Content, bytes: &'static [u8]) -> Result<(), StoreFault> {
    let (writer, ended) = receive(store, content, false);
    writer.write_last(0, Bytes::from_static(bytes), ());
    ended.recv().unwrap()
}

#[test]
fn a_content_in_one_piece_is_checked_before_it_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    let declared = livery().size;
    let short = TransferFault::TooShort { declared, got: 1 };
    assert_eq!(put_at_once(&store, livery(), b"a"), Err(short.into()));
    let wrong = b"a livery in red and black";
    let got = ContentHash::of(wrong);
    let fault = TransferFault::WrongBytes { declared: livery().hash, got };
    assert_eq!(put_at_once(&store, livery(), wrong), Err(fault.into()));
    assert_eq!(names(data.path()), ["lock"]);
    assert_eq!(put_at_once(&store, livery(), LIVERY), Ok(()));
    assert_eq!(store.contents(), [livery()]);
    assert_eq!(names(data.path()), [livery().hash.to_string(), "lock".to_owned()]);
    assert!(store.verify(livery().hash).unwrap());
}

// A server that is killed while it writes must not leave a part of a content that looks whole.
#[test]
fn a_content_in_one_piece_gets_its_name_only_once_it_is_written() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    fs::remove_dir(data.path().join("incoming")).unwrap();
    let fault = put_at_once(&store, livery(), LIVERY).unwrap_err();
    assert!(matches!(fault, StoreFault::Disk { .. }), "{fault}");
    assert_eq!(store.contents(), []);
}

#[test]
fn a_file_that_was_created_and_never_written_is_not_stored() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    let empty = Content::of(b"");
    assert_eq!(put_at_once(&store, livery(), LIVERY), Ok(()));
    assert_eq!(put_at_once(&store, empty, b""), Ok(()));
    let path = store.0.folder.blob_path(livery().hash);
    drop(store);
    fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    assert_eq!(store.contents(), [empty]);
}

#[test]
fn a_compressed_content_is_stored_unpacked_and_a_damaged_one_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    let whole = LIVERY.repeat(100);
    let frame = Bytes::copy_from_slice(Encoder::default().pack(&whole, whole.len()).unwrap());
    for broken in [true, false] {
        let (writer, ended) = receive(&store, Content::of(&whole), false);
        let cut = frame.len() - usize::from(broken);
        writer.write(0, ChunkBody::zstd(frame.slice(..cut)), ());
        // The broken one may have been refused by now.
        assert!(broken || writer.received() == whole.len() as u64);
        writer.finish();
        let garbled = Err(StoreFault::Transfer(TransferFault::Garbled));
        assert_eq!(ended.recv().unwrap(), if broken { garbled } else { Ok(()) });
    }
    let blob = store.blob(Content::of(&whole).hash).unwrap();
    assert_eq!(text(&blob, whole.len()).as_bytes(), whole);
}

#[test]
fn a_disk_fault_is_reported() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    fs::remove_dir(data.path().join("incoming")).unwrap();
    let (writer, ended) = receive(&store, livery(), false);
    writer.write(0, Bytes::from_static(LIVERY), ());
    assert!(matches!(ended.recv().unwrap(), Err(StoreFault::Disk { full: false, .. })));
}

#[tokio::test]
async fn a_resumed_upload_continues_and_so_do_its_readers() {
    let store = Store::open(None).unwrap();
    let (writer, ended) = receive(&store, livery(), false);
    let blob = store.blob(livery().hash).unwrap();
    writer.write(0, Bytes::from_static(&LIVERY[..8]), ());
    drop(writer);
    assert!(ended.recv().is_err(), "nobody is told of an end");
    assert_eq!(blob.availability(), Availability::Partial(8));
    assert_eq!(text(&blob, 8), "a livery");

    let (writer, ended) = receive(&store, livery(), true);
    assert_eq!(writer.received(), 8);
    writer.write(8, Bytes::from_static(&LIVERY[8..]), ());
    writer.finish();
    drop(writer);
    assert_eq!(ended.recv().unwrap(), Ok(()));
    assert_eq!(blob.availability(), Availability::Complete);
    assert_eq!(text(&blob, LIVERY.len()).as_bytes(), LIVERY);
}

#[test]
fn an_upload_whose_file_is_gone_is_not_resumed() {
    for shorten in [true, false] {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(Some(data.path())).unwrap();
        let (writer, ended) = receive(&store, livery(), false);
        writer.write(0, Bytes::from_static(&LIVERY[..8]), ());
        drop(writer);
        assert!(ended.recv().is_err());
        let name = names(&data.path().join("incoming")).remove(0);
        let path = data.path().join("incoming").join(name);
        match shorten {
            true => fs::File::options().write(true).open(path).unwrap().set_len(7).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
        let (writer, ended) = receive(&store, livery(), true);
        writer.write(writer.received(), Bytes::from_static(&LIVERY[8..]), ());
        writer.finish();
        assert!(matches!(ended.recv().unwrap(), Err(StoreFault::Disk { .. })));
        put(&store, LIVERY);
    }
}

#[test]
fn the_next_writer_replaces_the_last_one() {
    let store = Store::open(None).unwrap();
    let (first, first_ended) = receive(&store, livery(), false);
    first.write(0, Bytes::from_static(&LIVERY[..8]), ());
    let (second, ended) = receive(&store, livery(), true);
    first.write(8, Bytes::from_static(b"nonsense"), ());
    first.finish();
    drop(first);
    assert_eq!(second.received(), 8);
    second.write(8, Bytes::from_static(&LIVERY[8..]), ());
    second.finish();
    assert_eq!(ended.recv().unwrap(), Ok(()));
    assert!(first_ended.recv().is_err());
}

#[test]
fn starting_over_fails_the_readers_of_the_last_attempt() {
    let store = Store::open(None).unwrap();
    let (first, _ended) = receive(&store, livery(), false);
    first.write(0, Bytes::from_static(b"nonsense"), ());
    let old = store.blob(livery().hash).unwrap();
    drop(first);
    let (second, ended) = receive(&store, livery(), false);
    assert_eq!(second.received(), 0);
    assert!(matches!(old.availability(), Availability::Broken(_)));
    second.write(0, Bytes::from_static(LIVERY), ());
    second.finish();
    assert_eq!(ended.recv().unwrap(), Ok(()));
    assert!(matches!(old.availability(), Availability::Broken(_)));
}

#[test]
fn a_stored_content_is_not_received_again() {
    let store = Store::open(None).unwrap();
    put(&store, LIVERY);
    let (writer, ended) = receive(&store, livery(), false);
    assert_eq!(writer.received(), livery().size);
    writer.write(0, Bytes::from_static(b"nonsense"), ());
    writer.finish();
    assert_eq!(ended.recv().unwrap(), Ok(()));
    assert_eq!(store.contents(), [livery()]);
}

#[test]
fn a_removed_content_can_be_received_again() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    put(&store, LIVERY);
    store.remove(livery().hash);
    assert!(store.contents().is_empty());
    put(&store, LIVERY);
    let (_upload, _ended) = receive(&store, Content::of(b"half"), false);
    let half = store.blob(ContentHash::of(b"half")).unwrap();
    store.remove(half.content().hash);
    assert!(matches!(half.availability(), Availability::Broken(_)));
    drop((store, _upload));
    assert_eq!(names(data.path()), [livery().hash.to_string(), "lock".to_owned()]);
}

#[test]
fn only_some_incomplete_contents_are_kept() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    for number in 0..4000_u32 {
        let (writer, _ended) = receive(&store, Content::of(&number.to_be_bytes()), false);
        writer.write(0, Bytes::copy_from_slice(&number.to_be_bytes()[..2]), ());
    }
    // Each worker has done its jobs before it reports this one.
    (0..=255_u8).for_each(|first| {
        let (sender, told) = channel();
        let mut bytes = [0; 32];
        bytes[0] = first;
        let done: Done = Box::new(move |_| sender.send(()).unwrap());
        let hash = ContentHash::from_bytes(bytes);
        store.0.send_job(hash, Job::Notify(hash, done));
        told.recv().unwrap();
    });
    assert!(names(&data.path().join("incoming")).len() <= 4 * 512);
}

#[test]
fn two_servers_never_share_a_store() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    let error = Store::open(Some(data.path())).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(matches!(verify_store(data.path(), |_| {}), Err(StoreError::Busy { .. })));
    drop(store);
    Store::open(Some(data.path())).unwrap();
}

#[test]
fn leftovers_are_removed() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    put(&store, LIVERY);
    drop(store);
    let name = livery().hash.to_string();
    let other = ContentHash::of(b"other").to_string();
    fs::create_dir(data.path().join("blobs/zz")).unwrap();
    for path in [
        format!("incoming/{name}.1"),
        format!("blobs/{}/{name}.part", &name[..2]),
        format!("blobs/zz/{other}"),
        "mine.txt".to_owned(),
    ] {
        fs::write(data.path().join(path), "x").unwrap();
    }
    let store = Store::open(Some(data.path())).unwrap();
    assert_eq!(store.contents(), [livery()]);
    let mut left = [name, "lock".to_owned(), "mine.txt".to_owned()];
    left.sort();
    assert_eq!(names(data.path()), left);
}

#[test]
fn a_temporary_store_is_removed_with_its_last_handle() {
    let store = Store::open(None).unwrap();
    let folder = store.0.folder.blob_path(livery().hash);
    let root = folder.ancestors().nth(3).unwrap().to_owned();
    put(&store, LIVERY);
    let (writer, _ended) = receive(&store, Content::of(b"half"), false);
    drop(store);
    assert!(root.is_dir());
    drop(writer);
    assert!(!root.exists());
}

/// Makes a store of three contents, one of them with a flipped bit.
fn damaged() -> (tempfile::TempDir, Content) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(Some(data.path())).unwrap();
    put(&store, b"one");
    put(&store, &[7; 300_000]);
    let victim = put(&store, LIVERY);
    let path = store.0.folder.blob_path(victim.hash);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 1;
    fs::write(&path, bytes).unwrap();
    (data, victim)
}

#[test]
fn verifying_finds_a_flipped_bit_and_removes_it() {
    let (data, victim) = damaged();
    let mut wrong = Vec::new();
    let summary = verify_store(data.path(), |one| {
        wrong.extend(one.wrong.is_some().then_some(one.hash));
    });
    let files_and_bytes = VerifySummary { files: 3, bytes: 300_028, wrong: 1 };
    assert_eq!(summary.unwrap(), files_and_bytes);
    assert_eq!(wrong, [victim.hash]);
    let store = Store::open(Some(data.path())).unwrap();
    assert_eq!(store.contents().len(), 2);
    assert!(store.contents().iter().all(|stored| store.verify(stored.hash).unwrap()));
}

/// Checks a store in the background. Returns what is found to be wrong.
fn check(store: &Store, pace: CheckPace) -> Receiver<ContentHash> {
    let (sender, wrong) = channel();
    let found = move |hash| {
        let _test_ended = sender.send(hash);
    };
    store.check(pace, found).unwrap();
    wrong
}

#[test]
fn the_check_in_the_background_finds_it_too() {
    let (data, victim) = damaged();
    let store = Store::open(Some(data.path())).unwrap();
    assert!(!store.verify(victim.hash).unwrap());
    let wrong = check(&store, ONCE);
    assert_eq!(wrong.recv().unwrap(), victim.hash);
}

#[cfg(unix)]
#[test]
fn only_what_is_missing_or_wrong_is_lost() {
    let (data, victim) = damaged();
    let path_of = |hash: ContentHash| {
        let name = hash.to_string();
        data.path().join("blobs").join(&name[..2]).join(name)
    };
    let [unreadable, missing] = [Content::of(b"one"), Content::of(&[7; 300_000])];
    let store = Store::open(Some(data.path())).unwrap();
    fs::remove_file(path_of(unreadable.hash)).unwrap();
    // Such a loop stands for each error that says nothing about the bytes. Nobody can read it, not even root.
    std::os::unix::fs::symlink(path_of(unreadable.hash), path_of(unreadable.hash)).unwrap();
    fs::remove_file(path_of(missing.hash)).unwrap();
    let wrong = check(&store, CheckPace { pause: Duration::ZERO, ..ONCE });
    // Three passes.
    let wrong: std::collections::BTreeSet<_> = wrong.iter().take(6).collect();
    assert_eq!(wrong, [victim.hash, missing.hash].into());
}

#[test]
fn the_check_is_repeated() {
    let (data, victim) = damaged();
    let store = Store::open(Some(data.path())).unwrap();
    // The victim is the last that was needed, so this one has been read before it.
    let later = Content::of(b"one");
    let wrong = check(&store, CheckPace { pause: Duration::ZERO, ..ONCE });
    assert_eq!(wrong.recv().unwrap(), victim.hash);
    fs::write(store.0.folder.blob_path(later.hash), b"two").unwrap();
    assert!(wrong.iter().any(|hash| hash == later.hash));
}

#[test]
fn a_content_is_verified_at_once_after_a_complaint() {
    let (data, victim) = damaged();
    let store = Store::open(Some(data.path())).unwrap();
    let wrong = check(&store, ONCE);
    assert_eq!(wrong.recv().unwrap(), victim.hash, "in the pass");
    store.verify_soon(Content::of(b"one").hash);
    store.verify_soon(victim.hash);
    let patience = Duration::from_secs(60);
    assert_eq!(wrong.recv_timeout(patience).unwrap(), victim.hash, "after the complaint");
}

#[test]
fn a_check_ends_with_its_store() {
    let (data, _) = damaged();
    let store = Store::open(Some(data.path())).unwrap();
    let (sender, ended) = channel();
    let pace = CheckPace { bytes_per_second: 1, ..ONCE };
    store.check(pace, move |_| sender.send(()).unwrap()).unwrap();
    drop(store);
    assert!(ended.recv().is_err());
    Store::open(Some(data.path())).unwrap();
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_what_the_server_keeps() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let parent = tempfile::tempdir().unwrap();
    let (new, earlier) = (parent.path().join("new/data"), parent.path().join("earlier"));
    // As a server of an earlier version made it.
    fs::create_dir_all(earlier.join("blobs")).unwrap();
    fs::set_permissions(earlier.join("blobs"), fs::Permissions::from_mode(0o755)).unwrap();
    drop(crate::database::Sqlite::open(&earlier).unwrap());
    let database = earlier.join("league.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    for data in [&new, &earlier] {
        let _store = Store::open(Some(data)).unwrap();
        let _database = crate::database::Sqlite::open(data).unwrap();
        for folder in ["blobs", "incoming"] {
            assert_eq!(mode(&data.join(folder)), 0o700, "{folder} of {}", data.display());
        }
        assert_eq!(mode(&data.join("league.db")), 0o600, "{}", data.display());
    }
    assert_eq!(mode(&new), 0o700);
}
