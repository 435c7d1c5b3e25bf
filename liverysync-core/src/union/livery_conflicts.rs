//! Conflicts of whole liveries: a livery with one file in conflict gets a folder of its own, the conflict folder. Mixing two
//! paints of one car file by file would give a livery that nobody made.
//!
//! A livery without any collision gets one too, if its member has no part in the livery that has the name. It is another
//! livery that happens to have the same name.
//!
//! The peer's files under the plain name are filed under the names in the conflict folder until they are copied there:
//!
//! - A file with the same content as the established livery is filed under both names.
//! - A file with another content is filed in the conflict folder only, like a single file in conflict.
//! - A file that the established livery lacks is filed in the conflict folder only, and is retired under the plain name once
//!   it is copied. If its peer returns with it later, it is filed there again.
//!
//! Further files of that livery go into the same folder, and so do edits of its files. All of them claim the plain names again
//! once nothing of the established livery is left.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, Outcome, PeerId, Refusal, Union, placing::Lineage};
use crate::{
    conflict::{Claim, conflict_livery, livery_hash, plain_stem},
    hash::{Content, ContentHash},
    league::Cause,
    manifest::Entry,
    path::{InvalidPath, PathKey, RelPath, fold},
    pathmap::{of_livery, with_prefix},
    select::{cached_picture, caches_of},
};

/// The files of one peer in one livery, by key.
type Files = BTreeMap<PathKey, Claimant>;

impl Union {
    /// Places each livery of each peer as a whole. Returns the claimants that must be placed again.
    pub(super) fn place_liveries(
        &mut self,
        claimants: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        // A loose file is a livery by itself: its conflict copy needs no folder.
        let is_loose = |claimant: &Claimant| claimant.entry.path.folder().is_none();
        let (loose, claimants): (Vec<_>, Vec<_>) = claimants.into_iter().partition(is_loose);
        let mut again = self.place_files(loose, outcome);
        // By peer, too: what two peers bring in one step are two liveries until the policy has put them in order.
        let mut liveries: BTreeMap<String, BTreeMap<PeerId, Vec<Claimant>>> = BTreeMap::new();
        for claimant in claimants {
            let peers = liveries.entry(claimant.key().livery().to_owned()).or_default();
            peers.entry(claimant.peer).or_default().push(claimant);
        }
        for (livery, peers) in liveries {
            for mut claims in self.in_policy_order(&livery, peers) {
                claims.sort_by(|a, b| a.key().cmp(b.key()));
                again.extend(self.place_livery(&livery, claims, outcome));
            }
        }
        again
    }

    /// Places the claims of one peer to one livery. Returns the claimants that must be placed again.
    fn place_livery(
        &mut self,
        livery: &str,
        claims: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let mut again = Vec::new();
        // First, so that no livery is separated because of a content that will never arrive.
        for claimant in &claims {
            again.extend(self.expire_orphan_at(claimant, outcome));
        }
        let claims = self.reattach(livery, claims, outcome);
        let own = self.own_folders(livery, &claims);
        let is_another_livery = self.is_another_livery(livery, &claims, &own);
        let is_foreign = |claim: &Claimant| matches!(self.classify(claim), Lineage::Foreign);
        // These are judged by the whole livery, of which perhaps only orphans are left.
        if is_another_livery || claims.iter().any(is_foreign) {
            again.extend(self.expire_orphans_of(livery, outcome));
        }
        // If only orphans were in the way, the livery gets the plain name.
        let is_another_livery = is_another_livery && !self.is_vacant(livery);
        let is_rival = |claim: &Claimant| match self.classify(claim) {
            Lineage::New => is_another_livery,
            Lineage::Update => self.completes_own_folder(livery, claim, &own),
            lineage => matches!(lineage, Lineage::Conflict | Lineage::Foreign),
        };
        let (rivals, others): (Vec<_>, Vec<_>) = claims.into_iter().partition(is_rival);
        if rivals.is_empty() {
            others.into_iter().for_each(|claim| self.place(claim, outcome));
        } else if let Some(names) = self.names_in_own_folder(&rivals, &own) {
            others.into_iter().for_each(|claim| self.place(claim, outcome));
            self.separate_files(rivals, names, outcome);
        } else {
            // With the files that collide with nothing, so that the folder has a complete livery that the game can
            // show.
            self.separate(livery, rivals.into_iter().chain(others).collect(), outcome);
        }
        again
    }

