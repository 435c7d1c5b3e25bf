//! What a client shows: JSON for programs, bars that move for people who watch, plain lines for all else.

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use liverysync::{ClientEvent as Event, Role, SyncId, escape};

use crate::{
    output::{self, gather::Gather, json, words},
    units,
};

/// One line per session. The end of a long path gives way.
const SESSION_TEMPLATE: &str =
    "{prefix:<16!} {wide_msg} {decimal_bytes:>9} {decimal_bytes_per_sec:>11}";

const TOTAL_TEMPLATE: &str = "{prefix:<16!} [{wide_bar}] {msg}  \
    {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left";

/// How often the rate is drawn anew while nothing comes.
const TICK: Duration = Duration::from_millis(500);

/// Shows the events of a client.
pub(super) struct View {
    style: Style,
    server: String,
    began: Instant,
    sessions: BTreeMap<SyncId, Session>,
    gather: Gather,
    received: Total,
    sent: Total,
}

enum Style {
    Json,
    Lines,
    /// Lines, and on standard error: standard output is for what a dry run found out.
    DryRun,
    Bars(Bars),
}

/// A number of files and the sum of their sizes.
#[derive(Clone, Copy, Default)]
struct Total {
    files: u64,
    bytes: u64,
}

impl Total {
    const fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    fn words(self) -> String {
        units::files(self.files, self.bytes)
    }
}

/// A session that runs.
struct Session {
    began: Instant,
    role: Role,
    done: Total,
    bar: Option<ProgressBar>,
}

impl View {
    pub(super) fn new(server: &str, json: bool, dry_run: bool) -> Self {
        let style = match (json, dry_run) {
            (true, _) => Style::Json,
            (false, true) => Style::DryRun,
            (false, false) if output::is_watched() => Style::Bars(Bars::new()),
            (false, false) => Style::Lines,
        };
        Self {
            style,
            server: escape(server).into_owned(),
            began: Instant::now(),
            sessions: BTreeMap::new(),
            gather: Gather::default(),
            received: Total::default(),
            sent: Total::default(),
        }
    }

