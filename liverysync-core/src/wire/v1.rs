//! Protocol 1: one JSON object a frame, with a string `type`.
//!
//! Programs of the field ignore fields that they do not know, and that is the door for ours. The
//! server says in WELCOME that it is one of ours; only then does a client of ours answer with fields
//! that protocol 1 does not have, and only such a client is sent any. They are marked *ours* below.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{
    chunk, compress,
    v2::{Data, TransferId},
};
use crate::{hash::Content, time::UnixTime};

/// The number that WELCOME and HELLO carry in `liverysync`: the version of our extra fields.
pub const EXTENSION: u32 = 2;

/// Longest sync id that is accepted, in bytes. The programs of the field use UUIDs of 36.
const SYNC_ID_BYTES_MAX: usize = 64;

/// The name of one session, as the server chose it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncId(Arc<str>);

impl SyncId {
    /// Takes a name that is at most 64 bytes long.
    ///
    /// # Errors
    ///
    /// Refuses longer ones.
    pub fn new(text: &str) -> Result<Self, WireError> {
        if text.len() > SYNC_ID_BYTES_MAX {
            return Err(WireError::Malformed("a sync_id of more than 64 bytes".into()));
        }
        Ok(Self(text.into()))
    }

    /// Whether this is the empty name, which stands for no session.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The name as it travels.
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

/// One message. Paths and digests are as the peer wrote them: nothing here has been checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// *Ours*: the target says what of an offer is to be sent.
    Accept(Accept),
    /// *Ours*: the receiving end of files has room for more.
    Credit(Credit),
    /// *Ours*: a piece of a file, in a binary frame.
    #[serde(skip)]
    Data(Data),
    /// Either end reports that something went wrong.
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
    /// *Ours*: what has changed since a client last told what it holds.
    ManifestChanges(ManifestChanges),
    /// All that a client holds.
    ManifestFull(ManifestFull),
    /// How much a client holds.
    ManifestSummary(ManifestSummary),
    /// A client asks for a sign of life.
    Ping,
    /// The server's sign of life.
    Pong,
    /// The server asks a client for its manifest.
    RequestManifest(RequestManifest),
    /// *Ours*: the server tells a client of files that nobody is to have any more.
    Retire(Retire),
    /// The server asks the source for files.
    SendFiles(SendFiles),
    /// The server says what the union is.
    ServerState(ServerState),
    /// The target has all that it will get of a session.
    SyncDone(SyncDone),
    /// The server passes that on to the source.
    SyncDoneAck(SyncDoneAck),
    /// The server tells both ends of a session that it begins.
    SyncOffer(SyncOffer),
    /// A message of another generation: its type.
    #[serde(skip)]
    Unknown(String),
    /// The server greets.
    Welcome(Welcome),
}

/// See [`Message::Welcome`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Eight hex digits by which the server knows this link.
    pub client_id: String,
    /// *Ours*: the server understands our extra fields of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liverysync: Option<u32>,
}

/// See [`Message::Hello`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// A label, never a credential; `UNKNOWN` if there is none.
    #[serde(default)]
    pub steam_id: String,
    /// What the driver calls this PC.
    #[serde(default)]
    pub client_name: String,
    /// Hash of the manifest that follows.
    #[serde(default)]
    pub manifest_hash: String,
    /// *Ours*: the client understands our extra fields of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liverysync: Option<u32>,
    /// *Ours*: the [key](crate::league::MemberKey) by which the server knows the member again, in hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_key: Option<String>,
}

/// See [`Message::ManifestSummary`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestSummary {
    /// Hash of the manifest.
    #[serde(default)]
    pub manifest_hash: String,
    /// Number of files.
    #[serde(default)]
    pub file_count: u64,
    /// Sum of their sizes.
    #[serde(default)]
    pub total_bytes: u64,
}

