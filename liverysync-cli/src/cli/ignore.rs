//! Options of `liverysync ignore`.

use clap::{Args, Subcommand};

use super::groups::{LiveriesArgs, OutputArgs, StateArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum IgnoreCommand {
    /// Ignore liveries from now on
    Add(IgnoreChangeArgs),
    /// Stop ignoring liveries and download them again
    Remove(IgnoreChangeArgs),
    /// List the ignored liveries
    List(IgnoreArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IgnoreChangeArgs {
    /// Names of liveries; * matches any characters, ? matches one, and a ! in front makes an exception to the globs before it
    #[arg(value_name = "GLOB", required = true)]
    pub(crate) globs: Vec<String>,
    #[command(flatten)]
    pub(crate) common: IgnoreArgs,
}

/// The options of every command for ignored liveries.
#[derive(Debug, Args)]
pub(crate) struct IgnoreArgs {
    #[command(flatten)]
    pub(crate) liveries: LiveriesArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
