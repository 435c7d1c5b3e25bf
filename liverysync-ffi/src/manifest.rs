//! Manifests: the files of a folder, from a scan or from elsewhere.

use std::{
    ffi::{CString, c_char},
    path::Path,
    sync::OnceLock,
};

use livery::{Rules, Skipped};

use crate::{
    entry::{FileEntry, Kept, at},
    error::Failure,
    guard, messages,
    ptr::{self, Out},
    result::ResultCode,
    rules::{ScanOptions, extensions, lint_rules},
    sized::{self, Growing, OutSized},
    text,
};

/// The files that a PC shares, and those that it skips. It never changes, so several threads may read it at once.
#[derive(Debug)]
pub struct Manifest {
    pub(crate) manifest: livery::Manifest,
    entries: Vec<Kept>,
    skipped: Vec<KeptSkipped>,
    hash: OnceLock<CString>,
}

#[derive(Debug)]
struct KeptSkipped {
    path: CString,
    kind: CString,
    reason: CString,
}

/// A file or folder that is not shared.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SkippedEntry {
    /// sizeof(liverysync_skipped).
    pub size: usize,
    /// Its path below the folder. It may contain characters that control a terminal.
    pub path: *const c_char,
    /// One of the words below "Skipped files" in docs/json.md, such as `link`. New words may be added.
    pub kind: *const c_char,
    /// The reason, for people.
    pub reason: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for SkippedEntry {
    const NAME: &'static str = "liverysync_skipped";
}

impl Manifest {
    pub(crate) fn new(manifest: livery::Manifest, skipped: &[Skipped]) -> Self {
        let kept = |item: &Skipped| KeptSkipped {
            path: text::owned(&item.path),
            kind: text::owned(item.reason.kind()),
            reason: text::owned(&item.reason.to_string()),
        };
        Self {
            entries: manifest.iter().map(Kept::of).collect(),
            skipped: skipped.iter().map(kept).collect(),
            hash: OnceLock::new(),
            manifest,
        }
    }
}

/// Scans `folder` and hashes the files that are shared, on all cores. It writes nothing and follows no link.
///
/// `options` may be NULL: all defaults. A file that cannot be read is skipped. Free the manifest with
/// liverysync_manifest_free().
///
/// Fails with LIVERYSYNC_RESULT_FOLDER if `folder` does not exist or cannot be listed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_scan(
    folder: *const c_char,
    options: *const ScanOptions,
    manifest_out: *mut *mut Manifest,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: text, NULL or options with their size, and room for a pointer.
        let (folder, options, out) = unsafe {
            let options = sized::read_optional(options)?;
            (ptr::text(folder, "folder")?, options, Out::new(manifest_out, "manifest_out")?)
        };
        // SAFETY: the contract: what is not NULL in the options is text.
        let mut scan = unsafe { scan(folder, options) }?;
        scan.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        out.hand_over(Manifest::new(scan.manifest, &scan.skipped));
        Ok(())
    })
}

/// Checks the liveries in `folder` and returns what is probably wrong with them: a JSON array of the objects that docs/json.md
/// has below "Findings", ordered by livery. It reads what liverysync_scan() reads.
///
/// `options` may be NULL: all defaults. `rules` is the path of the league's rules, a TOML file that docs/configuration.md describes;
/// NULL: only what the game needs is checked. Free the text with liverysync_string_free().
///
/// Fails as liverysync_scan() does, and with LIVERYSYNC_RESULT_INVALID_ARGUMENT if the rules cannot be read or have a mistake; the
/// error text has its line.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_lint(
    folder: *const c_char,
    options: *const ScanOptions,
    rules: *const c_char,
    findings_out: *mut *mut c_char,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: text, NULL or options with their size, NULL or text, and room for a pointer.
        let (folder, options, rules, out) = unsafe {
            let options = sized::read_optional(options)?;
            let rules = self::lint_rules(rules, "rules")?;
            (ptr::text(folder, "folder")?, options, rules, Out::new(findings_out, "findings_out")?)
        };
        // SAFETY: the contract: what is not NULL in the options is text.
        let scan = unsafe { scan(folder, options) }?;
        let findings = scan.lint(&rules.unwrap_or_default());
        let json = serde_json::to_string(&findings)
            .map_err(|error| Failure::new(ResultCode::Failed, error))?;
        out.set(text::owned(&json).into_raw());
        Ok(())
    })
}

/// Scans a folder.
///
/// # Safety
///
/// The pointers in `options` are NULL or text.
unsafe fn scan(folder: &str, options: Option<ScanOptions>) -> Result<livery::Scan, Failure> {
    let rules = match options {
        // SAFETY: as the caller of this function promises.
        Some(options) => unsafe { options.rules() }?,
        None => Rules::default(),
    };
    livery::scan(Path::new(folder), &rules).map_err(|error| Failure::of(ResultCode::Folder, &error))
}

