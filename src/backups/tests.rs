//! Tests of backup sets in real folders.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use filetime::FileTime;
use liverysync_core::{
    backups::{Bounds, SetName, Wanted},
    hash::ContentHash,
};
use tempfile::TempDir;

use super::*;
use crate::clock::unix_time;

const OLD: &str = "20200101_120000";
const NEW: &str = "20200102_120000_2";

/// Makes a liveries folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    files.iter().for_each(|(path, text)| write(&root, path, text));
    root
}

fn write(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    filetime::set_file_mtime(path, FileTime::from_unix_time(1_500_000_000, 0)).unwrap();
}

/// Returns the files in place with their contents.
fn in_place(root: &TempDir) -> Vec<(String, String)> {
    files(root).into_iter().filter(|(path, _)| !path.starts_with(".backup/")).collect()
}

/// Returns the files of all backups with their contents.
fn in_backups(root: &TempDir) -> Vec<(String, String)> {
    let below =
        |(path, text): (String, String)| Some((path.strip_prefix(".backup/")?.to_owned(), text));
    files(root).into_iter().filter_map(below).collect()
}

fn files(root: &TempDir) -> Vec<(String, String)> {
    let entries = walkdir::WalkDir::new(root.path()).sort_by_file_name().into_iter();
    let entries = entries.map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let named = entries.map(|entry| {
        let below = entry.path().strip_prefix(root.path()).unwrap();
        (below.to_string_lossy().replace('\\', "/"), fs::read_to_string(entry.path()).unwrap())
    });
    named.collect()
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn open(root: &TempDir) -> Backups {
    Backups::open(root.path()).unwrap()
}

fn set(name: &str) -> SetName {
    name.parse().unwrap()
}

fn paths(files: &[RestoredFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn sets_are_listed_newest_first() {
    let root = folder(&[
        ("T/a.png", "in place"),
        (".backup/20200101_120000/T/a.png", "12345"),
        (".backup/20200101_120000/T/b.png", "1"),
        (".backup/20200101_120000/Équipe/a.png", "1"),
        (".backup/20200102_120000_2/T/a.png", "123"),
        (".backup/20200102_120000_10/t/a.png", "1"),
        (".backup/20200230_120000/T/a.png", "on no day"),
        (".backup/mine/T/a.png", "no set"),
        (".backup/20200103_120000", "no folder"),
    ]);
    let told = |wanted: &Wanted| -> Vec<_> {
        let sets = open(&root).list(wanted).into_iter();
        sets.map(|one| (one.set.to_string(), one.liveries.join(","), one.files, one.bytes))
            .collect()
    };
    let row = |name: &str, liveries: &str, files, bytes| {
        (name.to_owned(), liveries.to_owned(), files, bytes)
    };
    let ten = row("20200102_120000_10", "t", 1, 1);
    let new = row(NEW, "T", 1, 3);
    assert_eq!(told(&Wanted::default()), [ten.clone(), new.clone(), row(OLD, "T,Équipe", 3, 7)]);
    assert_eq!(told(&Wanted::new(["T"])), [ten, new, row(OLD, "T", 2, 6)]);
    assert_eq!(told(&Wanted::new(["équipe/a.PNG"])), [row(OLD, "Équipe", 1, 1)]);
    assert_eq!(told(&Wanted::new(["nobody"])), []);
}

#[test]
fn a_folder_may_have_no_backups_and_must_exist() {
    let root = folder(&[]);
    assert!(open(&root).list(&Wanted::default()).is_empty());
    let error = Backups::open(&root.path().join("none")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the folder "), "{error}");
}

#[test]
fn a_set_is_compared_with_the_files_in_place() {
    let root = folder(&[
        ("T/same.png", "same"),
        ("t/another.png", "12345"),
        ("T/longer.png", "longer"),
        ("T/folder.png/x.png", "x"),
        (".backup/20200101_120000/T/same.png", "same"),
        (".backup/20200101_120000/T/another.png", "54321"),
        (".backup/20200101_120000/T/longer.png", "x"),
        (".backup/20200101_120000/T/folder.png", "x"),
        (".backup/20200101_120000/T/gone.tga", "x"),
        (".backup/20200101_120000/T/no type", "x"),
    ]);
    let shown = open(&root).show(&set(OLD), &Wanted::default()).unwrap();
    let now: Vec<_> = shown.files.iter().map(|file| (file.path.as_str(), file.now)).collect();
    let expected = [
        ("T/another.png", CurrentFile::Another),
        ("T/folder.png", CurrentFile::Another),
        ("T/gone.tga", CurrentFile::Nothing),
        ("T/longer.png", CurrentFile::Another),
        ("T/same.png", CurrentFile::Same),
    ];
    assert_eq!(now, expected);
    assert_eq!(shown.files[4].sha256, ContentHash::of(b"same"));
    assert_eq!(shown.left_alone[0].path, "T/no type");
    let one = open(&root).show(&set(OLD), &Wanted::new(["t/GONE.tga"])).unwrap();
    assert_eq!((one.files.len(), one.left_alone.len()), (1, 0));
}

#[test]
fn a_missing_set_or_name_is_refused_before_anything_changes() {
    let root = folder(&[("T/a.png", "new"), (".backup/20200101_120000/T/a.png", "old")]);
    let before = files(&root);
    let restore = |name, wanted: &[&str]| {
        open(&root)
            .restore(&set(name), &Wanted::new(wanted.to_vec()), false)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(restore(NEW, &[]), format!("there is no backup set {NEW}"));
    let message = format!("nothing in the backup set {OLD} is called `U\\u{{1b}}`");
    assert_eq!(restore(OLD, &["T", "U\u{1b}"]), message);
    assert_eq!(files(&root), before);
}

#[test]
fn a_livery_is_restored_and_the_files_it_replaces_are_kept() {
    let root = folder(&[
        ("Team/decals.png", "new paint"),
        ("Team/decals.json", "same"),
        ("Team/decals_0.dds", "cache of the new paint"),
        ("Team/decals_1.dds", "another cache"),
        ("Other/decals.png", "new"),
        (".backup/20200101_120000/team/decals.png", "old paint"),
        (".backup/20200101_120000/team/decals.json", "same"),
        (".backup/20200101_120000/team/Decals_0.dds", "cache of the old paint"),
        (".backup/20200101_120000/team/sub/more.png", "not there any more"),
        (".backup/20200101_120000/Other/decals.png", "old"),
    ]);
    let before = in_backups(&root);
    let dry = open(&root).restore(&set(OLD), &Wanted::new(["TEAM"]), true).unwrap();
    assert_eq!(in_backups(&root), before, "a dry run changes nothing");
    assert_eq!(in_place(&root)[0], ("Other/decals.png".to_owned(), "new".to_owned()));

    let done = open(&root).restore(&set(OLD), &Wanted::new(["TEAM"]), false).unwrap();
    assert_eq!(
        in_place(&root),
        owned(&[
            ("Other/decals.png", "new"),
            ("Team/decals.json", "same"),
            ("Team/decals.png", "old paint"),
            ("Team/decals_0.dds", "cache of the old paint"),
            ("Team/sub/more.png", "not there any more"),
        ])
    );
    assert_eq!(
        paths(&done.restored),
        ["Team/decals.png", "Team/decals_0.dds", "Team/sub/more.png"]
    );
    assert_eq!(paths(&dry.restored), paths(&done.restored));
    assert_eq!((&*done.moved_away, &*done.same), (&*dry.moved_away, &*dry.same));
    assert_eq!(done.moved_away, ["Team/decals_1.dds"]);
    assert_eq!(done.same, ["team/decals.json"]);
    assert_eq!(done.failed, []);

    let after = in_backups(&root);
    assert!(before.iter().all(|file| after.contains(file)), "nothing leaves the set: {after:?}");
    let replaced: Vec<_> = after.iter().filter(|file| !before.contains(file)).collect();
    let texts: Vec<_> = replaced.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["new paint", "cache of the new paint", "another cache"]);
    let backup = done.restored[0].backup.as_ref().unwrap();
    assert_eq!(fs::read_to_string(root.path().join(backup)).unwrap(), "new paint");
    let (made, _) = replaced[0].0.split_once('/').unwrap();
    assert!(made.parse::<SetName>().is_ok(), "{made}");

    let mtime = fs::metadata(root.path().join("Team/decals.png")).unwrap();
    assert_eq!(FileTime::from_last_modification_time(&mtime).unix_seconds(), 1_500_000_000);
    assert!(!root.path().join(".tmp").exists());

    // And the other way round.
    let done = open(&root).restore(&set(made), &Wanted::default(), false).unwrap();
    assert_eq!(done.restored.len(), 3);
    assert_eq!(in_place(&root)[2].1, "new paint");
}

#[test]
fn a_livery_is_restored_whole_or_not_at_all() {
    let root = folder(&[
        ("T/sub.png", "a file"),
        ("T/a.png", "new"),
        ("U/a.png", "new"),
        (".backup/20200101_120000/T/a.png", "old"),
        (".backup/20200101_120000/T/sub.png/b.png", "old"),
        (".backup/20200101_120000/U/a.png", "old"),
        (".backup/20200101_120000/U/readme", "of no type"),
        (".backup/20200101_120000/U/.tmp/a.png", "ours"),
    ]);
    let mut done = open(&root).restore(&set(OLD), &Wanted::default(), false).unwrap();
    assert_eq!(paths(&done.restored), ["U/a.png"]);
    done.failed.sort_by(|a, b| a.path.cmp(&b.path));
    let failed: Vec<_> = done.failed.iter().map(|one| one.path.as_str()).collect();
    let expected = ["T/a.png", "T/sub.png/b.png", "U/.tmp/a.png", "U/readme"];
    assert_eq!(failed, expected);
    let texts: Vec<_> = in_place(&root).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["new", "a file", "old"]);

    let done = open(&root).restore(&set(OLD), &Wanted::new(["T/a.png"]), false).unwrap();
    assert_eq!((paths(&done.restored), done.failed.len()), (vec!["T/a.png"], 0));
}

#[test]
fn a_backup_that_changes_meanwhile_is_not_restored() {
    let root = folder(&[
        ("T/a.png", "new"),
        ("T/b.png", "new"),
        (".backup/20200101_120000/T/a.png", "old"),
        (".backup/20200101_120000/T/b.png", "old"),
    ]);
    let backups = open(&root);
    fs::write(root.path().join(".backup/20200101_120000/T/a.png"), "changed since").unwrap();
    let done = backups.restore(&set(OLD), &Wanted::default(), false).unwrap();
    assert_eq!((done.restored.len(), done.failed.len()), (0, 2));
    assert_eq!(in_place(&root), owned(&[("T/a.png", "new"), ("T/b.png", "new")]));
}

fn older_than(days: u64) -> PruneOptions {
    let age = Some(Duration::from_secs(days * 86_400));
    PruneOptions { bounds: Bounds { age, bytes: None }, ..PruneOptions::default() }
}

fn at_most(bytes: u64) -> PruneOptions {
    let bounds = Bounds { age: None, bytes: Some(bytes) };
    PruneOptions { bounds, ..PruneOptions::default() }
}

#[test]
fn old_backups_are_deleted_except_last_copies() {
    let now = sets::first_name(unix_time(SystemTime::now())).unwrap();
    let fresh = format!(".backup/{now}/T/a.png");
    let root = folder(&[
        ("T/a.png", "in place"),
        ("T/other name.zip", "elsewhere"),
        (".backup/20200101_120000/T/a.png", "in place"),
        (".backup/20200101_120000/T/b.png", "elsewhere"),
        (".backup/20200101_120000/U/a.png", "twice"),
        (".backup/20200102_120000_2/U/a.png", "twice"),
        (".backup/20200102_120000_2/U/b.png", "only here"),
        (".backup/mine/T/a.png", "in place"),
        (&fresh, "in place"),
    ]);
    fs::create_dir_all(root.path().join(".backup/20200103_120000/T/empty")).unwrap();
    let before = files(&root);
    let dry = PruneOptions { dry_run: true, ..older_than(30) };
    let foreseen = open(&root).prune(&dry).unwrap();
    assert_eq!(files(&root), before, "a dry run changes nothing");

    let done = open(&root).prune(&older_than(30)).unwrap();
    let gone: Vec<_> =
        done.removed.iter().map(|file| format!("{}/{}", file.set, file.path)).collect();
    let expected =
        ["20200101_120000/T/a.png", "20200101_120000/T/b.png", "20200101_120000/U/a.png"];
    assert_eq!(gone, expected);
    assert_eq!((&foreseen.removed, foreseen.left), (&done.removed, done.left));
    assert_eq!(done.last_copies, FileTotals { files: 2, bytes: 14 });
    assert_eq!(done.left, FileTotals { files: 3, bytes: 22 });
    let fresh = fresh.strip_prefix(".backup/").unwrap();
    let mut left = owned(&[
        ("20200102_120000_2/U/a.png", "twice"),
        ("20200102_120000_2/U/b.png", "only here"),
        (fresh, "in place"),
        ("mine/T/a.png", "in place"),
    ]);
    left.sort();
    assert_eq!(in_backups(&root), left);
    for folder in ["20200101_120000", "20200103_120000"] {
        assert!(!root.path().join(".backup").join(folder).exists(), "{folder} is empty and stays");
    }
    assert!(open(&root).prune(&older_than(30)).unwrap().removed.is_empty());
}

#[test]
fn the_oldest_are_deleted_until_the_rest_is_small_enough() {
    let now = sets::first_name(unix_time(SystemTime::now())).unwrap();
    let fresh = format!(".backup/{now}/T/a.png");
    let root = folder(&[
        ("T/a.png", "1234"),
        (".backup/20200101_120000/T/a.png", "1234"),
        (".backup/20200102_120000_2/T/a.png", "1234"),
        (&fresh, "1234"),
    ]);
    let done = open(&root).prune(&at_most(8)).unwrap();
    assert_eq!((done.removed.len(), done.removed[0].set.clone()), (1, set(OLD)));
    assert_eq!((done.fresh, done.left), (FileTotals::default(), FileTotals { files: 2, bytes: 8 }));
    let done = open(&root).prune(&at_most(0)).unwrap();
    assert_eq!((done.removed.len(), done.fresh), (1, FileTotals { files: 1, bytes: 4 }));
    assert_eq!(in_backups(&root), owned(&[(fresh.strip_prefix(".backup/").unwrap(), "1234")]));
}

#[test]
fn contents_that_are_kept_elsewhere_may_be_deleted() {
    let root = folder(&[(".backup/20200101_120000/T/a.png", "only here")]);
    assert_eq!(open(&root).prune(&at_most(0)).unwrap().last_copies.files, 1);
    let elsewhere = [Content::of(b"only here")].into();
    let done = open(&root).prune(&PruneOptions { elsewhere, ..at_most(0) }).unwrap();
    assert_eq!((done.removed.len(), done.left), (1, FileTotals::default()));
    assert!(in_backups(&root).is_empty());
}

#[test]
fn a_backup_that_has_changed_is_left_alone() {
    let root = folder(&[("T/a.png", "1234"), (".backup/20200101_120000/T/a.png", "1234")]);
    let backups = open(&root);
    fs::write(root.path().join(".backup/20200101_120000/T/a.png"), "4321").unwrap();
    let done = backups.prune(&at_most(0)).unwrap();
    assert_eq!((done.removed.len(), done.left_alone.len()), (0, 1));
    assert_eq!(done.left_alone[0].path, "20200101_120000/T/a.png");
    assert_eq!(in_backups(&root)[0].1, "4321");
}

#[cfg(unix)]
#[test]
fn links_are_neither_followed_nor_removed() {
    use std::os::unix::fs::symlink;

    let outside = folder(&[("a.png", "outside"), ("T/a.png", "outside")]);
    let root = folder(&[("T/a.png", "outside"), (".backup/20200101_120000/T/a.png", "outside")]);
    let link = |at: &str, to: &Path| symlink(to, root.path().join(at)).unwrap();
    link(".backup/20200101_120000/T/b.png", &outside.path().join("a.png"));
    link(".backup/20200101_120000/U", &outside.path().join("T"));
    link(".backup/20200102_120000", outside.path());
    let backups = open(&root);
    assert_eq!(backups.list(&Wanted::default()).len(), 1);
    let done = backups.prune(&at_most(0)).unwrap();
    assert_eq!((done.removed.len(), done.left), (1, FileTotals::default()));
    let restored = open(&root).restore(&set(OLD), &Wanted::default(), false).unwrap();
    assert_eq!((restored.restored.len(), restored.failed.len()), (0, 2));
    assert_eq!(files(&outside).len(), 2);
    for path in ["20200101_120000/T/b.png", "20200101_120000/U", "20200102_120000"] {
        let found = fs::symlink_metadata(root.path().join(".backup").join(path));
        assert!(found.is_ok_and(|found| found.is_symlink()), "{path} is gone");
    }

    fs::rename(root.path().join(".backup"), outside.path().join("moved")).unwrap();
    link(".backup", &outside.path().join("moved"));
    assert!(Backups::open(root.path()).is_err());
}
