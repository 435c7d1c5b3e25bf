//! Structs that begin with their own size, so that later versions can add fields at their end.
//!
//! A program compiled with an older header passes a smaller struct: what it lacks is zero, and zero always means the
//! default. A program compiled with a newer header passes a larger one: that works as long as it leaves zero what
//! this library does not know.

use std::{mem::MaybeUninit, ptr, slice};

use crate::{error::Failure, messages, ptr::Out, result::ResultCode};

/// A struct of the interface whose first field is its size. C reads it.
///
/// # Safety
///
/// It is `repr(C)`, begins with a `usize`, and its first version ended at `SIZE_MIN`.
pub(crate) unsafe trait Growing: Copy {
    /// Its name in C.
    const NAME: &'static str;
    /// Its size in the first version of the interface.
    const SIZE_MIN: usize = size_of::<Self>();
}

/// A struct that also comes from C.
///
/// # Safety
///
/// It holds only integers, pointers and functions that may be NULL: whatever C has filled in is a value of it, and so are all zeros.
pub(crate) unsafe trait Given: Growing {}

/// Returns the size that the caller has set.
unsafe fn size_of_struct<T: Growing>(pointer: *const T) -> Result<usize, Failure> {
    // SAFETY: the pointer is not NULL, and every such struct begins with its size.
    let size = unsafe { pointer.cast::<usize>().read() };
    // A list of them is walked by their size, so that must keep each at its place.
    if size < T::SIZE_MIN || size % align_of::<T>() != 0 {
        return Err(Failure::new(ResultCode::StructSize, messages::wrong_size(T::NAME, size)));
    }
    Ok(size)
}

/// Reads a struct that the caller has filled.
///
/// # Safety
///
/// `pointer` is NULL, or points to as many bytes as the struct's `size` says (and to that field at least).
pub(crate) unsafe fn read<T: Given>(pointer: *const T) -> Result<T, Failure> {
    if pointer.is_null() {
        return Err(Failure::null(T::NAME));
    }
    // SAFETY: it is not NULL and points to its size, as the caller of this function promises.
    let size = unsafe { size_of_struct(pointer) }?;
    let mut value = MaybeUninit::<T>::zeroed();
    let known = size.min(size_of::<T>());
    // SAFETY: so many bytes are there, in both, and whatever they are is a value of `T`.
    let value = unsafe {
        ptr::copy_nonoverlapping(pointer.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), known);
        value.assume_init()
    };
    if size > known {
        // SAFETY: the struct has `size` bytes, of which `known` are before these.
        let rest = unsafe { slice::from_raw_parts(pointer.cast::<u8>().add(known), size - known) };
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Failure::new(ResultCode::StructSize, messages::unknown_field(T::NAME)));
        }
    }
    Ok(value)
}

/// Does what [`read`] does; returns `None` for NULL.
///
/// # Safety
///
/// As for [`read`].
pub(crate) unsafe fn read_optional<T: Given>(pointer: *const T) -> Result<Option<T>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller of this function promises.
    unsafe { read(pointer) }.map(Some)
}

/// Reads a list of structs, which all have the size that the first one says.
///
/// # Safety
///
/// `pointer` is NULL, or points to `count` structs, one after the other.
pub(crate) unsafe fn read_list<T: Given>(
    pointer: *const T,
    count: usize,
) -> Result<Vec<T>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(Failure::null(T::NAME));
    }
    // SAFETY: the first one is there, as the caller of this function promises.
    let step = unsafe { size_of_struct(pointer) }?;
    (0..count)
        .map(|index| {
            // SAFETY: `count` structs of this size are there, as the caller of this function promises.
            let (size, value) = unsafe {
                let at = pointer.cast::<u8>().add(step * index).cast::<T>();
                (at.cast::<usize>().read(), at)
            };
            if size != step {
                let text = messages::uneven_list(T::NAME, index);
                return Err(Failure::new(ResultCode::StructSize, text));
            }
            // SAFETY: as above.
            unsafe { read(value) }
        })
        .collect()
}

/// The place for a struct whose `size` the caller has set.
#[derive(Debug)]
pub(crate) struct OutSized<T> {
    out: *mut T,
    size: usize,
}

