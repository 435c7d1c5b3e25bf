//! Members who turned out to be one driver: what one of them published and owns is the other's from then on.

use super::{Outcome, PeerId, Union, UnionEntry, owners::Ownership};
use crate::league::{ActError, MemberId, Record};

impl Union {
    /// Returns the member that a member is now: another one after a merge.
    #[must_use]
    pub fn present(&self, member: MemberId) -> MemberId {
        self.merged.get(&member).copied().unwrap_or(member)
    }

    /// Merges members into another one. Returns the records of it.
    ///
    /// Members that are the same already are left out.
    pub fn merge_members(
        &mut self,
        former: impl IntoIterator<Item = MemberId>,
        member: MemberId,
    ) -> Vec<Record> {
        let mut outcome = Outcome::default();
        for former in former {
            // A merge before this one may have made them the same.
            let (former, member) = (self.present(former), self.present(member));
            if former != member {
                self.move_holds(former, member, &mut outcome);
                self.move_ban(former, member, &mut outcome);
                self.record(Record::Merged { former, member }, &mut outcome);
            }
        }
        outcome.records
    }

    pub(super) fn merge_member(
        &mut self,
        former: MemberId,
        member: MemberId,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let records = self.merge_members([former], member);
        if records.is_empty() {
            return Err(ActError::SameMember { member: self.present(member) });
        }
        outcome.records.extend(records);
        Ok(())
    }

    /// Notes that a peer has reported as a member, or, without one, that it may have left.
    pub(super) fn note_pc(&mut self, peer: PeerId, member: Option<MemberId>) {
        if let Some(member) = member {
            self.pcs.entry(self.present(member)).or_default().insert(peer);
            return;
        }
        self.pcs.retain(|_, pcs| {
            pcs.remove(&peer);
            !pcs.is_empty()
        });
    }

    /// Returns true if another connected PC of a member has the content of an entry.
    pub(super) fn is_on_other_pc(
        &self,
        entry: &UnionEntry,
        peer: PeerId,
        member: MemberId,
    ) -> bool {
        let pcs = self.pcs.get(&member).into_iter().flatten();
        pcs.filter(|other| **other != peer).any(|other| entry.local(*other).is_some())
    }

    pub(super) fn apply_merged(&mut self, former: MemberId, member: MemberId) {
        let renamed = |one: &mut MemberId| {
            if *one == former {
                *one = member;
            }
        };
        self.merged.values_mut().for_each(renamed);
        self.merged.insert(former, member);
        self.usage.merge(former, member);
        if let Some(pcs) = self.pcs.remove(&former) {
            self.pcs.entry(member).or_default().extend(pcs);
        }
        let owners = self.owners.values_mut().map(|ownership| &mut ownership.owners);
        for members in owners.chain(self.met.values_mut()) {
            if members.remove(&former) {
                members.insert(member);
            }
        }
        let versions = self.past.values_mut().flat_map(|past| &mut past.versions);
        let placed = versions.filter_map(|version| version.placed.as_mut());
        placed.filter_map(|placed| placed.author.as_mut()).for_each(renamed);
    }

    /// Gives a member everything that another one owns.
    pub(super) fn own_all(
        &mut self,
        former: MemberId,
        member: MemberId,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let (former, member) = (self.present(former), self.present(member));
        if former == member {
            return Err(ActError::SameMember { member });
        }
        let theirs = self.owners.values().filter(|one| one.owners.contains(&former));
        let theirs: Vec<_> = theirs.cloned().collect();
        if theirs.is_empty() {
            return Err(ActError::OwnsNothing { member: former });
        }
        for Ownership { livery, mut owners, .. } in theirs {
            owners.remove(&former);
            owners.insert(member);
            self.set_owners(&livery, owners, false, outcome);
        }
        Ok(())
    }

    /// Returns true if a member may not connect. A member who was merged is the one that they are now.
    #[must_use]
    pub fn is_banned(&self, member: MemberId) -> bool {
        self.banned.contains(&self.present(member))
    }

    pub(super) fn ban(&mut self, member: MemberId, outcome: &mut Outcome) {
        let member = self.present(member);
        if !self.banned.contains(&member) {
            self.record(Record::Banned { member, banned: true }, outcome);
        }
    }

    pub(super) fn unban(
        &mut self,
        member: MemberId,
        outcome: &mut Outcome,
    ) -> Result<(), ActError> {
        let member = self.present(member);
        if !self.banned.contains(&member) {
            return Err(ActError::NotBanned { member });
        }
        self.record(Record::Banned { member, banned: false }, outcome);
        Ok(())
    }

    pub(super) fn apply_banned(&mut self, member: MemberId, banned: bool) {
        if banned {
            self.banned.insert(member);
        } else {
            self.banned.remove(&member);
        }
    }

    /// Bans a member if a former one was banned: a merge does not let anybody back in.
    fn move_ban(&mut self, former: MemberId, member: MemberId, outcome: &mut Outcome) {
        if self.banned.contains(&former) {
            self.record(Record::Banned { member: former, banned: false }, outcome);
            self.ban(member, outcome);
        }
    }
}
