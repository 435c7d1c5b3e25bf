//! The output of a client: JSON for programs, moving bars for people who watch, plain lines otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use liverysync::{ClientEvent as Event, Finding, HoldReason, RelPath, Role, Skipped, SyncId};

use crate::{
    cli::client::ClientArgs,
    output::{self, json},
    text::{
        client::{self as text, InSync, Installed, Moved, ShareNeeded},
        lint::warnings,
    },
};

/// Interval at which the speed is drawn while nothing arrives.
const TICK: Duration = Duration::from_millis(500);

/// Shows the events of a client.
pub(super) struct View {
    style: Style,
    verbose: bool,
    server: String,
    began: Instant,
    /// Set if the server speaks protocol 2, so that conflict copies reach everyone.
    speaks_v2: bool,
    sessions: BTreeMap<SyncId, Role>,
    gathered: Gathered,
    /// Liveries whose conflict is shown.
    conflicts: BTreeSet<String>,
    /// Set once the missing files are shown.
    said_missing: bool,
    /// Set if somebody can answer a question.
    can_ask: bool,
    downloaded: Total,
    uploaded: Total,
}

enum Style {
    Json,
    Lines,
    /// Lines on standard error: standard output is for the plan of a dry run.
    DryRun,
    Bars(Bars),
}

/// Files that are reported together, livery by livery: a folder with thousands of files would bury everything else.
#[derive(Default)]
struct Gathered {
    skipped: Vec<Skipped>,
    findings: Vec<Finding>,
    conflicts: Vec<String>,
    installed: Vec<Installed>,
    uploaded: Vec<(RelPath, u64)>,
    retired: Vec<(RelPath, String)>,
}

impl Gathered {
    const fn is_empty(&self) -> bool {
        self.skipped.is_empty()
            && self.findings.is_empty()
            && self.conflicts.is_empty()
            && self.installed.is_empty()
            && self.uploaded.is_empty()
            && self.retired.is_empty()
    }

    fn lines(self, verbose: bool) -> Vec<String> {
        let mut lines = text::skipped(&self.skipped, verbose);
        lines.extend(warnings(&self.findings, verbose));
        lines.extend(self.conflicts);
        lines.extend(text::installed(&self.installed, verbose));
        lines.extend(text::uploaded(&self.uploaded, verbose));
        lines.extend(text::retired(&self.retired, verbose));
        lines
    }
}

/// A number of files and the sum of their sizes.
#[derive(Clone, Copy, Default)]
struct Total {
    files: u64,
    bytes: u64,
}

impl Total {
    const fn add(&mut self, files: u64, bytes: u64) {
        self.files += files;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl View {
    pub(super) fn new(args: &ClientArgs) -> Self {
        let style = match (args.output.json, args.dry_run) {
            (true, _) => Style::Json,
            (false, true) => Style::DryRun,
            (false, false) if output::is_watched() => Style::Bars(Bars::new()),
            (false, false) => Style::Lines,
        };
        Self {
            style,
            verbose: args.detail.verbose,
            server: args.address.text(),
            began: Instant::now(),
            speaks_v2: false,
            sessions: BTreeMap::new(),
            gathered: Gathered::default(),
            conflicts: BTreeSet::new(),
            said_missing: false,
            can_ask: false,
            downloaded: Total::default(),
            uploaded: Total::default(),
        }
    }

    /// Shows questions, because somebody can answer them.
    pub(super) const fn ask(&mut self) {
        self.can_ask = true;
    }

    /// Warns that an answer cannot be used.
    pub(super) fn answer_fault(&self, why: &str) {
        self.warn(&text::share_answer_fault(why));
    }

    /// Returns whether a program reads the output.
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.style, Style::Json)
    }

    /// Returns whether something waits to be shown.
    pub(super) const fn has_gathered(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Shows what waits.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let lines = mem::take(&mut self.gathered).lines(self.verbose);
        lines.iter().try_for_each(|line| self.say(line))
    }

    /// Removes the bars.
    pub(super) fn close(&self) {
        if let Style::Bars(bars) = &self.style {
            // A terminal that is gone needs no clearing.
            let _gone = bars.multi.clear();
        }
    }

