//! The sync status: in sync is a PC that has everything the league can give it, and that the league needs nothing more
//! from.

use std::collections::BTreeSet;

use super::{
    Event, Outstanding,
    context::Context,
    downloads::{Downloads, collision},
    first_contact::FirstContact,
    folder::Folder,
    protocol_1::SyncGuess,
    publisher::Publisher,
};
use crate::{
    conflict::is_conflict_name,
    time::{Time, Wake},
    wire::messages::{HeldNotice, RefusedFile, ServerState, SyncStatus},
};

/// The server's word on this PC, and what follows from it.
#[derive(Debug)]
pub(super) struct SyncState {
    /// The last status from a server of protocol 2, over this link.
    status: Option<SyncStatus>,
    /// The files that it counts as blocked here.
    blocked: Vec<String>,
    /// Replaces the status on protocol 1.
    pub(super) guess: SyncGuess,
    /// The liveries of this PC that the others do not get yet.
    held: Vec<HeldNotice>,
    /// The files of this PC that the league cannot take.
    refused: BTreeSet<RefusedFile>,
    in_sync: bool,
}

/// The grounds on which this PC counts as in sync.
#[derive(Clone, Copy, Debug)]
struct InSync {
    /// Files of the league that will not come as things are.
    withheld: u64,
    /// Set if the server said so.
    certain: bool,
}

impl SyncState {
    pub(super) const fn new(guess: SyncGuess) -> Self {
        Self {
            status: None,
            blocked: Vec::new(),
            guess,
            held: Vec::new(),
            refused: BTreeSet::new(),
            in_sync: false,
        }
    }

    pub(super) const fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    /// Forgets that this PC is in sync, so that the event comes again.
    pub(super) fn handle_sync_request(&mut self, now: Time) {
        self.in_sync = false;
        self.guess.handle_sync_request(now);
    }

    /// Returns whether to ask the server for its union.
    pub(super) fn handle_timeout(&mut self, cx: &Context) -> bool {
        needs_guess(cx) && self.guess.handle_timeout(cx.now.time)
    }

    pub(super) fn next_wake(&self, cx: &Context) -> Option<Wake> {
        if needs_guess(cx) { self.guess.next_wake(cx.now.time) } else { None }
    }

    pub(super) fn handle_link_down(&mut self) {
        self.status = None;
        self.blocked.clear();
        self.guess.handle_link_down();
        self.in_sync = false;
    }

    pub(super) fn handle_state(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        publisher: &Publisher,
        mut state: ServerState,
    ) {
        if let Some(naming) = state.naming.take() {
            cx.handle_naming(*naming);
            folder.handle_lint_rules(cx, state.lint_rules.take().map(|rules| *rules));
        }
        let Some(status) = state.sync_status else {
            return self.guess.handle_union_hash(state.current_hash);
        };
        self.status = Some(status);
        self.blocked = state.blocked;
        publisher.handle_status(cx, folder, &status, &state.outdated);
        self.handle_held(cx, state.held);
        self.handle_refused(cx, state.refused);
        let SyncStatus { missing, missing_bytes, needed_by_others, withheld, .. } = status;
        cx.event(Event::SyncStatus { missing, missing_bytes, needed_by_others, withheld });
    }

    /// Takes the files of this PC that the league cannot take. Their driver hears of each once for each reason.
    fn handle_refused(&mut self, cx: &mut Context, refused: Vec<RefusedFile>) {
        let refused: BTreeSet<_> = refused.into_iter().collect();
        for file in refused.difference(&self.refused) {
            let RefusedFile { rel_path: path, reason } = file.clone();
            cx.event(Event::Refused { path, reason });
        }
        self.refused = refused;
    }

    /// Takes the liveries of this PC that the others do not get yet. Their driver hears of each once for each reason.
    fn handle_held(&mut self, cx: &mut Context, held: Vec<HeldNotice>) {
        for notice in held.iter().filter(|notice| !self.held.contains(notice)) {
            let HeldNotice { livery, cause, until, limit, finding } = notice.clone();
            cx.event(Event::Held { livery, cause, until, limit, finding });
        }
        self.held = held;
    }

    /// Looks whether this PC is in sync. `is_idle` says that no file is on its way. Returns the event that says so, once.
    pub(super) fn check(
        &mut self,
        cx: &Context,
        folder: &Folder,
        publisher: &Publisher,
        downloads: &mut Downloads,
        first_contact: &FirstContact,
        is_idle: bool,
    ) -> Option<Event> {
        // A scan that may well find nothing new does not end it: it would be said again after each scan.
        let is_quiet = folder.is_settled() || (self.in_sync && folder.is_listing());
        let was_in_sync = self.in_sync;
        // Files on their way may still fail, and an unread file may still be news for the league.
        let now = if is_idle && is_quiet { self.find(cx, folder, publisher) } else { None };
        self.in_sync = now.is_some();
        let InSync { withheld, certain } = now.filter(|_| !was_in_sync)?;
        self.guess.handle_in_sync();
        let obstacles = &mut downloads.obstacles;
        obstacles.handle_in_sync(&self.blocked);
        let mut outstanding =
            obstacles.outstanding(&self.blocked, |path| collision(cx, folder, path));
        outstanding.extend(folder.damaged().map(|(path, damage)| {
            let (path, reason) = (path.as_str().to_owned(), damage.to_string());
            Outstanding::Damaged { path, reason }
        }));
        outstanding.extend(self.held.iter().map(Outstanding::from));
        outstanding.extend(self.refused.iter().map(Outstanding::from));
        outstanding.extend(first_contact.outstanding());
        let shared = folder.manifest();
        let paths = shared.iter().map(|file| &file.path);
        let conflicts = paths.filter(|path| is_conflict_name(path, &cx.naming));
        Some(Event::InSync {
            liveries: shared.livery_count(),
            files: shared.len(),
            bytes: shared.total_bytes(),
            conflicts: conflicts.cloned().collect(),
            withheld,
            outstanding,
            certain,
        })
    }

    fn find(&self, cx: &Context, folder: &Folder, publisher: &Publisher) -> Option<InSync> {
        if !cx.link.is_up() {
            return None;
        }
        if needs_guess(cx) {
            let own_hash = || folder.manifest().union_hash().to_string();
            let certain = self.guess.in_sync(cx.now.time, own_hash)?;
            return Some(InSync { withheld: 0, certain });
        }
        // A status about an earlier state of this PC says nothing.
        let status = self.status.filter(|status| publisher.is_current(status))?;
        let is_done = status.missing == 0 && status.needed_by_others == 0;
        is_done.then_some(InSync { withheld: status.withheld, certain: true })
    }
}

/// Returns whether the server sends no status.
fn needs_guess(cx: &Context) -> bool {
    cx.link.dialect().is_some_and(|dialect| !dialect.speaks_v2())
}
