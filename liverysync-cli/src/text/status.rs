//! `liverysync status`: missing liveries, the reasons, and conflicts.

use liverysync::{ConflictSide, OpenConflict, Plan, PlannedHold, RelPath, Role, escape};

use super::words::{
    block, by_livery, by_reason, bytes, count, cut, date, file_lines, livery_lines, name,
    outstanding, path, reason,
};

/// Headline of a PC that is in sync except for what is listed.
pub(super) const IN_SYNC_BUT: &str = "In sync except for what is listed";

/// Heading of what is listed.
pub(super) const CANNOT_INSTALL: &str = "Cannot be installed on this PC";

/// Heads the damaged files of this PC.
pub(super) const DAMAGED: &str = "Damaged here, so others keep the intact version";

/// Heads the files of this PC that the league cannot take.
pub(super) const REFUSED: &str = "Refused by the league, so not for other drivers";

/// Heads the liveries that other drivers do not get as they are here.
pub(super) const HELD: &str = "Not for other drivers yet";

/// Heads the liveries that wait for their driver to choose.
pub(super) const UNDECIDED: &str =
    "Not shared until you choose: liverysync share add \"*\", or name some of them";

/// Heads the liveries of all drivers that the others do not get yet.
const WAITING: &str = "Held: changed by one driver, not for the others yet";

/// The state of a PC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status<'a> {
    /// Set if a client runs on the folder; `None` if that is unknown.
    pub(crate) running: Option<bool>,
    pub(crate) plan: &'a Plan,
}

pub(crate) fn status(status: Status<'_>, verbose: bool) -> String {
    let mut lines = vec![headline(status)];
    lines.extend(sections(status.plan, verbose));
    block(&lines)
}

fn headline(status: Status<'_>) -> String {
    let Status { running, plan } = status;
    let total = |files: &[(RelPath, u64)]| files.iter().map(|(_, size)| size).sum();
    let number = |files: &[(RelPath, u64)]| by_livery(files, |(file, _)| file).len();
    let mut sentences = Vec::new();
    if plan.is_in_sync() {
        let head = if plan.outstanding.is_empty() { "In sync" } else { IN_SYNC_BUT };
        sentences.push(format!("{head}: {}.", super::words::liveries(plan.liveries, plan.bytes)));
    }
    match plan.only {
        Some(Role::Source) => sentences.push("This PC only sends.".to_owned()),
        Some(Role::Target) => sentences.push("This PC only receives.".to_owned()),
        None => {}
    }
    if let missing @ 1.. = number(&plan.receive) {
        let verb = if missing == 1 { "is" } else { "are" };
        let size = bytes(total(&plan.receive));
        sentences.push(format!("{} {verb} missing ({size}).", count(missing as u64, "livery")));
    }
    if let needed @ 1.. = number(&plan.send) {
        let (what, size) = (count(needed as u64, "livery"), bytes(total(&plan.send)));
        sentences.push(format!("The league still needs {what} ({size}) from this PC."));
    }
    if let retired @ 1.. = number(&plan.retire) {
        let verb = if retired == 1 { "is" } else { "are" };
        let what = count(retired as u64, "retired livery");
        sentences.push(format!("{what} {verb} still here."));
    }
    sentences.push(match running {
        Some(true) => "liverysync is running on this PC.".to_owned(),
        Some(false) => {
            "liverysync is not running on this PC. Start it: liverysync client".to_owned()
        }
        None => "Cannot tell whether liverysync is running on this PC.".to_owned(),
    });
    sentences.join(" ")
}

/// Lists what is left to do and what cannot be done.
pub(super) fn sections(plan: &Plan, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut section = |title: &str, mut items: Vec<String>| {
        if items.is_empty() {
            return;
        }
        if !verbose {
            items = cut(items);
        }
        lines.push(format!("{title}:"));
        lines.extend(items.into_iter().map(|item| format!("  {item}")));
    };
    let listed = if verbose { file_lines } else { livery_lines };
    section("To download", listed(&plan.receive));
    section("To upload", listed(&plan.send));
    section("Retired by the league; to be moved to .backup", listed(&plan.retire));
    section("Waiting for a member who has it", listed(&plan.unavailable));
    section(CANNOT_INSTALL, outstanding(&plan.outstanding));
    section(REFUSED, super::words::refused(&plan.outstanding));
    let undecided = super::words::undecided(&plan.outstanding);
    if undecided.is_empty() {
        section("Not shared by this PC", listed(&plan.unshared));
    }
    section(UNDECIDED, undecided);
    section("Failed so far; retried while liverysync runs", by_reason(&plan.failed));
    section(WAITING, plan.held.iter().map(held_line).collect());
    section(
        "Damaged in the league; their drivers have to save or export them again",
        by_reason(&plan.damaged),
    );
    section("Skipped on this PC", by_reason(&plan.refuse));
    section("Not on the league's allow list, so not distributed", listed(&plan.undistributed));
    let kept = plan.conflicts.iter();
    section(
        "Names that another driver already uses; your files will be kept beside theirs",
        kept.map(|(own, other)| format!("{} as {}", path(own), path(other))).collect(),
    );
    if !plan.held.is_empty() {
        lines.push(
            "hint: the league's admin decides: liverysync league held, approve, reject".to_owned(),
        );
    }
    for open_conflict in &plan.open_conflicts {
        lines.extend(conflict(open_conflict));
    }
    lines
}

fn held_line(held: &PlannedHold) -> String {
    let who = match (held.yours, &held.name) {
        (true, _) => "you".to_owned(),
        (false, Some(label)) => name(label),
        (false, None) => "a driver without a key".to_owned(),
    };
    let since =
        held.since.as_deref().map_or_else(String::new, |since| format!(" since {}", date(since)));
    format!("{} by {who}{since} ({})", escape(&held.livery), reason(&held.reason))
}

/// Writes the owner of the name, and hints.
fn conflict(open_conflict: &OpenConflict) -> Vec<String> {
    let OpenConflict { path: name, copy, yours, sha256, free, other, .. } = open_conflict;
    // If no content has the name, the conflict is between two whole liveries.
    let (what, kept) = match free {
        true => (escape(name.livery()).into_owned(), escape(copy.livery()).into_owned()),
        false => (path(name), path(copy)),
    };
    let is_file = copy.key().livery() == name.key().livery() || copy.folder().is_none();
    let leave = match is_file {
        true => format!("to end the conflict, move {} into a folder with another name", path(copy)),
        false => format!("to end the conflict, rename the folder {}", escape(copy.livery())),
    };
    let resolve = format!("liverysync league resolve \"{}\" --keep {}", path(name), sha256.short());
    let other = other.as_deref().map(escape);
    let (is, hints) = match yours {
        ConflictSide::Established => {
            let other = other.unwrap_or("Another driver".into());
            (
                format!("{what} is yours and keeps the name. {other}'s is kept as {kept}."),
                Vec::new(),
            )
        }
        ConflictSide::Copy => {
            let other = other.unwrap_or("another driver".into());
            let hints = vec![
                leave,
                format!("ask the league's admin if the name should be yours: {resolve}"),
            ];
            (
                format!("{what} belongs to {other} and keeps the name. Yours is kept as {kept}."),
                hints,
            )
        }
        _ => (
            format!("{what} and {kept} are both yours."),
            vec![format!("ask the league's admin to keep only the second one: {resolve}")],
        ),
    };
    let hints = hints.into_iter().map(|hint| format!("  hint: {hint}"));
    std::iter::once(format!("Conflict: {is}")).chain(hints).collect()
}
