//! Golden bytes of the messages, and payloads that are refused.

use super::*;

fn encoded(message: &Message) -> String {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[track_caller]
fn check(message: Message, payload: &str) {
    assert_eq!(encoded(&message), payload);
    assert_eq!(Message::decode(payload.as_bytes()).unwrap(), message);
}

fn id(text: &str) -> SyncId {
    SyncId::new(text).unwrap()
}

#[test]
fn each_message_has_the_form_that_the_python_programs_know() {
    let client_id = "00c0ffee".to_owned();
    check(
        Message::Welcome(Welcome { client_id: client_id.clone(), liverysync: None, build: None }),
        r#"{"type":"WELCOME","client_id":"00c0ffee"}"#,
    );
    check(
        Message::Hello(Hello {
            steam_id: "UNKNOWN".into(),
            client_name: "Jörg".into(),
            ..Hello::default()
        }),
        r#"{"type":"HELLO","steam_id":"UNKNOWN","client_name":"Jörg","manifest_hash":""}"#,
    );
    check(
        Message::ManifestFull(ManifestFull {
            sync_id: SyncId::default(),
            revision: None,
            remarks: None,
            manifest: vec![FileInfo {
                rel_path: "T/a b.png".into(),
                size: 3,
                sha256: "00".into(),
                mtime: Some(1.5),
                ..FileInfo::default()
            }],
        }),
        r#"{"type":"MANIFEST_FULL","sync_id":"","manifest":[{"rel_path":"T/a b.png","size":3,"sha256":"00","mtime":1.5}]}"#,
    );
    check(
        Message::SyncOffer(SyncOffer {
            sync_id: id("s"),
            role: Role::Target,
            current_hash: "h".into(),
            source_client_id: client_id.clone(),
            target_client_id: client_id,
            files: None,
        }),
        r#"{"type":"SYNC_OFFER","sync_id":"s","role":"TARGET","current_hash":"h","source_client_id":"00c0ffee","target_client_id":"00c0ffee"}"#,
    );
    check(
        Message::FileBegin(FileBegin {
            sync_id: id("s"),
            info: FileInfo {
                rel_path: "a.png".into(),
                size: 1,
                sha256: "00".into(),
                ..FileInfo::default()
            },
        }),
        r#"{"type":"FILE_BEGIN","sync_id":"s","rel_path":"a.png","size":1,"sha256":"00"}"#,
    );
    check(
        Message::FileChunk(FileChunk {
            sync_id: id("s"),
            rel_path: "a\"b.png".into(),
            offset: 7,
            data: Bytes::from_static(b"abcd"),
        }),
        r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a\"b.png","offset":7,"data_b64":"YWJjZA=="}"#,
    );
    check(Message::Ping, r#"{"type":"PING"}"#);
    check(
        Message::ServerState(ServerState { current_hash: "h".into(), ..ServerState::default() }),
        r#"{"type":"SERVER_STATE","current_hash":"h"}"#,
    );
    check(
        Message::ServerState(ServerState {
            current_hash: "h".into(),
            sync_status: Some(SyncStatus {
                revision: 5,
                missing: 1,
                missing_bytes: 2,
                needed_by_others: 3,
                withheld: 4,
            }),
            ..ServerState::default()
        }),
        r#"{"type":"SERVER_STATE","current_hash":"h","revision":5,"missing":1,"missing_bytes":2,"needed_by_others":3,"withheld":4}"#,
    );
    check(
        Message::Error(ErrorReport {
            sync_id: id("s"),
            message: "m".into(),
            rel_path: None,
            fault: None,
        }),
        r#"{"type":"ERROR","sync_id":"s","message":"m"}"#,
    );
}

#[test]
fn unknown_fields_and_types_are_ignored() {
    let payload = r#"{"extra":[1,{"a":null}],"type":"PING"}"#;
    assert_eq!(Message::decode(payload.as_bytes()).unwrap(), Message::Ping);
    let payload = r#"{"type":"LATER","sync_id":7}"#;
    assert_eq!(Message::decode(payload.as_bytes()).unwrap(), Message::Unknown("LATER".into()));
}

#[test]
fn a_payload_that_is_not_a_message_is_refused() {
    for payload in [
        "",
        "[]",
        "{}",
        "7",
        r#"{"type":7}"#,
        r#"{"type":"FILE_CHUNK"}"#,
        r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":0,"data_b64":"?"}"#,
        r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":-1,"data_b64":""}"#,
        r#"{"type":"FILE_END","sync_id":"s"}"#,
        r#"{"type":"MANIFEST_FULL","manifest":[{"rel_path":"a","size":-1,"sha256":""}]}"#,
    ] {
        assert!(Message::decode(payload.as_bytes()).is_err(), "{payload}");
    }
    let long = format!(r#"{{"type":"FILE_END","sync_id":"{}","rel_path":"a"}}"#, "x".repeat(65));
    assert!(Message::decode(long.as_bytes()).is_err());
}

#[test]
fn an_error_of_json_has_the_reason_as_its_source() {
    let error = Message::decode(b"{}").unwrap_err();
    assert_eq!(error.to_string(), "malformed message");
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("missing field `type`"), "{source}");
}
