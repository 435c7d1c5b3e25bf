//! One session that brings files to this PC.
//!
//! ```text
//! Checking -> Receiving --> Staged --> Installing --> Installed
//!    |            |           ^            |
//!    |   ReceivingChunks --> Staging       |
//!    +------------+-----------+------------+------> Failed
//! ```
//!
//! On protocol 2 the bytes of a file do not pass through the machine: it is `Receiving` until it is staged. `Offered` in
//! place of `Checking`, and `ReceivingChunks`, are for protocol 1. `Staging` is also for a file that is copied on this PC.

use std::collections::BTreeMap;

use crate::{
    client::{StageId, protocol_1::Unlisted},
    hash::{Content, ContentHash},
    manifest::Entry,
    path::RelPath,
    pathmap::PathMap,
    time::UnixTime,
    transfer::Receiver,
    wire::{data::TransferId, messages::LostName},
};

/// A session, from the server's offer to SYNC_DONE.
#[derive(Debug, Default)]
pub(in crate::client) struct Download {
    pub(in crate::client) files: Vec<DownloadFile>,
    /// The names in a listed session. Two of them may not be one file on any disk.
    pub(super) names: PathMap<RelPath>,
    /// Set if the server did not list the files of the session: protocol 1 does not.
    pub(in crate::client) unlisted: Option<Unlisted>,
    /// Set once nothing more will come. Files that are being installed are still waited for.
    pub(in crate::client) over: bool,
}

/// A file of a session.
#[derive(Debug)]
pub(in crate::client) struct DownloadFile {
    /// The path as the server spells it. Answers use this name.
    pub(in crate::client) offered: String,
    /// The path as this PC spells it.
    pub(in crate::client) path: RelPath,
    pub(in crate::client) content: Content,
    pub(super) mtime: Option<UnixTime>,
    /// Set if its bytes are copied from another file of this PC.
    pub(super) copied: bool,
    /// Set if it is the conflict copy of a file of this PC.
    pub(super) conflict: Option<LostName>,
    /// The content that the file may replace without a conflict copy.
    pub(super) replaces: Option<ContentHash>,
    pub(in crate::client) state: FileState,
}

#[derive(Debug)]
pub(in crate::client) enum FileState {
    Offered,
    /// The host checks whether it could be installed. Then it comes from a file of this PC, or under a number of the link.
    Checking(Source),
    Receiving(StageId, Receiving),
    ReceivingChunks(StageId, Box<Receiver>),
    Staging(StageId),
    Staged(StageId),
    Installing(StageId),
    Installed,
    Failed,
    /// The server cannot send it now.
    Missed,
}

/// The place that the bytes of a file come from.
#[derive(Clone, Debug)]
pub(in crate::client) enum Source {
    /// Another file of this PC.
    Copy(String),
    Transfer(TransferId),
}

/// The progress of a file that the host receives.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Receiving {
    pub(super) transfer: TransferId,
    /// Bytes that events have counted.
    pub(super) counted: u64,
}

/// The stages of a session that has stopped.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Those that hold the whole content.
    pub(super) whole: Vec<(StageId, Content)>,
    /// Those that may hold a part of it.
    pub(super) partial: Vec<(StageId, Content)>,
    pub(super) useless: Vec<StageId>,
}

impl DownloadFile {
    pub(super) const fn is_finished(&self) -> bool {
        matches!(self.state, FileState::Installed | FileState::Failed | FileState::Missed)
    }

    /// Returns the stage of the file, until it is being installed.
    pub(super) const fn stage(&self) -> Option<StageId> {
        match &self.state {
            FileState::Receiving(stage, _)
            | FileState::ReceivingChunks(stage, _)
            | FileState::Staging(stage)
            | FileState::Staged(stage) => Some(*stage),
            _ => None,
        }
    }

    /// Returns the file as a manifest lists it.
    pub(in crate::client) fn entry(&self) -> Entry {
        Entry { path: self.path.clone(), content: self.content, mtime: self.mtime }
    }
}

impl Download {
    pub(in crate::client) const fn is_listed(&self) -> bool {
        self.unlisted.is_none()
    }

    /// Returns whether the session was given up because nothing came for too long.
    pub(in crate::client) fn is_stalled(&self) -> bool {
        self.unlisted.as_ref().is_some_and(|unlisted| unlisted.stalled)
    }

