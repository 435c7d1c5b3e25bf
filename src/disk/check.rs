//! Checks whether files could be installed, before anybody sends them. Nothing is changed.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind},
    path::RelPath,
};

use super::{check_no_links, error_fault, fault};

/// Checks whether files of these sizes could be installed below `root`.
pub(super) fn check(root: &Path, files: &[(RelPath, u64)]) -> Vec<Result<(), DiskFault>> {
    // The files of a livery are in few folders.
    let mut folders = BTreeMap::new();
    let free = free_bytes(root);
    let mut check = |path: &RelPath, size: u64| {
        let below: PathBuf = path.components().collect();
        let folder = below.parent().unwrap_or(Path::new("")).to_owned();
        folders.entry(folder).or_insert_with(|| check_folder(root, &below)).clone()?;
        check_target(&root.join(&below))?;
        match free {
            Some(free) if free < size => Err(error_fault(&io::ErrorKind::StorageFull.into())),
            _ => Ok(()),
        }
    };
    files.iter().map(|(path, size)| check(path, *size)).collect()
}

/// Checks the folder of a file, or the one in which it would be made.
fn check_folder(root: &Path, below: &Path) -> Result<(), DiskFault> {
    check_no_links(root, below)?;
    // The first one is the file itself.
    let folders = below.ancestors().skip(1).map(|folder| root.join(folder));
    let there = folders.into_iter().find(|folder| folder.is_dir());
    // Without the root nothing is known, and the installation will say more.
    there.map_or(Ok(()), |folder| check_writable(&folder)).map_err(|error| error_fault(&error))
}

/// Checks that a file can be at a path. A link there would not be followed, and not be replaced either.
fn check_target(path: &Path) -> Result<(), DiskFault> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => {
            Err(fault(DiskFaultKind::Blocked, "there is a folder or a link of this name"))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => Err(error_fault(&error)),
        // Whatever else is wrong, the installation meets it.
        _ => Ok(()),
    }
}

/// Checks that names can be added to a folder.
#[cfg(unix)]
fn check_writable(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Does nothing: only an attempt shows what Windows allows.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
const fn check_writable(_folder: &Path) -> io::Result<()> {
    Ok(())
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
