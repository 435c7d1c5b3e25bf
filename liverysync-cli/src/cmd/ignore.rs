//! `liverysync ignore`: which liveries this PC does not want.

use liverysync::{IgnoreFile, escape};
use serde::Serialize;

use crate::{
    cli::ignore::{IgnoreArgs, IgnoreChangeArgs, IgnoreCommand},
    exit::{Exit, Failure},
    output::{self, json},
};

/// What a command has come to.
#[derive(Serialize)]
struct Ignoring<'a> {
    file: String,
    ignored: Vec<&'a str>,
    changed: Vec<&'a str>,
}

pub(super) fn run(command: &IgnoreCommand) -> Result<(), Failure> {
    match command {
        IgnoreCommand::Add(args) => add(args),
        IgnoreCommand::Remove(args) => remove(args),
        IgnoreCommand::List(args) => tell(&open(args)?, args, Vec::new(), ""),
    }
}

fn add(args: &IgnoreChangeArgs) -> Result<(), Failure> {
    let list = open(&args.common)?;
    let added = list.add(&args.globs).map_err(|error| Failure::of(Exit::Failed, error))?;
    tell(&list, &args.common, added, "ignored from now on")
}

fn remove(args: &IgnoreChangeArgs) -> Result<(), Failure> {
    let list = open(&args.common)?;
    let removed = list.remove(&args.globs).map_err(|error| Failure::of(Exit::Failed, error))?;
    tell(&list, &args.common, removed, "wanted again")
}

fn open(args: &IgnoreArgs) -> Result<IgnoreFile, Failure> {
    let how_to_say = "say where the folder is: --liveries DIR";
    let liveries = super::liveries_folder(args.liveries.folder(), how_to_say)?;
    let state = args.state.folder().ok_or_else(|| {
        Failure::new(Exit::Failed, "the system names no place for what a client remembers")
            .hint("say where that is: --state DIR, here and for `liverysync client`")
    })?;
    Ok(IgnoreFile::new(&state, &liveries)?)
}

/// Says what has changed, and what is ignored now.
fn tell(
    list: &IgnoreFile,
    args: &IgnoreArgs,
    changed: Vec<&str>,
    what: &str,
) -> Result<(), Failure> {
    let now = list.read().map_err(|error| Failure::of(Exit::Failed, error))?;
    let ignored: Vec<_> = now.globs().collect();
    if args.output.json {
        let file = list.path().to_string_lossy().into_owned();
        return Ok(output::line(&json::named("ignored", &Ignoring { file, ignored, changed }))?);
    }
    for glob in changed {
        output::line(&format!("{what}: {}", escape(glob)))?;
    }
    if ignored.is_empty() {
        output::line("nothing is ignored")?;
    } else {
        let ignored: Vec<_> = ignored.into_iter().map(escape).collect();
        output::line(&format!("ignored: {}", ignored.join(", ")))?;
    }
    Ok(())
}
