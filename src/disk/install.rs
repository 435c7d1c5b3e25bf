//! Putting staged files in place: no instant at which a name holds neither its old nor its new
//! content, and nothing replaced without a copy in `.backup`.
//!
//! The folders whose names have changed are flushed by the caller, before anything is reported.
//!
//! For each file: look again at what is there, link it into the backup folder, move the staged file
//! over it. The backups of all files come first, so that the switch itself is as short as can be.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use chrono::{Local, TimeZone as _};
use filetime::FileTime;
use liverysync_core::{
    client::{DiskFault, DiskFaultKind, InstallFile, InstallPlan, Installed, RetirePlan, StageId},
    path::RelPath,
    select::Stamp,
    time::UnixTime,
};

use super::{check_no_links, error_fault, fault, full_path, stamp_at};

/// How often and how patiently a file that another program holds is tried again.
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
    plan: InstallPlan,
) -> (Vec<Result<Installed, DiskFault>>, BTreeSet<PathBuf>) {
    let mut backups = Backups::new(root, plan.date);
    let (mut touched, mut folders) = (BTreeSet::new(), Folders::default());
    let prepared: Vec<_> = plan
        .files
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
        for below in &plan.clear {
            // What cannot be moved away is the game's own and stays as it was.
            let _kept = backups.take_away(below);
        }
    }
    touched.extend(backups.made);
    (results, touched)
}

/// Moves files to the backup folder, those that are still as they were. Folders that are empty then go.
pub(super) fn retire(
    root: &Path,
    plan: &RetirePlan,
) -> (Vec<Result<String, DiskFault>>, BTreeSet<PathBuf>) {
    let mut backups = Backups::new(root, plan.date);
    let mut folders = BTreeSet::new();
    let mut put_away = |path: &RelPath, stamp: Stamp| {
        let below: PathBuf = path.components().collect();
        check_no_links(root, &below)?;
        let from = root.join(&below);
        if stamp_at(&from)? != Some(stamp) {
            return Err(changed_meanwhile());
        }
        let backup = backups.keep(&below).map_err(|error| error_fault(&error))?;
        patiently(|| fs::remove_file(&from)).map_err(|error| error_fault(&error))?;
        folders.extend(below.ancestors().skip(1).map(Path::to_owned));
        Ok(backup)
    };
    let retired: Vec<_> = plan.files.iter().map(|(path, stamp)| put_away(path, *stamp)).collect();
    if retired.iter().any(Result::is_ok) {
        for below in &plan.clear {
            // What cannot be moved away is the game's own and stays as it was.
            let _kept = backups.take_away(below);
        }
    }
    let mut touched = backups.made;
    // The innermost first. One that has something left stays, and so does the root.
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
    // Nothing lies in a folder that has just been made, and the switch would not replace it.
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
                copy_whole(&target, &half, &whole).map_err(|error| error_fault(&error))?;
            touched.extend(whole.parent().map(Path::to_owned));
        }
        let backup = backups.keep(&below).map_err(|error| {
            let known = error_fault(&error);
            let message =
                format!("no backup could be made, so nothing was replaced: {}", known.message);
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
        // As close to the switch as can be: what is replaced must still be what was backed up.
        check_unchanged(&target, &file)?;
        patiently(|| fs::rename(&staged, &target)).map_err(|error| error_fault(&error))?;
    }
    touched.extend(target.parent().map(Path::to_owned));
    let stamp = stamp_at(&target)?
        .ok_or_else(|| fault(DiskFaultKind::Changed, "it was removed at once"))?;
    Ok(Installed { stamp, backup, kept })
}

/// What lies at the target must be what is to be replaced.
fn check_unchanged(target: &Path, file: &InstallFile) -> Result<(), DiskFault> {
    if stamp_at(target)? == file.replaces { Ok(()) } else { Err(changed_meanwhile()) }
}

fn changed_meanwhile() -> DiskFault {
    fault(DiskFaultKind::Changed, "it was changed on this PC meanwhile; nothing was replaced")
}

