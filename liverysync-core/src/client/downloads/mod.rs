//! Sessions that bring files to this PC. Each file is judged, staged and verified; each livery is installed as a whole.
//!
//! The server chooses what a session brings. Protocol 2 lists it, this PC accepts what it takes, and SYNC_DONE ends the
//! session once every file has been installed or has failed. Protocol 1 lists nothing; `protocol_1` has what differs.

mod install;
mod judge;
mod offer;
mod parked;
mod session;
mod step;

use std::collections::{BTreeMap, VecDeque};

pub(super) use self::{
    install::conflict_copy_name,
    judge::{Refusal, collision, judge},
    session::{Download, DownloadFile, FileState},
    step::DownloadStep,
};
use self::{
    parked::{ParkedProgress, ParkedStage, ParkedStages},
    session::{Left, Receiving, Source},
    step::discard,
};
use super::{
    DiskFault, DiskOutcome, DiskRequest, Event, Role, StageId,
    context::{Context, Purpose},
    folder::Folder,
    obstacles::{Cause, Obstacle, Obstacles},
    protocol_1::{Refusals, Unlisted},
    unmatched::IgnoredOffers,
};
use crate::{
    hash::Content,
    path::PathKey,
    wire::{
        data::TransferId,
        messages::{Fault, OfferedFile, SyncId, SyncOffer},
    },
};

/// Most sessions at a time. A server that offers more is refused: each of them takes memory. By default a `liverysync` server
/// offers one client at most 24.
const SESSIONS_MAX: usize = 64;

/// The reason why files of an ignored livery are refused.
const IGNORED: &str = "this PC ignores the livery";

/// The reason why a PC that only sends refuses files.
const SENDS_ONLY: &str = "this PC only sends";

