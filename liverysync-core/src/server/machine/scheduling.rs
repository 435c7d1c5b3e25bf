//! What is fetched into the store, and what each client is offered, next.
//!
//! Both are thought over once and then worked off: the plan of uploads until it is dropped
//! (`self.plan = None`) because what it rests on has changed, and each target's jobs until
//! [`ServerMachine::invalidate_jobs`].

use super::*;
use crate::schedule::sessions;

/// So many sessions a client takes part in whatever [`ServerConfig::sessions_per_client_max`] says, as long as they have
/// no more than so many bytes: small files are soon sent, asking and flushing takes its time, and the line is not to
/// rest meanwhile. One of ours takes part in 64.
const SMALL_SESSIONS_MAX: usize = 24;
const SMALL_SESSIONS_BYTES_MAX: u64 = 8 << 20;

impl ServerMachine {
    pub(super) fn schedule_soon(&mut self) {
        self.schedule_at = Some(self.now);
        self.sync_status_soon();
    }

    pub(super) fn schedule(&mut self) {
        self.fetch();
        self.serve();
    }

    /// Drops what was thought out for a target.
    pub(super) fn invalidate_jobs(&mut self, target: PeerId) {
        if let Some(peer) = self.peers.get_mut(&target) {
            peer.jobs = None;
        }
    }

    // ---- uploads --------------------------------------------------------------------------------

    /// Asks for what is lacked and not in the store, as far as sources are free and there is room.
    fn fetch(&mut self) {
        if self.store_paused_until > self.now {
            return;
        }
        let mut plan = match self.plan.take() {
            Some(plan) => plan,
            None => self.plan_uploads(),
        };
        let mut idle = Vec::new();
        for source in self.peers.keys().copied().collect::<Vec<_>>() {
            while self.is_free(source) {
                let Some(keys) = plan.get_mut(&source).and_then(VecDeque::pop_front) else {
                    idle.push(source);
                    break;
                };
                let (keys, later) = self.fitting(keys);
                self.open_upload(source, &keys);
                if !later.is_empty() {
                    plan.entry(source).or_default().push_front(later);
                    break;
                }
            }
        }
        plan.retain(|_, sessions| !sessions.is_empty());
        // Who has nothing left to do may take over from those who have.
        let spread = idle.iter().any(|source| self.could_help(*source, &plan));
        self.plan = (!spread).then_some(plan);
    }

    /// Whether `source` has what somebody else would upload last.
    fn could_help(&self, source: PeerId, plan: &schedule::Plan) -> bool {
        let last = plan.values().filter(|sessions| sessions.len() > 1).filter_map(VecDeque::back);
        let entries = last.filter_map(|keys| self.union.get(keys.first()?));
        entries.into_iter().any(|entry| self.willing(entry.content).any(|holder| holder == source))
    }

    fn is_free(&self, source: PeerId) -> bool {
        let open = self.uploads.len() + self.downloads.len() < self.config.sessions_max;
        let Some(peer) = self.peers.get(&source).filter(|_| open) else { return false };
        let open = peer.uploads.iter().filter_map(|id| self.uploads.get(id));
        peer.load(&self.config).free > 0
            || peer.speaks_v2() && peer.merged && are_small(open.map(Upload::bytes))
    }

    /// Splits what is to be asked for into what there is room for and what has to wait for room. What is
    /// here by now, or on its way, is left out.
    fn fitting(&mut self, keys: Vec<PathKey>) -> (Vec<PathKey>, Vec<PathKey>) {
        let (mut now, mut later, mut bytes) = (Vec::new(), Vec::new(), 0);
        for key in keys {
            let Some(entry) = self.union.get(&key) else { continue };
            let content = entry.content;
            if !self.store.can_begin(content) {
                continue;
            }
            let more = if self.store.has(content) { 0 } else { content.size };
            // The first may be larger than all the room there is; what comes with it must fit.
            let fits = later.is_empty() && self.find_room(bytes + more);
            if fits && (now.is_empty() || self.is_within(bytes + more)) {
                bytes += more;
                now.push(key);
            } else {
                later.push(key);
            }
        }
        (now, later)
    }

