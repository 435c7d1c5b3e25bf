//! The network: loopback, or network namespaces made for the runs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use xtask::process::{isolate, read};

use crate::data::Set;
use crate::measure::{Process, Sample, Usage};

/// The time limit of a program: far more than any of them takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// A network of its own, or that of this machine.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Here,
    /// In the network namespace of this process.
    Of(u32),
}

impl Place {
    /// Returns a command that runs there, without the settings of the person who runs it.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, home: &Path) -> Command {
        let mut command = match self {
            Self::Here => Command::new(program),
            Self::Of(pid) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/proc/{pid}/ns/net")).arg("--").arg(program);
                command
            }
        };
        isolate(&mut command, home);
        command
    }
}

/// The places of the source and of all others.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) source: Place,
    pub(crate) others: Place,
    /// The address at which the others reach the source.
    pub(crate) source_address: &'static str,
    /// The address at which the source reaches the server.
    pub(crate) server_address: &'static str,
    /// The source's link, where its bytes are counted.
    pub(crate) link: Option<&'static str>,
}

impl Site {
    pub(crate) fn loopback() -> Self {
        Self {
            source: Place::Here,
            others: Place::Here,
            source_address: "127.0.0.1",
            server_address: "127.0.0.1",
            link: None,
        }
    }

    /// Returns the bytes that have left the source so far.
    pub(crate) fn uploaded(&self, home: &Path) -> Result<Option<u64>> {
        let Some(link) = self.link else { return Ok(None) };
        let mut command = self.source.command("ip", home);
        command.args(["-s", "-j", "link", "show", "dev", link]);
        let links: serde_json::Value = serde_json::from_str(&read(command)?)?;
        let bytes = links[0]["stats64"]["tx"]["bytes"].as_u64();
        Ok(Some(bytes.context("`ip` counts no bytes of the link")?))
    }
}

/// The work of a program in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) set: &'a Set,
    pub(crate) targets: usize,
    /// Repeat it with nothing changed.
    pub(crate) again: bool,
    /// Then drop a new livery, while all run.
    pub(crate) dropped: bool,
    pub(crate) site: &'a Site,
    /// A new folder for this round.
    pub(crate) room: &'a Path,
    /// Compare every byte instead of names and sizes.
    pub(crate) bytes: bool,
}

impl Task<'_> {
    /// Returns the number of files in the set.
    pub(crate) fn files(&self) -> usize {
        self.set.spec.files().len()
    }

    /// Checks that a target has the set.
    pub(crate) fn check(&self, target: &Path) -> Result<()> {
        let checked =
            if self.bytes { self.set.check_bytes(target) } else { self.set.check(target) };
        checked
            .with_context(|| format!("{} is not the set {}", target.display(), self.set.spec.name))
    }
}

/// The figures of a round.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) copy: Sample,
    pub(crate) again: Option<Sample>,
    pub(crate) dropped: Option<Sample>,
}

/// Flushes all memory to the disk, so that no run pays for the one before it.
pub(crate) fn settle() -> Result<()> {
    let status = Command::new("sync").status().context("cannot run sync")?;
    ensure!(status.success(), "sync ended with {status}");
    Ok(())
}

/// Waits for targets that were started at once. The time is that of the last one.
pub(crate) fn finish_all(targets: &mut [Process]) -> Result<(Duration, Usage)> {
    let began = targets.iter().map(Process::began).min().unwrap_or_else(Instant::now);
    let mut last = Duration::ZERO;
    let mut usages = Vec::new();
    for target in targets {
        let end = target.finish(LIMIT)?;
        last = last.max(end.at.duration_since(began));
        usages.push(end.usage);
    }
    Ok((last, Usage::of_all(usages)))
}
