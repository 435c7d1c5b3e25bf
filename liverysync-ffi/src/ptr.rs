//! Pointers that come in: NULL is a result, everything else is the caller's promise.

use std::{
    ffi::{CStr, c_char},
    slice,
};

use crate::{error::Failure, messages, result::ResultCode};

/// Returns the value at a pointer.
///
/// # Safety
///
/// `pointer` is NULL, or points to a value that nobody changes during the call.
pub(crate) unsafe fn get<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Failure> {
    // SAFETY: as the caller of this function promises.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(what))
}

/// Returns a string.
///
/// # Safety
///
/// `pointer` is NULL, or points to bytes that end in a NUL and that nobody changes during the call.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Failure> {
    // SAFETY: as the caller of this function promises.
    unsafe { optional_text(pointer, what) }?.ok_or_else(|| Failure::null(what))
}

/// Returns a string, or `None` for NULL.
///
/// # Safety
///
/// As for [`text`].
pub(crate) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller of this function promises.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str()
        .map(Some)
        .map_err(|error| Failure::new(ResultCode::InvalidUtf8, messages::not_utf8(what, error)))
}

/// The place for a result. It is checked first, so that no call works for a result that nobody can get.
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    ///
    /// `pointer` is NULL, or points to room for a `T` that is the caller's own until this is gone.
    pub(crate) unsafe fn new(pointer: *mut T, what: &str) -> Result<Self, Failure> {
        if pointer.is_null() { Err(Failure::null(what)) } else { Ok(Self(pointer)) }
    }

    /// Writes the result.
    pub(crate) fn set(self, value: T) {
        // SAFETY: it is not NULL, and the caller of `new` promised that there is room.
        unsafe { self.0.write(value) };
    }
}

impl<T> Out<*mut T> {
    /// Hands a new handle over.
    pub(crate) fn hand_over(self, value: T) {
        self.set(Box::into_raw(Box::new(value)));
    }
}

/// Frees a handle.
///
/// # Safety
///
/// `pointer` is NULL or came from [`Out::hand_over`], and is not used again.
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: as the caller of this function promises.
        drop(unsafe { Box::from_raw(pointer) });
    }
}

/// Returns the values of a list of pointers.
///
/// # Safety
///
/// `pointer` is NULL, or points to `count` pointers, each of which is as for [`get`].
pub(crate) unsafe fn list<'a, T>(
    pointer: *const *const T,
    count: usize,
    what: &str,
) -> Result<Vec<&'a T>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(Failure::null(what));
    }
    // SAFETY: so many are there, as the caller of this function promises.
    let pointers = unsafe { slice::from_raw_parts(pointer, count) };
    let item = |(index, item): (usize, &*const T)| {
        // SAFETY: as the caller of this function promises.
        unsafe { get(*item, &messages::item(what, index)) }
    };
    pointers.iter().enumerate().map(item).collect()
}
