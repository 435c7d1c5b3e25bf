//! Placing: what a file that a peer has by now is to the union.

use std::collections::BTreeSet;

use super::{Claimant, Outcome, PeerId, Refusal, Union, UnionEntry, aside::Stale};
use crate::{
    conflict::{Scope, conflict_name, parse_conflict_name, plain_stem},
    hash::Content,
    league::{Cause, MemberId, Record, Updates},
    manifest::Entry,
    path::{InvalidPath, PathKey, RelPath, fold},
};

/// After so many rounds a step leaves to the next one what it has not settled. Two are hardly ever needed; this
/// bounds what strangers could make of it.
const SETTLING_ROUNDS_MAX: usize = 16;

/// How a claim stands to what is established.
pub(super) enum Verdict {
    /// It is the same.
    Same,
    /// Nothing is.
    New,
    /// It was made of what is.
    Update,
    /// The name has had it before.
    Stale,
    /// It is something else.
    Rival,
    /// Nothing is, and it would add to a livery that only others may change.
    Foreign,
    /// It was made of what the name has no more.
    Retired,
}

impl Union {
    /// Gives claimants their places, and gives up what nobody holds any more, in turn: who comes to a place of
    /// his own may have been the last one elsewhere.
    pub(super) fn settle(&mut self, mut claimants: Vec<Claimant>, outcome: &mut Outcome) {
        for _ in 0..SETTLING_ROUNDS_MAX {
            claimants.extend(self.give_up_unheld(outcome));
            if claimants.is_empty() {
                return;
            }
            claimants = self.place_all(claimants, outcome);
        }
        for left in claimants {
            self.aside.refuse(left);
        }
    }

    /// Returns those who claim their names anew.
    fn place_all(&mut self, claimants: Vec<Claimant>, outcome: &mut Outcome) -> Vec<Claimant> {
        match self.settings.naming.scope {
            Scope::File => self.place_files(claimants, outcome),
            Scope::Livery => self.place_liveries(claimants, outcome),
        }
    }

    /// Each file for itself.
    pub(super) fn place_files(
        &mut self,
        mut claimants: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let policy = self.settings.policy;
        claimants.sort_by(|a, b| {
            a.key().cmp(b.key()).then((a.arrival, a.peer).cmp(&(b.arrival, b.peer)))
        });
        for rivals in claimants.chunk_by_mut(|a, b| a.key() == b.key()) {
            // What an update makes of the name, others may have already.
            let later = |claimant: &Claimant| !matches!(self.judge(claimant), Verdict::Update);
            rivals.sort_by(|a, b| {
                let (first, second) = (a.claim(), b.claim());
                let by_policy = second.beats(&first, policy).cmp(&first.beats(&second, policy));
                later(a).cmp(&later(b)).then(by_policy)
            });
        }
        let (mut anew, mut cleared) = (Vec::new(), BTreeSet::new());
        for claimant in claimants {
            anew.extend(self.clear_way(&claimant, outcome));
            let livery = claimant.key().livery();
            if matches!(self.judge(&claimant), Verdict::Foreign) && !cleared.contains(livery) {
                cleared.insert(livery.to_owned());
                anew.extend(self.clear_livery(livery, outcome));
            }
            self.place(claimant, outcome);
        }
        anew
    }

    /// What will never come is in nobody's way, unless it comes, or something was made of it.
    pub(super) fn clear_way(
        &mut self,
        claimant: &Claimant,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        if self.is_vain(claimant.key())
            && !matches!(self.judge(claimant), Verdict::Same | Verdict::Update)
        {
            return self.give_up(claimant.key(), outcome);
        }
        Vec::new()
    }

    /// Gives up all of a livery that will never come. Returns those who claim their names anew.
    pub(super) fn clear_livery(&mut self, livery: &str, outcome: &mut Outcome) -> Vec<Claimant> {
        let keys = self.entries.of_livery(livery).map(|entry| entry.path.key());
        let vain: Vec<_> = keys.filter(|key| self.is_vain(key)).cloned().collect();
        vain.iter().flat_map(|key| self.give_up(key, outcome)).collect()
    }

    pub(super) fn judge(&self, claimant: &Claimant) -> Verdict {
        let (key, content) = (claimant.key(), claimant.entry.content);
        let past = self.past.get(key);
        let base = claimant.base;
        match self.entries.get(key) {
            Some(entry) if entry.content == content => Verdict::Same,
            Some(entry)
                if (base == Some(entry.content.hash)
                    || past.is_some_and(|past| past.took_back(content)))
                    && self.may_update(claimant) =>
            {
                Verdict::Update
            }
            None if past.is_some_and(|past| past.only_turned_down(content))
                && self.owns(claimant.author, key.livery()) =>
            {
                Verdict::New
            }
            _ if past.is_some_and(|past| past.knows(content)) => Verdict::Stale,
            Some(_) => Verdict::Rival,
            None if base.is_some_and(|base| past.is_some_and(|past| past.knows_hash(base))) => {
                Verdict::Retired
            }
            None if self.may_add(claimant) => Verdict::New,
            None => Verdict::Foreign,
        }
    }

