//! `liverysync league`: the league as an admin sees it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use liverysync::{
    Content, ContentHash, MemberId, RelPath, escape,
    league::{
        Act, Acted, Cause, Conflict, Held, HeldContent, HoldReason, HoldState, LeagueStatus,
        LiveryStatus, MemberRow, PastChange, PastVersion, Rebuilt, Setting, Settings,
    },
};

use super::words::{LIST_MAX, block, bytes, count, cut, date, files, name, path};

/// Number of changes of a version that are shown.
const CHANGES_SHOWN: usize = 10;

/// Number of digits that name a version or a content.
const DIGITS_SHOWN: usize = 8;

pub(crate) fn settings(settings: &Settings) -> String {
    let row = |setting: Setting| {
        let value = settings.value(setting);
        let value = match setting {
            Setting::Frozen => frozen(&value),
            _ => limit(setting, &value),
        };
        format!("{:<25}{value}", setting.as_str())
    };
    block(&Setting::all().map(row).collect::<Vec<_>>())
}

/// Reports a new league.
pub(crate) fn created(data: &Path, settings: &Settings) -> String {
    let data = escape(&data.display().to_string()).into_owned();
    let server = format!("hint: start its server: liverysync server --data \"{data}\"");
    block(&[
        format!("Created a league in {data}. Its settings:"),
        self::settings(settings).trim_end().to_owned(),
        server,
    ])
}

/// Shows the value of a setting: for a limit in bytes, as a size.
fn limit(setting: Setting, value: &str) -> String {
    let size = match setting {
        Setting::MaxBytesPerMember | Setting::MaxBytesPerLivery => value.parse().ok(),
        _ => None,
    };
    size.map_or_else(|| escape(value).into_owned(), bytes)
}

/// Lists freezes from the value of the setting.
fn frozen(value: &str) -> String {
    let freezes = value.lines().map(|line| match line.split_once('\t') {
        Some((glob, until)) => format!("{} until {}", escape(glob), date(until)),
        None => escape(line).into_owned(),
    });
    let freezes: Vec<_> = freezes.collect();
    if freezes.is_empty() { "nothing".to_owned() } else { freezes.join(", ") }
}

/// Lists the liveries that wait, and those that were decided and are not placed.
pub(crate) fn held(held: &[Held]) -> String {
    let mut lines = Vec::new();
    for livery in held {
        let who = match livery.member {
            Some(member) => who(member, livery.name.as_ref()),
            None => "drivers without a key".to_owned(),
        };
        let state = match livery.state {
            HoldState::Approved => "approved, ",
            HoldState::Rejected => "rejected, ",
            _ => "",
        };
        let cause = match hold_cause(livery) {
            cause if cause.is_empty() => cause,
            cause => format!(" ({cause})"),
        };
        let since = livery.since.as_deref().map_or_else(|| "now".to_owned(), date);
        lines.push(format!("{} by {who}: {state}since {since}{cause}", escape(&livery.livery)));
        let file = |file: &HeldContent| {
            let here = if file.stored { "" } else { "  not on the server yet" };
            format!("    {:>9}  {}{here}", bytes(file.content.size), path(&file.path))
        };
        lines.extend(cut(livery.files.iter().map(file).collect()));
    }
    let waiting = held.iter().filter(|livery| livery.state == HoldState::Waiting).count();
    if waiting == 0 {
        lines.push("No livery is waiting.".to_owned());
    } else {
        let verb = if waiting == 1 { "is waiting" } else { "are waiting" };
        lines.push(format!("{} {verb}.", count(waiting as u64, "livery")));
        lines.push("hint: let the others have one: liverysync league approve LIVERY".to_owned());
    }
    block(&lines)
}

/// Says why a livery is held, unless its state says it.
fn hold_cause(held: &Held) -> String {
    let limit = held.limit.unwrap_or_default();
    match held.cause {
        HoldReason::Approval | HoldReason::Rejected => String::new(),
        HoldReason::Freeze => held
            .until
            .as_deref()
            .map_or_else(|| "frozen".to_owned(), |until| format!("frozen until {}", date(until))),
        HoldReason::Blocked => "it has a blocked content".to_owned(),
        HoldReason::Damaged => "it has a damaged file".to_owned(),
        HoldReason::MemberLiveries => {
            format!("over {} of one driver", count(limit, "livery"))
        }
        HoldReason::MemberBytes => format!("over {} of one driver", bytes(limit)),
        HoldReason::LiveryBytes => format!("over {} in a livery", bytes(limit)),
        HoldReason::Lint => match &held.finding {
            Some(finding) => format!("against the rules: {}", finding.reason()),
            None => "against the rules".to_owned(),
        },
        _ => "held".to_owned(),
    }
}

