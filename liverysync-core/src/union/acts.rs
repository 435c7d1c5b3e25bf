//! The acts of an admin.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outcome, Union, past::Placed};
use crate::{
    hash::Content,
    league::{Act, ActError, ActReport, Cause, HoldState, MemberId, NameFault, Record, Setting},
    manifest::Entry,
    path::{PathKey, RelPath, first_component, fold},
    pathmap::of_livery,
};

/// Smallest number of digits by which a content or version can be named. With fewer, a slip would often name another one.
const DIGITS_MIN: usize = 4;

impl Union {
    /// Carries out an act of an admin.
    ///
    /// # Errors
    ///
    /// Returns the reason if the act cannot be done. Nothing has changed then.
    pub fn act(&mut self, act: &Act) -> Result<(ActReport, Outcome), ActError> {
        // An act can fail halfway, so it works on a copy. Acts are rare.
        let mut union = self.clone();
        let mut outcome = union.begin_step();
        union.check_not_frozen(act)?;
        match act {
            Act::Resolve { path, keep } => union.resolve(path, keep, &mut outcome)?,
            Act::Rename { livery, new } => union.rename(livery, new, &mut outcome)?,
            Act::Retire { liveries, confirmed } => {
                union.retire(liveries, *confirmed, &mut outcome)?;
            }
            Act::Replace { old, new } => union.replace(old, new, &mut outcome)?,
            Act::Restore { livery, version } => {
                union.restore(livery, version.as_deref(), &mut outcome)?;
            }
            Act::Set { setting, value } => union.set(*setting, value, &mut outcome)?,
            Act::Own { livery, member } => {
                union.add_owner(livery, union.present(*member), &mut outcome)?;
            }
            Act::OwnAll { former, member } => union.own_all(*former, *member, &mut outcome)?,
            Act::Merge { former, member } => union.merge_member(*former, *member, &mut outcome)?,
            Act::Approve { liveries, from } => {
                union.decide(liveries, *from, HoldState::Approved, &mut outcome)?;
            }
            Act::Reject { liveries, from } => {
                union.decide(liveries, *from, HoldState::Rejected, &mut outcome)?;
            }
            Act::Ban { member } => union.ban(*member, &mut outcome),
            Act::Unban { member } => union.unban(*member, &mut outcome)?,
            Act::Block { content } => union.block(content, &mut outcome)?,
            Act::Unblock { content } => union.unblock(content, &mut outcome)?,
        }
        // The act may have freed the names that were in the way of these files.
        let report = union.finish_act(&mut outcome);
        *self = union;
        Ok((report, outcome))
    }

    /// Carries out an act of a member, who may only do this with liveries that they own; `None` for a peer without a key.
    ///
    /// # Errors
    ///
    /// Returns the reason if the act cannot be done. Nothing has changed then.
    pub fn act_of(
        &mut self,
        member: Option<MemberId>,
        act: &Act,
    ) -> Result<(ActReport, Outcome), ActError> {
        self.check_act_of(member, act)?;
        // These acts check everything before they change anything. A copy of the union, as an admin's acts make it, would
        // cost more than the livery of one member is worth.
        let mut outcome = self.begin_step();
        match act {
            Act::Rename { livery, new } => self.rename(livery, new, &mut outcome)?,
            Act::Retire { liveries, .. } => self.retire(liveries, true, &mut outcome)?,
            Act::Replace { old, new } => self.replace(old, new, &mut outcome)?,
            _ => return Err(ActError::AdminOnly),
        }
        Ok((self.finish_act(&mut outcome), outcome))
    }

    /// Returns what an act of a member would do.
    ///
    /// # Errors
    ///
    /// As [`Union::act_of`].
    pub fn check_act_of(&self, member: Option<MemberId>, act: &Act) -> Result<ActReport, ActError> {
        self.check_not_frozen(act)?;
        let (placed, retired) = match act {
            Act::Rename { livery, new } => {
                self.check_owner(member, livery)?;
                let files = self.check_rename(livery, new)?.len();
                (files, if fold(livery) == fold(new) { 0 } else { files })
            }
            // Nobody owns nothing, and an empty act would still place all refused files again.
            Act::Retire { liveries, .. } if liveries.is_empty() => {
                return Err(ActError::NoLivery { livery: String::new() });
            }
            Act::Retire { liveries, .. } => {
                for named in liveries {
                    self.check_owner(member, named.split('/').next().unwrap_or(named))?;
                }
                (0, self.check_retire(liveries, true)?.len())
            }
            Act::Replace { old, new } => {
                self.check_owner(member, old)?;
                self.check_owner(member, new)?;
                let (old, new) = self.check_replace(old, new)?;
                (new.len(), old.len())
            }
            _ => return Err(ActError::AdminOnly),
        };
        Ok(ActReport { placed, retired })
    }

