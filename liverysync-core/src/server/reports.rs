//! The reports of clients about their files, until the union takes them in.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{
    Event,
    context::Context,
    dirty::Merge,
    manifest_check::{CheckedManifest, check_manifest},
    peers::request_manifest,
    respelled::RespelledAt,
    union_step::{self, Reported, unregister_lost},
};
use crate::{
    hash::{Content, ContentHash},
    league::{MemberId, Record},
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath},
    select::Skipped,
    time::Time,
    union::{Change, Gained, PeerId, Union},
    wire::messages::{ManifestChanges, ManifestFull, SyncId},
};

/// Changes of one client's files since the last step of the union.
#[derive(Debug, Default)]
struct Pending {
    arrival: u64,
    /// Files that the union counts for this client and that are gone.
    lost: BTreeMap<PathKey, Entry>,
    gained: BTreeMap<PathKey, Gained>,
    /// The client has listed all its files.
    whole: bool,
    /// The client remembers what it last had in sync.
    has_bases: bool,
}

impl Pending {
    fn insert(&mut self, new: Gained, old: Option<Entry>) {
        let key = new.entry.path.key().clone();
        // A content that came since the last step is not known to the union, so it is not lost there either.
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

    /// Takes out the wishes for another spelling that come too soon. Returns them as one more report, and when it may come.
    fn postpone(&mut self, too_soon: impl Fn(&PathKey) -> Option<Time>) -> Option<(Self, Time)> {
        let (mut later, mut due) = (Self { has_bases: self.has_bases, ..Self::default() }, None);
        for (key, file) in self.gained.iter_mut().filter(|(_, file)| file.renamed) {
            let Some(at) = too_soon(key) else { continue };
            due = Some(due.map_or(at, |due: Time| due.min(at)));
            // Its content counts now, in whatever spelling.
            later.lost.insert(key.clone(), file.entry.clone());
            later.gained.insert(key.clone(), file.clone());
            file.renamed = false;
        }
        later.arrival = self.arrival;
        Some((later, due?))
    }

    fn keys(&self) -> BTreeSet<PathKey> {
        self.lost.keys().chain(self.gained.keys()).cloned().collect()
    }

    /// Returns whether the peer got what the union has or had at some name, and does not keep it.
    fn is_superseded(&self, union: &Union, keeps: impl Fn(&PathKey, Content) -> bool) -> bool {
        let mut known =
            self.gained.iter().filter(|(key, file)| union.knows(key, file.entry.content));
        known.any(|(key, file)| !keeps(key, file.entry.content))
    }

    /// Returns the record of it for the league database.
    fn record(&self, member: MemberId, complete: bool) -> Record {
        // At a name that got another content, the new one alone tells the whole change.
        let gone = self.lost.values().filter(|old| !self.gained.contains_key(old.path.key()));
        Record::Reported {
            member,
            complete,
            lost: gone.map(|old| old.path.clone()).collect(),
            gained: self.gained.values().map(|gained| gained.entry.clone()).collect(),
        }
    }

    /// Makes edits of what the peer has in sync updates, although the peer may not have heard yet that it was in sync.
    fn follow(&mut self, union: &Union) {
        // A Python client does not say what its files were made from. So its edits are conflicts, never updates.
        if !self.has_bases {
            return;
        }
        for (key, old) in &self.lost {
            let was_in_sync = union.get(key).is_some_and(|entry| entry.content == old.content);
            if let Some(gained) = self.gained.get_mut(key).filter(|_| was_in_sync) {
                (gained.base, gained.unchecked) = (Some(old.content.hash), false);
            }
        }
    }

    fn into_change(self, peer: PeerId, member: Option<MemberId>, complete: bool) -> Change {
        let (lost, gained) = (self.lost.into_values(), self.gained.into_values());
        let (arrival, lost, gained) = (self.arrival, lost.collect(), gained.collect());
        Change { peer, arrival, member, complete, lost, gained }
    }
}

/// Reports of all clients since the last step of the union.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pending: BTreeMap<PeerId, Pending>,
    /// The manifests of those that have left.
    departed: Vec<(PeerId, Manifest)>,
    arrivals: u64,
    respelled_at: RespelledAt,
    /// When the next of the postponed wishes for another spelling may come.
    postponed_until: Option<Time>,
}

impl Reports {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns when the union may take in what was postponed.
    pub(super) const fn postponed_until(&self) -> Option<Time> {
        self.postponed_until
    }

    /// Returns whether the union has still to take in what this client reported.
    pub(super) fn contains(&self, id: PeerId) -> bool {
        self.pending.contains_key(&id)
    }

