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
    if !settings.runs_all() {
        run(workspace.cargo(&format!("package {CRATES} --no-verify --allow-dirty")))?;
        return Ok(Outcome::Done);
    }
    // Cargo takes a crate of the same version from the same place for unchanged, and would build against the core of an
    // earlier run. So the place is a new one each time.
    let folder = tempfile::tempdir_in(&workspace.target)?;
    let mut cargo = workspace.cargo(&format!("package {CRATES} --allow-dirty --target-dir"));
    cargo.arg(folder.path());
    run(cargo)?;
    Ok(Outcome::Done)
}
