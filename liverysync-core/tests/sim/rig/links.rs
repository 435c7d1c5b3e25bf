//! Connections: made, filled, emptied, broken.

use super::*;

impl World {
    pub(super) fn connect(&mut self, pc: usize) {
        if self.pcs[pc].offline || matches!(self.server, SimServer::Down) {
            match &self.pcs[pc].brain {
                Brain::New(_) => self.feed(pc, client::Input::LinkDown("refused".into())),
                _ => {
                    let epoch = self.pcs[pc].epoch;
                    self.after(5 * SECOND, Ev::Connect(pc, epoch));
                }
            }
            return;
        }
        let line = self.pcs[pc].line;
        // A liar that says too much would only lose its link.
        let is_liar = matches!(self.pcs[pc].brain, Brain::Liar(_));
        let limit = if is_liar { Message::BYTES_MAX } else { frame::STRANGER_BYTES_MAX };
        let link = self.links.len();
        self.connections += 1;
        self.links.push(Link {
            pc,
            member: None,
            client_open: true,
            broken: false,
            up: Pipe::new(line.delay_up, line.up, limit),
            down: Pipe::new(line.delay_down, line.down, frame::SMALL_BYTES_MAX),
        });
        self.pcs[pc].link = Some(link);
        if let Brain::New(new_pc) = &mut self.pcs[pc].brain {
            new_pc.heard = Told::default();
        }
        self.say(|| format!("{} connects as link {link}", self.pcs[pc].name));
        match &mut self.server {
            SimServer::Down => {}
            SimServer::New(server) => {
                let member = PeerId(server.next_member);
                server.next_member += 1;
                server.members.insert(member, link);
                self.links[link].member = Some(member);
                let address = format!("10.0.0.{pc}:1");
                self.feed_server(server::Input::Accepted(member, address));
            }
            SimServer::Old(_) => {
                self.links[link].member = Some(PeerId(link as u64));
                self.old_server_accepts(link);
            }
        }
        self.feed(pc, client::Input::LinkUp);
    }

    pub(crate) fn send(&mut self, link: LinkId, dir: Dir, queued: Queued) {
        let this = &mut self.links[link];
        let open = match dir {
            Dir::Up => this.client_open,
            Dir::Down => this.member.is_some(),
        };
        if !open || this.broken {
            return;
        }
        let pc = this.pc;
        if dir == Dir::Down && !matches!(self.pcs[pc].brain, Brain::New(_)) {
            let theirs = match &self.pcs[pc].brain {
                Brain::Liar(liar) => !liar.speaks_v2,
                _ => true,
            };
            if theirs {
                known::check_old_message(&queued.message);
            }
        }
        let this = &mut self.links[link];
        this.pipe(dir).push(queued);
        if !this.pipe(dir).busy {
            self.pump(link, dir);
        }
    }

    /// Gives the link the next message.
    fn pump(&mut self, link: LinkId, dir: Dir) {
        let now = self.now;
        if self.links[link].pipe(dir).queue.is_empty() {
            self.queue_piece(link, dir);
        }
        let Some(queued) = self.links[link].pipe(dir).pop() else { return };
        let pc = self.links[link].pc;
        self.say(|| {
            let change_tag = if dir == Dir::Up { "->" } else { "<-" };
            format!("{} {change_tag} {}", self.pcs[pc].name, brief(&queued.message))
        });
        // Messages between two Python programs need not come to an end.
        let is_theirs =
            matches!(self.server, SimServer::Old(_)) && matches!(self.pcs[pc].brain, Brain::Old(_));
        if !is_theirs && !self.is_sign_of_life(link, &queued.message) {
            self.mark_busy(|| format!("{} of or to PC {pc}", brief(&queued.message)));
        }
        let mut rng = self.rng.clone();
        let pieces = cut_frame(&queued.message, &mut rng);
        self.rng = rng;
        let pipe = self.links[link].pipe(dir);
        pipe.busy = true;
        let (time, delay, mut last) =
            (pipe.transmission(queued.weight()), pipe.delay, pipe.last_arrival);
        let count = pieces.len() as u64;
        for (number, piece) in (1..).zip(pieces) {
            let at = now + time * number / count + delay;
            last = last.max(at);
            self.at(last, Ev::Arrive(link, dir, Some(piece)));
        }
        self.links[link].pipe(dir).last_arrival = last;
        self.after(time, Ev::Taken(link, dir, queued.note));
    }

    /// Sends the next message, unless the link is busy.
    pub(crate) fn pump_idle(&mut self, link: LinkId, dir: Dir) {
        let this = &mut self.links[link];
        let open = match dir {
            Dir::Up => this.client_open,
            Dir::Down => this.member.is_some(),
        };
        if open && !this.broken && !this.pipe(dir).busy {
            self.pump(link, dir);
        }
    }

