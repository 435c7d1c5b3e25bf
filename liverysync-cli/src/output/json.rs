//! JSON, one object per line: `docs/json.md` describes it.
//!
//! Names are stable: events and fields are added, never removed. Paths and names have JSON's own escapes only, so that a
//! program finds the file. Events have the form that the core gives them.

#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use liverysync::{
    Act, ActReport, Content, ContentHash, Finding, Identity, MemberId, Plan, RelPath, Scan,
    Skipped, UnixTime,
    backups::BackupSet,
    league::{
        Acted, Conflict, Held, LiveryStatus, MemberRow, PastVersion, Rebuilt, Setting, Settings,
    },
};
use serde::Serialize;

/// Returns an event.
pub(crate) fn event(event: &impl Serialize) -> String {
    // Strings, numbers and lists of them have a JSON form.
    let json = serde_json::to_string(event).unwrap_or_else(|_| "null".to_owned());
    on_one_line(json)
}

/// Escapes the characters that end a line for some readers. JSON does not ask for it, and they only occur in strings.
fn on_one_line(json: String) -> String {
    const LINE_ENDS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    if !json.contains(LINE_ENDS) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match LINE_ENDS.contains(&c) {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => escaped.push(c),
        }
    }
    escaped
}

/// Returns the first event of a server.
pub(crate) fn listening(address: SocketAddr) -> String {
    #[derive(Serialize)]
    struct Listening {
        event: &'static str,
        address: String,
        port: u16,
    }
    let (address, port) = (address.ip().to_string(), address.port());
    event(&Listening { event: "listening", address, port })
}

/// Returns a content of the store that was damaged, and removed.
pub(crate) fn store_damaged(content: ContentHash, bytes: u64, reason: &str) -> String {
    #[derive(Serialize)]
    struct Damaged<'a> {
        event: &'static str,
        content: ContentHash,
        bytes: u64,
        reason: &'a str,
    }
    event(&Damaged { event: "store_damaged", content, bytes, reason })
}

/// Returns the result of checking the store.
pub(crate) fn store_verified(files: u64, bytes: u64, damaged: u64) -> String {
    #[derive(Serialize)]
    struct Verified {
        event: &'static str,
        files: u64,
        bytes: u64,
        damaged: u64,
    }
    event(&Verified { event: "store_verified", files, bytes, damaged })
}

/// Returns the result of a scan.
pub(crate) fn scan(
    root: &str,
    scan: &Scan,
    findings: &[Finding],
    choice: &crate::text::scan::Choice,
) -> String {
    #[derive(Serialize)]
    struct File<'a> {
        path: &'a RelPath,
        bytes: u64,
        sha256: ContentHash,
        mtime: Option<f64>,
    }
    #[derive(Serialize)]
    struct Unmatched<'a> {
        ignore: &'a [String],
        share: &'a [String],
    }
    #[derive(Serialize)]
    struct Found<'a> {
        event: &'static str,
        root: &'a str,
        manifest_hash: ContentHash,
        files: Vec<File<'a>>,
        skipped: &'a [Skipped],
        findings: &'a [Finding],
        asks: bool,
        unmatched: Unmatched<'a>,
        bytes: u64,
    }
    let files = scan.manifest.iter().map(|entry| File {
        path: &entry.path,
        bytes: entry.content.size,
        sha256: entry.content.hash,
        mtime: entry.mtime.map(UnixTime::as_seconds),
    });
    event(&Found {
        event: "scan",
        root,
        manifest_hash: scan.manifest.hash(),
        files: files.collect(),
        skipped: &scan.skipped,
        findings,
        asks: choice.asks,
        unmatched: Unmatched { ignore: &choice.ignore, share: &choice.share },
        bytes: scan.manifest.total_bytes(),
    })
}

/// Returns what is probably wrong with the liveries of a folder.
pub(crate) fn lint(root: &str, findings: &[Finding]) -> String {
    #[derive(Serialize)]
    struct Found<'a> {
        root: &'a str,
        findings: &'a [Finding],
    }
    named("lint", &Found { root, findings })
}

