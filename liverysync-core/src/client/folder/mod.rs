//! The liveries folder as this PC knows it: when to scan it, what to read, and what is published of it.
//!
//! ```text
//! Idle --(change, timer)--> Listing --> Hashing --> Idle
//! ```
//!
//! A file whose stamp is known is never read again. A new or changed file is read once two scans have found the same
//! stamp, a settling time apart. On the first scan it is enough that the file was modified longer ago than that. All of a
//! livery is read together, once all of it has stopped changing, so that nobody gets half of what is being copied in.
//! Until then the manifest keeps what it had.

mod deleted;
mod held_back;
mod lint_report;
mod listing;
mod local_index;
mod publishing;
mod recognize;
mod save_timer;
mod scan_cache;
mod schedule;
mod selection;
mod sharing;
mod skip_report;
mod spelling;
mod synced_versions;
#[cfg(test)]
mod tests;
mod unsettled;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

pub use self::recognize::recognize;
use self::{
    deleted::DeletedLiveries, held_back::HeldBack, lint_report::LintReport, listing::Listing,
    local_index::LocalIndex, save_timer::SaveTimer, schedule::ScanSchedule, sharing::Sharing,
    skip_report::SkipReport, unsettled::Unsettled,
};
pub(super) use self::{local_index::IndexedFile, synced_versions::SyncedVersions};
use super::{
    ClientConfig, DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, Event, Installed,
    context::{Context, Purpose},
};
use crate::{
    hash::{Content, ContentHash},
    inspect::{Damage, Inspection},
    lint::LintRules,
    manifest::Manifest,
    path::{Extensions, PathKey, RelPath, fold},
    pathmap::PathMap,
    select::{Chosen, Kind, Listed, Reason, Skipped, StaleFiles, Stamp, caches_of, select_knowing},
    time::{Time, Wake},
};

/// Longest wait before the next attempt to list a folder that cannot be listed. A drive that is plugged in again should be
/// found soon, even by a client that rescans rarely.
const UNREADABLE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The liveries folder.
#[derive(Debug)]
pub(super) struct Folder {
    index: LocalIndex,
    synced: SyncedVersions,
    sharing: Sharing,
    /// Everything that the last scan found.
    listing: Option<Listing>,
    /// Files that will be published once they have settled and have been read.
    unread: BTreeSet<PathKey>,
    /// Files that were installed since the last scan began, which may have seen what was there before.
    installed: BTreeSet<PathKey>,
    /// Files that were renamed on this PC, with a change of their spelling only, and that the server has not confirmed yet.
    renamed: BTreeSet<PathKey>,
    /// Set while files are being given the league's spelling.
    respelling: bool,
    phase: Phase,
    schedule: ScanSchedule,
    unsettled: Unsettled,
    skipped: SkipReport,
    deleted: DeletedLiveries,
    held_back: HeldBack,
    lint: LintReport,
    scanned_once: bool,
    save_timer: SaveTimer,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Listing,
    Hashing { chosen: PathMap<Chosen>, reading: Vec<(RelPath, Stamp)>, skipped: Vec<Skipped> },
}

impl Folder {
    pub(super) fn new(config: &ClientConfig, now: Time) -> Self {
        Self {
            index: LocalIndex::default(),
            synced: SyncedVersions::default(),
            sharing: Sharing::new(config.share.clone(), config.only),
            listing: None,
            unread: BTreeSet::new(),
            installed: BTreeSet::new(),
            renamed: BTreeSet::new(),
            respelling: false,
            phase: Phase::Idle,
            schedule: ScanSchedule::new(now),
            unsettled: Unsettled::default(),
            skipped: SkipReport::default(),
            deleted: DeletedLiveries::default(),
            held_back: HeldBack::default(),
            lint: LintReport::default(),
            scanned_once: false,
            save_timer: SaveTimer::default(),
        }
    }

    /// Plans a scan after a change in the folder. `receiving` says whether files are being received.
    pub(super) fn handle_change(&mut self, now: Time, receiving: bool) {
        self.schedule.handle_change(now, receiving);
    }

    /// Takes the rules by which the league judges liveries. The next scan judges by them, and it begins at once.
    pub(super) fn handle_lint_rules(&mut self, cx: &Context, rules: Option<LintRules>) {
        if self.lint.handle_rules(rules) {
            self.schedule.scan_by(cx.now.time);
        }
    }

