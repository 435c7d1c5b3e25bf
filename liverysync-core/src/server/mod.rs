//! The server: it collects manifests, keeps the union, and decides who sends what to whom.
//!
//! [`ServerMachine`] never sees the bytes of a file. The host feeds the frames of each source to the [`UploadStream`] of
//! its upload, which writes them to the store. From there the host sends files to every client that misses them, also
//! while they are still arriving. It reports progress with [`Input::Uploaded`] and [`Input::Downloaded`].
//!
//! # Contract
//!
//! - Feed one [`Input`], then call [`ServerMachine::poll_output`] until it returns [`Output::Timeout`]. Only then feed
//!   the next.
//! - Number each connection with a [`PeerId`] larger than zero and than all before it.
//! - After [`Input::Lost`] and after [`Output::Close`], end the upload streams and downloads of that peer.
//!
//! [`Input`] and [`Output`] are exhaustive on purpose: a host has to handle all of them, and a new one must not be ignored
//! by accident.
//!
//! # Parts
//!
//! The machine composes parts that own their state. A part takes what happened (`handle_…`), returns what concerns other
//! parts, and marks what it makes out of date. What a peer gets is decided in one place, the router; whatever depends on
//! the protocol that a peer speaks is in `protocol_1`.

mod allow_list;
mod config;
mod context;
mod dirty;
mod downloads;
mod event;
mod findings;
mod league;
mod machine;
mod manifest_check;
mod notices;
mod overview;
mod owner_acts;
mod peer;
mod peers;
mod protocol_1;
mod reports;
mod respelled;
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
    config::{ServerConfig, Timeouts},
    event::{DifferingSetting, Event, Withheld},
    machine::ServerMachine,
    protocol_1::Protocol,
    status::{Missing, PeerStatus, Status},
};
use crate::{
    client::Progress,
    hash::{Content, ContentHash},
    inspect::ContentFacts,
    league::{Act, ActError, ActReport, Record},
    time::{UnixTime, Wake},
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
    /// The store has these contents from an earlier run, least recently used first.
    Stored(Vec<Content>),
    /// A client has connected from this address.
    Accepted(PeerId, String),
    /// The connection of a client was lost, for this reason.
    Lost(PeerId, String),
    /// A client sent a message that carries no file data.
    Received(PeerId, Message),
    /// An upload of this source made progress.
    Uploaded(PeerId, SyncId, UploadEvent),
    /// The store has this many bytes of a content whose upload ended early. Expected once for each file of an upload that
    /// had not arrived when its source was lost, or at [`Output::AbandonUpload`].
    Partial(ContentHash, u64),
    /// A file on its way to this target made progress.
    Downloaded(PeerId, TransferId, Progress),
    /// The bytes of a content that the store has tell these facts. Expected for each content of [`Output::Inspect`] that
    /// can be read.
    Inspected(Content, ContentFacts),
    /// The store has found that it does not have this content any more, or that its bytes have another hash.
    StoreLost(ContentHash),
    /// Distribute only these liveries, by folder name; `None` for all.
    AllowList(Option<BTreeSet<String>>),
    /// An admin wants this. The number comes back in [`Output::Acted`].
    Act(u64, Act),
    /// The date, by which freezes end. Feed it first, and every few seconds.
    Date(UnixTime),
    /// The time of the last [`Output::Timeout`] has come. May be fed at any other time, too.
    Timeout,
}

/// Something to do.
#[derive(Debug)]
pub enum Output {
    /// Send a message to a client.
    Transmit(PeerId, Message),
    /// Begin to feed the source's file data to this stream, and write what comes out to the store.
    OpenUpload {
        /// The source.
        source: PeerId,
        /// The session.
        sync_id: SyncId,
        /// The stream, which knows the files that are to come.
        stream: UploadStream,
    },
    /// Store nothing more from this session: [abandon](UploadStream::abandon) its stream, close the files that have not
    /// arrived, and say with [`Input::Partial`] how much of each is there.
    AbandonUpload {
        /// The source.
        source: PeerId,
        /// The session.
        sync_id: SyncId,
    },
    /// Drop the stream of a session. Nothing more comes through it.
    CloseUpload(PeerId, SyncId),
    /// Send a file from the store to a client.
    StartDownload {
        /// The target.
        target: PeerId,
        /// The file's number on the target's link. A Python client is not told.
        transfer: TransferId,
        /// Its content. It may still be arriving: send what is there, and the last piece once the whole is verified.
        content: Content,
        /// Number of bytes that the target has already.
        from: u64,
        /// The compression of its pieces.
        compression: Compression,
        /// The message that begins it at a Python client; `None` for protocol 2.
        begin: Option<FileBegin>,
    },
    /// Stop sending a file to a client.
    StopDownload(PeerId, TransferId),
    /// Inspect these contents of the store, in the background: an earlier run has not.
    Inspect(Vec<Content>),
    /// Read a content of the store in the background, and say [`Input::StoreLost`] if it is damaged: a target has got wrong
    /// bytes.
    Verify(ContentHash),
    /// Remove a content from the store.
    Remove(ContentHash),
    /// Write this to the league database before carrying out any later output.
    Record(Vec<Record>),
    /// Write the outcome of an [`Input::Act`] to the league database before carrying out any later output.
    Acted {
        /// The number of the act.
        number: u64,
        /// Its effect, or the reason why it was refused.
        outcome: Result<ActReport, ActError>,
        /// Its records. Write them and the outcome in one transaction.
        records: Vec<Record>,
    },
    /// Close a client's connection, for this reason. No [`Input::Lost`] is expected for it.
    Close(PeerId, String),
    /// Tell people.
    Event(Event),
    /// Nothing more to do until then.
    Timeout(Option<Wake>),
}