/// Returns what is wrong with the liveries of a league.
pub(crate) fn league_lint(findings: &[Finding]) -> String {
    #[derive(Serialize)]
    struct Found<'a> {
        findings: &'a [Finding],
    }
    named("league_lint", &Found { findings })
}

/// Returns the state of a PC.
pub(crate) fn status(server: &str, running: Option<bool>, plan: &Plan) -> String {
    #[derive(Serialize)]
    struct Status<'a> {
        server: &'a str,
        running: Option<bool>,
        in_sync: bool,
        #[serde(flatten)]
        plan: &'a Plan,
    }
    named("status", &Status { server, running, in_sync: plan.is_in_sync(), plan })
}

/// Returns the list of ignored liveries, and what has changed.
pub(crate) fn ignored(
    file: &str,
    ignored: &[&str],
    changed: &[&str],
    unmatched: &[String],
) -> String {
    #[derive(Serialize)]
    struct Ignored<'a> {
        file: &'a str,
        ignored: &'a [&'a str],
        changed: &'a [&'a str],
        unmatched: &'a [String],
    }
    named("ignored", &Ignored { file, ignored, changed, unmatched })
}

/// Returns the list of liveries that are shared with a league, and what has changed. There is no list if the driver has not
/// chosen.
pub(crate) fn shared(
    file: &str,
    league: &str,
    shared: Option<&[&str]>,
    changed: &[&str],
    unmatched: &[String],
) -> String {
    #[derive(Serialize)]
    struct Shared<'a> {
        file: &'a str,
        league: &'a str,
        shared: Option<&'a [&'a str]>,
        changed: &'a [&'a str],
        unmatched: &'a [String],
    }
    named("shared", &Shared { file, league, shared, changed, unmatched })
}

/// Returns who the driver is, and where that is written.
pub(crate) fn identity(event: &'static str, file: &str, identity: Option<&Identity>) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        file: &'a str,
        member: Option<MemberId>,
        former: Vec<MemberId>,
    }
    let former = identity.into_iter().flat_map(Identity::former_members).collect();
    named(event, &Shown { file, member: identity.map(Identity::member), former })
}

/// Returns the backup sets of a folder.
pub(crate) fn backups(root: &str, sets: &[BackupSet]) -> String {
    #[derive(Serialize)]
    struct Backups<'a> {
        event: &'static str,
        root: &'a str,
        sets: &'a [BackupSet],
    }
    event(&Backups { event: "backups", root, sets })
}

/// Returns an object that has its fields and gets its name here.
pub(crate) fn named(name: &'static str, fields: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Named<'a, T> {
        event: &'static str,
        #[serde(flatten)]
        fields: &'a T,
    }
    event(&Named { event: name, fields })
}

/// Returns the league's members.
pub(crate) fn league_members(members: &[MemberRow]) -> String {
    #[derive(Serialize)]
    struct Members<'a> {
        members: &'a [MemberRow],
    }
    named("league_members", &Members { members })
}

/// Returns the league's settings.
pub(crate) fn league_settings(settings: &Settings) -> String {
    let values = Setting::all().map(|setting| (setting.as_str(), settings.value(setting)));
    let values: BTreeMap<_, _> = values.collect();
    named("league_settings", &values)
}

/// Returns the league's liveries.
pub(crate) fn league_liveries(liveries: &[LiveryStatus]) -> String {
    #[derive(Serialize)]
    struct Liveries<'a> {
        liveries: &'a [LiveryStatus],
    }
    named("league_liveries", &Liveries { liveries })
}

/// Returns a livery's history.
pub(crate) fn league_history(livery: &str, versions: &[PastVersion]) -> String {
    #[derive(Serialize)]
    struct History<'a> {
        livery: &'a str,
        versions: &'a [PastVersion],
    }
    named("league_history", &History { livery, versions })
}

