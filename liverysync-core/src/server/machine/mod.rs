//! The control machine: it composes union, scheduler, members and sessions, and owns the timers.

mod deliveries;
mod manifests;
mod merging;
mod scheduling;
mod standing;
mod uploads;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    mem,
    time::Duration,
};

use self::merging::Pending;
use super::{
    Deliver, Event, Generation, Input, Output, Progress, ServerConfig, Withheld, allows,
    intake::{Intake, take_in},
    member::{Job, Member},
    session::{Delivery, DeliveryFile, State, Upload, UploadFile},
    shelf::Shelf,
};
use crate::{
    diff::diff,
    hash::{Content, ContentHash},
    league::{Act, Author, Record},
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath, fold},
    rng::Rng,
    schedule::{self, Want},
    select::Skipped,
    time::{Earliest, Time},
    transfer::{Asked, Packing, Relay, RelayEvent, SourceFault},
    union::{Change, Gained, MemberId, Outcome, Union, UnionEntry},
    wire::{
        v1::{
            Accept, AskedFile, EXTENSION, ErrorReport, Fault, FileBegin, FileInfo, Hello,
            ManifestChanges, ManifestFull, Message, OfferedFile, RequestManifest, Resume, Retire,
            Role, SendFiles, ServerState, Standing, SyncDone, SyncDoneAck, SyncId, SyncOffer,
            Welcome,
        },
        v2::TransferId,
    },
};

/// How often clients of ours are told how they stand, at most.
const STANDING_INTERVAL: Duration = Duration::from_millis(100);

/// The same while this many files or more are lacked in all: it takes time to look at each of them.
const SLOW_INTERVAL: Duration = Duration::from_secs(1);
const LACKING_MANY: usize = 1000;

/// How long nothing is fetched after the store could not keep something: its disk may be full.
const STORE_REST: Duration = Duration::from_secs(10);

