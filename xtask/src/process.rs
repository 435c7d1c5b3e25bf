//! Runs other programs: in the foreground to their end, or in the background until they are dropped.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// The time between two looks at a running program.
const POLL: Duration = Duration::from_millis(20);

/// Runs a command to its end and shows its output; an error if it fails.
pub fn run(command: Command) -> Result<()> {
    let line = typed(&command);
    let status = status(command)?;
    ensure!(status.success(), "`{line}` ended with {status}");
    Ok(())
}

/// Runs a command to its end, shows its output, and returns how it ended.
pub fn status(mut command: Command) -> Result<ExitStatus> {
    let line = typed(&command);
    println!("$ {line}");
    command.status().with_context(|| format!("cannot run `{line}`"))
}

/// Runs a command to its end, shows its output, and passes each line of its standard output to `look`.
pub fn run_watched(mut command: Command, mut look: impl FnMut(&str)) -> Result<ExitStatus> {
    let line = typed(&command);
    println!("$ {line}");
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{line}`"))?;
    let mut output = BufReader::new(child.stdout.take().context("standard output is piped")?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        io::stdout().write_all(&line)?;
        look(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(child.wait()?)
}

/// Returns the standard output of a short program, which has to succeed, and shows its standard error.
pub fn read(mut command: Command) -> Result<String> {
    command.stderr(Stdio::inherit());
    read_quietly(command)
}

/// Returns the standard output of a short program, which has to succeed.
pub fn read_quietly(mut command: Command) -> Result<String> {
    let line = typed(&command);
    let output = command.output().with_context(|| format!("cannot run `{line}`"))?;
    ensure!(output.status.success(), "`{line}` ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the command as a person would type it.
fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// A program in the background. Dropping it kills the program.
///
/// The output goes to files, not pipes: Wine's helpers inherit a pipe and would keep it open after the program's end.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Program {
    /// Starts `command` and writes its output to the files `NAME.out` and `NAME.err` in `logs`.
    pub fn start(name: &str, mut command: Command, logs: &Path) -> Result<Self> {
        let stdout = logs.join(format!("{name}.out"));
        let stderr = logs.join(format!("{name}.err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, stdout, stderr })
    }

    /// Waits for the first whole line on standard output.
    pub fn first_line(&mut self, within: Duration) -> Result<String> {
        let line = poll(within, || {
            let text = fs::read_to_string(&self.stdout)?;
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(Some(line.trim_end().to_owned()));
            }
            ensure!(self.child.try_wait()?.is_none(), "it ended early");
            Ok(None)
        });
        match line {
            Ok(Some(line)) => Ok(line),
            Ok(None) => {
                bail!("{} printed no line within {within:?}\n{}", self.name, self.transcript())
            }
            Err(error) => bail!("{} printed no line: {error}\n{}", self.name, self.transcript()),
        }
    }

    /// Waits for the end and returns standard output; an error if the exit code is not 0.
    pub fn finish(&mut self, within: Duration) -> Result<String> {
        self.finish_with(0, within)
    }

    /// Waits for the end and returns standard output; an error if the exit code is another one.
    pub fn finish_with(&mut self, code: i32, within: Duration) -> Result<String> {
        match poll(within, || Ok(self.child.try_wait()?))? {
            Some(status) if status.code() == Some(code) => Ok(fs::read_to_string(&self.stdout)?),
            Some(status) => bail!("{} ended with {status}\n{}", self.name, self.transcript()),
            None => bail!("{} still ran after {within:?}\n{}", self.name, self.transcript()),
        }
    }

    /// Sends the program the signal of Ctrl-C.
    pub fn interrupt(&self) -> Result<()> {
        // The shell's own `kill`: a small system has no program of that name.
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("kill -INT {}", self.child.id())]);
        run(shell)
    }

    /// Returns everything the program has printed so far, for messages about a failure.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for path in [&self.stdout, &self.stderr] {
            let bytes = fs::read(path).unwrap_or_default();
            for line in String::from_utf8_lossy(&bytes).lines() {
                let file = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
                text.push_str(&format!("    {file}: {line}\n"));
            }
        }
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if the program has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Hides the settings and folders of the person who runs the tests from a program under test.
pub fn isolate(command: &mut Command, home: &Path) {
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if ["LIVERYSYNC_", "WINE", "XDG_"].iter().any(|prefix| name.starts_with(prefix))
            || name.ends_with("DISPLAY")
        {
            command.env_remove(&key);
        }
    }
    // Wine takes the encoding of file names from the locale.
    command.env("HOME", home).env("LC_ALL", "C.UTF-8");
}

/// Calls `ready` until it returns something or the time is up.
pub fn poll<T>(
    within: Duration,
    mut ready: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let deadline = Instant::now() + within;
    loop {
        let found = ready()?;
        if found.is_some() || Instant::now() > deadline {
            return Ok(found);
        }
        thread::sleep(POLL);
    }
}
