//! Liveries as wholes: where one file of a livery is a rival, all of that livery goes into a folder of its own. So does
//! one that collides with nothing, if its peer has no part in the livery that has the name: it is another livery.
//!
//! What its peer has under the livery's own name counts for the files of that folder, until he has them there:
//!
//! - What the name holds too counts for both.
//! - What is another content counts for the conflict folder only, like a rival file.
//! - What the livery has no file for counts for the conflict folder only, and is to be put away once it is there. If its
//!   peer comes back with it later, it counts for that folder again.
//!
//! More of his livery comes into the same folder, and so does a change of what is there. Rivals claim their names anew
//! once nothing of the established livery is left.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, Outcome, PeerId, Refusal, Union, placing::Verdict};
use crate::{
    conflict::{Claim, conflict_folder, livery_hash, plain_stem},
    hash::{Content, ContentHash},
    league::Cause,
    manifest::Entry,
    path::{InvalidPath, PathKey, RelPath, fold},
    pathmap::{of_livery, with_prefix},
    select::{cached_picture, caches_of},
};

/// All that a peer has of a livery, by key.
type Files = BTreeMap<PathKey, Claimant>;

impl Union {
    /// Each livery of each peer as a whole. Returns those who claim their names anew.
    pub(super) fn place_liveries(
        &mut self,
        claimants: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let is_loose = |claimant: &Claimant| claimant.entry.path.folder().is_none();
        let (loose, claimants): (Vec<_>, Vec<_>) = claimants.into_iter().partition(is_loose);
        let mut anew = self.place_files(loose, outcome);
        let mut liveries: BTreeMap<String, BTreeMap<PeerId, Vec<Claimant>>> = BTreeMap::new();
        for claimant in claimants {
            let peers = liveries.entry(claimant.key().livery().to_owned()).or_default();
            peers.entry(claimant.peer).or_default().push(claimant);
        }
        for (livery, peers) in liveries {
            for mut claims in self.in_turn(&livery, peers) {
                claims.sort_by(|a, b| a.key().cmp(b.key()));
                anew.extend(self.place_livery(&livery, claims, outcome));
            }
        }
        anew
    }

    /// What one peer claims of a livery. Returns those who claim their names anew.
    fn place_livery(
        &mut self,
        livery: &str,
        claims: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let mut anew = Vec::new();
        for claimant in &claims {
            anew.extend(self.clear_way(claimant, outcome));
        }
        let claims = self.place_left(livery, claims, outcome);
        let own = self.own_folders(livery, &claims);
        let is_apart = self.is_apart(livery, &claims, &own);
        let is_foreign = |claim: &Claimant| matches!(self.judge(claim), Verdict::Foreign);
        if is_apart || claims.iter().any(is_foreign) {
            anew.extend(self.clear_livery(livery, outcome));
        }
        let is_apart = is_apart && !self.is_vacant(livery);
        let is_rival = |claim: &Claimant| match self.judge(claim) {
            Verdict::New => is_apart,
            Verdict::Update => self.completes_own(livery, claim, &own),
            verdict => matches!(verdict, Verdict::Rival | Verdict::Foreign),
        };
        let (rivals, others): (Vec<_>, Vec<_>) = claims.into_iter().partition(is_rival);
        if rivals.is_empty() {
            others.into_iter().for_each(|claim| self.place(claim, outcome));
        } else if let Some(names) = self.names_in_own(&rivals, &own) {
            others.into_iter().for_each(|claim| self.place(claim, outcome));
            self.divert_files(rivals, names, outcome);
        } else {
            self.divert(livery, rivals.into_iter().chain(others).collect(), outcome);
        }
        anew
    }

    /// Whether a file that replaces one of a livery is what its peer's own livery of that name lacks: that is being
    /// copied in.
    fn completes_own(&self, livery: &str, claim: &Claimant, own: &BTreeSet<String>) -> bool {
        let is_there = |folder: &String| {
            let name = self.name_in(folder, claim);
            name.is_ok_and(|name| self.entries.contains(name.key()))
        };
        !self.owns(claim.author, livery) && own.iter().any(|folder| !is_there(folder))
    }

    /// Whether files that collide with nothing come from somebody who has a rival of their livery, or no part in it.
    fn is_apart(&self, livery: &str, claims: &[Claimant], own: &BTreeSet<String>) -> bool {
        let mut new = claims.iter().filter(|claim| matches!(self.judge(claim), Verdict::New));
        new.next().is_some_and(|claim| {
            !self.owns(claim.author, livery) && (!own.is_empty() || !self.has_part(livery, claims))
        })
    }

