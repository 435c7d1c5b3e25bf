//! A league in words. Every name came from its members, and is escaped here.

use std::{collections::BTreeMap, fmt::Write as _};

use liverysync::{
    Content, MemberId, escape,
    league::{
        Act, Acted, Cause, Conflict, LeagueStatus, LiveryStatus, MemberRow, PastChange,
        PastVersion, Rebuilt,
    },
};

use super::words::{name, path};
use crate::units;

/// So many changes of a version are named; the first one of a livery may have hundreds.
const CHANGES_SHOWN: usize = 12;

/// Digits by which a version or content is named.
const DIGITS_SHOWN: usize = 8;

/// How the league stands.
pub(crate) fn status(status: &LeagueStatus) -> String {
    let mut text = String::new();
    let mut say = |what: &str, value: String| push(&mut text, format_args!("{what:<14}{value}"));
    let server = if status.served { "runs on this data now" } else { "does not run on this data" };
    say("server", server.to_owned());
    let files = units::files(status.files, status.bytes);
    say("union", format!("{files} in {}", liveries_count(status.liveries)));
    say("retired", liveries_count(status.retired));
    say("conflicts", units::count(status.conflicts, "name"));
    say("members", status.members.to_string());
    let missing = match status.missing {
        0 => "all that the union has".to_owned(),
        missing => format!(
            "{} missing, which only the PCs of members have",
            units::count(missing, "content")
        ),
    };
    say("in the store", format!("{}; {missing}", units::bytes(status.stored_bytes)));
    let last = match &status.written_at {
        Some(written_at) => format!("{}, step {}", date(written_at), status.step),
        None => "none yet".to_owned(),
    };
    say("last change", last);
    text
}

fn liveries_count(number: u64) -> String {
    match number {
        1 => "1 livery".to_owned(),
        several => format!("{several} liveries"),
    }
}

/// Who has been here.
pub(crate) fn members(members: &[MemberRow]) -> String {
    let mut text = String::new();
    for member in members {
        let (first, last) = (date(&member.first_seen), date(&member.last_seen));
        let files = units::files(member.files, member.bytes);
        let who = name(&member.name);
        push(
            &mut text,
            format_args!("{}  {who}: {files}; first here {first}, last {last}", member.author),
        );
    }
    push(&mut text, format_args!("{}", units::count(members.len() as u64, "member")));
    text
}

/// The liveries, with a line each.
pub(crate) fn liveries(liveries: &[LiveryStatus], names: &BTreeMap<MemberId, String>) -> String {
    let mut text = String::new();
    for livery in liveries {
        push(&mut text, format_args!("{}", livery_line(livery, names)));
    }
    let (retired, there): (Vec<_>, Vec<_>) = liveries.iter().partition(|livery| livery.retired);
    let bytes = there.iter().fold(0_u64, |sum, livery| sum.saturating_add(livery.bytes));
    let there = liveries_count(there.len() as u64);
    push(&mut text, format_args!("{there}, {}; {} retired", units::bytes(bytes), retired.len()));
    text
}

fn livery_line(livery: &LiveryStatus, names: &BTreeMap<MemberId, String>) -> String {
    let LiveryStatus { livery: folder, files, bytes, version, owners, conflicts, retired } = livery;
    let folder = escape(folder);
    if *retired {
        return format!("{:DIGITS_SHOWN$}  {folder}: retired", "");
    }
    let mut line = format!("{version}  {folder}: {}", units::files(*files as u64, *bytes));
    let owners: Vec<_> = owners.iter().map(|owner| who(*owner, names.get(owner))).collect();
    if !owners.is_empty() {
        line += &format!("; of {}", owners.join(", "));
    }
    if *conflicts > 0 {
        line += &format!("; {}", units::count(*conflicts as u64, "conflict"));
    }
    line
}

/// A member by his label, or without one by what never changes.
fn who(author: MemberId, label: Option<&String>) -> String {
    label.map_or_else(|| author.to_string(), |label| name(label))
}

/// What a livery has been.
pub(crate) fn history(versions: &[PastVersion]) -> String {
    let mut text = String::new();
    for version in versions {
        let date = version.written_at.as_deref().map_or_else(String::new, date);
        let (hash, files) = (short(&version.hash), units::files(version.files, version.bytes));
        match version.files {
            0 => push(&mut text, format_args!("{date}  {:DIGITS_SHOWN$}  retired", "")),
            _ => push(&mut text, format_args!("{date}  {hash}  {files}")),
        }
        for change in version.changes.iter().take(CHANGES_SHOWN) {
            push(&mut text, format_args!("    {}", change_line(change)));
        }
        if let more @ 1.. = version.changes.len().saturating_sub(CHANGES_SHOWN) {
            push(&mut text, format_args!("    and {more} more; --json names all"));
        }
    }
    text
}

