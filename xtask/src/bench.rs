//! `cargo xtask bench`: runs the criterion benchmarks of all crates.

use anyhow::Result;
use lexopt::{Arg, Parser, ValueExt as _};
use xtask::process::run;
use xtask::workspace::Workspace;

use crate::Passed;

/// The benchmarks to run, and for how long.
#[derive(Debug, Default)]
pub(crate) struct Options {
    quick: bool,
    filter: Option<String>,
}

impl Options {
    pub(crate) fn parse(mut args: Parser) -> Result<Self> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("quick") => options.quick = true,
                Arg::Value(filter) if options.filter.is_none() => {
                    options.filter = Some(filter.string()?);
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }

    pub(crate) fn run(&self, workspace: &Workspace) -> Result<Passed> {
        // The pattern leaves out the unit tests of libraries and programs, which do not know criterion's options.
        let mut command = workspace.cargo("bench --workspace --bench * --");
        command.args(self.quick.then_some("--quick")).args(&self.filter);
        run(command)?;
        Ok(true)
    }
}
