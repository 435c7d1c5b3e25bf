//! Carries out disk requests, on threads of its own.
//!
//! Requests about one staged file run in the order in which they came; different files run side by
//! side. The bytes of files that come under a number of the link do not come as requests: the task
//! that reads the link hands them to the [`StageQueue`]. Every path is looked at component by component: no link below the root is followed.

mod cache_file;
mod flush;
mod install;
mod plain;
mod restore;
mod stage;
mod stage_queue;
mod staged_download;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
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
    cache_file::CacheFile,
    flush::{Flush, Unflushed},
    stage::{StageWorker, Stages},
    stage_queue::StageJob,
};
pub(crate) use self::{
    cache_file::{cache_file, ignore_file, key_file, replace_whole},
    stage::{check_writable, remove_empty_folder},
};
pub(crate) use self::{
    plain::PlainFile,
    restore::{BackupFile, Restorer},
    stage_queue::StageQueue,
};
use crate::{
    scan::{hash_all, stamp_of},
    walk::list,
    watch::WatchHandle,
};

/// Threads that write staged files: one can flush while others write. More than there are cores only get
/// in each other's way where files are small.
const STAGE_LANES_MIN: usize = 2;
const STAGE_LANES_MAX: usize = 4;

/// A file is not as it was when it was last looked at.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it has changed meanwhile")]
pub(crate) struct Changed;

/// Why a file could not be read.
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

/// What a system error means for a livery.
fn error_fault(error: &io::Error) -> DiskFault {
    // Windows: ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
    let held = cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33));
    let kind = match error.kind() {
        _ if held => DiskFaultKind::InUse,
        io::ErrorKind::NotFound => DiskFaultKind::Missing,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskFaultKind::Full,
        io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy => DiskFaultKind::InUse,
        _ => DiskFaultKind::Other,
    };
    let message = match kind {
        DiskFaultKind::Full => "the disk is full".to_owned(),
        DiskFaultKind::InUse => "another program holds the file".to_owned(),
        DiskFaultKind::Missing => "it is not there any more".to_owned(),
        _ => error.to_string(),
    };
    fault(kind, message)
}

/// The full path of a file below `root`.
pub(crate) fn full_path(root: &Path, path: &RelPath) -> PathBuf {
    let mut full = root.to_owned();
    full.extend(path.components());
    full
}

/// Refuses a path with a link on the way to it: nothing outside the root is ever touched.
pub(crate) fn check_no_links(root: &Path, below: &Path) -> Result<(), DiskFault> {
    let mut path = root.to_owned();
    for component in below.parent().into_iter().flat_map(Path::components) {
        path.push(component);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let message = format!("{} is a link or no folder", path.display());
                return Err(fault(DiskFaultKind::Other, message));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error_fault(&error)),
        }
    }
    Ok(())
}

/// The stamp of what lies at `path` itself; `None` if nothing does.
pub(crate) fn stamp_at(path: &Path) -> Result<Option<Stamp>, DiskFault> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(stamp_of(&metadata))),
        Ok(_) => Err(fault(DiskFaultKind::Changed, "a folder or a link lies there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error_fault(&error)),
    }
}

/// Makes sure that what was written to a folder's list of names stays.
#[cfg(unix)]
pub(crate) fn flush_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Windows writes its journal of names by itself, and gives a user no handle to flush it with.
#[cfg(not(unix))]
pub(crate) const fn flush_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

type Job = (OpId, DiskRequest);

/// The disk of one client.
#[derive(Debug)]
pub(crate) struct Disk {
    walk: threads::Sender<Job>,
    read: threads::Sender<Job>,
    stage: StageQueue,
    threads: Vec<JoinHandle<()>>,
    waiting: Arc<AtomicUsize>,
    stages: Arc<Stages>,
}

/// Hands outcomes out once they are durable.
#[derive(Clone, Debug)]
struct OutcomeSender {
    outcomes: mpsc::UnboundedSender<Ended>,
    /// Where what is flushed in groups goes.
    #[cfg(target_os = "linux")]
    groups: threads::Sender<Unflushed>,
    /// Where what takes long to flush goes.
    large: threads::Sender<Unflushed>,
}

/// Threads that flush large files.
const FLUSHERS: usize = 3;

