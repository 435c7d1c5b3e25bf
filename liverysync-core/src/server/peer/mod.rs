//! One client of the server, for as long as it is connected.

mod faults;
mod report;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};

use self::sessions::are_small;
pub(super) use self::{
    faults::{DownloadFaults, Refusal, UploadFaults},
    report::Report,
    sessions::Sessions,
};
use super::{Protocol, ServerConfig, protocol_1::Room};
use crate::{
    league::MemberId,
    manifest::Entry,
    path::PathKey,
    schedule::Load,
    time::Time,
    union::{PeerId, UnionEntry},
    wire::messages::{Role, SyncStatus},
};

/// A client's own description of itself.
#[derive(Debug)]
pub(super) struct Identity {
    /// The id that the server gave it, which protocol 1 uses to name a client.
    pub(super) client_id: String,
    pub(super) address: String,
    pub(super) name: String,
    pub(super) protocol: Protocol,
    /// The only role that it takes, if any.
    pub(super) only: Option<Role>,
    /// The member, if the client has sent a key.
    pub(super) member: Option<MemberId>,
    /// Members of this client's driver that are not merged into theirs yet.
    pub(super) former: Vec<MemberId>,
}

/// The connection of a client.
#[derive(Debug)]
pub(super) struct Liveness {
    pub(super) accepted_at: Time,
    pub(super) heard_at: Time,
    /// The client has sent HELLO.
    pub(super) greeted: bool,
}

/// The sync status that a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ToldStatus {
    /// It does not ask for one.
    Untold,
    /// It waits for one.
    Awaited,
    /// It was told this one, and these files that it cannot install.
    Told(SyncStatus, Vec<String>),
}

impl ToldStatus {
    /// Records that a client waits to be told its status, even if it is the same.
    pub(super) fn invalidate(&mut self) {
        if *self != Self::Untold {
            *self = Self::Awaited;
        }
    }

    /// Records that a client is to be told a status. Returns whether that is news.
    pub(super) fn replace(&mut self, status: SyncStatus, blocked: &[String]) -> bool {
        let is_news = match self {
            Self::Untold => false,
            Self::Awaited => true,
            Self::Told(told, there) => *told != status || there != blocked,
        };
        if is_news {
            *self = Self::Told(status, blocked.to_vec());
        }
        is_news
    }
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
    /// The names that this client spells differently than the union, whose content it has there.
    pub(super) misspelled: BTreeSet<PathKey>,
    pub(super) sessions: Sessions,
    pub(super) upload_faults: UploadFaults,
    pub(super) download_faults: DownloadFaults,
    /// The most bytes a second that it has uploaded so far.
    pub(super) upload_rate: u64,
    /// When it was told to retire files.
    pub(super) retiring: BTreeMap<PathKey, Time>,
    pub(super) status: ToldStatus,
}

impl Peer {
    pub(super) fn new(id: PeerId, client_id: String, address: String, now: Time) -> Self {
        Self {
            id,
            identity: Identity {
                name: client_id.clone(),
                client_id,
                address,
                // The strictest one, until its manifest says more: nothing is sent that it would refuse.
                protocol: Protocol::V104,
                only: None,
                member: None,
                former: Vec::new(),
            },
            liveness: Liveness { accepted_at: now, heard_at: now, greeted: false },
            report: Report::new(now),
            missing: BTreeSet::new(),
            misspelled: BTreeSet::new(),
            sessions: Sessions::default(),
            upload_faults: UploadFaults::default(),
            download_faults: DownloadFaults::default(),
            upload_rate: 0,
            retiring: BTreeMap::new(),
            status: ToldStatus::Untold,
        }
    }

    /// Returns whether the server knows what this client has. One that was asked for its manifest may have more than it
    /// reported.
    pub(super) const fn is_known(&self) -> bool {
        self.report.merged && self.report.requested_at.is_none()
    }

    /// Returns the file that this client reported at a name.
    pub(super) fn file_at(&self, key: &PathKey) -> Option<&Entry> {
        self.report.manifest.as_ref()?.get(key)
    }

    /// Returns whether this client has the content of an entry at its name.
    pub(super) fn has(&self, entry: &UnionEntry) -> bool {
        self.file_at(entry.path.key()).is_some_and(|own| own.content == entry.content)
    }

    /// Notes whether this client spells a name as the union does. Returns true if it does not.
    pub(super) fn note_spelling(&mut self, key: &PathKey, entry: Option<&UnionEntry>) -> bool {
        let own = self.file_at(key).zip(entry);
        let differs =
            own.is_some_and(|(own, entry)| own.content == entry.content && own.path != entry.path);
        if differs {
            self.misspelled.insert(key.clone());
        } else {
            self.misspelled.remove(key);
        }
        differs
    }

    /// Returns how busy this client is as a source.
    pub(super) fn load(&self, config: &ServerConfig) -> Load {
        let room = self.room(self.sessions.uploads.len(), config);
        // Until a step has taken its files in, nobody knows what it could send.
        let free = if self.report.merged { room.any } else { 0 };
        Load { free, rate: self.upload_rate }
    }

    /// Returns whether this client can take part in another session beside `open` ones of these sizes.
    pub(super) fn has_room(
        &self,
        open: impl ExactSizeIterator<Item = u64>,
        config: &ServerConfig,
    ) -> bool {
        let room = self.room(open.len(), config);
        // Many small sessions may be open beside the others, as each of them is mostly waiting.
        self.report.merged && (room.any > 0 || room.small && are_small(open))
    }

    fn room(&self, open: usize, config: &ServerConfig) -> Room {
        self.identity.protocol.room(open, &self.sessions, config)
    }
}
