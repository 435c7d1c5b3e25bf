//! The union of manifests: the files that every PC should have.

use std::ffi::{CString, c_char};

use livery::{Naming, Policy, Scope};

use crate::{
    entry::{FileEntry, Kept, at},
    error::Failure,
    guard,
    manifest::Manifest,
    messages,
    ptr::{self, Out},
    result::ResultCode,
    rules::extensions,
    sized::{self, Given, Growing, OutSized},
    text,
};

/// The files that every PC should have. It never changes, so several threads may read it at once.
#[derive(Debug)]
pub struct Union {
    union: livery::Union,
    entries: Vec<KeptEntry>,
    conflicts: Vec<KeptConflict>,
    refused: Vec<KeptRefused>,
}

#[derive(Debug)]
struct KeptEntry {
    entry: Kept,
    holders: Vec<(u64, CString)>,
}

#[derive(Debug)]
struct KeptConflict {
    peer: u64,
    path: CString,
    conflict_path: CString,
}

#[derive(Debug)]
struct KeptRefused {
    peer: u64,
    path: CString,
    reason: CString,
}

/// The rule that decides which of several contents keeps a name.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// The first in the list of manifests. This is the default.
    Established = 0,
    /// The lowest SHA-256.
    LowestHash = 1,
    /// The newest modification time; between equals the first in the list.
    NewestMtime = 2,
}

/// The part of a livery that becomes a conflict copy.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictScope {
    /// The file in conflict, beside the established one. This is the default.
    File = 0,
    /// Its whole livery, in a folder of its own, so that two liveries of one name are never mixed, even if none of their
    /// files collides.
    Livery = 1,
}

/// The configuration of a merge. Zero and NULL mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MergeOptions {
    /// sizeof(liverysync_merge_options).
    pub size: usize,
    /// The text between a name and the digits of a conflict name. Default: `__CONFLICT__`.
    pub suffix: *const c_char,
    /// The file extensions that conflict names are checked against, as in liverysync_scan_options.
    pub extensions: *const c_char,
    /// A liverysync_policy: the rule that decides which content keeps a name.
    pub policy: u32,
    /// A liverysync_scope: the part of a livery that becomes a conflict copy.
    pub scope: u32,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for MergeOptions {
    const NAME: &'static str = "liverysync_merge_options";
}

// SAFETY: it holds only integers and pointers.
unsafe impl Given for MergeOptions {}

/// A PC that has a content.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// sizeof(liverysync_holder).
    pub size: usize,
    /// The number of its manifest in the list, from 0.
    pub peer: u64,
    /// The path of the content there. It differs from the path of the entry if the content is a conflict copy.
    pub path: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for Holder {
    const NAME: &'static str = "liverysync_holder";
}

/// A conflict: the name of this content is that of another one, so it gets a conflict name.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Conflict {
    /// sizeof(liverysync_conflict).
    pub size: usize,
    /// The number of its manifest in the list, from 0.
    pub peer: u64,
    /// Its path there.
    pub path: *const c_char,
    /// Its path in the union.
    pub conflict_path: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for Conflict {
    const NAME: &'static str = "liverysync_conflict";
}

/// A file that cannot join the union.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// sizeof(liverysync_refused).
    pub size: usize,
    /// The number of its manifest in the list, from 0.
    pub peer: u64,
    /// Its path there.
    pub path: *const c_char,
    /// The reason, for people.
    pub reason: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for Refused {
    const NAME: &'static str = "liverysync_refused";
}

impl Union {
    fn new(union: livery::Union, outcome: &livery::Outcome) -> Self {
        let entry = |entry: &livery::UnionEntry| KeptEntry {
            entry: Kept::new(&entry.path, entry.content, entry.mtime),
            holders: entry
                .holders()
                .map(|(peer, path)| (peer.0, text::owned(path.as_str())))
                .collect(),
        };
        let conflicts = outcome.conflicts.iter().map(|(peer, path, conflict_path)| KeptConflict {
            peer: peer.0,
            path: text::owned(path.as_str()),
            conflict_path: text::owned(conflict_path.as_str()),
        });
        let refused = outcome.refused.iter().map(|(peer, path, refusal)| KeptRefused {
            peer: peer.0,
            path: text::owned(path.as_str()),
            reason: text::owned(&refusal.to_string()),
        });
        Self {
            entries: union.iter().map(entry).collect(),
            conflicts: conflicts.collect(),
            refused: refused.collect(),
            union,
        }
    }
}

/// # Safety
///
/// Both are NULL or text.
pub(crate) unsafe fn naming(
    suffix: *const c_char,
    extensions: *const c_char,
) -> Result<Naming, Failure> {
    // SAFETY: as the caller of this function promises.
    let (suffix, extensions) =
        unsafe { (ptr::optional_text(suffix, "suffix")?, self::extensions(extensions)?) };
    match suffix {
        Some(suffix) => Naming::new(suffix, extensions).map_err(Failure::argument),
        None => Ok(Naming::default().with_extensions(extensions)),
    }
}

pub(crate) fn policy(number: u32) -> Result<Policy, Failure> {
    match number {
        n if n == ConflictPolicy::Established as u32 => Ok(Policy::Established),
        n if n == ConflictPolicy::LowestHash as u32 => Ok(Policy::LowestHash),
        n if n == ConflictPolicy::NewestMtime as u32 => Ok(Policy::NewestMtime),
        other => Err(Failure::argument(messages::unknown_choice("policy", other))),
    }
}

