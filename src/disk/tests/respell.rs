//! Tests of renames to another spelling, in a real folder.

use super::*;

impl Rig {
    fn respell(&mut self, files: &[(&str, &str)]) -> Vec<Result<(), DiskFaultKind>> {
        let files = files.iter().map(|(from, to)| (path(from), path(to))).collect();
        match self.request(DiskRequest::Respell(files)) {
            DiskOutcome::Respelled(results) => {
                results.into_iter().map(|result| result.map_err(|fault| fault.kind)).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_folder_is_renamed_with_everything_in_it() {
    let mut rig = Rig::new();
    for file in ["team #1/Decals.png", "team #1/sub/x.png", "team #1/notes.exe", "other/a.png"] {
        rig.write(file, file.as_bytes());
    }
    let renames = [
        ("team #1/Decals.png", "Team #1/decals.png"),
        ("team #1/sub/x.png", "Team #1/Sub/x.png"),
        ("gone/x.png", "Gone/x.png"),
    ];
    assert_eq!(rig.respell(&renames), [Ok(()), Ok(()), Err(DiskFaultKind::Missing)]);
    let mut names: Vec<_> = rig.tree().into_iter().map(|(name, _)| name).collect();
    names.sort();
    let expected = ["Team #1/Sub/x.png", "Team #1/decals.png", "Team #1/notes.exe", "other/a.png"];
    assert_eq!(names, expected);
    assert_eq!(rig.read("Team #1/decals.png").as_deref(), Some(&b"team #1/Decals.png"[..]));
    assert_eq!(rig.respell(&renames[..1]), [Ok(())], "it has that spelling already");
}

#[cfg(target_os = "linux")]
#[test]
fn two_folders_that_differ_in_case_stay_as_they_are() {
    let mut rig = Rig::new();
    rig.write("team/a.png", b"one");
    rig.write("Team/a.png", b"two");
    let before = rig.tree();
    assert_eq!(rig.respell(&[("team/a.png", "Team/a.png")]), [Err(DiskFaultKind::Changed)]);
    assert_eq!(rig.tree(), before);
}

#[cfg(unix)]
#[test]
fn a_folder_behind_a_link_is_not_renamed() {
    let mut rig = Rig::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("sub")).unwrap();
    fs::write(elsewhere.path().join("sub/a.png"), b"theirs").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), rig.root.path().join("link")).unwrap();
    let renames = [("link/sub/a.png", "link/Sub/a.png"), ("link/sub/a.png", "Link/sub/a.png")];
    let blocked = Err(DiskFaultKind::Blocked);
    assert_eq!(rig.respell(&renames), [blocked, blocked]);
    assert!(elsewhere.path().join("sub/a.png").exists());
}
