//! Checks that stored contents still have their hashes.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    path::Path,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use liverysync_core::{
    client::DiskFaultKind,
    hash::{Content, ContentHash},
    inspect::ContentFacts,
};

use super::{
    Index, Store, StoreError,
    folder::{Folder, StoredBlob},
    read_fault_kind,
};
use crate::inspect;

/// A stored content that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The hash that it should have.
    pub hash: ContentHash,
    /// Its length in bytes.
    pub bytes: u64,
    /// The damage, for which it was removed, or the reason why it cannot be read; `None` if its hash is right.
    pub wrong: Option<String>,
}

/// The result of checking a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifySummary {
    /// Number of contents that were checked.
    pub files: u64,
    /// Sum of their lengths in bytes.
    pub bytes: u64,
    /// Number of contents that are damaged, and were removed, or that cannot be read.
    pub wrong: u64,
}

/// Reads every stored content in the data folder `data`, on all cores, and removes damaged ones; the server downloads
/// them from a member again. What cannot be read stays. Calls `report` for each content, in no order.
///
/// # Errors
///
/// Fails if a server uses the folder, or if it cannot be read.
pub fn verify_store(
    data: &Path,
    mut report: impl FnMut(Verified),
) -> Result<VerifySummary, StoreError> {
    let (folder, stored) = Folder::open(Some(data))?;
    let next = AtomicUsize::new(0);
    let (results, verified) = mpsc::channel();
    let mut summary = VerifySummary::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (folder, stored, next, results) = (&folder, &stored, &next, results.clone());
            let run = move || {
                while let Some(stored) = stored.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver exists until all threads have ended.
                    let _listening = results.send(verify_one(folder, stored));
                }
            };
            std::thread::Builder::new().spawn_scoped(scope, run).map_err(StoreError::Threads)?;
        }
        drop(results);
        for one in verified {
            summary.files += 1;
            summary.bytes += one.bytes;
            summary.wrong += u64::from(one.wrong.is_some());
            report(one);
        }
        Ok(summary)
    })
}

fn verify_one(folder: &Folder, stored: &StoredBlob) -> Verified {
    let (hash, bytes) = (stored.content.hash, stored.content.size);
    let Ok(verified) = folder.verify(hash, |_| Ok::<_, Infallible>(()));
    let wrong = match verified {
        Ok(false) => Some(match folder.remove(hash) {
            Ok(()) => "its bytes have changed".to_owned(),
            Err(error) => format!("its bytes have changed, and it cannot be removed: {error}"),
        }),
        Ok(true) => None,
        // Its bytes may be right.
        Err(error) => Some(format!("it cannot be read, and is kept: {error}")),
    };
    Verified { hash, bytes, wrong }
}

/// The pace of the check in the background.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckPace {
    /// Most bytes that are read in a second.
    pub(crate) bytes_per_second: u64,
    /// Time from the end of one pass to the next.
    pub(crate) pause: Duration,
}

/// The check in the background: it reads all contents, again and again, and those that somebody complains about first.
struct Checker<F> {
    folder: Arc<Folder>,
    index: Arc<Index>,
    pace: CheckPace,
    complaints: mpsc::Receiver<ContentHash>,
    waiting: VecDeque<ContentHash>,
    wrong: F,
}

/// The store has closed.
struct Closed;

/// The thread of the check, which ends with its queue.
#[derive(Debug)]
pub(super) struct RunningCheck {
    complaints: mpsc::Sender<ContentHash>,
    thread: JoinHandle<()>,
}

impl RunningCheck {
    /// Ends the check. Its thread holds the folder, and a folder for one run is removed with its last holder.
    pub(super) fn end(self) {
        let Self { complaints, thread } = self;
        drop(complaints);
        let _panicked = thread.join();
    }
}

impl<F: FnMut(ContentHash)> Checker<F> {
    fn run(mut self) -> Result<(), Closed> {
        loop {
            for content in self.index.contents() {
                self.verify_waiting()?;
                self.verify(content.hash)?;
            }
            let next_pass = Instant::now() + self.pace.pause;
            while self.listen(next_pass)? {
                self.verify_waiting()?;
            }
        }
    }

    fn verify_waiting(&mut self) -> Result<(), Closed> {
        while let Some(hash) = self.waiting.pop_front() {
            self.verify(hash)?;
        }
        Ok(())
    }

    fn verify(&mut self, hash: ContentHash) -> Result<(), Closed> {
        let (folder, began, mut read) = (Arc::clone(&self.folder), Instant::now(), 0);
        let go_on = |bytes| {
            read += bytes as u64;
            let seconds = read as f64 / self.pace.bytes_per_second.max(1) as f64;
            let due = began + Duration::from_secs_f64(seconds);
            while self.listen(due)? {}
            Ok(())
        };
        let lost = match folder.verify(hash, go_on)? {
            Ok(right) => !right,
            Err(error) => read_fault_kind(error.kind()) == DiskFaultKind::Missing,
        };
        if lost {
            (self.wrong)(hash);
        }
        Ok(())
    }

    /// Waits for a complaint. Returns `false` if none has come until this time.
    fn listen(&mut self, until: Instant) -> Result<bool, Closed> {
        match self.complaints.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(hash) => self.waiting.push_back(hash),
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            // The store drops the sender when it closes.
            Err(RecvTimeoutError::Disconnected) => return Err(Closed),
        }
        Ok(true)
    }
}

impl Store {
    /// Inspects stored contents by their first and last bytes, in the background. It ends when the store closes.
    pub(crate) fn inspect(
        &self,
        contents: Vec<Content>,
        report: impl Fn(Content, ContentFacts) + Send + 'static,
    ) {
        let (folder, shared) = (Arc::clone(&self.0.folder), Arc::downgrade(&self.0));
        let run = move || {
            for content in contents {
                if shared.strong_count() == 0 {
                    return;
                }
                // What cannot be read is found by the check of the store.
                if let Ok(facts) = folder.open_blob(content.hash).and_then(inspect::ends) {
                    report(content, facts);
                }
            }
        };
        // Without a thread, damage to these contents is not noticed before the next start.
        let _not_started =
            std::thread::Builder::new().name("liverysync-inspect".to_owned()).spawn(run);
    }

    /// Reads every stored content in the background, again and again, and at once those that are to be
    /// [verified](Self::verify_soon). Passes the hashes of damaged and missing ones to `wrong`, which may have been removed
    /// meanwhile. It ends when the store closes.
    pub(crate) fn check(
        &self,
        pace: CheckPace,
        wrong: impl FnMut(ContentHash) + Send + 'static,
    ) -> io::Result<()> {
        let (sender, complaints) = mpsc::channel();
        let (folder, index) = (Arc::clone(&self.0.folder), Arc::clone(&self.0.index));
        let waiting = VecDeque::new();
        let checker = Checker { folder, index, pace, complaints, waiting, wrong };
        let named = std::thread::Builder::new().name("liverysync-check".to_owned());
        let thread = named.spawn(move || {
            let _closed = checker.run();
        })?;
        let running = RunningCheck { complaints: sender, thread };
        *self.0.checker.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(())
    }

    /// Has the check in the background read a content before all others.
    pub(crate) fn verify_soon(&self, hash: ContentHash) {
        let checker = self.0.checker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(checker) = &*checker {
            // It ends only with the store.
            let _running = checker.complaints.send(hash);
        }
    }
}
