//! A pool of buffers for pieces of files.
//!
//! The system hands out a new buffer of this size page by page, each filled with zeros. A buffer that was just used is
//! still in the processor's cache when it is filled, hashed and written the next time.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::reader::{AHEAD_BYTES, PIECE_BYTES_MAX};

/// The size of a buffer: a frame, and the bytes read with its end.
const BUFFER_BYTES: usize = PIECE_BYTES_MAX + AHEAD_BYTES;

/// The number of spare buffers that are kept: 2 MiB.
const SPARE_MAX: usize = 8;

/// The buffers of all links of a client or server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(Arc<Spare>);

/// Spare buffers, the most recently used one last.
#[derive(Debug, Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

impl Pool {
    pub(super) fn take(&self) -> Pooled {
        let spare = self.0.lock().pop();
        let bytes = spare.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES));
        Pooled { bytes, home: Arc::clone(&self.0) }
    }
}

impl Spare {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // A list of buffers is sound at any time, also after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer that returns to its pool when it is dropped.
#[derive(Debug)]
pub(super) struct Pooled {
    bytes: Vec<u8>,
    home: Arc<Spare>,
}

impl Pooled {
    /// Returns the filled part.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the buffer to fill. It has room for one frame.
    pub(super) const fn room(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut spare = self.home.lock();
        if spare.len() < SPARE_MAX {
            self.bytes.clear();
            spare.push(mem::take(&mut self.bytes));
        }
    }
}
