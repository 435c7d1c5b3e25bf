//! Options of the commands by which a driver changes their own liveries.

use clap::Args;
use liverysync::Act;

use super::groups::{AddressArgs, IdentityArgs, OutputArgs, StateArgs};

#[derive(Debug, Args)]
pub(crate) struct WithdrawArgs {
    /// The liveries' folders; Team/sponsors.png is only that file of one
    #[arg(value_name = "LIVERY[/FILE]", required = true)]
    withdrawn: Vec<String>,
    #[command(flatten)]
    pub(crate) common: OwnerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// The livery's folder
    livery: String,
    /// New name of the folder
    new: String,
    #[command(flatten)]
    pub(crate) common: OwnerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplaceArgs {
    /// Folder of the livery that is retired
    old: String,
    /// Folder of its successor, which the league already has
    new: String,
    #[command(flatten)]
    pub(crate) common: OwnerArgs,
}

/// The options of every command for a driver's own liveries.
#[derive(Debug, Args)]
pub(crate) struct OwnerArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// Show what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl WithdrawArgs {
    pub(crate) fn act(&self) -> Act {
        Act::Retire { liveries: self.withdrawn.clone(), confirmed: true }
    }
}

impl RenameArgs {
    pub(crate) fn act(&self) -> Act {
        Act::Rename { livery: self.livery.clone(), new: self.new.clone() }
    }
}

impl ReplaceArgs {
    pub(crate) fn act(&self) -> Act {
        Act::Replace { old: self.old.clone(), new: self.new.clone() }
    }
}
