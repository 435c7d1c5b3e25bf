//! The messages about the files that a client shares, and about the union.

use serde::{Deserialize, Serialize};

use super::{SyncId, flat, is_false};
use crate::{
    conflict::{Naming, Scope},
    hash::Content,
    league::HoldReason,
    lint::LintRules,
    time::UnixTime,
    wire::list,
};

/// The payload of [`Message::ManifestSummary`](super::Message::ManifestSummary).
#[doc(hidden)]
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

/// The payload of [`Message::ManifestFull`](super::Message::ManifestFull).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestFull {
    /// The same as in the request; usually empty.
    #[serde(default)]
    pub sync_id: SyncId,
    /// Protocol 2: the number of reports this client has made on this connection, including this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The files.
    #[serde(deserialize_with = "list::at_most::<{ list::FILES_MAX }, _, _>")]
    pub manifest: Vec<FileInfo>,
    /// Protocol 2: further facts about the union, from a server to a client on a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remarks: Option<Remarks>,
}

/// The payload of [`Message::ManifestChanges`](super::Message::ManifestChanges).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestChanges {
    /// See [`ManifestFull::revision`].
    pub revision: u64,
    /// Names of files that are gone.
    #[serde(deserialize_with = "list::at_most::<{ list::FILES_MAX }, _, _>")]
    pub removed: Vec<String>,
    /// Files that are new or have another content.
    #[serde(deserialize_with = "list::at_most::<{ list::FILES_MAX }, _, _>")]
    pub changed: Vec<FileInfo>,
}

/// One file, as a manifest or an offer lists it.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Its path below the liveries folder.
    pub rel_path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest in hex.
    pub sha256: String,
    /// Its modification time in seconds since the UNIX epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<f64>,
    /// Protocol 2: the same in nanoseconds, which a float of seconds cannot hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<i64>,
    /// Protocol 2, in a manifest: the digest that this path had when its client was last in sync there, if it was
    /// another one. A change of that is an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Protocol 2, in a manifest: the client had it under another spelling of this path until now.
    #[serde(default, skip_serializing_if = "is_false")]
    pub renamed: bool,
}

impl FileInfo {
    /// Describes a file. `speaks_v2` says that the peer speaks protocol 2.
    #[must_use]
    pub fn new(path: &str, content: Content, mtime: Option<UnixTime>, speaks_v2: bool) -> Self {
        Self {
            rel_path: path.to_owned(),
            size: content.size,
            sha256: content.hash.to_string(),
            mtime: mtime.map(UnixTime::as_seconds),
            mtime_ns: mtime.filter(|_| speaks_v2).map(UnixTime::as_nanos),
            base: None,
            renamed: false,
        }
    }

    /// Returns the modification time in the most exact form that the peer sent; `None` if it sent none, or no valid date.
    #[must_use]
    pub fn modified(&self) -> Option<UnixTime> {
        let exact = self.mtime_ns.map(UnixTime::from_nanos);
        exact.or_else(|| self.mtime.and_then(UnixTime::from_seconds))
    }
}

/// The payload of [`Message::RequestManifest`](super::Message::RequestManifest).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestManifest {
    /// Returned unchanged in the answer.
    #[serde(default)]
    pub sync_id: SyncId,
}

/// The payload of [`Message::Retire`](super::Message::Retire).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retire {
    /// Files as their client reported them. It backs up and removes those that are unchanged.
    #[serde(deserialize_with = "list::at_most::<{ list::FILES_MAX }, _, _>")]
    pub files: Vec<FileInfo>,
}

/// Protocol 2: facts about a union that a driver may want to know, beyond its files.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remarks {
    /// The liveries that are distributed, ignoring case; `None` if all are.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "list::some_at_most::<{ list::FILES_MAX }, _, _>"
    )]
    pub allowed: Option<Vec<String>>,
    /// The files that nobody who has them can send at present.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::first::<{ list::FILES_MAX }, _, _>"
    )]
    pub unavailable: Vec<String>,
    /// Names that no longer have a content.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::first::<{ list::FILES_MAX }, _, _>"
    )]
    pub retired: Vec<RetiredName>,
    /// The names that several contents claim.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::first::<{ list::FILES_MAX }, _, _>"
    )]
    pub conflicts: Vec<NameConflict>,
    /// The liveries that are held, the first thousand.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::first::<{ list::REMARKS_MAX }, _, _>"
    )]
    pub held: Vec<HeldRemark>,
    /// The damaged files of the union, the first thousand.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::first::<{ list::REMARKS_MAX }, _, _>"
    )]
    pub damaged: Vec<DamagedFile>,
}

/// Protocol 2: a file of a client that cannot join the union.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusedFile {
    /// Its path, as the client reported it.
    pub rel_path: String,
    /// The reason, for people.
    pub reason: String,
}

