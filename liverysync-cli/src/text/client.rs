//! `liverysync client`: events, and the plan of a dry run.

use std::time::Duration;

use liverysync::{HoldReason, Outstanding, OwnerNews, Plan, RelPath, Skipped, escape};

use super::{
    skipped,
    status::{CANNOT_INSTALL, DAMAGED, HELD, IN_SYNC_BUT, REFUSED, UNDECIDED},
    words::{
        LIST_ENCODING, by_livery, bytes, count, cut, date, duration, file_lines, files, liveries,
        livery_lines, path, reason,
    },
};

/// The bar of all downloads or uploads.
pub(crate) const BAR: &str = "{prefix:<12!} [{wide_bar}] {msg}  \
    {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left";

/// Name of the bar of downloads.
pub(crate) const DOWNLOADING: &str = "Downloading";

/// Name of the bar of uploads.
pub(crate) const UPLOADING: &str = "Uploading";

/// Writes the files beside the bar.
pub(crate) fn bar_files(done: u64, all: u64) -> String {
    format!("{done} of {}", count(all, "file"))
}

pub(crate) fn connected(server: &str, speaks_v2: bool) -> String {
    let server = escape(server);
    match speaks_v2 {
        true => format!("Connected to {server}."),
        false => format!("Connected to {server}, which runs the old Python server."),
    }
}

pub(crate) fn offline(why: &str, retry_in: Duration) -> String {
    format!("Offline: {}. Trying again in {}.", reason(why), duration(retry_in))
}

pub(crate) fn folder_unreadable(why: &str) -> String {
    format!("Could not read the liveries folder: {}", reason(why))
}

pub(crate) fn ignore_list_fault(why: &str) -> String {
    format!(
        "Warning: {}\nhint: the last list stays in force until the file can be read: {LIST_ENCODING}",
        reason(why)
    )
}

/// The liveries that wait for their driver to choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShareNeeded<'a> {
    pub(crate) liveries: usize,
    pub(crate) bytes: u64,
    pub(crate) names: &'a [String],
}

/// Asks which liveries to share. `watched` is set if somebody can answer here.
pub(crate) fn share_needed(needed: ShareNeeded<'_>, watched: bool) -> String {
    const SHOWN: usize = 5;
    let ShareNeeded { liveries: number, bytes, names } = needed;
    let mut shown: Vec<_> =
        names.iter().take(SHOWN).map(|name| escape(name).into_owned()).collect();
    if number > SHOWN {
        shown.push(format!("… and {} more", number - SHOWN));
    }
    let what = format!(
        "{} of this PC are new to the league ({}): {}. None of them is shared until you choose.",
        count(number as u64, "livery"),
        self::bytes(bytes),
        shown.join(", ")
    );
    let how = if watched {
        "Press Enter to share all of them, or type names separated by commas (* matches any characters), or none."
    } else {
        "hint: liverysync share add \"*\", or name some of them"
    };
    format!("{what}\n{how}")
}

/// Reports an answer that cannot be used.
pub(crate) fn share_answer_fault(why: &str) -> String {
    format!("Not understood: {}", reason(why))
}

/// Reports globs that match no livery.
pub(crate) fn globs_unmatched(shared: bool, globs: &[String]) -> String {
    let list = if shared { "shared" } else { "ignored" };
    let globs: Vec<_> = globs.iter().map(|glob| escape(glob)).collect();
    format!("No livery matches these names on the list of {list} liveries: {}", globs.join(", "))
}

/// A livery that was deleted here and comes back.
pub(crate) fn livery_returns(livery: &str) -> String {
    let livery = escape(livery);
    format!(
        "The league still has {livery}, which you deleted, so it is downloaded again.\nhint: liverysync ignore add \"{livery}\""
    )
}

