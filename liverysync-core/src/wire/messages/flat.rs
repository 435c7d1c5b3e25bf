//! The fields of messages and entries that have those of another type among their own, for reading.
//!
//! A derived reader of such fields keeps every field until it has seen all, also those that it does not know, and in twenty
//! times their size.

use serde::Deserialize;

use super::{FileInfo, LeagueNaming, LostName, OwnedFile, Resume, SyncId, SyncStatus};
use crate::{
    league::HoldReason,
    lint::LintRules,
    wire::{data::TransferId, list},
};

/// Defines the reader of a type with the fields of a [`FileInfo`] besides its own.
macro_rules! with_file_info {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* } => $make:expr) => {
        #[derive(Deserialize)]
        pub(super) struct $name {
            rel_path: String,
            size: u64,
            sha256: String,
            #[serde(default)]
            mtime: Option<f64>,
            #[serde(default)]
            mtime_ns: Option<i64>,
            #[serde(default)]
            base: Option<String>,
            #[serde(default)]
            renamed: bool,
            $($(#[$attribute])* $field: $type,)*
        }

        impl From<$name> for super::$name {
            fn from(fields: $name) -> Self {
                let $name { rel_path, size, sha256, mtime, mtime_ns, base, renamed, $($field),* } = fields;
                let info = FileInfo { rel_path, size, sha256, mtime, mtime_ns, base, renamed };
                let make: fn(FileInfo, $($type),*) -> Self = $make;
                make(info, $($field),*)
            }
        }
    };
}

with_file_info!(OfferedFile {
    #[serde(default)]
    transfer: Option<TransferId>,
    #[serde(default)]
    copy_from: Option<String>,
    #[serde(default)]
    replaces: Option<String>,
    #[serde(default)]
    conflict: Option<LostName>,
} => |info, transfer, copy_from, replaces, conflict| Self { info, transfer, copy_from, replaces, conflict });

with_file_info!(FileRequest {
    transfer: TransferId,
    #[serde(default)]
    offset: u64,
} => |info, transfer, offset| Self { info, resume: Resume { transfer, offset } });

with_file_info!(FileBegin { sync_id: SyncId, } => |info, sync_id| Self { sync_id, info });

#[derive(Deserialize)]
pub(super) struct HeldRemark {
    livery: String,
    cause: HoldReason,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    limit: Option<u64>,
    #[serde(default)]
    finding: Option<String>,
    #[serde(default)]
    member: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    since: Option<String>,
}

impl From<HeldRemark> for super::HeldRemark {
    fn from(fields: HeldRemark) -> Self {
        let HeldRemark { livery, cause, until, limit, finding, member, name, since } = fields;
        let notice = super::HeldNotice { livery, cause, until, limit, finding };
        Self { notice, member, name, since }
    }
}

#[derive(Deserialize)]
pub(super) struct NameConflict {
    rel_path: String,
    #[serde(default)]
    member: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(deserialize_with = "list::first::<{ list::PER_NAME_MAX }, _, _>")]
    copies: Vec<OwnedFile>,
}

impl From<NameConflict> for super::NameConflict {
    fn from(fields: NameConflict) -> Self {
        let NameConflict { rel_path, member, name, copies } = fields;
        Self { established: OwnedFile { rel_path, member, name }, copies }
    }
}

#[derive(Deserialize)]
pub(super) struct ServerState {
    #[serde(default)]
    current_hash: String,
    #[serde(default)]
    revision: Option<u64>,
    #[serde(default)]
    missing: Option<u64>,
    #[serde(default)]
    missing_bytes: Option<u64>,
    #[serde(default)]
    needed_by_others: Option<u64>,
    #[serde(default)]
    withheld: Option<u64>,
    // What is not listed is in sync, so a part of the list would be a false report.
    #[serde(default, deserialize_with = "list::at_most::<{ list::FILES_MAX }, _, _>")]
    outdated: Vec<String>,
    #[serde(default, deserialize_with = "list::first::<{ list::REMARKS_MAX }, _, _>")]
    blocked: Vec<String>,
    #[serde(default, deserialize_with = "list::first::<{ list::REMARKS_MAX }, _, _>")]
    respelled: Vec<String>,
    #[serde(default, deserialize_with = "list::first::<{ list::REMARKS_MAX }, _, _>")]
    held: Vec<super::HeldNotice>,
    #[serde(default, deserialize_with = "list::first::<{ list::REMARKS_MAX }, _, _>")]
    refused: Vec<super::RefusedFile>,
    #[serde(default)]
    naming: Option<Box<LeagueNaming>>,
    #[serde(default)]
    lint_rules: Option<Box<LintRules>>,
    #[serde(default)]
    former_keys_known: bool,
}

impl ServerState {
    /// Returns the sync status if all of its fields are there.
    fn sync_status(&self) -> Option<SyncStatus> {
        Some(SyncStatus {
            revision: self.revision?,
            missing: self.missing?,
            missing_bytes: self.missing_bytes?,
            needed_by_others: self.needed_by_others?,
            withheld: self.withheld?,
        })
    }
}

impl From<ServerState> for super::ServerState {
    fn from(fields: ServerState) -> Self {
        let sync_status = fields.sync_status();
        let ServerState { current_hash, outdated, blocked, respelled, held, naming, .. } = fields;
        let ServerState { refused, lint_rules, former_keys_known, .. } = fields;
        Self {
            current_hash,
            sync_status,
            outdated,
            blocked,
            respelled,
            held,
            refused,
            naming,
            lint_rules,
            former_keys_known,
        }
    }
}
