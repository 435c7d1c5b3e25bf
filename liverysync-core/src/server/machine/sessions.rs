//! Sessions from their offer to their end, whatever either side does on the way.

use super::*;

impl ServerMachine {
    pub(super) fn open_session(
        &mut self,
        source: Option<MemberId>,
        target: MemberId,
        keys: &[PathKey],
    ) {
        let entries: Vec<_> = keys.iter().filter_map(|key| self.union.get(key)).collect();
        let holder = source.unwrap_or(target);
        let Some(target_member) = self.members.get(&target) else { return };
        let own_copies = own_contents(target_member);
        let mut files = Vec::new();
        let mut asked = Vec::new();
        let mut offered = Vec::new();
        for entry in entries {
            let local = match source {
                Some(source) => entry.local(source),
                None => own_copies.get(&entry.content.hash).copied(),
            };
            let Some(local) = local else { continue };
            asked.push(Asked {
                source_name: local.as_str().to_owned(),
                target_name: entry.path.as_str().to_owned(),
                content: entry.content,
                mtime: entry.mtime,
            });
            offered.push(OfferedFile {
                info: union_file(entry),
                copy_from: source.is_none().then(|| local.as_str().to_owned()),
            });
            files.push(SessionFile {
                path: entry.path.clone(),
                content: entry.content,
                source_key: local.key().clone(),
                state: if source.is_some() { State::Asked } else { State::Delivered },
            });
        }
        if files.is_empty() {
            return;
        }
        let bytes = files.iter().map(|file| file.content.size).sum();
        let sync_id = SyncId::new(&self.rng.uuid()).unwrap_or_default();
        let patience =
            if source.is_some() { self.config.first_file_timeout } else { INSTALL_TIMEOUT };
        let session = Session {
            source,
            target,
            files,
            deadline: self.now + patience,
            began_at: self.now,
            bytes_passed: 0,
            done_heard: false,
        };

        self.offer(&sync_id, holder, target, offered);
        if let Some(source) = source {
            let needs_ends = !is_ours(&self.members, target);
            let paths = asked.iter().map(|file| file.source_name.clone()).collect();
            let relay = Relay::new(sync_id.clone(), asked, needs_ends, self.now);
            let open = Output::OpenRelay { source, target, sync_id: sync_id.clone(), relay };
            self.outputs.push_back(open);
            let request = SendFiles { sync_id: sync_id.clone(), paths };
            self.outputs.push_back(Output::to(source, Message::SendFiles(request)));
        }
        for id in [source, Some(target)].into_iter().flatten() {
            if let Some(member) = self.members.get_mut(&id) {
                member.sessions.insert(sync_id.clone());
            }
        }
        self.event(Event::SessionBegan {
            sync_id: sync_id.clone(),
            source: source.and_then(|id| self.name_of(id)),
            target: self.name_of(target).unwrap_or_default(),
            files: session.files.len(),
            bytes,
        });
        self.sessions.insert(sync_id, session);
    }

    /// Tells both ends that a session begins; a client that copies on its own PC is both.
    pub(super) fn offer(
        &mut self,
        sync_id: &SyncId,
        source: MemberId,
        target: MemberId,
        files: Vec<OfferedFile>,
    ) {
        let current_hash =
            self.current_union_hash().map(|hash| hash.to_string()).unwrap_or_default();
        let (Some(from), Some(to)) = (self.members.get(&source), self.members.get(&target)) else {
            return;
        };
        let offer = |to: &Member, role, peer: &Member, files: Option<Vec<OfferedFile>>| SyncOffer {
            sync_id: sync_id.clone(),
            role,
            current_hash: current_hash.clone(),
            source_client_id: from.client_id.clone(),
            target_client_id: if role == Role::Target {
                to.client_id.clone()
            } else {
                peer.client_id.clone()
            },
            peer_name: (to.is_ours() && source != target).then(|| peer.name.clone()),
            files: files.filter(|_| to.is_ours()),
        };
        let to_target = offer(to, Role::Target, from, Some(files));
        let to_source = (source != target).then(|| offer(from, Role::Source, to, None));
        self.outputs.push_back(Output::to(target, Message::SyncOffer(to_target)));
        if let Some(to_source) = to_source {
            self.outputs.push_back(Output::to(source, Message::SyncOffer(to_source)));
        }
    }

