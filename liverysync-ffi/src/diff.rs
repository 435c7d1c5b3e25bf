//! Differences between two manifests.

use std::{ffi::c_char, ptr::null};

use crate::{
    entry::{FileEntry, Kept, at},
    guard,
    manifest::Manifest,
    ptr::{self, Out},
    result::ResultCode,
    sized::{Growing, OutSized},
};

/// The differences between two manifests. It never changes, so several threads may read it at once.
#[derive(Debug)]
pub struct Diff {
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    kind: DiffKind,
    have: Option<Kept>,
    want: Option<Kept>,
}

/// The kind of a difference.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffKind {
    /// The file is wanted and missing.
    Missing = 1,
    /// The file is there with another content.
    Different = 2,
    /// The file is there and not wanted.
    Extra = 3,
}

/// One file that differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// sizeof(liverysync_difference).
    pub size: usize,
    /// The kind of the difference.
    pub kind: DiffKind,
    /// Its path, spelled as it is wanted; that of an extra file as it is there.
    pub path: *const c_char,
    /// SHA-256 of the file that is there; NULL if it is missing.
    pub have_sha256: *const c_char,
    /// SHA-256 of the wanted file; NULL if it is extra.
    pub want_sha256: *const c_char,
    /// Length of the file that is there, in bytes; 0 if it is missing.
    pub have_bytes: u64,
    /// Length of the wanted file, in bytes; 0 if it is extra.
    pub want_bytes: u64,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for Difference {
    const NAME: &'static str = "liverysync_difference";
}

impl Item {
    fn new(kind: DiffKind, have: Option<&livery::Entry>, want: Option<&livery::Entry>) -> Self {
        Self { kind, have: have.map(Kept::of), want: want.map(Kept::of) }
    }

    fn show(&self) -> Difference {
        let (have, want) = (self.have.as_ref().map(Kept::show), self.want.as_ref().map(Kept::show));
        let sha256 = |side: Option<FileEntry>| side.map_or(null(), |entry| entry.sha256);
        let bytes = |side: Option<FileEntry>| side.map_or(0, |entry| entry.bytes);
        Difference {
            size: size_of::<Difference>(),
            kind: self.kind,
            path: want.or(have).map_or(null(), |entry| entry.path),
            have_sha256: sha256(have),
            want_sha256: sha256(want),
            have_bytes: bytes(have),
            want_bytes: bytes(want),
        }
    }
}

/// Compares the files that a PC has with those that it should have. It ignores case in paths, and modification times.
///
/// The manifests may be freed afterwards. Free the result with liverysync_diff_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_diff_new(
    have: *const Manifest,
    want: *const Manifest,
    diff_out: *mut *mut Diff,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: two manifests, and room for a pointer.
        let (have, want, out) = unsafe {
            let out = Out::new(diff_out, "diff_out")?;
            (ptr::get(have, "have")?, ptr::get(want, "want")?, out)
        };
        let livery::Diff { missing, different, extra, .. } = have.manifest.diff(&want.manifest);
        let missing = missing.iter().map(|want| Item::new(DiffKind::Missing, None, Some(want)));
        let different = different
            .iter()
            .map(|(have, want)| Item::new(DiffKind::Different, Some(have), Some(want)));
        let extra = extra.iter().map(|have| Item::new(DiffKind::Extra, Some(have), None));
        out.hand_over(Diff { items: missing.chain(different).chain(extra).collect() });
        Ok(())
    })
}

/// Returns the number of files that differ; 0 if both have the same files, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_diff_count(diff: *const Diff) -> usize {
    // SAFETY: the contract: NULL or a diff.
    guard::value(0, || Some(unsafe { diff.as_ref() }?.items.len()))
}

/// Returns one file that differs: first the missing ones, then the different ones, then the extra ones, each ordered by
/// path. `index` counts from 0.
///
/// The strings in `difference_out` stay valid until the diff is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_diff_item(
    diff: *const Diff,
    index: usize,
    difference_out: *mut Difference,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a diff, and room for a struct with its size.
        let (diff, out) = unsafe { (ptr::get(diff, "diff")?, OutSized::new(difference_out)?) };
        out.set(&at(&diff.items, index, "difference")?.show());
        Ok(())
    })
}

/// Frees a diff and its strings. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_diff_free(diff: *mut Diff) {
    guard::call(|| {
        // SAFETY: the contract: NULL or a diff that is not used again.
        unsafe { ptr::free(diff) };
        Ok(())
    });
}
