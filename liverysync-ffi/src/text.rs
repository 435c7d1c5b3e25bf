//! Text for C.

use std::ffi::{CStr, CString, c_char};

/// Converts a text for C. A NUL within it, which only text of other people can have, becomes U+FFFD.
pub(crate) fn owned(text: &str) -> CString {
    CString::new(text).or_else(|_| CString::new(text.replace('\0', "\u{fffd}"))).unwrap_or_default()
}

/// Converts a constant that ends in its only NUL; any other becomes an empty string.
pub(crate) const fn literal(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

/// Frees a string that came through an output argument. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn liverysync_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: the contract: it came from this library as `CString::into_raw` and was not freed before.
        drop(unsafe { CString::from_raw(string) });
    }
}
