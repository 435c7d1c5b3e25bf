//! syncthing: one instance for each PC, with a home of its own. Each knows the addresses of the others on loopback, and
//! uses no discovery, no relays, no reports and no updates.
//!
//! Its start is not counted. The time runs from the moment the targets switch the folder on until they answer that
//! nothing is missing.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use xtask::process::read_quietly;

use crate::measure::{Output, Process, Sample, Usage};
use crate::rsync::free_port;
use crate::site::{LIMIT, Place, Round, Task, settle};

/// The name of the folder among the instances.
const FOLDER: &str = "set";

/// The key of the instances' interface; they listen on loopback only.
const KEY: &str = "peers";

/// The time between two questions about an instance's progress.
const ASK: Duration = Duration::from_millis(10);

/// The time limit of an answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Returns the version; an error if syncthing is not installed.
pub(crate) fn version() -> Result<String> {
    let mut command = Command::new("syncthing");
    command.arg("--version").stderr(Stdio::null());
    let text = read_quietly(command)?;
    let version = text.split_whitespace().nth(1).context("syncthing tells no version")?;
    Ok(version.trim_start_matches('v').to_owned())
}

pub(crate) fn round(task: &Task<'_>) -> Result<Round> {
    let homes = homes(task)?;
    task.set.link_to(&homes[0].folder)?;
    let mut running = Vec::new();
    for home in &homes {
        running.push(Instance::start(home, &homes, task)?);
    }
    wait_until_connected(&mut running, task)?;
    settle()?;

    let (source, targets) = running.split_first_mut().context("there is a source")?;
    let began = Instant::now();
    for target in &*targets {
        target.switch_folder_on()?;
    }
    for target in &mut *targets {
        target.wait_until(|target| target.holds(task.files()))?;
    }
    let mut copy = Sample::of(began.elapsed());
    for target in &*targets {
        task.check(&target.home.folder)?;
    }
    let mut usages = Vec::new();
    for target in targets {
        usages.push(target.process.terminate()?);
    }
    copy.targets = Some(Usage::of_all(usages));
    copy.source = Some(source.process.terminate()?);
    Ok(Round { copy, again: None, dropped: None })
}

fn wait_until_connected(running: &mut [Instance<'_>], task: &Task<'_>) -> Result<()> {
    let others = running.len() - 1;
    for instance in running.iter_mut() {
        instance.wait_until(|instance| instance.is_connected_to(others))?;
    }
    running[0].wait_until(|source| source.holds(task.files()))
}

/// The home and the addresses of an instance.
#[derive(Debug)]
struct Home {
    name: String,
    state: PathBuf,
    folder: PathBuf,
    device: String,
    port: u16,
    api: u16,
}

/// The instances; the first one is the source.
fn homes(task: &Task<'_>) -> Result<Vec<Home>> {
    let targets = (0..task.targets).map(|number| format!("target{number}"));
    ["source".to_owned()]
        .into_iter()
        .chain(targets)
        .map(|name| Home::new(name, task.room))
        .collect()
}

impl Home {
    fn new(name: String, room: &Path) -> Result<Self> {
        let (state, folder) = (room.join(format!("{name}-state")), room.join(&name));
        // Without this marker syncthing takes the folder for a disk that is not mounted.
        fs::create_dir_all(folder.join(".stfolder"))?;
        let program = |args: &[&str]| {
            let mut command = Place::Here.command("syncthing", room);
            command.args(args).arg("--home").arg(&state);
            read_quietly(command)
        };
        program(&["generate", "--no-default-folder"])?;
        let device = program(&["serve", "--device-id"])?.trim().to_owned();
        let (port, api) = (free_port(&Place::Here)?, free_port(&Place::Here)?);
        Ok(Self { name, state, folder, device, port, api })
    }

    /// The source has its folder switched on from the start, the others later.
    fn configuration(&self, homes: &[Self]) -> String {
        let is_source = homes.first().is_some_and(|source| source.device == self.device);
        let (mut devices, mut members) = (String::new(), String::new());
        for home in homes {
            let Self { device, name, port, .. } = home;
            let _ = write!(
                devices,
                "<device id=\"{device}\" name=\"{name}\"><address>tcp://127.0.0.1:{port}</address></device>"
            );
            let _ = write!(members, "<device id=\"{device}\"></device>");
        }
        let folder = escaped(&self.folder.to_string_lossy());
        let paused = !is_source;
        let Self { port, api, .. } = self;
        format!(
            "<configuration version=\"36\">\
             <folder id=\"{FOLDER}\" path=\"{folder}\" type=\"sendreceive\" fsWatcherEnabled=\"true\">\
             {members}<paused>{paused}</paused></folder>\
             {devices}\
             <gui enabled=\"true\" tls=\"false\"><address>127.0.0.1:{api}</address>\
             <apikey>{KEY}</apikey></gui>\
             <options><listenAddress>tcp://127.0.0.1:{port}</listenAddress>\
             <globalAnnounceEnabled>false</globalAnnounceEnabled>\
             <localAnnounceEnabled>false</localAnnounceEnabled>\
             <relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled>\
             <stunKeepaliveStartS>0</stunKeepaliveStartS><stunServer></stunServer>\
             <urAccepted>-1</urAccepted><crashReportingEnabled>false</crashReportingEnabled>\
             <autoUpgradeIntervalH>0</autoUpgradeIntervalH><startBrowser>false</startBrowser>\
             <reconnectionIntervalS>1</reconnectionIntervalS><setLowPriority>false</setLowPriority>\
             </options></configuration>\n"
        )
    }
}

/// A running instance.
struct Instance<'a> {
    home: &'a Home,
    process: Process,
}

