//! The client: it publishes what its PC holds, sends what others lack, and installs what it lacks.
//!
//! [`ClientMachine`] decides; the host moves messages and carries out disk requests. Disk is an
//! effect like the network: a request goes out with an [`OpId`], its outcome comes back in.
//!
//! # Contract
//!
//! Feed one [`Input`], then call [`ClientMachine::poll_output`] until it returns
//! [`Output::Timeout`]; only then feed the next. Requests about staged files must be carried out in
//! the order in which they were made, and so must the reads of pieces: a chunk is sent when its read
//! comes back. The outcome of [`DiskRequest::LoadCache`] must come before that of [`DiskRequest::List`]. A host bounds its memory by not reading the link while many
//! [`DiskRequest::Write`]s wait.

mod context;
mod downloads;
mod dry_run;
mod event;
mod folder;
mod ignored;
mod link;
mod machine;
mod protocol_1;
mod publisher;
mod retiring;
mod sync_status;
mod sync_watch;
mod uploads;

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;

pub use self::{
    event::{Claimant, Event, Plan, Rivalry, Role},
    ignored::{Ignored, InvalidGlob},
    machine::ClientMachine,
    sync_watch::{
        FileErrors, SyncError, SyncProgress, SyncReport, SyncWatch, Unfinished, WaitPolicy,
    },
};
use crate::{
    conflict::Naming,
    hash::Content,
    league::MemberKey,
    path::RelPath,
    select::{Listed, Rules, Stamp},
    text::{NAME_CHARS_MAX, limit_name},
    time::{Time, UnixTime, Wake},
    transfer::{Compression, Piece},
    wire::{
        data::TransferId,
        messages::{Message, SyncId},
    },
};

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What the driver calls this PC; at most 64 characters are used.
    pub name: String,
    /// A label, never a credential; `UNKNOWN` if there is none.
    pub steam_id: String,
    /// By what a server of ours knows this PC again; without one, it is nobody in particular and owns nothing.
    pub member_key: Option<MemberKey>,
    /// What is published and accepted.
    pub rules: Rules,
    /// Liveries that this PC does not want. [`Input::Ignore`] changes it later.
    pub ignored: Ignored,
    /// How rivals are named on a server of protocol 1, which does not say.
    pub naming: Naming,
    /// How long a file must have kept still before it is published; the rest of its livery waits for it, for at most
    /// 10 s. Default 300 ms.
    pub settle: Duration,
    /// How often the folder is walked even if nothing seems to have changed. Default 60 s.
    pub rescan: Duration,
    /// First wait before connecting again, doubled each time. Default 1 s.
    pub retry_first: Duration,
    /// Longest wait before connecting again. Default 30 s.
    pub retry_cap: Duration,
    /// How often a sign of life is asked for. Default 30 s.
    pub ping: Duration,
    /// How long the server may be silent. Default 90 s.
    pub silence_timeout: Duration,
    /// How long to wait for a file from a server of protocol 1, which waits for ever itself. One of ours
    /// knows who is slow, and is waited for. Default 60 s.
    pub stall_timeout: Duration,
    /// Whether to find out what would happen instead of letting it happen.
    pub dry_run: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            steam_id: "UNKNOWN".to_owned(),
            member_key: None,
            rules: Rules::default(),
            ignored: Ignored::default(),
            naming: Naming::default(),
            settle: Duration::from_millis(300),
            rescan: Duration::from_secs(60),
            retry_first: Duration::from_secs(1),
            retry_cap: Duration::from_secs(30),
            ping: Duration::from_secs(30),
            silence_timeout: Duration::from_secs(90),
            stall_timeout: Duration::from_secs(60),
            dry_run: false,
        }
    }
}

impl ClientConfig {
    /// Checks what a driver calls his PC: 1 to 64 characters, without the blanks around them.
    ///
    /// # Errors
    ///
    /// Refuses a name that is empty or longer.
    pub fn check_name(name: &str) -> Result<&str, InvalidName> {
        let name = name.trim();
        let fits = !name.is_empty() && limit_name(name) == name;
        fits.then_some(name).ok_or(InvalidName)
    }

