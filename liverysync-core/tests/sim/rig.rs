//! The world of one run: PCs, links, a server, virtual time, and the glue that a real host has.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use bytes::Bytes;
use liverysync_core::{
    client::StageId,
    client::{self, ClientConfig, ClientMachine, DiskOutcome, DiskRequest, Now, OpId},
    hash::{Content, ContentHash},
    server::{self, ServerConfig, ServerMachine, Withheld},
    time::{Time, UnixTime},
    transfer::Receiver,
    union::MemberId,
    wire::{
        frame,
        v1::{Message, Role},
        v2::{Data, TransferId, Unpacker},
    },
};

use crate::{
    disk::{Disk, Trace},
    known,
    liar::Liar,
    net::{Dir, Link, LinkId, Note, Pipe, Queued, cut_frame},
    old_hub::OldHub,
    old_pc::OldPc,
    plane::{Store, Taking},
    rng::Rng,
};

pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;

/// 2026-01-01.
const DATE: i64 = 1_767_225_600_000_000_000;

/// Writes that may wait before a client's host stops reading the link.
const WRITES_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(crate) enum Ev {
    /// An attempt to connect comes to its end.
    Connect(usize, u64),
    /// The link has taken a message.
    Taken(LinkId, Dir, Note),
    /// Bytes, or the end of the stream, reach the other end.
    Arrive(LinkId, Dir, Option<Bytes>),
    /// One end is told that the connection broke.
    Broken(LinkId, Dir),
    PcTimer(usize, u64),
    HubTimer(u64),
    /// The disk gets to the first request of a lane.
    Disk(usize, u64, usize),
    Outcome(usize, u64, OpId, DiskOutcome),
    /// A client is told how far a file is that it sends.
    Sending(usize, u64, TransferId, client::Progress),
    /// The server is told what came of an upload that ended early.
    Partial(u64, ContentHash, u64),
    /// Something that the script has planned.
    Act(u64),
}

struct Item(u64, u64, Ev);

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// What waits for a disk.
enum Job {
    Request(OpId, DiskRequest),
    Piece(StageId, Data),
}

/// A client of ours with its host.
pub(crate) struct Ours {
    pub(crate) config: ClientConfig,
    pub(crate) machine: Option<ClientMachine>,
    wake: Option<u64>,
    pub(crate) events: Vec<client::Event>,
    /// Since when the server has known that this PC holds a content.
    published: BTreeMap<ContentHash, u64>,
    /// Where the bytes go that come under a number.
    pub(crate) expected: BTreeMap<TransferId, StageId>,
    taking: BTreeMap<StageId, Taking>,
    /// Bytes of files that have come.
    pub(crate) arrived: u64,
    lanes: [VecDeque<Job>; 3],
    lane_busy: [bool; 3],
    last_outcome: [u64; 3],
}

impl Ours {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            config,
            machine: None,
            wake: None,
            events: Vec::new(),
            published: BTreeMap::new(),
            expected: BTreeMap::new(),
            taking: BTreeMap::new(),
            arrived: 0,
            lanes: Default::default(),
            lane_busy: [false; 3],
            last_outcome: [0; 3],
        }
    }
}

pub(crate) enum Brain {
    Ours(Box<Ours>),
    Old(Box<OldPc>),
    Liar(Box<Liar>),
}

/// How a PC is connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) delay_up: u64,
    pub(crate) delay_down: u64,
    pub(crate) up: u64,
    pub(crate) down: u64,
}

impl Default for Line {
    fn default() -> Self {
        let (delay_up, delay_down) = (5 * MILLISECOND, 7 * MILLISECOND);
        Self { delay_up, delay_down, up: 10_000_000, down: 20_000_000 }
    }
}

pub(crate) struct Pc {
    pub(crate) name: String,
    pub(crate) brain: Brain,
    pub(crate) disk: Disk,
    /// Nanoseconds that a request takes.
    pub(crate) disk_pace: u64,
    pub(crate) line: Line,
    pub(crate) link: Option<LinkId>,
    pub(crate) epoch: u64,
    pub(crate) running: bool,
    pub(crate) offline: bool,
    /// How wrong its date is.
    pub(crate) skew: i64,
}

