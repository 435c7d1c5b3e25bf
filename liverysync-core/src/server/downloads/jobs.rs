//! What each target is offered next.
//!
//! The jobs of a target are worked out once and then done one by one, until something makes them out of date.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Download, Downloads};
use crate::{
    hash::Content,
    path::{PathKey, RelPath},
    schedule::sessions,
    server::{
        Event, Withheld,
        context::Context,
        peer::{Peer, are_small},
        route::Router,
    },
    time::Time,
    union::{PeerId, UnionEntry},
};

/// Something to offer to a target.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// Files that it can copy on its own PC.
    Copy(Vec<PathKey>),
    /// Files whose contents are in the store or on their way there.
    Download(Vec<PathKey>),
}

/// A peer as a target.
#[derive(Debug)]
pub(super) struct Target {
    /// When bytes last went to it.
    pub(super) passed_at: Time,
    /// The names that are offered in its open sessions and have not failed.
    pub(super) under_way: BTreeSet<PathKey>,
    /// What to offer it next; `None` if that has to be worked out.
    pub(super) jobs: Option<VecDeque<Job>>,
    /// Something that it misses could not be among the jobs yet.
    pub(super) deferred: bool,
}

impl Target {
    pub(super) const fn new(now: Time) -> Self {
        Self { passed_at: now, under_way: BTreeSet::new(), jobs: None, deferred: false }
    }
}

impl Downloads {
    pub(in crate::server) fn invalidate_jobs(&mut self, id: PeerId) {
        if let Some(target) = self.targets.get_mut(&id) {
            target.jobs = None;
        }
    }

    /// Has the jobs worked out again of each idle target that misses something that could not be offered before.
    pub(in crate::server) fn retry_deferred(&mut self, cx: &mut Context) {
        for (id, target) in &self.targets {
            let peer = cx.peers.get(*id);
            let is_idle = peer.is_some_and(|peer| peer.sessions.downloads.is_empty());
            if target.deferred && is_idle {
                cx.dirty.jobs.insert(*id);
            }
        }
    }

    /// Offers contents that are on their way into the store to all who miss them.
    pub(in crate::server) fn offer_to_all(&mut self, cx: &Context, contents: &BTreeSet<Content>) {
        let union = cx.league.union();
        let entries = contents.iter().flat_map(|content| union.with_content(*content));
        let keys: BTreeSet<PathKey> = entries.map(|entry| entry.path.key().clone()).collect();
        let most = cx.config.files_per_session_max;
        for (id, peer) in cx.peers.iter().filter(|(_, peer)| peer.is_known()) {
            let Some(target) = self.targets.get_mut(&id) else { continue };
            let missing = keys.iter().filter(|key| peer.missing.contains(*key));
            let missing = missing.filter(|key| !target.under_way.contains(*key)).cloned();
            let sessions = sessions(liveries(missing.collect()), most);
            if let Some(jobs) = &mut target.jobs {
                jobs.extend(sessions.into_iter().map(Job::Download));
            }
        }
    }

    /// Opens sessions as far as targets are free, first for those that have the fewest.
    pub(in crate::server) fn open_sessions(&mut self, cx: &mut Context, uploads_open: usize) {
        let known = cx.peers.iter().filter(|(_, peer)| peer.is_known() && !peer.missing.is_empty());
        let mut targets: Vec<_> =
            known.map(|(id, peer)| (peer.sessions.downloads.len(), id)).collect();
        targets.sort_unstable();
        for (_, id) in targets {
            while self.is_free(cx, id, uploads_open) {
                if self.targets.get(&id).is_some_and(|target| target.jobs.is_none()) {
                    self.plan_jobs(cx, id);
                }
                let jobs = self.targets.get_mut(&id).and_then(|target| target.jobs.as_mut());
                match jobs.and_then(VecDeque::pop_front) {
                    Some(job) => self.begin_job(cx, id, job),
                    None => break,
                }
            }
        }
    }

    fn is_free(&self, cx: &Context, id: PeerId, uploads_open: usize) -> bool {
        let open = self.len() + uploads_open < cx.config.sessions_max;
        let Some(peer) = cx.peers.get(id).filter(|_| open) else { return false };
        let open = peer.sessions.downloads.iter().filter_map(|id| self.sessions.get(id));
        peer.free_downloads(&cx.config) > 0
            || peer.speaks_v2() && are_small(open.map(Download::bytes))
    }

