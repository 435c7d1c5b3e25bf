//! The codec of FILE_CHUNK, which carries every file of protocol 1.
//!
//! A general JSON reader passes over the base64 twice before it is decoded: to find its end, and to find escapes. The
//! [quick reader](read_quickly) handles the form that all known programs write, with the data last. It leaves everything
//! else to the general reader, malformed payloads included.

use bytes::BytesMut;
use serde::{Deserialize, Serialize};

use super::messages::{FileChunk, SyncId, read::Text};

/// Bytes that are encoded at a time. They fit into the first-level cache together with their base64, and their number is a
/// multiple of 3, so no padding ends up in the middle.
const BLOCK_BYTES: usize = 6 * 1024;

/// Length of a block in base64.
const BLOCK_BASE64_BYTES: usize = BLOCK_BYTES / 3 * 4;

/// Longest key or text that the quick reader takes, in bytes: twice the longest path.
const TEXT_BYTES_MAX: usize = 2 * 1024;

/// A chunk in any form.
#[derive(Deserialize)]
pub(super) struct Fields<'a> {
    sync_id: SyncId,
    rel_path: String,
    offset: u64,
    #[serde(borrow)]
    data_b64: Text<'a>,
}

impl Fields<'_> {
    /// Decodes the data. The error is a sentence for people.
    pub(super) fn chunk(self) -> Result<FileChunk, &'static str> {
        let data = base64_simd::STANDARD
            .decode_to_vec(self.data_b64.0.as_bytes())
            .map_err(|_| "the data of a chunk is not base64")?;
        let (sync_id, rel_path, offset) = (self.sync_id, self.rel_path, self.offset);
        Ok(FileChunk { sync_id, rel_path, offset, data: data.into() })
    }
}

/// Reads a chunk in the usual form. `None` means nothing: the general reader decides.
pub(super) fn read_quickly(payload: &[u8]) -> Option<FileChunk> {
    let (mut kind, mut sync_id, mut rel_path, mut offset) = (None, None, None, None);
    let mut scan = Scan(payload);
    scan.sign(b'{')?;
    let data = loop {
        let key = scan.text()?;
        scan.sign(b':')?;
        let twice = match key {
            "type" => kind.replace(scan.text().filter(|kind| *kind == "FILE_CHUNK")?).is_some(),
            "sync_id" => sync_id.replace(SyncId::new(scan.text()?).ok()?).is_some(),
            "rel_path" => rel_path.replace(scan.text()?.to_owned()).is_some(),
            "offset" => offset.replace(scan.number()?).is_some(),
            "data_b64" => break scan.last_text()?,
            _ => return None,
        };
        // The general reader refuses it.
        if twice {
            return None;
        }
        scan.sign(b',')?;
    };
    kind?;
    let (sync_id, rel_path, offset) = (sync_id?, rel_path?, offset?);
    // A quotation mark or an escape in the text fails here, as neither is base64.
    let data = base64_simd::STANDARD.decode_to_vec(data).ok()?.into();
    Some(FileChunk { sync_id, rel_path, offset, data })
}

/// The unread rest of a payload.
struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    /// Skips blanks and then `sign`.
    fn sign(&mut self, sign: u8) -> Option<()> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let at = self.0.iter().position(|byte| !blank(byte))?;
        (self.0[at] == sign).then(|| self.0 = &self.0[at + 1..])
    }

    /// Takes a text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.sign(b'"')?;
        let within = &self.0[..self.0.len().min(TEXT_BYTES_MAX)];
        let end = within.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        let text = std::str::from_utf8(&within[..end]).ok()?;
        self.0 = &self.0[end..];
        // Only a quotation mark may have ended it.
        self.sign(b'"')?;
        Some(text)
    }

    fn number(&mut self) -> Option<u64> {
        let start = self.0.iter().position(|byte| *byte != b' ')?;
        let digits = &self.0[start..];
        let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = digits.split_at(end);
        // JSON allows no number like that, and the general reader says so.
        if digits.len() > 1 && digits.starts_with(b"0") {
            return None;
        }
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Takes the text that ends the object.
    fn last_text(&mut self) -> Option<&'a [u8]> {
        self.sign(b'"')?;
        self.0.strip_suffix(b"\"}")
    }
}

/// Writes a chunk by hand, because a serializer would search all of the base64 for characters to escape.
pub(super) fn write(chunk: &FileChunk, out: &mut BytesMut) {
    let base64 = base64_simd::STANDARD;
    out.reserve(base64.encoded_length(chunk.data.len()) + chunk.rel_path.len() + 160);
    out.extend_from_slice(b"{\"type\":\"FILE_CHUNK\",\"sync_id\":");
    out.extend_from_slice(&json(&chunk.sync_id));
    out.extend_from_slice(b",\"rel_path\":");
    out.extend_from_slice(&json(&chunk.rel_path));
    out.extend_from_slice(format!(",\"offset\":{},\"data_b64\":\"", chunk.offset).as_bytes());
    let mut block = [0; BLOCK_BASE64_BYTES];
    for data in chunk.data.chunks(BLOCK_BYTES) {
        out.extend_from_slice(base64.encode(data, base64_simd::Out::from_slice(&mut block)));
    }
    out.extend_from_slice(b"\"}");
}

