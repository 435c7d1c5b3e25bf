//! The machine: it composes the parts, and carries between them what concerns more than one.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{
    Event, Input, Output, ServerConfig, Status,
    allow_list::tell_unmatched,
    context::Context,
    dirty::Merge,
    downloads::Downloads,
    notices, overview,
    owner_acts::OwnerActs,
    peers::{self, Due, Greeting, poll_manifest, request_manifest},
    reports::Reports,
    retiring::retire_unwanted,
    sync_status::{self, SyncStatuses},
    timers::{Timer, Timers},
    union_step::{self, Reported},
    uploads::{Lost, Uploads, drained},
};
use crate::{
    hash::ContentHash,
    league::{Act, MemberId, Record},
    time::{Time, UnixTime, Wake},
    transfer::UploadEvent,
    union::{PeerId, Union},
    wire::messages::{
        ErrorReport, Hello, LeagueNaming, ManifestFull, Message, SyncDone, SyncId, SyncStatus,
    },
};

/// The league's server without its sockets. See the [module documentation](super).
#[derive(Debug)]
pub struct ServerMachine {
    cx: Context,
    reports: Reports,
    uploads: Uploads,
    downloads: Downloads,
    statuses: SyncStatuses,
    owner_acts: OwnerActs,
    timers: Timers,
}