/// Lists what is about to be retired, with the drivers it belongs to.
pub(crate) fn retiring(
    chosen: &BTreeMap<String, BTreeSet<MemberId>>,
    names: &BTreeMap<MemberId, String>,
    all: bool,
) -> String {
    let line = |(path, members): (&String, &BTreeSet<MemberId>)| {
        let who: Vec<_> = members.iter().map(|member| who_of(*member, names)).collect();
        let who = if who.is_empty() { "no owner".to_owned() } else { who.join(", ") };
        format!("  {} ({who})", escape(path))
    };
    let lines: Vec<_> = chosen.iter().map(line).collect();
    let mut lines = if all { lines } else { cut(lines) };
    let (files, liveries): (Vec<_>, Vec<_>) = chosen.keys().partition(|path| path.contains('/'));
    let mut total = vec![count(liveries.len() as u64, "livery")];
    total.extend((!files.is_empty()).then(|| count(files.len() as u64, "single file")));
    lines.insert(0, format!("To retire: {}", total.join(" and ")));
    block(&lines)
}

pub(crate) fn status(status: &LeagueStatus) -> String {
    let server = if status.served {
        "running on this data folder"
    } else {
        "not running on this data folder"
    };
    let (size, files) = (bytes(status.bytes), count(status.files, "file"));
    let missing = match status.missing {
        0 => "nothing missing".to_owned(),
        missing => format!("{} missing (only on members' PCs)", count(missing, "content")),
    };
    let last = status.written_at.as_deref().map_or_else(|| "none yet".into(), date);
    let rows = [
        ("server", server.to_owned()),
        ("liveries", format!("{}, {size} in {files}", status.liveries)),
        ("retired", count(status.retired, "livery")),
        ("conflicts", status.conflicts.to_string()),
        ("members", status.members.to_string()),
        ("store", format!("{}, {missing}", bytes(status.stored_bytes))),
        ("last change", last),
    ];
    let mut rows: Vec<_> = rows.into_iter().collect();
    if status.banned > 0 {
        rows.push(("banned", count(status.banned, "member")));
    }
    if !status.blocked.is_empty() {
        let blocked: Vec<_> = status.blocked.iter().map(ContentHash::short).collect();
        rows.push(("blocked", cut(blocked).join(", ")));
    }
    let rows = rows.iter().map(|(what, value)| format!("{what:<14}{value}"));
    let mut text = block(&rows.collect::<Vec<_>>());
    if !status.damaged.is_empty() {
        let damaged = status.damaged.iter().map(|file| {
            let from = file.member.map(|member| who(member, file.name.as_ref()));
            let from = from.map_or_else(String::new, |who| format!(" from {who}"));
            format!("  {}{from}: {}", path(&file.path), file.reason)
        });
        text += "Damaged, with nothing intact to keep instead:\n";
        text += &block(&cut(damaged.collect()));
    }
    if !status.held.is_empty() {
        text += &held(&status.held);
    }
    text
}

pub(crate) fn members(members: &[MemberRow]) -> String {
    let line = |member: &MemberRow| {
        let (first, last) = (date(&member.first_seen), date(&member.last_seen));
        let files = files(member.files, member.bytes);
        let banned = if member.banned { "; banned" } else { "" };
        let who = name(&member.name);
        format!("{}  {who}: {files}; first seen {first}, last seen {last}{banned}", member.member)
    };
    let mut lines: Vec<_> = members.iter().map(line).collect();
    lines.push(count(members.len() as u64, "member"));
    block(&lines)
}

pub(crate) fn liveries(liveries: &[LiveryStatus], names: &BTreeMap<MemberId, String>) -> String {
    let mut lines: Vec<_> = liveries.iter().map(|livery| livery_line(livery, names)).collect();
    let (retired, there): (Vec<_>, Vec<_>) = liveries.iter().partition(|livery| livery.retired);
    let size = there.iter().fold(0_u64, |sum, livery| sum.saturating_add(livery.bytes));
    let there = super::words::liveries(there.len(), size);
    lines.push(format!("{there}; {} retired", retired.len()));
    block(&lines)
}

fn livery_line(livery: &LiveryStatus, names: &BTreeMap<MemberId, String>) -> String {
    let LiveryStatus {
        livery: folder,
        files: number,
        bytes,
        version,
        owners,
        conflicts,
        retired,
        ..
    } = livery;
    let folder = escape(folder);
    if *retired {
        return format!("{:DIGITS_SHOWN$}  {folder}: retired", "");
    }
    let mut line = format!("{version}  {folder}: {}", files(*number as u64, *bytes));
    let owners: Vec<_> = owners.iter().map(|owner| who(*owner, names.get(owner))).collect();
    if !owners.is_empty() {
        line += &format!("; owned by {}", owners.join(", "));
    }
    if *conflicts > 0 {
        line += &format!("; {}", count(*conflicts as u64, "conflict"));
    }
    line
}

