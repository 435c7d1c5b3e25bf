//! Installs staged files. A name has its old or its new content at every instant, and nothing is replaced without a
//! copy in `.backup`.
//!
//! For each file: check that its target is unchanged, link the target into the backup folder, and move the staged file
//! over it. All backups are made before the first switch, so that the files of a livery are switched within a moment.
//!
//! The caller flushes the folders whose names have changed before anything is reported.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io, iter,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use filetime::FileTime;
use liverysync_core::{
    backups::SetName,
    client::{DiskFault, DiskFaultKind, InstallFile, Installed, StageId},
    path::RelPath,
    select::Stamp,
    time::UnixTime,
};

use super::{check_no_links, error_fault, fault, full_path, stamp_at};
use crate::{
    backups::sets::{first_name, folder_of},
    scan::inspect,
};

/// The number of attempts while another program uses a file, and the pause that grows with each.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);

/// A file whose backup has been made.
struct Prepared {
    file: InstallFile,
    backup: Option<String>,
    kept: bool,
}

pub(super) fn install(
    root: &Path,
    staged: impl Fn(StageId) -> PathBuf,
    date: UnixTime,
    files: Vec<InstallFile>,
    clear: &[PathBuf],
) -> (Vec<Result<Installed, DiskFault>>, BTreeSet<PathBuf>) {
    let mut backups = Backups::new(root, date);
    let (mut touched, mut folders) = (BTreeSet::new(), Folders::default());
    let prepared: Vec<_> = files
        .into_iter()
        .map(|file| {
            let staged = staged(file.stage);
            prepare(root, &staged, file, &mut folders, &mut backups, &mut touched)
        })
        .collect();
    let results: Vec<_> = prepared
        .into_iter()
        .map(|prepared| switch(root, &staged, prepared?, &mut touched))
        .collect();
    if results.iter().any(Result::is_ok) {
        for below in clear {
            // The game's own cache cannot be moved away while the game uses it; it is harmless.
            let _kept = backups.move_away(below);
        }
    }
    touched.extend(backups.made);
    (results, touched)
}

/// Moves unchanged files to the backup folder, and removes the folders that are then empty.
pub(super) fn retire(
    root: &Path,
    date: UnixTime,
    files: &[(RelPath, Stamp)],
    clear: &[PathBuf],
) -> (Vec<Result<String, DiskFault>>, BTreeSet<PathBuf>) {
    let mut backups = Backups::new(root, date);
    let mut folders = BTreeSet::new();
    let mut move_to_backup = |path: &RelPath, stamp: Stamp| {
        let below: PathBuf = path.components().collect();
        check_no_links(root, &below)?;
        let from = root.join(&below);
        if stamp_at(&from)? != Some(stamp) {
            return Err(changed_meanwhile());
        }
        let backup = backups.keep(&below).map_err(|error| error_fault(&error))?;
        retry(|| fs::remove_file(&from)).map_err(|error| error_fault(&error))?;
        folders.extend(below.ancestors().skip(1).map(Path::to_owned));
        Ok(backup)
    };
    let retired: Vec<_> = files.iter().map(|(path, stamp)| move_to_backup(path, *stamp)).collect();
    if retired.iter().any(Result::is_ok) {
        for below in clear {
            // The game's own cache cannot be moved away while the game uses it; it is harmless.
            let _kept = backups.move_away(below);
        }
    }
    let mut touched = backups.made;
    // The innermost folders come first. A folder that is not empty stays, and so does the root.
    for below in folders.iter().rev().filter(|below| !below.as_os_str().is_empty()) {
        let folder = root.join(below);
        match fs::remove_dir(&folder) {
            Ok(()) => touched.extend(folder.parent().map(Path::to_owned)),
            Err(_) => {
                touched.insert(folder);
            }
        }
    }
    touched.retain(|folder| folder.is_dir());
    (retired, touched)
}

