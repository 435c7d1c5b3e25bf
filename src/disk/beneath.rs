//! Names below the liveries folder, reached without following a link.
//!
//! A path that was checked and is used afterwards may lead elsewhere by then: somebody has put a link in the place of a
//! folder. So each folder on the way is opened in the folder above it, and every step is taken in an open folder. Only the
//! liveries folder itself may be a link, because its driver chose it. It is never made here.

#[cfg(not(unix))]
#[path = "beneath/other.rs"]
mod system;
#[cfg(unix)]
#[path = "beneath/unix.rs"]
mod system;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Component, Path, PathBuf},
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind},
    path::RelPath,
    select::Stamp,
};

pub(crate) use self::system::Folder;
use super::{error_fault, fault};

/// The kind of thing that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    File,
    Folder,
    /// A link, or a file that is no place for bytes.
    Other,
}

/// The facts about a name, found without following a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) what: What,
    pub(crate) stamp: Stamp,
    /// Reading it would download it.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "the walk has its own look"))]
    pub(crate) in_the_cloud: bool,
    /// Changes with each change of the file, as far as the system can tell.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "the walk has its own look"))]
    pub(crate) change_tag: u64,
}

/// The numbers that tell a file or folder from everything else on the disk, with the number of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: i128,
    number: i128,
    names: i128,
}

impl Identity {
    /// Returns `true` if it has other names, so that whoever edits it there edits it here.
    pub(crate) const fn is_shared(self) -> bool {
        self.names > 1
    }

    /// Returns `true` if both are the same file or folder.
    pub(crate) const fn is(self, other: Self) -> bool {
        self.device == other.device && self.number == other.number
    }
}

impl Folder {
    /// Returns the place of a path below this folder. The folders on the way must be there.
    pub(crate) fn place(&self, below: &Path) -> io::Result<Place> {
        let name = below.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
        let folder = self.folder(below.parent().unwrap_or(Path::new("")))?;
        Ok(Place { folder, name })
    }

