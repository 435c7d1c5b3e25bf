//! Downloads from their offer to their end, whatever the target does on the way.

use super::*;
use crate::conflict::Scope;

impl ServerMachine {
    /// Opens a session in which `target` gets files from the store, or copies what it has already.
    pub(super) fn open_download(&mut self, target: PeerId, keys: &[PathKey], copies: bool) {
        let Some(peer) = self.peers.get_mut(&target) else { return };
        let mut files = Vec::new();
        let mut offered = Vec::new();
        for key in keys {
            let Some(entry) = self.union.get(key) else { continue };
            let copy_from = self.union.places(target, entry.content).next().filter(|_| copies);
            if copies && copy_from.is_none() {
                continue;
            }
            let transfer = peer.new_transfer();
            let own = peer.manifest.as_ref().and_then(|manifest| manifest.get(key));
            let stale = own.filter(|_| self.union.is_stale(target, key));
            offered.push(OfferedFile {
                info: union_file(entry),
                transfer: (!copies).then_some(transfer),
                copy_from: copy_from.map(|path| path.as_str().to_owned()),
                replaces: stale.map(|own| own.content.hash.to_string()),
            });
            files.push(DownloadFile {
                path: entry.path.clone(),
                content: entry.content,
                transfer,
                state: if copies { State::Sent } else { State::Offered },
            });
        }
        if files.is_empty() {
            return;
        }
        let sync_id = SyncId::new(&self.rng.uuid()).unwrap_or_default();
        peer.downloads.insert(sync_id.clone());
        peer.under_way.extend(files.iter().map(|file| file.path.key().clone()));
        let (ours, name) = (peer.speaks_v2(), peer.name.clone());
        self.tell_target(&sync_id, target, offered);
        let bytes = files.iter().map(|file| file.content.size).sum();
        let count = files.len();
        if !copies {
            files.iter().for_each(|file| self.store.add_reader(file.content));
        }
        if !ours {
            for file in &files {
                self.push_to_old_target(&sync_id, target, file);
            }
        }
        let patience = if copies { INSTALL_TIMEOUT } else { self.config.first_file_timeout };
        let deadline = self.now + patience;
        let download = Download { target, files, copies, deadline, done_heard: false };
        self.downloads.insert(sync_id.clone(), download);
        let target = Some(name);
        self.event(Event::SessionBegan { sync_id, source: None, target, files: count, bytes });
    }

    fn tell_target(&mut self, sync_id: &SyncId, target: PeerId, files: Vec<OfferedFile>) {
        let current_hash =
            self.current_union_hash().map(|hash| hash.to_string()).unwrap_or_default();
        let Some(peer) = self.peers.get(&target) else { return };
        let offer = SyncOffer {
            sync_id: sync_id.clone(),
            role: Role::Target,
            current_hash,
            source_client_id: self.store_id.clone(),
            target_client_id: peer.client_id.clone(),
            files: peer.speaks_v2().then_some(files),
            whole_liveries: peer.speaks_v2() && self.config.naming.scope == Scope::Livery,
        };
        self.outputs.push_back(Output::to(target, Message::SyncOffer(offer)));
    }

    /// A target of protocol 1 is not asked: it is sent all that it is offered.
    fn push_to_old_target(&mut self, sync_id: &SyncId, target: PeerId, file: &DownloadFile) {
        let mtime = self.union.get(file.path.key()).and_then(|entry| entry.mtime);
        let info = FileInfo::new(file.path.as_str(), file.content, mtime, false);
        let begin = Some(FileBegin { sync_id: sync_id.clone(), info });
        let (transfer, content, compression) = (file.transfer, file.content, Compression::Plain);
        let deliver = StartDownload { transfer, content, from: 0, compression, begin };
        self.outputs.push_back(Output::StartDownload(target, deliver));
    }

