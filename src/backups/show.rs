//! Comparing a backup set with the files in place.

use liverysync_core::{
    backups::{Found, SetName, Wanted, target, valid_files},
    hash::{Content, ContentHash},
    pathmap::PathMap,
    select::Stamp,
};
use serde::Serialize;

use super::{Backups, BackupsError, LeftAlone};
use crate::{
    disk::beneath::{Folder, below},
    scan::hash_files,
};

/// A comparison of a backup with the file in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CurrentFile {
    /// The file has the same content.
    Same,
    /// Another content is there, or a folder or link.
    Another,
    /// Nothing is there.
    Nothing,
    /// The file cannot be read.
    Unreadable,
}

/// A file of a backup set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupFile {
    /// Its path below the set, and below the liveries folder.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its content.
    pub sha256: ContentHash,
    /// The file in its place.
    pub now: CurrentFile,
}

impl BackupFile {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(path: String, bytes: u64, sha256: ContentHash, now: CurrentFile) -> Self {
        Self { path, bytes, sha256, now }
    }
}

/// The files of a backup set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupContents {
    /// The set.
    pub set: SetName,
    /// Its files, in the order of their paths.
    pub files: Vec<BackupFile>,
    /// Entries that are not backups or cannot be read. They are listed only if the whole set or they themselves are
    /// wanted.
    pub left_alone: Vec<LeftAlone>,
}

impl BackupContents {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(set: SetName, files: Vec<BackupFile>, left_alone: Vec<LeftAlone>) -> Self {
        Self { set, files, left_alone }
    }
}

/// A file of a set with its content, or the reason why it cannot be read.
pub(super) struct Compared<'a> {
    pub(super) file: &'a Found,
    pub(super) content: Result<Content, String>,
    pub(super) now: CurrentFile,
}

impl Backups {
    /// Returns the wanted files of a set, compared with the files in their places. Reads all of them.
    ///
    /// # Errors
    ///
    /// Fails if there is no such set, if it lacks something that is wanted, or if the liveries folder cannot be listed.
    pub fn show(&self, set: &SetName, wanted: &Wanted) -> Result<BackupContents, BackupsError> {
        let left_alone = self.set(set, wanted)?.left_alone(wanted);
        let mut shown = BackupContents { set: set.clone(), files: Vec::new(), left_alone };
        let (now, _) = valid_files(self.list_liveries()?);
        for Compared { file, content, now } in self.compare(set, wanted, &now)? {
            let path = file.path.as_str().to_owned();
            match content {
                Ok(Content { hash: sha256, size: bytes }) => {
                    shown.files.push(BackupFile { path, bytes, sha256, now });
                }
                Err(reason) => shown.left_alone.push(LeftAlone { path, reason }),
            }
        }
        Ok(shown)
    }

    /// Reads the wanted files of a set, and the files in their places.
    pub(super) fn compare(
        &self,
        set: &SetName,
        wanted: &Wanted,
        now: &PathMap<Found>,
    ) -> Result<Vec<Compared<'_>>, BackupsError> {
        let files: Vec<_> = self.set(set, wanted)?.wanted(wanted).collect();
        let in_set: Vec<_> = files.iter().map(|file| (set, *file)).collect();
        let read = files.into_iter().zip(self.hash(&in_set));
        let compared = read.map(|(file, content)| {
            let content = content.map_err(|error| format!("cannot be read: {error}"));
            Compared { file, content, now: CurrentFile::Another }
        });
        let mut compared: Vec<_> = compared.collect();
        self.compare_with_current(&mut compared, now);
        Ok(compared)
    }

    /// Compares files with those in their places. Only files of the same size are read.
    fn compare_with_current(&self, compared: &mut [Compared<'_>], now: &PathMap<Found>) {
        let mut as_long = Vec::new();
        let root = Folder::open(&self.root);
        let is_free = |path: &liverysync_core::path::RelPath| {
            root.as_ref().is_ok_and(|root| matches!(root.find(&below(path)), Ok(None)))
        };
        for one in compared.iter_mut() {
            match target(&one.file.path, now).map(|target| (target.there, target.path)) {
                Ok((Some(Stamp { size, .. }), _)) if size != one.file.stamp.size => {}
                Ok((Some(stamp), path)) => {
                    as_long.push((one, (below(&path), stamp)));
                }
                Ok((None, path)) if is_free(&path) => {
                    one.now = CurrentFile::Nothing;
                }
                // A link or a folder is there.
                Ok((None, _)) | Err(_) => {}
            }
        }
        let hashed = hash_files(&self.root, as_long.iter().map(|(_, place)| place.clone()));
        for ((one, _), content) in as_long.into_iter().zip(hashed) {
            one.now = match content {
                Ok(content) if one.content == Ok(content) => CurrentFile::Same,
                Ok(_) => CurrentFile::Another,
                Err(_) => CurrentFile::Unreadable,
            };
        }
    }
}
