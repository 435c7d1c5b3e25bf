//! Files that the league has retired and that peers still have.

use std::{collections::BTreeMap, time::Duration};

use super::context::Context;
use crate::{
    path::PathKey,
    union::PeerId,
    wire::messages::{FileInfo, Message, Retire},
};

/// Wait before a client is told again to retire a file that it still has: its disk may be full, or the file open in another
/// program.
const RETIRE_RETRY: Duration = Duration::from_secs(30);

/// Tells clients which files to retire, once they do not need them to copy from.
pub(super) fn retire_unwanted(cx: &mut Context) {
    let now = cx.now;
    let router = cx.router();
    let mut unwanted: BTreeMap<PeerId, Vec<(PathKey, FileInfo)>> = BTreeMap::new();
    for (id, path, content) in cx.league.union().to_retire() {
        let Some(peer) = cx.peers.get(id) else { continue };
        let told_at = peer.retiring.get(path.key());
        let told = told_at.is_some_and(|at| now.since(*at) < RETIRE_RETRY);
        // A content that the peer misses under another name stays until it is copied there: that saves a download.
        if !told && !router.is_needed_by(peer, content) {
            let file = FileInfo::new(path.as_str(), content, None, true);
            unwanted.entry(id).or_default().push((path.key().clone(), file));
        }
    }
    for (id, files) in unwanted {
        let Some(peer) = cx.peers.get_mut(id) else { continue };
        let (keys, files): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        peer.retiring.extend(keys.into_iter().map(|key| (key, now)));
        cx.transmit(id, Message::Retire(Retire { files }));
    }
}
