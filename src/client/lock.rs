//! The lock of a liveries folder.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use liverysync_core::hash::ContentHash;

use super::ClientError;
use crate::{places, private::make_folder};

/// The number of attempts after the first, and the pause before each.
const RETRIES_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);

/// The lock that keeps two clients from one folder. Its file is not there, because liverysync puts nothing visible into a
/// liveries folder.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Returns `true` if another process has locked the folder.
    pub(super) fn is_taken(root: &Path) -> io::Result<bool> {
        let file = match File::open(lock_file(root)?) {
            // Without a file there is no lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn take(root: &Path) -> Result<Self, ClientError> {
        let mut attempts = 0;
        let path = lock_file(root)?;
        path.parent().map_or(Ok(()), make_folder)?;
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                // Another process may only be asking whether the folder is locked.
                Err(TryLockError::WouldBlock) if attempts < RETRIES_MAX => {
                    attempts += 1;
                    thread::sleep(PAUSE);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(ClientError::Busy { path: root.to_owned() });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // The process that last had the lock may have removed its file between the two calls above.
            let held = same_file::Handle::from_file(file.try_clone()?)?;
            if same_file::Handle::from_path(&path).is_ok_and(|there| there == held) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

fn lock_file(root: &Path) -> io::Result<PathBuf> {
    let canonical = root.canonicalize()?;
    let name = ContentHash::of(canonical.as_os_str().as_encoded_bytes());
    Ok(lock_folder().join(format!("liverysync-{}.lock", name.short())))
}

/// Returns a folder of this user alone, if the system has one. Among everybody's temporary files others could be first to
/// make a file of that name.
fn lock_folder() -> PathBuf {
    let runtime = dirs::runtime_dir().filter(|folder| folder.is_dir());
    runtime.or_else(places::state_folder).unwrap_or_else(std::env::temp_dir)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that stays does no harm: it is not locked.
        let _kept = std::fs::remove_file(&self.path);
    }
}
