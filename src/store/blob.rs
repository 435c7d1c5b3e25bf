//! A content of the store, as downloads read it.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use liverysync_core::hash::Content;
use tokio::sync::Notify;

use super::{StoreFault, folder::Folder};
use crate::byte_source::{Availability, ByteSource, Subscribers, open_cached};

/// The size limit of the memory for small contents. A content beyond it, and one that nobody waits for, is on disk
/// only.
const MEMORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A content that is stored or being received.
#[derive(Debug)]
pub(crate) struct Blob {
    content: Content,
    /// Tells the attempts to receive one content apart.
    number: u64,
    folder: Arc<Folder>,
    state: Mutex<State>,
    subscribers: Subscribers,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The open file that all readers share. It is closed with the last of them.
    open: Weak<File>,
    /// All bytes of a small content, so that its readers need no file.
    memory: Option<CachedBytes>,
}

/// The number of bytes that a store's small contents take in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryUse(Arc<AtomicUsize>);

/// A content in memory, which counts until it is dropped.
#[derive(Debug)]
struct CachedBytes {
    bytes: Bytes,
    counted: MemoryUse,
}

impl CachedBytes {
    /// Returns `None` if too much is in memory already.
    fn new(bytes: &[u8], counted: &MemoryUse) -> Option<Self> {
        let before = counted.0.fetch_add(bytes.len(), Ordering::Relaxed);
        let copied = Self { bytes: Bytes::copy_from_slice(bytes), counted: counted.clone() };
        (before + bytes.len() <= MEMORY_BYTES_MAX).then_some(copied)
    }
}

impl Drop for CachedBytes {
    fn drop(&mut self) {
        self.counted.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// The progress of receiving a content.
#[derive(Debug)]
pub(super) enum Phase {
    Receiving(Receiving),
    Complete,
    Broken(StoreFault),
}

#[derive(Debug)]
pub(super) struct Receiving {
    /// Bytes that were passed to the writer without a gap, written or not.
    pub(super) taken: u64,
    /// Bytes that are written.
    written: u64,
    /// The [`BlobWriter`](super::BlobWriter) that may write more.
    pub(super) writer: u64,
}

impl Blob {
    fn new(content: Content, number: u64, folder: Arc<Folder>, phase: Phase) -> Self {
        let state = Mutex::new(State { phase, open: Weak::new(), memory: None });
        Self { content, number, folder, state, subscribers: Subscribers::default() }
    }

    pub(super) fn stored(content: Content, folder: Arc<Folder>) -> Self {
        Self::new(content, 0, folder, Phase::Complete)
    }

    pub(super) fn receiving(content: Content, folder: Arc<Folder>, writer: u64) -> Self {
        let receiving = Receiving { taken: 0, written: 0, writer };
        Self::new(content, writer, folder, Phase::Receiving(receiving))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so the state is sound after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the content.
    pub(crate) const fn content(&self) -> Content {
        self.content
    }

    /// Returns its path while it is received.
    pub(super) fn incoming_path(&self) -> PathBuf {
        self.folder.incoming_path(self.content.hash, self.number)
    }

    /// Shares the file that the worker has open.
    pub(super) fn share(&self, file: &Arc<File>) {
        self.lock().open = Arc::downgrade(file);
    }

    pub(super) fn set_written(&self, bytes: u64) {
        if let Phase::Receiving(receiving) = &mut self.lock().phase {
            receiving.written = bytes;
        }
        self.subscribers.notify();
    }

    /// Keeps the bytes of a complete content in memory for the tasks that wait for it.
    pub(super) fn cache_bytes(&self, bytes: &[u8], memory_use: &MemoryUse) {
        self.lock().memory = CachedBytes::new(bytes, memory_use);
    }

    pub(super) fn mark_complete(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Receiving(_)) {
            state.phase = Phase::Complete;
            drop(state);
            self.subscribers.notify();
        }
    }

    /// Marks it as broken, unless it is complete or broken already.
    pub(super) fn mark_broken(&self, fault: StoreFault) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Receiving(_)) {
            state.phase = Phase::Broken(fault);
            drop(state);
            self.subscribers.notify();
        }
    }

    pub(super) fn fault(&self) -> Option<StoreFault> {
        match &self.lock().phase {
            Phase::Broken(fault) => Some(fault.clone()),
            _ => None,
        }
    }
}

impl ByteSource for Blob {
    fn size(&self) -> u64 {
        self.content.size
    }

    fn availability(&self) -> Availability {
        match &self.lock().phase {
            Phase::Receiving(receiving) => Availability::Partial(receiving.written),
            Phase::Complete => Availability::Complete,
            Phase::Broken(fault) => Availability::Broken(fault.to_string().into()),
        }
    }

    fn bytes_in_memory(&self) -> Option<Bytes> {
        self.lock().memory.as_ref().map(|copied| copied.bytes.clone())
    }

    fn notify_changes(&self, wake: &Arc<Notify>) {
        self.subscribers.add(wake);
    }

    fn open(&self, may_block: bool) -> io::Result<Arc<File>> {
        let path = {
            let state = self.lock();
            if let Some(file) = state.open.upgrade() {
                return Ok(file);
            }
            match &state.phase {
                Phase::Receiving(_) => self.incoming_path(),
                Phase::Complete => self.folder.blob_path(self.content.hash),
                Phase::Broken(fault) => return Err(io::Error::other(fault.to_string())),
            }
        };
        let open =
            |path: &PathBuf| if may_block { File::open(path) } else { open_cached(path, true) };
        let opened = match open(&path) {
            // It has been moved to its final path in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                open(&self.folder.blob_path(self.content.hash))
            }
            opened => opened,
        };
        let file = Arc::new(opened?);
        self.lock().open = Arc::downgrade(&file);
        Ok(file)
    }
}
