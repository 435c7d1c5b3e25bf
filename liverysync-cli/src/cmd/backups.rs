//! `liverysync backups`: what was replaced on this PC, getting it back, and making room.

use std::{path::PathBuf, time::Duration};

use liverysync::backups::{Backups, BackupsError, Bounds, PruneOptions, Wanted};

use crate::{
    cli::backups::{
        BackupsArgs, BackupsCommand, BackupsListArgs, BackupsPruneArgs, BackupsRestoreArgs,
        BackupsShowArgs,
    },
    exit::{Exit, Failure},
    output::{self, backups as words, json},
    units,
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
        output::block(&words::list(&sets))?;
    }
    Ok(())
}

fn show(args: &BackupsShowArgs) -> Result<(), Failure> {
    let (_, backups) = open(&args.common)?;
    let shown = backups.show(&args.set, &Wanted::new(args.wanted.clone())).map_err(explain)?;
    if args.common.output.json {
        output::line(&json::named("backup_shown", &shown))?;
    } else {
        output::block(&words::shown(&shown))?;
    }
    Ok(())
}

fn restore(args: &BackupsRestoreArgs) -> Result<(), Failure> {
    let (_, backups) = open(&args.common)?;
    let wanted = Wanted::new(args.wanted.clone());
    let done = backups.restore(&args.set, &wanted, args.dry_run).map_err(explain)?;
    if args.common.output.json {
        output::line(&json::named("backup_restored", &done))?;
    } else {
        output::block(&words::restored(&done))?;
    }
    match done.failed.len() as u64 {
        0 => Ok(()),
        failed => {
            let what = format!("{} of {} not put back", units::count(failed, "file"), args.set);
            Err(Failure::new(Exit::Failed, what)
                .hint("what lay there still does; name the liveries or files that you want"))
        }
    }
}

fn prune(args: &BackupsPruneArgs) -> Result<(), Failure> {
    let days = |days: usize| Duration::from_secs((days as u64).saturating_mul(DAY_SECONDS));
    let bounds = Bounds { age: args.keep_days.map(days), bytes: args.keep_bytes };
    if bounds == Bounds::default() {
        return Err(Failure::usage("prune has to know how much is to stay")
            .hint("add --keep-days N, --keep-bytes SIZE, or both"));
    }
    let (_, backups) = open(&args.common)?;
    let options = PruneOptions { bounds, dry_run: args.dry_run, ..PruneOptions::default() };
    let done = backups.prune(&options).map_err(explain)?;
    if args.common.output.json {
        output::line(&json::named("backups_pruned", &done))?;
    } else {
        output::block(&words::pruned(&done))?;
    }
    Ok(())
}

fn open(args: &BackupsArgs) -> Result<(PathBuf, Backups), Failure> {
    let how_to_say = "say where the folder is: liverysync backups list --liveries DIR";
    let root = super::liveries_folder(args.liveries.folder(), how_to_say)?;
    let backups = Backups::open(&root).map_err(explain)?;
    Ok((root, backups))
}

fn explain(error: BackupsError) -> Failure {
    let hint = match &error {
        BackupsError::NoSet(_) => "see what there is: liverysync backups list".to_owned(),
        BackupsError::NoMatch { set, .. } => {
            format!("see what it holds: liverysync backups show {set}; nothing was changed")
        }
        _ => "give a folder that is there and can be read".to_owned(),
    };
    Failure::of(Exit::Failed, error).hint(hint)
}
