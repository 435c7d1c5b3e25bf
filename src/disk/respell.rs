//! Renames files and folders to another spelling of their names.
//!
//! A disk that tells upper from lower case may have both spellings. Then nothing is renamed: nobody knows which of two files
//! is meant.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind},
    path::RelPath,
};

use super::{
    beneath::{Folder, Place, What},
    error_fault, fault,
    install::retry,
};

/// Renames each file, with its folders, from the first path to the second one. Returns the outcomes in the same order, and the
/// folders whose lists of names have changed.
pub(super) fn respell(
    root: &Path,
    files: &[(RelPath, RelPath)],
) -> (Vec<Result<(), DiskFault>>, BTreeSet<PathBuf>) {
    let open = match Folder::open(root) {
        Ok(open) => open,
        Err(error) => {
            let failed = files.iter().map(|_| Err(error_fault(&error))).collect();
            return (failed, BTreeSet::new());
        }
    };
    let (mut done, mut touched) = (BTreeSet::new(), BTreeSet::new());
    let mut one = |from: &RelPath, to: &RelPath| {
        let mut above = PathBuf::new();
        for (old, new) in from.components().zip(to.components()) {
            let below = above.join(new);
            if old != new && !done.contains(&below) {
                let place = |name| open.place(&above.join(name)).map_err(|e| error_fault(&e));
                rename((old, &place(old)?), (new, &place(new)?))?;
                touched.insert(root.join(&above));
                done.insert(below.clone());
            }
            above = below;
        }
        Ok(())
    };
    (files.iter().map(|(from, to)| one(from, to)).collect(), touched)
}

fn rename((old, from): (&str, &Place), (new, to): (&str, &Place)) -> Result<(), DiskFault> {
    let found = |place: &Place| place.find().map_err(|error| error_fault(&error));
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => both_there(old, new),
        _ => error_fault(&error),
    };
    match (found(from)?, found(to)?) {
        (None, Some(_)) => Ok(()),
        (None, None) => Err(fault(DiskFaultKind::Missing, "the file no longer exists")),
        (Some(there), _) if there.what == What::Other => {
            Err(fault(DiskFaultKind::Blocked, format!("{old} is a link")))
        }
        (Some(_), Some(_)) if !is_same(from, to) => Err(both_there(old, new)),
        // A disk that ignores case finds the old name under the new one, so a rename that replaces nothing would refuse it.
        (Some(_), Some(_)) => retry(|| from.rename_to(to)).map_err(failed),
        // A folder has no links. One with something in it is never replaced.
        (Some(_), None) => retry(|| from.move_to_free(to)).map_err(failed),
    }
}

fn both_there(old: &str, new: &str) -> DiskFault {
    fault(DiskFaultKind::Changed, format!("{old} and {new} are both there"))
}

/// Returns `true` if two names mean the same file or folder.
fn is_same(one: &Place, other: &Place) -> bool {
    one.identity().is_ok_and(|one| other.identity().is_ok_and(|other| one.is(other)))
}
