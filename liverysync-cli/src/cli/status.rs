//! Options of `liverysync status` and `liverysync scan`, which look and change nothing.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::groups::{
    AddressArgs, DetailArgs, IdentityArgs, LintRulesArgs, LiveriesArgs, OutputArgs, SharedArgs,
    SharingArgs, StateArgs,
};
use crate::units::parse_seconds;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,
    #[command(flatten)]
    pub(crate) liveries: LiveriesArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// Give up after this time, with exit code 3
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) sharing: SharingArgs,
    #[command(flatten)]
    pub(crate) shared: SharedArgs,
    #[command(flatten)]
    pub(crate) detail: DetailArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Liveries folder [default: the game's, found automatically]
    #[arg(value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) sharing: SharingArgs,
    #[command(flatten)]
    pub(crate) rules: LintRulesArgs,
    #[command(flatten)]
    pub(crate) shared: SharedArgs,
    #[command(flatten)]
    pub(crate) detail: DetailArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
