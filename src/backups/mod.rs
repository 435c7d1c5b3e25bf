//! Backups of files that were replaced on a driver's PC.
//!
//! Before a file is replaced or retired, a client keeps it in `.backup/<YYYYMMDD_HHMMSS>/<path>` below the liveries
//! folder. [`Backups`] lists these backup sets, restores their files, and deletes old ones. It may be used while a
//! client runs on the folder: the client takes a restored file for an edit by its driver.
//!
//! Nothing here follows or removes a link, and a file that no backup can have made is left alone. Texts are as on the
//! disk: [`escape`](fn@crate::escape) them before you show them.

mod prune;
mod restore;
pub(crate) mod sets;
mod show;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use liverysync_core::{
    backups::{Found, valid_files},
    hash::Content,
    own_folders::BACKUP_FOLDER,
    path::RelPath,
    pathmap::PathMap,
    select::{Listed, Skipped},
    text::escape,
    time::UnixTime,
};
use serde::Serialize;

#[doc(no_inline)]
pub use liverysync_core::backups::{Bounds, InvalidSetName, SetName, Wanted};

use self::sets::{date_of, folder_of};
pub use self::{
    prune::{FileTotals, PruneOptions, PruneReport, PrunedFile},
    restore::{RestoreReport, RestoredFile},
    show::{BackupContents, BackupFile, CurrentFile},
};
use crate::{
    disk::{
        ReadError,
        beneath::{Folder, below},
    },
    scan::hash_files,
    walk::{list, list_open},
    watch::WatchHandle,
};

/// The reason why backups cannot be listed or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupsError {
    /// A folder cannot be read.
    #[error("cannot read the folder {}", .path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// There is no backup set of this name, or it has no files.
    #[error("there is no backup set {0}")]
    NoSet(SetName),
    /// The set has nothing of a requested name.
    #[error("nothing in the backup set {set} is called `{}`", escape(.name))]
    NoMatch {
        /// The set.
        set: SetName,
        /// The requested name.
        name: String,
    },
}

/// A backup set: the files that were replaced at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupSet {
    /// The name of its folder.
    pub set: SetName,
    /// The time at which it was made, in seconds since 1970 UTC. Its name is in the local time of that moment.
    pub date: i64,
    /// The liveries that it has files of, in alphabetical order.
    pub liveries: Vec<String>,
    /// Number of files.
    pub files: u64,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
}

impl BackupSet {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        set: SetName,
        date: i64,
        liveries: Vec<String>,
        files: u64,
        bytes: u64,
    ) -> Self {
        Self { set, date, liveries, files, bytes }
    }
}

/// A file that is not a backup, or that nothing was done with, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftAlone {
    /// Its path below the set.
    pub path: String,
    /// The reason.
    pub reason: String,
}

impl LeftAlone {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(path: String, reason: String) -> Self {
        Self { path, reason }
    }
}

impl From<&Skipped> for LeftAlone {
    fn from(skipped: &Skipped) -> Self {
        Self { path: skipped.path.clone(), reason: skipped.reason.to_string() }
    }
}

/// The backups of a liveries folder, as they were when it was opened.
#[derive(Clone, Debug)]
pub struct Backups {
    root: PathBuf,
    sets: BTreeMap<SetName, Contents>,
}

/// The files of one set.
#[derive(Clone, Debug)]
struct Contents {
    date: UnixTime,
    files: PathMap<Found>,
    strange: Vec<Skipped>,
}

