//! Failures of calls: a number for programs, and a text for people that stays with the thread.

use std::{
    cell::RefCell,
    ffi::{CString, c_char},
    fmt::Display,
};

use crate::{messages, result::ResultCode, text};

/// The failure of a call.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: ResultCode,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(code: ResultCode, text: impl Display) -> Self {
        Self { code, text: text.to_string() }
    }

    /// Returns a failure with the message of an error and of its causes.
    pub(crate) fn of(code: ResultCode, error: &dyn std::error::Error) -> Self {
        Self { code, text: livery::with_causes(error) }
    }

    pub(crate) fn null(what: &str) -> Self {
        Self::new(ResultCode::NullPointer, messages::null(what))
    }

    pub(crate) fn argument(text: impl Display) -> Self {
        Self::new(ResultCode::InvalidArgument, text)
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Keeps the text of a failure for this thread.
pub(crate) fn remember(failure: &Failure) {
    // Fails only while the thread ends, when nobody can ask any more.
    let _ended = LAST.try_with(|last| *last.borrow_mut() = text::owned(&failure.text));
}

/// Returns the error text of the last failed call on this thread, for people; empty if none failed. Do not parse it.
///
/// It is never NULL, and stays valid until the next call of a function of this library on this thread. A successful
/// call leaves the text unchanged, and so does LIVERYSYNC_RESULT_NO_EVENT.
#[unsafe(no_mangle)]
pub extern "C" fn liverysync_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}