    /// Whether a peer has, or had in sync, some of a livery as it is or was.
    fn has_part(&self, livery: &str, claims: &[Claimant]) -> bool {
        let Some(peer) = claims.first().map(|claim| claim.peer) else { return false };
        let files = self.files_of(livery, peer, claims);
        let now = files.iter().filter(|(key, _)| self.entries.contains(key));
        let mut past = now.filter_map(|(key, file)| Some((self.past.get(key)?, file)));
        past.any(|(past, file)| {
            let is_his = |held: Content| held == file.entry.content || Some(held.hash) == file.base;
            past.contents().any(is_his)
        })
    }

    /// The folders that the liveries of a peer who claims something have where another one has the name. Who has no
    /// key has those for which his files count at present.
    fn own_folders(&self, livery: &str, claims: &[Claimant]) -> BTreeSet<String> {
        let Some(claim) = claims.first() else { return BTreeSet::new() };
        if claim.author.is_some() {
            let folders = self.in_conflict_folders(livery).map(|entry| &entry.path);
            let own = folders.filter(|path| self.owns(claim.author, path.key().livery()));
            return own.map(|path| path.livery().to_owned()).collect();
        }
        let names = of_livery(&self.elsewhere, livery);
        let names = names.filter_map(|(_, peers)| Some(&peers.get(&claim.peer)?.1));
        let entries = names.filter_map(|name| self.entries.get(name));
        entries.map(|entry| entry.path.livery().to_owned()).collect()
    }

    /// What rivals are called in one of their peer's own folders, in the same order; none where there is none, or
    /// they are no change of what is there.
    fn names_in_own(&self, rivals: &[Claimant], own: &BTreeSet<String>) -> Option<Vec<RelPath>> {
        let author = rivals.first()?.author;
        // Who has no key may have the same file as somebody else whose folder it is.
        let is_his = |folder: &&String| {
            let folder = fold(folder);
            self.owns(author, &folder) || self.owners(&folder).is_none_or(BTreeSet::is_empty)
        };
        own.iter().filter(is_his).find_map(|folder| {
            let names = rivals.iter().map(|claim| {
                let (name, content) = (self.name_in(folder, claim).ok()?, claim.entry.content);
                let is_free = || {
                    let is_there = self.entries.contains(name.key());
                    !self.has_another(&name, content) && (is_there || !self.is_or_has_cache(&name))
                };
                (self.is_change_of(claim, &name) || is_free()).then_some(name)
            });
            names.collect()
        })
    }

    /// Whether a claim was made of what another name has.
    fn is_change_of(&self, claim: &Claimant, name: &RelPath) -> bool {
        self.entries.get(name.key()).is_some_and(|there| {
            claim.base == Some(there.content.hash) || claim.replaces.as_ref() == Some(name.key())
        })
    }

    /// Whether the game would take a name for its cache of what is beside it, or what is there for its cache of this.
    fn is_or_has_cache(&self, name: &RelPath) -> bool {
        let picture = cached_picture(name, &self.settings.naming.extensions);
        picture.is_some_and(|picture| self.entries.contains(picture.key()))
            || caches_of(name).iter().any(|cache| self.entries.contains(cache))
    }

    /// Who claims a livery, in the order of the policy. What an update makes of it, others may have already.
    fn in_turn(&self, livery: &str, peers: BTreeMap<PeerId, Vec<Claimant>>) -> Vec<Vec<Claimant>> {
        if peers.len() == 1 {
            return peers.into_values().collect();
        }
        let is_update = |claim: &Claimant| matches!(self.judge(claim), Verdict::Update);
        let ranked = peers.into_iter().map(|(peer, claims)| {
            let claim = Claim {
                hash: hash_of(livery, &self.files_of(livery, peer, &claims), self),
                mtime: claims.iter().filter_map(|claim| claim.entry.mtime).max(),
                arrival: claims.iter().map(|claim| claim.arrival).min().unwrap_or_default(),
            };
            (!claims.iter().any(is_update), claim, claims)
        });
        let mut ranked: Vec<_> = ranked.collect();
        let policy = self.settings.policy;
        ranked.sort_by(|(later, a, _), (other_later, b, _)| {
            let by_policy = b.beats(a, policy).cmp(&a.beats(b, policy));
            later.cmp(other_later).then(by_policy)
        });
        ranked.into_iter().map(|(_, _, claims)| claims).collect()
    }