    pub(super) fn relayed(&mut self, source: MemberId, sync_id: &SyncId, event: RelayEvent) {
        let now = self.now;
        if let Some(member) = self.members.get_mut(&source) {
            member.heard_at = now;
            if let Some((draining, until)) = &mut member.draining
                && draining == sync_id
            {
                *until = now + self.config.stall_timeout;
            }
        }
        if event == RelayEvent::Drained {
            return self.drained(source, sync_id);
        }
        let stall_timeout = self.config.stall_timeout;
        let Some(session) = self.sessions.get_mut(sync_id).filter(|s| s.source == Some(source))
        else {
            return;
        };
        session.deadline = now + stall_timeout;
        match event {
            RelayEvent::Began(_) | RelayEvent::Drained => {}
            RelayEvent::Passed(bytes) => {
                session.bytes_passed += bytes;
                let millis =
                    u64::try_from(now.since(session.began_at).as_millis()).unwrap_or(u64::MAX);
                let rate = session.bytes_passed.saturating_mul(1000) / millis.max(1);
                if let Some(member) = self.members.get_mut(&source) {
                    member.rate = member.rate.max(rate);
                }
            }
            RelayEvent::Delivered(index) => {
                if let Some(file) = session.files.get_mut(index).filter(|f| f.state == State::Asked)
                {
                    file.state = State::Delivered;
                }
                self.check_sent(sync_id);
            }
            RelayEvent::Faulted(index, fault) => {
                self.source_failed(sync_id, index, fault);
                self.check_sent(sync_id);
            }
            RelayEvent::Unasked(path) => {
                let name = self.name_of(source).unwrap_or_default();
                self.event(Event::SourceFault { name, path, fault: SourceFault::OtherContent });
            }
        }
    }

    pub(super) fn drained(&mut self, source: MemberId, sync_id: &SyncId) {
        self.outputs.push_back(Output::DropRelay(source, sync_id.clone()));
        let Some(member) = self.members.get_mut(&source) else { return };
        if member.draining.as_ref().is_some_and(|(id, _)| id == sync_id) {
            member.draining = None;
            self.schedule_soon();
        }
    }

    /// Takes note that a source will not deliver a file of a session.
    pub(super) fn source_failed(&mut self, sync_id: &SyncId, index: usize, fault: SourceFault) {
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let (Some(source), target) = (session.source, session.target) else { return };
        let Some(file) = session.files.get_mut(index).filter(|file| file.state == State::Asked)
        else {
            return;
        };
        file.state = State::Failed;
        let (path, content, key) = (file.path.clone(), file.content, file.source_key.clone());
        if let Some(member) = self.members.get_mut(&source) {
            let for_now = (fault == SourceFault::Unreadable).then_some(self.now);
            member.owe(key.clone(), content.hash, for_now);
            let name = member.name.clone();
            let message = fault.to_string();
            self.event(Event::SourceFault { name, path: key.as_str().to_owned(), fault });
            self.report(target, sync_id, &message, Some((path.as_str(), Fault::Missing)));
        }
    }

    /// Once the source owes nothing more, a target gets time to install, or has nothing to do.
    pub(super) fn check_sent(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get_mut(sync_id).filter(|session| session.is_sent())
        else {
            return;
        };
        session.deadline = self.now + INSTALL_TIMEOUT;
        let target_is_ours = is_ours(&self.members, session.target);
        if session.is_settled() && !target_is_ours {
            self.end_session(sync_id);
        }
    }