fn change_line(change: &PastChange) -> String {
    let file = path(&change.path);
    let cause = change.cause.map_or("retired", cause_word);
    match change.author {
        Some(author) => format!("{file}: {cause} by {}", who(author, change.name.as_ref())),
        None => format!("{file}: {cause}"),
    }
}

fn cause_word(cause: Cause) -> &'static str {
    Cause::WORDS.iter().find(|(_, known)| *known == cause).map_or("changed", |(word, _)| word)
}

/// The names that several contents claim.
pub(crate) fn conflicts(conflicts: &[Conflict]) -> String {
    let mut text = String::new();
    for Conflict { path: plain, established, rivals } in conflicts {
        push(&mut text, format_args!("{}", path(plain)));
        match established {
            Some(has) => push(&mut text, format_args!("    {}  has the name", content(*has))),
            None => {
                push(&mut text, format_args!("    {:19}  nothing has the name", Act::KEEP_NONE));
            }
        }
        for (rival, has) in rivals {
            push(&mut text, format_args!("    {}  {}", content(*has), path(rival)));
        }
    }
    match conflicts.len() as u64 {
        0 => push(&mut text, format_args!("no conflicts")),
        several => push(
            &mut text,
            format_args!(
                "{} with rivals; to keep one content of a name: liverysync league resolve PATH --keep DIGITS",
                units::count(several, "name")
            ),
        ),
    }
    text
}

fn content(content: Content) -> String {
    format!("{}  {:>9}", content.hash.short(), units::bytes(content.size))
}

/// The word for what was done, as its command has it.
pub(crate) const fn word(act: &Act) -> &'static str {
    match act {
        Act::Resolve { .. } => "resolve",
        Act::Rename { .. } => "rename",
        Act::Retire { .. } => "retire",
        Act::Restore { .. } => "restore",
        Act::Own { .. } => "own",
    }
}

/// What was done, and what comes of it.
pub(crate) fn acted(act: &Act, acted: &Acted) -> String {
    let (placed, retired) = (acted.report.placed as u64, acted.report.retired as u64);
    let done = match act {
        Act::Resolve { path, keep } if keep == Act::KEEP_NONE => {
            format!("{} stays free", escape(path))
        }
        Act::Resolve { path, keep } => format!("{} keeps {}", escape(path), escape(keep)),
        Act::Rename { livery, new } => format!("{} is {} now", escape(livery), escape(new)),
        Act::Retire { liveries, .. } => {
            let liveries: Vec<_> = liveries.iter().map(|livery| escape(livery)).collect();
            format!("{} retired: {}", units::count(retired, "file"), liveries.join(", "))
        }
        Act::Restore { livery, .. } => {
            format!("{} restored: {}", escape(livery), units::count(placed, "file"))
        }
        Act::Own { livery, member } => {
            return format!(
                "{member} is an owner of {} now; that counts where the server runs with --updates owner",
                escape(livery)
            );
        }
    };
    if placed + retired == 0 {
        return format!("{done}; nothing had to be changed");
    }
    let when = match acted.served {
        true => "on every PC that is there at once, on the others when they connect",
        false => "on every PC when it connects to the server again",
    };
    let away = if retired > 0 { "; what goes lies in .backup there" } else { "" };
    format!("{done}; {when}{away}")
}

/// What came of making the memory anew.
pub(crate) fn rebuilt(rebuilt: &Rebuilt) -> String {
    let mut text = String::new();
    let salvaged = &rebuilt.salvaged;
    for file in &salvaged.set_aside {
        push(&mut text, format_args!("kept: {}", escape(&file.display().to_string())));
    }
    let head = match (salvaged.set_aside.is_empty(), salvaged.whole) {
        (true, _) => "there was none, so nothing could be read",
        (false, true) => "all of it could be read",
        (false, false) => "part of it could not be read",
    };
    push(
        &mut text,
        format_args!(
            "{head}; saved: {}, {}, {}, {}, {}",
            units::count(salvaged.versions, "version"),
            units::count(salvaged.proven, "known content"),
            units::count(salvaged.owners, "owner"),
            units::count(salvaged.members, "member"),
            units::count(salvaged.reports, "reported file")
        ),
    );
    if rebuilt.from_reports > 0 {
        push(
            &mut text,
            format_args!("the union was made anew from what the members last reported"),
        );
    }
    let next = match rebuilt.files {
        0 => "start the server; the drivers who connect bring the league back",
        _ => "start the server; drivers who connect bring what is missing",
    };
    push(&mut text, format_args!("the union has {}; {next}", units::count(rebuilt.files, "file")));
    text
}

/// `2026-03-09T18:30:00Z` as people write it.
fn date(date: &str) -> String {
    escape(&date.replace('T', " ").replace('Z', " UTC")).into_owned()
}

fn short(hash: &str) -> &str {
    hash.get(..DIGITS_SHOWN).unwrap_or(hash)
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