    /// A target of ours says what of an offer it wants, and from where on.
    pub(super) fn accept_offer(&mut self, id: PeerId, accept: Accept) {
        let deadline = self.now + self.config.stall_timeout;
        let Some(download) = self.downloads.get_mut(&accept.sync_id).filter(|d| d.target == id)
        else {
            return;
        };
        download.deadline = download.deadline.max(deadline);
        let wanted: BTreeMap<_, _> =
            accept.files.iter().map(|file| (file.transfer, file.offset)).collect();
        let mut had = Vec::new();
        let mut gone = Vec::new();
        for (index, file) in download.files.iter_mut().enumerate() {
            if file.state != State::Offered {
                continue;
            }
            let (transfer, content) = (file.transfer, file.content);
            match wanted.get(&transfer) {
                None => {
                    file.state = State::Sent;
                    had.push(content);
                }
                Some(_) if !self.store.has(content) => gone.push(index),
                Some(from) => {
                    let from = (*from).min(content.size);
                    let compression = Compression::of(&file.path, content.size);
                    let deliver =
                        StartDownload { transfer, content, from, compression, begin: None };
                    self.outputs.push_back(Output::StartDownload(id, deliver));
                }
            }
        }
        for content in had {
            self.store.remove_reader(content);
        }
        for index in gone {
            self.cancel_file(&accept.sync_id, index, "it is not to be had any more");
        }
        self.check_sent(&accept.sync_id);
    }

    pub(super) fn download_progressed(
        &mut self,
        id: PeerId,
        transfer: TransferId,
        progress: Progress,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.passed_at = self.now;
        let found = peer.downloads.iter().find_map(|sync_id| {
            let index = self.downloads.get(sync_id)?.by_transfer(transfer)?;
            Some((sync_id.clone(), index))
        });
        let Some((sync_id, index)) = found else { return };
        let Some(file) = self.downloads.get_mut(&sync_id).map(|d| &mut d.files[index]) else {
            return;
        };
        if file.state != State::Offered {
            return;
        }
        match progress {
            Progress::Passed => {}
            Progress::Sent => {
                file.state = State::Sent;
                let content = file.content;
                self.store.remove_reader(content);
                self.check_sent(&sync_id);
            }
            // What is still arriving has an upload that says what became of it.
            Progress::Failed(_) if !self.store.is_stored(file.content) => {}
            Progress::Failed(reason) => {
                let content = file.content;
                self.event(Event::StoreFault { content: content.hash, reason });
                self.spoiled(content);
            }
        }
    }

    /// What the store had is not there any more: those who wait for it are told.
    pub(super) fn spoiled(&mut self, content: Content) {
        self.forget(content);
        self.cancel_content(content, "the server has lost it");
    }

    /// Stops every download of a content.
    pub(super) fn cancel_content(&mut self, content: Content, reason: &str) {
        let mut waiting = Vec::new();
        for (sync_id, download) in &self.downloads {
            for (index, file) in download.files.iter().enumerate() {
                if file.state == State::Offered && file.content == content {
                    waiting.push((sync_id.clone(), index));
                }
            }
        }
        for (sync_id, index) in waiting {
            self.cancel_file(&sync_id, index, reason);
            self.check_sent(&sync_id);
        }
    }

    /// Tells a target that a file of an offer will not come in this session. That is no fault of its own.
    pub(super) fn cancel_file(&mut self, sync_id: &SyncId, index: usize, reason: &str) {
        let Some(download) = self.downloads.get_mut(sync_id) else { return };
        let (target, file) = (download.target, &mut download.files[index]);
        file.state = State::Failed;
        let (path, transfer, content) = (file.path.clone(), file.transfer, file.content);
        if let Some(peer) = self.peers.get_mut(&target) {
            peer.under_way.remove(path.key());
        }
        self.store.remove_reader(content);
        self.outputs.push_back(Output::StopDownload(target, transfer));
        self.report(target, sync_id, reason, Some((path.as_str(), Fault::Missing)));
        self.invalidate_jobs(target);
    }

    /// Once nothing more is to be sent, a target gets time to install, or has nothing to do.
    pub(super) fn check_sent(&mut self, sync_id: &SyncId) {
        let Some(download) = self.downloads.get_mut(sync_id).filter(|d| d.is_sent()) else {
            return;
        };
        download.deadline = self.now + INSTALL_TIMEOUT;
        let settled = download.is_complete();
        if settled && !speaks_v2(&self.peers, download.target) {
            self.end_download(sync_id);
        }
    }

