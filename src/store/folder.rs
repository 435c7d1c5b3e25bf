//! The folder of the store.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use liverysync_core::{
    hash::{Content, ContentHash},
    inspect::ContentFacts,
};

use super::{
    StoreError,
    lock::{self, LOCK},
};
use crate::{
    inspect,
    private::{close_to_others, make_folder},
};

/// The prefix of temporary stores' names.
const TEMPORARY: &str = "liverysync-store-";

/// The size of a buffer for hashing, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// A stored content.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredBlob {
    pub(super) content: Content,
    /// The time at which it was last needed: the modification time of its file.
    pub(super) needed: SystemTime,
}

/// The store's folder, which belongs to this process alone:
///
/// ```text
/// lock                  locked by the process that uses the folder
/// blobs/ab/abcd…        complete contents, by the 64 hex digits of their SHA-256
/// incoming/abcd….7      contents that are being received
/// ```
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "it is only held until the folder is dropped")
    )]
    lock: File,
    /// Removes a temporary folder when it is dropped, after the lock.
    temporary: Option<tempfile::TempDir>,
}

impl Folder {
    /// Locks the folder, removes leftovers, and returns the folder with its stored contents.
    pub(super) fn open(data: Option<&Path>) -> Result<(Self, Vec<StoredBlob>), StoreError> {
        let temporary = match data {
            Some(_) => None,
            None => Some(temporary_folder()?),
        };
        let root = match (data, &temporary) {
            (Some(data), _) => data.to_owned(),
            (None, Some(folder)) => folder.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        let failed = |source| StoreError::Folder { path: root.clone(), source };
        for folder in ["blobs", "incoming"].map(|name| root.join(name)) {
            make_folder(&folder).map_err(failed)?;
            close_to_others(&folder);
        }
        let lock = match &temporary {
            Some(_) => claim(&root).map_err(failed)?,
            None => take_lock(&root)?,
        };
        let folder = Self { root: root.clone(), lock, temporary };
        folder.remove_leftovers().map_err(failed)?;
        let stored = folder.list().map_err(failed)?;
        Ok((folder, stored))
    }

    /// Returns the path of a complete content.
    pub(super) fn blob_path(&self, hash: ContentHash) -> PathBuf {
        blob_path(&self.root, hash)
    }

    /// Returns the path of a content that is being received. `number` tells the attempts apart, because an earlier one
    /// may still be read.
    pub(super) fn incoming_path(&self, hash: ContentHash, number: u64) -> PathBuf {
        self.root.join("incoming").join(format!("{hash}.{number}"))
    }

    /// Opens a complete content.
    pub(super) fn open_blob(&self, hash: ContentHash) -> io::Result<File> {
        File::open(self.blob_path(hash))
    }

    /// Inspects a complete content. Of what cannot be read nothing is known.
    pub(super) fn inspect(&self, hash: ContentHash) -> ContentFacts {
        self.open_blob(hash).and_then(inspect::ends).unwrap_or_default()
    }

    /// Moves a complete content to its final path. It is not durable yet.
    pub(super) fn keep(&self, received: &Path, hash: ContentHash) -> io::Result<()> {
        let path = self.blob_path(hash);
        match fs::rename(received, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), make_folder)?;
                fs::rename(received, &path)
            }
            result => result,
        }
    }

    /// Returns `true` if the folder goes with the server.
    pub(super) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Flushes everything that was written to the folder's file system.
    #[cfg(target_os = "linux")]
    pub(super) fn flush_all(&self) -> io::Result<()> {
        // The lock has been open from the start, so the call reports each write that has failed since then.
        Ok(rustix::fs::syncfs(&self.lock)?)
    }

    /// Records that a content was needed just now.
    pub(super) fn touch(&self, hash: ContentHash) -> io::Result<()> {
        let file = File::options().write(true).open(self.blob_path(hash))?;
        file.set_modified(SystemTime::now())
    }

    pub(super) fn remove(&self, hash: ContentHash) -> io::Result<()> {
        fs::remove_file(self.blob_path(hash))
    }

    /// Hashes a stored content. Returns `true` if its hash is right. Stops with the error of `go_on`, which receives the
    /// number of bytes of each read.
    pub(super) fn verify<E>(
        &self,
        hash: ContentHash,
        mut go_on: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<io::Result<bool>, E> {
        use std::io::Read as _;
        let mut file = match self.open_blob(hash) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let mut hasher = liverysync_core::hash::Hasher::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => return Ok(Ok(hasher.finish() == hash)),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error)),
            };
            hasher.update(&buffer[..count]);
            go_on(count)?;
        }
    }

    /// Removes incomplete contents. The state of their hashes was lost with the process.
    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join("incoming"))? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns the stored contents, the least recently needed first. Removes files whose names are not hashes.
    fn list(&self) -> io::Result<Vec<StoredBlob>> {
        let mut stored = Vec::new();
        for folder in fs::read_dir(self.root.join("blobs"))? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder.path())? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    continue;
                }
                match self.stored(&entry)? {
                    Some(blob) => stored.push(blob),
                    None => fs::remove_file(entry.path())?,
                }
            }
        }
        stored.sort_by_key(|stored| (stored.needed, stored.content.hash));
        Ok(stored)
    }

    /// Returns the content of a file, or `None` if it is not a stored content.
    fn stored(&self, entry: &fs::DirEntry) -> io::Result<Option<StoredBlob>> {
        let name = entry.file_name();
        let hash = name.to_str().and_then(|name| name.parse::<ContentHash>().ok());
        let Some(hash) = hash.filter(|hash| self.blob_path(*hash) == entry.path()) else {
            return Ok(None);
        };
        let metadata = entry.metadata()?;
        let content = Content { hash, size: metadata.len() };
        // The server was stopped after creating the file and before writing it.
        if content.size == 0 && content != Content::of(b"") {
            return Ok(None);
        }
        Ok(metadata.is_file().then_some(StoredBlob { content, needed: metadata.modified()? }))
    }
}

