//! Finding members by their names.

use std::collections::BTreeMap;

use liverysync_core::{
    league::{Conflict, MemberId},
    path::fold,
};

use super::{League, LeagueError};
use crate::database::LeagueDatabase;

/// Fewest digits by which a content is meant. A shorter text can only be a name.
const DIGITS_MIN: usize = 4;

impl League {
    /// Returns the member with this name, or with these digits.
    ///
    /// A name in the same letters is preferred to one that differs in case only.
    ///
    /// # Errors
    ///
    /// Fails if no member or several have the name, or if the league database cannot be read or is damaged.
    pub fn member(&mut self, name: &str) -> Result<MemberId, LeagueError> {
        if let Ok(member) = name.parse() {
            return Ok(member);
        }
        let names = self.names()?;
        let mut found = named(&names, |known| known == name);
        if found.is_empty() {
            found = named(&names, |known| fold(known) == fold(name));
        }
        match found[..] {
            [member] => Ok(member),
            [] => Err(LeagueError::NoMember { name: name.to_owned() }),
            _ => Err(LeagueError::SeveralMembers { name: name.to_owned(), members: found }),
        }
    }

    /// Returns the digits of the content that a member brought to the conflict at `path`, given the member's name. Returns
    /// any other text as it is.
    ///
    /// # Errors
    ///
    /// Fails if members of this name brought several contents, or if the league database cannot be read or is damaged.
    pub fn content_by(&mut self, path: &str, name: &str) -> Result<String, LeagueError> {
        let conflicts = self.conflicts()?.into_iter();
        let conflicts: Vec<_> =
            conflicts.filter(|one| one.path.key().as_str() == fold(path)).collect();
        let [Conflict { path: plain, established, copies, .. }] = &conflicts[..] else {
            return Ok(name.to_owned());
        };
        let established = established.map(|content| (plain, content));
        let sides =
            established.into_iter().chain(copies.iter().map(|(path, content)| (path, *content)));
        let sides: Vec<_> =
            sides.map(|(path, content)| (path.as_str().to_owned(), content.hash)).collect();
        let is_digits = name.len() >= DIGITS_MIN
            && sides.iter().any(|(_, hash)| hash.to_string().starts_with(&name.to_lowercase()));
        if is_digits {
            return Ok(name.to_owned());
        }
        let claimants = self.claimants(&conflicts)?;
        let theirs = |side: &&(String, _)| {
            claimants.get(*side).is_some_and(|claimant| fold(claimant) == fold(name))
        };
        let mut brought: Vec<_> =
            sides.iter().filter(theirs).map(|(_, hash)| hash.to_string()).collect();
        brought.sort_unstable();
        brought.dedup();
        match &brought[..] {
            [] => Ok(name.to_owned()),
            [digits] => Ok(digits.clone()),
            _ => Err(LeagueError::SeveralContents { path: path.to_owned(), name: name.to_owned() }),
        }
    }

    /// Returns the last name of each member.
    pub(super) fn names(&mut self) -> Result<BTreeMap<MemberId, String>, LeagueError> {
        let members = self.database.members()?.into_iter();
        Ok(members.map(|member| (member.member, member.name)).collect())
    }
}

fn named(names: &BTreeMap<MemberId, String>, is_it: impl Fn(&str) -> bool) -> Vec<MemberId> {
    names.iter().filter(|(_, known)| is_it(known)).map(|(member, _)| *member).collect()
}