impl OutcomeSender {
    /// Returns the threads that flush; they end after those whose work they flush.
    fn start(
        root: &Path,
        outcomes: mpsc::UnboundedSender<Ended>,
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

    fn hand_over(&self, unflushed: Unflushed) {
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
        // A client that has stopped does not want to know.
        let _stopped = self.outcomes.send(vec![unflushed.alone()]);
    }

    /// Starts a thread that does one job after the other until no more can come.
    fn lane<J: Send + 'static>(
        &self,
        name: &str,
        mut work: impl FnMut(J) -> Option<Unflushed> + Send + 'static,
    ) -> io::Result<(threads::Sender<J>, JoinHandle<()>)> {
        let (sender, jobs) = threads::channel::<J>();
        let deliver = self.clone();
        let run = move || {
            for job in jobs {
                if let Some(unflushed) = work(job) {
                    deliver.hand_over(unflushed);
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("liverysync-{name}")).spawn(run)?;
        Ok((sender, thread))
    }
}

/// What ended together: who waits for it is woken once.
type Ended = Vec<(OpId, DiskOutcome)>;

/// What came of the requests, in the order in which they ended.
#[derive(Debug)]
pub(crate) struct Outcomes {
    ended: mpsc::UnboundedReceiver<Ended>,
    next: std::vec::IntoIter<(OpId, DiskOutcome)>,
}

impl Outcomes {
    /// The next one; `None` once all threads have ended. Safe to drop and call again.
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
        eye: WatchHandle,
    ) -> io::Result<(Self, Outcomes)> {
        let (outcomes, ended) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (deliver, flushers) = OutcomeSender::start(root, outcomes)?;
        let walk = Walk { root: root.to_owned(), cache: CacheFile(cache), eye };
        let (walk, walker) = deliver.lane("walk", move |(op, request)| {
            let outcome = walk.carry_out(request);
            Some(Unflushed { op, outcome, flush: Flush::Nothing })
        })?;
        let mut open = OpenFile { root: root.to_owned(), current: None };
        let (read, reader) = deliver.lane("read", move |(op, request)| {
            let outcome = open.read_lane(request);
            Some(Unflushed { op, outcome, flush: Flush::Nothing })
        })?;
        let mut threads = vec![walker, reader];
        let (stages, stage) = (Arc::new(Stages::new(root)), StageQueue::new());
        let own = Arc::clone(&stages);
        let cores = std::thread::available_parallelism().map_or(STAGE_LANES_MIN, usize::from);
        for _ in 0..cores.clamp(STAGE_LANES_MIN, STAGE_LANES_MAX) {
            let mut files = StageWorker::new(Arc::clone(&stages), stage.clone());
            let waiting = Arc::clone(&waiting);
            let (lane, thread) = deliver.lane("stage", move |job| {
                let bytes = weight(&job);
                let unflushed = files.carry_out(job);
                waiting.fetch_sub(bytes, Ordering::Release);
                unflushed
            })?;
            stage.add_lane(lane);
            threads.push(thread);
        }
        threads.extend(flushers);
        Ok((
            Self { walk, read, stage, threads, waiting, stages: own },
            Outcomes { ended, next: Vec::new().into_iter() },
        ))
    }

    /// Where the bytes of files go that come under a number of the link.
    pub(crate) fn stage_queue(&self) -> StageQueue {
        self.stage.clone()
    }

    /// Hands a request to the thread that it belongs to.
    pub(crate) fn request(&self, op: OpId, request: DiskRequest) {
        let stage = match &request {
            DiskRequest::LoadCache
            | DiskRequest::SaveCache(_)
            | DiskRequest::List { .. }
            | DiskRequest::Hash(_) => {
                // The threads end only with their queues.
                let _running = self.walk.send((op, request));
                return;
            }
            DiskRequest::Read { .. } => {
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
            // All that they need lies on the disk: any thread will do, and each in its turn.
            DiskRequest::Retire(_) | DiskRequest::Install(_) => StageId(op.0),
        };
        let job = StageJob::Request(op, request);
        self.waiting.fetch_add(weight(&job), Ordering::Release);
        self.stage.hand_in(stage, job);
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Waits until every request has been carried out, and ends the threads.
    pub(crate) fn finish(self) {
        drop((self.walk, self.read));
        self.stage.close();
        for thread in self.threads {
            // A thread that panicked has nothing left to carry out.
            let _panicked = thread.join();
        }
        // A file that came to its end while it was given up.
        self.stages.remove_own();
    }
}

/// Bytes that the machine has to wait for. Those of pieces are bounded by the credit that the peer has.
fn weight(job: &StageJob) -> usize {
    match job {
        StageJob::Request(_, DiskRequest::Write(_, _, data)) => data.len(),
        _ => 0,
    }
}

/// Looks through the folder, and remembers what was found.
#[derive(Debug)]
struct Walk {
    root: PathBuf,
    cache: CacheFile,
    eye: WatchHandle,
}

impl Walk {
    fn list(&self, watch: bool) -> Result<Vec<Listed>, DiskFault> {
        let closed = WatchHandle::closed();
        let eye = if watch { &self.eye } else { &closed };
        list(&self.root, eye).map_err(|error| {
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
            DiskRequest::List { watch } => DiskOutcome::Listed(self.list(watch)),
            DiskRequest::Hash(files) => {
                let hashed = hash_all(root, &files).into_iter();
                DiskOutcome::Hashed(hashed.map(|hashed| hashed.map_err(DiskFault::from)).collect())
            }
            _ => DiskOutcome::Done(Ok(())),
        }
    }
}

/// The file that was read last: pieces of one file come one after the other.
#[derive(Debug)]
struct OpenFile {
    root: PathBuf,
    current: Option<(RelPath, File, u64)>,
}

impl OpenFile {
    fn read_lane(&mut self, request: DiskRequest) -> DiskOutcome {
        let DiskRequest::Read { path, piece, stamp } = request else {
            return DiskOutcome::Done(Ok(()));
        };
        let outcome = self.read(&path, piece, stamp);
        let ends_here = piece.offset + piece.len as u64 >= stamp.size;
        if ends_here || outcome.is_err() {
            // An open file would stand in the way of its owner.
            self.current = None;
        }
        DiskOutcome::Read(outcome.map_err(DiskFault::from))
    }

    fn read(&mut self, path: &RelPath, piece: Piece, stamp: Stamp) -> Result<Bytes, ReadError> {
        let open = self.current.take().filter(|(open, _, at)| open == path && *at == piece.offset);
        let mut file = match open {
            Some((_, file, _)) => file,
            None => {
                let below: PathBuf = path.components().collect();
                check_no_links(&self.root, &below)
                    .map_err(|fault| io::Error::other(fault.message))?;
                let mut file = File::open(full_path(&self.root, path))?;
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