/// Reports a livery of this PC that the other drivers do not get as it is here.
pub(crate) fn held(
    livery: &str,
    cause: HoldReason,
    until: Option<&str>,
    limit: Option<u64>,
) -> String {
    let (livery, limit) = (escape(livery), limit.unwrap_or_default());
    let over = |most: &str, instead: &str| {
        format!(
            "Over the limit: {livery}. The league takes at most {most}. Others do not get your version.\n\
             hint: {instead}, or ask the league's admin"
        )
    };
    match (cause, until) {
        (HoldReason::Freeze, Some(until)) => {
            format!("Frozen: {livery}. Others get your version after {}.", date(until))
        }
        (HoldReason::Freeze, None) => {
            format!("Frozen: {livery}. Others get your version when the league ends the freeze.")
        }
        (HoldReason::Rejected, _) => format!(
            "Rejected: {livery}. The league does not take your version. You keep it, and others do not get it.\nhint: change it, or ask the league's admin"
        ),
        (HoldReason::Blocked, _) => format!(
            "Blocked: {livery}. The league has blocked one of its files. Others do not get your version.\nhint: remove the file, or ask the league's admin"
        ),
        (HoldReason::Damaged, _) => format!(
            "Damaged: {livery}. One of its files is damaged, and the league has an intact version of it. Others do not get your version.\nhint: save or export the file again, or delete it to get the league's"
        ),
        (HoldReason::MemberLiveries, _) => {
            over(&format!("{} from each driver", count(limit, "livery")), "withdraw another one")
        }
        (HoldReason::MemberBytes, _) => {
            over(&format!("{} from each driver", bytes(limit)), "withdraw another livery")
        }
        (HoldReason::LiveryBytes, _) => {
            over(&format!("{} in a livery", bytes(limit)), "make its files smaller")
        }
        _ => format!(
            "Waiting for approval: {livery}. Others get your version once the league approves it."
        ),
    }
}

/// Reports a file of this PC that the league cannot take.
pub(crate) fn not_taken(path: &str, why: &str) -> String {
    format!(
        "Refused by the league: {}: {}. Others do not get it.\nhint: rename or move it, or ask the league's admin",
        escape(path),
        reason(why)
    )
}

/// Reports a livery of this PC that breaks a rule of the league, which the other drivers do not get.
pub(crate) fn breaks_rule(livery: &str, finding: Option<&str>) -> String {
    let livery = escape(livery);
    let rule = finding.map_or_else(String::new, |finding| format!(" {}", escape(finding)));
    format!(
        "Against the league's rules: {livery}. Others do not get your version.{rule}\nhint: change it, or ask the league's admin to approve it"
    )
}

/// Tells the driver what somebody did to a livery of theirs; `None` for news of a later version.
pub(crate) fn owner_news(livery: &str, news: OwnerNews, by: Option<&str>) -> Option<String> {
    let (livery, by) = (escape(livery), by.map(escape));
    let somebody = by.as_deref().unwrap_or("Another driver");
    Some(match news {
        OwnerNews::Conflict => format!(
            "{somebody} has another version of your livery {livery}. Yours keeps the name, and theirs is kept beside it for everyone."
        ),
        OwnerNews::Changed => format!(
            "{somebody} changed your livery {livery}.\nhint: what this PC had before is in .backup, and the league's admin can restore it for everyone"
        ),
        OwnerNews::Owned if by.is_none() => format!("You own {livery} now."),
        OwnerNews::Owned => format!("You own {livery} now, because of {somebody}."),
        OwnerNews::Disowned => format!(
            "Nobody owns {livery} any more: {somebody} brought it too, with the same files. The first member who edits it owns it."
        ),
        _ => return None,
    })
}

pub(crate) fn scanned(number: usize, files: usize, size: u64, verbose: bool) -> String {
    match (number, verbose) {
        (0, _) => "This PC has no liveries yet.".to_owned(),
        (_, false) => format!("This PC has {}.", liveries(number, size)),
        (_, true) => {
            format!("This PC has {} ({}).", liveries(number, size), count(files as u64, "file"))
        }
    }
}

pub(crate) fn skipped(items: &[Skipped], verbose: bool) -> Vec<String> {
    let lines = skipped::lines("Skipped: ", items, verbose);
    if verbose { lines } else { cut(lines) }
}

