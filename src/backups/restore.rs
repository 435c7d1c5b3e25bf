//! Restoring files of a backup set.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use liverysync_core::{
    backups::{Found, SetName, Wanted, stale_beside, target, valid_files},
    client::{DiskFault, Installed},
    path::RelPath,
    pathmap::PathMap,
    select::Listed,
};
use serde::Serialize;

use super::{Backups, BackupsError, CurrentFile, LeftAlone, sets::folder_of, show::Compared};
use crate::{
    clock::unix_time,
    disk::{RestoreFile, Restorer, beneath::Folder},
};

/// A file that was restored, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoredFile {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// It replaces another file.
    pub replaced: bool,
    /// The backup of the replaced file, below the liveries folder; `None` in a dry run, and if nothing was replaced.
    pub backup: Option<String>,
}

impl RestoredFile {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(path: String, bytes: u64, replaced: bool, backup: Option<String>) -> Self {
        Self { path, bytes, replaced, backup }
    }
}

/// The result of [`Backups::restore`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The set. It is unchanged.
    pub set: SetName,
    /// Nothing was restored: this was a dry run.
    pub dry_run: bool,
    /// The restored files.
    pub restored: Vec<RestoredFile>,
    /// Caches of the game for replaced files, which were moved to the new backup. Their paths are below the liveries
    /// folder.
    pub moved_away: Vec<String>,
    /// Files that are in place already, with the same content.
    pub same: Vec<String>,
    /// Files that were not restored. The files in their places are unchanged.
    pub failed: Vec<LeftAlone>,
}

impl RestoreReport {
    /// Makes a report of nothing, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(set: SetName, dry_run: bool) -> Self {
        Self {
            set,
            dry_run,
            restored: Vec::new(),
            moved_away: Vec::new(),
            same: Vec::new(),
            failed: Vec::new(),
        }
    }
}

impl Backups {
    /// Restores files of a backup set. Files that they replace are moved to a new set first. The files of one livery
    /// are switched together, after all of them have been copied and checked; if one of them fails, none is switched.
    /// The set itself is unchanged. A `dry_run` changes nothing.
    ///
    /// Folders get the spelling that they have on this PC now, and files keep their modification times.
    ///
    /// # Errors
    ///
    /// Fails before anything is changed if there is no such set, if it lacks something that is wanted, or if the
    /// liveries folder cannot be listed. Files that cannot be restored are in [`RestoreReport::failed`].
    pub fn restore(
        &self,
        set: &SetName,
        wanted: &Wanted,
        dry_run: bool,
    ) -> Result<RestoreReport, BackupsError> {
        let failed = self.set(set, wanted)?.left_alone(wanted);
        let listed = self.list_liveries()?;
        let (now, _) = valid_files(listed.clone());
        let compared = self.compare(set, wanted, &now)?;
        let mut work = Work {
            set,
            root: &self.root,
            listed: &listed,
            put_back: (!dry_run).then(|| Restorer::new(&self.root, unix_time(SystemTime::now()))),
            done: RestoreReport {
                set: set.clone(),
                dry_run,
                restored: Vec::new(),
                moved_away: Vec::new(),
                same: Vec::new(),
                failed,
            },
        };
        let livery = |one: &Compared<'_>| one.file.path.key().livery().to_owned();
        for files in compared.chunk_by(|a, b| livery(a) == livery(b)) {
            work.livery(files, &now);
        }
        Ok(work.done)
    }
}

/// The state of a run.
struct Work<'a> {
    set: &'a SetName,
    root: &'a Path,
    listed: &'a [Listed],
    /// It is `None` in a dry run.
    put_back: Option<Restorer>,
    done: RestoreReport,
}

impl Work<'_> {
    /// Restores the files of one livery, all or none.
    fn livery(&mut self, files: &[Compared<'_>], now: &PathMap<Found>) {
        let (same, differing): (Vec<_>, Vec<_>) =
            files.iter().partition(|one| one.now == CurrentFile::Same);
        self.done.same.extend(same.iter().map(|one| one.file.path.as_str().to_owned()));
        let copies: Vec<_> = differing.iter().map(|one| self.copy(one, now)).collect();
        if copies.iter().all(Result::is_ok) {
            self.put_back(&copies.into_iter().flatten().collect::<Vec<_>>());
            return;
        }
        let failed = differing.iter().zip(copies).map(|(one, copy)| LeftAlone {
            path: one.file.path.as_str().to_owned(),
            reason: copy.err().unwrap_or_else(|| "stays with the rest of its livery".to_owned()),
        });
        self.done.failed.extend(failed);
    }

    /// Returns how to restore a file, or the reason why it cannot be restored.
    fn copy(&self, one: &Compared<'_>, now: &PathMap<Found>) -> Result<RestoreFile, String> {
        let content = one.content.clone()?;
        let target = target(&one.file.path, now).map_err(|in_the_way| in_the_way.to_string())?;
        let below: PathBuf = one.file.path.components().collect();
        Ok(RestoreFile {
            from: folder_of(self.set).join(below),
            stamp: one.file.stamp,
            content,
            path: target.path,
            replaces: target.there,
        })
    }

    fn put_back(&mut self, copies: &[RestoreFile]) {
        if copies.is_empty() {
            return;
        }
        let arriving: Vec<RelPath> = copies.iter().map(|copy| copy.path.clone()).collect();
        let stale = stale_beside(&arriving, self.listed);
        match &mut self.put_back {
            None => {
                self.done.restored.extend(copies.iter().map(|copy| told(copy, None)));
                self.done.moved_away.extend(stale);
            }
            Some(put_back) => {
                let clear: Vec<_> = stale.iter().map(PathBuf::from).collect();
                let outcomes = put_back.install(copies, &clear);
                copies.iter().zip(outcomes).for_each(|(copy, outcome)| self.settle(copy, outcome));
                let root = Folder::open(self.root);
                let found = |path: &String| root.as_ref().map(|root| root.find(Path::new(path)));
                let is_gone = |path: &String| matches!(found(path), Ok(Ok(None)));
                self.done.moved_away.extend(stale.into_iter().filter(is_gone));
            }
        }
    }

    fn settle(&mut self, copy: &RestoreFile, outcome: Result<Installed, DiskFault>) {
        match outcome {
            Ok(installed) => self.done.restored.push(told(copy, installed.backup)),
            Err(fault) => {
                let (path, reason) = (copy.path.as_str().to_owned(), fault.message);
                self.done.failed.push(LeftAlone { path, reason });
            }
        }
    }
}

fn told(copy: &RestoreFile, backup: Option<String>) -> RestoredFile {
    RestoredFile {
        path: copy.path.as_str().to_owned(),
        bytes: copy.content.size,
        replaced: copy.replaces.is_some(),
        backup,
    }
}
