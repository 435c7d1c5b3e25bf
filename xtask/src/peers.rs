//! `cargo xtask peers`: builds and runs the package `liverysync-peers`.
//!
//! It is a package of its own, so that no other subcommand waits for it to compile.

use anyhow::{Context as _, Result};
use lexopt::Parser;
use xtask::workspace::Workspace;

use crate::Passed;

pub(crate) fn run_command(mut args: Parser, workspace: &Workspace) -> Result<Passed> {
    let mut command = workspace.cargo("run --quiet --release --package liverysync-peers --");
    command.args(args.raw_args()?);
    // It has already reported what failed.
    Ok(command.status().context("cannot run cargo")?.success())
}
