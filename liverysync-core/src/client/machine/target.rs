//! This PC as a target: what is offered is judged, received, staged and installed.

use super::*;

impl ClientMachine {
    pub(super) fn offer(&mut self, offer: SyncOffer) {
        self.busy_at = self.cx.now.time;
        let sync_id = offer.sync_id;
        let files = offer.files.as_ref();
        let bytes = files.map(|files| files.iter().map(|file| file.info.size).sum());
        let files = files.map(Vec::len);
        let role = offer.role;
        if role == Role::Target
            && (self.inbound.contains_key(&sync_id) || self.inbound.len() >= SESSIONS_MAX)
        {
            return self.cx.report(&sync_id, "too many sessions at once", None);
        }
        self.cx.event(Event::SessionBegan { sync_id: sync_id.clone(), role, files, bytes });
        if role == Role::Source {
            return;
        }
        let listed = offer.files.is_some();
        let inbound = Inbound::new(listed, self.cx.now.time);
        let inbound = Inbound { whole_liveries: offer.whole_liveries, ..inbound };
        self.inbound.insert(sync_id.clone(), inbound);
        let mut offered_files = offer.files.unwrap_or_default();
        self.copy_what_is_here(&mut offered_files);
        for offered in offered_files {
            self.take_offered(&sync_id, offered);
        }
        if listed {
            self.accept(&sync_id);
        }
        self.check_inbound(&sync_id, false);
    }

    /// Makes copies of the offered files that the server would send although this PC has their contents. It hears what
    /// a session has installed only when all of the session is done, and one file of it may take long.
    fn copy_what_is_here(&self, files: &mut [OfferedFile]) {
        let sent = |file: &OfferedFile| {
            let is_sent = file.transfer.is_some() && file.copy_from.is_none();
            let hash = file.info.sha256.parse().ok().filter(|_| is_sent)?;
            Some(Content { hash, size: file.info.size })
        };
        let contents: BTreeSet<Content> = files.iter().filter_map(sent).collect();
        let here = self.folder.files().iter().filter(|known| contents.contains(&known.content));
        let here: BTreeMap<_, _> = here.map(|known| (known.content, &known.path)).collect();
        for file in files {
            if let Some(path) = sent(file).and_then(|content| here.get(&content)) {
                file.copy_from = Some(path.as_str().to_owned());
            }
        }
    }

    /// Says what of an offer is to be sent, and from where on.
    fn accept(&mut self, sync_id: &SyncId) {
        let Some(session) = self.inbound.get(sync_id) else { return };
        let arriving = session.files.iter().filter_map(|file| match file.state {
            State::Arriving(_, Arriving { transfer, told }) => {
                Some((Resume { transfer, offset: told }, file.path.clone(), file.content.size))
            }
            _ => None,
        });
        let (mut files, mut events) = (Vec::new(), Vec::new());
        for (resume, path, bytes) in arriving {
            files.push(resume);
            events.push(Event::Receiving { sync_id: sync_id.clone(), path, bytes });
        }
        self.cx.transmit(Message::Accept(Accept { sync_id: sync_id.clone(), files }));
        events.into_iter().for_each(|event| self.cx.event(event));
    }

    /// Makes ready for a file that a server of ours will send.
    fn expect(&mut self, sync_id: &SyncId, content: Content, transfer: TransferId) -> State {
        let (stage, told) = match self.parked.remove(&content) {
            Some(Parked { stage, whole: true, .. }) => return State::Staged(stage),
            Some(Parked { stage, bytes, .. }) => (stage, bytes),
            None => (self.cx.new_stage(), 0),
        };
        let request = DiskRequest::Receive { stage, content, transfer };
        self.cx.request(request, Purpose::Receive(sync_id.clone(), stage));
        State::Arriving(stage, Arriving { transfer, told })
    }

    /// Bytes have come of a file.
    pub(super) fn arrived(&mut self, transfer: TransferId, bytes: u64) {
        for (sync_id, session) in &mut self.inbound {
            let arriving = session.files.iter_mut().find_map(|file| match &mut file.state {
                State::Arriving(_, arriving) if arriving.transfer == transfer => {
                    Some((file.content.size, arriving))
                }
                _ => None,
            });
            if let Some((size, arriving)) = arriving {
                let bytes = bytes.min(size - arriving.told);
                arriving.told += bytes;
                let sync_id = sync_id.clone();
                return self.cx.event(Event::Received { sync_id, bytes });
            }
        }
    }

