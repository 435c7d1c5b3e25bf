//! The step `python`: builds the wheel of `liverysync-py` and tests that wheel.
//!
//! The wheel goes into a clean environment in the target folder, so that the tests see the package that users install,
//! and not the sources beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use xtask::process::{run, status};
use xtask::workspace::Workspace;

use crate::steps::{Outcome, Tally};
use crate::test::{PLAIN_CORE, build_all};
use crate::tools::{Environment, MATURIN};

/// The packages that test and check the wheel.
const TEST_TOOLS: &str = "mypy pytest pytest-asyncio pytest-timeout";

/// The code whose types are checked.
const TYPED: &str = "liverysync-py/python liverysync-py/tests examples/league_bot.py";

pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    let folder = workspace.target.join("python");
    let wheel = build_wheel(workspace, &folder.join("wheels"), &["--config", PLAIN_CORE])?;
    // The client is tested against the program's server too. With the options of the step `build`, so that nothing is
    // built twice.
    run(build_all(workspace))?;

    let clean = clean_environment(workspace);
    clean.make()?;
    clean
        .pip(["install", "--no-deps", "--no-index"].map(Path::new).into_iter().chain([&*wheel]))?;
    run(clean.python("-c", ["import liverysync; print(liverysync.__version__)"]))?;
    clean.install(TEST_TOOLS)?;
    let mut tally = pytest(workspace, &clean, &folder.join("pytest.xml"))?;
    tally += Tally::of(run(mypy(&clean)));
    tally += Tally::of(run(stubtest(&clean)));
    tally += Tally::of(build_sdist(workspace, &folder.join("sdist")));
    Ok(Outcome::Tests(tally))
}

/// The environment that has the wheel and nothing of the sources beside it.
fn clean_environment(workspace: &Workspace) -> Environment<'_> {
    Environment::at(workspace, workspace.target.join("python/clean"))
}

/// Returns a command that runs the Python which has the wheel. The step has made it.
pub(crate) fn clean(workspace: &Workspace) -> Command {
    clean_environment(workspace).program("python")
}

/// Builds the source distribution, which maturin refuses if two files of it have one name.
fn build_sdist(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut maturin = MATURIN.install(workspace)?;
    maturin.args(["sdist", "--manifest-path", "liverysync-py/Cargo.toml", "--out"]).arg(folder);
    run(maturin)
}

/// Builds the wheel into the folder `wheels`, which is emptied first.
pub(crate) fn build_wheel(workspace: &Workspace, wheels: &Path, how: &[&str]) -> Result<PathBuf> {
    if wheels.exists() {
        fs::remove_dir_all(wheels)?;
    }
    let mut maturin = MATURIN.install(workspace)?;
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

fn pytest(workspace: &Workspace, clean: &Environment<'_>, report: &Path) -> Result<Tally> {
    if report.exists() {
        fs::remove_file(report)?;
    }
    let mut command = clean.python("-m", ["pytest", "-q", "-p", "no:cacheprovider", "--junit-xml"]);
    let program = format!("debug/liverysync{}", std::env::consts::EXE_SUFFIX);
    command
        .arg(report)
        .current_dir(workspace.root.join("liverysync-py"))
        .env("LIVERYSYNC_PROGRAM", workspace.target.join(program));
    let status = status(command)?;
    let report = fs::read_to_string(report).context("pytest wrote no report")?;
    let tally = Tally::from_junit(&report).context("cannot read pytest's report")?;
    Ok(tally.with_exit(status.success()))
}

fn mypy(clean: &Environment<'_>) -> Command {
    let mut command = clean.python("-m", ["mypy", "--config-file", "liverysync-py/pyproject.toml"]);
    let cache = clean.folder().join("mypy");
    command.arg("--cache-dir").arg(cache).args(TYPED.split(' '));
    command.env("MYPYPATH", "liverysync-py/python");
    command
}

fn stubtest(clean: &Environment<'_>) -> Command {
    // From another folder than the root, so that no cache is left there.
    let mut command = clean.python("-m", ["mypy.stubtest", "liverysync._liverysync"]);
    command.current_dir(clean.folder());
    command
}
