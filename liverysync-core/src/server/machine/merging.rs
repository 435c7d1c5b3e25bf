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
    fn report(&self, author: Author, whole: bool) -> Record {
        let gone = self.lost.values().filter(|old| !self.gained.contains_key(old.path.key()));
        Record::Reported {
            author,
            whole,
            lost: gone.map(|old| old.path.clone()).collect(),
            gained: self.gained.values().map(|gained| gained.entry.clone()).collect(),
        }
    }

    /// A change of what the union knows the member to have in step was made of that, although the member may not
    /// have heard yet that he was in step.
    fn follow(&mut self, union: &Union) {
        for (key, old) in &self.lost {
            let was_in_step = union.get(key).is_some_and(|entry| entry.content == old.content);
            if let Some(gained) = self.gained.get_mut(key).filter(|_| was_in_step) {
                gained.base = Some(old.content.hash);
            }
        }
    }

    fn into_change(self, member: MemberId, author: Option<Author>, whole: bool) -> Change {
        let (lost, gained) = (self.lost.into_values(), self.gained.into_values());
        let (arrival, lost, gained) = (self.arrival, lost.collect(), gained.collect());
        Change { member, arrival, author, whole, lost, gained }
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
            let Some(member) = self.members.get_mut(&id) else { continue };
            let first = !std::mem::replace(&mut member.merged, true);
            pending.whole |= first;
            reported.insert(id, (!pending.whole).then(|| pending.keys()));
            records.extend(member.author.map(|author| pending.report(author, first)));
            if member.is_ours() {
                pending.follow(&self.union);
            }
            changes.push(pending.into_change(id, member.author, first));
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
        reported: &BTreeMap<MemberId, Option<BTreeSet<PathKey>>>,
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
            entries.map(|entry| entry.content).partition(|content| self.shelf.is_kept(*content));
        self.hold(&here);
        // What a name held before may have come back to it, and be gone from the store.
        let gone = self.without(&not_here);
        self.union.step(vec![gone]);
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
        for (id, told) in reported {
            let (Some(member), Some(told)) = (self.members.get_mut(id), told) else { continue };
            // What stood in the way there may be gone, or known by now.
            told.iter().for_each(|key| member.succeed(key));
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
        let gone = lost.iter().filter(|content| !self.shelf.is_kept(**content));
        let entries = gone.flat_map(|content| self.union.with_content(*content));
        let held = entries.filter(|entry| entry.local(STORE).is_some());
        store_change(held.map(as_entry).collect(), Vec::new())
    }

    /// Tells clients of ours to put away what nobody is to have any more, once they need it for nothing else. A
    /// disk may be full, or a file in use: so it is said again from time to time.
    pub(super) fn retire_unwanted(&mut self) {
        let mut unwanted: BTreeMap<MemberId, Vec<(PathKey, FileInfo)>> = BTreeMap::new();
        for (id, path, content) in self.union.unwanted() {
            let Some(member) = self.members.get(&id).filter(|member| member.is_ours()) else {
                continue;
            };
            let told_at = member.retiring.get(path.key());
            let told = told_at.is_some_and(|at| self.now.since(*at) < RETIRE_RETRY);
            if !told && !self.will_copy(id, member, content) {
                let file = FileInfo::new(path.as_str(), content, None, true);
                unwanted.entry(id).or_default().push((path.key().clone(), file));
            }
        }
        for (id, files) in unwanted {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let (keys, files): (Vec<_>, Vec<_>) = files.into_iter().unzip();
            member.retiring.extend(keys.into_iter().map(|key| (key, self.now)));
            self.outputs.push_back(Output::to(id, Message::Retire(Retire { files })));
        }
    }

    /// Whether a client is still to get a content under another name, by copying what it has.
    fn will_copy(&self, id: MemberId, member: &Member, content: Content) -> bool {
        self.union.with_content(content).any(|entry| {
            member.lacking.contains(entry.path.key()) && self.withheld(id, member, entry).is_none()
        })
    }

    /// Brings up to date what each client lacks: everything for those that told of all their files, what
    /// they told of for those that told of changes, the names whose content has changed for the others.
    pub(super) fn update_lacking(
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
                // What it has by now it may copy to where it lacks that.
                let own = member.manifest.as_ref().and_then(|manifest| manifest.get(key));
                let mut names =
                    own.into_iter().flat_map(|own| self.union.with_content(own.content));
                // And what it has no more may have been in the way of that.
                if own.is_none() || names.any(|entry| member.lacking.contains(entry.path.key())) {
                    member.jobs = None;
                }
                match self.union.get(key) {
                    Some(entry) if !member.has(entry) => {
                        // What is lacked may be another content than before.
                        if member.lacking.insert(key.clone()) || changed.contains(key) {
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
}

fn store_change(lost: Vec<Entry>, gained: Vec<Gained>) -> Change {
    Change { member: STORE, arrival: 0, author: None, whole: false, lost, gained }
}
