//! The control machine: it composes union, scheduler, members and sessions, and owns the timers.

mod deliveries;
mod scheduling;
mod standing;
mod uploads;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use super::{
    Deliver, Event, Generation, Input, Output, Progress, ServerConfig, Withheld, allows,
    intake::take_in,
    member::{Job, Member},
    session::{Delivery, DeliveryFile, State, Upload, UploadFile},
    shelf::Shelf,
};
use crate::{
    diff::diff,
    hash::{Content, ContentHash},
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath},
    rng::Rng,
    schedule::{self, Want},
    select::Skipped,
    time::{Earliest, Time},
    transfer::{Asked, Relay, RelayEvent, SourceFault},
    union::{Change, MemberId, Union, UnionEntry},
    wire::{
        v1::{
            Accept, AskedFile, EXTENSION, ErrorReport, Fault, FileBegin, FileInfo, Hello,
            ManifestChanges, ManifestFull, Message, OfferedFile, RequestManifest, Resume, Role,
            SendFiles, ServerState, Standing, SyncDone, SyncDoneAck, SyncId, SyncOffer, Welcome,
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

/// How long a target may take to install what it has got.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(120);

/// What a client's files lost and gained since the union took its last step.
#[derive(Debug, Default)]
struct Pending {
    arrival: u64,
    /// What the union knows of it, where that is so no more.
    lost: BTreeMap<PathKey, Entry>,
    gained: BTreeMap<PathKey, Entry>,
    /// It told of all its files.
    whole: bool,
}

impl Pending {
    fn put(&mut self, new: Entry, old: Option<Entry>) {
        let key = new.path.key().clone();
        if let Some(old) = old.filter(|_| !self.gained.contains_key(&key)) {
            self.lost.entry(key.clone()).or_insert(old);
        }
        self.gained.insert(key, new);
    }

    fn remove(&mut self, old: Entry) {
        let key = old.path.key().clone();
        if self.gained.remove(&key).is_none() {
            self.lost.entry(key).or_insert(old);
        }
    }

    fn keys(&self) -> BTreeSet<PathKey> {
        self.lost.keys().chain(self.gained.keys()).cloned().collect()
    }

    fn into_change(self, member: MemberId) -> Change {
        let (lost, gained) = (self.lost.into_values(), self.gained.into_values());
        Change { member, arrival: self.arrival, lost: lost.collect(), gained: gained.collect() }
    }
}

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
    kept: BTreeSet<ContentHash>,
    lost_content: BTreeSet<ContentHash>,
    /// What stands for the store where protocol 1 wants a client's id.
    store_id: String,
    /// Nothing is fetched before.
    store_rests_until: Time,
    /// Who uploads what next; `None` if that has to be thought over.
    plan: Option<schedule::Plan>,
    allowed: Option<BTreeSet<String>>,
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
            union: Union::new(config.policy, config.naming.clone()),
            union_hash: None,
            union_manifest_hash: None,
            tick_at: now + config.scheduler_tick,
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
            Input::Kept(contents) => contents.into_iter().for_each(|content| {
                self.shelf.keep(content);
            }),
            Input::Partial(hash, bytes) => self.partial(hash, bytes),
            Input::Delivered(id, transfer, progress) => self.delivered(id, transfer, progress),
            Input::Spoiled(hash) => self.spoiled(hash),
            Input::Accepted(id, address) => self.accept(id, address),
            Input::Lost(id, reason) => self.remove(id, reason),
            Input::Received(id, message) => self.receive(id, message),
            Input::Relayed(source, sync_id, event) => self.relayed(source, &sync_id, event),
            Input::AllowList(list) => self.allow(list),
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
            // Its relays may owe their targets a last word, so they go first.
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
        let current_hash = match self.current_union_hash() {
            Some(hash) => hash.to_string(),
            None => hello.manifest_hash,
        };
        let state = ServerState { current_hash, standing: None };
        self.outputs.push_back(Output::to(id, Message::ServerState(state)));
        if first_time && let Some(member) = self.members.get(&id) {
            let (name, address) = (member.name.clone(), member.address.clone());
            let generation = member.generation;
            self.event(Event::Joined { member: id, name, address, generation });
        }
        // Who only looks says no hash.
        if first_time && ours && !told.is_empty() {
            self.compare(id, &told);
        }
    }

    /// Asks a client of ours for its files, unless their hash says which they are.
    fn compare(&mut self, id: MemberId, told: &str) {
        let empty = told == Manifest::new().hash().to_string();
        if !empty && self.union_manifest_hash().is_none_or(|hash| told != hash.to_string()) {
            return self.request_manifest(id);
        }
        let (manifest, in_step) = match empty {
            true => (Manifest::new(), false),
            false => (self.union.manifest(), self.is_in_step()),
        };
        self.take_manifest(id, manifest, Vec::new());
        if in_step {
            // It is one more of those who lack nothing. So it need not wait for a step of the union.
            self.tell_standing(id, Standing::default());
        } else {
            self.stand_anew(id);
            // Nothing comes with it that others could claim as well.
            self.merge_at = self.merge_at.map(|_| self.now);
        }
    }

    fn union_manifest_hash(&mut self) -> Option<ContentHash> {
        if self.union_manifest_hash.is_none() && !self.union.is_empty() {
            self.union_manifest_hash = Some(self.union.manifest().hash());
        }
        self.union_manifest_hash
    }

    /// Tells a client of ours that only looks what the union is.
    fn tell_union(&mut self, id: MemberId) {
        if is_ours(&self.members, id) {
            let allowed =
                self.union.iter().filter(|entry| allows(self.allowed.as_ref(), entry.path.key()));
            let manifest = allowed.map(union_file).collect();
            let full = ManifestFull { manifest, ..ManifestFull::default() };
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

    fn manifest(&mut self, id: MemberId, full: ManifestFull) {
        if !self.is_bearable(id, full.manifest.len()) {
            return;
        }
        let Some(member) = self.members.get_mut(&id) else { return };
        member.asked_at = None;
        member.manifest_at = self.now;
        member.revision = full.revision.unwrap_or_default();
        let intake = take_in(full.manifest, &self.config.rules, member.is_ours());
        if !member.is_ours() && !intake.manifest.is_empty() {
            member.generation = if intake.dated { Generation::V104 } else { Generation::First };
        }
        self.take_manifest(id, intake.manifest, intake.skipped);
        self.stand_anew(id);
        self.check_old_targets(id);
    }

    /// Whether a list of files is not too long. Its sender is told if it is.
    fn is_bearable(&mut self, id: MemberId, files: usize) -> bool {
        let most = self.config.rules.entries_max;
        if files > most {
            let message =
                format!("manifest refused: it lists {files} files, and this server takes {most}");
            self.report(id, &SyncId::default(), &message, None);
        }
        files <= most
    }

    /// A client of ours says what has changed since it last told of its files.
    fn manifest_changes(&mut self, id: MemberId, changes: ManifestChanges) {
        let Some(member) = self.members.get(&id).filter(|member| member.is_ours()) else { return };
        let Some(files) = member.manifest.as_ref().map(Manifest::len) else { return };
        if !self.is_bearable(id, files + changes.changed.len()) {
            return;
        }
        let intake = take_in(changes.changed, &self.config.rules, true);
        let extensions = &self.config.rules.extensions;
        let paths = changes.removed.iter().map(|path| RelPath::parse(path, extensions));
        // What was there under a name that is refused now is there no more.
        let refused = intake.skipped.iter().map(|file| RelPath::parse(&file.path, extensions));
        let removed: Vec<_> =
            paths.chain(refused).flatten().map(|path| path.key().clone()).collect();
        let changed = intake.manifest.iter().cloned().collect();
        self.change_manifest(id, removed, changed, intake.skipped);
        if let Some(member) = self.members.get_mut(&id) {
            member.revision = changes.revision;
        }
        self.stand_anew(id);
    }

    /// A target of ours has put files in place.
    fn installed(&mut self, id: MemberId, files: Vec<(RelPath, Content)>, revision: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.revision = revision;
        let Some(manifest) = &member.manifest else { return };
        let mut changed = Vec::new();
        for (path, content) in files {
            let spelling = manifest.respell(&path);
            let own = manifest.get(path.key()).map(|own| own.path.clone());
            let own = own.or_else(|| RelPath::parse(&spelling, &self.config.rules.extensions).ok());
            let mtime = self.union.get(path.key()).and_then(|entry| entry.mtime);
            member.lacking.remove(path.key());
            member.claimed.insert(path.key().clone(), content.hash);
            changed.extend(own.map(|path| Entry { path, content, mtime }));
        }
        self.change_manifest(id, Vec::new(), changed, Vec::new());
        self.stand_anew(id);
    }

    /// Takes in all that a client holds.
    fn take_manifest(&mut self, id: MemberId, manifest: Manifest, left_out: Vec<Skipped>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let difference = diff(member.manifest.get_or_insert_default(), &manifest);
        let (lost, gained) = (difference.extra, difference.missing);
        let unchanged = lost.is_empty() && gained.is_empty() && difference.different.is_empty();
        member.manifest = Some(manifest);
        if unchanged && member.merged {
            return self.check_claims(id, None);
        }
        // What it could not send as it was may be another file by now.
        member.owe_nothing();
        self.arrivals += 1;
        let pending = self.pending.entry(id).or_default();
        (pending.arrival, pending.whole) = (self.arrivals, true);
        lost.into_iter().for_each(|old| pending.remove(old));
        gained.into_iter().for_each(|new| pending.put(new, None));
        for (old, new) in difference.different {
            pending.put(new, Some(old));
        }
        self.check_claims(id, None);
        self.told(id, left_out);
    }

    /// Takes in what has changed of what a client holds.
    fn change_manifest(
        &mut self,
        id: MemberId,
        removed: Vec<PathKey>,
        changed: Vec<Entry>,
        mut left_out: Vec<Skipped>,
    ) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(manifest) = &mut member.manifest else { return };
        if removed.is_empty() && changed.is_empty() && left_out.is_empty() {
            return;
        }
        self.arrivals += 1;
        let pending = self.pending.entry(id).or_default();
        pending.arrival = self.arrivals;
        let touched: BTreeSet<_> = removed
            .iter()
            .cloned()
            .chain(changed.iter().map(|entry| entry.path.key().clone()))
            .collect();
        for key in removed {
            if let Some(old) = manifest.remove(&key) {
                pending.remove(old);
            }
        }
        for new in changed {
            let old = manifest.remove(new.path.key());
            match manifest.insert(new.clone()) {
                Ok(()) => pending.put(new, old),
                Err(collision) => {
                    let path = new.path.as_str().to_owned();
                    left_out.push(Skipped { path, reason: collision.into() });
                    old.into_iter().for_each(|old| pending.remove(old));
                }
            }
        }
        member.owe_nothing();
        self.check_claims(id, Some(&touched));
        self.told(id, left_out);
    }

    /// A client holds other files than before.
    fn told(&mut self, id: MemberId, left_out: Vec<Skipped>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(manifest) = &member.manifest else { return };
        let (files, bytes, name) = (manifest.len(), manifest.total_bytes(), member.name.clone());
        // The union takes its step later; until then nothing is offered that is there by now.
        if let Some(pending) = self.pending.get(&id) {
            for (key, new) in &pending.gained {
                if self.union.get(key).is_some_and(|entry| entry.content == new.content) {
                    member.lacking.remove(key);
                }
            }
        }
        self.event(Event::Manifest { name, files, bytes, left_out });
        // However soon the league is in step again, people are told so.
        self.was_in_step = false;
        self.merge_soon();
    }

    /// Looks whether a client has what it said to have installed: all of that, or what is `touched`.
    fn check_claims(&mut self, id: MemberId, touched: Option<&BTreeSet<PathKey>>) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(manifest) = &member.manifest else { return };
        let is_wrong = |key: &PathKey, claimed: ContentHash| {
            manifest.get(key).is_none_or(|own| own.content.hash != claimed)
        };
        let claims = |key: &PathKey| member.claimed.get(key).map(|claimed| (key.clone(), *claimed));
        let mut wrong: Vec<_> = match touched {
            Some(touched) => touched.iter().filter_map(claims).collect(),
            None => member.claimed.keys().filter_map(claims).collect(),
        };
        wrong.retain(|(key, claimed)| is_wrong(key, *claimed));
        if touched.is_none() {
            member.claimed.clear();
        }
        for (key, claimed) in wrong {
            member.claimed.remove(&key);
            member.fail(&key, claimed, now);
            member.lacking.insert(key);
            member.jobs = None;
        }
    }

    fn merge_soon(&mut self) {
        self.merge_at.get_or_insert(self.now + self.config.merge_window);
    }

    fn merge(&mut self) {
        // First what the store has: it outlives those who leave.
        let kept = std::mem::take(&mut self.kept);
        self.hold(&kept);
        let mut changes = Vec::new();
        let nothing = Manifest::new();
        for (id, manifest) in std::mem::take(&mut self.gone) {
            changes.push(Change::between(id, 0, &manifest, &nothing));
        }
        let lost = std::mem::take(&mut self.lost_content);
        changes.push(self.without(&lost));
        let mut reported = BTreeMap::new();
        for (id, pending) in std::mem::take(&mut self.pending) {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let whole = pending.whole || !member.merged;
            member.merged = true;
            reported.insert(id, (!whole).then(|| pending.keys()));
            changes.push(pending.into_change(id));
        }
        let outcome = self.union.step(changes);
        for (id, path, conflict_path) in outcome.conflicts {
            if let Some(name) = self.name_of(id) {
                self.event(Event::Conflict { name, path, conflict_path });
            }
        }
        for (id, path, reason) in outcome.refused {
            if let Some(name) = self.name_of(id) {
                self.event(Event::Refused { name, path, reason });
            }
        }
        let entries = outcome.changed.iter().filter_map(|key| self.union.get(key));
        let here = entries.map(|entry| entry.content.hash).filter(|hash| self.shelf.is_kept(*hash));
        let here = here.collect();
        self.hold(&here);
        if !outcome.changed.is_empty() {
            self.union_hash = None;
            self.union_manifest_hash = None;
        }
        for (id, _) in reported.iter().filter(|(_, told)| told.is_none()) {
            let manifest = self.members.get_mut(id).and_then(|member| member.manifest.as_mut());
            if let Some(manifest) = manifest {
                // A league holds the same files everywhere: they need be in memory only once.
                self.union.share(manifest);
            }
        }
        self.update_lacking(&outcome.touched, &outcome.changed, &reported);
        self.make_room();
        self.schedule_soon();
    }

    /// The store is one more that holds what it has.
    fn hold(&mut self, kept: &BTreeSet<ContentHash>) {
        let entries = kept.iter().flat_map(|hash| self.union.with_content(*hash));
        let free = entries.filter(|entry| entry.local(STORE).is_none()).map(as_entry);
        let gained: Vec<_> = free.collect();
        if !gained.is_empty() {
            // It takes part in names that are there, so nothing comes or goes by it.
            self.union.step(vec![Change { member: STORE, arrival: 0, lost: Vec::new(), gained }]);
        }
    }

    /// The store does not have these contents any more.
    fn without(&self, lost: &BTreeSet<ContentHash>) -> Change {
        let gone = lost.iter().filter(|hash| !self.shelf.is_kept(**hash));
        let entries = gone.flat_map(|hash| self.union.with_content(*hash));
        let held = entries.filter(|entry| entry.local(STORE).is_some());
        Change { member: STORE, arrival: 0, lost: held.map(as_entry).collect(), gained: Vec::new() }
    }

    /// Brings up to date what each client lacks: everything for those that told of all their files, what
    /// they told of for those that told of changes, the names whose content has changed for the others.
    fn update_lacking(
        &mut self,
        touched: &BTreeSet<PathKey>,
        changed: &BTreeSet<PathKey>,
        reported: &BTreeMap<MemberId, Option<BTreeSet<PathKey>>>,
    ) {
        let mut more = false;
        for (id, member) in &mut self.members {
            let keys = match reported.get(id) {
                Some(None) => {
                    let lacks = self.union.iter().filter(|entry| !member.has(entry));
                    member.lacking = lacks.map(|entry| entry.path.key().clone()).collect();
                    member.jobs = None;
                    more = true;
                    continue;
                }
                Some(Some(told)) => &(told | touched),
                None => changed,
            };
            for key in keys {
                match self.union.get(key) {
                    Some(entry) if !member.has(entry) => {
                        if member.lacking.insert(key.clone()) {
                            member.jobs = None;
                            more = true;
                        }
                    }
                    _ => {
                        member.lacking.remove(key);
                    }
                }
            }
        }
        if more || !changed.is_empty() {
            self.plan = None;
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

/// Where a client has a content, under whatever name.
fn own_copy(union: &Union, member: MemberId, hash: ContentHash) -> Option<&RelPath> {
    union.with_content(hash).find_map(|entry| entry.local(member))
}
