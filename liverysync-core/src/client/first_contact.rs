//! The first contact with a league: whoever would publish many liveries that the league does not have is asked first.
//!
//! A folder often holds the liveries of other leagues, and what everybody has got is hard to take back. So the server is
//! asked what the league has before it is told what this PC has. Downloads go on whatever the answer is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, LiveryGlobs, Output, Outstanding, Role, context::Context, folder::Folder};
use crate::{
    hash::ContentHash,
    path::{count_liveries, fold},
    wire::messages::{FileInfo, ManifestFull},
};

/// Most names in an event.
const NAMES_MAX: usize = 100;

/// The question whether to publish liveries that the league does not have.
#[derive(Debug, Default)]
pub(super) struct FirstContact {
    /// Set while the server is asked what the league has. Nothing is published until then.
    asking: bool,
    /// Set once it is known what the league has, over this link.
    compared: bool,
    /// The liveries that wait for the driver, as they were told.
    waiting: BTreeSet<String>,
}

impl FirstContact {
    /// Begins a link. Returns whether the server has to be asked what the league has before anything is published.
    pub(super) fn handle_welcome(&mut self, cx: &mut Context, folder: &mut Folder) -> bool {
        (self.asking, self.compared) = (false, false);
        if cx.config.dry_run {
            return false;
        }
        // Whatever the league has, there is nothing to ask.
        if has_choice(cx) && folder.is_settled() && needed(folder).is_none() {
            self.share_all(cx, folder);
        }
        if folder.shares_all() {
            return false;
        }
        // Protocol 1 does not tell. Everything counts as new then, until the server brings it.
        self.asking = cx.speaks_v2();
        self.compared = !self.asking;
        if self.compared && has_choice(cx) {
            self.check(cx, folder);
        }
        self.asking
    }

    /// Ends a link.
    pub(super) const fn handle_link_down(&mut self) {
        (self.asking, self.compared) = (false, false);
    }

    /// Returns whether the server is asked what the league has.
    pub(super) const fn is_asking(&self) -> bool {
        self.asking
    }

    /// Takes what the league has.
    pub(super) fn handle_union(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        union: &ManifestFull,
    ) {
        (self.asking, self.compared) = (false, true);
        folder.handle_league(files_of(union));
        if has_choice(cx) {
            self.check(cx, folder);
        }
    }

    /// Decides again after a scan. Returns whether more is published than before.
    pub(super) fn handle_scanned(&mut self, cx: &mut Context, folder: &mut Folder) -> bool {
        self.compared && has_choice(cx) && self.check(cx, folder)
    }

    /// Takes the driver's choice.
    pub(super) fn handle_chosen(&mut self) {
        self.waiting.clear();
    }

    /// Returns the liveries that wait for the driver.
    pub(super) fn outstanding(&self) -> impl Iterator<Item = Outstanding> {
        self.waiting.iter().map(|livery| outstanding(livery))
    }

    /// Shares everything if there is nothing to ask, and returns whether it does. Otherwise people are told what waits.
    fn check(&mut self, cx: &mut Context, folder: &mut Folder) -> bool {
        // The rest of what is being copied in belongs to the question.
        if !folder.is_settled() {
            return false;
        }
        let Some(needed) = needed(folder) else {
            self.share_all(cx, folder);
            return true;
        };
        let liveries = undecided(folder);
        if self.waiting != liveries {
            self.waiting = liveries;
            cx.event(needed);
        }
        false
    }

    fn share_all(&mut self, cx: &mut Context, folder: &mut Folder) {
        self.waiting.clear();
        share_all(cx, folder);
        cx.push(Output::RememberShare(LiveryGlobs::all()));
    }
}

/// Returns whether the driver has still to choose what they share.
fn has_choice(cx: &Context) -> bool {
    cx.config.share.is_none() && cx.config.only != Some(Role::Target)
}

/// Shares all liveries from now on.
fn share_all(cx: &mut Context, folder: &mut Folder) {
    cx.config.share = Some(LiveryGlobs::all());
    folder.share(LiveryGlobs::all());
}

/// Decides for a dry run, which knows what the league has. Returns the liveries that wait for the driver.
pub(super) fn decide_dry(
    cx: &mut Context,
    folder: &mut Folder,
    union: &ManifestFull,
) -> Vec<Outstanding> {
    folder.handle_league(files_of(union));
    if !has_choice(cx) {
        return Vec::new();
    }
    if needed(folder).is_none() {
        share_all(cx, folder);
        return Vec::new();
    }
    undecided(folder).iter().map(|livery| outstanding(livery)).collect()
}

/// Returns what to tell people, if so many liveries are undecided that they have to choose.
fn needed(folder: &Folder) -> Option<Event> {
    let files = folder.undecided();
    let liveries = count_liveries(files.iter().map(|file| file.path.key()));
    if liveries <= LiveryGlobs::UNASKED_MAX {
        return None;
    }
    let mut names: Vec<_> = files.iter().map(|file| file.path.livery().to_owned()).collect();
    names.dedup_by_key(|name| fold(name));
    names.truncate(NAMES_MAX);
    let bytes = files.iter().map(|file| file.content.size).sum();
    Some(Event::ShareNeeded { liveries, files: files.len(), bytes, names })
}

/// Returns the names of the liveries that wait for the driver.
fn undecided(folder: &Folder) -> BTreeSet<String> {
    folder.undecided().iter().map(|file| file.path.livery().to_owned()).collect()
}

fn files_of(union: &ManifestFull) -> BTreeMap<String, ContentHash> {
    let file = |file: &FileInfo| Some((fold(&file.rel_path), file.sha256.parse().ok()?));
    union.manifest.iter().filter_map(file).collect()
}

fn outstanding(livery: &str) -> Outstanding {
    let reason = "the league does not have it, and you have not chosen what to share".to_owned();
    Outstanding::ShareNeeded { path: livery.to_owned(), reason }
}
