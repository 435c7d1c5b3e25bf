//! A driver's client on tokio: it carries out what [`ClientMachine`] decides.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use liverysync_core::{
    client::{
        ClientConfig, ClientMachine, DiskFault, DiskFaultKind, DiskOutcome, Errand, Event, Input,
        Now, Output, Progress, SendFile, SyncError, SyncReport, Terms, Verdict,
    },
    hash::ContentHash,
    wire::{
        frame,
        v1::Message,
        v2::{Data, TransferId, WINDOW_BYTES},
    },
};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    clock::{Clock, seed, unix_time},
    credit::{Credit, GiveBack, to_peer},
    disk::{Disk, Intake, Outcomes, PlainFile, check_writable, memory_file, remove_empty_folder},
    events::{Events, Hub, Source},
    life::{Life, RanBefore},
    link::{LinkError, Outbox, Reader, Report, split},
    throttle::{Limits, Throttles},
    watch::Watch,
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that may wait for the disk before the link is read no further.
const DISK_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Messages that may wait between the link and the machine.
const MESSAGES_MAX: usize = 4;

/// How often the machine is told of the bytes of a file that comes, in bytes.
const ARRIVED_STEP: u64 = 1024 * 1024;

/// How long the server may take nothing. It reads no further while a target of this client's files
/// is slow, and gives up on such a target by itself, sooner than this.
const WRITE_PATIENCE: Duration = Duration::from_secs(90);

/// How long a client that stops waits for its last messages to leave.
const GOODBYE: Duration = Duration::from_millis(500);

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
    pub state: Option<PathBuf>,
    /// How fast files may travel. [`Client::set_limits`] changes it later.
    pub limits: Limits,
    /// Everything that the machine decides by.
    pub core: ClientConfig,
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
    /// Told when somebody waits to be in step.
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
    /// synced by another client on this PC; it can be tried again then. Fails if it was started before.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(&self) -> Result<(), ClientError> {
        let Shared { options, hub, life, awaited, throttles } = &*self.0;
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
            let lock = if options.core.dry_run {
                None
            } else {
                let lock = Lock::take(&root)?;
                check_writable(&root).map_err(|fault| folder(fault.message))?;
                Some(lock)
            };
            let memory = options.state.as_deref().map(|state| memory_file(state, &root));
            let changed = Arc::new(Notify::new());
            let watch = Watch::start(&root, &changed);
            let (disk, outcomes) = Disk::start(&root, memory, watch.eye())?;
            let clock = Clock::start();
            let driver = Driver {
                machine: ClientMachine::new(options.core.clone(), seed(), now(clock)),
                clock,
                address: (options.host.clone(), options.port),
                root: root.into(),
                disk,
                outcomes,
                events: hub.source(),
                awaited: Arc::clone(awaited),
                changed,
                watch,
                throttles: throttles.clone(),
                link: None,
                connecting: None,
                closed: None,
                _lock: lock,
            };
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
        let terms = Terms {
            server: format!("{host}:{}", options.port),
            folder: options.liveries.display().to_string(),
            dry_run: options.core.dry_run,
            patient: timeout.is_some(),
        };
        let events = hub.events();
        let errand = Errand::new(terms);
        awaited.notify_one();
        Syncing { client: self.clone(), events, errand, began: Instant::now(), timeout, end: None }
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
    errand: Errand,
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
                return Step::Failed(self.errand.timed_out(after));
            }
        };
        let Some(event) = event else { return Step::Failed(SyncError::NotRunning) };
        match self.errand.judge(&event, self.began.elapsed()) {
            Verdict::GoOn => {}
            Verdict::Done(report) => self.end = Some(Step::Done(report)),
            Verdict::Failed(error) => self.end = Some(Step::Failed(error)),
        }
        Step::Event(event)
    }

    /// Whether the last event has made it fail, so that the next step is its error.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self.end, Some(Step::Failed(_)))
    }
}