/// Names a member by their label, or without one by their digits.
fn who(member: MemberId, label: Option<&String>) -> String {
    label.map_or_else(|| member.to_string(), |label| name(label))
}

pub(crate) fn history(versions: &[PastVersion]) -> String {
    let mut lines = Vec::new();
    for version in versions {
        let date = version.written_at.as_deref().map_or_else(String::new, date);
        let hash = version.hash.get(..DIGITS_SHOWN).unwrap_or(&version.hash);
        let files = files(version.files, version.bytes);
        lines.push(match version.files {
            0 => format!("{date}  {:DIGITS_SHOWN$}  retired", ""),
            _ => format!("{date}  {hash}  {files}"),
        });
        let changes = version.changes.iter().take(CHANGES_SHOWN);
        lines.extend(changes.map(|change| format!("    {}", change_line(change))));
        if let more @ 1.. = version.changes.len().saturating_sub(CHANGES_SHOWN) {
            lines.push(format!("    … and {more} more (--json lists all)"));
        }
    }
    block(&lines)
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
    match cause {
        Cause::Conflict => "kept as a conflict copy",
        _ => Cause::WORDS.iter().find(|(_, one)| *one == cause).map_or("changed", |(word, _)| word),
    }
}

/// Lists the names in conflict. `names` has the members who brought the contents, by path and content.
pub(crate) fn conflicts(
    conflicts: &[Conflict],
    names: &BTreeMap<(String, ContentHash), String>,
) -> String {
    let who = |path: &RelPath, content: &Content| {
        let name = names.get(&(path.as_str().to_owned(), content.hash));
        name.map_or_else(String::new, |label| format!(" ({})", self::name(label)))
    };
    let mut lines = Vec::new();
    for Conflict { path: plain, established, copies, .. } in conflicts {
        lines.push(path(plain));
        lines.push(match established {
            Some(has) => format!("    {}  has the name{}", content(*has), who(plain, has)),
            None => format!("    {:19}  no content has the name", Act::KEEP_NONE),
        });
        let copies = copies.iter();
        lines.extend(
            copies.map(|(copy, has)| {
                format!("    {}  {}{}", content(*has), path(copy), who(copy, has))
            }),
        );
    }
    if conflicts.is_empty() {
        return block(&["No conflicts.".to_owned()]);
    }
    lines.push(format!("{}.", count(conflicts.len() as u64, "conflict")));
    lines.push(
        "hint: choose whose content keeps a name: liverysync league resolve PATH --keep DRIVER (or DIGITS)"
            .to_owned(),
    );
    block(&lines)
}

fn content(content: Content) -> String {
    format!("{}  {:>9}", content.hash.short(), bytes(content.size))
}

fn who_of(member: MemberId, names: &BTreeMap<MemberId, String>) -> String {
    who(member, names.get(&member))
}

