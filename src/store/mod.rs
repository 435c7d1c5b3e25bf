//! The store: the server's contents on disk. Each content is uploaded once, checked as it comes, and can be downloaded
//! from the first byte on.
//!
//! A few worker threads of the store hash and write what is uploaded, so that a slow disk holds up no task. Another one
//! flushes it before it counts as kept. Downloads read a [`Blob`].

mod blob;
mod check;
mod durable;
mod folder;
pub(crate) mod lock;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use liverysync_core::{
    client::DiskFaultKind,
    hash::{Content, ContentHash},
    inspect::ContentFacts,
    transfer::TransferFault,
    wire::data::ChunkBody,
};

pub(crate) use self::check::CheckPace;
pub use self::check::{Verified, VerifySummary, verify_store};
pub(crate) use self::{
    blob::Blob,
    durable::flush_folder,
    folder::{has_blob, remove_blob},
};
use self::{
    blob::{MemoryUse, Phase},
    check::RunningCheck,
    durable::Unflushed,
    folder::{Folder, StoredBlob},
    worker::{Job, Worker},
};

/// The time after which it is recorded again that a content is needed.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// The reason why a store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another server uses the data folder.
    #[error("another liverysync server already uses {path}", path = .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder cannot be made, read or written.
    #[error("cannot use the data folder {path}", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system gives no threads.
    #[error("cannot start the threads of the store")]
    Threads(#[source] io::Error),
}

/// The reason why a content was not received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreFault {
    /// The bytes are not the declared content.
    #[error(transparent)]
    Transfer(#[from] TransferFault),
    /// The server's disk failed.
    #[error("the server's disk failed: {message}")]
    Disk { message: String, full: bool },
    /// The upload was started over, or its content is no longer wanted.
    #[error("the server no longer needs it")]
    GivenUp,
}

impl From<io::Error> for StoreFault {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = matches!(error.kind(), StorageFull | QuotaExceeded);
        Self::Disk { message: error.to_string(), full }
    }
}

/// Returns the kind of a failure to read a stored content. Only a file that is missing or too short has lost it: too many
/// open files, a missing permission or a bad cable say nothing about its bytes.
pub(crate) const fn read_fault_kind(kind: io::ErrorKind) -> DiskFaultKind {
    match kind {
        io::ErrorKind::NotFound => DiskFaultKind::Missing,
        io::ErrorKind::UnexpectedEof => DiskFaultKind::Corrupt,
        _ => DiskFaultKind::Other,
    }
}

/// Receives the outcome of an upload of one content, with what its bytes tell, on a worker of the store, so it must not block. It is not called
/// if the [`BlobWriter`] is dropped before, or if the content is removed or started over.
pub(crate) type Done = Box<dyn FnOnce(Result<ContentFacts, StoreFault>) + Send>;

/// The store. This is a handle: the store closes with its last clone and its last [`BlobWriter`].
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: Arc<Folder>,
    index: Arc<Index>,
    workers: Vec<mpsc::Sender<Job>>,
    /// The queue of the thread that flushes. The workers have it, too.
    flush: Option<mpsc::Sender<Unflushed>>,
    threads: Vec<JoinHandle<()>>,
    next_writer: AtomicU64,
    /// The check in the background.
    checker: Mutex<Option<RunningCheck>>,
}

/// The contents of the store, by hash.
#[derive(Debug, Default)]
struct Index(Mutex<HashMap<ContentHash, Entry>>);

#[derive(Debug)]
enum Entry {
    Receiving(Arc<Blob>),
    Stored {
        stored: StoredBlob,
        touched: SystemTime,
        /// Shared by all downloads in progress, together with its open file.
        blob: Weak<Blob>,
    },
}

impl Index {
    fn lock(&self) -> MutexGuard<'_, HashMap<ContentHash, Entry>> {
        // Entries are only replaced as a whole, so the index is sound after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the stored contents, the least recently needed first.
    fn contents(&self) -> Vec<Content> {
        let mut all: Vec<_> = {
            let entries = self.lock();
            let stored = entries.values().filter_map(|entry| match entry {
                Entry::Stored { stored, .. } => Some(*stored),
                Entry::Receiving(_) => None,
            });
            stored.collect()
        };
        all.sort_by_key(|stored| (stored.needed, stored.content.hash));
        all.into_iter().map(|stored| stored.content).collect()
    }

    /// Marks a content as complete.
    fn mark_stored(&self, blob: &Arc<Blob>) {
        let content = blob.content();
        if let Some(entry) = self.lock().get_mut(&content.hash)
            && entry.is(blob)
        {
            let needed = SystemTime::now();
            let stored = StoredBlob { content, needed };
            *entry = Entry::Stored { stored, touched: needed, blob: Arc::downgrade(blob) };
        }
    }

