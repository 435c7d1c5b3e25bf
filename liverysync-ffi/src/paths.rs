//! Names: the path rule, conflict names, text made safe to show, and the game's liveries folder.

use std::ffi::c_char;

use crate::{
    entry::{hash, rel_path},
    error::Failure,
    guard,
    manifest::Manifest,
    messages,
    ptr::{self, Out},
    result::ResultCode,
    rules::extensions,
    sized::{self, Given, Growing},
    text,
    union::naming,
};

/// The configuration of conflict names. Zero and NULL mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NamingOptions {
    /// sizeof(liverysync_naming_options).
    pub size: usize,
    /// The text between a name and the digits. Default: `__CONFLICT__`.
    pub suffix: *const c_char,
    /// The file extensions that the name is checked against, as in liverysync_scan_options.
    pub extensions: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size; there is no other version of it.
unsafe impl Growing for NamingOptions {
    const NAME: &'static str = "liverysync_naming_options";
}

// SAFETY: it holds only integers and pointers.
unsafe impl Given for NamingOptions {}

/// Checks a path against the path rule, which every shared file must keep.
///
/// `extensions` is a list as in liverysync_scan_options; NULL: the default.
///
/// Fails with LIVERYSYNC_RESULT_INVALID_PATH if the path is refused; the error text says why.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_check_path(
    path: *const c_char,
    extensions: *const c_char,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: text, and NULL or text.
        let (path, extensions) =
            unsafe { (ptr::text(path, "path")?, self::extensions(extensions)?) };
        rel_path(path, &extensions).map(drop)
    })
}

/// Makes the conflict name of `path` for the content with this SHA-256: `<stem>__CONFLICT__<first 8 hex digits>.<extension>`.
///
/// `options` may be NULL: all defaults. `taken` may be NULL; otherwise a name that has another content there is not
/// used, and `_1`, `_2`... follows the digits. Free the name with liverysync_string_free().
///
/// Fails with LIVERYSYNC_RESULT_INVALID_PATH if the path or its conflict name breaks the path rule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_conflict_name(
    path: *const c_char,
    sha256: *const c_char,
    options: *const NamingOptions,
    taken: *const Manifest,
    name_out: *mut *mut c_char,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: two texts, NULL or options with their size, NULL or a manifest, room for a pointer.
        let (path, hash, options, taken, out) = unsafe {
            let out = Out::new(name_out, "name_out")?;
            let options = sized::read_optional(options)?;
            (ptr::text(path, "path")?, hash(sha256)?, options, taken.as_ref(), out)
        };
        let naming = match options {
            // SAFETY: the contract: what is not NULL in it is text.
            Some(options) => unsafe { naming(options.suffix, options.extensions) }?,
            None => livery::Naming::default(),
        };
        let path = rel_path(path, &naming.extensions)?;
        let name = naming.conflict_name(&path, hash, |name| {
            let there = taken.and_then(|handle| handle.manifest.get(name.key()));
            there.is_some_and(|entry| entry.content.hash != hash)
        });
        let name = name.map_err(|error| Failure::new(ResultCode::InvalidPath, error))?;
        out.set(text::owned(name.as_str()).into_raw());
        Ok(())
    })
}

/// Makes text from other people safe to show: a character that controls a terminal, or is invisible, becomes `\u{..}`.
/// Names of drivers, paths and reasons may contain such characters. Free the text with liverysync_string_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_escape(
    text: *const c_char,
    escaped_out: *mut *mut c_char,
) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: text, and room for a pointer.
        let (text, out) =
            unsafe { (ptr::text(text, "text")?, Out::new(escaped_out, "escaped_out")?) };
        out.set(text::owned(&livery::escape(text)).into_raw());
        Ok(())
    })
}

/// Finds the game's liveries folder on this PC: below the documents folder, and on Linux also where Steam's Proton
/// keeps it. Free the path with liverysync_string_free().
///
/// Fails with LIVERYSYNC_RESULT_NOT_FOUND if there is none; the error text names the searched places. Fails
/// with LIVERYSYNC_RESULT_INVALID_UTF8 if its path is not Unicode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_liveries_folder(folder_out: *mut *mut c_char) -> ResultCode {
    guard::call(|| {
        // SAFETY: the contract: room for a pointer.
        let out = unsafe { Out::new(folder_out, "folder_out") }?;
        let folder =
            livery::liveries_folder().map_err(|error| Failure::new(ResultCode::NotFound, error))?;
        let Some(folder) = folder.to_str() else {
            return Err(Failure::new(ResultCode::InvalidUtf8, messages::not_unicode(&folder)));
        };
        out.set(text::owned(folder).into_raw());
        Ok(())
    })
}
