//! A file of a manifest or union for C.

use std::ffi::{CString, c_char};

use livery::{Content, ContentHash, Entry, Extensions, RelPath, UnixTime};

use crate::{
    error::Failure,
    messages, ptr,
    result::ResultCode,
    sized::{Given, Growing},
    text,
};

/// The `mtime_ns` of a file whose modification time is not known.
pub const MTIME_UNKNOWN: i64 = i64::MIN;

/// One file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FileEntry {
    /// sizeof(liverysync_entry).
    pub size: usize,
    /// Its path below the liveries folder, with `/` between components.
    pub path: *const c_char,
    /// The SHA-256 of its bytes: 64 hex digits, lower case where the library writes them.
    pub sha256: *const c_char,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its modification time in nanoseconds since 1970 UTC, or LIVERYSYNC_MTIME_UNKNOWN.
    pub mtime_ns: i64,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for FileEntry {
    const NAME: &'static str = "liverysync_entry";
}

// SAFETY: it holds only integers and pointers.
unsafe impl Given for FileEntry {}

impl FileEntry {
    /// # Safety
    ///
    /// Its pointers are NULL or text.
    pub(crate) unsafe fn read(&self, extensions: &Extensions) -> Result<Entry, Failure> {
        // SAFETY: as the caller of this function promises.
        let (path, sha256) = unsafe { (ptr::text(self.path, "path")?, hash(self.sha256)?) };
        Ok(Entry {
            path: rel_path(path, extensions)?,
            content: Content { hash: sha256, size: self.bytes },
            mtime: (self.mtime_ns != MTIME_UNKNOWN).then(|| UnixTime::from_nanos(self.mtime_ns)),
        })
    }
}

/// # Safety
///
/// `sha256` is NULL or text.
pub(crate) unsafe fn hash(sha256: *const c_char) -> Result<ContentHash, Failure> {
    // SAFETY: as the caller of this function promises.
    unsafe { ptr::text(sha256, "sha256") }?.parse().map_err(Failure::argument)
}

pub(crate) fn rel_path(path: &str, extensions: &Extensions) -> Result<RelPath, Failure> {
    RelPath::parse(path, extensions).map_err(|error| Failure::new(ResultCode::InvalidPath, error))
}

/// A file with its texts, which exist as long as the handle that it belongs to.
#[derive(Debug)]
pub(crate) struct Kept {
    path: CString,
    sha256: CString,
    bytes: u64,
    mtime_ns: i64,
}

impl Kept {
    pub(crate) fn new(path: &RelPath, content: Content, mtime: Option<UnixTime>) -> Self {
        Self {
            path: text::owned(path.as_str()),
            sha256: text::owned(&content.hash.to_string()),
            bytes: content.size,
            mtime_ns: mtime.map_or(MTIME_UNKNOWN, UnixTime::as_nanos),
        }
    }

    pub(crate) fn of(entry: &Entry) -> Self {
        Self::new(&entry.path, entry.content, entry.mtime)
    }

    pub(crate) fn show(&self) -> FileEntry {
        FileEntry {
            size: size_of::<FileEntry>(),
            path: self.path.as_ptr(),
            sha256: self.sha256.as_ptr(),
            bytes: self.bytes,
            mtime_ns: self.mtime_ns,
        }
    }
}

/// Returns the item at an index that came from C.
pub(crate) fn at<'a, T>(items: &'a [T], index: usize, what: &str) -> Result<&'a T, Failure> {
    items.get(index).ok_or_else(|| {
        Failure::new(ResultCode::OutOfRange, messages::out_of_range(what, index, items.len()))
    })
}