    /// Removes a content that will not be completed.
    fn forget(&self, blob: &Arc<Blob>) {
        let mut entries = self.lock();
        let hash = blob.content().hash;
        if entries.get(&hash).is_some_and(|entry| entry.is(blob)) {
            entries.remove(&hash);
        }
    }
}

impl Entry {
    const fn stored(stored: StoredBlob) -> Self {
        Self::Stored { stored, touched: stored.needed, blob: Weak::new() }
    }

    /// Returns `true` if the entry is for this attempt to receive a content.
    fn is(&self, other: &Arc<Blob>) -> bool {
        matches!(self, Self::Receiving(blob) if Arc::ptr_eq(blob, other))
    }
}

impl Store {
    /// Opens the store in `data`, which no other server may use meanwhile. Without a folder, the store is in a
    /// temporary one, which is removed with the last handle.
    pub(crate) fn open(data: Option<&Path>) -> Result<Self, StoreError> {
        let (folder, stored) = Folder::open(data)?;
        let (folder, index) = (Arc::new(folder), Arc::new(Index::default()));
        index
            .lock()
            .extend(stored.into_iter().map(|stored| (stored.content.hash, Entry::stored(stored))));
        let (mut workers, mut threads, memory_use) = (Vec::new(), Vec::new(), MemoryUse::default());
        // There is one disk, so more threads would gain nothing.
        let wanted =
            std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
        let thread = || std::thread::Builder::new().name("liverysync-store".to_owned());
        let (flush, unflushed) = mpsc::channel();
        let of_flush = Arc::clone(&folder);
        let flusher = thread().spawn(move || durable::run(&of_flush, &unflushed));
        for _ in 0..wanted {
            let (sender, jobs) = mpsc::channel();
            let (folder, index) = (Arc::clone(&folder), Arc::clone(&index));
            let worker = Worker::new(folder, index, flush.clone(), memory_use.clone());
            threads.push(thread().spawn(move || worker.run(&jobs)).map_err(StoreError::Threads)?);
            workers.push(sender);
        }
        // Joined last: the workers have its queue.
        threads.push(flusher.map_err(StoreError::Threads)?);
        let flush = Some(flush);
        let (next_writer, checker) = (AtomicU64::new(1), Mutex::default());
        Ok(Self(Arc::new(Shared { folder, index, workers, flush, threads, next_writer, checker })))
    }

    /// Returns the stored contents, the least recently needed first.
    pub(crate) fn contents(&self) -> Vec<Content> {
        self.0.index.contents()
    }

    /// Starts to receive a content. With `resume`, it continues an earlier attempt, and [`BlobWriter::received`]
    /// returns how much that has brought. A download that reads the earlier attempt goes on, or fails if the attempt is
    /// started over.
    pub(crate) fn receive(&self, content: Content, resume: bool, done: Done) -> BlobWriter {
        let Shared { folder, index, next_writer, .. } = &*self.0;
        let number = next_writer.fetch_add(1, Ordering::Relaxed);
        // Locked to the end, so that the workers learn of attempts in the order of the index.
        let mut entries = index.lock();
        let blob = match entries.get(&content.hash) {
            Some(Entry::Stored { stored, .. }) if stored.content == content => {
                self.0.send_job(content.hash, Job::Notify(content.hash, done));
                let blob = Arc::new(Blob::stored(content, Arc::clone(folder)));
                return BlobWriter { store: self.clone(), blob, number };
            }
            Some(Entry::Receiving(blob)) if resume && blob.content() == content => {
                match &mut blob.lock().phase {
                    Phase::Receiving(receiving) => receiving.writer = number,
                    // Its worker notices that it is broken, and reports it.
                    Phase::Complete | Phase::Broken(_) => {}
                }
                Arc::clone(blob)
            }
            other => {
                if let Some(Entry::Receiving(old)) = other {
                    old.mark_broken(StoreFault::GivenUp);
                }
                let blob = Arc::new(Blob::receiving(content, Arc::clone(folder), number));
                entries.insert(content.hash, Entry::Receiving(Arc::clone(&blob)));
                blob
            }
        };
        self.0.send_job(content.hash, Job::Open { blob: Arc::clone(&blob), done });
        BlobWriter { store: self.clone(), blob, number }
    }

