//! The wire with random cuts, hostile lengths and arbitrary bytes.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use bytes::BytesMut;
use liverysync_core::wire::{
    frame,
    messages::{FileBegin, FileChunk, FileInfo, Message, SyncId, WireError},
};
use proptest::prelude::*;

const LIMIT: usize = 1_000;

/// Feeds bytes in pieces of the given sizes and returns the payloads.
fn feed(wire: &[u8], cuts: &[usize]) -> Result<Vec<Vec<u8>>, WireError> {
    let (mut buffer, mut got, mut rest) = (BytesMut::new(), Vec::new(), wire);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let size = cuts.next().map_or(1, |cut| *cut).clamp(1, rest.len());
        let (piece, later) = rest.split_at(size);
        buffer.extend_from_slice(piece);
        rest = later;
        while let Some(payload) = frame::split(&mut buffer, LIMIT)? {
            got.push(payload.to_vec());
        }
    }
    Ok(got)
}

/// Returns texts that are nearly messages.
fn near_message() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![
        "WELCOME",
        "HELLO",
        "MANIFEST_FULL",
        "SYNC_OFFER",
        "SEND_FILES",
        "FILE_BEGIN",
        "FILE_CHUNK",
        "FILE_END",
        "SYNC_DONE",
        "ERROR",
        "PING",
        "SERVER_STATE",
        "LATER",
    ]);
    let field = prop::sample::select(vec![
        r#""sync_id":"s""#,
        r#""sync_id":7"#,
        r#""rel_path":"a.png""#,
        r#""size":1"#,
        r#""size":-1"#,
        r#""size":1e400"#,
        r#""sha256":"00""#,
        r#""offset":18446744073709551615"#,
        r#""data_b64":"YQ==""#,
        r#""data_b64":"Y""#,
        r#""manifest":[]"#,
        r#""manifest":[{}]"#,
        r#""paths":["a"]"#,
        r#""paths":[1]"#,
        r#""role":"SOURCE""#,
        r#""role":"X""#,
        r#""liverysync":4294967296"#,
        r#""mtime":null"#,
        r#""client_id":"\ud800""#,
        r#""type":"PING""#,
        r#""installed":{}"#,
        r#""fault":"later""#,
        r#""missing":1"#,
        r#""manifest_hash":"x""#,
        r#""files":[{"copy_from":1}]"#,
    ]);
    (kind, prop::collection::vec(field, 0..8), any::<bool>()).prop_map(|(kind, fields, cut)| {
        let mut text = format!(r#"{{"type":"{kind}""#);
        for field in fields {
            text.push(',');
            text.push_str(field);
        }
        if !cut {
            text.push('}');
        }
        text.into_bytes()
    })
}

#[test]
fn white_space_before_a_message_is_json() {
    for before in ["", " ", "\t", "\n", "\r\n "] {
        let payload = format!("{before}{{\"type\": \"PING\"}} ").into();
        assert!(matches!(Message::read(&payload), Ok(Message::Ping)), "{before:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn frames_survive_any_cut(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10),
        cuts in prop::collection::vec(1_usize..40, 1..10),
    ) {
        let mut wire = BytesMut::new();
        for payload in &payloads {
            frame::write(&mut wire, |out| out.extend_from_slice(payload));
        }
        prop_assert_eq!(feed(&wire, &cuts).unwrap(), payloads);
    }

    #[test]
    fn a_hostile_length_is_refused_from_its_header(
        before in prop::collection::vec(any::<u8>(), 0..50),
        claimed in (LIMIT as u32 + 1)..,
        cuts in prop::collection::vec(1_usize..40, 1..10),
    ) {
        let mut wire = BytesMut::new();
        frame::write(&mut wire, |out| out.extend_from_slice(&before));
        wire.extend_from_slice(&claimed.to_be_bytes());
        let refused = feed(&wire, &cuts);
        let is_as_said = matches!(
            refused,
            Err(WireError::TooLarge { claimed: bytes, limit: LIMIT }) if bytes == claimed as usize
        );
        prop_assert!(is_as_said, "{refused:?}");
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _either = Message::decode(&bytes);
        let _either = feed(&bytes, &[3, 7]);
    }

    #[test]
    fn an_almost_valid_message_does_not_panic(payload in near_message()) {
        if let Ok(message) = Message::decode(&payload) {
            let mut out = BytesMut::new();
            message.encode(&mut out);
            if !matches!(message, Message::Unknown(_)) {
                prop_assert_eq!(Message::decode(&out).unwrap(), message);
            }
        }
    }

    #[test]
    fn file_messages_survive_the_round_trip(
        path in any::<String>(),
        data in prop::collection::vec(any::<u8>(), 0..300),
        offset in any::<u64>(),
        mtime in prop::option::of((-10_000_000_000_i64..10_000_000_000).prop_map(|seconds| seconds as f64)),
    ) {
        let sync_id = SyncId::new("s").unwrap();
        let info = FileInfo { rel_path: path.clone(), size: offset, sha256: path.clone(), mtime, ..FileInfo::default() };
        let begin = Message::FileBegin(FileBegin { sync_id: sync_id.clone(), info });
        let chunk = FileChunk { sync_id, rel_path: path, offset, data: data.into() };
        for message in [begin, Message::FileChunk(chunk)] {
            let mut out = BytesMut::new();
            message.encode(&mut out);
            prop_assert_eq!(Message::decode(&out).unwrap(), message);
        }
    }
}
