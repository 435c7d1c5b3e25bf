//! Findings about the liveries that this PC brings. Each is reported once.
//!
//! Liveries that came from the league are left alone: their authors were told.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{IndexedFile, SyncedVersions};
use crate::{
    client::{Event, context::Context},
    hash::ContentHash,
    lint::{Finding, LintFile, LintRules, lint},
    path::{PathKey, fold},
    pathmap::PathMap,
    select::{Kind, Listed, Stamp},
};

/// The findings of the last scan, and what was installed and is not in sync yet.
#[derive(Debug, Default)]
pub(super) struct LintReport {
    reported: BTreeSet<Finding>,
    received: BTreeMap<PathKey, ContentHash>,
    /// The rules of the league, if it judges liveries. They replace those of the configuration.
    rules: Option<LintRules>,
}

impl LintReport {
    /// Notes that a content came from the league.
    pub(super) fn handle_installed(&mut self, key: &PathKey, hash: ContentHash) {
        self.received.insert(key.clone(), hash);
    }

    /// Takes the rules of the league. Returns true if they have changed.
    pub(super) fn handle_rules(&mut self, rules: Option<LintRules>) -> bool {
        let rules = rules.filter(LintRules::fit_league);
        let are_new = self.rules != rules;
        self.rules = rules;
        are_new
    }

    /// Judges the files that may be published after a scan, beside everything else that is listed, and reports what was not found
    /// before. Nothing is read for that.
    pub(super) fn handle_scan(
        &mut self,
        cx: &mut Context,
        files: &PathMap<IndexedFile>,
        listed: &[Listed],
        synced: &SyncedVersions,
        may_publish: impl Fn(&IndexedFile) -> bool,
    ) {
        self.received.retain(|key, hash| files.contains(key) && synced.get(key) != Some(*hash));
        let is_own = |file: &&IndexedFile| {
            let (key, hash) = (file.path.key(), Some(file.content.hash));
            let is_new = synced.get(key) != hash && self.received.get(key).copied() != hash;
            is_new && may_publish(file)
        };
        let own: BTreeSet<_> =
            files.iter().filter(is_own).map(|file| file.path.key().livery()).collect();
        let before = mem::take(&mut self.reported);
        // Most scans find what came from the league.
        if own.is_empty() {
            return;
        }
        let mut judged: Vec<_> = files.iter().map(judged).collect();
        judged.extend(listed.iter().filter_map(|item| unshared(item, files)));
        for finding in lint(&judged, self.rules.as_ref().unwrap_or(&cx.config.lint_rules)) {
            if !own.contains(fold(&finding.livery).as_str()) {
                continue;
            }
            if !before.contains(&finding) {
                cx.event(Event::Finding(finding.clone()));
            }
            self.reported.insert(finding);
        }
    }
}

fn judged(file: &IndexedFile) -> LintFile<'_> {
    let mut judged = LintFile::new(file.path.as_str(), file.content.size);
    judged.hash = Some(file.content.hash);
    judged.inspection = file.inspection;
    judged
}

/// Returns a listed file that is not shared.
fn unshared<'a>(item: &'a Listed, files: &PathMap<IndexedFile>) -> Option<LintFile<'a>> {
    let Kind::File(Stamp { size, .. }) = item.kind else { return None };
    // A second folder, in another case, may have files of the same names only.
    if files.get(&*fold(&item.path)).is_some_and(|file| file.path.as_str() == item.path) {
        return None;
    }
    let mut unshared = LintFile::new(&item.path, size);
    unshared.is_shared = false;
    Some(unshared)
}