    /// Returns a content that is stored or being received, and marks it as needed now.
    pub(crate) fn blob(&self, hash: ContentHash) -> Option<Arc<Blob>> {
        let mut entries = self.0.index.lock();
        let (stored, touched, blob) = match entries.get_mut(&hash)? {
            Entry::Receiving(blob) => return Some(Arc::clone(blob)),
            Entry::Stored { stored, touched, blob } => (stored, touched, blob),
        };
        stored.needed = SystemTime::now();
        if stored.needed.duration_since(*touched).is_ok_and(|age| age > TOUCH_INTERVAL) {
            *touched = stored.needed;
            self.0.send_job(hash, Job::Touch(hash));
        }
        Some(blob.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Blob::stored(stored.content, Arc::clone(&self.0.folder)));
            *blob = Arc::downgrade(&new);
            new
        }))
    }

    /// Removes a content that is stored or being received. Downloads in progress go on where the system lets an open
    /// file be deleted.
    pub(crate) fn remove(&self, hash: ContentHash) {
        self.0.remove(hash);
    }

    /// Reads a stored content again. Returns `true` if its hash is still right.
    #[cfg(test)]
    pub(crate) fn verify(&self, hash: ContentHash) -> io::Result<bool> {
        let Ok(verified) = self.0.folder.verify(hash, |_| Ok::<_, std::convert::Infallible>(()));
        verified
    }
}

impl Shared {
    fn send_job(&self, hash: ContentHash, job: Job) {
        let at = usize::from(hash.as_bytes()[0]) % self.workers.len();
        // The workers end only with this queue.
        let _running = self.workers[at].send(job);
    }

    fn remove(&self, hash: ContentHash) {
        let mut entries = self.index.lock();
        if let Some(Entry::Receiving(blob)) = entries.remove(&hash) {
            blob.mark_broken(StoreFault::GivenUp);
        }
        // Locked, so that the worker does not remove what is received from now on.
        self.send_job(hash, Job::Remove(hash));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.workers.clear();
        self.flush = None;
        let checker = self.checker.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        checker.into_iter().for_each(RunningCheck::end);
        for thread in self.threads.drain(..) {
            // This may be a worker: the callback that it has just called may have permit the last handle of the store.
            if thread.thread().id() != std::thread::current().id() {
                let _panicked = thread.join();
            }
        }
    }
}

/// Writes one content to the store. Dropping it keeps what has come for a [`Store::receive`] that resumes.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    store: Store,
    blob: Arc<Blob>,
    number: u64,
}

impl BlobWriter {
    /// Writes bytes at `offset`, in the form in which they came. `permit` is dropped once they are written or turned
    /// out to be useless.
    pub(crate) fn write(
        &self,
        offset: u64,
        body: impl Into<ChunkBody>,
        permit: impl Send + 'static,
    ) {
        self.send_piece(offset, body.into(), false, permit);
    }

    /// Writes the last bytes, as [`write`](Self::write) and [`finish`](Self::finish) do.
    pub(crate) fn write_last(
        &self,
        offset: u64,
        body: impl Into<ChunkBody>,
        permit: impl Send + 'static,
    ) {
        self.send_piece(offset, body.into(), true, permit);
    }

    fn send_piece(&self, offset: u64, body: ChunkBody, last: bool, permit: impl Send + 'static) {
        let hash = self.blob.content().hash;
        let mut state = self.blob.lock();
        let Phase::Receiving(receiving) = &mut state.phase else { return };
        if receiving.writer != self.number {
            return;
        }
        if receiving.taken == offset {
            receiving.taken += body.len() as u64;
        }
        // Locked, so that pieces stay in order and none comes after the next writer's.
        self.store
            .0
            .send_job(hash, Job::Write { hash, offset, body, last, permit: Box::new(permit) });
    }

    /// Marks the end of the content. The callback receives the outcome.
    pub(crate) fn finish(&self) {
        self.send_unless_replaced(Job::Finish);
    }

    /// Returns the number of bytes that have been passed to this writer and to the one that it resumed.
    pub(crate) fn received(&self) -> u64 {
        match &self.blob.lock().phase {
            Phase::Receiving(receiving) => receiving.taken,
            Phase::Complete => self.blob.content().size,
            Phase::Broken(_) => 0,
        }
    }

    fn send_unless_replaced(&self, job: impl FnOnce(ContentHash) -> Job) {
        let hash = self.blob.content().hash;
        let state = self.blob.lock();
        if matches!(&state.phase, Phase::Receiving(receiving) if receiving.writer == self.number) {
            self.store.0.send_job(hash, job(hash));
        }
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        self.send_unless_replaced(Job::Park);
    }
}
