//! Open folders of Windows. It has no calls for names in an open folder, but a folder that is open in this way can be
//! neither renamed nor removed. So the whole path is held open, and cannot lead elsewhere.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use filetime::FileTime;

use super::{Found, Identity, What, names, no_folder};
use crate::scan::stamp_of;

/// A folder whose path cannot change as long as this exists.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    held: Vec<Arc<File>>,
}

impl Folder {
    /// Set if the system can exchange two names in one step. Not every disk can.
    pub(crate) const MAY_EXCHANGE: bool = false;

    /// Opens the root. It may be a link, or be below one.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(root)?;
        let held = vec![Arc::new(hold(&path)?)];
        Ok(Self { path, held })
    }

    /// Opens a folder below this one.
    pub(crate) fn folder(&self, below: &Path) -> io::Result<Self> {
        let (mut path, mut held) = (self.path.clone(), self.held.clone());
        let mut done = PathBuf::new();
        for name in names(below)? {
            path.push(name);
            done.push(name);
            let folder = hold(&path)?;
            // A link is not a folder here: it was opened and not followed.
            if !folder.metadata()?.is_dir() {
                return Err(no_folder(&done));
            }
            held.push(Arc::new(folder));
        }
        Ok(Self { path, held })
    }

    /// Makes a folder in this one.
    pub(super) fn make(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.path.join(name))
    }

    /// Returns `None`: the standard library has no such step.
    #[expect(clippy::unused_self, reason = "other systems need it")]
    pub(super) const fn open_at_once(&self, _below: &Path) -> Option<File> {
        None
    }

    pub(super) fn look(&self, name: &OsStr) -> io::Result<Found> {
        fs::symlink_metadata(self.path.join(name)).map(|metadata| found(&metadata))
    }

    pub(super) fn identity(&self, name: &OsStr) -> io::Result<Identity> {
        identity(&self.path.join(name))
    }

    pub(super) fn open_in(&self, name: &OsStr) -> io::Result<File> {
        open_no_link(&self.path.join(name), OpenOptions::new().read(true))
    }

    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        File::options().read(true).write(true).create_new(true).open(self.path.join(name))
    }

    pub(super) fn set_mtime(&self, name: &OsStr, seconds: i64, nanos: u32) -> io::Result<()> {
        let file = open_no_link(&self.path.join(name), OpenOptions::new().write(true))?;
        let time = FileTime::from_unix_time(seconds, nanos);
        filetime::set_file_handle_times(&file, None, Some(time))
    }

    pub(super) fn link(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        fs::hard_link(self.path.join(name), to.path.join(new))
    }

    pub(super) fn rename(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        fs::rename(self.path.join(name), to.path.join(new))
    }

    /// Returns `None`: the standard library has no such step.
    #[expect(clippy::unused_self, reason = "other systems need it")]
    pub(super) const fn rename_to_free(
        &self,
        _name: &OsStr,
        _to: &Self,
        _new: &OsStr,
    ) -> Option<io::Result<()>> {
        None
    }

    /// Returns `false`: the standard library has no such step.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "other systems need it")]
    pub(super) const fn exchange(
        &self,
        _name: &OsStr,
        _to: &Self,
        _with: &OsStr,
    ) -> io::Result<bool> {
        Ok(false)
    }

    /// Removes a file or link of this folder.
    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Removes an empty folder in this one.
    pub(crate) fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.path.join(name))
    }

    /// Returns everything in this folder. Reading the names already returns everything about each file.
    pub(crate) fn entries(&self) -> io::Result<Vec<(OsString, io::Result<Found>)>> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name(), entry.metadata().map(|metadata| found(&metadata))))
        };
        fs::read_dir(&self.path)?.map(entry).collect()
    }

    /// Does nothing: only an attempt shows what Windows allows.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(crate) const fn check_writable(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(windows)]
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Opens a folder, or a link itself, so that nobody can rename or remove it meanwhile.
#[cfg(windows)]
fn hold(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    const FILE_LIST_DIRECTORY: u32 = 1;
    const FILE_SHARE_READ_AND_WRITE: u32 = 1 | 2;
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    File::options()
        .access_mode(FILE_LIST_DIRECTORY)
        .share_mode(FILE_SHARE_READ_AND_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

#[cfg(windows)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::windows::fs::OpenOptionsExt as _;
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
    let file = File::options().access_mode(0).custom_flags(flags).open(path)?;
    let known = winapi_util::file::information(&file)?;
    let (device, number) = (known.volume_serial_number().into(), known.file_index().into());
    Ok(Identity { device, number, names: known.number_of_links().into() })
}

#[cfg(not(windows))]
fn identity(_path: &Path) -> io::Result<Identity> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(windows))]
fn hold(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens a file and no link. A file of OneDrive is a kind of link too, which must be opened in the usual way.
#[cfg(windows)]
fn open_no_link(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
    const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
    let file = options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    let metadata = file.metadata()?;
    if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Ok(file);
    }
    if metadata.file_type().is_symlink() {
        return Err(no_folder(Path::new(path.file_name().unwrap_or_default())));
    }
    options.custom_flags(0).open(path)
}

#[cfg(not(windows))]
fn open_no_link(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.open(path)
}

fn found(metadata: &Metadata) -> Found {
    let what = match metadata.file_type() {
        kind if kind.is_file() => What::File,
        kind if kind.is_dir() => What::Folder,
        _ => What::Other,
    };
    Found {
        what,
        stamp: stamp_of(metadata),
        in_the_cloud: in_the_cloud(metadata),
        change_tag: change_tag_of(metadata),
    }
}

/// Returns the change tag: the time at which the file was created, which tells it from a replacement.
#[cfg(windows)]
fn change_tag_of(metadata: &Metadata) -> u64 {
    use std::os::windows::fs::MetadataExt as _;
    metadata.creation_time()
}

/// Returns no change tag: this system has none.
#[cfg(not(windows))]
const fn change_tag_of(_metadata: &Metadata) -> u64 {
    0
}

/// Returns `true` if reading the file would download it.
#[cfg(windows)]
fn in_the_cloud(metadata: &Metadata) -> bool {
    use std::os::windows::fs::MetadataExt as _;
    // FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN and _RECALL_ON_DATA_ACCESS.
    metadata.file_attributes() & (0x1000 | 0x0004_0000 | 0x0040_0000) != 0
}

/// Returns `false`: this system does not tell.
#[cfg(not(windows))]
const fn in_the_cloud(_metadata: &Metadata) -> bool {
    false
}
