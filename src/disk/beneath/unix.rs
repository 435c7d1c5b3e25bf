//! Open folders of Unix. On Linux the system itself refuses links on the way; elsewhere, and on a Linux that is too old for
//! that, each folder is opened in the one above it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use liverysync_core::{select::Stamp, time::UnixTime};
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
use rustix::fs::{RenameFlags, renameat_with};
use rustix::{
    fs::{
        Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT,
        accessat, linkat, mkdirat, openat, renameat, statat, unlinkat, utimensat,
    },
    io::Errno,
};

use super::{Found, Identity, What, names, no_folder};

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A pipe in the place of a file would make the opening wait.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A folder that stays the same one, whatever happens to its name.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// Set if the system can exchange two names in one step. Not every disk can.
    pub(crate) const MAY_EXCHANGE: bool = cfg!(any(target_os = "linux", target_vendor = "apple"));

    /// Opens the root. It may be a link, or be below one.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, root, flags, Mode::empty())?))
    }

    /// Opens a folder below this one.
    pub(crate) fn folder(&self, below: &Path) -> io::Result<Self> {
        if below.as_os_str().is_empty() {
            return Ok(Self(self.0.try_clone()?));
        }
        if let Some(folder) = self.open_in_one_step(below, FOLDER) {
            return Ok(Self(folder));
        }
        // After a failure this finds the folder that is in the way.
        let (mut folder, mut path) = (self.0.try_clone()?, PathBuf::new());
        for name in names(below)? {
            path.push(name);
            folder = match openat(&folder, name, FOLDER, Mode::empty()) {
                Ok(folder) => folder,
                Err(Errno::LOOP | Errno::NOTDIR) => return Err(no_folder(&path)),
                Err(error) => return Err(error.into()),
            };
        }
        Ok(Self(folder))
    }

    /// Opens the file at a path below this folder for reading in one step, if the system can.
    pub(super) fn open_at_once(&self, below: &Path) -> Option<File> {
        self.open_in_one_step(below, FILE).map(File::from)
    }

    #[cfg(target_os = "linux")]
    fn open_in_one_step(&self, below: &Path, flags: OFlags) -> Option<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        openat2(&self.0, below, flags, Mode::empty(), how).ok()
    }

    /// Returns `None`: this system would follow links on the way.
    #[cfg(not(target_os = "linux"))]
    const fn open_in_one_step(&self, _below: &Path, _flags: OFlags) -> Option<OwnedFd> {
        None
    }

    /// Returns the open folder, for a walk.
    #[cfg(target_os = "linux")]
    pub(crate) const fn handle(&self) -> &OwnedFd {
        &self.0
    }

    /// Makes a folder in this one.
    pub(super) fn make(&self, name: &OsStr) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, Mode::RWXU | Mode::RWXG | Mode::RWXO)?)
    }

    pub(super) fn look(&self, name: &OsStr) -> io::Result<Found> {
        Ok(found(&statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    pub(super) fn identity(&self, name: &OsStr) -> io::Result<Identity> {
        let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let (device, number) = (stat.st_dev.into(), stat.st_ino.into());
        Ok(Identity { device, number, names: stat.st_nlink.into() })
    }

    pub(super) fn open_in(&self, name: &OsStr) -> io::Result<File> {
        match openat(&self.0, name, FILE, Mode::empty()) {
            Ok(file) => Ok(file.into()),
            Err(Errno::LOOP) => Err(no_folder(Path::new(name))),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        Ok(openat(&self.0, name, flags, mode)?.into())
    }

    pub(super) fn set_mtime(&self, name: &OsStr, seconds: i64, nanos: u32) -> io::Result<()> {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: seconds, tv_nsec: nanos.into() },
        };
        Ok(utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    pub(super) fn link(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        Ok(linkat(&self.0, name, &to.0, new, AtFlags::empty())?)
    }

    pub(super) fn rename(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, name, &to.0, new)?)
    }

    /// Returns `None` if the disk has no such step.
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    pub(super) fn rename_to_free(
        &self,
        name: &OsStr,
        to: &Self,
        new: &OsStr,
    ) -> Option<io::Result<()>> {
        match renameat_with(&self.0, name, &to.0, new, RenameFlags::NOREPLACE) {
            Err(error) if is_unknown(error) => None,
            moved => Some(moved.map_err(Into::into)),
        }
    }

    /// Returns `None`: this system has no such step.
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    pub(super) fn rename_to_free(&self, _: &OsStr, _: &Self, _: &OsStr) -> Option<io::Result<()>> {
        None
    }

    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    pub(super) fn exchange(&self, name: &OsStr, to: &Self, with: &OsStr) -> io::Result<bool> {
        match renameat_with(&self.0, name, &to.0, with, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(error) if is_unknown(error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns `false`: this system has no such step.
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    pub(super) fn exchange(&self, _: &OsStr, _: &Self, _: &OsStr) -> io::Result<bool> {
        Ok(false)
    }

    /// Removes a file or link of this folder.
    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty folder in this one.
    pub(crate) fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Returns everything in this folder.
    pub(crate) fn entries(&self) -> io::Result<Vec<(OsString, io::Result<Found>)>> {
        let mut all = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                all.push((name.to_owned(), self.look(name)));
            }
        }
        Ok(all)
    }

    /// Checks that names can be added to this folder.
    pub(crate) fn check_writable(&self) -> io::Result<()> {
        Ok(accessat(&self.0, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty())?)
    }
}

/// Returns `true` if a disk or system does not know a kind of rename.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn is_unknown(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}

fn found(stat: &Stat) -> Found {
    let nanos =
        |seconds, nanos: i128| i64::try_from(i128::from(seconds) * 1_000_000_000 + nanos).ok();
    let mtime = nanos(stat.st_mtime, i128::from(stat.st_mtime_nsec)).unwrap_or(i64::MAX);
    let changed = nanos(stat.st_ctime, i128::from(stat.st_ctime_nsec)).unwrap_or(i64::MAX);
    Found {
        what: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => What::File,
            FileType::Directory => What::Folder,
            _ => What::Other,
        },
        stamp: Stamp {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: UnixTime::from_nanos(mtime),
        },
        in_the_cloud: false,
        change_tag: stat.st_ino.rotate_left(40) ^ changed.cast_unsigned(),
    }
}
