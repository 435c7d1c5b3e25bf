//! Corrections of a selection of files by what is published already, and by what is ignored.

use std::{collections::BTreeMap, mem};

use super::local_index::LocalIndex;
use crate::{
    client::LiveryGlobs,
    pathmap::PathMap,
    select::{Chosen, Kind, Listed, Reason, Selection, Skipped, Stamp},
};

/// Publishes known files that look like a placeholder only because the rest of their livery is not here yet.
/// Otherwise the client would take them back, and the server would send them again, forever.
pub(super) fn keep_published(selection: &mut Selection, listed: &[Listed], index: &LocalIndex) {
    if selection.skipped.iter().all(|item| item.reason != Reason::Placeholder) {
        return;
    }
    let stamps: BTreeMap<&str, Stamp> = listed
        .iter()
        .filter_map(|item| match item.kind {
            Kind::File(stamp) => Some((item.path.as_str(), stamp)),
            _ => None,
        })
        .collect();
    let skipped = mem::take(&mut selection.skipped);
    for item in skipped {
        let known = index.get_spelled(&item.path).filter(|known| {
            item.reason == Reason::Placeholder
                && known.path.as_str() == item.path
                && stamps.get(item.path.as_str()) == Some(&known.stamp)
        });
        let kept = known.map(|known| Chosen {
            path: known.path.clone(),
            stamp: known.stamp,
            change_tag: known.change_tag,
        });
        if kept.is_none_or(|kept| selection.publish.insert(kept).is_err()) {
            selection.skipped.push(item);
        }
    }
}

/// Takes ignored liveries out of what would be published. No livery decides what is selected of another one, so this may
/// come afterwards.
pub(super) fn leave_out_ignored(selection: &mut Selection, ignored: &LiveryGlobs) {
    if ignored.globs().len() == 0 {
        return;
    }
    let publish = mem::take(&mut selection.publish);
    let (ignored_files, wanted): (Vec<_>, Vec<_>) =
        publish.iter().cloned().partition(|file| ignored.covers(file.path.as_str()));
    selection.publish = PathMap::of_fitting(wanted);
    selection.skipped.retain(|item| !ignored.covers(&item.path));
    selection.skipped.extend(
        ignored_files
            .into_iter()
            .map(|file| Skipped { path: file.path.as_str().to_owned(), reason: Reason::Ignored }),
    );
}
