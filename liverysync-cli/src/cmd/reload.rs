//! Speed limits that change with the config file while the program runs.

use std::{ffi::OsString, fs, path::PathBuf, time::Duration};

use liverysync::Limits;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{
    cli::{Cli, Command},
    config, output,
    text::config as text,
};

/// Interval at which the config file is checked.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Watches the config file.
pub(super) struct Reload {
    args: Vec<OsString>,
    /// The file; `None` without one that could change.
    path: Option<PathBuf>,
    /// The file's content at the last check; `None` if it could not be read.
    seen: Option<Vec<u8>>,
    limits: Limits,
    looks: Interval,
}

impl Reload {
    /// Starts watching; `limits` are those that the program has started with.
    pub(super) fn new(limits: Limits) -> Self {
        let args: Vec<_> = std::env::args_os().collect();
        // A pipe has been read to its end and is empty.
        let is_file = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file());
        let path = config::config_path(&args).filter(is_file);
        let seen = path.as_ref().and_then(|path| fs::read(path).ok());
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { args, path, seen, limits, looks }
    }

    /// Waits for other limits, and reports each change of the file on standard error. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> Limits {
        loop {
            self.looks.tick().await;
            if let Some(limits) = self.look() {
                return limits;
            }
        }
    }

    fn look(&mut self) -> Option<Limits> {
        let path = self.path.as_ref()?;
        let now = fs::read(path);
        if now.as_ref().ok() == self.seen.as_ref() {
            return None;
        }
        let read = now.as_ref().map_err(|error| text::unreadable(path, error).in_a_line());
        let read = read.and_then(|_| self.read_again());
        self.seen = now.ok();
        match read {
            Ok(limits) if limits == self.limits => {
                output::note(&text::nothing_to_apply(path));
                None
            }
            Ok(limits) => {
                output::note(&text::limits_changed(path, limits));
                self.limits = limits;
                Some(limits)
            }
            Err(wrong) => {
                output::note(&text::not_applied(&wrong));
                None
            }
        }
    }

    /// Returns the limits that a start would use now: a flag or a variable still beats the file.
    fn read_again(&self) -> Result<Limits, String> {
        match config::parse(&self.args).map_err(|failure| failure.in_a_line())? {
            Cli { command: Command::Server(args) } => Ok(args.speed.limits()),
            Cli { command: Command::Client(args) } => Ok(args.speed.limits()),
            Cli { .. } => Ok(self.limits),
        }
    }
}