fn prepare(
    root: &Path,
    staged: &Path,
    file: InstallFile,
    folders: &mut Folders,
    backups: &mut Backups<'_>,
    touched: &mut BTreeSet<PathBuf>,
) -> Result<Prepared, DiskFault> {
    let below: PathBuf = file.path.components().collect();
    folders.check(root, &below)?;
    let target = root.join(&below);
    // A new folder is empty. Should a file appear in it meanwhile, the switch does not replace it.
    if !(folders.are_new(&below) && file.replaces.is_none()) {
        check_unchanged(&target, &file)?;
    }
    if let Some(mtime) = file.mtime {
        let (seconds, nanos) = mtime.split();
        let time = FileTime::from_unix_time(seconds, nanos);
        filetime::set_file_mtime(staged, time).map_err(|error| error_fault(&error))?;
    }
    folders.make(root, &below, touched).map_err(|error| error_fault(&error))?;
    let mut prepared = Prepared { file, backup: None, kept: false };
    if prepared.file.replaces.is_some() {
        if let Some(keep_as) = &prepared.file.keep_as {
            let (half, whole) = (staged.with_extension("keep"), full_path(root, keep_as));
            prepared.kept =
                copy_to_free_name(&target, &half, &whole).map_err(|error| error_fault(&error))?;
            touched.extend(whole.parent().map(Path::to_owned));
        }
        let backup = backups.keep(&below).map_err(|error| {
            let known = error_fault(&error);
            let message =
                format!("no backup could be made, so the file was not replaced: {}", known.message);
            fault(known.kind, message)
        })?;
        prepared.backup = Some(backup);
    }
    Ok(prepared)
}

fn switch(
    root: &Path,
    staged: &impl Fn(StageId) -> PathBuf,
    prepared: Prepared,
    touched: &mut BTreeSet<PathBuf>,
) -> Result<Installed, DiskFault> {
    let Prepared { file, backup, kept } = prepared;
    let target = full_path(root, &file.path);
    let staged = staged(file.stage);
    if file.replaces.is_some() || !move_to_free_name(&staged, &target)? {
        // The last check is as close to the switch as possible: the replaced file must be the one that was backed up.
        check_unchanged(&target, &file)?;
        retry(|| fs::rename(&staged, &target)).map_err(|error| error_fault(&error))?;
    }
    touched.extend(target.parent().map(Path::to_owned));
    let stamp = stamp_at(&target)?
        .ok_or_else(|| fault(DiskFaultKind::Changed, "the file was removed immediately"))?;
    Ok(Installed { stamp, backup, kept, inspection: inspect(&target) })
}

/// Checks that the target is the file that is to be replaced.
fn check_unchanged(target: &Path, file: &InstallFile) -> Result<(), DiskFault> {
    if stamp_at(target)? == file.replaces { Ok(()) } else { Err(changed_meanwhile()) }
}

fn changed_meanwhile() -> DiskFault {
    fault(
        DiskFaultKind::Changed,
        "the file was changed on this PC meanwhile, so it was not replaced",
    )
}

/// Moves a file to a name only if nothing has it, in one step. Returns `false` if the file system cannot do that.
#[cfg(target_os = "linux")]
pub(super) fn move_to_free_name(from: &Path, to: &Path) -> Result<bool, DiskFault> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Err(changed_meanwhile()),
        // Any other obstacle is met again by the plain rename, which is retried.
        Err(_) => Ok(false),
    }
}

/// Returns `false`: the standard library has no such step for this system.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
const fn move_to_free_name(_from: &Path, _to: &Path) -> Result<bool, DiskFault> {
    Ok(false)
}

/// The folders that one plan has checked or made. The files of a livery are in few folders, so each is checked once.
#[derive(Default)]
struct Folders {
    checked: BTreeSet<PathBuf>,
    /// Folders that certainly exist.
    there: BTreeSet<PathBuf>,
    /// Folders that this plan has made.
    new: BTreeSet<PathBuf>,
}

impl Folders {
    /// Refuses a path through a link.
    fn check(&mut self, root: &Path, below: &Path) -> Result<(), DiskFault> {
        let Some(folder) = below.parent() else { return Ok(()) };
        if !self.checked.contains(folder) {
            check_no_links(root, below)?;
            self.checked.insert(folder.to_owned());
        }
        Ok(())
    }

    /// Returns `true` if this plan has made the folder of the file.
    fn are_new(&self, below: &Path) -> bool {
        below.parent().is_some_and(|folder| self.new.contains(folder))
    }

