//! Conflict copies that their author has moved to a name of their own.
//!
//! Whoever loses a name is told to use another one. Once they do, everybody has the same files twice, and the conflict would
//! be listed for ever. So the copy under the conflict name is retired everywhere.

use std::collections::BTreeSet;

use super::{Change, Claimant, Outcome, PeerId, Union, UnionEntry};
use crate::{
    conflict::{in_claimed_livery, is_conflict_name, parse_conflict_name},
    hash::Content,
    league::MemberId,
    path::RelPath,
};

/// The contents that a member's peer has added or removed.
pub(super) struct Moves {
    member: MemberId,
    peer: PeerId,
    contents: BTreeSet<Content>,
}

impl Moves {
    /// Returns the content of a held file that may get its place now.
    pub(super) fn of_held(held: &Claimant) -> Option<Self> {
        let contents = BTreeSet::from([held.entry.content]);
        Some(Self { member: held.member?, peer: held.peer, contents })
    }

    /// Returns the contents that a change is about; `None` for a peer without a key, of which no conflict copy is known to be
    /// its own.
    pub(super) fn of(change: &Change) -> Option<Self> {
        let (member, peer) = (change.member?, change.peer);
        // Both, because the two halves of a move may come in different reports.
        let gained = change.gained.iter().map(|gained| gained.entry.content);
        let contents = change.lost.iter().map(|lost| lost.content).chain(gained).collect();
        Some(Self { member, peer, contents })
    }
}

impl Union {
    /// Retires the conflict copies that their author has moved.
    pub(super) fn retire_moved(&mut self, moves: &[Moves], outcome: &mut Outcome) {
        for moves in moves {
            for path in self.moved_copies(moves) {
                if !self.is_frozen(path.livery()) {
                    self.record_retired(path, outcome);
                }
            }
        }
    }

    /// Returns the names of the moved conflict copies. A conflict folder is moved as a whole or not at all.
    fn moved_copies(&self, moves: &Moves) -> Vec<RelPath> {
        let mut moved = Vec::new();
        let mut folders = BTreeSet::new();
        for content in &moves.contents {
            // Once for all conflict copies with this content: a hostile peer may have thousands of both.
            let homes = self.homes_of(*content, moves.peer);
            if homes.is_empty() {
                continue;
            }
            let copies = self.with_content(*content);
            for copy in copies.filter(|copy| self.is_copy_of(copy, moves.member)) {
                if in_claimed_livery(&copy.path, &self.settings.naming).is_none() {
                    let is_moved = self.is_file_moved(copy, &homes, moves.peer);
                    moved.extend(is_moved.then(|| copy.path.clone()));
                } else if folders.insert(copy.path.key().livery()) {
                    let files: Vec<_> = self.entries.of_livery(copy.path.key().livery()).collect();
                    if self.is_folder_moved(copy, &homes, &files, moves) {
                        moved.extend(files.into_iter().map(|file| file.path.clone()));
                    }
                }
            }
        }
        moved
    }

    /// Returns true if an entry is a conflict copy that `member` brought.
    fn is_copy_of(&self, entry: &UnionEntry, member: MemberId) -> bool {
        self.began_in_conflict(&entry.path)
            && is_conflict_name(&entry.path, &self.settings.naming)
            && self.author(entry.path.key()) == Some(member)
    }

    /// Returns true if a peer has a conflict copy beside an established file in another livery now.
    fn is_file_moved(&self, copy: &UnionEntry, homes: &BTreeSet<&str>, peer: PeerId) -> bool {
        let plain = parse_conflict_name(&copy.path, &self.settings.naming);
        let Some((plain, _)) = plain else { return false };
        // In the livery of either name, the file is a second copy and no livery of its own.
        let lost = [copy.path.key().livery(), plain.key().livery()];
        self.is_left(copy, peer) && homes.iter().any(|livery| !lost.contains(livery))
    }

    /// Returns true if a peer has all files of a conflict folder in one other livery now.
    fn is_folder_moved(
        &self,
        copy: &UnionEntry,
        homes: &BTreeSet<&str>,
        files: &[&UnionEntry],
        moves: &Moves,
    ) -> bool {
        let peer = moves.peer;
        let is_theirs =
            |file: &&UnionEntry| self.is_left(file, peer) && self.is_copy_of(file, moves.member);
        let is_in = |livery: &str| {
            files.iter().all(|file| {
                let there = self.entries.get(&*format!("{livery}{}", rest(file)));
                there.is_some_and(|there| there.content == file.content && is_at_home(there, peer))
            })
        };
        let claimed = in_claimed_livery(&copy.path, &self.settings.naming);
        let is_claimed =
            |livery: &str| claimed.as_ref().is_some_and(|plain| plain.key().livery() == livery);
        files.iter().all(is_theirs)
            && homes.iter().any(|livery| !is_claimed(livery) && is_in(livery))
    }

    /// Returns true if `peer` no longer has a conflict copy, and nobody has it under the name that it lost. A file that both
    /// liveries have in common has lost no name.
    fn is_left(&self, copy: &UnionEntry, peer: PeerId) -> bool {
        let places = copy.holders.places(&copy.path).into_iter();
        let mut places = places.map(|(holder, local)| (holder, local.key().clone()));
        places.all(|(holder, key)| match key == *copy.path.key() {
            true => holder != peer,
            false => self.is_home(holder, &key, copy.content),
        })
    }

    /// Returns the liveries in which `peer` has a content under the entry's very name, without conflict copies.
    fn homes_of(&self, content: Content, peer: PeerId) -> BTreeSet<&str> {
        let entries = self.with_content(content).filter(|entry| is_at_home(entry, peer));
        let own = entries.filter(|entry| !is_conflict_name(&entry.path, &self.settings.naming));
        own.map(|entry| entry.path.key().livery()).collect()
    }
}

/// Returns true if `peer` has an entry under the entry's very name.
fn is_at_home(entry: &UnionEntry, peer: PeerId) -> bool {
    entry.local_at(peer, entry.path.key()).is_some()
}

/// Returns the key of an entry without its livery: `/decals.png`.
fn rest(entry: &UnionEntry) -> &str {
    let key = entry.path.key();
    &key.as_str()[key.livery().len()..]
}
