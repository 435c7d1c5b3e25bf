//! The version of the library.

use std::ffi::{CStr, c_char};

use crate::text::literal;

/// The first number of the version that this header belongs to.
pub const VERSION_MAJOR: u32 = 0;
/// The second number of the version that this header belongs to.
pub const VERSION_MINOR: u32 = 1;
/// The third number of the version that this header belongs to.
pub const VERSION_PATCH: u32 = 0;
/// The version that this header belongs to, as liverysync_version_number() has it.
pub const VERSION_NUMBER: u32 = (VERSION_MAJOR << 16) | (VERSION_MINOR << 8) | VERSION_PATCH;

/// Returns the version of the library as text, such as `0.1.0`. It stays valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn liverysync_version() -> *const c_char {
    const VERSION: &CStr = literal(concat!(env!("CARGO_PKG_VERSION"), "\0"));
    VERSION.as_ptr()
}

/// Returns the version of the library as one number: major << 16 | minor << 8 | patch.
///
/// Compare it with LIVERYSYNC_VERSION_NUMBER, the version that the program was compiled with.
#[unsafe(no_mangle)]
pub extern "C" fn liverysync_version_number() -> u32 {
    VERSION_NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_package() {
        let numbers = format!("{VERSION_MAJOR}.{VERSION_MINOR}.{VERSION_PATCH}");
        assert_eq!(numbers, env!("CARGO_PKG_VERSION"));
        assert_eq!(liverysync_version_number(), 0x0100);
    }
}
