//! JSON, one object per line: `docs/json.md` describes it.
//!
//! Names are stable: events and fields are added, never removed. Paths and names have JSON's own escapes only, so that a
//! program finds the file. Events have the form that the core gives them.

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use liverysync::{
        ClientEvent, Collision, Extensions, HoldReason, OwnerNews, PeerId, Protocol, Reason,
        Refusal, Role, ServerEvent, SourceFault, SyncId, Withheld,
        backups::{BackupContents, PruneReport, RestoreReport, SetName},
        league::LeagueStatus,
    };
    use liverysync_core::{
        inspect::Damage,
        lint::{LintFile, LintRules, lint as judge},
    };

    use super::*;

    fn path() -> RelPath {
        RelPath::parse("#2/decals.png", &Extensions::default()).unwrap()
    }

    /// Returns the fields of an object, in order.
    fn fields(json: &str) -> Vec<String> {
        let object: serde_json::Value = serde_json::from_str(json).unwrap();
        let mut names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
        names.sort_by_key(|name| json.find(&format!("\"{name}\":")));
        names
    }

    /// Compares an event with its row in the table below `heading`.
    #[track_caller]
    fn check_documented(heading: &str, json: &str) {
        let object: serde_json::Value = serde_json::from_str(json).unwrap();
        let name = object["event"].as_str().unwrap();
        let documentation = include_str!("../../../docs/json.md");
        let section = documentation.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
        let row = section.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not documented"));
        let told: Vec<_> = row.split('|').nth(2).unwrap().split('`').skip(1).step_by(2).collect();
        assert_eq!(fields(json)[1..], told, "{name}");
    }

    #[test]
    fn an_event_is_one_line_whatever_names_are_in_it() {
        let name = "a\u{85}b\u{2028}c\u{2029}d\ne é";
        let line = event(&[name]);
        assert_eq!(line, r#"["a\u0085b\u2028c\u2029d\ne é"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&line).unwrap(), [name]);
    }

    #[test]
    fn every_event_of_a_server_is_as_documented() {
        let (peer, name) = (PeerId(1), String::from("Aoi"));
        let sync_id = SyncId::new("s").unwrap();
        check_documented("Server", &listening(([127, 0, 0, 1], 9239).into()));
        for event in [
            ServerEvent::Joined {
                peer,
                name: name.clone(),
                address: String::new(),
                protocol: Protocol::V104,
            },
            ServerEvent::Left { peer, name: name.clone(), reason: String::new() },
            ServerEvent::Manifest {
                name: name.clone(),
                liveries: 0,
                files: 0,
                bytes: 0,
                left_out: vec![],
            },
            ServerEvent::Conflict { name: name.clone(), path: path(), conflict_path: path() },
            ServerEvent::Refused {
                name: name.clone(),
                path: path(),
                reason: Refusal::Collision(Collision::Folder),
            },
            ServerEvent::SessionBegan {
                sync_id: sync_id.clone(),
                source: None,
                target: Some(name.clone()),
                files: 0,
                bytes: 0,
            },
            ServerEvent::SessionEnded {
                sync_id,
                source: None,
                target: Some(name.clone()),
                installed: 0,
                failed: 0,
            },
            ServerEvent::Held { name: None, livery: String::new(), files: 1 },
            ServerEvent::Damaged {
                name: None,
                path: path(),
                damage: Damage::Empty,
                published: true,
            },
            ServerEvent::Finding { name: None, finding: a_finding(), published: true },
            ServerEvent::AllowListFault { reason: String::new() },
            ServerEvent::AllowListUnmatched { names: Vec::new() },
            ServerEvent::OwnerChanged { livery: String::new(), owner: None, by: name.clone() },
            ServerEvent::OwnerActed {
                name: name.clone(),
                act: "rename",
                names: Vec::new(),
                placed: 0,
                retired: 0,
            },
            ServerEvent::DatabaseFault { reason: String::new() },
            ServerEvent::SettingsDiffer { settings: Vec::new() },
            ServerEvent::StoreFault { content: ContentHash::of(b""), reason: String::new() },
            ServerEvent::SourceFault {
                name: name.clone(),
                path: String::new(),
                fault: SourceFault::Skipped,
            },
            ServerEvent::SourceSilent { name: name.clone(), files: 0 },
            ServerEvent::TargetFault {
                name: name.clone(),
                path: path(),
                message: String::new(),
                for_good: true,
            },
            ServerEvent::Withheld { name, path: path(), reason: Withheld::Declined },
            ServerEvent::InSync {
                clients: 0,
                liveries: 0,
                files: 0,
                union_hash: ContentHash::of(b""),
            },
            ServerEvent::Missed { events: 1 },
        ] {
            check_documented("Server", &super::event(&event));
        }
    }

    fn a_finding() -> Finding {
        judge(&[LintFile::new("decals.png", 1)], &LintRules::default()).remove(0)
    }

    #[test]
    fn every_event_of_a_client_is_as_documented() {
        let sync_id = SyncId::new("s").unwrap();
        let (bytes, reason) = (0, String::new());
        let session = || sync_id.clone();
        for event in [
            ClientEvent::Connected { speaks_v2: true },
            ClientEvent::Disconnected { reason: reason.clone(), retry_in: Duration::ZERO },
            ClientEvent::FolderUnreadable { reason: reason.clone() },
            ClientEvent::IgnoreListFault { reason: reason.clone() },
            ClientEvent::ShareNeeded { liveries: 0, files: 0, bytes, names: vec![] },
            ClientEvent::GlobsUnmatched { shared: true, globs: vec![] },
            ClientEvent::LiveryReturns { livery: String::new() },
            ClientEvent::Held {
                livery: String::new(),
                cause: HoldReason::Freeze,
                until: None,
                limit: None,
                finding: None,
            },
            ClientEvent::Refused { path: String::new(), reason: String::new() },
            ClientEvent::OwnerNews { livery: String::new(), news: OwnerNews::Changed, by: None },
            ClientEvent::Scanned { liveries: 0, files: 0, bytes },
            ClientEvent::Skipped(Skipped::new(String::new(), Reason::Link)),
            ClientEvent::Finding(a_finding()),
            ClientEvent::SessionBegan {
                sync_id: session(),
                role: Role::Source,
                files: None,
                bytes: None,
            },
            ClientEvent::Receiving { sync_id: session(), path: path(), bytes },
            ClientEvent::Received { sync_id: session(), bytes },
            ClientEvent::Sent { sync_id: session(), bytes },
            ClientEvent::FileSent { sync_id: session(), path: path(), bytes },
            ClientEvent::Installed {
                sync_id: session(),
                path: path(),
                bytes,
                backup: None,
                copied: false,
                kept_as: None,
            },
            ClientEvent::Conflict { path: path(), conflict_path: path(), keeper: None },
            ClientEvent::Retired { path: path(), backup: String::new() },
            ClientEvent::RetireFailed { path: path(), reason: reason.clone() },
            ClientEvent::SendFailed {
                sync_id: session(),
                path: String::new(),
                reason: reason.clone(),
            },
            ClientEvent::ReceiveFailed {
                sync_id: session(),
                path: String::new(),
                reason: reason.clone(),
                declined: false,
            },
            ClientEvent::SessionEnded { sync_id: session() },
            ClientEvent::ServerError { reason },
            ClientEvent::SyncBegan { connected: false },
            ClientEvent::SyncStatus {
                missing: 0,
                missing_bytes: 0,
                needed_by_others: 0,
                withheld: 0,
            },
            ClientEvent::InSync {
                liveries: 0,
                files: 0,
                bytes,
                conflicts: vec![],
                withheld: 0,
                outstanding: vec![],
                certain: true,
            },
            ClientEvent::Plan(Box::default()),
            ClientEvent::Missed { events: 1 },
        ] {
            check_documented("Client", &super::event(&event));
        }
    }

    #[test]
    fn every_object_about_backups_is_as_documented() {
        let set: SetName = "20250301_201500".parse().unwrap();
        for event in ["identity", "identity_exported", "identity_imported"] {
            check_documented("Identity", &identity(event, "identity.json", None));
        }
        check_documented("Backups", &backups("L", &[]));
        let shown = BackupContents::new(set.clone(), vec![], vec![]);
        check_documented("Backups", &named("backup_shown", &shown));
        let restored = RestoreReport::new(set, false);
        check_documented("Backups", &named("backup_restored", &restored));
        check_documented("Backups", &named("backups_pruned", &PruneReport::default()));
    }

    #[test]
    fn every_object_about_a_league_is_as_documented() {
        check_documented("League", &named("league_status", &LeagueStatus::default()));
        check_documented("League", &league_members(&[]));
        check_documented("League", &league_liveries(&[]));
        check_documented("League", &league_history("Team", &[]));
        check_documented("League", &league_conflicts(&[], &BTreeMap::new()));
        check_documented("League", &league_held(&[]));
        check_documented("League", &league_retiring(&BTreeMap::new(), &BTreeMap::new()));
        check_documented("League", &league_acted("retire", &Acted::default()));
        check_documented("League", &league_rebuilt(&Rebuilt::default()));
        let rename = Act::Rename { livery: String::new(), new: String::new() };
        check_documented("Your own liveries", &owner_acted(&rename, &ActReport::default(), false));
    }

    #[test]
    fn names_are_unchanged_and_an_event_is_one_line() {
        let event = ServerEvent::Joined {
            peer: PeerId(3),
            name: "Zoë \u{1b}[2J\n\"#2\" 辻 \u{202e}".to_owned(),
            address: "127.0.0.1:5".to_owned(),
            protocol: Protocol::V2,
        };
        let expected = "{\"event\":\"joined\",\"peer\":3,\
            \"name\":\"Zoë \\u001b[2J\\n\\\"#2\\\" 辻 \u{202e}\",\
            \"address\":\"127.0.0.1:5\",\"program\":\"liverysync\"}";
        assert_eq!(super::event(&event), expected);
    }

    #[test]
    fn an_unknown_value_is_null() {
        let event = ClientEvent::Installed {
            sync_id: SyncId::new("s1").unwrap(),
            path: path(),
            bytes: 7,
            backup: None,
            copied: false,
            kept_as: None,
        };
        let expected = "{\"event\":\"installed\",\"sync_id\":\"s1\",\"path\":\"#2/decals.png\",\
            \"bytes\":7,\"backup\":null,\"copied\":false,\"kept_as\":null}";
        assert_eq!(super::event(&event), expected);
        let plan = super::event(&ClientEvent::Plan(Box::default()));
        let expected = "{\"event\":\"plan\",\"liveries\":0,\"files\":0,\"bytes\":0,\"receive\":[],\"conflicts\":[],\"send\":[],\"refuse\":[],\"outstanding\":[],\"failed\":[],\"retire\":[],\
            \"unavailable\":[],\"undistributed\":[],\"unshared\":[],\"only\":null,\"open_conflicts\":[],\"held\":[],\"damaged\":[]}";
        assert_eq!(plan, expected);
    }
}
