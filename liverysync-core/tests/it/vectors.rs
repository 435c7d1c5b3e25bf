//! Checks the code against `docs/protocol-vectors.json`, by which other programs can be tested.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod messages;

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

#[test]
fn messages_match_the_file() {
    let (vectors, messages) = (section("messages"), messages::all());
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
    let messages = messages::all();
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
