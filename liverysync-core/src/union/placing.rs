//! Placing: finds a name in the union for each new file of a peer.
//!
//! A file is compared with the history of its name ([`Lineage`]). The first content of a name is established. An edit of it
//! replaces it. A content that the name had before is outdated, and its PC gets the current one. Anything else is a conflict
//! and gets a conflict name, so that no content is lost.

use std::collections::BTreeSet;

use super::{
    Claimant, Outcome, PeerId, Refusal, Union, UnionEntry, moved::Moves, unplaced::OutdatedFile,
};
use crate::{
    conflict::{Scope, parse_conflict_name, plain_stem},
    hash::Content,
    league::Cause,
    manifest::Entry,
    path::{InvalidPath, PathKey, RelPath},
};

/// Largest number of rounds in one step. What is left then counts as refused, and is placed when another name becomes free.
/// More than one round is rare. The limit bounds the work that a hostile client can cause.
const ROUNDS_MAX: usize = 16;

/// The relation of a file to the history of its name.
pub(super) enum Lineage {
    /// It has the established content.
    Same,
    /// The name is free.
    New,
    /// It is an edit of the established content.
    Update,
    /// The name had its content before.
    Outdated,
    /// It is none of these, so two contents claim the name.
    Conflict,
    /// The name is free, but the file would add to a livery that only others may change.
    Foreign,
}

impl Union {
    /// Places claimants and expires orphans until nothing is left to do.
    ///
    /// One causes the other: a file that gets a place may have been the last copy elsewhere, and an expired name is free for
    /// another claimant.
    pub(super) fn place_claimants(&mut self, mut claimants: Vec<Claimant>, outcome: &mut Outcome) {
        for claimant in &mut claimants {
            // A file that waited for its name may be that of a member who was merged meanwhile.
            claimant.member = claimant.member.map(|member| self.present(member));
        }
        for _ in 0..ROUNDS_MAX {
            // First, so that no file gets a conflict name because of a content that will never arrive.
            claimants.extend(self.expire_orphans(outcome));
            claimants.extend(self.take_overtaken(outcome));
            if claimants.is_empty() {
                return;
            }
            claimants = self.place_all(claimants, outcome);
        }
        for left in claimants {
            self.unplaced.refuse(left);
        }
    }

    /// Judges again what is held of some folders, until nothing changes: what came and went in the same step may have made room
    /// for it, or the change that it was may be none any more.
    ///
    /// Otherwise the same report once more would change something.
    pub(super) fn judge_held_again(
        &mut self,
        folders: &BTreeSet<(String, PeerId)>,
        moves: &[Moves],
        outcome: &mut Outcome,
    ) {
        for _ in 0..ROUNDS_MAX {
            let known = outcome.records.len();
            if known == 0 || !self.unplaced.holds_any() {
                return;
            }
            let held = self.take_held_in(folders);
            self.place_claimants(held, outcome);
            self.retire_moved(moves, outcome);
            if outcome.records.len() == known {
                return;
            }
        }
    }

    /// Places claimants once. Returns those that must be placed again, because a name has become free.
    fn place_all(&mut self, claimants: Vec<Claimant>, outcome: &mut Outcome) -> Vec<Claimant> {
        let claimants = self.join_held(claimants);
        let claimants = self.begin_liveries(claimants);
        let claimants = self.hold_changes(claimants, outcome);
        let claimants = self.await_contents(claimants);
        match self.settings.naming.scope {
            Scope::File => self.place_files(claimants, outcome),
            Scope::Livery => self.place_liveries(claimants, outcome),
        }
    }

