//! The messages of the file, in its order.

use super::*;

fn id() -> SyncId {
    SyncId::new("6ba7b810-9dad-41d1-80b4-00c04fd430c8").unwrap()
}

fn hash() -> String {
    ContentHash::of(LIVERY).to_string()
}

fn info(path: &str, bytes: &[u8]) -> FileInfo {
    FileInfo::new(path, Content::of(bytes), None, false)
}

fn livery() -> FileInfo {
    info("Team/decals.png", LIVERY)
}

fn dated() -> FileInfo {
    FileInfo { mtime: Some(1_700_000_000.25), ..livery() }
}

fn exactly_dated() -> FileInfo {
    FileInfo { mtime_ns: Some(1_700_000_000_250_000_001), ..dated() }
}

fn welcome(liverysync: Option<u32>) -> Message {
    let build = liverysync.map(|_| BUILD);
    Message::Welcome(Welcome { client_id: "00c0ffee".into(), liverysync, build })
}

fn hello(manifest_hash: String, liverysync: Option<u32>) -> Message {
    let (steam_id, client_name) = ("UNKNOWN".into(), "Jörg #7".into());
    let build = liverysync.map(|_| BUILD);
    let hello =
        Hello { steam_id, client_name, manifest_hash, liverysync, build, ..Hello::default() };
    Message::Hello(hello)
}

fn hello_of_a_member() -> Message {
    let Message::Hello(hello) = hello(hash(), Some(2)) else { unreachable!() };
    let member_key = Some(MemberKey::from_bytes([0xa7; 32]).to_hex());
    Message::Hello(Hello { member_key, ..hello })
}

fn hello_with_a_former_key() -> Message {
    let Message::Hello(hello) = hello_of_a_member() else { unreachable!() };
    let former_keys = vec![MemberKey::from_bytes([0xb8; 32]).to_hex()];
    Message::Hello(Hello { former_keys, ..hello })
}

fn hello_that_only_sends() -> Message {
    let Message::Hello(hello) = hello(hash(), Some(2)) else { unreachable!() };
    Message::Hello(Hello { only: Some(Role::Source), ..hello })
}

fn knows_former_keys() -> Message {
    let (current_hash, former_keys_known) = (hash(), true);
    Message::ServerState(ServerState { current_hash, former_keys_known, ..ServerState::default() })
}

fn full(revision: Option<u64>, manifest: Vec<FileInfo>) -> Message {
    Message::ManifestFull(ManifestFull { revision, manifest, ..ManifestFull::default() })
}

/// Returns the answer to a HELLO of protocol 2.
fn greeted(naming: LeagueNaming) -> Message {
    let naming = Some(Box::new(naming));
    Message::ServerState(ServerState { current_hash: hash(), naming, ..ServerState::default() })
}

/// Returns the same of a league with rules for liveries.
fn greeted_with_rules() -> Message {
    let rules = r##"{"max-file-bytes": 8000000, "names": ["#*_*"]}"##;
    let (naming, lint_rules) =
        (Some(Box::new(league_naming())), serde_json::from_str(rules).unwrap());
    Message::ServerState(ServerState {
        current_hash: hash(),
        naming,
        lint_rules,
        ..ServerState::default()
    })
}

fn league_naming() -> LeagueNaming {
    let suffix = "__CONFLICT__".to_owned();
    LeagueNaming { suffix, ..LeagueNaming::default() }
}

fn state(sync_status: Option<SyncStatus>, outdated: &[&str]) -> Message {
    let outdated = outdated.iter().map(|path| (*path).to_owned()).collect();
    Message::ServerState(ServerState {
        current_hash: hash(),
        sync_status,
        outdated,
        ..ServerState::default()
    })
}

