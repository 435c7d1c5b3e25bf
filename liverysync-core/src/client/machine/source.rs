//! This PC as a source: files leave as they were asked for.

use super::*;

impl ClientMachine {
    pub(super) fn send_files(&mut self, request: SendFiles) {
        let sync_id = &request.sync_id;
        let open = self.outbound.len() + self.uploads.len();
        let known = self.outbound.contains_key(sync_id) || self.uploads.contains_key(sync_id);
        if known || open >= SESSIONS_MAX {
            return self.cx.report(sync_id, "too many sessions at once", None);
        }
        if let Some(files) = request.files {
            return self.upload(request.sync_id, files);
        }
        let mut queue = VecDeque::new();
        let mut missing = Vec::new();
        for asked in request.paths {
            match self.resolve(&asked) {
                Some(file) => queue.push_back(file),
                None => missing.push(asked),
            }
        }
        for path in &missing {
            self.send_failed(&request.sync_id, path, "it is not here");
        }
        self.busy_at = self.cx.now.time;
        self.outbound.insert(request.sync_id.clone(), Outbound::new(queue, missing));
        self.pump(&request.sync_id);
    }

    /// Sends files to a server of ours.
    fn upload(&mut self, sync_id: SyncId, files: Vec<FileRequest>) {
        let mut upload = Upload::default();
        for asked in files {
            let name = asked.info.rel_path;
            let file = self.resolve(&name).filter(|file| {
                file.content.size == asked.info.size
                    && asked.info.sha256.parse() == Ok(file.content.hash)
            });
            let Some(file) = file else {
                self.cannot_send(&sync_id, name, Fault::Missing, "it is not here");
                continue;
            };
            let Resume { transfer, offset } = asked.resume;
            let (path, stamp) = (file.path.clone(), file.stamp);
            let from = offset.min(file.content.size);
            let compression = Compression::of(&path, stamp.size);
            let file_to_send = SendFile { transfer, path, stamp, from, compression };
            self.cx.push(Output::Send(file_to_send));
            upload.files.insert(transfer, file);
        }
        self.busy_at = self.cx.now.time;
        self.uploads.insert(sync_id.clone(), upload);
        self.check_upload(&sync_id);
    }

    pub(super) fn sending(&mut self, transfer: TransferId, progress: Progress) {
        let mut uploads = self.uploads.iter_mut();
        let Some((sync_id, upload)) = uploads.find(|(_, u)| u.files.contains_key(&transfer)) else {
            return;
        };
        let sync_id = sync_id.clone();
        match progress {
            Progress::Passed(bytes) => return self.cx.event(Event::Sent { sync_id, bytes }),
            Progress::Sent => {
                let Some(file) = upload.files.remove(&transfer) else { return };
                let (path, bytes) = (file.path, file.content.size);
                self.cx.event(Event::FileSent { sync_id: sync_id.clone(), path, bytes });
            }
            Progress::Failed(fault) => {
                let Some(file) = upload.files.remove(&transfer) else { return };
                let gone = matches!(fault.kind, DiskFaultKind::Changed | DiskFaultKind::Missing);
                let kind = if gone { Fault::Missing } else { Fault::Failed };
                self.cannot_send(&sync_id, file.asked, kind, &fault.message);
                self.folder.scan_by(self.cx.now.time);
            }
        }
        self.check_upload(&sync_id);
    }

    fn cannot_send(&mut self, sync_id: &SyncId, path: String, fault: Fault, reason: &str) {
        self.send_failed(sync_id, &path, reason);
        self.cx.report(sync_id, reason, Some((path, fault)));
    }

    fn send_failed(&mut self, sync_id: &SyncId, path: &str, reason: &str) {
        let (sync_id, path, reason) = (sync_id.clone(), path.to_owned(), reason.to_owned());
        self.cx.event(Event::SendFailed { sync_id, path, reason });
    }

    /// Ends an upload once all of it has left or failed.
    fn check_upload(&mut self, sync_id: &SyncId) {
        if self.uploads.get(sync_id).is_some_and(|upload| upload.files.is_empty()) {
            self.uploads.remove(sync_id);
            self.busy_at = self.cx.now.time;
            self.cx.event(Event::SessionEnded { sync_id: sync_id.clone() });
        }
    }

    /// Ends an upload that the server does not want any more.
    pub(super) fn stop_upload(&mut self, sync_id: &SyncId) {
        let Some(upload) = self.uploads.remove(sync_id) else { return };
        let stops = upload.files.into_keys().map(Output::StopSending);
        stops.for_each(|stop| self.cx.push(stop));
        self.cx.event(Event::SessionEnded { sync_id: sync_id.clone() });
    }

