//! `liverysync league`: shows and changes the league in the server's data folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use liverysync::{
    MemberId, UnixTime,
    league::{Act, League, LeagueError, Setting, Settings, rebuild},
};

use crate::{
    cli::groups::read_rules,
    cli::league::{
        LeagueArgs, LeagueCommand, LeagueFreezeArgs, LeagueLintArgs, LeagueRetireArgs,
        LeagueSetArgs, LeagueUnfreezeArgs, known,
    },
    exit::{Exit, Failure},
    output::{self, json},
    text::{error, league as text, lint as lint_text},
};

/// Longest wait for a server's answer: it looks for requests every second, and may be busy.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(command: &LeagueCommand) -> Result<(), Failure> {
    let args = command.common();
    let data = data(args)?;
    match command {
        LeagueCommand::Create(_) => return create(data, args),
        LeagueCommand::Rebuild(_) => return rebuild_league(data, args),
        _ => {}
    }
    let mut league = League::open(data).map_err(|error| explain(&error))?;
    if let LeagueCommand::Retire(args) = command {
        return retire(&mut league, args);
    }
    if let LeagueCommand::Lint(args) = command {
        return lint(&mut league, args);
    }
    match act(&mut league, command)? {
        Some(act) => change(&mut league, &act, args),
        None => show(&mut league, command).map_err(|error| explain(&error))?,
    }
}

/// Returns the change to make, for a command that changes the league.
fn act(league: &mut League, command: &LeagueCommand) -> Result<Option<Act>, Failure> {
    match command {
        LeagueCommand::Freeze(args) => freeze(league, args).map(Some),
        LeagueCommand::Unfreeze(args) => unfreeze(league, args).map(Some),
        LeagueCommand::Set(LeagueSetArgs { setting: Setting::LintRules, value, .. })
            if value != "default" =>
        {
            let value = read_rules(Path::new(value))?.to_json();
            Ok(Some(Act::Set { setting: Setting::LintRules, value }))
        }
        _ => command.act(league).map_err(|error| explain(&error)),
    }
}

/// Checks the league's liveries, as `liverysync lint` does for a folder.
fn lint(league: &mut League, args: &LeagueLintArgs) -> Result<(), Failure> {
    let rules = args.rules.as_deref().map(read_rules).transpose()?;
    let findings = league.lint(rules.as_ref()).map_err(|error| explain(&error))?;
    let common = &args.common;
    print(&match common.output.json {
        true => json::league_lint(&findings),
        false => lint_text::lint(&findings, args.detail.verbose),
    })?;
    if findings.is_empty() { Ok(()) } else { Err(Failure::Outstanding) }
}

/// Shows which liveries are meant, and retires them.
fn retire(league: &mut League, args: &LeagueRetireArgs) -> Result<(), Failure> {
    let chosen = chosen(league, args).map_err(|error| explain(&error))?;
    let names = names(league).map_err(|error| explain(&error))?;
    let as_json = args.common.output.json;
    if args.dry_run {
        return print(&match as_json {
            true => json::league_retiring(&chosen, &names),
            false => text::retiring(&chosen, &names, true),
        });
    }
    // Who names liveries one by one knows which they are.
    let is_named = |livery: &String| {
        args.retired.iter().any(|named| named.to_lowercase() == livery.to_lowercase())
    };
    if !as_json && !chosen.keys().all(is_named) {
        print(&text::retiring(&chosen, &names, false))?;
    }
    let act = Act::Retire { liveries: chosen.into_keys().collect(), confirmed: args.yes };
    change(league, &act, &args.common)
}

fn chosen(
    league: &mut League,
    args: &LeagueRetireArgs,
) -> Result<BTreeMap<String, BTreeSet<MemberId>>, LeagueError> {
    let from = args.from.as_ref().map(|from| known(league, from)).transpose()?;
    Ok(league.union()?.select(&args.retired, from)?)
}

fn freeze(league: &mut League, args: &LeagueFreezeArgs) -> Result<Act, Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.ok().and_then(|since| i64::try_from(since.as_nanos()).ok());
    if let (Some(until), Some(now)) = (args.until, now)
        && until <= UnixTime::from_nanos(now)
    {
        return Err(Failure::usage(error::freeze_is_over(&until.to_string())));
    }
    let mut frozen = league.settings().map_err(|error| explain(&error))?.frozen;
    let all = ["*".to_owned()];
    for glob in if args.globs.is_empty() { &all[..] } else { &args.globs } {
        frozen.add(glob, args.until).map_err(|_| Failure::usage(error::no_glob(glob)))?;
    }
    Ok(Act::Set { setting: Setting::Frozen, value: frozen.to_string() })
}

