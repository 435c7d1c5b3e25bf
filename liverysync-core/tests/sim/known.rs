//! The messages that an old client may be sent: the types and fields of protocol 1, and two more fields in WELCOME.

use bytes::BytesMut;
use liverysync_core::wire::messages::Message;

const FIELDS: [(&str, &[&str]); 11] = [
    ("ERROR", &["sync_id", "message"]),
    ("FILE_BEGIN", &["sync_id", "rel_path", "size", "sha256", "mtime"]),
    ("FILE_CHUNK", &["sync_id", "rel_path", "offset", "data_b64"]),
    ("FILE_END", &["sync_id", "rel_path"]),
    ("PONG", &[]),
    ("REQUEST_MANIFEST", &["sync_id"]),
    ("SEND_FILES", &["sync_id", "paths"]),
    ("SERVER_STATE", &["current_hash"]),
    ("SYNC_DONE_ACK", &["sync_id", "new_manifest_hash"]),
    ("SYNC_OFFER", &["sync_id", "role", "current_hash", "source_client_id", "target_client_id"]),
    ("WELCOME", &["client_id", "liverysync", "build"]),
];

/// Fails for whatever an old client does not know.
pub(crate) fn check_old_message(message: &Message) {
    if matches!(message, Message::FileChunk(_)) {
        return;
    }
    let mut payload = BytesMut::new();
    message.encode(&mut payload);
    let value: serde_json::Value = serde_json::from_slice(&payload).expect("our own JSON");
    let object = value.as_object().expect("an object");
    let kind = object["type"].as_str().expect("a type");
    let known = FIELDS.iter().find(|(name, _)| *name == kind);
    let (_, fields) = known.unwrap_or_else(|| panic!("an old client does not know {kind}"));
    for field in object.keys().filter(|field| *field != "type") {
        assert!(fields.contains(&field.as_str()), "an old client does not know {kind}.{field}");
    }
}
