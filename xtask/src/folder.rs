//! Liveries folders that the checks write and compare, byte for byte.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};

/// The largest difference between equal modification times: file systems store them with different precision.
const MTIME_SLACK: Duration = Duration::from_secs(1);

/// The bytes and the date of a file.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) modified: SystemTime,
}

impl Content {
    /// Returns `len` bytes that repeat `text`, with the modification time `modified` in UNIX seconds.
    pub(crate) fn new(text: &str, len: usize, modified: u64) -> Self {
        Self {
            bytes: text.bytes().cycle().take(len).collect(),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(modified),
        }
    }

    fn same(&self, other: &Self) -> bool {
        let apart =
            self.modified.duration_since(other.modified).unwrap_or_else(|error| error.duration());
        self.bytes == other.bytes && apart <= MTIME_SLACK
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modified = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let start = String::from_utf8_lossy(self.bytes.get(..20).unwrap_or(&self.bytes));
        write!(f, "{} bytes {start:?}, changed at {:.1}", self.bytes.len(), modified.as_secs_f64())
    }
}

/// The files of a folder, by path, with `/` between its parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder(BTreeMap<String, Content>);

impl<const N: usize> From<[(&str, Content); N]> for Folder {
    fn from(files: [(&str, Content); N]) -> Self {
        Self(files.into_iter().map(|(path, content)| (path.to_owned(), content)).collect())
    }
}

impl Folder {
    /// Writes the files below `root`.
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        for (path, content) in &self.0 {
            let path = root.join(path);
            fs::create_dir_all(path.parent().context("a file has a parent folder")?)?;
            fs::write(&path, &content.bytes)?;
            File::options().write(true).open(&path)?.set_modified(content.modified)?;
        }
        Ok(())
    }

    /// Reads the files below `root`, without `.backup` and `.tmp`, which belong to the program.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path == root.join(".backup") || path == root.join(".tmp") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path
                        .strip_prefix(root)?
                        .to_str()
                        .context("a name that is not Unicode")?
                        .to_owned();
                    files.insert(
                        name,
                        Content { bytes: fs::read(&path)?, modified: path.metadata()?.modified()? },
                    );
                }
            }
        }
        Ok(Self(files))
    }

    /// Returns the files of both folders. At a path that both have, the file of `other` counts.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Compares the folder with `expected`. The error lists the files that differ.
    pub(crate) fn ensure_is(&self, expected: &Self) -> Result<()> {
        let mut wrong = String::new();
        for (path, wanted) in &expected.0 {
            match self.0.get(path) {
                None => wrong += &format!("    {path} is missing\n"),
                Some(found) if !found.same(wanted) => {
                    wrong += &format!("    {path} is {found:?}\n        not {wanted:?}\n");
                }
                Some(_) => {}
            }
        }
        for path in self.0.keys().filter(|path| !expected.0.contains_key(*path)) {
            wrong += &format!("    {path} should not be there\n");
        }
        ensure!(wrong.is_empty(), "\n{wrong}");
        Ok(())
    }
}
