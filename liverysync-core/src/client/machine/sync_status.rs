//! How this PC stands to the union.

use super::*;

impl ClientMachine {
    pub(super) fn server_state(&mut self, state: ServerState) {
        match state.sync_status {
            Some(sync_status) => {
                self.sync_status = Some(sync_status);
                self.learn_bases(&sync_status, &state.outdated);
                let SyncStatus { missing, missing_bytes, needed_by_others, withheld, .. } =
                    sync_status;
                self.cx.event(Event::SyncStatus {
                    missing,
                    missing_bytes,
                    needed_by_others,
                    withheld,
                });
            }
            None => self.old_state = Some(state.current_hash),
        }
    }

    /// What the server knows of this PC is in sync, but for what is `behind`.
    fn learn_bases(&mut self, sync_status: &SyncStatus, behind: &[String]) {
        let Some(published) = &self.published else { return };
        if sync_status.revision == self.revision && !self.cx.config.dry_run {
            self.folder.handle_synced(&self.cx, published, behind);
        }
    }

    /// Tells people once when this PC holds the union and nobody needs it.
    pub(super) fn check_in_sync(&mut self) {
        // A walk that may well find nothing new is no reason to fall out of step.
        let quiet = self.folder.is_settled() || (self.in_sync && self.folder.is_listing());
        let sending = !self.outbound.is_empty() || !self.uploads.is_empty();
        let idle = self.inbound.is_empty() && !sending && self.retiring == 0 && quiet;
        let now_in_sync = if idle { self.how_in_sync() } else { None };
        let was_in_sync = std::mem::replace(&mut self.in_sync, now_in_sync.is_some());
        if let (Some((withheld, certain)), false) = (now_in_sync, was_in_sync) {
            let (known, bytes) = (self.folder.files(), self.folder.total_bytes());
            let conflicts = known.iter().map(|file| &file.path).filter(|path| self.is_rival(path));
            let (files, conflicts) = (known.len(), conflicts.cloned().collect());
            let liveries = known.livery_count();
            self.awaited = false;
            self.folder.handle_in_sync(self.cx.now.time);
            // What came of files that nobody offers any more.
            self.discard_parked();
            self.cx.event(Event::InSync { liveries, files, bytes, conflicts, withheld, certain });
        }
    }

    fn is_rival(&self, path: &RelPath) -> bool {
        is_conflict_name(path, &self.cx.config.naming)
    }

    /// If this PC holds the union and nobody needs it: how many files are withheld from it, and
    /// whether the server said so.
    pub(super) fn how_in_sync(&self) -> Option<(u64, bool)> {
        if self.cx.link.dialect()?.speaks_v2() {
            let sync_status = self.sync_status.filter(|sync_status| {
                sync_status.missing == 0 && sync_status.needed_by_others == 0
            })?;
            return (self.revision == sync_status.revision).then_some((sync_status.withheld, true));
        }
        let quiet = self.cx.now.time.since(self.busy_at);
        if quiet < OLD_STATE_INTERVAL {
            return None;
        }
        let own = self.folder.manifest().union_hash().to_string();
        let same = self.old_state.as_ref() == Some(&own);
        (same || quiet >= OLD_QUIET).then_some((0, same))
    }
}
