//! The file of the scan cache.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::flush_folder;

use crate::private::make_folder;

/// The file of the scan cache; `None` without a state folder.
#[derive(Debug)]
pub(super) struct CacheFile(pub(super) Option<PathBuf>);

impl CacheFile {
    /// Returns the cache. It is empty if there is none or it cannot be read: that costs time, never a livery.
    pub(super) fn load(&self) -> Bytes {
        self.0.as_deref().and_then(|path| fs::read(path).ok()).unwrap_or_default().into()
    }

    /// Replaces the cache.
    pub(super) fn save(&self, text: &[u8]) -> io::Result<()> {
        // A liveries folder has one client, so nobody else writes under this name.
        self.0.as_deref().map_or(Ok(()), |path| replace_whole(path, text))
    }
}

/// Replaces a file of the state folder in one step, so that a reader finds the old or the new one and never half of it.
pub(crate) fn replace_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = fs::File::create(&new)?;
    file.write_all(bytes)?;
    // Otherwise a power cut may leave the new name with nothing in it.
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), flush_folder)
}
