//! inotify: one watch for each folder, which the walk sets.

use std::{
    io,
    mem::{MaybeUninit, take},
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use liverysync_core::own_folders::is_own_folder;
use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};
use tokio::{io::unix::AsyncFd, sync::Notify, task::JoinHandle};

/// The size of a buffer for events, in bytes.
const EVENTS_BYTES: usize = 4096;

/// Sets watches for the folders that a walk visits. Clones set the same watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchHandle(Option<Arc<Inotify>>);

#[derive(Debug)]
struct Inotify {
    system: Arc<OwnedFd>,
    folders: Mutex<Folders>,
}

/// Numbers of watches.
#[derive(Debug, Default)]
struct Folders {
    root: Option<i32>,
    /// Folders that the walk in progress has visited.
    met: Vec<i32>,
    /// Folders that earlier walks visited.
    before: Vec<i32>,
    fault: Option<io::Error>,
}

impl WatchHandle {
    /// Returns a handle that sets no watches.
    pub(crate) const fn disabled() -> Self {
        Self(None)
    }

    /// Begins a walk.
    pub(crate) fn begin_walk(&self) {
        let Some(inotify) = &self.0 else { return };
        let mut folders = inotify.folders();
        let unfinished = take(&mut folders.met);
        folders.before.extend(unfinished);
        folders.root = None;
    }

    /// Watches a folder whose names the walk is about to read. The root comes first.
    pub(crate) fn visit(&self, folder: &Path) {
        let Some(inotify) = &self.0 else { return };
        let happenings = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::EXCL_UNLINK;
        // The root may be a link: its driver has put the folder elsewhere.
        let guard = match inotify.folders().root {
            None => WatchFlags::ONLYDIR,
            Some(_) => WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW,
        };
        let added = inotify::add_watch(&inotify.system, folder, happenings | guard);
        let mut folders = inotify.folders();
        match added {
            Ok(number) => {
                folders.root.get_or_insert(number);
                folders.met.push(number);
            }
            // It was removed or replaced meanwhile, which the watch of its parent reports.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => folders.fault = Some(in_words(error)),
        }
    }

    /// Ends a walk that has visited every folder, and removes the watches of folders that are no longer below the root.
    pub(crate) fn end_walk(&self) {
        let Some(inotify) = &self.0 else { return };
        let mut folders = inotify.folders();
        folders.met.sort_unstable();
        let met = take(&mut folders.met);
        for gone in std::mem::replace(&mut folders.before, met) {
            if folders.before.binary_search(&gone).is_err() {
                // The system has removed the watch of a deleted folder itself.
                let _forgotten = inotify::remove_watch(&inotify.system, gone);
            }
        }
    }
}

impl Inotify {
    fn folders(&self) -> MutexGuard<'_, Folders> {
        // A list of numbers is sound at any time, also after a panic.
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads some events. Returns `true` if any of them is about liveries.
    fn read_events(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut news = inotify::Reader::new(&self.system, &mut buffer);
        let root = self.folders().root;
        let mut matters = false;
        loop {
            let event = news.next()?;
            let name = event.file_name().map(|name| name.to_string_lossy());
            let ours = root == Some(event.wd()) && name.is_some_and(|name| is_own_folder(&name));
            matters |= !ours && !event.events().contains(ReadFlags::IGNORED);
            if news.is_buffer_empty() {
                return Ok(matters);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Watch {
    handle: WatchHandle,
    fault: Option<io::Error>,
    /// The task that reports changes.
    task: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(_root: &Path, changed: &Arc<Notify>) -> Self {
        let (handle, fault, task) = match open() {
            Ok((inotify, news)) => {
                let report = report(Arc::clone(&inotify), news, Arc::clone(changed));
                (WatchHandle(Some(inotify)), None, Some(tokio::spawn(report)))
            }
            Err(error) => (WatchHandle::disabled(), Some(error), None),
        };
        Self { handle, fault, task }
    }

    pub(super) fn handle(&self) -> WatchHandle {
        self.handle.clone()
    }

    pub(super) fn after_walk(&mut self, _found: bool) -> Option<io::Error> {
        let of_the_walk = || self.handle.0.as_ref()?.folders().fault.take();
        self.fault.take().or_else(of_the_walk)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.iter().for_each(JoinHandle::abort);
    }
}

/// Returns an error that names the limit of the system that was reached. The system calls it a full disk, or too many files.
fn in_words(error: Errno) -> io::Error {
    let limit = match error {
        Errno::NOSPC => "max_user_watches",
        Errno::MFILE => "max_user_instances",
        _ => return error.into(),
    };
    io::Error::other(format!(
        "its limit fs.inotify.{limit} is reached; an admin of this PC can raise it"
    ))
}

fn open() -> io::Result<(Arc<Inotify>, AsyncFd<Arc<OwnedFd>>)> {
    let system = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(in_words)?;
    let system = Arc::new(system);
    #[expect(
        deprecated,
        reason = "the descriptor is neither replaced nor closed while it is registered"
    )]
    let news = AsyncFd::new(Arc::clone(&system))?;
    Ok((Arc::new(Inotify { system, folders: Mutex::default() }), news))
}

async fn report(inotify: Arc<Inotify>, news: AsyncFd<Arc<OwnedFd>>, changed: Arc<Notify>) {
    while let Ok(mut ready) = news.readable().await {
        match ready.try_io(|_| inotify.read_events()) {
            Ok(Ok(true)) => changed.notify_one(),
            // Either no event matters, or there is none left.
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(_)) => return,
        }
    }
}