    fn check_owner(&self, member: Option<MemberId>, livery: &str) -> Result<(), ActError> {
        let key = self.find_livery(livery)?;
        if self.owns(member, &key) {
            return Ok(());
        }
        let owners = self.owners(&key).into_iter().flatten().map(ToString::to_string).collect();
        Err(ActError::NotOwner { livery: livery.to_owned(), owners })
    }

    /// Places the files again that an act has made room for, and counts what it did.
    fn finish_act(&mut self, outcome: &mut Outcome) -> ActReport {
        let refused = self.unplaced.take_refused();
        self.place_held(refused, outcome);
        let placed = |record: &&Record| matches!(record, Record::Placed { .. });
        let retired = |record: &&Record| matches!(record, Record::Retired { .. });
        ActReport {
            placed: outcome.records.iter().filter(placed).count(),
            retired: outcome.records.iter().filter(retired).count(),
        }
    }

    /// Refuses an act that would change a livery which is frozen.
    fn check_not_frozen(&self, act: &Act) -> Result<(), ActError> {
        match act {
            Act::Resolve { path, .. } => self.check_thawed(first_component(path)),
            Act::Rename { livery, new } => {
                self.check_thawed(livery).and_then(|()| self.check_thawed(new))
            }
            Act::Retire { liveries, .. } => {
                liveries.iter().try_for_each(|livery| self.check_thawed(first_component(livery)))
            }
            Act::Replace { old, new } => {
                self.check_thawed(old).and_then(|()| self.check_thawed(new))
            }
            Act::Restore { livery, .. } => self.check_thawed(livery),
            Act::Own { .. }
            | Act::OwnAll { .. }
            | Act::Merge { .. }
            | Act::Ban { .. }
            | Act::Unban { .. }
            // What nobody should see must go at once, even before a race.
            | Act::Block { .. }
            | Act::Unblock { .. }
            | Act::Set { .. }
            | Act::Approve { .. }
            | Act::Reject { .. } => Ok(()),
        }
    }

    /// Checks that a file could exist at a name.
    pub(super) fn check_name(&self, path: &RelPath) -> Result<(), ActError> {
        let is_there = self.entries.contains(path.key());
        let free = if is_there { Ok(()) } else { self.entries.check(path) };
        free.map_err(|collision| ActError::InvalidName {
            name: path.as_str().to_owned(),
            fault: collision.into(),
        })
    }

    pub(super) fn decline(&mut self, path: RelPath, content: Content, outcome: &mut Outcome) {
        let step = outcome.step;
        self.record(Record::Declined { step, path, content }, outcome);
    }

    /// Returns the member whose file has this name; `None` for a member without a key.
    #[must_use]
    pub fn author(&self, key: &PathKey) -> Option<MemberId> {
        self.author_of(self.entries.get(key).map(|entry| &**entry))
    }

    /// Returns the member who keeps a name that others claim too: the author of its file or, if no file has it, the first
    /// owner of its livery.
    #[must_use]
    pub fn keeper(&self, name: &RelPath) -> Option<MemberId> {
        match self.entries.get(name.key()) {
            Some(_) => self.author(name.key()),
            None => self.owner(name.livery()),
        }
    }

    /// Returns the first owner of a livery.
    #[must_use]
    pub fn owner(&self, livery: &str) -> Option<MemberId> {
        self.owners(&fold(livery))?.first().copied()
    }

    pub(super) fn author_of(&self, entry: Option<&Entry>) -> Option<MemberId> {
        let past = self.past.get(entry?.path.key())?;
        past.placed().next_back()?.author
    }

    fn rename(&mut self, livery: &str, new: &str, outcome: &mut Outcome) -> Result<(), ActError> {
        let renamed = self.check_rename(livery, new)?;
        if fold(livery) == fold(new) {
            let paths: Vec<_> = renamed.iter().map(|(_, path)| path).collect();
            self.respell_livery(&fold(livery), &paths, outcome);
            return Ok(());
        }
        for (file, path) in renamed {
            // A rename is no edit, so the admin does not become the author.
            let author = self.author_of(Some(&file));
            self.record_placed(Entry { path, ..file.clone() }, author, Cause::Renamed, outcome);
            self.record_retired(file.path, outcome);
        }
        self.copy_owners(&fold(livery), new, outcome);
        Ok(())
    }

