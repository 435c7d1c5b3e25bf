//! A Wine of our own: a throwaway Windows that sees nothing of the user's, and is gone afterwards.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xtask::process::{Program, isolate};

/// Making the prefix takes seconds on a free machine.
const START: Duration = Duration::from_secs(180);

/// A Wine prefix. Dropping it ends all that runs in it.
#[derive(Debug)]
pub(crate) struct Wine {
    home: PathBuf,
}

impl Wine {
    /// Makes the prefix below `home`, which has to exist, and be removed after this has been dropped.
    pub(crate) fn start(home: PathBuf, logs: &Path) -> Result<Self> {
        let wine = Self { home };
        let mut boot = wine.command("wineboot");
        boot.arg("--init");
        Program::start("wineboot", boot, logs)?.finish(START).context("Wine did not start")?;
        Ok(wine)
    }

    /// A command that runs this Windows program.
    pub(crate) fn program(&self, program: &Path) -> Command {
        let mut command = self.command("wine");
        command.arg(program);
        command
    }

    /// What a Windows program calls this folder of the Linux file system.
    pub(crate) fn path(linux: &Path) -> OsString {
        format!("Z:{}", linux.display()).replace('/', "\\").into()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        isolate(&mut command, &self.home);
        command
            .env("WINEPREFIX", self.home.join("prefix"))
            .env("WINEDEBUG", "-all")
            // No .NET and no HTML: Wine would ask whether to download them.
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
