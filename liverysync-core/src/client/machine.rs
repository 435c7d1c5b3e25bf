//! The client's top machine. It hands each input to the part that it concerns, and carries what one part has decided to
//! the others.

use std::collections::BTreeSet;

use super::{
    ClientConfig, DiskOutcome, DiskRequest, Event, Input, LiveryGlobs, Now, OpId, Output,
    context::{Context, Purpose},
    downloads::{DownloadFile, Downloads},
    dry_run::DryRun,
    first_contact::FirstContact,
    folder::Folder,
    link::{Link, LinkAction},
    protocol_1::{Dialect, SyncGuess},
    publisher::Publisher,
    respelling::Respelling,
    retiring::Retiring,
    sync_status::SyncState,
    unmatched::UnmatchedGlobs,
    uploads::Uploads,
};
use crate::{
    manifest::Manifest,
    time::{Earliest, Wake},
    wire::messages::{
        ErrorReport, Fault, Message, OwnerNotice, RequestManifest, Role, SyncId, SyncOffer, Welcome,
    },
};

/// A driver's client without its socket and its disk. See the [module documentation](super).
#[derive(Debug)]
pub struct ClientMachine {
    cx: Context,
    folder: Folder,
    publisher: Publisher,
    first_contact: FirstContact,
    downloads: Downloads,
    uploads: Uploads,
    retiring: Retiring,
    respelling: Respelling,
    sync_state: SyncState,
    unmatched: UnmatchedGlobs,
    dry_run: DryRun,
    /// Set once `.tmp` holds nothing of an earlier run, so that files may be staged there.
    swept: bool,
}

impl ClientMachine {
    /// Makes a client that will clean up, scan its folder and connect. `seed` spreads the retries of many clients over
    /// time.
    #[must_use]
    pub fn new(config: ClientConfig, seed: u64, now: Now) -> Self {
        let config = config.fitted();
        let dry_run = config.dry_run;
        let folder = Folder::new(&config, now.time);
        let mut machine = Self {
            cx: Context::new(config, Link::new(now.time, seed), now),
            folder,
            publisher: Publisher::default(),
            first_contact: FirstContact::default(),
            downloads: Downloads::default(),
            uploads: Uploads::default(),
            retiring: Retiring::default(),
            respelling: Respelling::default(),
            sync_state: SyncState::new(SyncGuess::new(now.time)),
            unmatched: UnmatchedGlobs::default(),
            dry_run: DryRun::default(),
            swept: dry_run,
        };
        if !dry_run {
            // Stages are numbered from 1 in every run, so what an earlier run left would be in the way.
            machine.cx.request(DiskRequest::Sweep, Purpose::Sweep);
        }
        // Comes before the first listing, so that known files are not read again.
        machine.cx.request(DiskRequest::LoadCache, Purpose::Folder);
        if dry_run {
            machine.cx.request(DiskRequest::LoadObstacles, Purpose::LoadObstacles);
        }
        machine
    }

