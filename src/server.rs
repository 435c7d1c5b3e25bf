//! A league's server on tokio: it carries out what [`ServerMachine`] decides.
//!
//! One task reads each link and feeds file data through that link's relays on the spot; one task
//! writes it; one task runs the control machine. File data never passes through the control task.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use liverysync_core::{
    server::{Event, Input, Output, ServerConfig, ServerMachine, Status, parse_allow_list},
    transfer::{Relay, RelayEvent},
    union::MemberId,
    wire::{
        frame,
        v1::{Message, SyncId},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::{
    clock::{Clock, seed},
    events::{Events, Hub, Source},
    life::{Life, RanBefore},
    link::{Outbox, Reader, split},
};

/// Links that may be open at a time; more are closed at once.
const LINKS_MAX: usize = 1024;

/// Inputs that may wait for the control machine; then the links are read no further.
const INPUTS_MAX: usize = 256;

/// How often the allow list is looked at.
const ALLOW_LIST_INTERVAL: Duration = Duration::from_secs(1);

/// How often a source that waits for a slow target is vouched for.
const WAITING_INTERVAL: Duration = Duration::from_secs(5);

/// How long a client may take nothing of what is sent to it.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// How long a link that is closed may take to write what waits.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a server needs to know.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Address to listen at.
    pub host: String,
    /// Port to listen at; zero picks a free one.
    pub port: u16,
    /// A file with the liveries that are distributed; see [`parse_allow_list`]. It is read again
    /// when it changes. Without one, or while it is absent or empty, all are.
    pub allow_list: Option<PathBuf>,
    /// A folder for what the server is to keep. It is made; nothing is kept in it yet.
    pub data: Option<PathBuf>,
    /// Everything that the machine decides by.
    pub core: ServerConfig,
}

impl ServerOptions {
    /// Takes the defaults for everything else.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            allow_list: None,
            data: None,
            core: ServerConfig::default(),
        }
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// It cannot listen.
    #[error("cannot listen at {address}: {reason}")]
    Bind {
        /// Where it should.
        address: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The data folder cannot be made.
    #[error("cannot make the data folder {path}: {reason}", path = .path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// It was started before. A server runs once.
    #[error("the server was started before; make a new one")]
    RanBefore,
    /// The allow list is there and cannot be read.
    #[error("cannot read the allow list {path}: {reason}", path = .path.display())]
    AllowList {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl From<RanBefore> for ServerError {
    fn from(_: RanBefore) -> Self {
        Self::RanBefore
    }
}

/// A league's server. This is a handle: clones of it are the same server, and the last one that is
/// dropped stops it.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liverysync::server::{Server, ServerOptions};
///
/// let server = Server::new(ServerOptions::new("127.0.0.1", 0));
/// let address = server.start()?;
/// println!("drivers may connect to {address}");
/// server.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: ServerOptions,
    hub: Hub<Event>,
    life: Life,
    clock: Clock,
    machine: Machine,
    address: OnceLock<SocketAddr>,
}

/// The control machine, which its own task drives and the handles ask.
#[derive(Clone, Debug)]
struct Machine(Arc<Mutex<ServerMachine>>);

impl Machine {
    fn lock(&self) -> MutexGuard<'_, ServerMachine> {
        // A panic of its task ends the server; what it was like then can still be asked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Makes a server that does nothing yet.
    #[must_use]
    pub fn new(options: ServerOptions) -> Self {
        let clock = Clock::start();
        let machine = ServerMachine::new(options.core.clone(), seed(), clock.time());
        Self(Arc::new(Shared {
            options,
            hub: Hub::new(),
            life: Life::default(),
            clock,
            machine: Machine(Arc::new(Mutex::new(machine))),
            address: OnceLock::new(),
        }))
    }

    /// What happens from now on. Ask before [`Server::start`] to miss nothing.
    #[must_use]
    pub fn events(&self) -> Events<Event> {
        self.0.hub.events()
    }

    /// Starts the server and returns where it listens.
    ///
    /// # Errors
    ///
    /// Fails if it cannot listen, if the data folder cannot be made, or if the allow list is there
    /// and cannot be read; it can be tried again then. Fails if it was started before.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(&self) -> Result<SocketAddr, ServerError> {
        let Shared { options, hub, life, clock, machine, address } = &*self.0;
        life.start(|stopped| {
            let allow_list = match &options.allow_list {
                Some(path) => AllowList::read(path)
                    .map_err(|reason| ServerError::AllowList { path: path.clone(), reason })?,
                None => AllowList::default(),
            };
            if let Some(path) = &options.data {
                std::fs::create_dir_all(path)
                    .map_err(|reason| ServerError::Data { path: path.clone(), reason })?;
            }
            let (listener, at) = listen(options)?;
            // It is set here only, and a server starts once.
            let _set_once = address.set(at);
            let path = options.allow_list.clone();
            let control = Control::new(machine.clone(), *clock, hub.source(), path, allow_list);
            Ok((control.run(listener, stopped), at))
        })
    }

    /// Where it listens, or listened; `None` before it was started.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.address.get().copied()
    }

    /// How the league stands: who is there, and what each of them lacks.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.machine.lock().status()
    }

    /// Stops the server and closes every link. Dropping the future does not keep it from stopping.
    pub async fn stop(&self) {
        self.0.life.stop().await;
        // One that never ran has nobody else to say that there will be no events.
        self.0.hub.close();
    }
}

