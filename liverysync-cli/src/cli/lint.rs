//! Options of `liverysync lint`.

use std::path::PathBuf;

use clap::Args;

use super::groups::{DetailArgs, LintRulesArgs, OutputArgs, SharedArgs};

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Liveries folder [default: the game's, found automatically]
    #[arg(value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: LintRulesArgs,
    #[command(flatten)]
    pub(crate) shared: SharedArgs,
    #[command(flatten)]
    pub(crate) detail: DetailArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
