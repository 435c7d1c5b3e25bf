//! Offers to targets: the start of a session in which a target gets files.

use super::{
    Downloads, INSTALL_TIMEOUT,
    session::{Download, DownloadFile, FileState},
};
use crate::{
    path::PathKey,
    server::{Event, context::Context, league::union_file, protocol_1::push_file},
    union::PeerId,
    wire::messages::{Message, OfferedFile, Role, SyncId, SyncOffer},
};

impl Downloads {
    /// Opens a session in which a target gets files from the store, or copies files that it has under other names.
    pub(super) fn open(
        &mut self,
        cx: &mut Context,
        target: PeerId,
        keys: &[PathKey],
        copies: bool,
    ) {
        let Some(peer) = cx.peers.get_mut(target) else { return };
        let union = cx.league.union();
        let mut files = Vec::new();
        let mut offered = Vec::new();
        for key in keys {
            let Some(entry) = union.get(key) else { continue };
            // The target may have lost the file that it was to copy. The name stays missing, and is planned again.
            let copy_from = union.places(target, entry.content).next().filter(|_| copies);
            if copies && copy_from.is_none() {
                continue;
            }
            // Only for files that are offered: the numbers of a session have no gaps, so that a file is found by its
            // number.
            let transfer = peer.sessions.next_transfer();
            // Only this content may be replaced with a mere backup. Anything else that is there, such as an edit that the
            // union has not taken in, is in conflict.
            let outdated = peer.file_at(key);
            let outdated = outdated.filter(|own| union.is_outdated(target, key, own.content));
            offered.push(OfferedFile {
                info: union_file(entry),
                transfer: (!copies).then_some(transfer),
                copy_from: copy_from.map(|path| path.as_str().to_owned()),
                replaces: outdated.map(|own| own.content.hash.to_string()),
                conflict: if copies {
                    cx.league.lost_name(target, peer.identity.member, entry)
                } else {
                    None
                },
            });
            files.push(DownloadFile {
                path: entry.path.clone(),
                content: entry.content,
                transfer,
                // Nothing has to be sent for a copy: only the target's confirmation is awaited.
                state: if copies { FileState::Sent } else { FileState::Offered },
            });
        }
        if files.is_empty() {
            return;
        }
        if let Some(member) = peer.identity.member {
            cx.league.mark_offered(member, files.iter().map(|file| file.path.key()));
        }
        let (pushed, name) = (peer.identity.protocol.takes_all(), peer.identity.name.clone());
        let sync_id = cx.new_sync_id();
        if let Some(peer) = cx.peers.get_mut(target) {
            peer.sessions.downloads.insert(sync_id.clone());
        }
        if let Some(state) = self.targets.get_mut(&target) {
            state.under_way.extend(files.iter().map(|file| file.path.key().clone()));
        }
        send_offer(cx, &sync_id, target, (!pushed).then_some(offered));
        let bytes = files.iter().map(|file| file.content.size).sum();
        let count = files.len();
        if !copies {
            // From here on the store keeps the contents, however full it is.
            files.iter().for_each(|file| cx.store.add_reader(file.content));
        }
        if pushed {
            for file in &files {
                let file = (&file.path, file.content, file.transfer);
                push_file(cx, &sync_id, target, file);
            }
        }
        // A target that is offered files answers soon. One that copies answers once everything is installed.
        let patience = if copies { INSTALL_TIMEOUT } else { cx.config.timeouts.first_file };
        let deadline = cx.now + patience;
        let download = Download { target, files, copies, pushed, deadline };
        self.sessions.insert(sync_id.clone(), download);
        let target = Some(name);
        cx.event(Event::SessionBegan { sync_id, source: None, target, files: count, bytes });
    }
}

/// Tells a target that files will come; one that may choose among them, which ones.
fn send_offer(cx: &mut Context, sync_id: &SyncId, target: PeerId, files: Option<Vec<OfferedFile>>) {
    let current_hash = cx.union_hash_text();
    let Some(peer) = cx.peers.get(target) else { return };
    let offer = SyncOffer {
        sync_id: sync_id.clone(),
        role: Role::Target,
        current_hash,
        source_client_id: cx.store_id.clone(),
        target_client_id: peer.identity.client_id.clone(),
        files,
    };
    cx.transmit(target, Message::SyncOffer(offer));
}
