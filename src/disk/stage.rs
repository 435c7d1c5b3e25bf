//! Files on their way in: they lie in `.tmp` under names of our own until they are whole.

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
    path::RelPath,
    wire::data::{Data, Decoder, TransferId},
};

use super::{
    check_no_links, error_fault, fault,
    flush::{Flush, LARGE_FILE_BYTES, SmallFile, Unflushed},
    install,
    stage_queue::{StageJob, StageQueue},
    staged_download::StagedDownload,
};
use crate::credit::Credit;

/// Bytes that are copied at a time.
const COPY_BYTES: usize = 256 * 1024;

/// Where files are staged.
#[derive(Debug)]
pub(super) struct Stages {
    root: PathBuf,
    folder: PathBuf,
    /// Tells this run's files from those of any other.
    run: String,
}

impl Stages {
    pub(super) fn new(root: &Path) -> Self {
        let run = format!("{:016x}", crate::clock::seed());
        Self { root: root.to_owned(), folder: root.join(".tmp"), run }
    }

    pub(super) fn path(&self, id: StageId) -> PathBuf {
        self.folder.join(format!("{}-{}.part", self.run, id.0))
    }

    /// Removes what this run has staged and not put in place.
    pub(super) fn remove_own(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&self.run) {
                // What stays is removed at the next start.
                let _stays = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes what earlier runs left. A folder without leftovers has no `.tmp` either.
    fn sweep(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.folder) {
            Ok(metadata) if metadata.is_dir() => {}
            // Whatever else has that name is not ours to remove.
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
        check_no_links(&self.root, Path::new(".tmp/x")).map_err(|f| io::Error::other(f.message))?;
        let create = || OpenOptions::new().write(true).create_new(true).open(self.path(id));
        match create() {
            // The first file of all, mostly.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder)?;
                create()
            }
            result => result,
        }
    }

    /// Copies a file. Returns what it holds and what is left to be flushed.
    fn copy(&self, id: StageId, from: &RelPath) -> Result<(Content, Flush), DiskFault> {
        let below: PathBuf = from.components().collect();
        self.copy_below(id, &below)
            .map_err(|known| fault(known.kind, format!("cannot copy {from}: {}", known.message)))
    }