    /// Whether a claimant may bring a file that its livery does not have: that changes the livery, too. A conflict copy
    /// under its own name changes nothing.
    fn may_add(&self, claimant: &Claimant) -> bool {
        let Claimant { entry: Entry { path, content, .. }, .. } = claimant;
        let livery = path.key().livery();
        let is_copy = || {
            let parsed = parse_conflict_name(path, &self.settings.naming);
            parsed.is_some_and(|(_, digits)| digits == content.hash.short())
        };
        self.may_update(claimant)
            || self.owners(livery).is_none_or(BTreeSet::is_empty)
            || self.is_vacant(livery)
            || is_copy()
    }

    fn may_update(&self, claimant: &Claimant) -> bool {
        self.settings.updates == Updates::Anyone
            || self.owns(claimant.author, claimant.key().livery())
    }

    /// Whether a livery has nothing, or only copies of rivals.
    pub(super) fn is_vacant(&self, livery: &str) -> bool {
        !self.begun.contains_key(livery)
    }

    pub(super) fn place(&mut self, claimant: Claimant, outcome: &mut Outcome) {
        match self.judge(&claimant) {
            Verdict::Same => {
                self.hold(claimant.peer, claimant.key(), &claimant.entry.path, outcome);
            }
            Verdict::New => {
                let (path, first) = (claimant.entry.path.clone(), Cause::Published);
                self.establish(path, &claimant, first, outcome);
            }
            Verdict::Update => self.update(&claimant, outcome),
            Verdict::Stale => {
                let Entry { path: local, content, mtime } = claimant.entry;
                let stale = Stale { local, content, mtime, rival: None };
                self.aside.be_behind(claimant.peer, stale);
            }
            Verdict::Rival | Verdict::Foreign => self.place_rival(claimant, outcome),
            Verdict::Retired => self.refuse(claimant, Refusal::Retired, outcome),
        }
    }

    pub(super) fn hold(
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
        let Entry { content, mtime, ref path } = claimant.entry;
        let cause = if past.knows(content) { Cause::Reverted } else { Cause::Updated };
        let entry = Entry { path: past.path.clone(), content, mtime };
        self.record_placed(entry, claimant.author, cause, outcome);
        self.hold(claimant.peer, path.key(), path, outcome);
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
        if !is_there && !self.establish(name.clone(), &claimant, Cause::Rival, outcome) {
            return;
        }
        self.count_for(claimant, name.key(), outcome);
        if !is_replaced {
            outcome.conflicts.push((peer, path, name));
        }
    }

    /// What a peer has at a key counts for another name that has, or has had, the same.
    pub(super) fn count_for(&mut self, claim: Claimant, name: &PathKey, outcome: &mut Outcome) {
        let Claimant { peer, entry: Entry { path: local, content, mtime }, .. } = claim.clone();
        if self.is_replaced(name, content) {
            let rival = Some((claim, name.clone()));
            return self.aside.be_behind(peer, Stale { local, content, mtime, rival });
        }
        self.hold(peer, name, &local, outcome);
        let peers = self.elsewhere.entry(local.key().clone()).or_default();
        peers.insert(peer, (claim, name.clone()));
    }

    /// What a rival is called, or was until that name got something else.
    fn name_of_rival(&self, rival: &Entry) -> Result<RelPath, InvalidPath> {
        let Entry { path, content, .. } = rival;
        if let Some(home) = self.plain_entry(path).filter(|entry| entry.content == *content) {
            return Ok(home.path.clone());
        }
        conflict_name(path, content.hash, &self.settings.naming, |name| {
            let there = self.entries.get(name.key()).map(|entry| entry.content);
            there.is_some_and(|there| there != *content) && !self.knows(name.key(), *content)
        })
    }

    /// Whether a name has had a content, and has it no more.
    pub(super) fn is_replaced(&self, key: &PathKey, content: Content) -> bool {
        let current = self.entries.get(key).map(|entry| entry.content);
        current != Some(content) && self.knows(key, content)
    }

    /// The entry whose conflict name `path` could be.
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
        if let Err(collision) = self.entries.check(&path) {
            self.refuse(claimant.clone(), collision.into(), outcome);
            return false;
        }
        let key = path.key().clone();
        // Whoever begins a livery anew owns it.
        if self.is_vacant(key.livery()) && !self.owns(claimant.author, key.livery()) {
            let owners = claimant.author.into_iter().collect();
            self.hand_over(path.livery(), owners, outcome);
        }
        let Entry { content, mtime, path: ref local } = claimant.entry;
        self.record_placed(Entry { path, content, mtime }, claimant.author, cause, outcome);
        self.hold(claimant.peer, &key, local, outcome);
        true
    }

    /// A livery belongs to others from now on, if it did not before.
    pub(super) fn hand_over(
        &mut self,
        livery: &str,
        owners: BTreeSet<MemberId>,
        outcome: &mut Outcome,
    ) {
        let none = BTreeSet::new();
        if *self.owners(&fold(livery)).unwrap_or(&none) != owners {
            let (livery, owners) = (livery.to_owned(), owners.into_iter().collect());
            self.record(Record::Owned { livery, owners }, outcome);
        }
    }

    pub(super) fn refuse(&mut self, claimant: Claimant, refusal: Refusal, outcome: &mut Outcome) {
        let (path, peer) = (claimant.entry.path.clone(), claimant.peer);
        self.aside.refuse(claimant);
        outcome.refused.push((peer, path, refusal));
    }
}
