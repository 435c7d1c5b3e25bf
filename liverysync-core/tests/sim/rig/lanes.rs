//! The host of a client: it reads the link while the disk keeps up, and carries out disk requests in lanes.

use super::*;

impl World {
    pub(super) fn read_at_client(&mut self, link: LinkId) {
        let pc = self.links[link].pc;
        while self.links[link].client_open {
            if let Brain::New(new_pc) = &self.pcs[pc].brain
                && new_pc.lanes[0].len() > WRITES_MAX
            {
                return;
            }
            let down = &mut self.links[link].down;
            let message = Message::read_frame(&mut down.inbox, down.limit);
            let Some(message) = message.expect("our own message") else { return };
            down.limit = frame::server_limit(&message, down.limit);
            match (&self.pcs[pc].brain, message) {
                (_, Message::Credit(credit)) => self.client_gets_credit(link, credit),
                (Brain::New(_), Message::Data(data)) => self.client_takes(pc, data),
                (Brain::New(_), message) => {
                    self.feed(pc, client::Input::Received(message));
                }
                (Brain::Old(_), message) => self.old_receives(pc, message),
                (Brain::Liar(_), message) => self.liar_receives(pc, message),
            }
        }
    }

    /// Asserts that nothing is sent to this PC that it has already.
    pub(super) fn check_offer(&self, pc: usize, message: &Message) {
        let (Message::SyncOffer(offer), Brain::New(new_pc)) = (message, &self.pcs[pc].brain) else {
            return;
        };
        let Some(machine) = &new_pc.machine else { return };
        if offer.role != Role::Target || !matches!(self.server, SimServer::New(_)) {
            return;
        }
        let own = machine.manifest();
        for file in offer.files.iter().flatten().filter(|file| file.copy_from.is_none()) {
            let hash = file.info.sha256.parse().expect("our own digest");
            let held = own.iter().any(|entry| entry.content.hash == hash);
            let since = new_pc.heard.since(hash);
            let long_known = since.is_some_and(|since| since + 60 * SECOND < self.now);
            assert!(
                !(held && long_known),
                "{} is to download {} although it has that content",
                self.pcs[pc].name,
                file.info.rel_path
            );
        }
    }

    pub(super) fn disk_request(&mut self, pc: usize, op: OpId, request: DiskRequest) {
        let lane = match &request {
            DiskRequest::Read { .. } | DiskRequest::Check(_) => 1,
            DiskRequest::LoadCache
            | DiskRequest::SaveCache(_)
            | DiskRequest::LoadObstacles
            | DiskRequest::SaveObstacles(_)
            | DiskRequest::List { .. }
            | DiskRequest::Hash(_) => 2,
            _ => 0,
        };
        if !matches!(request, DiskRequest::List { .. } | DiskRequest::Check(_)) {
            self.mark_busy(|| format!("disk request at PC {pc}"));
        }
        let Brain::New(new_pc) = &mut self.pcs[pc].brain else { return };
        match &request {
            DiskRequest::Receive { stage, content, transfer } => {
                let own = new_pc.machine.as_ref().map(ClientMachine::manifest).unwrap_or_default();
                let is_here = own.iter().any(|entry| entry.content == *content);
                assert!(!is_here, "PC {pc} downloads a content that it has");
                new_pc.expected.insert(*transfer, *stage);
            }
            DiskRequest::Park(stage) | DiskRequest::Discard(stage) => {
                new_pc.expected.retain(|_, expected| expected != stage);
            }
            _ => {}
        }
        new_pc.lanes[lane].push_back(Job::Request(op, request));
        self.wake_lane(pc, lane);
    }

    pub(crate) fn disk_piece(&mut self, pc: usize, stage: StageId, data: Data) {
        let Brain::New(new_pc) = &mut self.pcs[pc].brain else { return };
        new_pc.lanes[0].push_back(Job::Piece(stage, data));
        self.wake_lane(pc, 0);
    }

    /// Gives a piece its turn. Returns what came of the file, once that is known.
    fn piece_turn(&mut self, pc: usize, stage: StageId, data: Data) -> Option<(OpId, DiskOutcome)> {
        let Pc { brain: Brain::New(new_pc), disk, spoils, .. } = &mut self.pcs[pc] else {
            return None;
        };
        let taking = new_pc.taking.get_mut(&stage)?;
        let mut write = || -> Result<(), client::DiskFault> {
            let wrong = |fault: liverysync_core::transfer::TransferFault| client::DiskFault {
                kind: client::DiskFaultKind::Corrupt,
                message: fault.to_string(),
            };
            let mut decoder = Decoder::default();
            let bytes =
                taking.receiver.unpack(data.offset, &data.body, &mut decoder).map_err(wrong)?;
            let bytes = Bytes::copy_from_slice(bytes);
            done(disk.apply(DiskRequest::Write(stage, data.offset, bytes)))?;
            if data.last {
                if *spoils {
                    return Err(wrong(liverysync_core::transfer::TransferFault::Garbled));
                }
                taking.receiver.clone().finish().map_err(wrong)?;
                done(disk.apply(DiskRequest::Seal(stage)))?;
            }
            Ok(())
        };
        let outcome = write();
        if outcome.is_ok() && !data.last {
            return None;
        }
        if outcome.is_err() {
            disk.apply(DiskRequest::Discard(stage));
        }
        let op = new_pc.taking.remove(&stage)?.op;
        Some((op, DiskOutcome::Received(outcome)))
    }

