//! Staged files. They are written below `.tmp`, under names that no livery has, until they are complete.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use liverysync_core::{
    client::{DiskFault, DiskOutcome, DiskRequest, OpId, StageId},
    hash::{Content, Hasher},
    own_folders::STAGING_FOLDER,
    path::RelPath,
    wire::data::{Data, Decoder, TransferId},
};

use super::{
    check_no_links, error_fault, fault,
    flush::{Flush, LARGE_FILE_BYTES, SmallFile, Unflushed},
    install, respell,
    stage_queue::{StageJob, StageQueue},
    staged_download::StagedDownload,
};
use crate::credit::Credit;

/// The size of a buffer for copying, in bytes.
const COPY_BYTES: usize = 256 * 1024;

/// The folder for staged files.
#[derive(Debug)]
pub(super) struct Stages {
    root: PathBuf,
    folder: PathBuf,
    /// Tells this run's files from those of every other run.
    run: String,
}

impl Stages {
    pub(super) fn new(root: &Path) -> Self {
        let run = format!("{:016x}", crate::clock::seed());
        Self { root: root.to_owned(), folder: root.join(STAGING_FOLDER), run }
    }

    pub(super) fn path(&self, id: StageId) -> PathBuf {
        self.folder.join(format!("{}-{}.part", self.run, id.0))
    }

    /// Removes what this run has staged and not installed.
    pub(super) fn remove_staged(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&self.run) {
                // A file that stays is removed at the next start.
                let _stays = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes what earlier runs left, and the folder itself.
    fn sweep(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.folder) {
            Ok(metadata) if metadata.is_dir() => {}
            // A file or link of this name belongs to the driver.
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir(&self.folder)
    }

    pub(super) fn create(&self, id: StageId) -> io::Result<File> {
        let below = Path::new(STAGING_FOLDER).join("any");
        check_no_links(&self.root, &below).map_err(|fault| io::Error::other(fault.message))?;
        let create = || OpenOptions::new().write(true).create_new(true).open(self.path(id));
        match create() {
            // Mostly this is the first staged file, and the folder does not exist yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder)?;
                create()
            }
            result => result,
        }
    }

    /// Copies a file into a stage. Returns its content and what must be flushed.
    fn copy(&self, id: StageId, from: &RelPath) -> Result<(Content, Flush), DiskFault> {
        let below: PathBuf = from.components().collect();
        self.copy_below(id, &below)
            .map_err(|known| fault(known.kind, format!("cannot copy {from}: {}", known.message)))
    }

    /// Does the same for any path below the root.
    pub(super) fn copy_below(
        &self,
        id: StageId,
        below: &Path,
    ) -> Result<(Content, Flush), DiskFault> {
        check_no_links(&self.root, below)?;
        self.copy_checked(id, &self.root.join(below)).map_err(|error| error_fault(&error))
    }

    fn copy_checked(&self, id: StageId, from: &Path) -> io::Result<(Content, Flush)> {
        let mut source = File::open(from)?;
        let mut target = self.create(id)?;
        let is_clone = clone_into(&source, &target);
        if is_clone {
            // From here on the driver may change the source, so the hash is of the copy.
            source = File::open(self.path(id))?;
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
fn clone_into(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

/// Returns `false`: this system has no such call for an open file.
#[cfg(not(target_os = "linux"))]
const fn clone_into(_source: &File, _target: &File) -> bool {
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
                done(remove_if_there(&self.stages.path(id)))
            }
            DiskRequest::Install { date, files, clear } => {
                let stages = &self.stages;
                let (installed, touched) =
                    install::install(&stages.root, |id| stages.path(id), date, files, &clear);
                return (DiskOutcome::Installed(installed), Flush::Folders(touched));
            }
            DiskRequest::Respell(files) => {
                let (respelled, touched) = respell::respell(&self.stages.root, &files);
                return (DiskOutcome::Respelled(respelled), Flush::Folders(touched));
            }
            DiskRequest::Retire { date, files, clear } => {
                let (retired, touched) = install::retire(&self.stages.root, date, &files, &clear);
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
        let _left = remove_if_there(&self.stages.path(id));
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

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes the folder for staged files if it is empty.
pub(crate) fn remove_empty_folder(root: &Path) {
    // A folder that is not empty stays, and does no harm.
    let _kept = fs::remove_dir(root.join(STAGING_FOLDER));
}

/// Checks that files can be written below `root`.
pub(crate) fn check_writable(root: &Path) -> io::Result<()> {
    let stages = Stages::new(root);
    let id = StageId(u64::MAX);
    let created = stages.create(id).map(drop);
    let removed = created.and_then(|()| remove_if_there(&stages.path(id)));
    remove_empty_folder(root);
    removed
}