/// See [`Message::ManifestFull`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestFull {
    /// As in the request; usually empty.
    #[serde(default)]
    pub sync_id: SyncId,
    /// *Ours*: how often this client has told of its files on this link, this time included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The files.
    pub manifest: Vec<FileInfo>,
    /// *Ours*: what a server says of the union beside its files, to a client that only looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remarks: Option<Remarks>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What a driver may want to know of a union, beside its files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remarks {
    /// The liveries that are distributed, if not all are. Case does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// The files that nobody who has them can send at present.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<String>,
    /// Names that have no content any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    /// Whether a rival livery goes into a folder of its own, whole.
    #[serde(default, skip_serializing_if = "is_false")]
    pub whole_liveries: bool,
    /// The names that several contents claim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Claimed>,
}

/// A name that has no content any more, and those that it has had or turned down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retired {
    /// The name.
    pub rel_path: String,
    /// The first 8 hex digits of each.
    pub contents: Vec<String>,
}

/// A name that several contents claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claimed {
    /// The name, and whose file has it.
    #[serde(flatten)]
    pub established: Authored,
    /// The others: the names that they have instead, and whose they are.
    pub rivals: Vec<Authored>,
}

/// A file, and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Authored {
    /// Where it lies.
    pub rel_path: String,
    /// The member, as 16 hex digits; none for one without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// See [`Message::ManifestChanges`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestChanges {
    /// As [`ManifestFull::revision`].
    pub revision: u64,
    /// Names of files that are gone.
    pub removed: Vec<String>,
    /// Files that are new or have another content.
    pub changed: Vec<FileInfo>,
}

/// One file, as a manifest or an offer lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Where it lies.
    pub rel_path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest in hex.
    pub sha256: String,
    /// Its modification time in seconds since the UNIX epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<f64>,
    /// *Ours*: the same in nanoseconds, which a float cannot tell apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<i64>,
    /// *Ours*: in a manifest, the digest of what its client last had in sync with the union at this path, if that
    /// was something else. It makes a change of that an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

impl FileInfo {
    /// Describes a file. `ours` says that the peer understands our extra fields.
    #[must_use]
    pub fn new(path: &str, content: Content, mtime: Option<UnixTime>, ours: bool) -> Self {
        Self {
            rel_path: path.to_owned(),
            size: content.size,
            sha256: content.hash.to_string(),
            mtime: mtime.map(UnixTime::as_seconds),
            mtime_ns: mtime.filter(|_| ours).map(UnixTime::as_nanos),
            base: None,
        }
    }

    /// The modification time, as exactly as the peer says it; `None` if it says none or no date.
    #[must_use]
    pub fn modified(&self) -> Option<UnixTime> {
        let exact = self.mtime_ns.map(UnixTime::from_nanos);
        exact.or_else(|| self.mtime.and_then(UnixTime::from_seconds))
    }
}

/// See [`Message::ServerState`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerState {
    /// Hash of the union, or the client's own hash while the union is empty.
    #[serde(default)]
    pub current_hash: String,
    /// *Ours*: how the client that this is sent to stands to the union.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub sync_status: Option<SyncStatus>,
    /// *Ours*: the client's paths at which it holds something else than the union does. At all others of the
    /// same revision it is in sync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
}

/// *Ours*: how one client stands to the union.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// The [revision](ManifestFull::revision) of the client's files that this is about.
    pub revision: u64,
    /// Files of the union that the client lacks and could still get.
    pub missing: u64,
    /// Bytes of those files.
    pub missing_bytes: u64,
    /// Files that others still need this client for.
    pub needed_by_others: u64,
    /// Files of the union that will not arrive here as things are: refused, or their sources failed.
    pub withheld: u64,
}

/// See [`Message::RequestManifest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestManifest {
    /// To be echoed.
    #[serde(default)]
    pub sync_id: SyncId,
}

/// Which end of a session a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// The client that uploads.
    Source,
    /// The client that lacks the files.
    Target,
}

/// See [`Message::SyncOffer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncOffer {
    /// The session.
    pub sync_id: SyncId,
    /// What the client is in it.
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
    /// *Ours*, to the target: all that the session brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<OfferedFile>>,
    /// *Ours*, to the target: rival liveries go elsewhere as a whole, so a file that the server does not know of is not
    /// replaced, not even with a copy beside.
    #[serde(default, skip_serializing_if = "is_false")]
    pub whole_liveries: bool,
}