impl ServerMachine {
    /// Makes a server with no clients. `seed` determines every id that it will hand out.
    #[must_use]
    pub fn new(config: ServerConfig, seed: u64, now: Time) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Tick, now + config.scheduler_tick);
        Self {
            cx: Context::new(config, seed, now),
            reports: Reports::default(),
            uploads: Uploads::default(),
            downloads: Downloads::default(),
            statuses: SyncStatuses::default(),
            owner_acts: OwnerActs::default(),
            timers,
        }
    }

    /// Restores the union from the league database: all records of [`Output::Record`] and [`Output::Acted`], in order.
    #[must_use]
    pub fn with_records<'a>(mut self, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let Context { config, league, .. } = &mut self.cx;
        let (new, differing) = league.replay(config, records);
        self.cx.record(new);
        if !differing.is_empty() {
            self.cx.event(Event::SettingsDiffer { settings: differing });
        }
        self
    }

    /// Takes from the league database from when liveries are held, by folded name and member.
    #[doc(hidden)]
    #[must_use]
    pub fn with_held_since(
        mut self,
        since: BTreeMap<(String, Option<MemberId>), UnixTime>,
    ) -> Self {
        self.cx.league.set_held_since(since);
        self
    }

    /// Returns the union.
    #[must_use]
    pub const fn union(&self) -> &Union {
        self.cx.league.union()
    }

    /// Returns the number of open sessions.
    #[must_use]
    pub fn sessions_open(&self) -> usize {
        self.uploads.len() + self.downloads.len()
    }

    /// Returns the status of the league.
    pub fn status(&mut self) -> Status {
        let sessions = self.sessions_open();
        overview::status(&mut self.cx, sessions)
    }

    /// Handles one thing that happened.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        debug_assert!(self.cx.is_drained(), "outputs must be drained before the next input");
        let cx = &mut self.cx;
        // So no part has to handle a moment that is earlier than the one before.
        cx.now = cx.now.max(now);
        match input {
            Input::Stored(contents) => {
                let union = cx.league.union();
                let unknown = contents.iter().filter(|content| union.facts(**content).is_none());
                let unknown: Vec<_> = unknown.copied().collect();
                contents.into_iter().for_each(|content| cx.mark_stored(content));
                cx.drop_blocked();
                if !unknown.is_empty() {
                    cx.output(Output::Inspect(unknown));
                }
            }
            Input::Inspected(content, facts) => {
                cx.store.mark_inspected(content, facts);
                cx.dirty.merge(Merge::Soon);
            }
            Input::Partial(hash, bytes) => self.handle_partial(hash, bytes),
            Input::Downloaded(id, transfer, progress) => {
                self.downloads.handle_progress(cx, id, transfer, progress);
            }
            Input::StoreLost(hash) => {
                // It may have been removed since then, and another upload may bring it.
                let content = cx.store.content(hash);
                if let Some(content) = content.filter(|content| cx.store.is_stored(*content)) {
                    let reason = "its bytes on the server's disk are damaged".to_owned();
                    self.downloads.handle_store_loss(cx, content, reason);
                }
            }
            Input::Accepted(id, address) => {
                peers::accept(cx, id, address);
                self.downloads.handle_accepted(id, cx.now);
            }
            Input::Lost(id, reason) => self.handle_lost(id, reason),
            Input::Received(id, message) => self.handle_message(id, message),
            Input::Uploaded(source, sync_id, event) => {
                self.handle_uploaded(source, &sync_id, event);
            }
            Input::AllowList(list) => self.handle_allow_list(list),
            Input::Act(number, act) => self.handle_act(number, &act),
            Input::Date(date) => {
                cx.league.handle_date(date);
                self.end_freezes(date);
            }
            Input::Timeout => {}
        }
        self.drain_dirty();
        self.run_timers();
    }

    /// Returns what to do next. Call it until it returns [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        self.cx.poll_output().unwrap_or_else(|| Output::Timeout(self.next_wake()))
    }

    // ---- peers ----------------------------------------------------------------------------------

    fn close(&mut self, id: PeerId, reason: &str) {
        if self.cx.peers.get(id).is_some() {
            self.handle_lost(id, reason.to_owned());
            self.cx.output(Output::Close(id, reason.to_owned()));
        }
    }

    fn handle_lost(&mut self, id: PeerId, reason: String) {
        let cx = &mut self.cx;
        // Removed first, so that nothing below offers it a file or counts it as a source.
        let Some(peer) = cx.peers.remove(id) else { return };
        let name = peer.identity.name;
        self.uploads.handle_lost(cx, &name, &peer.sessions.uploads);
        self.downloads.handle_lost(cx, id, &peer.sessions.downloads);
        // A manifest that the union never merged need not be removed from it.
        let merged = peer.report.merged;
        self.reports.handle_departed(cx, id, peer.report.manifest.filter(|_| merged));
        cx.dirty.plan = true;
        peers::merge_waiting(cx);
        // Nobody was told of a client that never greeted.
        if peer.liveness.greeted {
            cx.event(Event::Left { peer: id, name, reason });
        }
    }

    fn handle_message(&mut self, id: PeerId, message: Message) {
        let cx = &mut self.cx;
        let now = cx.now;
        let Some(peer) = cx.peers.get_mut(id) else { return };
        peer.liveness.heard_at = now;
        let first_time = !peer.liveness.greeted;
        peer.liveness.greeted |= matches!(message, Message::Hello(_));
        if !peer.liveness.greeted {
            return self.close(id, "it did not send HELLO first");
        }
        if !peer.identity.protocol.may_send(&message) {
            return;
        }
        match message {
            Message::Hello(hello) => self.handle_hello(id, hello, first_time),
            Message::ManifestFull(full) => self.handle_manifest(id, full),
            Message::ManifestChanges(changes) => self.reports.handle_changes(cx, id, changes),
            Message::Act(request) => {
                self.owner_acts.handle(cx, &mut self.reports, id, request);
            }
            Message::Accept(accept) => self.downloads.handle_accept(cx, id, accept),
            Message::SyncDone(done) => self.handle_done(id, done),
            Message::Error(report) => self.handle_error(id, &report),
            Message::RequestManifest(_) => overview::tell_union(cx, id),
            Message::Ping => cx.transmit(id, Message::Pong),
            // A summary says nothing that the manifest after it does not say. Everything else is a server's to send, or
            // unknown.
            _ => {}
        }
    }

    fn handle_hello(&mut self, id: PeerId, hello: Hello, first_time: bool) {
        if let Some(reason) = peers::refuse_other_build(&mut self.cx, id, &hello, first_time) {
            return self.close(id, reason);
        }
        // A connection stays the member that its first HELLO has named.
        let banned = first_time.then(|| peers::refuse_banned(&mut self.cx, id, &hello)).flatten();
        if let Some(reason) = banned {
            return self.close(id, reason);
        }
        let hash = hello.manifest_hash.clone();
        match peers::hello(&mut self.cx, id, hello, first_time) {
            // A client that only looks sends no hash.
            Some(Greeting::First) if !hash.is_empty() => {
                let in_sync = self.is_in_sync();
                // It has just what a league in sync has. A step of the union would say nothing more, and the client
                // waits.
                if self.reports.handle_hash(&mut self.cx, id, &hash, in_sync) {
                    sync_status::tell(&mut self.cx, id, SyncStatus::default(), Vec::new());
                }
            }
            Some(Greeting::Again) => self.offer_declined_again(id),
            Some(Greeting::First) | None => {}
        }
    }

    /// Forgets which files a client has refused: another HELLO takes that back.
    fn offer_declined_again(&mut self, id: PeerId) {
        let cx = &mut self.cx;
        let Some(peer) = cx.peers.get_mut(id) else { return };
        if peer.download_faults.clear_refused() {
            cx.dirty.jobs.insert(id);
            cx.dirty.plan = true;
            cx.dirty.schedule();
            cx.dirty.unanswered(id);
        }
    }

    fn handle_manifest(&mut self, id: PeerId, full: ManifestFull) {
        if self.reports.handle_manifest(&mut self.cx, id, full) {
            self.downloads.handle_manifest(&mut self.cx, id);
        }
    }

    fn handle_done(&mut self, id: PeerId, done: SyncDone) {
        if let Some(installed) = self.downloads.handle_done(&mut self.cx, id, done) {
            self.reports.handle_installed(&mut self.cx, id, installed.files, installed.revision);
        }
    }

    fn handle_error(&mut self, id: PeerId, report: &ErrorReport) {
        let lost = self.uploads.handle_error(&mut self.cx, id, report);
        self.cancel_downloads(lost);
        self.uploads.end_if_over(&mut self.cx, &report.sync_id);
        self.downloads.handle_error(&mut self.cx, id, report);
    }

    // ---- uploads and downloads ------------------------------------------------------------------

    fn handle_uploaded(&mut self, source: PeerId, sync_id: &SyncId, event: UploadEvent) {
        let lost = self.uploads.handle_event(&mut self.cx, source, sync_id, event);
        self.cancel_downloads(lost);
        self.uploads.end_if_over(&mut self.cx, sync_id);
    }

    fn handle_partial(&mut self, hash: ContentHash, bytes: u64) {
        if self.cx.store.closed(hash, bytes) {
            let lost = self.uploads.handle_closed(&mut self.cx, hash);
            self.cancel_downloads(lost);
            self.cx.make_room();
        }
    }

    fn cancel_downloads(&mut self, lost: impl IntoIterator<Item = Lost>) {
        for Lost { content, reason } in lost {
            self.downloads.cancel_content(&mut self.cx, content, reason);
        }
    }

    /// Opens sessions: first uploads, because targets can download at once what they bring.
    fn schedule(&mut self) {
        if let Some(mut pass) = self.uploads.begin_pass(&self.cx) {
            while let Some(mut upload) =
                self.uploads.poll_upload(&mut self.cx, &mut pass, self.downloads.len())
            {
                self.cancel_downloads(mem::take(&mut upload.restarted));
                let contents = self.uploads.open(&mut self.cx, upload);
                self.downloads.offer_to_all(&self.cx, &contents);
            }
            self.uploads.end_pass(&mut self.cx, pass);
        }
        // Opening uploads may have cancelled downloads, and so made jobs out of date.
        self.drain_dirty();
        self.downloads.open_sessions(&mut self.cx, self.uploads.len());
    }

    // ---- requests of the host -------------------------------------------------------------------

    fn handle_allow_list(&mut self, list: Option<BTreeSet<String>>) {
        let cx = &mut self.cx;
        if cx.league.allow_list.replace(list) {
            for (id, peer) in cx.peers.iter_mut() {
                // People hear of each withheld file once, and under another list the reason may be another one.
                peer.download_faults.clear_announced();
                cx.dirty.jobs.insert(id);
            }
            cx.dirty.plan = true;
            cx.dirty.schedule();
            tell_unmatched(cx);
        }
    }

    fn handle_act(&mut self, number: u64, act: &Act) {
        // The admin has seen reports that the union has not taken in yet, so the act counts on them.
        self.timers.stop(Timer::Merge);
        self.reports.merge(&mut self.cx);
        match self.cx.league.act(act) {
            Ok((report, mut step)) => {
                notices::note(&mut self.cx, &step);
                notices::note_act(&mut self.cx, act);
                // They go out together. A server that was killed between the two would carry out the act again at its
                // next start, and answer that it cannot.
                let (outcome, records) = (Ok(report), mem::take(&mut step.records));
                let news = union_step::held_news(&mut self.cx, &records);
                self.cx.output(Output::Acted { number, outcome, records });
                news.into_iter().for_each(|event| self.cx.event(event));
                union_step::finish(&mut self.cx, step, &Reported::new());
                match act {
                    Act::Set { .. } => self.follow_settings(),
                    Act::Merge { .. } => {
                        peers::follow_merge(&mut self.cx);
                        self.close_banned();
                    }
                    Act::Ban { .. } => self.close_banned(),
                    Act::Block { .. } => self.cx.drop_blocked(),
                    _ => {}
                }
            }
            Err(error) => {
                let (outcome, records) = (Err(error), Vec::new());
                self.cx.output(Output::Acted { number, outcome, records });
            }
        }
    }

    /// Closes the connections of banned members.
    fn close_banned(&mut self) {
        for id in peers::tell_all_banned(&mut self.cx) {
            self.close(id, peers::BANNED);
        }
    }

    fn end_freezes(&mut self, date: UnixTime) {
        if let Some(outcome) = self.cx.league.end_freezes(date) {
            union_step::finish(&mut self.cx, outcome, &Reported::new());
            self.follow_settings();
        }
    }

    /// Applies changed settings: they decide which files may join the union, and which are distributed.
    fn follow_settings(&mut self) {
        let cx = &mut self.cx;
        let before = cx.config.settings.clone();
        let types_changed = cx.league.adopt_settings(&mut cx.config);
        let settings = &cx.config.settings;
        if LeagueNaming::from(&before.naming) != LeagueNaming::from(&settings.naming)
            || (before.lint, &before.lint_rules) != (settings.lint, &settings.lint_rules)
        {
            peers::tell_rules(cx);
        }
        let greeted = cx.peers.iter().filter(|(_, peer)| peer.liveness.greeted);
        let greeted: Vec<_> = greeted.map(|(id, _)| id).collect();
        // What is held of a peer, and until when, depends on the settings.
        cx.dirty.unanswered.extend(greeted.iter().copied());
        cx.dirty.jobs.extend(greeted.iter().copied());
        cx.dirty.plan = true;
        cx.dirty.schedule();
        if types_changed {
            // Files of a new type were left out of each manifest when it came.
            greeted.into_iter().for_each(|id| request_manifest(cx, id));
        }
    }

    // ---- time -----------------------------------------------------------------------------------

    /// Invalidates what is marked as out of date, and sets the timers by which it is worked out again.
    fn drain_dirty(&mut self) {
        let cx = &mut self.cx;
        let dirty = cx.dirty.take();
        match dirty.merge {
            Some(Merge::Now) => self.timers.set(Timer::Merge, cx.now),
            Some(Merge::Soon) => {
                // Counted from the first report, or a league in which somebody always reports would never take a step.
                self.timers.set_earlier(Timer::Merge, cx.now + cx.config.merge_window);
            }
            None => {}
        }
        if let Some(at) = self.reports.postponed_until() {
            self.timers.set_earlier(Timer::Merge, at);
        }
        if dirty.plan {
            self.uploads.invalidate_plan();
        }
        for id in dirty.jobs {
            self.downloads.invalidate_jobs(id);
        }
        if dirty.in_sync {
            self.statuses.invalidate();
        }
        let mut statuses = dirty.statuses;
        for id in dirty.unanswered {
            if let Some(peer) = cx.peers.get_mut(id) {
                peer.status.invalidate();
                statuses = true;
            }
        }
        if statuses {
            self.timers.set_earlier(Timer::Status, self.statuses.next_at(cx, &self.reports));
        }
        if dirty.schedule {
            self.timers.set(Timer::Schedule, cx.now);
        }
    }

    fn run_timers(&mut self) {
        // Each timer runs once at most. What they set for the same moment runs after the host has carried out the outputs.
        for timer in Timer::ALL {
            if self.timers.take_due(timer, self.cx.now) {
                match timer {
                    Timer::Merge => self.reports.merge(&mut self.cx),
                    Timer::Tick => self.tick(),
                    Timer::Schedule => self.schedule(),
                    Timer::Status => self.tell_statuses(),
                }
                self.drain_dirty();
            }
        }
    }

    fn next_wake(&self) -> Option<Wake> {
        // Without peers there is nothing to schedule, so an empty server does not wake once a second.
        // A step that is due still comes: it takes out what only the departed had.
        let idle = self.cx.peers.is_empty() && self.timers.get(Timer::Merge).is_none();
        if idle { None } else { self.timers.next_wake() }
    }

    /// Looks for timeouts, retries and manifests that are out of date.
    fn tick(&mut self) {
        let now = self.cx.now;
        self.timers.set(Timer::Tick, now + self.cx.config.scheduler_tick);
        self.uploads.handle_timeout(&mut self.cx);
        self.downloads.handle_timeout(&mut self.cx);
        let due = self.cx.peers.due(now, &self.cx.config);
        for (id, due) in &due {
            if let Due::Close(reason) = due {
                self.close(*id, reason);
            }
        }
        let cx = &mut self.cx;
        for (id, sync_id) in cx.peers.drained(now) {
            drained(cx, id, &sync_id);
        }
        for (id, due) in due {
            if due == Due::Poll {
                poll_manifest(cx, id);
            }
        }
        self.downloads.retry_deferred(cx);
        retire_unwanted(cx);
        // One that was being sent or received when it was blocked.
        cx.drop_blocked();
        let awaits = cx.league.union().awaited().next().is_some();
        if awaits || cx.peers.values().any(|peer| !peer.missing.is_empty()) {
            // A source may be asked again once some time has passed, and no event says so. While uploads are under way,
            // the end of one of them is soon enough.
            cx.dirty.plan |= self.uploads.len() == 0;
            self.timers.set(Timer::Schedule, now);
        }
    }

    fn tell_statuses(&mut self) {
        let idle = self.is_idle();
        let cx = &mut self.cx;
        // A driver who is told they are in sync may switch off their PC, and contents that only they have would be gone.
        let needed = if cx.config.archive {
            self.uploads.needed_for_archive(cx)
        } else {
            Default::default()
        };
        self.statuses.handle_timeout(cx, &self.reports, needed, idle);
    }

    /// Returns whether the league was in sync at the last round of statuses, and nothing has come since.
    fn is_in_sync(&self) -> bool {
        self.statuses.in_sync() && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.sessions_open() == 0 && self.reports.is_empty()
    }
}
