//! The steps of a download that wait for the disk.

use crate::{
    client::{
        DiskRequest, StageId,
        context::{Context, Purpose},
    },
    hash::Content,
    path::RelPath,
    wire::messages::SyncId,
};

/// A step of a download that waits for the disk.
#[derive(Debug)]
pub(in crate::client) enum DownloadStep {
    /// These files of the offer were checked.
    Check(SyncId, Vec<usize>),
    /// A stage was made, or bytes were written into it.
    Write(SyncId, StageId),
    Receive(SyncId, StageId),
    Seal(SyncId, StageId),
    Copy(SyncId, StageId),
    Park(Content, StageId),
    Discard,
    /// The files that were to be installed: their stages and the names of their conflict copies.
    Install(SyncId, Vec<(StageId, Option<RelPath>)>),
}

/// Removes a stage that is of no use any more.
pub(super) fn discard(cx: &mut Context, stage: Option<StageId>) {
    if let Some(stage) = stage {
        cx.request(DiskRequest::Discard(stage), Purpose::Download(DownloadStep::Discard));
    }
}
