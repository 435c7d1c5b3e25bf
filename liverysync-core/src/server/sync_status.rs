//! Sync statuses: clients learn their own, and people learn when the league is in sync.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Event, Withheld,
    allow_list::tell_unmatched,
    context::Context,
    peer::{Peer, ToldStatus},
    reports::Reports,
    route::Outlook,
};
use crate::{
    time::Time,
    union::PeerId,
    wire::messages::{HeldNotice, Message, RefusedFile, ServerState, SyncStatus},
};

/// Shortest time between two rounds of sync statuses. During a sync, statuses change with every file.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// The same while more than this many files are missing in all: looking at each of them takes time.
const SLOW_INTERVAL: Duration = Duration::from_secs(1);
const MISSING_MANY: usize = 1000;

/// Most files that a client is told it cannot install.
const BLOCKED_MAX: usize = 1000;

/// Most files of which a client is told the spelling at a time. One file of a folder is enough for all of it.
const RESPELLED_MAX: usize = 1000;

/// Most files that cannot join the union that a client is told of.
const REFUSED_MAX: usize = 1000;

/// The last round of sync statuses.
#[derive(Debug, Default)]
pub(super) struct SyncStatuses {
    sent_at: Time,
    in_sync: bool,
}

impl SyncStatuses {
    /// Returns whether everybody had all that they can get at the last round.
    pub(super) const fn in_sync(&self) -> bool {
        self.in_sync
    }

    /// Has people told again when the league is in sync.
    pub(super) const fn invalidate(&mut self) {
        self.in_sync = false;
    }

    /// Returns the time of the next round.
    pub(super) fn next_at(&self, cx: &Context, reports: &Reports) -> Time {
        let missing: usize = cx.peers.values().map(|peer| peer.missing.len()).sum();
        // A report that is postponed is answered later.
        let is_unanswered = |(id, peer): (PeerId, &Peer)| {
            peer.report.merged && peer.status == ToldStatus::Awaited && !reports.contains(id)
        };
        // A peer that has just reported waits for its answer before it tells its driver that it is in sync.
        let interval = if missing > MISSING_MANY {
            SLOW_INTERVAL
        } else if cx.peers.iter().any(is_unanswered) {
            Duration::ZERO
        } else {
            STATUS_INTERVAL
        };
        (self.sent_at + interval).max(cx.now)
    }

    /// Tells clients their sync status, and people when the league is in sync. `needed` is the number of files that each
    /// source has still to send for the archive. `idle` is set if nothing is under way.
    pub(super) fn handle_timeout(
        &mut self,
        cx: &mut Context,
        reports: &Reports,
        mut needed: BTreeMap<PeerId, u64>,
        idle: bool,
    ) {
        self.sent_at = cx.now;
        for (id, files) in awaited(cx) {
            let needed = needed.entry(id).or_default();
            *needed = files.max(*needed);
        }
        let archived = needed.is_empty();
        let mut statuses = Vec::new();
        let mut missing_in_all = 0;
        let router = cx.router();
        for (id, peer) in cx.peers.iter() {
            // Its list of missing files is that of an older report.
            if !peer.report.merged || reports.contains(id) {
                continue;
            }
            let (mut missing, mut missing_bytes, mut withheld) = (0, 0, 0);
            let mut blocked = Vec::new();
            for (entry, outlook) in router.missing(peer) {
                match outlook {
                    // Its own version is held, of which it is told otherwise, or it wants none.
                    Outlook::Withheld(Withheld::OwnHeld | Withheld::SendsOnly) => {}
                    Outlook::Withheld(reason) => {
                        withheld += 1;
                        let is_blocked = matches!(reason, Withheld::Blocked | Withheld::InTheWay);
                        if is_blocked && blocked.len() < BLOCKED_MAX {
                            blocked.push(entry.path.as_str().to_owned());
                        }
                    }
                    Outlook::Here | Outlook::From(_) => {
                        missing += 1;
                        missing_bytes += entry.content.size;
                    }
                }
                if let Outlook::From(source) = outlook {
                    *needed.entry(source).or_default() += 1;
                }
            }
            missing_in_all += missing;
            let revision = peer.report.revision;
            let status =
                SyncStatus { revision, missing, missing_bytes, needed_by_others: 0, withheld };
            statuses.push((id, status, blocked));
        }
        let union_hash = cx.league.union_hash();
        let clients = statuses.len();
        for (id, mut status, blocked) in statuses {
            status.needed_by_others = needed.get(&id).copied().unwrap_or_default();
            tell(cx, id, status, blocked);
        }
        // Files that are withheld do not count: the league would never be in sync with one Python client.
        let in_sync = missing_in_all == 0 && archived && idle;
        if let (true, false, Some(union_hash)) = (in_sync, self.in_sync, union_hash) {
            let union = cx.league.union();
            let (liveries, files) = (union.livery_count(), union.len());
            cx.event(Event::InSync { clients, liveries, files, union_hash });
            // A new league had no liveries when it got its list.
            tell_unmatched(cx);
        }
        self.in_sync = in_sync;
    }
}

