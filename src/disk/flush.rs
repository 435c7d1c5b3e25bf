//! Makes work durable: after its outcome is handed out, no crash takes it back.
//!
//! Flushing thousands of small files one by one takes longer than all the rest of a sync. On Linux
//! one call (`syncfs`) flushes whatever a file system has: while one such call runs, the next group
//! gathers by itself. Elsewhere there is no such call for a user, and each small file is flushed on the
//! thread that wrote it. Large files are flushed one by one everywhere, by threads that do nothing else:
//! who writes goes on meanwhile.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError, mpsc},
};

use liverysync_core::client::{DiskOutcome, OpId};

use super::{error_fault, flush_folder};

/// A file of this size or more is flushed by itself: the time goes into its bytes and not into the call.
pub(super) const LARGE_FILE_BYTES: u64 = 1024 * 1024;

/// What has to be flushed before an outcome may be handed out.
#[derive(Debug)]
pub(super) enum Flush {
    Nothing,
    /// Nothing of its own, but what was handed in before goes first.
    Earlier,
    /// A file whose bytes take their time.
    Large(File),
    /// A small file.
    File(SmallFile),
    /// Folders whose lists of names have changed.
    Folders(BTreeSet<PathBuf>),
}

impl Flush {
    /// How many calls it takes by itself.
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

/// A small file that has been written. Thousands may wait for one call, so none stays open.
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
    /// Flushes by itself.
    pub(super) fn alone(self) -> (OpId, DiskOutcome) {
        let result = self.flush.carry_out();
        (self.op, settled(self.outcome, &result))
    }
}

/// The work of a thread that flushes large files: takes from `jobs` in turn with others of its kind, until
/// nothing more can come.
pub(super) fn run_large(
    jobs: &Mutex<mpsc::Receiver<Unflushed>>,
    mut deliver: impl FnMut((OpId, DiskOutcome)),
) {
    loop {
        // Only the waiting is done under the lock.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(unflushed) = next else { return };
        deliver(unflushed.alone());
    }
}

/// The outcome after the flush: what is not durable must not be reported as done.
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

/// The thread that flushes groups.
#[cfg(target_os = "linux")]
pub(super) mod group {
    use std::{fs::File, io, path::Path, sync::mpsc, time::Duration};

    use liverysync_core::client::{DiskOutcome, OpId};

    use super::{Unflushed, settled};

    /// From so many files and folders on, one call for the whole file system costs less than one for each.
    ///
    /// That call waits for whatever else is to be written there, by whomever.
    const CALLS_MANY: usize = 24;

    /// So many outcomes wait for one call at most.
    const GROUP_MAX: usize = 1024;

    /// How long more is waited for: what comes in a row from several threads shares a call, and beside that call
    /// nobody notices the wait.
    const GATHERING: Duration = Duration::from_millis(2);

    /// Flushes what comes, and hands outcomes to `deliver`, until nothing more can come.
    pub(in super::super) fn run(
        root: &Path,
        jobs: &mpsc::Receiver<Unflushed>,
        mut deliver: impl FnMut(Vec<(OpId, DiskOutcome)>),
    ) {
        // It stays open: the system tells through it of what could not be written since.
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

    /// What is flushed together: all that came while the last group was flushed, and what follows at once.
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
