//! Sessions that bring files to this PC. Each file is judged, staged and verified; each livery is installed as a whole.
//!
//! The server chooses what a session brings. Protocol 2 lists it, this PC accepts what it takes, and SYNC_DONE ends the
//! session once every file has been installed or has failed. Protocol 1 lists nothing; `protocol_1` has what differs.

mod install;
mod judge;
mod parked;
mod session;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) use self::{
    install::conflict_copy_name,
    judge::{Refusal, judge},
    session::{Download, FileState},
};
use self::{
    parked::{ParkedProgress, ParkedStage, ParkedStages},
    session::{DownloadFile, Incoming},
};
use super::{
    DiskOutcome, DiskRequest, Event, StageId,
    context::{Context, Purpose},
    folder::Folder,
    protocol_1::{Refusals, Unlisted},
};
use crate::{
    hash::Content,
    path::{PathKey, RelPath},
    wire::{
        data::TransferId,
        messages::{Accept, Fault, Message, OfferedFile, Resume, SyncId, SyncOffer},
    },
};

/// Most sessions at a time. A server that offers more is refused: each of them takes memory.
const SESSIONS_MAX: usize = 64;

/// The reason why files of an ignored livery are refused.
const IGNORED: &str = "this PC ignores the livery";

/// All sessions that bring files, and the stages that outlived one.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    pub(super) sessions: BTreeMap<SyncId, Download>,
    parked: ParkedStages,
    refusals: Refusals,
    /// Sessions that have ended and have not been reported yet.
    ended: VecDeque<(SyncId, Download)>,
}

/// A step of a download that waits for the disk.
#[derive(Debug)]
pub(super) enum DownloadStep {
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

impl Downloads {
    /// Begins a session.
    pub(super) fn handle_offer(&mut self, cx: &mut Context, folder: &mut Folder, offer: SyncOffer) {
        let is_known = self.sessions.contains_key(&offer.sync_id);
        if is_known || self.sessions.len() >= SESSIONS_MAX {
            return cx.report(&offer.sync_id, "too many sessions at once", None);
        }
        cx.event(Event::session_began(&offer));
        let SyncOffer { sync_id, files, .. } = offer;
        let is_listed = files.is_some();
        let unlisted = (!is_listed).then(|| Unlisted::new(cx.now.time));
        let download = Download { unlisted, ..Download::default() };
        self.sessions.insert(sync_id.clone(), download);
        let mut files = files.unwrap_or_default();
        copy_local_contents(folder, &mut files);
        for offered in files {
            self.handle_offered_file(cx, folder, &sync_id, offered);
        }
        if is_listed {
            self.accept(cx, &sync_id);
        }
        self.check(cx, folder, &sync_id, false);
    }

