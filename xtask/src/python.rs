//! The step `python`: builds the wheel of `liverysync-py` and tests that wheel.
//!
//! Two environments are made in the target folder: one builds, the other is clean and gets the wheel, so that what is
//! tested is what users install, and not the sources beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use xtask::process::{read, run, run_watched};
use xtask::workspace::Workspace;

use crate::steps::{Outcome, Tally};
use crate::test::build_all;

/// The versions of all tools.
const TOOLS: &str = "liverysync-py/requirements-dev.txt";

/// What the tests and checks need.
const TEST_TOOLS: &str = "mypy pytest pytest-asyncio pytest-timeout";

/// The environment that has the wheel.
const CLEAN: &str = "clean";

/// What the types are checked of.
const TYPED: &str = "liverysync-py/python liverysync-py/tests examples/league_bot.py";

pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    let folder = workspace.target.join("python");
    let wheel = build_wheel(workspace, &folder.join("wheels"), &[])?;
    // The client is tested against the program's server too.
    // With the options of the step `build`, so that nothing is built anew.
    run(build_all(workspace))?;

    let clean = Environment::make(workspace, folder.join(CLEAN))?;
    clean
        .pip(["install", "--no-deps", "--no-index"].map(Path::new).into_iter().chain([&*wheel]))?;
    run(clean.python("-c", ["import liverysync; print(liverysync.__version__)"]))?;
    clean.install(TEST_TOOLS)?;
    let mut tally = pytest(&clean, &folder.join("pytest.xml"))?;
    for check in [mypy, stubtest] {
        tally += match run(check(&clean)) {
            Ok(()) => Tally::ONE_PASSED,
            Err(error) => {
                println!("error: {error:#}");
                Tally::ONE_FAILED
            }
        };
    }
    Ok(Outcome::Tests(tally))
}

/// The Python of the environment that has the wheel: the step has made it.
pub(crate) fn clean(workspace: &Workspace) -> Command {
    let folder = workspace.target.join("python").join(CLEAN);
    Environment { workspace, folder }.program("python")
}

/// Debian splits the module that makes environments off Python.
fn make_sure_of_venv(workspace: &Workspace) -> Result<()> {
    let there = |quiet: bool| {
        let mut probe = workspace.command("python3");
        probe.args(["-c", "import ensurepip, venv"]);
        if quiet {
            probe.stderr(std::process::Stdio::null());
        }
        read(probe)
    };
    if there(true).is_ok() {
        return Ok(());
    }
    let install = workspace.root.join("scripts/install-python-tools.sh");
    run(workspace.command(&install.to_string_lossy()))?;
    there(false).map(drop)
}

/// A virtual environment.
struct Environment<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Environment<'a> {
    /// Makes a new one in place of what may be there.
    fn make(workspace: &'a Workspace, folder: PathBuf) -> Result<Self> {
        let mut venv = workspace.command("python3");
        run({
            venv.args(["-m", "venv", "--clear"]).arg(&folder);
            venv
        })?;
        Ok(Self { workspace, folder })
    }

    /// Its program `name`.
    fn program(&self, name: &str) -> Command {
        let folder = self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        self.workspace.command(&folder.join(name).to_string_lossy())
    }

    fn python<'s>(&self, how: &str, args: impl IntoIterator<Item = &'s str>) -> Command {
        let mut command = self.program("python");
        command.arg(how).args(args);
        command
    }

    fn pip<'s>(&self, args: impl IntoIterator<Item = &'s Path>) -> Result<()> {
        let mut command = self.python("-m", ["pip", "--quiet", "--disable-pip-version-check"]);
        command.args(args);
        run(command)
    }

    /// Installs tools, in the versions of [`TOOLS`].
    fn install(&self, tools: &str) -> Result<()> {
        let args = ["install", "--constraint", TOOLS].into_iter().chain(tools.split(' '));
        self.pip(args.map(Path::new))
    }
}

/// Builds the wheel, in an environment of its own, into the folder `wheels`, which is made anew.
pub(crate) fn build_wheel(workspace: &Workspace, wheels: &Path, how: &[&str]) -> Result<PathBuf> {
    make_sure_of_venv(workspace)?;
    let build = Environment::make(workspace, workspace.target.join("python/build"))?;
    build.install("maturin")?;
    if wheels.exists() {
        fs::remove_dir_all(wheels)?;
    }
    let mut maturin = build.program("maturin");
    maturin
        .args(["build", "--manifest-path", "liverysync-py/Cargo.toml", "--out"])
        .arg(wheels)
        .args(how);
    run(maturin)?;
    let built = fs::read_dir(wheels)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let [wheel] = &built[..] else { bail!("maturin built {built:?} and not one wheel") };
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    ensure!(name.contains("-cp310-abi3-"), "{name} is not for Python 3.10 and later");
    Ok(wheel.clone())
}

fn pytest(clean: &Environment<'_>, report: &Path) -> Result<Tally> {
    if report.exists() {
        fs::remove_file(report)?;
    }
    let mut command = clean.python("-m", ["pytest", "-q", "-p", "no:cacheprovider", "--junit-xml"]);
    let program = format!("debug/liverysync{}", std::env::consts::EXE_SUFFIX);
    command
        .arg(report)
        .current_dir(clean.workspace.root.join("liverysync-py"))
        .env("LIVERYSYNC_PROGRAM", clean.workspace.target.join(program));
    let status = run_watched(command, |_| {})?;
    let report = fs::read_to_string(report).context("pytest wrote no report")?;
    let mut tally = counted(&report).context("cannot read pytest's report")?;
    if !status.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Reads `<testsuite ... errors="0" failures="1" skipped="2" tests="30" ...>`.
fn counted(report: &str) -> Option<Tally> {
    let (_, suite) = report.split_once("<testsuite ")?;
    let (suite, _) = suite.split_once('>')?;
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = suite.split_once(&format!("{name}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    let (failed, ignored) = (number("failures")? + number("errors")?, number("skipped")?);
    let passed = number("tests")?.checked_sub(failed + ignored)?;
    Some(Tally { passed, failed, ignored })
}

fn mypy(clean: &Environment<'_>) -> Command {
    let mut command = clean.python("-m", ["mypy", "--config-file", "liverysync-py/pyproject.toml"]);
    let cache = clean.folder.join("mypy");
    command.arg("--cache-dir").arg(cache).args(TYPED.split(' '));
    command.env("MYPYPATH", "liverysync-py/python");
    command
}

fn stubtest(clean: &Environment<'_>) -> Command {
    // From another folder than the root, so that no cache is left there.
    let mut command = clean.python("-m", ["mypy.stubtest", "liverysync._liverysync"]);
    command.current_dir(&clean.folder);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_pytest_is_counted() {
        let report = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1.0"><testcase/>"#;
        assert_eq!(counted(report), Some(Tally { passed: 4, failed: 3, ignored: 3 }));
        assert_eq!(counted("<testsuites/>"), None);
    }
}
