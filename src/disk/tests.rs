//! Tests of what each disk request does to a real folder.

use crate::credit::{Credit, CreditReturn};
use std::{fs, time::SystemTime};

use filetime::FileTime;
use liverysync_core::{
    client::{InstallFile, Installed},
    hash::Content,
    path::Extensions,
    time::UnixTime,
    wire::data::{ChunkBody, Data, Encoder, TransferId},
};

use super::*;

/// A root and its disk, with one request at a time.
struct Rig {
    root: tempfile::TempDir,
    disk: Disk,
    outcomes: Outcomes,
    next: u64,
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (disk, outcomes) = Disk::start(root.path(), None, WatchHandle::disabled()).unwrap();
        Self { root, disk, outcomes, next: 0 }
    }

    fn request(&mut self, request: DiskRequest) -> DiskOutcome {
        self.next += 1;
        self.disk.request(OpId(self.next), request);
        let (op, outcome) = self.outcomes.blocking_recv().unwrap();
        assert_eq!(op, OpId(self.next));
        outcome
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root.path().join(path)).ok()
    }

    fn stamp(&self, path: &str) -> Option<Stamp> {
        stamp_at(&self.root.path().join(path)).unwrap()
    }

    fn stage(&mut self, bytes: &[u8]) -> StageId {
        self.next += 1;
        let id = StageId(self.next);
        for request in [
            DiskRequest::Create(id, bytes.len() as u64),
            DiskRequest::Write(id, 0, Bytes::copy_from_slice(bytes)),
            DiskRequest::Seal(id),
        ] {
            let outcome = self.request(request);
            assert!(matches!(outcome, DiskOutcome::Done(Ok(()))), "{outcome:?}");
        }
        id
    }

    fn install(
        &mut self,
        files: Vec<InstallFile>,
        clear: &[&str],
    ) -> Vec<Result<Installed, DiskFault>> {
        let date = UnixTime::from_nanos(1_700_000_000_000_000_000);
        let clear = clear.iter().map(PathBuf::from).collect();
        match self.request(DiskRequest::Install { date, files, clear }) {
            DiskOutcome::Installed(results) => results,
            other => panic!("{other:?}"),
        }
    }

    fn file(&mut self, at: &str, bytes: &[u8], replaces: Option<Stamp>) -> InstallFile {
        let stage = self.stage(bytes);
        InstallFile { stage, path: path(at), mtime: None, replaces, keep_as: None }
    }

    /// Returns every file below the root with its content.
    fn tree(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = walkdir::WalkDir::new(self.root.path())
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let below = entry.path().strip_prefix(self.root.path()).unwrap();
                let name = below.to_string_lossy().replace('\\', "/");
                (name, fs::read(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text, &Extensions::default()).unwrap()
}

#[test]
fn many_files_at_a_time_are_all_installed() {
    let mut rig = Rig::new();
    let stages: Vec<_> = (0..60).map(StageId).collect();
    let bytes = |id: StageId| vec![id.0 as u8; if id.0 == 7 { 2 << 20 } else { 100 }];
    let mut asked = 0;
    for &id in &stages {
        let data = Bytes::from(bytes(id));
        for request in [
            DiskRequest::Create(id, data.len() as u64),
            DiskRequest::Write(id, 0, data),
            DiskRequest::Seal(id),
        ] {
            asked += 1;
            rig.disk.request(OpId(asked), request);
        }
    }
    for _ in 0..asked {
        let (_, outcome) = rig.outcomes.blocking_recv().unwrap();
        assert!(matches!(outcome, DiskOutcome::Done(Ok(()))), "{outcome:?}");
    }
    for &stage in &stages {
        let at = path(&format!("T{}/a.png", stage.0));
        let file = InstallFile { stage, path: at, mtime: None, replaces: None, keep_as: None };
        let date = UnixTime::from_nanos(1_700_000_000_000_000_000);
        let request = DiskRequest::Install { date, files: vec![file], clear: vec![] };
        asked += 1;
        rig.disk.request(OpId(asked), request);
    }
    for _ in &stages {
        let (_, outcome) = rig.outcomes.blocking_recv().unwrap();
        assert!(
            matches!(&outcome, DiskOutcome::Installed(all) if all.iter().all(Result::is_ok)),
            "{outcome:?}"
        );
    }
    for &stage in &stages {
        assert_eq!(rig.read(&format!("T{}/a.png", stage.0)), Some(bytes(stage)));
    }
    rig.disk.finish();
}

#[test]
fn a_new_file_gets_its_folders_and_its_date() {
    let mut rig = Rig::new();
    let mut file = rig.file("Équipe/a.png", b"new", None);
    file.mtime = Some(UnixTime::from_nanos(1_600_000_000_123_456_700));
    let installed = rig.install(vec![file], &[]).pop().unwrap().unwrap();
    assert_eq!(rig.read("Équipe/a.png").unwrap(), b"new");
    assert_eq!(installed.stamp.mtime, UnixTime::from_nanos(1_600_000_000_123_456_700));
    assert_eq!((installed.backup, installed.kept), (None, false));
}

#[test]
fn a_replaced_file_is_in_the_backup_with_its_date() {
    let mut rig = Rig::new();
    rig.write("T/a.png", b"old");
    let old = FileTime::from_unix_time(1_500_000_000, 0);
    filetime::set_file_mtime(rig.root.path().join("T/a.png"), old).unwrap();
    let file = rig.file("T/a.png", b"new", rig.stamp("T/a.png"));
    let installed = rig.install(vec![file], &[]).pop().unwrap().unwrap();
    let backup = installed.backup.unwrap();
    assert_eq!(rig.read("T/a.png").unwrap(), b"new");
    assert_eq!(rig.read(&backup).unwrap(), b"old");
    assert_eq!(rig.stamp(&backup).unwrap().mtime, UnixTime::from_nanos(1_500_000_000_000_000_000));

    let parts: Vec<_> = backup.split('/').collect();
    assert_eq!((parts[0], &parts[2..]), (".backup", &["T", "a.png"][..]));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    assert!(parts[1].len() == 15 && digits(&parts[1][..8]) && digits(&parts[1][9..]), "{backup}");
}

#[test]
fn two_backups_of_one_second_are_both_kept() {
    let mut rig = Rig::new();
    rig.write("T/a.png", b"1");
    for bytes in [b"2", b"3"] {
        let file = rig.file("T/a.png", bytes, rig.stamp("T/a.png"));
        rig.install(vec![file], &[]).pop().unwrap().unwrap();
    }
    let kept: Vec<_> = rig.tree().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(kept, [b"1", b"2", b"3"]);
}

#[test]
fn a_file_that_was_changed_meanwhile_is_not_replaced() {
    let mut rig = Rig::new();
    rig.write("T/a.png", b"scanned");
    let file = rig.file("T/a.png", b"new", rig.stamp("T/a.png"));
    rig.write("T/a.png", b"edited since");
    let fault = rig.install(vec![file], &[]).pop().unwrap().unwrap_err();
    assert_eq!(fault.kind, DiskFaultKind::Changed);
    assert_eq!(rig.read("T/a.png").unwrap(), b"edited since");

    let unexpected = rig.file("T/a.png", b"new", None);
    assert_eq!(
        rig.install(vec![unexpected], &[])[0].as_ref().unwrap_err().kind,
        DiskFaultKind::Changed
    );
    assert_eq!(rig.read("T/a.png").unwrap(), b"edited since");
}

#[test]
fn a_plan_that_checks_each_folder_once_replaces_nothing_unasked() {
    let mut rig = Rig::new();
    rig.write("Old/taken.png", b"there before");
    fs::create_dir_all(rig.root.path().join("Old/folder.png")).unwrap();
    let names =
        ["New/a.png", "Old/taken.png", "New/b.png", "Old/folder.png", "Old/c.png", "New/a.png"];
    let files: Vec<_> = names.iter().map(|name| rig.file(name, b"new", None)).collect();
    let kinds =
        rig.install(files, &[]).into_iter().map(|done| done.map(|_| ()).map_err(|f| f.kind));
    let changed = Err(DiskFaultKind::Changed);
    assert!(kinds.eq([Ok(()), changed, Ok(()), changed, Ok(()), changed]));
    assert_eq!(rig.read("Old/taken.png").unwrap(), b"there before");
    assert_eq!(rig.read("New/b.png").unwrap(), b"new");
}

#[test]
fn a_conflict_copy_gets_its_name_if_that_is_free() {
    let mut rig = Rig::new();
    rig.write("T/a.png", b"later");
    rig.write("T/taken.png", b"other");
    for (name, kept, bytes) in
        [("T/taken.png", false, &b"other"[..]), ("T/free.png", true, b"later")]
    {
        let mut file = rig.file("T/a.png", b"later", rig.stamp("T/a.png"));
        file.keep_as = Some(path(name));
        let installed = rig.install(vec![file], &[]).pop().unwrap().unwrap();
        assert_eq!((installed.kept, rig.read(name).as_deref()), (kept, Some(bytes)));
    }
}

#[test]
fn the_games_old_cache_is_moved_to_the_backup() {
    let mut rig = Rig::new();
    rig.write("T/decals_0.dds", b"cache");
    let file = rig.file("T/decals.png", b"new", None);
    rig.install(vec![file], &["T/decals_0.dds", "T/not there.dds"]).pop().unwrap().unwrap();
    let tree = rig.tree();
    assert_eq!(tree.len(), 2);
    assert!(tree[0].0.starts_with(".backup/") && tree[0].0.ends_with("/T/decals_0.dds"));
    assert_eq!(tree[0].1, b"cache");
}

#[cfg(unix)]
#[test]
fn no_link_is_followed() {
    let mut rig = Rig::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a.png"), b"outside").unwrap();
    std::os::unix::fs::symlink(outside.path(), rig.root.path().join("T")).unwrap();
    let file = rig.file("T/b.png", b"new", None);
    assert!(rig.install(vec![file], &[])[0].is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);

    let stamp = stamp_at(&outside.path().join("a.png")).unwrap().unwrap();
    let piece = Piece { offset: 0, len: 7 };
    let read = rig.request(DiskRequest::Read { path: path("T/a.png"), piece, stamp });
    assert!(matches!(read, DiskOutcome::Read(Err(_))));
    let listed = rig.request(DiskRequest::List { watch: false });
    assert!(
        matches!(listed, DiskOutcome::Listed(Ok(items)) if items[0].kind == liverysync_core::select::Kind::Link)
    );
}

#[test]
fn leftovers_and_discarded_files_are_removed() {
    let mut rig = Rig::new();
    rig.write(".tmp/rx_1_decals.png.tmp", b"left by another program");
    rig.request(DiskRequest::Sweep);
    assert!(!rig.root.path().join(".tmp").exists());
    let id = rig.stage(b"received");
    assert_eq!(rig.tree().len(), 1);
    rig.request(DiskRequest::Discard(id));
    assert!(rig.tree().is_empty());
}

#[test]
fn a_file_that_changed_is_neither_read_nor_hashed() {
    let mut rig = Rig::new();
    rig.write("a.png", b"first");
    let stamp = rig.stamp("a.png").unwrap();
    let piece = Piece { offset: 0, len: 5 };
    let read = rig.request(DiskRequest::Read { path: path("a.png"), piece, stamp });
    assert!(matches!(read, DiskOutcome::Read(Ok(bytes)) if bytes == b"first"[..]));
    rig.write("a.png", b"second");
    let read = rig.request(DiskRequest::Read { path: path("a.png"), piece, stamp });
    assert!(matches!(read, DiskOutcome::Read(Err(fault)) if fault.kind == DiskFaultKind::Changed));
    let DiskOutcome::Hashed(hashed) = rig.request(DiskRequest::Hash(vec![(path("a.png"), stamp)]))
    else {
        panic!("no hash outcome");
    };
    assert_eq!(hashed[0].as_ref().unwrap_err().kind, DiskFaultKind::Changed);
}

#[test]
fn hashes_come_in_the_requested_order_whatever_the_sizes() {
    let mut rig = Rig::new();
    let sizes = [10, 300_000, 0, 70_000, 5];
    let files = sizes.map(|size| {
        let name = format!("{size}.png");
        rig.write(&name, &vec![7; size]);
        (path(&name), rig.stamp(&name).unwrap())
    });
    let DiskOutcome::Hashed(hashed) = rig.request(DiskRequest::Hash(files.to_vec())) else {
        panic!("no hash outcome");
    };
    let expected = sizes.map(|size| Ok(Content::of(&vec![7; size])));
    assert_eq!(hashed, expected);
}

#[test]
fn a_copy_returns_its_content() {
    let mut rig = Rig::new();
    rig.write("a.png", b"livery");
    let copied = rig.request(DiskRequest::Copy(StageId(1), path("a.png")));
    assert!(
        matches!(copied, DiskOutcome::Copied(Ok(content)) if content == Content::of(b"livery"))
    );
    let missing = rig.request(DiskRequest::Copy(StageId(2), path("b.png")));
    assert!(
        matches!(missing, DiskOutcome::Copied(Err(fault)) if fault.kind == DiskFaultKind::Missing)
    );
}

#[test]
fn dates_survive_conversion_in_both_directions() {
    let nanos = 1_650_000_000_987_654_321;
    let date = SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(nanos);
    assert_eq!(crate::clock::unix_time(date).as_nanos(), i64::try_from(nanos).unwrap());
}

/// The sender of a download's bytes, and the receiver of the credit.
struct Line {
    stage_queue: StageQueue,
    back: CreditReturn,
    given_back: std::sync::mpsc::Receiver<u64>,
}

impl Line {
    fn of(rig: &Rig) -> Self {
        let (give, given_back) = std::sync::mpsc::channel();
        let back: CreditReturn = Arc::new(move |bytes| give.send(bytes).unwrap());
        Self { stage_queue: rig.disk.stage_queue(), back, given_back }
    }

    fn send(&self, transfer: u32, offset: u64, bytes: &'static [u8], last: bool) {
        self.send_body(transfer, offset, Bytes::from_static(bytes).into(), last);
    }

    fn send_body(&self, transfer: u32, offset: u64, body: ChunkBody, last: bool) {
        let transfer = TransferId(transfer);
        let credit = Credit::new(body.len() as u64, &self.back);
        self.stage_queue.send_piece(Data { transfer, offset, last, body }, credit);
    }

    /// Waits for this many bytes of credit, and checks that there are no more.
    fn gets_back(&self, bytes: u64) {
        let mut sum = 0;
        while sum < bytes {
            sum += self.given_back.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
        }
        assert_eq!((sum, self.given_back.try_recv().ok()), (bytes, None));
    }
}

impl Rig {
    fn receive(&mut self, stage: StageId, whole: &[u8], transfer: u32) -> OpId {
        self.next += 1;
        let (content, transfer) = (Content::of(whole), TransferId(transfer));
        self.disk.request(OpId(self.next), DiskRequest::Receive { stage, content, transfer });
        OpId(self.next)
    }

    fn received(&mut self, expected: OpId) -> Result<(), DiskFault> {
        match self.outcomes.blocking_recv().unwrap() {
            (op, DiskOutcome::Received(result)) if op == expected => result,
            other => panic!("{other:?}"),
        }
    }

    fn parked(&mut self, stage: StageId) -> u64 {
        match self.request(DiskRequest::Park(stage)) {
            DiskOutcome::Parked(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn staged(&self) -> Vec<Vec<u8>> {
        self.tree().into_iter().map(|(_, bytes)| bytes).collect()
    }
}

#[test]
fn files_are_downloaded_whole_in_pieces_and_empty() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let op = rig.receive(StageId(1), b"livery", 10);
    line.send(10, 0, b"livery", true);
    assert_eq!(rig.received(op), Ok(()));

    let (a, b) =
        (rig.receive(StageId(2), b"two files", 11), rig.receive(StageId(3), b"at once", 12));
    line.send(11, 0, b"two ", false);
    line.send(12, 0, b"at ", false);
    line.send(11, 4, b"files", false);
    line.send(11, 9, b"", true);
    assert_eq!(rig.received(a), Ok(()));
    line.send(12, 3, b"once", true);
    assert_eq!(rig.received(b), Ok(()));

    let empty = rig.receive(StageId(4), b"", 13);
    line.send(13, 0, b"", true);
    assert_eq!(rig.received(empty), Ok(()));
    line.gets_back(6 + 9 + 7);

    let files = ["a.png", "b.png", "c.png", "d.png"].into_iter().zip(1..).map(|(name, stage)| {
        let (stage, path) = (StageId(stage), path(name));
        InstallFile { stage, path, mtime: None, replaces: None, keep_as: None }
    });
    assert!(rig.install(files.collect(), &[]).iter().all(Result::is_ok));
    assert_eq!(rig.staged(), [&b"livery"[..], b"two files", b"at once", b""]);
}

#[test]
fn a_large_file_is_downloaded() {
    static LARGE: [u8; 3 << 20] = [7; 3 << 20];
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let op = rig.receive(StageId(1), &LARGE, 1);
    for (number, piece) in LARGE.chunks(1 << 20).enumerate() {
        line.send(1, (number << 20) as u64, piece, number == 2);
    }
    assert_eq!(rig.received(op), Ok(()));
    assert!(rig.staged() == [LARGE.to_vec()]);
}

#[test]
fn a_corrupt_download_is_refused_and_removed() {
    type Pieces = &'static [(u64, &'static [u8], bool)];
    let cases: [(&str, Pieces); 4] = [
        ("wrong bytes", &[(0, b"liv", false), (3, b"erX", true)]),
        ("gap: expected", &[(0, b"liv", false), (4, b"ry", true)]),
        ("more bytes than", &[(0, b"liv", false), (3, b"ery!", false), (7, b"!", true)]),
        ("it ended after 3", &[(0, b"liv", true)]),
    ];
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    for ((text, pieces), number) in cases.into_iter().zip(1..) {
        let op = rig.receive(StageId(u64::from(number)), b"livery", number);
        for (offset, bytes, last) in pieces {
            line.send(number, *offset, bytes, *last);
        }
        let fault = rig.received(op).unwrap_err();
        assert_eq!(fault.kind, DiskFaultKind::Corrupt);
        assert!(fault.message.contains(text), "{fault}");
        line.gets_back(pieces.iter().map(|(_, bytes, _)| bytes.len() as u64).sum());
        assert_eq!(rig.staged(), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_compressed_download_is_unpacked_and_a_damaged_one_is_refused() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let whole = b"livery ".repeat(100);
    let frame = Bytes::copy_from_slice(Encoder::default().pack(&whole[7..], 693).unwrap());
    let op = rig.receive(StageId(1), &whole, 1);
    line.send(1, 0, b"livery ", false);
    line.send_body(1, 7, ChunkBody::zstd(frame.slice(..frame.len() - 1)), true);
    assert_eq!(rig.received(op).unwrap_err().kind, DiskFaultKind::Corrupt);
    line.gets_back(700);
    let op = rig.receive(StageId(2), &whole, 2);
    line.send(2, 0, b"livery ", false);
    line.send_body(2, 7, ChunkBody::zstd(frame), true);
    assert_eq!(rig.received(op), Ok(()));
    line.gets_back(700);
    assert_eq!(rig.staged(), [whole]);
}

#[test]
fn a_file_that_cannot_be_written_is_reported_once() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.write(".tmp", b"the driver's own");
    let op = rig.receive(StageId(1), b"livery", 1);
    line.send(1, 0, b"liv", false);
    line.send(1, 3, b"ery", true);
    assert_eq!(rig.received(op).unwrap_err().kind, DiskFaultKind::Other);
    line.gets_back(6);
    assert_eq!(rig.parked(StageId(1)), 0);
}

#[test]
fn a_parked_download_resumes_where_it_stopped() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.receive(StageId(1), b"livery", 10);
    line.send(10, 0, b"liv", false);
    assert_eq!(rig.parked(StageId(1)), 3);
    line.send(10, 3, b"late", false);
    line.gets_back(7);

    let op = rig.receive(StageId(1), b"livery", 10);
    line.send(10, 3, b"ery", true);
    assert_eq!(rig.received(op), Ok(()));
    assert_eq!(rig.staged(), [b"livery"]);
    assert_eq!(rig.parked(StageId(1)), 0, "it is whole, and that was said before");
}

#[test]
fn another_content_starts_over_and_a_discarded_one_is_removed() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.receive(StageId(1), b"livery", 10);
    line.send(10, 0, b"liv", false);
    assert_eq!(rig.parked(StageId(1)), 3);
    let op = rig.receive(StageId(1), b"other", 11);
    line.send(11, 0, b"other", true);
    assert_eq!(rig.received(op), Ok(()));
    assert_eq!(rig.staged(), [b"other"]);

    rig.receive(StageId(2), b"livery", 12);
    line.send(12, 0, b"liv", false);
    rig.request(DiskRequest::Discard(StageId(2)));
    line.send(12, 3, b"ery", true);
    line.gets_back(3 + 5 + 3 + 3);
    assert_eq!(rig.staged(), [b"other"]);
}

