//! The objects of `docs/json.md`, and those that are printed.

use std::time::Duration;

use liverysync::{
    ClientEvent, Collision, Extensions, HoldReason, OwnerNews, PeerId, Protocol, Reason, Refusal,
    Role, ServerEvent, SourceFault, SyncId, Withheld,
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
    let documentation = include_str!("../../../../docs/json.md");
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
        ServerEvent::Damaged { name: None, path: path(), damage: Damage::Empty, published: true },
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
        ServerEvent::InSync { clients: 0, liveries: 0, files: 0, union_hash: ContentHash::of(b"") },
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
        ClientEvent::SendFailed { sync_id: session(), path: String::new(), reason: reason.clone() },
        ClientEvent::ReceiveFailed {
            sync_id: session(),
            path: String::new(),
            reason: reason.clone(),
            declined: false,
        },
        ClientEvent::SessionEnded { sync_id: session() },
        ClientEvent::ServerError { reason },
        ClientEvent::SyncBegan { connected: false },
        ClientEvent::SyncStatus { missing: 0, missing_bytes: 0, needed_by_others: 0, withheld: 0 },
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
