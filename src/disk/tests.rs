//! Tests of what each disk request does to a real folder.

mod downloads;
mod respell;
mod retire;
#[cfg(target_os = "linux")]
mod swapped;

use crate::credit::{Credit, CreditReturn};
use std::{fs, time::SystemTime};

use filetime::FileTime;
use liverysync_core::{
    client::{InstallFile, Installed},
    hash::Content,
    inspect::Inspection,
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
        Folder::open(self.root.path()).unwrap().stamp(Path::new(path)).unwrap()
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

    let stamp = Folder::open(outside.path()).unwrap().stamp(Path::new("a.png")).unwrap().unwrap();
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
    rig.write(".backup/0-1.copy", b"half a backup");
    rig.write(".backup/20200101_120000/T/a.copy", b"a backup");
    rig.request(DiskRequest::Sweep);
    assert_eq!(rig.tree().len(), 1, "only the copy that a crash left is removed");
    fs::remove_dir_all(rig.root.path().join(".backup")).unwrap();
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
    let expected = sizes.map(|size| {
        let bytes = vec![7; size];
        Ok((Content::of(&bytes), Inspection::of("a.png", &bytes)))
    });
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