    /// Returns true if a file looks like an edit of the established livery, but is a file that the member's own livery in a
    /// conflict folder lacks. The member is then completing their own livery under the plain name.
    fn completes_own_folder(&self, livery: &str, claim: &Claimant, own: &BTreeSet<String>) -> bool {
        let is_there = |folder: &String| {
            let name = self.name_in_folder(folder, claim);
            name.is_ok_and(|name| self.entries.contains(name.key()))
        };
        // A livery that is copied in over another one comes file by file. Once the first files are in sync, the later
        // ones have the established contents as their base.
        !self.owns(claim.member, livery) && own.iter().any(|folder| !is_there(folder))
    }

    /// Returns true if files without any collision belong to another livery of the same name: their member has a conflict
    /// folder for it, or no part in the established one.
    fn is_another_livery(&self, livery: &str, claims: &[Claimant], own: &BTreeSet<String>) -> bool {
        // Files at taken names are judged by their own lineage, so only new ones count here.
        let mut new = claims.iter().filter(|claim| matches!(self.classify(claim), Lineage::New));
        new.next().is_some_and(|claim| {
            !self.owns(claim.member, livery) && (!own.is_empty() || !self.has_part(livery, claims))
        })
    }

    /// Returns true if a peer has, or had in sync, a current or earlier file of a livery.
    fn has_part(&self, livery: &str, claims: &[Claimant]) -> bool {
        let Some(peer) = claims.first().map(|claim| claim.peer) else { return false };
        let files = self.files_of(livery, peer, claims);
        let now = files.iter().filter(|(key, _)| self.entries.contains(key));
        let mut past = now.filter_map(|(key, file)| Some((self.past.get(key)?, file)));
        // Earlier contents count as well: a PC that was away still has a part in the livery.
        past.any(|(past, file)| {
            let is_same =
                |held: Content| held == file.entry.content || Some(held.hash) == file.base;
            past.contents().any(is_same)
        })
    }

    /// Returns the conflict folders that belong to the claiming member. A member without a key owns nothing, so for them it is
    /// the folders under which their files are filed at present.
    fn own_folders(&self, livery: &str, claims: &[Claimant]) -> BTreeSet<String> {
        let Some(claim) = claims.first() else { return BTreeSet::new() };
        if claim.member.is_some() {
            let folders = self.in_conflict_folders(livery).map(|entry| &entry.path);
            let own = folders.filter(|path| self.owns(claim.member, path.key().livery()));
            return own.map(|path| path.livery().to_owned()).collect();
        }
        let names = of_livery(&self.filed_elsewhere, livery);
        let names = names.filter_map(|(_, peers)| Some(&peers.get(&claim.peer)?.1));
        // A conflict copy beside the established file gives nobody a part in that livery.
        let elsewhere = names.filter(|name| name.livery() != livery);
        let entries = elsewhere.filter_map(|name| self.entries.get(name));
        entries.map(|entry| entry.path.livery().to_owned()).collect()
    }

    /// Returns the names of conflicting files in one of the member's own conflict folders, in the same order. Returns `None` if
    /// there is no such folder in which all of them fit.
    fn names_in_own_folder(
        &self,
        rivals: &[Claimant],
        own: &BTreeSet<String>,
    ) -> Option<Vec<RelPath>> {
        let member = rivals.first()?.member;
        // Files of a member without a key may also be filed in the folder of another member with the same files.
        let is_theirs = |folder: &&String| {
            let folder = fold(folder);
            self.owns(member, &folder) || self.is_ownerless(&folder)
        };
        own.iter().filter(is_theirs).find_map(|folder| {
            let names = rivals.iter().map(|claim| {
                let (name, content) =
                    (self.name_in_folder(folder, claim).ok()?, claim.entry.content);
                // Clients do not share what looks like the game's cache, so they could never report such a file.
                let is_free = || {
                    let is_there = self.entries.contains(name.key());
                    !self.is_taken_for(&name, content)
                        && (is_there || !self.is_cache_or_source(&name))
                };
                (self.is_change_of(claim, &name) || is_free()).then_some(name)
            });
            names.collect()
        })
    }

    /// Returns true if a file is an edit of the content that `name` has.
    fn is_change_of(&self, claim: &Claimant, name: &RelPath) -> bool {
        self.entries.get(name.key()).is_some_and(|there| {
            claim.base == Some(there.content.hash) || claim.replaces.as_ref() == Some(name.key())
        })
    }