    /// All that a peer has of a livery, with what he claims at this moment.
    fn files_of(&self, livery: &str, peer: PeerId, claims: &[Claimant]) -> Files {
        let (arrival, author) = claims.first().map_or((0, None), |c| (c.arrival, c.author));
        let claimant = |entry: Entry| Claimant {
            peer,
            entry,
            base: None,
            arrival,
            author,
            returned: false,
            replaces: None,
        };
        let current = self.entries.of_livery(livery).filter_map(|entry| {
            let local = entry.local_at(peer, entry.path.key())?.clone();
            Some(claimant(Entry { path: local, ..(**entry).clone() }))
        });
        let stale = self.aside.stale_in(livery, peer).map(|stale| match &stale.rival {
            Some((rival, _)) => rival.clone(),
            None => {
                let (path, content, mtime) = (stale.local.clone(), stale.content, stale.mtime);
                claimant(Entry { path, content, mtime })
            }
        });
        let elsewhere = of_livery(&self.elsewhere, livery);
        let elsewhere = elsewhere.filter_map(|(_, peers)| Some(&peers.get(&peer)?.0));
        let kept = elsewhere.chain(self.aside.refused_in(livery, peer)).chain(claims).cloned();
        let files = current.chain(stale).chain(kept);
        files.map(|claim| (claim.key().clone(), claim)).collect()
    }

    /// Gives a livery a folder of its own, whole.
    fn divert(&mut self, livery: &str, claims: Vec<Claimant>, outcome: &mut Outcome) {
        let Some(peer) = claims.first().map(|claim| claim.peer) else { return };
        let files = self.files_of(livery, peer, &claims);
        match self.conflict_names(livery, &files) {
            Ok(names) => self.divert_files(files.into_values(), names, outcome),
            Err(invalid) => {
                for claim in claims {
                    self.refuse(claim, Refusal::NoName(invalid.clone()), outcome);
                }
            }
        }
    }

    fn divert_files(
        &mut self,
        files: impl IntoIterator<Item = Claimant>,
        names: Vec<RelPath>,
        outcome: &mut Outcome,
    ) {
        for (claim, name) in files.into_iter().zip(names) {
            self.divert_file(claim, name, outcome);
        }
    }

    fn divert_file(&mut self, claim: Claimant, name: RelPath, outcome: &mut Outcome) {
        let Claimant { peer, entry: Entry { path: local, content, .. }, .. } = claim.clone();
        let is_home = self.entries.get(local.key()).is_some_and(|entry| entry.content == content);
        self.lose(peer, local.key(), content, outcome);
        if is_home {
            self.hold(peer, local.key(), &local, outcome);
        } else {
            // Who goes elsewhere may have been the last who could have brought what is here.
            outcome.touched.insert(local.key().clone());
        }
        let now = self.entries.get(name.key()).map(|entry| Entry::clone(entry));
        if let Some(now) = now.filter(|now| now.content != content)
            && self.is_change_of(&claim, &name)
        {
            let known = self.knows(name.key(), content);
            let cause = if known { Cause::Reverted } else { Cause::Updated };
            let entry = Entry { path: now.path, ..claim.entry.clone() };
            self.record_placed(entry, claim.author, cause, outcome);
        }
        let is_replaced = self.is_replaced(name.key(), content);
        let is_there = is_replaced || self.entries.contains(name.key());
        if !is_there && !self.establish(name.clone(), &claim, Cause::Rival, outcome) {
            return;
        }
        if !is_home {
            self.count_for(claim, name.key(), outcome);
            outcome.conflicts.extend((!is_replaced).then_some((peer, local, name)));
        } else if !is_replaced {
            self.hold(peer, name.key(), &local, outcome);
        }
    }