    /// Places each file by itself. Returns the claimants that must be placed again.
    pub(super) fn place_files(
        &mut self,
        mut claimants: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let policy = self.settings.policy;
        // Only the policy may prefer one claimant, not the order in which the changes are listed.
        claimants.sort_by(|a, b| {
            a.key().cmp(b.key()).then((a.arrival, a.peer).cmp(&(b.arrival, b.peer)))
        });
        for rivals in claimants.chunk_by_mut(|a, b| a.key() == b.key()) {
            // Updates go first: another claimant may already have the updated content.
            let later = |claimant: &Claimant| !matches!(self.classify(claimant), Lineage::Update);
            rivals.sort_by(|a, b| {
                let (first, second) = (a.claim(), b.claim());
                let by_policy = second.beats(&first, policy).cmp(&first.beats(&second, policy));
                later(a).cmp(&later(b)).then(by_policy)
            });
        }
        let (mut again, mut cleared) = (Vec::new(), BTreeSet::new());
        for claimant in claimants {
            again.extend(self.expire_orphan_at(&claimant, outcome));
            let livery = claimant.key().livery();
            // Perhaps only names whose content will never arrive make it somebody else's livery.
            if matches!(self.classify(&claimant), Lineage::Foreign) && !cleared.contains(livery) {
                cleared.insert(livery.to_owned());
                again.extend(self.expire_orphans_of(livery, outcome));
            }
            self.place(claimant, outcome);
        }
        again
    }

    /// Expires the claimant's name if its content will never arrive, so that it is not in the claimant's way.
    ///
    /// It stays if the claimant brings that content, or an edit of it.
    pub(super) fn expire_orphan_at(
        &mut self,
        claimant: &Claimant,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        if self.is_orphan(claimant.key())
            && !matches!(self.classify(claimant), Lineage::Same | Lineage::Update)
        {
            return self.expire(claimant.key(), outcome);
        }
        Vec::new()
    }

    /// Expires all orphans of a livery. Returns the claimants that must be placed again.
    pub(super) fn expire_orphans_of(
        &mut self,
        livery: &str,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let keys = self.entries.of_livery(livery).map(|entry| entry.path.key());
        let orphans: Vec<_> = keys.filter(|key| self.is_orphan(key)).cloned().collect();
        orphans.iter().flat_map(|key| self.expire(key, outcome)).collect()
    }

    pub(super) fn classify(&self, claimant: &Claimant) -> Lineage {
        let (key, content) = (claimant.key(), claimant.entry.content);
        let past = self.past.get(key);
        match self.entries.get(key) {
            Some(entry) if entry.content == content => Lineage::Same,
            // Whoever may not update comes to the arms below, whatever their base is.
            Some(entry) if self.is_made_of(claimant, entry) && self.may_update(claimant) => {
                Lineage::Update
            }
            // As a conflict, every old version on a PC that was away would come back under a conflict name.
            Some(_) if past.is_some_and(|past| past.knows(content)) => Lineage::Outdated,
            Some(_) => Lineage::Conflict,
            // A new livery may have files of the retired one, so here the name's past does not count.
            None if claimant.begins => self.classify_new(claimant),
            // What an admin declined, others must not bring back. An owner of the livery may.
            None if past.is_some_and(|past| past.was_only_declined(content))
                && self.owns(claimant.member, key.livery()) =>
            {
                Lineage::New
            }
            // If an old copy could publish itself, one PC that was away would undo a retirement for everybody.
            None if self.had(key, content) => Lineage::Outdated,
            // Also an edit of a retired file: it outlives the removal of what it was made from.
            None => self.classify_new(claimant),
        }
    }

    /// Returns true if a file was made from what its name has.
    fn is_made_of(&self, claimant: &Claimant, entry: &UnionEntry) -> bool {
        let content = claimant.entry.content;
        let past = self.past.get(claimant.key());
        // The author left before the server had the update, so it expired. When they return with it, it is one again.
        if past.is_some_and(|past| past.just_expired(content)) {
            return true;
        }
        match (claimant.member, claimant.base) {
            // Anybody could name the base, and nobody could tell who it was.
            (None, _) => false,
            (Some(_), Some(base)) => base == entry.content.hash,
            // Their PC has lost its state. What they brought themself and saved again is no conflict with themself.
            (Some(member), None) => {
                self.author_of(Some(entry)) == Some(member)
                    && claimant.entry.mtime > entry.mtime
                    && past.is_none_or(|past| !past.knows(content))
                    && !self.is_on_other_pc(entry, claimant.peer, member)
            }
        }
    }

