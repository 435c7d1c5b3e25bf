//! What a folder holds: walking it, and hashing it on all cores.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use liverysync_core::{
    hash::{Content, Hasher},
    manifest::{Entry, Manifest},
    path::RelPath,
    select::{Kind, Listed, Reason, Rules, Skipped, Stamp, select},
};
use rayon::prelude::*;

use crate::{
    clock::unix_time,
    disk::{Changed, ReadError, full_path},
};

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 * 1024;

/// Folders at the top of the root that are ours and not the driver's.
const OUR_FOLDERS: [&str; 2] = [".backup", ".tmp"];

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// What of it travels.
    pub manifest: Manifest,
    /// What does not, with reasons. Paths are as they stand on the disk: escape them before they are shown.
    pub skipped: Vec<Skipped>,
}

/// A folder that could not be scanned.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder {path}: {reason}", path = .path.display())]
pub struct ScanError {
    /// The folder.
    pub path: PathBuf,
    /// What the system said.
    pub reason: io::Error,
}

/// Walks `root`, decides what of it travels, and hashes that on all cores. Nothing is written, and
/// no link is followed.
///
/// # Errors
///
/// Fails if `root` is no folder or cannot be listed. A single file that cannot be read is skipped,
/// with the reason.
pub fn scan(root: &Path, rules: &Rules) -> Result<Scan, ScanError> {
    let failed = |reason| ScanError { path: root.to_owned(), reason };
    let selection = select(&list(root).map_err(failed)?, rules);
    let chosen: Vec<_> =
        selection.publish.iter().map(|file| (file.path.clone(), file.stamp)).collect();
    let mut result = Scan { skipped: selection.skipped, ..Scan::default() };
    for ((path, stamp), hashed) in chosen.iter().zip(hash_all(root, &chosen)) {
        let entered = match hashed {
            Ok(content) => {
                let (path, mtime) = (path.clone(), Some(stamp.mtime));
                result.manifest.insert(Entry { path, content, mtime }).map_err(Reason::from)
            }
            Err(error) => Err(Reason::Unreadable(error.to_string())),
        };
        if let Err(reason) = entered {
            result.skipped.push(Skipped { path: path.as_str().to_owned(), reason });
        }
    }
    Ok(result)
}

/// Everything below `root`, except our own folders at its top.
pub(crate) fn list(root: &Path) -> io::Result<Vec<Listed>> {
    fs::read_dir(root)?;
    let walk = walkdir::WalkDir::new(root).min_depth(1).follow_links(false).into_iter();
    let ours = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 1 && OUR_FOLDERS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
    };
    let mut listed = Vec::new();
    for entry in walk.filter_entry(|entry| !ours(entry)) {
        let (path, (kind, mark)) = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => (entry.path().to_owned(), kind_of(&entry)),
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                // A file may go between being listed and being looked at.
                if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) {
                    continue;
                }
                (path, (Kind::Unreadable(error.to_string()), 0))
            }
        };
        listed.push(Listed { path: relative(root, &path), kind, mark });
    }
    Ok(listed)
}

fn kind_of(entry: &walkdir::DirEntry) -> (Kind, u64) {
    match entry.metadata() {
        Ok(metadata) if in_the_cloud(&metadata) => (Kind::Cloud, 0),
        Ok(metadata) if metadata.is_file() => (Kind::File(stamp_of(&metadata)), mark_of(&metadata)),
        Ok(_) => (Kind::Link, 0),
        Err(error) => (Kind::Unreadable(error.to_string()), 0),
    }
}

/// The file's number, and when the system last wrote anything about it, which no program can set.
#[cfg(unix)]
fn mark_of(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let changed = metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec());
    metadata.ino().rotate_left(40) ^ changed.cast_unsigned()
}

/// When the file was made: another one in its place was made at another time.
#[cfg(windows)]
fn mark_of(metadata: &Metadata) -> u64 {
    use std::os::windows::fs::MetadataExt as _;
    metadata.creation_time()
}

/// Nothing is known here that would tell.
#[cfg(not(any(unix, windows)))]
const fn mark_of(_metadata: &Metadata) -> u64 {
    0
}

/// The path below the root with `/` between components. What is no Unicode gets U+FFFD, which the
/// path rule refuses.
fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let components = below.components().map(|part| part.as_os_str().to_string_lossy());
    components.collect::<Vec<_>>().join("/")
}

/// What tells that a file has changed.
pub(crate) fn stamp_of(metadata: &Metadata) -> Stamp {
    Stamp { size: metadata.len(), mtime: metadata.modified().map(unix_time).unwrap_or_default() }
}

/// Whether reading a file would download it.
#[cfg(windows)]
fn in_the_cloud(metadata: &Metadata) -> bool {
    use std::os::windows::fs::MetadataExt as _;
    // FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN and _RECALL_ON_DATA_ACCESS.
    metadata.file_attributes() & (0x1000 | 0x0004_0000 | 0x0040_0000) != 0
}

/// Whether reading a file would download it.
#[cfg(not(windows))]
const fn in_the_cloud(_metadata: &Metadata) -> bool {
    false
}

/// Hashes files on all cores, in the order given.
pub(crate) fn hash_all(root: &Path, files: &[(RelPath, Stamp)]) -> Vec<Result<Content, ReadError>> {
    files.par_iter().map(|(path, stamp)| hash_file(&full_path(root, path), *stamp)).collect()
}

/// Hashes one file, which must have `stamp` before and after.
fn hash_file(path: &Path, stamp: Stamp) -> Result<Content, ReadError> {
    let mut file = File::open(path)?;
    let same = |file: &File| -> Result<(), ReadError> {
        if stamp_of(&file.metadata()?) == stamp { Ok(()) } else { Err(Changed.into()) }
    };
    same(&file)?;
    let mut hasher = Hasher::default();
    let mut size = 0;
    let mut buffer = vec![0; READ_BYTES.min(usize::try_from(stamp.size).unwrap_or(READ_BYTES) + 1)];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
    same(&file)?;
    Ok(Content { hash: hasher.finish(), size })
}