    /// Handles the hash of a client's manifest. Asks for the manifest, unless the hash tells its files: none, or just
    /// those of the union. Returns whether the client is in sync by that, as all the others are (`in_sync`).
    pub(super) fn handle_hash(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        hash: &str,
        in_sync: bool,
    ) -> bool {
        let is_empty = hash == Manifest::new().hash().to_string();
        if !is_empty && cx.league.manifest_hash().is_none_or(|own| hash != own.to_string()) {
            request_manifest(cx, id);
            return false;
        }
        let manifest = if is_empty { Manifest::new() } else { cx.league.union().manifest() };
        let checked = CheckedManifest { manifest, has_bases: true, ..CheckedManifest::default() };
        self.replace_manifest(cx, id, checked);
        if in_sync && !is_empty {
            return true;
        }
        cx.dirty.unanswered(id);
        // Nothing in it gives others a claim, so it need not wait for more reports.
        cx.dirty.merge(Merge::Now);
        false
    }

    /// Handles a full manifest. Returns whether it was accepted.
    pub(super) fn handle_manifest(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        full: ManifestFull,
    ) -> bool {
        if !check_length(cx, id, full.manifest.len()) {
            return false;
        }
        let now = cx.now;
        let Some(peer) = cx.peers.get_mut(id) else { return false };
        (peer.report.requested_at, peer.report.polled_at) = (None, None);
        peer.report.received_at = now;
        peer.report.revision = full.revision.unwrap_or_default();
        let checked = peer.identity.protocol.check_manifest(
            full.manifest,
            &cx.config.rules,
            cx.league.union(),
        );
        self.merge_before_edit(cx, id, |key, content| {
            checked.manifest.get(key).is_some_and(|file| file.content == content)
        });
        self.replace_manifest(cx, id, checked);
        cx.dirty.unanswered(id);
        true
    }

    /// Handles the changes since the last report of a client.
    pub(super) fn handle_changes(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        changes: ManifestChanges,
    ) {
        let Some(peer) = cx.peers.get(id) else { return };
        // Before its manifest has come, these changes are dropped: it was asked for the manifest, which includes them.
        let Some(files) = peer.report.manifest.as_ref().map(Manifest::len) else { return };
        if !check_length(cx, id, files + changes.changed.len()) {
            return;
        }
        if let Some(peer) = cx.peers.get_mut(id) {
            let changed = changes.changed.iter().map(|file| &file.rel_path);
            let told = changes.removed.iter().chain(changed);
            peer.report.forget_left_out(told.map(String::as_str));
        }
        let checked = check_manifest(changes.changed, &cx.config.rules, true, |_, _| false);
        let extensions = &cx.config.rules.extensions;
        let paths = changes.removed.iter().map(|path| RelPath::parse(path, extensions));
        // A name that is refused now may have held a file that was not.
        let refused = checked.skipped.iter().map(|file| RelPath::parse(&file.path, extensions));
        let removed: Vec<_> =
            paths.chain(refused).flatten().map(|path| path.key().clone()).collect();
        self.merge_before_edit(cx, id, |key, content| {
            let changed = checked.manifest.get(key);
            changed.map_or_else(|| !removed.contains(key), |file| file.content == content)
        });
        let changed = checked.manifest.iter().map(|entry| checked.gained(entry)).collect();
        self.change_manifest(cx, id, removed, changed, checked.skipped);
        if let Some(peer) = cx.peers.get_mut(id) {
            peer.report.revision = changes.revision;
        }
        cx.dirty.unanswered(id);
    }

