//! Sending files to a server of protocol 1: one after the other, in chunks that pass through the machine.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::namesakes::Namesakes;
use crate::{
    client::{
        DiskFault, DiskRequest, Event,
        context::{Context, Purpose},
        folder::{Folder, IndexedFile},
        uploads::UploadFile,
    },
    conflict::{Naming, parse_conflict_name},
    path::RelPath,
    transfer::{Piece, Sender},
    wire::messages::{FileBegin, FileChunk, FileEnd, FileInfo, Message, SyncId},
};

/// Most pieces of files that are being read or wait to be written to the link, over all sessions. That many keep the
/// link busy, and no server can make the host hold more of them in memory.
const PIECES_MAX: usize = 8;

/// All sessions that send files in chunks.
#[derive(Debug, Default)]
pub(in crate::client) struct ChunkUploads {
    sessions: BTreeMap<SyncId, ChunkUpload>,
    /// Pieces that are being read.
    reading: usize,
    /// Pieces that wait to be written to the link.
    writing: usize,
    /// Sessions that have ended and have not been reported yet, with a file that is missing.
    ended: VecDeque<(SyncId, Option<String>)>,
    /// The files sent by names that may mean either of two.
    pub(in crate::client) namesakes: Namesakes,
}

/// One session.
#[derive(Debug)]
struct ChunkUpload {
    target: String,
    queue: VecDeque<UploadFile>,
    current: Option<(UploadFile, Sender)>,
    /// Files that the server asked for and that this PC does not have, or cannot read.
    missing: Vec<String>,
}

/// The next action of a session.
#[derive(Debug)]
enum Next {
    Begin(UploadFile),
    Read(UploadFile, Piece),
    End(UploadFile),
    /// The link or the disk has enough to do.
    Wait,
    Over,
}

/// The piece that a read is to bring.
#[derive(Debug)]
pub(in crate::client) struct PieceRead {
    pub(in crate::client) sync_id: SyncId,
    file: UploadFile,
    offset: u64,
}

impl ChunkUploads {
    pub(in crate::client) fn contains(&self, sync_id: &SyncId) -> bool {
        self.sessions.contains_key(sync_id)
    }

    pub(in crate::client) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(in crate::client) fn sync_ids(&self) -> impl Iterator<Item = &SyncId> {
        self.sessions.keys()
    }

    /// Begins a session. `missing` are the files that this PC does not have.
    pub(in crate::client) fn begin(
        &mut self,
        cx: &mut Context,
        sync_id: SyncId,
        queue: VecDeque<UploadFile>,
        missing: Vec<String>,
    ) {
        for path in &missing {
            send_failed(cx, &sync_id, path, "this PC does not have it");
        }
        let target = self.namesakes.target(&sync_id);
        let session = ChunkUpload { target, queue, current: None, missing };
        self.sessions.insert(sync_id.clone(), session);
        self.pump(cx, &sync_id);
    }

    /// Forgets a session that the server has given up.
    pub(in crate::client) fn remove(&mut self, sync_id: &SyncId) {
        self.sessions.remove(sync_id);
    }

    pub(in crate::client) fn handle_link_down(&mut self) {
        self.sessions.clear();
        self.namesakes.handle_link_down();
        // Chunks that waited for the link are gone with it. Reads still come back, so they stay counted.
        self.writing = 0;
    }

    /// Continues after the link has taken a chunk.
    pub(in crate::client) fn handle_chunk_sent(&mut self, cx: &mut Context, sync_id: &SyncId) {
        self.writing = self.writing.saturating_sub(1);
        let session = self.sessions.get_mut(sync_id);
        if let Some((_, sender)) = session.and_then(|session| session.current.as_mut()) {
            sender.handle_sent();
        }
        self.pump_all(cx, sync_id);
    }

    /// Sends a piece that has been read. [`Self::pump_all`] is to follow.
    pub(in crate::client) fn handle_read(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        read: PieceRead,
        outcome: Result<Bytes, DiskFault>,
    ) {
        self.reading = self.reading.saturating_sub(1);
        let PieceRead { sync_id, file, offset } = read;
        let Some(session) = self.sessions.get_mut(&sync_id) else { return };
        let current = session.current.as_ref();
        if current.is_none_or(|(current, _)| current.asked != file.asked) {
            // An earlier piece of it could not be read.
            return;
        }
        match outcome {
            Ok(data) => {
                let bytes = data.len() as u64;
                cx.event(Event::Sent { sync_id: sync_id.clone(), bytes });
                // Until the link has taken it, so that a slow link slows down the disk.
                self.writing += 1;
                let chunk = FileChunk { sync_id, rel_path: file.asked, offset, data };
                cx.transmit(Message::FileChunk(chunk));
            }
            Err(fault) => {
                session.current = None;
                session.missing.push(file.asked.clone());
                send_failed(cx, &sync_id, &file.asked, &fault.message);
                // A Python client drops a broken file only at its end.
                let end = FileEnd { sync_id: sync_id.clone(), rel_path: file.asked };
                cx.transmit(Message::FileEnd(end));
                folder.scan_by(cx.now.time);
                self.pump(cx, &sync_id);
            }
        }
    }

