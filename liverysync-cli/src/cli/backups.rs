//! Options of `liverysync backups`.

use clap::{Args, Subcommand};
use liverysync::backups::SetName;

use super::{
    groups::{LiveriesArgs, OutputArgs},
    values::parse_set,
};
use crate::units::{parse_count, parse_size};

#[derive(Debug, Subcommand)]
pub(crate) enum BackupsCommand {
    /// List the backup sets, newest first
    List(BackupsListArgs),
    /// List the files of a backup set and compare them with the current ones
    Show(BackupsShowArgs),
    /// Restore files of a backup set; the files that they replace go into a new set
    Restore(BackupsRestoreArgs),
    /// Remove old backups, but never the last copy of a file
    #[command(
        after_help = "A backup is removed only if the same content is in the liveries folder or in another backup that stays. \
            Backups younger than an hour always stay."
    )]
    Prune(BackupsPruneArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BackupsListArgs {
    /// List only sets with this livery or file
    #[arg(value_name = "LIVERY|PATH")]
    pub(crate) wanted: Option<String>,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackupsShowArgs {
    /// Backup set, as `liverysync backups list` names it
    #[arg(value_parser = parse_set)]
    pub(crate) set: SetName,
    /// List only this livery or file
    #[arg(value_name = "PATH")]
    pub(crate) wanted: Option<String>,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackupsRestoreArgs {
    /// Backup set, as `liverysync backups list` names it
    #[arg(value_parser = parse_set)]
    pub(crate) set: SetName,
    /// Liveries and files to restore [default: the whole set]
    #[arg(value_name = "LIVERY|PATH")]
    pub(crate) wanted: Vec<String>,
    /// Show what would happen and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackupsPruneArgs {
    /// Remove backups that are this many days old or older
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) keep_days: Option<usize>,
    /// Remove the oldest backups until the rest fits into this size, such as 5GB; 0 keeps only last copies
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) keep_bytes: Option<u64>,
    /// Show what would happen and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

/// The options of every command for backups.
#[derive(Debug, Args)]
pub(crate) struct BackupsArgs {
    #[command(flatten)]
    pub(crate) liveries: LiveriesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
