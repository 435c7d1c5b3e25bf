//! The control machine: it composes union, scheduler, members and sessions, and owns the timers.

mod scheduling;
mod sessions;
mod standing;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use super::{
    Event, Generation, Input, Output, ServerConfig, Withheld, allows,
    intake::take_in,
    member::Member,
    session::{Session, SessionFile, State},
};
use crate::{
    hash::ContentHash,
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath},
    rng::Rng,
    schedule::{self, Load, Want},
    select::Skipped,
    time::{Earliest, Time},
    transfer::{Asked, Relay, RelayEvent, SourceFault},
    union::{Change, MemberId, Union, UnionEntry},
    wire::v1::{
        EXTENSION, ErrorReport, Fault, FileInfo, Hello, ManifestFull, Message, OfferedFile,
        RequestManifest, Role, SendFiles, ServerState, Standing, SyncDone, SyncDoneAck, SyncId,
        SyncOffer, Welcome,
    },
};

/// How often clients of ours are told how they stand, at most.
const STANDING_INTERVAL: Duration = Duration::from_millis(100);

/// How long a target of protocol 1 is waited for after it said that it is done: the first
/// generation says so once per file, and the last time may be still to come.
const LATE_DONE: Duration = Duration::from_secs(3);

/// How long a target may take to install what it has got.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(120);

/// What a client has said besides the manifest that is taken in.
#[derive(Debug, Default)]
struct Told {
    left_out: Vec<Skipped>,
    /// The hash of all that it listed, if that is more than what is taken in.
    listed_hash: Option<ContentHash>,
}

/// A manifest that waits for the next step of the union.
#[derive(Debug)]
struct Pending {
    manifest: Manifest,
    arrival: u64,
}

/// The league's server without its sockets. See the [module documentation](super).
#[derive(Debug)]
pub struct ServerMachine {
    config: ServerConfig,
    rng: Rng,
    now: Time,
    union: Union,
    union_hash: Option<ContentHash>,
    members: BTreeMap<MemberId, Member>,
    sessions: BTreeMap<SyncId, Session>,
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
        Self {
            union: Union::new(config.policy, config.naming.clone()),
            union_hash: None,
            tick_at: now + config.scheduler_tick,
            config,
            rng: Rng::new(seed),
            now,
            members: BTreeMap::new(),
            sessions: BTreeMap::new(),
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
        self.sessions.len()
    }

    /// Feeds one thing that happened.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        debug_assert!(self.outputs.is_empty(), "outputs must be drained before the next input");
        self.now = self.now.max(now);
        match input {
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
        let Some(mut member) = self.members.remove(&id) else { return };
        for sync_id in std::mem::take(&mut member.sessions) {
            self.break_session(&sync_id, id);
        }
        self.pending.remove(&id);
        if let Some(manifest) = member.manifest {
            self.gone.push((id, manifest));
            self.merge_soon();
        }
        if member.greeted {
            self.event(Event::Left { member: id, name: member.name, reason });
        }
    }

    /// Ends a session because one of its ends is gone.
    fn break_session(&mut self, sync_id: &SyncId, gone: MemberId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        if session.target != gone {
            self.report(session.target, sync_id, "the source is gone", None);
        } else if let Some(source) = session.source {
            self.report(source, sync_id, "the target is gone", None);
        }
        self.end_session(sync_id);
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
            Message::SyncDone(done) => self.sync_done(id, done),
            Message::Error(report) => self.error(id, &report),
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
        if hello.liverysync.is_some() {
            member.generation = Generation::Ours;
        }
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
    }