    /// Makes the values fit together: a ping comes in time for its answer to break the silence, and the longest wait is no
    /// shorter than the first.
    fn fitted(mut self) -> Self {
        self.ping = self.ping.min(self.silence_timeout / 3);
        self.retry_cap = self.retry_cap.max(self.retry_first);
        self
    }
}

/// A name that a PC cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {NAME_CHARS_MAX} characters")]
pub struct InvalidName;

/// The host's two clocks at the moment of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The steady clock, for deadlines.
    pub time: Time,
    /// The date, for what is written down.
    pub date: UnixTime,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// The link that [`Output::Connect`] asked for is there.
    LinkUp,
    /// The link is gone, or could not be made, for this reason.
    LinkDown(String),
    /// The server sent a message.
    Received(Message),
    /// The link has taken a chunk of this session, which goes to a server of protocol 1.
    ChunkSent(SyncId),
    /// How far a file is that [`Output::Send`] asked for.
    Sending(TransferId, Progress),
    /// So many bytes more have come of a file that [`DiskRequest::Receive`] waits for. It need not be said
    /// of each piece, nor of the end of a file.
    Arrived(TransferId, u64),
    /// A disk request has been carried out.
    Disk(OpId, DiskOutcome),
    /// Something below the root has changed.
    FolderChanged,
    /// The host waits to be in sync: the folder is looked through, a server that is away is tried at
    /// once, and [`Event::InSync`] is said once more when it is true.
    Sync,
    /// From now on these liveries are not wanted here, and no others.
    Ignore(Ignored),
    /// The time that the last [`Output::Timeout`] named has come, or any other time.
    Timeout,
}

/// How far one file is on its way to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes more have left.
    Passed(u64),
    /// All of it has left.
    Sent,
    /// It could not be read to its end; nothing more of it will leave.
    Failed(DiskFault),
}

/// Something to do.
#[derive(Debug)]
pub enum Output {
    /// Make a link to the server.
    Connect,
    /// Close the link, for this reason; an [`Input::LinkDown`] is expected.
    Disconnect(String),
    /// Send a message to the server.
    Transmit(Message),
    /// Send a file to the server. Its bytes do not pass through the machine.
    Send(SendFile),
    /// Stop sending a file.
    StopSending(TransferId),
    /// Carry out a disk request.
    Disk(OpId, DiskRequest),
    /// Tell people.
    Event(Event),
    /// Nothing more to do until then.
    Timeout(Option<Wake>),
}

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFile {
    /// The number under which its bytes go.
    pub transfer: TransferId,
    /// The file.
    pub path: RelPath,
    /// What tells that it has not changed; looked at before each piece.
    pub stamp: Stamp,
    /// Bytes that the server has already.
    pub from: u64,
    /// How its pieces travel.
    pub compression: Compression,
}

/// The number of a disk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// A file that is being received into `.tmp`, under a name that the host derives from this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(pub u64);

/// Something to do on the disk. All paths lie below the liveries root; links are never followed.
#[derive(Clone, Debug)]
pub enum DiskRequest {
    /// Remove what earlier runs left in `.tmp`.
    Sweep,
    /// Read what [`DiskRequest::SaveCache`] wrote in an earlier run.
    LoadCache,
    /// Write this down for the next run, outside the liveries folder, in place of what was there.
    SaveCache(Bytes),
    /// Walk through the folder, except `.backup` and `.tmp` at the top.
    List {
        /// Whether to tell of all that changes after this walk has seen it, with [`Input::FolderChanged`].
        watch: bool,
    },
    /// Read and hash these files; each must have its stamp before and after.
    Hash(Vec<(RelPath, Stamp)>),
    /// Read a piece of a file that still has this stamp.
    Read {
        /// The file.
        path: RelPath,
        /// The piece.
        piece: Piece,
        /// What tells that it has not changed.
        stamp: Stamp,
    },
    /// Begin a staged file of this many bytes, under a name that is not there yet.
    Create(StageId, u64),
    /// Take in a file that comes under a number of the link: stage its bytes, check them, flush. What was
    /// [parked](DiskRequest::Park) under this stage goes on after its first bytes.
    Receive {
        /// Where to.
        stage: StageId,
        /// What it must hold.
        content: Content,
        /// The number under which its bytes come; they do not pass through the machine.
        transfer: TransferId,
    },
    /// Stop taking in a file, and keep what has come of it. It goes on with the same content only.
    Park(StageId),
    /// Write bytes into a staged file.
    Write(StageId, u64, Bytes),
    /// Flush a staged file, so that a crash cannot take it back.
    Seal(StageId),
    /// Stage a copy of a file, flushed, and tell what it holds.
    Copy(StageId, RelPath),
    /// Remove a staged file, if it is there.
    Discard(StageId),
    /// Put staged files in place, in this order.
    Install(InstallPlan),
    /// Move files to the backup folder that nobody is to have any more.
    Retire(RetirePlan),
}