/// Listens where the options say.
fn listen(options: &ServerOptions) -> Result<(TcpListener, SocketAddr), ServerError> {
    let host = options.host.trim_start_matches('[').trim_end_matches(']');
    let listen = || {
        let listener = std::net::TcpListener::bind((host, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, address))
    };
    listen().map_err(|reason| {
        let address = format!("{}:{}", options.host, options.port);
        ServerError::Bind { address, reason }
    })
}

/// The allow list as it was last read.
#[derive(Debug, Default, PartialEq, Eq)]
struct AllowList(Option<BTreeSet<String>>);

impl AllowList {
    fn read(path: &Path) -> io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self(parse_allow_list(&String::from_utf8_lossy(&bytes)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

/// A session's relay on its source's link.
#[derive(Debug)]
struct OpenRelay {
    relay: Relay,
    target: Outbox,
    /// Set once nothing that is still queued may reach the target.
    cancelled: Arc<AtomicBool>,
}

/// The relays of one source's link.
#[derive(Clone, Debug, Default)]
struct Relays(Arc<Mutex<HashMap<SyncId, OpenRelay>>>);

impl Relays {
    fn lock(&self) -> MutexGuard<'_, HashMap<SyncId, OpenRelay>> {
        // A relay is only ever replaced as a whole, so one that a panic left behind is sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's link.
#[derive(Debug)]
struct Link {
    outbox: Outbox,
    relays: Relays,
    read: JoinHandle<()>,
    write: JoinHandle<()>,
}

impl Link {
    /// Lets what waits leave, and closes. What comes is not read any more, from this call on.
    fn close(self) -> impl Future<Output = ()> + Send + use<> {
        self.read.abort();
        self.outbox.close();
        let mut write = self.write;
        async move {
            if timeout(GOODBYE, &mut write).await.is_err() {
                write.abort();
            }
        }
    }
}

/// The control task.
struct Control {
    machine: Machine,
    clock: Clock,
    links: BTreeMap<MemberId, Link>,
    /// Links that are being closed.
    goodbyes: JoinSet<()>,
    /// Links that have ended, until the machine's answer to that has been carried out.
    lost: Vec<MemberId>,
    next_member: u64,
    inputs: mpsc::Sender<Input>,
    waiting: mpsc::Receiver<Input>,
    events: Source<Event>,
    allow_list: Option<PathBuf>,
    allowed: AllowList,
}

impl Control {
    fn new(
        machine: Machine,
        clock: Clock,
        events: Source<Event>,
        allow_list: Option<PathBuf>,
        allowed: AllowList,
    ) -> Self {
        let (inputs, waiting) = mpsc::channel(INPUTS_MAX);
        Self {
            machine,
            clock,
            links: BTreeMap::new(),
            goodbyes: JoinSet::new(),
            lost: Vec::new(),
            next_member: 0,
            inputs,
            waiting,
            events,
            allow_list,
            allowed,
        }
    }

    async fn run(mut self, listener: TcpListener, mut stopped: oneshot::Receiver<()>) {
        let mut look = tokio::time::interval(ALLOW_LIST_INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let list = self.allowed.0.clone();
        self.feed(Input::AllowList(list));
        loop {
            let wake = self.drain();
            let far = tokio::time::Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(input) = self.waiting.recv() => self.take(input),
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => self.accept(stream, address),
                    // The system is out of something, and accepting at once again would spin.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                _ = look.tick() => self.look_at_allow_list(),
                () = tokio::time::sleep_until(wake.unwrap_or(far)) => self.feed(Input::Timeout),
            }
        }
        for link in std::mem::take(&mut self.links).into_values() {
            self.goodbyes.spawn(link.close());
        }
        while self.goodbyes.join_next().await.is_some() {}
    }

    fn feed(&mut self, input: Input) {
        self.machine.lock().handle_input(self.clock.time(), input);
    }

    fn take(&mut self, input: Input) {
        if let Input::Lost(member, _) = &input {
            // Its relays still have a last word to say; the link goes once that is said.
            self.lost.push(*member);
        }
        self.feed(input);
    }

    fn accept(&mut self, stream: TcpStream, address: SocketAddr) {
        if self.links.len() >= LINKS_MAX {
            return;
        }
        let Ok((mut reader, outbox, writer)) = split(stream, WRITE_PATIENCE) else { return };
        reader.set_limit(frame::STRANGER_BYTES_MAX);
        self.next_member += 1;
        let member = MemberId(self.next_member);
        let relays = Relays::default();
        let read = Reading {
            member,
            reader,
            relays: relays.clone(),
            inputs: self.inputs.clone(),
            clock: self.clock,
        };
        let inputs = self.inputs.clone();
        let write = tokio::spawn(async move {
            let reason = writer.run(|_| {}).await.to_string();
            let _stopped = inputs.send(Input::Lost(member, reason)).await;
        });
        let link = Link { outbox, relays, read: tokio::spawn(read.run()), write };
        self.links.insert(member, link);
        self.feed(Input::Accepted(member, address.to_string()));
    }

    fn part(&mut self, link: Link) {
        while self.goodbyes.try_join_next().is_some() {}
        self.goodbyes.spawn(link.close());
    }

    fn look_at_allow_list(&mut self) {
        // While it cannot be read (somebody is just saving it), what it said goes on.
        let Some(Ok(list)) = self.allow_list.as_deref().map(AllowList::read) else { return };
        if list != self.allowed {
            let names = list.0.clone();
            self.allowed = list;
            self.feed(Input::AllowList(names));
        }
    }

    /// Carries out all that the machine asks for; returns when it wants to be called again.
    fn drain(&mut self) -> Option<tokio::time::Instant> {
        let mut stuck = Vec::new();
        let wake = loop {
            let output = self.machine.lock().poll_output();
            match output {
                Output::Transmit(member, message) => {
                    let keeps_up =
                        self.links.get(&member).is_none_or(|link| link.outbox.send(message));
                    if !keeps_up {
                        stuck.push(member);
                    }
                }
                Output::OpenRelay { source, target, sync_id, relay } => {
                    self.open_relay(source, target, sync_id, relay);
                }
                Output::AbandonRelay { source, target, sync_id } => {
                    self.abandon_relay(source, target, &sync_id);
                }
                Output::DropRelay(source, sync_id) => {
                    if let Some(link) = self.links.get(&source) {
                        link.relays.lock().remove(&sync_id);
                    }
                }
                Output::Close(member, _) => {
                    if let Some(link) = self.links.remove(&member) {
                        self.part(link);
                    }
                }
                Output::Event(event) => self.events.send(&event),
                Output::Timeout(wake) => break wake,
            }
        };
        for member in std::mem::take(&mut self.lost) {
            if let Some(link) = self.links.remove(&member) {
                self.part(link);
            }
        }
        if stuck.is_empty() {
            return wake.map(|wake| self.clock.instant(wake.at));
        }
        for member in stuck {
            self.take(Input::Lost(member, "it does not take what is sent to it".to_owned()));
        }
        self.drain()
    }

    fn open_relay(&self, source: MemberId, target: MemberId, sync_id: SyncId, relay: Relay) {
        let (Some(from), Some(to)) = (self.links.get(&source), self.links.get(&target)) else {
            return;
        };
        let cancelled = Arc::new(AtomicBool::new(false));
        let open = OpenRelay { relay, target: to.outbox.clone(), cancelled };
        from.relays.lock().insert(sync_id, open);
    }

    fn abandon_relay(&self, source: MemberId, target: MemberId, sync_id: &SyncId) {
        let Some(from) = self.links.get(&source) else { return };
        let last = from.relays.lock().get_mut(sync_id).and_then(|open| {
            open.cancelled.store(true, Ordering::Release);
            open.relay.abandon()
        });
        if let (Some(last), Some(to)) = (last, self.links.get(&target)) {
            // A target that does not keep up is noticed by its next message.
            let _keeps_up = to.outbox.send(last);
        }
    }
}

/// The task that reads one link.
struct Reading {
    member: MemberId,
    reader: Reader,
    relays: Relays,
    inputs: mpsc::Sender<Input>,
    clock: Clock,
}

impl Reading {
    async fn run(mut self) {
        let reason = loop {
            let message = match self.reader.next().await {
                Ok(payload) => Message::decode(&payload),
                Err(error) => break error.to_string(),
            };
            let message = match message {
                Ok(message) => message,
                Err(error) => break error.to_string(),
            };
            if matches!(message, Message::Hello(_)) {
                self.reader.set_limit(frame::PAYLOAD_BYTES_MAX);
            }
            let taken = if message.is_data() {
                self.relay(message).await
            } else {
                self.inputs.send(Input::Received(self.member, message)).await.is_ok()
            };
            if !taken {
                return;
            }
        };
        let _stopped = self.inputs.send(Input::Lost(self.member, reason)).await;
    }

    /// Feeds file data to its relay. Returns whether the server still runs.
    async fn relay(&self, message: Message) -> bool {
        let Some(sync_id) = sync_id_of(&message) else { return true };
        let step = {
            let mut relays = self.relays.lock();
            let Some(open) = relays.get_mut(&sync_id) else { return true };
            let step = open.relay.handle_message(self.clock.time(), message);
            (step, open.target.clone(), Arc::clone(&open.cancelled))
        };
        let (step, target, cancelled) = step;
        if let Some(message) = step.forward {
            let mut send = std::pin::pin!(target.send_data(message, cancelled));
            while timeout(WAITING_INTERVAL, &mut send).await.is_err() {
                // It is the target that is slow; its own link is ended if it takes nothing at all.
                if !self.report(&sync_id, RelayEvent::Passed(0)).await {
                    return false;
                }
            }
        }
        for event in step.events {
            if !self.report(&sync_id, event).await {
                return false;
            }
        }
        true
    }

    async fn report(&self, sync_id: &SyncId, event: RelayEvent) -> bool {
        self.inputs.send(Input::Relayed(self.member, sync_id.clone(), event)).await.is_ok()
    }
}

fn sync_id_of(message: &Message) -> Option<SyncId> {
    match message {
        Message::FileBegin(begin) => Some(begin.sync_id.clone()),
        Message::FileChunk(chunk) => Some(chunk.sync_id.clone()),
        Message::FileEnd(end) => Some(end.sync_id.clone()),
        _ => None,
    }
}