/// The store among those who hold contents. Links are numbered from one.
const STORE: MemberId = MemberId(0);

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
    members: BTreeMap<MemberId, Member>,
    uploads: BTreeMap<SyncId, Upload>,
    deliveries: BTreeMap<SyncId, Delivery>,
    shelf: Shelf,
    /// Contents that are in the store, or not any more, since the union took its last step.
    kept: BTreeSet<Content>,
    lost_content: BTreeSet<Content>,
    /// What stands for the store where protocol 1 wants a client's id.
    store_id: String,
    /// Nothing is fetched before.
    store_rests_until: Time,
    /// Who uploads what next; `None` if that has to be thought over.
    plan: Option<schedule::Plan>,
    allowed: Option<BTreeSet<String>>,
    /// What stands in conflict names, as keys have it.
    suffix: String,
    pending: BTreeMap<MemberId, Pending>,
    gone: Vec<(MemberId, Manifest)>,
    arrivals: u64,
    merge_at: Option<Time>,
    schedule_at: Option<Time>,
    tick_at: Time,
    standing_at: Option<Time>,
    standings_sent: Time,
    was_in_step: bool,
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
            suffix: fold(&config.naming.suffix),
            config,
            store_id: rng.client_id(),
            rng,
            now,
            members: BTreeMap::new(),
            uploads: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            shelf: Shelf::default(),
            kept: BTreeSet::new(),
            lost_content: BTreeSet::new(),
            store_rests_until: Time::ZERO,
            plan: None,
            allowed: None,
            pending: BTreeMap::new(),
            gone: Vec::new(),
            arrivals: 0,
            merge_at: None,
            schedule_at: None,
            standing_at: None,
            standings_sent: Time::ZERO,
            was_in_step: false,
            outputs: VecDeque::new(),
        }
    }

    /// The same with what the league remembers, which is all that [`Output::Record`] has ever told, in its order.
    #[must_use]
    pub fn with_memory<'a>(mut self, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let ServerConfig { policy, ref naming, updates, .. } = self.config;
        self.union = Union::recall(policy, naming.clone(), updates, records);
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
        self.uploads.len() + self.deliveries.len()
    }

    /// Feeds one thing that happened.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        debug_assert!(self.outputs.is_empty(), "outputs must be drained before the next input");
        self.now = self.now.max(now);
        match input {
            Input::Kept(contents) => contents.into_iter().for_each(|content| self.keep(content)),
            Input::Partial(hash, bytes) => self.partial(hash, bytes),
            Input::Delivered(id, transfer, progress) => self.delivered(id, transfer, progress),
            Input::Spoiled(hash) => {
                self.shelf.content(hash).into_iter().for_each(|content| self.spoiled(content));
            }
            Input::Accepted(id, address) => self.accept(id, address),
            Input::Lost(id, reason) => self.remove(id, reason),
            Input::Received(id, message) => self.receive(id, message),
            Input::Relayed(source, sync_id, event) => self.relayed(source, &sync_id, event),
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

    fn accept(&mut self, id: MemberId, address: String) {
        debug_assert!(self.members.keys().all(|known| *known < id), "member numbers must grow");
        let client_id = self.rng.client_id();
        let welcome = Welcome { client_id: client_id.clone(), liverysync: Some(EXTENSION) };
        self.members.insert(id, Member::new(client_id, address, self.now));
        self.outputs.push_back(Output::to(id, Message::Welcome(welcome)));
    }

    fn close(&mut self, id: MemberId, reason: &str) {
        if self.members.contains_key(&id) {
            self.remove(id, reason.to_owned());
            self.outputs.push_back(Output::Close(id, reason.to_owned()));
        }
    }

    fn remove(&mut self, id: MemberId, reason: String) {
        let Some(member) = self.members.remove(&id) else { return };
        for sync_id in &member.uploads {
            let Some(upload) = self.uploads.remove(sync_id) else { continue };
            for file in upload.files.iter().filter(|file| file.asked) {
                self.shelf.settle(file.content.hash);
            }
            self.session_ended(sync_id, Some(&member.name), &upload);
        }
        for sync_id in &member.deliveries {
            self.end_delivery(sync_id);
        }
        self.pending.remove(&id);
        if let Some(manifest) = member.manifest.filter(|_| member.merged) {
            self.gone.push((id, manifest));
            self.merge_soon();
        }
        self.plan = None;
        if member.greeted {
            self.event(Event::Left { member: id, name: member.name, reason });
        }
    }

    fn receive(&mut self, id: MemberId, message: Message) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&id) else { return };
        member.heard_at = now;
        if !member.greeted && !matches!(message, Message::Hello(_)) {
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

    fn hello(&mut self, id: MemberId, hello: Hello) {
        let chars_max = self.config.name_chars_max;
        let Some(member) = self.members.get_mut(&id) else { return };
        let first_time = !member.greeted;
        member.greeted = true;
        let name: String = hello.client_name.chars().take(chars_max).collect();
        if !name.trim().is_empty() {
            member.name = name;
        }
        if hello.liverysync.is_some_and(|version| version >= EXTENSION) {
            member.generation = Generation::Ours;
        }
        let (ours, told) = (member.is_ours(), hello.manifest_hash.clone());
        let key = hello.member_key.and_then(|key| key.parse().ok());
        member.author = key.as_ref().map(Author::of);
        let seen = member.author.map(|author| (author, member.name.clone()));
        if let Some((author, name)) = seen {
            self.outputs.push_back(Output::Record(vec![Record::Seen { author, name }]));
        }
        let current_hash = match self.current_union_hash() {
            Some(hash) => hash.to_string(),
            None => hello.manifest_hash,
        };
        let state = ServerState { current_hash, ..ServerState::default() };
        self.outputs.push_back(Output::to(id, Message::ServerState(state)));
        if first_time && let Some(member) = self.members.get(&id) {
            let (name, address) = (member.name.clone(), member.address.clone());
            let generation = member.generation;
            self.event(Event::Joined { member: id, name, address, generation });
        }
        if !first_time && ours {
            self.offer_anew(id);
        }
        // Who only looks says no hash.
        if first_time && ours && !told.is_empty() {
            self.compare(id, &told);
        }
    }

    /// A client of ours that introduces itself once more takes back what it has refused.
    fn offer_anew(&mut self, id: MemberId) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.decline_nothing() {
            member.jobs = None;
            self.plan = None;
            self.schedule_soon();
            self.stand_anew(id);
        }
    }

    /// Whether the livery of this file is distributed.
    fn is_allowed(&self, key: &PathKey) -> bool {
        allows(self.allowed.as_ref(), key, &self.suffix)
    }

    /// Tells a client of ours that only looks what the union is.
    fn tell_union(&mut self, id: MemberId) {
        if is_ours(&self.members, id) {
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
        // What members have told by now is part of what it is about.
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
            for member in self.members.values_mut() {
                member.told_withheld.clear();
                member.jobs = None;
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
        if self.standing_at.is_some_and(|at| at <= self.now) {
            self.standing_at = None;
            self.tell_standings();
        }
    }

    fn next_wake(&self) -> Option<crate::time::Wake> {
        if self.members.is_empty() && self.merge_at.is_none() {
            return None;
        }
        let mut earliest = Earliest::default();
        earliest.at(self.tick_at, "tick");
        let timers = [
            (self.merge_at, "merge"),
            (self.schedule_at, "schedule"),
            (self.standing_at, "standing"),
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
            self.give_up_source(&sync_id);
        }
        self.withdraw_hopeless();
        let deliveries = self.deliveries.iter().filter(|(_, delivery)| self.is_overdue(delivery));
        for sync_id in deliveries.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.give_up_target(&sync_id);
        }

        let (hello, silence) = (self.config.hello_timeout, self.config.silence_timeout);
        let dead: Vec<_> = self
            .members
            .iter()
            .filter_map(|(id, member)| {
                if !member.greeted && now.since(member.accepted_at) >= hello {
                    Some((*id, "it did not say HELLO in time"))
                } else if member.silent_for(now) >= silence {
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
        for (id, member) in &mut self.members {
            if let Some((sync_id, until)) = &member.draining
                && *until <= now
            {
                drained.push((*id, sync_id.clone()));
            }
            let unasked = member.asked_at.is_none();
            let old = now.since(member.manifest_at) >= self.config.manifest_stale;
            if member.greeted && !member.is_ours() && unasked && old && member.is_idle() {
                stale.push(*id);
            }
            if member.held_back && member.deliveries.is_empty() {
                member.jobs = None;
            }
        }
        for (id, sync_id) in drained {
            self.drained(id, &sync_id);
        }
        for id in stale {
            self.request_manifest(id);
        }
        self.retire_unwanted();
        if self.members.values().any(|member| !member.lacking.is_empty()) {
            if self.uploads.is_empty() {
                self.plan = None;
            }
            self.schedule_at = Some(now);
        }
    }

    fn request_manifest(&mut self, id: MemberId) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&id) else { return };
        member.asked_at.get_or_insert(now);
        let request = RequestManifest::default();
        self.outputs.push_back(Output::to(id, Message::RequestManifest(request)));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn name_of(&self, id: MemberId) -> Option<String> {
        self.members.get(&id).map(|member| member.name.clone())
    }

    /// Reports an error to a client of ours; those of protocol 1 would not know what to do with it.
    fn report(
        &mut self,
        id: MemberId,
        sync_id: &SyncId,
        message: &str,
        file: Option<(&str, Fault)>,
    ) {
        if is_ours(&self.members, id) {
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

fn is_ours(members: &BTreeMap<MemberId, Member>, id: MemberId) -> bool {
    members.get(&id).is_some_and(Member::is_ours)
}

fn union_file(entry: &UnionEntry) -> FileInfo {
    FileInfo::new(entry.path.as_str(), entry.content, entry.mtime, true)
}

fn as_entry(entry: &UnionEntry) -> Entry {
    Entry { path: entry.path.clone(), content: entry.content, mtime: entry.mtime }
}