/// Makes a manifest of `count` entries from elsewhere. It keeps copies of their strings.
///
/// `entries` may be NULL if `count` is 0. `extensions` is the list of file extensions that paths are checked against,
/// as in liverysync_scan_options; NULL: the default. Free the manifest with liverysync_manifest_free().
///
/// Fails with LIVERYSYNC_RESULT_INVALID_PATH if a path breaks the path rule, and with LIVERYSYNC_RESULT_COLLISION if
/// two files cannot exist side by side; the error text names the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_new(
    entries: *const FileEntry,
    count: usize,
    extensions: *const c_char,
    manifest_out: *mut *mut Manifest,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: `count` entries with their size, NULL or text, and room for a pointer.
        let (entries, extensions, out) = unsafe {
            let out = Out::new(manifest_out, "manifest_out")?;
            (sized::read_list(entries, count)?, self::extensions(extensions)?, out)
        };
        let mut manifest = livery::Manifest::new();
        for entry in entries {
            // SAFETY: the contract: its strings are text.
            let entry = unsafe { entry.read(&extensions) }?;
            let path = entry.path.clone();
            manifest.insert(entry).map_err(|collision| {
                Failure::new(ResultCode::Collision, messages::collision(path, collision))
            })?;
        }
        out.hand_over(Manifest::new(manifest, &[]));
        Ok(())
    })
}

/// Returns the number of files; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_count(manifest: *const Manifest) -> usize {
    // SAFETY: the contract: NULL or a manifest.
    guard::value(0, || Some(unsafe { manifest.as_ref() }?.entries.len()))
}

/// Returns one file. Files are ordered by path, without regard to case; `index` counts from 0.
///
/// The strings in `entry_out` stay valid until the manifest is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_entry(
    manifest: *const Manifest,
    index: usize,
    entry_out: *mut FileEntry,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a manifest, and room for an entry with its size.
        let (manifest, out) =
            unsafe { (ptr::get(manifest, "manifest")?, OutSized::new(entry_out)?) };
        out.set(&at(&manifest.entries, index, "entry")?.show());
        Ok(())
    })
}

/// Returns the sum of the sizes of all files, in bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_total_bytes(manifest: *const Manifest) -> u64 {
    // SAFETY: the contract: NULL or a manifest.
    guard::value(0, || Some(unsafe { manifest.as_ref() }?.manifest.total_bytes()))
}

/// Returns the manifest hash: 64 hex digits; NULL for NULL. It is equal on PCs with the same files under the same names.
///
/// It is the SHA-256 over the compact JSON list of `rel_path`, `size` and `sha256`, ordered by path. It stays valid
/// until the manifest is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_hash(manifest: *const Manifest) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: the contract: NULL or a manifest.
        let handle = unsafe { manifest.as_ref() }?;
        let hash = || text::owned(&handle.manifest.hash().to_string());
        Some(handle.hash.get_or_init(hash).as_ptr())
    })
}

/// Returns the number of skipped files and folders; 0 for NULL, and for a manifest that is not from a scan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_skipped_count(manifest: *const Manifest) -> usize {
    // SAFETY: the contract: NULL or a manifest.
    guard::value(0, || Some(unsafe { manifest.as_ref() }?.skipped.len()))
}

/// Returns one skipped file or folder. They are ordered by path; `index` counts from 0.
///
/// The strings in `skipped_out` stay valid until the manifest is freed. Fails with LIVERYSYNC_RESULT_OUT_OF_RANGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_skipped(
    manifest: *const Manifest,
    index: usize,
    skipped_out: *mut SkippedEntry,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: a manifest, and room for a struct with its size.
        let (manifest, out) =
            unsafe { (ptr::get(manifest, "manifest")?, OutSized::new(skipped_out)?) };
        let KeptSkipped { path, kind, reason } = at(&manifest.skipped, index, "skipped entry")?;
        out.set(&SkippedEntry {
            size: size_of::<SkippedEntry>(),
            path: path.as_ptr(),
            kind: kind.as_ptr(),
            reason: reason.as_ptr(),
        });
        Ok(())
    })
}

/// Frees a manifest and its strings. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_manifest_free(manifest: *mut Manifest) {
    guard::call(|| {
        // SAFETY: the contract: NULL or a manifest that is not used again.
        unsafe { ptr::free(manifest) };
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use std::{ffi::CStr, fs};

    use super::*;

    #[test]
    fn findings_are_those_of_rust() {
        let folder = tempfile::tempdir().unwrap();
        let (root, rules) = (folder.path().join("L"), folder.path().join("rules.toml"));
        for livery in ["904", "Ünter/Liveries", "New folder"] {
            fs::create_dir_all(root.join(livery)).unwrap();
            fs::write(root.join(livery).join("decals.png"), "no picture").unwrap();
        }
        fs::write(root.join("904/._decals.png"), "of macOS").unwrap();
        fs::write(&rules, "max-file-bytes = 3\nnames = ['#*']\n").unwrap();
        let text = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
        let (root_text, rules_text) = (text(&root), text(&rules));
        for given in [None, Some(&rules_text)] {
            let file = given.map_or(std::ptr::null(), |file| file.as_ptr());
            let mut found = std::ptr::null_mut();
            // SAFETY: two texts or NULL, and room for a pointer.
            let code = unsafe {
                liverysync_lint(root_text.as_ptr(), std::ptr::null(), file, &raw mut found)
            };
            assert_eq!(code, ResultCode::Ok);
            // SAFETY: the call has made it.
            let json = unsafe { CStr::from_ptr(found) }.to_str().unwrap();
            let rules = given.map(|_| livery::read_lint_rules(&rules).unwrap()).unwrap_or_default();
            let expected = livery::scan(&root, &Rules::default()).unwrap().lint(&rules);
            assert_eq!(json, serde_json::to_string(&expected).unwrap());
            assert_eq!(
                json.matches("name-not-allowed").count(),
                if given.is_some() { 3 } else { 0 }
            );
            // SAFETY: it is not used again.
            unsafe { text::liverysync_string_free(found) };
        }
    }
}
