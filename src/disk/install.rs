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
    client::{DiskFault, DiskFaultKind, InstallFile, InstallPlan, Installed, StageId},
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
    let mut touched = BTreeSet::new();
    let prepared: Vec<_> = plan
        .files
        .into_iter()
        .map(|file| prepare(root, &staged(file.stage), file, &mut backups, &mut touched))
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

fn prepare(
    root: &Path,
    staged: &Path,
    file: InstallFile,
    backups: &mut Backups<'_>,
    touched: &mut BTreeSet<PathBuf>,
) -> Result<Prepared, DiskFault> {
    let below: PathBuf = file.path.components().collect();
    check_no_links(root, &below)?;
    let target = root.join(&below);
    if stamp_at(&target)? != file.replaces {
        let message = "it was changed on this PC meanwhile; nothing was replaced";
        return Err(fault(DiskFaultKind::Changed, message));
    }
    if let Some(mtime) = file.mtime {
        let (seconds, nanos) = mtime.split();
        let time = FileTime::from_unix_time(seconds, nanos);
        filetime::set_file_mtime(staged, time).map_err(|error| error_fault(&error))?;
    }
    make_folders(root, &below, touched).map_err(|error| error_fault(&error))?;
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
    // As close to the switch as can be: what is replaced must still be what was backed up.
    if stamp_at(&target)? != file.replaces {
        let message = "it was changed on this PC meanwhile; nothing was replaced";
        return Err(fault(DiskFaultKind::Changed, message));
    }
    patiently(|| fs::rename(staged(file.stage), &target)).map_err(|error| error_fault(&error))?;
    touched.extend(target.parent().map(Path::to_owned));
    let stamp = stamp_at(&target)?
        .ok_or_else(|| fault(DiskFaultKind::Changed, "it was removed at once"))?;
    Ok(Installed { stamp, backup, kept })
}

/// Makes the folders on the way to a file, and remembers those whose list of names has changed.
fn make_folders(root: &Path, below: &Path, touched: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let mut folder = root.to_owned();
    for component in below.parent().into_iter().flat_map(Path::components) {
        let parent = folder.clone();
        folder.push(component);
        match fs::create_dir(&folder) {
            Ok(()) => {
                touched.insert(parent);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
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
