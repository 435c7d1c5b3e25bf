//! The task that drives the machine: it feeds events to it, and carries out its outputs.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use liverysync_core::{
    client::{
        ClientConfig, ClientMachine, DiskOutcome, Event, Input, LiveryGlobs, Now, OpId, Output,
    },
    league::MemberKey,
    wire::messages::Message,
};
use tokio::{
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    builder::{Lists, server_name},
    connect::connect,
    link::{Link, sending},
    lock::Lock,
};
use crate::{
    clock::{Clock, seed, unix_time},
    disk::{Disk, Outcomes, PlainFile, remove_empty_folder},
    error_chain::with_causes,
    events::EventSender,
    identity::IdentityFile,
    lifecycle::StopRequest,
    link::{LinkError, SendReport},
    list_faults::ListFaults,
    livery_list::LiveryListError,
    throttle::Throttles,
    watch::Watch,
};

/// While this many bytes wait for the disk, the link is not read.
const DISK_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The interval at which the list of ignored liveries is read.
const IGNORE_LIST_INTERVAL: Duration = Duration::from_secs(1);

/// An event that the driver waits for.
enum DriverEvent {
    Stop,
    Connected(io::Result<TcpStream>),
    Link(Result<Input, LinkError>),
    Sending(SendReport),
    LinkEnded(LinkError),
    Disk(OpId, DiskOutcome),
    FolderChanged,
    Sync,
    ReadLists,
    Wake,
}

/// The parts of a driver that the client's handles share with it, and the server's address.
pub(super) struct Wiring {
    pub(super) address: (String, u16),
    pub(super) events: EventSender<Event>,
    pub(super) sync_wanted: Arc<Notify>,
    pub(super) throttles: Throttles,
}

pub(super) struct Driver {
    machine: ClientMachine,
    clock: Clock,
    address: (String, u16),
    root: Arc<Path>,
    disk: Disk,
    outcomes: Outcomes,
    events: EventSender<Event>,
    sync_wanted: Arc<Notify>,
    changed: Arc<Notify>,
    watch: Watch,
    throttles: Throttles,
    link: Option<Link>,
    connecting: Option<JoinHandle<io::Result<TcpStream>>>,
    /// The reason for a disconnect that the machine requested. Nobody else reports that the link is down.
    closed: Option<String>,
    /// The lists of liveries, and their last contents.
    lists: Option<Lists>,
    ignored: LiveryGlobs,
    shared: Option<LiveryGlobs>,
    list_faults: [ListFaults; 2],
    list_reads: Interval,
    /// Writes the list of shared liveries.
    keeping: Option<JoinHandle<()>>,
    lock: Option<Lock>,
    /// The file with the driver's keys.
    identity: Option<IdentityFile>,
}

