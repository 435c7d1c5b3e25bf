//! What each client holds, as it says.

use super::*;

impl ServerMachine {
    /// Asks a client of ours for its files, unless their hash says which they are.
    pub(super) fn compare(&mut self, id: PeerId, told: &str) {
        let empty = told == Manifest::new().hash().to_string();
        if !empty && self.union_manifest_hash().is_none_or(|hash| told != hash.to_string()) {
            return self.request_manifest(id);
        }
        let (manifest, in_sync) = match empty {
            true => (Manifest::new(), false),
            false => (self.union.manifest(), self.is_in_sync()),
        };
        self.take_manifest(id, CheckedManifest { manifest, ..CheckedManifest::default() });
        if in_sync {
            // It is one more of those who lack nothing. So it need not wait for a step of the union.
            self.tell_sync_status(id, SyncStatus::default(), Vec::new());
        } else {
            self.invalidate_status(id);
            // Nothing comes with it that others could claim as well.
            self.merge_at = self.merge_at.map(|_| self.now);
        }
    }

    pub(super) fn union_manifest_hash(&mut self) -> Option<ContentHash> {
        if self.union_manifest_hash.is_none() && !self.union.is_empty() {
            self.union_manifest_hash = Some(self.union.manifest().hash());
        }
        self.union_manifest_hash
    }

    pub(super) fn manifest(&mut self, id: PeerId, full: ManifestFull) {
        if !self.check_length(id, full.manifest.len()) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.asked_at = None;
        peer.manifest_at = self.now;
        peer.revision = full.revision.unwrap_or_default();
        let checked = check_manifest(full.manifest, &self.config.rules, peer.speaks_v2());
        if !peer.speaks_v2() && !checked.manifest.is_empty() {
            peer.protocol = if checked.dated { Protocol::V104 } else { Protocol::V1First };
        }
        self.take_manifest(id, checked);
        self.invalidate_status(id);
        self.check_old_targets(id);
    }

    /// Whether a list of files is not too long. Its sender is told if it is.
    pub(super) fn check_length(&mut self, id: PeerId, files: usize) -> bool {
        let most = self.config.rules.entries_max;
        if files > most {
            let message =
                format!("manifest refused: it lists {files} files, and this server takes {most}");
            self.report(id, &SyncId::default(), &message, None);
        }
        files <= most
    }

