//! What a client remembers of its files from run to run, so that it reads nothing twice.
//!
//! A line that names the form, the SHA-256 of all that follows, a digest of the rules that the paths were
//! checked by, the manifest's hash, the files in the order of their keys, and what was last in sync at other
//! paths than theirs or with another content. Numbers have eight bytes, the
//! lowest first; a text comes after the number of its bytes. What cannot be read is no memory: losing it
//! costs time, never a livery.
//!
//! A start reads this before anything else, in a folder of thousands of files that mostly has not changed.
//! So what was checked when it was written is not checked again as long as the rules are the same.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{folder::IndexedFile, local_index::LocalIndex, synced_versions::SyncedVersions};
use crate::{
    hash::{Content, ContentHash},
    path::{Extensions, RULE_FORM, RelPath},
    pathmap::PathMap,
    select::Stamp,
    time::UnixTime,
};

/// Which form this is. Another one is forgotten.
const FORM: &[u8] = b"liverysync files 3\n";

/// A file that was changed so shortly before it was read may be changed again with the same date:
/// some file systems count in steps of two seconds.
const FRESH_NANOS: i64 = 2_000_000_000;

/// Bytes that most files take, to ask for memory once.
const FILE_BYTES: usize = 160;

/// What an earlier run knew.
#[derive(Debug)]
pub(super) struct ScanCache {
    pub(super) files: LocalIndex,
    pub(super) bases: SyncedVersions,
    /// Whether it was written under these rules; otherwise it is better written anew.
    pub(super) up_to_date: bool,
}

/// Writes down what is known, but for files that are too fresh to be sure of, and all that was in sync.
pub(super) fn encode(
    known: &LocalIndex,
    bases: &SyncedVersions,
    extensions: &Extensions,
    now: UnixTime,
) -> Bytes {
    let is_sure = |file: &&IndexedFile| {
        let age = now.as_nanos().saturating_sub(file.stamp.mtime.as_nanos());
        age.saturating_abs() >= FRESH_NANOS
    };
    let sure: Vec<_> = known.files().iter().filter(is_sure).collect();
    // The hash is that of all files together.
    let hash = (sure.len() == known.files().len()).then(|| known.hash());
    let mut body = Vec::with_capacity((sure.len() + 1) * FILE_BYTES);
    body.extend(rules_digest(extensions).as_bytes());
    body.extend([u8::from(hash.is_some())]);
    body.extend(hash.iter().flat_map(ContentHash::as_bytes));
    let is_in_sync = |file: &IndexedFile| bases.get(file.path.key()) == Some(file.content.hash);
    body.extend((sure.len() as u64).to_le_bytes());
    for file in &sure {
        write_file(&mut body, file);
        body.push(u8::from(is_in_sync(file)));
    }
    let told: BTreeSet<_> =
        sure.into_iter().filter(|file| is_in_sync(file)).map(|file| file.path.key()).collect();
    for (key, hash) in bases.iter().filter(|(key, _)| !told.contains(*key)) {
        write_text(&mut body, key.as_str());
        body.extend(hash.as_bytes());
    }
    [FORM, ContentHash::of(&body).as_bytes(), &body].concat().into()
}

/// Which paths were checked, and how.
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

