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

mod listing;
mod local_index;
mod scan_cache;
mod schedule;
mod synced_versions;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use self::{listing::Listing, local_index::LocalIndex, schedule::ScanSchedule};
pub(super) use self::{local_index::IndexedFile, synced_versions::SyncedVersions};
use super::{
    DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, Event, Ignored,
    context::{Context, Purpose},
};
use crate::{
    hash::{Content, ContentHash},
    manifest::Manifest,
    path::{Extensions, PathKey, RelPath, fold},
    pathmap::PathMap,
    select::{
        Chosen, Kind, Listed, Reason, Selection, Skipped, StaleFiles, Stamp, caches_of,
        select_knowing,
    },
    time::{Time, Wake},
};

/// The longest time that the files of a livery wait for one that keeps changing. A large file may be copied for minutes,
/// and a log in the folder may never stop changing.
const WHOLE_LIVERY_MAX: Duration = Duration::from_secs(10);

/// Longest wait before the next attempt to list a folder that cannot be listed.
const UNREADABLE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The time from a change in the index to writing the scan cache: changes come in bursts.
const SAVE_PAUSE: Duration = Duration::from_secs(10);

/// The same for synced versions. If the client is killed without them, the driver's next edit becomes a conflict.
const SAVE_SYNCED_PAUSE: Duration = Duration::from_secs(2);

/// The liveries folder.
#[derive(Debug)]
pub(super) struct Folder {
    index: LocalIndex,
    synced: SyncedVersions,
    /// Everything that the last scan found.
    listing: Option<Listing>,
    /// Files that will be published once they have settled and have been read.
    unread: BTreeSet<PathKey>,
    /// Files that were installed since the last scan began, which may have seen what was there before.
    installed: BTreeSet<PathKey>,
    phase: Phase,
    schedule: ScanSchedule,
    /// Liveries of which a file has not settled, and since when.
    unsettled: BTreeMap<String, Time>,
    /// The files that the last scan skipped: path and reason.
    skipped: BTreeSet<(String, String)>,
    scanned_once: bool,
    /// The time to write the scan cache, if it is out of date.
    save_at: Option<Time>,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Listing,
    Hashing { chosen: PathMap<Chosen>, reading: Vec<(RelPath, Stamp)>, skipped: Vec<Skipped> },
}

impl Folder {
    pub(super) fn new(now: Time) -> Self {
        Self {
            index: LocalIndex::default(),
            synced: SyncedVersions::default(),
            listing: None,
            unread: BTreeSet::new(),
            installed: BTreeSet::new(),
            phase: Phase::Idle,
            schedule: ScanSchedule::new(now),
            unsettled: BTreeMap::new(),
            skipped: BTreeSet::new(),
            scanned_once: false,
            save_at: None,
        }
    }