    /// A target says what it has installed.
    pub(super) fn sync_done(&mut self, id: PeerId, done: SyncDone) {
        let Some(download) = self.downloads.get_mut(&done.sync_id).filter(|d| d.target == id)
        else {
            // It was given up meanwhile; what is there now is found out when it is offered again.
            if let (Some(peer), Some(revision)) = (self.peers.get_mut(&id), done.revision) {
                peer.revision = revision;
                self.invalidate_status(id);
            }
            return;
        };
        let Some(installed) = done.installed else {
            if download.is_sent() {
                download.done_heard = true;
                download.deadline = self.now + LATE_DONE;
                self.check_old_targets(id);
            }
            return;
        };
        let installed: BTreeSet<_> = installed.iter().map(String::as_str).collect();
        let mut there = Vec::new();
        for file in &mut download.files {
            // What did not come from here its driver may have put there himself.
            if installed.contains(file.path.as_str()) {
                file.state = State::Installed;
                there.push((file.path.clone(), file.content));
            }
        }
        let silent: Vec<_> = (0..download.files.len())
            .filter(|index| matches!(download.files[*index].state, State::Sent | State::Offered))
            .collect();
        for index in silent {
            self.target_failed(&done.sync_id, index, "it did not say that it has it", false);
        }
        self.end_download(&done.sync_id);
        self.installed(id, there, done.revision.unwrap_or_default());
    }