    /// All of a file has come, and it is right.
    pub(super) fn received(&mut self, sync_id: &SyncId, stage: StageId) {
        let Some(session) = self.inbound.get(sync_id) else { return };
        let Some(index) = session.by_stage(stage) else { return };
        let file = &session.files[index];
        if let State::Arriving(_, Arriving { told, .. }) = file.state {
            let bytes = file.content.size - told;
            self.cx.event(Event::Received { sync_id: sync_id.clone(), bytes });
            self.staged(sync_id, stage, None);
        }
    }

    /// So many bytes have been kept of a file whose link broke.
    pub(super) fn parked(&mut self, content: Content, stage: StageId, bytes: u64) {
        self.park(content, Parked { stage, bytes, whole: false });
    }

    /// Keeps what has come of a file, unless that is nothing or too much is kept already.
    fn park(&mut self, content: Content, parked: Parked) {
        let useless = parked.bytes == 0 && !parked.whole || self.parked.len() >= PARKED_MAX;
        if useless || self.parked.contains_key(&content) {
            self.discard(Some(parked.stage));
        } else {
            self.parked.insert(content, parked);
        }
    }

    /// Keeps nothing more of files that have not been put in place.
    pub(super) fn discard_parked(&mut self) {
        for parked in std::mem::take(&mut self.parked).into_values() {
            self.discard(Some(parked.stage));
        }
    }

    pub(super) fn take_offered(&mut self, sync_id: &SyncId, offered: OfferedFile) {
        let name = offered.info.rel_path.clone();
        if self.cx.config.ignored.covers(&name) {
            return self.decline_ignored(sync_id, name);
        }
        let (path, content, mtime) = match self.judge(&offered.info) {
            Ok(judged) => judged,
            Err((fault, reason)) => return self.refuse(sync_id, name, fault, &reason),
        };
        let has_it = self.folder.get(path.key()).is_some_and(|known| known.content == content);
        let copied = offered.copy_from.is_some();
        let mut state = match offered.transfer {
            _ if has_it => State::Installed,
            Some(transfer) if !copied => self.expect(sync_id, content, transfer),
            _ => State::Waiting,
        };
        let replaces = offered.replaces.and_then(|hash| hash.parse().ok());
        if let (Some(from), false) = (offered.copy_from, has_it) {
            let from = RelPath::parse(&from, &self.cx.config.rules.extensions).ok();
            // The server may not know how this PC spells it.
            let from = from.and_then(|from| Some(self.folder.get(from.key())?.path.clone()));
            let Some(from) = from else {
                return self.refuse(sync_id, name, Fault::Failed, "the file to copy is not here");
            };
            let stage = self.cx.new_stage();
            self.cx.request(DiskRequest::Copy(stage, from), Purpose::Copy(sync_id.clone(), stage));
            state = State::Sealing(stage);
        }
        if let Some(session) = self.inbound.get_mut(sync_id) {
            let offered = name;
            session.files.push(InFile { offered, path, content, mtime, copied, replaces, state });
        }
    }

    /// Whether an offered file may be installed here, and where.
    pub(super) fn judge(
        &self,
        info: &FileInfo,
    ) -> Result<(RelPath, Content, Option<UnixTime>), (Fault, String)> {
        let rules = &self.cx.config.rules;
        let declined = |reason: String| (Fault::Declined, reason);
        let path = RelPath::parse(&info.rel_path, &rules.extensions)
            .map_err(|invalid| declined(invalid.to_string()))?;
        let hash = info
            .sha256
            .parse()
            .map_err(|invalid: crate::hash::InvalidHash| declined(invalid.to_string()))?;
        if info.size > rules.file_bytes_max {
            return Err(declined(format!("larger than {} bytes", rules.file_bytes_max)));
        }
        if let Some(picture) = cached_picture(&path, &rules.extensions)
            && !rules.derived_dds
            && self.folder.is_taken(picture.key())
        {
            return Err(declined(format!("the game's own cache of {picture}")));
        }
        let path = match self.folder.get(path.key()) {
            Some(known) => known.path.clone(),
            None => {
                let spelling = match self.folder.spelling(path.key()) {
                    Some(there) => there.to_owned(),
                    None => self.folder.files().respell(&path),
                };
                let path = RelPath::parse(&spelling, &rules.extensions)
                    .map_err(|invalid| declined(invalid.to_string()))?;
                self.folder.files().check(&path).map_err(|in_the_way| {
                    (Fault::Failed, format!("it cannot lie beside what is here: {in_the_way}"))
                })?;
                path
            }
        };
        let mtime = info.modified();
        Ok((path, Content { hash, size: info.size }, mtime))
    }

