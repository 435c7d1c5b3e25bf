//! A session in which a source sends files into the store.

use crate::{hash::Content, path::RelPath, time::Time, union::PeerId};

#[derive(Debug)]
pub(super) struct UploadFile {
    /// The source's own name for it.
    pub(super) path: RelPath,
    pub(super) content: Content,
    /// The source has yet to send it.
    pub(super) pending: bool,
    /// The store had some of it before, perhaps from another source.
    pub(super) resumed: bool,
}

/// Files that one source sends into the store.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) source: PeerId,
    pub(super) files: Vec<UploadFile>,
    /// The source [sends them in order](crate::server::Protocol::sends_in_order).
    pub(super) in_order: bool,
    /// When the server stops waiting, unless something happens.
    pub(super) deadline: Time,
    pub(super) began_at: Time,
    pub(super) bytes_passed: u64,
}

impl Upload {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.content.size).sum()
    }

    /// Returns whether the source has nothing more to send.
    pub(super) fn is_over(&self) -> bool {
        self.files.iter().all(|file| !file.pending)
    }

    /// Returns a file that the source has yet to send.
    pub(super) fn pending_mut(&mut self, index: usize) -> Option<&mut UploadFile> {
        self.files.get_mut(index).filter(|file| file.pending)
    }
}
