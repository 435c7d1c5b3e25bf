//! The folders of this workspace, and calls of cargo.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The folders of this workspace.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the root manifest.
    pub root: PathBuf,
    /// Cargo's target folder, as `CARGO_TARGET_DIR` or a config file says.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo for the folders.
    pub fn find() -> Result<Self> {
        let output = Command::new(cargo_program())
            .args(["metadata", "--no-deps", "--format-version=1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata failed");
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let folder = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).context("no such folder in cargo metadata")
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// Returns a command that runs `program` at the workspace's root, without standard input.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Returns a command that runs `cargo` with these arguments, separated by spaces.
    pub fn cargo(&self, args: &str) -> Command {
        let mut command = self.command(&cargo_program());
        command.args(args.split_whitespace());
        command
    }
}

/// Returns the cargo that runs this program, so that nested calls use the same toolchain.
fn cargo_program() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