    /// Returns the files of a livery, each with its name after a rename.
    fn check_rename(&self, livery: &str, new: &str) -> Result<Vec<(Entry, RelPath)>, ActError> {
        let key = self.find_livery(livery)?;
        let refused = |fault| ActError::InvalidName { name: new.to_owned(), fault };
        if new.contains('/') {
            return Err(refused(NameFault::Slash));
        }
        let new_key = fold(new);
        let is_same = key == new_key;
        let mut there = self.entries.of_livery(&new_key);
        if there.any(|file| !is_same || file.path.livery() == new) {
            return Err(refused(NameFault::Taken));
        }
        let renamed = self.entries.of_livery(&key).map(|file| {
            // In another case, nobody has to download it again.
            if !is_same {
                self.check_sent(file.path.as_str(), file.content)?;
            }
            let rest = &file.path.as_str()[file.path.livery().len()..];
            let path = RelPath::parse(&format!("{new}{rest}"), &self.settings.naming.extensions)
                .map_err(|invalid| refused(NameFault::Path(invalid.fault)))?;
            Ok((Entry::clone(file), path))
        });
        renamed.collect()
    }

    fn retire(
        &mut self,
        liveries: &[String],
        confirmed: bool,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        for path in self.check_retire(liveries, confirmed)? {
            self.record_retired(path, outcome);
        }
        Ok(())
    }

    /// Returns the files of liveries and single files, as they are named.
    fn check_retire(
        &self,
        named: &[String],
        confirmed: bool,
    ) -> Result<BTreeSet<RelPath>, ActError> {
        let (files, liveries): (Vec<_>, Vec<_>) = named.iter().partition(|one| one.contains('/'));
        let liveries = liveries.into_iter().map(|livery| self.find_livery(livery));
        let liveries = liveries.collect::<Result<BTreeSet<_>, _>>()?;
        let (retired, all) = (liveries.len(), self.entries.livery_count());
        let is_large_part = retired >= Act::MANY_OF_ALL && retired * 100 > all * Act::MANY_PERCENT;
        if !confirmed && (retired > Act::MANY || is_large_part) {
            return Err(ActError::Unconfirmed { retired, all });
        }
        let mut paths = BTreeSet::new();
        for path in files {
            let entry = self.entries.get(&*fold(path));
            let no_file = || ActError::NoFile { path: path.clone() };
            paths.insert(entry.ok_or_else(no_file)?.path.clone());
        }
        let whole = liveries.iter().flat_map(|livery| self.entries.of_livery(livery));
        paths.extend(whole.map(|entry| entry.path.clone()));
        Ok(paths)
    }

    /// Makes a livery the successor of another one. Both changes are in one step, by which the history links them.
    fn replace(&mut self, old: &str, new: &str, outcome: &mut Outcome) -> Result<(), ActError> {
        let (retired, files) = self.check_replace(old, new)?;
        for path in retired {
            self.record_retired(path, outcome);
        }
        for file in files {
            let author = self.author_of(Some(&file));
            self.record_placed(file, author, Cause::Succeeded, outcome);
        }
        Ok(())
    }

    /// Returns the names of a livery, and the files of its successor.
    fn check_replace(&self, old: &str, new: &str) -> Result<(Vec<RelPath>, Vec<Entry>), ActError> {
        let (old, key) = (self.find_livery(old)?, self.find_livery(new)?);
        if old == key {
            let (name, fault) = (new.to_owned(), NameFault::Taken);
            return Err(ActError::InvalidName { name, fault });
        }
        let files = self.entries.of_livery(&key).map(|file| {
            // Otherwise nobody could have either of them.
            self.check_sent(file.path.as_str(), file.content)?;
            Ok(Entry::clone(file))
        });
        let files = files.collect::<Result<_, _>>()?;
        let retired = self.entries.of_livery(&old).map(|file| file.path.clone());
        Ok((retired.collect(), files))
    }

