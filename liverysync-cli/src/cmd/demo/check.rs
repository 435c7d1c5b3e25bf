//! The end of the demo: compares the PCs byte for byte, and with everything that was made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::SystemTime,
};

use anyhow::Context as _;
use liverysync::{
    BACKUP_FOLDER, ContentHash, Extensions, Naming, RelPath, STAGING_FOLDER, parse_conflict_name,
};

use super::paint::Made;
use crate::text::{
    demo::{Fault, Row},
    error,
};

/// The liveries folder of one PC at the end.
pub(super) struct Folder {
    driver: &'static str,
    files: BTreeMap<String, File>,
    backups: usize,
    leftovers: usize,
}

struct File {
    content: Vec<u8>,
    mtime: SystemTime,
}

impl Folder {
    /// Reads everything below `root`.
    pub(super) fn read(driver: &'static str, root: &Path) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        walk(root, "", &mut all).with_context(|| error::cannot_read(root))?;
        let (mut files, mut backups, mut leftovers) = (BTreeMap::new(), 0, 0);
        for (path, file) in all {
            match path.split('/').next() {
                Some(BACKUP_FOLDER) => backups += 1,
                Some(STAGING_FOLDER) => leftovers += 1,
                _ => drop(files.insert(path, file)),
            }
        }
        Ok(Self { driver, files, backups, leftovers })
    }

    fn conflicts(&self) -> usize {
        let is_conflict = |path: &&String| {
            RelPath::parse(path, &Extensions::default())
                .is_ok_and(|path| parse_conflict_name(&path, &Naming::default()).is_some())
        };
        self.files.keys().filter(is_conflict).count()
    }

    pub(super) fn row(&self) -> Row {
        let liveries: BTreeSet<_> = self.files.keys().map(|path| path.split('/').next()).collect();
        let bytes: usize = self.files.values().map(|file| file.content.len()).sum();
        Row {
            driver: self.driver,
            liveries: liveries.len(),
            files: self.files.len(),
            bytes: bytes as u64,
            conflicts: self.conflicts(),
            backups: self.backups,
        }
    }
}

fn walk(folder: &Path, below: &str, files: &mut BTreeMap<String, File>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else {
            let content = fs::read(entry.path())?;
            files.insert(path, File { content, mtime: metadata.modified()? });
        }
    }
    Ok(())
}

/// Lists everything that is wrong.
pub(super) fn faults(made: &[Made], all: &[Folder]) -> anyhow::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let expected = names(made)?;
    for pc in all {
        let driver = pc.driver;
        if pc.leftovers > 0 {
            faults.push(Fault::Leftovers { driver, files: pc.leftovers });
        }
        for path in pc.files.keys().filter(|path| !expected.contains(*path)) {
            faults.push(Fault::Unknown { driver, path: path.clone() });
        }
        for one in made {
            let (plain, copy) = (&one.path, copy_name(one)?);
            let at = [plain, &copy].map(|name| pc.files.get(name.as_str()));
            let holds = |file: &File| file.content == one.content;
            match at.into_iter().flatten().find(|file| holds(file)) {
                Some(file) if !mtimes(made, one).contains(&file.mtime) => {
                    faults.push(Fault::Date { driver, path: plain.clone() });
                }
                Some(_) => {}
                None => faults.push(Fault::Missing {
                    driver,
                    path: plain.clone(),
                    bytes: one.content.len() as u64,
                    hash: ContentHash::of(&one.content).short(),
                }),
            }
        }
    }
    for pair in all.windows(2) {
        let [first, second] = pair else { continue };
        let contents = |pc: &Folder| -> Vec<_> {
            let files = pc.files.iter();
            files.map(|(path, file)| (path.clone(), ContentHash::of(&file.content))).collect()
        };
        if contents(first) != contents(second) {
            faults.push(Fault::Different { drivers: [first.driver, second.driver] });
        }
    }
    Ok(faults)
}

/// Returns the names that files may have.
fn names(made: &[Made]) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for one in made {
        names.insert(one.path.clone());
        let conflict = made.iter().any(|two| two.path == one.path && two.content != one.content);
        if conflict {
            names.insert(copy_name(one)?);
        }
    }
    Ok(names)
}

/// Returns the dates of files with this path and content: a PC that has one of them keeps its date.
fn mtimes(made: &[Made], one: &Made) -> Vec<SystemTime> {
    let same = made.iter().filter(|two| two.path == one.path && two.content == one.content);
    same.map(|two| two.mtime).collect()
}

/// Returns the name of a conflict copy.
fn copy_name(one: &Made) -> anyhow::Result<String> {
    let path = RelPath::parse(&one.path, &Extensions::default())?;
    let hash = ContentHash::of(&one.content);
    let name = Naming::default().conflict_name(&path, hash, |_| false)?;
    Ok(name.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(path: &str, content: &str) -> Made {
        let mtime = SystemTime::UNIX_EPOCH;
        Made { path: path.to_owned(), content: content.as_bytes().to_vec(), mtime }
    }

    fn folder_of(driver: &'static str, files: &[(&str, &str)]) -> Folder {
        let mtime = SystemTime::UNIX_EPOCH;
        let file = |content: &str| File { content: content.as_bytes().to_vec(), mtime };
        let files =
            files.iter().map(|(path, content)| ((*path).to_owned(), file(content))).collect();
        Folder { driver, files, backups: 0, leftovers: 0 }
    }

    #[track_caller]
    fn check(b: &[(&str, &str)], expected: &[&str]) {
        let both = [made("L/d.png", "red"), made("L/d.png", "blue")];
        let blue = copy_name(&both[1]).unwrap();
        let a = folder_of("A", &[("L/d.png", "red"), (&blue, "blue")]);
        let b: Vec<_> = b.iter().map(|(path, text)| (path.replace('@', &blue), *text)).collect();
        let b: Vec<_> = b.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let found = faults(&both, &[a, folder_of("B", &b)]).unwrap();
        let found: Vec<_> = found.iter().map(crate::text::demo::fault).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (fault, part) in found.iter().zip(expected) {
            assert!(fault.contains(part), "{fault}");
        }
    }

    #[test]
    fn only_equal_folders_with_everything_pass() {
        check(&[("L/d.png", "red"), ("@", "blue")], &[]);
        check(&[("L/d.png", "red")], &["B is missing L/d.png", "A and B have different"]);
        check(
            &[("L/d.png", "red"), ("@", "blue"), ("x.png", "x")],
            &["B has x.png", "A and B have different"],
        );
        check(&[("L/d.png", "red"), ("@", "BLUE")], &["B is missing", "A and B have different"]);
        check(&[("@", "blue"), ("L/d.png", "blue")], &["B is missing", "A and B have different"]);
    }
}
