//! The server: it collects manifests, keeps the union, and decides who sends what to whom.
//!
//! [`ServerMachine`] is the control plane and never sees a file's bytes. A source's frames go through the
//! [`UploadStream`] of their upload into the store, which checks them; what the store has or is getting goes from
//! there to every target that lacks it. The host does both, and says how far they are with
//! [`Input::Uploaded`] and [`Input::Downloaded`].
//!
//! # Contract
//!
//! Feed one [`Input`], then call [`ServerMachine::poll_output`] until it returns
//! [`Output::Timeout`]; only then feed the next. Peers are numbered by the host, each link with a
//! number that is larger than all before it and than zero. With an [`Input::Lost`], and with an
//! [`Output::Close`], the uploads and deliveries of that link end; so do the relays.

mod event;
mod machine;
mod manifest_check;
mod peer;
mod session;
mod status;
mod store_index;

use std::{collections::BTreeSet, time::Duration};

pub use self::{
    event::{Event, Withheld},
    machine::ServerMachine,
    peer::Protocol,
    status::{Missing, PeerStatus, Status},
};
use crate::{
    conflict::{Naming, Policy, plain_livery},
    hash::{Content, ContentHash},
    league::{Act, ActError, ActReport, Record, Updates},
    path::PathKey,
    select::Rules,
    time::Wake,
    transfer::{Compression, UploadEvent, UploadStream},
    union::PeerId,
    wire::{
        data::TransferId,
        messages::{FileBegin, Message, SyncId},
    },
};

/// How a server behaves. Every limit is one that a peer cannot set.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Most files of one session. More makes fewer round trips, and a broken link loses more. Default 50.
    pub files_per_session_max: usize,
    /// Most sessions that one client of ours takes part in at a time, as a source and again as a target; a
    /// client of protocol 1 takes part in one. There may be up to 24 as long as they have no more than 8 MiB. Default 4.
    pub sessions_per_client_max: usize,
    /// Most sessions at a time in all. Default 1,024.
    pub sessions_max: usize,
    /// How many bytes the store may keep for those who come later; 0 keeps nothing longer than somebody
    /// waits for it. Default 8 GiB.
    pub store_bytes_max: u64,
    /// How many bytes may be in the store or on their way there in any case, but for a single file that is
    /// larger. Default 1 GiB.
    pub spool_bytes_max: u64,
    /// After how long a client that does not report changes by itself is asked for its manifest. Default 15 s.
    pub manifest_stale: Duration,
    /// How often the scheduler looks for work that nothing else told it of. Default 1 s.
    pub scheduler_tick: Duration,
    /// For how long manifests are gathered before they are merged in one step. Default 20 ms.
    pub merge_window: Duration,
    /// How conflict names are made.
    pub naming: Naming,
    /// Who keeps a name that several claim at once.
    pub policy: Policy,
    /// Whether the store is to have all of the union, as far as it may keep it, also what nobody lacks: then
    /// whoever comes gets everything, whoever is there. Default: no.
    pub archive: bool,
    /// Who may change what is established. Default: anyone.
    pub updates: Updates,
    /// What may join the union.
    pub rules: Rules,
    /// How long a link may last without HELLO. Default 10 s.
    pub hello_timeout: Duration,
    /// How long a link may be silent. Default 90 s.
    pub silence_timeout: Duration,
    /// How long a source may take until its first file: it may look through its folder first. Default 60 s.
    pub first_file_timeout: Duration,
    /// How long a session may go without progress. Default 30 s.
    pub stall_timeout: Duration,
    /// Longest client name, in characters; the rest is cut off. Default 64.
    pub name_chars_max: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            files_per_session_max: 50,
            sessions_per_client_max: 4,
            sessions_max: 1024,
            store_bytes_max: 8 << 30,
            spool_bytes_max: 1 << 30,
            manifest_stale: Duration::from_secs(15),
            scheduler_tick: Duration::from_secs(1),
            merge_window: Duration::from_millis(20),
            naming: Naming::default(),
            policy: Policy::default(),
            archive: false,
            updates: Updates::default(),
            rules: Rules::default(),
            hello_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(90),
            first_file_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            name_chars_max: 64,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// What the store has kept from before, least recently used first.
    Kept(Vec<Content>),
    /// A client has connected, from this address.
    Accepted(PeerId, String),
    /// A client's link is gone, for this reason.
    Lost(PeerId, String),
    /// A client sent a message that is no part of a file on its way.
    Received(PeerId, Message),
    /// Something was seen of an upload of this source.
    Uploaded(PeerId, SyncId, UploadEvent),
    /// So many bytes were kept of a content whose upload ended early. Expected once for each file of an
    /// upload that was under way or had not begun when its source was lost, or at [`Output::AbandonUpload`].
    Partial(ContentHash, u64),
    /// Something was seen of what a target gets.
    Downloaded(PeerId, TransferId, Progress),
    /// What the store keeps under this digest is not that content any more; it is gone.
    Spoiled(ContentHash),
    /// The liveries that are distributed, by folder name; `None` for all.
    AllowList(Option<BTreeSet<String>>),
    /// An administrator wants something, under a number by which the answer is known.
    Act(u64, Act),
    /// The time that the last [`Output::Timeout`] named has come, or any other time.
    Timeout,
}

