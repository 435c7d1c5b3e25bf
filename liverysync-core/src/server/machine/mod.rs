//! The control machine: it composes union, scheduler, peers and sessions, and owns the timers.

mod downloads;
mod manifests;
mod merging;
mod scheduling;
mod sync_status;
mod uploads;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    mem,
    time::Duration,
};

use self::merging::Pending;
use super::{
    Event, Input, Output, Progress, Protocol, ServerConfig, StartDownload, Withheld, allows,
    manifest_check::{CheckedManifest, check_manifest},
    peer::{Job, Peer},
    session::{Download, DownloadFile, State, Upload, UploadFile},
    store_index::StoreIndex,
};
use crate::{
    conflict::Naming,
    diff::diff,
    hash::{Content, ContentHash},
    league::{Act, MemberId, Record},
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath},
    rng::Rng,
    schedule::{self, Want},
    select::Skipped,
    time::{Earliest, Time},
    transfer::{Compression, RequestedFile, SourceFault, UploadEvent, UploadStream},
    union::{Change, Gained, Outcome, PeerId, Union, UnionEntry},
    wire::{
        data::TransferId,
        messages::{
            Accept, ErrorReport, Fault, FileBegin, FileInfo, FileRequest, Hello, ManifestChanges,
            ManifestFull, Message, OfferedFile, PROTOCOL_2, RequestManifest, Resume, Retire, Role,
            SendFiles, ServerState, SyncDone, SyncDoneAck, SyncId, SyncOffer, SyncStatus, Welcome,
        },
    },
};

/// How often clients of ours are told how they stand, at most.
const SYNC_STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// The same while this many files or more are lacked in all: it takes time to look at each of them.
const SLOW_INTERVAL: Duration = Duration::from_secs(1);
const LACKING_MANY: usize = 1000;

/// How long nothing is fetched after the store could not keep something: its disk may be full.
const STORE_PAUSE: Duration = Duration::from_secs(10);

/// The store among those who hold contents. Links are numbered from one.
const STORE: PeerId = PeerId(0);

/// How long a target of protocol 1 is waited for after it said that it is done: the first
/// generation says so once per file, and the last time may be still to come.
const LATE_DONE: Duration = Duration::from_secs(3);

/// How long until a client that was told to put a file away, and still has it, is told again.
const RETIRE_RETRY: Duration = Duration::from_secs(30);

/// How long a target may take to install what it has got.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(120);

/// The league's server without its sockets. See the [module documentation](super).
#[derive(Debug)]
pub struct ServerMachine {
    config: ServerConfig,
    rng: Rng,
    now: Time,
    union: Union,
    union_hash: Option<ContentHash>,
    /// The hash by which a client says that it holds the union, and nothing else.
    union_manifest_hash: Option<ContentHash>,
    peers: BTreeMap<PeerId, Peer>,
    uploads: BTreeMap<SyncId, Upload>,
    downloads: BTreeMap<SyncId, Download>,
    store: StoreIndex,
    /// Contents that are in the store, or not any more, since the union took its last step.
    kept: BTreeSet<Content>,
    lost_content: BTreeSet<Content>,
    /// What stands for the store where protocol 1 wants a client's id.
    store_id: String,
    /// Nothing is fetched before.
    store_paused_until: Time,
    /// Who uploads what next; `None` if that has to be thought over.
    plan: Option<schedule::Plan>,
    allowed: Option<BTreeSet<String>>,
    /// How conflict names are recognized in keys.
    key_naming: Naming,
    pending: BTreeMap<PeerId, Pending>,
    gone: Vec<(PeerId, Manifest)>,
    arrivals: u64,
    merge_at: Option<Time>,
    schedule_at: Option<Time>,
    tick_at: Time,
    sync_status_at: Option<Time>,
    sync_statuses_sent: Time,
    was_in_sync: bool,
    outputs: VecDeque<Output>,
}

