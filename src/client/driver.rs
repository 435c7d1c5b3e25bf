//! The task that drives the machine: what happens goes in, what it asks for is carried out.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use liverysync_core::{
    client::{
        ClientConfig, ClientMachine, DiskOutcome, Event, Ignored, Input, Now, OpId, Output,
        SendFile,
    },
    wire::messages::Message,
};
use tokio::{
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    link::{Link, connect, sending},
    lock::Lock,
};
use crate::{
    clock::{Clock, seed, unix_time},
    disk::{Disk, Outcomes, PlainFile, cache_file, remove_empty_folder},
    events::EventSender,
    ignore::IgnoreFile,
    lifecycle::StopRequest,
    link::{LinkError, Report},
    throttle::Throttles,
    watch::Watch,
};

/// Bytes that may wait for the disk before the link is read no further.
const DISK_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How often it is looked which liveries are not wanted here.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What can happen next.
enum Happening {
    Stop,
    Connected(io::Result<TcpStream>),
    Link(Result<Input, LinkError>),
    Sending(Report),
    LinkEnded(LinkError),
    Disk(OpId, DiskOutcome),
    FolderChanged,
    Sync,
    Look,
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
    /// Set when the machine has asked for a close: nobody else will say that the link is down.
    closed: Option<String>,
    /// Which liveries are not wanted here, and what that was when it was last looked at.
    list: Option<IgnoreFile>,
    ignored: Ignored,
    looks: Interval,
    lock: Option<Lock>,
}

impl Driver {
    /// Needs the context of a tokio runtime.
    pub(super) fn new(
        wiring: Wiring,
        config: ClientConfig,
        root: PathBuf,
        state: Option<&Path>,
        lock: Option<Lock>,
        list: Option<IgnoreFile>,
    ) -> io::Result<Self> {
        let Wiring { address, events, sync_wanted, throttles } = wiring;
        let cache = state.map(|state| cache_file(state, &root));
        let changed = Arc::new(Notify::new());
        let watch = Watch::start(&root, &changed);
        let (disk, outcomes) = Disk::start(&root, cache, watch.handle())?;
        let clock = Clock::start();
        let ignored = config.ignored.clone();
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
            list,
            ignored,
            looks,
            lock,
        })
    }

    pub(super) async fn run(mut self, mut stopped: StopRequest) {
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
        let SendFile { transfer, path, stamp, from, compression } = file;
        let file = PlainFile::new(Arc::clone(&self.root), path, stamp);
        link.outbox.begin(transfer, from, Arc::new(file), compression, None);
    }

    async fn happening(&mut self, wake: Option<Instant>, stopped: &mut StopRequest) -> Happening {
        let room = self.disk.waiting() < DISK_BYTES_MAX;
        let far = Instant::now() + Duration::from_secs(3600);
        let (inputs, reports, ended) = match &mut self.link {
            Some(link) => (Some(&mut link.inputs), Some(&mut link.reports), Some(&mut link.ended)),
            None => (None, None, None),
        };
        tokio::select! {
            biased;
            _ = stopped => Happening::Stop,
            () = self.sync_wanted.notified() => Happening::Sync,
            Some((op, outcome)) = self.outcomes.recv() => Happening::Disk(op, outcome),
            Some(report) = async { reports?.recv().await } => Happening::Sending(report),
            Some(input) = async { inputs?.recv().await }, if room => Happening::Link(input),
            Some(Ok(stream)) = async { Some(self.connecting.as_mut()?.await) } => {
                Happening::Connected(stream)
            }
            Some(Ok(error)) = async { Some(ended?.await) } => Happening::LinkEnded(error),
            () = self.changed.notified() => Happening::FolderChanged,
            _ = self.looks.tick(), if self.list.is_some() => Happening::Look,
            () = sleep_until(wake.unwrap_or(far)) => Happening::Wake,
        }
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Stop => {}
            Happening::Connected(stream) => {
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
            Happening::Look => self.look_at_list(),
            Happening::Wake => self.feed(Input::Timeout),
        }
    }

    fn look_at_list(&mut self) {
        // While it cannot be read (somebody is just saving it), what it said goes on.
        let Some(Ok(ignored)) = self.list.as_ref().map(IgnoreFile::read) else { return };
        if ignored != self.ignored {
            self.ignored = ignored.clone();
            self.feed(Input::Ignore(ignored));
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
        // Who only looks has no lock, and leaves everything as it is.
        let (disk, root, is_ours) = (self.disk, self.root, self.lock.is_some());
        let tidy = tokio::task::spawn_blocking(move || {
            disk.finish();
            if is_ours {
                remove_empty_folder(&root);
            }
        });
        let _panicked = tidy.await;
    }
}

fn now(clock: Clock) -> Now {
    Now { time: clock.time(), date: unix_time(SystemTime::now()) }
}