/// The lock that keeps two clients from one folder. It lies with the system's other temporary files:
/// nothing of ours is to be seen among the liveries.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(root: &Path) -> Result<Self, ClientError> {
        let canonical = root.canonicalize()?;
        let name = ContentHash::of(canonical.as_os_str().as_encoded_bytes());
        let path = std::env::temp_dir().join(format!("liverysync-{}.lock", name.short()));
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(ClientError::Busy { path: root.to_owned() });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // Its last holder may have removed it between the two calls above.
            let held = same_file::Handle::from_file(file.try_clone()?)?;
            if same_file::Handle::from_path(&path).is_ok_and(|there| there == held) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // It is only tidiness: a lock that nobody holds locks nobody out.
        let _kept = std::fs::remove_file(&self.path);
    }
}

/// One link and the tasks that serve it.
struct Link {
    outbox: Outbox,
    inputs: mpsc::Receiver<Result<Input, LinkError>>,
    reports: mpsc::UnboundedReceiver<Report>,
    ended: oneshot::Receiver<LinkError>,
    tasks: [JoinHandle<()>; 2],
}

impl Link {
    fn start(stream: TcpStream, intake: Intake, throttles: &Throttles) -> io::Result<Self> {
        let (mut reader, outbox, mut writer) = split(stream, WRITE_PATIENCE)?;
        throttles.hold(&mut reader, &mut writer);
        reader.set_limit(frame::PAYLOAD_BYTES_MAX);
        let (to_machine, inputs) = mpsc::channel(MESSAGES_MAX);
        let read = Reading::new(intake, outbox.clone(), to_machine);
        let read = tokio::spawn(read.run(reader));
        let (reports_in, reports) = mpsc::unbounded_channel();
        let (ended_in, ended) = oneshot::channel();
        let write = tokio::spawn(async move {
            // The link may have been given up meanwhile.
            let error = writer.run(|report| drop(reports_in.send(report))).await;
            let _given_up = ended_in.send(error);
        });
        Ok(Self { outbox, inputs, reports, ended, tasks: [read, write] })
    }

    /// Lets what waits leave, and closes.
    async fn close(mut self) {
        self.outbox.close();
        let _in_time = timeout(GOODBYE, &mut self.ended).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The task that reads a link.
struct Reading {
    intake: Intake,
    back: GiveBack,
    /// File bytes that have come and wait for the disk.
    waiting: Arc<AtomicU64>,
    outbox: Outbox,
    to_machine: mpsc::Sender<Result<Input, LinkError>>,
    /// Bytes of files that the machine has not been told of.
    arrived: HashMap<TransferId, u64>,
}

impl Reading {
    fn new(
        intake: Intake,
        outbox: Outbox,
        to_machine: mpsc::Sender<Result<Input, LinkError>>,
    ) -> Self {
        let waiting = Arc::new(AtomicU64::new(0));
        let (written, to_peer) = (Arc::clone(&waiting), to_peer(outbox.clone()));
        let back: GiveBack = Arc::new(move |bytes| {
            written.fetch_sub(bytes, Ordering::AcqRel);
            to_peer(bytes);
        });
        Self { intake, back, waiting, outbox, to_machine, arrived: HashMap::new() }
    }

    async fn run(mut self, mut reader: Reader) {
        loop {
            let message = match reader.next().await {
                Ok(payload) => Message::read(&payload)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error).into()),
                Err(error) => Err(error),
            };
            let taken = message.and_then(|message| self.take(message));
            let failed = taken.is_err();
            if let Some(input) = taken.transpose()
                && (self.to_machine.send(input).await.is_err() || failed)
            {
                return;
            }
        }
    }

    /// Hands on what does not concern the machine; returns what does.
    fn take(&mut self, message: Message) -> Result<Option<Input>, LinkError> {
        match message {
            Message::Data(data) => self.take_piece(data),
            Message::Credit(credit) => {
                self.outbox.give_credit(credit.bytes);
                Ok(None)
            }
            message => Ok(Some(Input::Received(message))),
        }
    }