/// Returns the status of a client that has changed liveries which the others do not get.
fn held(sync_status: SyncStatus) -> Message {
    let notice = |livery: &str, cause| HeldNotice {
        livery: livery.to_owned(),
        cause,
        until: None,
        limit: None,
        finding: None,
    };
    let until = Some("2026-12-05T20:00:00Z".to_owned());
    let held = vec![
        notice("Team", HoldReason::Approval),
        HeldNotice { until, ..notice("Iris", HoldReason::Freeze) },
        notice("Safety Car", HoldReason::Rejected),
        notice("Max", HoldReason::Blocked),
        HeldNotice { limit: Some(20), ..notice("Old", HoldReason::MemberLiveries) },
        HeldNotice { limit: Some(300_000_000), ..notice("Big", HoldReason::LiveryBytes) },
        HeldNotice { finding: Some("Iris 2: R".to_owned()), ..notice("Iris 2", HoldReason::Lint) },
    ];
    let (current_hash, sync_status) = (hash(), Some(sync_status));
    Message::ServerState(ServerState { current_hash, sync_status, held, ..ServerState::default() })
}

fn banned() -> Message {
    let message = "the league has banned you; ask its admin".to_owned();
    let fault = Some(Fault::Banned);
    Message::Error(ErrorReport { message, fault, ..ErrorReport::default() })
}

/// Returns the status of a client with a file that cannot join the union.
fn refused(sync_status: SyncStatus) -> Message {
    let (rel_path, reason) = ("Team/decals.png".into(), "a folder has the same name".into());
    let (current_hash, sync_status) = (hash(), Some(sync_status));
    let refused = vec![RefusedFile { rel_path, reason }];
    Message::ServerState(ServerState {
        current_hash,
        sync_status,
        refused,
        ..ServerState::default()
    })
}

/// Returns the status of a client that cannot install a file.
fn blocked(sync_status: SyncStatus) -> Message {
    let sync_status = Some(SyncStatus { withheld: 1, ..sync_status });
    let blocked = vec!["Team/decals.png".to_owned()];
    let current_hash = hash();
    Message::ServerState(ServerState {
        current_hash,
        sync_status,
        blocked,
        ..ServerState::default()
    })
}

/// Returns the status of a client that has a file under another spelling.
fn respelled(sync_status: SyncStatus) -> Message {
    Message::ServerState(ServerState {
        current_hash: hash(),
        sync_status: Some(sync_status),
        respelled: vec!["Team/Decals.PNG".to_owned()],
        ..ServerState::default()
    })
}

/// Returns a file whose client last had another content in sync.
fn updated() -> FileInfo {
    FileInfo { base: Some(ContentHash::of(RIVAL).to_string()), ..livery() }
}

fn offer(role: Role, files: Option<Vec<OfferedFile>>) -> Message {
    let (client, store) = ("00c0ffee".to_owned(), "5eed0001".to_owned());
    let (source_client_id, target_client_id) =
        if role == Role::Source { (client, store) } else { (store, client) };
    Message::SyncOffer(SyncOffer {
        sync_id: id(),
        role,
        current_hash: hash(),
        source_client_id,
        target_client_id,
        files,
    })
}

fn resume(transfer: u32, offset: u64) -> Resume {
    Resume { transfer: TransferId(transfer), offset }
}

fn accept(files: Vec<Resume>) -> Message {
    Message::Accept(Accept { sync_id: id(), files })
}

fn chunk(rel_path: &str, offset: u64, data: &'static [u8]) -> Message {
    let (rel_path, data) = (rel_path.to_owned(), Bytes::from_static(data));
    Message::FileChunk(FileChunk { sync_id: id(), rel_path, offset, data })
}

fn begin(info: FileInfo) -> Message {
    Message::FileBegin(FileBegin { sync_id: id(), info })
}

fn done(installed: &[&str]) -> Message {
    let installed = installed.iter().map(|path| (*path).to_owned()).collect();
    Message::SyncDone(SyncDone {
        sync_id: id(),
        revision: Some(3),
        installed: Some(installed),
        ..SyncDone::default()
    })
}

fn error(message: &str, fault: Option<Fault>) -> Message {
    let rel_path = fault.map(|_| "Team/decals.png".to_owned());
    Message::Error(ErrorReport { sync_id: id(), message: message.into(), rel_path, fault })
}