    /// Plans a scan after a change in the folder. `receiving` says whether files are being received.
    pub(super) fn handle_change(&mut self, now: Time, receiving: bool) {
        self.schedule.handle_change(now, receiving);
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
        if self.save_at.is_some_and(|at| at <= now) {
            self.save(cx);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Wake> {
        let scan = self.scan_at().map(|at| Wake { at, why: "scan the folder" });
        let save = self.save_at.map(|at| Wake { at, why: "write the scan cache" });
        Wake::earlier(scan, save)
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
            // Otherwise each start would check all paths again.
            if !cache.up_to_date {
                self.save_within(cx, SAVE_PAUSE);
            }
        }
    }

    /// Plans to write the scan cache.
    fn save_within(&mut self, cx: &Context, pause: Duration) {
        let at = cx.now.time + pause;
        self.save_at = Some(self.save_at.map_or(at, |planned| planned.min(at)));
    }

    /// Writes the scan cache, if it is out of date. A dry run leaves no trace.
    pub(super) fn save(&mut self, cx: &mut Context) {
        if self.save_at.take().is_some() && !cx.config.dry_run {
            let extensions = &cx.config.rules.extensions;
            let text = scan_cache::encode(&self.index, &self.synced, extensions, cx.now.date);
            cx.request(DiskRequest::SaveCache(text), Purpose::Folder);
        }
    }

    /// Notes that `manifest`, an earlier state of this folder, is in sync except the paths in `outdated`.
    pub(super) fn handle_synced(&mut self, cx: &Context, manifest: &Manifest, outdated: &[String]) {
        let outdated = outdated.iter().map(|path| fold(path)).collect();
        if self.synced.handle_in_sync(manifest, &outdated) {
            self.save_within(cx, SAVE_SYNCED_PAUSE);
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
        self.keep_published(&mut selection, &listed);
        leave_out_ignored(&mut selection, &cx.config.ignored);
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
        let is_new =
            |file: &&Chosen| !self.is_known(file) && !self.installed.contains(file.path.key());
        let unread: Vec<_> = if self.is_as_known(chosen) {
            Vec::new()
        } else {
            chosen.iter().filter(is_new).collect()
        };
        let (settled, unsettled): (Vec<&Chosen>, Vec<&Chosen>) =
            unread.iter().copied().partition(|file| self.has_settled(cx, file));
        // A livery keeps the time when it first was unsettled, or its other files might wait forever.
        let liveries = unsettled.iter().map(|file| file.path.key().livery().to_owned());
        let since = |livery: &String| self.unsettled.get(livery).copied().unwrap_or(cx.now.time);
        self.unsettled = liveries.map(|livery| (livery.clone(), since(&livery))).collect();
        self.unread = unread.iter().map(|file| file.path.key().clone()).collect();
        let ready = settled.into_iter().filter(|file| !self.waits(file.path.key(), cx.now.time));
        ready.map(|file| (file.path.clone(), file.stamp)).collect()
    }

    /// Returns whether a file waits for the rest of its livery.
    fn waits(&self, key: &PathKey, now: Time) -> bool {
        self.unsettled.get(key.livery()).is_some_and(|since| now.since(*since) < WHOLE_LIVERY_MAX)
    }

    /// Returns whether a scan found exactly the known files, unchanged. Most scans do.
    fn is_as_known(&self, chosen: &PathMap<Chosen>) -> bool {
        // Both are in the order of their keys.
        let mut pairs = chosen.iter().zip(self.files());
        chosen.len() == self.files().len()
            && pairs.all(|(file, known)| {
                (&file.path, file.stamp, file.change_tag)
                    == (&known.path, known.stamp, known.change_tag)
            })
    }

    /// Publishes known files that look like a placeholder only because the rest of their livery is not here yet.
    /// Otherwise the client would take them back, and the server would send them again, forever.
    fn keep_published(&self, selection: &mut Selection, listed: &[Listed]) {
        if selection.skipped.iter().all(|item| item.reason != Reason::Placeholder) {
            return;
        }
        let stamps: BTreeMap<&str, Stamp> = listed
            .iter()
            .filter_map(|item| match item.kind {
                Kind::File(stamp) => Some((item.path.as_str(), stamp)),
                _ => None,
            })
            .collect();
        let skipped = mem::take(&mut selection.skipped);
        for item in skipped {
            let known = self.get_spelled(&item.path).filter(|known| {
                item.reason == Reason::Placeholder
                    && known.path.as_str() == item.path
                    && stamps.get(item.path.as_str()) == Some(&known.stamp)
            });
            let kept = known.map(|known| Chosen {
                path: known.path.clone(),
                stamp: known.stamp,
                change_tag: known.change_tag,
            });
            if kept.is_none_or(|kept| selection.publish.insert(kept).is_err()) {
                selection.skipped.push(item);
            }
        }
    }

    fn is_known(&self, file: &Chosen) -> bool {
        let known = self.get(file.path.key());
        known.is_some_and(|known| {
            // A file that this client installed has no tag until a scan has seen it.
            let same_tag = known.change_tag == file.change_tag || known.change_tag == 0;
            known.path == file.path && known.stamp == file.stamp && same_tag
        })
    }

    fn has_settled(&self, cx: &Context, file: &Chosen) -> bool {
        match &self.listing {
            Some(before) => before.get(file.path.key().as_str()).is_some_and(|item| {
                item.path == file.path.as_str()
                    && item.kind == Kind::File(file.stamp)
                    // Zero: this client has installed it since that listing.
                    && (item.change_tag == file.change_tag || item.change_tag == 0)
            }),
            // A modification time in the future says nothing, and the client might wait for years.
            None => {
                let (mtime, date) = (file.stamp.mtime, cx.now.date);
                mtime > date || date.since(mtime) >= cx.config.settle
            }
        }
    }

    fn handle_hashed(
        &mut self,
        cx: &mut Context,
        outcomes: Vec<Result<Content, DiskFault>>,
    ) -> bool {
        let phase = mem::replace(&mut self.phase, Phase::Idle);
        let Phase::Hashing { chosen, reading, mut skipped } = phase else { return false };
        let now = cx.now.time;
        let mut contents = BTreeMap::new();
        for ((path, _), outcome) in reading.into_iter().zip(outcomes) {
            match outcome {
                Ok(content) => {
                    contents.insert(path.key().clone(), content);
                }
                Err(fault)
                    if matches!(fault.kind, DiskFaultKind::Changed | DiskFaultKind::Missing) =>
                {
                    // Somebody is still copying it.
                    let livery = path.key().livery().to_owned();
                    self.unsettled.entry(livery).or_insert(now);
                }
                Err(fault) => {
                    let reason = Reason::Unreadable(fault.message);
                    skipped.push(Skipped { path: path.as_str().to_owned(), reason });
                }
            }
        }
        // A file that changed while it was read makes the rest of its livery wait again.
        contents.retain(|key, _| !self.waits(key, now));
        self.finish(cx, &chosen, &contents, skipped);
        true
    }

    /// Ends a scan that chose these files and read these contents.
    fn finish(
        &mut self,
        cx: &mut Context,
        chosen: &PathMap<Chosen>,
        contents: &BTreeMap<PathKey, Content>,
        skipped: Vec<Skipped>,
    ) {
        let mut publishes_more = false;
        // Most scans find nothing new, and building the index again would cost more than the scan.
        if !contents.is_empty() || !self.is_as_known(chosen) {
            let files = self.updated(chosen, contents);
            self.unread.retain(|key| !contents.contains_key(key));
            if files != *self.files() {
                self.save_within(cx, SAVE_PAUSE);
            }
            publishes_more = self.index.replace(files);
        }
        self.phase = Phase::Idle;
        let first_time = !mem::replace(&mut self.scanned_once, true);
        // What has not settled is looked at again soon.
        let pause = if self.unsettled.is_empty() { cx.config.rescan } else { cx.config.settle };
        self.scan_by(cx.now.time + pause);
        self.report_skipped(cx, skipped);
        if first_time || publishes_more {
            let (liveries, files) = (self.files().livery_count(), self.files().len());
            cx.event(Event::Scanned { liveries, files, bytes: self.total_bytes() });
        }
    }

    /// Returns the index after a scan that chose these files and read these contents.
    fn updated(
        &self,
        chosen: &PathMap<Chosen>,
        contents: &BTreeMap<PathKey, Content>,
    ) -> PathMap<IndexedFile> {
        let mut files = PathMap::default();
        // What was installed during the scan is newer than what the scan saw.
        for file in self.files().iter().filter(|file| self.installed.contains(file.path.key())) {
            let _fits = files.insert(file.clone());
        }
        for file in chosen {
            let key = file.path.key();
            let entry = match (contents.get(key), self.get(key)) {
                (Some(content), _) => IndexedFile {
                    path: file.path.clone(),
                    stamp: file.stamp,
                    change_tag: file.change_tag,
                    content: *content,
                },
                // Unchanged, or changed and not read yet: it stays as it was published.
                (None, Some(old)) => {
                    let change_tag =
                        if self.is_known(file) { file.change_tag } else { old.change_tag };
                    IndexedFile { path: file.path.clone(), change_tag, ..old.clone() }
                }
                (None, None) => continue,
            };
            // The next scan reports what collides with an installed file.
            let _fits = files.insert(entry);
        }
        files
    }

    /// Reports each skipped file once.
    fn report_skipped(&mut self, cx: &mut Context, skipped: Vec<Skipped>) {
        let before = mem::take(&mut self.skipped);
        for item in skipped {
            // The same file may be skipped for another reason later, and that is news.
            let line = (item.path.clone(), item.reason.to_string());
            if !before.contains(&line) {
                cx.event(Event::Skipped(item));
            }
            self.skipped.insert(line);
        }
    }

    /// Notes that a file was installed. It is published at once: the server counts on it from SYNC_DONE on.
    pub(super) fn handle_installed(
        &mut self,
        cx: &Context,
        path: RelPath,
        stamp: Stamp,
        content: Content,
    ) {
        self.unread.remove(path.key());
        self.installed.insert(path.key().clone());
        if let Some(listing) = &mut self.listing {
            let item =
                Listed { path: path.as_str().to_owned(), kind: Kind::File(stamp), change_tag: 0 };
            listing.insert(path.key(), item);
        }
        let files = self.index.files_mut();
        files.remove(path.key());
        // It is on the disk, so the disk can hold it beside everything else. The next scan tells what is true.
        let _fits = files.insert(IndexedFile { path, stamp, change_tag: 0, content });
        self.save_within(cx, SAVE_PAUSE);
    }

    /// Keeps the files at these paths from being replaced until a scan has read them.
    pub(super) fn mark_unread(&mut self, is_meant: impl Fn(&str) -> bool, extensions: &Extensions) {
        let listed = self.listing.iter().flat_map(Listing::items);
        let paths = listed.filter(|item| is_meant(&item.path));
        // What has no valid path cannot be offered either.
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

    pub(super) fn manifest(&self) -> &Manifest {
        self.index.manifest()
    }

    /// Returns the hash of the manifest.
    pub(super) fn hash(&self) -> ContentHash {
        self.index.hash()
    }

    /// The published files.
    pub(super) const fn files(&self) -> &PathMap<IndexedFile> {
        self.index.files()
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.files().iter().map(|file| file.content.size).sum()
    }

    pub(super) fn get(&self, key: &PathKey) -> Option<&IndexedFile> {
        self.files().get(key)
    }

    /// Returns the published file at a path in any spelling.
    pub(super) fn get_spelled(&self, path: &str) -> Option<&IndexedFile> {
        self.files().get(&*fold(path))
    }

    pub(super) const fn synced(&self) -> &SyncedVersions {
        &self.synced
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
        let placeholder = Reason::Placeholder.to_string();
        let is_placeholder =
            |item: &Listed| self.skipped.contains(&(item.path.clone(), placeholder.clone()));
        let placeholders = in_liveries.filter(|(_, item)| is_placeholder(item));
        let caches = caches.filter(|(key, _)| rule.is_stale(key, false));
        let placeholders = placeholders.filter(|(key, _)| rule.is_stale(key, true));
        caches.chain(placeholders).map(|(_, item)| item.path.clone()).collect()
    }
}

/// Takes ignored liveries out of what would be published. No livery decides what is selected of another one, so this may
/// come afterwards.
fn leave_out_ignored(selection: &mut Selection, ignored: &Ignored) {
    if ignored.globs().len() == 0 {
        return;
    }
    let publish = mem::take(&mut selection.publish);
    let (ignored_files, wanted): (Vec<_>, Vec<_>) =
        publish.iter().cloned().partition(|file| ignored.covers(file.path.as_str()));
    selection.publish = PathMap::of_fitting(wanted);
    selection.skipped.retain(|item| !ignored.covers(&item.path));
    selection.skipped.extend(
        ignored_files
            .into_iter()
            .map(|file| Skipped { path: file.path.as_str().to_owned(), reason: Reason::Ignored }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{ClientConfig, Now, Output, link::Link},
        time::UnixTime,
    };

    const DAY: i64 = 86_400_000_000_000;
    const OLD: UnixTime = UnixTime::from_nanos(DAY);

    /// A folder, and the moment that it has come to.
    struct Rig {
        folder: Folder,
        cx: Context,
    }

    impl Rig {
        fn new() -> Self {
            let now = Now { time: Time::ZERO, date: UnixTime::from_nanos(10 * DAY) };
            let cx = Context::new(ClientConfig::default(), Link::new(now.time, 1), now);
            Self { folder: Folder::new(now.time), cx }
        }

        /// Returns the last disk request since this was called before.
        fn request(&mut self) -> Option<DiskRequest> {
            let outputs = std::iter::from_fn(|| self.cx.poll_output());
            let requests = outputs.filter_map(|output| match output {
                Output::Disk(_, request) => Some(request),
                _ => None,
            });
            requests.last()
        }

        /// Scans when the folder wants to, and finds files of these sizes. Returns the files to read.
        fn scan(&mut self, files: &[(&str, u64)], mtime: UnixTime) -> Vec<String> {
            self.cx.now.time = self.folder.scan_at().unwrap();
            self.folder.handle_timeout(&mut self.cx);
            assert!(matches!(self.request(), Some(DiskRequest::List { .. })));
            let listed = files.iter().map(|(path, size)| {
                let kind = Kind::File(Stamp { size: *size, mtime });
                Listed { path: (*path).to_owned(), kind, change_tag: 0 }
            });
            let listed = DiskOutcome::Listed(Ok(listed.collect()));
            self.folder.handle_disk(&mut self.cx, listed);
            match self.request() {
                Some(DiskRequest::Hash(files)) => {
                    files.into_iter().map(|(path, _)| path.as_str().to_owned()).collect()
                }
                None => Vec::new(),
                other => panic!("{other:?}"),
            }
        }

        fn hashed(&mut self, outcomes: Vec<Result<Content, DiskFault>>) {
            self.folder.handle_disk(&mut self.cx, DiskOutcome::Hashed(outcomes));
        }
    }

    fn content() -> Content {
        Content { size: 1, ..Content::of(b"a") }
    }

    #[test]
    fn a_file_is_read_only_once_it_has_settled() {
        let mut rig = Rig::new();
        rig.scan(&[], OLD);
        // A copy keeps the date of its original, so an old date says nothing.
        for size in [1, 2, 3] {
            assert!(rig.scan(&[("T/decals.png", size)], OLD).is_empty(), "read while it grew");
            assert!(!rig.folder.is_settled());
        }
        let before = rig.cx.now.time;
        assert_eq!(rig.scan(&[("T/decals.png", 3)], OLD), ["T/decals.png"]);
        assert!(rig.cx.now.time.since(before) >= rig.cx.config.settle);
    }

    #[test]
    fn a_livery_is_read_once_all_of_it_has_settled() {
        let mut rig = Rig::new();
        rig.scan(&[], OLD);
        for size in 1..4 {
            let files = [("T/a.png", 1), ("T/b.png", size), ("U/a.png", 1)];
            // The other livery has been read by the third scan.
            let expected = if size == 2 { &["U/a.png"][..] } else { &[] };
            assert_eq!(rig.scan(&files, OLD), expected);
            if size == 2 {
                rig.hashed(vec![Ok(content())]);
            }
        }
        let files = [("T/a.png", 1), ("T/b.png", 3), ("U/a.png", 1)];
        assert_eq!(rig.scan(&files, OLD), ["T/a.png", "T/b.png"]);
    }

    #[test]
    fn half_a_livery_is_not_published_because_the_rest_changed_while_it_was_read() {
        let mut rig = Rig::new();
        rig.scan(&[], OLD);
        let files = [("T/a.png", 1), ("T/b.png", 1)];
        assert!(rig.scan(&files, OLD).is_empty());
        assert_eq!(rig.scan(&files, OLD).len(), 2);
        let changed = DiskFault { kind: DiskFaultKind::Changed, message: "changed".to_owned() };
        rig.hashed(vec![Ok(content()), Err(changed)]);
        assert_eq!(rig.folder.manifest().len(), 0);
        assert_eq!(rig.scan(&files, OLD).len(), 2);
        rig.hashed(vec![Ok(content()), Ok(content())]);
        assert_eq!(rig.folder.manifest().len(), 2);
    }

    #[test]
    fn a_file_that_never_settles_does_not_hold_up_its_livery_forever() {
        let mut rig = Rig::new();
        rig.scan(&[], OLD);
        let mut scan = |size| {
            let found = rig.scan(&[("T/a.png", 1), ("T/log.txt", size)], OLD);
            (found, rig.cx.now.time)
        };
        let (_, begun) = scan(1);
        let (found, after) = (2..).map(scan).find(|(found, _)| !found.is_empty()).unwrap();
        assert_eq!(found, ["T/a.png"]);
        let waited = after.since(begun);
        assert!((WHOLE_LIVERY_MAX..WHOLE_LIVERY_MAX * 2).contains(&waited), "{waited:?}");
    }

    #[test]
    fn on_the_first_scan_the_modification_time_tells_whether_a_file_has_settled() {
        let files = [("T/decals.png", 1)];
        assert_eq!(Rig::new().scan(&files, OLD), ["T/decals.png"]);
        let mut rig = Rig::new();
        assert!(rig.scan(&files, rig.cx.now.date).is_empty());
    }
}