    /// A target of protocol 1 shows by its manifest what it has installed.
    pub(super) fn check_old_targets(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id).filter(|peer| !peer.speaks_v2()) else { return };
        let Some(manifest) = &peer.manifest else { return };
        let mut complete = Vec::new();
        for sync_id in &peer.downloads {
            let Some(download) = self.downloads.get_mut(sync_id) else { continue };
            for file in &mut download.files {
                let there =
                    manifest.get(file.path.key()).is_some_and(|own| own.content == file.content);
                if there && file.state == State::Sent {
                    file.state = State::Installed;
                }
            }
            if download.is_complete() {
                complete.push(sync_id.clone());
            }
        }
        for sync_id in complete {
            self.end_download(&sync_id);
        }
    }

    /// A target reports an error about one of its downloads.
    pub(super) fn target_error(&mut self, id: PeerId, report: &ErrorReport) {
        let Some(download) = self.downloads.get(&report.sync_id).filter(|d| d.target == id) else {
            return;
        };
        match &report.rel_path {
            Some(path) => {
                if let Some(index) = download.find(path) {
                    let for_good = report.fault == Some(Fault::Declined);
                    self.target_failed(&report.sync_id, index, &report.message, for_good);
                    self.check_sent(&report.sync_id);
                }
            }
            None if speaks_v2(&self.peers, id) => {
                for index in 0..download.files.len() {
                    self.target_failed(&report.sync_id, index, &report.message, false);
                }
                self.end_download(&report.sync_id);
            }
            None => self.old_target_error(id, report),
        }
    }

    /// Takes note that a target did not take a file of a session.
    pub(super) fn target_failed(
        &mut self,
        sync_id: &SyncId,
        index: usize,
        message: &str,
        for_good: bool,
    ) {
        let now = self.now;
        let Some(download) = self.downloads.get_mut(sync_id) else { return };
        let (target, copies) = (download.target, download.copies);
        let Some(file) = download.files.get_mut(index) else { return };
        let state = std::mem::replace(&mut file.state, State::Failed);
        if matches!(state, State::Failed | State::Installed) {
            file.state = state;
            return;
        }
        let (path, content, transfer) = (file.path.clone(), file.content, file.transfer);
        if state == State::Offered && !copies {
            self.store.remove_reader(content);
            self.outputs.push_back(Output::StopDownload(target, transfer));
        }
        let Some(peer) = self.peers.get_mut(&target) else { return };
        peer.under_way.remove(path.key());
        // Once it is refused, people are told; once it failed, it is tried again.
        peer.deferred = true;
        let for_good = if for_good {
            peer.decline(path.key(), content.hash);
            true
        } else {
            peer.fail(path.key(), content.hash, now)
        };
        let (name, message) = (peer.name.clone(), message.to_owned());
        self.event(Event::TargetFault { name, path, message, for_good });
    }

    /// A target of protocol 1 reports an error without saying for which file; its text often does.
    fn old_target_error(&mut self, id: PeerId, report: &ErrorReport) {
        let Some(download) = self.downloads.get(&report.sync_id) else { return };
        let unsettled = download
            .files
            .iter()
            .enumerate()
            .filter(|(_, file)| matches!(file.state, State::Offered | State::Sent));
        let candidates: Vec<_> =
            unsettled.map(|(index, file)| (index, file.path.as_str())).collect();
        let named = candidates.iter().filter(|(_, path)| report.message.contains(path));
        // One name may be the beginning of another: the longest that fits is meant.
        let named = named.max_by_key(|(_, path)| path.len()).map(|(index, _)| *index);
        // Files that are known to be wrong are answered with a complaint too; that is no refusal.
        let already_known = download
            .files
            .iter()
            .any(|file| file.state == State::Failed && report.message.contains(file.path.as_str()));
        let only = (download.files.len() == 1).then_some(0);
        let mismatch = report.message.contains("ismatch");
        match named.or(only) {
            _ if already_known => return,
            Some(index) => self.target_failed(&report.sync_id, index, &report.message, !mismatch),
            None => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.one_by_one = true;
                }
            }
        }
        self.end_download(&report.sync_id);
    }

    /// Withdraws what a download has waited for too long because nobody sends it.
    pub(super) fn cancel_hopeless(&mut self) {
        let overdue = self.downloads.iter().filter(|(_, download)| download.deadline <= self.now);
        let hopeless = overdue.flat_map(|(sync_id, download)| {
            let files = download.files.iter().enumerate();
            let waiting = files.filter(|(_, file)| {
                file.state == State::Offered && self.store.can_begin(file.content)
            });
            waiting.map(move |(index, _)| (sync_id.clone(), index))
        });
        for (sync_id, index) in hopeless.collect::<Vec<_>>() {
            self.cancel_file(&sync_id, index, "nobody sends it at present");
            self.check_sent(&sync_id);
        }
    }

    /// Whether a download has waited too long. One whose contents are still on their way waits for them.
    pub(super) fn is_overdue(&self, download: &Download) -> bool {
        let waits = |file: &DownloadFile| {
            file.state == State::Offered && !self.store.is_stored(file.content)
        };
        let passed_at = self.peers.get(&download.target).map_or(Time::ZERO, |m| m.passed_at);
        let stalled = passed_at + self.config.stall_timeout <= self.now;
        download.deadline <= self.now
            && (download.is_sent() || stalled && !download.files.iter().any(waits))
    }

    /// A target that never said what became of its files has failed to take them.
    pub(super) fn time_out_target(&mut self, sync_id: &SyncId) {
        let Some(download) = self.downloads.get(sync_id) else { return };
        let target = download.target;
        let open: Vec<_> = (0..download.files.len())
            .filter(|index| matches!(download.files[*index].state, State::Sent | State::Offered))
            .collect();
        for index in open {
            self.target_failed(sync_id, index, "it did not say that it has it", false);
        }
        if speaks_v2(&self.peers, target) {
            self.report(target, sync_id, "no answer in time", None);
        } else if let Some(peer) = self.peers.get_mut(&target) {
            peer.one_by_one = true;
        }
        self.end_download(sync_id);
    }

    pub(super) fn end_download(&mut self, sync_id: &SyncId) {
        let Some(download) = self.downloads.remove(sync_id) else { return };
        let target = download.target;
        for file in download.files.iter().filter(|file| file.state == State::Offered) {
            self.store.remove_reader(file.content);
            self.outputs.push_back(Output::StopDownload(target, file.transfer));
        }
        if let Some(peer) = self.peers.get_mut(&target) {
            peer.downloads.remove(sync_id);
            for file in download.files.iter().filter(|file| file.state != State::Failed) {
                peer.under_way.remove(file.path.key());
            }
            for file in download.files.iter().filter(|file| file.state == State::Installed) {
                peer.clear_failures(file.path.key());
            }
            if peer.deferred && peer.jobs.as_ref().is_some_and(VecDeque::is_empty) {
                peer.jobs = None;
            }
        }
        let installed = download.count(State::Installed);
        self.event(Event::SessionEnded {
            sync_id: sync_id.clone(),
            source: None,
            target: self.name_of(target),
            installed,
            failed: download.files.len() - installed,
        });
        self.schedule_soon();
    }
}
