//! The frame of every call: a panic never leaves the library, and a failure leaves its text.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    error::{Failure, remember},
    messages,
    result::ResultCode,
};

/// Runs the inside of a function.
pub(crate) fn call(inside: impl FnOnce() -> Result<(), Failure>) -> ResultCode {
    finish(caught(inside))
}

/// Runs the inside of a function that only returns a value; `default` if there is none.
pub(crate) fn value<T>(default: T, inside: impl FnOnce() -> Option<T>) -> T {
    match caught(|| Ok(inside())) {
        Ok(found) => found.unwrap_or(default),
        Err(failure) => {
            remember(&failure);
            default
        }
    }
}

/// The health of a handle. After a panic its state is unknown, and it cannot be used again.
#[derive(Debug, Default)]
pub(crate) struct Health {
    broken: AtomicBool,
}

impl Health {
    /// Runs a call on the handle.
    pub(crate) fn guard(
        &self,
        inside: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.broken.load(Ordering::Acquire) {
            return Err(Failure::new(ResultCode::Broken, messages::HANDLE_BROKEN));
        }
        let result = caught(inside);
        if matches!(&result, Err(failure) if failure.code == ResultCode::Panic) {
            self.give_up();
        }
        result
    }

    /// Marks the handle as broken after a panic.
    pub(crate) fn give_up(&self) {
        self.broken.store(true, Ordering::Release);
    }
}

fn finish(result: Result<(), Failure>) -> ResultCode {
    match result {
        Ok(()) => ResultCode::Ok,
        Err(failure) => {
            if failure.code != ResultCode::NoEvent {
                remember(&failure);
            }
            failure.code
        }
    }
}

/// Converts a panic into a failure.
pub(crate) fn caught<T>(inside: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // What the closure may have left half done is either freed with it or behind `Health`.
    catch_unwind(AssertUnwindSafe(inside)).unwrap_or_else(|payload| {
        Err(Failure::new(ResultCode::Panic, messages::panicked(message(payload.as_ref()))))
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or(messages::PANIC_WITHOUT_TEXT)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;
    use crate::error::liverysync_last_error;

    fn last_error() -> String {
        // SAFETY: the text is valid until the next call on this thread, and copied before that.
        unsafe { CStr::from_ptr(liverysync_last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_is_a_result_with_a_text() {
        let result = call(|| panic!("number {}", 17));
        assert_eq!(result, ResultCode::Panic);
        assert_eq!(last_error(), "a bug in liverysync: number 17");
        assert_eq!(value(5, || panic!("fixed")), 5);
        assert_eq!(last_error(), "a bug in liverysync: fixed");
    }

    #[test]
    fn a_panic_breaks_the_handle_for_good() {
        let health = Health::default();
        assert_eq!(call(|| health.guard(|| Ok(()))), ResultCode::Ok);
        assert_eq!(call(|| health.guard(|| Err(Failure::null("it")))), ResultCode::NullPointer);
        assert_eq!(call(|| health.guard(|| Ok(()))), ResultCode::Ok);
        assert_eq!(call(|| health.guard(|| panic!("once"))), ResultCode::Panic);
        assert_eq!(call(|| health.guard(|| Ok(()))), ResultCode::Broken);
    }

    #[test]
    fn each_thread_has_an_error_text_of_its_own() {
        assert_eq!(call(|| Err(Failure::argument("here"))), ResultCode::InvalidArgument);
        let there = std::thread::spawn(|| {
            let before = last_error();
            call(|| Err(Failure::argument("th\0ere")));
            (before, last_error())
        });
        assert_eq!(there.join().unwrap(), (String::new(), "th\u{fffd}ere".to_owned()));
        assert_eq!(last_error(), "here");
        assert_eq!(call(|| Ok(())), ResultCode::Ok);
        assert_eq!(last_error(), "here");
    }
}
