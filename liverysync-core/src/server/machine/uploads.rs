//! Uploads from their request to their end, whatever the source does on the way.

use super::*;

impl ServerMachine {
    /// Asks a source for files, of which the contents are not in the store.
    pub(super) fn open_upload(&mut self, source: PeerId, keys: &[PathKey]) {
        let Some(peer) = self.peers.get_mut(&source) else { return };
        let ours = peer.speaks_v2();
        let (mut files, mut asked, mut requested, mut anew) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            let Some(entry) = self.union.get(key) else { continue };
            let content = entry.content;
            if !self.store.can_begin(content) {
                continue;
            }
            let mut places = self.union.places(source, content);
            let path = places.find(|path| peer.may_serve(path.key(), content.hash, self.now));
            let Some(path) = path.cloned() else { continue };
            let (name, transfer) = (path.as_str().to_owned(), peer.new_transfer());
            let part = self.store.partial_bytes(content);
            let from = if ours { part } else { 0 };
            let other = self.store.content(content.hash).filter(|other| *other != content);
            // A source of protocol 1 begins anew, and so does who has got the part.
            anew.extend((part > from).then_some(content).or(other));
            self.store.begin(content);
            requested.push(FileRequest {
                info: FileInfo::new(&name, content, None, false),
                resume: Resume { transfer, offset: from },
            });
            asked.push(RequestedFile { name, content, transfer, from });
            files.push(UploadFile { path, content, asked: true, resumed: from > 0 });
        }
        if files.is_empty() {
            return;
        }
        let sync_id = SyncId::new(&self.rng.uuid()).unwrap_or_default();
        peer.uploads.insert(sync_id.clone());
        let name = peer.name.clone();
        for content in anew {
            self.cancel_content(content, "it comes anew from another source");
        }
        let paths = asked.iter().map(|file| file.name.clone()).collect();
        let stream = UploadStream::new(asked, self.now);
        self.tell_source(&sync_id, source);
        self.outputs.push_back(Output::OpenUpload { source, sync_id: sync_id.clone(), stream });
        let (paths, requested) = if ours { (Vec::new(), Some(requested)) } else { (paths, None) };
        let request = SendFiles { sync_id: sync_id.clone(), paths, files: requested };
        self.outputs.push_back(Output::to(source, Message::SendFiles(request)));
        self.event(Event::SessionBegan {
            sync_id: sync_id.clone(),
            source: Some(name),
            target: None,
            files: files.len(),
            bytes: files.iter().map(|file| file.content.size).sum(),
        });
        let contents = files.iter().map(|file| file.content).collect();
        let upload = Upload {
            source,
            files,
            deadline: self.now + self.config.first_file_timeout,
            began_at: self.now,
            bytes_passed: 0,
        };
        self.uploads.insert(sync_id, upload);
        self.offer_to_all(&contents);
    }

    fn tell_source(&mut self, sync_id: &SyncId, source: PeerId) {
        let current_hash =
            self.current_union_hash().map(|hash| hash.to_string()).unwrap_or_default();
        let Some(peer) = self.peers.get(&source) else { return };
        let offer = SyncOffer {
            sync_id: sync_id.clone(),
            role: Role::Source,
            current_hash,
            source_client_id: peer.client_id.clone(),
            target_client_id: self.store_id.clone(),
            files: None,
            whole_liveries: false,
        };
        self.outputs.push_back(Output::to(source, Message::SyncOffer(offer)));
    }

    pub(super) fn upload_progressed(
        &mut self,
        source: PeerId,
        sync_id: &SyncId,
        event: UploadEvent,
    ) {
        let now = self.now;
        if let Some(peer) = self.peers.get_mut(&source) {
            peer.heard_at = now;
            if let Some((draining, until)) = &mut peer.draining
                && draining == sync_id
            {
                *until = now + self.config.stall_timeout;
            }
        }
        if event == UploadEvent::Drained {
            return self.drained(source, sync_id);
        }
        let stall_timeout = self.config.stall_timeout;
        let Some(upload) = self.uploads.get_mut(sync_id).filter(|upload| upload.source == source)
        else {
            return;
        };
        upload.deadline = now + stall_timeout;
        match event {
            UploadEvent::Drained => {}
            UploadEvent::Passed(bytes) => {
                upload.bytes_passed += bytes;
                let millis =
                    u64::try_from(now.since(upload.began_at).as_millis()).unwrap_or(u64::MAX);
                let rate = upload.bytes_passed.saturating_mul(1000) / millis.max(1);
                if let Some(peer) = self.peers.get_mut(&source) {
                    peer.rate = peer.rate.max(rate);
                }
            }
            UploadEvent::Stored(index) => {
                let file = upload.files.get_mut(index).filter(|file| file.asked);
                if let Some(file) = file {
                    file.asked = false;
                    let content = file.content;
                    self.keep(content);
                }
            }
            UploadEvent::Faulted(index, fault) => {
                let Some(file) = upload.files.get_mut(index).filter(|file| file.asked) else {
                    return;
                };
                if file.resumed {
                    // The wrong bytes may be those that were here before: nobody is to blame.
                    file.asked = false;
                    let content = file.content;
                    self.discard(content, "it comes anew from its beginning");
                } else if let Some(content) = self.source_failed(sync_id, index, fault) {
                    self.discard(content, "its source did not send it right");
                }
            }
            UploadEvent::Unkept(index, reason) => {
                let file = upload.files.get_mut(index).filter(|file| file.asked);
                if let Some(file) = file {
                    file.asked = false;
                    let content = file.content;
                    self.event(Event::StoreFault { content: content.hash, reason });
                    self.store_paused_until = now + STORE_PAUSE;
                    self.spoiled(content);
                }
            }
            UploadEvent::Unasked(path) => {
                let name = self.name_of(source).unwrap_or_default();
                self.event(Event::SourceFault { name, path, fault: SourceFault::OtherContent });
            }
        }
        self.check_upload(sync_id);
    }

    /// What has come of a content is of no use.
    fn discard(&mut self, content: Content, reason: &str) {
        self.outputs.push_back(Output::Forget(content.hash));
        self.forget(content);
        self.cancel_content(content, reason);
    }

    /// All of a content is in the store.
    pub(super) fn keep(&mut self, content: Content) {
        self.store.mark_stored(content);
        self.kept.insert(content);
        self.merge_soon();
        self.sync_status_soon();
    }

    pub(super) fn drained(&mut self, source: PeerId, sync_id: &SyncId) {
        self.outputs.push_back(Output::CloseUpload(source, sync_id.clone()));
        let Some(peer) = self.peers.get_mut(&source) else { return };
        if peer.draining.as_ref().is_some_and(|(id, _)| id == sync_id) {
            peer.draining = None;
            self.schedule_soon();
        }
    }

    /// Takes note that a source will not deliver a file of a session, and returns its content.
    fn source_failed(
        &mut self,
        sync_id: &SyncId,
        index: usize,
        fault: SourceFault,
    ) -> Option<Content> {
        let upload = self.uploads.get_mut(sync_id)?;
        let source = upload.source;
        let file = upload.files.get_mut(index).filter(|file| file.asked)?;
        file.asked = false;
        let (path, content) = (file.path.clone(), file.content);
        if let Some(peer) = self.peers.get_mut(&source) {
            let for_now = (fault == SourceFault::Unreadable).then_some(self.now);
            peer.mark_unservable(path.key().clone(), content.hash, for_now);
            let name = peer.name.clone();
            self.event(Event::SourceFault { name, path: path.as_str().to_owned(), fault });
        }
        self.plan = None;
        Some(content)
    }

    /// A source reports an error about one of its uploads.
    pub(super) fn source_error(&mut self, id: PeerId, report: &ErrorReport) {
        let Some(upload) = self.uploads.get(&report.sync_id).filter(|u| u.source == id) else {
            return;
        };
        let Some(path) = &report.rel_path else { return self.time_out_source(&report.sync_id) };
        let path = crate::path::fold(path);
        let index =
            upload.files.iter().position(|file| file.asked && file.path.key().as_str() == path);
        let Some(index) = index else { return };
        let fault = if report.fault == Some(Fault::Failed) {
            SourceFault::Unreadable
        } else {
            SourceFault::OtherContent
        };
        if let Some(content) = self.source_failed(&report.sync_id, index, fault) {
            self.discard(content, "its source cannot send it");
        }
        self.check_upload(&report.sync_id);
    }

    pub(super) fn time_out_source(&mut self, sync_id: &SyncId) {
        let Some(upload) = self.uploads.get(sync_id) else { return };
        let source = upload.source;
        let owed: Vec<_> =
            (0..upload.files.len()).filter(|index| upload.files[*index].asked).collect();
        if let (Some(name), false) = (self.name_of(source), owed.is_empty()) {
            self.event(Event::SourceSilent { name, files: owed.len() });
        }
        let mut left = Vec::new();
        for index in owed {
            left.extend(self.source_failed(sync_id, index, SourceFault::Skipped));
        }
        self.end_upload(sync_id, left);
    }

    /// Ends an upload of which nothing more is owed.
    fn check_upload(&mut self, sync_id: &SyncId) {
        if self.uploads.get(sync_id).is_some_and(Upload::is_over) {
            self.end_upload(sync_id, Vec::new());
        }
    }

    /// Ends an upload. What has come of the contents that are `left` may be gone on with.
    pub(super) fn end_upload(&mut self, sync_id: &SyncId, left: Vec<Content>) {
        let Some(upload) = self.uploads.remove(sync_id) else { return };
        let source = upload.source;
        let ours = speaks_v2(&self.peers, source);
        if !left.is_empty() {
            let abandon = Output::AbandonUpload { source, sync_id: sync_id.clone() };
            self.outputs.push_back(abandon);
            self.report(source, sync_id, "this session is over", None);
            left.iter().for_each(|content| self.store.close(content.hash));
        }
        if ours || left.is_empty() {
            self.outputs.push_back(Output::CloseUpload(source, sync_id.clone()));
        }
        let until = self.now + self.config.stall_timeout;
        if let Some(peer) = self.peers.get_mut(&source) {
            peer.uploads.remove(sync_id);
            if !ours && !left.is_empty() {
                peer.draining = Some((sync_id.clone(), until));
            }
        }
        let ack = SyncDoneAck { sync_id: sync_id.clone(), ..SyncDoneAck::default() };
        self.outputs.push_back(Output::to(source, Message::SyncDoneAck(ack)));
        let name = self.name_of(source);
        self.session_ended(sync_id, name.as_deref(), &upload);
        self.schedule_soon();
    }

    pub(super) fn session_ended(
        &mut self,
        sync_id: &SyncId,
        source: Option<&str>,
        upload: &Upload,
    ) {
        let received = upload.files.iter().filter(|file| self.store.is_stored(file.content));
        let installed = received.count();
        self.event(Event::SessionEnded {
            sync_id: sync_id.clone(),
            source: source.map(str::to_owned),
            target: None,
            installed,
            failed: upload.files.len() - installed,
        });
    }

    /// So many bytes came of a content whose upload ended early.
    pub(super) fn partial(&mut self, hash: ContentHash, bytes: u64) {
        if !self.store.closed(hash, bytes) {
            return;
        }
        self.plan = None;
        let content = self.store.content(hash);
        let is_wanted = |content| self.union.with_content(content).next().is_some();
        let given_up = |content: &Content| !is_wanted(*content) || !self.is_held(*content);
        if let Some(content) = content.filter(given_up) {
            self.cancel_content(content, "nobody who has it is there any more");
        }
        self.make_room();
        self.schedule_soon();
    }

    /// Whether somebody could send a content.
    fn is_held(&self, content: Content) -> bool {
        self.willing(content).next().is_some()
    }

    /// Takes a content off the shelf, and out of what the union has without anybody else.
    pub(super) fn forget(&mut self, content: Content) {
        if self.store.is_stored(content) || self.kept.contains(&content) {
            self.kept.remove(&content);
            self.lost_content.insert(content);
            self.merge_soon();
        }
        self.store.remove(content.hash);
        self.plan = None;
    }

    /// Removes from the store what is kept there for nobody and beyond what may be kept.
    pub(super) fn make_room(&mut self) {
        self.shrink_to(self.config.store_bytes_max);
    }

    fn shrink_to(&mut self, bytes: u64) {
        if self.store.bytes() > bytes {
            let needed = |content| self.is_lacked(content);
            let surplus = self.store.surplus(bytes, |content| self.is_current(content), needed);
            self.remove_contents(surplus);
        }
    }

    /// Whether some name has a content now, so that it is not only a past one.
    fn is_current(&self, content: Content) -> bool {
        self.union.with_content(content).next().is_some()
    }

    /// Whether a client that lacks a content could get it.
    fn is_lacked(&self, content: Content) -> bool {
        self.union.with_content(content).any(|entry| {
            let key = entry.path.key();
            self.peers.iter().any(|(id, peer)| {
                peer.lacking.contains(key) && self.withheld(*id, peer, entry).is_none()
            })
        })
    }

    fn remove_contents(&mut self, contents: Vec<Content>) {
        for content in contents {
            self.outputs.push_back(Output::Forget(content.hash));
            self.forget(content);
        }
    }

    /// Whether the store with so many bytes more is within its bounds.
    pub(super) const fn is_within(&self, bytes: u64) -> bool {
        let (keep, spool) = (self.config.store_bytes_max, self.config.spool_bytes_max);
        let most = if keep > spool { keep } else { spool };
        self.store.bytes().saturating_add(bytes) <= most
    }

    /// Sees to it that there is room in the store for so many bytes more, as far as that is possible
    /// without taking from those who wait. Returns whether there is.
    pub(super) fn find_room(&mut self, bytes: u64) -> bool {
        let most = self.config.store_bytes_max.max(self.config.spool_bytes_max);
        let rest = most.saturating_sub(bytes);
        self.shrink_to(rest);
        if !self.is_within(bytes) && self.store.is_idle() {
            // Nothing moves: what is there waits for those who cannot take it now.
            let surplus = self.store.surplus(rest, |content| self.is_current(content), |_| false);
            self.remove_contents(surplus);
        }
        self.store.bytes() == 0 || self.is_within(bytes)
    }
}