    fn is_sign_of_life(&self, link: LinkId, message: &Message) -> bool {
        let theirs = !matches!(self.pcs[self.links[link].pc].brain, Brain::New(_))
            || matches!(self.server, SimServer::Old(_));
        match message {
            Message::Ping | Message::Pong => true,
            Message::RequestManifest(_)
            | Message::ManifestFull(_)
            | Message::ManifestSummary(_)
            | Message::Hello(_)
            | Message::ServerState(_) => theirs,
            _ => false,
        }
    }

    pub(super) fn taken(&mut self, link: LinkId, dir: Dir, note: Note) {
        self.links[link].pipe(dir).busy = false;
        let pc = self.links[link].pc;
        if self.links[link].client_open && !self.links[link].broken {
            match note {
                Note::None => {}
                Note::Piece(transfer, len, last) => {
                    self.piece_taken(link, dir, transfer, len, last);
                }
                Note::Chunk(sync_id) => self.feed(pc, client::Input::ChunkSent(sync_id)),
                Note::Served => self.old_served(pc),
            }
        }
        self.pump_idle(link, dir);
    }

    pub(super) fn arrive(&mut self, link: LinkId, dir: Dir, bytes: Option<Bytes>) {
        let this = &mut self.links[link];
        if this.broken {
            return;
        }
        let pipe = this.pipe(dir);
        if pipe.silent {
            pipe.held.push(bytes);
            return;
        }
        let Some(bytes) = bytes else { return self.closed(link, dir, "closed by the other side") };
        pipe.inbox.extend_from_slice(&bytes);
        match dir {
            Dir::Up => self.read_at_server(link),
            Dir::Down => self.read_at_client(link),
        }
    }

    /// Tells one end that there is no connection any more.
    pub(super) fn closed(&mut self, link: LinkId, dir: Dir, reason: &str) {
        let this = &mut self.links[link];
        let pc = this.pc;
        match dir {
            Dir::Up => {
                let Some(member) = this.member.take() else { return };
                this.down.clear();
                match &mut self.server {
                    SimServer::New(_) => {
                        self.feed_server(server::Input::Lost(member, reason.to_owned()));
                        self.server_loses_uploads(member);
                        if let SimServer::New(server) = &mut self.server {
                            server.members.remove(&member);
                        }
                    }
                    SimServer::Old(_) => self.old_server_loses(link),
                    SimServer::Down => {}
                }
            }
            Dir::Down => {
                if !std::mem::replace(&mut this.client_open, false) {
                    return;
                }
                this.up.clear();
                self.pcs[pc].link = None;
                match &mut self.pcs[pc].brain {
                    Brain::New(_) => {
                        self.feed(pc, client::Input::LinkDown(reason.to_owned()));
                        return;
                    }
                    Brain::Old(old) => old.stop(),
                    Brain::Liar(liar) => liar.stop(),
                }
                // Their driver starts the program again.
                let epoch = self.pcs[pc].epoch;
                self.after(10 * SECOND, Ev::Connect(pc, epoch));
            }
        }
    }

    pub(super) fn client_closes(&mut self, pc: usize) {
        let Some(link) = self.pcs[pc].link else { return };
        self.links[link].up.clear();
        let (delay, last) = (self.links[link].up.delay, self.links[link].up.last_arrival);
        self.at(last.max(self.now + delay), Ev::Arrive(link, Dir::Up, None));
        self.after(MILLISECOND, Ev::Broken(link, Dir::Down));
    }

    /// Breaks the connection: what is under way is lost, and the ends learn of it at their own times.
    pub(crate) fn break_link(&mut self, link: LinkId) {
        if std::mem::replace(&mut self.links[link].broken, true) {
            return;
        }
        self.links[link].up.clear();
        self.links[link].down.clear();
        let (up, down) = (self.rng.range(1, 3000), self.rng.range(1, 3000));
        self.after(up * MILLISECOND, Ev::Broken(link, Dir::Up));
        self.after(down * MILLISECOND, Ev::Broken(link, Dir::Down));
    }

    pub(crate) fn partition(&mut self, link: LinkId, dir: Dir) {
        self.links[link].pipe(dir).silent = true;
    }

    pub(crate) fn heal_link(&mut self, link: LinkId) {
        for dir in [Dir::Up, Dir::Down] {
            let pipe = self.links[link].pipe(dir);
            pipe.silent = false;
            for bytes in std::mem::take(&mut pipe.held) {
                self.after(0, Ev::Arrive(link, dir, bytes));
            }
        }
    }
}
