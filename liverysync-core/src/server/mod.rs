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

mod allow_list;
mod config;
mod context;
mod dirty;
mod downloads;
mod event;
mod league;
mod machine;
mod manifest_check;
mod overview;
mod peer;
mod peers;
mod protocol_1;
mod reports;
mod retiring;
mod route;
mod status;
mod store_index;
mod sync_status;
mod timers;
mod union_step;
mod uploads;

use std::collections::BTreeSet;

pub use self::{
    allow_list::parse_allow_list,
    config::ServerConfig,
    event::{DifferingSetting, Event, Withheld},
    machine::ServerMachine,
    protocol_1::Protocol,
    status::{Missing, PeerStatus, Status},
};
use crate::{
    hash::{Content, ContentHash},
    league::{Act, ActError, ActReport, Record},
    time::Wake,
    transfer::{Compression, UploadEvent, UploadStream},
    union::PeerId,
    wire::{
        data::TransferId,
        messages::{FileBegin, Message, SyncId},
    },
};

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
