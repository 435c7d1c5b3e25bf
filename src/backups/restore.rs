//! Putting files of a set back in place.

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

use super::{Backups, BackupsError, FOLDER, LeftAlone, Now, show::Compared};
use crate::{
    clock::unix_time,
    disk::{BackupFile, Restorer},
};

/// A file that was put back, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoredFile {
    /// Where it lies now.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Whether another file lay there.
    pub replaced: bool,
    /// Where what it replaced lies now, below the liveries folder; `None` if nothing was replaced, or only would be.
    pub backup: Option<String>,
}

/// What came of putting files back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The set that they come from. It holds what it held.
    pub set: SetName,
    /// Whether it was only asked what would be done.
    pub dry_run: bool,
    /// What was put back.
    pub restored: Vec<RestoredFile>,
    /// What was moved to the new backup besides, because the game made it of what lay there before: paths below
    /// the liveries folder.
    pub moved_away: Vec<String>,
    /// What lay in place already, with the same content.
    pub same: Vec<String>,
    /// What was not put back; what lay there still does.
    pub failed: Vec<LeftAlone>,
}

impl Backups {
    /// Puts files of a set back in place. What they replace goes to a new set first. Files of one livery are
    /// switched together, once all of them have been copied and checked; if one cannot be, none is. Nothing is removed
    /// from the set. With `dry_run` nothing is changed.
    ///
    /// Names are followed as this PC spells them now, and modification times come back with the files.
    ///
    /// # Errors
    ///
    /// Fails before anything is done if there is no such set, if it does not hold all that is wanted, or if
    /// the liveries folder cannot be listed. A file that cannot be put back is told in [`Restored::failed`].
    pub fn restore(
        &self,
        set: &SetName,
        wanted: &Wanted,
        dry_run: bool,
    ) -> Result<Restored, BackupsError> {
        let failed = self.set(set, wanted)?.left_alone(wanted);
        let listed = self.list_liveries()?;
        let (now, _) = valid_files(listed.clone());
        let compared = self.compare(set, wanted, &now)?;
        let mut work = Work {
            set,
            root: &self.root,
            listed: &listed,
            put_back: (!dry_run).then(|| Restorer::new(&self.root, unix_time(SystemTime::now()))),
            done: Restored {
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

/// What is known and done while a set is put back.
struct Work<'a> {
    set: &'a SetName,
    root: &'a Path,
    listed: &'a [Listed],
    /// `None` where nothing may be changed.
    put_back: Option<Restorer>,
    done: Restored,
}

impl Work<'_> {
    /// Puts the files of one livery back, all or none.
    fn livery(&mut self, files: &[Compared<'_>], now: &PathMap<Found>) {
        let (same, differing): (Vec<_>, Vec<_>) =
            files.iter().partition(|one| one.now == Now::Same);
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

    /// What there is to do for a file, or why it cannot be done.
    fn copy(&self, one: &Compared<'_>, now: &PathMap<Found>) -> Result<BackupFile, String> {
        let content = one.content.clone()?;
        let target = target(&one.file.path, now).map_err(|in_the_way| in_the_way.to_string())?;
        let below: PathBuf = one.file.path.components().collect();
        Ok(BackupFile {
            from: Path::new(FOLDER).join(self.set.to_string()).join(below),
            stamp: one.file.stamp,
            content,
            path: target.path,
            replaces: target.there,
        })
    }

    fn put_back(&mut self, copies: &[BackupFile]) {
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
                let is_gone = |path: &String| self.root.join(path).symlink_metadata().is_err();
                self.done.moved_away.extend(stale.into_iter().filter(is_gone));
            }
        }
    }

    fn settle(&mut self, copy: &BackupFile, outcome: Result<Installed, DiskFault>) {
        match outcome {
            Ok(installed) => self.done.restored.push(told(copy, installed.backup)),
            Err(fault) => {
                let (path, reason) = (copy.path.as_str().to_owned(), fault.message);
                self.done.failed.push(LeftAlone { path, reason });
            }
        }
    }
}

fn told(copy: &BackupFile, backup: Option<String>) -> RestoredFile {
    RestoredFile {
        path: copy.path.as_str().to_owned(),
        bytes: copy.content.size,
        replaced: copy.replaces.is_some(),
        backup,
    }
}
