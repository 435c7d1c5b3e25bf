//! `rsync -a` from a daemon: no hash over the transfer, no flush, no server in between.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xtask::process::{poll, read, read_quietly};

use crate::measure::{Output, Process, Sample};
use crate::site::{Place, Round, Site, Task, finish_all, settle};

/// The time limit of a short program.
const SHORT: Duration = Duration::from_secs(30);

/// The port in a namespace, where no other program listens.
const OWN_PORT: u16 = 8730;

/// Returns the version; an error if rsync is not installed.
pub(crate) fn version() -> Result<String> {
    let mut command = Command::new("rsync");
    command.arg("--version").stderr(Stdio::null());
    let text = read_quietly(command)?;
    Ok(text.split_whitespace().nth(2).context("rsync tells no version")?.to_owned())
}

pub(crate) fn round(task: &Task<'_>) -> Result<Round> {
    let mut daemon = Daemon::start(task)?;
    let targets: Vec<PathBuf> =
        (0..task.targets).map(|number| task.room.join(format!("target{number}"))).collect();
    settle()?;
    let before = task.site.uploaded(task.room)?;
    let mut copy = daemon.pull(&targets, "pull")?;
    copy.uploaded =
        before.zip(task.site.uploaded(task.room)?).map(|(before, after)| after - before);
    for target in &targets {
        task.check(target)?;
    }
    let usage = daemon.process.terminate()?;
    copy.source = Some(usage);
    let again = if task.again {
        let daemon = Daemon::start(task)?;
        settle()?;
        Some(daemon.pull(&targets, "again")?)
    } else {
        None
    };
    Ok(Round { copy, again, dropped: None })
}

struct Daemon<'a> {
    process: Process,
    site: &'a Site,
    room: &'a Path,
    url: String,
}

impl<'a> Daemon<'a> {
    fn start(task: &Task<'a>) -> Result<Self> {
        let config = task.room.join("rsyncd.conf");
        fs::write(&config, configuration(&task.set.folder, runs_as_root()?)?)?;
        let port = free_port(&task.site.source)?;
        let mut command = task.site.source.command("rsync", task.room);
        command.args(["--daemon", "--no-detach", "--address", task.site.source_address]);
        command.arg(format!("--port={port}")).arg("--config").arg(&config);
        let process = Process::start("rsyncd", command, task.room, Output::Log)?;
        let url = format!("rsync://{}:{port}/", task.site.source_address);
        let mut daemon = Self { process, site: task.site, room: task.room, url };
        daemon.wait_until_it_listens()?;
        Ok(daemon)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let listens = poll(SHORT, || {
            self.process.ensure_runs()?;
            let mut list = self.site.others.command("rsync", self.room);
            list.arg(&self.url).stdout(Stdio::null()).stderr(Stdio::null());
            Ok(list.status()?.success().then_some(()))
        })?;
        listens.context("the rsync daemon does not answer")
    }

    /// Runs all targets at once.
    fn pull(&self, targets: &[PathBuf], name: &str) -> Result<Sample> {
        let mut running = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            let mut command = self.site.others.command("rsync", self.room);
            command.arg("-a").arg(format!("{}set/", self.url)).arg(target);
            let name = format!("{name}{number}");
            running.push(Process::start(&name, command, self.room, Output::Log)?);
        }
        let (wall, usage) = finish_all(&mut running)?;
        Ok(Sample { targets: Some(usage), ..Sample::of(wall) })
    }
}

fn configuration(set: &Path, root: bool) -> Result<String> {
    let set = set.to_str().context("the path of the data set is not Unicode")?;
    // Started by root, the daemon would become `nobody`, who may not be allowed to read the set.
    let user = if root { "uid = 0\ngid = 0\n" } else { "" };
    Ok(format!("use chroot = no\n{user}[set]\npath = {set}\nread only = yes\n"))
}

pub(crate) fn runs_as_root() -> Result<bool> {
    let mut command = Command::new("id");
    command.arg("-u");
    Ok(read(command)?.trim() == "0")
}

pub(crate) fn free_port(place: &Place) -> Result<u16> {
    if let Place::Of(_) = place {
        return Ok(OWN_PORT);
    }
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    ensure!(port != 0, "the system gives no port");
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_only_reads_and_changes_its_user_only_as_root() {
        let text = configuration(Path::new("/sets/S"), false).unwrap();
        assert!(text.contains("[set]\npath = /sets/S\nread only = yes\n"), "{text}");
        assert!(!text.contains("uid"));
        assert!(configuration(Path::new("/sets/S"), true).unwrap().contains("uid = 0"));
    }
}
