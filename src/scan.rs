//! Scanning a folder: walking it, and hashing its files on all cores.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use liverysync_core::{
    client::LiveryGlobs,
    hash::{Content, ContentHash, Hasher},
    inspect::{Inspection, Inspector},
    lint::{Finding, LintFile, LintRules, lint},
    manifest::{Entry, Manifest},
    path::RelPath,
    select::{Kind, Listed, Reason, Rules, Skipped, Stamp, select},
};
use rayon::prelude::*;

use crate::{
    clock::unix_time,
    disk::{
        Changed, ReadError,
        beneath::{Folder, below},
    },
    places::is_to_be_made,
    walk::list,
    watch::WatchHandle,
};

/// The size of a buffer for reading, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// The result of scanning a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scan {
    /// The files that are shared.
    pub manifest: Manifest,
    /// The files that are not shared, with the reasons. Their paths are as on the disk: [`escape`](fn@crate::escape) them
    /// before you show them.
    pub skipped: Vec<Skipped>,
    /// Everything that was found, for [`Scan::lint`].
    files: Vec<ScannedFile>,
}

/// A file that was found, shared or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ScannedFile {
    path: String,
    size: u64,
    /// Set if it is shared: no other file is read.
    hash: Option<ContentHash>,
    inspection: Inspection,
}

impl ScannedFile {
    /// Makes one for each listed file, of which nothing has been read yet.
    fn of(listed: &[Listed]) -> Vec<Self> {
        let file = |item: &Listed| match item.kind {
            Kind::File(Stamp { size, .. }) => {
                let (path, inspection) = (item.path.clone(), Inspection::default());
                Some(Self { path, size, hash: None, inspection })
            }
            _ => None,
        };
        listed.iter().filter_map(file).collect()
    }
}

impl Scan {
    /// Leaves out what a driver ignores, and what they do not share unless the league has it. `shared` is `None` if they
    /// have not chosen, and then everything may be shared.
    pub fn choose(&mut self, ignored: &LiveryGlobs, shared: Option<&LiveryGlobs>) {
        let mut kept = Manifest::new();
        for entry in &self.manifest {
            let path = entry.path.as_str();
            let reason = match shared {
                _ if ignored.covers(path) => Reason::Ignored,
                Some(shared) if !shared.covers(path) => Reason::Unshared,
                _ => {
                    // It fits: it was beside the same files.
                    let _fits = kept.insert(entry.clone());
                    continue;
                }
            };
            self.skipped.push(Skipped::new(path.to_owned(), reason));
        }
        self.manifest = kept;
    }

    /// Returns what is probably wrong with the liveries, by the rules of a league. The findings are ordered by livery.
    #[must_use]
    pub fn lint(&self, rules: &LintRules) -> Vec<Finding> {
        fn judged(file: &ScannedFile) -> LintFile<'_> {
            let ScannedFile { path, size, hash, inspection } = file;
            let mut judged = LintFile::new(path, *size);
            (judged.is_shared, judged.hash, judged.inspection) =
                (hash.is_some(), *hash, *inspection);
            judged
        }
        lint(&self.files.iter().map(judged).collect::<Vec<_>>(), rules)
    }
}