    /// Whether a program reads along.
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.style, Style::Json)
    }

    /// Whether something waits to be said.
    pub(super) const fn has_gathered(&self) -> bool {
        !self.gather.is_empty()
    }

    /// Says what waits to be said.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.gather.take().iter().try_for_each(|line| self.say(line))
    }

    /// Takes the bars away.
    pub(super) fn close(&self) {
        if let Style::Bars(bars) = &self.style {
            let _nobody_to_tell = bars.multi.clear();
        }
    }

    pub(super) fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Style::Json = self.style {
            return output::line(&json::event(event));
        }
        match event {
            Event::Skipped(item) => {
                words::add_skipped("not shared", item, &mut self.gather);
                return Ok(());
            }
            Event::Retired { path, backup } => {
                words::add_retired(path, backup, &mut self.gather);
                return Ok(());
            }
            _ => {}
        }
        if !matches!(event, Event::Received { .. } | Event::Sent { .. }) {
            self.flush()?;
        }
        match event {
            Event::Connected { ours } => {
                let kind = if *ours { "" } else { ", a server of the old kind" };
                self.say(&format!("connected to {}{kind}", self.server))
            }
            Event::Disconnected { reason, retry_in } => {
                self.warn(&format!(
                    "not connected: {}; next attempt in {}",
                    escape(reason),
                    units::duration(*retry_in)
                ));
                Ok(())
            }
            Event::FolderUnreadable { reason } => {
                self.warn(&format!("cannot read the liveries folder: {}", escape(reason)));
                Ok(())
            }
            Event::Scanned { files, bytes, .. } => {
                self.say(&format!("this PC shares {}", units::files(*files as u64, *bytes)))
            }
            Event::SessionBegan { .. }
            | Event::Receiving { .. }
            | Event::Received { .. }
            | Event::Sent { .. }
            | Event::FileSent { .. }
            | Event::Installed { .. }
            | Event::SessionEnded { .. } => self.session_event(event),
            Event::SendFailed { path, reason, .. } => {
                self.warn(&format!("cannot send {}: {}", escape(path), escape(reason)));
                Ok(())
            }
            Event::ReceiveFailed { path, reason, declined, .. } => {
                let verb = if *declined { "refused" } else { "did not get" };
                self.warn(&format!("{verb} {}: {}", escape(path), escape(reason)));
                Ok(())
            }
            Event::RetireFailed { path, reason } => {
                let path = words::path(path);
                self.warn(&format!(
                    "the league has no {path} any more, and it is still here: {}",
                    escape(reason)
                ));
                Ok(())
            }
            Event::ServerError { reason } => {
                self.warn(&format!("the server reports: {}", escape(reason)));
                Ok(())
            }
            Event::SyncStatus { missing, missing_bytes, .. } => {
                if let Style::Bars(bars) = &mut self.style {
                    bars.expect(*missing, *missing_bytes);
                }
                Ok(())
            }
            Event::Missed { events } => {
                self.warn(&format!("{events} events were left out here: this output is too slow"));
                Ok(())
            }
            Event::InSync { files, bytes, withheld, certain, .. } => {
                let line = self.in_sync(*files, *bytes, *withheld, *certain);
                self.say(&line)
            }
            Event::Plan(plan) => output::line(&words::plan(plan)),
            _ => Ok(()),
        }
    }

    fn session_event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::SessionBegan { sync_id, role, files, bytes } => {
                let files = files.zip(*bytes);
                let verb = if *role == Role::Target { "receiving" } else { "sending" };
                let what = files.map_or_else(
                    || "files".to_owned(),
                    |(files, bytes)| units::files(files as u64, bytes),
                );
                let line = format!("{verb} {what} {}", direction(*role));
                let bar = match &mut self.style {
                    Style::Bars(bars) => Some(bars.session(*role, files)),
                    _ => None,
                };
                let (began, role, done) = (Instant::now(), *role, Total::default());
                let session = Session { began, role, done, bar };
                self.sessions.insert(sync_id.clone(), session);
                // A bar says it already.
                if matches!(self.style, Style::Bars(_)) { Ok(()) } else { self.say(&line) }
            }
            Event::Receiving { sync_id, path, .. } => {
                if let Some(bar) = self.bar(sync_id) {
                    bar.set_message(words::path(path));
                }
                Ok(())
            }
            Event::Received { sync_id, bytes } | Event::Sent { sync_id, bytes } => {
                if let Some(bar) = self.bar(sync_id) {
                    bar.inc(*bytes);
                }
                if let (Style::Bars(bars), Event::Received { .. }) = (&self.style, event) {
                    bars.total.inc(*bytes);
                }
                Ok(())
            }
            Event::FileSent { sync_id, path, bytes } => {
                self.sent.add(*bytes);
                let bars = matches!(self.style, Style::Bars(_));
                if let Some(session) = self.sessions.get_mut(sync_id) {
                    session.done.add(*bytes);
                    session.bar.iter().for_each(|bar| bar.set_message(words::path(path)));
                }
                let line = format!("sent {} ({})", words::path(path), units::bytes(*bytes));
                if bars { Ok(()) } else { self.say(&line) }
            }
            Event::Installed { sync_id, bytes, copied, backup, kept_as, .. } => {
                self.received.add(if *copied { 0 } else { *bytes });
                if let Some(session) = self.sessions.get_mut(sync_id) {
                    session.done.add(*bytes);
                }
                if let Style::Bars(bars) = &mut self.style {
                    bars.installed(*bytes, *copied);
                }
                // A bar says it already, unless something was replaced.
                let plain = backup.is_none() && kept_as.is_none() && !copied;
                if plain && matches!(self.style, Style::Bars(_)) {
                    return Ok(());
                }
                let line = installed(event);
                self.say(&line)
            }
            Event::SessionEnded { sync_id } => {
                let Some(session) = self.sessions.remove(sync_id) else { return Ok(()) };
                let Style::Bars(bars) = &mut self.style else { return Ok(()) };
                bars.end(session.bar.as_ref(), session.role);
                if session.done.files == 0 {
                    return Ok(());
                }
                let verb = if session.role == Role::Target { "received" } else { "sent" };
                let took = units::duration(session.began.elapsed());
                let (what, direction) = (session.done.words(), direction(session.role));
                let line = format!("{verb} {what} {direction} in {took}");
                self.say(&line)
            }
            _ => Ok(()),
        }
    }

    fn bar(&self, sync_id: &SyncId) -> Option<&ProgressBar> {
        self.sessions.get(sync_id)?.bar.as_ref()
    }

    fn in_sync(&self, files: usize, bytes: u64, withheld: u64, certain: bool) -> String {
        let sure = if certain { "in sync" } else { "in sync as far as can be told" };
        let holds = units::files(files as u64, bytes);
        let moved = format!(
            "received {}; sent {}; {}",
            self.received.words(),
            self.sent.words(),
            units::duration(self.began.elapsed())
        );
        let kept_back = match withheld {
            0 => String::new(),
            1 => "; 1 file of the league will not come to this PC".to_owned(),
            _ => format!("; {withheld} files of the league will not come to this PC"),
        };
        format!("{sure}: this PC holds {holds} ({moved}){kept_back}")
    }

    /// A line for people, above the bars if there are any.
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

