//! The consequences of a step of the union: events, records, and the lists of what each peer misses.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Event, context::Context, findings, league::as_entry, notices, retiring::retire_unwanted,
};
use crate::{
    hash::Content,
    league::{HoldState, MemberId, Record},
    manifest::Entry,
    path::PathKey,
    union::{Change, Gained, Outcome, OwnerChange, PeerId},
};

/// The peers whose reports a step took in, with the names that they reported; `None` for all their files.
pub(super) type Reported = BTreeMap<PeerId, Option<BTreeSet<PathKey>>>;

/// The store, as one who has contents. Links are numbered from one, so zero is free.
pub(super) const STORE: PeerId = PeerId(0);

/// Handles the consequences of a step.
pub(super) fn finish(cx: &mut Context, outcome: Outcome, reported: &Reported) {
    let news = held_news(cx, &outcome.records);
    notices::note(cx, &outcome);
    // First of all: nobody may hear of a step that a crash of the server could undo.
    cx.record(outcome.records);
    news.into_iter().for_each(|event| cx.event(event));
    for (id, path, conflict_path) in outcome.conflicts {
        if let Some(name) = cx.peers.name(id) {
            cx.event(Event::Conflict { name, path, conflict_path });
        }
    }
    for (id, path, reason) in outcome.refused {
        cx.dirty.unanswered(id);
        if let Some(name) = cx.peers.name(id) {
            cx.event(Event::Refused { name, path, reason });
        }
    }
    tell_published_damage(cx, &outcome.changed);
    findings::tell_changed(cx, &outcome.changed);
    tell_owners(cx, &outcome.owner_changes);
    notices::tell(cx);
    let entries = outcome.changed.iter().filter_map(|key| cx.league.union().get(key));
    let (stored, not_stored) =
        entries.map(|entry| entry.content).partition(|content| cx.store.is_stored(*content));
    // The store may have had a content before any name got it.
    register_stored(cx, &stored);
    // A name may have got back a content that the store has lost meanwhile.
    let gone = unregister_lost(cx, &not_stored);
    step_of_store(cx, gone);
    for (id, _) in reported.iter().filter(|(_, keys)| keys.is_none()) {
        let manifest = cx.peers.get_mut(*id).and_then(|peer| peer.report.manifest.as_mut());
        if let Some(manifest) = manifest {
            // The PCs of a league have the same files, so they need be in memory only once.
            cx.league.union().share(manifest);
        }
    }
    for (id, keys) in reported {
        let (Some(peer), Some(keys)) = (cx.peers.get_mut(*id), keys) else { continue };
        // The cause of a failure there may be gone.
        keys.iter().for_each(|key| peer.download_faults.clear_failures(key));
    }
    // The lists of missing names come first: what is retired and what the store may drop depends on them.
    update_missing(cx, &outcome.touched, &outcome.changed, reported);
    retire_unwanted(cx);
    cx.make_room();
    cx.dirty.schedule();
}

/// Reports what the bytes of contents told: damaged files of the union except those that are `told`, and broken rules.
pub(super) fn tell_inspected(cx: &mut Context, inspected: &[Content], told: &BTreeSet<PathKey>) {
    let union = cx.league.union();
    let entries = inspected.iter().flat_map(|content| union.with_content(*content));
    let keys = entries.map(|entry| entry.path.key()).filter(|key| !told.contains(*key));
    let keys: BTreeSet<_> = keys.cloned().collect();
    tell_published_damage(cx, &keys);
    findings::tell_inspected(cx, inspected);
}

/// Reports which names of the union have a damaged content.
fn tell_published_damage(cx: &mut Context, keys: &BTreeSet<PathKey>) {
    let union = cx.league.union();
    let entries = keys.iter().filter_map(|key| union.get(key));
    let damaged = entries.filter_map(|entry| {
        let damage = union.damage(&entry.path, entry.content)?;
        let name = union.author(entry.path.key()).and_then(|member| cx.league.name(member));
        let (name, path) = (name.map(str::to_owned), entry.path.clone());
        Some(Event::Damaged { name, path, damage, published: true })
    });
    damaged.collect::<Vec<_>>().into_iter().for_each(|event| cx.event(event));
}

/// Reports the liveries that have got or lost their owner.
fn tell_owners(cx: &mut Context, changes: &[OwnerChange]) {
    for OwnerChange { livery, owner, by, .. } in changes {
        let name = |member: MemberId| {
            cx.league.name(member).map_or_else(|| member.to_string(), str::to_owned)
        };
        let (owner, by) = (owner.map(name), name(*by));
        cx.event(Event::OwnerChanged { livery: livery.clone(), owner, by });
    }
}