    /// Carries out a request about a file that comes under a number; `None` if it is another request.
    fn taking_turn(
        &mut self,
        pc: usize,
        op: OpId,
        request: &DiskRequest,
    ) -> Option<Option<DiskOutcome>> {
        let Pc { brain: Brain::New(new_pc), disk, .. } = &mut self.pcs[pc] else { return None };
        match request {
            DiskRequest::Receive { stage, content, .. } => {
                if let Some(taking) = new_pc.taking.get_mut(stage) {
                    taking.op = op;
                    return Some(None);
                }
                let created = done(disk.apply(DiskRequest::Create(*stage, content.size)));
                if created.is_err() {
                    return Some(Some(DiskOutcome::Received(created)));
                }
                new_pc.taking.insert(*stage, Taking { op, receiver: Receiver::new(*content) });
                Some(None)
            }
            DiskRequest::Park(stage) => {
                let taking = new_pc.taking.get(stage);
                let bytes = taking.map_or(0, |taking| taking.receiver.received());
                Some(Some(DiskOutcome::Parked(bytes)))
            }
            DiskRequest::Discard(stage) => {
                new_pc.taking.remove(stage);
                None
            }
            _ => None,
        }
    }

    fn wake_lane(&mut self, pc: usize, lane: usize) {
        let pace = self.pcs[pc].disk_pace;
        let delay = self.rng.range(pace / 10, pace * 2);
        let epoch = self.pcs[pc].epoch;
        let Brain::New(new_pc) = &mut self.pcs[pc].brain else { return };
        if !new_pc.lanes[lane].is_empty() && !std::mem::replace(&mut new_pc.lane_busy[lane], true) {
            self.after(delay, Ev::Disk(pc, epoch, lane));
        }
    }

    pub(super) fn disk_turn(&mut self, pc: usize, lane: usize) {
        let later = self.rng.below(self.pcs[pc].disk_pace);
        let (epoch, now) = (self.pcs[pc].epoch, self.now);
        let Brain::New(new_pc) = &mut self.pcs[pc].brain else { return };
        new_pc.lane_busy[lane] = false;
        let Some(job) = new_pc.lanes[lane].pop_front() else { return };
        // Outcomes of one lane come back in the order of its requests.
        let at = new_pc.last_outcome[lane].max(now + later);
        new_pc.last_outcome[lane] = at;
        let dry = new_pc.config.dry_run;
        let (op, request) = match job {
            Job::Request(op, request) => (op, request),
            Job::Piece(stage, data) => {
                self.client_credits(pc, data.body.len());
                if let Some((op, outcome)) = self.piece_turn(pc, stage, data) {
                    self.at(at, Ev::Outcome(pc, epoch, op, outcome));
                }
                if let Some(link) = self.pcs[pc].link {
                    self.read_at_client(link);
                }
                return self.wake_lane(pc, lane);
            }
        };
        let harmless = matches!(
            request,
            DiskRequest::LoadCache
                | DiskRequest::LoadObstacles
                | DiskRequest::Check(_)
                | DiskRequest::List { .. }
                | DiskRequest::Hash(_)
                | DiskRequest::Read { .. }
        );
        assert!(!dry || harmless, "a dry run touches nothing: {request:?}");
        let outcome = match self.taking_turn(pc, op, &request) {
            Some(Some(outcome)) => outcome,
            Some(None) => return self.wake_lane(pc, lane),
            None => self.pcs[pc].disk.apply(request),
        };
        self.collect_traces(pc);
        self.at(at, Ev::Outcome(pc, epoch, op, outcome));
        self.wake_lane(pc, lane);
    }

    /// Tells the judge what sync did to a disk.
    pub(crate) fn collect_traces(&mut self, pc: usize) {
        for trace in std::mem::take(&mut self.pcs[pc].disk.traces) {
            match trace {
                Trace::Put { path, old, new } => {
                    let name = &self.pcs[pc].name;
                    assert!(self.legit.contains(&new.hash), "{name}: {path} holds torn bytes");
                    if let Some(old) = old.filter(|old| *old != new) {
                        let kept = self.pcs[pc].disk.backs_up(old);
                        assert!(kept, "{name}: what was at {path} is not in the backup");
                        let published = match &self.pcs[pc].brain {
                            Brain::New(new_pc) => new_pc.said.since(old.hash).is_some(),
                            _ => true,
                        };
                        // A backup is enough for the game's own files.
                        if published {
                            self.replaced.insert(old, format!("{name}: {path}"));
                        }
                    }
                }
                Trace::Cleared { content } => {
                    // A backup is what the game's caches get.
                    self.given_up.insert(content.hash);
                    let kept = self.pcs[pc].disk.backs_up(content);
                    assert!(kept, "what was cleared away is not in the backup");
                }
            }
        }
    }
}
