//! Tests with somebody who puts links and other files in the places of those that are being installed.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    super::install::{install, retire},
    *,
};

/// A root, and a folder beside it that nobody may change.
struct Pair {
    root: tempfile::TempDir,
    outside: tempfile::TempDir,
    stages: Stages,
    next: u64,
}

impl Pair {
    fn new() -> Self {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let stages = Stages::new(root.path());
        Self { root, outside, stages, next: 0 }
    }

    fn file(&mut self, at: &str, bytes: &[u8], replaces: Option<Stamp>) -> InstallFile {
        use std::io::Write as _;
        self.next += 1;
        let stage = StageId(self.next);
        self.stages.create(stage).unwrap().write_all(bytes).unwrap();
        InstallFile { stage, path: path(at), mtime: None, replaces, keep_as: None }
    }

    fn stamp(&self, path: &str) -> Option<Stamp> {
        Folder::open(self.root.path()).unwrap().stamp(Path::new(path)).ok().flatten()
    }

    /// Returns a date that no earlier call returned, so that each round has a backup set of its own.
    fn date(&mut self) -> UnixTime {
        self.next += 1;
        let seconds = 1_700_000_000 + i64::try_from(self.next).unwrap();
        UnixTime::from_nanos(seconds * 1_000_000_000)
    }

    /// Returns the contents of all files in the backup.
    fn backups(&self) -> Vec<Vec<u8>> {
        let walk = walkdir::WalkDir::new(self.root.path().join(".backup")).into_iter().flatten();
        let files = walk.filter(|entry| entry.file_type().is_file());
        files.map(|entry| fs::read(entry.path()).unwrap()).collect()
    }
}

fn exchange(one: &Path, other: &Path) {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

#[test]
fn a_folder_that_becomes_a_link_is_not_followed() {
    let mut pair = Pair::new();
    let (folder, link) = (pair.root.path().join("T"), pair.root.path().join("U"));
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(pair.outside.path(), &link).unwrap();
    for name in ["a.png", "b.png"] {
        fs::write(folder.join(name), "inside").unwrap();
        fs::write(pair.outside.path().join(name), "secret").unwrap();
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let swap = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                exchange(&folder, &link);
            }
        });
        for round in 0..500 {
            let stamp = pair.stamp("T/a.png");
            let new = pair.file(&format!("T/{round}.png"), b"new", None);
            let old = pair.file("T/a.png", b"inside", stamp);
            let date = pair.date();
            install(&pair.stages, date, vec![new, old], &[PathBuf::from("T/b.png")]);
            if let Some(stamp) = pair.stamp("T/b.png") {
                let date = pair.date();
                retire(&pair.stages, date, &[(path("T/b.png"), stamp)], &[]);
            }
            for name in ["T/a.png", "T/b.png"] {
                if let Some(stamp) = pair.stamp(name) {
                    let hashed = inspect_all(pair.root.path(), &[(path(name), stamp)]);
                    let of_outside =
                        |(content, _): &(Content, _)| *content == Content::of(b"secret");
                    assert!(!hashed.iter().flatten().any(of_outside), "read outside");
                    pair.next += 1;
                    let below = Path::new(name);
                    if let Ok((copied, _)) = pair.stages.copy_below(StageId(pair.next), below) {
                        assert!(copied != Content::of(b"secret"), "copied from outside");
                    }
                }
            }
        }
        ended.store(true, Ordering::Relaxed);
        swap.join().unwrap();
    });
    let names = fs::read_dir(pair.outside.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(["a.png".into(), "b.png".into()]));
    for name in ["a.png", "b.png"] {
        assert_eq!(fs::read(pair.outside.path().join(name)).unwrap(), b"secret");
    }
    assert!(pair.backups().iter().all(|bytes| bytes != b"secret"), "outside files in the backup");
}

/// Saves the file all the time, sometimes with another stamp, and collects what each save replaces.
fn save_always(target: &Path, outside: &Path, ended: &AtomicBool) -> Vec<Vec<u8>> {
    let (mut saved, mine) = (Vec::new(), outside.join("mine"));
    while !ended.load(Ordering::Relaxed) {
        let number = saved.len();
        let text = format!("{number:08}{}", if number % 4 == 0 { "." } else { "" }).into_bytes();
        fs::write(&mine, &text).unwrap();
        filetime::set_file_mtime(&mine, FileTime::from_unix_time(1_600_000_000, 0)).unwrap();
        saved.push(text);
        // While it is retired, there is nothing to exchange it with.
        let put = |how| renameat_with(CWD, &mine, CWD, target, how);
        while put(RenameFlags::EXCHANGE).is_err() && put(RenameFlags::NOREPLACE).is_err() {}
        if mine.exists() {
            fs::rename(&mine, outside.join(format!("out{number}"))).unwrap();
        }
    }
    saved
}

