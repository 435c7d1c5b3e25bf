//! A temporary Wine that sees no settings and no files of the person who runs the checks.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xtask::process::{Program, isolate};

/// The time limit for making the prefix, which takes seconds on a free machine.
const START: Duration = Duration::from_secs(180);

/// A Wine prefix. Dropping it ends all that runs in it.
#[derive(Debug)]
pub(crate) struct Wine {
    home: PathBuf,
}

impl Wine {
    /// Makes the prefix below `home`. The folder has to exist, and to outlive the returned value.
    pub(crate) fn start(home: PathBuf, logs: &Path) -> Result<Self> {
        let wine = Self { home };
        let mut boot = wine.command("wineboot");
        boot.arg("--init");
        Program::start("wineboot", boot, logs)?.finish(START).context("Wine did not start")?;
        Ok(wine)
    }

    /// Returns a command that runs this Windows program.
    pub(crate) fn program(&self, program: &Path) -> Command {
        let mut command = self.command("wine");
        command.arg(program);
        command
    }

    /// Returns the path by which a Windows program finds this folder of the Linux file system.
    pub(crate) fn path(linux: &Path) -> OsString {
        format!("Z:{}", linux.display()).replace('/', "\\").into()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        isolate(&mut command, &self.home);
        command
            .env("WINEPREFIX", self.home.join("prefix"))
            .env("WINEDEBUG", "-all")
            // Without .NET and HTML, which Wine would offer to download.
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        command
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // An error means that no server runs any more.
        for arg in ["--kill", "--wait"] {
            let mut command = self.command("wineserver");
            drop(
                command
                    .arg(arg)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status(),
            );
        }
    }
}