/// Where the files of a session come from or go to. They pass through the server's store, so there is no
/// single driver at the other end.
const fn direction(role: Role) -> &'static str {
    match role {
        Role::Target => "from the league",
        Role::Source => "to the league",
    }
}

/// Words what became of a file that is in place.
fn installed(event: &Event) -> String {
    let Event::Installed { path, bytes, backup, copied, kept_as, .. } = event else {
        return String::new();
    };
    let verb = if *copied { "copied on this PC" } else { "installed" };
    let mut line = format!("{verb}: {} ({})", words::path(path), units::bytes(*bytes));
    if let Some(backup) = backup {
        line += &format!("; what was there is in {}", escape(backup));
    }
    if let Some(kept_as) = kept_as {
        line += &format!("; this PC's own lives on as {}", words::path(kept_as));
    }
    line
}

/// The bars at the bottom of a terminal: one per session, and one for all that is to come.
struct Bars {
    multi: MultiProgress,
    /// Drawn only while something is to come.
    total: ProgressBar,
    shown: bool,
    targets: usize,
    installed: Total,
    expected: Total,
}

impl Bars {
    fn new() -> Self {
        Self {
            multi: MultiProgress::new(),
            total: ProgressBar::hidden(),
            shown: false,
            targets: 0,
            installed: Total::default(),
            expected: Total::default(),
        }
    }

    /// The server has told what is still to come.
    fn expect(&mut self, files: u64, bytes: u64) {
        self.expected = Total {
            files: self.installed.files.saturating_add(files),
            bytes: self.installed.bytes.saturating_add(bytes),
        };
        self.draw();
    }

    fn session(&mut self, role: Role, files: Option<(usize, u64)>) -> ProgressBar {
        if role == Role::Target {
            self.targets += 1;
            let (files, bytes) = files.unwrap_or_default();
            // A server of the old kind says nothing of the whole.
            self.expected.files = self.expected.files.max(self.installed.files + files as u64);
            self.expected.bytes =
                self.expected.bytes.max(self.installed.bytes.saturating_add(bytes));
            self.show();
        }
        let bar = ProgressBar::new(files.map_or(0, |(_, bytes)| bytes));
        let bar = if self.shown {
            self.multi.insert_before(&self.total, bar)
        } else {
            self.multi.add(bar)
        };
        bar.set_style(style(SESSION_TEMPLATE));
        bar.set_prefix(direction(role));
        bar.enable_steady_tick(TICK);
        bar
    }

    fn installed(&mut self, bytes: u64, copied: bool) {
        self.installed.add(bytes);
        if copied {
            self.total.inc(bytes);
        }
        self.draw();
    }

    fn end(&mut self, bar: Option<&ProgressBar>, role: Role) {
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.multi.remove(bar);
        }
        if role == Role::Target {
            self.targets = self.targets.saturating_sub(1);
        }
        if self.targets == 0 && self.installed.files >= self.expected.files && self.shown {
            self.total.finish_and_clear();
            self.multi.remove(&self.total);
            self.shown = false;
            // What comes next is counted from here.
            self.installed = Total::default();
            self.expected = Total::default();
        }
    }

    fn show(&mut self) {
        if !self.shown {
            self.shown = true;
            self.total = self.multi.add(ProgressBar::new(self.expected.bytes));
            self.total.set_style(style(TOTAL_TEMPLATE));
            self.total.set_prefix("in all");
            self.total.enable_steady_tick(TICK);
        }
        self.draw();
    }

    fn draw(&self) {
        let files = self.expected.files.max(self.installed.files);
        self.total.set_message(format!("{}/{files} files", self.installed.files));
        self.total.set_length(self.expected.bytes.max(self.installed.bytes));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
