//! Real processes that print one JSON object per line, and waits for their output.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Longest wait of a test: long, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A running program, killed when this is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    /// The first line that no wait has passed yet.
    next: usize,
    errors: Receiver<String>,
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            piped.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let (line_in, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if line_in.send(value).is_err() {
                    return;
                }
            }
        });
        let (error_in, errors) = channel();
        let mut stderr = child.stderr.take().unwrap();
        thread::spawn(move || {
            let mut text = String::new();
            let _ended = stderr.read_to_string(&mut text);
            let _unread = error_in.send(text);
        });
        Self { name: name.to_owned(), child, lines, seen: Vec::new(), next: 0, errors }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for an event that `matches` among those that no earlier wait has passed.
    pub(crate) fn wait_for(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(value) = self.seen.get(self.next) {
                self.next += 1;
                if matches(value) {
                    return value.clone();
                }
            }
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(value) => self.seen.push(value),
                Err(reason) => self.fail(what, reason),
            }
        }
    }

    fn fail(&mut self, what: &str, reason: RecvTimeoutError) -> ! {
        let _ended = self.child.kill();
        let errors = self.errors.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
        let noise = |value: &&Value| !matches!(value["event"].as_str(), Some("received" | "sent"));
        let seen: Vec<_> = self.seen.iter().filter(noise).map(Value::to_string).collect();
        let name = &self.name;
        panic!(
            "{name} never printed {what} ({reason}); its output:\n{}\n{errors}",
            seen.join("\n")
        );
    }

    /// Waits for an event of this name.
    pub(crate) fn wait_for_event(&mut self, event: &str) -> Value {
        self.wait_for(event, |value| value["event"] == event)
    }

    /// Returns all events of this name that have been printed so far.
    pub(crate) fn events(&mut self, event: &str) -> Vec<Value> {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|value| value["event"] == event).cloned().collect()
    }

    /// Waits for the end of the program.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // Its output ends with it.
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(value) => self.seen.push(value),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(reason) => self.fail("that it ends", reason),
            }
        }
        self.child.wait().unwrap()
    }

    /// Kills it, as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Interrupts it as a user would.
    #[cfg(unix)]
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        self.signal("INT");
        self.wait()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill`: a small system has no program of that name.
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Returns the most memory that it has used so far, in MB.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_megabytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Returns a command of the program under test.
pub(crate) fn liverysync() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liverysync"));
    // The settings of the user who runs the tests do not count.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LIVERYSYNC_")) {
        command.env_remove(name);
    }
    // Nor does a test change anything of theirs.
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("home");
    for name in
        ["HOME", "USERPROFILE", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"]
    {
        command.env(name, &home);
    }
    command
}

/// Returns a command of a test peer that speaks protocol 1.
pub(crate) fn peer(script: &str) -> Command {
    let peers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/peers");
    let mut command = Command::new("python3");
    command.arg("-B").arg(peers.join(script));
    command
}
