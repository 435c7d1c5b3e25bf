//! Makes contents durable before they count as kept, so that no power cut takes back what the server has reported.
//!
//! Thousands of small contents may come at once, and a flush of each takes longer than everything else. On Linux one call
//! flushes the whole file system; while it runs, the next group gathers. Downloads do not wait for any of this.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
};

use liverysync_core::inspect::ContentFacts;

use super::{Done, StoreFault, folder::Folder};

/// The largest number of contents that wait for one flush.
const GROUP_MAX: usize = 1024;

/// With this many files and folders, one `syncfs` costs less than a call for each. It also waits for what other programs
/// write to the file system.
#[cfg(target_os = "linux")]
const CALLS_MANY: usize = 24;

/// A content at its final path, whose outcome waits for the flush.
pub(super) struct Unflushed {
    pub(super) path: PathBuf,
    /// The facts that its bytes tell.
    pub(super) facts: ContentFacts,
    pub(super) done: Done,
}

/// Flushes contents and reports their outcomes, until the queue is closed.
pub(super) fn run(folder: &Arc<Folder>, jobs: &mpsc::Receiver<Unflushed>) {
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(GROUP_MAX - 1));
        let outcomes = flush(folder, &group);
        for (unflushed, outcome) in group.into_iter().zip(outcomes) {
            (unflushed.done)(outcome.map(|()| unflushed.facts));
        }
    }
}

fn flush(folder: &Folder, group: &[Unflushed]) -> Vec<Result<(), StoreFault>> {
    if folder.is_temporary() {
        // It ends with the server.
        return group.iter().map(|_| Ok(())).collect();
    }
    let folders: BTreeSet<_> =
        group.iter().filter_map(|unflushed| unflushed.path.parent()).collect();
    #[cfg(target_os = "linux")]
    if group.len() + folders.len() >= CALLS_MANY {
        let flushed = folder.flush_all().map_err(StoreFault::from);
        return group.iter().map(|_| flushed.clone()).collect();
    }
    let contents: Vec<_> = group.iter().map(|unflushed| flush_file(&unflushed.path)).collect();
    // The folder of the folders, too: one of them may be new.
    let parent = folders.first().and_then(|folder| folder.parent());
    let names = folders.iter().copied().chain(parent).try_for_each(flush_folder);
    let names = names.map_err(StoreFault::from);
    let outcome = |content: io::Result<()>| content.map_err(StoreFault::from).and(names.clone());
    contents.into_iter().map(outcome).collect()
}

fn flush_file(path: &Path) -> io::Result<()> {
    // Windows flushes only what is open for writing.
    match std::fs::File::options().read(true).write(cfg!(windows)).open(path) {
        Ok(file) => file.sync_all(),
        // It was removed meanwhile, because nobody needs it any more. Its outcome does not matter then.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Flushes a folder's list of names.
#[cfg(unix)]
pub(crate) fn flush_folder(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

/// Does nothing: Windows flushes its lists of names itself, and has no call for it.
#[cfg(not(unix))]
pub(crate) const fn flush_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Returns the outcomes of contents at these paths, in the order of their reports.
    fn outcomes(folder: &Arc<Folder>, paths: &[PathBuf]) -> Vec<Result<(), StoreFault>> {
        let (jobs, queue) = mpsc::channel();
        let (reports, outcomes) = mpsc::channel();
        for path in paths {
            let report = reports.clone();
            let done: Done = Box::new(move |outcome| report.send(outcome.map(drop)).unwrap());
            jobs.send(Unflushed { path: path.clone(), facts: ContentFacts::default(), done })
                .unwrap();
        }
        drop((jobs, reports));
        run(folder, &queue);
        outcomes.iter().collect()
    }

    #[test]
    fn what_could_not_be_flushed_is_not_kept() {
        let data = tempfile::tempdir().unwrap();
        let path = |name: &str| data.path().join(name);
        std::fs::write(path("content"), "content").unwrap();
        // A device cannot be flushed.
        let paths = [path("content"), PathBuf::from("/dev/null"), path("removed")];
        let (kept, _) = Folder::open(Some(data.path())).unwrap();
        let found = outcomes(&Arc::new(kept), &paths);
        assert!(matches!(found[..], [Ok(()), Err(StoreFault::Disk { .. }), Ok(())]), "{found:?}");
        let (temporary, _) = Folder::open(None).unwrap();
        assert_eq!(outcomes(&Arc::new(temporary), &paths), [Ok(()), Ok(()), Ok(())]);
    }

    #[test]
    fn a_large_group_is_flushed_with_one_call() {
        let data = tempfile::tempdir().unwrap();
        let (folder, _) = Folder::open(Some(data.path())).unwrap();
        // Alone, none of them could be flushed.
        let paths = vec![PathBuf::from("/dev/null"); CALLS_MANY];
        assert_eq!(outcomes(&Arc::new(folder), &paths), vec![Ok(()); CALLS_MANY]);
    }
}
