//! The server's contents on disk: each is received once, checked as it comes, and read by all who
//! lack it, from the first byte on.
//!
//! What comes in is hashed and written by a few threads of the store, so that a slow disk holds up
//! no task. Those who read go by a [`Blob`].

mod blob;
mod check;
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
    hash::{Content, ContentHash},
    transfer::TransferFault,
    wire::data::ChunkBody,
};

pub use self::check::{Verified, VerifySummary, verify_store};
pub(crate) use self::{blob::Blob, folder::keeps};
use self::{
    blob::{MemoryUse, Phase},
    folder::{Folder, StoredBlob},
    worker::{Job, Worker},
};

/// How old the written date of a content may be before it is written anew.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another server has it.
    #[error("another liverysync server already uses {path}", path = .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// Its folder cannot be made, read or written.
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

/// Why a content was not received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreFault {
    /// What came is not what was declared.
    #[error(transparent)]
    Transfer(#[from] TransferFault),
    /// The server's disk failed.
    #[error("the server's disk: {message}")]
    Disk { message: String, full: bool },
    /// It was begun anew, or is not wanted any more.
    #[error("the server gave it up")]
    GivenUp,
}

impl From<io::Error> for StoreFault {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = matches!(error.kind(), StorageFull | QuotaExceeded);
        Self::Disk { message: error.to_string(), full }
    }
}

/// Is told how receiving a content ended, by a thread of the store: it must not wait for anything.
/// It is not called if the [`BlobWriter`] is dropped before its end, or the content removed or begun anew.
pub(crate) type Done = Box<dyn FnOnce(Result<(), StoreFault>) + Send>;

/// The store. This is a handle: it closes with the last clone and the last [`BlobWriter`].
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: Arc<Folder>,
    index: Arc<Index>,
    workers: Vec<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    next_writer: AtomicU64,
    /// Those that run in the background end when this goes.
    checks: Mutex<Vec<mpsc::Sender<()>>>,
}

/// What there is, by its hash.
#[derive(Debug, Default)]
struct Index(Mutex<HashMap<ContentHash, Entry>>);

#[derive(Debug)]
enum Entry {
    Receiving(Arc<Blob>),
    Stored {
        kept: StoredBlob,
        touched: SystemTime,
        /// Shared by all who read it at present, and their handle with it.
        blob: Weak<Blob>,
    },
}

impl Index {
    fn lock(&self) -> MutexGuard<'_, HashMap<ContentHash, Entry>> {
        // Entries are only ever replaced as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A content has come whole.
    fn keep(&self, blob: &Arc<Blob>) {
        let content = blob.content();
        if let Some(entry) = self.lock().get_mut(&content.hash)
            && entry.is(blob)
        {
            let needed = SystemTime::now();
            let kept = StoredBlob { content, needed };
            *entry = Entry::Stored { kept, touched: needed, blob: Arc::downgrade(blob) };
        }
    }

    /// A content will not come.
    fn forget(&self, blob: &Arc<Blob>) {
        let mut entries = self.lock();
        let hash = blob.content().hash;
        if entries.get(&hash).is_some_and(|entry| entry.is(blob)) {
            entries.remove(&hash);
        }
    }
}

impl Entry {
    const fn kept(kept: StoredBlob) -> Self {
        Self::Stored { kept, touched: kept.needed, blob: Weak::new() }
    }

    /// Whether it stands for this attempt to receive a content.
    fn is(&self, other: &Arc<Blob>) -> bool {
        matches!(self, Self::Receiving(blob) if Arc::ptr_eq(blob, other))
    }
}

impl Store {
    /// Opens the store in `data`, which no other server may use meanwhile. Without it, the store is
    /// a temporary folder that goes with the last handle.
    pub(crate) fn open(data: Option<&Path>) -> Result<Self, StoreError> {
        let (folder, kept) = Folder::open(data)?;
        let (folder, index) = (Arc::new(folder), Arc::new(Index::default()));
        index.lock().extend(kept.into_iter().map(|kept| (kept.content.hash, Entry::kept(kept))));
        let (mut workers, mut threads, memory_use) = (Vec::new(), Vec::new(), MemoryUse::default());
        // More than a few gain nothing: the disk is one.
        let wanted =
            std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
        for _ in 0..wanted {
            let (sender, jobs) = mpsc::channel();
            let lane = Worker::new(Arc::clone(&folder), Arc::clone(&index), memory_use.clone());
            let thread = std::thread::Builder::new().name("liverysync-store".to_owned());
            threads.push(thread.spawn(move || lane.run(&jobs)).map_err(StoreError::Threads)?);
            workers.push(sender);
        }
        let (next_writer, checks) = (AtomicU64::new(1), Mutex::default());
        Ok(Self(Arc::new(Shared { folder, index, workers, threads, next_writer, checks })))
    }

    /// What is kept, least recently needed first.
    pub(crate) fn contents(&self) -> Vec<Content> {
        self.0.contents()
    }