    /// Handles the files that a client has installed.
    pub(super) fn handle_installed(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        files: Vec<(RelPath, Content)>,
        revision: u64,
    ) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        peer.report.revision = revision;
        let Some(manifest) = &peer.report.manifest else { return };
        let mut changed = Vec::new();
        for (path, content) in files {
            let spelling = manifest.respell(&path);
            let own = manifest.get(path.key()).map(|own| own.path.clone());
            // A client spells folders that it has in its own way, and keeps the spelling of a file that it replaces.
            let own = own.or_else(|| RelPath::parse(&spelling, &cx.config.rules.extensions).ok());
            let mtime = cx.league.union().get(path.key()).and_then(|entry| entry.mtime);
            peer.missing.remove(path.key());
            // It counts as installed, so that it is not offered again. The next report shows whether that is true.
            peer.report.claimed.insert(path.key().clone(), content.hash);
            changed.extend(own.map(|path| Gained::from(Entry { path, content, mtime })));
        }
        let has_all = peer.missing.is_empty();
        self.change_manifest(cx, id, Vec::new(), changed, Vec::new());
        cx.dirty.unanswered(id);
        if has_all {
            // It waits to be told that it is in sync, and nothing in it gives others a claim.
            cx.dirty.merge(Merge::Now);
        }
    }

    /// Handles the departure of a client. `manifest` is its manifest, if the union has taken it in.
    pub(super) fn handle_departed(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        manifest: Option<Manifest>,
    ) {
        // Files it reported since the last step cannot be fetched from it any more.
        self.pending.remove(&id);
        if let Some(manifest) = manifest {
            self.departed.push((id, manifest));
            cx.dirty.merge(Merge::Soon);
        }
    }

    fn replace_manifest(&mut self, cx: &mut Context, id: PeerId, checked: CheckedManifest) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        peer.report.replace_left_out(&checked.skipped);
        let old = peer.report.manifest.take().unwrap_or_default();
        let (difference, respelled) = old.diff_spelled(&checked.manifest);
        let (lost, gained) = (difference.extra, difference.missing);
        let replaced: Vec<_> = difference.different.into_iter().chain(respelled).collect();
        let unchanged = lost.is_empty() && gained.is_empty() && replaced.is_empty();
        peer.report.manifest = Some(checked.manifest.clone());
        // A Python client is asked every few seconds, and mostly has nothing new.
        if unchanged && peer.report.merged {
            return check_claims(cx, id, None);
        }
        // A file that it could not send may be another one by now.
        peer.upload_faults.clear();
        self.arrivals += 1;
        let pending = self.pending.entry(id).or_default();
        (pending.arrival, pending.whole) = (self.arrivals, true);
        pending.has_bases = checked.has_bases;
        lost.into_iter().for_each(|old| pending.remove(old));
        gained.into_iter().for_each(|new| pending.insert(checked.gained(&new), None));
        for (old, new) in replaced {
            pending.insert(checked.gained(&new), Some(old));
        }
        check_claims(cx, id, None);
        manifest_changed(cx, id, None, checked.skipped);
    }

    fn change_manifest(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        removed: Vec<PathKey>,
        changed: Vec<Gained>,
        mut left_out: Vec<Skipped>,
    ) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        let Some(manifest) = &mut peer.report.manifest else { return };
        if removed.is_empty() && changed.is_empty() && left_out.is_empty() {
            return;
        }
        self.arrivals += 1;
        let pending = self.pending.entry(id).or_default();
        (pending.arrival, pending.has_bases) = (self.arrivals, true);
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
        // Removals come first: a file may take the place of a folder, or get another spelling.
        for new in changed {
            let old = manifest.remove(new.entry.path.key());
            match manifest.insert(new.entry.clone()) {
                Ok(()) => pending.insert(new, old),
                Err(collision) => {
                    let path = new.entry.path.as_str().to_owned();
                    left_out.push(Skipped { path, reason: collision.into() });
                    old.into_iter().for_each(|old| pending.remove(old));
                }
            }
        }
        peer.upload_faults.clear();
        peer.report.add_left_out(&left_out);
        check_claims(cx, id, Some(&touched));
        manifest_changed(cx, id, Some(&touched), left_out);
    }

    /// Lets the union take its step before a client's edit of what it has just installed. In one step, the installed
    /// version would never have been there, and the edit would replace what the client had before: a rival livery of its
    /// own, of which nothing else may be left. `keeps` says whether the client still has a content at a name.
    fn merge_before_edit(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        keeps: impl Fn(&PathKey, Content) -> bool,
    ) {
        let pending = self.pending.get(&id);
        if pending.is_some_and(|pending| pending.is_superseded(cx.league.union(), keeps)) {
            self.merge(cx);
        }
    }

    /// Takes one step of the union with all reports.
    pub(super) fn merge(&mut self, cx: &mut Context) {
        // First the store's contents: they keep a name alive that only departed clients had.
        let stored = cx.store.take_stored();
        union_step::register_stored(cx, &stored);
        let mut records = cx.league.mark_verified(stored);
        let inspected = cx.store.take_inspected();
        let news: Vec<_> = inspected.keys().copied().collect();
        records.extend(cx.league.mark_inspected(inspected));
        let mut changes = Vec::new();
        let nothing = Manifest::new();
        for (id, manifest) in mem::take(&mut self.departed) {
            changes.push(Change::between(id, 0, &manifest, &nothing));
        }
        let lost = cx.store.take_lost();
        changes.push(unregister_lost(cx, &lost));
        let mut reported = Reported::new();
        self.postponed_until = None;
        for (id, mut pending) in mem::take(&mut self.pending) {
            self.postpone(cx, id, &mut pending);
            // The first report of a connection counts as a return: what its member had and does not list any more is gone.
            let Some(peer) = cx.peers.get_mut(id) else { continue };
            let first = !mem::replace(&mut peer.report.merged, true);
            pending.whole |= first;
            reported.insert(id, (!pending.whole).then(|| pending.keys()));
            records.extend(peer.identity.member.map(|member| pending.record(member, first)));
            pending.follow(cx.league.union());
            changes.push(pending.into_change(id, peer.identity.member, first));
        }
        let outcome = cx.league.step(changes);
        self.respelled_at.note(&outcome.records, cx.now);
        // Before any consequence: whoever is told of this step may rely on it even if the server is killed now.
        cx.record(records);
        let changed = outcome.changed.clone();
        union_step::finish(cx, outcome, &reported);
        union_step::tell_inspected(cx, &news, &changed);
    }

    /// Keeps an owner's wishes for another spelling that come too soon after the last one.
    fn postpone(&mut self, cx: &Context, id: PeerId, pending: &mut Pending) {
        let Some(member) = cx.peers.get(id).and_then(|peer| peer.identity.member) else { return };
        let owners = |key: &PathKey| cx.league.union().owners(key.livery());
        let too_soon = |key: &PathKey| {
            let is_theirs = owners(key).is_some_and(|owners| owners.contains(&member));
            self.respelled_at.not_before(key, cx.now).filter(|_| is_theirs)
        };
        if let Some((later, due)) = pending.postpone(too_soon) {
            self.pending.insert(id, later);
            self.postponed_until = Some(self.postponed_until.map_or(due, |until| until.min(due)));
        }
    }
}

