//! Tests of what retiring a livery does to a real folder.

use super::*;

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
    let stamp = Folder::open(outside.path()).unwrap().stamp(Path::new("decals.png"));
    let stamp = stamp.unwrap().unwrap();
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
