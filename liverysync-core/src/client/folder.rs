//! What this PC holds: walking the folder, waiting until files keep still, hashing what is new.
//!
//! ```text
//! Idle --(change, timer)--> Listing --> Hashing --> Idle
//! ```
//!
//! A file whose stamp is known is never read again. A new or changed file is read once two walks
//! have found the same stamp, a settling time apart; on the very first walk it is enough that its
//! last change is longer ago than that. All of a livery is read once all of it keeps still, so that
//! nobody gets half of what is being copied in. Until then the manifest goes on saying what it said.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
    time::Duration,
};

use super::{
    ClientConfig, DiskFault, DiskFaultKind, DiskRequest, Event, Ignored, Now,
    local_index::LocalIndex,
};
use crate::{
    hash::{Content, ContentHash},
    manifest::Manifest,
    path::{Extensions, PathKey, RelPath, fold},
    pathmap::{Located, PathMap},
    select::{Chosen, Kind, Listed, Reason, Selection, Skipped, Stamp, caches_of, select_knowing},
    time::Time,
};

/// How long after a change in the folder it is walked: changes come in bursts.
const CHANGE_PAUSE: Duration = Duration::from_millis(100);

/// After a walk, one that changes ask for waits so many times as long as that walk took.
const REST_FACTOR: u32 = 2;

/// The same while files are being received: most changes are what is put in place, and a sync of thousands
/// of files does not walk past them all the time.
const REST_FACTOR_RECEIVING: u32 = 12;

/// Longest such wait: a folder on a slow network drive is looked at all the same.
const REST_MAX: Duration = Duration::from_secs(5);

/// How long after this PC was first in sync the folder is watched, and how long after the first walk at the latest.
/// To watch thousands of folders costs as much as half a walk, and whoever only looks in has left before it is of use.
const WATCH_PAUSE: Duration = Duration::from_millis(500);
const WATCH_LATEST: Duration = Duration::from_secs(10);

/// So long what keeps still of a livery waits for the rest of it: a large file may be copied for minutes, and one
/// that never keeps still must not hold back the others.
const WHOLE_MAX: Duration = Duration::from_secs(10);

/// A file that this PC publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexedFile {
    pub(super) path: RelPath,
    pub(super) stamp: Stamp,
    /// Zero until a walk has seen it.
    pub(super) change_tag: u64,
    pub(super) content: Content,
}

impl Located for IndexedFile {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

/// What a walk found, published or not. Most walks find what the one before found, so it is put in
/// order only when something is asked of it.
#[derive(Debug)]
struct Listing {
    items: Vec<Listed>,
    by_key: OnceLock<BTreeMap<String, usize>>,
}

impl Listing {
    const fn new(items: Vec<Listed>) -> Self {
        Self { items, by_key: OnceLock::new() }
    }

    /// Where each item is, by the key of its path. Of two with one key the first counts.
    fn by_key(&self) -> &BTreeMap<String, usize> {
        self.by_key.get_or_init(|| {
            let numbered = self.items.iter().enumerate().rev();
            numbered.map(|(number, item)| (fold(&item.path), number)).collect()
        })
    }

    fn get(&self, key: &str) -> Option<&Listed> {
        self.items.get(*self.by_key().get(key)?)
    }

    /// All items with their keys, from this key on.
    fn from(&self, key: String) -> impl Iterator<Item = (&str, &Listed)> {
        let range = self.by_key().range(key..);
        range.filter_map(|(key, number)| Some((key.as_str(), self.items.get(*number)?)))
    }

    fn insert(&mut self, key: &PathKey, item: Listed) {
        let number = *self.by_key().get(key.as_str()).unwrap_or(&self.items.len());
        match self.items.get_mut(number) {
            Some(there) => *there = item,
            None => self.items.push(item),
        }
        if let Some(by_key) = self.by_key.get_mut() {
            by_key.insert(key.as_str().to_owned(), number);
        }
    }
}

/// That something has changed since the last walk began.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// When it is walked for, at the earliest.
    at: Time,
    /// All that has changed did so while files were being received.
    receiving: bool,
}

