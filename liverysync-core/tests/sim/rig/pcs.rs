//! Drivers' PCs: switched on, crashing, and the glue of a client of protocol 2.

use liverysync_core::path::fold;

use super::*;

impl World {
    pub(crate) fn add_pc(&mut self, name: &str, brain: Brain, disk: Disk) -> usize {
        self.pcs.push(Pc {
            name: name.to_owned(),
            brain,
            disk,
            disk_pace: MILLISECOND,
            line: Line::default(),
            link: None,
            epoch: 0,
            running: false,
            offline: false,
            skew: 0,
            spoils: false,
        });
        self.pcs.len() - 1
    }

    pub(crate) fn start(&mut self, pc: usize) {
        if self.pcs[pc].running {
            return;
        }
        self.say(|| format!("{} starts", self.pcs[pc].name));
        let (now, seed) = (self.client_now(pc), self.rng.next());
        let this = &mut self.pcs[pc];
        this.running = true;
        this.epoch += 1;
        let epoch = this.epoch;
        match &mut this.brain {
            Brain::New(new_pc) => {
                let machine = ClientMachine::new(new_pc.config.clone(), seed, now);
                **new_pc = NewPc { machine: Some(machine), ..NewPc::new(new_pc.config.clone()) };
                self.drain_client(pc);
            }
            _ => self.after(10 * MILLISECOND, Ev::Connect(pc, epoch)),
        }
    }

    /// Ends a PC's program without a word.
    pub(crate) fn crash(&mut self, pc: usize) {
        if !self.pcs[pc].running {
            return;
        }
        self.say(|| format!("{} crashes", self.pcs[pc].name));
        if let Some(link) = self.pcs[pc].link.take() {
            self.links[link].client_open = false;
            self.break_link(link);
        }
        let chance = self.rng.next();
        let this = &mut self.pcs[pc];
        this.running = false;
        this.epoch += 1;
        match &mut this.brain {
            Brain::New(new_pc) => {
                if let Some(Job::Request(_, DiskRequest::Install { date, files, .. })) =
                    new_pc.lanes[0].front()
                {
                    let whole = chance as usize % (files.len() + 1);
                    this.disk.crash_in_install(*date, files, whole);
                }
                new_pc.machine = None;
                this.disk.crash(|len| chance as usize % (len + 1));
            }
            Brain::Old(old) => old.stop(),
            Brain::Liar(liar) => liar.stop(),
        }
        self.collect_traces(pc);
    }

    pub(super) fn pc_timer(&mut self, pc: usize) {
        match &mut self.pcs[pc].brain {
            Brain::New(new_pc) => {
                if new_pc.wake == Some(self.now) {
                    new_pc.wake = None;
                    self.feed(pc, client::Input::Timeout);
                }
            }
            Brain::Old(_) => self.old_timer(pc),
            Brain::Liar(_) => self.liar_timer(pc),
        }
    }

    /// Feeds one thing to a client of protocol 2.
    pub(crate) fn feed(&mut self, pc: usize, input: client::Input) {
        let now = self.client_now(pc);
        if let Brain::New(new_pc) = &mut self.pcs[pc].brain
            && let Some(machine) = &mut new_pc.machine
        {
            machine.handle_input(now, input);
            self.drain_client(pc);
        }
    }

    fn drain_client(&mut self, pc: usize) {
        loop {
            let epoch = self.pcs[pc].epoch;
            let Brain::New(new_pc) = &mut self.pcs[pc].brain else { return };
            let Some(machine) = &mut new_pc.machine else { return };
            let output = machine.poll_output();
            self.trace.client(self.now, pc, &output);
            match output {
                client::Output::Connect => {
                    let delay = self.rng.range(1, 60) * MILLISECOND;
                    self.after(delay, Ev::Connect(pc, epoch));
                }
                client::Output::Disconnect(reason) => {
                    self.say(|| format!("{} disconnects: {reason}", self.pcs[pc].name));
                    self.client_closes(pc);
                }
                client::Output::Transmit(message) => self.client_sends(pc, message),
                client::Output::Send { transfer, path, stamp, from, compression } => {
                    self.client_begins(pc, transfer, (path, stamp), from, compression);
                }
                client::Output::StopSending(transfer) => self.client_stops(pc, transfer),
                client::Output::FormerKeysKnown(_) => {
                    if let Brain::New(new_pc) = &mut self.pcs[pc].brain {
                        new_pc.config.keys.former.clear();
                    }
                }
                client::Output::RememberShare(share) => {
                    if let Brain::New(new_pc) = &mut self.pcs[pc].brain {
                        new_pc.config.share = Some(share);
                    }
                }
                client::Output::Disk(op, request) => self.disk_request(pc, op, request),
                client::Output::Event(event) => {
                    self.say(|| format!("{}: {event:?}", self.pcs[pc].name));
                    let Brain::New(new_pc) = &mut self.pcs[pc].brain else { return };
                    new_pc.events.push(event);
                }
                client::Output::Timeout(wake) => {
                    let at = wake.map(|wake| wake.at.as_nanos().max(self.now));
                    if let Some(at) = at
                        && new_pc.wake != Some(at)
                    {
                        new_pc.wake = Some(at);
                        self.at(at, Ev::PcTimer(pc, epoch));
                    } else if at.is_none() {
                        new_pc.wake = None;
                    }
                    return;
                }
            }
        }
    }

    fn client_sends(&mut self, pc: usize, message: Message) {
        let Some(link) = self.pcs[pc].link else { return };
        let (now, note) = (
            self.now,
            match &message {
                Message::FileChunk(chunk) => Note::Chunk(chunk.sync_id.clone()),
                _ => Note::None,
            },
        );
        if let Brain::New(new_pc) = &mut self.pcs[pc].brain {
            new_pc.said.note(&message, now);
        }
        self.send(link, Dir::Up, Queued { message, note });
    }
}

/// Returns the files that a client has reported, by path: each digest, and since when.
#[derive(Debug, Default)]
pub(crate) struct Told(BTreeMap<String, (ContentHash, u64)>);

impl Told {
    pub(super) fn note(&mut self, message: &Message, now: u64) {
        match message {
            Message::ManifestFull(full) => {
                let before = std::mem::take(&mut self.0);
                for file in &full.manifest {
                    let hash = file.sha256.parse().expect("our own digest");
                    let since =
                        before.get(&fold(&file.rel_path)).filter(|(known, _)| *known == hash);
                    let since = since.map_or(now, |(_, since)| *since);
                    self.0.insert(fold(&file.rel_path), (hash, since));
                }
            }
            Message::ManifestChanges(changes) => {
                for path in &changes.removed {
                    self.0.remove(&fold(path));
                }
                for file in &changes.changed {
                    let hash = file.sha256.parse().expect("our own digest");
                    self.0.insert(fold(&file.rel_path), (hash, now));
                }
            }
            Message::SyncDone(done) => {
                // What was there before is gone.
                for path in done.installed.iter().flatten() {
                    self.0.remove(&fold(path));
                }
            }
            _ => {}
        }
    }

    /// Returns since when a digest has been known, if it is.
    pub(super) fn since(&self, hash: ContentHash) -> Option<u64> {
        let of_hash = self.0.values().filter(|(told, _)| *told == hash);
        of_hash.map(|(_, since)| *since).min()
    }
}