    /// A target of ours says what it has installed.
    pub(super) fn sync_done(&mut self, id: MemberId, done: SyncDone) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&done.sync_id).filter(|s| s.target == id) else {
            return;
        };
        let Some(installed) = done.installed else {
            if session.is_sent() {
                session.done_heard = true;
                session.deadline = now + LATE_DONE;
                self.check_old_targets(id);
            }
            return;
        };
        let mut manifest = match (self.pending.get(&id), self.members.get(&id)) {
            (Some(pending), _) => pending.manifest.clone(),
            (None, Some(member)) => member.manifest.clone().unwrap_or_default(),
            (None, None) => return,
        };
        let mut there = Vec::new();
        for path in installed {
            let Some(index) = session.find(&path) else { continue };
            let file = &mut session.files[index];
            there.push((file.path.key().clone(), file.content.hash));
            // Only what has passed the relay can have been installed.
            if file.state == State::Delivered {
                file.state = State::Installed;
                install(&mut manifest, &self.union, file, &self.config);
            }
        }
        let silent: Vec<_> = (0..session.files.len())
            .filter(|index| session.files[*index].state == State::Delivered)
            .collect();
        for index in silent {
            self.target_failed(&done.sync_id, index, "it did not say that it has it", false);
        }
        if let Some(member) = self.members.get_mut(&id) {
            for (key, hash) in there {
                member.lacking.remove(&key);
                member.claimed.insert(key, hash);
            }
        }
        self.stand_anew(id);
        let known_hash = manifest.hash();
        self.acknowledge(&done.sync_id, &done.new_manifest_hash);
        self.end_session(&done.sync_id);
        if known_hash.to_string() == done.new_manifest_hash {
            self.report_manifest(id, manifest, Told::default());
        } else {
            self.request_manifest(id);
        }
    }

    pub(super) fn acknowledge(&mut self, sync_id: &SyncId, hash: &str) {
        if let Some(source) = self.sessions.get(sync_id).and_then(|session| session.source) {
            let ack = SyncDoneAck { sync_id: sync_id.clone(), new_manifest_hash: hash.to_owned() };
            self.outputs.push_back(Output::to(source, Message::SyncDoneAck(ack)));
        }
    }

    /// A target of protocol 1 shows by its manifest what it has installed.
    pub(super) fn check_old_targets(&mut self, id: MemberId) {
        let Some(member) = self.members.get(&id).filter(|member| !member.is_ours()) else { return };
        let pending = self.pending.get(&id).map(|pending| &pending.manifest);
        let Some(manifest) = pending.or(member.manifest.as_ref()) else { return };
        let mut complete = Vec::new();
        for sync_id in &member.sessions {
            let Some(session) = self.sessions.get_mut(sync_id).filter(|s| s.target == id) else {
                continue;
            };
            for file in &mut session.files {
                let there =
                    manifest.get(file.path.key()).is_some_and(|own| own.content == file.content);
                if there && file.state == State::Delivered {
                    file.state = State::Installed;
                }
            }
            if session.is_settled() {
                complete.push(sync_id.clone());
            }
        }
        let hash = manifest.hash().to_string();
        for sync_id in complete {
            self.acknowledge(&sync_id, &hash);
            self.end_session(&sync_id);
        }
    }

    pub(super) fn error(&mut self, id: MemberId, report: &ErrorReport) {
        let Some(session) = self.sessions.get(&report.sync_id) else { return };
        let (is_source, is_target) = (session.source == Some(id), session.target == id);
        let named = report.rel_path.as_deref();
        match (named, is_source, is_target) {
            (Some(path), true, _) => {
                let index = session.files.iter().position(|file| {
                    file.state == State::Asked
                        && file.source_key.as_str() == crate::path::fold(path)
                });
                if let Some(index) = index {
                    let fault = if report.fault == Some(Fault::Failed) {
                        SourceFault::Unreadable
                    } else {
                        SourceFault::OtherContent
                    };
                    self.source_failed(&report.sync_id, index, fault);
                    self.check_sent(&report.sync_id);
                }
            }
            (Some(path), _, true) => {
                if let Some(index) = session.find(path) {
                    let for_good = report.fault == Some(Fault::Declined);
                    self.target_failed(&report.sync_id, index, &report.message, for_good);
                    self.check_sent(&report.sync_id);
                }
            }
            (None, true, _) => self.give_up_source(&report.sync_id),
            (None, _, true) if is_ours(&self.members, id) => {
                for index in 0..session.files.len() {
                    self.target_failed(&report.sync_id, index, &report.message, false);
                }
                self.end_session(&report.sync_id);
            }
            (None, _, true) => self.old_target_error(id, report),
            _ => {}
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
        let Some(session) = self.sessions.get_mut(sync_id) else { return };
        let target = session.target;
        let Some(file) = session.files.get_mut(index) else { return };
        if matches!(file.state, State::Failed | State::Installed) {
            return;
        }
        file.state = State::Failed;
        let (path, hash) = (file.path.clone(), file.content.hash);
        let Some(member) = self.members.get_mut(&target) else { return };
        let for_good = if for_good {
            member.decline(path.key(), hash);
            true
        } else {
            member.fail(path.key(), hash, now)
        };
        let (name, message) = (member.name.clone(), message.to_owned());
        self.event(Event::TargetFault { name, path, message, for_good });
    }

    /// A target of protocol 1 reports an error without saying for which file; its text often does.
    pub(super) fn old_target_error(&mut self, id: MemberId, report: &ErrorReport) {
        let Some(session) = self.sessions.get(&report.sync_id) else { return };
        let unsettled = session
            .files
            .iter()
            .enumerate()
            .filter(|(_, file)| matches!(file.state, State::Asked | State::Delivered));
        let candidates: Vec<_> =
            unsettled.map(|(index, file)| (index, file.path.as_str())).collect();
        let named = candidates.iter().filter(|(_, path)| report.message.contains(path));
        // One name may be the beginning of another: the longest that fits is meant.
        let named = named.max_by_key(|(_, path)| path.len()).map(|(index, _)| *index);
        // Files that are known to be wrong are answered with a complaint too; that is no refusal.
        let already_known = session
            .files
            .iter()
            .any(|file| file.state == State::Failed && report.message.contains(file.path.as_str()));
        let only = (session.files.len() == 1).then_some(0);
        let mismatch = report.message.contains("ismatch");
        match named.or(only) {
            _ if already_known => return,
            Some(index) => self.target_failed(&report.sync_id, index, &report.message, !mismatch),
            None => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.one_by_one = true;
                }
            }
        }
        self.end_session(&report.sync_id);
    }

    pub(super) fn give_up_source(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let owed: Vec<_> = (0..session.files.len())
            .filter(|index| session.files[*index].state == State::Asked)
            .collect();
        let source = session.source.and_then(|id| self.name_of(id));
        if let (Some(name), false) = (source, owed.is_empty()) {
            self.event(Event::SourceSilent { name, files: owed.len() });
        }
        for index in owed {
            self.source_failed(sync_id, index, SourceFault::Skipped);
        }
        self.stop_source(sync_id);
        self.check_sent(sync_id);
    }

    /// Lets nothing more of a session through.
    pub(super) fn stop_source(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let (Some(source), target) = (session.source, session.target) else { return };
        let abandon = Output::AbandonRelay { source, target, sync_id: sync_id.clone() };
        self.outputs.push_back(abandon);
        if is_ours(&self.members, source) {
            self.report(source, sync_id, "this session is over", None);
            self.outputs.push_back(Output::DropRelay(source, sync_id.clone()));
        }
    }

    pub(super) fn end_session(&mut self, sync_id: &SyncId) {
        let Some(session) = self.sessions.get(sync_id) else { return };
        let (source, target, sent) = (session.source, session.target, session.is_sent());
        if let (false, Some(source)) = (sent, source) {
            self.stop_source(sync_id);
            let until = self.now + self.config.stall_timeout;
            let old_source = self.members.get_mut(&source).filter(|member| !member.is_ours());
            if let Some(member) = old_source {
                member.draining = Some((sync_id.clone(), until));
            }
        } else if let Some(source) = source {
            if !is_ours(&self.members, target) {
                // A file that its source gave up may still be open there.
                let abandon = Output::AbandonRelay { source, target, sync_id: sync_id.clone() };
                self.outputs.push_back(abandon);
            }
            self.outputs.push_back(Output::DropRelay(source, sync_id.clone()));
        }
        let Some(session) = self.sessions.remove(sync_id) else { return };
        for id in [source, Some(target)].into_iter().flatten() {
            if let Some(member) = self.members.get_mut(&id) {
                member.sessions.remove(sync_id);
            }
        }
        let old_target = self.members.get_mut(&target).filter(|member| !member.is_ours());
        if let Some(member) = old_target {
            for file in session.files.iter().filter(|file| file.state == State::Installed) {
                member.succeed(file.path.key());
            }
        }
        let installed = session.count(State::Installed);
        self.event(Event::SessionEnded {
            sync_id: sync_id.clone(),
            source: source.and_then(|id| self.name_of(id)),
            target: self.name_of(target).unwrap_or_default(),
            installed,
            failed: session.files.len() - installed,
        });
        self.schedule_soon();
    }
}
