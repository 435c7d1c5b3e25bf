//! Looks again whether what is kept is still what its name says.

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

use liverysync_core::hash::ContentHash;

use super::{
    Store, StoreError,
    folder::{Folder, StoredBlob},
};

/// One content of a store that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// What it should hold.
    pub hash: ContentHash,
    /// Bytes that it has.
    pub bytes: u64,
    /// What was wrong with it, so that it was removed; `None` if it is right.
    pub wrong: Option<String>,
}

/// What came of checking a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifySummary {
    /// Contents that were checked.
    pub files: u64,
    /// Bytes that they had.
    pub bytes: u64,
    /// How many of them were wrong, and were removed.
    pub wrong: u64,
}

/// Reads every content that a server keeps in `data`, on all cores, and removes those that are not
/// what they should be; a server asks for them again. `report` is told of each, in no order.
///
/// # Errors
///
/// Fails if a server uses the folder, or it cannot be read.
pub fn verify_store(
    data: &Path,
    mut report: impl FnMut(Verified),
) -> Result<VerifySummary, StoreError> {
    let (folder, kept) = Folder::open(Some(data))?;
    let next = AtomicUsize::new(0);
    let (results, verified) = mpsc::channel();
    let mut summary = VerifySummary::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (folder, kept, next, results) = (&folder, &kept, &next, results.clone());
            let run = move || {
                while let Some(kept) = kept.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The other end is there until all threads have ended.
                    let _listening = results.send(verify_one(folder, kept));
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

fn verify_one(folder: &Folder, kept: &StoredBlob) -> Verified {
    let (hash, bytes) = (kept.content.hash, kept.content.size);
    let wrong = match folder.verify(hash, |_| true) {
        Ok(Some(false)) => Some("its bytes have changed".to_owned()),
        Ok(_) => None,
        Err(error) => Some(format!("it cannot be read: {error}")),
    };
    let wrong = wrong.map(|wrong| match folder.remove(hash) {
        Ok(()) => wrong,
        Err(error) => format!("{wrong}; and it cannot be removed: {error}"),
    });
    Verified { hash, bytes, wrong }
}

/// Holds reading down to a rate.
struct Pace {
    began: Instant,
    bytes: u64,
    bytes_per_second: u64,
    stop: mpsc::Receiver<()>,
}

impl Pace {
    /// Waits until so many bytes more may be read; returns whether to go on at all.
    fn go_on(&mut self, bytes: usize) -> bool {
        self.bytes += bytes as u64;
        let due = Duration::from_secs_f64(self.bytes as f64 / self.bytes_per_second.max(1) as f64);
        let wait = due.saturating_sub(self.began.elapsed());
        // Nothing is ever sent: the store closes by dropping the other end.
        self.stop.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
    }
}

impl Store {
    /// Reads all that is kept now, once, in the background and at most at this rate. What is wrong is
    /// removed, and `wrong` is told of it. It ends when the store closes.
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
                let right = match folder.verify(content.hash, |bytes| pace.go_on(bytes)) {
                    Ok(Some(right)) => right,
                    Ok(None) => return,
                    // It went its way meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(_) => false,
                };
                if !right {
                    let Some(shared) = shared.upgrade() else { return };
                    shared.remove(content.hash);
                    wrong(content.hash);
                }
            }
        };
        std::thread::Builder::new().name("liverysync-check".to_owned()).spawn(run)?;
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).push(running);
        Ok(())
    }
}
