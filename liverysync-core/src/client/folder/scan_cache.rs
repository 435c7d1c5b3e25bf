//! The scan cache: what a client knows of its files from run to run, so that it reads none of them twice.
//!
//! ```text
//! FORM                            names the form
//! SHA-256                         of all that follows
//! SHA-256                         of the rules that the paths were checked by
//! u8, SHA-256                     1 and the manifest's hash, or 0 alone
//! u64, files                      in the order of their keys
//! (key, SHA-256)                  synced versions that no file above tells, up to the end
//!
//! file: path, key, u64 size, i64 mtime in nanoseconds, u64 change tag, SHA-256, u8 flags, (u32 width, u32 height)
//! flags: 1 if in sync, plus twice the number of its damage, plus 64 if its pixels follow, plus 128 if it is known to be whole
//! ```
//!
//! Numbers are little-endian. A text has its length in front, as a `u64`. The key is empty if it equals the path. A cache
//! that cannot be read is ignored: that costs time, never a livery. In form 3, which is still read, no file has pixels.
//!
//! A start reads this before anything else, and mostly nothing in the folder has changed. So what was checked before it
//! was written is not checked again while the rules are the same.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    local_index::{IndexedFile, LocalIndex},
    synced_versions::SyncedVersions,
};
use crate::{
    hash::{Content, ContentHash},
    inspect::{Damage, Inspection},
    path::{Extensions, RULE_FORM, RelPath},
    pathmap::PathMap,
    select::Stamp,
    time::UnixTime,
};

/// The first bytes of a cache. A cache of another form is ignored.
const FORM: &[u8] = b"liverysync files 4\n";

/// The form of an earlier version, which differs by what it leaves out.
const FORM_3: &[u8] = b"liverysync files 3\n";

/// The flag of a picture whose size is known.
const PIXELS: u8 = 0x40;

/// The flag of a file that is known to be whole.
const WHOLE: u8 = 0x80;

/// A file whose modification time is this close to the moment of writing is left out. It may be changed again without a
/// new time: some file systems count in steps of two seconds.
const FRESH_NANOS: i64 = 2_000_000_000;

/// Bytes that most files take, to allocate once.
const FILE_BYTES: usize = 160;

/// The knowledge of an earlier run.
#[derive(Debug)]
pub(super) struct ScanCache {
    pub(super) index: LocalIndex,
    pub(super) synced: SyncedVersions,
    /// Set if it was written under the present rules. If not, it should be written again.
    pub(super) up_to_date: bool,
}

/// Encodes the index, except files that may still change unnoticed, and all synced versions.
pub(super) fn encode(
    index: &LocalIndex,
    synced: &SyncedVersions,
    extensions: &Extensions,
    now: UnixTime,
) -> Bytes {
    let is_sure = |file: &&IndexedFile| {
        let age = now.as_nanos().saturating_sub(file.stamp.mtime.as_nanos());
        age.saturating_abs() >= FRESH_NANOS
    };
    let sure: Vec<_> = index.files().iter().filter(is_sure).collect();
    // The hash is that of all files together.
    let hash = (sure.len() == index.files().len()).then(|| index.hash());
    let mut body = Vec::with_capacity((sure.len() + 1) * FILE_BYTES);
    body.extend(rules_digest(extensions).as_bytes());
    body.extend([u8::from(hash.is_some())]);
    body.extend(hash.iter().flat_map(ContentHash::as_bytes));
    let is_in_sync = |file: &IndexedFile| synced.get(file.path.key()) == Some(file.content.hash);
    body.extend((sure.len() as u64).to_le_bytes());
    for file in &sure {
        write_file(&mut body, file);
        let Inspection { damage, pixels } = file.inspection;
        let whole = if file.is_whole { WHOLE } else { 0 };
        let sized = if pixels.is_some() { PIXELS } else { 0 };
        body.push(u8::from(is_in_sync(file)) | Damage::number(damage) << 1 | sized | whole);
        for side in pixels.iter().flat_map(|(width, height)| [width, height]) {
            body.extend(side.to_le_bytes());
        }
    }
    let covered: BTreeSet<_> =
        sure.into_iter().filter(|file| is_in_sync(file)).map(|file| file.path.key()).collect();
    for (key, hash) in synced.iter().filter(|(key, _)| !covered.contains(*key)) {
        write_text(&mut body, key.as_str());
        body.extend(hash.as_bytes());
    }
    [FORM, ContentHash::of(&body).as_bytes(), &body].concat().into()
}

/// Identifies the rules that paths are checked by.
fn rules_digest(extensions: &Extensions) -> ContentHash {
    ContentHash::of(format!("{RULE_FORM}\n{extensions}").as_bytes())
}