/// Reads what was written down, of the files that still travel; `None` if it is damaged or of another form.
pub(super) fn decode(text: &[u8], extensions: &Extensions) -> Option<ScanCache> {
    let mut rest = Rest(text.strip_prefix(FORM)?);
    let digest = rest.hash()?;
    if digest != ContentHash::of(rest.0) {
        return None;
    }
    let up_to_date = rest.hash()? == rules_digest(extensions);
    let hash = match rest.take::<1>()? {
        [0] => None,
        _ => Some(rest.hash()?),
    };
    let mut bases = SyncedVersions::default();
    let count = u64::from_le_bytes(rest.take()?);
    let files = if up_to_date {
        rest.files(count, &mut bases)?
    } else {
        rest.files_that_travel(count, extensions, &mut bases)?
    };
    rest.bases(&mut bases)?;
    let files = match hash.filter(|_| up_to_date) {
        Some(hash) => LocalIndex::with_hash(files, hash),
        None => LocalIndex::new(files),
    };
    Some(ScanCache { files, bases, up_to_date })
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// All files. They were checked, fitted together and were in order when they were written down.
    fn files(&mut self, count: u64, bases: &mut SyncedVersions) -> Option<PathMap<IndexedFile>> {
        let mut files = Vec::with_capacity(self.0.len() / FILE_BYTES);
        for _ in 0..count {
            files.push(self.file(bases, |text, key| Some(RelPath::checked_before(text, key)))??);
        }
        Some(PathMap::of_fitting(files))
    }

    /// The files whose paths follow these rules, which are not those that they were written under.
    fn files_that_travel(
        &mut self,
        count: u64,
        extensions: &Extensions,
        bases: &mut SyncedVersions,
    ) -> Option<PathMap<IndexedFile>> {
        let mut files = PathMap::default();
        for _ in 0..count {
            if let Some(file) = self.file(bases, |text, _| RelPath::parse(text, extensions).ok())? {
                // One set of files that lay together lies together, unless the rules have changed.
                let _fits = files.insert(file);
            }
        }
        Some(files)
    }

    /// The next file, if `path` makes a path of its text and its key.
    fn file(
        &mut self,
        bases: &mut SyncedVersions,
        path: impl FnOnce(&str, &str) -> Option<RelPath>,
    ) -> Option<Option<IndexedFile>> {
        let (text, key) = (self.text()?, self.text()?);
        let path = path(text, if key.is_empty() { text } else { key });
        let size = u64::from_le_bytes(self.take()?);
        let mtime = UnixTime::from_nanos(i64::from_le_bytes(self.take()?));
        let change_tag = u64::from_le_bytes(self.take()?);
        let content = Content { hash: self.hash()?, size };
        if let ([1], Some(path)) = (self.take()?, &path) {
            bases.insert(path.key().clone(), content.hash);
        }
        Some(path.map(|path| IndexedFile {
            path,
            stamp: Stamp { size, mtime },
            change_tag,
            content,
        }))
    }

    /// What was in sync besides the files.
    fn bases(mut self, bases: &mut SyncedVersions) -> Option<()> {
        while !self.0.is_empty() {
            let key = self.text()?;
            bases.insert(RelPath::checked_before(key, key).key().clone(), self.hash()?);
        }
        Some(())
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

    fn known(paths: &[(&str, i64)]) -> PathMap<IndexedFile> {
        let mut known = PathMap::default();
        for (path, mtime) in paths {
            let path = RelPath::parse(path, &Extensions::default()).unwrap();
            let content = Content::of(path.as_str().as_bytes());
            let stamp = Stamp { size: content.size, mtime: UnixTime::from_nanos(*mtime) };
            known.insert(IndexedFile { path, stamp, change_tag: 7, content }).unwrap();
        }
        known
    }

    fn encoded(files: &PathMap<IndexedFile>) -> Bytes {
        encode(&LocalIndex::new(files.clone()), &bases(files), &Extensions::default(), NOW)
    }

    /// Of the files every other one is in sync, and one that is not there any more was.
    fn bases(files: &PathMap<IndexedFile>) -> SyncedVersions {
        let mut bases = SyncedVersions::default();
        for (index, file) in files.iter().enumerate() {
            let hash = if index % 2 == 0 { file.content.hash } else { ContentHash::of(b"before") };
            bases.insert(file.path.key().clone(), hash);
        }
        let gone = RelPath::parse("gone.png", &Extensions::default()).unwrap();
        bases.insert(gone.key().clone(), ContentHash::of(b"gone"));
        bases
    }

    fn decoded(text: &[u8]) -> Option<PathMap<IndexedFile>> {
        decode(text, &Extensions::default()).map(|memory| memory.files.files().clone())
    }

    #[test]
    fn what_was_written_is_read() {
        let files = known(&[("#2/d\u{e9}cals.png", 1), ("T/\u{1f697}.json", -DAY), ("u/a.png", 0)]);
        let text = encoded(&files);
        assert_eq!(decoded(&text), Some(files.clone()));
        let memory = decode(&text, &Extensions::default()).unwrap();
        assert!(memory.up_to_date);
        assert_eq!(memory.bases, bases(&files));
        assert_eq!(memory.files.hash(), LocalIndex::new(files).manifest().hash());
    }

    #[test]
    fn a_fresh_file_is_not_remembered() {
        let files = known(&[("a.png", DAY - FRESH_NANOS), ("b.png", DAY), ("c.png", DAY + 1)]);
        let sure = known(&[("a.png", DAY - FRESH_NANOS)]);
        let memory = decode(&encoded(&files), &Extensions::default()).unwrap();
        assert_eq!(memory.files.files(), &sure);
        assert_eq!(memory.files.hash(), LocalIndex::new(sure).manifest().hash());
    }

    #[test]
    fn what_is_damaged_is_forgotten() {
        let text = encoded(&known(&[("a.png", 0)]));
        for at in 0..text.len() {
            let mut damaged = text.to_vec();
            damaged[at] ^= 1;
            assert_eq!(decoded(&damaged), None, "byte {at}");
            assert_eq!(decoded(&text[..at]), None, "cut at {at}");
        }
        assert_eq!(decoded(b"liverysync files 1\n"), None);
    }

    #[test]
    fn what_does_not_travel_any_more_is_left_out() {
        let text = encoded(&known(&[("a.png", 0), ("b.txt", 0)]));
        let memory = decode(&text, &Extensions::from_list(["png"]).unwrap()).unwrap();
        assert!(!memory.up_to_date);
        let left = known(&[("a.png", 0)]);
        assert_eq!(memory.files.files(), &left);
        assert_eq!(memory.files.hash(), LocalIndex::new(left).manifest().hash());
    }
}
