//! What a set holds, beside what lies in place now.

use liverysync_core::{
    backups::{Found, SetName, Wanted, target, valid_files},
    hash::{Content, ContentHash},
    pathmap::PathMap,
    select::Stamp,
};
use serde::Serialize;

use super::{Backups, BackupsError, LeftAlone};
use crate::{disk::full_path, scan::hash_files};

/// What lies now where a file of a backup lay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Now {
    /// The same content.
    Same,
    /// Another content, or what is no file.
    Another,
    /// Nothing.
    Nothing,
    /// A file that cannot be read.
    Unreadable,
}

/// A file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownFile {
    /// Its path below the set, and below the liveries folder.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: ContentHash,
    /// What lies in its place now.
    pub now: Now,
}

/// What a set holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The set.
    pub set: SetName,
    /// Its files, in the order of their paths.
    pub files: Vec<ShownFile>,
    /// What is no file of a backup or cannot be read; named only when the whole set is wanted, or when it is
    /// wanted itself.
    pub left_alone: Vec<LeftAlone>,
}

/// A file of a set with what it holds, or why that cannot be read.
pub(super) struct Compared<'a> {
    pub(super) file: &'a Found,
    pub(super) content: Result<Content, String>,
    pub(super) now: Now,
}

impl Backups {
    /// The files of a set that are wanted, and what lies in their places now. Reads them all.
    ///
    /// # Errors
    ///
    /// Fails if there is no such set, if it does not hold what is wanted, or if the liveries folder cannot be
    /// listed.
    pub fn show(&self, set: &SetName, wanted: &Wanted) -> Result<Shown, BackupsError> {
        let left_alone = self.set(set, wanted)?.left_alone(wanted);
        let mut shown = Shown { set: set.clone(), files: Vec::new(), left_alone };
        let (now, _) = valid_files(self.list_liveries()?);
        for Compared { file, content, now } in self.compare(set, wanted, &now)? {
            let path = file.path.as_str().to_owned();
            match content {
                Ok(Content { hash: sha256, size: bytes }) => {
                    shown.files.push(ShownFile { path, bytes, sha256, now });
                }
                Err(reason) => shown.left_alone.push(LeftAlone { path, reason }),
            }
        }
        Ok(shown)
    }

    /// Reads the files of a set that are wanted, and those in their places.
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
            Compared { file, content, now: Now::Another }
        });
        let mut compared: Vec<_> = compared.collect();
        self.look_at_places(&mut compared, now);
        Ok(compared)
    }

    /// Finds out what lies in the places of files. Only what is as long is read.
    fn look_at_places(&self, compared: &mut [Compared<'_>], now: &PathMap<Found>) {
        let mut as_long = Vec::new();
        for one in compared.iter_mut() {
            match target(&one.file.path, now).map(|target| (target.there, target.path)) {
                Ok((Some(Stamp { size, .. }), _)) if size != one.file.stamp.size => {}
                Ok((Some(stamp), path)) => {
                    as_long.push((one, (full_path(&self.root, &path), stamp)));
                }
                Ok((None, path)) if full_path(&self.root, &path).symlink_metadata().is_err() => {
                    one.now = Now::Nothing;
                }
                // A link, or a folder, lies there.
                Ok((None, _)) | Err(_) => {}
            }
        }
        let hashed = hash_files(as_long.iter().map(|(_, place)| place.clone()));
        for ((one, _), content) in as_long.into_iter().zip(hashed) {
            one.now = match content {
                Ok(content) if one.content == Ok(content) => Now::Same,
                Ok(_) => Now::Another,
                Err(_) => Now::Unreadable,
            };
        }
    }
}