#[test]
fn an_unexpected_piece_returns_its_credit() {
    let rig = Rig::new();
    let line = Line::of(&rig);
    line.send(1, 0, b"livery", true);
    line.gets_back(6);
    assert_eq!(rig.staged(), Vec::<Vec<u8>>::new());
}

#[test]
fn an_incomplete_download_is_removed_at_the_end() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    rig.receive(StageId(1), b"livery", 1);
    rig.receive(StageId(2), b"livery", 2);
    line.send(1, 0, b"liv", false);
    line.send(2, 0, b"liv", false);
    assert_eq!(rig.parked(StageId(2)), 3);
    let Rig { root, disk, .. } = rig;
    // The link may still have a clone of the queue.
    disk.finish();
    line.send(1, 3, b"ery", true);
    line.gets_back(3 + 3 + 3);
    assert_eq!(fs::read_dir(root.path().join(".tmp")).unwrap().count(), 0);
}

#[test]
fn staged_files_are_removed_when_the_client_stops() {
    let mut rig = Rig::new();
    let line = Line::of(&rig);
    let op = rig.receive(StageId(1), b"whole", 1);
    line.send(1, 0, b"whole", true);
    assert_eq!(rig.received(op), Ok(()));
    rig.write(".tmp/another-1.part", b"of another run");
    let Rig { disk, root, .. } = rig;
    disk.finish();
    let left = fs::read_dir(root.path().join(".tmp")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["another-1.part"]);
}

