//! `liverysync server`: the events of a league.

use std::{fmt, net::SocketAddr};

use liverysync::{Finding, RelPath, Skipped, escape, league::Setting};

use super::{
    skipped,
    words::{LIST_ENCODING, by_livery, count, cut, files, liveries, name, path, reason},
};

/// Writes the first line, which programs look for.
pub(crate) fn listening(address: SocketAddr) -> String {
    format!("listening on {address}")
}

pub(crate) fn unprotected() -> String {
    "Anyone who can reach this port can join and send files: joining is not protected yet."
        .to_owned()
}

pub(crate) fn joined(who: &str, address: &str, is_old: bool) -> String {
    let old = if is_old { " with the old Python client" } else { "" };
    format!("{} connected from {}{old}.", name(who), escape(address))
}

pub(crate) fn left(who: &str, why: &str) -> String {
    format!("{} disconnected: {}", name(who), reason(why))
}

pub(crate) fn manifest(who: &str, number: usize, size: u64) -> String {
    format!("{} has {}.", name(who), liveries(number, size))
}

/// Lists files of a driver that are left out.
pub(crate) fn left_out(who: &str, items: &[Skipped], verbose: bool) -> Vec<String> {
    let lines = skipped::lines(&format!("Skipped from {}: ", name(who)), items, verbose);
    if verbose { lines } else { cut(lines) }
}

pub(crate) fn conflict(who: &str, own: &RelPath, copy: &RelPath) -> String {
    let (who, own, copy) = (name(who), path(own), path(copy));
    format!(
        "Conflict: {own}. Another driver had this name first and keeps it. {who}'s is kept as {copy}."
    )
}

/// Reports a livery that waits for an admin, or for the end of a freeze.
pub(crate) fn held(who: Option<&str>, livery: &str) -> String {
    let (who, livery) = (who.map_or_else(|| "A driver".to_owned(), name), escape(livery));
    format!(
        "{who} changed {livery}. The others do not get it yet.\nhint: list what is waiting: liverysync league held"
    )
}

pub(crate) fn refused(who: &str, file: &RelPath, why: &dyn fmt::Display) -> String {
    format!("Refused {} from {}: {}", path(file), name(who), reason(why))
}

/// Reports a transfer that begins; only with `--verbose`.
pub(crate) fn transfer(
    source: Option<&str>,
    target: Option<&str>,
    number: usize,
    size: u64,
) -> String {
    let what = files(number as u64, size);
    match (source, target) {
        (Some(source), None) => format!("{} is uploading {what}.", name(source)),
        (None, Some(target)) => format!("{} is downloading {what}.", name(target)),
        (source, target) => {
            let [source, target] = [source, target].map(|who| name(who.unwrap_or_default()));
            format!("{target} is downloading {what} from {source}.")
        }
    }
}

/// Reports a transfer that has ended.
pub(crate) fn transferred(
    source: Option<&str>,
    target: Option<&str>,
    done: usize,
    failed: usize,
) -> String {
    let failed = if failed > 0 { format!("; {failed} failed") } else { String::new() };
    let what = count(done as u64, "file");
    match (source, target) {
        (Some(source), None) => format!("{} uploaded {what}{failed}.", name(source)),
        (_, target) => {
            format!("{} downloaded {what}{failed}.", name(target.unwrap_or_default()))
        }
    }
}

pub(crate) fn database_fault(why: &str) -> String {
    format!("Could not use the league database: {}", reason(why))
}

/// A change of a member's own liveries.
pub(crate) fn owner_acted(who: &str, act: &str, names: &[String], retired: usize) -> String {
    let who = escape(who);
    let names: Vec<_> = names.iter().map(|name| escape(name)).collect();
    let files = count(retired as u64, "file");
    match (act, &names[..]) {
        ("rename", [old, new]) => format!("{who} renamed {old} to {new} ({files})."),
        ("replace", [old, new]) => format!("{who} replaced {old} ({files}) with {new}."),
        _ => format!("{who} withdrew {} ({files}).", names.join(", ")),
    }
}

/// A damaged file, which the league has only if it replaces nothing intact.
pub(crate) fn damaged(who: Option<&str>, path: &RelPath, why: &str, published: bool) -> String {
    let who = who.map_or_else(|| "a driver without a key".into(), escape);
    let (path, why) = (escape(path.as_str()), reason(why));
    if published {
        return format!("Warning: damaged file {path} from {who}: {why}");
    }
    format!(
        "Held back: damaged file {path} from {who}: {why}. The league keeps its intact version."
    )
}