impl Backups {
    /// Lists the backups of the liveries folder `root`. Nothing is written.
    ///
    /// # Errors
    ///
    /// Fails if `root` is not a folder, or if its backups cannot be listed. A folder without backups is no error.
    pub fn open(root: &Path) -> Result<Self, BackupsError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| BackupsError::Unreadable { path, source }
        };
        let open = Folder::open(root).map_err(unreadable(root))?;
        let listed = list_backups(&open).map_err(unreadable(&root.join(BACKUP_FOLDER)))?;
        Ok(Self { root: root.to_owned(), sets: into_sets(listed) })
    }

    /// Returns the sets with wanted files, the newest first. Only wanted files are counted.
    #[must_use]
    pub fn list(&self, wanted: &Wanted) -> Vec<BackupSet> {
        let sets = self.sets.iter().rev();
        let sets = sets.map(|(name, contents)| contents.summary(name, wanted));
        sets.filter(|set| set.files > 0).collect()
    }

    /// Returns the set of this name, if it has everything that is wanted.
    fn set(&self, name: &SetName, wanted: &Wanted) -> Result<&Contents, BackupsError> {
        let contents = self.sets.get(name).ok_or_else(|| BackupsError::NoSet(name.clone()))?;
        match wanted.first_unmatched(contents.files.iter().map(|file| &file.path)) {
            None => Ok(contents),
            Some(unmatched) => {
                Err(BackupsError::NoMatch { set: name.clone(), name: unmatched.to_owned() })
            }
        }
    }

    /// Hashes files of sets.
    fn hash(&self, files: &[(&SetName, &Found)]) -> Vec<Result<Content, ReadError>> {
        let place = |(set, file): &(&SetName, &Found)| (below_of(set, &file.path), file.stamp);
        hash_files(&self.root, files.iter().map(place))
    }

    /// Lists the liveries folder, without liverysync's own folders.
    fn list_liveries(&self) -> Result<Vec<Listed>, BackupsError> {
        let path = &self.root;
        list(path, &WatchHandle::disabled())
            .map_err(|source| BackupsError::Unreadable { path: path.clone(), source })
    }
}

impl Contents {
    /// Returns the wanted files.
    fn wanted(&self, wanted: &Wanted) -> impl Iterator<Item = &Found> {
        self.files.iter().filter(|file| wanted.includes(&file.path))
    }

    /// Returns entries that are not backups, if the whole set or one of them is wanted.
    fn left_alone(&self, wanted: &Wanted) -> Vec<LeftAlone> {
        let strange = if *wanted == Wanted::default() { &*self.strange } else { &[] };
        strange.iter().map(LeftAlone::from).collect()
    }

    fn summary(&self, name: &SetName, wanted: &Wanted) -> BackupSet {
        let (date, _) = self.date.split();
        let none = BackupSet { set: name.clone(), date, liveries: Vec::new(), files: 0, bytes: 0 };
        let mut last = None;
        self.wanted(wanted).fold(none, |mut sum, file| {
            sum.files += 1;
            sum.bytes = sum.bytes.saturating_add(file.stamp.size);
            // In the order of keys, the files of one livery follow each other.
            if last.replace(file.path.key().livery()) != Some(file.path.key().livery()) {
                sum.liveries.push(file.path.livery().to_owned());
            }
            sum
        })
    }
}

/// Returns the path of a backup below the liveries folder.
fn below_of(set: &SetName, path: &RelPath) -> PathBuf {
    folder_of(set).join(below(path))
}

fn list_backups(root: &Folder) -> io::Result<Vec<Listed>> {
    match root.folder(Path::new(BACKUP_FOLDER)) {
        Ok(folder) => list_open(&folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn into_sets(listed: Vec<Listed>) -> BTreeMap<SetName, Contents> {
    let mut sets: BTreeMap<SetName, Vec<Listed>> = BTreeMap::new();
    for item in listed {
        if let Some((set, below)) = item.path.split_once('/')
            && let Ok(name) = set.parse()
        {
            let path = below.to_owned();
            sets.entry(name).or_default().push(Listed { path, ..item });
        }
    }
    let contents = |(name, listed): (SetName, Vec<Listed>)| {
        let (date, (files, strange)) = (date_of(&name)?, valid_files(listed));
        Some((name, Contents { date, files, strange }))
    };
    sets.into_iter().filter_map(contents).collect()
}