impl<'a> Instance<'a> {
    fn start(home: &'a Home, homes: &[Home], task: &Task<'_>) -> Result<Self> {
        fs::write(home.state.join("config.xml"), home.configuration(homes))?;
        let mut command = Place::Here.command("syncthing", task.room);
        command.args(["serve", "--no-browser", "--no-restart", "--no-upgrade", "--home"]);
        // Without the second process that would restart it, and outlive a failure here.
        command.arg(&home.state).env("STMONITORED", "yes");
        let process = Process::start(&home.name, command, task.room, Output::Log)?;
        let mut instance = Self { home, process };
        instance.wait_until(|instance| Ok(instance.ask("GET", "system/ping", "").is_ok()))?;
        Ok(instance)
    }

    fn switch_folder_on(&self) -> Result<()> {
        self.ask("PATCH", &format!("config/folders/{FOLDER}"), "{\"paused\":false}").map(drop)
    }

    /// Tells whether it has all files and knows of no more.
    fn holds(&self, files: usize) -> Result<bool> {
        let status = self.ask("GET", &format!("db/status?folder={FOLDER}"), "")?;
        let is = |key: &str, number: usize| status[key].as_u64() == Some(number as u64);
        Ok(is("globalFiles", files)
            && is("localFiles", files)
            && is("needTotalItems", 0)
            && status["state"] == "idle")
    }

    fn is_connected_to(&self, others: usize) -> Result<bool> {
        let answer = self.ask("GET", "system/connections", "")?;
        let connections = answer["connections"].as_object().context("no list of connections")?;
        Ok(connections.values().filter(|one| one["connected"] == true).count() == others)
    }

    fn wait_until(&mut self, ready: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !ready(self)? {
            self.process.ensure_runs()?;
            ensure!(Instant::now() < deadline, "{} took longer than {LIMIT:?}", self.home.name);
            thread::sleep(ASK);
        }
        Ok(())
    }

    fn ask(&self, method: &str, what: &str, body: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.home.api))?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(
            stream,
            "{method} /rest/{what} HTTP/1.0\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        parse_answer(&answer).with_context(|| format!("{method} {what}"))
    }
}

fn parse_answer(answer: &str) -> Result<Value> {
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    let status = head.split_whitespace().nth(1);
    if status != Some("200") {
        bail!("syncthing answers {}", head.lines().next().unwrap_or_default());
    }
    if body.trim().is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_str(body)?)
}

/// Returns the text for an attribute of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(name: &str, port: u16) -> Home {
        Home {
            name: name.to_owned(),
            state: format!("/{name}-state").into(),
            folder: format!("/R&D/{name}").into(),
            device: name.to_uppercase(),
            port,
            api: port + 1,
        }
    }

    #[test]
    fn an_instance_knows_the_others_and_asks_no_one_else() {
        let homes = [home("source", 10), home("target0", 20)];
        let source = homes[0].configuration(&homes);
        assert!(source.contains("<paused>false</paused>"), "{source}");
        assert!(source.contains("path=\"/R&amp;D/source\""), "{source}");
        let target = homes[1].configuration(&homes);
        assert!(target.contains("<paused>true</paused>"), "{target}");
        assert!(target.contains("id=\"SOURCE\" name=\"source\"><address>tcp://127.0.0.1:10<"));
        for off in ["globalAnnounceEnabled", "relaysEnabled", "natEnabled", "localAnnounceEnabled"]
        {
            assert!(target.contains(&format!("<{off}>false</{off}>")), "{off}");
        }
    }

    #[test]
    fn an_answer_is_json_nothing_or_an_error() {
        assert_eq!(parse_answer("HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"a\":1}\n").unwrap()["a"], 1);
        assert_eq!(parse_answer("HTTP/1.0 200 OK\r\n\r\n").unwrap(), Value::Null);
        assert!(parse_answer("HTTP/1.0 403 Forbidden\r\n\r\n").is_err());
    }
}
