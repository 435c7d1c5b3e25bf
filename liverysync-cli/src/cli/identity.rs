//! Options of `liverysync identity`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::groups::{IdentityArgs, OutputArgs, StateArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Show which member you are
    Show(IdentityCommonArgs),
    /// Write your identity to a file, encrypted with a passphrase
    Export(IdentityExportArgs),
    /// Import the identity of another PC
    Import(IdentityImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IdentityExportArgs {
    /// File to write, which must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) common: IdentityCommonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct IdentityImportArgs {
    /// File that `liverysync identity export` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the identity that this PC has; its key is kept as a former one, and leagues make both members one
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) common: IdentityCommonArgs,
}

/// The options of every command for the identity.
#[derive(Debug, Args)]
pub(crate) struct IdentityCommonArgs {
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