/// Whether the host tells of changes.
#[derive(Clone, Copy, Debug)]
enum Watching {
    /// The first walk does not set a watch.
    NotYet,
    /// The walk that begins then does, and finds what changed before.
    From(Time),
    Set,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Listing,
    Hashing { chosen: PathMap<Chosen>, reading: Vec<(RelPath, Stamp)>, skipped: Vec<Skipped> },
}

#[derive(Debug)]
pub(super) struct Folder {
    known: LocalIndex,
    /// Everything that the last walk found.
    listed: Option<Listing>,
    /// Files that will be published once they have kept still and are read.
    unread: BTreeSet<PathKey>,
    /// What was installed since the last walk began: its news of these files is old.
    installed: BTreeSet<PathKey>,
    phase: Phase,
    /// When to walk next, whatever happens.
    walk_at: Option<Time>,
    /// When to walk next because something has changed, but for the rest.
    changed: Option<Change>,
    watching: Watching,
    walk_began: Time,
    /// When the last walk ended, and how long it took.
    walk_ended: Time,
    walk_took: Duration,
    /// Liveries of which something does not keep still, and since when.
    moving: BTreeMap<String, Time>,
    skipped: BTreeSet<(String, String)>,
    walked_once: bool,
    /// Whether something is known that has not been remembered.
    news: bool,
}

/// What a step of the folder brings about.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) request: Option<DiskRequest>,
    pub(super) events: Vec<Event>,
    /// A walk has come to its end; the manifest may be another.
    pub(super) finished: bool,
}

impl Folder {
    pub(super) fn new(now: Time) -> Self {
        Self {
            known: LocalIndex::default(),
            listed: None,
            unread: BTreeSet::new(),
            installed: BTreeSet::new(),
            phase: Phase::Idle,
            walk_at: Some(now),
            changed: None,
            watching: Watching::NotYet,
            walk_began: now,
            walk_ended: now,
            walk_took: Duration::ZERO,
            moving: BTreeMap::new(),
            skipped: BTreeSet::new(),
            walked_once: false,
            news: false,
        }
    }

    /// Takes what an earlier run knew. Nothing of it is published before a walk has found it unchanged.
    pub(super) fn recall(&mut self, files: LocalIndex, up_to_date: bool) {
        self.known = files;
        self.news = !up_to_date;
    }

    /// Whether there is something to write down since the last time that this was asked.
    pub(super) const fn take_news(&mut self) -> bool {
        std::mem::replace(&mut self.news, false)
    }

    /// What is known, to be written down.
    pub(super) const fn local_index(&self) -> &LocalIndex {
        &self.known
    }

    /// The file that is published under this path, whatever its spelling.
    pub(super) fn get_spelled(&self, path: &str) -> Option<&IndexedFile> {
        self.known().get(&*fold(path))
    }

    /// Whether something is known that has not been remembered.
    pub(super) const fn has_news(&self) -> bool {
        self.news
    }

    /// Whether the folder has been walked to the end at least once.
    pub(super) const fn is_ready(&self) -> bool {
        self.walked_once
    }

    /// Whether nothing is about to change in the manifest.
    pub(super) fn is_quiet(&self) -> bool {
        self.walked_once && self.moving.is_empty() && matches!(self.phase, Phase::Idle)
    }

    /// Whether a walk is under way that has found nothing new yet.
    pub(super) fn is_listing(&self) -> bool {
        self.moving.is_empty() && matches!(self.phase, Phase::Listing)
    }

    pub(super) fn walk_by(&mut self, at: Time) {
        self.walk_at = Some(self.walk_at.map_or(at, |planned| planned.min(at)));
    }

