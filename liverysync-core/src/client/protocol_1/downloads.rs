//! Receiving files from a server of protocol 1, which sends them one by one without a list.

use std::time::Duration;

use crate::{
    client::{
        DiskRequest, Event,
        context::{Context, Purpose},
        downloads::{Download, DownloadStep, Downloads, FileState, Refusal},
        folder::Folder,
    },
    time::{Time, Wake},
    transfer::Receiver,
    wire::messages::{FileBegin, FileChunk, FileEnd, OfferedFile, SyncId},
};

/// The quiet time after a file that ends a session: the server does not say how many files it will send. Python clients wait
/// as long.
const QUIET: Duration = Duration::from_secs(1);

/// The same if a file of the session was refused. The server offers that file again as soon as the session is over, and
/// the source sends all of it again.
const QUIET_AFTER_REFUSAL: Duration = Duration::from_secs(10);

/// The state that only a session without a list of files has.
#[derive(Debug)]
pub(in crate::client) struct Unlisted {
    /// The last time that something came.
    active_at: Time,
    /// Set once a file was refused.
    refused: bool,
    /// Set if nothing came for too long.
    pub(in crate::client) stalled: bool,
}

impl Unlisted {
    pub(in crate::client) const fn new(now: Time) -> Self {
        Self { active_at: now, refused: false, stalled: false }
    }

    pub(in crate::client) const fn handle_refusal(&mut self) {
        self.refused = true;
    }
}

/// Notes that something came for a session.
fn touch(session: &mut Download, now: Time) {
    if let Some(unlisted) = &mut session.unlisted {
        unlisted.active_at = now;
    }
}

/// Returns whether the server has announced a file, or the session itself, and then sent nothing.
fn is_awaiting(session: &Download, unlisted: &Unlisted) -> bool {
    let is_coming =
        |state: &FileState| matches!(state, FileState::Offered | FileState::ReceivingChunks(..));
    let is_untouched = session.files.is_empty() && !unlisted.refused;
    is_untouched || session.files.iter().any(|file| is_coming(&file.state))
}

impl Downloads {
    pub(in crate::client) fn handle_file_begin(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        begin: FileBegin,
    ) {
        let FileBegin { sync_id, info } = begin;
        let Some(session) = self.sessions.get_mut(&sync_id).filter(|session| !session.over) else {
            return;
        };
        touch(session, cx.now.time);
        let announced = (info.sha256.parse(), info.size);
        let name = info.rel_path.clone();
        if !session.is_listed() {
            // The file before has all come, so its livery can be installed unless this file belongs to it too.
            self.check(cx, folder, &sync_id, true);
            let offered = OfferedFile { info, ..OfferedFile::default() };
            self.handle_offered_file(cx, folder, &sync_id, offered);
        }
        let Some(session) = self.sessions.get_mut(&sync_id) else { return };
        let Some(index) = session.find(&name) else { return };
        let file = &mut session.files[index];
        if !matches!(file.state, FileState::Offered) {
            // This PC has it already. Its chunks are dropped: a server of protocol 1 cannot be stopped.
            return;
        }
        let content = file.content;
        if announced != (Ok(content.hash), content.size) {
            let refusal = Refusal::failed("it is not what was offered");
            return self.fail(cx, folder, &sync_id, index, &refusal);
        }
        let stage = cx.new_stage();
        file.state = FileState::ReceivingChunks(stage, Box::new(Receiver::new(content)));
        let (path, bytes) = (file.path.clone(), content.size);
        let step = DownloadStep::Write(sync_id.clone(), stage);
        cx.request(DiskRequest::Create(stage, content.size), Purpose::Download(step));
        cx.event(Event::Receiving { sync_id, path, bytes });
    }

