//! Installs staged files. A name has its old or its new content at every instant, and what was replaced is in `.backup`.
//!
//! For each file: check that its target is unchanged, move the staged file to the place of the backup, and exchange the
//! two. What came out is looked at then: a file that was saved a moment ago goes back. A disk that cannot exchange names
//! links or copies the old file to the backup, and moves the new one over it. Everything is prepared before the first
//! switch, so that the files of a livery are switched within a moment.
//!
//! The caller flushes the folders whose names have changed before anything is reported.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind, InstallFile, Installed},
    path::RelPath,
    select::Stamp,
    time::UnixTime,
};

use super::{
    beneath::{Folder, Place, below},
    error_fault, fault,
    keep::{self, Backups, no_backup, told},
    stage::Stages,
};
use crate::scan::inspect;

/// The number of attempts while another program uses a file, and the pause that grows with each.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);

/// A file that is ready to be switched.
struct Prepared {
    file: InstallFile,
    backup: Option<Backup>,
    kept: bool,
}

/// The backup of a file that is about to be replaced, with its path below the root.
enum Backup {
    Made(PathBuf),
    /// The staged file waits in its place, to be exchanged.
    Reserved(PathBuf),
}

pub(super) fn install(
    stages: &Stages,
    date: UnixTime,
    files: Vec<InstallFile>,
    clear: &[PathBuf],
) -> (Vec<Result<Installed, DiskFault>>, BTreeSet<PathBuf>) {
    let root = match Folder::open(stages.root()) {
        Ok(root) => root,
        Err(error) => return (failed(files.len(), &error), BTreeSet::new()),
    };
    let mut work = Work {
        root: &root,
        stages,
        backups: Backups::new(&root, stages, date),
        touched: BTreeSet::new(),
    };
    let prepared: Vec<_> = files.into_iter().map(|file| work.prepare(file)).collect();
    let results: Vec<_> =
        prepared.into_iter().map(|prepared| prepared.and_then(|file| work.switch(file))).collect();
    let Work { mut backups, mut touched, .. } = work;
    if results.iter().any(Result::is_ok) {
        move_away(&mut backups, clear);
    }
    touched.extend(backups.made);
    (results, touched)
}

fn failed<T>(count: usize, error: &io::Error) -> Vec<Result<T, DiskFault>> {
    (0..count).map(|_| Err(error_fault(error))).collect()
}

fn move_away(backups: &mut Backups<'_>, clear: &[PathBuf]) {
    for below in clear {
        // The game's own cache cannot be moved away while the game uses it; it is harmless.
        let _kept = backups.move_away(below);
    }
}

/// Moves unchanged files to the backup folder, and removes the folders that are then empty.
pub(super) fn retire(
    stages: &Stages,
    date: UnixTime,
    files: &[(RelPath, Stamp)],
    clear: &[PathBuf],
) -> (Vec<Result<String, DiskFault>>, BTreeSet<PathBuf>) {
    let root = match Folder::open(stages.root()) {
        Ok(root) => root,
        Err(error) => return (failed(files.len(), &error), BTreeSet::new()),
    };
    let mut backups = Backups::new(&root, stages, date);
    let mut folders = BTreeSet::new();
    let mut move_to_backup = |path: &RelPath, stamp: Stamp| {
        let path = below(path);
        let backup = backups.retire(&path, stamp)?;
        // All folders on the way, without the file itself: each may be empty now.
        folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        Ok(told(&backup))
    };
    let retired: Vec<_> = files.iter().map(|(path, stamp)| move_to_backup(path, *stamp)).collect();
    if retired.iter().any(Result::is_ok) {
        move_away(&mut backups, clear);
    }
    let mut touched = backups.made;
    // The innermost folders come first. A folder that is not empty stays, and so does the root.
    for below in folders.iter().rev().filter(|below| !below.as_os_str().is_empty()) {
        let removed = root.place(below).and_then(|place| place.remove_folder());
        let folder = if removed.is_ok() { below.parent() } else { Some(below.as_path()) };
        touched.extend(folder.map(|folder| stages.root().join(folder)));
    }
    touched.retain(|folder| folder.is_dir());
    (retired, touched)
}

struct Work<'a> {
    root: &'a Folder,
    stages: &'a Stages,
    backups: Backups<'a>,
    /// The folders whose lists of names have changed.
    touched: BTreeSet<PathBuf>,
}

