//! Each folder is opened once, and its files are looked at through it: the system does not follow the
//! whole path for each of them, and no folder can turn into a link on the way. What lies in the folders at
//! the top is looked at on all cores: of a start at which nothing has changed this is most of the work.

use std::{
    ffi::{CStr, CString, OsStr},
    io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use liverysync_core::{
    select::{Kind, Listed, Stamp},
    time::UnixTime,
};
use rayon::prelude::*;
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, RawDir, Statx, StatxFlags, StatxTimestamp, openat,
        statx,
    },
    io::Errno,
};

use crate::{scan::is_ours, watch::WatchHandle};

/// Bytes of names that are read at a time.
const NAMES_BYTES: usize = 32 * 1024;

/// Everything below `root`, except our own folders at its top. Each folder is shown to `eye` before
/// its names are read.
pub(crate) fn list(root: &Path, eye: &WatchHandle) -> io::Result<Vec<Listed>> {
    eye.begin();
    let folder = open(CWD, root)?;
    let mut top = Walk::new(eye, root);
    let folders = top.names(&folder)?;
    let below = folders.par_iter().map_init(
        || Walk::new(eye, root),
        |walk, name| {
            walk.enter(&folder, name);
            std::mem::take(&mut walk.listed)
        },
    );
    let below: Vec<_> = below.collect();
    eye.end();
    top.listed.extend(below.into_iter().flatten());
    Ok(top.listed)
}

fn open(
    within: impl std::os::fd::AsFd,
    name: impl rustix::path::Arg,
) -> rustix::io::Result<OwnedFd> {
    openat(within, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

struct Walk<'a> {
    eye: &'a WatchHandle,
    /// The folder that is being read, and its path below the root, which ends in `/` unless it is empty.
    path: PathBuf,
    below: String,
    buffer: Vec<MaybeUninit<u8>>,
    listed: Vec<Listed>,
}

impl<'a> Walk<'a> {
    fn new(eye: &'a WatchHandle, root: &Path) -> Self {
        Self {
            eye,
            path: root.to_owned(),
            below: String::new(),
            buffer: vec![MaybeUninit::uninit(); NAMES_BYTES],
            listed: Vec::new(),
        }
    }

    /// Takes down what lies in the folder, and then what lies in each of its folders.
    fn read(&mut self, folder: &OwnedFd) -> rustix::io::Result<()> {
        let folders = self.names(folder)?;
        folders.iter().for_each(|name| self.enter(folder, name));
        Ok(())
    }

    /// Takes down what lies in the folder, and returns the names of its folders.
    fn names(&mut self, folder: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
        self.eye.see(&self.path);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut folders = Vec::new();
        let mut entries = RawDir::new(folder, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            let ours = self.below.is_empty() && is_ours(&name.to_string_lossy());
            if ours || name == c"." || name == c".." {
                continue;
            }
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                _ => self.look_at(folder, name),
            };
            if is_folder {
                folders.push(name.to_owned());
            }
        }
        self.buffer = buffer;
        Ok(folders)
    }

    fn enter(&mut self, parent: &OwnedFd, name: &CStr) {
        let length = self.below.len();
        self.below.push_str(&name.to_string_lossy());
        self.below.push('/');
        self.path.push(OsStr::from_bytes(name.to_bytes()));
        let read = openat(
            parent,
            name,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .and_then(|folder| self.read(&folder));
        self.path.pop();
        self.below.truncate(length);
        if let Err(error) = read {
            self.take_down(name, Err(error));
        }
    }

    /// Takes down a thing that is said to be no folder. Returns whether it is one all the same: not
    /// every file system says.
    fn look_at(&mut self, folder: &OwnedFd, name: &CStr) -> bool {
        let wanted = StatxFlags::BASIC_STATS;
        let found = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, wanted);
        if found.as_ref().is_ok_and(|found| file_type(found) == FileType::Directory) {
            return true;
        }
        self.take_down(name, found);
        false
    }

    fn take_down(&mut self, name: &CStr, found: rustix::io::Result<Statx>) {
        let (kind, change_tag) = match found {
            Ok(found) if file_type(&found) == FileType::RegularFile => {
                (Kind::File(stamp_of(&found)), mark_of(&found))
            }
            Ok(_) => (Kind::Link, 0),
            // It may go between being listed and being looked at.
            Err(Errno::NOENT) => return,
            Err(error) => (Kind::Unreadable(io::Error::from(error).to_string()), 0),
        };
        let path = format!("{}{}", self.below, name.to_string_lossy());
        self.listed.push(Listed { path, kind, change_tag });
    }
}

fn file_type(found: &Statx) -> FileType {
    FileType::from_raw_mode(found.stx_mode.into())
}

/// As [`crate::scan::stamp_of`] says it.
fn stamp_of(found: &Statx) -> Stamp {
    Stamp { size: found.stx_size, mtime: UnixTime::from_nanos(nanos(found.stx_mtime)) }
}

fn nanos(date: StatxTimestamp) -> i64 {
    let nanos = i128::from(date.tv_sec) * 1_000_000_000 + i128::from(date.tv_nsec);
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The file's number, and when the system last wrote anything about it, which no program can set.
fn mark_of(found: &Statx) -> u64 {
    let date = found.stx_ctime;
    let changed = date.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(date.tv_nsec.into());
    found.stx_ino.rotate_left(40) ^ changed.cast_unsigned()
}
