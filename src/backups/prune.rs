//! Deleting old backups, but never the last copy of a content.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use liverysync_core::{
    backups::{Bounds, Cut, FRESH, Found, Held, SetName, Stays, cut, lengths, valid_files},
    hash::Content,
    own_folders::BACKUP_FOLDER,
    select::Stamp,
    time::UnixTime,
};
use serde::Serialize;

use super::{Backups, BackupsError, LeftAlone, below_of, sets::date_of};
use crate::{
    clock::unix_time,
    disk::{
        Changed,
        beneath::{Folder, What, below},
    },
    scan::hash_files,
};

/// The options of [`Backups::prune`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PruneOptions {
    /// The age and size to keep.
    pub bounds: Bounds,
    /// Contents that are kept outside of this PC for good. Their backups may be deleted too.
    pub elsewhere: BTreeSet<Content>,
    /// Report what would be deleted, and delete nothing.
    pub dry_run: bool,
}

/// A number of files and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileTotals {
    /// Number of files.
    pub files: u64,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
}

impl FileTotals {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(files: u64, bytes: u64) -> Self {
        Self { files, bytes }
    }

    const fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A file that was deleted, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PrunedFile {
    /// Its set.
    pub set: SetName,
    /// Its path below the set.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl PrunedFile {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(set: SetName, path: String, bytes: u64) -> Self {
        Self { set, path, bytes }
    }
}

/// The result of [`Backups::prune`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// Nothing was deleted: this was a dry run.
    pub dry_run: bool,
    /// The deleted files, the oldest first.
    pub removed: Vec<PrunedFile>,
    /// Files beyond the bounds that are kept because no other file has their content.
    pub last_copies: FileTotals,
    /// Files beyond the bounds that are kept because they are younger than an hour.
    pub fresh: FileTotals,
    /// Files that are kept because they cannot be read or deleted, or have changed meanwhile. Their paths start with
    /// the set.
    pub left_alone: Vec<LeftAlone>,
    /// All files that are kept.
    pub left: FileTotals,
}

impl Backups {
    /// Deletes files of backup sets, the oldest first, until the rest fits the bounds, and then empty folders of sets.
    ///
    /// A file is deleted only if its content (SHA-256 and size) is in the liveries folder, in another backup that is
    /// kept, or in [`PruneOptions::elsewhere`]. Files that have changed since [`Backups::open`] are kept, and so are
    /// files younger than an hour, because a client may just be making that set.
    ///
    /// # Errors
    ///
    /// Fails before anything is deleted if the liveries folder cannot be listed. Files that cannot be read or deleted
    /// are in [`PruneReport::left_alone`].
    pub fn prune(&self, options: &PruneOptions) -> Result<PruneReport, BackupsError> {
        let now = unix_time(SystemTime::now());
        let mut work = Work::new(self, options);
        let lengths = lengths(&work.held, &options.bounds, now);
        work.read_in_place(&lengths)?;
        work.read_backups(&lengths);
        let Cut { go, stay } = cut(&work.held, &options.bounds, now, |one| work.is_elsewhere(one));
        work.add_kept_copies(&go);
        go.into_iter().for_each(|number| work.remove(number));
        stay.into_iter().for_each(|(number, why)| work.report_kept(number, why));
        if !options.dry_run {
            // A folder that is not empty stays, and another run tries again.
            let _left = remove_empty_sets(&self.root, now);
        }
        Ok(work.done)
    }
}

/// A file in place or in a backup, with its stamp when it was hashed.
type Copy = (PathBuf, Stamp);

/// The state of a run.
struct Work<'a> {
    backups: &'a Backups,
    options: &'a PruneOptions,
    /// The files of all sets, as the core needs them and as they were found.
    held: Vec<Held>,
    files: Vec<(&'a SetName, &'a Found)>,
    /// The places of each content that may allow a file to be deleted.
    copies: BTreeMap<Content, Vec<Copy>>,
    done: PruneReport,
}

impl<'a> Work<'a> {
    fn new(backups: &'a Backups, options: &'a PruneOptions) -> Self {
        let (mut held, mut files) = (Vec::new(), Vec::new());
        let mut done = PruneReport { dry_run: options.dry_run, ..PruneReport::default() };
        for (set, contents) in &backups.sets {
            for file in &contents.files {
                let (date, size) = (contents.date, file.stamp.size);
                let (set_of_it, path) = (set.clone(), file.path.clone());
                held.push(Held { set: set_of_it, date, path, size, content: None });
                files.push((set, file));
                done.left.add(size);
            }
        }
        Self { backups, options, held, files, copies: BTreeMap::new(), done }
    }

    /// Reads files of these sizes in the liveries folder.
    fn read_in_place(&mut self, lengths: &BTreeSet<u64>) -> Result<(), BackupsError> {
        if lengths.is_empty() {
            return Ok(());
        }
        let root = &self.backups.root;
        let (found, _) = valid_files(self.backups.list_liveries()?);
        let as_long = found.iter().filter(|file| lengths.contains(&file.stamp.size));
        let places: Vec<Copy> = as_long.map(|file| (below(&file.path), file.stamp)).collect();
        for (place, content) in places.iter().zip(hash_files(root, places.iter().cloned())) {
            // A file that cannot be read is no reliable copy.
            if let Ok(content) = content {
                self.copies.entry(content).or_default().push(place.clone());
            }
        }
        Ok(())
    }

