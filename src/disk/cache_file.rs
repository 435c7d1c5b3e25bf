//! What the client remembers from run to run: one file outside the liveries folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use liverysync_core::hash::ContentHash;

/// Where it lies; `None` if nothing is to be remembered.
#[derive(Debug)]
pub(super) struct CacheFile(pub(super) Option<PathBuf>);

impl CacheFile {
    /// What was remembered; empty if nothing was, or if it cannot be read: that only costs time.
    pub(super) fn load(&self) -> Bytes {
        self.0.as_deref().and_then(|path| fs::read(path).ok()).unwrap_or_default().into()
    }

    /// Takes the place of what was remembered before, as a whole.
    pub(super) fn save(&self, text: &[u8]) -> io::Result<()> {
        // One client syncs a folder at a time, so nobody else writes under this name.
        self.0.as_deref().map_or(Ok(()), |path| replace_whole(path, text))
    }
}

/// Writes a file of the state folder in place of what was there, so that nobody ever reads half of it.
pub(crate) fn replace_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, bytes)?;
    fs::rename(&new, path)
}

/// The file in which the folder `state` keeps what is known of the liveries folder `root`.
pub(crate) fn cache_file(state: &Path, root: &Path) -> PathBuf {
    state_file(state, root, "files")
}

/// The file in which the folder `state` keeps the key of the client of the liveries folder `root`.
pub(crate) fn key_file(state: &Path, root: &Path) -> PathBuf {
    state_file(state, root, "key")
}

/// The file in which the folder `state` keeps which liveries are not wanted in the liveries folder `root`.
pub(crate) fn ignore_file(state: &Path, root: &Path) -> PathBuf {
    state_file(state, root, "ignore")
}

fn state_file(state: &Path, root: &Path, extension: &str) -> PathBuf {
    let name = ContentHash::of(root.as_os_str().as_encoded_bytes());
    state.join("clients").join(format!("{}.{extension}", name.short()))
}