/// Tells a client its sync status and the files that it cannot install, if that is news.
pub(super) fn tell(cx: &mut Context, id: PeerId, status: SyncStatus, blocked: Vec<String>) {
    let Some(peer) = cx.peers.get_mut(id) else { return };
    if peer.status.replace(status, &blocked) {
        let outdated = cx.peers.get(id).map(|peer| outdated(cx, peer)).unwrap_or_default();
        let current_hash = cx.union_hash_text();
        let sync_status = Some(status);
        let respelled = cx.peers.get(id).map(|peer| respelled(cx, peer)).unwrap_or_default();
        let (held, refused) = (held(cx, id), refused(cx, id));
        let state = ServerState {
            current_hash,
            sync_status,
            outdated,
            blocked,
            respelled,
            held,
            refused,
            ..ServerState::default()
        };
        cx.transmit(id, Message::ServerState(state));
    }
}

/// Returns how many files of updates that have not arrived each peer has. Until they have their names, nobody else gets them.
fn awaited(cx: &Context) -> BTreeMap<PeerId, u64> {
    let (router, union) = (cx.router(), cx.league.union());
    let mut folders: BTreeMap<_, (u64, bool)> = BTreeMap::new();
    for (id, key, content) in union.awaited() {
        let arrives =
            union.is_verified(content) || router.willing(content).any(|source| source == id);
        let (files, arrive) = folders.entry((id, key.livery())).or_insert((0, true));
        *files += 1;
        *arrive &= arrives;
    }
    let mut awaited = BTreeMap::new();
    // A peer that does not send one of them is not waited for.
    for ((id, _), (files, _)) in folders.into_iter().filter(|(_, (_, arrive))| *arrive) {
        *awaited.entry(id).or_default() += files;
    }
    awaited
}

/// Returns the liveries that a client has changed and the others do not get yet.
fn held(cx: &Context, id: PeerId) -> Vec<HeldNotice> {
    let held = cx.league.union().held_of(id).into_iter();
    let held = held.map(|(livery, cause)| HeldNotice::new(livery, cause));
    held.collect()
}

/// Returns the files of a client that cannot join the union.
fn refused(cx: &Context, id: PeerId) -> Vec<RefusedFile> {
    let refusals = cx.league.union().refusals(id);
    let refusals = refusals.map(|(path, refusal)| (path.as_str(), refusal.to_string()));
    let left_out = cx.peers.get(id).into_iter().flat_map(|peer| peer.report.left_out());
    let left_out = left_out.map(|file| (file.path.as_str(), file.reason.to_string()));
    let refused = refusals.chain(left_out).take(REFUSED_MAX);
    refused.map(|(path, reason)| RefusedFile { rel_path: path.to_owned(), reason }).collect()
}

/// Returns the names that a client spells differently, as the union spells them.
fn respelled(cx: &Context, peer: &Peer) -> Vec<String> {
    let entries = peer.misspelled.iter().filter_map(|key| cx.league.union().get(key));
    entries.take(RESPELLED_MAX).map(|entry| entry.path.as_str().to_owned()).collect()
}

/// Returns the paths at which a client has something else than the union, as it spells them.
fn outdated(cx: &Context, peer: &Peer) -> Vec<String> {
    let refused = cx.league.union().refused(peer.id).filter(|key| !peer.missing.contains(*key));
    let own = peer.missing.iter().chain(refused).filter_map(|key| peer.file_at(key));
    own.map(|own| own.path.as_str().to_owned()).collect()
}
