//! Carries out disk requests, on threads of its own.
//!
//! Requests about one staged file run in the order in which they were made; those about different files run side by
//! side. The bytes of a download in the form of protocol 2 are no requests: the task that reads the link sends them
//! straight to the [`StageQueue`]. Whatever is below the root is reached through [`beneath`], so that no link is followed.

pub(crate) mod beneath;
mod cache_file;
mod check;
mod flush;
mod folder_state;
mod install;
mod keep;
mod plain;
mod respell;
mod restore;
mod stage;
mod stage_queue;
mod staged_download;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc as threads,
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use liverysync_core::{
    client::{DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, OpId, StageId},
    path::RelPath,
    select::{Listed, Stamp},
    transfer::Piece,
};
use tokio::sync::mpsc;

use self::{
    beneath::{Folder, below},
    cache_file::CacheFile,
    flush::{Flush, Unflushed},
    stage::{StageWorker, Stages},
    stage_queue::StageJob,
};
pub(crate) use self::{
    cache_file::replace_whole,
    folder_state::{CLIENTS_FOLDER, FolderState},
    stage::{check_writable, remove_empty_folder},
};
pub(crate) use self::{
    plain::PlainFile,
    restore::{RestoreFile, Restorer},
    stage_queue::StageQueue,
};
use crate::{
    places::is_to_be_made,
    scan::{inspect_all, stamp_of},
    walk::list,
    watch::WatchHandle,
};

/// The number of threads that write staged files. Two let one write while another flushes; with more threads than
/// cores, small files only get slower.
const STAGE_WORKERS_MIN: usize = 2;
const STAGE_WORKERS_MAX: usize = 4;

/// The error if a file is not as it was when it was last looked at.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the file has changed meanwhile")]
pub(crate) struct Changed;

/// The reason why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Changed(#[from] Changed),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<ReadError> for DiskFault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Changed(changed) => fault(DiskFaultKind::Changed, changed.to_string()),
            ReadError::Io(error) => error_fault(&error),
        }
    }
}

fn fault(kind: DiskFaultKind, message: impl Into<String>) -> DiskFault {
    DiskFault { kind, message: message.into() }
}

/// Returns the fault for a system error, in words that a driver understands.
fn error_fault(error: &io::Error) -> DiskFault {
    // Windows: ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
    let held = cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33));
    let kind = match error.kind() {
        _ if held => DiskFaultKind::InUse,
        io::ErrorKind::NotFound => DiskFaultKind::Missing,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskFaultKind::Full,
        // Windows also denies access to a file that a virus scanner reads, or whose deletion waits for it.
        io::ErrorKind::PermissionDenied if cfg!(windows) => DiskFaultKind::Other,
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::NotADirectory => DiskFaultKind::Blocked,
        io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy => DiskFaultKind::InUse,
        _ => DiskFaultKind::Other,
    };
    let message = match kind {
        DiskFaultKind::Full => "the disk is full".to_owned(),
        DiskFaultKind::InUse => "another program uses the file".to_owned(),
        DiskFaultKind::Missing => "the file no longer exists".to_owned(),
        DiskFaultKind::Blocked => match error.kind() {
            io::ErrorKind::PermissionDenied => "the folder is not writable".to_owned(),
            io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only".to_owned(),
            io::ErrorKind::InvalidFilename => "this system refuses the name".to_owned(),
            _ => error.to_string(),
        },
        _ => error.to_string(),
    };
    fault(kind, message)
}

/// Flushes a folder's list of names.
#[cfg(unix)]
pub(crate) fn flush_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Does nothing: Windows flushes its lists of names itself, and has no call for it.
#[cfg(not(unix))]
pub(crate) const fn flush_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

type Job = (OpId, DiskRequest);

/// The disk of one client: its threads, and the queues in front of them.
#[derive(Debug)]
pub(crate) struct Disk {
    walk: threads::Sender<Job>,
    read: threads::Sender<Job>,
    stage: StageQueue,
    threads: Vec<JoinHandle<()>>,
    waiting: Arc<AtomicUsize>,
    stages: Arc<Stages>,
}

