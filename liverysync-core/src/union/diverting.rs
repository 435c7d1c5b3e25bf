//! Liveries as wholes: where one file of a livery is a rival, all of that livery goes into a folder of its own. So does
//! one that collides with nothing, if its member has no part in the livery that has the name: it is another livery.
//!
//! What its member has under the livery's own name counts for the files of that folder, until he has them there:
//!
//! - What the name holds too counts for both.
//! - What is another content counts for the conflict folder only, like a rival file.
//! - What the livery has no file for counts for the conflict folder only, and is to be put away once it is there. If its
//!   member comes back with it later, it counts for that folder again.
//!
//! Rivals claim their names anew once nothing of the established livery is left.

use std::collections::BTreeMap;

use super::{Claimant, MemberId, Outcome, Refusal, Union, placing::Verdict};
use crate::{
    conflict::{Claim, Scope, conflict_folder, livery_hash, plain_stem},
    hash::{Content, ContentHash},
    league::Cause,
    manifest::Entry,
    path::{InvalidPath, PathKey, RelPath, fold},
    pathmap::{of_livery, with_prefix},
};

/// All that a member has of a livery, by key.
type Files = BTreeMap<PathKey, Claimant>;

impl Union {
    /// Each livery of each member as a whole. Returns those who claim their names anew.
    pub(super) fn place_liveries(
        &mut self,
        claimants: Vec<Claimant>,
        outcome: &mut Outcome,
    ) -> Vec<Claimant> {
        let is_loose = |claimant: &Claimant| claimant.entry.path.folder().is_none();
        let (loose, claimants): (Vec<_>, Vec<_>) = claimants.into_iter().partition(is_loose);
        let mut anew = self.place_files(loose, outcome);
        let mut liveries: BTreeMap<String, BTreeMap<MemberId, Vec<Claimant>>> = BTreeMap::new();
        for claimant in claimants {
            let members = liveries.entry(claimant.key().livery().to_owned()).or_default();
            members.entry(claimant.member).or_default().push(claimant);
        }
        for (livery, members) in liveries {
            for mut claims in self.in_turn(&livery, members) {
                claims.sort_by(|a, b| a.key().cmp(b.key()));
                anew.extend(self.place_livery(&livery, claims, outcome));
            }
        }
        anew
    }