    pub(super) fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Style::Json = self.style {
            return output::line(&json::event(event));
        }
        self.draw(event);
        if self.gather(event) {
            return Ok(());
        }
        let Some((line, is_warning)) = self.line(event) else { return Ok(()) };
        self.flush()?;
        match (event, is_warning) {
            (Event::Plan(_), _) => output::line(&line),
            (_, true) => {
                self.warn(&line);
                Ok(())
            }
            (_, false) => self.say(&line),
        }
    }

    /// Keeps files to show them together with others.
    fn gather(&mut self, event: &Event) -> bool {
        match event {
            Event::Skipped(item) => self.gathered.skipped.push(item.clone()),
            Event::Finding(finding) => self.gathered.findings.push(finding.clone()),
            Event::Retired { path, backup } => {
                self.gathered.retired.push((path.clone(), backup.clone()));
            }
            Event::FileSent { path, bytes, .. } => {
                self.uploaded.add(1, *bytes);
                self.gathered.uploaded.push((path.clone(), *bytes));
            }
            Event::Conflict { path, keeper, .. } => {
                let livery = path.livery();
                if self.conflicts.insert(livery.to_owned()) {
                    let lines = text::conflict(livery, keeper.as_deref(), self.speaks_v2);
                    self.gathered.conflicts.extend(lines);
                }
            }
            Event::Installed { path, bytes, backup, copied, kept_as, .. } => {
                if !copied {
                    self.downloaded.add(1, *bytes);
                }
                self.gathered.installed.push(Installed {
                    path: path.clone(),
                    bytes: *bytes,
                    backup: backup.clone(),
                    copied: *copied,
                    kept_as: kept_as.clone(),
                });
            }
            _ => return false,
        }
        true
    }

    /// Returns the line of an event, and whether it is a warning.
    fn line(&mut self, event: &Event) -> Option<(String, bool)> {
        let verbose = self.verbose;
        let shown = |line| Some((line, false));
        let warning = |line| Some((line, true));
        match event {
            Event::Connected { speaks_v2 } => {
                self.speaks_v2 = *speaks_v2;
                shown(text::connected(&self.server, *speaks_v2))
            }
            Event::Disconnected { reason, retry_in } => warning(text::offline(reason, *retry_in)),
            Event::FolderUnreadable { reason } => warning(text::folder_unreadable(reason)),
            Event::IgnoreListFault { reason } => warning(text::ignore_list_fault(reason)),
            Event::ShareNeeded { liveries, bytes, names, .. } => {
                let needed = ShareNeeded { liveries: *liveries, bytes: *bytes, names };
                warning(text::share_needed(needed, self.can_ask))
            }
            Event::GlobsUnmatched { shared, globs } => {
                warning(text::globs_unmatched(*shared, globs))
            }
            Event::LiveryReturns { livery } => warning(text::livery_returns(livery)),
            Event::Refused { path, reason } => warning(text::not_taken(path, reason)),
            Event::Held { livery, cause: HoldReason::Lint, finding, .. } => {
                warning(text::breaks_rule(livery, finding.as_deref()))
            }
            Event::Held { livery, cause, until, limit, .. } => {
                warning(text::held(livery, *cause, until.as_deref(), *limit))
            }
            Event::OwnerNews { livery, news, by } => {
                Some((text::owner_news(livery, *news, by.as_deref())?, true))
            }
            Event::Scanned { liveries, files, bytes } => {
                shown(text::scanned(*liveries, *files, *bytes, verbose))
            }
            Event::SessionBegan { role, files, bytes, .. } if verbose => {
                let sized = files.map(|files| files as u64).zip(*bytes);
                shown(text::transfer(*role == Role::Target, sized))
            }
            Event::SendFailed { path, reason, .. } => warning(text::upload_failed(path, reason)),
            Event::ReceiveFailed { path, reason, declined, .. } => {
                warning(text::download_failed(path, reason, *declined))
            }
            Event::RetireFailed { path, reason } => warning(text::retire_failed(path, reason)),
            Event::ServerError { reason } => warning(text::server_error(reason)),
            Event::SyncStatus { missing, missing_bytes, .. } => {
                let is_missing = *missing > 0;
                let is_news = is_missing && !mem::replace(&mut self.said_missing, is_missing);
                // A bar shows it, and so do the transfers.
                let is_shown = verbose || matches!(self.style, Style::Bars(_));
                (is_news && !is_shown).then(|| (text::downloading(*missing, *missing_bytes), false))
            }
            Event::Missed { events } => warning(text::missed(*events)),
            Event::InSync { liveries, files, bytes, withheld, outstanding, certain, .. } => {
                let now = InSync {
                    liveries: *liveries,
                    files: *files,
                    bytes: *bytes,
                    withheld: *withheld,
                    outstanding,
                    certain: *certain,
                };
                let Total { files, bytes } = self.downloaded;
                let moved = Moved {
                    downloaded: (files, bytes),
                    uploaded: (self.uploaded.files, self.uploaded.bytes),
                    took: self.began.elapsed(),
                };
                shown(text::in_sync(now, moved, verbose))
            }
            Event::Plan(plan) => shown(text::plan(plan, verbose)),
            _ => None,
        }
    }

    /// Moves the bars.
    fn draw(&mut self, event: &Event) {
        let role = |sync_id: &SyncId| self.sessions.get(sync_id).copied();
        let Style::Bars(bars) = &mut self.style else { return };
        match event {
            Event::SessionBegan { sync_id, role, files, bytes } => {
                let sized = files.map(|files| files as u64).zip(*bytes).unwrap_or_default();
                bars.begin(*role, Total { files: sized.0, bytes: sized.1 });
                self.sessions.insert(sync_id.clone(), *role);
            }
            Event::Received { bytes, .. } => bars.downloads.advance(*bytes),
            Event::Sent { bytes, .. } => bars.uploads.advance(*bytes),
            Event::Installed { bytes, copied, .. } => {
                if *copied {
                    bars.downloads.advance(*bytes);
                }
                bars.downloads.finished(*bytes);
            }
            Event::FileSent { bytes, .. } => bars.uploads.finished(*bytes),
            Event::SyncStatus { missing, missing_bytes, .. } => {
                bars.expect(Total { files: *missing, bytes: *missing_bytes });
            }
            Event::SessionEnded { sync_id } => {
                if let Some(role) = role(sync_id) {
                    bars.end(role);
                }
                self.sessions.remove(sync_id);
            }
            _ => {}
        }
    }

    /// Shows a line, above the bars if there are any.
    fn say(&self, line: &str) -> io::Result<()> {
        match &self.style {
            Style::Bars(bars) => bars.multi.suspend(|| output::line(line)),
            Style::DryRun => {
                output::note(line);
                Ok(())
            }
            Style::Lines | Style::Json => output::line(line),
        }
    }

    fn warn(&self, line: &str) {
        match &self.style {
            Style::Bars(bars) => bars.multi.suspend(|| output::note(line)),
            _ => output::note(line),
        }
    }
}