    /// Returns the files that this PC publishes.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        self.folder.manifest().clone()
    }

    /// Returns whether this PC is in sync, as far as server and client know.
    #[must_use]
    pub const fn is_in_sync(&self) -> bool {
        self.sync_state.is_in_sync()
    }

    /// Takes in one thing that has happened.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        debug_assert!(self.cx.is_drained(), "outputs must be drained before the next input");
        self.cx.advance(now);
        let now = self.cx.now.time;
        match input {
            Input::LinkUp => self.cx.link.handle_up(now),
            Input::LinkDown(reason) => self.handle_link_down(reason),
            Input::Received(message) => self.handle_message(message),
            Input::ChunkSent(sync_id) => {
                self.uploads.by_chunks.handle_chunk_sent(&mut self.cx, &sync_id);
            }
            Input::Sending(transfer, progress) => {
                let (cx, folder) = (&mut self.cx, &mut self.folder);
                self.uploads.handle_progress(cx, folder, transfer, progress);
            }
            Input::Arrived(transfer, bytes) => {
                self.downloads.handle_arrived(&mut self.cx, transfer, bytes);
            }
            Input::Disk(op, outcome) => self.handle_disk(op, outcome),
            Input::FolderChanged => self.folder.handle_change(now, !self.downloads.is_idle()),
            Input::Sync => self.handle_sync_request(),
            Input::Ignore(ignored) => self.handle_ignore(ignored),
            Input::Share(share) => self.handle_share(share),
            Input::Timeout => {}
        }
        self.finish_sessions();
        // Timers run after every input. So nothing depends on a host that wakes exactly on time.
        self.handle_timeout();
        self.finish_sessions();
        self.check_in_sync();
        self.dry_run.handle_timeout(&mut self.cx, &mut self.folder, &mut self.unmatched);
    }

    /// Ends all sessions, and says so to a server of protocol 1, which would wait forever. Send what this hands out, then
    /// close the link.
    pub fn handle_goodbye(&mut self, now: Now) {
        self.cx.advance(now);
        // First of all: a host that is being killed may not get to the end of this.
        self.folder.save(&mut self.cx);
        self.downloads.obstacles.save(&mut self.cx);
        let downloads = self.downloads.sync_ids();
        let sessions: BTreeSet<_> =
            downloads.into_iter().chain(self.uploads.sync_ids().cloned()).collect();
        for sync_id in sessions {
            self.cx.report(&sync_id, "this client stops", None);
            self.abort_session(&sync_id);
        }
        // The next run cannot resume them: it empties `.tmp` first.
        self.downloads.discard_parked(&mut self.cx);
    }

    /// Returns the next thing to do. Call until it returns [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        self.cx.poll_output().unwrap_or_else(|| Output::Timeout(self.next_wake()))
    }

    fn handle_link_down(&mut self, reason: String) {
        let retry_in = self.cx.link.handle_down(self.cx.now.time, &self.cx.config);
        // Before the sessions end: there is nobody to report them to.
        self.publisher.handle_link_down();
        self.respelling.handle_link_down();
        self.first_contact.handle_link_down();
        self.sync_state.handle_link_down();
        self.uploads.handle_link_down();
        self.downloads.handle_link_down(&mut self.cx, &mut self.folder);
        self.finish_sessions();
        self.cx.event(Event::Disconnected { reason, retry_in });
    }

    fn handle_message(&mut self, message: Message) {
        self.cx.link.handle_message(self.cx.now.time);
        match message {
            Message::Welcome(welcome) if self.cx.link.is_greeting() => {
                self.handle_welcome(&welcome);
            }
            _ if self.cx.link.is_greeting() => {
                self.cx.disconnect("the server did not greet; is it a livery server?");
            }
            message if self.cx.link.is_up() => self.handle_greeted(message),
            // The host was asked to close the link. What it still brings is about sessions that are gone.
            _ => {}
        }
    }

    fn handle_welcome(&mut self, welcome: &Welcome) {
        let dialect = Dialect::of(welcome);
        let speaks_v2 = dialect.speaks_v2();
        // Protocol 1 shows what it has only to a client that takes part, and who takes part gets files.
        if self.cx.config.dry_run && !speaks_v2 {
            return self.cx.disconnect(
                "this server speaks protocol 1 and cannot tell what it has without syncing",
            );
        }
        if let Some(reason) = dialect.other_build(welcome) {
            return self.cx.disconnect(reason);
        }
        let now = self.cx.now.time;
        self.cx.link.handle_welcome(now, dialect, &self.cx.config);
        self.cx.reset_naming();
        self.sync_state.guess.handle_welcome(now);
        self.cx.event(Event::Connected { speaks_v2 });
        let asks = self.first_contact.handle_welcome(&mut self.cx, &mut self.folder);
        self.publisher.handle_welcome(&mut self.cx, &self.folder, asks);
    }

    fn handle_greeted(&mut self, message: Message) {
        let (cx, folder) = (&mut self.cx, &mut self.folder);
        match message {
            Message::SyncOffer(offer) => self.handle_offer(offer),
            Message::SendFiles(request) => {
                self.sync_state.guess.handle_session(cx.now.time);
                self.uploads.handle_request(cx, folder, request);
            }
            Message::FileBegin(begin) => self.downloads.handle_file_begin(cx, folder, begin),
            Message::FileChunk(chunk) => self.downloads.handle_file_chunk(cx, folder, chunk),
            Message::FileEnd(end) => self.downloads.handle_file_end(cx, folder, &end),
            Message::ServerState(state) => {
                if state.former_keys_known {
                    cx.handle_former_keys_known();
                }
                self.respelling.handle_state(cx, folder, &state.respelled);
                self.sync_state.handle_state(cx, folder, &self.publisher, state);
            }
            // A dry run would become a member by its answer, and a first contact answers once it knows what to say.
            Message::RequestManifest(_)
                if !cx.config.dry_run && !self.first_contact.is_asking() =>
            {
                self.publisher.publish(cx, folder);
            }
            Message::ManifestFull(full) if cx.config.dry_run => self.dry_run.handle_union(full),
            Message::ManifestFull(full) if self.first_contact.is_asking() => {
                self.first_contact.handle_union(cx, folder, &full);
                self.publisher.publish(cx, folder);
            }
            Message::Error(report) => self.handle_error(report),
            Message::Notices(told) => {
                // The server has nothing more to say at once. An event for each is enough for a hostile one.
                for OwnerNotice { livery, news, by } in told.notices {
                    cx.event(Event::OwnerNews { livery, news, by });
                }
            }
            Message::Retire(retire) => self.retiring.handle_message(cx, folder, &retire),
            // SYNC_DONE_ACK and PONG change nothing, and the rest is for clients to send.
            _ => {}
        }
    }

    fn handle_offer(&mut self, offer: SyncOffer) {
        self.sync_state.guess.handle_session(self.cx.now.time);
        match offer.role {
            Role::Target => {
                self.downloads.handle_offer(&mut self.cx, &mut self.folder, offer);
            }
            // SEND_FILES will say what to send.
            Role::Source => {
                self.uploads.by_chunks.namesakes.handle_offer(&offer);
                self.cx.event(Event::session_began(&offer));
            }
        }
    }

    fn handle_error(&mut self, report: ErrorReport) {
        let ErrorReport { sync_id, message, rel_path, fault } = report;
        if sync_id.is_none() && fault == Some(Fault::Banned) {
            self.cx.link.handle_refused();
            return self.cx.disconnect("the league has banned you; ask its admin");
        }
        if sync_id.is_none() {
            return self.cx.event(Event::ServerError { reason: message });
        }
        let (cx, folder) = (&mut self.cx, &mut self.folder);
        match rel_path {
            // The other files of the session go on.
            Some(path) => {
                self.downloads.handle_file_error(cx, folder, &sync_id, &path, &message);
            }
            None => self.abort_session(&sync_id),
        }
    }

    /// Gives up a session, whichever way its files go.
    fn abort_session(&mut self, sync_id: &SyncId) {
        self.uploads.abort(&mut self.cx, sync_id);
        self.downloads.abort(&mut self.cx, &mut self.folder, sync_id);
        self.finish_sessions();
    }

    fn handle_disk(&mut self, op: OpId, outcome: DiskOutcome) {
        let Some(purpose) = self.cx.finish(op) else { return };
        let (cx, folder) = (&mut self.cx, &mut self.folder);
        match (purpose, outcome) {
            // Even if it failed: a stage that cannot be created fails by itself later, with its reason.
            (Purpose::Sweep, _) => self.swept = true,
            (Purpose::Folder, outcome) => {
                let scanned = folder.handle_disk(cx, outcome);
                if scanned {
                    self.downloads.obstacles.handle_scanned(cx);
                    self.first_contact.handle_scanned(cx, folder);
                    self.publisher.handle_scanned(cx, folder, &self.downloads);
                }
            }
            (Purpose::Download(step), outcome) => {
                self.downloads.handle_disk(cx, folder, step, outcome);
            }
            (Purpose::Read(read), DiskOutcome::Read(outcome)) => {
                let sync_id = read.sync_id.clone();
                self.uploads.by_chunks.handle_read(cx, folder, read, outcome);
                self.finish_sessions();
                // Even if its session is gone, there is room for a piece of another one.
                self.uploads.by_chunks.pump_all(&mut self.cx, &sync_id);
            }
            (Purpose::Recheck(paths), DiskOutcome::Checked(outcomes)) => {
                let obstacles = &mut self.downloads.obstacles;
                if obstacles.handle_checked(cx, folder, &paths, &outcomes) {
                    self.publisher.handle_unblocked(cx, folder);
                }
            }
            (Purpose::LoadObstacles, DiskOutcome::ObstaclesLoaded(text)) => {
                self.downloads.obstacles.load(&text);
            }
            (Purpose::DryRun, DiskOutcome::Checked(outcomes)) => {
                self.dry_run.handle_checked(cx, &self.downloads.obstacles, outcomes);
            }
            (Purpose::Respell(renames), DiskOutcome::Respelled(outcomes)) => {
                self.respelling.handle_respelled(cx, folder, renames, outcomes);
                // These have waited for it.
                for sync_id in self.downloads.sync_ids() {
                    self.downloads.check(cx, folder, &sync_id, false);
                }
            }
            (Purpose::Retire(paths), DiskOutcome::Retired(outcomes)) => {
                self.retiring.handle_retired(cx, folder, paths, outcomes);
            }
            _ => {}
        }
    }

    fn handle_sync_request(&mut self) {
        let now = self.cx.now.time;
        self.cx.event(Event::SyncBegan { connected: self.cx.link.is_up() });
        self.sync_state.handle_sync_request(now);
        self.folder.scan_by(now);
        // Somebody waits, so even a server that was away a moment ago is tried at once.
        self.cx.link.retry_now(now);
        if self.cx.config.dry_run {
            self.cx.transmit(Message::RequestManifest(RequestManifest::default()));
        }
    }

    fn handle_ignore(&mut self, ignored: LiveryGlobs) {
        if self.cx.config.ignored == ignored {
            return;
        }
        let before = std::mem::replace(&mut self.cx.config.ignored, ignored);
        let config = &self.cx.config;
        let is_wanted_again = |path: &str| before.covers(path) && !config.ignored.covers(path);
        // Nobody knows what this PC has of these liveries, so nothing of them may be replaced yet.
        self.folder.mark_unread(is_wanted_again, &config.rules.extensions);
        self.folder.scan_by(self.cx.now.time);
        self.unmatched.handle_ignored();
        self.publisher.handle_ignored();
        self.downloads.handle_ignored(&mut self.cx, &mut self.folder);
    }

    fn handle_share(&mut self, share: LiveryGlobs) {
        if self.cx.config.share.as_ref() == Some(&share) {
            return;
        }
        self.folder.share(share.clone());
        self.cx.config.share = Some(share);
        self.first_contact.handle_chosen();
        self.unmatched.handle_shared();
        self.publisher.publish_changes(&mut self.cx, &self.folder, &self.downloads);
    }

    /// Tells the server and people about sessions that have ended.
    fn finish_sessions(&mut self) {
        let (cx, folder) = (&mut self.cx, &mut self.folder);
        while let Some((sync_id, session)) = self.downloads.poll_ended() {
            folder.handle_received(cx.now.time, session.installed().map(DownloadFile::entry));
            let downloads = &self.downloads;
            self.publisher.handle_download_ended(cx, folder, downloads, &sync_id, &session);
            self.sync_state.guess.handle_session(cx.now.time);
            cx.event(Event::SessionEnded { sync_id });
            self.downloads.obstacles.save(cx);
        }
        while let Some((sync_id, missing)) = self.uploads.by_chunks.poll_ended() {
            if let Some(path) = missing {
                // Without this, the server would wait for the file forever, and ask for it again.
                cx.report(&sync_id, &format!("not here: {path}"), None);
                self.publisher.handle_unsent(cx, folder);
            }
            self.sync_state.guess.handle_session(cx.now.time);
            cx.event(Event::SessionEnded { sync_id });
        }
    }

    fn handle_timeout(&mut self) {
        let may_connect = self.may_connect();
        let (cx, folder) = (&mut self.cx, &mut self.folder);
        folder.handle_timeout(cx);
        match cx.link.handle_timeout(cx.now.time, &cx.config, may_connect) {
            Some(LinkAction::Connect) => cx.push(Output::Connect),
            Some(LinkAction::GiveUp) => cx.disconnect("the server has been silent for too long"),
            Some(LinkAction::Ping) => cx.transmit(Message::Ping),
            None => {}
        }
        if self.sync_state.handle_timeout(cx) {
            self.publisher.hello(cx, folder);
        }
        self.downloads.handle_timeout(cx, folder);
        self.publisher.handle_timeout(cx, folder);
        let is_idle = self.downloads.is_idle() && self.uploads.is_idle() && self.retiring.is_idle();
        self.respelling.handle_timeout(cx, folder, is_idle);
    }

    fn next_wake(&self) -> Option<Wake> {
        let mut earliest = Earliest::default();
        let wakes = [
            self.folder.next_wake(),
            self.cx.link.next_wake(&self.cx.config, self.may_connect()),
            self.sync_state.next_wake(&self.cx),
            self.downloads.next_wake(&self.cx),
            self.publisher.next_wake(),
            self.respelling.next_wake(self.cx.now.time),
        ];
        wakes.into_iter().flatten().for_each(|wake| earliest.at(wake.at, wake.why));
        earliest.wake()
    }

    /// Returns whether it is known what this PC has, and files may be staged.
    const fn may_connect(&self) -> bool {
        self.swept && self.folder.is_scanned()
    }

    fn check_in_sync(&mut self) {
        // A check that may well find nothing new does not end a sync. Whoever waits for one waits for its outcome.
        let is_checked = self.sync_state.is_in_sync() || !self.downloads.obstacles.is_checking();
        let is_idle = self.downloads.is_idle() && self.uploads.is_idle() && self.retiring.is_idle();
        let is_idle = is_idle && self.respelling.is_idle() && is_checked;
        let (cx, folder, downloads) = (&mut self.cx, &mut self.folder, &mut self.downloads);
        let waiting = &self.first_contact;
        if let Some(event) =
            self.sync_state.check(cx, folder, &self.publisher, downloads, waiting, is_idle)
        {
            self.unmatched.tell(cx, folder, downloads.ignored_offers.liveries());
            folder.handle_in_sync(cx.now.time);
            downloads.discard_parked(cx);
            downloads.obstacles.save(cx);
            cx.event(event);
        }
    }
}
