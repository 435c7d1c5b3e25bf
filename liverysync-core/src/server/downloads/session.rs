//! A session in which a target gets files from the store.

use crate::{
    hash::Content, path::RelPath, server::protocol_1::FileFate, time::Time, union::PeerId,
    wire::data::TransferId,
};

/// The progress of one file of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    /// The target has been told of it.
    Offered,
    /// All of it has gone to the target, or the target has it already.
    Sent,
    /// The target has installed it.
    Installed,
    /// It will not arrive in this session.
    Failed,
}

impl FileState {
    pub(super) const fn fate(self) -> FileFate {
        match self {
            Self::Offered | Self::Sent => FileFate::Open,
            Self::Installed => FileFate::Installed,
            Self::Failed => FileFate::Failed,
        }
    }
}

#[derive(Debug)]
pub(super) struct DownloadFile {
    /// Its path in the union.
    pub(super) path: RelPath,
    pub(super) content: Content,
    pub(super) transfer: TransferId,
    pub(super) state: FileState,
}

impl DownloadFile {
    /// Returns whether the target has yet to say what became of it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, FileState::Offered | FileState::Sent)
    }
}

/// Files that go to one target, or that it copies on its own PC.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) target: PeerId,
    pub(super) files: Vec<DownloadFile>,
    /// The target copies what it has under other names.
    pub(super) copies: bool,
    /// The target [takes all](crate::server::Protocol::takes_all) and says nothing.
    pub(super) pushed: bool,
    /// When the server stops waiting, unless something happens.
    pub(super) deadline: Time,
}

impl Download {
    /// Returns whether nothing more is to be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.files.iter().all(|file| file.state != FileState::Offered)
    }

    /// Returns whether it is known what became of each file.
    pub(super) fn is_complete(&self) -> bool {
        !self.files.iter().any(DownloadFile::is_open)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.content.size).sum()
    }

    pub(super) fn count(&self, state: FileState) -> usize {
        self.files.iter().filter(|file| file.state == state).count()
    }

    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.files.iter().position(|file| file.path.as_str() == path)
    }

    /// Returns the file with this number. The files of a session have consecutive numbers.
    pub(super) fn by_transfer(&self, transfer: TransferId) -> Option<usize> {
        let first = self.files.first()?.transfer;
        // On a link that lasts long, the numbers may begin again at zero.
        let index = usize::try_from(transfer.0.wrapping_sub(first.0)).ok()?;
        self.files.get(index).filter(|file| file.transfer == transfer).map(|_| index)
    }

    /// Returns the files that the target has yet to report on.
    pub(super) fn open_files(&self) -> Vec<usize> {
        (0..self.files.len()).filter(|index| self.files[*index].is_open()).collect()
    }
}