impl Work<'_> {
    fn prepare(&mut self, file: InstallFile) -> Result<Prepared, DiskFault> {
        let below = below(&file.path);
        if self.root.stamp(&below)? != file.replaces {
            return Err(changed_meanwhile());
        }
        let staged = self.staged(&file)?;
        if let Some(mtime) = file.mtime {
            let (seconds, nanos) = mtime.split();
            staged.set_mtime(seconds, nanos).map_err(|error| error_fault(&error))?;
        }
        self.make_folders(&below).map_err(|error| error_fault(&error))?;
        let mut prepared = Prepared { file, backup: None, kept: false };
        if prepared.file.replaces.is_some() {
            if let Some(keep_as) = &prepared.file.keep_as {
                let kept = self.copy_to_free_name(&below, keep_as);
                prepared.kept = kept.map_err(|error| error_fault(&error))?;
            }
            prepared.backup = Some(self.back_up(&staged, &below).map_err(|e| no_backup(&e))?);
        }
        Ok(prepared)
    }

    fn switch(&mut self, prepared: Prepared) -> Result<Installed, DiskFault> {
        let Prepared { file, backup, kept } = prepared;
        let below = below(&file.path);
        let failed = |error: io::Error| error_fault(&error);
        let (target, staged) = (self.root.place(&below).map_err(failed)?, self.staged(&file)?);
        let backup = match backup {
            None => {
                retry(|| staged.move_to_free(&target)).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => changed_meanwhile(),
                    _ => error_fault(&error),
                })?;
                None
            }
            Some(Backup::Made(path)) => {
                replace(&staged, &target, file.replaces)?;
                Some(path)
            }
            Some(Backup::Reserved(path)) => Some(self.exchange(&file, &staged, &target, path)?),
        };
        self.touch(&below);
        let stamp = target
            .stamp()?
            .ok_or_else(|| fault(DiskFaultKind::Changed, "the file was removed immediately"))?;
        let inspection = inspect(file.path.as_str(), target.open());
        Ok(Installed { stamp, backup: backup.as_deref().map(told), kept, inspection })
    }

    fn staged(&self, file: &InstallFile) -> Result<Place, DiskFault> {
        self.root.place(&self.stages.below(file.stage)).map_err(|error| error_fault(&error))
    }

    /// Makes a backup, or prepares it where the disk can exchange names.
    fn back_up(&mut self, staged: &Place, below: &Path) -> io::Result<Backup> {
        if self.stages.may_exchange
            && let Ok(path) = self.backups.reserve(staged, below)
        {
            return Ok(Backup::Reserved(path));
        }
        self.backups.keep(below).map(Backup::Made)
    }

    /// Exchanges a staged file, which waits in the place of the backup, and its target. Returns the path of the backup.
    fn exchange(
        &mut self,
        file: &InstallFile,
        staged: &Place,
        target: &Place,
        path: PathBuf,
    ) -> Result<PathBuf, DiskFault> {
        let backup = self.root.place(&path).map_err(|error| error_fault(&error))?;
        let new = backup.identity().map_err(|error| error_fault(&error))?;
        let mut done = false;
        let exchanged = retry(|| backup.exchange(target).map(|known| done = known));
        if done {
            let expected = file.replaces.ok_or_else(changed_meanwhile)?;
            return match self.backups.settle(&backup, expected) {
                Ok(()) => Ok(path),
                Err(why) => {
                    // What came out goes back. A file that is saved at this very moment stays in the backup.
                    match backup.exchange(target) {
                        Ok(_) if backup.identity().is_ok_and(|out| out.is(new)) => {
                            let _removed_later = backup.move_to_free(staged);
                        }
                        Ok(_) => {}
                        Err(_) => {
                            let _stays_in_the_backup = backup.move_to_free(target);
                        }
                    }
                    Err(why)
                }
            };
        }
        backup.move_to_free(staged).map_err(|error| error_fault(&error))?;
        match exchanged {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(changed_meanwhile()),
            Err(error) => Err(error_fault(&error)),
            Ok(()) => {
                let path = self.backups.keep(&below(&file.path)).map_err(|e| no_backup(&e))?;
                replace(staged, target, file.replaces)?;
                Ok(path)
            }
        }
    }

    /// Copies a file to a free name, which never has half a copy. Returns `false` if the name is taken.
    fn copy_to_free_name(&mut self, from: &Path, to: &RelPath) -> io::Result<bool> {
        let to = below(to);
        let copy = keep::copy(self.root, self.stages, &self.root.place(from)?)?;
        let named = self.root.place(&to).and_then(|place| copy.move_to_free(&place));
        self.touch(&to);
        if named.is_err() {
            copy.remove()?;
        }
        match named {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            named => named.map(|()| true),
        }
    }

    fn make_folders(&mut self, below: &Path) -> io::Result<()> {
        let (stages, touched) = (self.stages, &mut self.touched);
        let touch = |made: &Path| touched.extend(made.parent().map(|at| stages.root().join(at)));
        self.root.place_made(below, touch).map(drop)
    }

    fn touch(&mut self, below: &Path) {
        self.touched.extend(below.parent().map(|folder| self.stages.root().join(folder)));
    }
}

/// Moves a staged file over its target, of which there is a backup. The check is as close to the move as possible.
fn replace(staged: &Place, target: &Place, expected: Option<Stamp>) -> Result<(), DiskFault> {
    if target.stamp()? != expected {
        return Err(changed_meanwhile());
    }
    retry(|| staged.rename_to(target)).map_err(|error| error_fault(&error))
}

pub(super) fn changed_meanwhile() -> DiskFault {
    fault(
        DiskFaultKind::Changed,
        "the file was changed on this PC meanwhile, so it was not replaced",
    )
}

/// Retries while another program holds a file.
pub(super) fn retry(mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for number in 1..ATTEMPTS {
        match attempt() {
            Err(error) if is_temporary(&error) => thread::sleep(PAUSE * number),
            result => return result,
        }
    }
    attempt()
}

/// Returns `true` for an error that passes. Windows also reports "access denied" for a file that a virus scanner reads.
fn is_temporary(error: &io::Error) -> bool {
    error_fault(error).kind == DiskFaultKind::InUse
        || cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied
}