    /// Reads files of these sizes in the backups.
    fn read_backups(&mut self, lengths: &BTreeSet<u64>) {
        let as_long = self.held.iter().enumerate();
        let as_long = as_long.filter(|(_, held)| lengths.contains(&held.size));
        let numbers: Vec<_> = as_long.map(|(number, _)| number).collect();
        let files: Vec<_> = numbers.iter().map(|&number| self.files[number]).collect();
        for (number, content) in numbers.into_iter().zip(self.backups.hash(&files)) {
            match content {
                Ok(content) => self.held[number].content = Some(content),
                Err(error) => self.leave_alone(number, format!("cannot be read: {error}")),
            }
        }
    }

    fn is_elsewhere(&self, content: Content) -> bool {
        self.options.elsewhere.contains(&content) || self.copies.contains_key(&content)
    }

    /// Adds files that are kept to the copies of those that may be deleted.
    fn add_kept_copies(&mut self, go: &[usize]) {
        let go: BTreeSet<&usize> = go.iter().collect();
        for (number, held) in self.held.iter().enumerate() {
            if let Some(content) = held.content
                && !go.contains(&number)
            {
                let copy = (self.below(number), self.files[number].1.stamp);
                self.copies.entry(content).or_default().push(copy);
            }
        }
    }

    fn remove(&mut self, number: usize) {
        let Held { set, path, size, .. } = &self.held[number];
        let gone = PrunedFile { set: set.clone(), path: path.as_str().to_owned(), bytes: *size };
        match self.try_to_remove(number) {
            Ok(()) => {
                self.done.left.files -= 1;
                self.done.left.bytes = self.done.left.bytes.saturating_sub(gone.bytes);
                self.done.removed.push(gone);
            }
            Err(reason) => self.leave_alone(number, reason),
        }
    }

    /// Deletes a file, if it and a copy of it are unchanged.
    fn try_to_remove(&self, number: usize) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot be removed: {error}");
        let root = Folder::open(&self.backups.root).map_err(failed)?;
        let place = root.place(&self.below(number)).map_err(failed)?;
        let stamp = self.files[number].1.stamp;
        if place.stamp().map_err(|fault| fault.message)? != Some(stamp) {
            return Err(Changed.to_string());
        }
        if !self.held[number].content.is_some_and(|content| self.is_still_elsewhere(&root, content))
        {
            return Err("the other file with this content has changed meanwhile".to_owned());
        }
        if self.options.dry_run {
            return Ok(());
        }
        place.remove().map_err(failed)
    }

    fn is_still_elsewhere(&self, root: &Folder, content: Content) -> bool {
        let is_unchanged =
            |(path, stamp): &Copy| root.stamp(path).is_ok_and(|now| now == Some(*stamp));
        self.options.elsewhere.contains(&content)
            || self.copies.get(&content).is_some_and(|copies| copies.iter().any(is_unchanged))
    }

    fn report_kept(&mut self, number: usize, why: Stays) {
        let bytes = self.held[number].size;
        match why {
            Stays::LastCopy => self.done.last_copies.add(bytes),
            Stays::Fresh => self.done.fresh.add(bytes),
            // Files that cannot be read have been reported already.
            _ => {}
        }
    }

    fn leave_alone(&mut self, number: usize, reason: String) {
        let Held { set, path, .. } = &self.held[number];
        self.done.left_alone.push(LeftAlone { path: format!("{set}/{path}"), reason });
    }

    /// Returns the path of a file below the liveries folder.
    fn below(&self, number: usize) -> PathBuf {
        let (set, file) = self.files[number];
        below_of(set, &file.path)
    }
}

/// Removes folders of sets without files.
fn remove_empty_sets(root: &Path, now: UnixTime) -> io::Result<()> {
    let backups = Folder::open(root)?.folder(Path::new(BACKUP_FOLDER))?;
    for (name, found) in backups.entries()? {
        let date = name.to_str().and_then(|name| date_of(&name.parse().ok()?));
        // A client may have just made the folder, and be about to fill it.
        let is_old = date.is_some_and(|date| now.since(date) >= FRESH);
        if is_old && found?.what == What::Folder {
            // It is not empty.
            let _left = remove_if_empty(&backups, &name);
        }
    }
    Ok(())
}

/// Removes a folder, if it has only empty folders in it.
fn remove_if_empty(parent: &Folder, name: &OsStr) -> io::Result<()> {
    let folder = parent.folder(Path::new(name))?;
    for (name, found) in folder.entries()? {
        if found?.what == What::Folder {
            // It is not empty.
            let _left = remove_if_empty(&folder, &name);
        }
    }
    drop(folder);
    parent.remove_folder(name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Changes a file after everything was read, and then tries to delete the only backup.
    fn prune_after_change(changed: &str) -> PruneReport {
        let root = tempfile::tempdir().unwrap();
        let (backup, copy) = (".backup/20200101_120000/a.png", "a.png");
        fs::create_dir_all(root.path().join(".backup/20200101_120000")).unwrap();
        fs::write(root.path().join(backup), "1234").unwrap();
        fs::write(root.path().join(copy), "1234").unwrap();
        let backups = Backups::open(root.path()).unwrap();
        let options = PruneOptions::default();
        let mut work = Work::new(&backups, &options);
        let lengths = [4].into();
        work.read_in_place(&lengths).unwrap();
        work.read_backups(&lengths);
        assert!(work.is_elsewhere(Content::of(b"1234")));
        fs::write(root.path().join(changed), "edited").unwrap();
        work.remove(0);
        assert_eq!(root.path().join(backup).exists(), work.done.removed.is_empty());
        work.done
    }

    #[test]
    fn a_backup_is_kept_if_it_or_its_copy_changes_at_the_last_moment() {
        for changed in ["a.png", ".backup/20200101_120000/a.png"] {
            let done = prune_after_change(changed);
            assert_eq!((done.removed.len(), done.left_alone.len()), (0, 1), "{changed}");
        }
        assert_eq!(prune_after_change("another.png").removed.len(), 1);
    }
}
