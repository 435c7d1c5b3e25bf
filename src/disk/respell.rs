//! Renames files and folders to another spelling of their names.
//!
//! A disk that tells upper from lower case may have both spellings. Then nothing is renamed: nobody knows which of two files
//! is meant.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind},
    path::RelPath,
};

use super::{check_no_links, error_fault, fault, install::retry};

/// Renames each file, with its folders, from the first path to the second one. Returns the outcomes in the same order, and the
/// folders whose lists of names have changed.
pub(super) fn respell(
    root: &Path,
    files: &[(RelPath, RelPath)],
) -> (Vec<Result<(), DiskFault>>, BTreeSet<PathBuf>) {
    let (mut done, mut touched) = (BTreeSet::new(), BTreeSet::new());
    let mut one = |from: &RelPath, to: &RelPath| {
        let mut above = PathBuf::new();
        for (old, new) in from.components().zip(to.components()) {
            let below = above.join(new);
            if old != new && !done.contains(&below) {
                check_no_links(root, &below)?;
                let folder = root.join(&above);
                rename(&folder.join(old), &folder.join(new))?;
                touched.insert(folder);
                done.insert(below.clone());
            }
            above = below;
        }
        Ok(())
    };
    (files.iter().map(|(from, to)| one(from, to)).collect(), touched)
}

fn rename(old: &Path, new: &Path) -> Result<(), DiskFault> {
    let found = |path: &Path| match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(|error| error_fault(&error)),
    };
    match (found(old)?, found(new)?) {
        (None, Some(_)) => Ok(()),
        (None, None) => Err(fault(DiskFaultKind::Missing, "the file no longer exists")),
        (Some(there), _) if there.is_symlink() => {
            Err(fault(DiskFaultKind::Blocked, format!("{} is a link", old.display())))
        }
        (Some(_), Some(_)) if !is_same(old, new) => {
            let message = format!("{} and {} are both there", old.display(), new.display());
            Err(fault(DiskFaultKind::Changed, message))
        }
        // A disk that ignores case finds the old name under the new one, so a rename that replaces nothing would refuse it.
        (Some(_), Some(_)) => retry(|| fs::rename(old, new)).map_err(|error| error_fault(&error)),
        (Some(_), None) => move_to_free_name(old, new),
    }
}

/// Returns true if two names mean the same file or folder.
#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    id(one).is_some_and(|found| Some(found) == id(other))
}

/// Returns true if two names mean the same file or folder.
#[cfg(not(unix))]
fn is_same(one: &Path, other: &Path) -> bool {
    // The real path is spelled as the disk spells it.
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|found| Some(found) == real(other))
}

#[cfg(target_os = "linux")]
fn move_to_free_name(old: &Path, new: &Path) -> Result<(), DiskFault> {
    match super::install::move_to_free_name(old, new) {
        Ok(false) => retry(|| fs::rename(old, new)).map_err(|error| error_fault(&error)),
        moved => moved.map(drop),
    }
}

/// The standard library has no rename that replaces nothing. A folder with something in it is never replaced, and whether a
/// file is there was looked at a moment ago.
#[cfg(not(target_os = "linux"))]
fn move_to_free_name(old: &Path, new: &Path) -> Result<(), DiskFault> {
    retry(|| fs::rename(old, new)).map_err(|error| error_fault(&error))
}
