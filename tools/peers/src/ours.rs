//! liverysync, as people run it: a server, a source that stays, and targets that end as soon as they are in sync.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::process::{read_quietly, run};
use xtask::workspace::Workspace;

use crate::data::{DROPPED, listing};
use crate::measure::{Output, Process, Sample, Usage};
use crate::site::{LIMIT, Place, Round, Task, finish_all, settle};

/// The program's own time limit, which is shorter than the one here.
const TIMEOUT: &str = "--timeout=240";

/// The thousandths of the set that may have left the source before the targets connect.
const UPLOADED_BEFORE: u64 = 20;

/// The time that a league is in sync before a livery is dropped.
const AT_REST: Duration = Duration::from_secs(2);

/// The start of the name of a temporary store.
const STORE: &str = "liverysync-store-";

/// The program and its options.
#[derive(Debug)]
pub(crate) struct Ours {
    program: PathBuf,
    /// The client has an option for its state folder.
    has_state: bool,
    /// Set if the program asks before a first contact shares many liveries.
    has_share: bool,
}

impl Ours {
    pub(crate) fn build(workspace: &Workspace) -> Result<Self> {
        run(workspace.cargo("build --profile shipping --package liverysync-cli"))?;
        let program = workspace.target.join("shipping/liverysync");
        let mut help = Command::new(&program);
        help.args(["client", "--help"]).stderr(Stdio::null());
        let help = read_quietly(help)?;
        let (has_state, has_share) = (help.contains("--state"), help.contains("--share"));
        Ok(Self { program, has_state, has_share })
    }

    pub(crate) fn round(&self, task: &Task<'_>) -> Result<Round> {
        let source = task.room.join("source");
        task.set.link_to(&source)?;
        let targets: Vec<PathBuf> =
            (0..task.targets).map(|number| task.room.join(format!("target{number}"))).collect();
        for target in &targets {
            fs::create_dir(target)?;
        }
        let copy = self.copy(task, &targets)?;
        let (mut again, mut dropped) = (None, None);
        if task.again || task.dropped {
            let mut league = League::start(self, task)?;
            if task.again {
                settle()?;
                again = Some(league.sync(&targets, "again")?);
            }
            if task.dropped {
                settle()?;
                dropped = Some(league.drop_a_livery(&targets[0])?);
            }
            league.end()?;
        }
        Ok(Round { copy, again, dropped })
    }

    fn copy(&self, task: &Task<'_>, targets: &[PathBuf]) -> Result<Sample> {
        let start = task.site.uploaded(task.room)?;
        let mut league = League::start(self, task)?;
        settle()?;
        let before = task.site.uploaded(task.room)?;
        let left = start.zip(before).map_or(0, |(start, before)| before - start);
        let stored = stored(task.room)?;
        ensure!(
            left.max(stored) < task.set.spec.bytes * UPLOADED_BEFORE / 1_000,
            "{} bytes had left the source before the targets came: \
             this has to be measured from the source's start",
            left.max(stored)
        );
        let mut sample = league.sync(targets, "copy")?;
        sample.uploaded =
            before.zip(task.site.uploaded(task.room)?).map(|(before, after)| after - before);
        for target in targets {
            task.check(target)?;
        }
        let (source, server) = league.end()?;
        Ok(Sample { source: Some(source), server: Some(server), ..sample })
    }

    fn server(&self, task: &Task<'_>) -> Command {
        let mut command = task.site.others.command(&self.program, task.room);
        command.args(["server", "--port=0", "--json", "--host", task.site.server_address]);
        // With a data folder the server would fetch all of the set before the targets connect. Its temporary store has
        // to be on the same disk.
        command.env("TMPDIR", task.room);
        command
    }

    fn client(&self, place: &Place, task: &Task<'_>, port: u16, folder: &Path) -> Command {
        let name = folder.file_name().unwrap_or_default();
        let mut command = place.command(&self.program, task.room);
        command.args(["client", "--host", task.site.server_address]);
        command.arg(format!("--port={port}")).arg("--name").arg(name);
        command.arg("--liveries").arg(folder);
        if self.has_state {
            command.arg("--state").arg(task.room.join("state").join(name));
        }
        if self.has_share {
            command.args(["--share", "all"]);
        }
        command
    }
}

/// A server and a source that are in sync.
struct League<'a> {
    ours: &'a Ours,
    task: &'a Task<'a>,
    port: u16,
    source: Process,
    server: Process,
}