impl Rig {
    fn retire(
        &mut self,
        files: &[(&str, Stamp)],
        clear: &[&str],
    ) -> Vec<Result<String, DiskFault>> {
        let date = UnixTime::from_nanos(1_700_000_000_000_000_000);
        let files = files.iter().map(|(at, stamp)| (path(at), *stamp)).collect();
        let clear = clear.iter().map(PathBuf::from).collect();
        match self.request(DiskRequest::Retire { date, files, clear }) {
            DiskOutcome::Retired(results) => results,
            other => panic!("{other:?}"),
        }
    }

    fn is_there(&self, path: &str) -> bool {
        fs::symlink_metadata(self.root.path().join(path)).is_ok()
    }
}

#[test]
fn a_retired_livery_is_moved_to_the_backup_with_its_folders() {
    let mut rig = Rig::new();
    for file in ["Old/decals.png", "Old/more/sponsors.png", "Other/decals.png"] {
        rig.write(file, file.as_bytes());
    }
    let stamps = ["Old/decals.png", "Old/more/sponsors.png"].map(|at| (at, rig.stamp(at).unwrap()));
    let backups: Vec<_> = rig.retire(&stamps, &[]).into_iter().map(Result::unwrap).collect();
    for ((file, stamp), backup) in stamps.iter().zip(&backups) {
        assert!(backup.starts_with(".backup/") && backup.ends_with(file), "{backup}");
        assert_eq!(rig.read(backup).as_deref(), Some(file.as_bytes()));
        assert_eq!(rig.stamp(backup), Some(*stamp));
    }
    assert!(!rig.is_there("Old"));
    assert_eq!(rig.read("Other/decals.png").as_deref(), Some(&b"Other/decals.png"[..]));
}

