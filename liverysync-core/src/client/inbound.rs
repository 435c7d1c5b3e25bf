//! A session in which this PC is the target.
//!
//! ```text
//! Waiting --> Receiving --> Sealing --> Staged --> Installing --> Installed
//!    |             |            |         ^             |
//!    |     Arriving ------------|---------+             |
//!    +-------------+------------+-----------------------+------> Failed
//! ```
//!
//! From a server of ours a file is arriving: its bytes do not pass here. Waiting, receiving and sealing are
//! for one of protocol 1.
//!
//! The files of one livery are installed together, once each of them is staged or has failed.

use crate::{
    client::StageId,
    hash::{Content, ContentHash},
    path::RelPath,
    time::{Time, UnixTime},
    transfer::Receiver,
    wire::data::TransferId,
};

#[derive(Debug)]
pub(super) enum State {
    Waiting,
    Receiving(StageId, Box<Receiver>),
    Arriving(StageId, Arriving),
    Sealing(StageId),
    Staged(StageId),
    Installing(StageId),
    Installed,
    Failed,
}

/// How far a file is that comes from a server of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arriving {
    pub(super) transfer: TransferId,
    /// Bytes that people have been told of.
    pub(super) told: u64,
}

#[derive(Debug)]
pub(super) struct InFile {
    /// As it was offered; answers use this name.
    pub(super) offered: String,
    /// Where it goes, as this PC spells it.
    pub(super) path: RelPath,
    pub(super) content: Content,
    pub(super) mtime: Option<UnixTime>,
    /// It comes from this PC itself.
    pub(super) copied: bool,
    /// What may be replaced by it and need not live on.
    pub(super) replaces: Option<ContentHash>,
    pub(super) state: State,
}

impl InFile {
    pub(super) const fn is_settled(&self) -> bool {
        matches!(self.state, State::Installed | State::Failed)
    }

    /// The staged file on the disk, if there is one.
    pub(super) const fn stage(&self) -> Option<StageId> {
        match &self.state {
            State::Receiving(stage, _)
            | State::Arriving(stage, _)
            | State::Sealing(stage)
            | State::Staged(stage) => Some(*stage),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) files: Vec<InFile>,
    /// Whether the server has said all that will come. One of protocol 1 does not.
    pub(super) listed: bool,
    /// Whether nothing may be replaced that the server does not know of.
    pub(super) whole_liveries: bool,
    /// The last time that something came.
    pub(super) active_at: Time,
    /// The server has ended it; what is being put in place is still waited for.
    pub(super) over: bool,
    /// Something that a server of protocol 1 brought was not taken.
    pub(super) refused: bool,
}

impl Inbound {
    pub(super) const fn new(listed: bool, now: Time) -> Self {
        Self {
            files: Vec::new(),
            listed,
            whole_liveries: false,
            active_at: now,
            over: false,
            refused: false,
        }
    }

    pub(super) fn find(&self, offered: &str) -> Option<usize> {
        self.files.iter().position(|file| file.offered == offered)
    }

    pub(super) fn by_stage(&self, stage: StageId) -> Option<usize> {
        self.files.iter().position(|file| match &file.state {
            State::Receiving(id, _)
            | State::Arriving(id, _)
            | State::Sealing(id)
            | State::Staged(id)
            | State::Installing(id) => *id == stage,
            _ => false,
        })
    }

    /// Whether a server of protocol 1 has announced something that has not come: a file, or all of it.
    pub(super) fn is_owed(&self) -> bool {
        let untouched = self.files.is_empty() && !self.refused;
        let coming = |file: &InFile| matches!(file.state, State::Waiting | State::Receiving(..));
        untouched || self.files.iter().any(coming)
    }

    /// Whether the disk has yet to answer for a file.
    pub(super) fn is_at_disk(&self) -> bool {
        let at_disk =
            |file: &InFile| matches!(file.state, State::Installing(_) | State::Sealing(_));
        self.files.iter().any(at_disk)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.files.iter().all(InFile::is_settled)
    }

    /// The staged files of the livery of this file, unless more of it is under way in this session, which has
    /// a list.
    pub(super) fn ready_beside(&self, index: usize) -> Option<Vec<usize>> {
        let livery = self.files.get(index)?.path.key().livery();
        let mut staged = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            match file.state {
                State::Installed | State::Failed => {}
                _ if file.path.key().livery() != livery => {}
                State::Staged(_) => staged.push(index),
                _ => return None,
            }
        }
        Some(staged)
    }

    /// The staged files of the liveries of which nothing more is under way. A session without a
    /// list does not know what else will come: `quiet` says that nothing seems to.
    pub(super) fn ready(&self, quiet: bool) -> Vec<Vec<usize>> {
        let mut groups: std::collections::BTreeMap<&str, (Vec<usize>, bool)> =
            std::collections::BTreeMap::new();
        let last = self.files.last().map(|file| file.path.key().livery());
        for (index, file) in self.files.iter().enumerate() {
            let livery = file.path.key().livery();
            let open_end = !self.listed && !quiet && last == Some(livery);
            let (staged, complete) = groups.entry(livery).or_insert((Vec::new(), !open_end));
            match file.state {
                State::Staged(_) => staged.push(index),
                State::Installed | State::Failed => {}
                _ => *complete = false,
            }
        }
        let ready =
            groups.into_values().filter(|(staged, complete)| *complete && !staged.is_empty());
        ready.map(|(staged, _)| staged).collect()
    }

    /// Names of what has been installed, as they were offered.
    pub(super) fn installed(&self) -> Vec<String> {
        let files = self.files.iter().filter(|file| matches!(file.state, State::Installed));
        files.map(|file| file.offered.clone()).collect()
    }
}