/// Reports the result of a change, and what happens next. `names` has the members' last names.
pub(crate) fn acted(act: &Act, acted: &Acted, names: &BTreeMap<MemberId, String>) -> String {
    let (placed, retired) = (acted.report.placed as u64, acted.report.retired as u64);
    let done = match act {
        Act::Resolve { path, keep } if keep == Act::KEEP_NONE => {
            format!("Retired the conflict copies of {}.", escape(path))
        }
        Act::Resolve { path, keep } => format!("{} keeps {}.", escape(path), escape(keep)),
        Act::Rename { livery, new } => format!("Renamed {} to {}.", escape(livery), escape(new)),
        Act::Replace { old, new } => {
            format!("Replaced {} with {}.", escape(old), escape(new))
        }
        Act::Retire { liveries, .. } if liveries.len() > LIST_MAX => {
            let liveries = count(liveries.len() as u64, "livery");
            format!("Retired {liveries} ({}).", count(retired, "file"))
        }
        Act::Retire { liveries, .. } => {
            let liveries: Vec<Cow<'_, str>> = liveries.iter().map(|one| escape(one)).collect();
            format!("Retired {} ({}).", liveries.join(", "), count(retired, "file"))
        }
        Act::Restore { livery, .. } => {
            format!("Restored {} ({}).", escape(livery), count(placed, "file"))
        }
        Act::Approve { liveries, .. } => return approved(liveries, placed + retired, acted.served),
        Act::Reject { liveries, .. } => {
            let which = which(liveries);
            return format!(
                "Rejected {which}. Their drivers keep them, and others do not get them."
            );
        }
        Act::Set { setting: Setting::Frozen, value } if value.is_empty() => {
            return "Nothing is frozen now. Changes made in the meantime take effect.".to_owned();
        }
        Act::Set { setting: Setting::Frozen, value } => {
            return format!("Frozen: {}.", frozen(value));
        }
        Act::Set { setting: Setting::Approval, value } if value == "on" => {
            return "New liveries and new versions now wait for your approval.\nhint: list what is waiting: liverysync league held"
                .to_owned();
        }
        Act::Set { setting, value } => {
            return format!("The setting {setting} is now {}.", limit(*setting, value));
        }
        Act::Ban { member } => return banned(*member, names),
        Act::Unban { member } => return format!("{} can connect again.", who_of(*member, names)),
        Act::Block { content } if retired == 0 => {
            return format!("Blocked {}. No livery has it.", escape(content));
        }
        Act::Block { content } => {
            format!("Blocked {} ({}).", escape(content), count(retired, "file"))
        }
        Act::Unblock { content } => {
            return format!(
                "Unblocked {}. It stays retired.\nhint: bring it back: liverysync league restore LIVERY",
                escape(content)
            );
        }
        Act::OwnAll { former, member } => {
            let (former, member) = (who_of(*former, names), who_of(*member, names));
            return format!("{member} now owns everything that {former} owned.");
        }
        Act::Merge { former, member } => {
            let (former, member) = (who_of(*former, names), who_of(*member, names));
            return format!(
                "Merged {former} into {member}, who now has everything that either had."
            );
        }
        Act::Own { livery, member } => {
            return format!(
                "{} owns {} now. This takes effect only while `updates` is `owner` (liverysync league show).",
                who(*member, names.get(member)),
                escape(livery)
            );
        }
    };
    if placed + retired == 0 {
        return format!("{done} Nothing had to be changed.");
    }
    let when = match acted.served {
        true => "Connected PCs update at once, the others when they connect.",
        false => "Each PC updates the next time it connects.",
    };
    let copies = if retired > 0 { " Each keeps a copy in .backup." } else { "" };
    format!("{done} {when}{copies}")
}

/// Reports a ban, and how to remove what the member published.
fn banned(member: MemberId, names: &BTreeMap<MemberId, String>) -> String {
    let who = who_of(member, names);
    format!(
        "Banned {who}. The server refuses their key. What they published stays.\n\
         hint: remove it: liverysync league retire --from {member}"
    )
}

/// Names liveries; none stand for all that waited.
fn which(liveries: &[String]) -> String {
    if liveries.is_empty() {
        return "everything that was waiting".to_owned();
    }
    let liveries: Vec<Cow<'_, str>> = liveries.iter().map(|one| escape(one)).collect();
    liveries.join(", ")
}

fn approved(liveries: &[String], changed: u64, served: bool) -> String {
    let done = format!("Approved {}", which(liveries));
    match (changed, served) {
        (0, _) => format!("{done}. Others get it once its files are here and it is not frozen."),
        (_, true) => format!("{done} ({}). Connected PCs update at once.", count(changed, "file")),
        (_, false) => {
            format!("{done} ({}). Each PC updates when it connects.", count(changed, "file"))
        }
    }
}

pub(crate) fn rebuilt(rebuilt: &Rebuilt) -> String {
    let salvaged = &rebuilt.salvaged;
    let kept = salvaged.set_aside.iter();
    let mut lines: Vec<_> = kept
        .map(|file| format!("Kept the old database as {}", escape(&file.display().to_string())))
        .collect();
    let head = match (salvaged.set_aside.is_empty(), salvaged.whole) {
        (true, _) => "There was no league database.",
        (false, true) => "All of it could be read.",
        (false, false) => "Part of it could not be read.",
    };
    lines.push(format!(
        "{head} Recovered: {}, {}, {}, {}, {}.",
        count(salvaged.versions, "version"),
        count(salvaged.verified, "verified content"),
        count(salvaged.owners, "owner"),
        count(salvaged.members, "member"),
        count(salvaged.reports, "reported file")
    ));
    if rebuilt.from_reports > 0 {
        lines
            .push("The league's liveries were rebuilt from what members last reported.".to_owned());
    }
    lines.push(format!("The league has {} now.", count(rebuilt.files, "file")));
    lines.push(match rebuilt.files {
        0 => "hint: start the server; the liveries come back as drivers connect".to_owned(),
        _ => "hint: start the server; what is missing comes back as drivers connect".to_owned(),
    });
    block(&lines)
}
