//! The inputs and outputs that pass between the machine and its host.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Event, LiveryGlobs};
use crate::{
    hash::Content,
    inspect::Inspection,
    league::MemberKey,
    path::RelPath,
    select::{Listed, Stamp},
    time::{Time, UnixTime, Wake},
    transfer::{Compression, Piece},
    wire::{
        data::TransferId,
        messages::{Message, SyncId},
    },
};

/// The host's two clocks at the moment of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The steady clock, for deadlines.
    pub time: Time,
    /// The date, for what is written down.
    pub date: UnixTime,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Input {
    /// The link of [`Output::Connect`] has been made.
    LinkUp,
    /// The link is gone or could not be made, for this reason.
    LinkDown(String),
    /// The server sent a message.
    Received(Message),
    /// The link has taken a chunk of this session. Only sessions with a server of protocol 1 have chunks.
    ChunkSent(SyncId),
    /// A file of [`Output::Send`] has made progress.
    Sending(TransferId, Progress),
    /// This many more bytes have arrived of a file that [`DiskRequest::Receive`] waits for. Need not be reported for
    /// each piece, nor for the end of a file.
    Arrived(TransferId, u64),
    /// A disk request has been carried out.
    Disk(OpId, DiskOutcome),
    /// Something below the root has changed.
    FolderChanged,
    /// The host waits to be in sync. The folder is scanned, a server that is away is tried at once, and
    /// [`Event::InSync`] comes once more.
    Sync,
    /// From now on these liveries are ignored, and no others.
    Ignore(LiveryGlobs),
    /// From now on these liveries are shared, as [`ClientConfig::share`](super::ClientConfig::share) says.
    Share(LiveryGlobs),
    /// The time of the last [`Output::Timeout`] has come, or any other time.
    Timeout,
}

/// The progress of a file on its way over a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// This many more bytes have been sent.
    Passed(u64),
    /// The whole file has been sent.
    Sent,
    /// The file could not be read to its end. Nothing more of it will be sent.
    Failed(DiskFault),
}

/// Something to do.
#[derive(Debug)]
pub enum Output {
    /// Make a link to the server.
    Connect,
    /// Close the link, for this reason, and hand in [`Input::LinkDown`].
    Disconnect(String),
    /// Send a message to the server.
    Transmit(Message),
    /// Send a file to the server. Its bytes do not pass through the machine.
    Send {
        /// The number that its pieces carry.
        transfer: TransferId,
        /// The file.
        path: RelPath,
        /// Shows that the file has not changed. Check it before each piece.
        stamp: Stamp,
        /// Bytes that the server has already.
        from: u64,
        /// The form in which its pieces travel.
        compression: Compression,
    },
    /// Stop sending a file.
    StopSending(TransferId),
    /// Carry out a disk request.
    Disk(OpId, DiskRequest),
    /// Note that the server knows these as former keys of the driver, so that no later run sends them to it.
    FormerKeysKnown(Vec<MemberKey>),
    /// Note that the driver shares these liveries with this league, so that a later run does not ask.
    RememberShare(LiveryGlobs),
    /// Tell people.
    Event(Event),
    /// Wait for the next input, at most until then.
    Timeout(Option<Wake>),
}

/// The number of a disk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// A staged file: one below `.tmp`, under a name that the host derives from this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(pub u64);

/// Something to do on the disk. All paths are below the liveries root. Links are never followed.
#[derive(Clone, Debug)]
pub enum DiskRequest {
    /// Remove what earlier runs left in `.tmp`.
    Sweep,
    /// Read what [`DiskRequest::SaveCache`] wrote in an earlier run.
    LoadCache,
    /// Write these bytes for the next run, outside the liveries folder, in place of the last ones.
    SaveCache(Bytes),
    /// List the folder, except `.backup` and `.tmp` at the top.
    List {
        /// Set if the host is to report all changes after this listing by [`Input::FolderChanged`].
        watch: bool,
    },
    /// Read and hash these files. Each must have its stamp before and after.
    Hash(Vec<(RelPath, Stamp)>),
    /// Read a piece of a file that still has this stamp.
    Read {
        /// The file.
        path: RelPath,
        /// The piece.
        piece: Piece,
        /// Shows that the file has not changed.
        stamp: Stamp,
    },
    /// Find out whether files of these sizes could be installed at these paths: no link is in the way, the folder is
    /// writable, and there is space. Nothing is changed.
    Check(Vec<(RelPath, u64)>),
    /// Read what [`DiskRequest::SaveObstacles`] wrote in an earlier run.
    LoadObstacles,
    /// Write these bytes for a dry run, outside the liveries folder, in place of the last ones.
    SaveObstacles(Bytes),
    /// Create a staged file of this many bytes, under a name that does not exist.
    Create(StageId, u64),
    /// Stage a file whose bytes come under a number of the link: write them, verify them, flush. What was
    /// [parked](DiskRequest::Park) under this stage is continued after its first bytes.
    Receive {
        /// The stage.
        stage: StageId,
        /// The content that it must get.
        content: Content,
        /// The number that its pieces carry. They do not pass through the machine.
        transfer: TransferId,
    },
    /// Stop receiving a file, and keep what has arrived. It continues with the same content only.
    Park(StageId),
    /// Write bytes into a staged file.
    Write(StageId, u64, Bytes),
    /// Flush a staged file, so that a crash cannot undo it.
    Seal(StageId),
    /// Stage a copy of a file, flushed, and say what it holds.
    Copy(StageId, RelPath),
    /// Remove a staged file, if it exists.
    Discard(StageId),
    /// Install staged files together, in this order.
    Install {
        /// The date that names the backup folder.
        date: UnixTime,
        /// The files.
        files: Vec<InstallFile>,
        /// Files to move to the backup folder once something has been installed: the game made them from what was there
        /// before.
        clear: Vec<PathBuf>,
    },
    /// Give files, with their folders, another spelling: from the first path to the second one. Only what differs is renamed,
    /// and nothing is replaced. Files of one folder may come one after the other.
    Respell(Vec<(RelPath, RelPath)>),
    /// Move retired files to the backup folder.
    Retire {
        /// The date that names the backup folder.
        date: UnixTime,
        /// The files, each with the stamp that it must have.
        files: Vec<(RelPath, Stamp)>,
        /// Files that go with them once one has gone: the game made them from the retired ones.
        clear: Vec<PathBuf>,
    },
}