/// *Ours*: one file of an offer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OfferedFile {
    /// The file.
    #[serde(flatten)]
    pub info: FileInfo,
    /// The number under which its bytes will come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferId>,
    /// Where the target has this content already: it copies it, and nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<String>,
    /// The digest of what the target has there, if the union knows it as what the name had before: nothing is lost
    /// when it is replaced. Anything else is a rival, whose content must live on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// See [`Message::Retire`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retire {
    /// Files as their client told of them. It backs up and removes those that are still what is said here.
    pub files: Vec<FileInfo>,
}

/// See [`Message::Accept`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// The session.
    pub sync_id: SyncId,
    /// What is to be sent. Files of the offer that are not listed need not be.
    pub files: Vec<Resume>,
}

/// Where a transfer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The transfer.
    pub transfer: TransferId,
    /// Bytes that are there already.
    #[serde(default)]
    pub offset: u64,
}

/// See [`Message::Credit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// How many bytes of files more may be sent.
    pub bytes: u64,
}

/// See [`Message::SendFiles`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendFiles {
    /// The session.
    pub sync_id: SyncId,
    /// The files, by the source's own names.
    #[serde(default)]
    pub paths: Vec<String>,
    /// *Ours*, instead of the paths: the files with the numbers under which to send them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileRequest>>,
}

/// *Ours*: one file that a source is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileRequest {
    /// The file, by the source's own name, as its manifest said.
    #[serde(flatten)]
    pub info: FileInfo,
    /// The number under which to send it, and the bytes that need not be sent.
    #[serde(flatten)]
    pub resume: Resume,
}

/// See [`Message::FileBegin`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileBegin {
    /// The session.
    pub sync_id: SyncId,
    /// The file.
    #[serde(flatten)]
    pub info: FileInfo,
}

/// See [`Message::FileChunk`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChunk {
    /// The session.
    pub sync_id: SyncId,
    /// The file.
    pub rel_path: String,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// The bytes.
    pub data: Bytes,
}

/// See [`Message::FileEnd`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEnd {
    /// The session.
    pub sync_id: SyncId,
    /// The file.
    pub rel_path: String,
}

/// See [`Message::SyncDone`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDone {
    /// The session.
    pub sync_id: SyncId,
    /// Hash of the target's manifest.
    #[serde(default)]
    pub new_manifest_hash: String,
    /// *Ours*: as [`ManifestFull::revision`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// *Ours*: the files that the target has installed, by the names of the offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<Vec<String>>,
}

/// See [`Message::SyncDoneAck`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDoneAck {
    /// The session.
    pub sync_id: SyncId,
    /// Hash of the target's manifest.
    #[serde(default)]
    pub new_manifest_hash: String,
}

/// See [`Message::Error`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// The session; empty for none.
    #[serde(default)]
    pub sync_id: SyncId,
    /// What happened, for people.
    #[serde(default)]
    pub message: String,
    /// *Ours*: the one file of the session that it is about; without it, the session is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rel_path: Option<String>,
    /// *Ours*: what it means for that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// *Ours*: what an error means for the file that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The target will never take this file as it is set up.
    Declined,
    /// The target could not take it this time: a full disk, a file that another program holds.
    Failed,
    /// The source does not have it, or no longer as its manifest said.
    Missing,
    /// Later than this version.
    #[serde(other)]
    Other,
}

/// A payload that is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It is not what protocol 1 says that it must be.
    #[error("not a message of protocol 1: {0}")]
    Malformed(String),
}

impl From<serde_json::Error> for WireError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// A text that is borrowed from the payload wherever it holds no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// One pass over a payload that tells its type, and whether it has a chunk's data.
#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow, default)]
    data_b64: Option<Text<'a>>,
}

impl Message {
    /// Reads one payload, of any form. The bytes of a file are shared with it.
    ///
    /// # Errors
    ///
    /// As for [`Message::decode`], and for a binary payload that is none of ours.
    pub fn read(payload: &Bytes) -> Result<Self, WireError> {
        match payload.first() {
            Some(b'{') | None => Self::decode(payload),
            Some(&compress::KIND_ZSTD) => Self::decode(&compress::read(payload)?),
            _ => Data::read(payload).map(Self::Data),
        }
    }