/// The bars at the bottom of a terminal.
struct Bars {
    multi: MultiProgress,
    downloads: Gauge,
    uploads: Gauge,
}

impl Bars {
    fn new() -> Self {
        let (downloads, uploads) = (Gauge::new(text::DOWNLOADING), Gauge::new(text::UPLOADING));
        Self { multi: MultiProgress::new(), downloads, uploads }
    }

    /// Takes the number of missing files from the server.
    fn expect(&mut self, missing: Total) {
        let downloads = &mut self.downloads;
        downloads.expected = downloads.done;
        downloads.expected.add(missing.files, missing.bytes);
        downloads.hide_if_done(&self.multi);
        downloads.draw();
    }

    fn begin(&mut self, role: Role, session: Total) {
        let gauge = match role {
            Role::Target => {
                let downloads = &mut self.downloads;
                let Total { files, bytes } = downloads.done;
                // An old server does not report what is missing.
                downloads.expected.files = downloads.expected.files.max(files + session.files);
                let bytes = bytes.saturating_add(session.bytes);
                downloads.expected.bytes = downloads.expected.bytes.max(bytes);
                downloads
            }
            Role::Source => {
                self.uploads.expected.add(session.files, session.bytes);
                &mut self.uploads
            }
        };
        gauge.sessions += 1;
        gauge.show(&self.multi);
    }

    fn end(&mut self, role: Role) {
        match role {
            Role::Target => {
                self.downloads.sessions = self.downloads.sessions.saturating_sub(1);
                self.downloads.hide_if_done(&self.multi);
            }
            Role::Source => {
                self.uploads.sessions = self.uploads.sessions.saturating_sub(1);
                if self.uploads.sessions == 0 {
                    // The server asks again for files that failed.
                    self.uploads.expected = self.uploads.done;
                }
                self.uploads.hide_if_done(&self.multi);
            }
        }
    }
}

/// One bar, drawn only while files are moving.
struct Gauge {
    name: &'static str,
    bar: Option<ProgressBar>,
    sessions: usize,
    done: Total,
    expected: Total,
}

impl Gauge {
    fn new(name: &'static str) -> Self {
        let (done, expected) = (Total::default(), Total::default());
        Self { name, bar: None, sessions: 0, done, expected }
    }

    fn show(&mut self, multi: &MultiProgress) {
        if self.bar.is_none() {
            let bar = multi.add(ProgressBar::new(self.expected.bytes));
            let style = ProgressStyle::with_template(text::BAR);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            bar.set_prefix(self.name);
            bar.enable_steady_tick(TICK);
            self.bar = Some(bar);
        }
        self.draw();
    }

    fn advance(&self, bytes: u64) {
        self.bar.iter().for_each(|bar| bar.inc(bytes));
    }

    fn finished(&mut self, bytes: u64) {
        self.done.add(1, bytes);
        self.draw();
    }

    /// Removes the bar when everything is there. What comes next is counted from zero.
    fn hide_if_done(&mut self, multi: &MultiProgress) {
        if self.sessions > 0 || self.done.files < self.expected.files {
            return;
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            multi.remove(&bar);
        }
        self.done = Total::default();
        self.expected = Total::default();
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        bar.set_message(text::bar_files(self.done.files, self.expected.files.max(self.done.files)));
        bar.set_length(self.expected.bytes.max(self.done.bytes));
    }
}