/// Serializes strings, numbers, and lists and objects of them, which cannot fail.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::messages::{Message, read::json as read};

    /// Checks that the quick reader takes a payload if `quick`, and that both readers agree.
    #[track_caller]
    fn check(payload: &str, quick: bool) {
        let read_quickly = read_quickly(payload.as_bytes());
        assert_eq!(read_quickly.is_some(), quick, "{payload}");
        if let Some(chunk) = read_quickly {
            assert_eq!(read(payload.as_bytes()).unwrap(), Message::FileChunk(chunk));
        }
    }

    #[test]
    fn the_forms_that_programs_write_are_read_quickly() {
        for payload in [
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"T/é.png","offset":0,"data_b64":"YWJj"}"#,
            r#"{"type": "FILE_CHUNK", "sync_id": "s", "rel_path": "T/a.png", "offset": 7, "data_b64": "YQ=="}"#,
            r#"{"offset":18446744073709551615,"rel_path":"","sync_id":"","type":"FILE_CHUNK","data_b64":""}"#,
        ] {
            check(payload, true);
        }
    }

    #[test]
    fn other_forms_are_left_to_the_general_reader() {
        for payload in [
            "",
            "{",
            "{}",
            r#"{"type":"FILE_END","sync_id":"s","rel_path":"a","offset":0,"data_b64":"YWJj"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":0,"data_b64":"YWJj","x":1}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":0,"data_b64":"YWJj"} "#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a\n","offset":0,"data_b64":"YWJj"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":0,"data_b64":"YW\/j"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":0,"data_b64":"YWJ"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":00,"data_b64":"YWJj"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":1.0,"data_b64":"YWJj"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","offset":18446744073709551616,"data_b64":"YWJj"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","rel_path":"a","rel_path":"a","offset":0,"data_b64":"YWJj"}"#,
            r#"{"type":"FILE_CHUNK","sync_id":"s","offset":0,"data_b64":"YWJj"}"#,
            r#"{"sync_id":"s","rel_path":"a","offset":0,"data_b64":"YWJj"}"#,
        ] {
            check(payload, false);
        }
        let long = format!(
            r#"{{"type":"FILE_CHUNK","sync_id":"s","rel_path":"{}","offset":0,"data_b64":"YWJj"}}"#,
            "x".repeat(TEXT_BYTES_MAX)
        );
        check(&long, false);
    }

    #[test]
    fn blocks_do_not_change_how_a_chunk_is_written() {
        for len in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 2] {
            let data: Vec<u8> = (0..len).map(|at| (at * 7 % 251) as u8).collect();
            let base64 = base64_simd::STANDARD.encode_to_string(&data);
            let mut out = BytesMut::new();
            write(&FileChunk { data: data.into(), ..FileChunk::default() }, &mut out);
            let head = r#"{"type":"FILE_CHUNK","sync_id":"","rel_path":"","offset":0,"data_b64":""#;
            assert_eq!(out, format!("{head}{base64}\"}}").as_bytes());
        }
    }

    /// Returns objects that are nearly chunks, made of parts that a reader may trip over.
    fn near_chunk() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            r#""type":"FILE_CHUNK""#,
            r#""sync_id":"s""#,
            r#""rel_path":"a.png""#,
            r#""rel_path":"a\u0041""#,
            r#""offset":0"#,
            r#""offset": 12"#,
            r#""offset":-0"#,
            r#""offset":012"#,
            r#""data_b64":"YWJj""#,
            r#""data_b64":"","later":"YWJj""#,
            r#""data_b64":"YW""#,
            r#""later":{"data_b64":""}"#,
        ]);
        let glue = prop::sample::select(vec![",", " , ", "", "\n,"]);
        let parts = prop::collection::vec((part, glue), 0..7);
        (parts, prop::sample::select(vec!["}", " }", "}}", ""])).prop_map(|(parts, end)| {
            let parts = parts.iter().map(|(part, glue)| format!("{part}{glue}"));
            let text: String = parts.collect();
            format!("{{{}{end}", text.trim_end_matches([',', ' ', '\n']))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn both_readers_agree(payload in near_chunk()) {
            if let Some(chunk) = read_quickly(payload.as_bytes()) {
                prop_assert_eq!(read(payload.as_bytes()).unwrap(), Message::FileChunk(chunk));
            }
        }
    }
}
