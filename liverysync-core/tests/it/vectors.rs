//! Checks the code against `docs/protocol-vectors.json`, by which other programs can be tested.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use bytes::{Bytes, BytesMut};
use liverysync_core::{
    conflict::Naming,
    hash::{Content, ContentHash},
    league::{Act, ActError, ActReport, HoldReason, MemberId, MemberKey},
    manifest::{Entry, Manifest},
    path::{Extensions, RelPath},
    wire::{
        data::{Data, Decoder, TransferId},
        frame,
        messages::{
            Accept, ActRequest, BUILD, Credit, DamagedFile, ErrorReport, Fault, FileBegin,
            FileChunk, FileEnd, FileInfo, FileRequest, HeldNotice, HeldRemark, Hello, LeagueNaming,
            LostName, ManifestChanges, ManifestFull, ManifestSummary, Message, NameConflict,
            Notices, OfferedFile, OwnedFile, OwnerNews, OwnerNotice, RefusedFile, Remarks,
            RequestManifest, Resume, Retire, RetiredName, Role, SendFiles, ServerState, SyncDone,
            SyncDoneAck, SyncId, SyncOffer, SyncStatus, Welcome, WireError,
        },
    },
};
use serde_json::Value;

/// The contents in the vectors.
const LIVERY: &[u8] = b"livery of car 7\n";
const RIVAL: &[u8] = b"rival";

