//! The step `deps`: the rules of `deny.toml`, and the crates that the core must not have.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use xtask::process::{read, run};
use xtask::workspace::Workspace;

use crate::steps::{Outcome, Tally};
use crate::tools::DENY;

/// Crates that would bring a runtime, sockets, files, threads, a clock or the system's randomness into the core.
const NOT_IN_CORE: &[&str] = &[
    "async-std",
    "chrono",
    "filetime",
    "getrandom",
    "mio",
    "notify",
    "rayon",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "walkdir",
];

pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    let mut tally = Tally::of(core(workspace));
    match DENY.find(workspace) {
        Ok(mut deny) => {
            deny.args(["check", "bans", "licenses", "sources"]);
            tally += Tally::of(run(deny));
        }
        Err(error) if tally.failed == 0 => {
            return Outcome::missing(format!("there is no cargo-deny: {error:#}"));
        }
        Err(error) => println!("there is no cargo-deny: {error:#}"),
    }
    Ok(Outcome::Tests(tally))
}

fn core(workspace: &Workspace) -> Result<()> {
    // For all platforms: a crate that only Windows pulls in counts as well.
    let tree =
        read(workspace.cargo("tree -p liverysync-core -e normal --target all --prefix none"))?;
    let crates: BTreeSet<_> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(crates.contains("liverysync-core"), "cannot read the output of cargo tree:\n{tree}");
    let found: Vec<_> = NOT_IN_CORE.iter().filter(|name| crates.contains(*name)).collect();
    ensure!(
        found.is_empty(),
        "liverysync-core depends on {found:?}; `cargo tree -p liverysync-core -i NAME` shows why"
    );
    println!("{} crates, none of {NOT_IN_CORE:?}", crates.len());
    Ok(())
}
