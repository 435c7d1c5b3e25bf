//! Checks whether files could be installed, before anybody sends them. Nothing is changed.

use std::{collections::BTreeMap, io, path::Path};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind},
    path::RelPath,
};

use super::{
    beneath::{Folder, What, below},
    error_fault, fault,
};

/// Checks whether files of these sizes could be installed below `root`.
pub(super) fn check(root: &Path, files: &[(RelPath, u64)]) -> Vec<Result<(), DiskFault>> {
    // Without the root nothing is known, and the installation will say more.
    let Ok(open) = Folder::open(root) else { return files.iter().map(|_| Ok(())).collect() };
    // The files of a livery are in few folders.
    let mut folders = BTreeMap::new();
    let free = free_bytes(root);
    let mut check = |path: &RelPath, size: u64| {
        let below = below(path);
        let folder = below.parent().unwrap_or(Path::new("")).to_owned();
        folders.entry(folder).or_insert_with(|| check_folder(&open, &below)).clone()?;
        check_target(&open, &below)?;
        match free {
            Some(free) if free < size => Err(error_fault(&io::ErrorKind::StorageFull.into())),
            _ => Ok(()),
        }
    };
    files.iter().map(|(path, size)| check(path, *size)).collect()
}

/// Checks the folder of a file, or the one in which it would be made.
fn check_folder(root: &Folder, below: &Path) -> Result<(), DiskFault> {
    // The first one is the file itself.
    for folder in below.ancestors().skip(1) {
        match root.folder(folder).and_then(|folder| folder.check_writable()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            checked => return checked.map_err(|error| error_fault(&error)),
        }
    }
    Ok(())
}

/// Checks that a file can be at a path. A link there would not be followed, and not be replaced either.
fn check_target(root: &Folder, below: &Path) -> Result<(), DiskFault> {
    match root.find(below) {
        Ok(Some(there)) if there.what != What::File => {
            Err(fault(DiskFaultKind::Blocked, "there is a folder or a link of this name"))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => Err(error_fault(&error)),
        // Whatever else is wrong, the installation meets it.
        _ => Ok(()),
    }
}

/// Returns the free space below a folder, if the system says.
#[cfg(unix)]
fn free_bytes(root: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(root).ok()?;
    space.f_bavail.checked_mul(space.f_frsize)
}

/// Returns nothing: the standard library cannot ask Windows.
#[cfg(not(unix))]
const fn free_bytes(_root: &Path) -> Option<u64> {
    None
}