    /// Returns the relation of a file to a free name that never had it.
    fn classify_new(&self, claimant: &Claimant) -> Lineage {
        if self.may_add(claimant) { Lineage::New } else { Lineage::Foreign }
    }

    /// Returns true if a claimant may add a file to its livery. Adding a file changes the livery too, so it takes an owner.
    /// A conflict copy under its own name changes nothing.
    fn may_add(&self, claimant: &Claimant) -> bool {
        let Claimant { entry: Entry { path, content, .. }, .. } = claimant;
        let livery = path.key().livery();
        let is_conflict_copy = || {
            let parsed = parse_conflict_name(path, &self.settings.naming);
            // By the digits of its own content: otherwise a name like that of a conflict copy would let anyone add any file.
            parsed.is_some_and(|(_, digits)| digits == content.hash.short())
        };
        self.may_update(claimant)
            // A livery from a peer without a key has no owner, so there is nobody else who may add to it.
            || self.is_ownerless(livery)
            || self.is_vacant(livery)
            || is_conflict_copy()
    }

    /// Returns true if a livery has no files, or only conflict copies.
    pub(super) fn is_vacant(&self, livery: &str) -> bool {
        // Counted in advance: to look at all names, thousands of conflict copies in one livery would slow down every
        // step.
        !self.own_names.contains_key(livery)
    }

    pub(super) fn place(&mut self, claimant: Claimant, outcome: &mut Outcome) {
        match self.classify(&claimant) {
            Lineage::Same => {
                self.add_holder(claimant.peer, claimant.key(), &claimant.entry.path, outcome);
            }
            Lineage::New => {
                let (path, first) = (claimant.entry.path.clone(), Cause::Published);
                self.establish(path, &claimant, first, outcome);
            }
            Lineage::Update => self.update(&claimant, outcome),
            Lineage::Outdated => {
                let Entry { path: local, content, mtime } = claimant.entry;
                let outdated = OutdatedFile { local, content, mtime, rival: None };
                self.unplaced.add_outdated(claimant.peer, outdated);
            }
            Lineage::Conflict | Lineage::Foreign => self.place_rival(claimant, outcome),
        }
    }