/// Moves a file to a name, in one step with making sure that nothing has it. Returns whether the file
/// system can do that.
#[cfg(target_os = "linux")]
fn move_to_free_name(from: &Path, to: &Path) -> Result<bool, DiskFault> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Err(changed_meanwhile()),
        // Whatever else is in the way is met again by the usual way, which tries with patience.
        Err(_) => Ok(false),
    }
}

/// Nowhere else is there such a step in the standard library.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
const fn move_to_free_name(_from: &Path, _to: &Path) -> Result<bool, DiskFault> {
    Ok(false)
}

/// Folders that one plan has looked at or made: the files of a livery lie in few, and each is looked at
/// once.
#[derive(Default)]
struct Folders {
    checked: BTreeSet<PathBuf>,
    /// Those that are there for sure.
    there: BTreeSet<PathBuf>,
    /// Those that were not there before.
    new: BTreeSet<PathBuf>,
}

impl Folders {
    /// Refuses a path with a link on the way to it.
    fn check(&mut self, root: &Path, below: &Path) -> Result<(), DiskFault> {
        let Some(folder) = below.parent() else { return Ok(()) };
        if !self.checked.contains(folder) {
            check_no_links(root, below)?;
            self.checked.insert(folder.to_owned());
        }
        Ok(())
    }

    /// Whether the folder of this file was made by this plan.
    fn are_new(&self, below: &Path) -> bool {
        below.parent().is_some_and(|folder| self.new.contains(folder))
    }

    /// Makes the folders on the way to a file, and remembers those whose list of names has changed.
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

/// Makes the folders on the way to a file, and remembers those whose list of names has changed. Returns
/// whether the innermost was not there.
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

/// Tries again while another program holds a file.
fn patiently(mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for number in 1..ATTEMPTS {
        match attempt() {
            Err(error) if may_pass(&error) => thread::sleep(PAUSE * number),
            result => return result,
        }
    }
    attempt()
}

/// Whether the system's refusal is one that passes: Windows says "access denied" as well for a file
/// that a virus scanner looks at.
fn may_pass(error: &io::Error) -> bool {
    error_fault(error).kind == DiskFaultKind::InUse
        || cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied
}

/// Copies a file to a name that is free, by way of `half`: the name never holds half a copy. Returns
/// whether it was free.
fn copy_whole(from: &Path, half: &Path, to: &Path) -> io::Result<bool> {
    copy_new(from, half)?;
    let named = match fs::hard_link(half, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // Without links, the moment between looking and moving is as short as can be.
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
        // Half a copy is of no use to anybody.
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

/// The backup folder of one moment: `.backup/<YYYYMMDD_HHMMSS>`, in local time.
struct Backups<'a> {
    root: &'a Path,
    stamp: String,
    made: BTreeSet<PathBuf>,
}

impl<'a> Backups<'a> {
    fn new(root: &'a Path, date: UnixTime) -> Self {
        let (seconds, _) = date.split();
        let local = Local.timestamp_opt(seconds, 0).earliest().unwrap_or_default();
        Self { root, stamp: local.format("%Y%m%d_%H%M%S").to_string(), made: BTreeSet::new() }
    }

    /// Keeps what lies at `below`, which stays there too. Returns where, below the root.
    fn keep(&mut self, below: &Path) -> io::Result<String> {
        let from = self.root.join(below);
        self.place(below, |to| match fs::hard_link(&from, to) {
            // Not every file system has links: FAT and many network folders do not.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy_new(&from, to),
            result => result,
        })
    }

    /// Moves what lies at `below` into the backup folder, if anything does.
    fn take_away(&mut self, below: &Path) -> io::Result<()> {
        check_no_links(self.root, below).map_err(|fault| io::Error::other(fault.message))?;
        let from = self.root.join(below);
        if !fs::symlink_metadata(&from)?.is_file() {
            return Ok(());
        }
        self.keep(below)?;
        patiently(|| fs::remove_file(&from))
    }

    /// Finds a place that no earlier backup has: one second can bring two of one file.
    fn place(&mut self, below: &Path, put: impl Fn(&Path) -> io::Result<()>) -> io::Result<String> {
        for number in 1_u32.. {
            let stamp =
                if number == 1 { self.stamp.clone() } else { format!("{}_{number}", self.stamp) };
            let place = Path::new(".backup").join(&stamp).join(below);
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