    /// Makes sure that a scan begins at `at` or before.
    pub(super) fn scan_by(&mut self, at: Time) {
        self.schedule.scan_by(at);
    }

    /// Begins a scan and writes the scan cache, whichever is due.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context) {
        let now = cx.now.time;
        if self.scan_at().is_some_and(|at| at <= now) {
            self.phase = Phase::Listing;
            // The scan that begins sees all of them.
            self.installed.clear();
            let watch = self.schedule.handle_begin(now);
            cx.request(DiskRequest::List { watch }, Purpose::Folder);
        }
        if self.save_timer.is_due(now) {
            self.save(cx);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Wake> {
        let scan = self.scan_at().map(|at| Wake { at, why: "scan the folder" });
        Wake::earlier(scan, self.save_timer.next_wake())
    }

    fn scan_at(&self) -> Option<Time> {
        self.schedule.next().filter(|_| matches!(self.phase, Phase::Idle))
    }

    /// Takes the outcome of a request of the folder. Returns whether it was the last one of a scan.
    pub(super) fn handle_disk(&mut self, cx: &mut Context, outcome: DiskOutcome) -> bool {
        match outcome {
            DiskOutcome::Listed(outcome) => self.handle_listed(cx, outcome),
            DiskOutcome::Hashed(outcomes) => self.handle_hashed(cx, outcomes),
            DiskOutcome::CacheLoaded(text) => {
                self.load(cx, &text);
                false
            }
            // A cache that could not be written costs the next start some time, and nothing else.
            _ => false,
        }
    }

    /// Takes what an earlier run knew. Nothing of it is published before a scan has found it unchanged.
    fn load(&mut self, cx: &Context, text: &[u8]) {
        if let Some(cache) = scan_cache::decode(text, &cx.config.rules.extensions) {
            (self.index, self.synced) = (cache.index, cache.synced);
            self.sharing.invalidate();
            // Otherwise each start would check all paths again.
            if !cache.up_to_date {
                self.save_timer.handle_index_change(cx.now.time);
            }
        }
    }

    /// Writes the scan cache, if it is out of date. A dry run leaves no trace.
    pub(super) fn save(&mut self, cx: &mut Context) {
        if self.save_timer.stop() && !cx.config.dry_run {
            let extensions = &cx.config.rules.extensions;
            let text = scan_cache::encode(&self.index, &self.synced, extensions, cx.now.date);
            cx.request(DiskRequest::SaveCache(text), Purpose::Folder);
        }
    }

    /// Notes that `manifest`, an earlier state of this folder, is in sync except the paths in `outdated`.
    pub(super) fn handle_synced(&mut self, cx: &Context, manifest: &Manifest, outdated: &[String]) {
        let outdated = outdated.iter().map(|path| fold(path)).collect();
        let now = &self.index;
        // Unless it was renamed again since then.
        self.renamed.retain(|key| {
            manifest.get(key).map(|told| &told.path) != now.get(key).map(|file| &file.path)
        });
        if self.synced.handle_in_sync(manifest, &outdated) {
            self.sharing.invalidate();
            self.save_timer.handle_synced_change(cx.now.time);
        }
    }

    /// Notes that this PC is in sync.
    pub(super) fn handle_in_sync(&mut self, now: Time) {
        self.schedule.handle_in_sync(now);
    }

    fn handle_listed(&mut self, cx: &mut Context, outcome: Result<Vec<Listed>, DiskFault>) -> bool {
        let now = cx.now.time;
        let listed = match outcome {
            Ok(listed) => listed,
            Err(fault) => {
                // The index stays as it is: a drive that is unplugged must not look like a driver who removed everything.
                self.phase = Phase::Idle;
                self.scan_by(now + cx.config.rescan.min(UNREADABLE_PAUSE_MAX));
                cx.event(Event::FolderUnreadable { reason: fault.message });
                return false;
            }
        };
        self.schedule.handle_listed(now);
        let mut selection = select_knowing(&listed, self.files(), &cx.config.rules);
        selection::keep_published(&mut selection, &listed, &self.index);
        selection::leave_out_ignored(&mut selection, &cx.config.ignored);
        self.held_back.handle_scan(&selection.publish);
        let reading = self.find_unread(cx, &selection.publish);
        // Only now: what has settled is found by comparing with the listing before.
        self.listing = Some(Listing::new(listed));
        let (chosen, skipped) = (selection.publish, selection.skipped);
        if reading.is_empty() {
            self.finish(cx, &chosen, &BTreeMap::new(), skipped);
            return true;
        }
        cx.request(DiskRequest::Hash(reading.clone()), Purpose::Folder);
        self.phase = Phase::Hashing { chosen, reading, skipped };
        false
    }

    /// Returns the files to read now: those of the chosen ones that are not known and have settled.
    fn find_unread(&mut self, cx: &Context, chosen: &PathMap<Chosen>) -> Vec<(RelPath, Stamp)> {
        let is_new = |file: &&Chosen| {
            let key = file.path.key();
            !self.index.is_known(file)
                && !self.installed.contains(key)
                && self.held_back.get(key).is_none()
        };
        // Most scans find nothing new. One comparison shows that faster than a look-up for each file.
        let unread: Vec<_> = if self.index.is_as_known(chosen) {
            Vec::new()
        } else {
            chosen.iter().filter(is_new).collect()
        };
        let before = self.listing.as_ref();
        let (settled, unsettled): (Vec<&Chosen>, Vec<&Chosen>) = unread
            .iter()
            .copied()
            .partition(|file| unsettled::has_settled(file, before, cx.now, cx.config.settle));
        // Whatever is saved together with a damaged file waits for it, like the rest of a livery that is being copied.
        let of_same_livery =
            |key: &&PathKey| unread.iter().any(|file| file.path.key().livery() == key.livery());
        let held_back = self.held_back.keys().filter(of_same_livery);
        let unsettled = unsettled.iter().map(|file| file.path.key());
        self.unsettled.handle_scan(cx.now.time, unsettled.chain(held_back));
        self.unread = unread.iter().map(|file| file.path.key().clone()).collect();
        let is_ready = |file: &&Chosen| !self.unsettled.waits(file.path.key(), cx.now.time);
        let ready = settled.into_iter().filter(is_ready);
        ready.map(|file| (file.path.clone(), file.stamp)).collect()
    }

    fn handle_hashed(
        &mut self,
        cx: &mut Context,
        outcomes: Vec<Result<(Content, Inspection), DiskFault>>,
    ) -> bool {
        let phase = mem::replace(&mut self.phase, Phase::Idle);
        let Phase::Hashing { chosen, reading, mut skipped } = phase else { return false };
        let now = cx.now.time;
        let (mut contents, mut held_back) = (BTreeMap::new(), Vec::new());
        for ((path, _), outcome) in reading.into_iter().zip(outcomes) {
            match outcome {
                Ok((content, Inspection { damage: Some(damage), .. }))
                    if self.has_another(path.key(), content) =>
                {
                    let file = chosen.get(path.key()).cloned();
                    held_back.extend(file.map(|file| (file, damage)));
                }
                Ok(read) => {
                    contents.insert(path.key().clone(), read);
                }
                Err(fault)
                    if matches!(fault.kind, DiskFaultKind::Changed | DiskFaultKind::Missing) =>
                {
                    // Somebody is still copying it.
                    self.unsettled.handle_changed(now, path.key());
                }
                Err(fault) => {
                    let reason = Reason::Unreadable(fault.message);
                    skipped.push(Skipped { path: path.as_str().to_owned(), reason });
                }
            }
        }
        for (file, damage) in held_back {
            let key = file.path.key();
            if contents.keys().any(|other| other.livery() == key.livery()) {
                self.unsettled.handle_changed(now, key);
            }
            self.held_back.insert(file, damage);
        }
        // A file that changed while it was read makes the rest of its livery wait again.
        contents.retain(|key, _| !self.unsettled.waits(key, now));
        self.finish(cx, &chosen, &contents, skipped);
        true
    }

    /// Returns whether this PC has published an intact version of a file, with another content than this.
    fn has_another(&self, key: &PathKey, content: Content) -> bool {
        let known = self.index.get(key);
        known.is_some_and(|known| known.is_whole && known.content != content)
    }

    /// Ends a scan that chose these files and read these contents.
    fn finish(
        &mut self,
        cx: &mut Context,
        chosen: &PathMap<Chosen>,
        contents: &BTreeMap<PathKey, (Content, Inspection)>,
        mut skipped: Vec<Skipped>,
    ) {
        let mut publishes_more = false;
        // Most scans find nothing new, and building the index again would cost more than the scan.
        if !contents.is_empty() || !self.index.is_as_known(chosen) {
            let mut files = self.index.updated(chosen, contents, &self.installed);
            // Whoever renames a folder removes its files and adds them elsewhere. If the removal were reported by itself, the
            // league would bring them back at once.
            if self.unsettled.is_moving(cx.now.time) {
                self.index.keep_gone(&mut files, chosen);
            }
            self.unread.retain(|key| !contents.contains_key(key));
            if files != *self.files() {
                self.save_timer.handle_index_change(cx.now.time);
            }
            let (listing, synced) = (self.listing.as_ref(), &self.synced);
            // A livery that was never in sync does not come back: nobody else has it.
            let was_deleted = |file: &IndexedFile| {
                let key = file.path.key();
                let is_gone = listing.is_none_or(|listing| listing.get(key.as_str()).is_none());
                is_gone && synced.get(key) == Some(file.content.hash)
            };
            self.deleted.handle_scan(self.index.files(), &files, was_deleted);
            self.note_renamed(&files);
            publishes_more = self.index.replace(files);
            self.sharing.invalidate();
        }
        self.phase = Phase::Idle;
        let first_time = !mem::replace(&mut self.scanned_once, true);
        // Files that have not settled are looked at again soon.
        let pause = if self.unsettled.is_empty() { cx.config.rescan } else { cx.config.settle };
        self.scan_by(cx.now.time + pause);
        skipped.extend(self.held_back.skipped());
        self.skipped.handle_scan(cx, skipped);
        if first_time || publishes_more {
            let (liveries, files) = (self.files().livery_count(), self.files().len());
            cx.event(Event::Scanned { liveries, files, bytes: self.total_bytes() });
            let (sharing, synced) = (&self.sharing, &self.synced);
            let may_publish = |file: &IndexedFile| sharing.may_publish(file, synced);
            let listed = self.listing.as_ref().map_or(&[][..], Listing::items);
            self.lint.handle_scan(cx, self.index.files(), listed, synced, may_publish);
        }
    }

    /// Notes that a file of this PC was retired.
    pub(super) fn handle_retired(&mut self, now: Time, path: &RelPath) {
        let is_known = self.files().contains(path.key());
        self.deleted.handle_retired(path.key(), is_known);
        // The league has nothing there any more, so what the driver puts there is theirs to share or not.
        if !self.sharing.is_of_all() {
            self.synced.remove(path.key());
            self.save_timer.handle_synced_change(now);
            self.sharing.handle_retired(path.key());
        }
    }

    /// Returns whether the driver has deleted the livery of a file since it was in sync. Says so once.
    pub(super) fn take_deleted(&mut self, key: &PathKey) -> bool {
        self.deleted.take(key.livery())
    }

    /// Notes that a file was installed. It is published at once: the server counts on it from SYNC_DONE on.
    pub(super) fn handle_installed(
        &mut self,
        cx: &Context,
        path: RelPath,
        content: Content,
        &Installed { stamp, inspection, .. }: &Installed,
    ) {
        self.unread.remove(path.key());
        self.installed.insert(path.key().clone());
        self.deleted.handle_installed(path.key());
        self.lint.handle_installed(path.key(), content.hash);
        if let Some(listing) = &mut self.listing {
            let item =
                Listed { path: path.as_str().to_owned(), kind: Kind::File(stamp), change_tag: 0 };
            listing.insert(path.key(), item);
        }
        let files = self.index.files_mut();
        files.remove(path.key());
        // It is on the disk, so the disk can hold it beside everything else. The next scan tells what is true.
        let is_whole = inspection.damage.is_none();
        let file = IndexedFile { path, stamp, change_tag: 0, content, inspection, is_whole };
        let _fits = files.insert(file);
        self.save_timer.handle_index_change(cx.now.time);
        self.sharing.invalidate();
    }

    /// Keeps the files at these paths from being replaced until a scan has read them.
    pub(super) fn mark_unread(&mut self, is_meant: impl Fn(&str) -> bool, extensions: &Extensions) {
        let listed = self.listing.iter().flat_map(Listing::items);
        let paths = listed.filter(|item| is_meant(&item.path));
        // A file without a valid path cannot be offered either.
        let paths = paths.filter_map(|item| RelPath::parse(&item.path, extensions).ok());
        self.unread.extend(paths.map(|path| path.key().clone()));
    }

    /// Returns whether the folder has been scanned.
    pub(super) const fn is_scanned(&self) -> bool {
        self.scanned_once
    }

    /// Returns whether the manifest is that of the last scan, and everything had settled then.
    pub(super) fn is_settled(&self) -> bool {
        self.scanned_once && self.unsettled.is_empty() && matches!(self.phase, Phase::Idle)
    }

    /// Returns whether everything had settled, and a scan is under way that has found nothing new yet.
    pub(super) fn is_listing(&self) -> bool {
        self.unsettled.is_empty() && matches!(self.phase, Phase::Listing)
    }

    /// Returns the files that are published.
    pub(super) fn manifest(&self) -> &Manifest {
        if self.sharing.is_of_all() {
            return self.index.manifest();
        }
        &self.sharing.published(self.files(), &self.synced).0
    }

    /// Returns the hash of the manifest.
    pub(super) fn hash(&self) -> ContentHash {
        if self.sharing.is_of_all() {
            return self.index.hash();
        }
        self.sharing.published(self.files(), &self.synced).1
    }

    /// Returns the files that are published if their livery is shared.
    pub(super) const fn files(&self) -> &PathMap<IndexedFile> {
        self.index.files()
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.files().iter().map(|file| file.content.size).sum()
    }

    pub(super) fn get(&self, key: &PathKey) -> Option<&IndexedFile> {
        self.index.get(key)
    }

    /// Returns the file at a path in any spelling.
    pub(super) fn get_spelled(&self, path: &str) -> Option<&IndexedFile> {
        self.index.get_spelled(path)
    }

    pub(super) const fn synced(&self) -> &SyncedVersions {
        &self.synced
    }

    /// Returns the damaged files that are held back until they are whole.
    pub(super) fn damaged(&self) -> impl Iterator<Item = (&RelPath, Damage)> {
        self.held_back.files()
    }

    /// Returns the damage of a file that is held back until it is intact.
    pub(super) fn held_back(&self, key: &PathKey) -> Option<Damage> {
        self.held_back.get(key)
    }

    /// Returns the stamp of the file at a path if it may be replaced. Returns `None` if there is none, and if it has not
    /// been read yet: nobody knows whether another copy of it exists.
    pub(super) fn replaceable(&self, path: &RelPath) -> Option<Stamp> {
        if let Some(file) = self.get(path.key()) {
            return Some(file.stamp);
        }
        if self.unread.contains(path.key()) {
            return None;
        }
        match self.listing.as_ref()?.get(path.key().as_str())?.kind {
            Kind::File(stamp) => Some(stamp),
            _ => None,
        }
    }

    /// Returns a digest of what the last scan found of the livery of a path.
    pub(super) fn look(&self, path: &RelPath) -> ContentHash {
        let livery = path.key().livery();
        let prefix = format!("{livery}/");
        let listing = self.listing.as_ref();
        let items = listing.iter().flat_map(|listing| listing.below(&prefix)).map(|(_, item)| item);
        let loose = listing.and_then(|listing| listing.get(livery));
        ContentHash::of(format!("{:?}", items.chain(loose).collect::<Vec<_>>()).as_bytes())
    }

    /// Returns how the disk spells the path with this key, published or not.
    pub(super) fn spelling(&self, key: &PathKey) -> Option<&str> {
        self.listing.as_ref()?.get(key.as_str()).map(|item| item.path.as_str())
    }

    /// Returns whether there is anything at this key, published or not.
    pub(super) fn is_taken(&self, key: &PathKey) -> bool {
        self.files().contains(key) || self.spelling(key).is_some()
    }

    /// Returns the files that the game has made and that become stale when files arrive at these paths.
    pub(super) fn stale_beside(&self, arriving: &[RelPath]) -> Vec<String> {
        let Some(listing) = &self.listing else { return Vec::new() };
        let rule = StaleFiles::beside(arriving, |_| true);
        let caches: Vec<_> = arriving.iter().flat_map(caches_of).collect();
        let caches =
            caches.iter().filter_map(|key| Some((key.as_str(), listing.get(key.as_str())?)));
        let prefixes: Vec<_> = rule.liveries().map(|livery| format!("{livery}/")).collect();
        let in_liveries = prefixes.iter().flat_map(|prefix| listing.below(prefix));
        let placeholders = in_liveries.filter(|(_, item)| self.skipped.is_placeholder(&item.path));
        let caches = caches.filter(|(key, _)| rule.is_stale(key, false));
        let placeholders = placeholders.filter(|(key, _)| rule.is_stale(key, true));
        caches.chain(placeholders).map(|(_, item)| item.path.clone()).collect()
    }
}