    /// A client of ours says what has changed since it last told of its files.
    pub(super) fn manifest_changes(&mut self, id: PeerId, changes: ManifestChanges) {
        let Some(peer) = self.peers.get(&id).filter(|peer| peer.speaks_v2()) else { return };
        let Some(files) = peer.manifest.as_ref().map(Manifest::len) else { return };
        if !self.check_length(id, files + changes.changed.len()) {
            return;
        }
        let checked = check_manifest(changes.changed, &self.config.rules, true);
        let extensions = &self.config.rules.extensions;
        let paths = changes.removed.iter().map(|path| RelPath::parse(path, extensions));
        // What was there under a name that is refused now is there no more.
        let refused = checked.skipped.iter().map(|file| RelPath::parse(&file.path, extensions));
        let removed: Vec<_> =
            paths.chain(refused).flatten().map(|path| path.key().clone()).collect();
        let changed = checked.manifest.iter().map(|entry| checked.gained(entry)).collect();
        self.change_manifest(id, removed, changed, checked.skipped);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.revision = changes.revision;
        }
        self.invalidate_status(id);
    }

    /// A target of ours has put files in place.
    pub(super) fn installed(&mut self, id: PeerId, files: Vec<(RelPath, Content)>, revision: u64) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.revision = revision;
        let Some(manifest) = &peer.manifest else { return };
        let mut changed = Vec::new();
        for (path, content) in files {
            let spelling = manifest.respell(&path);
            let own = manifest.get(path.key()).map(|own| own.path.clone());
            let own = own.or_else(|| RelPath::parse(&spelling, &self.config.rules.extensions).ok());
            let mtime = self.union.get(path.key()).and_then(|entry| entry.mtime);
            peer.lacking.remove(path.key());
            peer.claimed.insert(path.key().clone(), content.hash);
            changed.extend(own.map(|path| Gained::from(Entry { path, content, mtime })));
        }
        let has_all = peer.lacking.is_empty();
        self.change_manifest(id, Vec::new(), changed, Vec::new());
        self.invalidate_status(id);
        if has_all {
            // It waits to be told so, and nothing comes with it that others could claim as well.
            self.merge_at = Some(self.now);
        }
    }

    /// Takes in all that a client holds.
    pub(super) fn take_manifest(&mut self, id: PeerId, checked: CheckedManifest) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let old = peer.manifest.take().unwrap_or_default();
        let difference = diff(&old, &checked.manifest);
        let (lost, gained) = (difference.extra, difference.missing);
        let unchanged = lost.is_empty() && gained.is_empty() && difference.different.is_empty();
        peer.manifest = Some(checked.manifest.clone());
        if unchanged && peer.merged {
            return self.check_claims(id, None);
        }
        // What it could not send as it was may be another file by now.
        peer.clear_unservable();
        self.arrivals += 1;
        let pending = self.pending.entry(id).or_default();
        (pending.arrival, pending.whole) = (self.arrivals, true);
        lost.into_iter().for_each(|old| pending.remove(old));
        gained.into_iter().for_each(|new| pending.put(checked.gained(&new), None));
        for (old, new) in difference.different {
            pending.put(checked.gained(&new), Some(old));
        }
        self.check_claims(id, None);
        self.manifest_changed(id, None, checked.skipped);
    }

    /// Takes in what has changed of what a client holds.
    pub(super) fn change_manifest(
        &mut self,
        id: PeerId,
        removed: Vec<PathKey>,
        changed: Vec<Gained>,
        mut left_out: Vec<Skipped>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(manifest) = &mut peer.manifest else { return };
        if removed.is_empty() && changed.is_empty() && left_out.is_empty() {
            return;
        }
        self.arrivals += 1;
        let pending = self.pending.entry(id).or_default();
        pending.arrival = self.arrivals;
        let touched: BTreeSet<_> = removed
            .iter()
            .cloned()
            .chain(changed.iter().map(|gained| gained.entry.path.key().clone()))
            .collect();
        for key in removed {
            if let Some(old) = manifest.remove(&key) {
                pending.remove(old);
            }
        }
        for new in changed {
            let old = manifest.remove(new.entry.path.key());
            match manifest.insert(new.entry.clone()) {
                Ok(()) => pending.put(new, old),
                Err(collision) => {
                    let path = new.entry.path.as_str().to_owned();
                    left_out.push(Skipped { path, reason: collision.into() });
                    old.into_iter().for_each(|old| pending.remove(old));
                }
            }
        }
        peer.clear_unservable();
        self.check_claims(id, Some(&touched));
        self.manifest_changed(id, Some(&touched), left_out);
    }

    /// A client holds other files than before: all of them, or those that are `touched`.
    fn manifest_changed(
        &mut self,
        id: PeerId,
        touched: Option<&BTreeSet<PathKey>>,
        left_out: Vec<Skipped>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(manifest) = &peer.manifest else { return };
        peer.retiring.retain(|key, _| manifest.get(key).is_some());
        let (files, bytes, name) = (manifest.len(), manifest.total_bytes(), peer.name.clone());
        let liveries = manifest.livery_count();
        // The union takes its step later; until then nothing is offered that is there by now.
        let is_there = |key: &PathKey| {
            let wanted = self.union.get(key).map(|entry| entry.content);
            wanted.is_some() && manifest.get(key).map(|own| own.content) == wanted
        };
        match touched {
            Some(touched) => {
                for key in touched.iter().filter(|key| is_there(key)) {
                    peer.lacking.remove(key);
                }
            }
            None => peer.lacking.retain(|key| !is_there(key)),
        }
        self.event(Event::Manifest { name, liveries, files, bytes, left_out });
        // However soon the league is in sync again, people are told so.
        self.was_in_sync = false;
        self.merge_soon();
    }

    /// Looks whether a client has what it said to have installed: all of that, or what is `touched`.
    pub(super) fn check_claims(&mut self, id: PeerId, touched: Option<&BTreeSet<PathKey>>) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(manifest) = &peer.manifest else { return };
        let is_wrong = |key: &PathKey, claimed: ContentHash| {
            manifest.get(key).is_none_or(|own| own.content.hash != claimed)
        };
        let claims = |key: &PathKey| peer.claimed.get(key).map(|claimed| (key.clone(), *claimed));
        let mut wrong: Vec<_> = match touched {
            Some(touched) => touched.iter().filter_map(claims).collect(),
            None => peer.claimed.keys().filter_map(claims).collect(),
        };
        wrong.retain(|(key, claimed)| is_wrong(key, *claimed));
        if touched.is_none() {
            peer.claimed.clear();
        }
        for (key, claimed) in wrong {
            peer.claimed.remove(&key);
            peer.fail(&key, claimed, now);
            peer.lacking.insert(key);
            peer.jobs = None;
        }
    }
}
