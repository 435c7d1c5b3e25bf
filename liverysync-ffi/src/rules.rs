//! The rules for the files that are shared.

use std::{ffi::c_char, path::Path};

use livery::{Extensions, LintRules, Rules};

use crate::{
    error::Failure,
    messages, ptr,
    sized::{Given, Growing},
};

/// The rules for the files of a folder that are shared. Zero and NULL mean the default, so `{.size = sizeof(liverysync_scan_options)}` is all
/// defaults.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// sizeof(liverysync_scan_options).
    pub size: usize,
    /// The file extensions that are shared, with commas between them, such as `png,json`: 1 to 16 ASCII letters or
    /// digits each, in any case, with or without a dot. Default: `dds,jpeg,jpg,json,png,txt`.
    pub extensions: *const c_char,
    /// Not 0: share the game's own texture caches too, such as `decals_0.dds`.
    pub derived_dds: u32,
    /// Not 0: share placeholders too, which the game leaves for liveries that this PC does not have.
    pub placeholders: u32,
    /// Largest number of files. Default: 50,000.
    pub max_entries: u64,
    /// Largest file, in bytes. Default: 256 MiB.
    pub max_file_size: u64,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for ScanOptions {
    const NAME: &'static str = "liverysync_scan_options";
}

// SAFETY: it holds only integers and pointers.
unsafe impl Given for ScanOptions {}

impl ScanOptions {
    /// # Safety
    ///
    /// `self.extensions` is NULL or text.
    pub(crate) unsafe fn rules(&self) -> Result<Rules, Failure> {
        let mut rules = Rules::default();
        // SAFETY: as the caller of this function promises.
        rules.extensions = unsafe { extensions(self.extensions) }?;
        rules.derived_dds = self.derived_dds != 0;
        rules.placeholders = self.placeholders != 0;
        if self.max_entries > 0 {
            rules.entries_max = usize::try_from(self.max_entries).unwrap_or(usize::MAX);
        }
        if self.max_file_size > 0 {
            rules.file_bytes_max = self.max_file_size;
        }
        Ok(rules)
    }
}

/// Returns a list of extensions; the default for NULL.
///
/// # Safety
///
/// `list` is NULL or text.
pub(crate) unsafe fn extensions(list: *const c_char) -> Result<Extensions, Failure> {
    // SAFETY: as the caller of this function promises.
    match unsafe { ptr::optional_text(list, "extensions") }? {
        None => Ok(Extensions::default()),
        Some(list) => {
            let list: Extensions = list.parse().map_err(Failure::argument)?;
            if list.is_empty() {
                return Err(Failure::argument(messages::NO_EXTENSIONS));
            }
            Ok(list)
        }
    }
}

/// Reads the rules for lint from the file at a path; `None` for NULL.
///
/// # Safety
///
/// `file` is NULL or text.
pub(crate) unsafe fn lint_rules(
    file: *const c_char,
    what: &str,
) -> Result<Option<LintRules>, Failure> {
    // SAFETY: as the caller of this function promises.
    let Some(file) = (unsafe { ptr::optional_text(file, what) })? else { return Ok(None) };
    let rules = livery::read_lint_rules(Path::new(file));
    rules.map(Some).map_err(|error| Failure::argument(messages::lint_rules(file, error)))
}
