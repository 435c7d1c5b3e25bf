//! One client of the server, for as long as it is connected.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    time::Duration,
};

use serde::Serialize;

use super::ServerConfig;
use crate::{
    hash::ContentHash,
    league::MemberId,
    manifest::Manifest,
    path::PathKey,
    schedule::Load,
    select::cached_picture,
    server::Withheld,
    time::Time,
    union::{Union, UnionEntry},
    wire::{
        data::TransferId,
        messages::{SyncId, SyncStatus},
    },
};

/// How much newer its own file must be for a client 1.0.4 to keep it.
const OLD_CLIENT_TOLERANCE: Duration = Duration::from_secs(1);

/// Failures after which a target that never says why is taken to refuse a file.
const SILENT_FAILURES_MAX: u32 = 3;

/// First and longest wait before a file is offered again to a target that failed to take it.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_CAP: Duration = Duration::from_secs(600);

/// How long a source is not asked for a file that it could not read: another program may hold it.
const OWED_RETRY: Duration = Duration::from_secs(60);

/// Which program a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Protocol {
    /// The Python client that the seed describes.
    #[serde(rename = "python-first")]
    V1First,
    /// The Python client 1.0.4, or one that has not shown yet that it is the first.
    #[serde(rename = "python-1.0.4")]
    V104,
    /// One of ours.
    #[serde(rename = "liverysync")]
    V2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1First => "first Python client",
            Self::V104 => "Python client 1.0.4",
            Self::V2 => "liverysync",
        })
    }
}

/// How often a target failed to take a content.
#[derive(Clone, Copy, Debug)]
struct Failures {
    hash: ContentHash,
    count: u32,
    retry_at: Time,
}

/// Something to offer to a target.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// Files whose contents are in the store or on their way there.
    Download(Vec<PathKey>),
    /// Files that it can copy from its own PC.
    Copy(Vec<PathKey>),
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) client_id: String,
    pub(super) address: String,
    pub(super) name: String,
    pub(super) protocol: Protocol,
    /// Who it is, if it has said its key.
    pub(super) author: Option<MemberId>,
    pub(super) accepted_at: Time,
    pub(super) heard_at: Time,
    pub(super) greeted: bool,
    /// What it holds, as it last said; `None` until it did.
    pub(super) manifest: Option<Manifest>,
    /// Whether a step of the union has taken its first manifest in.
    pub(super) merged: bool,
    pub(super) manifest_at: Time,
    /// How often it has told of its files, as it counts.
    pub(super) revision: u64,
    /// When it was asked for its manifest, until it answers.
    pub(super) asked_at: Option<Time>,
    pub(super) uploads: BTreeSet<SyncId>,
    pub(super) downloads: BTreeSet<SyncId>,
    /// What is offered in these and has not failed.
    pub(super) under_way: BTreeSet<PathKey>,
    /// The number of the last file on its way over its link.
    last_transfer: u32,
    /// When bytes last went to it.
    pub(super) passed_at: Time,
    /// What to offer it next; `None` if that has to be thought over.
    pub(super) jobs: Option<VecDeque<Job>>,
    /// Whether something of what it lacks could not be among the jobs yet.
    pub(super) deferred: bool,
    /// A session of protocol 1 that is over for us while the source still streams.
    pub(super) draining: Option<(SyncId, Time)>,
    /// What the union has and this client has not.
    pub(super) lacking: BTreeSet<PathKey>,
    /// Contents that it failed to send, by its own names: until its manifest changes, or until then
    /// if it only could not read them.
    unservable: BTreeMap<(PathKey, ContentHash), Option<Time>>,
    /// Contents that it will not take.
    declined: BTreeSet<(PathKey, ContentHash)>,
    failures: BTreeMap<PathKey, Failures>,
    /// When it was told to put files away.
    pub(super) retiring: BTreeMap<PathKey, Time>,
    /// Contents that it says to have installed; its next manifest shows whether it has.
    pub(super) claimed: BTreeMap<PathKey, ContentHash>,
    /// A target of protocol 1 that failed without naming the file gets one file a session, so that
    /// the next failure has a name.
    pub(super) one_by_one: bool,
    pub(super) rate: u64,
    pub(super) sync_status: Option<SyncStatus>,
    pub(super) told_withheld: BTreeSet<PathKey>,
}

impl Peer {
    pub(super) fn new(client_id: String, address: String, now: Time) -> Self {
        Self {
            name: client_id.clone(),
            client_id,
            address,
            protocol: Protocol::V104,
            author: None,
            accepted_at: now,
            heard_at: now,
            greeted: false,
            manifest: None,
            merged: false,
            manifest_at: now,
            revision: 0,
            asked_at: None,
            uploads: BTreeSet::new(),
            downloads: BTreeSet::new(),
            under_way: BTreeSet::new(),
            last_transfer: 0,
            passed_at: now,
            jobs: None,
            deferred: false,
            draining: None,
            lacking: BTreeSet::new(),
            unservable: BTreeMap::new(),
            declined: BTreeSet::new(),
            failures: BTreeMap::new(),
            retiring: BTreeMap::new(),
            claimed: BTreeMap::new(),
            one_by_one: false,
            rate: 0,
            sync_status: None,
            told_withheld: BTreeSet::new(),
        }
    }

    pub(super) const fn speaks_v2(&self) -> bool {
        matches!(self.protocol, Protocol::V2)
    }

    /// Whether it is known what it holds: one of ours that was asked may hold more than it said.
    pub(super) const fn is_known(&self) -> bool {
        self.merged && !(self.speaks_v2() && self.asked_at.is_some())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.uploads.is_empty() && self.downloads.is_empty() && self.draining.is_none()
    }

