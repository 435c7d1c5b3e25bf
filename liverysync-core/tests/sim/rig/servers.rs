//! The host of the server.

use super::*;

impl World {
    pub(crate) fn start_server(&mut self) {
        let (now, seed) = (Time::from_nanos(self.now), self.rng.next());
        self.server_epoch += 1;
        self.withheld.clear();
        self.refused.clear();
        let machine = ServerMachine::new(self.server_config.clone(), seed, now);
        let machine = machine.with_records(&self.records);
        let store = std::mem::take(&mut self.stored);
        let kept = store.kept();
        self.server = SimServer::New(Box::new(NewServer {
            machine,
            members: BTreeMap::new(),
            store,
            next_member: 1,
            wake: None,
        }));
        self.drain_server();
        self.feed_server(server::Input::Stored(kept));
    }

    pub(crate) fn stop_server(&mut self) {
        self.say(|| "the server stops".into());
        self.judge_database();
        let server = std::mem::replace(&mut self.server, SimServer::Down);
        match server {
            SimServer::New(server) if self.remembers => self.stored = server.store.at_rest(),
            _ => {
                self.records.clear();
                self.book = Book::default();
            }
        }
        self.server_epoch += 1;
        for link in 0..self.links.len() {
            if self.links[link].client_open || self.links[link].member.is_some() {
                self.links[link].member = None;
                self.break_link(link);
            }
        }
    }

    pub(super) fn server_timer(&mut self) {
        match &mut self.server {
            SimServer::New(server) => {
                if server.wake == Some(self.now) {
                    server.wake = None;
                    self.feed_server(server::Input::Timeout);
                }
            }
            SimServer::Old(_) => self.old_server_tick(),
            SimServer::Down => {}
        }
    }

    /// Has a PC ask for a change of liveries, over the link that it has.
    pub(crate) fn ask(&mut self, pc: usize, act: Act) {
        let peer = self.pcs[pc].link.and_then(|link| self.links[link].member);
        if let Some(peer) = peer {
            let request = Message::Act(ActRequest { act, preview: false });
            self.feed_server(server::Input::Received(peer, request));
        }
    }

    pub(crate) fn feed_server(&mut self, input: server::Input) {
        let now = Time::from_nanos(self.now);
        if let SimServer::New(server) = &mut self.server {
            server.machine.handle_input(now, input);
            self.drain_server();
        }
        for (content, facts) in std::mem::take(&mut self.to_inspect) {
            self.feed_server(server::Input::Inspected(content, facts));
        }
        for hash in std::mem::take(&mut self.to_verify) {
            self.verified += 1;
            let SimServer::New(server) = &self.server else { return };
            if !server.store.is_right(hash) {
                self.feed_server(server::Input::StoreLost(hash));
            }
        }
    }

    fn drain_server(&mut self) {
        loop {
            let epoch = self.server_epoch;
            let SimServer::New(server) = &mut self.server else { return };
            let output = server.machine.poll_output();
            self.trace.server(self.now, &output);
            match output {
                server::Output::Transmit(member, message) => {
                    if let Message::Acted(reply) = &message {
                        self.replies.push(reply.clone());
                    }
                    if let Some(link) = server.members.get(&member).copied() {
                        self.check_offer(self.links[link].pc, &message);
                        self.send(link, Dir::Down, Queued { message, note: Note::None });
                    }
                }
                server::Output::OpenUpload { source, sync_id, stream } => {
                    self.server_opens(source, sync_id, stream);
                }
                server::Output::StartDownload {
                    target,
                    transfer,
                    content,
                    from,
                    compression,
                    begin,
                } => {
                    if let Some(link) = server.members.get(&target).copied() {
                        let file = (transfer, content);
                        self.server_delivers(link, file, from, compression, begin);
                    }
                }
                server::Output::StopDownload(member, transfer) => {
                    if let Some(link) = server.members.get(&member).copied() {
                        self.server_stops(link, transfer);
                    }
                }
                server::Output::Inspect(contents) => {
                    let facts = |content| Some((content, server.store.facts(content)?));
                    self.to_inspect.extend(contents.into_iter().filter_map(facts));
                }
                server::Output::Verify(hash) => self.to_verify.push(hash),
                server::Output::Remove(hash) => self.server_forgets(hash),
                server::Output::Record(records) => {
                    self.book.write(&records);
                    self.records.extend(records);
                }
                server::Output::Acted { number, outcome, records } => {
                    self.book.write(&records);
                    self.records.extend(records);
                    self.acted.push((number, outcome));
                }
                server::Output::AbandonUpload { source, sync_id } => {
                    self.server_abandons(source, sync_id);
                }
                server::Output::CloseUpload(source, sync_id) => self.server_drops(source, sync_id),
                server::Output::Close(member, reason) => {
                    let link = server.members.get(&member).copied();
                    server.members.remove(&member);
                    self.server_loses_uploads(member);
                    if let Some(link) = link {
                        self.say(|| format!("the server closes link {link}: {reason}"));
                        self.server_closes(link);
                    }
                }
                server::Output::Event(event) => self.server_event(event),
                server::Output::Timeout(wake) => {
                    let at = wake.map(|wake| wake.at.as_nanos().max(self.now));
                    if let Some(at) = at
                        && server.wake != Some(at)
                    {
                        server.wake = Some(at);
                        self.at(at, Ev::ServerTimer(epoch));
                    } else if at.is_none() {
                        server.wake = None;
                    }
                    return;
                }
            }
        }
    }

    fn server_closes(&mut self, link: LinkId) {
        self.links[link].member = None;
        self.links[link].down.clear();
        let (delay, last) = (self.links[link].down.delay, self.links[link].down.last_arrival);
        self.at(last.max(self.now + delay), Ev::Arrive(link, Dir::Down, None));
    }

    fn server_event(&mut self, event: server::Event) {
        self.say(|| format!("server: {event:?}"));
        match &event {
            server::Event::Withheld { name, path, reason } => {
                let told = self.withheld.entry(name.clone()).or_default();
                told.insert(path.key().as_str().to_owned(), *reason);
            }
            server::Event::Refused { name, path, .. } => {
                self.refused.insert((name.clone(), path.key().as_str().to_owned()));
            }
            _ => {}
        }
        self.server_events.push(event);
    }

    pub(super) fn read_at_server(&mut self, link: LinkId) {
        while let Some(member) = self.links[link].member {
            let from = &mut self.links[link];
            let message =
                Message::read_frame(&mut from.up.inbox, from.up.limit).expect("our own message");
            let Some(message) = message else { return };
            let up = &mut self.links[link].up;
            up.limit = frame::client_limit(&message, up.limit);
            match &self.server {
                SimServer::New(_) => self.server_receives(link, member, message),
                SimServer::Old(_) => self.old_server_receives(link, message),
                SimServer::Down => return,
            }
        }
    }

    fn server_receives(&mut self, link: LinkId, member: PeerId, message: Message) {
        let now = self.now;
        if let Brain::New(new_pc) = &mut self.pcs[self.links[link].pc].brain {
            new_pc.heard.note(&message, now);
        }
        match message {
            Message::Credit(credit) => self.server_gets_credit(link, credit),
            message if message.is_data() => self.server_takes(link, member, message),
            message => self.feed_server(server::Input::Received(member, message)),
        }
    }
}