    /// Continues all sessions. The one that was served last comes last, so that each has its turn.
    pub(in crate::client) fn pump_all(&mut self, cx: &mut Context, last: &SyncId) {
        let (before, after): (Vec<_>, Vec<_>) =
            self.sessions.keys().cloned().partition(|sync_id| sync_id <= last);
        for sync_id in after.into_iter().chain(before) {
            self.pump(cx, &sync_id);
        }
    }

    /// Continues a session as far as link and disk allow.
    fn pump(&mut self, cx: &mut Context, sync_id: &SyncId) {
        while let Some(session) = self.sessions.get_mut(sync_id) {
            let has_room = self.reading + self.writing < PIECES_MAX;
            match session.poll(has_room) {
                Next::Begin(file) => cx.transmit(Message::FileBegin(FileBegin {
                    sync_id: sync_id.clone(),
                    info: FileInfo::new(&file.asked, file.content, Some(file.stamp.mtime), false),
                })),
                Next::Read(file, piece) => {
                    self.reading += 1;
                    let request =
                        DiskRequest::Read { path: file.path.clone(), piece, stamp: file.stamp };
                    let read = PieceRead { sync_id: sync_id.clone(), file, offset: piece.offset };
                    cx.request(request, Purpose::Read(read));
                }
                Next::End(file) => {
                    self.namesakes.handle_sent(&session.target, &file);
                    let end = FileEnd { sync_id: sync_id.clone(), rel_path: file.asked };
                    cx.transmit(Message::FileEnd(end));
                    let (path, bytes) = (file.path, file.content.size);
                    cx.event(Event::FileSent { sync_id: sync_id.clone(), path, bytes });
                }
                Next::Wait => return,
                Next::Over => {
                    let missing = self.sessions.remove(sync_id).map(|session| session.missing);
                    // One is enough: the error about it ends the session, and the manifest that follows tells the rest.
                    let missing = missing.and_then(|missing| missing.into_iter().next());
                    self.ended.push_back((sync_id.clone(), missing));
                }
            }
        }
    }

    /// Returns a session that has ended since the last call, and a file that it did not bring.
    pub(in crate::client) fn poll_ended(&mut self) -> Option<(SyncId, Option<String>)> {
        self.ended.pop_front()
    }
}

impl ChunkUpload {
    /// Returns what to do next. `has_room` says whether another piece may be read.
    fn poll(&mut self, has_room: bool) -> Next {
        match &mut self.current {
            Some((file, sender)) => match has_room.then(|| sender.poll_piece()).flatten() {
                Some(piece) => Next::Read(file.clone(), piece),
                None if sender.is_done() => {
                    self.current.take().map_or(Next::Wait, |(file, _)| Next::End(file))
                }
                None => Next::Wait,
            },
            None => match self.queue.pop_front() {
                Some(file) => {
                    self.current = Some((file.clone(), Sender::new(file.content.size)));
                    Next::Begin(file)
                }
                None => Next::Over,
            },
        }
    }
}

/// Finds the file that a server means by a conflict name. The server may have given the name by itself, and this PC may
/// have the file under its plain name, or under a conflict name that another server gave it.
pub(in crate::client) fn find_by_conflict_name<'a>(
    folder: &'a Folder,
    path: &RelPath,
    naming: &Naming,
) -> Option<&'a IndexedFile> {
    let (plain, digits) = parse_conflict_name(path, naming)?;
    folder.files().iter().find(|file| {
        let own = parse_conflict_name(&file.path, naming);
        let own = own.as_ref().map_or(&file.path, |(plain, _)| plain);
        let is_it = file.content.hash.short() == digits && own.key() == plain.key();
        is_it && folder.is_published(file)
    })
}

fn send_failed(cx: &mut Context, sync_id: &SyncId, path: &str, reason: &str) {
    let (sync_id, path, reason) = (sync_id.clone(), path.to_owned(), reason.to_owned());
    cx.event(Event::SendFailed { sync_id, path, reason });
}
