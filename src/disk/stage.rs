//! Staged files. They are written below `.tmp`, under names that no livery has, until they are complete.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use liverysync_core::{
    client::{DiskFault, DiskOutcome, DiskRequest, OpId, StageId},
    hash::{Content, Hasher},
    own_folders::STAGING_FOLDER,
    path::RelPath,
    wire::data::{Data, Decoder, TransferId},
};

use super::{
    beneath::{Folder, What, below},
    error_fault, fault,
    flush::{Flush, LARGE_FILE_BYTES, SmallFile, Unflushed},
    install, keep, respell,
    stage_queue::{StageJob, StageQueue},
    staged_download::StagedDownload,
};
use crate::credit::Credit;

/// The size of a buffer for copying, in bytes.
const COPY_BYTES: usize = 256 * 1024;

/// The end of the name of a copy that is not complete yet.
pub(super) const COPY: &str = ".copy";

/// The folder for staged files.
#[derive(Debug)]
pub(super) struct Stages {
    root: PathBuf,
    /// Tells this run's files from those of every other run.
    run: String,
    /// The number of copies that were begun.
    copies: AtomicU64,
    /// Set if the system can exchange two names in one step.
    pub(super) may_exchange: bool,
}

impl Stages {
    pub(super) fn new(root: &Path) -> Self {
        let run = format!("{:016x}", crate::clock::seed());
        Self {
            root: root.to_owned(),
            run,
            copies: AtomicU64::new(0),
            may_exchange: Folder::MAY_EXCHANGE,
        }
    }

    pub(super) fn path(&self, id: StageId) -> PathBuf {
        self.root.join(self.below(id))
    }

    /// Returns the path of a staged file below the root.
    pub(super) fn below(&self, id: StageId) -> PathBuf {
        Path::new(STAGING_FOLDER).join(format!("{}-{}.part", self.run, id.0))
    }