    pub(super) fn refuse(&mut self, sync_id: &SyncId, path: String, fault: Fault, reason: &str) {
        let declined = fault == Fault::Declined;
        if self.cx.speaks_v2() || self.complained.insert(path.clone()) {
            self.cx.report(sync_id, reason, Some((path.clone(), fault)));
        }
        if let Some(session) = self.inbound.get_mut(sync_id) {
            session.refused = true;
        }
        let (sync_id, reason) = (sync_id.clone(), reason.to_owned());
        self.cx.event(Event::ReceiveFailed { sync_id, path, reason, declined });
    }

    pub(super) fn file_begin(&mut self, begin: &FileBegin) {
        let now = self.cx.now.time;
        let Some(session) = self.inbound.get_mut(&begin.sync_id).filter(|session| !session.over)
        else {
            return;
        };
        session.active_at = now;
        if !session.listed {
            self.check_inbound(&begin.sync_id, true);
            let offered = OfferedFile { info: begin.info.clone(), ..OfferedFile::default() };
            self.take_offered(&begin.sync_id, offered);
        }
        let Some(session) = self.inbound.get_mut(&begin.sync_id) else { return };
        let Some(index) = session.find(&begin.info.rel_path) else { return };
        let file = &session.files[index];
        if !matches!(file.state, State::Waiting) {
            return;
        }
        let (path, content) = (file.path.clone(), file.content);
        let announced = begin.info.sha256.parse();
        if announced != Ok(content.hash) || begin.info.size != content.size {
            return self.fail_at(
                &begin.sync_id,
                index,
                Fault::Failed,
                "it is not what was offered",
            );
        }
        let stage = self.cx.new_stage();
        let receiver = Box::new(Receiver::new(content));
        if let Some(session) = self.inbound.get_mut(&begin.sync_id) {
            session.files[index].state = State::Receiving(stage, receiver);
        }
        let purpose = Purpose::Stage(begin.sync_id.clone(), stage);
        self.cx.request(DiskRequest::Create(stage, content.size), purpose);
        let (sync_id, bytes) = (begin.sync_id.clone(), content.size);
        self.cx.event(Event::Receiving { sync_id, path, bytes });
    }

    pub(super) fn file_chunk(&mut self, chunk: FileChunk) {
        let now = self.cx.now.time;
        let Some(session) = self.inbound.get_mut(&chunk.sync_id) else { return };
        session.active_at = now;
        let Some(index) = session.find(&chunk.rel_path) else { return };
        let State::Receiving(stage, receiver) = &mut session.files[index].state else { return };
        let stage = *stage;
        if let Err(fault) = receiver.accept(chunk.offset, &chunk.data) {
            return self.fail_at(&chunk.sync_id, index, Fault::Failed, &fault.to_string());
        }
        let bytes = chunk.data.len() as u64;
        let purpose = Purpose::Stage(chunk.sync_id.clone(), stage);
        self.cx.request(DiskRequest::Write(stage, chunk.offset, chunk.data), purpose);
        self.cx.event(Event::Received { sync_id: chunk.sync_id, bytes });
    }

    pub(super) fn file_end(&mut self, end: &FileEnd) {
        let now = self.cx.now.time;
        let Some(session) = self.inbound.get_mut(&end.sync_id) else { return };
        session.active_at = now;
        let Some(index) = session.find(&end.rel_path) else { return };
        let file = &mut session.files[index];
        let state = std::mem::replace(&mut file.state, State::Failed);
        let State::Receiving(stage, receiver) = state else {
            file.state = state;
            return;
        };
        file.state = State::Sealing(stage);
        match receiver.finish() {
            Ok(_) => {
                let purpose = Purpose::Seal(end.sync_id.clone(), stage);
                self.cx.request(DiskRequest::Seal(stage), purpose);
            }
            Err(fault) => self.fail_at(&end.sync_id, index, Fault::Failed, &fault.to_string()),
        }
    }

