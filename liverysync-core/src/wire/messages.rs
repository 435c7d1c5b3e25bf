//! The messages of protocols 1 and 2.
//!
//! A message of protocol 1 is one JSON object in a frame, with a string `type`. Receivers ignore fields they do not know, and
//! protocol 2 builds on that: the server offers it in WELCOME, the client agrees in HELLO, and only then do they send
//! anything marked "Protocol 2" here.
//!
//! Only the form of a message is checked here. Paths and digests are as the peer wrote them.

mod act;
mod flat;
mod manifest;
mod notice;
pub(super) mod read;
mod session;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

pub use self::{
    act::{ActReply, ActRequest},
    manifest::{
        DamagedFile, FileInfo, HeldNotice, HeldRemark, LeagueNaming, ManifestChanges, ManifestFull,
        ManifestSummary, NameConflict, OwnedFile, RefusedFile, Remarks, RequestManifest, Retire,
        RetiredName, ServerState, SyncStatus,
    },
    notice::{Notices, OwnerNews, OwnerNotice},
    session::{
        Accept, Credit, ErrorReport, Fault, FileBegin, FileChunk, FileEnd, FileRequest, LostName,
        OfferedFile, Resume, Role, SendFiles, SyncDone, SyncDoneAck, SyncOffer,
    },
};
use super::{chunk, compress, data::Data, frame, list};

/// The number of protocol 2 in the field `liverysync` of WELCOME and HELLO.
#[doc(hidden)]
pub const PROTOCOL_2: u32 = 2;

/// The build of protocol 2, in the field `build` of WELCOME and HELLO. It grows with every change of the protocol until
/// the first release. Two programs of different builds say so and do nothing else.
#[doc(hidden)]
pub const BUILD: u32 = 11;

/// Longest sync id that is accepted, in bytes. The Python programs use UUIDs, which have 36.
const SYNC_ID_BYTES_MAX: usize = 64;

/// The name of a session, as the server chose it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncId(Arc<str>);

impl SyncId {
    /// Makes an id from at most 64 bytes of text.
    ///
    /// # Errors
    ///
    /// Refuses a longer text.
    pub fn new(text: &str) -> Result<Self, WireError> {
        if text.len() > SYNC_ID_BYTES_MAX {
            return Err(WireError::Malformed("a sync_id has more than 64 bytes"));
        }
        Ok(Self(text.into()))
    }

    /// Returns true for the empty id, which means no session.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the id as it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SyncId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SyncId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SyncId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// One message of either protocol.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// Protocol 2: the target answers an offer with the files it wants.
    Accept(Accept),
    /// Protocol 2: a client asks for a change of liveries that its member owns.
    Act(ActRequest),
    /// Protocol 2: the server's answer to [`Message::Act`].
    Acted(ActReply),
    /// Protocol 2: a receiver of files has room for more bytes.
    Credit(Credit),
    /// Protocol 2: a piece of a file, in a binary frame.
    #[serde(skip)]
    Data(Data),
    /// Either side reports a failure.
    Error(ErrorReport),
    /// The source begins a file.
    FileBegin(FileBegin),
    /// A piece of the file that was begun.
    #[serde(skip)]
    FileChunk(FileChunk),
    /// The source ends a file.
    FileEnd(FileEnd),
    /// A client introduces itself.
    Hello(Hello),
    /// Protocol 2: a client reports which of its files have changed since its last report.
    ManifestChanges(ManifestChanges),
    /// The list of all files of a client or, in protocol 2 and to a dry run, of the union.
    ManifestFull(ManifestFull),
    /// The number and size of a client's files.
    ManifestSummary(ManifestSummary),
    /// Protocol 2: the server tells a client what others did to liveries of its member.
    Notices(Notices),
    /// A client checks that the server is alive.
    Ping,
    /// The server's answer to [`Message::Ping`].
    Pong,
    /// The server requests a client's manifest; in protocol 2 also a dry run requests the union.
    RequestManifest(RequestManifest),
    /// Protocol 2: the server lists files of this client that the league has retired.
    Retire(Retire),
    /// The server requests files from the source.
    SendFiles(SendFiles),
    /// The server reports the state of the union and, in protocol 2, of this client.
    ServerState(ServerState),
    /// The target has finished a session.
    SyncDone(SyncDone),
    /// The server tells the source that its session is finished.
    SyncDoneAck(SyncDoneAck),
    /// The server opens a session.
    SyncOffer(SyncOffer),
    /// A message of a type that this version does not know, with the type.
    #[serde(skip)]
    Unknown(String),
    /// The server's first message.
    Welcome(Welcome),
}

/// The payload of [`Message::Welcome`].
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Eight hex digits that identify the connection.
    pub client_id: String,
    /// Protocol 2: the highest protocol that the server speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liverysync: Option<u32>,
    /// Protocol 2: the [build](BUILD) of the server's protocol. Early programs leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<u32>,
}

