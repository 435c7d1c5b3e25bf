//! A driver's client on tokio: it carries out what [`ClientMachine`](liverysync_core::client::ClientMachine) decides.

mod driver;
mod key;
mod link;
mod lock;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use liverysync_core::client::{
    ClientConfig, Event, SyncError, SyncProgress, SyncReport, SyncWatch, WaitPolicy,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use self::{driver::Driver, lock::Lock};
use crate::{
    disk::{check_writable, key_file},
    events::{Events, Hub},
    ignore::{IgnoreError, IgnoreFile},
    life::{Life, RanBefore},
    throttle::{Limits, Throttles},
};

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Host name or address of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// The liveries folder. It must be there.
    pub liveries: PathBuf,
    /// A folder in which it is kept what the files hold, so that the next start reads only those that
    /// have changed; see [`state_folder`](crate::places::state_folder). Without one, each start reads
    /// all files once.
    ///
    /// The key by which a server knows this client again is kept there as well, and made on the first start; one
    /// in [`ClientConfig::member_key`] goes before it. Without either, the client is nobody in particular and owns
    /// nothing.
    ///
    /// So is the list of liveries that are not wanted here, which counts in place of [`ClientConfig::ignored`] and is
    /// read again when it changes; see [`IgnoreFile`].
    pub state: Option<PathBuf>,
    /// How fast files may travel. [`Client::set_limits`] changes it later.
    pub limits: Limits,
    /// Everything that the machine decides by.
    pub core: ClientConfig,
}

/// Whether a client of ours syncs this liveries folder on this PC.
///
/// # Errors
///
/// Fails if the folder is not there or the system does not say.
pub fn is_running(liveries: &Path) -> io::Result<bool> {
    Lock::is_taken(liveries)
}

impl ClientOptions {
    /// Takes the defaults for everything else.
    pub fn new(host: impl Into<String>, port: u16, liveries: impl Into<PathBuf>) -> Self {
        let (host, liveries) = (host.into(), liveries.into());
        let (limits, core) = (Limits::default(), ClientConfig::default());
        Self { host, port, liveries, state: None, limits, core }
    }
}

/// Why a client cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The liveries folder is not there, or cannot be used.
    #[error("the liveries folder {path} cannot be used: {reason}", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another client syncs this folder.
    #[error("another liverysync client already syncs {path}", path = .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The key of this client cannot be read, or none can be kept. With another key it would be a stranger to the
    /// league, so it does not start without this one.
    #[error("the member key {path} cannot be used: {reason}", path = .path.display())]
    MemberKey {
        /// The file in which it is kept.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It cannot be read which liveries are not wanted here.
    #[error(transparent)]
    Ignored(#[from] IgnoreError),
    /// It was started before. A client runs once.
    #[error("the client was started before; make a new one")]
    RanBefore,
    /// The system gives no threads or no lock.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl From<RanBefore> for ClientError {
    fn from(_: RanBefore) -> Self {
        Self::RanBefore
    }
}

/// A driver's client. This is a handle: clones of it are the same client, and the last one that is
/// dropped stops it.
///
/// # Example
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use liverysync::client::{Client, ClientOptions};
///
/// let client = Client::new(ClientOptions::new("192.168.1.50", 9239, "Liveries"));
/// client.start()?;
/// let report = client.sync(None).await?;
/// println!("this PC holds all {} files", report.files);
/// client.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: ClientOptions,
    hub: Hub<Event>,
    life: Life,
    /// Told when somebody waits to be in sync.
    awaited: Arc<Notify>,
    throttles: Throttles,
}