    /// Reads one payload of JSON.
    ///
    /// # Errors
    ///
    /// Fails for what is no JSON object, has no `type`, or lacks a field that its type must have.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        if let Some(chunk) = chunk::read_quickly(payload) {
            return Ok(Self::FileChunk(chunk));
        }
        let probe: Probe<'_> = serde_json::from_slice(payload)?;
        if probe.data_b64.is_some() && probe.r#type.0 == "FILE_CHUNK" {
            return chunk::read(payload);
        }
        fn fields<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, WireError> {
            Ok(serde_json::from_slice(payload)?)
        }
        Ok(match probe.r#type.0.as_ref() {
            "ACCEPT" => Self::Accept(fields(payload)?),
            "CREDIT" => Self::Credit(fields(payload)?),
            "ERROR" => Self::Error(fields(payload)?),
            "FILE_BEGIN" => Self::FileBegin(fields(payload)?),
            "FILE_CHUNK" => return Err(WireError::Malformed("a chunk without data".into())),
            "FILE_END" => Self::FileEnd(fields(payload)?),
            "HELLO" => Self::Hello(fields(payload)?),
            "MANIFEST_CHANGES" => Self::ManifestChanges(fields(payload)?),
            "MANIFEST_FULL" => Self::ManifestFull(fields(payload)?),
            "MANIFEST_SUMMARY" => Self::ManifestSummary(fields(payload)?),
            "PING" => Self::Ping,
            "PONG" => Self::Pong,
            "REQUEST_MANIFEST" => Self::RequestManifest(fields(payload)?),
            "RETIRE" => Self::Retire(fields(payload)?),
            "SEND_FILES" => Self::SendFiles(fields(payload)?),
            "SERVER_STATE" => Self::ServerState(fields(payload)?),
            "SYNC_DONE" => Self::SyncDone(fields(payload)?),
            "SYNC_DONE_ACK" => Self::SyncDoneAck(fields(payload)?),
            "SYNC_OFFER" => Self::SyncOffer(fields(payload)?),
            "WELCOME" => Self::Welcome(fields(payload)?),
            other => Self::Unknown(other.to_owned()),
        })
    }

    /// Appends this message's payload to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::FileChunk(chunk) => chunk::write(chunk, out),
            Self::Data(data) => data.encode(out),
            // Never sent: it stands for what a peer of another generation wrote.
            Self::Unknown(_) => {}
            message => {
                let json = chunk::json(message);
                if !(self.speaks_v2() && compress::write(&json, out)) {
                    out.extend_from_slice(&json);
                }
            }
        }
    }

    /// Whether it has a form that is sent only to peers of protocol 2, as far as it may be large.
    const fn speaks_v2(&self) -> bool {
        match self {
            Self::Accept(_) | Self::ManifestChanges(_) | Self::Retire(_) => true,
            Self::ManifestFull(full) => full.revision.is_some() || full.remarks.is_some(),
            Self::SendFiles(request) => request.files.is_some(),
            Self::SyncDone(done) => done.installed.is_some(),
            Self::SyncOffer(offer) => offer.files.is_some(),
            _ => false,
        }
    }

    /// Whether this message is part of a file on its way.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        matches!(self, Self::FileBegin(_) | Self::FileChunk(_) | Self::FileEnd(_) | Self::Data(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: &Message) -> String {
        let mut out = BytesMut::new();
        message.encode(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[track_caller]
    fn check(message: Message, payload: &str) {
        assert_eq!(encoded(&message), payload);
        assert_eq!(Message::decode(payload.as_bytes()), Ok(message));
    }

    fn id(text: &str) -> SyncId {
        SyncId::new(text).unwrap()
    }

    #[test]
    fn each_message_has_the_form_that_the_field_knows() {
        let client_id = "00c0ffee".to_owned();
        check(
            Message::Welcome(Welcome { client_id: client_id.clone(), liverysync: None }),
            r#"{"type":"WELCOME","client_id":"00c0ffee"}"#,
        );
        check(
            Message::Hello(Hello {
                steam_id: "UNKNOWN".into(),
                client_name: "Jörg".into(),
                ..Hello::default()
            }),
            r#"{"type":"HELLO","steam_id":"UNKNOWN","client_name":"Jörg","manifest_hash":""}"#,
        );
        check(
            Message::ManifestFull(ManifestFull {
                sync_id: SyncId::default(),
                revision: None,
                remarks: None,
                manifest: vec![FileInfo {
                    rel_path: "T/a b.png".into(),
                    size: 3,
                    sha256: "00".into(),
                    mtime: Some(1.5),
                    ..FileInfo::default()
                }],
            }),
            r#"{"type":"MANIFEST_FULL","sync_id":"","manifest":[{"rel_path":"T/a b.png","size":3,"sha256":"00","mtime":1.5}]}"#,
        );
        check(
            Message::SyncOffer(SyncOffer {
                sync_id: id("s"),
                role: Role::Target,
                current_hash: "h".into(),
                source_client_id: client_id.clone(),
                target_client_id: client_id,
                files: None,
                whole_liveries: false,
            }),
            r#"{"type":"SYNC_OFFER","sync_id":"s","role":"TARGET","current_hash":"h","source_client_id":"00c0ffee","target_client_id":"00c0ffee"}"#,
        );
        check(
            Message::FileBegin(FileBegin {
                sync_id: id("s"),
                info: FileInfo {
                    rel_path: "a.png".into(),
                    size: 1,
                    sha256: "00".into(),
                    ..FileInfo::default()
                },
            }),
            r#"{"type":"FILE_BEGIN","sync_id":"s","rel_path":"a.png","size":1,"sha256":"00"}"#,
        );
        check(
            Message::FileChunk(FileChunk {
                sync_id: id("s"),
                rel_path: "a\"b.png".into(),
                offset: 7,
                data: Bytes::from_static(b"abcd"),
            }),
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a\"b.png","offset":7,"data_b64":"YWJjZA=="}"#,
        );
        check(Message::Ping, r#"{"type":"PING"}"#);
        check(
            Message::ServerState(ServerState {
                current_hash: "h".into(),
                ..ServerState::default()
            }),
            r#"{"type":"SERVER_STATE","current_hash":"h"}"#,
        );
        check(
            Message::ServerState(ServerState {
                current_hash: "h".into(),
                sync_status: Some(SyncStatus {
                    revision: 5,
                    missing: 1,
                    missing_bytes: 2,
                    needed_by_others: 3,
                    withheld: 4,
                }),
                ..ServerState::default()
            }),
            r#"{"type":"SERVER_STATE","current_hash":"h","revision":5,"missing":1,"missing_bytes":2,"needed_by_others":3,"withheld":4}"#,
        );
        check(
            Message::Error(ErrorReport {
                sync_id: id("s"),
                message: "m".into(),
                rel_path: None,
                fault: None,
            }),
            r#"{"type":"ERROR","sync_id":"s","message":"m"}"#,
        );
    }

    #[test]
    fn unknown_fields_and_types_do_no_harm() {
        let payload = r#"{"extra":[1,{"a":null}],"type":"PING"}"#;
        assert_eq!(Message::decode(payload.as_bytes()), Ok(Message::Ping));
        let payload = r#"{"type":"LATER","sync_id":7}"#;
        assert_eq!(Message::decode(payload.as_bytes()), Ok(Message::Unknown("LATER".into())));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for payload in [
            "",
            "[]",
            "{}",
            "7",
            r#"{"type":7}"#,
            r#"{"type":"FILE_CHUNK"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":0,"data_b64":"?"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":-1,"data_b64":""}"#,
            r#"{"type":"FILE_END","sync_id":"s"}"#,
            r#"{"type":"MANIFEST_FULL","manifest":[{"rel_path":"a","size":-1,"sha256":""}]}"#,
        ] {
            assert!(Message::decode(payload.as_bytes()).is_err(), "{payload}");
        }
        let long =
            format!(r#"{{"type":"FILE_END","sync_id":"{}","rel_path":"a"}}"#, "x".repeat(65));
        assert!(Message::decode(long.as_bytes()).is_err());
    }
}
