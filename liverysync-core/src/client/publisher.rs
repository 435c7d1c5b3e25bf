//! Tells the server which files this PC has: their hash in HELLO, the whole list, or the changes.
//!
//! Each message about files has a revision, and the server's status names the revision that it is about. So an old status
//! is never taken for a new one.

use std::collections::BTreeSet;

use super::{
    context::Context,
    downloads::{Download, Downloads},
    folder::Folder,
    protocol_1::{Dialect, Pause},
};
use crate::{
    league::MemberKey,
    manifest::{Entry, Manifest},
    path::RelPath,
    text::limit_name,
    time::Wake,
    wire::messages::{
        BUILD, FileInfo, Hello, ManifestChanges, ManifestFull, ManifestSummary, Message,
        RequestManifest, SyncDone, SyncId, SyncStatus,
    },
};

/// The server's knowledge of this PC, over this link.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// The files that the server knows of; `None` before it has greeted.
    published: Option<Manifest>,
    /// The number of the last message about files.
    revision: u64,
    /// Set while changes wait for the end of a session, which may report them itself.
    deferred: bool,
    /// Set to send HELLO again after the next scan.
    greets_again: bool,
    pause: Pause,
}

impl Publisher {
    /// Greets. `asks` is set if the server has to say what the league has before it is told what this PC has.
    pub(super) fn handle_welcome(&mut self, cx: &mut Context, folder: &Folder, asks: bool) {
        // The server, too, starts counting again on each link.
        self.revision = 0;
        self.greet(cx, folder, !asks);
        if cx.config.dry_run || asks {
            cx.transmit(Message::RequestManifest(RequestManifest::default()));
        } else if cx.speaks_v2() {
            // The server asks for the files if it does not know the hash in HELLO.
            self.published = Some(folder.manifest().clone());
        } else {
            self.publish(cx, folder);
        }
    }

    pub(super) fn handle_link_down(&mut self) {
        self.published = None;
        // The next link begins with all files, so no change is pending.
        self.deferred = false;
        self.pause.reset();
    }

    /// Greets again after the next scan, once it has found this PC's files of the liveries that the driver no longer
    /// ignores. HELLO lets the server offer what this PC has refused.
    pub(super) const fn handle_ignored(&mut self) {
        self.greets_again = true;
    }

    /// Greets again because this PC can install what it could not before, after the next scan if one is under way.
    pub(super) fn handle_unblocked(&mut self, cx: &mut Context, folder: &Folder) {
        self.greets_again = !folder.is_settled();
        if !self.greets_again {
            self.greet_again(cx, folder);
        }
    }

    /// Says HELLO again, with which the server forgets what this PC has refused. A status from before that is out of date.
    fn greet_again(&mut self, cx: &mut Context, folder: &Folder) {
        self.hello(cx, folder);
        if cx.speaks_v2() && self.published.is_some() {
            self.revision += 1;
            let (revision, removed, changed) = (self.revision, Vec::new(), Vec::new());
            cx.transmit(Message::ManifestChanges(ManifestChanges { revision, removed, changed }));
        }
    }

    /// Tells the server what a scan has found.
    pub(super) fn handle_scanned(
        &mut self,
        cx: &mut Context,
        folder: &Folder,
        downloads: &Downloads,
    ) {
        self.publish_changes(cx, folder, downloads);
        if self.greets_again && folder.is_settled() {
            self.greets_again = false;
            self.greet_again(cx, folder);
        }
    }

    /// Tells the server what a session has brought.
    pub(super) fn handle_download_ended(
        &mut self,
        cx: &mut Context,
        folder: &Folder,
        downloads: &Downloads,
        sync_id: &SyncId,
        session: &Download,
    ) {
        if session.is_stalled() {
            self.pause.begin(cx.now.time);
            // Without a manifest: `protocol_1::pause` tells why.
            done(cx, folder, sync_id);
        } else if session.over || !cx.link.is_up() {
            // The server has forgotten the session.
            self.publish_changes(cx, folder, downloads);
        } else if session.is_listed() {
            // The server knows these contents, and notes by itself that this PC has them.
            if let Some(published) = &mut self.published {
                for file in session.installed() {
                    let entry = file.entry();
                    let as_told = spelled_by_server(cx, published, &entry.path, &file.offered);
                    // The server cannot know how a folder without shared files is spelled.
                    self.deferred |= as_told != entry.path;
                    // It fits: the file is in place beside the others.
                    let _fits = published.replace(Entry { path: as_told, ..entry });
                }
            }
            self.revision += 1;
            cx.transmit(Message::SyncDone(SyncDone {
                sync_id: sync_id.clone(),
                revision: Some(self.revision),
                installed: Some(session.installed().map(|file| file.offered.clone()).collect()),
                ..SyncDone::default()
            }));
            if self.deferred {
                self.deferred = false;
                self.publish_changes(cx, folder, downloads);
            }
        } else {
            self.pause.reset();
            // Before SYNC_DONE, which makes the server look at the last manifest.
            self.publish(cx, folder);
            done(cx, folder, sync_id);
        }
    }

    /// Tells a server of protocol 1 what this PC has after it asked for a file that this PC does not have. It would
    /// ask again at once, so this ends a pause early.
    pub(super) fn handle_unsent(&mut self, cx: &mut Context, folder: &Folder) {
        self.pause.reset();
        self.publish(cx, folder);
    }

