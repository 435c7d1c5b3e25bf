//! The end of the demo: does every PC hold the same, byte for byte, and is everything there that was made?

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::SystemTime,
};

use anyhow::Context as _;
use liverysync::{ContentHash, Extensions, Naming, RelPath, conflict_name, parse_conflict_name};

use super::paint::Made;
use crate::units;

/// What one PC holds at the end.
pub(super) struct Holdings {
    driver: &'static str,
    files: BTreeMap<String, File>,
    backups: usize,
    leftovers: usize,
}

struct File {
    content: Vec<u8>,
    mtime: SystemTime,
}

impl Holdings {
    /// Reads all that lies below `root`.
    pub(super) fn read(driver: &'static str, root: &Path) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        walk(root, "", &mut all).with_context(|| format!("cannot read {}", root.display()))?;
        let (mut files, mut backups, mut leftovers) = (BTreeMap::new(), 0, 0);
        for (path, file) in all {
            match path.split('/').next() {
                Some(".backup") => backups += 1,
                Some(".tmp") => leftovers += 1,
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

    fn row(&self) -> [String; 6] {
        let liveries: BTreeSet<_> = self.files.keys().map(|path| path.split('/').next()).collect();
        let bytes: usize = self.files.values().map(|file| file.content.len()).sum();
        [
            self.driver.to_owned(),
            liveries.len().to_string(),
            self.files.len().to_string(),
            units::bytes(bytes as u64),
            self.conflicts().to_string(),
            self.backups.to_string(),
        ]
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

/// What each driver has, as a table.
pub(super) fn table(all: &[Holdings]) -> Vec<String> {
    let head = ["driver", "liveries", "files", "size", "conflict copies", "backups"];
    let rows: Vec<_> =
        [head.map(str::to_owned)].into_iter().chain(all.iter().map(Holdings::row)).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let line = |row: &[String; 6]| {
        let mut line = format!("{:<1$}", row[0], width(0));
        for (column, cell) in row.iter().enumerate().skip(1) {
            line += &format!("  {cell:>0$}", width(column));
        }
        line
    };
    rows.iter().map(line).collect()
}

/// All that is not as it should be, in words.
pub(super) fn faults(made: &[Made], all: &[Holdings]) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    let expected = names(made)?;
    for pc in all {
        let who = pc.driver;
        if pc.leftovers > 0 {
            faults.push(format!("{who} has {} in .tmp", units::count(pc.leftovers as u64, "file")));
        }
        for path in pc.files.keys().filter(|path| !expected.contains(*path)) {
            faults.push(format!("{who} has {path}, which nobody made"));
        }
        for one in made {
            let (plain, rival) = (&one.path, rival_name(one)?);
            let at = [plain, &rival].map(|name| pc.files.get(name.as_str()));
            let holds = |file: &File| file.content == one.content;
            match at.into_iter().flatten().find(|file| holds(file)) {
                Some(file) if !mtimes(made, one).contains(&file.mtime) => {
                    faults.push(format!("{who}'s {plain} has another modification time"));
                }
                Some(_) => {}
                None => faults.push(format!("{who} lacks {plain}, {}", shorten(&one.content))),
            }
        }
    }
    for pair in all.windows(2) {
        let [first, second] = pair else { continue };
        let contents = |pc: &Holdings| -> Vec<_> {
            let files = pc.files.iter();
            files.map(|(path, file)| (path.clone(), ContentHash::of(&file.content))).collect()
        };
        if contents(first) != contents(second) {
            faults.push(format!("{} and {} hold different files", first.driver, second.driver));
        }
    }
    Ok(faults)
}

/// The names under which something may lie.
fn names(made: &[Made]) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for one in made {
        names.insert(one.path.clone());
        let rivals = made.iter().any(|two| two.path == one.path && two.content != one.content);
        if rivals {
            names.insert(rival_name(one)?);
        }
    }
    Ok(names)
}

/// When files with this path and content were made: whoever has one already keeps its time.
fn mtimes(made: &[Made], one: &Made) -> Vec<SystemTime> {
    let same = made.iter().filter(|two| two.path == one.path && two.content == one.content);
    same.map(|two| two.mtime).collect()
}

fn rival_name(one: &Made) -> anyhow::Result<String> {
    let path = RelPath::parse(&one.path, &Extensions::default())?;
    let hash = ContentHash::of(&one.content);
    let name = conflict_name(&path, hash, &Naming::default(), |_| false)?;
    Ok(name.as_str().to_owned())
}

fn shorten(content: &[u8]) -> String {
    format!(
        "{} with SHA-256 {}...",
        units::bytes(content.len() as u64),
        ContentHash::of(content).short()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(path: &str, content: &str) -> Made {
        let mtime = SystemTime::UNIX_EPOCH;
        Made { path: path.to_owned(), content: content.as_bytes().to_vec(), mtime }
    }

    fn holdings(driver: &'static str, files: &[(&str, &str)]) -> Holdings {
        let mtime = SystemTime::UNIX_EPOCH;
        let file = |content: &str| File { content: content.as_bytes().to_vec(), mtime };
        let files =
            files.iter().map(|(path, content)| ((*path).to_owned(), file(content))).collect();
        Holdings { driver, files, backups: 0, leftovers: 0 }
    }

    #[track_caller]
    fn check(b: &[(&str, &str)], expected: &[&str]) {
        let rivals = [made("L/d.png", "red"), made("L/d.png", "blue")];
        let blue = rival_name(&rivals[1]).unwrap();
        let a = holdings("A", &[("L/d.png", "red"), (&blue, "blue")]);
        let b: Vec<_> = b.iter().map(|(path, text)| (path.replace('@', &blue), *text)).collect();
        let b: Vec<_> = b.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let found = faults(&rivals, &[a, holdings("B", &b)]).unwrap();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (fault, part) in found.iter().zip(expected) {
            assert!(fault.contains(part), "{fault}");
        }
    }

    #[test]
    fn only_equal_folders_with_everything_pass() {
        check(&[("L/d.png", "red"), ("@", "blue")], &[]);
        check(&[("L/d.png", "red")], &["B lacks L/d.png", "A and B hold different"]);
        check(
            &[("L/d.png", "red"), ("@", "blue"), ("x.png", "x")],
            &["B has x.png", "A and B hold different"],
        );
        check(&[("L/d.png", "red"), ("@", "BLUE")], &["B lacks", "A and B hold different"]);
        check(&[("@", "blue"), ("L/d.png", "blue")], &["B lacks", "A and B hold different"]);
    }
}
