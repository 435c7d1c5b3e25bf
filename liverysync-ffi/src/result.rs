//! What a call came to.

use std::ffi::{CStr, c_char};

/// What a call came to. Numbers never change and are never used again for something else; new ones may come.
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
    /// The library met a fault of its own in this call and caught it. If the call was made on a client or server,
    /// that is broken now and can only be freed.
    Panic = 6,
    /// An earlier call on this client or server ended in LIVERYSYNC_RESULT_PANIC, or its callback's thread met such a
    /// fault.
    Broken = 7,
    /// A path breaks the path rule.
    InvalidPath = 8,
    /// Two entries could not lie beside each other on a PC with Windows.
    Collision = 9,
    /// It was looked for and is not there.
    NotFound = 10,
    /// A folder is not there, or cannot be read or written.
    Folder = 11,
    /// Another client syncs this folder.
    Busy = 12,
    /// The system gives no threads, no lock or no socket.
    System = 13,
    /// No event came in the time given. This is no failure.
    NoEvent = 14,
    /// It has stopped: it was told to, or a fault of the library between calls has ended it.
    Stopped = 15,
    /// It has not been started.
    NotStarted = 16,
    /// It was started before, or it is too late for this call. A client or server runs once.
    Started = 17,
    /// The call would wait for the very callback that makes it.
    InCallback = 18,
    /// Events go to a callback, or another thread is waiting for one.
    EventsTaken = 19,
    /// The time is up.
    TimedOut = 20,
    /// The server could not be reached.
    Unreachable = 21,
    /// The connection was lost.
    Lost = 22,
    /// It failed for a reason that has no number of its own yet.
    Failed = 23,
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
            Self::NotStarted => c"not_started",
            Self::Started => c"started",
            Self::InCallback => c"in_callback",
            Self::EventsTaken => c"events_taken",
            Self::TimedOut => c"timed_out",
            Self::Unreachable => c"unreachable",
            Self::Lost => c"lost",
            Self::Failed => c"failed",
        }
    }

    const ALL: [Self; 24] = [
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
        Self::NotStarted,
        Self::Started,
        Self::InCallback,
        Self::EventsTaken,
        Self::TimedOut,
        Self::Unreachable,
        Self::Lost,
        Self::Failed,
    ];
}

/// The word for a result, such as `no_event`; `unknown` for any other number. It stays valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn liverysync_result_name(result: u32) -> *const c_char {
    let known = ResultCode::ALL.iter().find(|code| **code as u32 == result);
    known.map_or(c"unknown", |code| code.name()).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_places_in_the_list() {
        for (number, code) in ResultCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, number);
        }
    }
}
