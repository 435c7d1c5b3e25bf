//! Protocol 1, which older servers speak, in one place.
//!
//! Such a server relays one session at a time. It says neither what a session will bring nor what it knows of this PC, and
//! it waits forever for a file that it asked for. So this PC guesses when a session is over and when it is in sync, and
//! reports every file that it cannot send. `docs/protocol.md` describes the messages.
//!
//! [`Dialect`] answers how to speak to a server. The rest of the client asks it and compares no versions.

mod downloads;
mod namesakes;
mod pause;
mod sync_guess;
mod uploads;

use std::{cmp::Ordering, collections::BTreeSet};

pub(super) use self::{
    downloads::Unlisted,
    pause::Pause,
    sync_guess::SyncGuess,
    uploads::{ChunkUploads, PieceRead, find_by_conflict_name},
};
use crate::wire::messages::{BUILD, ErrorReport, Fault, PROTOCOL_2, SyncId, Welcome};

/// The protocol that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V1,
    V2,
}

impl Dialect {
    /// Returns the dialect of the server that sent `welcome`.
    pub(super) fn of(welcome: &Welcome) -> Self {
        let speaks_v2 = welcome.liverysync.is_some_and(|version| version >= PROTOCOL_2);
        if speaks_v2 { Self::V2 } else { Self::V1 }
    }

    /// Returns why this client cannot work with the server that sent `welcome`, if both speak protocol 2 and their builds
    /// differ.
    pub(super) fn other_build(self, welcome: &Welcome) -> Option<&'static str> {
        let build = welcome.build.unwrap_or_default();
        match build.cmp(&BUILD) {
            _ if !self.speaks_v2() => None,
            Ordering::Equal => None,
            Ordering::Greater => {
                Some("the server has a newer build of liverysync; update liverysync on this PC")
            }
            Ordering::Less => {
                Some("the server has an older build of liverysync; its admin has to update it")
            }
        }
    }

    /// Returns whether messages may carry what protocol 1 does not have.
    pub(super) const fn speaks_v2(self) -> bool {
        matches!(self, Self::V2)
    }

    /// Returns the version that HELLO announces, if the server is to know it.
    pub(super) fn version(self) -> Option<u32> {
        self.speaks_v2().then_some(PROTOCOL_2)
    }

    /// Describes an error of a session, or of one of its files. Protocol 1 has one text for all of it.
    pub(super) fn error_report(
        self,
        sync_id: SyncId,
        message: &str,
        file: Option<(String, Fault)>,
    ) -> ErrorReport {
        let message = message.to_owned();
        match (self, file) {
            (Self::V1, Some((path, _))) => {
                let message = format!("{path}: {message}");
                ErrorReport { sync_id, message, rel_path: None, fault: None }
            }
            (Self::V2, Some((path, fault))) => {
                ErrorReport { sync_id, message, rel_path: Some(path), fault: Some(fault) }
            }
            (_, None) => ErrorReport { sync_id, message, rel_path: None, fault: None },
        }
    }
}

/// The refused files that a server knows of.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    reported: BTreeSet<String>,
}

impl Refusals {
    /// Returns whether to report a refused file to the server.
    ///
    /// A server of protocol 1 offers a refused file again as soon as it hears of the refusal. So it hears of each file
    /// once per link; the next offer ends by itself after some quiet seconds.
    pub(super) fn is_to_be_reported(&mut self, dialect: Option<Dialect>, path: &str) -> bool {
        match dialect {
            Some(Dialect::V2) => true,
            Some(Dialect::V1) => self.reported.insert(path.to_owned()),
            None => false,
        }
    }

    pub(super) fn clear(&mut self) {
        self.reported.clear();
    }
}