    /// Thinks out who uploads what of all that somebody lacks.
    fn plan_uploads(&self) -> schedule::Plan {
        let mut seen = BTreeSet::new();
        let mut wants = Vec::new();
        for (target, peer) in self.peers.iter().filter(|(_, peer)| peer.is_known()) {
            for key in &peer.lacking {
                let Some(entry) = self.union.get(key) else { continue };
                let content = entry.content;
                if !self.store.can_begin(content) || seen.contains(&content) {
                    continue;
                }
                let copied = peer.speaks_v2() && self.has_content(*target, content);
                if copied
                    || self.withheld(*target, peer, entry).is_some()
                    || !peer.may_retry(entry, self.now)
                    || self.would_lose(*target, peer, entry)
                {
                    continue;
                }
                let mut sources = self.sources(content);
                // Who cannot copy what he has would send it only to get it back.
                sources.retain(|source| source != target);
                if !sources.is_empty() {
                    seen.insert(content);
                    let (bytes, copies) = (content.size, entry.copies());
                    wants.push(Want { key: key.clone(), bytes, copies, sources });
                }
            }
        }
        if wants.is_empty() && self.config.archive {
            wants = self.unarchived();
        }
        let loads = self.peers.iter().map(|(id, peer)| (*id, peer.load(&self.config)));
        schedule::plan(&wants, &loads.collect(), self.config.files_per_session_max)
    }