    /// Makes the folders of a file, and adds those whose lists of names have changed to `touched`.
    fn make(
        &mut self,
        root: &Path,
        below: &Path,
        touched: &mut BTreeSet<PathBuf>,
    ) -> io::Result<()> {
        let Some(folder) = below.parent().filter(|folder| !self.there.contains(*folder)) else {
            return Ok(());
        };
        if make_folders(root, below, touched)? {
            self.new.insert(folder.to_owned());
        }
        self.there.insert(folder.to_owned());
        Ok(())
    }
}

/// Makes the folders of a file, and adds those whose lists of names have changed to `touched`. Returns `true` if the
/// innermost is new.
fn make_folders(root: &Path, below: &Path, touched: &mut BTreeSet<PathBuf>) -> io::Result<bool> {
    let mut folder = root.to_owned();
    let mut made = false;
    for component in below.parent().into_iter().flat_map(Path::components) {
        let parent = folder.clone();
        folder.push(component);
        made = match fs::create_dir(&folder) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        if made {
            touched.insert(parent);
        }
    }
    Ok(made)
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

/// Copies a file to a free name by way of `half`, so that the name never has half a copy. Returns `false` if the name
/// is taken.
fn copy_to_free_name(from: &Path, half: &Path, to: &Path) -> io::Result<bool> {
    copy_new(from, half)?;
    let named = match fs::hard_link(half, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // Without hard links, a file that appears between this check and the rename would be replaced. The moment is as
        // short as possible.
        Err(_) if fs::symlink_metadata(to).is_ok() => Ok(false),
        Err(_) => return fs::rename(half, to).map(|()| true),
        Ok(()) => Ok(true),
    };
    fs::remove_file(half)?;
    named
}

/// Copies a file to a name that must be free.
fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut target = File::create_new(to)?;
    let copied = copy_into(from, &mut target);
    if copied.is_err() {
        // Half a copy is useless.
        let _gone = fs::remove_file(to);
    }
    copied
}

fn copy_into(from: &Path, target: &mut File) -> io::Result<()> {
    let mut source = File::open(from)?;
    let metadata = source.metadata()?;
    io::copy(&mut source, target)?;
    filetime::set_file_handle_times(
        target,
        None,
        Some(FileTime::from_last_modification_time(&metadata)),
    )?;
    target.sync_all()
}

/// The backup set of one moment.
struct Backups<'a> {
    root: &'a Path,
    /// The first name for a set of this moment.
    first: Option<SetName>,
    made: BTreeSet<PathBuf>,
}

impl<'a> Backups<'a> {
    fn new(root: &'a Path, date: UnixTime) -> Self {
        Self { root, first: first_name(date), made: BTreeSet::new() }
    }

    /// Copies the file at `below` to the backup, as a hard link if possible. Returns the copy's path below the root.
    fn keep(&mut self, below: &Path) -> io::Result<String> {
        let from = self.root.join(below);
        self.place(below, |to| match fs::hard_link(&from, to) {
            // FAT and many network folders have no hard links.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy_new(&from, to),
            result => result,
        })
    }

    /// Moves the file at `below` to the backup, if there is one.
    fn move_away(&mut self, below: &Path) -> io::Result<()> {
        check_no_links(self.root, below).map_err(|fault| io::Error::other(fault.message))?;
        let from = self.root.join(below);
        if !fs::symlink_metadata(&from)?.is_file() {
            return Ok(());
        }
        self.keep(below)?;
        retry(|| fs::remove_file(&from))
    }

    /// Finds a name that no earlier backup has: a file can be replaced twice within a second.
    fn place(&mut self, below: &Path, put: impl Fn(&Path) -> io::Result<()>) -> io::Result<String> {
        for set in iter::successors(self.first.clone(), SetName::next) {
            let place = folder_of(&set).join(below);
            check_no_links(self.root, &place).map_err(|fault| io::Error::other(fault.message))?;
            make_folders(self.root, &place, &mut self.made)?;
            let full = self.root.join(&place);
            match put(&full) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    self.made.extend(full.parent().map(Path::to_owned));
                    let parts = place.components().map(|part| part.as_os_str().to_string_lossy());
                    return result.map(|()| parts.collect::<Vec<_>>().join("/"));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}