/// A livery that breaks a rule of the league, which has it all the same or holds it.
pub(crate) fn finding(who: Option<&str>, finding: &Finding, published: bool) -> String {
    let who = who.map_or_else(|| "a driver without a key".into(), escape);
    let verb = if published { "Warning" } else { "Held back" };
    let place = escape(finding.path.as_deref().unwrap_or(&finding.livery));
    format!("{verb}: {place} from {who}: {}\nhint: {}", finding.reason(), finding.fix())
}

/// A livery that has got its first owner, or has none any more.
pub(crate) fn owner_changed(livery: &str, owner: Option<&str>, by: &str) -> String {
    let (livery, by) = (escape(livery), escape(by));
    match owner {
        Some(owner) => format!(
            "{} edited {livery} and owns it now.\nhint: to name another owner: liverysync league own",
            escape(owner)
        ),
        None => format!(
            "{by} brought {livery} too, with the same files. The first member who edits it owns it."
        ),
    }
}

pub(crate) fn allow_list_fault(why: &str) -> String {
    format!(
        "Warning: {}\nhint: the last list stays in force until the file can be read: {LIST_ENCODING}",
        reason(why)
    )
}

/// Names of the allow list that are of no livery.
pub(crate) fn allow_list_unmatched(names: &[String]) -> String {
    let head = "Warning: no livery of the league has these names from the allow list:".to_owned();
    let hint = "hint: compare them with: liverysync league liveries".to_owned();
    let names = cut(names.iter().map(|name| escape(name).into_owned()).collect());
    let names = names.into_iter().map(|name| format!("  {name}"));
    [head].into_iter().chain(names).chain([hint]).collect::<Vec<_>>().join("\n")
}

/// The settings that the server was told and that the league has with other values: setting, value in the league, and
/// value that was told.
pub(crate) fn settings_differ<'a>(
    settings: impl IntoIterator<Item = (Setting, &'a str, &'a str)>,
) -> String {
    let head =
        "Warning: the league keeps its own settings. Options that differ are ignored:".to_owned();
    let line = |(setting, used, given)| {
        let (used, given) = (escape(used), escape(given));
        format!("  {setting} is {used}. To change it: liverysync league set {setting} {given}")
    };
    let lines: Vec<_> = [head].into_iter().chain(settings.into_iter().map(line)).collect();
    lines.join("\n")
}

pub(crate) fn store_fault(content: &str, why: &str) -> String {
    format!("Could not keep or read {content} in the store: {}", reason(why))
}

pub(crate) fn source_fault(who: &str, file: &str, fault: &dyn fmt::Display) -> String {
    format!("Could not get {} from {}: {}", escape(file), name(who), reason(fault))
}

pub(crate) fn source_silent(who: &str, owed: usize) -> String {
    format!("{} stopped responding with {} to upload.", name(who), count(owed as u64, "file"))
}

pub(crate) fn target_fault(who: &str, file: &RelPath, why: &str, for_good: bool) -> String {
    let verb = if for_good { "refuses" } else { "could not install" };
    format!("{} {verb} {}: {}", name(who), path(file), reason(why))
}

/// Lists files of the league that a driver does not get, each with the driver's name and the reason.
pub(crate) fn withheld(all: &[(String, RelPath, String)], verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<&(String, RelPath, String)> = all.iter().collect();
    while let Some((who, _, why)) = rest.first().copied() {
        let (same, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|(a, _, b)| (a, b) == (who, why));
        rest = others;
        for (livery, files) in by_livery(same, |(_, file, _)| file) {
            let line = |what: String| format!("{} does not get {what}: {}", name(who), reason(why));
            match files.as_slice() {
                [_, _, ..] if !verbose => {
                    lines.push(line(format!("{livery} ({})", count(files.len() as u64, "file"))));
                }
                files => lines.extend(files.iter().map(|(_, file, _)| line(path(file)))),
            }
        }
    }
    if verbose { lines } else { cut(lines) }
}

pub(crate) fn in_sync(clients: usize, number: usize) -> String {
    let (drivers, liveries) = (count(clients as u64, "driver"), count(number as u64, "livery"));
    format!("In sync: {drivers}, {liveries}.")
}