/// A file to install.
#[derive(Clone, Debug)]
pub struct InstallFile {
    /// The stage.
    pub stage: StageId,
    /// Its destination, as this PC spells it.
    pub path: RelPath,
    /// Its modification time; `None` keeps that of the stage.
    pub mtime: Option<UnixTime>,
    /// The stamp of the file that it replaces, which goes to the backup folder. `None` if there must be none.
    pub replaces: Option<Stamp>,
    /// The conflict name under which the replaced file stays as well, if that name is free.
    pub keep_as: Option<RelPath>,
}

/// The outcome of a disk request.
#[derive(Clone, Debug)]
pub enum DiskOutcome {
    /// Of [`DiskRequest::Sweep`], [`DiskRequest::SaveCache`], [`DiskRequest::SaveObstacles`], [`DiskRequest::Create`],
    /// [`DiskRequest::Write`], [`DiskRequest::Seal`] and [`DiskRequest::Discard`].
    Done(Result<(), DiskFault>),
    /// Of [`DiskRequest::Receive`], once the whole file has arrived, is verified and flushed, or something is wrong:
    /// then nothing of it is kept. A file that is discarded before has no outcome.
    Received(Result<(), DiskFault>),
    /// Of [`DiskRequest::Park`]: the number of bytes that are kept. The request to receive has no outcome then. 0 as
    /// well for a file whose outcome came before.
    Parked(u64),
    /// Of [`DiskRequest::LoadCache`]; empty if there is none.
    CacheLoaded(Bytes),
    /// Of [`DiskRequest::LoadObstacles`]; empty if there is nothing.
    ObstaclesLoaded(Bytes),
    /// Of [`DiskRequest::Check`], in the same order.
    Checked(Vec<Result<(), DiskFault>>),
    /// Of [`DiskRequest::List`].
    Listed(Result<Vec<Listed>, DiskFault>),
    /// Of [`DiskRequest::Hash`], in the same order: the content of each file, and what its bytes tell.
    Hashed(Vec<Result<(Content, Inspection), DiskFault>>),
    /// Of [`DiskRequest::Read`].
    Read(Result<Bytes, DiskFault>),
    /// Of [`DiskRequest::Copy`].
    Copied(Result<Content, DiskFault>),
    /// Of [`DiskRequest::Install`], in the same order.
    Installed(Vec<Result<Installed, DiskFault>>),
    /// Of [`DiskRequest::Respell`], in the same order. [`DiskFaultKind::Changed`] if both spellings exist.
    Respelled(Vec<Result<(), DiskFault>>),
    /// Of [`DiskRequest::Retire`], in the same order: the backup of each file, below the root.
    Retired(Vec<Result<String, DiskFault>>),
}

/// A file that has been installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its stamp.
    pub stamp: Stamp,
    /// The backup of the file that it replaced, below the root.
    pub backup: Option<String>,
    /// Set if the file that it replaced stays under its conflict name.
    pub kept: bool,
    /// Facts that its bytes tell. If it is damaged, its author had nothing better.
    pub inspection: Inspection,
}

/// A disk request that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DiskFault {
    /// The kind of failure, for decisions.
    pub kind: DiskFaultKind,
    /// The system's words, for people.
    pub message: String,
}

/// A kind of failure on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskFaultKind {
    /// The file has another stamp, or exists where none should.
    Changed,
    /// The disk is full.
    Full,
    /// A link, a missing permission or a name that the system refuses is in the way. Trying again does not help.
    Blocked,
    /// Another program holds the file open.
    InUse,
    /// The file does not exist.
    Missing,
    /// The bytes that arrived do not have the expected hash.
    Corrupt,
    /// Anything else.
    Other,
}

impl DiskFaultKind {
    /// Returns whether trying again does not help until somebody has changed something.
    pub(super) const fn is_lasting(self) -> bool {
        matches!(self, Self::Blocked | Self::Full)
    }

    /// Returns whether the bytes themselves are gone. After any other failure they may still be there.
    #[cfg(feature = "server")]
    pub(crate) const fn is_loss(self) -> bool {
        matches!(self, Self::Missing | Self::Corrupt)
    }
}
