//! The step `package`: packs the published crates as `cargo publish` would.

use anyhow::Result;
use xtask::process::run;
use xtask::workspace::Workspace;

use crate::steps::Outcome;

/// The published crates, which have to be packed in one call: each needs the one before it.
const CRATES: &str = "-p liverysync-core -p liverysync -p liverysync-cli";

pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    // Without a build of the packages, which would compile all dependencies once more. The build of the workspace
    // covers the same code, and `include` names whole folders.
    run(workspace.cargo(&format!("package {CRATES} --no-verify --allow-dirty")))?;
    Ok(Outcome::Done)
}
