//! Buffers for pieces of files, used again and again.
//!
//! A fresh one of this size comes from the system page by page, each filled with zeros; and what was used last is still in
//! the processor's cache when it is filled, hashed and written the next time.

use std::sync::{Mutex, PoisonError};

use super::{AHEAD_BYTES, PIECE_BYTES_MAX};

/// Bytes of one buffer: a frame, and what is read with its end.
const BUFFER_BYTES: usize = PIECE_BYTES_MAX + AHEAD_BYTES;

/// So many are kept for all links of the process: 2 MiB.
const SPARE_MAX: usize = 8;

/// Those that nobody uses, the one that was used last at the end.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer that is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Pooled(Vec<u8>);

impl Pooled {
    pub(super) fn take() -> Self {
        Self(spare().pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES)))
    }

    /// What has been filled of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// To be filled. It has room for one frame.
    pub(super) const fn room(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut spare = spare();
        if spare.len() < SPARE_MAX {
            self.0.clear();
            spare.push(std::mem::take(&mut self.0));
        }
    }
}

fn spare() -> std::sync::MutexGuard<'static, Vec<Vec<u8>>> {
    // A list of buffers is sound at any time.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}
