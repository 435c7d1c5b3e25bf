//! The plan of uploads: sources for all that somebody misses, or that is to be archived.

use std::collections::BTreeSet;

use crate::{
    schedule::{Plan, Want, plan},
    server::{
        context::Context,
        route::{Incomplete, Route},
    },
};

/// Plans the uploads of all that somebody misses and the store does not have.
pub(super) fn plan_uploads(cx: &Context) -> Plan {
    let mut wants = missing(cx);
    // The archive uses only the time in which nobody waits for anything.
    if wants.is_empty() && cx.config.archive {
        wants = unarchived(cx);
    }
    let loads = cx.peers.iter().map(|(id, peer)| (id, peer.load(&cx.config)));
    plan(&wants, &loads.collect(), cx.config.session_files())
}

/// Returns contents that peers miss and can be sent once the store has them, and those that updates wait for.
fn missing(cx: &Context) -> Vec<Want> {
    let router = cx.router();
    let mut seen = BTreeSet::new();
    let mut wants = Vec::new();
    let union = cx.league.union();
    for (_, key, content) in union.awaited().filter(|(.., content)| !union.is_verified(*content)) {
        let sources = router.sources(content);
        if cx.store.can_begin(content) && !sources.is_empty() && seen.insert(content) {
            wants.push(Want { key: key.clone(), content, copies: 1, sources });
        }
    }
    for (target, peer) in cx.peers.iter().filter(|(_, peer)| peer.is_known()) {
        let mut incomplete = Incomplete::new(router, peer);
        for key in &peer.missing {
            let Some(entry) = cx.league.union().get(key) else { continue };
            let content = entry.content;
            // One upload serves all who miss the content.
            if !cx.store.can_begin(content) || seen.contains(&content) {
                continue;
            }
            // A file that the peer copies, waits for or does not get needs no upload now.
            if router.route(peer, entry) != Route::Download {
                continue;
            }
            // It is offered with the rest of its livery. A small store would drop it before that, and fetch it again and again.
            if union.is_verified(content) && incomplete.contains(key.livery()) {
                continue;
            }
            let mut sources = router.sources(content);
            // A peer that cannot copy what it has would upload it only to download it again.
            sources.retain(|source| *source != target);
            if !sources.is_empty() {
                // Marked only with a source: for the next peer that misses the content, this one may be the source.
                seen.insert(content);
                let copies = entry.copies();
                wants.push(Want { key: key.clone(), content, copies, sources });
            }
        }
    }
    wants
}

/// Returns contents that nobody is missing and the store does not have, as far as it has room. What is held counts: its
/// member may have left when an admin approves it.
fn unarchived(cx: &Context) -> Vec<Want> {
    let mut room = cx.config.store_bytes_max.saturating_sub(cx.store.bytes());
    if room == 0 {
        return Vec::new();
    }
    let router = cx.router();
    let mut seen = BTreeSet::new();
    let mut wants = Vec::new();
    let union = cx.league.union();
    let placed = union.iter().map(|entry| (entry.path.key(), entry.content, entry.copies()));
    for (key, content, copies) in placed.chain(union.held_files().map(|(key, of)| (key, of, 1))) {
        let bytes = content.size;
        // A smaller one may still fit.
        if bytes > room || !cx.store.can_begin(content) {
            continue;
        }
        let sources = router.sources(content);
        if !sources.is_empty() && seen.insert(content) {
            room -= bytes;
            wants.push(Want { key: key.clone(), content, copies, sources });
        }
    }
    wants
}
