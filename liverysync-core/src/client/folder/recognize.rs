//! Finds the scan cache of a folder that was moved: most files that it knows are there again.

use std::collections::BTreeMap;

use super::scan_cache;
use crate::{
    path::{Extensions, fold},
    select::{Kind, Listed, Stamp},
};

/// Some file systems count modification times in steps of two seconds.
const MTIME_STEP_NANOS: i64 = 2_000_000_000;

/// Returns the position of the cache that knows a folder best; `None` if none of them knows it. A cache knows a folder in
/// which more than half of its files are, each with the same path, size and modification time.
///
/// Caches come in the order of preference where several know the folder equally well.
pub fn recognize<'a>(
    caches: impl IntoIterator<Item = &'a [u8]>,
    listed: &[Listed],
) -> Option<usize> {
    let stamps = listed.iter().filter_map(|item| match &item.kind {
        Kind::File(stamp) => Some((fold(&item.path), *stamp)),
        _ => None,
    });
    let stamps: BTreeMap<_, _> = stamps.collect();
    let known = |(at, cache): (usize, &[u8])| {
        // A cache that cannot be read knows nothing.
        let cache = scan_cache::decode(cache, &Extensions::default())?;
        let files = cache.index.files();
        let is_there =
            |path: &str, stamp: Stamp| stamps.get(path).is_some_and(|found| is_same(*found, stamp));
        let there = files.iter().filter(|file| is_there(file.path.key().as_str(), file.stamp));
        let there = there.count();
        (there * 2 > files.len()).then_some((there, at))
    };
    let best = caches.into_iter().enumerate().filter_map(known);
    best.max_by_key(|(there, at)| (*there, usize::MAX - at)).map(|(_, at)| at)
}

fn is_same(found: Stamp, known: Stamp) -> bool {
    let between = found.mtime.as_nanos().saturating_sub(known.mtime.as_nanos());
    found.size == known.size && between.saturating_abs() < MTIME_STEP_NANOS
}

#[cfg(test)]
mod tests {
    use super::{
        super::{IndexedFile, SyncedVersions, local_index::LocalIndex},
        *,
    };
    use crate::{
        hash::Content, inspect::Inspection, path::RelPath, pathmap::PathMap, time::UnixTime,
    };

    const DAY: i64 = 86_400_000_000_000;

    type Files<'a> = &'a [(&'a str, u64, i64)];

    fn cache(files: Files<'_>) -> Vec<u8> {
        let mut index = PathMap::default();
        for (path, size, mtime) in files {
            let path = RelPath::parse(path, &Extensions::default()).unwrap();
            let stamp = Stamp { size: *size, mtime: UnixTime::from_nanos(*mtime) };
            let content = Content { size: *size, ..Content::of(b"") };
            index
                .insert(IndexedFile {
                    path,
                    stamp,
                    change_tag: 0,
                    content,
                    inspection: Inspection::default(),
                    is_whole: false,
                })
                .unwrap();
        }
        let now = UnixTime::from_nanos(DAY);
        let synced = SyncedVersions::default();
        scan_cache::encode(&LocalIndex::new(index), &synced, &Extensions::default(), now).to_vec()
    }

    fn listed(files: Files<'_>) -> Vec<Listed> {
        let listed = files.iter().map(|(path, size, mtime)| Listed {
            path: (*path).to_owned(),
            kind: Kind::File(Stamp { size: *size, mtime: UnixTime::from_nanos(*mtime) }),
            change_tag: 0,
        });
        listed.collect()
    }

    fn found(caches: &[Files<'_>], there: Files<'_>) -> Option<usize> {
        let caches: Vec<_> = caches.iter().map(|files| cache(files)).collect();
        recognize(caches.iter().map(Vec::as_slice), &listed(there))
    }

    #[test]
    fn a_folder_is_known_by_most_of_its_files() {
        let before: Files<'_> = &[("A/a.png", 1, 0), ("A/a.json", 2, 0), ("B/b.png", 3, 0)];
        assert_eq!(found(&[before], before), Some(0));
        let edited: Files<'_> =
            &[("A/a.png", 7, DAY), ("A/a.json", 2, 0), ("B/b.png", 3, 0), ("C/c.png", 4, 0)];
        assert_eq!(found(&[before], edited), Some(0));
        let other_case: Files<'_> = &[("a/A.png", 1, 1_999_999_999), ("a/A.json", 2, 0)];
        assert_eq!(found(&[before], other_case), Some(0));
        let mostly_edited: Files<'_> =
            &[("A/a.png", 1, 3_000_000_000), ("A/a.json", 5, 0), ("B/b.png", 3, 0)];
        assert_eq!(found(&[before], mostly_edited), None);
        assert_eq!(found(&[before], &[]), None);
    }

    #[test]
    fn nothing_is_known_by_an_empty_cache() {
        assert_eq!(found(&[&[]], &[]), None);
        assert_eq!(found(&[&[]], &[("A/a.png", 1, 0)]), None);
        assert_eq!(recognize([&b"damaged"[..]], &listed(&[("A/a.png", 1, 0)])), None);
    }

    #[test]
    fn the_cache_that_knows_most_files_wins_and_then_the_first() {
        let folder: Files<'_> = &[("A/a.png", 1, 0), ("B/b.png", 3, 0)];
        assert_eq!(found(&[&folder[..1], folder, folder], folder), Some(1));
        assert_eq!(found(&[&[("C/c.png", 3, 0)], &folder[..1]], folder), Some(1));
    }
}