pub(crate) struct OurHub {
    pub(crate) machine: ServerMachine,
    members: BTreeMap<MemberId, LinkId>,
    pub(crate) store: Store,
    next_member: u64,
    wake: Option<u64>,
}

pub(crate) enum Hub {
    Down,
    Ours(Box<OurHub>),
    Old(Box<OldHub>),
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    queue: BinaryHeap<Reverse<Item>>,
    seq: u64,
    pub(crate) links: Vec<Link>,
    pub(crate) pcs: Vec<Pc>,
    pub(crate) hub: Hub,
    pub(crate) hub_epoch: u64,
    pub(crate) server_config: ServerConfig,
    pub(crate) server_events: Vec<server::Event>,
    pub(crate) withheld: BTreeMap<String, BTreeMap<String, Withheld>>,
    pub(crate) refused: BTreeSet<(String, String)>,
    /// Every content that a driver ever put anywhere, complete or not.
    pub(crate) legit: BTreeSet<ContentHash>,
    /// Contents that a driver himself deleted or overwrote.
    pub(crate) given_up: BTreeSet<ContentHash>,
    /// Contents that were complete on a driver's disk.
    pub(crate) treasured: BTreeSet<Content>,
    /// Contents that sync replaced somewhere, with the place.
    pub(crate) replaced: BTreeMap<Content, String>,
    /// The last time that something happened that is no sign of life.
    pub(crate) busy_at: u64,
    /// What it was.
    pub(crate) busy_with: String,
    /// How often each old client was offered each content: (PC, path, hash).
    pub(crate) begun: BTreeMap<(usize, String, String), u32>,
    pub(crate) trace: u64,
    pub(crate) log: bool,
    pub(crate) steps: u64,
    spins: u32,
    pub(crate) connections: u64,
    pub(crate) acts: VecDeque<u64>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: SECOND,
            rng: Rng::new(seed),
            queue: BinaryHeap::new(),
            seq: 0,
            links: Vec::new(),
            pcs: Vec::new(),
            hub: Hub::Down,
            hub_epoch: 0,
            server_config: ServerConfig::default(),
            server_events: Vec::new(),
            withheld: BTreeMap::new(),
            refused: BTreeSet::new(),
            legit: BTreeSet::new(),
            given_up: BTreeSet::new(),
            treasured: BTreeSet::new(),
            replaced: BTreeMap::new(),
            busy_at: 0,
            busy_with: String::new(),
            begun: BTreeMap::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            log: false,
            steps: 0,
            spins: 0,
            connections: 0,
            acts: VecDeque::new(),
        }
    }

    // ---- time -----------------------------------------------------------------------------------

    pub(crate) fn after(&mut self, delay: u64, ev: Ev) {
        self.at(self.now + delay, ev);
    }

    pub(crate) fn at(&mut self, at: u64, ev: Ev) {
        self.seq += 1;
        self.queue.push(Reverse(Item(at.max(self.now), self.seq, ev)));
    }

    pub(crate) fn date(&self) -> UnixTime {
        UnixTime::from_nanos(DATE + self.now as i64)
    }

    fn client_now(&self, pc: usize) -> Now {
        let date = UnixTime::from_nanos(DATE + self.now as i64 + self.pcs[pc].skew);
        Now { time: Time::from_nanos(self.now), date }
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.log {
            eprintln!("{:12.6} {}", self.now as f64 / 1e9, what());
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(48) {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.trace =
            (self.trace ^ self.now ^ bytes.len() as u64).wrapping_mul(0x0000_0100_0000_01b3);
    }

    pub(crate) fn mark_busy(&mut self, what: impl FnOnce() -> String) {
        self.busy_at = self.now;
        self.busy_with = what();
    }

    /// Jumps to the next thing that happens, unless it lies beyond `until`.
    pub(crate) fn step(&mut self, until: u64) -> bool {
        if self.queue.peek().is_none_or(|Reverse(Item(at, ..))| *at > until) {
            self.now = self.now.max(until);
            return false;
        }
        let Some(Reverse(Item(at, _, ev))) = self.queue.pop() else { return false };
        self.spins = if at == self.now { self.spins + 1 } else { 0 };
        assert!(self.spins < 200_000, "the world spins at one moment: {ev:?}");
        self.now = at;
        self.steps += 1;
        self.dispatch(ev);
        self.judge_step();
        true
    }

    pub(crate) fn run_for(&mut self, span: u64) {
        let until = self.now + span;
        while self.step(until) {}
    }

    fn dispatch(&mut self, ev: Ev) {
        match ev {
            Ev::Connect(pc, epoch) if self.pcs[pc].epoch == epoch => self.connect(pc),
            Ev::Taken(link, dir, note) => self.taken(link, dir, note),
            Ev::Arrive(link, dir, bytes) => self.arrive(link, dir, bytes),
            Ev::Broken(link, dir) => self.closed(link, dir, "the connection broke"),
            Ev::PcTimer(pc, epoch) if self.pcs[pc].epoch == epoch => self.pc_timer(pc),
            Ev::HubTimer(epoch) if self.hub_epoch == epoch => self.hub_timer(),
            Ev::Disk(pc, epoch, lane) if self.pcs[pc].epoch == epoch => self.disk_turn(pc, lane),
            Ev::Outcome(pc, epoch, op, outcome) if self.pcs[pc].epoch == epoch => {
                if matches!(&outcome, DiskOutcome::Installed(_) | DiskOutcome::Copied(_)) {
                    self.say(|| format!("{} disk {op:?} {outcome:?}", self.pcs[pc].name));
                }
                self.feed(pc, client::Input::Disk(op, outcome));
                if let Some(link) = self.pcs[pc].link {
                    self.read_at_client(link);
                }
            }
            Ev::Sending(pc, epoch, transfer, progress) if self.pcs[pc].epoch == epoch => {
                self.feed(pc, client::Input::Sending(transfer, progress));
            }
            Ev::Partial(epoch, hash, bytes) if self.hub_epoch == epoch => {
                self.feed_hub(server::Input::Partial(hash, bytes));
            }
            Ev::Act(number) => self.acts.push_back(number),
            _ => {}
        }
    }

    // ---- PCs ------------------------------------------------------------------------------------

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
            Brain::Ours(ours) => {
                let machine = ClientMachine::new(ours.config.clone(), seed, now);
                **ours = Ours { machine: Some(machine), ..Ours::new(ours.config.clone()) };
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
            Brain::Ours(ours) => {
                if let Some(Job::Request(_, DiskRequest::Install(plan))) = ours.lanes[0].front() {
                    let whole = chance as usize % (plan.files.len() + 1);
                    this.disk.crash_in_install(plan, whole);
                }
                ours.machine = None;
                this.disk.crash(|len| chance as usize % (len + 1));
            }
            Brain::Old(old) => old.stop(),
            Brain::Liar(liar) => liar.stop(),
        }
        self.collect_traces(pc);
    }

    fn pc_timer(&mut self, pc: usize) {
        match &mut self.pcs[pc].brain {
            Brain::Ours(ours) => {
                if ours.wake == Some(self.now) {
                    ours.wake = None;
                    self.feed(pc, client::Input::Timeout);
                }
            }
            Brain::Old(_) => self.old_timer(pc),
            Brain::Liar(_) => self.liar_timer(pc),
        }
    }

    /// Feeds one thing to a client of ours.
    pub(crate) fn feed(&mut self, pc: usize, input: client::Input) {
        let now = self.client_now(pc);
        if let Brain::Ours(ours) = &mut self.pcs[pc].brain
            && let Some(machine) = &mut ours.machine
        {
            machine.handle_input(now, input);
            self.drain_client(pc);
        }
    }

    fn drain_client(&mut self, pc: usize) {
        loop {
            let epoch = self.pcs[pc].epoch;
            let Brain::Ours(ours) = &mut self.pcs[pc].brain else { return };
            let Some(machine) = &mut ours.machine else { return };
            match machine.poll_output() {
                client::Output::Connect => {
                    let delay = self.rng.range(1, 60) * MILLISECOND;
                    self.after(delay, Ev::Connect(pc, epoch));
                }
                client::Output::Disconnect(reason) => {
                    self.say(|| format!("{} disconnects: {reason}", self.pcs[pc].name));
                    self.client_closes(pc);
                }
                client::Output::Transmit(message) => self.client_sends(pc, message),
                client::Output::Send(file) => self.client_begins(pc, file),
                client::Output::StopSending(transfer) => self.client_stops(pc, transfer),
                client::Output::Disk(op, request) => self.disk_request(pc, op, request),
                client::Output::Event(event) => {
                    self.say(|| format!("{}: {event:?}", self.pcs[pc].name));
                    let Brain::Ours(ours) = &mut self.pcs[pc].brain else { return };
                    ours.events.push(event);
                }
                client::Output::Timeout(wake) => {
                    let at = wake.map(|wake| wake.at.as_nanos().max(self.now));
                    if let Some(at) = at
                        && ours.wake != Some(at)
                    {
                        ours.wake = Some(at);
                        self.at(at, Ev::PcTimer(pc, epoch));
                    } else if at.is_none() {
                        ours.wake = None;
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
        if let (Message::ManifestFull(full), Brain::Ours(ours)) =
            (&message, &mut self.pcs[pc].brain)
        {
            let hashes = full.manifest.iter().filter_map(|file| file.sha256.parse().ok());
            let before = std::mem::take(&mut ours.published);
            let since = |hash: ContentHash| (hash, before.get(&hash).copied().unwrap_or(now));
            ours.published = hashes.map(since).collect();
        }
        self.send(link, Dir::Up, Queued { message, note });
    }

    // ---- links ----------------------------------------------------------------------------------

    fn connect(&mut self, pc: usize) {
        if self.pcs[pc].offline || matches!(self.hub, Hub::Down) {
            match &self.pcs[pc].brain {
                Brain::Ours(_) => self.feed(pc, client::Input::LinkDown("refused".into())),
                _ => {
                    let epoch = self.pcs[pc].epoch;
                    self.after(5 * SECOND, Ev::Connect(pc, epoch));
                }
            }
            return;
        }
        let line = self.pcs[pc].line;
        let link = self.links.len();
        self.connections += 1;
        self.links.push(Link {
            pc,
            member: None,
            client_open: true,
            broken: false,
            greeted: false,
            up: Pipe::new(line.delay_up, line.up),
            down: Pipe::new(line.delay_down, line.down),
        });
        self.pcs[pc].link = Some(link);
        self.say(|| format!("{} connects as link {link}", self.pcs[pc].name));
        match &mut self.hub {
            Hub::Down => {}
            Hub::Ours(hub) => {
                let member = MemberId(hub.next_member);
                hub.next_member += 1;
                hub.members.insert(member, link);
                self.links[link].member = Some(member);
                let address = format!("10.0.0.{pc}:1");
                self.feed_hub(server::Input::Accepted(member, address));
            }
            Hub::Old(_) => {
                self.links[link].member = Some(MemberId(link as u64));
                self.old_hub_accepts(link);
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
        if dir == Dir::Down && !matches!(self.pcs[pc].brain, Brain::Ours(_)) {
            let theirs = match &self.pcs[pc].brain {
                Brain::Liar(liar) => !liar.ours,
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
            let mark = if dir == Dir::Up { "->" } else { "<-" };
            format!("{} {mark} {}", self.pcs[pc].name, brief(&queued.message))
        });
        if !self.is_sign_of_life(link, &queued.message) {
            self.mark_busy(|| format!("{} of or to PC {pc}", brief(&queued.message)));
        }
        let mut rng = self.rng.clone();
        let pieces = cut_frame(&queued.message, &mut rng);
        self.rng = rng;
        let pipe = self.links[link].pipe(dir);
        pipe.busy = true;
        let bytes = pieces.iter().map(Bytes::len).sum();
        let (time, delay, mut last) = (pipe.transmission(bytes), pipe.delay, pipe.last_arrival);
        let count = pieces.len() as u64;
        for (number, piece) in (1..).zip(pieces) {
            self.note(&piece);
            let at = now + time * number / count + delay;
            last = last.max(at);
            self.at(last, Ev::Arrive(link, dir, Some(piece)));
        }
        self.links[link].pipe(dir).last_arrival = last;
        self.after(time, Ev::Taken(link, dir, queued.note));
    }

    /// Goes on with what leaves, unless the link is at it.
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
        let theirs = !matches!(self.pcs[self.links[link].pc].brain, Brain::Ours(_))
            || matches!(self.hub, Hub::Old(_));
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

    fn taken(&mut self, link: LinkId, dir: Dir, note: Note) {
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

    fn arrive(&mut self, link: LinkId, dir: Dir, bytes: Option<Bytes>) {
        let this = &mut self.links[link];
        if this.broken {
            return;
        }
        let pipe = this.pipe(dir);
        if pipe.silent {
            pipe.held.push(bytes);
            return;
        }
        let Some(bytes) = bytes else { return self.closed(link, dir, "closed by the other end") };
        pipe.inbox.extend_from_slice(&bytes);
        match dir {
            Dir::Up => self.read_at_hub(link),
            Dir::Down => self.read_at_client(link),
        }
    }

    /// One end learns that there is no connection any more.
    fn closed(&mut self, link: LinkId, dir: Dir, reason: &str) {
        let this = &mut self.links[link];
        let pc = this.pc;
        match dir {
            Dir::Up => {
                let Some(member) = this.member.take() else { return };
                this.down.clear();
                match &mut self.hub {
                    Hub::Ours(_) => {
                        self.feed_hub(server::Input::Lost(member, reason.to_owned()));
                        self.hub_loses_uploads(member);
                        if let Hub::Ours(hub) = &mut self.hub {
                            hub.members.remove(&member);
                        }
                    }
                    Hub::Old(_) => self.old_hub_loses(link),
                    Hub::Down => {}
                }
            }
            Dir::Down => {
                if !std::mem::replace(&mut this.client_open, false) {
                    return;
                }
                this.up.clear();
                self.pcs[pc].link = None;
                match &mut self.pcs[pc].brain {
                    Brain::Ours(_) => {
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

    fn client_closes(&mut self, pc: usize) {
        let Some(link) = self.pcs[pc].link else { return };
        self.links[link].up.clear();
        let (delay, last) = (self.links[link].up.delay, self.links[link].up.last_arrival);
        self.at(last.max(self.now + delay), Ev::Arrive(link, Dir::Up, None));
        self.after(MILLISECOND, Ev::Broken(link, Dir::Down));
    }

    /// The connection breaks: what is under way is lost, and the ends learn of it at their own times.
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

    // ---- what a client's host does ----------------------------------------------------------------

    fn read_at_client(&mut self, link: LinkId) {
        let pc = self.links[link].pc;
        while self.links[link].client_open {
            if let Brain::Ours(ours) = &self.pcs[pc].brain
                && ours.lanes[0].len() > WRITES_MAX
            {
                return;
            }
            let inbox = &mut self.links[link].down.inbox;
            let payload = frame::split(inbox, frame::PAYLOAD_BYTES_MAX).expect("our own frame");
            let Some(payload) = payload else { return };
            let message = Message::read(&payload).expect("our own message");
            match (&self.pcs[pc].brain, message) {
                (_, Message::Credit(credit)) => self.client_gets_credit(link, credit),
                (Brain::Ours(_), Message::Data(data)) => self.client_takes(pc, data),
                (Brain::Ours(_), message) => {
                    self.feed(pc, client::Input::Received(message));
                }
                (Brain::Old(_), message) => self.old_receives(pc, message),
                (Brain::Liar(_), message) => self.liar_receives(pc, message),
            }
        }
    }

    /// What this PC has already must never be sent to it.
    fn check_offer(&self, pc: usize, message: &Message) {
        let (Message::SyncOffer(offer), Brain::Ours(ours)) = (message, &self.pcs[pc].brain) else {
            return;
        };
        let Some(machine) = &ours.machine else { return };
        if offer.role != Role::Target || !matches!(self.hub, Hub::Ours(_)) {
            return;
        }
        let own = machine.manifest();
        for file in offer.files.iter().flatten().filter(|file| file.copy_from.is_none()) {
            let hash = file.info.sha256.parse().expect("our own digest");
            let held = own.iter().any(|entry| entry.content.hash == hash);
            let since = ours.published.get(&hash).copied().unwrap_or(u64::MAX);
            let long_known = since.saturating_add(60 * SECOND) < self.now;
            assert!(
                !(held && long_known),
                "{} is to download {} although it has that content",
                self.pcs[pc].name,
                file.info.rel_path
            );
        }
    }

    fn disk_request(&mut self, pc: usize, op: OpId, request: DiskRequest) {
        let lane = match &request {
            DiskRequest::Read { .. } => 1,
            DiskRequest::List | DiskRequest::Hash(_) => 2,
            _ => 0,
        };
        if !matches!(request, DiskRequest::List) {
            self.mark_busy(|| format!("disk request at PC {pc}"));
        }
        let Brain::Ours(ours) = &mut self.pcs[pc].brain else { return };
        match &request {
            DiskRequest::Receive { stage, transfer, .. } => {
                ours.expected.insert(*transfer, *stage);
            }
            DiskRequest::Park(stage) | DiskRequest::Discard(stage) => {
                ours.expected.retain(|_, expected| expected != stage);
            }
            _ => {}
        }
        ours.lanes[lane].push_back(Job::Request(op, request));
        self.wake_lane(pc, lane);
    }

    pub(crate) fn disk_piece(&mut self, pc: usize, stage: StageId, data: Data) {
        let Brain::Ours(ours) = &mut self.pcs[pc].brain else { return };
        ours.lanes[0].push_back(Job::Piece(stage, data));
        self.wake_lane(pc, 0);
    }

    /// A piece gets its turn. Returns what came of the file, once that is known.
    fn piece_turn(&mut self, pc: usize, stage: StageId, data: Data) -> Option<(OpId, DiskOutcome)> {
        let Pc { brain: Brain::Ours(ours), disk, .. } = &mut self.pcs[pc] else { return None };
        let taking = ours.taking.get_mut(&stage)?;
        let mut write = || -> Result<(), client::DiskFault> {
            let wrong = |fault: liverysync_core::transfer::TransferFault| client::DiskFault {
                kind: client::DiskFaultKind::Other,
                message: fault.to_string(),
            };
            let mut unpacker = Unpacker::default();
            let bytes =
                taking.receiver.unpack(data.offset, &data.body, &mut unpacker).map_err(wrong)?;
            let bytes = Bytes::copy_from_slice(bytes);
            done(disk.apply(DiskRequest::Write(stage, data.offset, bytes)))?;
            if data.last {
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
        let op = ours.taking.remove(&stage)?.op;
        Some((op, DiskOutcome::Received(outcome)))
    }

    /// What a request about a file that comes under a number brings about; `None` if it is another one.
    fn taking_turn(
        &mut self,
        pc: usize,
        op: OpId,
        request: &DiskRequest,
    ) -> Option<Option<DiskOutcome>> {
        let Pc { brain: Brain::Ours(ours), disk, .. } = &mut self.pcs[pc] else { return None };
        match request {
            DiskRequest::Receive { stage, content, .. } => {
                if let Some(taking) = ours.taking.get_mut(stage) {
                    taking.op = op;
                    return Some(None);
                }
                let created = done(disk.apply(DiskRequest::Create(*stage, content.size)));
                if created.is_err() {
                    return Some(Some(DiskOutcome::Received(created)));
                }
                ours.taking.insert(*stage, Taking { op, receiver: Receiver::new(*content) });
                Some(None)
            }
            DiskRequest::Park(stage) => {
                let taking = ours.taking.get(stage);
                let bytes = taking.map_or(0, |taking| taking.receiver.received());
                Some(Some(DiskOutcome::Parked(bytes)))
            }
            DiskRequest::Discard(stage) => {
                ours.taking.remove(stage);
                None
            }
            _ => None,
        }
    }

    fn wake_lane(&mut self, pc: usize, lane: usize) {
        let pace = self.pcs[pc].disk_pace;
        let delay = self.rng.range(pace / 10, pace * 2);
        let epoch = self.pcs[pc].epoch;
        let Brain::Ours(ours) = &mut self.pcs[pc].brain else { return };
        if !ours.lanes[lane].is_empty() && !std::mem::replace(&mut ours.lane_busy[lane], true) {
            self.after(delay, Ev::Disk(pc, epoch, lane));
        }
    }

    fn disk_turn(&mut self, pc: usize, lane: usize) {
        let later = self.rng.below(self.pcs[pc].disk_pace);
        let (epoch, now) = (self.pcs[pc].epoch, self.now);
        let Brain::Ours(ours) = &mut self.pcs[pc].brain else { return };
        ours.lane_busy[lane] = false;
        let Some(job) = ours.lanes[lane].pop_front() else { return };
        // Outcomes of one lane come back in the order of its requests.
        let at = ours.last_outcome[lane].max(now + later);
        ours.last_outcome[lane] = at;
        let dry = ours.config.dry_run;
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
            DiskRequest::Recall
                | DiskRequest::List
                | DiskRequest::Hash(_)
                | DiskRequest::Read { .. }
        );
        assert!(!dry || harmless, "a dry run touches nothing: {request:?}");
        self.note(&op.0.to_le_bytes());
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
                            Brain::Ours(ours) => ours.published.contains_key(&old.hash),
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

    // ---- what the server's host does ----------------------------------------------------------------

    pub(crate) fn start_hub(&mut self) {
        let (now, seed) = (Time::from_nanos(self.now), self.rng.next());
        self.hub_epoch += 1;
        self.withheld.clear();
        self.refused.clear();
        let machine = ServerMachine::new(self.server_config.clone(), seed, now);
        self.hub = Hub::Ours(Box::new(OurHub {
            machine,
            members: BTreeMap::new(),
            store: Store::default(),
            next_member: 1,
            wake: None,
        }));
        self.drain_hub();
    }

    pub(crate) fn stop_hub(&mut self) {
        self.say(|| "the server stops".into());
        self.hub = Hub::Down;
        self.hub_epoch += 1;
        for link in 0..self.links.len() {
            if self.links[link].client_open || self.links[link].member.is_some() {
                self.links[link].member = None;
                self.break_link(link);
            }
        }
    }

    fn hub_timer(&mut self) {
        match &mut self.hub {
            Hub::Ours(hub) => {
                if hub.wake == Some(self.now) {
                    hub.wake = None;
                    self.feed_hub(server::Input::Timeout);
                }
            }
            Hub::Old(_) => self.old_hub_tick(),
            Hub::Down => {}
        }
    }

    pub(crate) fn feed_hub(&mut self, input: server::Input) {
        let now = Time::from_nanos(self.now);
        if let Hub::Ours(hub) = &mut self.hub {
            hub.machine.handle_input(now, input);
            self.drain_hub();
        }
    }

    fn drain_hub(&mut self) {
        loop {
            let epoch = self.hub_epoch;
            let Hub::Ours(hub) = &mut self.hub else { return };
            match hub.machine.poll_output() {
                server::Output::Transmit(member, message) => {
                    if let Some(link) = hub.members.get(&member).copied() {
                        self.check_offer(self.links[link].pc, &message);
                        self.send(link, Dir::Down, Queued { message, note: Note::None });
                    }
                }
                server::Output::OpenRelay { source, sync_id, relay } => {
                    self.hub_opens(source, sync_id, relay);
                }
                server::Output::Deliver(member, deliver) => {
                    if let Some(link) = hub.members.get(&member).copied() {
                        self.hub_delivers(link, deliver);
                    }
                }
                server::Output::StopDelivering(member, transfer) => {
                    if let Some(link) = hub.members.get(&member).copied() {
                        self.hub_stops(link, transfer);
                    }
                }
                server::Output::Forget(hash) => self.hub_forgets(hash),
                server::Output::AbandonRelay { source, sync_id } => {
                    self.hub_abandons(source, sync_id);
                }
                server::Output::DropRelay(source, sync_id) => self.hub_drops(source, sync_id),
                server::Output::Close(member, reason) => {
                    let link = hub.members.get(&member).copied();
                    hub.members.remove(&member);
                    self.hub_loses_uploads(member);
                    if let Some(link) = link {
                        self.say(|| format!("the server closes link {link}: {reason}"));
                        self.hub_closes(link);
                    }
                }
                server::Output::Event(event) => self.server_event(event),
                server::Output::Timeout(wake) => {
                    let at = wake.map(|wake| wake.at.as_nanos().max(self.now));
                    if let Some(at) = at
                        && hub.wake != Some(at)
                    {
                        hub.wake = Some(at);
                        self.at(at, Ev::HubTimer(epoch));
                    } else if at.is_none() {
                        hub.wake = None;
                    }
                    return;
                }
            }
        }
    }

    fn hub_closes(&mut self, link: LinkId) {
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

    fn read_at_hub(&mut self, link: LinkId) {
        while let Some(member) = self.links[link].member {
            let greeted = self.links[link].greeted;
            let limit = if greeted { frame::PAYLOAD_BYTES_MAX } else { frame::STRANGER_BYTES_MAX };
            let inbox = &mut self.links[link].up.inbox;
            let payload = frame::split(inbox, limit).expect("our own frame");
            let Some(payload) = payload else { return };
            let message = Message::read(&payload).expect("our own message");
            if matches!(message, Message::Hello(_)) {
                self.links[link].greeted = true;
            }
            match &self.hub {
                Hub::Ours(_) => self.hub_receives(link, member, message),
                Hub::Old(_) => self.old_hub_receives(link, message),
                Hub::Down => return,
            }
        }
    }

    fn hub_receives(&mut self, link: LinkId, member: MemberId, message: Message) {
        match message {
            Message::Credit(credit) => self.hub_gets_credit(link, credit),
            message if message.is_data() => self.hub_takes(link, member, message),
            message => self.feed_hub(server::Input::Received(member, message)),
        }
    }

    // ---- looking at the world -----------------------------------------------------------------------

    pub(crate) fn server(&self) -> &ServerMachine {
        match &self.hub {
            Hub::Ours(hub) => &hub.machine,
            _ => panic!("there is no server of ours"),
        }
    }

    /// Runs until nothing but signs of life has happened for `quiet`, and fails after `bound`.
    pub(crate) fn run_until_rest(&mut self, quiet: u64, bound: u64) {
        let end = self.now + bound;
        loop {
            let until = (self.busy_at.max(self.now) + SECOND).min(end);
            while self.step(until) {}
            let idle = self.now.saturating_sub(self.busy_at) >= quiet;
            if idle && self.is_settled() {
                return;
            }
            assert!(self.now < end, "no rest after {} s: {}", bound / SECOND, self.unrest());
        }
    }

    fn is_settled(&self) -> bool {
        let hub = match &self.hub {
            Hub::Ours(hub) => hub.machine.sessions_open() == 0,
            _ => true,
        };
        hub && self.pcs.iter().all(|pc| match &pc.brain {
            Brain::Ours(ours) if pc.running && !pc.offline => {
                ours.config.dry_run || ours.machine.as_ref().is_some_and(ClientMachine::is_in_step)
            }
            _ => true,
        })
    }

    fn unrest(&self) -> String {
        let mut lines = vec![format!(
            "last busy {} s ago with {}",
            (self.now - self.busy_at) / SECOND,
            self.busy_with
        )];
        if let Hub::Ours(hub) = &self.hub {
            lines.push(format!("{} sessions open", hub.machine.sessions_open()));
        }
        for pc in &self.pcs {
            if let Brain::Ours(ours) = &pc.brain
                && let Some(machine) = &ours.machine
            {
                let standing = ours
                    .events
                    .iter()
                    .rev()
                    .find(|event| matches!(event, client::Event::Standing { .. }));
                let in_step = machine.is_in_step();
                lines.push(format!("{}: in step {in_step}, last {standing:?}", pc.name));
            }
        }
        lines.join("; ")
    }
}

/// The outcome of a request that only succeeds or fails.
fn done(outcome: DiskOutcome) -> Result<(), client::DiskFault> {
    match outcome {
        DiskOutcome::Done(done) => done,
        _ => Ok(()),
    }
}

fn brief(message: &Message) -> String {
    match message {
        Message::FileChunk(chunk) => {
            format!(
                "CHUNK {} {} at {} +{}",
                chunk.sync_id,
                chunk.rel_path,
                chunk.offset,
                chunk.data.len()
            )
        }
        Message::Data(data) => {
            let end = if data.last { " end" } else { "" };
            format!("DATA {} at {} +{}{end}", data.transfer, data.offset, data.body.len())
        }
        Message::ManifestFull(full) => format!("MANIFEST_FULL of {}", full.manifest.len()),
        other => format!("{other:?}"),
    }
}
