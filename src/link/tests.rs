//! Tests of links with real sockets and real files.

use std::{path::Path, sync::Arc, time::SystemTime};

use bytes::{Bytes, BytesMut};
use liverysync_core::{
    hash::Content,
    path::{Extensions, RelPath},
    select::Stamp,
    transfer::{CHUNK_BYTES, Compression},
    wire::{
        data::{Data, Decoder, TransferId, WINDOW_BYTES},
        frame,
        messages::{FileBegin, FileInfo, Message, SyncId},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::{mpsc, mpsc::UnboundedReceiver},
    time::timeout,
};

use super::{
    reader::{READ_BYTES_MIN, SMALL_BYTES},
    *,
};
use crate::{
    byte_source::{Availability, ByteSource},
    disk::PlainFile,
    scan::stamp_of,
    store::{BlobWriter, Store},
    throttle::Throttle,
};

const PATIENCE: Duration = Duration::from_secs(30);
const CHUNK: usize = CHUNK_BYTES;

/// Returns bytes that differ at every offset.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at / 3 + at / 1000) as u8).collect()
}

/// A writer with its reports, and the socket that receives.
struct Rig {
    outbox: Outbox,
    reports: UnboundedReceiver<SendReport>,
    ended: tokio::task::JoinHandle<LinkError>,
    reader: Reader,
    /// Bytes of files that have come, as on the wire.
    on_wire: u64,
    /// The socket of the sender's reader, which nobody reads.
    _back: (Reader, Outbox, Writer),
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (there, here) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (here.unwrap().0, there.unwrap())
}

impl Rig {
    async fn new() -> Self {
        Self::throttled(None).await
    }

    async fn throttled(throttle: Option<Arc<Throttle>>) -> Self {
        let (here, there) = pair().await;
        let (unread, outbox, mut writer) = split(here, PATIENCE, &Pool::default()).unwrap();
        if let Some(throttle) = throttle {
            writer.set_throttle(throttle);
        }
        let (reader, other_outbox, other_writer) =
            split(there, PATIENCE, &Pool::default()).unwrap();
        let (sender, reports) = mpsc::unbounded_channel();
        let ended = tokio::spawn(writer.run(move |report| drop(sender.send(report))));
        Self {
            outbox,
            reports,
            ended,
            reader,
            on_wire: 0,
            _back: (unread, other_outbox, other_writer),
        }
    }

    async fn message(&mut self) -> Message {
        let payload = timeout(PATIENCE, self.reader.next()).await.unwrap().unwrap();
        Message::read(&payload).unwrap()
    }

    async fn data(&mut self) -> Data {
        match self.message().await {
            Message::Data(data) => {
                self.on_wire += data.body.on_wire().len() as u64;
                data
            }
            other => panic!("{other:?}"),
        }
    }

    /// Receives one file from `from` on, and gives credit for each piece.
    async fn file(&mut self, transfer: u32, from: u64) -> Vec<u8> {
        let (mut got, mut decoder) = (Vec::new(), Decoder::default());
        loop {
            let data = self.data().await;
            assert_eq!((data.transfer.0, data.offset), (transfer, from + got.len() as u64));
            got.extend_from_slice(decoder.unpack(&data.body).unwrap());
            self.outbox.give_credit(data.body.len() as u64);
            if data.last {
                return got;
            }
        }
    }

    async fn report(&mut self) -> SendReport {
        timeout(PATIENCE, self.reports.recv()).await.unwrap().unwrap()
    }

