//! The sessions that a client takes part in.

use std::collections::BTreeSet;

use crate::{
    time::Time,
    wire::{data::TransferId, messages::SyncId},
};

/// A client of protocol 2 takes part in this many sessions, whatever
/// [`ServerConfig::client_sessions_max`](crate::server::ServerConfig::client_sessions_max) says, as long as they
/// have no more than this many bytes. Small files are soon sent, but each session needs a round trip and a flush to disk,
/// and the link would be idle meanwhile. The client itself takes part in 64.
const SMALL_SESSIONS_MAX: usize = 24;
const SMALL_SESSIONS_BYTES_MAX: u64 = 8 << 20;

/// Returns whether open sessions of these sizes leave room for another one because they are small.
pub(super) fn are_small(sessions: impl Iterator<Item = u64>) -> bool {
    let (open, bytes) = sessions.fold((0, 0), |(open, all), bytes| (open + 1, all + bytes));
    open < SMALL_SESSIONS_MAX && bytes <= SMALL_SESSIONS_BYTES_MAX
}

/// The sessions that a client takes part in.
#[derive(Debug, Default)]
pub(in crate::server) struct Sessions {
    pub(in crate::server) uploads: BTreeSet<SyncId>,
    pub(in crate::server) downloads: BTreeSet<SyncId>,
    /// An upload of a Python client that the server has ended while the client still sends, and when to stop waiting
    /// for its end.
    pub(in crate::server) draining: Option<(SyncId, Time)>,
    /// The number of the last file that was offered or requested over this link.
    last_transfer: u32,
}

impl Sessions {
    /// Returns whether the client takes part in none.
    pub(in crate::server) fn is_idle(&self) -> bool {
        self.uploads.is_empty() && self.downloads.is_empty() && self.draining.is_none()
    }

    /// Returns the number of the next file on this link.
    pub(in crate::server) const fn next_transfer(&mut self) -> TransferId {
        self.last_transfer = self.last_transfer.wrapping_add(1);
        TransferId(self.last_transfer)
    }
}
