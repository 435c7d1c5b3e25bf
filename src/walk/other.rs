//! Walks with the standard library. On Windows, reading a folder's names already returns everything about each file.

use std::{
    fs::{self, Metadata},
    io,
    path::Path,
};

use liverysync_core::{
    own_folders::is_own_folder,
    select::{Kind, Listed},
};

use crate::{scan::stamp_of, watch::WatchHandle};

/// Lists everything below `root`, except liverysync's own folders.
pub(crate) fn list(root: &Path, _handle: &WatchHandle) -> io::Result<Vec<Listed>> {
    fs::read_dir(root)?;
    let walk = walkdir::WalkDir::new(root).min_depth(1).follow_links(false).into_iter();
    let ours = |entry: &walkdir::DirEntry| {
        entry.depth() == 1 && is_own_folder(&entry.file_name().to_string_lossy())
    };
    let mut listed = Vec::new();
    for entry in walk.filter_entry(|entry| !ours(entry)) {
        let (path, (kind, change_tag)) = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => (entry.path().to_owned(), kind_of(&entry)),
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                // It may be removed between being listed and being looked at.
                if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) {
                    continue;
                }
                (path, (Kind::Unreadable(error.to_string()), 0))
            }
        };
        listed.push(Listed { path: relative(root, &path), kind, change_tag });
    }
    Ok(listed)
}

fn kind_of(entry: &walkdir::DirEntry) -> (Kind, u64) {
    match entry.metadata() {
        Ok(metadata) if in_the_cloud(&metadata) => (Kind::Cloud, 0),
        Ok(metadata) if metadata.is_file() => {
            (Kind::File(stamp_of(&metadata)), change_tag_of(&metadata))
        }
        Ok(_) => (Kind::Link, 0),
        Err(error) => (Kind::Unreadable(error.to_string()), 0),
    }
}

/// Returns the change tag: the file's inode number mixed with the time of its last change, which no program can set.
#[cfg(unix)]
fn change_tag_of(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let changed = metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec());
    metadata.ino().rotate_left(40) ^ changed.cast_unsigned()
}

/// Returns the change tag: the time at which the file was created, which tells it from a replacement.
#[cfg(windows)]
fn change_tag_of(metadata: &Metadata) -> u64 {
    use std::os::windows::fs::MetadataExt as _;
    metadata.creation_time()
}

/// Returns no change tag: this system has none.
#[cfg(not(any(unix, windows)))]
const fn change_tag_of(_metadata: &Metadata) -> u64 {
    0
}

/// Returns the path below the root with `/` between components. Invalid Unicode becomes U+FFFD, which the path rule
/// refuses.
fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let components = below.components().map(|part| part.as_os_str().to_string_lossy());
    components.collect::<Vec<_>>().join("/")
}

/// Returns `true` if reading the file would download it.
#[cfg(windows)]
fn in_the_cloud(metadata: &Metadata) -> bool {
    use std::os::windows::fs::MetadataExt as _;
    // FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN and _RECALL_ON_DATA_ACCESS.
    metadata.file_attributes() & (0x1000 | 0x0004_0000 | 0x0040_0000) != 0
}

/// Returns `false`: this system does not tell.
#[cfg(not(windows))]
const fn in_the_cloud(_metadata: &Metadata) -> bool {
    false
}
