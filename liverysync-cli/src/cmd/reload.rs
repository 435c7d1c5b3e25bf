//! Options that may change while the program runs: how fast files may travel.

use std::{ffi::OsString, fs, path::PathBuf, time::Duration};

use liverysync::{Limits, escape};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{
    cli::{Cli, Command},
    config, output, units,
};

/// How often the config file is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks whether the config file has changed.
pub(super) struct Reload {
    args: Vec<OsString>,
    /// `None` without a file that could change.
    path: Option<PathBuf>,
    /// What the file held when it was last looked at; `None` if it could not be read.
    seen: Option<Vec<u8>>,
    limits: Limits,
    looks: Interval,
}

impl Reload {
    /// `limits` are those that the program has started with.
    pub(super) fn new(limits: Limits) -> Self {
        let args: Vec<_> = std::env::args_os().collect();
        // A pipe has been read to its end, and holds nothing any more.
        let is_file = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file());
        let path = config::config_path(&args).filter(is_file);
        let seen = path.as_ref().and_then(|path| fs::read(path).ok());
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { args, path, seen, limits, looks }
    }

    /// Waits for other limits, and says on standard error what a change of the file has come to. Safe to
    /// drop and call again.
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
        let file = format!("config file {}", escape(&path.display().to_string()));
        let read = now.as_ref().map_err(|error| format!("{file}: cannot be read: {error}"));
        let read = read.and_then(|_| self.read_again());
        self.seen = now.ok();
        match read {
            Ok(limits) if limits == self.limits => {
                output::note(&format!(
                    "{file} has changed; what it says of limit-up and limit-down is in force already, and the other \
                     options count from the next start"
                ));
                None
            }
            Ok(limits) => {
                let (up, down) = (units::rate(limits.up), units::rate(limits.down));
                output::note(&format!(
                    "{file} has changed: files now go out {up} and come in {down}"
                ));
                self.limits = limits;
                Some(limits)
            }
            Err(wrong) => {
                output::note(&format!("{wrong}; what held before goes on"));
                None
            }
        }
    }

    /// The limits as a start would have them now: a flag or a variable still beats the file.
    fn read_again(&self) -> Result<Limits, String> {
        match config::parse(&self.args).map_err(|failure| failure.in_a_line())? {
            Cli { command: Command::Server(args) } => Ok(args.speed.limits()),
            Cli { command: Command::Client(args) } => Ok(args.speed.limits()),
            Cli { .. } => Ok(self.limits),
        }
    }
}