impl ServerMachine {
    /// Makes a server with no clients. `seed` fixes every id that it will hand out.
    #[must_use]
    pub fn new(config: ServerConfig, seed: u64, now: Time) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            union: Union::new(config.policy, config.naming.clone()).with_updates(config.updates),
            union_hash: None,
            union_manifest_hash: None,
            tick_at: now + config.scheduler_tick,
            key_naming: config.naming.folded(),
            config,
            store_id: rng.client_id(),
            rng,
            now,
            peers: BTreeMap::new(),
            uploads: BTreeMap::new(),
            downloads: BTreeMap::new(),
            store: StoreIndex::default(),
            kept: BTreeSet::new(),
            lost_content: BTreeSet::new(),
            store_paused_until: Time::ZERO,
            plan: None,
            allowed: None,
            pending: BTreeMap::new(),
            gone: Vec::new(),
            arrivals: 0,
            merge_at: None,
            schedule_at: None,
            sync_status_at: None,
            sync_statuses_sent: Time::ZERO,
            was_in_sync: false,
            outputs: VecDeque::new(),
        }
    }

    /// The same with what the league remembers, which is all that [`Output::Record`] has ever told, in its order.
    #[must_use]
    pub fn with_records<'a>(mut self, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let ServerConfig { policy, ref naming, updates, .. } = self.config;
        self.union = Union::replay(policy, naming.clone(), updates, records);
        self
    }

    /// The union as it is.
    #[must_use]
    pub const fn union(&self) -> &Union {
        &self.union
    }

    /// Number of sessions that are open.
    #[must_use]
    pub fn sessions_open(&self) -> usize {
        self.uploads.len() + self.downloads.len()
    }

    /// Feeds one thing that happened.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        debug_assert!(self.outputs.is_empty(), "outputs must be drained before the next input");
        self.now = self.now.max(now);
        match input {
            Input::Kept(contents) => contents.into_iter().for_each(|content| self.keep(content)),
            Input::Partial(hash, bytes) => self.partial(hash, bytes),
            Input::Downloaded(id, transfer, progress) => {
                self.download_progressed(id, transfer, progress)
            }
            Input::Spoiled(hash) => {
                self.store.content(hash).into_iter().for_each(|content| self.spoiled(content));
            }
            Input::Accepted(id, address) => self.accept(id, address),
            Input::Lost(id, reason) => self.remove(id, reason),
            Input::Received(id, message) => self.receive(id, message),
            Input::Uploaded(source, sync_id, event) => {
                self.upload_progressed(source, &sync_id, event)
            }
            Input::AllowList(list) => self.allow(list),
            Input::Act(number, act) => self.act(number, &act),
            Input::Timeout => {}
        }
        self.run_timers();
    }

    /// What to do next. Call until it returns [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_wake()))
    }

    fn accept(&mut self, id: PeerId, address: String) {
        debug_assert!(self.peers.keys().all(|known| *known < id), "peer numbers must grow");
        let client_id = self.rng.client_id();
        let welcome = Welcome { client_id: client_id.clone(), liverysync: Some(PROTOCOL_2) };
        self.peers.insert(id, Peer::new(client_id, address, self.now));
        self.outputs.push_back(Output::to(id, Message::Welcome(welcome)));
    }

    fn close(&mut self, id: PeerId, reason: &str) {
        if self.peers.contains_key(&id) {
            self.remove(id, reason.to_owned());
            self.outputs.push_back(Output::Close(id, reason.to_owned()));
        }
    }

    fn remove(&mut self, id: PeerId, reason: String) {
        let Some(peer) = self.peers.remove(&id) else { return };
        for sync_id in &peer.uploads {
            let Some(upload) = self.uploads.remove(sync_id) else { continue };
            for file in upload.files.iter().filter(|file| file.asked) {
                self.store.close(file.content.hash);
            }
            self.session_ended(sync_id, Some(&peer.name), &upload);
        }
        for sync_id in &peer.downloads {
            self.end_download(sync_id);
        }
        self.pending.remove(&id);
        if let Some(manifest) = peer.manifest.filter(|_| peer.merged) {
            self.gone.push((id, manifest));
            self.merge_soon();
        }
        self.plan = None;
        if peer.greeted {
            self.event(Event::Left { peer: id, name: peer.name, reason });
        }
    }

    fn receive(&mut self, id: PeerId, message: Message) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.heard_at = now;
        if !peer.greeted && !matches!(message, Message::Hello(_)) {
            return self.close(id, "it sent something else before HELLO");
        }
        match message {
            Message::Hello(hello) => self.hello(id, hello),
            Message::ManifestFull(full) => self.manifest(id, full),
            Message::ManifestChanges(changes) => self.manifest_changes(id, changes),
            Message::Accept(accept) => self.accept_offer(id, accept),
            Message::SyncDone(done) => self.sync_done(id, done),
            Message::Error(report) => {
                self.source_error(id, &report);
                self.target_error(id, &report);
            }
            Message::RequestManifest(_) => self.tell_union(id),
            Message::Ping => self.outputs.push_back(Output::to(id, Message::Pong)),
            // A summary says nothing that the manifest after it does not say. Everything else is
            // a server's to send, or of another generation.
            _ => {}
        }
    }

    fn hello(&mut self, id: PeerId, hello: Hello) {
        let chars_max = self.config.name_chars_max;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let first_time = !peer.greeted;
        peer.greeted = true;
        let name: String = hello.client_name.chars().take(chars_max).collect();
        if !name.trim().is_empty() {
            peer.name = name;
        }
        if hello.liverysync.is_some_and(|version| version >= PROTOCOL_2) {
            peer.protocol = Protocol::V2;
        }
        let (ours, told) = (peer.speaks_v2(), hello.manifest_hash.clone());
        let key = hello.member_key.and_then(|key| key.parse().ok());
        peer.author = key.as_ref().map(MemberId::of);
        let seen = peer.author.map(|author| (author, peer.name.clone()));
        if let Some((author, name)) = seen {
            self.outputs.push_back(Output::Record(vec![Record::Seen { author, name }]));
        }
        let current_hash = match self.current_union_hash() {
            Some(hash) => hash.to_string(),
            None => hello.manifest_hash,
        };
        let state = ServerState { current_hash, ..ServerState::default() };
        self.outputs.push_back(Output::to(id, Message::ServerState(state)));
        if first_time && let Some(peer) = self.peers.get(&id) {
            let (name, address) = (peer.name.clone(), peer.address.clone());
            let protocol = peer.protocol;
            self.event(Event::Joined { peer: id, name, address, protocol });
        }
        if !first_time && ours {
            self.offer_declined_again(id);
        }
        // Who only looks says no hash.
        if first_time && ours && !told.is_empty() {
            self.compare(id, &told);
        }
    }

    /// A client of ours that introduces itself once more takes back what it has refused.
    fn offer_declined_again(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.clear_declined() {
            peer.jobs = None;
            self.plan = None;
            self.schedule_soon();
            self.invalidate_status(id);
        }
    }

    /// Whether the livery of this file is distributed.
    fn is_allowed(&self, key: &PathKey) -> bool {
        allows(self.allowed.as_ref(), key, &self.key_naming)
    }

    /// Tells a client of ours that only looks what the union is.
    fn tell_union(&mut self, id: PeerId) {
        if speaks_v2(&self.peers, id) {
            let allowed = self.union.iter().filter(|entry| self.is_allowed(entry.path.key()));
            let manifest = allowed.map(union_file).collect();
            let remarks = Some(self.remarks());
            let full = ManifestFull { manifest, remarks, ..ManifestFull::default() };
            self.outputs.push_back(Output::to(id, Message::ManifestFull(full)));
        }
    }

    fn current_union_hash(&mut self) -> Option<ContentHash> {
        if self.union.is_empty() {
            return None;
        }
        if self.union_hash.is_none() {
            self.union_hash = Some(self.union.manifest().union_hash());
        }
        self.union_hash
    }

    /// Does what an administrator wants.
    fn act(&mut self, number: u64, act: &Act) {
        // What peers have told by now is part of what it is about.
        self.merge_at = None;
        self.merge();
        match self.union.act(act) {
            Ok((report, mut step)) => {
                let (outcome, records) = (Ok(report), mem::take(&mut step.records));
                self.outputs.push_back(Output::Acted { number, outcome, records });
                self.took_step(step, &BTreeMap::new());
            }
            Err(error) => {
                let (outcome, records) = (Err(error), Vec::new());
                self.outputs.push_back(Output::Acted { number, outcome, records });
            }
        }
    }

    fn allow(&mut self, list: Option<BTreeSet<String>>) {
        if self.allowed != list {
            self.allowed = list;
            for peer in self.peers.values_mut() {
                peer.told_withheld.clear();
                peer.jobs = None;
            }
            self.plan = None;
            self.schedule_soon();
        }
    }

    fn run_timers(&mut self) {
        if self.merge_at.is_some_and(|at| at <= self.now) {
            self.merge_at = None;
            self.merge();
        }
        if self.tick_at <= self.now {
            self.tick_at = self.now + self.config.scheduler_tick;
            self.tick();
        }
        if self.schedule_at.is_some_and(|at| at <= self.now) {
            self.schedule_at = None;
            self.schedule();
        }
        if self.sync_status_at.is_some_and(|at| at <= self.now) {
            self.sync_status_at = None;
            self.tell_sync_statuses();
        }
    }

    fn next_wake(&self) -> Option<crate::time::Wake> {
        if self.peers.is_empty() && self.merge_at.is_none() {
            return None;
        }
        let mut earliest = Earliest::default();
        earliest.at(self.tick_at, "tick");
        let timers = [
            (self.merge_at, "merge"),
            (self.schedule_at, "schedule"),
            (self.sync_status_at, "sync_status"),
        ];
        for (at, why) in timers {
            if let Some(at) = at {
                earliest.at(at, why);
            }
        }
        earliest.wake()
    }

    /// Looks for what time alone brings about.
    fn tick(&mut self) {
        let now = self.now;
        let uploads = self.uploads.iter().filter(|(_, upload)| upload.deadline <= now);
        for sync_id in uploads.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.time_out_source(&sync_id);
        }
        self.cancel_hopeless();
        let downloads = self.downloads.iter().filter(|(_, download)| self.is_overdue(download));
        for sync_id in downloads.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.time_out_target(&sync_id);
        }

        let (hello, silence) = (self.config.hello_timeout, self.config.silence_timeout);
        let dead: Vec<_> = self
            .peers
            .iter()
            .filter_map(|(id, peer)| {
                if !peer.greeted && now.since(peer.accepted_at) >= hello {
                    Some((*id, "it did not say HELLO in time"))
                } else if peer.silent_for(now) >= silence {
                    Some((*id, "it has been silent for too long"))
                } else {
                    None
                }
            })
            .collect();
        for (id, reason) in dead {
            self.close(id, reason);
        }

        let mut stale = Vec::new();
        let mut drained = Vec::new();
        for (id, peer) in &mut self.peers {
            if let Some((sync_id, until)) = &peer.draining
                && *until <= now
            {
                drained.push((*id, sync_id.clone()));
            }
            let unasked = peer.asked_at.is_none();
            let old = now.since(peer.manifest_at) >= self.config.manifest_stale;
            if peer.greeted && !peer.speaks_v2() && unasked && old && peer.is_idle() {
                stale.push(*id);
            }
            if peer.deferred && peer.downloads.is_empty() {
                peer.jobs = None;
            }
        }
        for (id, sync_id) in drained {
            self.drained(id, &sync_id);
        }
        for id in stale {
            self.request_manifest(id);
        }
        self.retire_unwanted();
        if self.peers.values().any(|peer| !peer.lacking.is_empty()) {
            if self.uploads.is_empty() {
                self.plan = None;
            }
            self.schedule_at = Some(now);
        }
    }

    fn request_manifest(&mut self, id: PeerId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.asked_at.get_or_insert(now);
        let request = RequestManifest::default();
        self.outputs.push_back(Output::to(id, Message::RequestManifest(request)));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn name_of(&self, id: PeerId) -> Option<String> {
        self.peers.get(&id).map(|peer| peer.name.clone())
    }

    /// Reports an error to a client of ours; those of protocol 1 would not know what to do with it.
    fn report(&mut self, id: PeerId, sync_id: &SyncId, message: &str, file: Option<(&str, Fault)>) {
        if speaks_v2(&self.peers, id) {
            let report = ErrorReport {
                sync_id: sync_id.clone(),
                message: message.to_owned(),
                rel_path: file.map(|(path, _)| path.to_owned()),
                fault: file.map(|(_, fault)| fault),
            };
            self.outputs.push_back(Output::to(id, Message::Error(report)));
        }
    }
}

fn speaks_v2(peers: &BTreeMap<PeerId, Peer>, id: PeerId) -> bool {
    peers.get(&id).is_some_and(Peer::speaks_v2)
}

fn union_file(entry: &UnionEntry) -> FileInfo {
    FileInfo::new(entry.path.as_str(), entry.content, entry.mtime, true)
}

fn as_entry(entry: &UnionEntry) -> Entry {
    Entry { path: entry.path.clone(), content: entry.content, mtime: entry.mtime }
}