    fn take_piece(&mut self, data: Data) -> Result<Option<Input>, LinkError> {
        let (transfer, bytes) = (data.transfer, data.body.len() as u64);
        if self.waiting.fetch_add(bytes, Ordering::AcqRel) + bytes > WINDOW_BYTES {
            return Err(LinkError::TooMuch);
        }
        if !self.intake.take(data, Credit::new(bytes, &self.back)) {
            self.arrived.remove(&transfer);
            return Ok(None);
        }
        let arrived = self.arrived.entry(transfer).or_default();
        *arrived += bytes;
        let told = (*arrived >= ARRIVED_STEP).then(|| std::mem::take(arrived));
        Ok(told.map(|bytes| Input::Arrived(transfer, bytes)))
    }
}

/// What the machine is told of a file that is sent.
fn sending(report: Report) -> Input {
    match report {
        Report::Counted(sync_id) => Input::ChunkSent(sync_id),
        Report::Passed { transfer, bytes } => Input::Sending(transfer, Progress::Passed(bytes)),
        Report::Sent(transfer) => Input::Sending(transfer, Progress::Sent),
        Report::Failed(transfer, kind, message) => {
            let kind = match kind {
                io::ErrorKind::NotFound => DiskFaultKind::Missing,
                io::ErrorKind::InvalidData => DiskFaultKind::Changed,
                _ => DiskFaultKind::Other,
            };
            Input::Sending(transfer, Progress::Failed(DiskFault { kind, message }))
        }
    }
}

/// What can happen next.
enum Happening {
    Stop,
    Connected(io::Result<TcpStream>),
    Link(Result<Input, LinkError>),
    Sending(Report),
    LinkEnded(LinkError),
    Disk(liverysync_core::client::OpId, DiskOutcome),
    FolderChanged,
    Sync,
    Wake,
}

struct Driver {
    machine: ClientMachine,
    clock: Clock,
    address: (String, u16),
    root: Arc<Path>,
    disk: Disk,
    outcomes: Outcomes,
    events: Source<Event>,
    awaited: Arc<Notify>,
    changed: Arc<Notify>,
    watch: Watch,
    throttles: Throttles,
    link: Option<Link>,
    connecting: Option<JoinHandle<io::Result<TcpStream>>>,
    /// Set when the machine has asked for a close: nobody else will say that the link is down.
    closed: Option<String>,
    _lock: Option<Lock>,
}