/// Sends outcomes to the client once they are durable. Each worker has a clone.
#[derive(Clone, Debug)]
struct OutcomeSender {
    outcomes: mpsc::UnboundedSender<Durable>,
    /// The thread that flushes small files in groups.
    #[cfg(target_os = "linux")]
    groups: threads::Sender<Unflushed>,
    /// The threads that flush one large file each.
    large: threads::Sender<Unflushed>,
}

/// The number of threads that flush large files.
const FLUSHERS: usize = 3;

impl OutcomeSender {
    /// Starts the threads that flush, and returns them. They end after the workers whose files they flush.
    fn start(
        root: &Path,
        outcomes: mpsc::UnboundedSender<Durable>,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let spawn = |run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name("liverysync-flush".to_owned()).spawn(run)
        };
        let mut running = Vec::new();
        let (large, jobs) = threads::channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..FLUSHERS {
            let (jobs, out) = (Arc::clone(&jobs), outcomes.clone());
            let deliver = move |outcome| drop(out.send(vec![outcome]));
            running.push(spawn(Box::new(move || flush::run_large(&jobs, deliver)))?);
        }
        #[cfg(target_os = "linux")]
        {
            let (groups, jobs) = threads::channel();
            let (root, out) = (root.to_owned(), outcomes.clone());
            let deliver = move |outcomes| drop(out.send(outcomes));
            running.push(spawn(Box::new(move || flush::group::run(&root, &jobs, deliver)))?);
            Ok((Self { outcomes, groups, large }, running))
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _only_for_groups = root;
            Ok((Self { outcomes, large }, running))
        }
    }

    fn send_durable(&self, unflushed: Unflushed) {
        if matches!(unflushed.flush, Flush::Large(_)) {
            // Its threads end only with this queue.
            let _running = self.large.send(unflushed);
            return;
        }
        #[cfg(target_os = "linux")]
        if !matches!(unflushed.flush, Flush::Nothing) {
            // Its thread ends only with this queue.
            let _running = self.groups.send(unflushed);
            return;
        }
        // A client that has stopped ignores it.
        let _stopped = self.outcomes.send(vec![unflushed.alone()]);
    }

    /// Starts a thread that does one job after the other until the queue is closed.
    fn spawn_worker<J: Send + 'static>(
        &self,
        name: &str,
        mut work: impl FnMut(J) -> Option<Unflushed> + Send + 'static,
    ) -> io::Result<(threads::Sender<J>, JoinHandle<()>)> {
        let (sender, jobs) = threads::channel::<J>();
        let deliver = self.clone();
        let run = move || {
            for job in jobs {
                if let Some(unflushed) = work(job) {
                    deliver.send_durable(unflushed);
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("liverysync-{name}")).spawn(run)?;
        Ok((sender, thread))
    }
}

/// Outcomes that became durable together. The client is woken once for all of them.
type Durable = Vec<(OpId, DiskOutcome)>;

/// The outcomes of requests, in the order in which they became durable.
#[derive(Debug)]
pub(crate) struct Outcomes {
    ended: mpsc::UnboundedReceiver<Durable>,
    next: std::vec::IntoIter<(OpId, DiskOutcome)>,
}

impl Outcomes {
    /// Returns the next outcome, or `None` once all threads have ended. No outcome is lost if the future is dropped.
    pub(crate) async fn recv(&mut self) -> Option<(OpId, DiskOutcome)> {
        loop {
            if let Some(next) = self.next.next() {
                return Some(next);
            }
            self.next = self.ended.recv().await?.into_iter();
        }
    }

    #[cfg(test)]
    fn blocking_recv(&mut self) -> Option<(OpId, DiskOutcome)> {
        loop {
            if let Some(next) = self.next.next() {
                return Some(next);
            }
            self.next = self.ended.blocking_recv()?.into_iter();
        }
    }
}

impl Disk {
    /// Starts the threads.
    pub(crate) fn start(
        root: &Path,
        cache: Option<PathBuf>,
        handle: WatchHandle,
    ) -> io::Result<(Self, Outcomes)> {
        let (sender, ended) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (outcomes, flushers) = OutcomeSender::start(root, sender)?;
        let obstacles = CacheFile(cache.as_ref().map(|cache| cache.with_extension("obstacles")));
        let (root_here, cache) = (root.to_owned(), CacheFile(cache));
        let walk =
            WalkWorker { root: root_here, is_new: is_to_be_made(root), cache, obstacles, handle };
        let (walk, walker) = outcomes.spawn_worker("walk", move |(op, request)| {
            let outcome = walk.carry_out(request);
            Some(Unflushed { op, outcome, flush: Flush::Nothing })
        })?;
        let mut open = ReadWorker { root: root.to_owned(), current: None };
        let (read, reader) = outcomes.spawn_worker("read", move |(op, request)| {
            let outcome = open.carry_out(request);
            Some(Unflushed { op, outcome, flush: Flush::Nothing })
        })?;
        let mut threads = vec![walker, reader];
        let (stages, stage) = (Arc::new(Stages::new(root)), StageQueue::new());
        let own = Arc::clone(&stages);
        let cores = std::thread::available_parallelism().map_or(STAGE_WORKERS_MIN, usize::from);
        for _ in 0..cores.clamp(STAGE_WORKERS_MIN, STAGE_WORKERS_MAX) {
            let mut files = StageWorker::new(Arc::clone(&stages), stage.clone());
            let waiting = Arc::clone(&waiting);
            let (worker, thread) = outcomes.spawn_worker("stage", move |job| {
                let bytes = weight(&job);
                let unflushed = files.carry_out(job);
                waiting.fetch_sub(bytes, Ordering::Release);
                unflushed
            })?;
            stage.add_worker(worker);
            threads.push(thread);
        }
        threads.extend(flushers);
        Ok((
            Self { walk, read, stage, threads, waiting, stages: own },
            Outcomes { ended, next: Vec::new().into_iter() },
        ))
    }

    /// Returns the queue for the bytes of downloads.
    pub(crate) fn stage_queue(&self) -> StageQueue {
        self.stage.clone()
    }

    /// Sends a request to its thread.
    pub(crate) fn request(&self, op: OpId, request: DiskRequest) {
        let stage = match &request {
            DiskRequest::LoadCache
            | DiskRequest::SaveCache(_)
            | DiskRequest::LoadObstacles
            | DiskRequest::SaveObstacles(_)
            | DiskRequest::List { .. }
            | DiskRequest::Hash(_) => {
                // The threads end only with their queues.
                let _running = self.walk.send((op, request));
                return;
            }
            DiskRequest::Read { .. } | DiskRequest::Check(_) => {
                let _running = self.read.send((op, request));
                return;
            }
            DiskRequest::Sweep => StageId(0),
            DiskRequest::Create(id, _)
            | DiskRequest::Receive { stage: id, .. }
            | DiskRequest::Park(id)
            | DiskRequest::Write(id, ..)
            | DiskRequest::Seal(id)
            | DiskRequest::Copy(id, _)
            | DiskRequest::Discard(id) => *id,
            // They need nothing that a worker keeps, so the workers take turns.
            DiskRequest::Retire { .. } | DiskRequest::Respell(_) | DiskRequest::Install { .. } => {
                StageId(op.0)
            }
        };
        let job = StageJob::Request(op, request);
        self.waiting.fetch_add(weight(&job), Ordering::Release);
        self.stage.send(stage, job);
    }

    /// Returns the number of bytes that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Waits until every request has been carried out, and ends the threads.
    pub(crate) fn finish(self) {
        drop((self.walk, self.read));
        self.stage.close();
        for thread in self.threads {
            // The work of a thread that panicked is lost, but the others' is not.
            let _panicked = thread.join();
        }
        // A download may have ended after it was given up.
        self.stages.remove_staged();
    }
}

/// Returns the number of bytes that the machine must wait for. The bytes of downloads are bounded by the peer's credit.
fn weight(job: &StageJob) -> usize {
    match job {
        StageJob::Request(_, DiskRequest::Write(_, _, data)) => data.len(),
        _ => 0,
    }
}

/// The thread that walks the folder, hashes files, and loads and saves the scan cache.
#[derive(Debug)]
struct WalkWorker {
    root: PathBuf,
    /// Set if a dry run found the folder of a new game, which a client would make. A folder that vanishes later is an error.
    is_new: bool,
    cache: CacheFile,
    /// The files that could not be installed, for a dry run.
    obstacles: CacheFile,
    handle: WatchHandle,
}

impl WalkWorker {
    fn list(&self, watch: bool) -> Result<Vec<Listed>, DiskFault> {
        let closed = WatchHandle::disabled();
        let handle = if watch { &self.handle } else { &closed };
        if self.is_new && is_to_be_made(&self.root) {
            return Ok(Vec::new());
        }
        list(&self.root, handle).map_err(|error| {
            let message = format!("cannot read the folder {}: {error}", self.root.display());
            fault(DiskFaultKind::Other, message)
        })
    }

    fn carry_out(&self, request: DiskRequest) -> DiskOutcome {
        let root = &self.root;
        match request {
            DiskRequest::LoadCache => DiskOutcome::CacheLoaded(self.cache.load()),
            DiskRequest::SaveCache(text) => {
                DiskOutcome::Done(self.cache.save(&text).map_err(|e| error_fault(&e)))
            }
            DiskRequest::LoadObstacles => DiskOutcome::ObstaclesLoaded(self.obstacles.load()),
            DiskRequest::SaveObstacles(text) => {
                DiskOutcome::Done(self.obstacles.save(&text).map_err(|e| error_fault(&e)))
            }
            DiskRequest::List { watch } => DiskOutcome::Listed(self.list(watch)),
            DiskRequest::Hash(files) => {
                let hashed = inspect_all(root, &files).into_iter();
                DiskOutcome::Hashed(hashed.map(|hashed| hashed.map_err(DiskFault::from)).collect())
            }
            _ => DiskOutcome::Done(Ok(())),
        }
    }
}

/// The thread that reads files for a server of protocol 1. It keeps the last file open, because pieces of one file come
/// one after the other.
#[derive(Debug)]
struct ReadWorker {
    root: PathBuf,
    current: Option<(RelPath, File, u64)>,
}

impl ReadWorker {
    fn carry_out(&mut self, request: DiskRequest) -> DiskOutcome {
        let (path, piece, stamp) = match request {
            DiskRequest::Read { path, piece, stamp } => (path, piece, stamp),
            DiskRequest::Check(files) => {
                return DiskOutcome::Checked(check::check(&self.root, &files));
            }
            _ => return DiskOutcome::Done(Ok(())),
        };
        let outcome = self.read(&path, piece, stamp);
        let ends_here = piece.offset + piece.len as u64 >= stamp.size;
        if ends_here || outcome.is_err() {
            // An open file would prevent its driver from replacing it.
            self.current = None;
        }
        DiskOutcome::Read(outcome.map_err(DiskFault::from))
    }

    fn read(&mut self, path: &RelPath, piece: Piece, stamp: Stamp) -> Result<Bytes, ReadError> {
        let open = self.current.take().filter(|(open, _, at)| open == path && *at == piece.offset);
        let mut file = match open {
            Some((_, file, _)) => file,
            None => {
                let mut file = Folder::open(&self.root)?.open_file(&below(path))?;
                file.seek(SeekFrom::Start(piece.offset))?;
                file
            }
        };
        if stamp_of(&file.metadata()?) != stamp {
            return Err(Changed.into());
        }
        let mut data = vec![0; piece.len];
        file.read_exact(&mut data)?;
        self.current = Some((path.clone(), file, piece.offset + piece.len as u64));
        Ok(data.into())
    }
}