/// Returns the saves that are neither in the folder nor in its backup, nor were replaced by the next save.
fn lost_saves(work: impl Fn(&mut Pair)) -> Vec<String> {
    let mut pair = Pair::new();
    let target = pair.root.path().join("T/a.png");
    fs::create_dir(pair.root.path().join("T")).unwrap();
    fs::write(&target, "first").unwrap();
    // The folder of a retired file stays, so that there is a place for the next save.
    fs::write(pair.root.path().join("T/stays.psd"), "").unwrap();
    let (ended, outside) = (AtomicBool::new(false), pair.outside.path().to_owned());
    let saved = thread::scope(|scope| {
        let saves = scope.spawn(|| save_always(&target, &outside, &ended));
        work(&mut pair);
        ended.store(true, Ordering::Relaxed);
        saves.join().unwrap()
    });
    let mut found: BTreeSet<_> = pair.backups().into_iter().collect();
    found.extend(fs::read(&target).ok());
    found.extend(fs::read_dir(&outside).unwrap().map(|at| fs::read(at.unwrap().path()).unwrap()));
    let lost = saved.into_iter().filter(|text| !found.contains(text));
    lost.map(|text| String::from_utf8(text).unwrap()).collect()
}

#[test]
fn a_save_at_the_moment_of_an_install_is_kept() {
    let lost = lost_saves(|pair| {
        let mut outcomes = (0, 0);
        for _ in 0..400 {
            let Some(stamp) = pair.stamp("T/a.png") else { continue };
            let file = pair.file("T/a.png", b"from the league", Some(stamp));
            let date = pair.date();
            match &install(&pair.stages, date, vec![file], &[]).0[0] {
                Ok(_) => outcomes.0 += 1,
                Err(_) => outcomes.1 += 1,
            }
        }
        assert!(outcomes.0 > 0 && outcomes.1 > 0, "{outcomes:?}");
    });
    assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
}

#[test]
fn a_save_at_the_moment_of_a_retirement_is_kept() {
    let lost = lost_saves(|pair| {
        for _ in 0..400 {
            let Some(stamp) = pair.stamp("T/a.png") else { continue };
            let date = pair.date();
            retire(&pair.stages, date, &[(path("T/a.png"), stamp)], &[]);
        }
    });
    assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
}

#[test]
fn a_backup_does_not_change_with_another_name_of_its_file() {
    for may_exchange in [true, false] {
        let mut pair = Pair::new();
        pair.stages.may_exchange = may_exchange;
        fs::create_dir(pair.root.path().join("T")).unwrap();
        for name in ["a.png", "b.png"] {
            let (at, other) =
                (pair.root.path().join("T").join(name), pair.outside.path().join(name));
            fs::write(&at, "old").unwrap();
            fs::hard_link(&at, &other).unwrap();
        }
        let stamps = ["T/a.png", "T/b.png"].map(|name| pair.stamp(name).unwrap());
        let file = pair.file("T/a.png", b"new", Some(stamps[0]));
        let date = pair.date();
        install(&pair.stages, date, vec![file], &[]).0.pop().unwrap().unwrap();
        retire(&pair.stages, date, &[(path("T/b.png"), stamps[1])], &[]).0.pop().unwrap().unwrap();
        for name in ["a.png", "b.png"] {
            fs::write(pair.outside.path().join(name), "edited").unwrap();
        }
        assert_eq!(pair.backups(), [b"old", b"old"]);
        assert_eq!(fs::read(pair.root.path().join("T/a.png")).unwrap(), b"new");
    }
}

#[test]
fn a_disk_that_cannot_exchange_names_replaces_files_too() {
    let mut pair = Pair::new();
    pair.stages.may_exchange = false;
    fs::create_dir(pair.root.path().join("T")).unwrap();
    fs::write(pair.root.path().join("T/a.png"), "old").unwrap();
    let stamp = pair.stamp("T/a.png");
    let file = pair.file("T/a.png", b"from the league", stamp);
    let date = pair.date();
    install(&pair.stages, date, vec![file], &[]).0.pop().unwrap().unwrap();
    assert_eq!(fs::read(pair.root.path().join("T/a.png")).unwrap(), b"from the league");
    assert_eq!(pair.backups(), [b"old"]);
    let file = pair.file("T/a.png", b"newer", stamp);
    let fault = install(&pair.stages, date, vec![file], &[]).0.pop().unwrap().unwrap_err();
    assert_eq!(fault.kind, DiskFaultKind::Changed);
}