pub(crate) fn downloading(missing: u64, size: u64) -> String {
    format!("Downloading: {}", files(missing, size))
}

/// Reports a transfer that begins; only with `--verbose`.
pub(crate) fn transfer(download: bool, sized: Option<(u64, u64)>) -> String {
    let what = sized.map_or_else(|| "files".to_owned(), |(number, size)| files(number, size));
    let verb = if download { "Downloading" } else { "Uploading" };
    format!("{verb} {what}")
}

/// A file that is in place.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) path: RelPath,
    pub(crate) bytes: u64,
    pub(crate) backup: Option<String>,
    pub(crate) copied: bool,
    pub(crate) kept_as: Option<RelPath>,
}

pub(crate) fn installed(all: &[Installed], verbose: bool) -> Vec<String> {
    if verbose {
        return all.iter().map(installed_file).collect();
    }
    let groups = by_livery(all, |file| &file.path);
    cut(groups.iter().map(installed_livery).collect())
}

/// Reports a livery of this PC whose name another driver had first. With an old server, this PC's paint is kept here
/// only.
pub(crate) fn conflict(livery: &str, keeper: Option<&str>, for_everyone: bool) -> [String; 2] {
    let keeper = keeper.map_or("Another driver".into(), escape);
    let place = if for_everyone { "for everyone" } else { "on this PC" };
    let livery = escape(livery);
    [
        format!(
            "Conflict: {livery}. {keeper} had this name first and keeps it. Your paint is kept beside it {place}."
        ),
        "hint: to end the conflict, move your copy to a folder with another name".to_owned(),
    ]
}

fn installed_livery((livery, files): &(String, Vec<&Installed>)) -> String {
    let size = files.iter().map(|file| file.bytes).sum();
    let what = format!("{livery} ({})", self::files(files.len() as u64, size));
    match files.iter().find_map(|file| file.backup.as_deref()) {
        Some(backup) => {
            format!("Updated: {what}. Replaced files are in {}.", set(backup))
        }
        None => format!("Installed: {what}"),
    }
}

fn installed_file(file: &Installed) -> String {
    let Installed { path: at, bytes: size, backup, copied, kept_as } = file;
    let copied = if *copied { ", copied on this PC" } else { "" };
    let mut line = format!("Installed: {} ({}{copied})", path(at), bytes(*size));
    if let Some(backup) = backup {
        line += &format!("; replaced: {}", escape(backup));
    }
    if let Some(kept_as) = kept_as {
        line += &format!("; your file: {}", path(kept_as));
    }
    line
}

/// Returns the backup set of a file that is in it.
fn set(backup: &str) -> String {
    escape(&backup.split('/').take(2).collect::<Vec<_>>().join("/")).into_owned()
}

pub(crate) fn uploaded(all: &[(RelPath, u64)], verbose: bool) -> Vec<String> {
    let line = |what: String| format!("Uploaded: {what}");
    if verbose {
        return file_lines(all).into_iter().map(line).collect();
    }
    cut(livery_lines(all).into_iter().map(line).collect())
}

/// Lists files that the league retired, with the place of each copy.
pub(crate) fn retired(all: &[(RelPath, String)], verbose: bool) -> Vec<String> {
    if verbose {
        let line = |(file, backup): &(RelPath, String)| {
            format!("The league retired {}. Your copy is {}.", path(file), escape(backup))
        };
        return all.iter().map(line).collect();
    }
    let lines = by_livery(all, |(file, _)| file).into_iter().map(|(livery, files)| {
        let what = format!("{livery} ({})", count(files.len() as u64, "file"));
        let backup = files.last().map_or_else(String::new, |(_, backup)| set(backup));
        format!("The league retired {what}. Your copy is in {backup}.")
    });
    cut(lines.collect())
}

pub(crate) fn retire_failed(file: &RelPath, why: &str) -> String {
    format!("Could not remove {}, which the league retired: {}", path(file), reason(why))
}

