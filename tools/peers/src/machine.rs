//! The machine: its description, its limits, and the work of other programs on it.

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

/// The bytes that are written, hashed or sent to find a rate.
const AMOUNT: usize = 256 * 1024 * 1024;

/// The size of the pieces.
const PIECE: usize = 256 * 1024;

/// The number of small files that are flushed to find the time of one.
const FLUSHES: usize = 50;

/// The time for which the cores are watched.
const LOOK: Duration = Duration::from_millis(250);

/// The share of all cores that other programs may use before a run. It includes the kernel's own work.
const BUSY: f64 = 0.1;

/// The longest time that a run waits for other programs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures the limits of the machine.
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

/// Returns the machine, versions, commit and date.
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

/// Returns the output of a short program, or an empty text if it does not run.
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// Returns the text after `key` and a colon.
fn value_of(text: &str, key: &str) -> String {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
    values.next().unwrap_or("unknown").to_owned()
}

/// Returns the peak memory of this tool, in bytes. A program that it starts cannot show less.
pub(crate) fn own_peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes: u64 = value_of(&status, "VmHWM").split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The bytes that each writer to free memory writes: one read has at most 2 GiB.
const WARM_BYTES: u64 = 1 << 30;

/// Waits a while for other programs to leave the cores alone, and returns the share of all cores that they still use.
pub(crate) fn wait_for_quiet() -> Result<Option<f64>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let busy = look()?;
        if busy.is_none_or(|busy| busy < BUSY) || Instant::now() > deadline {
            return Ok(busy);
        }
    }
}

/// Writes to most of the free memory.
///
/// The host of a virtual machine takes back free pages, and the first write to each of them costs several times as much
/// as the next. Without this a run would pay for the memory that the one before it freed.
pub(crate) fn warm_memory() -> Result<()> {
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse_free(&text));
    let writers = free.map_or(0, |bytes| bytes / 5 * 4 / WARM_BYTES);
    // In other processes: a started program begins with the peak memory of the one that starts it.
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

/// Reads the bytes of unused memory.
fn parse_free(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemFree:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Returns the share of all cores in use, or `None` on a system that does not say.
fn look() -> Result<Option<f64>> {
    let Some(before) = cores() else { return Ok(None) };
    thread::sleep(LOOK);
    let after = cores().context("the system no longer reports the use of its cores")?;
    let (all, idle) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    Ok(Some(1.0 - idle as f64 / all.max(1) as f64))
}

fn cores() -> Option<(u64, u64)> {
    parse_cores(&fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the time of all cores so far, and the idle part of it.
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