    /// Finds what a server asks for. One of protocol 1 asks for a rival by the name in the union,
    /// which this PC need not have yet.
    pub(super) fn resolve(&self, asked: &str) -> Option<OutFile> {
        let path = RelPath::parse(asked, &self.cx.config.rules.extensions).ok()?;
        let known = self.folder.get(path.key()).or_else(|| {
            let naming = &self.cx.config.naming;
            let (plain, digits) = parse_conflict_name(&path, naming)?;
            // It may have a conflict name here too: the first server names rivals again.
            self.folder.files().iter().find(|known| {
                let own = parse_conflict_name(&known.path, naming);
                let own = own.as_ref().map_or(&known.path, |(plain, _)| plain);
                known.content.hash.short() == digits && own.key() == plain.key()
            })
        })?;
        Some(OutFile {
            asked: asked.to_owned(),
            path: known.path.clone(),
            stamp: known.stamp,
            content: known.content,
        })
    }

    /// Goes on with every session in which this PC is the source, those after `last` first, so that
    /// each has its turn.
    pub(super) fn pump_all(&mut self, last: &SyncId) {
        let (before, after): (Vec<_>, Vec<_>) =
            self.outbound.keys().cloned().partition(|sync_id| sync_id <= last);
        for sync_id in after.into_iter().chain(before) {
            self.pump(&sync_id);
        }
    }

    /// Goes on with a session in which this PC is the source, as far as link and disk allow.
    pub(super) fn pump(&mut self, sync_id: &SyncId) {
        while let Some(outbound) = self.outbound.get_mut(sync_id) {
            let room = self.reading + self.writing < PIECES_MAX;
            match outbound.poll(room) {
                Next::Begin(file) => self.cx.transmit(Message::FileBegin(FileBegin {
                    sync_id: sync_id.clone(),
                    info: FileInfo::new(&file.asked, file.content, Some(file.stamp.mtime), false),
                })),
                Next::Read(file, piece) => {
                    let (path, stamp) = (file.path.clone(), file.stamp);
                    let purpose = Purpose::Read(sync_id.clone(), file, piece.offset);
                    self.reading += 1;
                    self.cx.request(DiskRequest::Read { path, piece, stamp }, purpose);
                }
                Next::End(file) => {
                    let (path, bytes) = (file.path, file.content.size);
                    let end = FileEnd { sync_id: sync_id.clone(), rel_path: file.asked };
                    self.cx.transmit(Message::FileEnd(end));
                    self.cx.event(Event::FileSent { sync_id: sync_id.clone(), path, bytes });
                }
                Next::Wait => return,
                Next::Over => self.end_outbound(sync_id),
            }
        }
    }

    pub(super) fn end_outbound(&mut self, sync_id: &SyncId) {
        let Some(outbound) = self.outbound.remove(sync_id) else { return };
        self.busy_at = self.cx.now.time;
        if let Some(path) = outbound.missing.first() {
            // A server of protocol 1 would wait for ever, and offer the same file again.
            self.cx.report(sync_id, &format!("not here: {path}"), None);
            self.publish();
        }
        self.cx.event(Event::SessionEnded { sync_id: sync_id.clone() });
    }

    pub(super) fn handle_read(
        &mut self,
        sync_id: SyncId,
        file: OutFile,
        offset: u64,
        outcome: Result<bytes::Bytes, DiskFault>,
    ) {
        let Some(outbound) = self.outbound.get_mut(&sync_id) else { return };
        if outbound.current().is_none_or(|current| current.asked != file.asked) {
            return;
        }
        match outcome {
            Ok(data) => {
                let bytes = data.len() as u64;
                self.cx.event(Event::Sent { sync_id: sync_id.clone(), bytes });
                self.writing += 1;
                self.cx.transmit(Message::FileChunk(FileChunk {
                    sync_id,
                    rel_path: file.asked,
                    offset,
                    data,
                }));
            }
            Err(fault) => {
                outbound.skip_current();
                // A target of protocol 1 drops a broken file only when it is told its end.
                let end = FileEnd { sync_id: sync_id.clone(), rel_path: file.asked.clone() };
                outbound.missing.push(file.asked.clone());
                self.send_failed(&sync_id, &file.asked, &fault.message);
                self.cx.transmit(Message::FileEnd(end));
                self.folder.scan_by(self.cx.now.time);
                self.pump(&sync_id);
            }
        }
    }
}
