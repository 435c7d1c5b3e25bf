//! The control task: it feeds the machine, and carries out its outputs.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use liverysync_core::{
    client::{DiskFault, DiskFaultKind, Progress},
    hash::ContentHash,
    inspect::ContentFacts,
    server::{Event, Input, Output},
    time::Wake,
    transfer::{UploadEvent, UploadStream},
    union::PeerId,
    wire::{
        data::TransferId,
        frame,
        messages::{Message, SyncId},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use super::{
    Machine,
    addresses::Addresses,
    allow_list::{AllowListFile, News},
    journal::Journal,
    link::Link,
    uploads::{LinkReader, Uploads},
};
use crate::{
    clock::{Clock, unix_time},
    error_chain::with_causes,
    events::EventSender,
    lifecycle::StopRequest,
    link::{Pool, SendReport, split},
    store::{CheckPace, Store, StoreFault, read_fault_kind},
    throttle::Throttles,
};

/// The most links at a time; further ones are closed at once.
const LINKS_MAX: usize = 1024;

/// The most inputs that may wait for the control machine; then the links are not read.
const INPUTS_MAX: usize = 256;

/// The inputs that peers have caused after which it is the turn of what else waits: a time that is due, or a link.
const TURN_INPUTS: usize = 64;

/// The interval at which the allow list and the acts of administrators are read.
const REQUESTS_INTERVAL: Duration = Duration::from_secs(1);

/// The pace at which the store checks its contents: slow enough that nobody notices, and often enough that damage is found while
/// somebody still has the file.
const CHECK_PACE: CheckPace =
    CheckPace { bytes_per_second: 32 * 1024 * 1024, pause: Duration::from_secs(24 * 3600) };

/// The longest time that a client may accept no bytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The control task.
pub(super) struct Control {
    machine: Machine,
    clock: Clock,
    links: BTreeMap<PeerId, Link>,
    addresses: Addresses,
    /// Links that are being closed.
    closing: JoinSet<()>,
    next_peer: u64,
    inputs: mpsc::Sender<Input>,
    waiting: mpsc::Receiver<Input>,
    /// Reports of the store and of the writers. There are never more than files on their way.
    outcomes: mpsc::UnboundedSender<Input>,
    outcomes_waiting: mpsc::UnboundedReceiver<Input>,
    /// Inputs that follow directly from outputs.
    deferred: VecDeque<Input>,
    store: Store,
    events: EventSender<Event>,
    allow_list: AllowListFile,
    throttles: Throttles,
    buffers: Pool,
    journal: Journal,
}

impl Control {
    pub(super) fn new(
        machine: Machine,
        clock: Clock,
        events: EventSender<Event>,
        allow_list: AllowListFile,
        store: Store,
        throttles: Throttles,
        journal: Journal,
    ) -> Self {
        let (inputs, waiting) = mpsc::channel(INPUTS_MAX);
        let (outcomes, outcomes_waiting) = mpsc::unbounded_channel();
        Self {
            machine,
            clock,
            links: BTreeMap::new(),
            addresses: Addresses::default(),
            closing: JoinSet::new(),
            next_peer: 0,
            inputs,
            waiting,
            outcomes,
            outcomes_waiting,
            deferred: VecDeque::new(),
            store,
            events,
            allow_list,
            throttles,
            buffers: Pool::default(),
            journal,
        }
    }

    /// Carries out the first outputs, which write down the settings of a new league. Whoever reads the league once the
    /// server has started finds them.
    pub(super) fn begin(&mut self) {
        let _nothing_to_wait_for_yet = self.drain();
    }

    /// Checks the stored contents in the background, for ever.
    pub(super) fn check_store(&self) -> io::Result<()> {
        let outcomes = self.outcomes.clone();
        let wrong = move |hash| drop(outcomes.send(Input::StoreLost(hash)));
        self.store.check(CHECK_PACE, wrong)
    }

    pub(super) async fn run(mut self, listener: TcpListener, mut stopped: StopRequest) {
        let mut requests = tokio::time::interval(REQUESTS_INTERVAL);
        requests.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.feed(Input::Date(unix_time(SystemTime::now())));
        let _nothing_to_do_yet = self.drain();
        self.feed(Input::AllowList(self.allow_list.names()));
        let _nothing_to_do_yet = self.drain();
        self.feed(Input::Stored(self.store.contents()));
        // Those that peers have caused since it was last the turn of something else.
        let mut inputs = 0;
        loop {
            let wake = self.drain();
            let far = tokio::time::Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                // Peers may never stop talking.
                _ = requests.tick() => self.read_requests(),
                () = tokio::time::sleep_until(wake.unwrap_or(far)), if inputs >= TURN_INPUTS => {
                    inputs = 0;
                    self.feed(Input::Timeout);
                }
                accepted = listener.accept(), if inputs >= TURN_INPUTS => {
                    inputs = 0;
                    self.handle_accepted(accepted).await;
                }
                Some(input) = self.outcomes_waiting.recv() => {
                    inputs += 1;
                    self.feed(input);
                }
                Some(input) = self.waiting.recv() => {
                    inputs += 1;
                    self.handle(input);
                }
                accepted = listener.accept() => {
                    inputs = 0;
                    self.handle_accepted(accepted).await;
                }
                () = tokio::time::sleep_until(wake.unwrap_or(far)) => self.feed(Input::Timeout),
            }
        }
        for link in std::mem::take(&mut self.links).into_values() {
            self.closing.spawn(link.close());
        }
        while self.closing.join_next().await.is_some() {}
        // Closing the store waits for its threads.
        let _panicked = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    fn feed(&mut self, input: Input) {
        self.machine.lock().handle_input(self.clock.time(), input);
    }

    fn handle(&mut self, input: Input) {
        if let Input::Lost(peer, _) = &input {
            self.disconnect(*peer);
        }
        self.feed(input);
    }

    async fn handle_accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, address)) => self.accept(stream, address),
            // The system has run out of a resource, and accepting again at once would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }

    fn accept(&mut self, stream: TcpStream, address: SocketAddr) {
        if self.links.len() >= LINKS_MAX || !self.addresses.has_room(address.ip()) {
            return;
        }
        let Ok((mut reader, outbox, mut writer)) = split(stream, WRITE_TIMEOUT, &self.buffers)
        else {
            return;
        };
        self.throttles.apply(&mut reader, &mut writer);
        reader.set_limit(frame::STRANGER_BYTES_MAX);
        self.next_peer += 1;
        let peer = PeerId(self.next_peer);
        let uploads = Uploads::default();
        let read = LinkReader::new(
            peer,
            reader,
            outbox.clone(),
            uploads.clone(),
            self.inputs.clone(),
            self.clock,
        );
        let (inputs, outcomes) = (self.inputs.clone(), self.outcomes.clone());
        let write = tokio::spawn(async move {
            // A server that has stopped ignores it.
            let report = |report| drop(outcomes.send(download_progress(peer, report)));
            let reason = with_causes(&writer.run(report).await);
            let _stopped = inputs.send(Input::Lost(peer, reason)).await;
        });
        let link = Link { outbox, uploads, read: tokio::spawn(read.run()), write };
        self.links.insert(peer, link);
        self.addresses.add(peer, address.ip());
        self.feed(Input::Accepted(peer, address.to_string()));
    }

    /// Closes a link. The machine learns how much of its uploads has come only after it knows that the link is gone.
    fn disconnect(&mut self, peer: PeerId) {
        let Some(link) = self.links.remove(&peer) else { return };
        self.addresses.remove(peer);
        self.deferred.extend(partial(link.uploads.abandon_all()));
        while self.closing.try_join_next().is_some() {}
        self.closing.spawn(link.close());
    }

    /// Reads what others write for the server: the allow list, and the acts of admins.
    fn read_requests(&mut self) {
        self.feed(Input::Date(unix_time(SystemTime::now())));
        let _wake = self.drain();
        self.read_allow_list();
        for (number, act) in self.journal.new_acts() {
            self.feed(Input::Act(number, act));
            let _wake = self.drain();
        }
        if let Some(reason) = self.journal.take_error() {
            self.events.send(&Event::DatabaseFault { reason });
        }
    }

    fn read_allow_list(&mut self) {
        match self.allow_list.read_again() {
            Some(News::Names(names)) => self.feed(Input::AllowList(names)),
            Some(News::Fault(reason)) => self.events.send(&Event::AllowListFault { reason }),
            None => {}
        }
    }

    /// Carries out all outputs of the machine. Returns the time at which it wants to be called again.
    fn drain(&mut self) -> Option<tokio::time::Instant> {
        loop {
            let wake = self.carry_out_last();
            match self.deferred.pop_front() {
                Some(input) => self.handle(input),
                None => return wake.map(|wake| self.clock.instant(wake.at)),
            }
        }
    }

    /// Carries out the outputs of the last input.
    fn carry_out_last(&mut self) -> Option<Wake> {
        loop {
            let output = self.machine.lock().poll_output();
            match output {
                Output::Transmit(peer, message) => self.transmit(peer, message),
                Output::OpenUpload { source, sync_id, stream } => {
                    self.open_upload(source, sync_id, stream);
                }
                Output::AbandonUpload { source, sync_id } => {
                    if let Some(link) = self.links.get(&source) {
                        self.deferred.extend(partial(link.uploads.abandon(&sync_id)));
                    }
                }
                Output::CloseUpload(source, sync_id) => {
                    if let Some(link) = self.links.get(&source) {
                        link.uploads.remove(&sync_id);
                    }
                }
                Output::StartDownload { target, transfer, content, from, compression, begin } => {
                    let Some(link) = self.links.get(&target) else { continue };
                    if let Some(blob) = self.store.blob(content.hash) {
                        link.outbox.begin(transfer, from, blob, compression, begin);
                    } else {
                        self.deferred.push_back(not_in_store(target, transfer));
                    }
                }
                Output::StopDownload(peer, transfer) => {
                    if let Some(link) = self.links.get(&peer) {
                        link.outbox.stop(transfer);
                    }
                }
                Output::Inspect(contents) => {
                    let outcomes = self.outcomes.clone();
                    // A server that has stopped ignores it.
                    self.store.inspect(contents, move |content, facts| {
                        drop(outcomes.send(Input::Inspected(content, facts)));
                    });
                }
                Output::Verify(hash) => self.store.verify_soon(hash),
                Output::Remove(hash) => self.store.remove(hash),
                Output::Record(records) => self.journal.write(records),
                Output::Acted { number, outcome, records } => {
                    self.journal.acted(number, outcome, records);
                }
                Output::Close(peer, _) => self.disconnect(peer),
                Output::Event(event) => {
                    if let Event::Joined { peer, .. } = event {
                        self.addresses.handle_hello(peer);
                    }
                    self.events.send(&event);
                }
                Output::Timeout(wake) => return wake,
            }
        }
    }

    fn transmit(&mut self, peer: PeerId, message: Message) {
        let keeps_up = self.links.get(&peer).is_none_or(|link| link.outbox.send(message));
        if !keeps_up {
            let reason = "it does not accept data any more".to_owned();
            self.deferred.push_back(Input::Lost(peer, reason));
        }
    }

    fn open_upload(&self, source: PeerId, sync_id: SyncId, stream: UploadStream) {
        let Some(link) = self.links.get(&source) else { return };
        let mut writers = Vec::new();
        for (index, file) in stream.files().iter().enumerate() {
            let (outcomes, sync_id) = (self.outcomes.clone(), sync_id.clone());
            let done = move |result: Result<ContentFacts, StoreFault>| {
                if let Some(event) = upload_event(index, result) {
                    // A server that has stopped ignores it.
                    let _stopped = outcomes.send(Input::Uploaded(source, sync_id, event));
                }
            };
            writers.push(self.store.receive(file.content, file.from > 0, Box::new(done)));
        }
        link.uploads.open(sync_id, stream, writers);
    }
}

