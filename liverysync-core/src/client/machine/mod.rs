//! The client's top machine: link, publishing, and the sessions in both directions.

mod ignoring;
mod planning;
mod publishing;
mod retiring;
mod source;
mod sync_status;
mod target;
mod timers;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    mem,
    time::Duration,
};

use super::{
    ClientConfig, DiskFault, DiskFaultKind, DiskOutcome, DiskRequest, Event, Ignored, Input,
    InstallFile, InstallPlan, Installed, NAME_CHARS_MAX, Now, OpId, Output, Plan, Progress,
    RetirePlan, SendFile, StageId,
    context::Context,
    folder::Folder,
    inbound::{Arriving, InFile, Inbound, State},
    link::{Link, LinkAction},
    outbound::{Next, OutFile, Outbound, Upload},
    protocol_1::Dialect,
};
use crate::{
    conflict::{conflict_name, is_conflict_name, parse_conflict_name},
    diff::diff,
    hash::{Content, ContentHash},
    league::MemberKey,
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath, fold},
    select::{Reason, Stamp, cached_picture},
    time::{Earliest, Time, UnixTime, Wake},
    transfer::{Compression, Receiver},
    wire::{
        data::TransferId,
        messages::{
            Accept, ErrorReport, Fault, FileBegin, FileChunk, FileEnd, FileInfo, FileRequest,
            Hello, ManifestChanges, ManifestFull, ManifestSummary, Message, OfferedFile,
            PROTOCOL_2, RequestManifest, Resume, Retire, Role, SendFiles, ServerState, SyncDone,
            SyncId, SyncOffer, SyncStatus, Welcome,
        },
    },
};

/// How often a server of protocol 1 is asked for its state by a client that waits for it.
const OLD_STATE_INTERVAL: Duration = Duration::from_secs(5);

/// How long a server of protocol 1 must have had nothing for this client to count as in sync even
/// though its union has another hash: that union may hold what it can never deliver.
const OLD_QUIET: Duration = Duration::from_secs(20);

/// Sessions in each direction that a server may have open with this client; more are refused.
const SESSIONS_MAX: usize = 64;

/// Pieces of files that are read, or wait to be written to the link, at a time over all sessions: the
/// link is never kept waiting, and the host's memory has a bound that no server can raise.
const PIECES_MAX: usize = 8;

/// Files of a broken link of which what came is kept to go on with.
const PARKED_MAX: usize = 64;

/// What an outcome of the disk is for.
#[derive(Debug)]
pub(super) enum Purpose {
    Sweep,
    /// Something that the folder asked for.
    Folder,
    Read(SyncId, OutFile, u64),
    /// A step of a staged file that only matters if it fails.
    Stage(SyncId, StageId),
    Receive(SyncId, StageId),
    Park(Content, StageId),
    Seal(SyncId, StageId),
    Copy(SyncId, StageId),
    Discard,
    Retire(Vec<RelPath>),
    Install(SyncId, Vec<StageId>, Vec<Option<RelPath>>),
}

/// What came of a file over a link that broke.
#[derive(Clone, Copy, Debug)]
struct Parked {
    stage: StageId,
    bytes: u64,
    /// All of it came, and it is right.
    whole: bool,
}

/// A driver's client without its socket and its disk. See the [module documentation](super).
#[derive(Debug)]
pub struct ClientMachine {
    cx: Context,
    folder: Folder,
    /// What the server knows of this PC; `None` until it was told.
    published: Option<Manifest>,
    inbound: BTreeMap<SyncId, Inbound>,
    outbound: BTreeMap<SyncId, Outbound>,
    uploads: BTreeMap<SyncId, Upload>,
    /// Files that had begun to come over a link that broke: where they lie, and how much of them.
    parked: BTreeMap<Content, Parked>,
    /// Whether changes were seen that a session under way would have reported.
    news_held_back: bool,
    /// Pieces that are being read, and pieces that wait to be written to the link.
    reading: usize,
    writing: usize,
    sync_status: Option<SyncStatus>,
    /// Files that are being put away.
    retiring: usize,
    /// Whether this PC wants what it has refused.
    ask_anew: bool,
    /// How often the server has been told of this PC's files, over this link.
    revision: u64,
    /// What a server of protocol 1 has been told of files that did not arrive: it offers them again
    /// at once, and an answer each time would keep it at that without a pause.
    complained: BTreeSet<String>,
    old_state: Option<String>,
    old_state_at: Time,
    /// When a session last began or ended.
    busy_at: Time,
    in_sync: bool,
    /// Whether the host waits to be in sync: a server of protocol 1 has to be asked for that.
    awaited: bool,
    /// Whether nothing is left in `.tmp` of an earlier run.
    swept: bool,
    /// The union that a dry run was told, until it is compared with this PC.
    told_union: Option<ManifestFull>,
}

