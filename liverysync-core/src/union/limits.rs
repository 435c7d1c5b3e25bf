//! Limits: how many liveries and bytes a member may bring, and how large a livery may be.
//!
//! A member has the files whose current content they brought, conflict copies included. What would exceed a limit is held:
//! an admin can approve it all the same. Members without a key cannot be told apart, so they count as one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, Union, placing::Lineage};
use crate::{
    conflict::Scope,
    league::{HoldCause, HoldReason, MemberId},
};

/// The sums of what members have in the union, kept with every record: to count anew for each report would cost as much as
/// the league has.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    members: BTreeMap<Option<MemberId>, MemberUsage>,
    /// Bytes of each livery, by its folded name.
    liveries: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default)]
struct MemberUsage {
    /// Number of the member's files in each livery.
    liveries: BTreeMap<String, usize>,
    bytes: u64,
}

impl Usage {
    pub(super) fn add(&mut self, livery: &str, author: Option<MemberId>, bytes: u64) {
        let member = self.members.entry(author).or_default();
        *member.liveries.entry(livery.to_owned()).or_default() += 1;
        member.bytes = member.bytes.saturating_add(bytes);
        let all = self.liveries.entry(livery.to_owned()).or_default();
        *all = all.saturating_add(bytes);
    }

    pub(super) fn remove(&mut self, livery: &str, author: Option<MemberId>, bytes: u64) {
        // Nothing stays of names that come and go: peers could make up new ones for ever.
        if let Some(member) = self.members.get_mut(&author) {
            member.bytes = member.bytes.saturating_sub(bytes);
            if let Some(files) = member.liveries.get_mut(livery) {
                *files -= 1;
                if *files == 0 {
                    member.liveries.remove(livery);
                }
            }
            if member.liveries.is_empty() {
                self.members.remove(&author);
            }
        }
        if let Some(all) = self.liveries.get_mut(livery) {
            *all = all.saturating_sub(bytes);
            if *all == 0 {
                self.liveries.remove(livery);
            }
        }
    }

    pub(super) fn merge(&mut self, former: MemberId, member: MemberId) {
        let Some(theirs) = self.members.remove(&Some(former)) else { return };
        let all = self.members.entry(Some(member)).or_default();
        all.bytes = all.bytes.saturating_add(theirs.bytes);
        for (livery, files) in theirs.liveries {
            *all.liveries.entry(livery).or_default() += files;
        }
    }
}

/// The sums that the claims let through in this round add to those of their members.
#[derive(Debug, Default)]
pub(super) struct Planned(BTreeMap<Option<MemberId>, (BTreeSet<String>, i128)>);

/// The liveries and bytes that the changes of one folder would add.
#[derive(Debug)]
pub(super) struct Demand {
    member: Option<MemberId>,
    /// The livery that its member would have more, if it is one.
    livery: Option<String>,
    bytes: i128,
    /// The bytes of the livery afterwards, if it grows.
    livery_bytes: Option<i128>,
}

impl Planned {
    pub(super) fn add(&mut self, demand: Demand) {
        let (liveries, bytes) = self.0.entry(demand.member).or_default();
        liveries.extend(demand.livery);
        *bytes += demand.bytes;
    }
}

impl Union {
    /// Returns what the claims of one folder would add.
    pub(super) fn demand(&self, livery: &str, claims: &[Claimant]) -> Demand {
        let member = claims.first().and_then(|claim| claim.member);
        let separates = self.settings.naming.scope == Scope::Livery
            && claims.iter().any(|claim| claim.entry.path.folder().is_some());
        let (mut bytes, mut growth, mut copy) = (0, 0, None);
        for claim in claims {
            let size = i128::from(claim.entry.content.size);
            match self.classify(claim) {
                Lineage::Same | Lineage::Outdated => continue,
                Lineage::Update => {
                    let entry = self.entries.get(claim.key());
                    let replaced = entry.map_or(0, |entry| i128::from(entry.content.size));
                    let is_own = self.author_of(entry.map(|entry| &**entry)) == member;
                    bytes -= if is_own { replaced } else { 0 };
                    growth += size - replaced;
                }
                Lineage::Conflict | Lineage::Foreign if separates => {
                    *copy.get_or_insert(0) += size;
                }
                Lineage::New | Lineage::Conflict | Lineage::Foreign => growth += size,
            }
            bytes += size;
        }
        let adds = match copy {
            Some(_) => !self.has_copy(livery, member),
            None => !claims.is_empty() && !self.has_livery(livery, member),
        };
        let now = i128::from(self.usage.liveries.get(livery).copied().unwrap_or_default());
        let livery_bytes = (growth > 0).then_some(now + growth).max(copy);
        // The folder of a conflict copy does not exist yet, so the name that it claims stands for it.
        Demand { member, livery: adds.then(|| livery.to_owned()), bytes, livery_bytes }
    }

    fn has_livery(&self, livery: &str, member: Option<MemberId>) -> bool {
        let usage = self.usage.members.get(&member);
        usage.is_some_and(|usage| usage.liveries.contains_key(livery))
    }

    /// Returns true if a member has a conflict folder of a livery.
    fn has_copy(&self, livery: &str, member: Option<MemberId>) -> bool {
        let Some(usage) = self.usage.members.get(&member) else { return false };
        self.settings.naming.folder_prefixes(livery).into_iter().any(|prefix| {
            let mut from = usage.liveries.range(prefix.clone()..);
            from.next().is_some_and(|(folder, _)| folder.starts_with(&prefix))
        })
    }

    /// Returns the limit that a folder's changes would exceed, together with what is planned already.
    pub(super) fn exceeded(&self, demand: &Demand, planned: &Planned) -> Option<HoldCause> {
        let limits = &self.settings.limits;
        let nothing = (BTreeSet::new(), 0);
        let (new, more) = planned.0.get(&demand.member).unwrap_or(&nothing);
        let usage = self.usage.members.get(&demand.member);
        let (liveries, bytes) =
            usage.map_or((0, 0), |usage| (usage.liveries.len(), i128::from(usage.bytes)));
        let is_new = demand.livery.as_ref().is_some_and(|livery| !new.contains(livery));
        let liveries = (liveries + new.len() + usize::from(is_new)) as i128;
        let checks = [
            (HoldReason::LiveryBytes, limits.livery_bytes, demand.livery_bytes),
            (HoldReason::MemberLiveries, limits.member_liveries, is_new.then_some(liveries)),
            (
                HoldReason::MemberBytes,
                limits.member_bytes,
                (demand.bytes > 0).then_some(bytes + more + demand.bytes),
            ),
        ];
        let exceeded = checks.into_iter().find(|(_, limit, would)| {
            limit.is_some_and(|limit| would.is_some_and(|would| would > i128::from(limit)))
        });
        exceeded.map(|(reason, limit, _)| HoldCause { limit, ..HoldCause::new(reason) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Peers can make up names for ever, also with empty files.
    #[test]
    fn nothing_stays_of_names_that_come_and_go() {
        let mut usage = Usage::default();
        let files = [("a", 7), ("a", 0), ("b", 0), ("c", 3)];
        files.iter().for_each(|(livery, bytes)| usage.add(livery, None, *bytes));
        assert_eq!((usage.members[&None].bytes, usage.liveries["a"]), (10, 7));
        files.iter().for_each(|(livery, bytes)| usage.remove(livery, None, *bytes));
        assert!(usage.members.is_empty() && usage.liveries.is_empty(), "{usage:?}");
    }
}
