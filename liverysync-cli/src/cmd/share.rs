//! `liverysync share`: liveries that this PC shares with a league.

use liverysync::LiveryList;

use crate::{
    cli::share::{ShareArgs, ShareChangeArgs, ShareCommand},
    exit::Failure,
    output::{self, json},
    text::{
        error,
        lists::{Change, Shown, shared},
    },
};

pub(super) fn run(command: &ShareCommand) -> Result<(), Failure> {
    match command {
        ShareCommand::Add(args) => change(args, Change::Added),
        ShareCommand::Remove(args) => change(args, Change::Removed),
        ShareCommand::List(args) => show(args, None, &open(args)?, &[]),
    }
}

fn change(args: &ShareChangeArgs, change: Change) -> Result<(), Failure> {
    let list = open(&args.common)?;
    let changed = match change {
        Change::Added => list.add(&args.globs),
        Change::Removed => list.remove(&args.globs),
    };
    let changed = changed.map_err(|error| error::livery_list(&error))?;
    show(&args.common, Some(change), &list, &changed)
}

fn open(args: &ShareArgs) -> Result<LiveryList, Failure> {
    let liveries = super::liveries_folder(args.liveries.folder(), "share list --liveries DIR")?;
    let state = args.state.folder().ok_or_else(error::no_state_folder)?;
    let list = LiveryList::shared(&state, &liveries, args.server())?;
    Ok(list.ok_or_else(error::no_league_yet)?)
}

/// Shows the change, and all liveries that are shared now.
fn show(
    args: &ShareArgs,
    change: Option<Change>,
    list: &LiveryList,
    changed: &[&str],
) -> Result<(), Failure> {
    let liveries = super::liveries_folder(args.liveries.folder(), "share list --liveries DIR")?;
    let chosen = list.chosen().map_err(|error| error::livery_list(&error))?;
    let unmatched = list.unmatched(&liveries).map_err(|error| error::livery_list(&error))?;
    let now: Option<Vec<_>> = chosen.as_ref().map(|chosen| chosen.globs().collect());
    let league = list.league().unwrap_or_default();
    Ok(if args.output.json {
        let (file, now) = (list.path().to_string_lossy(), now.as_deref());
        output::line(&json::shared(&file, league, now, changed, &unmatched))
    } else {
        let globs = now.as_deref().unwrap_or_default();
        let shown = Shown { change, changed, now: globs, unmatched: &unmatched };
        output::block(&shared(league, now.is_some(), shown))
    }?)
}
