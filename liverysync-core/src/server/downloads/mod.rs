//! Downloads from their offer to their end, whatever the target does on the way.

mod jobs;
mod offer;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use self::{
    jobs::Target,
    session::{Download, DownloadFile, FileState},
};
use super::{
    Event, Output,
    context::Context,
    peer::Refusal,
    protocol_1::{Complaint, read_complaint},
};
use crate::{
    client::Progress,
    hash::Content,
    path::RelPath,
    time::Time,
    transfer::Compression,
    union::PeerId,
    wire::{
        data::TransferId,
        messages::{Accept, ErrorReport, Fault, SyncDone, SyncId},
    },
};

/// Time to wait after a Python client said that it is done: the first of them says so once per file, so more may
/// come. It does so a second after the end of a file, and a slow PC may take longer.
const LATE_DONE: Duration = Duration::from_secs(3);

/// Longest time for a target to install the files that it has received.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Files that a target of protocol 2 has installed.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) files: Vec<(RelPath, Content)>,
    pub(super) revision: u64,
}

/// The sessions in which targets get files, and the jobs of each target.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    sessions: BTreeMap<SyncId, Download>,
    targets: BTreeMap<PeerId, Target>,
}

impl Downloads {
    /// Returns the number of open sessions.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn handle_accepted(&mut self, id: PeerId, now: Time) {
        self.targets.insert(id, Target::new(now));
    }

    /// Ends the `sessions` of a peer that has disconnected.
    pub(super) fn handle_lost(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        sessions: &BTreeSet<SyncId>,
    ) {
        for sync_id in sessions {
            self.end(cx, sync_id);
        }
        self.targets.remove(&id);
    }

    /// Handles the answer of a target to an offer: the files that it wants, each from an offset on.
    pub(super) fn handle_accept(&mut self, cx: &mut Context, id: PeerId, accept: Accept) {
        let deadline = cx.now + cx.config.timeouts.stall;
        let download = self.sessions.get_mut(&accept.sync_id);
        let Some(download) = download.filter(|download| download.target == id) else { return };
        // An answer never shortens the time that the target has anyway.
        download.deadline = download.deadline.max(deadline);
        let wanted: BTreeMap<_, _> =
            accept.files.iter().map(|file| (file.transfer, file.offset)).collect();
        let mut unwanted = Vec::new();
        let mut gone = Vec::new();
        for (index, file) in download.files.iter_mut().enumerate() {
            if file.state != FileState::Offered {
                continue;
            }
            let (transfer, content) = (file.transfer, file.content);
            match wanted.get(&transfer) {
                // It has the file already, perhaps from before a crash, and will confirm it like the others.
                None => {
                    file.state = FileState::Sent;
                    unwanted.push(content);
                }
                Some(_) if !cx.store.has(content) => gone.push(index),
                Some(from) => {
                    let from = (*from).min(content.size);
                    let compression = Compression::of(&file.path, content.size);
                    cx.output(Output::StartDownload {
                        target: id,
                        transfer,
                        content,
                        from,
                        compression,
                        begin: None,
                    });
                }
            }
        }
        for content in unwanted {
            cx.store.remove_reader(content);
        }
        for index in gone {
            self.cancel_file(cx, &accept.sync_id, index, "the server does not have it any more");
        }
        self.check_sent(cx, &accept.sync_id);
    }

    /// Handles the progress of a file on its way to its target.
    pub(super) fn handle_progress(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        transfer: TransferId,
        progress: Progress,
    ) {
        let Some(peer) = cx.peers.get(id) else { return };
        // One link carries several sessions in turn, so bytes of any of them show that the target takes data.
        if let Some(target) = self.targets.get_mut(&id) {
            target.passed_at = cx.now;
        }
        let found = peer.sessions.downloads.iter().find_map(|sync_id| {
            let index = self.sessions.get(sync_id)?.by_transfer(transfer)?;
            Some((sync_id.clone(), index))
        });
        let Some((sync_id, index)) = found else { return };
        let Some(download) = self.sessions.get_mut(&sync_id) else { return };
        let file = &mut download.files[index];
        // It was cancelled or has failed, and what was under way still comes.
        if file.state != FileState::Offered {
            return;
        }
        let content = file.content;
        match progress {
            Progress::Passed(_) => {}
            Progress::Sent => {
                file.state = FileState::Sent;
                cx.store.remove_reader(content);
                cx.store.mark_read(content);
                self.check_sent(cx, &sync_id);
            }
            Progress::Failed(fault) if fault.kind.is_loss() && cx.store.is_stored(content) => {
                self.handle_store_loss(cx, content, fault.message);
            }
            Progress::Failed(fault) => {
                let is_news = cx.store.mark_unreadable(content, cx.now);
                // The upload of a content that is still arriving says what became of it.
                if is_news && cx.store.is_stored(content) {
                    cx.event(Event::StoreFault { content: content.hash, reason: fault.message });
                }
                self.cancel_file(cx, &sync_id, index, "the server cannot read it now");
                self.check_sent(cx, &sync_id);
            }
        }
    }

    /// Handles the loss of a content that the store had, for this reason.
    pub(super) fn handle_store_loss(&mut self, cx: &mut Context, content: Content, reason: String) {
        cx.event(Event::StoreFault { content: content.hash, reason });
        // What is left of it must not pass for the content when it is uploaded again.
        cx.output(Output::Remove(content.hash));
        cx.remove_content(content);
        self.cancel_content(cx, content, "the server has lost it");
    }

    /// Cancels every download of a content.
    pub(super) fn cancel_content(&mut self, cx: &mut Context, content: Content, reason: &str) {
        // Collected first, because to cancel a file may end its session.
        let mut waiting = Vec::new();
        for (sync_id, download) in &self.sessions {
            for (index, file) in download.files.iter().enumerate() {
                // A target that was sent all of it does not need the store any more.
                if file.state == FileState::Offered && file.content == content {
                    waiting.push((sync_id.clone(), index));
                }
            }
        }
        for (sync_id, index) in waiting {
            self.cancel_file(cx, &sync_id, index, reason);
            self.check_sent(cx, &sync_id);
        }
    }

    /// Tells a target that a file of an offer will not come in this session. The target is not to blame.
    fn cancel_file(&mut self, cx: &mut Context, sync_id: &SyncId, index: usize, reason: &str) {
        let Some(download) = self.sessions.get_mut(sync_id) else { return };
        let (target, file) = (download.target, &mut download.files[index]);
        file.state = FileState::Failed;
        let (path, transfer, content) = (file.path.clone(), file.transfer, file.content);
        // Not recorded as a failure: the file is offered again as soon as the store gets it from somebody.
        if let Some(state) = self.targets.get_mut(&target) {
            state.under_way.remove(path.key());
        }
        cx.store.remove_reader(content);
        cx.output(Output::StopDownload(target, transfer));
        cx.report_error(target, sync_id, reason, Some((path.as_str(), Fault::Missing)));
        cx.dirty.jobs.insert(target);
    }

    /// Gives a target time to install once nothing more is to be sent, or ends its session.
    fn check_sent(&mut self, cx: &mut Context, sync_id: &SyncId) {
        let download = self.sessions.get_mut(sync_id);
        let Some(download) = download.filter(|download| download.is_sent()) else { return };
        download.deadline = cx.now + INSTALL_TIMEOUT;
        // Where every file was cancelled, a Python client has nothing to report. Other targets end the session themselves.
        if download.is_complete() && download.pushed {
            self.end(cx, sync_id);
        }
    }

    /// Handles SYNC_DONE. Returns the installed files if the target names them.
    pub(super) fn handle_done(
        &mut self,
        cx: &mut Context,
        id: PeerId,
        done: SyncDone,
    ) -> Option<Installed> {
        let download = self.sessions.get_mut(&done.sync_id);
        let Some(download) = download.filter(|download| download.target == id) else {
            // The session has timed out. When its files are offered again, the target says that it has them.
            if let (Some(peer), Some(revision)) = (cx.peers.get_mut(id), done.revision) {
                peer.report.revision = revision;
                cx.dirty.unanswered(id);
            }
            return None;
        };
        let Some(installed) = done.installed.filter(|_| !download.pushed) else {
            // The first Python client says so after each file, also before the last one was sent.
            if download.is_sent() {
                download.deadline = cx.now + LATE_DONE;
                self.handle_manifest(cx, id);
            }
            return None;
        };
        let installed: BTreeSet<_> = installed.iter().map(String::as_str).collect();
        let mut files = Vec::new();
        for file in &mut download.files {
            // A file that it has without having received it is installed, too: its driver may have put it there.
            if installed.contains(file.path.as_str()) {
                file.state = FileState::Installed;
                files.push((file.path.clone(), file.content));
            }
        }
        for index in download.open_files() {
            self.record_failure(
                cx,
                &done.sync_id,
                index,
                "it did not confirm that it has the file",
                None,
            );
        }
        self.end(cx, &done.sync_id);
        Some(Installed { files, revision: done.revision.unwrap_or_default() })
    }

    /// Finds out from a new manifest which files a Python client has installed. It does not report them otherwise.
    pub(super) fn handle_manifest(&mut self, cx: &mut Context, id: PeerId) {
        let Some(peer) = cx.peers.get(id) else { return };
        let mut complete = Vec::new();
        for sync_id in &peer.sessions.downloads {
            let download = self.sessions.get_mut(sync_id);
            let Some(download) = download.filter(|download| download.pushed) else { continue };
            for file in &mut download.files {
                let own = peer.file_at(file.path.key());
                let has_it = own.is_some_and(|own| own.content == file.content);
                if has_it && file.state == FileState::Sent {
                    file.state = FileState::Installed;
                }
            }
            if download.is_complete() {
                complete.push(sync_id.clone());
            }
        }
        for sync_id in complete {
            self.end(cx, &sync_id);
        }
    }

    /// Handles an error that a target reports about one of its downloads.
    pub(super) fn handle_error(&mut self, cx: &mut Context, id: PeerId, report: &ErrorReport) {
        let download = self.sessions.get(&report.sync_id);
        let Some(download) = download.filter(|download| download.target == id) else { return };
        match &report.rel_path {
            Some(path) => {
                if let Some(index) = download.find(path) {
                    let refusal = match report.fault {
                        Some(Fault::Declined) => Some(Refusal::Declined),
                        Some(Fault::Blocked) => Some(Refusal::Blocked),
                        _ => None,
                    };
                    if report.fault == Some(Fault::Corrupt) {
                        self.verify(cx, &report.sync_id, index);
                    }
                    self.record_failure(cx, &report.sync_id, index, &report.message, refusal);
                    self.check_sent(cx, &report.sync_id);
                }
            }
            None if !download.pushed => {
                for index in 0..download.files.len() {
                    self.record_failure(cx, &report.sync_id, index, &report.message, None);
                }
                self.end(cx, &report.sync_id);
            }
            None => self.handle_unnamed_error(cx, id, report),
        }
    }

    /// Has the store verify a file of which a target has got wrong bytes.
    fn verify(&self, cx: &mut Context, sync_id: &SyncId, index: usize) {
        let Some(download) = self.sessions.get(sync_id) else { return };
        // What a target copies never was in the store's hands.
        let file = download.files.get(index).filter(|file| file.is_open() && !download.copies);
        if let Some(content) = file.map(|file| file.content)
            && cx.store.begin_verify(content, cx.now)
        {
            cx.output(Output::Verify(content.hash));
        }
    }

    /// Records that a target did not install a file of a session.
    fn record_failure(
        &mut self,
        cx: &mut Context,
        sync_id: &SyncId,
        index: usize,
        message: &str,
        refusal: Option<Refusal>,
    ) {
        let now = cx.now;
        let Some(download) = self.sessions.get_mut(sync_id) else { return };
        let Download { target, copies, pushed, .. } = *download;
        // A target may complain about a file twice, or about one that has been cancelled.
        let Some(file) = download.files.get_mut(index).filter(|file| file.is_open()) else {
            return;
        };
        let (path, content, transfer) = (file.path.clone(), file.content, file.transfer);
        let state = std::mem::replace(&mut file.state, FileState::Failed);
        if state == FileState::Offered && !copies {
            cx.store.remove_reader(content);
            cx.output(Output::StopDownload(target, transfer));
        }
        if let Some(state) = self.targets.get_mut(&target) {
            state.under_way.remove(path.key());
            // The next time the jobs are worked out, people are told of a refusal, and a failure is offered again.
            state.deferred = true;
        }
        let Some(peer) = cx.peers.get_mut(target) else { return };
        let for_good = match refusal {
            Some(refusal) => {
                peer.download_faults.refuse(path.key(), content.hash, refusal);
                true
            }
            None => peer.download_faults.record_failure(path.key(), content.hash, pushed, now),
        };
        let (name, message) = (peer.identity.name.clone(), message.to_owned());
        cx.event(Event::TargetFault { name, path, message, for_good });
    }

    /// Handles an error of a Python client, which never says which file it is about.
    fn handle_unnamed_error(&mut self, cx: &mut Context, id: PeerId, report: &ErrorReport) {
        let Some(download) = self.sessions.get(&report.sync_id) else { return };
        let files = download.files.iter().map(|file| (&file.path, file.state.fate()));
        match read_complaint(&report.message, files) {
            Complaint::Cancelled => return,
            Complaint::File { index, for_good } => {
                let refusal = for_good.then_some(Refusal::Declined);
                if !for_good {
                    self.verify(cx, &report.sync_id, index);
                }
                self.record_failure(cx, &report.sync_id, index, &report.message, refusal);
            }
            Complaint::Unclear => {
                if let Some(peer) = cx.peers.get_mut(id) {
                    peer.download_faults.one_by_one = true;
                }
            }
        }
        self.end(cx, &report.sync_id);
    }

    /// Cancels what nobody sends, and ends the sessions that have waited too long.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context) {
        // First the files that cannot come: a target is not to blame for a session that waits only for them.
        let overdue = self.sessions.iter().filter(|(_, download)| download.deadline <= cx.now);
        let hopeless = overdue.flat_map(|(sync_id, download)| {
            let files = download.files.iter().enumerate();
            let waiting = files.filter(|(_, file)| {
                file.state == FileState::Offered && cx.store.can_begin(file.content)
            });
            waiting.map(move |(index, _)| (sync_id.clone(), index))
        });
        for (sync_id, index) in hopeless.collect::<Vec<_>>() {
            self.cancel_file(cx, &sync_id, index, "nobody can send it now");
            self.check_sent(cx, &sync_id);
        }
        let overdue = self.sessions.iter().filter(|(_, download)| self.is_overdue(cx, download));
        for sync_id in overdue.map(|(sync_id, _)| sync_id.clone()).collect::<Vec<_>>() {
            self.time_out(cx, &sync_id);
        }
    }

    /// Returns whether a session has waited too long. One whose contents are still arriving waits for them.
    fn is_overdue(&self, cx: &Context, download: &Download) -> bool {
        let waits = |file: &DownloadFile| {
            file.state == FileState::Offered && !cx.store.is_stored(file.content)
        };
        let target = self.targets.get(&download.target);
        let passed_at = target.map_or(Time::ZERO, |target| target.passed_at);
        let stalled = passed_at + cx.config.timeouts.stall <= cx.now;
        download.deadline <= cx.now
            && (download.is_sent() || stalled && !download.files.iter().any(waits))
    }

    /// Ends a session whose target never said what became of its files.
    fn time_out(&mut self, cx: &mut Context, sync_id: &SyncId) {
        let Some(download) = self.sessions.get(sync_id) else { return };
        let (target, pushed) = (download.target, download.pushed);
        for index in download.open_files() {
            self.record_failure(
                cx,
                sync_id,
                index,
                "it did not confirm that it has the file",
                None,
            );
        }
        cx.report_error(target, sync_id, "no answer in time", None);
        // It does not say which file it could not install. With one file a session, the next failure shows it.
        if let Some(peer) = cx.peers.get_mut(target).filter(|_| pushed) {
            peer.download_faults.one_by_one = true;
        }
        self.end(cx, sync_id);
    }

    fn end(&mut self, cx: &mut Context, sync_id: &SyncId) {
        let Some(download) = self.sessions.remove(sync_id) else { return };
        let target = download.target;
        for file in download.files.iter().filter(|file| file.state == FileState::Offered) {
            cx.store.remove_reader(file.content);
            cx.output(Output::StopDownload(target, file.transfer));
        }
        if let Some(peer) = cx.peers.get_mut(target) {
            peer.sessions.downloads.remove(sync_id);
            for file in download.files.iter().filter(|file| file.state == FileState::Installed) {
                peer.download_faults.clear_failures(file.path.key());
            }
        }
        if let Some(state) = self.targets.get_mut(&target) {
            // The names of files that failed were removed then, and may be under way in another session by now.
            for file in download.files.iter().filter(|file| file.state != FileState::Failed) {
                state.under_way.remove(file.path.key());
            }
            // Other jobs come first. Once there are none, it is time to look at what was deferred.
            if state.deferred && state.jobs.as_ref().is_some_and(VecDeque::is_empty) {
                cx.dirty.jobs.insert(target);
            }
        }
        let installed = download.count(FileState::Installed);
        let target = cx.peers.name(target);
        cx.event(Event::SessionEnded {
            sync_id: sync_id.clone(),
            source: None,
            target,
            installed,
            failed: download.files.len() - installed,
        });
        cx.dirty.schedule();
    }
}