/// Staged files that are switched together.
#[derive(Clone, Debug)]
pub struct InstallPlan {
    /// When: names the backup folder.
    pub date: UnixTime,
    /// The files.
    pub files: Vec<InstallFile>,
    /// Files to move to the backup folder once something was installed: what the game made of what
    /// was there before.
    pub clear: Vec<PathBuf>,
}

/// Files to put away.
#[derive(Clone, Debug)]
pub struct RetirePlan {
    /// When: names the backup folder.
    pub date: UnixTime,
    /// The files, each with what must lie there.
    pub files: Vec<(RelPath, Stamp)>,
    /// Files that go with them once one has gone: what the game made of them.
    pub clear: Vec<PathBuf>,
}

/// One file to put in place.
#[derive(Clone, Debug)]
pub struct InstallFile {
    /// What to put there.
    pub stage: StageId,
    /// Where to, as this PC spells it.
    pub path: RelPath,
    /// Its modification time; `None` leaves it as it is.
    pub mtime: Option<UnixTime>,
    /// What must lie there now: nothing, or a file with this stamp. It goes to the backup folder.
    pub replaces: Option<Stamp>,
    /// A second name for what is replaced, if that name is free.
    pub keep_as: Option<RelPath>,
}

/// What came of a disk request.
#[derive(Clone, Debug)]
pub enum DiskOutcome {
    /// Of [`DiskRequest::Sweep`], [`DiskRequest::SaveCache`], [`DiskRequest::Create`],
    /// [`DiskRequest::Write`], [`DiskRequest::Seal`] and [`DiskRequest::Discard`].
    Done(Result<(), DiskFault>),
    /// Of [`DiskRequest::Receive`], once all of the file is there, right and flushed, or something is
    /// wrong: nothing of it is kept then. A file that is discarded before has none.
    Received(Result<(), DiskFault>),
    /// Of [`DiskRequest::Park`]: number of bytes that are kept. The request to receive has no outcome
    /// then. 0 as well for a file that was whole or had failed already: its outcome came before.
    Parked(u64),
    /// Of [`DiskRequest::LoadCache`]; empty if there is nothing.
    CacheLoaded(Bytes),
    /// Of [`DiskRequest::List`].
    Listed(Result<Vec<Listed>, DiskFault>),
    /// Of [`DiskRequest::Hash`], in the same order.
    Hashed(Vec<Result<Content, DiskFault>>),
    /// Of [`DiskRequest::Read`].
    Read(Result<Bytes, DiskFault>),
    /// Of [`DiskRequest::Copy`].
    Copied(Result<Content, DiskFault>),
    /// Of [`DiskRequest::Install`], in the same order.
    Installed(Vec<Result<Installed, DiskFault>>),
    /// Of [`DiskRequest::Retire`], in the same order: where each lies now, below the root.
    Retired(Vec<Result<String, DiskFault>>),
}

/// A file that was put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its stamp.
    pub stamp: Stamp,
    /// Where what it replaced lies now, below the root.
    pub backup: Option<String>,
    /// Whether what it replaced has got its second name.
    pub kept: bool,
}

/// Why a disk request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DiskFault {
    /// What kind of failure it is.
    pub kind: DiskFaultKind,
    /// What the system said, for people.
    pub message: String,
}

/// What kind of failure a disk request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskFaultKind {
    /// The file is not as it was: its stamp differs, or something lies where nothing should.
    Changed,
    /// The disk is full.
    Full,
    /// Another program holds the file.
    InUse,
    /// The file is not there.
    Missing,
    /// What came is not what was to come.
    Corrupt,
    /// Anything else.
    Other,
}