    /// Something has changed: changes come in bursts, and the folder of a large league takes long to walk.
    pub(super) fn handle_changed(&mut self, now: Time, receiving: bool) {
        let receiving = receiving && self.changed.is_none_or(|change| change.receiving);
        let at = self.changed.map_or(now + CHANGE_PAUSE, |change| change.at);
        self.changed = Some(Change { at, receiving });
    }

    pub(super) fn wake(&self) -> Option<Time> {
        // RequestedFile for now: what changed during a walk waits for the rest that follows it.
        let changed_at = self.changed.map(|change| {
            let factor = if change.receiving { REST_FACTOR_RECEIVING } else { REST_FACTOR };
            change.at.max(self.walk_ended + (self.walk_took * factor).min(REST_MAX))
        });
        let watch_at = if let Watching::From(at) = self.watching { Some(at) } else { None };
        let next = [self.walk_at, changed_at, watch_at].into_iter().flatten().min();
        next.filter(|_| matches!(self.phase, Phase::Idle))
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Effects {
        let due = self.wake().is_some_and(|at| at <= now);
        if !due {
            return Effects::default();
        }
        (self.walk_at, self.changed) = (None, None);
        self.walk_began = now;
        self.phase = Phase::Listing;
        self.installed.clear();
        match self.watching {
            Watching::NotYet => self.watching = Watching::From(now + WATCH_LATEST),
            Watching::From(at) if at <= now => self.watching = Watching::Set,
            Watching::From(_) | Watching::Set => {}
        }
        let watch = matches!(self.watching, Watching::Set);
        Effects { request: Some(DiskRequest::List { watch }), ..Effects::default() }
    }

    /// This PC is in sync: from soon on nothing but changes in its folder will happen.
    pub(super) fn handle_in_sync(&mut self, now: Time) {
        if let Watching::From(at) = &mut self.watching {
            *at = (*at).min(now + WATCH_PAUSE);
        }
    }

    pub(super) fn handle_listed(
        &mut self,
        now: Now,
        outcome: Result<Vec<Listed>, DiskFault>,
        config: &ClientConfig,
    ) -> Effects {
        let listed = match outcome {
            Ok(listed) => listed,
            Err(fault) => {
                self.phase = Phase::Idle;
                self.walk_by(now.time + config.rescan.min(Duration::from_secs(5)));
                let events = vec![Event::FolderUnreadable { reason: fault.message }];
                return Effects { events, ..Effects::default() };
            }
        };
        self.walk_ended = now.time;
        self.walk_took = now.time.since(self.walk_began);
        let mut selection = select_knowing(&listed, self.known(), &config.rules);
        self.keep_published(&mut selection, &listed);
        leave_out_ignored(&mut selection, &config.ignored);
        let reading = self.find_unread(&selection.publish, now, config);
        self.listed = Some(Listing::new(listed));
        let (chosen, skipped) = (selection.publish, selection.skipped);
        if reading.is_empty() {
            return self.finish(now, chosen, &BTreeMap::new(), skipped, config);
        }
        let request = Some(DiskRequest::Hash(reading.clone()));
        self.phase = Phase::Hashing { chosen, reading, skipped };
        Effects { request, ..Effects::default() }
    }

    /// What of the chosen files is to be read now; the rest is known, or has not kept still.
    fn find_unread(
        &mut self,
        chosen: &PathMap<Chosen>,
        now: Now,
        config: &ClientConfig,
    ) -> Vec<(RelPath, Stamp)> {
        let is_news =
            |file: &&Chosen| !self.is_known(file) && !self.installed.contains(file.path.key());
        let unread: Vec<_> = if self.is_as_known(chosen) {
            Vec::new()
        } else {
            chosen.iter().filter(is_news).collect()
        };
        let (still, moving): (Vec<&Chosen>, Vec<&Chosen>) =
            unread.iter().copied().partition(|file| self.has_settled(file, now, config));
        let moving = moving.iter().map(|file| file.path.key().livery().to_owned());
        let since = |livery: &String| self.moving.get(livery).copied().unwrap_or(now.time);
        self.moving = moving.map(|livery| (livery.clone(), since(&livery))).collect();
        self.unread = unread.iter().map(|file| file.path.key().clone()).collect();
        let whole = still.into_iter().filter(|file| !self.is_held_back(file.path.key(), now.time));
        whole.map(|file| (file.path.clone(), file.stamp)).collect()
    }

    /// Whether a file waits for the rest of its livery.
    fn is_held_back(&self, key: &PathKey, now: Time) -> bool {
        self.moving.get(key.livery()).is_some_and(|since| now.since(*since) < WHOLE_MAX)
    }

    /// Whether the walk found all that is known, unchanged, and nothing else. Most walks do.
    fn is_as_known(&self, chosen: &PathMap<Chosen>) -> bool {
        // Both are in the order of their keys.
        let mut pairs = chosen.iter().zip(self.known());
        chosen.len() == self.known().len()
            && pairs.all(|(file, known)| {
                (&file.path, file.stamp, file.change_tag)
                    == (&known.path, known.stamp, known.change_tag)
            })
    }

    /// What the union brought, or what travelled already, does not become a placeholder because the
    /// rest of its livery is not here: it would be unpublished and brought again for ever.
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
        let skipped = std::mem::take(&mut selection.skipped);
        for item in skipped {
            let known = self.known().get(fold(&item.path).as_str()).filter(|known| {
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
            let same_tag = known.change_tag == file.change_tag || known.change_tag == 0;
            known.path == file.path && known.stamp == file.stamp && same_tag
        })
    }

    fn has_settled(&self, file: &Chosen, now: Now, config: &ClientConfig) -> bool {
        match &self.listed {
            Some(before) => before.get(file.path.key().as_str()).is_some_and(|item| {
                item.path == file.path.as_str()
                    && item.kind == Kind::File(file.stamp)
                    && (item.change_tag == file.change_tag || item.change_tag == 0)
            }),
            // A date in the future says nothing, and waiting for it would be for ever.
            None => {
                file.stamp.mtime > now.date || now.date.since(file.stamp.mtime) >= config.settle
            }
        }
    }

    pub(super) fn handle_hashed(
        &mut self,
        now: Now,
        outcomes: Vec<Result<Content, DiskFault>>,
        config: &ClientConfig,
    ) -> Effects {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        let Phase::Hashing { chosen, reading, mut skipped } = phase else {
            return Effects::default();
        };
        let mut contents = BTreeMap::new();
        for ((path, _), outcome) in reading.into_iter().zip(outcomes) {
            match outcome {
                Ok(content) => {
                    contents.insert(path.key().clone(), content);
                }
                Err(fault)
                    if matches!(fault.kind, DiskFaultKind::Changed | DiskFaultKind::Missing) =>
                {
                    let livery = path.key().livery().to_owned();
                    self.moving.entry(livery).or_insert(now.time);
                }
                Err(fault) => {
                    let reason = Reason::Unreadable(fault.message);
                    skipped.push(Skipped { path: path.as_str().to_owned(), reason });
                }
            }
        }
        contents.retain(|key, _| !self.is_held_back(key, now.time));
        self.finish(now, chosen, &contents, skipped, config)
    }

    fn finish(
        &mut self,
        now: Now,
        chosen: PathMap<Chosen>,
        contents: &BTreeMap<PathKey, Content>,
        skipped: Vec<Skipped>,
        config: &ClientConfig,
    ) -> Effects {
        let mut published_another = false;
        if !contents.is_empty() || !self.is_as_known(&chosen) {
            let known = self.brought_up_to_date(&chosen, contents);
            self.unread.retain(|key| !contents.contains_key(key));
            published_another = !publish_the_same(&known, self.known());
            self.news |= known != *self.known();
            if published_another {
                self.known = LocalIndex::new(known);
            } else {
                self.known.replace_with_the_same(known);
            }
        }
        self.phase = Phase::Idle;
        let first_time = !std::mem::replace(&mut self.walked_once, true);
        self.walk_by(now.time + if self.moving.is_empty() { config.rescan } else { config.settle });

        let mut events = self.tell_skipped(skipped);
        if first_time || published_another {
            let (liveries, files) = (self.known().livery_count(), self.known().len());
            events.push(Event::Scanned { liveries, files, bytes: self.total_bytes() });
        }
        Effects { request: None, events, finished: true }
    }

    /// What is known after a walk that chose these files, and after reading what was new of them.
    fn brought_up_to_date(
        &self,
        chosen: &PathMap<Chosen>,
        contents: &BTreeMap<PathKey, Content>,
    ) -> PathMap<IndexedFile> {
        let mut known = PathMap::default();
        // What was installed meanwhile is newer than this walk.
        for file in self.known().iter().filter(|file| self.installed.contains(file.path.key())) {
            let _fits = known.insert(file.clone());
        }
        for file in chosen {
            let key = file.path.key();
            let old = self.get(key);
            let content = contents.get(key).copied();
            let entry = match (content, old) {
                (Some(content), _) => IndexedFile {
                    path: file.path.clone(),
                    stamp: file.stamp,
                    change_tag: file.change_tag,
                    content,
                },
                // Still the same, or not settled yet: it stays as it was said to be.
                (None, Some(old)) => {
                    let change_tag =
                        if self.is_known(file) { file.change_tag } else { old.change_tag };
                    IndexedFile { path: file.path.clone(), change_tag, ..old.clone() }
                }
                (None, None) => continue,
            };
            // What collides with an installed file is met by the next walk.
            let _fits = known.insert(entry);
        }
        known
    }

    fn tell_skipped(&mut self, skipped: Vec<Skipped>) -> Vec<Event> {
        let before = std::mem::take(&mut self.skipped);
        let mut events = Vec::new();
        for item in skipped {
            let line = (item.path.clone(), item.reason.to_string());
            if !before.contains(&line) {
                events.push(Event::Skipped(item));
            }
            self.skipped.insert(line);
        }
        events
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.known().iter().map(|file| file.content.size).sum()
    }

    /// What this PC publishes.
    pub(super) fn manifest(&self) -> &Manifest {
        self.known.manifest()
    }

    /// The hash of the manifest.
    pub(super) fn hash(&self) -> ContentHash {
        self.known.hash()
    }

    pub(super) fn get(&self, key: &PathKey) -> Option<&IndexedFile> {
        self.known().get(key)
    }

    pub(super) const fn known(&self) -> &PathMap<IndexedFile> {
        self.known.files()
    }

    /// What lies at a path and may be replaced; `None` if nothing does as far as is known, or if
    /// what does has not been read yet.
    pub(super) fn stamp_at(&self, path: &RelPath) -> Option<Stamp> {
        if let Some(known) = self.get(path.key()) {
            return Some(known.stamp);
        }
        if self.unread.contains(path.key()) {
            return None;
        }
        match self.listed.as_ref()?.get(path.key().as_str())?.kind {
            Kind::File(stamp) => Some(stamp),
            _ => None,
        }
    }

    /// How the disk spells what lies at a key without being published.
    pub(super) fn spelling_at(&self, key: &PathKey) -> Option<&str> {
        self.listed.as_ref()?.get(key.as_str()).map(|item| item.path.as_str())
    }

    /// Whether a file lies at this key, published or not.
    pub(super) fn holds(&self, key: &PathKey) -> bool {
        self.known().contains(key)
            || self.listed.as_ref().is_some_and(|listed| listed.get(key.as_str()).is_some())
    }

    /// What the game made of a livery before `arriving` came: caches beside new pictures, and the
    /// placeholder files of a livery that this PC did not have.
    pub(super) fn stale_beside(&self, arriving: &[RelPath]) -> Vec<String> {
        let Some(listed) = &self.listed else { return Vec::new() };
        let coming: BTreeSet<&str> = arriving.iter().map(|path| path.key().as_str()).collect();
        let caches = arriving.iter().flat_map(caches_of);
        let caches: Vec<_> = caches.collect();
        let caches = caches.iter().map(PathKey::as_str);
        let caches = caches.filter_map(|key| Some((key, listed.get(key)?)));
        let liveries: BTreeSet<&str> = arriving.iter().map(|path| path.key().livery()).collect();
        let in_liveries = liveries.into_iter().flat_map(|livery| {
            let from = format!("{livery}/");
            listed.from(from.clone()).take_while(move |(key, _)| key.starts_with(&from))
        });
        let known = Reason::Placeholder.to_string();
        let placeholders = in_liveries
            .filter(|(_, item)| self.skipped.contains(&(item.path.clone(), known.clone())));
        let stale = caches.chain(placeholders).filter(|(key, _)| !coming.contains(key));
        stale.map(|(_, item)| item.path.clone()).collect()
    }

    /// What lies at these paths is replaced by nothing before it has been read: nobody knows what it is.
    pub(super) fn is_to_be_read(
        &mut self,
        is_meant: impl Fn(&str) -> bool,
        extensions: &Extensions,
    ) {
        let listed = self.listed.iter().flat_map(|listed| &listed.items);
        let paths = listed.filter(|item| is_meant(&item.path));
        let paths = paths.filter_map(|item| RelPath::parse(&item.path, extensions).ok());
        self.unread.extend(paths.map(|path| path.key().clone()));
    }

    /// Takes note of a file that was put in place.
    pub(super) fn handle_installed(&mut self, path: RelPath, stamp: Stamp, content: Content) {
        self.unread.remove(path.key());
        self.installed.insert(path.key().clone());
        if let Some(listed) = &mut self.listed {
            let item =
                Listed { path: path.as_str().to_owned(), kind: Kind::File(stamp), change_tag: 0 };
            listed.insert(path.key(), item);
        }
        let known = self.known.change();
        known.remove(path.key());
        // It lies on the disk, so it can lie beside what else does; a walk says what is true.
        let _fits = known.insert(IndexedFile { path, stamp, change_tag: 0, content });
        self.news = true;
    }
}

/// Nothing that is left out, and nothing that leaves out another, reaches beyond one livery.
fn leave_out_ignored(selection: &mut Selection, ignored: &Ignored) {
    if ignored.globs().len() == 0 {
        return;
    }
    let publish = std::mem::take(&mut selection.publish);
    let (left_out, wanted): (Vec<_>, Vec<_>) =
        publish.iter().cloned().partition(|file| ignored.covers(file.path.as_str()));
    selection.publish = PathMap::of_fitting(wanted);
    selection.skipped.retain(|item| !ignored.covers(&item.path));
    selection.skipped.extend(
        left_out
            .into_iter()
            .map(|file| Skipped { path: file.path.as_str().to_owned(), reason: Reason::Ignored }),
    );
}

/// Whether both make the same manifest.
fn publish_the_same(a: &PathMap<IndexedFile>, b: &PathMap<IndexedFile>) -> bool {
    let said = |file: &IndexedFile| (file.content, file.stamp.mtime);
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.path == b.path && said(a) == said(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    const DAY: i64 = 86_400_000_000_000;

    /// A folder, and the moment that it has come to.
    struct Rig {
        folder: Folder,
        now: Now,
        config: ClientConfig,
    }

    impl Rig {
        fn new() -> Self {
            let now = Now { time: Time::ZERO, date: UnixTime::from_nanos(10 * DAY) };
            Self { folder: Folder::new(now.time), now, config: ClientConfig::default() }
        }

        /// Walks when the folder wants to, and finds one file; returns what is to be read.
        fn walk(&mut self, size: u64, mtime: UnixTime) -> Option<DiskRequest> {
            self.walk_many(&[("T/decals.png", size)], mtime)
        }

        /// The same with files of these sizes.
        fn walk_many(&mut self, files: &[(&str, u64)], mtime: UnixTime) -> Option<DiskRequest> {
            self.now.time = self.folder.wake().unwrap();
            let asked = self.folder.handle_timeout(self.now.time).request;
            assert!(matches!(asked, Some(DiskRequest::List { .. })));
            let listed = files.iter().map(|(path, size)| {
                let kind = Kind::File(Stamp { size: *size, mtime });
                Listed { path: (*path).to_owned(), kind, change_tag: 0 }
            });
            self.folder.handle_listed(self.now, Ok(listed.collect()), &self.config).request
        }

        fn walk_empty(&mut self) {
            self.walk_for(Duration::ZERO);
        }

        /// Walks for so long, and finds nothing.
        fn walk_for(&mut self, time: Duration) {
            assert!(self.folder.handle_timeout(self.now.time).request.is_some());
            self.now.time = self.now.time + time;
            self.folder.handle_listed(self.now, Ok(Vec::new()), &self.config);
        }

        /// How long the folder is left alone.
        fn rest(&self) -> Option<Duration> {
            self.folder.wake().map(|at| at.since(self.now.time))
        }
    }

    #[test]
    fn a_file_is_read_only_once_it_keeps_still() {
        let mut rig = Rig::new();
        rig.walk_empty();
        // A copy keeps the date of what it is copied from, so an old date says nothing.
        let old = UnixTime::from_nanos(DAY);
        for size in [1, 2, 3] {
            assert!(rig.walk(size, old).is_none(), "read while it was growing");
            assert!(!rig.folder.is_quiet());
        }
        let before = rig.now.time;
        assert!(matches!(rig.walk(3, old), Some(DiskRequest::Hash(files)) if files.len() == 1));
        assert!(rig.now.time.since(before) >= rig.config.settle);
    }

    fn read(request: Option<DiskRequest>) -> Vec<String> {
        let files = match request {
            Some(DiskRequest::Hash(files)) => files,
            None => Vec::new(),
            other => panic!("{other:?}"),
        };
        files.into_iter().map(|(path, _)| path.as_str().to_owned()).collect()
    }

    #[test]
    fn a_livery_is_read_once_all_of_it_keeps_still() {
        let old = UnixTime::from_nanos(DAY);
        let mut rig = Rig::new();
        rig.walk_empty();
        for size in 1..4 {
            let files = [("T/a.png", 1), ("T/b.png", size), ("U/a.png", 1)];
            // The other livery has been read by then, and is not published because of what is read next.
            let expected = if size == 2 { &["U/a.png"][..] } else { &[] };
            assert_eq!(read(rig.walk_many(&files, old)), expected);
            if size == 2 {
                let content = Content { size: 1, ..Content::of(b"a") };
                rig.folder.handle_hashed(rig.now, vec![Ok(content)], &rig.config);
            }
        }
        let files = [("T/a.png", 1), ("T/b.png", 3), ("U/a.png", 1)];
        assert_eq!(read(rig.walk_many(&files, old)), ["T/a.png", "T/b.png"]);
    }

    #[test]
    fn a_livery_is_not_published_by_halves_because_a_file_of_it_changed_while_it_was_read() {
        let old = UnixTime::from_nanos(DAY);
        let mut rig = Rig::new();
        rig.walk_empty();
        let files = [("T/a.png", 1), ("T/b.png", 1)];
        assert!(rig.walk_many(&files, old).is_none());
        assert_eq!(read(rig.walk_many(&files, old)).len(), 2);
        let content = Content { size: 1, ..Content::of(b"a") };
        let changed = DiskFault { kind: DiskFaultKind::Changed, message: "changed".to_owned() };
        rig.folder.handle_hashed(rig.now, vec![Ok(content), Err(changed)], &rig.config);
        assert_eq!(rig.folder.manifest().len(), 0);
        assert_eq!(read(rig.walk_many(&files, old)).len(), 2);
        rig.folder.handle_hashed(rig.now, vec![Ok(content), Ok(content)], &rig.config);
        assert_eq!(rig.folder.manifest().len(), 2);
    }

    #[test]
    fn what_never_keeps_still_does_not_hold_back_its_livery_for_ever() {
        let old = UnixTime::from_nanos(DAY);
        let mut rig = Rig::new();
        rig.walk_empty();
        let mut walk = |size| {
            let found = read(rig.walk_many(&[("T/a.png", 1), ("T/log.txt", size)], old));
            (found, rig.now.time)
        };
        let (_, begun) = walk(1);
        let (found, after) = (2..).map(walk).find(|(found, _)| !found.is_empty()).unwrap();
        assert_eq!(found, ["T/a.png"]);
        assert!((WHOLE_MAX..WHOLE_MAX * 2).contains(&after.since(begun)), "{after:?}");
    }

    #[test]
    fn a_change_waits_for_a_folder_that_takes_long_to_walk() {
        let took = Duration::from_millis(200);
        let mut rig = Rig::new();
        rig.walk_for(took);
        rig.folder.handle_changed(rig.now.time, true);
        assert_eq!(rig.rest(), Some(took * REST_FACTOR_RECEIVING));
        // Who waits for it does not wait for that.
        rig.folder.walk_by(rig.now.time);
        assert_eq!(rig.folder.wake(), Some(rig.now.time));
    }

    #[test]
    fn what_a_driver_drops_in_waits_less_when_nothing_is_received() {
        let took = Duration::from_millis(200);
        let mut rig = Rig::new();
        rig.walk_for(took);
        rig.folder.handle_changed(rig.now.time, true);
        rig.folder.handle_changed(rig.now.time, false);
        assert!(rig.rest() <= Some(took * 4));
    }

    #[test]
    fn a_change_during_a_walk_waits_for_the_rest_after_it() {
        let mut rig = Rig::new();
        assert!(rig.folder.handle_timeout(rig.now.time).request.is_some());
        rig.folder.handle_changed(rig.now.time, true);
        rig.now.time = rig.now.time + Duration::from_millis(200);
        rig.folder.handle_listed(rig.now, Ok(Vec::new()), &rig.config);
        let rest = rig.folder.wake().map(|at| at.since(rig.now.time));
        assert_eq!(rest, Some(Duration::from_millis(200) * REST_FACTOR_RECEIVING));
    }

    /// Walks when the folder wants to, and returns whether the host is to tell of changes from then on.
    fn walk_watches(rig: &mut Rig) -> bool {
        rig.now.time = rig.folder.wake().unwrap();
        let asked = rig.folder.handle_timeout(rig.now.time).request;
        rig.folder.handle_listed(rig.now, Ok(Vec::new()), &rig.config);
        matches!(asked, Some(DiskRequest::List { watch: true }))
    }

    #[test]
    fn the_folder_is_watched_soon_after_this_pc_is_in_sync() {
        let mut rig = Rig::new();
        assert!(!walk_watches(&mut rig));
        rig.folder.handle_in_sync(rig.now.time);
        assert_eq!(rig.rest(), Some(WATCH_PAUSE));
        assert!(walk_watches(&mut rig) && walk_watches(&mut rig));
    }

    #[test]
    fn the_folder_is_watched_even_if_this_pc_is_never_in_sync() {
        let mut rig = Rig::new();
        assert!(!walk_watches(&mut rig));
        rig.folder.walk_by(rig.now.time);
        assert!(!walk_watches(&mut rig));
        assert_eq!(rig.rest(), Some(WATCH_LATEST));
        assert!(walk_watches(&mut rig));
    }

    #[test]
    fn on_the_first_walk_the_date_tells_whether_a_file_keeps_still() {
        let settled = Rig::new().walk(1, UnixTime::from_nanos(DAY));
        assert!(matches!(settled, Some(DiskRequest::Hash(_))));
        let mut rig = Rig::new();
        assert!(rig.walk(1, rig.now.date).is_none());
    }
}
