//! The backup set of one moment. A backup belongs to nobody else: it is a copy if the file has other names.

use std::{
    collections::BTreeSet,
    fs::File,
    io, iter,
    path::{Path, PathBuf},
};

use filetime::FileTime;
use liverysync_core::{
    backups::SetName, client::DiskFault, own_folders::BACKUP_FOLDER, select::Stamp, time::UnixTime,
};

use super::{
    beneath::{Folder, Identity, Place, What},
    error_fault, fault,
    install::{changed_meanwhile, retry},
    stage::{Stages, clone_into},
};
use crate::{
    backups::sets::{first_name, folder_of},
    scan::stamp_of,
};

pub(super) struct Backups<'a> {
    root: &'a Folder,
    stages: &'a Stages,
    /// The first name for a set of this moment.
    first: Option<SetName>,
    /// The folders whose lists of names have changed.
    pub(super) made: BTreeSet<PathBuf>,
}

impl<'a> Backups<'a> {
    pub(super) fn new(root: &'a Folder, stages: &'a Stages, date: UnixTime) -> Self {
        Self { root, stages, first: first_name(date), made: BTreeSet::new() }
    }

    /// Copies the file at `below` to the backup, as a link if it has no other name. Returns the path of the backup.
    pub(super) fn keep(&mut self, below: &Path) -> io::Result<PathBuf> {
        let (root, stages) = (self.root, self.stages);
        let from = root.place(below)?;
        self.put(below, |to| {
            if from.identity().is_ok_and(|identity| !identity.is_shared()) {
                match from.link_to(to) {
                    // FAT and many network folders have no links.
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
                    linked => return linked,
                }
            }
            let copy = copy(root, stages, &from)?;
            copy.move_to_free(to).inspect_err(|_| forget(&copy))
        })
    }

    /// Moves a staged file to the place of the backup, where it waits to be exchanged. Returns that path.
    pub(super) fn reserve(&mut self, staged: &Place, below: &Path) -> io::Result<PathBuf> {
        self.put(below, |to| staged.move_aside(to))
    }

    /// Moves the file with this stamp to the backup. What is there instead stays. Returns the path of the backup.
    pub(super) fn retire(&mut self, below: &Path, stamp: Stamp) -> Result<PathBuf, DiskFault> {
        let from = self.root.place(below).map_err(|error| error_fault(&error))?;
        if from.stamp()? != Some(stamp) {
            return Err(changed_meanwhile());
        }
        let moved = self.put(below, |to| match retry(|| from.move_aside(to)) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(()),
            moved => moved,
        });
        let path = moved.map_err(|error| error_fault(&error))?;
        let to = self.root.place(&path).map_err(|error| error_fault(&error))?;
        if to.find().map_err(|error| error_fault(&error))?.is_none() {
            return self.copy_and_remove(below, &from, stamp);
        }
        self.settle(&to, stamp).inspect_err(|_| {
            // If a new file has the name by now, this one stays in the backup.
            let _kept = to.move_to_free(&from);
        })?;
        Ok(path)
    }

    /// Does the same where the backups are on another disk.
    fn copy_and_remove(
        &mut self,
        below: &Path,
        from: &Place,
        stamp: Stamp,
    ) -> Result<PathBuf, DiskFault> {
        let path = self.keep(below).map_err(|error| error_fault(&error))?;
        if from.stamp()? != Some(stamp) {
            return Err(changed_meanwhile());
        }
        retry(|| from.remove()).map_err(|error| error_fault(&error))?;
        Ok(path)
    }

    /// Checks that the file that came to the backup is the expected one, and makes it the backup's own.
    pub(super) fn settle(&self, backup: &Place, stamp: Stamp) -> Result<(), DiskFault> {
        if backup.stamp() != Ok(Some(stamp)) {
            return Err(changed_meanwhile());
        }
        if backup.identity().is_ok_and(Identity::is_shared) {
            let own = copy(self.root, self.stages, backup);
            own.and_then(|own| own.rename_to(backup).inspect_err(|_| forget(&own)))
                .map_err(|error| no_backup(&error))?;
        }
        Ok(())
    }

    /// Moves the file at `below` to the backup, if there is one.
    pub(super) fn move_away(&mut self, below: &Path) -> Result<(), DiskFault> {
        match self.root.find(below).map_err(|error| error_fault(&error))? {
            Some(found) if found.what == What::File => self.retire(below, found.stamp).map(drop),
            _ => Ok(()),
        }
    }

    /// Finds a name that no earlier backup has: a file can be replaced twice within a second.
    fn put(
        &mut self,
        below: &Path,
        mut put: impl FnMut(&Place) -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        let full = |below: &Path| self.stages.root().join(below);
        for set in iter::successors(self.first.clone(), SetName::next) {
            let path = folder_of(&set).join(below);
            let made = &mut self.made;
            let place = self.root.place_made(&path, |folder| {
                made.extend(folder.parent().map(full));
            })?;
            match put(&place) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    self.made.extend(path.parent().map(full));
                    return result.map(|()| path);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Returns the fault if a backup could not be made.
pub(super) fn no_backup(error: &io::Error) -> DiskFault {
    let known = error_fault(error);
    let message =
        format!("no backup could be made, so the file was not replaced: {}", known.message);
    fault(known.kind, message)
}

/// Writes a path as it is told to people.
pub(super) fn told(path: &Path) -> String {
    let parts = path.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// Copies a file to a name of its own beside the backups, where a crash leaves it for the next start to remove.
pub(super) fn copy(root: &Folder, stages: &Stages, from: &Place) -> io::Result<Place> {
    let name = Path::new(BACKUP_FOLDER).join(stages.next_copy());
    let to = root.place_made(&name, |_| {})?;
    let copied = to.create().and_then(|target| copy_into(from, target));
    copied.inspect_err(|_| forget(&to))?;
    Ok(to)
}

fn copy_into(from: &Place, mut target: File) -> io::Result<()> {
    let mut source = from.open()?;
    let before = source.metadata()?;
    if !clone_into(&source, &target) {
        io::copy(&mut source, &mut target)?;
    }
    if stamp_of(&source.metadata()?) != stamp_of(&before) {
        return Err(io::Error::other(super::Changed));
    }
    let mtime = FileTime::from_last_modification_time(&before);
    filetime::set_file_handle_times(&target, None, Some(mtime))?;
    target.sync_all()
}

/// Removes a copy that nobody needs.
fn forget(copy: &Place) {
    // The next start removes it.
    let _left = copy.remove();
}

/// Removes copies that a crash left beside the backups.
pub(super) fn sweep(root: &Folder) -> io::Result<()> {
    let Ok(folder) = root.folder(Path::new(BACKUP_FOLDER)) else { return Ok(()) };
    for (name, found) in folder.entries()? {
        let is_ours = name.to_string_lossy().ends_with(super::stage::COPY);
        if is_ours && found.is_ok_and(|found| found.what == What::File) {
            folder.remove_file(&name)?;
        }
    }
    Ok(())
}
