//! Makes files durable before their outcomes are sent, so that no crash takes back what was reported.
//!
//! Flushing thousands of small files one by one takes longer than everything else in a sync. On Linux one call
//! (`syncfs`) flushes a whole file system, and while it runs the next group gathers. Other systems have no such call
//! for a user, so there each worker flushes its own small files. Large files are flushed one by one on every system, by
//! threads that do nothing else, so that the workers can go on.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError, mpsc},
};

use liverysync_core::client::{DiskOutcome, OpId};

use super::{error_fault, flush_folder};

/// A file of this size or more is flushed by itself: its bytes take longer than the call.
pub(super) const LARGE_FILE_BYTES: u64 = 1024 * 1024;

/// The flush that an outcome has to wait for.
#[derive(Debug)]
pub(super) enum Flush {
    Nothing,
    /// Nothing of its own, but the outcome must not overtake those of earlier jobs.
    Earlier,
    /// A file whose bytes take long to flush.
    Large(File),
    /// A small file.
    File(SmallFile),
    /// Folders whose lists of names have changed.
    Folders(BTreeSet<PathBuf>),
}

impl Flush {
    /// Returns the number of calls that it takes without `syncfs`.
    #[cfg(target_os = "linux")]
    fn calls(&self) -> usize {
        match self {
            Self::Nothing | Self::Earlier => 0,
            Self::Large(_) | Self::File(_) => 1,
            Self::Folders(folders) => folders.len(),
        }
    }

    pub(super) fn carry_out(&self) -> io::Result<()> {
        match self {
            Self::Nothing | Self::Earlier => Ok(()),
            Self::Large(file) => file.sync_all(),
            Self::File(file) => file.flush(),
            Self::Folders(folders) => folders.iter().try_for_each(|folder| flush_folder(folder)),
        }
    }
}

/// A small file that has been written.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct SmallFile(File);

/// A small file that has been written. Thousands may wait for one call, so it is not kept open.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct SmallFile(PathBuf);

#[cfg(not(target_os = "linux"))]
impl SmallFile {
    pub(super) fn new(file: File, _path: PathBuf) -> Self {
        Self(file)
    }

    fn flush(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[cfg(target_os = "linux")]
impl SmallFile {
    pub(super) fn new(file: File, path: PathBuf) -> Self {
        drop(file);
        Self(path)
    }

    fn flush(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

/// An outcome that waits for its flush.
#[derive(Debug)]
pub(super) struct Unflushed {
    pub(super) op: OpId,
    pub(super) outcome: DiskOutcome,
    pub(super) flush: Flush,
}

impl Unflushed {
    /// Flushes without waiting for others.
    pub(super) fn alone(self) -> (OpId, DiskOutcome) {
        let result = self.flush.carry_out();
        (self.op, settled(self.outcome, &result))
    }
}

/// Flushes large files until the queue is closed. Several threads share the queue.
pub(super) fn run_large(
    jobs: &Mutex<mpsc::Receiver<Unflushed>>,
    mut deliver: impl FnMut((OpId, DiskOutcome)),
) {
    loop {
        // The lock is held while waiting for a job, not while flushing.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(unflushed) = next else { return };
        deliver(unflushed.alone());
    }
}

/// Returns the outcome after the flush: a file that is not durable is not done.
fn settled(outcome: DiskOutcome, flushed: &io::Result<()>) -> DiskOutcome {
    let Err(error) = flushed else { return outcome };
    let fault = error_fault(error);
    match outcome {
        DiskOutcome::Done(done) => DiskOutcome::Done(done.and(Err(fault))),
        DiskOutcome::Received(done) => DiskOutcome::Received(done.and(Err(fault))),
        DiskOutcome::Copied(copied) => DiskOutcome::Copied(copied.and(Err(fault))),
        DiskOutcome::Installed(installed) => DiskOutcome::Installed(
            installed.into_iter().map(|done| done.and(Err(fault.clone()))).collect(),
        ),
        other => other,
    }
}

/// The thread that flushes small files in groups.
#[cfg(target_os = "linux")]
pub(super) mod group {
    use std::{fs::File, io, path::Path, sync::mpsc, time::Duration};

    use liverysync_core::client::{DiskOutcome, OpId};

    use super::{Unflushed, settled};

    /// With this many files and folders, one `syncfs` costs less than a call for each. It also waits for what other
    /// programs write to the file system.
    const CALLS_MANY: usize = 24;

    /// The largest number of outcomes that wait for one call.
    const GROUP_MAX: usize = 1024;

    /// The time to wait for more: files that several workers write at the same time share a call, and compared with that
    /// call nobody notices the wait.
    const GATHERING: Duration = Duration::from_millis(2);

    /// Flushes groups and sends their outcomes until the queue is closed.
    pub(in super::super) fn run(
        root: &Path,
        jobs: &mpsc::Receiver<Unflushed>,
        mut deliver: impl FnMut(Vec<(OpId, DiskOutcome)>),
    ) {
        // It stays open, because the system reports through it which writes have failed since it was opened.
        let root = File::open(root);
        while let Ok(first) = jobs.recv() {
            let group = gather(first, jobs);
            let calls: usize = group.iter().map(|job| job.flush.calls()).sum();
            match &root {
                Ok(root) if calls >= CALLS_MANY => {
                    let flushed = rustix::fs::syncfs(root).map_err(io::Error::from);
                    let settle = |job: Unflushed| (job.op, settled(job.outcome, &flushed));
                    deliver(group.into_iter().map(settle).collect());
                }
                _ => group.into_iter().for_each(|job| deliver(vec![job.alone()])),
            }
        }
    }

    /// Returns everything that came while the last group was flushed, and whatever follows immediately.
    fn gather(first: Unflushed, jobs: &mpsc::Receiver<Unflushed>) -> Vec<Unflushed> {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(GROUP_MAX - 1));
        while group.len() < GROUP_MAX
            && let Ok(next) = jobs.recv_timeout(GATHERING)
        {
            group.push(next);
            group.extend(jobs.try_iter().take(GROUP_MAX - group.len()));
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use liverysync_core::hash::Content;

    use super::*;

    #[test]
    fn what_could_not_be_flushed_is_not_done() {
        let failed = Err(io::ErrorKind::StorageFull.into());
        let done = settled(DiskOutcome::Done(Ok(())), &failed);
        assert!(matches!(done, DiskOutcome::Done(Err(_))), "{done:?}");
        let received = settled(DiskOutcome::Received(Ok(())), &failed);
        assert!(matches!(received, DiskOutcome::Received(Err(_))), "{received:?}");
        let copied = settled(DiskOutcome::Copied(Ok(Content::of(b""))), &failed);
        assert!(matches!(copied, DiskOutcome::Copied(Err(_))), "{copied:?}");
        let done = settled(DiskOutcome::Done(Ok(())), &Ok(()));
        assert!(matches!(done, DiskOutcome::Done(Ok(()))), "{done:?}");
    }
}