/// Protocol 2: a damaged file of a union.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DamagedFile {
    /// Its path.
    pub rel_path: String,
    /// A word for its damage, such as `no-end`.
    pub damage: String,
}

/// Protocol 2: a livery that a member has changed and the others do not get yet.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "flat::HeldRemark")]
pub struct HeldRemark {
    /// The livery and the cause.
    #[serde(flatten)]
    pub notice: HeldNotice,
    /// The member's id, as 16 hex digits; `None` for members without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The member's name; `None` if the server does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The date from which it is held, in the form of RFC 3339; `None` if the server does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// Protocol 2: a name that no longer has a content, with the contents that it had or declined.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetiredName {
    /// The name.
    pub rel_path: String,
    /// The first 8 hex digits of each content.
    #[serde(deserialize_with = "list::first::<{ list::PER_NAME_MAX }, _, _>")]
    pub contents: Vec<String>,
}

/// Protocol 2: a name that several contents claim.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "flat::NameConflict")]
pub struct NameConflict {
    /// The file that has the name, or would have it.
    #[serde(flatten)]
    pub established: OwnedFile,
    /// The other files, under the conflict names that they have instead.
    pub copies: Vec<OwnedFile>,
}

/// Protocol 2: a file and the member it belongs to.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnedFile {
    /// Its path.
    pub rel_path: String,
    /// The member's id, as 16 hex digits; `None` for a member without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The member's name; `None` if the server does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The payload of [`Message::ServerState`](super::Message::ServerState).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "flat::ServerState")]
pub struct ServerState {
    /// Hash of the union, or the client's own hash while the union is empty.
    pub current_hash: String,
    /// Protocol 2: the sync status of the client that receives this.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub sync_status: Option<SyncStatus>,
    /// Protocol 2: the client's paths that have another content than the union has there. All other paths of the same
    /// revision are in sync.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outdated: Vec<String>,
    /// Protocol 2: the files of the union that the client cannot install in the present state of its disk, the
    /// first thousand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<String>,
    /// Protocol 2: the files that the client has under another spelling, as the union spells them, the first thousand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub respelled: Vec<String>,
    /// Protocol 2: the liveries that this client has changed and the others do not get yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldNotice>,
    /// Protocol 2: the files of this client that cannot join the union, the first thousand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedFile>,
    /// Protocol 2: the league's rules for conflict names, in the answer to HELLO and whenever they change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naming: Option<Box<LeagueNaming>>,
    /// Protocol 2: the rules by which the league judges liveries, together with `naming`; `None` if it judges none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lint_rules: Option<Box<LintRules>>,
    /// Protocol 2: the server knows that the former keys in HELLO are this client's, which need not send them again.
    #[serde(skip_serializing_if = "is_false")]
    pub former_keys_known: bool,
}

impl HeldNotice {
    /// Makes a notice about a livery.
    #[cfg(feature = "server")]
    pub(crate) fn new(livery: &str, cause: crate::league::HoldCause) -> Self {
        let crate::league::HoldCause { reason: cause, until, limit, finding } = cause;
        let until = until.map(|until| until.to_string());
        let finding = finding.map(|finding| finding.to_string());
        Self { livery: livery.to_owned(), cause, until, limit, finding }
    }
}

/// Protocol 2: a livery that a client has changed and the others do not get yet.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldNotice {
    /// The livery, as the client spells it.
    pub livery: String,
    /// The cause.
    pub cause: HoldReason,
    /// The date at which a freeze ends by itself, in the form of RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The limit that would be exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The first rule of the league that it breaks, with what to do about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// Protocol 2: the league's rules for conflict names.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeagueNaming {
    /// The text between the name and the digits of a new conflict name.
    pub suffix: String,
    /// Suffixes of older conflict names, the newest last.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::at_most::<{ list::SUFFIXES_MAX }, _, _>"
    )]
    pub former_suffixes: Vec<String>,
    /// Set if a conflicting livery goes into a folder of its own as a whole.
    #[serde(default, skip_serializing_if = "is_false")]
    pub whole_liveries: bool,
}

impl From<&Naming> for LeagueNaming {
    fn from(naming: &Naming) -> Self {
        let former = &naming.former_suffixes;
        Self {
            suffix: naming.suffix.clone(),
            former_suffixes: former[former.len().saturating_sub(list::SUFFIXES_MAX)..].to_vec(),
            whole_liveries: naming.scope == Scope::Livery,
        }
    }
}

/// Protocol 2: how far a client is from being in sync.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// The [revision](ManifestFull::revision) of the client's files that this is about.
    pub revision: u64,
    /// Files of the union that the client lacks and can still get.
    pub missing: u64,
    /// Bytes of those files.
    pub missing_bytes: u64,
    /// Files that others still need from this client.
    pub needed_by_others: u64,
    /// Files of the union that will not arrive here as things are: refused, or their sources failed.
    pub withheld: u64,
}
