//! `liverysync backups`: lists, restores and prunes backups of replaced files.

use std::{path::PathBuf, time::Duration};

use liverysync::backups::{Backups, Bounds, PruneOptions, Wanted};

use crate::{
    cli::backups::{
        BackupsArgs, BackupsCommand, BackupsListArgs, BackupsPruneArgs, BackupsRestoreArgs,
        BackupsShowArgs,
    },
    exit::Failure,
    output::{self, json},
    text::{backups as text, error},
};

const DAY_SECONDS: u64 = 24 * 60 * 60;

pub(super) fn run(command: &BackupsCommand) -> Result<(), Failure> {
    match command {
        BackupsCommand::List(args) => list(args),
        BackupsCommand::Show(args) => show(args),
        BackupsCommand::Restore(args) => restore(args),
        BackupsCommand::Prune(args) => prune(args),
    }
}

fn list(args: &BackupsListArgs) -> Result<(), Failure> {
    let (root, backups) = open(&args.common)?;
    let sets = backups.list(&Wanted::new(args.wanted.clone()));
    if args.common.output.json {
        output::line(&json::backups(&root.to_string_lossy(), &sets))?;
    } else {
        output::block(&text::list(&sets))?;
    }
    Ok(())
}

fn show(args: &BackupsShowArgs) -> Result<(), Failure> {
    let (_, backups) = open(&args.common)?;
    let shown = backups
        .show(&args.set, &Wanted::new(args.wanted.clone()))
        .map_err(|error| error::backups(&error))?;
    if args.common.output.json {
        output::line(&json::named("backup_shown", &shown))?;
    } else {
        output::block(&text::shown(&shown))?;
    }
    Ok(())
}

fn restore(args: &BackupsRestoreArgs) -> Result<(), Failure> {
    let (_, backups) = open(&args.common)?;
    let wanted = Wanted::new(args.wanted.clone());
    let done = backups
        .restore(&args.set, &wanted, args.dry_run)
        .map_err(|error| error::backups(&error))?;
    if args.common.output.json {
        output::line(&json::named("backup_restored", &done))?;
    } else {
        output::block(&text::restored(&done))?;
    }
    match done.failed.len() as u64 {
        0 => Ok(()),
        failed => Err(error::not_restored(failed, &args.set).into()),
    }
}

fn prune(args: &BackupsPruneArgs) -> Result<(), Failure> {
    let days = |days: usize| Duration::from_secs((days as u64).saturating_mul(DAY_SECONDS));
    let bounds = Bounds { age: args.keep_days.map(days), bytes: args.keep_bytes };
    if bounds == Bounds::default() {
        return Err(Failure::usage(error::prune_needs_a_bound()));
    }
    let (_, backups) = open(&args.common)?;
    let mut options = PruneOptions::default();
    (options.bounds, options.dry_run) = (bounds, args.dry_run);
    let done = backups.prune(&options).map_err(|error| error::backups(&error))?;
    if args.common.output.json {
        output::line(&json::named("backups_pruned", &done))?;
    } else {
        output::block(&text::pruned(&done))?;
    }
    Ok(())
}

fn open(args: &BackupsArgs) -> Result<(PathBuf, Backups), Failure> {
    let root = super::liveries_folder(args.liveries.folder(), "backups list --liveries DIR")?;
    let backups = Backups::open(&root).map_err(|error| error::backups(&error))?;
    Ok((root, backups))
}
