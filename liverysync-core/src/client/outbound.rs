//! A session in which this PC is the source: files leave as they were asked for.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    hash::Content,
    path::RelPath,
    select::Stamp,
    transfer::{Piece, Sender},
    wire::data::TransferId,
};

/// A file to send.
#[derive(Clone, Debug)]
pub(super) struct OutFile {
    /// As the server asked for it; a conflict name of protocol 1 may differ from `path`.
    pub(super) asked: String,
    pub(super) path: RelPath,
    pub(super) stamp: Stamp,
    pub(super) content: Content,
}

/// A session with a server of ours: what has not left yet. The link sends it by itself.
#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) files: BTreeMap<TransferId, OutFile>,
}

/// A session with a server of protocol 1, in which files leave one after the other.
#[derive(Debug)]
pub(super) struct Outbound {
    queue: VecDeque<OutFile>,
    current: Option<(OutFile, Sender)>,
    /// Names that were asked for and are not here.
    pub(super) missing: Vec<String>,
}

/// What to do next for a session.
#[derive(Debug)]
pub(super) enum Next {
    Begin(OutFile),
    Read(OutFile, Piece),
    End(OutFile),
    /// The link or the disk has enough to do.
    Wait,
    Over,
}

impl Outbound {
    pub(super) const fn new(queue: VecDeque<OutFile>, missing: Vec<String>) -> Self {
        Self { queue, current: None, missing }
    }

    /// What to do next; `room` says whether another piece may be read.
    pub(super) fn poll(&mut self, room: bool) -> Next {
        match &mut self.current {
            Some((file, sender)) => match room.then(|| sender.poll_piece()).flatten() {
                Some(piece) => Next::Read(file.clone(), piece),
                None if sender.is_done() => {
                    self.current.take().map_or(Next::Wait, |(file, _)| Next::End(file))
                }
                None => Next::Wait,
            },
            None => match self.queue.pop_front() {
                Some(file) => {
                    self.current = Some((file.clone(), Sender::new(file.content.size)));
                    Next::Begin(file)
                }
                None => Next::Over,
            },
        }
    }

    pub(super) fn handle_sent(&mut self) {
        if let Some((_, sender)) = &mut self.current {
            sender.handle_sent();
        }
    }

    /// Gives up the file that is under way.
    pub(super) fn skip_current(&mut self) -> Option<OutFile> {
        self.current.take().map(|(file, _)| file)
    }

    pub(super) fn current(&self) -> Option<&OutFile> {
        self.current.as_ref().map(|(file, _)| file)
    }
}