    /// Judges a file that the server offers, and prepares for it.
    pub(super) fn handle_offered_file(
        &mut self,
        cx: &mut Context,
        folder: &Folder,
        sync_id: &SyncId,
        offered: OfferedFile,
    ) {
        let name = offered.info.rel_path.clone();
        if cx.config.ignored.covers(&name) {
            // The driver asked for it, and need not hear of every file.
            return self.report_refusal(cx, sync_id, name, Fault::Declined, IGNORED);
        }
        let entry = match judge(&cx.config, folder, &offered.info) {
            Ok(entry) => entry,
            Err(refusal) => return self.refuse(cx, sync_id, name, &refusal),
        };
        let (path, content) = (entry.path, entry.content);
        let has_it = folder.get(path.key()).is_some_and(|file| file.content == content);
        let state = match (&offered.copy_from, offered.transfer) {
            // The server did not know yet. It learns it from SYNC_DONE.
            _ if has_it => FileState::Installed,
            (Some(from), _) => match Self::copy(cx, folder, sync_id, from) {
                Ok(state) => state,
                Err(refusal) => return self.refuse(cx, sync_id, name, &refusal),
            },
            (None, Some(transfer)) => self.receive(cx, sync_id, content, transfer),
            (None, None) => FileState::Offered,
        };
        if let Some(session) = self.sessions.get_mut(sync_id) {
            session.files.push(DownloadFile {
                offered: name,
                path,
                content,
                mtime: entry.mtime,
                copied: offered.copy_from.is_some(),
                conflict: offered.conflict,
                replaces: offered.replaces.and_then(|hash| hash.parse().ok()),
                state,
            });
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
        &mut self,
        cx: &mut Context,
        sync_id: &SyncId,
        content: Content,
        transfer: TransferId,
    ) -> FileState {
        let (stage, counted) = match self.parked.take(content) {
            Some(ParkedStage { stage, progress: ParkedProgress::Whole }) => {
                // It is not in ACCEPT then, so the server does not send it.
                return FileState::Staged(stage);
            }
            Some(ParkedStage { stage, progress: ParkedProgress::Part(bytes) }) => (stage, bytes),
            None => (cx.new_stage(), 0),
        };
        let purpose = Purpose::Download(DownloadStep::Receive(sync_id.clone(), stage));
        cx.request(DiskRequest::Receive { stage, content, transfer }, purpose);
        FileState::Receiving(stage, Incoming { transfer, counted })
    }

    /// Answers an offer: what the server is to send, and from where on.
    fn accept(&self, cx: &mut Context, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let (mut files, mut events) = (Vec::new(), Vec::new());
        for file in &session.files {
            if let FileState::Receiving(_, Incoming { transfer, counted }) = file.state {
                files.push(Resume { transfer, offset: counted });
                let (path, bytes) = (file.path.clone(), file.content.size);
                events.push(Event::Receiving { sync_id: sync_id.clone(), path, bytes });
            }
        }
        cx.transmit(Message::Accept(Accept { sync_id: sync_id.clone(), files }));
        events.into_iter().for_each(|event| cx.event(event));
    }

    /// Counts bytes that the host has received.
    pub(super) fn handle_arrived(&mut self, cx: &mut Context, transfer: TransferId, bytes: u64) {
        for (sync_id, session) in &mut self.sessions {
            let receiving = session.files.iter_mut().find_map(|file| match &mut file.state {
                FileState::Receiving(_, incoming) if incoming.transfer == transfer => {
                    Some((file.content.size, incoming))
                }
                _ => None,
            });
            if let Some((size, incoming)) = receiving {
                // The end of the file counts the rest, so that events always add up to its size.
                let bytes = bytes.min(size - incoming.counted);
                incoming.counted += bytes;
                return cx.event(Event::Received { sync_id: sync_id.clone(), bytes });
            }
        }
    }

    pub(super) fn handle_disk(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        step: DownloadStep,
        outcome: DiskOutcome,
    ) {
        match (step, outcome) {
            (DownloadStep::Receive(sync_id, stage), DiskOutcome::Received(Ok(()))) => {
                self.handle_received(cx, folder, &sync_id, stage);
            }
            (DownloadStep::Seal(sync_id, stage), DiskOutcome::Done(Ok(()))) => {
                self.handle_staged(cx, folder, &sync_id, stage, None);
            }
            (DownloadStep::Copy(sync_id, stage), DiskOutcome::Copied(Ok(content))) => {
                self.handle_staged(cx, folder, &sync_id, stage, Some(content));
            }
            (
                DownloadStep::Write(sync_id, stage) | DownloadStep::Seal(sync_id, stage),
                DiskOutcome::Done(Err(fault)),
            )
            | (DownloadStep::Receive(sync_id, stage), DiskOutcome::Received(Err(fault))) => {
                self.fail_stage(cx, folder, &sync_id, stage, &fault.message);
            }
            (DownloadStep::Copy(sync_id, stage), DiskOutcome::Copied(Err(fault))) => {
                // Until a scan finds that the file is gone, each new offer of its content would be copied too.
                folder.scan_by(cx.now.time);
                self.fail_stage(cx, folder, &sync_id, stage, &fault.message);
            }
            // By now another session may bring the same content; then this stage is of no use.
            (DownloadStep::Park(content, stage), DiskOutcome::Parked(bytes)) => {
                let progress = ParkedProgress::Part(bytes);
                self.park(cx, content, ParkedStage { stage, progress });
            }
            (DownloadStep::Install(sync_id, files), DiskOutcome::Installed(outcomes)) => {
                self.handle_installed(cx, folder, &sync_id, files, outcomes);
            }
            _ => {}
        }
    }

    /// Takes a file that the host has received and verified.
    fn handle_received(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        stage: StageId,
    ) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let Some(index) = session.by_stage(stage) else { return };
        let file = &session.files[index];
        if let FileState::Receiving(_, Incoming { counted, .. }) = file.state {
            let bytes = file.content.size - counted;
            cx.event(Event::Received { sync_id: sync_id.clone(), bytes });
            self.handle_staged(cx, folder, sync_id, stage, None);
        }
    }