impl<'a> League<'a> {
    fn start(ours: &'a Ours, task: &'a Task<'a>) -> Result<Self> {
        let mut server = Process::start("server", ours.server(task), task.room, Output::Lines)?;
        let (_, port) = server.line_where(LIMIT, |line| {
            event(line, "listening").and_then(|line| line["port"].as_u64())
        })?;
        let port = port.try_into().context("a port has 16 bits")?;
        let folder = task.room.join("source");
        let source = ours.client(&task.site.source, task, port, &folder);
        let source = Process::start("source", source, task.room, Output::Log)?;
        let mut league = Self { ours, task, port, source, server };
        league.wait_until_in_sync()?;
        Ok(league)
    }

    fn wait_until_in_sync(&mut self) -> Result<()> {
        let files = self.task.files();
        self.server.line_where(LIMIT, |line| in_sync_with(line, files))?;
        self.source.ensure_runs()
    }

    /// All targets at once, each until it is in sync and has ended.
    fn sync(&mut self, targets: &[PathBuf], name: &str) -> Result<Sample> {
        let mut running = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            let task = self.task;
            let mut command = self.ours.client(&task.site.others, task, self.port, target);
            command.args(["--once", TIMEOUT]);
            let name = format!("{name}{number}");
            running.push(Process::start(&name, command, task.room, Output::Log)?);
        }
        let (wall, usage) = finish_all(&mut running)?;
        self.server.ensure_runs()?;
        self.source.ensure_runs()?;
        Ok(Sample { targets: Some(usage), ..Sample::of(wall) })
    }

    /// Measures from before the first byte of a new livery is written until its last file is installed at the target.
    fn drop_a_livery(&mut self, target: &Path) -> Result<Sample> {
        let task = self.task;
        let mut command = self.ours.client(&task.site.others, task, self.port, target);
        command.arg("--json");
        let mut staying = Process::start("staying", command, task.room, Output::Lines)?;
        let files = task.files();
        staying.line_where(LIMIT, |line| in_sync_with(line, files))?;
        // Making its bytes takes longer than writing them, and is not measured.
        let made = task.room.join("livery");
        DROPPED.write(&made)?;
        let mut awaited: BTreeSet<_> = DROPPED.files().into_iter().map(|(name, _)| name).collect();
        let livery = awaited.iter().map(|name| Ok((name.clone(), fs::read(made.join(name))?)));
        let livery = livery.collect::<Result<Vec<_>>>()?;
        settle()?;
        // A client watches its folder from half a second after it was in sync.
        thread::sleep(AT_REST);
        let began = Instant::now();
        for (name, bytes) in livery {
            let path = task.room.join("source").join(&name);
            fs::create_dir_all(path.parent().context("a file has a parent folder")?)?;
            fs::write(&path, bytes)?;
            let modified = fs::metadata(made.join(&name))?.modified()?;
            fs::File::options().write(true).open(&path)?.set_modified(modified)?;
        }
        let (at, ()) = staying.line_where(LIMIT, |line| {
            let path = event(line, "installed")?["path"].as_str()?.to_owned();
            awaited.remove(&path);
            awaited.is_empty().then_some(())
        })?;
        staying.terminate()?;
        Ok(Sample::of(at.duration_since(began)))
    }

    /// Ends both in order, and returns the use of the source and the server.
    fn end(mut self) -> Result<(Usage, Usage)> {
        let source = self.source.terminate()?;
        // A server that ends removes its temporary store. The removal of thousands of files slows down the program that
        // makes files next.
        Ok((source, self.server.kill()?))
    }
}

/// Returns the bytes in the server's temporary store.
fn stored(room: &Path) -> Result<u64> {
    let folders = fs::read_dir(room)?.collect::<Result<Vec<_>, _>>()?;
    let stores = folders.iter().filter(|f| f.file_name().to_string_lossy().starts_with(STORE));
    let blobs = stores.map(|store| listing(&store.path().join("blobs")));
    Ok(blobs.collect::<Result<Vec<_>>>()?.iter().flat_map(|files| files.values()).sum())
}

/// Returns the line as JSON if it is this event.
fn event(line: &str, name: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["event"] == name).then_some(line)
}

/// Returns true if the line says that all is in sync, with this number of files. Server and clients use the same words.
fn in_sync_with(line: &str, files: usize) -> Option<()> {
    let found = event(line, "in_sync")?["files"].as_u64()?;
    (found == files as u64).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_its_name() {
        let line = r#"{"event":"in_sync","clients":2,"files":7}"#;
        assert_eq!(event(line, "in_sync").unwrap()["files"], 7);
        assert!(event(line, "listening").is_none());
        assert!(event("no JSON", "in_sync").is_none());
        assert!(in_sync_with(line, 7).is_some());
        assert!(in_sync_with(line, 8).is_none());
    }
}
