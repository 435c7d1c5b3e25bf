//! The bytes of a file that is sent: how many of them can be read yet, and how to read them.

#[cfg(feature = "server")]
use std::sync::{Mutex, PoisonError, Weak};
use std::{fmt::Debug, fs::File, io, path::Path, sync::Arc};

use bytes::Bytes;
use tokio::sync::Notify;

/// The part of a file that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "a file of a driver's folder is always complete")
)]
pub(crate) enum Availability {
    /// The first bytes, up to this number; more will follow.
    Partial(u64),
    /// All of it, and its hash is right.
    Complete,
    /// It will never be complete, for this reason.
    Broken(Arc<str>),
}

/// The bytes of one file that is sent.
pub(crate) trait ByteSource: Debug + Send + Sync + 'static {
    /// Returns the size of the complete file in bytes.
    fn size(&self) -> u64;

    /// Returns how much of it can be read.
    fn availability(&self) -> Availability;

    /// Notifies `wake` whenever the availability changes, until `wake` is dropped.
    fn notify_changes(&self, wake: &Arc<Notify>);

    /// Opens the file to read from. Unless it `may_block`, it fails with [`io::ErrorKind::WouldBlock`] instead of waiting
    /// for a disk.
    fn open(&self, may_block: bool) -> io::Result<Arc<File>>;

    /// Returns all bytes if they are in memory.
    fn bytes_in_memory(&self) -> Option<Bytes> {
        None
    }

    /// Checks that `file` still has the promised content.
    fn check_unchanged(&self, _file: &File) -> io::Result<()> {
        Ok(())
    }
}

/// The tasks that a byte source notifies of changes.
#[cfg(feature = "server")]
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<Vec<Weak<Notify>>>);

#[cfg(feature = "server")]
impl Subscribers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Notify>>> {
        // A list of tasks is sound at any time, also after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, wake: &Arc<Notify>) {
        self.lock().push(Arc::downgrade(wake));
    }

    pub(crate) fn notify(&self) {
        self.lock().retain(|wake| wake.upgrade().map(|wake| wake.notify_one()).is_some());
    }
}

/// Opens a file for reading if the system has it in its cache, else fails with [`io::ErrorKind::WouldBlock`].
#[cfg(target_os = "linux")]
pub(crate) fn open_cached(path: &Path, follows_links: bool) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut how = ResolveFlags::CACHED;
    how.set(ResolveFlags::NO_SYMLINKS, !follows_links);
    // Any other failure is hidden here: the caller opens the file again in the slow way and meets it there.
    openat2(CWD, path, flags, Mode::empty(), how)
        .map(File::from)
        .map_err(|_| io::ErrorKind::WouldBlock.into())
}

/// Fails with [`io::ErrorKind::WouldBlock`]: this system cannot open files from its cache alone.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_cached(_path: &Path, _follows_links: bool) -> io::Result<File> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Reads bytes at `offset` that the system has in its cache, and returns their number. It is smaller than `out` if the
/// rest is on the disk.
#[cfg(target_os = "linux")]
pub(crate) fn read_cached(file: &File, offset: u64, out: &mut [u8]) -> usize {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut buffers = [io::IoSliceMut::new(out)];
    // A failure is hidden here: the caller reads the rest in the slow way and meets it there.
    preadv2(file, &mut buffers, offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
}

/// Reads nothing: this system cannot read from its cache alone.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn read_cached(_file: &File, _offset: u64, _out: &mut [u8]) -> usize {
    0
}

/// Fills `out` with the bytes at `offset`.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

/// Fills `out` with the bytes at `offset`. It moves the handle's position, which nothing here relies on.
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

/// Writes `bytes` at `offset`.
#[cfg(all(unix, feature = "server"))]
pub(crate) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes `bytes` at `offset`. It moves the handle's position, which nothing here relies on.
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
