//! A process under measurement: its start and end, processor time, peak memory, and the times of its output.
//!
//! A process starts with the peak memory of the one that starts it, so this tool keeps its own small.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use wait4::Wait4 as _;

/// The time that a program may take to end.
const ENDING: Duration = Duration::from_secs(20);

/// The lines of a failed program's output that are shown.
const TRANSCRIPT_LINES: usize = 20;

/// The use of a process and of those that it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// In bytes; of several processes, the largest.
    pub(crate) peak: u64,
}

impl Usage {
    /// Sums up several processes with one task: the time of all, and the peak of the largest.
    pub(crate) fn of_all(usages: impl IntoIterator<Item = Self>) -> Self {
        usages.into_iter().fold(Self::default(), |sum, usage| Self {
            cpu: sum.cpu + usage.cpu,
            peak: sum.peak.max(usage.peak),
        })
    }
}

/// One run of one contender.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    pub(crate) source: Option<Usage>,
    pub(crate) server: Option<Usage>,
    pub(crate) targets: Option<Usage>,
    /// The bytes that left the source, on a link that can be counted.
    pub(crate) uploaded: Option<u64>,
}

impl Sample {
    pub(crate) fn of(wall: Duration) -> Self {
        Self { wall, source: None, server: None, targets: None, uploaded: None }
    }
}

/// The end of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) at: Instant,
    pub(crate) usage: Usage,
    status: ExitStatus,
}

/// The destination of standard output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Output {
    /// A file that is read only if something fails.
    Log,
    /// [`Process::line_where`], line by line with the times.
    Lines,
}

/// A started program. Dropping it kills the program.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    pid: u32,
    began: Instant,
    logs: Vec<PathBuf>,
    lines: Option<Receiver<(Instant, String)>>,
    waiter: Receiver<Result<End>>,
    end: Option<End>,
}

impl Process {
    /// Starts `command`, and writes its output to files called `name` in the folder `logs`.
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        logs: &Path,
        output: Output,
    ) -> Result<Self> {
        let file = |kind: &str| logs.join(format!("{name}.{kind}"));
        let (stdout, stderr) = (file("out"), file("err"));
        command.stdin(Stdio::null()).stderr(File::create(&stderr)?);
        match output {
            Output::Log => command.stdout(File::create(&stdout)?),
            Output::Lines => command.stdout(Stdio::piped()),
        };
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let lines = child.stdout.take().map(stamped_lines);
        let pid = child.id();
        let (sender, waiter) = channel();
        thread::spawn(move || wait(child, &sender));
        Ok(Self {
            name: name.to_owned(),
            pid,
            began,
            logs: vec![stdout, stderr],
            lines,
            waiter,
            end: None,
        })
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Waits for the end; an error if the exit code is not 0.
    pub(crate) fn finish(&mut self, within: Duration) -> Result<End> {
        let end = self.wait(within)?;
        ensure!(
            end.status.success(),
            "{} ended with {}\n{}",
            self.name,
            end.status,
            self.transcript()
        );
        Ok(end)
    }

    /// Asks the program to end, as a service manager does, and waits for the end, with any exit code.
    pub(crate) fn terminate(&mut self) -> Result<Usage> {
        self.end_by("-TERM")
    }

    /// Kills the program.
    pub(crate) fn kill(&mut self) -> Result<Usage> {
        self.end_by("-KILL")
    }

    fn end_by(&mut self, which: &str) -> Result<Usage> {
        if self.end.is_none() {
            ensure!(self.still_runs()?, "{} ended by itself\n{}", self.name, self.transcript());
            signal(which, self.pid)?;
        }
        Ok(self.wait(ENDING)?.usage)
    }

    /// Waits for a line in which `wanted` finds something. Returns that, and the time of the line.
    pub(crate) fn line_where<T>(
        &mut self,
        within: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<(Instant, T)> {
        let lines = self.lines.as_ref().context("its lines are not read")?;
        let deadline = Instant::now() + within;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((at, line)) => {
                    if let Some(found) = wanted(&line) {
                        return Ok((at, found));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "{} did not say what was waited for within {within:?}\n{}",
                        self.name,
                        self.transcript()
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended early\n{}", self.name, self.transcript())
                }
            }
        }
    }

    /// Checks that the program is still running.
    pub(crate) fn ensure_runs(&mut self) -> Result<()> {
        ensure!(self.still_runs()?, "{} ended early\n{}", self.name, self.transcript());
        Ok(())
    }

    fn still_runs(&mut self) -> Result<bool> {
        if self.end.is_none()
            && let Ok(end) = self.waiter.try_recv()
        {
            self.end = Some(end?);
        }
        Ok(self.end.is_none())
    }

    fn wait(&mut self, within: Duration) -> Result<End> {
        if let Some(end) = self.end {
            return Ok(end);
        }
        let Ok(end) = self.waiter.recv_timeout(within) else {
            bail!("{} still ran after {within:?}\n{}", self.name, self.transcript());
        };
        let end = end?;
        self.end = Some(end);
        Ok(end)
    }

    /// Returns the last lines that the program wrote to files.
    fn transcript(&self) -> String {
        let mut text = String::new();
        for path in &self.logs {
            let bytes = fs::read(path).unwrap_or_default();
            let printed = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = printed.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(TRANSCRIPT_LINES)) {
                let _ = writeln!(text, "    {}: {line}", self.name);
            }
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.still_runs().unwrap_or(false) {
            drop(signal("-KILL", self.pid));
            drop(self.wait(ENDING));
        }
    }
}