    fn begin_job(&mut self, cx: &mut Context, id: PeerId, job: Job) {
        let (Some(peer), Some(target)) = (cx.peers.get(id), self.targets.get_mut(&id)) else {
            return;
        };
        let router = cx.router();
        let still = |key: &PathKey| {
            let entry = cx.league.union().get(key).filter(|_| peer.missing.contains(key));
            entry.is_some_and(|entry| {
                !target.under_way.contains(key)
                    && router.may_take(id, peer, entry, false)
                    && cx.store.is_available(entry.content)
            })
        };
        match job {
            Job::Copy(keys) => self.open(cx, id, &keys, true),
            Job::Download(mut keys) => {
                let before = keys.len();
                keys.retain(still);
                target.deferred |= keys.len() < before;
                if peer.download_faults.one_by_one && keys.len() > 1 {
                    let rest = Job::Download(keys.split_off(1));
                    target.jobs.get_or_insert_default().push_front(rest);
                }
                self.open(cx, id, &keys, false);
            }
        }
    }

    /// Works out all that a target can be offered as things are.
    fn plan_jobs(&mut self, cx: &mut Context, id: PeerId) {
        let (Some(peer), Some(target)) = (cx.peers.get(id), self.targets.get_mut(&id)) else {
            return;
        };
        let router = cx.router();
        let (mut copyable, mut stored, mut arriving) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (mut withheld, mut deferred) = (Vec::new(), false);
        for key in peer.missing.iter().filter(|key| !target.under_way.contains(*key)) {
            let Some(entry) = cx.league.union().get(key) else { continue };
            if let Some(reason) = router.withheld(id, peer, entry) {
                withheld.push((entry.path.clone(), reason));
            } else if router.may_take(id, peer, entry, true) {
                copyable.insert(key, entry);
            } else if !router.may_take(id, peer, entry, false) {
                deferred = true;
            } else if cx.store.is_stored(entry.content) {
                stored.push(key.clone());
            } else if cx.store.is_available(entry.content) {
                arriving.push(key.clone());
            }
        }
        let copies = safe_copies(router, id, peer, &copyable);
        deferred |= copies.len() < copyable.len();
        let most = cx.config.files_per_session_max;
        let copies = copies.chunks(most.max(1)).map(|keys| Job::Copy(keys.to_vec()));
        // What the store has goes first: it needs no source that might leave.
        let downloads = sessions(liveries(stored).chain(liveries(arriving)), most);
        target.jobs = Some(copies.chain(downloads.into_iter().map(Job::Download)).collect());
        target.deferred = deferred;
        announce_withheld(cx, id, withheld);
    }
}

/// Returns what a target can copy on its own PC without losing anything.
fn safe_copies(
    router: Router<'_>,
    id: PeerId,
    peer: &Peer,
    copyable: &BTreeMap<&PathKey, &UnionEntry>,
) -> Vec<PathKey> {
    // A copy may replace the only file with a content if another copy brings that content: both are staged before
    // either is installed.
    let brought = |entry: &UnionEntry| {
        let rival = router.rival_at(id, peer, entry.path.key());
        rival.is_some_and(|rival| copyable.contains_key(rival.path.key()))
    };
    let safe =
        copyable.values().filter(|entry| !router.would_lose(id, peer, entry) || brought(entry));
    safe.map(|entry| entry.path.key().clone()).collect()
}

/// Tells people once of each file that a peer will not get.
fn announce_withheld(cx: &mut Context, id: PeerId, withheld: Vec<(RelPath, Withheld)>) {
    for (path, reason) in withheld {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        if peer.download_faults.announce(path.key()) {
            let name = peer.identity.name.clone();
            cx.event(Event::Withheld { name, path, reason });
        }
    }
}

/// Groups keys, which are in order, by livery.
fn liveries(keys: Vec<PathKey>) -> impl Iterator<Item = Vec<PathKey>> {
    let groups = keys.chunk_by(|a, b| a.livery() == b.livery());
    groups.map(<[PathKey]>::to_vec).collect::<Vec<_>>().into_iter()
}
