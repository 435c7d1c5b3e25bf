//! One content of the store, as those that serve it see it.

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

/// Small contents have so many bytes in memory at a time. Beyond that, and once nobody waits, they are on disk only.
const MEMORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A content that is kept or on its way in.
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
    /// The handle that all who read share; it closes with the last of them.
    open: Weak<File>,
    /// All of its bytes, if it is small: those who wait for it need no file.
    memory: Option<CachedBytes>,
}

/// How many bytes of contents a store has in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryUse(Arc<AtomicUsize>);

/// A content in memory. It counts for as long as it is.
#[derive(Debug)]
struct CachedBytes {
    bytes: Bytes,
    counted: MemoryUse,
}

impl CachedBytes {
    /// None if there is too much already.
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

/// How far a content has come.
#[derive(Debug)]
pub(super) enum Phase {
    Receiving(Receiving),
    Complete,
    Broken(StoreFault),
}

#[derive(Debug)]
pub(super) struct Receiving {
    /// Bytes that were handed in, one after the other, written or not.
    pub(super) taken: u64,
    /// Bytes that are written.
    written: u64,
    /// Which [`BlobWriter`](super::BlobWriter) may hand in more.
    pub(super) writer: u64,
}

impl Blob {
    fn new(content: Content, number: u64, folder: Arc<Folder>, phase: Phase) -> Self {
        let state = Mutex::new(State { phase, open: Weak::new(), memory: None });
        Self { content, number, folder, state, subscribers: Subscribers::default() }
    }

    pub(super) fn kept(content: Content, folder: Arc<Folder>) -> Self {
        Self::new(content, 0, folder, Phase::Complete)
    }

    pub(super) fn receiving(content: Content, folder: Arc<Folder>, writer: u64) -> Self {
        let receiving = Receiving { taken: 0, written: 0, writer };
        Self::new(content, writer, folder, Phase::Receiving(receiving))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of it is one assignment, so one that a panic left behind is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is.
    pub(crate) const fn content(&self) -> Content {
        self.content
    }

    /// Where it lies while it comes in.
    pub(super) fn incoming_path(&self) -> PathBuf {
        self.folder.incoming_path(self.content.hash, self.number)
    }

    /// Shares the handle that its lane has open.
    pub(super) fn share(&self, file: &Arc<File>) {
        self.lock().open = Arc::downgrade(file);
    }

    pub(super) fn set_written(&self, bytes: u64) {
        if let Phase::Receiving(receiving) = &mut self.lock().phase {
            receiving.written = bytes;
        }
        self.subscribers.notify();
    }

    /// All of it has come in one piece, which those who wait for it need no file for.
    pub(super) fn remember(&self, bytes: &[u8], memory_use: &MemoryUse) {
        self.lock().memory = CachedBytes::new(bytes, memory_use);
    }

    pub(super) fn complete(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Receiving(_)) {
            state.phase = Phase::Complete;
            drop(state);
            self.subscribers.notify();
        }
    }

    /// Says that it will never be complete, unless it is already or that was said.
    pub(super) fn break_off(&self, fault: StoreFault) {
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
            // It has been put in its place between the two.
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