    /// Tells a server of protocol 1 what this PC has, once it has waited long enough for that.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context, folder: &Folder) {
        if self.pause.handle_timeout(cx.now.time) {
            self.publish(cx, folder);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Wake> {
        self.pause.next_wake()
    }

    /// Notes which files are in sync, if the status is about the last revision.
    pub(super) fn handle_status(
        &self,
        cx: &Context,
        folder: &mut Folder,
        status: &SyncStatus,
        outdated: &[String],
    ) {
        if let Some(published) = &self.published
            && self.is_current(status)
            && !cx.config.dry_run
        {
            folder.handle_synced(cx, published, outdated);
        }
    }

    /// Returns whether a status is about the last revision.
    pub(super) const fn is_current(&self, status: &SyncStatus) -> bool {
        self.revision == status.revision
    }

    pub(super) fn hello(&self, cx: &mut Context, folder: &Folder) {
        self.greet(cx, folder, true);
    }

    /// Sends HELLO, without a hash if nothing is to be said about files yet.
    fn greet(&self, cx: &mut Context, folder: &Folder, says_hash: bool) {
        let version = cx.link.dialect().and_then(Dialect::version);
        // A dry run only looks. It must not appear as a member who has no files.
        let takes_part = !cx.config.dry_run;
        let says_hash = says_hash && takes_part;
        let key = cx.config.keys.member.as_ref().filter(|_| takes_part && version.is_some());
        let former = cx.config.keys.former.iter().filter(|_| key.is_some());
        let hello = Hello {
            member_key: key.map(MemberKey::to_hex),
            former_keys: former.map(MemberKey::to_hex).collect(),
            steam_id: cx.config.steam_id.clone(),
            client_name: limit_name(&cx.config.name).to_owned(),
            manifest_hash: if says_hash { folder.hash().to_string() } else { String::new() },
            liverysync: version,
            build: version.map(|_| BUILD),
            only: cx.config.only.filter(|_| version.is_some()),
        };
        cx.transmit(Message::Hello(hello));
    }

    /// Tells the server about all files of this PC.
    pub(super) fn publish(&mut self, cx: &mut Context, folder: &Folder) {
        if self.pause.is_on() {
            // Its end publishes them.
            return;
        }
        let manifest = folder.manifest().clone();
        let speaks_v2 = cx.speaks_v2();
        if !speaks_v2 {
            cx.transmit(Message::ManifestSummary(ManifestSummary {
                manifest_hash: folder.hash().to_string(),
                file_count: manifest.len() as u64,
                total_bytes: manifest.total_bytes(),
            }));
        }
        self.revision += 1;
        cx.transmit(Message::ManifestFull(ManifestFull {
            revision: speaks_v2.then_some(self.revision),
            manifest: manifest.iter().map(|entry| describe(folder, entry, speaks_v2)).collect(),
            ..ManifestFull::default()
        }));
        self.published = Some(manifest);
    }

    /// Tells the server about changes that it cannot know of. What an open session brings is reported when it ends: until
    /// then the server would take it for an edit of this driver.
    pub(super) fn publish_changes(
        &mut self,
        cx: &mut Context,
        folder: &Folder,
        downloads: &Downloads,
    ) {
        let Some(published) = self.published.as_mut().filter(|_| cx.link.is_up()) else { return };
        let (difference, respelled) = published.diff_spelled(folder.manifest());
        let reported_later: BTreeSet<_> = downloads.paths_to_report().collect();
        let is_due = |entry: &Entry| !reported_later.contains(entry.path.key());
        let changed = difference.different.into_iter().chain(respelled).map(|(_, new)| new);
        let (changed, changed_later): (Vec<_>, Vec<_>) =
            difference.missing.into_iter().chain(changed).partition(is_due);
        let (removed, removed_later): (Vec<_>, Vec<_>) =
            difference.extra.into_iter().partition(is_due);
        self.deferred |= !changed_later.is_empty() || !removed_later.is_empty();
        if changed.is_empty() && removed.is_empty() {
            return;
        }
        if !cx.speaks_v2() {
            return self.publish(cx, folder);
        }
        self.revision += 1;
        let message = ManifestChanges {
            revision: self.revision,
            removed: removed.iter().map(|entry| entry.path.as_str().to_owned()).collect(),
            changed: changed.iter().map(|entry| describe(folder, entry, true)).collect(),
        };
        for entry in removed {
            published.remove(entry.path.key());
        }
        for entry in changed {
            // It fits: the index has it beside the same files.
            let _fits = published.replace(entry);
        }
        cx.transmit(Message::ManifestChanges(message));
    }
}

/// Returns the path under which the server enters a file that a session has installed into its record of this PC.
fn spelled_by_server(cx: &Context, told: &Manifest, path: &RelPath, offered: &str) -> RelPath {
    if let Some(before) = told.get(path.key()) {
        return before.path.clone();
    }
    let extensions = &cx.config.rules.extensions;
    let offered = RelPath::parse(offered, extensions);
    let guess = offered.and_then(|offered| RelPath::parse(&told.respell(&offered), extensions));
    guess.unwrap_or_else(|_| path.clone())
}

/// Tells a server of protocol 1 that a session is over.
fn done(cx: &mut Context, folder: &Folder, sync_id: &SyncId) {
    cx.transmit(Message::SyncDone(SyncDone {
        sync_id: sync_id.clone(),
        new_manifest_hash: folder.hash().to_string(),
        ..SyncDone::default()
    }));
}

/// Describes a file to the server, on protocol 2 with the version that it was made from.
fn describe(folder: &Folder, entry: &Entry, speaks_v2: bool) -> FileInfo {
    let mut info = FileInfo::new(entry.path.as_str(), entry.content, entry.mtime, speaks_v2);
    // A file that is its own base is no edit.
    let base = folder.synced().get(entry.path.key()).filter(|base| *base != entry.content.hash);
    info.base = base.filter(|_| speaks_v2).map(|base| base.to_string());
    info.renamed = speaks_v2 && folder.is_renamed(entry.path.key());
    info
}
