//! The world of one run: PCs, links, a server, virtual time, and the glue that a real host has.

mod lanes;
mod links;
mod pcs;
mod servers;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use bytes::Bytes;
use liverysync_core::{
    client::StageId,
    client::{self, ClientConfig, ClientMachine, DiskOutcome, DiskRequest, Now, OpId},
    hash::{Content, ContentHash},
    inspect::ContentFacts,
    league::{Act, ActError, ActReport, Record, Setting},
    server::{self, ServerConfig, ServerMachine, Withheld},
    time::{Time, UnixTime},
    transfer::Receiver,
    union::PeerId,
    wire::{
        data::{Data, Decoder, TransferId},
        frame,
        messages::{ActReply, ActRequest, Message, Role},
    },
};

use self::pcs::Told;
use crate::{
    book::Book,
    disk::{Disk, Trace},
    known,
    liar::Liar,
    net::{Dir, Link, LinkId, Note, Pipe, Queued, cut_frame},
    old_pc::OldPc,
    old_server::OldServer,
    plane::{Store, Taking},
    rng::Rng,
    trace,
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
    /// Bytes, or the end of the stream, reach the peer.
    Arrive(LinkId, Dir, Option<Bytes>),
    /// One end is told that the connection broke.
    Broken(LinkId, Dir),
    PcTimer(usize, u64),
    ServerTimer(u64),
    /// The disk gets to the first request of a lane.
    Disk(usize, u64, usize),
    Outcome(usize, u64, OpId, DiskOutcome),
    /// A client is told how far a file is that it sends.
    Sending(usize, u64, TransferId, client::Progress),
    /// The server is told how far a file is that it sends.
    Delivering(u64, LinkId, TransferId, client::Progress),
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

/// A request that waits for a disk.
enum Job {
    Request(OpId, DiskRequest),
    Piece(StageId, Data),
}

/// A client of protocol 2 with its host.
pub(crate) struct NewPc {
    pub(crate) config: ClientConfig,
    pub(crate) machine: Option<ClientMachine>,
    wake: Option<u64>,
    pub(crate) events: Vec<client::Event>,
    /// Files that it has reported to the server, on any link.
    said: Told,
    /// Files that the server has heard of on this link.
    heard: Told,
    /// Stages for the bytes that come under each number.
    pub(crate) expected: BTreeMap<TransferId, StageId>,
    taking: BTreeMap<StageId, Taking>,
    /// Bytes of files that have come.
    pub(crate) arrived: u64,
    lanes: [VecDeque<Job>; 3],
    lane_busy: [bool; 3],
    last_outcome: [u64; 3],
}

impl NewPc {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            config,
            machine: None,
            wake: None,
            events: Vec::new(),
            said: Told::default(),
            heard: Told::default(),
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
    New(Box<NewPc>),
    Old(Box<OldPc>),
    Liar(Box<Liar>),
}

/// The connection of a PC.
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
    /// Error of its date.
    pub(crate) skew: i64,
    /// True if it says of every file that its bytes were wrong.
    pub(crate) spoils: bool,
}

pub(crate) struct NewServer {
    pub(crate) machine: ServerMachine,
    members: BTreeMap<PeerId, LinkId>,
    pub(crate) store: Store,
    next_member: u64,
    wake: Option<u64>,
}

