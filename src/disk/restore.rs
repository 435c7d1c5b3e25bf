//! Restores files from backups, in the same steps as downloads are installed.

use std::path::{Path, PathBuf};

use liverysync_core::{
    client::{DiskFault, InstallFile, Installed, StageId},
    hash::Content,
    path::RelPath,
    select::Stamp,
    time::UnixTime,
};

use super::{
    Changed, ReadError,
    beneath::Folder,
    error_fault, fault,
    flush::Flush,
    install::install,
    stage::{Stages, remove_empty_folder},
};

/// A file of a backup, and its target.
#[derive(Clone, Debug)]
pub(crate) struct RestoreFile {
    /// Its path below the root.
    pub(crate) from: PathBuf,
    /// Its stamp when it was hashed.
    pub(crate) stamp: Stamp,
    /// Its content.
    pub(crate) content: Content,
    /// The path that it is restored to.
    pub(crate) path: RelPath,
    /// The stamp of the file that it replaces, which gets a backup of its own; `None` if the path must be free.
    pub(crate) replaces: Option<Stamp>,
}

/// Restores files of backups. Its staged files are removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Restorer {
    root: PathBuf,
    stages: Stages,
    date: UnixTime,
    next: u64,
}

impl Restorer {
    /// Makes one that names the backup of replaced files by `date`.
    pub(crate) fn new(root: &Path, date: UnixTime) -> Self {
        Self { root: root.to_owned(), stages: Stages::new(root), date, next: 0 }
    }

    /// Restores files together: if one of them cannot be staged, none is switched. Returns the durable outcome of each,
    /// in the same order. Moves the files at `clear` to the backup.
    pub(crate) fn install(
        &mut self,
        files: &[RestoreFile],
        clear: &[PathBuf],
    ) -> Vec<Result<Installed, DiskFault>> {
        let staged: Result<Vec<_>, _> = files.iter().map(|file| self.stage(file)).collect();
        let files_in_place = match staged {
            Ok(staged) => staged,
            Err(why) => {
                self.stages.remove_staged();
                return files.iter().map(|_| Err(why.clone())).collect();
            }
        };
        let (installed, touched) = install(&self.stages, self.date, files_in_place, clear);
        match Flush::Folders(touched).carry_out() {
            Ok(()) => installed,
            Err(error) => {
                let why = error_fault(&error);
                installed.into_iter().map(|done| done.and(Err(why.clone()))).collect()
            }
        }
    }

    fn stage(&mut self, file: &RestoreFile) -> Result<InstallFile, DiskFault> {
        self.stage_file(file).map_err(|known| {
            let path = &file.path;
            let message = format!("nothing was replaced: cannot copy {path}: {}", known.message);
            fault(known.kind, message)
        })
    }

    fn stage_file(&mut self, file: &RestoreFile) -> Result<InstallFile, DiskFault> {
        let stage = StageId(self.next);
        self.next += 1;
        let (content, flush) = self.stages.copy_below(stage, &file.from)?;
        let root = Folder::open(&self.root).map_err(|error| error_fault(&error))?;
        if content != file.content || root.stamp(&file.from)? != Some(file.stamp) {
            return Err(ReadError::from(Changed).into());
        }
        flush.carry_out().map_err(|error| error_fault(&error))?;
        let (mtime, replaces) = (Some(file.stamp.mtime), file.replaces);
        Ok(InstallFile { stage, path: file.path.clone(), mtime, replaces, keep_as: None })
    }
}

impl Drop for Restorer {
    fn drop(&mut self) {
        self.stages.remove_staged();
        remove_empty_folder(&self.root);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use liverysync_core::path::Extensions;

    use super::*;

    /// Restores `a.png` and `b.png`, and claims that the backup of `b.png` holds `said`.
    fn restore(said: &[u8]) -> (tempfile::TempDir, Vec<Result<Installed, DiskFault>>) {
        let root = tempfile::tempdir().unwrap();
        let set = Path::new(".backup/20200101_120000");
        fs::create_dir_all(root.path().join(set)).unwrap();
        let copy = |name: &str, content| {
            let from = set.join(name);
            fs::write(root.path().join(&from), "old").unwrap();
            let stamp = Folder::open(root.path()).unwrap().stamp(&from).unwrap().unwrap();
            let path = RelPath::parse(name, &Extensions::default()).unwrap();
            RestoreFile { from, stamp, content, path, replaces: None }
        };
        let copies = [copy("a.png", Content::of(b"old")), copy("b.png", Content::of(said))];
        let date = UnixTime::from_nanos(1_700_000_000_000_000_000);
        let outcomes = Restorer::new(root.path(), date).install(&copies, &[]);
        (root, outcomes)
    }

    #[test]
    fn no_file_is_switched_unless_all_are_right() {
        let (root, outcomes) = restore(b"old");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(fs::read(root.path().join("b.png")).unwrap(), b"old");

        let (root, outcomes) = restore(b"another");
        let said = outcomes.into_iter().map(|outcome| outcome.unwrap_err().message);
        assert!(said.clone().count() == 2 && said.into_iter().all(|text| text.contains("b.png")));
        let names = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(names.eq([".backup"]), "nothing is in place, and nothing is left in .tmp");
    }
}