    /// Returns the final report of a file, and the number of bytes that were reported before.
    async fn sent(&mut self, transfer: u32) -> u64 {
        let mut passed = 0;
        loop {
            match self.report().await {
                SendReport::Passed { transfer: of, bytes } if of.0 == transfer => passed += bytes,
                SendReport::Sent(of) if of.0 == transfer => return passed,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Closes the link and returns everything that came.
    async fn rest(mut self) -> Vec<u8> {
        self.outbox.close();
        let mut rest = self.reader.buffer.to_vec();
        self.reader.read.read_to_end(&mut rest).await.unwrap();
        rest
    }
}

fn receive(store: &Store, content: Content) -> BlobWriter {
    store.receive(content, false, Box::new(|_| {}))
}

fn put(store: &Store, bytes: &[u8]) -> Arc<dyn ByteSource> {
    let content = Content::of(bytes);
    let (sender, ended) = std::sync::mpsc::channel();
    let writer = store.receive(content, false, Box::new(move |end| sender.send(end).unwrap()));
    writer.write(0, Bytes::copy_from_slice(bytes), ());
    writer.finish();
    assert!(ended.recv().unwrap().is_ok());
    store.blob(content.hash).unwrap()
}

fn begin_old(name: &str, content: Content) -> FileBegin {
    let sync_id = SyncId::new("s").unwrap();
    FileBegin { sync_id, info: FileInfo::new(name, content, None, false) }
}

#[tokio::test]
async fn two_targets_download_while_the_upload_goes_on_and_neither_waits() {
    let store = Store::open(None).unwrap();
    let whole = bytes(WINDOW_BYTES as usize + 3 * CHUNK + 5);
    let writer = receive(&store, Content::of(&whole));
    let blob: Arc<dyn ByteSource> = store.blob(Content::of(&whole).hash).unwrap();
    let (mut quick, mut slow) = (Rig::new().await, Rig::new().await);
    for rig in [&quick, &slow] {
        rig.outbox.begin(TransferId(7), 0, Arc::clone(&blob), Compression::Plain, None);
    }
    let upload = async {
        for (number, piece) in whole.chunks(100_000).enumerate() {
            writer.write(number as u64 * 100_000, Bytes::copy_from_slice(piece), ());
            tokio::task::yield_now().await;
        }
        writer.finish();
    };
    let (got, ()) = tokio::join!(quick.file(7, 0), upload);
    assert!(got == whole);
    assert_eq!(quick.sent(7).await, whole.len() as u64);

    let mut got = Vec::new();
    while got.len() < WINDOW_BYTES as usize {
        let data = slow.data().await;
        assert!(!data.last);
        got.extend_from_slice(data.body.on_wire());
    }
    // One byte less than a piece needs is not enough.
    slow.outbox.give_credit(CHUNK as u64 - 1);
    assert!(timeout(Duration::from_millis(50), slow.reader.next()).await.is_err());
    slow.outbox.give_credit(1);
    assert_eq!(slow.data().await.body.on_wire(), &whole[got.len()..got.len() + CHUNK]);
    slow.outbox.give_credit(2 * CHUNK as u64 + 5);
    for last in [false, false, true] {
        assert_eq!(slow.data().await.last, last);
    }
    assert_eq!(slow.sent(7).await, whole.len() as u64);
}

#[tokio::test]
async fn the_last_piece_waits_until_the_hash_is_checked() {
    let store = Store::open(None).unwrap();
    let whole = bytes(CHUNK + 100);
    let writer = receive(&store, Content::of(&whole));
    let mut rig = Rig::new().await;
    let blob = store.blob(Content::of(&whole).hash).unwrap();
    rig.outbox.begin(TransferId(1), 0, blob.clone(), Compression::Plain, None);
    writer.write(0, Bytes::copy_from_slice(&whole), ());
    assert!(!rig.data().await.last);
    while blob.availability() != Availability::Partial(whole.len() as u64) {
        tokio::task::yield_now().await;
    }
    assert!(timeout(Duration::from_millis(50), rig.reader.next()).await.is_err());
    writer.finish();
    let last = rig.data().await;
    assert!(last.last && *last.body.on_wire() == whole[CHUNK..]);
}

#[tokio::test]
async fn a_broken_content_is_never_completed() {
    let store = Store::open(None).unwrap();
    let whole = bytes(CHUNK + 100);
    let writer = receive(&store, Content { hash: Content::of(b"").hash, size: whole.len() as u64 });
    let mut rig = Rig::new().await;
    let blob = store.blob(Content::of(b"").hash).unwrap();
    rig.outbox.begin(TransferId(1), 0, blob, Compression::Plain, None);
    writer.write(0, Bytes::copy_from_slice(&whole), ());
    assert!(!rig.data().await.last);
    writer.finish();
    let report = rig.report().await;
    assert!(
        matches!(&report, SendReport::Failed(TransferId(1), _, why) if why.contains("wrong bytes")),
        "{report:?}"
    );
    let next = put(&store, b"next");
    rig.outbox.begin(TransferId(2), 0, next, Compression::Plain, None);
    assert_eq!(rig.file(2, 0).await, b"next");
}

#[tokio::test]
async fn a_file_is_resumed_at_an_offset_and_an_empty_one_has_one_piece() {
    let store = Store::open(None).unwrap();
    let whole = bytes(3 * CHUNK);
    let mut rig = Rig::new().await;
    rig.outbox.begin(TransferId(1), 1000, put(&store, &whole), Compression::Plain, None);
    assert!(rig.file(1, 1000).await == whole[1000..]);
    assert_eq!(rig.sent(1).await, whole.len() as u64 - 1000);
    rig.outbox.begin(TransferId(2), 0, put(&store, b""), Compression::Plain, None);
    assert_eq!(rig.file(2, 0).await, b"");
    assert_eq!(rig.report().await, SendReport::Sent(TransferId(2)));
}

#[tokio::test]
async fn many_small_files_arrive_whole() {
    let store = Store::open(None).unwrap();
    let files: Vec<_> = (0..300).map(|number| bytes(number * 40)).collect();
    let mut rig = Rig::new().await;
    for (number, file) in files.iter().enumerate() {
        let compression = compression(["a.png", "a.json"][number % 2], file);
        rig.outbox.begin(TransferId(number as u32), 0, put(&store, file), compression, None);
    }
    for (number, file) in files.iter().enumerate() {
        assert!(rig.file(number as u32, 0).await == *file);
        assert_eq!(rig.sent(number as u32).await, file.len() as u64);
    }
}

/// Returns how a file of this name starts.
fn compression(name: &str, content: &[u8]) -> Compression {
    let path = RelPath::parse(name, &Extensions::default()).unwrap();
    Compression::of(&path, content.len() as u64)
}

#[tokio::test]
async fn a_compressible_file_takes_fewer_bytes_and_a_picture_is_sent_as_it_is() {
    let store = Store::open(None).unwrap();
    let whole = bytes(4 * CHUNK + 5);
    let from = CHUNK as u64 + 1000;
    let mut rig = Rig::new().await;
    for (transfer, name, from) in [(1, "T/a.dds", 0), (2, "T/a.json", from), (3, "T/a.png", from)] {
        let compression = compression(name, &whole);
        rig.outbox.begin(TransferId(transfer), from, put(&store, &whole), compression, None);
        let before = rig.on_wire;
        assert!(rig.file(transfer, from).await == whole[from as usize..], "{name}");
        let (sent, on_wire) = (whole.len() as u64 - from, rig.on_wire - before);
        assert_eq!(rig.sent(transfer).await, sent, "progress counts the bytes of files");
        match name {
            "T/a.png" => assert_eq!(on_wire, sent),
            _ => assert!(on_wire < sent / 10, "{name}: {on_wire} for {sent}"),
        }
    }
}

#[tokio::test]
async fn a_file_whose_first_piece_does_not_shrink_is_sent_as_it_is() {
    let store = Store::open(None).unwrap();
    let seed = |at: usize| Content::of(&at.to_be_bytes()).hash.as_bytes().to_vec();
    let mut whole: Vec<_> = (0..CHUNK / 32).flat_map(seed).collect();
    whole.resize(3 * CHUNK, 0);
    let mut rig = Rig::new().await;
    rig.outbox.begin(TransferId(1), 0, put(&store, &whole), compression("a.dds", &whole), None);
    assert!(rig.file(1, 0).await == whole);
    assert_eq!(rig.on_wire, whole.len() as u64);
    // After its incompressible beginning, the file is compressed.
    let from = CHUNK as u64;
    rig.outbox.begin(TransferId(2), from, put(&store, &whole), compression("a.dds", &whole), None);
    assert!(rig.file(2, from).await == whole[CHUNK..]);
    assert!(rig.on_wire < whole.len() as u64 + 1000);
}

#[tokio::test]
async fn a_limit_counts_bytes_on_the_wire() {
    let store = Store::open(None).unwrap();
    // One piece passes at once, and the second one only after days.
    let mut rig = Rig::throttled(Some(Throttle::new(Some(1)))).await;
    let whole = vec![7; 8 * CHUNK];
    rig.outbox.begin(TransferId(1), 0, put(&store, &whole), compression("a.dds", &whole), None);
    assert!(rig.file(1, 0).await == whole);
}

#[tokio::test]
async fn a_target_of_protocol_1_gets_its_form() {
    let store = Store::open(None).unwrap();
    let large = bytes(CHUNK + 1);
    let mut rig = Rig::new().await;
    for (number, (name, file)) in
        [("T/a.png", &b"abcd"[..]), ("T/\"b.png", b""), ("c", &large)].into_iter().enumerate()
    {
        let begin = begin_old(name, Content::of(file));
        rig.outbox.begin(
            TransferId(number as u32),
            0,
            put(&store, file),
            Compression::Plain,
            Some(begin),
        );
    }
    assert_eq!(rig.sent(0).await, 4);
    assert_eq!(rig.sent(1).await, 0);
    assert_eq!(rig.sent(2).await, large.len() as u64);

    let mut expected = BytesMut::new();
    let empty = Content::of(b"").hash;
    for payload in [
        format!(
            r#"{{"type":"FILE_BEGIN","sync_id":"s","rel_path":"T/a.png","size":4,"sha256":"{}"}}"#,
            Content::of(b"abcd").hash
        ),
        r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"T/a.png","offset":0,"data_b64":"YWJjZA=="}"#
            .to_owned(),
        r#"{"type":"FILE_END","sync_id":"s","rel_path":"T/a.png"}"#.to_owned(),
        format!(
            r#"{{"type":"FILE_BEGIN","sync_id":"s","rel_path":"T/\"b.png","size":0,"sha256":"{empty}"}}"#
        ),
        r#"{"type":"FILE_END","sync_id":"s","rel_path":"T/\"b.png"}"#.to_owned(),
    ] {
        frame::write(&mut expected, |out| out.extend_from_slice(payload.as_bytes()));
    }
    let chunk = |at: usize, end: usize| {
        Message::FileChunk(liverysync_core::wire::messages::FileChunk {
            sync_id: SyncId::new("s").unwrap(),
            rel_path: "c".into(),
            offset: at as u64,
            data: Bytes::copy_from_slice(&large[at..end]),
        })
    };
    let begin = begin_old("c", Content::of(&large));
    let end = r#"{"type":"FILE_END","sync_id":"s","rel_path":"c"}"#;
    Message::FileBegin(begin).write_frame(&mut expected);
    chunk(0, CHUNK).write_frame(&mut expected);
    chunk(CHUNK, CHUNK + 1).write_frame(&mut expected);
    frame::write(&mut expected, |out| out.extend_from_slice(end.as_bytes()));
    assert!(rig.rest().await == expected);
}

#[tokio::test]
async fn a_target_of_protocol_1_gets_the_end_of_a_stopped_file() {
    let store = Store::open(None).unwrap();
    for stops in [true, false] {
        let whole = bytes(CHUNK + 100);
        let content = Content { hash: Content::of(b"").hash, size: whole.len() as u64 };
        let writer = receive(&store, content);
        let mut rig = Rig::new().await;
        let blob = store.blob(content.hash).unwrap();
        rig.outbox.begin(TransferId(1), 0, blob, Compression::Plain, Some(begin_old("a", content)));
        rig.outbox.begin(
            TransferId(2),
            0,
            put(&store, b"b"),
            Compression::Plain,
            Some(begin_old("b", Content::of(b"b"))),
        );
        writer.write(0, Bytes::copy_from_slice(&whole), ());
        assert!(matches!(rig.message().await, Message::FileBegin(_)));
        assert!(matches!(rig.message().await, Message::FileChunk(_)));
        if stops {
            rig.outbox.stop(TransferId(1));
        } else {
            writer.finish();
        }
        let Message::FileEnd(end) = rig.message().await else { panic!() };
        assert_eq!(end.rel_path, "a");
        assert!(
            matches!(rig.message().await, Message::FileBegin(begin) if begin.info.rel_path == "b")
        );
    }
}

#[tokio::test]
async fn a_file_that_is_stopped_before_its_turn_leaves_no_trace() {
    let store = Store::open(None).unwrap();
    let mut rig = Rig::new().await;
    let writer = receive(&store, Content::of(b"never"));
    let blob = store.blob(Content::of(b"never").hash).unwrap();
    for (transfer, begin) in [(1, None), (2, Some(begin_old("a", Content::of(b"never"))))] {
        rig.outbox.begin(TransferId(transfer), 0, blob.clone(), Compression::Plain, begin);
        rig.outbox.stop(TransferId(transfer));
    }
    writer.write(0, Bytes::from_static(b"never"), ());
    writer.finish();
    rig.outbox.begin(TransferId(3), 0, put(&store, b"next"), Compression::Plain, None);
    assert_eq!(rig.file(3, 0).await, b"next");
    assert_eq!(rig.sent(3).await, 4);
    assert_eq!(rig.rest().await, b"");
}

/// A file in a folder, with its present stamp.
fn plain(root: &Path, name: &str, content: &[u8]) -> (Arc<dyn ByteSource>, Stamp) {
    let path = root.join(name);
    std::fs::write(&path, content).unwrap();
    let stamp = stamp_of(&path.metadata().unwrap());
    let path = RelPath::parse(name, &Extensions::default()).unwrap();
    (Arc::new(PlainFile::new(root.into(), path, stamp)), stamp)
}

#[tokio::test]
async fn files_of_a_folder_are_sent_unless_they_have_changed() {
    let root = tempfile::tempdir().unwrap();
    let whole = bytes(2 * CHUNK + 1);
    let (same, _) = plain(root.path(), "same.png", &whole);
    let (changed, _) = plain(root.path(), "changed.png", b"old");
    let (gone, _) = plain(root.path(), "gone.png", b"old");
    let file = std::fs::File::options().write(true).open(root.path().join("changed.png")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    std::fs::remove_file(root.path().join("gone.png")).unwrap();

    let mut rig = Rig::new().await;
    rig.outbox.begin(TransferId(1), 0, changed, Compression::Plain, None);
    rig.outbox.begin(TransferId(2), 0, gone, Compression::Plain, None);
    let changed = (1, io::ErrorKind::InvalidData, "the file has changed meanwhile");
    let gone = (2, io::ErrorKind::NotFound, "the file no longer exists");
    for (transfer, kind, why) in [changed, gone] {
        assert_eq!(
            rig.report().await,
            SendReport::Failed(TransferId(transfer), kind, why.to_owned())
        );
    }
    rig.outbox.begin(TransferId(3), 0, same, Compression::Plain, None);
    assert!(rig.file(3, 0).await == whole);
    assert_eq!(rig.sent(3).await, whole.len() as u64);
}

#[tokio::test]
async fn an_unreadable_file_takes_no_credit_and_leaves_no_gap() {
    let root = tempfile::tempdir().unwrap();
    let mut rig = Rig::new().await;
    let large = bytes(100_000);
    // Together, the missing files would take all the credit.
    for number in 0..100 {
        let (gone, _) = plain(root.path(), "gone.png", &large);
        std::fs::remove_file(root.path().join("gone.png")).unwrap();
        rig.outbox.begin(TransferId(number), 0, gone, Compression::Plain, None);
        let (same, _) = plain(root.path(), &format!("{number}.png"), &bytes(1000));
        rig.outbox.begin(TransferId(1000 + number), 0, same, Compression::Plain, None);
    }
    for number in 0..100 {
        assert!(rig.file(1000 + number, 0).await == bytes(1000));
    }
}

#[tokio::test]
async fn messages_overtake_waiting_files() {
    let store = Store::open(None).unwrap();
    let throttle = Throttle::new(Some(1));
    throttle.take(CHUNK + 1_000_000).await;
    let mut rig = Rig::throttled(Some(Arc::clone(&throttle))).await;
    rig.outbox.begin(TransferId(1), 0, put(&store, b"livery"), Compression::Plain, None);
    rig.outbox.send(Message::Ping);
    assert_eq!(rig.message().await, Message::Ping);
    rig.outbox.send(Message::Pong);
    assert_eq!(rig.message().await, Message::Pong);
    throttle.set(None);
    assert_eq!(rig.file(1, 0).await, b"livery");
}

#[tokio::test]
async fn closing_writes_the_waiting_messages() {
    let mut rig = Rig::new().await;
    rig.outbox.send(Message::Ping);
    rig.outbox.close();
    assert_eq!(rig.message().await, Message::Ping);
    assert!(matches!(rig.reader.next().await, Err(LinkError::Closed)));
    assert!(matches!(rig.ended.await.unwrap(), LinkError::Closed));
}

#[tokio::test]
async fn frames_of_all_sizes_are_read_and_none_holds_much_memory() {
    let (here, there) = pair().await;
    let (mut reader, ..) = split(here, PATIENCE, &Pool::default()).unwrap();
    let sizes = [0, 1, 3000, SMALL_BYTES, 70_000, CHUNK + 14, CHUNK + 14, 5, 2_000_000, 4, CHUNK];
    let write = tokio::spawn(async move {
        let mut there = there;
        for size in sizes {
            let mut out = BytesMut::new();
            frame::write(&mut out, |out| out.extend_from_slice(&bytes(size)));
            there.write_all(&out).await.unwrap();
        }
        there
    });
    let mut held = Vec::new();
    for size in sizes {
        let payload = reader.next().await.unwrap();
        assert!(payload == bytes(size), "{size}");
        held.push(payload);
        assert!(reader.buffer.capacity() <= 3_000_000);
    }
    drop(write.await.unwrap());
    assert!(matches!(reader.next().await, Err(LinkError::Closed)));
}

#[tokio::test]
async fn a_header_alone_reserves_little_memory() {
    let (here, mut there) = pair().await;
    let (mut reader, ..) = split(here, PATIENCE, &Pool::default()).unwrap();
    reader.set_limit(frame::STRANGER_BYTES_MAX);
    there.write_all(&[0, 0, 0x40, 0, b'{']).await.unwrap();
    assert!(timeout(Duration::from_millis(20), reader.next()).await.is_err());
    assert!(reader.buffer.capacity() <= 2 * READ_BYTES_MIN + 64, "{}", reader.buffer.capacity());
    there.write_all(&vec![b' '; 0x3fff]).await.unwrap();
    assert_eq!(reader.next().await.unwrap().len(), 0x4000);
    there.write_all(&[0, 0, 0x40, 1]).await.unwrap();
    assert!(matches!(reader.next().await, Err(LinkError::Frame(_))));
}

#[tokio::test]
async fn a_throttled_reader_reads_files_at_its_rate_and_messages_at_once() {
    let (here, mut there) = pair().await;
    let (mut reader, ..) = split(here, PATIENCE, &Pool::default()).unwrap();
    let throttle = Throttle::new(Some(1));
    reader.set_throttle(Arc::clone(&throttle));
    let chunk = Data { body: Bytes::from(vec![1; CHUNK + 1]).into(), ..Data::default() };
    let mut out = BytesMut::new();
    for message in [Message::Ping, Message::Data(chunk), Message::Pong, Message::Ping] {
        message.write_frame(&mut out);
    }
    there.write_all(&out).await.unwrap();
    let next = async |reader: &mut Reader| Message::read(&reader.next().await.unwrap()).unwrap();
    assert_eq!(next(&mut reader).await, Message::Ping);
    assert!(matches!(next(&mut reader).await, Message::Data(_)));
    // The bucket is empty from here on, so the next piece waits long.
    assert_eq!(next(&mut reader).await, Message::Pong);
    reader.unthrottled = 1;
    assert!(timeout(Duration::from_millis(20), reader.next()).await.is_err());
    throttle.set(None);
    assert_eq!(next(&mut reader).await, Message::Ping);
}
