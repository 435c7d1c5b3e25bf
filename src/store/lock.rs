//! The lock of a data folder.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

/// The lock file in a data folder. The process that has locked it may use the folder.
pub(crate) const LOCK: &str = "lock";

/// Locks a folder until the file is closed. Returns `None` if another process has locked it.
pub(crate) fn take(root: &Path) -> io::Result<Option<File>> {
    let lock = File::options().create(true).truncate(false).write(true).open(root.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(reason)) => Err(reason),
    }
}

/// Returns `true` if a process has locked the folder. Processes that only ask do not notice one another.
pub(crate) fn is_taken(root: &Path) -> io::Result<bool> {
    let lock = match File::open(root.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(reason)) => Err(reason),
    }
}
