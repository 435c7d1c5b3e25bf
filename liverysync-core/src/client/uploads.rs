//! Sessions that send files of this PC to the server.
//!
//! On protocol 2 the host sends each file by itself and reports its progress. On protocol 1 the chunks pass through the
//! machine; `protocol_1` does that.

use std::{
    collections::{BTreeMap, VecDeque},
    iter::once_with,
};

use super::{
    Event, Output, Progress,
    context::Context,
    folder::{Folder, IndexedFile},
    protocol_1::{ChunkUploads, find_by_conflict_name},
};
use crate::{
    hash::Content,
    path::RelPath,
    select::Stamp,
    transfer::Compression,
    wire::{
        data::TransferId,
        messages::{Fault, FileRequest, Resume, SendFiles, SyncId},
    },
};

/// Most sessions at a time. A server that asks for more is refused: each of them takes memory. By default a `liverysync`
/// server asks one client for at most 24.
const SESSIONS_MAX: usize = 64;

/// All sessions that send files.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    sessions: BTreeMap<SyncId, Upload>,
    pub(super) by_chunks: ChunkUploads,
}

/// A session of protocol 2: the files that are still to be sent.
#[derive(Debug, Default)]
struct Upload {
    files: BTreeMap<TransferId, UploadFile>,
}

/// A file to send.
#[derive(Clone, Debug)]
pub(super) struct UploadFile {
    /// The path as the server asked for it. On protocol 1 it may be a conflict name that this PC does not know.
    pub(super) asked: String,
    pub(super) path: RelPath,
    pub(super) stamp: Stamp,
    pub(super) content: Content,
    /// The server may mean another file of this PC.
    pub(super) has_namesake: bool,
}

impl UploadFile {
    fn new(asked: String, file: &IndexedFile, has_namesake: bool) -> Self {
        let (path, stamp, content) = (file.path.clone(), file.stamp, file.content);
        Self { asked, path, stamp, content, has_namesake }
    }
}

impl Uploads {
    /// Begins a session.
    pub(super) fn handle_request(&mut self, cx: &mut Context, folder: &Folder, request: SendFiles) {
        let SendFiles { sync_id, paths, files, .. } = request;
        let is_known = self.sessions.contains_key(&sync_id) || self.by_chunks.contains(&sync_id);
        if is_known || self.sessions.len() + self.by_chunks.len() >= SESSIONS_MAX {
            return cx.report(&sync_id, "too many sessions at once", None);
        }
        if let Some(files) = files {
            return self.begin(cx, folder, sync_id, files);
        }
        let (mut queue, mut missing) = (VecDeque::new(), Vec::new());
        for asked in paths {
            let files = find_asked(cx, folder, &asked);
            match self.by_chunks.namesakes.choose(&sync_id, &asked, files) {
                Some((file, several)) => queue.push_back(UploadFile::new(asked, file, several)),
                None => missing.push(asked),
            }
        }
        self.by_chunks.begin(cx, sync_id, queue, missing);
    }

    /// Has the host send files to a server of protocol 2.
    fn begin(
        &mut self,
        cx: &mut Context,
        folder: &Folder,
        sync_id: SyncId,
        files: Vec<FileRequest>,
    ) {
        let mut upload = Upload::default();
        for FileRequest { info, resume: Resume { transfer, offset } } in files {
            // A file that has changed since would be sent for nothing: the server would find another hash at its end.
            let file = find_asked(cx, folder, &info.rel_path).next().filter(|file| {
                file.content.size == info.size && info.sha256.parse() == Ok(file.content.hash)
            });
            let Some(file) = file else {
                let reason = "this PC does not have it";
                fail(cx, &sync_id, info.rel_path, Fault::Missing, reason);
                continue;
            };
            let file = UploadFile::new(info.rel_path, file, false);
            let (path, stamp) = (file.path.clone(), file.stamp);
            let from = offset.min(file.content.size);
            let compression = Compression::of(&path, stamp.size);
            cx.push(Output::Send { transfer, path, stamp, from, compression });
            upload.files.insert(transfer, file);
        }
        self.sessions.insert(sync_id.clone(), upload);
        self.end_if_finished(cx, &sync_id);
    }

    /// Takes the progress of a file that the host sends.
    pub(super) fn handle_progress(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        transfer: TransferId,
        progress: Progress,
    ) {
        let mut sessions = self.sessions.iter_mut();
        let session = sessions.find(|(_, upload)| upload.files.contains_key(&transfer));
        let Some((sync_id, upload)) = session else { return };
        let sync_id = sync_id.clone();
        match progress {
            Progress::Passed(bytes) => return cx.event(Event::Sent { sync_id, bytes }),
            Progress::Sent => {
                let Some(file) = upload.files.remove(&transfer) else { return };
                let (path, bytes) = (file.path, file.content.size);
                cx.event(Event::FileSent { sync_id: sync_id.clone(), path, bytes });
            }
            Progress::Failed(fault) => {
                let Some(file) = upload.files.remove(&transfer) else { return };
                // Not as missing, also if it has changed: by the next scan it may be as it was, and then no manifest says so.
                fail(cx, &sync_id, file.asked, Fault::Failed, &fault.message);
                // The manifest is wrong about this file. A scan finds out what is there, and the server hears of it.
                folder.scan_by(cx.now.time);
            }
        }
        self.end_if_finished(cx, &sync_id);
    }

    /// Ends a session once each of its files has been sent or has failed.
    fn end_if_finished(&mut self, cx: &mut Context, sync_id: &SyncId) {
        if self.sessions.get(sync_id).is_some_and(|upload| upload.files.is_empty()) {
            self.sessions.remove(sync_id);
            cx.event(Event::SessionEnded { sync_id: sync_id.clone() });
        }
    }

    /// Ends a session that the server has given up.
    pub(super) fn abort(&mut self, cx: &mut Context, sync_id: &SyncId) {
        self.by_chunks.remove(sync_id);
        let Some(upload) = self.sessions.remove(sync_id) else { return };
        for transfer in upload.files.into_keys() {
            cx.push(Output::StopSending(transfer));
        }
        cx.event(Event::SessionEnded { sync_id: sync_id.clone() });
    }

    pub(super) fn handle_link_down(&mut self) {
        self.sessions.clear();
        self.by_chunks.handle_link_down();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.by_chunks.len() == 0
    }

    pub(super) fn sync_ids(&self) -> impl Iterator<Item = &SyncId> {
        self.sessions.keys().chain(self.by_chunks.sync_ids())
    }
}

/// Finds the files that a server may mean by a name: the one that is there, and the one whose conflict name it is.
fn find_asked<'a>(
    cx: &'a Context,
    folder: &'a Folder,
    asked: &str,
) -> impl Iterator<Item = &'a IndexedFile> + use<'a> {
    let path = RelPath::parse(asked, &cx.config.rules.extensions).ok();
    path.into_iter().flat_map(move |path| {
        let there = folder.published(path.key());
        let in_conflict = once_with(move || find_by_conflict_name(folder, &path, &cx.naming));
        there.into_iter().chain(in_conflict.flatten())
    })
}

/// Tells the server and people that a file cannot be sent.
fn fail(cx: &mut Context, sync_id: &SyncId, path: String, fault: Fault, reason: &str) {
    cx.event(Event::SendFailed {
        sync_id: sync_id.clone(),
        path: path.clone(),
        reason: reason.to_owned(),
    });
    cx.report(sync_id, reason, Some((path, fault)));
}