    /// Returns a new name for a copy.
    pub(super) fn next_copy(&self) -> String {
        format!("{}-{}{COPY}", self.run, self.copies.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Removes what this run has staged and not installed.
    pub(super) fn remove_staged(&self) {
        let Ok(folder) = self.open() else { return };
        for (name, _) in folder.entries().into_iter().flatten() {
            if name.to_string_lossy().starts_with(&self.run) {
                // A file that stays is removed at the next start.
                let _stays = folder.remove_file(&name);
            }
        }
    }

    fn open(&self) -> io::Result<Folder> {
        Folder::open(&self.root)?.folder(Path::new(STAGING_FOLDER))
    }

    /// Removes what earlier runs left, and the folder itself.
    fn sweep(&self) -> io::Result<()> {
        let root = Folder::open(&self.root)?;
        keep::sweep(&root)?;
        match root.find(Path::new(STAGING_FOLDER))? {
            Some(found) if found.what == What::Folder => root.remove_all(STAGING_FOLDER.as_ref()),
            // A file or link of this name belongs to the driver.
            _ => Ok(()),
        }
    }

    pub(super) fn create(&self, id: StageId) -> io::Result<File> {
        // Mostly the folder does not exist before the first staged file.
        let place = Folder::open(&self.root)?.place_made(&self.below(id), |_| {});
        place.and_then(|place| place.create()).map_err(|error| match error.kind() {
            // What is in the way of every file is no fault of this one.
            io::ErrorKind::NotADirectory => io::Error::other(error),
            _ => error,
        })
    }

    /// Removes a staged file, if it is there.
    pub(super) fn remove(&self, id: StageId) -> io::Result<()> {
        match Folder::open(&self.root)?.place(&self.below(id)).and_then(|place| place.remove()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Copies a file into a stage. Returns its content and what must be flushed.
    fn copy(&self, id: StageId, from: &RelPath) -> Result<(Content, Flush), DiskFault> {
        self.copy_below(id, &below(from))
            .map_err(|known| fault(known.kind, format!("cannot copy {from}: {}", known.message)))
    }

    /// Does the same for any path below the root.
    pub(super) fn copy_below(
        &self,
        id: StageId,
        from: &Path,
    ) -> Result<(Content, Flush), DiskFault> {
        self.copy_checked(id, from).map_err(|error| error_fault(&error))
    }

    fn copy_checked(&self, id: StageId, from: &Path) -> io::Result<(Content, Flush)> {
        let mut source = Folder::open(&self.root)?.open_file(from)?;
        let mut target = self.create(id)?;
        let is_clone = clone_into(&source, &target);
        if is_clone {
            // From here on the driver may change the source, so the hash is of the copy.
            source = target.try_clone()?;
        }
        let (mut hasher, mut size) = (Hasher::default(), 0);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            if !is_clone {
                target.write_all(&buffer[..count])?;
            }
            size += count as u64;
        }
        let content = Content { hash: hasher.finish(), size };
        Ok((content, sealed(target, self.path(id), size)?))
    }
}

/// Makes a new file share the blocks of another one on the disk. Returns `false` if the file system cannot do that.
#[cfg(target_os = "linux")]
pub(super) fn clone_into(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

/// Returns `false`: this system has no such call for an open file.
#[cfg(not(target_os = "linux"))]
pub(super) const fn clone_into(_source: &File, _target: &File) -> bool {
    false
}

/// A thread that writes staged files, and the stages that belong to it.
#[derive(Debug)]
pub(super) struct StageWorker {
    stages: Arc<Stages>,
    stage_queue: StageQueue,
    /// Files that the machine writes piece by piece, as protocol 1 sends them.
    open: HashMap<StageId, File>,
    /// Downloads in the form of protocol 2.
    downloads: HashMap<StageId, StagedDownload>,
    decoder: Decoder,
}

impl StageWorker {
    pub(super) fn new(stages: Arc<Stages>, stage_queue: StageQueue) -> Self {
        let (open, downloads) = (HashMap::new(), HashMap::new());
        Self { stages, stage_queue, open, downloads, decoder: Decoder::default() }
    }

    /// Does a job. Returns its outcome, if it has one yet, with the flush that must come first.
    pub(super) fn carry_out(&mut self, job: StageJob) -> Option<Unflushed> {
        match job {
            StageJob::Piece(id, data, credit) => self.write_piece(id, &data, credit),
            StageJob::Request(op, DiskRequest::Receive { stage, content, transfer }) => {
                self.receive(stage, content, transfer, op);
                None
            }
            StageJob::Request(op, request) => {
                let (outcome, flush) = self.answer(request);
                Some(Unflushed { op, outcome, flush })
            }
        }
    }

    fn answer(&mut self, request: DiskRequest) -> (DiskOutcome, Flush) {
        let done = |result: io::Result<()>| DiskOutcome::Done(result.map_err(|e| error_fault(&e)));
        let outcome = match request {
            DiskRequest::Sweep => done(self.stages.sweep()),
            DiskRequest::Create(id, _) => done(self.stages.create(id).map(|file| {
                self.open.insert(id, file);
            })),
            DiskRequest::Write(id, offset, data) => done(write(self.open.get(&id), offset, &data)),
            DiskRequest::Seal(id) => match self.seal(id) {
                Ok(flush) => return (DiskOutcome::Done(Ok(())), flush),
                Err(error) => done(Err(error)),
            },
            DiskRequest::Park(id) => match self.downloads.get_mut(&id) {
                Some(download) => DiskOutcome::Parked(download.park()),
                None => return (DiskOutcome::Parked(0), Flush::Earlier),
            },
            DiskRequest::Copy(id, from) => match self.stages.copy(id, &from) {
                Ok((content, flush)) => return (DiskOutcome::Copied(Ok(content)), flush),
                Err(fault) => DiskOutcome::Copied(Err(fault)),
            },
            DiskRequest::Discard(id) => {
                drop((self.open.remove(&id), self.downloads.remove(&id)));
                done(self.stages.remove(id))
            }
            DiskRequest::Install { date, files, clear } => {
                let (installed, touched) = install::install(&self.stages, date, files, &clear);
                return (DiskOutcome::Installed(installed), Flush::Folders(touched));
            }
            DiskRequest::Respell(files) => {
                let (respelled, touched) = respell::respell(&self.stages.root, &files);
                return (DiskOutcome::Respelled(respelled), Flush::Folders(touched));
            }
            DiskRequest::Retire { date, files, clear } => {
                let (retired, touched) = install::retire(&self.stages, date, &files, &clear);
                return (DiskOutcome::Retired(retired), Flush::Folders(touched));
            }
            _ => done(Ok(())),
        };
        (outcome, Flush::Nothing)
    }

    /// Ends a file that the machine has written. Returns what must be flushed.
    fn seal(&mut self, id: StageId) -> io::Result<Flush> {
        // A file that could not be created has been reported already.
        let file = self.open.remove(&id).ok_or(io::ErrorKind::NotFound)?;
        let size = file.metadata()?.len();
        sealed(file, self.stages.path(id), size)
    }

    /// Expects a download, or the rest of one that is parked.
    fn receive(&mut self, id: StageId, content: Content, transfer: TransferId, op: OpId) {
        let begun = self.downloads.remove(&id);
        let mut download = match begun {
            Some(begun) if begun.is_of(content) => begun,
            begun => {
                if begun.is_some() {
                    drop(begun);
                    self.remove(id);
                }
                StagedDownload::new(content)
            }
        };
        download.expect(transfer, op);
        self.downloads.insert(id, download);
    }

    /// Writes a piece. Returns an outcome for the last piece and for a fault.
    fn write_piece(&mut self, id: StageId, data: &Data, credit: Credit) -> Option<Unflushed> {
        let download = self.downloads.get_mut(&id)?;
        let op = download.awaiting(data.transfer)?;
        let written = download.write_piece(&self.stages, id, data, &mut self.decoder);
        // The peer may send more while this file is being flushed.
        drop(credit);
        if written.is_ok() && !data.last {
            return None;
        }
        let download = self.downloads.remove(&id)?;
        let (result, flush) = match written.and_then(|()| download.finish(&self.stages, id)) {
            Ok(flush) => (Ok(()), flush),
            Err(fault) => {
                self.stage_queue.forget(id);
                self.remove(id);
                (Err(fault), Flush::Nothing)
            }
        };
        Some(Unflushed { op, outcome: DiskOutcome::Received(result), flush })
    }

    /// Removes a useless file. If that fails, the next start tries again.
    fn remove(&self, id: StageId) {
        let _left = self.stages.remove(id);
    }
}

impl Drop for StageWorker {
    /// Removes incomplete downloads: the next run could not tell what they are.
    fn drop(&mut self) {
        let mut half: Vec<_> = self.downloads.drain().map(|(id, _)| id).collect();
        half.sort_unstable();
        half.into_iter().for_each(|id| self.remove(id));
    }
}

/// Returns what must be flushed of a complete file.
pub(super) fn sealed(file: File, path: PathBuf, size: u64) -> io::Result<Flush> {
    if size < LARGE_FILE_BYTES {
        return Ok(Flush::File(SmallFile::new(file, path)));
    }
    Ok(Flush::Large(file))
}

fn write(file: Option<&File>, offset: u64, data: &[u8]) -> io::Result<()> {
    // A file that could not be created has been reported already.
    let Some(mut file) = file else { return Err(io::ErrorKind::NotFound.into()) };
    if file.stream_position()? != offset {
        file.seek(SeekFrom::Start(offset))?;
    }
    file.write_all(data)
}

/// Removes the folder for staged files if it is empty.
pub(crate) fn remove_empty_folder(root: &Path) {
    // A folder that is not empty stays, and does no harm.
    let _kept = Folder::open(root).and_then(|root| root.remove_folder(STAGING_FOLDER.as_ref()));
}

/// Checks that files can be written below `root`.
pub(crate) fn check_writable(root: &Path) -> io::Result<()> {
    let stages = Stages::new(root);
    let id = StageId(u64::MAX);
    let created = stages.create(id).map(drop);
    let removed = created.and_then(|()| stages.remove(id));
    remove_empty_folder(root);
    removed
}