    /// Tells a client of ours that only looks what the union is.
    fn tell_union(&mut self, id: MemberId) {
        if is_ours(&self.members, id) {
            let allowed =
                self.union.iter().filter(|entry| allows(self.allowed.as_ref(), entry.path.key()));
            let manifest = allowed.map(union_file).collect();
            let full = ManifestFull { sync_id: SyncId::default(), manifest };
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
        let most = self.config.rules.entries_max;
        if full.manifest.len() > most {
            let message = format!(
                "manifest refused: it lists {} files, and this server takes {most}",
                full.manifest.len()
            );
            return self.report(id, &SyncId::default(), &message, None);
        }
        let Some(member) = self.members.get_mut(&id) else { return };
        member.asked_at = None;
        member.manifest_at = self.now;
        let intake = take_in(full.manifest, &self.config.rules, member.is_ours());
        if !member.is_ours() && !intake.manifest.is_empty() {
            member.generation = if intake.dated { Generation::V104 } else { Generation::First };
        }
        let told = Told { left_out: intake.skipped, listed_hash: intake.listed_hash };
        self.report_manifest(id, intake.manifest, told);
        self.stand_anew(id);
        self.check_old_targets(id);
    }

    /// Keeps a manifest for the next step of the union, unless nothing has changed.
    fn report_manifest(&mut self, id: MemberId, manifest: Manifest, told: Told) {
        let now = self.now;
        let Some(member) = self.members.get_mut(&id) else { return };
        for (key, claimed) in std::mem::take(&mut member.claimed) {
            match manifest.get(&key).filter(|own| own.content.hash == claimed) {
                Some(_) => member.succeed(&key),
                None => {
                    member.fail(&key, claimed, now);
                    member.lacking.insert(key);
                }
            }
        }
        let hash = manifest.hash();
        let unchanged = member.manifest_hash == Some(hash);
        member.manifest_hash = Some(hash);
        member.listed_hash = Some(told.listed_hash.unwrap_or(hash));
        if unchanged {
            return;
        }
        member.owe_nothing();
        // The union takes its step later; until then nothing is offered that is there by now.
        let lacks = |key: &PathKey| {
            self.union.get(key).is_some_and(|entry| {
                manifest.get(key).is_none_or(|own| own.content != entry.content)
            })
        };
        member.lacking.retain(lacks);
        let (files, bytes, name) = (manifest.len(), manifest.total_bytes(), member.name.clone());
        self.arrivals += 1;
        self.pending.insert(id, Pending { manifest, arrival: self.arrivals });
        self.event(Event::Manifest { name, files, bytes, left_out: told.left_out });
        self.merge_soon();
    }

    fn merge_soon(&mut self) {
        self.merge_at.get_or_insert(self.now + self.config.merge_window);
    }

    fn merge(&mut self) {
        let mut changes = Vec::new();
        let nothing = Manifest::new();
        for (id, manifest) in std::mem::take(&mut self.gone) {
            changes.push(Change::between(id, 0, &manifest, &nothing));
        }
        let mut reported = BTreeSet::new();
        for (id, pending) in std::mem::take(&mut self.pending) {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let old = member.manifest.replace(pending.manifest);
            let (old, new) = (old.as_ref().unwrap_or(&nothing), member.manifest.as_ref());
            changes.push(Change::between(id, pending.arrival, old, new.unwrap_or(&nothing)));
            reported.insert(id);
        }
        let outcome = self.union.step(changes);
        if outcome.changed {
            self.union_hash = None;
        }
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
        self.update_lacking(&outcome.touched, &reported);
        self.schedule_soon();
    }

    /// Brings up to date what each client lacks: everything for those that reported, the touched
    /// names for the others.
    fn update_lacking(&mut self, touched: &BTreeSet<PathKey>, reported: &BTreeSet<MemberId>) {
        for (id, member) in &mut self.members {
            if reported.contains(id) {
                let lacks = self.union.iter().filter(|entry| !member.has(entry));
                member.lacking = lacks.map(|entry| entry.path.key().clone()).collect();
                continue;
            }
            for key in touched {
                match self.union.get(key) {
                    Some(entry) if !member.has(entry) => {
                        member.lacking.insert(key.clone());
                    }
                    _ => {
                        member.lacking.remove(key);
                    }
                }
            }
        }
    }

    fn allow(&mut self, list: Option<BTreeSet<String>>) {
        if self.allowed != list {
            self.allowed = list;
            for member in self.members.values_mut() {
                member.told_withheld.clear();
            }
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
        let overdue: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.deadline <= now)
            .map(|(id, session)| (id.clone(), session.is_sent()))
            .collect();
        for (sync_id, sent) in overdue {
            if sent {
                self.target_overdue(&sync_id);
            } else {
                self.give_up_source(&sync_id);
            }
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
            let idle = member.sessions.is_empty() && member.draining.is_none();
            if member.greeted && !member.is_ours() && unasked && old && idle {
                stale.push(*id);
            }
        }
        for (id, sync_id) in drained {
            self.drained(id, &sync_id);
        }
        for id in stale {
            self.request_manifest(id);
        }
        if self.members.values().any(|member| !member.lacking.is_empty()) {
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

    /// A target that never said what became of its files has failed to take them.
    fn target_overdue(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let target = session.target;
        let open: Vec<_> = (0..session.files.len())
            .filter(|index| session.files[*index].state == State::Delivered)
            .collect();
        for index in open {
            self.target_failed(sync_id, index, "it did not say that it has it", false);
        }
        if is_ours(&self.members, target) {
            self.report(target, sync_id, "no answer in time", None);
        } else if let Some(member) = self.members.get_mut(&target) {
            member.one_by_one = true;
        }
        self.end_session(sync_id);
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

/// Where a client has each content. Looked up, never walked, so its order does not matter.
fn own_contents(member: &Member) -> HashMap<ContentHash, &RelPath> {
    let entries = member.manifest.iter().flatten();
    entries.map(|entry| (entry.content.hash, &entry.path)).collect()
}

/// Writes a file into the manifest that a target must have by now.
fn install(manifest: &mut Manifest, union: &Union, file: &SessionFile, config: &ServerConfig) {
    let spelling = manifest.respell(&file.path);
    let path = manifest.get(file.path.key()).map(|own| own.path.clone());
    let path = path.or_else(|| RelPath::parse(&spelling, &config.rules.extensions).ok());
    let mtime = union.get(file.path.key()).and_then(|entry| entry.mtime);
    if let Some(path) = path {
        // What does not fit shows as another hash, and the whole manifest is asked for.
        let _fits = manifest.replace(Entry { path, content: file.content, mtime });
    }
}
