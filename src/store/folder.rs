//! Where the store keeps its files.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use liverysync_core::hash::{Content, ContentHash};

use super::{
    StoreError,
    lock::{self, LOCK},
};

/// How the names of temporary stores begin.
const TEMPORARY: &str = "liverysync-store-";

/// Bytes that are read at a time to be hashed.
const READ_BYTES: usize = 256 * 1024;

/// One kept content.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredBlob {
    pub(super) content: Content,
    /// When it was last needed: the modification time of its file.
    pub(super) needed: SystemTime,
}

/// The store's folder, which is this process's alone:
///
/// ```text
/// lock                  who holds it has the folder
/// blobs/ab/abcd…        whole contents, by the 64 hex digits of their SHA-256
/// incoming/abcd….7      contents on their way in
/// ```
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    _lock: File,
    /// Removes it, if it is a temporary one. The lock is given up before.
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    /// Takes the folder, and returns it with what it keeps. Leftovers in it are removed.
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
        for folder in ["blobs", "incoming"] {
            fs::create_dir_all(root.join(folder)).map_err(failed)?;
        }
        let lock = match &temporary {
            Some(_) => claim(&root).map_err(failed)?,
            None => take_lock(&root)?,
        };
        let folder = Self { root: root.clone(), _lock: lock, _temporary: temporary };
        folder.remove_leftovers().map_err(failed)?;
        let kept = folder.list().map_err(failed)?;
        Ok((folder, kept))
    }

    /// Where a whole content lies.
    pub(super) fn blob_path(&self, hash: ContentHash) -> PathBuf {
        blob_path(&self.root, hash)
    }

    /// Where a content lies while it comes in. `number` tells one attempt from another, of which
    /// somebody may still read.
    pub(super) fn incoming_path(&self, hash: ContentHash, number: u64) -> PathBuf {
        self.root.join("incoming").join(format!("{hash}.{number}"))
    }

    /// Moves a content that is whole to its place.
    ///
    /// Nothing is flushed. What a crash takes away is asked for again, and what it damages is found
    /// by its hash before anybody installs it: that costs time, never a livery.
    pub(super) fn keep(&self, incoming: &Path, hash: ContentHash) -> io::Result<()> {
        let path = self.blob_path(hash);
        match fs::rename(incoming, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::rename(incoming, &path)
            }
            result => result,
        }
    }

    /// Puts a content that is known to be right in its place, with one write: to make a small one elsewhere and
    /// to move it costs nearly twice as much.
    ///
    /// Nothing is flushed, as in [`Folder::keep`].
    pub(super) fn put(&self, hash: ContentHash, bytes: &[u8]) -> io::Result<()> {
        let path = self.blob_path(hash);
        let written = match fs::write(&path, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(&path, bytes)
            }
            result => result,
        };
        if written.is_err() {
            // What stays is found wrong when it is read.
            let _half = fs::remove_file(path);
        }
        written
    }

    /// Writes down that a content was needed just now.
    pub(super) fn touch(&self, hash: ContentHash) -> io::Result<()> {
        let file = File::options().write(true).open(self.blob_path(hash))?;
        file.set_modified(SystemTime::now())
    }

    pub(super) fn remove(&self, hash: ContentHash) -> io::Result<()> {
        fs::remove_file(self.blob_path(hash))
    }

    /// Whether a content is what its name says. `go_on` is told of the bytes that were read, and
    /// whether to read more; `None` if not.
    pub(super) fn verify(
        &self,
        hash: ContentHash,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> io::Result<Option<bool>> {
        use std::io::Read as _;
        let mut file = File::open(self.blob_path(hash))?;
        let mut hasher = liverysync_core::hash::Hasher::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => return Ok(Some(hasher.finish() == hash)),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..count]);
            if !go_on(count) {
                return Ok(None);
            }
        }
    }

    /// What came half only is of no use: the state of its hash went with the process.
    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join("incoming"))? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// What is kept, least recently needed first. Files whose names are no digests are removed.
    fn list(&self) -> io::Result<Vec<StoredBlob>> {
        let mut kept = Vec::new();
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
                match self.kept(&entry)? {
                    Some(blob) => kept.push(blob),
                    None => fs::remove_file(entry.path())?,
                }
            }
        }
        kept.sort_by_key(|kept| (kept.needed, kept.content.hash));
        Ok(kept)
    }

    /// The content that a file holds; `None` if it is none of ours.
    fn kept(&self, entry: &fs::DirEntry) -> io::Result<Option<StoredBlob>> {
        let name = entry.file_name();
        let hash = name.to_str().and_then(|name| name.parse::<ContentHash>().ok());
        let Some(hash) = hash.filter(|hash| self.blob_path(*hash) == entry.path()) else {
            return Ok(None);
        };
        let metadata = entry.metadata()?;
        let content = Content { hash, size: metadata.len() };
        // Its server came to its end between making it and writing it.
        if content.size == 0 && content != Content::of(b"") {
            return Ok(None);
        }
        Ok(metadata.is_file().then_some(StoredBlob { content, needed: metadata.modified()? }))
    }
}

/// Whether a store's folder keeps a content, as far as its length tells. Its server may be running.
pub(crate) fn keeps(root: &Path, content: Content) -> bool {
    fs::metadata(blob_path(root, content.hash))
        .is_ok_and(|blob| blob.is_file() && blob.len() == content.size)
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

/// Takes a folder that was made just now. Its lock has its name only once it is held: without that, a
/// server that [sweeps](sweep) at this moment would take the folder for an orphan.
fn claim(root: &Path) -> io::Result<File> {
    let path = root.join("lock.new");
    let lock = File::options().create_new(true).write(true).open(&path)?;
    lock.lock()?;
    fs::rename(path, root.join(LOCK))?;
    Ok(lock)
}

/// Removes temporary stores whose servers were killed.
fn sweep(parent: &Path) {
    // Whatever cannot be seen or removed stays; that harms nobody, and a later start tries again.
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_orphan(&entry.path()) {
            let _left = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether nobody holds the lock of a store. One without a lock is just being made.
fn is_orphan(root: &Path) -> bool {
    let path = root.join(LOCK);
    // What is no file may be anybody's, and opening it may wait for ever.
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
    fn only_stores_that_nobody_holds_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let root = parent.path().join(name);
            fs::create_dir_all(root.join("blobs")).unwrap();
            root
        };
        let (held, orphan) = (make("liverysync-store-held"), make("liverysync-store-orphan"));
        let (young, other) = (make("liverysync-store-young"), make("somebody-elses"));
        fs::write(parent.path().join("liverysync-store-file"), "a file").unwrap();
        let lock = claim(&held).unwrap();
        drop(claim(&orphan).unwrap());
        drop(claim(&other).unwrap());
        sweep(parent.path());
        assert!(!orphan.exists());
        assert!(held.exists() && young.exists() && other.exists());
        assert!(parent.path().join("liverysync-store-file").exists());
        drop(lock);
        sweep(parent.path());
        assert!(!held.exists());
    }
}