    /// What the files of a rival livery are called in a folder of their own, in the same order.
    fn conflict_names(&self, livery: &str, files: &Files) -> Result<Vec<RelPath>, InvalidPath> {
        let spelled = self.entries.of_livery(livery).next().map(|entry| entry.path.livery());
        let own = || files.values().next().map(|claim| claim.entry.path.livery());
        let spelled = spelled.or_else(own).unwrap_or(livery);
        let is_taken = |folder: &str| {
            // Most are free: what would lie there is looked at only if something does.
            let folder_key = fold(folder);
            if folder_key == livery {
                return true;
            }
            let is_new = self.entries.of_livery(&folder_key).next().is_none()
                && of_livery(&self.past, &folder_key).next().is_none();
            !is_new
                && files.values().any(|claim| match self.name_in(folder, claim) {
                    Ok(path) => self.has_another(&path, claim.entry.content),
                    // It is found invalid whatever the folder's number is.
                    Err(_) => false,
                })
        };
        let hash = hash_of(livery, files, self);
        let folder = conflict_folder(spelled, hash, &self.settings.naming, is_taken);
        files.values().map(|claim| self.name_in(&folder, claim)).collect()
    }

    /// What a file of a livery is called in another folder.
    fn name_in(&self, folder: &str, claim: &Claimant) -> Result<RelPath, InvalidPath> {
        let path = &claim.entry.path;
        let rest = &path.as_str()[path.livery().len()..];
        RelPath::parse(&format!("{folder}{rest}"), &self.settings.naming.extensions)
    }

    /// Whether a name is nothing for a content: it has another one and never had this, or could not lie there.
    fn has_another(&self, path: &RelPath, content: Content) -> bool {
        match self.entries.get(path.key()) {
            Some(entry) => entry.content != content && !self.knows(path.key(), content),
            None => self.entries.check(path).is_err(),
        }
    }

    /// What a peer who comes back had left of a livery that went into a folder of its own, while another one has the
    /// livery's name, counts for its name there. Returns what else he claims.
    fn place_left(
        &mut self,
        livery: &str,
        claims: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let names = self.names_left(livery, &claims);
        let mut others = Vec::new();
        for claim in claims {
            let is_free = self.entries.get(claim.key()).is_none();
            let is_left = is_free && matches!(self.judge(&claim), Verdict::New | Verdict::Foreign);
            match names.get(claim.key()).filter(|_| is_left) {
                Some(name) => self.count_for(claim, name, outcome),
                None => others.push(claim),
            }
        }
        others
    }

    /// The names under which what a peer claims of a livery is, or was, in a folder of its own because of him, by his
    /// keys.
    fn names_left(&self, livery: &str, claims: &[Claimant]) -> BTreeMap<PathKey, PathKey> {
        let returned = claims.iter().filter(|claim| claim.returned);
        let returned = returned.map(|claim| (&claim.key().as_str()[livery.len()..], claim));
        let returned: BTreeMap<_, _> = returned.collect();
        if returned.is_empty() || self.is_vacant(livery) {
            return BTreeMap::new();
        }
        // Of several names one that has it still goes first.
        let mut names = BTreeMap::new();
        let naming = self.settings.naming.folded();
        let prefixes = self.settings.naming.folder_prefixes(livery).into_iter();
        for (name, past) in prefixes.flat_map(|prefix| with_prefix(&self.past, prefix)) {
            let folder = name.livery();
            let claim = returned.get(&name.as_str()[folder.len()..]);
            let Some(claim) = claim.filter(|_| plain_stem(folder, &naming) == livery) else {
                continue;
            };
            let content = claim.entry.content;
            // What nobody ever sent was taken back, and may come again.
            if past.was_brought(content, claim.author) && past.knows(content) {
                let is_there = self.entries.get(name).is_some_and(|now| now.content == content);
                let best = names.entry(claim.key().clone()).or_insert((is_there, name));
                if is_there && !best.0 {
                    *best = (true, name);
                }
            }
        }
        names.into_iter().map(|(key, (_, name))| (key, name.clone())).collect()
    }

    /// What peers have of liveries that went into folders of their own, where the livery itself has nothing, once
    /// they have it in that folder.
    pub(super) fn diverted(&self) -> impl Iterator<Item = (PeerId, &RelPath, Content)> {
        let free = self.elsewhere.iter().filter(|(key, _)| !self.entries.contains(key));
        free.flat_map(|(_, peers)| peers).filter_map(|(peer, (claim, name))| {
            let is_there = self.entries.get(name)?.local_at(*peer, name).is_some();
            is_there.then_some((*peer, &claim.entry.path, claim.entry.content))
        })
    }
}

fn hash_of(livery: &str, files: &Files, union: &Union) -> ContentHash {
    let contents = files.iter().map(|(key, claim)| (key, claim.entry.content));
    livery_hash(livery, contents, &union.settings.naming.extensions)
}