/// Has peers told if records change what is held of their liveries. Returns the events for people.
pub(super) fn held_news(cx: &mut Context, records: &[Record]) -> Vec<Event> {
    let held = records.iter().filter_map(|record| match record {
        Record::Held(held) => Some(held),
        _ => None,
    });
    let held: Vec<_> = held.collect();
    if held.is_empty() {
        return Vec::new();
    }
    // The server fetches what is held, although no name has changed.
    cx.dirty.plan = true;
    held.iter().for_each(|held| cx.league.handle_held(held));
    let members: BTreeSet<_> = held.iter().map(|held| held.member).collect();
    let theirs = cx.peers.iter().filter(|(_, peer)| members.contains(&peer.identity.member));
    let theirs: Vec<_> = theirs.map(|(id, _)| id).collect();
    // What waited for its contents may be held by now, and then nothing replaces it.
    cx.dirty.jobs.extend(theirs.iter().copied());
    cx.dirty.unanswered.extend(theirs);
    let waiting = held.iter().filter(|held| held.state == HoldState::Waiting);
    let new = waiting.filter(|held| !held.files.is_empty());
    let union = cx.league.union();
    let news = new.flat_map(|held| {
        let name = held.member.and_then(|member| cx.league.name(member)).map(str::to_owned);
        let (livery, files) = (held.livery.clone(), held.files.len());
        let damaged = union.damaged_in(held).map(|(file, damage)| Event::Damaged {
            name: name.clone(),
            path: file.entry.path.clone(),
            damage,
            published: false,
        });
        let damaged: Vec<_> = damaged.collect();
        let broken = findings::of_held(cx, held, name.as_ref());
        [Event::Held { name, livery, files }].into_iter().chain(damaged).chain(broken)
    });
    news.collect()
}

/// Makes the store a holder of the contents that it has.
pub(super) fn register_stored(cx: &mut Context, stored: &BTreeSet<Content>) {
    let union = cx.league.union();
    let entries = stored.iter().flat_map(|content| union.with_content(*content));
    let not_held = entries.filter(|entry| entry.local(STORE).is_none()).map(as_entry);
    let gained: Vec<_> = not_held.map(Gained::from).collect();
    if !gained.is_empty() {
        step_of_store(cx, store_change(Vec::new(), gained));
    }
}

/// Takes a step by which the store becomes a holder of entries, or is none any more.
///
/// Its outcome may be dropped: the store holds only entries that exist, and an entry whose bytes have once been seen stays
/// when its last holder leaves.
fn step_of_store(cx: &mut Context, change: Change) {
    let outcome = cx.league.step(vec![change]);
    debug_assert!(is_without_effect(&outcome), "{outcome:?}");
}

/// Returns the change by which the store is no holder of these contents any more, except those that it has again.
pub(super) fn unregister_lost(cx: &Context, lost: &BTreeSet<Content>) -> Change {
    let union = cx.league.union();
    let gone = lost.iter().filter(|content| !cx.store.is_stored(**content));
    let entries = gone.flat_map(|content| union.with_content(*content));
    let held = entries.filter(|entry| entry.local(STORE).is_some());
    store_change(held.map(as_entry).collect(), Vec::new())
}

/// Returns true if a step has only changed who holds contents. Then its outcome may be dropped.
fn is_without_effect(outcome: &Outcome) -> bool {
    let Outcome { changed, conflicts, refused, records, .. } = outcome;
    changed.is_empty() && conflicts.is_empty() && refused.is_empty() && records.is_empty()
}

const fn store_change(lost: Vec<Entry>, gained: Vec<Gained>) -> Change {
    Change { peer: STORE, arrival: 0, member: None, complete: false, lost, gained }
}

/// Updates the names that each peer misses: all names for peers that reported all their files, the reported names for peers
/// that reported changes, and the names whose content has changed for the others.
fn update_missing(
    cx: &mut Context,
    touched: &BTreeSet<PathKey>,
    changed: &BTreeSet<PathKey>,
    reported: &Reported,
) {
    let Context { peers, league, dirty, .. } = cx;
    let union = league.union();
    let mut more = false;
    for (id, peer) in peers.iter_mut() {
        let keys = match reported.get(&id) {
            Some(None) => {
                let missing = union.iter().filter(|entry| !peer.has(entry));
                peer.missing = missing.map(|entry| entry.path.key().clone()).collect();
                peer.misspelled.clear();
                for entry in union.iter() {
                    peer.note_spelling(entry.path.key(), Some(entry));
                }
                dirty.jobs.insert(id);
                more = true;
                continue;
            }
            Some(Some(keys)) => &(&(keys | touched) | changed),
            None => changed,
        };
        for key in keys {
            // It may copy a content that it has by now to where that is missing.
            let own = peer.file_at(key);
            let mut names = own.into_iter().flat_map(|own| union.with_content(own.content));
            // A file that is gone may have been in the way.
            if own.is_none() || names.any(|entry| peer.missing.contains(entry.path.key())) {
                dirty.jobs.insert(id);
            }
            if peer.note_spelling(key, union.get(key)) && changed.contains(key) {
                dirty.unanswered.insert(id);
            }
            match union.get(key) {
                Some(entry) if !peer.has(entry) => {
                    // The missing content may be another one than before.
                    if peer.missing.insert(key.clone()) || changed.contains(key) {
                        dirty.jobs.insert(id);
                        more = true;
                    }
                }
                _ => {
                    peer.missing.remove(key);
                }
            }
        }
    }
    dirty.plan |= more || !changed.is_empty();
}
