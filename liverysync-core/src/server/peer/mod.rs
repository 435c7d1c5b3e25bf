//! One client of the server, for as long as it is connected.

mod faults;
mod report;
mod sessions;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use serde::Serialize;

pub(super) use self::{
    faults::{DownloadFaults, UploadFaults},
    report::Report,
    sessions::{Sessions, are_small},
};
use super::ServerConfig;
use crate::{
    hash::ContentHash,
    league::MemberId,
    manifest::Entry,
    path::PathKey,
    schedule::Load,
    time::Time,
    union::{PeerId, UnionEntry},
    wire::messages::SyncStatus,
};

/// The program that a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Protocol {
    /// The first Python client.
    #[serde(rename = "python-first")]
    V1First,
    /// The Python client 1.0.4, or a client that has not shown yet that it is the first.
    #[serde(rename = "python-1.0.4")]
    V104,
    /// A `liverysync` client.
    #[serde(rename = "liverysync")]
    V2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1First => "first Python client",
            Self::V104 => "Python client 1.0.4",
            Self::V2 => "liverysync",
        })
    }
}

/// What a client says of itself.
#[derive(Debug)]
pub(super) struct Identity {
    /// The id that the server gave it, which protocol 1 uses to name a client.
    pub(super) client_id: String,
    pub(super) address: String,
    pub(super) name: String,
    pub(super) protocol: Protocol,
    /// The member, if the client has sent a key.
    pub(super) member: Option<MemberId>,
}

/// When a client was last heard.
#[derive(Debug)]
pub(super) struct Liveness {
    pub(super) accepted_at: Time,
    pub(super) heard_at: Time,
    /// It has sent HELLO.
    pub(super) greeted: bool,
}

/// One client.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) identity: Identity,
    pub(super) liveness: Liveness,
    pub(super) report: Report,
    /// The names of the union whose content this client does not have there.
    pub(super) missing: BTreeSet<PathKey>,
    pub(super) sessions: Sessions,
    pub(super) upload_faults: UploadFaults,
    pub(super) download_faults: DownloadFaults,
    /// The most bytes a second that it has uploaded so far.
    pub(super) upload_rate: u64,
    /// When it was told to retire files.
    pub(super) retiring: BTreeMap<PathKey, Time>,
    /// The sync status that it was told last; `None` if it waits for one.
    pub(super) sync_status: Option<SyncStatus>,
}

impl Peer {
    pub(super) fn new(id: PeerId, client_id: String, address: String, now: Time) -> Self {
        Self {
            id,
            identity: Identity {
                name: client_id.clone(),
                client_id,
                address,
                protocol: Protocol::V104,
                member: None,
            },
            liveness: Liveness { accepted_at: now, heard_at: now, greeted: false },
            report: Report::new(now),
            missing: BTreeSet::new(),
            sessions: Sessions::default(),
            upload_faults: UploadFaults::default(),
            download_faults: DownloadFaults::default(),
            upload_rate: 0,
            retiring: BTreeMap::new(),
            sync_status: None,
        }
    }

    pub(super) const fn speaks_v2(&self) -> bool {
        matches!(self.identity.protocol, Protocol::V2)
    }

    /// Returns whether the server knows what this client has. A client of protocol 2 that was asked for its manifest
    /// may have more than it reported.
    pub(super) const fn is_known(&self) -> bool {
        self.report.merged && !(self.speaks_v2() && self.report.requested_at.is_some())
    }

    /// Returns how long nothing has come although something should have.
    ///
    /// A client of protocol 1 sends no sign of life by itself, least of all while it receives or sends files. So only
    /// an unanswered request counts, and only outside sessions.
    pub(super) fn silent_for(&self, now: Time) -> Duration {
        let silence = now.since(self.liveness.heard_at);
        if self.speaks_v2() || !self.liveness.greeted {
            return silence;
        }
        let requested_at = self.report.requested_at.filter(|_| self.sessions.is_idle());
        requested_at.map_or(Duration::ZERO, |at| silence.min(now.since(at)))
    }

    /// Returns the file that this client reported at a name.
    pub(super) fn file_at(&self, key: &PathKey) -> Option<&Entry> {
        self.report.manifest.as_ref()?.get(key)
    }

    /// Returns whether this client has the content of an entry at its name.
    pub(super) fn has(&self, entry: &UnionEntry) -> bool {
        self.file_at(entry.path.key()).is_some_and(|own| own.content == entry.content)
    }

    /// Returns how busy this client is as a source.
    pub(super) fn load(&self, config: &ServerConfig) -> Load {
        Load { free: self.free(self.sessions.uploads.len(), config), rate: self.upload_rate }
    }

    /// Returns how many more downloads this client can take part in.
    pub(super) fn free_downloads(&self, config: &ServerConfig) -> usize {
        self.free(self.sessions.downloads.len(), config)
    }

    /// Python clients do one thing at a time.
    fn free(&self, open: usize, config: &ServerConfig) -> usize {
        if !self.report.merged {
            0
        } else if self.speaks_v2() {
            config.sessions_per_client_max.max(1).saturating_sub(open)
        } else {
            usize::from(self.sessions.is_idle())
        }
    }

    /// Records that this client failed to install a content. Returns whether it will not be offered again.
    pub(super) fn record_failure(&mut self, key: &PathKey, hash: ContentHash, now: Time) -> bool {
        let silent = !self.speaks_v2();
        self.download_faults.record_failure(key, hash, silent, now)
    }
}
