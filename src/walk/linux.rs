//! Opens each folder once and looks at its files relative to it. So the system does not resolve the whole path of each
//! file, and no folder can be replaced by a link on the way. The folders at the top are walked on all cores, because a
//! start without changes spends most of its time here.

use std::{
    ffi::{CStr, CString, OsStr},
    io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use liverysync_core::{
    own_folders::is_own_folder,
    select::{Kind, Listed, Stamp},
    time::UnixTime,
};
use rayon::prelude::*;
use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, RawDir, Statx, StatxFlags, StatxTimestamp, openat, statx,
    },
    io::Errno,
};

use crate::{disk::beneath::Folder, watch::WatchHandle};

/// The size of a buffer for names, in bytes.
const NAMES_BYTES: usize = 32 * 1024;

/// Lists everything below `root`, except liverysync's own folders. Passes each folder to `handle` before its names are
/// read.
pub(crate) fn list(root: &Path, handle: &WatchHandle) -> io::Result<Vec<Listed>> {
    handle.begin_walk();
    list_folder(&Folder::open(root)?, root, handle)
}

/// Lists everything below a folder that is open, except liverysync's own folders.
pub(crate) fn list_open(folder: &Folder) -> io::Result<Vec<Listed>> {
    list_folder(folder, Path::new(""), &WatchHandle::disabled())
}

fn list_folder(folder: &Folder, root: &Path, handle: &WatchHandle) -> io::Result<Vec<Listed>> {
    let folder = folder.handle();
    let mut top = Walk::new(handle, root);
    let folders = top.names(folder)?;
    let below = folders.par_iter().map_init(
        || Walk::new(handle, root),
        |walk, name| {
            walk.enter(folder, name);
            std::mem::take(&mut walk.listed)
        },
    );
    let below: Vec<_> = below.collect();
    handle.end_walk();
    top.listed.extend(below.into_iter().flatten());
    Ok(top.listed)
}

struct Walk<'a> {
    handle: &'a WatchHandle,
    /// The folder that is being read, and its path below the root, which ends in `/` unless it is empty.
    path: PathBuf,
    below: String,
    buffer: Vec<MaybeUninit<u8>>,
    listed: Vec<Listed>,
}

impl<'a> Walk<'a> {
    fn new(handle: &'a WatchHandle, root: &Path) -> Self {
        Self {
            handle,
            path: root.to_owned(),
            below: String::new(),
            buffer: vec![MaybeUninit::uninit(); NAMES_BYTES],
            listed: Vec::new(),
        }
    }

    /// Lists a folder, and then the folders in it.
    fn read(&mut self, folder: &OwnedFd) -> rustix::io::Result<()> {
        let folders = self.names(folder)?;
        folders.iter().for_each(|name| self.enter(folder, name));
        Ok(())
    }

    /// Lists the files of a folder, and returns the names of the folders in it.
    fn names(&mut self, folder: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
        self.handle.visit(&self.path);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut folders = Vec::new();
        let mut entries = RawDir::new(folder, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            let ours = self.below.is_empty() && is_own_folder(&name.to_string_lossy());
            if ours || name == c"." || name == c".." {
                continue;
            }
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                _ => self.add_unless_folder(folder, name),
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
            self.add(name, Err(error));
        }
    }

    /// Lists an entry that is probably not a folder. Returns `true` if it is one: not every file system tells the type
    /// with the name.
    fn add_unless_folder(&mut self, folder: &OwnedFd, name: &CStr) -> bool {
        let wanted = StatxFlags::BASIC_STATS;
        let found = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, wanted);
        if found.as_ref().is_ok_and(|found| file_type(found) == FileType::Directory) {
            return true;
        }
        self.add(name, found);
        false
    }

    fn add(&mut self, name: &CStr, found: rustix::io::Result<Statx>) {
        let (kind, change_tag) = match found {
            Ok(found) if file_type(&found) == FileType::RegularFile => {
                (Kind::File(stamp_of(&found)), change_tag_of(&found))
            }
            Ok(_) => (Kind::Link, 0),
            // It may be removed between being listed and being looked at.
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

/// Does the same as [`crate::scan::stamp_of`].
fn stamp_of(found: &Statx) -> Stamp {
    Stamp { size: found.stx_size, mtime: UnixTime::from_nanos(nanos(found.stx_mtime)) }
}

fn nanos(date: StatxTimestamp) -> i64 {
    let nanos = i128::from(date.tv_sec) * 1_000_000_000 + i128::from(date.tv_nsec);
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// Returns the change tag: the file's inode number mixed with the time of its last change, which no program can set.
fn change_tag_of(found: &Statx) -> u64 {
    let date = found.stx_ctime;
    let changed = date.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(date.tv_nsec.into());
    found.stx_ino.rotate_left(40) ^ changed.cast_unsigned()
}