fn write_file(body: &mut Vec<u8>, file: &IndexedFile) {
    let (path, key) = (file.path.as_str(), file.path.key().as_str());
    write_text(body, path);
    write_text(body, if path == key { "" } else { key });
    body.extend(file.stamp.size.to_le_bytes());
    body.extend(file.stamp.mtime.as_nanos().to_le_bytes());
    body.extend(file.change_tag.to_le_bytes());
    body.extend(file.content.hash.as_bytes());
}

fn write_text(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u64).to_le_bytes());
    body.extend(text.as_bytes());
}

/// Decodes a cache, without the files that the present rules leave out. Returns `None` if it is damaged or of another
/// form.
pub(super) fn decode(text: &[u8], extensions: &Extensions) -> Option<ScanCache> {
    let mut rest = Rest(text.strip_prefix(FORM).or_else(|| text.strip_prefix(FORM_3))?);
    let digest = rest.hash()?;
    // A damaged cache would publish contents that this PC does not have.
    if digest != ContentHash::of(rest.0) {
        return None;
    }
    let up_to_date = rest.hash()? == rules_digest(extensions);
    let hash = match rest.take::<1>()? {
        [0] => None,
        _ => Some(rest.hash()?),
    };
    let mut synced = SyncedVersions::default();
    let count = u64::from_le_bytes(rest.take()?);
    let files = if up_to_date {
        rest.files(count, &mut synced)?
    } else {
        rest.files_by_rules(count, extensions, &mut synced)?
    };
    rest.synced_versions(&mut synced)?;
    let index = match hash.filter(|_| up_to_date) {
        Some(hash) => LocalIndex::with_hash(files, hash),
        None => LocalIndex::new(files),
    };
    Some(ScanCache { index, synced, up_to_date })
}