    /// Takes a file whose stage is complete. A copy is only now known to have the right content.
    fn handle_staged(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        stage: StageId,
        copied: Option<Content>,
    ) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let Some(index) = session.by_stage(stage) else { return };
        let file = &mut session.files[index];
        if copied.is_some_and(|copied| copied != file.content) {
            folder.scan_by(cx.now.time);
            let refusal = Refusal::failed("the file to copy has changed");
            return self.fail(cx, folder, sync_id, index, &refusal);
        }
        file.state = FileState::Staged(stage);
        // Only its own livery can be complete now. To look at all of them each time would take time by the square of
        // the number of files.
        if let Some(group) = session.complete_livery_of(index) {
            self.install(cx, folder, sync_id, &group);
            self.end_if_finished(sync_id);
        }
    }

    fn fail_stage(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        stage: StageId,
        reason: &str,
    ) {
        let session = self.sessions.get(sync_id);
        if let Some(index) = session.and_then(|session| session.by_stage(stage)) {
            self.fail(cx, folder, sync_id, index, &Refusal::failed(reason));
        }
    }

    /// Fails a file that the server will not send after all.
    pub(super) fn handle_file_error(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        offered: &str,
        reason: &str,
    ) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let Some(index) = session.find(offered) else { return };
        let file = &mut session.files[index];
        // What has been staged needs the server no more, and is installed all the same.
        let is_awaited = matches!(
            file.state,
            FileState::Offered | FileState::Receiving(..) | FileState::ReceivingChunks(..)
        );
        if !is_awaited {
            return;
        }
        let stage = file.stage();
        file.state = FileState::Failed;
        discard(cx, stage);
        cx.event(Event::ReceiveFailed {
            sync_id: sync_id.clone(),
            path: offered.to_owned(),
            reason: reason.to_owned(),
            declined: false,
        });
        self.check(cx, folder, sync_id, false);
    }

    /// Fails a file, and reports it to the server.
    pub(super) fn fail(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        index: usize,
        refusal: &Refusal,
    ) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let file = &mut session.files[index];
        let (stage, offered) = (file.stage(), file.offered.clone());
        file.state = FileState::Failed;
        discard(cx, stage);
        self.refuse(cx, sync_id, offered, refusal);
        self.check(cx, folder, sync_id, false);
    }

    /// Tells the server and people that a file is not taken.
    fn refuse(&mut self, cx: &mut Context, sync_id: &SyncId, path: String, refusal: &Refusal) {
        self.report_refusal(cx, sync_id, path.clone(), refusal.fault, &refusal.reason);
        cx.event(Event::ReceiveFailed {
            sync_id: sync_id.clone(),
            path,
            reason: refusal.reason.clone(),
            declined: refusal.fault == Fault::Declined,
        });
    }

    /// Tells the server that a file is not taken.
    fn report_refusal(
        &mut self,
        cx: &mut Context,
        sync_id: &SyncId,
        path: String,
        fault: Fault,
        reason: &str,
    ) {
        if self.refusals.is_to_be_reported(cx.link.dialect(), &path) {
            cx.report(sync_id, reason, Some((path, fault)));
        }
        let session = self.sessions.get_mut(sync_id);
        if let Some(unlisted) = session.and_then(|session| session.unlisted.as_mut()) {
            // Its session is kept open for longer, see there.
            unlisted.handle_refusal();
        }
    }

    /// Fails the unfinished files of liveries that the driver now ignores, except those that are being installed.
    pub(super) fn handle_ignored(&mut self, cx: &mut Context, folder: &mut Folder) {
        // The driver may have stopped ignoring others: the server may offer them again, and may hear of it again.
        self.refusals.clear();
        // Collected first, because to fail a file may end its session.
        let mut ignored = Vec::new();
        for (sync_id, session) in &self.sessions {
            for (index, file) in session.files.iter().enumerate() {
                let is_under_way =
                    !file.is_finished() && !matches!(file.state, FileState::Installing(_));
                if is_under_way && cx.config.ignored.covers(file.path.as_str()) {
                    ignored.push((sync_id.clone(), index));
                }
            }
        }
        let refusal = Refusal { fault: Fault::Declined, reason: IGNORED.to_owned() };
        for (sync_id, index) in ignored {
            self.fail(cx, folder, &sync_id, index, &refusal);
        }
    }

    pub(super) fn handle_link_down(&mut self, cx: &mut Context, folder: &mut Folder) {
        self.refusals.clear();
        for sync_id in self.sync_ids() {
            self.abort(cx, folder, &sync_id);
        }
    }

    /// Ends a session that will bring nothing more. Files that are being installed are waited for. What came over
    /// protocol 2 is parked: only there can this PC ask for the rest alone.
    pub(super) fn abort(&mut self, cx: &mut Context, folder: &mut Folder, sync_id: &SyncId) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        session.over = true;
        let is_listed = session.is_listed();
        let (mut useless, mut partial, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        for file in &mut session.files {
            match file.state {
                FileState::Installing(_) | FileState::Installed => continue,
                FileState::Receiving(stage, _) => partial.push((stage, file.content)),
                // A copy is made again faster than a server could send it, so only downloads are kept.
                FileState::Staged(stage) if is_listed && !file.copied => {
                    whole.push((stage, file.content));
                }
                _ => useless.push(file.stage()),
            }
            file.state = FileState::Failed;
        }
        // Whole stages first: there is room for a limited number, and they are worth the most.
        for (stage, content) in whole {
            self.park(cx, content, ParkedStage { stage, progress: ParkedProgress::Whole });
        }
        for (stage, content) in partial {
            let purpose = Purpose::Download(DownloadStep::Park(content, stage));
            cx.request(DiskRequest::Park(stage), purpose);
        }
        for stage in useless {
            discard(cx, stage);
        }
        self.check(cx, folder, sync_id, false);
    }

    fn park(&mut self, cx: &mut Context, content: Content, parked: ParkedStage) {
        discard(cx, self.parked.add(content, parked).err());
    }

    /// Removes the parked stages. Once this PC is in sync, nobody will offer their contents any more.
    pub(super) fn discard_parked(&mut self, cx: &mut Context) {
        for stage in self.parked.take_all() {
            discard(cx, Some(stage));
        }
    }

    /// Installs the liveries that are complete, and ends the session if that was all.
    pub(super) fn check(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        quiet: bool,
    ) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        for group in session.complete_liveries(quiet) {
            self.install(cx, folder, sync_id, &group);
        }
        self.end_if_finished(sync_id);
    }

    /// Ends a session whose files have all been installed or have failed.
    fn end_if_finished(&mut self, sync_id: &SyncId) {
        let session = self.sessions.get(sync_id);
        // Without a list more files may follow.
        let is_complete = |session: &Download| session.is_listed() || session.over;
        if session.is_some_and(|session| is_complete(session) && session.is_finished()) {
            self.end(sync_id);
        }
    }

    pub(super) fn end(&mut self, sync_id: &SyncId) {
        if let Some(session) = self.sessions.remove(sync_id) {
            self.ended.push_back((sync_id.clone(), session));
        }
    }

    /// Returns a session that has ended since the last call.
    pub(super) fn poll_ended(&mut self) -> Option<(SyncId, Download)> {
        self.ended.pop_front()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(super) fn sync_ids(&self) -> Vec<SyncId> {
        self.sessions.keys().cloned().collect()
    }

    /// The paths that SYNC_DONE messages will report.
    pub(super) fn paths_to_report(&self) -> impl Iterator<Item = &PathKey> {
        let sessions = self.sessions.values().filter(|session| session.will_report());
        sessions.flat_map(|session| &session.files).map(|file| file.path.key())
    }
}

/// Turns offers of contents that this PC has into copies. The server hears what a session has installed only at its end,
/// and one file of it may take long.
fn copy_local_contents(folder: &Folder, files: &mut [OfferedFile]) {
    let sent = |file: &OfferedFile| {
        let is_sent = file.transfer.is_some() && file.copy_from.is_none();
        let hash = file.info.sha256.parse().ok().filter(|_| is_sent)?;
        Some(Content { hash, size: file.info.size })
    };
    let contents: BTreeSet<Content> = files.iter().filter_map(sent).collect();
    let local = folder.files().iter().filter(|file| contents.contains(&file.content));
    // Of several files with one content any will do.
    let local: BTreeMap<_, _> = local.map(|file| (file.content, &file.path)).collect();
    for file in files {
        if let Some(path) = sent(file).and_then(|content| local.get(&content)) {
            file.copy_from = Some(path.as_str().to_owned());
        }
    }
}

fn discard(cx: &mut Context, stage: Option<StageId>) {
    if let Some(stage) = stage {
        cx.request(DiskRequest::Discard(stage), Purpose::Download(DownloadStep::Discard));
    }
}
