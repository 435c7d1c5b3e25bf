//! The client's top machine: link, publishing, and the sessions in both directions.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::{
    ClientConfig, DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, Event, Input, InstallFile,
    InstallPlan, Installed, Now, OpId, Output, Plan, StageId,
    folder::{Effects, Folder},
    inbound::{InFile, Inbound, State},
    outbound::{Next, OutFile, Outbound},
};
use crate::{
    conflict::{conflict_name, parse_conflict_name},
    diff::diff,
    hash::Content,
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath},
    rng::Rng,
    select::cached_picture,
    time::{Earliest, Time, UnixTime, Wake},
    transfer::Receiver,
    wire::v1::{
        EXTENSION, ErrorReport, Fault, FileBegin, FileChunk, FileEnd, FileInfo, Hello,
        ManifestFull, ManifestSummary, Message, OfferedFile, Role, SendFiles, ServerState,
        Standing, SyncDone, SyncId, SyncOffer, Welcome,
    },
};

/// How long after a change in the folder it is walked: changes come in bursts.
const CHANGE_PAUSE: Duration = Duration::from_millis(100);

/// How long a server of protocol 1 must have been quiet after a file for the session to be over:
/// it does not say how many files it will bring.
const OLD_SESSION_QUIET: Duration = Duration::from_secs(1);

/// The same for a session of which something was refused: the server will offer that again as soon as
/// the session is over, and the source will send all of it.
const OLD_SESSION_HOLD: Duration = Duration::from_secs(10);

/// How long to wait for a file from a server of protocol 1, which waits for ever itself.
const OLD_SESSION_STALL: Duration = Duration::from_secs(60);

/// How often a server of protocol 1 is asked for its state by a client that waits for it.
const OLD_STATE_INTERVAL: Duration = Duration::from_secs(5);

/// How long a server of protocol 1 must have had nothing for this client to count as in step even
/// though its union has another hash: that union may hold what it can never deliver.
const OLD_QUIET: Duration = Duration::from_secs(20);

/// How long a link must have lasted for the next attempt not to wait longer than the first.
const STABLE_LINK: Duration = Duration::from_secs(30);

/// Longest client name that a server of ours takes, in characters.
const NAME_CHARS_MAX: usize = 64;

#[derive(Debug)]
enum Link {
    /// There is none; it is tried again then.
    Down(Time),
    Connecting,
    /// The server has not greeted yet.
    Greeting,
    Up {
        ours: bool,
        since: Time,
    },
    /// It was asked to close.
    Closing,
}

/// What an outcome of the disk is for.
#[derive(Debug)]
enum Purpose {
    Sweep,
    List,
    Hash,
    Read(SyncId, OutFile, u64),
    /// A step of a staged file that only matters if it fails.
    Stage(SyncId, StageId),
    Seal(SyncId, StageId),
    Copy(SyncId, StageId),
    Discard,
    Install(SyncId, Vec<StageId>, Vec<Option<RelPath>>),
}

/// A driver's client without its socket and its disk. See the [module documentation](super).
#[derive(Debug)]
pub struct ClientMachine {
    config: ClientConfig,
    rng: Rng,
    now: Now,
    link: Link,
    attempts: u32,
    heard_at: Time,
    ping_at: Time,
    folder: Folder,
    /// What the server knows of this PC; `None` until it was told.
    published: Option<Manifest>,
    inbound: BTreeMap<SyncId, Inbound>,
    outbound: BTreeMap<SyncId, Outbound>,
    ops: BTreeMap<OpId, Purpose>,
    next_op: u64,
    next_stage: u64,
    standing: Option<Standing>,
    old_state: Option<String>,
    old_state_at: Time,
    /// When a session last began or ended.
    busy_at: Time,
    in_step: bool,
    swept: bool,
    planned: bool,
    outputs: VecDeque<Output>,
}

impl ClientMachine {
    /// Makes a client that will clean up, walk its folder and connect. `seed` spreads its attempts.
    #[must_use]
    pub fn new(config: ClientConfig, seed: u64, now: Now) -> Self {
        let mut machine = Self {
            rng: Rng::new(seed),
            link: Link::Down(now.time),
            attempts: 0,
            heard_at: now.time,
            ping_at: now.time,
            folder: Folder::new(now.time),
            published: None,
            inbound: BTreeMap::new(),
            outbound: BTreeMap::new(),
            ops: BTreeMap::new(),
            next_op: 0,
            next_stage: 0,
            standing: None,
            old_state: None,
            old_state_at: now.time,
            busy_at: now.time,
            in_step: false,
            swept: config.dry_run,
            planned: false,
            outputs: VecDeque::new(),
            config,
            now,
        };
        if !machine.swept {
            machine.request(DiskRequest::Sweep, Purpose::Sweep);
        }
        machine.run_timers();
        machine
    }