pub(crate) fn upload_failed(file: &str, why: &str) -> String {
    format!("Could not upload {}: {}", escape(file), reason(why))
}

pub(crate) fn download_failed(file: &str, why: &str, declined: bool) -> String {
    let verb = if declined { "Refused" } else { "Could not download" };
    format!("{verb} {}: {}", escape(file), reason(why))
}

pub(crate) fn server_error(why: &str) -> String {
    format!("The server reports: {}", reason(why))
}

pub(crate) fn missed(events: u64) -> String {
    format!("{} left out here because this output is read too slowly.", were(events, "message"))
}

fn were(number: u64, thing: &str) -> String {
    format!("{} {}", count(number, thing), if number == 1 { "was" } else { "were" })
}

/// The liveries of this PC when it is in sync.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InSync<'a> {
    pub(crate) liveries: usize,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// Files of the league that will not arrive as things are.
    pub(crate) withheld: u64,
    /// The part of that which somebody has to do something about.
    pub(crate) outstanding: &'a [Outstanding],
    /// Set if the server confirmed it.
    pub(crate) certain: bool,
}

/// Files that were moved since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) downloaded: (u64, u64),
    pub(crate) uploaded: (u64, u64),
    pub(crate) took: Duration,
}

pub(crate) fn in_sync(now: InSync<'_>, moved: Moved, verbose: bool) -> String {
    let InSync { liveries: number, files: held, bytes: size, withheld, outstanding, certain } = now;
    let head = match (outstanding, certain) {
        ([_, ..], _) => IN_SYNC_BUT,
        ([], true) => "In sync",
        ([], false) => "Probably in sync",
    };
    let mut line = format!("{head}: {}.", liveries(number, size));
    let is_missing = |item: &&Outstanding| matches!(item, Outstanding::NotInstallable { .. });
    let missing = outstanding.iter().filter(is_missing).count();
    let withheld = withheld.saturating_sub(missing as u64);
    if withheld > 0 {
        let (more, verb) = (count(withheld, "more file"), if withheld == 1 { "is" } else { "are" });
        line += &format!(" {more} {verb} not available to this PC; `liverysync status` says why.");
    }
    if verbose {
        let Moved { downloaded, uploaded, took } = moved;
        line += &format!(
            " Files: {held}; downloaded {}; uploaded {}; {}.",
            files(downloaded.0, downloaded.1),
            files(uploaded.0, uploaded.1),
            duration(took)
        );
    }
    let sections = [
        (CANNOT_INSTALL, super::words::outstanding(outstanding)),
        (DAMAGED, super::words::damaged(outstanding)),
        (REFUSED, super::words::refused(outstanding)),
        (HELD, super::words::held(outstanding)),
        (UNDECIDED, super::words::undecided(outstanding)),
    ];
    for (head, items) in sections.into_iter().filter(|(_, items)| !items.is_empty()) {
        line += &format!("\n{head}:");
        let items = if verbose { items } else { cut(items) };
        items.iter().for_each(|item| line += &format!("\n  {item}"));
    }
    line
}

/// Writes the plan of a dry run.
pub(crate) fn plan(plan: &Plan, verbose: bool) -> String {
    let mut lines = super::status::sections(plan, verbose);
    let total = |files: &[(RelPath, u64)]| {
        let number = by_livery(files, |(file, _)| file).len();
        liveries(number, files.iter().map(|(_, size)| size).sum())
    };
    let parts =
        [("download", &plan.receive), ("upload", &plan.send), ("move to .backup", &plan.retire)];
    let parts = parts.into_iter().filter(|(_, files)| !files.is_empty());
    let parts: Vec<_> =
        parts.map(|(verb, files)| format!("would {verb} {}", total(files))).collect();
    lines.push(match parts.as_slice() {
        [] => "Dry run: nothing to do. Nothing was changed.".to_owned(),
        parts => format!("Dry run: {}. Nothing was changed.", parts.join("; ")),
    });
    lines.join("\n")
}
