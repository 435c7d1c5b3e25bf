//! Steps of the union: what clients hold by now joins it, and what each lacks is brought up to date.

use super::*;

/// What a client's files lost and gained since the union took its last step.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) arrival: u64,
    /// What the union knows of it, where that is so no more.
    lost: BTreeMap<PathKey, Entry>,
    pub(super) gained: BTreeMap<PathKey, Gained>,
    /// It told of all its files.
    pub(super) whole: bool,
}

impl Pending {
    pub(super) fn put(&mut self, new: Gained, old: Option<Entry>) {
        let key = new.entry.path.key().clone();
        if let Some(old) = old.filter(|_| !self.gained.contains_key(&key)) {
            self.lost.entry(key.clone()).or_insert(old);
        }
        self.gained.insert(key, new);
    }

    pub(super) fn remove(&mut self, old: Entry) {
        let key = old.path.key().clone();
        if self.gained.remove(&key).is_none() {
            self.lost.entry(key).or_insert(old);
        }
    }

    pub(super) fn keys(&self) -> BTreeSet<PathKey> {
        self.lost.keys().chain(self.gained.keys()).cloned().collect()
    }

    /// What the ledger is to know of it.
    fn report(&self, author: MemberId, whole: bool) -> Record {
        let gone = self.lost.values().filter(|old| !self.gained.contains_key(old.path.key()));
        Record::Reported {
            author,
            whole,
            lost: gone.map(|old| old.path.clone()).collect(),
            gained: self.gained.values().map(|gained| gained.entry.clone()).collect(),
        }
    }

    /// A change of what the union knows the peer to have in sync was made of that, although the peer may not
    /// have heard yet that he was in sync.
    fn follow(&mut self, union: &Union) {
        for (key, old) in &self.lost {
            let was_in_sync = union.get(key).is_some_and(|entry| entry.content == old.content);
            if let Some(gained) = self.gained.get_mut(key).filter(|_| was_in_sync) {
                gained.base = Some(old.content.hash);
            }
        }
    }

    fn into_change(self, peer: PeerId, author: Option<MemberId>, whole: bool) -> Change {
        let (lost, gained) = (self.lost.into_values(), self.gained.into_values());
        let (arrival, lost, gained) = (self.arrival, lost.collect(), gained.collect());
        Change { peer, arrival, author, whole, lost, gained }
    }
}

impl ServerMachine {
    pub(super) fn merge_soon(&mut self) {
        self.merge_at.get_or_insert(self.now + self.config.merge_window);
    }

    pub(super) fn merge(&mut self) {
        // First what the store has: it outlives those who leave.
        let kept = std::mem::take(&mut self.kept);
        self.hold(&kept);
        let mut records = self.union.prove(kept);
        let mut changes = Vec::new();
        let nothing = Manifest::new();
        for (id, manifest) in std::mem::take(&mut self.gone) {
            changes.push(Change::between(id, 0, &manifest, &nothing));
        }
        let lost = std::mem::take(&mut self.lost_content);
        changes.push(self.without(&lost));
        let mut reported = BTreeMap::new();
        for (id, mut pending) in std::mem::take(&mut self.pending) {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            let first = !std::mem::replace(&mut peer.merged, true);
            pending.whole |= first;
            reported.insert(id, (!pending.whole).then(|| pending.keys()));
            records.extend(peer.author.map(|author| pending.report(author, first)));
            if peer.speaks_v2() {
                pending.follow(&self.union);
            }
            changes.push(pending.into_change(id, peer.author, first));
        }
        let outcome = self.union.step(changes);
        self.write_down(records);
        self.took_step(outcome, &reported);
    }

    fn write_down(&mut self, records: Vec<Record>) {
        if !records.is_empty() {
            self.outputs.push_back(Output::Record(records));
        }
    }

    /// Does what follows from a step: for all its names, and for those who told of their files in it.
    pub(super) fn took_step(
        &mut self,
        outcome: Outcome,
        reported: &BTreeMap<PeerId, Option<BTreeSet<PathKey>>>,
    ) {
        self.write_down(outcome.records);
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
        let (here, not_here) =
            entries.map(|entry| entry.content).partition(|content| self.store.is_stored(*content));
        self.hold(&here);
        // What a name held before may have come back to it, and be gone from the store.
        let gone = self.without(&not_here);
        self.union.step(vec![gone]);
        if !outcome.changed.is_empty() {
            self.union_hash = None;
            self.union_manifest_hash = None;
        }
        for (id, _) in reported.iter().filter(|(_, told)| told.is_none()) {
            let manifest = self.peers.get_mut(id).and_then(|peer| peer.manifest.as_mut());
            if let Some(manifest) = manifest {
                // A league holds the same files everywhere: they need be in memory only once.
                self.union.share(manifest);
            }
        }
        for (id, told) in reported {
            let (Some(peer), Some(told)) = (self.peers.get_mut(id), told) else { continue };
            // What stood in the way there may be gone, or known by now.
            told.iter().for_each(|key| peer.clear_failures(key));
        }
        self.update_lacking(&outcome.touched, &outcome.changed, reported);
        self.retire_unwanted();
        self.make_room();
        self.schedule_soon();
    }

