//! Manifest hashes against values that Python computed, and the laws of `diff`.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeMap;

use liverysync_core::{
    hash::Content,
    manifest::{Entry, Manifest},
    path::{Extensions, PathKey, RelPath},
};
use proptest::prelude::*;

fn manifest(files: &[(&str, &[u8])]) -> Manifest {
    let mut manifest = Manifest::new();
    for (path, bytes) in files {
        let path = RelPath::parse(path, &Extensions::default()).unwrap();
        manifest.insert(Entry { path, content: Content::of(bytes), mtime: None }).unwrap();
    }
    manifest
}

// Computed once, as the programs of the field do it:
//
// ```python
// items = [{key: entry[key] for key in keys} for entry in sorted(entries, key=lambda e: e["rel_path"])]
// hashlib.sha256(json.dumps(items, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
// ```
//
// with the keys `rel_path`, `size`, `sha256` for a manifest and `rel_path`, `sha256`, `size` for a union.
#[test]
fn hashes_equal_those_of_the_python_programs() {
    type Vector<'a> = (&'a [(&'a str, &'a [u8])], &'a str, &'a str);

    let picture = [b'x'; 300];
    let vectors: [Vector<'_>; 3] = [
        (
            &[],
            "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
            "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
        ),
        (
            &[("Team A/decals.png", b"abc")],
            "63c431c99c7dfbf4c2efc480a2f3c296db445c00180f5966ecaa71153c04e2c5",
            "3f416d269d92c83f2f7d2b5a176ce86cea31714af1f17ca7013f325983c84da2",
        ),
        (
            &[
                ("Équipe #2/decals.png", b""),
                ("レーシング/a&b.json", b"{}"),
                ("team a/\u{1f3c1}.png", &picture),
                ("Z.png", b"z"),
                ("a b/it's [1].txt", b"1"),
            ],
            "3fba93ad37ecea3976449e410ea6a899337784f8c047d84beeba44bd53412fb8",
            "c14f32783a35852dcf29f8a6409e45172df18af758daa3802e256405ad894a3e",
        ),
    ];
    for (files, hash, union_hash) in vectors {
        let manifest = manifest(files);
        assert_eq!(manifest.hash().to_string(), hash);
        assert_eq!(manifest.union_hash().to_string(), union_hash);
    }
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let path = prop::sample::select(vec![
        "a.png",
        "A.png",
        "a.png/b.png",
        "T/a.png",
        "t/A.PNG",
        "T/b.json",
        "é/x.txt",
        "e\u{301}/x.txt",
    ]);
    prop::collection::vec((path, 0_u8..3), 0..8).prop_map(|files| {
        let mut manifest = Manifest::new();
        for (path, byte) in files {
            let path = RelPath::parse(path, &Extensions::default()).unwrap();
            let entry = Entry { path, content: Content::of(&[byte]), mtime: None };
            let _those_that_fit = manifest.insert(entry);
        }
        manifest
    })
}

fn by_key(manifest: &Manifest) -> BTreeMap<PathKey, Content> {
    manifest.iter().map(|entry| (entry.path.key().clone(), entry.content)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn applying_a_difference_gives_the_wanted_manifest(have in any_manifest(), want in any_manifest()) {
        let difference = have.diff(&want);
        let mut result = have;
        let different = difference.different.iter().map(|(there, _)| there);
        for gone in difference.extra.iter().chain(different) {
            prop_assert!(result.remove(gone.path.key()).is_some());
        }
        let wanted = difference.different.iter().map(|(_, wanted)| wanted);
        for entry in difference.missing.iter().chain(wanted) {
            prop_assert_eq!(result.insert(entry.clone()), Ok(()));
        }
        prop_assert_eq!(by_key(&result), by_key(&want));
        prop_assert_eq!(result.total_bytes(), want.total_bytes());
    }

    #[test]
    fn the_reverse_difference_swaps_missing_and_extra(a in any_manifest(), b in any_manifest()) {
        let (there, back) = (a.diff(&b), b.diff(&a));
        prop_assert_eq!(&there.missing, &back.extra);
        prop_assert_eq!(&there.extra, &back.missing);
        let turned: Vec<_> = back.different.into_iter().map(|(x, y)| (y, x)).collect();
        prop_assert_eq!(&there.different, &turned);
        prop_assert_eq!(there.is_empty(), by_key(&a) == by_key(&b));
        prop_assert!(a.diff(&a).is_empty());
    }
}