/// Returns whether a list of files is not too long, and tells its sender if it is.
fn check_length(cx: &mut Context, id: PeerId, files: usize) -> bool {
    let most = cx.config.rules.entries_max;
    if files > most {
        let message =
            format!("manifest refused: it lists {files} files, and this server takes {most}");
        cx.report_error(id, &SyncId::default(), &message, None);
    }
    files <= most
}

/// Handles the immediate consequences of another manifest: of all its files, or of those that are `touched`.
fn manifest_changed(
    cx: &mut Context,
    id: PeerId,
    touched: Option<&BTreeSet<PathKey>>,
    left_out: Vec<Skipped>,
) {
    let Some(peer) = cx.peers.get_mut(id) else { return };
    let Some(manifest) = &peer.report.manifest else { return };
    // A file that is gone needs no retiring. If it comes back, the client is told again at once and not only after the retry
    // time.
    peer.retiring.retain(|key, _| manifest.get(key).is_some());
    let (files, bytes) = (manifest.len(), manifest.total_bytes());
    let (liveries, name) = (manifest.livery_count(), peer.identity.name.clone());
    // The union takes its step later. Until then nothing is offered that the client has by now.
    let union = cx.league.union();
    let has_it = |key: &PathKey| {
        let wanted = union.get(key).map(|entry| entry.content);
        wanted.is_some() && manifest.get(key).map(|own| own.content) == wanted
    };
    match touched {
        Some(touched) => {
            for key in touched.iter().filter(|key| has_it(key)) {
                peer.missing.remove(key);
            }
        }
        None => peer.missing.retain(|key| !has_it(key)),
    }
    cx.event(Event::Manifest { name, liveries, files, bytes, left_out });
    cx.dirty.in_sync = true;
    cx.dirty.merge(Merge::Soon);
}

/// Checks whether a client has the files that it said to have installed: all of them, or those that are `touched`.
fn check_claims(cx: &mut Context, id: PeerId, touched: Option<&BTreeSet<PathKey>>) {
    let now = cx.now;
    let Some(peer) = cx.peers.get_mut(id) else { return };
    let Some(manifest) = &peer.report.manifest else { return };
    let claimed = &mut peer.report.claimed;
    let is_wrong = |key: &PathKey, claimed: ContentHash| {
        manifest.get(key).is_none_or(|own| own.content.hash != claimed)
    };
    let claim = |key: &PathKey| claimed.get(key).map(|claimed| (key.clone(), *claimed));
    let mut wrong: Vec<_> = match touched {
        Some(touched) => touched.iter().filter_map(claim).collect(),
        None => claimed.keys().filter_map(claim).collect(),
    };
    wrong.retain(|(key, claimed)| is_wrong(key, *claimed));
    if touched.is_none() {
        claimed.clear();
    }
    // Installing failed although the client said otherwise. Without the wait after a failure, a client that loses each file
    // at once, to a virus scanner for example, would download it for ever.
    for (key, hash) in wrong {
        peer.report.claimed.remove(&key);
        peer.download_faults.record_failure(&key, hash, false, now);
        peer.missing.insert(key);
        cx.dirty.jobs.insert(id);
    }
}
