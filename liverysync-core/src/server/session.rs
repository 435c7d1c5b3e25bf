//! What is on its way: uploads from one source into the store, and downloads from there to one target.

use crate::{hash::Content, path::RelPath, time::Time, union::PeerId, wire::data::TransferId};

/// Files on their way from one source into the store.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) source: PeerId,
    pub(super) files: Vec<UploadFile>,
    /// When it is given up unless something happens.
    pub(super) deadline: Time,
    pub(super) began_at: Time,
    pub(super) bytes_passed: u64,
}

#[derive(Debug)]
pub(super) struct UploadFile {
    /// The source's name for it.
    pub(super) path: RelPath,
    pub(super) content: Content,
    /// The source still owes it.
    pub(super) asked: bool,
    /// Some of it was here before, from whomever.
    pub(super) resumed: bool,
}

impl Upload {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.content.size).sum()
    }

    /// Whether the source owes nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.files.iter().all(|file| !file.asked)
    }
}

/// Where a file of a download stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The target has been told of it.
    Offered,
    /// All of it has gone to the target, or the target has it already.
    Sent,
    /// The target has put it in place.
    Installed,
    /// It will not arrive in this session.
    Failed,
}

#[derive(Debug)]
pub(super) struct DownloadFile {
    /// In the union.
    pub(super) path: RelPath,
    pub(super) content: Content,
    pub(super) transfer: TransferId,
    pub(super) state: State,
}

/// Files on their way to one target, or copied by it on its own PC.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) target: PeerId,
    pub(super) files: Vec<DownloadFile>,
    /// The target copies what it has under other names.
    pub(super) copies: bool,
    /// When it is given up unless something happens.
    pub(super) deadline: Time,
    /// The target of protocol 1 has said that it is done after all had been sent.
    pub(super) done_heard: bool,
}

impl Download {
    /// Whether nothing more is to be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.files.iter().all(|file| file.state != State::Offered)
    }

    /// Whether the target owes nothing more.
    pub(super) fn is_complete(&self) -> bool {
        self.files.iter().all(|file| matches!(file.state, State::Installed | State::Failed))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.content.size).sum()
    }

    pub(super) fn count(&self, state: State) -> usize {
        self.files.iter().filter(|file| file.state == state).count()
    }

    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.files.iter().position(|file| file.path.as_str() == path)
    }

    /// Its files are numbered one after the other.
    pub(super) fn by_transfer(&self, transfer: TransferId) -> Option<usize> {
        let first = self.files.first()?.transfer;
        let index = usize::try_from(transfer.0.wrapping_sub(first.0)).ok()?;
        self.files.get(index).filter(|file| file.transfer == transfer).map(|_| index)
    }
}