    pub(in crate::client) fn handle_file_chunk(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        chunk: FileChunk,
    ) {
        let FileChunk { sync_id, rel_path, offset, data } = chunk;
        let Some(session) = self.sessions.get_mut(&sync_id) else { return };
        // Even a chunk of a refused file shows that the session goes on.
        touch(session, cx.now.time);
        let Some(index) = session.find(&rel_path) else { return };
        let FileState::ReceivingChunks(stage, receiver) = &mut session.files[index].state else {
            return;
        };
        let stage = *stage;
        if let Err(fault) = receiver.accept(offset, &data) {
            return self.fail(cx, folder, &sync_id, index, &Refusal::failed(&fault.to_string()));
        }
        let bytes = data.len() as u64;
        let step = DownloadStep::Write(sync_id.clone(), stage);
        cx.request(DiskRequest::Write(stage, offset, data), Purpose::Download(step));
        cx.event(Event::Received { sync_id, bytes });
    }

    pub(in crate::client) fn handle_file_end(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        end: &FileEnd,
    ) {
        let sync_id = &end.sync_id;
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        touch(session, cx.now.time);
        let Some(index) = session.find(&end.rel_path) else { return };
        let state = &mut session.files[index].state;
        let FileState::ReceivingChunks(stage, _) = state else { return };
        let stage = *stage;
        // Taken out of the state, because the receiver ends with the file.
        let receiving = std::mem::replace(state, FileState::Staging(stage));
        let FileState::ReceivingChunks(_, receiver) = receiving else { return };
        match receiver.finish() {
            Ok(_) => {
                let step = DownloadStep::Seal(sync_id.clone(), stage);
                cx.request(DiskRequest::Seal(stage), Purpose::Download(step));
            }
            Err(fault) => {
                self.fail(cx, folder, sync_id, index, &Refusal::failed(&fault.to_string()));
            }
        }
    }

    /// Installs what a quiet server has sent, ends its session, or gives up a session that brings nothing.
    pub(in crate::client) fn handle_timeout(&mut self, cx: &mut Context, folder: &mut Folder) {
        for (sync_id, at) in self.deadlines(cx) {
            if at > cx.now.time {
                continue;
            }
            let Some(session) = self.sessions.get_mut(&sync_id) else { continue };
            let Some(unlisted) = &session.unlisted else { continue };
            if is_awaiting(session, unlisted) {
                if let Some(unlisted) = &mut session.unlisted {
                    unlisted.stalled = true;
                }
                self.abort(cx, folder, &sync_id);
            } else if session.is_finished() {
                self.end(&sync_id);
            } else {
                self.check(cx, folder, &sync_id, true);
            }
        }
    }

    pub(in crate::client) fn next_wake(&self, cx: &Context) -> Option<Wake> {
        let first = self.deadlines(cx).into_iter().map(|(_, at)| at).min();
        first.map(|at| Wake { at, why: "session" })
    }

    /// Returns when each session has been quiet for too long.
    ///
    /// A server of protocol 2 knows itself which source is slow, and its files may have to wait for others. So its
    /// sessions have no deadline here. Nor has one that waits for the disk, which answers in its own time.
    fn deadlines(&self, cx: &Context) -> Vec<(SyncId, Time)> {
        if !cx.link.is_up() {
            return Vec::new();
        }
        let is_at_disk = |session: &Download| {
            let is_at_disk = |state: &FileState| {
                matches!(state, FileState::Installing(_) | FileState::Staging(_))
            };
            session.files.iter().any(|file| is_at_disk(&file.state))
        };
        let deadline = |(sync_id, session): (&SyncId, &Download)| {
            let unlisted = session.unlisted.as_ref()?;
            let patience = match unlisted {
                unlisted if is_awaiting(session, unlisted) => cx.config.stall_timeout,
                Unlisted { refused: true, .. } => QUIET_AFTER_REFUSAL,
                _ => QUIET,
            };
            let waits = !session.over && !is_at_disk(session);
            waits.then(|| (sync_id.clone(), unlisted.active_at + patience))
        };
        self.sessions.iter().filter_map(deadline).collect()
    }
}
