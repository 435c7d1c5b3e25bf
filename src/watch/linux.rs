//! One watch for each folder, set by the walk.

use std::{
    io,
    mem::{MaybeUninit, take},
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};
use tokio::{io::unix::AsyncFd, sync::Notify, task::JoinHandle};

use crate::scan::is_ours;

/// Bytes of news that are taken at a time.
const NEWS_BYTES: usize = 4096;

/// Sees the folders that a walk meets. Clones are the same eye.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchHandle(Option<Arc<Watched>>);

#[derive(Debug)]
struct Watched {
    system: Arc<OwnedFd>,
    folders: Mutex<Folders>,
}

/// Watches by their numbers.
#[derive(Debug, Default)]
struct Folders {
    root: Option<i32>,
    /// Of the walk that is under way.
    met: Vec<i32>,
    /// Of earlier walks.
    before: Vec<i32>,
    fault: Option<io::Error>,
}

impl WatchHandle {
    /// Sees nothing.
    pub(crate) const fn closed() -> Self {
        Self(None)
    }

    /// A walk begins.
    pub(crate) fn begin(&self) {
        let Some(watched) = &self.0 else { return };
        let mut folders = watched.folders();
        let unfinished = take(&mut folders.met);
        folders.before.extend(unfinished);
        folders.root = None;
    }

    /// The walk is about to read the names in this folder, the root first.
    pub(crate) fn see(&self, folder: &Path) {
        let Some(watched) = &self.0 else { return };
        let happenings = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::EXCL_UNLINK;
        let guard = WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW;
        let added = inotify::add_watch(&watched.system, folder, happenings | guard);
        let mut folders = watched.folders();
        match added {
            Ok(number) => {
                folders.root.get_or_insert(number);
                folders.met.push(number);
            }
            // It went, or is no folder any more: the folder above tells of that.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => folders.fault = Some(error.into()),
        }
    }

    /// The walk has met every folder: what else is watched is no longer below the root.
    pub(crate) fn end(&self) {
        let Some(watched) = &self.0 else { return };
        let mut folders = watched.folders();
        folders.met.sort_unstable();
        let met = take(&mut folders.met);
        for gone in std::mem::replace(&mut folders.before, met) {
            if folders.before.binary_search(&gone).is_err() {
                // The system forgets a folder that was removed by itself.
                let _forgotten = inotify::remove_watch(&watched.system, gone);
            }
        }
    }
}

impl Watched {
    fn folders(&self) -> MutexGuard<'_, Folders> {
        // A list of numbers is whole at any time, whatever else panicked.
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes some of the news. Returns whether any of it is about liveries.
    fn take_news(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); NEWS_BYTES];
        let mut news = inotify::Reader::new(&self.system, &mut buffer);
        let root = self.folders().root;
        let mut matters = false;
        loop {
            let event = news.next()?;
            let name = event.file_name().map(|name| name.to_string_lossy());
            let ours = root == Some(event.wd()) && name.is_some_and(|name| is_ours(&name));
            matters |= !ours && !event.events().contains(ReadFlags::IGNORED);
            if news.is_buffer_empty() {
                return Ok(matters);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Watch {
    eye: WatchHandle,
    fault: Option<io::Error>,
    /// Tells of changes.
    telling: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(_root: &Path, changed: &Arc<Notify>) -> Self {
        let (eye, fault, telling) = match open() {
            Ok((watched, news)) => {
                let tell = tell(Arc::clone(&watched), news, Arc::clone(changed));
                (WatchHandle(Some(watched)), None, Some(tokio::spawn(tell)))
            }
            Err(error) => (WatchHandle::closed(), Some(error), None),
        };
        Self { eye, fault, telling }
    }

    pub(super) fn eye(&self) -> WatchHandle {
        self.eye.clone()
    }

    pub(super) fn after_walk(&mut self, _found: bool) -> Option<io::Error> {
        let of_the_walk = || self.eye.0.as_ref()?.folders().fault.take();
        self.fault.take().or_else(of_the_walk)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.telling.iter().for_each(JoinHandle::abort);
    }
}

fn open() -> io::Result<(Arc<Watched>, AsyncFd<Arc<OwnedFd>>)> {
    let system = Arc::new(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?);
    #[expect(
        deprecated,
        reason = "the descriptor is neither replaced nor closed while it is registered"
    )]
    let news = AsyncFd::new(Arc::clone(&system))?;
    Ok((Arc::new(Watched { system, folders: Mutex::default() }), news))
}

async fn tell(watched: Arc<Watched>, news: AsyncFd<Arc<OwnedFd>>, changed: Arc<Notify>) {
    while let Ok(mut ready) = news.readable().await {
        match ready.try_io(|_| watched.take_news()) {
            Ok(Ok(true)) => changed.notify_one(),
            // Nothing that matters, or nothing left.
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(_)) => return,
        }
    }
}
