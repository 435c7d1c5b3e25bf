//! The files of the state folder about one liveries folder: its scan cache and its list of ignored liveries.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use liverysync_core::{client::recognize, hash::ContentHash};

use super::cache_file::replace_whole;
use crate::{walk::list, watch::WatchHandle};

/// The part of the state folder that has the files about liveries folders.
pub(crate) const CLIENTS_FOLDER: &str = "clients";

/// The largest scan cache that knows no file, in bytes.
const EMPTY_CACHE_BYTES: u64 = 160;

/// The files about one liveries folder. Their name is a digest of the folder's real path, so it does not depend on the
/// spelling that a user gives.
///
/// A folder without files here may have been moved, or may have been named after another spelling by an earlier version.
/// Then the files of before are found, and [`FolderState::claim`] takes them over.
#[derive(Clone, Debug)]
pub(crate) struct FolderState {
    clients: PathBuf,
    /// The folder's real path.
    folder: PathBuf,
    /// The name of its files.
    name: String,
    /// The name of the files of before.
    before: Option<String>,
}

impl FolderState {
    /// Finds the files about the folder `liveries`, and writes nothing.
    pub(crate) fn find(state: &Path, liveries: &Path) -> io::Result<Self> {
        let given = std::path::absolute(liveries)?;
        // A folder that does not exist has no real path, and no client.
        let folder = liveries.canonicalize().unwrap_or_else(|_| given.clone());
        let clients = state.join(CLIENTS_FOLDER);
        let name = name_of(&folder);
        let mut found = Self { clients, folder, name, before: None };
        if !found.has_own() {
            found.before = found.other_spelling(&given).or_else(|| found.before_move());
        }
        Ok(found)
    }

    /// Takes over the files of before. A file that is there already stays.
    pub(crate) fn claim(&mut self) -> io::Result<()> {
        let was_moved = match self.before.take() {
            Some(before) => {
                for extension in [CACHE, IGNORED, OBSTACLES] {
                    let (old, new) = (self.file(&before, extension), self.own(extension));
                    let is_needed = !new.exists() || (extension == CACHE && is_small(&new));
                    if is_needed && old.exists() {
                        replace_whole(&new, &fs::read(old)?)?;
                    }
                }
                // Its folder was recorded and is gone. Where none was recorded, it may still be in use.
                self.file(&before, FOLDER).exists().then_some(before)
            }
            None => None,
        };
        if let Some(folder) = self.folder.to_str()
            && fs::read(self.own(FOLDER)).ok().as_deref() != Some(folder.as_bytes())
        {
            replace_whole(&self.own(FOLDER), folder.as_bytes())?;
        }
        for extension in [CACHE, IGNORED, OBSTACLES, FOLDER] {
            if let Some(before) = &was_moved {
                // Another client of this user may have been faster.
                let _gone = fs::remove_file(self.file(before, extension));
            }
        }
        Ok(())
    }

    /// Returns the file of the scan cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.present(CACHE)
    }

    /// Returns the file with the ignored liveries.
    pub(crate) fn ignored(&self) -> PathBuf {
        self.present(IGNORED)
    }

    fn present(&self, extension: &str) -> PathBuf {
        self.file(self.before.as_ref().unwrap_or(&self.name), extension)
    }

    fn own(&self, extension: &str) -> PathBuf {
        self.file(&self.name, extension)
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.clients.join(format!("{name}.{extension}"))
    }

    /// Returns whether there are files of its own. A cache without files does not count: a client may have started in the
    /// new place of a folder before its files were there.
    fn has_own(&self) -> bool {
        let cache = self.own(CACHE);
        self.own(IGNORED).exists() || (cache.exists() && !is_small(&cache))
    }

    /// Returns the name that an earlier version gave the files of this folder, which depends on the spelling.
    fn other_spelling(&self, given: &Path) -> Option<String> {
        let spellings = [given.to_owned(), self.folder.clone(), plain(&self.folder)];
        let spellings = spellings.iter().flat_map(|path| {
            let without: PathBuf = path.components().collect();
            [without.join(""), without]
        });
        let names = spellings.map(|path| name_of(&path)).filter(|name| *name != self.name);
        let found = names.filter_map(|name| Some((self.written(&name)?, name)));
        found.filter(|(_, name)| !self.file(name, FOLDER).exists()).max().map(|(_, name)| name)
    }

    /// Returns the time at which the files of a name were written last; `None` if there are none.
    fn written(&self, name: &str) -> Option<SystemTime> {
        let files = [CACHE, IGNORED].map(|extension| self.file(name, extension));
        files.iter().filter_map(|file| fs::metadata(file).ok()?.modified().ok()).max()
    }

    /// Returns the name of the files about the folder that this one was before it was moved.
    fn before_move(&self) -> Option<String> {
        let listed = list(&self.folder, &WatchHandle::disabled()).ok()?;
        let names = fs::read_dir(&self.clients).ok()?.filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_cache = path.extension().is_some_and(|extension| extension == CACHE);
            is_cache.then(|| path.file_stem()?.to_str().map(str::to_owned))?
        });
        let mut names: Vec<_> = names.filter(|name| *name != self.name).collect();
        names.sort_by_key(|name| (self.written(name), name.clone()));
        names.reverse();
        let caches = names.into_iter().filter_map(|name| {
            let cache = fs::read(self.file(&name, CACHE)).ok()?;
            self.may_have_moved(&name, &cache).then_some((name, cache))
        });
        let (names, caches): (Vec<_>, Vec<_>) = caches.unzip();
        let at = recognize(caches.iter().map(Vec::as_slice), &listed)?;
        names.into_iter().nth(at)
    }

    /// Returns whether the folder of a cache is no longer where it was, as far as is known.
    fn may_have_moved(&self, name: &str, cache: &[u8]) -> bool {
        let Ok(place) = fs::read_to_string(self.file(name, FOLDER)) else { return true };
        match list(Path::new(&place), &WatchHandle::disabled()) {
            Ok(listed) => recognize([cache], &listed).is_none(),
            Err(_) => true,
        }
    }
}

/// The extensions of the files.
const CACHE: &str = "files";
const IGNORED: &str = "ignore";
/// Written beside the cache: the reasons why files could not be installed.
const OBSTACLES: &str = "obstacles";
/// The folder's real path.
const FOLDER: &str = "folder";

fn name_of(path: &Path) -> String {
    ContentHash::of(path.as_os_str().as_encoded_bytes()).short()
}

fn is_small(cache: &Path) -> bool {
    fs::metadata(cache).is_ok_and(|found| found.len() <= EMPTY_CACHE_BYTES)
}

/// Returns a real path as people write it: Windows puts `\\?\` before the drive.
fn plain(path: &Path) -> PathBuf {
    path.to_str()
        .and_then(|text| text.strip_prefix(r"\\?\"))
        .map_or_else(|| path.into(), Into::into)
}