    /// As [`Self::copy`], of whatever lies at a path below the root.
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
            // What counts is what the copy holds, whatever is done to its source meanwhile.
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

/// Lets a new file share the bytes of another one on the disk. Returns whether the file system does that.
#[cfg(target_os = "linux")]
fn clone_into(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

/// There is no such call, or none that a new file could be handed to.
#[cfg(not(target_os = "linux"))]
const fn clone_into(_source: &File, _target: &File) -> bool {
    false
}

/// What one thread knows of the staged files that are its own.
#[derive(Debug)]
pub(super) struct StageWorker {
    stages: Arc<Stages>,
    stage_queue: StageQueue,
    /// Files that the machine writes.
    open: HashMap<StageId, File>,
    /// Files that come straight from the link.
    incoming: HashMap<StageId, StagedDownload>,
    decoder: Decoder,
}

impl StageWorker {
    pub(super) fn new(stages: Arc<Stages>, stage_queue: StageQueue) -> Self {
        let (open, incoming) = (HashMap::new(), HashMap::new());
        Self { stages, stage_queue, open, incoming, decoder: Decoder::default() }
    }

    /// Does what there is to do, but for the flush that its outcome has to wait for.
    pub(super) fn carry_out(&mut self, job: StageJob) -> Option<Unflushed> {
        match job {
            StageJob::Piece(id, data, credit) => self.take_piece(id, &data, credit),
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
            DiskRequest::Park(id) => match self.incoming.get_mut(&id) {
                Some(incoming) => DiskOutcome::Parked(incoming.park()),
                None => return (DiskOutcome::Parked(0), Flush::Earlier),
            },
            DiskRequest::Copy(id, from) => match self.stages.copy(id, &from) {
                Ok((content, flush)) => return (DiskOutcome::Copied(Ok(content)), flush),
                Err(fault) => DiskOutcome::Copied(Err(fault)),
            },
            DiskRequest::Discard(id) => {
                drop((self.open.remove(&id), self.incoming.remove(&id)));
                done(remove_if_there(&self.stages.path(id)))
            }
            DiskRequest::Install(plan) => {
                let stages = &self.stages;
                let (installed, touched) =
                    install::install(&stages.root, |id| stages.path(id), plan);
                return (DiskOutcome::Installed(installed), Flush::Folders(touched));
            }
            DiskRequest::Retire(plan) => {
                let (retired, touched) = install::retire(&self.stages.root, &plan);
                return (DiskOutcome::Retired(retired), Flush::Folders(touched));
            }
            _ => done(Ok(())),
        };
        (outcome, Flush::Nothing)
    }

    /// What is left to be flushed of a file that the machine wrote.
    fn seal(&mut self, id: StageId) -> io::Result<Flush> {
        // A file that could not be created has been reported already.
        let file = self.open.remove(&id).ok_or(io::ErrorKind::NotFound)?;
        let size = file.metadata()?.len();
        sealed(file, self.stages.path(id), size)
    }

    /// Expects a file, or the rest of one that is parked.
    fn receive(&mut self, id: StageId, content: Content, transfer: TransferId, op: OpId) {
        let begun = self.incoming.remove(&id);
        let mut incoming = match begun {
            Some(begun) if begun.is_of(content) => begun,
            begun => {
                if begun.is_some() {
                    drop(begun);
                    self.remove(id);
                }
                StagedDownload::new(content)
            }
        };
        incoming.await_from(transfer, op);
        self.incoming.insert(id, incoming);
    }

    /// Takes in a piece. There is an outcome when it is the last one, or when something is wrong.
    fn take_piece(&mut self, id: StageId, data: &Data, credit: Credit) -> Option<Unflushed> {
        let incoming = self.incoming.get_mut(&id)?;
        let op = incoming.awaiting(data.transfer)?;
        let taken = incoming.take(&self.stages, id, data, &mut self.decoder);
        // More may come while this file is being flushed.
        drop(credit);
        if taken.is_ok() && !data.last {
            return None;
        }
        let incoming = self.incoming.remove(&id)?;
        let (result, flush) = match taken.and_then(|()| incoming.finish(&self.stages, id)) {
            Ok(flush) => (Ok(()), flush),
            Err(fault) => {
                self.stage_queue.forget(id);
                self.remove(id);
                (Err(fault), Flush::Nothing)
            }
        };
        Some(Unflushed { op, outcome: DiskOutcome::Received(result), flush })
    }

    /// Removes what is of no use to anybody; if that fails, the next start tries again.
    fn remove(&self, id: StageId) {
        let _left = remove_if_there(&self.stages.path(id));
    }
}

impl Drop for StageWorker {
    /// Half a file is of no use after the end: the next run would not know what it is.
    fn drop(&mut self) {
        let mut half: Vec<_> = self.incoming.drain().map(|(id, _)| id).collect();
        half.sort_unstable();
        half.into_iter().for_each(|id| self.remove(id));
    }
}

/// What is left to be flushed of a file that is whole.
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

/// Removes the folder for staged files if nothing lies in it.
pub(crate) fn remove_empty_folder(root: &Path) {
    // It is only tidiness: a folder that holds something stays.
    let _kept = fs::remove_dir(root.join(".tmp"));
}

/// What stands in the way of writing below `root`.
pub(crate) fn check_writable(root: &Path) -> io::Result<()> {
    let stages = Stages::new(root);
    let id = StageId(u64::MAX);
    let created = stages.create(id).map(drop);
    let removed = created.and_then(|()| remove_if_there(&stages.path(id)));
    remove_empty_folder(root);
    removed
}