/// How far one file is on its way to its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of it have left.
    Passed,
    /// All of it has left.
    Sent,
    /// It cannot be read, for this reason.
    Failed(String),
}

/// A file that goes from the store to a target.
#[derive(Clone, Debug, PartialEq)]
pub struct StartDownload {
    /// Its number on the target's link, also for a target of protocol 1, which is not told.
    pub transfer: TransferId,
    /// What it holds. It may still be arriving: what is there is sent, the last piece once all is right.
    pub content: Content,
    /// Bytes that the target has already.
    pub from: u64,
    /// How its pieces travel to a target of ours.
    pub compression: Compression,
    /// For a target of protocol 1: how it is begun there.
    pub begin: Option<FileBegin>,
}

/// Something to do.
#[derive(Debug)]
pub enum Output {
    /// Send a message to a client.
    Transmit(PeerId, Message),
    /// Take into the store what this relay says of the source's frames.
    OpenUpload {
        /// The client whose frames it watches.
        source: PeerId,
        /// The session.
        sync_id: SyncId,
        /// The relay, with the files that are to come.
        stream: UploadStream,
    },
    /// Take nothing more in from this session: [abandon](UploadStream::abandon) its relay and let go of what has
    /// not come to its end.
    AbandonUpload {
        /// The client whose frames it watches.
        source: PeerId,
        /// The session.
        sync_id: SyncId,
    },
    /// Forget a relay, of which nothing is under way any more.
    CloseUpload(PeerId, SyncId),
    /// Send a file from the store to a client.
    StartDownload(PeerId, StartDownload),
    /// Stop sending a file to a client.
    StopDownload(PeerId, TransferId),
    /// Remove a content from the store.
    Forget(ContentHash),
    /// Write down what has happened to the league before anything that comes after this is carried out.
    Record(Vec<Record>),
    /// Write down what has become of an [`Input::Act`], before anything that comes after this is carried out.
    Acted {
        /// The number that it was given.
        number: u64,
        /// What it did, or why it was refused.
        outcome: Result<ActReport, ActError>,
        /// What it did to the league: written down with that, or neither is.
        records: Vec<Record>,
    },
    /// Close a client's link, for this reason; no [`Input::Lost`] is expected for it.
    Close(PeerId, String),
    /// Tell people.
    Event(Event),
    /// Nothing more to do until then.
    Timeout(Option<Wake>),
}

impl Output {
    pub(crate) const fn to(peer: PeerId, message: Message) -> Self {
        Self::Transmit(peer, message)
    }
}

/// The livery names of an allow list: one per line; a line that begins with `#` is a comment.
/// `None` if there are none.
#[must_use]
pub fn parse_allow_list(text: &str) -> Option<BTreeSet<String>> {
    let names = text.trim_start_matches('\u{feff}').lines().map(|line| {
        // A `#` may begin a name (`#2_TeamIris_992` is a real livery); it is written as `\#2_...`.
        let line = line.trim();
        let name = if line.starts_with('#') { "" } else { line };
        line.strip_prefix('\\').unwrap_or(name)
    });
    let names: BTreeSet<_> = names.filter(|name| !name.is_empty()).map(crate::path::fold).collect();
    (!names.is_empty()).then_some(names)
}

/// Returns whether the livery of this file is distributed, and with it its conflict copies. `naming` is that of keys.
fn allows(list: Option<&BTreeSet<String>>, key: &PathKey, naming: &Naming) -> bool {
    list.is_none_or(|names| {
        let livery = key.livery();
        names.contains(livery) || names.contains(&*plain_livery(livery, naming))
    })
}