/// Returns `true` if the store in `root` has a content of this hash and length. A server may use the store meanwhile.
pub(crate) fn has_blob(root: &Path, content: Content) -> bool {
    fs::metadata(blob_path(root, content.hash))
        .is_ok_and(|blob| blob.is_file() && blob.len() == content.size)
}

/// Removes a content from the store in `root`, which no server uses. It is no fault if the store does not have it.
pub(crate) fn remove_blob(root: &Path, hash: ContentHash) -> io::Result<()> {
    match fs::remove_file(blob_path(root, hash)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn blob_path(root: &Path, hash: ContentHash) -> PathBuf {
    let name = hash.to_string();
    let mut path = root.join("blobs");
    path.push(&name[..2]);
    path.push(name);
    path
}

fn temporary_folder() -> Result<tempfile::TempDir, StoreError> {
    let parent = std::env::temp_dir();
    sweep(&parent);
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempdir_in(&parent)
        .map_err(|source| StoreError::Folder { path: parent, source })
}

/// Locks a folder that was just made. The lock file gets its name only once it is locked: otherwise a server that
/// [sweeps](sweep) now would take the folder for an orphan.
fn claim(root: &Path) -> io::Result<File> {
    let path = root.join("lock.new");
    let lock = File::options().create_new(true).write(true).open(&path)?;
    lock.lock()?;
    fs::rename(path, root.join(LOCK))?;
    Ok(lock)
}

/// Removes temporary stores of servers that were killed.
fn sweep(parent: &Path) {
    // A store that cannot be removed stays, and a later start tries again.
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_orphan(&entry.path()) {
            let _left = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns `true` if nobody has locked the store. A store without a lock file is just being made.
fn is_orphan(root: &Path) -> bool {
    let path = root.join(LOCK);
    // If it is not a file, it belongs to someone else, and opening it could block.
    fs::symlink_metadata(&path).is_ok_and(|lock| lock.is_file())
        && File::options().write(true).open(&path).is_ok_and(|lock| lock.try_lock().is_ok())
}

fn take_lock(root: &Path) -> Result<File, StoreError> {
    let path = || root.to_owned();
    let lock = lock::take(root).map_err(|source| StoreError::Folder { path: path(), source })?;
    lock.ok_or_else(|| StoreError::Busy { path: path() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stores_that_nobody_has_locked_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let root = parent.path().join(name);
            fs::create_dir_all(root.join("blobs")).unwrap();
            root
        };
        let (permit, orphan) = (make("liverysync-store-permit"), make("liverysync-store-orphan"));
        let (young, other) = (make("liverysync-store-young"), make("somebody-elses"));
        fs::write(parent.path().join("liverysync-store-file"), "a file").unwrap();
        let lock = claim(&permit).unwrap();
        drop(claim(&orphan).unwrap());
        drop(claim(&other).unwrap());
        sweep(parent.path());
        assert!(!orphan.exists());
        assert!(permit.exists() && young.exists() && other.exists());
        assert!(parent.path().join("liverysync-store-file").exists());
        drop(lock);
        sweep(parent.path());
        assert!(!permit.exists());
    }
}