    pub(super) const fn new_transfer(&mut self) -> TransferId {
        self.last_transfer = self.last_transfer.wrapping_add(1);
        TransferId(self.last_transfer)
    }

    /// How long nothing has come although something should. A client of protocol 1 sends no sign of
    /// life by itself, least of all while it takes or sends files.
    pub(super) fn silent_for(&self, now: Time) -> Duration {
        let silence = now.since(self.heard_at);
        if self.speaks_v2() || !self.greeted {
            return silence;
        }
        let asked_at = self.asked_at.filter(|_| self.is_idle());
        asked_at.map_or(Duration::ZERO, |at| silence.min(now.since(at)))
    }

    pub(super) fn has(&self, entry: &UnionEntry) -> bool {
        let manifest = self.manifest.as_ref();
        manifest
            .and_then(|manifest| manifest.get(entry.path.key()))
            .is_some_and(|own| own.content == entry.content)
    }

    /// How many uploads more it can be asked for.
    pub(super) fn load(&self, config: &ServerConfig) -> Load {
        Load { free: self.free(self.uploads.len(), config), rate: self.rate }
    }

    /// How many downloads more it can take.
    pub(super) fn free_downloads(&self, config: &ServerConfig) -> usize {
        self.free(self.downloads.len(), config)
    }

    /// Programs of the field do one thing at a time.
    fn free(&self, open: usize, config: &ServerConfig) -> usize {
        if !self.merged {
            0
        } else if self.speaks_v2() {
            config.sessions_per_client_max.max(1).saturating_sub(open)
        } else {
            usize::from(self.is_idle())
        }
    }

    /// Why this client is never offered a file, if there is a reason.
    pub(super) fn withheld(
        &self,
        entry: &UnionEntry,
        union: &Union,
        config: &ServerConfig,
    ) -> Option<Withheld> {
        let key = entry.path.key();
        if self.declined.contains(&(key.clone(), entry.content.hash)) {
            return Some(Withheld::Declined);
        }
        let manifest = self.manifest.as_ref();
        if manifest.is_some_and(|own| own.get(key).is_none() && own.check(&entry.path).is_err()) {
            return Some(Withheld::InTheWay);
        }
        if self.speaks_v2() {
            return None;
        }
        let picture = cached_picture(&entry.path, &config.rules.extensions);
        if picture.is_some_and(|picture| union.get(picture.key()).is_some()) {
            return Some(Withheld::Cache);
        }
        if self.protocol == Protocol::V104 {
            if refused_by_104(entry) {
                return Some(Withheld::OldClientRefuses);
            }
            if self.keeps_newer(entry) {
                return Some(Withheld::OldClientKeepsNewer);
            }
        }
        None
    }

    fn keeps_newer(&self, entry: &UnionEntry) -> bool {
        let own = self.manifest.as_ref().and_then(|manifest| manifest.get(entry.path.key()));
        own.and_then(|own| own.mtime)
            .is_some_and(|own| own.since(entry.mtime.unwrap_or_default()) > OLD_CLIENT_TOLERANCE)
    }

    /// Whether a file may be offered at this time, after failures to take it.
    pub(super) fn may_retry(&self, entry: &UnionEntry, now: Time) -> bool {
        self.failures
            .get(entry.path.key())
            .is_none_or(|failed| failed.hash != entry.content.hash || failed.retry_at <= now)
    }

    /// Takes note that it did not send a content. `for_now` is set if it could not read its file.
    pub(super) fn mark_unservable(
        &mut self,
        key: PathKey,
        hash: ContentHash,
        for_now: Option<Time>,
    ) {
        self.unservable.insert((key, hash), for_now.map(|now| now + OWED_RETRY));
    }

    /// Whether it may be asked for a content.
    pub(super) fn may_serve(&self, key: &PathKey, hash: ContentHash, now: Time) -> bool {
        let owed = self.unservable.get(&(key.clone(), hash));
        owed.is_none_or(|until| until.is_some_and(|until| until <= now))
    }

    /// A changed manifest is a new start.
    pub(super) fn clear_unservable(&mut self) {
        self.unservable.clear();
    }

    pub(super) fn decline(&mut self, key: &PathKey, hash: ContentHash) {
        self.failures.remove(key);
        self.declined.insert((key.clone(), hash));
    }

    /// It takes back what it has declined. Returns whether there was anything.
    pub(super) fn clear_declined(&mut self) -> bool {
        self.told_withheld.clear();
        !std::mem::take(&mut self.declined).is_empty()
    }

    /// Takes note that it failed to take a file, and returns whether that is for good.
    pub(super) fn fail(&mut self, key: &PathKey, hash: ContentHash, now: Time) -> bool {
        let before = self.failures.get(key).filter(|failed| failed.hash == hash);
        let count = before.map_or(0, |failed| failed.count) + 1;
        if !self.speaks_v2() && count >= SILENT_FAILURES_MAX {
            self.decline(key, hash);
            return true;
        }
        let wait = RETRY_FIRST.saturating_mul(1 << (count - 1).min(16)).min(RETRY_CAP);
        self.failures.insert(key.clone(), Failures { hash, count, retry_at: now + wait });
        false
    }

    pub(super) fn clear_failures(&mut self, key: &PathKey) {
        self.failures.remove(key);
    }
}

/// What client 1.0.4 refuses whatever it holds: see `docs/protocol.md`.
fn refused_by_104(entry: &UnionEntry) -> bool {
    let path = entry.path.as_str();
    let taken = ["png", "dds", "json"];
    path.contains("__CONFLICT__")
        || path.contains("Copy.")
        || !taken.iter().any(|known| entry.path.extension().eq_ignore_ascii_case(known))
}
