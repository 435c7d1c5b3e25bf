//! The machine: what it is, what it can do at best, and whether others are at work on it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use sha2::{Digest as _, Sha256};
use xtask::workspace::Workspace;

use crate::table::median_time;

/// How much is written, hashed or sent to find a rate.
const AMOUNT: usize = 256 * 1024 * 1024;

/// In pieces of this size.
const PIECE: usize = 256 * 1024;

/// How many small files are flushed to find out what one takes.
const FLUSHES: usize = 50;

/// How long the cores are watched.
const LOOK: Duration = Duration::from_millis(250);

/// Others may use so much of all cores before a run: the kernel's own work shows too.
const BUSY: f64 = 0.1;

/// How long a run waits for others to finish what they do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the machine can do at best.
pub(crate) fn limits(room: &Path) -> Result<Vec<(String, String)>> {
    let rate = |time: Duration| format!("{:.0} MB/s", AMOUNT as f64 / 1e6 / time.as_secs_f64());
    let named = |name: &str, value: String| (name.to_owned(), value);
    Ok(vec![
        named("write 268 MB to one file and flush it", rate(write_and_flush(room)?)),
        named(
            "write a file of 4 KiB and flush it",
            format!("{:.2} ms", small_flush(room)?.as_secs_f64() * 1e3),
        ),
        named("SHA-256 on one core", rate(hash())),
        named("one loopback connection", rate(loopback()?)),
    ])
}

fn write_and_flush(room: &Path) -> Result<Duration> {
    let piece = vec![0x5a; PIECE];
    let begin = Instant::now();
    let mut file = File::create(room.join("written"))?;
    for _ in 0..AMOUNT / PIECE {
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    Ok(begin.elapsed())
}

fn small_flush(room: &Path) -> Result<Duration> {
    let mut times = Vec::new();
    for number in 0..FLUSHES {
        let begin = Instant::now();
        let mut file = File::create(room.join(format!("flushed{number}")))?;
        file.write_all(&[0x5a; 4096])?;
        file.sync_all()?;
        times.push(begin.elapsed());
    }
    median_time(&times).context("nothing was flushed")
}

fn hash() -> Duration {
    let piece = vec![0x5a; PIECE];
    let mut hasher = Sha256::new();
    let begin = Instant::now();
    for _ in 0..AMOUNT / PIECE {
        hasher.update(&piece);
    }
    std::hint::black_box(hasher.finalize());
    begin.elapsed()
}

fn loopback() -> Result<Duration> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let begin = Instant::now();
    let sender = thread::spawn(move || -> std::io::Result<()> {
        let piece = vec![0x5a; PIECE];
        let mut stream = TcpStream::connect(address)?;
        for _ in 0..AMOUNT / PIECE {
            stream.write_all(&piece)?;
        }
        Ok(())
    });
    let (mut stream, _) = listener.accept()?;
    let mut piece = vec![0; PIECE];
    while stream.read(&mut piece)? > 0 {}
    sender.join().map_err(|_| anyhow!("the sender failed"))??;
    Ok(begin.elapsed())
}

/// Machine, versions, commit and date.
pub(crate) fn conditions(workspace: &Workspace, room: &Path) -> Vec<(String, String)> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let file_system = said(Command::new("df").arg("--output=fstype").arg(room));
    vec![
        ("commit".to_owned(), commit(workspace)),
        (
            "date".to_owned(),
            said(Command::new("date").args(["-u", "+%-d %B %Y, %H:%M UTC"]).env("LC_ALL", "C")),
        ),
        ("cores".to_owned(), thread::available_parallelism().map_or(0, usize::from).to_string()),
        ("processor".to_owned(), value_of(&cpuinfo, "model name")),
        ("kernel".to_owned(), said(Command::new("uname").args(["-s", "-r"]))),
        ("file system".to_owned(), file_system.lines().nth(1).unwrap_or("unknown").to_owned()),
    ]
}

fn commit(workspace: &Workspace) -> String {
    let git = |args: &[&str]| said(workspace.command("git").args(args));
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    let commit = git(&["rev-parse", "--short", "HEAD"]);
    if changed { format!("{commit}, with changes") } else { commit }
}

/// What a short program says, or nothing if there is none.
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// What stands behind `key` and a colon.
fn value_of(text: &str, key: &str) -> String {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
    values.next().unwrap_or("unknown").to_owned()
}

/// The most memory that this tool has held so far, in bytes: no program that it starts can show less.
pub(crate) fn own_peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes: u64 = value_of(&status, "VmHWM").split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// How much each of the programs writes that write to free memory: one read can have no more than 2 GiB.
const WARM_BYTES: u64 = 1 << 30;

/// Waits until others leave the cores alone, for a while. Returns which part of all cores they used at the end of that.
pub(crate) fn wait_for_quiet() -> Result<Option<f64>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let busy = look()?;
        if busy.is_none_or(|busy| busy < BUSY) || Instant::now() > deadline {
            return Ok(busy);
        }
    }
}

/// Has most of the free memory written to.
///
/// Where the machine is a guest, its host takes back what is free, and the first write to each page costs several times
/// as much as the next. Without this a run pays for what the one before it left free.
pub(crate) fn warm_memory() -> Result<()> {
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse_free(&text));
    let writers = free.map_or(0, |bytes| bytes / 5 * 4 / WARM_BYTES);
    // By others: a program that is started begins with the peak memory of whoever starts it.
    let mut running = Vec::new();
    for _ in 0..writers {
        let mut writer = Command::new("dd");
        writer.args(["if=/dev/zero", "of=/dev/null", "count=1"]).arg(format!("bs={WARM_BYTES}"));
        writer.stderr(Stdio::null());
        running.push(writer.spawn().context("cannot run dd")?);
    }
    for mut writer in running {
        let status = writer.wait()?;
        ensure!(status.success(), "dd, which writes to free memory, ended with {status}");
    }
    Ok(())
}

/// Bytes that nobody uses.
fn parse_free(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemFree:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Which part of all cores is in use; `None` where the system does not say.
fn look() -> Result<Option<f64>> {
    let Some(before) = cores() else { return Ok(None) };
    thread::sleep(LOOK);
    let after = cores().context("the system does not say any more what its cores do")?;
    let (all, idle) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    Ok(Some(1.0 - idle as f64 / all.max(1) as f64))
}

fn cores() -> Option<(u64, u64)> {
    parse_cores(&fs::read_to_string("/proc/stat").ok()?)
}

/// All time of all cores so far, and the part in which they had nothing to do.
fn parse_cores(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> =
        line.split_whitespace().take(8).filter_map(|time| time.parse().ok()).collect();
    let [_user, _nice, _system, idle, waiting, ..] = times[..] else { return None };
    Some((times.iter().sum(), idle + waiting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_cores_are_read() {
        let stat = "cpu  10 1 20 300 40 5 6 7 0 0\ncpu0 1 2 3 4\n";
        assert_eq!(parse_cores(stat), Some((389, 340)));
        assert_eq!(parse_cores(""), None);
    }

    #[test]
    fn free_memory_is_read() {
        assert_eq!(parse_free("MemTotal: 9 kB\nMemFree:      12 kB\n"), Some(12 * 1024));
        assert_eq!(parse_free("MemTotal: 9 kB\n"), None);
        assert_eq!(parse_cores("cpu  1 2\n"), None);
    }

    #[test]
    fn a_value_stands_behind_its_key() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC: two\nmodel name\t: other\n";
        assert_eq!(value_of(text, "model name"), "AMD EPYC: two");
        assert_eq!(value_of(text, "flags"), "unknown");
    }
}
