//! Options of `liverysync lint`.

use std::path::PathBuf;

use clap::Args;

use super::groups::{DetailArgs, OutputArgs, SharedArgs};

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Liveries folder [default: the game's, found automatically]
    #[arg(value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    /// The league's rules (TOML): sizes, names and files it allows
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shared: SharedArgs,
    #[command(flatten)]
    pub(crate) detail: DetailArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
