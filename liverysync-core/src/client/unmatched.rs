//! Globs that match no livery: a name that is spelled wrongly ignores or shares nothing, and its driver should know.

use std::collections::BTreeSet;

use super::{ClientConfig, Event, context::Context, folder::Folder};
use crate::path::first_component;

/// Most liveries that are remembered. The names come from a peer.
const LIVERIES_MAX: usize = 10_000;

/// The liveries that the league has offered and this PC ignores. Most of them are not in its folder.
#[derive(Debug, Default)]
pub(super) struct IgnoredOffers(BTreeSet<String>);

impl IgnoredOffers {
    pub(super) fn handle_offer(&mut self, path: &str) {
        let livery = first_component(path);
        if !self.0.contains(livery) && self.0.len() < LIVERIES_MAX {
            self.0.insert(livery.to_owned());
        }
    }

    pub(super) fn liveries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The lists that people were told about.
#[derive(Debug, Default)]
pub(super) struct UnmatchedGlobs {
    told_ignored: bool,
    told_shared: bool,
}

impl UnmatchedGlobs {
    /// Looks at a list of ignored liveries again.
    pub(super) const fn handle_ignored(&mut self) {
        self.told_ignored = false;
    }

    /// Looks at a list of shared liveries again.
    pub(super) const fn handle_shared(&mut self) {
        self.told_shared = false;
    }

    /// Tells people of globs that match neither a livery of this PC nor one of `others`, once for each list.
    pub(super) fn tell<'a>(
        &mut self,
        cx: &mut Context,
        folder: &'a Folder,
        others: impl Iterator<Item = &'a str>,
    ) {
        let ClientConfig { ignored, share, .. } = &cx.config;
        let mut events = Vec::new();
        if !std::mem::replace(&mut self.told_ignored, true) && ignored.globs().len() > 0 {
            events.push((false, ignored.unmatched(folder.liveries().chain(others))));
        }
        if let Some(share) = share
            && !std::mem::replace(&mut self.told_shared, true)
        {
            events.push((true, share.unmatched(folder.liveries())));
        }
        for (shared, mut globs) in events {
            // It is a choice, and no name.
            globs.retain(|glob| glob != "*");
            if !globs.is_empty() {
                cx.event(Event::GlobsUnmatched { shared, globs });
            }
        }
    }
}
