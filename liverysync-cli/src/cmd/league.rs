//! `liverysync league`: what the league has, looked at and changed on the server's data.

use std::{collections::BTreeMap, path::Path, time::Duration};

use liverysync::{
    MemberId,
    league::{Act, League, LeagueError, rebuild},
};

use crate::{
    cli::league::{LeagueArgs, LeagueCommand},
    exit::{Exit, Failure},
    output::{self, json, league as words},
};

/// How long a server may take to answer: it looks for what it is asked every second, and may have much to do.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(command: &LeagueCommand) -> Result<(), Failure> {
    let args = command.common();
    let data = data(args)?;
    if let LeagueCommand::Rebuild(_) = command {
        return make_anew(data, args);
    }
    let mut league = League::open(data, args.naming()).map_err(explain)?;
    match command.act() {
        Some(act) => change(&mut league, &act, args),
        None => show(&mut league, command).map_err(explain)?,
    }
}

fn data(args: &LeagueArgs) -> Result<&Path, Failure> {
    args.data.as_deref().ok_or_else(|| {
        Failure::usage("the league's data has to be named")
            .hint("add --data DIR, with the folder that the server was started with")
    })
}

/// The inner result is about the output.
fn show(league: &mut League, command: &LeagueCommand) -> Result<Result<(), Failure>, LeagueError> {
    let as_json = command.common().output.json;
    let text = match command {
        LeagueCommand::Members(_) => {
            let members = league.members()?;
            if as_json { json::league_members(&members) } else { words::members(&members) }
        }
        LeagueCommand::Liveries(_) => {
            let (liveries, names) = (league.liveries()?, names(league)?);
            match as_json {
                true => json::league_liveries(&liveries),
                false => words::liveries(&liveries, &names),
            }
        }
        LeagueCommand::History(args) => {
            let versions = league.history(&args.livery)?;
            match as_json {
                true => json::league_history(&args.livery, &versions),
                false => words::history(&versions),
            }
        }
        LeagueCommand::Conflicts(_) => {
            let conflicts = league.conflicts()?;
            if as_json { json::league_conflicts(&conflicts) } else { words::conflicts(&conflicts) }
        }
        _ => {
            let status = league.status()?;
            if as_json { json::named("league_status", &status) } else { words::status(&status) }
        }
    };
    Ok(print(&text))
}

fn names(league: &mut League) -> Result<BTreeMap<MemberId, String>, LeagueError> {
    let members = league.members()?.into_iter();
    Ok(members.map(|member| (member.author, member.name)).collect())
}

fn change(league: &mut League, act: &Act, args: &LeagueArgs) -> Result<(), Failure> {
    let acted = league.act(act, PATIENCE).map_err(explain)?;
    print(&match args.output.json {
        true => json::league_acted(words::word(act), &acted),
        false => words::acted(act, &acted),
    })
}

fn make_anew(data: &Path, args: &LeagueArgs) -> Result<(), Failure> {
    // An empty league would be made of it.
    if !data.join("blobs").is_dir() {
        let what = format!("there is no league in {}", data.display());
        return Err(Failure::new(Exit::Failed, what)
            .hint("check --data: it is the folder that a server was started with"));
    }
    let rebuilt = rebuild(data, &args.naming()).map_err(explain)?;
    print(&if args.output.json { json::league_rebuilt(&rebuilt) } else { words::rebuilt(&rebuilt) })
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(output::block(&format!("{}\n", text.trim_end_matches('\n')))?)
}

fn explain(error: LeagueError) -> Failure {
    match error {
        LeagueError::Silent { .. } => Failure::of(Exit::TimedOut, error).hint(
            "try again; if it still does not answer, stop it and try once more: without a server it is done at once",
        ),
        _ => Failure::of(Exit::Failed, error),
    }
}