/// All sessions that bring files, and the stages that outlived one.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    pub(super) sessions: BTreeMap<SyncId, Download>,
    parked: ParkedStages,
    refusals: Refusals,
    pub(super) obstacles: Obstacles,
    pub(super) ignored_offers: IgnoredOffers,
    /// Sessions that have ended and have not been reported yet.
    ended: VecDeque<(SyncId, Download)>,
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
        for offered in files.unwrap_or_default() {
            self.handle_offered_file(cx, folder, &sync_id, offered);
        }
        if let Some(session) = self.sessions.get(&sync_id).filter(|_| is_listed) {
            if offer::check(cx, &sync_id, session) {
                return;
            }
            offer::accept(cx, &sync_id, session);
        }
        // If every file is refused or here already, nothing else would end the session.
        self.check(cx, folder, &sync_id, false);
    }

    /// Judges a file that the server offers, and prepares for it.
    pub(super) fn handle_offered_file(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        offered: OfferedFile,
    ) {
        let name = offered.info.rel_path.clone();
        if cx.config.ignored.covers(&name) {
            self.ignored_offers.handle_offer(&name);
            // The driver asked for it, and need not hear of every file.
            return self.report_refusal(cx, sync_id, name, Fault::Declined, IGNORED);
        }
        if cx.config.only == Some(Role::Source) {
            return self.report_refusal(cx, sync_id, name, Fault::Declined, SENDS_ONLY);
        }
        let content = (offered.info.sha256.parse().ok(), offered.info.size);
        match offer::take(cx, folder, offered) {
            Ok(file) => {
                // The server did not know it when it made the offer, or the client has said HELLO again.
                if let Some(known) = self.obstacles.lasting(file.path.key(), file.content.hash) {
                    let reason = known.reason().to_owned();
                    return self.report_refusal(cx, sync_id, name, Fault::Blocked, &reason);
                }
                let Some(session) = self.sessions.get_mut(sync_id) else { return };
                if session.is_listed()
                    && let Err(collision) = session.names.insert(file.path.clone())
                {
                    let refusal = Refusal::failed(&collision.to_string());
                    return self.refuse(cx, sync_id, name, &refusal);
                }
                if folder.take_deleted(file.path.key()) {
                    cx.event(Event::LiveryReturns { livery: file.path.livery().to_owned() });
                }
                session.files.push(file);
            }
            Err(refusal) if refusal.fault == Fault::Blocked => {
                let reason = &refusal.reason;
                if let (Some(hash), bytes) = content {
                    let obstacle = Obstacle::new(&name, (hash, bytes), reason, Cause::Setting);
                    self.block(cx, sync_id, name, obstacle);
                }
            }
            Err(refusal) => self.refuse(cx, sync_id, name, &refusal),
        }
    }

    /// Prepares for the files of an offer that can be installed, and answers it.
    fn handle_checked(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        outcomes: impl Iterator<Item = (usize, Result<(), DiskFault>)>,
    ) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let local = offer::local_contents(folder, session);
        let mut failed = Vec::new();
        for (index, outcome) in outcomes {
            let Some(session) = self.sessions.get_mut(sync_id) else { return };
            let file = &mut session.files[index];
            let FileState::Checking(source) = &file.state else { continue };
            let source = match local.get(&file.content) {
                Some(path) => Source::Copy(path.clone()),
                None => source.clone(),
            };
            file.copied = matches!(source, Source::Copy(_));
            let parked = &mut self.parked;
            let prepared = match outcome {
                Ok(()) => offer::prepare(cx, folder, parked, sync_id, file, &source).map_err(Err),
                Err(fault) => Err(Ok(fault)),
            };
            file.state = prepared.unwrap_or_else(|why| {
                failed.push((index, why));
                FileState::Failed
            });
        }
        for (index, why) in failed {
            let Some(session) = self.sessions.get(sync_id) else { return };
            let file = &session.files[index];
            let (path, hash, bytes) = (file.offered.clone(), file.content.hash, file.content.size);
            match why {
                Ok(fault) if fault.kind.is_lasting() => {
                    let reason = &fault.message;
                    let obstacle = Obstacle::new(&path, (hash, bytes), reason, Cause::Checked);
                    self.block(cx, sync_id, path, obstacle);
                }
                Ok(fault) => self.refuse(cx, sync_id, path, &Refusal::failed(&fault.message)),
                Err(refusal) => self.refuse(cx, sync_id, path, &refusal),
            }
        }
        if let Some(session) = self.sessions.get(sync_id) {
            offer::accept(cx, sync_id, session);
        }
        self.check(cx, folder, sync_id, false);
    }

    /// Counts bytes that the host has received.
    pub(super) fn handle_arrived(&mut self, cx: &mut Context, transfer: TransferId, bytes: u64) {
        for (sync_id, session) in &mut self.sessions {
            if let Some(bytes) = session.handle_arrived(transfer, bytes) {
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
            (DownloadStep::Check(sync_id, indexes), DiskOutcome::Checked(outcomes)) => {
                let outcomes = indexes.into_iter().zip(outcomes);
                self.handle_checked(cx, folder, &sync_id, outcomes);
            }
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
                self.fail_stage(cx, folder, &sync_id, stage, &fault);
            }
            (DownloadStep::Copy(sync_id, stage), DiskOutcome::Copied(Err(fault))) => {
                // Until a scan finds that the file is gone, each new offer of its content would be copied too.
                folder.scan_by(cx.now.time);
                self.fail_stage(cx, folder, &sync_id, stage, &fault);
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
        if let FileState::Receiving(_, Receiving { counted, .. }) = file.state {
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
        fault: &DiskFault,
    ) {
        let session = self.sessions.get(sync_id);
        if let Some(index) = session.and_then(|session| session.by_stage(stage)) {
            self.fail_install(cx, folder, sync_id, index, fault);
        }
    }

    /// Fails a file that the disk does not take.
    fn fail_install(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        sync_id: &SyncId,
        index: usize,
        fault: &DiskFault,
    ) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let file = &mut session.files[index];
        let (stage, path) = (file.stage(), file.offered.clone());
        let content = (file.content.hash, file.content.size);
        file.state = FileState::Failed;
        discard(cx, stage);
        self.block(cx, sync_id, path.clone(), Obstacle::met(&path, content, fault, cx.now.time));
        self.check(cx, folder, sync_id, false);
    }

    /// Notes the reason why a file cannot be installed, and tells the server and, if it is news, people.
    fn block(&mut self, cx: &mut Context, sync_id: &SyncId, path: String, obstacle: Obstacle) {
        let (fault, reason) = (obstacle.fault(), obstacle.reason().to_owned());
        self.report_refusal(cx, sync_id, path.clone(), fault, &reason);
        let declined = obstacle.lasts();
        if self.obstacles.add(obstacle) || !declined {
            cx.event(Event::ReceiveFailed { sync_id: sync_id.clone(), path, reason, declined });
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
        // A staged file needs the server no more, and is installed all the same.
        let is_awaited = matches!(
            file.state,
            FileState::Offered
                | FileState::Checking(_)
                | FileState::Receiving(..)
                | FileState::ReceivingChunks(..)
        );
        if !is_awaited {
            return;
        }
        let stage = file.stage();
        file.state = FileState::Missed;
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
        let Left { whole, partial, useless } = session.stop();
        // Whole stages first: there is room for a limited number, and they are worth the most.
        for (stage, content) in whole {
            self.park(cx, content, ParkedStage { stage, progress: ParkedProgress::Whole });
        }
        for (stage, content) in partial {
            let purpose = Purpose::Download(DownloadStep::Park(content, stage));
            cx.request(DiskRequest::Park(stage), purpose);
        }
        for stage in useless {
            discard(cx, Some(stage));
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

    /// Returns the paths that SYNC_DONE messages will report.
    pub(super) fn paths_to_report(&self) -> impl Iterator<Item = &PathKey> {
        let sessions = self.sessions.values().filter(|session| session.will_report());
        sessions.flat_map(|session| &session.files).map(|file| file.path.key())
    }
}
