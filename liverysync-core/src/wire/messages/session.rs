//! The messages of a session: a group of files that one client uploads, or downloads, together.

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use super::{FileInfo, SyncId, flat};
use crate::wire::{data::TransferId, list};

/// A client's part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// The client that uploads.
    Source,
    /// The client that lacks the files.
    Target,
}

impl Role {
    /// Returns the role as one of the words in `docs/json.md`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// Serializes an optional role by its word.
    pub(crate) fn serialize_word<S: Serializer>(
        role: &Option<Self>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        role.map(Self::word).serialize(serializer)
    }
}

/// The payload of [`Message::SyncOffer`](super::Message::SyncOffer).
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncOffer {
    /// The session.
    pub sync_id: SyncId,
    /// The receiving client's part in it.
    pub role: Role,
    /// Hash of the union.
    #[serde(default)]
    pub current_hash: String,
    /// The source's client id.
    #[serde(default)]
    pub source_client_id: String,
    /// The target's client id.
    #[serde(default)]
    pub target_client_id: String,
    /// Protocol 2, to the target: every file of the session.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "list::some_at_most::<{ list::SESSION_FILES_MAX }, _, _>"
    )]
    pub files: Option<Vec<OfferedFile>>,
}

/// Protocol 2: one file of an offer.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "flat::OfferedFile")]
pub struct OfferedFile {
    /// The file.
    #[serde(flatten)]
    pub info: FileInfo,
    /// The number under which its bytes will come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferId>,
    /// A path at which the target has this content already. It copies that file, and nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<String>,
    /// The digest of the target's file there, if the union knows it as an earlier content of the name: nothing is lost
    /// when it is replaced. Any other file there is in conflict, and its content must be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Set if this is the conflict copy of a file of the target, which has lost its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<LostName>,
}

/// Protocol 2: a name that a file of the target has lost.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostName {
    /// The name, as the target spells it.
    pub rel_path: String,
    /// The name of the driver whose content keeps it; `None` if the server does not know them, or if they are the
    /// target's own driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<String>,
}

/// The payload of [`Message::Accept`](super::Message::Accept).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// The session.
    pub sync_id: SyncId,
    /// The transfers that the target wants. It does not need the other files of the offer.
    #[serde(deserialize_with = "list::at_most::<{ list::SESSION_FILES_MAX }, _, _>")]
    pub files: Vec<Resume>,
}

/// Protocol 2: the point at which a transfer begins.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The transfer.
    pub transfer: TransferId,
    /// Number of bytes that the receiver has already.
    #[serde(default)]
    pub offset: u64,
}

/// The payload of [`Message::Credit`](super::Message::Credit).
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Number of further file bytes that may be sent.
    pub bytes: u64,
}

/// The payload of [`Message::SendFiles`](super::Message::SendFiles).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendFiles {
    /// The session.
    pub sync_id: SyncId,
    /// The files, by the source's own names.
    #[serde(default, deserialize_with = "list::at_most::<{ list::SESSION_FILES_MAX }, _, _>")]
    pub paths: Vec<String>,
    /// Protocol 2, instead of `paths`: the files with their transfer numbers.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "list::some_at_most::<{ list::SESSION_FILES_MAX }, _, _>"
    )]
    pub files: Option<Vec<FileRequest>>,
}

/// Protocol 2: one file that the server requests from a source.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "flat::FileRequest")]
pub struct FileRequest {
    /// The file as the source's manifest describes it, by the source's own name.
    #[serde(flatten)]
    pub info: FileInfo,
    /// The number to send it under, and the bytes that need not be sent.
    #[serde(flatten)]
    pub resume: Resume,
}

/// The payload of [`Message::FileBegin`](super::Message::FileBegin).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "flat::FileBegin")]
pub struct FileBegin {
    /// The session.
    pub sync_id: SyncId,
    /// The file.
    #[serde(flatten)]
    pub info: FileInfo,
}

/// The payload of [`Message::FileChunk`](super::Message::FileChunk).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChunk {
    /// The session.
    pub sync_id: SyncId,
    /// The file.
    pub rel_path: String,
    /// Position of the chunk in the file, in bytes.
    pub offset: u64,
    /// The bytes.
    pub data: Bytes,
}

/// The payload of [`Message::FileEnd`](super::Message::FileEnd).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEnd {
    /// The session.
    pub sync_id: SyncId,
    /// The file.
    pub rel_path: String,
}

/// The payload of [`Message::SyncDone`](super::Message::SyncDone).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDone {
    /// The session.
    pub sync_id: SyncId,
    /// Hash of the target's manifest.
    #[serde(default)]
    pub new_manifest_hash: String,
    /// Protocol 2: see [`ManifestFull::revision`](super::ManifestFull::revision).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Protocol 2: the files that the target has installed, by the names of the offer.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "list::some_at_most::<{ list::SESSION_FILES_MAX }, _, _>"
    )]
    pub installed: Option<Vec<String>>,
}

/// The payload of [`Message::SyncDoneAck`](super::Message::SyncDoneAck).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDoneAck {
    /// The session.
    pub sync_id: SyncId,
    /// Hash of the target's manifest.
    #[serde(default)]
    pub new_manifest_hash: String,
}

/// The payload of [`Message::Error`](super::Message::Error).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// The session; empty for none.
    #[serde(default)]
    pub sync_id: SyncId,
    /// A text for people.
    #[serde(default)]
    pub message: String,
    /// Protocol 2: the one file of the session that failed. Without it, the session is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rel_path: Option<String>,
    /// Protocol 2: the kind of failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// Protocol 2: what the failure of a file means for it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The target does not take this file as its driver has set it up.
    Declined,
    /// The target cannot install this file in the present state of its disk: a link or missing permission is in the way, or
    /// there is no space.
    Blocked,
    /// The target could not take it this time: another program holds the file.
    Failed,
    /// The bytes that the target got do not have their hash.
    Corrupt,
    /// The source does not have it, or it differs from the source's manifest.
    Missing,
    /// The league has banned the client's member. The server closes the connection.
    Banned,
    /// A kind that a later version of the protocol has added.
    #[serde(other)]
    Other,
}