/// The bytes that are still to be decoded.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Decodes all files. They were checked, fit together and were in order when they were written.
    fn files(&mut self, count: u64, synced: &mut SyncedVersions) -> Option<PathMap<IndexedFile>> {
        let mut files = Vec::with_capacity(self.0.len() / FILE_BYTES);
        for _ in 0..count {
            files.push(self.file(synced, |text, key| Some(RelPath::checked_before(text, key)))??);
        }
        Some(PathMap::of_fitting(files))
    }

    /// Decodes the files whose paths follow these rules, which are not those that they were written under.
    fn files_by_rules(
        &mut self,
        count: u64,
        extensions: &Extensions,
        synced: &mut SyncedVersions,
    ) -> Option<PathMap<IndexedFile>> {
        let mut files = PathMap::default();
        for _ in 0..count {
            if let Some(file) =
                self.file(synced, |text, _| RelPath::parse(text, extensions).ok())?
            {
                // Files that were on one disk fit together, unless the new rules see two of them as one.
                let _fits = files.insert(file);
            }
        }
        Some(files)
    }

    /// Decodes the next file. The inner option is `None` if `path` makes no path of its text and its key.
    fn file(
        &mut self,
        synced: &mut SyncedVersions,
        path: impl FnOnce(&str, &str) -> Option<RelPath>,
    ) -> Option<Option<IndexedFile>> {
        let (text, key) = (self.text()?, self.text()?);
        let path = path(text, if key.is_empty() { text } else { key });
        let size = u64::from_le_bytes(self.take()?);
        let mtime = UnixTime::from_nanos(i64::from_le_bytes(self.take()?));
        let change_tag = u64::from_le_bytes(self.take()?);
        let content = Content { hash: self.hash()?, size };
        let [flags] = self.take()?;
        let pixels = if flags & PIXELS == 0 { None } else { Some((self.side()?, self.side()?)) };
        let damage = Damage::from_number((flags & !(WHOLE | PIXELS)) >> 1);
        if let Some(path) = path.as_ref().filter(|_| flags & 1 == 1) {
            synced.insert(path.key().clone(), content.hash);
        }
        Some(path.map(|path| IndexedFile {
            path,
            stamp: Stamp { size, mtime },
            change_tag,
            content,
            inspection: Inspection { damage, pixels },
            is_whole: flags & WHOLE != 0,
        }))
    }

    /// Decodes the synced versions that no file tells.
    fn synced_versions(mut self, synced: &mut SyncedVersions) -> Option<()> {
        while !self.0.is_empty() {
            let key = self.text()?;
            synced.insert(RelPath::checked_before(key, key).key().clone(), self.hash()?);
        }
        Some(())
    }

    fn side(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(u64::from_le_bytes(self.take()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn hash(&mut self) -> Option<ContentHash> {
        self.take().map(ContentHash::from_bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;
    const NOW: UnixTime = UnixTime::from_nanos(DAY);

    fn files(paths: &[(&str, i64)]) -> PathMap<IndexedFile> {
        let mut files = PathMap::default();
        for (path, mtime) in paths {
            let path = RelPath::parse(path, &Extensions::default()).unwrap();
            let content = Content::of(path.as_str().as_bytes());
            let stamp = Stamp { size: content.size, mtime: UnixTime::from_nanos(*mtime) };
            let (inspection, is_whole) = (Inspection::default(), false);
            let file = IndexedFile { path, stamp, change_tag: 7, content, inspection, is_whole };
            files.insert(file).unwrap();
        }
        files
    }

    fn encoded(files: &PathMap<IndexedFile>) -> Bytes {
        encode(&LocalIndex::new(files.clone()), &synced(files), &Extensions::default(), NOW)
    }

    /// Every other file is in sync, and one that is gone was.
    fn synced(files: &PathMap<IndexedFile>) -> SyncedVersions {
        let mut synced = SyncedVersions::default();
        for (index, file) in files.iter().enumerate() {
            let hash = if index % 2 == 0 { file.content.hash } else { ContentHash::of(b"before") };
            synced.insert(file.path.key().clone(), hash);
        }
        let gone = RelPath::parse("gone.png", &Extensions::default()).unwrap();
        synced.insert(gone.key().clone(), ContentHash::of(b"gone"));
        synced
    }

    fn decoded(text: &[u8]) -> Option<PathMap<IndexedFile>> {
        decode(text, &Extensions::default()).map(|cache| cache.index.files().clone())
    }

    #[test]
    fn a_cache_is_read_as_it_was_written() {
        let files = files(&[("#2/d\u{e9}cals.png", 1), ("T/\u{1f697}.json", -DAY), ("u/a.png", 0)]);
        let text = encoded(&files);
        assert_eq!(decoded(&text), Some(files.clone()));
        let cache = decode(&text, &Extensions::default()).unwrap();
        assert!(cache.up_to_date);
        assert_eq!(cache.synced, synced(&files));
        assert_eq!(cache.index.hash(), LocalIndex::new(files).manifest().hash());
    }

    /// `scan_cache_3.bin` was written by an earlier version. Without this, an update of the program would make every
    /// client read all of its files again, and the next edit of each livery would be a conflict.
    #[test]
    fn a_cache_of_an_earlier_version_is_read() {
        let text: &[u8] = include_bytes!("scan_cache_3.bin");
        let files = files(&[("#2/d\u{e9}cals.png", 1), ("T/\u{1f697}.json", -DAY), ("u/a.png", 0)]);
        let cache = decode(text, &Extensions::default()).unwrap();
        assert!(cache.up_to_date);
        assert_eq!(cache.index.files(), &files);
        assert_eq!(cache.synced, synced(&files));
        // Without pictures of known size only the form has another number.
        let written = encoded(&files);
        assert_eq!(written.strip_prefix(FORM), text.strip_prefix(FORM_3));
    }

    #[test]
    fn a_cache_knows_which_files_are_damaged_and_how_large_pictures_are() {
        let mut written = PathMap::default();
        let all = files(&[("a.png", 0), ("b.png", 0), ("c.png", 0), ("d.png", 0)]);
        for (file, (damage, pixels, is_whole)) in all.iter().zip([
            (None, Some((4096, 1)), true),
            (Some(Damage::Empty), None, false),
            (Some(Damage::InvalidJson), Some((u32::MAX, 0)), false),
            (None, None, false),
        ]) {
            let inspection = Inspection { damage, pixels };
            written.insert(IndexedFile { inspection, is_whole, ..file.clone() }).unwrap();
        }
        let cache = decode(&encoded(&written), &Extensions::default()).unwrap();
        assert_eq!(cache.index.files(), &written);
        assert_eq!(cache.synced, synced(&written));
    }

    #[test]
    fn a_fresh_file_is_left_out() {
        let written = files(&[("a.png", DAY - FRESH_NANOS), ("b.png", DAY), ("c.png", DAY + 1)]);
        let sure = files(&[("a.png", DAY - FRESH_NANOS)]);
        let cache = decode(&encoded(&written), &Extensions::default()).unwrap();
        assert_eq!(cache.index.files(), &sure);
        assert_eq!(cache.index.hash(), LocalIndex::new(sure).manifest().hash());
    }

    #[test]
    fn a_damaged_cache_is_ignored() {
        let text = encoded(&files(&[("a.png", 0)]));
        for at in 0..text.len() {
            let mut damaged = text.to_vec();
            damaged[at] ^= 1;
            assert_eq!(decoded(&damaged), None, "byte {at}");
            assert_eq!(decoded(&text[..at]), None, "cut at {at}");
        }
        assert_eq!(decoded(b"liverysync files 1\n"), None);
    }

    #[test]
    fn files_that_new_rules_exclude_are_left_out() {
        let text = encoded(&files(&[("a.png", 0), ("b.txt", 0)]));
        let cache = decode(&text, &Extensions::from_list(["png"]).unwrap()).unwrap();
        assert!(!cache.up_to_date);
        let left = files(&[("a.png", 0)]);
        assert_eq!(cache.index.files(), &left);
        assert_eq!(cache.index.hash(), LocalIndex::new(left).manifest().hash());
    }
}