/// The error if a folder cannot be scanned.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder {path}", path = .path.display())]
#[non_exhaustive]
pub struct ScanError {
    /// The folder.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

impl ScanError {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(path: PathBuf, source: io::Error) -> Self {
        Self { path, source }
    }
}

/// Walks `root`, chooses the files to share by `rules`, and hashes them on all cores. It writes nothing and follows no
/// link.
///
/// # Errors
///
/// Fails if `root` is not a folder or cannot be listed. A single file that cannot be read is skipped, with the reason.
pub fn scan(root: &Path, rules: &Rules) -> Result<Scan, ScanError> {
    let failed = |source| ScanError { path: root.to_owned(), source };
    if is_to_be_made(root) {
        return Ok(Scan::default());
    }
    let listed = list(root, &WatchHandle::disabled()).map_err(failed)?;
    let mut files = ScannedFile::of(&listed);
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let selection = select(&listed, rules);
    let chosen: Vec<_> =
        selection.publish.iter().map(|file| (file.path.clone(), file.stamp)).collect();
    let mut result = Scan { skipped: selection.skipped, ..Scan::default() };
    for ((path, stamp), inspected) in chosen.iter().zip(inspect_all(root, &chosen)) {
        let entered = match inspected {
            Ok((content, inspection)) => {
                let at = files.binary_search_by(|file| file.path.as_str().cmp(path.as_str()));
                if let Some(file) = at.ok().and_then(|at| files.get_mut(at)) {
                    (file.hash, file.inspection) = (Some(content.hash), inspection);
                }
                let (path, mtime) = (path.clone(), Some(stamp.mtime));
                result.manifest.insert(Entry { path, content, mtime }).map_err(Reason::from)
            }
            Err(error) => Err(Reason::Unreadable(error.to_string())),
        };
        if let Err(reason) = entered {
            result.skipped.push(Skipped::new(path.as_str().to_owned(), reason));
        }
    }
    result.files = files;
    Ok(result)
}

/// Returns the stamp by which a change of a file is recognized.
pub(crate) fn stamp_of(metadata: &Metadata) -> Stamp {
    Stamp { size: metadata.len(), mtime: metadata.modified().map(unix_time).unwrap_or_default() }
}

/// A content, and what its bytes tell.
type Inspected = (Content, Inspection);

/// Hashes and inspects files on all cores. The results are in the order of `files`.
pub(crate) fn inspect_all(
    root: &Path,
    files: &[(RelPath, Stamp)],
) -> Vec<Result<Inspected, ReadError>> {
    inspect_files(root, files.iter().map(|(path, stamp)| (below(path), *stamp)))
}

/// Hashes files anywhere below `root` in the same way.
pub(crate) fn hash_files(
    root: &Path,
    files: impl Iterator<Item = (PathBuf, Stamp)>,
) -> Vec<Result<Content, ReadError>> {
    let inspected = inspect_files(root, files).into_iter();
    inspected.map(|outcome| outcome.map(|(content, _)| content)).collect()
}

fn inspect_files(
    root: &Path,
    files: impl Iterator<Item = (PathBuf, Stamp)>,
) -> Vec<Result<Inspected, ReadError>> {
    let mut largest_first: Vec<_> = files.enumerate().collect();
    largest_first.sort_by_key(|(_, (_, stamp))| std::cmp::Reverse(stamp.size));
    let root = match Folder::open(root) {
        Ok(root) => root,
        Err(error) => {
            let again = |_| Err(io::Error::new(error.kind(), error.to_string()).into());
            return largest_first.into_iter().map(again).collect();
        }
    };
    let hash = |(number, (path, stamp)): (usize, (PathBuf, Stamp))| {
        (number, hash_file(&root, &path, stamp))
    };
    // One by one and the largest first, so that no core is left with a huge file when the others are done.
    let mut hashed: Vec<_> = largest_first.into_iter().par_bridge().map(hash).collect();
    hashed.sort_unstable_by_key(|(number, _)| *number);
    hashed.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Inspects a file whose content is known, by its first and last bytes. Of what cannot be read nothing is known.
pub(crate) fn inspect(name: &str, file: io::Result<File>) -> Inspection {
    file.and_then(crate::inspect::ends).map(|facts| facts.named(name)).unwrap_or_default()
}

/// Hashes and inspects a file. It must have `stamp` before and after.
fn hash_file(root: &Folder, path: &Path, stamp: Stamp) -> Result<Inspected, ReadError> {
    let mut file = root.open_file(path)?;
    let same = |file: &File| -> Result<(), ReadError> {
        if stamp_of(&file.metadata()?) == stamp { Ok(()) } else { Err(Changed.into()) }
    };
    same(&file)?;
    let (mut hasher, mut inspector) = (Hasher::default(), Inspector::new(&path.to_string_lossy()));
    let mut size = 0;
    let mut buffer = vec![0; READ_BYTES.min(usize::try_from(stamp.size).unwrap_or(READ_BYTES) + 1)];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        inspector.update(&buffer[..count]);
        size += count as u64;
    }
    same(&file)?;
    Ok((Content { hash: hasher.finish(), size }, inspector.finish()))
}
