//! The jobs of each target: the files that it is offered next.
//!
//! The jobs of a target are worked out once and then begun one by one, until something makes them out of date.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Download, Downloads};
use crate::{
    hash::Content,
    path::{PathKey, RelPath},
    schedule::sessions,
    server::{
        Event, Withheld,
        context::Context,
        peer::Peer,
        route::{Incomplete, Means, Route, Router, Wait},
    },
    time::Time,
    union::PeerId,
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
    /// The time at which bytes were last passed to it.
    pub(super) passed_at: Time,
    /// The names that are offered in its open sessions and have not failed.
    pub(super) under_way: BTreeSet<PathKey>,
    /// The next files to offer; `None` if they have to be worked out.
    pub(super) jobs: Option<VecDeque<Job>>,
    /// Set if a file that it is missing cannot be offered yet.
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

    /// Invalidates the jobs of each idle target that is missing files which could not be offered before.
    pub(in crate::server) fn retry_deferred(&mut self, cx: &mut Context) {
        for (id, target) in &self.targets {
            let peer = cx.peers.get(*id);
            let is_idle = peer.is_some_and(|peer| peer.sessions.downloads.is_empty());
            if target.deferred && is_idle {
                cx.dirty.jobs.insert(*id);
            }
        }
    }

    /// Adds contents that are on their way into the store to the jobs of all targets that miss them.
    pub(in crate::server) fn offer_to_all(&mut self, cx: &Context, contents: &BTreeSet<Content>) {
        let union = cx.league.union();
        let entries = contents.iter().flat_map(|content| union.with_content(*content));
        let keys: BTreeSet<PathKey> = entries.map(|entry| entry.path.key().clone()).collect();
        let most = cx.config.session_files();
        for (id, peer) in cx.peers.iter().filter(|(_, peer)| peer.is_known()) {
            let Some(target) = self.targets.get_mut(&id) else { continue };
            // Each job checks again when it begins which of its files the peer may have.
            let missing = keys.iter().filter(|key| peer.missing.contains(*key));
            let missing = missing.filter(|key| !target.under_way.contains(*key));
            let missing: Vec<_> = missing.cloned().collect();
            let liveries = missing.chunk_by(|a, b| a.livery() == b.livery());
            let sessions = sessions(liveries.map(<[_]>::to_vec), most);
            // Jobs that are still to be worked out will include these.
            if let Some(jobs) = &mut target.jobs {
                jobs.extend(sessions.into_iter().map(Job::Download));
            }
        }
    }

    /// Opens sessions for all targets that are free, first for those that have the fewest.
    pub(in crate::server) fn open_sessions(&mut self, cx: &mut Context, uploads_open: usize) {
        let known = cx.peers.iter().filter(|(_, peer)| peer.is_known() && !peer.missing.is_empty());
        // Where sessions are scarce, a peer without one goes first. The number breaks ties the same way on every run.
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
        let open = peer.sessions.downloads.iter();
        let bytes = open.map(|sync_id| self.sessions.get(sync_id).map_or(0, Download::bytes));
        peer.has_room(bytes, &cx.config)
    }

    fn begin_job(&mut self, cx: &mut Context, id: PeerId, job: Job) {
        let (Some(peer), Some(target)) = (cx.peers.get(id), self.targets.get_mut(&id)) else {
            return;
        };
        let router = cx.router();
        let mut incomplete = Incomplete::new(router, peer);
        // Things may have changed since the job was planned, so each name is checked again.
        let still = |key: &PathKey| {
            cx.league.union().get(key).is_some_and(|entry| {
                !target.under_way.contains(key)
                    && router.route(peer, entry) == Route::Download
                    && cx.store.is_available(entry.content)
                    && !incomplete.contains(key.livery())
            })
        };
        match job {
            Job::Copy(keys) => self.open(cx, id, &keys, true),
            Job::Download(mut keys) => {
                let before = keys.len();
                keys.retain(still);
                target.deferred |= keys.len() < before;
                // A session is installed as a whole. What was added may never come, and must not hold back the rest.
                let is_addition = |key: &PathKey| cx.league.union().is_arriving_addition(key);
                let (additions, rest): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_addition);
                keys = rest;
                if keys.is_empty() {
                    keys = additions;
                } else if !additions.is_empty() {
                    target.jobs.get_or_insert_default().push_front(Job::Download(additions));
                }
                if peer.download_faults.one_by_one && keys.len() > 1 {
                    let rest = Job::Download(keys.split_off(1));
                    target.jobs.get_or_insert_default().push_front(rest);
                }
                self.open(cx, id, &keys, false);
            }
        }
    }

    /// Works out all jobs of a target.
    fn plan_jobs(&mut self, cx: &mut Context, id: PeerId) {
        let (Some(peer), Some(target)) = (cx.peers.get(id), self.targets.get_mut(&id)) else {
            return;
        };
        let router = cx.router();
        let (mut copies, mut available) = (BTreeMap::new(), Vec::new());
        let (mut withheld, mut deferred) = (Vec::new(), false);
        let mut incomplete = Incomplete::new(router, peer);
        // A name that is under way is not offered twice: its session reports the outcome.
        for key in peer.missing.iter().filter(|key| !target.under_way.contains(*key)) {
            let Some(entry) = cx.league.union().get(key) else { continue };
            let content = entry.content;
            match router.route(peer, entry) {
                Route::Withheld(reason) => withheld.push((entry.path.clone(), reason)),
                Route::Copy => drop(copies.insert(key, Copy::Safe)),
                Route::Wait(Means::Copy, Wait::Rival) => drop(copies.insert(key, Copy::Replaces)),
                // No event says when the wait is over, so a tick plans the jobs again.
                Route::Wait(..) => deferred = true,
                // The rest of its livery is still to come. A tick looks again.
                Route::Download if incomplete.contains(key.livery()) => deferred = true,
                Route::Download if cx.store.is_available(content) => {
                    available.push((key.clone(), cx.store.is_stored(content)));
                }
                // The upload that brings it adds it to the jobs.
                Route::Download | Route::HasIt => {}
            }
        }
        let possible = copies.len();
        let copies = safe_copies(router, peer, &copies);
        deferred |= copies.len() < possible;
        let most = cx.config.session_files();
        let copies = copies.chunks(most.max(1)).map(|keys| Job::Copy(keys.to_vec()));
        // Complete liveries go first: they need no source that might leave.
        let liveries = available.chunk_by(|(a, _), (b, _)| a.livery() == b.livery());
        let (stored, arriving): (Vec<_>, Vec<_>) =
            liveries.partition(|livery| livery.iter().all(|(_, stored)| *stored));
        let names =
            |livery: &[(PathKey, bool)]| livery.iter().map(|(key, _)| key.clone()).collect();
        let downloads = sessions(stored.into_iter().chain(arriving).map(names), most);
        // Copies come first: they need no upload, and what they save under a conflict name may be replaced afterwards.
        target.jobs = Some(copies.chain(downloads.into_iter().map(Job::Download)).collect());
        target.deferred = deferred;
        announce_withheld(cx, id, withheld);
    }
}

/// The effect of a copy on a target's own PC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copy {
    /// Nothing that would be lost.
    Safe,
    /// A rival that is not safe elsewhere.
    Replaces,
}

/// Returns the copies that lose nothing.
///
/// A copy may replace a rival if another copy brings the rival to its conflict name: both are staged before either is
/// installed. Without that, two files that swap their names would wait for each other.
fn safe_copies(router: Router<'_>, peer: &Peer, copies: &BTreeMap<&PathKey, Copy>) -> Vec<PathKey> {
    let is_brought = |key: &PathKey| {
        let rival = router.rival_at(peer, key);
        rival.is_some_and(|rival| copies.contains_key(rival.path.key()))
    };
    let safe = copies.iter().filter(|(key, copy)| **copy == Copy::Safe || is_brought(key));
    safe.map(|(key, _)| (*key).clone()).collect()
}

/// Reports each file that a peer will not get, once.
fn announce_withheld(cx: &mut Context, id: PeerId, withheld: Vec<(RelPath, Withheld)>) {
    for (path, reason) in withheld {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        if peer.download_faults.announce(path.key()) {
            let name = peer.identity.name.clone();
            cx.event(Event::Withheld { name, path, reason });
        }
    }
}
