//! Files as they are sent: what there is of one, and reading it where it is needed.

#[cfg(feature = "server")]
use std::sync::{Mutex, PoisonError, Weak};
use std::{fmt::Debug, fs::File, io, path::Path, sync::Arc};

use bytes::Bytes;
use tokio::sync::Notify;

/// How much of a file there is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "a file of a driver's folder is always complete")
)]
pub(crate) enum Progress {
    /// So many bytes from its beginning can be read; more are to come.
    Arriving(u64),
    /// All of it can be read, and it is right.
    Complete,
    /// It will never be complete, for this reason.
    Broken(Arc<str>),
}

/// The bytes of one file that is sent.
pub(crate) trait Feed: Debug + Send + Sync + 'static {
    /// Bytes that it has once it is complete.
    fn size(&self) -> u64;

    /// How much of it there is.
    fn progress(&self) -> Progress;

    /// Has `wake` told of every progress from now on, for as long as it lives.
    fn watch(&self, wake: &Arc<Notify>);

    /// The file to read from. Unless it `may_wait` for a disk, it fails with
    /// [`io::ErrorKind::WouldBlock`] where it would have to.
    fn file(&self, may_wait: bool) -> io::Result<Arc<File>>;

    /// All of its bytes, if they are at hand without a file.
    fn memory(&self) -> Option<Bytes> {
        None
    }

    /// Looks whether what is read from `file` now is still what was promised.
    fn check(&self, _file: &File) -> io::Result<()> {
        Ok(())
    }
}

/// Those that want to know of a progress.
#[cfg(feature = "server")]
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Vec<Weak<Notify>>>);

#[cfg(feature = "server")]
impl Watchers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Notify>>> {
        // A list of whom to wake is sound at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, wake: &Arc<Notify>) {
        self.lock().push(Arc::downgrade(wake));
    }

    pub(crate) fn wake(&self) {
        self.lock().retain(|watcher| watcher.upgrade().map(|wake| wake.notify_one()).is_some());
    }
}

/// Opens a file for reading if that needs no disk, and follows a link only if it may; else fails with
/// [`io::ErrorKind::WouldBlock`].
#[cfg(target_os = "linux")]
pub(crate) fn open_cached(path: &Path, follows_links: bool) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut how = ResolveFlags::CACHED;
    how.set(ResolveFlags::NO_SYMLINKS, !follows_links);
    // Where the system has no such call, or forbids it, the slow way finds out what is the matter.
    openat2(CWD, path, flags, Mode::empty(), how)
        .map(File::from)
        .map_err(|_| io::ErrorKind::WouldBlock.into())
}

/// Opens a file for reading if that needs no disk; this system cannot tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_cached(_path: &Path, _follows_links: bool) -> io::Result<File> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Reads what of a place is in memory, and returns how many bytes that were: none, or the first
/// ones, if a disk would have to be waited for.
#[cfg(target_os = "linux")]
pub(crate) fn read_cached(file: &File, offset: u64, out: &mut [u8]) -> usize {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut buffers = [io::IoSliceMut::new(out)];
    // Whatever is the matter, the slow way finds it out again.
    preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
}

/// Reads what of a place is in memory; this system cannot tell, so it is nothing.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn read_cached(_file: &File, _offset: u64, _out: &mut [u8]) -> usize {
    0
}

/// Fills `out` from `offset` on.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

/// Fills `out` from `offset` on. The handle's own position moves; nobody here goes by it.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut offset: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                out = &mut out[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes `bytes` from `offset` on.
#[cfg(all(unix, feature = "server"))]
pub(crate) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes `bytes` from `offset` on. The handle's own position moves; nobody here goes by it.
#[cfg(all(windows, feature = "server"))]
pub(crate) fn write_at(file: &File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