#[test]
fn a_changed_or_removed_file_is_not_retired() {
    let mut rig = Rig::new();
    rig.write("Old/decals.png", b"old");
    rig.write("Old/decals_0.dds", b"cache");
    rig.write("Old/gone.png", b"gone");
    let stamps = ["Old/decals.png", "Old/gone.png"].map(|at| (at, rig.stamp(at).unwrap()));
    rig.write("Old/decals.png", b"another");
    fs::remove_file(rig.root.path().join("Old/gone.png")).unwrap();
    let results = rig.retire(&stamps, &["Old/decals_0.dds"]);
    for result in results {
        assert_eq!(result.unwrap_err().kind, DiskFaultKind::Changed);
    }
    // The picture was not retired, so its cache stays.
    let expected = [("Old/decals.png", &b"another"[..]), ("Old/decals_0.dds", b"cache")];
    assert_eq!(rig.tree(), expected.map(|(path, bytes)| (path.to_owned(), bytes.to_owned())));
}

#[test]
fn the_games_cache_of_a_retired_picture_is_moved_too() {
    let mut rig = Rig::new();
    rig.write("Old/decals.png", b"old");
    rig.write("Old/decals_0.dds", b"cache");
    let stamp = rig.stamp("Old/decals.png").unwrap();
    let backup =
        rig.retire(&[("Old/decals.png", stamp)], &["Old/decals_0.dds"])[0].clone().unwrap();
    let cache = backup.replace("decals.png", "decals_0.dds");
    assert_eq!(rig.read(&cache).as_deref(), Some(&b"cache"[..]));
    assert!(!rig.is_there("Old"));
}