impl Driver {
    /// Needs the context of a tokio runtime.
    pub(super) fn new(
        wiring: Wiring,
        config: ClientConfig,
        root: PathBuf,
        cache: Option<PathBuf>,
        lock: Option<Lock>,
        lists: Option<Lists>,
        identity: Option<IdentityFile>,
    ) -> io::Result<Self> {
        let Wiring { address, events, sync_wanted, throttles } = wiring;
        let changed = Arc::new(Notify::new());
        let watch = Watch::start(&root, &changed);
        let (disk, outcomes) = Disk::start(&root, cache, watch.handle())?;
        let clock = Clock::start();
        let (ignored, shared) = (config.ignored.clone(), config.share.clone());
        let mut list_reads = interval(IGNORE_LIST_INTERVAL);
        list_reads.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            machine: ClientMachine::new(config, seed(), now(clock)),
            clock,
            address,
            root: root.into(),
            disk,
            outcomes,
            events,
            sync_wanted,
            changed,
            watch,
            throttles,
            link: None,
            connecting: None,
            closed: None,
            lists,
            ignored,
            shared,
            list_faults: Default::default(),
            list_reads,
            keeping: None,
            lock,
            identity,
        })
    }

    pub(super) async fn run(mut self, mut stopped: StopRequest) {
        loop {
            let wake = self.drain().await;
            if let Some(reason) = self.closed.take() {
                self.feed(Input::LinkDown(reason));
                continue;
            }
            match self.next_event(wake, &mut stopped).await {
                DriverEvent::Stop => break,
                event => self.handle(event),
            }
        }
        self.finish().await;
    }

    /// Carries out all outputs of the machine. Returns the time at which it wants to be called again.
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
                Output::Send { transfer, path, stamp, from, compression } => {
                    if let Some(link) = &self.link {
                        let file = PlainFile::new(Arc::clone(&self.root), path, stamp);
                        link.outbox.begin(transfer, from, Arc::new(file), compression, None);
                    }
                }
                Output::StopSending(transfer) => {
                    if let Some(link) = &self.link {
                        link.outbox.stop(transfer);
                    }
                }
                Output::Disk(op, request) => self.disk.request(op, request),
                Output::FormerKeysKnown(keys) => self.note_former_keys(keys),
                Output::RememberShare(share) => self.remember_share(share),
                Output::Event(event) => self.events.send(&event),
                Output::Timeout(wake) => return wake.map(|wake| self.clock.instant(wake.at)),
            }
        }
    }

    /// Notes in the identity file that the server knows the driver's former keys.
    fn note_former_keys(&self, keys: Vec<MemberKey>) {
        let Some(file) = self.identity.clone() else { return };
        let server = server_name(&self.address.0, self.address.1);
        // If it fails, the server is told once more.
        drop(tokio::task::spawn_blocking(move || file.mark_told(&server, &keys)));
    }

    fn transmit(&mut self, message: Message) {
        let Some(link) = &self.link else { return };
        if matches!(message, Message::FileChunk(_)) {
            // This never waits. A client that does not read while it cannot write, and a server that does not read
            // while its target does not, would wait for each other for ever.
            link.outbox.send_counted(message);
        } else if !link.outbox.send(message) {
            self.link = None;
            self.closed = Some(LinkError::WriteTimeout.to_string());
        }
    }

    async fn next_event(
        &mut self,
        wake: Option<Instant>,
        stopped: &mut StopRequest,
    ) -> DriverEvent {
        let room = self.disk.waiting() < DISK_BYTES_MAX;
        let far = Instant::now() + Duration::from_secs(3600);
        let (inputs, reports, ended) = match &mut self.link {
            Some(link) => (Some(&mut link.inputs), Some(&mut link.reports), Some(&mut link.ended)),
            None => (None, None, None),
        };
        tokio::select! {
            biased;
            _ = stopped => DriverEvent::Stop,
            () = self.sync_wanted.notified() => DriverEvent::Sync,
            Some((op, outcome)) = self.outcomes.recv() => DriverEvent::Disk(op, outcome),
            Some(report) = async { reports?.recv().await } => DriverEvent::Sending(report),
            Some(input) = async { inputs?.recv().await }, if room => DriverEvent::Link(input),
            Some(Ok(stream)) = async { Some(self.connecting.as_mut()?.await) } => {
                DriverEvent::Connected(stream)
            }
            Some(Ok(error)) = async { Some(ended?.await) } => DriverEvent::LinkEnded(error),
            () = self.changed.notified() => DriverEvent::FolderChanged,
            _ = self.list_reads.tick(), if self.lists.is_some() => DriverEvent::ReadLists,
            () = sleep_until(wake.unwrap_or(far)) => DriverEvent::Wake,
        }
    }

    fn handle(&mut self, event: DriverEvent) {
        match event {
            DriverEvent::Stop => {}
            DriverEvent::Connected(stream) => {
                self.connecting = None;
                let start = |stream| Link::start(stream, self.disk.stage_queue(), &self.throttles);
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
            DriverEvent::Link(Ok(input)) => self.feed(input),
            DriverEvent::Link(Err(error)) | DriverEvent::LinkEnded(error) => {
                self.link = None;
                self.feed(Input::LinkDown(with_causes(&error)));
            }
            DriverEvent::Sending(report) => self.feed(sending(report)),
            DriverEvent::Disk(op, outcome) => {
                if let DiskOutcome::Listed(listed) = &outcome {
                    self.end_walk(listed.is_ok());
                }
                self.feed(Input::Disk(op, outcome));
            }
            DriverEvent::FolderChanged => self.feed(Input::FolderChanged),
            DriverEvent::Sync => self.feed(Input::Sync),
            DriverEvent::ReadLists => self.read_lists(),
            DriverEvent::Wake => self.feed(Input::Timeout),
        }
    }

    fn read_lists(&mut self) {
        let Some(lists) = &self.lists else { return };
        let (ignored, shared) = (lists.ignored.read(), lists.shared.chosen());
        if let Some(ignored) = self.usable(0, ignored)
            && ignored != self.ignored
        {
            self.ignored = ignored.clone();
            self.feed(Input::Ignore(ignored));
        }
        // Whoever removes the list keeps their choice until the next start.
        if let Some(Some(shared)) = self.usable(1, shared)
            && self.shared.as_ref() != Some(&shared)
        {
            self.shared = Some(shared.clone());
            self.feed(Input::Share(shared));
        }
    }

    /// Returns a list that could be read. If it could not, people hear of it once, and the last one stays in force.
    fn usable<T>(&mut self, at: usize, read: Result<T, LiveryListError>) -> Option<T> {
        match read {
            Ok(list) => {
                self.list_faults[at].clear();
                Some(list)
            }
            Err(error) => {
                if self.list_faults[at].add() {
                    let reason = with_causes(&error);
                    self.events.send(&Event::IgnoreListFault { reason });
                }
                None
            }
        }
    }

    /// Keeps the driver's choice for the next start.
    fn remember_share(&mut self, share: LiveryGlobs) {
        self.shared = Some(share.clone());
        let Some(list) = self.lists.as_ref().map(|lists| lists.shared.clone()) else { return };
        // If it fails, a later first contact decides again.
        self.keeping = Some(tokio::task::spawn_blocking(move || drop(list.replace(&share))));
    }

    fn end_walk(&mut self, found: bool) {
        if let Some(reason) = self.watch.after_walk(found) {
            let reason = format!("{}: {reason}", self.root.display());
            self.events.send(&Event::FolderUnreadable { reason });
        }
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle_input(now(self.clock), input);
    }

    /// Cleans up: removes what is staged, and finishes the installations that have begun.
    async fn finish(mut self) {
        self.machine.handle_goodbye(now(self.clock));
        let _no_more_wakes = self.drain().await;
        if let Some(keeping) = self.keeping.take() {
            let _panicked = keeping.await;
        }
        if let Some(link) = self.link.take() {
            link.close().await;
        }
        self.feed(Input::LinkDown("stopped".to_owned()));
        while !matches!(self.machine.poll_output(), Output::Timeout(_)) {
            // The requests to discard stages were sent before, and nothing else matters any more.
        }
        // A dry run has no lock, and leaves everything as it is.
        let (disk, root, is_locked) = (self.disk, self.root, self.lock.is_some());
        let tidy = tokio::task::spawn_blocking(move || {
            disk.finish();
            if is_locked {
                remove_empty_folder(&root);
            }
        });
        let _panicked = tidy.await;
    }
}

fn now(clock: Clock) -> Now {
    Now { time: clock.time(), date: unix_time(SystemTime::now()) }
}