    /// The server says that a file of a session will not come.
    pub(super) fn fail_offered(&mut self, sync_id: &SyncId, offered: &str, reason: &str) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let Some(index) = session.find(offered) else { return };
        let file = &mut session.files[index];
        if !matches!(file.state, State::Waiting | State::Receiving(..) | State::Arriving(..)) {
            return;
        }
        let stage = file.stage();
        file.state = State::Failed;
        self.discard(stage);
        let (sync_id_, path, reason) = (sync_id.clone(), offered.to_owned(), reason.to_owned());
        self.cx.event(Event::ReceiveFailed { sync_id: sync_id_, path, reason, declined: false });
        self.check_inbound(sync_id, false);
    }

    /// Gives up a file of a session and tells the server.
    pub(super) fn fail_at(&mut self, sync_id: &SyncId, index: usize, fault: Fault, reason: &str) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let file = &mut session.files[index];
        let (stage, offered) = (file.stage(), file.offered.clone());
        file.state = State::Failed;
        self.discard(stage);
        self.refuse(sync_id, offered, fault, reason);
        self.check_inbound(sync_id, false);
    }

    pub(super) fn discard(&mut self, stage: Option<StageId>) {
        if let Some(stage) = stage {
            self.cx.request(DiskRequest::Discard(stage), Purpose::Discard);
        }
    }

    /// Ends a session for which nothing more will come. What is being put in place still is, and what
    /// came of files from a server of ours is kept.
    pub(super) fn abort_inbound(&mut self, sync_id: &SyncId) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        session.over = true;
        let (mut stages, mut parking, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        for file in &mut session.files {
            match file.state {
                State::Installing(_) | State::Installed => continue,
                State::Arriving(stage, _) => parking.push((stage, file.content)),
                State::Staged(stage) if session.listed && !file.copied => {
                    whole.push((stage, file.content));
                }
                _ => stages.push(file.stage()),
            }
            file.state = State::Failed;
        }
        for (stage, content) in whole {
            self.park(content, Parked { stage, bytes: content.size, whole: true });
        }
        for (stage, content) in parking {
            self.cx.request(DiskRequest::Park(stage), Purpose::Park(content, stage));
        }
        for stage in stages {
            self.discard(stage);
        }
        self.check_inbound(sync_id, false);
    }

    /// Installs what is complete, and ends the session if that was all.
    pub(super) fn check_inbound(&mut self, sync_id: &SyncId, quiet: bool) {
        let Some(session) = self.inbound.get(sync_id) else { return };
        for group in session.ready(quiet) {
            self.install(sync_id, &group);
        }
        self.end_settled(sync_id);
    }

    /// Ends a session once nothing of it is under way.
    pub(super) fn end_settled(&mut self, sync_id: &SyncId) {
        let Some(session) = self.inbound.get(sync_id) else { return };
        let ends_by_itself = session.listed || session.over;
        if ends_by_itself && session.is_settled() {
            self.end_inbound(sync_id);
        }
    }

    pub(super) fn install(&mut self, sync_id: &SyncId, group: &[usize]) {
        // What lies there may be newer than the server's offer, so even a server that sees to it that
        // rivals get their names first may not know of it.
        let replaced =
            if self.replaces_any(sync_id, group) { self.unsettled_keys() } else { BTreeSet::new() };
        let Some(session) = self.inbound.get(sync_id) else { return };
        // Only a server of ours sees to it that what one file replaces comes with another.
        let brought: Vec<_> = if session.listed {
            group.iter().map(|index| session.files[*index].content).collect()
        } else {
            Vec::new()
        };
        let keep_as = |file: &InFile| {
            let own = self.folder.get(file.path.key()).map(|own| own.content.hash);
            let is_known = own.is_some() && own == file.replaces;
            let rival =
                || rival_name(&self.folder, &file.path, &self.cx.config, &replaced, &brought);
            if is_known { None } else { rival() }
        };
        let names: Vec<_> = group.iter().map(|index| keep_as(&session.files[*index])).collect();
        if session.whole_liveries && names.iter().any(Option::is_some) {
            return self.hold_back(sync_id, group);
        }
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let (mut files, mut stages, mut kept, mut paths) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, keep_as) in group.iter().zip(names) {
            let file = &mut session.files[*index];
            let State::Staged(stage) = file.state else { continue };
            file.state = State::Installing(stage);
            files.push(InstallFile {
                stage,
                path: file.path.clone(),
                mtime: file.mtime,
                replaces: self.folder.replaceable(&file.path),
                keep_as: keep_as.clone(),
            });
            stages.push(stage);
            kept.push(keep_as);
            paths.push(file.path.clone());
        }
        let clear = if self.cx.config.rules.derived_dds {
            Vec::new()
        } else {
            self.folder.stale_beside(&paths).into_iter().map(Into::into).collect()
        };
        let plan = InstallPlan { date: self.cx.now.date, files, clear };
        let purpose = Purpose::Install(sync_id.clone(), stages, kept);
        self.cx.request(DiskRequest::Install(plan), purpose);
    }

    /// Leaves what is here in place until the server knows of it, and keeps what has come.
    fn hold_back(&mut self, sync_id: &SyncId, group: &[usize]) {
        for index in group {
            let Some(session) = self.inbound.get_mut(sync_id) else { return };
            let file = &mut session.files[*index];
            let State::Staged(stage) = file.state else { continue };
            file.state = State::Failed;
            let (content, copied, offered) = (file.content, file.copied, file.offered.clone());
            if copied {
                self.discard(Some(stage));
            } else {
                self.park(content, Parked { stage, bytes: content.size, whole: true });
            }
            let reason = "this PC has another file there, of which the league is told first";
            self.refuse(sync_id, offered, Fault::Failed, reason);
        }
    }

    /// Whether this PC publishes a file where one of these goes.
    fn replaces_any(&self, sync_id: &SyncId, group: &[usize]) -> bool {
        let Some(session) = self.inbound.get(sync_id) else { return false };
        group.iter().any(|index| self.folder.get(session.files[*index].path.key()).is_some())
    }

    /// Where files of all sessions go that are not in place yet.
    fn unsettled_keys(&self) -> BTreeSet<PathKey> {
        let files = self.inbound.values().flat_map(|session| &session.files);
        let unsettled = files.filter(|file| !file.is_settled());
        unsettled.map(|file| file.path.key().clone()).collect()
    }

    pub(super) fn handle_installed(
        &mut self,
        sync_id: &SyncId,
        stages: &[StageId],
        kept: Vec<Option<RelPath>>,
        outcomes: Vec<Result<Installed, DiskFault>>,
    ) {
        for ((stage, keep_as), outcome) in stages.iter().zip(kept).zip(outcomes) {
            let Some(session) = self.inbound.get_mut(sync_id) else { return };
            let Some(index) = session.by_stage(*stage) else { continue };
            let file = &mut session.files[index];
            let (path, content, copied) = (file.path.clone(), file.content, file.copied);
            match outcome {
                Ok(installed) => {
                    file.state = State::Installed;
                    self.folder.handle_installed(&self.cx, path.clone(), installed.stamp, content);
                    let kept_as = keep_as.filter(|_| installed.kept);
                    if kept_as.is_some() {
                        self.folder.scan_by(self.cx.now.time);
                    }
                    self.cx.event(Event::Installed {
                        sync_id: sync_id.clone(),
                        path,
                        bytes: content.size,
                        backup: installed.backup,
                        copied,
                        kept_as,
                    });
                }
                Err(fault) => {
                    // What was not put in place is still staged.
                    self.discard(Some(*stage));
                    if fault.kind == DiskFaultKind::Changed {
                        self.folder.scan_by(self.cx.now.time);
                    }
                    self.fail_at(sync_id, index, Fault::Failed, &fault.message);
                }
            }
        }
        self.check_inbound(sync_id, false);
    }

    pub(super) fn end_inbound(&mut self, sync_id: &SyncId) {
        let Some(session) = self.inbound.remove(sync_id) else { return };
        self.busy_at = self.cx.now.time;
        let installed = session.installed();
        if session.over || !self.cx.link.is_up() {
            self.publish_changes();
        } else if session.listed {
            // The server knows these contents and brings its picture of this PC up to date itself.
            if let Some(published) = &mut self.published {
                for file in
                    session.files.iter().filter(|file| matches!(file.state, State::Installed))
                {
                    let (path, content, mtime) = (file.path.clone(), file.content, file.mtime);
                    let _fits = published.replace(Entry { path, content, mtime });
                }
            }
            self.revision += 1;
            self.cx.transmit(Message::SyncDone(SyncDone {
                sync_id: sync_id.clone(),
                revision: Some(self.revision),
                installed: Some(installed),
                ..SyncDone::default()
            }));
            self.sync_status = None;
            // Walks that ended meanwhile may have found what had to wait for this session's word.
            if std::mem::take(&mut self.news_held_back) {
                self.publish_changes();
            }
        } else {
            self.publish();
            let new_manifest_hash = self.folder.hash().to_string();
            let done =
                SyncDone { sync_id: sync_id.clone(), new_manifest_hash, ..SyncDone::default() };
            self.cx.transmit(Message::SyncDone(done));
        }
        self.cx.event(Event::SessionEnded { sync_id: sync_id.clone() });
    }
}
