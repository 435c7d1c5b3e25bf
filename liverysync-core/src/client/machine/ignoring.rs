//! Liveries that this PC does not want: neither fetched nor shared, and left as they are where they lie.

use super::*;

/// Why nothing of such a livery is taken, for the server's people.
const IGNORED: &str = "this PC ignores the livery";

impl ClientMachine {
    pub(super) fn ignore(&mut self, ignored: Ignored) {
        if self.cx.config.ignored == ignored {
            return;
        }
        let before = std::mem::replace(&mut self.cx.config.ignored, ignored);
        let now = &self.cx.config.ignored;
        let wanted_again = |path: &str| before.covers(path) && !now.covers(path);
        self.folder.mark_unread(wanted_again, &self.cx.config.rules.extensions);
        self.folder.scan_by(self.cx.now.time);
        self.ask_anew = true;
        self.complained.clear();
        self.give_up_ignored();
    }

    /// Gives up what is on its way and not being put in place yet.
    fn give_up_ignored(&mut self) {
        let mut given_up = Vec::new();
        for (sync_id, session) in &self.inbound {
            for (index, file) in session.files.iter().enumerate() {
                let at_its_end =
                    matches!(file.state, State::Installing(_) | State::Installed | State::Failed);
                if !at_its_end && self.cx.config.ignored.covers(file.path.as_str()) {
                    given_up.push((sync_id.clone(), index));
                }
            }
        }
        for (sync_id, index) in given_up {
            self.fail_at(&sync_id, index, Fault::Declined, IGNORED);
        }
    }

    /// Refuses a file of an ignored livery. The driver wanted it so, and is not told of each.
    pub(super) fn decline_ignored(&mut self, sync_id: &SyncId, path: String) {
        if self.cx.speaks_v2() || self.complained.insert(path.clone()) {
            self.cx.report(sync_id, IGNORED, Some((path, Fault::Declined)));
        }
        if let Some(session) = self.inbound.get_mut(sync_id) {
            session.refused = true;
        }
    }

    /// Once it is known what lies here of the liveries that are wanted again, the server may offer what this PC has
    /// refused before.
    pub(super) fn take_refusals_back(&mut self) {
        if self.folder.is_settled() && std::mem::take(&mut self.ask_anew) {
            self.hello();
        }
    }
}