    /// What one member claims of a livery. Returns those who claim their names anew.
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
        let is_apart = self.is_apart(livery, &claims);
        if is_apart {
            anew.extend(self.clear_livery(livery, outcome));
        }
        let is_rival = |claim: &Claimant| matches!(self.judge(claim), Verdict::Rival);
        let is_taken = || self.entries.of_livery(livery).next().is_some();
        if claims.iter().any(is_rival) || is_apart && is_taken() {
            self.divert(livery, claims, outcome);
        } else {
            claims.into_iter().for_each(|claim| self.place(claim, outcome));
        }
        anew
    }

    /// Whether files that collide with nothing come from somebody who has no part in their livery, or has a rival of
    /// it at present.
    fn is_apart(&self, livery: &str, claims: &[Claimant]) -> bool {
        let mut new = claims.iter().filter(|claim| matches!(self.judge(claim), Verdict::New));
        new.next().is_some_and(|claim| {
            self.has_rival(livery, claim.member) || !self.has_part(livery, claim, claims)
        })
    }

    /// Whether what a member has of a livery counts elsewhere although the livery has something of that name.
    fn has_rival(&self, livery: &str, member: MemberId) -> bool {
        let mut elsewhere = of_livery(&self.elsewhere, livery);
        elsewhere.any(|(key, members)| members.contains_key(&member) && self.entries.contains(key))
    }

    /// Whether a member owns a livery, or had some of it in step, or has some of it as it is or was.
    fn has_part(&self, livery: &str, claim: &Claimant, claims: &[Claimant]) -> bool {
        let is_owner = claim.author.is_some_and(|author| self.owns(livery, author));
        let has_base = || claims.iter().any(|claim| claim.base.is_some());
        let has_some_of_it = || {
            let files = self.files_of(livery, claim.member, claims);
            let now = files.iter().filter(|(key, _)| self.entries.contains(key));
            let mut past = now.filter_map(|(key, file)| Some((self.past.get(key)?, file)));
            past.any(|(past, file)| past.has_held(file.entry.content))
        };
        is_owner || has_base() || has_some_of_it()
    }

    /// What will never come of a livery is in nobody's way. Returns those who claim their names anew.
    fn clear_livery(&mut self, livery: &str, outcome: &mut Outcome) -> Vec<Claimant> {
        let keys = self.entries.of_livery(livery).map(|entry| entry.path.key());
        let vain: Vec<_> = keys.filter(|key| self.is_vain(key)).cloned().collect();
        vain.iter().flat_map(|key| self.give_up(key, outcome)).collect()
    }

    /// Who claims a livery, in the order of the policy. What an update makes of it, others may have already.
    fn in_turn(
        &self,
        livery: &str,
        members: BTreeMap<MemberId, Vec<Claimant>>,
    ) -> Vec<Vec<Claimant>> {
        if members.len() == 1 {
            return members.into_values().collect();
        }
        let is_update = |claim: &Claimant| matches!(self.judge(claim), Verdict::Update);
        let ranked = members.into_iter().map(|(member, claims)| {
            let claim = Claim {
                hash: hash_of(livery, &self.files_of(livery, member, &claims), self),
                mtime: claims.iter().filter_map(|claim| claim.entry.mtime).max(),
                arrival: claims.iter().map(|claim| claim.arrival).min().unwrap_or_default(),
            };
            (!claims.iter().any(is_update), claim, claims)
        });
        let mut ranked: Vec<_> = ranked.collect();
        let policy = self.policy;
        ranked.sort_by(|(later, a, _), (other_later, b, _)| {
            let by_policy = b.beats(a, policy).cmp(&a.beats(b, policy));
            later.cmp(other_later).then(by_policy)
        });
        ranked.into_iter().map(|(_, _, claims)| claims).collect()
    }

    /// All that a member has of a livery, with what he claims at this moment.
    fn files_of(&self, livery: &str, member: MemberId, claims: &[Claimant]) -> Files {
        let (arrival, author) = claims.first().map_or((0, None), |c| (c.arrival, c.author));
        let claimant =
            |entry: Entry| Claimant { member, entry, base: None, arrival, author, returned: false };
        let current = self.entries.of_livery(livery).filter_map(|entry| {
            let local = entry.local_at(member, entry.path.key())?.clone();
            Some(claimant(Entry { path: local, ..(**entry).clone() }))
        });
        let stale = self.aside.stale_in(livery, member).map(|stale| match &stale.rival {
            Some((rival, _)) => rival.clone(),
            None => {
                let (path, content, mtime) = (stale.local.clone(), stale.content, stale.mtime);
                claimant(Entry { path, content, mtime })
            }
        });
        let elsewhere = of_livery(&self.elsewhere, livery);
        let elsewhere = elsewhere.filter_map(|(_, members)| Some(&members.get(&member)?.0));
        let kept = elsewhere.chain(self.aside.refused_in(livery, member)).chain(claims).cloned();
        let files = current.chain(stale).chain(kept);
        files.map(|claim| (claim.key().clone(), claim)).collect()
    }

    /// Gives a livery a folder of its own, or all of it the one that some of it has.
    fn divert(&mut self, livery: &str, claims: Vec<Claimant>, outcome: &mut Outcome) {
        let Some(member) = claims.first().map(|claim| claim.member) else { return };
        let files = self.files_of(livery, member, &claims);
        let names = match self.conflict_names(livery, member, &files) {
            Ok(names) => names,
            Err(invalid) => {
                for claim in claims {
                    self.refuse(claim, Refusal::NoName(invalid.clone()), outcome);
                }
                return;
            }
        };
        for (claim, name) in files.into_values().zip(names) {
            self.divert_file(claim, name, outcome);
        }
    }

    fn divert_file(&mut self, claim: Claimant, name: RelPath, outcome: &mut Outcome) {
        let Claimant { member, entry: Entry { path: local, content, .. }, .. } = claim.clone();
        let is_home = self.entries.get(local.key()).is_some_and(|entry| entry.content == content);
        self.lose(member, local.key(), content, outcome);
        if name.key() == local.key() {
            return self.place(claim, outcome);
        }
        if is_home {
            self.hold(member, local.key(), &local, outcome);
        } else {
            // Who goes elsewhere may have been the last who could have brought what is here.
            outcome.touched.insert(local.key().clone());
        }
        let is_replaced = self.is_replaced(name.key(), content);
        let is_there = is_replaced || self.entries.contains(name.key());
        if !is_there && !self.establish(name.clone(), &claim, Cause::Rival, outcome) {
            return;
        }
        if !is_home {
            self.count_for(claim, name.key(), outcome);
            outcome.conflicts.extend((!is_replaced).then_some((member, local, name)));
        } else if !is_replaced {
            self.hold(member, name.key(), &local, outcome);
        }
    }

    /// What the files of a rival livery are called, in the same order.
    fn conflict_names(
        &self,
        livery: &str,
        member: MemberId,
        files: &Files,
    ) -> Result<Vec<RelPath>, InvalidPath> {
        let spelled = self.entries.of_livery(livery).next().map(|entry| entry.path.livery());
        let own = || files.values().next().map(|claim| claim.entry.path.livery());
        let spelled = spelled.or_else(own).unwrap_or(livery);
        let in_folder = |folder: &str, claim: &Claimant| {
            let rest = &claim.entry.path.as_str()[claim.entry.path.livery().len()..];
            RelPath::parse(&format!("{folder}{rest}"), &self.naming.extensions)
        };
        let is_taken = |folder: &str| {
            // Most are free: what would lie there is looked at only if something does.
            let folder_key = fold(folder);
            let is_new = self.entries.of_livery(&folder_key).next().is_none()
                && of_livery(&self.past, &folder_key).next().is_none();
            !is_new
                && files.values().any(|claim| match in_folder(folder, claim) {
                    Ok(path) => self.has_another(&path, claim.entry.content),
                    // It is found invalid whatever the folder's number is.
                    Err(_) => false,
                })
        };
        let at_present = self.folder_of(livery, member).filter(|folder| !is_taken(folder));
        let folder = at_present.map_or_else(
            || {
                let hash = hash_of(livery, files, self);
                conflict_folder(spelled, hash, &self.naming.suffix, is_taken)
            },
            str::to_owned,
        );
        files.values().map(|claim| in_folder(&folder, claim)).collect()
    }

    /// The folder for which a member's files of a livery count at present, if it is one.
    fn folder_of(&self, livery: &str, member: MemberId) -> Option<&str> {
        let names = of_livery(&self.elsewhere, livery);
        let names = names.filter_map(|(_, members)| Some(&members.get(&member)?.1));
        let mut folders = names.filter_map(|name| Some(self.entries.get(name)?.path.livery()));
        let first = folders.next()?;
        folders.all(|folder| folder == first).then_some(first)
    }

    /// Whether a name is nothing for a content: it has another one and never had this, or could not lie there.
    fn has_another(&self, path: &RelPath, content: Content) -> bool {
        match self.entries.get(path.key()) {
            Some(entry) => entry.content != content && !self.knows(path.key(), content),
            None => self.entries.check(path).is_err(),
        }
    }

    /// What a member who comes back had left of a livery that went into a folder of its own, while another one has the
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
            let is_left = is_free && matches!(self.judge(&claim), Verdict::New | Verdict::Rival);
            match names.get(claim.key()).filter(|_| is_left) {
                Some(name) => self.count_for(claim, name, outcome),
                None => others.push(claim),
            }
        }
        others
    }

    /// The names under which what a member claims of a livery is, or was, in a folder of its own because of him, by his
    /// keys.
    fn names_left(&self, livery: &str, claims: &[Claimant]) -> BTreeMap<PathKey, PathKey> {
        let returned = claims.iter().filter(|claim| claim.returned);
        let returned = returned.map(|claim| (&claim.key().as_str()[livery.len()..], claim));
        let returned: BTreeMap<_, _> = returned.collect();
        if returned.is_empty() || self.entries.of_livery(livery).next().is_none() {
            return BTreeMap::new();
        }
        // Of several names one that has it still goes first.
        let mut names = BTreeMap::new();
        let suffix = fold(&self.naming.suffix);
        for (name, past) in with_prefix(&self.past, format!("{livery}{suffix}")) {
            let folder = name.livery();
            let claim = returned.get(&name.as_str()[folder.len()..]);
            let Some(claim) = claim.filter(|_| plain_stem(folder, &suffix) == livery) else {
                continue;
            };
            let content = claim.entry.content;
            if past.was_brought(content, claim.author) {
                let is_there = self.entries.get(name).is_some_and(|now| now.content == content);
                let best = names.entry(claim.key().clone()).or_insert((is_there, name));
                if is_there && !best.0 {
                    *best = (true, name);
                }
            }
        }
        names.into_iter().map(|(key, (_, name))| (key, name.clone())).collect()
    }

    /// What members have of liveries that went into folders of their own, where the livery itself has nothing, once
    /// they have it in that folder.
    pub(super) fn diverted(&self) -> impl Iterator<Item = (MemberId, &RelPath, Content)> {
        let free = self.elsewhere.iter().filter(|(key, _)| !self.entries.contains(key));
        free.flat_map(|(_, members)| members).filter_map(|(member, (claim, name))| {
            let is_there = self.entries.get(name)?.local_at(*member, name).is_some();
            is_there.then_some((*member, &claim.entry.path, claim.entry.content))
        })
    }

    /// Whether rivals may claim a name that is free by now: nothing of the livery is in the way of a whole one.
    pub(super) fn is_open(&self, key: &PathKey) -> bool {
        let is_loose = !key.as_str().contains('/');
        self.naming.scope == Scope::File
            || is_loose
            || self.entries.of_livery(key.livery()).next().is_none()
    }
}

fn hash_of(livery: &str, files: &Files, union: &Union) -> ContentHash {
    let contents = files.iter().map(|(key, claim)| (key, claim.entry.content));
    livery_hash(livery, contents, &union.naming.extensions)
}