    /// Returns whether SYNC_DONE will report the files of the session.
    pub(in crate::client) const fn will_report(&self) -> bool {
        self.is_listed() && !self.over
    }

    pub(in crate::client) fn find(&self, offered: &str) -> Option<usize> {
        self.files.iter().position(|file| file.offered == offered)
    }

    pub(super) fn by_stage(&self, stage: StageId) -> Option<usize> {
        self.files.iter().position(|file| match file.state {
            // The host has the stage until it says that the file is installed.
            FileState::Installing(own) => own == stage,
            _ => file.stage() == Some(stage),
        })
    }

    pub(in crate::client) fn is_finished(&self) -> bool {
        self.files.iter().all(DownloadFile::is_finished)
    }

    /// Returns the staged files of each livery that is complete.
    ///
    /// A livery is complete if none of its files is under way. The livery of the last file that an unlisted session has
    /// brought is complete only if the server has been `quiet` for some time: the next file may belong to it.
    pub(super) fn complete_liveries(&self, quiet: bool) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<&str, (Vec<usize>, bool)> = BTreeMap::new();
        let growing = self.growing_livery().filter(|_| !quiet);
        for (index, file) in self.files.iter().enumerate() {
            let livery = file.path.key().livery();
            let group = groups.entry(livery).or_insert((Vec::new(), growing != Some(livery)));
            let (staged, complete) = group;
            match file.state {
                FileState::Staged(_) => staged.push(index),
                _ if file.is_finished() => {}
                _ => *complete = false,
            }
        }
        let complete =
            groups.into_values().filter(|(staged, complete)| *complete && !staged.is_empty());
        complete.map(|(staged, _)| staged).collect()
    }

    /// Returns the staged files of the livery of one file, if that livery is complete.
    pub(super) fn complete_livery_of(&self, index: usize) -> Option<Vec<usize>> {
        let livery = self.files.get(index)?.path.key().livery();
        if self.growing_livery() == Some(livery) {
            return None;
        }
        let mut staged = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            match file.state {
                _ if file.path.key().livery() != livery || file.is_finished() => {}
                FileState::Staged(_) => staged.push(index),
                _ => return None,
            }
        }
        Some(staged)
    }

    /// Returns true if the server cannot send a file of a livery now.
    pub(super) fn misses_any_of(&self, livery: &str) -> bool {
        let mut files = self.files.iter();
        files.any(|file| {
            matches!(file.state, FileState::Missed) && file.path.key().livery() == livery
        })
    }

    /// Returns the livery to which the next file of an unlisted session may belong.
    fn growing_livery(&self) -> Option<&str> {
        let last = self.files.last().filter(|_| !self.is_listed())?;
        Some(last.path.key().livery())
    }

    /// Counts bytes of one file that the host has received. Returns how many an event is to count, and `None` if the file
    /// belongs to another session.
    pub(super) fn handle_arrived(&mut self, transfer: TransferId, bytes: u64) -> Option<u64> {
        self.files.iter_mut().find_map(|file| match &mut file.state {
            FileState::Receiving(_, download) if download.transfer == transfer => {
                // The end of the file counts the rest, so that events always add up to its size.
                let bytes = bytes.min(file.content.size - download.counted);
                download.counted += bytes;
                Some(bytes)
            }
            _ => None,
        })
    }

    /// Notes that nothing more will come. Fails all files but those that are installed or about to be, and returns their
    /// stages.
    pub(super) fn stop(&mut self) -> Left {
        self.over = true;
        let is_listed = self.is_listed();
        let mut left = Left::default();
        for file in &mut self.files {
            match file.state {
                FileState::Installing(_) | FileState::Installed => continue,
                FileState::Receiving(stage, _) => left.partial.push((stage, file.content)),
                // A copy is made again faster than a server could send it, so only downloads are kept.
                FileState::Staged(stage) if is_listed && !file.copied => {
                    left.whole.push((stage, file.content));
                }
                _ => left.useless.extend(file.stage()),
            }
            file.state = FileState::Failed;
        }
        left
    }

    /// Returns the files that have been installed.
    pub(in crate::client) fn installed(&self) -> impl Iterator<Item = &DownloadFile> {
        self.files.iter().filter(|file| matches!(file.state, FileState::Installed))
    }
}
