//! `cargo xtask windows`: builds the Windows program on Linux and checks it under Wine.
//!
//! Debian's newer compiler builds the standard library for Windows from its sources, because not every machine can
//! download a ready-made one. It has a target folder of its own, or the two compilers would rebuild each other's work.

mod checks;
mod wine;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::{Arg, Parser};
use xtask::process::run;
use xtask::workspace::Workspace;

use crate::Passed;
use crate::steps::{Outcome, Tally};
use crate::test::build_all;
use crate::windows::checks::{CHECKS, Lab};

const TARGET: &str = "x86_64-pc-windows-gnu";

/// The script that installs the packages.
const INSTALL: &str = "scripts/install-windows-tools.sh";

/// The part to do.
#[derive(Debug, Default)]
pub(crate) struct Options {
    build_only: bool,
}

impl Options {
    pub(crate) fn parse(mut args: Parser) -> Result<Self> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("build-only") => options.build_only = true,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }

    pub(crate) fn run(&self, workspace: &Workspace) -> Result<Passed> {
        if let Tools::Unavailable(why) = Tools::look(workspace)? {
            bail!("{why}");
        }
        run(workspace.command(INSTALL))?;
        let program = build(workspace, Pace::Optimised)?;
        if self.build_only {
            return Ok(true);
        }
        let tally = check(workspace, &program)?;
        println!("\n{} passed, {} failed", tally.passed, tally.failed);
        Ok(tally.failed == 0)
    }
}

/// The step of `cargo xtask test`. Without the tools it is skipped, but never in CI.
pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    match Tools::look(workspace)? {
        Tools::Unavailable(why) => return Outcome::missing(why),
        Tools::Installed | Tools::Installable => run(workspace.command(INSTALL))?,
    }
    let program = build(workspace, Pace::SoonBuilt)?;
    Ok(Outcome::Tests(check(workspace, &program)?))
}

/// The state of the Windows tools on this machine.
enum Tools {
    Installed,
    Installable,
    Unavailable(String),
}

impl Tools {
    fn look(workspace: &Workspace) -> Result<Self> {
        let output = workspace
            .command(INSTALL)
            .arg("--check")
            .output()
            .with_context(|| format!("cannot run {INSTALL}"))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(Self::Installed),
            Some(1) => Ok(Self::Installable),
            Some(3) => Ok(Self::Unavailable(text)),
            _ => bail!(
                "{INSTALL} --check ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
}

/// The purpose of a build.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// Drivers run it.
    Optimised,
    /// Only the checks run it: most of their time would go into optimising.
    SoonBuilt,
}

/// Builds the Windows program, and returns its path.
fn build(workspace: &Workspace, pace: Pace) -> Result<PathBuf> {
    let (folder, profile): (_, &[(&str, &str)]) = match pace {
        Pace::Optimised => ("windows", &[]),
        Pace::SoonBuilt => (
            "windows-checks",
            &[("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"), ("CARGO_PROFILE_RELEASE_DEBUG", "0")],
        ),
    };
    let target = workspace.target.join(folder);
    let mut cargo = workspace.command("/usr/bin/cargo");
    cargo
        .args(["build", "--release", "--locked", "-p", "liverysync-cli"])
        .args(["-Zbuild-std=std,panic_unwind", "--target", TARGET])
        // Clippy never sees the code that only Windows compiles, so at least the compiler must not warn.
        .arg("-Zwarnings")
        .env("CARGO_BUILD_WARNINGS", "deny")
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .envs(profile.iter().copied());
    // The cargo that runs this program sets these, for its own toolchain.
    for key in ["CARGO", "LD_LIBRARY_PATH", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(key);
    }
    run(cargo)?;
    let program = target.join(TARGET).join("release").join("liverysync.exe");
    ensure!(program.is_file(), "cargo built no {}", program.display());
    println!("{}: {} KiB", program.display(), fs::metadata(&program)?.len() / 1024);
    Ok(program)
}

/// Runs all checks under Wine, each of them even if another one fails.
fn check(workspace: &Workspace, program: &Path) -> Result<Tally> {
    run(build_all(workspace))?;
    let folder = tempfile::tempdir()?;
    let windows_program = folder.path().join("liverysync.exe");
    fs::copy(program, &windows_program)?;
    run(fixture(workspace, folder.path()))?;
    let lab = Lab::new(folder, workspace.target.join("debug/liverysync"), windows_program)?;

    println!("\nrunning {} checks under Wine", CHECKS.len());
    let mut tally = Tally::default();
    for (name, check) in CHECKS {
        tally += Tally::of_check(name, || check(&lab).map(|()| Tally::ONE_PASSED));
    }
    Ok(tally)
}

/// Compiles a DLL that Wine lacks, into the folder of the program.
fn fixture(workspace: &Workspace, folder: &Path) -> Command {
    let mut gcc = workspace.command("x86_64-w64-mingw32-gcc");
    gcc.args(["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-o"])
        .arg(folder.join("bcryptprimitives.dll"))
        .args(["tests/windows/bcryptprimitives.c", "-ladvapi32"]);
    gcc
}
