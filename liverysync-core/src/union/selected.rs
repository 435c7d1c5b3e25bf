//! The liveries that an admin means by globs and a member.

use std::collections::{BTreeMap, BTreeSet};

use super::Union;
use crate::{
    glob::Glob,
    league::{ActError, MemberId},
    path::fold,
};

/// Liveries and files as [`Act::Retire`](crate::league::Act::Retire) takes them, each with its owners or its author.
pub(super) type Selected = BTreeMap<String, BTreeSet<MemberId>>;

impl Union {
    /// Returns the liveries and files that an admin means: by their names and globs, or all; of one member if `from` says so.
    ///
    /// A member has the liveries that they own, those without an owner in which every file is theirs, and the conflict copies
    /// that they brought to liveries of others.
    ///
    /// # Errors
    ///
    /// Fails if a name or a glob means nothing, or if the member has nothing.
    // Seen as names and owners by `liverysync league retire`.
    #[doc(hidden)]
    pub fn select(
        &self,
        globs: &[String],
        from: Option<MemberId>,
    ) -> Result<BTreeMap<String, BTreeSet<MemberId>>, ActError> {
        let from = from.map(|from| self.present(from));
        let mut selected = Selected::new();
        let all = ["*".to_owned()];
        for named in if globs.is_empty() { &all[..] } else { globs } {
            let found = match named.contains('/') {
                true => self.select_file(named, from),
                false => self.select_liveries(named, from),
            };
            if found.is_empty() {
                return Err(match (from, named.contains('/')) {
                    (Some(member), _) => ActError::OwnsNothing { member },
                    (None, true) => ActError::NoFile { path: named.clone() },
                    (None, false) => ActError::NoLivery { livery: named.clone() },
                });
            }
            selected.extend(found);
        }
        Ok(selected)
    }

    fn select_file(&self, path: &str, from: Option<MemberId>) -> Selected {
        let Some(entry) = self.entries.get(&*fold(path)) else { return Selected::new() };
        let author = self.author_of(Some(&**entry));
        let is_meant = from.is_none_or(|from| author == Some(from));
        let file = (entry.path.as_str().to_owned(), author.into_iter().collect());
        is_meant.then_some(file).into_iter().collect()
    }

    fn select_liveries(&self, glob: &str, from: Option<MemberId>) -> Selected {
        let (glob, mut selected) = (Glob::new(glob), Selected::new());
        let keys: BTreeSet<_> =
            self.entries.iter().map(|entry| entry.path.key().livery()).collect();
        for livery in keys {
            if !glob.matches(&livery.chars().collect::<Vec<_>>()) {
                continue;
            }
            let owners = self.owners(livery).cloned().unwrap_or_default();
            match from {
                Some(from) if !self.is_of(livery, from) => {
                    let copies = self.entries.of_livery(livery).filter(|entry| {
                        self.is_conflict_copy(&entry.path)
                            && self.author_of(Some(&***entry)) == Some(from)
                    });
                    let copies = copies.map(|entry| entry.path.as_str().to_owned());
                    selected.extend(copies.map(|copy| (copy, BTreeSet::from([from]))));
                }
                _ => {
                    let spelled = self.entries.of_livery(livery).next();
                    let spelled = spelled.map(|entry| entry.path.livery().to_owned());
                    selected.extend(spelled.map(|spelled| (spelled, owners)));
                }
            }
        }
        selected
    }

    /// Returns true if a livery is a member's: they own it, or nobody does and all its files are theirs.
    fn is_of(&self, livery: &str, member: MemberId) -> bool {
        let mut files = self.entries.of_livery(livery);
        let is_theirs = |entry: &super::UnionEntry| self.author_of(Some(&**entry)) == Some(member);
        self.owns(Some(member), livery) || self.is_ownerless(livery) && files.all(is_theirs)
    }
}