    /// What nobody lacks and the store has not, as far as it has room.
    fn unarchived(&self) -> Vec<Want> {
        let mut room = self.config.store_bytes_max.saturating_sub(self.store.bytes());
        if room == 0 {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let mut wants = Vec::new();
        for entry in self.union.iter() {
            let (content, bytes) = (entry.content, entry.content.size);
            if bytes > room || !self.store.can_begin(content) {
                continue;
            }
            let sources = self.sources(content);
            if !sources.is_empty() && seen.insert(content) {
                room -= bytes;
                let key = entry.path.key().clone();
                wants.push(Want { key, bytes, copies: entry.copies(), sources });
            }
        }
        wants
    }

    /// Those who have a content and have not failed to send it. Nobody does if there cannot be such a
    /// content, whatever they say.
    pub(super) fn willing(&self, content: Content) -> impl Iterator<Item = PeerId> {
        let all = self.union.sources(content).filter(move |_| !self.store.contradicts(content));
        let willing = all.filter(move |(holder, local)| {
            let peer = self.peers.get(holder);
            peer.is_some_and(|m| m.may_serve(local.key(), content.hash, self.now))
        });
        willing.map(|(holder, _)| holder)
    }

    /// The same, each once.
    fn sources(&self, content: Content) -> Vec<PeerId> {
        self.willing(content).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether a client has a content somewhere.
    pub(super) fn has_content(&self, id: PeerId, content: Content) -> bool {
        self.union.places(id, content).next().is_some()
    }

    // ---- downloads -----------------------------------------------------------------------------

    /// Contents are on their way into the store: all who lack them are offered them.
    pub(super) fn offer_to_all(&mut self, contents: &BTreeSet<Content>) {
        let entries = contents.iter().flat_map(|content| self.union.with_content(*content));
        let keys: BTreeSet<PathKey> = entries.map(|entry| entry.path.key().clone()).collect();
        let most = self.config.files_per_session_max;
        for id in self.peers.keys().copied().collect::<Vec<_>>() {
            let Some(peer) = self.peers.get(&id).filter(|peer| peer.is_known()) else {
                continue;
            };
            let lacked = keys.iter().filter(|key| peer.lacking.contains(*key));
            let lacked = lacked.filter(|key| !peer.under_way.contains(*key)).cloned();
            let sessions = sessions(liveries(lacked.collect()), most);
            if let Some(jobs) = self.peers.get_mut(&id).and_then(|peer| peer.jobs.as_mut()) {
                jobs.extend(sessions.into_iter().map(Job::Download));
            }
        }
    }

    /// Opens what downloads can be opened, those for whom the fewest are open first.
    fn serve(&mut self) {
        let known =
            self.peers.iter().filter(|(_, peer)| peer.is_known() && !peer.lacking.is_empty());
        let mut targets: Vec<_> = known.map(|(id, peer)| (peer.downloads.len(), *id)).collect();
        targets.sort_unstable();
        for (_, target) in targets {
            while self.may_serve(target) {
                if self.peers.get(&target).is_some_and(|peer| peer.jobs.is_none()) {
                    self.plan_jobs(target);
                }
                let jobs = self.peers.get_mut(&target).and_then(|peer| peer.jobs.as_mut());
                match jobs.and_then(VecDeque::pop_front) {
                    Some(job) => self.begin_job(target, job),
                    None => break,
                }
            }
        }
    }

    fn may_serve(&self, target: PeerId) -> bool {
        let open = self.uploads.len() + self.downloads.len() < self.config.sessions_max;
        let Some(peer) = self.peers.get(&target).filter(|_| open) else { return false };
        let open = peer.downloads.iter().filter_map(|id| self.downloads.get(id));
        peer.free_downloads(&self.config) > 0
            || peer.speaks_v2() && are_small(open.map(Download::bytes))
    }

    fn begin_job(&mut self, target: PeerId, job: Job) {
        let Some(peer) = self.peers.get(&target) else { return };
        let still = |key: &PathKey| {
            let entry = self.union.get(key).filter(|_| peer.lacking.contains(key));
            entry.is_some_and(|entry| {
                !peer.under_way.contains(key)
                    && self.may_take(target, peer, entry, false)
                    && self.store.is_available(entry.content)
            })
        };
        match job {
            Job::Copy(keys) => self.open_download(target, &keys, true),
            Job::Download(mut keys) => {
                let before = keys.len();
                keys.retain(still);
                let deferred = keys.len() < before;
                let rest =
                    if peer.one_by_one && keys.len() > 1 { keys.split_off(1) } else { Vec::new() };
                if let Some(peer) = self.peers.get_mut(&target) {
                    peer.deferred |= deferred;
                    if let (Some(jobs), false) = (&mut peer.jobs, rest.is_empty()) {
                        jobs.push_front(Job::Download(rest));
                    }
                }
                self.open_download(target, &keys, false);
            }
        }
    }

    /// Whether a target may take an entry at this time, from the store or (`copies`) from its own PC.
    fn may_take(&self, id: PeerId, peer: &Peer, entry: &UnionEntry, copies: bool) -> bool {
        let own = peer.speaks_v2() && self.has_content(id, entry.content);
        own == copies
            && self.withheld(id, peer, entry).is_none()
            && peer.may_retry(entry, self.now)
            && (copies || !self.would_lose(id, peer, entry))
    }

    /// Thinks out all that a target can be offered as things are.
    fn plan_jobs(&mut self, target: PeerId) {
        let Some(peer) = self.peers.get(&target) else { return };
        let (mut copyable, mut kept, mut coming) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (mut withheld, mut deferred) = (Vec::new(), false);
        for key in peer.lacking.iter().filter(|key| !peer.under_way.contains(*key)) {
            let Some(entry) = self.union.get(key) else { continue };
            if let Some(reason) = self.withheld(target, peer, entry) {
                withheld.push((entry.path.clone(), reason));
            } else if self.may_take(target, peer, entry, true) {
                copyable.insert(key, entry);
            } else if !self.may_take(target, peer, entry, false) {
                deferred = true;
            } else if self.store.is_stored(entry.content) {
                kept.push(key.clone());
            } else if self.store.is_available(entry.content) {
                coming.push(key.clone());
            }
        }
        let copies = self.safe_copies(target, peer, &copyable);
        deferred |= copies.len() < copyable.len();
        let most = self.config.files_per_session_max;
        let copies = copies.chunks(most.max(1)).map(|keys| Job::Copy(keys.to_vec()));
        let delivered = sessions(liveries(kept).chain(liveries(coming)), most);
        let jobs = copies.chain(delivered.into_iter().map(Job::Download)).collect();
        if let Some(peer) = self.peers.get_mut(&target) {
            peer.jobs = Some(jobs);
            peer.deferred = deferred;
        }
        self.tell_withheld(target, withheld);
    }

    /// Of what a target can copy on its own PC, that by which nothing is lost.
    fn safe_copies(
        &self,
        target: PeerId,
        peer: &Peer,
        copyable: &BTreeMap<&PathKey, &UnionEntry>,
    ) -> Vec<PathKey> {
        // What one copy replaces may be what another one brings: both are staged before the switch.
        let brought = |entry: &UnionEntry| {
            let rival = self.rival_at(target, peer, entry.path.key());
            rival.is_some_and(|rival| copyable.contains_key(rival.path.key()))
        };
        let safe = copyable
            .values()
            .filter(|entry| !self.would_lose(target, peer, entry) || brought(entry));
        safe.map(|entry| entry.path.key().clone()).collect()
    }

    pub(super) fn withheld(&self, id: PeerId, peer: &Peer, entry: &UnionEntry) -> Option<Withheld> {
        let key = entry.path.key();
        if !self.is_allowed(key) {
            return Some(Withheld::NotAllowed);
        }
        if let Some(reason) = peer.withheld(entry, &self.union, &self.config) {
            return Some(reason);
        }
        let own = peer.manifest.as_ref().and_then(|manifest| manifest.get(key));
        let uncounted = own.is_some_and(|own| {
            self.union.counts_for(id, key, own.content.hash).is_none()
                && !self.union.is_stale(id, key)
        });
        uncounted.then_some(Withheld::WouldLose)
    }

    fn tell_withheld(&mut self, target: PeerId, withheld: Vec<(RelPath, Withheld)>) {
        for (path, reason) in withheld {
            let Some(peer) = self.peers.get_mut(&target) else { return };
            if peer.told_withheld.insert(path.key().clone()) {
                let name = peer.name.clone();
                self.event(Event::Withheld { name, path, reason });
            }
        }
    }

    /// Whether taking `entry` now would overwrite a rival that is not yet safe elsewhere: for a
    /// client of ours under its conflict name on its own PC, for any other client on another PC
    /// that could still take it, or in the store.
    pub(super) fn would_lose(&self, id: PeerId, peer: &Peer, entry: &UnionEntry) -> bool {
        let key = entry.path.key();
        let Some(own) = peer.manifest.as_ref().and_then(|manifest| manifest.get(key)) else {
            return false;
        };
        if self.union.is_stale(id, key) {
            return false;
        }
        let Some(rival) = self.union.counts_for(id, key, own.content.hash) else { return true };
        let declines = |peer: &Peer, id| self.withheld(id, peer, rival).is_some();
        if peer.speaks_v2() {
            return !peer.has(rival) && !declines(peer, id);
        }
        let safe = rival.holders().any(|(holder, _)| holder != id);
        let takers = self.peers.iter().filter(|(other, _)| **other != id);
        !safe
            && takers
                .into_iter()
                .any(|(other, peer)| peer.manifest.is_some() && !declines(peer, *other))
    }

    /// The entry that a client's own file at `key` counts for.
    fn rival_at(&self, id: PeerId, peer: &Peer, key: &PathKey) -> Option<&UnionEntry> {
        let own = peer.manifest.as_ref()?.get(key)?;
        self.union.counts_for(id, key, own.content.hash)
    }

    /// Whether taking `entry` has to wait for a rival that nobody delivers: as things are, for ever.
    pub(super) fn waits_forever(&self, id: PeerId, peer: &Peer, entry: &UnionEntry) -> bool {
        let rival = self.rival_at(id, peer, entry.path.key());
        !peer.speaks_v2()
            && rival.is_some_and(|rival| self.willing(rival.content).next().is_none())
            && self.would_lose(id, peer, entry)
    }
}

/// Whether sessions of so many bytes each leave room for another one.
fn are_small(sessions: impl Iterator<Item = u64>) -> bool {
    let (open, bytes) = sessions.fold((0, 0), |(open, all), bytes| (open + 1, all + bytes));
    open < SMALL_SESSIONS_MAX && bytes <= SMALL_SESSIONS_BYTES_MAX
}

/// Groups keys, which are in order, by livery.
fn liveries(keys: Vec<PathKey>) -> impl Iterator<Item = Vec<PathKey>> {
    let groups = keys.chunk_by(|a, b| a.livery() == b.livery());
    groups.map(<[PathKey]>::to_vec).collect::<Vec<_>>().into_iter()
}
