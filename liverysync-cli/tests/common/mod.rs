//! Drives the real program in a temporary folder of its own.

#![allow(dead_code, reason = "each test program uses another part of it")]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Longest wait for a line, or for the end of a program.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder, and the environment of the programs that run in it.
pub(crate) struct Test {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Test {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Sets a variable for the programs that run from here on.
    pub(crate) fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns a path in the folder.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Makes a file, with its folders.
    pub(crate) fn file(&self, below: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Makes a folder.
    pub(crate) fn folder(&self, below: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_liverysync"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LIVERYSYNC_") {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.folder.path());
        // A test neither finds nor changes anything of this machine's user.
        for name in
            ["HOME", "USERPROFILE", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"]
        {
            command.env(name, self.folder.path().join("home"));
        }
        // Each folder is that of another driver, unless a test says whose it is.
        if let Some(at) = args.iter().position(|arg| *arg == "--liveries")
            && let Some(liveries) = args.get(at + 1)
        {
            let driver = liveries.replace('.', "here");
            let identity = format!("identities/{driver}.json");
            command.env("LIVERYSYNC_IDENTITY", self.folder.path().join(identity));
        }
        command.env("COLUMNS", "100").envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Starts the program.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut child = self.command(args).spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let what = args.join(" ");
        Running { child, what, stdout, stderr, seen: [String::new(), String::new()] }
    }

    /// Starts the program and reads none of its output: its pipe is closed at once.
    pub(crate) fn start_unread(&self, args: &[&str]) -> Child {
        let mut child = self.command(args).spawn().unwrap();
        drop(child.stdout.take());
        child
    }

    /// Starts a server on a free port of loopback, and returns the port when it listens.
    #[track_caller]
    pub(crate) fn server(&self, args: &[&str]) -> (Running, u16) {
        let mut all = vec!["server", "--host", "127.0.0.1", "--port", "0"];
        all.extend(args);
        let mut server = self.start(&all);
        let line = server.line("listening on ");
        let port = line.rsplit(':').next().unwrap().parse().unwrap();
        (server, port)
    }
}

/// Reads lines on a thread of its own, so that a test can stop waiting.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A program that runs. It is killed when the test is over.
pub(crate) struct Running {
    child: Child,
    what: String,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// Lines that were read from standard output and standard error.
    seen: [String; 2],
}

impl Running {
    /// Waits for a line on standard output that holds `part`.
    #[track_caller]
    pub(crate) fn line(&mut self, part: &str) -> String {
        self.line_of(0, part)
    }

    /// Waits for a line on standard error that holds `part`.
    #[track_caller]
    pub(crate) fn note(&mut self, part: &str) -> String {
        self.line_of(1, part)
    }

    #[track_caller]
    fn line_of(&mut self, output: usize, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let source = if output == 0 { &self.stdout } else { &self.stderr };
        loop {
            match source.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    writeln!(self.seen[output], "{line}").unwrap();
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(why) => {
                    let [stdout, stderr] = &self.seen;
                    let why = if why == RecvTimeoutError::Timeout { "in time" } else { "at all" };
                    panic!(
                        "`{}` did not print {part:?} {why}\nstdout:\n{stdout}stderr:\n{stderr}",
                        self.what
                    );
                }
            }
        }
    }

    /// Returns the number of the process, for signals.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the program to stop, as a terminal or a service manager does.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill`: a small system has no program of that name.
        let kill = format!("kill -{name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Ends the program at once, as a power cut does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let deadline = Instant::now() + PATIENCE;
        // Its outputs end with it.
        for (output, source) in [&self.stdout, &self.stderr].into_iter().enumerate() {
            loop {
                match source.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(line) => writeln!(self.seen[output], "{line}").unwrap(),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        let [stdout, stderr] = &self.seen;
                        panic!("`{}` does not end\nstdout:\n{stdout}stderr:\n{stderr}", self.what);
                    }
                }
            }
        }
        let code = self.child.wait().unwrap().code();
        let [stdout, stderr] = std::mem::take(&mut self.seen);
        Finished { what: self.what.clone(), code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A program that has ended, with its output.
pub(crate) struct Finished {
    what: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        let Self { what, stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "`{what}`\nstdout:\n{stdout}stderr:\n{stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn stdout(self, expected: &str) -> Self {
        assert_eq!(self.stdout, expected, "`{}`\nstderr:\n{}", self.what, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn stdout_has(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "`{}` lacks {part:?}:\n{}", self.what, self.stdout);
        self
    }

    #[track_caller]
    pub(crate) fn stderr(self, expected: &str) -> Self {
        assert_eq!(self.stderr, expected, "`{}`", self.what);
        self
    }

    #[track_caller]
    pub(crate) fn stderr_has(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "`{}` lacks {part:?}:\n{}", self.what, self.stderr);
        self
    }
}

/// Returns all files below `root` by path, except `.backup` and `.tmp`.
pub(crate) fn files(root: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    fn walk(at: &Path, below: &str, found: &mut std::collections::BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{below}{}", entry.file_name().to_str().unwrap());
            if path == ".backup" || path == ".tmp" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{path}/"), found);
            } else {
                found.insert(path, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = std::collections::BTreeMap::new();
    walk(root, "", &mut found);
    found
}