    /// Returns the liveries that a livery was before: those that it succeeded, or whose name it had, each with the step of
    /// the change, latest first.
    // As `league::Version`.
    #[doc(hidden)]
    #[must_use]
    pub fn predecessors(&self, livery: &str) -> Vec<(String, u64)> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let mut at = Some((fold(livery), u64::MAX));
        while let Some((livery, before)) = at.take_if(|(livery, _)| seen.insert(livery.clone())) {
            let past = of_livery(&self.past, &livery).flat_map(|(_, past)| &past.versions);
            let is_link =
                |placed: &Placed| matches!(placed.cause, Cause::Renamed | Cause::Succeeded);
            let links = past.filter(|one| one.placed.as_ref().is_some_and(is_link));
            let link = links.map(|one| one.step).filter(|step| *step < before).max();
            // An act of this kind retires nothing but the livery that was there before.
            let is_retired = |step| {
                move |past: &&super::past::Past| {
                    past.versions.iter().any(|one| one.step == step && one.placed.is_none())
                }
            };
            at = link.and_then(|step| {
                let old = self.past.values().find(is_retired(step))?;
                found.push((old.path.livery().to_owned(), step));
                Some((old.path.key().livery().to_owned(), step))
            });
        }
        found
    }

    fn restore(
        &mut self,
        livery: &str,
        version: Option<&str>,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let key = fold(livery);
        let history = self.history(&key);
        if history.is_empty() {
            return Err(ActError::NoLivery { livery: livery.to_owned() });
        }
        let at = match version {
            // A livery may have had one version more than once.
            Some(version) => {
                let hashes: BTreeMap<_, _> =
                    history.iter().map(|known| (known.hash.clone(), known.step)).collect();
                let found = find(hashes.keys().cloned(), version)?;
                found.and_then(|found| hashes.into_values().nth(found))
            }
            None => {
                // Only of a retired livery is it obvious which version is meant.
                let retired = history.last().is_some_and(|last| last.files == 0);
                let before = history.iter().rev().find(|known| known.files > 0);
                before.filter(|_| retired).map(|known| known.step)
            }
        };
        let at = at.ok_or_else(|| match version {
            Some(version) => {
                ActError::NoVersion { livery: livery.to_owned(), version: version.to_owned() }
            }
            None => ActError::NotRetired { livery: livery.to_owned() },
        })?;
        // A version is restored whole: files that were added later go.
        let then = self.livery_at(&key, at);
        let now: Vec<_> = self.entries.of_livery(&key).map(|entry| entry.path.clone()).collect();
        for path in now.into_iter().filter(|path| !then.contains_key(path.key())) {
            self.record_retired(path, outcome);
        }
        for (key, (path, placed)) in then {
            if self.entries.get(&key).is_some_and(|entry| entry.content == placed.content) {
                continue;
            }
            if self.is_blocked(placed.content) {
                return Err(ActError::Blocked { path: path.as_str().to_owned() });
            }
            // Peers that have it as an outdated file become its holders, and can send it.
            if !self.is_held_outdated(&key, placed.content) {
                self.check_sent(path.as_str(), placed.content)?;
            }
            self.check_name(&path)?;
            let entry = Entry { path, content: placed.content, mtime: placed.mtime };
            self.record_placed(entry, placed.author, Cause::Restored, outcome);
        }
        Ok(())
    }

    /// Returns the files of a livery after a step.
    pub(super) fn livery_at(
        &self,
        livery: &str,
        step: u64,
    ) -> BTreeMap<PathKey, (RelPath, Placed)> {
        let files = of_livery(&self.past, livery).filter_map(|(key, past)| {
            let placed = past.at(step)?;
            Some((key.clone(), (past.path.clone(), placed.clone())))
        });
        files.collect()
    }

    fn set(
        &mut self,
        setting: Setting,
        value: &str,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let mut settings = self.settings.clone();
        settings.set(setting, value).map_err(|fault| ActError::InvalidSetting { fault })?;
        if settings != self.settings {
            let value = settings.value(setting);
            self.record(Record::Set { setting, value }, outcome);
        }
        Ok(())
    }

    fn add_owner(
        &mut self,
        livery: &str,
        member: MemberId,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let key = fold(livery);
        let known = of_livery(&self.past, &key).next().map(|(_, past)| past.path.livery());
        let known =
            known.ok_or_else(|| ActError::NoLivery { livery: livery.to_owned() })?.to_owned();
        let mut owners = self.owners(&key).cloned().unwrap_or_default();
        owners.insert(member);
        let owners = owners.into_iter().collect();
        self.record(Record::Owned { livery: known, owners, presumed: false }, outcome);
        Ok(())
    }

    /// Refuses to give a name to a content that the server has never received: its members would retire their copies before
    /// the server has one.
    pub(super) fn check_sent(&self, path: &str, content: Content) -> Result<(), ActError> {
        let sent = self.verified.contains_key(&content);
        sent.then_some(()).ok_or_else(|| ActError::NotSent { path: path.to_owned() })
    }

    /// Returns the key of a livery that is in the union.
    fn find_livery(&self, livery: &str) -> Result<String, ActError> {
        let key = fold(livery);
        let known = self.entries.of_livery(&key).next().is_some();
        known.then_some(key).ok_or_else(|| ActError::NoLivery { livery: livery.to_owned() })
    }
}

/// Finds the position of the only hash that begins with the given digits.
pub(super) fn find(
    hashes: impl Iterator<Item = String>,
    digits: &str,
) -> Result<Option<usize>, ActError> {
    let digits = digits.to_ascii_lowercase();
    let enough = digits.len() >= DIGITS_MIN;
    let mut fits = hashes.enumerate().filter(|(_, hash)| enough && hash.starts_with(&digits));
    match (fits.next(), fits.next()) {
        (Some(_), Some(_)) => Err(ActError::Ambiguous { digits }),
        (found, _) => Ok(found.map(|(index, _)| index)),
    }
}