pub(crate) enum SimServer {
    Down,
    New(Box<NewServer>),
    Old(Box<OldServer>),
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    queue: BinaryHeap<Reverse<Item>>,
    seq: u64,
    pub(crate) links: Vec<Link>,
    pub(crate) pcs: Vec<Pc>,
    pub(crate) server: SimServer,
    pub(crate) server_epoch: u64,
    pub(crate) server_config: ServerConfig,
    /// True if the server's records and store outlive it.
    pub(crate) remembers: bool,
    pub(crate) records: Vec<Record>,
    pub(crate) book: Book,
    /// Answers to the acts of admins.
    pub(crate) acted: Vec<(u64, Result<ActReport, ActError>)>,
    /// Answers to the acts of owners.
    pub(crate) replies: Vec<ActReply>,
    stored: Store,
    pub(crate) server_events: Vec<server::Event>,
    /// The facts of the contents that the server has asked to have inspected.
    pub(crate) to_inspect: Vec<(Content, ContentFacts)>,
    /// Contents that the server has asked to have verified, and their number so far.
    pub(crate) to_verify: Vec<ContentHash>,
    pub(crate) verified: usize,
    /// Contents that the server's disk does not read.
    pub(crate) store_faults: BTreeMap<ContentHash, client::DiskFault>,
    pub(crate) withheld: BTreeMap<String, BTreeMap<String, Withheld>>,
    pub(crate) refused: BTreeSet<(String, String)>,
    /// Every content that a driver ever put anywhere, complete or not.
    pub(crate) legit: BTreeSet<ContentHash>,
    /// Contents that a driver himself deleted or overwrote.
    pub(crate) given_up: BTreeSet<ContentHash>,
    /// The PCs whose drivers have spelled a livery in their own way, with its folded name.
    pub(crate) spelled_by_hand: BTreeSet<(usize, String)>,
    /// Contents that an admin has retired.
    pub(crate) put_away: BTreeSet<Content>,
    /// Contents that were complete on a driver's disk.
    pub(crate) treasured: BTreeSet<Content>,
    /// Contents that sync replaced somewhere, with the place.
    pub(crate) replaced: BTreeMap<Content, String>,
    /// The last time that something happened that is no sign of life.
    pub(crate) busy_at: u64,
    /// Its name.
    pub(crate) busy_with: String,
    /// Number of times that each old client was offered each content: (PC, path, hash).
    pub(crate) begun: BTreeMap<(usize, String, String), u32>,
    pub(crate) trace: trace::Trace,
    pub(crate) log: bool,
    pub(crate) steps: u64,
    spins: u32,
    pub(crate) connections: u64,
    pub(crate) acts: VecDeque<u64>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut server_config = ServerConfig::default();
        // In a world, anyone may update unless it says otherwise.
        server_config.settings_given = [Setting::Updates].into();
        Self {
            now: SECOND,
            rng: Rng::new(seed),
            queue: BinaryHeap::new(),
            seq: 0,
            links: Vec::new(),
            pcs: Vec::new(),
            server: SimServer::Down,
            server_epoch: 0,
            server_config,
            remembers: false,
            records: Vec::new(),
            book: Book::default(),
            acted: Vec::new(),
            replies: Vec::new(),
            stored: Store::default(),
            server_events: Vec::new(),
            to_inspect: Vec::new(),
            to_verify: Vec::new(),
            verified: 0,
            store_faults: BTreeMap::new(),
            withheld: BTreeMap::new(),
            refused: BTreeSet::new(),
            legit: BTreeSet::new(),
            given_up: BTreeSet::new(),
            spelled_by_hand: BTreeSet::new(),
            put_away: BTreeSet::new(),
            treasured: BTreeSet::new(),
            replaced: BTreeMap::new(),
            busy_at: 0,
            busy_with: String::new(),
            begun: BTreeMap::new(),
            trace: trace::Trace::default(),
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

    pub(crate) fn mark_busy(&mut self, what: impl FnOnce() -> String) {
        self.busy_at = self.now;
        self.busy_with = what();
    }

    /// Jumps to the next thing that happens, unless that is after `until`.
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
            Ev::ServerTimer(epoch) if self.server_epoch == epoch => self.server_timer(),
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
            Ev::Delivering(epoch, link, transfer, progress) if self.server_epoch == epoch => {
                if let Some(member) = self.links[link].member {
                    self.feed_server(server::Input::Downloaded(member, transfer, progress));
                }
            }
            Ev::Partial(epoch, hash, bytes) if self.server_epoch == epoch => {
                self.feed_server(server::Input::Partial(hash, bytes));
            }
            Ev::Act(number) => self.acts.push_back(number),
            _ => {}
        }
    }

    // ---- looking at the world -----------------------------------------------------------------------

    pub(crate) fn server(&self) -> &ServerMachine {
        match &self.server {
            SimServer::New(server) => &server.machine,
            _ => panic!("there is no server of protocol 2"),
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
        let server = match &self.server {
            SimServer::New(server) => server.machine.sessions_open() == 0,
            _ => true,
        };
        let mut online = self.pcs.iter().filter(|pc| pc.running && !pc.offline);
        server
            && online.all(|pc| match &pc.brain {
                Brain::New(new_pc) => {
                    new_pc.config.dry_run
                        || new_pc.machine.as_ref().is_some_and(ClientMachine::is_in_sync)
                }
                // Its program may be about to connect again: nothing else would say so.
                Brain::Old(_) | Brain::Liar(_) => pc.link.is_some(),
            })
    }

    fn unrest(&self) -> String {
        let mut lines = vec![format!(
            "last busy {} s ago with {}",
            (self.now - self.busy_at) / SECOND,
            self.busy_with
        )];
        if let SimServer::New(server) = &self.server {
            lines.push(format!("{} sessions open", server.machine.sessions_open()));
        }
        for pc in &self.pcs {
            if pc.link.is_none() {
                lines.push(format!("{} is not connected", pc.name));
            }
            if let Brain::New(new_pc) = &pc.brain
                && let Some(machine) = &new_pc.machine
            {
                let sync_status = new_pc
                    .events
                    .iter()
                    .rev()
                    .find(|event| matches!(event, client::Event::SyncStatus { .. }));
                let in_sync = machine.is_in_sync();
                lines.push(format!("{}: in sync {in_sync}, last {sync_status:?}", pc.name));
            }
        }
        lines.join("; ")
    }
}

/// Returns the outcome of a request that only succeeds or fails.
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