/// Returns the conflicts of a league. `names` has the members who brought the contents, by path and content.
pub(crate) fn league_conflicts(
    conflicts: &[Conflict],
    names: &BTreeMap<(String, ContentHash), String>,
) -> String {
    #[derive(Serialize)]
    struct Side<'a> {
        #[serde(flatten)]
        content: Content,
        name: Option<&'a String>,
    }
    #[derive(Serialize)]
    struct Copy<'a> {
        path: &'a RelPath,
        #[serde(flatten)]
        side: Side<'a>,
    }
    #[derive(Serialize)]
    struct Name<'a> {
        path: &'a RelPath,
        established: Option<Side<'a>>,
        copies: Vec<Copy<'a>>,
    }
    #[derive(Serialize)]
    struct Conflicts<'a> {
        conflicts: Vec<Name<'a>>,
    }
    let conflicts = conflicts.iter().map(|Conflict { path, established, copies, .. }| {
        let side = |path: &RelPath, content: Content| {
            let name = names.get(&(path.as_str().to_owned(), content.hash));
            Side { content, name }
        };
        let copies = copies.iter();
        let copies = copies.map(|(path, content)| Copy { path, side: side(path, *content) });
        let established = established.map(|content| side(path, content));
        Name { path, established, copies: copies.collect() }
    });
    named("league_conflicts", &Conflicts { conflicts: conflicts.collect() })
}

/// Returns the result of a change of the league.
pub(crate) fn league_held(held: &[Held]) -> String {
    #[derive(Serialize)]
    struct Liveries<'a> {
        held: &'a [Held],
    }
    named("league_held", &Liveries { held })
}

pub(crate) fn league_acted(act: &'static str, acted: &Acted) -> String {
    #[derive(Serialize)]
    struct Done {
        act: &'static str,
        placed: usize,
        retired: usize,
        served: bool,
    }
    let (placed, retired) = (acted.report.placed, acted.report.retired);
    named("league_acted", &Done { act, placed, retired, served: acted.served })
}

/// Returns the liveries and files that would be retired.
pub(crate) fn league_retiring(
    chosen: &BTreeMap<String, BTreeSet<MemberId>>,
    names: &BTreeMap<MemberId, String>,
) -> String {
    #[derive(Serialize)]
    struct Driver<'a> {
        member: &'a MemberId,
        name: Option<&'a String>,
    }
    #[derive(Serialize)]
    struct Livery<'a> {
        path: &'a str,
        drivers: Vec<Driver<'a>>,
    }
    #[derive(Serialize)]
    struct Liveries<'a> {
        retiring: Vec<Livery<'a>>,
    }
    let driver = |member| Driver { member, name: names.get(member) };
    let retiring = chosen
        .iter()
        .map(|(path, members)| Livery { path, drivers: members.iter().map(driver).collect() });
    named("league_retiring", &Liveries { retiring: retiring.collect() })
}

/// Returns what a driver has changed, or would change.
pub(crate) fn owner_acted(act: &Act, report: &ActReport, dry_run: bool) -> String {
    #[derive(Serialize)]
    struct Done<'a> {
        act: &'static str,
        names: Vec<&'a str>,
        placed: usize,
        retired: usize,
        dry_run: bool,
    }
    let ((act, names), placed, retired) = (act.of_owner(), report.placed, report.retired);
    named("owner_acted", &Done { act, names, placed, retired, dry_run })
}

/// Returns the result of a rebuild.
pub(crate) fn league_rebuilt(rebuilt: &Rebuilt) -> String {
    #[derive(Serialize)]
    struct Saved<'a> {
        kept: Vec<Cow<'a, str>>,
        whole: bool,
        versions: u64,
        verified: u64,
        owners: u64,
        members: u64,
        reports: u64,
        from_reports: u64,
        files: u64,
    }
    let salvaged = &rebuilt.salvaged;
    named(
        "league_rebuilt",
        &Saved {
            kept: salvaged.set_aside.iter().map(|path| path.to_string_lossy()).collect(),
            whole: salvaged.whole,
            versions: salvaged.versions,
            verified: salvaged.verified,
            owners: salvaged.owners,
            members: salvaged.members,
            reports: salvaged.reports,
            from_reports: rebuilt.from_reports,
            files: rebuilt.files,
        },
    )
}
