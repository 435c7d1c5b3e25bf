//! Who has a data folder to himself.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

/// Who holds this file in a store's folder has the folder.
pub(crate) const LOCK: &str = "lock";

/// Takes a folder, until the file is closed; `None` if somebody else has it.
pub(crate) fn take(root: &Path) -> io::Result<Option<File>> {
    let lock = File::options().create(true).truncate(false).write(true).open(root.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(reason)) => Err(reason),
    }
}

/// Whether somebody has a folder at this moment. Those who only ask do not see one another.
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