/// Returns one section of the file.
fn section(name: &str) -> Vec<Value> {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../docs/protocol-vectors.json")).unwrap();
    let section = vectors[name].as_array().unwrap().clone();
    assert!(!section.is_empty(), "{name}");
    section
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Reads bytes from hexadecimal.
fn hex(value: &Value) -> Bytes {
    let digits = value.as_str().unwrap().as_bytes();
    assert_eq!(digits.len() % 2, 0);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn payload(value: &Value) -> Bytes {
    Bytes::from(text(&value["payload"]))
}

fn act(act: Act, preview: bool) -> Message {
    Message::Act(ActRequest { act, preview })
}

fn encoded(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    out.freeze()
}

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
fn messages() -> Vec<(&'static str, Message)> {
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

#[test]
fn messages_match_the_file() {
    let (vectors, messages) = (section("messages"), messages());
    let names: Vec<_> = vectors.iter().map(|vector| text(&vector["name"])).collect();
    assert_eq!(names, messages.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (vector, (name, message)) in vectors.iter().zip(&messages) {
        assert_eq!(Message::read(&payload(vector)).unwrap(), *message, "{name}");
        assert_eq!(encoded(message), payload(vector), "{name}");
        if let (Message::FileChunk(chunk), data) = (message, &vector["data_hex"]) {
            assert_eq!(chunk.data, hex(data), "{name}");
        }
    }
}

#[test]
fn other_spellings_mean_the_same() {
    let messages = messages();
    let spelled = section("also_read").into_iter().map(|vector| (payload(&vector), vector));
    let compressed = section("compressed").into_iter();
    let compressed = compressed.map(|vector| (hex(&vector["payload_hex"]), vector));
    for (payload, vector) in spelled.chain(compressed) {
        let (name, same_as) = (text(&vector["name"]), text(&vector["same_as"]));
        let (_, message) = messages.iter().find(|(name, _)| *name == same_as).unwrap();
        assert_eq!(Message::read(&payload).unwrap(), *message, "{name}");
    }
}

#[test]
fn pieces_match_the_file() {
    for vector in section("data") {
        let (name, fields) = (text(&vector["name"]), &vector["fields"]);
        assert_eq!(fields["kind"], 1, "{name}");
        let transfer = u32::try_from(fields["transfer"].as_u64().unwrap()).unwrap();
        let message = Message::Data(Data {
            transfer: TransferId(transfer),
            offset: fields["offset"].as_u64().unwrap(),
            last: fields["flags"] == 1,
            body: hex(&fields["bytes"]).into(),
        });
        let payload = hex(&vector["payload_hex"]);
        assert_eq!(Message::read(&payload).unwrap(), message, "{name}");
        assert_eq!(encoded(&message), payload, "{name}");
    }
}

#[test]
fn compressed_pieces_match_the_file() {
    let read = |vector: &Value| {
        let payload = hex(&vector["payload_hex"]);
        let Ok(Message::Data(data)) = Message::read(&payload) else { panic!("{vector}") };
        (data, payload)
    };
    let mut decoder = Decoder::default();
    for vector in section("data_compressed") {
        let ((data, payload), fields) = (read(&vector), &vector["fields"]);
        assert_eq!(Value::from(data.transfer.0), fields["transfer"]);
        assert_eq!(Value::from(data.offset), fields["offset"]);
        assert_eq!(Value::from(2 + u32::from(data.last)), fields["flags"]);
        assert_eq!(decoder.unpack(&data.body), Some(&hex(&fields["bytes"])[..]));
        assert_eq!(encoded(&Message::Data(data)), payload);
    }
    for vector in section("data_wrong") {
        let (data, _) = read(&vector);
        assert_eq!(decoder.unpack(&data.body), None, "{}", vector["name"]);
    }
}

#[test]
fn a_payload_that_is_not_a_message_is_refused() {
    let texts = section("refused");
    let texts = texts.iter().map(|vector| (text(&vector["name"]), payload(vector)));
    let data = section("data_refused");
    let data = data.iter().map(|vector| (text(&vector["name"]), hex(&vector["payload_hex"])));
    for (name, payload) in texts.chain(data) {
        assert!(Message::read(&payload).is_err(), "{name}");
    }
}

#[test]
fn frames_begin_with_their_length() {
    for vector in section("frames") {
        let (payload, whole) = (hex(&vector["payload_hex"]), hex(&vector["frame_hex"]));
        let mut written = BytesMut::new();
        frame::write(&mut written, |out| out.extend_from_slice(&payload));
        assert_eq!(written, whole);
        assert_eq!(frame::split(&mut written, payload.len()).unwrap(), Some(payload));
    }
    for vector in section("frames_refused") {
        let limit = usize::try_from(vector["limit"].as_u64().unwrap()).unwrap();
        let mut header = BytesMut::from(hex(&vector["frame_hex"]));
        let refused = frame::split(&mut header, limit);
        let is_as_said = |claimed, allowed| claimed == limit + 1 && allowed == limit;
        assert!(
            matches!(refused, Err(WireError::TooLarge { claimed, limit }) if is_as_said(claimed, limit))
        );
        let known = [frame::STRANGER_BYTES_MAX, frame::PAYLOAD_BYTES_MAX];
        assert!(known.contains(&limit));
    }
}

#[test]
fn hashes_match_the_file() {
    for vector in section("hashes") {
        let mut manifest = Manifest::new();
        for file in vector["files"].as_array().unwrap() {
            let path = RelPath::parse(&text(&file["rel_path"]), &Extensions::default()).unwrap();
            let (hash, size) = (text(&file["sha256"]), file["size"].as_u64().unwrap());
            let content = Content { hash: hash.parse().unwrap(), size };
            manifest.insert(Entry { path, content, mtime: None }).unwrap();
        }
        for (hash, of, listed) in [
            (manifest.hash(), "manifest_hash", "manifest_json"),
            (manifest.union_hash(), "union_hash", "union_json"),
        ] {
            assert_eq!(hash.to_string(), text(&vector[of]), "{}", vector["name"]);
            assert_eq!(hash, ContentHash::of(text(&vector[listed]).as_bytes()));
        }
    }
}

#[test]
fn conflict_names_match_the_file() {
    for vector in section("conflict_names") {
        let path = RelPath::parse(&text(&vector["path"]), &Extensions::default()).unwrap();
        let hash: ContentHash = text(&vector["sha256"]).parse().unwrap();
        let taken: Vec<_> = vector["taken"].as_array().unwrap().iter().map(text).collect();
        let is_taken = |name: &RelPath| taken.iter().any(|taken| taken == name.as_str());
        let name = Naming::default().conflict_name(&path, hash, is_taken).unwrap();
        assert_eq!(name.as_str(), text(&vector["name"]));
    }
}

/// The build, and the digest of the forms of protocol 2 that it has.
const FORMS: (u32, &str) = (11, "97a7addd1ed2223e");

#[test]
fn another_form_of_protocol_2_is_another_build() {
    let messages = section("messages");
    let forms = messages.iter().filter(|vector| vector["protocol"] == 2);
    // The build itself is in two forms.
    let forms = forms.map(|vector| text(&vector["payload"]));
    let build = format!("\"build\":{BUILD}");
    let forms: String = forms.map(|form| form.replace(&build, "") + "\n").collect();
    let digest = ContentHash::of(forms.as_bytes()).to_string();
    let raise = "protocol 2 changed; raise BUILD and note it here with the digest";
    assert_eq!((BUILD, &digest[..16]), FORMS, "{raise}");
}