impl ClientMachine {
    /// Makes a client that will clean up, walk its folder and connect. `seed` spreads its attempts.
    #[must_use]
    pub fn new(config: ClientConfig, seed: u64, now: Now) -> Self {
        let config = config.in_itself_sound();
        let dry_run = config.dry_run;
        let mut machine = Self {
            cx: Context::new(config, Link::new(now.time, seed), now),
            folder: Folder::new(now.time),
            published: None,
            inbound: BTreeMap::new(),
            outbound: BTreeMap::new(),
            uploads: BTreeMap::new(),
            parked: BTreeMap::new(),
            news_held_back: false,
            reading: 0,
            writing: 0,
            sync_status: None,
            retiring: 0,
            ask_anew: false,
            revision: 0,
            complained: BTreeSet::new(),
            old_state: None,
            old_state_at: now.time,
            busy_at: now.time,
            in_sync: false,
            awaited: false,
            swept: dry_run,
            told_union: None,
        };
        if !dry_run {
            machine.cx.request(DiskRequest::Sweep, Purpose::Sweep);
        }
        machine.cx.request(DiskRequest::LoadCache, Purpose::Folder);
        machine
    }

    /// What this PC publishes at present.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        self.folder.manifest().clone()
    }

    /// Whether this PC held the union when the server last said how it stands.
    #[must_use]
    pub const fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    /// Feeds one thing that happened.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        debug_assert!(self.cx.is_drained(), "outputs must be drained before the next input");
        self.cx.advance(now);
        match input {
            Input::LinkUp => self.cx.link.handle_up(self.cx.now.time),
            Input::LinkDown(reason) => self.link_down(reason),
            Input::Received(message) => self.receive(message),
            Input::ChunkSent(sync_id) => {
                self.writing = self.writing.saturating_sub(1);
                if let Some(outbound) = self.outbound.get_mut(&sync_id) {
                    outbound.handle_sent();
                }
                self.pump_all(&sync_id);
            }
            Input::Sending(transfer, progress) => self.sending(transfer, progress),
            Input::Arrived(transfer, bytes) => self.arrived(transfer, bytes),
            Input::Disk(op, outcome) => self.disk(op, outcome),
            Input::Sync => self.sync(),
            Input::FolderChanged => {
                let receiving = !self.inbound.is_empty();
                self.folder.handle_change(self.cx.now.time, receiving);
            }
            Input::Ignore(ignored) => self.ignore(ignored),
            Input::Timeout => {}
        }
        self.run_timers();
        self.check_in_sync();
        self.check_plan();
    }

    fn sync(&mut self) {
        let now = self.cx.now.time;
        self.cx.event(Event::SyncBegan { connected: self.cx.link.is_up() });
        self.awaited = true;
        self.in_sync = false;
        self.folder.scan_by(now);
        self.cx.link.retry_now(now);
        // What an old server said before the host asked says nothing of what the folder holds now.
        self.busy_at = now;
        self.old_state = None;
        self.old_state_at = now + OLD_STATE_INTERVAL;
        if self.cx.config.dry_run {
            self.cx.transmit(Message::RequestManifest(RequestManifest::default()));
        }
    }

    /// Takes leave: open sessions are given up, and an old server is told so, which would otherwise
    /// wait for ever. Close the link once what this hands out has been sent.
    pub fn handle_goodbye(&mut self, now: Now) {
        self.cx.advance(now);
        self.folder.save(&mut self.cx);
        let outbound = self.outbound.keys().chain(self.uploads.keys());
        let sessions: BTreeSet<_> = self.inbound.keys().chain(outbound).cloned().collect();
        for sync_id in sessions {
            self.cx.report(&sync_id, "this client stops", None);
            self.outbound.remove(&sync_id);
            self.stop_upload(&sync_id);
            self.abort_inbound(&sync_id);
        }
        self.discard_parked();
    }

    /// What to do next. Call until it returns [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        self.cx.poll_output().unwrap_or_else(|| Output::Timeout(self.next_wake()))
    }

    fn link_down(&mut self, reason: String) {
        let retry_in = self.cx.link.handle_down(self.cx.now.time, &self.cx.config);
        self.published = None;
        self.sync_status = None;
        self.old_state = None;
        self.complained.clear();
        self.in_sync = false;
        self.outbound.clear();
        self.uploads.clear();
        self.news_held_back = false;
        self.writing = 0;
        for sync_id in self.inbound.keys().cloned().collect::<Vec<_>>() {
            self.abort_inbound(&sync_id);
        }
        self.cx.event(Event::Disconnected { reason, retry_in });
    }

    fn receive(&mut self, message: Message) {
        self.cx.link.handle_message(self.cx.now.time);
        match message {
            Message::Welcome(welcome) if self.cx.link.is_greeting() => self.welcome(&welcome),
            _ if self.cx.link.is_greeting() => {
                self.cx.disconnect("the server did not greet; is it a livery server?");
            }
            message if self.cx.link.is_up() => self.receive_greeted(message),
            _ => {}
        }
    }

    fn receive_greeted(&mut self, message: Message) {
        match message {
            Message::SyncOffer(offer) => self.offer(offer),
            Message::SendFiles(request) => self.send_files(request),
            Message::FileBegin(begin) => self.file_begin(&begin),
            Message::FileChunk(chunk) => self.file_chunk(chunk),
            Message::FileEnd(end) => self.file_end(&end),
            Message::ServerState(state) => self.server_state(state),
            Message::RequestManifest(_) if !self.cx.config.dry_run => self.publish(),
            Message::ManifestFull(full) if self.cx.config.dry_run => self.told_union = Some(full),
            Message::Error(report) => self.server_error(report),
            Message::Retire(retire) => self.retire(&retire),
            // A greeting was had, an acknowledgement changes nothing, and the rest is a client's to send.
            _ => {}
        }
    }

    fn welcome(&mut self, welcome: &Welcome) {
        let dialect = Dialect::of(welcome);
        let ours = dialect.speaks_v2();
        if self.cx.config.dry_run && !ours {
            return self.cx.disconnect(
                "this server is of the old kind and cannot tell what it has without syncing",
            );
        }
        let now = self.cx.now.time;
        self.cx.link.handle_welcome(now, dialect, &self.cx.config);
        self.busy_at = now;
        self.old_state_at = now + OLD_STATE_INTERVAL;
        self.cx.event(Event::Connected { ours });
        self.revision = 0;
        self.hello();
        if self.cx.config.dry_run {
            self.cx.transmit(Message::RequestManifest(RequestManifest::default()));
        } else if ours {
            // HELLO says the hash; the server asks for more if that tells it nothing.
            self.published = Some(self.folder.manifest().clone());
            self.sync_status = None;
        } else {
            self.publish();
        }
    }

    fn server_error(&mut self, report: ErrorReport) {
        if report.sync_id.is_none() {
            return self.cx.event(Event::ServerError { reason: report.message });
        }
        match report.rel_path {
            Some(path) => self.fail_offered(&report.sync_id, &path, &report.message),
            None => {
                self.outbound.remove(&report.sync_id);
                self.stop_upload(&report.sync_id);
                self.abort_inbound(&report.sync_id);
            }
        }
    }

    fn disk(&mut self, op: OpId, outcome: DiskOutcome) {
        let Some(purpose) = self.cx.finish(op) else { return };
        match (purpose, outcome) {
            (Purpose::Sweep, _) => self.swept = true,
            (Purpose::Folder, outcome) => {
                if self.folder.handle_disk(&mut self.cx, outcome) {
                    self.publish_changes();
                    self.take_refusals_back();
                }
            }
            (Purpose::Retire(paths), DiskOutcome::Retired(outcomes)) => {
                self.handle_retired(paths, outcomes);
            }
            (Purpose::Read(sync_id, file, offset), DiskOutcome::Read(outcome)) => {
                self.reading -= 1;
                self.handle_read(sync_id.clone(), file, offset, outcome);
                // Where the session is gone, its room is free for others.
                self.pump_all(&sync_id);
            }
            (Purpose::Receive(sync_id, stage), DiskOutcome::Received(Ok(()))) => {
                self.received(&sync_id, stage);
            }
            (Purpose::Park(content, stage), DiskOutcome::Parked(bytes)) => {
                self.parked(content, stage, bytes);
            }
            (Purpose::Stage(sync_id, stage), DiskOutcome::Done(Err(fault)))
            | (Purpose::Receive(sync_id, stage), DiskOutcome::Received(Err(fault)))
            | (Purpose::Seal(sync_id, stage), DiskOutcome::Done(Err(fault))) => {
                self.fail_stage(&sync_id, stage, &fault.message);
            }
            (Purpose::Copy(sync_id, stage), DiskOutcome::Copied(Err(fault))) => {
                // It is copied as long as it seems to be here, so a file that is gone must not seem so for long.
                self.folder.scan_by(self.cx.now.time);
                self.fail_stage(&sync_id, stage, &fault.message);
            }
            (Purpose::Seal(sync_id, stage), DiskOutcome::Done(Ok(()))) => {
                self.staged(&sync_id, stage, None);
            }
            (Purpose::Copy(sync_id, stage), DiskOutcome::Copied(Ok(content))) => {
                self.staged(&sync_id, stage, Some(content));
            }
            (Purpose::Install(sync_id, stages, kept), DiskOutcome::Installed(outcomes)) => {
                self.handle_installed(&sync_id, &stages, kept, outcomes);
            }
            _ => {}
        }
    }

    fn fail_stage(&mut self, sync_id: &SyncId, stage: StageId, reason: &str) {
        let index = self.inbound.get(sync_id).and_then(|session| session.by_stage(stage));
        if let Some(index) = index {
            self.fail_at(sync_id, index, Fault::Failed, reason);
        }
    }

    /// A file lies whole in `.tmp`. Of a copy it is known only now what it holds.
    fn staged(&mut self, sync_id: &SyncId, stage: StageId, copied: Option<Content>) {
        let Some(session) = self.inbound.get_mut(sync_id) else { return };
        let Some(index) = session.by_stage(stage) else { return };
        let file = &mut session.files[index];
        if copied.is_some_and(|copied| copied != file.content) {
            self.folder.scan_by(self.cx.now.time);
            return self.fail_at(sync_id, index, Fault::Failed, "the file to copy has changed");
        }
        file.state = State::Staged(stage);
        if !session.listed {
            return self.check_inbound(sync_id, false);
        }
        // One file makes no other livery ready, and thousands come.
        if let Some(group) = session.ready_beside(index) {
            self.install(sync_id, &group);
            self.end_settled(sync_id);
        }
    }
}

/// The name under which what this PC publishes at `path` lives on when it is replaced; `None` if
/// nothing would be lost. `replaced` is about to be replaced as well, and `brought` is put in place
/// together with what replaces it.
fn rival_name(
    folder: &Folder,
    path: &RelPath,
    config: &ClientConfig,
    replaced: &BTreeSet<PathKey>,
    brought: &[Content],
) -> Option<RelPath> {
    let own = folder.get(path.key())?;
    let elsewhere = folder.files().iter().any(|other| {
        let key = other.path.key();
        other.content == own.content && key != path.key() && !replaced.contains(key)
    });
    if elsewhere || brought.contains(&own.content) {
        return None;
    }
    let taken = |name: &RelPath| folder.is_taken(name.key());
    conflict_name(path, own.content.hash, &config.naming, taken).ok()
}
