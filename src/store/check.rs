//! Checks that stored contents still have their hashes.

use std::{
    io,
    path::Path,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use liverysync_core::{
    client::DiskFaultKind,
    hash::{Content, ContentHash},
    inspect::ContentFacts,
};

use super::{
    Store, StoreError,
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
    let wrong = match folder.verify(hash, |_| true) {
        Ok(Some(false)) => Some(match folder.remove(hash) {
            Ok(()) => "its bytes have changed".to_owned(),
            Err(error) => format!("its bytes have changed, and it cannot be removed: {error}"),
        }),
        Ok(_) => None,
        // Its bytes may be right.
        Err(error) => Some(format!("it cannot be read, and is kept: {error}")),
    };
    Verified { hash, bytes, wrong }
}

/// Limits the rate of reading.
struct Pace {
    began: Instant,
    bytes: u64,
    bytes_per_second: u64,
    stop: mpsc::Receiver<()>,
}

impl Pace {
    /// Waits until this many more bytes may be read. Returns `false` if the check has to end.
    fn go_on(&mut self, bytes: usize) -> bool {
        self.bytes += bytes as u64;
        let due = Duration::from_secs_f64(self.bytes as f64 / self.bytes_per_second.max(1) as f64);
        let wait = due.saturating_sub(self.began.elapsed());
        // Nothing is ever sent: the store drops the sender when it closes.
        self.stop.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
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

    /// Reads every stored content once, in the background and at most at this rate. Passes the hashes of damaged and missing
    /// ones to `wrong`, which may have been removed meanwhile. It ends when the store closes.
    pub(crate) fn check(
        &self,
        bytes_per_second: u64,
        mut wrong: impl FnMut(ContentHash) + Send + 'static,
    ) -> io::Result<()> {
        let (running, stop) = mpsc::channel();
        let mut pace = Pace { began: Instant::now(), bytes: 0, bytes_per_second, stop };
        let (folder, shared) = (Arc::clone(&self.0.folder), Arc::downgrade(&self.0));
        let run = move || {
            let Some(contents) = shared.upgrade().map(|shared| shared.contents()) else { return };
            for content in contents {
                let lost = match folder.verify(content.hash, |bytes| pace.go_on(bytes)) {
                    Ok(Some(right)) => !right,
                    Ok(None) => return,
                    Err(error) => read_fault_kind(error.kind()) == DiskFaultKind::Missing,
                };
                if lost {
                    wrong(content.hash);
                }
            }
        };
        std::thread::Builder::new().name("liverysync-check".to_owned()).spawn(run)?;
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).push(running);
        Ok(())
    }
}
