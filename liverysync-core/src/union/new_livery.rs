//! New liveries under retired names.
//!
//! Retiring a livery ends its lineage. A folder that only has what the league once had in it is an old copy, and goes. Any
//! other folder of that name is a new livery, and joins whole: its author may keep last season's material file and change
//! nothing but the picture.

use std::collections::BTreeMap;

use super::{Claimant, PeerId, Union, unplaced::OutdatedFile};
use crate::{hash::Content, manifest::Entry, path::PathKey, pathmap::of_livery};

impl Union {
    /// Marks the claims of new liveries under retired names. Adds the other files of their folders, which until now looked
    /// like those of an old copy.
    pub(super) fn begin_liveries(&mut self, claimants: Vec<Claimant>) -> Vec<Claimant> {
        let mut folders: BTreeMap<(String, PeerId), Vec<Claimant>> = BTreeMap::new();
        for claimant in claimants {
            let livery = claimant.key().livery().to_owned();
            folders.entry((livery, claimant.peer)).or_default().push(claimant);
        }
        let folders = folders.into_iter().flat_map(|((livery, peer), claims)| {
            if self.is_retired(&livery) && !self.is_old_copy(&livery, peer, &claims) {
                self.begin_livery(&livery, peer, claims)
            } else {
                claims
            }
        });
        folders.collect()
    }

    /// Returns true if a livery was retired, and nobody has begun another one of its name.
    fn is_retired(&self, livery: &str) -> bool {
        self.is_vacant(livery) && of_livery(&self.past, livery).any(|(_, past)| past.is_retired())
    }

    /// Returns true if a peer's folder only has contents that the retired livery had at the same names.
    fn is_old_copy(&self, livery: &str, peer: PeerId, claims: &[Claimant]) -> bool {
        let outdated = self.unplaced.outdated_in(livery, peer);
        let outdated = outdated.map(|file| (file.local.key(), file.content));
        let claims = self.unplaced.refused_in(livery, peer).chain(claims);
        let claims = claims.map(|claim| (claim.key(), claim.entry.content));
        outdated.chain(claims).all(|(key, content)| self.had(key, content))
    }

    /// Returns true if the league has or had a content under a name, or declined it. A content that nobody ever sent does not
    /// count: its author may be the only one who has it.
    pub(super) fn had(&self, key: &PathKey, content: Content) -> bool {
        self.past.get(key).is_some_and(|past| {
            past.declined.contains(&content) || self.is_verified(content) && past.knows(content)
        })
    }

    fn begin_livery(&mut self, livery: &str, peer: PeerId, claims: Vec<Claimant>) -> Vec<Claimant> {
        let Some(first) = claims.first().cloned() else { return claims };
        let outdated = self.unplaced.outdated_in(livery, peer).map(|file| {
            let OutdatedFile { local: path, content, mtime, .. } = file.clone();
            Claimant { entry: Entry { path, content, mtime }, ..first.clone() }
        });
        let others = outdated.chain(self.unplaced.refused_in(livery, peer).cloned());
        let mut files: BTreeMap<_, _> = others.map(|claim| (claim.key().clone(), claim)).collect();
        for key in files.keys() {
            self.unplaced.remove(peer, key);
        }
        files.extend(claims.into_iter().map(|claim| (claim.key().clone(), claim)));
        // What the folder was made of has ended with the retired livery.
        let begun = files.into_values();
        let begun =
            begun.map(|claim| Claimant { base: None, replaces: None, begins: true, ..claim });
        begun.collect()
    }
}
