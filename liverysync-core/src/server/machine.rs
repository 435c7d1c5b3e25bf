//! The control machine: it composes union, scheduler, members and sessions, and owns the timers.

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
    time::{Earliest, Time, UnixTime},
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

    // ---- links ----------------------------------------------------------------------------------

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

    // ---- messages -------------------------------------------------------------------------------

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
        self.report_manifest(id, intake.manifest, intake.skipped);
        self.stand_anew(id);
        self.check_old_targets(id);
    }

    /// Keeps a manifest for the next step of the union, unless nothing has changed.
    fn report_manifest(&mut self, id: MemberId, manifest: Manifest, left_out: Vec<Skipped>) {
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
        self.event(Event::Manifest { name, files, bytes, left_out });
        self.merge_soon();
    }

    // ---- union ----------------------------------------------------------------------------------

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
        if !outcome.touched.is_empty() {
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

    // ---- scheduling -----------------------------------------------------------------------------

    fn schedule_soon(&mut self) {
        self.schedule_at = Some(self.now);
        self.standing_soon();
    }

    fn schedule(&mut self) {
        let mut loads: BTreeMap<MemberId, Load> =
            self.members.iter().map(|(id, member)| (*id, member.load(&self.config))).collect();
        let mut targets: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| member.manifest.is_some() && !member.lacking.is_empty())
            .map(|(id, member)| (member.sessions.len(), *id))
            .collect();
        targets.sort_unstable();
        for (_, target) in targets {
            if self.sessions.len() >= self.config.sessions_max {
                return;
            }
            if loads.get(&target).is_none_or(|load| load.free == 0) {
                continue;
            }
            self.schedule_copies(target, &mut loads);
            let wants = self.wants(target);
            let one_by_one = self.members.get(&target).is_some_and(|member| member.one_by_one);
            let most = if one_by_one { 1 } else { self.config.files_per_session_max };
            for session in schedule::plan(target, &wants, &mut loads, most) {
                self.open_session(Some(session.source), target, &session.keys);
            }
        }
    }

    /// What `target` may be offered now, with those who may be asked for it.
    fn wants(&mut self, target: MemberId) -> Vec<Want> {
        let Some(member) = self.members.get(&target) else { return Vec::new() };
        let under_way = self.under_way(member);
        let copies = own_contents(member);
        let mut withheld = Vec::new();
        let mut wants = Vec::new();
        for key in &member.lacking {
            let Some(entry) = self.union.get(key) else { continue };
            if let Some(reason) = self.withheld(target, member, entry) {
                withheld.push((entry.path.clone(), reason));
                continue;
            }
            let own_copy = member.is_ours() && copies.contains_key(&entry.content.hash);
            let ready = !own_copy
                && !under_way.contains(key)
                && member.may_retry(entry, self.now)
                && !self.would_lose(target, member, entry);
            if ready {
                let sources = self.sources(target, entry);
                wants.push(Want { key: key.clone(), copies: entry.copies(), sources });
            }
        }
        self.tell_withheld(target, withheld);
        wants
    }

    fn under_way<'a>(&'a self, member: &'a Member) -> BTreeSet<&'a PathKey> {
        let sessions = member.sessions.iter().filter_map(|id| self.sessions.get(id));
        let files = sessions.flat_map(|session| &session.files);
        files.filter(|file| file.state != State::Failed).map(|file| file.path.key()).collect()
    }

    fn withheld(&self, id: MemberId, member: &Member, entry: &UnionEntry) -> Option<Withheld> {
        let key = entry.path.key();
        if !allows(self.allowed.as_ref(), key) {
            return Some(Withheld::NotAllowed);
        }
        if let Some(reason) = member.withheld(entry, &self.union, &self.config) {
            return Some(reason);
        }
        let own = member.manifest.as_ref().and_then(|manifest| manifest.get(key));
        let uncounted =
            own.is_some_and(|own| self.union.counts_for(id, key, own.content.hash).is_none());
        uncounted.then_some(Withheld::WouldLose)
    }

    fn tell_withheld(&mut self, target: MemberId, withheld: Vec<(RelPath, Withheld)>) {
        for (path, reason) in withheld {
            let Some(member) = self.members.get_mut(&target) else { return };
            if member.told_withheld.insert(path.key().clone()) {
                let name = member.name.clone();
                self.event(Event::Withheld { name, path, reason });
            }
        }
    }

    /// Whether taking `entry` now would overwrite a rival that is not yet safe elsewhere: for a
    /// client of ours under its conflict name on its own PC, for any other client on another PC
    /// that could still take it.
    fn would_lose(&self, id: MemberId, member: &Member, entry: &UnionEntry) -> bool {
        let key = entry.path.key();
        let Some(own) = member.manifest.as_ref().and_then(|manifest| manifest.get(key)) else {
            return false;
        };
        let Some(rival) = self.union.counts_for(id, key, own.content.hash) else { return true };
        let declines = |member: &Member, id| self.withheld(id, member, rival).is_some();
        if member.is_ours() {
            return !member.has(rival) && !declines(member, id);
        }
        let safe = rival.holders().any(|(holder, _)| holder != id);
        let takers = self.members.iter().filter(|(other, _)| **other != id);
        !safe
            && takers
                .into_iter()
                .any(|(other, member)| member.manifest.is_some() && !declines(member, *other))
    }

    /// Whether taking `entry` has to wait for a rival that nobody delivers: as things are, for ever.
    fn waits_in_vain(&self, id: MemberId, member: &Member, entry: &UnionEntry) -> bool {
        let key = entry.path.key();
        let own = member.manifest.as_ref().and_then(|manifest| manifest.get(key));
        let rival = own.and_then(|own| self.union.counts_for(id, key, own.content.hash));
        !member.is_ours()
            && rival.is_some_and(|rival| self.willing(rival).next().is_none())
            && self.would_lose(id, member, entry)
    }

    fn sources(&self, target: MemberId, entry: &UnionEntry) -> Vec<MemberId> {
        self.willing(entry).filter(|holder| *holder != target).collect()
    }

    /// Those who hold a content and have not failed to send it.
    fn willing<'a>(&'a self, entry: &'a UnionEntry) -> impl Iterator<Item = MemberId> + 'a {
        let willing = entry.holders().filter(|(holder, local)| {
            let member = self.members.get(holder);
            member.is_some_and(|m| m.may_serve(local.key(), entry.content.hash, self.now))
        });
        willing.map(|(holder, _)| holder)
    }

    /// Opens a session in which a client of ours copies what it has under another name already.
    fn schedule_copies(&mut self, target: MemberId, loads: &mut BTreeMap<MemberId, Load>) {
        let Some(member) = self.members.get(&target).filter(|member| member.is_ours()) else {
            return;
        };
        let under_way = self.under_way(member);
        let copies = own_contents(member);
        let keys: Vec<_> = member
            .lacking
            .iter()
            .filter_map(|key| self.union.get(key))
            .filter(|entry| {
                copies.contains_key(&entry.content.hash)
                    && !under_way.contains(entry.path.key())
                    && member.may_retry(entry, self.now)
                    && self.withheld(target, member, entry).is_none()
                    && !self.would_lose(target, member, entry)
            })
            .map(|entry| entry.path.key().clone())
            .take(self.config.files_per_session_max.max(1))
            .collect();
        if keys.is_empty() {
            return;
        }
        if let Some(load) = loads.get_mut(&target) {
            load.free = load.free.saturating_sub(1);
            load.open += 1;
        }
        self.open_session(None, target, &keys);
    }

    // ---- sessions -------------------------------------------------------------------------------

    fn open_session(&mut self, source: Option<MemberId>, target: MemberId, keys: &[PathKey]) {
        let entries: Vec<_> = keys.iter().filter_map(|key| self.union.get(key)).collect();
        let holder = source.unwrap_or(target);
        let Some(target_member) = self.members.get(&target) else { return };
        let own_copies = own_contents(target_member);
        let mut files = Vec::new();
        let mut asked = Vec::new();
        let mut offered = Vec::new();
        for entry in entries {
            let local = match source {
                Some(source) => entry.local(source),
                None => own_copies.get(&entry.content.hash).copied(),
            };
            let Some(local) = local else { continue };
            asked.push(Asked {
                source_name: local.as_str().to_owned(),
                target_name: entry.path.as_str().to_owned(),
                content: entry.content,
                mtime: entry.mtime,
            });
            offered.push(OfferedFile {
                info: union_file(entry),
                copy_from: source.is_none().then(|| local.as_str().to_owned()),
            });
            files.push(SessionFile {
                path: entry.path.clone(),
                content: entry.content,
                source_key: local.key().clone(),
                state: if source.is_some() { State::Asked } else { State::Delivered },
            });
        }
        if files.is_empty() {
            return;
        }
        let bytes = files.iter().map(|file| file.content.size).sum();
        let sync_id = SyncId::new(&self.rng.uuid()).unwrap_or_default();
        let patience =
            if source.is_some() { self.config.first_file_timeout } else { INSTALL_TIMEOUT };
        let session = Session {
            source,
            target,
            files,
            deadline: self.now + patience,
            began_at: self.now,
            bytes_passed: 0,
            done_heard: false,
        };

        self.offer(&sync_id, holder, target, offered);
        if let Some(source) = source {
            let needs_ends = !is_ours(&self.members, target);
            let paths = asked.iter().map(|file| file.source_name.clone()).collect();
            let relay = Relay::new(sync_id.clone(), asked, needs_ends, self.now);
            let open = Output::OpenRelay { source, target, sync_id: sync_id.clone(), relay };
            self.outputs.push_back(open);
            let request = SendFiles { sync_id: sync_id.clone(), paths };
            self.outputs.push_back(Output::to(source, Message::SendFiles(request)));
        }
        for id in [source, Some(target)].into_iter().flatten() {
            if let Some(member) = self.members.get_mut(&id) {
                member.sessions.insert(sync_id.clone());
            }
        }
        self.event(Event::SessionBegan {
            sync_id: sync_id.clone(),
            source: source.and_then(|id| self.name_of(id)),
            target: self.name_of(target).unwrap_or_default(),
            files: session.files.len(),
            bytes,
        });
        self.sessions.insert(sync_id, session);
    }

    /// Tells both ends that a session begins; a client that copies on its own PC is both.
    fn offer(
        &mut self,
        sync_id: &SyncId,
        source: MemberId,
        target: MemberId,
        files: Vec<OfferedFile>,
    ) {
        let current_hash =
            self.current_union_hash().map(|hash| hash.to_string()).unwrap_or_default();
        let (Some(from), Some(to)) = (self.members.get(&source), self.members.get(&target)) else {
            return;
        };
        let offer = |to: &Member, role, peer: &Member, files: Option<Vec<OfferedFile>>| SyncOffer {
            sync_id: sync_id.clone(),
            role,
            current_hash: current_hash.clone(),
            source_client_id: from.client_id.clone(),
            target_client_id: if role == Role::Target {
                to.client_id.clone()
            } else {
                peer.client_id.clone()
            },
            peer_name: to.is_ours().then(|| peer.name.clone()),
            files: files.filter(|_| to.is_ours()),
        };
        let to_target = offer(to, Role::Target, from, Some(files));
        let to_source = (source != target).then(|| offer(from, Role::Source, to, None));
        self.outputs.push_back(Output::to(target, Message::SyncOffer(to_target)));
        if let Some(to_source) = to_source {
            self.outputs.push_back(Output::to(source, Message::SyncOffer(to_source)));
        }
    }

    fn relayed(&mut self, source: MemberId, sync_id: &SyncId, event: RelayEvent) {
        let now = self.now;
        if let Some(member) = self.members.get_mut(&source) {
            member.heard_at = now;
            if let Some((draining, until)) = &mut member.draining
                && draining == sync_id
            {
                *until = now + self.config.stall_timeout;
            }
        }
        if event == RelayEvent::Drained {
            return self.drained(source, sync_id);
        }
        let stall_timeout = self.config.stall_timeout;
        let Some(session) = self.sessions.get_mut(sync_id).filter(|s| s.source == Some(source))
        else {
            return;
        };
        session.deadline = now + stall_timeout;
        match event {
            RelayEvent::Began(_) | RelayEvent::Drained => {}
            RelayEvent::Passed(bytes) => {
                session.bytes_passed += bytes;
                let millis =
                    u64::try_from(now.since(session.began_at).as_millis()).unwrap_or(u64::MAX);
                let rate = session.bytes_passed.saturating_mul(1000) / millis.max(1);
                if let Some(member) = self.members.get_mut(&source) {
                    member.rate = member.rate.max(rate);
                }
            }
            RelayEvent::Delivered(index) => {
                if let Some(file) = session.files.get_mut(index).filter(|f| f.state == State::Asked)
                {
                    file.state = State::Delivered;
                }
                self.check_sent(sync_id);
            }
            RelayEvent::Faulted(index, fault) => {
                self.source_failed(sync_id, index, fault);
                self.check_sent(sync_id);
            }
            RelayEvent::Unasked(path) => {
                let name = self.name_of(source).unwrap_or_default();
                self.event(Event::SourceFault { name, path, fault: SourceFault::OtherContent });
            }
        }
    }

    fn drained(&mut self, source: MemberId, sync_id: &SyncId) {
        self.outputs.push_back(Output::DropRelay(source, sync_id.clone()));
        let Some(member) = self.members.get_mut(&source) else { return };
        if member.draining.as_ref().is_some_and(|(id, _)| id == sync_id) {
            member.draining = None;
            self.schedule_soon();
        }
    }

    /// Takes note that a source will not deliver a file of a session.
    fn source_failed(&mut self, sync_id: &SyncId, index: usize, fault: SourceFault) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let (Some(source), target) = (session.source, session.target) else { return };
        let Some(file) = session.files.get_mut(index).filter(|file| file.state == State::Asked)
        else {
            return;
        };
        file.state = State::Failed;
        let (path, content, key) = (file.path.clone(), file.content, file.source_key.clone());
        if let Some(member) = self.members.get_mut(&source) {
            let for_now = (fault == SourceFault::Unreadable).then_some(self.now);
            member.owe(key.clone(), content.hash, for_now);
            let name = member.name.clone();
            let message = fault.to_string();
            self.event(Event::SourceFault { name, path: key.as_str().to_owned(), fault });
            self.report(target, sync_id, &message, Some((path.as_str(), Fault::Missing)));
        }
    }

    /// Once the source owes nothing more, a target gets time to install, or has nothing to do.
    fn check_sent(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get_mut(sync_id).filter(|session| session.is_sent())
        else {
            return;
        };
        session.deadline = self.now + INSTALL_TIMEOUT;
        let target_is_ours = is_ours(&self.members, session.target);
        if session.is_settled() && !target_is_ours {
            self.end_session(sync_id);
        }
    }

    /// A target of ours says what it has installed.
    fn sync_done(&mut self, id: MemberId, done: SyncDone) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&done.sync_id).filter(|s| s.target == id) else {
            return;
        };
        let Some(installed) = done.installed else {
            if session.is_sent() {
                session.done_heard = true;
                session.deadline = now + LATE_DONE;
                self.check_old_targets(id);
            }
            return;
        };
        let mut manifest = match (self.pending.get(&id), self.members.get(&id)) {
            (Some(pending), _) => pending.manifest.clone(),
            (None, Some(member)) => member.manifest.clone().unwrap_or_default(),
            (None, None) => return,
        };
        let mut there = Vec::new();
        for path in installed {
            let Some(index) = session.find(&path) else { continue };
            let file = &mut session.files[index];
            there.push((file.path.key().clone(), file.content.hash));
            // Only what has passed the relay can have been installed.
            if file.state == State::Delivered {
                file.state = State::Installed;
                install(&mut manifest, &self.union, file, &self.config);
            }
        }
        let silent = session.files.iter().enumerate();
        let silent: Vec<_> = silent.filter(|(_, file)| file.state == State::Delivered).collect();
        for index in silent.into_iter().map(|(index, _)| index).collect::<Vec<_>>() {
            self.target_failed(&done.sync_id, index, "it did not say that it has it", false);
        }
        if let Some(member) = self.members.get_mut(&id) {
            for (key, hash) in there {
                member.lacking.remove(&key);
                member.claimed.insert(key, hash);
            }
        }
        self.stand_anew(id);
        let known_hash = manifest.hash();
        self.acknowledge(&done.sync_id, &done.new_manifest_hash);
        self.end_session(&done.sync_id);
        if known_hash.to_string() == done.new_manifest_hash {
            self.report_manifest(id, manifest, Vec::new());
        } else {
            self.request_manifest(id);
        }
    }

    fn acknowledge(&mut self, sync_id: &SyncId, hash: &str) {
        if let Some(source) = self.sessions.get(sync_id).and_then(|session| session.source) {
            let ack = SyncDoneAck { sync_id: sync_id.clone(), new_manifest_hash: hash.to_owned() };
            self.outputs.push_back(Output::to(source, Message::SyncDoneAck(ack)));
        }
    }

    /// A target of protocol 1 shows by its manifest what it has installed.
    fn check_old_targets(&mut self, id: MemberId) {
        let Some(member) = self.members.get(&id).filter(|member| !member.is_ours()) else { return };
        let pending = self.pending.get(&id).map(|pending| &pending.manifest);
        let Some(manifest) = pending.or(member.manifest.as_ref()) else { return };
        let mut complete = Vec::new();
        for sync_id in &member.sessions {
            let Some(session) = self.sessions.get_mut(sync_id).filter(|s| s.target == id) else {
                continue;
            };
            for file in &mut session.files {
                let there =
                    manifest.get(file.path.key()).is_some_and(|own| own.content == file.content);
                if there && file.state == State::Delivered {
                    file.state = State::Installed;
                }
            }
            if session.is_settled() {
                complete.push(sync_id.clone());
            }
        }
        let hash = manifest.hash().to_string();
        for sync_id in complete {
            self.acknowledge(&sync_id, &hash);
            self.end_session(&sync_id);
        }
    }

    fn error(&mut self, id: MemberId, report: &ErrorReport) {
        let Some(session) = self.sessions.get(&report.sync_id) else { return };
        let (is_source, is_target) = (session.source == Some(id), session.target == id);
        let named = report.rel_path.as_deref();
        match (named, is_source, is_target) {
            (Some(path), true, _) => {
                let index = session.files.iter().position(|file| {
                    file.state == State::Asked
                        && file.source_key.as_str() == crate::path::fold(path)
                });
                if let Some(index) = index {
                    let fault = if report.fault == Some(Fault::Failed) {
                        SourceFault::Unreadable
                    } else {
                        SourceFault::OtherContent
                    };
                    self.source_failed(&report.sync_id, index, fault);
                    self.check_sent(&report.sync_id);
                }
            }
            (Some(path), _, true) => {
                if let Some(index) = session.find(path) {
                    let for_good = report.fault == Some(Fault::Declined);
                    self.target_failed(&report.sync_id, index, &report.message, for_good);
                    self.check_sent(&report.sync_id);
                }
            }
            (None, true, _) => self.give_up_source(&report.sync_id),
            (None, _, true) if is_ours(&self.members, id) => {
                for index in 0..session.files.len() {
                    self.target_failed(&report.sync_id, index, &report.message, false);
                }
                self.end_session(&report.sync_id);
            }
            (None, _, true) => self.old_target_error(id, report),
            _ => {}
        }
    }

    /// Takes note that a target did not take a file of a session.
    fn target_failed(&mut self, sync_id: &SyncId, index: usize, message: &str, for_good: bool) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let target = session.target;
        let Some(file) = session.files.get_mut(index) else { return };
        if matches!(file.state, State::Failed | State::Installed) {
            return;
        }
        file.state = State::Failed;
        let (path, hash) = (file.path.clone(), file.content.hash);
        let Some(member) = self.members.get_mut(&target) else { return };
        let for_good = if for_good {
            member.decline(path.key(), hash);
            true
        } else {
            member.fail(path.key(), hash, now)
        };
        let (name, message) = (member.name.clone(), message.to_owned());
        self.event(Event::TargetFault { name, path, message, for_good });
    }

    /// A target of protocol 1 reports an error without saying for which file; its text often does.
    fn old_target_error(&mut self, id: MemberId, report: &ErrorReport) {
        let Some(session) = self.sessions.get(&report.sync_id) else { return };
        let unsettled = session
            .files
            .iter()
            .enumerate()
            .filter(|(_, file)| matches!(file.state, State::Asked | State::Delivered));
        let candidates: Vec<_> =
            unsettled.map(|(index, file)| (index, file.path.as_str())).collect();
        let named = candidates.iter().filter(|(_, path)| report.message.contains(path));
        // One name may be the beginning of another: the longest that fits is meant.
        let named = named.max_by_key(|(_, path)| path.len()).map(|(index, _)| *index);
        // Files that are known to be wrong are answered with a complaint too; that is no refusal.
        let already_known = session
            .files
            .iter()
            .any(|file| file.state == State::Failed && report.message.contains(file.path.as_str()));
        let only = (session.files.len() == 1).then_some(0);
        let mismatch = report.message.contains("ismatch");
        match named.or(only) {
            _ if already_known => return,
            Some(index) => self.target_failed(&report.sync_id, index, &report.message, !mismatch),
            None => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.one_by_one = true;
                }
            }
        }
        self.end_session(&report.sync_id);
    }

    fn give_up_source(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let owed: Vec<_> = (0..session.files.len())
            .filter(|index| session.files[*index].state == State::Asked)
            .collect();
        let source = session.source.and_then(|id| self.name_of(id));
        if let (Some(name), false) = (source, owed.is_empty()) {
            self.event(Event::SourceSilent { name, files: owed.len() });
        }
        for index in owed {
            self.source_failed(sync_id, index, SourceFault::Skipped);
        }
        self.stop_source(sync_id);
        self.check_sent(sync_id);
    }

    /// Lets nothing more of a session through.
    fn stop_source(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let (Some(source), target) = (session.source, session.target) else { return };
        let abandon = Output::AbandonRelay { source, target, sync_id: sync_id.clone() };
        self.outputs.push_back(abandon);
        if is_ours(&self.members, source) {
            self.report(source, sync_id, "this session is over", None);
            self.outputs.push_back(Output::DropRelay(source, sync_id.clone()));
        }
    }

    fn end_session(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let (source, target, sent) = (session.source, session.target, session.is_sent());
        if let (false, Some(source)) = (sent, source) {
            self.stop_source(sync_id);
            let until = self.now + self.config.stall_timeout;
            let old_source = self.members.get_mut(&source).filter(|member| !member.is_ours());
            if let Some(member) = old_source {
                member.draining = Some((sync_id.clone(), until));
            }
        } else if let Some(source) = source {
            if !is_ours(&self.members, target) {
                // A file that its source gave up may still be open there.
                let abandon = Output::AbandonRelay { source, target, sync_id: sync_id.clone() };
                self.outputs.push_back(abandon);
            }
            self.outputs.push_back(Output::DropRelay(source, sync_id.clone()));
        }
        let Some(session) = self.sessions.remove(sync_id) else { return };
        for id in [source, Some(target)].into_iter().flatten() {
            if let Some(member) = self.members.get_mut(&id) {
                member.sessions.remove(sync_id);
            }
        }
        let old_target = self.members.get_mut(&target).filter(|member| !member.is_ours());
        if let Some(member) = old_target {
            for file in session.files.iter().filter(|file| file.state == State::Installed) {
                member.succeed(file.path.key());
            }
        }
        let installed = session.count(State::Installed);
        self.event(Event::SessionEnded {
            sync_id: sync_id.clone(),
            source: source.and_then(|id| self.name_of(id)),
            target: self.name_of(target).unwrap_or_default(),
            installed,
            failed: session.files.len() - installed,
        });
        self.schedule_soon();
    }

    // ---- timers ---------------------------------------------------------------------------------

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

    // ---- standing -------------------------------------------------------------------------------

    fn standing_soon(&mut self) {
        let earliest = self.standings_sent + STANDING_INTERVAL;
        self.standing_at.get_or_insert(earliest.max(self.now));
    }

    /// A client that has said something new of itself waits for an answer, even if it is the same.
    fn stand_anew(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.standing = None;
            self.standing_soon();
        }
    }

    /// Tells clients of ours how they stand, and people when the league is in step.
    fn tell_standings(&mut self) {
        self.standings_sent = self.now;
        let mut wanted: HashMap<MemberId, u64> = HashMap::new();
        let mut standings = Vec::new();
        let mut missing_in_all = 0;
        for (id, member) in &self.members {
            let (Some(manifest_hash), true) = (member.manifest_hash, member.manifest.is_some())
            else {
                continue;
            };
            if self.pending.contains_key(id) {
                continue;
            }
            let copies = own_contents(member);
            let (mut missing, mut missing_bytes, mut withheld) = (0, 0, 0);
            for entry in member.lacking.iter().filter_map(|key| self.union.get(key)) {
                let own_copy = member.is_ours() && copies.contains_key(&entry.content.hash);
                let sources = self.sources(*id, entry);
                if self.withheld(*id, member, entry).is_some()
                    || (sources.is_empty() && !own_copy)
                    || self.waits_in_vain(*id, member, entry)
                {
                    withheld += 1;
                    continue;
                }
                missing += 1;
                missing_bytes += entry.content.size;
                // One of those who hold it is answerable, so that not all wait and not all leave.
                if let (Some(first), false) = (sources.iter().min(), own_copy) {
                    *wanted.entry(*first).or_default() += 1;
                }
            }
            missing_in_all += missing;
            let standing = Standing { manifest_hash, missing, missing_bytes, wanted: 0, withheld };
            standings.push((*id, standing));
        }
        let union_hash = self.current_union_hash();
        for (id, mut standing) in standings {
            standing.wanted = wanted.get(&id).copied().unwrap_or_default();
            let Some(member) = self.members.get_mut(&id).filter(|member| member.is_ours()) else {
                continue;
            };
            if member.standing.replace(standing) != Some(standing) {
                let current_hash = union_hash.unwrap_or(standing.manifest_hash).to_string();
                let state = ServerState { current_hash, standing: Some(standing) };
                self.outputs.push_back(Output::to(id, Message::ServerState(state)));
            }
        }
        let in_step = missing_in_all == 0 && self.sessions.is_empty() && self.pending.is_empty();
        if let (true, false, Some(union_hash)) = (in_step, self.was_in_step, union_hash) {
            let (clients, files) = (self.members.len(), self.union.len());
            self.event(Event::InStep { clients, files, union_hash });
        }
        self.was_in_step = in_step;
    }

    // ---- small helpers --------------------------------------------------------------------------

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
    FileInfo {
        rel_path: entry.path.as_str().to_owned(),
        size: entry.content.size,
        sha256: entry.content.hash.to_string(),
        mtime: entry.mtime.map(UnixTime::as_seconds),
    }
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