    /// The store is one more that holds what it has.
    pub(super) fn hold(&mut self, kept: &BTreeSet<Content>) {
        let entries = kept.iter().flat_map(|content| self.union.with_content(*content));
        let free = entries.filter(|entry| entry.local(STORE).is_none()).map(as_entry);
        let gained: Vec<_> = free.map(Gained::from).collect();
        if !gained.is_empty() {
            // It takes part in names that are there, so nothing comes or goes by it.
            self.union.step(vec![store_change(Vec::new(), gained)]);
        }
    }

    /// The store does not have these contents any more.
    pub(super) fn without(&self, lost: &BTreeSet<Content>) -> Change {
        let gone = lost.iter().filter(|content| !self.store.is_stored(**content));
        let entries = gone.flat_map(|content| self.union.with_content(*content));
        let held = entries.filter(|entry| entry.local(STORE).is_some());
        store_change(held.map(as_entry).collect(), Vec::new())
    }

    /// Tells clients of ours to put away what nobody is to have any more, once they need it for nothing else. A
    /// disk may be full, or a file in use: so it is said again from time to time.
    pub(super) fn retire_unwanted(&mut self) {
        let mut unwanted: BTreeMap<PeerId, Vec<(PathKey, FileInfo)>> = BTreeMap::new();
        for (id, path, content) in self.union.unwanted() {
            let Some(peer) = self.peers.get(&id).filter(|peer| peer.speaks_v2()) else {
                continue;
            };
            let told_at = peer.retiring.get(path.key());
            let told = told_at.is_some_and(|at| self.now.since(*at) < RETIRE_RETRY);
            if !told && !self.will_copy(id, peer, content) {
                let file = FileInfo::new(path.as_str(), content, None, true);
                unwanted.entry(id).or_default().push((path.key().clone(), file));
            }
        }
        for (id, files) in unwanted {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            let (keys, files): (Vec<_>, Vec<_>) = files.into_iter().unzip();
            peer.retiring.extend(keys.into_iter().map(|key| (key, self.now)));
            self.outputs.push_back(Output::to(id, Message::Retire(Retire { files })));
        }
    }

    /// Whether a client is still to get a content under another name, by copying what it has.
    fn will_copy(&self, id: PeerId, peer: &Peer, content: Content) -> bool {
        self.union.with_content(content).any(|entry| {
            peer.lacking.contains(entry.path.key()) && self.withheld(id, peer, entry).is_none()
        })
    }

    /// Brings up to date what each client lacks: everything for those that told of all their files, what
    /// they told of for those that told of changes, the names whose content has changed for the others.
    pub(super) fn update_lacking(
        &mut self,
        touched: &BTreeSet<PathKey>,
        changed: &BTreeSet<PathKey>,
        reported: &BTreeMap<PeerId, Option<BTreeSet<PathKey>>>,
    ) {
        let mut more = false;
        for (id, peer) in &mut self.peers {
            let keys = match reported.get(id) {
                Some(None) => {
                    let lacks = self.union.iter().filter(|entry| !peer.has(entry));
                    peer.lacking = lacks.map(|entry| entry.path.key().clone()).collect();
                    peer.jobs = None;
                    more = true;
                    continue;
                }
                Some(Some(told)) => &(told | touched),
                None => changed,
            };
            for key in keys {
                // What it has by now it may copy to where it lacks that.
                let own = peer.manifest.as_ref().and_then(|manifest| manifest.get(key));
                let mut names =
                    own.into_iter().flat_map(|own| self.union.with_content(own.content));
                // And what it has no more may have been in the way of that.
                if own.is_none() || names.any(|entry| peer.lacking.contains(entry.path.key())) {
                    peer.jobs = None;
                }
                match self.union.get(key) {
                    Some(entry) if !peer.has(entry) => {
                        // What is lacked may be another content than before.
                        if peer.lacking.insert(key.clone()) || changed.contains(key) {
                            peer.jobs = None;
                            more = true;
                        }
                    }
                    _ => {
                        peer.lacking.remove(key);
                    }
                }
            }
        }
        if more || !changed.is_empty() {
            self.plan = None;
        }
    }
}

fn store_change(lost: Vec<Entry>, gained: Vec<Gained>) -> Change {
    Change { peer: STORE, arrival: 0, author: None, whole: false, lost, gained }
}
