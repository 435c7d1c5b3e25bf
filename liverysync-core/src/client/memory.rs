//! What a client remembers of its files from run to run, so that it reads nothing twice.
//!
//! It is a text of one JSON list and, before it, the SHA-256 of that list. What cannot be read is no
//! memory: losing it costs time, never a livery.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::folder::Known;
use crate::{
    hash::{Content, ContentHash},
    path::{Extensions, RelPath},
    pathmap::PathMap,
    select::Stamp,
    time::UnixTime,
};

/// Which form this is. Another one is forgotten.
const FORM: &str = "liverysync files 1";

/// A file that was changed so shortly before it was read may be changed again with the same date:
/// some file systems count in steps of two seconds.
const FRESH_NANOS: i64 = 2_000_000_000;

/// One file: path, size, mtime, mark, SHA-256.
#[derive(Deserialize, Serialize)]
struct Item<'a>(#[serde(borrow)] Cow<'a, str>, u64, i64, u64, ContentHash);

/// Writes down what is known, but for files that are too fresh to be sure of.
pub(super) fn encode(known: &PathMap<Known>, now: UnixTime) -> Bytes {
    let sure = known.iter().filter(|file| {
        now.as_nanos().saturating_sub(file.stamp.mtime.as_nanos()).saturating_abs() >= FRESH_NANOS
    });
    let items: Vec<_> = sure
        .map(|file| {
            let Stamp { size, mtime } = file.stamp;
            Item(file.path.as_str().into(), size, mtime.as_nanos(), file.mark, file.content.hash)
        })
        .collect();
    // Strings and numbers have a JSON form.
    let list = serde_json::to_string(&items).unwrap_or_default();
    format!("{FORM}\n{}\n{list}\n", ContentHash::of(list.as_bytes())).into()
}

/// Reads what was written down, of the files that still travel; `None` if it is damaged or of another form.
pub(super) fn decode(text: &[u8], extensions: &Extensions) -> Option<PathMap<Known>> {
    let text = std::str::from_utf8(text).ok()?;
    let (form, rest) = text.split_once('\n')?;
    let (digest, list) = rest.split_once('\n')?;
    let list = list.strip_suffix('\n')?;
    if form != FORM || digest.parse() != Ok(ContentHash::of(list.as_bytes())) {
        return None;
    }
    let items: Vec<Item<'_>> = serde_json::from_str(list).ok()?;
    let mut known = PathMap::default();
    for Item(path, size, mtime, mark, hash) in items {
        let Ok(path) = RelPath::parse(&path, extensions) else { continue };
        let (stamp, content) =
            (Stamp { size, mtime: UnixTime::from_nanos(mtime) }, Content { hash, size });
        // One set of files that lay together lies together.
        let _fits = known.insert(Known { path, stamp, mark, content });
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    fn known(paths: &[(&str, i64)]) -> PathMap<Known> {
        let mut known = PathMap::default();
        for (path, mtime) in paths {
            let path = RelPath::parse(path, &Extensions::default()).unwrap();
            let content = Content::of(path.as_str().as_bytes());
            let stamp = Stamp { size: content.size, mtime: UnixTime::from_nanos(*mtime) };
            known.insert(Known { path, stamp, mark: 7, content }).unwrap();
        }
        known
    }

    fn decoded(text: &[u8]) -> Option<PathMap<Known>> {
        decode(text, &Extensions::default())
    }

    #[test]
    fn what_was_written_is_read() {
        let files = known(&[("#2/d\u{e9}cals.png", 1), ("T/\u{1f697}.json", -DAY)]);
        let text = encode(&files, UnixTime::from_nanos(DAY));
        assert_eq!(decoded(&text), Some(files));
    }

    #[test]
    fn a_fresh_file_is_not_remembered() {
        let files = known(&[("a.png", DAY - FRESH_NANOS), ("b.png", DAY), ("c.png", DAY + 1)]);
        let text = encode(&files, UnixTime::from_nanos(DAY));
        assert_eq!(decoded(&text), Some(known(&[("a.png", DAY - FRESH_NANOS)])));
    }

    #[test]
    fn what_is_damaged_is_forgotten() {
        let text = encode(&known(&[("a.png", 0)]), UnixTime::from_nanos(DAY));
        for at in 0..text.len() {
            let mut damaged = text.to_vec();
            damaged[at] ^= 1;
            assert_eq!(decoded(&damaged), None, "byte {at}");
            assert_eq!(decoded(&text[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn what_does_not_travel_any_more_is_left_out() {
        let text = encode(&known(&[("a.png", 0), ("b.txt", 0)]), UnixTime::from_nanos(DAY));
        let extensions = Extensions::from_list(["png"]).unwrap();
        assert_eq!(decode(&text, &extensions), Some(known(&[("a.png", 0)])));
    }
}
