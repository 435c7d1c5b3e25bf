//! Lint: what breaks a rule of the league waits for an admin, if the league wants that.
//!
//! Only what changes is judged: a livery that was there before the rules stays. The size of a picture is in its bytes, so
//! changes wait until the server has all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, Union, UnionEntry, placing::Lineage};
use crate::{
    conflict::Scope,
    hash::Content,
    inspect::Inspection,
    league::{HeldLivery, Lint},
    lint::{Finding, LintFile, LintRules, lint, possible_originals},
    path::{PathKey, RelPath, fold},
};

/// Most files of a livery that are looked at beside those that change. The game has a dozen, and a peer must not make each change
/// of one file as expensive as its livery is large.
const JUDGED_MAX: usize = 500;

/// Files to judge, by key.
type Files<'a> = BTreeMap<&'a PathKey, (&'a RelPath, Content)>;

impl Union {
    /// Returns what is wrong with the liveries of the union, by the given rules.
    #[doc(hidden)]
    #[must_use]
    pub fn findings(&self, rules: &LintRules) -> Vec<Finding> {
        self.judge(&self.entries.iter().map(file).collect(), rules)
    }

    /// Returns what is wrong with a livery of the union, by the league's rules.
    #[cfg(feature = "server")]
    pub(crate) fn findings_of(&self, livery: &str) -> Vec<Finding> {
        self.judge_livery(livery, livery, self.files_in(livery))
    }

    /// Returns the member who brought what is wrong with a livery; for all of it, the one who brought its first file.
    #[cfg(feature = "server")]
    pub(crate) fn author_of_finding(
        &self,
        livery: &str,
        finding: &Finding,
    ) -> Option<crate::league::MemberId> {
        let path = finding.path.as_deref();
        let is_it = |entry: &&UnionEntry| path.is_none_or(|path| entry.path.as_str() == path);
        self.author(self.entries.of_livery(livery).find(is_it)?.path.key())
    }

    /// Returns the rules that a held livery breaks.
    #[doc(hidden)]
    #[must_use]
    pub fn findings_in(&self, hold: &HeldLivery) -> Vec<Finding> {
        self.lint_changes(&fold(&hold.livery), &super::held::claims_of(hold, super::held::ABSENT))
    }

    /// Returns true if the changes of one folder have to wait until the server can judge them.
    pub(super) fn is_to_lint<'a>(&self, claims: impl IntoIterator<Item = &'a Claimant>) -> bool {
        self.settings.lint == Lint::Hold
            && claims.into_iter().any(|claim| {
                !self.is_verified(claim.entry.content)
                    && !matches!(self.classify(claim), Lineage::Same | Lineage::Outdated)
            })
    }

    /// Returns the rules that the changes of one folder to a livery would break, if the league holds those.
    pub(super) fn lint_changes(&self, livery: &str, changes: &[Claimant]) -> Vec<Finding> {
        let Some(first) = changes.first().filter(|_| self.settings.lint == Lint::Hold) else {
            return Vec::new();
        };
        let in_conflict =
            |claim| matches!(self.classify(claim), Lineage::Conflict | Lineage::Foreign);
        let is_separated =
            self.settings.naming.scope == Scope::Livery && changes.iter().any(in_conflict);
        // A livery in conflict gets a folder of its own.
        let mut files = if is_separated { Files::new() } else { self.files_in(livery) };
        let before: BTreeSet<_> = self
            .judge_livery(livery, livery, files.clone())
            .into_iter()
            .filter(|finding| finding.path.is_none())
            .map(|finding| finding.kind())
            .collect();
        files.extend(
            changes.iter().map(|claim| (claim.key(), (&claim.entry.path, claim.entry.content))),
        );
        let changed: BTreeSet<_> = changes.iter().map(|claim| claim.key().as_str()).collect();
        let mut findings = self.judge_livery(livery, first.entry.path.livery(), files);
        findings.retain(|finding| match &finding.path {
            Some(path) => changed.contains(fold(path).as_str()),
            None => !before.contains(finding.kind()),
        });
        findings
    }

    /// Judges a livery beside those that it may be a copy of.
    fn judge_livery<'a>(&'a self, livery: &str, name: &str, mut files: Files<'a>) -> Vec<Finding> {
        for original in possible_originals(name).iter().filter(|original| *original != livery) {
            files.extend(self.files_in(original));
        }
        let mut findings = self.judge(&files, &self.settings.lint_rules);
        findings.retain(|finding| fold(&finding.livery) == livery);
        findings
    }

    fn judge(&self, files: &Files<'_>, rules: &LintRules) -> Vec<Finding> {
        let judged = files.values().map(|(path, content)| {
            let mut judged = LintFile::new(path.as_str(), content.size);
            judged.hash = Some(content.hash);
            let facts = self.facts(*content);
            judged.inspection =
                facts.map_or_else(Inspection::default, |facts| facts.named(path.as_str()));
            judged
        });
        let mut findings = lint(&judged.collect::<Vec<_>>(), rules);
        // Here each folder has one spelling. A member who spells it otherwise gets the league's.
        findings.retain(|finding| finding.kind() != "two-spellings");
        findings
    }

    fn files_in(&self, livery: &str) -> Files<'_> {
        self.entries.of_livery(livery).take(JUDGED_MAX).map(file).collect()
    }
}

fn file(entry: &UnionEntry) -> (&PathKey, (&RelPath, Content)) {
    (entry.path.key(), (&entry.path, entry.content))
}
