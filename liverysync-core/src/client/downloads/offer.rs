//! The beginning of a session: this PC prepares a stage for each file that it takes, and answers the offer.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    judge::{Refusal, judge},
    parked::{ParkedProgress, ParkedStage, ParkedStages},
    session::{Download, DownloadFile, FileState, Receiving, Source},
    step::DownloadStep,
};
use crate::{
    client::{
        DiskRequest, Event,
        context::{Context, Purpose},
        folder::Folder,
    },
    hash::Content,
    wire::{
        data::TransferId,
        messages::{Accept, Message, OfferedFile, Resume, SyncId},
    },
};

/// Finds the contents of a session that came to this PC after the offer was made. The server hears what a session has
/// installed only at its end, and one file of it may take long.
pub(super) fn local_contents(folder: &Folder, session: &Download) -> BTreeMap<Content, String> {
    let is_sent =
        |file: &&DownloadFile| matches!(file.state, FileState::Checking(Source::Transfer(_)));
    let contents: BTreeSet<_> =
        session.files.iter().filter(is_sent).map(|file| file.content).collect();
    let local = folder.files().iter().filter(|file| contents.contains(&file.content));
    // Of several files with one content any will do.
    local.map(|file| (file.content, file.path.as_str().to_owned())).collect()
}

/// Judges a file that the server offers.
pub(super) fn take(
    cx: &Context,
    folder: &Folder,
    offered: OfferedFile,
) -> Result<DownloadFile, Refusal> {
    let entry = judge(&cx.config, folder, &offered.info)?;
    let (path, content) = (entry.path, entry.content);
    let has_it = folder.get(path.key()).is_some_and(|file| file.content == content);
    let state = match (&offered.copy_from, offered.transfer) {
        // The server did not know yet. It learns it from SYNC_DONE.
        _ if has_it => FileState::Installed,
        (Some(from), _) => FileState::Checking(Source::Copy(from.clone())),
        (None, Some(transfer)) => FileState::Checking(Source::Transfer(transfer)),
        (None, None) => FileState::Offered,
    };
    Ok(DownloadFile {
        offered: offered.info.rel_path,
        path,
        content,
        mtime: entry.mtime,
        copied: offered.copy_from.is_some(),
        conflict: offered.conflict,
        replaces: offered.replaces.and_then(|hash| hash.parse().ok()),
        state,
    })
}

/// Has the host check whether the files of a session could be installed. Returns whether there are any.
pub(super) fn check(cx: &mut Context, sync_id: &SyncId, session: &Download) -> bool {
    let files = session.files.iter().enumerate();
    let checked = files.filter(|(_, file)| matches!(file.state, FileState::Checking(_)));
    let (indexes, files): (Vec<_>, Vec<_>) =
        checked.map(|(index, file)| (index, (file.path.clone(), file.content.size))).unzip();
    if files.is_empty() {
        return false;
    }
    let step = DownloadStep::Check(sync_id.clone(), indexes);
    cx.request(DiskRequest::Check(files), Purpose::Download(step));
    true
}

/// Prepares for a file that can be installed.
pub(super) fn prepare(
    cx: &mut Context,
    folder: &Folder,
    parked: &mut ParkedStages,
    sync_id: &SyncId,
    file: &DownloadFile,
    source: &Source,
) -> Result<FileState, Refusal> {
    let has_it = folder.get(file.path.key()).is_some_and(|own| own.content == file.content);
    match source {
        _ if has_it => Ok(FileState::Installed),
        Source::Copy(from) => copy(cx, folder, sync_id, from),
        Source::Transfer(transfer) => Ok(receive(cx, parked, sync_id, file.content, *transfer)),
    }
}

/// Stages a copy of a file of this PC. The server may not know how this PC spells its path.
fn copy(
    cx: &mut Context,
    folder: &Folder,
    sync_id: &SyncId,
    from: &str,
) -> Result<FileState, Refusal> {
    let from = folder.get_spelled(from).map(|file| file.path.clone());
    let from = from.ok_or_else(|| Refusal::failed("the file to copy is not on this PC"))?;
    let stage = cx.new_stage();
    let purpose = Purpose::Download(DownloadStep::Copy(sync_id.clone(), stage));
    cx.request(DiskRequest::Copy(stage, from), purpose);
    Ok(FileState::Staging(stage))
}

/// Prepares for a file that a server of protocol 2 will send, after the bytes that are parked.
fn receive(
    cx: &mut Context,
    parked: &mut ParkedStages,
    sync_id: &SyncId,
    content: Content,
    transfer: TransferId,
) -> FileState {
    let (stage, counted) = match parked.take(content) {
        Some(ParkedStage { stage, progress: ParkedProgress::Whole }) => {
            // It is not in ACCEPT then, so the server does not send it.
            return FileState::Staged(stage);
        }
        Some(ParkedStage { stage, progress: ParkedProgress::Part(bytes) }) => (stage, bytes),
        None => (cx.new_stage(), 0),
    };
    let purpose = Purpose::Download(DownloadStep::Receive(sync_id.clone(), stage));
    cx.request(DiskRequest::Receive { stage, content, transfer }, purpose);
    FileState::Receiving(stage, Receiving { transfer, counted })
}

/// Answers an offer: what the server is to send, and from where on.
pub(super) fn accept(cx: &mut Context, sync_id: &SyncId, session: &Download) {
    let (mut files, mut events) = (Vec::new(), Vec::new());
    for file in &session.files {
        if let FileState::Receiving(_, Receiving { transfer, counted }) = file.state {
            files.push(Resume { transfer, offset: counted });
            let (path, bytes) = (file.path.clone(), file.content.size);
            events.push(Event::Receiving { sync_id: sync_id.clone(), path, bytes });
        }
    }
    cx.transmit(Message::Accept(Accept { sync_id: sync_id.clone(), files }));
    events.into_iter().for_each(|event| cx.event(event));
}
