//! Names by which a server may mean either of two files.
//!
//! The first Python server gives a file in conflict its conflict name even if a PC has another file there. It asks that PC
//! for either file by this one name, without a digest, and asks again until the target has what it means. So this PC sends
//! the file that is there, and the other one when the same target needs that name again.

use std::collections::BTreeMap;

use crate::{
    client::{folder::IndexedFile, uploads::UploadFile},
    hash::ContentHash,
    wire::messages::{SyncId, SyncOffer},
};

/// Most names to remember. Without a limit, a server could fill the memory by naming ever more targets.
const SENT_MAX: usize = 1024;

/// The files that were last sent by such names.
#[derive(Debug, Default)]
pub(in crate::client) struct Namesakes {
    /// The last session that this PC was to be the source of, with its target. The request for files follows.
    announced: Option<(SyncId, String)>,
    /// By target and name.
    sent: BTreeMap<(String, String), ContentHash>,
}

impl Namesakes {
    pub(in crate::client) fn handle_offer(&mut self, offer: &SyncOffer) {
        self.announced = Some((offer.sync_id.clone(), offer.target_client_id.clone()));
    }

    pub(in crate::client) fn handle_link_down(&mut self) {
        *self = Self::default();
    }

    /// Returns the target of a session.
    pub(super) fn target(&self, sync_id: &SyncId) -> String {
        let announced = self.announced.as_ref().filter(|(announced, _)| announced == sync_id);
        announced.map(|(_, target)| target.clone()).unwrap_or_default()
    }

    /// Returns which of the `files` that a name may mean to send in a session, and whether there are several.
    pub(in crate::client) fn choose<'a>(
        &self,
        sync_id: &SyncId,
        asked: &str,
        mut files: impl Iterator<Item = &'a IndexedFile>,
    ) -> Option<(&'a IndexedFile, bool)> {
        let first = files.next()?;
        let Some(other) = files.find(|file| file.content != first.content) else {
            return Some((first, false));
        };
        let sent = self.sent.get(&(self.target(sync_id), asked.to_owned()));
        Some((if sent == Some(&first.content.hash) { other } else { first }, true))
    }

    /// Records that all of a file was sent.
    pub(super) fn handle_sent(&mut self, target: &str, file: &UploadFile) {
        if !file.has_namesake {
            return;
        }
        if self.sent.len() >= SENT_MAX {
            self.sent.clear();
        }
        self.sent.insert((target.to_owned(), file.asked.clone()), file.content.hash);
    }
}