impl<T: Growing> OutSized<T> {
    /// # Safety
    ///
    /// `pointer` is NULL, or points to as many bytes as the struct's `size` says (and to that field at least). They
    /// are the caller's own until this is gone.
    pub(crate) unsafe fn new(pointer: *mut T) -> Result<Self, Failure> {
        // SAFETY: as the caller of this function promises; it is not written to through this one.
        let Out { .. } = unsafe { Out::new(pointer, T::NAME) }?;
        // SAFETY: it is not NULL and points to its size.
        let size = unsafe { size_of_struct(pointer) }?;
        Ok(Self { out: pointer, size })
    }

    /// Does what [`OutSized::new`] does; for NULL it is written nowhere.
    ///
    /// # Safety
    ///
    /// As for [`OutSized::new`].
    pub(crate) unsafe fn optional(pointer: *mut T) -> Result<Self, Failure> {
        if pointer.is_null() {
            return Ok(Self { out: pointer, size: 0 });
        }
        // SAFETY: as the caller of this function promises.
        unsafe { Self::new(pointer) }
    }

    /// Returns `false` if it is written nowhere.
    pub(crate) const fn is_wanted(&self) -> bool {
        !self.out.is_null()
    }

    /// Writes the struct without its `size`, up to the end of the caller's version of it.
    pub(crate) fn set(self, value: &T) {
        const SIZE: usize = size_of::<usize>();
        let known = self.size.min(size_of::<T>());
        if known < SIZE {
            return;
        }
        // SAFETY: so many bytes are there, in both, and the caller's are its own.
        unsafe {
            ptr::copy_nonoverlapping(
                ptr::from_ref(value).cast::<u8>().add(SIZE),
                self.out.cast::<u8>().add(SIZE),
                known - SIZE,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Old {
        size: usize,
        one: u64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct New {
        size: usize,
        one: u64,
        two: u64,
    }

    // SAFETY: it is as the trait asks.
    unsafe impl Growing for Old {
        const NAME: &'static str = "old";
    }

    // SAFETY: it is as the trait asks.
    unsafe impl Growing for New {
        const NAME: &'static str = "new";
        const SIZE_MIN: usize = size_of::<Old>();
    }

    // SAFETY: it holds only integers.
    unsafe impl Given for Old {}

    // SAFETY: as above.
    unsafe impl Given for New {}

    const OLD: Old = Old { size: size_of::<Old>(), one: 1 };
    const NEW: New = New { size: size_of::<New>(), one: 1, two: 2 };

    fn read_as<T: Given, U>(value: &U) -> Result<T, ResultCode> {
        // SAFETY: it begins with its size.
        unsafe { read(ptr::from_ref(value).cast()) }.map_err(|failure| failure.code)
    }

    #[test]
    fn a_smaller_struct_lacks_what_is_new() {
        assert_eq!(read_as(&OLD), Ok(New { size: OLD.size, one: 1, two: 0 }));
    }

    #[test]
    fn a_larger_struct_may_set_only_what_is_known() {
        assert_eq!(read_as::<Old, _>(&NEW), Err(ResultCode::StructSize));
        assert_eq!(read_as(&New { two: 0, ..NEW }), Ok(Old { size: NEW.size, one: 1 }));
    }

    #[test]
    fn a_forgotten_size_is_refused() {
        for size in [0, 1, OLD.size - 1] {
            assert_eq!(read_as::<Old, _>(&Old { size, one: 1 }), Err(ResultCode::StructSize));
        }
    }

    #[test]
    fn a_list_is_walked_by_the_callers_size() {
        let list = [New { two: 0, ..NEW }, New { one: 5, two: 0, ..NEW }];
        // SAFETY: two structs are there, and each begins with its size.
        let read = unsafe { read_list(list.as_ptr().cast::<Old>(), 2) }.unwrap();
        assert_eq!(read.iter().map(|old| old.one).collect::<Vec<_>>(), [1, 5]);
        let uneven = [NEW, New { size: OLD.size, ..NEW }];
        // SAFETY: as above.
        let read = unsafe { read_list(uneven.as_ptr(), 2) };
        assert_eq!(read.unwrap_err().code, ResultCode::StructSize);
    }

    #[test]
    fn no_more_is_written_than_the_caller_has_room_for() {
        let mut room = New { size: OLD.size, one: 8, two: 9 };
        // SAFETY: it is there and begins with its size.
        unsafe { OutSized::new(&raw mut room) }.unwrap().set(&NEW);
        assert_eq!(room, New { size: OLD.size, one: 1, two: 9 });
    }
}