#[test]
fn a_folder_that_is_not_empty_stays_and_so_does_the_root() {
    let mut rig = Rig::new();
    rig.write("Old/decals.png", b"old");
    rig.write("Old/paint.psd", b"own");
    rig.write("loose.json", b"loose");
    let stamps = ["Old/decals.png", "loose.json"].map(|at| (at, rig.stamp(at).unwrap()));
    assert!(rig.retire(&stamps, &[]).iter().all(Result::is_ok));
    assert_eq!(rig.read("Old/paint.psd").as_deref(), Some(&b"own"[..]));
    assert!(!rig.is_there("Old/decals.png") && !rig.is_there("loose.json"));
    assert!(rig.root.path().is_dir());
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_to_a_retired_file() {
    let mut rig = Rig::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("decals.png"), "outside").unwrap();
    let stamp = stamp_at(&outside.path().join("decals.png")).unwrap().unwrap();
    std::os::unix::fs::symlink(outside.path(), rig.root.path().join("Linked")).unwrap();
    rig.write("Old/other.png", b"old");
    std::os::unix::fs::symlink(
        outside.path().join("decals.png"),
        rig.root.path().join("Old/decals.png"),
    )
    .unwrap();
    let results = rig.retire(&[("Linked/decals.png", stamp), ("Old/decals.png", stamp)], &[]);
    assert!(results.iter().all(Result::is_err), "{results:?}");
    assert_eq!(fs::read(outside.path().join("decals.png")).unwrap(), b"outside");
    assert!(rig.is_there("Old/decals.png") && !rig.is_there(".backup"));
}