/// Returns the machine's input for the outcome of one file of an upload.
fn upload_event(index: usize, result: Result<ContentFacts, StoreFault>) -> Option<UploadEvent> {
    match result {
        Ok(facts) => Some(UploadEvent::Stored(index, facts)),
        Err(StoreFault::Transfer(fault)) => Some(UploadEvent::Faulted(index, fault.into())),
        Err(StoreFault::Disk { message, .. }) => Some(UploadEvent::Unkept(index, message)),
        Err(StoreFault::GivenUp) => None,
    }
}

/// Returns the machine's inputs for uploads that ended early.
fn partial(left: Vec<(ContentHash, u64)>) -> impl Iterator<Item = Input> {
    left.into_iter().map(|(hash, bytes)| Input::Partial(hash, bytes))
}

/// Returns the machine's input for a download whose content the store does not have.
fn not_in_store(target: PeerId, transfer: TransferId) -> Input {
    let message = "it is not in the store".to_owned();
    let failed = Progress::Failed(DiskFault { kind: DiskFaultKind::Missing, message });
    Input::Downloaded(target, transfer, failed)
}

/// Returns the machine's input for a report about a download.
fn download_progress(peer: PeerId, report: SendReport) -> Input {
    let (transfer, progress) = match report {
        SendReport::Passed { transfer, bytes } => (transfer, Progress::Passed(bytes)),
        SendReport::Sent(transfer) => (transfer, Progress::Sent),
        SendReport::Failed(transfer, kind, message) => {
            (transfer, Progress::Failed(DiskFault { kind: read_fault_kind(kind), message }))
        }
        // The server sends no file through the machine.
        SendReport::Counted(_) => (TransferId::default(), Progress::Passed(0)),
    };
    Input::Downloaded(peer, transfer, progress)
}