    /// Does the same, and makes the folders on the way. Calls `made` with the path of each, below this folder.
    pub(crate) fn place_made(
        &self,
        below: &Path,
        mut made: impl FnMut(&Path),
    ) -> io::Result<Place> {
        match self.place(below) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            place => return place,
        }
        let (mut folder, mut path) = (self.folder(Path::new(""))?, PathBuf::new());
        for name in names(below.parent().unwrap_or(Path::new("")))? {
            path.push(name);
            match folder.make(name) {
                Ok(()) => made(&path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            folder = folder.folder(Path::new(name))?;
        }
        let name = below.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
        Ok(Place { folder, name })
    }

    /// Returns what has a path below this folder, or `None` if nothing has.
    pub(crate) fn find(&self, below: &Path) -> io::Result<Option<Found>> {
        match self.place(below).and_then(|place| place.find()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found,
        }
    }

    /// Returns the stamp of the file at a path below this folder, or `None` if there is nothing.
    pub(crate) fn stamp(&self, below: &Path) -> Result<Option<Stamp>, DiskFault> {
        stamp_of_file(self.find(below))
    }

    /// Opens the file at a path below this folder for reading.
    pub(crate) fn open_file(&self, below: &Path) -> io::Result<File> {
        match self.open_at_once(below) {
            Some(file) => Ok(file),
            None => self.place(below)?.open(),
        }
    }

    /// Removes everything in the folder of this name, and the folder.
    pub(crate) fn remove_all(&self, name: &OsStr) -> io::Result<()> {
        let folder = self.folder(Path::new(name))?;
        for (name, found) in folder.entries()? {
            match found?.what {
                What::Folder => folder.remove_all(&name)?,
                _ => folder.remove_file(&name)?,
            }
        }
        drop(folder);
        self.remove_folder(name)
    }
}

/// A name in an open folder.
#[derive(Debug)]
pub(crate) struct Place {
    folder: Folder,
    name: OsString,
}

impl Place {
    /// Returns what has the name, or `None` if nothing has.
    pub(crate) fn find(&self) -> io::Result<Option<Found>> {
        match self.folder.look(&self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns the stamp of the file, or `None` if there is nothing.
    pub(crate) fn stamp(&self) -> Result<Option<Stamp>, DiskFault> {
        stamp_of_file(self.find())
    }

    /// Returns the identity of what has the name.
    pub(crate) fn identity(&self) -> io::Result<Identity> {
        self.folder.identity(&self.name)
    }

    /// Opens the file for reading.
    pub(crate) fn open(&self) -> io::Result<File> {
        self.folder.open_in(&self.name)
    }

    /// Creates the file. Nothing may have the name.
    pub(crate) fn create(&self) -> io::Result<File> {
        self.folder.create(&self.name)
    }

    /// Sets the modification time of the file.
    pub(crate) fn set_mtime(&self, seconds: i64, nanos: u32) -> io::Result<()> {
        self.folder.set_mtime(&self.name, seconds, nanos)
    }

    /// Gives the file a second name, which must be free.
    pub(crate) fn link_to(&self, to: &Self) -> io::Result<()> {
        self.folder.link(&self.name, &to.folder, &to.name)
    }

    /// Moves it to another name, and replaces what has that.
    pub(crate) fn rename_to(&self, to: &Self) -> io::Result<()> {
        self.folder.rename(&self.name, &to.folder, &to.name)
    }

    /// Moves it to another name, which must be free: in one step where the system has one.
    pub(crate) fn move_to_free(&self, to: &Self) -> io::Result<()> {
        if let Some(moved) = self.folder.rename_to_free(&self.name, &to.folder, &to.name) {
            return moved;
        }
        // A link needs a free name too.
        match self.link_to(to) {
            Ok(()) => self.remove(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // Without links, a file that appears between these two steps is replaced.
            Err(_) if to.find()?.is_some() => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => self.rename_to(to),
        }
    }

    /// Moves whatever has the name to a free name of a folder in which nobody else makes files.
    pub(crate) fn move_aside(&self, to: &Self) -> io::Result<()> {
        match self.folder.rename_to_free(&self.name, &to.folder, &to.name) {
            Some(moved) => moved,
            None if to.find()?.is_some() => Err(io::ErrorKind::AlreadyExists.into()),
            None => self.rename_to(to),
        }
    }

    /// Lets two names change places in one step. Returns `false` if the disk cannot do that.
    pub(crate) fn exchange(&self, with: &Self) -> io::Result<bool> {
        self.folder.exchange(&self.name, &with.folder, &with.name)
    }

    /// Removes the folder, if it is empty.
    pub(crate) fn remove_folder(&self) -> io::Result<()> {
        self.folder.remove_folder(&self.name)
    }

    /// Removes the file.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.folder.remove_file(&self.name)
    }
}

fn stamp_of_file(found: io::Result<Option<Found>>) -> Result<Option<Stamp>, DiskFault> {
    match found.map_err(|error| error_fault(&error))? {
        None => Ok(None),
        Some(found) if found.what == What::File => Ok(Some(found.stamp)),
        Some(_) => Err(fault(DiskFaultKind::Changed, "there is a folder or a link of this name")),
    }
}

/// Returns the path of a file below the root, as the system writes it.
pub(crate) fn below(path: &RelPath) -> PathBuf {
    path.components().collect()
}

/// Returns the names of which a path consists. No other path leads only down.
fn names(below: &Path) -> io::Result<Vec<&OsStr>> {
    let name = |part| match part {
        Component::Normal(name) => Ok(name),
        _ => Err(io::ErrorKind::InvalidFilename.into()),
    };
    below.components().map(name).collect()
}

/// Returns the error for a folder that cannot be entered.
fn no_folder(below: &Path) -> io::Error {
    let message = format!("{} is a link or not a folder", below.display());
    io::Error::new(io::ErrorKind::NotADirectory, message)
}