fn remarks(rival: &str) -> Remarks {
    let member = MemberId::of(&MemberKey::from_bytes([0xa7; 32])).to_string();
    Remarks {
        allowed: Some(vec!["team".into()]),
        unavailable: vec!["Team/decals.png".into()],
        retired: vec![RetiredName {
            rel_path: "Team/old.png".into(),
            contents: vec![ContentHash::of(RIVAL).short()],
        }],
        conflicts: vec![NameConflict {
            established: OwnedFile {
                rel_path: "Team/decals.png".into(),
                member: Some(member.clone()),
                name: Some("Aoi".into()),
            },
            copies: vec![OwnedFile { rel_path: rival.into(), ..OwnedFile::default() }],
        }],
        held: vec![HeldRemark {
            notice: HeldNotice {
                livery: "Iris".into(),
                cause: HoldReason::Approval,
                until: None,
                limit: None,
                finding: None,
            },
            member: Some(member),
            name: Some("Aoi".into()),
            since: Some("2026-11-30T08:31:12Z".into()),
        }],
        damaged: vec![DamagedFile { rel_path: "Team/old.png".into(), damage: "no-end".into() }],
    }
}

/// Returns the messages of the file, in its order.
pub(super) fn all() -> Vec<(&'static str, Message)> {
    let rival = format!("Team/decals__CONFLICT__{}.png", ContentHash::of(RIVAL).short());
    let sync_status = SyncStatus {
        revision: 2,
        missing: 3,
        missing_bytes: 4096,
        needed_by_others: 1,
        withheld: 0,
    };
    let offered = |info, transfer: Option<u32>, copy_from: Option<&str>| OfferedFile {
        info,
        transfer: transfer.map(TransferId),
        copy_from: copy_from.map(str::to_owned),
        replaces: None,
        conflict: None,
    };
    let own_copy = OfferedFile {
        conflict: Some(LostName { rel_path: "Team/decals.png".into(), keeper: Some("Aoi".into()) }),
        ..offered(info(&rival, RIVAL), None, Some("Team/decals.png"))
    };
    let update = OfferedFile {
        replaces: Some(ContentHash::of(RIVAL).to_string()),
        ..offered(livery(), Some(8), None)
    };
    vec![
        ("welcome", welcome(None)),
        ("welcome 2", welcome(Some(2))),
        ("hello", hello(hash(), None)),
        ("hello 2", hello(hash(), Some(2))),
        ("hello of a member", hello_of_a_member()),
        ("hello of a member with a former key", hello_with_a_former_key()),
        ("hello of a client that only sends", hello_that_only_sends()),
        ("hello of a dry run", hello(String::new(), Some(2))),
        (
            "manifest summary",
            Message::ManifestSummary(ManifestSummary {
                manifest_hash: hash(),
                file_count: 2,
                total_bytes: 21,
            }),
        ),
        ("manifest full, client first", full(None, vec![livery()])),
        ("manifest full, client 1.0.4", full(None, vec![dated()])),
        (
            "manifest full 2",
            full(Some(1), vec![exactly_dated(), info("Équipe/sponsors.json", b"")]),
        ),
        ("manifest full to a dry run", full(None, vec![])),
        (
            "manifest full to a dry run, with remarks",
            Message::ManifestFull(ManifestFull {
                manifest: vec![livery()],
                remarks: Some(remarks(&rival)),
                ..ManifestFull::default()
            }),
        ),
        (
            "manifest changes",
            Message::ManifestChanges(ManifestChanges {
                revision: 2,
                removed: vec!["Team/old.png".into()],
                changed: vec![exactly_dated()],
            }),
        ),
        (
            "manifest changes with an update",
            Message::ManifestChanges(ManifestChanges {
                revision: 3,
                removed: vec![],
                changed: vec![updated()],
            }),
        ),
        (
            "manifest changes of a renamed file",
            Message::ManifestChanges(ManifestChanges {
                revision: 4,
                removed: vec![],
                changed: vec![FileInfo { renamed: true, ..livery() }],
            }),
        ),
        ("server state", state(None, &[])),
        ("server state 2", greeted(league_naming())),
        ("server state of a league with rules", greeted_with_rules()),
        ("server state that knows the former keys", knows_former_keys()),
        (
            "server state of a league with another suffix",
            greeted(LeagueNaming {
                suffix: " (conflict) ".into(),
                former_suffixes: vec!["__CONFLICT__".into()],
                whole_liveries: true,
            }),
        ),
        ("server state with a sync status", state(Some(sync_status), &[])),
        ("server state with outdated files", state(Some(sync_status), &["Team/decals.png"])),
        ("server state with a blocked file", blocked(sync_status)),
        ("server state with another spelling", respelled(sync_status)),
        ("server state with a refused file", refused(sync_status)),
        ("server state with held liveries", held(sync_status)),
        ("request manifest", Message::RequestManifest(RequestManifest::default())),
        ("sync offer to a target", offer(Role::Target, None)),
        ("sync offer to a source", offer(Role::Source, None)),
        ("sync offer 2", offer(Role::Target, Some(vec![offered(exactly_dated(), Some(7), None)]))),
        (
            "sync offer of copies",
            offer(
                Role::Target,
                Some(vec![offered(info(&rival, RIVAL), None, Some("Team/decals.png"))]),
            ),
        ),
        ("sync offer of a conflict copy", offer(Role::Target, Some(vec![own_copy]))),
        ("sync offer of an update", offer(Role::Target, Some(vec![update]))),
        ("retire", Message::Retire(Retire { files: vec![livery()] })),
        (
            "withdraw",
            act(Act::Retire { liveries: vec!["Team".to_owned()], confirmed: false }, false),
        ),
        (
            "preview of a rename",
            act(Act::Rename { livery: "Team".to_owned(), new: "Team 7".to_owned() }, true),
        ),
        ("replace", act(Act::Replace { old: "Team".to_owned(), new: "New".to_owned() }, false)),
        ("acted", Message::Acted(Ok(ActReport::new(0, 2)).into())),
        (
            "refused",
            Message::Acted(
                Err(ActError::NotOwner {
                    livery: "Team".to_owned(),
                    owners: vec!["Aoi".to_owned()],
                })
                .into(),
            ),
        ),
        (
            "notices",
            Message::Notices(Notices {
                notices: vec![
                    notice(OwnerNews::Conflict, Some("Bruno")),
                    notice(OwnerNews::Changed, Some("Bruno")),
                    notice(OwnerNews::Owned, None),
                    notice(OwnerNews::Disowned, Some("Cleo")),
                ],
            }),
        ),
        ("accept", accept(vec![resume(7, 0), resume(8, 262_144)])),
        ("accept of nothing", accept(vec![])),
        ("credit", Message::Credit(Credit { bytes: 524_288 })),
        (
            "send files",
            Message::SendFiles(SendFiles {
                sync_id: id(),
                paths: vec!["Team/decals.png".into(), "b.json".into()],
                files: None,
            }),
        ),
        (
            "send files 2",
            Message::SendFiles(SendFiles {
                sync_id: id(),
                paths: vec![],
                files: Some(vec![FileRequest { info: livery(), resume: resume(9, 4) }]),
            }),
        ),
        ("file begin", begin(dated())),
        ("file begin without a date", begin(info("b.json", b""))),
        ("file chunk", chunk("Team/decals.png", 0, LIVERY)),
        ("file chunk with a quotation mark", chunk("a\"\\é.png", u64::MAX, b"\0")),
        (
            "file end",
            Message::FileEnd(FileEnd { sync_id: id(), rel_path: "Team/decals.png".into() }),
        ),
        (
            "sync done",
            Message::SyncDone(SyncDone {
                sync_id: id(),
                new_manifest_hash: hash(),
                ..SyncDone::default()
            }),
        ),
        ("sync done 2", done(&["Team/decals.png"])),
        ("sync done with nothing", done(&[])),
        (
            "sync done ack",
            Message::SyncDoneAck(SyncDoneAck { sync_id: id(), ..SyncDoneAck::default() }),
        ),
        ("error", error("Team/decals.png: sha256 mismatch", None)),
        ("error declined", error("it is not here", Some(Fault::Declined))),
        ("error blocked", error("the disk is full", Some(Fault::Blocked))),
        ("error banned", banned()),
        ("error failed", error("another program uses the file", Some(Fault::Failed))),
        ("error missing", error("it is not here", Some(Fault::Missing))),
        ("ping", Message::Ping),
        ("pong", Message::Pong),
    ]
}

fn notice(news: OwnerNews, by: Option<&str>) -> OwnerNotice {
    OwnerNotice { livery: "Team".to_owned(), news, by: by.map(str::to_owned) }
}