impl Driver {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let wake = self.drain().await;
            if let Some(reason) = self.closed.take() {
                self.feed(Input::LinkDown(reason));
                continue;
            }
            match self.happening(wake, &mut stopped).await {
                Happening::Stop => break,
                happening => self.handle(happening),
            }
        }
        self.finish().await;
    }

    /// Carries out all that the machine asks for; returns when it wants to be called again.
    async fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.machine.poll_output() {
                Output::Connect => {
                    let address = self.address.clone();
                    self.connecting = Some(tokio::spawn(connect(address)));
                }
                Output::Disconnect(reason) => {
                    if let Some(link) = self.link.take() {
                        link.close().await;
                    }
                    self.closed = Some(reason);
                }
                Output::Transmit(message) => self.transmit(message),
                Output::Send(file) => self.send(file),
                Output::StopSending(transfer) => {
                    if let Some(link) = &self.link {
                        link.outbox.stop(transfer);
                    }
                }
                Output::Disk(op, request) => self.disk.request(op, request),
                Output::Event(event) => self.events.send(&event),
                Output::Timeout(wake) => return wake.map(|wake| self.clock.instant(wake.at)),
            }
        }
    }

    fn transmit(&mut self, message: Message) {
        let Some(link) = &self.link else { return };
        if matches!(message, Message::FileChunk(_)) {
            // Never waits: a client that does not read while it cannot write, and a server that does
            // not read while its target does not, would wait for each other.
            link.outbox.send_counted(message);
        } else if !link.outbox.send(message) {
            self.link = None;
            self.closed = Some(LinkError::Stuck.to_string());
        }
    }

    fn send(&self, file: SendFile) {
        let Some(link) = &self.link else { return };
        let SendFile { transfer, path, stamp, from, packing } = file;
        let file = PlainFile::new(Arc::clone(&self.root), path, stamp);
        link.outbox.begin(transfer, from, Arc::new(file), packing, None);
    }

    async fn happening(
        &mut self,
        wake: Option<Instant>,
        stopped: &mut oneshot::Receiver<()>,
    ) -> Happening {
        let room = self.disk.waiting() < DISK_BYTES_MAX;
        let far = Instant::now() + Duration::from_secs(3600);
        let (inputs, reports, ended) = match &mut self.link {
            Some(link) => (Some(&mut link.inputs), Some(&mut link.reports), Some(&mut link.ended)),
            None => (None, None, None),
        };
        tokio::select! {
            biased;
            _ = stopped => Happening::Stop,
            () = self.awaited.notified() => Happening::Sync,
            Some((op, outcome)) = self.outcomes.recv() => Happening::Disk(op, outcome),
            Some(report) = async { reports?.recv().await } => Happening::Sending(report),
            Some(input) = async { inputs?.recv().await }, if room => Happening::Link(input),
            Some(Ok(stream)) = async { Some(self.connecting.as_mut()?.await) } => {
                Happening::Connected(stream)
            }
            Some(Ok(error)) = async { Some(ended?.await) } => Happening::LinkEnded(error),
            () = self.changed.notified() => Happening::FolderChanged,
            () = sleep_until(wake.unwrap_or(far)) => Happening::Wake,
        }
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Stop => {}
            Happening::Connected(stream) => {
                self.connecting = None;
                let start = |stream| Link::start(stream, self.disk.intake(), &self.throttles);
                match stream.and_then(start) {
                    Ok(link) => {
                        self.link = Some(link);
                        self.feed(Input::LinkUp);
                    }
                    Err(error) => {
                        let (host, port) = &self.address;
                        let reason = format!("cannot reach {host}:{port}: {error}");
                        self.feed(Input::LinkDown(reason));
                    }
                }
            }
            Happening::Link(Ok(input)) => self.feed(input),
            Happening::Link(Err(error)) | Happening::LinkEnded(error) => {
                self.link = None;
                self.feed(Input::LinkDown(error.to_string()));
            }
            Happening::Sending(report) => self.feed(sending(report)),
            Happening::Disk(op, outcome) => {
                if let DiskOutcome::Listed(listed) = &outcome {
                    self.walked(listed.is_ok());
                }
                self.feed(Input::Disk(op, outcome));
            }
            Happening::FolderChanged => self.feed(Input::FolderChanged),
            Happening::Sync => self.feed(Input::Sync),
            Happening::Wake => self.feed(Input::Timeout),
        }
    }

    fn walked(&mut self, found: bool) {
        if let Some(reason) = self.watch.after_walk(found) {
            let reason = format!("{}: {reason}", self.root.display());
            self.events.send(&Event::FolderUnreadable { reason });
        }
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle_input(now(self.clock), input);
    }

    /// Leaves the folder as it should be: nothing staged, everything that was begun to be put in
    /// place put in place.
    async fn finish(mut self) {
        self.machine.handle_goodbye(now(self.clock));
        let _no_more_wakes = self.drain().await;
        if let Some(link) = self.link.take() {
            link.close().await;
        }
        self.feed(Input::LinkDown("stopped".to_owned()));
        while !matches!(self.machine.poll_output(), Output::Timeout(_)) {
            // Requests to discard were handed out before; nothing else matters any more.
        }
        let (disk, root) = (self.disk, self.root);
        let tidy = tokio::task::spawn_blocking(move || {
            disk.finish();
            remove_empty_folder(&root);
        });
        let _panicked = tidy.await;
    }
}

fn now(clock: Clock) -> Now {
    Now { time: clock.time(), date: unix_time(SystemTime::now()) }
}

async fn connect((host, port): (String, u16)) -> io::Result<TcpStream> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((host.as_str(), port))).await {
        Ok(stream) => stream,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
    }
}
