//! The results of calls.

use std::ffi::{CStr, c_char};

/// The result of a call. A number never changes its meaning and is never reused; new ones may be added. 16 and 17 are
/// retired.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultCode {
    /// It worked.
    Ok = 0,
    /// A pointer that must not be NULL is.
    NullPointer = 1,
    /// A string is not UTF-8.
    InvalidUtf8 = 2,
    /// An argument has a value that it cannot have.
    InvalidArgument = 3,
    /// The `size` field of a struct is too small, or the struct sets a field that this version of the library does
    /// not know.
    StructSize = 4,
    /// An index is not below the count.
    OutOfRange = 5,
    /// The library caught a panic of its own in this call. If the call was made on a client or server, that is broken
    /// now and can only be freed.
    Panic = 6,
    /// An earlier call on this client or server ended in LIVERYSYNC_RESULT_PANIC, or the thread of its callback met a
    /// panic of the library.
    Broken = 7,
    /// A path breaks the path rule.
    InvalidPath = 8,
    /// Two entries cannot exist side by side on a PC with Windows.
    Collision = 9,
    /// It does not exist in any of the places that were searched.
    NotFound = 10,
    /// A folder does not exist, or cannot be read or written.
    Folder = 11,
    /// Another client syncs this folder.
    Busy = 12,
    /// The system provides no thread, no lock or no socket.
    System = 13,
    /// No event came in the time given. This is no failure.
    NoEvent = 14,
    /// It has stopped: the program stopped it, or a panic of the library between calls ended it.
    Stopped = 15,
    // Retired and never used again: 16 (not started) and 17 (started before). A handle is always running.
    /// The call would wait for the callback that makes it.
    InCallback = 18,
    /// Events go to a callback, or another thread is waiting for one.
    EventsTaken = 19,
    /// The time is up.
    TimedOut = 20,
    /// The server could not be reached.
    Unreachable = 21,
    /// The connection was lost.
    Lost = 22,
    /// It failed for a reason that has no number of its own.
    Failed = 23,
    /// The server refuses to change the league so. Nothing has changed; liverysync_last_error() says why.
    Refused = 24,
}

impl ResultCode {
    const fn name(self) -> &'static CStr {
        match self {
            Self::Ok => c"ok",
            Self::NullPointer => c"null_pointer",
            Self::InvalidUtf8 => c"invalid_utf8",
            Self::InvalidArgument => c"invalid_argument",
            Self::StructSize => c"struct_size",
            Self::OutOfRange => c"out_of_range",
            Self::Panic => c"panic",
            Self::Broken => c"broken",
            Self::InvalidPath => c"invalid_path",
            Self::Collision => c"collision",
            Self::NotFound => c"not_found",
            Self::Folder => c"folder",
            Self::Busy => c"busy",
            Self::System => c"system",
            Self::NoEvent => c"no_event",
            Self::Stopped => c"stopped",
            Self::InCallback => c"in_callback",
            Self::EventsTaken => c"events_taken",
            Self::TimedOut => c"timed_out",
            Self::Unreachable => c"unreachable",
            Self::Lost => c"lost",
            Self::Failed => c"failed",
            Self::Refused => c"refused",
        }
    }

    const ALL: [Self; 23] = [
        Self::Ok,
        Self::NullPointer,
        Self::InvalidUtf8,
        Self::InvalidArgument,
        Self::StructSize,
        Self::OutOfRange,
        Self::Panic,
        Self::Broken,
        Self::InvalidPath,
        Self::Collision,
        Self::NotFound,
        Self::Folder,
        Self::Busy,
        Self::System,
        Self::NoEvent,
        Self::Stopped,
        Self::InCallback,
        Self::EventsTaken,
        Self::TimedOut,
        Self::Unreachable,
        Self::Lost,
        Self::Failed,
        Self::Refused,
    ];
}

/// Returns the name of a result, such as `no_event`; `unknown` for any other number. It stays valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn liverysync_result_name(result: u32) -> *const c_char {
    let known = ResultCode::ALL.iter().find(|code| **code as u32 == result);
    known.map_or(c"unknown", |code| code.name()).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_number_but_the_retired_ones() {
        let numbers = ResultCode::ALL.map(|code| code as u32);
        let expected: Vec<_> = (0..=24).filter(|number| ![16, 17].contains(number)).collect();
        assert_eq!(numbers[..], expected);
    }
}