    /// Begins to receive a content. If `resume`, goes on with what came of it before;
    /// [`BlobWriter::received`] says how much that is. Whoever reads what came before is either
    /// served on, or told that it is broken.
    pub(crate) fn receive(&self, content: Content, resume: bool, done: Done) -> BlobWriter {
        let Shared { folder, index, next_writer, .. } = &*self.0;
        let number = next_writer.fetch_add(1, Ordering::Relaxed);
        // Held to the end: workers must hear of attempts in the order of the index.
        let mut entries = index.lock();
        let blob = match entries.get(&content.hash) {
            Some(Entry::Stored { kept, .. }) if kept.content == content => {
                self.0.lane(content.hash, Job::Notify(done));
                let blob = Arc::new(Blob::kept(content, Arc::clone(folder)));
                return BlobWriter { store: self.clone(), blob, number };
            }
            Some(Entry::Receiving(blob)) if resume && blob.content() == content => {
                match &mut blob.lock().phase {
                    Phase::Receiving(receiving) => receiving.writer = number,
                    // Its lane finds it broken, and says so.
                    Phase::Complete | Phase::Broken(_) => {}
                }
                Arc::clone(blob)
            }
            other => {
                if let Some(Entry::Receiving(old)) = other {
                    old.break_off(StoreFault::GivenUp);
                }
                let blob = Arc::new(Blob::receiving(content, Arc::clone(folder), number));
                entries.insert(content.hash, Entry::Receiving(Arc::clone(&blob)));
                blob
            }
        };
        self.0.lane(content.hash, Job::Open { blob: Arc::clone(&blob), done });
        BlobWriter { store: self.clone(), blob, number }
    }

    /// A content that is kept or on its way in. It counts as needed now.
    pub(crate) fn blob(&self, hash: ContentHash) -> Option<Arc<Blob>> {
        let mut entries = self.0.index.lock();
        let (kept, touched, blob) = match entries.get_mut(&hash)? {
            Entry::Receiving(blob) => return Some(Arc::clone(blob)),
            Entry::Stored { kept, touched, blob } => (kept, touched, blob),
        };
        kept.needed = SystemTime::now();
        if kept.needed.duration_since(*touched).is_ok_and(|age| age > TOUCH_INTERVAL) {
            *touched = kept.needed;
            self.0.lane(hash, Job::Touch(hash));
        }
        Some(blob.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Blob::kept(kept.content, Arc::clone(&self.0.folder)));
            *blob = Arc::downgrade(&new);
            new
        }))
    }

    /// Removes a content, kept or on its way in. Who reads a kept one at present may go on where the
    /// system lets a file be read that has no name any more.
    pub(crate) fn remove(&self, hash: ContentHash) {
        self.0.remove(hash);
    }

    /// Reads a kept content again; returns whether it is still right.
    #[cfg(test)]
    pub(crate) fn verify(&self, hash: ContentHash) -> io::Result<bool> {
        Ok(self.0.folder.verify(hash, |_| true)? == Some(true))
    }
}

impl Shared {
    fn lane(&self, hash: ContentHash, job: Job) {
        let at = usize::from(hash.as_bytes()[0]) % self.workers.len();
        // The workers end only with this queue.
        let _running = self.workers[at].send(job);
    }

    fn contents(&self) -> Vec<Content> {
        let mut all: Vec<_> = {
            let entries = self.index.lock();
            let kept = entries.values().filter_map(|entry| match entry {
                Entry::Stored { kept, .. } => Some(*kept),
                Entry::Receiving(_) => None,
            });
            kept.collect()
        };
        all.sort_by_key(|kept| (kept.needed, kept.content.hash));
        all.into_iter().map(|kept| kept.content).collect()
    }

    fn remove(&self, hash: ContentHash) {
        let mut entries = self.index.lock();
        if let Some(Entry::Receiving(blob)) = entries.remove(&hash) {
            blob.break_off(StoreFault::GivenUp);
        }
        // Under the lock: what is received anew from now on must not be what its lane removes.
        self.lane(hash, Job::Remove(hash));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.workers.clear();
        let checks = self.checks.get_mut().unwrap_or_else(PoisonError::into_inner);
        checks.clear();
        for thread in self.threads.drain(..) {
            // What a lane is told of an end may be all that held the store.
            if thread.thread().id() != std::thread::current().id() {
                let _panicked = thread.join();
            }
        }
    }
}

/// The end at which a content comes in. Dropping it leaves what has come for a later
/// [`Store::receive`] that resumes.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    store: Store,
    blob: Arc<Blob>,
    number: u64,
}

impl BlobWriter {
    /// Hands in the bytes from `offset` on, as they came. `held` is dropped once they are written, or known to be
    /// of no use: it stands for the room that they take.
    pub(crate) fn write(&self, offset: u64, body: impl Into<ChunkBody>, held: impl Send + 'static) {
        self.hand_in(offset, body.into(), false, held);
    }

    /// The same, and says that all has come, as [`BlobWriter::finish`] does.
    pub(crate) fn write_last(
        &self,
        offset: u64,
        body: impl Into<ChunkBody>,
        held: impl Send + 'static,
    ) {
        self.hand_in(offset, body.into(), true, held);
    }

    fn hand_in(&self, offset: u64, body: ChunkBody, last: bool, held: impl Send + 'static) {
        let hash = self.blob.content().hash;
        let mut state = self.blob.lock();
        let Phase::Receiving(receiving) = &mut state.phase else { return };
        if receiving.writer != self.number {
            return;
        }
        if receiving.taken == offset {
            receiving.taken += body.len() as u64;
        }
        // Under the lock: pieces must not change places, nor come after the next writer's.
        self.store.0.lane(hash, Job::Write { hash, offset, body, last, held: Box::new(held) });
    }

    /// Says that all has come. How that ends, `done` is told.
    pub(crate) fn finish(&self) {
        self.ask(Job::Finish);
    }

    /// How many bytes have been handed in, those before this writer counted.
    pub(crate) fn received(&self) -> u64 {
        match &self.blob.lock().phase {
            Phase::Receiving(receiving) => receiving.taken,
            Phase::Complete => self.blob.content().size,
            Phase::Broken(_) => 0,
        }
    }

    fn ask(&self, job: impl FnOnce(ContentHash) -> Job) {
        let hash = self.blob.content().hash;
        let state = self.blob.lock();
        if matches!(&state.phase, Phase::Receiving(receiving) if receiving.writer == self.number) {
            self.store.0.lane(hash, job(hash));
        }
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        self.ask(Job::Park);
    }
}