    /// Returns true if the game would take `name` for its cache of a picture in that folder, or a file in that folder for its
    /// cache of `name`.
    fn is_cache_or_source(&self, name: &RelPath) -> bool {
        let picture = cached_picture(name, &self.settings.naming.extensions);
        picture.is_some_and(|picture| self.entries.contains(picture.key()))
            || caches_of(name).iter().any(|cache| self.entries.contains(cache))
    }

    /// Orders the peers that claim a livery by the policy. Updates go first: another peer may already have their contents.
    fn in_policy_order(
        &self,
        livery: &str,
        peers: BTreeMap<PeerId, Vec<Claimant>>,
    ) -> Vec<Vec<Claimant>> {
        // The hash of a whole livery is only worth its time if there is a choice.
        if peers.len() == 1 {
            return peers.into_values().collect();
        }
        let is_update = |claim: &Claimant| matches!(self.classify(claim), Lineage::Update);
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

    /// Returns all files that a peer has of a livery, including those it claims in this step.
    fn files_of(&self, livery: &str, peer: PeerId, claims: &[Claimant]) -> Files {
        let (arrival, member) = claims.first().map_or((0, None), |c| (c.arrival, c.member));
        let claimant = |entry: Entry| Claimant {
            peer,
            entry,
            base: None,
            unchecked: true,
            arrival,
            member,
            returned: false,
            replaces: None,
            begins: false,
        };
        let current = self.entries.of_livery(livery).filter_map(|entry| {
            let local = entry.local_at(peer, entry.path.key())?.clone();
            Some(claimant(Entry { path: local, ..(**entry).clone() }))
        });
        let outdated =
            self.unplaced.outdated_in(livery, peer).map(|outdated| match &outdated.rival {
                Some((rival, _)) => rival.clone(),
                None => {
                    let (path, content, mtime) =
                        (outdated.local.clone(), outdated.content, outdated.mtime);
                    claimant(Entry { path, content, mtime })
                }
            });
        let filed_elsewhere = of_livery(&self.filed_elsewhere, livery);
        let filed_elsewhere = filed_elsewhere.filter_map(|(_, peers)| Some(&peers.get(&peer)?.0));
        let kept =
            filed_elsewhere.chain(self.unplaced.refused_in(livery, peer)).chain(claims).cloned();
        // The claims are last: they replace what the peer had under the same names before.
        let files = current.chain(outdated).chain(kept);
        files.map(|claim| (claim.key().clone(), claim)).collect()
    }

    /// Gives a peer's whole livery a conflict folder.
    fn separate(&mut self, livery: &str, claims: Vec<Claimant>, outcome: &mut Outcome) {
        let Some(peer) = claims.first().map(|claim| claim.peer) else { return };
        let mut files = self.files_of(livery, peer, &claims);
        // An old file with a blocked content stays outdated: it comes under no other name.
        files.retain(|_, file| !self.is_blocked(file.entry.content));
        let (blocked, claims): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|claim| self.is_blocked(claim.entry.content));
        blocked.into_iter().for_each(|claim| self.place(claim, outcome));
        match self.conflict_names(livery, &files) {
            Ok(names) => self.separate_files(files.into_values(), names, outcome),
            Err(invalid) => {
                // The peer's other files keep their places.
                for claim in claims {
                    self.refuse(claim, Refusal::NoName(invalid.clone()), outcome);
                }
            }
        }
    }

    fn separate_files(
        &mut self,
        files: impl IntoIterator<Item = Claimant>,
        names: Vec<RelPath>,
        outcome: &mut Outcome,
    ) {
        for (claim, name) in files.into_iter().zip(names) {
            self.separate_file(claim, name, outcome);
        }
    }

    fn separate_file(&mut self, claim: Claimant, name: RelPath, outcome: &mut Outcome) {
        let Claimant { peer, entry: Entry { path: local, content, .. }, .. } = claim.clone();
        let is_home = self.entries.get(local.key()).is_some_and(|entry| entry.content == content);
        self.remove_file(peer, local.key(), content, outcome);
        if is_home {
            // Both liveries have this file, so its peer keeps it under the plain name as well.
            self.add_holder(peer, local.key(), &local, outcome);
        } else {
            // The peer may have been the last that could have sent the content of the plain name, so check for its expiry.
            outcome.touched.insert(local.key().clone());
        }
        let now = self.entries.get(name.key()).map(|entry| Entry::clone(entry));
        if let Some(now) = now.filter(|now| now.content != content)
            && self.is_change_of(&claim, &name)
        {
            let known = self.knows(name.key(), content);
            let cause = if known { Cause::Reverted } else { Cause::Updated };
            let entry = Entry { path: now.path, ..claim.entry.clone() };
            self.record_placed(entry, claim.member, cause, outcome);
        }
        let is_replaced = self.is_replaced(name.key(), content);
        let is_there = is_replaced || self.entries.contains(name.key());
        if !is_there && !self.establish(name.clone(), &claim, Cause::Conflict, outcome) {
            return;
        }
        if !is_home {
            self.file_under(claim, name.key(), outcome);
            outcome.conflicts.extend((!is_replaced).then_some((peer, local, name)));
        } else if !is_replaced {
            self.add_holder(peer, name.key(), &local, outcome);
        }
    }

