//! The step `package`: packs the published crates as `cargo publish` would.

use anyhow::Result;
use xtask::process::run;
use xtask::workspace::Workspace;

use crate::steps::Outcome;
use crate::test::Settings;

/// The published crates, which have to be packed in one call: each needs the one before it.
const CRATES: &str = "-p liverysync-core -p liverysync -p liverysync-cli";

pub(crate) fn step(workspace: &Workspace, settings: Settings) -> Result<Outcome> {
    // Building the packages compiles all dependencies once more. The build of the workspace covers the same code, and
    // `include` names whole folders, so only a run of everything does it.
    let verify = if settings.runs_all() { "" } else { "--no-verify" };
    run(workspace.cargo(&format!("package {CRATES} {verify} --allow-dirty")))?;
    Ok(Outcome::Done)
}