fn unfreeze(league: &mut League, args: &LeagueUnfreezeArgs) -> Result<Act, Failure> {
    let mut frozen = league.settings().map_err(|error| explain(&error))?.frozen;
    for glob in &args.globs {
        if !frozen.remove(glob) {
            return Err(error::not_frozen(glob).into());
        }
    }
    let value = if args.globs.is_empty() { String::new() } else { frozen.to_string() };
    Ok(Act::Set { setting: Setting::Frozen, value })
}

fn data(args: &LeagueArgs) -> Result<&Path, Failure> {
    args.data.as_deref().ok_or_else(|| Failure::usage(error::no_data()))
}

/// Prints what a command shows. The inner result is about the output.
fn show(league: &mut League, command: &LeagueCommand) -> Result<Result<(), Failure>, LeagueError> {
    let as_json = command.common().output.json;
    let text = match command {
        LeagueCommand::Members(_) => {
            let members = league.members()?;
            if as_json { json::league_members(&members) } else { text::members(&members) }
        }
        LeagueCommand::Liveries(_) => {
            let (liveries, names) = (league.liveries()?, names(league)?);
            match as_json {
                true => json::league_liveries(&liveries),
                false => text::liveries(&liveries, &names),
            }
        }
        LeagueCommand::History(args) => {
            let versions = league.history(&args.livery)?;
            match as_json {
                true => json::league_history(&args.livery, &versions),
                false => text::history(&versions),
            }
        }
        LeagueCommand::Conflicts(_) => {
            let conflicts = league.conflicts()?;
            let names = league.claimants(&conflicts)?;
            match as_json {
                true => json::league_conflicts(&conflicts, &names),
                false => text::conflicts(&conflicts, &names),
            }
        }
        LeagueCommand::Held(_) => {
            let held = league.held()?;
            if as_json { json::league_held(&held) } else { text::held(&held) }
        }
        LeagueCommand::Show(_) => {
            let settings = league.settings()?;
            if as_json { json::league_settings(&settings) } else { text::settings(&settings) }
        }
        _ => {
            let status = league.status()?;
            if as_json { json::named("league_status", &status) } else { text::status(&status) }
        }
    };
    Ok(print(&text))
}

fn names(league: &mut League) -> Result<BTreeMap<MemberId, String>, LeagueError> {
    let members = league.members()?.into_iter();
    Ok(members.map(|member| (member.member, member.name)).collect())
}

fn change(league: &mut League, act: &Act, args: &LeagueArgs) -> Result<(), Failure> {
    let acted = league.act(act, PATIENCE).map_err(|error| explain(&error))?;
    print(&match args.output.json {
        true => json::league_acted(word(act), &acted),
        false => {
            let names = names(league).map_err(|error| explain(&error))?;
            text::acted(act, &acted, &names)
        }
    })
}

fn create(data: &Path, args: &LeagueArgs) -> Result<(), Failure> {
    let mut league =
        League::create(data, &Settings::of_new_league()).map_err(|error| explain(&error))?;
    let settings = league.settings().map_err(|error| explain(&error))?;
    print(&match args.output.json {
        true => json::league_settings(&settings),
        false => text::created(data, &settings),
    })
}

fn rebuild_league(data: &Path, args: &LeagueArgs) -> Result<(), Failure> {
    // Any folder would become an empty league.
    if !data.join("blobs").is_dir() {
        return Err(error::no_league(data).into());
    }
    let rebuilt = rebuild(data).map_err(|error| explain(&error))?;
    print(&if args.output.json { json::league_rebuilt(&rebuilt) } else { text::rebuilt(&rebuilt) })
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(output::block(&format!("{}\n", text.trim_end_matches('\n')))?)
}

fn explain(error: &LeagueError) -> Failure {
    let exit = match error {
        LeagueError::Silent { .. } => Exit::TimedOut,
        _ => Exit::Failed,
    };
    Failure::new(exit, error::league(error))
}

/// Returns the command that makes this change.
const fn word(act: &Act) -> &'static str {
    match act {
        Act::Resolve { .. } => "resolve",
        Act::Rename { .. } => "rename",
        Act::Retire { .. } => "retire",
        Act::Replace { .. } => "replace",
        Act::Restore { .. } => "restore",
        Act::Own { .. } | Act::OwnAll { .. } => "own",
        Act::Merge { .. } => "merge",
        Act::Approve { .. } => "approve",
        Act::Reject { .. } => "reject",
        Act::Ban { .. } => "ban",
        Act::Unban { .. } => "unban",
        Act::Block { .. } => "block",
        Act::Unblock { .. } => "unblock",
        Act::Set { .. } => "set",
    }
}