    pub(super) fn add_holder(
        &mut self,
        peer: PeerId,
        key: &PathKey,
        local: &RelPath,
        outcome: &mut Outcome,
    ) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.add(peer, local);
            outcome.touched.insert(entry.path.key().clone());
        }
    }

    fn update(&mut self, claimant: &Claimant, outcome: &mut Outcome) {
        let Some(past) = self.past.get(claimant.key()) else { return };
        if self.is_blocked(claimant.entry.content) {
            return self.unplaced.hold(claimant.clone());
        }
        let Entry { content, mtime, ref path } = claimant.entry;
        let cause = if past.knows(content) { Cause::Reverted } else { Cause::Updated };
        // The league's spelling stays: whoever renames a file tells so.
        let entry = Entry { path: past.path.clone(), content, mtime };
        let livery = entry.path.livery().to_owned();
        self.record_placed(entry, claimant.member, cause, outcome);
        self.confirm_owner(&livery, claimant, outcome);
        self.add_holder(claimant.peer, path.key(), path, outcome);
    }

    fn place_rival(&mut self, claimant: Claimant, outcome: &mut Outcome) {
        let (path, content) = (claimant.entry.path.clone(), claimant.entry.content);
        let name = match self.name_of_rival(&claimant.entry) {
            Ok(name) => name,
            Err(invalid) => return self.refuse(claimant, invalid.into(), outcome),
        };
        let peer = claimant.peer;
        let is_replaced = self.is_replaced(name.key(), content);
        let is_there = is_replaced || self.entries.contains(name.key());
        if !is_there && !self.establish(name.clone(), &claimant, Cause::Conflict, outcome) {
            return;
        }
        self.file_under(claimant, name.key(), outcome);
        // An earlier version of a conflict copy is not a new conflict, so nobody has to hear of it.
        if !is_replaced {
            outcome.conflicts.push((peer, path, name));
        }
    }

    /// Files a claimant under another name, which has or had the same content.
    pub(super) fn file_under(&mut self, claim: Claimant, name: &PathKey, outcome: &mut Outcome) {
        // A livery begins in one step only. If the claim is placed again later, the name's past counts.
        let claim = Claimant { begins: false, ..claim };
        let Claimant { peer, entry: Entry { path: local, content, mtime }, .. } = claim.clone();
        if self.is_replaced(name, content) {
            let rival = Some((claim, name.clone()));
            return self.unplaced.add_outdated(peer, OutdatedFile { local, content, mtime, rival });
        }
        self.add_holder(peer, name, &local, outcome);
        let peers = self.filed_elsewhere.entry(local.key().clone()).or_default();
        peers.insert(peer, (claim, name.clone()));
    }

    /// Returns the conflict name of a file.
    ///
    /// A name that had its content before counts as free, although it has another one now: the file is outdated there. With
    /// another name, every update of a conflict copy would bring the old one back.
    pub(super) fn name_of_rival(&self, rival: &Entry) -> Result<RelPath, InvalidPath> {
        let Entry { path, content, .. } = rival;
        // A conflict copy whose content has the plain name by now needs no further copy.
        if let Some(home) = self.plain_entry(path).filter(|entry| entry.content == *content) {
            return Ok(home.path.clone());
        }
        self.settings.naming.conflict_name(path, content.hash, |name| {
            let there = self.entries.get(name.key()).map(|entry| entry.content);
            there.is_some_and(|there| there != *content) && !self.knows(name.key(), *content)
        })
    }

    /// Returns true if a name had a content, and has another one or none now.
    pub(super) fn is_replaced(&self, key: &PathKey, content: Content) -> bool {
        let current = self.entries.get(key).map(|entry| entry.content);
        current != Some(content) && self.knows(key, content)
    }

    /// Returns the entry of which `path` may be a conflict name.
    fn plain_entry(&self, path: &RelPath) -> Option<&UnionEntry> {
        let stem = plain_stem(path.stem(), &self.settings.naming);
        let plain = format!("{stem}.{}", path.extension());
        let plain = path.with_file_name(&plain, &self.settings.naming.extensions).ok()?;
        self.entries.get(plain.key())
    }

    pub(super) fn establish(
        &mut self,
        path: RelPath,
        claimant: &Claimant,
        cause: Cause,
        outcome: &mut Outcome,
    ) -> bool {
        if self.is_blocked(claimant.entry.content) {
            // Part of a folder that was judged without this file.
            self.unplaced.hold(claimant.clone());
            return false;
        }
        if let Err(collision) = self.entries.check(&path) {
            self.refuse(claimant.clone(), collision.into(), outcome);
            return false;
        }
        let key = path.key().clone();
        if self.is_vacant(key.livery()) {
            self.presume_owner(path.livery(), claimant, outcome);
        }
        let Entry { content, mtime, path: ref local } = claimant.entry;
        self.record_placed(Entry { path, content, mtime }, claimant.member, cause, outcome);
        self.add_holder(claimant.peer, &key, local, outcome);
        true
    }

    pub(super) fn refuse(&mut self, claimant: Claimant, refusal: Refusal, outcome: &mut Outcome) {
        let (path, peer) = (claimant.entry.path.clone(), claimant.peer);
        self.unplaced.refuse(claimant);
        outcome.refused.push((peer, path, refusal));
    }
}