fn wait(mut child: Child, sender: &Sender<Result<End>>) {
    let end = child.wait4().map(|used| End {
        at: Instant::now(),
        usage: Usage { cpu: used.rusage.utime + used.rusage.stime, peak: used.rusage.maxrss },
        status: used.status,
    });
    // The receiver is gone if the process was dropped.
    drop(sender.send(end.context("cannot wait for a program")));
}

fn stamped_lines(output: ChildStdout) -> Receiver<(Instant, String)> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            // Read on without a receiver: the program must not wait for this tool.
            drop(sender.send((Instant::now(), line)));
        }
    });
    receiver
}

fn signal(which: &str, pid: u32) -> Result<()> {
    let status = Command::new("kill")
        .args([which, &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .context("cannot run kill")?;
    ensure!(status.success(), "kill {which} {pid} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn of_several_processes_time_adds_up_and_the_largest_counts() {
        let usage = |cpu, peak| Usage { cpu: Duration::from_millis(cpu), peak };
        assert_eq!(Usage::of_all([usage(10, 5), usage(30, 9), usage(2, 1)]), usage(42, 9));
    }

    #[test]
    #[cfg(unix)]
    fn a_process_is_waited_for_and_its_memory_is_known() {
        let room = tempfile::tempdir().unwrap();
        let mut process = Process::start("sh", shell("exit 0"), room.path(), Output::Log).unwrap();
        let end = process.finish(Duration::from_secs(20)).unwrap();
        assert!(end.at > process.began());
        assert!(end.usage.peak > 100_000, "{:?}", end.usage);
    }

    #[test]
    #[cfg(unix)]
    fn a_failure_shows_what_the_program_said() {
        let room = tempfile::tempdir().unwrap();
        let command = shell("echo no such livery >&2; exit 3");
        let mut process = Process::start("sh", command, room.path(), Output::Log).unwrap();
        let error = process.finish(Duration::from_secs(20)).unwrap_err().to_string();
        assert!(error.contains("no such livery"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn lines_come_with_their_time_and_a_program_that_stays_can_be_told_to_end() {
        let room = tempfile::tempdir().unwrap();
        let command = shell("echo one; echo two; exec sleep 60");
        let mut process = Process::start("sh", command, room.path(), Output::Lines).unwrap();
        let (at, line) = process
            .line_where(Duration::from_secs(20), |line| {
                line.starts_with("tw").then(|| line.to_owned())
            })
            .unwrap();
        assert_eq!(line, "two");
        assert!(at > process.began());
        process.terminate().unwrap();
        assert!(process.ensure_runs().is_err());
    }
}