pub(crate) fn scope(number: u32) -> Result<Scope, Failure> {
    match number {
        n if n == ConflictScope::File as u32 => Ok(Scope::File),
        n if n == ConflictScope::Livery as u32 => Ok(Scope::Livery),
        other => Err(Failure::argument(messages::unknown_choice("scope", other))),
    }
}

/// Merges manifests as a server does with PCs that connect in this order.
///
/// `manifests` is a list of `count` pointers, none of them NULL; it may be NULL if `count` is 0. `options` may be
/// NULL: all defaults. The manifests may be freed afterwards. Free the union with liverysync_union_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_merge(
    manifests: *const *const Manifest,
    count: usize,
    options: *const MergeOptions,
    union_out: *mut *mut Union,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: `count` pointers to manifests, NULL or options with their size, room for a pointer.
        let (list, options, out) = unsafe {
            let out = Out::new(union_out, "union_out")?;
            (ptr::list(manifests, count, "manifests")?, sized::read_optional(options)?, out)
        };
        let (naming, policy) = match options {
            Some(options) => {
                // SAFETY: the contract: what is not NULL in it is text.
                let naming = unsafe { naming(options.suffix, options.extensions) }?;
                (naming.with_scope(scope(options.scope)?), policy(options.policy)?)
            }
            None => Default::default(),
        };
        let manifests = list.into_iter().map(|handle| &handle.manifest);
        let (union, outcome) = livery::Union::merge(manifests, policy, naming);
        out.hand_over(Union::new(union, &outcome));
        Ok(())
    })
}

/// Makes the manifest that every PC should have. Free it with liverysync_manifest_free(). The union may be freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_manifest(
    handle: *const Union,
    manifest_out: *mut *mut Manifest,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a union, and room for a pointer.
        let (handle, out) =
            unsafe { (ptr::get(handle, "union")?, Out::new(manifest_out, "manifest_out")?) };
        out.hand_over(Manifest::new(handle.union.manifest(), &[]));
        Ok(())
    })
}

/// Returns the number of files; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_count(handle: *const Union) -> usize {
    // SAFETY: the contract: NULL or a union.
    guard::value(0, || Some(unsafe { handle.as_ref() }?.entries.len()))
}

/// Returns one file. Files are ordered by path, without regard to case; `index` counts from 0.
///
/// The strings in `entry_out` stay valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_entry(
    handle: *const Union,
    index: usize,
    entry_out: *mut FileEntry,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a union, and room for an entry with its size.
        let (handle, out) = unsafe { (ptr::get(handle, "union")?, OutSized::new(entry_out)?) };
        out.set(&at(&handle.entries, index, "entry")?.entry.show());
        Ok(())
    })
}

/// Returns the number of PCs that have the content of file number `index`; 0 for NULL, and if there is no such file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_holder_count(
    handle: *const Union,
    index: usize,
) -> usize {
    // SAFETY: the contract: NULL or a union.
    guard::value(0, || Some(unsafe { handle.as_ref() }?.entries.get(index)?.holders.len()))
}

/// Returns one holder of file number `index`; `holder` counts from 0.
///
/// The string in `holder_out` stays valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_holder(
    handle: *const Union,
    index: usize,
    holder: usize,
    holder_out: *mut Holder,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a union, and room for a struct with its size.
        let (handle, out) = unsafe { (ptr::get(handle, "union")?, OutSized::new(holder_out)?) };
        let entry = at(&handle.entries, index, "entry")?;
        let (peer, path) = at(&entry.holders, holder, "holder")?;
        out.set(&Holder { size: size_of::<Holder>(), peer: *peer, path: path.as_ptr() });
        Ok(())
    })
}

/// Returns the number of conflicts; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_conflict_count(handle: *const Union) -> usize {
    // SAFETY: the contract: NULL or a union.
    guard::value(0, || Some(unsafe { handle.as_ref() }?.conflicts.len()))
}

/// Returns one conflict; `index` counts from 0.
///
/// The strings in `conflict_out` stay valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_conflict(
    handle: *const Union,
    index: usize,
    conflict_out: *mut Conflict,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a union, and room for a struct with its size.
        let (handle, out) = unsafe { (ptr::get(handle, "union")?, OutSized::new(conflict_out)?) };
        let kept = at(&handle.conflicts, index, "conflict")?;
        out.set(&Conflict {
            size: size_of::<Conflict>(),
            peer: kept.peer,
            path: kept.path.as_ptr(),
            conflict_path: kept.conflict_path.as_ptr(),
        });
        Ok(())
    })
}

/// Returns the number of files that cannot join the union; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_refused_count(handle: *const Union) -> usize {
    // SAFETY: the contract: NULL or a union.
    guard::value(0, || Some(unsafe { handle.as_ref() }?.refused.len()))
}

/// Returns one file that cannot join the union; `index` counts from 0.
///
/// The strings in `refused_out` stay valid until the union is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_refused(
    handle: *const Union,
    index: usize,
    refused_out: *mut Refused,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a union, and room for a struct with its size.
        let (handle, out) = unsafe { (ptr::get(handle, "union")?, OutSized::new(refused_out)?) };
        let kept = at(&handle.refused, index, "refused entry")?;
        out.set(&Refused {
            size: size_of::<Refused>(),
            peer: kept.peer,
            path: kept.path.as_ptr(),
            reason: kept.reason.as_ptr(),
        });
        Ok(())
    })
}

/// Frees a union and its strings. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_union_free(handle: *mut Union) {
    guard::call(|| {
        // SAFETY: the contract: NULL or a union that is not used again.
        unsafe { ptr::free(handle) };
        Ok(())
    });
}