impl Client {
    /// Makes a client that does nothing yet.
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        let (hub, life, awaited) = (Hub::new(), Life::default(), Arc::default());
        let throttles = Throttles::new(options.limits);
        Self(Arc::new(Shared { options, hub, life, awaited, throttles }))
    }

    /// What happens from now on. Ask before [`Client::start`] to miss nothing.
    #[must_use]
    pub fn events(&self) -> Events<Event> {
        self.0.hub.events()
    }

    /// Starts the client. It walks the folder, connects, and goes on by itself until it is stopped.
    ///
    /// # Errors
    ///
    /// Fails if the folder is not there, cannot be read or (but for a dry run) written, or is
    /// synced by another client on this PC, and if its key cannot be read or kept; it can be tried again
    /// then. Fails if it was started before.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(&self) -> Result<(), ClientError> {
        let Shared { options, life, .. } = &*self.0;
        life.start(|stopped| {
            let path = options.liveries.clone();
            let folder = |reason: String| ClientError::Folder { path: path.clone(), reason };
            let root = std::path::absolute(&path).map_err(|error| folder(error.to_string()))?;
            match std::fs::read_dir(&root) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(folder("it is not there".to_owned()));
                }
                Err(error) => return Err(folder(error.to_string())),
            }
            let mut core = options.core.clone();
            let key = options.state.as_ref().filter(|_| core.member_key.is_none());
            let key = key.map(|state| key_file(state, &root));
            let lock = if core.dry_run {
                // Only to see what is its driver's own: who looks on says none.
                core.member_key = core.member_key.or_else(|| key::read(&key?));
                None
            } else {
                let lock = Lock::take(&root)?;
                check_writable(&root).map_err(|fault| folder(fault.message))?;
                if let Some(key) = key {
                    core.member_key = Some(key::read_or_make(&key)?);
                }
                Some(lock)
            };
            let list = match &options.state {
                Some(state) => Some(IgnoreFile::new(state, &root)?),
                None => None,
            };
            if let Some(list) = &list {
                core.ignored = list.read()?;
            }
            let driver = Driver::new(&self.0, core, root, lock, list)?;
            Ok((driver.run(stopped), ()))
        })
    }

    /// Changes how fast files may travel, from now on, before the start or at any time after it.
    pub fn set_limits(&self, limits: Limits) {
        self.0.throttles.set(limits);
    }

    /// Waits until this PC holds the union and nobody needs anything more from it; what lies in the
    /// folder by now takes part. Dropping the future only ends the waiting.
    ///
    /// `timeout` is how long to wait at most. Without one, a server that cannot be reached is an
    /// error at once; with one it is tried until then. A dry run ends with its plan.
    ///
    /// # Errors
    ///
    /// Says why waiting has no use. What has arrived by then stays, and the client goes on by itself.
    pub async fn sync(&self, timeout: Option<Duration>) -> Result<SyncReport, SyncError> {
        let mut syncing = self.begin_sync(timeout);
        loop {
            match syncing.next().await {
                Step::Event(_) => {}
                Step::Done(report) => return Ok(report),
                Step::Failed(error) => return Err(error),
            }
        }
    }

    /// As [`Client::sync`], with all that happens on the way. May be asked for before
    /// [`Client::start`]; the time counts from here.
    #[must_use]
    pub fn begin_sync(&self, timeout: Option<Duration>) -> Syncing {
        let Shared { options, hub, awaited, .. } = &*self.0;
        let host = &options.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let terms = WaitPolicy {
            server: format!("{host}:{}", options.port),
            folder: options.liveries.display().to_string(),
            dry_run: options.core.dry_run,
            patient: timeout.is_some(),
        };
        let events = hub.events();
        let watch = SyncWatch::new(terms);
        awaited.notify_one();
        Syncing { client: self.clone(), events, watch, began: Instant::now(), timeout, end: None }
    }

    /// Stops the client: what it was receiving is removed, what it was putting in place is finished.
    /// Dropping the future does not keep it from stopping.
    pub async fn stop(&self) {
        self.0.life.stop().await;
        // One that never ran has nobody else to say that there will be no events.
        self.0.hub.close();
    }
}

/// A sync under way: what happens, and how it ends.
#[derive(Debug)]
pub struct Syncing {
    client: Client,
    events: Events<Event>,
    watch: SyncWatch,
    began: Instant,
    timeout: Option<Duration>,
    end: Option<Step>,
}

/// What comes next of a sync.
#[derive(Debug)]
pub enum Step {
    /// Something has happened.
    Event(Event),
    /// It is done.
    Done(SyncReport),
    /// It will not be done.
    Failed(SyncError),
}

impl Syncing {
    /// What comes next. The event that ends it comes before its end. Safe to drop and call again.
    pub async fn next(&mut self) -> Step {
        if let Some(end) = self.end.take() {
            return end;
        }
        if !self.client.0.life.is_running() {
            return Step::Failed(SyncError::NotRunning);
        }
        // A time that no clock can show is as good as none.
        let deadline = self.timeout.and_then(|timeout| self.began.checked_add(timeout));
        let event = tokio::select! {
            biased;
            event = self.events.next() => event,
            () = sleep_until(deadline.unwrap_or(self.began)), if deadline.is_some() => {
                let after = self.timeout.unwrap_or_default();
                return Step::Failed(self.watch.timed_out(after));
            }
        };
        let Some(event) = event else { return Step::Failed(SyncError::NotRunning) };
        match self.watch.judge(&event, self.began.elapsed()) {
            SyncProgress::GoOn => {}
            SyncProgress::Done(report) => self.end = Some(Step::Done(report)),
            SyncProgress::Failed(error) => self.end = Some(Step::Failed(error)),
        }
        Step::Event(event)
    }

    /// Whether the last event has made it fail, so that the next step is its error.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self.end, Some(Step::Failed(_)))
    }
}
