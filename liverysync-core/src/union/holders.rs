//! Who holds the content of an entry. Nearly all do at the entry's own path, so only the others cost
//! more than a bit.

use std::collections::{BTreeMap, BTreeSet};

use super::{MemberId, members::Members};
use crate::path::{PathKey, RelPath};

/// The holders of one content. `home` is the path of its entry, the same in every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holders {
    members: Members,
    /// All places of those that have it elsewhere than at home, or not only there.
    places: BTreeMap<MemberId, BTreeSet<RelPath>>,
}

impl Holders {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The holders with one place of each.
    pub(super) fn iter<'a>(
        &'a self,
        home: &'a RelPath,
    ) -> impl Iterator<Item = (MemberId, &'a RelPath)> {
        self.members.iter().map(move |member| (member, self.place(home, member)))
    }

    /// The holders with all places of each.
    pub(super) fn places(&self, home: &RelPath) -> Vec<(MemberId, RelPath)> {
        let mut all = Vec::with_capacity(self.len());
        for member in self.members.iter() {
            match self.places.get(&member) {
                Some(places) => all.extend(places.iter().map(|place| (member, place.clone()))),
                None => all.push((member, home.clone())),
            }
        }
        all
    }

    /// Where `member` has the content, if it does.
    pub(super) fn local<'a>(&'a self, home: &'a RelPath, member: MemberId) -> Option<&'a RelPath> {
        self.members.contains(member).then(|| self.place(home, member))
    }

    /// Where a holder has the content: at home in whatever spelling if it can be found there.
    fn place<'a>(&'a self, home: &'a RelPath, member: MemberId) -> &'a RelPath {
        let Some(places) = self.places.get(&member) else { return home };
        let at_home = places.iter().find(|place| place.key() == home.key());
        at_home.or_else(|| places.first()).unwrap_or(home)
    }

    /// How `member` spells the path at which it has the content, if it is at this key.
    pub(super) fn at<'a>(
        &'a self,
        home: &'a RelPath,
        member: MemberId,
        key: &PathKey,
    ) -> Option<&'a RelPath> {
        if !self.members.contains(member) {
            return None;
        }
        match self.places.get(&member) {
            Some(places) => places.iter().find(|place| place.key() == key),
            None => Some(home).filter(|home| home.key() == key),
        }
    }

    /// Takes note that `member` has the content at `local`, perhaps among other places.
    pub(super) fn add(&mut self, home: &RelPath, member: MemberId, local: &RelPath) {
        let is_new = self.members.insert(member);
        if is_new && local == home {
            return;
        }
        let places = self.places.entry(member).or_default();
        if !is_new && places.is_empty() {
            places.insert(home.clone());
        }
        places.insert(local.clone());
    }

    /// Takes note that `member` has nothing at `key` any more. Returns whether it had.
    pub(super) fn remove(&mut self, home: &RelPath, member: MemberId, key: &PathKey) -> bool {
        if !self.members.contains(member) {
            return false;
        }
        let Some(places) = self.places.get_mut(&member) else {
            let had = home.key() == key;
            if had {
                self.members.remove(member);
            }
            return had;
        };
        let had = places.len();
        places.retain(|place| place.key() != key);
        let left = places.len();
        if left == 0 {
            self.members.remove(member);
        }
        if left == 0 || places.iter().eq([home]) {
            self.places.remove(&member);
        }
        left < had
    }
}
