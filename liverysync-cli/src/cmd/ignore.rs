//! `liverysync ignore`: liveries that this PC does not want.

use liverysync::{LiveryList, LiveryListError};

use crate::{
    cli::ignore::{IgnoreArgs, IgnoreChangeArgs, IgnoreCommand},
    exit::Failure,
    output::{self, json},
    text::{
        error,
        lists::{Change, Shown, ignored},
    },
};

pub(super) fn run(command: &IgnoreCommand) -> Result<(), Failure> {
    match command {
        IgnoreCommand::Add(args) => add(args),
        IgnoreCommand::Remove(args) => remove(args),
        IgnoreCommand::List(args) => show(&open(args)?, args, None, &[]),
    }
}

fn add(args: &IgnoreChangeArgs) -> Result<(), Failure> {
    let list = open(&args.common)?;
    let added = list.add(&args.globs).map_err(|error| error::livery_list(&error))?;
    show(&list, &args.common, Some(Change::Added), &added)
}

fn remove(args: &IgnoreChangeArgs) -> Result<(), Failure> {
    let list = open(&args.common)?;
    let removed = list.remove(&args.globs).map_err(|error| error::livery_list(&error))?;
    show(&list, &args.common, Some(Change::Removed), &removed)
}

fn open(args: &IgnoreArgs) -> Result<LiveryList, Failure> {
    let liveries = super::liveries_folder(args.liveries.folder(), "ignore list --liveries DIR")?;
    let state = args.state.folder().ok_or_else(error::no_state_folder)?;
    Ok(LiveryList::ignored(&state, &liveries)?)
}

/// Shows the change, and all liveries that are ignored now.
fn show(
    list: &LiveryList,
    args: &IgnoreArgs,
    change: Option<Change>,
    changed: &[&str],
) -> Result<(), Failure> {
    let liveries = super::liveries_folder(args.liveries.folder(), "ignore list --liveries DIR")?;
    let list_error = |error: LiveryListError| error::livery_list(&error);
    let now = list.read().map_err(list_error)?;
    let unmatched = list.unmatched(&liveries).map_err(list_error)?;
    let globs: Vec<_> = now.globs().collect();
    Ok(if args.output.json {
        let file = list.path().to_string_lossy();
        output::line(&json::ignored(&file, &globs, changed, &unmatched))
    } else {
        let shown = Shown { change, changed, now: &globs, unmatched: &unmatched };
        output::block(&ignored(shown))
    }?)
}
