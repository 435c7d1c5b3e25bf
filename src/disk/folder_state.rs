//! The files of the state folder about one liveries folder: its scan cache, its list of ignored liveries, and what it shares
//! with each league.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use liverysync_core::{
    client::{Role, recognize},
    hash::ContentHash,
};

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
                for extension in self.extensions(&before) {
                    let (old, new) = (self.file(&before, &extension), self.own(&extension));
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
        if let Some(before) = &was_moved {
            for extension in self.extensions(before).into_iter().chain([FOLDER.to_owned()]) {
                // Another client of this user may have been faster.
                let _gone = fs::remove_file(self.file(before, &extension));
            }
        }
        Ok(())
    }

    /// Returns the extensions of the files of a name that go with a folder.
    fn extensions(&self, name: &str) -> Vec<String> {
        // The list of leagues is the last one: a claim that is cut short begins again.
        let lists =
            leagues_in(&self.file(name, LEAGUES)).into_iter().map(|(server, _)| list_of(&server));
        let others = [CACHE, IGNORED, OBSTACLES].map(str::to_owned);
        others.into_iter().chain(lists).chain([LEAGUES.to_owned()]).collect()
    }

    /// Notes that a client of this folder is about to connect to a league, after a claim. Where an earlier version has
    /// synced the folder, the driver is not asked what to share: everything is the league's already.
    pub(crate) fn note_league(&self, server: &str, only: Option<Role>) -> io::Result<()> {
        if self.was_synced_before() && !self.shared(server).exists() {
            replace_whole(&self.shared(server), b"*\n")?;
        }
        let before = self.leagues();
        let mut now = vec![(server.to_owned(), only)];
        now.extend(before.iter().filter(|(other, _)| other != server).cloned());
        now.truncate(LEAGUES_MAX);
        if now == before {
            return Ok(());
        }
        let line = |(server, only): &(String, Option<Role>)| match only {
            Some(role) => format!("{server} {}\n", role.word()),
            None => format!("{server}\n"),
        };
        replace_whole(&self.own(LEAGUES), now.iter().map(line).collect::<String>().as_bytes())
    }

    /// Returns whether an earlier version has synced the folder, with whatever league: it noted none.
    pub(crate) fn was_synced_before(&self) -> bool {
        let cache = self.cache();
        !self.present(LEAGUES).exists() && cache.exists() && !is_small(&cache)
    }

    /// Returns the leagues of this folder, the last one first, with the only role that its client took there, if any.
    pub(crate) fn leagues(&self) -> Vec<(String, Option<Role>)> {
        leagues_in(&self.present(LEAGUES))
    }

    /// Returns the file with the liveries that are shared with a league.
    pub(crate) fn shared(&self, server: &str) -> PathBuf {
        self.present(&list_of(server))
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
/// The leagues that a client of this folder has connected to, one a line.
const LEAGUES: &str = "leagues";

/// Most leagues that are noted.
const LEAGUES_MAX: usize = 100;

/// Returns the extension of the file with the liveries that are shared with a league.
fn list_of(server: &str) -> String {
    format!("{}.share", ContentHash::of(server.as_bytes()).short())
}

fn leagues_in(file: &Path) -> Vec<(String, Option<Role>)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let leagues = text.lines().map(|line| match line.split_once(' ') {
        Some((server, word)) => {
            let roles = [Role::Source, Role::Target];
            (server.to_owned(), roles.into_iter().find(|role| role.word() == word))
        }
        None => (line.to_owned(), None),
    });
    leagues.collect()
}

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