    /// Returns the names of a livery's files in a conflict folder, in the same order.
    fn conflict_names(&self, livery: &str, files: &Files) -> Result<Vec<RelPath>, InvalidPath> {
        // In the league's spelling, so that all conflict folders of a livery look alike.
        let spelled = self.entries.of_livery(livery).next().map(|entry| entry.path.livery());
        let own = || files.values().next().map(|claim| claim.entry.path.livery());
        let spelled = spelled.or_else(own).unwrap_or(livery);
        let files: Vec<_> =
            files.values().map(|claim| (&claim.entry.path, claim.entry.content)).collect();
        let is_taken = |name: &RelPath, content| self.is_taken_for(name, content);
        conflict_livery(spelled, &files, &self.settings.naming, is_taken)
    }

    /// Returns the name of a livery's file in another folder.
    fn name_in_folder(&self, folder: &str, claim: &Claimant) -> Result<RelPath, InvalidPath> {
        let path = &claim.entry.path;
        let rest = &path.as_str()[path.livery().len()..];
        RelPath::parse(&format!("{folder}{rest}"), &self.settings.naming.extensions)
    }

    /// Returns true if a content cannot have a name, because another content has it, or because it could not exist there. A
    /// name that had the content before does not count as taken.
    fn is_taken_for(&self, path: &RelPath, content: Content) -> bool {
        match self.entries.get(path.key()) {
            Some(entry) => entry.content != content && !self.knows(path.key(), content),
            None => self.entries.check(path).is_err(),
        }
    }

    /// Files the rest of a separated livery, which a returning peer still has under the plain name, in its conflict folder
    /// again. Returns the other claims.
    ///
    /// Otherwise such a file would be added to the established livery.
    pub(super) fn reattach(
        &mut self,
        livery: &str,
        claims: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let names = self.names_to_reattach(livery, &claims);
        let mut others = Vec::new();
        for claim in claims {
            let is_free = self.entries.get(claim.key()).is_none();
            let is_left =
                is_free && matches!(self.classify(&claim), Lineage::New | Lineage::Foreign);
            match names.get(claim.key()).filter(|_| is_left) {
                Some(name) => self.file_under(claim, name, outcome),
                None => others.push(claim),
            }
        }
        others
    }

    /// Returns the names in conflict folders under which the claiming member published the same contents, by the claims' keys.
    fn names_to_reattach(&self, livery: &str, claims: &[Claimant]) -> BTreeMap<PathKey, PathKey> {
        // Only a peer that has just connected may have such a file from before. A later report says what its driver did
        // since.
        let returned = claims.iter().filter(|claim| claim.returned);
        let returned = returned.map(|claim| (&claim.key().as_str()[livery.len()..], claim));
        let returned: BTreeMap<_, _> = returned.collect();
        if returned.is_empty() || self.is_vacant(livery) {
            return BTreeMap::new();
        }
        // Prefer a name that still has the content.
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
            // An expired content does not count: it may be published again.
            if past.was_published_by(content, claim.member) && past.knows(content) {
                let is_there = self.entries.get(name).is_some_and(|now| now.content == content);
                let best = names.entry(claim.key().clone()).or_insert((is_there, name));
                if is_there && !best.0 {
                    *best = (true, name);
                }
            }
        }
        names.into_iter().map(|(key, (_, name))| (key, name.clone())).collect()
    }

    /// Returns the files of separated liveries that are copied to the conflict folder and that the established livery does not
    /// have.
    pub(super) fn separated(&self) -> impl Iterator<Item = (PeerId, &RelPath, Content)> {
        let free = self.filed_elsewhere.iter().filter(|(key, _)| !self.entries.contains(key));
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