    /// What this PC publishes at present.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        self.folder.manifest()
    }

    /// Whether this PC held the union when the server last said how it stands.
    #[must_use]
    pub const fn is_in_step(&self) -> bool {
        self.in_step
    }

    /// Feeds one thing that happened.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        debug_assert!(self.outputs.is_empty(), "outputs must be drained before the next input");
        self.now = Now { time: self.now.time.max(now.time), date: now.date };
        match input {
            Input::LinkUp => {
                self.link = Link::Greeting;
                self.heard_at = self.now.time;
            }
            Input::LinkDown(reason) => self.link_down(reason),
            Input::Received(message) => self.receive(message),
            Input::ChunkSent(sync_id) => {
                if let Some(outbound) = self.outbound.get_mut(&sync_id) {
                    outbound.handle_sent();
                    self.pump(&sync_id);
                }
            }
            Input::Disk(op, outcome) => self.disk(op, outcome),
            Input::FolderChanged => self.folder.walk_by(self.now.time + CHANGE_PAUSE),
            Input::Timeout => {}
        }
        self.run_timers();
        self.check_in_step();
    }

    /// What to do next. Call until it returns [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_wake()))
    }

    // ---- link -----------------------------------------------------------------------------------

    fn link_down(&mut self, reason: String) {
        if let Link::Up { since, .. } = self.link
            && self.now.time.since(since) >= STABLE_LINK
        {
            self.attempts = 0;
        }
        let doubled = self.config.retry_first.saturating_mul(1 << self.attempts.min(16));
        let retry_in = self.rng.jitter(doubled.min(self.config.retry_cap));
        self.attempts += 1;
        self.link = Link::Down(self.now.time + retry_in);
        self.published = None;
        self.standing = None;
        self.old_state = None;
        self.in_step = false;
        self.outbound.clear();
        for sync_id in self.inbound.keys().cloned().collect::<Vec<_>>() {
            self.abort_inbound(&sync_id);
        }
        self.event(Event::Disconnected { reason, retry_in });
    }

    fn disconnect(&mut self, reason: &str) {
        if !matches!(self.link, Link::Down(_) | Link::Closing) {
            self.link = Link::Closing;
            self.outputs.push_back(Output::Disconnect(reason.to_owned()));
        }
    }

    const fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    const fn server_is_ours(&self) -> bool {
        matches!(self.link, Link::Up { ours: true, .. })
    }

    fn receive(&mut self, message: Message) {
        self.heard_at = self.now.time;
        match (message, &self.link) {
            (Message::Welcome(welcome), Link::Greeting) => self.welcome(&welcome),
            (_, Link::Greeting) => {
                self.disconnect("the server did not greet; is it a livery server?");
            }
            (message, Link::Up { .. }) => self.receive_greeted(message),
            _ => {}
        }
    }

    fn receive_greeted(&mut self, message: Message) {
        match message {
            Message::SyncOffer(offer) => self.offer(offer),
            Message::SendFiles(request) => self.send_files(request),
            Message::FileBegin(begin) => self.file_begin(&begin),
            Message::FileChunk(chunk) => self.file_chunk(chunk),
            Message::FileEnd(end) => self.file_end(&end),
            Message::ServerState(state) => self.server_state(state),
            Message::RequestManifest(_) if !self.config.dry_run => self.publish(),
            Message::ManifestFull(full) if self.config.dry_run => self.plan(full),
            Message::Error(report) => self.server_error(report),
            // A greeting was had, an acknowledgement changes nothing, and the rest is a client's to send.
            _ => {}
        }
    }

    fn welcome(&mut self, welcome: &Welcome) {
        let ours = welcome.liverysync.is_some();
        if self.config.dry_run && !ours {
            return self.disconnect(
                "this server is of the old kind and cannot tell what it has without syncing",
            );
        }
        let now = self.now.time;
        self.link = Link::Up { ours, since: now };
        self.ping_at = now + self.config.ping;
        self.busy_at = now;
        self.old_state_at = now + OLD_STATE_INTERVAL;
        self.event(Event::Connected { ours });
        self.hello();
        if self.config.dry_run {
            self.transmit(Message::RequestManifest(crate::wire::v1::RequestManifest::default()));
        } else {
            self.publish();
        }
    }

    fn hello(&mut self) {
        let hello = Hello {
            steam_id: self.config.steam_id.clone(),
            client_name: self.config.name.chars().take(NAME_CHARS_MAX).collect(),
            manifest_hash: self.folder.manifest().hash().to_string(),
            liverysync: self.server_is_ours().then_some(EXTENSION),
        };
        self.transmit(Message::Hello(hello));
    }

    /// Tells the server all that this PC holds.
    fn publish(&mut self) {
        let manifest = self.folder.manifest();
        self.transmit(Message::ManifestSummary(ManifestSummary {
            manifest_hash: manifest.hash().to_string(),
            file_count: manifest.len() as u64,
            total_bytes: manifest.total_bytes(),
        }));
        let files = manifest.iter().map(file_info).collect();
        let full = ManifestFull { sync_id: SyncId::default(), manifest: files };
        self.transmit(Message::ManifestFull(full));
        self.published = Some(manifest);
        self.standing = None;
    }

    /// Tells the server what it cannot know by itself. What open sessions installed is reported
    /// when they end.
    fn publish_changes(&mut self) {
        let Some(published) = self.published.as_ref().filter(|_| self.is_up()) else { return };
        let difference = diff(published, &self.folder.manifest());
        let reported_later: BTreeSet<_> = self
            .inbound
            .values()
            .filter(|session| session.listed && !session.over)
            .flat_map(|session| &session.files)
            .map(|file| file.path.key())
            .collect();
        let changed = difference.different.iter().map(|(_, new)| new);
        let mut news = difference.missing.iter().chain(changed).chain(&difference.extra);
        if news.any(|entry| !reported_later.contains(entry.path.key())) {
            self.publish();
        }
    }

    fn server_error(&mut self, report: ErrorReport) {
        if report.sync_id.is_none() {
            return self.event(Event::ServerError(report.message));
        }
        match report.rel_path {
            Some(path) => self.fail_offered(&report.sync_id, &path, &report.message),
            None => {
                self.outbound.remove(&report.sync_id);
                self.abort_inbound(&report.sync_id);
            }
        }
    }

    // ---- folder ---------------------------------------------------------------------------------

    fn apply(&mut self, effects: Effects) {
        for event in effects.events {
            self.event(event);
        }
        if let Some(request) = effects.request {
            let purpose = match request {
                DiskRequest::Hash(_) => Purpose::Hash,
                _ => Purpose::List,
            };
            self.request(request, purpose);
        }
        if effects.finished {
            self.publish_changes();
        }
    }

    // ---- this PC as a source --------------------------------------------------------------------

    fn send_files(&mut self, request: SendFiles) {
        let mut queue = VecDeque::new();
        let mut missing = Vec::new();
        for asked in request.paths {
            match self.resolve(&asked) {
                Some(file) => queue.push_back(file),
                None => missing.push(asked),
            }
        }
        for path in &missing {
            let (sync_id, path) = (request.sync_id.clone(), path.clone());
            self.event(Event::SendFailed { sync_id, path, reason: "it is not here".into() });
        }
        if self.server_is_ours() {
            for path in missing.drain(..) {
                self.report(&request.sync_id, "it is not here", Some((path, Fault::Missing)));
            }
        }
        self.busy_at = self.now.time;
        self.outbound.insert(request.sync_id.clone(), Outbound::new(queue, missing));
        self.pump(&request.sync_id);
    }

    /// Finds what a server asks for. One of protocol 1 asks for a rival by the name in the union,
    /// which this PC need not have yet.
    fn resolve(&self, asked: &str) -> Option<OutFile> {
        let path = RelPath::parse(asked, &self.config.rules.extensions).ok()?;
        let known = self.folder.get(path.key()).or_else(|| {
            let naming = &self.config.naming;
            let (plain, digits) = parse_conflict_name(&path, naming)?;
            // It may have a conflict name here too: the first server names rivals again.
            self.folder.known().iter().find(|known| {
                let own = parse_conflict_name(&known.path, naming);
                let own = own.as_ref().map_or(&known.path, |(plain, _)| plain);
                known.content.hash.short() == digits && own.key() == plain.key()
            })
        })?;
        Some(OutFile {
            asked: asked.to_owned(),
            path: known.path.clone(),
            stamp: known.stamp,
            content: known.content,
        })
    }

    /// Goes on with a session in which this PC is the source, as far as link and disk allow.
    fn pump(&mut self, sync_id: &SyncId) {
        while let Some(outbound) = self.outbound.get_mut(sync_id) {
            match outbound.poll() {
                Next::Begin(file) => self.transmit(Message::FileBegin(FileBegin {
                    sync_id: sync_id.clone(),
                    info: FileInfo {
                        rel_path: file.asked,
                        size: file.content.size,
                        sha256: file.content.hash.to_string(),
                        mtime: Some(file.stamp.mtime.as_seconds()),
                    },
                })),
                Next::Read(file, piece) => {
                    let (path, stamp) = (file.path.clone(), file.stamp);
                    let purpose = Purpose::Read(sync_id.clone(), file, piece.offset);
                    self.request(DiskRequest::Read { path, piece, stamp }, purpose);
                }
                Next::End(file) => {
                    let (path, bytes) = (file.path, file.content.size);
                    let end = FileEnd { sync_id: sync_id.clone(), rel_path: file.asked };
                    self.transmit(Message::FileEnd(end));
                    self.event(Event::FileSent { sync_id: sync_id.clone(), path, bytes });
                }
                Next::Wait => return,
                Next::Over => self.end_outbound(sync_id),
            }
        }
    }

    fn end_outbound(&mut self, sync_id: &SyncId) {
        let Some(outbound) = self.outbound.remove(sync_id) else { return };
        self.busy_at = self.now.time;
        if let Some(path) = outbound.missing.first() {
            // A server of protocol 1 would wait for ever, and offer the same file again.
            self.report(sync_id, &format!("not here: {path}"), None);
            self.publish();
        }
        self.event(Event::SessionEnded { sync_id: sync_id.clone() });
    }

    fn handle_read(
        &mut self,
        sync_id: SyncId,
        file: OutFile,
        offset: u64,
        outcome: Result<bytes::Bytes, DiskFault>,
    ) {
        let Some(outbound) = self.outbound.get_mut(&sync_id) else { return };
        if outbound.current().is_none_or(|current| current.asked != file.asked) {
            return;
        }
        match outcome {
            Ok(data) => {
                let bytes = data.len() as u64;
                self.event(Event::Sent { sync_id: sync_id.clone(), bytes });
                self.transmit(Message::FileChunk(FileChunk {
                    sync_id,
                    rel_path: file.asked,
                    offset,
                    data,
                }));
            }
            Err(fault) => {
                outbound.skip_current();
                // A target of protocol 1 drops a broken file only when it is told its end.
                let end = FileEnd { sync_id: sync_id.clone(), rel_path: file.asked.clone() };
                let gone = matches!(fault.kind, DiskFaultKind::Changed | DiskFaultKind::Missing);
                let (path, reason) = (file.asked.clone(), fault.message.clone());
                self.event(Event::SendFailed { sync_id: sync_id.clone(), path, reason });
                if self.server_is_ours() {
                    let kind = if gone { Fault::Missing } else { Fault::Failed };
                    self.report(&sync_id, &fault.message, Some((file.asked, kind)));
                } else if let Some(outbound) = self.outbound.get_mut(&sync_id) {
                    outbound.missing.push(file.asked);
                }
                self.transmit(Message::FileEnd(end));
                self.folder.walk_by(self.now.time);
                self.pump(&sync_id);
            }
        }
    }

    // ---- this PC as a target --------------------------------------------------------------------

    fn offer(&mut self, offer: SyncOffer) {
        self.busy_at = self.now.time;
        let sync_id = offer.sync_id;
        let files = offer.files.as_ref();
        let totals =
            files.map(|files| (files.len(), files.iter().map(|file| file.info.size).sum()));
        let (role, peer) = (offer.role, offer.peer_name);
        self.event(Event::SessionBegan { sync_id: sync_id.clone(), role, peer, files: totals });
        if role == Role::Source {
            return;
        }
        let listed = offer.files.is_some();
        self.inbound.insert(sync_id.clone(), Inbound::new(listed, self.now.time));
        for offered in offer.files.into_iter().flatten() {
            self.take_offered(&sync_id, offered);
        }
        self.check_inbound(&sync_id, false);
    }

    fn take_offered(&mut self, sync_id: &SyncId, offered: OfferedFile) {
        let name = offered.info.rel_path.clone();
        let (path, content, mtime) = match self.judge(&offered.info) {
            Ok(judged) => judged,
            Err((fault, reason)) => return self.refuse(sync_id, name, fault, &reason),
        };
        let has_it = self.folder.get(path.key()).is_some_and(|known| known.content == content);
        let copied = offered.copy_from.is_some();
        let mut state = if has_it { State::Installed } else { State::Waiting };
        if let (Some(from), false) = (offered.copy_from, has_it) {
            let from = RelPath::parse(&from, &self.config.rules.extensions).ok();
            let Some(from) = from.filter(|from| self.folder.get(from.key()).is_some()) else {
                return self.refuse(sync_id, name, Fault::Failed, "the file to copy is not here");
            };
            let stage = self.new_stage();
            self.request(DiskRequest::Copy(stage, from), Purpose::Copy(sync_id.clone(), stage));
            state = State::Sealing(stage);
        }
        if let Some(session) = self.inbound.get_mut(sync_id) {
            session.files.push(InFile { offered: name, path, content, mtime, copied, state });
        }
    }

    /// Whether an offered file may be installed here, and where.
    fn judge(
        &self,
        info: &FileInfo,
    ) -> Result<(RelPath, Content, Option<UnixTime>), (Fault, String)> {
        let rules = &self.config.rules;
        let declined = |reason: String| (Fault::Declined, reason);
        let path = RelPath::parse(&info.rel_path, &rules.extensions)
            .map_err(|invalid| declined(invalid.to_string()))?;
        let hash = info
            .sha256
            .parse()
            .map_err(|invalid: crate::hash::InvalidHash| declined(invalid.to_string()))?;
        if info.size > rules.file_bytes_max {
            return Err(declined(format!("larger than {} bytes", rules.file_bytes_max)));
        }
        if let Some(picture) = cached_picture(&path, rules)
            && !rules.derived_dds
            && self.folder.holds(picture.key())
        {
            return Err(declined(format!("the game's own cache of {picture}")));
        }
        let path = match self.folder.get(path.key()) {
            Some(known) => known.path.clone(),
            None => {
                let spelling = match self.folder.spelling_at(path.key()) {
                    Some(there) => there.to_owned(),
                    None => self.folder.known().respell(&path),
                };
                let path = RelPath::parse(&spelling, &rules.extensions)
                    .map_err(|invalid| declined(invalid.to_string()))?;
                self.folder.known().check(&path).map_err(|in_the_way| {
                    (Fault::Failed, format!("it cannot lie beside what is here: {in_the_way}"))
                })?;
                path
            }
        };
        let mtime = info.mtime.and_then(UnixTime::from_seconds);
        Ok((path, Content { hash, size: info.size }, mtime))
    }

    fn refuse(&mut self, sync_id: &SyncId, path: String, fault: Fault, reason: &str) {
        let declined = fault == Fault::Declined;
        if self.server_is_ours() {
            self.report(sync_id, reason, Some((path.clone(), fault)));
        } else if let Some(session) = self.inbound.get_mut(sync_id) {
            // An error would end the whole session there, and the next one would begin at once with
            // the same files. That one is missing shows in the manifest.
            session.refused = true;
        }
        let (sync_id, reason) = (sync_id.clone(), reason.to_owned());
        self.event(Event::ReceiveFailed { sync_id, path, reason, declined });
    }

    fn file_begin(&mut self, begin: &FileBegin) {
        let now = self.now.time;
        let Some(session) = self.inbound.get_mut(&begin.sync_id).filter(|session| !session.over)
        else {
            return;
        };
        session.active_at = now;
        if !session.listed {
            self.check_inbound(&begin.sync_id, true);
            let offered = OfferedFile { info: begin.info.clone(), copy_from: None };
            self.take_offered(&begin.sync_id, offered);
        }
        let Some(session) = self.inbound.get_mut(&begin.sync_id) else { return };
        let Some(index) = session.find(&begin.info.rel_path) else { return };
        let file = &session.files[index];
        if !matches!(file.state, State::Waiting) {
            return;
        }
        let (path, content) = (file.path.clone(), file.content);
        let announced = begin.info.sha256.parse();
        if announced != Ok(content.hash) || begin.info.size != content.size {
            return self.fail_at(
                &begin.sync_id,
                index,
                Fault::Failed,
                "it is not what was offered",
            );
        }
        let stage = self.new_stage();
        let receiver = Box::new(Receiver::new(content));
        if let Some(session) = self.inbound.get_mut(&begin.sync_id) {
            session.files[index].state = State::Receiving(stage, receiver);
        }
        let purpose = Purpose::Stage(begin.sync_id.clone(), stage);
        self.request(DiskRequest::Create(stage, content.size), purpose);
        let (sync_id, bytes) = (begin.sync_id.clone(), content.size);
        self.event(Event::Receiving { sync_id, path, bytes });
    }

    fn file_chunk(&mut self, chunk: FileChunk) {
        let now = self.now.time;
        let Some(session) = self.inbound.get_mut(&chunk.sync_id) else { return };
        session.active_at = now;
        let Some(index) = session.find(&chunk.rel_path) else { return };
        let State::Receiving(stage, receiver) = &mut session.files[index].state else { return };
        let stage = *stage;
        if let Err(fault) = receiver.accept(chunk.offset, &chunk.data) {
            return self.fail_at(&chunk.sync_id, index, Fault::Failed, &fault.to_string());
        }
        let bytes = chunk.data.len() as u64;
        let purpose = Purpose::Stage(chunk.sync_id.clone(), stage);
        self.request(DiskRequest::Write(stage, chunk.offset, chunk.data), purpose);
        self.event(Event::Received { sync_id: chunk.sync_id, bytes });
    }

    fn file_end(&mut self, end: &FileEnd) {
        let now = self.now.time;
        let Some(session) = self.inbound.get_mut(&end.sync_id) else { return };
        session.active_at = now;
        let Some(index) = session.find(&end.rel_path) else { return };
        let file = &mut session.files[index];
        let state = std::mem::replace(&mut file.state, State::Failed);
        let State::Receiving(stage, receiver) = state else {
            file.state = state;
            return;
        };
        file.state = State::Sealing(stage);
        match receiver.finish() {
            Ok(_) => {
                let purpose = Purpose::Seal(end.sync_id.clone(), stage);
                self.request(DiskRequest::Seal(stage), purpose);
            }
            Err(fault) => self.fail_at(&end.sync_id, index, Fault::Failed, &fault.to_string()),
        }
    }

    /// The server says that a file of a session will not come.
    fn fail_offered(&mut self, sync_id: &SyncId, offered: &str, reason: &str) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let Some(index) = session.find(offered) else { return };
        let file = &mut session.files[index];
        if !matches!(file.state, State::Waiting | State::Receiving(..)) {
            return;
        }
        let stage = file.stage();
        file.state = State::Failed;
        self.discard(stage);
        let (sync_id_, path, reason) = (sync_id.clone(), offered.to_owned(), reason.to_owned());
        self.event(Event::ReceiveFailed { sync_id: sync_id_, path, reason, declined: false });
        self.check_inbound(sync_id, false);
    }

    /// Gives up a file of a session and tells the server.
    fn fail_at(&mut self, sync_id: &SyncId, index: usize, fault: Fault, reason: &str) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let file = &mut session.files[index];
        let (stage, offered) = (file.stage(), file.offered.clone());
        file.state = State::Failed;
        self.discard(stage);
        self.refuse(sync_id, offered, fault, reason);
        self.check_inbound(sync_id, false);
    }

    fn discard(&mut self, stage: Option<StageId>) {
        if let Some(stage) = stage {
            self.request(DiskRequest::Discard(stage), Purpose::Discard);
        }
    }

    /// Ends a session for which nothing more will come. What is being put in place still is.
    fn abort_inbound(&mut self, sync_id: &SyncId) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        session.over = true;
        let mut stages = Vec::new();
        for file in &mut session.files {
            if !matches!(file.state, State::Installing(_) | State::Installed) {
                stages.push(file.stage());
                file.state = State::Failed;
            }
        }
        for stage in stages {
            self.discard(stage);
        }
        self.check_inbound(sync_id, false);
    }

    /// Installs what is complete, and ends the session once nothing is under way.
    fn check_inbound(&mut self, sync_id: &SyncId, quiet: bool) {
        let Some(session) = self.inbound.get(sync_id) else { return };
        for group in session.ready(quiet) {
            self.install(sync_id, &group);
        }
        let Some(session) = self.inbound.get(sync_id) else { return };
        let ends_by_itself = session.listed || session.over;
        if ends_by_itself && session.is_settled() {
            self.end_inbound(sync_id);
        }
    }

    fn install(&mut self, sync_id: &SyncId, group: &[usize]) {
        // What lies there may be newer than the server's offer, so even a server that sees to it that
        // rivals get their names first may not know of it.
        let arriving: BTreeSet<_> = self
            .inbound
            .values()
            .flat_map(|session| &session.files)
            .filter(|file| !file.is_settled())
            .map(|file| file.path.key().clone())
            .collect();
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let (mut files, mut stages, mut kept, mut paths) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for index in group {
            let file = &mut session.files[*index];
            let State::Staged(stage) = file.state else { continue };
            file.state = State::Installing(stage);
            let keep_as = rival_name(&self.folder, &file.path, &self.config, &arriving);
            files.push(InstallFile {
                stage,
                path: file.path.clone(),
                mtime: file.mtime,
                replaces: self.folder.stamp_at(&file.path),
                keep_as: keep_as.clone(),
            });
            stages.push(stage);
            kept.push(keep_as);
            paths.push(file.path.clone());
        }
        let clear = if self.config.rules.derived_dds {
            Vec::new()
        } else {
            self.folder.stale_beside(&paths).into_iter().map(Into::into).collect()
        };
        let plan = InstallPlan { date: self.now.date, files, clear };
        let purpose = Purpose::Install(sync_id.clone(), stages, kept);
        self.request(DiskRequest::Install(plan), purpose);
    }

    fn handle_installed(
        &mut self,
        sync_id: &SyncId,
        stages: &[StageId],
        kept: Vec<Option<RelPath>>,
        outcomes: Vec<Result<Installed, DiskFault>>,
    ) {
        for ((stage, keep_as), outcome) in stages.iter().zip(kept).zip(outcomes) {
            let Some(session) = self.inbound.get_mut(sync_id) else { return };
            let Some(index) = session.by_stage(*stage) else { continue };
            let file = &mut session.files[index];
            let (path, content, copied) = (file.path.clone(), file.content, file.copied);
            match outcome {
                Ok(installed) => {
                    file.state = State::Installed;
                    self.folder.handle_installed(path.clone(), installed.stamp, content);
                    let kept_as = keep_as.filter(|_| installed.kept);
                    if kept_as.is_some() {
                        self.folder.walk_by(self.now.time);
                    }
                    self.event(Event::Installed {
                        sync_id: sync_id.clone(),
                        path,
                        bytes: content.size,
                        backup: installed.backup,
                        copied,
                        kept_as,
                    });
                }
                Err(fault) => {
                    // What was not put in place is still staged.
                    self.discard(Some(*stage));
                    if fault.kind == DiskFaultKind::Changed {
                        self.folder.walk_by(self.now.time);
                    }
                    self.fail_at(sync_id, index, Fault::Failed, &fault.message);
                }
            }
        }
        self.check_inbound(sync_id, false);
    }

    fn end_inbound(&mut self, sync_id: &SyncId) {
        let Some(session) = self.inbound.remove(sync_id) else { return };
        self.busy_at = self.now.time;
        let installed = session.installed();
        if session.over || !self.is_up() {
            self.publish_changes();
        } else if session.listed {
            // The server knows these contents and brings its picture of this PC up to date itself.
            if let Some(published) = &mut self.published {
                for file in
                    session.files.iter().filter(|file| matches!(file.state, State::Installed))
                {
                    let (path, content, mtime) = (file.path.clone(), file.content, file.mtime);
                    let _fits = published.replace(Entry { path, content, mtime });
                }
            }
            let hash = self.published.as_ref().map(Manifest::hash);
            self.transmit(Message::SyncDone(SyncDone {
                sync_id: sync_id.clone(),
                new_manifest_hash: hash.map(|hash| hash.to_string()).unwrap_or_default(),
                installed: Some(installed),
            }));
            self.standing = None;
            self.publish_changes();
        } else {
            self.publish();
            let new_manifest_hash = self.folder.manifest().hash().to_string();
            let done = SyncDone { sync_id: sync_id.clone(), new_manifest_hash, installed: None };
            self.transmit(Message::SyncDone(done));
        }
        self.event(Event::SessionEnded { sync_id: sync_id.clone() });
    }

    // ---- disk -----------------------------------------------------------------------------------

    fn request(&mut self, request: DiskRequest, purpose: Purpose) {
        let op = OpId(self.next_op);
        self.next_op += 1;
        self.ops.insert(op, purpose);
        self.outputs.push_back(Output::Disk(op, request));
    }

    const fn new_stage(&mut self) -> StageId {
        self.next_stage += 1;
        StageId(self.next_stage)
    }

    fn disk(&mut self, op: OpId, outcome: DiskOutcome) {
        let Some(purpose) = self.ops.remove(&op) else { return };
        match (purpose, outcome) {
            (Purpose::Sweep, _) => self.swept = true,
            (Purpose::List, DiskOutcome::Listed(listed)) => {
                let effects = self.folder.handle_listed(self.now, listed, &self.config);
                self.apply(effects);
            }
            (Purpose::Hash, DiskOutcome::Hashed(hashed)) => {
                let effects = self.folder.handle_hashed(self.now, hashed, &self.config);
                self.apply(effects);
            }
            (Purpose::Read(sync_id, file, offset), DiskOutcome::Read(outcome)) => {
                self.handle_read(sync_id, file, offset, outcome);
            }
            (Purpose::Stage(sync_id, stage), DiskOutcome::Done(Err(fault)))
            | (Purpose::Seal(sync_id, stage), DiskOutcome::Done(Err(fault)))
            | (Purpose::Copy(sync_id, stage), DiskOutcome::Copied(Err(fault))) => {
                self.fail_stage(&sync_id, stage, &fault.message);
            }
            (Purpose::Seal(sync_id, stage), DiskOutcome::Done(Ok(()))) => {
                self.staged(&sync_id, stage, None);
            }
            (Purpose::Copy(sync_id, stage), DiskOutcome::Copied(Ok(content))) => {
                self.staged(&sync_id, stage, Some(content));
            }
            (Purpose::Install(sync_id, stages, kept), DiskOutcome::Installed(outcomes)) => {
                self.handle_installed(&sync_id, &stages, kept, outcomes);
            }
            _ => {}
        }
    }

    fn fail_stage(&mut self, sync_id: &SyncId, stage: StageId, reason: &str) {
        let index = self.inbound.get(sync_id).and_then(|session| session.by_stage(stage));
        if let Some(index) = index {
            self.fail_at(sync_id, index, Fault::Failed, reason);
        }
    }

    /// A file lies whole in `.tmp`. Of a copy it is known only now what it holds.
    fn staged(&mut self, sync_id: &SyncId, stage: StageId, copied: Option<Content>) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let Some(index) = session.by_stage(stage) else { return };
        let file = &mut session.files[index];
        if copied.is_some_and(|copied| copied != file.content) {
            self.folder.walk_by(self.now.time);
            return self.fail_at(sync_id, index, Fault::Failed, "the file to copy has changed");
        }
        file.state = State::Staged(stage);
        self.check_inbound(sync_id, false);
    }

    // ---- in step --------------------------------------------------------------------------------

    fn server_state(&mut self, state: ServerState) {
        match state.standing {
            Some(standing) => {
                self.standing = Some(standing);
                let Standing { missing, missing_bytes, wanted, withheld, .. } = standing;
                self.event(Event::Standing { missing, missing_bytes, wanted, withheld });
            }
            None => self.old_state = Some(state.current_hash),
        }
    }

    /// Tells people once when this PC holds the union and nobody needs it.
    fn check_in_step(&mut self) {
        // A walk that may well find nothing new is no reason to fall out of step.
        let quiet = self.folder.is_quiet() || (self.in_step && self.folder.is_listing());
        let idle = self.inbound.is_empty() && self.outbound.is_empty() && quiet;
        let now_in_step = if idle { self.how_in_step() } else { None };
        let was_in_step = std::mem::replace(&mut self.in_step, now_in_step.is_some());
        if let (Some((withheld, certain)), false) = (now_in_step, was_in_step) {
            let manifest = self.folder.manifest();
            let (files, bytes) = (manifest.len(), manifest.total_bytes());
            self.event(Event::InStep { files, bytes, withheld, certain });
        }
    }

    /// If this PC holds the union and nobody needs it: how many files are withheld from it, and
    /// whether the server said so.
    fn how_in_step(&self) -> Option<(u64, bool)> {
        let Link::Up { ours, .. } = self.link else { return None };
        if ours {
            let standing =
                self.standing.filter(|standing| standing.missing == 0 && standing.wanted == 0)?;
            let current = self.published.as_ref()?.hash();
            return (current == standing.manifest_hash).then_some((standing.withheld, true));
        }
        let quiet = self.now.time.since(self.busy_at);
        if quiet < OLD_STATE_INTERVAL {
            return None;
        }
        let own = self.folder.manifest().union_hash().to_string();
        let same = self.old_state.as_ref() == Some(&own);
        (same || quiet >= OLD_QUIET).then_some((0, same))
    }

    // ---- dry run --------------------------------------------------------------------------------

    /// Compares the union that the server told with this PC.
    fn plan(&mut self, union: ManifestFull) {
        if std::mem::replace(&mut self.planned, true) {
            return;
        }
        let mut plan = Plan::default();
        let mut wanted = Manifest::new();
        for info in union.manifest {
            match self.judge(&info) {
                Ok((path, content, mtime)) => {
                    let _same_as_before = wanted.insert(Entry { path, content, mtime });
                }
                Err((_, reason)) => plan.refuse.push((info.rel_path, reason)),
            }
        }
        let difference = diff(&self.folder.manifest(), &wanted);
        let sized = |entry: &Entry| (entry.path.clone(), entry.content.size);
        plan.receive.extend(difference.missing.iter().map(sized));
        plan.send.extend(difference.extra.iter().map(sized));
        for (own, wanted) in &difference.different {
            plan.receive.push(sized(wanted));
            plan.send.push(sized(own));
            if let Some(name) = rival_name(&self.folder, &own.path, &self.config, &BTreeSet::new())
            {
                plan.conflicts.push((own.path.clone(), name));
            }
        }
        self.event(Event::Plan(plan));
    }

    // ---- timers ---------------------------------------------------------------------------------

    fn run_timers(&mut self) {
        let now = self.now.time;
        if self.swept {
            let effects = self.folder.handle_timeout(now);
            self.apply(effects);
        }
        match self.link {
            Link::Down(retry_at) if retry_at <= now && self.folder.is_ready() => {
                self.link = Link::Connecting;
                self.outputs.push_back(Output::Connect);
            }
            Link::Greeting | Link::Up { .. }
                if now.since(self.heard_at) >= self.config.silence_timeout =>
            {
                self.disconnect("the server has been silent for too long");
            }
            Link::Up { ours, .. } => {
                if self.ping_at <= now {
                    self.ping_at = now + self.config.ping;
                    self.transmit(Message::Ping);
                }
                if !ours && self.config.once && self.old_state_at <= now {
                    self.old_state_at = now + OLD_STATE_INTERVAL;
                    // The answer to HELLO is the only way to learn an old server's union.
                    self.hello();
                }
                self.run_session_timers();
            }
            _ => {}
        }
    }

    fn run_session_timers(&mut self) {
        let now = self.now.time;
        for (sync_id, at) in self.session_deadlines() {
            if at > now {
                continue;
            }
            let Some(session) = self.inbound.get(&sync_id) else { continue };
            if session.over {
                continue;
            }
            let between_files = session
                .files
                .iter()
                .all(|file| !matches!(file.state, State::Waiting | State::Receiving(..)));
            if session.listed || session.is_untouched() || !between_files {
                self.report(&sync_id, "nothing came for too long", None);
                self.abort_inbound(&sync_id);
            } else if session.is_settled() {
                self.end_inbound(&sync_id);
            } else {
                self.check_inbound(&sync_id, true);
            }
        }
    }

    /// When each session in which this PC is the target is looked at for want of news.
    fn session_deadlines(&self) -> Vec<(SyncId, Time)> {
        let deadline = |session: &Inbound| {
            let waiting =
                |file: &InFile| matches!(file.state, State::Waiting | State::Receiving(..));
            let over =
                session.listed || session.is_untouched() || session.files.iter().any(waiting);
            let quiet = if session.refused { OLD_SESSION_HOLD } else { OLD_SESSION_QUIET };
            let installing = session
                .files
                .iter()
                .any(|file| matches!(file.state, State::Installing(_) | State::Sealing(_)));
            let stall = self.config.stall_timeout;
            let stall = if session.listed { stall } else { stall.min(OLD_SESSION_STALL) };
            // The disk answers in its own time, and with an outcome in any case.
            (!installing).then(|| session.active_at + if over { stall } else { quiet })
        };
        let open = self.inbound.iter().filter(|(_, session)| !session.over);
        open.filter_map(|(id, session)| Some((id.clone(), deadline(session)?))).collect()
    }

    fn next_wake(&self) -> Option<Wake> {
        let mut earliest = Earliest::default();
        if let Some(at) = self.folder.wake().filter(|_| self.swept) {
            earliest.at(at, "walk the folder");
        }
        match self.link {
            Link::Down(retry_at) if self.folder.is_ready() => earliest.at(retry_at, "connect"),
            Link::Greeting => earliest.at(self.heard_at + self.config.silence_timeout, "silence"),
            Link::Up { ours, .. } => {
                earliest.at(self.heard_at + self.config.silence_timeout, "silence");
                earliest.at(self.ping_at, "ping");
                if !ours {
                    for at in [self.busy_at + OLD_STATE_INTERVAL, self.busy_at + OLD_QUIET] {
                        if at > self.now.time {
                            earliest.at(at, "quiet");
                        }
                    }
                    if self.config.once {
                        earliest.at(self.old_state_at, "ask for the state");
                    }
                }
                for (_, at) in self.session_deadlines() {
                    earliest.at(at, "session");
                }
            }
            _ => {}
        }
        earliest.wake()
    }

    // ---- small helpers --------------------------------------------------------------------------

    fn transmit(&mut self, message: Message) {
        if self.is_up() {
            self.outputs.push_back(Output::Transmit(message));
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Reports an error of a session, about one of its files or about all of it.
    fn report(&mut self, sync_id: &SyncId, message: &str, file: Option<(String, Fault)>) {
        let ours = self.server_is_ours();
        let (rel_path, fault) =
            file.map_or((None, None), |(path, fault)| (Some(path), Some(fault)));
        let message = match &rel_path {
            Some(path) if !ours => format!("{path}: {message}"),
            _ => message.to_owned(),
        };
        let (rel_path, fault) = if ours { (rel_path, fault) } else { (None, None) };
        let report = ErrorReport { sync_id: sync_id.clone(), message, rel_path, fault };
        self.transmit(Message::Error(report));
    }
}

fn file_info(entry: &Entry) -> FileInfo {
    FileInfo {
        rel_path: entry.path.as_str().to_owned(),
        size: entry.content.size,
        sha256: entry.content.hash.to_string(),
        mtime: entry.mtime.map(UnixTime::as_seconds),
    }
}

/// The name under which what this PC publishes at `path` lives on when it is replaced; `None` if
/// nothing would be lost. `arriving` is about to be replaced as well.
fn rival_name(
    folder: &Folder,
    path: &RelPath,
    config: &ClientConfig,
    arriving: &BTreeSet<PathKey>,
) -> Option<RelPath> {
    let own = folder.get(path.key())?;
    let elsewhere = folder.known().iter().any(|other| {
        let key = other.path.key();
        other.content == own.content && key != path.key() && !arriving.contains(key)
    });
    if elsewhere {
        return None;
    }
    let taken = |name: &RelPath| folder.holds(name.key());
    conflict_name(path, own.content.hash, &config.naming, taken).ok()
}