/// The payload of [`Message::Hello`].
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// A label, never a credential; `UNKNOWN` if there is none.
    #[serde(default)]
    pub steam_id: String,
    /// The name that the driver gave this PC.
    #[serde(default)]
    pub client_name: String,
    /// Hash of the manifest that follows.
    #[serde(default)]
    pub manifest_hash: String,
    /// Protocol 2: the highest protocol that the client speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liverysync: Option<u32>,
    /// Protocol 2: the [build](BUILD) of the client's protocol. Early programs leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<u32>,
    /// Protocol 2: the [key](crate::league::MemberKey) that identifies the member, in hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_key: Option<String>,
    /// Protocol 2: keys that the same driver had before, as `member_key`; at most [`Hello::FORMER_KEYS_MAX`]. Members with
    /// these keys are merged into the member.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::first::<{ Hello::FORMER_KEYS_MAX }, _, _>"
    )]
    pub former_keys: Vec<String>,
    /// Protocol 2: the only role that the client takes, if any. A [source](Role::Source) downloads nothing, and a
    /// [target](Role::Target) uploads nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Role>,
}

impl Hello {
    /// The most former keys that count. A server ignores the rest.
    pub const FORMER_KEYS_MAX: usize = 16;
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Error for bytes that are not a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The JSON is broken, or a field that the type requires is missing or has the wrong form.
    #[error("malformed message")]
    Json(#[from] serde_json::Error),
    /// The payload breaks another rule of the protocol.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// The header of a frame claims more than the limit.
    #[error("the frame has {claimed} bytes, and only {limit} are allowed")]
    TooLarge {
        /// The length in the header.
        claimed: usize,
        /// The limit at this point.
        limit: usize,
    },
}

impl Message {
    /// Largest payload that a peer may send, in bytes: 16 MiB.
    pub const BYTES_MAX: usize = frame::PAYLOAD_BYTES_MAX;

    /// Largest payload that a client may send before HELLO, in bytes: 16 KiB.
    pub const STRANGER_BYTES_MAX: usize = frame::STRANGER_BYTES_MAX;

    /// Takes the next message out of `buffer`. Returns `None` until its whole frame has arrived.
    ///
    /// # Errors
    ///
    /// Refuses a payload of more than `limit` bytes as soon as its header has arrived. Fails where [`Message::read`] does.
    pub fn read_frame(buffer: &mut BytesMut, limit: usize) -> Result<Option<Self>, WireError> {
        frame::split(buffer, limit)?.map(|payload| Self::read(&payload)).transpose()
    }

    /// Appends the frame of this message to `out`.
    pub fn write_frame(&self, out: &mut BytesMut) {
        frame::write(out, |out| self.encode(out));
    }

    /// Reads one payload of any form. The bytes of a piece share its memory.
    ///
    /// # Errors
    ///
    /// Fails where [`Message::decode`] does, and for a binary payload of no known kind.
    pub fn read(payload: &Bytes) -> Result<Self, WireError> {
        match payload.first() {
            // JSON may begin with white space.
            Some(b'{' | b' ' | b'\t' | b'\n' | b'\r') | None => Self::decode(payload),
            Some(&compress::KIND_ZSTD) => Self::decode(&compress::read(payload)?),
            _ => Data::read(payload).map(Self::Data),
        }
    }

    /// Reads one payload of JSON.
    ///
    /// # Errors
    ///
    /// Fails if the payload is not a JSON object, has no `type`, or lacks a field that its type requires.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        if let Some(chunk) = chunk::read_quickly(payload) {
            return Ok(Self::FileChunk(chunk));
        }
        read::json(payload)
    }

    /// Appends this message's payload to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::FileChunk(chunk) => chunk::write(chunk, out),
            Self::Data(data) => data.encode(out),
            // Only a peer makes these, and nobody passes them on.
            Self::Unknown(_) => {}
            message => {
                let json = chunk::json(message);
                if !(self.may_compress() && compress::write(&json, out)) {
                    out.extend_from_slice(&json);
                }
            }
        }
    }

    /// Returns true if only a peer of protocol 2 is sent this, which may then be compressed. Small messages do not count.
    const fn may_compress(&self) -> bool {
        match self {
            Self::Accept(_) | Self::ManifestChanges(_) | Self::Retire(_) => true,
            Self::ManifestFull(full) => full.revision.is_some() || full.remarks.is_some(),
            Self::SendFiles(request) => request.files.is_some(),
            Self::SyncDone(done) => done.installed.is_some(),
            Self::SyncOffer(offer) => offer.files.is_some(),
            _ => false,
        }
    }

    /// Returns true for the messages that carry files.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        matches!(self, Self::FileBegin(_) | Self::FileChunk(_) | Self::FileEnd(_) | Self::Data(_))
    }
}
